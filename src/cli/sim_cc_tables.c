/* SPDX-License-Identifier: Apache-2.0
 *
 * What is asked of a congestion control algorithm, after RFC 9743's criteria:
 *
 *   5.1.2 bufferbloat, 5.1.3 high loss     alone, buffer
 *   5.1.4 fairness among its own           same, late, rtt
 *   5.1.5, 5.2.3 short and long flows      short
 *   5.2.1 beside other algorithms          pairs, background
 *   6.1, 6.4 tail drop, wireless           all, noise
 *   7.1 queues that mark                   ecn
 *
 * (5.1.1, congestion collapse, is tested in path_test.c and by drill scripts: timeouts back off.)
 *
 * Decides the experiments, nothing of how they run. A third of each is warm-up.
 */
#include "cli/sim_cc.h"

#include "base/base.h"
#include "cc/cc.h"

#include <string.h>

enum { CUBIC = 1, LEDBAT = 7 }; /* as the setting tcp_congestion_control */

/* A bottleneck as the command line has it, and one endless flow. */
static void make_base(const struct cc_setting *s, uint32_t algorithm, struct lab *out)
{
    *out = (struct lab){.rate_bps = s->rate_mbps * 1000000,
                        .rtt = s->rtt_ms * W_MS,
                        .buffer_percent = (uint32_t)s->buffer_percent,
                        .warm = s->seconds * W_S / 3,
                        .took = s->seconds * W_S - s->seconds * W_S / 3,
                        .seed = s->seed,
                        .n_flow = 1};
    out->flow[0].cc = algorithm;
}

/* Another one that begins a little later. */
static struct lab_flow *add_flow(struct lab *l, uint32_t algorithm)
{
    struct lab_flow *f = &l->flow[l->n_flow];
    f->cc = algorithm;
    f->start = l->n_flow * 300 * W_MS;
    l->n_flow++;
    return f;
}

static void make_alone(const struct cc_setting *s, unsigned row, unsigned exp, struct lab *out)
{
    (void)exp;
    make_base(s, s->algorithm[row], out);
}

static void make_pair(const struct cc_setting *s, unsigned row, unsigned exp, struct lab *out)
{
    make_base(s, s->algorithm[row], out);
    (void)add_flow(out, s->algorithm[exp]);
}

enum { CC_MANY = 4 };

static void make_same(const struct cc_setting *s, unsigned row, unsigned exp, struct lab *out)
{
    (void)exp;
    make_base(s, s->algorithm[row], out);
    while (out->n_flow < CC_MANY)
        (void)add_flow(out, s->algorithm[row]);
}

/* Each newcomer meets flows that had the time to settle. */
static void make_late(const struct cc_setting *s, unsigned row, unsigned exp, struct lab *out)
{
    make_same(s, row, exp, out);
    for (unsigned i = 1; i < CC_MANY; i++)
        out->flow[i].start = i * out->warm / CC_MANY;
}

/* The second flow's way is 1, 3, 6 times as long: the ratios of BIC's paper. */
static void make_rtt(const struct cc_setting *s, unsigned row, unsigned exp, struct lab *out)
{
    static const unsigned ratio[] = {1, 3, 6};
    make_base(s, s->algorithm[row], out);
    add_flow(out, s->algorithm[row])->rtt = ratio[exp] * out->rtt;
}

/* The row's in the foreground, and background traffic that began before: LEDBAT++ can only yield
 * where the buffer has room for its 60 ms. */
static void make_background(const struct cc_setting *s, unsigned row, unsigned exp, struct lab *out)
{
    (void)exp;
    make_base(s, s->algorithm[row], out);
    out->flow[0].start = out->warm / 4;
    add_flow(out, LEDBAT)->start = 0;
    out->buffer_percent = 400;
}

enum { SHORT_BYTES = 100000, SHORTS = 20 };

static void add_shorts(struct lab *l, uint32_t algorithm)
{
    struct lab_flow *f = &l->flow[l->n_flow++];
    *f = (struct lab_flow){.cc = algorithm, .start = l->warm, .bytes = SHORT_BYTES, .n = SHORTS};
    f->every = l->took / (SHORTS + 1);
}

/* 0: short transfers by CUBIC beside a long one; 1: the other way round; 2: nothing beside. */
static void make_short(const struct cc_setting *s, unsigned row, unsigned exp, struct lab *out)
{
    make_base(s, exp == 0 ? s->algorithm[row] : CUBIC, out);
    if (exp == 2)
        out->n_flow = 0;
    add_shorts(out, exp == 0 ? CUBIC : s->algorithm[row]);
}

/* Two flows, and a queue that marks from a quarter of the path's volume. */
static void make_ecn(const struct cc_setting *s, unsigned row, unsigned exp, struct lab *out)
{
    make_pair(s, row, row, out);
    out->mark_percent = 25;
    (void)exp;
}

static void make_buffer(const struct cc_setting *s, unsigned row, unsigned exp, struct lab *out)
{
    static const uint32_t percent[] = {25, 100, 400};
    make_base(s, s->algorithm[row], out);
    out->buffer_percent = percent[exp];
}

static void make_noise(const struct cc_setting *s, unsigned row, unsigned exp, struct lab *out)
{
    static const uint32_t ppm[] = {0, 100, 1000, 10000, 30000};
    make_base(s, s->algorithm[row], out);
    out->loss_ppm = ppm[exp];
}

const struct cc_table cc_tables[] = {
    {"alone",
     "one flow",
     1,
     make_alone,
     {{FIG_SHARE, 0, "share %", "of the link"},
      {FIG_RTT, 0, "RTT x", "delay"},
      {FIG_QUEUE, 0, "mean ms", NULL},
      {FIG_P95, 0, "95 % ms", NULL},
      {FIG_DROP, 0, "lost %", "packets"},
      {FIG_AGAIN, 0, "again %", NULL}}},
    {"pairs",
     "two flows: the row's and the column's",
     0,
     make_pair,
     {{FIG_FIRST, 0, "", "the row's flow has so much of the link, %"},
      {FIG_JAIN, 0, "", "Jain's index of the two (1.000 equal, 0.500 one has all)"},
      {FIG_RTT, 0, "", "RTT, in multiples of the path's without queue"},
      {FIG_DROP, 0, "", "packets lost, %"}}},
    {"same",
     "four flows of one kind",
     1,
     make_same,
     {{FIG_SHARE, 0, "share %", "of the link"},
      {FIG_JAIN, 0, "Jain", NULL},
      {FIG_RTT, 0, "RTT x", "delay"},
      {FIG_QUEUE, 0, "mean ms", NULL},
      {FIG_DROP, 0, "lost %", "packets"},
      {FIG_AGAIN, 0, "again %", NULL}}},
    {"late",
     "four flows of one kind, each beginning when those before have settled",
     1,
     make_late,
     {{FIG_SHARE, 0, "share %", "of the link"},
      {FIG_JAIN, 0, "Jain", NULL},
      {FIG_FAIR, 0, "fair s", NULL},
      {FIG_RTT, 0, "RTT x", "delay"},
      {FIG_DROP, 0, "lost %", "packets"}}},
    {"rtt",
     "two flows of one kind, the second with an RTT 1, 3 and 6 times as long",
     3,
     make_rtt,
     {{FIG_RATIO, 0, "1", "throughput, first : second"},
      {FIG_RATIO, 1, "3", NULL},
      {FIG_RATIO, 2, "6", NULL},
      {FIG_SHARE, 0, "1", "share of the link, %"},
      {FIG_SHARE, 1, "3", NULL},
      {FIG_SHARE, 2, "6", NULL}}},
    {"short",
     "100,000 bytes at a time: CUBIC's beside a long flow of the row's; the other way round; alone",
     3,
     make_short,
     {{FIG_MEAN, 0, "mean ms", "beside the row"},
      {FIG_WORST, 0, "max ms", NULL},
      {FIG_FIRST, 0, "long %", NULL},
      {FIG_MEAN, 1, "mean ms", "beside CUBIC"},
      {FIG_WORST, 1, "max ms", NULL},
      {FIG_FIRST, 1, "long %", NULL},
      {FIG_MEAN, 2, "mean ms", "alone"}}},
    {"background",
     "a flow of the row's beside LEDBAT++, which began before; buffer of 4 BDP",
     1,
     make_background,
     {{FIG_FIRST, 0, "row %", "of the link"},
      {FIG_SHARE, 0, "both %", NULL},
      {FIG_RTT, 0, "RTT x", "delay"},
      {FIG_QUEUE, 0, "mean ms", NULL}}},
    {"ecn",
     "two flows of one kind, ECN, marks from a queue of 0.25 BDP",
     1,
     make_ecn,
     {{FIG_SHARE, 0, "share %", "of the link"},
      {FIG_JAIN, 0, "Jain", NULL},
      {FIG_RTT, 0, "RTT x", "delay"},
      {FIG_QUEUE, 0, "mean ms", NULL},
      {FIG_P95, 0, "95 % ms", NULL},
      {FIG_MARK, 0, "mark %", "packets"},
      {FIG_DROP, 0, "lost %", NULL}}},
    {"buffer",
     "one flow, buffers of 0.25, 1 and 4 BDP",
     3,
     make_buffer,
     {{FIG_SHARE, 0, "0.25", "share of the link, %"},
      {FIG_SHARE, 1, "1", NULL},
      {FIG_SHARE, 2, "4", NULL},
      {FIG_RTT, 0, "0.25", "RTT x"},
      {FIG_RTT, 1, "1", NULL},
      {FIG_RTT, 2, "4", NULL},
      {FIG_DROP, 0, "0.25", "packets lost, %"},
      {FIG_DROP, 1, "1", NULL},
      {FIG_DROP, 2, "4", NULL}}},
    {"noise",
     "one flow, packets lost by noise, as on radio",
     5,
     make_noise,
     {{FIG_SHARE, 0, "none", "share of the link, %"},
      {FIG_SHARE, 1, "0.01 %", NULL},
      {FIG_SHARE, 2, "0.1 %", NULL},
      {FIG_SHARE, 3, "1 %", NULL},
      {FIG_SHARE, 4, "3 %", NULL}}},
};
const unsigned cc_n_tables = WEIR_COUNT(cc_tables);

/* ---- cells ---- */

/* value / scale with `places` decimals. */
static void put_part(char *text, size_t n, uint64_t value, uint64_t scale, unsigned places)
{
    static const uint64_t power[] = {1, 10, 100, 1000};
    uint64_t v = (value * power[places] + scale / 2) / scale;
    if (places == 0)
        snprintf(text, n, "%llu", (unsigned long long)v);
    else
        snprintf(text, n, "%llu.%0*llu", (unsigned long long)(v / power[places]), (int)places,
                 (unsigned long long)(v % power[places]));
}

/* How long the newcomer took that took longest; "-": one never had its share. */
static void put_fair(char *text, size_t n, const struct lab *l, const struct lab_seen *s)
{
    uint32_t worst = 0;
    for (unsigned i = 1; i < l->n_flow; i++) {
        if (s->flow[i].fair_ms == 0) {
            snprintf(text, n, "-");
            return;
        }
        worst = w_u32_max(worst, s->flow[i].fair_ms);
    }
    put_part(text, n, worst, 1000, 1);
}

static uint64_t again_ppm(const struct lab *l, const struct lab_seen *s)
{
    uint64_t sum = 0, all = 0;
    for (unsigned i = 0; i < l->n_flow; i++) {
        sum += s->flow[i].retrans_ppm * (s->flow[i].goodput_bps / 1000);
        all += s->flow[i].goodput_bps / 1000;
    }
    return all == 0 ? 0 : sum / all;
}

/* The transfers' flow is the last one; those that did not end would flatter the mean. */
static void put_time(char *text, size_t n, const struct lab *l, const struct lab_seen *s,
                     bool is_worst)
{
    const struct lab_flow_seen *f = &s->flow[l->n_flow - 1];
    if (f->n_done != l->flow[l->n_flow - 1].n)
        snprintf(text, n, "-");
    else
        put_part(text, n, is_worst ? f->worst_us : f->mean_us, 1000, 0);
}

void cc_cell(enum cc_figure what, const struct lab *l, const struct lab_seen *s, char *text,
             size_t n)
{
    uint64_t could = l->rate_bps / LAB_FRAME * LAB_PAYLOAD;
    switch (what) {
    case FIG_SHARE: put_part(text, n, s->share_pm, 10, 1); return;
    case FIG_FIRST: put_part(text, n, s->flow[0].goodput_bps * 100, could, 1); return;
    case FIG_JAIN: put_part(text, n, s->jain_pm, 1000, 3); return;
    case FIG_RTT: put_part(text, n, s->rtt_pm, 1000, 2); return;
    case FIG_QUEUE: put_part(text, n, s->queue_us, 1000, 1); return;
    case FIG_P95: put_part(text, n, s->queue_p95_us, 1000, 1); return;
    case FIG_DROP: put_part(text, n, s->drop_ppm, 10000, 3); return;
    case FIG_AGAIN: put_part(text, n, again_ppm(l, s), 10000, 3); return;
    case FIG_MARK: put_part(text, n, s->mark_ppm, 10000, 1); return;
    case FIG_RATIO:
        put_part(text, n, s->flow[0].goodput_bps, s->flow[1].goodput_bps + 1, 2);
        return;
    case FIG_FAIR: put_fair(text, n, l, s); return;
    case FIG_MEAN:
    case FIG_WORST: put_time(text, n, l, s, what == FIG_WORST); return;
    case FIG_END: break;
    }
    snprintf(text, n, "?");
}

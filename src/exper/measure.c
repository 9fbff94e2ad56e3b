/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of measures, and where their values are.
 *
 * Decides what can be asked of flows, hosts, NICs, queues and links. Units are bits a second,
 * seconds, bytes and plain numbers; a scenario divides as it likes. The NIC's and its
 * driver's statistics have the names of `ethtool -S` and are found in the driver's own list, the
 * stack's counters those of nstat.
 *
 *   flow.X      of all flows: sums, and the times of all messages together
 *   flow NAME.X of one, all its applications together
 *
 * Owns nothing. Called by plan.c and run.c.
 */
#include "exper/measure.h"

#include "tcp/tcp.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SOL_TCP_ = 6, TCP_INFO_ = 11 };

struct name {
    const char *name;
    bool is_counter;
    const char *text;
};

/* ---- flows ---- */

enum flow_id {
    F_GOODPUT,
    F_GOT,
    F_SENT,
    F_MESSAGES,
    F_MESSAGES_SENT,
    F_LOST,
    F_REFUSED,
    F_TIME,
    F_P50,
    F_P90,
    F_P99,
    F_WORST,
    F_MEAN,
    F_CWND,
    F_SSTHRESH,
    F_FLIGHT,
    F_RTT,
    F_MIN_RTT,
    F_RTO,
    F_RETRANSMITS,
    F_RETRANS_BYTES,
    F_TIMEOUTS,
    F_DELIVERY,
    F_OUTQ,
    F_INQ,
};

static const struct name flow_names[] = {
    [F_GOODPUT] = {"goodput", true, "bit/s that the reading program got"},
    [F_GOT] = {"got", true, "bytes read"},
    [F_SENT] = {"sent", true, "bytes written"},
    [F_MESSAGES] = {"messages", true, "responses or datagrams that arrived"},
    [F_MESSAGES_SENT] = {"messages-sent", true, "requests or datagrams sent"},
    [F_LOST] = {"lost", false, "datagrams sent and not read by the end, since the beginning"},
    [F_REFUSED] = {"refused", true, "datagrams that its own host refused"},
    [F_TIME] = {"time", false, "s from start to the last byte read"},
    [F_P50] = {"latency-p50", false, "s: half of the messages took no longer"},
    [F_P90] = {"latency-p90", false, "s"},
    [F_P99] = {"latency-p99", false, "s"},
    [F_WORST] = {"latency-max", false, "s"},
    [F_MEAN] = {"latency-mean", false, "s"},
    [F_CWND] = {"cwnd", false, "segments"},
    [F_SSTHRESH] = {"ssthresh", false, "segments"},
    [F_FLIGHT] = {"flight", false, "segments"},
    [F_RTT] = {"rtt", false, "s, smoothed"},
    [F_MIN_RTT] = {"min-rtt", false, "s"},
    [F_RTO] = {"rto", false, "s"},
    [F_RETRANSMITS] = {"retransmits", true, "segments"},
    [F_RETRANS_BYTES] = {"retrans-bytes", true, "bytes"},
    [F_TIMEOUTS] = {"timeouts", true, "retransmission timeouts"},
    [F_DELIVERY] = {"delivery-rate", false, "bit/s, as the sender measures it"},
    [F_OUTQ] = {"send-buffer", false, "bytes written and not acknowledged"},
    [F_INQ] = {"receive-buffer", false, "bytes arrived and not read"},
};

static bool tcp_info(const struct world *w, const struct app *a, struct weir_tcp_info *info)
{
    size_t n = sizeof(*info);
    memset(info, 0, sizeof(*info));
    return a->conf->kind != SETUP_UDP && a->is_connected &&
           weir_getsockopt(a->host[0]->w, w->sim->now, a->s[0], SOL_TCP_, TCP_INFO_, info, &n) == 0;
}

static double info_value(const struct weir_tcp_info *i, unsigned id)
{
    switch (id) {
    case F_CWND: return i->snd_cwnd;
    case F_SSTHRESH: return i->snd_ssthresh >= INT32_MAX ? NAN : (double)i->snd_ssthresh;
    case F_FLIGHT: return (double)i->unacked - i->sacked - i->lost + i->retrans;
    case F_RTT: return i->rtt == 0 ? NAN : i->rtt / 1e6;
    case F_MIN_RTT: return i->min_rtt == UINT32_MAX ? NAN : i->min_rtt / 1e6;
    case F_RTO: return i->rto / 1e6;
    case F_RETRANSMITS: return i->total_retrans;
    case F_RETRANS_BYTES: return (double)i->bytes_retrans;
    case F_TIMEOUTS: return i->total_rto;
    default: return (double)i->delivery_rate * 8;
    }
}

static double app_value(const struct world *w, const struct app *a, unsigned id)
{
    struct weir_tcp_info info;
    int64_t n;
    bool is_ended = a->conf->bytes != 0 && a->got == a->conf->bytes;
    switch (id) {
    case F_GOT: return (double)a->got;
    case F_SENT: return (double)a->sent;
    case F_MESSAGES: return (double)a->n_got;
    case F_MESSAGES_SENT: return (double)a->n_sent;
    case F_LOST: return (double)(a->n_sent - a->n_refused - a->n_got);
    case F_REFUSED: return (double)a->n_refused;
    case F_TIME: return is_ended ? (double)(a->done_at - a->start) / 1e9 : NAN;
    case F_OUTQ: n = a->s[0] != 0 ? weir_outq(a->host[0]->w, a->s[0]) : 0; break;
    case F_INQ: n = a->s[1] != 0 ? weir_inq(a->host[1]->w, a->s[1]) : 0; break;
    default: return tcp_info(w, a, &info) ? info_value(&info, id) : NAN;
    }
    return n > 0 ? (double)n : 0;
}

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static double times_value(const struct world *w, const struct measure *g)
{
    uint64_t *v = malloc((size_t)w->conf->n_flow * WORLD_TIMES * sizeof(*v));
    double sum = 0, out;
    size_t n = 0;
    if (v == NULL)
        return NAN;
    for (unsigned i = 0; i < w->conf->n_flow; i++) {
        if (g->object >= 0 && (unsigned)g->object != i)
            continue;
        memcpy(v + n, w->times[i].v, w->times[i].n * sizeof(*v));
        n += w->times[i].n;
    }
    qsort(v, n, sizeof(*v), ascending);
    for (size_t i = 0; i < n; i++)
        sum += (double)v[i];
    if (n == 0)
        out = NAN;
    else if (g->id == F_MEAN)
        out = sum / (double)n;
    else
        out = (double)v[g->id == F_WORST ? n - 1
                        : g->id == F_P99 ? (n - 1) * 99 / 100
                        : g->id == F_P90 ? (n - 1) * 90 / 100
                                         : (n - 1) / 2];
    free(v);
    return out / 1e9;
}

/* Sums; of what cannot be added (windows, round trips) the mean of those that have one. */
static double flow_value(const struct world *w, const struct measure *g)
{
    bool is_sum = g->is_counter || g->id == F_LOST || g->id == F_OUTQ || g->id == F_INQ ||
                  g->id == F_FLIGHT || g->id == F_DELIVERY;
    unsigned id = g->id == F_GOODPUT ? F_GOT : g->id, n = 0;
    double sum = 0;
    if (id >= F_P50 && id <= F_MEAN)
        return times_value(w, g);
    for (unsigned i = 0; i < w->n_app; i++) {
        const struct app *a = &w->app[i];
        if (g->object >= 0 && &w->conf->flow[g->object] != a->conf)
            continue;
        double v = app_value(w, a, id);
        if (isnan(v))
            continue;
        sum += v;
        n++;
    }
    if (n == 0)
        return is_sum ? 0 : NAN;
    if (g->id == F_GOODPUT)
        return 8 * sum; /* as bits: it is their rate that is asked for */
    return is_sum ? sum : sum / n;
}

/* ---- hosts ---- */

enum host_id { H_PACKETS, H_BUSY, H_NOMEM, H_DROPS, H_COUNTER };

static const struct name host_names[] = {
    [H_PACKETS] = {"packets", true, "that its stack handed down or got; a super-segment is one"},
    [H_BUSY] = {"busy", true, "s of packet-time and irq-time"},
    [H_NOMEM] = {"no-memory", true, "frames that found no packet memory"},
    [H_DROPS] = {"drops", true, "packets that the stack dropped for lack of room, all reasons"},
};

/* Reasons to drop that mean: no room. Others mean that a packet was no good, or not needed. */
static const char *const no_room[] = {"NOMEM",     "NO_BLOCK",   "QDISC_FULL",     "QDISC_FLOW",
                                      "QDISC_AQM", "DEV_FULL",   "QDISC_HORIZON",  "NEIGH_FULL",
                                      "UDP_FULL",  "TCP_RCVBUF", "TCP_RCV_MEMORY", "TCP_OFO_FULL"};

static double host_value(const struct world *w, const struct measure *g)
{
    const struct sim_host *h = w->host[g->object];
    double packets = 0, busy = 0, drops = 0;
    for (unsigned i = 0; i < w->sim->n_link; i++) {
        const struct sim_link *l = &w->sim->link[i];
        for (unsigned e = 0; e < 2; e++) {
            if (l->end[e].host != h || l->nics == NULL)
                continue;
            const struct netdev_stats *s = &l->nics->end[e].driver.dev.stats;
            packets += (double)(s->rx_frames + s->tx_frames);
            busy += (double)l->nics->end[e].busy_ns / 1e9;
        }
    }
    for (unsigned i = 0; g->id == H_DROPS && i < WEIR_COUNT(no_room); i++)
        drops += (double)weir_counter_named(h->w, no_room[i]);
    switch (g->id) {
    case H_PACKETS: return packets;
    case H_BUSY: return busy;
    case H_NOMEM: return (double)h->nomem;
    case H_DROPS: return drops;
    default: return (double)weir_counter_named(h->w, g->counter);
    }
}

/* ---- NICs and their drivers ---- */

enum nic_id {
    N_RX_FIFO = VNIC_STATS,
    N_RX_FIFO_MAX,
    N_TX_FIFO,
    N_TX_FIFO_MAX,
    N_TX_RING,
    N_RX_RING,
    N_DRIVER_BUSY,
    N_BUSIEST,
};

static const struct name nic_names[] = {
    {"rx-fifo", false, "bytes in the NIC's memory"},
    {"rx-fifo-max", false, "the most there ever were"},
    {"tx-fifo", false, ""},
    {"tx-fifo-max", false, ""},
    {"tx-ring", false, "entries in use, all queues"},
    {"rx-ring", false, "free buffers that the NIC has, all queues"},
    {"tx-busy", true, "times the ring took less than it was offered"},
    {"busiest-queue", true, "packets that the queue with most of them received"},
};

/* A host's NIC is the one on its first cable. */
static struct sim_nic_end *nic_of(const struct world *w, int host)
{
    for (unsigned i = 0; i < w->sim->n_link; i++)
        for (unsigned e = 0; e < 2; e++)
            if (w->sim->link[i].nics != NULL && w->sim->link[i].end[e].host == w->host[host])
                return &w->sim->link[i].nics->end[e];
    return NULL;
}

/* The card's as it has them now; a queue that is not in use has none. */
static double stat_value(struct sim_nic_end *e, unsigned id)
{
    const char *name;
    uint64_t value;
    if (id < NIC_N_STATS)
        return (double)e->nic.stat[id];
    return vnic_stat_at(&e->driver, id, &name, &value) ? (double)value : NAN;
}

static double ring_value(const struct vnic *v, uint32_t (*used)(const struct vnic *, unsigned))
{
    double n = 0;
    for (unsigned q = 0; q < v->conf.n_queues; q++)
        n += used(v, q);
    return n;
}

static uint64_t busiest(const struct vnic *v)
{
    uint64_t most = 0;
    for (unsigned q = 0; q < v->conf.n_queues; q++)
        most = w_u64_max(most, v->q[q].rx_packets);
    return most;
}

static double nic_value(const struct world *w, const struct measure *g)
{
    struct sim_nic_end *e = nic_of(w, g->object);
    if (e == NULL)
        return NAN;
    if (g->id < VNIC_STATS)
        return stat_value(e, g->id);
    switch (g->id) {
    case N_RX_FIFO: return e->nic.rx.bytes.now;
    case N_RX_FIFO_MAX: return e->nic.rx.bytes.high_water;
    case N_TX_FIFO: return e->nic.tx.bytes.now;
    case N_TX_FIFO_MAX: return e->nic.tx.bytes.high_water;
    case N_TX_RING: return ring_value(&e->driver, vnic_tx_used);
    case N_RX_RING: return ring_value(&e->driver, vnic_rx_given);
    case N_DRIVER_BUSY: return (double)e->driver.dev.stats.tx_busy;
    default: return (double)busiest(&e->driver);
    }
}

/* ---- queues before devices ---- */

enum qdisc_id { Q_PACKETS, Q_BYTES, Q_MAX, Q_ENQUEUED, Q_DROPS, Q_MARKED, Q_TOLD, Q_HELD, Q_FULL };

static const struct name qdisc_names[] = {
    [Q_PACKETS] = {"packets", false, "waiting"},
    [Q_BYTES] = {"bytes", false, "waiting"},
    [Q_MAX] = {"packets-max", false, "most that ever waited"},
    [Q_ENQUEUED] = {"enqueued", true, "packets taken"},
    [Q_DROPS] = {"drops", true, "refused or dropped"},
    [Q_MARKED] = {"marked", true, "marked CE instead"},
    [Q_TOLD] = {"told", true, "delivered, and their sender told to slow down"},
    [Q_HELD] = {"held", true, "times TCP was made to wait"},
    [Q_FULL] = {"full-time", true, "s in which TCP had to wait"},
};

static double qdisc_value(const struct world *w, const struct measure *g)
{
    struct weir_qdisc_stats s, all = {.packets = 0};
    for (unsigned i = 0; i < w->sim->n_link; i++) {
        for (unsigned e = 0; e < 2; e++) {
            const struct sim_end *end = &w->sim->link[i].end[e];
            if (end->host != w->host[g->object] ||
                weir_qdisc_stats(end->host->w, w->sim->now, end->nif, &s) < 0)
                continue;
            all.packets += s.packets;
            all.bytes += s.bytes;
            all.high_water = w_u32_max(all.high_water, s.high_water);
            all.enqueued += s.enqueued;
            all.drops += s.drops;
            all.marked += s.marked;
            all.told += s.told;
            all.n_full += s.n_full;
            all.full_ns += s.full_ns;
        }
    }
    switch (g->id) {
    case Q_PACKETS: return all.packets;
    case Q_BYTES: return (double)all.bytes;
    case Q_MAX: return all.high_water;
    case Q_ENQUEUED: return (double)all.enqueued;
    case Q_DROPS: return (double)all.drops;
    case Q_MARKED: return (double)all.marked;
    case Q_TOLD: return (double)all.told;
    case Q_HELD: return (double)all.n_full;
    default: return (double)all.full_ns / 1e9;
    }
}

/* ---- emulated links, in the direction that is named ---- */

enum link_id { L_QUEUE = EMU_N_COUNTERS, L_QUEUE_TIME, L_QUEUE_MAX };

static const struct name link_names[] = {
    [EMU_DELIVERED] = {"delivered", true, "frames"},
    [EMU_DROP_LIMIT] = {"drops-full", true, "the queue was full"},
    [EMU_DROP_AQM] = {"drops-aqm", true, "the queue was too slow"},
    [EMU_DROP_LOSS] = {"lost", true, "noise"},
    [EMU_DROP_MTU] = {"drops-mtu", true, ""},
    [EMU_DROP_CUT] = {"drops-cut", true, ""},
    [EMU_PUSHED] = {"given", true, "frames"},
    [EMU_DUP] = {"duplicated", true, ""},
    [EMU_CORRUPT] = {"corrupted", true, ""},
    [EMU_REORDER] = {"reordered", true, ""},
    [EMU_ECN_MARK] = {"marked", true, "CE"},
    [L_QUEUE] = {"queue", false, "packets waiting"},
    [L_QUEUE_TIME] = {"queue-time", false, "s that a packet arriving now would wait"},
    [L_QUEUE_MAX] = {"queue-max", false, "packets, most that ever waited"},
};

static double link_value(const struct world *w, const struct measure *g)
{
    /* object: twice the link's number, and 1 for the direction from its second host */
    const struct emu *e = &w->sim->link[g->object / 2].dir[g->object % 2];
    w_ns now = w->sim->now;
    if (g->id < EMU_N_COUNTERS)
        return (double)e->count[g->id];
    switch (g->id) {
    case L_QUEUE: return e->n_queued;
    case L_QUEUE_TIME:
        return e->conf.rate_bps == 0 ? 0 : (e->busy > now ? (double)(e->busy - now) / 1e9 : 0);
    default: return e->queued_max;
    }
}

/* ---- names ---- */

static const struct {
    const char *kind;
    const struct name *names;
    unsigned n;
} kinds[] = {
    [MEASURE_FLOW] = {"flow", flow_names, WEIR_COUNT(flow_names)},
    [MEASURE_HOST] = {"host", host_names, WEIR_COUNT(host_names)},
    [MEASURE_NIC] = {"nic", nic_names, WEIR_COUNT(nic_names)},
    [MEASURE_QDISC] = {"qdisc", qdisc_names, WEIR_COUNT(qdisc_names)},
    [MEASURE_LINK] = {"link", link_names, WEIR_COUNT(link_names)},
};

double measure_read(const struct world *w, const struct measure *g)
{
    switch (g->of) {
    case MEASURE_FLOW: return flow_value(w, g);
    case MEASURE_HOST: return host_value(w, g);
    case MEASURE_NIC: return nic_value(w, g);
    case MEASURE_QDISC: return qdisc_value(w, g);
    default: return link_value(w, g);
    }
}

/* The object that the words behind the kind name. False: there is none. */
static bool find_object(const struct setup *u, struct measure *g, const char *name)
{
    if (g->of == MEASURE_FLOW) {
        g->object = name[0] == '\0' ? -1 : setup_flow_named(u, name);
        return name[0] == '\0' || g->object >= 0;
    }
    if (g->of == MEASURE_LINK) {
        int l = setup_link_named(u, name);
        size_t n = l < 0 ? 0 : strlen(u->host[u->link[l].a].name);
        bool is_forth =
            l >= 0 && strncmp(name, u->host[u->link[l].a].name, n) == 0 && name[n] == ' ';
        g->object = 2 * l + !is_forth;
        return l >= 0 && !u->link[l].is_cable;
    }
    g->object = setup_host_named(u, name);
    bool has_nic = false;
    for (unsigned i = 0; g->object >= 0 && i < u->n_link; i++)
        has_nic |= u->link[i].is_cable &&
                   (u->link[i].a == (unsigned)g->object || u->link[i].b == (unsigned)g->object);
    return g->object >= 0 && (g->of != MEASURE_NIC || has_nic);
}

static bool find_stat(struct measure *g, const char *name)
{
    for (unsigned i = 0; i < VNIC_STATS; i++) {
        if (strcmp(vnic_stat_name(i), name) != 0)
            continue;
        g->id = i;
        g->is_counter = true;
        return true;
    }
    return false;
}

/* A counter of the stack, or a drop by name: a probe stack is not needed, the lists are. */
static bool find_counter(struct measure *g, const char *name)
{
    static const char *const known[] = {
#define X(n, text) #n,
#include "pkt/stat.def"
#undef X
#define X(n, text) "drop." #n,
#include "pkt/drop.def"
#undef X
    };
    for (unsigned i = 0; i < WEIR_COUNT(known); i++) {
        if (strcmp(known[i], name) != 0)
            continue;
        g->id = H_COUNTER;
        g->is_counter = true;
        /* The stack has its reasons to drop without the word. */
        text_copy(g->counter, sizeof(g->counter), name + (name[4] == '.' ? 5 : 0));
        return true;
    }
    return false;
}

static bool find_name(struct measure *g, const char *name)
{
    if (g->of == MEASURE_NIC && find_stat(g, name))
        return true;
    for (unsigned i = 0; i < kinds[g->of].n; i++) {
        const struct name *n = &kinds[g->of].names[i];
        if (n->name == NULL || strcmp(n->name, name) != 0)
            continue;
        g->id = g->of == MEASURE_NIC ? VNIC_STATS + i : i;
        g->is_counter = n->is_counter;
        return true;
    }
    return g->of == MEASURE_HOST && find_counter(g, name);
}

int measure_parse(const struct setup *u, const char *text, struct measure *g, char err[TEXT_ERR])
{
    static const char *const hows[] = {[MEASURE_MEAN] = "mean",
                                       [MEASURE_MAX] = "max",
                                       [MEASURE_MIN] = "min",
                                       [MEASURE_RATE] = "rate"};
    char object[MEASURE_TEXT];
    const char *rest = text, *dot;
    bool is_found = false;
    *g = (struct measure){.how = MEASURE_PLAIN};
    text_copy(g->text, sizeof(g->text), text);
    for (uint8_t i = MEASURE_MEAN; i <= MEASURE_RATE; i++) {
        if (!text_is_kind(text, hows[i], &rest))
            continue;
        g->how = i;
        text = rest;
        break;
    }
    dot = strchr(text, '.');
    if (strlen(text) >= sizeof(object) || dot == NULL) {
        (void)snprintf(err, TEXT_ERR,
                       "%.60s: expected a measure such as flow.goodput (--list has all)", text);
        return -EINVAL;
    }
    (void)snprintf(object, sizeof(object), "%.*s", (int)(dot - text), text);
    for (uint8_t k = 0; k < WEIR_COUNT(kinds) && !is_found; k++) {
        is_found = text_is_kind(object, kinds[k].kind, &rest);
        g->of = k;
    }
    if (!is_found || !find_object(u, g, rest)) {
        (void)snprintf(err, TEXT_ERR,
                       "%.60s: expected flow [NAME], host NAME, nic HOST, qdisc HOST or link A B, "
                       "which the file has",
                       object);
        return -EINVAL;
    }
    if (!find_name(g, dot + 1)) {
        (void)snprintf(err, TEXT_ERR, "there is no %s.%.40s (--list has all)", kinds[g->of].kind,
                       dot + 1);
        return -EINVAL;
    }
    if (g->of == MEASURE_FLOW && g->id == F_GOODPUT)
        g->how = MEASURE_RATE;
    return 0;
}

void measure_list(FILE *f)
{
    fprintf(f, "\nMEASURES: [mean|max|min|rate] OBJECT.NAME\n");
    for (unsigned k = 0; k < WEIR_COUNT(kinds); k++) {
        fprintf(f, "\n%s%s\n", kinds[k].kind,
                k == MEASURE_FLOW   ? " [NAME]"
                : k == MEASURE_LINK ? " A B: from A to B"
                                    : " HOST");
        for (unsigned i = 0; k == MEASURE_NIC && i < VNIC_QUEUE_STATS; i++)
            fprintf(f, "  %s\n", vnic_stat_name(i));
        for (unsigned i = 0; k == MEASURE_NIC && i < VNIC_PER_QUEUE; i++)
            fprintf(f, "  %s, and of queues 1 to %d\n", vnic_stat_name(VNIC_QUEUE_STATS + i),
                    NIC_QUEUES_MAX - 1);
        for (unsigned i = 0; i < kinds[k].n; i++)
            if (kinds[k].names[i].name != NULL)
                fprintf(f, "  %-16s %s\n", kinds[k].names[i].name, kinds[k].names[i].text);
        if (k == MEASURE_HOST)
            fprintf(f, "  any counter of `weir ss -c`, such as TcpRetransSegs or drop.UDP_FULL\n");
    }
}

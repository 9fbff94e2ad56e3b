/* SPDX-License-Identifier: Apache-2.0
 *
 * From settings to a setup: which keys each section has, and what they mean.
 *
 * Decides the file's vocabulary. Where ethtool, tc or `weir link` have a word, it is theirs. A
 * section's keys are rows of a table: name, kind of value, where it goes, what it says. The keys of
 * [host …] are weir's settings besides, those of [link …] netem's words.
 *
 * Two passes: sections first, so that hosts may be named before they are described; then settings
 * in the file's order, those for all hosts before those for one, and the sweep's at last.
 *
 * Nothing pretends: a key that the model does not know is an error, and one that ethtool has but
 * this NIC does not is refused with a sentence of its own.
 *
 * Owns nothing. Called by plan.c for each point of a sweep; calls dev/emu's parser, vnic's words.
 */
#include "exper/setup.h"

#include "aqm/aqm.h"
#include "cc/cc.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Where a value goes: 4 or 8 bytes, a flag, or a text of so many bytes. */
enum place { P_U32, P_U64, P_FLAG, P_TEXT };

struct key {
    const char *name;
    enum text_kind kind;
    enum place place;
    size_t at;
    uint64_t min, max;
    const char *text; /* what it says, for --list */
};

#define NUMBER(s, f) sizeof(((struct s *)0)->f) == 8 ? P_U64 : P_U32, offsetof(struct s, f)
#define FLAG(s, f)   P_FLAG, offsetof(struct s, f)

static const struct key keys_experiment[] = {
    {"time", TEXT_TIME, NUMBER(setup, took), W_MS, 3600 * W_S, "how long a run is measured"},
    {"warm", TEXT_TIME, NUMBER(setup, warm), 0, 3600 * W_S, "how long it runs before that"},
    {"sample", TEXT_TIME, NUMBER(setup, sample), 1000, 3600 * W_S,
     "how often what changes is looked at (a 500th of time)"},
    {"seed", TEXT_COUNT, NUMBER(setup, seed), 0, UINT32_MAX, "of the first run (1)"},
    {"repeat", TEXT_COUNT, NUMBER(setup, repeat), 1, 100, "runs of each point, a seed each (1)"},
};
static const struct key keys_host[] = {
    {"packet-time", TEXT_TIME, NUMBER(setup_host, packet_ns), 0, W_S,
     "what a received frame costs the host"},
    {"irq-time", TEXT_TIME, NUMBER(setup_host, irq_ns), 0, W_S, "what an interrupt costs it"},
};
static const struct key keys_qdisc[] = {
    {"limit", TEXT_COUNT, NUMBER(weir_qdisc, limit), 1, 4096, "packets"},
    {"mark_at", TEXT_COUNT, NUMBER(weir_qdisc, mark_at), 1, 4096, "mark: packets waiting"},
    {"flow_limit", TEXT_COUNT, NUMBER(weir_qdisc, flow_limit), 1, 4096, "fq: packets of a flow"},
    {"quantum", TEXT_SIZE, NUMBER(weir_qdisc, quantum), 1, 1 << 20, "fq, fq_codel: a turn"},
    {"target", TEXT_TIME, NUMBER(weir_qdisc, target_us), 1000, 60 * W_S, "codel: no delay yet"},
    {"interval", TEXT_TIME, NUMBER(weir_qdisc, interval_us), 1000, 60 * W_S, "codel: for so long"},
    {"burst", TEXT_SIZE, NUMBER(weir_qdisc, burst_bytes), 1514, 1 << 30, "tbf: at once"},
    {"rate", TEXT_RATE, NUMBER(weir_qdisc, rate_Bps), 1000, 1000000000000, "tbf"},
};
static const struct key keys_nic[] = {
    {"rx-ring", TEXT_COUNT, NUMBER(vnic_conf, rx_ring), NIC_RING_MIN, 1024,
     "entries, a power of two (ethtool -G rx; 256)"},
    {"tx-ring", TEXT_COUNT, NUMBER(vnic_conf, tx_ring), NIC_RING_MIN, 1024, "… (ethtool -G tx)"},
    {"combined", TEXT_COUNT, NUMBER(vnic_conf, n_queues), 1, NIC_QUEUES_MAX,
     "pairs of queues, over which RSS spreads flows (ethtool -L; 1)"},
    {"adaptive-rx", TEXT_BOOL, FLAG(vnic_conf, is_adaptive), 0, 1,
     "rx-usecs and rx-frames follow the load (ethtool -C; off)"},
    {"rx-usecs", TEXT_USECS, NUMBER(vnic_conf, rx_ns), 0, W_S,
     "an interrupt waits so long after a frame (ethtool -C)"},
    {"rx-frames", TEXT_COUNT, NUMBER(vnic_conf, rx_frames), 0, 4096, "… or for so many frames"},
    {"tx-usecs", TEXT_USECS, NUMBER(vnic_conf, tx_ns), 0, W_S, "the same of frames sent"},
    {"tx-frames", TEXT_COUNT, NUMBER(vnic_conf, tx_frames), 0, 4096, "…"},
    {"pause-rx", TEXT_BOOL, FLAG(vnic_conf, has_pause_rx), 0, 1, "obeys PAUSE (ethtool -A; off)"},
    {"pause-tx", TEXT_BOOL, FLAG(vnic_conf, has_pause_tx), 0, 1, "sends PAUSE"},
    {"rx-drop", TEXT_BOOL, FLAG(vnic_conf, is_dropping), 0, 1,
     "without a buffer a frame is dropped at once, not kept in the FIFO"},
};
/* Bits of vnic_conf.offloads, each set or cleared; what an offload needs comes before it. */
static const struct offload {
    const char *name;
    uint32_t bits, needs;
    const char *text;
} keys_offload[] = {
    {"tx-checksum", NETDEV_TX_CSUM, 0, "the NIC completes checksums (ethtool -K; off)"},
    {"rx-checksum", NETDEV_RX_CSUM, 0, "the NIC verifies them"},
    {"tso", (uint32_t)NETDEV_TSO4 | (uint32_t)NETDEV_TSO6, NETDEV_TX_CSUM,
     "the NIC cuts super-segments; needs tx-checksum"},
    {"lro", (uint32_t)NETDEV_LRO | (uint32_t)NETDEV_LRO6, NETDEV_RX_CSUM,
     "the NIC merges received segments; needs rx-checksum"},
};
static const struct {
    const char *name, *why;
} keys_missing[] = {
    {"adaptive-tx", "only the coalescing of received frames adapts itself"},
    {"rx", "a queue receives and sends: expected combined"},
    {"tx", "a queue receives and sends: expected combined"},
    {"rx-jumbo", "there is one receive ring"},
    {"rx-mini", "there is one receive ring"},
};
static const struct key keys_cable[] = {
    {"rate", TEXT_RATE, NUMBER(setup_link, nic.rate_bps), 10000000, 100000000000,
     "of the line (1gbit)"},
    {"delay", TEXT_TIME, NUMBER(setup_link, cable.delay_ns), 0, W_S, "from end to end (500ns)"},
    {"corrupt", TEXT_PERCENT, NUMBER(setup_link, cable.corrupt_ppm), 0, 1000000, "one bit"},
    {"cut", TEXT_PERCENT, NUMBER(setup_link, cable.cut_ppm), 0, 1000000, "frames cut short"},
    {"babble", TEXT_PERCENT, NUMBER(setup_link, cable.babble_ppm), 0, 1000000, "… far too long"},
    {"tx-fifo", TEXT_SIZE, NUMBER(setup_link, nic.tx_fifo), 4096, 16 << 20,
     "the NICs' packet memory (64kb)"},
    {"rx-fifo", TEXT_SIZE, NUMBER(setup_link, nic.rx_fifo), 4096, 16 << 20, "(128kb)"},
    {"dma-latency", TEXT_TIME, NUMBER(setup_link, nic.dma_latency_ns), 0, W_MS, "(800ns)"},
    {"dma-rate", TEXT_RATE, NUMBER(setup_link, nic.dma_bps), 0, 1000000000000, "0: no limit"},
    {"room", TEXT_SIZE, NUMBER(setup_link, cable.room), 4096, 64 << 20,
     "bytes that fit on the cable (256kb)"},
    {"mtu", TEXT_COUNT, NUMBER(setup_link, mtu), 576, 9000, "of the interfaces (1500)"},
};
static const char *const words_link[] = {"rate", "delay",   "jitter",  "limit",
                                         "loss", "corrupt", "reorder", "duplicate",
                                         "cut",  "ecn",     "mtu",     "aqm"};
static const struct key keys_flow[] = {
    {"count", TEXT_COUNT, NUMBER(setup_flow, count), 0, 64, "as many at once (1)"},
    {"start", TEXT_TIME, NUMBER(setup_flow, start), 0, 3600 * W_S, ""},
    {"stop", TEXT_TIME, NUMBER(setup_flow, stop), 0, 3600 * W_S, "(at the end)"},
    {"bytes", TEXT_SIZE, NUMBER(setup_flow, bytes), 0, UINT64_MAX, "bulk: then it closes (no end)"},
    {"write", TEXT_SIZE, NUMBER(setup_flow, write_bytes), 1, 65536, "bytes a write (16kb)"},
    {"write-every", TEXT_TIME, NUMBER(setup_flow, write_every), 0, W_S * 60, "a paced writer"},
    {"read", TEXT_SIZE, NUMBER(setup_flow, read_bytes), 1, 65536, "bytes a read (64kb)"},
    {"read-every", TEXT_TIME, NUMBER(setup_flow, read_every), 0, W_S * 60, "a slow reader"},
    {"read-stop", TEXT_TIME, NUMBER(setup_flow, read_stop), 0, 3600 * W_S, "reads no more then, …"},
    {"read-stop-for", TEXT_TIME, NUMBER(setup_flow, read_stop_for), 0, 3600 * W_S, "… for so long"},
    {"sndbuf", TEXT_SIZE, NUMBER(setup_flow, sndbuf), 0, 1 << 30, "SO_SNDBUF"},
    {"rcvbuf", TEXT_SIZE, NUMBER(setup_flow, rcvbuf), 0, 1 << 30, "SO_RCVBUF"},
    {"nodelay", TEXT_BOOL, NUMBER(setup_flow, nodelay), 0, 1, "TCP_NODELAY"},
    {"request", TEXT_SIZE, NUMBER(setup_flow, request), 1, 1 << 20, "rr: bytes there (64)"},
    {"response", TEXT_SIZE, NUMBER(setup_flow, response), 1, 1 << 20, "rr: bytes back (64)"},
    {"requests", TEXT_COUNT, NUMBER(setup_flow, requests), 0, UINT32_MAX, "rr: (no end)"},
    {"every", TEXT_TIME, NUMBER(setup_flow, every), 0, W_S * 60,
     "rr, udp: from one's start to the next one's (at once)"},
    {"datagram", TEXT_SIZE, NUMBER(setup_flow, datagram), 16, 65507, "udp: bytes (1472)"},
    {"burst", TEXT_COUNT, NUMBER(setup_flow, burst), 1, 100000, "udp: datagrams at once (1)"},
    {"bursts", TEXT_COUNT, NUMBER(setup_flow, bursts), 0, UINT32_MAX, "udp: (no end)"},
    {"ipv6", TEXT_BOOL, NUMBER(setup_flow, ipv6), 0, 1, "by the hosts' IPv6 addresses"},
};
static const char *const kind_names[] = {"bulk", "rr", "udp"};

/* ---- writing a value ---- */

static void put(const struct key *k, void *base, uint64_t v)
{
    char *at = (char *)base + k->at;
    uint32_t v32 = (uint32_t)v;
    bool is_on = v != 0;
    switch (k->place) {
    case P_U32: memcpy(at, &v32, sizeof(v32)); break;
    case P_U64: memcpy(at, &v, sizeof(v)); break;
    case P_FLAG: memcpy(at, &is_on, sizeof(is_on)); break;
    case P_TEXT: break;
    }
}

static const struct key *find(const struct key *v, unsigned n, const char *name)
{
    for (unsigned i = 0; i < n; i++)
        if (strcmp(v[i].name, name) == 0)
            return &v[i];
    return NULL;
}

/* Sets a value by a table. 0, -EINVAL, or 1: the table has no such key. */
static int set_by(struct text *t, const struct text_set *s, const struct key *v, unsigned n,
                  void *base)
{
    const struct key *k = find(v, n, s->key);
    uint64_t value;
    if (k == NULL)
        return 1;
    if (text_value(k->kind, s->value, &value) < 0)
        return text_complain(t, s->line, "%s = %.60s: expected %s", s->key, s->value,
                             text_expected(k->kind));
    if (value < k->min || value > k->max)
        return text_complain(t, s->line, "%s = %.60s: expected a value from %llu to %llu%s", s->key,
                             s->value, (unsigned long long)k->min, (unsigned long long)k->max,
                             k->kind == TEXT_TIME ? " ns" : "");
    put(k, base, value);
    return 0;
}

/* Names of a table behind each other, for messages. */
static const char *names_of(const struct key *v, unsigned n, char *out, size_t room)
{
    size_t used = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < n && used + 20 < room; i++)
        used += (size_t)snprintf(out + used, room - used, "%s%s", i == 0 ? "" : ", ", v[i].name);
    return out;
}

static int unknown_key(struct text *t, const struct text_set *s, const char *expected)
{
    return text_complain(t, s->line, "[%s] has no key %s: expected one of %s", s->section, s->key,
                         expected);
}

/* ---- sections ---- */

int setup_host_named(const struct setup *u, const char *name)
{
    for (unsigned i = 0; i < u->n_host; i++)
        if (strcmp(u->host[i].name, name) == 0)
            return (int)i;
    return -1;
}

int setup_flow_named(const struct setup *u, const char *name)
{
    for (unsigned i = 0; i < u->n_flow; i++)
        if (strcmp(u->flow[i].name, name) == 0)
            return (int)i;
    return -1;
}

/* Two words. */
static bool two_names(const char *text, char a[TEXT_NAME], char b[TEXT_NAME])
{
    const char *space = strchr(text, ' ');
    if (space == NULL || space == text || space[1] == '\0' || strchr(space + 1, ' ') != NULL)
        return false;
    (void)snprintf(a, TEXT_NAME, "%.*s", (int)(space - text), text);
    text_copy(b, TEXT_NAME, space + 1);
    return true;
}

/* `way`: 0 as the link was named, 1 the other way round. */
static int link_between(const struct setup *u, const char *ends, unsigned *way)
{
    char a[TEXT_NAME], b[TEXT_NAME];
    if (!two_names(ends, a, b))
        return -1;
    int i = setup_host_named(u, a), k = setup_host_named(u, b);
    for (unsigned n = 0; i >= 0 && k >= 0 && n < u->n_link; n++) {
        const struct setup_link *l = &u->link[n];
        *way = l->a != (unsigned)i;
        if ((l->a == (unsigned)i && l->b == (unsigned)k) ||
            (l->a == (unsigned)k && l->b == (unsigned)i))
            return (int)n;
    }
    return -1;
}

int setup_link_named(const struct setup *u, const char *ends)
{
    unsigned way;
    return link_between(u, ends, &way);
}

static void host_defaults(struct setup_host *h, const char *name)
{
    *h = (struct setup_host){.has_qdisc = false};
    text_copy(h->name, sizeof(h->name), name);
    weir_conf_default(&h->conf);
    h->conf.tcp_no_metrics_save = 1; /* one flow is no news to the next */
    h->conf.n_tcb = h->conf.n_sock = h->conf.n_udp = 512;
    h->conf.n_tw = h->conf.n_syn = 256;
    h->nic = (struct vnic_conf){.n_queues = 1, .tx_ring = 256, .rx_ring = 256};
}

static int host_of(struct text *t, struct setup *u, const char *name, unsigned line)
{
    int i = setup_host_named(u, name);
    if (i >= 0)
        return i;
    if (u->n_host == SETUP_HOSTS)
        return text_complain(t, line, "more than %d hosts", SETUP_HOSTS);
    host_defaults(&u->host[u->n_host], name);
    return (int)u->n_host++;
}

static int add_link(struct text *t, struct setup *u, const struct text_section *s, const char *ends,
                    bool is_cable)
{
    char a[TEXT_NAME], b[TEXT_NAME];
    if (!two_names(ends, a, b) || strcmp(a, b) == 0)
        return text_complain(t, s->line, "[%s]: expected the names of two hosts, such as [%s a b]",
                             s->name, is_cable ? "cable" : "link");
    int i = host_of(t, u, a, s->line), k = host_of(t, u, b, s->line);
    if (i < 0 || k < 0)
        return -EINVAL;
    if (setup_link_named(u, ends) >= 0)
        return text_complain(t, s->line, "[%s]: these hosts are joined already", s->name);
    if (u->n_link == SETUP_LINKS)
        return text_complain(t, s->line, "more than %d links", SETUP_LINKS);
    u->link[u->n_link++] = (struct setup_link){
        .a = (unsigned)i,
        .b = (unsigned)k,
        .is_cable = is_cable,
        .line = s->line,
        .mtu = 1500,
        .nic = {.rate_bps = 1000000000,
                .features = (uint32_t)NIC_F_TX_CSUM | (uint32_t)NIC_F_RX_CSUM |
                            (uint32_t)NIC_F_TSO | (uint32_t)NIC_F_LRO | (uint32_t)NIC_F_RSS |
                            (uint32_t)NIC_F_PAUSE,
                .dma_latency_ns = 800},
        .cable = {.delay_ns = 500},
    };
    return 0;
}

static int add_flow(struct text *t, struct setup *u, const struct text_section *s, const char *name)
{
    if (name[0] == '\0' || strchr(name, ' ') != NULL)
        return text_complain(t, s->line, "[%s]: expected a name of one word, such as [flow one]",
                             s->name);
    if (u->n_flow == SETUP_FLOWS)
        return text_complain(t, s->line, "more than %d flows", SETUP_FLOWS);
    struct setup_flow *f = &u->flow[u->n_flow++];
    *f = (struct setup_flow){.line = s->line, .count = 1, .request = 64, .response = 64};
    f->write_bytes = 16384;
    f->read_bytes = 65536;
    f->datagram = 1472;
    f->burst = 1;
    text_copy(f->name, sizeof(f->name), name);
    return 0;
}

static const char *const sections[] = {"experiment", "hosts", "host", "qdisc", "nic",
                                       "cable",      "link",  "way",  "flow"};

bool setup_has_section(const char *section)
{
    const char *rest;
    for (unsigned i = 0; i < WEIR_COUNT(sections); i++)
        if (text_is_kind(section, sections[i], &rest))
            return true;
    return false;
}

static int make_section(struct text *t, struct setup *u, const struct text_section *s)
{
    const char *rest;
    if (text_is_kind(s->name, "cable", &rest))
        return add_link(t, u, s, rest, true);
    if (text_is_kind(s->name, "link", &rest))
        return add_link(t, u, s, rest, false);
    if (text_is_kind(s->name, "flow", &rest))
        return add_flow(t, u, s, rest);
    if (text_is_kind(s->name, "host", &rest)) {
        if (rest[0] == '\0' || strchr(rest, ' ') != NULL)
            return text_complain(t, s->line,
                                 "[%s]: expected a name of one word, or [hosts] for all", s->name);
        return host_of(t, u, rest, s->line) < 0 ? -EINVAL : 0;
    }
    return 0;
}

/* ---- the settings of each section ---- */

static int set_experiment(struct text *t, struct setup *u, const struct text_set *s)
{
    char names[200];
    if (strcmp(s->key, "title") == 0 || strcmp(s->key, "about") == 0) {
        (void)snprintf(s->key[0] == 't' ? u->title : u->about, TEXT_VALUE, "%s", s->value);
        return 0;
    }
    int r = set_by(t, s, keys_experiment, WEIR_COUNT(keys_experiment), u);
    if (r <= 0)
        return r;
    char all[240];
    (void)snprintf(all, sizeof(all), "title, about, %s",
                   names_of(keys_experiment, WEIR_COUNT(keys_experiment), names, sizeof(names)));
    return unknown_key(t, s, all);
}

/* weir's own settings; two of them have names for their values. */
static int set_conf(struct text *t, struct setup_host *h, const struct text_set *s)
{
    char number[16];
    const char *value = s->value;
    int named = -1;
    if (strcmp(s->key, "tcp_congestion_control") == 0)
        named = cc_find(s->value, strlen(s->value));
    if (strcmp(s->key, "qdisc") == 0)
        named = aqm_kind_named(s->value, (uint32_t)strlen(s->value));
    if (named >= 0) {
        (void)snprintf(number, sizeof(number), "%d", named);
        value = number;
    }
    int r = weir_conf_set(&h->conf, s->key, value);
    if (r == 0)
        return 0;
    if (r == -ENOENT)
        return unknown_key(t, s,
                           "packet-time, irq-time and weir's settings (tcp_…, txqueuelen, …)");
    const struct weir_setting *x;
    for (unsigned i = 0; (x = weir_conf_setting(i)) != NULL; i++)
        if (strcmp(x->name, s->key) == 0)
            return text_complain(t, s->line, "%s = %.60s: expected a number from %u to %u (%s)",
                                 s->key, s->value, x->min, x->max, x->doc);
    return -EINVAL;
}

static int set_host(struct text *t, struct setup_host *h, const struct text_set *s)
{
    int r = set_by(t, s, keys_host, WEIR_COUNT(keys_host), h);
    if (r <= 0) {
        h->has_cost |= h->packet_ns != 0 || h->irq_ns != 0;
        h->cost_line = s->line;
        return r;
    }
    return set_conf(t, h, s);
}

static int set_qdisc(struct text *t, struct setup_host *h, const struct text_set *s)
{
    char names[200], all[220];
    h->has_qdisc = true;
    if (strcmp(s->key, "kind") == 0) {
        if (strlen(s->value) >= sizeof(h->qdisc.kind) ||
            aqm_kind_named(s->value, (uint32_t)strlen(s->value)) < 0)
            return text_complain(t, s->line,
                                 "kind = %.40s: expected fifo, prio, mark, fq, codel, fq_codel or "
                                 "tbf",
                                 s->value);
        text_copy(h->qdisc.kind, sizeof(h->qdisc.kind), s->value);
        return 0;
    }
    int r = set_by(t, s, keys_qdisc, WEIR_COUNT(keys_qdisc), &h->qdisc);
    if (r == 0 && strcmp(s->key, "target") == 0)
        h->qdisc.target_us /= 1000;
    if (r == 0 && strcmp(s->key, "interval") == 0)
        h->qdisc.interval_us /= 1000;
    if (r == 0 && strcmp(s->key, "rate") == 0)
        h->qdisc.rate_Bps /= 8;
    if (r <= 0)
        return r;
    (void)snprintf(all, sizeof(all), "kind, %s",
                   names_of(keys_qdisc, WEIR_COUNT(keys_qdisc), names, sizeof(names)));
    return unknown_key(t, s, all);
}

static int set_offload(struct text *t, struct setup_host *h, const struct text_set *s)
{
    uint64_t is_on;
    for (unsigned i = 0; i < WEIR_COUNT(keys_offload); i++) {
        if (strcmp(keys_offload[i].name, s->key) != 0)
            continue;
        if (text_value(TEXT_BOOL, s->value, &is_on) < 0)
            return text_complain(t, s->line, "%s = %.60s: expected on or off", s->key, s->value);
        h->nic.offloads &= ~keys_offload[i].bits;
        h->nic.offloads |= is_on != 0 ? keys_offload[i].bits : 0;
        h->offload_line = s->line;
        return 0;
    }
    return 1;
}

static int set_nic(struct text *t, struct setup_host *h, const struct text_set *s)
{
    char names[200], all[260];
    int r = set_by(t, s, keys_nic, WEIR_COUNT(keys_nic), &h->nic);
    if (r > 0)
        r = set_offload(t, h, s);
    if (r == 0 && strstr(s->key, "-ring") != NULL) {
        uint32_t n = s->key[0] == 'r' ? h->nic.rx_ring : h->nic.tx_ring;
        if ((n & (n - 1)) != 0)
            return text_complain(t, s->line, "%s = %s: expected a power of two", s->key, s->value);
    }
    for (unsigned i = 0; r > 0 && i < WEIR_COUNT(keys_missing); i++)
        if (strcmp(keys_missing[i].name, s->key) == 0)
            return text_complain(t, s->line, "%s cannot be set: %s", s->key, keys_missing[i].why);
    if (r <= 0)
        return r;
    (void)snprintf(all, sizeof(all), "%s, tx-checksum, rx-checksum, tso, lro",
                   names_of(keys_nic, WEIR_COUNT(keys_nic), names, sizeof(names)));
    return unknown_key(t, s, all);
}

/* One word of netem's language, tried alone first so that the line is known; `rate` makes those
 * legal that need one. */
static int set_word(struct text *t, struct setup_link *l, const struct text_set *s, unsigned ways)
{
    char err[EMU_ERR_TEXT], alone[SETUP_WORDS], all[160] = "";
    struct emu_conf probe;
    bool is_known = false;
    for (unsigned i = 0; i < WEIR_COUNT(words_link); i++) {
        size_t n = strlen(all);
        is_known |= strcmp(words_link[i], s->key) == 0;
        (void)snprintf(all + n, sizeof(all) - n, "%s%s", i == 0 ? "" : ", ", words_link[i]);
    }
    if (!is_known)
        return unknown_key(t, s, all);
    bool is_off = strcmp(s->value, "none") == 0;
    (void)snprintf(alone, sizeof(alone), "%s%s %.300s",
                   strcmp(s->key, "rate") == 0 ? "" : "rate 1gbit ", s->key, s->value);
    if (!is_off && emu_parse(alone, &probe, err) < 0)
        return text_complain(t, s->line, "%s", err);
    for (unsigned w = 0; w < 2; w++) {
        if ((ways & 1u << w) == 0)
            continue;
        /* The key again, by a sweep or for one direction: the later value counts. */
        char *words = l->words[w], key[TEXT_NAME + 4], *old;
        (void)snprintf(key, sizeof(key), "|%s ", s->key);
        old = strstr(words, key);
        if (old != NULL) {
            char *end = strchr(old + 1, '|');
            memmove(old, end != NULL ? end : old + strlen(old), end != NULL ? strlen(end) + 1 : 1);
        }
        size_t n = strlen(words);
        if (!is_off && n + strlen(s->key) + strlen(s->value) + 3 >= SETUP_WORDS)
            return text_complain(t, s->line, "too many conditions for one link");
        if (!is_off)
            (void)snprintf(words + n, SETUP_WORDS - n, "|%s %s", s->key, s->value);
    }
    return 0;
}

static int set_cable(struct text *t, struct setup_link *l, const struct text_set *s)
{
    char names[200];
    int r = set_by(t, s, keys_cable, WEIR_COUNT(keys_cable), l);
    return r <= 0 ? r
                  : unknown_key(t, s,
                                names_of(keys_cable, WEIR_COUNT(keys_cable), names, sizeof(names)));
}

static int set_flow_end(struct text *t, struct setup *u, struct setup_flow *f,
                        const struct text_set *s)
{
    int h = setup_host_named(u, s->value);
    if (h < 0)
        return text_complain(t, s->line, "%s = %.40s: expected the name of a host", s->key,
                             s->value);
    bool is_from = s->key[0] == 'f';
    *(is_from ? &f->from : &f->to) = (uint32_t)h;
    *(is_from ? &f->has_from : &f->has_to) = true;
    return 0;
}

static int set_flow(struct text *t, struct setup *u, struct setup_flow *f, const struct text_set *s)
{
    char names[260], all[300];
    if (strcmp(s->key, "from") == 0 || strcmp(s->key, "to") == 0)
        return set_flow_end(t, u, f, s);
    if (strcmp(s->key, "kind") == 0) {
        for (uint32_t k = 0; k < WEIR_COUNT(kind_names); k++) {
            if (strcmp(kind_names[k], s->value) != 0)
                continue;
            f->kind = k;
            return 0;
        }
        return text_complain(t, s->line, "kind = %.40s: expected bulk, rr or udp", s->value);
    }
    if (strcmp(s->key, "cc") == 0) {
        if (strlen(s->value) >= sizeof(f->cc) || cc_find(s->value, strlen(s->value)) < 0)
            return text_complain(t, s->line,
                                 "cc = %.40s: expected reno, cubic, vegas, westwood, bic, dctcp, "
                                 "bbr, ledbat or bbr1",
                                 s->value);
        text_copy(f->cc, sizeof(f->cc), s->value);
        return 0;
    }
    int r = set_by(t, s, keys_flow, WEIR_COUNT(keys_flow), f);
    if (r <= 0)
        return r;
    (void)snprintf(all, sizeof(all), "kind, from, to, cc, %s",
                   names_of(keys_flow, WEIR_COUNT(keys_flow), names, sizeof(names)));
    return unknown_key(t, s, all);
}

/* ---- which section a setting is of ---- */

typedef int (*host_setter)(struct text *, struct setup_host *, const struct text_set *);

/* Of all hosts, or of the one that is named. */
static int for_hosts(struct text *t, struct setup *u, const struct text_set *s, const char *name,
                     host_setter set)
{
    int r = 0;
    for (unsigned i = 0; name[0] == '\0' && r == 0 && i < u->n_host; i++)
        r = set(t, &u->host[i], s);
    if (name[0] == '\0')
        return r;
    int h = setup_host_named(u, name);
    if (h < 0)
        return text_complain(t, s->line, "[%s]: there is no host %s", s->section, name);
    if (set == set_nic) {
        u->host[h].has_nic = true;
        u->host[h].nic_line = s->line;
    }
    return set(t, &u->host[h], s);
}

static int set_link_part(struct text *t, struct setup *u, const struct text_set *s,
                         const char *ends)
{
    unsigned way = 0;
    int n = link_between(u, ends, &way);
    if (n < 0)
        return text_complain(t, s->line, "[%s]: there is no link between these", s->section);
    struct setup_link *l = &u->link[n];
    if (s->section[0] == 'c')
        return set_cable(t, l, s);
    if (l->is_cable)
        return text_complain(t, s->line, "[%s]: between these is a cable", s->section);
    return set_word(t, l, s, s->section[0] == 'w' ? 1u << way : 3u);
}

static int set_one(struct text *t, struct setup *u, const struct text_set *s)
{
    const char *rest;
    if (text_is_kind(s->section, "experiment", &rest))
        return set_experiment(t, u, s);
    if (text_is_kind(s->section, "hosts", &rest))
        return for_hosts(t, u, s, "", set_host);
    if (text_is_kind(s->section, "host", &rest))
        return for_hosts(t, u, s, rest, set_host);
    if (text_is_kind(s->section, "qdisc", &rest))
        return for_hosts(t, u, s, rest, set_qdisc);
    if (text_is_kind(s->section, "nic", &rest))
        return for_hosts(t, u, s, rest, set_nic);
    if (text_is_kind(s->section, "flow", &rest)) {
        int f = setup_flow_named(u, rest);
        return f < 0 ? text_complain(t, s->line, "there is no [%s]", s->section)
                     : set_flow(t, u, &u->flow[f], s);
    }
    if (text_is_kind(s->section, "cable", &rest) || text_is_kind(s->section, "link", &rest) ||
        text_is_kind(s->section, "way", &rest))
        return set_link_part(t, u, s, rest);
    return text_complain(t, s->line, "[%s] is no section of a setup", s->section);
}

/* Whether a section is about all hosts: those come first, so that one host's own win. */
static bool is_general(const char *section)
{
    return strcmp(section, "hosts") == 0 || strcmp(section, "nic") == 0 ||
           strcmp(section, "qdisc") == 0;
}

/* ---- what has to fit together ---- */

/* What is on its way fits into the cable's memory: a frame lost there would have no name. */
static int check_cable(struct text *t, const struct setup_link *l)
{
    uint64_t room = l->cable.room != 0 ? l->cable.room : 256 * 1024;
    uint64_t frames = l->nic.rate_bps / 1000 * l->cable.delay_ns / 1000000 / (84 * 8);
    if (l->nic.rate_bps / 8000 * l->cable.delay_ns / 1000000 + 65536 <= room && frames < 500)
        return 0;
    return text_complain(t, l->line,
                         "this cable is too long for its rate: expected a larger room, or a [link] "
                         "for more than 500 frames on their way");
}

static int finish_link(struct text *t, struct setup_link *l)
{
    char err[EMU_ERR_TEXT];
    if (l->is_cable)
        return check_cable(t, l);
    for (unsigned w = 0; w < 2; w++) {
        char words[SETUP_WORDS];
        text_copy(words, sizeof(words), l->words[w]);
        for (char *at = words; *at != '\0'; at++)
            *at = *at == '|' ? ' ' : *at;
        if (words[0] != '\0' && emu_parse(words, &l->way[w], err) < 0)
            return text_complain(t, l->line, "the conditions of this link: %s", err);
    }
    return 0;
}

static int check_flow(struct text *t, const struct setup *u, const struct setup_flow *f)
{
    if (!f->has_from || !f->has_to || f->from == f->to)
        return text_complain(t, f->line, "[flow %s]: expected from and to, two hosts", f->name);
    if (f->ipv6 != 0 && u->n_link != 1)
        return text_complain(t, f->line, "[flow %s]: ipv6 is for experiments with one link",
                             f->name);
    if (f->kind == SETUP_UDP && f->every == 0 && f->bursts == 0)
        return text_complain(t, f->line,
                             "[flow %s]: bursts without end need every: expected every or bursts",
                             f->name);
    return 0;
}

static bool has_cable(const struct setup *u, unsigned host)
{
    for (unsigned i = 0; i < u->n_link; i++)
        if (u->link[i].is_cable && (u->link[i].a == host || u->link[i].b == host))
            return true;
    return false;
}

static bool has_link(const struct setup *u, unsigned host)
{
    for (unsigned i = 0; i < u->n_link; i++)
        if (u->link[i].a == host || u->link[i].b == host)
            return true;
    return false;
}

/* The driver would leave it off, and the file would show nothing. */
static int check_offloads(struct text *t, const struct setup_host *h)
{
    for (unsigned i = 0; i < WEIR_COUNT(keys_offload); i++) {
        const struct offload *o = &keys_offload[i];
        if ((h->nic.offloads & o->bits) == 0 || (h->nic.offloads & o->needs) == o->needs)
            continue;
        for (unsigned k = 0; k < i; k++)
            if (keys_offload[k].bits == o->needs)
                return text_complain(t, h->offload_line, "host %s: %s needs %s: expected it on",
                                     h->name, o->name, keys_offload[k].name);
    }
    return 0;
}

static int check_host(struct text *t, const struct setup *u, unsigned i)
{
    const struct setup_host *h = &u->host[i];
    if (!has_link(u, i))
        return text_complain(t, 0, "host %s is joined to nobody: expected [cable …] or [link …]",
                             h->name);
    if (h->has_nic && !has_cable(u, i))
        return text_complain(t, h->nic_line, "host %s has no NIC: expected a [cable %s …]", h->name,
                             h->name);
    if (h->has_cost && !has_cable(u, i))
        return text_complain(t, h->cost_line,
                             "packet-time and irq-time are for hosts with a NIC: expected a "
                             "[cable %s …]",
                             h->name);
    if (check_offloads(t, h) < 0)
        return -EINVAL;
    if (strcmp(h->qdisc.kind, "tbf") == 0 && h->qdisc.rate_Bps == 0)
        return text_complain(t, 0, "[qdisc %s]: tbf needs a rate", h->name);
    if (weir_size(&h->conf) == 0)
        return text_complain(t, 0, "host %s: these settings do not go together", h->name);
    return 0;
}

static int finish(struct text *t, struct setup *u)
{
    int r = 0;
    if (u->n_link == 0)
        return text_complain(t, 0, "expected a [cable A B] or [link A B] between two hosts");
    if (u->n_flow == 0)
        return text_complain(t, 0, "expected a [flow NAME]: nobody sends anything");
    if (u->sample == 0)
        u->sample = w_u64_max(u->took / 500, 1000);
    if (u->took / u->sample > 10000)
        return text_complain(t, 0, "sample: more than 10000 looks in a run");
    for (unsigned i = 0; r == 0 && i < u->n_link; i++)
        r = finish_link(t, &u->link[i]);
    for (unsigned i = 0; r == 0 && i < u->n_host; i++)
        r = check_host(t, u, i);
    for (unsigned i = 0; r == 0 && i < u->n_flow; i++)
        r = check_flow(t, u, &u->flow[i]);
    uint64_t n_app = 0;
    for (unsigned i = 0; i < u->n_flow; i++)
        n_app += u->flow[i].count;
    if (r == 0 && n_app > SETUP_APPS)
        return text_complain(t, 0, "count: more than %d flows at once in all", SETUP_APPS);
    /* More than one link: whoever has two of them is a router. */
    for (unsigned i = 0; i < u->n_host; i++) {
        unsigned n = 0;
        for (unsigned k = 0; k < u->n_link; k++)
            n += u->link[k].a == i || u->link[k].b == i;
        if (n > 1)
            u->host[i].conf.ip_forward = 1;
    }
    return r;
}

int setup_make(struct text *t, const struct text_set *over, unsigned n, struct setup *out)
{
    int r = 0;
    memset(out, 0, sizeof(*out));
    out->took = W_S;
    out->seed = out->repeat = 1;
    for (unsigned i = 0; r == 0 && i < t->n_section; i++)
        r = make_section(t, out, &t->section[i]);
    for (unsigned pass = 0; pass < 2; pass++)
        for (unsigned i = 0; r == 0 && i < t->n_set; i++)
            if (setup_has_section(t->set[i].section) &&
                is_general(t->set[i].section) == (pass == 0))
                r = set_one(t, out, &t->set[i]);
    for (unsigned i = 0; r == 0 && i < n; i++)
        r = set_one(t, out, &over[i]);
    return r == 0 ? finish(t, out) : r;
}

/* ---- --list ---- */

static void list_keys(FILE *f, const char *section, const struct key *v, unsigned n)
{
    char range[64];
    fprintf(f, "%s\n", section);
    for (unsigned i = 0; i < n; i++) {
        bool is_bounded = v[i].kind == TEXT_COUNT && v[i].max < UINT32_MAX;
        (void)snprintf(range, sizeof(range), "a number from %llu to %llu",
                       (unsigned long long)v[i].min, (unsigned long long)v[i].max);
        fprintf(f, "  %-14s %s%s%s\n", v[i].name, is_bounded ? range : text_expected(v[i].kind),
                v[i].text[0] != '\0' ? ": " : "", v[i].text);
    }
}

void setup_list(FILE *f)
{
    fprintf(f, "[experiment]\n  title, about   text\n");
    list_keys(f, "", keys_experiment, WEIR_COUNT(keys_experiment));
    list_keys(f, "\n[host NAME], [hosts]\n  any setting of weir (weir(1), SETTINGS)", keys_host,
              WEIR_COUNT(keys_host));
    list_keys(f,
              "\n[qdisc HOST], [qdisc]\n  kind           fifo, prio, mark, fq, codel, fq_codel, "
              "tbf",
              keys_qdisc, WEIR_COUNT(keys_qdisc));
    list_keys(f, "\n[nic HOST], [nic]: of a host with a cable", keys_nic, WEIR_COUNT(keys_nic));
    for (unsigned i = 0; i < WEIR_COUNT(keys_offload); i++)
        fprintf(f, "  %-14s on or off: %s\n", keys_offload[i].name, keys_offload[i].text);
    list_keys(f, "\n[cable A B]: NICs at both ends", keys_cable, WEIR_COUNT(keys_cable));
    fprintf(f, "\n[link A B], [way A B]: an emulated link, one direction of it\n  ");
    for (unsigned i = 0; i < WEIR_COUNT(words_link); i++)
        fprintf(f, "%s%s", i == 0 ? "" : ", ", words_link[i]);
    fprintf(f, "\n                 as in weir link; none: taken back\n");
    list_keys(f,
              "\n[flow NAME]\n  kind           bulk, rr, udp\n  from, to       hosts\n"
              "  cc             a congestion control",
              keys_flow, WEIR_COUNT(keys_flow));
}

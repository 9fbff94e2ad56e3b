/* SPDX-License-Identifier: Apache-2.0
 *
 * A running NIC's settings, read and changed by name: the half of `weir nic` that is in the
 * instance.
 *
 * Decides: which settings there are under which option letter of ethtool, what their values may be,
 * what a refusal says. Each option is a page of fields, a table; a request "G rx 512" is read whole
 * and checked before anything is changed, so that it happens whole or not at all. What the driver
 * does not have is a field too (ABSENT), and answers in one place.
 *
 * The stack is told what the device can do from then on (weir_nif_change): what waits is finished
 * in software if need be. Owns nothing; called by ctl.c, calls nicdev.c and weir.h.
 */
#include "run/niccmd.h"

#include "run/chain_show.h"
#include "run/linkcmd.h"
#include "run/words.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

enum { WORDS_MAX = 32, USECS_MAX = 1000000, FRAMES_MAX = 1024, NS_A_US = 1000 };

enum kind {
    RING,    /* a ring's size: uint32_t at `at` */
    NUMBER,  /* lo … hi, times scale: uint32_t at `at` */
    ONOFF,   /* bool at `at` */
    OFFLOAD, /* enum netdev_flag `bits` */
    STACK,   /* 0 or 1, the stack's setting `key` */
    ABSENT,  /* not in this driver: it is off, or n/a, and stays so */
};

struct field {
    const char *name; /* as ethtool's command line has it */
    const char *text; /* as its listing has it; NULL: as name */
    enum kind kind;
    size_t at;
    uint32_t lo, hi, scale, bits;
    const char *key;
};

#define AT(member) offsetof(struct vnic_conf, member)
static const struct field rings[] = {
    {.name = "rx", .text = "RX", .kind = RING, .at = AT(rx_ring)},
    {.name = "tx", .text = "TX", .kind = RING, .at = AT(tx_ring)},
    {.name = "rx-mini", .text = "RX Mini", .kind = ABSENT},
    {.name = "rx-jumbo", .text = "RX Jumbo", .kind = ABSENT},
};
static const struct field coalescing[] = {
    {.name = "adaptive-rx", .kind = ONOFF, .at = AT(is_adaptive)},
    {.name = "adaptive-tx", .kind = ABSENT},
    {.name = "rx-usecs", .kind = NUMBER, .at = AT(rx_ns), .hi = USECS_MAX, .scale = NS_A_US},
    {.name = "rx-frames", .kind = NUMBER, .at = AT(rx_frames), .hi = FRAMES_MAX, .scale = 1},
    {.name = "tx-usecs", .kind = NUMBER, .at = AT(tx_ns), .hi = USECS_MAX, .scale = NS_A_US},
    {.name = "tx-frames", .kind = NUMBER, .at = AT(tx_frames), .hi = FRAMES_MAX, .scale = 1},
};
static const struct field offloads[] = {
    {.name = "rx", .text = "rx-checksumming", .kind = OFFLOAD, .bits = NETDEV_RX_CSUM},
    {.name = "tx", .text = "tx-checksumming", .kind = OFFLOAD, .bits = NETDEV_TX_CSUM},
    {.name = "tso",
     .text = "tcp-segmentation-offload",
     .kind = OFFLOAD,
     .bits = NETDEV_TSO4 | NETDEV_TSO6},
    {.name = "gso", .text = "generic-segmentation-offload", .kind = STACK, .key = "tcp_gso"},
    {.name = "gro", .text = "generic-receive-offload", .kind = STACK, .key = "gro"},
    {.name = "lro",
     .text = "large-receive-offload",
     .kind = OFFLOAD,
     .bits = NETDEV_LRO | NETDEV_LRO6},
};
static const struct field pause[] = {
    {.name = "autoneg", .text = "Autonegotiate", .kind = ABSENT},
    {.name = "rx", .text = "RX", .kind = ONOFF, .at = AT(has_pause_rx)},
    {.name = "tx", .text = "TX", .kind = ONOFF, .at = AT(has_pause_tx)},
};
static const struct field channels[] = {
    {.name = "rx", .text = "RX", .kind = ABSENT},
    {.name = "tx", .text = "TX", .kind = ABSENT},
    {.name = "combined",
     .text = "Combined",
     .kind = NUMBER,
     .at = AT(n_queues),
     .lo = 1,
     .hi = NIC_QUEUES_MAX,
     .scale = 1},
};
#undef AT

struct page {
    char get, set;
    const char *title;
    const struct field *field;
    unsigned n;
};
static const struct page pages[] = {
    {'g', 'G', "Ring parameters", rings, WEIR_COUNT(rings)},
    {'c', 'C', "Coalesce parameters", coalescing, WEIR_COUNT(coalescing)},
    {'k', 'K', "Features", offloads, WEIR_COUNT(offloads)},
    {'a', 'A', "Pause parameters", pause, WEIR_COUNT(pause)},
    {'l', 'L', "Channel parameters", channels, WEIR_COUNT(channels)},
};

/* What a request is about to change; nothing has happened yet. */
struct change {
    struct vnic_conf conf;
    const char *key[2], *value[2]; /* settings of the stack */
    unsigned n_key;
};

/* ---- reading ---- */

static const char *onoff(bool is_on) { return is_on ? "on" : "off"; }

static uint32_t stack_setting(struct niccmd *c, const char *key)
{
    uint32_t v = 0;
    (void)weir_setting_get(loop_weir(c->loop), key, &v);
    return v;
}

static void value_of(struct niccmd *c, const struct field *f, char *out, size_t n)
{
    const struct vnic_conf *conf = &c->nic->driver.conf;
    const void *at = (const uint8_t *)conf + f->at;
    uint32_t number;
    switch (f->kind) {
    case RING:
    case NUMBER:
        memcpy(&number, at, sizeof(number));
        snprintf(out, n, "%u", number / w_u32_max(f->scale, 1));
        break;
    case ONOFF: snprintf(out, n, "%s", onoff(*(const bool *)at)); break;
    case OFFLOAD: snprintf(out, n, "%s", onoff(netdev_has(&c->nic->dev, f->bits))); break;
    case STACK: snprintf(out, n, "%s", onoff(stack_setting(c, f->key) != 0)); break;
    case ABSENT: snprintf(out, n, "n/a"); break;
    }
}

static void largest_of(const struct niccmd *c, const struct field *f, char *out, size_t n)
{
    if (f->kind == RING)
        snprintf(out, n, "%u", c->nic->driver.max_ring);
    else if (f->kind == NUMBER)
        snprintf(out, n, "%u", f->hi);
    else
        snprintf(out, n, "n/a");
}

static void page_print(struct niccmd *c, const struct page *p, FILE *f)
{
    char value[32];
    bool has_maximums = p->get == 'g' || p->get == 'l';
    fprintf(f, "%s for net0:\n", p->title);
    if (has_maximums)
        fprintf(f, "Pre-set maximums:\n");
    for (unsigned i = 0; has_maximums && i < p->n; i++) {
        largest_of(c, &p->field[i], value, sizeof(value));
        fprintf(f, "%s:\t\t%s\n", p->field[i].text, value);
    }
    if (has_maximums)
        fprintf(f, "Current hardware settings:\n");
    for (unsigned i = 0; i < p->n; i++) {
        const struct field *x = &p->field[i];
        value_of(c, x, value, sizeof(value));
        fprintf(f, "%s:%s%s\n", x->text != NULL ? x->text : x->name, has_maximums ? "\t\t" : " ",
                value);
    }
}

/* The card begins at 0 with each reset; what is shown goes on. */
static void stats_print(struct niccmd *c, FILE *f)
{
    const char *name;
    uint64_t v;
    fprintf(f, "NIC statistics:\n");
    for (unsigned i = 0; vnic_stat_at(&c->nic->driver, i, &name, &v); i++)
        fprintf(f, "     %s: %llu\n", name,
                (unsigned long long)(i < NIC_N_STATS ? nicdev_stat(c->nic, (enum nic_stat)i) : v));
    const struct netdev_stats *s = &c->nic->dev.stats;
    fprintf(f, "     driver_tx_dropped: %llu\n     driver_tx_busy: %llu\n",
            (unsigned long long)s->tx_dropped, (unsigned long long)s->tx_busy);
    fprintf(f, "     port_lost: %llu\n     port_flow_control: %llu\n",
            (unsigned long long)c->nic->port.lost, (unsigned long long)c->nic->port.said_pause);
}

static void overview_print(struct niccmd *c, FILE *f)
{
    const uint8_t *m = c->nic->dev.caps.mac;
    char value[32];
    fprintf(f, "net0: driver vnic over %s, %02x:%02x:%02x:%02x:%02x:%02x\n", c->title, m[0], m[1],
            m[2], m[3], m[4], m[5]);
    fprintf(f, "  %-24s %lluMb/s, full duplex, link up\n", "Speed",
            (unsigned long long)(c->nic->nic.conf.rate_bps / 1000000));
    fprintf(f, "  %-24s %u KiB to send, %u KiB to receive\n", "Memory of the card",
            c->nic->nic.tx.bytes.limit / 1024, c->nic->nic.rx.bytes.limit / 1024);
    for (unsigned i = 0; i < WEIR_COUNT(pages); i++) {
        const struct page *p = &pages[i];
        fprintf(f, "  %-24s", p->title);
        for (unsigned k = 0; k < p->n; k++) {
            if (p->field[k].kind == ABSENT)
                continue;
            value_of(c, &p->field[k], value, sizeof(value));
            fprintf(f, " %s %s", p->field[k].name, value);
        }
        fprintf(f, "   (-%c, -%c)\n", p->get, p->set);
    }
}

/* ---- changing ---- */

/* The one answer for what the driver does not do. That it be off is granted. */
static int not_supported(const struct field *x, const char *value, FILE *f)
{
    if (strcmp(value, "off") == 0 || strcmp(value, "0") == 0)
        return 0;
    fprintf(f, "%s %s: not supported by this driver\n", x->name, value);
    return -EOPNOTSUPP;
}

static int set_number(struct niccmd *c, const struct field *x, const char *value,
                      struct vnic_conf *conf, FILE *f)
{
    bool is_ring = x->kind == RING;
    uint64_t n, lo = is_ring ? NIC_RING_MIN : x->lo, hi = is_ring ? c->nic->driver.max_ring : x->hi;
    if (words_number(value, lo, hi, &n) < 0 || (is_ring && (n & (n - 1)) != 0)) {
        fprintf(f, "%s %s: it is %s from %llu to %llu\n", x->name, value,
                is_ring ? "a power of two" : "a number", (unsigned long long)lo,
                (unsigned long long)hi);
        return -EINVAL;
    }
    uint32_t v = (uint32_t)n * w_u32_max(x->scale, 1);
    memcpy((uint8_t *)conf + x->at, &v, sizeof(v));
    return 0;
}

static int set_onoff(const struct field *x, const char *value, struct change *ch, FILE *f)
{
    int on = words_onoff(value);
    if (on < 0) {
        fprintf(f, "%s %s: it is on or off\n", x->name, value);
        return -EINVAL;
    }
    if (x->kind == ONOFF)
        *(bool *)(void *)((uint8_t *)&ch->conf + x->at) = on == 1;
    else if (x->kind == OFFLOAD)
        ch->conf.offloads = on == 1 ? ch->conf.offloads | x->bits : ch->conf.offloads & ~x->bits;
    else if (ch->n_key < WEIR_COUNT(ch->key)) {
        ch->key[ch->n_key] = x->key;
        ch->value[ch->n_key++] = on == 1 ? "1" : "0";
    }
    return 0;
}

static int set_field(struct niccmd *c, const struct page *p, const char *name, const char *value,
                     struct change *ch, FILE *f)
{
    for (unsigned i = 0; i < p->n; i++) {
        const struct field *x = &p->field[i];
        if (strcmp(x->name, name) != 0 && (x->text == NULL || strcmp(x->text, name) != 0))
            continue;
        if (value == NULL) {
            fprintf(f, "%s: a value is missing\n", name);
            return -EINVAL;
        }
        if (x->kind == ABSENT)
            return not_supported(x, value, f);
        return x->kind == RING || x->kind == NUMBER ? set_number(c, x, value, &ch->conf, f)
                                                    : set_onoff(x, value, ch, f);
    }
    fprintf(f, "no setting %s; -%c has:", name, p->set);
    for (unsigned i = 0; i < p->n; i++)
        fprintf(f, " %s", p->field[i].name);
    fprintf(f, "\n");
    return -ENOENT;
}

/* What may not be together. Checksums can only be left to the card by a card that does them. */
static int check_whole(struct niccmd *c, struct change *ch, FILE *f)
{
    const uint32_t tso = NETDEV_TSO4 | NETDEV_TSO6;
    bool was_tso = (c->nic->driver.conf.offloads & tso) != 0;
    if ((ch->conf.offloads & tso) == 0 || (ch->conf.offloads & NETDEV_TX_CSUM) != 0)
        return 0;
    if (was_tso) { /* tx went: so does what needs it */
        ch->conf.offloads &= ~tso;
        return 0;
    }
    fprintf(f, "tso on: it needs tx on, the checksums are the card's then\n");
    return -EINVAL;
}

/* The stack leaves to the device what the device now does. */
static int tell_stack(struct niccmd *c)
{
    struct weir_nif_conf nc;
    struct weir *w = loop_weir(c->loop);
    const uint32_t tso = NETDEV_TSO4 | NETDEV_TSO6;
    int r = weir_nif_get(w, c->nif, &nc);
    if (r != 0)
        return r;
    nc.flags = netdev_has(&c->nic->dev, NETDEV_TX_CSUM) ? (uint32_t)WEIR_NIF_TX_CSUM : 0;
    nc.flags |= netdev_has(&c->nic->dev, tso) ? (uint32_t)WEIR_NIF_TSO : 0;
    nc.gso_max = c->nic->dev.caps.gso_max;
    return weir_nif_change(w, loop_now(c->loop), c->nif, &nc);
}

static int apply(struct niccmd *c, const struct change *ch, FILE *f)
{
    bool is_changed = memcmp(&ch->conf, &c->nic->driver.conf, sizeof(ch->conf)) != 0;
    int r = is_changed ? nicdev_set(c->nic, loop_now(c->loop), &ch->conf) : 0;
    if (r == 0 && is_changed)
        r = tell_stack(c);
    for (unsigned i = 0; r == 0 && i < ch->n_key; i++)
        r = weir_set(loop_weir(c->loop), ch->key[i], ch->value[i]);
    if (r != 0)
        fprintf(f, "the driver refuses these settings: %s\n", strerror(-r));
    return r;
}

static int page_set(struct niccmd *c, const struct page *p, char **word, unsigned n, FILE *f)
{
    struct change ch = {.conf = c->nic->driver.conf};
    if (n == 0) {
        fprintf(f, "which setting? -%c has:", p->set);
        for (unsigned i = 0; i < p->n; i++)
            fprintf(f, " %s", p->field[i].name);
        fprintf(f, "\n");
        return -EINVAL;
    }
    for (unsigned i = 0; i < n; i += 2) {
        int r = set_field(c, p, word[i], i + 1 < n ? word[i + 1] : NULL, &ch, f);
        if (r != 0)
            return r;
    }
    int r = check_whole(c, &ch, f);
    if (r == 0)
        r = apply(c, &ch, f);
    if (r == 0)
        page_print(c, p, f);
    return r;
}

static int nic_request(void *arg, const char *args, FILE *f)
{
    struct niccmd *c = arg;
    char copy[512], *save = NULL, *word[WORDS_MAX];
    unsigned n = 0;
    snprintf(copy, sizeof(copy), "%s", args);
    for (char *w = strtok_r(copy, " ", &save); w != NULL && n < WORDS_MAX;
         w = strtok_r(NULL, " ", &save))
        word[n++] = w;
    if (c->nic == NULL) {
        fprintf(f, "this program runs without a NIC; start it by weir run --nic\n");
        return -ENODEV;
    }
    char what = n > 0 ? word[0][0] : 'i';
    for (unsigned i = 0; i < WEIR_COUNT(pages); i++) {
        if (pages[i].get == what)
            page_print(c, &pages[i], f);
        if (pages[i].set == what)
            return page_set(c, &pages[i], word + 1, n - 1, f);
    }
    if (what == 'S')
        stats_print(c, f);
    if (what == 'i')
        overview_print(c, f);
    return 0;
}

/* ---- the chain of buffers ---- */

static void rows(FILE *f, const struct weir_gauge *v, int n)
{
    if (n > 0)
        chain_show(f, v, (unsigned)n);
}

/* The buffers that are a socket's own; what is below is everybody's. */
static void socket_rows(struct niccmd *c, const struct weir_sock_info *i, FILE *f)
{
    struct weir_gauge v[WEIR_CHAIN_PART];
    struct weir *w = loop_weir(c->loop);
    w_ns now = loop_now(c->loop);
    fprintf(f, "%s", i->type == WEIR_STREAM ? "tcp" : "udp");
    ctl_print_addr(f, &i->local);
    ctl_print_addr(f, &i->peer);
    fprintf(f, "\n");
    int n = weir_chain(w, now, c->nif, i->sock, WEIR_CHAIN_SEND, v);
    rows(f, v, n - 1); /* but for the qdisc */
    rows(f, v, weir_chain(w, now, c->nif, i->sock, WEIR_CHAIN_RECV, v));
}

static int chain_request(void *arg, const char *args, FILE *f)
{
    enum { CLOSE = 7, LISTEN = 10 };
    struct niccmd *c = arg;
    struct weir_gauge v[WEIR_CHAIN_PART];
    struct weir_sock_info i;
    struct weir *w = loop_weir(c->loop);
    w_ns now = loop_now(c->loop);
    uint64_t cursor = 0;
    (void)args;
    chain_show_head(f);
    while (weir_sock_next(w, now, &cursor, &i)) {
        bool has_buffers = i.type == WEIR_DGRAM || (i.state != CLOSE && i.state != LISTEN);
        if (i.sock != 0 && has_buffers)
            socket_rows(c, &i, f);
    }
    fprintf(f, "net0 to send\n");
    rows(f, v, weir_chain(w, now, c->nif, 0, WEIR_CHAIN_SEND, v));
    if (c->nic == NULL)
        return 0;
    rows(f, v, (int)vnic_chain_send(&c->nic->driver, now, v));
    fprintf(f, "net0 received\n");
    rows(f, v, (int)vnic_chain_recv(&c->nic->driver, now, v));
    return 0;
}

void niccmd_serve(struct niccmd *c, struct ctl *ctl)
{
    (void)ctl_add(ctl, "nic", nic_request, c);
    (void)ctl_add(ctl, "chain", chain_request, c);
    (void)ctl_add(ctl, "link", linkcmd_request, c);
}

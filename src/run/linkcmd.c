/* SPDX-License-Identifier: Apache-2.0
 *
 * A running interface in the manner of `ip link` and `tc`: its MTU, its queue, what both have seen.
 *
 * Decides which words there are, in tc's spelling where tc has one, and what a refusal says. A
 * request is read whole and checked, then done, so that it happens whole or not at all. What waits
 * in a queue moves over to the new one (weir_qdisc_set); a smaller MTU holds for what is built from
 * now on.
 *
 * Called by ctl.c (running instances) and cli/ (--qdisc). Owns nothing; calls weir.h.
 */
#include "run/linkcmd.h"

#include "run/words.h"
#include "stack/stack.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

enum { WORDS_MAX = 48, MTU_MIN = 68, MTU_MIN6 = 1280, QUEUE_MAX = 4096 };

/* ---- words of a discipline ---- */

enum unit { COUNT, TIME, BYTES, RATE };

struct word {
    const char *name;
    enum unit unit;
    size_t at;
    uint64_t lo, hi;
    const char *kinds, *wanted; /* which disciplines have it, NULL: all; a value, for people */
};

#define AT(member) offsetof(struct weir_qdisc, member)
static const struct word words[] = {
    {"limit", COUNT, AT(limit), 1, QUEUE_MAX, NULL, "packets from 1 to 4096"},
    {"mark_at", COUNT, AT(mark_at), 1, QUEUE_MAX, " mark ", "packets from 1 to 4096"},
    {"flow_limit", COUNT, AT(flow_limit), 1, QUEUE_MAX, " fq ", "packets from 1 to 4096"},
    {"quantum", BYTES, AT(quantum), 256, 1 << 20, " fq fq_codel ", "bytes from 256 to 1m"},
    {"target", TIME, AT(target_us), 1, 10000000, " codel fq_codel ", "a time such as 5ms"},
    {"interval", TIME, AT(interval_us), 1, 10000000, " codel fq_codel ", "a time such as 100ms"},
    {"burst", BYTES, AT(burst_bytes), 1, 1 << 30, " tbf ", "bytes such as 32k"},
    {"rate", RATE, AT(rate_Bps), 1000, 100000000000, " tbf ", "a rate such as 10mbit"},
};
#undef AT

static const struct {
    const char *alias, *kind;
} aliases[] = {{"pfifo", "fifo"}, {"pfifo_fast", "prio"}};

static int set_value(struct weir_qdisc *q, const struct word *w, const char *value)
{
    uint64_t n = 0;
    uint8_t *at = (uint8_t *)q + w->at;
    int r = w->unit == COUNT   ? words_number(value, w->lo, w->hi, &n)
            : w->unit == TIME  ? words_us(value, w->lo, w->hi, &n)
            : w->unit == BYTES ? words_bytes(value, w->lo, w->hi, &n)
                               : words_rate(value, w->lo, w->hi, &n);
    uint32_t n32 = (uint32_t)n;
    n /= 8; /* a rate is in bits for people, in bytes for queues */
    if (r == 0 && w->unit == RATE)
        memcpy(at, &n, sizeof(n));
    else if (r == 0)
        memcpy(at, &n32, sizeof(n32));
    return r;
}

static bool has_word(const struct word *w, const char *kind)
{
    char padded[sizeof(((struct weir_qdisc *)0)->kind) + 2];
    snprintf(padded, sizeof(padded), " %s ", kind);
    return w->kinds == NULL || strstr(w->kinds, padded) != NULL;
}

static void list_words(const char *kind, char *out, size_t n)
{
    size_t len = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < WEIR_COUNT(words); i++)
        if (has_word(&words[i], kind) && len < n)
            len += (size_t)snprintf(out + len, n - len, " %s", words[i].name);
}

static int parse_pair(struct weir_qdisc *q, const char *name, const char *value, char *err)
{
    char all[128];
    for (unsigned i = 0; i < WEIR_COUNT(words); i++) {
        const struct word *w = &words[i];
        if (strcmp(w->name, name) != 0 || !has_word(w, q->kind))
            continue;
        if (value != NULL && set_value(q, w, value) == 0)
            return 0;
        snprintf(err, LINKCMD_ERR_TEXT, "%s %.40s: it is %s", name, value != NULL ? value : "",
                 w->wanted);
        return -EINVAL;
    }
    list_words(q->kind, all, sizeof(all));
    snprintf(err, LINKCMD_ERR_TEXT, "%s has no %.40s; it has:%s", q->kind, name, all);
    return -EINVAL;
}

static int parse_kind(struct weir_qdisc *q, const char *name, char *err)
{
    static const char kinds[] = "fifo, prio, mark, fq, codel, fq_codel, tbf";
    for (unsigned i = 0; i < WEIR_COUNT(aliases); i++)
        if (strcmp(aliases[i].alias, name) == 0)
            name = aliases[i].kind;
    if (aqm_kind_named(name, (uint32_t)strlen(name)) >= 0) {
        snprintf(q->kind, sizeof(q->kind), "%s", name);
        return 0;
    }
    snprintf(err, LINKCMD_ERR_TEXT, "no queue discipline %.40s; there are %s", name, kinds);
    return -EINVAL;
}

/* What only the whole can be asked. */
static int check_qdisc(const struct weir_qdisc *q, char *err)
{
    uint32_t target = q->target_us != 0 ? q->target_us : 5000;
    uint32_t interval = q->interval_us != 0 ? q->interval_us : 100000;
    if (strcmp(q->kind, "tbf") == 0 && q->rate_Bps == 0) {
        snprintf(err, LINKCMD_ERR_TEXT, "tbf needs a rate: 'tbf rate 10mbit'");
        return -EINVAL;
    }
    if (target <= interval)
        return 0;
    snprintf(err, LINKCMD_ERR_TEXT, "target %uus: it is not above the interval, %uus", target,
             interval);
    return -EINVAL;
}

/* Takes words up to one that is not the discipline's. Their number, or -EINVAL. */
static int parse_qdisc(char *const *word, unsigned n, struct weir_qdisc *q, char *err)
{
    static const char *const others[] = {"mtu", "txqueuelen", "qdisc", "dev"};
    unsigned i = 1;
    *q = (struct weir_qdisc){0};
    if (n == 0) {
        snprintf(err, LINKCMD_ERR_TEXT,
                 "which queue discipline? For example 'fq_codel limit 1000'");
        return -EINVAL;
    }
    int r = parse_kind(q, word[0], err);
    for (; r == 0 && i < n; i += 2) {
        bool is_other = false;
        for (unsigned k = 0; k < WEIR_COUNT(others); k++)
            is_other |= strcmp(word[i], others[k]) == 0;
        if (is_other)
            break;
        r = parse_pair(q, word[i], i + 1 < n ? word[i + 1] : NULL, err);
    }
    if (r == 0)
        r = check_qdisc(q, err);
    return r == 0 ? (int)i : r;
}

static unsigned split(char *text, char **word)
{
    unsigned n = 0;
    char *save = NULL;
    for (char *w = strtok_r(text, " ", &save); w != NULL && n < WORDS_MAX;
         w = strtok_r(NULL, " ", &save))
        word[n++] = w;
    return n;
}

int linkcmd_parse_qdisc(const char *text, struct weir_qdisc *q, char *err)
{
    char copy[512], *word[WORDS_MAX];
    snprintf(copy, sizeof(copy), "%s", text);
    unsigned n = split(copy, word);
    int r = parse_qdisc(word, n, q, err);
    if (r >= 0 && (unsigned)r < n) {
        snprintf(err, LINKCMD_ERR_TEXT, "%.40s is no word of a queue discipline", word[r]);
        return -EINVAL;
    }
    return r < 0 ? r : 0;
}

/* ---- weir link set ---- */

struct change {
    uint32_t mtu, qlen; /* 0: as it is */
    struct weir_qdisc q;
    bool has_qdisc;
};

static const struct nif *nif_of(struct niccmd *c)
{
    return link_nif(&loop_weir(c->loop)->link, c->nif);
}

static int parse_mtu(struct niccmd *c, const char *value, struct change *ch, FILE *f)
{
    struct weir *w = loop_weir(c->loop);
    const struct nif *nif = nif_of(c);
    uint32_t least = MTU_MIN;
    uint64_t n;
    for (unsigned i = 0; i < IP_ADDRS; i++) {
        const struct ip_addr *a = ip_addr_at(&w->ip, i);
        if (a != NULL && a->nif == nif->id && !addr_is_ip4(&a->addr))
            least = MTU_MIN6;
    }
    if (value != NULL && words_number(value, least, nif->dev_mtu, &n) == 0) {
        ch->mtu = (uint32_t)n;
        return 0;
    }
    fprintf(f, "mtu %s: it is a number of bytes from %u%s to %u\n", value != NULL ? value : "",
            least, least == MTU_MIN6 ? " (as long as there is IPv6)" : "", nif->dev_mtu);
    return -EINVAL;
}

static int parse_qlen(const char *value, struct change *ch, FILE *f)
{
    uint64_t n;
    if (value != NULL && words_number(value, 1, QUEUE_MAX, &n) == 0) {
        ch->qlen = (uint32_t)n;
        return 0;
    }
    fprintf(f, "txqueuelen %s: it is a number of packets from 1 to %d\n",
            value != NULL ? value : "", QUEUE_MAX);
    return -EINVAL;
}

/* The words behind "set"; 0 or -EINVAL after a sentence. */
static int parse_change(struct niccmd *c, char **word, unsigned n, struct change *ch, FILE *f)
{
    char err[LINKCMD_ERR_TEXT];
    unsigned i = 0;
    while (i < n) {
        const char *value = i + 1 < n ? word[i + 1] : NULL;
        int r = 0, used = 1;
        if (strcmp(word[i], "dev") == 0) {
            r = value != NULL && strcmp(value, nif_of(c)->name) == 0 ? 0 : -ENODEV;
            if (r < 0)
                fprintf(f, "no interface %s; there is %s\n", value != NULL ? value : "",
                        nif_of(c)->name);
        } else if (strcmp(word[i], "mtu") == 0) {
            r = parse_mtu(c, value, ch, f);
        } else if (strcmp(word[i], "txqueuelen") == 0) {
            r = parse_qlen(value, ch, f);
        } else if (strcmp(word[i], "qdisc") == 0) {
            used = parse_qdisc(word + i + 1, n - i - 1, &ch->q, err);
            ch->has_qdisc = true;
            if (used < 0)
                fprintf(f, "%s\n", err);
        } else {
            fprintf(f, "no setting %s; there are: mtu, txqueuelen, qdisc\n", word[i]);
            return -EINVAL;
        }
        if (r < 0 || used < 0)
            return -EINVAL;
        i += 1 + (unsigned)used;
    }
    return 0;
}

static int apply(struct niccmd *c, const struct change *ch)
{
    struct weir *w = loop_weir(c->loop);
    w_ns now = loop_now(c->loop);
    struct weir_qdisc_stats s;
    struct weir_nif_conf nc;
    int r = weir_qdisc_stats(w, now, c->nif, &s);
    struct weir_qdisc q = ch->has_qdisc ? ch->q : s.conf;
    q.limit = ch->qlen != 0 ? ch->qlen : q.limit;
    if (r == 0 && (ch->has_qdisc || ch->qlen != 0))
        r = weir_qdisc_set(w, now, c->nif, &q);
    if (r != 0 || ch->mtu == 0)
        return r;
    r = weir_nif_get(w, c->nif, &nc);
    nc.mtu = ch->mtu;
    return r == 0 ? weir_nif_change(w, now, c->nif, &nc) : r;
}

/* ---- weir link show ---- */

static void show_qdisc(const struct weir_qdisc_stats *s, FILE *f)
{
    const struct weir_qdisc *q = &s->conf;
    fprintf(f, "    qdisc %s limit %up", q->kind, q->limit);
    if (strcmp(q->kind, "mark") == 0)
        fprintf(f, " mark_at %up", q->mark_at);
    if (strcmp(q->kind, "fq") == 0)
        fprintf(f, " flow_limit %up", q->flow_limit);
    if (strncmp(q->kind, "fq", 2) == 0)
        fprintf(f, " quantum %u", q->quantum);
    if (strstr(q->kind, "codel") != NULL)
        fprintf(f, " target %uus interval %uus", q->target_us, q->interval_us);
    if (strcmp(q->kind, "tbf") == 0)
        fprintf(f, " rate %llubit burst %u", (unsigned long long)q->rate_Bps * 8, q->burst_bytes);
    fprintf(f, "\n");
}

static void show_stats(const struct nif *nif, const struct weir_qdisc_stats *s, FILE *f)
{
    const struct nif_counters *n = &nif->n;
    fprintf(f, "    RX: %llu bytes %llu packets %llu dropped\n", (unsigned long long)n->rx_bytes,
            (unsigned long long)n->rx_packets, (unsigned long long)n->rx_dropped);
    fprintf(f, "    TX: %llu bytes %llu packets %llu dropped\n", (unsigned long long)n->tx_bytes,
            (unsigned long long)n->tx_packets, (unsigned long long)n->tx_dropped);
    show_qdisc(s, f);
    fprintf(f, "     Sent %llu pkt (dropped %llu, marked %llu, told %llu)\n",
            (unsigned long long)s->enqueued, (unsigned long long)s->drops,
            (unsigned long long)s->marked, (unsigned long long)s->told);
    fprintf(f, "     backlog %llub %up, high water %up, TCP waited %llu times, %.3f s\n",
            (unsigned long long)s->bytes, s->packets, s->high_water, (unsigned long long)s->n_full,
            (double)s->full_ns / 1e9);
}

static void show(struct niccmd *c, bool has_stats, FILE *f)
{
    const struct nif *nif = nif_of(c);
    struct weir_qdisc_stats s;
    if (weir_qdisc_stats(loop_weir(c->loop), loop_now(c->loop), c->nif, &s) != 0)
        return;
    fprintf(f, "%u: %s: <UP> mtu %u qdisc %s state UP qlen %u\n", c->nif, nif->name, nif->mtu,
            s.conf.kind, s.conf.limit);
    if ((nif->flags & NIF_L3) == 0)
        fprintf(f, "    link/ether %02x:%02x:%02x:%02x:%02x:%02x over %s%s\n", nif->mac[0],
                nif->mac[1], nif->mac[2], nif->mac[3], nif->mac[4], nif->mac[5],
                c->nic != NULL ? "a NIC over " : "", c->title);
    if (has_stats)
        show_stats(nif, &s, f);
}

int linkcmd_request(void *arg, const char *args, FILE *f)
{
    struct niccmd *c = arg;
    struct change ch = {0};
    char copy[512], *word[WORDS_MAX];
    snprintf(copy, sizeof(copy), "%s", args);
    unsigned n = split(copy, word);
    bool is_set = n > 0 && strcmp(word[0], "set") == 0;
    if (!is_set) {
        show(c, n > 0 && strcmp(word[0], "stats") == 0, f);
        return 0;
    }
    if (parse_change(c, word + 1, n - 1, &ch, f) < 0)
        return -EINVAL;
    if (ch.mtu == 0 && ch.qlen == 0 && !ch.has_qdisc) {
        fprintf(f, "which setting? There are: mtu, txqueuelen, qdisc\n");
        return -EINVAL;
    }
    int r = apply(c, &ch);
    if (r != 0)
        fprintf(f, "the interface refuses that: %s\n", strerror(-r));
    else
        show(c, false, f);
    return r;
}

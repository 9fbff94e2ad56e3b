/* SPDX-License-Identifier: Apache-2.0
 *
 * Text to link conditions: "delay 40ms 5ms loss 1% rate 20mbit limit 100".
 *
 * What it decides: which words mean what, in tc-netem's vocabulary where netem has a word; and how
 * a mistake is told: the sentence names the bad word and what was expected in its place. Nothing is
 * rounded away or ignored in silence: a unit is required, a probability finer than a millionth is
 * an error, and so is a queue limit where there is no queue.
 *
 * The words of the language are rows of one table; a row's function reads what follows its word.
 * Owns nothing, allocates nothing, never reads past the text's NUL. Called by cli/, sim/ and tests,
 * and by fuzz/fuzz_emu_parse.c with whatever a fuzzer thinks of.
 */
#include <errno.h>

#include "dev/emu.h"

enum { WORD_SHOWN = 32, DIGITS_MAX = 12, DECIMALS_MAX = 6 };

/* A word of the text: not NUL-terminated. n == 0: there is none. */
struct word {
    const char *at;
    unsigned n;
};

struct reader {
    const char *rest; /* what is not read yet */
    struct word last; /* the keyword being worked on, for messages */
    struct emu_conf conf;
    char *err;
    unsigned n_err;
};

/* A unit a number may end in, and how many of the base unit it is. */
struct unit {
    const char *name;
    uint64_t worth;
};

static const struct unit units_time[] = {
    {"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}, {NULL, 0},
};
static const struct unit units_rate[] = {
    {"bit", 1}, {"kbit", 1000}, {"mbit", 1000000}, {"gbit", 1000000000}, {"tbit", 1000000000000},
    {"bps", 8}, {"kbps", 8000}, {"mbps", 8000000}, {"gbps", 8000000000}, {NULL, 0},
};
static const struct unit units_size[] = {
    {"b", 1},       {"k", 1024},     {"kb", 1024}, {"m", 1024 * 1024}, {"mb", 1024 * 1024},
    {"g", 1 << 30}, {"gb", 1 << 30}, {NULL, 0},
};
static const struct unit units_percent[] = {{"%", 10000}, {NULL, 0}};
static const struct unit units_count[] = {{"", 1}, {NULL, 0}};

/* A kind of value: its units, its largest value, and how a person would write one. */
struct kind {
    const struct unit *units;
    uint64_t max;
    const char *expected;
};

static const struct kind kind_time = {units_time, 3600 * W_S,
                                      "a time up to 3600s, such as 40ms (ns, us, ms or s)"};
static const struct kind kind_rate = {
    units_rate, 1000000000000000, "a rate, such as 20mbit (bit, kbit, mbit, gbit; mbps: bytes)"};
static const struct kind kind_size = {units_size, UINT32_MAX,
                                      "a size in bytes, such as 64kb (b, kb or mb)"};
static const struct kind kind_percent = {units_percent, 1000000,
                                         "a percentage from 0% to 100% in steps of 0.0001%"};
static const struct kind kind_count = {units_count, 1000000, "a number of packets up to 1000000"};

/* ---- the sentence ------------------------------------------------------------------------- */

static void say(struct reader *r, const char *text)
{
    for (; *text != '\0' && r->n_err < EMU_ERR_TEXT - 1; text++)
        r->err[r->n_err++] = *text;
    r->err[r->n_err] = '\0';
}

static void say_word(struct reader *r, struct word w)
{
    say(r, "'");
    for (unsigned i = 0; i < w.n && i < WORD_SHOWN; i++) {
        char c[2] = {w.at[i] >= ' ' && w.at[i] <= '~' ? w.at[i] : '?', '\0'};
        say(r, c);
    }
    say(r, w.n > WORD_SHOWN ? "...'" : "'");
}

/* "'40' after 'delay': expected a time": or that the text ended too early. */
static int complain(struct reader *r, struct word bad, const char *expected)
{
    r->n_err = 0;
    if (bad.n != 0)
        say_word(r, bad);
    else
        say(r, "nothing");
    say(r, " after ");
    say_word(r, r->last);
    say(r, ": expected ");
    say(r, expected);
    return -EINVAL;
}

/* ---- words and numbers -------------------------------------------------------------------- */

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c; }

static struct word peek(const struct reader *r)
{
    struct word w = {.at = r->rest};
    while (is_blank(*w.at))
        w.at++;
    while (w.at[w.n] != '\0' && !is_blank(w.at[w.n]))
        w.n++;
    return w;
}

static struct word next_word(struct reader *r)
{
    struct word w = peek(r);
    r->rest = w.at + w.n;
    return w;
}

static bool word_is(struct word w, const char *name)
{
    unsigned i = 0;
    while (i < w.n && name[i] != '\0' && lower(w.at[i]) == name[i])
        i++;
    return i == w.n && name[i] == '\0';
}

/* Takes the next word if it is `name`. */
static bool accept(struct reader *r, const char *name)
{
    bool is_it = word_is(peek(r), name);
    if (is_it)
        (void)next_word(r);
    return is_it;
}

static bool has_number(const struct reader *r)
{
    struct word w = peek(r);
    return w.n != 0 && is_digit(w.at[0]);
}

/* Up to max digits from *i on; false when there is none or are more. */
static bool digits(struct word w, unsigned *i, unsigned max, uint64_t *value)
{
    unsigned start = *i;
    *value = 0;
    for (; *i < w.n && is_digit(w.at[*i]); (*i)++) {
        if (*i - start == max)
            return false;
        *value = *value * 10 + (uint64_t)(w.at[*i] - '0');
    }
    return *i != start;
}

/* whole.part × worth, exactly; false when that is no whole number or too large. */
static bool scale(uint64_t whole, uint64_t part, unsigned decimals, uint64_t worth, uint64_t *out)
{
    uint64_t divisor = 1;
    for (unsigned i = 0; i < decimals; i++)
        divisor *= 10;
    uint64_t small = part * worth; /* < 10^6 · 10^12 */
    if (small % divisor != 0)
        return false;
    return !__builtin_mul_overflow(whole, worth, out) &&
           !__builtin_add_overflow(*out, small / divisor, out);
}

static bool number(struct word w, const struct kind *kind, uint64_t *out)
{
    unsigned i = 0, decimals = 0;
    uint64_t whole, part = 0;
    if (!digits(w, &i, DIGITS_MAX, &whole))
        return false;
    if (i < w.n && w.at[i] == '.') {
        unsigned start = ++i;
        if (!digits(w, &i, DECIMALS_MAX, &part))
            return false;
        decimals = i - start;
    }
    struct word rest = {w.at + i, w.n - i};
    if (rest.n == 0 && whole == 0 && part == 0) {
        *out = 0; /* nothing needs no unit */
        return true;
    }
    for (const struct unit *u = kind->units; u->name != NULL; u++) {
        if (word_is(rest, u->name))
            return scale(whole, part, decimals, u->worth, out) && *out <= kind->max;
    }
    return false;
}

static int read_u64(struct reader *r, const struct kind *kind, uint64_t *out)
{
    struct word w = next_word(r);
    uint64_t value;
    if (!number(w, kind, &value))
        return complain(r, w, kind->expected);
    *out = value;
    return 0;
}

/* For kinds whose maximum fits. */
static int read_u32(struct reader *r, const struct kind *kind, uint32_t *out)
{
    uint64_t value = 0;
    WEIR_ASSERT(kind->max <= UINT32_MAX);
    int e = read_u64(r, kind, &value);
    if (e == 0)
        *out = (uint32_t)value;
    return e;
}

/* Reads it only if a number follows. */
static int read_optional(struct reader *r, const struct kind *kind, uint64_t *out)
{
    return has_number(r) ? read_u64(r, kind, out) : 0;
}

/* ---- the keywords ------------------------------------------------------------------------- */

static int key_delay(struct reader *r)
{
    int e = read_u64(r, &kind_time, &r->conf.delay_ns);
    return e != 0 ? e : read_optional(r, &kind_time, &r->conf.jitter_ns);
}

static int key_jitter(struct reader *r) { return read_u64(r, &kind_time, &r->conf.jitter_ns); }

static int key_rate(struct reader *r)
{
    int e = read_u64(r, &kind_rate, &r->conf.rate_bps);
    if (e == 0 && accept(r, "overhead"))
        e = read_u32(r, &kind_size, &r->conf.overhead_bytes);
    if (e == 0 && r->conf.overhead_bytes > 1000)
        e = complain(r, r->last, "an overhead of at most 1000b");
    return e;
}

static int key_limit(struct reader *r)
{
    struct word w = next_word(r);
    uint64_t value;
    if (number(w, &kind_count, &value))
        r->conf.limit_pkts = (uint32_t)value;
    else if (number(w, &kind_size, &value))
        r->conf.limit_bytes = value;
    else
        value = 0;
    /* 0 in the configuration is the default, so it cannot be asked for. */
    return value != 0 ? 0 : complain(r, w, "packets or a size above 0, such as 100 or 64kb");
}

/* netem's defaults: r = 1 - p, every frame lost while bad, none while good. */
static int key_gemodel(struct reader *r)
{
    uint32_t *value[] = {&r->conf.ge.r_ppm, &r->conf.ge.bad_ppm, &r->conf.ge.good_ppm};
    int e = read_u32(r, &kind_percent, &r->conf.ge.p_ppm);
    r->conf.ge.r_ppm = 1000000 - r->conf.ge.p_ppm;
    r->conf.ge.bad_ppm = 1000000;
    r->conf.ge.good_ppm = 0;
    for (unsigned i = 0; e == 0 && i < WEIR_COUNT(value) && has_number(r); i++)
        e = read_u32(r, &kind_percent, value[i]);
    return e;
}

static int key_loss(struct reader *r)
{
    if (accept(r, "gemodel"))
        return key_gemodel(r);
    (void)accept(r, "random");
    return read_u32(r, &kind_percent, &r->conf.loss_ppm);
}

static int key_reorder(struct reader *r)
{
    int e = read_u32(r, &kind_percent, &r->conf.reorder_ppm);
    return e != 0 ? e : read_optional(r, &kind_time, &r->conf.reorder_ns);
}

static int key_duplicate(struct reader *r) { return read_u32(r, &kind_percent, &r->conf.dup_ppm); }

static int key_corrupt(struct reader *r)
{
    return read_u32(r, &kind_percent, &r->conf.corrupt_ppm);
}

static int key_cut(struct reader *r)
{
    if (!accept(r, "every"))
        return complain(r, peek(r), "'every TIME for TIME', such as 'every 10s for 500ms'");
    int e = read_u64(r, &kind_time, &r->conf.cut_every_ns);
    if (e == 0 && !accept(r, "for"))
        e = complain(r, peek(r), "'for' and a time, such as 'for 500ms'");
    if (e == 0)
        e = read_u64(r, &kind_time, &r->conf.cut_for_ns);
    if (e == 0 && r->conf.cut_for_ns >= r->conf.cut_every_ns)
        e = complain(r, r->last, "a cut shorter than the time between two");
    return e;
}

static int read_us(struct reader *r, uint32_t *out)
{
    uint64_t ns = 0;
    int e = read_u64(r, &kind_time, &ns);
    *out = (uint32_t)w_u64_min(ns / W_US, UINT32_MAX);
    return e == 0 && *out == 0 ? complain(r, r->last, "times of 1us or more") : e;
}

static int key_aqm(struct reader *r)
{
    struct emu_conf *c = &r->conf;
    int e = 0;
    if (accept(r, "codel"))
        c->aqm = AQM_CODEL;
    else if (accept(r, "fq_codel"))
        c->aqm = AQM_FQ_CODEL;
    else if (accept(r, "fifo"))
        c->aqm = AQM_FIFO;
    else
        return complain(r, peek(r), "fifo, codel or fq_codel");
    if (c->aqm != AQM_FIFO && accept(r, "target"))
        e = read_us(r, &c->target_us);
    if (e == 0 && c->aqm != AQM_FIFO && accept(r, "interval"))
        e = read_us(r, &c->interval_us);
    return e;
}

static int key_ecn(struct reader *r) { return read_u64(r, &kind_size, &r->conf.ecn_bytes); }

static int key_mtu(struct reader *r)
{
    int e = read_u32(r, &kind_size, &r->conf.mtu);
    if (e == 0 && (r->conf.mtu < 68 || r->conf.mtu > 65535))
        return complain(r, r->last, "a size from 68b to 65535b, such as 1400b");
    r->conf.has_too_big = e == 0 && accept(r, "icmp");
    return e;
}

static const struct {
    const char *name;
    int (*read)(struct reader *);
} keys[] = {
    {"delay", key_delay},
    {"jitter", key_jitter},
    {"rate", key_rate},
    {"limit", key_limit},
    {"loss", key_loss},
    {"reorder", key_reorder},
    {"duplicate", key_duplicate},
    {"corrupt", key_corrupt},
    {"cut", key_cut},
    {"ecn", key_ecn},
    {"mtu", key_mtu},
    {"aqm", key_aqm},
};

static int read_key(struct reader *r)
{
    for (unsigned i = 0; i < WEIR_COUNT(keys); i++) {
        if (word_is(r->last, keys[i].name))
            return keys[i].read(r);
    }
    r->n_err = 0;
    say_word(r, r->last);
    say(r, " is no link condition: expected ");
    for (unsigned i = 0; i < WEIR_COUNT(keys); i++) {
        say(r, keys[i].name);
        say(r, i + 2 < WEIR_COUNT(keys) ? ", " : i + 1 < WEIR_COUNT(keys) ? " or " : "");
    }
    return -EINVAL;
}

/* What can only be judged once every word is read. */
static int judge(struct reader *r)
{
    const struct emu_conf *c = &r->conf;
    bool has_queue_words =
        c->limit_pkts != 0 || c->limit_bytes != 0 || c->ecn_bytes != 0 || c->aqm != AQM_FIFO;
    if (c->rate_bps == 0 && has_queue_words) {
        say(r, "'limit', 'ecn' and 'aqm' are about the queue, and without 'rate' nothing queues");
        return -EINVAL;
    }
    if (c->aqm != AQM_FIFO && (c->ecn_bytes != 0 || c->limit_bytes != 0)) {
        say(r, "with 'aqm' the queue's limit is in packets, and the discipline marks: no 'ecn'");
        return -EINVAL;
    }
    uint32_t target = c->target_us != 0 ? c->target_us : 5000;
    uint32_t interval = c->interval_us != 0 ? c->interval_us : 100000;
    if (target > interval || interval > 4000000) {
        say(r, "'aqm': expected a target below the interval, and that below 4s");
        return -EINVAL;
    }
    return 0;
}

int emu_parse(const char *text, struct emu_conf *out, char *err)
{
    struct reader r = {.rest = text, .err = err};
    int e = 0;
    err[0] = '\0';
    while (e == 0) {
        r.last = next_word(&r);
        if (r.last.n == 0)
            break;
        e = read_key(&r);
    }
    if (e == 0)
        e = judge(&r);
    if (e == 0)
        *out = r.conf;
    WEIR_ASSERT((e == 0) == (err[0] == '\0'));
    return e;
}

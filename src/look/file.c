/* SPDX-License-Identifier: Apache-2.0
 *
 * Records as text: a trace file, and the logs that one is read into.
 *
 * A file is lines. The first is "# weir trace 1"; others that begin with # say something to people.
 * Each record is one line:
 *
 *     TIME HOST KIND KEY=VALUE …
 *
 * TIME is nanoseconds of the stack's clock, HOST a number from 0, KIND and the reasons are their
 * names in <weir/trace.def>: so a file outlives changes of numbers. What is 0 is left out. tcp= has
 * the fields of struct weir_trace_tcp in their order, with commas between. A reader passes over
 * keys that it does not know and takes what is missing as 0; anything else that is not as above is
 * refused with its line's number. A last line without an end is not there yet.
 *
 * Called by look.c (writing) and by the commands that read. Owns a log's arrays.
 */
#include "look/file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

enum { LINE = 1024, WORD = 64, N_DROPS = 512 };

#define HEAD "# weir trace 1"

/* ---- the numbers of a record, by name ---- */

struct field {
    const char *name;
    uint8_t at, size;
};

#define FIELD(name, member)                                                                        \
    {                                                                                              \
        name, offsetof(struct weir_trace, member), sizeof(((struct weir_trace *)0)->member)        \
    }
static const struct field numbers[] = {
    FIELD("conn", conn),   FIELD("pkt", pkt),   FIELD("nif", nif),
    FIELD("flags", flags), FIELD("seq", seq),   FIELD("len", len),
    FIELD("ack", ack),     FIELD("used", used), FIELD("max", max),
};
static const struct field of_tcp[] = {
    FIELD("cwnd", tcp.cwnd),         FIELD("ssthresh", tcp.ssthresh),
    FIELD("flight", tcp.flight),     FIELD("pipe", tcp.pipe),
    FIELD("snd_wnd", tcp.snd_wnd),   FIELD("rcv_wnd", tcp.rcv_wnd),
    FIELD("srtt_us", tcp.srtt_us),   FIELD("rto_us", tcp.rto_us),
    FIELD("sndq", tcp.sndq),         FIELD("sndq_max", tcp.sndq_max),
    FIELD("rcvq", tcp.rcvq),         FIELD("rcvq_max", tcp.rcvq_max),
    FIELD("below", tcp.below),       FIELD("state", tcp.state),
    FIELD("recovery", tcp.recovery), FIELD("timer", tcp.timer),
    FIELD("n_rto", tcp.n_rto),
};

static uint32_t get(const struct weir_trace *r, const struct field *f)
{
    const uint8_t *at = (const uint8_t *)r + f->at;
    uint16_t v16;
    uint32_t v32;
    if (f->size == 1)
        return *at;
    if (f->size == 2)
        return memcpy(&v16, at, 2), v16;
    return memcpy(&v32, at, 4), v32;
}

static void set(struct weir_trace *r, const struct field *f, uint32_t v)
{
    uint8_t *at = (uint8_t *)r + f->at;
    uint16_t v16 = (uint16_t)v;
    if (f->size == 1)
        *at = (uint8_t)v;
    else if (f->size == 2)
        memcpy(at, &v16, 2);
    else
        memcpy(at, &v, 4);
}

/* ---- writing ---- */

void look_put_head(FILE *f) { fprintf(f, HEAD "\n"); }

static void put_end(FILE *f, const char *key, const struct weir_trace_end *e)
{
    char text[INET6_ADDRSTRLEN];
    fprintf(f, " %s=%s/%u", key, inet_ntop(AF_INET6, e->addr, text, sizeof text), e->port);
}

static bool has_tcp(const struct weir_trace *r)
{
    static const struct weir_trace_tcp none;
    return r->kind != WEIR_T_OPEN && memcmp(&r->tcp, &none, sizeof none) != 0;
}

void look_put(FILE *f, unsigned host, const struct weir_trace *r)
{
    fprintf(f, "%" PRIu64 " %u %s", r->at, host, weir_trace_name(r->kind));
    if (r->kind == WEIR_T_TIMER && r->why != 0)
        fprintf(f, " which=%u", r->why);
    else if (r->why != 0)
        fprintf(f, " why=%s", weir_why_name(r->why));
    if (r->drop != 0)
        fprintf(f, " drop=%s", weir_trace_drop_name(r->drop));
    for (size_t i = 0; i < WEIR_COUNT(numbers); i++) {
        uint32_t v = get(r, &numbers[i]);
        if (v != 0)
            fprintf(f, " %s=%u", numbers[i].name, v);
    }
    if (r->kind == WEIR_T_OPEN) {
        put_end(f, "local", &r->ends.local);
        put_end(f, "remote", &r->ends.remote);
    }
    for (size_t i = 0; i < WEIR_COUNT(of_tcp) && has_tcp(r); i++)
        fprintf(f, "%s%u", i == 0 ? " tcp=" : ",", get(r, &of_tcp[i]));
    fputc('\n', f);
}

/* ---- reading ---- */

/* What a name is the number of; -1: of none. */
static int number_of(const char *name, const char *(*name_of)(unsigned), unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (strcmp(name, name_of(i)) == 0)
            return (int)i;
    return -1;
}

/* A whole number at *s up to `max`, and what stands behind it. */
static bool take_number(const char **s, uint64_t max, uint64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoull(*s, &end, 10);
    bool is_one = **s >= '0' && **s <= '9' && errno == 0 && *out <= max;
    *s = end;
    return is_one;
}

static bool parse_end(const char *s, struct weir_trace_end *e)
{
    char addr[INET6_ADDRSTRLEN];
    size_t n = strcspn(s, "/");
    uint64_t port;
    if (n >= sizeof addr || s[n] != '/')
        return false;
    memcpy(addr, s, n);
    addr[n] = '\0';
    s += n + 1;
    if (inet_pton(AF_INET6, addr, e->addr) != 1 || !take_number(&s, UINT16_MAX, &port))
        return false;
    e->port = (uint16_t)port;
    return *s == '\0';
}

static bool parse_tcp(const char *s, struct weir_trace *r)
{
    for (size_t i = 0; i < WEIR_COUNT(of_tcp); i++) {
        uint64_t v;
        if (!take_number(&s, UINT32_MAX, &v))
            return false;
        set(r, &of_tcp[i], (uint32_t)v);
        if (*s == '\0')
            return true;
        if (*s++ != ',')
            return false;
    }
    return true; /* more of them: a newer file */
}

static bool parse_name(const char *value, const char *(*name_of)(unsigned), unsigned n, int *out)
{
    *out = number_of(value, name_of, n);
    return *out >= 0;
}

/* One KEY=VALUE, cut apart already. */
static bool parse_pair(struct weir_trace *r, const char *key, const char *value)
{
    uint64_t v;
    int number = 0;
    for (size_t i = 0; i < WEIR_COUNT(numbers); i++) {
        if (strcmp(key, numbers[i].name) != 0)
            continue;
        bool is_good = take_number(&value, UINT32_MAX, &v) && *value == '\0';
        set(r, &numbers[i], is_good ? (uint32_t)v : 0);
        return is_good;
    }
    bool is_good = true;
    if (strcmp(key, "why") == 0) {
        is_good = parse_name(value, weir_why_name, WEIR_WHY_N, &number);
        r->why = (uint8_t)number;
    } else if (strcmp(key, "which") == 0) {
        is_good = take_number(&value, UINT8_MAX, &v);
        r->why = (uint8_t)v;
    } else if (strcmp(key, "drop") == 0) {
        is_good = parse_name(value, weir_trace_drop_name, N_DROPS, &number);
        r->drop = (uint16_t)number;
    } else if (strcmp(key, "tcp") == 0) {
        is_good = r->kind != WEIR_T_OPEN && parse_tcp(value, r);
    } else if (strcmp(key, "local") == 0 && r->kind == WEIR_T_OPEN) {
        is_good = parse_end(value, &r->ends.local);
    } else if (strcmp(key, "remote") == 0 && r->kind == WEIR_T_OPEN) {
        is_good = parse_end(value, &r->ends.remote);
    }
    return is_good;
}

/* A line without its end; what was expected instead, NULL: it is a record. */
static const char *parse_line(char *line, unsigned *host, struct weir_trace *r)
{
    const char *s = line;
    uint64_t v;
    char *word, *rest;
    *r = (struct weir_trace){0};
    if (!take_number(&s, UINT64_MAX, &r->at) || *s++ != ' ')
        return "a time in nanoseconds and a space";
    if (!take_number(&s, LOOK_HOSTS - 1, &v) || *s++ != ' ')
        return "the number of a host and a space";
    *host = (unsigned)v;
    word = strtok_r(line + (s - line), " ", &rest);
    int kind = word != NULL ? number_of(word, weir_trace_name, WEIR_T_N) : -1;
    if (kind < 0)
        return "the name of a kind of record";
    r->kind = (uint8_t)kind;
    while ((word = strtok_r(NULL, " ", &rest)) != NULL) {
        char *is = strchr(word, '=');
        if (is == NULL)
            return "KEY=VALUE";
        *is = '\0';
        if (!parse_pair(r, word, is + 1))
            return "a value that belongs to its key";
    }
    return NULL;
}

int look_log_read(struct look_log *l, FILE *f, char *err, size_t n_err)
{
    char line[LINE];
    unsigned long n = 1;
    for (; fgets(line, sizeof line, f) != NULL; n++) {
        struct weir_trace r;
        unsigned host;
        size_t len = strcspn(line, "\n");
        bool is_whole = line[len] == '\n';
        if (!is_whole && feof(f) && n > 1)
            break; /* the file still grows */
        line[len] = '\0';
        const char *want = NULL;
        if (n == 1)
            want = strcmp(line, HEAD) == 0 ? NULL : "'" HEAD "', as a trace begins";
        else if (line[0] != '#' && line[0] != '\0')
            want = is_whole ? parse_line(line, &host, &r) : "a shorter line";
        if (want != NULL) {
            snprintf(err, n_err, "line %lu: expected %s", n, want);
            return -EINVAL;
        }
        bool is_record = n > 1 && line[0] != '#' && line[0] != '\0';
        if (is_record && look_log_add(l, host, &r) < 0) {
            snprintf(err, n_err, "line %lu: no memory for more", n);
            return -ENOMEM;
        }
    }
    if (ferror(f)) {
        snprintf(err, n_err, "%s", strerror(errno));
        return -EIO;
    }
    if (n == 1) {
        snprintf(err, n_err, "it is empty; a trace begins with '" HEAD "'");
        return -EINVAL;
    }
    return 0;
}

/* ---- logs ---- */

int look_log_add(struct look_log *l, unsigned host, const struct weir_trace *r)
{
    struct look_records *h = &l->host[host];
    if (h->n == h->cap) {
        size_t cap = h->cap != 0 ? 2 * h->cap : 1024;
        struct weir_trace *v = realloc(h->v, cap * sizeof *v);
        if (v == NULL)
            return -ENOMEM;
        h->v = v;
        h->cap = cap;
    }
    h->v[h->n++] = *r;
    return 0;
}

void look_log_free(struct look_log *l)
{
    for (unsigned i = 0; i < LOOK_HOSTS; i++)
        free(l->host[i].v);
    *l = (struct look_log){0};
}

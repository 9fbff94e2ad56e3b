/* SPDX-License-Identifier: Apache-2.0
 *
 * The parser: a script from its options to its last event.
 *
 *     script  = option* [shell] event* [shell]
 *     option  = --NAME [= VALUE]
 *     event   = when (packet | call | shell | code)
 *     when    = [+] SECONDS [~ [+] SECONDS] | *
 *
 * Packets are read by parse_pkt.c, system calls by parse_call.c. The grammar is LL(1): one token is
 * looked at, and it decides. An option nobody knows is an error, as in packetdrill; options about
 * remote mode, devices and shared objects are accepted and ignored, since here there is no device.
 *
 * Called by script.c's users through script_parse(); calls the lexer. All memory is the script's.
 * A parser stops at the first error: one script, one message, with its line.
 */
#include "drill/parse.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

void parse_next(struct parser *p)
{
    lex_next(&p->lex, &p->tok);
    if (p->tok.kind != TOK_WORD)
        return;
    for (unsigned i = 0; i < p->n_define; i++) {
        const struct define *d = &p->define[i];
        if (d->n == p->tok.n && memcmp(d->name, p->tok.s, d->n) == 0) {
            unsigned line = p->tok.line;
            p->tok = d->value;
            p->tok.line = line;
            return;
        }
    }
}

bool parse_fail(struct parser *p, const char *fmt, ...)
{
    struct script_err *e = p->err;
    if (e->text[0] != '\0')
        return false;
    e->line = p->tok.line;
    if (p->tok.kind == TOK_BAD) {
        snprintf(e->text, sizeof(e->text), "%.*s", (int)p->tok.n, p->tok.s);
        return false;
    }
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(e->text, sizeof(e->text), fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof(e->text) - 1)
        return false;
    if (p->tok.kind == TOK_END)
        snprintf(e->text + n, sizeof(e->text) - (size_t)n, ", not the end of the script");
    else
        snprintf(e->text + n, sizeof(e->text) - (size_t)n, ", not \"%.*s\"",
                 (int)(p->tok.n < 40 ? p->tok.n : 40), p->tok.s);
    return false;
}

bool parse_skip(struct parser *p, const char *fmt, ...)
{
    char buf[SCRIPT_ERR_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(buf, sizeof(buf), fmt, ap);
    va_end(ap);
    p->script->skip = mem_text(&p->script->mem, buf, strlen(buf));
    p->script->skip_line = p->tok.line;
    return true;
}

bool parse_has_char(struct parser *p, char c)
{
    if (!tok_is_char(&p->tok, c))
        return false;
    parse_next(p);
    return true;
}

bool parse_char(struct parser *p, char c)
{
    return parse_has_char(p, c) || parse_fail(p, "expected '%c'", c);
}

bool parse_number(struct parser *p, int64_t max, int64_t *out)
{
    if (p->tok.kind != TOK_INT && p->tok.kind != TOK_HEX)
        return parse_fail(p, "expected a number");
    if (p->tok.num < 0 || p->tok.num > max)
        return parse_fail(p, "expected a number from 0 to %lld", (long long)max);
    *out = p->tok.num;
    parse_next(p);
    return true;
}

bool parse_seconds(struct parser *p, int64_t *us)
{
    enum { SECONDS_MAX = 1000000000 };
    if (p->tok.kind != TOK_INT && p->tok.kind != TOK_FLOAT)
        return parse_fail(p, "expected a time in seconds");
    bool is_int = p->tok.kind == TOK_INT;
    if (p->tok.num < 0 || p->tok.num > (is_int ? SECONDS_MAX : SECONDS_MAX * (int64_t)1000000))
        return parse_fail(p, "expected a time from 0 to %d seconds", SECONDS_MAX);
    *us = is_int ? p->tok.num * 1000000 : p->tok.num;
    parse_next(p);
    return true;
}

/* ---- options ---- */

enum opt_kind {
    OPT_IGNORED,
    OPT_TOLERANCE_US,
    OPT_TOLERANCE_PERCENT,
    OPT_IP_VERSION,
    OPT_LOCAL_IP,
    OPT_REMOTE_IP,
    OPT_MTU,
    OPT_MSS,
    OPT_TS_TICK,
    OPT_TS_SCALED,
    OPT_STRICT,
    OPT_BIND_PORT,
    OPT_CONNECT_PORT,
    OPT_DEFINE,
};

static const struct {
    const char *name;
    enum opt_kind kind;
} options[] = {
    {"tolerance_usecs", OPT_TOLERANCE_US},
    {"tolerance_percent", OPT_TOLERANCE_PERCENT},
    {"ip_version", OPT_IP_VERSION},
    {"local_ip", OPT_LOCAL_IP},
    {"remote_ip", OPT_REMOTE_IP},
    {"mtu", OPT_MTU},
    {"mss", OPT_MSS},
    {"tcp_ts_tick_usecs", OPT_TS_TICK},
    {"tcp_ts_ecr_scaled", OPT_TS_SCALED},
    {"strict_segments", OPT_STRICT},
    {"bind_port", OPT_BIND_PORT},
    {"connect_port", OPT_CONNECT_PORT},
    {"define", OPT_DEFINE},
    {"gateway_ip", OPT_IGNORED},
    {"netmask_ip", OPT_IGNORED},
    {"speed", OPT_IGNORED},
    {"init_scripts", OPT_IGNORED},
    {"non_fatal", OPT_IGNORED},
    {"dry_run", OPT_IGNORED},
    {"verbose", OPT_IGNORED},
    {"debug", OPT_IGNORED},
    {"use_expect", OPT_IGNORED},
    {"send_omit_free", OPT_IGNORED},
    {"code_command", OPT_IGNORED},
    {"code_format", OPT_IGNORED},
    {"code_sockopt", OPT_IGNORED},
    {"no_cleanup", OPT_IGNORED},
};

static bool option_ip_version(struct parser *p)
{
    static const struct {
        const char *name;
        enum ip_mode ip;
    } modes[] = {{"ipv4", IP_V4}, {"ipv6", IP_V6}, {"ipv4_mapped_ipv6", IP_MAPPED}};
    for (size_t i = 0; i < WEIR_COUNT(modes); i++)
        if (tok_is(&p->tok, modes[i].name)) {
            p->script->opts.ip = modes[i].ip;
            parse_next(p);
            return true;
        }
    return parse_fail(p, "expected ipv4, ipv6 or ipv4_mapped_ipv6");
}

static bool option_ip(struct parser *p, const char **out)
{
    if (p->tok.kind != TOK_IP4 && p->tok.kind != TOK_IP6)
        return parse_fail(p, "expected an IP address");
    *out = mem_text(&p->script->mem, p->tok.s, p->tok.n);
    parse_next(p);
    return true;
}

static bool option_define(struct parser *p)
{
    struct define d = {.name = p->tok.s, .n = p->tok.n};
    if (p->tok.kind != TOK_WORD || p->n_define == PARSE_DEFINES)
        return parse_fail(p, "expected NAME=VALUE, %d of them at most", PARSE_DEFINES);
    parse_next(p);
    if (!parse_char(p, '='))
        return false;
    d.value = p->tok;
    p->define[p->n_define++] = d;
    parse_next(p);
    return true;
}

/* A number into an option's field. */
static bool option_number(struct parser *p, enum opt_kind kind)
{
    struct script_opts *o = &p->script->opts;
    bool is_port = kind == OPT_BIND_PORT || kind == OPT_CONNECT_PORT;
    int64_t v = 0;
    if (kind == OPT_TOLERANCE_PERCENT) {
        bool is_ok = parse_seconds(p, &v);
        o->tolerance_ppm = v / 100;
        return is_ok;
    }
    if (!parse_number(p, is_port || kind == OPT_MTU || kind == OPT_MSS ? 65535 : 1000000000, &v))
        return false;
    switch (kind) {
    case OPT_TOLERANCE_US: o->tolerance_us = v; break;
    case OPT_MTU: o->mtu = (uint32_t)v; break;
    case OPT_MSS: o->mss = (uint32_t)v; break;
    case OPT_TS_TICK: o->ts_tick_us = v; break;
    case OPT_BIND_PORT: o->bind_port = (uint16_t)v; break;
    default: o->connect_port = (uint16_t)v; break;
    }
    return true;
}

/* The value of an option nobody needs: one token, or several joined by '='. */
static bool option_ignored(struct parser *p)
{
    do
        parse_next(p);
    while (parse_has_char(p, '='));
    return p->tok.kind != TOK_BAD || parse_fail(p, "expected a value");
}

static bool option_value(struct parser *p, enum opt_kind kind)
{
    switch (kind) {
    case OPT_IP_VERSION: return option_ip_version(p);
    case OPT_LOCAL_IP: return option_ip(p, &p->script->opts.local_ip);
    case OPT_REMOTE_IP: return option_ip(p, &p->script->opts.remote_ip);
    case OPT_DEFINE: return option_define(p);
    case OPT_IGNORED:
    case OPT_TS_SCALED:
    case OPT_STRICT: return option_ignored(p);
    default: return option_number(p, kind);
    }
}

static bool parse_option(struct parser *p)
{
    struct tok name = p->tok;
    size_t i = 0;
    while (i < WEIR_COUNT(options) &&
           (strlen(options[i].name) != name.n || memcmp(options[i].name, name.s, name.n) != 0))
        i++;
    if (i == WEIR_COUNT(options))
        return parse_fail(p, "expected an option weir drill knows");
    enum opt_kind kind = options[i].kind;
    bool is_flag = kind == OPT_TS_SCALED || kind == OPT_STRICT || kind == OPT_IGNORED;
    p->script->opts.is_ts_scaled |= kind == OPT_TS_SCALED;
    p->script->opts.is_strict_segments |= kind == OPT_STRICT;
    parse_next(p);
    if (tok_is_char(&p->tok, '=')) {
        parse_next(p);
        return option_value(p, kind);
    }
    return is_flag || parse_fail(p, "expected '=' and a value for --%.*s", (int)name.n, name.s);
}

/* ---- events ---- */

static bool parse_when(struct parser *p, struct when *w)
{
    *w = (struct when){.kind = WHEN_ANY};
    if (parse_has_char(p, '*'))
        return true;
    w->kind = parse_has_char(p, '+') ? WHEN_REL : WHEN_ABS;
    if (!parse_seconds(p, &w->us))
        return false;
    if (!parse_has_char(p, '~'))
        return true;
    w->is_range = true;
    if (w->kind == WHEN_REL && !parse_char(p, '+'))
        return false;
    if (!parse_seconds(p, &w->end_us))
        return false;
    return w->end_us >= w->us ||
           parse_fail(p, "expected a range that does not end before it begins");
}

static bool parse_action(struct parser *p, struct event *e)
{
    bool is_in = tok_is_char(&p->tok, '<'), is_out = tok_is_char(&p->tok, '>');
    e->line = p->tok.line;
    if (is_in || is_out) {
        e->kind = EV_PACKET;
        parse_next(p);
        return parse_packet(p, is_out, &e->pkt);
    }
    if (p->tok.kind == TOK_SHELL || p->tok.kind == TOK_CODE) {
        e->kind = p->tok.kind == TOK_SHELL ? EV_SHELL : EV_CODE;
        e->text = mem_text(&p->script->mem, p->tok.s, p->tok.n);
        parse_next(p);
        return true;
    }
    e->kind = EV_CALL;
    if (p->tok.kind == TOK_WORD || p->tok.kind == TOK_DOTS)
        return parse_call(p, &e->call);
    return parse_fail(p, "expected a packet, a system call, `shell` or %%{ code }%%");
}

static bool parse_events(struct parser *p)
{
    struct event **tail = &p->script->events;
    while (p->tok.kind != TOK_END && p->script->skip == NULL) {
        if (p->tok.kind == TOK_SHELL) { /* the clean-up command: there is nothing to clean up */
            parse_next(p);
            if (p->tok.kind != TOK_END)
                return parse_fail(p, "expected the end of the script after the clean-up command");
            break;
        }
        struct event *e = mem_take(&p->script->mem, sizeof(*e));
        if (!parse_when(p, &e->when) || !parse_action(p, e))
            return false;
        *tail = e;
        tail = &e->next;
        p->script->n_events++;
    }
    return true;
}

static bool parse_script(struct parser *p)
{
    parse_next(p);
    while (p->tok.kind == TOK_OPTION)
        if (!parse_option(p))
            return false;
    if (p->tok.kind == TOK_SHELL) {
        p->script->init = mem_text(&p->script->mem, p->tok.s, p->tok.n);
        p->script->init_line = p->tok.line;
        parse_next(p);
    }
    if (p->tok.kind == TOK_END)
        return parse_fail(p, "expected at least one event");
    return parse_events(p);
}

int script_parse(struct script *s, const char *path, const char *text, size_t n, enum ip_mode ip,
                 struct script_err *err)
{
    struct parser p = {.script = s, .err = err};
    *s = (struct script){.path = path};
    s->opts = (struct script_opts){
        .ip = ip, .tolerance_us = 4000, .bind_port = 8080, .connect_port = 8080};
    err->text[0] = '\0';
    lex_init(&p.lex, text, n);
    return parse_script(&p) ? 0 : -EINVAL;
}

void script_free(struct script *s) { mem_free(&s->mem); }

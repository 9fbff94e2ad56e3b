/* SPDX-License-Identifier: Apache-2.0
 *
 * Code blocks: the part of Python that packet scripts really use, over tcp_info.
 *
 *     %{ assert tcpi_snd_cwnd == 10, tcpi_snd_cwnd }%
 *     %{ cwnd += 2; assert 9 <= tcpi_snd_cwnd <= cwnd and not tcpi_lost }%
 *
 * Statements, one a line or separated by ';': assert EXPR [, anything]; NAME = EXPR, NAME += EXPR,
 * NAME -= EXPR; print(...), import and pass, which do nothing. Expressions: integers, names,
 * True, False, parentheses, or and not, comparisons (also chained), | ^ & << >> + - * / // %, unary
 * - + ~. Names are the script's own variables, the tcpi_ fields of the socket last made, and the
 * constants of sym.c. Anything else makes the script one that cannot be run here.
 *
 * The evaluator is operator precedence with two stacks; no recursion, so no input can overflow it.
 * Called by run.c. Variables live in struct run.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "drill/run.h"
#include "tcp/tcp.h"

enum { STACK = 32, NAME_MAX_LEN = 31 };

#define F(name)                                                                                    \
    {                                                                                              \
        "tcpi_" #name, offsetof(struct weir_tcp_info, name),                                       \
            sizeof(((struct weir_tcp_info *)0)->name)                                              \
    }

static const struct {
    const char *name;
    size_t at, n;
} fields[] = {
    F(state),
    F(ca_state),
    F(retransmits),
    F(probes),
    F(backoff),
    F(options),
    F(rto),
    F(ato),
    F(snd_mss),
    F(rcv_mss),
    F(unacked),
    F(sacked),
    F(lost),
    F(retrans),
    F(fackets),
    F(last_data_sent),
    F(last_ack_sent),
    F(last_data_recv),
    F(last_ack_recv),
    F(pmtu),
    F(rcv_ssthresh),
    F(rtt),
    F(rttvar),
    F(snd_ssthresh),
    F(snd_cwnd),
    F(advmss),
    F(reordering),
    F(rcv_rtt),
    F(rcv_space),
    F(total_retrans),
    F(pacing_rate),
    F(max_pacing_rate),
    F(bytes_acked),
    F(bytes_received),
    F(segs_out),
    F(segs_in),
    F(notsent_bytes),
    F(min_rtt),
    F(data_segs_in),
    F(data_segs_out),
    F(delivery_rate),
    F(busy_time),
    F(rwnd_limited),
    F(sndbuf_limited),
    F(delivered),
    F(delivered_ce),
    F(bytes_sent),
    F(bytes_retrans),
    F(dsack_dups),
    F(reord_seen),
    F(rcv_ooopack),
    F(snd_wnd),
    F(rcv_wnd),
    F(rehash),
    F(total_rto),
    F(total_rto_recoveries),
    F(total_rto_time),
    F(received_ce),
    F(delivered_e1_bytes),
    F(delivered_e0_bytes),
    F(delivered_ce_bytes),
    F(received_e1_bytes),
    F(received_e0_bytes),
    F(received_ce_bytes),
    F(accecn_fail_mode),
    F(accecn_opt_seen),
    /* the lowest bit of its byte in Linux, the only one here */
    {"tcpi_delivery_rate_app_limited", offsetof(struct weir_tcp_info, app_limit), 1},
};

enum op {
    OP_OPEN,
    OP_OR,
    OP_AND,
    OP_NOT,
    OP_EQ,
    OP_NE,
    OP_LE,
    OP_GE,
    OP_LT,
    OP_GT,
    OP_BOR,
    OP_BXOR,
    OP_BAND,
    OP_SHL,
    OP_SHR,
    OP_ADD,
    OP_SUB,
    OP_MUL,
    OP_DIV,
    OP_MOD,
    OP_NEG,
    OP_POS,
    OP_INV,
};

/* Longest spellings first, so that "<=" is not "<". */
static const struct {
    const char *text;
    enum op op;
    uint8_t rank;
} binary[] = {
    {"or", OP_OR, 1}, {"and", OP_AND, 2}, {"==", OP_EQ, 4},  {"!=", OP_NE, 4},   {"<=", OP_LE, 4},
    {">=", OP_GE, 4}, {"<<", OP_SHL, 8},  {">>", OP_SHR, 8}, {"//", OP_DIV, 10}, {"<", OP_LT, 4},
    {">", OP_GT, 4},  {"|", OP_BOR, 5},   {"^", OP_BXOR, 6}, {"&", OP_BAND, 7},  {"+", OP_ADD, 9},
    {"-", OP_SUB, 9}, {"*", OP_MUL, 10},  {"/", OP_DIV, 10}, {"%", OP_MOD, 10},
};

/* A value; a comparison remembers its right side, for a < b < c. */
struct val {
    int64_t v, right;
    bool is_comparison;
};

struct eval {
    struct run *r;
    const char *at;
    struct val val[STACK];
    struct {
        enum op op;
        uint8_t rank;
    } op[STACK];
    unsigned n_val, n_op, n_open;
};

static bool skip_code(struct run *r, const char *at)
{
    int n = (int)strcspn(at, "\n");
    return run_skip(r, "code that weir drill does not understand: %.*s", n < 60 ? n : 60, at);
}

/* ---- names ---- */

static bool info_value(struct run *r, size_t i, int64_t *out)
{
    struct weir_tcp_info info;
    size_t n = sizeof(info);
    const uint8_t *at = (const uint8_t *)&info + fields[i].at;
    memset(&info, 0, sizeof(info));
    if (r->info_fd == NULL || r->info_fd->kind != FD_SOCK)
        return run_fail(r, "there is no socket to ask for %s", fields[i].name);
    int e = file_getsockopt(host_files(r->host), host_clock(r->host), r->info_fd->file, 6, 11,
                            &info, &n);
    if (e < 0)
        return run_fail(r, "TCP_INFO: %s", strerror(-e));
    uint64_t v = 0;
    memcpy(&v, at, fields[i].n);
    *out = (int64_t)v;
    return true;
}

static struct var *var_of(struct run *r, const char *name)
{
    for (unsigned i = 0; i < r->n_vars; i++)
        if (strcmp(r->vars[i].name, name) == 0)
            return &r->vars[i];
    return NULL;
}

static bool name_value(struct run *r, const char *name, int64_t *out)
{
    const struct var *v = var_of(r, name);
    if (v != NULL) {
        *out = v->value;
        return true;
    }
    for (size_t i = 0; i < WEIR_COUNT(fields); i++)
        if (strcmp(fields[i].name, name) == 0)
            return info_value(r, i, out);
    bool is_true = strcmp(name, "True") == 0;
    *out = is_true;
    if (is_true || strcmp(name, "False") == 0 || strcmp(name, "None") == 0)
        return true;
    return sym_value(name, out) || run_skip(r, "code blocks do not know %s", name);
}

/* ---- expressions ---- */

static void skip_space(struct eval *e)
{
    while (*e->at == ' ' || *e->at == '\t' || (*e->at == '\\' && e->at[1] == '\n') ||
           (*e->at == '\n' && (e->n_open != 0 || (e->at[-1] == '\\'))))
        e->at++;
}

static bool is_name_char(char c) { return isalnum((unsigned char)c) || c == '_'; }

static bool take_text(struct eval *e, const char *text)
{
    size_t n = strlen(text);
    bool is_word = isalpha((unsigned char)text[0]) != 0;
    if (strncmp(e->at, text, n) != 0 || (is_word && is_name_char(e->at[n])))
        return false;
    e->at += n;
    return true;
}

static int64_t compare(enum op op, int64_t a, int64_t b)
{
    switch (op) {
    case OP_EQ: return a == b;
    case OP_NE: return a != b;
    case OP_LE: return a <= b;
    case OP_GE: return a >= b;
    case OP_LT: return a < b;
    default: return a > b;
    }
}

/* Wrapping arithmetic; shifts of 64 and more give 0. */
static int64_t combine(enum op op, int64_t a, int64_t b)
{
    uint64_t x = (uint64_t)a, y = (uint64_t)b;
    switch (op) {
    case OP_OR: return a != 0 || b != 0;
    case OP_AND: return a != 0 && b != 0;
    case OP_BOR: return (int64_t)(x | y);
    case OP_BXOR: return (int64_t)(x ^ y);
    case OP_BAND: return (int64_t)(x & y);
    case OP_SHL: return y > 63 ? 0 : (int64_t)(x << y);
    case OP_SHR: return y > 63 ? 0 : (int64_t)(x >> y);
    case OP_ADD: return (int64_t)(x + y);
    case OP_SUB: return (int64_t)(x - y);
    default: return (int64_t)(x * y);
    }
}

static bool apply_unary(struct eval *e, enum op op)
{
    if (e->n_val < 1)
        return skip_code(e->r, e->at);
    struct val *v = &e->val[e->n_val - 1];
    int64_t in = v->v;
    *v = (struct val){.v = op == OP_NOT   ? in == 0
                           : op == OP_INV ? ~in
                           : op == OP_NEG ? (int64_t)(0 - (uint64_t)in)
                                          : in};
    return true;
}

static bool apply(struct eval *e)
{
    enum op op = e->op[--e->n_op].op;
    if (op == OP_NOT || op >= OP_NEG)
        return apply_unary(e, op);
    if (op == OP_OPEN || e->n_val < 2)
        return skip_code(e->r, e->at);
    struct val b = e->val[--e->n_val], *a = &e->val[e->n_val - 1];
    if (op >= OP_EQ && op <= OP_GT) {
        bool is_held = !a->is_comparison || a->v != 0;
        int64_t left = a->is_comparison ? a->right : a->v;
        *a = (struct val){is_held && compare(op, left, b.v), b.v, true};
        return true;
    }
    if ((op == OP_DIV || op == OP_MOD) && (b.v == 0 || b.v == -1)) {
        if (b.v == 0)
            return run_fail(e->r, "division by zero in a code block");
        *a = (struct val){.v = op == OP_MOD ? 0 : (int64_t)(0 - (uint64_t)a->v)};
    } else if (op == OP_DIV || op == OP_MOD) {
        *a = (struct val){.v = op == OP_DIV ? a->v / b.v : a->v % b.v};
    } else {
        *a = (struct val){.v = combine(op, a->v, b.v)};
    }
    return true;
}

static bool push_op(struct eval *e, enum op op, uint8_t rank)
{
    if (e->n_op == STACK)
        return skip_code(e->r, e->at);
    e->op[e->n_op].op = op;
    e->op[e->n_op++].rank = rank;
    return true;
}

static bool push_val(struct eval *e, int64_t v)
{
    if (e->n_val == STACK)
        return skip_code(e->r, e->at);
    e->val[e->n_val++] = (struct val){.v = v};
    return true;
}

/* A number, a name, or what may stand before them. *is_done: the operand is complete. */
static bool operand(struct eval *e, bool *is_done)
{
    *is_done = false;
    if (take_text(e, "not"))
        return push_op(e, OP_NOT, 3);
    if (take_text(e, "("))
        return ++e->n_open, push_op(e, OP_OPEN, 0);
    if (take_text(e, "-"))
        return push_op(e, OP_NEG, 12);
    if (take_text(e, "+"))
        return push_op(e, OP_POS, 12);
    if (take_text(e, "~"))
        return push_op(e, OP_INV, 12);
    *is_done = true;
    if (isdigit((unsigned char)*e->at)) {
        char *end = NULL;
        int64_t v = (int64_t)strtoull(e->at, &end, 0);
        if (is_name_char(*end) || *end == '.')
            return skip_code(e->r, e->at);
        e->at = end;
        return push_val(e, v);
    }
    size_t n = 0;
    char name[NAME_MAX_LEN + 1];
    int64_t v = 0;
    while (is_name_char(e->at[n]))
        n++;
    if (n == 0 || n > NAME_MAX_LEN || e->at[n] == '(' || e->at[n] == '.')
        return skip_code(e->r, e->at);
    memcpy(name, e->at, n);
    name[n] = '\0';
    e->at += n;
    return name_value(e->r, name, &v) && push_val(e, v);
}

/* After an operand: an operator, or ')'; *is_end when neither stands here. */
static bool operator_after(struct eval *e, bool *wants_operand, bool *is_end)
{
    if (e->n_open != 0 && take_text(e, ")")) {
        while (e->n_op != 0 && e->op[e->n_op - 1].op != OP_OPEN)
            if (!apply(e))
                return false;
        e->n_op--;
        e->n_open--;
        e->val[e->n_val - 1].is_comparison = false;
        return true;
    }
    for (size_t i = 0; i < WEIR_COUNT(binary); i++) {
        if (!take_text(e, binary[i].text))
            continue;
        while (e->n_op != 0 && e->op[e->n_op - 1].rank >= binary[i].rank)
            if (!apply(e))
                return false;
        *wants_operand = true;
        return push_op(e, binary[i].op, binary[i].rank);
    }
    *is_end = true;
    return true;
}

/* Evaluates from *at, which moves behind the expression. */
static bool evaluate(struct run *r, const char **at, int64_t *out)
{
    struct eval e = {.r = r, .at = *at};
    bool wants_operand = true, is_end = false, is_done = false;
    while (!is_end) {
        skip_space(&e);
        if (!wants_operand) {
            if (!operator_after(&e, &wants_operand, &is_end))
                return false;
        } else {
            if (!operand(&e, &is_done))
                return false;
            wants_operand = !is_done;
        }
    }
    while (e.n_op != 0)
        if (!apply(&e))
            return false;
    *at = e.at;
    *out = e.val[0].v;
    return e.n_val == 1 || skip_code(r, e.at);
}

/* ---- statements ---- */

/* Past the rest of a statement: to the ';' or line end that is not inside quotes or brackets. */
static const char *skip_statement(const char *s)
{
    int depth = 0;
    char quote = '\0';
    for (; *s != '\0'; s++) {
        if (quote != '\0')
            quote = *s == quote ? '\0' : quote;
        else if (*s == '"' || *s == '\'')
            quote = *s;
        else if (*s == '(' || *s == '[')
            depth++;
        else if (*s == ')' || *s == ']')
            depth--;
        else if (*s == '#' && depth <= 0)
            return s + strcspn(s, "\n");
        else if (depth <= 0 && (*s == ';' || (*s == '\n' && s[-1] != '\\')))
            return s;
    }
    return s;
}

static bool run_assert(struct run *r, const char *s)
{
    const char *from = s, *at = s;
    int64_t v = 0, shown = 0;
    if (!evaluate(r, &at, &v))
        return false;
    if (v != 0)
        return true;
    int n = (int)(at - from);
    if (*at != ',')
        return run_fail(r, "the assertion does not hold:%.*s", n, from);
    /* What follows the comma is often the number one would like to know. */
    const char *msg = at + 1 + strspn(at + 1, " \t"), *end = msg;
    bool is_name = (isalpha((unsigned char)*msg) || *msg == '(') && evaluate(r, &end, &shown);
    while (end > msg && isspace((unsigned char)end[-1]))
        end--;
    if (is_name)
        return run_fail(r, "the assertion does not hold:%.*s (%.*s is %" PRId64 ")", n, from,
                        (int)(end - msg), msg, shown);
    r->result->status = DRILL_PASSED; /* the message could not be evaluated: that is no reason */
    return run_fail(r, "the assertion does not hold:%.*s", n, from);
}

static bool run_assignment(struct run *r, const char *s)
{
    size_t n = 0;
    char name[NAME_MAX_LEN + 1];
    int64_t v = 0;
    while (is_name_char(s[n]))
        n++;
    const char *at = s + n + strspn(s + n, " \t");
    char how = *at == '+' || *at == '-' ? *at++ : '=';
    if (n == 0 || n > NAME_MAX_LEN || *at != '=' || at[1] == '=')
        return skip_code(r, s);
    memcpy(name, s, n);
    name[n] = '\0';
    at++;
    if (!evaluate(r, &at, &v))
        return false;
    struct var *var = var_of(r, name);
    if (var == NULL) {
        if (r->n_vars == RUN_VARS || how != '=')
            return run_fail(r, "%s has no value yet, or there are too many variables", name);
        var = &r->vars[r->n_vars++];
        memcpy(var->name, name, n + 1);
    }
    var->value = how == '=' ? v : combine(how == '+' ? OP_ADD : OP_SUB, var->value, v);
    return true;
}

static bool starts_word(const char *s, const char *word)
{
    size_t n = strlen(word);
    return strncmp(s, word, n) == 0 && !is_name_char(s[n]);
}

bool code_run(struct run *r, const char *text)
{
    const char *s = text;
    for (s += strspn(s, " \t\r\n;\\"); *s != '\0'; s += strspn(s, " \t\r\n;\\")) {
        bool is_nothing = *s == '#' || starts_word(s, "print") || starts_word(s, "import") ||
                          starts_word(s, "from") || starts_word(s, "pass");
        if (starts_word(s, "assert")) {
            if (!run_assert(r, s + 6))
                return false;
        } else if (!is_nothing && !run_assignment(r, s)) {
            return false;
        }
        s = skip_statement(s);
    }
    run_trace(r, "%%{ code }%% holds");
    return true;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The parser's part for system calls.
 *
 *     call = [... SECONDS] NAME ( args ) = result [ERRNO] [( note )]
 *     expr = ... | NUMBER | "text"[...] | NAME [( args )] [= expr] | [ args ] | { args } | expr "|"
 * expr
 *
 * One shape serves every structure of the language: {fd=4, events=POLLIN}, {..., 100},
 * {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("1.2.3.4")}, {msg_iov(1)=[...]}. What
 * a call makes of it is the call's business (call_*.c); an argument that makes no sense is found
 * when the event runs.
 *
 * The expression parser keeps its own stack of open brackets, EXPR_DEPTH deep, instead of calling
 * itself. Invariant: `place` is where the next operand goes, `slot` is the expression a '|' would
 * extend, `last` the operand a '=' or '(' would belong to.
 */
#include "drill/parse.h"

enum { EXPR_DEPTH = 16 };

struct open {
    char closer;
    struct expr **tail, **slot, *last;
};

struct expr_parser {
    struct parser *p;
    struct open stack[EXPR_DEPTH];
    unsigned depth;
    struct expr **tail, **slot, **place, *last;
    bool wants_operand;
};

static struct expr *expr_new(struct parser *p, enum expr_kind kind)
{
    struct expr *e = mem_take(&p->script->mem, sizeof(*e));
    e->kind = (uint8_t)kind;
    e->num = p->tok.num;
    if (kind == EX_WORD || kind == EX_STRING)
        e->text = mem_text(&p->script->mem, p->tok.s, p->tok.n);
    return e;
}

static bool expr_open(struct expr_parser *x, char closer)
{
    if (x->depth == EXPR_DEPTH)
        return parse_fail(x->p, "expected fewer brackets inside each other");
    x->stack[x->depth++] = (struct open){closer, x->tail, x->slot, x->last};
    x->tail = x->slot = x->place = &x->last->kids;
    x->wants_operand = true;
    parse_next(x->p);
    return true;
}

static void expr_close(struct expr_parser *x)
{
    const struct open *o = &x->stack[--x->depth];
    x->tail = o->tail;
    x->slot = o->slot;
    x->last = o->last;
    x->wants_operand = false;
    parse_next(x->p);
}

static bool expr_operand(struct expr_parser *x)
{
    struct parser *p = x->p;
    enum expr_kind kind = EX_DOTS;
    bool is_list = tok_is_char(&p->tok, '['), is_struct = tok_is_char(&p->tok, '{');
    if (p->tok.kind == TOK_INT || p->tok.kind == TOK_HEX)
        kind = EX_INT;
    else if (p->tok.kind == TOK_WORD)
        kind = EX_WORD;
    else if (p->tok.kind == TOK_STRING)
        kind = EX_STRING;
    else if (is_list || is_struct)
        kind = is_list ? EX_LIST : EX_STRUCT;
    else if (p->tok.kind != TOK_DOTS)
        return parse_fail(p, "expected an argument");
    x->last = *x->place = expr_new(p, kind);
    x->wants_operand = false;
    if (is_list || is_struct)
        return expr_open(x, is_list ? ']' : '}');
    parse_next(p);
    if (kind == EX_STRING && p->tok.kind == TOK_DOTS)
        parse_next(p);
    return true;
}

/* a|b: what stands in the slot becomes a list of alternatives, and the next operand joins it. */
static void expr_or(struct expr_parser *x)
{
    struct expr *first = *x->slot;
    if (first->kind != EX_OR) {
        struct expr * or = expr_new(x->p, EX_OR);
        or->kids = first;
        *x->slot = or ;
    }
    x->place = &(*x->slot)->kids;
    while (*x->place != NULL)
        x->place = &(*x->place)->next;
    x->wants_operand = true;
    parse_next(x->p);
}

static void expr_value(struct expr_parser *x)
{
    x->last->has_value = true;
    x->slot = x->place = &x->last->value;
    x->wants_operand = true;
    parse_next(x->p);
}

static bool expr_comma(struct expr_parser *x)
{
    x->tail = x->slot = x->place = &(*x->tail)->next;
    x->wants_operand = true;
    parse_next(x->p);
    return true;
}

/* After an operand. *is_done: the outermost expression (or list) has ended. */
static bool expr_after(struct expr_parser *x, bool *is_done)
{
    struct parser *p = x->p;
    bool is_word = x->last->kind == EX_WORD && !x->last->has_value;
    if (tok_is_char(&p->tok, '|')) {
        expr_or(x);
    } else if (is_word && !x->last->has_args && x->depth > 0 && tok_is_char(&p->tok, '(')) {
        x->last->has_args = true;
        return expr_open(x, ')');
    } else if (is_word && tok_is_char(&p->tok, '=')) {
        expr_value(x);
    } else if (x->depth == 0) {
        *is_done = true;
    } else if (tok_is_char(&p->tok, ',')) {
        return expr_comma(x);
    } else if (tok_is_char(&p->tok, x->stack[x->depth - 1].closer)) {
        expr_close(x);
    } else {
        return parse_fail(p, "expected ',' or '%c'", x->stack[x->depth - 1].closer);
    }
    return true;
}

/* One expression into *out, or with `closer` a list of them, of which the opening bracket is the
 * present token. Each round takes a token, so the text bounds it. */
static bool parse_expr(struct parser *p, char closer, struct expr **out)
{
    struct expr top = {.kind = EX_LIST};
    struct expr_parser x = {.p = p, .last = &top, .wants_operand = true};
    x.tail = x.slot = x.place = &top.kids;
    bool is_done = false;
    if (closer != '\0' && !expr_open(&x, closer))
        return false;
    while (!is_done) {
        bool is_empty =
            x.wants_operand && x.depth > 0 && x.place == &x.stack[x.depth - 1].last->kids;
        if (is_empty && tok_is_char(&p->tok, x.stack[x.depth - 1].closer))
            expr_close(&x);
        else if (!(x.wants_operand ? expr_operand(&x) : expr_after(&x, &is_done)))
            return false;
        is_done = is_done || (closer != '\0' && x.depth == 0);
    }
    *out = top.kids;
    return true;
}

/* ( words ): what perror() says, or what flags mean; for the reader only. */
static bool parse_note(struct parser *p)
{
    if (!parse_has_char(p, '('))
        return true;
    while (!tok_is_char(&p->tok, ')')) {
        if (p->tok.kind == TOK_END || p->tok.kind == TOK_BAD)
            return parse_fail(p, "expected ')'");
        parse_next(p);
    }
    parse_next(p);
    return true;
}

bool parse_call(struct parser *p, struct script_call **out)
{
    struct script_call *c = *out = mem_take(&p->script->mem, sizeof(*c));
    if (p->tok.kind == TOK_DOTS) {
        c->is_blocking = true;
        parse_next(p);
        if (!parse_seconds(p, &c->end_us))
            return false;
    }
    if (p->tok.kind != TOK_WORD)
        return parse_fail(p, "expected a system call");
    c->name = mem_text(&p->script->mem, p->tok.s, p->tok.n);
    parse_next(p);
    if (!tok_is_char(&p->tok, '('))
        return parse_fail(p, "expected '(' after %s", c->name);
    if (!parse_expr(p, ')', &c->args) || !parse_char(p, '=') || !parse_expr(p, '\0', &c->result))
        return false;
    if (p->tok.kind == TOK_WORD) {
        c->err = mem_text(&p->script->mem, p->tok.s, p->tok.n);
        parse_next(p);
    }
    return parse_note(p);
}

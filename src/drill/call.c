/* SPDX-License-Identifier: Apache-2.0
 *
 * System calls of a script: begun, answered, compared with what the script says.
 *
 *     begin --done-------------------------------> finish --> compare the result
 *       `----parked--> pending --an answer, or--> finish --> compare the result and the time
 *                               its own deadline
 *
 * A call without "...TIME" must be answered at once. A call with it may be answered at once too,
 * but its time must be right: `+0...0 read(...)`. The calls themselves are in call_sock.c,
 * call_opt.c, call_io.c and call_poll.c, one table each; descriptors are the script's numbers,
 * which the run maps to files of the file table.
 *
 * A result of ENOPROTOOPT or EOPNOTSUPP that the script does not expect means that the stack says
 * it does not have the thing: the script is skipped and says why, it does not fail.
 *
 * Called by run.c. Invariant: r->pending is NULL or a call that has not been compared yet.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "drill/run.h"

/* ---- arguments ---- */

bool arg_int(struct run *r, const struct expr *e, int64_t *out)
{
    int64_t v = 0;
    *out = 0;
    if (e->kind == EX_LIST && e->kids != NULL && e->kids->next == NULL)
        e = e->kids;
    const struct expr *kid = e->kind == EX_OR ? e->kids : e;
    for (; kid != NULL; kid = e->kind == EX_OR ? kid->next : NULL) {
        if (kid->kind == EX_INT)
            v = kid->num;
        else if (kid->kind != EX_WORD)
            return run_fail(r, "an argument is no number");
        else if (kid->has_args && kid->kids != NULL && kid->kids->kind == EX_INT)
            v = kid->kids->num; /* htons(80) and the like: numbers here are in host order */
        else if (!sym_value(kid->text, &v))
            return run_fail(r, "%s is no name weir drill knows", kid->text);
        *out |= v;
    }
    return true;
}

const struct expr *arg_field(const struct expr *e, const char *name)
{
    for (const struct expr *kid = e->kids; kid != NULL; kid = kid->next)
        if (kid->kind == EX_WORD && kid->has_value && strcmp(kid->text, name) == 0)
            return kid->value;
    return NULL;
}

struct fd *fd_of(struct run *r, int64_t num)
{
    for (unsigned i = 0; i < RUN_FDS; i++)
        if (r->fds[i].kind != FD_FREE && r->fds[i].num == num)
            return &r->fds[i];
    return NULL;
}

bool arg_fd(struct run *r, struct pending *x, unsigned i, enum fd_kind want)
{
    int64_t num = 0;
    if (!arg_int(r, x->arg[i], &num))
        return false;
    x->fd = fd_of(r, num);
    if (x->fd == NULL || (want != FD_FREE && x->fd->kind != want))
        return run_fail(r, "%lld is no descriptor that %s takes", (long long)num, x->def->name);
    return true;
}

struct fd *fd_new(struct run *r, struct pending *x, enum fd_kind kind)
{
    const struct expr *e = x->ev->call->result;
    if (e->kind != EX_INT || e->num < 0) {
        run_fail(r, "%s gave a descriptor, which the script does not expect", x->def->name);
        return NULL;
    }
    /* A number that is open already: the script means the new one from now on. */
    struct fd *old = fd_of(r, e->num);
    if (old != NULL)
        old->num = -1;
    for (unsigned i = 0; i < RUN_FDS; i++)
        if (r->fds[i].kind == FD_FREE) {
            r->fds[i] = (struct fd){.kind = kind, .num = (int)e->num};
            return &r->fds[i];
        }
    run_fail(r, "more than %d descriptors", RUN_FDS);
    return NULL;
}

/* ---- results ---- */

static void show_result(int64_t v, char *buf, size_t cap)
{
    if (v < 0)
        snprintf(buf, cap, "-1 %s (%s)", sym_errno_name((int)-v), strerror((int)-v));
    else
        snprintf(buf, cap, "%" PRId64, v);
}

static bool check_result(struct run *r, const struct pending *x)
{
    const struct script_call *c = x->ev->call;
    char got[128], want[128];
    int64_t v = 0;
    if (c->result->kind == EX_DOTS)
        return true;
    if (!arg_int(r, c->result, &v))
        return false;
    int err = c->err != NULL ? sym_errno(c->err) : 0;
    if (c->err != NULL && err == 0)
        return run_fail(r, "%s is no error weir drill knows", c->err);
    bool is_right = v >= 0 ? x->result == v : err != 0 ? x->result == -err : x->result < 0;
    if (is_right)
        return true;
    show_result(x->result, got, sizeof(got));
    show_result(v < 0 && err != 0 ? -err : v, want, sizeof(want));
    if (x->result == -ENOPROTOOPT || x->result == -EOPNOTSUPP)
        return run_skip(r, "%s: the stack answers %s", c->name, got);
    return run_fail(r, "expected %s(…) = %s\n    came     %s at %.6f s", c->name,
                    v < 0 && err == 0 ? "an error" : want, got, (double)run_now_us(r) / 1e6);
}

/* "...TIME" counts from where the event's own time counts from. */
static int64_t end_us(const struct run *r, const struct event *ev)
{
    return ev->when.kind == WHEN_ABS ? ev->call->end_us
                                     : r->due_us - ev->when.us + ev->call->end_us;
}

static void pending_free(struct pending *x)
{
    free(x->buf);
    free(x);
}

void call_forget(struct run *r)
{
    struct pending *x = r->pending;
    if (x == NULL)
        return;
    r->pending = NULL;
    if (x->def->retry == NULL) {
        file_cancel(host_files(r->host), &x->fc);
        host_settle(r->host);
    }
    pending_free(x);
}

/* The call has its result. Frees x. */
static bool call_end(struct run *r, struct pending *x)
{
    const struct event *ev = r->ev;
    r->ev = x->ev;
    char got[128];
    bool is_ok = x->def->finish == NULL || x->def->finish(r, x);
    show_result(x->result, got, sizeof(got));
    run_trace(r, "%s(…) = %s", x->ev->call->name, got);
    is_ok = is_ok && check_result(r, x);
    int64_t off = x->ev->call->is_blocking ? run_now_us(r) - x->end_us : 0;
    if (is_ok && (off < 0 ? -off : off) > run_tolerance_us(r))
        is_ok = run_fail(r, "%s returned %.6f s too %s", x->ev->call->name,
                         (double)(off < 0 ? -off : off) / 1e6, off < 0 ? "early" : "late");
    pending_free(x);
    r->ev = is_ok ? ev : r->ev;
    return is_ok;
}

enum call_status call_answer(struct pending *x, int64_t result)
{
    x->result = result;
    return CALL_DONE;
}

enum call_status call_submit(struct run *r, struct pending *x)
{
    x->fc.is_nonblock = x->fc.is_nonblock || x->fd->is_nonblock;
    x->fc.file = x->fd->file;
    x->fc.deadline = W_NEVER;
    if (file_submit(host_files(r->host), host_clock(r->host), &x->fc) == FILE_PARKED)
        return CALL_PARKED;
    return call_answer(x, x->fc.result);
}

/* ---- begin, continue ---- */

static const struct call_def *find_def(const char *name)
{
    const struct call_def *const tables[] = {calls_sock, calls_opt, calls_io, calls_poll};
    for (size_t i = 0; i < WEIR_COUNT(tables); i++)
        for (const struct call_def *d = tables[i]; d->name != NULL; d++)
            if (strcmp(d->name, name) == 0)
                return d;
    return NULL;
}

static bool take_args(struct run *r, struct pending *x)
{
    for (const struct expr *e = x->ev->call->args; e != NULL; e = e->next) {
        if (x->n_arg == RUN_ARGS)
            return run_fail(r, "%s has too many arguments", x->ev->call->name);
        x->arg[x->n_arg++] = e;
    }
    if (x->n_arg < x->def->min_args || x->n_arg > x->def->max_args)
        return run_fail(r, "%s takes %u to %u arguments", x->def->name, x->def->min_args,
                        x->def->max_args);
    return true;
}

static bool call_park(struct run *r, struct pending *x)
{
    const struct script_call *c = x->ev->call;
    r->pending = x;
    if (c->is_blocking)
        return true;
    call_forget(r);
    return run_fail(r, "expected %s(…) to return at once\n    came     a call that waits", c->name);
}

bool call_begin(struct run *r, const struct event *ev)
{
    struct pending *x = calloc(1, sizeof(*x));
    if (x == NULL)
        return run_fail(r, "no memory");
    x->ev = ev;
    x->deadline = W_NEVER;
    x->end_us = end_us(r, ev);
    x->def = find_def(ev->call->name);
    enum call_status status = CALL_BAD;
    if (x->def == NULL)
        run_skip(r, "the call %s is not supported", ev->call->name);
    else if (take_args(r, x))
        status = x->def->begin(r, x);
    if (status == CALL_BAD) {
        pending_free(x);
        return false;
    }
    bool is_ok = status == CALL_DONE ? call_end(r, x) : call_park(r, x);
    if (is_ok)
        host_settle(r->host);
    return is_ok && call_continue(r);
}

bool call_continue(struct run *r)
{
    struct pending *x = r->pending;
    struct file_call *fc = host_answer(r->host);
    enum call_status status = CALL_PARKED;
    if (x == NULL)
        return true;
    if (x->def->retry != NULL)
        status = x->def->retry(r, x);
    else if (fc == &x->fc)
        status = call_answer(x, fc->result);
    if (status == CALL_PARKED)
        return true;
    r->pending = NULL;
    if (status == CALL_DONE)
        return call_end(r, x);
    pending_free(x);
    return false;
}

bool call_await(struct run *r)
{
    bool did_stop = false;
    if (r->pending == NULL)
        return true;
    const struct event *ev = r->pending->ev;
    int64_t limit = r->pending->end_us + run_tolerance_us(r);
    while (r->pending != NULL && run_now_us(r) < limit)
        if (!run_wait(r, (w_ns)limit * W_US, true, &did_stop))
            return false;
    if (r->pending == NULL)
        return true;
    r->ev = ev;
    call_forget(r);
    return run_fail(r, "expected %s(…) to return until %.6f s\n    came     nothing",
                    ev->call->name, (double)limit / 1e6);
}

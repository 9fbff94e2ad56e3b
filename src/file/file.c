/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of files: numbers, life, news, and where parked calls wait.
 *
 * Owns: the table, one struct file per socket. Calls belong to whoever submitted them; while parked
 * they are linked here on their file's list (for retrying when the socket has news) and, when they
 * have a deadline, on the table's list of timed calls.
 *
 * Called by door/ and drill/; calls weir.h only. How one call is answered stands in call.c, options
 * that belong to a file rather than to a socket in opt.c.
 *
 * Invariants: a call is on a file's list exactly while is_parked; a file is on the news list at
 * most once; a free number has sock 0. Files are never moved while calls are parked on them by
 * pointer: lists are rebuilt when the table grows, which is why struct file is allocated in chunks
 * that stay.
 */
#include "file/table.h"

#include <errno.h>
#include <stdlib.h>

enum { FILE_CHUNK = 65536, FILE_EVENTS = 64, FILE_ROUNDS = 1024 };

struct file_table *file_table_new(struct weir *w)
{
    struct file_table *ft = calloc(1, sizeof(*ft));
    if (ft == NULL)
        return NULL;
    /* Untouched pages of a calloc this large cost nothing. */
    ft->v = calloc(FILE_CHUNK, sizeof(*ft->v));
    if (ft->v == NULL) {
        free(ft);
        return NULL;
    }
    ft->w = w;
    ft->cap = 1;
    list_init(&ft->news);
    list_init(&ft->done);
    list_init(&ft->timed);
    return ft;
}

void file_table_free(struct file_table *ft)
{
    for (int i = 1; i < ft->cap; i++)
        if (ft->v[i].sock != 0)
            (void)weir_abort(ft->w, 0, ft->v[i].sock);
    free(ft->v);
    free(ft);
}

struct file *file_at(struct file_table *ft, int file)
{
    if (file < 1 || file >= ft->cap || ft->v[file].sock == 0)
        return NULL;
    return &ft->v[file];
}

static int file_number(struct file_table *ft)
{
    int n = ft->free;
    if (n != 0)
        ft->free = ft->v[n].next_free;
    else if (ft->cap < FILE_CHUNK)
        n = ft->cap++;
    return n;
}

/* Gives a socket a number. On failure the socket is closed. */
static int file_install(struct file_table *ft, weir_sock s, int family, int type)
{
    int n = file_number(ft);
    if (n == 0) {
        (void)weir_abort(ft->w, 0, s);
        return -ENFILE;
    }
    struct file *f = &ft->v[n];
    *f = (struct file){
        .sock = s, .family = family, .type = type, .rcvtimeo = WEIR_NEVER, .sndtimeo = WEIR_NEVER};
    list_init(&f->calls);
    (void)weir_sock_user(ft->w, s, (uint64_t)n);
    return n;
}

int file_socket(struct file_table *ft, int family, int type, int proto)
{
    weir_sock s;
    if (family != WEIR_INET && family != WEIR_INET6)
        return -EAFNOSUPPORT;
    if (type != WEIR_STREAM && type != WEIR_DGRAM)
        return -ESOCKTNOSUPPORT;
    if (proto != 0 && proto != (type == WEIR_STREAM ? 6 : 17))
        return -EPROTONOSUPPORT;
    int r = weir_socket(ft->w, family, type, &s);
    return r < 0 ? r : file_install(ft, s, family, type);
}

static void call_answer(struct file_table *ft, struct file_call *c)
{
    if (c->is_parked) {
        list_remove(&c->link);
        if (list_is_linked(&c->by_deadline))
            list_remove(&c->by_deadline);
        c->is_parked = false;
    }
    list_push_back(&ft->done, &c->link);
}

int file_close(struct file_table *ft, w_ns now, int file)
{
    struct file *f = file_at(ft, file);
    if (f == NULL)
        return -EBADF;
    while (!list_is_empty(&f->calls)) {
        struct file_call *c = WEIR_CONTAINER(f->calls.next, struct file_call, link);
        c->result = -EBADF;
        call_answer(ft, c);
    }
    if (list_is_linked(&f->news))
        list_remove(&f->news);
    int r = weir_close(ft->w, now, f->sock);
    f->sock = 0;
    f->next_free = ft->free;
    ft->free = file;
    return r;
}

/* The new socket that call_try put into c->result's place gets its number. */
static void call_finish_accept(struct file_table *ft, struct file *f, struct file_call *c,
                               weir_sock s)
{
    struct file listener = *f;
    c->result = file_install(ft, s, listener.family, listener.type);
}

enum file_status file_submit(struct file_table *ft, w_ns now, struct file_call *c)
{
    struct file *f = file_at(ft, c->file);
    c->done = 0;
    c->is_parked = false;
    c->is_opening = false;
    c->by_deadline.next = NULL;
    if (f == NULL) {
        c->result = -EBADF;
        return FILE_DONE;
    }
    if (call_try(ft, now, f, c, true)) {
        if (c->op == FILE_CLOSE)
            c->result = file_close(ft, now, c->file);
        if (c->op == FILE_ACCEPT && c->result > 0)
            call_finish_accept(ft, f, c, (weir_sock)c->result);
        return FILE_DONE;
    }
    bool is_in = c->op == FILE_RECV || c->op == FILE_ACCEPT;
    bool has_own = c->op == FILE_POLL || c->op == FILE_CLOSE;
    w_ns timeo = has_own ? WEIR_NEVER : is_in ? f->rcvtimeo : f->sndtimeo;
    c->deadline = w_u64_min(c->deadline, w_ns_add(now, timeo));
    c->is_parked = true;
    list_push_back(&f->calls, &c->link);
    if (c->deadline != WEIR_NEVER)
        list_push_back(&ft->timed, &c->by_deadline);
    return FILE_PARKED;
}

void file_cancel(struct file_table *ft, struct file_call *c)
{
    if (!c->is_parked)
        return;
    list_remove(&c->link);
    if (list_is_linked(&c->by_deadline))
        list_remove(&c->by_deadline);
    c->is_parked = false;
    c->result = c->done != 0 ? (int64_t)c->done : -EINTR;
    if (c->op == FILE_CLOSE)
        (void)file_close(ft, 0, c->file); /* as Linux: interrupted, and closed all the same */
}

/* Calls of one direction are answered in the order they came: the first that must still wait stops
 * the others of its kind. */
static void file_retry(struct file_table *ft, w_ns now, struct file *f)
{
    uint32_t waiting = 0;
    struct list *next;
    for (struct list *l = f->calls.next; l != &f->calls; l = next) {
        struct file_call *c = WEIR_CONTAINER(l, struct file_call, link);
        next = l->next;
        if ((waiting & 1u << c->op) != 0)
            continue;
        if (!call_try(ft, now, f, c, false)) {
            if (c->op != FILE_POLL)
                waiting |= 1u << c->op;
            continue;
        }
        if (c->op == FILE_ACCEPT && c->result > 0)
            call_finish_accept(ft, f, c, (weir_sock)c->result);
        call_answer(ft, c);
        if (c->op == FILE_CLOSE) {
            (void)file_close(ft, now, c->file);
            return;
        }
    }
}

static void file_expire(struct file_table *ft, w_ns now)
{
    struct list *next;
    for (struct list *l = ft->timed.next; l != &ft->timed; l = next) {
        struct file_call *c = WEIR_CONTAINER(l, struct file_call, by_deadline);
        next = l->next;
        if (c->deadline > now)
            continue;
        c->result = call_timeout_result(c);
        call_answer(ft, c);
        if (c->op == FILE_CLOSE) {
            (void)file_close(ft, now, c->file);
            next = ft->timed.next; /* it answered others */
        }
    }
}

void file_step(struct file_table *ft, w_ns now)
{
    struct weir_event ev[FILE_EVENTS];
    for (int round = 0; round < FILE_ROUNDS; round++) {
        unsigned n = weir_events(ft->w, ev, FILE_EVENTS);
        for (unsigned i = 0; i < n; i++) {
            struct file *f = file_at(ft, (int)ev[i].user);
            if (f == NULL || f->sock != ev[i].sock)
                continue;
            file_retry(ft, now, f);
            if (f->sock != ev[i].sock)
                continue;
            if (f->user != NULL && !list_is_linked(&f->news))
                list_push_back(&ft->news, &f->news);
        }
        if (n < FILE_EVENTS)
            break;
    }
    file_expire(ft, now);
}

struct file_call *file_done_pop(struct file_table *ft)
{
    struct list *l = list_pop_front(&ft->done);
    return l == NULL ? NULL : WEIR_CONTAINER(l, struct file_call, link);
}

w_ns file_next(const struct file_table *ft)
{
    w_ns next = WEIR_NEVER;
    for (const struct list *l = ft->timed.next; l != &ft->timed; l = l->next) {
        const struct file_call *c =
            (const struct file_call *)((const uint8_t *)l -
                                       offsetof(struct file_call, by_deadline));
        next = w_u64_min(next, c->deadline);
    }
    return next;
}

void file_set_user(struct file_table *ft, int file, void *user)
{
    struct file *f = file_at(ft, file);
    if (f == NULL)
        return;
    f->user = user;
    if (user == NULL && list_is_linked(&f->news))
        list_remove(&f->news);
    else if (user != NULL && !list_is_linked(&f->news))
        list_push_back(&ft->news, &f->news); /* what happened before is news, too */
}

void *file_event_pop(struct file_table *ft, uint32_t *bits)
{
    struct list *l = list_pop_front(&ft->news);
    if (l == NULL)
        return NULL;
    struct file *f = WEIR_CONTAINER(l, struct file, news);
    *bits = weir_poll(ft->w, f->sock);
    return f->user;
}

weir_sock file_sock(struct file_table *ft, int file)
{
    struct file *f = file_at(ft, file);
    return f == NULL ? 0 : f->sock;
}

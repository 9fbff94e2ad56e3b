/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls of the program that are answered later.
 *
 * A wait is a file_call with the ask it will answer. It is parked in the file table, and listed
 * here twice: by plug, so that a plug that ends takes its waits along, and by thread, because
 * nobody tells us that a signal took a thread out of its call: when the thread asks something else,
 * what it waited for before is over. A thread that never asks again leaves one wait behind, which
 * ends with the plug or when its answer finds nobody.
 *
 * Called by answer.c, stream.c, msg.c, plug.c, door.c; calls file/. Owns the waits.
 */
#include "door/state.h"

#include <errno.h>
#include <stdlib.h>

struct wait *wait_new(const struct ask *a, struct plug *p, enum file_op op, size_t buf)
{
    struct wait *w = malloc(sizeof(*w) + buf);
    if (w == NULL)
        return NULL;
    memset(w, 0, sizeof(*w));
    w->ask = *a;
    w->plug = p;
    w->call.op = op;
    w->call.file = p->file;
    w->call.deadline = W_NEVER;
    w->call.buf = w->buf;
    w->call.len = buf;
    w->call.user = w;
    return w;
}

static void wait_unlist(struct door *d, struct wait *w)
{
    struct wait **at = &d->waits[(unsigned)w->ask.tid % WAIT_BUCKETS];
    while (*at != NULL && *at != w)
        at = &(*at)->next;
    if (*at == NULL)
        return;
    *at = w->next;
    d->n_waits--;
    list_remove(&w->by_plug);
}

void wait_submit(struct door *d, struct wait *w)
{
    if (file_submit(d->ft, loop_now(d->loop), &w->call) == FILE_DONE) {
        answer_wait(d, w);
        return;
    }
    if (w->call.op == FILE_RECV && ask_answered_again(d, &w->ask)) { /* it had its datagram */
        file_cancel(d->ft, &w->call);
        free(w);
        return;
    }
    struct wait **bucket = &d->waits[(unsigned)w->ask.tid % WAIT_BUCKETS];
    w->next = *bucket;
    *bucket = w;
    d->n_waits++;
    list_push_back(&w->plug->waits, &w->by_plug);
}

void wait_cancel(struct door *d, struct wait *w)
{
    file_cancel(d->ft, &w->call);
    wait_unlist(d, w);
}

void wait_drop_thread(struct door *d, pid_t tid)
{
    struct wait *w = d->n_waits == 0 ? NULL : d->waits[(unsigned)tid % WAIT_BUCKETS];
    while (w != NULL && w->ask.tid != tid)
        w = w->next;
    if (w == NULL)
        return;
    wait_cancel(d, w);
    free(w);
}

void wait_drop_plug(struct door *d, struct plug *p)
{
    while (!list_is_empty(&p->waits)) {
        struct wait *w = WEIR_CONTAINER(p->waits.next, struct wait, by_plug);
        wait_cancel(d, w);
        (void)ask_answer(d, &w->ask, -EBADF);
        free(w);
    }
}

void wait_collect(struct door *d)
{
    struct file_call *c;
    while ((c = file_done_pop(d->ft)) != NULL) {
        struct wait *w = c->user;
        wait_unlist(d, w);
        answer_wait(d, w);
    }
}

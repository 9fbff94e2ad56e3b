/* SPDX-License-Identifier: Apache-2.0
 *
 * Datagrams between a placeholder pair and the datagram socket behind it.
 *
 * The pair is SOCK_SEQPACKET: it keeps the boundaries as SOCK_DGRAM would, and tells when the other
 * end closes, which SOCK_DGRAM does not. What arrives is put into the pair at once, so that poll
 * and plain read and recv of the program work untouched; where it came from is remembered beside,
 * in order, for the calls that ask (recvfrom with an address, recvmsg), which weir answers.
 *
 * The two can drift apart when a program mixes plain reads and asking calls on an unconnected
 * socket. So each entry also says what the datagram adds to SIOCOUTQ of weir's end, and before an
 * entry is used those that are no longer in the pair are dropped: the newest entries whose sum is
 * what the pair holds are the ones still there.
 *
 * A connected socket's pending error (ECONNREFUSED) cannot be put on the program's end; an empty
 * datagram wakes the program up, and the asking call answers the error. So it is for whoever asked
 * for the error queue: when the error is taken from there, the mark goes, too.
 *
 * Called by plane.c and msg.c.
 */
#include "door/state.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

enum { DGRAM_TURNS = 64, DGRAM_LARGEST = 65536, FROM_FIRST = 16, FROM_MOST = 4096 };

static uint32_t charge_of(const struct plug *p)
{
    int n = 0;
    return ioctl(p->fd, SIOCOUTQ, &n) == 0 && n > 0 ? (uint32_t)n : 0;
}

static struct dgram *dgram_keep(const void *data, size_t n)
{
    struct dgram *g = malloc(sizeof(*g) + n);
    if (g == NULL)
        return NULL;
    g->len = n;
    memcpy(g->data, data, n);
    return g;
}

/* ---- sources ---- */

static bool from_grow(struct plug *p)
{
    uint32_t cap = p->from_cap == 0 ? FROM_FIRST : 2 * p->from_cap;
    if (cap > FROM_MOST)
        return false;
    struct dgram_from *v = malloc(cap * sizeof(*v));
    if (v == NULL)
        return false;
    for (uint32_t i = 0; i < p->from_n; i++)
        v[i] = p->from[(p->from_head + i) & (p->from_cap - 1)];
    free(p->from);
    p->from = v;
    p->from_cap = cap;
    p->from_head = 0;
    return true;
}

void dgram_from_free(struct dgram_from *f)
{
    free(f->control);
    f->control = NULL;
}

/* The oldest k entries go. */
static void from_drop(struct plug *p, uint32_t k)
{
    for (uint32_t i = 0; i < k; i++)
        dgram_from_free(&p->from[(p->from_head + i) & (p->from_cap - 1)]);
    p->from_head += k;
    p->from_n -= k;
}

void dgram_from_end(struct plug *p)
{
    from_drop(p, p->from_n);
    dgram_from_free(&p->to_program_from);
}

void dgram_source_pop(struct plug *p)
{
    p->from[p->from_head & (p->from_cap - 1)].control = NULL;
    from_drop(p, 1);
}

static void from_push(struct plug *p, struct dgram_from *f)
{
    if (p->from_n == p->from_cap && !from_grow(p)) {
        if (p->from_cap == 0) {
            dgram_from_free(f);
            return;
        }
        from_drop(p, 1); /* the oldest is forgotten: its datagram has long been read */
    }
    p->from[(p->from_head + p->from_n++) & (p->from_cap - 1)] = *f;
    f->control = NULL;
}

/* Drops the entries whose datagrams the program has read by itself. */
static void from_sync(struct plug *p)
{
    uint32_t held = charge_of(p), sum = 0, keep = 0;
    while (keep < p->from_n && sum < held) {
        sum += p->from[(p->from_head + p->from_n - 1 - keep) & (p->from_cap - 1)].charge;
        keep++;
    }
    from_drop(p, p->from_n - keep);
}

bool dgram_source(struct plug *p, struct dgram_from *out)
{
    from_sync(p);
    if (p->from_n == 0)
        return false;
    *out = p->from[p->from_head & (p->from_cap - 1)];
    return true;
}

/* ---- network → program ---- */

/* Into the pair; false when it has to wait for room. Takes *f only when it need not wait. */
static bool pair_put(struct plug *p, const void *data, size_t n, struct dgram_from *f)
{
    uint32_t before = charge_of(p);
    if (before == 0)
        from_drop(p, p->from_n);
    ssize_t r = send(p->fd, data, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (r < 0 && errno == EAGAIN) {
        p->can_write = false;
        return false;
    }
    if (r < 0) {
        dgram_from_free(f);
        return true; /* closed or deaf: nobody wants it */
    }
    uint32_t after = charge_of(p);
    f->charge = after > before ? after - before : 1;
    from_push(p, f);
    return true;
}

static bool held_put(struct plug *p)
{
    if (p->to_program == NULL)
        return true;
    if (!pair_put(p, p->to_program->data, p->to_program->len, &p->to_program_from))
        return false;
    free(p->to_program);
    p->to_program = NULL;
    return true;
}

/* What the program calls the time, which may have been set since. */
static int64_t real_offset(void)
{
    struct timespec real, mono;
    (void)clock_gettime(CLOCK_REALTIME, &real);
    (void)clock_gettime(CLOCK_MONOTONIC, &mono);
    return (real.tv_sec - mono.tv_sec) * (int64_t)W_S + (real.tv_nsec - mono.tv_nsec);
}

/* The next datagram of the stack into d->scratch, and what is known of it: bytes, or -errno. */
static int64_t stack_take(struct door *d, struct plug *p, struct dgram_from *f)
{
    weir_sock s = file_sock(d->ft, p->file);
    if (!p->wants_control)
        return weir_recvfrom(d->w, loop_now(d->loop), s, d->scratch, DGRAM_LARGEST, 0, &f->from);
    uint8_t control[CONTROL_MOST];
    struct weir_msghdr m = {.buf = d->scratch,
                            .len = DGRAM_LARGEST,
                            .control = control,
                            .control_len = sizeof(control)};
    weir_real_time(d->w, real_offset());
    int64_t n = weir_recvmsg(d->w, loop_now(d->loop), s, &m, 0);
    if (n < 0)
        return n;
    f->from = m.name;
    if (m.control_len != 0 && (f->control = malloc(sizeof(*f->control) + m.control_len)) != NULL) {
        f->control->n = m.control_len;
        memcpy(f->control->data, control, m.control_len);
    }
    return n;
}

void dgram_to_program(struct door *d, struct plug *p)
{
    for (unsigned turn = 0; turn < DGRAM_TURNS; turn++) {
        if (!p->can_write || !held_put(p))
            return;
        struct dgram_from f = {.err = 0};
        int64_t n = stack_take(d, p, &f);
        if (n == -EAGAIN)
            return;
        if (n < 0) {
            dgram_error(d, p, (int)-n);
            continue;
        }
        if (pair_put(p, d->scratch, (size_t)n, &f))
            continue;
        p->to_program = dgram_keep(d->scratch, (size_t)n);
        p->to_program_from = f;
        if (p->to_program == NULL) {
            dgram_from_free(&p->to_program_from);
            d->n_dgrams_lost++;
        }
    }
    if (!list_is_linked(&p->work))
        list_push_back(&d->work, &p->work);
}

void dgram_put_back(struct door *d, struct plug *p, const void *data, size_t n,
                    const struct dgram_from *from)
{
    struct dgram_from f = *from;
    if (p->can_write && pair_put(p, data, n, &f))
        return;
    dgram_from_free(&f);
    d->n_dgrams_lost++;
}

void dgram_unmark(struct plug *p, int copy)
{
    struct dgram_from f;
    char byte;
    if (!dgram_source(p, &f) || f.err == 0)
        return;
    (void)recv(copy, &byte, 1, MSG_DONTWAIT);
    dgram_source_pop(p);
}

void dgram_error(struct door *d, struct plug *p, int err)
{
    struct dgram_from f = {.err = err};
    (void)d;
    if (err == 0)
        return;
    p->err = err;
    if (p->can_write)
        (void)pair_put(p, "", 0, &f);
}

/* ---- program → network ---- */

/* True: done with it, sent or not; false: wait for room in the stack. */
static bool stack_put(struct door *d, struct plug *p, const void *data, size_t n)
{
    weir_sock s = file_sock(d->ft, p->file);
    int64_t r = weir_sendto(d->w, loop_now(d->loop), s, data, n, 0, NULL);
    if (r == -EAGAIN)
        return false;
    if (r < 0) {
        d->n_dgrams_lost++;
        if (p->has_peer)
            dgram_error(d, p, (int)-r);
    }
    return true;
}

/* 0 bytes are an empty datagram, or the end, of which no event may have come yet. */
static bool is_ended(const struct plug *p)
{
    struct pollfd f = {.fd = p->fd, .events = POLLRDHUP};
    return poll(&f, 1, 0) == 1;
}

void dgram_to_stack(struct door *d, struct plug *p)
{
    for (unsigned turn = 0; turn < DGRAM_TURNS; turn++) {
        if (p->to_stack != NULL && !stack_put(d, p, p->to_stack->data, p->to_stack->len))
            return;
        free(p->to_stack);
        p->to_stack = NULL;
        if (!p->can_read)
            return;
        ssize_t n = recv(p->fd, d->scratch, DGRAM_LARGEST, MSG_DONTWAIT);
        if (n < 0 || (n == 0 && is_ended(p))) {
            p->can_read = false;
            return;
        }
        if (!stack_put(d, p, d->scratch, (size_t)n))
            p->to_stack = dgram_keep(d->scratch, (size_t)n);
    }
    if (!list_is_linked(&p->work))
        list_push_back(&d->work, &p->work);
}

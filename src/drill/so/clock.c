/* SPDX-License-Identifier: Apache-2.0
 *
 * Virtual time under a tool that believes in real time, and waiting.
 *
 * Theory of operation. Time is the host's number. It passes in three places, all of them calls of
 * the tool: usleep(), netdev_receive() while there is no packet (up to whatever the stack does
 * next), and by a microsecond in every gettimeofday(), because the tool spins on it for the last
 * few before an event. One thread, the one that made the adapter, lets it pass; a call of the other
 * thread that must wait sleeps on a condition variable: the tool looks into /proc whether it does.
 *
 * A woken thread asks for the time at once, to judge when its call returned. Until it has done so
 * nothing moves (n_woken): otherwise it would see the time at which its waker stopped. It has a
 * second of real time to ask, in case it does not mean to.
 *
 * A waiting call of the first thread itself lets time pass until it is answered; a kernel would
 * wait as long. When nothing in the stack can ever happen, it fails: EDEADLK.
 *
 * Called by the tool through the table, and by the other files of so/. Invariant: outside these
 * functions the host is at rest, and no waiter whose condition holds is asleep.
 */
#include "drill/so/adapter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "wire/csum.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

enum { STEPS_MAX = 1000000, ASK_SECONDS = 1, FIELD_AT = 16 };

/* When virtual time begins, so that no moment is 0. */
#define EPOCH_US 1000000000
/* Nobody waits longer for a packet. */
#define PATIENCE (24 * 3600 * W_S)

static int64_t micros(w_ns t) { return EPOCH_US + (int64_t)(t / W_US); }

/* ---- waking ------------------------------------------------------------------------------- */

/* Lets the threads just woken ask for the time before it changes. */
static void let_ask(struct adapter *a)
{
    struct timespec end;
    int e = 0;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += ASK_SECONDS;
    while (a->n_woken != 0 && e == 0)
        e = pthread_cond_timedwait(&a->asked, &a->lock, &end);
    a->n_woken = 0;
}

static bool is_over(struct adapter *a, const struct waiter *w)
{
    return w->is_done || host_now(a->host) >= w->deadline ||
           (w->test != NULL && w->test(a, w->arg));
}

static void wake_who_is_done(struct adapter *a)
{
    struct waiter **at = &a->waiting;
    while (*at != NULL) {
        struct waiter *w = *at;
        if (!is_over(a, w)) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        w->is_done = true;
        if (w->sleeps) {
            a->n_woken++;
            pthread_cond_signal(&w->wake);
        }
    }
}

void adapter_settle(struct adapter *a)
{
    struct file_call *c;
    host_settle(a->host);
    while ((c = host_answer(a->host)) != NULL)
        ((struct waiter *)c->user)->is_done = true;
    adapter_take_edges(a);
    wake_who_is_done(a);
    if (a->n_woken != 0 && pthread_equal(pthread_self(), a->main))
        let_ask(a);
}

/* ---- time passes -------------------------------------------------------------------------- */

static w_ns next_of_all(const struct adapter *a)
{
    w_ns next = host_next(a->host);
    for (const struct waiter *w = a->waiting; w != NULL; w = w->next)
        next = w_u64_min(next, w->deadline);
    return next;
}

void adapter_step(struct adapter *a, w_ns until)
{
    w_ns t = w_u64_min(until, next_of_all(a));
    (void)host_run(a->host, w_u64_max(t, host_now(a->host)), false);
    adapter_settle(a);
}

/* ---- waiting ------------------------------------------------------------------------------ */

static void leave_list(struct adapter *a, struct waiter *w)
{
    struct waiter **at = &a->waiting;
    while (*at != NULL && *at != w)
        at = &(*at)->next;
    if (*at == w)
        *at = w->next;
}

static void pass_time(struct adapter *a, const struct waiter *w)
{
    w_ns end = host_now(a->host) + PATIENCE;
    for (unsigned i = 0; i < STEPS_MAX && !w->is_done; i++) {
        if (next_of_all(a) == W_NEVER || host_now(a->host) >= end)
            return;
        adapter_step(a, end);
    }
}

bool adapter_wait(struct adapter *a, struct waiter *w)
{
    w->is_done = false;
    w->sleeps = !pthread_equal(pthread_self(), a->main);
    w->next = a->waiting;
    a->waiting = w;
    pthread_cond_init(&w->wake, NULL);
    adapter_settle(a);
    if (!w->sleeps)
        pass_time(a, w);
    while (w->sleeps && !w->is_done)
        pthread_cond_wait(&w->wake, &a->lock);
    leave_list(a, w);
    pthread_cond_destroy(&w->wake);
    return w->is_done;
}

int64_t adapter_call(struct adapter *a, const struct handle *h, struct file_call *c)
{
    struct waiter w = {.deadline = W_NEVER};
    c->file = h->file;
    c->is_nonblock = c->is_nonblock || h->is_nonblock;
    c->deadline = WEIR_NEVER;
    c->user = &w;
    if (file_submit(host_files(a->host), host_clock(a->host), c) == FILE_DONE)
        return c->result;
    if (adapter_wait(a, &w))
        return c->result;
    file_cancel(host_files(a->host), c);
    return -EDEADLK;
}

/* ---- the table's clock and wire ----------------------------------------------------------- */

int adapter_usleep(void *userdata, useconds_t us)
{
    struct adapter *a = adapter_enter(userdata);
    w_ns until = host_now(a->host) + us * W_US;
    while (host_now(a->host) < until)
        adapter_step(a, until);
    return (int)adapter_leave(a, 0);
}

int adapter_gettimeofday(void *userdata, struct timeval *tv, struct timezone *tz)
{
    struct adapter *a = userdata;
    (void)tz;
    pthread_mutex_lock(&a->lock);
    int64_t us = micros(host_now(a->host));
    bool is_woken = a->n_woken != 0 && !pthread_equal(pthread_self(), a->main);
    if (is_woken && --a->n_woken == 0)
        pthread_cond_signal(&a->asked);
    if (!is_woken)
        adapter_step(a, host_now(a->host) + W_US);
    pthread_mutex_unlock(&a->lock);
    *tv = (struct timeval){.tv_sec = us / 1000000, .tv_usec = us % 1000000};
    return 0;
}

int adapter_netdev_send(void *userdata, const void *bytes, size_t n)
{
    struct adapter *a = adapter_enter(userdata);
    return (int)adapter_leave(a, host_inject(a->host, bytes, n, 0) ? 0 : -ENOBUFS);
}

/* The tool checks IP's checksum and trusts TCP's. */
static bool is_csum_good(const struct sent_pkt *p)
{
    struct wire_ip4 h4;
    struct wire_ip6 h6;
    uint32_t sum;
    const uint8_t *at = p->bytes;
    if (wire_ip4_parse(p->bytes, p->n, &h4) == DROP_NONE && h4.proto == PROTO_TCP &&
        !wire_ip4_is_frag(&h4)) {
        uint32_t n = (uint32_t)h4.total - h4.hlen;
        at += h4.hlen;
        sum = csum_partial(CSUM_SCALAR, at, n, csum_pseudo(&h4.src, &h4.dst, PROTO_TCP, n));
        return csum_fold(sum) == 0;
    }
    if (wire_ip6_parse(p->bytes, p->n, &h6) != DROP_NONE || h6.next != PROTO_TCP)
        return true;
    at += WIRE_IP6_HLEN;
    sum = csum_partial(CSUM_SCALAR, at, h6.plen, csum_pseudo(&h6.src, &h6.dst, PROTO_TCP, h6.plen));
    return csum_fold(sum) == 0;
}

int adapter_netdev_receive(void *userdata, void *bytes, size_t *n, long long *time_us)
{
    struct adapter *a = adapter_enter(userdata);
    struct sent_pkt *p = NULL;
    w_ns end = host_now(a->host) + PATIENCE;
    for (unsigned i = 0; i < STEPS_MAX && (p = host_sent(a->host)) == NULL; i++) {
        if (next_of_all(a) == W_NEVER || host_now(a->host) >= end)
            break;
        adapter_step(a, end);
    }
    size_t room = *n;
    *n = 0;
    if (p != NULL) {
        *n = p->n < room ? p->n : room;
        memcpy(bytes, p->bytes, *n);
        *time_us = micros(p->at);
        if (!is_csum_good(p)) {
            fprintf(stderr, "libweir-packetdrill: a segment with a wrong TCP checksum was sent\n");
            exit(EXIT_FAILURE);
        }
        host_take(a->host, p);
    }
    return (int)adapter_leave(a, 0);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The host under test: where drill touches the stack.
 *
 * The stack is sans-I/O, so a virtual clock is nothing but a number given to each call: host_run()
 * asks weir_next() and file_next() when something is due, sets the clock to that, and lets it
 * happen. A second of script time costs what the events in it cost. The clock starts at START, not
 * at 0, so that a timestamp or deadline of 0 means what it means in life: none.
 *
 * The device below is perfect: it takes every packet at once and says so (weir_sent) in the same
 * instant. The packet that goes out is copied, with its moment.
 *
 * Owned by one script's run; called by run.c and the calls. Calls weir.h and file.h. Invariant:
 * outside host_run() nothing is due at or before now.
 */
#include "drill/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "pkt/pkt.h"

enum { BURST = 64, ROUNDS_MAX = 100000 };
#define START (1000 * W_S)

struct host {
    struct weir *w;
    struct file_table *files;
    void *mem;
    size_t mem_n;
    w_ns now;
    unsigned nif;
    struct sent_pkt *sent, **sent_tail;
    uint64_t n_sent;
    struct file_call *answer; /* the one popped and not yet taken */
};

static struct weir_addr addr_of(const struct addr *a)
{
    struct weir_addr w = {.family = addr_is_ip4(a) ? 4 : 6};
    memcpy(w.ip, a->b, sizeof(w.ip));
    return w;
}

static bool add_interface(struct host *h, const struct host_conf *c)
{
    struct weir_nif_conf nif = {.name = "tun0", .mtu = c->mtu, .flags = WEIR_NIF_L3};
    int id = weir_nif_add(h->w, &nif);
    if (id < 1)
        return false;
    h->nif = (unsigned)id;
    bool is_4 = addr_is_ip4(&c->local);
    struct weir_addr local = addr_of(&c->local), any = {.family = is_4 ? 4 : 6};
    if (is_4)
        any.ip[10] = any.ip[11] = 0xff;
    return weir_addr_add(h->w, h->nif, &local, is_4 ? 16 : 48) == 0 &&
           weir_route_add(h->w, h->nif, &any, 0, &any) == 0;
}

void host_conf_small(struct weir_conf *c)
{
    weir_conf_default(c);
    c->n_pkt = 4096;
    c->n_blk_small = 4096;
    c->n_blk_big = 512;
    c->n_tcb = 64;
    c->n_sock = 64;
    c->n_udp = 16;
    c->n_sent = 4096;
    c->n_syn = 64;
    c->n_tw = 64;
    c->n_neigh = 16;
    c->n_route = 16;
    c->n_reasm = 16;
}

struct host *host_new(const struct host_conf *c, const char **why)
{
    struct host *h = calloc(1, sizeof(*h));
    *why = "no memory";
    if (h == NULL)
        return NULL;
    h->now = START;
    h->sent_tail = &h->sent;
    h->mem_n = weir_size(&c->conf);
    h->mem = h->mem_n == 0 ? MAP_FAILED
                           : mmap(NULL, h->mem_n, PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (h->mem == MAP_FAILED) {
        free(h);
        return NULL;
    }
    *why = "the stack refused its configuration";
    if (weir_init(h->mem, h->mem_n, &c->conf, c->seed, h->now, &h->w) == 0) {
        h->files = file_table_new(h->w);
        if (h->files != NULL && add_interface(h, c))
            return h;
    }
    host_free(h);
    return NULL;
}

unsigned host_free(struct host *h)
{
    unsigned lost = 0;
    if (h->files != NULL)
        file_table_free(h->files);
    if (h->w != NULL)
        lost = weir_fini(h->w);
    for (struct sent_pkt *p = h->sent; p != NULL; p = h->sent) {
        h->sent = p->next;
        free(p);
    }
    munmap(h->mem, h->mem_n);
    free(h);
    return lost;
}

w_ns host_now(const struct host *h) { return h->now - START; }
w_ns host_clock(const struct host *h) { return h->now; }
struct file_table *host_files(struct host *h) { return h->files; }
struct sent_pkt *host_sent(struct host *h) { return h->sent; }

static void keep(struct host *h, const struct pkt *p)
{
    size_t n = weir_pkt_len(p);
    struct sent_pkt *s = malloc(sizeof(*s) + n);
    if (s == NULL) {
        fputs("weir drill: no memory\n", stderr);
        exit(2);
    }
    *s = (struct sent_pkt){.at = host_now(h), .n = n};
    weir_pkt_copy(p, s->bytes, n);
    *h->sent_tail = s;
    h->sent_tail = &s->next;
    h->n_sent++;
}

void host_settle(struct host *h)
{
    struct pkt *v[BURST];
    for (unsigned round = 0; round < ROUNDS_MAX; round++) {
        file_step(h->files, h->now);
        unsigned n = weir_tx(h->w, h->now, h->nif, v, BURST);
        for (unsigned i = 0; i < n; i++)
            keep(h, v[i]);
        if (n != 0)
            weir_sent(h->w, h->now, v, n);
        bool is_due = weir_next(h->w) <= h->now || file_next(h->files) <= h->now;
        if (n == 0 && !is_due)
            return;
        weir_tick(h->w, h->now);
    }
    WEIR_NEVER_HERE("the stack comes to rest");
}

struct file_call *host_answer(struct host *h)
{
    struct file_call *c = h->answer != NULL ? h->answer : file_done_pop(h->files);
    h->answer = NULL;
    return c;
}

static bool has_news(struct host *h, uint64_t n_before)
{
    if (h->answer == NULL)
        h->answer = file_done_pop(h->files);
    return h->answer != NULL || h->n_sent != n_before;
}

w_ns host_next(const struct host *h)
{
    w_ns next = w_u64_min(weir_next(h->w), file_next(h->files));
    return next == W_NEVER ? W_NEVER : next - START;
}

bool host_run(struct host *h, w_ns until, bool stops)
{
    uint64_t n_before = h->n_sent;
    until = w_ns_add(until, START);
    while (h->now < until) {
        if (stops && has_news(h, n_before))
            return true;
        w_ns next = w_u64_min(weir_next(h->w), file_next(h->files));
        h->now = w_u64_max(h->now, w_u64_min(next, until));
        weir_tick(h->w, h->now);
        host_settle(h);
    }
    return stops && has_news(h, n_before);
}

bool host_inject(struct host *h, const uint8_t *bytes, size_t n, uint32_t mss)
{
    struct pkt *p = weir_pkt(h->w, bytes, n);
    if (p == NULL)
        return false;
    p->gso_size = (uint16_t)mss;
    p->gso_segs = (uint16_t)(mss != 0 ? (n - 1) / mss : 0); /* headers are less than a segment */
    weir_rx(h->w, h->now, h->nif, &p, 1);
    host_settle(h);
    return true;
}

void host_take(struct host *h, struct sent_pkt *p)
{
    struct sent_pkt **at = &h->sent;
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    if (p->next == NULL)
        h->sent_tail = at;
    free(p);
}

int host_set(struct host *h, const char *name, const char *value)
{
    return weir_set(h->w, name, value);
}

int64_t host_inq(struct host *h, int file) { return weir_inq(h->w, file_sock(h->files, file)); }
int64_t host_outq(struct host *h, int file) { return weir_outq(h->w, file_sock(h->files, file)); }
int64_t host_outq_unsent(struct host *h, int file)
{
    return weir_outq_unsent(h->w, file_sock(h->files, file));
}
int64_t host_at_mark(struct host *h, int file)
{
    return weir_at_mark(h->w, file_sock(h->files, file));
}
uint32_t host_poll(struct host *h, int file) { return weir_poll(h->w, file_sock(h->files, file)); }

/* SPDX-License-Identifier: Apache-2.0
 *
 * Two whole stacks for tests, 10.0.0.1 and 10.0.0.2, joined by a wire without delay, in a time that
 * moves only when the test says so.
 */
#ifndef WEIR_TESTS_PAIR_H
#define WEIR_TESTS_PAIR_H

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "unit.h"

#include <weir/weir.h>

struct weir_pair {
    struct weir *w[2];
    void *mem[2];
    size_t n[2];
    unsigned nif[2];
    weir_ns now;
    uint64_t hash;  /* of every byte that crossed, and when */
    bool is_cut[2]; /* frames sent by this side are lost */
    unsigned n_frames;
};

static inline struct weir_addr pair_at(unsigned last, uint16_t port)
{
    struct weir_addr a = {.ip = {[10] = 0xff, [11] = 0xff}, .port = port, .family = 4};
    if (last != 0) {
        a.ip[12] = 10;
        a.ip[15] = (uint8_t)last;
    }
    return a;
}

/* fd00::last, or :: */
static inline struct weir_addr pair_at6(unsigned last, uint16_t port)
{
    struct weir_addr a = {.port = port, .family = 6};
    if (last != 0) {
        a.ip[0] = 0xfd;
        a.ip[15] = (uint8_t)last;
    }
    return a;
}

static inline void pair_conf(struct weir_conf *c)
{
    weir_conf_default(c);
    c->n_pkt = 512;
    c->n_blk_small = 256;
    c->n_blk_big = 128;
    c->n_tcb = c->n_sock = 32;
    c->n_udp = 8;
    c->n_sent = 256;
    c->n_syn = c->n_tw = 32;
}

static inline void pair_make(struct weir_pair *p, const struct weir_conf *c, uint64_t seed)
{
    memset(p, 0, sizeof(*p));
    p->now = 1000000000;
    for (unsigned i = 0; i < 2; i++) {
        struct weir_nif_conf nc = {
            .name = "p0", .mtu = 1500, .mac = {2, 0, 0, 0, 0, (uint8_t)(i + 1)}};
        struct weir_addr a = pair_at(i + 1, 0);
        p->n[i] = weir_size(c);
        p->mem[i] = mmap(NULL, p->n[i], PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_int_equal(weir_init(p->mem[i], p->n[i], c, seed + i, p->now, &p->w[i]), 0);
        int nif = weir_nif_add(p->w[i], &nc);
        assert_true(nif > 0);
        p->nif[i] = (unsigned)nif;
        assert_int_equal(weir_addr_add(p->w[i], p->nif[i], &a, 24), 0);
    }
}

/* fd00::1/64 and fd00::2/64 beside the IPv4 addresses. */
static inline void pair_add6(struct weir_pair *p)
{
    for (unsigned i = 0; i < 2; i++) {
        struct weir_addr a = pair_at6(i + 1, 0);
        assert_int_equal(weir_addr_add(p->w[i], p->nif[i], &a, 64), 0);
    }
}

static inline bool pair_move(struct weir_pair *p, unsigned from)
{
    struct pkt *v[16];
    uint8_t bytes[65536 + 64];
    unsigned n = weir_tx(p->w[from], p->now, p->nif[from], v, 16);
    for (unsigned i = 0; i < n; i++) {
        size_t len = weir_pkt_copy(v[i], bytes, sizeof(bytes));
        for (size_t k = 0; k < len; k++)
            p->hash = (p->hash ^ bytes[k] ^ p->now) * 0x100000001b3u;
        struct pkt *q = p->is_cut[from] ? NULL : weir_pkt(p->w[1 - from], bytes, len);
        if (q != NULL)
            weir_rx(p->w[1 - from], p->now, p->nif[1 - from], &q, 1);
    }
    weir_sent(p->w[from], p->now, v, n);
    p->n_frames += n;
    return n != 0;
}

/* Everything that happens without time passing. */
static inline void pair_settle(struct weir_pair *p)
{
    do {
        weir_tick(p->w[0], p->now);
        weir_tick(p->w[1], p->now);
    } while ((int)pair_move(p, 0) + (int)pair_move(p, 1) != 0);
}

/* Lets time pass, stopping at everything that wants to happen in between. */
static inline void pair_wait(struct weir_pair *p, weir_ns ns)
{
    weir_ns end = p->now + ns;
    pair_settle(p);
    while (p->now < end) {
        weir_ns a = weir_next(p->w[0]), b = weir_next(p->w[1]), next = a < b ? a : b;
        assert_true(next > p->now); /* contract (iii) */
        p->now = next < end ? next : end;
        pair_settle(p);
    }
}

static inline void pair_end(struct weir_pair *p)
{
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(weir_fini(p->w[i]), 0); /* contract (vi) */
        munmap(p->mem[i], p->n[i]);
    }
}

/* A connection from side 0 to a listener on side 1, port 80. */
static inline void pair_join(struct weir_pair *p, weir_sock *lsn, weir_sock *c, weir_sock *s)
{
    struct weir_addr at = pair_at(0, 80), to = pair_at(2, 80);
    assert_int_equal(weir_socket(p->w[1], WEIR_INET, WEIR_STREAM, lsn), 0);
    assert_int_equal(weir_bind(p->w[1], *lsn, &at), 0);
    assert_int_equal(weir_listen(p->w[1], *lsn, 8), 0);
    assert_int_equal(weir_socket(p->w[0], WEIR_INET, WEIR_STREAM, c), 0);
    assert_int_equal(weir_connect(p->w[0], p->now, *c, &to), -EINPROGRESS);
    pair_settle(p);
    assert_int_equal(weir_accept(p->w[1], p->now, *lsn, s, NULL), 0);
}

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * Two TCPs joined by a bad wire: whatever it loses, repeats or reorders, each byte arrives once and
 * in order, both ways, and both ends come to rest with every pool full.
 */
#include "tcp/lab_test.h"

struct run {
    struct wire w;
    struct tcb *lsn, *t[2];
    uint32_t sent[2], got[2], total;
    bool shut[2], eof[2];
};

static uint8_t byte_at(uint32_t i) { return (uint8_t)(i * 13 + (i >> 9)); }

static void write_some(struct run *r, int i, uint32_t piece)
{
    uint8_t buf[70000];
    while (r->sent[i] < r->total) {
        uint32_t n = w_u32_min(w_u32_min(piece, r->total - r->sent[i]), sizeof buf);
        for (uint32_t k = 0; k < n; k++)
            buf[k] = byte_at(r->sent[i] + k);
        int64_t k = tcp_send(&r->w.end[i].tcp, r->t[i], buf, n, 0);
        if (k <= 0)
            break;
        r->sent[i] += (uint32_t)k;
    }
    if (r->sent[i] == r->total && !r->shut[i])
        r->shut[i] = tcp_shutdown(&r->w.end[i].tcp, r->t[i], TCP_SHUT_WR) == 0;
}

static void read_some(struct run *r, int i, uint32_t piece)
{
    uint8_t buf[70000];
    int64_t n;
    while ((n = tcp_recv(&r->w.end[i].tcp, r->t[i], buf, w_u32_min(piece, sizeof buf), 0)) > 0) {
        for (int64_t k = 0; k < n; k++) {
            if (buf[k] != byte_at(r->got[i] + (uint32_t)k))
                fail_msg("byte %u is wrong", r->got[i] + (uint32_t)k);
        }
        r->got[i] += (uint32_t)n;
    }
    if (n == 0)
        r->eof[i] = true;
}

static void join(struct run *r)
{
    struct lab *a = &r->w.end[0], *b = &r->w.end[1];
    struct addr any = addr_ip4(0);
    struct flow f = {
        .local = addr_ip4(LAB_LOCAL), .remote = addr_ip4(LAB_REMOTE), .lport = 4000, .rport = 80};
    r->lsn = tcp_new(&b->tcp, 1);
    assert_int_equal(tcp_listen(&b->tcp, r->lsn, &any, 80, 4), 0);
    r->t[0] = tcp_new(&a->tcp, 1);
    assert_int_equal(tcp_connect(&a->tcp, r->t[0], &f), 0);
    w_ns limit = a->net.env.now + 100 * W_S;
    while ((r->t[1] = tcp_accept(&b->tcp, r->lsn)) == NULL)
        assert_true(wire_step(&r->w, limit));
    tcp_set_sock(r->t[1], 2);
}

static void check_all(struct run *r)
{
    for (int i = 0; i < 2; i++)
        tcb_check(&r->w.end[i].tcp, r->t[i]);
}

static void transfer(const struct wire_conf *wc, uint64_t seed, uint32_t total,
                     void (*conf)(struct weir_conf *))
{
    struct run r = {.total = total};
    wire_open(&r.w, wc, seed, conf);
    join(&r);
    w_ns limit = r.w.end[0].net.env.now + 4000 * W_S;
    uint32_t piece = 1 + rng_below(&r.w.rng, 60000);
    for (;;) {
        for (int i = 0; i < 2; i++) {
            read_some(&r, i, piece);
            write_some(&r, i, piece);
        }
        check_all(&r);
        if (r.eof[0] && r.eof[1])
            break;
        if (!wire_step(&r.w, limit))
            fail_msg("stuck: seed %llu, sent %u %u got %u %u", (unsigned long long)seed, r.sent[0],
                     r.sent[1], r.got[0], r.got[1]);
    }
    assert_int_equal(r.got[0], total);
    assert_int_equal(r.got[1], total);
    tcp_close(&r.w.end[0].tcp, r.t[0]);
    tcp_close(&r.w.end[1].tcp, r.t[1]);
    tcp_close(&r.w.end[1].tcp, r.lsn);
    limit = r.w.end[0].net.env.now + 1000 * W_S;
    while (wire_step(&r.w, limit))
        ;
    assert_int_equal(r.w.end[0].tcp.tws.in_use + r.w.end[1].tcp.tws.in_use, 0);
    wire_close(&r.w);
}

/* If this failed a clean network would already be too much. */
static void clean(void **state)
{
    const struct wire_conf c = {.delay = 10 * W_MS};
    (void)state;
    for (uint64_t seed = 0; seed < 5; seed++)
        transfer(&c, seed, 1000000, NULL);
}

/* If this failed a lossy network would lose bytes, or hang connections. */
static void lossy(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 40; seed++) {
        const struct wire_conf c = {.delay = (seed % 4) * 20 * W_MS + W_MS,
                                    .loss_ppm = (uint32_t)(seed % 5) * 20000 + 5000};
        transfer(&c, seed, 200000, NULL);
    }
}

/* If this failed a network that reorders and repeats would garble the stream. */
static void disorderly(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 40; seed++) {
        const struct wire_conf c = {.delay = 5 * W_MS,
                                    .loss_ppm = 10000,
                                    .dup_ppm = 50000,
                                    .reorder_ppm = (uint32_t)(seed % 4) * 100000};
        transfer(&c, seed, 200000, NULL);
    }
}

static void bare(struct weir_conf *c)
{
    c->tcp_sack = 0;
    c->tcp_timestamps = 0;
    c->tcp_window_scaling = 0;
    c->tcp_congestion_control = 0;
}

/* If this failed peers without any option would not get their bytes. */
static void without_options(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 40; seed++) {
        const struct wire_conf c = {.delay = 10 * W_MS,
                                    .loss_ppm = (uint32_t)(seed % 3) * 20000,
                                    .reorder_ppm = (uint32_t)(seed % 2) * 50000};
        transfer(&c, seed, 200000, bare);
    }
}

static void starving(struct weir_conf *c)
{
    c->n_pkt = 48;
    c->n_blk_small = 48;
    c->n_blk_big = 12;
    c->n_sent = 16;
    c->txqueuelen = 8;
}

/* If this failed a stack that runs out of memory would not recover. */
static void starved(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        const struct wire_conf c = {.delay = W_MS, .loss_ppm = 5000};
        transfer(&c, seed, 100000, starving);
    }
}

static void tiny_buffers(struct weir_conf *c)
{
    c->tcp_rmem_default = c->tcp_rmem_max = 4096;
    c->tcp_wmem_default = c->tcp_wmem_max = 4608;
}

/* If this failed small buffers would deadlock two ends that both write. */
static void small_buffers(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 10; seed++) {
        const struct wire_conf c = {.delay = W_MS, .loss_ppm = 20000};
        transfer(&c, seed, 60000, tiny_buffers);
    }
}

/* If this failed a path with a large bandwidth-delay product would be slow for want of window: the
 * buffers grow by themselves (C3). */
static void buffers_grow_with_the_path(void **state)
{
    struct run r = {.total = 20000000};
    const struct wire_conf c = {.delay = 50 * W_MS};
    (void)state;
    wire_open(&r.w, &c, 1, NULL);
    join(&r);
    w_ns start = r.w.end[0].net.env.now, limit = start + 1000 * W_S;
    while (r.got[1] < r.total) {
        write_some(&r, 0, 65536);
        read_some(&r, 1, 65536);
        assert_true(wire_step(&r.w, limit));
    }
    w_ns took = r.w.end[0].net.env.now - start;
    assert_true(took < 4 * W_S); /* 100 ms round trips: 64 KiB windows would take 30 s */
    assert_true(r.t[1]->rcv.limit > 1000000);
    for (int i = 0; i < 2; i++) {
        tcp_abort(&r.w.end[i].tcp, r.t[i], 0);
        tcp_close(&r.w.end[i].tcp, r.t[i]);
    }
    tcp_close(&r.w.end[1].tcp, r.lsn);
    wire_close(&r.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clean),
        cmocka_unit_test(lossy),
        cmocka_unit_test(disorderly),
        cmocka_unit_test(without_options),
        cmocka_unit_test(starved),
        cmocka_unit_test(small_buffers),
        cmocka_unit_test(buffers_grow_with_the_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

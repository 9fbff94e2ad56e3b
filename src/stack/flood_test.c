/* SPDX-License-Identifier: Apache-2.0
 *
 * A million forged SYNs while a thousand clients connect [RFC 4987].
 *
 * Two stacks on one link without Ethernet; what the server sends to forged addresses is lost, as in
 * life. In each millisecond a thousand SYNs come from anywhere, and one client connects, sends a
 * byte and wants it back.
 */
#include "unit.h"
#include "weir_pair.h"

#include "base/rng.h"

enum {
    CLIENTS = WEIR_CHECKS ? 50 : 1000, /* sanitized builds are ten times slower */
    SYNS_EACH = 1000,
    FRAME = 44,
    PORT = 80,
};

struct flood {
    struct weir_pair p; /* 0: the clients' stack, 1: the server */
    struct rng rng;
    weir_sock lsn, client[CLIENTS];
    unsigned n_open, n_echoed;
    uint64_t n_lost; /* answers to forged addresses */
};

static uint16_t sum16(const uint8_t *b, size_t n, uint32_t sum)
{
    for (size_t i = 0; i < n; i += 2)
        sum += (uint32_t)b[i] << 8 | b[i + 1];
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static void put16(uint8_t *b, uint32_t v)
{
    b[0] = (uint8_t)(v >> 8);
    b[1] = (uint8_t)v;
}

/* A SYN from 11.x.y.z, any port and number, with an MSS option. */
static struct pkt *forged_syn(struct flood *f)
{
    uint64_t r = rng_u64(&f->rng);
    uint8_t b[FRAME] = {0x45, 0, 0, FRAME, 0, 0, 0x40, 0, 64, 6, 0, 0, 11, 0, 0, 0, 10, 0, 0, 2};
    memcpy(b + 13, &r, 3);
    put16(b + 10, sum16(b, 20, 0));
    put16(b + 20, (uint32_t)(r >> 24) | 1024);
    put16(b + 22, PORT);
    memcpy(b + 24, (uint8_t *)&r + 4, 4);
    memcpy(b + 32, (const uint8_t[]){0x60, 0x02, 0xff, 0xff, 0, 0, 0, 0, 2, 4, 5, 0xb4}, 12);
    put16(b + 36, sum16(b + 12, FRAME - 12, 6 + FRAME - 20));
    return weir_pkt(f->p.w[1], b, FRAME);
}

/* One direction; forged addresses get nothing. */
static bool carry(struct flood *f, unsigned from)
{
    struct pkt *v[64];
    uint8_t b[2048];
    unsigned n = weir_tx(f->p.w[from], f->p.now, f->p.nif[from], v, 64);
    for (unsigned i = 0; i < n; i++) {
        size_t len = weir_pkt_copy(v[i], b, sizeof(b));
        if (len > 16 && b[16] == 11) {
            f->n_lost++;
            continue;
        }
        struct pkt *q = weir_pkt(f->p.w[1 - from], b, len);
        assert_non_null(q);
        weir_rx(f->p.w[1 - from], f->p.now, f->p.nif[1 - from], &q, 1);
    }
    weir_sent(f->p.w[from], f->p.now, v, n);
    return n != 0;
}

/* What there is to read goes back. */
static void echo(struct flood *f, weir_sock s)
{
    char byte;
    if (weir_recvfrom(f->p.w[1], f->p.now, s, &byte, 1, 0, NULL) == 1)
        assert_int_equal(weir_sendto(f->p.w[1], f->p.now, s, &byte, 1, 0, NULL), 1);
}

static void serve(struct flood *f)
{
    struct weir_event ev[64];
    weir_sock s;
    unsigned n;
    while (weir_accept(f->p.w[1], f->p.now, f->lsn, &s, NULL) == 0) {
        assert_int_equal(weir_sock_user(f->p.w[1], s, 1), 0);
        echo(f, s);
    }
    while ((n = weir_events(f->p.w[1], ev, 64)) > 0)
        for (unsigned i = 0; i < n; i++)
            if (ev[i].user == 1)
                echo(f, ev[i].sock);
}

static void clients(struct flood *f)
{
    struct weir_event ev[64];
    char byte = 'x';
    unsigned n;
    while ((n = weir_events(f->p.w[0], ev, 64)) > 0)
        for (unsigned i = 0; i < n; i++) {
            assert_int_equal(ev[i].bits & (WEIR_ERR | WEIR_HUP), 0);
            if ((ev[i].bits & WEIR_CONNECTED) == 0)
                continue;
            bool is_new = ev[i].user == 0;
            if (is_new)
                assert_int_equal(weir_sendto(f->p.w[0], f->p.now, ev[i].sock, &byte, 1, 0, NULL),
                                 1);
            else if (weir_recvfrom(f->p.w[0], f->p.now, ev[i].sock, &byte, 1, 0, NULL) == 1)
                f->n_echoed++;
            (void)weir_sock_user(f->p.w[0], ev[i].sock, 2);
        }
}

static void settle(struct flood *f)
{
    bool is_busy = true;
    while (is_busy) {
        for (unsigned i = 0; i < 2; i++)
            weir_tick(f->p.w[i], f->p.now);
        serve(f);
        clients(f);
        is_busy = carry(f, 0);
        is_busy = carry(f, 1) || is_busy;
    }
}

static void make_host(struct flood *f, unsigned i)
{
    struct weir_conf c;
    struct weir_nif_conf nc = {.name = "l3", .mtu = 1500, .flags = WEIR_NIF_L3};
    struct weir_addr a = pair_at(i + 1, 0), any = {.ip = {[10] = 0xff, [11] = 0xff}, .family = 4};
    pair_conf(&c);
    c.n_pkt = c.n_blk_small = c.n_blk_big = 4096;
    c.n_tcb = c.n_sock = CLIENTS + 16;
    c.n_sent = 4 * CLIENTS;
    c.n_syn = 256;
    f->p.n[i] = weir_size(&c);
    f->p.mem[i] = mmap(NULL, f->p.n[i], PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_int_equal(weir_init(f->p.mem[i], f->p.n[i], &c, 3 + i, f->p.now, &f->p.w[i]), 0);
    f->p.nif[i] = (unsigned)weir_nif_add(f->p.w[i], &nc);
    assert_int_equal(weir_addr_add(f->p.w[i], f->p.nif[i], &a, 24), 0);
    assert_int_equal(weir_route_add(f->p.w[i], f->p.nif[i], &any, 0, &any), 0);
}

static void flood(struct flood *f)
{
    struct pkt *v[SYNS_EACH];
    struct weir_addr to = pair_at(2, PORT);
    for (unsigned ms = 0; ms < CLIENTS; ms++) {
        f->p.now += 1000000;
        for (unsigned i = 0; i < SYNS_EACH / 50; i++) {
            for (unsigned k = 0; k < 50; k++)
                assert_non_null(v[k] = forged_syn(f));
            weir_rx(f->p.w[1], f->p.now, f->p.nif[1], v, 50);
            settle(f);
        }
        assert_int_equal(weir_socket(f->p.w[0], WEIR_INET, WEIR_STREAM, &f->client[ms]), 0);
        int r = weir_connect(f->p.w[0], f->p.now, f->client[ms], &to);
        assert_int_equal(r, -EINPROGRESS);
        f->n_open++;
        settle(f);
    }
}

/* If this failed a few megabits of SYNs from forged addresses would take any server off the net. */
static void a_flood_of_syns_locks_nobody_out(void **state)
{
    static struct flood f;
    struct weir_addr at = pair_at(2, PORT);
    (void)state;
    f.p.now = 1000000000;
    rng_seed(&f.rng, 42);
    make_host(&f, 0);
    make_host(&f, 1);
    assert_int_equal(weir_socket(f.p.w[1], WEIR_INET, WEIR_STREAM, &f.lsn), 0);
    assert_int_equal(weir_bind(f.p.w[1], f.lsn, &at), 0);
    assert_int_equal(weir_listen(f.p.w[1], f.lsn, 128), 0);
    flood(&f);
    settle(&f);
    assert_int_equal(f.n_echoed, CLIENTS);
    /* Each SYN was answered, by a record as long as there was one, then by a cookie. */
    assert_true(f.n_lost >= (uint64_t)CLIENTS * SYNS_EACH);
    uint64_t sent = weir_counter_named(f.p.w[1], "SyncookiesSent");
    assert_true(sent >= (uint64_t)CLIENTS * SYNS_EACH - 1000);
    assert_int_equal(weir_counter_named(f.p.w[1], "SyncookiesRecv"), CLIENTS);
    assert_int_equal(weir_counter_named(f.p.w[1], "ListenDrops"), 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(weir_fini(f.p.w[i]), 0);
        munmap(f.p.mem[i], f.p.n[i]);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_flood_of_syns_locks_nobody_out),
};
UNIT_MAIN(tests)

/* SPDX-License-Identifier: Apache-2.0
 *
 * Fixed operations on the in-memory pair, for tools/instructions to count under callgrind.
 *
 * Prints what a count depends on besides our code ("compiler gcc 12.2.0"), then one line per
 * operation, "operation NAME FUNCTION PER TITLE", and runs each some times to warm up and then some
 * times from count(). The instructions that count() spent in FUNCTION, divided by the calls and by
 * PER, are the operation's cost; what `before` and `after` do around it is not part of it.
 *
 * Keeps: the same instructions in every run: time moves by a fixed step, the seeds are fixed, the
 * stack and what is copied in bulk start at a page. Checksums are computed, except where a row says
 * otherwise; two copies, in at send and out at receive, are part of every transfer.
 */
#include "pair.h"

#include <alloca.h>
#include <errno.h>
#include <gnu/libc-version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/csum.h"

enum {
    MANY = 10000,    /* connections of the rows that have many */
    BUSY = 500,      /* … of which so many have work */
    PAYLOAD = 1448,  /* of a segment: MSS 1460 less the timestamps */
    BULK_SEGS = 44,  /* whole segments in 64 KB, so that none waits for another */
    SUPER_SEGS = 45, /* … in one IP packet */
    DGRAM = 64,
    MORE_TCB = 1024, /* connections that may come and go beside those that stay */
    TURN_NS = 1000,  /* a turn of the pair */
    PAGE = 4096,
};

/* A function that callgrind is to see as such. */
#define COUNTED __attribute__((noinline))

struct op {
    const char *name, *title;
    const char *function; /* run's name */
    void (*setup)(void);
    void (*before)(void); /* of each run, may be NULL */
    void (*run)(void);
    void (*after)(void); /* of each run, may be NULL */
    unsigned n_warm, n;  /* runs */
    unsigned per;        /* what is counted in a run: 1, or its segments */
};

static struct pair p;
static weir_sock lsn, c[MANY], s[MANY];
static struct pkt *held; /* the segment or ACK on the wire between before, run and after */
static unsigned n_run;   /* runs since setup */
static _Alignas(PAGE) uint8_t buf[SUPER_SEGS * PAYLOAD];

static void must(bool is_so, const char *what)
{
    if (is_so)
        return;
    fprintf(stderr, "weir_count: %s\n", what);
    exit(1);
}

/* ---- the pair ---- */

static void drop_events(void)
{
    struct weir_event ev[64];
    while (weir_events(p.w[0], ev, 64) == 64)
        ;
    while (weir_events(p.w[1], ev, 64) == 64)
        ;
}

static void join(weir_sock *client, weir_sock *server)
{
    struct weir_addr to = pair_addr(1, 0, PAIR_PORT);
    must(weir_socket(p.w[0], WEIR_INET, WEIR_STREAM, client) == 0, "socket");
    must(weir_connect(p.w[0], p.now, *client, &to) == -EINPROGRESS, "connect");
    pair_run(&p, false);
    must(weir_accept(p.w[1], p.now, lsn, server, NULL) == 0, "accept");
}

static void wait_s(unsigned seconds)
{
    for (unsigned i = 0; i < seconds * 10; i++) {
        p.now += W_S / 10;
        pair_run(&p, true);
        drop_events();
    }
}

/* A listener and n connections, gone quiet. */
static void start_on(uint32_t n, bool has_tso, bool has_nics)
{
    struct weir_addr any = {.port = PAIR_PORT, .family = 4};
    struct pair_conf pc = {.mtu = 1500,
                           .has_tso = has_tso,
                           .has_csum = has_tso,
                           .n_conns = n + MORE_TCB,
                           .n_addrs = 1,
                           .step = TURN_NS,
                           .has_nics = has_nics};
    pair_init(&p, &pc);
    must(weir_socket(p.w[1], WEIR_INET, WEIR_STREAM, &lsn) == 0, "socket");
    must(weir_bind(p.w[1], lsn, &any) == 0, "bind");
    must(weir_listen(p.w[1], lsn, 4096) == 0, "listen");
    for (uint32_t i = 0; i < n; i++) {
        join(&c[i], &s[i]);
        drop_events();
    }
    wait_s(2);
    n_run = 0;
}

static void start(uint32_t n, bool has_tso) { start_on(n, has_tso, false); }
static void start_nic(void) { start_on(1, false, true); }
static void start_none(void) { start(0, false); }
static void start_one(void) { start(1, false); }
static void start_many(void) { start(MANY, false); }
static void start_super(void) { start(1, true); }

/* ---- operations ---- */

static void send_all(unsigned side, weir_sock from, size_t n)
{
    must(weir_sendto(p.w[side], p.now, from, buf, n, 0, NULL) == (int64_t)n, "send");
}

static void recv_all(unsigned side, weir_sock at, size_t n)
{
    must(weir_recvfrom(p.w[side], p.now, at, buf, sizeof(buf), 0, NULL) == (int64_t)n, "recv");
}

static inline void round_trip(weir_sock client, weir_sock server)
{
    send_all(0, client, 1);
    pair_run(&p, false);
    recv_all(1, server, 1);
    send_all(1, server, 1);
    pair_run(&p, false);
    recv_all(0, client, 1);
}

COUNTED static void run_rr(void) { round_trip(c[0], s[0]); }

/* Each run another of some that lie scattered among all, often enough to have settled. */
COUNTED static void run_rr_many(void)
{
    uint32_t k = n_run % BUSY * (MANY / BUSY);
    round_trip(c[k], s[k]);
}

COUNTED static void run_crr(void)
{
    weir_sock client, server;
    join(&client, &server);
    round_trip(client, server);
    must(weir_close(p.w[0], p.now, client) == 0, "close");
    pair_run(&p, false);
    must(weir_close(p.w[1], p.now, server) == 0, "close");
    pair_run(&p, false);
}

/* As much as is wanted, however many sends and turns of the pair it takes. */
static inline void transfer(size_t total)
{
    for (size_t sent = 0, got = 0, turns = 0; got < total; turns++) {
        int64_t n;
        must(turns < 100, "the transfer stands still");
        n = sent == total ? 0 : weir_sendto(p.w[0], p.now, c[0], buf, total - sent, 0, NULL);
        must(n >= 0 || n == -EAGAIN, "send");
        sent += n > 0 ? (size_t)n : 0;
        pair_run(&p, true);
        while ((n = weir_recvfrom(p.w[1], p.now, s[0], buf, sizeof(buf), 0, NULL)) > 0)
            got += (size_t)n;
    }
}

COUNTED static void run_bulk(void) { transfer(BULK_SEGS * PAYLOAD); }
COUNTED static void run_nic(void) { transfer(BULK_SEGS * PAYLOAD); }
COUNTED static void run_super(void) { transfer(SUPER_SEGS * PAYLOAD); }

/* A full segment on its way to side 1. Pauses, since after one a receiver acknowledges each of the
 * next segments instead of every second. */
static void before_segment(void)
{
    struct pkt *v[2];
    if (n_run % 8 == 0)
        wait_s(2);
    p.now += TURN_NS;
    send_all(0, c[0], PAYLOAD);
    must(weir_tx(p.w[0], p.now, p.nif[0], v, 2) == 1, "one segment");
    held = pkt_adopt(stack_mem(p.w[1]), v[0]);
    weir_sent(p.w[0], p.now, v, 1);
    must(held != NULL, "no packet");
}

COUNTED static void run_segment(void)
{
    weir_rx(p.w[1], p.now, p.nif[1], &held, 1);
    must(weir_tx(p.w[1], p.now, p.nif[1], &held, 1) == 1, "one ACK");
}

static void after_segment(void)
{
    struct pkt *ack = pkt_adopt(stack_mem(p.w[0]), held);
    weir_sent(p.w[1], p.now, &held, 1);
    must(ack != NULL && ack->len < 100, "an ACK");
    weir_rx(p.w[0], p.now, p.nif[0], &ack, 1);
    recv_all(1, s[0], PAYLOAD);
    pair_run(&p, false);
}

static void start_udp(void)
{
    struct weir_addr any = {.port = PAIR_PORT, .family = 4};
    start(0, false);
    must(weir_socket(p.w[0], WEIR_INET, WEIR_DGRAM, &c[0]) == 0, "socket");
    must(weir_socket(p.w[1], WEIR_INET, WEIR_DGRAM, &s[0]) == 0, "socket");
    must(weir_bind(p.w[1], s[0], &any) == 0, "bind");
}

COUNTED static void run_udp(void)
{
    struct weir_addr to = pair_addr(1, 0, PAIR_PORT), from;
    must(weir_sendto(p.w[0], p.now, c[0], buf, DGRAM, 0, &to) == DGRAM, "send");
    pair_run(&p, false);
    must(weir_recvfrom(p.w[1], p.now, s[0], buf, sizeof(buf), 0, &from) == DGRAM, "recv");
    must(weir_sendto(p.w[1], p.now, s[0], buf, DGRAM, 0, &from) == DGRAM, "send back");
    pair_run(&p, false);
    must(weir_recvfrom(p.w[0], p.now, c[0], buf, sizeof(buf), 0, &from) == DGRAM, "recv");
}

/* Keepalive timers on all of them: they must not cost anything before they are due. */
static void start_idle(void)
{
    int one = 1;
    start(MANY, false);
    for (unsigned i = 0; i < MANY; i++)
        must(weir_setsockopt(p.w[1], p.now, s[i], 1, 9, &one, sizeof(one)) == 0, "SO_KEEPALIVE");
}

static void before_tick(void) { p.now += W_MS; }

COUNTED static void run_tick(void)
{
    weir_tick(p.w[1], p.now);
    must(weir_next(p.w[1]) > p.now, "something is due");
}

#define OP(f) .run = f, .function = #f

static const struct op ops[] = {
    {"rr", "1-byte round trip", OP(run_rr), .setup = start_one, .n_warm = 64, .n = 512, .per = 1},
    {"rr-many", "1-byte round trip, 500 of 10,000 connections in turn", OP(run_rr_many),
     .setup = start_many, .n_warm = 4 * BUSY, .n = BUSY, .per = 1},
    {"segment", "an in-order data segment in, its ACK out", OP(run_segment), .setup = start_one,
     .before = before_segment, .after = after_segment, .n_warm = 64, .n = 64, .per = 1},
    {"bulk", "a segment of 1448 bytes, both ends", OP(run_bulk), .setup = start_one, .n_warm = 64,
     .n = 64, .per = BULK_SEGS},
    {"nic", "the same through driver and NIC model, at both ends", OP(run_nic), .setup = start_nic,
     .n_warm = 64, .n = 64, .per = BULK_SEGS},
    {"super", "a super-segment of 64 KB, both ends, checksum by the device", OP(run_super),
     .setup = start_super, .n_warm = 64, .n = 64, .per = 1},
    {"crr", "connect, 1-byte round trip, close", OP(run_crr), .setup = start_none, .n_warm = 64,
     .n = 256, .per = 1},
    {"udp", "64-byte datagram and its echo", OP(run_udp), .setup = start_udp, .n_warm = 64,
     .n = 512, .per = 1},
    {"tick", "a tick of 1 ms, 10,000 idle connections with keepalive", OP(run_tick),
     .setup = start_idle, .before = before_tick, .n_warm = 64, .n = 1024, .per = 1},
};

/* Two callers that callgrind tells apart. The statement of no instruction keeps the call from being
 * a jump, and the two functions from being made one. */
COUNTED static void warm_up(const struct op *op)
{
    op->run();
    __asm__ volatile("# not counted");
}

COUNTED static void count(const struct op *op)
{
    op->run();
    __asm__ volatile("# counted");
}

static void run_op(const struct op *op)
{
    op->setup();
    for (unsigned i = 0; i < op->n_warm + op->n; i++) {
        if (op->before != NULL)
            op->before();
        if (i < op->n_warm)
            warm_up(op);
        else
            count(op);
        if (op->after != NULL)
            op->after();
        n_run++;
        if (n_run % 64 == 0)
            drop_events();
    }
    pair_free(&p);
}

static void circumstances(void)
{
    static const char *const isa[CSUM_ISA_N] = {
        [CSUM_SCALAR] = "scalar", [CSUM_AVX2] = "avx2", [CSUM_AVX512] = "avx512"};
    printf("compiler %s\n", COMPILER);
    printf("flags %s\n", FLAGS);
    printf("libc glibc %s\n", gnu_get_libc_version());
    printf("checksum %s\n", isa[csum_best_isa()]);
}

int main(void)
{
    /* Where in a page the stack begins follows from the environment's size, and memcmp counts more
     * near a page's end. */
    volatile uint8_t *pad = alloca((uintptr_t)__builtin_frame_address(0) % PAGE + 1);
    pad[0] = 0;
    circumstances();
    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        printf("operation %s %s %u %s\n", ops[i].name, ops[i].function, ops[i].per, ops[i].title);
        run_op(&ops[i]);
    }
    return 0;
}

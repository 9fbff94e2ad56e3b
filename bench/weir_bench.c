/* SPDX-License-Identifier: Apache-2.0
 *
 * One measurement of the in-memory pair per call, for bench/table to repeat and compare:
 *
 *     weir_bench bulk|bulk-nocsum|bulk-gso|bulk-nic|bulk-nic-csum|bulk-nic-tso [BYTES]
 *     weir_bench rr CONNECTIONS [ROUNDS]
 *     weir_bench crr OPEN [ROUNDS]
 *     weir_bench idle CONNECTIONS
 *
 * Prints "name value unit" lines. All calls are the public ones (two copies: in at send, out at
 * receive). For counts of instructions see count.c.
 */
#include "pair.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 65536 };

static struct pair p;
static uint8_t buf[CHUNK];

static void must(int64_t r, const char *what)
{
    if (r >= 0)
        return;
    fprintf(stderr, "weir_bench: %s: %s\n", what, strerror((int)-r));
    exit(1);
}

static weir_sock listener(void)
{
    weir_sock s;
    struct weir_addr any = {.port = PAIR_PORT, .family = 4};
    must(weir_socket(p.w[1], WEIR_INET, WEIR_STREAM, &s), "socket");
    must(weir_bind(p.w[1], s, &any), "bind");
    must(weir_listen(p.w[1], s, 4096), "listen");
    return s;
}

/* Connection i, over as many address pairs as it takes. */
static void join(weir_sock lsn, uint32_t i, weir_sock *c, weir_sock *s)
{
    struct weir_addr to = pair_addr(1, i / 50000 % PAIR_ADDRS, PAIR_PORT);
    must(weir_socket(p.w[0], WEIR_INET, WEIR_STREAM, c), "socket");
    int r = weir_connect(p.w[0], p.now, *c, &to);
    must(r == -EINPROGRESS ? 0 : r, "connect");
    pair_run(&p, false);
    must(weir_accept(p.w[1], p.now, lsn, s, NULL), "accept");
}

static void drop_events(void)
{
    struct weir_event ev[64];
    while (weir_events(p.w[0], ev, 64) == 64)
        ;
    while (weir_events(p.w[1], ev, 64) == 64)
        ;
}

static void bulk(const char *name, uint64_t total)
{
    bool has_nics = strncmp(name, "bulk-nic", 8) == 0;
    bool has_tso = strcmp(name, "bulk-gso") == 0 || strcmp(name, "bulk-nic-tso") == 0;
    bool has_csum =
        has_tso || strcmp(name, "bulk-nocsum") == 0 || strcmp(name, "bulk-nic-csum") == 0;
    struct pair_conf pc = {.mtu = 1500,
                           .has_tso = has_tso,
                           .has_csum = has_csum,
                           .n_conns = 64,
                           .has_nics = has_nics,
                           .step = has_nics ? W_US : 0};
    weir_sock c, s;
    pair_init(&p, &pc);
    join(listener(), 0, &c, &s);
    uint64_t sent = 0, got = 0;
    w_ns start = pair_clock();
    while (got < total) {
        int64_t n;
        uint32_t turn = 0;
        while (sent < total && turn < 8 &&
               (n = weir_sendto(p.w[0], p.now, c, buf, CHUNK, 0, NULL)) > 0) {
            sent += (uint64_t)n;
            turn++;
        }
        pair_run(&p, true);
        while ((n = weir_recvfrom(p.w[1], p.now, s, buf, CHUNK, 0, NULL)) > 0)
            got += (uint64_t)n;
        drop_events();
    }
    w_ns took = pair_clock() - start;
    printf("%s %.3f Gbit/s\n", name, (double)got * 8 / (double)took);
    printf("%s-segment %.1f ns\n", name, (double)took / ((double)got / 1448));
}

/* A permutation-like walk over the connections, so that each round trip finds cold memory. */
static uint32_t step(uint32_t i, uint32_t n) { return (uint32_t)(((uint64_t)i * 2654435761u) % n); }

static void round_trip(weir_sock c, weir_sock s)
{
    must(weir_sendto(p.w[0], p.now, c, buf, 1, 0, NULL), "send");
    pair_run(&p, false);
    must(weir_recvfrom(p.w[1], p.now, s, buf, 1, 0, NULL), "recv at the server");
    must(weir_sendto(p.w[1], p.now, s, buf, 1, 0, NULL), "send back");
    pair_run(&p, false);
    must(weir_recvfrom(p.w[0], p.now, c, buf, 1, 0, NULL), "recv at the client");
}

/* A connection's first exchange has ACKs of its own, before the ends know that each answers the
 * other: it is not measured. */
static void rr(uint32_t n, uint32_t rounds)
{
    struct pair_conf pc = {.mtu = 1500, .has_csum = true, .n_conns = n};
    weir_sock *c = malloc(n * sizeof(*c)), *s = malloc(n * sizeof(*s)), lsn;
    pair_init(&p, &pc);
    lsn = listener();
    for (uint32_t i = 0; i < n; i++) {
        join(lsn, i, &c[i], &s[i]);
        round_trip(c[i], s[i]);
        if (i % 1024 == 0)
            drop_events();
    }
    drop_events();
    w_ns start = pair_clock();
    for (uint32_t i = 0; i < rounds; i++) {
        uint32_t k = step(i, n);
        round_trip(c[k], s[k]);
        if (i % 256 == 0) {
            drop_events();
            pair_run(&p, true);
        }
    }
    w_ns took = pair_clock() - start;
    printf("rr-%u %.1f ns\n", n, (double)took / rounds);
}

static void crr_one(weir_sock lsn, uint32_t i)
{
    weir_sock c, s;
    join(lsn, i, &c, &s);
    round_trip(c, s);
    must(weir_close(p.w[0], p.now, c), "close");
    pair_run(&p, false);
    must(weir_close(p.w[1], p.now, s), "close");
    pair_run(&p, false);
}

static void crr(uint32_t n_open, uint32_t rounds)
{
    struct pair_conf pc = {.mtu = 1500, .has_csum = true, .n_conns = n_open + rounds};
    weir_sock c, s, lsn;
    pair_init(&p, &pc);
    lsn = listener();
    for (uint32_t i = 0; i < n_open; i++) {
        join(lsn, i, &c, &s);
        if (i % 1024 == 0)
            drop_events();
    }
    w_ns start = pair_clock();
    for (uint32_t i = 0; i < rounds; i++) {
        crr_one(lsn, n_open + i);
        if (i % 256 == 0)
            drop_events();
    }
    w_ns took = pair_clock() - start;
    printf("crr-%u %.1f ns\n", n_open, (double)took / rounds);
}

static double resident(void)
{
    long pages = 0, rss = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f == NULL || fscanf(f, "%ld %ld", &pages, &rss) != 2)
        rss = 0;
    if (f != NULL)
        fclose(f);
    return (double)rss * 4096;
}

static void idle(uint32_t n)
{
    struct pair_conf pc = {.mtu = 1500, .has_csum = true, .n_conns = n};
    weir_sock c, s, lsn;
    pair_init(&p, &pc);
    lsn = listener();
    join(lsn, 0, &c, &s);
    drop_events();
    double before = resident();
    for (uint32_t i = 1; i < n; i++) {
        join(lsn, i, &c, &s);
        if (i % 1024 == 0)
            drop_events();
    }
    printf("idle-%u %.0f bytes\n", n, (resident() - before) / 2 / (n - 1));
}

static uint32_t arg(int argc, char **argv, int i, uint32_t def)
{
    return argc > i ? (uint32_t)strtoul(argv[i], NULL, 10) : def;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "bulk";
    if (strncmp(what, "bulk", 4) == 0)
        bulk(what, argc > 2 ? strtoull(argv[2], NULL, 10) : (uint64_t)4 << 30);
    else if (strcmp(what, "rr") == 0)
        rr(arg(argc, argv, 2, 1), arg(argc, argv, 3, 1000000));
    else if (strcmp(what, "crr") == 0)
        crr(arg(argc, argv, 2, 0), arg(argc, argv, 3, 20000));
    else if (strcmp(what, "idle") == 0)
        idle(arg(argc, argv, 2, 100000));
    else
        return fprintf(stderr, "weir_bench: no measurement %s\n", what), 2;
    return 0;
}

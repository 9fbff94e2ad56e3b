/* SPDX-License-Identifier: Apache-2.0
 *
 * The same measurements on the kernel's TCP over loopback, both ends in one thread on one core:
 *
 *     kernel_bench bulk [BYTES] | rr [CONNECTIONS [ROUNDS]] | crr [ROUNDS]
 *
 * Non-blocking sockets, called in turn, as weir_bench does; so the ratio compares stacks and not
 * schedulers.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { OTHER_FILES = 16 }; /* beside connections: standard streams, the listener, inherited ones */

static char buf[65536];

static double now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static void must(long r, const char *what)
{
    if (r >= 0)
        return;
    perror(what);
    exit(1);
}

static int listener(struct sockaddr_in *at)
{
    socklen_t n = sizeof(*at);
    int s = socket(AF_INET, SOCK_STREAM, 0);
    must(s, "socket");
    *at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    must(bind(s, (struct sockaddr *)at, sizeof(*at)), "bind");
    must(listen(s, 4096), "listen");
    must(getsockname(s, (struct sockaddr *)at, &n), "getsockname");
    return s;
}

static void join(int lsn, const struct sockaddr_in *at, int *c, int *s)
{
    int one = 1;
    *c = socket(AF_INET, SOCK_STREAM, 0);
    must(*c, "socket");
    must(connect(*c, (const struct sockaddr *)at, sizeof(*at)), "connect");
    *s = accept(lsn, NULL, NULL);
    must(*s, "accept");
    setsockopt(*c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    setsockopt(*s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static void bulk(uint64_t total)
{
    struct sockaddr_in at;
    int c, s, lsn = listener(&at);
    uint64_t got = 0;
    join(lsn, &at, &c, &s);
    double start = now_ns();
    while (got < total) {
        ssize_t n;
        for (int i = 0; i < 8; i++)
            (void)!send(c, buf, sizeof(buf), MSG_DONTWAIT);
        while ((n = recv(s, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
            got += (uint64_t)n;
    }
    printf("kernel-bulk %.3f Gbit/s\n", (double)got * 8 / (now_ns() - start));
}

/* How many of n connections, both ends here, the limit on open files allows once it is raised as
 * far as we may. A few less than wanted are said and measured; many less would be another thing. */
static unsigned allowed(unsigned n)
{
    rlim_t files = 2 * (rlim_t)n + OTHER_FILES;
    struct rlimit rl;
    if (setrlimit(RLIMIT_NOFILE, &(struct rlimit){files, files}) == 0)
        return n;
    must(getrlimit(RLIMIT_NOFILE, &rl), "getrlimit");
    rl.rlim_cur = rl.rlim_max;
    must(setrlimit(RLIMIT_NOFILE, &rl), "setrlimit");
    unsigned can = rl.rlim_max < OTHER_FILES ? 0 : (unsigned)(rl.rlim_max - OTHER_FILES) / 2;
    bool is_near = can >= n - n / 10;
    fprintf(is_near ? stdout : stderr,
            "note: the kernel has %u of %u connections, as RLIMIT_NOFILE, %lu, allows\n", can, n,
            (unsigned long)rl.rlim_max);
    if (!is_near)
        exit(1);
    return can;
}

static void round_trip(int c, int s)
{
    must(send(c, buf, 1, 0), "send");
    must(recv(s, buf, 1, 0), "recv");
    must(send(s, buf, 1, 0), "send");
    must(recv(c, buf, 1, 0), "recv");
}

/* A connection's first exchange is not measured, as in weir_bench. */
static void rr(unsigned wanted, unsigned rounds)
{
    struct sockaddr_in at;
    unsigned n = allowed(wanted);
    int lsn = listener(&at), *c = calloc(n, sizeof(int)), *s = calloc(n, sizeof(int));
    for (unsigned i = 0; i < n; i++) {
        join(lsn, &at, &c[i], &s[i]);
        round_trip(c[i], s[i]);
    }
    double start = now_ns();
    for (unsigned i = 0; i < rounds; i++) {
        unsigned k = (unsigned)((uint64_t)i * 2654435761u % n);
        round_trip(c[k], s[k]);
    }
    printf("kernel-rr-%u %.1f ns\n", wanted, (now_ns() - start) / rounds);
}

static void crr(unsigned rounds)
{
    struct sockaddr_in at;
    int c, s, lsn = listener(&at);
    double start = now_ns();
    for (unsigned i = 0; i < rounds; i++) {
        join(lsn, &at, &c, &s);
        round_trip(c, s);
        close(c);
        close(s);
    }
    printf("kernel-crr %.1f ns\n", (now_ns() - start) / rounds);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "bulk";
    if (strcmp(what, "bulk") == 0)
        bulk(argc > 2 ? strtoull(argv[2], NULL, 10) : (uint64_t)2 << 30);
    else if (strcmp(what, "rr") == 0)
        rr(argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1,
           argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 50000);
    else if (strcmp(what, "crr") == 0)
        crr(argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 5000);
    else
        return fprintf(stderr, "kernel_bench: no measurement %s\n", what), 2;
    return 0;
}

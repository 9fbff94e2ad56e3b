/* SPDX-License-Identifier: Apache-2.0
 *
 * What the little programs of this directory share: TAP lines, and a pair of connected sockets.
 *
 * They know nothing of weir: each must also pass on the kernel's stack, which is how we know that
 * what they demand is what Linux does.
 */
#ifndef WEIR_TESTS_PROGRAMS_CHECK_H
#define WEIR_TESTS_PROGRAMS_CHECK_H

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct test {
    const char *what;
    void (*run)(void);
};

extern bool check_failed;

/* The rest of the test is skipped when e is false; says where, and errno. */
#define CHECK(e)                                                                                   \
    do {                                                                                           \
        if (!(e)) {                                                                                \
            check_fail(#e, __FILE__, __LINE__);                                                    \
            return;                                                                                \
        }                                                                                          \
    } while (0)

static inline void check_fail(const char *what, const char *file, int line)
{
    printf("# %s:%d: %s (errno %d %s)\n", file, line, what, errno, strerror(errno));
    check_failed = true;
}

static inline void nap(long us)
{
    struct timespec ts = {us / 1000000, us % 1000000 * 1000};
    nanosleep(&ts, NULL);
}

static inline struct sockaddr_in check_addr(uint16_t port)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(port)};
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return sin;
}

/* A socket bound to 127.0.0.1 and a free port, which is stored; -1. */
static inline int check_bound(int type, struct sockaddr_in *sin)
{
    socklen_t n = sizeof(*sin);
    int fd = socket(AF_INET, type, 0);
    *sin = check_addr(0);
    if (fd < 0 || bind(fd, (struct sockaddr *)sin, sizeof(*sin)) < 0 ||
        getsockname(fd, (struct sockaddr *)sin, &n) < 0)
        return -1;
    return fd;
}

static inline int check_listener(struct sockaddr_in *sin)
{
    int fd = check_bound(SOCK_STREAM, sin);
    return fd < 0 || listen(fd, 64) < 0 ? -1 : fd;
}

/* v[0] connected, v[1] accepted. 0 or -1. */
static inline int check_pair(int v[2])
{
    struct sockaddr_in sin;
    int l = check_listener(&sin);
    v[0] = socket(AF_INET, SOCK_STREAM, 0);
    if (l < 0 || v[0] < 0 || connect(v[0], (struct sockaddr *)&sin, sizeof(sin)) < 0)
        return -1;
    v[1] = accept(l, NULL, NULL);
    close(l);
    return v[1] < 0 ? -1 : 0;
}

/* Runs the tests whose names contain the first argument, or all. */
static inline int check_main(const struct test *tests, unsigned n, const char *only)
{
    unsigned n_failed = 0, n_run = 0;
    for (unsigned i = 0; i < n; i++) {
        if (only != NULL && strstr(tests[i].what, only) == NULL)
            continue;
        check_failed = false;
        tests[i].run();
        n_failed += check_failed;
        printf("%s %u - %s\n", check_failed ? "not ok" : "ok", ++n_run, tests[i].what);
        fflush(stdout);
    }
    printf("1..%u\n", n_run);
    return n_failed != 0;
}

#endif

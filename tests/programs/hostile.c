/* SPDX-License-Identifier: Apache-2.0
 *
 * A program that means no good: bad pointers, absurd lengths, descriptors that vanish in the middle
 * of a call, children that are killed. The answers must be the kernel's, and the stack must live
 * on.
 *
 * usage: hostile [WORD]     runs the tests whose name contains WORD
 */
#include "check.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

bool check_failed;

#define BAD ((void *)8)

static void bad_pointers(void)
{
    struct sockaddr_in sin;
    socklen_t n = sizeof(sin);
    int l = check_listener(&sin), fd = socket(AF_INET, SOCK_STREAM, 0), x;
    CHECK(connect(fd, BAD, sizeof(sin)) == -1 && errno == EFAULT);
    CHECK(bind(fd, BAD, sizeof(sin)) == -1 && errno == EFAULT);
    CHECK(getsockname(fd, BAD, &n) == -1 && errno == EFAULT);
    CHECK(getsockname(fd, (struct sockaddr *)&sin, BAD) == -1 && errno == EFAULT);
    CHECK(getsockopt(fd, SOL_SOCKET, SO_TYPE, &x, BAD) == -1 && errno == EFAULT);
    CHECK(getsockopt(fd, SOL_SOCKET, SO_TYPE, BAD, &n) == -1 && errno == EFAULT);
    CHECK(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, BAD, sizeof(x)) == -1 && errno == EFAULT);
    CHECK(sendmsg(fd, BAD, 0) == -1 && (errno == EFAULT || errno == EPIPE));
    CHECK(recvmsg(fd, BAD, 0) == -1 && (errno == EFAULT || errno == ENOTCONN));
    close(fd);
    close(l);
}

static void absurd_lengths(void)
{
    struct sockaddr_in sin;
    int fd = check_bound(SOCK_DGRAM, &sin), x = 1;
    struct iovec v[2] = {{&x, SIZE_MAX / 2}, {&x, SIZE_MAX / 2}};
    struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};
    CHECK(connect(fd, (struct sockaddr *)&sin, 1) == -1 && errno == EINVAL);
    CHECK(bind(fd, (struct sockaddr *)&sin, 0x7fffffff) == -1 && errno == EINVAL);
    CHECK(bind(fd, (struct sockaddr *)&sin, (socklen_t)-1) == -1 && errno == EINVAL);
    CHECK(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &x, (socklen_t)-1) == -1 && errno == EINVAL);
    CHECK(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &x, 1) == -1 && errno == EINVAL);
    m.msg_name = &sin;
    m.msg_namelen = sizeof(sin);
    CHECK(sendmsg(fd, &m, 0) == -1);
    m.msg_iovlen = 100000;
    CHECK(sendmsg(fd, &m, 0) == -1 && errno == EMSGSIZE);
    CHECK(recvmsg(fd, &m, MSG_DONTWAIT) == -1);
    CHECK(sendto(fd, &x, SIZE_MAX, 0, (struct sockaddr *)&sin, sizeof(sin)) == -1);
    CHECK(socket(AF_INET, SOCK_STREAM | 0x4000000, 0) == -1 && errno == EINVAL);
    CHECK(socket(AF_INET, SOCK_STREAM, 77777) == -1);
    CHECK(socket(AF_INET, 0, 0) == -1);
    CHECK(listen(-1, 5) == -1 && errno == EBADF);
    CHECK(getsockname(999999, (struct sockaddr *)&sin, NULL) == -1 && errno == EBADF);
    CHECK(accept(STDIN_FILENO, NULL, NULL) == -1);
    CHECK(shutdown(fd, 9) == -1);
    close(fd);
}

static void descriptors_run_out(void)
{
    struct rlimit old, few = {40, 0};
    CHECK(getrlimit(RLIMIT_NOFILE, &old) == 0);
    few.rlim_max = old.rlim_max;
    CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
    int fd, n = 0, last = 0;
    while ((fd = socket(AF_INET, SOCK_STREAM, 0)) >= 0 && n++ < 100)
        last = fd;
    CHECK(fd == -1 && errno == EMFILE && n > 10 && n < 40);
    close(last);
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(fd == last);
    for (int i = 3; i < 40; i++)
        close(i);
    CHECK(setrlimit(RLIMIT_NOFILE, &old) == 0);
}

/* Nothing is lost when accept has no descriptor left: the connection waits. */
static void accept_without_room(void)
{
    struct sockaddr_in sin;
    struct rlimit old, few;
    int l = check_listener(&sin), fd = socket(AF_INET, SOCK_STREAM, 0);
    char b = 0;
    CHECK(connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == 0 && write(fd, "w", 1) == 1);
    CHECK(getrlimit(RLIMIT_NOFILE, &old) == 0);
    few = (struct rlimit){(rlim_t)fd + 1, old.rlim_max};
    CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
    int c = accept(l, NULL, NULL);
    int err = errno;
    CHECK(setrlimit(RLIMIT_NOFILE, &old) == 0);
    CHECK(c == -1 && err == EMFILE);
    struct pollfd p = {.fd = l, .events = POLLIN};
    CHECK(poll(&p, 1, 1000) == 1);
    c = accept(l, NULL, NULL);
    CHECK(c >= 0 && read(c, &b, 1) == 1 && b == 'w');
    close(c);
    close(fd);
    close(l);
}

static void *accept_for_ever(void *l)
{
    (void)accept((int)(intptr_t)l, NULL, NULL);
    return NULL;
}

/* A child blocked in calls is killed; its listener's port is free again. */
static void killed_in_calls(void)
{
    struct sockaddr_in sin;
    int on = 1;
    int p[2];
    CHECK(pipe(p) == 0);
    for (int round = 0; round < 5; round++) {
        pid_t pid = fork();
        if (pid == 0) {
            pthread_t t;
            int l = check_listener(&sin);
            for (int i = 0; i < 8; i++)
                pthread_create(&t, NULL, accept_for_ever, (void *)(intptr_t)l);
            (void)!write(p[1], &sin, sizeof(sin));
            for (;;)
                close(socket(AF_INET, SOCK_STREAM, 0));
        }
        CHECK(read(p[0], &sin, sizeof(sin)) == sizeof(sin));
        nap(20000);
        CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
        int l = socket(AF_INET, SOCK_STREAM, 0);
        setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        CHECK(bind(l, (struct sockaddr *)&sin, sizeof(sin)) == 0 && listen(l, 1) == 0);
        close(l);
    }
    close(p[0]);
    close(p[1]);
}

static volatile int is_over;
static void *open_and_close(void *arg)
{
    (void)arg;
    while (!is_over) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        struct sockaddr_in sin = check_addr(9);
        (void)connect(fd, (struct sockaddr *)&sin, sizeof(sin));
        close(fd);
    }
    return NULL;
}

/* Threads close each other's descriptors while these are being asked about. */
static void closed_in_the_middle(void)
{
    pthread_t t[4];
    is_over = 0;
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&t[i], NULL, open_and_close, NULL) == 0);
    for (int i = 0; i < 3000; i++) {
        int fd = 3 + i % 8, x;
        socklen_t n = sizeof(x);
        struct sockaddr_in sin;
        (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &x, &n);
        n = sizeof(sin);
        (void)getsockname(fd, (struct sockaddr *)&sin, &n);
        (void)listen(fd, 1);
        close(fd);
    }
    is_over = 1;
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
}

static void on_signal(int sig) { (void)sig; }

/* Signals rain on a process that calls: every call succeeds all the same. */
static void signals_rain(void)
{
    struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &sa, NULL);
    pid_t me = getpid(), pid = fork();
    if (pid == 0) {
        for (;;) {
            kill(me, SIGUSR1);
            nap(1000);
        }
    }
    bool is_good = true;
    for (int i = 0; i < 300 && is_good; i++) {
        struct sockaddr_in sin;
        int v[2] = {-1, -1};
        char b = 0;
        is_good = check_pair(v) == 0;
        int u = check_bound(SOCK_DGRAM, &sin);
        is_good = is_good && u >= 0 && write(v[0], "s", 1) == 1 && read(v[1], &b, 1) == 1;
        is_good = is_good && sendto(u, "1", 1, 0, (struct sockaddr *)&sin, sizeof(sin)) == 1;
        is_good = is_good && recvfrom(u, &b, 1, 0, NULL, NULL) == 1;
        close(v[0]);
        close(v[1]);
        close(u);
    }
    int err = errno;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    errno = err;
    CHECK(is_good);
}

static void foreign_calls(void)
{
    CHECK(syscall(425, 8, NULL) == -1); /* io_uring_setup */
    CHECK(syscall(0x40000000 | SYS_socket, AF_INET, SOCK_STREAM, 0) == -1 && errno == ENOSYS);
}

static const struct test tests[] = {
    {"bad pointers: EFAULT", bad_pointers},
    {"absurd lengths and numbers", absurd_lengths},
    {"descriptors run out: EMFILE", descriptors_run_out},
    {"accept without a free descriptor loses nothing", accept_without_room},
    {"killed while blocked in calls", killed_in_calls},
    {"descriptors closed in the middle of calls", closed_in_the_middle},
    {"a rain of signals", signals_rain},
    {"calls of other kinds", foreign_calls},
};

int main(int argc, char **argv)
{
    return check_main(tests, sizeof(tests) / sizeof(tests[0]), argc > 1 ? argv[1] : NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * A program that uses connections in every way programs do: what breaks here breaks curl, nginx,
 * python. Each test is one habit of real programs, with the exact answers that Linux gives.
 *
 * usage: stream [WORD]     runs the tests whose name contains WORD
 */
#include "check.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/time.h>
#include <sys/wait.h>

bool check_failed;

enum { MS = 1000, LONG_MS = 5000 };

static int events_of(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP};
    return poll(&p, 1, ms) < 0 ? -1 : p.revents;
}

/* Waits until one of the bits shows; what then shows. */
static int wait_for(int fd, short bits)
{
    struct pollfd p = {.fd = fd, .events = bits};
    return poll(&p, 1, LONG_MS) == 1 ? p.revents : 0;
}

static int so_error(int fd)
{
    int err = -1;
    socklen_t n = sizeof(err);
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &n) < 0 ? -1 : err;
}

static int set_nonblock(int fd) { return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

/* A port where nobody listens. */
static struct sockaddr_in nobody(void)
{
    struct sockaddr_in sin;
    int fd = check_bound(SOCK_STREAM, &sin);
    close(fd);
    return sin;
}

/* ---- connecting ---- */

static void connect_blocking(void)
{
    int v[2];
    char buf[8];
    CHECK(check_pair(v) == 0);
    CHECK(write(v[0], "hello", 5) == 5);
    CHECK(read(v[1], buf, sizeof(buf)) == 5 && memcmp(buf, "hello", 5) == 0);
    CHECK(write(v[1], "yes", 3) == 3);
    CHECK(read(v[0], buf, sizeof(buf)) == 3 && memcmp(buf, "yes", 3) == 0);
    close(v[0]);
    CHECK(read(v[1], buf, sizeof(buf)) == 0);
    close(v[1]);
}

static void connect_nonblocking(void)
{
    struct sockaddr_in sin;
    int l = check_listener(&sin);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    CHECK(l >= 0 && fd >= 0);
    CHECK((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0 && (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    CHECK(connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 && errno == EINPROGRESS);
    CHECK(wait_for(fd, POLLOUT) == POLLOUT);
    CHECK(so_error(fd) == 0);
    CHECK(events_of(fd, 0) == POLLOUT);
    CHECK(connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == 0);
    CHECK(connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 && errno == EISCONN);
    int c = accept(l, NULL, NULL);
    char b = 0;
    CHECK(c >= 0 && (fcntl(c, F_GETFL) & O_NONBLOCK) == 0);
    CHECK(read(fd, &b, 1) == -1 && errno == EAGAIN);
    CHECK(write(fd, "x", 1) == 1 && read(c, &b, 1) == 1 && b == 'x');
    close(fd);
    CHECK(read(c, &b, 1) == 0);
    close(c);
    close(l);
}

static void connect_refused(void)
{
    struct sockaddr_in sin = nobody();
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 && errno == ECONNREFUSED);
    int l = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    CHECK(setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0);
    CHECK(bind(l, (struct sockaddr *)&sin, sizeof(sin)) == 0 && listen(l, 1) == 0);
    CHECK(connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == 0);
    close(fd);
    close(l);
}

static void connect_refused_nonblocking(void)
{
    struct sockaddr_in sin = nobody();
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 && errno == EINPROGRESS) {
        int bits = wait_for(fd, POLLOUT);
        CHECK((bits & (POLLERR | POLLHUP)) != 0);
        CHECK(so_error(fd) == ECONNREFUSED);
        CHECK(so_error(fd) == 0);
    }
    /* The same descriptor may try again. */
    int l = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    CHECK(setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0);
    CHECK(bind(l, (struct sockaddr *)&sin, sizeof(sin)) == 0 && listen(l, 1) == 0);
    /* Linux tells of the failure once more, to whoever calls connect next. */
    CHECK(connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 && errno == ECONNABORTED);
    CHECK(connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 && errno == EINPROGRESS);
    CHECK(wait_for(fd, POLLOUT) == POLLOUT && so_error(fd) == 0);
    CHECK((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    int c = accept(l, NULL, NULL);
    char b = 0;
    CHECK(c >= 0 && write(fd, "2", 1) == 1 && read(c, &b, 1) == 1 && b == '2');
    close(c);
    close(l);
    close(fd);
}

static void names(void)
{
    struct sockaddr_in sin, a, b;
    socklen_t n = sizeof(a);
    int l = check_listener(&sin);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(getpeername(fd, (struct sockaddr *)&a, &n) == -1 && errno == ENOTCONN);
    CHECK(connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == 0);
    n = sizeof(a);
    CHECK(getpeername(fd, (struct sockaddr *)&a, &n) == 0 && n == sizeof(a));
    CHECK(a.sin_family == AF_INET && a.sin_port == sin.sin_port);
    CHECK(a.sin_addr.s_addr == sin.sin_addr.s_addr);
    n = sizeof(a);
    CHECK(getsockname(fd, (struct sockaddr *)&a, &n) == 0);
    n = sizeof(b);
    int c = accept4(l, (struct sockaddr *)&b, &n, SOCK_CLOEXEC | SOCK_NONBLOCK);
    CHECK(c >= 0 && n == sizeof(b) && b.sin_port == a.sin_port && b.sin_family == AF_INET);
    CHECK((fcntl(c, F_GETFL) & O_NONBLOCK) != 0 && (fcntl(c, F_GETFD) & FD_CLOEXEC) != 0);
    n = 4;
    memset(&b, 0xee, sizeof(b));
    CHECK(getsockname(c, (struct sockaddr *)&b, &n) == 0 && n == sizeof(b));
    CHECK(b.sin_port == sin.sin_port && ((unsigned char *)&b)[4] == 0xee);
    close(fd);
    close(c);
    close(l);
}

/* ---- ends ---- */

static void half_close(void)
{
    int v[2];
    char buf[16];
    CHECK(check_pair(v) == 0);
    CHECK(write(v[0], "question", 8) == 8 && shutdown(v[0], SHUT_WR) == 0);
    CHECK(recv(v[1], buf, sizeof(buf), MSG_WAITALL) == 8);
    CHECK(read(v[1], buf, sizeof(buf)) == 0);
    CHECK((wait_for(v[1], POLLRDHUP) & POLLRDHUP) != 0);
    CHECK(write(v[1], "answer", 6) == 6);
    CHECK(read(v[0], buf, sizeof(buf)) == 6);
    CHECK(send(v[0], "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE);
    close(v[1]);
    CHECK(read(v[0], buf, sizeof(buf)) == 0);
    close(v[0]);
}

static void reset_by_linger(void)
{
    int v[2];
    char buf[8];
    struct linger no = {.l_onoff = 1, .l_linger = 0};
    CHECK(check_pair(v) == 0);
    CHECK(setsockopt(v[1], SOL_SOCKET, SO_LINGER, &no, sizeof(no)) == 0);
    close(v[1]);
    int bits = wait_for(v[0], POLLIN);
    CHECK((bits & POLLHUP) != 0 && (bits & POLLERR) != 0);
    CHECK(read(v[0], buf, sizeof(buf)) == -1 && errno == ECONNRESET);
    CHECK(read(v[0], buf, sizeof(buf)) == 0);
    close(v[0]);
}

static void reset_by_unread(void)
{
    int v[2];
    char buf[8];
    CHECK(check_pair(v) == 0);
    CHECK(write(v[0], "unread", 6) == 6);
    CHECK((wait_for(v[1], POLLIN) & POLLIN) != 0);
    close(v[1]);
    CHECK((wait_for(v[0], POLLIN) & POLLHUP) != 0);
    CHECK(read(v[0], buf, sizeof(buf)) == -1 && errno == ECONNRESET);
    close(v[0]);
}

static void reset_seen_after_dup(void)
{
    int v[2];
    char buf[8];
    struct linger no = {.l_onoff = 1, .l_linger = 0};
    CHECK(check_pair(v) == 0);
    int copy = fcntl(v[0], F_DUPFD, 100); /* the number the stack saw is closed */
    close(v[0]);
    CHECK(copy >= 100);
    CHECK(setsockopt(v[1], SOL_SOCKET, SO_LINGER, &no, sizeof(no)) == 0);
    close(v[1]);
    CHECK(read(copy, buf, sizeof(buf)) == -1 && errno == ECONNRESET);
    close(copy);
}

static volatile sig_atomic_t n_sigpipe;
static void on_sigpipe(int sig)
{
    (void)sig;
    n_sigpipe++;
}

static void broken_pipe(void)
{
    int v[2];
    struct sigaction sa = {.sa_handler = on_sigpipe}, old;
    CHECK(check_pair(v) == 0);
    close(v[1]);
    CHECK((wait_for(v[0], POLLIN | POLLRDHUP) & POLLRDHUP) != 0);
    sigaction(SIGPIPE, &sa, &old);
    n_sigpipe = 0;
    for (int i = 0; i < 100 && n_sigpipe == 0; i++) {
        (void)!write(v[0], "x", 1); /* the first draws a reset */
        nap(10 * MS);
    }
    sigaction(SIGPIPE, &old, NULL);
    CHECK(n_sigpipe > 0);
    close(v[0]);
}

/* ---- sharing ---- */

static void fork_child_uses(void)
{
    int v[2];
    char buf[8];
    CHECK(check_pair(v) == 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(write(v[0], "child", 5) == 5 ? 0 : 1);
    close(v[0]);
    CHECK(recv(v[1], buf, 5, MSG_WAITALL) == 5);
    CHECK(read(v[1], buf, 1) == 0); /* only when the child's copy is gone, too */
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    close(v[1]);
}

static void dup_keeps_open(void)
{
    int v[2];
    char b;
    CHECK(check_pair(v) == 0);
    int copy = dup2(v[0], 77);
    CHECK(copy == 77);
    close(v[0]);
    struct sockaddr_in sin;
    socklen_t n = sizeof(sin);
    CHECK(getpeername(77, (struct sockaddr *)&sin, &n) == 0);
    CHECK(write(77, "d", 1) == 1 && read(v[1], &b, 1) == 1 && b == 'd');
    close(77);
    CHECK(read(v[1], &b, 1) == 0);
    close(v[1]);
}

static int pass_fd(int over, int fd)
{
    char b = 'f';
    union {
        char buf[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } u = {{0}};
    struct iovec iov = {&b, 1};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = u.buf, .msg_controllen = sizeof(u.buf)};
    if (fd < 0) {
        if (recvmsg(over, &m, 0) != 1)
            return -1;
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
        return fd;
    }
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    return sendmsg(over, &m, 0) == 1 ? 0 : -1;
}

static void passed_descriptor(void)
{
    int v[2], u[2];
    char b;
    CHECK(check_pair(v) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, u) == 0);
    CHECK(pass_fd(u[0], v[0]) == 0);
    close(v[0]);
    int got = pass_fd(u[1], -1);
    CHECK(got >= 0);
    struct sockaddr_in sin;
    socklen_t n = sizeof(sin);
    CHECK(getpeername(got, (struct sockaddr *)&sin, &n) == 0 && sin.sin_family == AF_INET);
    CHECK(write(got, "p", 1) == 1 && read(v[1], &b, 1) == 1 && b == 'p');
    close(got);
    CHECK(read(v[1], &b, 1) == 0);
    close(u[0]);
    close(u[1]);
    close(v[1]);
}

static void exec_inherits(void)
{
    int v[2];
    char buf[32];
    CHECK(check_pair(v) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(v[0], STDOUT_FILENO);
        close(v[0]);
        close(v[1]);
        execl("/bin/sh", "sh", "-c", "echo from exec", (char *)NULL);
        _exit(1);
    }
    close(v[0]);
    CHECK(recv(v[1], buf, 10, MSG_WAITALL) == 10 && memcmp(buf, "from exec\n", 10) == 0);
    CHECK(read(v[1], buf, 1) == 0);
    CHECK(waitpid(pid, NULL, 0) == pid);
    close(v[1]);
}

static void popen_beside(void)
{
    int v[2];
    char line[16] = "";
    CHECK(check_pair(v) == 0);
    FILE *f = popen("echo spawned", "r"); /* vfork or posix_spawn underneath */
    CHECK(f != NULL && fgets(line, sizeof(line), f) != NULL && strcmp(line, "spawned\n") == 0);
    CHECK(pclose(f) == 0);
    close(v[0]);
    close(v[1]);
}

enum { WORKERS = 4, CONNECTIONS = 40 };

static void worker(int l)
{
    for (;;) {
        int c = accept(l, NULL, NULL);
        char b = 0;
        if (c < 0 || read(c, &b, 1) != 1 || b == 'q')
            _exit(c < 0);
        if (write(c, &b, 1) != 1)
            _exit(2);
        close(c);
    }
}

static void forked_workers(void)
{
    struct sockaddr_in sin;
    int l = check_listener(&sin);
    pid_t pid[WORKERS];
    for (int i = 0; i < WORKERS; i++)
        if ((pid[i] = fork()) == 0)
            worker(l);
    close(l);
    for (int i = 0; i < CONNECTIONS + WORKERS; i++) {
        bool is_end = i >= CONNECTIONS;
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        char b = is_end ? 'q' : (char)('A' + i % 8), got = 0;
        CHECK(connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == 0 && write(fd, &b, 1) == 1);
        CHECK(read(fd, &got, 1) == (is_end ? 0 : 1) && (is_end || got == b));
        close(fd);
    }
    for (int i = 0; i < WORKERS; i++) {
        int status;
        CHECK(waitpid(pid[i], &status, 0) == pid[i] && status == 0);
    }
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 && errno == ECONNREFUSED);
    close(fd);
}

/* ---- readiness ---- */

static void epoll_mixed(void)
{
    int v[2], p[2];
    struct epoll_event ev = {.events = EPOLLIN}, got[4];
    char b;
    CHECK(check_pair(v) == 0 && pipe(p) == 0);
    int ep = epoll_create1(0);
    ev.data.fd = v[1];
    CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, v[1], &ev) == 0);
    ev.data.fd = p[0];
    CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev) == 0);
    CHECK(epoll_wait(ep, got, 4, 0) == 0);
    CHECK(write(p[1], "p", 1) == 1);
    CHECK(epoll_wait(ep, got, 4, LONG_MS) == 1 && got[0].data.fd == p[0]);
    CHECK(read(p[0], &b, 1) == 1 && write(v[0], "s", 1) == 1);
    CHECK(epoll_wait(ep, got, 4, LONG_MS) == 1 && got[0].data.fd == v[1]);
    CHECK(epoll_wait(ep, got, 4, 0) == 1); /* level: still there */
    CHECK(read(v[1], &b, 1) == 1 && epoll_wait(ep, got, 4, 0) == 0);
    close(ep);
    close(p[0]);
    close(p[1]);
    close(v[0]);
    close(v[1]);
}

static void epoll_edge(void)
{
    int v[2];
    struct epoll_event ev = {.events = EPOLLIN | EPOLLET}, got;
    char buf[8];
    CHECK(check_pair(v) == 0);
    int ep = epoll_create1(0);
    CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, v[1], &ev) == 0);
    CHECK(write(v[0], "one", 3) == 3 && epoll_wait(ep, &got, 1, LONG_MS) == 1);
    CHECK(epoll_wait(ep, &got, 1, 0) == 0);
    CHECK(write(v[0], "two", 3) == 3 && epoll_wait(ep, &got, 1, LONG_MS) == 1);
    CHECK(recv(v[1], buf, 6, MSG_WAITALL) == 6);
    close(ep);
    close(v[0]);
    close(v[1]);
}

static void epoll_registered_before_connect(void)
{
    struct sockaddr_in sin;
    struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLET | EPOLLRDHUP}, got;
    int l = check_listener(&sin);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    int ep = epoll_create1(0);
    CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) == 0);
    CHECK(connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 && errno == EINPROGRESS);
    bool is_out = false;
    for (int i = 0; i < 10 && !is_out; i++)
        if (epoll_wait(ep, &got, 1, LONG_MS) == 1)
            is_out = (got.events & (EPOLLOUT | EPOLLHUP)) == EPOLLOUT;
    CHECK(is_out && so_error(fd) == 0);
    close(ep);
    close(fd);
    close(l);
}

static void select_listener(void)
{
    struct sockaddr_in sin;
    int l = check_listener(&sin);
    set_nonblock(l);
    CHECK(accept(l, NULL, NULL) == -1 && errno == EAGAIN);
    CHECK(events_of(l, 0) == 0);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == 0);
    fd_set set;
    FD_ZERO(&set);
    FD_SET(l, &set);
    struct timeval tv = {LONG_MS / MS, 0};
    CHECK(select(l + 1, &set, NULL, NULL, &tv) == 1 && FD_ISSET(l, &set));
    int c = accept(l, NULL, NULL);
    CHECK(c >= 0 && accept(l, NULL, NULL) == -1 && errno == EAGAIN);
    CHECK(events_of(l, 0) == 0);
    close(fd);
    close(c);
    close(l);
}

static void full_is_not_writable(void)
{
    int v[2];
    static char buf[65536];
    CHECK(check_pair(v) == 0);
    set_nonblock(v[0]);
    size_t sent = 0, got = 0;
    for (int quiet = 0; quiet < 5;) {
        ssize_t n = write(v[0], buf, sizeof(buf));
        sent += n > 0 ? (size_t)n : 0;
        quiet = n > 0 ? 0 : quiet + 1;
        if (n <= 0)
            nap(20 * MS);
        CHECK(n > 0 || errno == EAGAIN);
    }
    CHECK((events_of(v[0], 0) & POLLOUT) == 0);
    while (got < sent) {
        ssize_t n = read(v[1], buf, sizeof(buf));
        CHECK(n > 0);
        got += (size_t)n;
    }
    CHECK(wait_for(v[0], POLLOUT) == POLLOUT);
    close(v[0]);
    close(v[1]);
}

/* ---- blocking, threads, signals ---- */

enum { THREADS = 16 };

static void *accept_one(void *l) { return (void *)(intptr_t)accept((int)(intptr_t)l, NULL, NULL); }

static void threads_in_accept(void)
{
    struct sockaddr_in sin;
    pthread_t t[THREADS];
    int l = check_listener(&sin), fd[THREADS];
    bool seen[1024] = {false};
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&t[i], NULL, accept_one, (void *)(intptr_t)l) == 0);
    nap(50 * MS);
    for (int i = 0; i < THREADS; i++) {
        fd[i] = socket(AF_INET, SOCK_STREAM, 0);
        CHECK(connect(fd[i], (struct sockaddr *)&sin, sizeof(sin)) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *got;
        CHECK(pthread_join(t[i], &got) == 0);
        intptr_t c = (intptr_t)got;
        CHECK(c >= 0 && c < 1024 && !seen[c]);
        seen[c] = true;
    }
    for (int c = 0; c < 1024; c++)
        if (seen[c])
            close(c);
    for (int i = 0; i < THREADS; i++)
        close(fd[i]);
    close(l);
}

static volatile sig_atomic_t n_alarms;
static void on_alarm(int sig)
{
    (void)sig;
    n_alarms++;
}

static void arm(int flags, int ms)
{
    struct sigaction sa = {.sa_handler = on_alarm, .sa_flags = flags};
    struct itimerval it = {.it_value = {0, ms * MS}};
    n_alarms = 0;
    sigaction(SIGALRM, &sa, NULL);
    setitimer(ITIMER_REAL, &it, NULL);
}

static void accept_interrupted(void)
{
    struct sockaddr_in sin;
    int l = check_listener(&sin);
    arm(0, 50);
    CHECK(accept(l, NULL, NULL) == -1 && errno == EINTR && n_alarms == 1);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == 0);
    int c = accept(l, NULL, NULL);
    CHECK(c >= 0); /* the interrupted accept has not swallowed it */
    close(c);
    close(fd);
    close(l);
}

static void accept_restarted(void)
{
    struct sockaddr_in sin;
    int l = check_listener(&sin);
    pid_t pid = fork();
    if (pid == 0) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        nap(150 * MS);
        _exit(connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == 0 ? 0 : 1);
    }
    arm(SA_RESTART, 50);
    int c = accept(l, NULL, NULL);
    CHECK(c >= 0 && n_alarms == 1);
    CHECK(waitpid(pid, NULL, 0) == pid);
    close(c);
    close(l);
}

static void recv_timeout(void)
{
    int v[2];
    char b;
    struct timeval tv = {0, 50 * MS}, got = {0};
    socklen_t n = sizeof(got);
    struct sockaddr_in sin;
    CHECK(check_pair(v) == 0);
    CHECK(setsockopt(v[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0);
    CHECK(getsockopt(v[0], SOL_SOCKET, SO_RCVTIMEO, &got, &n) == 0 && got.tv_usec >= tv.tv_usec);
    CHECK(read(v[0], &b, 1) == -1 && errno == EAGAIN);
    int l = check_listener(&sin);
    CHECK(setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0);
    CHECK(accept(l, NULL, NULL) == -1 && errno == EAGAIN);
    close(l);
    close(v[0]);
    close(v[1]);
}

/* ---- data ---- */

static void flags(void)
{
    int v[2];
    char buf[8];
    CHECK(check_pair(v) == 0);
    CHECK(recv(v[0], buf, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);
    CHECK(write(v[1], "ab", 2) == 2 && (wait_for(v[0], POLLIN) & POLLIN) != 0);
    CHECK(recv(v[0], buf, sizeof(buf), MSG_PEEK) == 2 && buf[0] == 'a');
    int n = 0;
    CHECK(ioctl(v[0], FIONREAD, &n) == 0 && n == 2);
    struct sockaddr_in from;
    socklen_t len = sizeof(from);
    CHECK(recvfrom(v[0], buf, 1, 0, (struct sockaddr *)&from, &len) == 1 && buf[0] == 'a');
    CHECK(recv(v[0], buf, 8, 0) == 1 && buf[0] == 'b');
    CHECK(sendto(v[0], "c", 1, 0, NULL, 0) == 1 && recv(v[1], buf, 1, 0) == 1 && buf[0] == 'c');
    close(v[0]);
    close(v[1]);
}

static void messages(void)
{
    int v[2];
    char a[3], b[5];
    CHECK(check_pair(v) == 0);
    struct iovec out[2] = {{"abc", 3}, {"defgh", 5}}, in[2] = {{a, 3}, {b, 5}};
    struct msghdr m = {.msg_iov = out, .msg_iovlen = 2};
    CHECK(sendmsg(v[0], &m, 0) == 8);
    m.msg_iov = in;
    CHECK(recvmsg(v[1], &m, MSG_WAITALL) == 8 && memcmp(a, "abc", 3) == 0);
    CHECK(memcmp(b, "defgh", 5) == 0 && m.msg_flags == 0 && m.msg_namelen == 0);
    close(v[0]);
    close(v[1]);
}

enum { BULK = 16 << 20, PIECE = 70000 };

static unsigned char bulk_byte(size_t i) { return (unsigned char)(i * 131 + (i >> 13)); }

static void *bulk_writer(void *fd)
{
    static unsigned char buf[PIECE];
    for (size_t at = 0; at < BULK;) {
        size_t n = BULK - at < PIECE ? BULK - at : PIECE;
        for (size_t i = 0; i < n; i++)
            buf[i] = bulk_byte(at + i);
        if (write((int)(intptr_t)fd, buf, n) != (ssize_t)n)
            return (void *)1;
        at += n;
    }
    shutdown((int)(intptr_t)fd, SHUT_WR);
    return NULL;
}

static void bulk(void)
{
    int v[2];
    static unsigned char buf[PIECE];
    pthread_t t;
    void *r;
    CHECK(check_pair(v) == 0);
    CHECK(pthread_create(&t, NULL, bulk_writer, (void *)(intptr_t)v[0]) == 0);
    size_t at = 0;
    for (ssize_t n; (n = read(v[1], buf, sizeof(buf))) > 0; at += (size_t)n)
        for (ssize_t i = 0; i < n; i++)
            CHECK(buf[i] == bulk_byte(at + (size_t)i));
    CHECK(at == BULK && pthread_join(t, &r) == 0 && r == NULL);
    close(v[0]);
    close(v[1]);
}

static void write_and_leave(void)
{
    struct sockaddr_in sin;
    static char buf[1 << 20];
    int l = check_listener(&sin);
    pid_t pid = fork();
    if (pid == 0) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(fd, (struct sockaddr *)&sin, sizeof(sin)) < 0)
            _exit(1);
        _exit(write(fd, buf, sizeof(buf)) == sizeof(buf) ? 0 : 1);
    }
    int c = accept(l, NULL, NULL);
    size_t got = 0;
    CHECK(c >= 0);
    for (ssize_t n; (n = read(c, buf, sizeof(buf))) > 0;)
        got += (size_t)n;
    CHECK(got == sizeof(buf));
    CHECK(waitpid(pid, NULL, 0) == pid);
    close(c);
    close(l);
}

static void send_a_file(void)
{
    int v[2];
    char name[] = "/tmp/weir-sendfile-XXXXXX", buf[4096];
    int f = mkstemp(name);
    memset(buf, 'z', sizeof(buf));
    CHECK(f >= 0 && unlink(name) == 0 && write(f, buf, sizeof(buf)) == sizeof(buf));
    CHECK(check_pair(v) == 0);
    off_t off = 0;
    CHECK(sendfile(v[0], f, &off, sizeof(buf)) == sizeof(buf));
    memset(buf, 0, sizeof(buf));
    CHECK(recv(v[1], buf, sizeof(buf), MSG_WAITALL) == sizeof(buf) && buf[4095] == 'z');
    close(f);
    close(v[0]);
    close(v[1]);
}

static void options(void)
{
    struct sockaddr_in sin;
    int l = check_listener(&sin), fd = socket(AF_INET, SOCK_STREAM, 0), x = 0, on = 1;
    socklen_t n = sizeof(x);
    CHECK(getsockopt(fd, SOL_SOCKET, SO_TYPE, &x, &n) == 0 && x == SOCK_STREAM && n == sizeof(x));
    CHECK(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &x, &n) == 0 && x == AF_INET);
    CHECK(getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &x, &n) == 0 && x == IPPROTO_TCP);
    CHECK(getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &x, &n) == 0 && x == 0);
    CHECK(getsockopt(l, SOL_SOCKET, SO_ACCEPTCONN, &x, &n) == 0 && x == 1);
    CHECK(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0);
    CHECK(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &x, &n) == 0 && x == 1);
    CHECK(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) == 0);
    CHECK(getsockopt(fd, SOL_SOCKET, 9999, &x, &n) == -1 && errno == ENOPROTOOPT);
    n = (socklen_t)-1;
    CHECK(getsockopt(fd, SOL_SOCKET, SO_TYPE, &x, &n) == -1 && errno == EINVAL);
    CHECK(listen(fd, 1) == 0); /* binds by itself */
    n = sizeof(sin);
    CHECK(getsockname(fd, (struct sockaddr *)&sin, &n) == 0 && sin.sin_port != 0);
    close(fd);
    close(l);
}

static const struct test tests[] = {
    {"blocking connect, both ways, end of stream", connect_blocking},
    {"non-blocking connect: in progress, writable, EISCONN", connect_nonblocking},
    {"refused: ECONNREFUSED, and the socket can connect again", connect_refused},
    {"refused without blocking: poll and SO_ERROR", connect_refused_nonblocking},
    {"getsockname, getpeername, accept4's address and flags", names},
    {"half close: each direction ends by itself", half_close},
    {"reset by SO_LINGER 0: ERR and HUP, ECONNRESET once", reset_by_linger},
    {"close with unread data resets", reset_by_unread},
    {"a reset is seen through a copy of the descriptor", reset_seen_after_dup},
    {"writing to a closed connection: SIGPIPE", broken_pipe},
    {"a child uses its parent's socket", fork_child_uses},
    {"dup2 keeps a connection open", dup_keeps_open},
    {"a socket passed over AF_UNIX", passed_descriptor},
    {"a socket inherited through exec", exec_inherits},
    {"popen beside open sockets", popen_beside},
    {"forked workers share a listener", forked_workers},
    {"epoll: a socket and a pipe", epoll_mixed},
    {"epoll: edge-triggered", epoll_edge},
    {"epoll: registered before connect", epoll_registered_before_connect},
    {"select on a listener, accept without blocking", select_listener},
    {"a full connection is not writable until it is read", full_is_not_writable},
    {"sixteen threads in accept", threads_in_accept},
    {"accept interrupted: EINTR", accept_interrupted},
    {"accept restarted: SA_RESTART", accept_restarted},
    {"SO_RCVTIMEO: read and accept", recv_timeout},
    {"MSG_DONTWAIT, MSG_PEEK, FIONREAD, recvfrom, sendto", flags},
    {"sendmsg and recvmsg", messages},
    {"16 MiB, byte for byte", bulk},
    {"what was written before exit arrives", write_and_leave},
    {"sendfile", send_a_file},
    {"options", options},
};

int main(int argc, char **argv)
{
    return check_main(tests, sizeof(tests) / sizeof(tests[0]), argc > 1 ? argv[1] : NULL);
}

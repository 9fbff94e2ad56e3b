/* SPDX-License-Identifier: Apache-2.0
 *
 * A program that uses UDP in every way programs do: what breaks here breaks DNS, QUIC, iperf3 -u.
 *
 * usage: dgram [WORD]     runs the tests whose name contains WORD
 */
#include "check.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/time.h>

bool check_failed;

enum { LONG_MS = 5000, MS = 1000 };

static bool is_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, LONG_MS) == 1 && (p.revents & (POLLIN | POLLERR)) != 0;
}

static bool is_from(const struct sockaddr_in *a, const struct sockaddr_in *b)
{
    return a->sin_family == AF_INET && a->sin_port == b->sin_port &&
           a->sin_addr.s_addr == b->sin_addr.s_addr;
}

static void addressed(void)
{
    struct sockaddr_in a, b, from;
    socklen_t n = sizeof(from);
    char buf[32];
    int x = check_bound(SOCK_DGRAM, &a), y = check_bound(SOCK_DGRAM, &b);
    CHECK(x >= 0 && y >= 0);
    CHECK(sendto(x, "ping", 4, 0, (struct sockaddr *)&b, sizeof(b)) == 4);
    CHECK(recvfrom(y, buf, sizeof(buf), 0, (struct sockaddr *)&from, &n) == 4);
    CHECK(n == sizeof(from) && is_from(&from, &a) && memcmp(buf, "ping", 4) == 0);
    CHECK(sendto(y, "pong!", 5, 0, (struct sockaddr *)&from, n) == 5 && is_readable(x));
    n = sizeof(from);
    CHECK(recvfrom(x, buf, sizeof(buf), MSG_PEEK, (struct sockaddr *)&from, &n) == 5);
    CHECK(recvfrom(x, buf, 2, MSG_TRUNC, (struct sockaddr *)&from, &n) == 5 && is_from(&from, &b));
    CHECK(recvfrom(x, buf, 2, MSG_DONTWAIT, (struct sockaddr *)&from, &n) == -1 && errno == EAGAIN);
    close(x);
    close(y);
}

static void connected(void)
{
    struct sockaddr_in a, b, c;
    socklen_t n = sizeof(c);
    char buf[32];
    int x = check_bound(SOCK_DGRAM, &a), y = check_bound(SOCK_DGRAM, &b);
    CHECK(getpeername(x, (struct sockaddr *)&c, &n) == -1 && errno == ENOTCONN);
    CHECK(connect(x, (struct sockaddr *)&b, sizeof(b)) == 0);
    CHECK(connect(y, (struct sockaddr *)&a, sizeof(a)) == 0);
    CHECK(write(x, "one", 3) == 3 && send(x, "three", 5, 0) == 5);
    CHECK(read(y, buf, sizeof(buf)) == 3 && recv(y, buf, sizeof(buf), 0) == 5);
    CHECK(write(y, "", 0) == 0 && is_readable(x) && read(x, buf, sizeof(buf)) == 0);
    int z = check_bound(SOCK_DGRAM, &c);
    CHECK(sendto(z, "stranger", 8, 0, (struct sockaddr *)&a, sizeof(a)) == 8);
    CHECK(write(y, "friend", 6) == 6 &&
          read(x, buf, sizeof(buf)) == 6); /* the stranger is not heard */
    close(x);
    close(y);
    close(z);
}

static void disconnected(void)
{
    struct sockaddr_in a, b, c;
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    socklen_t n = sizeof(c);
    char buf[8];
    int x = check_bound(SOCK_DGRAM, &a), y = check_bound(SOCK_DGRAM, &b);
    CHECK(connect(x, (struct sockaddr *)&b, sizeof(b)) == 0);
    CHECK(getpeername(x, (struct sockaddr *)&c, &n) == 0 && is_from(&c, &b));
    CHECK(connect(x, &none, sizeof(none)) == 0);
    CHECK(getpeername(x, (struct sockaddr *)&c, &n) == -1 && errno == ENOTCONN);
    int z = check_bound(SOCK_DGRAM, &c);
    CHECK(sendto(x, "new", 3, 0, (struct sockaddr *)&c, sizeof(c)) == 3 && is_readable(z));
    CHECK(recv(z, buf, sizeof(buf), 0) == 3);
    close(x);
    close(y);
    close(z);
}

static void mixed_reads(void)
{
    struct sockaddr_in a, b, c, from;
    socklen_t n = sizeof(from);
    char buf[8];
    int x = check_bound(SOCK_DGRAM, &a), y = check_bound(SOCK_DGRAM, &b);
    int z = check_bound(SOCK_DGRAM, &c);
    CHECK(sendto(y, "1", 1, 0, (struct sockaddr *)&a, sizeof(a)) == 1 && is_readable(x));
    CHECK(sendto(y, "2", 1, 0, (struct sockaddr *)&a, sizeof(a)) == 1);
    CHECK(sendto(z, "3", 1, 0, (struct sockaddr *)&a, sizeof(a)) == 1);
    nap(20 * MS);
    CHECK(read(x, buf, sizeof(buf)) == 1 && buf[0] == '1');
    CHECK(recv(x, buf, sizeof(buf), 0) == 1 && buf[0] == '2');
    CHECK(recvfrom(x, buf, sizeof(buf), 0, (struct sockaddr *)&from, &n) == 1);
    CHECK(buf[0] == '3' && is_from(&from, &c));
    close(x);
    close(y);
    close(z);
}

static void refused(void)
{
    struct sockaddr_in a, b;
    char buf[8];
    int x = check_bound(SOCK_DGRAM, &a), y = check_bound(SOCK_DGRAM, &b);
    close(y);
    CHECK(connect(x, (struct sockaddr *)&b, sizeof(b)) == 0 && write(x, "?", 1) == 1);
    CHECK(is_readable(x));
    struct sockaddr_in from;
    socklen_t n = sizeof(from);
    CHECK(recvfrom(x, buf, 8, 0, (struct sockaddr *)&from, &n) == -1 && errno == ECONNREFUSED);
    CHECK(recvfrom(x, buf, 8, MSG_DONTWAIT, (struct sockaddr *)&from, &n) == -1 && errno == EAGAIN);
    close(x);
}

static void messages(void)
{
    struct sockaddr_in a, b, from;
    char one[2], two[8];
    int x = check_bound(SOCK_DGRAM, &a), y = check_bound(SOCK_DGRAM, &b);
    struct iovec out = {"hello", 5}, in[2] = {{one, 2}, {two, 2}};
    struct msghdr m = {.msg_name = &b, .msg_namelen = sizeof(b), .msg_iov = &out, .msg_iovlen = 1};
    CHECK(sendmsg(x, &m, 0) == 5);
    m = (struct msghdr){
        .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = in, .msg_iovlen = 2};
    CHECK(recvmsg(y, &m, 0) == 4 && (m.msg_flags & MSG_TRUNC) != 0);
    CHECK(m.msg_namelen == sizeof(from) && is_from(&from, &a) && two[1] == 'l');
    CHECK(recvmsg(y, &m, MSG_DONTWAIT) == -1 && errno == EAGAIN);
    close(x);
    close(y);
}

enum { MANY = 8 };

static void many_messages(void)
{
    struct sockaddr_in a, b, from[MANY];
    struct mmsghdr v[MANY];
    struct iovec iov[MANY];
    char buf[MANY][16];
    int x = check_bound(SOCK_DGRAM, &a), y = check_bound(SOCK_DGRAM, &b);
    memset(v, 0, sizeof(v));
    for (int i = 0; i < MANY; i++) {
        snprintf(buf[i], sizeof(buf[i]), "message %d", i);
        iov[i] = (struct iovec){buf[i], 9};
        v[i].msg_hdr = (struct msghdr){
            .msg_name = &b, .msg_namelen = sizeof(b), .msg_iov = &iov[i], .msg_iovlen = 1};
    }
    CHECK(sendmmsg(x, v, MANY, 0) == MANY && v[MANY - 1].msg_len == 9);
    nap(20 * MS);
    for (int i = 0; i < MANY; i++) {
        iov[i].iov_len = sizeof(buf[i]);
        memset(buf[i], 0, sizeof(buf[i]));
        v[i].msg_hdr.msg_name = &from[i];
    }
    CHECK(recvmmsg(y, v, MANY, MSG_WAITFORONE, NULL) == MANY);
    for (int i = 0; i < MANY; i++)
        CHECK(v[i].msg_len == 9 && buf[i][8] == '0' + i && is_from(&from[i], &a));
    struct timespec ts = {0, 50 * 1000000};
    v[0].msg_hdr.msg_name = NULL;
    CHECK(recvmmsg(y, v, MANY, MSG_DONTWAIT, &ts) == -1 && errno == EAGAIN);
    CHECK(connect(x, (struct sockaddr *)&b, sizeof(b)) == 0);
    for (int i = 0; i < MANY; i++) {
        v[i].msg_hdr.msg_name = NULL;
        v[i].msg_hdr.msg_namelen = 0;
    }
    CHECK(sendmmsg(x, v, 2, 0) == 2); /* as resolvers do */
    CHECK(recv(y, buf[0], sizeof(buf[0]), 0) > 0 && recv(y, buf[0], sizeof(buf[0]), 0) > 0);
    close(x);
    close(y);
}

static void waiting(void)
{
    struct sockaddr_in a, from;
    socklen_t n = sizeof(from);
    char b;
    struct timeval tv = {0, 50 * MS};
    int x = check_bound(SOCK_DGRAM, &a);
    CHECK(setsockopt(x, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0);
    CHECK(recvfrom(x, &b, 1, 0, (struct sockaddr *)&from, &n) == -1 && errno == EAGAIN);
    CHECK(recv(x, &b, 1, 0) == -1 && errno == EAGAIN);
    CHECK(fcntl(x, F_SETFL, O_NONBLOCK) == 0);
    CHECK(recvfrom(x, &b, 1, 0, (struct sockaddr *)&from, &n) == -1 && errno == EAGAIN);
    close(x);
}

static void errors(void)
{
    struct sockaddr_in a, b;
    static char big[70000];
    int x = check_bound(SOCK_DGRAM, &a), y = check_bound(SOCK_DGRAM, &b), type = 0;
    socklen_t n = sizeof(type);
    CHECK(sendto(x, big, sizeof(big), 0, (struct sockaddr *)&b, sizeof(b)) == -1 &&
          errno == EMSGSIZE);
    CHECK(sendto(x, NULL, 5, 0, (struct sockaddr *)&b, sizeof(b)) == -1 && errno == EFAULT);
    CHECK(sendto(x, "x", 1, 0, (struct sockaddr *)1, sizeof(b)) == -1 && errno == EFAULT);
    CHECK(sendto(x, "x", 1, 0, (struct sockaddr *)&b, 3) == -1 && errno == EINVAL);
    CHECK(listen(x, 1) == -1 && errno == EOPNOTSUPP);
    CHECK(accept(x, NULL, NULL) == -1 && errno == EOPNOTSUPP);
    CHECK(getsockopt(x, SOL_SOCKET, SO_TYPE, &type, &n) == 0 && type == SOCK_DGRAM);
    CHECK(sendto(x, big, 60000, 0, (struct sockaddr *)&b, sizeof(b)) == 60000 && is_readable(y));
    CHECK(ioctl(y, FIONREAD, &type) == 0 && type == 60000);
    CHECK(recv(y, big, sizeof(big), 0) == 60000);
    close(x);
    close(y);
}

static const struct test tests[] = {
    {"sendto and recvfrom, MSG_PEEK, MSG_TRUNC", addressed},
    {"connected: read, write, empty datagrams, strangers", connected},
    {"disconnected: sends to anybody again", disconnected},
    {"plain reads mixed with recvfrom keep the right sources", mixed_reads},
    {"a refused datagram: ECONNREFUSED", refused},
    {"sendmsg and recvmsg", messages},
    {"sendmmsg and recvmmsg", many_messages},
    {"SO_RCVTIMEO and O_NONBLOCK", waiting},
    {"errors and large datagrams", errors},
};

int main(int argc, char **argv)
{
    return check_main(tests, sizeof(tests) / sizeof(tests[0]), argc > 1 ? argv[1] : NULL);
}

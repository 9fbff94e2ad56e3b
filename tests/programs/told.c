/* SPDX-License-Identifier: Apache-2.0
 *
 * A program that wants to know more than the bytes: errors from the error queue, when and how
 * datagrams came, at which address; and one that sends with its SYN. What breaks here breaks
 * traceroute, chrony, DNS servers with several addresses, QUIC.
 *
 * usage: told [WORD]     runs the tests whose name contains WORD
 */
#include "check.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/time.h>

bool check_failed;

enum { LONG_MS = 5000 };

static bool is_news(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};
    return poll(&p, 1, LONG_MS) == 1;
}

/* A message with room for control data. */
struct got {
    struct msghdr m;
    struct iovec iov;
    struct sockaddr_storage from;
    char bytes[64];
    _Alignas(8) char control[512];
};

static ssize_t receive(int fd, struct got *g, size_t room, int flags)
{
    memset(g, 0, sizeof(*g));
    g->iov = (struct iovec){g->bytes, sizeof(g->bytes)};
    g->m = (struct msghdr){.msg_name = &g->from,
                           .msg_namelen = sizeof(g->from),
                           .msg_iov = &g->iov,
                           .msg_iovlen = 1,
                           .msg_control = g->control,
                           .msg_controllen = room};
    return recvmsg(fd, &g->m, flags);
}

static const void *control_of(struct got *g, int level, int type, size_t n)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&g->m); c != NULL; c = CMSG_NXTHDR(&g->m, c))
        if (c->cmsg_level == level && c->cmsg_type == type && c->cmsg_len == CMSG_LEN(n))
            return CMSG_DATA(c);
    return NULL;
}

static bool set(int fd, int level, int name, int v)
{
    return setsockopt(fd, level, name, &v, sizeof(v)) == 0;
}

/* A port nobody has: the error comes as pending error and in the queue, once each. */
static void error_queue(void)
{
    struct sockaddr_in a, b;
    struct got g;
    int x = check_bound(SOCK_DGRAM, &a), y = check_bound(SOCK_DGRAM, &b);
    close(y);
    nap(20000); /* until nobody has it any more, also where that takes a moment */
    CHECK(set(x, IPPROTO_IP, IP_RECVERR, 1));
    CHECK(receive(x, &g, 512, MSG_ERRQUEUE) == -1 && errno == EAGAIN);
    CHECK(sendto(x, "hello", 5, 0, (struct sockaddr *)&b, sizeof(b)) == 5);
    CHECK(is_news(x, POLLIN | POLLERR));
    CHECK(receive(x, &g, 512, MSG_ERRQUEUE) == 5 && memcmp(g.bytes, "hello", 5) == 0);
    CHECK((g.m.msg_flags & MSG_ERRQUEUE) != 0 && g.m.msg_namelen == sizeof(b));
    CHECK(memcmp(&((struct sockaddr_in *)&g.from)->sin_port, &b.sin_port, 2) == 0);
    struct {
        struct sock_extended_err ee;
        struct sockaddr_in from;
    } e;
    const void *data = control_of(&g, IPPROTO_IP, IP_RECVERR, sizeof(e));
    CHECK(data != NULL);
    memcpy(&e, data, sizeof(e));
    CHECK(e.ee.ee_errno == ECONNREFUSED && e.ee.ee_origin == SO_EE_ORIGIN_ICMP);
    CHECK(e.ee.ee_type == 3 && e.ee.ee_code == 3);
    CHECK(e.from.sin_family == AF_INET && e.from.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
    /* Taken from the queue, it is no pending error any more. */
    CHECK(receive(x, &g, 512, MSG_ERRQUEUE) == -1 && errno == EAGAIN);
    CHECK(receive(x, &g, 512, MSG_DONTWAIT) == -1 && errno == EAGAIN);
    CHECK(sendto(x, "?", 1, 0, (struct sockaddr *)&a, sizeof(a)) == 1 && is_news(x, POLLIN));
    CHECK(receive(x, &g, 512, 0) == 1);
    close(x);
}

/* The error itself first, the queue afterwards. */
static void error_then_queue(void)
{
    struct sockaddr_in a, b;
    struct got g;
    int err = 0;
    socklen_t n = sizeof(err);
    int x = check_bound(SOCK_DGRAM, &a), y = check_bound(SOCK_DGRAM, &b);
    close(y);
    nap(20000); /* until nobody has it any more, also where that takes a moment */
    CHECK(set(x, IPPROTO_IP, IP_RECVERR, 1));
    CHECK(sendto(x, "hello", 5, 0, (struct sockaddr *)&b, sizeof(b)) == 5);
    CHECK(is_news(x, POLLIN | POLLERR));
    CHECK(getsockopt(x, SOL_SOCKET, SO_ERROR, &err, &n) == 0 && err == ECONNREFUSED);
    /* No room for control data: the bytes all the same, and it is said. */
    CHECK(receive(x, &g, 4, MSG_ERRQUEUE) == 5 && (g.m.msg_flags & MSG_CTRUNC) != 0);
    CHECK(g.m.msg_controllen == 0);
    close(x);
}

static void datagram_control(void)
{
    struct sockaddr_in a, b;
    struct got g;
    int x = check_bound(SOCK_DGRAM, &a), y = check_bound(SOCK_DGRAM, &b), ttl = 7, tos = 0x48;
    CHECK(set(y, IPPROTO_IP, IP_RECVTTL, 1) && set(y, IPPROTO_IP, IP_RECVTOS, 1));
    CHECK(set(y, IPPROTO_IP, IP_PKTINFO, 1) && set(y, SOL_SOCKET, SO_TIMESTAMP, 1));
    CHECK(setsockopt(x, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl)) == 0);
    CHECK(setsockopt(x, IPPROTO_IP, IP_TOS, &tos, sizeof(tos)) == 0);
    struct timeval before, after, tv;
    gettimeofday(&before, NULL);
    CHECK(sendto(x, "ping", 4, 0, (struct sockaddr *)&b, sizeof(b)) == 4 && is_news(y, POLLIN));
    CHECK(receive(y, &g, 512, MSG_PEEK) == 4);
    CHECK(control_of(&g, IPPROTO_IP, IP_TTL, sizeof(int)) != NULL);
    CHECK(receive(y, &g, 512, 0) == 4 && (g.m.msg_flags & MSG_CTRUNC) == 0);
    gettimeofday(&after, NULL);
    const void *data = control_of(&g, IPPROTO_IP, IP_TTL, sizeof(int));
    CHECK(data != NULL && memcmp(data, &ttl, sizeof(ttl)) == 0);
    data = control_of(&g, IPPROTO_IP, IP_TOS, 1);
    CHECK(data != NULL && *(const uint8_t *)data == 0x48);
    struct in_pktinfo info;
    data = control_of(&g, IPPROTO_IP, IP_PKTINFO, sizeof(info));
    CHECK(data != NULL);
    memcpy(&info, data, sizeof(info));
    CHECK(info.ipi_addr.s_addr == b.sin_addr.s_addr && info.ipi_ifindex != 0);
    data = control_of(&g, SOL_SOCKET, SO_TIMESTAMP, sizeof(tv));
    CHECK(data != NULL);
    memcpy(&tv, data, sizeof(tv));
    /* Clocks are read here and there: a millisecond of doubt. */
    double t = (double)tv.tv_sec + (double)tv.tv_usec / 1e6;
    CHECK(t > (double)before.tv_sec + (double)before.tv_usec / 1e6 - 0.001);
    CHECK(t < (double)after.tv_sec + (double)after.tv_usec / 1e6 + 0.001);
    /* Room for one and a bit. */
    CHECK(sendto(x, "ping", 4, 0, (struct sockaddr *)&b, sizeof(b)) == 4 && is_news(y, POLLIN));
    CHECK(receive(y, &g, CMSG_SPACE(sizeof(tv)) + 20, 0) == 4);
    CHECK((g.m.msg_flags & MSG_CTRUNC) != 0);
    CHECK(control_of(&g, SOL_SOCKET, SO_TIMESTAMP, sizeof(tv)) != NULL);
    close(x);
    close(y);
}

/* Read in a call that waits. */
static void datagram_control_waited(void)
{
    struct sockaddr_in a, b;
    struct got g;
    int x = check_bound(SOCK_DGRAM, &a), y = check_bound(SOCK_DGRAM, &b);
    CHECK(set(y, IPPROTO_IP, IP_RECVTTL, 1));
    if (fork() == 0) {
        nap(50000);
        sendto(x, "late", 4, 0, (struct sockaddr *)&b, sizeof(b));
        _exit(0);
    }
    CHECK(receive(y, &g, 512, 0) == 4);
    const void *data = control_of(&g, IPPROTO_IP, IP_TTL, sizeof(int));
    CHECK(data != NULL && *(const int *)data == 64);
    close(x);
    close(y);
}

static void send_control(void)
{
    struct sockaddr_in a, b;
    struct got g;
    int x = check_bound(SOCK_DGRAM, &a), y = check_bound(SOCK_DGRAM, &b), v = 9;
    _Alignas(8) char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec iov = {"ping", 4};
    struct msghdr m = {.msg_name = &b,
                       .msg_namelen = sizeof(b),
                       .msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control,
                       .msg_controllen = sizeof(control)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    *c = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = IPPROTO_IP, .cmsg_type = IP_TTL};
    memcpy(CMSG_DATA(c), &v, sizeof(v));
    CHECK(set(y, IPPROTO_IP, IP_RECVTTL, 1));
    CHECK(sendmsg(x, &m, 0) == 4 && is_news(y, POLLIN) && receive(y, &g, 512, 0) == 4);
    const void *data = control_of(&g, IPPROTO_IP, IP_TTL, sizeof(int));
    CHECK(data != NULL && *(const int *)data == 9);
    memset(CMSG_DATA(c), 0, sizeof(v));
    CHECK(sendmsg(x, &m, 0) == -1 && errno == EINVAL);
    close(x);
    close(y);
}

static void receive_stamps(void)
{
    struct sockaddr_in a, b;
    struct got g;
    int x = check_bound(SOCK_DGRAM, &a), y = check_bound(SOCK_DGRAM, &b);
    CHECK(set(y, SOL_SOCKET, SO_TIMESTAMPING,
              SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE));
    const void *data = NULL;
    struct timespec ts;
    /* A kernel begins to stamp a moment after it was asked to. */
    for (int i = 0; i < 100 && data == NULL; i++) {
        CHECK(sendto(x, "ping", 4, 0, (struct sockaddr *)&b, sizeof(b)) == 4);
        CHECK(is_news(y, POLLIN) && receive(y, &g, 512, 0) == 4);
        data = control_of(&g, SOL_SOCKET, SO_TIMESTAMPING, 48);
        nap(data == NULL ? 10000 : 0);
    }
    CHECK(data != NULL);
    memcpy(&ts, data, sizeof(ts));
    CHECK(ts.tv_sec > time(NULL) - 10 && ts.tv_sec <= time(NULL));
    close(x);
    close(y);
}

/* A server that takes data from the SYN if it gets any; what the client sends arrives in either
 * case, once and in order. */
static void fast_open(void)
{
    struct sockaddr_in sin;
    char buf[16];
    int l = check_listener(&sin), c = socket(AF_INET, SOCK_STREAM, 0), q = 8;
    CHECK(l >= 0 && c >= 0);
    (void)setsockopt(l, IPPROTO_TCP, TCP_FASTOPEN, &q, sizeof(q));
    CHECK(sendto(c, "hello", 5, MSG_FASTOPEN, (struct sockaddr *)&sin, sizeof(sin)) == 5);
    int s = accept(l, NULL, NULL);
    CHECK(s >= 0 && recv(s, buf, sizeof(buf), 0) == 5 && memcmp(buf, "hello", 5) == 0);
    CHECK(send(c, "more", 4, 0) == 4 && recv(s, buf, 4, MSG_WAITALL) == 4);
    CHECK(send(s, "yes", 3, 0) == 3 && recv(c, buf, sizeof(buf), 0) == 3);
    CHECK(sendto(c, "again", 5, MSG_FASTOPEN, (struct sockaddr *)&sin, sizeof(sin)) == -1);
    CHECK(errno == EISCONN);
    close(c);
    close(s);
    /* One that does not wait. */
    c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    ssize_t n = sendto(c, "hello", 5, MSG_FASTOPEN, (struct sockaddr *)&sin, sizeof(sin));
    CHECK(n == 5 || (n == -1 && errno == EINPROGRESS));
    CHECK(is_news(c, POLLOUT));
    if (n == -1)
        CHECK(send(c, "hello", 5, 0) == 5);
    s = accept(l, NULL, NULL);
    CHECK(s >= 0 && recv(s, buf, sizeof(buf), 0) == 5 && memcmp(buf, "hello", 5) == 0);
    close(c);
    close(s);
    close(l);
}

static void fast_open_refused(void)
{
    struct sockaddr_in sin;
    int l = check_listener(&sin), c = socket(AF_INET, SOCK_STREAM, 0);
    close(l);
    CHECK(sendto(c, "hello", 5, MSG_FASTOPEN, (struct sockaddr *)&sin, sizeof(sin)) == -1);
    CHECK(errno == ECONNREFUSED);
    CHECK(sendto(c, "hello", 5, MSG_FASTOPEN, NULL, 0) == -1 && errno == EINVAL);
    close(c);
}

static void fast_open_connect(void)
{
    struct sockaddr_in sin;
    char buf[16];
    int l = check_listener(&sin), one = 1;
    for (int round = 0; round < 2; round++) {
        int c = socket(AF_INET, SOCK_STREAM | (round == 1 ? SOCK_NONBLOCK : 0), 0);
        CHECK(setsockopt(c, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &one, sizeof(one)) == 0);
        int r = connect(c, (struct sockaddr *)&sin, sizeof(sin));
        /* Without a cookie the kernel connects as ever. */
        CHECK(r == 0 || (round == 1 && errno == EINPROGRESS && is_news(c, POLLOUT)));
        ssize_t n = write(c, "hello", 5);
        CHECK(n == 5 || (n == -1 && errno == EINPROGRESS && is_news(c, POLLOUT) &&
                         write(c, "hello", 5) == 5));
        int s = accept(l, NULL, NULL);
        CHECK(s >= 0 && recv(s, buf, sizeof(buf), 0) == 5 && memcmp(buf, "hello", 5) == 0);
        CHECK(send(s, "yes", 3, 0) == 3 && is_news(c, POLLIN) && recv(c, buf, 16, 0) == 3);
        close(c);
        close(s);
    }
    close(l);
}

static void odd_options(void)
{
    int c = socket(AF_INET, SOCK_STREAM, 0), v = 7;
    socklen_t n = sizeof(v);
    CHECK(getsockopt(c, SOL_SOCKET, SO_INCOMING_CPU, &v, &n) == 0 && v == -1);
    CHECK(getsockopt(c, SOL_SOCKET, SO_INCOMING_NAPI_ID, &v, &n) == 0 && v == 0);
    uint64_t cookie = 0;
    n = sizeof(cookie);
    CHECK(getsockopt(c, SOL_SOCKET, SO_COOKIE, &cookie, &n) == 0 && cookie != 0);
    CHECK(recv(c, &v, sizeof(v), MSG_ERRQUEUE) == -1 && errno == EAGAIN);
    close(c);
}

/* Each is done, or refused as what it is: nothing is accepted and then not done. */
static void untellable(void)
{
    static const struct {
        int level, name, v;
    } all[] = {
        {SOL_SOCKET, SO_ZEROCOPY, 1},
        {IPPROTO_TCP, TCP_REPAIR, 1},
        {SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_TX_SOFTWARE},
        {SOL_SOCKET, SO_TIMESTAMP, 1},
    };
    int c = socket(AF_INET, SOCK_STREAM, 0), u = socket(AF_INET, SOCK_DGRAM, 0);
    for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        CHECK(set(c, all[i].level, all[i].name, all[i].v) || errno == ENOPROTOOPT ||
              errno == EPERM);
    CHECK(set(u, SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_TX_SOFTWARE) ||
          errno == ENOPROTOOPT);
    close(c);
    close(u);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        {"an ICMP error, from the error queue", error_queue},
        {"the pending error first, the queue afterwards", error_then_queue},
        {"how a datagram came", datagram_control},
        {"how a datagram came, in a call that waits", datagram_control_waited},
        {"TTL of one datagram", send_control},
        {"when a datagram came", receive_stamps},
        {"sendto with MSG_FASTOPEN", fast_open},
        {"sendto with MSG_FASTOPEN, refused", fast_open_refused},
        {"TCP_FASTOPEN_CONNECT", fast_open_connect},
        {"options that tell where from", odd_options},
        {"what is untellable", untellable},
    };
    return check_main(tests, sizeof(tests) / sizeof(tests[0]), argc > 1 ? argv[1] : NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Sockets of family AF_INET6 as programs use them: ::1, both families on one socket, ports shared
 * between families, names. What they demand is what Linux does.
 */
#include "check.h"

#include <arpa/inet.h>
#include <poll.h>

bool check_failed;

static struct sockaddr_in6 addr6(const char *text, uint16_t port)
{
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = port};
    (void)inet_pton(AF_INET6, text, &a.sin6_addr);
    return a;
}

/* A socket bound to text and a free port, or that one (network order); -1 with errno. */
static int bound6(int type, const char *text, uint16_t port, int only6, struct sockaddr_in6 *at)
{
    socklen_t n = sizeof(*at);
    int fd = socket(AF_INET6, type, 0);
    *at = addr6(text, port);
    if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only6, sizeof(only6)) < 0)
        return -1;
    if (bind(fd, (struct sockaddr *)at, n) == 0 && getsockname(fd, (struct sockaddr *)at, &n) == 0)
        return fd;
    int e = errno;
    close(fd);
    errno = e;
    return -1;
}

static int bound4(int type, uint32_t ip, uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = port};
    int fd = socket(AF_INET, type, 0);
    a.sin_addr.s_addr = htonl(ip);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
        return fd;
    int e = errno;
    close(fd);
    errno = e;
    return -1;
}

static bool is_text(const struct sockaddr_in6 *a, const char *text)
{
    char buf[INET6_ADDRSTRLEN];
    return a->sin6_family == AF_INET6 &&
           strcmp(inet_ntop(AF_INET6, &a->sin6_addr, buf, sizeof(buf)), text) == 0;
}

static void loopback(void)
{
    struct sockaddr_in6 at, peer, mine;
    socklen_t n = sizeof(at);
    char b[8];
    int l = bound6(SOCK_STREAM, "::1", 0, 0, &at), c = socket(AF_INET6, SOCK_STREAM, 0);
    CHECK(l >= 0 && listen(l, 8) == 0);
    CHECK(connect(c, (struct sockaddr *)&at, sizeof(at)) == 0);
    int s = accept(l, (struct sockaddr *)&peer, &n);
    CHECK(s >= 0 && n == sizeof(peer) && is_text(&peer, "::1"));
    CHECK(getsockname(c, (struct sockaddr *)&mine, &n) == 0 && is_text(&mine, "::1"));
    CHECK(mine.sin6_port == peer.sin6_port && mine.sin6_scope_id == 0);
    CHECK(getpeername(c, (struct sockaddr *)&peer, &n) == 0 && peer.sin6_port == at.sin6_port);
    CHECK(write(c, "hello", 5) == 5 && read(s, b, sizeof(b)) == 5 && memcmp(b, "hello", 5) == 0);
    CHECK(write(s, "!", 1) == 1 && read(c, b, sizeof(b)) == 1);
    close(c);
    CHECK(read(s, b, sizeof(b)) == 0);
    close(s);
    close(l);
    c = socket(AF_INET6, SOCK_STREAM, 0);
    CHECK(connect(c, (struct sockaddr *)&at, sizeof(at)) == -1 && errno == ECONNREFUSED);
    close(c);
}

static void dual_stack(void)
{
    struct sockaddr_in6 at, peer;
    socklen_t n = sizeof(peer);
    int l = bound6(SOCK_STREAM, "::", 0, 0, &at);
    CHECK(l >= 0 && listen(l, 8) == 0);
    struct sockaddr_in to = check_addr(ntohs(at.sin6_port));
    int c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(c, (struct sockaddr *)&to, sizeof(to)) == 0);
    int s = accept(l, (struct sockaddr *)&peer, &n);
    CHECK(s >= 0 && is_text(&peer, "::ffff:127.0.0.1"));
    CHECK(getsockname(s, (struct sockaddr *)&peer, &n) == 0 && is_text(&peer, "::ffff:127.0.0.1"));
    close(s);
    close(c);
    /* An IPv6 socket may speak to an IPv4 address, unless it is for IPv6 only. */
    struct sockaddr_in6 mapped = addr6("::ffff:127.0.0.1", at.sin6_port);
    c = socket(AF_INET6, SOCK_STREAM, 0);
    CHECK(connect(c, (struct sockaddr *)&mapped, sizeof(mapped)) == 0);
    CHECK(getsockname(c, (struct sockaddr *)&peer, &n) == 0 && is_text(&peer, "::ffff:127.0.0.1"));
    close(c);
    int on = 1;
    c = socket(AF_INET6, SOCK_STREAM, 0);
    CHECK(setsockopt(c, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == 0);
    CHECK(connect(c, (struct sockaddr *)&mapped, sizeof(mapped)) == -1 && errno == ENETUNREACH);
    close(c);
    close(l);
}

static void only_ipv6(void)
{
    struct sockaddr_in6 at;
    int l = bound6(SOCK_STREAM, "::", 0, 1, &at), on = 0;
    socklen_t n = sizeof(on);
    CHECK(l >= 0 && listen(l, 8) == 0);
    struct sockaddr_in to = check_addr(ntohs(at.sin6_port));
    int c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(c, (struct sockaddr *)&to, sizeof(to)) == -1 && errno == ECONNREFUSED);
    CHECK(getsockopt(l, IPPROTO_IPV6, IPV6_V6ONLY, &on, &n) == 0 && on == 1);
    CHECK(setsockopt(l, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == -1 && errno == EINVAL);
    CHECK(setsockopt(c, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == -1 && errno == ENOPROTOOPT);
    close(c);
    close(l);
}

/* One port, two sockets: who may come second. */
static void ports(void)
{
    static const struct {
        const char *first, *second; /* NULL: 0.0.0.0 on an IPv4 socket */
        int only_first, only_second, error;
    } rows[] = {
        {"::", NULL, 0, 0, EADDRINUSE},
        {"::", NULL, 1, 0, 0},
        {"::", "::", 0, 1, EADDRINUSE},
        {"::", "::1", 1, 0, EADDRINUSE},
        {"::1", NULL, 0, 0, 0},
        {"::1", "::ffff:127.0.0.1", 0, 0, 0},
        {"::", "::ffff:127.0.0.1", 0, 0, EADDRINUSE},
        {"::", "::ffff:127.0.0.1", 1, 0, 0},
    };
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM};
    for (unsigned t = 0; t < 2; t++) {
        for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            struct sockaddr_in6 at, other;
            int a = bound6(types[t], rows[i].first, 0, rows[i].only_first, &at);
            CHECK(a >= 0);
            int b = rows[i].second == NULL ? bound4(types[t], INADDR_ANY, at.sin6_port)
                                           : bound6(types[t], rows[i].second, at.sin6_port,
                                                    rows[i].only_second, &other);
            int e = b < 0 ? errno : 0;
            if (e != rows[i].error)
                printf("# row %u of type %d: errno %d\n", i, types[t], e);
            CHECK(e == rows[i].error);
            close(a);
            if (b >= 0)
                close(b);
        }
    }
}

static bool is_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 2000) == 1;
}

static void datagrams(void)
{
    struct sockaddr_in6 at, from, mine;
    socklen_t n = sizeof(from);
    char b[70000];
    int s = bound6(SOCK_DGRAM, "::", 0, 0, &at), c = bound6(SOCK_DGRAM, "::1", 0, 0, &mine);
    CHECK(s >= 0 && c >= 0);
    struct sockaddr_in6 to = addr6("::1", at.sin6_port);
    CHECK(sendto(c, "six", 3, 0, (struct sockaddr *)&to, sizeof(to)) == 3 && is_readable(s));
    CHECK(recvfrom(s, b, sizeof(b), 0, (struct sockaddr *)&from, &n) == 3);
    CHECK(is_text(&from, "::1") && from.sin6_port == mine.sin6_port);
    CHECK(sendto(s, b, 60000, 0, (struct sockaddr *)&from, n) == 60000 && is_readable(c));
    CHECK(recv(c, b, sizeof(b), 0) == 60000);
    struct sockaddr_in to4 = check_addr(ntohs(at.sin6_port));
    int four = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(sendto(four, "4", 1, 0, (struct sockaddr *)&to4, sizeof(to4)) == 1 && is_readable(s));
    n = sizeof(from);
    CHECK(recvfrom(s, b, sizeof(b), 0, (struct sockaddr *)&from, &n) == 1);
    CHECK(is_text(&from, "::ffff:127.0.0.1"));
    CHECK(sendto(s, "four", 4, 0, (struct sockaddr *)&from, n) == 4 && is_readable(four));
    CHECK(recv(four, b, sizeof(b), 0) == 4);
    /* A refused port tells a connected socket. */
    close(s);
    n = sizeof(from);
    CHECK(connect(c, (struct sockaddr *)&to, sizeof(to)) == 0 && write(c, "x", 1) == 1);
    CHECK(is_readable(c));
    CHECK(recvfrom(c, b, 8, 0, (struct sockaddr *)&from, &n) == -1 && errno == ECONNREFUSED);
    close(c);
    close(four);
}

static void mistakes(void)
{
    struct sockaddr_in four = check_addr(9);
    struct sockaddr_in6 link = addr6("fe80::1", htons(9)), far = addr6("fd99::7", htons(9)), six;
    int s = socket(AF_INET6, SOCK_STREAM, 0), f = socket(AF_INET, SOCK_STREAM, 0);
    six = addr6("::1", htons(9));
    CHECK(bind(s, (struct sockaddr *)&link, sizeof(link)) == -1 && errno == EINVAL);
    CHECK(bind(s, (struct sockaddr *)&far, sizeof(far)) == -1 && errno == EADDRNOTAVAIL);
    CHECK(bind(s, (struct sockaddr *)&four, sizeof(four)) == -1 && errno == EINVAL);
    CHECK(connect(s, (struct sockaddr *)&link, sizeof(link)) == -1 && errno == EINVAL);
    CHECK(connect(f, (struct sockaddr *)&six, sizeof(six)) == -1 && errno == EAFNOSUPPORT);
    close(s);
    close(f);
}

static const struct test tests[] = {
    {"::1: connect, accept, names, refused", loopback},
    {"one socket for both families", dual_stack},
    {"IPV6_V6ONLY", only_ipv6},
    {"ports shared between families", ports},
    {"datagrams of both families on one socket", datagrams},
    {"mistakes", mistakes},
};

int main(int argc, char **argv)
{
    return check_main(tests, sizeof(tests) / sizeof(tests[0]), argc > 1 ? argv[1] : NULL);
}

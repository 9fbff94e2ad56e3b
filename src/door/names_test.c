/* SPDX-License-Identifier: Apache-2.0
 *
 * If this fails, a program is told an address it did not ask for, or its packets go to the wrong
 * one.
 */
#include "unit.h"

#include "base/addr.h"
#include "door/state.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static struct weir_addr at(const char *text, uint16_t port)
{
    struct addr a;
    struct weir_addr w = {.port = port};
    assert_int_equal(addr_parse(text, &a), 0);
    memcpy(w.ip, a.b, sizeof(w.ip));
    return w;
}

static bool is_same(const struct weir_addr *a, const struct weir_addr *b)
{
    return memcmp(a->ip, b->ip, sizeof(a->ip)) == 0 && a->port == b->port;
}

/* Our own process is as good a guest as any for reading. */
static int read_name(const struct plug *p, const void *sa, size_t n, struct weir_addr *out)
{
    struct ask a = {.tid = getpid()};
    return name_read(&a, p, (uint64_t)(uintptr_t)sa, n, out);
}

static void reading(void **state)
{
    struct plug p4 = {.family = AF_INET, .type = WEIR_STREAM};
    struct plug p6 = {.family = AF_INET6, .type = WEIR_STREAM};
    struct sockaddr_in s4 = {.sin_family = AF_INET, .sin_port = htons(80)};
    struct sockaddr_in6 s6 = {.sin6_family = AF_INET6, .sin6_port = htons(443)};
    struct weir_addr got, want = at("10.1.2.3", 80);
    (void)state;
    s4.sin_addr.s_addr = htonl(0x0a010203);
    s6.sin6_addr.s6_addr[15] = 1;
    assert_int_equal(read_name(&p4, &s4, sizeof(s4), &got), 0);
    assert_true(is_same(&got, &want));
    assert_int_equal(read_name(&p4, &s4, sizeof(s4) - 1, &got), -EINVAL);
    assert_int_equal(read_name(&p4, &s6, sizeof(s6), &got), -EAFNOSUPPORT);
    /* Too short for an IPv6 address is seen before its family is, as in Linux. */
    assert_int_equal(read_name(&p6, &s4, sizeof(s4), &got), -EINVAL);
    want = at("::1", 443);
    assert_int_equal(read_name(&p6, &s6, sizeof(s6), &got), 0);
    assert_true(is_same(&got, &want));
    assert_int_equal(read_name(&p4, &s4, 1, &got), -EINVAL);
    assert_int_equal(read_name(&p4, &s4, 1u << 20, &got), -EINVAL);
    assert_int_equal(read_name(&p4, (void *)8, sizeof(s4), &got), -EFAULT);
}

static void writing(void **state)
{
    struct plug p4 = {.family = AF_INET}, p6 = {.family = AF_INET6};
    struct weir_addr a = at("192.0.2.9", 8080), any = at("0.0.0.0", 5);
    uint8_t buf[sizeof(struct sockaddr_in6)];
    struct sockaddr_in s4;
    struct sockaddr_in6 s6;
    (void)state;
    assert_int_equal(name_put(&p4, &a, buf), sizeof(s4));
    memcpy(&s4, buf, sizeof(s4));
    assert_int_equal(ntohl(s4.sin_addr.s_addr), 0xc0000209);
    assert_int_equal(ntohs(s4.sin_port), 8080);
    assert_int_equal(name_put(&p6, &a, buf), sizeof(s6));
    memcpy(&s6, buf, sizeof(s6));
    assert_true(IN6_IS_ADDR_V4MAPPED(&s6.sin6_addr));
    (void)name_put(&p6, &any, buf);
    memcpy(&s6, buf, sizeof(s6));
    assert_true(IN6_IS_ADDR_UNSPECIFIED(&s6.sin6_addr) && ntohs(s6.sin6_port) == 5);
}

static void mapping(void **state)
{
    struct door *d = calloc(1, sizeof(*d));
    struct door_conf conf = {.backend = {.can_host_loopback = true}};
    struct plug p = {.family = AF_INET};
    struct weir_addr asked = at("127.0.0.1", 80), real = at("10.0.2.2", 80), a = asked;
    (void)state;
    assert_non_null(d);
    d->conf = &conf;
    d->gw = at("10.0.2.2", 0);
    d->dns = at("10.0.2.3", 0);
    d->resolver[0] = at("127.0.0.53", 0);
    d->n_resolvers = 1;
    name_map(d, &p, &a);
    assert_true(is_same(&a, &real));
    name_unmap(&p, &a);
    assert_true(is_same(&a, &asked));
    /* Others stay what they are, also on the way back. */
    a = at("10.0.2.2", 81);
    name_unmap(&p, &a);
    assert_int_equal(a.ip[12], 10);
    a = at("192.0.2.1", 80);
    name_map(d, &p, &a);
    assert_int_equal(a.ip[12], 192);
    /* The loopback is the program's own, but for its resolver. */
    conf.backend.can_host_loopback = false;
    a = asked;
    name_map(d, &p, &a);
    assert_true(is_same(&a, &asked));
    a = at("127.0.0.53", 53);
    name_map(d, &p, &a);
    assert_int_equal(a.ip[12], 10);
    a = at("127.0.0.53", 54);
    name_map(d, &p, &a);
    assert_int_equal(a.ip[12], 127);
    free(d);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(reading),
    cmocka_unit_test(writing),
    cmocka_unit_test(mapping),
};
UNIT_MAIN(tests)

/* SPDX-License-Identifier: Apache-2.0
 *
 * Addresses: text in, text out, prefixes and classes.
 */
#include "unit.h"

#include <errno.h>

#include "base/addr.h"

static struct addr parsed(const char *text)
{
    struct addr a = {0};
    assert_int_equal(addr_parse(text, &a), 0);
    return a;
}

static void assert_text(const char *text, const char *expected)
{
    struct addr a = parsed(text);
    char buf[ADDR_TEXT];
    unsigned n = addr_format(&a, buf);
    assert_string_equal(buf, expected);
    assert_int_equal(n, strlen(expected));
    struct addr again = parsed(buf);
    assert_true(addr_eq(&a, &again));
}

/* If this fails, a person reads another address than the one in use, or two tools print one
 * address in two ways. */
static void text_is_rfc5952(void **state)
{
    (void)state;
    static const char *const v[][2] = {
        /* [RFC 5952 4.1, 4.3] no leading zeros, lower case */
        {"2001:0DB8::0001", "2001:db8::1"},
        {"2001:db8:0:0:0:0:2:1", "2001:db8::2:1"},
        /* [RFC 5952 4.2.1] as much as possible */
        {"2001:db8:0:0:0:0:0:1", "2001:db8::1"},
        /* [RFC 5952 4.2.2] not for one group */
        {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
        {"2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
        /* [RFC 5952 4.2.3] the longest run, the first of equals */
        {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
        {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
        {"0:0:0:0:0:0:0:0", "::"},
        {"::1", "::1"},
        {"1::", "1::"},
        {"1:0:0:0:0:0:0:2", "1::2"},
        {"0:0:1:2:3:4:0:0", "::1:2:3:4:0:0"},
        {"1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"},
        {"0:0:3:4:5:6:7:8", "::3:4:5:6:7:8"},
        {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
        {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
        {"a:b:c:d:e:f:1.2.3.4", "a:b:c:d:e:f:102:304"},
        {"::1.2.3.4", "::102:304"},
        /* [RFC 5952 5, RFC 6052 2.4] dotted where the prefix says so */
        {"64:ff9b::192.0.2.33", "64:ff9b::192.0.2.33"},
        {"64:ff9b::c000:221", "64:ff9b::192.0.2.33"},
        {"64:ff9b:1::c000:221", "64:ff9b:1::c000:221"},
        /* IPv4, and IPv4 written as IPv6 */
        {"0.0.0.0", "0.0.0.0"},
        {"255.255.255.255", "255.255.255.255"},
        {"10.1.20.100", "10.1.20.100"},
        {"::ffff:10.0.0.1", "10.0.0.1"},
        {"::FFFF:a00:1", "10.0.0.1"},
    };
    for (unsigned i = 0; i < WEIR_COUNT(v); i++)
        assert_text(v[i][0], v[i][1]);
}

/* If this fails, a typing error becomes a route: text that is no address is taken for one. */
static void malformed_text_is_refused(void **state)
{
    (void)state;
    static const char *const v[] = {
        "",
        " ",
        "1",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.",
        ".1.2.3",
        "1..2.3",
        "1.2.3.256",
        "1.2.3.04",
        "01.2.3.4",
        "1.2.3.1000",
        "1.2.3.4 ",
        " 1.2.3.4",
        "1.2.3.-4",
        "1.2.3.a",
        "0x1.2.3.4",
        "1.2.3.4/24",
        ":",
        ":::",
        "::::",
        "1:",
        ":1",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:",
        ":1::2",
        "1:2:3:4:5:6:7:8:9",
        "1:2:3:4:5:6:7:8:",
        "1::2::3",
        "1:::2",
        "12345::",
        "g::",
        "::g",
        "1:2:3:4::5:6:7:8",
        "::1:2:3:4:5:6:7:8",
        "1:2:3:4:5:6:7:8::",
        "::1%eth0",
        "::1/64",
        "1.2.3.4::",
        "::2:3:4:5:6:7:8:1.2.3.4",
        "::1.2.3.4:5",
        "1:2:3:4:5:6:7:1.2.3.4",
        "::1.2.3",
        "::1.2.3.256",
        "::.1.2.3",
        "1:2:3:4:5:1.2.3.4",
        "::01.2.3.4",
        "::ffff:1.2.3.4.5",
        "1:2:3:4:5:6:7:8.1.2.3",
        "[::1]",
    };
    for (unsigned i = 0; i < WEIR_COUNT(v); i++) {
        struct addr a;
        if (addr_parse(v[i], &a) != -EINVAL)
            fail_msg("\"%s\" was taken for an address", v[i]);
    }
}

/* If this fails, the longest text overruns the caller's buffer. */
static void longest_text_fits(void **state)
{
    (void)state;
    struct addr a = parsed("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    char buf[ADDR_TEXT];
    memset(buf, 'x', sizeof buf);
    assert_int_equal(addr_format(&a, buf), 39);
    assert_int_equal(buf[39], 0);
    assert_int_equal(buf[40], 'x');
}

/* If this fails, packets take a route that is not theirs: a prefix matches too much or too
 * little. */
static void prefix_is_exact_to_the_bit(void **state)
{
    (void)state;
    struct addr a = parsed("2001:db8:a5a5:5a5a:1234:5678:9abc:def0");
    for (unsigned flip = 0; flip < 128; flip++) {
        struct addr b = a;
        b.b[flip / 8] ^= (uint8_t)(0x80 >> flip % 8);
        for (unsigned bits = 0; bits <= 128; bits++)
            assert_int_equal(addr_in_prefix(&a, &b, bits), bits <= flip);
    }
    struct addr host = parsed("10.1.2.3"), net = parsed("10.1.0.0");
    assert_true(addr_in_prefix(&host, &net, 96 + 16));
    assert_true(addr_in_prefix(&host, &net, 96 + 22));
    assert_false(addr_in_prefix(&host, &net, 96 + 24));
    WEIR_EXPECT_ASSERT(addr_in_prefix(&host, &net, 129));
}

/* If this fails, packets from impossible sources are answered: an address is put in the wrong
 * class. */
static void classes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_ip4, is_any, is_loopback, is_multicast, is_broadcast;
    } v[] = {
        {"0.0.0.0", true, true, false, false, false},
        {"::", false, true, false, false, false},
        {"127.0.0.1", true, false, true, false, false},
        {"127.255.255.255", true, false, true, false, false},
        {"128.0.0.1", true, false, false, false, false},
        {"::1", false, false, true, false, false},
        {"::2", false, false, false, false, false},
        {"1::1", false, false, false, false, false},
        {"0:0:0:0:0:0:1:1", false, false, false, false, false},
        {"::1:0:0:1", false, false, false, false, false},
        {"::1:0:0", false, false, false, false, false},
        {"224.0.0.1", true, false, false, true, false},
        {"239.255.255.255", true, false, false, true, false},
        {"223.255.255.255", true, false, false, false, false},
        {"240.0.0.1", true, false, false, false, false},
        {"255.255.255.255", true, false, false, false, true},
        {"ff02::1", false, false, false, true, false},
        {"fe80::1", false, false, false, false, false},
        {"::fffe:0:0", false, false, false, false, false},
    };
    for (unsigned i = 0; i < WEIR_COUNT(v); i++) {
        struct addr a = parsed(v[i].text);
        assert_int_equal(addr_is_ip4(&a), v[i].is_ip4);
        assert_int_equal(addr_is_any(&a), v[i].is_any);
        assert_int_equal(addr_is_loopback(&a), v[i].is_loopback);
        assert_int_equal(addr_is_multicast(&a), v[i].is_multicast);
        assert_int_equal(addr_is_limited_broadcast(&a), v[i].is_broadcast);
    }
}

/* If this fails, an address is sent in the wrong byte order. */
static void host_order_round_trip(void **state)
{
    (void)state;
    struct addr a = addr_ip4(0x0a010203), b = parsed("10.1.2.3");
    assert_true(addr_eq(&a, &b));
    assert_int_equal(addr_to_ip4(&b), 0x0a010203);
    assert_int_equal(addr_ip4_bytes(&b)[0], 10);
}

/* If this fails, a segment is taken for one of another connection. */
static void flows_differ_in_every_field(void **state)
{
    (void)state;
    struct flow f = {.local = parsed("10.0.0.1"), .remote = parsed("10.0.0.2"), .proto = 6}, g = f;
    assert_true(flow_eq(&f, &g));
    g.lport = 1;
    assert_false(flow_eq(&f, &g));
    g = f, g.rport = 1;
    assert_false(flow_eq(&f, &g));
    g = f, g.proto = 17;
    assert_false(flow_eq(&f, &g));
    g = f, g.local = f.remote;
    assert_false(flow_eq(&f, &g));
    g = f, g.remote = f.local;
    assert_false(flow_eq(&f, &g));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(text_is_rfc5952),
    cmocka_unit_test(malformed_text_is_refused),
    cmocka_unit_test(longest_text_fits),
    cmocka_unit_test(prefix_is_exact_to_the_bit),
    cmocka_unit_test(classes),
    cmocka_unit_test(host_order_round_trip),
    cmocka_unit_test(flows_differ_in_every_field),
};
UNIT_MAIN(tests)

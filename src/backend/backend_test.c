/* SPDX-License-Identifier: Apache-2.0 */
#include "pkts.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "backend/backend.h"
#include "backend/kinds.h"

static char err[BACKEND_ERR_TEXT];

static void forwards(const char *text, const char *addr, unsigned host_port, unsigned port)
{
    struct backend_fwd f;
    char host[ADDR_TEXT] = "";
    if (backend_parse_fwd(text, &f, err) != 0)
        fail_msg("'%s': %s", text, err);
    if (f.host_addr.d[0] != 0 || f.host_addr.d[1] != 0)
        (void)addr_format(&f.host_addr, host);
    assert_string_equal(host, addr);
    assert_int_equal(f.host_port, host_port);
    assert_int_equal(f.port, port);
    assert_int_equal(f.is_udp, strstr(text, "udp") != NULL);
}

/* If this fails, -p leads to another port than the one a person named. */
static void ports_to_forward(void **state)
{
    (void)state;
    forwards("8080:80", "", 8080, 80);
    forwards("80", "", 80, 80);
    forwards("0.0.0.0:8080:80/tcp", "0.0.0.0", 8080, 80);
    forwards("127.0.0.2:5353:53/udp", "127.0.0.2", 5353, 53);
    forwards("65535:1/udp", "", 65535, 1);
    const char *bad[] = {"",       "a",          "80:",        ":80",       "0:80",      "80:65536",
                         "-1:80",  "80:80/sctp", "1.2.3:1:2",  "[::1]:1:2", "::1:80:80", "80 :80",
                         "80:+80", "80:80/",     "1.2.3.4:80", "123456:80", ":1:2"};
    for (unsigned i = 0; i < WEIR_COUNT(bad); i++) {
        struct backend_fwd f;
        if (backend_parse_fwd(bad[i], &f, err) != -EINVAL)
            fail_msg("'%s' was accepted", bad[i]);
        assert_non_null(strstr(err, "such as 8080:80"));
    }
}

static void refuses(const char *spec, const struct backend_conf *conf, const char *words)
{
    struct backend b;
    if (backend_open(spec, conf, &b, err) == 0)
        fail_msg("'%s' was opened", spec);
    assert_null(b.dev);
    if (strstr(err, words) == NULL)
        fail_msg("'%s': the sentence \"%s\" lacks \"%s\"", spec, err, words);
}

/* If this fails, a person who mistypes a network is told an errno. */
static void mistakes_are_told(void **state)
{
    (void)state;
    struct backend_conf none = {0}, gw = {.gw = addr_ip4(0x0a000302)}, wide = {.prefix_len = 4};
    struct backend_conf mtu = {.mtu = 100}, same = {.addr = addr_ip4(0x0a000202)};
    struct addr six = {.b = {0xfd, [15] = 2}}, far = {.b = {0xfe, [15] = 2}};
    struct backend_conf same6 = {.addr6 = six}, far6 = {.gw6 = far}, wide6 = {.prefix_len6 = 48};
    refuses("usr", &none, "expected user, tap:NAME or virtio:PCI-SLOT");
    refuses("", &none, "expected user, tap:NAME or virtio:PCI-SLOT");
    refuses("user:x", &none, "takes no name");
    refuses("user", &gw, "of one network");
    refuses("user", &same, "three different");
    refuses("user", &wide, "/4");
    refuses("user", &mtu, "MTU");
    refuses("user", &same6, "fd00::2 and gateway fd00::2 must be two different");
    refuses("user", &far6, "of one /64 network");
    refuses("user", &wide6, "/64, not /48");
    refuses("tap", &none, "such as tap:tap0");
    refuses("tap:a-name-that-is-too-long", &none, "such as tap:tap0");
    refuses("tap:weir-none", &none, "ip tuntap add dev weir-none mode tap");
    refuses("virtio", &none, "such as virtio:0000:00:03.0");
    refuses("virtio:../../../x", &none, "such as virtio:0000:00:03.0");
    refuses("virtio:0000:00:03.00", &none, "such as virtio:0000:00:03.0");
    refuses("virtio:ff:1f.7", &none, "there is no PCI device 0000:ff:1f.7");
}

/* If this fails, two hosts on one wire answer to the same MAC, or to a multicast one. */
static void mac_addresses(void **state)
{
    (void)state;
    uint8_t a[6], b[6], c[6];
    backend_mac("tap0", 1, a);
    backend_mac("tap0", 1, b);
    backend_mac("tap1", 1, c);
    assert_memory_equal(a, b, 6);
    assert_memory_not_equal(a, c, 6);
    backend_mac("tap0", 2, b);
    assert_memory_not_equal(a, b, 6);
    assert_int_equal(a[0] & 3, 2);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(ports_to_forward),
    cmocka_unit_test(mistakes_are_told),
    cmocka_unit_test(mac_addresses),
};
UNIT_MAIN(tests)

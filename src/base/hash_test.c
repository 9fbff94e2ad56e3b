/* SPDX-License-Identifier: Apache-2.0
 *
 * The hashes against the vectors their authors published, and the flow hash against the plain one.
 *
 * SipHash: the reference implementation's vectors, key 00 01 .. 0f, message 00 01 .. n-1.
 * Toeplitz: Microsoft, "Verifying the RSS hash calculation".
 */
#include "unit.h"

#include "base/hash.h"

static const struct hash_key reference_key = {0x0706050403020100, 0x0f0e0d0c0b0a0908};

static const uint64_t sip24_vectors[] = {
    0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d,
    0xcf2794e0277187b7, 0x18765564cd99a68d, 0xcbc9466e58fee3ce, 0xab0200f58b01d137,
    0x93f5f5799a932462, 0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7,
    0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee, 0xa129ca6149be45e5,
    0x3f2acc7f57c29bdb,
};

static const uint64_t sip13_vectors[] = {
    0xabac0158050fc4dc, 0xc9f49bf37d57ca93, 0x82cb9b024dc7d44d, 0x8bf80ab8e7ddf7fb,
    0xcf75576088d38328, 0xdef9d52f49533b67, 0xc50d2b50c59f22a7, 0xd3927d989bb11140,
    0x369095118d299a8e, 0x25a48eb36c063de4, 0x79de85ee92ff097f, 0x70c118c1f94dc352,
    0x78a384b157b4d9a2, 0x306f760c1229ffa7, 0x605aa111c0f95d34, 0xd320d86d2a519956,
    0xcc4fdd1a7d908b66, 0x9cf2689063dbd80c, 0x8ffc389cb473e63e, 0xf21f9de58d297d1c,
};

/* If this fails, an attacker may be able to guess sequence numbers and ports. */
static void sip24_is_siphash(void **state)
{
    (void)state;
    uint8_t m[64];
    for (unsigned i = 0; i < sizeof m; i++)
        m[i] = (uint8_t)i;
    for (unsigned n = 0; n < WEIR_COUNT(sip24_vectors); n++)
        assert_int_equal(hash_sip24(&reference_key, m, n), sip24_vectors[n]);
    assert_int_equal(hash_sip24(&reference_key, m, 63), 0x958a324ceb064572);
}

/* If this fails, an attacker may be able to fill one bucket of the connection table. */
static void sip13_is_siphash(void **state)
{
    (void)state;
    uint8_t m[64];
    for (unsigned i = 0; i < sizeof m; i++)
        m[i] = (uint8_t)i;
    for (unsigned n = 0; n < WEIR_COUNT(sip13_vectors); n++)
        assert_int_equal(hash_sip13(&reference_key, m, n), sip13_vectors[n]);
}

/* If this fails, the flow hash is weaker than SipHash: it leaves out or mixes up a field. */
static void flow_hash_is_sip13_of_the_tuple(void **state)
{
    (void)state;
    struct flow f = {.local = addr_ip4(0x0a000001), .remote = addr_ip4(0xc0000207), .proto = 6};
    f.lport = 0x1234;
    f.rport = 0xfedc;
    uint8_t m[37] = {10, 0, 0, 1, 192, 0, 2, 7, 0x34, 0x12, 0xdc, 0xfe, 6};
    assert_int_equal(hash_flow(&reference_key, &f), hash_sip13(&reference_key, m, 13));
    assert_int_equal(hash_flow_secret(&reference_key, &f), hash_sip24(&reference_key, m, 13));
    m[12] = f.proto = 17;
    assert_int_equal(hash_flow(&reference_key, &f), hash_sip13(&reference_key, m, 13));
    f.local.b[0] = 0x20; /* one IPv6 address: all of both counts */
    memcpy(m, f.local.b, 16);
    memcpy(m + 16, f.remote.b, 16);
    m[32] = 0x34, m[33] = 0x12, m[34] = 0xdc, m[35] = 0xfe, m[36] = 17;
    assert_int_equal(hash_flow(&reference_key, &f), hash_sip13(&reference_key, m, 37));
    assert_int_equal(hash_flow_secret(&reference_key, &f), hash_sip24(&reference_key, m, 37));
}

/* If this fails, equal flows (by flow_eq) can land in different buckets: a connection is not found
 * because the interface it is bound to, or a reserved field, differs. */
static void flow_hash_ignores_what_flow_eq_ignores(void **state)
{
    (void)state;
    struct flow f = {.lport = 1, .rport = 2, .proto = 6}, g = f;
    g.nif = 3;
    g.vrf = 4;
    assert_true(flow_eq(&f, &g));
    assert_int_equal(hash_flow(&reference_key, &f), hash_flow(&reference_key, &g));
}

static const uint8_t rss_key[40] = {
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
    0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
    0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
};

static const struct {
    const char *src, *dst;
    uint16_t sport, dport;
    uint32_t hash_addrs, hash_tcp;
} rss_vectors[] = {
    {"66.9.149.187", "161.142.100.80", 2794, 1766, 0x323e8fc2, 0x51ccc178},
    {"199.92.111.2", "65.69.140.83", 14230, 4739, 0xd718262a, 0xc626b0ea},
    {"24.19.198.95", "12.22.207.184", 12898, 38024, 0xd2d0a5de, 0x5c2b394a},
    {"38.27.205.30", "209.142.163.6", 48228, 2217, 0x82989176, 0xafc7327f},
    {"153.39.163.191", "202.188.127.2", 44251, 1303, 0x5d1809c5, 0x10e828a2},
    {"3ffe:2501:200:1fff::7", "3ffe:2501:200:3::1", 2794, 1766, 0x2cc18cd5, 0x40207d3d},
    {"3ffe:501:8::260:97ff:fe40:efab", "ff02::1", 14230, 4739, 0x0f0c461c, 0xdde51bbf},
    {"3ffe:1900:4545:3:200:f8ff:fe21:67cf", "fe80::200:f8ff:fe21:67cf", 44251, 38024, 0x4b61e985,
     0x02d1feef},
};

/* If this fails, a NIC's hash and ours differ: received flows go to a shard that does not have
 * their connection. */
static void toeplitz_is_what_nics_compute(void **state)
{
    (void)state;
    for (unsigned i = 0; i < WEIR_COUNT(rss_vectors); i++) {
        struct addr src, dst;
        assert_int_equal(addr_parse(rss_vectors[i].src, &src), 0);
        assert_int_equal(addr_parse(rss_vectors[i].dst, &dst), 0);
        size_t len = addr_is_ip4(&src) ? 4 : 16;
        uint8_t in[36];
        memcpy(in, src.b + 16 - len, len);
        memcpy(in + len, dst.b + 16 - len, len);
        w_put16(in + 2 * len, rss_vectors[i].sport);
        w_put16(in + 2 * len + 2, rss_vectors[i].dport);
        assert_int_equal(hash_toeplitz(rss_key, in, 2 * len), rss_vectors[i].hash_addrs);
        assert_int_equal(hash_toeplitz(rss_key, in, 2 * len + 4), rss_vectors[i].hash_tcp);
    }
}

/* If this fails, a longer input reads beyond the key. */
static void toeplitz_refuses_more_than_its_key(void **state)
{
    (void)state;
    uint8_t in[37] = {0};
    WEIR_EXPECT_ASSERT(hash_toeplitz(rss_key, in, sizeof in));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(sip24_is_siphash),
    cmocka_unit_test(sip13_is_siphash),
    cmocka_unit_test(flow_hash_is_sip13_of_the_tuple),
    cmocka_unit_test(flow_hash_ignores_what_flow_eq_ignores),
    cmocka_unit_test(toeplitz_is_what_nics_compute),
    cmocka_unit_test(toeplitz_refuses_more_than_its_key),
};
UNIT_MAIN(tests)

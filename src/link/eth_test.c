/* SPDX-License-Identifier: Apache-2.0 */
#include "net.h"

/* A frame of 64 bytes with a header of this kind. */
static enum next in(struct net *n, const uint8_t *dst, const uint8_t *src, uint16_t type,
                    enum drop *why)
{
    uint8_t b[64] = {0};
    wire_eth_put(b, dst, src, type);
    struct pkt *p = net_pkt(n, b, sizeof b);
    enum next next = eth_input(&n->link, n->nif, p);
    *why = (enum drop)p->drop;
    if (next != NEXT_DROP)
        assert_int_equal(p->len, 50);
    pkt_free(p);
    return next;
}

/* If this fails, frames for us are missed, or the whole LAN's frames are taken for ours. */
static void eth_takes_what_is_addressed_to_us(void **state)
{
    (void)state;
    struct net n;
    enum drop why;
    const uint8_t mcast[6] = {0x01, 0x00, 0x5e, 0, 0, 1};
    net_open(&n);
    assert_int_equal(in(&n, net_mac, net_peer_mac, ETYPE_IP4, &why), NEXT_IP4);
    assert_int_equal(in(&n, net_bcast_mac, net_peer_mac, ETYPE_ARP, &why), NEXT_ARP);
    assert_int_equal(in(&n, mcast, net_peer_mac, ETYPE_IP6, &why), NEXT_IP6);
    assert_int_equal(in(&n, net_peer_mac, net_peer_mac, ETYPE_IP4, &why), NEXT_DROP);
    assert_int_equal(why, DROP_ETH_NOT_OURS);
    assert_int_equal(n.nif->n.rx_not_ours, 1);
    n.nif->flags |= NIF_PROMISC;
    assert_int_equal(in(&n, net_peer_mac, net_peer_mac, ETYPE_IP4, &why), NEXT_IP4);
    n.nif->flags = 0;
    assert_int_equal(in(&n, net_mac, net_peer_mac, ETYPE_IP4, &why), NEXT_DROP);
    assert_int_equal(why, DROP_NIF_DOWN);
    assert_int_equal(n.nif->n.rx_packets, 6);
    net_close(&n);
}

/* If this fails, a malformed frame reaches IP, or is dropped without a name. */
static void eth_names_what_it_refuses(void **state)
{
    (void)state;
    struct net n;
    enum drop why;
    net_open(&n);
    assert_int_equal(in(&n, net_mac, net_bcast_mac, ETYPE_IP4, &why), NEXT_DROP);
    assert_int_equal(why, DROP_ETH_SRC);
    assert_int_equal(in(&n, net_mac, net_peer_mac, 0x88cc, &why), NEXT_DROP);
    assert_int_equal(why, DROP_ETH_TYPE);
    assert_int_equal(in(&n, net_mac, net_peer_mac, 46, &why), NEXT_DROP);
    assert_int_equal(why, DROP_ETH_LENGTH);
    uint8_t b[13] = {0};
    struct pkt *p = net_pkt(&n, b, sizeof b);
    assert_int_equal(eth_input(&n.link, n.nif, p), NEXT_DROP);
    assert_int_equal(p->drop, DROP_ETH_SHORT);
    pkt_free(p);
    assert_int_equal(n.nif->n.rx_dropped, 4);
    net_close(&n);
}

/* If this fails, frames with a priority tag are lost, or another VLAN's frames leak in. */
static void eth_looks_through_priority_tags_only(void **state)
{
    (void)state;
    struct net n;
    net_open(&n);
    for (unsigned vid = 0; vid < 2; vid++) {
        uint8_t b[64] = {0};
        wire_eth_put(b, net_mac, net_peer_mac, ETYPE_VLAN);
        w_put16(b + 14, 0xe000 | vid * 5);
        w_put16(b + 16, ETYPE_IP4);
        struct pkt *p = net_pkt(&n, b, sizeof b);
        assert_int_equal(eth_input(&n.link, n.nif, p), vid == 0 ? NEXT_IP4 : NEXT_DROP);
        if (vid == 0)
            assert_int_equal(p->l3, 18);
        else
            assert_int_equal(p->drop, DROP_VLAN_OTHER);
        pkt_free(p);
    }
    net_close(&n);
}

/* If this fails, a host cannot tell a packet that was shouted at everybody from its own, and
 * answers broadcasts with errors. */
static void eth_says_how_a_frame_was_addressed(void **state)
{
    (void)state;
    struct net n;
    net_open(&n);
    uint8_t b[64] = {0};
    wire_eth_put(b, net_bcast_mac, net_peer_mac, ETYPE_IP4);
    struct pkt *p = net_pkt(&n, b, sizeof b);
    assert_int_equal(eth_input(&n.link, n.nif, p), NEXT_IP4);
    assert_int_equal(p->origin, LINK_TO_GROUP);
    pkt_free(p);
    wire_eth_put(b, net_mac, net_peer_mac, ETYPE_IP4);
    p = net_pkt(&n, b, sizeof b);
    assert_int_equal(eth_input(&n.link, n.nif, p), NEXT_IP4);
    assert_int_equal(p->origin, LINK_TO_US);
    pkt_free(p);
    net_close(&n);
}

/* If this fails, a TUN device's packets are misread. */
static void l3_interface_tells_versions_apart(void **state)
{
    (void)state;
    struct net n;
    struct weir_conf c;
    net_conf(&c);
    net_open_with(&n, &c, NIF_UP | NIF_L3, 0);
    const uint8_t first[] = {0x45, 0x60, 0x00};
    const enum next want[] = {NEXT_IP4, NEXT_IP6, NEXT_DROP};
    for (unsigned i = 0; i < 3; i++) {
        struct pkt *p = net_pkt(&n, &first[i], 1);
        assert_int_equal(eth_input(&n.link, n.nif, p), want[i]);
        pkt_free(p);
    }
    struct pkt *p = pkt_new(&n.env.mem);
    assert_int_equal(eth_input(&n.link, n.nif, p), NEXT_DROP);
    pkt_free(p);
    net_close(&n);
}

/* If this fails, packets leave with a wrong header, or bigger than the link can carry. */
static void eth_output_frames_and_bounds(void **state)
{
    (void)state;
    struct net n;
    uint8_t b[1501] = {0x45};
    net_open(&n);
    struct pkt *p = pkt_new(&n.env.mem);
    assert_true(pkt_append_copy(p, b, 1500));
    assert_int_equal(eth_output(&n.link, n.nif, net_peer_mac, ETYPE_IP4, p), DROP_NONE);
    p = net_sent(&n, n.nif);
    assert_int_equal(p->len, 1514);
    assert_memory_equal(pkt_data(p), net_peer_mac, 6);
    assert_memory_equal(pkt_data(p) + 6, net_mac, 6);
    assert_int_equal(w_be16(pkt_data(p) + 12), ETYPE_IP4);
    pkt_free(p);
    p = pkt_new(&n.env.mem);
    assert_true(pkt_append_copy(p, b, 1501));
    assert_int_equal(eth_output(&n.link, n.nif, net_peer_mac, ETYPE_IP4, p), DROP_TOO_BIG);
    assert_int_equal(n.env.drops[DROP_TOO_BIG], 1);
    n.nif->flags = 0;
    p = pkt_new(&n.env.mem);
    assert_int_equal(eth_output(&n.link, n.nif, net_peer_mac, ETYPE_IP4, p), DROP_NIF_DOWN);
    assert_int_equal(n.nif->n.tx_dropped, 2);
    net_close(&n);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(eth_takes_what_is_addressed_to_us),
    cmocka_unit_test(eth_names_what_it_refuses),
    cmocka_unit_test(eth_looks_through_priority_tags_only),
    cmocka_unit_test(eth_says_how_a_frame_was_addressed),
    cmocka_unit_test(l3_interface_tells_versions_apart),
    cmocka_unit_test(eth_output_frames_and_bounds),
};
UNIT_MAIN(tests)

/* SPDX-License-Identifier: Apache-2.0
 *
 * Fragments of a few datagrams in any order, overlapping or not: what is put together is exactly
 * the bytes that were sent, never more than the limits is held, and nothing leaks.
 *
 * Input: five bytes a fragment: offset / 8 (two bytes), length / 8 and identification (one byte: 6
 * and 2 bits), flags (last, odd length, time). A payload byte is a function of its offset, so a
 * datagram rebuilt wrongly is seen.
 */
#include "net_fuzz.h"

static uint8_t byte_at(uint32_t i) { return (uint8_t)(i * 31 + i / 256); }

static struct pkt *fragment(struct fuzz_host *h, const uint8_t *d)
{
    static uint8_t b[20 + 512];
    uint32_t at = (w_be16(d) & 0x1fffu) * 8, n = (d[2] >> 2) * 8u + (d[3] & 2u ? 3 : 0);
    struct wire_ip4 ip = {.ttl = 64,
                          .proto = PROTO_UDP,
                          .total = (uint16_t)(20 + n),
                          .id = d[2] & 3,
                          .flags = d[3] & 1 ? 0 : IP4_MF,
                          .frag_off = (uint16_t)at,
                          .tos = d[4] & 3,
                          .src = addr_ip4(0x0a000002),
                          .dst = addr_ip4(0x0a000001)};
    wire_ip4_build(b, &ip, NULL);
    for (uint32_t i = 0; i < n; i++)
        b[20 + i] = byte_at(at + i);
    struct pkt *p = pkt_from_bytes(&h->env.mem, b, 20 + n);
    if (p != NULL) {
        p->nif = 1;
        p->l3 = p->off;
    }
    return p;
}

static void check_whole(const struct fuzz_host *h, const struct pkt *p)
{
    static uint8_t b[65536];
    fuzz_check_delivered(h, p);
    uint32_t n = pkt_copy_out(p, 0, b, sizeof b);
    WEIR_ASSERT(n == p->len);
    for (uint32_t i = 0; i < n; i++)
        WEIR_ASSERT(b[i] == byte_at(i));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz_host h;
    fuzz_open(&h);
    h.env.conf.ipfrag_high_thresh = 100000;
    for (; size >= 5; data += 5, size -= 5) {
        fuzz_advance(&h, (w_ns)(data[3] >> 5) * 5 * W_S);
        struct pkt *p = fragment(&h, data);
        if (p == NULL)
            continue;
        enum next next = ip4_input(&h.ip, h.nif, p);
        if (next == NEXT_UDP)
            check_whole(&h, p);
        if (next != NEXT_DONE)
            pkt_free(p);
        WEIR_ASSERT(h.env.mem.pkts.in_use <= 4 * 128);
    }
    fuzz_close(&h);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The TCP header and its options [RFC 9293 3.1, 3.2], bytes to struct and back.
 *
 * Parsing never fails because of options: an unknown one is skipped, a malformed one ends the walk
 * and what came before it counts [RFC 9293 3.1], as in Linux.
 */
#ifndef WEIR_WIRE_TCP_H
#define WEIR_WIRE_TCP_H

#include "base/base.h"
#include "pkt/drop.h"

enum {
    WIRE_TCP_HLEN = 20,
    WIRE_TCP_HLEN_MAX = 60,
    WIRE_TCP_OPT_MAX = 40,
    WIRE_TCP_SACKS = 4,
    WIRE_TCP_TS_LEN = 12,    /* NOP NOP TS, as sent */
    WIRE_TCP_COOKIE_MIN = 4, /* Fast Open cookie [RFC 7413 4.1.1] */
    WIRE_TCP_COOKIE_MAX = 16,
    WIRE_TCP_WSCALE_MAX = 14, /* [RFC 7323 2.3] */
    WIRE_TCP_CSUM_AT = 16,    /* offset of the checksum field */
};

/* Header flags: the 12 bits beside the data offset. */
enum wire_tcp_flag {
    TCPF_FIN = 0x001,
    TCPF_SYN = 0x002,
    TCPF_RST = 0x004,
    TCPF_PSH = 0x008,
    TCPF_ACK = 0x010,
    TCPF_URG = 0x020,
    TCPF_ECE = 0x040,
    TCPF_CWR = 0x080,
    TCPF_AE = 0x100,  /* [RFC 9768]; once NS */
    TCPF_ACE = 0x1c0, /* AE, CWR and ECE, where they are a counter */
    TCPF_RSVD = 0xe00,
    TCPF_ACE_SHIFT = 6, /* AE CWR ECE read as one 3-bit counter */
};

#define WIRE_TCP_TS_WORD 0x0101080au /* NOP NOP TS 10 */

enum wire_tcp_opt_type {
    TCPO_EOL = 0,
    TCPO_NOP = 1,
    TCPO_MSS = 2,
    TCPO_WSCALE = 3,
    TCPO_SACK_OK = 4,
    TCPO_SACK = 5,
    TCPO_TS = 8,
    TCPO_MD5 = 19,
    TCPO_AO = 29,
    TCPO_FASTOPEN = 34,
    TCPO_ACCECN0 = 172,
    TCPO_ACCECN1 = 174,
    TCPO_EXP = 254, /* shared; the next two bytes say whose [RFC 6994] */
    TCPO_EXP_FASTOPEN = 0xf989,
};

/* Bits of wire_tcp.has: which options were there, or are to be sent. A field of the struct is
 * meaningful only with its bit. */
enum wire_tcp_has {
    TCPH_MSS = 0x0001,
    TCPH_WSCALE = 0x0002,
    TCPH_SACK_OK = 0x0004,
    TCPH_SACK = 0x0008,
    TCPH_TS = 0x0010,
    TCPH_FASTOPEN = 0x0020,     /* cookie_len 0: a request for one */
    TCPH_FASTOPEN_EXP = 0x0040, /* with TCPH_FASTOPEN: came (goes) as option 254 */
    TCPH_ACCECN = 0x0080,
    TCPH_MD5 = 0x0100,       /* presence only; build has none */
    TCPH_AO = 0x0200,        /* presence only; build has none */
    TCPH_UNKNOWN = 0x0400,   /* some option was skipped */
    TCPH_MALFORMED = 0x0800, /* the walk stopped early */
};

struct wire_tcp_sack {
    uint32_t start, end; /* sequence numbers, end exclusive; not yet judged */
};

struct wire_tcp {
    uint16_t sport, dport;
    uint32_t seq, ack;
    uint16_t flags; /* TCPF_… */
    uint16_t wnd;   /* as on the wire, unscaled */
    uint16_t csum, urg;
    uint16_t has;   /* TCPH_… */
    uint8_t hlen;   /* bytes, 20..60: where the payload starts */
    uint8_t n_sack; /* 1..4 with TCPH_SACK, else 0 */
    uint32_t ts_val, ts_ecr;
    uint16_t mss;
    uint8_t wscale; /* at most 14: more is read as 14 [RFC 7323 2.3] */
    uint8_t cookie_len;
    struct wire_tcp_sack sack[WIRE_TCP_SACKS];
    uint8_t cookie[WIRE_TCP_COOKIE_MAX];
    /* AccECN byte counters, 24 bits, as sent [RFC 9768 3.2.3]. Order 0: E0B CEB E1B; 1: E1B CEB
     * E0B. A shorter option leaves the last of them out. */
    uint8_t acc_order, acc_n; /* 0 or 1; fields present 0..3 */
    uint32_t acc_e0b, acc_ceb, acc_e1b;
};

/* Reads header and options of a segment whose header lies whole in n bytes. DROP_TCP_SHORT (n < 20)
 * or DROP_TCP_DOFF (data offset < 5, or beyond n). No option, and exactly NOP NOP TS, take a few
 * ns; the fields of absent options are not written. */
WEIR_MUST_CHECK enum drop wire_tcp_parse(const uint8_t *p, size_t n, struct wire_tcp *h);

/* Bytes of options wire_tcp_build would write: a multiple of 4, may exceed WIRE_TCP_OPT_MAX. */
unsigned wire_tcp_opts_len(const struct wire_tcp *h);
/* Writes header and options; h->hlen is ignored, h->csum written as it is (see csum.h). Returns the
 * header's length. The options must fit: asserted. Order and padding are Linux's: MSS, SACK_OK with
 * TS (or NOP NOP TS, or NOP NOP SACK_OK), NOP WSCALE, AccECN, NOP NOP SACK, Fast Open. */
unsigned wire_tcp_build(uint8_t *at, const struct wire_tcp *h);

/* Hot fields of a segment of at least 20 bytes, without a parse. */
static inline uint16_t wire_tcp_sport(const uint8_t *p) { return w_be16(p); }
static inline uint16_t wire_tcp_dport(const uint8_t *p) { return w_be16(p + 2); }
static inline uint32_t wire_tcp_seq(const uint8_t *p) { return w_be32(p + 4); }
static inline uint32_t wire_tcp_ack(const uint8_t *p) { return w_be32(p + 8); }
static inline unsigned wire_tcp_hlen(const uint8_t *p) { return (p[12] >> 4) * 4u; }
static inline uint16_t wire_tcp_flags(const uint8_t *p) { return w_be16(p + 12) & 0xfff; }
static inline uint16_t wire_tcp_wnd(const uint8_t *p) { return w_be16(p + 14); }
static inline uint16_t wire_tcp_csum(const uint8_t *p) { return w_be16(p + 16); }
static inline void wire_tcp_set_seq(uint8_t *p, uint32_t seq) { w_put32(p + 4, seq); }
static inline void wire_tcp_set_flags(uint8_t *p, uint16_t flags)
{
    w_put16(p + 12, (uint16_t)((p[12] & 0xf0) << 8 | (flags & 0xfff)));
}
static inline void wire_tcp_set_csum(uint8_t *p, uint16_t csum) { w_put16(p + 16, csum); }
/* Whether the options are exactly NOP NOP TS, of a header whose hlen is known to be 32. */
static inline bool wire_tcp_is_ts_only(const uint8_t *p)
{
    return w_be32(p + 20) == WIRE_TCP_TS_WORD;
}

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * Packets of a script and packets on the wire: the mapping between them, notation, comparison.
 * Private to drill/.
 *
 * A script counts a connection's sequence numbers from the SYN (0, and 1 for the first byte), and
 * writes timestamps as it likes; struct conn knows what these are in the packets that really go in
 * and out. SYN segments carry absolute numbers on the peer's side, as in packetdrill.
 */
#ifndef WEIR_DRILL_PACKET_H
#define WEIR_DRILL_PACKET_H

#include "base/addr.h"
#include "drill/ast.h"

enum { CONN_TS = 64, PKT_BYTES_MAX = 65535 + 40, PKT_TEXT = 512 };

struct conn {
    struct conn *next;
    int fd; /* script's descriptor, -1: none yet */
    uint8_t proto;
    bool is_connecting; /* the local port is not known yet: the first packet out tells */
    struct addr local, remote;
    uint16_t lport, rport;
    /* sequence numbers: live = script + isn; our SYN: live = script - script_isn + local_isn */
    bool has_local_isn, has_remote_isn, is_synced;
    uint32_t local_isn, script_isn, remote_isn;
    uint32_t new_remote_isn; /* of a SYN that came on a synchronized connection */
    bool has_new_syn;
    /* timestamps we saw go out */
    unsigned n_ts;
    struct {
        uint32_t script, live;
    } ts[CONN_TS];
    uint32_t first_script_ts, first_live_ts;
    /* flow labels: the script's and the live one of the last packet that had one */
    uint32_t script_label, live_label;
    bool is_urgent; /* urgent data came: what is read is not what lies in the stream */
};

/* A packet off the wire: the fields, in live numbers, and where it came from. */
struct live_pkt {
    struct script_pkt k;
    struct addr src, dst;
    const uint8_t *payload; /* k.len bytes, in the caller's memory */
    struct addr echo_src, echo_dst;
};

/* Byte `off` of every stream in both directions, and of datagrams. */
static inline uint8_t pattern_byte(uint32_t off)
{
    return (uint8_t)(off + (off >> 8) * 3 + (off >> 16) * 5);
}
void pattern_fill(uint8_t *to, size_t n, uint32_t off);
/* The first offset at which the n bytes differ from the pattern, or n. */
size_t pattern_check(const uint8_t *b, size_t n, uint32_t off);

/* An inbound packet's bytes, into out[PKT_BYTES_MAX]; the length. Learns from it (SYN, URG). */
size_t packet_build(const struct script_pkt *, struct conn *, bool is_ts_scaled, uint8_t *out);
/* Reads what came out. 0, or -EINVAL when it is no packet of a kind we know. */
WEIR_MUST_CHECK int packet_read(const uint8_t *bytes, size_t n, struct live_pkt *);
/* Learns from an outbound packet that is to answer `want`, then writes it in the script's numbers
 * into *out, payload checked (false: it is not the stream's bytes). want NULL: nothing is learnt.
 * */
bool packet_to_script(const struct live_pkt *, struct conn *, const struct script_pkt *want,
                      struct script_pkt *out);
/* One line in the script's notation. */
void packet_show(const struct script_pkt *, char *buf, size_t cap);
/* Whether what came is what was wanted; if not, the differences in words. */
bool packet_match(const struct script_pkt *want, const struct script_pkt *got, struct conn *,
                  char *why, size_t cap);
/* Walks option bytes: kind, value and its length; false at the end. at starts at 0. */
bool packet_opt_next(const struct script_pkt *, unsigned *at, const uint8_t **opt, unsigned *n);

#endif

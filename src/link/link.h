/* SPDX-License-Identifier: Apache-2.0
 *
 * Interfaces: Ethernet framing, the queue before the device, and what a device cannot do itself.
 *
 * An interface (nif) has an id from 1 (0 means "any" or "none" everywhere), an Ethernet or raw-IP
 * face, and one queue of packets waiting for the device: first in first out, limited to
 * txqueuelen packets, except that a packet with a departure time (p->when) waits for it. A TCP
 * super-segment counts as one packet in the queue, as in Linux.
 *
 * Nothing here talks to a device. stack/ hands frames in with eth_input (after link_gro, when that
 * is on) and fetches frames for the device with link_tx; a loopback interface's frames it feeds
 * back to itself. Single owner: every call that takes a packet owns it afterwards unless the
 * contract below says otherwise.
 */
#ifndef WEIR_LINK_H
#define WEIR_LINK_H

#include "aqm/aqm.h"
#include "pkt/env.h"
#include "pkt/next.h"
#include "pkt/pkt.h"

enum {
    LINK_NIFS = 8,
    NIF_NAME = 16,
    LINK_TXQ_MAX = 4096,  /* ceiling of txqueuelen: slots of the time-ordered part */
    LINK_GSO_MAX = 65535, /* largest super-segment, IP header included */
};

enum nif_flag {
    NIF_UP = 1,       /* down: input and output are dropped and counted */
    NIF_L3 = 2,       /* frames are bare IP packets: no Ethernet header, no neighbours */
    NIF_LOOPBACK = 4, /* L3, and what goes out comes in again */
    NIF_NOARP = 8,    /* Ethernet, but next hops are not resolved (broadcast is used) */
    NIF_PROMISC = 16, /* take unicast frames for other stations too */
};

/* p->origin: how a received frame was addressed, and later what became of the packet. */
enum link_origin {
    LINK_TO_US,     /* to our station; or made here */
    LINK_TO_GROUP,  /* to a broadcast or multicast address of the link */
    LINK_TO_OTHER,  /* to another station, seen because of NIF_PROMISC */
    LINK_FORWARDED, /* on its way out again: not made here */
};

/* What the device does itself; everything not named is done here in software. */
enum nif_cap {
    NIF_CAP_TX_CSUM = 1, /* completes CSUM_TODO */
    NIF_CAP_TSO = 2,     /* cuts TCP super-segments of both families up to gso_max bytes (needs
                            NIF_CAP_TX_CSUM) */
};

/* The queue of one interface. With the discipline `fifo` what may leave is in `ready`, in order of
 * arrival; with any other it is in `aqm`. `later` is a binary heap by (departure time, arrival) of
 * what may not leave yet, in slots given at init. The three together hold at most `limit`, unless
 * that was lowered. */
struct qdisc_later {
    w_ns when;
    struct pkt *p;
    uint32_t order;
};
struct qdisc {
    struct pktq ready;
    uint32_t fast_limit; /* of ready.n for the short way; 0: every packet takes the long one */
    uint32_t n_other;    /* n_later + aqm.n */
    uint32_t high_water; /* most packets ever waiting at once */
    uint64_t enqueued;
    uint64_t drops; /* refused at the door, or dropped inside by the discipline */
    struct qdisc_later *later;
    uint32_t n_later, cap_later, order;
    uint32_t limit;  /* txqueuelen, packets */
    uint32_t soft;   /* of it what TCP may fill; the rest is for what cannot wait */
    uint64_t n_full; /* times TCP was told to wait */
    w_ns full_since; /* 0: TCP need not wait */
    w_ns full_ns;    /* all such times before */
    struct aqm aqm;
};

/* What the queue's discipline is, and what it has seen; for people. */
struct nif_queue_info {
    struct aqm_conf conf;
    uint32_t packets, high_water;
    uint64_t bytes;
    uint64_t enqueued, drops, marked, told, n_full;
    w_ns full_ns;
};

struct nif_counters {
    uint64_t rx_packets, rx_bytes, rx_dropped, rx_not_ours;
    uint64_t tx_packets, tx_bytes, tx_dropped;
    uint64_t gso_cut;    /* super-segments cut here */
    uint64_t csum_sw;    /* checksums computed here */
    uint64_t gro_merged; /* segments that came to rest under another's head */
};

/* What the way out was busy with: clocks, of which one runs at a time. See meter.c. */
enum nif_clock {
    METER_LINE,  /* the line sends */
    METER_FULL,  /* the device takes no more, though its line should be idle */
    METER_QUEUE, /* packets wait in the queue, and neither is why */
    METER_FREE,
    METER_N
};
struct nif_meter {
    w_ns ns[METER_N];
    w_ns at;           /* they have counted up to here */
    w_ns line_free;    /* all that was given to the device is sent, at the line's rate */
    uint64_t rate_bps; /* 0: not known */
    bool is_full, has_queue;
};

struct nif {
    uint8_t id; /* 1..LINK_NIFS; 0: this slot is free */
    uint8_t mac[6];
    uint32_t flags;   /* enum nif_flag */
    uint32_t caps;    /* enum nif_cap */
    uint32_t mtu;     /* bytes of IP packet, Ethernet header not included */
    uint32_t dev_mtu; /* … of the largest one the device takes: what mtu was at first */
    uint32_t gso_max; /* largest super-segment worth building for it, bytes of IP packet */
    struct qdisc q;
    struct pkt *gso;    /* super-segment being cut, its remaining pieces still here */
    uint32_t gso_done;  /* payload bytes of it already handed out */
    uint16_t gso_piece; /* pieces already handed out */
    w_ns gso_retry;     /* out of packets in the middle of a cut: not again before this */
    w_ns gso_until;     /* … and the rest is dropped when there is none by then; 0: not waiting */
    struct nif_counters n;
    char name[NIF_NAME];
};

enum { LINK_TOLD = 32 };

struct link {
    struct env *env;
    uint32_t full; /* bit per id: no room in its queue for what TCP has */
    uint32_t n_told;
    uint32_t told[LINK_TOLD];  /* connections whose packets wait too long: link_told_pop */
    struct nif nif[LINK_NIFS]; /* id i at nif[i - 1] */
    struct nif_meter meter[LINK_NIFS];
    bool is_metered; /* somebody reads these */
};

struct nif_conf {
    const char *name;
    const uint8_t *mac; /* six bytes; NULL for L3 interfaces */
    uint32_t flags, caps;
    uint32_t mtu;        /* 68..65535 [RFC 791 3.2] */
    uint32_t gso_max;    /* 0: LINK_GSO_MAX */
    uint32_t txqueuelen; /* packets, 0: the configuration's default */
    uint64_t rate_bps;   /* of the line; 0: not known */
};

/* Sizes come from env->conf; memory from the arena, which may be only counting. */
void link_init(struct link *, struct env *, struct arena *);

/* A new interface's id (1..), or -ENFILE when all slots are taken, -EINVAL for a nonsense mtu. */
WEIR_MUST_CHECK int link_nif_add(struct link *, const struct nif_conf *);
/* Frees what waits in its queue. The id may be given out again. */
void link_nif_del(struct link *, struct nif *);
/* NULL when the id is 0, out of range or free. */
static inline struct nif *link_nif(struct link *l, unsigned id)
{
    return id - 1u < LINK_NIFS && l->nif[id - 1].id ? &l->nif[id - 1] : NULL;
}

/* Nothing waits, not even for its time. */
/* The longest of the frames that p becomes, bytes from its first one on. */
static inline uint32_t link_wire_len(const struct pkt *p)
{
    return p->gso_size == 0 ? p->len : (uint32_t)(p->pay - p->off) + p->gso_size;
}
static inline bool nif_is_empty(const struct nif *nif)
{
    return nif->q.ready.n == 0 && nif->q.n_other == 0 && nif->gso == NULL;
}

/* The frame's Ethernet header read and pulled [IEEE 802.3; 802.1Q: priority tags and VLAN 0 are
 * looked through, other VLANs are not ours]; p->l3 is set. NEXT_IP4, NEXT_IP6, NEXT_ARP: the caller
 * still owns p. NEXT_DROP: p->drop says why. On L3 interfaces the first nibble decides. */
WEIR_MUST_CHECK enum next eth_input(struct link *, struct nif *, struct pkt *);

/* Pushes the Ethernet header (none on L3 interfaces) and queues. Owns p; DROP_NONE, or the reason
 * it was dropped, already counted. */
enum drop eth_output(struct link *, struct nif *, const uint8_t dst_mac[6], uint16_t ethertype,
                     struct pkt *);

/* Merges in-order TCP segments of one flow within a burst of raw received frames, as few as
 * possible left in v[0..return), order kept; merged packets are freed. Bounded by n squared over a
 * window of GRO_FLOWS flows. Call before eth_input, only where env->conf says so. */
enum { GRO_FLOWS = 8 };
unsigned link_gro(struct link *, struct nif *, struct pkt **v, unsigned n);

/* link_tx for an interface where something waits. */
unsigned link_tx_waiting(struct link *, struct nif *, struct pkt **v, unsigned max);
/* Up to max frames that may leave at env->now, finished for the device: checksums complete and
 * super-segments cut where its capabilities demand. The caller owns v[0..return). Each piece of a
 * super-segment carries the whole's `owner`; payload bytes (len - (pay - off)) add up to the
 * whole's. An empty packet pool stops a cut in the middle, to go on at the next call. */
static inline unsigned link_tx(struct link *l, struct nif *nif, struct pkt **v, unsigned max)
{
    return nif_is_empty(nif) ? 0 : link_tx_waiting(l, nif, v, max);
}
/* The earliest time at which link_tx will have something: now or before when something waits, a
 * departure time, or W_NEVER. */
w_ns link_next(const struct link *);

/* Puts the bytes at..at + n of `from` at the end of `to`: shares its blocks, copies what lies in
 * its linear part. False: no memory or no room, `to` then has some of them. For cutting packets. */
WEIR_MUST_CHECK bool link_append_part(struct pkt *to, const struct pkt *from, uint32_t at,
                                      uint32_t n);
/* Completes a CSUM_TODO checksum in the packet itself (before it is cut into fragments). */
void link_csum_finish(struct link *, struct pkt *);

/* Whether TCP must keep what it has for this interface: its queue is full but for a reserve. A bit
 * of one word, so that asking before each packet costs next to nothing. */
static inline bool link_is_full(const struct link *l, unsigned nif)
{
    return WEIR_UNLIKELY(l->full != 0) && (l->full >> nif & 1) != 0;
}
/* The next connection (p->owner of its packet) that must slow down because its packets wait too
 * long in a queue here that must not drop them; 0: none. */
static inline uint32_t link_told_pop(struct link *l)
{
    return l->n_told != 0 ? l->told[--l->n_told] : 0;
}

/* What the device can do and how large packets are from now on: 68..nif->dev_mtu, gso_max 0:
 * LINK_GSO_MAX. What waits stays, and is finished for these capabilities. 0 or -EINVAL. */
WEIR_MUST_CHECK int link_nif_change(struct nif *, uint32_t mtu, uint32_t caps, uint32_t gso_max);
/* The clocks of interface id (0: any) up to now; METER_N of them. */
const w_ns *link_meter(struct link *, unsigned id);
/* An interface is new, or another than before. */
void link_meter_begin(struct link *, const struct nif *, uint64_t rate_bps);
/* These go to the device now; it has no room any more, or again. */
WEIR_APART void link_meter_tx(struct link *, struct nif *, struct pkt *const *v, unsigned n);
void link_meter_full(struct link *, struct nif *, bool is_full);

/* Takes effect at once; packets beyond a smaller limit stay. 0..LINK_TXQ_MAX. */
WEIR_MUST_CHECK int link_set_txqueuelen(struct link *, struct nif *, uint32_t packets);
/* Another discipline, or other settings of it (limit 0: as it is). What waits moves over: nothing
 * is lost, no flow is reordered. -EINVAL, -ERANGE as aqm_set; then nothing has changed. */
WEIR_MUST_CHECK int link_set_qdisc(struct link *, struct nif *, const struct aqm_conf *);
void link_queue_info(const struct link *, const struct nif *, struct nif_queue_info *);

#endif

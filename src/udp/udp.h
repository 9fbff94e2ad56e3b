/* SPDX-License-Identifier: Apache-2.0
 *
 * UDP [RFC 768, RFC 1122 4.1]: sockets, their lookup, a bounded queue each, errors from ICMP.
 *
 * A socket is bound to ⟨local address or any, port⟩ and may be connected to one remote end. A
 * datagram goes to the socket that matches it best (connected, then bound to the address, then to
 * any; among equals of a SO_REUSEPORT group the flow's hash decides); a broadcast goes to every
 * socket that matches. A socket whose queue is full drops and counts: UDP has no flow control.
 *
 * Readiness is state (udp_poll); a socket whose state changed is on the ready list once.
 */
#ifndef WEIR_UDP_H
#define WEIR_UDP_H

#include "base/gauge.h"
#include "base/list.h"
#include "icmp/icmp.h"
#include "pkt/note.h"

/* As poll(2) numbers them. */
enum udp_event {
    UDP_EV_IN = 0x1,
    UDP_EV_OUT = 0x4,
    UDP_EV_ERR = 0x8,
    UDP_EV_HUP = 0x10,
    UDP_EV_RDHUP = 0x2000
};
/* As Linux numbers MSG_… */
enum udp_msg { UDP_MSG_PEEK = 0x2, UDP_MSG_TRUNC = 0x20 };

enum udp_sock_flag {
    UDP_REUSEADDR = 1,
    UDP_REUSEPORT = 2,
    UDP_BROADCAST = 4, /* may send to broadcast addresses */
    UDP_NO_CHECK = 8,  /* sends without checksum, IPv4 only */
    UDP_RCV_SHUT = 16,
    UDP_SND_SHUT = 32,
    UDP_PMTU_DO = 64,   /* IP_MTU_DISCOVER = DO: set DF, EMSGSIZE when too big */
    UDP_IP4 = 128,      /* of family IPv4: "any" is 0.0.0.0 */
    UDP_IP6_ONLY = 256, /* :: takes no IPv4 */
    UDP_BOUND = 512,    /* in the table; the others below are the room's own */
    UDP_PORT_AUTO = 1024,
    UDP_ADDR_AUTO = 2048,
    UDP_CONNECTED = 4096,
    UDP_RECVERR =
        8192, /* these two again the caller's: ICMP errors go to the error queue, of IPv4 */
    UDP_RECVERR6 = 16384, /* and of IPv6 */
};

/* When a datagram is stamped and how its notes look: Linux's SOF_TIMESTAMPING_… */
enum udp_stamp {
    UDP_STAMP_SND = 0x2,
    UDP_STAMP_ID = 0x80,
    UDP_STAMP_SCHED = 0x100,
    UDP_STAMP_ONLY = 0x800, /* notes without the datagram's bytes */
    UDP_STAMP_ANY = UDP_STAMP_SND | UDP_STAMP_SCHED,
};

struct udp_sock {
    struct flow flow;   /* local any(): all ours. remote meaningful when UDP_CONNECTED */
    uint32_t sock;      /* the socket layer's handle, not looked at here */
    uint32_t flags;     /* enum udp_sock_flag; the caller may set the first nine */
    struct list chain;  /* bucket of its port */
    struct list ready;  /* ready list, linked at most once */
    struct pktq rxq;    /* datagrams, p->flow and p->off at the payload */
    uint32_t rx_bytes;  /* memory they hold: sum of truesize, <= rx_limit + one packet */
    uint32_t rx_limit;  /* SO_RCVBUF */
    uint64_t rx_drops;  /* queue was full */
    struct gauge gauge; /* of the queue, in bytes as rx_bytes */
    int error;          /* pending, positive errno; taken by the next call */
    uint8_t ttl, tos;   /* 0: default */
    uint8_t nif;        /* SO_BINDTODEVICE, 0: any */
    struct dst dst;     /* route of the last datagram, for one source address */
    struct addr dst_of; /* and where it leads */
    struct noteq errq;  /* what MSG_ERRQUEUE takes; pins less than rx_limit */
    uint32_t stamps;    /* enum udp_stamp of every datagram sent */
    uint32_t stamp_key; /* with UDP_STAMP_ID: number of the next one that is stamped */
    struct {
        uint64_t rx_dgrams, rx_bytes, tx_dgrams, tx_bytes;
    } n;
};

struct udp {
    struct env *env;
    struct ip *ip;
    struct pool pool;
    struct list *bucket; /* by local port */
    uint32_t bucket_mask;
    struct list ready;
};

void udp_init(struct udp *, struct env *, struct ip *, struct arena *);

/* A fresh, unbound socket; NULL: pool empty. is_ip4: of family IPv4, otherwise of IPv6, which takes
 * both unless UDP_IP6_ONLY is set. */
struct udp_sock *udp_open(struct udp *, uint32_t sock, bool is_ip4);
/* Frees the socket and what it has queued. */
void udp_close(struct udp *, struct udp_sock *);

/* local any(): every local address; port 0: one is chosen at random [RFC 6056 3.3.1] from
 * ip_local_port_range. 0, -EINVAL (bound already), -EADDRNOTAVAIL, -EADDRINUSE. */
WEIR_MUST_CHECK int udp_bind(struct udp *, struct udp_sock *, const struct addr *, uint16_t port);
/* Fixes the remote end, binding first where needed; again to change it. -ENETUNREACH,
 * -EHOSTUNREACH, -EACCES (broadcast without permission), -EAGAIN (no port left). */
WEIR_MUST_CHECK int udp_connect(struct udp *, struct udp_sock *, const struct addr *,
                                uint16_t port);
/* connect(AF_UNSPEC): forgets the remote end. */
void udp_disconnect(struct udp *, struct udp_sock *);
/* how: 0 receiving, 1 sending, 2 both. -ENOTCONN as Linux, with the effect all the same. */
int udp_shutdown(struct udp *, struct udp_sock *, unsigned how);

/* Sends one datagram. to NULL: where it is connected to. Bytes sent, or a pending error, or
 * -EDESTADDRREQ, -EMSGSIZE (more than 65507 bytes, or than the path with UDP_PMTU_DO), -EACCES,
 * -EPIPE, -ENETUNREACH, -EHOSTUNREACH, -EAGAIN (no port left), -EINVAL (port 0), -ENOBUFS. */
struct udp_end {
    struct addr addr;
    uint16_t port;
    uint8_t nif; /* the link of a link-local address, 0: the socket's */
    /* What one datagram has of its own; zero: as the socket says. */
    bool is_peer; /* addr and port are not meant but where it is connected to */
    bool has_tos, has_stamps, has_src;
    uint8_t ttl, tos;
    uint32_t stamps; /* enum udp_stamp, with has_stamps */
    struct addr src; /* with has_src; -EINVAL unless it is ours */
};
int64_t udp_send(struct udp *, struct udp_sock *, const struct udp_end *to, const void *, size_t);

/* What came with a datagram. */
struct udp_from {
    struct addr addr, local; /* its source; the address it was sent to */
    uint16_t port;
    uint8_t nif, ttl, tos;
    uint32_t full;  /* payload bytes of the whole datagram, copied or not */
    uint32_t drops; /* datagrams this socket had dropped when it came */
    w_ns when;      /* arrival */
};
/* Takes (flags & UDP_MSG_PEEK: looks at) the next datagram, copying at most n bytes; the rest of it
 * is lost. Returns the bytes copied, with UDP_MSG_TRUNC its full length; from may be NULL. -EAGAIN:
 * none; a pending error is returned and taken first; 0 with from->full 0 after shutdown of the
 * receiving side when the queue is empty. A bad checksum was found in udp_input already. */
int64_t udp_recv(struct udp *, struct udp_sock *, void *, size_t n, unsigned flags,
                 struct udp_from *from);

/* Events true now, enum udp_event. */
uint32_t udp_poll(const struct udp *, const struct udp_sock *);
/* SO_ERROR: the pending error, positive, taken. */
int udp_take_error(struct udp *, struct udp_sock *);
/* The oldest note of the error queue: *out, up to n of its bytes, *full: how many there are. False:
 * none.
 * As Linux, the pending error becomes that of the next ICMP error queued, or none. */
bool udp_take_note(struct udp *, struct udp_sock *, struct note *out, void *, size_t n,
                   uint32_t *full);
/* A packet with p->user != 0 and no owner left the host: its sender asked when. */
void udp_sent(struct udp *, const struct pkt *);
/* The next socket whose events may have changed, off the list; NULL: none. */
struct udp_sock *udp_ready_pop(struct udp *);

/* A datagram as ip4_input left it. NEXT_DONE: queued; NEXT_ICMP_ERROR: nobody has the port;
 * NEXT_DROP: p->drop. */
WEIR_MUST_CHECK enum next udp_input(struct udp *, struct nif *, struct pkt *);
/* An ICMP error about a datagram of ours [RFC 1122 4.1.3.3]. */
void udp_error(struct udp *, const struct icmp_err *);

static inline uint32_t udp_index(const struct udp *u, const struct udp_sock *s)
{
    return pool_index(&u->pool, s);
}
static inline struct udp_sock *udp_at(const struct udp *u, uint32_t idx)
{
    return (struct udp_sock *)pool_at(&u->pool, idx);
}
/* For display: the first live socket with an index > after, NULL: no more. */
const struct udp_sock *udp_iter(const struct udp *, uint32_t after);

#endif

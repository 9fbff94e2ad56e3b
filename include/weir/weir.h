/* SPDX-License-Identifier: Apache-2.0
 *
 * weir as a library: a whole TCP/IP stack in an object that does no I/O.
 *
 * The program owns the memory, the clock and the wire. It gives packets in (weir_rx), lets time
 * pass (weir_tick), takes packets out (weir_tx), asks which sockets have news (weir_events), and
 * sleeps until weir_next(). Nothing else happens: no thread, lock, system call, allocation.
 *
 *     weir_init(mem, weir_size(&conf), &conf, seed, now, &w);
 *     for (;;) {
 *         weir_rx(w, now, nif, packets, n);
 *         weir_tick(w, now);
 *         while ((n = weir_events(w, ev, 64)) > 0) ...;      // sockets: read, write, accept
 *         while ((n = weir_tx(w, now, nif, packets, 64)) > 0) ...; // to the wire, then weir_sent
 *         sleep until weir_next(w) or a packet;
 *     }
 *
 * The contract, each clause a test: (i) same configuration, seed and calls → same bytes out;
 * (ii) `now` never goes back (a smaller value counts as the last one); (iii) after tick(now) and
 * draining tx and events, next() > now; (iv) every call is bounded by its `max` or a configured
 * limit; (v) all memory comes from the arena given at the start.
 *
 * A stack belongs to one thread. Errors are negative errno values. Numbers of socket options,
 * flags and levels are Linux's. Times are nanoseconds of one monotonic clock of the caller's.
 */
#ifndef WEIR_WEIR_H
#define WEIR_WEIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/assert.h>
#include <weir/conf.h>
#include <weir/gauge.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef uint64_t weir_ns; /* nanoseconds of a monotonic clock */
#define WEIR_NEVER UINT64_MAX

struct weir; /* a stack */
struct pkt;  /* a packet; opaque here */

/* A socket's handle: never 0, never reused (a generation is part of it). */
typedef uint64_t weir_sock;

/* An address with a port. IPv4 is ::ffff:a.b.c.d. port in host order. All zero: any address. */
struct weir_addr {
    uint8_t ip[16];
    uint16_t port;
    uint16_t family; /* 4 or 6: how the program named it; 0: AF_UNSPEC, see weir_connect */
    uint32_t scope;  /* interface of a link-local address; 0 otherwise */
};

enum weir_family { WEIR_INET = 2, WEIR_INET6 = 10 };
enum weir_type { WEIR_STREAM = 1, WEIR_DGRAM = 2 };
enum weir_how { WEIR_SHUT_RD = 0, WEIR_SHUT_WR = 1, WEIR_SHUT_RDWR = 2 };

/* Flags of send and recv, Linux's numbers. Any other flag: -EOPNOTSUPP. */
enum weir_msg {
    WEIR_MSG_OOB = 0x1,
    WEIR_MSG_PEEK = 0x2,
    WEIR_MSG_TRUNC = 0x20,
    WEIR_MSG_DONTWAIT = 0x40, /* send: when not all is taken, the rest will not follow */
    WEIR_MSG_EOR = 0x80,      /* a stream's segment ends here */
    WEIR_MSG_WAITALL = 0x100,
    WEIR_MSG_ERRQUEUE = 0x2000, /* weir_recvmsg: from the error queue */
    WEIR_MSG_NOSIGNAL = 0x4000,
    WEIR_MSG_MORE = 0x8000,
    WEIR_MSG_ZEROCOPY = 0x4000000,  /* with SO_ZEROCOPY: told when done; the bytes are copied */
    WEIR_MSG_FASTOPEN = 0x20000000, /* a stream's connect and first send in one: weir_sendto */
};

/* What is true of a socket now (weir_poll), and what has become true (weir_events). */
enum weir_ready {
    WEIR_IN = 0x001,        /* data, end of stream, or an error can be read */
    WEIR_PRI = 0x002,       /* urgent data */
    WEIR_OUT = 0x004,       /* a send would take at least one byte, or fail */
    WEIR_ERR = 0x008,       /* an error waits (SO_ERROR) */
    WEIR_HUP = 0x010,       /* both directions are closed */
    WEIR_ACCEPT = 0x020,    /* a connection waits to be accepted */
    WEIR_CONNECTED = 0x040, /* the handshake completed */
    WEIR_DRAINED = 0x080,   /* all that was sent, FIN included, is acknowledged: SO_LINGER's wait */
    WEIR_RDHUP = 0x2000,    /* the peer sends no more */
};

/* A message: its bytes, and what goes beside them. */
struct weir_msghdr {
    void *buf; /* send: only read */
    size_t len;
    struct weir_addr name; /* send: where to; receive: where from, or where the packet went */
    bool has_name;
    unsigned flags;     /* receive: Linux's MSG_TRUNC, MSG_CTRUNC, MSG_ERRQUEUE, MSG_OOB */
    void *control;      /* control messages in Linux's layout; may be NULL with control_len 0 */
    size_t control_len; /* send: bytes; receive: room, then bytes */
};

struct weir_event {
    weir_sock sock;
    uint64_t user; /* as set by weir_sock_user */
    uint32_t bits; /* enum weir_ready, as weir_poll would say now */
    uint32_t pad;
};

/* A piece of a socket's buffer, in place. */
struct weir_iov {
    uint8_t *base;
    size_t len;
};

/* ---- life ---- */

/* Bytes of memory a stack of this configuration needs; 0: the configuration is not possible. */
size_t weir_size(const struct weir_conf *);

/* Lays a stack out in mem (n bytes, zeroed, aligned to 64; stays the caller's; fresh anonymous
 * mmap is best: untouched parts cost nothing). `seed`: all randomness comes from it; must be
 * secret where outsiders send packets. 0, -EINVAL, -ENOMEM. */
int weir_init(void *mem, size_t n, const struct weir_conf *, uint64_t seed, weir_ns now,
              struct weir **out);
/* Aborts every connection and gives every packet back; then every pool is full again (0), or this
 * many objects leaked. */
unsigned weir_fini(struct weir *);

/* ---- interfaces, addresses, routes ---- */

enum weir_nif_flag {
    WEIR_NIF_L3 = 1,      /* raw IP packets, no Ethernet */
    WEIR_NIF_TX_CSUM = 2, /* the device completes checksums */
    WEIR_NIF_TSO = 4,     /* the device cuts TCP super-segments */
    WEIR_NIF_PROBE = 8,   /* look for address conflicts before using an address [RFC 5227, 4862] */
    WEIR_NIF_SLAAC = 16,  /* IPv6 configures itself by what routers say [RFC 4861, RFC 4862] */
};
struct weir_nif_conf {
    const char *name; /* copied, 15 bytes at most */
    uint8_t mac[6];
    uint32_t mtu;
    uint32_t flags;    /* enum weir_nif_flag */
    uint32_t gso_max;  /* largest super-segment, bytes of IP packet; 0: 65535 */
    uint64_t rate_bps; /* of the line, for weir_limits; 0: not known */
};
/* Adds an interface: its number ≥ 1, or -ENOSPC, -EINVAL. */
int weir_nif_add(struct weir *, const struct weir_nif_conf *);
/* How it is now; name points into the stack. 0 or -ENODEV. */
int weir_nif_get(const struct weir *, unsigned nif, struct weir_nif_conf *out);
/* Changes an interface while it runs: of `c` count mtu, WEIR_NIF_TX_CSUM and WEIR_NIF_TSO of flags,
 * and gso_max. What waits is finished for what the device can do when it leaves; connections find
 * the new size with their next segment. 0, -ENODEV, -EINVAL (mtu below 68, below 1280 with an IPv6
 * address, or above what the interface was added with); then nothing has changed. */
int weir_nif_change(struct weir *, weir_ns now, unsigned nif, const struct weir_nif_conf *c);
int weir_addr_add(struct weir *, unsigned nif, const struct weir_addr *, unsigned plen);
/* Default or other route; plen counts bits of the family. gw all zero: on the link. */
int weir_route_add(struct weir *, unsigned nif, const struct weir_addr *dst, unsigned plen,
                   const struct weir_addr *gw);

/* ---- the queue before an interface's device ---- */

/* How an interface's queue is managed; 0 means the default everywhere but for kind. */
struct weir_qdisc {
    char kind[12];        /* "fifo", "prio", "mark", "fq", "codel", "fq_codel", "tbf" */
    uint32_t limit;       /* packets, at most 4096; 0: as it is */
    uint32_t mark_at;     /* mark: packets waiting from which ECN-capable ones are marked; 65 */
    uint32_t flow_limit;  /* fq: packets of one flow; 100 */
    uint32_t quantum;     /* fq, fq_codel: bytes of a flow's turn; two frames, one frame */
    uint32_t target_us;   /* codel, fq_codel: a delay that is none; 5,000 */
    uint32_t interval_us; /* codel, fq_codel: how long it may be longer; 100,000 */
    uint32_t burst_bytes; /* tbf: what may leave at once; 4 ms at the rate */
    uint64_t rate_Bps;    /* tbf: bytes a second; must be given */
};
struct weir_qdisc_stats {
    struct weir_qdisc conf; /* as it is now, defaults filled in */
    uint32_t packets;       /* waiting now */
    uint32_t high_water;    /* most packets that ever waited at once */
    uint64_t bytes;         /* waiting now */
    uint64_t enqueued;      /* packets taken */
    uint64_t drops;         /* refused or dropped, by name among weir_counter()'s drops */
    uint64_t marked;        /* marked CE instead */
    uint64_t told;          /* packets of our own TCP, delivered, whose sender was told instead */
    uint64_t n_full;        /* times TCP was made to wait for room */
    weir_ns full_ns;        /* and how long in all */
};
/* Changes discipline or settings while running; what waits moves over, nothing is lost, no flow is
 * reordered. 0, -ENODEV, -ENOENT (no such kind), -EINVAL; then nothing has changed. */
int weir_qdisc_set(struct weir *, weir_ns now, unsigned nif, const struct weir_qdisc *);
/* 0 or -ENODEV. */
int weir_qdisc_stats(struct weir *, weir_ns now, unsigned nif, struct weir_qdisc_stats *out);

/* ---- packets ---- */

/* A packet from bytes (copied). NULL: no memory, counted. */
struct pkt *weir_pkt(struct weir *, const void *bytes, size_t n);
size_t weir_pkt_len(const struct pkt *);
/* Copies up to n bytes out; returns how many. */
size_t weir_pkt_copy(const struct pkt *, void *out, size_t n);
void weir_pkt_free(struct pkt *);

/* Packets that arrived on an interface, as one burst. The stack owns them from here. */
void weir_rx(struct weir *, weir_ns now, unsigned nif, struct pkt **v, unsigned n);
/* Timers. Bounded work: when much is due, next() stays ≤ now and the caller calls again. */
void weir_tick(struct weir *, weir_ns now);
/* Up to max packets to send now. The caller owns them; weir_sent() when the device is done. */
unsigned weir_tx(struct weir *, weir_ns now, unsigned nif, struct pkt **v, unsigned max);
/* Packets of weir_tx back, sent or dropped: their connections may send on. */
void weir_sent(struct weir *, weir_ns now, struct pkt **v, unsigned n);
/* When something is to do: tick or tx. WEIR_NEVER: nothing until a packet or a call. */
weir_ns weir_next(const struct weir *);
/* Sockets with news since they were last told, each at most once a call. */
unsigned weir_events(struct weir *, struct weir_event *v, unsigned max);

/* ---- sockets: never block; -EAGAIN instead ---- */

int weir_socket(struct weir *, int family, int type, weir_sock *out);
/* A value of the caller's, handed back with each event. */
int weir_sock_user(struct weir *, weir_sock, uint64_t user);
int weir_bind(struct weir *, weir_sock, const struct weir_addr *);
/* With TCP_FASTOPEN_CONNECT 0 can mean that the first weir_sendto will send the SYN.
 * A datagram socket forgets its peer when family is 0 (AF_UNSPEC).
 * 0: datagram socket has its peer. -EINPROGRESS: the handshake started; WEIR_OUT tells its end. */
int weir_connect(struct weir *, weir_ns now, weir_sock, const struct weir_addr *);
int weir_listen(struct weir *, weir_sock, int backlog);
/* -EAGAIN, or a new socket; options are inherited. peer may be NULL. */
int weir_accept(struct weir *, weir_ns now, weir_sock, weir_sock *out, struct weir_addr *peer);
/* Bytes taken or given (0 from a stream: end), or -errno. to/from may be NULL. With
 * WEIR_MSG_FASTOPEN a stream connects to `to` and the bytes taken went with its SYN; -EINPROGRESS:
 * it connects, and takes bytes once it is connected. */
int64_t weir_sendto(struct weir *, weir_ns now, weir_sock, const void *, size_t, unsigned flags,
                    const struct weir_addr *to);
int64_t weir_recvfrom(struct weir *, weir_ns now, weir_sock, void *, size_t, unsigned flags,
                      struct weir_addr *from);
/* With control data: of sending IP_TTL, IP_TOS, IP_PKTINFO, IPV6_HOPLIMIT, IPV6_TCLASS,
 * IPV6_PKTINFO, SO_TIMESTAMPING; of receiving what options asked for. With WEIR_MSG_ERRQUEUE the
 * oldest entry of the error queue: bytes of the packet it is about (0 is possible), IP_RECVERR or
 * IPV6_RECVERR as control data, -EAGAIN: it is empty. */
int64_t weir_sendmsg(struct weir *, weir_ns now, weir_sock, const struct weir_msghdr *,
                     unsigned flags);
int64_t weir_recvmsg(struct weir *, weir_ns now, weir_sock, struct weir_msghdr *, unsigned flags);
/* Real time is the stack's clock plus offset_ns, for the time stamps that programs read; 0 until
 * said. */
void weir_real_time(struct weir *, int64_t offset_ns);
/* Streams, in place: where the next bytes to send would lie; commit n of them. -errno as send. */
int weir_send_space(struct weir *, weir_ns now, weir_sock, struct weir_iov *v, unsigned max);
int weir_send_commit(struct weir *, weir_ns now, weir_sock, size_t n);
/* Streams, in place: the pieces at the head of the receive buffer; consume n of them. */
int weir_recv_peek(struct weir *, weir_sock, struct weir_iov *v, unsigned max);
int weir_recv_consume(struct weir *, weir_ns now, weir_sock, size_t n);
int weir_shutdown(struct weir *, weir_ns now, weir_sock, enum weir_how);
/* The handle is gone; a connection closes on its own in good order (or as SO_LINGER says). */
int weir_close(struct weir *, weir_ns now, weir_sock);
/* Resets the connection, then as close. */
int weir_abort(struct weir *, weir_ns now, weir_sock);
uint32_t weir_poll(struct weir *, weir_sock); /* enum weir_ready; 0 also for a stale handle */
int weir_getsockname(struct weir *, weir_sock, struct weir_addr *);
int weir_getpeername(struct weir *, weir_sock, struct weir_addr *);
/* Level and name are Linux's numbers. -ENOPROTOOPT: not implemented (nothing pretends). */
int weir_setsockopt(struct weir *, weir_ns now, weir_sock, int level, int name, const void *,
                    size_t);
int weir_getsockopt(struct weir *, weir_ns now, weir_sock, int level, int name, void *,
                    size_t *len);
/* Bytes to read (SIOCINQ), bytes sent or to send and not acknowledged (SIOCOUTQ). */
int64_t weir_inq(struct weir *, weir_sock);
int64_t weir_outq(struct weir *, weir_sock);
/* 1: the next byte to read is the urgent one (SIOCATMARK), 0; -EOPNOTSUPP of datagrams. */
int weir_at_mark(struct weir *, weir_sock);
/* Of those waiting to be acknowledged, bytes that were never sent (SIOCOUTQNSD). */
int64_t weir_outq_unsent(struct weir *, weir_sock);

/* ---- seeing ---- */

/* Changes a setting while running, by its name in conf.def. 0, -ENOENT, -EINVAL, -ERANGE. */
int weir_set(struct weir *, const char *name, const char *value);
/* What a setting is now. 0, -ENOENT. */
int weir_setting_get(const struct weir *, const char *name, uint32_t *value);
/* The counter i's name and value; false beyond the last. Behind the counters come the reasons to
 * drop, by the names of pkt/drop.def. */
bool weir_counter(const struct weir *, unsigned i, const char **name, uint64_t *value);
uint64_t weir_counter_named(const struct weir *, const char *name); /* 0 also when unknown */

/* The stack's part of the chain of buffers, in the order of the bytes. To send: the socket's "send
 * buffer", "below TCP" (what a connection has handed down and is not gone, up to
 * tcp_limit_output_bytes), the interface's "qdisc". To receive: the socket's "receive buffer". sock
 * 0: the interface's alone. A connection's marks and times are kept only with the setting
 * tcp_gauges, otherwise 0. What follows below and comes before is the device's, dev/vnic.h. v has
 * room for WEIR_CHAIN_PART; how many were written, or -ENODEV, -EBADF. */
enum weir_chain_way { WEIR_CHAIN_SEND, WEIR_CHAIN_RECV };
int weir_chain(struct weir *, weir_ns now, unsigned nif, weir_sock, enum weir_chain_way,
               struct weir_gauge *v);

/* One socket as `weir ss` shows it. */
struct weir_sock_info {
    weir_sock sock;      /* 0: a connection no socket holds any more */
    uint8_t type, state; /* enum weir_type; Linux's TCP_ESTABLISHED = 1 … TCP_CLOSING = 11 */
    struct weir_addr local, peer;
    uint64_t inq, outq;
    uint32_t sndbuf, rcvbuf, accept_n, accept_max;
    uint64_t rx_drops;
    char timer[12]; /* "on", "keepalive", "timewait", "persist", "" */
    weir_ns timer_at;
};
/* Walks every socket and connection: *cursor starts at 0; false at the end. */
bool weir_sock_next(struct weir *, weir_ns now, uint64_t *cursor, struct weir_sock_info *out);

#ifdef __cplusplus
}
#endif

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * Sockets: what weir.h's handles mean. A socket is a tcb or a UDP socket with a name that cannot be
 * mistaken for another's, the local end it is bound to, and its options.
 *
 * Nothing here blocks; -EAGAIN and -EINPROGRESS say that something must happen first, and
 * sock_event_pop says when it has. Errors are Linux's, negative.
 *
 *     made --bind--> bound --listen--> listening --accept--> (a new one, connected)
 *       `-----connect (binds)-----> connecting --> connected --shutdown--> half closed
 *     in every state: options, close
 */
#ifndef WEIR_SOCK_H
#define WEIR_SOCK_H

#include "base/pool.h"
#include "tcp/tcp.h"
#include "udp/udp.h"

#include <weir/weir.h>

enum sock_flag {
    SOCK_BOUND = 1,      /* bind() gave it its local end */
    SOCK_CONNECTING = 2, /* connect() was answered EINPROGRESS, and not asked since */
    SOCK_LISTENING = 4,
    SOCK_REUSEADDR = 8,
    SOCK_REUSEPORT = 16,
    SOCK_V6ONLY = 32,
    SOCK_FREEBIND = 64,
    SOCK_MTU_SET = 128,   /* IP_MTU_DISCOVER was set by the program */
    SOCK_BIND_LATE = 256, /* IP_BIND_ADDRESS_NO_PORT */
    SOCK_RECVERR = 512,
    SOCK_DEFERRED = 1024, /* connected by name: the first send sends the SYN */
};

/* What comes with a message as control data, and in which shape. */
enum sock_want {
    WANT_TTL = 1,
    WANT_TOS = 2,
    WANT_PKTINFO = 4,
    WANT_PKTINFO6 = 8,
    WANT_HOPLIMIT = 16,
    WANT_TCLASS = 32,
    WANT_OVERFLOW = 64,
    WANT_STAMP = 128,         /* SO_TIMESTAMP */
    WANT_STAMP_NS = 256,      /* SO_TIMESTAMPNS */
    WANT_STAMP_NEW = 512,     /* either, set by its _NEW name, which is also what it comes under */
    WANT_STAMPING_NEW = 1024, /* SO_TIMESTAMPING by its _NEW name */
    WANT_ERR_PRI = 2048,      /* SO_SELECT_ERR_QUEUE: the error queue is POLLPRI, too */
    WANT_ZEROCOPY = 4096,
    WANT_RECVERR6 = 8192, /* IPV6_RECVERR; IP_RECVERR is SOCK_RECVERR */
    WANT_INQ = 16384,     /* TCP_INQ: what is left to be read */
};
/* Levels of options and control messages. */
enum { L_IP = 0, L_SOCKET = 1, L_TCP = 6, L_IPV6 = 41 };
/* Linux's names that have no other home. */
enum {
    SOPT_TCP_INQ = 36, /* of the option and of its control message */
    SO_TIMESTAMP = 29,
    SO_TIMESTAMPNS = 35,
    SO_TIMESTAMPING = 37,
    SO_TIMESTAMP_NEW = 63,
    SO_TIMESTAMPNS_NEW = 64,
    SO_TIMESTAMPING_NEW = 65,
};
/* SOF_TIMESTAMPING_…: what concerns sock/ of it, and all that is known. */
enum {
    SOCK_STAMP_RX = 0x8,
    SOCK_STAMP_SOFTWARE = 0x10,
    SOCK_STAMP_CMSG = 0x400,
    SOCK_STAMP_RECORD = 0x303, /* of each message: may be changed for one */
    SOCK_STAMP_KNOWN = 0x10fff,
};

struct sock {
    uint64_t user;
    uint32_t obj;                  /* index of the tcb or UDP socket */
    uint32_t port_next, port_prev; /* others bound to the port; 0: none */
    uint16_t lport;                /* bound port, host order; 0: none */
    uint16_t flags;                /* enum sock_flag */
    uint8_t type, family;          /* enum weir_type, weir_family */
    uint8_t pmtudisc, priority;
    uint32_t mark;
    struct addr local; /* bound address, any(): all */
    uint32_t rcvlowat;
    uint16_t want;   /* enum sock_want */
    int16_t cpu;     /* SO_INCOMING_CPU, -1: none */
    uint32_t stamps; /* SO_TIMESTAMPING */
};
_Static_assert(sizeof(struct sock) <= 64, "a socket is one line");

struct socks {
    struct env *env;
    struct ip *ip;
    struct tcp *tcp;
    struct udp *udp;
    struct pool pool;
    uint32_t *port_head;    /* per TCP port: first socket bound to it */
    uint32_t *port_counter; /* RFC 6056 3.3.4: rises with each port handed out */
};

enum { SOCK_PORT_COUNTERS = 256 };

void socks_init(struct socks *, struct env *, struct tcp *, struct udp *, struct arena *);

/* Handle ↔ socket. NULL: stale or never was one. */
struct sock *sock_find(const struct socks *, weir_sock);
weir_sock sock_handle(const struct socks *, const struct sock *);
static inline struct tcb *sock_tcb(const struct socks *ss, const struct sock *s)
{
    return tcp_at(ss->tcp, s->obj);
}
static inline struct udp_sock *sock_udp(const struct socks *ss, const struct sock *s)
{
    return udp_at(ss->udp, s->obj);
}

/* ---- sock.c: life ---- */
WEIR_MUST_CHECK int sock_open(struct socks *, int family, int type, weir_sock *out);
int sock_bind(struct socks *, struct sock *, const struct weir_addr *);
int sock_connect(struct socks *, struct sock *, const struct weir_addr *);
/* A stream's connect and first send in one [RFC 7413]. to: NULL if connect() was deferred. Bytes
 * taken; -EINPROGRESS: none, but it connects; -EISCONN is for the caller to send plainly. */
int64_t sock_connect_send(struct socks *, struct sock *, const struct weir_addr *to, const void *,
                          size_t, unsigned flags);
int sock_listen(struct socks *, struct sock *, int backlog);
int sock_accept(struct socks *, struct sock *, weir_sock *out, struct weir_addr *peer);
int sock_shutdown(struct socks *, struct sock *, enum weir_how);
/* The socket is gone; is_abort: its connection is reset. */
void sock_close(struct socks *, struct sock *, bool is_abort);
int sock_name(struct socks *, const struct sock *, bool is_peer, struct weir_addr *);

/* ---- data.c ---- */
int64_t sock_send(struct socks *, struct sock *, const void *, size_t, unsigned flags,
                  const struct weir_addr *to);
int64_t sock_recv(struct socks *, struct sock *, void *, size_t, unsigned flags,
                  struct weir_addr *from);
/* Whether a datagram may be sent with these flags; where it goes: `to` into *end. 0 or -errno. */
int sock_dgram_flags(struct socks *, const struct sock *, unsigned flags);
int sock_dgram_to(const struct sock *, const struct weir_addr *to, struct udp_end *end);
/* The next socket with news and what is true of it; NULL: none. */
struct sock *sock_event_pop(struct socks *, uint32_t *bits);
uint32_t sock_poll(struct socks *, const struct sock *);
/* nif: the link of a link-local address. */
void sock_addr_out(const struct sock *, const struct addr *, uint16_t port, unsigned nif,
                   struct weir_addr *);
/* The interface that a scope names: of a link-local address, else 0. */
static inline uint8_t sock_scope_nif(const struct addr *a, uint32_t scope)
{
    bool is_link = addr_is_link_local6(a) || (addr_is_multicast(a) && !addr_is_ip4(a));
    return is_link && scope <= LINK_NIFS ? (uint8_t)scope : 0;
}

/* ---- cmsg.c: with control data; see weir_sendmsg, weir_recvmsg ---- */
int64_t sock_sendmsg(struct socks *, struct sock *, const struct weir_msghdr *, unsigned flags);
int64_t sock_recvmsg(struct socks *, struct sock *, struct weir_msghdr *, unsigned flags);

/* ---- opt.c ---- */
int sock_opt_set(struct socks *, struct sock *, int level, int name, const void *, size_t);
/* What the listener s asked to be told, its new connection tells, too; as far as there is room. */
void sock_inherit(struct socks *, const struct sock *s, struct sock *child);
int sock_opt_get(struct socks *, struct sock *, int level, int name, void *, size_t *len);

/* ---- port.c ---- */
/* Takes ⟨local, port⟩ for s; port 0: chooses one. 0, -EADDRINUSE. */
int port_bind(struct socks *, struct sock *, const struct addr *local, uint16_t port);
void port_release(struct socks *, struct sock *);
/* An ephemeral port that makes the flow unique [RFC 6056 3.3.4]; 0: none is left. */
uint16_t port_ephemeral(struct socks *, struct flow *);
/* Whether s may listen on its port beside who listens there already. */
bool port_may_listen(const struct socks *, const struct sock *);

#endif

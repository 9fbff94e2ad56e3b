/* SPDX-License-Identifier: Apache-2.0
 *
 * Which connection a packet belongs to.
 *
 * Scripts rarely name ports. A packet without ports belongs to the current connection: the one of
 * the last connect(), or the one that the last SYN to a listening socket began. listen() and a new
 * connect() end a connection's being current. As in packetdrill a second SYN without ports is a SYN
 * of the same connection; to open another one a script names ports (`< 5001 > 8080 S …`), and then
 * every packet with these ports belongs to it.
 *
 * A packet that came out belongs to the connection with its addresses and ports; a connection just
 * begun by connect() or sendto() has no local port yet and takes the first packet to its peer.
 * ICMP messages belong to whoever expects one.
 *
 * Called by expect.c and the calls. Owns the run's list of connections; they live to its end.
 */
#include "drill/run.h"

#include <stdlib.h>

#include "wire/ipv4.h"
#include "wire/tcp.h"

enum { FIRST_PORT = 45001 };

struct conn *conn_new(struct run *r, uint8_t proto)
{
    struct conn *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        fputs("weir drill: no memory\n", stderr);
        exit(2);
    }
    c->fd = -1;
    c->proto = proto;
    c->local = r->local;
    c->remote = r->remote;
    c->next = r->conns;
    r->conns = c;
    return c;
}

void conns_free(struct run *r)
{
    while (r->conns != NULL) {
        struct conn *c = r->conns;
        r->conns = c->next;
        free(c);
    }
}

static struct conn *passive_conn(struct run *r, uint8_t proto)
{
    struct conn *c = conn_new(r, proto);
    c->lport = r->script->opts.bind_port;
    c->rport = (uint16_t)(FIRST_PORT + r->next_port++);
    return c;
}

static bool has_listener(const struct run *r)
{
    for (unsigned i = 0; i < RUN_FDS; i++)
        if (r->fds[i].kind == FD_SOCK && r->fds[i].is_listening)
            return true;
    return false;
}

static struct conn *conn_of_ports(struct run *r, const struct script_pkt *k)
{
    uint16_t lport = k->is_out ? k->sport : k->dport, rport = k->is_out ? k->dport : k->sport;
    for (struct conn *c = r->conns; c != NULL; c = c->next)
        if (c->proto == k->proto && (lport == 0 || c->lport == lport || c->is_connecting) &&
            (rport == 0 || c->rport == rport))
            return c;
    bool is_open = k->proto == PROTO_UDP || (k->flags & TCPF_SYN) != 0;
    if (k->is_out || !is_open)
        return r->cur; /* ports that belong to nobody: a stray packet of the current connection */
    struct conn *c = passive_conn(r, k->proto);
    c->lport = lport != 0 ? lport : c->lport;
    c->rport = rport != 0 ? rport : c->rport;
    return c;
}

struct conn *conn_of_script(struct run *r, const struct script_pkt *k)
{
    if (k->has_ports) {
        struct conn *c = conn_of_ports(r, k);
        if (c != NULL)
            return r->cur = c;
    }
    bool is_icmp = k->proto == PROTO_ICMP4 || k->proto == PROTO_ICMP6;
    if (r->cur != NULL && (is_icmp || r->cur->proto == k->proto))
        return r->cur;
    if (!k->is_out || is_icmp)
        return r->cur = passive_conn(r, k->proto);
    run_fail(r, has_listener(r) ? "no packet came in yet, so there is no connection that could send"
                                : "no socket that could send this packet");
    return NULL;
}

bool conn_takes(struct conn *c, const struct live_pkt *p, const struct script_pkt *want)
{
    bool is_icmp = want->proto == PROTO_ICMP4 || want->proto == PROTO_ICMP6;
    if (is_icmp)
        return p->k.proto == want->proto;
    if (p->k.proto != c->proto || !addr_eq(&p->dst, &c->remote) || p->k.dport != c->rport)
        return false;
    if (c->is_connecting) {
        bool is_first = c->proto == PROTO_UDP || (p->k.flags & (TCPF_SYN | TCPF_ACK)) == TCPF_SYN;
        if (is_first && (c->lport == 0 || c->lport == p->k.sport)) {
            c->is_connecting = false;
            c->local = p->src;
            c->lport = p->k.sport;
        }
    }
    return c->lport == p->k.sport && addr_eq(&p->src, &c->local);
}

struct conn *conn_of_peer(struct run *r, const struct weir_addr *peer)
{
    struct addr a;
    memcpy(a.b, peer->ip, sizeof(a.b));
    for (struct conn *c = r->conns; c != NULL; c = c->next)
        if (c->rport == peer->port && addr_eq(&c->remote, &a))
            return c;
    return NULL;
}

struct weir_addr conn_weir_addr(const struct run *r, const struct addr *a, uint16_t port)
{
    struct weir_addr w = {.port = port, .family = r->script->opts.ip == IP_V4 ? 4 : 6};
    memcpy(w.ip, a->b, sizeof(w.ip));
    return w;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulator: hosts that run the very stack that ships, joined by emulated links, in virtual
 * time. One seed, one result, bit for bit.
 *
 * A world is made of hosts and links; sim_step() moves its clock to the next thing that happens.
 * Who drives the hosts' sockets (load.h) looks after each step; who watches the wire (oracle.h) is
 * shown every frame that leaves a host or reaches one.
 */
#ifndef WEIR_SIM_H
#define WEIR_SIM_H

#include "dev/emu.h"
#include "pkt/pkt.h"
#include "sim/nics.h"

#include <weir/weir.h>

enum { SIM_HOSTS = 16, SIM_LINKS = 16, SIM_NIFS = 4 };

struct sim_host {
    struct weir *w;
    void *mem;
    size_t n_mem;
    unsigned id;
    uint64_t nomem;     /* frames that found no packet memory */
    w_ns stopped_until; /* its processor stands still: it neither polls its NICs nor ticks */
};

struct sim_end {
    struct sim_host *host;
    unsigned nif;
};

/* end[0] sends through dir[0] to end[1], and the other way round; or both through their NICs. */
struct sim_link {
    struct sim_end end[2];
    struct sim_nics *nics; /* NULL: emulated by dir */
    struct sim *sim;
    struct emu dir[2];
    struct emu_slot *slots;
};

/* Shown a frame as bytes: `host` sends it (is_out) or is about to receive it. */
typedef void (*sim_watch)(void *ctx, w_ns now, unsigned host, bool is_out, const uint8_t *frame,
                          uint32_t n);

/* Who looks into the hosts: their stacks trace, n_trace records each. frame: a host hands p to its
 * device (after which note may say what the link does to it), or is about to take it in; p is only
 * lent. step: a step is over. end: before the hosts end. */
struct sim_see {
    void (*frame)(void *ctx, unsigned host, bool is_out, const struct pkt *p);
    void (*note)(void *ctx, unsigned host, const char *what);
    void (*step)(void *ctx);
    void (*end)(void *ctx);
    void *ctx;
    uint32_t n_trace;
};

struct sim {
    w_ns now;
    struct rng rng;
    struct sim_host host[SIM_HOSTS];
    unsigned n_host;
    struct sim_link link[SIM_LINKS];
    unsigned n_link;
    struct pktmem mem; /* of the wire */
    void *wire_mem;
    size_t n_wire_mem;
    sim_watch watch;
    void *watch_ctx;
    struct sim_see see; /* frame NULL: nobody; set before hosts are added */
    uint64_t hash;      /* of every frame sent, its time and its sender */
    uint64_t n_frames;
};

/* A world at time 1 s. NULL: no memory. */
struct sim *sim_new(uint64_t seed);
/* Ends every host. Returns how many objects leaked. */
unsigned sim_free(struct sim *);

/* A host with this configuration; its seed is drawn from the world's. NULL: no memory, or SIM_HOSTS
 * are there. */
struct sim_host *sim_add_host(struct sim *, const struct weir_conf *);
/* Joins a to b by an Ethernet link: a gets address a_ip/24, b b_ip/24 (host order IPv4), with
 * has_ip6 also fd00::a_ip/64 and fd00::b_ip/64. Conditions a → b and b → a. 0 or -errno. */
struct sim_join {
    struct sim_host *a, *b;
    uint32_t a_ip, b_ip;
    uint32_t mtu;
    bool has_ip6;
    struct emu_conf ab, ba;
    const struct sim_nic_conf *nics; /* not NULL: a cable between NICs instead of ab and ba */
};
/* fd00:: with ip in its last four bytes. */
struct weir_addr sim_addr6(uint32_t ip, uint16_t port);
int sim_join(struct sim *, const struct sim_join *);

/* The clock moves to the next thing due, at most to `until`, and what is due then is done; the
 * applications should have their turn next. False: nothing was due, the clock stands at `until`. */
bool sim_step(struct sim *, w_ns until);
/* The host's processor does nothing until then; its NICs go on, and frames of emulated links are
 * still taken. Its applications must not be called meanwhile. */
void sim_stop(struct sim_host *, w_ns until);
/* Lets a host send what its sockets were just given. */
void sim_kick(struct sim *, struct sim_host *);

#endif

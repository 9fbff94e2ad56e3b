/* SPDX-License-Identifier: Apache-2.0
 *
 * What one run is made of: hosts, links, flows and their settings, as a scenario says with one
 * value chosen for each thing that is swept.
 */
#ifndef WEIR_EXPER_SETUP_H
#define WEIR_EXPER_SETUP_H

#include "dev/emu.h"
#include "exper/text.h"
#include "sim/nics.h"

#include <stdio.h>

#include <weir/weir.h>

enum { SETUP_HOSTS = 12, SETUP_LINKS = 12, SETUP_FLOWS = 16, SETUP_APPS = 64, SETUP_WORDS = 400 };

struct setup_host {
    char name[TEXT_NAME];
    struct weir_conf conf;
    struct weir_qdisc qdisc;
    bool has_qdisc;
    struct vnic_conf nic;   /* its end of a cable */
    w_ns packet_ns, irq_ns; /* what a received frame, an interrupt cost it */
    bool has_nic, has_cost; /* [nic NAME] or a cost was given: it needs a cable */
    unsigned nic_line, cost_line, offload_line;
};

/* Between hosts a and b: NICs and a cable, or an emulated link. */
struct setup_link {
    unsigned a, b;
    bool is_cable;
    unsigned line;
    /* a cable: */
    struct nic_conf nic;
    struct cable_conf cable;
    uint32_t mtu;
    /* emulated: netem's words for each direction, and what they mean */
    char words[2][SETUP_WORDS];
    struct emu_conf way[2];
};

enum setup_kind { SETUP_BULK, SETUP_RR, SETUP_UDP };

struct setup_flow {
    char name[TEXT_NAME];
    unsigned line;
    uint32_t kind; /* enum setup_kind */
    uint32_t from, to;
    bool has_from, has_to;
    uint64_t count;   /* as many at once */
    w_ns start, stop; /* stop 0: at the end */
    uint64_t bytes;   /* bulk; 0: without end */
    uint64_t write_bytes, read_bytes;
    w_ns write_every, read_every;
    w_ns read_stop, read_stop_for; /* the reader stops then, for so long */
    uint64_t sndbuf, rcvbuf;       /* 0: as the host has it */
    char cc[16];                   /* "": as the host has it */
    uint64_t nodelay;
    uint64_t request, response, requests; /* rr: bytes, bytes, how many (0: without end) */
    w_ns every;                           /* rr, udp: from start to start; 0: at once */
    uint64_t datagram, burst, bursts;     /* udp: bytes, datagrams, how many bursts */
    uint64_t ipv6;
};

struct setup {
    char title[TEXT_VALUE], about[TEXT_VALUE];
    w_ns took, warm, sample;
    uint64_t seed, repeat;
    struct setup_host host[SETUP_HOSTS];
    unsigned n_host;
    struct setup_link link[SETUP_LINKS];
    unsigned n_link;
    struct setup_flow flow[SETUP_FLOWS];
    unsigned n_flow;
};

/* Makes the setup of `t` with n further settings laid over it (a sweep's values). 0, or -EINVAL and
 * t->err: unknown sections and keys, values that are none, hosts that nothing joins, settings that
 * this NIC does not have. */
WEIR_MUST_CHECK int setup_make(struct text *t, const struct text_set *over, unsigned n,
                               struct setup *out);
/* Whether [section] is one that a setup reads, rather than a report. */
bool setup_has_section(const char *section);
/* By name; -1: there is none. */
int setup_host_named(const struct setup *, const char *name);
int setup_flow_named(const struct setup *, const char *name);
/* The link whose ends are "a b" or "b a". */
int setup_link_named(const struct setup *, const char *ends);
/* Every key of every section with its values, for --list. */
void setup_list(FILE *);

#endif

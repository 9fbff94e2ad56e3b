/* SPDX-License-Identifier: Apache-2.0
 *
 * For the tests of tcp/: one TCP over the real rooms below it and a bare-IP interface, spoken to in
 * a dialogue; or two of them joined by a wire that loses, repeats and reorders, in virtual time.
 *
 *     lab_in(l, "S 0:0(0) win 65535 <mss 1000,sackOK>");
 *     lab_out(l, "S. 0:0(0) ack 1 <mss 1460,...>");
 *
 * Flags are packetdrill's (S F R P . U E W A), perhaps after [noecn] [ect0] [ect1] [ce]; sequence
 * numbers count from each side's SYN, `*` matches
 * any. Of an outgoing segment only what the text names is compared; `<>` says "no options", `...`
 * in the list "and others". `TS val 7 ecr 0`; `TS ecr 7` ignores the value; `ecr last` in an
 * incoming one echoes the last value seen.
 */
#ifndef WEIR_TCP_TEST_LAB_H
#define WEIR_TCP_TEST_LAB_H

#include <stdio.h>
#include <stdlib.h>

#include "net.h"

#include "icmp/icmp.h"
#include "tcp/room.h"

enum { LAB_QUEUE = 4096 };
#define LAB_LOCAL  0x0a000001u
#define LAB_REMOTE 0x0a000002u

struct lab {
    struct net net;
    struct neigh neigh;
    struct ip ip;
    struct tcp tcp;
    struct pkt *out[LAB_QUEUE]; /* left by the interface, oldest first */
    unsigned n_out;
    tcp_seq iss, irs; /* ours, theirs: what the texts count from */
    bool has_iss;
    uint32_t ts_last;
    uint8_t out_ecn; /* of the last segment looked at */
    struct flow flow;
    bool no_credit; /* keep tcp_sent from being called */
};

/* conf: NULL, or changes the settings before the pools are made. */
void lab_open(struct lab *, void (*conf)(struct weir_conf *));
/* As lab_open, with that address. */
void lab_open_at(struct lab *, uint32_t addr, void (*conf)(struct weir_conf *));
/* Checks that every pool is full again. */
void lab_close(struct lab *);
/* End of a burst: flush, then collect what leaves. */
void lab_settle(struct lab *);
void lab_wait(struct lab *, w_ns d);
void lab_in(struct lab *, const char *text);
/* As lab_in, but merged by link/ from segments of `size` bytes; 0: not merged. */
void lab_in_train(struct lab *, const char *text, uint16_t size);
/* As lab_in, inside a burst: lab_settle ends it. */
void lab_put(struct lab *, const char *text);
#define lab_out(l, text) lab_out_(l, text, __FILE__, __LINE__)
void lab_out_(struct lab *, const char *text, const char *file, int line);
/* Data segments of `step` bytes covering [from, to), any flags. */
#define lab_out_data(l, from, to, step) lab_out_data_(l, from, to, step, __FILE__, __LINE__)
void lab_out_data_(struct lab *, uint32_t from, uint32_t to, uint32_t step, const char *, int);
#define lab_quiet(l) lab_quiet_(l, __FILE__, __LINE__)
void lab_quiet_(struct lab *, const char *file, int line);
/* Forgets what left. */
void lab_skip(struct lab *);
/* Listens on 8080; the handshake with a peer whose SYN has these options and window; accepted. */
struct tcb *lab_server(struct lab *, const char *opts, unsigned win, struct tcb **lsn);
/* Connects; the peer answers with these options. */
struct tcb *lab_client(struct lab *, const char *opts, unsigned win);
void lab_write(struct lab *, struct tcb *, size_t n);
/* Reads all there is; returns how much. */
size_t lab_read(struct lab *, struct tcb *);

/* ---- two joined ---- */
struct wire_conf {
    uint32_t loss_ppm, dup_ppm, reorder_ppm;
    w_ns delay;
};
struct wire {
    struct lab end[2];
    struct wire_conf conf;
    struct rng rng;
    struct {
        struct pkt *p;
        w_ns at;
        uint64_t order;
    } fly[2][LAB_QUEUE];
    unsigned n_fly[2];
    uint64_t order, n_sent, n_lost;
};
void wire_open(struct wire *, const struct wire_conf *, uint64_t seed,
               void (*conf)(struct weir_conf *));
void wire_close(struct wire *);
/* One step: moves packets, then time to the next event or `limit`. False: nothing happens before.
 * */
bool wire_step(struct wire *, w_ns limit);

#endif

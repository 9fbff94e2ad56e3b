/* SPDX-License-Identifier: Apache-2.0
 *
 * One transfer between two hosts, to be looked at: the smallest world that shows everything.
 */
#ifndef WEIR_PAIR_H
#define WEIR_PAIR_H

#include "sim/view.h"

struct pair_conf {
    const char *link; /* conditions of both directions, as dev/emu.h reads them; NULL: cards */
    uint64_t bytes;   /* that host 0 sends to host 1 */
    uint32_t write_bytes, read_bytes; /* per call; 0: 16384 */
    w_ns write_pause, read_pause;     /* of host 0 after each write, of host 1 after each read */
    uint64_t seed;
    bool is_ip6;
};

/* Runs it to its end with `view` attached. The two are joined by an emulated link, or, without one,
 * by a driver, a card (1 Gbit/s) and a cable (5 µs) each. 0; -EIO: the transfer did not end within
 * an hour of virtual time; -EINVAL or -ENOMEM with a sentence in err. */
WEIR_MUST_CHECK int pair_run(const struct pair_conf *, struct view *, char *err, size_t n_err);

#endif

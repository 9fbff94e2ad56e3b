/* SPDX-License-Identifier: Apache-2.0
 *
 * Devices made of devices: emulated conditions, capture, and a wire in memory.
 *
 * The caller owns the memory of each of them (they hold no other), keeps it until after close, and
 * hands `&x.dev` to whoever wants a device. Closing a wrapper closes what it wraps.
 */
#ifndef WEIR_WRAP_H
#define WEIR_WRAP_H

#include "dev/emu.h"
#include "dev/netdev.h"
#include "pkt/pkt.h"

/* Frees what a device below is done with where that never was a stack's: nobody waits for it. */
static inline void wrap_free_reaped(struct netdev *inner, unsigned q, w_ns now)
{
    enum { BURST = 32 };
    struct pkt *v[BURST];
    unsigned n;
    do {
        n = netdev_reap(inner, q, now, v, BURST);
        for (unsigned i = 0; i < n; i++)
            pkt_free(v[i]);
    } while (n == BURST);
}

/* ---- emu_dev: a device behind an emulated link, one emulator per direction.
 *
 * The link's far end begins behind the device's wire, so tx completes at once: what waits in the
 * emulator is in the network, not in this host, and a full emulator queue loses frames as a
 * router's would. It announces no offloads: each frame has its own fate. */
enum { EMU_DEV_HELD = 32 };

struct emu_dev {
    struct netdev dev;
    struct netdev *inner;
    struct emu tx, rx;
    struct pktq done; /* to be reaped */
    /* Left the emulated link, refused by inner's tx for now. */
    struct pkt *held[EMU_DEV_HELD];
    unsigned n_held;
};

/* `inner` is made, not open. slots: 2 × n_slots, the first half for tx. Both directions may share
 * one conf. `inner` passes into the wrapper. */
void emu_dev_init(struct emu_dev *, struct netdev *inner, const struct emu_conf *tx,
                  const struct emu_conf *rx, struct emu_slot *slots, uint32_t n_slots);
/* Seeds both emulators and starts their clocks; before open. */
void emu_dev_start(struct emu_dev *, struct rng rng, w_ns now);

/* ---- cap_dev: a device whose every frame is also shown to someone. */

enum cap_dir { CAP_RX, CAP_TX };

enum { CAP_HELD = 64 };

/* Who is shown the frames. p is only lent, for the length of the call. */
struct cap_sink {
    void (*frame)(void *ctx, w_ns now, enum cap_dir, const struct pkt *p);
    void *ctx;
};

struct cap_dev {
    struct netdev dev;
    struct netdev *inner;
    struct cap_sink sink;
    /* Shown but refused by inner's tx: kept, so that nothing is shown twice. */
    struct pkt *held[CAP_HELD];
    unsigned n_held;
};

void cap_dev_init(struct cap_dev *, struct netdev *inner, struct cap_sink sink);

/* ---- mem_wire: two devices joined by a wire in memory, for tests and bench.
 *
 * Without delay or loss, but finite: when `limit` packets wait at the far end, tx takes no more.
 * Payload blocks are moved, never copied; super-segments and undone checksums cross as they are
 * when the caps say so (what arrives is then CSUM_GOOD). Both ends live on one thread. */
struct mem_end {
    struct netdev dev;
    struct mem_end *peer;
    struct pktq in;   /* sent by the peer, the peer's packets still */
    struct pktq done; /* ours, received by the peer: to be reaped */
    unsigned limit;
};

struct mem_wire {
    struct mem_end end[2];
};

/* Both ends get the same caps; end[i]'s MAC is caps->mac with i added to the last byte. */
void mem_wire_init(struct mem_wire *, const struct netdev_caps *caps, unsigned limit);

#endif

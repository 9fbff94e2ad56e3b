/* SPDX-License-Identifier: Apache-2.0
 *
 * Two devices joined by an emulated link: what `weir link` is, in real time or in a test's.
 *
 *     device 0 ─ rx ─► whole frames ─► cut, checksum ─► emulator 0 ─► tx ─ device 1
 *     device 0 ◄─ tx ─ emulator 1 ◄─ cut, checksum ◄─ whole frames ◄─ rx ─ device 1
 *
 * The link is dev/emu, the one of the simulator and of `weir run --link`. Devices may deliver TCP
 * super-segments: they are cut into the frames a wire would have carried, each with its checksum,
 * before the link sees them. So a frame of the link is a frame of the wire: rate, queue, loss and
 * every other condition meet each of them by itself.
 *
 * The nth frame of a direction meets the same fate in every run of one seed and one set of
 * conditions; what the hosts send, and when, is theirs.
 */
#ifndef WEIR_RELAY_H
#define WEIR_RELAY_H

#include "dev/emu.h"
#include "dev/netdev.h"
#include "link/link.h"

enum { RELAY_BURST = 32 };

/* One direction: from device i to the other. */
struct relay_way {
    struct netdev *from, *to;
    struct nif *nif; /* of link/: cuts super-segments, completes checksums */
    struct emu emu;
    struct pkt *held[RELAY_BURST]; /* left the link, refused by `to` for now */
    unsigned n_held;
    uint64_t bytes; /* put on the link, Ethernet headers included */
};

/* Opaque but for what is to be shown. */
struct relay {
    struct relay_way way[2]; /* [i]: what device i received */
    struct env env;          /* drops[] counts what was no frame or found no memory to be cut */
    struct link link;
    void *mem;
    size_t n_mem;
    struct emu_slot *slots;
};

struct relay_conf {
    struct emu_conf way[2];
    uint64_t seed;
    uint32_t n_frames; /* in flight and queued, each way; 0: RELAY_FRAMES */
};

enum { RELAY_FRAMES = 65536 };

/* Opens both devices (made, not open) and joins them from `now` on. The relay owns the devices
 * from here and closes them even if this fails. NULL with a sentence in err (n_err bytes). */
struct relay *relay_new(const struct relay_conf *, struct netdev *const dev[2], w_ns now, char *err,
                        size_t n_err);
/* Moves all there is to move at `now`, which never goes back; returns when to call again at the
 * latest (0: at once) if no device becomes ready before. Bounded by RELAY_BURST frames a device. */
w_ns relay_step(struct relay *, w_ns now);
/* Frames that reached a device and not the link: no memory, or no sound frame. */
uint64_t relay_missed(const struct relay *, unsigned way);
/* Closes the devices; frames inside are lost. Returns how many packets leaked (0). */
unsigned relay_free(struct relay *);

/* Steps by the real clock (loop_clock) until wake_fd is readable: 0. Or until a device is gone:
 * 1 + its number. Or -errno. Can be called again after 0. */
WEIR_MUST_CHECK int relay_run(struct relay *, int wake_fd);

#endif

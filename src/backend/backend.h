/* SPDX-License-Identifier: Apache-2.0
 *
 * Where frames meet the operating system: the front door of the room.
 *
 *   user        libslirp as router, gateway and DNS: no root, no TAP, no namespace
 *   tap:NAME    a TAP interface, checksums and super-segments left to the kernel
 *   virtio:SLOT a virtio card on the PCI bus, driven by this process
 *
 * backend_open makes a device (dev/netdev.h); netdev_open gives it the stack's packet memory;
 * netdev_close ends it and frees it. A capture is a file, not a device: see capture below.
 *
 * `user` sets SIGPIPE to be ignored if it finds it at its default, and puts that back at close:
 * whoever starts a program in between restores SIG_DFL between fork and exec.
 */
#ifndef WEIR_BACKEND_H
#define WEIR_BACKEND_H

#include "base/addr.h"
#include "dev/netdev.h"

struct pkt;

enum { BACKEND_FWD_MAX = 64, BACKEND_ERR_TEXT = 256 };

/* A port of the host that leads into the stack: -p [ADDR:]HOSTPORT:PORT[/udp]. */
struct backend_fwd {
    struct addr host_addr; /* zero: 127.0.0.1 */
    uint16_t host_port, port;
    bool is_udp;
};

/* What the person asked for; all zero is a good default. */
struct backend_conf {
    struct addr addr;    /* zero: 10.0.2.15 on `user`, none elsewhere */
    struct addr gw;      /* zero: 10.0.2.2 on `user`: the address `user` answers at as the host */
    struct addr dns;     /* zero: the third address of the network on `user` */
    uint8_t prefix_len;  /* of addr, IPv4 counting (24); 0: 24 */
    struct addr addr6;   /* IPv6 beside it; zero: fd00::15 on `user`, none elsewhere */
    struct addr gw6;     /* zero: fd00::2 on `user`, at which it answers as the host's ::1 */
    uint8_t prefix_len6; /* of addr6; 0: 64 */
    bool can_host_loopback; /* user: a connection to the gateway reaches the host's 127.0.0.1 */
    bool
        can_lose; /* user: frames may be lost between it and the stack, and it has to repeat some */
    uint32_t mtu; /* 0: 65520 on `user`, the interface's own on `tap` */
    uint64_t seed; /* of the MAC address */
    struct backend_fwd fwd[BACKEND_FWD_MAX];
    unsigned n_fwd;
};

struct backend {
    struct netdev *dev;
    /* How to address an interface on it; zero where the backend does not know. */
    struct addr addr, gw, dns;
    uint8_t prefix_len;
    struct addr addr6, gw6;
    uint8_t prefix_len6;
    /* The i-th counter of the device's driver: what it counts, and how much. NULL from some i on;
     * NULL itself: there are none. */
    const char *(*counter)(const struct netdev *, unsigned i, uint64_t *value);
};

/* Makes the device that spec names. 0 and *out filled; or -E…, and err (BACKEND_ERR_TEXT bytes)
 * holds a sentence a person can act on. Binds the forwarded ports. */
WEIR_MUST_CHECK int backend_open(const char *spec, const struct backend_conf *, struct backend *out,
                                 char *err);

/* Reads [ADDR:]HOSTPORT:PORT[/tcp|/udp] or PORT. 0, or -EINVAL with a sentence in err. */
WEIR_MUST_CHECK int backend_parse_fwd(const char *text, struct backend_fwd *out, char *err);

/* ---- capture: a pcapng file of frames with nanosecond stamps, readable while it grows. */

struct capture;

enum capture_dir { CAPTURE_RX = 1, CAPTURE_TX = 2 };

struct capture_conf {
    const char *if_name; /* shown by readers; NULL: "weir" */
    bool is_l3;          /* raw IP frames instead of Ethernet */
    uint32_t snaplen;    /* bytes kept of a frame; 0: all */
    int64_t wall_offset; /* add to a w_ns to get nanoseconds since 1970 */
};

/* Opens path for writing ("-": standard output). NULL with a sentence in err (BACKEND_ERR_TEXT). */
struct capture *capture_open(const char *path, const struct capture_conf *, char *err);
/* Appends a frame, with a comment about it if not NULL. p is only lent. Buffered. */
void capture_write(struct capture *, w_ns now, enum capture_dir, const struct pkt *p,
                   const char *comment);
/* One more interface like the first, with a name of its own: its number, the first one's is 0. */
unsigned capture_add_interface(struct capture *, const char *name);
/* A frame as bytes, of any interface. n < len: the rest is gone; n may be 0. */
struct capture_frame {
    w_ns at;
    enum capture_dir dir;
    unsigned interface;
    const uint8_t *bytes;
    uint32_t n, len;
    const char *comment; /* NULL: none */
};
void capture_write_bytes(struct capture *, const struct capture_frame *);
/* Pushes what is buffered to the file; 0 or the first -E… any write met. */
int capture_flush(struct capture *);
/* Flushes, closes, frees; the result as of capture_flush. NULL is fine. */
int capture_close(struct capture *);

#endif

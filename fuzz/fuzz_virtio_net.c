/* SPDX-License-Identifier: Apache-2.0
 *
 * The virtio driver on a device that does anything: each byte of the input is something the device,
 * the stack above or the clock does. The driver neither reads nor writes what is not its own, never
 * loses a packet or block, and is still or dead after a bounded number of steps.
 */
#include "fuzz.h"

#include "../tests/virtio_rig.h"

enum { N_PKTS = 96, STEPS = 200, BURST = 16 };

static struct rig r;
static uint8_t frame[RIG_FRAME];

struct input {
    const uint8_t *at;
    size_t n;
};

static uint32_t next(struct input *in)
{
    if (in->n == 0)
        return 0;
    in->n--;
    return *in->at++;
}

static void receive(w_ns now, unsigned max)
{
    struct pkt *v[BURST];
    unsigned n = netdev_rx(&r.nic.dev, 0, now, v, max % BURST + 1);
    for (unsigned i = 0; i < n; i++) {
        pkt_check(v[i]);
        pkt_free(v[i]);
    }
}

static void reap(w_ns now)
{
    struct pkt *v[BURST];
    unsigned n = netdev_reap(&r.nic.dev, 0, now, v, BURST);
    for (unsigned i = 0; i < n; i++)
        pkt_free(v[i]);
}

static void transmit(w_ns now, uint32_t n)
{
    struct pkt *p = pkt_from_bytes(&r.mem, frame, n);
    if (p != NULL && netdev_tx(&r.nic.dev, 0, now, &p, 1) == 0)
        pkt_free(p);
}

static bool is_live(void)
{
    return (r.status & VIRTIO_DRIVER_OK) != 0 && r.q[0].enabled != 0 && r.q[1].enabled != 0;
}

/* Something the device does with its queues. */
static void act(struct input *in, uint32_t what)
{
    uint8_t header[VNET_HLEN] = {0};
    unsigned queue = what & 1;
    struct rig_queue *q = &r.q[queue];
    switch (what >> 1) {
    case 0:
        for (unsigned i = 0; i < VNET_HLEN; i++)
            header[i] = (uint8_t)next(in);
        (void)rig_arrive(&r, header, frame, next(in) << 8 | next(in));
        break;
    case 1: (void)rig_depart(&r, frame, NULL); break;
    case 2: rig_use(&r, queue, next(in), next(in) << 4); break;
    case 3: rig_use(&r, queue, next(in) << 24 | next(in), next(in) << 24); break;
    case 4: q->used = (uint16_t)(q->used + next(in)); break;
    case 5: *rig_word(&r, q->addr[2]) = (uint16_t)next(in); break;
    case 6:
        r.is_mad = true;
        *rig_word(&r, q->addr[0] + 2 * (next(in) % 64)) = (uint16_t)(next(in) * 257);
        break;
    default: (void)rig_next(&r, queue); break;
    }
}

static void step(struct input *in, w_ns *now)
{
    uint32_t what = next(in);
    switch (what & 15) {
    case 0: receive(*now, next(in)); break;
    case 1: transmit(*now, 14 + (next(in) << 8 | next(in))); break;
    case 2: reap(*now); break;
    case 3: *now += (w_ns)next(in) * 40 * W_MS; break;
    case 4: r.status |= VIRTIO_NEEDS_RESET; break;
    case 5: r.is_gone = what >> 4 == 15; break;
    case 6: r.never_resets = what >> 4 == 15; break;
    case 7:
        r.is_mad = true;
        rig_reset(&r);
        break;
    case 8: r.refuses_features = what >> 4 == 15; break;
    default:
        if (is_live())
            act(in, what >> 4);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    w_ns now = 10 * W_S;
    rig_init(&r, N_PKTS, (uint16_t)(1u << next(&in) % 11));
    r.offers |= next(&in) << 8 | next(&in);
    r.has_irq = (next(&in) & 1) != 0;
    if (rig_probe(&r, UINT32_MAX, 0) == 0) {
        if (netdev_open(&r.nic.dev, &r.mem) == 0) {
            for (unsigned i = 0; i < STEPS && in.n != 0; i++)
                step(&in, &now);
        }
        netdev_close(&r.nic.dev);
    }
    rig_free(&r);
    return 0;
}

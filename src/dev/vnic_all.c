/* SPDX-License-Identifier: Apache-2.0
 *
 * Several queue pairs served by one thread: which queue a packet takes, and in which order they are
 * polled.
 *
 * What is decided here: a packet to be sent goes by the hash of its flow, so that a flow's packets
 * stay in order whatever its queue waits for. When that queue is full the whole burst stops there:
 * the stack has one line of packets, and those behind keep their order with it. Received frames are
 * taken queue by queue, each poll beginning one queue later than the last, so that none starves
 * when the budget is short.
 *
 * Called by who owns the device and serves all of it. Calls the device's own functions.
 */
#include "base/hash.h"
#include "dev/vnic_parts.h"
#include "wire/eth.h"
#include "wire/flow.h"

/* The hash's input as RSS has it: addresses and ports, without the protocol between them. */
static uint32_t hash_of(const struct vnic *v, struct wire_flow *f)
{
    const uint32_t addrs = f->n >= 2 * sizeof(struct addr) ? 2 * sizeof(struct addr) : 8;
    memmove(f->key + addrs, f->key + addrs + 1, f->n - addrs - 1);
    return hash_toeplitz(v->rss_key, f->key, f->n - 1u);
}

unsigned vnic_queue_of(const struct vnic *v, const struct pkt *p)
{
    struct wire_flow f;
    uint32_t n = v->conf.n_queues;
    if (n == 1 || p->lin <= WIRE_ETH_HLEN ||
        !wire_flow_of(pkt_data(p) + WIRE_ETH_HLEN, p->lin - (uint32_t)WIRE_ETH_HLEN, &f))
        return 0;
    return v->rss_table[hash_of(v, &f) % NIC_RSS_ENTRIES] % n;
}

unsigned vnic_all_tx(struct vnic *v, w_ns now, struct pkt **p, unsigned n)
{
    unsigned done = 0;
    while (done < n) {
        unsigned q = vnic_queue_of(v, p[done]), k = 1;
        while (done + k < n && vnic_queue_of(v, p[done + k]) == q)
            k++;
        unsigned taken = vnic_tx(&v->dev, q, now, p + done, k);
        done += taken;
        if (taken < k)
            break;
    }
    return done;
}

unsigned vnic_all_rx(struct vnic *v, w_ns now, struct pkt **p, unsigned max)
{
    unsigned n = 0;
    for (unsigned i = 0; i < v->conf.n_queues && n < max; i++)
        n += vnic_rx(&v->dev, (v->turn + i) % v->conf.n_queues, now, p + n, max - n);
    v->turn = (v->turn + 1) % v->conf.n_queues;
    return n;
}

/* Queues that are no longer in use may still have something to give back. */
unsigned vnic_all_reap(struct vnic *v, w_ns now, struct pkt **p, unsigned max)
{
    unsigned n = 0;
    for (unsigned i = 0; i < NIC_QUEUES_MAX && v->q[i].txd != NULL && n < max; i++)
        n += vnic_reap(&v->dev, i, now, p + n, max - n);
    return n;
}

w_ns vnic_all_next(struct vnic *v)
{
    w_ns next = W_NEVER;
    for (unsigned i = 0; i < v->conf.n_queues; i++)
        next = w_u64_min(next, netdev_next(&v->dev, i));
    return next;
}

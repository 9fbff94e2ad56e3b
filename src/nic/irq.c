/* SPDX-License-Identifier: Apache-2.0
 *
 * Interrupts: when the host is told that something has come or gone.
 *
 * Theory of operation. A queue pair has one interrupt, and counts received frames and sent packets
 * separately. It is raised when it is armed and one of the counts has reached its number of frames,
 * or its first event is as old as its time. Raising disarms it: the driver then polls, and arms it
 * again when it finds nothing more. Events that come while it is disarmed are kept, so that what
 * came between the driver's last look and its arming is told at once or in time. That is what makes
 * an interrupt that is never lost by the NIC, however long the driver was away.
 *
 * Called by txq and rxq (events), nic.c (pump, registers). Calls the bus.
 */
#include "nic/parts.h"

static void coal_add(struct nic_coal *c, w_ns now)
{
    if (c->n++ == 0)
        c->first = now;
}

static w_ns coal_due(const struct nic_coal *c)
{
    if (c->n == 0)
        return W_NEVER;
    return c->n >= c->frames ? 0 : c->first + c->ns;
}

void nic_irq_event(struct nic *n, unsigned queue, bool is_rx)
{
    struct nic_irq *i = &n->irq[queue];
    coal_add(is_rx ? &i->rx : &i->tx, n->now);
}

static w_ns irq_due(const struct nic_irq *i)
{
    return i->is_armed ? w_u64_min(coal_due(&i->rx), coal_due(&i->tx)) : W_NEVER;
}

static w_ns late_due(const struct nic_irq *i) { return i->late != 0 ? i->late : W_NEVER; }

w_ns nic_irq_next(const struct nic *n)
{
    w_ns next = W_NEVER;
    for (unsigned q = 0; q < n->conf.n_queues; q++)
        next = w_u64_min(next, w_u64_min(irq_due(&n->irq[q]), late_due(&n->irq[q])));
    return next;
}

static void raise(struct nic *n, struct nic_irq *i)
{
    n->stat[NIC_S_IRQS]++;
    if (WEIR_UNLIKELY(n->see != NULL))
        (void)nic_seen(n, WEIR_T_IRQ, (unsigned)(i - n->irq), NULL);
    bus_irq_raise(n->irqs, i->vector);
}

void nic_irq_pump(struct nic *n)
{
    for (unsigned q = 0; q < n->conf.n_queues; q++) {
        struct nic_irq *i = &n->irq[q];
        if (late_due(i) <= n->now) {
            i->late = 0;
            raise(n, i);
        }
        if (irq_due(i) > n->now)
            continue;
        i->is_armed = false;
        i->rx.n = i->tx.n = 0;
        if (nic_fault(n, NIC_FAULT_LATE_IRQ))
            i->late = n->now + nic_fault_delay(n);
        else if (!nic_fault(n, NIC_FAULT_LOST_IRQ))
            raise(n, i);
    }
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The driver's watchdog: what only time shows to be wrong with the NIC, and what is done about it.
 *
 *   what is wrong                      | how it is seen                     | what helps
 *   the NIC has reset itself           | NIC_CTRL is not what it was made   | reset, set up anew
 *   a ring faulted                     | NIC_STATUS_DEAD                    | the same
 *   transmit stands still              | nothing is done in HUNG looks      | the same
 *   a return entry stays torn          | the same at the second look        | the same
 *   an interrupt is lost               | work waits, the same at the second | poll without it
 *                                      | look                               |
 *   a count of sent entries is lost    | a register knows more              | use that
 *   there was no memory for buffers    | buffers are missing                | refill
 *   PAUSE holds the line for too long  | STORM looks in a row               | do not obey it for
 *                                      |                                    | DEAF_NS
 *
 * A look costs a few reads of registers, so there is one each WATCH_NS; and a second one soon after
 * one that found work waiting, which an interrupt that is merely being coalesced would have fetched
 * by then.
 *
 * Called by tx and rx before their work. Calls vnic.c.
 */
#include "dev/vnic_parts.h"

enum {
    WATCH_NS = 100 * 1000 * 1000,
    AGAIN_NS = 1000 * 1000, /* … and until it looks again, beside twice what coalescing may take */
    HUNG = 10,
    STORM = 50,
};
#define DEAF_NS (10 * W_S)

void vnic_watch_reset(struct vnic *v)
{
    v->watch_at = v->now + WATCH_NS;
    v->paused = 0;
    for (uint32_t i = 0; i < NIC_QUEUES_MAX; i++)
        v->q[i].looked = (struct vnic_look){.clean = v->q[i].tx_clean};
}

static void found(struct vnic *v, enum vnic_counter what)
{
    v->count[what]++;
    v->must_reset = true;
}

/* ---- work that no interrupt has told of ---- */

static void second_look(struct vnic *v, struct vnic_queue *q)
{
    if (q->is_torn) {
        found(v, VNIC_BAD_RET);
        return;
    }
    v->count[VNIC_LOST_IRQS]++;
    q->is_polling = true;
}

static void look_for_work(struct vnic *v, struct vnic_queue *q)
{
    struct vnic_look *l = &q->looked;
    bool is_waiting = !q->is_polling && (vnic_rx_is_waiting(q) || vnic_tx_is_waiting(q));
    bool is_same = l->ret_next == q->ret_next && l->clean == q->tx_clean;
    if (is_waiting && l->was_waiting && is_same)
        second_look(v, q);
    else if (is_waiting)
        v->watch_at = v->now + AGAIN_NS +
                      2 * (w_ns)(w_u32_max(v->conf.rx_ns, v->conf.tx_ns) + vnic_dim_ns(q));
    l->was_waiting = is_waiting;
    l->ret_next = q->ret_next;
}

/* ---- transmit ---- */

/* The NIC may be done with more than it could write back. */
static bool fetch_count(struct vnic *v, struct vnic_queue *q)
{
    uint32_t done = vnic_read(v, q->regs + NIC_TX_DONE);
    if (done == *q->wb || done - q->tx_clean > q->tx_tail - q->tx_clean || done == q->tx_clean)
        return false;
    v->count[VNIC_LATE_COUNT]++;
    *q->wb = done;
    q->is_polling = true;
    return true;
}

static void look_at_transmit(struct vnic *v, struct vnic_queue *q, bool is_paused)
{
    struct vnic_look *l = &q->looked;
    bool is_still = q->tx_tail != q->tx_clean && l->clean == q->tx_clean && !vnic_tx_is_waiting(q);
    l->clean = q->tx_clean;
    if (!is_still || fetch_count(v, q) || is_paused) {
        l->stuck = 0;
        return;
    }
    if (++l->stuck == HUNG)
        found(v, VNIC_TX_HUNG);
}

/* ---- PAUSE ---- */

/* [IEEE 802.3 31B] knows no end to being paused; a stuck neighbour would take us with it. */
static void look_at_pause(struct vnic *v, bool is_paused)
{
    bool is_holding = false;
    for (uint32_t i = 0; i < v->conf.n_queues; i++)
        is_holding |= is_paused && v->q[i].looked.clean == v->q[i].tx_clean &&
                      v->q[i].tx_tail != v->q[i].tx_clean;
    v->paused = is_holding ? v->paused + 1 : 0;
    if (v->paused == STORM) {
        v->count[VNIC_PAUSE_STORM]++;
        v->deaf_until = v->now + DEAF_NS;
    } else if (v->deaf_until != 0 && v->now >= v->deaf_until) {
        v->deaf_until = 0;
    }
    if (v->ctrl != vnic_control(v)) {
        v->ctrl = vnic_control(v);
        vnic_write(v, NIC_CTRL, v->ctrl);
    }
}

void vnic_watch(struct vnic *v, w_ns now)
{
    v->now = w_u64_max(v->now, now);
    if (WEIR_LIKELY(v->now < v->watch_at))
        return;
    v->watch_at = v->now + WATCH_NS;
    uint32_t status = vnic_read(v, NIC_STATUS);
    bool is_paused = (status & NIC_STATUS_PAUSED) != 0;
    if (vnic_read(v, NIC_CTRL) != v->ctrl)
        found(v, VNIC_FORGOTTEN);
    else if ((status & NIC_STATUS_DEAD) != 0)
        found(v, VNIC_DEAD_QUEUE);
    if (v->must_reset)
        return;
    look_at_pause(v, is_paused);
    for (uint32_t i = 0; i < v->conf.n_queues; i++) {
        vnic_rx_refill(&v->q[i]);
        look_for_work(v, &v->q[i]);
        look_at_transmit(v, &v->q[i], is_paused);
    }
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Everything that card and driver count, one by one, by the names `ethtool -S` would print: the
 * card's registers, the driver's own counters, and what each queue has carried.
 *
 * A card that has been reset begins at 0 again; the driver's counters and the queues' go on.
 *
 * Called by whoever shows statistics. Reads registers.
 */
#include "dev/vnic_parts.h"

static const char *const card_names[NIC_N_STATS] = {
#define X(name, text) [NIC_S_##name] = text,
    NIC_STAT_LIST(X)
#undef X
};

/* VNIC_COUNTERS says what they mean. */
static const char *const driver_names[VNIC_N_COUNTERS] = {
    [VNIC_IRQS] = "interrupts_taken",
    [VNIC_POLLS] = "polls",
    [VNIC_POLLS_FULL] = "polls_budget_used_up",
    [VNIC_SPURIOUS_IRQS] = "interrupts_spurious",
    [VNIC_LOST_IRQS] = "interrupts_lost",
    [VNIC_DIM] = "rx_coalesce_changes",
    [VNIC_TORN_RET] = "rx_torn_returns",
    [VNIC_LATE_RET] = "rx_late_returns",
    [VNIC_BAD_RET] = "rx_bad_returns",
    [VNIC_RX_ERRORS] = "rx_buffer_errors",
    [VNIC_RX_TOO_LONG] = "rx_too_many_pieces",
    [VNIC_RX_LRO] = "rx_lro_segments",
    [VNIC_REFILL_FAILED] = "alloc_rx_buff_failed",
    [VNIC_OLD_COUNT] = "tx_old_write_backs",
    [VNIC_LATE_COUNT] = "tx_late_write_backs",
    [VNIC_TX_HUNG] = "tx_timeout_count",
    [VNIC_DEAD_QUEUE] = "dead_rings",
    [VNIC_FORGOTTEN] = "resets_found",
    [VNIC_PAUSE_STORM] = "rx_pause_storms",
    [VNIC_RESETS] = "driver_resets",
};

static const char *const queue_names[NIC_QUEUES_MAX][VNIC_PER_QUEUE] = {
#define Q(n)                                                                                       \
    {                                                                                              \
        "rx_queue_" #n "_packets", "rx_queue_" #n "_bytes", "tx_queue_" #n "_packets",             \
            "tx_queue_" #n "_bytes"                                                                \
    }
    Q(0), Q(1), Q(2), Q(3), Q(4), Q(5), Q(6), Q(7),
#undef Q
};

const char *vnic_stat_name(unsigned i)
{
    if (i < NIC_N_STATS)
        return card_names[i];
    if (i < VNIC_QUEUE_STATS)
        return driver_names[i - NIC_N_STATS];
    i -= VNIC_QUEUE_STATS;
    return queue_names[i / VNIC_PER_QUEUE][i % VNIC_PER_QUEUE];
}

static uint64_t of_queue(const struct vnic_queue *q, unsigned k)
{
    const uint64_t v[VNIC_PER_QUEUE] = {q->rx_packets, q->rx_bytes, q->tx_packets, q->tx_bytes};
    return v[k];
}

bool vnic_stat_at(struct vnic *v, unsigned i, const char **name, uint64_t *value)
{
    if (i >= VNIC_QUEUE_STATS + v->conf.n_queues * VNIC_PER_QUEUE)
        return false;
    *name = vnic_stat_name(i);
    if (i < NIC_N_STATS)
        *value = vnic_stat(v, (enum nic_stat)i);
    else if (i < VNIC_QUEUE_STATS)
        *value = v->count[i - NIC_N_STATS];
    else
        *value = of_queue(&v->q[(i - VNIC_QUEUE_STATS) / VNIC_PER_QUEUE],
                          (i - VNIC_QUEUE_STATS) % VNIC_PER_QUEUE);
    return true;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Pacing: packets leave evenly, not in a burst per ACK.
 *
 * Decides: when each packet departs, how much may leave back to back, how far ahead of time packets
 * are handed down.
 * Owns: of struct tcp_path next_at, departs_at and max_Bps; PF_HELD.
 * Called by out.c before a packet is made, seg.c as it is handed down, opt.c and conn.c; calls
 * timer.c.
 *
 * Theory of operation. Every packet with data gets a departure time and waits for it in the queue
 * before the device (link/queue.c); the packet after it departs len / rate later. So the spacing is
 * exact, whatever the timers of a live host do. Not more than AHEAD is handed down in advance: what
 * is in that queue can no longer be changed, and is no use to RTT or recovery. When the next
 * departure is further away T_PERSIST wakes the connection AHEAD of it, so a connection that pacing
 * holds back always has something scheduled, even with nothing in flight. Time that was not used is
 * gone: a pause is no credit for a burst.
 *
 * The rate is the algorithm's (cc.pacing_Bps), at most SO_MAX_PACING_RATE; where an algorithm has
 * none, SO_MAX_PACING_RATE is written there.
 *
 * Invariant: departures of a paced connection never go back, so its packets never overtake each
 * other.
 */
#include "tcp/room.h"

#define AHEAD W_MS
#define MOST  W_S

uint64_t tcp_pace_Bps(const struct tcp *tcp, const struct tcb *t)
{
    uint64_t max = tcp_path_of(tcp, t)->max_Bps, rate = t->cc.pacing_Bps;
    return max != 0 && max < rate ? max : rate;
}

/* As Linux's tcp_tso_autosize: about a millisecond's worth, unless the algorithm knows better. */
uint32_t tcp_pace_burst(const struct tcp *tcp, const struct tcb *t, uint32_t mss)
{
    uint64_t burst = tcp_pace_Bps(tcp, t) >> 10;
    uint32_t least = tcp->env->conf.tcp_min_tso_segs * mss;
    if (t->cc.gso_burst != 0) {
        burst = w_u64_min(burst, t->cc.gso_burst);
        least = w_u32_min(least, t->cc.gso_burst);
    }
    uint32_t whole = (uint32_t)w_u64_min(burst, UINT16_MAX) / mss * mss;
    return w_u32_max(whole, w_u32_max(least / mss, 1) * mss);
}

bool tcp_pace_holds(struct tcp *tcp, struct tcb *t)
{
    const struct tcp_path *q = tcp_path_of(tcp, t);
    t->st.path &= (uint8_t)~PF_HELD;
    if (q->next_at <= tcp->env->now + AHEAD)
        return false;
    t->st.path |= PF_HELD;
    tcp_arm(tcp, t, T_PERSIST, q->next_at - AHEAD);
    return true;
}

bool tcp_pace_woken(struct tcb *t)
{
    bool was_held = (t->st.path & PF_HELD) != 0;
    t->st.path &= (uint8_t)~PF_HELD;
    return was_held;
}

w_ns tcp_pace_at(const struct tcp *tcp, const struct tcb *t, uint32_t bytes)
{
    const struct tcp_path *q = tcp_path_of(tcp, t);
    w_ns now = tcp->env->now;
    /* What has no data follows the last data at once, and does not overtake it: an ACK says what
     * window there is now. A probe, which nothing may hold back for long, waits MOST. */
    w_ns at = bytes != 0 ? w_u64_min(q->next_at, now + MOST) : q->departs_at;
    return w_u64_max(at, now);
}

void tcp_pace_sent(struct tcp *tcp, const struct tcb *t, uint32_t bytes)
{
    struct tcp_path *q = tcp_path_of(tcp, t);
    w_ns gap = bytes * W_S / tcp_pace_Bps(tcp, t);
    /* What an algorithm measured of tiny writes may be a rate at which a full segment takes
     * minutes. A program may ask for that, an algorithm cannot mean it. */
    if (q->max_Bps == 0 || q->max_Bps > t->cc.pacing_Bps)
        gap = w_u64_min(gap, MOST);
    q->departs_at = tcp_pace_at(tcp, t, bytes);
    q->next_at = w_u64_max(q->next_at, q->departs_at + gap);
}

w_ns tcp_pace_left(const struct tcp *tcp, const struct tcb *t)
{
    return tcp_path_of(tcp, t)->departs_at;
}

/* A connection that is paced no more still follows what was handed down with a time ahead: its rate
 * is without bounds then, not absent. */
static void follow(struct tcp *tcp, struct tcb *t, struct tcp_path *q)
{
    if (t->cc.pacing_Bps == 0 && q->departs_at > tcp->env->now)
        t->cc.pacing_Bps = UINT64_MAX;
    q->next_at = w_u64_min(q->next_at, w_u64_max(q->departs_at, tcp->env->now));
    if ((t->st.path & PF_HELD) != 0)
        tcp_arm(tcp, t, T_PERSIST, tcp->env->now);
}

void tcp_pace_begin(struct tcp *tcp, struct tcb *t)
{
    struct tcp_path *q = tcp_path_of(tcp, t);
    t->cc.noise_percent = (uint16_t)tcp->env->conf.tcp_bbr_loss_thresh;
    if (t->cc.pacing_Bps == 0)
        t->cc.pacing_Bps = q->max_Bps;
    follow(tcp, t, q);
}

void tcp_pace_set_max(struct tcp *tcp, struct tcb *t, uint64_t max_Bps)
{
    struct tcp_path *q = tcp_path_of(tcp, t);
    if (!cc_at(t->cc.kind)->wants_rate)
        t->cc.pacing_Bps = max_Bps;
    q->max_Bps = max_Bps;
    follow(tcp, t, q); /* the new rate holds at once, but for what has been handed down */
}

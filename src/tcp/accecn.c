/* SPDX-License-Identifier: Apache-2.0
 *
 * Accurate ECN: each end counts the marks that arrive, and says its counts with every segment
 * [RFC 9768].
 *
 * Decides: what the three flags AE, CWR and ECE mean in each segment, what the AccECN option says
 * and when it is there, how many packets and bytes were marked according to an ACK, when the path
 * is not to be trusted with ECN-capable packets, with the option, or with the feedback.
 * Owns: struct tcp_acc. Called by ecn.c, which knows which kind of ECN a connection has, and by
 * seg.c for the option.
 *
 * Theory of operation.
 *
 *     SYN, AE CWR ECE           ─►  "I can count"
 *         ◄─  SYN-ACK, one of four: "I too; your SYN came with this codepoint"
 *     bare ACK, the same four   ─►  "and your SYN-ACK with that"
 *     from then on, in each segment: ACE, the three flags as the low bits of r.cep, packets with CE
 *     received; and often the option, with the bytes received by codepoint: EE0B, ECEB, EE1B.
 *
 * A counter of three bits wraps. The receiver sends an ACK for every second or third mark, so the
 * minimum increment is right unless ACKs are lost in number. Where the ACK covers so much that the
 * counter may have wrapped, the option tells; without it the safe guess is the largest number of
 * marks that fits, unless ACKs that cover much are what this path always has (3.2.2.5.2, A.2).
 *
 * s.ceb is kept even without the option, by an estimate of one segment for each mark; the next
 * option corrects it either way, so nothing is told to congestion control twice.
 *
 * What a broken path does           how it shows                          what is done
 *     changes a SYN's codepoint     in the SYN-ACK's, or third ACK's flags  ACC_NO_ECT
 *     clears the three flags        ACE 0 where it cannot be              ACC_NO_ECT, ACC_DEAF
 *     clears the option             initial values 0                      ACC_IGNORE_OPT
 *     drops what has the option     first data or all ACKs lost           ACC_NO_OPT
 *     strips the option             none comes                            ACE alone is used
 *
 * Invariants: r counters only grow; the receiving half goes on whatever the sending half gave up
 * (3.1.5); at most one option of 11 bytes, never at the cost of the second SACK block (3.2.3.3).
 */
#include "tcp/room.h"

enum {
    CEP_INIT = 5, /* [RFC 9768 3.2.1] not 0, so that a zeroed field shows */
    E1B_INIT = 1,
    E0B_INIT = 1,
    CEB_INIT = 0,
    MASK_24 = 0xffffff,
    BEACON_SHIFT = 22, /* [RFC 9768 3.2.3.3] each counter once for so many bits of bytes */
    PENDING_MAX = 7,
    OPT_LEN = 12,       /* three fields and a NOP */
    THIN_ACKS = 4 * 16, /* an ACK for more segments than this: they are always so. 0: the first */
};

/* Counters by codepoint less one: as struct tcp_acc has them. */
static const uint32_t bytes_init[3] = {E1B_INIT, E0B_INIT, CEB_INIT};
static unsigned at_of(unsigned ecn) { return ecn - 1; }

/* ---- handshake ---- */

/* [RFC 9768 table 2, table 3] */
uint16_t tcp_acc_reflect(unsigned ecn)
{
    static const uint8_t ace[4] = {[ECN_NOT] = 2, [ECN_ECT1] = 3, [ECN_ECT0] = 4, [ECN_CE] = 6};
    return (uint16_t)(ace[ecn & ECN_MASK] << TCPF_ACE_SHIFT);
}

/* [RFC 9768 3.1.3 MUST-15] All but none, and the classic two: also what is yet to be invented. */
bool tcp_acc_is_asked(unsigned ace) { return ace != 0 && ace != 3; }

void tcp_acc_begin(const struct tcp *tcp, struct tcb *t, uint16_t flags, unsigned rcv_syn)
{
    *tcp_acc_of(tcp, t) =
        (struct tcp_acc){.flags = flags, .rcv_syn = rcv_syn & 3, .prev = 0, .prev_data = 0};
    tcp_path_of(tcp, t)->n_ce = 0;
}

/* [RFC 9768 3.2.3.2.4 MUST-55] Whether counters that never begin at 0 are 0 in the first option. */
static void first_option(struct tcp_acc *a, const struct wire_tcp *h)
{
    if ((h->has & TCPH_ACCECN) == 0 || (a->flags & ACC_HAS_OPT) != 0)
        return;
    bool has_e0b = h->acc_order == 0 ? h->acc_n >= 1 : h->acc_n >= 3;
    bool has_e1b = h->acc_order == 1 ? h->acc_n >= 1 : h->acc_n >= 3;
    if ((has_e0b && h->acc_e0b == 0) || (has_e1b && h->acc_e1b == 0))
        a->flags |= ACC_IGNORE_OPT;
    a->flags |= ACC_HAS_OPT;
}

/* What the peer says of a packet that we sent without ECN [RFC 9768 3.2.2.3: any change is
 * invalid]. Returns whether it says CE. */
static bool reflected(const struct tcp *tcp, struct tcp_acc *a, unsigned ace)
{
    bool is_changed = ace == 3 || ace == 4 || ace == 6;
    if (is_changed && tcp->env->conf.tcp_ecn_fallback != 0)
        a->flags |= ACC_NO_ECT;
    return ace == 6;
}

/* [RFC 9768 3.1.5 MUST-24; 3.2.2.2 MUST-38, MUST-39; 3.2.2.3 MUST-41] */
void tcp_acc_syn_ack_in(const struct tcp *tcp, struct tcb *t, const struct seg *s)
{
    struct tcp_acc *a = tcp_acc_of(tcp, t);
    unsigned ace = tcp_acc_ace(&s->h);
    first_option(a, &s->h);
    if ((a->flags & ACC_SYN) != 0) {
        a->flags = (uint16_t)((a->flags & ~ACC_SYN) | ACC_FIRST);
        a->demand = 2;
        if (reflected(tcp, a, ace))
            a->flags |= ACC_SYN_CE;
    }
    a->rcv_syn = tcp_ecn_of(s) & 3;
    a->prev = a->rcv_syn;
    if (s->p->ecn == ECN_CE && (a->flags & ACC_CE_SYN_ACK) == 0) {
        a->flags |= ACC_CE_SYN_ACK;
        a->rcv_ce++;
        t->st.ecn |= ECNF_SEEN;
    }
}

/* ---- what leaves ---- */

uint16_t tcp_acc_first(void) { return CEP_INIT << TCPF_ACE_SHIFT; }

uint8_t tcp_acc_counter(const struct tcp *tcp, const struct tcb *t)
{
    return (tcp_acc_of(tcp, t)->rcv_ce + CEP_INIT) & 7;
}

/* [RFC 9768 3.1.1 MUST-1; 3.1.3 MUST-17; 3.1.4.1 SHLD-2, MUST-19; 3.1.5 MUST-20, MUST-21; 3.2
 * MUST-30; 3.2.2 MUST-31, MUST-32; 3.2.2.1 MUST-33] */
void tcp_acc_flags_out(const struct tcp *tcp, const struct tcb *t, struct wire_tcp *h,
                       uint32_t payload)
{
    const struct tcp_acc *a = tcp_acc_of(tcp, t);
    h->flags &= (uint16_t)~TCPF_ACE;
    if ((h->flags & TCPF_SYN) != 0) {
        bool is_plain = (t->flags & TF_SYN_RTX) != 0 && t->snd.n_rto != 0 &&
                        tcp->env->conf.tcp_ecn_fallback != 0;
        if (is_plain)
            return; /* [RFC 9768 3.1.4.1, 3.1.4.2] twice in vain: perhaps for the flags */
        h->flags |= (h->flags & TCPF_ACK) != 0 ? tcp_acc_reflect(a->rcv_syn) : (uint16_t)TCPF_ACE;
        return;
    }
    bool is_bare = payload == 0 && (h->has & TCPH_SACK) == 0 && (h->flags & TCPF_RST) == 0;
    if ((a->flags & ACC_REFLECT) != 0 && is_bare)
        h->flags |= tcp_acc_reflect(a->rcv_syn);
    else
        h->flags |= (uint16_t)(tcp_acc_counter(tcp, t) << TCPF_ACE_SHIFT);
}

/* [RFC 9768 3.1.5 SHLD-12, 3.2.2.5.1 MUST-44; RFC 3168 6.1.4 MUST-13; 6.1.5 MUST-14; RFC 8311 4.3]
 * New data; the rest only where tcp_ecn_control takes part in the experiment. An ACK of such an ACK
 * is told from a duplicate by its lack of SACK blocks, so without SACK no bare ACK is. */
bool tcp_acc_may_ect(const struct tcp *tcp, const struct tcb *t, bool is_new, uint32_t payload)
{
    if ((tcp_acc_of(tcp, t)->flags & ACC_NO_ECT) != 0)
        return false;
    bool is_sack = (t->flags & TF_SACK) != 0;
    return is_new || (tcp->env->conf.tcp_ecn_control != 0 && (payload != 0 || is_sack));
}

void tcp_acc_sent(const struct tcp *tcp, struct tcb *t, const struct wire_tcp *h)
{
    struct tcp_acc *a = tcp_acc_of(tcp, t);
    if ((h->flags & (TCPF_SYN | TCPF_ACK)) == (TCPF_SYN | TCPF_ACK)) {
        /* [RFC 9768 3.1.5 MUST-26] The peer may now believe that there is no ECN. */
        if ((h->flags & TCPF_ACE) == 0)
            a->flags |= ACC_NO_ECT;
        return;
    }
    if ((h->flags & TCPF_SYN) != 0)
        return;
    a->flags &= (uint16_t)~ACC_REFLECT;
    a->pending = 0;
    if ((h->has & TCPH_ACCECN) == 0)
        return;
    a->opt_us = tcp_now_us(tcp);
    a->changed = 0;
    if (a->demand != 0)
        a->demand = (a->demand - 1) & 3;
}

/* ---- the option ---- */

/* [RFC 9768 3.2.3.3 SHLD-28] Always, or with news and a few times in a round trip. [RFC 9768
 * 3.2.3.2.3 SHLD-27 DEVIATES: not to a peer from whom none has come, as in Linux: it has none or
 * they are stripped, and both ways would be the same most often; tcp_ecn_option 3 sends all the
 * same] */
static bool is_option_due(const struct tcp *tcp, const struct tcb *t, const struct tcp_acc *a)
{
    const struct weir_conf *c = &tcp->env->conf;
    if (c->tcp_ecn_option == 0)
        return false;
    if (c->tcp_ecn_option == 3)
        return true;
    if ((a->flags & (ACC_NO_OPT | ACC_HAS_OPT)) != ACC_HAS_OPT)
        return false;
    if (c->tcp_ecn_option == 2 || a->demand != 0)
        return true;
    uint64_t since_us = tcp_now_us(tcp) - a->opt_us;
    return c->tcp_ecn_option_beacon != 0 &&
           since_us * c->tcp_ecn_option_beacon >= t->rtt.srtt8_us >> 3 && t->rtt.srtt8_us != 0;
}

/* Fields up to the last that has changed. */
static unsigned fields_needed(const struct tcp_acc *a, unsigned order)
{
    unsigned first = 1u << at_of(order == 1 ? ECN_ECT1 : ECN_ECT0);
    unsigned last = 1u << at_of(order == 1 ? ECN_ECT0 : ECN_ECT1);
    if ((a->changed & last) != 0)
        return 3;
    return (a->changed & 1u << at_of(ECN_CE)) != 0 ? 2 : (a->changed & first) != 0 ? 1 : 0;
}

static void put_fields(const struct tcp_acc *a, struct wire_tcp *h, unsigned order, unsigned n)
{
    h->has |= TCPH_ACCECN;
    h->acc_order = (uint8_t)order;
    h->acc_n = (uint8_t)n;
    h->acc_e1b = (a->rcv_bytes[at_of(ECN_ECT1)] + E1B_INIT) & MASK_24;
    h->acc_ceb = (a->rcv_bytes[at_of(ECN_CE)] + CEB_INIT) & MASK_24;
    h->acc_e0b = (a->rcv_bytes[at_of(ECN_ECT0)] + E0B_INIT) & MASK_24;
}

/* As many fields as fit, those that have changed and at least `least`. All three go in the order
 * that Linux has; where there is room for fewer, what never came is last. */
static bool fit(const struct tcp_acc *a, struct wire_tcp *h, unsigned least)
{
    unsigned order = a->rcv_bytes[at_of(ECN_ECT1)] != 0;
    least = w_u32_max(least, fields_needed(a, order));
    for (unsigned n = 4; n-- > least;) {
        put_fields(a, h, n == 3 ? 1 : order, n);
        if (h->n_sack == 0 && (h->flags & TCPF_SYN) == 0)
            return true;
        if (wire_tcp_opts_len(h) <= WIRE_TCP_OPT_MAX)
            return true;
    }
    h->has &= (uint16_t)~TCPH_ACCECN;
    return false;
}

/* [RFC 9768 3.2.3 MUST-48, MUST-49; 3.2.3.1 MUST-51; 3.2.3.3 MUST-57] SACK has two blocks before
 * the option has any room; a third goes for news. */
void tcp_acc_option(const struct tcp *tcp, const struct tcb *t, struct wire_tcp *h)
{
    const struct tcp_acc *a = tcp_acc_of(tcp, t);
    uint8_t n_sack = h->n_sack;
    if (!is_option_due(tcp, t, a) || (h->flags & TCPF_RST) != 0)
        return;
    while (!fit(a, h, 1)) {
        if (h->n_sack <= 2 || a->changed == 0) {
            h->n_sack = n_sack;
            return;
        }
        h->n_sack--;
    }
}

/* [RFC 9768 3.2.3.2.1 SHLD-20] Counters that have just begun. */
void tcp_acc_option_syn(const struct tcp *tcp, struct wire_tcp *h)
{
    const struct tcp_acc fresh = {0};
    if (tcp->env->conf.tcp_ecn_option != 0)
        (void)fit(&fresh, h, 0);
}

uint32_t tcp_acc_room(const struct tcp *tcp, const struct tcb *t, uint32_t sack)
{
    if (!is_option_due(tcp, t, tcp_acc_of(tcp, t)))
        return sack;
    uint32_t ts = (t->flags & TF_TS) != 0 ? WIRE_TCP_TS_LEN : 0;
    return w_u32_min(sack + OPT_LEN, WIRE_TCP_OPT_MAX - ts);
}

/* ---- what comes: the receiver ---- */

bool tcp_acc_is_news(const struct tcp *tcp, const struct tcb *t, const struct seg *s)
{
    const struct tcp_acc *a = tcp_acc_of(tcp, t);
    if (s->p->ecn == ECN_CE || (s->len != 0 && s->p->ecn != a->prev_data))
        return true;
    return tcp_acc_ace(&s->h) != ((tcp_path_of(tcp, t)->n_ce + CEP_INIT) & 7) ||
           (a->flags & (ACC_FIRST | ACC_SYN_RCVD)) != 0;
}

/* [RFC 9768 3.2 MUST-29; 3.2.3.3 SHLD-32] */
static void count_bytes(struct tcp_acc *a, unsigned ecn, uint32_t len)
{
    uint32_t before = a->rcv_bytes[at_of(ecn)];
    a->rcv_bytes[at_of(ecn)] += len;
    a->changed = (a->changed | 1u << at_of(ecn)) & 7;
    if ((before ^ a->rcv_bytes[at_of(ecn)]) >> BEACON_SHIFT != 0 && a->demand == 0)
        a->demand = 1;
}

void tcp_ecn_fast(const struct tcp *tcp, struct tcb *t, const struct seg *s)
{
    if (!tcp_is_acc(t))
        return;
    struct tcp_acc *a = tcp_acc_of(tcp, t);
    a->prev = tcp_ecn_of(s) & 3;
    if (s->len == 0)
        return;
    a->n_again = 0;
    if (s->p->ecn != ECN_NOT)
        count_bytes(a, s->p->ecn, s->len);
}

/* [RFC 9768 3.2.3.2.2 SHLD-26] What we acknowledge with an option comes again and again: the ACKs
 * are lost for it. */
static void seen_again(const struct tcp *tcp, struct tcb *t, struct tcp_acc *a, const struct seg *s)
{
    if (seq_gt(s->seq + s->len, t->rcv.nxt) || tcp->env->conf.tcp_ecn_option == 0) {
        a->n_again = 0;
        return;
    }
    if (a->n_again < 2)
        a->n_again++;
    if (a->n_again == 2)
        a->flags |= ACC_NO_OPT;
}

/* [RFC 9768 3.2 MUST-28; 3.1.5 MUST-46; 3.2.2.5.1 SHLD-17, SHLD-18, MUST-43] Every acceptable
 * packet counts, bare ACKs and repetitions, too. Two marks, or three on bare ACKs, are told at
 * once; and the first on text. */
void tcp_acc_in(struct tcp *tcp, struct tcb *t, const struct seg *s)
{
    struct tcp_acc *a = tcp_acc_of(tcp, t);
    unsigned ecn = tcp_ecn_of(s), n = w_u32_max(s->p->gso_segs, 1);
    bool is_marked = ecn == ECN_CE, was_marked = a->prev == ECN_CE;
    if ((s->h.flags & TCPF_SYN) != 0)
        return;
    a->prev = ecn & 3;
    if (s->len != 0) {
        seen_again(tcp, t, a, s);
        if (is_marked || ecn != a->prev_data)
            a->demand = 2;
        a->prev_data = ecn & 3;
    }
    if (ecn == ECN_NOT)
        return;
    t->st.ecn |= ECNF_SEEN;
    if (s->len != 0)
        count_bytes(a, ecn, s->len);
    if (!is_marked)
        return;
    a->rcv_ce += n;
    a->pending = w_u32_min(a->pending + n, PENDING_MAX) & 7;
    /* What came before its time is answered by itself, when it has become a SACK block. */
    bool owes = s->len != 0 || t->rcv.nxt != t->rcv.wup, is_ahead = seq_gt(s->seq, t->rcv.nxt);
    if (!is_ahead && (a->pending >= (owes ? 2 : 3) || (s->len != 0 && !was_marked)))
        tcp_ack_now(tcp, t, WEIR_WHY_ACK_ECN);
}

/* ---- what comes: the sender ---- */

/* [RFC 9768 3.2.2.1 MUST-35, MUST-36, MUST-37; 3.2.2.2 MUST-40] The ACE field of the ACK that
 * completes the handshake, after table 4. */
static uint32_t third_ack(const struct tcp *tcp, struct tcb *t, struct tcp_acc *a,
                          const struct seg *s)
{
    unsigned ace = tcp_acc_ace(&s->h);
    bool is_bare = s->len == 0 && (s->h.has & TCPH_SACK) == 0;
    a->flags &= (uint16_t) ~(ACC_SYN_RCVD | ACC_FIRST);
    first_option(a, &s->h);
    if (ace == 0) {
        a->flags |= ACC_NO_ECT | ACC_DEAF;
        return 0;
    }
    a->third = is_bare ? ace & 7 : 0;
    if (!is_bare || !reflected(tcp, a, ace))
        return 0;
    tcp_path_of(tcp, t)->n_ce = 1;
    return 1;
}

/* [RFC 9768 3.2.2.2] An ACK that a later one has overtaken says nothing; nor does one that brings
 * no proof of being later. */
static bool is_superseded(const struct tcb *t, struct tcp_acc *a, const struct seg *s,
                          const struct ack_work *w)
{
    bool has_ts = w->has_echo && (t->flags & TF_TS) != 0;
    bool is_later =
        has_ts && ((a->flags & ACC_TS) == 0 || ts_lt(a->ts, s->h.ts_val)) && s->h.ts_val != 0;
    if (is_later) {
        a->ts = s->h.ts_val;
        a->flags |= ACC_TS;
    }
    if (seq_lt(s->ack, t->snd.una))
        return true;
    /* [RFC 9768 3.2.2.2] The same as before is the handshake's last ACK once more. */
    bool is_third = t->snd.una == t->sndq.iss + 1 && s->len == 0 && a->third == tcp_acc_ace(&s->h);
    return w->acked == 0 && w->cc.sacked == 0 && (!is_later || is_third);
}

/* One counter of the option. Returns by how much the local one was behind; it may have been ahead,
 * where it was guessed. */
static int32_t take_field(uint32_t *counter, uint32_t field, uint32_t init)
{
    uint32_t ahead = (field - init - *counter) & MASK_24;
    int32_t by = ahead > MASK_24 / 2 ? (int32_t)ahead - (MASK_24 + 1) : (int32_t)ahead;
    *counter += (uint32_t)by;
    return by;
}

/* [RFC 9768 3.2.3 MUST-50] Whether the option can be relied on; *ceb: newly marked bytes. */
static bool take_option(struct tcp_acc *a, const struct wire_tcp *h, int32_t *ceb)
{
    *ceb = 0;
    if ((h->has & TCPH_ACCECN) == 0 || (a->flags & ACC_IGNORE_OPT) != 0)
        return false;
    const uint32_t field[3] = {h->acc_e1b, h->acc_ceb, h->acc_e0b};
    static const uint8_t ecn[3] = {ECN_ECT1, ECN_CE, ECN_ECT0};
    for (unsigned i = 0; i < 3; i++) {
        unsigned place = h->acc_order == 1 ? i : 2 - i;
        if (place >= h->acc_n)
            continue;
        int32_t by = take_field(&a->snd_bytes[at_of(ecn[i])], field[i], bytes_init[at_of(ecn[i])]);
        if (ecn[i] == ECN_CE)
            *ceb = by;
    }
    return true;
}

/* [RFC 9768 3.2.2.5.2 SHLD-19; 3.2.3.2.3 MUST-54] How many marks `least` may stand for, in an ACK
 * that covers `segs` segments. */
static uint32_t safe_count(const struct tcb *t, const struct tcp_acc *a, uint32_t segs,
                           uint32_t least, bool has_ceb, int32_t ceb)
{
    if (segs <= 7)
        return least;
    uint32_t most = segs - ((segs - least) & 7);
    if (!has_ceb)
        return a->acked16 == 0 || a->acked16 > THIN_ACKS ? least : most;
    uint64_t bytes = ceb > 0 ? (uint64_t)ceb : 0;
    if (bytes > (uint64_t)least * t->snd.mss)
        return most;
    /* Too few bytes for segments of half the size and that many marks. */
    return bytes < (uint64_t)most * t->snd.mss / 2 ? least : most;
}

/* How much an ACK covers here, as a rule. */
static void note_acked(struct tcp_acc *a, uint32_t segs)
{
    if (a->acked16 == 0)
        a->acked16 = (uint16_t)(w_u32_min(segs, 4095) * 16);
    else if (segs != 0)
        a->acked16 = (uint16_t)(a->acked16 - a->acked16 / 8 + w_u32_min(segs, 4095) * 2);
}

/* Segments that this ACK newly says have arrived, as far as bytes tell. */
static uint32_t segs_of(const struct tcb *t, const struct ack_work *w, uint32_t *bytes)
{
    *bytes = w->acked + w->cc.sacked - w_u32_min(w->was_sacked, w->acked);
    return (*bytes + t->snd.mss - 1) / t->snd.mss;
}

/* [RFC 9768 3.2.3.2.5 MUST-47, MUST-56] Marked bytes without a marked packet, twice in a row. */
static void check_consistency(struct tcp_acc *a, bool is_odd)
{
    if (is_odd && (a->flags & ACC_ODD) != 0)
        a->flags |= ACC_NO_ECT;
    a->flags = (uint16_t)(is_odd ? a->flags | ACC_ODD : a->flags & ~ACC_ODD);
}

uint32_t tcp_acc_ack(const struct tcp *tcp, struct tcb *t, const struct seg *s, struct ack_work *w)
{
    struct tcp_acc *a = tcp_acc_of(tcp, t);
    uint32_t bytes, segs = segs_of(t, w, &bytes), ace = tcp_acc_ace(&s->h);
    int32_t ceb = 0;
    if ((s->h.flags & TCPF_SYN) != 0)
        return 0;
    if ((a->flags & ACC_SYN_RCVD) != 0)
        return third_ack(tcp, t, a, s);
    if ((a->flags & ACC_FIRST) != 0) {
        /* [RFC 9768 3.2.2.4 MUST-42] */
        a->flags &= (uint16_t)~ACC_FIRST;
        if (ace == 0)
            a->flags |= ACC_NO_ECT | ACC_DEAF;
    }
    if (is_superseded(t, a, s, w) || (a->flags & ACC_DEAF) != 0)
        return 0;
    first_option(a, &s->h);
    bool has_ceb = take_option(a, &s->h, &ceb);
    uint32_t *n_ce = &tcp_path_of(tcp, t)->n_ce;
    uint32_t least = (ace - *n_ce - CEP_INIT) & 7;
    uint32_t n = safe_count(t, a, segs, least, has_ceb, ceb);
    note_acked(a, segs);
    if (has_ceb)
        check_consistency(a, ceb > 0 && n == 0 && segs <= 7);
    *n_ce += n;
    if (!has_ceb) {
        ceb = (int32_t)w_u32_min(n * t->snd.mss, bytes);
        a->snd_bytes[at_of(ECN_CE)] += (uint32_t)ceb;
    }
    w->cc.ce_bytes = ceb > 0 ? w_u32_min((uint32_t)ceb, bytes) : 0;
    return n;
}

/* ---- what is told of it ---- */

void tcp_acc_info(const struct tcp *tcp, const struct tcb *t, struct weir_tcp_info *i)
{
    const struct tcp_acc *a = tcp_acc_of(tcp, t);
    i->received_ce = a->rcv_ce;
    i->received_e1_bytes = a->rcv_bytes[at_of(ECN_ECT1)];
    i->received_e0_bytes = a->rcv_bytes[at_of(ECN_ECT0)];
    i->received_ce_bytes = a->rcv_bytes[at_of(ECN_CE)];
    i->delivered_e1_bytes = a->snd_bytes[at_of(ECN_ECT1)];
    i->delivered_e0_bytes = a->snd_bytes[at_of(ECN_ECT0)];
    i->delivered_ce_bytes = a->snd_bytes[at_of(ECN_CE)];
    /* Linux's bits: 1 ACE sent, 2 ACE received, 4 option sent, 8 option received. */
    bool is_ace = (a->flags & (ACC_NO_ECT | ACC_DEAF)) != 0;
    i->accecn_fail_mode = (uint16_t)((is_ace ? 2 : 0) | ((a->flags & ACC_NO_OPT) != 0 ? 4 : 0) |
                                     ((a->flags & ACC_IGNORE_OPT) != 0 ? 8 : 0));
    /* 0 none, 2 with counters, 3 with counters that cannot be. */
    i->accecn_opt_seen = (uint16_t)((a->flags & ACC_IGNORE_OPT) != 0 ? 3
                                    : (a->flags & ACC_HAS_OPT) != 0  ? 2
                                                                     : 0);
}

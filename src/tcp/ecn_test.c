/* SPDX-License-Identifier: Apache-2.0
 *
 * Which kind of ECN two ends agree on, for every combination of what the path may make of it; and
 * how counters of three and of 24 bits are read.
 */
#include "tcp/lab_test.h"

enum kind { NO_ECN, CLASSIC, ACCURATE };

static uint32_t the_mode;

static void with_mode(struct weir_conf *c) { c->tcp_ecn = the_mode; }

static const char *const codepoint[4] = {"noecn", "ect1", "ect0", "ce"};

/* AE CWR ECE as letters. */
static const char *flags_of(unsigned ace)
{
    static const char *const text[8] = {"", "E", "W", "EW", "A", "EA", "WA", "EWA"};
    return text[ace & 7];
}

static enum kind kind_of(const struct tcb *t)
{
    if ((t->st.ecn & ECNF_OK) == 0)
        return NO_ECN;
    return (t->st.ecn & ECNF_ACC) != 0 ? ACCURATE : CLASSIC;
}

static bool is_capable(const struct lab *l, const struct tcb *t)
{
    if (kind_of(t) == ACCURATE)
        return (tcp_acc_of(&l->tcp, t)->flags & ACC_NO_ECT) == 0;
    return kind_of(t) == CLASSIC;
}

static void end(struct lab *l, struct tcb *t, struct tcb *lsn)
{
    if (lsn != NULL)
        tcp_close(&l->tcp, lsn);
    tcp_abort(&l->tcp, t, 0);
    tcp_close(&l->tcp, t);
    lab_skip(l);
    lab_close(l);
}

/* What a SYN-ACK says of the SYN's codepoint: RFC 9768's table 2. */
static const unsigned reflected[4] = {2, 3, 4, 6};

/* ---- server ---- */

static struct tcb *listener(struct lab *l)
{
    static const struct addr any;
    l->flow.lport = 8080;
    l->flow.rport = 4000;
    struct tcb *lsn = tcp_new(&l->tcp, 1);
    assert_int_equal(tcp_listen(&l->tcp, lsn, &any, 8080, 8), 0);
    return lsn;
}

/* The kind a server of this setting goes to, and the flags of its SYN-ACK. */
static enum kind server_kind(uint32_t mode, unsigned ace, unsigned ecn, unsigned *answer)
{
    *answer = 0;
    if (mode >= 3 && ace != 0 && ace != 3) {
        *answer = reflected[ecn];
        return ACCURATE;
    }
    /* Without AE the SYN of RFC 3168 is not ECN-capable itself. */
    bool is_classic = mode != 0 && (ace == 7 || (ace == 3 && ecn == 0));
    *answer = is_classic ? 1 : 0;
    return is_classic ? CLASSIC : NO_ECN;
}

/* What the third ACK makes of it: ACE as a bare ACK has it. */
static void third_ack_row(uint32_t mode, unsigned ace, unsigned ecn, unsigned third)
{
    struct lab l;
    char text[100];
    unsigned answer;
    the_mode = mode;
    lab_open(&l, with_mode);
    struct tcb *lsn = listener(&l);
    enum kind kind = server_kind(mode, ace, ecn, &answer);
    snprintf(text, sizeof text, "[%s] S%s 0:0(0) win 65535 <mss 1000>", codepoint[ecn],
             flags_of(ace));
    lab_in(&l, text);
    snprintf(text, sizeof text, "[noecn] S%s. 0:0(0) ack 1", flags_of(answer));
    lab_out(&l, text);
    snprintf(text, sizeof text, "%s. 1:1(0) ack 1 win 65535", flags_of(third));
    lab_in(&l, text);
    struct tcb *t = tcp_accept(&l.tcp, lsn);
    assert_non_null(t);
    assert_int_equal(kind_of(t), kind);
    if (kind == ACCURATE) {
        /* Our SYN-ACK was Not-ECT: 2 says so, 3, 4 and 6 say that something changed it, 0 that the
         * peer does not count; 1, 5 and 7 are for the future. */
        const struct tcp_acc *a = tcp_acc_of(&l.tcp, t);
        assert_int_equal(is_capable(&l, t), third == 2 || (third & 1 && third != 3));
        assert_int_equal((a->flags & ACC_DEAF) != 0, third == 0);
        assert_int_equal(tcp_path_of(&l.tcp, t)->n_ce, third == 6);
        assert_int_equal(a->rcv_ce, 0);
    }
    end(&l, t, lsn);
}

/* If this failed a server would use another kind of ECN than its client, or mark packets for a path
 * that spoils them. Every SYN, every codepoint, every third ACK. [RFC 9768 3.1.1 MUST-2, MUST-3,
 * MUST-4; 3.1.2 MUST-9, MUST-10; 3.1.3 MUST-15, MUST-17; 3.2.2.1 MUST-35, MUST-36; 3.2.2.2 MUST-38,
 * MUST-40; 3.2.2.3 MUST-41; RFC 3168 6.1.1 MUST-3, MUST-4, MUST-5, MUST-8, SHLD-1] */
static void server_table(void **state)
{
    (void)state;
    for (uint32_t mode = 0; mode <= 5; mode++)
        for (unsigned ace = 0; ace < 8; ace++)
            for (unsigned ecn = 0; ecn < 4; ecn++)
                for (unsigned third = 0; third < 8; third++)
                    third_ack_row(mode, ace, ecn, third);
}

/* ---- client ---- */

static struct tcb *connecting(struct lab *l)
{
    l->flow.lport = 4000;
    l->flow.rport = 80;
    struct tcb *t = tcp_new(&l->tcp, 7);
    assert_int_equal(tcp_connect(&l->tcp, t, &l->flow), 0);
    lab_settle(l);
    return t;
}

static void client_row(uint32_t mode, unsigned ace, unsigned ecn)
{
    struct lab l;
    char text[100];
    the_mode = mode;
    lab_open(&l, with_mode);
    struct tcb *t = connecting(&l);
    unsigned asked = mode == 3 ? 7 : mode == 1 || mode == 4 ? 3 : 0;
    snprintf(text, sizeof text, "[noecn] S%s 0:0(0)", flags_of(asked));
    lab_out(&l, text);
    assert_int_equal(tcp_state(t), TCPS_SYN_SENT);
    snprintf(text, sizeof text, "[%s] S%s. 0:0(0) ack 1 win 5000 <mss 1000>", codepoint[ecn],
             flags_of(ace));
    lab_in(&l, text);
    enum kind kind = asked == 3 && (ace & 3) == 1 ? CLASSIC : NO_ECN;
    if (asked == 7)
        kind = ace == 0 || ace == 7 ? NO_ECN : ace == 1 ? CLASSIC : ACCURATE;
    snprintf(text, sizeof text, "[noecn] %s. 1:1(0) ack 1",
             flags_of(kind == ACCURATE ? reflected[ecn] : 0));
    lab_out(&l, text);
    assert_int_equal(kind_of(t), kind);
    if (kind == ACCURATE) {
        /* Our SYN was Not-ECT; 2 says so, and 5, kept for the future, as much. */
        assert_int_equal(is_capable(&l, t), ace == 2 || ace == 5);
        assert_int_equal(tcp_acc_of(&l.tcp, t)->rcv_ce, ecn == ECN_CE);
        assert_int_equal(tcp_path_of(&l.tcp, t)->n_ce, 0);
    }
    lab_write(&l, t, 100);
    snprintf(text, sizeof text, "[%s] P%s. 1:101(100) ack 1", is_capable(&l, t) ? "ect0" : "noecn",
             flags_of(kind == ACCURATE ? 5 + (ecn == ECN_CE) : 0));
    lab_out(&l, text);
    end(&l, t, NULL);
}

/* If this failed a client would use another kind of ECN than its server. Every SYN-ACK, with every
 * codepoint. [RFC 9768 3.1.1 MUST-1, MUST-5, MUST-6; 3.1.2 MUST-8, MUST-12; 3.1.3 MUST-16, MUST-17;
 * 3.1.5 MUST-25, SHLD-12; 3.2.2 MUST-31; 3.2.2.1 MUST-33; 3.2.2.2 MUST-38, MUST-39; 3.2.2.3
 * MUST-41; 3.2.3.2.1 MUST-53] */
static void client_table(void **state)
{
    (void)state;
    for (uint32_t mode = 0; mode <= 5; mode++)
        for (unsigned ace = 0; ace < 8; ace++)
            for (unsigned ecn = 0; ecn < 4; ecn++)
                client_row(mode, ace, ecn);
}

/* If this failed two hosts that connect to each other at once would not agree.
 * [RFC 9768 3.1.2 MUST-13, MUST-14] */
static void simultaneous_table(void **state)
{
    (void)state;
    for (unsigned ace = 0; ace < 8; ace++) {
        struct lab l;
        char text[100];
        unsigned answer;
        the_mode = 3;
        lab_open(&l, with_mode);
        struct tcb *t = connecting(&l);
        lab_out(&l, "[noecn] SEWA 0:0(0)");
        snprintf(text, sizeof text, "S%s 0:0(0) win 5000 <mss 1000>", flags_of(ace));
        lab_in(&l, text);
        enum kind kind = server_kind(3, ace, ECN_NOT, &answer);
        snprintf(text, sizeof text, "[noecn] S%s. 0:0(0) ack 1", flags_of(answer));
        lab_out(&l, text);
        assert_int_equal(kind_of(t), kind);
        end(&l, t, NULL);
    }
}

/* ---- SYNs that come again ---- */

/* If this failed two ends could go on with different kinds of ECN, each sure of its own.
 * [RFC 9768 3.1.5 MUST-18, MUST-22, MUST-24, MUST-26, SHLD-9] */
static void syn_again_table(void **state)
{
    (void)state;
    for (unsigned first = 0; first < 8; first++)
        for (unsigned again = 0; again < 8; again++) {
            struct lab l;
            char text[100];
            unsigned a1, a2;
            the_mode = 3;
            lab_open(&l, with_mode);
            struct tcb *lsn = listener(&l);
            enum kind k1 = server_kind(3, first, ECN_NOT, &a1);
            enum kind k2 = server_kind(3, again, ECN_ECT0, &a2);
            snprintf(text, sizeof text, "S%s 0:0(0) win 65535 <mss 1000>", flags_of(first));
            lab_in(&l, text);
            lab_skip(&l);
            lab_wait(&l, 600 * W_MS);
            bool is_clash = (k1 == ACCURATE && again == 3) || (k1 == CLASSIC && k2 == ACCURATE);
            snprintf(text, sizeof text, "[ect0] S%s 0:0(0) win 65535 <mss 1000>", flags_of(again));
            lab_in(&l, text);
            unsigned answer = k1 == ACCURATE ? reflected[ECN_ECT0] : k1 == CLASSIC;
            snprintf(text, sizeof text,
                     is_clash ? "R. 0:0(0) ack 1" : "S%s. 0:0(0) ack 1 <mss 1460>",
                     flags_of(answer));
            if (is_clash)
                l.iss = 0; /* of nobody */
            lab_out(&l, text);
            if (!is_clash) {
                lab_in(&l,
                       k1 == ACCURATE ? "W. 1:1(0) ack 1 win 65535" : ". 1:1(0) ack 1 win 65535");
                struct tcb *t = tcp_accept(&l.tcp, lsn);
                assert_int_equal(kind_of(t), k1);
                assert_int_equal(is_capable(&l, t),
                                 k1 == CLASSIC || (k1 == ACCURATE && again != 0));
                tcp_abort(&l.tcp, t, 0);
                tcp_close(&l.tcp, t);
            }
            tcp_close(&l.tcp, lsn);
            lab_skip(&l);
            lab_close(&l);
        }
}

/* ---- counters ---- */

static struct tcb *accurate(struct lab *l, const char *opts, struct tcb **lsn)
{
    char text[100];
    *lsn = listener(l);
    snprintf(text, sizeof text, "SEWA 0:0(0) win 65535 <%s>", opts);
    lab_in(l, text);
    lab_out(l, "SW. 0:0(0) ack 1");
    lab_in(l, "W. 1:1(0) ack 1 win 65535 <ECN e0b 1 ceb 0 e1b 1>");
    struct tcb *t = tcp_accept(&l->tcp, *lsn);
    assert_non_null(t);
    return t;
}

/* One ACK of so many bytes, of segments of 1000; what we make of it. */
static uint32_t ack_of(struct lab *l, struct tcb *t, uint32_t bytes, unsigned ace, uint32_t ceb)
{
    uint32_t before = tcp_path_of(&l->tcp, t)->n_ce;
    struct seg s = {.h = {.flags = (uint16_t)(TCPF_ACK | ace << TCPF_ACE_SHIFT)}};
    struct ack_work w = {.acked = bytes};
    s.ack = t->snd.una; /* as after it has moved */
    if (ceb != UINT32_MAX) {
        s.h.has = TCPH_ACCECN;
        s.h.acc_order = 0;
        s.h.acc_n = 2;
        s.h.acc_ceb = ceb;
        s.h.acc_e0b = 1;
    }
    (void)tcp_acc_ack(&l->tcp, t, &s, &w);
    return tcp_path_of(&l->tcp, t)->n_ce - before;
}

/* If this failed, marks would get lost with ACKs, or one mark count as nine: every increment of the
 * three bits, for ACKs of 1 to 40 segments, without and with the option. [RFC 9768 3.2.2.5.2
 * SHLD-19; 3.2.3.2.3 MUST-54; 3.2.3.2.5 MUST-47] */
static void wrapped_counter(void **state)
{
    (void)state;
    for (uint32_t segs = 1; segs <= 40; segs++)
        for (unsigned by = 0; by < 8; by++) {
            struct lab l;
            struct tcb *lsn;
            the_mode = 3;
            lab_open(&l, with_mode);
            struct tcb *t = accurate(&l, "mss 1012", &lsn);
            t->snd.mss = 1000;
            for (unsigned i = 0; i < 10; i++) /* ACKs of two segments are the rule here */
                assert_int_equal(ack_of(&l, t, 2000, 5, UINT32_MAX), 0);
            struct tcp_acc before = *tcp_acc_of(&l.tcp, t);
            uint32_t safe = segs <= 7 ? by : segs - (segs - by) % 8;
            assert_int_equal(ack_of(&l, t, segs * 1000, 5 + by, UINT32_MAX), safe);
            assert_true(safe <= w_u32_max(segs, by));
            /* The option says so many bytes: as many marks. */
            for (uint32_t n = by; n <= w_u32_max(segs, by); n += 8) {
                *tcp_acc_of(&l.tcp, t) = before;
                tcp_path_of(&l.tcp, t)->n_ce = 0;
                uint32_t got = ack_of(&l, t, segs * 1000, 5 + by, n * 1000);
                assert_int_equal(got & 7, by);
                assert_true(got >= n);
                assert_true(n != by || got == by);
            }
            end(&l, t, lsn);
        }
}

/* If this failed, where ACKs are thin as a rule each of them would look like a marked train. */
static void thin_acks(void **state)
{
    struct lab l;
    struct tcb *lsn;
    (void)state;
    the_mode = 3;
    lab_open(&l, with_mode);
    struct tcb *t = accurate(&l, "mss 1012", &lsn);
    t->snd.mss = 1000;
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(ack_of(&l, t, 16000, 5, UINT32_MAX), 0);
    assert_int_equal(ack_of(&l, t, 16000, 6, UINT32_MAX), 1);
    end(&l, t, lsn);
}

/* If this failed, a path that spoils feedback would slow us down for ever, or make us deaf to marks
 * where one ACK was odd. [RFC 9768 3.2.3.2.5 MUST-56] */
static void marked_bytes_without_packets(void **state)
{
    struct lab l;
    struct tcb *lsn;
    (void)state;
    the_mode = 3;
    lab_open(&l, with_mode);
    struct tcb *t = accurate(&l, "mss 1012", &lsn);
    t->snd.mss = 1000;
    (void)ack_of(&l, t, 1000, 5, 1000);
    assert_true(is_capable(&l, t));
    (void)ack_of(&l, t, 1000, 6, 2000);
    (void)ack_of(&l, t, 1000, 6, 3000);
    assert_true(is_capable(&l, t));
    (void)ack_of(&l, t, 1000, 6, 4000);
    assert_false(is_capable(&l, t));
    end(&l, t, lsn);
}

/* If this failed a peer whose first counters a middlebox cleared would be believed, or one that
 * begins elsewhere not. [RFC 9768 3.2.3.2.4 MUST-55; 3.2.2.4 MUST-42] */
static void first_values(void **state)
{
    static const struct {
        const char *opt;
        bool is_good;
    } rows[] = {{"ECN e0b 1 ceb 0 e1b 1", true},
                {"ECN e1b 7 ceb 9 e0b 77", true},
                {"ECN e0b 0 ceb 0 e1b 1", false},
                {"ECN e0b 1 ceb 0 e1b 0", false},
                {"ECN e1b 0", false},
                {"ECN e0b 1 ceb 0", true},
                {"ECN e1b 1 ceb 0 e0b 0", false}};
    (void)state;
    for (unsigned i = 0; i < WEIR_COUNT(rows); i++) {
        struct lab l;
        char text[100];
        the_mode = 3;
        lab_open(&l, with_mode);
        struct tcb *lsn = listener(&l);
        lab_in(&l, "SEWA 0:0(0) win 65535 <mss 1000>");
        lab_out(&l, "SW. 0:0(0) ack 1 <mss 1460,ECN e1b 1 ceb 0 e0b 1>");
        snprintf(text, sizeof text, "W. 1:1(0) ack 1 win 65535 <%s>", rows[i].opt);
        lab_in(&l, text);
        struct tcb *t = tcp_accept(&l.tcp, lsn);
        uint16_t flags = tcp_acc_of(&l.tcp, t)->flags;
        assert_true((flags & ACC_HAS_OPT) != 0);
        assert_int_equal((flags & ACC_IGNORE_OPT) == 0, rows[i].is_good);
        end(&l, t, lsn);
    }
}

/* If this failed a client behind a middlebox that clears the flags after the handshake would take
 * its silence for marks. [RFC 9768 3.2.2.4 MUST-42; 3.2.2.1 MUST-37; 3.1.5 MUST-46] */
static void zeroed_ace(void **state)
{
    struct lab l;
    (void)state;
    the_mode = 3;
    lab_open(&l, with_mode);
    struct tcb *t = connecting(&l);
    lab_out(&l, "SEWA 0:0(0)");
    lab_in(&l, "SW. 0:0(0) ack 1 win 5000 <mss 1000>");
    lab_out(&l, "W. 1:1(0) ack 1");
    lab_write(&l, t, 100);
    lab_out(&l, "[ect0] PEA. 1:101(100) ack 1");
    lab_in(&l, ". 1:1(0) ack 101 win 5000");
    assert_int_equal(tcp_path_of(&l.tcp, t)->n_ce, 0);
    lab_write(&l, t, 100);
    lab_out(&l, "[noecn] PEA. 101:201(100) ack 1");
    /* It answers no feedback any more, and goes on with its own. */
    lab_in(&l, "[ce] PA. 1:101(100) ack 201 win 5000");
    assert_int_equal(tcp_path_of(&l.tcp, t)->n_ce, 0);
    lab_out(&l, "WA. 201:201(0) ack 101");
    end(&l, t, NULL);
}

/* If this failed, 2^24 bytes would come out as none. [RFC 9768 3.2.3.1 MUST-51] */
static void fields_wrap(void **state)
{
    struct lab l;
    struct tcb *lsn;
    (void)state;
    the_mode = 3;
    lab_open(&l, with_mode);
    struct tcb *t = accurate(&l, "mss 1012", &lsn);
    struct tcp_acc *a = tcp_acc_of(&l.tcp, t);
    a->rcv_bytes[ECN_ECT0 - 1] = 0xfffffe;
    lab_in(&l, "[ect0] PEA. 1:101(100) ack 1 win 65535");
    lab_out(&l, "[noecn] EA. 1:1(0) ack 101 <ECN e1b 1 ceb 0 e0b 99>");
    a->snd_bytes[ECN_CE - 1] = 0xfffff0;
    t->snd.mss = 1000;
    struct seg s = {.h = {.flags = TCPF_ACK | 6 << TCPF_ACE_SHIFT,
                          .has = TCPH_ACCECN,
                          .acc_n = 2,
                          .acc_e0b = 1,
                          .acc_ceb = 0x10}};
    struct ack_work w = {.acked = 1000};
    s.ack = t->snd.una;
    assert_int_equal(tcp_acc_ack(&l.tcp, t, &s, &w), 1);
    assert_int_equal(a->snd_bytes[ECN_CE - 1], 0x1000010);
    assert_int_equal(w.cc.ce_bytes, 0x20);
    end(&l, t, lsn);
}

/* If this failed a half-open connection or one in TIME-WAIT would cost another line. */
static void records_stay_small(void **state)
{
    (void)state;
    assert_int_equal(sizeof(struct syn_rec), 64);
    assert_int_equal(sizeof(struct tw_rec), 64);
    assert_true(sizeof(struct tcp_acc) <= 48);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(server_table),
    cmocka_unit_test(client_table),
    cmocka_unit_test(simultaneous_table),
    cmocka_unit_test(syn_again_table),
    cmocka_unit_test(wrapped_counter),
    cmocka_unit_test(thin_acks),
    cmocka_unit_test(marked_bytes_without_packets),
    cmocka_unit_test(first_values),
    cmocka_unit_test(zeroed_ace),
    cmocka_unit_test(fields_wrap),
    cmocka_unit_test(records_stay_small),
};
UNIT_MAIN(tests)

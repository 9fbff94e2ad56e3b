/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>

#include "drill/packet.h"
#include "wire/ipv4.h"
#include "wire/tcp.h"

static struct script script;
static uint8_t bytes[PKT_BYTES_MAX];

static struct script_pkt line(const char *text)
{
    struct script_err err;
    char buf[256];
    snprintf(buf, sizeof(buf), "0 %s", text);
    if (script_parse(&script, "t", buf, strlen(buf), IP_V4, &err) != 0)
        fail_msg("%s: %s", text, err.text);
    struct script_pkt k = *script.events->pkt;
    script_free(&script);
    return k;
}

/* A connection whose numbers are all known: ours 1000000, the peer's 77. */
static struct conn conn(void)
{
    struct conn c = {.proto = PROTO_TCP,
                     .has_local_isn = true,
                     .has_remote_isn = true,
                     .is_synced = true,
                     .local_isn = 1000000,
                     .remote_isn = 77,
                     .local = addr_ip4(0xc0a80001),
                     .remote = addr_ip4(0xc0000201),
                     .lport = 8080,
                     .rport = 5000};
    c.n_ts = 1;
    c.ts[0].script = c.first_script_ts = 100;
    c.ts[0].live = c.first_live_ts = 900000;
    return c;
}

/* An inbound line as live bytes, read back. */
static struct live_pkt sent(const char *text, struct conn *c)
{
    struct script_pkt k = line(text);
    struct live_pkt p;
    size_t n = packet_build(&k, c, false, bytes);
    assert_int_equal(packet_read(bytes, n, &p), 0);
    return p;
}

/* If this fails, injected segments carry the script's numbers, and no stack believes them. */
static void numbers_become_live(void **state)
{
    (void)state;
    struct conn c = conn();
    struct live_pkt p =
        sent("< P. 1:101(100) ack 201 win 7 <nop,nop,TS val 5 ecr 100,nop,nop,sack 301:401>", &c);
    assert_int_equal(p.k.seq, 78);
    assert_int_equal(p.k.ack, 1000201);
    assert_int_equal(p.k.win, 7);
    assert_int_equal(w_be32(p.k.opt + 8), 900000);
    assert_int_equal(w_be32(p.k.opt + 16), 1000301);
    assert_int_equal(p.k.sport, 5000);
    assert_false(p.k.has_csum_err);
    assert_int_equal(pattern_check(p.payload, 100, 0), 100);
    /* A SYN carries absolute numbers; on a live connection it changes nothing. */
    p = sent("< S 500:500(0) win 7", &c);
    assert_int_equal(p.k.seq, 500);
    assert_int_equal(c.remote_isn, 77);
    p = sent("< . 1:1(0) ack 1 win 7 badcsum", &c);
    assert_true(p.k.has_csum_err);
}

/* If this fails, what the stack sends is compared with the wrong numbers. */
static void numbers_become_the_scripts(void **state)
{
    (void)state;
    struct conn c = conn();
    struct script_pkt got, want = line("> S. 0:0(0) ack 1 <mss 1460>");
    struct live_pkt p = {.k = {.proto = PROTO_TCP,
                               .flags = TCPF_ACK | TCPF_PSH,
                               .seq = 1000101,
                               .ack = 278,
                               .len = 3}};
    uint8_t payload[] = {pattern_byte(100), pattern_byte(101), pattern_byte(102)};
    p.payload = payload;
    assert_true(packet_to_script(&p, &c, &want, &got));
    assert_int_equal(got.seq, 101);
    assert_int_equal(got.ack, 201);
    payload[1] ^= 1;
    assert_false(packet_to_script(&p, &c, NULL, &got));
}

/* If this fails, the first SYN-ACK teaches nothing, and every later number is wrong. */
static void isn_is_learnt(void **state)
{
    (void)state;
    struct conn c = {.proto = PROTO_TCP,
                     .local = addr_ip4(0xc0a80001),
                     .remote = addr_ip4(0xc0000201),
                     .lport = 80,
                     .rport = 90};
    struct script_pkt got, want = line("> S. 10:10(0) ack 501 <...>");
    sent("< S 500:500(0) win 7", &c);
    struct live_pkt p = {
        .k = {.proto = PROTO_TCP, .flags = TCPF_ACK | TCPF_SYN, .seq = 5555, .ack = 501}};
    packet_to_script(&p, &c, &want, &got);
    assert_int_equal(got.seq, 10);
    assert_int_equal(got.ack, 501);
    p.k.flags = TCPF_ACK;
    p.k.seq = 5556;
    packet_to_script(&p, &c, NULL, &got);
    assert_int_equal(got.seq, 1);
    assert_int_equal(got.ack, 1);
    /* A new SYN and a new SYN-ACK: another incarnation. */
    sent("< S 9000:9000(0) win 7", &c);
    p.k.flags = TCPF_ACK | TCPF_SYN;
    p.k.seq = 7777;
    p.k.ack = 9001;
    want = line("> S. 0:0(0) ack 9001");
    packet_to_script(&p, &c, &want, &got);
    assert_int_equal(got.seq, 0);
    assert_int_equal(c.remote_isn, 9000);
}

static const char *match(const char *want_text, const char *got_text)
{
    static char why[512];
    struct conn c = conn();
    struct script_pkt want = line(want_text), got = line(got_text);
    return packet_match(&want, &got, &c, why, sizeof(why)) ? "" : why;
}

/* If this fails, a wrong packet passes: every other script proves nothing. */
static void each_field_counts(void **state)
{
    (void)state;
    assert_string_equal(match("> . 1:1(0) ack 1", "> . 1:1(0) ack 1 win 500"), "");
    assert_string_equal(match("> . 1:1(0) ack 1 <...>", "> . 1:1(0) ack 1 <mss 9>"), "");
    assert_string_equal(match("> . 1:1(0) ack 1", "> P. 1:1(0) ack 1"), "flags P. instead of .");
    assert_string_equal(match("> . 1:1(0) ack 1", "> . 2:2(0) ack 1"),
                        "sequence number 2 instead of 1");
    assert_string_equal(match("> . 1:11(10) ack 1", "> . 1:2(1) ack 1"), "length 1 instead of 10");
    assert_string_equal(match("> . 1:1(0) ack 1", "> . 1:1(0) ack 2"),
                        "acknowledgement 2 instead of 1");
    assert_string_equal(match("> . 1:1(0) ack 1 win 5", "> . 1:1(0) ack 1 win 6"),
                        "window 6 instead of 5");
    assert_string_equal(match("> U. 1:1(0) ack 1 urg 5", "> U. 1:1(0) ack 1 urg 6"),
                        "urgent pointer 6 instead of 5");
    assert_string_equal(match("> . 1:1(0) ack 1", "> . 1:1(0) ack 1 <mss 9>"), "option 1 differs");
    assert_string_equal(match("> S 0:0(0) <mss 9,nop,wscale 7>", "> S 0:0(0) <mss 9,nop,wscale 8>"),
                        "option 3 differs");
    assert_string_equal(match("> S 0:0(0) <mss 9,sackOK,nop,nop>", "> S 0:0(0) <mss 9>"),
                        "option 2 differs");
    assert_string_equal(match("> udp (5)", "> udp (6)"), "length 6 instead of 5");
    assert_string_equal(match("> udp (5)", "> . 1:1(0) ack 1"), "protocol 6 instead of 17");
    assert_string_equal(match("> [ect0] . 1:1(0) ack 1", "> [ce] . 1:1(0) ack 1"),
                        "ECN codepoint 3 instead of 2");
    /* Timestamp values have their own check, echoes have not. */
    assert_string_equal(match("> . 1:1(0) ack 1 <nop,nop,TS val 1 ecr 2>",
                              "> . 1:1(0) ack 1 <nop,nop,TS val 5 ecr 2>"),
                        "");
    assert_string_equal(match("> . 1:1(0) ack 1 <nop,nop,TS val 1 ecr 2>",
                              "> . 1:1(0) ack 1 <nop,nop,TS val 1 ecr 3>"),
                        "option 3 differs");
}

/* If this fails, a message's line cannot be laid over the script's, or copied into it. */
static void notation_is_the_scripts(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "> S. 0:0(0) ack 1 win 65535 <mss 1460,sackOK,TS val 100 ecr 200,nop,wscale 7>",
        "< FP. 1:1001(1000) ack 5 win 7",
        "< R 5:5(0) win 0",
        "> . 1:1(0) ack 1 <nop,nop,sack 1:2 3:4>",
        "> . 1:1(0) ack 1 <...>",
        "< - 1:1(0) win 9",
        "> SEW 0:0(0) <FO 0123abcd,nop,nop>",
        "> S 0:0(0) <FOEXP abcd,nop,nop>",
        "> . 1:1(0) ack 1 <ECN e0b 1 ceb 2 e1b 3,nop>",
        "< 5001 > 80 U. 1:11(10) ack 1 win 7 urg 10",
        "< S 0:0(0) win 7 <raw fd04abcd>",
        "> [ect0] . 1:1(0) ack 1",
        "> udp (100)",
    };
    char buf[PKT_TEXT];
    for (size_t i = 0; i < WEIR_COUNT(lines); i++) {
        struct script_pkt k = line(lines[i]);
        packet_show(&k, buf, sizeof(buf));
        assert_string_equal(buf, lines[i]);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(numbers_become_live),     cmocka_unit_test(numbers_become_the_scripts),
    cmocka_unit_test(isn_is_learnt),           cmocka_unit_test(each_field_counts),
    cmocka_unit_test(notation_is_the_scripts),
};
UNIT_MAIN(tests)

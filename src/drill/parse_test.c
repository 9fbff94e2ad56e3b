/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <stdio.h>

#include "drill/ast.h"
#include "wire/ipv4.h"
#include "wire/tcp.h"

static struct script script;
static struct script_err err;

static int parse(const char *text)
{
    return script_parse(&script, "t.pkt", text, strlen(text), IP_V4, &err);
}

/* Parses a script that must be one, and gives its first event. */
static const struct event *event(const char *text)
{
    if (parse(text) != 0)
        fail_msg("%s: line %u: %s", text, err.line, err.text);
    return script.events;
}

/* A text that is no script: line and words of the message. */
static void bad(const char *text, unsigned line, const char *words)
{
    assert_int_equal(parse(text), -EINVAL);
    assert_int_equal(err.line, line);
    if (strstr(err.text, words) == NULL)
        fail_msg("%s: \"%s\" is not in \"%s\"", text, words, err.text);
    script_free(&script);
}

/* If this fails, events happen at other times than the script says. */
static void times(void **state)
{
    (void)state;
    const struct event *e = event("+.1 close(3) = 0");
    assert_int_equal(e->when.kind, WHEN_REL);
    assert_int_equal(e->when.us, 100000);
    script_free(&script);
    e = event("1~1.5 > . 1:1(0) ack 1");
    assert_int_equal(e->when.kind, WHEN_ABS);
    assert_true(e->when.is_range);
    assert_int_equal(e->when.us, 1000000);
    assert_int_equal(e->when.end_us, 1500000);
    script_free(&script);
    e = event("+0~+.2 > . 1:1(0) ack 1");
    assert_int_equal(e->when.end_us, 200000);
    script_free(&script);
    e = event("* > . 1:1(0) ack 1");
    assert_int_equal(e->when.kind, WHEN_ANY);
    script_free(&script);
    e = event("+0...0.300 read(4, ..., 1000) = 1000");
    assert_true(e->call->is_blocking);
    assert_int_equal(e->call->end_us, 300000);
    script_free(&script);
}

/* If this fails, options of a segment are not those that the script writes. */
static void tcp_packets(void **state)
{
    (void)state;
    static const uint8_t opts[] = {2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 100, 0, 0, 0, 0, 1, 3, 3, 8};
    const struct script_pkt *k =
        event("0 < S 0:0(0) win 32792 <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 8>")->pkt;
    assert_false(k->is_out);
    assert_int_equal(k->flags, TCPF_SYN);
    assert_int_equal(k->win, 32792);
    assert_int_equal(k->n_opt, sizeof(opts));
    assert_memory_equal(k->opt, opts, sizeof(opts));
    script_free(&script);
    k = event("0 > [ect0] FP. 1001:2001(1000) ack 5 win 7 urg 3 <...>")->pkt;
    assert_int_equal(k->flags, TCPF_FIN | TCPF_PSH | TCPF_ACK);
    assert_int_equal(k->seq, 1001);
    assert_int_equal(k->len, 1000);
    assert_int_equal(k->ack, 5);
    assert_int_equal(k->urg, 3);
    assert_true(k->is_any_opts);
    assert_int_equal(k->tos_check, TOS_ECN);
    script_free(&script);
    k = event("0 < 5001 > 8080 SEWA 7:7(0) win 1 <FO 0123abcd,nop,nop> badcsum")->pkt;
    assert_int_equal(k->flags, TCPF_SYN | TCPF_ECE | TCPF_CWR | TCPF_AE);
    assert_int_equal(k->sport, 5001);
    assert_true(k->is_bad_csum);
    script_free(&script);
    k = event("0 < [ce] .5 1:1(0) ack 1 win 1 <ECN e1b 1 ceb 1000 e0b 1001,nop>")->pkt;
    assert_int_equal(k->flags, TCPF_ACK | TCPF_AE | TCPF_ECE);
    assert_int_equal(k->opt[0], TCPO_ACCECN1);
    assert_int_equal(k->opt[1], 11);
    script_free(&script);
    k = event("0 > P.6 1:101(100) ack 1 <ECN e0b 16777215 ceb 0,nop,nop,nop,nop>")->pkt;
    assert_int_equal(k->flags, TCPF_ACK | TCPF_PSH | TCPF_AE | TCPF_CWR);
    assert_int_equal(k->opt[0], TCPO_ACCECN0);
    assert_int_equal(k->opt[1], 8);
    script_free(&script);
    k = event("0 > P5. 1:101(100) ack 1 <ECN,nop,nop>")->pkt;
    assert_int_equal(k->flags, TCPF_ACK | TCPF_PSH | TCPF_AE | TCPF_ECE);
    assert_int_equal(k->opt[1], 2);
    script_free(&script);
    k = event("0 < - 4294967295:4(5) win 1 <sack 1:2 3:4,nop,nop>")->pkt;
    assert_int_equal(k->flags, 0);
    assert_int_equal(k->opt[1], 18);
    script_free(&script);
}

/* If this fails, ICMP and UDP lines mean something else. */
static void other_packets(void **state)
{
    (void)state;
    const struct script_pkt *k =
        event("0 < icmp unreachable frag_needed mtu 1000 [1:1461(1460)]")->pkt;
    assert_int_equal(k->proto, PROTO_ICMP4);
    assert_int_equal(k->icmp_type, 3);
    assert_int_equal(k->icmp_code, 4);
    assert_int_equal(k->mtu, 1000);
    assert_int_equal(k->echo, ECHO_TCP);
    assert_int_equal(k->echo_len, 1460);
    script_free(&script);
    k = event("0 > udp 53 > 4000 (100)")->pkt;
    assert_int_equal(k->proto, PROTO_UDP);
    assert_int_equal(k->dport, 4000);
    assert_int_equal(k->len, 100);
    script_free(&script);
    k = event("--ip_version=ipv6\n0 < icmp packet_too_big mtu 1280 [1:1(0)]")->pkt;
    assert_int_equal(k->proto, PROTO_ICMP6);
    assert_int_equal(k->icmp_type, 2);
    script_free(&script);
}

static const struct expr *nth(const struct expr *e, unsigned n)
{
    while (n-- > 0 && e != NULL)
        e = e->next;
    assert_non_null(e);
    return e;
}

/* If this fails, arguments of calls are put together wrongly. */
static void calls(void **state)
{
    (void)state;
    const struct script_call *c =
        event("0 epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLIN|EPOLLET, fd=4}) = 0")->call;
    assert_string_equal(c->name, "epoll_ctl");
    const struct expr *ev = nth(c->args, 3);
    assert_int_equal(ev->kind, EX_STRUCT);
    assert_string_equal(ev->kids->text, "events");
    assert_int_equal(ev->kids->value->kind, EX_OR);
    assert_string_equal(ev->kids->value->kids->next->text, "EPOLLET");
    assert_string_equal(ev->kids->next->text, "fd");
    assert_int_equal(ev->kids->next->value->num, 4);
    script_free(&script);

    c = event("0 bind(3, {sa_family = AF_INET, sin_port = htons(80),"
              " sin_addr = inet_addr(\"1.2.3.4\")}, ...) = -1 EACCES (Permission denied, no: 3/4)")
            ->call;
    assert_string_equal(c->err, "EACCES");
    assert_int_equal(c->result->num, -1);
    const struct expr *port = nth(nth(c->args, 1)->kids, 1);
    assert_true(port->value->has_args);
    assert_int_equal(port->value->kids->num, 80);
    script_free(&script);

    c = event(
            "0 sendmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 100}], msg_flags=0}, A|B|C) = 100")
            ->call;
    const struct expr *iov = nth(nth(c->args, 1)->kids, 1);
    assert_true(iov->has_args);
    assert_int_equal(iov->value->kind, EX_LIST);
    assert_int_equal(iov->value->kids->kids->next->num, 100);
    assert_string_equal(nth(nth(c->args, 2)->kids, 2)->text, "C");
    script_free(&script);

    c = event("0 fcntl(4, F_GETFL) = 0x802 (flags O_RDWR|O_NONBLOCK)")->call;
    assert_int_equal(c->result->num, 0x802);
    script_free(&script);
    assert_null(event("0 foo() = 0")->call->args);
    script_free(&script);
}

/* If this fails, options or definitions are read wrongly. */
static void options(void **state)
{
    (void)state;
    event("--tolerance_usecs=7000\n--mtu=1280 --define=N=1000 --define=F=SYN_FLAG\n"
          "--tcp_ts_tick_usecs=1000 --strict_segments --tolerance_percent=12.5\n"
          "`../common/defaults.sh`\n0 write(4, ..., N) = N\n`cleanup`");
    assert_int_equal(script.opts.tolerance_us, 7000);
    assert_int_equal(script.opts.mtu, 1280);
    assert_int_equal(script.opts.tolerance_ppm, 125000);
    assert_true(script.opts.is_strict_segments);
    assert_string_equal(script.init, "../common/defaults.sh");
    assert_int_equal(script.n_events, 1);
    assert_int_equal(script.events->call->result->num, 1000);
    script_free(&script);
}

/* If this fails, a typing error runs as something else, or the message does not help to find it. */
static void mistakes(void **state)
{
    (void)state;
    bad("", 1, "at least one event");
    bad("--nosuch=1\n0 close(3) = 0", 1, "option");
    bad("0 < S 0:0(0) win 70000", 1, "65535");
    bad("0 < S 0:1(2)", 1, "END - START = LENGTH");
    bad("0 < X 0:0(0)", 1, "TCP flags");
    bad("0 < P.8 0:0(0)", 1, "number");
    bad("0 < .55 0:0(0)", 1, "expected a packet");
    bad("0 close(3) = 0\n\n0 < S 0:0(0) <mss 1,nop>", 3, "multiple of 4");
    bad("0 \"text", 1, "string without end");
}

/* If this fails, options that do not fit a header are cut silently. */
static void bad_options(void **state)
{
    (void)state;
    bad("0 < S 0:0(0) <nop>", 1, "multiple of 4");
    bad("0 < S 0:0(0) <TS val 1>", 1, "ecr");
    bad("0 < . 0:0(0) ack 1 <sack 1:2 3:4 5:6 7:8,TS val 1 ecr 2>", 1, "40 bytes");
    bad("0 < . 0:0(0) ack 1 <sack 1:2 3:4 5:6 7:8 9:10>", 1, "at most 4");
    bad("0 < S 0:0(0) <FO 123>", 1, "hexadecimal");
    bad("0 < S 0:0(0) <foo 1>", 1, "TCP option");
    bad("0 > S 0:0(0) badcsum", 1, "inbound");
    bad("0 < S 0:0(0) ack 1", 1, "'.' flag");
}

/* If this fails, a broken call is half understood. */
static void bad_calls(void **state)
{
    (void)state;
    bad("0 socket", 1, "'('");
    bad("0 socket(", 1, "argument");
    bad("0 socket(1,) = 0", 1, "argument");
    bad("0 socket(1 2) = 0", 1, "','");
    bad("0 socket(1)", 1, "'='");
    bad("0 socket({a=[1}) = 0", 1, "']'");
    bad("0 socket([[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]) = 0", 1, "fewer brackets");
    bad("0 socket(1) = 0 (no end", 1, "')'");
    bad("+ close(3) = 0", 1, "time");
    bad("2~1 > . 1:1(0) ack 1", 1, "begins");
    bad("`a` `b` 0 close(3) = 0", 1, "clean-up");
    bad("0 < icmp foo", 1, "ICMPv4");
}

/* If this fails, scripts about tunnels fail instead of saying that they cannot be run. */
static void tunnels_are_skipped(void **state)
{
    (void)state;
    event("0 > gre: 1.2.3.4 whatever {}");
    assert_non_null(script.skip);
    assert_non_null(strstr(script.skip, "gre"));
    script_free(&script);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(times),
    cmocka_unit_test(tcp_packets),
    cmocka_unit_test(other_packets),
    cmocka_unit_test(calls),
    cmocka_unit_test(options),
    cmocka_unit_test(mistakes),
    cmocka_unit_test(bad_options),
    cmocka_unit_test(bad_calls),
    cmocka_unit_test(tunnels_are_skipped),
};
UNIT_MAIN(tests)

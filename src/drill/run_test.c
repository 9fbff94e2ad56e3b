/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>

#include "drill/drill.h"

static struct drill_result result;

static const char open[] = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"
                           "+0 bind(3, ..., ...) = 0\n"
                           "+0 listen(3, 1) = 0\n"
                           "+0 < S 0:0(0) win 65535 <mss 1000>\n"
                           "+0 > S. 0:0(0) ack 1 <mss 1460>\n"
                           "+.1 < . 1:1(0) ack 1 win 65535\n"
                           "+0 accept(3, ..., ...) = 4\n";

static enum drill_status run_text(const char *text)
{
    static const struct drill_conf conf = {.ip_version = 4};
    drill_run("t.pkt", text, strlen(text), &conf, &result);
    return result.status;
}

/* The handshake, and then these lines. */
static enum drill_status run(const char *lines)
{
    char text[2048];
    snprintf(text, sizeof(text), "%s%s", open, lines);
    return run_text(text);
}

static void passes(const char *lines)
{
    if (run(lines) != DRILL_PASSED)
        fail_msg("%s: line %u: %s", lines, result.line, result.text);
}

/* Lines that must fail, at this line after the handshake, with these words. */
static void fails(const char *lines, unsigned line, const char *words)
{
    if (run(lines) != DRILL_FAILED)
        fail_msg("%s: did not fail", lines);
    if (result.line != line + 7 || strstr(result.text, words) == NULL)
        fail_msg("%s: line %u: %s", lines, result.line, result.text);
}

/* If this fails, the runner cannot run anything. */
static void right_scripts_pass(void **state)
{
    (void)state;
    passes("+0 write(4, ..., 1000) = 1000\n+0 > P. 1:1001(1000) ack 1\n");
    passes(
        "+0 < P. 1:101(100) ack 1 win 9\n+0~+.5 > . 1:1(0) ack 101\n+0 read(4, ..., 200) = 100\n");
    passes("+0...0.2 read(4, ..., 10) = 10\n+.2 < P. 1:11(10) ack 1 win 9\n* > . 1:1(0) ack 11\n");
}

/* If this fails, a script that is wrong passes: no script proves anything any more. */
static void wrong_scripts_fail(void **state)
{
    (void)state;
    fails("+0 write(4, ..., 1000) = 999\n", 1, "999");
    fails("+0 write(4, ..., 10) = 10\n+0 > P. 1:12(11) ack 1\n", 2, "length 10 instead of 11");
    fails("+0 write(4, ..., 10) = 10\n+.1 > P. 1:11(10) ack 1\n", 2, "0.100000 s too early");
    fails("+1 > P. 1:11(10) ack 1\n", 1, "nothing until");
    fails("+0 write(4, ..., 10) = 10\n+0 > P. 1:11(10) ack 1\n+0 > P. 1:11(10) ack 1\n", 3,
          "nothing, and then");
    fails("+0 write(4, ..., 10) = 10\n+1 close(4) = 0\n", 2, "never expected");
    fails("+0 read(4, ..., 10) = 10\n", 1, "a call that waits");
    fails("+0...0.2 read(4, ..., 10) = 10\n+.1 < P. 1:11(10) ack 1 win 9\n", 1, "too early");
    fails("+0...0.2 read(4, ..., 10) = 10\n", 1, "to return until");
    fails("+0 read(9, ..., 10) = 10\n", 1, "descriptor");
    fails("+0 close(4) = -1 EBADF (Bad file descriptor)\n", 1, "EBADF");
}

/* If this fails, %{ }% blocks hold whatever they say. */
static void code_is_evaluated(void **state)
{
    (void)state;
    passes("+0 %{ assert tcpi_snd_cwnd == 10, tcpi_snd_cwnd }%\n");
    passes("+0 %{ x = 4; x += 3 ; x -= 1\nassert x == 6 and not x == 7 or False }%\n");
    passes("+0 %{ assert 1 <= 2 < 3 != 4, 'text=%d' % x; print(1); import os # comment\n"
           "assert (1 + 2) * 3 == 9 and 7 // 2 == 3 and 7 % 4 == 3 and -1 < 0 }%\n");
    passes("+0 %{ assert 6 & 3 == 2 | 0 and 1 << 4 == 16 and 0x10 ^ 1 == 17 and ~0 == -1 }%\n");
    fails("+0 %{ assert tcpi_snd_cwnd == 11, tcpi_snd_cwnd }%\n", 1, "tcpi_snd_cwnd is 10");
    fails("+0 %{ assert 1 < 3 < 2 }%\n", 1, "does not hold");
    fails("+0 %{ assert (1 < 3) == 3 }%\n", 1, "does not hold");
    fails("+0 %{ assert 1 / 0 }%\n", 1, "zero");
    assert_int_equal(run("+0 %{ assert abs(1) }%\n"), DRILL_SKIPPED);
    assert_int_equal(run("+0 %{ for x in y: pass }%\n"), DRILL_SKIPPED);
    assert_int_equal(run("+0 %{ assert ((((((((((((((((((((((((((((((((((1 }%\n"), DRILL_SKIPPED);
}

/* If this fails, a script that cannot be run here looks like a broken stack, or like a good one. */
static void what_cannot_be_had_is_skipped(void **state)
{
    (void)state;
    assert_int_equal(run_text("`rm -rf /`\n0 close(3) = 0\n"), DRILL_SKIPPED);
    assert_non_null(strstr(result.text, "rm"));
    assert_int_equal(run_text("`sysctl -q net.ipv4.nosuch=1`\n0 close(3) = 0\n"), DRILL_SKIPPED);
    assert_int_equal(run("+0 setsockopt(4, SOL_TCP, TCP_MD5SIG, [1], 4) = 0\n"), DRILL_SKIPPED);
    assert_int_equal(run("+0 nosuchcall(4) = 0\n"), DRILL_SKIPPED);
    assert_int_equal(run_text("not a script"), DRILL_BAD);
}

/* If this fails, settings of scripts do not reach the stack. */
static void shell_lines_set(void **state)
{
    (void)state;
    assert_int_equal(
        run_text("`sysctl -q net.ipv4.tcp_sack=0 \\\n net.ipv4.tcp_rmem=\"4096 30000 50000\"\n"
                 "../common/set_sysctls.py /proc/sys/net/ipv4/tcp_timestamps=0 # x`\n"
                 "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"
                 "+0 bind(3, ..., ...) = 0\n+0 listen(3, 1) = 0\n"
                 "+0 < S 0:0(0) win 1 <mss 1000,sackOK,TS val 1 ecr 0>\n"
                 "+0 > S. 0:0(0) ack 1 <mss 1460>\n"),
        DRILL_PASSED);
}

/* If this fails, merging hides what strict scripts want to see, or splits what others join. */
static void segments_are_merged(void **state)
{
    (void)state;
    passes("+0 write(4, ..., 2500) = 2500\n+0 > P. 1:2501(2500) ack 1\n");
    passes("+0 write(4, ..., 1000) = 1000\n+0 write(4, ..., 1000) = 1000\n"
           "+0 > P. 1:1001(1000) ack 1\n+0 > P. 1001:2001(1000) ack 1\n");
    passes("+0 write(4, ..., 1000) = 1000\n+0 write(4, ..., 1000) = 1000\n"
           "+0 > P. 1:2001(2000) ack 1\n");
    fails("+0 write(4, ..., 2500) = 2500\n+0 > P. 1:1501(1500) ack 1\n", 2, "length");
    char text[1024];
    snprintf(text, sizeof(text), "--strict_segments\n%s%s", open,
             "+0 write(4, ..., 2500) = 2500\n+0 > P. 1:2501(2500) ack 1\n");
    assert_int_equal(run_text(text), DRILL_FAILED);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(right_scripts_pass), cmocka_unit_test(wrong_scripts_fail),
    cmocka_unit_test(code_is_evaluated),  cmocka_unit_test(what_cannot_be_had_is_skipped),
    cmocka_unit_test(shell_lines_set),    cmocka_unit_test(segments_are_merged),
};
UNIT_MAIN(tests)

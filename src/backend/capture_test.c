/* SPDX-License-Identifier: Apache-2.0 */
#include "pkts.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backend/backend.h"

static char err[BACKEND_ERR_TEXT];
static char path[] = "/tmp/weir-pcap-XXXXXX";
static uint8_t file[1 << 20];

static uint32_t u32(size_t at)
{
    uint32_t v;
    memcpy(&v, file + at, sizeof v);
    return v;
}

static uint16_t u16(size_t at)
{
    uint16_t v;
    memcpy(&v, file + at, sizeof v);
    return v;
}

static size_t read_file(void)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t n = fread(file, 1, sizeof file, f);
    fclose(f);
    return n;
}

/* Checks the frame of a block: every block's length stands at both ends, a multiple of four. */
static size_t next_block(size_t at, size_t n, uint32_t type)
{
    assert_true(at + 12 <= n);
    uint32_t len = u32(at + 4);
    assert_int_equal(u32(at), type);
    assert_int_equal(len % 4, 0);
    assert_true(at + len <= n);
    assert_int_equal(u32(at + len - 4), len);
    return at + len;
}

/* The value of an option in the list at `at`, its length in *len; NULL when it is not there. */
static const uint8_t *option(size_t at, uint16_t code, uint16_t *len)
{
    while (u16(at) != 0) {
        *len = u16(at + 2);
        if (u16(at) == code)
            return file + at + 4;
        at += 4 + ((*len + 3u) & ~3u);
    }
    return NULL;
}

static int make_path(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_path(void **state)
{
    (void)state;
    return unlink(path);
}

/* If this fails, Wireshark shows other bytes, times or directions than went over the wire. */
static void frames_are_written_as_they_are(void **state)
{
    (void)state;
    struct test_pkts pkts;
    struct capture_conf conf = {.if_name = "weir0", .wall_offset = 1700000000000000000};
    uint16_t len = 0;
    test_pkts_init(&pkts, 16);
    struct capture *c = capture_open(path, &conf, err);
    assert_non_null(c);
    struct pkt *small = test_pkt(&pkts, 61, 5), *big = test_pkt(&pkts, 65535, 1);
    capture_write(c, 123456789, CAPTURE_RX, small, NULL);
    capture_write(c, 223456789, CAPTURE_TX, big, "because");
    assert_int_equal(capture_close(c), 0);
    pkt_free(small);
    pkt_free(big);
    test_pkts_fini(&pkts);

    size_t n = read_file();
    size_t at = next_block(0, n, 0x0a0d0d0a);
    assert_int_equal(u32(8), 0x1a2b3c4d);
    size_t interface = at;
    at = next_block(at, n, 1);
    assert_int_equal(u16(interface + 8), 1); /* Ethernet */
    const uint8_t *value = option(interface + 16, 9, &len);
    assert_non_null(value);
    assert_int_equal(*value, 9); /* nanoseconds */
    value = option(interface + 16, 2, &len);
    assert_memory_equal(value, "weir0", 5);

    size_t first = at;
    at = next_block(at, n, 6);
    uint64_t stamp = (uint64_t)u32(first + 12) << 32 | u32(first + 16);
    assert_int_equal(stamp, 1700000000123456789);
    assert_int_equal(u32(first + 20), 61);
    assert_int_equal(u32(first + 24), 61);
    assert_int_equal(file[first + 28], 5);
    assert_int_equal(file[first + 28 + 60], 65);
    assert_int_equal(*option(first + 28 + 64, 2, &len), 1); /* inbound */

    size_t second = at;
    at = next_block(at, n, 6);
    assert_int_equal(u32(second + 20), 65535);
    for (uint32_t i = 0; i < 65535; i++)
        assert_int_equal(file[second + 28 + i], (uint8_t)(1 + i));
    assert_int_equal(*option(second + 28 + 65536, 2, &len), 2); /* outbound */
    value = option(second + 28 + 65536, 1, &len);
    assert_int_equal(len, 7);
    assert_memory_equal(value, "because", 7);
    assert_int_equal(at, n);
}

/* If this fails, our own reading of the format is not everybody's: a second opinion by tshark. */
static void tshark_reads_the_same(void **state)
{
    (void)state;
    struct test_pkts pkts;
    struct capture_conf conf = {.if_name = "weir0", .wall_offset = 1700000000000000000};
    char command[256], line[2][256] = {"", ""};
    if (system("command -v tshark >/dev/null 2>&1") != 0) {
        print_message("skipped: needs tshark\n");
        skip();
    }
    test_pkts_init(&pkts, 16);
    struct capture *c = capture_open(path, &conf, err);
    assert_non_null(c);
    struct pkt *small = test_pkt(&pkts, 61, 5), *big = test_pkt(&pkts, 65535, 1);
    capture_write(c, 123456789, CAPTURE_RX, small, NULL);
    capture_write(c, 223456789, CAPTURE_TX, big, "because");
    assert_int_equal(capture_close(c), 0);
    pkt_free(small);
    pkt_free(big);
    test_pkts_fini(&pkts);
    snprintf(command, sizeof command,
             "tshark -r %s -T fields -e frame.time_epoch -e frame.len -e frame.interface_name "
             "-e frame.packet_flags_direction -e frame.comment 2>/dev/null",
             path);
    FILE *f = popen(command, "r");
    assert_non_null(f);
    for (unsigned i = 0; i < 2; i++)
        assert_non_null(fgets(line[i], sizeof line[i], f));
    assert_int_equal(pclose(f), 0);
    assert_string_equal(line[0], "1700000000.123456789\t61\tweir0\t0x00000001\t\n");
    assert_string_equal(line[1], "1700000000.223456789\t65535\tweir0\t0x00000002\tbecause\n");
}

/* If this fails, a capture limited in size keeps whole frames, or forgets how long they were. */
static void frames_are_cut_at_snaplen(void **state)
{
    (void)state;
    struct test_pkts pkts;
    struct capture_conf conf = {.snaplen = 300, .is_l3 = true};
    test_pkts_init(&pkts, 16);
    struct capture *c = capture_open(path, &conf, err);
    struct pkt *p = test_pkt(&pkts, 3000, 0);
    capture_write(c, 0, CAPTURE_TX, p, NULL);
    assert_int_equal(capture_flush(c), 0);
    size_t n = read_file(); /* readable while open */
    size_t interface = next_block(0, n, 0x0a0d0d0a);
    assert_int_equal(u16(interface + 8), 101); /* raw IP */
    size_t block = next_block(interface, n, 1);
    assert_int_equal(next_block(block, n, 6), n);
    assert_int_equal(u32(block + 20), 300);
    assert_int_equal(u32(block + 24), 3000);
    assert_int_equal(capture_close(c), 0);
    pkt_free(p);
    test_pkts_fini(&pkts);
}

/* If this fails, a capture that could not be written is taken for a good one. */
static void failures_are_told(void **state)
{
    (void)state;
    struct capture_conf conf = {0};
    assert_null(capture_open("/nowhere/at/all", &conf, err));
    assert_non_null(strstr(err, "/nowhere/at/all: No such file"));
    assert_null(capture_open("/dev/full", &conf, err));
    assert_non_null(strstr(err, "No space left"));
    assert_int_equal(capture_close(NULL), 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(frames_are_written_as_they_are),
    cmocka_unit_test(tshark_reads_the_same),
    cmocka_unit_test(frames_are_cut_at_snaplen),
    cmocka_unit_test(failures_are_told),
};

int main(void) { return cmocka_run_group_tests(tests, make_path, remove_path); }

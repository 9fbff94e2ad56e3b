/* SPDX-License-Identifier: Apache-2.0
 *
 * Address texts against the C library's: the same random texts, read and written by both.
 */
#include "unit.h"

#include <arpa/inet.h>

#include "base/addr.h"
#include "base/rng.h"

/* If this fails, weir and the C library of the program on top of it disagree about an address. */
static void reads_and_writes_as_the_c_library(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 1);
    for (unsigned i = 0; i < 200000; i++) {
        struct addr a, b;
        uint64_t zeros = rng_u64(&r);
        for (unsigned g = 0; g < 8; g++)
            w_put16(a.b + 2 * g, zeros >> g & 1 ? 0 : rng_u32(&r) >> (zeros >> (8 + 4 * g) & 15));
        char text[ADDR_TEXT], theirs[ADDR_TEXT];
        addr_format(&a, text);
        assert_int_equal(addr_parse(text, &b), 0);
        assert_memory_equal(&a, &b, sizeof a);
        if (addr_is_ip4(&a))
            continue;
        assert_int_equal(inet_pton(AF_INET6, text, &b), 1);
        assert_memory_equal(&a, &b, sizeof a);
        assert_non_null(inet_ntop(AF_INET6, &a, theirs, sizeof theirs));
        assert_int_equal(addr_parse(theirs, &b), 0);
        assert_memory_equal(&a, &b, sizeof a);
        if (strchr(theirs, '.') == NULL && strchr(text, '.') == NULL)
            assert_string_equal(text, theirs);
    }
}

/* If this fails, text from outside that is no address reads beyond its end or is believed. */
static void random_text_is_judged_as_the_c_library_does(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 2);
    for (unsigned i = 0; i < 500000; i++) {
        char text[24];
        unsigned n = rng_below(&r, sizeof text);
        for (unsigned k = 0; k < n; k++)
            text[k] = "01a:::..2f:1"[rng_below(&r, 12)];
        text[n] = '\0';
        struct addr a;
        uint8_t b[16];
        bool is_theirs = inet_pton(AF_INET, text, b) == 1 || inet_pton(AF_INET6, text, b) == 1;
        if ((addr_parse(text, &a) == 0) != is_theirs)
            fail_msg("\"%s\": inet_pton says %d", text, is_theirs);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(reads_and_writes_as_the_c_library),
    cmocka_unit_test(random_text_is_judged_as_the_c_library_does),
};
UNIT_MAIN(tests)

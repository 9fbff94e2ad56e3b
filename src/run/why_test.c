/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "look/look.h"
#include "run/why.h"

#include <stdlib.h>
#include <string.h>

static struct weir_addr ip4(const char *text)
{
    struct weir_addr a;
    bool is_any;
    assert_true(why_parse(text, &a, &is_any));
    assert_false(is_any);
    return a;
}

/* If this failed the table would add up to 99.9 %, and nobody would believe the rest. */
static void shares_add_up_however_they_are_cut(void **state)
{
    (void)state;
    static const uint64_t cut[][4] = {{1, 1, 1, 0},       {1, 0, 0, 0},
                                      {333, 333, 333, 1}, {UINT64_MAX / 8, UINT64_MAX / 16, 7, 1},
                                      {999, 1, 0, 0},     {1000000, 1, 1, 1}};
    for (unsigned i = 0; i < sizeof(cut) / sizeof(cut[0]); i++) {
        struct weir_limits l = {.life = 0};
        unsigned share[WEIR_LIMIT_N], sum = 0;
        for (unsigned k = 0; k < 4; k++)
            l.life += l.ns[k * 3] = cut[i][k];
        why_shares(&l, share);
        for (unsigned k = 0; k < WEIR_LIMIT_N; k++)
            sum += share[k];
        assert_int_equal(sum, 1000);
    }
    struct weir_limits none = {.life = 0};
    unsigned share[WEIR_LIMIT_N];
    why_shares(&none, share);
    assert_int_equal(share[0], 0);
}

/* If this failed a connection could not be named, or the wrong one would answer. */
static void ends_are_read_as_they_are_written(void **state)
{
    (void)state;
    static const char *const good[] = {"192.0.2.1:80", "[2001:db8::1]:65535", "[::2]:1"};
    static const char *const any[] = {":80", "127.0.0.1:80", "127.9.9.9:80", "[::1]:80"};
    static const char *const bad[] = {"",     ":",      "192.0.2.1",    "192.0.2.1:",     "1.2:80",
                                      ":0",   ":65536", "::1:80",       "[::1:80",        "[]:80",
                                      ":80x", "[::1]",  "192.0.2.1:-1", "[192.0.2.1]:80", ": 80"};
    struct weir_addr a;
    bool is_any;
    char buf[LOOK_END];
    for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(why_parse(good[i], &a, &is_any) && !is_any);
        assert_string_equal(look_addr(buf, a.ip, a.port), good[i]);
    }
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(why_parse(bad[i], &a, &is_any));
    for (unsigned i = 0; i < sizeof(any) / sizeof(any[0]); i++)
        assert_true(why_parse(any[i], &a, &is_any) && is_any && a.port == 80);
    struct weir_limits l = {.local = ip4("10.0.2.15:4000"), .peer = ip4("192.0.2.1:80")};
    assert_true(why_parse(":80", &a, &is_any) && is_any && why_is_of(&l, &a, is_any));
    a = ip4("192.0.2.1:80");
    assert_true(why_is_of(&l, &a, false));
    a = ip4("10.0.2.15:4000");
    assert_true(why_is_of(&l, &a, false));
    a = ip4("10.0.2.15:80");
    assert_false(why_is_of(&l, &a, false));
}

/* Each limiter has its words, and no figure of an empty connection makes them fail. */
static void every_limiter_has_a_sentence(void **state)
{
    (void)state;
    for (unsigned i = 0; i < WEIR_LIMIT_N; i++) {
        struct weir_limits l = {.local = ip4("10.0.0.1:1"), .peer = ip4("10.0.0.2:2"), .life = 3};
        char *text = NULL;
        size_t n = 0;
        l.ns[i] = 3;
        FILE *f = open_memstream(&text, &n);
        assert_non_null(f);
        why_print(f, &l);
        fclose(f);
        assert_non_null(strstr(text, weir_limit_waiting(i)));
        assert_non_null(strstr(text, ", because "));
        assert_non_null(strstr(text, "; try "));
        assert_non_null(strstr(text, "100.0 %"));
        free(text);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(shares_add_up_however_they_are_cut),
    cmocka_unit_test(ends_are_read_as_they_are_written),
    cmocka_unit_test(every_limiter_has_a_sentence),
};
UNIT_MAIN(tests)

/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "drill/lex.h"

/* The kinds of all tokens of a text, as one letter each. */
static const char *kinds(const char *text)
{
    static const char letters[] = "$ixfwsqcod46.!";
    static char out[256];
    struct lex l;
    struct tok t;
    unsigned n = 0;
    lex_init(&l, text, strlen(text));
    do {
        lex_next(&l, &t);
        out[n++] = letters[t.kind];
    } while (t.kind != TOK_END && t.kind != TOK_BAD && n < sizeof(out) - 1);
    out[n] = '\0';
    return out;
}

static struct tok first(const char *text)
{
    struct lex l;
    struct tok t;
    lex_init(&l, text, strlen(text));
    lex_next(&l, &t);
    return t;
}

/* If this fails, sequence numbers are taken for IPv6 addresses, or times for "...". */
static void what_looks_alike(void **state)
{
    (void)state;
    assert_string_equal(kinds("1:1001(1000)"), "i.i.i.$");
    assert_string_equal(kinds("sack 1:2 3:4"), "wi.ii.i$");
    assert_string_equal(kinds("2001:db8::1"), "6$");
    assert_string_equal(kinds("1:2:3:4:5:6:7:8"), "6$");
    assert_string_equal(kinds("::ffff:1.2.3.4"), "6$");
    assert_string_equal(kinds("192.168.0.1"), "4$");
    assert_string_equal(kinds("0...0.200"), "idf$");
    assert_string_equal(kinds("+.1~+.2"), ".f..f$");
    assert_string_equal(kinds("S. 0:0(0)"), "w.i.i.i.$");
    assert_string_equal(kinds("-1 EAGAIN"), "iw$");
    assert_string_equal(kinds("- 1"), ".i$");
    assert_string_equal(kinds("0x1F 00aabb 0123"), "xwi$");
    assert_string_equal(kinds("--mtu=1500"), "o.i$");
}

/* If this fails, comments hide events or become them. */
static void comments_and_quotes(void **state)
{
    (void)state;
    assert_string_equal(kinds("1 // 2\n3"), "ii$");
    assert_string_equal(kinds("1 # 2\n3 /* 4\n5 */ 6"), "iii$");
    assert_string_equal(kinds("\"a // b\" `c # d` %{ e = 1 }%"), "sqc$");
    assert_string_equal(kinds("\"a\\\"b\""), "s$");
    assert_string_equal(kinds(""), "$");
    assert_string_equal(kinds("// only"), "$");
    assert_string_equal(kinds("/* no end"), "!");
    assert_string_equal(kinds("\"no end"), "!");
    assert_string_equal(kinds("`no end\\"), "!");
    assert_string_equal(kinds("%{ no end"), "!");
    assert_string_equal(kinds("99999999999999999999"), "!");
    assert_string_equal(kinds("9999999999999999.5"), "!");
}

/* If this fails, RTOs are compared with rounded times. */
static void numbers_are_exact(void **state)
{
    (void)state;
    assert_int_equal(first("1.3375").num, 1337500);
    assert_int_equal(first(".000001").num, 1);
    assert_int_equal(first("-1.5").num, -1500000);
    assert_int_equal(first("4294967295").num, 4294967295);
    assert_int_equal(first("0xffffffff").num, 4294967295);
    assert_int_equal(first("0.1234567").num, 123456);
}

/* If this fails, messages name the wrong line. */
static void lines_are_counted(void **state)
{
    (void)state;
    struct lex l;
    struct tok t;
    const char *text = "\n\n1 /* \n\n */ 2\n`a\nb` 3";
    lex_init(&l, text, strlen(text));
    lex_next(&l, &t);
    assert_int_equal(t.line, 3);
    lex_next(&l, &t);
    assert_int_equal(t.line, 5);
    lex_next(&l, &t);
    assert_int_equal(t.line, 6);
    lex_next(&l, &t);
    assert_int_equal(t.line, 7);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(what_looks_alike),
    cmocka_unit_test(comments_and_quotes),
    cmocka_unit_test(numbers_are_exact),
    cmocka_unit_test(lines_are_counted),
};
UNIT_MAIN(tests)

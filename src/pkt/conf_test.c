/* SPDX-License-Identifier: Apache-2.0
 *
 * Settings by name: each one reaches its own field, and nothing but a number in range does.
 */
#include "unit.h"

#include <errno.h>
#include <stdio.h>

#include "base/base.h"

#include <weir/conf.h>

/* If this fails, a stack starts with a setting that nobody is allowed to choose. */
static void defaults_are_the_tables(void **state)
{
    (void)state;
    struct weir_conf c;
    memset(&c, 0xff, sizeof c);
    weir_conf_default(&c);
#define CONF(name, def, min, max, doc) assert_int_equal(c.name, def);
#include <weir/conf.def>
#undef CONF
}

/* If this fails, setting one thing changes another. */
static void every_name_reaches_its_field(void **state)
{
    (void)state;
    struct weir_conf c, before;
    weir_conf_default(&c);
    unsigned n = 0;
    for (const struct weir_setting *s; (s = weir_conf_setting(n)) != NULL; n++) {
        char text[16];
        uint32_t v = s->def != s->max ? s->max : s->min, got;
        before = c;
        snprintf(text, sizeof text, "%u", v);
        assert_int_equal(weir_conf_set(&c, s->name, text), 0);
        assert_int_equal(weir_conf_get(&c, s->name, &got), 0);
        assert_int_equal(got, v);
        unsigned changed = 0;
        for (size_t i = 0; i < sizeof c / 4; i++)
            changed += ((uint32_t *)&c)[i] != ((uint32_t *)&before)[i];
        assert_int_equal(changed, 1);
        assert_true(s->doc[0] != '\0');
    }
    assert_int_equal(n, sizeof c / 4);
    assert_null(weir_conf_setting(UINT32_MAX));
    assert_int_equal(c.tcp_sack, 0);
    assert_int_equal(c.n_pkt, 16777216);
}

/* If this fails, `weir run -s tcp_sack=O` starts with something nobody asked for. */
static void what_is_no_number_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"", " ", "x", "-1", "+1", "1 ", " 1", "1k", "0x10", "1.0"};
    struct weir_conf c, before;
    weir_conf_default(&c);
    before = c;
    for (unsigned i = 0; i < WEIR_COUNT(bad); i++)
        assert_int_equal(weir_conf_set(&c, "somaxconn", bad[i]), -EINVAL);
    static const char *const beyond[] = {"0",
                                         "65536",
                                         "4294967296",
                                         "4294967297",
                                         "18446744073709551617",
                                         "99999999999999999999999999"};
    for (unsigned i = 0; i < WEIR_COUNT(beyond); i++)
        assert_int_equal(weir_conf_set(&c, "somaxconn", beyond[i]), -ERANGE);
    assert_memory_equal(&c, &before, sizeof c);
    assert_int_equal(weir_conf_set(&c, "somaxconn", "1"), 0);
    assert_int_equal(weir_conf_set(&c, "somaxconn", "65535"), 0);
    assert_int_equal(weir_conf_set(&c, "somaxconn", "0001"), 0);
    assert_int_equal(c.somaxconn, 1);
}

/* If this fails, a misspelt setting is silently ignored. */
static void unknown_names_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"", "tcp_sac", "tcp_sackk", "TCP_SACK", " tcp_sack"};
    struct weir_conf c;
    uint32_t v = 7;
    weir_conf_default(&c);
    for (unsigned i = 0; i < WEIR_COUNT(names); i++) {
        assert_int_equal(weir_conf_set(&c, names[i], "1"), -ENOENT);
        assert_int_equal(weir_conf_get(&c, names[i], &v), -ENOENT);
    }
    assert_int_equal(v, 7);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(defaults_are_the_tables),
    cmocka_unit_test(every_name_reaches_its_field),
    cmocka_unit_test(what_is_no_number_is_refused),
    cmocka_unit_test(unknown_names_are_refused),
};
UNIT_MAIN(tests)

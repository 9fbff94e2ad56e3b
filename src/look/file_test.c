/* SPDX-License-Identifier: Apache-2.0
 *
 * Trace files: what is written is read, and what is no trace is refused with its line.
 */
#include "unit.h"

#include "look/file.h"

#include <errno.h>
#include <string.h>

static struct look_log all;
static char err[256];

static int read_text(const char *text)
{
    FILE *f = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
    assert_non_null(f);
    look_log_free(&all);
    err[0] = '\0';
    int r = look_log_read(&all, f, err, sizeof err);
    fclose(f);
    return r;
}

/* If this fails, a plot of a trace file shows what never happened. */
static void what_is_written_is_read(void **state)
{
    static char text[8192];
    struct weir_trace v[4] = {
        {.at = 12345678901234, .kind = WEIR_T_OPEN, .conn = 7, .seq = 1, .ack = 4294967295u},
        {.at = 5, .kind = WEIR_T_SEND, .why = WEIR_WHY_TLP, .conn = 7, .pkt = 9, .flags = 0x18},
        {.at = 6, .kind = WEIR_T_TIMER, .why = 3, .conn = 7},
        {.at = 7,
         .kind = WEIR_T_DROP,
         .drop = 3,
         .pkt = 1,
         .len = 60,
         .nif = 2,
         .used = 3,
         .max = 4},
    };
    (void)state;
    memset(v[0].ends.local.addr, 0xfd, sizeof v[0].ends.local.addr);
    v[0].ends.remote.port = 65535;
    memset(&v[1].tcp, 0x5a, offsetof(struct weir_trace_tcp, n_rto) + 1);
    FILE *f = fmemopen(text, sizeof text, "w");
    look_put_head(f);
    for (unsigned i = 0; i < 4; i++)
        look_put(f, i % 2, &v[i]);
    fclose(f);
    assert_int_equal(read_text(text), 0);
    assert_int_equal(all.host[0].n, 2);
    assert_int_equal(all.host[1].n, 2);
    for (unsigned i = 0; i < 4; i++)
        assert_memory_equal(&all.host[i % 2].v[i / 2], &v[i], sizeof v[i]);
    look_log_free(&all);
}

/* If this fails, a damaged file is taken for a trace, or nobody learns where it is damaged. */
static void what_is_no_trace_is_refused(void **state)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"hello\n", "line 1: expected '# weir trace 1'"},
        {"# weir trace 1\nx 0 SEND\n", "line 2: expected a time"},
        {"# weir trace 1\n1 99 SEND\n", "line 2: expected the number of a host"},
        {"# weir trace 1\n# fine\n1 0 SEND\n1 0 NOSUCH\n", "line 4: expected the name of a kind"},
        {"# weir trace 1\n1 0 SEND conn\n", "line 2: expected KEY=VALUE"},
        {"# weir trace 1\n1 0 SEND conn=x\n", "line 2: expected a value"},
        {"# weir trace 1\n1 0 SEND conn=99999999999\n", "line 2: expected a value"},
        {"# weir trace 1\n1 0 SEND why=BOREDOM\n", "line 2: expected a value"},
        {"# weir trace 1\n1 0 DROP drop=BOREDOM\n", "line 2: expected a value"},
        {"# weir trace 1\n1 0 SEND tcp=1,2,x\n", "line 2: expected a value"},
        {"# weir trace 1\n1 0 OPEN local=1.2.3.4\n", "line 2: expected a value"},
        {"# weir trace 1\n1 0 OPEN local=::1/70000\n", "line 2: expected a value"},
    };
    (void)state;
    for (size_t i = 0; i < WEIR_COUNT(bad); i++) {
        assert_int_equal(read_text(bad[i].text), -EINVAL);
        if (strstr(err, bad[i].says) == NULL)
            fail_msg("\"%s\" instead of \"%s\"", err, bad[i].says);
    }
    assert_int_equal(read_text("# weir trace 1\n1 0 SEND later=7 conn=3\n"), 0);
    assert_int_equal(all.host[0].v[0].conn, 3); /* keys of a newer one are passed over */
    assert_int_equal(read_text("# weir trace 1\n1 0 SEND conn=3\n2 0 SEN"), 0);
    assert_int_equal(all.host[0].n, 1); /* the rest is still being written */
    look_log_free(&all);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(what_is_written_is_read),
    cmocka_unit_test(what_is_no_trace_is_refused),
};
UNIT_MAIN(tests)

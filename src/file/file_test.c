/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls as the kernel answers them: parking, waking, time-outs, cancellation.
 */
#include "weir_pair.h"

#include "file/file.h"

struct two {
    struct weir_pair p;
    struct file_table *ft[2];
};

static void two_make(struct two *t)
{
    struct weir_conf conf;
    pair_conf(&conf);
    pair_make(&t->p, &conf, 3);
    for (unsigned i = 0; i < 2; i++)
        assert_non_null(t->ft[i] = file_table_new(t->p.w[i]));
}

static void two_step(struct two *t)
{
    pair_settle(&t->p);
    file_step(t->ft[0], t->p.now);
    file_step(t->ft[1], t->p.now);
    pair_settle(&t->p);
}

static void two_end(struct two *t)
{
    file_table_free(t->ft[0]);
    file_table_free(t->ft[1]);
    pair_end(&t->p);
}

static int listener(struct two *t)
{
    struct weir_addr at = pair_at(0, 80);
    int f = file_socket(t->ft[1], WEIR_INET, WEIR_STREAM, 0);
    assert_true(f > 0);
    assert_int_equal(file_bind(t->ft[1], f, &at), 0);
    assert_int_equal(file_listen(t->ft[1], f, 8), 0);
    return f;
}

/* If this failed a blocking connect, accept, send or recv would return early, late, or never. */
static void blocking_calls_wait_for_their_answer(void **state)
{
    struct two t;
    char buf[8] = "";
    (void)state;
    two_make(&t);
    int lsn = listener(&t), c = file_socket(t.ft[0], WEIR_INET, WEIR_STREAM, 6);
    struct file_call acc = {.op = FILE_ACCEPT, .file = lsn, .deadline = WEIR_NEVER};
    struct file_call con = {.op = FILE_CONNECT, .file = c, .deadline = WEIR_NEVER};
    con.addr = pair_at(2, 80);
    assert_int_equal(file_submit(t.ft[1], t.p.now, &acc), FILE_PARKED);
    assert_int_equal(file_submit(t.ft[0], t.p.now, &con), FILE_PARKED);
    two_step(&t);
    assert_ptr_equal(file_done_pop(t.ft[0]), &con);
    assert_int_equal(con.result, 0);
    assert_ptr_equal(file_done_pop(t.ft[1]), &acc);
    assert_true(acc.result > 0 && acc.result != lsn);
    int s = (int)acc.result;
    struct file_call rd = {
        .op = FILE_RECV, .file = s, .buf = buf, .len = 4, .deadline = WEIR_NEVER};
    struct file_call wr = {
        .op = FILE_SEND, .file = c, .buf = "ping", .len = 4, .deadline = WEIR_NEVER};
    assert_int_equal(file_submit(t.ft[1], t.p.now, &rd), FILE_PARKED);
    assert_int_equal(file_submit(t.ft[0], t.p.now, &wr), FILE_DONE);
    assert_int_equal(wr.result, 4);
    two_step(&t);
    assert_ptr_equal(file_done_pop(t.ft[1]), &rd);
    assert_int_equal(rd.result, 4);
    assert_memory_equal(buf, "ping", 4);
    assert_int_equal(file_close(t.ft[0], t.p.now, c), 0);
    two_step(&t);
    assert_int_equal(file_submit(t.ft[1], t.p.now, &rd), FILE_DONE);
    assert_int_equal(rd.result, 0);
    two_end(&t);
}

/* If this failed MSG_WAITALL would hand out half a record. */
static void waitall_waits_for_all(void **state)
{
    struct two t;
    char buf[10] = "";
    (void)state;
    two_make(&t);
    int lsn = listener(&t), c = file_socket(t.ft[0], WEIR_INET, WEIR_STREAM, 0);
    struct file_call acc = {.op = FILE_ACCEPT, .file = lsn, .deadline = WEIR_NEVER};
    struct file_call con = {.op = FILE_CONNECT, .file = c, .deadline = WEIR_NEVER};
    con.addr = pair_at(2, 80);
    (void)file_submit(t.ft[1], t.p.now, &acc);
    (void)file_submit(t.ft[0], t.p.now, &con);
    two_step(&t);
    struct file_call rd = {.op = FILE_RECV,
                           .file = (int)acc.result,
                           .buf = buf,
                           .len = 10,
                           .flags = WEIR_MSG_WAITALL,
                           .deadline = WEIR_NEVER};
    struct file_call wr = {
        .op = FILE_SEND, .file = c, .buf = "12345", .len = 5, .deadline = WEIR_NEVER};
    (void)file_done_pop(t.ft[1]);
    assert_int_equal(file_submit(t.ft[1], t.p.now, &rd), FILE_PARKED);
    (void)file_submit(t.ft[0], t.p.now, &wr);
    two_step(&t);
    assert_null(file_done_pop(t.ft[1]));
    (void)file_submit(t.ft[0], t.p.now, &wr);
    two_step(&t);
    assert_ptr_equal(file_done_pop(t.ft[1]), &rd);
    assert_int_equal(rd.result, 10);
    assert_memory_equal(buf, "1234512345", 10);
    two_end(&t);
}

/* If this failed SO_RCVTIMEO would be ignored, or a signal could not interrupt a call. */
static void calls_end_by_time_and_by_signal(void **state)
{
    struct two t;
    int64_t half_second[2] = {0, 500000}, got[2];
    size_t n = sizeof(got);
    (void)state;
    two_make(&t);
    int lsn = listener(&t);
    assert_int_equal(file_setsockopt(t.ft[1], t.p.now, lsn, 1, 20, half_second, 16), 0);
    assert_int_equal(file_getsockopt(t.ft[1], t.p.now, lsn, 1, 20, got, &n), 0);
    assert_int_equal(got[1], 500000);
    struct file_call acc = {.op = FILE_ACCEPT, .file = lsn, .deadline = WEIR_NEVER};
    assert_int_equal(file_submit(t.ft[1], t.p.now, &acc), FILE_PARKED);
    assert_int_equal(file_next(t.ft[1]), t.p.now + 500000000);
    t.p.now += 499999999;
    two_step(&t);
    assert_null(file_done_pop(t.ft[1]));
    t.p.now += 1;
    two_step(&t);
    assert_ptr_equal(file_done_pop(t.ft[1]), &acc);
    assert_int_equal(acc.result, -EAGAIN);
    acc.deadline = WEIR_NEVER;
    assert_int_equal(file_submit(t.ft[1], t.p.now, &acc), FILE_PARKED);
    file_cancel(t.ft[1], &acc);
    assert_int_equal(acc.result, -EINTR);
    assert_int_equal(file_next(t.ft[1]), WEIR_NEVER);
    acc.is_nonblock = true;
    assert_int_equal(file_submit(t.ft[1], t.p.now, &acc), FILE_DONE);
    assert_int_equal(acc.result, -EAGAIN);
    two_end(&t);
}

/* If this failed a wrong call could crash the stack that serves the program. */
static void impossible_calls_have_an_errno(void **state)
{
    struct two t;
    (void)state;
    two_make(&t);
    struct file_call c = {.op = FILE_RECV, .file = 99};
    assert_int_equal(file_submit(t.ft[0], t.p.now, &c), FILE_DONE);
    assert_int_equal(c.result, -EBADF);
    assert_int_equal(file_socket(t.ft[0], 1, WEIR_STREAM, 0), -EAFNOSUPPORT);
    assert_int_equal(file_socket(t.ft[0], WEIR_INET, 3, 0), -ESOCKTNOSUPPORT);
    assert_int_equal(file_socket(t.ft[0], WEIR_INET, WEIR_STREAM, 17), -EPROTONOSUPPORT);
    int f = file_socket(t.ft[0], WEIR_INET, WEIR_STREAM, 0), v = 0;
    size_t n = sizeof(v);
    assert_int_equal(file_shutdown(t.ft[0], t.p.now, f, 9), -EINVAL);
    assert_int_equal(file_getsockopt(t.ft[0], t.p.now, f, 1, 9999, &v, &n), -ENOPROTOOPT);
    c = (struct file_call){.op = FILE_ACCEPT, .file = f, .deadline = WEIR_NEVER};
    assert_int_equal(file_submit(t.ft[0], t.p.now, &c), FILE_DONE);
    assert_int_equal(c.result, -EINVAL);
    c = (struct file_call){.op = FILE_SEND, .file = f, .buf = "x", .len = 1, .flags = 0x10000000};
    assert_int_equal(file_submit(t.ft[0], t.p.now, &c), FILE_DONE);
    assert_int_equal(c.result, -EOPNOTSUPP);
    two_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocking_calls_wait_for_their_answer),
        cmocka_unit_test(waitall_waits_for_all),
        cmocka_unit_test(calls_end_by_time_and_by_signal),
        cmocka_unit_test(impossible_calls_have_an_errno),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

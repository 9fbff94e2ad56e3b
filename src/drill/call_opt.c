/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls that set and ask: socket options, descriptor flags, ioctl.
 *
 * An option's value is written as a list of numbers ([1]), a string ("cubic"), or one of the
 * structures {onoff=1, linger=5} and {tv_sec=1, tv_usec=0}; here it becomes the bytes a program
 * would pass, of the length the script says. What getsockopt gives is compared in the same form.
 *
 * Called through call.c's table; calls file.h. No state of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "drill/run.h"

enum { VALUE_MAX = 512 };

/* A structure of two numbers with these names, each of `size` bytes. */
static bool put_pair(struct run *r, const struct expr *e, const char *const names[2], size_t size,
                     uint8_t *out)
{
    for (unsigned i = 0; i < 2; i++) {
        const struct expr *f = arg_field(e, names[i]);
        int64_t v = 0;
        if (f == NULL || !arg_int(r, f, &v))
            return run_fail(r, "expected {onoff=, linger=} or {tv_sec=, tv_usec=}");
        memcpy(out + i * size, &v, size); /* little-endian, as everything weir runs on */
    }
    return true;
}

static unsigned hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? (unsigned)(c - '0')
           : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
           : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10)
                                  : 16;
}

/* A string's bytes, \xHH among them. */
static size_t put_text(const char *s, uint8_t out[VALUE_MAX])
{
    size_t n = 0;
    while (*s != '\0' && n < VALUE_MAX) {
        bool is_hex = s[0] == '\\' && s[1] == 'x' && hex_digit(s[2]) < 16 && hex_digit(s[3]) < 16;
        out[n++] = is_hex ? (uint8_t)(hex_digit(s[2]) << 4 | hex_digit(s[3])) : (uint8_t)*s;
        s += is_hex ? 4 : 1;
    }
    return n;
}

/* The bytes of a value; *n is how many. */
static bool put_value(struct run *r, const struct expr *e, uint8_t out[VALUE_MAX], size_t *n)
{
    static const char *const linger[] = {"onoff", "linger"}, *const timeval[] = {"tv_sec",
                                                                                 "tv_usec"};
    *n = 0;
    if (e->kind == EX_STRING) {
        *n = put_text(e->text, out);
        return true;
    }
    if (e->kind == EX_STRUCT) {
        bool is_time = arg_field(e, "tv_sec") != NULL;
        *n = is_time ? 16 : 8;
        return put_pair(r, e, is_time ? timeval : linger, *n / 2, out);
    }
    for (const struct expr *k = e->kind == EX_LIST ? e->kids : e; k != NULL; k = k->next) {
        int64_t v = 0;
        if (*n + 4 > VALUE_MAX || !arg_int(r, k, &v))
            return run_fail(r, "expected the value of an option");
        int32_t v32 = (int32_t)v;
        memcpy(out + *n, &v32, 4);
        *n += 4;
        if (e->kind != EX_LIST)
            break;
    }
    return true;
}

static bool take_option(struct run *r, struct pending *x, int64_t *level, int64_t *name,
                        int64_t *len)
{
    return arg_fd(r, x, 0, FD_SOCK) && call_msg_int(r, x, x->arg[1], level) &&
           call_msg_int(r, x, x->arg[2], name) && arg_int(r, x->arg[4], len);
}

static enum call_status begin_setsockopt(struct run *r, struct pending *x)
{
    int64_t level = 0, name = 0, len = 0;
    uint8_t value[VALUE_MAX] = {0};
    size_t n = 0;
    if (!take_option(r, x, &level, &name, &len) || !put_value(r, x->arg[3], value, &n))
        return CALL_BAD;
    if (len < 0 || len > VALUE_MAX) {
        run_fail(r, "the length of an option is 0 to %d here", VALUE_MAX);
        return CALL_BAD;
    }
    return call_answer(x, file_setsockopt(host_files(r->host), host_clock(r->host), x->fd->file,
                                          (int)level, (int)name, value, (size_t)len));
}

static enum call_status begin_getsockopt(struct run *r, struct pending *x)
{
    int64_t level = 0, name = 0, len = 0;
    if (!take_option(r, x, &level, &name, &len))
        return CALL_BAD;
    if (len < 0 || len > VALUE_MAX) {
        run_fail(r, "the length of an option is 0 to %d here", VALUE_MAX);
        return CALL_BAD;
    }
    if (!call_buffer(r, x, VALUE_MAX))
        return CALL_BAD;
    memset(x->buf, 0, VALUE_MAX);
    x->n = (size_t)len;
    return call_answer(x, file_getsockopt(host_files(r->host), host_clock(r->host), x->fd->file,
                                          (int)level, (int)name, x->buf, &x->n));
}

static bool finish_getsockopt(struct run *r, struct pending *x)
{
    uint8_t want[VALUE_MAX] = {0};
    size_t n = 0;
    if (x->result < 0 || x->arg[3]->kind == EX_DOTS)
        return true;
    if (!put_value(r, x->arg[3], want, &n))
        return false;
    n = n < x->n ? n : x->n;
    if (memcmp(want, x->buf, n) == 0)
        return true;
    if (x->arg[3]->kind == EX_STRING)
        return run_fail(r, "getsockopt gave \"%.*s\" instead of \"%s\"", (int)x->n,
                        (const char *)x->buf, x->arg[3]->text);
    int32_t w = 0, g = 0;
    size_t at = 0;
    while (at + 4 < n && memcmp(want + at, x->buf + at, 4) == 0)
        at += 4;
    memcpy(&w, want + at, n - at < 4 ? n - at : 4);
    memcpy(&g, x->buf + at, n - at < 4 ? n - at : 4);
    return run_fail(r, "getsockopt gave %" PRId32 " instead of %" PRId32, g, w);
}

static enum call_status begin_fcntl(struct run *r, struct pending *x)
{
    int64_t cmd = 0, v = 0;
    if (!arg_fd(r, x, 0, FD_FREE) || !arg_int(r, x->arg[1], &cmd))
        return CALL_BAD;
    if (x->n_arg > 2 && !arg_int(r, x->arg[2], &v))
        return CALL_BAD;
    if (cmd == F_GETFL)
        return call_answer(x, O_RDWR | (x->fd->is_nonblock ? O_NONBLOCK : 0));
    if (cmd != F_SETFL)
        return call_answer(x, -EINVAL);
    x->fd->is_nonblock = (v & O_NONBLOCK) != 0;
    return call_answer(x, 0);
}

static enum call_status begin_ioctl(struct run *r, struct pending *x)
{
    enum { INQ = 0x541b, OUTQ = 0x5411, OUTQNSD = 0x894b, ATMARK = 0x8905 };
    int64_t op = 0;
    if (!arg_fd(r, x, 0, FD_SOCK) || !arg_int(r, x->arg[1], &op))
        return CALL_BAD;
    if (op != INQ && op != OUTQ && op != OUTQNSD && op != ATMARK)
        return call_answer(x, -ENOTTY);
    int64_t v = op == ATMARK ? host_at_mark(r->host, x->fd->file)
                : op == INQ  ? host_inq(r->host, x->fd->file)
                : op == OUTQ ? host_outq(r->host, x->fd->file)
                             : host_outq_unsent(r->host, x->fd->file);
    x->fc.result = v;
    return call_answer(x, v < 0 ? v : 0);
}

static bool finish_ioctl(struct run *r, struct pending *x)
{
    int64_t want = 0;
    if (x->result < 0 || x->n_arg < 3 || x->arg[2]->kind == EX_DOTS)
        return true;
    if (!arg_int(r, x->arg[2], &want))
        return false;
    return want == x->fc.result ||
           run_fail(r, "ioctl gave %" PRId64 " instead of %" PRId64, x->fc.result, want);
}

const struct call_def calls_opt[] = {
    {"setsockopt", 5, 5, begin_setsockopt, NULL, NULL},
    {"getsockopt", 5, 5, begin_getsockopt, finish_getsockopt, NULL},
    {"fcntl", 2, 3, begin_fcntl, NULL, NULL},
    {"ioctl", 2, 3, begin_ioctl, finish_ioctl, NULL},
    {0},
};

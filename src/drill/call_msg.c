/* SPDX-License-Identifier: Apache-2.0
 *
 * What sendmsg and recvmsg carry beside the bytes: flags and control messages.
 *
 *     msg_flags=MSG_ERRQUEUE|MSG_TRUNC,
 *     msg_control=[{cmsg_level=SOL_SOCKET, cmsg_type=SCM_TIMESTAMPING,
 *                   cmsg_data={scm_sec=0, scm_nsec=20000000}}, …]
 *
 * cmsg_data is a number or a list of them (each four bytes, one where the message has one byte), a
 * time ({scm_sec, scm_nsec} or {tv_sec, tv_usec}, within the script's tolerance), or struct
 * sock_extended_err ({ee_errno, ee_origin, ee_type, ee_code, ee_info, ee_data}, and ee_offender, an
 * address, which packetdrill does not have). What came must be exactly what is listed.
 *
 * Called by call_io.c. No state of its own but what struct pending holds.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "drill/run.h"

enum { HEAD = 16, EE_BYTES = 16, FAMILY_IP6 = 10 };

/* packetdrill's names for what depends on the socket's family. */
bool call_msg_int(struct run *r, const struct pending *x, const struct expr *e, int64_t *out)
{
    bool is_ip6 = x->fd->family == FAMILY_IP6;
    if (e == NULL)
        return run_fail(r, "expected {cmsg_level=, cmsg_type=, cmsg_data=}");
    if (e->kind == EX_WORD && strcmp(e->text, "CMSG_LEVEL_IP") == 0)
        *out = is_ip6 ? 41 : 0;
    else if (e->kind == EX_WORD && strcmp(e->text, "CMSG_TYPE_RECVERR") == 0)
        *out = is_ip6 ? 25 : 11;
    else
        return arg_int(r, e, out);
    return true;
}

/* The message at `at`: its length, level, type; false: there is none. */
struct found {
    uint64_t len;
    int32_t level, type;
    const uint8_t *data;
    size_t n;
};

static bool cmsg_next(const struct pending *x, size_t *at, struct found *f)
{
    const uint8_t *b = x->control + *at;
    if (*at + HEAD > x->msg.control_len)
        return false;
    memcpy(&f->len, b, 8);
    memcpy(&f->level, b + 8, 4);
    memcpy(&f->type, b + 12, 4);
    f->data = b + HEAD;
    f->n = (size_t)f->len - HEAD;
    *at += ((size_t)f->len + 7) & ~(size_t)7;
    return true;
}

/* ---- comparing ---- */

static bool same_int(struct run *r, const char *what, int64_t want, int64_t got)
{
    return want == got || run_fail(r, "%s is %" PRId64 " instead of %" PRId64, what, got, want);
}

static bool check_offender(struct run *r, const struct expr *e, const struct found *f)
{
    uint8_t want[16] = {0};
    bool is_ip4 = f->n < EE_BYTES + 28;
    const uint8_t *got = f->data + EE_BYTES + (is_ip4 ? 4 : 8);
    if (e == NULL)
        return true;
    bool is_text = e->kind == EX_STRING;
    if (!is_text || inet_pton(is_ip4 ? AF_INET : AF_INET6, e->text, want) != 1)
        return run_fail(r, "ee_offender is an address of the socket's family");
    char text[INET6_ADDRSTRLEN];
    return memcmp(want, got, is_ip4 ? 4 : 16) == 0 ||
           run_fail(r, "ee_offender is %s instead of %s",
                    inet_ntop(is_ip4 ? AF_INET : AF_INET6, got, text, sizeof(text)), e->text);
}

static bool check_error(struct run *r, const struct expr *want, const struct found *f)
{
    static const struct {
        const char *name;
        unsigned at, size;
    } fields[] = {
        {"ee_errno", 0, 4}, {"ee_origin", 4, 1}, {"ee_type", 5, 1},
        {"ee_code", 6, 1},  {"ee_info", 8, 4},   {"ee_data", 12, 4},
    };
    if (f->n < EE_BYTES)
        return run_fail(r, "a control message of %zu bytes is no sock_extended_err", f->n);
    for (size_t i = 0; i < WEIR_COUNT(fields); i++) {
        const struct expr *e = arg_field(want, fields[i].name);
        int64_t v = 0;
        uint32_t got = 0;
        memcpy(&got, f->data + fields[i].at, fields[i].size);
        bool is_errno = e != NULL && i == 0 && e->kind == EX_WORD;
        if (is_errno)
            v = sym_errno(e->text);
        else if (e != NULL && !arg_int(r, e, &v))
            return false;
        if (e != NULL && !same_int(r, fields[i].name, v, got))
            return false;
    }
    return check_offender(r, arg_field(want, "ee_offender"), f);
}

static bool check_time(struct run *r, const struct expr *want, const struct found *f)
{
    bool is_us = arg_field(want, "tv_sec") != NULL;
    const struct expr *s = arg_field(want, is_us ? "tv_sec" : "scm_sec");
    const struct expr *part = arg_field(want, is_us ? "tv_usec" : "scm_nsec");
    int64_t sec = 0, sub = 0, got[2] = {0};
    if (s == NULL || part == NULL || !arg_int(r, s, &sec) || !arg_int(r, part, &sub))
        return run_fail(r, "expected {scm_sec=, scm_nsec=} or {tv_sec=, tv_usec=}");
    if (f->n < sizeof(got))
        return run_fail(r, "a control message of %zu bytes is no time", f->n);
    memcpy(got, f->data, sizeof(got));
    got[0] -= (int64_t)((host_clock(r->host) - host_now(r->host)) / W_S); /* script time */
    int64_t unit = is_us ? 1 : 1000;
    int64_t off = (got[0] - sec) * 1000000 + (got[1] - sub) / unit;
    return llabs(off) <= run_tolerance_us(r) ||
           run_fail(r, "the time stamp says %" PRId64 ".%06" PRId64 " s", got[0], got[1] / unit);
}

static bool check_numbers(struct run *r, const struct expr *want, const struct found *f)
{
    const struct expr *e = want->kind == EX_LIST ? want->kids : want;
    size_t size = f->n < 4 ? f->n : 4, at = 0;
    for (; e != NULL; e = want->kind == EX_LIST ? e->next : NULL) {
        int64_t v = 0;
        int32_t got = 0;
        if (at + size > f->n)
            return run_fail(r, "a control message has %zu bytes", f->n);
        if (!arg_int(r, e, &v))
            return false;
        memcpy(&got, f->data + at, size);
        if (!same_int(r, "a control message", (int32_t)v, got))
            return false;
        at += size;
    }
    return true;
}

static bool check_one(struct run *r, const struct pending *x, const struct expr *want,
                      const struct found *f)
{
    int64_t level = 0, type = 0;
    const struct expr *data = arg_field(want, "cmsg_data");
    if (!call_msg_int(r, x, arg_field(want, "cmsg_level"), &level) ||
        !call_msg_int(r, x, arg_field(want, "cmsg_type"), &type))
        return false;
    if (level != f->level || type != f->type)
        return run_fail(r, "control message level %d type %d instead of level %d type %d", f->level,
                        f->type, (int)level, (int)type);
    if (data == NULL || data->kind == EX_DOTS)
        return true;
    if (data->kind != EX_STRUCT)
        return check_numbers(r, data, f);
    return arg_field(data, "ee_errno") != NULL || arg_field(data, "ee_origin") != NULL
               ? check_error(r, data, f)
               : check_time(r, data, f);
}

bool call_msg_check(struct run *r, const struct pending *x)
{
    const struct expr *control = arg_field(x->arg[1], "msg_control");
    const struct expr *flags = arg_field(x->arg[1], "msg_flags");
    int64_t v = 0;
    if (flags != NULL && flags->kind != EX_DOTS) {
        if (!arg_int(r, flags, &v))
            return false;
        if (!same_int(r, "msg_flags", v, x->msg.flags))
            return false;
    }
    if (control == NULL || control->kind == EX_DOTS)
        return true;
    struct found f;
    size_t at = 0;
    for (const struct expr *e = control->kids; e != NULL; e = e->next) {
        if (!cmsg_next(x, &at, &f))
            return run_fail(r, "a control message is missing");
        if (!check_one(r, x, e, &f))
            return false;
    }
    return !cmsg_next(x, &at, &f) ||
           run_fail(r, "a control message of level %d type %d is not expected", f.level, f.type);
}

/* ---- for sending ---- */

bool call_msg_build(struct run *r, struct pending *x)
{
    const struct expr *control = arg_field(x->arg[1], "msg_control");
    size_t at = 0;
    if (control == NULL || control->kind == EX_DOTS)
        return true;
    for (const struct expr *e = control->kids; e != NULL; e = e->next) {
        const struct expr *data = arg_field(e, "cmsg_data");
        int64_t level = 0, type = 0, v = 0;
        uint64_t len = HEAD;
        if (data == NULL || !call_msg_int(r, x, arg_field(e, "cmsg_level"), &level) ||
            !call_msg_int(r, x, arg_field(e, "cmsg_type"), &type))
            return run_fail(r, "expected {cmsg_level=, cmsg_type=, cmsg_data=[NUMBER, …]}");
        const struct expr *k = data->kind == EX_LIST ? data->kids : data;
        for (; k != NULL; k = data->kind == EX_LIST ? k->next : NULL, len += 4) {
            if (at + len + 8 > sizeof(x->control) || !arg_int(r, k, &v))
                return run_fail(r, "control messages are lists of numbers here");
            memcpy(x->control + at + len, &v, 4);
        }
        int32_t names[2] = {(int32_t)level, (int32_t)type};
        memcpy(x->control + at, &len, sizeof(len));
        memcpy(x->control + at + 8, names, sizeof(names));
        at += ((size_t)len + 7) & ~(size_t)7;
    }
    x->msg.control_len = at;
    return true;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls on a file that never wait, and the options that belong to a file rather than to a socket:
 * the time-outs of blocking calls, SO_TYPE, SO_DOMAIN, SO_PROTOCOL.
 *
 * Called by door/ and drill/; calls weir.h. Option numbers are Linux's (x86-64): SO_RCVTIMEO and
 * SO_SNDTIMEO take a struct timeval of two 64-bit numbers; the _NEW names take the same layout.
 */
#include "file/table.h"

#include <errno.h>

enum {
    LEVEL_SOCKET = 1,
    OPT_TYPE = 3,
    OPT_RCVTIMEO = 20,
    OPT_SNDTIMEO = 21,
    OPT_PROTOCOL = 38,
    OPT_DOMAIN = 39,
    OPT_RCVTIMEO_NEW = 66,
    OPT_SNDTIMEO_NEW = 67,
};

struct timeval64 {
    int64_t s, us;
};

int file_bind(struct file_table *ft, int file, const struct weir_addr *a)
{
    struct file *f = file_at(ft, file);
    return f == NULL ? -EBADF : weir_bind(ft->w, f->sock, a);
}

int file_listen(struct file_table *ft, int file, int backlog)
{
    struct file *f = file_at(ft, file);
    return f == NULL ? -EBADF : weir_listen(ft->w, f->sock, backlog);
}

int file_shutdown(struct file_table *ft, w_ns now, int file, int how)
{
    struct file *f = file_at(ft, file);
    if (f == NULL)
        return -EBADF;
    if (how < WEIR_SHUT_RD || how > WEIR_SHUT_RDWR)
        return -EINVAL;
    return weir_shutdown(ft->w, now, f->sock, (enum weir_how)how);
}

int file_getsockname(struct file_table *ft, int file, struct weir_addr *a)
{
    struct file *f = file_at(ft, file);
    return f == NULL ? -EBADF : weir_getsockname(ft->w, f->sock, a);
}

int file_getpeername(struct file_table *ft, int file, struct weir_addr *a)
{
    struct file *f = file_at(ft, file);
    return f == NULL ? -EBADF : weir_getpeername(ft->w, f->sock, a);
}

static w_ns *file_timeo(struct file *f, int level, int name)
{
    if (level != LEVEL_SOCKET)
        return NULL;
    if (name == OPT_RCVTIMEO || name == OPT_RCVTIMEO_NEW)
        return &f->rcvtimeo;
    return name == OPT_SNDTIMEO || name == OPT_SNDTIMEO_NEW ? &f->sndtimeo : NULL;
}

/* As sock_set_timeout(): zero waits for ever, negative does not wait at all. */
static int timeo_set(w_ns *timeo, const void *val, size_t n)
{
    struct timeval64 tv;
    if (n < sizeof(tv))
        return -EINVAL;
    memcpy(&tv, val, sizeof(tv));
    if (tv.us < 0 || tv.us >= 1000000)
        return -EDOM;
    if (tv.s < 0)
        *timeo = 0;
    else if ((tv.s == 0 && tv.us == 0) || tv.s >= (int64_t)(WEIR_NEVER / W_S / 2))
        *timeo = WEIR_NEVER;
    else
        *timeo = (w_ns)tv.s * W_S + (w_ns)tv.us * W_US;
    return 0;
}

int file_setsockopt(struct file_table *ft, w_ns now, int file, int level, int name, const void *val,
                    size_t n)
{
    struct file *f = file_at(ft, file);
    if (f == NULL)
        return -EBADF;
    w_ns *timeo = file_timeo(f, level, name);
    if (timeo != NULL)
        return timeo_set(timeo, val, n);
    return weir_setsockopt(ft->w, now, f->sock, level, name, val, n);
}

static int opt_out(void *val, size_t *n, const void *from, size_t n_from)
{
    *n = *n < n_from ? *n : n_from;
    memcpy(val, from, *n);
    return 0;
}

int file_getsockopt(struct file_table *ft, w_ns now, int file, int level, int name, void *val,
                    size_t *n)
{
    struct file *f = file_at(ft, file);
    if (f == NULL)
        return -EBADF;
    w_ns *timeo = file_timeo(f, level, name);
    if (timeo != NULL) {
        w_ns t = *timeo == WEIR_NEVER ? 0 : *timeo;
        struct timeval64 tv = {(int64_t)(t / W_S), (int64_t)(t % W_S / W_US)};
        return opt_out(val, n, &tv, sizeof(tv));
    }
    int v = 0;
    if (level == LEVEL_SOCKET && name == OPT_TYPE)
        v = f->type;
    else if (level == LEVEL_SOCKET && name == OPT_DOMAIN)
        v = f->family;
    else if (level == LEVEL_SOCKET && name == OPT_PROTOCOL)
        v = f->type == WEIR_STREAM ? 6 : 17;
    else
        return weir_getsockopt(ft->w, now, f->sock, level, name, val, n);
    return opt_out(val, n, &v, sizeof(v));
}

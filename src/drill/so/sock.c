/* SPDX-License-Identifier: Apache-2.0
 *
 * packetdrill's calls that make, join, set, ask and end sockets.
 *
 * Each enters, hands over to the file table as `weir run` does, and leaves with a result or errno.
 * What the table has no call for (flags of a descriptor that is a socket) is kept in its handle; a
 * descriptor that is not ours is the kernel's, and so is the call.
 *
 * Called by the tool through the table. Calls file/, clock.c for what waits.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/sockios.h>

#include "drill/so/adapter.h"

enum { TYPE_MASK = 0xf, LEVEL_TCP = 6, OPT_TCP_INFO = 11 };

/* ---- addresses ---------------------------------------------------------------------------- */

int adapter_take_addr(const struct sockaddr *sa, socklen_t n, struct weir_addr *out)
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    *out = (struct weir_addr){0};
    if (sa == NULL)
        return -EFAULT;
    if (n < sizeof(sa->sa_family))
        return -EINVAL;
    if (sa->sa_family == AF_UNSPEC)
        return 0;
    if (sa->sa_family == AF_INET && n >= sizeof(in)) {
        memcpy(&in, sa, sizeof(in));
        out->family = 4;
        out->port = ntohs(in.sin_port);
        out->ip[10] = out->ip[11] = 0xff;
        memcpy(out->ip + 12, &in.sin_addr, 4);
        return 0;
    }
    if (sa->sa_family == AF_INET6 && n >= sizeof(in6)) {
        memcpy(&in6, sa, sizeof(in6));
        out->family = 6;
        out->port = ntohs(in6.sin6_port);
        out->scope = in6.sin6_scope_id;
        memcpy(out->ip, &in6.sin6_addr, sizeof(out->ip));
        return 0;
    }
    return sa->sa_family == AF_INET || sa->sa_family == AF_INET6 ? -EINVAL : -EAFNOSUPPORT;
}

void adapter_put_addr(int family, const struct weir_addr *a, struct sockaddr *sa, socklen_t *n)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(a->port)};
    struct sockaddr_in6 in6 = {
        .sin6_family = AF_INET6, .sin6_port = htons(a->port), .sin6_scope_id = a->scope};
    if (sa == NULL || n == NULL)
        return;
    memcpy(&in.sin_addr, a->ip + 12, 4);
    memcpy(&in6.sin6_addr, a->ip, sizeof(a->ip));
    size_t have = family == AF_INET6 ? sizeof(in6) : sizeof(in);
    memcpy(sa, family == AF_INET6 ? (const void *)&in6 : &in, *n < have ? *n : have);
    *n = (socklen_t)have;
}

/* ---- life of a socket --------------------------------------------------------------------- */

static int so_socket(void *userdata, int domain, int type, int protocol)
{
    struct adapter *a = adapter_enter(userdata);
    int file = file_socket(host_files(a->host), domain, type & TYPE_MASK, protocol);
    struct handle h = {.kind = HANDLE_SOCKET,
                       .file = file,
                       .family = domain,
                       .type = type & TYPE_MASK,
                       .is_nonblock = (type & SOCK_NONBLOCK) != 0};
    int64_t r = file < 0 ? file : adapter_new_handle(a, &h);
    if (file > 0 && r < 0)
        (void)file_close(host_files(a->host), host_clock(a->host), file);
    return (int)adapter_leave(a, r);
}

static int so_bind(void *userdata, int fd, const struct sockaddr *sa, socklen_t n)
{
    struct adapter *a = adapter_enter(userdata);
    struct handle *h = adapter_socket(a, fd);
    struct weir_addr to;
    int r = h == NULL ? -EBADF : adapter_take_addr(sa, n, &to);
    if (r == 0)
        r = file_bind(host_files(a->host), h->file, &to);
    return (int)adapter_leave(a, r);
}

static int so_listen(void *userdata, int fd, int backlog)
{
    struct adapter *a = adapter_enter(userdata);
    struct handle *h = adapter_socket(a, fd);
    int r = h == NULL ? -EBADF : file_listen(host_files(a->host), h->file, backlog);
    return (int)adapter_leave(a, r);
}

static int64_t accepted(struct adapter *a, const struct handle *listener, int file)
{
    struct handle h = *listener;
    h.file = file;
    h.is_nonblock = false; /* Linux's accept() inherits no descriptor flags */
    int64_t r = adapter_new_handle(a, &h);
    if (r < 0)
        (void)file_close(host_files(a->host), host_clock(a->host), file);
    return r;
}

static int so_accept(void *userdata, int fd, struct sockaddr *sa, socklen_t *n)
{
    struct adapter *a = adapter_enter(userdata);
    struct handle *h = adapter_socket(a, fd);
    struct file_call c = {.op = FILE_ACCEPT};
    int64_t r = -EBADF;
    if (h != NULL) {
        struct handle listener = *h;
        r = adapter_call(a, h, &c);
        if (r > 0) {
            adapter_put_addr(listener.family, &c.addr, sa, n);
            r = accepted(a, &listener, (int)r);
        }
    }
    return (int)adapter_leave(a, r);
}

static int so_connect(void *userdata, int fd, const struct sockaddr *sa, socklen_t n)
{
    struct adapter *a = adapter_enter(userdata);
    struct handle *h = adapter_socket(a, fd);
    struct file_call c = {.op = FILE_CONNECT};
    int64_t r = h == NULL ? -EBADF : adapter_take_addr(sa, n, &c.addr);
    if (r == 0)
        r = adapter_call(a, h, &c);
    return (int)adapter_leave(a, r);
}

static int so_shutdown(void *userdata, int fd, int how)
{
    struct adapter *a = adapter_enter(userdata);
    struct handle *h = adapter_socket(a, fd);
    int r =
        h == NULL ? -EBADF : file_shutdown(host_files(a->host), host_clock(a->host), h->file, how);
    return (int)adapter_leave(a, r);
}

static int so_close(void *userdata, int fd)
{
    struct adapter *a = adapter_enter(userdata);
    struct handle *h = adapter_socket(a, fd);
    if (h == NULL)
        h = adapter_epoll(a, fd);
    int64_t r = h != NULL ? adapter_close_handle(a, h) : kernel_close(fd) == 0 ? 0 : -errno;
    return (int)adapter_leave(a, r);
}

/* ---- options ------------------------------------------------------------------------------ */

/* What the structure has beyond what the stack tells is zero, as for an older kernel's reader. */
static int get_option(struct adapter *a, const struct handle *h, int level, int name, void *value,
                      socklen_t *n)
{
    size_t len = *n;
    int r = file_getsockopt(host_files(a->host), host_clock(a->host), h->file, level, name, value,
                            &len);
    bool is_info = level == LEVEL_TCP && name == OPT_TCP_INFO;
    if (r == 0 && is_info && len < *n)
        memset((uint8_t *)value + len, 0, *n - len);
    else if (r == 0)
        *n = (socklen_t)len;
    return r;
}

int adapter_getsockopt(void *userdata, int fd, int level, int name, void *value, socklen_t *n)
{
    struct adapter *a = adapter_enter(userdata);
    struct handle *h = adapter_socket(a, fd);
    int r = h == NULL ? -EBADF : value == NULL || n == NULL ? -EFAULT : 0;
    if (r == 0)
        r = get_option(a, h, level, name, value, n);
    return (int)adapter_leave(a, r);
}

static int so_setsockopt(void *userdata, int fd, int level, int name, const void *value,
                         socklen_t n)
{
    struct adapter *a = adapter_enter(userdata);
    struct handle *h = adapter_socket(a, fd);
    int r = h == NULL ? -EBADF : value == NULL && n != 0 ? -EFAULT : 0;
    if (r == 0)
        r = file_setsockopt(host_files(a->host), host_clock(a->host), h->file, level, name, value,
                            n);
    return (int)adapter_leave(a, r);
}

/* ---- descriptors -------------------------------------------------------------------------- */

static int so_fcntl(void *userdata, int fd, int cmd, ...)
{
    struct adapter *a = adapter_enter(userdata);
    struct handle *h = adapter_socket(a, fd);
    va_list ap;
    va_start(ap, cmd);
    int arg = va_arg(ap, int);
    va_end(ap);
    int64_t r = 0;
    if (h != NULL && cmd == F_GETFL) {
        r = O_RDWR | (h->is_nonblock ? O_NONBLOCK : 0);
    } else if (h != NULL && cmd == F_SETFL) {
        h->is_nonblock = (arg & O_NONBLOCK) != 0;
    } else {
        r = fcntl(fd, cmd, arg);
        r = r < 0 ? -errno : r;
    }
    return (int)adapter_leave(a, r);
}

static int so_ioctl(void *userdata, int fd, unsigned long request, ...)
{
    struct adapter *a = adapter_enter(userdata);
    struct handle *h = adapter_socket(a, fd);
    va_list ap;
    va_start(ap, request);
    int *out = va_arg(ap, int *);
    va_end(ap);
    int64_t r = -ENOTTY;
    if (h == NULL)
        r = -EBADF;
    else if (request == SIOCINQ)
        r = host_inq(a->host, h->file);
    else if (request == SIOCOUTQ)
        r = host_outq(a->host, h->file);
    if (r >= 0) {
        *out = (int)r;
        r = 0;
    }
    return (int)adapter_leave(a, r);
}

void adapter_fill_sock(struct packetdrill_interface *t)
{
    t->socket = so_socket;
    t->bind = so_bind;
    t->listen = so_listen;
    t->accept = so_accept;
    t->connect = so_connect;
    t->shutdown = so_shutdown;
    t->close = so_close;
    t->getsockopt = adapter_getsockopt;
    t->setsockopt = so_setsockopt;
    t->fcntl = so_fcntl;
    t->ioctl = so_ioctl;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * packetdrill's calls that move bytes.
 *
 * The file table takes one buffer, so vectors are gathered and scattered here. A buffer at address
 * 0 stands for a bad address, as scripts mean it: what lies before it counts, and nothing before it
 * is EFAULT. Control messages are not implemented: a call that brings some is refused, one that
 * asks for some gets none.
 *
 * Pipes are the kernel's; splice() copies between one of them and a socket.
 *
 * Called by the tool through the table, by preload.c for sendfile(). Calls clock.c for what waits.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "drill/so/adapter.h"

enum { IO_MAX = 64 << 20, SPLICE_MAX = 1 << 20 };

/* ---- one buffer --------------------------------------------------------------------------- */

static int64_t send_bytes(struct adapter *a, int fd, struct file_call *c)
{
    struct handle *h = adapter_socket(a, fd);
    if (h == NULL)
        return -EBADF;
    if (c->buf == NULL && c->len != 0)
        return -EFAULT;
    c->op = FILE_SEND;
    c->is_nonblock = (c->flags & WEIR_MSG_DONTWAIT) != 0;
    return adapter_call(a, h, c);
}

static int64_t recv_bytes(struct adapter *a, int fd, struct file_call *c)
{
    struct handle *h = adapter_socket(a, fd);
    if (h == NULL)
        return -EBADF;
    if (c->buf == NULL && c->len != 0 && (c->flags & WEIR_MSG_TRUNC) == 0)
        return -EFAULT;
    c->op = FILE_RECV;
    c->is_nonblock = (c->flags & WEIR_MSG_DONTWAIT) != 0;
    return adapter_call(a, h, c);
}

static ssize_t so_recvfrom(void *userdata, int fd, void *buf, size_t n, int flags,
                           struct sockaddr *sa, socklen_t *sa_n)
{
    struct adapter *a = adapter_enter(userdata);
    struct handle *h = adapter_socket(a, fd);
    int family = h != NULL ? h->family : 0;
    struct file_call c = {.buf = buf, .len = n, .flags = (unsigned)flags};
    int64_t r = recv_bytes(a, fd, &c);
    if (r >= 0)
        adapter_put_addr(family, &c.addr, sa, sa_n);
    return adapter_leave(a, r);
}

static ssize_t so_recv(void *userdata, int fd, void *buf, size_t n, int flags)
{
    return so_recvfrom(userdata, fd, buf, n, flags, NULL, NULL);
}

static bool is_ours(void *userdata, int fd)
{
    struct adapter *a = adapter_enter(userdata);
    bool is = adapter_socket(a, fd) != NULL;
    (void)adapter_leave(a, 0);
    return is;
}

static ssize_t so_read(void *userdata, int fd, void *buf, size_t n)
{
    if (!is_ours(userdata, fd))
        return read(fd, buf, n);
    return so_recvfrom(userdata, fd, buf, n, 0, NULL, NULL);
}

static ssize_t so_sendto(void *userdata, int fd, const void *buf, size_t n, int flags,
                         const struct sockaddr *sa, socklen_t sa_n)
{
    struct adapter *a = adapter_enter(userdata);
    struct file_call c = {.buf = (void *)(uintptr_t)buf, .len = n, .flags = (unsigned)flags};
    int64_t r = 0;
    c.has_addr = sa != NULL && sa_n != 0;
    if (c.has_addr)
        r = adapter_take_addr(sa, sa_n, &c.addr);
    if (r == 0)
        r = send_bytes(a, fd, &c);
    return adapter_leave(a, r);
}

static ssize_t so_send(void *userdata, int fd, const void *buf, size_t n, int flags)
{
    return so_sendto(userdata, fd, buf, n, flags, NULL, 0);
}

ssize_t adapter_send(void *userdata, int fd, const void *buf, size_t n)
{
    return so_sendto(userdata, fd, buf, n, 0, NULL, 0);
}

static ssize_t so_write(void *userdata, int fd, const void *buf, size_t n)
{
    if (!is_ours(userdata, fd))
        return write(fd, buf, n);
    return adapter_send(userdata, fd, buf, n);
}

/* ---- several ------------------------------------------------------------------------------ */

/* Bytes of the vector before its first bad address; or -EFAULT, -EINVAL, -EMSGSIZE. */
static int64_t vector_bytes(const struct iovec *v, size_t n)
{
    size_t sum = 0;
    if (v == NULL && n != 0)
        return -EFAULT;
    if (n > IOV_MAX)
        return -EMSGSIZE;
    for (size_t i = 0; i < n; i++) {
        if (v[i].iov_len > IO_MAX - sum)
            return -EINVAL;
        if (v[i].iov_base == NULL && v[i].iov_len != 0)
            return i != 0 && sum != 0 ? (int64_t)sum : -EFAULT;
        sum += v[i].iov_len;
    }
    return (int64_t)sum;
}

/* Copies `left` bytes between the vector and one buffer. */
static void copy_vector(const struct iovec *v, uint8_t *buf, size_t left, bool gathers)
{
    for (size_t i = 0; left != 0; i++) {
        size_t n = v[i].iov_len < left ? v[i].iov_len : left;
        if (n != 0 && gathers)
            memcpy(buf, v[i].iov_base, n);
        else if (n != 0)
            memcpy(v[i].iov_base, buf, n);
        buf += n;
        left -= n;
    }
}

static ssize_t so_sendmsg(void *userdata, int fd, const struct msghdr *m, int flags)
{
    int64_t n = vector_bytes(m->msg_iov, m->msg_iovlen);
    int64_t r = m->msg_controllen != 0 ? -EOPNOTSUPP : n;
    uint8_t *buf = r >= 0 ? malloc((size_t)n + 1) : NULL;
    if (r >= 0 && buf == NULL)
        r = -ENOBUFS;
    if (r < 0)
        return adapter_leave(adapter_enter(userdata), r);
    copy_vector(m->msg_iov, buf, (size_t)n, true);
    r = so_sendto(userdata, fd, buf, (size_t)n, flags, m->msg_name, m->msg_namelen);
    int e = errno;
    free(buf);
    errno = e;
    return r;
}

static ssize_t so_recvmsg(void *userdata, int fd, struct msghdr *m, int flags)
{
    int64_t n = vector_bytes(m->msg_iov, m->msg_iovlen);
    uint8_t *buf = n >= 0 ? malloc((size_t)n + 1) : NULL;
    if (buf == NULL)
        return adapter_leave(adapter_enter(userdata), n < 0 ? n : -ENOBUFS);
    struct adapter *a = adapter_enter(userdata);
    struct weir_msghdr msg = {.control = m->msg_control, .control_len = m->msg_controllen};
    struct file_call c = {.buf = buf, .len = (size_t)n, .flags = (unsigned)flags, .msg = &msg};
    struct handle *h = adapter_socket(a, fd);
    int family = h != NULL ? h->family : 0;
    ssize_t r = adapter_leave(a, recv_bytes(a, fd, &c));
    int e = errno;
    if (r >= 0) {
        copy_vector(m->msg_iov, buf, (size_t)(r < n ? r : n), false);
        if (msg.has_name && m->msg_name != NULL)
            adapter_put_addr(family, &msg.name, m->msg_name, &m->msg_namelen);
        else
            m->msg_namelen = 0;
        m->msg_controllen = msg.control_len;
        m->msg_flags = (int)msg.flags;
    }
    free(buf);
    errno = e;
    return r;
}

static ssize_t so_readv(void *userdata, int fd, const struct iovec *v, int n)
{
    struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)v, .msg_iovlen = (size_t)n};
    if (n < 0)
        return adapter_leave(adapter_enter(userdata), -EINVAL);
    return so_recvmsg(userdata, fd, &m, 0);
}

static ssize_t so_writev(void *userdata, int fd, const struct iovec *v, int n)
{
    struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)v, .msg_iovlen = (size_t)n};
    if (n < 0)
        return adapter_leave(adapter_enter(userdata), -EINVAL);
    return so_sendmsg(userdata, fd, &m, 0);
}

/* ---- pipes -------------------------------------------------------------------------------- */

static int so_pipe(void *userdata, int fd[2])
{
    (void)userdata;
    return pipe(fd);
}

/* Bytes a pipe can give or take now. */
static size_t pipe_room(int fd, bool takes)
{
    int n = 0;
    if (ioctl(fd, FIONREAD, &n) != 0 || n < 0)
        return 0;
    int size = takes ? fcntl(fd, F_GETPIPE_SZ) : 0;
    return (size_t)(takes ? (size > n ? size - n : 0) : n);
}

static ssize_t so_splice(void *userdata, int from, loff_t *from_at, int to, loff_t *to_at, size_t n,
                         unsigned flags)
{
    static uint8_t buf[SPLICE_MAX];
    bool is_in = is_ours(userdata, from), is_out = is_ours(userdata, to);
    size_t room = pipe_room(is_in ? to : from, is_in);
    int how = (flags & SPLICE_F_NONBLOCK) != 0 ? MSG_DONTWAIT : 0;
    (void)from_at;
    (void)to_at;
    if (is_in == is_out)
        return adapter_leave(adapter_enter(userdata), -EINVAL);
    n = n < room ? n : room;
    n = n < SPLICE_MAX ? n : SPLICE_MAX;
    if (n == 0)
        return adapter_leave(adapter_enter(userdata), -EAGAIN);
    if (is_in) {
        ssize_t r = so_recv(userdata, from, buf, n, how);
        return r > 0 ? write(to, buf, (size_t)r) : r;
    }
    ssize_t r = read(from, buf, n);
    return r > 0 ? so_send(userdata, to, buf, (size_t)r, how) : r;
}

void adapter_fill_io(struct packetdrill_interface *t)
{
    t->read = so_read;
    t->readv = so_readv;
    t->recv = so_recv;
    t->recvfrom = so_recvfrom;
    t->recvmsg = so_recvmsg;
    t->write = so_write;
    t->writev = so_writev;
    t->send = so_send;
    t->sendto = so_sendto;
    t->sendmsg = so_sendmsg;
    t->pipe = so_pipe;
    t->splice = so_splice;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tool asks of the C library although it is about a socket of ours.
 *
 * The table of functions leaves out three places: code blocks (%{ }%) call getsockopt() for
 * TCP_INFO, TCP_CC_INFO and SO_MEMINFO; descriptors still open at the end are closed by close();
 * and there is no sendfile(). With this library in LD_PRELOAD these calls come here; whatever is
 * not about a descriptor of ours goes to the kernel as if this library were not there.
 *
 * Of SO_MEMINFO only what the stack can tell is there, the rest is 0: it is asked for before every
 * code block, whether that uses it or not.
 *
 * Owns nothing. Called by anybody in the process, before and after the adapter lives.
 */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "drill/so/adapter.h"

enum {
    OPT_SNDBUF = 7,
    OPT_RCVBUF = 8,
    OPT_MEMINFO = 55,
    MEMINFO_VARS = 9, /* rmem, rcvbuf, wmem, sndbuf, fwd, wmem_queued, optmem, backlog, drops */
    SEND_CHUNK = 65536,
};

/* The adapter, entered, if fd is a socket of its; otherwise NULL. */
static struct adapter *enter_for(int fd)
{
    struct adapter *a = adapter_of_process();
    if (a == NULL)
        return NULL;
    pthread_mutex_lock(&a->lock);
    if (adapter_socket(a, fd) != NULL)
        return a;
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

static uint32_t option(struct adapter *a, const struct handle *h, int name)
{
    int v = 0;
    size_t n = sizeof(v);
    int e = file_getsockopt(host_files(a->host), host_clock(a->host), h->file, SOL_SOCKET, name, &v,
                            &n);
    return e == 0 ? (uint32_t)v : 0;
}

static void put_meminfo(struct adapter *a, const struct handle *h, void *value, socklen_t *n)
{
    uint32_t v[MEMINFO_VARS] = {0};
    v[0] = (uint32_t)host_inq(a->host, h->file);
    v[1] = option(a, h, OPT_RCVBUF);
    v[3] = option(a, h, OPT_SNDBUF);
    v[5] = (uint32_t)host_outq(a->host, h->file);
    *n = *n < sizeof(v) ? *n : (socklen_t)sizeof(v);
    memcpy(value, v, *n);
}

__attribute__((visibility("default"))) int getsockopt(int fd, int level, int name,
                                                      void *restrict value, socklen_t *restrict n)
{
    struct adapter *a = enter_for(fd);
    if (a == NULL)
        return (int)syscall(SYS_getsockopt, fd, level, name, value, n);
    const struct handle *h = adapter_socket(a, fd);
    bool is_meminfo = level == SOL_SOCKET && name == OPT_MEMINFO;
    if (is_meminfo)
        put_meminfo(a, h, value, n);
    pthread_mutex_unlock(&a->lock);
    return is_meminfo ? 0 : adapter_getsockopt(a, fd, level, name, value, n);
}

int kernel_close(int fd) { return (int)syscall(SYS_close, fd); }

__attribute__((visibility("default"))) int close(int fd)
{
    struct adapter *a = enter_for(fd);
    if (a == NULL)
        return kernel_close(fd);
    return (int)adapter_leave(a, adapter_close_handle(a, adapter_socket(a, fd)));
}

static ssize_t send_file(int to, int from, off_t *at, size_t n)
{
    uint8_t buf[SEND_CHUNK];
    struct adapter *a = enter_for(to);
    if (a == NULL)
        return syscall(SYS_sendfile, to, from, at, n);
    pthread_mutex_unlock(&a->lock);
    size_t done = 0;
    ssize_t r = 0;
    do {
        size_t part = n - done < sizeof(buf) ? n - done : sizeof(buf);
        ssize_t got = at != NULL ? pread(from, buf, part, *at) : read(from, buf, part);
        r = got > 0 ? adapter_send(a, to, buf, (size_t)got) : got;
        done += r > 0 ? (size_t)r : 0;
        if (at != NULL && r > 0)
            *at += r;
    } while (r > 0 && done < n);
    return done != 0 ? (ssize_t)done : r;
}

/* Programs built for 64-bit offsets ask for sendfile64, others for sendfile. */
ssize_t sendfile_32(int to, int from, off_t *at, size_t n) __asm__("sendfile");
ssize_t sendfile_64(int to, int from, off_t *at, size_t n) __asm__("sendfile64");

__attribute__((visibility("default"))) ssize_t sendfile_32(int to, int from, off_t *at, size_t n)
{
    return send_file(to, from, at, n);
}

__attribute__((visibility("default"))) ssize_t sendfile_64(int to, int from, off_t *at, size_t n)
{
    return send_file(to, from, at, n);
}

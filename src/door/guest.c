/* SPDX-License-Identifier: Apache-2.0
 *
 * Looking into the program: memory by process_vm_readv and writev, descriptors by pidfd_getfd.
 *
 * A thread that waits for an answer can be killed, and its number reused, while we look. So before
 * memory is written guest_is_waiting() asks the kernel whether the call still stands; what is read
 * from a wrong process is harmless, because the answer to a call that no longer stands goes
 * nowhere.
 *
 * Descriptors belong to a thread's descriptor table, so pidfds are of threads (PIDFD_THREAD, Linux
 * 6.9). Older kernels have pidfds of whole processes only; there the process is looked up each time
 * for threads that are not the first, and the cache holds first threads only.
 *
 * Called by the files of door/ that answer calls. Owns the cached pidfds.
 */
#include "door/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PIDFD_THREAD_FLAG = O_EXCL, IOV_BATCH = 64 };

void guests_init(struct guests *g, int notify_fd)
{
    *g = (struct guests){.notify_fd = notify_fd};
    for (unsigned i = 0; i < GUEST_CACHE; i++)
        g->cache[i].pidfd = -1;
}

void guests_free(struct guests *g)
{
    for (unsigned i = 0; i < GUEST_CACHE; i++)
        if (g->cache[i].pidfd >= 0)
            (void)close(g->cache[i].pidfd);
    guests_init(g, -1);
}

bool guest_is_waiting(const struct guests *g, const struct ask *a)
{
    return ioctl(g->notify_fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &a->id) == 0;
}

/* The number after `key` in a file of /proc; -1 when there is none. */
static long proc_number(const char *path, const char *key, int base)
{
    char text[512];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n = read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    if (n <= 0)
        return -1;
    text[n] = 0;
    const char *at = strstr(text, key);
    return at == NULL ? -1 : strtol(at + strlen(key), NULL, base);
}

/* The process a thread belongs to; -1 when it is gone. */
static pid_t guest_process(pid_t tid)
{
    char path[48];
    snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
    return (pid_t)proc_number(path, "\nTgid:", 10);
}

bool guest_is_cloexec(pid_t tid, int num)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)tid, num);
    long flags = proc_number(path, "flags:", 8);
    return flags >= 0 && (flags & O_CLOEXEC) != 0;
}

/* ---- signals ---- */

enum {
    GUEST_PAGE = 4096,
    FRAME_PAGES = 4, /* the registers of the widest vector units lie between: 11 KiB with AMX */
};

/* The stack pointer of a thread that waits in a call; 0 when it cannot be seen. The line in /proc:
 * number, six arguments, stack pointer, instruction pointer. */
static uint64_t guest_stack_pointer(pid_t tid)
{
    char path[48], text[256];
    unsigned long long sp = 0;
    snprintf(path, sizeof(path), "/proc/%d/syscall", (int)tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0)
        (void)close(fd);
    text[n > 0 ? n : 0] = 0;
    return sscanf(text, "%*s %*s %*s %*s %*s %*s %*s %llx", &sp) == 1 ? sp : 0;
}

/* w: rax rcx rsp rip, as struct sigcontext has them. A call that starts again will have its number
 * in rax and begin at the two bytes of `syscall`; one that returned has EINTR there. */
static bool is_frame_of(const uint64_t w[4], const struct ask *a, uint64_t sp)
{
    enum { RAX, RCX, RSP, RIP, SYSCALL_BYTES = 2 };
    bool is_restart = w[RIP] == a->ip - SYSCALL_BYTES && w[RAX] == (uint64_t)a->nr;
    bool is_return = w[RIP] == a->ip && w[RAX] == (uint64_t)-EINTR;
    return w[RSP] == sp && (is_restart || is_return);
}

/* The thread's memory below sp into `stack`, which ends where sp is: from the top down, by pages,
 * because the stack may end soon. The bytes read. */
static size_t read_below(pid_t tid, uint64_t sp, uint8_t *stack, size_t size)
{
    struct iovec ours[FRAME_PAGES], theirs[FRAME_PAGES];
    size_t n = sp % GUEST_PAGE, below = 0;
    for (unsigned i = 0; i < FRAME_PAGES; i++, n = GUEST_PAGE) {
        below += n;
        ours[i] = (struct iovec){stack + size - below, n};
        theirs[i] = (struct iovec){(void *)(uintptr_t)(sp - below), n};
    }
    ssize_t r = process_vm_readv(tid, ours, FRAME_PAGES, theirs, FRAME_PAGES, 0);
    return r < 0 ? 0 : (size_t)r;
}

bool guest_was_interrupted(const struct ask *a)
{
    enum { WORDS = FRAME_PAGES * GUEST_PAGE / 8 };
    uint64_t stack[WORDS], sp = guest_stack_pointer(a->tid);
    if (sp < sizeof(stack) || sp % sizeof(stack[0]) != 0)
        return false;
    size_t n = read_below(a->tid, sp, (uint8_t *)stack, sizeof(stack)) / sizeof(stack[0]);
    for (size_t i = WORDS - n; i + 4 <= WORDS; i++)
        if (is_frame_of(&stack[i], a, sp))
            return true;
    return false;
}

/* A new pidfd; *can_keep says whether it still means this thread next time. */
static int guest_pidfd_open(pid_t tid, bool *can_keep)
{
    *can_keep = true;
    int fd = (int)syscall(SYS_pidfd_open, tid, PIDFD_THREAD_FLAG);
    if (fd >= 0 || errno != EINVAL)
        return fd;
    fd = (int)syscall(SYS_pidfd_open, tid, 0);
    if (fd >= 0 || errno != EINVAL)
        return fd;
    *can_keep = false;
    return (int)syscall(SYS_pidfd_open, guest_process(tid), 0);
}

static int getfd(int pidfd, int num)
{
    int fd = (int)syscall(SYS_pidfd_getfd, pidfd, num, 0);
    return fd < 0 ? -errno : fd;
}

static int guest_fd_uncached(struct guests *g, pid_t tid, int num)
{
    bool can_keep;
    int pidfd = guest_pidfd_open(tid, &can_keep);
    if (pidfd < 0)
        return -EBADF;
    int fd = getfd(pidfd, num);
    if (!can_keep || fd == -ESRCH) {
        (void)close(pidfd);
        return fd;
    }
    unsigned i = (unsigned)tid % GUEST_CACHE;
    if (g->cache[i].pidfd >= 0)
        (void)close(g->cache[i].pidfd);
    g->cache[i].tid = tid;
    g->cache[i].pidfd = pidfd;
    return fd;
}

int guest_fd(struct guests *g, pid_t tid, int num)
{
    unsigned i = (unsigned)tid % GUEST_CACHE;
    int fd = -ESRCH;
    if (num < 0)
        return -EBADF;
    if (g->cache[i].pidfd >= 0 && g->cache[i].tid == tid)
        fd = getfd(g->cache[i].pidfd, num);
    if (fd == -ESRCH)
        fd = guest_fd_uncached(g, tid, num);
    return fd == -ESRCH ? -EBADF : fd;
}

/* ---- memory ---- */

static int64_t vm_result(ssize_t r)
{
    if (r >= 0)
        return r;
    return errno == EPERM || errno == ESRCH ? -errno : -EFAULT;
}

int guest_read(const struct ask *a, uint64_t at, void *to, size_t n)
{
    if (n == 0)
        return 0;
    struct iovec ours = {to, n}, theirs = {(void *)(uintptr_t)at, n};
    int64_t r = vm_result(process_vm_readv(a->tid, &ours, 1, &theirs, 1, 0));
    return r < 0 ? (int)r : (size_t)r == n ? 0 : -EFAULT;
}

int guest_write(const struct guests *g, const struct ask *a, uint64_t at, const void *from,
                size_t n)
{
    if (n == 0)
        return 0;
    if (!guest_is_waiting(g, a))
        return -ESRCH;
    struct iovec ours = {(void *)(uintptr_t)from, n}, theirs = {(void *)(uintptr_t)at, n};
    int64_t r = vm_result(process_vm_writev(a->tid, &ours, 1, &theirs, 1, 0));
    return r < 0 ? (int)r : (size_t)r == n ? 0 : -EFAULT;
}

/* The pieces of v from *at on that hold at most n bytes, as a batch of iovecs. */
static unsigned batch(const struct guest_iov *v, unsigned n_iov, unsigned *at, size_t n,
                      struct iovec out[IOV_BATCH])
{
    unsigned k = 0;
    for (; *at < n_iov && k < IOV_BATCH && n > 0; (*at)++) {
        size_t len = v[*at].len < n ? (size_t)v[*at].len : n;
        if (len == 0)
            continue;
        out[k++] = (struct iovec){(void *)(uintptr_t)v[*at].base, len};
        n -= len;
    }
    return k;
}

static size_t batch_bytes(const struct iovec *v, unsigned k)
{
    size_t n = 0;
    for (unsigned i = 0; i < k; i++)
        n += v[i].iov_len;
    return n;
}

int64_t guest_gather(const struct ask *a, const struct guest_iov *v, unsigned n_iov, void *to,
                     size_t n)
{
    struct iovec theirs[IOV_BATCH];
    size_t done = 0;
    for (unsigned at = 0; done < n;) {
        unsigned k = batch(v, n_iov, &at, n - done, theirs);
        size_t want = batch_bytes(theirs, k);
        if (want == 0)
            break;
        struct iovec ours = {(uint8_t *)to + done, want};
        int64_t r = vm_result(process_vm_readv(a->tid, &ours, 1, theirs, k, 0));
        if (r < 0 || (size_t)r != want)
            return r < 0 ? r : -EFAULT;
        done += want;
    }
    return (int64_t)done;
}

int64_t guest_scatter(const struct guests *g, const struct ask *a, const struct guest_iov *v,
                      unsigned n_iov, const void *from, size_t n)
{
    struct iovec theirs[IOV_BATCH];
    size_t done = 0;
    if (n > 0 && !guest_is_waiting(g, a))
        return -ESRCH;
    for (unsigned at = 0; done < n;) {
        unsigned k = batch(v, n_iov, &at, n - done, theirs);
        size_t want = batch_bytes(theirs, k);
        if (want == 0)
            break;
        struct iovec ours = {(uint8_t *)(uintptr_t)from + done, want};
        int64_t r = vm_result(process_vm_writev(a->tid, &ours, 1, theirs, k, 0));
        if (r < 0 || (size_t)r != want)
            return r < 0 ? r : -EFAULT;
        done += want;
    }
    return (int64_t)done;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The program from outside: its memory, its descriptors, the call it waits in.
 */
#ifndef WEIR_DOOR_GUEST_H
#define WEIR_DOOR_GUEST_H

#include "base/base.h"

#include <sys/types.h>

/* A system call that a thread of the program waits in. */
struct ask {
    uint64_t id; /* the kernel's; invalid once the thread was killed or interrupted */
    pid_t tid;
    int nr;          /* SYS_… of x86-64 */
    bool is_foreign; /* made by the i386 entry: nr and arg are i386's */
    uint64_t arg[6];
    uint64_t ip; /* the instruction after the call's */
};

static inline int ask_fd(const struct ask *a) { return (int)(uint32_t)a->arg[0]; }

enum { GUEST_CACHE = 128 };

/* Open pidfds of threads that asked lately. A pidfd means one thread for ever: when the number is
 * reused by another, the old pidfd answers ESRCH and is replaced. */
struct guests {
    int notify_fd;
    struct {
        pid_t tid;
        int pidfd;
    } cache[GUEST_CACHE];
};

void guests_init(struct guests *, int notify_fd);
void guests_free(struct guests *);

/* The thread still waits in this very call: what was read from its memory was its own. */
bool guest_is_waiting(const struct guests *, const struct ask *);

/* A signal took the thread out of this call before the answer reached it, and the call was made
 * again: the frame of the signal still lies below the thread's stack pointer. False when that can
 * not be seen (the handler ran on another stack). */
bool guest_was_interrupted(const struct ask *);

/* A copy of descriptor `num` of the thread, close-on-exec, the caller's to close; or -EBADF, or
 * -EPERM when the kernel does not let us look into that process (not dumpable). */
int guest_fd(struct guests *, pid_t tid, int num);

/* Whether descriptor `num` of the thread closes on exec; false when that cannot be seen. */
bool guest_is_cloexec(pid_t tid, int num);

/* Exactly n bytes from or to the thread's memory: 0, -EFAULT, -EPERM as above, or -ESRCH when the
 * thread is gone or (looked at before writing) waits no more. n = 0 touches nothing. */
int guest_read(const struct ask *, uint64_t at, void *to, size_t n);
int guest_write(const struct guests *, const struct ask *, uint64_t at, const void *from, size_t n);

struct guest_iov { /* struct iovec as it lies in the program's memory */
    uint64_t base, len;
};
/* Gathers from, or scatters to, at most n bytes over v[n_iov]: bytes moved, or as above. */
int64_t guest_gather(const struct ask *, const struct guest_iov *v, unsigned n_iov, void *to,
                     size_t n);
int64_t guest_scatter(const struct guests *, const struct ask *, const struct guest_iov *v,
                      unsigned n_iov, const void *from, size_t n);

#endif

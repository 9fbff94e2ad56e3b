/* SPDX-License-Identifier: Apache-2.0
 *
 * The seccomp filter: which system calls of the program stop and ask, and which do not.
 *
 * Asked about (SECCOMP_RET_USER_NOTIF): socket() of the internet families; calls that name an
 * address or an option of a socket, whatever descriptor they are for (a filter sees numbers, not
 * what a descriptor is); sendto and recvfrom only with an address or a flag that AF_UNIX would
 * answer differently; socket ioctls. Refused: io_uring_setup, which could do all of these unseen,
 * so that programs fall back. Everything else runs untouched: read, write, poll, epoll, close …
 *
 * The calls of other architectures: x32 is refused; of i386 the two calls that can make an internet
 * socket are asked about, so that the answer can be EAFNOSUPPORT for these and nothing else.
 *
 * Layout: a list of comparisons in the order of the table below, each falling through to the next,
 * then the common endings. Calls that are not in the table are always allowed without a look at
 * their arguments, which the kernel notices and caches.
 */
#include "door/filter.h"
#include "base/base.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define ALLOW  SECCOMP_RET_ALLOW
#define ASK    SECCOMP_RET_USER_NOTIF
#define REFUSE (SECCOMP_RET_ERRNO | ENOSYS)

enum { X32_BIT = 0x40000000, I386_SOCKETCALL = 102, I386_SOCKET = 359, I386_IO_URING_SETUP = 425 };
enum { IOCTL_TIOCOUTQ = 0x5411, IOCTL_SOCKET_FIRST = 0x8905, IOCTL_SOCKET_END = 0x8a00 };

/* Flags for which a pair of AF_UNIX sockets is not a TCP connection. */
#define SEND_FLAGS (MSG_OOB | MSG_FASTOPEN)
#define RECV_FLAGS (MSG_OOB | MSG_ERRQUEUE)

struct prog {
    struct sock_filter *at;
    unsigned n;
};

static void emit(struct prog *p, uint16_t code, uint32_t k, unsigned jt, unsigned jf)
{
    WEIR_ASSERT(p->n < FILTER_MAX && jt < 256 && jf < 256);
    p->at[p->n++] = (struct sock_filter){code, (uint8_t)jt, (uint8_t)jf, k};
}

static void emit_load(struct prog *p, size_t off)
{
    emit(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)off, 0, 0);
}

static void emit_ret(struct prog *p, uint32_t k) { emit(p, BPF_RET | BPF_K, k, 0, 0); }

static size_t arg_low(unsigned i) { return offsetof(struct seccomp_data, args) + 8 * i; }

/* if (nr == k) return what; */
static void emit_nr(struct prog *p, uint32_t nr, uint32_t what)
{
    emit(p, BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1);
    emit_ret(p, what);
}

/* if (nr == SYS_socket) return family is an internet family ? ASK : ALLOW; */
static void emit_socket(struct prog *p, uint32_t nr)
{
    emit(p, BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 5);
    emit_load(p, arg_low(0));
    emit(p, BPF_JMP | BPF_JEQ | BPF_K, AF_INET, 1, 0);
    emit(p, BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 0, 1);
    emit_ret(p, ASK);
    emit_ret(p, ALLOW);
}

/* if (nr == k) return an address is given, or one of the flags is set ? ASK : ALLOW; */
static void emit_addressed(struct prog *p, uint32_t nr, uint32_t flags)
{
    emit(p, BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 8);
    emit_load(p, arg_low(4));
    emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 4);
    emit_load(p, arg_low(4) + 4);
    emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2);
    emit_load(p, arg_low(3));
    emit(p, BPF_JMP | BPF_JSET | BPF_K, flags, 0, 1);
    emit_ret(p, ASK);
    emit_ret(p, ALLOW);
}

/* if (nr == SYS_ioctl) return it is about sockets ? ASK : ALLOW; FIONREAD and FIONBIO are not: the
 * placeholder's own answer is right. */
static void emit_ioctl(struct prog *p)
{
    emit(p, BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 6);
    emit_load(p, arg_low(1));
    emit(p, BPF_JMP | BPF_JEQ | BPF_K, IOCTL_TIOCOUTQ, 2, 0);
    emit(p, BPF_JMP | BPF_JGE | BPF_K, IOCTL_SOCKET_FIRST, 0, 2);
    emit(p, BPF_JMP | BPF_JGE | BPF_K, IOCTL_SOCKET_END, 1, 0);
    emit_ret(p, ASK);
    emit_ret(p, ALLOW);
}

static const uint16_t asked[] = {
    SYS_connect,     SYS_accept,      SYS_accept4,    SYS_bind,       SYS_listen,
    SYS_getsockname, SYS_getpeername, SYS_getsockopt, SYS_setsockopt, SYS_shutdown,
    SYS_sendmsg,     SYS_recvmsg,     SYS_sendmmsg,   SYS_recvmmsg,
};

unsigned filter_build(struct sock_filter *code)
{
    struct prog p = {.at = code};
    emit_load(&p, offsetof(struct seccomp_data, arch));
    emit(&p, BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 9, 0);
    /* i386 */
    emit(&p, BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_I386, 1, 0);
    emit_ret(&p, REFUSE);
    emit_load(&p, offsetof(struct seccomp_data, nr));
    emit(&p, BPF_JMP | BPF_JEQ | BPF_K, I386_SOCKETCALL, 2, 0);
    emit(&p, BPF_JMP | BPF_JEQ | BPF_K, I386_SOCKET, 1, 0);
    emit(&p, BPF_JMP | BPF_JEQ | BPF_K, I386_IO_URING_SETUP, 2, 1);
    emit_ret(&p, ASK);
    emit_ret(&p, ALLOW);
    emit_ret(&p, REFUSE);
    /* x86-64 and x32 */
    emit_load(&p, offsetof(struct seccomp_data, nr));
    emit(&p, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
    emit_ret(&p, REFUSE);
    for (unsigned i = 0; i < WEIR_COUNT(asked); i++)
        emit_nr(&p, asked[i], ASK);
    emit_socket(&p, SYS_socket);
    emit_addressed(&p, SYS_sendto, SEND_FLAGS);
    emit_addressed(&p, SYS_recvfrom, RECV_FLAGS);
    emit_ioctl(&p);
    emit_nr(&p, SYS_io_uring_setup, REFUSE);
    emit_ret(&p, ALLOW);
    return p.n;
}

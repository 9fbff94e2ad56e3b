/* SPDX-License-Identifier: Apache-2.0
 *
 * If this fails, programs stop at every read, or an internet socket slips past weir to the kernel.
 *
 * The filter is run here by a small interpreter of the few instructions it uses, over the calls and
 * arguments that matter; the kernel itself is asked whether it accepts the program.
 */
#include "unit.h"

#include "base/base.h"
#include "door/filter.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <errno.h>

enum { STEPS_MAX = 1000 };

static uint32_t decide(const struct seccomp_data *data)
{
    struct sock_filter code[FILTER_MAX];
    unsigned n = filter_build(code), pc = 0;
    uint32_t acc = 0;
    for (int step = 0; step < STEPS_MAX; step++) {
        assert_true(pc < n);
        const struct sock_filter *f = &code[pc++];
        switch (f->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            assert_true(f->k + 4 <= sizeof(*data));
            memcpy(&acc, (const uint8_t *)data + f->k, sizeof(acc));
            break;
        case BPF_JMP | BPF_JEQ | BPF_K: pc += acc == f->k ? f->jt : f->jf; break;
        case BPF_JMP | BPF_JGE | BPF_K: pc += acc >= f->k ? f->jt : f->jf; break;
        case BPF_JMP | BPF_JSET | BPF_K: pc += (acc & f->k) != 0 ? f->jt : f->jf; break;
        case BPF_RET | BPF_K: return f->k;
        default: fail_msg("instruction %#x", f->code);
        }
    }
    fail_msg("no end");
    return 0;
}

struct row {
    uint32_t arch;
    int nr;
    uint64_t arg[6];
    uint32_t want;
};

#define X86    AUDIT_ARCH_X86_64
#define OLD    AUDIT_ARCH_I386
#define ALLOW  SECCOMP_RET_ALLOW
#define ASK    SECCOMP_RET_USER_NOTIF
#define REFUSE (SECCOMP_RET_ERRNO | ENOSYS)

static const struct row rows[] = {
    {X86, SYS_read, {0}, ALLOW},
    {X86, SYS_close, {0}, ALLOW},
    {X86, SYS_epoll_wait, {0}, ALLOW},
    {X86, SYS_socket, {AF_INET}, ASK},
    {X86, SYS_socket, {AF_INET6}, ASK},
    {X86, SYS_socket, {AF_UNIX}, ALLOW},
    {X86, SYS_socket, {AF_NETLINK}, ALLOW},
    {X86, SYS_connect, {3}, ASK},
    {X86, SYS_accept4, {3}, ASK},
    {X86, SYS_recvmmsg, {3}, ASK},
    {X86, SYS_shutdown, {3}, ASK},
    {X86, SYS_sendto, {3, 1, 1, MSG_NOSIGNAL, 0, 0}, ALLOW},
    {X86, SYS_sendto, {3, 1, 1, 0, 0x1000, 16}, ASK},
    {X86, SYS_sendto, {3, 1, 1, 0, 0x100000000, 16}, ASK},
    {X86, SYS_sendto, {3, 1, 1, MSG_OOB, 0, 0}, ASK},
    {X86, SYS_recvfrom, {3, 1, 1, MSG_PEEK, 0, 0}, ALLOW},
    {X86, SYS_recvfrom, {3, 1, 1, MSG_ERRQUEUE, 0, 0}, ASK},
    {X86, SYS_recvfrom, {3, 1, 1, 0, 0x7f0000000000, 0}, ASK},
    {X86, SYS_ioctl, {3, 0x5401}, ALLOW}, /* TCGETS */
    {X86, SYS_ioctl, {3, 0x541b}, ALLOW}, /* FIONREAD */
    {X86, SYS_ioctl, {3, 0x5421}, ALLOW}, /* FIONBIO */
    {X86, SYS_ioctl, {3, 0x5411}, ASK},   /* SIOCOUTQ */
    {X86, SYS_ioctl, {3, 0x8901}, ALLOW}, /* FIOSETOWN */
    {X86, SYS_ioctl, {3, 0x8905}, ASK},   /* SIOCATMARK */
    {X86, SYS_ioctl, {3, 0x8927}, ASK},   /* SIOCGIFHWADDR */
    {X86, SYS_ioctl, {3, 0x8a00}, ALLOW},
    {X86, SYS_io_uring_setup, {8}, REFUSE},
    {X86, 0x40000000 | SYS_socket, {AF_INET}, REFUSE},
    {OLD, 102, {1}, ASK},
    {OLD, 359, {AF_INET}, ASK},
    {OLD, 425, {8}, REFUSE},
    {OLD, 3, {0}, ALLOW},
    {AUDIT_ARCH_AARCH64, SYS_read, {0}, REFUSE},
};

static void every_row(void **state)
{
    (void)state;
    for (unsigned i = 0; i < WEIR_COUNT(rows); i++) {
        struct seccomp_data data = {.nr = rows[i].nr, .arch = rows[i].arch};
        memcpy(data.args, rows[i].arg, sizeof(data.args));
        if (decide(&data) != rows[i].want)
            fail_msg("row %u: call %d answers %#x", i, rows[i].nr, decide(&data));
    }
}

/* Jumps land inside, and every path ends in a return: the kernel checks the same. */
static void well_formed(void **state)
{
    struct sock_filter code[FILTER_MAX];
    unsigned n = filter_build(code);
    (void)state;
    for (unsigned i = 0; i < n; i++)
        if (BPF_CLASS(code[i].code) == BPF_JMP)
            assert_true(i + 1 + code[i].jt < n && i + 1 + code[i].jf < n);
    assert_int_equal(BPF_CLASS(code[n - 1].code), BPF_RET);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_row),
    cmocka_unit_test(well_formed),
};
UNIT_MAIN(tests)

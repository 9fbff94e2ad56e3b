/* SPDX-License-Identifier: Apache-2.0
 *
 * Which call of the program goes where.
 *
 * A call about a descriptor that is no placeholder goes back to the kernel, untouched: the filter
 * cannot see what a descriptor is. Calls about placeholders are answered by stream.c, msg.c and
 * opt.c; some of them go back to the kernel as well, because the pair's own answer is the right
 * one.
 *
 * Called by door.c for every call that arrives, and by wait.c when a call that waited has its
 * result. Order of checks is Linux's: descriptor, then the type of the socket, then its state, then
 * memory.
 */
#include "door/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { I386_SOCKETCALL = 102, I386_SOCKETCALL_SOCKET = 1 };

bool hand_is_nonblock(const struct hand *h) { return (fcntl(h->copy, F_GETFL) & O_NONBLOCK) != 0; }

static int64_t answer_bind(struct door *d, struct hand *h)
{
    struct weir_addr a;
    int r = name_read(h->ask, h->plug, h->ask->arg[1], h->ask->arg[2], &a);
    if (r < 0)
        return r;
    return h->plug->state == PLUG_DEAD ? -EINVAL : file_bind(d->ft, h->plug->file, &a);
}

static int64_t answer_getsockname(struct door *d, struct hand *h)
{
    struct plug *p = h->plug;
    struct weir_addr a = p->local;
    int r = p->state == PLUG_DEAD ? 0 : file_getsockname(d->ft, p->file, &a);
    return r < 0 ? r : name_write(d, h->ask, p, &a, &h->ask->arg[1]);
}

static int64_t answer_getpeername(struct door *d, struct hand *h)
{
    struct plug *p = h->plug;
    struct weir_addr a;
    int r = p->state == PLUG_DEAD ? -ENOTCONN : file_getpeername(d->ft, p->file, &a);
    if (r < 0)
        return r;
    name_unmap(p, &a);
    return name_write(d, h->ask, p, &a, &h->ask->arg[1]);
}

static int64_t answer_hand(struct door *d, struct hand *h)
{
    switch (h->ask->nr) {
    case SYS_connect: return stream_connect(d, h);
    case SYS_bind: return answer_bind(d, h);
    case SYS_listen: return stream_listen(d, h);
    case SYS_accept:
    case SYS_accept4: return stream_accept(d, h);
    case SYS_shutdown: return stream_shutdown(d, h);
    case SYS_getsockname: return answer_getsockname(d, h);
    case SYS_getpeername: return answer_getpeername(d, h);
    case SYS_getsockopt: return opt_get(d, h);
    case SYS_setsockopt: return opt_set(d, h);
    case SYS_ioctl: return opt_ioctl(d, h);
    case SYS_sendto: return msg_sendto(d, h);
    case SYS_recvfrom: return msg_recvfrom(d, h);
    case SYS_sendmsg: return msg_sendmsg(d, h);
    case SYS_recvmsg: return msg_recvmsg(d, h);
    case SYS_sendmmsg: return msg_sendmmsg(d, h);
    case SYS_recvmmsg: return msg_recvmmsg(d, h);
    default: return ANSWER_KERNEL;
    }
}

/* i386: internet sockets are refused, the rest is the kernel's. */
static int64_t answer_foreign(struct door *d, const struct ask *a)
{
    uint32_t family = (uint32_t)a->arg[0];
    if (a->nr == I386_SOCKETCALL) {
        if ((uint32_t)a->arg[0] != I386_SOCKETCALL_SOCKET ||
            guest_read(a, (uint32_t)a->arg[1], &family, sizeof(family)) < 0)
            return ANSWER_KERNEL;
    }
    if (family != AF_INET && family != AF_INET6)
        return ANSWER_KERNEL;
    report_refusal(d, "socket of a 32-bit program", (int)family, 0);
    return -EAFNOSUPPORT;
}

/* A program that closes a descriptor and then binds or connects to its port expects the port to be
 * free: closing is no call that asks, so first what weir's ends have to tell is heard. */
static bool is_about_ports(const struct ask *a)
{
    bool is_opening = (a->nr == SYS_sendto && (a->arg[3] & MSG_FASTOPEN) != 0) ||
                      (a->nr == SYS_sendmsg && (a->arg[2] & MSG_FASTOPEN) != 0);
    return is_opening || a->nr == SYS_bind || a->nr == SYS_connect || a->nr == SYS_listen;
}

static int64_t answer_native(struct door *d, const struct ask *a)
{
    struct hand h = {.ask = a};
    if (a->nr == SYS_socket)
        return stream_socket(d, a);
    h.plug = plug_of(d, a, &h.copy);
    if (h.copy == -EPERM)
        report_refusal(d, "look into a process that forbids it", 0, 0);
    int64_t r = h.plug == NULL ? ANSWER_KERNEL : answer_hand(d, &h);
    if (h.copy >= 0)
        (void)close(h.copy);
    return r;
}

/* A second connect() or bind() is refused; unless it is the first one, made again. */
static bool is_refused_twin(const struct ask *a, int64_t r)
{
    return (a->nr == SYS_connect && r == -EISCONN) || (a->nr == SYS_bind && r == -EINVAL);
}

void answer(struct door *d, const struct ask *a)
{
    wait_drop_thread(d, a->tid);
    if (is_about_ports(a))
        loop_catch_up(d->loop, d->on_notify);
    int64_t r = a->is_foreign ? answer_foreign(d, a) : answer_native(d, a);
    if (r == ANSWER_KERNEL)
        ask_continue(d, a);
    else if (is_refused_twin(a, r) && ask_answered_again(d, a))
        return;
    else if (r != ANSWER_LATER && r != -ESRCH) /* ESRCH: it waits no more, and will ask again */
        (void)ask_answer(d, a, r);
}

void answer_wait(struct door *d, struct wait *w)
{
    int64_t r = ANSWER_LATER;
    switch (w->call.op) {
    case FILE_CONNECT: r = stream_connected(d, w); break;
    case FILE_ACCEPT: stream_accepted(d, w); break;
    case FILE_SEND:
    case FILE_RECV: r = msg_waited(d, w); break;
    case FILE_POLL:
    case FILE_CLOSE: r = w->call.result; break;
    }
    if (r != ANSWER_LATER && r != -ESRCH)
        (void)ask_answer(d, &w->ask, r);
    free(w);
}

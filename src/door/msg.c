/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls that name an address, or could: sendto, recvfrom, sendmsg, recvmsg, sendmmsg, recvmmsg.
 *
 * Connected streams: the pair's own answer is right (Linux, too, ignores the address there), but
 * for urgent data, which is refused, the error queue and MSG_FASTOPEN. Datagram sockets: what goes
 * out with an address goes to the stack from here; what comes in lies in the pair (dgram.c) and is
 * taken out of it through a copy of the program's end, with its source put beside. Messages that
 * neither name an address nor carry control data go through the pair natively.
 *
 * A message is a struct box: where in the program's memory its parts lie. All that is written to
 * the program is written before the answer; what cannot be written answers EFAULT, as the kernel
 * does.
 *
 * Called by answer.c and wait.c. Control data is the stack's (weir_sendmsg, weir_recvmsg), but for
 * UDP_SEGMENT, which is done here.
 */
#include "door/state.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

enum { DGRAM_MOST = 65535, MANY_MOST = 1024 };
enum { AT_NAME_LEN = 8, AT_CONTROL_LEN = 40, AT_FLAGS = 48 };
enum { SEND_KNOWN = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_CONFIRM | MSG_DONTROUTE | MSG_EOR };
enum {
    RECV_KNOWN = MSG_DONTWAIT | MSG_PEEK | MSG_TRUNC | MSG_WAITALL | MSG_NOSIGNAL |
                 MSG_CMSG_CLOEXEC | MSG_WAITFORONE
};

struct raw_msghdr { /* struct msghdr of x86-64 */
    uint64_t name;
    uint32_t name_len, pad;
    uint64_t iov, n_iov, control, control_len;
    uint32_t flags, pad2;
};
struct raw_mmsghdr {
    struct raw_msghdr hdr;
    uint32_t len, pad;
};
_Static_assert(sizeof(struct raw_msghdr) == sizeof(struct msghdr), "msghdr");
_Static_assert(sizeof(struct raw_mmsghdr) == 64, "mmsghdr");

struct box {
    struct raw_msghdr h;
    uint64_t at;     /* where h lies; 0: the call has no msghdr */
    uint64_t len_at; /* recvfrom: the address length */
    uint32_t flags;
    size_t room;    /* bytes of all pieces, at most DGRAM_MOST + 1 */
    unsigned n_iov; /* in door.iov */
};

/* ---- boxes ---- */

static int box_iov(struct door *d, const struct ask *a, struct box *b)
{
    uint64_t room = 0;
    if (b->h.n_iov > IOV_MOST)
        return -EMSGSIZE;
    int r = guest_read(a, b->h.iov, d->iov, b->h.n_iov * sizeof(d->iov[0]));
    if (r < 0)
        return r;
    for (unsigned i = 0; i < b->h.n_iov; i++) {
        if (d->iov[i].len > INT64_MAX)
            return -EINVAL;
        room = w_u64_min(room + w_u64_min(d->iov[i].len, DGRAM_MOST + 1), DGRAM_MOST + 1);
    }
    b->n_iov = (unsigned)b->h.n_iov;
    b->room = (size_t)room;
    return 0;
}

/* sendto, recvfrom. */
static void box_flat(struct door *d, const struct ask *a, struct box *b)
{
    *b = (struct box){.h = {.name = a->arg[4]}, .flags = (uint32_t)a->arg[3]};
    d->iov[0] = (struct guest_iov){a->arg[1], a->arg[2]};
    b->n_iov = 1;
    b->room = (size_t)w_u64_min(a->arg[2], DGRAM_MOST + 1);
    if (a->nr == SYS_sendto)
        b->h.name_len = (uint32_t)a->arg[5];
    else
        b->len_at = a->arg[5];
}

/* A msghdr at `at`. */
static int box_header(struct door *d, const struct ask *a, uint64_t at, uint32_t flags,
                      struct box *b)
{
    *b = (struct box){.at = at, .flags = flags};
    int r = guest_read(a, at, &b->h, sizeof(b->h));
    return r < 0 ? r : box_iov(d, a, b);
}

/* The box that a parked call was about: its first message. */
static int box_again(struct door *d, const struct ask *a, struct box *b)
{
    if (a->nr == SYS_sendto || a->nr == SYS_recvfrom) {
        box_flat(d, a, b);
        return 0;
    }
    bool is_many = a->nr == SYS_sendmmsg || a->nr == SYS_recvmmsg;
    return box_header(d, a, a->arg[1], (uint32_t)a->arg[is_many ? 3 : 2], b);
}

/* ---- sending ---- */

static bool is_segment(const struct cmsghdr *c)
{
    return c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_SEGMENT &&
           c->cmsg_len == CMSG_LEN(sizeof(uint16_t));
}

/* The control data into w: *segment > 0 asks to cut into datagrams of that size; the rest is for
 * the stack to judge. */
static int control_read(const struct ask *a, const struct box *b, struct wait *w, size_t *segment)
{
    uint8_t buf[CONTROL_MOST];
    size_t n = (size_t)b->h.control_len, kept = 0;
    if (n > sizeof(buf))
        return -ENOBUFS;
    int r = guest_read(a, b->h.control, buf, n);
    if (r < 0)
        return r;
    for (size_t at = 0; at + sizeof(struct cmsghdr) <= n;) {
        struct cmsghdr c;
        memcpy(&c, buf + at, sizeof(c));
        if (c.cmsg_len < sizeof(c) || c.cmsg_len > n - at)
            return -EINVAL;
        size_t space = w_u64_min(CMSG_ALIGN(c.cmsg_len), n - at);
        if (is_segment(&c)) {
            *segment = (size_t)(buf[at + CMSG_LEN(0)] | buf[at + CMSG_LEN(0) + 1] << 8);
        } else {
            memcpy(w->control + kept, buf + at, space);
            kept += space;
        }
        at += space;
    }
    w->msg = (struct weir_msghdr){.control = w->control, .control_len = kept};
    w->call.msg = kept != 0 ? &w->msg : NULL;
    return 0;
}

/* UDP_SEGMENT: all but the last piece at once; what is left is the caller's. Bytes sent, -errno. */
static int64_t send_segments(struct door *d, struct wait *w, size_t segment)
{
    size_t done = 0;
    weir_sock s = file_sock(d->ft, w->call.file);
    while (w->call.len - done > segment) {
        w->msg.buf = w->buf + done;
        w->msg.len = segment;
        int64_t r = weir_sendmsg(d->w, loop_now(d->loop), s, &w->msg, 0);
        if (r < 0 && r != -EAGAIN)
            return r;
        done += segment; /* what finds no room is lost, as in a full device queue */
        d->n_dgrams_lost += r < 0;
    }
    w->call.buf = w->buf + done;
    w->call.len -= done;
    return (int64_t)done;
}

/* Address, control data and bytes into w; all pieces of UDP_SEGMENT but the last are sent. */
static int send_fill(struct door *d, struct hand *h, const struct box *b, struct wait *w)
{
    size_t segment = 0;
    int64_t n = guest_gather(h->ask, d->iov, b->n_iov, w->buf, b->room);
    int r = n < 0 ? (int)n : 0;
    if (r == 0 && b->h.name != 0)
        r = name_read(h->ask, h->plug, b->h.name, b->h.name_len, &w->call.addr);
    if (r == 0 && b->h.control_len != 0)
        r = control_read(h->ask, b, w, &segment);
    if (r < 0)
        return r;
    w->call.has_addr = b->h.name != 0;
    if (w->call.has_addr)
        name_map(d, h->plug, &w->call.addr);
    w->msg.has_name = w->call.has_addr;
    w->msg.name = w->call.addr;
    w->call.is_nonblock = (b->flags & MSG_DONTWAIT) != 0 || hand_is_nonblock(h);
    if (segment != 0)
        w->more = send_segments(d, w, segment);
    return w->more < 0 ? (int)w->more : 0;
}

/* Everything checked and copied into a new call. */
static int send_prepare(struct door *d, struct hand *h, const struct box *b, struct wait **out)
{
    if ((b->flags & ~(uint32_t)SEND_KNOWN) != 0) {
        report_refusal(d, "flags of sendmsg", 0, (int)b->flags);
        return -EOPNOTSUPP;
    }
    if (b->room > DGRAM_MOST)
        return -EMSGSIZE;
    struct wait *w = wait_new(h->ask, h->plug, FILE_SEND, b->room);
    if (w == NULL)
        return -ENOBUFS;
    int r = send_fill(d, h, b, w);
    if (r < 0)
        free(w);
    else
        *out = w;
    return r;
}

static int64_t send_one(struct door *d, struct hand *h, const struct box *b)
{
    struct wait *w;
    plane_pump(d, h->plug); /* what was written before goes before */
    int r = send_prepare(d, h, b, &w);
    if (r < 0)
        return r;
    wait_submit(d, w);
    return ANSWER_LATER;
}

/* Streams, and dead sockets: what the pair says, but for what it cannot do. */
static int64_t stream_message(struct door *d, struct hand *h, uint32_t flags, bool is_send)
{
    const struct plug *p = h->plug;
    bool is_open = p->state == PLUG_OPEN || p->state == PLUG_CLOSING || p->state == PLUG_DEAD;
    if ((flags & MSG_OOB) != 0 && is_send) {
        report_refusal(d, "send with flags", 0, (int)flags);
        return -EOPNOTSUPP;
    }
    if ((flags & MSG_OOB) != 0 && !is_send)
        return -EINVAL;
    if (is_open || p->state == PLUG_CONNECTING)
        return ANSWER_KERNEL;
    return is_send ? -EPIPE : -ENOTCONN;
}

static bool is_stream(const struct hand *h)
{
    return h->plug->type == WEIR_STREAM || h->plug->state == PLUG_DEAD;
}

/* MSG_FASTOPEN: connects, and what is written goes with the SYN if it may [RFC 7413]. At most
 * DGRAM_MOST bytes are taken, as a short write. */
static int64_t send_opening(struct door *d, struct hand *h, const struct box *b)
{
    struct plug *p = h->plug;
    if (p->state == PLUG_OPEN || p->state == PLUG_LISTEN || p->state == PLUG_CLOSING)
        return -EISCONN;
    if (p->state != PLUG_NEW)
        return p->state == PLUG_CONNECTING ? -EALREADY : -EPIPE;
    struct wait *w = wait_new(h->ask, p, FILE_SEND, w_u64_min(b->room, DGRAM_MOST));
    if (w == NULL)
        return -ENOBUFS;
    struct box cut = *b;
    cut.room = w->call.len;
    cut.h.control_len = 0;
    int r = b->h.name == 0 ? -EINVAL : send_fill(d, h, &cut, w);
    if (r < 0) {
        free(w);
        return r;
    }
    w->call.flags = MSG_FASTOPEN;
    return stream_open_by(d, h, w);
}

int64_t msg_sendto(struct door *d, struct hand *h)
{
    struct box b;
    box_flat(d, h->ask, &b);
    if (is_stream(h))
        return (b.flags & MSG_FASTOPEN) != 0 ? send_opening(d, h, &b)
                                             : stream_message(d, h, b.flags, true);
    return send_one(d, h, &b);
}

/* A message of a connected socket that names nothing. */
static bool is_plain(const struct hand *h, const struct box *b)
{
    return h->plug->has_peer && b->h.name == 0 && b->h.control_len == 0;
}

int64_t msg_sendmsg(struct door *d, struct hand *h)
{
    struct box b;
    uint32_t flags = (uint32_t)h->ask->arg[2];
    if (is_stream(h) && (flags & MSG_FASTOPEN) == 0)
        return stream_message(d, h, flags, true);
    int r = box_header(d, h->ask, h->ask->arg[1], flags, &b);
    if (r < 0)
        return r;
    if (is_stream(h))
        return send_opening(d, h, &b);
    return is_plain(h, &b) ? ANSWER_KERNEL : send_one(d, h, &b);
}

/* Message i of sendmmsg, at once: bytes, or -errno. */
static int64_t send_now(struct door *d, struct hand *h, const struct box *b)
{
    struct wait *w;
    int64_t r = send_prepare(d, h, b, &w);
    if (r < 0)
        return r;
    w->call.is_nonblock = true;
    (void)file_submit(d->ft, loop_now(d->loop), &w->call);
    r = w->call.result < 0 ? w->call.result : w->call.result + w->more;
    free(w);
    return r;
}

int64_t msg_sendmmsg(struct door *d, struct hand *h)
{
    const struct ask *a = h->ask;
    uint32_t flags = (uint32_t)a->arg[3];
    uint32_t n = w_u32_min((uint32_t)a->arg[2], MANY_MOST);
    if (is_stream(h))
        return stream_message(d, h, flags, true);
    int64_t r = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct box b;
        uint64_t at = a->arg[1] + i * sizeof(struct raw_mmsghdr);
        r = box_header(d, a, at, flags, &b);
        if (r == 0 && i == 0 && is_plain(h, &b))
            return ANSWER_KERNEL; /* resolvers: each message is plain when the first is */
        r = r < 0 ? r : send_now(d, h, &b);
        uint32_t len = (uint32_t)r;
        if (r >= 0)
            r = guest_write(&d->guests, a, at + offsetof(struct raw_mmsghdr, len), &len, 4);
        if (r < 0)
            return i > 0 ? (int64_t)i : r;
    }
    return n;
}

/* ---- receiving ---- */

/* Control messages into the program's room for them, as Linux's put_cmsg cuts them. */
static int deliver_control(struct door *d, struct hand *h, const struct box *b, uint8_t *data,
                           size_t n, uint32_t *flags)
{
    uint64_t room = b->h.control != 0 ? b->h.control_len : 0, used = 0;
    for (size_t at = 0; at + sizeof(struct cmsghdr) <= n;) {
        struct cmsghdr c;
        memcpy(&c, data + at, sizeof(c));
        size_t space = CMSG_ALIGN(c.cmsg_len), left = (size_t)(room - used);
        at += space;
        if (left < c.cmsg_len) {
            *flags |= MSG_CTRUNC;
            if (left < sizeof(c))
                break;
            memcpy(data + used, &left, sizeof(left)); /* cmsg_len */
        }
        used += w_u64_min(space, left);
    }
    int r = used == 0 ? 0 : guest_write(&d->guests, h->ask, b->h.control, data, (size_t)used);
    if (r < 0)
        return r;
    return guest_write(&d->guests, h->ask, b->at + AT_CONTROL_LEN, &used, sizeof(used));
}

/* What came with a message, besides its bytes, into the program's memory. */
static int deliver_header(struct door *d, struct hand *h, const struct box *b,
                          struct weir_msghdr *m, uint32_t flags)
{
    const uint64_t name[2] = {b->h.name, b->at != 0 ? b->at + AT_NAME_LEN : b->len_at};
    const uint32_t no_name = 0;
    int r = 0;
    name_unmap(h->plug, &m->name);
    if (b->h.name != 0 && m->has_name)
        r = name_write(d, h->ask, h->plug, &m->name, name);
    else if (b->h.name != 0)
        r = guest_write(&d->guests, h->ask, name[1], &no_name, sizeof(no_name));
    if (r < 0 || b->at == 0)
        return r;
    r = deliver_control(d, h, b, m->control, m->control_len, &flags);
    return r < 0 ? r : guest_write(&d->guests, h->ask, b->at + AT_FLAGS, &flags, sizeof(flags));
}

/* A datagram of n bytes to the program: what the call returns for it. *from passes on. */
static int64_t deliver(struct door *d, struct hand *h, const struct box *b, const void *data,
                       size_t n, struct dgram_from *from)
{
    bool is_cut = n > b->room;
    size_t kept = is_cut ? b->room : n;
    uint32_t flags = is_cut ? MSG_TRUNC : 0;
    struct weir_msghdr m = {.name = from->from, .has_name = true};
    uint8_t control[CONTROL_MOST];
    if (from->control != NULL) {
        m.control = memcpy(control, from->control->data, from->control->n);
        m.control_len = from->control->n;
    }
    int64_t r = guest_scatter(&d->guests, h->ask, d->iov, b->n_iov, data, kept);
    if (r >= 0)
        r = deliver_header(d, h, b, &m, flags);
    if (r == -ESRCH && (b->flags & MSG_PEEK) == 0)
        dgram_put_back(d, h->plug, data, n, from); /* a signal came: for the next who asks */
    else if ((b->flags & MSG_PEEK) == 0)
        dgram_from_free(from);
    if (r < 0)
        return r;
    return (b->flags & MSG_TRUNC) != 0 ? (int64_t)n : (int64_t)kept;
}

/* What lies in the pair, without waiting: as the call returns, -EAGAIN when it is empty. */
static int64_t recv_now(struct door *d, struct hand *h, const struct box *b)
{
    struct plug *p = h->plug;
    struct dgram_from f = {.err = 0};
    bool is_peek = (b->flags & MSG_PEEK) != 0;
    if (!guest_is_waiting(&d->guests, h->ask))
        return -ESRCH; /* before anything is taken for nobody */
    bool is_known = dgram_source(p, &f);
    ssize_t n = recv(h->copy, d->scratch, DGRAM_MOST, MSG_DONTWAIT | (is_peek ? MSG_PEEK : 0));
    if (n < 0)
        return -errno;
    if (is_known && !is_peek)
        dgram_source_pop(p);
    if (f.err != 0) {
        p->err = 0;
        return -f.err;
    }
    return deliver(d, h, b, d->scratch, (size_t)n, &f);
}

/* [recvmsg(2) MSG_ERRQUEUE] Never waits. The stack's queue is the program's: what is taken for a
 * thread that a signal takes away is lost to it, as are errors that find no room. */
static int64_t recv_errqueue(struct door *d, struct hand *h, const struct box *b)
{
    struct plug *p = h->plug;
    uint8_t control[CONTROL_MOST];
    struct weir_msghdr m = {.buf = d->scratch,
                            .len = w_u64_min(b->room, DGRAM_MOST),
                            .control = control,
                            .control_len = sizeof(control)};
    if (p->state == PLUG_DEAD || !guest_is_waiting(&d->guests, h->ask))
        return p->state == PLUG_DEAD ? -EAGAIN : -ESRCH;
    int64_t r = weir_recvmsg(d->w, loop_now(d->loop), file_sock(d->ft, p->file), &m, MSG_ERRQUEUE);
    if (r < 0)
        return r;
    if (m.has_name && p->type == WEIR_DGRAM) {
        p->err = 0; /* the stack tells the next one's, if there is one */
        dgram_unmark(p, h->copy);
    }
    int64_t done = guest_scatter(&d->guests, h->ask, d->iov, b->n_iov, d->scratch, (size_t)r);
    if (done >= 0)
        done = deliver_header(d, h, b, &m, m.flags);
    return done < 0 ? done : r;
}

static int recv_check(struct door *d, const struct box *b)
{
    if ((b->flags & ~(uint32_t)RECV_KNOWN) == 0)
        return 0;
    report_refusal(d, "flags of recvmsg", 0, (int)b->flags);
    return -EOPNOTSUPP;
}

/* Nothing there yet: the call waits for the next datagram. */
static int64_t recv_park(struct door *d, struct hand *h, const struct box *b, w_ns deadline)
{
    struct wait *w = wait_new(h->ask, h->plug, FILE_RECV, DGRAM_MOST);
    if (w == NULL)
        return -ENOBUFS;
    w->call.flags = b->flags & MSG_PEEK;
    w->msg = (struct weir_msghdr){.control = w->control, .control_len = sizeof(w->control)};
    w->call.msg = &w->msg;
    w->call.deadline = deadline;
    wait_submit(d, w);
    return ANSWER_LATER;
}

static int64_t recv_one(struct door *d, struct hand *h, const struct box *b)
{
    if ((b->flags & MSG_ERRQUEUE) != 0)
        return recv_errqueue(d, h, b);
    int64_t r = recv_check(d, b);
    r = r < 0 ? r : recv_now(d, h, b);
    if (r != -EAGAIN || (b->flags & MSG_DONTWAIT) != 0 || hand_is_nonblock(h))
        return r;
    return recv_park(d, h, b, W_NEVER);
}

int64_t msg_recvfrom(struct door *d, struct hand *h)
{
    struct box b;
    box_flat(d, h->ask, &b);
    if (is_stream(h))
        return (b.flags & MSG_ERRQUEUE) != 0 ? recv_errqueue(d, h, &b)
                                             : stream_message(d, h, b.flags, false);
    return recv_one(d, h, &b);
}

int64_t msg_recvmsg(struct door *d, struct hand *h)
{
    struct box b;
    uint32_t flags = (uint32_t)h->ask->arg[2];
    if (is_stream(h) && (flags & MSG_ERRQUEUE) == 0)
        return stream_message(d, h, flags, false);
    int r = box_header(d, h->ask, h->ask->arg[1], flags, &b);
    if (r < 0)
        return r;
    return is_stream(h) ? recv_errqueue(d, h, &b) : recv_one(d, h, &b);
}

static int64_t recv_deadline(struct door *d, const struct ask *a, w_ns *out)
{
    struct timespec ts;
    *out = W_NEVER;
    if (a->arg[4] == 0)
        return 0;
    int r = guest_read(a, a->arg[4], &ts, sizeof(ts));
    if (r < 0)
        return r;
    if (ts.tv_sec < 0 || ts.tv_nsec < 0 || ts.tv_nsec >= (long)W_S)
        return -EINVAL;
    if ((uint64_t)ts.tv_sec < W_NEVER / W_S)
        *out = w_ns_add(loop_now(d->loop), (w_ns)ts.tv_sec * W_S + (w_ns)ts.tv_nsec);
    return 0;
}

/* Message i of recvmmsg, without waiting, its length noted. */
static int64_t recv_i(struct door *d, struct hand *h, uint32_t i)
{
    struct box b;
    uint64_t at = h->ask->arg[1] + i * sizeof(struct raw_mmsghdr);
    int64_t r = box_header(d, h->ask, at, (uint32_t)h->ask->arg[3], &b);
    bool is_errqueue = (b.flags & MSG_ERRQUEUE) != 0;
    r = r < 0 || is_errqueue ? r : recv_check(d, &b);
    if (r >= 0)
        r = is_errqueue ? recv_errqueue(d, h, &b) : recv_now(d, h, &b);
    uint32_t len = (uint32_t)r;
    if (r < 0)
        return r;
    return guest_write(&d->guests, h->ask, at + offsetof(struct raw_mmsghdr, len), &len, 4);
}

/* Answers what is there; waits only for the first message, as with MSG_WAITFORONE. */
int64_t msg_recvmmsg(struct door *d, struct hand *h)
{
    uint32_t flags = (uint32_t)h->ask->arg[3];
    uint32_t n = w_u32_min((uint32_t)h->ask->arg[2], MANY_MOST);
    w_ns deadline;
    if (is_stream(h))
        return stream_message(d, h, flags, false);
    int64_t r = recv_deadline(d, h->ask, &deadline);
    if (r < 0)
        return r;
    for (uint32_t i = 0; i < n; i++) {
        r = recv_i(d, h, i);
        if (r < 0 && i > 0)
            return i;
        if (r == -EAGAIN && (flags & (MSG_DONTWAIT | MSG_ERRQUEUE)) == 0 && !hand_is_nonblock(h)) {
            struct box b = {.flags = flags};
            return recv_park(d, h, &b, deadline);
        }
        if (r < 0)
            return r;
    }
    return n;
}

/* ---- after a wait ---- */

static int64_t recv_waited(struct door *d, struct wait *w)
{
    struct hand h = {.ask = &w->ask, .plug = w->plug, .copy = -1};
    struct box b;
    bool is_many = w->ask.nr == SYS_recvmmsg;
    struct dgram_from from = {.from = w->msg.name};
    if (w->msg.control_len != 0 &&
        (from.control = malloc(sizeof(*from.control) + w->msg.control_len)) != NULL) {
        from.control->n = w->msg.control_len;
        memcpy(from.control->data, w->control, w->msg.control_len);
    }
    int64_t r = box_again(d, &w->ask, &b);
    if (r == -ESRCH && (w->call.flags & MSG_PEEK) == 0)
        dgram_put_back(d, w->plug, w->buf, (size_t)w->call.result, &from);
    else if (r < 0)
        dgram_from_free(&from);
    if (r < 0)
        return r;
    r = deliver(d, &h, &b, w->buf, (size_t)w->call.result, &from);
    if ((b.flags & MSG_PEEK) != 0)
        dgram_from_free(&from);
    uint32_t len = (uint32_t)r;
    if (r < 0 || !is_many)
        return r;
    r = guest_write(&d->guests, &w->ask, w->ask.arg[1] + offsetof(struct raw_mmsghdr, len), &len,
                    4);
    return r < 0 ? r : 1;
}

int64_t msg_waited(struct door *d, struct wait *w)
{
    if (w->plug->type == WEIR_STREAM)
        return stream_opened_by(w);
    if (w->call.result < 0)
        return w->call.result;
    return w->call.op == FILE_RECV ? recv_waited(d, w) : w->call.result + w->more;
}

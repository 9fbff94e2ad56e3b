/* SPDX-License-Identifier: Apache-2.0
 *
 * Options and ioctls of placeholders.
 *
 * An option belongs to weir's socket (file_getsockopt), to the placeholder (SO_RCVLOWAT: its reads
 * are the kernel's), or to both (the time-outs of blocking calls: reads are the kernel's, accept is
 * ours). What is in none of these answers ENOPROTOOPT and is counted: AF_UNIX's own answers would
 * be lies.
 *
 * SO_ERROR is kept per plug once weir's socket is gone; reading it also clears what the placeholder
 * remembers of the same event.
 *
 * Called by answer.c. Interfaces (SIOCGIF…) are in ifreq.c.
 */
#include "door/state.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum { OPT_MOST = 1024, TIMEO_NEW_RCV = 66, TIMEO_NEW_SND = 67 };
enum { STAMP_NEW = 63, STAMPNS_NEW = 64, STAMPING_NEW = 65, INQ = 36 };

static bool is_timeout(int level, int name)
{
    return level == SOL_SOCKET && (name == SO_RCVTIMEO || name == SO_SNDTIMEO ||
                                   name == TIMEO_NEW_RCV || name == TIMEO_NEW_SND);
}

static int take_error(struct door *d, struct hand *h)
{
    struct plug *p = h->plug;
    int err = p->err, native = 0;
    socklen_t n = sizeof(native);
    size_t n_err = sizeof(err);
    p->err = 0;
    if (p->state == PLUG_DEAD) {
        (void)getsockopt(h->copy, SOL_SOCKET, SO_ERROR, &native, &n);
        return err != 0 ? err : native;
    }
    if (err == 0)
        (void)file_getsockopt(d->ft, loop_now(d->loop), p->file, SOL_SOCKET, SO_ERROR, &err,
                              &n_err);
    return err;
}

/* Options whose answer is known here. True: *v is it. */
static bool get_own(struct door *d, struct hand *h, int name, int *v)
{
    const struct plug *p = h->plug;
    switch (name) {
    case SO_ERROR: *v = take_error(d, h); return true;
    case SO_TYPE: *v = p->type; return true;
    case SO_DOMAIN: *v = p->family; return true;
    case SO_PROTOCOL: *v = p->type == WEIR_STREAM ? IPPROTO_TCP : IPPROTO_UDP; return true;
    case SO_ACCEPTCONN: *v = p->state == PLUG_LISTEN; return true;
    default: return false;
    }
}

static int64_t get_write(struct door *d, struct hand *h, const void *val, int32_t n)
{
    int r = guest_write(&d->guests, h->ask, h->ask->arg[3], val, (size_t)n);
    return r < 0 ? r : guest_write(&d->guests, h->ask, h->ask->arg[4], &n, sizeof(n));
}

int64_t opt_get(struct door *d, struct hand *h)
{
    const struct ask *a = h->ask;
    int level = (int)(uint32_t)a->arg[1], name = (int)(uint32_t)a->arg[2], v;
    int32_t room;
    _Alignas(8) uint8_t buf[OPT_MOST];
    int r = guest_read(a, a->arg[4], &room, sizeof(room));
    if (r < 0)
        return r;
    if (room < 0)
        return -EINVAL;
    if (level == SOL_SOCKET && name == SO_RCVLOWAT)
        return ANSWER_KERNEL;
    if (level == SOL_SOCKET && get_own(d, h, name, &v))
        return get_write(d, h, &v, room < (int32_t)sizeof(v) ? room : (int32_t)sizeof(v));
    size_t n = (size_t)room < sizeof(buf) ? (size_t)room : sizeof(buf);
    r = h->plug->state == PLUG_DEAD
            ? -ENOTCONN
            : file_getsockopt(d->ft, loop_now(d->loop), h->plug->file, level, name, buf, &n);
    if (r == -ENOPROTOOPT)
        report_refusal(d, "getsockopt", level, name);
    return r < 0 ? r : get_write(d, h, buf, (int32_t)n);
}

/* What the pair cannot tell: that the error queue of a connection has news (POLLERR), when a write
 * of its own left, when what it reads had arrived, and how much is left (TCP_INQ). Stamps of
 * datagrams that come are told. */
static bool is_untellable(const struct plug *p, int level, int name, const uint8_t *val, int32_t n)
{
    enum { TX_ANY = 0x40303 }; /* SOF_TIMESTAMPING_TX_… */
    uint32_t v = 0;
    bool is_stamping = name == SO_TIMESTAMPING || name == STAMPING_NEW;
    bool is_stamp = is_stamping || name == SO_TIMESTAMP || name == SO_TIMESTAMPNS ||
                    name == STAMP_NEW || name == STAMPNS_NEW;
    memcpy(&v, val, w_u32_min((uint32_t)n, sizeof(v)));
    if (level == IPPROTO_TCP && name == INQ)
        return v != 0;
    if (level != SOL_SOCKET || (!is_stamp && name != SO_ZEROCOPY))
        return false;
    return v != 0 && (p->type == WEIR_STREAM || (is_stamping && (v & TX_ANY) != 0));
}

int64_t opt_set(struct door *d, struct hand *h)
{
    const struct ask *a = h->ask;
    int level = (int)(uint32_t)a->arg[1], name = (int)(uint32_t)a->arg[2];
    int32_t len = (int32_t)(uint32_t)a->arg[4];
    _Alignas(8) uint8_t buf[OPT_MOST];
    if (len < 0 || len > OPT_MOST)
        return -EINVAL;
    int r = guest_read(a, a->arg[3], buf, (size_t)len);
    if (r < 0)
        return r;
    if (level == SOL_SOCKET && name == SO_RCVLOWAT)
        return ANSWER_KERNEL;
    if (h->plug->state == PLUG_DEAD)
        return -EINVAL;
    if (is_untellable(h->plug, level, name, buf, len)) {
        report_refusal(d, "setsockopt", level, name);
        return -ENOPROTOOPT;
    }
    r = file_setsockopt(d->ft, loop_now(d->loop), h->plug->file, level, name, buf, (size_t)len);
    if (r == -ENOPROTOOPT)
        report_refusal(d, "setsockopt", level, name);
    if (r == 0 && h->plug->type == WEIR_DGRAM)
        h->plug->wants_control = true;
    if (r == 0 && is_timeout(level, name))
        (void)setsockopt(h->copy, level, name, buf, (socklen_t)len);
    return r;
}

/* ---- ioctl ---- */

/* Bytes written and not acknowledged, or never sent: those in the pair, too. */
static int64_t ioctl_outq(struct door *d, struct hand *h, bool is_unsent)
{
    struct plug *p = h->plug;
    int held = 0;
    if (p->state == PLUG_LISTEN)
        return -EINVAL;
    weir_sock s = p->file == 0 ? 0 : file_sock(d->ft, p->file);
    int64_t n = s == 0 ? 0 : is_unsent ? weir_outq_unsent(d->w, s) : weir_outq(d->w, s);
    if (p->fd >= 0 && p->type == WEIR_STREAM && ioctl(p->fd, FIONREAD, &held) == 0)
        n += held - (int)p->prefill;
    int32_t v = (int32_t)(n < 0 ? 0 : n);
    return guest_write(&d->guests, h->ask, h->ask->arg[2], &v, sizeof(v));
}

int64_t opt_ioctl(struct door *d, struct hand *h)
{
    uint32_t request = (uint32_t)h->ask->arg[1];
    int32_t no = 0;
    if (request == SIOCOUTQ || request == SIOCOUTQNSD)
        return ioctl_outq(d, h, request == SIOCOUTQNSD);
    if (request == SIOCATMARK) {
        if (h->plug->type != WEIR_STREAM)
            return -ENOTTY;
        return guest_write(&d->guests, h->ask, h->ask->arg[2], &no, sizeof(no));
    }
    return ifreq_ioctl(d, h);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of interfaces, and handing finished frames to a device.
 *
 * Decides what a frame still needs before its device can send it: nothing, a checksum, or to be cut
 * (gso.c). Owns the interfaces and what waits in their queues.
 *
 * Called by stack/ (link_tx, link_next) and when interfaces are configured; calls queue.c, gso.c,
 * txcsum.c.
 *
 * Invariants: an interface's id is its slot + 1; a frame handed out needs nothing its device has
 * not said it does; pieces of a super-segment leave before anything that was queued after it.
 */
#include "link/queue.h"
#include "wire/tcp.h"

#include <errno.h>

enum { GSO_RETRY_MS = 1, GSO_PATIENCE_MS = 100 };

void link_init(struct link *l, struct env *env, struct arena *a)
{
    l->env = env;
    l->full = l->n_told = 0;
    l->is_metered = false;
    memset(l->meter, 0, sizeof l->meter);
    for (unsigned i = 0; i < LINK_NIFS; i++) {
        struct qdisc_later *later =
            arena_take(a, sizeof(struct qdisc_later) * LINK_TXQ_MAX, WEIR_CACHELINE);
        struct aqm_mem mem = aqm_mem_take(a);
        l->nif[i] = (struct nif){0};
        q_init(&l->nif[i].q, later, mem);
    }
}

static void copy_name(char *to, const char *from)
{
    for (unsigned i = 0; i < NIF_NAME - 1 && from[i] != '\0'; i++)
        to[i] = from[i];
}

int link_nif_add(struct link *l, const struct nif_conf *c)
{
    if (c->mtu < 68 || c->mtu > 65535 || c->txqueuelen > LINK_TXQ_MAX)
        return -EINVAL;
    if ((c->flags & NIF_L3) == 0 && (c->mac == NULL || (c->mac[0] & 1) != 0))
        return -EINVAL;
    unsigned i = 0;
    while (i < LINK_NIFS && l->nif[i].id != 0)
        i++;
    if (i == LINK_NIFS)
        return -ENFILE;
    struct nif *nif = &l->nif[i];
    struct qdisc_later *later = nif->q.later;
    struct aqm_mem mem = nif->q.aqm.mem;
    struct aqm_conf qdisc = {.kind = l->env->conf.qdisc};
    *nif = (struct nif){
        .id = (uint8_t)(i + 1),
        .flags = c->flags,
        .caps = c->caps,
        .mtu = c->mtu,
        .dev_mtu = c->mtu,
        .gso_max = c->gso_max != 0 ? w_u32_min(c->gso_max, LINK_GSO_MAX) : LINK_GSO_MAX,
    };
    q_init(&nif->q, later, mem);
    qdisc.limit = c->txqueuelen != 0 ? c->txqueuelen : l->env->conf.txqueuelen;
    link_meter_begin(l, nif, c->rate_bps);
    int r = link_set_qdisc(l, nif, &qdisc);
    WEIR_ASSERT(r == 0); /* the limits of conf.def are in the range, and no kind there needs more */
    if (c->mac != NULL)
        memcpy(nif->mac, c->mac, sizeof nif->mac);
    if (c->name != NULL)
        copy_name(nif->name, c->name);
    return nif->id;
}

int link_nif_change(struct nif *nif, uint32_t mtu, uint32_t caps, uint32_t gso_max)
{
    if (mtu < 68 || mtu > nif->dev_mtu)
        return -EINVAL;
    nif->mtu = mtu;
    nif->caps = caps;
    nif->gso_max = gso_max != 0 ? w_u32_min(gso_max, LINK_GSO_MAX) : LINK_GSO_MAX;
    return 0;
}

/* Everything that waits, counted under `why` where that is a drop. */
static void nif_empty(struct link *l, struct nif *nif, enum drop why)
{
    struct pkt *p = nif->gso;
    nif->gso = NULL;
    while (p != NULL || (p = q_pop_any(l, nif)) != NULL) {
        if (why == DROP_NONE)
            pkt_free(p);
        else
            (void)env_drop(l->env, p, why);
        p = NULL;
    }
}

void link_nif_del(struct link *l, struct nif *nif)
{
    WEIR_ASSERT(nif->id != 0);
    nif_empty(l, nif, DROP_NONE);
    nif->id = 0;
}

/* Whether the device cannot send this super-segment as it is. */
static bool needs_cut(const struct nif *nif, const struct pkt *p)
{
    if ((nif->caps & NIF_CAP_TSO) == 0)
        return true;
    /* A device clears CWR in all pieces but the first. */
    if (WEIR_UNLIKELY((p->tflags & PKT_ACE) != 0) &&
        (wire_tcp_flags(pkt_at(p, p->l4)) & TCPF_CWR) != 0)
        return true;
    return p->len - (uint32_t)(p->l3 - p->off) > nif->gso_max;
}

/* The next frame in its turn, not yet finished; NULL: nothing, or no memory to cut. */
static struct pkt *next_frame(struct link *l, struct nif *nif)
{
    struct pkt *p;
    if (nif->gso != NULL)
        return gso_next(l, nif);
    while ((p = q_pop(l, nif)) != NULL) {
        if (WEIR_LIKELY(p->gso_size == 0) || !needs_cut(nif, p))
            return p;
        if (gso_is_sound(p)) {
            nif->gso = p;
            nif->gso_done = 0;
            nif->gso_piece = 0;
            nif->n.gso_cut++;
            return gso_next(l, nif);
        }
        nif->n.tx_dropped++;
        (void)env_drop(l->env, p, DROP_GSO_BAD);
    }
    return NULL;
}

/* No packet for the next piece. It may come back from the device in a moment; if it does not, this
 * whole and what waits behind it may be what keeps memory empty, and has to go: true. */
static bool gso_gives_up(struct link *l, struct nif *nif, bool has_moved)
{
    w_ns now = l->env->now;
    if (has_moved || nif->gso_until == 0)
        nif->gso_until = now + GSO_PATIENCE_MS * W_MS;
    nif->gso_retry = now + GSO_RETRY_MS * W_MS;
    if (now < nif->gso_until)
        return false;
    struct pkt *whole = nif->gso;
    nif->gso = NULL;
    nif->gso_until = 0;
    nif->n.tx_dropped++;
    (void)env_drop(l->env, whole, DROP_NOMEM);
    return true;
}

unsigned link_tx_waiting(struct link *l, struct nif *nif, struct pkt **v, unsigned max)
{
    unsigned n = 0;
    if ((nif->flags & NIF_UP) == 0) {
        nif_empty(l, nif, DROP_NIF_DOWN);
        return 0;
    }
    while (n < max) {
        struct pkt *p = next_frame(l, nif);
        if (WEIR_UNLIKELY(p == NULL && nif->gso != NULL) && gso_gives_up(l, nif, n != 0))
            continue;
        if (p == NULL)
            break;
        nif->gso_until = 0;
        if (p->csum == CSUM_TODO && (nif->caps & NIF_CAP_TX_CSUM) == 0) {
            link_csum_finish(l, p);
            nif->n.csum_sw++;
        }
        /* The last stage before the wire: nothing is bigger than the link, merged or not; what
         * waited while the MTU became smaller is as big as the device allows. */
        WEIR_CHECK(link_wire_len(p) <= nif->dev_mtu + ((nif->flags & NIF_L3) != 0 ? 0 : 14u));
        nif->n.tx_packets++;
        nif->n.tx_bytes += p->len;
        if (env_traces(l->env))
            link_seen(l, nif, WEIR_T_LEAVE, p);
        v[n++] = p;
    }
    if (WEIR_UNLIKELY(l->is_metered))
        link_meter_tx(l, nif, v, n);
    return n;
}

static w_ns nif_next(const struct link *l, const struct nif *nif)
{
    if (nif->gso != NULL)
        return w_u64_max(nif->gso_retry, l->env->now);
    return q_next(l, nif);
}

w_ns link_next(const struct link *l)
{
    w_ns next = W_NEVER;
    for (unsigned i = 0; i < LINK_NIFS; i++) {
        if (l->nif[i].id != 0)
            next = w_u64_min(next, nif_next(l, &l->nif[i]));
    }
    return next;
}

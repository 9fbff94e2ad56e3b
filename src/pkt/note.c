/* SPDX-License-Identifier: Apache-2.0
 *
 * The error queue of a socket: notes in order of their arrival.
 *
 * Owns nothing but what is queued. Called by tcp/ and udp/ to tell, by them for sock/ to take.
 *
 * Invariant: a queued packet begins with its struct note, aligned; bytes is the sum of the true
 * sizes, and less than the limit it was pushed with.
 */
#include "pkt/note.h"

#define NOTE_HEAD ((uint32_t)((sizeof(struct note) + 7) & ~(size_t)7))
_Static_assert(sizeof(struct note) + PKT_HEADROOM <= PKT_LINEAR, "a note is linear");
_Static_assert(PKT_HEADROOM % 8 == 0, "and aligned");

struct pkt *note_new(struct env *env, const struct note *n)
{
    struct pkt *p = pktmem_is_low(&env->mem) ? NULL : pkt_new(&env->mem);
    if (p != NULL && pkt_append_copy(p, n, NOTE_HEAD))
        return p;
    if (p != NULL)
        pkt_free(p);
    env_count(env, STAT_ErrQueueDrops);
    return NULL;
}

void note_quote(struct pkt *note, const struct pkt *of, uint32_t at, uint32_t max)
{
    uint8_t piece[512];
    while (max > 0) {
        uint32_t n = pkt_copy_out(of, at, piece, w_u32_min(max, sizeof(piece)));
        if (n == 0 || !pkt_append_copy(note, piece, n))
            return;
        at += n;
        max -= n;
    }
}

bool note_push(struct env *env, struct noteq *q, struct pkt *p, uint32_t limit)
{
    uint32_t size = pkt_truesize(p);
    if (q->bytes + size >= limit) {
        pkt_free(p);
        env_count(env, STAT_ErrQueueDrops);
        return false;
    }
    p->truesize = size;
    q->bytes += size;
    pktq_push(&q->q, p);
    return true;
}

const struct note *note_first(const struct noteq *q)
{
    return q->q.first == NULL ? NULL : (const struct note *)(const void *)pkt_data(q->q.first);
}

struct note *note_last(struct noteq *q)
{
    return q->q.last == NULL ? NULL : (struct note *)(void *)pkt_data(q->q.last);
}

bool note_take(struct noteq *q, struct note *out, void *to, size_t n, uint32_t *full)
{
    struct pkt *p = pktq_pop(&q->q);
    if (p == NULL)
        return false;
    memcpy(out, pkt_data(p), sizeof(*out));
    *full = p->len - NOTE_HEAD;
    if (n > 0)
        (void)pkt_copy_out(p, NOTE_HEAD, to, (uint32_t)w_u64_min(n, *full));
    q->bytes -= p->truesize;
    pkt_free(p);
    return true;
}

void note_free_all(struct noteq *q)
{
    pktq_free(&q->q);
    q->bytes = 0;
}

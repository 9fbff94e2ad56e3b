/* SPDX-License-Identifier: Apache-2.0
 *
 * The worked example of the textbook: a file of 500,000 bytes, an MSS of 1,000 bytes, the first
 * byte numbered 0. The stream is cut into 500 segments; the first has sequence number 0, the second
 * 1000, the third 2000.
 *
 * Two hosts are joined by a perfect link whose MTU of 1,040 makes the MSS 1,000 (20 bytes of IP, 20
 * of TCP, no options: timestamps are off). A watcher on the wire writes down every segment with
 * data. Sequence numbers are shown relative to the first byte, as the book has them.
 */
#include "sim/example.h"

#include "sim/load.h"
#include "wire/wire.h"

#include <errno.h>
#include <stdlib.h>

enum { EX_BYTES = 500000, EX_MSS = 1000, EX_SEGS = EX_BYTES / EX_MSS, EX_LINES = 3 };

struct example {
    struct oracle oracle;
    struct load load;
    uint32_t iss;
    unsigned n_segs, n_wrong;
    FILE *f;
};

static void example_segment(struct example *e, w_ns now, const struct wire_tcp *t, uint32_t payload)
{
    uint32_t seq = t->seq - (e->iss + 1), want = e->n_segs * EX_MSS;
    e->n_wrong += seq != want || payload != EX_MSS;
    e->n_segs++;
    bool is_shown = e->n_segs <= EX_LINES || e->n_segs > EX_SEGS - EX_LINES || seq != want;
    if (e->f == NULL)
        return;
    if (is_shown)
        fprintf(e->f, "  %9.3f ms  segment %3u  sequence number %6u  bytes %u–%u\n",
                (double)(now - W_S) / 1e6, e->n_segs, seq, seq, seq + payload - 1);
    else if (e->n_segs == EX_LINES + 1)
        fprintf(e->f, "               …\n");
}

static void example_watch(void *ctx, w_ns now, unsigned host, bool is_out, const uint8_t *frame,
                          uint32_t n)
{
    struct example *e = ctx;
    struct wire_ip4 ip;
    struct wire_tcp t;
    oracle_watch(&e->oracle, now, host, is_out, frame, n);
    if (!is_out || host != 0 || n < WIRE_ETH_HLEN + 40 || w_be16(frame + 12) != 0x0800)
        return;
    if (wire_ip4_parse(frame + WIRE_ETH_HLEN, n - WIRE_ETH_HLEN, &ip) != DROP_NONE)
        return;
    if (wire_tcp_parse(frame + WIRE_ETH_HLEN + ip.hlen, ip.total - ip.hlen, &t) != DROP_NONE)
        return;
    if ((t.flags & TCPF_SYN) != 0)
        e->iss = t.seq;
    uint32_t payload = (uint32_t)ip.total - ip.hlen - t.hlen;
    if (payload != 0)
        example_segment(e, now, &t, payload);
}

static int example_world(struct sim *s, struct example *e)
{
    struct weir_conf c;
    weir_conf_default(&c);
    c.tcp_timestamps = 0;
    struct sim_join j = {.a_ip = 0x0a000001, .b_ip = 0x0a000002, .mtu = EX_MSS + 40};
    j.ab.delay_ns = j.ba.delay_ns = 5 * W_MS;
    j.a = sim_add_host(s, &c);
    j.b = sim_add_host(s, &c);
    if (j.a == NULL || j.b == NULL)
        return -ENOMEM;
    s->watch = example_watch;
    s->watch_ctx = e;
    int r = sim_join(s, &j);
    load_init(&e->load, s, &e->oracle);
    if (r == 0)
        r = load_listen(&e->load, j.b);
    if (r < 0)
        return r;
    struct xfer *x = load_add(&e->load, j.a, j.b, 0x0a000002, s->now);
    x->end[0].conf.bytes = EX_BYTES;
    return load_run_world(&e->load, s->now + 60 * W_S) ? 0 : 1;
}

int example_segments(FILE *f)
{
    struct sim *s = sim_new(7);
    struct example *e = calloc(1, sizeof(*e));
    if (s == NULL || e == NULL) {
        free(e);
        return -ENOMEM;
    }
    e->f = f;
    if (f != NULL)
        fprintf(f, "A stream of 500,000 bytes, MSS 1,000, first byte numbered 0:\n");
    int r = example_world(s, e);
    bool is_right =
        r == 0 && e->n_segs == EX_SEGS && e->n_wrong == 0 && !oracle_is_violated(&e->oracle);
    if (f != NULL)
        fprintf(f, "%u segments, %u of them not where the example has them: %s\n", e->n_segs,
                e->n_wrong, is_right ? "as the book says" : "NOT as the book says");
    free(e);
    (void)sim_free(s);
    return r < 0 ? r : !is_right;
}

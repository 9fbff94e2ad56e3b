/* SPDX-License-Identifier: Apache-2.0
 *
 * The prepared situations of `weir sim why`, as a table, and a world made of a row of it.
 *
 * Two hosts, one connection; the client sends without end, and both ends are asked when the time is
 * up, while the connection lives. Everything that matters to the answer stands in the row; the rest
 * is a fast path with a plain application at each end.
 */
#include "sim/why.h"

#include <errno.h>
#include <stdlib.h>

enum { MBIT = 1000000, WHY_IP = 0x0a000001, WHY_PEER = 0x0a000002, WHY_S = 10 };
enum { LEVEL_SOCKET = 1, LEVEL_TCP = 6, OPT_RATE = 47, OPT_NODELAY = 1 };

#define PATH(mbit, ms)                                                                             \
    {                                                                                              \
        .rate_bps = (uint64_t)(mbit)*MBIT, .delay_ns = (ms)*W_MS / 2, .limit_bytes = 1 << 20       \
    }

/* Completions are told once in half a millisecond: a ring of eight is empty long before. */
static const struct sim_nic_conf tiny_ring = {
    .nic = {.rate_bps = 1000 * MBIT, .dma_latency_ns = 500},
    .driver = {.tx_ring = NIC_RING_MIN,
               .tx_ns = 500000,
               .tx_frames = 64,
               .rx_ns = 500000,
               .rx_frames = 64},
};
static const struct sim_nic_conf slow_line = {.nic = {.rate_bps = 100 * MBIT}};
static const struct sim_nic_conf late_news = {
    .nic = {.rate_bps = 1000 * MBIT},
    .driver = {.tx_ns = 500000, .tx_frames = 64, .rx_ns = 500000, .rx_frames = 64},
};

static const struct sim_nic_conf rare_news = {
    .nic = {.rate_bps = 1000 * MBIT},
    .driver = {.tx_ns = 2 * W_MS, .tx_frames = 200, .rx_ns = 2 * W_MS, .rx_frames = 200},
};

static const struct why_case cases[] = {
    {.name = "slow-reader",
     .text = "the peer's program reads 16 KB every 50 ms; 100 Mbit/s, 10 ms there and back",
     .limit = WEIR_LIMIT_PEER_READ,
     .share = 60,
     .peer = WEIR_LIMIT_APP_READ,
     .ab = PATH(100, 10),
     .ba = PATH(100, 10),
     .receiver = {.read_bytes = 16384, .read_pause = 50 * W_MS}},
    {.name = "slow-writer",
     .text = "the program writes 4 KB every 20 ms; 100 Mbit/s, 10 ms there and back",
     .limit = WEIR_LIMIT_APP_WRITE,
     .share = 95,
     .peer = WEIR_LIMIT_PEER_SEND,
     .ab = PATH(100, 10),
     .ba = PATH(100, 10),
     .sender = {.write_bytes = 4096, .write_pause = 20 * W_MS}},
    {.name = "small-window",
     .text = "the peer has a receive buffer of 16 KB; 100 Mbit/s, 40 ms there and back",
     .limit = WEIR_LIMIT_RWND,
     .share = 70,
     .peer = WEIR_LIMIT_PEER_SEND,
     .ab = PATH(100, 40),
     .ba = PATH(100, 40),
     .receiver = {.rcvbuf = 16384}},
    {.name = "lossy-path",
     .text = "one packet in twelve is lost; 100 Mbit/s, 40 ms there and back",
     .limit = WEIR_LIMIT_RECOVERY,
     .share = 50,
     .peer = WEIR_LIMIT_PEER_SEND,
     .ab =
         {.rate_bps = 100 * MBIT, .delay_ns = 20 * W_MS, .limit_bytes = 1 << 20, .loss_ppm = 83000},
     .ba = PATH(100, 40)},
    {.name = "tiny-ring",
     .text = "a TX ring of 8 descriptors, interrupts 500 µs apart; 1 Gbit/s",
     .limit = WEIR_LIMIT_RING,
     .share = 60,
     .seconds = 1,
     .peer = WEIR_LIMIT_PEER_SEND,
     .nics = &tiny_ring},
    {.name = "outages",
     .text = "the path is dead for 2 of every 3 seconds; 100 Mbit/s, 10 ms there and back",
     .limit = WEIR_LIMIT_RTO,
     .share = 60,
     .peer = WEIR_LIMIT_PEER_SEND,
     .ab = {.rate_bps = 100 * MBIT,
            .delay_ns = 5 * W_MS,
            .limit_bytes = 1 << 20,
            .cut_every_ns = 3 * W_S,
            .cut_for_ns = 2 * W_S},
     .ba = PATH(100, 10)},
    {.name = "send-buffer",
     .text = "SO_SNDBUF is 32 KB (and holds twice that); 100 Mbit/s, 40 ms there and back",
     .limit = WEIR_LIMIT_SNDBUF,
     .share = 90,
     .peer = WEIR_LIMIT_PEER_SEND,
     .ab = PATH(100, 40),
     .ba = PATH(100, 40),
     .sender = {.sndbuf = 32768}},
    {.name = "full-path",
     .text = "10 Mbit/s somewhere on the path, with a queue of 100 KB; 20 ms there and back",
     .limit = WEIR_LIMIT_CWND,
     .share = 80,
     .peer = WEIR_LIMIT_PEER_SEND,
     .ab = {.rate_bps = 10 * MBIT, .delay_ns = 10 * W_MS, .limit_bytes = 100000},
     .ba = PATH(10, 20)},
    {.name = "paced",
     .text = "SO_MAX_PACING_RATE is 1 MB/s; 100 Mbit/s, 10 ms there and back",
     .limit = WEIR_LIMIT_PACING,
     .share = 90,
     .peer = WEIR_LIMIT_PEER_SEND,
     .ab = PATH(100, 10),
     .ba = PATH(100, 10),
     .sender = {.opt = {{LEVEL_SOCKET, OPT_RATE, 1000000}}, .n_opt = 1}},
    {.name = "slow-line",
     .text = "a NIC of 100 Mbit/s with a ring of 256, and nothing else in the way",
     .limit = WEIR_LIMIT_LINK,
     .share = 95,
     .seconds = 2,
     .peer = WEIR_LIMIT_PEER_SEND,
     .nics = &slow_line},
    {.name = "shaped",
     .text = "a token bucket of 2 MB/s (tbf) on the sender's interface of 1 Gbit/s",
     .limit = WEIR_LIMIT_QDISC,
     .share = 90,
     .seconds = 2,
     .peer = WEIR_LIMIT_PEER_SEND,
     .nics = &late_news,
     .qdisc = "tbf",
     .qdisc_Bps = 2000000},
    {.name = "small-queue",
     .text = "tcp_limit_output_bytes is 8 KB, interrupts 2 ms apart; 1 Gbit/s",
     .limit = WEIR_LIMIT_SMALLQ,
     .share = 60,
     .seconds = 1,
     .peer = WEIR_LIMIT_PEER_SEND,
     .nics = &rare_news,
     .limit_output = 8192},
    {.name = "late-acks",
     .text = "400 bytes every 10 ms without TCP_NODELAY, to a program that reads every 100 ms",
     .limit = WEIR_LIMIT_ACK_DELAY,
     .share = 50,
     .peer = WEIR_LIMIT_PEER_SEND,
     .ab = PATH(100, 1),
     .ba = PATH(100, 1),
     .sender = {.write_bytes = 400, .write_pause = 10 * W_MS},
     .receiver = {.read_bytes = 65536, .read_pause = 100 * W_MS}},
};

const struct why_case *why_case(unsigned i) { return i < WEIR_COUNT(cases) ? &cases[i] : NULL; }

struct why_world {
    struct oracle oracle;
    struct load load;
};

/* 0 or -errno; the transfer in *x. */
static int world_make(struct sim *s, struct why_world *y, const struct why_case *c, struct xfer **x)
{
    struct weir_conf conf;
    weir_conf_default(&conf);
    conf.tcp_why = 1;
    if (c->limit_output != 0)
        conf.tcp_limit_output_bytes = c->limit_output;
    struct sim_join j = {.a_ip = WHY_IP, .b_ip = WHY_PEER, .mtu = 1500, .nics = c->nics};
    j.ab = c->ab;
    j.ba = c->ba;
    j.a = sim_add_host(s, &conf);
    j.b = sim_add_host(s, &conf);
    if (j.a == NULL || j.b == NULL)
        return -ENOMEM;
    int r = sim_join(s, &j);
    struct weir_qdisc q = {.rate_Bps = c->qdisc_Bps};
    if (r == 0 && c->qdisc != NULL) {
        memcpy(q.kind, c->qdisc, strlen(c->qdisc));
        r = weir_qdisc_set(j.a->w, s->now, s->link[0].end[0].nif, &q);
    }
    load_init(&y->load, s, &y->oracle);
    if (r == 0)
        r = load_listen(&y->load, j.b);
    if (r < 0)
        return r;
    *x = load_add(&y->load, j.a, j.b, WHY_PEER, s->now);
    uint64_t no_abort = UINT64_MAX;
    (*x)->end[0].conf = c->sender;
    (*x)->end[1].conf = c->receiver;
    (*x)->end[0].conf.abort_at = (*x)->end[1].conf.abort_at = no_abort;
    (*x)->end[0].conf.bytes = UINT64_MAX / 2;
    return 0;
}

static int ask(struct sim *s, const struct load_end *e, struct weir_limits *out)
{
    return e->s == 0 ? -ENOTCONN : weir_limits(e->host->w, s->now, e->s, out);
}

int why_run(const struct why_case *c, struct weir_limits *sender, struct weir_limits *receiver)
{
    struct sim *s = sim_new(1);
    struct why_world *y = calloc(1, sizeof(*y));
    struct xfer *x = NULL;
    int r = -ENOMEM;
    if (s != NULL && y != NULL) {
        oracle_init(&y->oracle);
        r = world_make(s, y, c, &x);
    }
    if (r == 0) {
        (void)load_run_world(&y->load, s->now + (c->seconds != 0 ? c->seconds : WHY_S) * W_S);
        r = ask(s, &x->end[0], sender);
    }
    if (r == 0)
        r = ask(s, &x->end[1], receiver);
    if (r == 0 && oracle_is_violated(&y->oracle))
        r = 1;
    if (x != NULL)
        load_end_all(&y->load);
    free(y);
    if (s != NULL)
        (void)sim_free(s);
    return r;
}

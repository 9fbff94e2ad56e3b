/* SPDX-License-Identifier: Apache-2.0
 *
 * The experiment of a receiver that stops: how far up the chain of buffers the stop travels, and
 * what is lost where nothing can push back.
 *
 * Theory of operation. Both hosts are what sim_join makes: stack, driver, card, and a cable of 100
 * Mbit/s between them. The sender writes whenever write() takes something (a stream), or a datagram
 * every 200 µs, which is half of the line: what it sends, it sends without a loss of its own. After
 * a second the reader, or its whole host, does nothing for a while; then all goes on for a second.
 * The chain is read at the end: high-water marks and times tell what was in between.
 *
 * Owns the world. Called by cli/ and tests; calls sim.c and weir.h.
 */
#include "sim/chain.h"

#include "sim/sim.h"

#include <errno.h>

enum {
    PORT = 5001,
    RATE_BPS = 100000000,
    CHUNK = 16384,
    DGRAM = 1400,
    DGRAM_NS = 200000,
    RING = 256,
    SENDER_IP = 0x0a000001,
    RECEIVER_IP = 0x0a000002,
};

static const struct sim_chain_conf cases[] = {
    {.name = "reader",
     .text = "TCP, the program that reads stops for 2 s",
     .has_pause = true,
     .stop_ns = 2 * W_S},
    {.name = "host",
     .text = "TCP, the receiving host stops for 2 s, PAUSE on",
     .is_host = true,
     .has_pause = true,
     .stop_ns = 2 * W_S},
    {.name = "udp",
     .text = "UDP, the program that reads stops for 2 s",
     .is_udp = true,
     .has_pause = true,
     .stop_ns = 2 * W_S},
    {.name = "nic",
     .text = "UDP, the receiving host stops for 2 s, PAUSE off, a ring of 8",
     .is_udp = true,
     .is_host = true,
     .ring = 8,
     .stop_ns = 2 * W_S},
    {.name = "nic-tcp",
     .text = "TCP, the receiving host stops for 2 s, PAUSE off, a ring of 8, 32 KiB on the card",
     .is_host = true,
     .ring = 8,
     .fifo = 32768,
     .stop_ns = 2 * W_S},
};

const struct sim_chain_conf *sim_chain_case(unsigned i)
{
    return i < WEIR_COUNT(cases) ? &cases[i] : NULL;
}

struct world {
    const struct sim_chain_conf *conf;
    struct sim_chain *out;
    struct sim *s;
    struct sim_host *from, *to;
    weir_sock writer, reader; /* reader: the listener until there is a connection */
    bool has_reader;
    w_ns next_dgram, wrote_at;
    w_ns stop_at, go_at, end_at;
};

/* ---- the two programs ---- */

static uint8_t pattern(uint64_t at) { return (uint8_t)(at * 131 + (at >> 9)); }

static void fill(uint8_t *buf, uint64_t at, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        buf[i] = pattern(at + i);
}

static void has_written(struct world *x, uint64_t n)
{
    w_ns waited = x->s->now - x->wrote_at;
    x->out->sent += n;
    x->out->write_waited_ns = w_u64_max(x->out->write_waited_ns, waited);
    x->wrote_at = x->s->now;
}

static void write_stream(struct world *x)
{
    uint8_t buf[CHUNK];
    int64_t n;
    if ((weir_poll(x->from->w, x->writer) & WEIR_OUT) == 0)
        return;
    do {
        fill(buf, x->out->sent, sizeof(buf));
        n = weir_sendto(x->from->w, x->s->now, x->writer, buf, sizeof(buf), 0, NULL);
        if (n > 0)
            has_written(x, (uint64_t)n);
    } while (n > 0);
}

/* Each datagram begins with its number. */
static void write_dgrams(struct world *x)
{
    uint8_t buf[DGRAM] = {0};
    for (; x->next_dgram <= x->s->now; x->next_dgram += DGRAM_NS) {
        if (x->next_dgram > x->end_at - 10 * W_MS)
            continue; /* the last ones still have to arrive */
        w_put32(buf, (uint32_t)x->out->sent);
        if (weir_sendto(x->from->w, x->s->now, x->writer, buf, sizeof(buf), 0, NULL) == DGRAM)
            has_written(x, 1);
    }
}

static void read_stream(struct world *x)
{
    uint8_t buf[CHUNK], want[CHUNK];
    int64_t n;
    while ((n = weir_recvfrom(x->to->w, x->s->now, x->reader, buf, sizeof(buf), 0, NULL)) > 0) {
        fill(want, x->out->got, (uint32_t)n);
        x->out->is_damaged |= memcmp(buf, want, (size_t)n) != 0;
        x->out->got += (uint64_t)n;
    }
}

static void read_dgrams(struct world *x)
{
    uint8_t buf[DGRAM + 1];
    int64_t n;
    while ((n = weir_recvfrom(x->to->w, x->s->now, x->reader, buf, sizeof(buf), 0, NULL)) > 0) {
        x->out->is_damaged |= n != DGRAM || w_be32(buf) >= x->out->sent;
        x->out->got++;
    }
}

static bool is_stopped(const struct world *x)
{
    return x->s->now >= x->stop_at && x->s->now < x->go_at;
}

static void reader_turn(struct world *x)
{
    weir_sock s;
    if (is_stopped(x))
        return;
    if (!x->has_reader && weir_accept(x->to->w, x->s->now, x->reader, &s, NULL) == 0) {
        x->reader = s;
        x->has_reader = true;
    }
    if (x->conf->is_udp)
        read_dgrams(x);
    else if (x->has_reader)
        read_stream(x);
    sim_kick(x->s, x->to);
}

static void writer_turn(struct world *x)
{
    if (x->conf->is_udp)
        write_dgrams(x);
    else
        write_stream(x);
    sim_kick(x->s, x->from);
}

static void run_until(struct world *x, w_ns until)
{
    while (x->s->now < until) {
        w_ns next = x->conf->is_udp ? w_u64_min(until, x->next_dgram) : until;
        (void)sim_step(x->s, next);
        writer_turn(x);
        reader_turn(x);
    }
}

/* ---- the world ---- */

static struct weir_addr ip4(uint32_t ip, uint16_t port)
{
    struct weir_addr a = {.ip = {[10] = 0xff, [11] = 0xff}, .port = port, .family = 4};
    w_put32(a.ip + 12, ip);
    return a;
}

static int join(struct world *x)
{
    struct weir_conf c;
    const struct sim_chain_conf *k = x->conf;
    const uint32_t offloads = NETDEV_TX_CSUM | NETDEV_RX_CSUM | NETDEV_TSO4 | NETDEV_TSO6;
    struct sim_nic_conf nics = {.nic.rate_bps = RATE_BPS,
                                .nic.features =
                                    NIC_F_TX_CSUM | NIC_F_RX_CSUM | NIC_F_TSO | NIC_F_PAUSE,
                                .nic.rx_fifo = k->fifo,
                                .nic.dma_latency_ns = 800,
                                .driver.offloads = offloads,
                                .driver.tx_ring = RING,
                                .driver.rx_ring = k->ring,
                                .driver.rx_ns = 50000,
                                .driver.rx_frames = 16,
                                .driver.has_pause_rx = k->has_pause,
                                .driver.has_pause_tx = k->has_pause,
                                .cable.delay_ns = 500};
    weir_conf_default(&c);
    c.tcp_gauges = 1;
    struct sim_join j = {
        .a_ip = SENDER_IP, .b_ip = RECEIVER_IP, .mtu = 1500, .has_ip6 = true, .nics = &nics};
    j.a = x->from = sim_add_host(x->s, &c);
    j.b = x->to = sim_add_host(x->s, &c);
    return x->from == NULL || x->to == NULL ? -ENOMEM : sim_join(x->s, &j);
}

static int connect_both(struct world *x)
{
    int type = x->conf->is_udp ? WEIR_DGRAM : WEIR_STREAM;
    struct weir_addr at = ip4(RECEIVER_IP, PORT);
    int r = weir_socket(x->to->w, WEIR_INET, type, &x->reader);
    if (r == 0)
        r = weir_bind(x->to->w, x->reader, &at);
    if (r == 0 && !x->conf->is_udp)
        r = weir_listen(x->to->w, x->reader, 1);
    x->has_reader = x->conf->is_udp;
    if (r == 0)
        r = weir_socket(x->from->w, WEIR_INET, type, &x->writer);
    if (r == 0)
        r = weir_connect(x->from->w, x->s->now, x->writer, &at);
    sim_kick(x->s, x->from);
    return r == -EINPROGRESS ? 0 : r;
}

/* Both ends of the link as they are now. */
static void look(struct world *x)
{
    struct sim_chain *o = x->out;
    const struct sim_link *l = &x->s->link[0];
    w_ns now = x->s->now;
    int n = weir_chain(x->from->w, now, l->end[0].nif, x->writer, WEIR_CHAIN_SEND, o->send);
    WEIR_ASSERT(n > 0);
    o->n_send = (unsigned)n;
    o->n_send += vnic_chain_send(&l->nics->end[0].driver, now, o->send + o->n_send);
    o->n_recv = vnic_chain_recv(&l->nics->end[1].driver, now, o->recv);
    n = weir_chain(x->to->w, now, l->end[1].nif, x->reader, WEIR_CHAIN_RECV, o->recv + o->n_recv);
    WEIR_ASSERT(n > 0);
    o->n_recv += (unsigned)n;
}

int sim_chain_run(const struct sim_chain_conf *conf, uint64_t seed, struct sim_chain *out)
{
    struct world x = {.conf = conf, .out = out, .s = sim_new(seed)};
    *out = (struct sim_chain){0};
    if (x.s == NULL)
        return -ENOMEM;
    int r = join(&x);
    if (r == 0)
        r = connect_both(&x);
    if (r == 0) {
        x.next_dgram = x.wrote_at = x.s->now;
        x.stop_at = x.s->now + W_S;
        x.go_at = x.stop_at + conf->stop_ns;
        x.end_at = x.go_at + W_S;
        run_until(&x, x.stop_at);
        if (conf->is_host)
            sim_stop(x.to, x.go_at);
        run_until(&x, x.go_at);
        run_until(&x, x.end_at);
        look(&x);
    }
    unsigned leaked = sim_free(x.s);
    WEIR_ASSERT(r != 0 || leaked == 0);
    return r;
}

/* ---- reading it ---- */

const struct weir_gauge *sim_chain_gauge(const struct sim_chain *c, const char *name)
{
    for (unsigned i = 0; i < c->n_send; i++)
        if (strcmp(c->send[i].name, name) == 0)
            return &c->send[i];
    for (unsigned i = 0; i < c->n_recv; i++)
        if (strcmp(c->recv[i].name, name) == 0)
            return &c->recv[i];
    return NULL;
}

uint64_t sim_chain_drops(const struct sim_chain *c, bool is_both)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < c->n_send; i++)
        n += c->send[i].drops;
    for (unsigned i = 0; is_both && i < c->n_recv; i++)
        n += c->recv[i].drops;
    return n;
}

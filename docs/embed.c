/* SPDX-License-Identifier: Apache-2.0
 *
 * A program that owns two stacks: one listens, the other connects and sends a million bytes.
 *
 * It is the loop of include/weir/weir.h, whole: the program owns the memory, the clock and the
 * wire. Here the clock is a variable and the wire a copy from one stack to the other; a program
 * with a device reads and writes frames instead, and sleeps until weir_next().
 *
 *     cc embed.c $(pkg-config --cflags --libs weir) -o embed && ./embed
 *
 * Prints what crossed and when, in virtual time; the same every time. Exit status 0 when every
 * byte arrived. tests/check.d/11-library builds and runs it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <weir/weir.h>

enum { TOTAL = 1000000, PORT = 7, BURST = 64 };
static const weir_ns DELAY = 1000000; /* of the wire: a millisecond */

struct host {
    struct weir *w;
    unsigned nif;
    unsigned n_sent; /* frames */
};

/* 10.0.0.LAST, as weir writes IPv4: ::ffff:10.0.0.LAST. */
static struct weir_addr address(uint8_t last, uint16_t port)
{
    struct weir_addr a = {
        .ip = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = last}, .port = port, .family = 4};
    return a;
}

static int host_make(struct host *h, uint8_t last, weir_ns now)
{
    struct weir_conf conf;
    struct weir_nif_conf nif = {.name = "wire", .mtu = 1500, .mac = {2, 0, 0, 0, 0, last}};
    struct weir_addr a = address(last, 0);
    weir_conf_default(&conf);
    size_t n = weir_size(&conf);
    void *mem = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mem == MAP_FAILED || weir_init(mem, n, &conf, last, now, &h->w) != 0)
        return -ENOMEM;
    h->nif = (unsigned)weir_nif_add(h->w, &nif);
    return weir_addr_add(h->w, h->nif, &a, 24);
}

/* Moves what one stack wants to send into the other, frame by frame, as a device would. */
static void carry(struct host *from, struct host *to, weir_ns now)
{
    uint8_t frame[1600];
    struct pkt *out[BURST];
    unsigned n = weir_tx(from->w, now, from->nif, out, BURST);
    for (unsigned i = 0; i < n; i++) {
        size_t len = weir_pkt_copy(out[i], frame, sizeof(frame));
        struct pkt *in = weir_pkt(to->w, frame, len);
        if (in != NULL)
            weir_rx(to->w, now, to->nif, &in, 1);
    }
    weir_sent(from->w, now, out, n);
    from->n_sent += n;
}

int main(void)
{
    static uint8_t data[TOTAL], got[TOTAL];
    struct host client = {0}, server = {0};
    struct weir_addr at = address(2, PORT);
    weir_sock c, listener, s = 0;
    weir_ns now = 1;
    size_t n_out = 0, n_in = 0;
    for (size_t i = 0; i < TOTAL; i++)
        data[i] = (uint8_t)(i * 7 + i / 251);
    if (host_make(&client, 1, now) != 0 || host_make(&server, 2, now) != 0 ||
        weir_socket(server.w, WEIR_INET, WEIR_STREAM, &listener) != 0 ||
        weir_bind(server.w, listener, &at) != 0 || weir_listen(server.w, listener, 1) != 0 ||
        weir_socket(client.w, WEIR_INET, WEIR_STREAM, &c) != 0 ||
        weir_connect(client.w, now, c, &at) != -EINPROGRESS) {
        fprintf(stderr, "the stacks were not made\n");
        return 1;
    }
    while (n_in < TOTAL && now < 60000000000) {
        carry(&client, &server, now);
        carry(&server, &client, now);
        /* Calls never block: what is not possible now answers -EAGAIN. */
        int64_t n = weir_sendto(client.w, now, c, data + n_out, TOTAL - n_out, 0, NULL);
        n_out += n > 0 ? (size_t)n : 0;
        if (s == 0)
            (void)weir_accept(server.w, now, listener, &s, NULL);
        n = s == 0 ? -EAGAIN : weir_recvfrom(server.w, now, s, got + n_in, TOTAL - n_in, 0, NULL);
        n_in += n > 0 ? (size_t)n : 0;
        now += DELAY;
        weir_tick(client.w, now);
        weir_tick(server.w, now);
    }
    printf("%zu bytes, %u frames there, %u back, %.0f ms\n", n_in, client.n_sent, server.n_sent,
           (double)now / 1e6);
    return n_in == TOTAL && memcmp(data, got, TOTAL) == 0 ? 0 : 1;
}

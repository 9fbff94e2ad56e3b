/* SPDX-License-Identifier: Apache-2.0
 *
 * The loop and a device that finishes what it was given on its own time.
 */
#include "unit.h"

#include "pkt/pkt.h"
#include "run/loop.h"

static unsigned n_reaps;

static int fake_open(struct netdev *d, struct pktmem *mem)
{
    d->mem = mem;
    return 0;
}

static void fake_close(struct netdev *d) { (void)d; }

static unsigned fake_none(struct netdev *d, unsigned q, w_ns now, struct pkt **v, unsigned max)
{
    (void)d, (void)q, (void)now, (void)v, (void)max;
    return 0;
}

static unsigned fake_reap(struct netdev *d, unsigned q, w_ns now, struct pkt **v, unsigned max)
{
    n_reaps++;
    return fake_none(d, q, now, v, max);
}

static int fake_wait_fd(struct netdev *d, unsigned q)
{
    (void)d, (void)q;
    return -1;
}

static w_ns fake_next(struct netdev *d, unsigned q)
{
    (void)d, (void)q;
    return W_NEVER;
}

/* If this fails, a connection that waits for the credit of its last packets waits for ever: nothing
 * is to be sent before it has it. */
static void reaps_with_nothing_to_send(void **state)
{
    (void)state;
    static const struct netdev_ops ops = {.name = "fake",
                                          .open = fake_open,
                                          .close = fake_close,
                                          .rx = fake_none,
                                          .tx = fake_none,
                                          .reap = fake_reap,
                                          .wait_fd = fake_wait_fd,
                                          .next = fake_next};
    struct netdev dev = {.ops = &ops, .caps = {.mtu = 1500, .n_queues = 1}};
    struct weir_conf conf;
    char err[256];
    weir_conf_default(&conf);
    dev.caps.mac[0] = 2;
    struct loop *l = loop_new(&conf, err, sizeof err);
    assert_non_null(l);
    assert_true(loop_add_dev(l, &dev, &dev.caps, "net0", 0) >= 0);
    for (unsigned i = 1; i <= 3; i++) {
        loop_once(l, 0);
        assert_true(n_reaps >= i);
    }
    assert_int_equal(loop_free(l), 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(reaps_with_nothing_to_send),
};
UNIT_MAIN(tests)

/* SPDX-License-Identifier: Apache-2.0
 *
 * Adaptive coalescing against loads of known rates. If this failed a bulk transfer would interrupt
 * for each frame, or a dialogue would wait for frames that only its own answer can bring.
 */
#include "unit.h"

#include "dev/vnic_parts.h"

static struct vnic v;
static uint32_t regs[2]; /* written last: wait, frames */

static void write_reg(void *ctx, w_ns now, uint32_t reg, uint32_t value)
{
    (void)ctx;
    (void)now;
    if (reg == NIC_QUEUE(0) + NIC_COAL_RX_NS)
        regs[0] = value;
    if (reg == NIC_QUEUE(0) + NIC_COAL_RX_FRAMES)
        regs[1] = value;
}

static int setup(void **state)
{
    (void)state;
    v = (struct vnic){.slot.pio.write = write_reg, .conf.is_adaptive = true, .conf.n_queues = 1};
    v.q[0] = (struct vnic_queue){.nic = &v, .regs = NIC_QUEUE(0)};
    regs[0] = regs[1] = 0;
    vnic_dim_reset(&v.q[0]);
    return 0;
}

/* A poll each `each`, with as many frames as `rate` a second bring. */
static void load(uint64_t rate, w_ns each, w_ns time)
{
    uint64_t given = 0;
    w_ns from = v.now;
    while (v.now < from + time) {
        v.now += each;
        uint64_t come = (v.now - from) * rate / W_S;
        vnic_dim_polled(&v.q[0], (unsigned)(come - given));
        given = come;
    }
}

static void a_trickle_is_told_at_once(void **state)
{
    (void)state;
    load(5000, 200 * W_US, W_S);
    assert_int_equal(vnic_dim_ns(&v.q[0]), 0);
    assert_int_equal(regs[0], 0);
}

/* 1 Gbit/s of full frames: some eight for an interrupt, and no more wait than that takes. */
static void bulk_gathers_some_frames(void **state)
{
    (void)state;
    load(81000, 50 * W_US, 100 * W_MS);
    assert_in_range(81000 * vnic_dim_ns(&v.q[0]) / W_S, 5, 16);
    assert_int_equal(regs[0], vnic_dim_ns(&v.q[0]));
    assert_int_equal(regs[1], vnic_dim_frames(&v.q[0]));
    assert_true(regs[1] >= 16);
}

static void a_faster_line_waits_less(void **state)
{
    (void)state;
    load(81000, 50 * W_US, 100 * W_MS);
    w_ns slow = vnic_dim_ns(&v.q[0]);
    load(810000, 20 * W_US, 100 * W_MS);
    assert_true(vnic_dim_ns(&v.q[0]) < slow);
    assert_true(vnic_dim_ns(&v.q[0]) > 0);
}

static void when_the_load_ends_so_does_the_wait(void **state)
{
    (void)state;
    load(81000, 50 * W_US, 100 * W_MS);
    load(1000, W_MS, 100 * W_MS);
    assert_int_equal(vnic_dim_ns(&v.q[0]), 0);
}

/* Each frame answers the one before: 20 us, and what the interrupt waits. */
static void a_dialogue_does_not_wait_for_itself(void **state)
{
    (void)state;
    w_ns until = v.now + W_S;
    uint64_t n = 0;
    for (; v.now < until; n++) {
        v.now += 20 * W_US + vnic_dim_ns(&v.q[0]);
        vnic_dim_polled(&v.q[0], 1);
    }
    assert_true(n > 48000); /* of 50000 without any wait */
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(a_trickle_is_told_at_once, setup),
    cmocka_unit_test_setup(bulk_gathers_some_frames, setup),
    cmocka_unit_test_setup(a_faster_line_waits_less, setup),
    cmocka_unit_test_setup(when_the_load_ends_so_does_the_wait, setup),
    cmocka_unit_test_setup(a_dialogue_does_not_wait_for_itself, setup),
};
UNIT_MAIN(tests)

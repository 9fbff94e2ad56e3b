/* SPDX-License-Identifier: Apache-2.0
 *
 * If this failed, weir would take something else for a virtio device's registers.
 */
#include "unit.h"

#include <errno.h>

#include "dev/virtio.h"

static uint8_t config[VIRTIO_PCI_CONFIG];

static void put32(unsigned at, uint32_t v)
{
    for (unsigned i = 0; i < 4; i++)
        config[at + i] = (uint8_t)(v >> 8 * i);
}

static void put_cap(unsigned at, uint8_t next, uint8_t type, uint8_t bar, uint32_t len)
{
    config[at] = 0x09;
    config[at + 1] = next;
    config[at + 2] = type == 2 ? 20 : 16;
    config[at + 3] = type;
    config[at + 4] = bar;
    put32(at + 8, 0x1000u * type);
    put32(at + 12, len);
}

/* As QEMU's device has them, and before them what is to be passed over. */
static void put_all(void)
{
    memset(config, 0, sizeof config);
    put32(0x00, 0x1041u << 16 | 0x1af4);
    config[0x06] = 0x10;
    put32(0x10, 0xc001); /* BAR 0: ports */
    put32(0x20, 0xfe00000c);
    config[0x34] = 0x98;
    config[0x98] = 0x11; /* MSI-X */
    config[0x99] = 0x40;
    put_cap(0x40, 0x50, 1, 0, 56);    /* in ports */
    put_cap(0x50, 0x60, 1, 6, 56);    /* in a BAR that is none */
    put_cap(0x60, 0x70, 1, 4, 0x100); /* this one */
    put_cap(0x70, 0x84, 2, 4, 0x1000);
    put32(0x70 + 16, 4);
    put_cap(0x84, 0xa4, 3, 4, 1);
    put_cap(0xa4, 0xb4, 4, 4, 12);
    put_cap(0xb4, 0xc4, 1, 4, 999); /* a second one */
    put_cap(0xc4, 0, 5, 4, 0);
}

static void finds_the_structures(void **state)
{
    (void)state;
    struct virtio_layout l;
    put_all();
    assert_int_equal(virtio_pci_layout(config, &l), 0);
    for (unsigned i = 0; i < VIRTIO_SPACES; i++) {
        assert_int_equal(l.space[i].bar, 4);
        assert_int_equal(l.space[i].at, 0x1000 * (i + 1));
    }
    assert_int_equal(l.space[VIRTIO_COMMON].len, 0x100);
    assert_int_equal(l.notify_multiplier, 4);
    put32(0x00, 0x1000u << 16 | 0x1af4);
    assert_int_equal(virtio_pci_layout(config, &l), 0);
}

static void refuses_the_rest(void **state)
{
    (void)state;
    struct virtio_layout l;
    put_all();
    put32(0x00, 0x1042u << 16 | 0x1af4); /* a disk */
    assert_int_equal(virtio_pci_layout(config, &l), -ENODEV);
    put32(0x00, 0x1041u << 16 | 0x8086);
    assert_int_equal(virtio_pci_layout(config, &l), -ENODEV);
    put_all();
    config[0x06] = 0; /* no capabilities: the legacy interface only */
    assert_int_equal(virtio_pci_layout(config, &l), -ENOTSUP);
    put_all();
    config[0xa4 + 3] = 9; /* no structure of its own */
    assert_int_equal(virtio_pci_layout(config, &l), -ENOTSUP);
    put_all();
    put32(0x60 + 12, 55);
    assert_int_equal(virtio_pci_layout(config, &l), -ENOTSUP);
    put_all();
    config[0x41] = 0x98; /* in circles */
    assert_int_equal(virtio_pci_layout(config, &l), -ENOTSUP);
    memset(config + 0x34, 0xff, sizeof config - 0x34);
    assert_int_equal(virtio_pci_layout(config, &l), -ENOTSUP);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(finds_the_structures),
    cmocka_unit_test(refuses_the_rest),
};
UNIT_MAIN(tests)

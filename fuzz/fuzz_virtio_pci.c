/* SPDX-License-Identifier: Apache-2.0
 *
 * Any PCI configuration space: it is refused, or its structures are all there, in BARs that exist.
 */
#include "fuzz.h"

#include <errno.h>
#include <string.h>

#include "dev/virtio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t config[VIRTIO_PCI_CONFIG] = {0xf4, 0x1a, 0x41, 0x10};
    struct virtio_layout layout;
    if (size > sizeof config)
        size = sizeof config;
    memcpy(config, data, size);
    int e = virtio_pci_layout(config, &layout);
    if (e != 0) {
        WEIR_ASSERT(e == -ENODEV || e == -ENOTSUP);
        return 0;
    }
    for (unsigned i = 0; i < VIRTIO_SPACES; i++) {
        WEIR_ASSERT(layout.space[i].bar < VIRTIO_PCI_BARS);
        WEIR_ASSERT(layout.space[i].len != 0);
    }
    return 0;
}

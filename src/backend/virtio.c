/* SPDX-License-Identifier: Apache-2.0
 *
 * A virtio network card on the PCI bus, driven by this process alone: --net virtio:0000:00:03.0.
 *
 *   registers      the BARs, mapped from sysfs (resourceN)
 *   DMA            to physical addresses of pinned memory (hostmem.c): there is no IOMMU
 *   interrupts     with uio_pci_generic bound to the card: INTx, told by /dev/uioN;
 *                  with no driver bound: none, the driver polls
 *
 * What it decides. A card that a kernel driver has is refused with the line that frees it: it may
 * be the one this machine is reached by. A card behind an IOMMU is refused: our addresses would
 * mean nothing to it, or another's memory. When the device closes, bus mastering is taken from it,
 * so that whatever it still has in mind, it reaches no memory; where weir is killed instead, only
 * uio_pci_generic does that for us.
 *
 * The driver itself is dev/virtio_net; here is what it needs an operating system for. Owns the
 * mappings, the descriptors, the driver and the pages it shares with the card. Read first:
 * Documentation/PCI/sysfs-pci.rst, Documentation/driver-api/uio-howto.rst of Linux.
 */
#include "dev/virtio_net.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "backend/hostmem.h"
#include "backend/kinds.h"
#include "base/arena.h"

enum { SLOT_TEXT = 16, SLOT_LEN = 12 /* 0000:00:03.0 */, MAP_MAX = 1 << 20 };

struct live {
    struct virtio_net nic; /* first: its netdev is the device */
    struct netdev_ops ops; /* the driver's, with what needs a descriptor */
    const struct netdev_ops *driver;
    struct virtio_layout layout;
    uint8_t *space[VIRTIO_SPACES]; /* NULL: not mapped */
    size_t mapped[VIRTIO_SPACES];
    uint32_t skip[VIRTIO_SPACES]; /* from the mapping's first byte to the structure's */
    int config;                   /* PCI configuration space */
    int uio;                      /* -1: no interrupts */
    struct hostmem mem;
    void *shared;
};

static struct live *live_of(struct netdev *d) { return WEIR_CONTAINER(d, struct live, nic.dev); }

/* ---- registers ---------------------------------------------------------------------------- */

/* NULL: outside the structure, or across its end. */
static volatile void *reg_at(const struct live *l, enum virtio_space s, uint32_t at, unsigned width)
{
    uint32_t len = l->layout.space[s].len;
    return at > len || len - at < width ? NULL : l->space[s] + l->skip[s] + at;
}

static uint32_t reg_read(void *ctx, enum virtio_space s, uint32_t at, unsigned width)
{
    volatile void *reg = reg_at(ctx, s, at, width);
    if (reg == NULL)
        return UINT32_MAX;
    switch (width) {
    case 1: return *(volatile uint8_t *)reg;
    case 2: return *(volatile uint16_t *)reg;
    default: return *(volatile uint32_t *)reg;
    }
}

static void reg_write(void *ctx, enum virtio_space s, uint32_t at, unsigned width, uint32_t value)
{
    volatile void *reg = reg_at(ctx, s, at, width);
    if (reg == NULL)
        return;
    switch (width) {
    case 1: *(volatile uint8_t *)reg = (uint8_t)value; break;
    case 2: *(volatile uint16_t *)reg = (uint16_t)value; break;
    default: *(volatile uint32_t *)reg = value; break;
    }
}

/* Sets and clears bits of the command register: 0 or -E…. */
static int command(const struct live *l, uint16_t set, uint16_t clear)
{
    uint8_t b[2];
    if (pread(l->config, b, sizeof b, PCI_COMMAND) != (ssize_t)sizeof b)
        return -EIO;
    unsigned v = ((unsigned)(b[0] | b[1] << 8) & ~(unsigned)clear) | set;
    b[0] = (uint8_t)v;
    b[1] = (uint8_t)(v >> 8);
    return pwrite(l->config, b, sizeof b, PCI_COMMAND) == (ssize_t)sizeof b ? 0 : -EIO;
}

/* ---- interrupts and memory ---------------------------------------------------------------- */

/* uio_pci_generic has masked the line in the command register before it told us. */
static bool irq_came(void *ctx)
{
    uint32_t count;
    return read(((struct live *)ctx)->uio, &count, sizeof count) == (ssize_t)sizeof count;
}

static void irq_allow(void *ctx) { (void)command(ctx, 0, PCI_COMMAND_INTX_DISABLE); }

static int map_memory(void *ctx, void *virt, size_t n)
{
    return hostmem_map(&((struct live *)ctx)->mem, virt, n);
}

/* ---- the device contract ------------------------------------------------------------------ */

static int live_wait_fd(struct netdev *d, unsigned q)
{
    (void)q;
    return live_of(d)->uio;
}

static void live_free(struct live *l)
{
    for (unsigned i = 0; i < VIRTIO_SPACES; i++) {
        if (l->space[i] != NULL)
            munmap(l->space[i], l->mapped[i]);
    }
    hostmem_close(&l->mem);
    if (l->shared != NULL)
        munmap(l->shared, sizeof(struct virtio_net_shared));
    if (l->config >= 0)
        close(l->config);
    if (l->uio >= 0)
        close(l->uio);
    free(l);
}

static void live_close(struct netdev *d)
{
    struct live *l = live_of(d);
    l->driver->close(d);
    (void)command(l, 0, PCI_COMMAND_MASTER);
    live_free(l);
}

static const char *driver_counter(const struct netdev *d, unsigned i, uint64_t *value)
{
    if (i >= VIRTIO_NET_N_COUNTERS)
        return NULL;
    *value = ((const struct live *)(const void *)d)->nic.count[i];
    return virtio_net_counter_text((enum virtio_net_counter)i);
}

/* ---- finding the card, and why it fails --------------------------------------------------- */

/* The name sysfs has for it; 0000: may be left out. */
static bool slot_name(const char *name, char slot[SLOT_TEXT])
{
    unsigned n = 0;
    int length =
        snprintf(slot, SLOT_TEXT, "%s%s", strlen(name) == SLOT_LEN - 5 ? "0000:" : "", name);
    for (; n < SLOT_LEN && slot[n] != '\0'; n++) {
        char want = n == 4 || n == 7 ? ':' : n == 10 ? '.' : '0';
        if (want == '0' ? strchr("0123456789abcdef", slot[n]) == NULL : slot[n] != want)
            return false;
    }
    return n == SLOT_LEN && length == SLOT_LEN;
}

static void sysfs(char path[PATH_MAX], const char *slot, const char *leaf)
{
    (void)snprintf(path, PATH_MAX, "/sys/bus/pci/devices/%s/%s", slot, leaf);
}

static bool exists(const char *slot, const char *leaf)
{
    char path[PATH_MAX];
    struct stat st;
    sysfs(path, slot, leaf);
    return stat(path, &st) == 0;
}

/* 0, or why this card is not for us. */
static int check_card(const char *slot, char *err)
{
    char path[PATH_MAX], target[PATH_MAX] = "";
    if (!exists(slot, ""))
        return backend_fail(err, -ENODEV, "there is no PCI device %s; lspci -D lists them", slot);
    sysfs(path, slot, "driver");
    ssize_t n = readlink(path, target, sizeof target - 1);
    const char *driver = n > 0 && strrchr(target, '/') != NULL ? strrchr(target, '/') + 1 : "";
    if (n > 0 && strcmp(driver, "uio_pci_generic") != 0)
        return backend_fail(err, -EBUSY,
                            "%s is driven by %.40s; to free it, as root, run: "
                            "echo %s > /sys/bus/pci/devices/%s/driver/unbind",
                            slot, driver, slot, slot);
    if (exists(slot, "iommu_group"))
        return backend_fail(err, -ENOTSUP,
                            "%s stands behind an IOMMU, which weir does not know how to program",
                            slot);
    return 0;
}

static int open_config(struct live *l, const char *slot, char *err)
{
    char path[PATH_MAX];
    uint8_t config[VIRTIO_PCI_CONFIG] = {0};
    sysfs(path, slot, "config");
    l->config = open(path, O_RDWR | O_CLOEXEC);
    if (l->config < 0)
        return backend_fail(err, -errno, "cannot open %s: %s%s", path, strerror(errno),
                            errno == EACCES ? " (driving a card takes root)" : "");
    if (pread(l->config, config, sizeof config, 0) < PCI_STD_HEADER_SIZEOF)
        return backend_fail(err, -EIO, "%s does not tell its configuration", slot);
    int e = virtio_pci_layout(config, &l->layout);
    if (e == -ENODEV)
        return backend_fail(err, e, "%s is no virtio network card", slot);
    if (e != 0)
        return backend_fail(err, e, "%s is a virtio card without the modern interface", slot);
    return 0;
}

static int map_space(struct live *l, enum virtio_space s, const char *slot, char *err)
{
    char leaf[16], path[PATH_MAX];
    const struct virtio_place *p = &l->layout.space[s];
    struct stat st;
    (void)snprintf(leaf, sizeof leaf, "resource%u", p->bar);
    sysfs(path, slot, leaf);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return backend_fail(err, -errno, "cannot open %s: %s", path, strerror(errno));
    uint32_t page = p->at / BUS_PAGE * BUS_PAGE, need = w_u32_min(p->len, MAP_MAX);
    bool is_there = fstat(fd, &st) == 0 && (uint64_t)st.st_size >= (uint64_t)p->at + need;
    l->skip[s] = p->at - page;
    l->mapped[s] = l->skip[s] + need;
    l->layout.space[s].len = need;
    void *at = is_there
                   ? mmap(NULL, l->mapped[s], PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)page)
                   : MAP_FAILED;
    int e = is_there ? errno : ENXIO;
    close(fd);
    if (at == MAP_FAILED)
        return backend_fail(err, -e, "cannot map the registers of %s: %s", slot, strerror(e));
    l->space[s] = at;
    return 0;
}

/* The card's /dev/uioN, if uio_pci_generic has it. 0 also if not. */
static int open_uio(struct live *l, const char *slot, char *err)
{
    char path[PATH_MAX];
    sysfs(path, slot, "uio");
    DIR *dir = opendir(path);
    path[0] = '\0';
    for (struct dirent *d; dir != NULL && (d = readdir(dir)) != NULL;) {
        if (strncmp(d->d_name, "uio", 3) == 0)
            (void)snprintf(path, sizeof path, "/dev/%.60s", d->d_name);
    }
    if (dir != NULL)
        closedir(dir);
    if (path[0] == '\0')
        return 0;
    l->uio = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (l->uio < 0)
        return backend_fail(err, -errno, "cannot open %s: %s", path, strerror(errno));
    return 0;
}

static int start_driver(struct live *l, const char *slot, const struct backend_conf *conf,
                        char *err)
{
    struct virtio_net_conf nc = {.mtu = conf->mtu, .offloads = UINT32_MAX};
    const struct virtio_host host = {
        .read = reg_read,
        .write = reg_write,
        .map = map_memory,
        .irq_came = l->uio >= 0 ? irq_came : NULL,
        .irq_allow = irq_allow,
        .ctx = l,
        .pages = &l->mem.pages,
        .notify_multiplier = l->layout.notify_multiplier,
        .notify_len = l->layout.space[VIRTIO_NOTIFY].len,
    };
    struct arena a;
    backend_mac(slot, conf->seed, nc.mac);
    l->shared = mmap(NULL, sizeof(struct virtio_net_shared), PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (l->shared == MAP_FAILED) {
        l->shared = NULL;
        return backend_fail(err, -ENOMEM, "no memory for the rings of %s", slot);
    }
    int e = hostmem_open(&l->mem);
    if (e != 0)
        return backend_fail(err, e, "cannot look up physical addresses: %s", strerror(-e));
    uint16_t line = l->uio >= 0 ? 0 : PCI_COMMAND_INTX_DISABLE;
    if (command(l, (uint16_t)(PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | line), 0) != 0)
        return backend_fail(err, -EIO, "cannot switch %s on", slot);
    arena_init(&a, l->shared, sizeof(struct virtio_net_shared));
    e = virtio_net_init(&l->nic, &host, &nc, &a);
    return e == 0 ? 0
                  : backend_fail(err, e, "the card %s does not do what a virtio card does: %s",
                                 slot, strerror(-e));
}

static int make(struct live *l, const char *slot, const struct backend_conf *conf, char *err)
{
    int e = check_card(slot, err);
    if (e == 0)
        e = open_config(l, slot, err);
    for (unsigned s = 0; s < VIRTIO_SPACES && e == 0; s++)
        e = map_space(l, (enum virtio_space)s, slot, err);
    if (e == 0)
        e = open_uio(l, slot, err);
    return e == 0 ? start_driver(l, slot, conf, err) : e;
}

int virtio_open(const char *name, const struct backend_conf *conf, struct backend *out, char *err)
{
    char slot[SLOT_TEXT];
    if (!slot_name(name, slot))
        return backend_fail(err, -EINVAL,
                            "virtio needs the place of a card on the PCI bus, such as "
                            "virtio:0000:00:03.0; lspci -D lists them");
    struct live *l = calloc(1, sizeof *l);
    if (l == NULL)
        return backend_fail(err, -ENOMEM, "no memory for %s", slot);
    l->config = l->uio = l->mem.pagemap = -1;
    for (unsigned i = 0; i < BUS_PAGES_REGIONS; i++)
        l->mem.pin[i] = -1;
    int e = make(l, slot, conf, err);
    if (e != 0) {
        live_free(l);
        return e;
    }
    l->driver = l->nic.dev.ops;
    l->ops = *l->driver;
    l->ops.close = live_close;
    l->ops.wait_fd = live_wait_fd;
    l->nic.dev.ops = &l->ops;
    *out = (struct backend){.dev = &l->nic.dev, .addr = conf->addr, .gw = conf->gw};
    out->dns = conf->dns;
    out->prefix_len = conf->prefix_len != 0 ? conf->prefix_len : 24;
    out->addr6 = conf->addr6;
    out->gw6 = conf->gw6;
    out->prefix_len6 = conf->prefix_len6 != 0 ? conf->prefix_len6 : 64;
    out->counter = driver_counter;
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * What weir's NIC and its driver have agreed upon: registers, rings and descriptors.
 *
 * Registers are 32 bits wide. Those of queue q begin at NIC_QUEUE(q). A ring has a power of two of
 * entries; its indices count up for ever (modulo 2^32) and entry i lies at place i % size, so that
 * "full" and "empty" differ and no entry is wasted:
 *
 *   ring     | entries              | driver writes      | NIC writes
 *   transmit | struct nic_txd       | entries, then TAIL | the count of those it is done with,
 *            |                      |                    | into host memory (write-back)
 *   receive  | struct nic_rxd       | entries, then TAIL | -
 *   return   | struct nic_ret       | 0 into flags when  | entries; flags with NIC_RET_DONE last
 *            |                      | taken, then TAIL   |
 *
 *   an entry belongs to | from                        | until
 *   the driver          | reset; NIC is done with it  | TAIL is written beyond it (the doorbell)
 *   the NIC             | TAIL is written beyond it   | it is counted done, or returned
 *
 * What an entry points to belongs to whom the entry belongs. A return entry says which receive
 * entry it is about, so buffers may come back in another order than they were given.
 *
 * The bus carries eight bytes at a time, so the NIC may see one half of a descriptor as it is and
 * the other as it was a lap ago. Therefore each half carries the lap it was written in (nic_tag),
 * and the NIC reads again what does not fit. Of a return entry, rx says the same: what the driver
 * has not given in this lap cannot come back.
 *
 * Host and NIC have the same byte order: a descriptor is a struct in memory.
 */
#ifndef WEIR_NIC_REGS_H
#define WEIR_NIC_REGS_H

#include "bus/bus.h"

enum {
    NIC_ID_VALUE = 0x77656972, /* "weir" */
    NIC_QUEUES_MAX = 8,
    NIC_RING_MIN = 8,
    NIC_RING_MAX = 4096,
    NIC_RSS_WORDS = 10,    /* of the key: 40 bytes */
    NIC_RSS_ENTRIES = 128, /* of the indirection table, a queue number each */
    NIC_TX_PARTS = 16,     /* descriptors of one packet at most */
    NIC_TX_PART_MAX = 16384,
    NIC_TAG_MASK = 31,
    NIC_ADDR_TAG_SHIFT = 59, /* in an address: its five highest bits */
    NIC_TXD_TAG_SHIFT = 3,   /* in nic_txd.flags */
};

/* What tells one lap of a ring of `size` entries from those before and after it: of entry i. Rings
 * are cleared at reset, and the first lap's tag is not 0. */
static inline uint32_t nic_tag(uint32_t i, uint32_t size) { return ~(i / size) & NIC_TAG_MASK; }
static inline bus_addr nic_addr_tagged(bus_addr a, uint32_t tag)
{
    return a | (bus_addr)tag << NIC_ADDR_TAG_SHIFT;
}
static inline bus_addr nic_addr_of(bus_addr a)
{
    return a & (((bus_addr)1 << NIC_ADDR_TAG_SHIFT) - 1);
}
static inline uint32_t nic_addr_tag(bus_addr a) { return (uint32_t)(a >> NIC_ADDR_TAG_SHIFT); }

/* ---- registers of the whole NIC ---- */
enum nic_reg {
    NIC_ID = 0x00,        /* reads NIC_ID_VALUE */
    NIC_CTRL = 0x04,      /* enum nic_ctrl */
    NIC_STATUS = 0x08,    /* enum nic_status, read only */
    NIC_FEATURES = 0x0c,  /* enum nic_feature: what this NIC can, read only */
    NIC_MAC_LO = 0x10,    /* the address burnt in: its first four bytes, big-endian */
    NIC_MAC_HI = 0x14,    /* … the last two, in the low half */
    NIC_SPEED = 0x18,     /* of the link, Mbit/s, read only */
    NIC_N_QUEUES = 0x1c,  /* pairs of queues there are, read only */
    NIC_MAX_FRAME = 0x20, /* bytes without CRC; longer ones are dropped on receipt */
    NIC_TX_FIFO = 0x24,   /* bytes of packet memory, read only */
    NIC_RX_FIFO = 0x28,
    NIC_PAUSE_HIGH = 0x2c,   /* bytes in the receive FIFO from which PAUSE is sent */
    NIC_PAUSE_LOW = 0x30,    /* … down to which it is taken back */
    NIC_PAUSE_QUANTA = 0x34, /* how long one PAUSE holds, in units of 512 bit times */
    NIC_LRO_NS = 0x38,       /* a segment waits so long for those that follow; 0: no merging */
    NIC_LRO_MAX = 0x3c,      /* bytes of a merged frame */
    NIC_RSS_KEY = 0x40,      /* NIC_RSS_WORDS words, big-endian */
    NIC_RSS_TABLE = 0x80,    /* NIC_RSS_ENTRIES bytes, four a word, lowest first */
    NIC_GAUGES = 0x100,      /* + NIC_GAUGE_STRIDE * enum nic_gauge_id; read only */
    NIC_STATS = 0x200,       /* + 8 * enum nic_stat: low word; + 4: high word; read only */
    NIC_QUEUE_0 = 0x1000,
    NIC_QUEUE_STRIDE = 0x100,
};

/* The NIC's buffers, for people: six words each, of which the last two are one number. They outlive
 * a reset. */
enum nic_gauge_reg {
    NIC_GAUGE_NOW = 0x00, /* bytes, or entries of a ring */
    NIC_GAUGE_LIMIT = 0x04,
    NIC_GAUGE_HIGH = 0x08,    /* the most that ever was */
    NIC_GAUGE_N_FULL = 0x0c,  /* times something had to wait for room, or found none */
    NIC_GAUGE_FULL_LO = 0x10, /* for how long in all, ns */
    NIC_GAUGE_FULL_HI = 0x14,
    NIC_GAUGE_STRIDE = 0x18,
};
enum nic_gauge_id {
    NIC_G_TX_FIFO,
    NIC_G_RX_FIFO,
    NIC_G_RX_RING, /* + queue: receive entries that the NIC has filled, or never was given */
    NIC_N_GAUGES = NIC_G_RX_RING + NIC_QUEUES_MAX,
};

#define NIC_QUEUE(q) ((uint32_t)NIC_QUEUE_0 + (uint32_t)(q) * (uint32_t)NIC_QUEUE_STRIDE)

enum nic_ctrl {
    NIC_CTRL_RESET = 1 << 0,    /* all is as after power-on, statistics too; reads 0 */
    NIC_CTRL_ENABLE = 1 << 1,   /* sends and receives */
    NIC_CTRL_PAUSE_RX = 1 << 2, /* obeys PAUSE */
    NIC_CTRL_PAUSE_TX = 1 << 3, /* sends PAUSE */
    NIC_CTRL_PROMISC = 1 << 4,  /* receives frames for other addresses too */
    NIC_CTRL_RX_CSUM = 1 << 5,  /* verifies TCP and UDP checksums */
    NIC_CTRL_RX_DROP = 1 << 6,  /* a frame whose queue has no buffer is dropped at once, so that the
                                  other queues' frames behind it go on */
    NIC_CTRL_RSS = 1 << 7,      /* spreads received flows over the queues */
};

enum nic_status {
    NIC_STATUS_LINK = 1 << 0,
    NIC_STATUS_PAUSED = 1 << 1, /* the peer holds us */
    NIC_STATUS_DEAD = 1 << 2,   /* a queue stands still: its ring is not in memory */
};

enum nic_feature {
    NIC_F_TX_CSUM = 1 << 0,
    NIC_F_RX_CSUM = 1 << 1,
    NIC_F_TSO = 1 << 2, /* IPv4 and IPv6 */
    NIC_F_RSS = 1 << 3,
    NIC_F_PAUSE = 1 << 4,
    NIC_F_LRO = 1 << 5, /* IPv4 and IPv6 */
};

/* ---- registers of a queue, from NIC_QUEUE(q) ---- */
enum nic_queue_reg {
    NIC_TX_BASE_LO = 0x00, /* bus address of the ring */
    NIC_TX_BASE_HI = 0x04,
    NIC_TX_SIZE = 0x08,  /* entries; 0: the ring is off */
    NIC_TX_TAIL = 0x0c,  /* doorbell: entries before it are the NIC's */
    NIC_TX_HEAD = 0x10,  /* fetched so far. While the ring is off: the index it begins at */
    NIC_TX_WB_LO = 0x14, /* bus address of the word into which the count of sent entries goes */
    NIC_TX_WB_HI = 0x18,
    NIC_TX_DONE = 0x1c, /* that count itself, read only: for a driver that misses a write-back */
    NIC_RX_BASE_LO = 0x20,
    NIC_RX_BASE_HI = 0x24,
    NIC_RX_SIZE = 0x28,
    NIC_RX_TAIL = 0x2c,
    NIC_RX_HEAD = 0x30,    /* used so far; begins as NIC_TX_HEAD does */
    NIC_RX_HDR_LEN = 0x34, /* the first so many bytes of a frame go to rxd.hdr, */
    NIC_RX_BUF_LEN = 0x38, /* the next so many to rxd.buf, the rest to further entries' bufs */
    NIC_RET_BASE_LO = 0x40,
    NIC_RET_BASE_HI = 0x44,
    NIC_RET_SIZE = 0x48,
    NIC_RET_TAIL = 0x4c,       /* entries before it the driver has taken */
    NIC_RET_HEAD = 0x50,       /* written so far; begins as NIC_TX_HEAD does */
    NIC_IRQ_VECTOR = 0x60,     /* the interrupt's number */
    NIC_IRQ_ARM = 0x64,        /* 1: interrupt when there is something. Raising it disarms. */
    NIC_COAL_RX_NS = 0x68,     /* an interrupt waits so long after the first received frame, */
    NIC_COAL_RX_FRAMES = 0x6c, /* or until there are so many; 0 and 1: at once */
    NIC_COAL_TX_NS = 0x70,
    NIC_COAL_TX_FRAMES = 0x74,
};

/* ---- descriptors ---- */

enum nic_txd_flag {
    NIC_TXD_EOP = 1 << 0,  /* the packet's last */
    NIC_TXD_CSUM = 1 << 1, /* complete the checksum: the pseudo-header's sum is in its field */
    NIC_TXD_TSO = 1 << 2,  /* cut the TCP payload into pieces of mss */
};

/* A piece of a packet to send. What describes the packet (flags but EOP, hdr_len, csum_*, mss) is
 * read from its first descriptor. */
struct nic_txd {
    bus_addr addr; /* tagged */
    uint16_t len;
    uint8_t flags;      /* tagged */
    uint8_t hdr_len;    /* with TSO: bytes up to the TCP payload; they lie in the first piece */
    uint8_t csum_start; /* from the frame's first byte */
    uint8_t csum_at;    /* from csum_start */
    uint16_t mss;
};
_Static_assert(sizeof(struct nic_txd) == 16, "16 bytes on the bus");

/* Buffers for one frame, or for the next part of a long one (then hdr stays as it was). */
struct nic_rxd {
    bus_addr hdr; /* both tagged */
    bus_addr buf;
};
_Static_assert(sizeof(struct nic_rxd) == 16, "16 bytes on the bus");

enum nic_ret_flag {
    NIC_RET_DONE = 1 << 0,      /* the entry is written; until then nothing else in it counts */
    NIC_RET_MORE = 1 << 1,      /* the frame goes on in the next return entry */
    NIC_RET_CSUM_GOOD = 1 << 2, /* TCP or UDP, whole, and the checksum is right */
    NIC_RET_CSUM_BAD = 1 << 3,
    NIC_RET_HASH = 1 << 4,  /* hash holds the RSS hash */
    NIC_RET_ERROR = 1 << 5, /* a buffer could not be written: the frame is lost, its buffers are the
                               driver's again */
};

struct nic_ret {
    uint32_t rx; /* the receive entry whose buffers these are */
    uint32_t hash;
    uint16_t hdr_len, buf_len; /* bytes written to each */
    uint16_t segs; /* merged: so many; the header is the first one's, but for PSH. 1: as it came */
    uint16_t flags;
};
_Static_assert(sizeof(struct nic_ret) == 16, "16 bytes on the bus");

/* ---- statistics: name as `ethtool -S` would print it ---- */
#define NIC_STAT_LIST(X)                                                                           \
    X(TX_PACKETS, "tx_packets")                                                                    \
    X(TX_BYTES, "tx_bytes")                                                                        \
    X(RX_PACKETS, "rx_packets")                                                                    \
    X(RX_BYTES, "rx_bytes")                                                                        \
    X(RX_BROADCAST, "rx_broadcast")                                                                \
    X(RX_MULTICAST, "rx_multicast")                                                                \
    X(RX_CRC_ERRORS, "rx_crc_errors")                                                              \
    X(RX_LENGTH_ERRORS, "rx_length_errors")                                                        \
    X(RX_RUNT, "rx_short_length_errors")                                                           \
    X(RX_GIANT, "rx_long_length_errors")                                                           \
    X(RX_FILTERED, "rx_filtered")                                                                  \
    X(RX_MISSED, "rx_missed_errors")                                                               \
    X(RX_NO_BUFFER, "rx_no_buffer_count")                                                          \
    X(LRO_MERGED, "lro_aggregated")                                                                \
    X(LRO_FLUSHED, "lro_flushed")                                                                  \
    X(RX_CSUM_ERRORS, "rx_csum_offload_errors")                                                    \
    X(RX_TORN, "rx_torn_descriptors")                                                              \
    X(RX_DMA_ERRORS, "rx_dma_errors")                                                              \
    X(TX_DMA_ERRORS, "tx_dma_errors")                                                              \
    X(TX_TORN, "tx_torn_descriptors")                                                              \
    X(TX_BAD_DESC, "tx_bad_descriptors")                                                           \
    X(TX_TSO, "tx_tcp_seg_good")                                                                   \
    X(TX_TSO_FRAMES, "tx_tcp_seg_frames")                                                          \
    X(TX_PAUSE, "tx_pause")                                                                        \
    X(RX_PAUSE, "rx_pause")                                                                        \
    X(PAUSED_NS, "tx_paused_ns")                                                                   \
    X(IRQS, "interrupts")                                                                          \
    X(DMA_READS, "dma_reads")                                                                      \
    X(DMA_WRITES, "dma_writes")                                                                    \
    X(RESETS, "resets")

enum nic_stat {
#define X(name, text) NIC_S_##name,
    NIC_STAT_LIST(X)
#undef X
        NIC_N_STATS
};

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames into a pcapng file that tcpdump, tshark and Wireshark read, also while it grows.
 *
 * What it decides: one section, its interfaces alike, stamps in nanoseconds, the direction of each
 * frame in its flags, and a frame's comment as an option of its block, so that a later reader sees
 * why a frame was sent beside the frame. Numbers are in the machine's byte order, which the section
 * header announces, as the format wants it.
 *
 * Owns the FILE and its buffer. The first write error is kept and told by flush and close: a full
 * disk ends the capture, not the network. Called by the sink of a capturing device (dev/wrap.h) and
 * by sim/. Read first: draft-ietf-opsawg-pcapng, sections 4.1 (section header), 4.2 (interface
 * description), 4.3 (enhanced packet), 3.5 (options).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "backend/backend.h"
#include "pkt/pkt.h"

enum {
    BUFFER = 256 * 1024,
    BLOCK_SECTION = 0x0a0d0d0a,
    BLOCK_INTERFACE = 1,
    BLOCK_PACKET = 6,
    MAGIC = 0x1a2b3c4d,
    LINK_ETHERNET = 1,
    LINK_RAW = 101,
    OPT_END = 0,
    OPT_COMMENT = 1,
    OPT_IF_NAME = 2,
    OPT_IF_TSRESOL = 9,
    OPT_EPB_FLAGS = 2,
    COMMENT_MAX = 4096,
};

struct capture {
    FILE *f;
    uint32_t snaplen;
    bool is_l3;
    unsigned n_interfaces;
    int64_t wall_offset;
    w_ns flushed_at;
    int error; /* -E… of the first write that failed */
};

static void put(struct capture *c, const void *bytes, size_t n)
{
    if (c->error == 0 && n != 0 && fwrite(bytes, 1, n, c->f) != n)
        c->error = errno != 0 ? -errno : -EIO;
}

static void put_u32(struct capture *c, uint32_t v) { put(c, &v, sizeof v); }

static uint32_t padded(uint32_t n) { return (n + 3) & ~3u; }

static void put_padding(struct capture *c, uint32_t n)
{
    static const uint8_t zero[4];
    put(c, zero, padded(n) - n);
}

static void put_option(struct capture *c, uint16_t code, const void *value, uint32_t n)
{
    uint16_t head[2] = {code, (uint16_t)n};
    put(c, head, sizeof head);
    put(c, value, n);
    put_padding(c, n);
}

/* Bytes an option takes in its block. */
static uint32_t option_size(uint32_t n) { return 4 + padded(n); }

static void put_section(struct capture *c)
{
    const uint32_t size = 28;
    uint16_t version[2] = {1, 0};
    int64_t unknown_length = -1;
    put_u32(c, BLOCK_SECTION);
    put_u32(c, size);
    put_u32(c, MAGIC);
    put(c, version, sizeof version);
    put(c, &unknown_length, sizeof unknown_length);
    put_u32(c, size);
}

unsigned capture_add_interface(struct capture *c, const char *name)
{
    uint32_t n = (uint32_t)strlen(name);
    uint32_t size = 20 + option_size(n) + option_size(1) + option_size(0);
    uint16_t link[2] = {c->is_l3 ? LINK_RAW : LINK_ETHERNET, 0};
    uint8_t resolution = 9; /* 10^-9 s */
    put_u32(c, BLOCK_INTERFACE);
    put_u32(c, size);
    put(c, link, sizeof link);
    put_u32(c, c->snaplen != UINT32_MAX ? c->snaplen : 0); /* 0: no limit */
    put_option(c, OPT_IF_NAME, name, n);
    put_option(c, OPT_IF_TSRESOL, &resolution, 1);
    put_option(c, OPT_END, NULL, 0);
    put_u32(c, size);
    return c->n_interfaces++;
}

static void put_frame(struct capture *c, const struct pkt *p, uint32_t n)
{
    uint32_t part = w_u32_min(n, p->lin);
    put(c, pkt_data(p), part);
    n -= part;
    for (unsigned i = 0; i < p->nfrag && n != 0; i++) {
        part = w_u32_min(n, p->frag[i].len);
        put(c, p->frag[i].b->mem + p->frag[i].off, part);
        n -= part;
    }
}

struct capture *capture_open(const char *path, const struct capture_conf *conf, char *err)
{
    struct capture *c = calloc(1, sizeof *c);
    if (c == NULL) {
        snprintf(err, BACKEND_ERR_TEXT, "no memory for a capture");
        return NULL;
    }
    c->f = strcmp(path, "-") == 0 ? stdout : fopen(path, "wbe");
    if (c->f == NULL) {
        snprintf(err, BACKEND_ERR_TEXT, "cannot write %.150s: %s", path, strerror(errno));
        free(c);
        return NULL;
    }
    (void)setvbuf(c->f, NULL, _IOFBF, BUFFER);
    c->snaplen = conf->snaplen != 0 ? conf->snaplen : UINT32_MAX;
    c->wall_offset = conf->wall_offset;
    c->is_l3 = conf->is_l3;
    put_section(c);
    (void)capture_add_interface(c, conf->if_name != NULL ? conf->if_name : "weir");
    if (capture_flush(c) != 0) {
        snprintf(err, BACKEND_ERR_TEXT, "cannot write %.150s: %s", path, strerror(-c->error));
        (void)capture_close(c);
        return NULL;
    }
    return c;
}

/* A packet block up to its frame's bytes, of which `kept` follow. Returns the block's size. */
static uint32_t begin_packet(struct capture *c, const struct capture_frame *f, uint32_t kept)
{
    uint32_t n_comment = f->comment != NULL ? (uint32_t)strnlen(f->comment, COMMENT_MAX) : 0;
    uint32_t size = 32 + padded(kept) + option_size(4) + option_size(0);
    uint64_t stamp = f->at + (uint64_t)c->wall_offset;
    if (f->comment != NULL)
        size += option_size(n_comment);
    put_u32(c, BLOCK_PACKET);
    put_u32(c, size);
    put_u32(c, f->interface);
    put_u32(c, (uint32_t)(stamp >> 32));
    put_u32(c, (uint32_t)stamp);
    put_u32(c, kept);
    put_u32(c, f->len);
    return size;
}

static void end_packet(struct capture *c, const struct capture_frame *f, uint32_t kept,
                       uint32_t size)
{
    uint32_t flags = (uint32_t)f->dir;
    put_padding(c, kept);
    put_option(c, OPT_EPB_FLAGS, &flags, sizeof flags);
    if (f->comment != NULL)
        put_option(c, OPT_COMMENT, f->comment, (uint32_t)strnlen(f->comment, COMMENT_MAX));
    put_option(c, OPT_END, NULL, 0);
    put_u32(c, size);
    if (f->at - c->flushed_at >= W_S) {
        c->flushed_at = f->at;
        (void)capture_flush(c);
    }
}

void capture_write(struct capture *c, w_ns now, enum capture_dir dir, const struct pkt *p,
                   const char *comment)
{
    const struct capture_frame f = {.at = now, .dir = dir, .len = p->len, .comment = comment};
    uint32_t kept = w_u32_min(p->len, c->snaplen);
    uint32_t size = begin_packet(c, &f, kept);
    put_frame(c, p, kept);
    end_packet(c, &f, kept, size);
}

void capture_write_bytes(struct capture *c, const struct capture_frame *f)
{
    uint32_t kept = w_u32_min(f->n, c->snaplen);
    uint32_t size = begin_packet(c, f, kept);
    put(c, f->bytes, kept);
    end_packet(c, f, kept, size);
}

int capture_flush(struct capture *c)
{
    if (fflush(c->f) != 0 && c->error == 0)
        c->error = errno != 0 ? -errno : -EIO;
    return c->error;
}

int capture_close(struct capture *c)
{
    if (c == NULL)
        return 0;
    int e = capture_flush(c);
    if (c->f != stdout && fclose(c->f) != 0 && e == 0)
        e = -errno;
    free(c);
    return e;
}

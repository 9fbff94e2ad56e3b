/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory of a script: taken in small pieces, given back all at once.
 *
 * A script is a tree of a few hundred nodes whose lives all end together, so a chain of chunks is
 * all the management it needs. Chunks are 16 KiB, or as large as one request. Owned by the script;
 * called by the parser. Pointers stay valid until mem_free. Everything is zeroed, and every piece
 * is aligned for any type. Without memory the program ends: it is a command, and its input is
 * small.
 */
#include "drill/ast.h"

#include <stdio.h>
#include <stdlib.h>

enum { CHUNK_BYTES = 16384 - 64 };

struct mem_chunk {
    struct mem_chunk *next;
    size_t used, size;
    _Alignas(16) uint8_t bytes[];
};

void *mem_take(struct mem *m, size_t n)
{
    n = (n + 15) & ~(size_t)15;
    struct mem_chunk *c = m->chunks;
    if (c == NULL || c->size - c->used < n) {
        size_t size = n > CHUNK_BYTES ? n : CHUNK_BYTES;
        c = calloc(1, sizeof(*c) + size);
        if (c == NULL) {
            fputs("weir drill: no memory\n", stderr);
            exit(2);
        }
        c->size = size;
        c->next = m->chunks;
        m->chunks = c;
    }
    void *at = c->bytes + c->used;
    c->used += n;
    return at;
}

char *mem_text(struct mem *m, const char *s, size_t n)
{
    char *at = mem_take(m, n + 1);
    memcpy(at, s, n);
    return at;
}

void mem_free(struct mem *m)
{
    while (m->chunks != NULL) {
        struct mem_chunk *c = m->chunks;
        m->chunks = c->next;
        free(c);
    }
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Any text as a trace file: it is refused with the line, or its streams, journeys and comments can
 * be told, whatever the records claim.
 */
#include "fuzz.h"

#include <stdio.h>

#include "look/way.h"

static void see(void *ctx, const struct look_shown *s)
{
    FILE *f = ctx;
    WEIR_ASSERT(s->n <= s->len || s->len == 0);
    fputs(s->comment, f);
}

static void tell(const struct look_log *log, FILE *f)
{
    static struct look_stream streams[LOOK_STREAMS];
    unsigned n = look_streams(log, streams);
    WEIR_ASSERT(n <= LOOK_STREAMS);
    for (unsigned i = 0; i < n && i < 8; i++) {
        struct look_way w;
        if (look_way_find(&w, log, &streams[i], i * 1000, 5000) < 0)
            continue;
        look_way_print(&w, f);
        look_way_json(&w, log, f);
        look_way_free(&w);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct look_log log = {0};
    char err[256] = "";
    FILE *in = fmemopen((void *)(uintptr_t)data, size, "r"), *out = fopen("/dev/null", "we");
    const struct look_conf lc = {.frame = see, .ctx = out};
    struct look *l = look_new(&lc);
    if (in != NULL && out != NULL && l != NULL) {
        if (look_log_read(&log, in, err, sizeof err) < 0)
            WEIR_ASSERT(err[0] != '\0');
        for (unsigned h = 0; h < LOOK_HOSTS; h++)
            for (size_t i = 0; i < log.host[h].n; i++)
                look_record(l, h, &log.host[h].v[i]);
        look_settle(l, W_S);
        tell(&log, out);
    }
    look_free(l);
    if (in != NULL)
        (void)fclose(in);
    if (out != NULL)
        (void)fclose(out);
    look_log_free(&log);
    return 0;
}

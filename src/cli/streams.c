/* SPDX-License-Identifier: Apache-2.0
 *
 * Trace files and their streams, for the commands that show them.
 *
 * Decides which stream a person means who says nothing: the one with the most bytes. What is wrong
 * is said here, in one sentence that begins with the command's name; the caller only ends with
 * status 2. Owns nothing; calls look/.
 */
#include "cli/streams.h"

#include <errno.h>
#include <string.h>

int streams_load(const char *who, const char *path, struct look_log *l)
{
    char err[256];
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (f == NULL) {
        fprintf(stderr, "%s: %s: %s\n", who, path, strerror(errno));
        return -EIO;
    }
    int r = look_log_read(l, f, err, sizeof err);
    if (r < 0)
        fprintf(stderr, "%s: %s: %s\n", who, path, err);
    if (f != stdin)
        (void)fclose(f);
    return r;
}

void streams_list(const struct look_stream *v, unsigned n)
{
    printf("  No  bytes        from -> to, seen by\n");
    for (unsigned i = 0; i < n; i++) {
        char from[LOOK_END], to[LOOK_END];
        const struct look_stream *s = &v[i];
        printf("%4u  %-11llu  %s -> %s, host %u", i + 1, (unsigned long long)s->bytes,
               look_end(from, &s->from), look_end(to, &s->to), s->host);
        if (s->peer_conn != 0)
            printf(" and host %u", s->peer_host);
        printf("%s\n", s->is_far ? " (the receiver)" : "");
    }
}

const struct look_stream *streams_pick(const char *who, const struct look_stream *v, unsigned n,
                                       unsigned which)
{
    const struct look_stream *best = NULL;
    for (unsigned i = 0; i < n; i++)
        if (best == NULL || v[i].bytes > best->bytes)
            best = &v[i];
    if (best == NULL)
        fprintf(stderr, "%s: no connection that carried bytes is in this trace\n", who);
    if (which == 0 || best == NULL)
        return best;
    if (which > n) {
        fprintf(stderr, "%s: there is no stream %u, only %u; --list shows them\n", who, which, n);
        return NULL;
    }
    return &v[which - 1];
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * A world's records and frames, brought to whoever wants them.
 *
 * Decides that each host is an interface of the capture, so that a frame that arrives is there
 * twice: as sent, and as it came. Owns the files, and the log until view_free.
 *
 * Called by the commands that show worlds; hooks into sim.c (struct sim_see), calls look/ and
 * backend/'s capture.
 */
#include "sim/view.h"

#include "backend/backend.h"

#include <errno.h>

enum { RECORDS = 1 << 15 };

static void shown(void *ctx, const struct look_shown *s)
{
    struct view *v = ctx;
    const struct capture_frame f = {.at = s->at,
                                    .dir = s->is_out ? CAPTURE_TX : CAPTURE_RX,
                                    .interface = s->host,
                                    .bytes = s->bytes,
                                    .n = s->n,
                                    .len = s->len,
                                    .comment = s->comment};
    capture_write_bytes(v->capture, &f);
}

static void keep(void *ctx, unsigned host, const struct weir_trace *r)
{
    struct view *v = ctx;
    if (look_log_add(&v->log, host, r) < 0)
        v->is_short = true;
}

static int open_files(struct view *v, const struct view_conf *c, char *err, size_t n_err)
{
    char why[BACKEND_ERR_TEXT] = "";
    const struct capture_conf cc = {.if_name = "host0"};
    if (c->pcap != NULL)
        v->capture = capture_open(c->pcap, &cc, why);
    if (c->pcap != NULL && v->capture == NULL) {
        snprintf(err, n_err, "%s", why);
        return -EIO;
    }
    for (unsigned i = 1; v->capture != NULL && i < LOOK_HOSTS; i++) {
        char name[16];
        snprintf(name, sizeof name, "host%u", i);
        (void)capture_add_interface(v->capture, name);
    }
    if (c->trace == NULL)
        return 0;
    v->file = fopen(c->trace, "we");
    if (v->file == NULL)
        snprintf(err, n_err, "cannot write %.150s: %s", c->trace, strerror(errno));
    return v->file == NULL ? -EIO : 0;
}

int view_open(struct view *v, const struct view_conf *c, char *err, size_t n_err)
{
    *v = (struct view){.wants_log = c->wants_log};
    int r = open_files(v, c, err, n_err);
    if (r == 0) {
        const struct look_conf lc = {.frame = v->capture != NULL ? shown : NULL,
                                     .record = c->wants_log ? keep : NULL,
                                     .ctx = v,
                                     .file = v->file};
        v->look = look_new(&lc);
        if (v->look == NULL)
            snprintf(err, n_err, "no memory for a trace");
    }
    if (v->look != NULL)
        return 0;
    (void)capture_close(v->capture);
    if (v->file != NULL)
        (void)fclose(v->file);
    *v = (struct view){0};
    return r != 0 ? r : -ENOMEM;
}

static void drain(struct view *v, unsigned host)
{
    look_drain(v->look, host, v->sim->host[host].w);
}

static void see_frame(void *ctx, unsigned host, bool is_out, const struct pkt *p)
{
    struct view *v = ctx;
    drain(v, host);
    look_frame(v->look, v->sim->now, host, is_out, p);
}

static void see_note(void *ctx, unsigned host, const char *what)
{
    struct view *v = ctx;
    look_add_note(v->look, host, what);
}

static void see_step(void *ctx)
{
    struct view *v = ctx;
    for (unsigned i = 0; i < v->sim->n_host; i++)
        drain(v, i);
    look_settle(v->look, v->sim->now);
}

static void see_end(void *ctx)
{
    struct view *v = ctx;
    see_step(v);
    v->sim = NULL;
}

void view_attach(struct view *v, struct sim *s)
{
    _Static_assert((int)SIM_HOSTS <= (int)LOOK_HOSTS, "every host can be looked at");
    v->sim = s;
    s->see = (struct sim_see){see_frame, see_note, see_step, see_end, v, RECORDS};
}

int view_close(struct view *v)
{
    look_free(v->look);
    v->look = NULL;
    int r = capture_close(v->capture);
    v->capture = NULL;
    if (v->file != NULL && (ferror(v->file) | fclose(v->file)) != 0 && r == 0)
        r = -EIO;
    v->file = NULL;
    return r;
}

void view_free(struct view *v) { look_log_free(&v->log); }

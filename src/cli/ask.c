/* SPDX-License-Identifier: Apache-2.0
 *
 * Asking running instances for something: finds them as `weir ss` does, by their sockets in the
 * user's directory, sends one line, shows the answer or says why there is none.
 *
 * Decides whom a change is meant for when nobody is named: the only one that runs. Owns nothing;
 * calls run/ctl.
 */
#include "cli/ask.h"

#include "run/ctl.h"
#include "run/words.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIDS_MAX = 256, REQUEST_TEXT = 500, EXIT_USAGE = 2 };

bool ask_is_pid(const char *word, pid_t *pid)
{
    uint64_t n;
    if (words_number(word, 1, INT32_MAX, &n) < 0)
        return false;
    *pid = (pid_t)n;
    return true;
}

/* Those with a socket; some may be gone. */
static int find_all(const struct ask_conf *c, pid_t *pid)
{
    char dir[256];
    int n = 0, r = ctl_dir(dir, sizeof(dir));
    DIR *d = r < 0 ? NULL : opendir(dir);
    if (d == NULL) {
        fprintf(stderr, "weir %s: %s: %s\n", c->cmd, dir, r < 0 ? strerror(-r) : "cannot be read");
        return -1;
    }
    for (struct dirent *e; n < PIDS_MAX && (e = readdir(d)) != NULL;)
        n += ask_is_pid(e->d_name, &pid[n]);
    closedir(d);
    return n;
}

static int make_request(const struct ask_conf *c, char *out)
{
    int n = snprintf(out, REQUEST_TEXT, "%s", c->word);
    for (int i = 0; i < c->n_args && n < REQUEST_TEXT; i++)
        n += snprintf(out + n, (size_t)(REQUEST_TEXT - n), " %s", c->args[i]);
    if (n < REQUEST_TEXT)
        n += snprintf(out + n, (size_t)(REQUEST_TEXT - n), "\n");
    if (n < REQUEST_TEXT && strchr(out, '\n') == out + n - 1)
        return 0;
    fprintf(stderr, "weir %s: that is too long to be a setting\n", c->cmd);
    return -EINVAL;
}

static void show(const struct ask_conf *c, const char *text)
{
    if (c->show != NULL)
        c->show(c->arg, text);
    else
        fputs(text, stdout);
}

static int complain(const struct ask_conf *c, pid_t pid, int r, const char *text)
{
    if (r == -EPROTO)
        fprintf(stderr, "weir %s: %s", c->cmd, text);
    else if (r == -ENOENT || r == -ECONNREFUSED)
        fprintf(stderr,
                "weir %s: process %d is no `weir run` of yours; weir ss shows all of them\n",
                c->cmd, (int)pid);
    else
        fprintf(stderr, "weir %s: process %d does not answer: %s\n", c->cmd, (int)pid,
                strerror(-r));
    return EXIT_USAGE;
}

static int ask_one(const struct ask_conf *c, pid_t pid, const char *request)
{
    char *text;
    int r = ctl_ask_text(pid, request, &text);
    if (r == 0)
        show(c, text);
    else
        r = complain(c, pid, r, text);
    free(text);
    return r;
}

/* Every answer there is; when there is none, the first refusal. */
static int ask_all(const struct ask_conf *c, const pid_t *pid, int n, const char *request)
{
    char *refusal = NULL;
    int shown = 0;
    for (int i = 0; i < n; i++) {
        char *text;
        int r = ctl_ask_text(pid[i], request, &text);
        if (r == 0)
            show(c, text);
        shown += r == 0;
        if (r == -EPROTO && refusal == NULL) {
            refusal = text;
            continue;
        }
        free(text);
    }
    int status = 0;
    if (shown == 0 && refusal != NULL)
        status = complain(c, 0, -EPROTO, refusal);
    else if (shown == 0 && !c->is_silent)
        fprintf(stderr, "weir %s: nothing runs on weir now; start something: weir run curl URL\n",
                c->cmd);
    free(refusal);
    return status;
}

/* Sockets whose owners are gone do not count. */
static int only_one(const struct ask_conf *c, pid_t *pid, int n)
{
    int alive = 0;
    for (int i = 0; i < n; i++) {
        char *text;
        int r = ctl_ask_text(pid[i], "ss\n", &text);
        free(text);
        if (r == 0)
            pid[alive++] = pid[i];
    }
    if (alive == 1)
        return 0;
    if (alive == 0)
        fprintf(stderr, "weir %s: nothing runs on weir now; start something: weir run curl URL\n",
                c->cmd);
    else
        fprintf(stderr,
                "weir %s: %d programs run on weir; say which by its process number, as in "
                "%d\n",
                c->cmd, alive, (int)pid[0]);
    return EXIT_USAGE;
}

int ask_instances(const struct ask_conf *c)
{
    char request[REQUEST_TEXT + 1];
    pid_t pid[PIDS_MAX];
    if (make_request(c, request) < 0)
        return EXIT_USAGE;
    if (c->pid != 0)
        return ask_one(c, c->pid, request);
    int n = find_all(c, pid);
    if (n < 0)
        return EXIT_USAGE;
    if (!c->is_change)
        return ask_all(c, pid, n, request);
    int r = only_one(c, pid, n);
    return r != 0 ? r : ask_one(c, pid[0], request);
}

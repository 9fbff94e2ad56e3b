/* SPDX-License-Identifier: Apache-2.0
 *
 * Asking running instances: what `weir ss`, `why`, `chain`, `nic` and `link` have in common.
 */
#ifndef WEIR_CLI_ASK_H
#define WEIR_CLI_ASK_H

#include <stdbool.h>
#include <sys/types.h>

/* Who is shown an answer (NUL-terminated text, the caller's). */
typedef void (*ask_show)(void *arg, const char *text);

struct ask_conf {
    const char *cmd;   /* "nic": in front of sentences */
    const char *word;  /* of the request */
    char *const *args; /* … and the rest of it */
    int n_args;
    pid_t pid;      /* 0: whoever runs */
    bool is_change; /* meant for one instance only */
    bool is_silent; /* that nothing runs is not said: the caller does */
    ask_show show;  /* NULL: to standard output */
    void *arg;
};

/* Exit status: 0; 2 after one sentence on standard error. Without a pid every instance that knows
 * an answer is shown; a change needs exactly one that runs. Nothing running is said, and is 0 for a
 * question, 2 for a change. */
int ask_instances(const struct ask_conf *);
/* Whether the word is a process number, as it stands where ethtool has DEVNAME. */
bool ask_is_pid(const char *word, pid_t *pid);

#endif

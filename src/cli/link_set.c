/* SPDX-License-Identifier: Apache-2.0
 *
 * weir link show, weir link set: the interface of a running program, in the manner of `ip link` and
 * `tc`. The other weir link, which joins two TAP interfaces, is cmd_link.c.
 *
 * Finds the instance and passes the words on; what is possible only the instance knows
 * (run/linkcmd.c). Owns nothing. Exit status 2 after a refusal.
 */
#include "cli/ask.h"
#include "cli/cmd.h"

#include <stdio.h>
#include <string.h>

static bool is_stats(const char *word)
{
    return strcmp(word, "-s") == 0 || strcmp(word, "--statistics") == 0;
}

bool link_is_running(int argc, char **argv)
{
    int i = argc > 1 && is_stats(argv[1]) ? 2 : 1;
    return i < argc && (strcmp(argv[i], "show") == 0 || strcmp(argv[i], "set") == 0);
}

int link_running(int argc, char **argv)
{
    static char set[] = "set", show[] = "show", stats[] = "stats";
    struct ask_conf c = {.cmd = "link", .word = "link"};
    bool has_stats = is_stats(argv[1]);
    int i = has_stats ? 2 : 1;
    c.is_change = strcmp(argv[i++], "set") == 0;
    if (i < argc && !c.is_change && is_stats(argv[i])) {
        has_stats = true;
        i++;
    }
    if (i < argc && ask_is_pid(argv[i], &c.pid))
        i++;
    if (i < argc && !c.is_change) {
        fprintf(stderr, "weir link show: %s is not a process number; see weir link --help\n",
                argv[i]);
        return 2;
    }
    /* The word before the settings takes the place of the last one that was for us. */
    i--;
    argv[i] = c.is_change ? set : has_stats ? stats : show;
    c.args = argv + i;
    c.n_args = argc - i;
    return ask_instances(&c);
}

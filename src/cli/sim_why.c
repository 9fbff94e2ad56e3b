/* SPDX-License-Identifier: Apache-2.0
 *
 * weir sim why: what the answers of weir why look like where one knows what is wrong.
 *
 * Decides: which situations are run, and that another answer than the expected one is an error.
 * They, and what each should be said to wait for, stand in
 * sim/why.c; the words are run/why.c's. Prints what the sender says, or both ends. Owns nothing.
 */
#include "cli/cmd.h"

#include "run/why.h"
#include "sim/why.h"

#include <stdio.h>
#include <string.h>

static const char help[] =
    "Usage: weir sim why [--list] [--all] [--peer] [SITUATION…]\n"
    "\n"
    "Two hosts and a connection in virtual time, in situations prepared so that it waits for\n"
    "one thing above all; then what weir why says. Without SITUATION the five usual suspects.\n"
    "\n"
    "  --list      the situations\n"
    "  --all       all of them\n"
    "  --peer      what the receiving end says, too\n"
    "  -h, --help  this text\n"
    "\n"
    "Exit status: 0; 1 another limiter than expected is named; 2 wrong usage.\n";

enum { USUAL = 5 };

static int run(const struct why_case *c, bool wants_peer)
{
    struct weir_limits us, them;
    int r = why_run(c, &us, &them);
    if (r != 0) {
        fprintf(stderr, "weir sim why: %s does not run: %s\n", c->name,
                r < 0 ? strerror(-r) : "a byte was wrong");
        return 2;
    }
    printf("%s: %s\n", c->name, c->text);
    why_print(stdout, &us);
    if (wants_peer) {
        printf("\nits peer:\n");
        why_print(stdout, &them);
    }
    printf("\n");
    return why_most(&us) != c->limit;
}

static const struct why_case *named(const char *name)
{
    const struct why_case *c = NULL;
    for (unsigned i = 0; (c = why_case(i)) != NULL && strcmp(c->name, name) != 0; i++)
        ;
    return c;
}

static int list(void)
{
    const struct why_case *c;
    for (unsigned i = 0; (c = why_case(i)) != NULL; i++)
        printf("  %-12s %s\n", c->name, c->text);
    return 0;
}

static int run_first(unsigned n, bool wants_peer)
{
    const struct why_case *c;
    int worst = 0;
    for (unsigned i = 0; i < n && (c = why_case(i)) != NULL; i++) {
        int r = run(c, wants_peer);
        worst = r > worst ? r : worst;
    }
    return worst;
}

int sim_why(int argc, char **argv)
{
    bool wants_all = false, wants_peer = false;
    int i = 1, worst = 0;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0) {
            fputs(help, stdout);
            return 0;
        }
        if (strcmp(argv[i], "--list") == 0)
            return list();
        wants_all |= strcmp(argv[i], "--all") == 0;
        wants_peer |= strcmp(argv[i], "--peer") == 0;
        if (strcmp(argv[i], "--all") != 0 && strcmp(argv[i], "--peer") != 0) {
            fprintf(stderr, "weir sim why: no option %s; see weir sim why --help\n", argv[i]);
            return 2;
        }
    }
    for (int k = i; k < argc; k++) {
        if (named(argv[k]) == NULL) {
            fprintf(stderr, "weir sim why: no situation %s; see weir sim why --list\n", argv[k]);
            return 2;
        }
    }
    if (i == argc)
        return run_first(wants_all ? ~0u : USUAL, wants_peer);
    for (; i < argc; i++) {
        int r = run(named(argv[i]), wants_peer);
        worst = r > worst ? r : worst;
    }
    return worst;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * weir drill: packet scripts against the stack. All of it is in drill/, which tests link too; this
 * file only gives the subcommand its place beside the others.
 *
 * Called by main.c with the arguments from the subcommand's name on; decides nothing, owns nothing,
 * and returns drill's exit status as it is.
 */
#include "cli/cmd.h"

#include "drill/drill.h"

int cmd_drill(int argc, char **argv) { return drill_main(argc, argv); }

/* SPDX-License-Identifier: Apache-2.0
 *
 * The subcommands: one file each, main.c only dispatches.
 *
 * argv[0] is the subcommand's name. Returns the exit status: 0, the program's own for `run`, 1 when
 * something that was checked failed, 2 when the command line or the surroundings are wrong (after
 * one sentence on standard error that says what to do).
 */
#ifndef WEIR_CMD_H
#define WEIR_CMD_H

#include <stdbool.h>

int cmd_run(int argc, char **argv);
int cmd_demo(int argc, char **argv);
int cmd_sim(int argc, char **argv);
int cmd_drill(int argc, char **argv);
int cmd_ss(int argc, char **argv);
int cmd_why(int argc, char **argv);
int cmd_trace(int argc, char **argv);
int cmd_plot(int argc, char **argv);
int cmd_pcap(int argc, char **argv);
int cmd_experiment(int argc, char **argv);
int cmd_link(int argc, char **argv);
int cmd_chain(int argc, char **argv);
int cmd_nic(int argc, char **argv);

/* Of `weir link`: whether it is about a running program's interface, and that. */
bool link_is_running(int argc, char **argv);
int link_running(int argc, char **argv);

/* Subcommands of `weir sim`; argv[0] is their name. */
int sim_cc(int argc, char **argv);
int sim_grid(int argc, char **argv);
int sim_chain(int argc, char **argv);
int sim_why(int argc, char **argv);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * One shard, live: a stack, its devices, the real clock, and whoever else wants to be woken.
 *
 * One thread runs it all. An iteration: receive from the devices → tick → watchers' hooks (the door
 * moves bytes, answers calls) → transmit → reap → sleep until a descriptor is ready or something is
 * due. Idle means asleep: no wake-up without a reason.
 */
#ifndef WEIR_LOOP_H
#define WEIR_LOOP_H

#include "base/base.h"
#include "dev/netdev.h"

#include <weir/weir.h>

struct loop;
typedef void (*loop_fn)(void *arg, int fd, uint32_t epoll_events);
typedef void (*loop_hook)(void *arg, w_ns now);
typedef w_ns (*loop_next)(void *arg); /* when the hook wants to be called next; WEIR_NEVER */

/* NULL with a sentence in err. Makes the stack of this configuration (memory by mmap, seed by
 * getrandom). */
struct loop *loop_new(const struct weir_conf *, char *err, size_t n_err);
/* Ends the stack, closes the devices. Returns how many objects the stack leaked (0). */
unsigned loop_free(struct loop *);
struct weir *loop_weir(struct loop *);

/* Attaches an opened device as an interface; the loop owns it from here. nif_flags: enum
 * weir_nif_flag beside what the device can do. Its number, or -errno. */
int loop_add_dev(struct loop *, struct netdev *, const struct netdev_caps *, const char *name,
                 uint32_t nif_flags);

/* Calls fn when fd is ready, level-triggered (or EPOLLET in events). 0 or -errno. */
int loop_add_fd(struct loop *, int fd, uint32_t events, loop_fn fn, void *arg);
void loop_del_fd(struct loop *, int fd);
/* Inside a callback: handles the other descriptors ready by now, all but those watched with
 * `except`, so that what happened before this callback's reason is known. */
void loop_catch_up(struct loop *, loop_fn except);
/* Called once an iteration, after tick and before transmit. */
int loop_add_hook(struct loop *, loop_hook, loop_next, void *arg);

/* The time of this iteration; loop_clock() reads the clock afresh. */
w_ns loop_now(const struct loop *);
w_ns loop_clock(void);
/* One iteration, sleeping at most until `until`. */
void loop_once(struct loop *, w_ns until);

#endif

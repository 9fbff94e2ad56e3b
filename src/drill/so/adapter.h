/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to so/: the stack behind packetdrill's table of functions.
 *
 * Everything happens under one lock. A thread whose call must wait gives it up and sleeps; the
 * thread that lets time pass wakes it (clock.c). Descriptors that the tool sees are real ones, of
 * eventfds that never become ready, so that no two things ever have one number.
 */
#ifndef WEIR_DRILL_SO_ADAPTER_H
#define WEIR_DRILL_SO_ADAPTER_H

#include <pthread.h>

#include "drill/host.h"
#include "drill/so/interface.h"

enum { ADAPTER_FDS = 1024, ADAPTER_WATCHES = 32 };

enum handle_kind { HANDLE_NONE, HANDLE_SOCKET, HANDLE_EPOLL };

/* What one epoll instance wants of one socket. */
struct watch {
    bool is_used, is_disarmed; /* disarmed: EPOLLONESHOT has reported */
    bool has_edge;             /* something happened since it was last reported */
    int fd;
    struct epoll_event want;
};

struct handle {
    enum handle_kind kind;
    int file;   /* of the host's file table */
    int family; /* AF_INET, AF_INET6 */
    int type;
    int fd;
    bool is_nonblock;
    struct watch *watch; /* of an epoll: ADAPTER_WATCHES */
};

struct adapter;

/* A call that waits: for its answer by the file table, or until test() is true. */
struct waiter {
    struct waiter *next;
    bool (*test)(struct adapter *, void *arg); /* NULL: only an answer ends it */
    void *arg;
    w_ns deadline; /* as host_now() */
    bool is_done;  /* answered, test() true, or past its deadline */
    bool sleeps;   /* in another thread than the one that lets time pass */
    pthread_cond_t wake;
};

struct setting {
    char name[40];
    char text[80]; /* as last read */
};

struct adapter {
    pthread_mutex_t lock;
    pthread_t main; /* lets time pass */
    struct host *host;
    struct handle handle[ADAPTER_FDS]; /* by descriptor */
    struct waiter *waiting;
    /* Threads that were woken and have not asked for the time yet: until then it stands still. */
    unsigned n_woken;
    pthread_cond_t asked;
    char dir[256]; /* where settings lie as files; empty: nowhere */
    struct setting *setting;
    unsigned n_setting;
};

/* ---- clock.c: time and waiting; the lock is held ---- */

/* After anything was done to the host: packets leave, answers arrive, threads wake. */
void adapter_settle(struct adapter *);
/* Lets time pass up to `until`, at most to the next thing that happens. */
void adapter_step(struct adapter *, w_ns until);
/* Waits; the thread that lets time pass lets it pass. False: nothing will ever end this. */
WEIR_MUST_CHECK bool adapter_wait(struct adapter *, struct waiter *);
/* The result of a call on a socket, however long it takes. */
int64_t adapter_call(struct adapter *, const struct handle *, struct file_call *);

int adapter_usleep(void *userdata, useconds_t);
int adapter_gettimeofday(void *userdata, struct timeval *, struct timezone *);
int adapter_netdev_send(void *userdata, const void *, size_t);
int adapter_netdev_receive(void *userdata, void *, size_t *, long long *);

/* ---- adapter.c: entering, leaving, handles ---- */

/* Takes the lock, and what has become of the settings since. */
struct adapter *adapter_enter(void *userdata);
/* Settles, gives the lock up; r, or -1 and errno when r is an error. */
int64_t adapter_leave(struct adapter *, int64_t r);
/* A new descriptor for h, which is copied: the descriptor or -errno. */
int64_t adapter_new_handle(struct adapter *, const struct handle *h);
/* The socket (or epoll) of this number; NULL: it is none. */
struct handle *adapter_socket(struct adapter *, int fd);
struct handle *adapter_epoll(struct adapter *, int fd);
/* Ends a handle: its part of close(). 0 or -errno; the descriptor itself is closed, too. */
int64_t adapter_close_handle(struct adapter *, struct handle *);
/* The adapter of this process; NULL before packetdrill_interface_init(). */
struct adapter *adapter_of_process(void);

/* ---- sock.c, io.c, poll.c: the calls ---- */

/* Puts a room's calls into the table. */
void adapter_fill_sock(struct packetdrill_interface *);
void adapter_fill_io(struct packetdrill_interface *);
void adapter_fill_poll(struct packetdrill_interface *);

/* close() of the kernel: in this library close() itself is preload.c's, which takes the lock. */
int kernel_close(int fd);
/* Entries of the table that preload.c needs by name, too; send without flags. */
int adapter_getsockopt(void *userdata, int fd, int level, int name, void *, socklen_t *);
ssize_t adapter_send(void *userdata, int fd, const void *, size_t);
/* `n` bytes of address for a socket of this family, as the kernel writes them: cut to *n. */
void adapter_put_addr(int family, const struct weir_addr *, struct sockaddr *, socklen_t *n);
/* 0, -EFAULT, -EINVAL or -EAFNOSUPPORT. */
int adapter_take_addr(const struct sockaddr *, socklen_t n, struct weir_addr *out);
/* News of sockets to the watches they concern. */
void adapter_take_edges(struct adapter *);

#endif

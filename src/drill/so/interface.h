/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of functions through which the public packetdrill tool drives a TCP stack that is a
 * shared object (its option --so_filename). The tool finds the one symbol below by its name and
 * hands it an empty table to fill; what is fixed here is the order of the table and the types.
 *
 * Calls are those of POSIX with the stack itself (`userdata`, put into the table by the stack) as
 * their first argument: a result, or -1 and errno. The four that no POSIX system has say how
 * packets and time pass. Two threads of the tool use the table at once: one makes the calls that a
 * script expects to wait, the other makes everything else and lets time pass.
 */
#ifndef WEIR_DRILL_SO_INTERFACE_H
#define WEIR_DRILL_SO_INTERFACE_H

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>

struct packetdrill_interface {
    void *userdata;
    void (*free)(void *userdata);
    int (*socket)(void *userdata, int domain, int type, int protocol);
    int (*bind)(void *userdata, int fd, const struct sockaddr *, socklen_t);
    int (*listen)(void *userdata, int fd, int backlog);
    int (*accept)(void *userdata, int fd, struct sockaddr *, socklen_t *);
    int (*connect)(void *userdata, int fd, const struct sockaddr *, socklen_t);
    ssize_t (*read)(void *userdata, int fd, void *, size_t);
    ssize_t (*readv)(void *userdata, int fd, const struct iovec *, int n);
    ssize_t (*recv)(void *userdata, int fd, void *, size_t, int flags);
    ssize_t (*recvfrom)(void *userdata, int fd, void *, size_t, int flags, struct sockaddr *,
                        socklen_t *);
    ssize_t (*recvmsg)(void *userdata, int fd, struct msghdr *, int flags);
    ssize_t (*write)(void *userdata, int fd, const void *, size_t);
    ssize_t (*writev)(void *userdata, int fd, const struct iovec *, int n);
    ssize_t (*send)(void *userdata, int fd, const void *, size_t, int flags);
    ssize_t (*sendto)(void *userdata, int fd, const void *, size_t, int flags,
                      const struct sockaddr *, socklen_t);
    ssize_t (*sendmsg)(void *userdata, int fd, const struct msghdr *, int flags);
    int (*fcntl)(void *userdata, int fd, int cmd, ...);
    int (*ioctl)(void *userdata, int fd, unsigned long request, ...);
    int (*close)(void *userdata, int fd);
    int (*shutdown)(void *userdata, int fd, int how);
    int (*getsockopt)(void *userdata, int fd, int level, int name, void *, socklen_t *);
    int (*setsockopt)(void *userdata, int fd, int level, int name, const void *, socklen_t);
    int (*poll)(void *userdata, struct pollfd *, nfds_t, int timeout_ms);
    /* An IP packet of n bytes arrives. 0, or -1. */
    int (*netdev_send)(void *userdata, const void *, size_t n);
    /* The next IP packet that the stack sends, as long as that takes: into a buffer of *n bytes,
     * *n its length, *time_us when it was sent. *n = 0: there will be none. 0, or -1: try again. */
    int (*netdev_receive)(void *userdata, void *, size_t *n, long long *time_us);
    /* The clock of all this. */
    int (*usleep)(void *userdata, useconds_t);
    int (*gettimeofday)(void *userdata, struct timeval *, struct timezone *);
    int (*epoll_create)(void *userdata, int size);
    int (*epoll_ctl)(void *userdata, int epfd, int op, int fd, struct epoll_event *);
    int (*epoll_wait)(void *userdata, int epfd, struct epoll_event *, int max, int timeout_ms);
    int (*pipe)(void *userdata, int fd[2]);
    ssize_t (*splice)(void *userdata, int from, loff_t *, int to, loff_t *, size_t, unsigned flags);
};

/* Fills the table. `flags` is the text of --so_flags, NULL without one. Ends the process with a
 * sentence when it cannot. */
void packetdrill_interface_init(const char *flags, struct packetdrill_interface *);

#endif

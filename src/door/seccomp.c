/* SPDX-License-Identifier: Apache-2.0
 *
 * The universal door's hinge: starting the program under the filter, taking its calls, answering.
 *
 * Starting. The child sets no_new_privs, installs the filter (filter.c) and gets the notification
 * descriptor; it cannot send it, because sending is a call that the filter asks about. It writes
 * the descriptor's number into a pipe instead and we fetch it with pidfd_getfd. Then it executes
 * the program; the pipe closes on success and carries errno on failure.
 *
 * Answering. A thread that asked sleeps in the kernel until it is answered, killed, or a signal
 * with a handler comes. In the last case the call vanishes and the kernel returns EINTR or restarts
 * the call as SA_RESTART says: that is what makes a blocked accept interruptible, so the filter is
 * installed without WAIT_KILLABLE_RECV. What it costs: an answer may find nobody. ask_answer keeps
 * each thread's last answer as a memo, and gives it again if the thread's next call is the same:
 * bind() is not done twice, a datagram is not sent twice. Mostly the kernel says that nobody was
 * there; but a thread that a signal has just woken may still take leave of the call after the
 * kernel has accepted its answer. Such a call would fail now (connect: EISCONN), so a call that
 * fails right after its twin succeeded is looked at closer: ask_answered_again.
 *
 * Called by door.c and answer.c. Owns the notification descriptor's protocol and the memos.
 * See seccomp_unotify(2).
 */
#include "door/filter.h"
#include "door/state.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Linux 6.6; not in older headers. */
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS      SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

enum start_step { STEP_NO_NEW_PRIVS = 1, STEP_FILTER, STEP_READY, STEP_EXEC };

struct start_word { /* what the child says through the pipe */
    int step;
    int value; /* errno, or the descriptor's number */
};

static void child_say(int fd, int step, int value)
{
    struct start_word word = {step, value};
    if (write(fd, &word, sizeof(word)) != (ssize_t)sizeof(word))
        _exit(DOOR_EXIT_CANNOT_RUN);
}

static _Noreturn void child_fail(int fd, int step)
{
    child_say(fd, step, errno);
    _exit(DOOR_EXIT_CANNOT_RUN);
}

static _Noreturn void child_main(const struct child_conf *c, int say, int hear)
{
    struct sock_filter code[FILTER_MAX];
    struct sock_fprog prog = {.filter = code};
    char go;
    prog.len = (unsigned short)filter_build(code);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        child_fail(say, STEP_NO_NEW_PRIVS);
    int fd =
        (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &prog);
    if (fd < 0)
        child_fail(say, STEP_FILTER);
    child_say(say, STEP_READY, fd);
    if (read(hear, &go, 1) != 1)
        _exit(DOOR_EXIT_CANNOT_RUN);
    (void)close(fd);
    (void)sigaction(SIGPIPE, c->pipe, NULL);
    (void)sigprocmask(SIG_SETMASK, c->mask, NULL);
    (void)execvp(c->argv[0], c->argv);
    child_fail(say, STEP_EXEC);
}

static int start_failed(const struct start_word *word, const char *name, char *err, size_t n_err)
{
    if (word->step == STEP_EXEC) {
        bool is_missing = word->value == ENOENT || word->value == ENOTDIR;
        snprintf(err, n_err, "%s: %s", name,
                 is_missing ? "no such program; give its path, or look at PATH"
                            : strerror(word->value));
        return is_missing ? DOOR_EXIT_NOT_FOUND : DOOR_EXIT_CANNOT_RUN;
    }
    if (word->step == STEP_FILTER && (word->value == EBUSY || word->value == EPERM))
        snprintf(err, n_err,
                 "the kernel refuses the seccomp filter (%s): weir run cannot work "
                 "inside another weir run, or where a sandbox forbids seccomp(2)",
                 strerror(word->value));
    else if (word->step == STEP_FILTER)
        snprintf(err, n_err,
                 "this kernel has no seccomp user notification (%s): weir run needs "
                 "Linux 5.14 or later built with CONFIG_SECCOMP_FILTER",
                 strerror(word->value));
    else
        snprintf(err, n_err, "cannot prepare the program: %s", strerror(word->value));
    return DOOR_EXIT_USAGE;
}

static int fetch_listener(pid_t pid, int num)
{
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0)
        return -errno;
    int fd = (int)syscall(SYS_pidfd_getfd, pidfd, num, 0);
    if (fd < 0)
        fd = -errno;
    (void)close(pidfd);
    if (fd >= 0) {
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
        /* Hand the processor over at each question and answer; not before Linux 6.6. */
        (void)ioctl(fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
    }
    return fd;
}

/* Our side of the start: hear that the filter stands, fetch the listener, let go, hear of exec. */
static int child_follow(struct child *c, const char *name, const int pipes[2], char *err,
                        size_t n_err)
{
    struct start_word word;
    if (read(pipes[0], &word, sizeof(word)) != (ssize_t)sizeof(word))
        word = (struct start_word){STEP_NO_NEW_PRIVS, ECHILD};
    if (word.step != STEP_READY)
        return start_failed(&word, name, err, n_err);
    c->notify_fd = fetch_listener(c->pid, word.value);
    if (c->notify_fd < 0) {
        snprintf(err, n_err,
                 "cannot look into the program (pidfd_getfd: %s): weir run needs "
                 "Linux 5.6 or later and the right to ptrace its own children",
                 strerror(-c->notify_fd));
        return DOOR_EXIT_USAGE;
    }
    if (write(pipes[1], "g", 1) != 1)
        return DOOR_EXIT_USAGE;
    if (read(pipes[0], &word, sizeof(word)) != (ssize_t)sizeof(word))
        return 0;
    (void)close(c->notify_fd);
    return start_failed(&word, name, err, n_err);
}

int child_start(const struct child_conf *conf, struct child *c, char *err, size_t n_err)
{
    int say[2], hear[2];
    if (pipe2(say, O_CLOEXEC) < 0)
        goto no_pipe;
    if (pipe2(hear, O_CLOEXEC) < 0)
        goto no_second_pipe;
    c->notify_fd = -1;
    c->pid = fork();
    if (c->pid == 0)
        child_main(conf, say[1], hear[0]);
    (void)close(say[1]);
    (void)close(hear[0]);
    int r = DOOR_EXIT_USAGE;
    if (c->pid < 0)
        snprintf(err, n_err, "cannot make a process: %s", strerror(errno));
    else
        r = child_follow(c, conf->argv[0], (const int[2]){say[0], hear[1]}, err, n_err);
    (void)close(say[0]);
    (void)close(hear[1]);
    if (r != 0 && c->pid > 0) {
        (void)kill(c->pid, SIGKILL);
        (void)waitpid(c->pid, NULL, 0);
    }
    return r;
no_second_pipe:
    (void)close(say[0]);
    (void)close(say[1]);
no_pipe:
    snprintf(err, n_err, "cannot make a pipe: %s", strerror(errno));
    return DOOR_EXIT_USAGE;
}

/* ---- asks ---- */

static bool is_same_ask(const struct ask *a, const struct ask *b)
{
    return a->tid == b->tid && a->nr == b->nr && a->ip == b->ip &&
           memcmp(a->arg, b->arg, sizeof(a->arg)) == 0;
}

static struct memo *memo_of(struct door *d, pid_t tid)
{
    return &d->memo[(unsigned)tid % MEMO_SLOTS];
}

/* True: the call was answered from the memo. A different call makes the memo void. */
static bool memo_replay(struct door *d, const struct ask *a)
{
    struct memo *m = memo_of(d, a->tid);
    if (m->ask.tid != a->tid)
        return false;
    if (!is_same_ask(&m->ask, a))
        m->ask.tid = 0;
    else if (m->is_lost)
        (void)ask_answer(d, a, m->val);
    else
        return false;
    return m->ask.tid != 0;
}

bool ask_answered_again(struct door *d, const struct ask *a)
{
    struct memo *m = memo_of(d, a->tid);
    if (!is_same_ask(&m->ask, a) || m->val < 0 || !guest_was_interrupted(a))
        return false;
    (void)ask_answer(d, a, m->val);
    return true;
}

/* One call off the queue, without looking at memos. */
static int ask_take(struct door *d, struct ask *a)
{
    struct pollfd p = {.fd = d->notify_fd, .events = POLLIN};
    struct seccomp_notif n;
    if (poll(&p, 1, 0) <= 0)
        return 0;
    if ((p.revents & POLLIN) == 0)
        return (p.revents & (POLLHUP | POLLERR)) != 0 ? -ENOTCONN : 0;
    memset(&n, 0, sizeof(n));
    if (ioctl(d->notify_fd, SECCOMP_IOCTL_NOTIF_RECV, &n) < 0)
        return 0; /* it vanished in between */
    *a = (struct ask){.id = n.id,
                      .tid = (pid_t)n.pid,
                      .nr = n.data.nr,
                      .is_foreign = n.data.arch != AUDIT_ARCH_X86_64};
    memcpy(a->arg, n.data.args, sizeof(a->arg));
    a->ip = n.data.instruction_pointer;
    d->n_asks++;
    return 1;
}

int ask_next(struct door *d, struct ask *a)
{
    int r;
    do
        r = ask_take(d, a);
    while (r == 1 && memo_replay(d, a));
    return r;
}

bool ask_answer(struct door *d, const struct ask *a, int64_t val)
{
    struct seccomp_notif_resp r = {.id = a->id};
    if (val < 0)
        r.error = (int32_t)val;
    else
        r.val = val;
    bool is_lost = ioctl(d->notify_fd, SECCOMP_IOCTL_NOTIF_SEND, &r) != 0;
    *memo_of(d, a->tid) = (struct memo){*a, val, is_lost};
    return !is_lost;
}

void ask_continue(struct door *d, const struct ask *a)
{
    struct seccomp_notif_resp r = {.id = a->id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
    d->n_continued++;
    (void)ioctl(d->notify_fd, SECCOMP_IOCTL_NOTIF_SEND, &r);
}

static int add_fd(struct door *d, struct seccomp_notif_addfd *add)
{
    int r;
    do
        r = ioctl(d->notify_fd, SECCOMP_IOCTL_NOTIF_ADDFD, add);
    while (r < 0 && errno == EINTR);
    /* ESRCH: it left while the descriptor was on its way. */
    return r >= 0 ? r : errno == ESRCH ? -ENOENT : -errno;
}

int ask_answer_fd(struct door *d, const struct ask *a, int fd, bool is_cloexec)
{
    struct seccomp_notif_addfd add = {.id = a->id,
                                      .flags = SECCOMP_ADDFD_FLAG_SEND,
                                      .srcfd = (uint32_t)fd,
                                      .newfd_flags = is_cloexec ? O_CLOEXEC : 0};
    return add_fd(d, &add);
}

int ask_replace_fd(struct door *d, const struct ask *a, int fd, int num, bool is_cloexec)
{
    struct seccomp_notif_addfd add = {.id = a->id,
                                      .flags = SECCOMP_ADDFD_FLAG_SETFD,
                                      .srcfd = (uint32_t)fd,
                                      .newfd = (uint32_t)num,
                                      .newfd_flags = is_cloexec ? O_CLOEXEC : 0};
    int r = add_fd(d, &add);
    return r < 0 ? r : 0;
}

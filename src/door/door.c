/* SPDX-License-Identifier: Apache-2.0
 *
 * weir run: a stack, a network, a program, from start to end.
 *
 * Theory of operation. One thread. The loop sleeps on the device, on weir's ends of the
 * placeholders, on the notification descriptor and on a signalfd. A call of the program makes the
 * notification descriptor readable: answer() answers or parks it. What changes in the stack comes
 * out of the file table in the hook: calls that waited get their answers, plugs their news.
 *
 * Signals. The program is in weir's process group and has the terminal, so what the terminal sends
 * reaches it without us; weir only must survive it. What a person sends to weir itself is passed
 * on. When the program stops, weir stops too, so that the shell sees the job stopped.
 *
 * The end. When the program has ended its connections end in good order: FINs go out, what it wrote
 * is delivered. If processes that it started still run (a daemon), weir stays with them in the
 * background, and the foreground returns the program's status at once, as it would without weir.
 *
 * Called by cli/. Owns everything that a run needs; calls the files of door/, run/, file/.
 */
#include "door/door.h"

#include "door/net.h"
#include "door/program.h"
#include "door/state.h"
#include "run/ctl.h"
#include "run/nicdev.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ASKS_A_TURN = 64, ERR_TEXT = 512, TRACE_RECORDS = 1 << 16 };

/* How long the end may take. Alone: for the last processes to be gone. Quiet: without progress. */
#define ALONE_MAX       (200 * W_MS)
#define DRAIN_QUIET_MAX (10 * W_S)
#define DRAIN_FIN_MAX   (500 * W_MS)

struct run {
    struct door door;
    struct net *net;
    struct ctl *ctl;
    struct child child;
    int signal_fd;
    sigset_t old_mask;
    struct sigaction old_pipe;
    struct rlimit old_limit;
    bool has_ended, is_draining, is_hurried;
    int status; /* as waitpid gave it */
};

/* ---- calls and news ---- */

static void on_notify(void *arg, int fd, uint32_t events)
{
    struct run *r = arg;
    struct ask a;
    (void)events;
    for (unsigned i = 0; i < ASKS_A_TURN; i++) {
        int got = ask_next(&r->door, &a);
        if (got == -ENOTCONN) {
            r->door.is_alone = true;
            loop_del_fd(r->door.loop, fd);
        }
        if (got != 1)
            return;
        answer(&r->door, &a);
    }
}

static void door_hook(void *arg, w_ns now)
{
    struct door *d = &((struct run *)arg)->door;
    struct plug *p;
    uint32_t bits;
    file_step(d->ft, now);
    wait_collect(d);
    while ((p = file_event_pop(d->ft, &bits)) != NULL)
        plane_news(d, p, bits);
    struct list turn;
    list_init(&turn);
    for (struct list *l; (l = list_pop_front(&d->work)) != NULL;)
        list_push_back(&turn, l);
    for (struct list *l; (l = list_pop_front(&turn)) != NULL;)
        plane_pump(d, WEIR_CONTAINER(l, struct plug, work));
    net_flush(((struct run *)arg)->net, now);
}

/* What connections still have to do: bytes not acknowledged, and whether a FIN is on its way. */
struct rest {
    uint64_t bytes;
    unsigned n_fin, n_peer;
};

static struct rest door_rest(struct door *d)
{
    enum { SYN_SENT = 2, FIN_WAIT2 = 5, TIME_WAIT = 6, CLOSE = 7, LISTEN = 10 };
    struct rest rest = {.n_fin = 0};
    struct weir_sock_info info;
    uint64_t cursor = 0;
    while (weir_sock_next(d->w, loop_now(d->loop), &cursor, &info)) {
        if (info.type != WEIR_STREAM || info.state == SYN_SENT || info.state >= LISTEN ||
            info.state == TIME_WAIT || info.state == CLOSE)
            continue;
        rest.bytes += info.outq;
        if (info.state == FIN_WAIT2)
            rest.n_peer++;
        else
            rest.n_fin++;
    }
    struct list *l = d->live.next;
    for (; l != &d->live; l = l->next)
        rest.n_fin += WEIR_CONTAINER(l, struct plug, link)->state == PLUG_OPEN;
    return rest;
}

static bool is_all_done(struct door *d)
{
    struct rest rest = door_rest(d);
    return rest.n_fin == 0 && rest.n_peer == 0;
}

/* When what just arrived was the last that the end waited for, there is nothing to sleep for. */
static w_ns door_next(void *arg)
{
    struct run *r = arg;
    struct door *d = &r->door;
    if (r->is_draining && is_all_done(d))
        return 0;
    return list_is_empty(&d->work) ? file_next(d->ft) : 0;
}

/* ---- signals ---- */

/* The program stopped: so does weir, for the shell to see; and both go on together. */
static void follow_stop(struct run *r)
{
    if (!isatty(STDIN_FILENO) || tcgetpgrp(STDIN_FILENO) != getpgrp())
        return;
    (void)raise(SIGSTOP);
    (void)kill(r->child.pid, SIGCONT);
}

static void on_child(struct run *r)
{
    int status;
    while (waitpid(r->child.pid, &status, WNOHANG | WUNTRACED) == r->child.pid) {
        if (WIFSTOPPED(status)) {
            follow_stop(r);
            continue;
        }
        r->status = status;
        r->has_ended = true;
        return;
    }
}

static void on_signal(void *arg, int fd, uint32_t events)
{
    struct run *r = arg;
    struct signalfd_siginfo si;
    (void)events;
    while (read(fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
        if (si.ssi_signo == SIGCHLD) {
            on_child(r);
        } else if (r->has_ended) {
            r->is_hurried = true;
        } else if (si.ssi_code <= 0) { /* from a person, not from the terminal */
            (void)kill(r->child.pid, (int)si.ssi_signo);
        }
    }
}

static const int passed_on[] = {SIGCHLD, SIGINT,  SIGQUIT, SIGTERM, SIGHUP,
                                SIGUSR1, SIGUSR2, SIGTSTP, SIGTTIN, SIGTTOU};

static int signals_take(struct run *r)
{
    sigset_t set;
    sigemptyset(&set);
    for (unsigned i = 0; i < WEIR_COUNT(passed_on); i++)
        sigaddset(&set, passed_on[i]);
    (void)sigprocmask(SIG_BLOCK, &set, &r->old_mask);
    r->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return r->signal_fd < 0 ? -errno : 0;
}

/* ---- start ---- */

static void limits_raise(struct run *r)
{
    (void)getrlimit(RLIMIT_NOFILE, &r->old_limit);
    struct rlimit all = {r->old_limit.rlim_max, r->old_limit.rlim_max};
    (void)setrlimit(RLIMIT_NOFILE, &all);
}

static void door_init(struct run *r, const struct door_conf *c)
{
    struct door *d = &r->door;
    d->conf = c;
    d->notify_fd = -1;
    d->on_notify = on_notify;
    r->signal_fd = -1;
    (void)sigaction(SIGPIPE, NULL, &r->old_pipe);
    list_init(&d->live);
    list_init(&d->dead);
    list_init(&d->work);
    guests_init(&d->guests, -1);
    names_init(d);
}

/* What the person set goes before what suits the network. */
static void apply_settings(const struct door_conf *c, struct weir_conf *wc)
{
    char name[DOOR_SETTING_NAME];
    for (unsigned i = 0; i < c->n_set; i++) {
        size_t n = strcspn(c->set[i], "=");
        WEIR_ASSERT(n < sizeof name && c->set[i][n] == '=');
        memcpy(name, c->set[i], n);
        name[n] = 0;
        int r = weir_conf_set(wc, name, c->set[i] + n + 1);
        WEIR_ASSERT(r == 0);
    }
}

static int start_stack(struct run *r, const struct door_conf *c, char *err)
{
    struct weir_conf wc;
    struct door *d = &r->door;
    weir_conf_default(&wc);
    wc.tcp_gauges = 1; /* for weir chain */
    if (c->nic != NULL) {
        /* Its rings at their largest, and the ends of its line, beside what the stack needs. */
        wc.n_pkt += NICDEV_PKTS;
        wc.n_blk_small += NICDEV_PKTS;
    }
    wc.tcp_why = 1;
    /* There an ICMP error is the host's own answer to connect(), not what some router thinks. */
    wc.tcp_soft_abort = c->net == NULL || strcmp(c->net, "user") == 0;
    apply_settings(c, &wc);
    if (c->pcap != NULL || c->trace != NULL)
        wc.n_trace = w_u32_max(wc.n_trace, TRACE_RECORDS); /* read in every iteration */
    d->loop = loop_new(&wc, err, ERR_TEXT);
    if (d->loop == NULL)
        return -ENOMEM;
    d->w = loop_weir(d->loop);
    d->ft = file_table_new(d->w);
    r->net = net_open(d->loop, c, err, ERR_TEXT);
    if (r->net == NULL)
        return -EINVAL;
    const struct net_face *f = net_face(r->net);
    d->addr = f->addr;
    d->gw = f->gw;
    d->gw6 = f->gw6;
    d->dns = f->dns;
    d->prefix_len = f->prefix_len;
    d->mtu = f->mtu;
    if (d->ft == NULL || signals_take(r) < 0) {
        snprintf(err, ERR_TEXT, "no memory or descriptor left to start with");
        return -ENOMEM;
    }
    return 0;
}

static void link_counters(void *arg, FILE *f) { net_counters(arg, f); }

static void say_report(struct run *r, const struct door_conf *c)
{
    if (!c->wants_report)
        return;
    report_print(&r->door);
    net_counters(r->net, c->err);
}

/* For `weir ss`, `weir nic`, `weir link`, `weir chain`. */
static void window_open(struct run *r, const char *title)
{
    r->ctl = ctl_open(r->door.loop, title);
    if (r->ctl == NULL)
        return;
    ctl_add_counters(r->ctl, link_counters, r->net);
    net_serve(r->net, r->ctl);
}

/* Everything up to the running program: 0, or the exit status with a sentence in err. */
static int door_start(struct run *r, const struct door_conf *c, char *err)
{
    struct door *d = &r->door;
    int status = program_check(c->argv[0], err, ERR_TEXT);
    if (status != 0)
        return status;
    if (start_stack(r, c, err) < 0)
        return DOOR_EXIT_USAGE;
    const struct child_conf cc = {c->argv, &r->old_pipe, &r->old_mask};
    status = child_start(&cc, &r->child, err, ERR_TEXT);
    if (status != 0)
        return status;
    limits_raise(r);
    d->notify_fd = r->child.notify_fd;
    guests_init(&d->guests, d->notify_fd);
    window_open(r, c->argv[0]);
    (void)loop_add_fd(d->loop, d->notify_fd, EPOLLIN, on_notify, r);
    (void)loop_add_fd(d->loop, r->signal_fd, EPOLLIN, on_signal, r);
    (void)loop_add_hook(d->loop, door_hook, door_next, r);
    return 0;
}

/* ---- end ---- */

/* Delivers what the program wrote. Ends when all is acknowledged and the peers have closed too, or
 * nothing moves any more, or a person is impatient. */
static void door_drain(struct run *r)
{
    struct door *d = &r->door;
    struct rest before = {.bytes = UINT64_MAX};
    w_ns quiet_since = loop_clock();
    r->is_draining = true;
    while (!r->is_hurried) {
        struct rest rest = door_rest(d);
        w_ns now = loop_clock();
        if (rest.bytes != before.bytes || rest.n_fin != before.n_fin)
            quiet_since = now;
        before = rest;
        if (rest.n_fin == 0 && rest.n_peer == 0)
            return;
        w_ns until = quiet_since + (rest.n_fin == 0 ? DRAIN_FIN_MAX : DRAIN_QUIET_MAX);
        if (now >= until)
            return;
        loop_once(d->loop, until);
    }
}

/* The last processes of a pipeline end a moment after the first. */
static void wait_alone(struct run *r)
{
    w_ns until = loop_clock() + ALONE_MAX;
    while (!r->door.is_alone && !r->is_hurried && loop_clock() < until)
        loop_once(r->door.loop, until);
}

static void end_as(int status)
{
    if (!WIFSIGNALED(status))
        _exit(WEXITSTATUS(status));
    door_die(WTERMSIG(status));
}

/* Leaves the foreground to whoever waits for it and stays with the processes that still run. */
static void stay_behind(struct run *r, const struct door_conf *c)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0)
        return;
    if (pid > 0)
        end_as(r->status);
    (void)setsid();
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; null >= 0 && fd <= STDERR_FILENO; fd++)
        (void)dup2(null, fd);
    ctl_close(r->ctl);
    window_open(r, c->argv[0]);
    while (!r->door.is_alone && !r->is_hurried)
        loop_once(r->door.loop, WEIR_NEVER);
    door_drain(r);
    net_end_look(r->net);
    _exit(0);
}

static void door_free(struct run *r)
{
    struct door *d = &r->door;
    if (r->ctl != NULL)
        ctl_close(r->ctl);
    if (d->ft != NULL) {
        plugs_free(d);
        file_table_free(d->ft);
    }
    net_end_look(r->net);
    if (d->loop != NULL)
        (void)loop_free(d->loop);
    net_free(r->net);
    guests_free(&d->guests);
    report_free(d);
    if (d->notify_fd >= 0)
        (void)close(d->notify_fd);
    if (r->signal_fd >= 0) {
        (void)close(r->signal_fd);
        (void)sigprocmask(SIG_SETMASK, &r->old_mask, NULL);
    }
    free(r);
}

void door_die(int sig)
{
    struct sigaction sa = {.sa_handler = SIG_DFL};
    const struct rlimit no_core = {0, 0};
    sigset_t set;
    (void)setrlimit(RLIMIT_CORE, &no_core); /* the program has left its own, if any */
    (void)sigaction(sig, &sa, NULL);
    sigemptyset(&set);
    sigaddset(&set, sig);
    (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
    (void)raise(sig);
    _exit(128 + sig);
}

int door_run(const struct door_conf *c, int *sig)
{
    char err[ERR_TEXT] = "";
    struct run *r = calloc(1, sizeof(*r));
    *sig = 0;
    if (r == NULL)
        return DOOR_EXIT_USAGE;
    door_init(r, c);
    int status = door_start(r, c, err);
    if (status != 0) {
        fprintf(c->err, "weir: %s\n", err);
        door_free(r);
        return status;
    }
    while (!r->has_ended)
        loop_once(r->door.loop, W_NEVER);
    wait_alone(r);
    if (!r->door.is_alone && !r->is_hurried) {
        say_report(r, c);
        stay_behind(r, c);
    }
    door_drain(r);
    say_report(r, c);
    status = r->status;
    door_free(r);
    *sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    return *sig != 0 ? 128 + *sig : WEXITSTATUS(status);
}

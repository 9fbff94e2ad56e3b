/* SPDX-License-Identifier: Apache-2.0
 *
 * The window of a running instance: `weir ss` and `weir why` look through it.
 *
 * Decides how sockets and counters read as text, after the manner of `ss -tipm` and `nstat`. Owns
 * the listening socket and at most one connection at a time: an answer is made whole, written, and
 * the connection closed; a reader that does not read loses the rest.
 *
 * Called by the loop; calls weir.h.
 */
#include "run/ctl.h"

#include "look/look.h"
#include "run/why.h"
#include "tcp/tcp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { L_TCP = 6, OPT_INFO = 11, OPT_CONGESTION = 13, REQUEST_MAX = 512, HANDLERS = 8 };

struct handler {
    const char *word;
    ctl_handler fn;
    void *arg;
};

struct ctl {
    struct loop *loop;
    int fd;
    char title[64];
    ctl_counters more;
    void *more_arg;
    struct handler handler[HANDLERS];
    unsigned n_handler;
    struct sockaddr_un at;
};

int ctl_dir(char *buf, size_t n)
{
    const char *base = getenv("XDG_RUNTIME_DIR");
    int len = base != NULL && base[0] == '/' ? snprintf(buf, n, "%s/weir", base)
                                             : snprintf(buf, n, "/tmp/weir-%u", getuid());
    if (len < 0 || (size_t)len >= n)
        return -ENAMETOOLONG;
    if (mkdir(buf, 0700) < 0 && errno != EEXIST)
        return -errno;
    struct stat st;
    if (lstat(buf, &st) < 0)
        return -errno;
    /* /tmp is everybody's: a directory that somebody else laid there is not ours to trust. */
    bool is_ours = S_ISDIR(st.st_mode) && st.st_uid == getuid() && (st.st_mode & 077) == 0;
    return is_ours ? 0 : -EPERM;
}

static int ctl_addr(struct sockaddr_un *sa, pid_t pid)
{
    char dir[sizeof(sa->sun_path) - 16];
    int r = ctl_dir(dir, sizeof(dir));
    if (r < 0)
        return r;
    *sa = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(sa->sun_path, sizeof(sa->sun_path), "%s/%d", dir, (int)pid);
    return 0;
}

void ctl_print_addr(FILE *f, const struct weir_addr *a)
{
    char text[LOOK_END];
    fprintf(f, " %-22s", look_addr(text, a->ip, a->port));
}

static const char *state_name(const struct weir_sock_info *i)
{
    static const char *const names[] = {"UNCONN",     "ESTAB",      "SYN-SENT",  "SYN-RECV",
                                        "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT", "UNCONN",
                                        "CLOSE-WAIT", "LAST-ACK",   "LISTEN",    "CLOSING"};
    return i->state < WEIR_COUNT(names) ? names[i->state] : "?";
}

static void tcp_print(FILE *f, struct weir *w, const struct weir_sock_info *i)
{
    struct weir_tcp_info t;
    size_t n = sizeof(t), n_cc = 16;
    char cc[17] = "";
    if (weir_getsockopt(w, 0, i->sock, L_TCP, OPT_INFO, &t, &n) < 0)
        return;
    (void)weir_getsockopt(w, 0, i->sock, L_TCP, OPT_CONGESTION, cc, &n_cc);
    fprintf(f, "\t skmem:(r%llu,rb%u,t%llu,tb%u) %s", (unsigned long long)i->inq, i->rcvbuf,
            (unsigned long long)i->outq, i->sndbuf, cc);
    if ((t.options & 1) != 0)
        fprintf(f, " ts");
    if ((t.options & 2) != 0)
        fprintf(f, " sack");
    if ((t.options & 4) != 0)
        fprintf(f, " wscale:%u,%u", t.wscale & 15, t.wscale >> 4);
    fprintf(f, " rto:%u rtt:%.3f/%.3f mss:%u pmtu:%u advmss:%u cwnd:%u", t.rto / 1000,
            t.rtt / 1000.0, t.rttvar / 1000.0, t.snd_mss, t.pmtu, t.advmss, t.snd_cwnd);
    if (t.snd_ssthresh < 0x7fffffff)
        fprintf(f, " ssthresh:%u", t.snd_ssthresh);
    fprintf(f, " bytes_sent:%llu bytes_retrans:%llu bytes_acked:%llu bytes_received:%llu",
            (unsigned long long)t.bytes_sent, (unsigned long long)t.bytes_retrans,
            (unsigned long long)t.bytes_acked, (unsigned long long)t.bytes_received);
    fprintf(f, " segs_out:%u segs_in:%u unacked:%u retrans:%u/%u lost:%u sacked:%u", t.segs_out,
            t.segs_in, t.unacked, t.retrans, t.total_retrans, t.lost, t.sacked);
    fprintf(f, " rcv_space:%u snd_wnd:%u rcv_wnd:%u minrtt:%.3f\n", t.rcv_space, t.snd_wnd,
            t.rcv_wnd, t.min_rtt / 1000.0);
}

static void sockets_print(FILE *f, struct ctl *c)
{
    struct weir_sock_info i;
    uint64_t cursor = 0;
    struct weir *w = loop_weir(c->loop);
    fprintf(f, "# %d %s\n", (int)getpid(), c->title);
    fprintf(f, "%-5s %-10s %8s %8s  %-22s %-22s\n", "Netid", "State", "Recv-Q", "Send-Q",
            "Local Address:Port", "Peer Address:Port");
    while (weir_sock_next(w, loop_now(c->loop), &cursor, &i)) {
        bool is_listener = i.state == TCPS_LISTEN;
        fprintf(f, "%-5s %-10s %8llu %8llu ", i.type == WEIR_STREAM ? "tcp" : "udp", state_name(&i),
                (unsigned long long)(is_listener ? i.accept_n : i.inq),
                (unsigned long long)(is_listener ? i.accept_max : i.outq));
        ctl_print_addr(f, &i.local);
        ctl_print_addr(f, &i.peer);
        if (i.timer[0] != '\0')
            fprintf(f, " timer:(%s,%.3fs)", i.timer,
                    i.timer_at > loop_now(c->loop) ? (double)(i.timer_at - loop_now(c->loop)) / 1e9
                                                   : 0.0);
        fprintf(f, "\n");
        if (i.type == WEIR_STREAM && i.sock != 0 && !is_listener)
            tcp_print(f, w, &i);
    }
}

static void counters_print(FILE *f, struct ctl *c)
{
    const char *name;
    uint64_t v;
    fprintf(f, "# %d %s\n", (int)getpid(), c->title);
    for (unsigned i = 0; weir_counter(loop_weir(c->loop), i, &name, &v); i++)
        if (v != 0)
            fprintf(f, "%-32s %llu\n", name, (unsigned long long)v);
    if (c->more != NULL)
        c->more(c->more_arg, f);
}

/* Text of the handler whose word it is, in front of it "!" if it refuses. */
static void handler_print(FILE *f, struct ctl *c, char *req)
{
    size_t n = strcspn(req, " \n");
    char *text = NULL;
    size_t n_text = 0;
    req[strcspn(req, "\n")] = '\0';
    for (unsigned i = 0; i < c->n_handler; i++) {
        const struct handler *h = &c->handler[i];
        if (strlen(h->word) != n || strncmp(h->word, req, n) != 0)
            continue;
        FILE *own = open_memstream(&text, &n_text);
        if (own == NULL)
            return;
        bool is_refused = h->fn(h->arg, req + n + (req[n] == ' '), own) != 0;
        fclose(own);
        if (is_refused)
            fprintf(f, "!%s", text);
        else
            fprintf(f, "# %d %s\n%s", (int)getpid(), c->title, text);
        free(text);
        return;
    }
    fprintf(f, "!this instance does not know the request %.*s\n", (int)n, req);
}

static void send_all(int fd, const char *text, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t k = send(fd, text + at, n - at, MSG_NOSIGNAL);
        if (k <= 0)
            break;
        at += (size_t)k;
    }
}

/* "why": all connections, a line each. "why ADDR:PORT": those with such an end, in full. Nothing
 * where there is none. */
static void why_answer(FILE *f, struct ctl *c, char *which)
{
    struct weir_limits l;
    struct weir_addr end;
    uint64_t cursor = 0;
    bool is_any = true;
    which[strcspn(which, "\n")] = '\0';
    if (which[0] != '\0' && !why_parse(which + 1, &end, &is_any))
        return;
    while (weir_limits_next(loop_weir(c->loop), loop_now(c->loop), &cursor, &l)) {
        if (which[0] == '\0')
            why_print_line(f, &l);
        else if (why_is_of(&l, &end, is_any))
            why_print(f, &l);
    }
}

static void ctl_answer(struct ctl *c, int fd)
{
    char req[REQUEST_MAX] = "", *text = NULL;
    size_t n = 0;
    ssize_t got = recv(fd, req, sizeof(req) - 1, 0);
    FILE *f = open_memstream(&text, &n);
    if (f == NULL)
        return;
    if (got > 0 && strcmp(req, "ss\n") == 0)
        sockets_print(f, c);
    else if (got > 0 && strcmp(req, "counters\n") == 0)
        counters_print(f, c);
    else if (got > 0 && strncmp(req, "why", 3) == 0)
        why_answer(f, c, req + 3);
    else
        handler_print(f, c, req);
    fclose(f);
    send_all(fd, text, n);
    free(text);
}

static void ctl_ready(void *arg, int fd, uint32_t events)
{
    struct ctl *c = arg;
    (void)events;
    int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    if (peer < 0)
        return;
    struct timeval tv = {.tv_usec = 200000}; /* nobody stalls the stack for longer */
    setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
    setsockopt(peer, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
    ctl_answer(c, peer);
    close(peer);
}

struct ctl *ctl_open(struct loop *loop, const char *title)
{
    struct ctl *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return NULL;
    c->loop = loop;
    snprintf(c->title, sizeof(c->title), "%s", title);
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->fd < 0 || ctl_addr(&c->at, getpid()) < 0) {
        if (c->fd >= 0)
            close(c->fd);
        free(c);
        return NULL;
    }
    unlink(c->at.sun_path);
    bool is_open = bind(c->fd, (struct sockaddr *)&c->at, sizeof(c->at)) == 0 &&
                   listen(c->fd, 8) == 0 && loop_add_fd(loop, c->fd, EPOLLIN, ctl_ready, c) == 0;
    if (!is_open) {
        close(c->fd);
        free(c);
        return NULL;
    }
    return c;
}

void ctl_add_counters(struct ctl *c, ctl_counters fn, void *arg)
{
    c->more = fn;
    c->more_arg = arg;
}

int ctl_add(struct ctl *c, const char *word, ctl_handler fn, void *arg)
{
    if (c->n_handler == HANDLERS)
        return -ENOSPC;
    c->handler[c->n_handler++] = (struct handler){word, fn, arg};
    return 0;
}

void ctl_close(struct ctl *c)
{
    if (c == NULL)
        return;
    loop_del_fd(c->loop, c->fd);
    close(c->fd);
    unlink(c->at.sun_path);
    free(c);
}

/* A connection on which the request has been sent, or -errno. */
static int ask(pid_t pid, const char *request)
{
    struct sockaddr_un sa;
    int r = ctl_addr(&sa, pid);
    if (r < 0)
        return r;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
        r = -errno;
        close(fd);
        if (r == -ECONNREFUSED)
            unlink(sa.sun_path);
        return r;
    }
    if (send(fd, request, strlen(request), MSG_NOSIGNAL) >= 0)
        return fd;
    r = -errno;
    close(fd);
    return r;
}

int ctl_ask(pid_t pid, const char *request, int out_fd)
{
    char buf[16384];
    ssize_t n;
    int fd = ask(pid, request);
    if (fd < 0)
        return fd;
    while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
        if (write(out_fd, buf, (size_t)n) < 0)
            break;
    int r = n < 0 ? -errno : 0;
    close(fd);
    return r;
}

int ctl_ask_text(pid_t pid, const char *request, char **text)
{
    char buf[16384];
    size_t n_text = 0;
    ssize_t n;
    *text = NULL;
    int fd = ask(pid, request);
    if (fd < 0)
        return fd;
    FILE *f = open_memstream(text, &n_text);
    while (f != NULL && (n = recv(fd, buf, sizeof(buf), 0)) > 0)
        (void)fwrite(buf, 1, (size_t)n, f);
    close(fd);
    if (f == NULL || fclose(f) != 0)
        return -ENOMEM;
    if (n_text == 0)
        return -ECONNRESET; /* it ended meanwhile */
    if ((*text)[0] != '!')
        return 0;
    memmove(*text, *text + 1, n_text);
    return -EPROTO;
}

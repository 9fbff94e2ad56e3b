/* SPDX-License-Identifier: Apache-2.0
 *
 * Plugs: one per socket of the program, found by the placeholder they belong to.
 *
 * The program's end of a pair is known by its socket cookie, which all copies of it share (dup,
 * fork, SCM_RIGHTS) and no other socket ever gets. weir keeps no copy of the program's end: so
 * weir's end sees HUP when the last of the program's copies is closed, however that came about.
 *
 * Breaking. A program must read ECONNRESET from a connection that was reset. The kernel says that
 * of an AF_UNIX stream whose other end closes with unread data in it. If weir's end holds none, a
 * byte is sent to it through the program's own descriptor, where that was last seen or, failing
 * that, wherever a search through the processes finds it.
 *
 * Dead plugs. After weir's end is closed nothing tells when the program closes its own; the plug
 * stays, without descriptor and file, to answer getsockopt(SO_ERROR) and the like, and the oldest
 * of DEAD_MAX makes room.
 *
 * Owns the table, weir's ends, and the files behind them.
 */
#include "door/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TABLE_FIRST = 64, SEARCH_MAX = 4096 };

static uint64_t cookie_of(int fd)
{
    uint64_t cookie = 0;
    socklen_t n = sizeof(cookie);
    if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &n) < 0)
        return 0;
    return cookie;
}

static uint32_t slot_of(const struct door *d, uint64_t cookie)
{
    return (uint32_t)(cookie * 0x9e3779b97f4a7c15u >> 32) & (d->table_size - 1);
}

static struct plug *table_find(const struct door *d, uint64_t cookie)
{
    if (d->table_size == 0 || cookie == 0)
        return NULL;
    struct plug *p = d->table[slot_of(d, cookie)];
    while (p != NULL && p->cookie != cookie)
        p = p->next;
    return p;
}

static bool table_grow(struct door *d)
{
    uint32_t old_size = d->table_size;
    struct plug **old = d->table;
    uint32_t size = old_size == 0 ? TABLE_FIRST : 2 * old_size;
    struct plug **table = calloc(size, sizeof(struct plug *));
    if (table == NULL)
        return false;
    d->table = table;
    d->table_size = size;
    for (uint32_t i = 0; i < old_size; i++) {
        for (struct plug *p = old[i], *next; p != NULL; p = next) {
            next = p->next;
            uint32_t s = slot_of(d, p->cookie);
            p->next = table[s];
            table[s] = p;
        }
    }
    free(old);
    return true;
}

static bool table_add(struct door *d, struct plug *p)
{
    if (d->n_plugs >= d->table_size && !table_grow(d))
        return false;
    uint32_t s = slot_of(d, p->cookie);
    p->next = d->table[s];
    d->table[s] = p;
    d->n_plugs++;
    return true;
}

static void table_remove(struct door *d, struct plug *p)
{
    struct plug **at = &d->table[slot_of(d, p->cookie)];
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    d->n_plugs--;
}

/* ---- life ---- */

static void plug_delete(struct door *d, struct plug *p)
{
    table_remove(d, p);
    list_remove(&p->link);
    dgram_from_end(p);
    free(p->from);
    free(p);
}

static int pair_new(int type, int ends[2])
{
    int kind = type == WEIR_STREAM ? SOCK_STREAM : SOCK_SEQPACKET;
    return socketpair(AF_UNIX, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0 ? -errno : 0;
}

static int plug_watch(struct door *d, struct plug *p)
{
    p->can_read = p->can_write = true;
    return loop_add_fd(d->loop, p->fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, plane_ready, p);
}

struct plug *plug_new(struct door *d, int file, const struct plug_kind *kind, int *program_end)
{
    int ends[2];
    struct plug *p = calloc(1, sizeof(*p));
    if (p == NULL || pair_new(kind->type, ends) < 0) {
        free(p);
        return NULL;
    }
    p->door = d;
    p->cookie = cookie_of(ends[1]);
    p->fd = ends[0];
    p->file = file;
    p->orphan_fd = -1;
    p->family = (uint16_t)kind->family;
    p->type = (uint8_t)kind->type;
    p->state = kind->type == WEIR_STREAM ? PLUG_NEW : PLUG_OPEN;
    list_init(&p->waits);
    list_init(&p->orphans);
    if (!table_add(d, p))
        goto no_table;
    if (plug_watch(d, p) < 0)
        goto no_watch;
    list_push_back(&d->live, &p->link);
    file_set_user(d->ft, file, p);
    /* The program decides whether its end waits; both ends began alike. */
    if (!kind->is_nonblock)
        (void)fcntl(ends[1], F_SETFL, 0);
    *program_end = ends[1];
    return p;
no_watch:
    table_remove(d, p);
no_table:
    (void)close(ends[0]);
    (void)close(ends[1]);
    free(p);
    return NULL;
}

struct plug *plug_of(struct door *d, const struct ask *a, int *copy)
{
    int num = ask_fd(a);
    *copy = guest_fd(&d->guests, a->tid, num);
    if (*copy < 0)
        return NULL;
    struct plug *p = table_find(d, cookie_of(*copy));
    if (p != NULL) {
        p->seen_tid = a->tid;
        p->seen_fd = num;
    }
    return p;
}

/* Everything but the entry in the table and what a dead plug is asked for. */
static void plug_empty(struct door *d, struct plug *p)
{
    wait_drop_plug(d, p);
    if (list_is_linked(&p->work))
        list_remove(&p->work);
    if (list_is_linked(&p->orphan))
        list_remove(&p->orphan);
    if (p->orphan_fd >= 0)
        (void)close(p->orphan_fd);
    p->orphan_fd = -1;
    free(p->to_stack);
    free(p->to_program);
    p->to_stack = p->to_program = NULL;
    if (p->fd >= 0) {
        loop_del_fd(d->loop, p->fd);
        (void)close(p->fd);
        p->fd = -1;
    }
    if (p->file != 0) {
        (void)file_getsockname(d->ft, p->file, &p->local);
        file_set_user(d->ft, p->file, NULL);
        (void)file_close(d->ft, loop_now(d->loop), p->file);
        p->file = 0;
    }
}

void plug_forget(struct door *d, struct plug *p)
{
    plug_empty(d, p);
    plug_delete(d, p);
}

void plug_kill(struct door *d, struct plug *p)
{
    if (p->state == PLUG_DEAD)
        return;
    while (!list_is_empty(&p->orphans)) {
        struct plug *o = WEIR_CONTAINER(list_pop_front(&p->orphans), struct plug, orphan);
        plug_forget(d, o);
    }
    plug_empty(d, p);
    p->state = PLUG_DEAD;
    list_remove(&p->link);
    list_push_back(&d->dead, &p->link);
    if (++d->n_dead <= DEAD_MAX)
        return;
    d->n_dead--;
    plug_delete(d, WEIR_CONTAINER(d->dead.next, struct plug, link));
}

void plugs_free(struct door *d)
{
    while (!list_is_empty(&d->live))
        plug_kill(d, WEIR_CONTAINER(d->live.next, struct plug, link));
    while (!list_is_empty(&d->dead))
        plug_delete(d, WEIR_CONTAINER(d->dead.next, struct plug, link));
    free(d->table);
    d->table = NULL;
    d->table_size = 0;
}

/* ---- breaking ---- */

/* Sends a byte into weir's end through the program's own descriptor, if it is that one. */
static bool poke_at(struct door *d, const struct plug *p, pid_t tid, int num)
{
    int fd = guest_fd(&d->guests, tid, num);
    if (fd < 0)
        return false;
    bool is_it = cookie_of(fd) == p->cookie;
    if (is_it)
        is_it = send(fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
    (void)close(fd);
    return is_it;
}

static bool has_unread(const struct plug *p)
{
    int n = 0;
    return ioctl(p->fd, FIONREAD, &n) == 0 && n > 0;
}

/* Every descriptor of one process that is a socket. */
static bool poke_process(struct door *d, const struct plug *p, pid_t pid)
{
    char path[48], link[64];
    bool is_done = false;
    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    DIR *dir = opendir(path);
    if (dir == NULL)
        return false;
    for (struct dirent *e; !is_done && (e = readdir(dir)) != NULL;) {
        ssize_t n = readlinkat(dirfd(dir), e->d_name, link, sizeof(link) - 1);
        if (n < 7 || memcmp(link, "socket:", 7) != 0)
            continue;
        is_done = poke_at(d, p, pid, (int)strtol(e->d_name, NULL, 10));
    }
    (void)closedir(dir);
    return is_done;
}

/* All processes that we may look into: rare (the descriptor moved since it was last seen). */
static bool poke_anywhere(struct door *d, const struct plug *p)
{
    bool is_done = false;
    DIR *dir = opendir("/proc");
    if (dir == NULL)
        return false;
    unsigned n = 0;
    for (struct dirent *e; !is_done && n < SEARCH_MAX && (e = readdir(dir)) != NULL;) {
        long pid = strtol(e->d_name, NULL, 10);
        if (pid <= 1 || pid == getpid())
            continue;
        n++;
        is_done = poke_process(d, p, (pid_t)pid);
    }
    (void)closedir(dir);
    return is_done;
}

void plug_break(struct door *d, struct plug *p, int err)
{
    p->err = err;
    if (p->type == WEIR_STREAM && p->fd >= 0 && !p->is_hup && !has_unread(p) &&
        !poke_at(d, p, p->seen_tid, p->seen_fd) && !poke_anywhere(d, p))
        d->n_resets_untold++;
    plug_kill(d, p);
}

int plug_revive(struct door *d, const struct ask *a, struct plug *p, int copy)
{
    int ends[2];
    int file = file_socket(d->ft, p->family, p->type, 0);
    if (file < 0)
        return file;
    int r = pair_new(p->type, ends);
    if (r < 0)
        goto no_pair;
    (void)fcntl(ends[1], F_SETFL, fcntl(copy, F_GETFL));
    r = ask_replace_fd(d, a, ends[1], ask_fd(a), guest_is_cloexec(a->tid, ask_fd(a)));
    if (r < 0)
        goto no_room;
    table_remove(d, p);
    p->cookie = cookie_of(ends[1]);
    (void)dup3(ends[1], copy, O_CLOEXEC);
    (void)close(ends[1]);
    p->fd = ends[0];
    p->file = file;
    p->state = PLUG_NEW;
    p->err = 0;
    p->prefill = 0;
    p->is_read_end = p->is_write_end = p->is_deaf = p->is_connect_untold = false;
    p->is_deferred = false;
    p->is_hup = p->is_rdhup = p->is_failing = false;
    d->n_dead--;
    list_remove(&p->link);
    list_push_back(&d->live, &p->link);
    (void)table_add(d, p);
    file_set_user(d->ft, file, p);
    return plug_watch(d, p);
no_room:
    (void)close(ends[0]);
    (void)close(ends[1]);
no_pair:
    (void)file_close(d->ft, loop_now(d->loop), file);
    return r;
}

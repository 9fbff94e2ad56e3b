/* SPDX-License-Identifier: Apache-2.0
 *
 * libweir-packetdrill.so: the public packetdrill tool drives weir.
 *
 *     packetdrill --so_filename=libweir-packetdrill.so [--so_flags=WORDS] script.pkt
 *
 * Theory of operation. The tool has its own parser, its own judgement and two threads; all it wants
 * of a stack is the table of interface.h. Behind it stands the same host as in `weir drill`: one
 * stack, one interface of raw IP packets, virtual time. So a script of a minute takes a moment, and
 * the machine's load changes nothing.
 *
 * What the tool does not tell comes in WORDS, separated by commas: local=ADDRESS (192.168.0.1),
 * mtu=BYTES (1500), seed=N (1), sysctl=DIRECTORY (/proc/sys/net/ipv4; empty: none), and NAME=VALUE
 * for every setting of weir's.
 *
 * Scripts change the kernel's settings with sysctl(8). These are files, of which the tool's network
 * namespace has its own: they are read before each call, and what has changed becomes weir's. A
 * change to something weir does not have is said on standard error.
 *
 * With the same file in LD_PRELOAD, what the tool asks of the kernel by a descriptor of ours
 * (TCP_INFO in code blocks, close at the end) comes here, too: see preload.c.
 *
 * Owns the one adapter of the process. Calls drill/host, drill/sysctl.
 */
#include "drill/so/adapter.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "drill/sysctl.h"

enum { SETTINGS_MAX = 512, WORDS_MAX = 1024 };

static struct adapter *the_adapter;

struct adapter *adapter_of_process(void) { return the_adapter; }

static void die(const char *what, const char *why)
{
    fprintf(stderr, "libweir-packetdrill: %s: %s\n", what, why);
    exit(EXIT_FAILURE);
}

/* ---- settings as files -------------------------------------------------------------------- */

/* What stands in the file, blanks as single spaces. False: it cannot be read. */
static bool read_setting(const struct adapter *a, const char *name, char *text, size_t n)
{
    char path[sizeof(a->dir) + sizeof(a->setting->name) + 1];
    snprintf(path, sizeof(path), "%s/%s", a->dir, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t got = fd >= 0 ? read(fd, text, n - 1) : -1;
    if (fd >= 0)
        kernel_close(fd);
    if (got < 0)
        return false;
    while (got > 0 && (text[got - 1] == '\n' || text[got - 1] == ' '))
        got--;
    text[got] = '\0';
    for (char *s = text; *s != '\0'; s++)
        *s = *s == '\t' ? ' ' : *s;
    return true;
}

static void sync_setting(struct adapter *a, struct setting *s, bool is_first)
{
    char text[sizeof(s->text)];
    if (!read_setting(a, s->name, text, sizeof(text)) || strcmp(text, s->text) == 0)
        return;
    snprintf(s->text, sizeof(s->text), "%s", text);
    /* A network namespace inherits this from the machine, and may not even be allowed to change it:
     * what stands there at first is nobody's wish, least of all the script's. */
    if (is_first && strcmp(s->name, "tcp_congestion_control") == 0)
        return;
    int e = sysctl_set(a->host, s->name, text);
    /* What the kernel had before the script is not the script's wish. */
    if (e != 0 && !is_first)
        fprintf(stderr, "libweir-packetdrill: %s=%s changes nothing: %s\n", s->name, text,
                e == -ENOENT ? "there is no such setting" : strerror(-e));
}

static void find_settings(struct adapter *a)
{
    DIR *d = a->dir[0] != '\0' ? opendir(a->dir) : NULL;
    struct dirent *e;
    if (d == NULL)
        return;
    a->setting = calloc(SETTINGS_MAX, sizeof(*a->setting));
    while (a->setting != NULL && (e = readdir(d)) != NULL && a->n_setting < SETTINGS_MAX) {
        struct setting *s = &a->setting[a->n_setting];
        if (e->d_name[0] == '.' || e->d_type == DT_DIR || strlen(e->d_name) >= sizeof(s->name))
            continue;
        snprintf(s->name, sizeof(s->name), "%s", e->d_name);
        a->n_setting++;
        sync_setting(a, s, true);
    }
    closedir(d);
}

/* ---- entering and leaving ----------------------------------------------------------------- */

struct adapter *adapter_enter(void *userdata)
{
    struct adapter *a = userdata;
    pthread_mutex_lock(&a->lock);
    for (unsigned i = 0; i < a->n_setting; i++)
        sync_setting(a, &a->setting[i], false);
    return a;
}

int64_t adapter_leave(struct adapter *a, int64_t r)
{
    adapter_settle(a);
    pthread_mutex_unlock(&a->lock);
    if (r >= 0)
        return r;
    errno = (int)-r;
    return -1;
}

/* ---- handles ------------------------------------------------------------------------------ */

int64_t adapter_new_handle(struct adapter *a, const struct handle *h)
{
    int fd = eventfd(0, EFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (fd >= ADAPTER_FDS) {
        kernel_close(fd);
        return -EMFILE;
    }
    a->handle[fd] = *h;
    a->handle[fd].fd = fd;
    if (h->kind == HANDLE_SOCKET)
        file_set_user(host_files(a->host), h->file, &a->handle[fd]);
    return fd;
}

static struct handle *handle_of(struct adapter *a, int fd, enum handle_kind kind)
{
    if (fd < 0 || fd >= ADAPTER_FDS || a->handle[fd].kind != kind)
        return NULL;
    return &a->handle[fd];
}

struct handle *adapter_socket(struct adapter *a, int fd) { return handle_of(a, fd, HANDLE_SOCKET); }
struct handle *adapter_epoll(struct adapter *a, int fd) { return handle_of(a, fd, HANDLE_EPOLL); }

int64_t adapter_close_handle(struct adapter *a, struct handle *h)
{
    int64_t r = 0;
    int fd = h->fd;
    if (h->kind == HANDLE_SOCKET)
        r = file_close(host_files(a->host), host_clock(a->host), h->file);
    for (unsigned i = 0; i < ADAPTER_FDS; i++) {
        struct watch *w = a->handle[i].watch;
        for (unsigned k = 0; w != NULL && k < ADAPTER_WATCHES; k++)
            w[k].is_used = w[k].is_used && w[k].fd != fd;
    }
    free(h->watch);
    *h = (struct handle){.kind = HANDLE_NONE};
    kernel_close(fd);
    return r;
}

/* ---- life --------------------------------------------------------------------------------- */

/* One NAME=VALUE of the flags. */
static void take_word(struct adapter *a, struct host_conf *c, char *word)
{
    char *value = strchr(word, '=');
    if (value == NULL)
        die(word, "not of the form NAME=VALUE");
    *value++ = '\0';
    bool is_good = true;
    if (strcmp(word, "local") == 0)
        is_good = addr_parse(value, &c->local) == 0;
    else if (strcmp(word, "mtu") == 0)
        c->mtu = (uint32_t)strtoul(value, NULL, 10);
    else if (strcmp(word, "seed") == 0)
        c->seed = strtoull(value, NULL, 10);
    else if (strcmp(word, "sysctl") == 0)
        snprintf(a->dir, sizeof(a->dir), "%s", value);
    else
        is_good = weir_conf_set(&c->conf, word, value) == 0;
    if (!is_good)
        die(word, "there is no such word, or it cannot have this value");
}

static void take_flags(struct adapter *a, struct host_conf *c, const char *flags)
{
    char words[WORDS_MAX];
    char *rest = NULL;
    snprintf(words, sizeof(words), "%s", flags != NULL ? flags : "");
    for (char *w = strtok_r(words, ",", &rest); w != NULL; w = strtok_r(NULL, ",", &rest))
        take_word(a, c, w);
}

static void adapter_free(void *userdata)
{
    struct adapter *a = userdata;
    pthread_mutex_lock(&a->lock);
    for (unsigned i = 0; i < ADAPTER_FDS; i++) {
        if (a->handle[i].kind != HANDLE_NONE)
            (void)adapter_close_handle(a, &a->handle[i]);
    }
    the_adapter = NULL;
    unsigned lost = host_free(a->host);
    pthread_mutex_unlock(&a->lock);
    if (lost != 0)
        die("free", "the stack lost packets or sockets");
    pthread_mutex_destroy(&a->lock);
    pthread_cond_destroy(&a->asked);
    free(a->setting);
    free(a);
}

void packetdrill_interface_init(const char *flags, struct packetdrill_interface *table)
{
    struct adapter *a = calloc(1, sizeof(*a));
    struct host_conf c = {.mtu = 1500, .seed = 1};
    const char *why = "no memory";
    if (a == NULL)
        die("init", why);
    snprintf(a->dir, sizeof(a->dir), "/proc/sys/net/ipv4");
    host_conf_small(&c.conf);
    (void)addr_parse("192.168.0.1", &c.local);
    take_flags(a, &c, flags);
    a->host = host_new(&c, &why);
    if (a->host == NULL)
        die("init", why);
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->asked, NULL);
    a->main = pthread_self();
    find_settings(a);
    the_adapter = a;
    *table = (struct packetdrill_interface){
        .userdata = a,
        .free = adapter_free,
        .netdev_send = adapter_netdev_send,
        .netdev_receive = adapter_netdev_receive,
        .usleep = adapter_usleep,
        .gettimeofday = adapter_gettimeofday,
    };
    adapter_fill_sock(table);
    adapter_fill_io(table);
    adapter_fill_poll(table);
}

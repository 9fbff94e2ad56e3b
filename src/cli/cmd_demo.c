/* SPDX-License-Identifier: Apache-2.0
 *
 * weir demo: the main job, shown. A real HTTP server on the kernel's loopback, an unmodified curl
 * on weir's TCP, and the bytes compared.
 *
 *   1. 100 MB through the user network: hashes equal; what the stack saw; whose sockets were whose
 *   2. 2 MB through an emulated link with delay and loss: hashes equal; what it took to repair
 *   3. the textbook's 500,000 bytes, cut into 500 segments, in simulation
 *   4. one write() through file, socket, TCP, IP, Ethernet, queue, driver, ring, DMA, NIC and wire,
 *      and up again on the other side: a picture from the trace of simulated hosts with cards
 *
 * Everything is done as a person would: this very command is run again as `weir run … curl …`, and
 * looked at with `weir ss` while it works. Files live in a temporary directory that goes away, also
 * when a signal (^C, or nobody who reads) ends the demo before its time.
 *
 * Exit status 0 when every hash is equal and every claim held, 1 when not, 2 when the surroundings
 * lack something (said in a sentence).
 */
#include "cli/cmd.h"

#include "cli/demo_way.h"
#include "door/door.h"
#include "run/ctl.h"
#include "sim/example.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { DEMO_BIG = 100 << 20, DEMO_SMALL = 2 << 20, DEMO_TEXT = 1 << 16, HASH_HEX = 64 };

static const char help[] =
    "Usage: weir demo [--write]\n"
    "\n"
    "Fetches 100 MB with an unmodified curl whose TCP is weir's, through the user network,\n"
    "from an HTTP server on this machine; then 2 MB over an emulated lossy link; then shows the\n"
    "textbook's 500,000-byte example in simulation, and one write() on its way through every\n"
    "layer of two hosts. Needs curl and python3, no root, no set-up.\n"
    "\n"
    "  --write      only the last: the picture of one write()\n"
    "  -h, --help   this text\n";

struct demo {
    char dir[64];
    uint16_t port;
    pid_t server;
    char ss[DEMO_TEXT];       /* the last look at curl's sockets while it ran */
    char counters[DEMO_TEXT]; /* … and at the stack's counters */
    char proof[256];          /* whose the program's sockets are */
    int failures;
};

static volatile sig_atomic_t stopped; /* the signal that ends the demo early, or 0 */

static void stop(int sig) { stopped = sig; }

static void heed_signals(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    const struct sigaction heed = {.sa_handler = stop, .sa_flags = SA_RESTART};
    struct sigaction was;
    for (size_t i = 0; i < WEIR_COUNT(signals); i++) {
        /* What was ignored when we came (nohup) stays ignored. */
        if (sigaction(signals[i], NULL, &was) == 0 && was.sa_handler != SIG_IGN)
            (void)sigaction(signals[i], &heed, NULL);
    }
}

static pid_t spawn(char *const *argv, const char *out)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    int fd = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(fd, 1);
    dup2(fd, 2);
    execvp(argv[0], argv);
    _exit(127);
}

static bool make_file(const struct demo *d, const char *name, size_t n)
{
    char path[128];
    uint64_t x = 88172645463325252u, block[1024];
    snprintf(path, sizeof(path), "%s/%s", d->dir, name);
    FILE *f = fopen(path, "w");
    if (f == NULL)
        return false;
    bool is_ok = true;
    for (size_t at = 0; at < n && is_ok; at += sizeof(block)) {
        for (size_t i = 0; i < 1024; i++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            block[i] = x;
        }
        is_ok = fwrite(block, sizeof(block), 1, f) == 1;
    }
    return (fclose(f) == 0) && is_ok;
}

/* Lower-case SHA-256 of a file in the demo's directory, by the system's own sha256sum. */
static void sha256(const struct demo *d, const char *name, char hex[HASH_HEX + 1])
{
    char cmd[192];
    hex[0] = '\0';
    snprintf(cmd, sizeof(cmd), "sha256sum '%s/%s' 2>/dev/null", d->dir, name);
    FILE *f = popen(cmd, "r");
    if (f == NULL)
        return;
    if (fread(hex, 1, HASH_HEX, f) != HASH_HEX)
        hex[0] = '\0';
    hex[HASH_HEX] = '\0';
    pclose(f);
}

static uint16_t free_port(void)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(sa);
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_ok = s >= 0 && bind(s, (struct sockaddr *)&sa, n) == 0 &&
                 getsockname(s, (struct sockaddr *)&sa, &n) == 0;
    if (s >= 0)
        close(s);
    return is_ok ? ntohs(sa.sin_port) : 0;
}

static void rest_ms(long ms)
{
    struct timespec ts = {.tv_nsec = ms * 1000000};
    nanosleep(&ts, NULL);
}

static bool server_answers(uint16_t port)
{
    struct sockaddr_in sa = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int i = 0; i < 100 && stopped == 0; i++) {
        int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        bool is_there = connect(s, (struct sockaddr *)&sa, sizeof(sa)) == 0;
        close(s);
        if (is_there)
            return true;
        rest_ms(100);
    }
    return false;
}

static bool server_start(struct demo *d)
{
    char port[8], out[128];
    d->port = free_port();
    snprintf(port, sizeof(port), "%u", d->port);
    snprintf(out, sizeof(out), "%s/server.log", d->dir);
    char *argv[] = {"python3",     "-m",   "http.server", "--bind", "127.0.0.1",
                    "--directory", d->dir, port,          NULL};
    d->server = spawn(argv, out);
    return d->port != 0 && d->server > 0 && server_answers(d->port);
}

/* The process whose parent is `parent`, or 0. */
static pid_t child_of(pid_t parent)
{
    DIR *proc = opendir("/proc");
    pid_t found = 0;
    struct dirent *e;
    while (proc != NULL && found == 0 && (e = readdir(proc)) != NULL) {
        char path[300], line[512] = "";
        int ppid = 0;
        snprintf(path, sizeof(path), "/proc/%s/stat", e->d_name);
        FILE *f = e->d_name[0] >= '1' && e->d_name[0] <= '9' ? fopen(path, "r") : NULL;
        if (f == NULL)
            continue;
        if (fgets(line, sizeof(line), f) != NULL && strrchr(line, ')') != NULL)
            (void)sscanf(strrchr(line, ')'), ") %*c %d", &ppid);
        fclose(f);
        if (ppid == parent)
            found = (pid_t)strtol(e->d_name, NULL, 10);
    }
    if (proc != NULL)
        closedir(proc);
    return found;
}

static bool inode_in(const char *table, unsigned long inode)
{
    char line[512];
    bool is_in = false;
    FILE *f = fopen(table, "r");
    while (f != NULL && !is_in && fgets(line, sizeof(line), f) != NULL) {
        unsigned long n = 0;
        int got = sscanf(line, "%*s %*s %*s %*s %*s %*s %*s %*s %*s %lu", &n);
        is_in = got == 1 && n == inode;
    }
    if (f != NULL)
        fclose(f);
    return is_in;
}

/* Counts curl's sockets, and how many of them the kernel's TCP knows. */
static void look_at_sockets(struct demo *d, pid_t program)
{
    char path[64], link[64];
    unsigned n = 0, n_tcp = 0;
    snprintf(path, sizeof(path), "/proc/%d/fd", (int)program);
    DIR *fds = opendir(path);
    struct dirent *e;
    while (fds != NULL && (e = readdir(fds)) != NULL) {
        unsigned long inode;
        ssize_t len = readlinkat(dirfd(fds), e->d_name, link, sizeof(link) - 1);
        link[len < 0 ? 0 : len] = '\0';
        if (sscanf(link, "socket:[%lu]", &inode) != 1)
            continue;
        n++;
        n_tcp += inode_in("/proc/net/tcp", inode) || inode_in("/proc/net/tcp6", inode);
    }
    if (fds != NULL)
        closedir(fds);
    if (n == 0)
        return;
    snprintf(d->proof, sizeof(d->proof),
             "curl (process %d) held %u socket%s, of which %u in the kernel's TCP tables",
             (int)program, n, n == 1 ? "" : "s", n_tcp);
    d->failures += n_tcp != 0;
}

static void ask_into(pid_t pid, const char *request, char *text)
{
    int fds[2];
    char got[DEMO_TEXT];
    if (pipe2(fds, O_CLOEXEC) < 0)
        return;
    /* An answer fits the pipe (64 KiB): nobody needs to read meanwhile. */
    int r = ctl_ask(pid, request, fds[1]);
    close(fds[1]);
    ssize_t n = read(fds[0], got, sizeof(got) - 1);
    close(fds[0]);
    if (r < 0 || n <= 0)
        return;
    got[n] = '\0';
    bool is_useful = strncmp(request, "ss", 2) != 0 || strstr(got, "ESTAB") != NULL;
    if (is_useful)
        memcpy(text, got, (size_t)n + 1);
}

static void progress(const struct demo *d, const char *name, size_t whole, bool is_end)
{
    char path[128];
    struct stat st = {0};
    if (!isatty(STDOUT_FILENO))
        return;
    snprintf(path, sizeof(path), "%s/%s", d->dir, name);
    (void)stat(path, &st);
    printf("\r  %5.1f of %.1f MB%s", (double)st.st_size / 1e6, (double)whole / 1e6,
           is_end ? "\r\033[K" : "");
    fflush(stdout);
}

/* Waits for `weir run`, looking in on it ten times a second. Its exit status. */
static int watch(struct demo *d, pid_t pid, size_t whole)
{
    int status = 0;
    bool has_looked = false;
    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (stopped != 0)
            kill(pid, SIGTERM);
        ask_into(pid, "ss\n", d->ss);
        ask_into(pid, "counters\n", d->counters);
        pid_t program = has_looked ? 0 : child_of(pid);
        if (program != 0 && strstr(d->ss, "ESTAB") != NULL) {
            look_at_sockets(d, program);
            has_looked = d->proof[0] != '\0';
        }
        progress(d, "got", whole, false);
        rest_ms(has_looked ? 100 : 20);
    }
    progress(d, "got", whole, true);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static uint64_t counter(const struct demo *d, const char *name)
{
    const char *at = strstr(d->counters, name);
    return at == NULL ? 0 : strtoull(at + strlen(name), NULL, 10);
}

static void field(const struct demo *d, const char *key, char *out, size_t n)
{
    const char *at = strstr(d->ss, key);
    size_t i = 0;
    for (at = at == NULL ? "" : at + strlen(key); i + 1 < n && *at > ' '; at++)
        out[i++] = *at;
    out[i] = '\0';
}

static void tell(const struct demo *d)
{
    char rtt[32], rto[32], cwnd[32], mss[32];
    field(d, " rtt:", rtt, sizeof(rtt));
    field(d, " rto:", rto, sizeof(rto));
    field(d, " cwnd:", cwnd, sizeof(cwnd));
    field(d, " mss:", mss, sizeof(mss));
    printf("  %llu connection%s opened by weir's TCP; %llu segments in, %llu out, MSS %s\n",
           (unsigned long long)counter(d, "TcpActiveOpens "),
           counter(d, "TcpActiveOpens ") == 1 ? "" : "s",
           (unsigned long long)counter(d, "TcpInSegs "),
           (unsigned long long)counter(d, "TcpOutSegs "), mss);
    printf("  EstimatedRTT/DevRTT %s ms, RTO %s ms, cwnd %s segments\n", rtt, rto, cwnd);
    printf(
        "  retransmitted %llu, out-of-order segments kept %llu, frames lost by the emulated link "
        "%llu\n",
        (unsigned long long)counter(d, "TcpRetransSegs "),
        (unsigned long long)counter(d, "TCPOFOQueue "),
        (unsigned long long)counter(d, "link.dropped: loss "));
    if (d->proof[0] != '\0')
        printf("  %s\n", d->proof);
}

static void transfer(struct demo *d, const char *name, size_t n, const char *link)
{
    char url[96], out[128], log[128], want[HASH_HEX + 1], got[HASH_HEX + 1];
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/%s", d->port, name);
    snprintf(out, sizeof(out), "%s/got", d->dir);
    snprintf(log, sizeof(log), "%s/run.log", d->dir);
    char *argv[16], **a = argv;
    *a++ = "/proc/self/exe";
    *a++ = "run";
    *a++ = "--host-loopback";
    if (link != NULL) {
        *a++ = "--link";
        *a++ = (char *)link;
    }
    *a++ = "--";
    *a++ = "curl";
    *a++ = "-sS";
    *a++ = "-o";
    *a++ = out;
    *a++ = url;
    *a = NULL;
    (void)unlink(out);
    d->ss[0] = d->counters[0] = d->proof[0] = '\0';
    printf("weir run --host-loopback%s%s%s -- curl %s\n", link ? " --link '" : "", link ? link : "",
           link ? "'" : "", url);
    struct timespec t0, t1;
    clock_gettime(CLOCK_MONOTONIC, &t0);
    int status = watch(d, spawn(argv, log), n);
    clock_gettime(CLOCK_MONOTONIC, &t1);
    if (stopped != 0)
        return;
    double s = (double)(t1.tv_sec - t0.tv_sec) + (double)(t1.tv_nsec - t0.tv_nsec) / 1e9;
    sha256(d, name, want);
    sha256(d, "got", got);
    bool is_equal = status == 0 && want[0] != '\0' && strcmp(want, got) == 0;
    d->failures += !is_equal;
    tell(d);
    if (is_equal)
        printf("  %.1f MB in %.2f s (%.0f Mbit/s), start and end of the program included\n",
               (double)n / 1e6, s, (double)n * 8 / s / 1e6);
    printf("  SHA-256 served %s\n          got    %s  %s\n\n", want, got,
           is_equal ? "equal" : "DIFFERENT");
    if (!is_equal) {
        char cmd[192];
        snprintf(cmd, sizeof(cmd), "sed 's/^/  | /' '%s'", log);
        fflush(stdout);
        (void)!system(cmd);
    }
}

static bool in_path(const char *program)
{
    const char *path = getenv("PATH");
    char file[PATH_MAX];
    for (const char *at = path != NULL ? path : "/usr/bin:/bin"; *at != '\0';) {
        size_t n = strcspn(at, ":");
        snprintf(file, sizeof(file), "%.*s/%s", (int)n, at, program);
        if (access(file, X_OK) == 0)
            return true;
        at += n + (at[n] == ':');
    }
    return false;
}

/* The programs that the demo is made of; false after a sentence. */
static bool programs_are_there(void)
{
    static const char *const programs[] = {"curl", "python3", "sha256sum"};
    for (size_t i = 0; i < WEIR_COUNT(programs); i++) {
        if (in_path(programs[i]))
            continue;
        fprintf(stderr, "weir demo: it needs %s, which is not in PATH; please install it\n",
                programs[i]);
        return false;
    }
    return true;
}

static int demo(struct demo *d)
{
    if (!make_file(d, "big", DEMO_BIG) || !make_file(d, "small", DEMO_SMALL)) {
        fprintf(stderr, "weir demo: %s: %s; it needs 210 MB there, or set TMPDIR\n", d->dir,
                strerror(errno));
        return 2;
    }
    if (!server_start(d)) {
        if (stopped == 0)
            fprintf(stderr, "weir demo: python3 -m http.server does not answer on 127.0.0.1\n");
        return 2;
    }
    printf("1. 100 MB from python3's http.server on the kernel's 127.0.0.1:%u, through the user "
           "network\n\n",
           d->port);
    transfer(d, "big", DEMO_BIG, NULL);
    if (stopped != 0)
        return 1;
    printf("2. 2 MB over an emulated link\n\n");
    transfer(d, "small", DEMO_SMALL, "delay 10ms loss 0.5%");
    if (stopped != 0)
        return 1;
    printf("3. The textbook's example, in the simulator: weir sim --example\n\n");
    d->failures += example_segments(stdout) != 0;
    printf("\n4. One write(), followed down one host and up the other: weir demo --write\n\n");
    d->failures += demo_way(stdout) != 0;
    printf("\n%s\n", d->failures == 0 ? "All of it held." : "Something did NOT hold; see above.");
    return d->failures != 0;
}

static void clean(const struct demo *d)
{
    static const char *const names[] = {"big", "small", "got", "server.log", "run.log"};
    char path[128];
    if (d->server > 0) {
        /* Not SIGTERM: before its exec the child still has our handler, which would swallow it. */
        kill(d->server, SIGKILL);
        waitpid(d->server, NULL, 0);
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", d->dir, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(d->dir);
}

int cmd_demo(int argc, char **argv)
{
    static struct demo d;
    const char *tmp = getenv("TMPDIR");
    if (argc > 1) {
        if (strcmp(argv[1], "--write") == 0 && argc == 2)
            return demo_way(stdout) == 0 ? 0 : 1;
        bool is_help = strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0;
        if (is_help)
            fputs(help, stdout);
        else
            fprintf(stderr, "weir demo: it takes no %s; see weir demo --help\n",
                    argv[argc > 2 && strcmp(argv[1], "--write") == 0 ? 2 : 1]);
        return is_help ? 0 : 2;
    }
    if (!programs_are_there())
        return 2;
    snprintf(d.dir, sizeof(d.dir), "%s/weir-demo-XXXXXX",
             tmp != NULL && strlen(tmp) < 40 ? tmp : "/tmp");
    if (mkdtemp(d.dir) == NULL) {
        fprintf(stderr, "weir demo: no temporary directory %s: %s\n", d.dir, strerror(errno));
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    heed_signals();
    int r = demo(&d);
    clean(&d);
    if (stopped != 0)
        door_die(stopped);
    return r;
}

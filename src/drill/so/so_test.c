/* SPDX-License-Identifier: Apache-2.0
 *
 * Drives libweir-packetdrill.so (its path is the argument) as the public packetdrill tool does: by
 * the one symbol it looks up, the table it gets, and a second thread for calls that wait.
 */
#include "unit.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/sockios.h>

#include "drill/so/interface.h"
#include "wire/csum.h"
#include "wire/ipv4.h"
#include "wire/tcp.h"

enum { LOCAL = 0xc0a80001, REMOTE = 0xc0000201, PORT = 8080, PEER_PORT = 40000, ISS = 9000 };

static const char *so_path;
static void *library;
static struct packetdrill_interface t;
static char dir[] = "/tmp/weir-so-XXXXXX"; /* settings as files */
static uint32_t our_seq, peer_seq;         /* the next of each side */
static uint8_t payload[70000];             /* of the segment received last */

/* ---- the tool's side ---------------------------------------------------------------------- */

static long long now_us(void)
{
    struct timeval tv;
    assert_int_equal(t.gettimeofday(t.userdata, &tv, NULL), 0);
    return (long long)tv.tv_sec * 1000000 + tv.tv_usec;
}

static void start(const char *more)
{
    char flags[256];
    snprintf(flags, sizeof flags, "sysctl=%s%s", dir, more);
    __typeof__(packetdrill_interface_init) *fill = NULL;
    *(void **)&fill = dlsym(library, "packetdrill_interface_init");
    assert_non_null(fill);
    memset(&t, 0, sizeof t);
    fill(flags, &t);
}

static void stop(void) { t.free(t.userdata); }

static void inject(const struct wire_tcp *h, uint32_t n)
{
    uint8_t p[2000] = {0};
    struct wire_ip4 ip = {
        .ttl = 64, .proto = PROTO_TCP, .src = addr_ip4(REMOTE), .dst = addr_ip4(LOCAL)};
    unsigned hlen = wire_tcp_build(p + 20, h);
    ip.total = (uint16_t)(20 + hlen + n);
    (void)wire_ip4_build(p, &ip, NULL);
    memset(p + 20 + hlen, 'x', n);
    uint32_t sum = csum_pseudo(&ip.src, &ip.dst, PROTO_TCP, hlen + n);
    wire_tcp_set_csum(p + 20, csum_fold(csum_partial(CSUM_SCALAR, p + 20, hlen + n, sum)));
    assert_int_equal(t.netdev_send(t.userdata, p, ip.total), 0);
    bool is_counted = (h->flags & (TCPF_SYN | TCPF_FIN)) != 0;
    peer_seq = h->seq + n + is_counted;
}

static void segment(uint16_t flags, uint32_t n)
{
    struct wire_tcp h = {.sport = PEER_PORT,
                         .dport = PORT,
                         .seq = peer_seq,
                         .ack = our_seq,
                         .flags = flags,
                         .wnd = 60000};
    inject(&h, n);
}

/* The next segment that comes out, when it did, its payload's length. */
static struct wire_tcp receive(long long *at, uint32_t *n)
{
    static uint8_t p[70000];
    size_t len = sizeof p;
    struct wire_ip4 ip;
    struct wire_tcp h;
    assert_int_equal(t.netdev_receive(t.userdata, p, &len, at), 0);
    assert_int_equal(wire_ip4_parse(p, len, &ip), DROP_NONE);
    assert_int_equal(ip.total, len);
    assert_int_equal(wire_tcp_parse(p + ip.hlen, len - ip.hlen, &h), DROP_NONE);
    *n = (uint32_t)len - ip.hlen - h.hlen;
    memcpy(payload, p + ip.hlen + h.hlen, *n);
    our_seq = h.seq + *n + ((h.flags & (TCPF_SYN | TCPF_FIN)) != 0);
    return h;
}

/* The next segment that is no mere acknowledgement. */
static struct wire_tcp expect(uint16_t flags, uint32_t n)
{
    long long at;
    uint32_t got;
    struct wire_tcp h = receive(&at, &got);
    for (unsigned i = 0; i < 3 && h.flags == TCPF_ACK && got == 0; i++)
        h = receive(&at, &got);
    assert_int_equal(h.flags, flags);
    assert_int_equal(got, n);
    return h;
}

static struct sockaddr_in address(uint32_t ip, uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(ip)};
}

static int listener(void)
{
    struct sockaddr_in a = address(0, PORT);
    int fd = t.socket(t.userdata, AF_INET, SOCK_STREAM, IPPROTO_TCP);
    assert_true(fd >= 0);
    assert_int_equal(t.bind(t.userdata, fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(t.listen(t.userdata, fd, 1), 0);
    return fd;
}

static struct wire_tcp send_syn(void)
{
    struct wire_tcp syn = {.sport = PEER_PORT,
                           .dport = PORT,
                           .seq = ISS,
                           .flags = TCPF_SYN,
                           .wnd = 60000,
                           .has = TCPH_MSS | TCPH_SACK_OK,
                           .mss = 1000};
    inject(&syn, 0);
    return expect(TCPF_SYN | TCPF_ACK, 0);
}

/* A connection the peer opened. */
static int accepted(int fd)
{
    struct sockaddr_in peer;
    socklen_t n = sizeof peer;
    (void)send_syn();
    segment(TCPF_ACK, 0);
    int s = t.accept(t.userdata, fd, (struct sockaddr *)&peer, &n);
    assert_true(s >= 0);
    assert_int_equal(ntohl(peer.sin_addr.s_addr), REMOTE);
    assert_int_equal(ntohs(peer.sin_port), PEER_PORT);
    return s;
}

/* ---- */

/* If this fails, the public tool cannot judge weir at all. */
static void a_connection_lives_and_ends(void **state)
{
    (void)state;
    char buf[200];
    start("");
    int fd = listener(), s = accepted(fd), v = 0;
    assert_int_equal(t.write(t.userdata, s, buf, 100), 100);
    (void)expect(TCPF_ACK | TCPF_PSH, 100);
    segment(TCPF_ACK | TCPF_PSH, 50);
    assert_int_equal(t.ioctl(t.userdata, s, SIOCINQ, &v), 0);
    assert_int_equal(v, 50);
    assert_int_equal(t.read(t.userdata, s, buf, sizeof buf), 50);
    assert_int_equal(buf[49], 'x');
    struct iovec out[] = {{"one, ", 5}, {"two", 3}};
    assert_int_equal(t.writev(t.userdata, s, out, 2), 8);
    (void)expect(TCPF_ACK | TCPF_PSH, 8);
    assert_memory_equal(payload, "one, two", 8);
    segment(TCPF_ACK | TCPF_PSH, 9);
    struct iovec in[] = {{buf + 100, 4}, {buf, 50}};
    memset(buf, 0, sizeof buf);
    assert_int_equal(t.readv(t.userdata, s, in, 2), 9);
    assert_memory_equal(buf + 100, "xxxx", 5);
    assert_memory_equal(buf, "xxxxx", 6);
    segment(TCPF_ACK | TCPF_FIN, 0);
    assert_int_equal(t.read(t.userdata, s, buf, sizeof buf), 0);
    assert_int_equal(t.close(t.userdata, s), 0);
    assert_int_equal(t.read(t.userdata, s, buf, 1), -1);
    assert_int_equal(errno, EBADF);
    stop();
}

/* If this fails, time does not pass as the tool needs it: it hangs, or every script is too late. */
static void time_passes_when_asked(void **state)
{
    (void)state;
    struct sockaddr_in a = address(REMOTE, PORT);
    long long at = 0, first = 0;
    uint32_t n;
    start(",tcp_syn_retries=5");
    long long before = now_us(), real = (long long)time(NULL);
    assert_true(now_us() > before);
    assert_int_equal(t.usleep(t.userdata, 5000000), 0);
    assert_in_range(now_us() - before, 5000000, 5000020);
    int fd = t.socket(t.userdata, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(t.connect(t.userdata, fd, (struct sockaddr *)&a, sizeof a), -1);
    assert_int_equal(errno, EINPROGRESS);
    before = now_us();
    assert_int_equal(receive(&first, &n).flags, TCPF_SYN);
    assert_in_range(before - first, 0, 10);
    /* [RFC 6298 2.1, 5.5] after a second, then after two. */
    assert_int_equal(receive(&at, &n).flags, TCPF_SYN);
    assert_in_range(at - first, 1000000, 1000010);
    assert_int_equal(receive(&at, &n).flags, TCPF_SYN);
    assert_in_range(at - first, 3000000, 3000010);
    assert_true((long long)time(NULL) - real < 4);
    stop();
}

/* If this fails, the tool waits for ever where a stack has nothing to say. */
static void what_never_comes_is_said(void **state)
{
    (void)state;
    uint8_t p[100];
    size_t n = sizeof p;
    long long at;
    start("");
    int fd = listener();
    assert_int_equal(t.netdev_receive(t.userdata, p, &n, &at), 0);
    assert_int_equal(n, 0);
    assert_int_equal(t.accept(t.userdata, fd, NULL, NULL), -1);
    assert_int_equal(errno, EDEADLK);
    stop();
}

/* ---- calls that wait, in a thread of their own */

struct waiting {
    int fd;
    pid_t tid;
    ssize_t result;
    int err;
    long long began, ended;
};

static void *wait_in_read(void *arg)
{
    struct waiting *w = arg;
    char buf[100];
    w->began = now_us();
    __atomic_store_n(&w->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
    w->result = t.read(t.userdata, w->fd, buf, sizeof buf);
    w->err = errno;
    w->ended = now_us();
    return NULL;
}

static bool sleeps(const struct waiting *w)
{
    char path[64], text[200] = "";
    pid_t tid = __atomic_load_n(&w->tid, __ATOMIC_SEQ_CST);
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
    FILE *f = tid != 0 ? fopen(path, "r") : NULL;
    if (f == NULL)
        return false;
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = '\0';
    const char *end = strrchr(text, ')');
    return end != NULL && end[1] == ' ' && end[2] == 'S';
}

static pthread_t begin_read(struct waiting *w)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wait_in_read, w), 0);
    for (unsigned i = 0; i < 20000 && !sleeps(w); i++)
        nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
    assert_true(sleeps(w));
    return thread;
}

/* If this fails, every script with a call that blocks hangs, or is told a wrong time. */
static void a_waiting_call_ends_at_its_moment(void **state)
{
    (void)state;
    start("");
    int fd = listener(), s = accepted(fd);
    struct waiting w = {.fd = s};
    pthread_t thread = begin_read(&w);
    assert_int_equal(t.usleep(t.userdata, 200000), 0);
    segment(TCPF_ACK | TCPF_PSH, 70);
    assert_int_equal(t.usleep(t.userdata, 900000), 0);
    pthread_join(thread, NULL);
    assert_int_equal(w.result, 70);
    assert_in_range(w.ended - w.began, 200000, 200100);

    struct timeval limit = {.tv_usec = 300000};
    assert_int_equal(t.setsockopt(t.userdata, s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    w = (struct waiting){.fd = s};
    thread = begin_read(&w);
    assert_int_equal(t.usleep(t.userdata, 900000), 0);
    pthread_join(thread, NULL);
    assert_int_equal(w.result, -1);
    assert_int_equal(w.err, EAGAIN);
    assert_in_range(w.ended - w.began, 300000, 300100);
    stop();
}

/* If this fails, poll and epoll report what is not so, twice, or never. */
static void poll_and_epoll_report(void **state)
{
    (void)state;
    struct epoll_event e = {.events = EPOLLIN | EPOLLET, .data.u64 = 77}, got[4];
    char buf[10];
    start("");
    int fd = listener(), s = accepted(fd), ep = t.epoll_create(t.userdata, 1);
    struct pollfd p = {.fd = s, .events = POLLIN};
    long long before = now_us();
    assert_int_equal(t.poll(t.userdata, &p, 1, 50), 0);
    assert_in_range(now_us() - before, 50000, 50010);
    assert_int_equal(t.epoll_ctl(t.userdata, ep, EPOLL_CTL_ADD, s, &e), 0);
    assert_int_equal(t.epoll_ctl(t.userdata, ep, EPOLL_CTL_ADD, s, &e), -1);
    assert_int_equal(errno, EEXIST);
    assert_int_equal(t.epoll_wait(t.userdata, ep, got, 4, 0), 0);
    segment(TCPF_ACK | TCPF_PSH, 5);
    assert_int_equal(t.poll(t.userdata, &p, 1, -1), 1);
    assert_int_equal(p.revents, POLLIN);
    assert_int_equal(t.epoll_wait(t.userdata, ep, got, 4, -1), 1);
    assert_int_equal(got[0].events, EPOLLIN);
    assert_int_equal(got[0].data.u64, 77);
    assert_int_equal(t.epoll_wait(t.userdata, ep, got, 4, 0), 0);
    segment(TCPF_ACK | TCPF_PSH, 5);
    assert_int_equal(t.epoll_wait(t.userdata, ep, got, 4, 0), 1);
    assert_int_equal(t.read(t.userdata, s, buf, 10), 10);
    e.events = EPOLLIN | EPOLLONESHOT;
    assert_int_equal(t.epoll_ctl(t.userdata, ep, EPOLL_CTL_MOD, s, &e), 0);
    segment(TCPF_ACK | TCPF_PSH, 5);
    assert_int_equal(t.epoll_wait(t.userdata, ep, got, 4, 0), 1);
    assert_int_equal(t.epoll_wait(t.userdata, ep, got, 4, 0), 0);
    assert_int_equal(t.close(t.userdata, ep), 0);
    stop();
}

/* If this fails, a call with a bad argument ends the tool instead of answering errno. */
static void bad_arguments_have_their_errno(void **state)
{
    (void)state;
    char buf[10];
    struct iovec v[] = {{buf, 10}, {NULL, 10}};
    struct msghdr m = {.msg_iov = v, .msg_iovlen = 2, .msg_control = buf, .msg_controllen = 4};
    struct sockaddr_in a = address(LOCAL, PORT);
    start("");
    int fd = listener(), s = accepted(fd);
    assert_int_equal(t.socket(t.userdata, 77, SOCK_STREAM, 0), -1);
    assert_int_equal(errno, EAFNOSUPPORT);
    assert_int_equal(t.write(t.userdata, s, NULL, 10), -1);
    assert_int_equal(errno, EFAULT);
    assert_int_equal(t.writev(t.userdata, s, v, 2), 10);
    assert_int_equal(t.writev(t.userdata, s, v + 1, 1), -1);
    assert_int_equal(errno, EFAULT);
    m.msg_iovlen = 1;
    assert_int_equal(t.sendmsg(t.userdata, s, &m, 0), -1);
    assert_int_equal(errno, EOPNOTSUPP);
    assert_int_equal(t.bind(t.userdata, s, (struct sockaddr *)&a, 3), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(t.getsockopt(t.userdata, 1000, SOL_SOCKET, SO_TYPE, buf, NULL), -1);
    assert_int_equal(errno, EBADF);
    assert_int_equal(t.fcntl(t.userdata, s, F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(t.fcntl(t.userdata, s, F_GETFL, 0), O_RDWR | O_NONBLOCK);
    assert_int_equal(t.recv(t.userdata, s, buf, 10, 0), -1);
    assert_int_equal(errno, EAGAIN);
    stop();
}

static void write_setting(const char *name, const char *text)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static const char *congestion(void)
{
    static char name[16];
    socklen_t n = sizeof name;
    int fd = t.socket(t.userdata, AF_INET, SOCK_STREAM, 0);
    assert_int_equal(t.getsockopt(t.userdata, fd, IPPROTO_TCP, TCP_CONGESTION, name, &n), 0);
    assert_int_equal(t.close(t.userdata, fd), 0);
    return name;
}

/* If this fails, scripts that set a sysctl test weir with another setting than they say. */
static void settings_are_read_from_files(void **state)
{
    (void)state;
    write_setting("tcp_sack", "1\n");
    write_setting("tcp_rmem", "4096\t20000\t30000\n");
    write_setting("tcp_congestion_control", "reno\n");
    start("");
    assert_string_equal(congestion(), "cubic"); /* the machine's is nobody's wish */
    write_setting("tcp_congestion_control", "cubic\n");
    assert_string_equal(congestion(), "cubic");
    write_setting("tcp_congestion_control", "reno\n");
    assert_string_equal(congestion(), "reno");
    (void)listener();
    struct wire_tcp h = send_syn();
    assert_int_equal(h.has & TCPH_SACK_OK, TCPH_SACK_OK);
    assert_true(h.wnd <= 20000);
    stop();
    start("");
    write_setting("tcp_sack", "0\n");
    (void)listener();
    assert_int_equal(send_syn().has & TCPH_SACK_OK, 0);
    stop();
    write_setting("tcp_sack", "1\n");
}

/* If this fails, code blocks of scripts see the kernel's sockets, or the tool breaks its own. */
static void preloaded_calls_are_about_our_sockets(void **state)
{
    (void)state;
    int (*ask)(int, int, int, void *, socklen_t *) = NULL;
    int (*end)(int) = NULL;
    ssize_t (*put)(int, int, off_t *, size_t) = NULL;
    *(void **)&ask = dlsym(library, "getsockopt");
    *(void **)&end = dlsym(library, "close");
    *(void **)&put = dlsym(library, "sendfile64");
    assert_true(ask != NULL && end != NULL && put != NULL);
    start("");
    int fd = listener(), s = accepted(fd);
    uint8_t info[600];
    uint32_t mem[9];
    socklen_t n = sizeof info;
    memset(info, 0xff, sizeof info);
    assert_int_equal(ask(s, IPPROTO_TCP, TCP_INFO, info, &n), 0);
    assert_int_equal(n, sizeof info);
    assert_int_equal(info[0], TCP_ESTABLISHED);
    assert_int_equal(info[sizeof info - 1], 0);
    n = sizeof mem;
    assert_int_equal(ask(s, SOL_SOCKET, SO_MEMINFO, mem, &n), 0);
    assert_int_equal(n, 36);
    assert_int_not_equal(mem[1], 0);
    n = sizeof info;
    assert_int_equal(ask(s, IPPROTO_TCP, TCP_CC_INFO, info, &n), 0);
    assert_int_equal(n, 0);

    int file = open(so_path, O_RDONLY);
    off_t at = 0;
    assert_int_equal(put(s, file, &at, 700), 700);
    assert_int_equal(at, 700);
    (void)expect(TCPF_ACK | TCPF_PSH, 700);
    assert_int_equal(end(file), 0);
    assert_int_equal(fcntl(file, F_GETFD), -1);
    int other = socket(AF_UNIX, SOCK_STREAM, 0), type = 0;
    n = sizeof type;
    assert_int_equal(ask(other, SOL_SOCKET, SO_TYPE, &type, &n), 0);
    assert_int_equal(type, SOCK_STREAM);
    assert_int_equal(end(other), 0);
    assert_int_equal(end(s), 0);
    (void)expect(TCPF_ACK | TCPF_FIN, 0);
    stop();
}

/* If this fails, bytes are lost between a pipe and a socket. */
static void splice_moves_between_pipe_and_socket(void **state)
{
    (void)state;
    char buf[100];
    int p[2];
    start("");
    int fd = listener(), s = accepted(fd);
    assert_int_equal(t.pipe(t.userdata, p), 0);
    segment(TCPF_ACK | TCPF_PSH, 80);
    assert_int_equal(t.splice(t.userdata, s, NULL, p[1], NULL, 1000, 0), 80);
    assert_int_equal(t.read(t.userdata, p[0], buf, 30), 30);
    assert_int_equal(t.splice(t.userdata, p[0], NULL, s, NULL, 1000, 0), 50);
    assert_int_equal(t.close(t.userdata, p[0]), 0);
    assert_int_equal(t.close(t.userdata, p[1]), 0);
    stop();
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_connection_lives_and_ends),
    cmocka_unit_test(time_passes_when_asked),
    cmocka_unit_test(what_never_comes_is_said),
    cmocka_unit_test(a_waiting_call_ends_at_its_moment),
    cmocka_unit_test(poll_and_epoll_report),
    cmocka_unit_test(bad_arguments_have_their_errno),
    cmocka_unit_test(settings_are_read_from_files),
    cmocka_unit_test(preloaded_calls_are_about_our_sockets),
    cmocka_unit_test(splice_moves_between_pipe_and_socket),
};

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    so_path = argv[1];
    library = dlopen(so_path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL || mkdtemp(dir) == NULL) {
        fprintf(stderr, "%s\n", library == NULL ? dlerror() : strerror(errno));
        return 2;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    static const char *const name[] = {"/tcp_sack", "/tcp_rmem", "/tcp_congestion_control", ""};
    for (unsigned i = 0; i < sizeof name / sizeof name[0]; i++) {
        char path[200];
        snprintf(path, sizeof path, "%s%s", dir, name[i]);
        (void)remove(path);
    }
    return failed;
}

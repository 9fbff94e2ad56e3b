/* SPDX-License-Identifier: Apache-2.0
 *
 * The names scripts use for numbers: constants of Linux's headers, and errors.
 *
 * Numbers are Linux's, also where this program is built elsewhere; most are simply those of the
 * headers here. Names that appear in no header this program needs are written out. A name that is
 * not in the table makes the event that uses it an error with its line.
 *
 * Called by the calls and by code blocks. Two const tables, no state.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "drill/run.h"

#define S(name)                                                                                    \
    {                                                                                              \
#name, name                                                                                \
    }

static const struct {
    const char *name;
    int64_t value;
} syms[] = {
    S(AF_INET),
    S(AF_INET6),
    S(AF_UNSPEC),
    S(PF_INET),
    S(PF_INET6),
    S(SOCK_STREAM),
    S(SOCK_DGRAM),
    S(SOCK_RAW),
    S(SOCK_NONBLOCK),
    S(SOCK_CLOEXEC),
    S(IPPROTO_IP),
    S(IPPROTO_TCP),
    S(IPPROTO_UDP),
    S(IPPROTO_ICMP),
    S(IPPROTO_ICMPV6),
    S(IPPROTO_IPV6),
    S(SHUT_RD),
    S(SHUT_WR),
    S(SHUT_RDWR),
    S(O_RDONLY),
    S(O_WRONLY),
    S(O_RDWR),
    S(O_NONBLOCK),
    S(F_GETFL),
    S(F_SETFL),
    {"SOL_SOCKET", 1},
    {"SOL_IP", 0},
    {"SOL_TCP", 6},
    {"SOL_UDP", 17},
    {"SOL_IPV6", 41},
    {"SO_DEBUG", 1},
    {"SO_REUSEADDR", 2},
    {"SO_TYPE", 3},
    {"SO_ERROR", 4},
    {"SO_DONTROUTE", 5},
    {"SO_BROADCAST", 6},
    {"SO_SNDBUF", 7},
    {"SO_RCVBUF", 8},
    {"SO_KEEPALIVE", 9},
    {"SO_OOBINLINE", 10},
    {"SO_PRIORITY", 12},
    {"SO_LINGER", 13},
    {"SO_REUSEPORT", 15},
    {"SO_RCVLOWAT", 18},
    {"SO_RCVTIMEO", 20},
    {"SO_SNDTIMEO", 21},
    {"SO_TIMESTAMP", 29},
    {"SO_ACCEPTCONN", 30},
    {"SO_MARK", 36},
    {"SO_TIMESTAMPING", 37},
    {"SO_PROTOCOL", 38},
    {"SO_DOMAIN", 39},
    {"SO_BUSY_POLL", 46},
    {"SO_MAX_PACING_RATE", 47},
    {"SO_MEMINFO", 55},
    {"SOF_TIMESTAMPING_TX_SCHED", 0x100},
    {"SOF_TIMESTAMPING_TX_SOFTWARE", 2},
    {"SOF_TIMESTAMPING_TX_ACK", 0x200},
    {"SOF_TIMESTAMPING_RX_SOFTWARE", 8},
    {"SOF_TIMESTAMPING_SOFTWARE", 0x10},
    {"SOF_TIMESTAMPING_OPT_ID", 0x80},
    {"SOF_TIMESTAMPING_OPT_TSONLY", 0x800},
    {"SOF_TIMESTAMPING_OPT_CMSG", 0x400},
    {"SOF_TIMESTAMPING_OPT_STATS", 0x1000},
    {"SOF_TIMESTAMPING_OPT_ID_TCP", 0x10000},
    {"SCM_TIMESTAMP", 29},
    {"SCM_TIMESTAMPNS", 35},
    {"SCM_TIMESTAMPING", 37},
    {"SCM_TSTAMP_SND", 0},
    {"SCM_TSTAMP_SCHED", 1},
    {"SCM_TSTAMP_ACK", 2},
    {"SO_EE_ORIGIN_NONE", 0},
    {"SO_EE_ORIGIN_LOCAL", 1},
    {"SO_EE_ORIGIN_ICMP", 2},
    {"SO_EE_ORIGIN_ICMP6", 3},
    {"SO_EE_ORIGIN_TIMESTAMPING", 4},
    {"SO_EE_ORIGIN_ZEROCOPY", 5},
    {"SO_EE_CODE_ZEROCOPY_COPIED", 1},
    {"SO_TIMESTAMPNS", 35},
    {"SO_RXQ_OVFL", 40},
    {"SO_SELECT_ERR_QUEUE", 45},
    {"SO_INCOMING_CPU", 49},
    {"SO_INCOMING_NAPI_ID", 56},
    {"SO_COOKIE", 57},
    {"SO_ZEROCOPY", 60},
    {"TCP_REPAIR", 19},
    {"TCP_SAVED_SYN", 28},
    {"IP_PKTINFO", 8},
    {"IP_RECVTTL", 12},
    {"IP_RECVTOS", 13},
    {"IPV6_RECVPKTINFO", 49},
    {"IPV6_PKTINFO", 50},
    {"IPV6_RECVHOPLIMIT", 51},
    {"IPV6_HOPLIMIT", 52},
    {"IPV6_RECVTCLASS", 66},
    {"TCP_NODELAY", 1},
    {"TCP_MAXSEG", 2},
    {"TCP_CORK", 3},
    {"TCP_KEEPIDLE", 4},
    {"TCP_KEEPINTVL", 5},
    {"TCP_KEEPCNT", 6},
    {"TCP_SYNCNT", 7},
    {"TCP_LINGER2", 8},
    {"TCP_DEFER_ACCEPT", 9},
    {"TCP_WINDOW_CLAMP", 10},
    {"TCP_INFO", 11},
    {"TCP_QUICKACK", 12},
    {"TCP_CONGESTION", 13},
    {"TCP_MD5SIG", 14},
    {"TCP_USER_TIMEOUT", 18},
    {"TCP_FASTOPEN", 23},
    {"TCP_TIMESTAMP", 24},
    {"TCP_NOTSENT_LOWAT", 25},
    {"TCP_SAVE_SYN", 27},
    {"TCP_FASTOPEN_CONNECT", 30},
    {"TCP_ULP", 31},
    {"TCP_FASTOPEN_KEY", 33},
    {"TCP_FASTOPEN_NO_COOKIE", 34},
    {"TCP_INQ", 36},
    {"TCP_CM_INQ", 36},
    {"TCP_TX_DELAY", 37},
    {"IP_TOS", 1},
    {"IP_TTL", 2},
    {"IP_MTU_DISCOVER", 10},
    {"IP_RECVERR", 11},
    {"IP_MTU", 14},
    {"IP_FREEBIND", 15},
    {"IP_BIND_ADDRESS_NO_PORT", 24},
    {"IP_PMTUDISC_DONT", 0},
    {"IP_PMTUDISC_WANT", 1},
    {"IP_PMTUDISC_DO", 2},
    {"IP_PMTUDISC_PROBE", 3},
    {"IPV6_UNICAST_HOPS", 16},
    {"IPV6_RECVERR", 25},
    {"IPV6_V6ONLY", 26},
    {"IPV6_TCLASS", 67},
    S(MSG_OOB),
    S(MSG_PEEK),
    S(MSG_TRUNC),
    S(MSG_DONTWAIT),
    S(MSG_EOR),
    S(MSG_WAITALL),
    S(MSG_NOSIGNAL),
    S(MSG_MORE),
    {"MSG_ERRQUEUE", 0x2000},
    {"MSG_FASTOPEN", 0x20000000},
    {"MSG_ZEROCOPY", 0x4000000},
    {"MSG_CTRUNC", 8},
    S(POLLIN),
    S(POLLPRI),
    S(POLLOUT),
    S(POLLERR),
    S(POLLHUP),
    S(POLLNVAL),
    S(POLLRDHUP),
    S(EPOLLIN),
    S(EPOLLPRI),
    S(EPOLLOUT),
    S(EPOLLERR),
    S(EPOLLHUP),
    S(EPOLLRDHUP),
    S(EPOLL_CTL_ADD),
    S(EPOLL_CTL_MOD),
    S(EPOLL_CTL_DEL),
    {"EPOLLRDNORM", 0x40},
    {"EPOLLWRNORM", 0x100},
    {"EPOLLET", 0x80000000},
    {"EPOLLONESHOT", 0x40000000},
    {"EPOLLEXCLUSIVE", 0x10000000},
    {"SIOCINQ", 0x541b},
    {"FIONREAD", 0x541b},
    {"SIOCOUTQ", 0x5411},
    {"SIOCOUTQNSD", 0x894b},
    {"SIOCATMARK", 0x8905},
    {"NULL", 0},
    /* for %{ }% */
    {"TCP_ESTABLISHED", 1},
    {"TCP_SYN_SENT", 2},
    {"TCP_SYN_RECV", 3},
    {"TCP_FIN_WAIT1", 4},
    {"TCP_FIN_WAIT2", 5},
    {"TCP_TIME_WAIT", 6},
    {"TCP_CLOSE", 7},
    {"TCP_CLOSE_WAIT", 8},
    {"TCP_LAST_ACK", 9},
    {"TCP_LISTEN", 10},
    {"TCP_CLOSING", 11},
    {"TCP_CA_Open", 0},
    {"TCP_CA_Disorder", 1},
    {"TCP_CA_CWR", 2},
    {"TCP_CA_Recovery", 3},
    {"TCP_CA_Loss", 4},
    {"TCPI_OPT_TIMESTAMPS", 1},
    {"TCPI_OPT_SACK", 2},
    {"TCPI_OPT_WSCALE", 4},
    {"TCPI_OPT_ECN", 8},
    {"TCPI_OPT_ECN_SEEN", 16},
    {"TCPI_OPT_SYN_DATA", 32},
    {"TCPI_OPT_USEC_TS", 64},
    {"TCP_INFINITE_SSTHRESH", 0x7fffffff},
};

static const struct {
    const char *name;
    int err;
} errs[] = {
    S(EPERM),           S(ENOENT),          S(EINTR),        S(EIO),          S(EBADF),
    S(EAGAIN),          S(ENOMEM),          S(EACCES),       S(EFAULT),       S(EBUSY),
    S(EEXIST),          S(EINVAL),          S(ENFILE),       S(EMFILE),       S(ENOTTY),
    S(ENOSPC),          S(ESPIPE),          S(EPIPE),        S(EDOM),         S(ERANGE),
    S(ENOTSOCK),        S(EDESTADDRREQ),    S(EMSGSIZE),     S(EPROTOTYPE),   S(ENOPROTOOPT),
    S(EPROTONOSUPPORT), S(ESOCKTNOSUPPORT), S(EOPNOTSUPP),   S(EPFNOSUPPORT), S(EAFNOSUPPORT),
    S(EADDRINUSE),      S(EADDRNOTAVAIL),   S(ENETDOWN),     S(ENETUNREACH),  S(ENETRESET),
    S(ECONNABORTED),    S(ECONNRESET),      S(ENOBUFS),      S(EISCONN),      S(ENOTCONN),
    S(ESHUTDOWN),       S(ETIMEDOUT),       S(ECONNREFUSED), S(EHOSTDOWN),    S(EHOSTUNREACH),
    S(EALREADY),        S(EINPROGRESS),     S(EPROTO),       S(EOVERFLOW),    S(ENOSYS),
    S(EWOULDBLOCK),     S(ENOTSUP),         S(ECANCELED),    S(ENOKEY),       S(ENOLINK),
    S(ENOMSG),
};

bool sym_value(const char *name, int64_t *out)
{
    for (size_t i = 0; i < WEIR_COUNT(syms); i++)
        if (strcmp(syms[i].name, name) == 0) {
            *out = syms[i].value;
            return true;
        }
    return false;
}

int sym_errno(const char *name)
{
    for (size_t i = 0; i < WEIR_COUNT(errs); i++)
        if (strcmp(errs[i].name, name) == 0)
            return errs[i].err;
    return 0;
}

const char *sym_errno_name(int err)
{
    for (size_t i = 0; i < WEIR_COUNT(errs); i++)
        if (errs[i].err == err)
            return errs[i].name;
    return "an unknown error";
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls that make, join and end sockets.
 *
 * `...` for an address means what it means in packetdrill: bind takes any address and the script's
 * port (8080), connect the peer's address and port. `...` for a family is the one of --ip_version.
 * accept() finds out which connection of the script it gave by the peer's address and port; so the
 * payload that this descriptor reads can be checked.
 *
 * Called through call.c's table. What it owns: the run's descriptors.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "drill/run.h"
#include "wire/ipv4.h"

static bool addr_text(struct run *r, const struct expr *e, struct weir_addr *out)
{
    struct addr a;
    const char *text =
        e->kind == EX_WORD && e->has_args && e->kids != NULL ? e->kids->text : e->text;
    if (text == NULL || addr_parse(text, &a) != 0)
        return run_fail(r, "an IP address was expected");
    memcpy(out->ip, a.b, sizeof(out->ip));
    return true;
}

bool arg_addr(struct run *r, const struct expr *e, const struct weir_addr *by_default,
              struct weir_addr *out)
{
    *out = *by_default;
    if (e->kind == EX_WORD && strcmp(e->text, "AF_UNSPEC") == 0) {
        out->family = 0;
        return true;
    }
    if (e->kind != EX_STRUCT)
        return e->kind == EX_DOTS || run_fail(r, "an address was expected");
    const struct expr *ip = arg_field(e, "sin_addr"), *port = arg_field(e, "sin_port");
    const struct expr *family = arg_field(e, "sa_family");
    int64_t v = 0, af = AF_INET;
    ip = ip != NULL ? ip : arg_field(e, "sin6_addr");
    port = port != NULL ? port : arg_field(e, "sin6_port");
    if (family != NULL && !arg_int(r, family, &af))
        return false;
    if (af == AF_UNSPEC)
        return run_skip(r, "addresses of family AF_UNSPEC are not supported");
    if (port != NULL && !arg_int(r, port, &v))
        return false;
    out->port = port != NULL ? (uint16_t)v : out->port;
    out->family = af == AF_INET6 ? 6 : 4;
    return ip == NULL || addr_text(r, ip, out);
}

static struct weir_addr any_addr(const struct run *r, uint16_t port)
{
    struct addr any = {.w = {0}};
    if (r->script->opts.ip == IP_V4)
        any = addr_ip4(0);
    return conn_weir_addr(r, &any, port);
}

static enum call_status begin_socket(struct run *r, struct pending *x)
{
    int64_t family = r->script->opts.ip == IP_V4 ? AF_INET : AF_INET6, type = 0, proto = 0;
    if (x->arg[0]->kind != EX_DOTS && !arg_int(r, x->arg[0], &family))
        return CALL_BAD;
    if (!arg_int(r, x->arg[1], &type) || !arg_int(r, x->arg[2], &proto))
        return CALL_BAD;
    int file = file_socket(host_files(r->host), (int)family, (int)type & 0xf, (int)proto);
    if (file < 0)
        return call_answer(x, file);
    struct fd *f = fd_new(r, x, FD_SOCK);
    if (f == NULL)
        return CALL_BAD;
    f->file = file;
    f->family = (int)family;
    f->type = (int)type & 0xf;
    f->is_nonblock = (type & SOCK_NONBLOCK) != 0;
    r->info_fd = f;
    return call_answer(x, f->num);
}

static enum call_status begin_bind(struct run *r, struct pending *x)
{
    struct weir_addr any = any_addr(r, r->script->opts.bind_port), a;
    if (!arg_fd(r, x, 0, FD_SOCK) || !arg_addr(r, x->arg[1], &any, &a))
        return CALL_BAD;
    int result = file_bind(host_files(r->host), x->fd->file, &a);
    x->fd->lport = result == 0 ? a.port : x->fd->lport;
    if (result == 0 && x->fd->type == SOCK_DGRAM) {
        r->cur = x->fd->conn = conn_new(r, PROTO_UDP);
        r->cur->lport = a.port;
        r->cur->rport = r->script->opts.connect_port;
        r->cur->fd = x->fd->num;
    }
    return call_answer(x, result);
}

static enum call_status begin_listen(struct run *r, struct pending *x)
{
    int64_t backlog = 0;
    if (!arg_fd(r, x, 0, FD_SOCK) || !arg_int(r, x->arg[1], &backlog))
        return CALL_BAD;
    int result = file_listen(host_files(r->host), x->fd->file, (int)backlog);
    x->fd->is_listening = x->fd->is_listening || result == 0;
    r->cur = result == 0 ? NULL : r->cur;
    return call_answer(x, result);
}

static enum call_status begin_accept(struct run *r, struct pending *x)
{
    if (!arg_fd(r, x, 0, FD_SOCK))
        return CALL_BAD;
    x->fc.op = FILE_ACCEPT;
    return call_submit(r, x);
}

static bool check_peer(struct run *r, const struct pending *x)
{
    struct weir_addr want;
    if (x->arg[1]->kind != EX_STRUCT)
        return true;
    if (!arg_addr(r, x->arg[1], &x->fc.addr, &want))
        return false;
    return (want.port == x->fc.addr.port && memcmp(want.ip, x->fc.addr.ip, sizeof(want.ip)) == 0) ||
           run_fail(r, "%s gave another peer (port %u)", x->def->name, x->fc.addr.port);
}

static bool finish_accept(struct run *r, struct pending *x)
{
    if (x->result < 0)
        return true;
    struct fd *listener = x->fd, *f = fd_new(r, x, FD_SOCK);
    if (f == NULL || !check_peer(r, x))
        return false;
    f->file = (int)x->result;
    f->family = listener->family;
    f->type = listener->type;
    f->conn = conn_of_peer(r, &x->fc.addr);
    if (f->conn != NULL)
        f->conn->fd = f->num;
    r->info_fd = f;
    x->result = f->num;
    return true;
}

/* A connection of ours begins, or might: its local port is not known before something comes out. */
void conn_active(struct run *r, struct fd *f, const struct weir_addr *to)
{
    struct conn *c = conn_new(r, f->type == SOCK_DGRAM ? PROTO_UDP : PROTO_TCP);
    memcpy(c->remote.b, to->ip, sizeof(c->remote.b));
    c->rport = to->port;
    c->lport = f->lport;
    c->is_connecting = true;
    c->fd = f->num;
    f->conn = c;
    f->send_off = f->recv_off = 0;
    r->cur = c;
}

static enum call_status begin_connect(struct run *r, struct pending *x)
{
    struct weir_addr peer = conn_weir_addr(r, &r->remote, r->script->opts.connect_port);
    if (!arg_fd(r, x, 0, FD_SOCK) || !arg_addr(r, x->arg[1], &peer, &x->fc.addr))
        return CALL_BAD;
    x->fc.op = FILE_CONNECT;
    struct weir_addr to = x->fc.addr;
    enum call_status status = call_submit(r, x);
    /* 0 at once: TCP_FASTOPEN_CONNECT left the SYN to the first write. */
    bool is_deferred = x->fd->conn == NULL && x->result == 0;
    bool is_begun = status == CALL_PARKED || x->result == -EINPROGRESS || is_deferred;
    bool is_udp = x->fd->type == SOCK_DGRAM && x->result == 0;
    if (is_begun || is_udp)
        conn_active(r, x->fd, &to);
    r->info_fd = x->fd;
    return status;
}

static enum call_status begin_close(struct run *r, struct pending *x)
{
    if (!arg_fd(r, x, 0, FD_FREE))
        return CALL_BAD;
    enum call_status status = call_answer(x, 0);
    if (x->fd->kind == FD_SOCK) {
        x->fd->is_nonblock = false; /* SO_LINGER waits all the same */
        x->fc.op = FILE_CLOSE;
        status = call_submit(r, x);
    }
    for (unsigned i = 0; i < RUN_FDS; i++)
        for (unsigned k = 0; r->fds[i].kind == FD_EPOLL && k < EPOLL_WATCHES; k++)
            if (r->fds[i].watch[k].is_used && r->fds[i].watch[k].fd == x->fd->num)
                r->fds[i].watch[k].is_used = false;
    r->info_fd = r->info_fd == x->fd ? NULL : r->info_fd;
    x->fd->kind = FD_FREE;
    return status;
}

static enum call_status begin_shutdown(struct run *r, struct pending *x)
{
    int64_t how = 0;
    if (!arg_fd(r, x, 0, FD_SOCK) || !arg_int(r, x->arg[1], &how))
        return CALL_BAD;
    return call_answer(
        x, file_shutdown(host_files(r->host), host_clock(r->host), x->fd->file, (int)how));
}

const struct call_def calls_sock[] = {
    {"socket", 3, 3, begin_socket, NULL, NULL},
    {"bind", 3, 3, begin_bind, NULL, NULL},
    {"listen", 2, 2, begin_listen, NULL, NULL},
    {"accept", 3, 4, begin_accept, finish_accept, NULL},
    {"accept4", 4, 4, begin_accept, finish_accept, NULL},
    {"connect", 3, 3, begin_connect, NULL, NULL},
    {"close", 1, 1, begin_close, NULL, NULL},
    {"shutdown", 2, 2, begin_shutdown, NULL, NULL},
    {0},
};

/* SPDX-License-Identifier: Apache-2.0
 *
 * A packet script as a tree: what the parser makes and the runner walks.
 *
 * Everything hangs off one struct script and lies in its memory; nothing is shared, nothing is
 * freed alone. Times are microseconds of script time; a packet is kept in the script's numbers
 * (relative sequence numbers, option bytes as written), never in live ones.
 */
#ifndef WEIR_DRILL_AST_H
#define WEIR_DRILL_AST_H

#include "base/base.h"

enum { SCRIPT_OPT_MAX = 40, SCRIPT_ERR_MAX = 400 };

/* Bytes that live as long as a script. */
struct mem_chunk;
struct mem {
    struct mem_chunk *chunks;
};
/* n zeroed bytes. Never NULL: without memory the program ends. */
void *mem_take(struct mem *, size_t n);
/* n bytes of s and a NUL. */
char *mem_text(struct mem *, const char *s, size_t n);
void mem_free(struct mem *);

/* ---- packets ---- */

enum tos_check { TOS_ANY, TOS_ECN, TOS_ECT01, TOS_ALL };
enum echo_kind { ECHO_NONE, ECHO_TCP, ECHO_UDP, ECHO_RAW };

struct script_pkt {
    bool is_out;
    bool is_any_opts; /* <...>: whatever options there are */
    bool is_bad_csum; /* inbound: a wrong transport checksum */
    bool has_win, has_label, has_ports, has_csum_err;
    uint8_t proto; /* PROTO_TCP, PROTO_UDP, PROTO_ICMP4, PROTO_ICMP6 */
    uint8_t tos_check, tos;
    int16_t ttl; /* -1: not said */
    uint32_t label;
    uint16_t sport, dport;
    uint32_t len; /* payload bytes of TCP, UDP, ICMP echo */
    /* TCP */
    uint16_t flags, win, urg;
    uint32_t seq, ack;
    uint8_t n_opt, opt[SCRIPT_OPT_MAX]; /* option bytes, numbers as in the script */
    /* ICMP */
    uint8_t icmp_type, icmp_code;
    uint8_t echo; /* enum echo_kind: what the message quotes */
    bool has_mtu, has_id;
    uint32_t mtu, id;
    uint32_t echo_seq, echo_len;
};

/* ---- system calls ---- */

enum expr_kind {
    EX_DOTS,   /* ... */
    EX_INT,    /* num */
    EX_WORD,   /* text, perhaps with arguments and an assigned value: htons(80), events=POLLIN */
    EX_STRING, /* text */
    EX_OR,     /* kids joined by | */
    EX_LIST,   /* [ kids ] */
    EX_STRUCT, /* { kids } */
};
struct expr {
    uint8_t kind;
    bool has_args, has_value;
    int64_t num;
    const char *text;
    struct expr *kids;  /* first child: list elements, or arguments of a word */
    struct expr *value; /* what a word is set to */
    struct expr *next;  /* next sibling */
};

struct script_call {
    const char *name;
    bool is_blocking; /* had "...TIME" */
    int64_t end_us;
    struct expr *args;
    struct expr *result;
    const char *err; /* errno's name, or NULL */
};

/* ---- events ---- */

enum when_kind { WHEN_ABS, WHEN_REL, WHEN_ANY };
struct when {
    uint8_t kind;
    bool is_range;
    int64_t us, end_us;
};

enum event_kind { EV_PACKET, EV_CALL, EV_SHELL, EV_CODE };
struct event {
    uint8_t kind;
    unsigned line;
    struct when when;
    struct script_pkt *pkt;
    struct script_call *call;
    const char *text; /* of a shell line or a code block */
    struct event *next;
};

/* ---- the whole ---- */

enum ip_mode { IP_UNSET, IP_V4, IP_V6, IP_MAPPED };

struct script_opts {
    enum ip_mode ip;
    int64_t tolerance_us;
    int64_t tolerance_ppm; /* of the time since the last event; the larger tolerance counts */
    uint32_t mtu;
    uint32_t mss; /* of the segments a larger inbound packet was merged from; 0: of none */
    int64_t ts_tick_us; /* 0: timestamp values are not checked */
    bool is_ts_scaled;  /* --tcp_ts_ecr_scaled */
    bool is_strict_segments;
    const char *local_ip, *remote_ip; /* NULL: the default */
    uint16_t bind_port, connect_port;
};

struct script {
    const char *path;
    struct mem mem;
    struct script_opts opts;
    const char *init; /* shell text before the first event, or NULL */
    unsigned init_line;
    struct event *events;
    unsigned n_events;
    const char *skip; /* why this script cannot be run, or NULL */
    unsigned skip_line;
};

struct script_err {
    unsigned line;
    char text[SCRIPT_ERR_MAX];
};

/* Parses a whole script; text and path stay the caller's and must outlive it. ip: what --ip_version
 * says when the script itself does not. 0, or -EINVAL with *err filled. script_free either way. A
 * script that needs what cannot be had (`skip` set) may end before its text does. */
WEIR_MUST_CHECK int script_parse(struct script *, const char *path, const char *text, size_t n,
                                 enum ip_mode ip, struct script_err *err);
void script_free(struct script *);

#endif

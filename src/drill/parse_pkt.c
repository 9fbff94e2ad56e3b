/* SPDX-License-Identifier: Apache-2.0
 *
 * The parser's part for packets.
 *
 *     tcp  = [ip] [PORT > PORT] FLAGS SEQ:END(LEN) [ack N] [win N] [urg N] [<options>] [badcsum]
 *     udp  = [ip] udp [PORT > PORT] (LEN) [badcsum]
 *     icmp = [ip] icmp TYPE [CODE] [mtu N] [id N] [ "[" SEQ:END(LEN) | udp (LEN) | raw (LEN) "]" ]
 *     ip   = ( item, … ) or [ item, … ]: noecn ect0 ect1 ect01 ce, tos HEX, ttl N, flowlabel HEX
 *
 * TCP options are written straight to the bytes they stand for, since scripts fix their order too.
 * Beyond packetdrill: `raw HEX` in an option list is bytes as they are (unknown and malformed
 * options), `badcsum` spoils the transport checksum of an inbound packet. Tunnels (gre, mpls, an
 * ipv4 or ipv6 header around the packet, psp) make the script one that cannot be run.
 *
 * Called by parse.c. What it builds is struct script_pkt; a packet that could not exist (a length
 * that is not END - SEQ, options of 41 bytes) is a parse error with its line.
 */
#include "drill/parse.h"

#include <ctype.h>

#include "wire/icmp4.h"
#include "wire/icmp6.h"
#include "wire/ipv4.h"
#include "wire/tcp.h"

enum { LEN_MAX = 65535 };

static bool take_word(struct parser *p, const char *word)
{
    if (!tok_is(&p->tok, word))
        return false;
    parse_next(p);
    return true;
}

static bool parse_u32(struct parser *p, uint32_t *out)
{
    int64_t v = 0;
    bool is_ok = parse_number(p, UINT32_MAX, &v);
    *out = (uint32_t)v;
    return is_ok;
}

static bool parse_u16(struct parser *p, uint16_t *out)
{
    int64_t v = 0;
    bool is_ok = parse_number(p, UINT16_MAX, &v);
    *out = (uint16_t)v;
    return is_ok;
}

/* ( LEN ) */
static bool parse_len(struct parser *p, uint32_t *out)
{
    int64_t v = 0;
    bool is_ok = parse_char(p, '(') && parse_number(p, LEN_MAX, &v) && parse_char(p, ')');
    *out = (uint32_t)v;
    return is_ok;
}

/* SEQ:END(LEN) */
static bool parse_seq(struct parser *p, uint32_t *seq, uint32_t *len)
{
    uint32_t end = 0;
    if (!parse_u32(p, seq) || !parse_char(p, ':') || !parse_u32(p, &end) || !parse_len(p, len))
        return false;
    return end == *seq + *len ||
           parse_fail(p, "expected START:END(LENGTH) with END - START = LENGTH");
}

/* ---- ip ---- */

static bool parse_ip_item(struct parser *p, struct script_pkt *k)
{
    static const struct {
        const char *name;
        uint8_t check, tos;
    } ecn[] = {{"noecn", TOS_ECN, ECN_NOT},
               {"ect0", TOS_ECN, ECN_ECT0},
               {"ect1", TOS_ECN, ECN_ECT1},
               {"ect01", TOS_ECT01, ECN_ECT0},
               {"ce", TOS_ECN, ECN_CE}};
    for (size_t i = 0; i < WEIR_COUNT(ecn); i++)
        if (take_word(p, ecn[i].name)) {
            k->tos_check = ecn[i].check;
            k->tos = ecn[i].tos;
            return true;
        }
    int64_t v = 0;
    bool is_tos = tok_is(&p->tok, "tos");
    if (is_tos || tok_is(&p->tok, "ttl")) {
        parse_next(p);
        if (!parse_number(p, 255, &v))
            return false;
        k->tos_check = is_tos ? TOS_ALL : k->tos_check;
        k->tos = is_tos ? (uint8_t)v : k->tos;
        k->ttl = is_tos ? k->ttl : (int16_t)v;
        return true;
    }
    if (!take_word(p, "flowlabel"))
        return parse_fail(p, "expected noecn, ect0, ect1, ect01, ce, tos, ttl or flowlabel");
    k->has_label = true;
    bool is_ok = parse_number(p, 0xfffff, &v);
    k->label = (uint32_t)v;
    return is_ok;
}

static bool parse_ip(struct parser *p, struct script_pkt *k)
{
    bool is_round = tok_is_char(&p->tok, '(');
    if (!is_round && !tok_is_char(&p->tok, '['))
        return true;
    do {
        parse_next(p);
        if (!parse_ip_item(p, k))
            return false;
    } while (tok_is_char(&p->tok, ','));
    return parse_char(p, is_round ? ')' : ']');
}

/* ---- TCP options ---- */

static bool opt_put(struct parser *p, struct script_pkt *k, const void *bytes, size_t n)
{
    if (k->n_opt + n > SCRIPT_OPT_MAX)
        return parse_fail(p, "expected at most %d bytes of TCP options", SCRIPT_OPT_MAX);
    if (n > 0)
        memcpy(k->opt + k->n_opt, bytes, n);
    k->n_opt = (uint8_t)(k->n_opt + n);
    return true;
}

/* An option of kind, whole length n and a value of n - 2 bytes. */
static bool opt_number(struct parser *p, struct script_pkt *k, unsigned kind, unsigned n,
                       uint32_t v)
{
    uint8_t b[8] = {(uint8_t)kind, (uint8_t)n};
    for (unsigned i = 2; i < n; i++)
        b[i] = (uint8_t)(v >> 8 * (n - 1 - i));
    return opt_put(p, k, b, n);
}

/* Hexadecimal text to bytes; *n is 0 when no such text stands here. */
static bool parse_hex(struct parser *p, uint8_t *out, unsigned max, unsigned *n)
{
    *n = 0;
    if (p->tok.kind != TOK_WORD && p->tok.kind != TOK_INT)
        return true;
    const char *s = p->tok.s;
    size_t len = p->tok.n;
    bool is_hex = len % 2 == 0 && len / 2 <= max;
    for (size_t i = 0; i < len; i++)
        is_hex = is_hex && isxdigit((unsigned char)s[i]);
    if (!is_hex)
        return parse_fail(p, "expected an even number of hexadecimal digits, %u at most", max * 2);
    for (size_t i = 0; i < len; i++) {
        unsigned d = isdigit((unsigned char)s[i])
                         ? (unsigned)(s[i] - '0')
                         : (unsigned)(tolower((unsigned char)s[i]) - 'a' + 10);
        out[i / 2] = (uint8_t)(i % 2 == 0 ? d << 4 : out[i / 2] | d);
    }
    *n = (unsigned)(len / 2);
    parse_next(p);
    return true;
}

static bool opt_mss(struct parser *p, struct script_pkt *k)
{
    int64_t v = 0;
    return parse_number(p, UINT16_MAX, &v) && opt_number(p, k, TCPO_MSS, 4, (uint32_t)v);
}

static bool opt_wscale(struct parser *p, struct script_pkt *k)
{
    int64_t v = 0;
    return parse_number(p, UINT8_MAX, &v) && opt_number(p, k, TCPO_WSCALE, 3, (uint32_t)v);
}

static bool opt_nop(struct parser *p, struct script_pkt *k)
{
    return opt_put(p, k, &(uint8_t){TCPO_NOP}, 1);
}

static bool opt_eol(struct parser *p, struct script_pkt *k)
{
    return opt_put(p, k, &(uint8_t){TCPO_EOL}, 1);
}

static bool opt_sack_ok(struct parser *p, struct script_pkt *k)
{
    return opt_number(p, k, TCPO_SACK_OK, 2, 0);
}

static bool opt_sack(struct parser *p, struct script_pkt *k)
{
    uint8_t b[2 + 8 * WIRE_TCP_SACKS] = {TCPO_SACK, 2};
    while (p->tok.kind == TOK_INT) {
        uint32_t start = 0, end = 0;
        if (b[1] == sizeof(b))
            return parse_fail(p, "expected at most %d SACK blocks", WIRE_TCP_SACKS);
        if (!parse_u32(p, &start) || !parse_char(p, ':') || !parse_u32(p, &end))
            return false;
        w_put32(b + b[1], start);
        w_put32(b + b[1] + 4, end);
        b[1] = (uint8_t)(b[1] + 8);
    }
    return b[1] > 2 ? opt_put(p, k, b, b[1]) : parse_fail(p, "expected a SACK block");
}

static bool opt_ts(struct parser *p, struct script_pkt *k)
{
    uint32_t val = 0, ecr = 0;
    if (!take_word(p, "val"))
        return parse_fail(p, "expected TS val N ecr N");
    if (!parse_u32(p, &val))
        return false;
    if (!take_word(p, "ecr"))
        return parse_fail(p, "expected ecr N");
    uint8_t b[10] = {TCPO_TS, 10};
    if (!parse_u32(p, &ecr))
        return false;
    w_put32(b + 2, val);
    w_put32(b + 6, ecr);
    return opt_put(p, k, b, 10);
}

static bool opt_md5(struct parser *p, struct script_pkt *k)
{
    uint8_t b[18] = {TCPO_MD5, 18};
    unsigned n = 0;
    if (!parse_hex(p, b + 2, 16, &n))
        return false;
    return n == 16 ? opt_put(p, k, b, 18) : parse_fail(p, "expected 32 hexadecimal digits");
}

static bool opt_fastopen(struct parser *p, struct script_pkt *k)
{
    uint8_t b[SCRIPT_OPT_MAX] = {TCPO_FASTOPEN};
    unsigned n = 0;
    if (!parse_hex(p, b + 2, SCRIPT_OPT_MAX - 2, &n))
        return false;
    b[1] = (uint8_t)(n + 2);
    return opt_put(p, k, b, n + 2);
}

static bool opt_fastopen_exp(struct parser *p, struct script_pkt *k)
{
    uint8_t b[SCRIPT_OPT_MAX] = {TCPO_EXP, 0, TCPO_EXP_FASTOPEN >> 8, TCPO_EXP_FASTOPEN & 0xff};
    unsigned n = 0;
    if (!parse_hex(p, b + 4, SCRIPT_OPT_MAX - 4, &n))
        return false;
    b[1] = (uint8_t)(n + 4);
    return opt_put(p, k, b, n + 4);
}

/* ECN e0b N ceb N e1b N, or e1b first; fewer is allowed [RFC 9768 3.2.3]. */
static bool opt_accecn(struct parser *p, struct script_pkt *k)
{
    static const char *const order[2][3] = {{"e0b", "ceb", "e1b"}, {"e1b", "ceb", "e0b"}};
    unsigned first = tok_is(&p->tok, "e1b") ? 1 : 0;
    uint8_t b[11] = {(uint8_t)(first ? TCPO_ACCECN1 : TCPO_ACCECN0), 2};
    for (unsigned i = 0; i < 3 && take_word(p, order[first][i]); i++) {
        int64_t v = 0;
        if (!parse_number(p, 0xffffff, &v))
            return false;
        b[b[1]] = (uint8_t)(v >> 16);
        w_put16(b + b[1] + 1, (uint16_t)v);
        b[1] = (uint8_t)(b[1] + 3);
    }
    return opt_put(p, k, b, b[1]);
}

static bool opt_raw(struct parser *p, struct script_pkt *k)
{
    uint8_t b[SCRIPT_OPT_MAX];
    unsigned n = 0;
    return parse_hex(p, b, sizeof(b), &n) && opt_put(p, k, b, n);
}

static bool parse_tcp_option(struct parser *p, struct script_pkt *k)
{
    static const struct {
        const char *name;
        bool (*parse)(struct parser *, struct script_pkt *);
    } kinds[] = {{"mss", opt_mss},        {"wscale", opt_wscale},
                 {"nop", opt_nop},        {"eol", opt_eol},
                 {"sackOK", opt_sack_ok}, {"sack", opt_sack},
                 {"TS", opt_ts},          {"md5", opt_md5},
                 {"FO", opt_fastopen},    {"FOEXP", opt_fastopen_exp},
                 {"ECN", opt_accecn},     {"raw", opt_raw}};
    for (size_t i = 0; i < WEIR_COUNT(kinds); i++)
        if (take_word(p, kinds[i].name))
            return kinds[i].parse(p, k);
    return parse_fail(p, "expected a TCP option");
}

static bool parse_tcp_options(struct parser *p, struct script_pkt *k)
{
    if (!parse_has_char(p, '<'))
        return true;
    if (p->tok.kind == TOK_DOTS) {
        parse_next(p);
        k->is_any_opts = true;
        return parse_char(p, '>');
    }
    do
        if (!parse_tcp_option(p, k))
            return false;
    while (parse_has_char(p, ','));
    if (k->n_opt % 4 != 0)
        return parse_fail(p, "expected TCP options padded to a multiple of 4 bytes (they have %d)",
                          k->n_opt);
    return parse_char(p, '>');
}

/* ---- TCP ---- */

static bool flag_letter(char c, uint16_t *flags)
{
    static const char letters[] = "FSRP.UEWA";
    const char *at = strchr(letters, c);
    if (c >= '0' && c <= '7')
        *flags = (uint16_t)(*flags | (c - '0') << TCPF_ACE_SHIFT);
    else if (at != NULL && c != '\0')
        *flags = (uint16_t)(*flags | 1u << (at - letters));
    else
        return false;
    return true;
}

/* ".5": to the lexer a fraction. The ACK flag, and an ACE counter of 5 [RFC 9768 3.2.2]. */
static bool take_dot_digit(struct parser *p, uint16_t *flags)
{
    if (p->tok.kind != TOK_FLOAT || p->tok.n != 2 || p->tok.s[0] != '.')
        return false;
    *flags |= TCPF_ACK;
    if (!flag_letter(p->tok.s[1], flags))
        return false;
    parse_next(p);
    return true;
}

static bool parse_flags(struct parser *p, uint16_t *flags)
{
    bool is_word = p->tok.kind == TOK_WORD;
    for (size_t i = 0; is_word && i < p->tok.n; i++)
        if (!flag_letter(p->tok.s[i], flags))
            return parse_fail(p, "expected TCP flags (letters of FSRPUEWA, digits 0-7, '.')");
    if (is_word)
        parse_next(p);
    if (take_dot_digit(p, flags))
        return true;
    if (parse_has_char(p, '.'))
        *flags |= TCPF_ACK;
    else if (!is_word && !parse_has_char(p, '-'))
        return parse_fail(p, "expected a packet: TCP flags, udp or icmp");
    return true;
}

static bool parse_ports(struct parser *p, struct script_pkt *k)
{
    if (p->tok.kind != TOK_INT)
        return true;
    k->has_ports = true;
    return parse_u16(p, &k->sport) && parse_char(p, '>') && parse_u16(p, &k->dport);
}

static bool parse_tcp(struct parser *p, struct script_pkt *k)
{
    k->proto = PROTO_TCP;
    if (!parse_ports(p, k) || !parse_flags(p, &k->flags) || !parse_seq(p, &k->seq, &k->len))
        return false;
    bool has_ack = take_word(p, "ack");
    if (has_ack && !parse_u32(p, &k->ack))
        return false;
    if (has_ack && (k->flags & TCPF_ACK) == 0)
        return parse_fail(p, "expected no ack number without the '.' flag");
    k->has_win = take_word(p, "win");
    if (k->has_win && !parse_u16(p, &k->win))
        return false;
    if (take_word(p, "urg") && !parse_u16(p, &k->urg))
        return false;
    return parse_tcp_options(p, k);
}

/* ---- ICMP ---- */

struct icmp_name {
    const char *name;
    uint8_t number;
};

static const struct icmp_name icmp4_types[] = {{"echo_reply", 0},         {"unreachable", 3},
                                               {"source_quench", 4},      {"redirect", 5},
                                               {"echo_request", 8},       {"time_exceeded", 11},
                                               {"parameter_problem", 12}, {"timestamp_request", 13},
                                               {"timestamp_reply", 14},   {NULL, 0}};
static const struct icmp_name icmp6_types[] = {{"unreachable", 1},
                                               {"packet_too_big", 2},
                                               {"time_exceeded", 3},
                                               {"parameter_problem", 4},
                                               {"echo_request", 128},
                                               {"echo_reply", 129},
                                               {NULL, 0}};
static const struct icmp_name icmp4_codes[] = {{"net_unreachable", 0},
                                               {"host_unreachable", 1},
                                               {"protocol_unreachable", 2},
                                               {"port_unreachable", 3},
                                               {"frag_needed", 4},
                                               {"source_route_failed", 5},
                                               {"net_unknown", 6},
                                               {"host_unknown", 7},
                                               {"source_host_isolated", 8},
                                               {"net_prohibited", 9},
                                               {"host_prohibited", 10},
                                               {"net_unreachable_for_tos", 11},
                                               {"host_unreachable_for_tos", 12},
                                               {"packet_filtered", 13},
                                               {"precedence_violation", 14},
                                               {"precedence_cutoff", 15},
                                               {"ttl_exceeded", 0},
                                               {"reassembly_time_exceeded", 1},
                                               {NULL, 0}};
static const struct icmp_name icmp6_codes[] = {
    {"net_unreachable", 0},     {"no_route", 0},
    {"admin_prohibited", 1},    {"not_neighbour", 2},
    {"address_unreachable", 3}, {"port_unreachable", 4},
    {"exceeded_hop_limit", 0},  {"exceeded_frag_time", 1},
    {"header_field", 0},        {"unknown_next_header", 1},
    {"unknown_option", 2},      {NULL, 0}};

static bool take_icmp_name(struct parser *p, const struct icmp_name *v, uint8_t *out)
{
    for (; v->name != NULL; v++)
        if (take_word(p, v->name)) {
            *out = v->number;
            return true;
        }
    return false;
}

/* What an ICMP error quotes. */
static bool parse_echo(struct parser *p, struct script_pkt *k)
{
    if (!parse_has_char(p, '['))
        return true;
    bool is_udp = take_word(p, "udp");
    if (is_udp || take_word(p, "raw")) {
        k->echo = is_udp ? ECHO_UDP : ECHO_RAW;
        return parse_len(p, &k->echo_len) && parse_char(p, ']');
    }
    k->echo = ECHO_TCP;
    return parse_seq(p, &k->echo_seq, &k->echo_len) && parse_char(p, ']');
}

static bool parse_icmp(struct parser *p, struct script_pkt *k)
{
    bool is_6 = p->script->opts.ip == IP_V6;
    k->proto = is_6 ? PROTO_ICMP6 : PROTO_ICMP4;
    if (!take_icmp_name(p, is_6 ? icmp6_types : icmp4_types, &k->icmp_type))
        return parse_fail(p, "expected a type of ICMPv%d message", is_6 ? 6 : 4);
    bool has_code = p->tok.kind == TOK_WORD && !tok_is(&p->tok, "mtu") && !tok_is(&p->tok, "id");
    if (has_code && !take_icmp_name(p, is_6 ? icmp6_codes : icmp4_codes, &k->icmp_code))
        return parse_fail(p, "expected a code of ICMPv%d", is_6 ? 6 : 4);
    k->has_mtu = take_word(p, "mtu");
    if (k->has_mtu && !parse_u32(p, &k->mtu))
        return false;
    k->has_id = take_word(p, "id");
    if (k->has_id && !parse_u32(p, &k->id))
        return false;
    return parse_echo(p, k);
}

static bool parse_transport(struct parser *p, struct script_pkt *k)
{
    static const char *const tunnels[] = {"ipv4", "ipv6", "gre", "GREv0", "mpls", "psp", "encap"};
    for (size_t i = 0; i < WEIR_COUNT(tunnels); i++)
        if (tok_is(&p->tok, tunnels[i]))
            return parse_skip(p, "packets inside %s are not supported", tunnels[i]);
    if (take_word(p, "icmp"))
        return parse_icmp(p, k);
    if (!take_word(p, "udp"))
        return parse_tcp(p, k);
    k->proto = PROTO_UDP;
    return parse_ports(p, k) && parse_len(p, &k->len);
}

bool parse_packet(struct parser *p, bool is_out, struct script_pkt **out)
{
    struct script_pkt *k = *out = mem_take(&p->script->mem, sizeof(*k));
    k->is_out = is_out;
    k->ttl = -1;
    if (!parse_ip(p, k) || !parse_transport(p, k))
        return false;
    k->is_bad_csum = take_word(p, "badcsum");
    return !k->is_bad_csum || !is_out || parse_fail(p, "expected badcsum on inbound packets only");
}

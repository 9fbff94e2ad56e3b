/* SPDX-License-Identifier: Apache-2.0
 *
 * What an input function says instead of calling upward.
 *
 * The packet: on NEXT_DONE it is consumed. On NEXT_DROP the function has set p->drop, and the
 * caller counts and frees it (env_drop). On every other value the caller still owns it and passes
 * it on.
 * NEXT_ICMP_ERROR: p->icmp_type, icmp_code, icmp_arg say what to tell the sender; the packet begins
 * at its IP header again (p->l3), as icmp_error expects; p->drop names the reason.
 */
#ifndef WEIR_NEXT_H
#define WEIR_NEXT_H

enum next {
    NEXT_DONE,
    NEXT_DROP,
    NEXT_IP4,
    NEXT_IP6,
    NEXT_ARP,
    NEXT_ICMP,
    NEXT_ICMP6,
    NEXT_TCP,
    NEXT_UDP,
    NEXT_FORWARD,
    NEXT_ICMP_ERROR,
    NEXT_TCP_ERROR,
    NEXT_UDP_ERROR,
};

#endif

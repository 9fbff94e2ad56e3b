/* SPDX-License-Identifier: Apache-2.0
 *
 * What a setting of Linux's is here: the same name and unit, several names for several numbers, or
 * nothing at all.
 *
 * Settings that are about something weir does not have (tcp_fack, pacing ratios) are accepted: they
 * change nothing in Linux either, in what packet scripts test. A setting that is in neither table
 * and has no setting of its name in the stack is refused, never ignored.
 *
 * Called by shell.c for the shell lines of scripts and by so/ for the files below /proc/sys.
 */
#include "drill/sysctl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cc/cc.h"

/* Where the numbers of one sysctl go, and names that differ. */
static const struct {
    const char *linux_name, *weir[3];
} renamed[] = {
    {"tcp_rmem", {"tcp_rmem_min", "tcp_rmem_default", "tcp_rmem_max"}},
    {"tcp_wmem", {"tcp_wmem_min", "tcp_wmem_default", "tcp_wmem_max"}},
    {"ip_local_port_range", {"ip_local_port_lo", "ip_local_port_hi", NULL}},
    {"tcp_invalid_ratelimit", {"tcp_invalid_ratelimit_ms", NULL, NULL}},
};

static const char *const ignored[] = {
    "tcp_fack",         "tcp_ecn_option",   "tcp_pacing_ss_ratio",      "tcp_pacing_ca_ratio",
    "tcp_fastopen_key", "tcp_low_latency",  "tcp_thin_linear_timeouts", "ip_early_demux",
    "tcp_early_demux",  "tcp_comp_sack_nr", "tcp_comp_sack_delay_ns",   "tcp_plb_enabled",
};

static int set_one(struct host *h, const char *name, const char *value)
{
    char number[32];
    char *end = NULL;
    uint64_t v = strtoull(value, &end, 0);
    if (*value == '\0' || *end != '\0')
        return host_set(h, name, value);
    /* The upper bits of Linux's mask choose variants: here only client and server. */
    v = strcmp(name, "tcp_fastopen") == 0 ? v & 3 : v;
    snprintf(number, sizeof(number), "%" PRIu64, v);
    return host_set(h, name, number);
}

static int set_congestion(struct host *h, const char *value)
{
    char number[16];
    int i = cc_find(value, strlen(value));
    if (i < 0)
        return -ENOENT;
    snprintf(number, sizeof(number), "%d", i);
    return host_set(h, "tcp_congestion_control", number);
}

int sysctl_set(struct host *h, const char *name, const char *value)
{
    const char *const *to = NULL;
    int e = 0;
    for (size_t i = 0; i < WEIR_COUNT(ignored); i++)
        if (strcmp(ignored[i], name) == 0)
            return 0;
    if (strcmp(name, "tcp_congestion_control") == 0)
        return set_congestion(h, value);
    for (size_t i = 0; i < WEIR_COUNT(renamed); i++)
        to = strcmp(renamed[i].linux_name, name) == 0 ? renamed[i].weir : to;
    if (to == NULL)
        return set_one(h, name, value);
    for (unsigned i = 0; i < 3 && to[i] != NULL && *value != '\0' && e == 0; i++) {
        char part[32];
        size_t n = strcspn(value, " \t");
        snprintf(part, sizeof(part), "%.*s", (int)n, value);
        e = set_one(h, to[i], part);
        value += n;
        value += strspn(value, " \t");
    }
    return e;
}

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
    {"tcp_mem", {"tcp_mem_min", "tcp_mem_pressure", "tcp_mem_max"}},
    {"ip_local_port_range", {"ip_local_port_lo", "ip_local_port_hi", NULL}},
    {"tcp_invalid_ratelimit", {"tcp_invalid_ratelimit_ms", NULL, NULL}},
};

static const char *const ignored[] = {
    "tcp_fack",
    "tcp_pacing_ss_ratio",
    "tcp_pacing_ca_ratio",
    "tcp_fastopen_blackhole_timeout_sec",
    "tcp_low_latency",
    "tcp_thin_linear_timeouts",
    "ip_early_demux",
    "tcp_early_demux",
    "tcp_comp_sack_nr",
    "tcp_comp_sack_delay_ns",
    "tcp_plb_enabled",
};

static int set_one(struct host *h, const char *name, const char *value)
{
    char number[32];
    char *end = NULL;
    uint64_t v = strtoull(value, &end, 0);
    if (*value == '\0' || *end != '\0')
        return host_set(h, name, value);
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

/* Four words in hexadecimal, joined by '-'. */
static int set_fastopen_key(struct host *h, const char *value)
{
    char name[] = "tcp_fastopen_key0", number[16];
    unsigned w[4];
    int e = sscanf(value, "%x-%x-%x-%x", &w[0], &w[1], &w[2], &w[3]) == 4 ? 0 : -EINVAL;
    for (unsigned i = 0; i < 4 && e == 0; i++) {
        name[sizeof(name) - 2] = (char)('0' + i);
        snprintf(number, sizeof(number), "%u", w[i]);
        e = host_set(h, name, number);
    }
    return e;
}

/* How many are kept is a matter of memory here: any number forgets them. */
static int flush_cookies(struct host *h)
{
    int e = host_set(h, "tcp_fastopen_cookies", "0");
    return e != 0 ? e : host_set(h, "tcp_fastopen_cookies", "1");
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
    if (strcmp(name, "tcp_fastopen_key") == 0)
        return set_fastopen_key(h, value);
    if (strcmp(name, "tcp_fastopen_cookies") == 0)
        return flush_cookies(h);
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

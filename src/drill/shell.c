/* SPDX-License-Identifier: Apache-2.0
 *
 * Shell lines: there is no shell. The few commands that scripts use to set up a host are understood
 * and become settings of the stack; any other command makes the script one that cannot be run, and
 * says which command it was.
 *
 *     sysctl -q NAME=VALUE ...                   the setting of this name (Linux's)
 *     .../set_sysctls.py /proc/sys/A/B=VALUE ... the same
 *     .../defaults.sh                            the list of settings packetdrill's scripts start
 * from
 *     /tmp/sysctl_restore_*, ip tcp_metrics flush, nstat > /dev/null, true    nothing
 *
 * Settings of Linux that are about something weir does not have (tcp_fack, pacing ratios) are
 * accepted: they change nothing there either, in what these scripts test. Called by run.c.
 */
#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cc/cc.h"
#include "drill/run.h"

enum { SHELL_WORDS = 32, SHELL_TEXT = 1024 };

struct words {
    char text[SHELL_TEXT];
    char *word[SHELL_WORDS];
    unsigned n;
};

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
    "tcp_fack",         "tcp_ecn_option",      "tcp_pacing_ss_ratio", "tcp_pacing_ca_ratio",
    "tcp_fastopen_key", "tcp_no_metrics_save", "tcp_low_latency",     "tcp_thin_linear_timeouts",
    "ip_early_demux",   "tcp_early_demux",     "tcp_comp_sack_nr",    "tcp_comp_sack_delay_ns",
    "tcp_plb_enabled",
};

/* What .../common/defaults.sh of the public scripts sets. */
static const char *const defaults[][2] = {
    {"tcp_rmem", "4096 540000 15728640"},
    {"tcp_wmem", "4096 262144 4194304"},
    {"tcp_timestamps", "1"},
    {"tcp_syn_retries", "5"},
    {"tcp_synack_retries", "5"},
    {"tcp_frto", "2"},
    {"tcp_sack", "1"},
    {"tcp_dsack", "1"},
    {"tcp_reordering", "3"},
    {"tcp_congestion_control", "cubic"},
    {"tcp_slow_start_after_idle", "0"},
    {"tcp_early_retrans", "4"},
    {"tcp_recovery", "1"},
    {"tcp_tso_win_divisor", "3"},
    {"tcp_ecn", "0"},
    {"tcp_notsent_lowat", "4294967295"},
    {"tcp_fastopen", "3"},
    {"tcp_syncookies", "1"},
};

static bool set_one(struct run *r, const char *name, const char *value)
{
    char number[32];
    char *end = NULL;
    uint64_t v = strtoull(value, &end, 0);
    bool is_number = *value != '\0' && *end == '\0';
    if (is_number) {
        /* The upper bits of Linux's mask choose variants: here only client and server. */
        v = strcmp(name, "tcp_fastopen") == 0 ? v & 3 : v;
        snprintf(number, sizeof(number), "%" PRIu64, v);
        value = number;
    }
    int e = host_set(r->host, name, value);
    if (e == 0)
        return true;
    return run_skip(r, "the setting %s cannot be \"%s\" here: %s", name, value,
                    e == -ENOENT ? "there is no such setting" : strerror(-e));
}

static bool set_congestion(struct run *r, const char *value)
{
    char number[16];
    int i = cc_find(value, strlen(value));
    if (i < 0)
        return run_skip(r, "there is no congestion control %s", value);
    snprintf(number, sizeof(number), "%d", i);
    return set_one(r, "tcp_congestion_control", number);
}

/* A sysctl by its last name; several numbers go to several settings. */
static bool set_sysctl(struct run *r, const char *name, const char *value)
{
    const char *const *to = NULL;
    for (size_t i = 0; i < WEIR_COUNT(ignored); i++)
        if (strcmp(ignored[i], name) == 0)
            return true;
    if (strcmp(name, "tcp_congestion_control") == 0)
        return set_congestion(r, value);
    for (size_t i = 0; i < WEIR_COUNT(renamed); i++)
        to = strcmp(renamed[i].linux_name, name) == 0 ? renamed[i].weir : to;
    if (to == NULL)
        return set_one(r, name, value);
    for (unsigned i = 0; i < 3 && to[i] != NULL && *value != '\0'; i++) {
        char part[32];
        size_t n = strcspn(value, " \t");
        snprintf(part, sizeof(part), "%.*s", (int)n, value);
        if (!set_one(r, to[i], part))
            return false;
        value += n;
        value += strspn(value, " \t");
    }
    return true;
}

/* net.ipv4.tcp_sack=1 or /proc/sys/net/ipv4/tcp_sack=1 */
static bool set_assignment(struct run *r, char *word)
{
    char *eq = strchr(word, '=');
    if (eq == NULL)
        return run_skip(r, "a setting without '=': %s", word);
    *eq = '\0';
    char *dot = strrchr(word, '.'), *slash = strrchr(word, '/');
    char *last = slash != NULL ? slash + 1 : dot != NULL ? dot + 1 : word;
    return set_sysctl(r, last, eq + 1);
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

static bool does_nothing(const struct words *w)
{
    static const char *const patterns[] = {"/tmp/sysctl_restore_*", "nstat", "true", ":"};
    for (size_t i = 0; i < WEIR_COUNT(patterns); i++)
        if (fnmatch(patterns[i], w->word[0], 0) == 0)
            return true;
    return w->n > 1 && strcmp(w->word[0], "ip") == 0 && strcmp(w->word[1], "tcp_metrics") == 0;
}

static bool run_command(struct run *r, struct words *w)
{
    const char *cmd = w->word[0];
    bool is_sysctl = strcmp(cmd, "sysctl") == 0;
    if (does_nothing(w))
        return true;
    if (ends_with(cmd, "defaults.sh")) {
        for (size_t i = 0; i < WEIR_COUNT(defaults); i++)
            if (!set_sysctl(r, defaults[i][0], defaults[i][1]))
                return false;
        return true;
    }
    if (!is_sysctl && !ends_with(cmd, "set_sysctls.py"))
        return run_skip(r, "the shell command %s is not supported", cmd);
    for (unsigned i = 1; i < w->n; i++)
        if (w->word[i][0] != '-' && !set_assignment(r, w->word[i]))
            return false;
    return true;
}

/* One command into words; quotes group and go away, a comment ends it. Returns what follows. */
static const char *split(const char *s, struct words *w)
{
    size_t used = 0;
    bool is_in_word = false;
    char quote = '\0';
    w->n = 0;
    for (; *s != '\0'; s++) {
        bool is_end = quote == '\0' && (*s == '\n' || *s == ';' || *s == '#');
        bool is_space =
            quote == '\0' && (isspace((unsigned char)*s) || (*s == '\\' && s[1] == '\n'));
        if (is_end)
            break;
        if ((quote == '\0' && (*s == '"' || *s == '\'')) || (quote != '\0' && *s == quote)) {
            quote = quote == '\0' ? *s : '\0';
            continue;
        }
        if (*s == '\\' && s[1] == '\n')
            s++;
        if (is_space || used + 2 >= sizeof(w->text)) {
            is_in_word = false;
            continue;
        }
        if (!is_in_word && w->n < SHELL_WORDS) {
            w->text[used++] = '\0';
            w->word[w->n++] = &w->text[used];
            is_in_word = true;
        }
        w->text[used++] = *s;
    }
    w->text[used] = '\0';
    s += *s == '#' ? strcspn(s, "\n") : 0;
    return *s == '\0' ? s : s + 1;
}

bool shell_run(struct run *r, const char *text)
{
    struct words w = {.n = 0};
    while (*text != '\0') {
        memset(&w, 0, sizeof(w));
        text = split(text, &w);
        if (w.n != 0 && !run_command(r, &w))
            return false;
    }
    return true;
}

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
 *     ip tcp_metrics flush                       forgets Fast Open cookies
 *     ethtool -K tun0 tso off gso off            nothing: TCP hands down trains whatever a device
 *                                                can cut itself, as Linux's has since 4.17
 *     echo 3 > /sys/module/tcp_cubic/parameters/hystart_detect    nothing: the default
 *     /bin/rm, /bin/dd                           nothing: files here hold the pattern for ever
 *     /tmp/sysctl_restore_*, nstat > /dev/null, true    nothing
 *     grep WHAT /proc/...                        nothing: what it looks for is the kernel's own
 *
 * What a setting of Linux's is here stands in sysctl.c. Called by run.c.
 */
#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <string.h>

#include "drill/run.h"
#include "drill/sysctl.h"

enum { SHELL_WORDS = 32, SHELL_TEXT = 1024 };

struct words {
    char text[SHELL_TEXT];
    char *word[SHELL_WORDS];
    unsigned n;
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
    {"tcp_fastopen", "0x70403"},
    {"tcp_fastopen_key", "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4"},
    {"tcp_soft_abort", "1"},
    {"tcp_syncookies", "1"},
};

static bool set_sysctl(struct run *r, const char *name, const char *value)
{
    int e = sysctl_set(r->host, name, value);
    bool is_cc = strcmp(name, "tcp_congestion_control") == 0;
    if (e == 0)
        return true;
    return run_skip(r, "the setting %s cannot be \"%s\" here: %s", name, value,
                    e != -ENOENT ? strerror(-e)
                    : is_cc      ? "there is no such congestion control"
                                 : "there is no such setting");
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
    static const char *const patterns[] = {
        "/tmp/sysctl_restore_*", "nstat", "grep", "true", ":", "/bin/rm", "/bin/dd"};
    for (size_t i = 0; i < WEIR_COUNT(patterns); i++)
        if (fnmatch(patterns[i], w->word[0], 0) == 0)
            return true;
    return false;
}

/* Where a command's output goes, or what comes after one that did not fail, is nothing to us. */
static void cut_tail(struct words *w)
{
    static const char *const ends[] = {">", "&>", "2>", "|", "||"};
    for (unsigned i = 1; i < w->n; i++)
        for (size_t k = 0; k < WEIR_COUNT(ends); k++)
            if (strcmp(w->word[i], ends[k]) == 0)
                w->n = i;
}

/* ethtool -K tun0 tso off gso off, echo 3 > .../hystart_detect: what is so anyhow. */
static bool is_so_anyhow(const struct words *w)
{
    if (w->n == 4 && strcmp(w->word[0], "echo") == 0 && strcmp(w->word[1], "3") == 0)
        return strcmp(w->word[2], ">") == 0 && ends_with(w->word[3], "/hystart_detect");
    if (w->n < 5 || strcmp(w->word[0], "ethtool") != 0 || strcmp(w->word[1], "-K") != 0)
        return false;
    for (unsigned i = 3; i + 1 < w->n; i += 2) {
        bool is_cut = strcmp(w->word[i], "tso") == 0 || strcmp(w->word[i], "gso") == 0;
        if (!is_cut || strcmp(w->word[i + 1], "off") != 0)
            return false;
    }
    return w->n % 2 == 1;
}

static bool run_command(struct run *r, struct words *w)
{
    const char *cmd = w->word[0];
    bool is_sysctl = strcmp(cmd, "sysctl") == 0;
    if (is_so_anyhow(w))
        return true;
    cut_tail(w);
    if (does_nothing(w))
        return true;
    if (w->n > 1 && strcmp(cmd, "ip") == 0 && strcmp(w->word[1], "tcp_metrics") == 0)
        return set_sysctl(r, "tcp_fastopen_cookies", "0");
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

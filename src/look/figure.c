/* SPDX-License-Identifier: Apache-2.0
 *
 * Figures as people read them: times, sizes, addresses. One way to write each, whatever shows it:
 * comments, journeys, weir why, weir ss.
 *
 * Decides: a unit in which the number has one to four digits before its point; KB, MB are powers
 * of ten; an IPv6 address stands in brackets before its port. Owns nothing; called by everything
 * above that writes for people.
 */
#include "look/look.h"

#include <arpa/inet.h>

const char *look_time(char out[LOOK_FIGURE], uint64_t ns)
{
    if (ns < W_US)
        snprintf(out, LOOK_FIGURE, "%u ns", (unsigned)ns);
    else if (ns < W_MS)
        snprintf(out, LOOK_FIGURE, "%.1f µs", (double)ns / 1e3);
    else if (ns < W_S)
        snprintf(out, LOOK_FIGURE, "%.3f ms", (double)ns / 1e6);
    else
        snprintf(out, LOOK_FIGURE, "%.3f s", (double)ns / 1e9);
    return out;
}

const char *look_bytes(char out[LOOK_FIGURE], uint64_t n)
{
    static const char *const unit[] = {"bytes", "KB", "MB", "GB", "TB"};
    double v = (double)n;
    unsigned u = 0;
    for (; v >= 10000 && u + 1 < WEIR_COUNT(unit); u++)
        v /= 1000;
    snprintf(out, LOOK_FIGURE,
             u == 0    ? "%.0f %s"
             : v < 100 ? "%.1f %s"
                       : "%.0f %s",
             v, n == 1 ? "byte" : unit[u]);
    return out;
}

const char *look_addr(char out[LOOK_END], const uint8_t ip[16], unsigned port)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    char text[INET6_ADDRSTRLEN];
    bool is_4 = memcmp(ip, mapped, sizeof mapped) == 0;
    inet_ntop(is_4 ? AF_INET : AF_INET6, is_4 ? ip + 12 : ip, text, sizeof text);
    snprintf(out, LOOK_END, is_4 ? "%s:%u" : "[%s]:%u", text, port);
    return out;
}

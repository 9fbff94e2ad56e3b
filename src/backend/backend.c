/* SPDX-License-Identifier: Apache-2.0
 *
 * From the words of a command line to a backend: which kind "tap:tap0" names, what "-p 8080:80"
 * means, and what a person is told when it cannot be done.
 *
 * Owns nothing but a table of kinds. Called by cli/ and run/; calls user.c, tap.c and virtio.c.
 * Every failure is a sentence that says what to do about it, since these are the errors people meet
 * first.
 */
#include "backend/backend.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "backend/kinds.h"
#include "base/hash.h"

static const struct {
    const char *name;
    int (*open)(const char *name, const struct backend_conf *, struct backend *out, char *err);
} kinds[] = {
    {"user", user_open},
    {"tap", tap_open},
    {"virtio", virtio_open},
};

int backend_fail(char *err, int e, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    (void)vsnprintf(err, BACKEND_ERR_TEXT, format, ap);
    va_end(ap);
    return e;
}

void backend_mac(const char *name, uint64_t seed, uint8_t mac[6])
{
    struct hash_key key = {.k0 = seed, .k1 = 0x77656972}; /* any constant */
    uint64_t h = hash_sip24(&key, name, strlen(name));
    memcpy(mac, &h, 6);
    mac[0] = (uint8_t)((mac[0] & 0xfc) | 0x02);
}

int backend_open(const char *spec, const struct backend_conf *conf, struct backend *out, char *err)
{
    size_t n = strcspn(spec, ":");
    const char *name = spec[n] == ':' ? spec + n + 1 : "";
    *out = (struct backend){0};
    err[0] = '\0';
    for (size_t i = 0; i < WEIR_COUNT(kinds); i++) {
        if (strlen(kinds[i].name) == n && memcmp(kinds[i].name, spec, n) == 0)
            return kinds[i].open(name, conf, out, err);
    }
    return backend_fail(err, -EINVAL,
                        "no network is called '%.60s': expected user, tap:NAME or virtio:PCI-SLOT",
                        spec);
}

/* ---- forwarded ports ---------------------------------------------------------------------- */

/* A port number that ends exactly at `end`. */
static bool parse_port(const char *text, const char *end, uint16_t *out)
{
    unsigned value = 0;
    if (text == end || end - text > 5)
        return false;
    for (; text < end; text++) {
        if (*text < '0' || *text > '9')
            return false;
        value = value * 10 + (unsigned)(*text - '0');
    }
    *out = (uint16_t)value;
    return value >= 1 && value <= 65535;
}

static int bad_fwd(const char *text, char *err)
{
    return backend_fail(err, -EINVAL,
                        "'%.60s' is no port to forward: expected [ADDRESS:]HOSTPORT:PORT[/udp], "
                        "such as 8080:80 or 0.0.0.0:5353:53/udp",
                        text);
}

int backend_parse_fwd(const char *text, struct backend_fwd *out, char *err)
{
    struct backend_fwd f = {0};
    char addr[ADDR_TEXT];
    const char *end = text + strcspn(text, "/");
    if (strcmp(end, "/udp") == 0)
        f.is_udp = true;
    else if (*end != '\0' && strcmp(end, "/tcp") != 0)
        return bad_fwd(text, err);

    /* From the right: the port inside, the host's, and what is left is the address. */
    const char *last = memrchr(text, ':', (size_t)(end - text));
    const char *port = last != NULL ? last + 1 : text;
    if (!parse_port(port, end, &f.port))
        return bad_fwd(text, err);
    f.host_port = f.port;
    if (last != NULL) {
        const char *first = memrchr(text, ':', (size_t)(last - text));
        if (!parse_port(first != NULL ? first + 1 : text, last, &f.host_port))
            return bad_fwd(text, err);
        size_t n = first != NULL ? (size_t)(first - text) : 0;
        if (n >= sizeof addr)
            return bad_fwd(text, err);
        memcpy(addr, text, n);
        addr[n] = '\0';
        if (first != NULL && (addr_parse(addr, &f.host_addr) != 0 || !addr_is_ip4(&f.host_addr)))
            return bad_fwd(text, err);
    }
    *out = f;
    return 0;
}

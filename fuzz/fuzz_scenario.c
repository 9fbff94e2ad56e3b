/* SPDX-License-Identifier: Apache-2.0
 *
 * Any text as a scenario of `weir experiment`: it is refused with a sentence that names the file,
 * or gives a plan of which every point can be set up and every claim can be judged.
 */
#include "fuzz.h"

#include "exper/plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { TEXT_ROOM = 8192 };

/* The claims of a plan whose columns have no value at all, or all the same. */
static void judge(const struct plan *p, double all)
{
    size_t n = (size_t)p->n_point * p->n_column;
    double *value = malloc(n * sizeof(*value));
    char why[120];
    WEIR_ASSERT(value != NULL);
    for (size_t i = 0; i < n; i++)
        value[i] = all;
    for (unsigned i = 0; i < p->n_claim; i++)
        (void)claim_check(p, &p->claim[i], value, why, sizeof(why));
    free(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char name[32];
    int fd = memfd_create("scenario", 0);
    struct plan *p = calloc(1, sizeof(*p));
    if (size >= TEXT_ROOM || fd < 0 || p == NULL || write(fd, data, size) != (ssize_t)size)
        goto out;
    (void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    if (plan_read(p, name) != 0) {
        WEIR_ASSERT(strncmp(p->text.err, name, strlen(name)) == 0);
        goto out;
    }
    WEIR_ASSERT(p->n_point != 0 && p->n_column != 0);
    judge(p, 0);
    judge(p, NAN);
out:
    free(p);
    if (fd >= 0)
        (void)close(fd);
    return 0;
}

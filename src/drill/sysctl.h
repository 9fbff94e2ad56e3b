/* SPDX-License-Identifier: Apache-2.0
 *
 * Linux's settings by the names and in the texts that Linux gives them. Private to drill/.
 */
#ifndef WEIR_DRILL_SYSCTL_H
#define WEIR_DRILL_SYSCTL_H

#include "drill/host.h"

/* Sets net.ipv4.`name` of the host to `value` as written to /proc/sys (several numbers, the name of
 * a congestion control). 0; -ENOENT: weir has no such setting or congestion control; -EINVAL,
 * -ERANGE: it cannot have this value. Of several numbers those before the bad one are set. */
WEIR_MUST_CHECK int sysctl_set(struct host *, const char *name, const char *value);

#endif

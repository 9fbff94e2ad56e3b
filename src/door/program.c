/* SPDX-License-Identifier: Apache-2.0
 *
 * Looking at a program before it is run: is it there, may it be executed, can it work here.
 *
 * A filter is only allowed to a process that has given up gaining privileges (no_new_privs), so a
 * program that is setuid, setgid or has capabilities of its own would run without them and fail in
 * ways nobody understands: it is refused, with that reason. For whoever has these privileges
 * already it makes no difference, and it runs.
 *
 * Called by door.c. The search is execvp's: a name with a slash is a path, others are looked for in
 * PATH. What changes between this look and the execution is found by the execution.
 */
#include "door/program.h"

#include "door/door.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { PATH_LEN = 4096 };

static int refuse(char *err, size_t n_err, const char *name, const char *why)
{
    snprintf(err, n_err, "%s: %s", name, why);
    return DOOR_EXIT_CANNOT_RUN;
}

static int check_file(const char *name, const char *path, char *err, size_t n_err)
{
    struct stat st;
    char caps[64];
    if (stat(path, &st) < 0) {
        bool is_missing = errno == ENOENT || errno == ENOTDIR;
        snprintf(err, n_err, "%s: %s", name, is_missing ? "no such program" : strerror(errno));
        return is_missing ? DOOR_EXIT_NOT_FOUND : DOOR_EXIT_CANNOT_RUN;
    }
    if (S_ISDIR(st.st_mode))
        return refuse(err, n_err, name, "is a directory; name a program in it");
    if (access(path, X_OK) < 0)
        return refuse(err, n_err, name, "is not executable; chmod +x it, or name its interpreter");
    bool gains_user = (st.st_mode & S_ISUID) != 0 && st.st_uid != geteuid();
    bool gains_group =
        (st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && st.st_gid != getegid();
    if (gains_user || gains_group)
        return refuse(err, n_err, name,
                      "is setuid or setgid, and a program on weir cannot gain privileges; run weir "
                      "itself as that user");
    if (geteuid() != 0 && getxattr(path, "security.capability", caps, sizeof(caps)) > 0)
        return refuse(err, n_err, name,
                      "has file capabilities, and a program on weir cannot gain privileges; run "
                      "weir itself with them, or a copy of the program without");
    return 0;
}

/* The first executable of that name in PATH into path[PATH_LEN]. */
static bool search_path(const char *name, char *path)
{
    const char *at = getenv("PATH");
    struct stat st;
    if (at == NULL)
        at = "/bin:/usr/bin";
    while (at != NULL) {
        const char *end = strchr(at, ':');
        int n = (int)(end != NULL ? (size_t)(end - at) : strlen(at));
        int len = snprintf(path, PATH_LEN, "%.*s%s%s", n, at, n > 0 ? "/" : "", name);
        if (len < PATH_LEN && stat(path, &st) == 0 && !S_ISDIR(st.st_mode) &&
            access(path, X_OK) == 0)
            return true;
        at = end != NULL ? end + 1 : NULL;
    }
    return false;
}

int program_check(const char *name, char *err, size_t n_err)
{
    char path[PATH_LEN];
    if (strchr(name, '/') != NULL)
        return check_file(name, name, err, n_err);
    if (name[0] != 0 && search_path(name, path))
        return check_file(name, path, err, n_err);
    snprintf(err, n_err, "%s: no such program in PATH; give its path, or look at PATH", name);
    return DOOR_EXIT_NOT_FOUND;
}

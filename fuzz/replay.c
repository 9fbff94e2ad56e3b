/* SPDX-License-Identifier: Apache-2.0
 *
 * A main() for fuzz targets in builds without libFuzzer: runs each file named on the command
 * line through the target once. What a fuzzing run found can so be stepped through in any build.
 */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

/* Reads a whole file; the caller frees it. */
static uint8_t *read_file(const char *name, size_t *size)
{
    enum { LIMIT = 1 << 20 };
    FILE *f = fopen(name, "rb");
    if (!f) {
        perror(name);
        exit(2);
    }
    uint8_t *data = malloc(LIMIT);
    if (!data) {
        perror("malloc");
        exit(2);
    }
    *size = fread(data, 1, LIMIT, f);
    fclose(f);
    return data;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        size_t size = 0;
        uint8_t *data = read_file(argv[i], &size);
        LLVMFuzzerTestOneInput(data, size);
        free(data);
    }
    printf("%d inputs replayed\n", argc - 1);
    return 0;
}

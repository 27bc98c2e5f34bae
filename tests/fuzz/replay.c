/* Runs a fuzz target over the files of a folder, as an ordinary test without libFuzzer: each file
 * whole, and each of its prefixes, in blocks of exactly that size so that a sanitizer sees a read
 * past the end. */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIXES_MAX 4096 /* longer files are replayed whole only: prefixes cost O(n^2) */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int feed(const char *bytes, size_t n) {
    uint8_t *block = malloc(n ? n : 1);
    if (!block)
        return -1;
    memcpy(block, bytes, n);
    LLVMFuzzerTestOneInput(block, n);
    free(block);
    return 0;
}

static int replay(const char *bytes, size_t n) {
    if (feed(bytes, n) < 0)
        return -1;
    for (size_t cut = 0; cut < n && n <= PREFIXES_MAX; cut++)
        if (feed(bytes, cut) < 0)
            return -1;
    return 0;
}

static int replay_file(const char *folder, const char *name) {
    char path[4096];
    int result = -1;
    char *bytes = NULL;
    long n;
    FILE *f;

    if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, name) >= sizeof path)
        return -1;
    f = fopen(path, "rb");
    if (!f)
        return -1;
    if (fseek(f, 0, SEEK_END) < 0 || (n = ftell(f)) < 0 || fseek(f, 0, SEEK_SET) < 0)
        goto done;
    bytes = malloc((size_t)n + 1);
    if (!bytes || fread(bytes, 1, (size_t)n, f) != (size_t)n)
        goto done;
    result = replay(bytes, (size_t)n);
done:
    free(bytes);
    fclose(f);
    return result;
}

int main(int argc, char **argv) {
    int files = 0;
    DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;

    if (!dir) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] == '.')
            continue;
        if (replay_file(argv[1], entry->d_name) < 0) {
            perror(entry->d_name);
            return 1;
        }
        files++;
    }
    closedir(dir);
    printf("%d files\n", files);
    return files ? 0 : 1; /* no seed, no test */
}

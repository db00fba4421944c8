/* Preloaded into a process, fails its n-th write to a file, and moves its clock: what a bad disk, a full one and a wrong clock do.
   BROKEN_AT: number of the first write that fails; BROKEN_FOR: how many fail (a full disk: all that follow); BROKEN_WITH: errno;
   BROKEN_COUNT: a file that receives the number of writes at the end; CLOCK_JUMP_S: seconds added to the clock from the 200th look on. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static long at, for_n, with, n_writes, n_looks, jump;

__attribute__((constructor)) static void begin(void) {
    at = getenv("BROKEN_AT") ? atol(getenv("BROKEN_AT")) : 0;
    for_n = getenv("BROKEN_FOR") ? atol(getenv("BROKEN_FOR")) : 1;
    with = getenv("BROKEN_WITH") ? atol(getenv("BROKEN_WITH")) : EIO;
    jump = getenv("CLOCK_JUMP_S") ? atol(getenv("CLOCK_JUMP_S")) : 0;
}

__attribute__((destructor)) static void end(void) {
    const char *path = getenv("BROKEN_COUNT");
    FILE *file = path ? fopen(path, "a") : NULL;
    if (file) { fprintf(file, "%ld\n", n_writes); fclose(file); }
}

static int fails(int fd) {
    struct stat found;
    if (fstat(fd, &found) || !S_ISREG(found.st_mode)) return 0;
    long n = __sync_add_and_fetch(&n_writes, 1);
    if (!at || n < at || n >= at + for_n) return 0;
    errno = (int)with;
    return 1;
}

#define NEXT(name) static __typeof__(name) *next; if (!next) next = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)
ssize_t write(int fd, const void *from, size_t n) { NEXT(write); return fails(fd) ? -1 : next(fd, from, n); }
ssize_t pwrite(int fd, const void *from, size_t n, off_t to) { NEXT(pwrite); return fails(fd) ? -1 : next(fd, from, n, to); }
ssize_t pwrite64(int fd, const void *from, size_t n, off64_t to) { NEXT(pwrite64); return fails(fd) ? -1 : next(fd, from, n, to); }
int fsync(int fd) { NEXT(fsync); return fails(fd) ? -1 : next(fd); }
int fdatasync(int fd) { NEXT(fdatasync); return fails(fd) ? -1 : next(fd); }

int clock_gettime(clockid_t which, struct timespec *now) {
    NEXT(clock_gettime);
    int found = next(which, now);
    if (jump && which == CLOCK_REALTIME && __sync_add_and_fetch(&n_looks, 1) > 200) now->tv_sec += jump;
    return found;
}

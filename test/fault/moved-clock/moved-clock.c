/*
 * A system clock that can be moved, for a process that is started with this library in LD_PRELOAD: what gettimeofday, time and
 * clock_gettime say of the wall clock is off by as many milliseconds as the file named by MOVED_CLOCK_FILE says at that moment
 * (a 64-bit integer in the machine's own order). The clock that never jumps is left alone. Built and used by moved-clock.ts.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* Mapped, since a process asks for the time thousands of times a second. */
static const volatile int64_t *offset_ms;

__attribute__((constructor)) static void map_offset(void) {
  const char *path = getenv("MOVED_CLOCK_FILE");
  if (path == NULL) return;
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  void *mapped = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
  close(file);
  if (mapped != MAP_FAILED) offset_ms = mapped;
}

static void move(struct timespec *at) {
  int64_t ms = offset_ms == NULL ? 0 : *offset_ms;
  int64_t ns = at->tv_nsec + (ms % 1000) * 1000000;
  at->tv_sec += ms / 1000;
  if (ns < 0) {
    ns += 1000000000;
    at->tv_sec -= 1;
  } else if (ns >= 1000000000) {
    ns -= 1000000000;
    at->tv_sec += 1;
  }
  at->tv_nsec = ns;
}

int clock_gettime(clockid_t clock, struct timespec *at) {
  int result = (int)syscall(SYS_clock_gettime, clock, at);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) move(at);
  return result;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
  (void)zone;
  struct timespec now;
  int result = clock_gettime(CLOCK_REALTIME, &now);
  if (result != 0) return result;
  at->tv_sec = now.tv_sec;
  at->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *at) {
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now) != 0) return (time_t)-1;
  if (at != NULL) *at = now.tv_sec;
  return now.tv_sec;
}

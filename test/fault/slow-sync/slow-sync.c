/*
 * A disk that syncs slowly, for a process that is started with this library in LD_PRELOAD: each fsync and fdatasync of a regular
 * file waits first, as long as the file named by SLOW_SYNC_FILE says at that moment (milliseconds, as text). A missing or
 * unreadable file means no wait. Built and used by slow-sync.ts.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

typedef int (*sync_call)(int);

static double delay_ms(void) {
  const char *path = getenv("SLOW_SYNC_FILE");
  if (path == NULL) return 0;
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  char text[32];
  ssize_t length = read(file, text, sizeof text - 1);
  close(file);
  if (length <= 0) return 0;
  text[length] = '\0';
  return strtod(text, NULL);
}

/* A signal must not cut the wait short: a real disk would not answer sooner either. */
static void wait_ms(double ms) {
  if (ms <= 0) return;
  struct timespec left;
  left.tv_sec = (time_t)(ms / 1000);
  left.tv_nsec = (long)((ms - (double)left.tv_sec * 1000) * 1e6);
  while (nanosleep(&left, &left) == -1 && errno == EINTR) continue;
}

static int slowly(const char *name, int file) {
  sync_call real = (sync_call)dlsym(RTLD_NEXT, name);
  if (real == NULL) {
    errno = ENOSYS;
    return -1;
  }
  struct stat about;
  /* Before the sync: who is killed during the wait has synced nothing. */
  if (fstat(file, &about) == 0 && S_ISREG(about.st_mode)) wait_ms(delay_ms());
  return real(file);
}

int fsync(int file) { return slowly("fsync", file); }

int fdatasync(int file) { return slowly("fdatasync", file); }

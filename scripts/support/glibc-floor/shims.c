/*
 * What compilers and their libraries take from a newer glibc than 2.28, in terms of what 2.28 has. The archive of these functions
 * is a part of the C library that glibc-floor.mjs makes, as libc_nonshared.a is of glibc: the linker takes what it needs of it,
 * and shows none of it to others.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define HIDDEN __attribute__((visibility("hidden")))

#ifdef FLOOR_ENDS
/* In libc_nonshared.a of every glibc, so that they know which library called them. */
extern void* __dso_handle HIDDEN;
int __cxa_atexit(void (*function)(void*), void* argument, void* library);
HIDDEN int atexit(void (*function)(void)) {
  return __cxa_atexit((void (*)(void*))function, NULL, &__dso_handle);
}

int __register_atfork(void (*before)(void), void (*parent)(void), void (*child)(void), void* library);
HIDDEN int floor_pthread_atfork(void (*before)(void), void (*parent)(void), void (*child)(void)) __asm__("pthread_atfork");
int floor_pthread_atfork(void (*before)(void), void (*parent)(void), void (*child)(void)) {
  return __register_atfork(before, parent, child, &__dso_handle);
}
#endif

#ifdef FLOOR_THREADS
/* glibc 2.32. Whether atomic operations can be spared: never, when nobody knows. */
HIDDEN char __libc_single_threaded = 0;
#endif

#ifdef FLOOR_FILES
/* glibc 2.33. */
#ifdef __x86_64__
#define STAT_VERSION 1
#else
#define STAT_VERSION 0
#endif
int __xstat(int version, const char* path, struct stat* result);
int __lxstat(int version, const char* path, struct stat* result);
int __fxstat(int version, int file, struct stat* result);
int __fxstatat(int version, int folder, const char* path, struct stat* result, int flags);

HIDDEN int floor_stat(const char* path, struct stat* result) __asm__("stat");
HIDDEN int floor_stat64(const char* path, struct stat* result) __asm__("stat64");
HIDDEN int floor_lstat(const char* path, struct stat* result) __asm__("lstat");
HIDDEN int floor_lstat64(const char* path, struct stat* result) __asm__("lstat64");
HIDDEN int floor_fstat(int file, struct stat* result) __asm__("fstat");
HIDDEN int floor_fstat64(int file, struct stat* result) __asm__("fstat64");
HIDDEN int floor_fstatat(int folder, const char* path, struct stat* result, int flags) __asm__("fstatat");
HIDDEN int floor_fstatat64(int folder, const char* path, struct stat* result, int flags) __asm__("fstatat64");

int floor_stat(const char* path, struct stat* result) { return __xstat(STAT_VERSION, path, result); }
int floor_stat64(const char* path, struct stat* result) { return __xstat(STAT_VERSION, path, result); }
int floor_lstat(const char* path, struct stat* result) { return __lxstat(STAT_VERSION, path, result); }
int floor_lstat64(const char* path, struct stat* result) { return __lxstat(STAT_VERSION, path, result); }
int floor_fstat(int file, struct stat* result) { return __fxstat(STAT_VERSION, file, result); }
int floor_fstat64(int file, struct stat* result) { return __fxstat(STAT_VERSION, file, result); }
int floor_fstatat(int folder, const char* path, struct stat* result, int flags) {
  return __fxstatat(STAT_VERSION, folder, path, result, flags);
}
int floor_fstatat64(int folder, const char* path, struct stat* result, int flags) {
  return __fxstatat(STAT_VERSION, folder, path, result, flags);
}
#endif

#ifdef FLOOR_CLOCKS
/*
 * glibc 2.30. The older functions know the time of day only. When that is set meanwhile they end too early or too late; C++ asks
 * the other clock again before it says that time is up.
 */
static void time_of_day(clockid_t clock, const struct timespec* until, struct timespec* result) {
  struct timespec now;
  clock_gettime(clock, &now);
  clock_gettime(CLOCK_REALTIME, result);
  result->tv_sec += until->tv_sec - now.tv_sec;
  result->tv_nsec += until->tv_nsec - now.tv_nsec;
  if (result->tv_nsec < 0) {
    result->tv_nsec += 1000000000;
    result->tv_sec -= 1;
  } else if (result->tv_nsec >= 1000000000) {
    result->tv_nsec -= 1000000000;
    result->tv_sec += 1;
  }
  if (result->tv_sec < 0) result->tv_sec = 0;
}

HIDDEN int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock,
                                  const struct timespec* until) {
  if (clock == CLOCK_REALTIME) return pthread_cond_timedwait(condition, mutex, until);
  if (clock != CLOCK_MONOTONIC || until->tv_nsec < 0 || until->tv_nsec >= 1000000000) return EINVAL;
  struct timespec moment;
  time_of_day(clock, until, &moment);
  return pthread_cond_timedwait(condition, mutex, &moment);
}

HIDDEN int pthread_mutex_clocklock(pthread_mutex_t* mutex, clockid_t clock, const struct timespec* until) {
  if (clock == CLOCK_REALTIME) return pthread_mutex_timedlock(mutex, until);
  if (clock != CLOCK_MONOTONIC || until->tv_nsec < 0 || until->tv_nsec >= 1000000000) return EINVAL;
  struct timespec moment;
  time_of_day(clock, until, &moment);
  return pthread_mutex_timedlock(mutex, &moment);
}
#endif

#ifdef FLOOR_SYSTEM
/* glibc 2.29 */
HIDDEN int getcpu(unsigned* processor, unsigned* node) { return (int)syscall(SYS_getcpu, processor, node, NULL); }

/* glibc 2.36 */
int getentropy(void* buffer, size_t length);
HIDDEN uint32_t arc4random(void) {
  uint32_t number;
  if (getentropy(&number, sizeof number) != 0) __builtin_trap();
  return number;
}
#endif

#ifdef FLOOR_NUMBERS
/* glibc 2.38 gives the functions of <stdlib.h> these names; they differ in that they read 0b1 as a number. */
#define READS(type, name)                                                       \
  type old_##name(const char* text, char** end, int base) __asm__(#name);       \
  HIDDEN type __isoc23_##name(const char* text, char** end, int base) {         \
    return old_##name(text, end, base);                                         \
  }
READS(long, strtol)
READS(long long, strtoll)
READS(unsigned long, strtoul)
READS(unsigned long long, strtoull)

int old_vsscanf(const char* text, const char* format, va_list arguments) __asm__("vsscanf");
HIDDEN int __isoc23_sscanf(const char* text, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int read = old_vsscanf(text, format, arguments);
  va_end(arguments);
  return read;
}
#endif

#ifdef FLOOR_START
/*
 * Programs that are linked with glibc 2.34 or newer leave it to the C library to run their constructors; one of before expects a
 * function of the program for that. Takes the place of __libc_start_main by --wrap.
 */
typedef void (*Function)(int, char**, char**);
extern Function __preinit_array_start[] HIDDEN;
extern Function __preinit_array_end[] HIDDEN;
extern Function __init_array_start[] HIDDEN;
extern Function __init_array_end[] HIDDEN;
extern void (*__fini_array_start[])(void) HIDDEN;
extern void (*__fini_array_end[])(void) HIDDEN;
extern void _init(void);
extern void _fini(void);

static void start(int count, char** arguments, char** environment) {
  for (Function* each = __preinit_array_start; each < __preinit_array_end; each++)
    (*each)(count, arguments, environment);
  _init();
  for (Function* each = __init_array_start; each < __init_array_end; each++)
    (*each)(count, arguments, environment);
}

static void end(void) {
  for (size_t i = (size_t)(__fini_array_end - __fini_array_start); i > 0; i--) __fini_array_start[i - 1]();
  _fini();
}

typedef int (*Main)(int, char**, char**);
int __real___libc_start_main(Main, int, char**, Function, void (*)(void), void (*)(void), void*);
HIDDEN int __wrap___libc_start_main(Main main, int count, char** arguments, Function init, void (*fini)(void),
                                    void (*loader_end)(void), void* stack_end) {
  return __real___libc_start_main(main, count, arguments, init ? init : start, fini ? fini : end, loader_end,
                                  stack_end);
}
#endif

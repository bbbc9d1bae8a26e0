/* The one place for what C17 and POSIX 2008 do not have, of compilers and of operating systems:
 * each has a plain fallback.  What has to be asked of a system is in portability.c;
 * scripts/check-words keeps the names out of every other file. */
#ifndef PIAA_BASE_PORTABILITY_H
#define PIAA_BASE_PORTABILITY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#if defined(__GNUC__) || defined(__clang__)
#define PIAA_PRINTF(text, first) __attribute__((format(printf, text, first)))
#define PIAA_MUST_USE __attribute__((warn_unused_result))
#define PIAA_INLINE inline __attribute__((always_inline))
/* The cache line there is read soon, if not now.  A hint: it may be any address. */
#define PIAA_PREFETCH(where) __builtin_prefetch(where, 0, 2)
#else
#define PIAA_PRINTF(text, first)
#define PIAA_MUST_USE
#define PIAA_INLINE inline
#define PIAA_PREFETCH(where) ((void)(where))
#endif

/* Whether this CPU has the instructions, and the operating system saves their registers on task
   switches: PIAA_CPU_HAS("avx512f"). */
#if (defined(__GNUC__) || defined(__clang__)) && (defined(__x86_64__) || defined(__i386__))
#define PIAA_CPU_HAS(instructions) (__builtin_cpu_supports(instructions) != 0)
#else
#define PIAA_CPU_HAS(instructions) false
#endif

/* A few numbers that one instruction works on: operators go lane by lane, and comparisons give what
 * PIAA_CHOOSE asks for.  PIAA_LEAST and PIAA_MOST are b where either is NaN. */
#if defined(__GNUC__) || defined(__clang__)
typedef float piaa_lanes __attribute__((vector_size(16)));
typedef int piaa_lane_bits __attribute__((vector_size(16)));
#define PIAA_CHOOSE(where, a, b)                                                                   \
    ((piaa_lanes)(((where) & (piaa_lane_bits)(a)) | (~(where) & (piaa_lane_bits)(b))))
#else
typedef float piaa_lanes;
#define PIAA_CHOOSE(where, a, b) ((where) ? (a) : (b))
#endif
#if defined(__SSE__)
#include <xmmintrin.h>
#define PIAA_LEAST(a, b) _mm_min_ps(a, b)
#define PIAA_MOST(a, b) _mm_max_ps(a, b)
#else
#define PIAA_LEAST(a, b) PIAA_CHOOSE((a) < (b), a, b)
#define PIAA_MOST(a, b) PIAA_CHOOSE((a) > (b), a, b)
#endif

/* What Linux tells a process about itself lies here; elsewhere there is nothing to open, which
   whoever reads it has to allow for. */
#define PIAA_PROC "/proc/self"

struct stat;
struct timespec;

/* When the file was written and when anything about it changed, as exactly as is known. */
struct timespec piaa_stat_written(const struct stat *status);
struct timespec piaa_stat_changed(const struct stat *status);

/* Waits until what was written to the file, and what is needed to find it again, is on the disk. -1
   and errno as fsync. */
int piaa_sync_data(int file);

/* Gives `to` what a file system keeps beside a file and its mode: extended attributes, which file
 * managers keep tags, comments and stars in, and access lists.  As far as that can be; attributes
 * that only the system sets are not given. */
void piaa_copy_attributes(int from, int to);

/* Locks the whole file against whoever else calls this, without waiting: -1 and errno EWOULDBLOCK
 * where it is locked, EINTR, or what the file system has to say.  The lock is flock(2)'s, not
 * fcntl(2)'s: it belongs to the open file and not to the process, so that two handles in one
 * process refuse each other too, and closing some other descriptor of the same file does not let go
 * of it.  It ends with the process however that ends. */
int piaa_lock_file(int file);

typedef enum piaa_advice {
    PIAA_READ_AHEAD,   /* as the system likes */
    PIAA_READ_HERE,    /* nothing beyond what is touched */
    PIAA_FORGET_PAGES, /* not needed soon; read again from the file if it is */
} piaa_advice;

/* What is going to happen to pages of a mapped file; `start` is at the beginning of one.  A hint.
 */
void piaa_advise(void *start, size_t size, piaa_advice advice);

/* The system's cache forgets the file, but for pages that are mapped and were touched; what is not
   on the disk yet stays.  0, or -1 where that cannot be asked for. */
int piaa_forget_file(int file);

/* Memory that was freed goes back to the system where the C library keeps it. */
void piaa_trim_memory(void);

/* Sends like send(2), and to a side that has hung up without the signal that ends the process. */
ssize_t piaa_send(int handle, const void *bytes, size_t size);

/* The processors that this process may run on; 0 where the system does not say. */
int piaa_processors_allowed(void);

/* The columns of the terminal behind a file; 0 where there is none. */
int piaa_terminal_columns(int file);

/* The file that is mapped at an address, its name in `line`; NULL: none, or the system does not
   say. May be called by a signal's handler. */
const char *piaa_mapped_file(const void *where, char *line, size_t room);

/* This program's own file, its name in `path`; NULL where the system does not say. */
const char *piaa_own_program(char *path, size_t room);

/* The environment, for a program that is started. */
char **piaa_environment(void);

#define PIAA_UNUSED(x) ((void)(x))
#define PIAA_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif

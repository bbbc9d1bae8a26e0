/* The one place for compiler extensions: each has a plain fallback. */
#ifndef PIAA_BASE_PORTABILITY_H
#define PIAA_BASE_PORTABILITY_H

#if defined(__GNUC__) || defined(__clang__)
#define PIAA_PRINTF(text, first) __attribute__((format(printf, text, first)))
#define PIAA_MUST_USE __attribute__((warn_unused_result))
#else
#define PIAA_PRINTF(text, first)
#define PIAA_MUST_USE
#endif

#if defined(__linux__)
#include <malloc.h>
#endif
#if defined(__GLIBC__)
#define PIAA_TRIM() ((void)malloc_trim(0))
#else
#define PIAA_TRIM() ((void)0)
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

#define PIAA_UNUSED(x) ((void)(x))
#define PIAA_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif

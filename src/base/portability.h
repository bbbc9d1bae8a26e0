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

#define PIAA_UNUSED(x) ((void)(x))
#define PIAA_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif

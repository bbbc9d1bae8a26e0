/* Independent jobs on several threads. */
#ifndef PIAA_BASE_PARALLEL_H
#define PIAA_BASE_PARALLEL_H

#include "base/error.h"

/* Runs job(user, i, error) for i from 0 to count - 1, `threads` at a time (1: on the calling
 * thread).  A job that returns false ends the run: no further one is begun, and the error is that
 * of the lowest i that failed.  hooks (may be NULL): progress and stop are called under a lock,
 * from whichever thread is there; a stop is PIAA_STOPPED. */
bool piaa_parallel_run(size_t count, int threads,
                       bool (*job)(void *user, size_t i, piaa_error *error), void *user,
                       const char *what, const piaa_hooks *hooks, piaa_error *error) PIAA_MUST_USE;

#endif

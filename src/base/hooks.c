/* Talking to the caller's hooks, and the clock. */
#include "base/hooks.h"

#include <time.h>

void piaa_hooks_warn(const piaa_hooks *hooks, const char *line) {
    if (hooks && hooks->warn) hooks->warn(hooks->user, line);
}

double piaa_seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

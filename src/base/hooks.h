/* Talking to the caller's hooks, any of which may be missing, and the clock that long jobs are
   timed by. */
#ifndef PIAA_BASE_HOOKS_H
#define PIAA_BASE_HOOKS_H

#include "piaa.h"

/* Nothing where there is no warn hook. */
void piaa_hooks_warn(const piaa_hooks *hooks, const char *line);
double piaa_seconds_now(void); /* of a clock that only goes forward */

#endif

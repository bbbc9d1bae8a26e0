/* How long a job will still take, by how fast it has gone so far in this run. */
#ifndef PIAA_BASE_PACE_H
#define PIAA_BASE_PACE_H

#include <stdint.h>

/* Zeroed: it has not begun. */
typedef struct piaa_pace {
    double began, last;  /* piaa_seconds_now(): when it began, and was told of last */
    int64_t first, done; /* how much was done then, which counts for nothing, and last */
} piaa_pace;

/* So much is done now. */
void piaa_pace_tell(piaa_pace *pace, int64_t done, double now);

/* Units a second since it began; 0: none was done yet, or it is less than half a second. */
double piaa_pace_speed(const piaa_pace *pace);

/* Seconds until `total` is done; NaN: the speed is not known. */
double piaa_pace_left(const piaa_pace *pace, int64_t total);

#endif

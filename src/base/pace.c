/* How long a job will still take: what is left, at the mean speed since it began. */
#include "base/pace.h"

#include <math.h>

void piaa_pace_tell(piaa_pace *pace, int64_t done, double now) {
    if (pace->began <= 0 || done < pace->first) *pace = (piaa_pace){.began = now, .first = done};
    pace->done = done;
    pace->last = now;
}

double piaa_pace_speed(const piaa_pace *pace) {
    const double seconds = pace->last - pace->began;
    return seconds > 0.5 ? (double)(pace->done - pace->first) / seconds : 0;
}

double piaa_pace_left(const piaa_pace *pace, int64_t total) {
    const double speed = piaa_pace_speed(pace);
    return speed > 0 ? (double)(total - pace->done) / speed : NAN;
}

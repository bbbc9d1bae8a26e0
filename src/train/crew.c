/* Jobs that are shared out to threads where that pays. */
#include "train/crew.h"

#include "base/parallel.h"

bool piaa_crew_run(const piaa_crew *crew, int64_t jobs, double work,
                   bool (*job)(void *user, size_t i, piaa_error *error), void *user,
                   piaa_error *error) {
    /* A thread takes about 50 microseconds to start and end. */
    static const double worth_threads = 1e7;
    return piaa_parallel_run((size_t)jobs, work < worth_threads ? 1 : crew->threads, job, user,
                             NULL, NULL, error);
}

/* Threads that take the next job from a counter until there is none left. */
#include "base/parallel.h"

#include <pthread.h>

enum { MOST_THREADS = 256 };

typedef struct crew {
    size_t count, next, done, failed; /* failed: the lowest job that did; count if none */
    bool (*job)(void *user, size_t i, piaa_error *error);
    void *user;
    const char *what;
    const piaa_hooks *hooks;
    piaa_error error;
    bool stopped;
    pthread_mutex_t lock;
} crew;

static bool may_go_on(crew *c) {
    if (c->hooks && c->hooks->stop && c->hooks->stop(c->hooks->user)) c->stopped = true;
    return !c->stopped && c->failed == c->count && c->next < c->count;
}

static void *work(void *argument) {
    crew *c = argument;
    pthread_mutex_lock(&c->lock);
    while (may_go_on(c)) {
        size_t i = c->next++;
        pthread_mutex_unlock(&c->lock);
        piaa_error error = {0};
        bool ok = c->job(c->user, i, &error);
        pthread_mutex_lock(&c->lock);
        c->done++;
        if (!ok && i < c->failed) {
            c->failed = i;
            c->error = error;
        }
        if (ok && c->hooks && c->hooks->progress)
            c->hooks->progress(c->hooks->user, c->what, (int64_t)c->done, (int64_t)c->count);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

bool piaa_parallel_run(size_t count, int threads,
                       bool (*job)(void *user, size_t i, piaa_error *error), void *user,
                       const char *what, const piaa_hooks *hooks, piaa_error *error) {
    crew c = {
        .count = count, .failed = count, .job = job, .user = user, .what = what, .hooks = hooks};
    pthread_t others[MOST_THREADS];
    int started = 0;
    if (pthread_mutex_init(&c.lock, NULL) != 0)
        return piaa_error_set(error, PIAA_MEMORY, "out of memory for a lock");
    while (started + 1 < threads && started < MOST_THREADS && (size_t)started + 1 < count &&
           pthread_create(&others[started], NULL, work, &c) == 0)
        started++;
    work(&c);
    while (started) pthread_join(others[--started], NULL);
    pthread_mutex_destroy(&c.lock);
    if (c.failed < count) {
        if (error) *error = c.error;
        return false;
    }
    if (c.stopped)
        return piaa_error_set(error, PIAA_STOPPED, "stopped after %zu of %zu", c.done, count);
    return true;
}

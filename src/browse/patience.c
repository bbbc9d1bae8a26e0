/* Callers in the order in which they are waited for, and a thread that looks at the first of them
   once a second. */
#include "browse/patience.h"

#include "base/hooks.h"
#include "base/memory.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

struct piaa_caller {
    int socket;
    double since;                /* when the waiting began */
    piaa_caller *before, *after; /* in the list of those who are waited for */
    bool waited_for;
};

struct piaa_patience {
    size_t most, count; /* in the list */
    int seconds;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    bool runs, ended;
    piaa_caller *first, *last;
};

/* ------------------------------------------------------------------------ the list, under the lock
 */

static void take_out(piaa_patience *p, piaa_caller *c) {
    if (!c->waited_for) return;
    *(c->before ? &c->before->after : &p->first) = c->after;
    *(c->after ? &c->after->before : &p->last) = c->before;
    c->before = c->after = NULL;
    c->waited_for = false;
    p->count--;
}

static void append(piaa_patience *p, piaa_caller *c) {
    c->since = piaa_seconds_now();
    c->before = p->last;
    c->waited_for = true;
    *(p->last ? &p->last->after : &p->first) = c;
    p->last = c;
    p->count++;
}

/* Its thread finds the end of what it reads, and leaves. */
static void shut_first(piaa_patience *p) {
    shutdown(p->first->socket, SHUT_RDWR);
    take_out(p, p->first);
}

/* ------------------------------------------------------------------------------------- callers */

piaa_caller *piaa_patience_meet(piaa_patience *p, int socket) {
    piaa_caller *c = piaa_alloc(1, sizeof *c, NULL);
    if (!c) return NULL;
    c->socket = socket;
    pthread_mutex_lock(&p->lock);
    append(p, c);
    while (p->count > p->most) shut_first(p);
    pthread_mutex_unlock(&p->lock);
    return c;
}

void piaa_patience_leave(piaa_patience *p, piaa_caller *c) {
    if (!c) return;
    pthread_mutex_lock(&p->lock);
    take_out(p, c);
    pthread_mutex_unlock(&p->lock);
    free(c);
}

void piaa_patience_asked(piaa_patience *p, piaa_caller *c) {
    if (!c) return;
    pthread_mutex_lock(&p->lock);
    take_out(p, c);
    pthread_mutex_unlock(&p->lock);
}

void piaa_patience_answered(piaa_patience *p, piaa_caller *c) {
    if (!c) return;
    pthread_mutex_lock(&p->lock);
    take_out(p, c);
    append(p, c);
    pthread_mutex_unlock(&p->lock);
}

/* ---------------------------------------------------------------------------------- the thread */

static void *run(void *user) {
    piaa_patience *p = user;
    pthread_mutex_lock(&p->lock);
    while (!p->ended) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec++;
        pthread_cond_timedwait(&p->wake, &p->lock, &until);
        const double now = piaa_seconds_now();
        while (p->first && now - p->first->since > p->seconds) shut_first(p);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

piaa_patience *piaa_patience_new(size_t most, int seconds, piaa_error *error) {
    piaa_patience *p = piaa_alloc(1, sizeof *p, error);
    if (!p) return NULL;
    p->most = most;
    p->seconds = seconds;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    p->runs = pthread_create(&p->thread, NULL, run, p) == 0;
    if (p->runs) return p;
    piaa_error_set(error, PIAA_MEMORY, "no thread could be started to watch over connections");
    piaa_patience_free(p);
    return NULL;
}

void piaa_patience_free(piaa_patience *p) {
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    p->ended = true;
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
    if (p->runs) pthread_join(p->thread, NULL);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

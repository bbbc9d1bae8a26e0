/* Memory for decoding.
 *
 * Shares stand in a queue in the order in which they came.  The first of it takes what it needs,
 * the others wait until what they need is free.  Nobody can wait for ever: the first one does not
 * wait, and is gone some day.
 *
 * The budget is the process's, so that it has to be kept here and not with a caller. */
#include "image/budget.h"

#include "base/memory.h"

#include <pthread.h>
#include <stdlib.h>

/* Three photos of 24 megapixels as pixels, and one of 64. */
static const uint64_t BUDGET = (uint64_t)256 << 20;

struct piaa_share {
    uint64_t bytes;
    piaa_share *next; /* that came after it */
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    piaa_share *first;
    uint64_t taken; /* by all shares */
} all = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

piaa_share *piaa_share_new(piaa_error *error) {
    piaa_share *share = piaa_alloc(1, sizeof *share, error);
    if (!share) return NULL;
    pthread_mutex_lock(&all.lock);
    piaa_share **last = &all.first;
    while (*last) last = &(*last)->next;
    *last = share;
    pthread_mutex_unlock(&all.lock);
    return share;
}

static bool has_room(const piaa_share *share, uint64_t more) {
    return share == all.first || (all.taken < BUDGET && more <= BUDGET - all.taken);
}

void piaa_share_grow(piaa_share *share, uint64_t bytes) {
    if (!share || bytes <= share->bytes) return;
    uint64_t more = bytes - share->bytes;
    pthread_mutex_lock(&all.lock);
    while (!has_room(share, more)) pthread_cond_wait(&all.changed, &all.lock);
    all.taken += more;
    share->bytes = bytes;
    pthread_mutex_unlock(&all.lock);
}

void piaa_share_free(piaa_share *share) {
    if (!share) return;
    pthread_mutex_lock(&all.lock);
    piaa_share **at = &all.first;
    while (*at != share) at = &(*at)->next;
    *at = share->next;
    all.taken -= share->bytes;
    pthread_cond_broadcast(&all.changed);
    pthread_mutex_unlock(&all.lock);
    free(share);
}

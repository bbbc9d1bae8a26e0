/* Memory for decoding.
 *
 * Shares stand in a queue in the order in which they came.  Who does not find room waits; while the
 * first of the queue waits nobody is given any, so that those behind it cannot hold it up for long.
 * Once all the others that hold something wait, too, the first takes what it needs.  So nobody
 * waits for ever, and more than the budget is held only by one photo that is larger, beside files.
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
    bool waits;
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

static bool others_wait(const piaa_share *share) {
    for (const piaa_share *other = all.first; other; other = other->next)
        if (other != share && other->bytes && !other->waits) return false;
    return true;
}

static bool has_room(const piaa_share *share, uint64_t more) {
    if (share != all.first && all.first->waits) return false;
    if (all.taken < BUDGET && more <= BUDGET - all.taken) return true;
    return share == all.first && others_wait(share);
}

void piaa_share_grow(piaa_share *share, uint64_t bytes) {
    if (!share || bytes <= share->bytes) return;
    uint64_t more = bytes - share->bytes;
    pthread_mutex_lock(&all.lock);
    while (!has_room(share, more)) {
        if (!share->waits) pthread_cond_broadcast(&all.changed);
        share->waits = true;
        pthread_cond_wait(&all.changed, &all.lock);
    }
    if (share->waits) pthread_cond_broadcast(&all.changed);
    share->waits = false;
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

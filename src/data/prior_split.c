/* The published builder's splits of PIAA-ICI, repeated.
 *
 * 1. Of all rows that have person, image and score: those whose person is not evaluated and whose
 *    image is in no evaluated person's lists.
 * 2. Images and people are sorted as strings; a person's number is the place.
 * 3. The generic model's rows are the training images that have mean scores, in the order of the
 *    lists.  NumPy's RandomState(42), whatever the protocol's seed, shuffles their numbers; the
 *    first round(n / 10) of them, halves to even, are held back. */
#include "data/prior_split.h"

#include "base/hooks.h"
#include "base/memory.h"
#include "base/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MEND "evaluate fewer people (--eval-people N) or train on their photos too (--share-photos)"

enum { HELD_SEED = 42 };
static const double held_share = 0.1;

typedef struct making {
    const piaa_dataset *set;
    const piaa_protocol *protocol;
    bool share;
    piaa_error *error;
    bool *evaluated, *given;              /* by person; by image */
    bool *trained_person, *trained_image; /* the same */
    piaa_prior_split *split;
} making;

static size_t people_of(const piaa_dataset *set) {
    return set->user_names.count;
}

static void mark_evaluated(making *m) {
    const piaa_protocol_options *o = &m->protocol->options;
    for (size_t u = 0; u < m->protocol->count; u++) {
        const piaa_protocol_user *user = &m->protocol->users[u];
        m->evaluated[user->user] = true;
        for (size_t k = 0; k < o->small + o->large + o->test && k < user->published; k++)
            m->given[m->set->ratings[user->small[k]].image] = !m->share;
    }
}

/* The next of both lists in the order of their lines; NULL at the end. */
static const piaa_data_rating *next_rating(const piaa_dataset *set, size_t *whole,
                                           size_t *partial) {
    const piaa_data_rating *a = *whole < set->rating_count ? &set->ratings[*whole] : NULL,
                           *b = *partial < set->partial_count ? &set->partial[*partial] : NULL;
    if (b && (!a || b->line < a->line)) {
        ++*partial;
        return b;
    }
    if (a) ++*whole;
    return a;
}

static bool take_ratings(making *m) {
    piaa_prior_split *split = m->split;
    size_t room = m->set->rating_count + m->set->partial_count, whole = 0, partial = 0;
    const piaa_data_rating *r;
    if (!(split->ratings = piaa_alloc(room, sizeof *split->ratings, m->error))) return false;
    while ((r = next_rating(m->set, &whole, &partial))) {
        if (m->evaluated[r->user] || m->given[r->image]) continue;
        split->ratings[split->rating_count++] = (piaa_prior_rating){r->user, r->image, r->score};
        m->trained_person[r->user] = m->trained_image[r->image] = true;
    }
    if (split->rating_count) return true;
    const piaa_dataset *set = m->set;
    if (m->protocol->count >= people_of(set))
        return piaa_error_set(m->error, PIAA_MISMATCH,
                              "%.600s: all %zu people are evaluated, and nobody is left to train a "
                              "prior on: evaluate fewer of them (--eval-people N)",
                              set->where, people_of(set));
    return piaa_error_set(m->error, PIAA_MISMATCH,
                          "%.600s: the %zu people who are evaluated are given every photo that the "
                          "other %zu rated, and nothing is left to train a prior on: " MEND,
                          set->where, m->protocol->count, people_of(set) - m->protocol->count);
}

/* ---------------------------------------------------------------------------------------- sorting
 */

typedef struct named {
    const char *name;
    size_t number;
} named;

static int by_name(const void *left, const void *right) {
    return strcmp(((const named *)left)->name, ((const named *)right)->name);
}

static bool sort_named(named *items, size_t count, size_t **out, piaa_error *error) {
    if (!items || !(*out = piaa_alloc(count, sizeof **out, error))) return false;
    qsort(items, count, sizeof *items, by_name);
    for (size_t i = 0; i < count; i++) (*out)[i] = items[i].number;
    return true;
}

static bool sort_users(making *m) {
    piaa_prior_split *split = m->split;
    size_t people = people_of(m->set);
    named *items = piaa_alloc(people, sizeof *items, m->error);
    size_t *place = piaa_alloc(people, sizeof *place, m->error);
    for (size_t u = 0; items && u < people; u++)
        if (m->trained_person[u])
            items[split->user_count++] = (named){m->set->user_names.items[u], u};
    bool ok = place && sort_named(items, split->user_count, &split->users, m->error);
    for (size_t i = 0; ok && i < split->user_count; i++) place[split->users[i]] = i;
    for (size_t r = 0; ok && r < split->rating_count; r++)
        split->ratings[r].user = place[split->ratings[r].user];
    free(items);
    free(place);
    return ok;
}

static bool sort_images(making *m) {
    piaa_prior_split *split = m->split;
    named *items = piaa_alloc(m->set->image_count, sizeof *items, m->error);
    for (size_t i = 0; items && i < m->set->image_count; i++)
        if (m->trained_image[i]) items[split->image_count++] = (named){m->set->images[i].name, i};
    bool ok = sort_named(items, split->image_count, &split->images, m->error);
    free(items);
    return ok;
}

/* ------------------------------------------------------------------------------------- validation
 */

static bool hold_images(making *m) {
    piaa_prior_split *split = m->split;
    size_t n = 0, *listed = piaa_alloc(split->image_count, sizeof *listed, m->error),
           *order = piaa_alloc(split->image_count, sizeof *order, m->error);
    bool *held = piaa_alloc(split->image_count, sizeof *held, m->error);
    split->fitted = piaa_alloc(split->image_count, sizeof *split->fitted, m->error);
    split->held = piaa_alloc(split->image_count, sizeof *split->held, m->error);
    bool ok = listed && order && held && split->fitted && split->held;
    for (size_t i = 0; ok && i < m->set->image_count; i++)
        if (m->trained_image[i] && m->set->images[i].split != PIAA_SPLIT_NONE) listed[n++] = i;
    const size_t share = (size_t)rint(held_share * (double)n);
    if (ok && !share)
        ok = piaa_error_set(m->error, PIAA_MISMATCH,
                            "%.600s: only %zu %s left to train a prior on: " MEND, m->set->where, n,
                            n == 1 ? "photo with mean scores is" : "photos with mean scores are");
    if (ok) {
        piaa_random random;
        piaa_random_seed_numpy(&random, HELD_SEED);
        piaa_random_permutation(&random, order, n);
        for (size_t k = 0; k < share; k++) held[order[k]] = true;
    }
    for (size_t i = 0; ok && i < n; i++) {
        if (held[i])
            split->held[split->held_count++] = listed[i];
        else
            split->fitted[split->fitted_count++] = listed[i];
    }
    free(listed);
    free(order);
    free(held);
    return ok;
}

static void count_stand_ins(making *m, const piaa_hooks *hooks) {
    const piaa_protocol_options *o = &m->protocol->options;
    for (size_t u = 0; u < m->protocol->count; u++) {
        const piaa_protocol_user *user = &m->protocol->users[u];
        for (size_t k = user->published; !m->share && k < o->small + o->large + o->test; k++) {
            bool *trained = &m->trained_image[m->set->ratings[user->small[k]].image];
            m->split->stand_ins += *trained;
            *trained = false; /* counted once */
        }
    }
    if (m->split->stand_ins)
        piaa_hooks_warn(hooks,
                        "%.600s: %zu %s trained on, as published, although somebody who is "
                        "evaluated is given them in place of a photo rated twice",
                        m->set->where, m->split->stand_ins,
                        m->split->stand_ins == 1 ? "photo is" : "photos are");
}

piaa_prior_split *piaa_prior_split_make(const piaa_dataset *set, const piaa_protocol *protocol,
                                        bool share_photos, const piaa_hooks *hooks,
                                        piaa_error *error) {
    if (!set || !protocol) {
        piaa_error_missing(error, set ? "protocol" : "data set");
        return NULL;
    }
    making m = {.set = set, .protocol = protocol, .share = share_photos, .error = error};
    size_t people = people_of(set);
    bool ok = (m.split = piaa_alloc(1, sizeof *m.split, error)) &&
              (m.evaluated = piaa_alloc(people, sizeof(bool), error)) &&
              (m.trained_person = piaa_alloc(people, sizeof(bool), error)) &&
              (m.given = piaa_alloc(set->image_count, sizeof(bool), error)) &&
              (m.trained_image = piaa_alloc(set->image_count, sizeof(bool), error));
    if (ok) {
        mark_evaluated(&m);
        ok = take_ratings(&m) && sort_users(&m) && sort_images(&m) && hold_images(&m);
    }
    if (ok) count_stand_ins(&m, hooks);
    free(m.evaluated);
    free(m.given);
    free(m.trained_person);
    free(m.trained_image);
    if (ok) return m.split;
    piaa_prior_split_free(m.split);
    return NULL;
}

void piaa_prior_split_free(piaa_prior_split *split) {
    if (!split) return;
    free(split->ratings);
    free(split->users);
    free(split->images);
    free(split->fitted);
    free(split->held);
    free(split);
}

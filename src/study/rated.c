/* From what a person said to rows. */
#include "study/rated.h"

#include "base/hooks.h"
#include "base/memory.h"
#include "data/names.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void piaa_rated_free(piaa_rated *rated) {
    free(rated->rows);
    free(rated->scores);
    free(rated->index);
    free(rated->duels);
    *rated = (piaa_rated){0};
}

/* One more rating [rating] of photo k; first [k] is the rating that came first, times [k] how many
   there are. */
static void add_copy(piaa_rated *rated, const piaa_ratings *ratings, size_t rating, size_t k,
                     const size_t *first, size_t *times) {
    double score = piaa_ratings_at(ratings, rating)->score;
    rated->copies++;
    if (score != piaa_ratings_at(ratings, first[k])->score && !rated->unlike++)
        rated->one = first[k], rated->other = rating;
    rated->scores[k] += (score - rated->scores[k]) / (double)++times[k];
}

/* -1: it lacks a vector. */
static int64_t row_of(const piaa_joined *joined, const char *path) {
    const int64_t row = piaa_store_find(joined->store, path).row;
    return piaa_joined_has(joined, row) ? row : -1;
}

static void add_photo(piaa_rated *rated, int64_t row, double score) {
    rated->rows[rated->count] = row;
    rated->scores[rated->count++] = score;
    rated->index[row] = rated->count;
}

static void collect_rated(const piaa_joined *joined, const piaa_ratings *ratings, piaa_rated *rated,
                          size_t *first, size_t *times) {
    for (size_t i = 0; i < piaa_ratings_count(ratings); i++) {
        const piaa_rating *rating = piaa_ratings_at(ratings, i);
        const int64_t row = row_of(joined, rating->path);
        if (row < 0) {
            if (!rated->missing++) rated->first_missing = i;
        } else if (rated->index[row]) {
            add_copy(rated, ratings, i, (size_t)rated->index[row] - 1, first, times);
        } else {
            first[rated->count] = i;
            times[rated->count] = 1;
            add_photo(rated, row, rating->score);
        }
    }
    rated->stars = rated->count;
}

/* An answer is added to those of its pair, whose number `pairs` has by the two photos'. */
static bool add_answer(piaa_rated *rated, piaa_names *pairs, int64_t one, int64_t other, double win,
                       piaa_error *error) {
    const bool turned = one > other;
    char key[48];
    snprintf(key, sizeof key, "%lld %lld", (long long)(turned ? other : one),
             (long long)(turned ? one : other));
    size_t number;
    bool fresh;
    if (!piaa_names_add(pairs, key, &number, &fresh, error)) return false;
    piaa_duel *duel = &rated->duels[number];
    if (fresh) *duel = (piaa_duel){.one = turned ? other : one, .other = turned ? one : other};
    duel->wins += turned ? 1 - win : win;
    duel->losses += turned ? win : 1 - win;
    rated->duel_count = (int64_t)pairs->count;
    rated->answers++;
    return true;
}

static bool collect_compared(const piaa_joined *joined, const piaa_choices *choices,
                             piaa_rated *rated, piaa_error *error) {
    piaa_names pairs = {0};
    bool ok = true;
    for (size_t i = 0; ok && i < piaa_choices_count(choices); i++) {
        const piaa_choice *choice = piaa_choices_at(choices, i);
        const int64_t one = row_of(joined, choice->one), other = row_of(joined, choice->other);
        if (one < 0 || other < 0) {
            if (!rated->lost++) rated->first_lost = i;
            continue;
        }
        if (one == other) {
            rated->alone++;
            continue;
        }
        if (!rated->index[one]) add_photo(rated, one, NAN);
        if (!rated->index[other]) add_photo(rated, other, NAN);
        ok = add_answer(rated, &pairs, rated->index[one] - 1, rated->index[other] - 1, choice->win,
                        error);
    }
    piaa_names_free(&pairs);
    return ok;
}

bool piaa_rated_find(const piaa_joined *joined, const piaa_said *said, piaa_rated *out,
                     piaa_error *error) {
    const size_t answers = piaa_choices_count(said->choices), n = piaa_ratings_count(said->ratings),
                 most = n + 2 * answers;
    *out = (piaa_rated){
        .rows = piaa_alloc(most, sizeof(int64_t), error),
        .scores = piaa_alloc(most, sizeof(double), error),
        .index = piaa_alloc((size_t)piaa_store_count(joined->store).rows, sizeof(int64_t), error),
        .duels = piaa_alloc(answers, sizeof(piaa_duel), error)};
    size_t *first = piaa_alloc(n, sizeof *first, error),
           *times = piaa_alloc(n, sizeof *times, error);
    bool ok = out->rows && out->scores && out->index && out->duels && first && times;
    if (ok) collect_rated(joined, said->ratings, out, first, times);
    ok = ok && collect_compared(joined, said->choices, out, error);
    free(first);
    free(times);
    if (!ok) piaa_rated_free(out);
    return ok;
}

/* What is worth a line about the comparisons that were found. */
static void tell_compared(const piaa_rated *rated, const piaa_choices *choices,
                          const piaa_hooks *hooks) {
    const size_t all = piaa_choices_count(choices);
    if (rated->lost) {
        const piaa_choice *first = piaa_choices_at(choices, rated->first_lost);
        piaa_hooks_warn(hooks,
                        "%zu of %zu comparisons could not be used, since the features of a photo "
                        "are not there; the first is of %.480s and %.480s",
                        rated->lost, all, first->one, first->other);
    }
    if (rated->alone)
        piaa_hooks_warn(hooks,
                        "%zu of %zu comparisons are of a photo with a copy of it, byte for byte, "
                        "and left out",
                        rated->alone, all);
    const int64_t again = rated->answers - rated->duel_count;
    if (again)
        piaa_hooks_warn(hooks,
                        "%lld of %zu comparisons are of two photos that were compared before: all "
                        "answers count",
                        (long long)again, all);
}

/* What is worth a line about the ratings that were found. */
static void tell_rated(const piaa_rated *rated, const piaa_ratings *ratings,
                       const piaa_hooks *hooks) {
    size_t all = piaa_ratings_count(ratings);
    if (rated->missing) {
        piaa_hooks_warn(hooks, "%zu of %zu rated photos could not be used, the first is %.1000s",
                        rated->missing, all, piaa_ratings_at(ratings, rated->first_missing)->path);
    }
    if (rated->copies) {
        piaa_hooks_warn(hooks,
                        "%zu of %zu rated photos are copies of others, byte for byte: each photo "
                        "counts once",
                        rated->copies, all);
    }
    if (rated->unlike) {
        const piaa_rating *one = piaa_ratings_at(ratings, rated->one),
                          *other = piaa_ratings_at(ratings, rated->other);
        piaa_hooks_warn(hooks,
                        "%zu of these copies %s rated differently, the first is %.1000s (%g, and "
                        "%.1000s %g): the mean counts",
                        rated->unlike, rated->unlike == 1 ? "is" : "are", other->path, other->score,
                        one->path, one->score);
    }
}

void piaa_rated_tell(const piaa_rated *rated, const piaa_said *said, const piaa_hooks *hooks) {
    if (said->ratings) tell_rated(rated, said->ratings, hooks);
    if (said->choices) tell_compared(rated, said->choices, hooks);
}

/* From a data set's ratings to a prior, and from a prior to one person's ratings. */
#include "study/prior.h"

#include "base/hooks.h"
#include "base/memory.h"
#include "features/identity.h"
#include "linear/metrics.h"
#include "vlm/slots.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* --------------------------------------------------------------------------------------- ratings
 */

/* The ratings of a data set that are learned from, person by person. */
typedef struct gathered {
    piaa_rater *raters;
    size_t *users; /* [count] of the set */
    size_t count;
    int64_t *rows;
    double *scores;
    size_t *images; /* of each rating */
    size_t total;
} gathered;

static void free_gathered(gathered *g) {
    free(g->raters);
    free(g->users);
    free(g->rows);
    free(g->scores);
    free(g->images);
}

/* seen [images]: 1 + where the person's rating of an image stands, if not before `first`. */
static void gather_user(gathered *g, const piaa_dataset *set, const piaa_source *source,
                        const piaa_prior_options *options, size_t user, size_t *seen) {
    const piaa_data_user *who = &set->users[user];
    const size_t first = g->total;
    for (size_t i = 0; i < who->count; i++) {
        const piaa_data_rating *rating = &set->ratings[who->ratings[i]];
        const size_t image = rating->image;
        if (source->rows[image] < 0 || (options->without_images && options->without_images[image]))
            continue;
        const bool again = seen[image] > first;
        const size_t at = again ? seen[image] - 1 : g->total++;
        seen[image] = at + 1;
        g->rows[at] = source->rows[image];
        g->scores[at] = rating->score;
        g->images[at] = image;
    }
    if (g->total == first) return;
    g->users[g->count] = user;
    g->raters[g->count++] =
        (piaa_rater){g->rows + first, g->scores + first, (int64_t)(g->total - first)};
}

static bool gather(gathered *g, const piaa_dataset *set, const piaa_source *source,
                   const piaa_prior_options *options, piaa_error *error) {
    size_t *seen = piaa_alloc(set->image_count, sizeof *seen, error);
    if (!seen || !(g->raters = piaa_alloc(set->user_count, sizeof *g->raters, error)) ||
        !(g->users = piaa_alloc(set->user_count, sizeof *g->users, error)) ||
        !(g->rows = piaa_alloc(set->rating_count, sizeof *g->rows, error)) ||
        !(g->scores = piaa_alloc(set->rating_count, sizeof *g->scores, error)) ||
        !(g->images = piaa_alloc(set->rating_count, sizeof *g->images, error))) {
        free(seen);
        return false;
    }
    for (size_t u = 0; u < set->user_count; u++)
        if (!options->without_users || !options->without_users[u])
            gather_user(g, set, source, options, u, seen);
    free(seen);
    return true;
}

static piaa_people_prior *learn_gathered(const gathered *g, const piaa_dataset *set,
                                         const piaa_source *source,
                                         const piaa_prior_options *options, piaa_error *error) {
    const piaa_people_prior_options how = {.directions = options->directions,
                                           .threads = options->threads};
    piaa_people_prior *people =
        piaa_people_prior_learn(source->x, source->dim, g->raters, g->count, &how, error);
    if (!people) piaa_error_prefix(error, "%.300s", *set->where ? set->where : set->folder);
    return people;
}

piaa_people_prior *piaa_prior_learn_people(const piaa_dataset *set, const piaa_source *source,
                                           const piaa_prior_options *options, piaa_error *error) {
    gathered g = {0};
    piaa_people_prior *people = gather(&g, set, source, options, error)
                                    ? learn_gathered(&g, set, source, options, error)
                                    : NULL;
    free_gathered(&g);
    return people;
}

/* -------------------------------------------------------------------------------------- learning
 */

static int by_value(const void *left, const void *right) {
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static int by_content(const void *left, const void *right) {
    const uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* Of sorted numbers, between two by the straight line. */
static double quantile(const double *sorted, size_t n, double share) {
    const double at = share * (double)(n - 1), below = floor(at);
    const size_t i = (size_t)below;
    return i + 1 < n ? sorted[i] + (at - below) * (sorted[i + 1] - sorted[i]) : sorted[n - 1];
}

/* Puts the scores in order. */
static void take_scores(piaa_prior *prior, const piaa_dataset *set, gathered *g) {
    qsort(g->scores, g->total, sizeof *g->scores, by_value);
    for (int k = 0; k < PIAA_PRIOR_QUANTILES; k++)
        prior->quantiles[k] = quantile(g->scores, g->total, (double)k / (PIAA_PRIOR_QUANTILES - 1));
    prior->low = fmin(set->scale_low, g->scores[0]);
    prior->high = fmax(set->scale_high, g->scores[g->total - 1]);
}

static bool take_raters(piaa_prior *prior, const piaa_dataset *set, const gathered *g,
                        piaa_error *error) {
    if (!(prior->raters = piaa_alloc(g->count, sizeof *prior->raters, error))) return false;
    for (size_t u = 0; u < g->count; u++)
        if (!(prior->raters[prior->rater_count++] = piaa_strdup(set->users[g->users[u]].id, error)))
            return false;
    return true;
}

static bool take_photos(piaa_prior *prior, const piaa_dataset *set, const piaa_store *store,
                        const gathered *g, piaa_error *error) {
    size_t kept = 0;
    if (!(prior->photos = piaa_alloc(g->total, sizeof *prior->photos, error))) return false;
    for (size_t i = 0; i < g->total; i++) {
        const piaa_photo photo = piaa_store_find(store, set->images[g->images[i]].path);
        if (photo.hash) prior->photos[prior->photo_count++] = piaa_store_content(photo.hash);
    }
    qsort(prior->photos, prior->photo_count, sizeof *prior->photos, by_content);
    for (size_t i = 0; i < prior->photo_count; i++)
        if (!i || prior->photos[i] != prior->photos[i - 1])
            prior->photos[kept++] = prior->photos[i];
    prior->photo_count = kept;
    return true;
}

static bool fill(piaa_prior *prior, const piaa_dataset *set, const piaa_source *source,
                 const piaa_store *store, gathered *g, const piaa_prior_options *options,
                 piaa_error *error) {
    piaa_people_prior *people = learn_gathered(g, set, source, options, error);
    if (!people || !piaa_prior_take(prior, people, error) || !take_raters(prior, set, g, error) ||
        !take_photos(prior, set, store, g, error))
        return false;
    take_scores(prior, set, g);
    piaa_utc_now(prior->made);
    return true;
}

piaa_prior *piaa_prior_learn(const piaa_dataset *set, const piaa_source *source,
                             const piaa_store *store, const piaa_prior_options *options,
                             piaa_error *error) {
    gathered g = {0};
    const piaa_identity identity = piaa_store_identity(store);
    piaa_prior *prior =
        piaa_prior_new(&identity, source->slots, (size_t)source->parts, set->kind, error);
    if (prior && (!gather(&g, set, source, options, error) ||
                  !fill(prior, set, source, store, &g, options, error))) {
        piaa_prior_free(prior);
        prior = NULL;
    }
    free_gathered(&g);
    return prior;
}

/* ------------------------------------------------------------------------------------------ made
 */

piaa_prior *piaa_prior_new(const piaa_identity *identity, const piaa_slot *slots, size_t count,
                           const char *data, piaa_error *error) {
    piaa_prior *prior = piaa_alloc(1, sizeof *prior, error);
    if (!prior) return NULL;
    memcpy(prior->slots, slots, count * sizeof *slots);
    prior->count = count;
    bool ok = (prior->data = piaa_strdup(data, error));
    for (size_t i = 0; ok && i < PIAA_IDENTITY_KEYS; i++) {
        char *copy = piaa_strdup(piaa_identity_get(identity, i), error);
        piaa_identity_set(&prior->identity, i, copy);
        ok = copy != NULL;
    }
    if (ok) return prior;
    piaa_prior_free(prior);
    return NULL;
}

bool piaa_prior_take(piaa_prior *prior, piaa_people_prior *people, piaa_error *error) {
    prior->people = people;
    if (!(prior->told = piaa_alloc_array((1 + (size_t)people->rank) * (size_t)people->dim,
                                         sizeof *prior->told, error)))
        return false;
    prior->bands = piaa_prior_bands_of(people, 1, prior->told);
    return true;
}

void piaa_prior_free(piaa_prior *prior) {
    if (!prior) return;
    for (size_t i = 0; i < PIAA_IDENTITY_KEYS; i++) {
        char *text;
        memcpy(&text, (char *)&prior->identity + piaa_identity_keys[i].offset, sizeof text);
        free(text);
    }
    for (size_t u = 0; prior->raters && u < prior->rater_count; u++) free(prior->raters[u]);
    free(prior->raters);
    free(prior->photos);
    free(prior->data);
    free(prior->told);
    piaa_people_prior_free(prior->people);
    free(prior);
}

/* --------------------------------------------------------------------------------------- applied
 */

piaa_bands_prior piaa_prior_bands_of(const piaa_people_prior *people, double unit, double *told) {
    const size_t dim = (size_t)people->dim, rank = (size_t)people->rank;
    const double shrink = 1 / sqrt(people->isotropic);
    for (size_t j = 0; j < dim; j++) told[j] = unit * people->weights[j];
    for (size_t i = 0; i < rank * dim; i++) told[dim + i] = shrink * people->directions[i];
    return (piaa_bands_prior){.mean = told,
                              .directions = told + dim,
                              .scale = people->scale,
                              .rank = people->rank,
                              .alpha = people->noise / people->isotropic};
}

bool piaa_prior_covers(const piaa_prior *prior, double low, double high) {
    const double slack = 1e-9 * (prior->high - prior->low);
    return low >= prior->low - slack && high <= prior->high + slack;
}

/* The distance of the lowest tenth from the highest one, or of the ends where that is none. */
static double spread_of(double *sorted, size_t n) {
    qsort(sorted, n, sizeof *sorted, by_value);
    const double middle = quantile(sorted, n, 0.9) - quantile(sorted, n, 0.1);
    return middle > 0 ? middle : sorted[n - 1] - sorted[0];
}

double piaa_prior_unit(const piaa_prior *prior, const double *y, int64_t n) {
    enum { LOW = 1, HIGH = PIAA_PRIOR_QUANTILES - 2 };
    double *sorted = n > 0 ? piaa_alloc_array((size_t)n, sizeof *sorted, NULL) : NULL;
    double own = prior->quantiles[HIGH] - prior->quantiles[LOW];
    if (!sorted) return 1;
    if (!(own > 0)) own = prior->high - prior->low;
    memcpy(sorted, y, (size_t)n * sizeof *y);
    const double theirs = spread_of(sorted, (size_t)n);
    free(sorted);
    return own > 0 && theirs > 0 ? theirs / own : 1;
}

void piaa_prior_tell(piaa_prior *prior, const double *y, int64_t n, const piaa_hooks *hooks) {
    double least = INFINITY, most = -INFINITY, unit = 1;
    for (int64_t i = 0; i < n; i++) {
        least = fmin(least, y[i]);
        most = fmax(most, y[i]);
    }
    if (n > 0 && !piaa_prior_covers(prior, least, most)) {
        unit = piaa_prior_unit(prior, y, n);
        piaa_hooks_warn(hooks,
                        "the ratings are not on the prior's scale, %g to %g: its scores are mapped "
                        "to theirs by quantiles, by which 1 there is %.3g here",
                        prior->low, prior->high, unit);
    }
    prior->bands = piaa_prior_bands_of(prior->people, unit, prior->told);
}

static bool same_slots(const piaa_prior *prior, const piaa_slot *slots, size_t count) {
    if (prior->count != count) return false;
    for (size_t i = 0; i < count; i++)
        if (prior->slots[i].pool != slots[i].pool || prior->slots[i].layer != slots[i].layer ||
            prior->slots[i].dim != slots[i].dim)
            return false;
    return true;
}

bool piaa_prior_fits(const piaa_prior *prior, const piaa_identity *identity, const piaa_slot *slots,
                     size_t count, piaa_error *error) {
    for (size_t i = 0; i < PIAA_IDENTITY_KEYS; i++) {
        const char *own = piaa_identity_get(&prior->identity, i),
                   *other = piaa_identity_get(identity, i);
        if (piaa_identity_same(i, own, other)) continue;
        const bool weights = piaa_identity_keys[i].offset == offsetof(piaa_identity, fingerprint);
        if (weights && strcmp(prior->identity.model, identity->model ? identity->model : "") == 0)
            return piaa_error_set(error, PIAA_MISMATCH,
                                  "the prior was learned with other weights of the model "
                                  "\"%.300s\": use those, or learn the prior again",
                                  prior->identity.model);
        if (weights) own = prior->identity.model, other = identity->model ? identity->model : "";
        return piaa_error_set(error, PIAA_MISMATCH,
                              "the prior was learned with %s \"%.200s\", not \"%.200s\": use that "
                              "one, or learn the prior again with `piaa prior`",
                              piaa_identity_keys[i].called, own, other);
    }
    if (same_slots(prior, slots, count)) return true;
    char *own = piaa_slots_name(prior->slots, prior->count, error),
         *other = own ? piaa_slots_name(slots, count, error) : NULL;
    if (other)
        piaa_error_set(error, PIAA_MISMATCH,
                       "the prior was learned from %s, not from %s: give --features %s, or learn "
                       "the prior again with `piaa prior --features %s`",
                       own, other, own, other);
    free(own);
    free(other);
    return false;
}

bool piaa_prior_has_rater(const piaa_prior *prior, const char *data, const char *id) {
    if (strcmp(prior->data, data) != 0) return false;
    for (size_t u = 0; u < prior->rater_count; u++)
        if (strcmp(prior->raters[u], id) == 0) return true;
    return false;
}

bool piaa_prior_has_photo(const piaa_prior *prior, uint64_t content) {
    return bsearch(&content, prior->photos, prior->photo_count, sizeof content, by_content) != NULL;
}

/* ------------------------------------------------------------------------------------- agreement
 */

bool piaa_prior_agreement(const piaa_dataset *set, const size_t *ratings, size_t count, double *out,
                          piaa_error *error) {
    *out = NAN;
    double *sums = piaa_alloc(set->image_count, 2 * sizeof *sums, error);
    double *own = piaa_alloc_array(count, 2 * sizeof *own, error);
    bool ok = sums && own;
    size_t n = 0;
    for (size_t r = 0; ok && count && r < set->rating_count; r++) {
        const piaa_data_rating *rating = &set->ratings[r];
        if (rating->user == set->ratings[ratings[0]].user) continue;
        sums[2 * rating->image] += rating->score;
        sums[2 * rating->image + 1]++;
    }
    for (size_t i = 0; ok && i < count; i++) {
        const piaa_data_rating *rating = &set->ratings[ratings[i]];
        const double *sum = sums + 2 * rating->image;
        if (sum[1] == 0) continue;
        own[n] = rating->score;
        own[count + n++] = sum[0] / sum[1];
    }
    ok = ok && piaa_metrics_spearman(own, own + count, n, out, error);
    free(sums);
    free(own);
    return ok;
}

/* The published personal protocol, repeated draw by draw.
 *
 * 1. Count everybody's ratings.  Those with at least small + large + test of them are the
 *    candidates, in descending order of their counts, equal counts in order of first appearance in
 *    the file (value_counts of pandas 3; pandas 2, which the published code locks, sorts them
 *    unstably, with and without AVX2 and AVX-512 in different orders, so that there is no one
 *    published draw where it matters).  Rows are counted, repeated ratings among them, or the draws
 *    below would not be the published ones; whoever then lacks different images is left out.
 * 2. More candidates than wanted are sampled with CPython's generator from that order.  For hard
 *    users the candidates are instead those with the lowest Spearman correlation between their
 *    scores and the mean scores.
 * 3. Go through them by id and shuffle each one's ratings, in file order, with a newly seeded NumPy
 *    generator.
 *
 * Hard images: the variance of an image's scores is the mean squared distance of personal scores
 * from the general score.  Images with at least `least_raters` ratings whose variance reaches the
 * (1 - hard_share) quantile are hard, and steps 1 to 3 see only their ratings. The variance is
 * summed as pandas sums it (Welford) so that images at the threshold fall on the same side. */
#include "data/protocol.h"

#include "base/hooks.h"
#include "base/memory.h"
#include "base/random.h"
#include "linear/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Somebody who may take part, with what the orders below look at. */
typedef struct candidate {
    size_t user, count, first; /* usable ratings, and the first of them in the file */
    double agreement;
    bool number;   /* all ids are whole numbers, */
    int64_t value; /* of which this is one */
    const char *id;
} candidate;

typedef struct making {
    const piaa_dataset *set;
    piaa_protocol_options options;
    const piaa_hooks *hooks;
    piaa_error *error;
    bool *hard; /* by image; NULL: every image counts */
    size_t hard_images, need;
    candidate *candidates;
    size_t count, below, not_drawn, tied;
} making;

piaa_protocol_options piaa_protocol_defaults(void) {
    return (piaa_protocol_options){.seed = 42,
                                   .small = 10,
                                   .large = 100,
                                   .test = 50,
                                   .least_shared = 30,
                                   .hard_share = 0.1,
                                   .least_raters = 3};
}

/* ---------------------------------------------------------------------------------- hard images */

static int by_value(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* numpy.quantile's linear interpolation, rounding included; `values` sorted. */
static double quantile(const double *values, size_t n, double share) {
    double at = share * (double)(n - 1);
    size_t low = (size_t)floor(at), high = low + 1 < n ? low + 1 : n - 1;
    double part = at - (double)low, step = values[high] - values[low];
    return part >= 0.5 ? values[high] - step * (1 - part) : values[low] + step * part;
}

static bool find_hard_images(making *m) {
    const piaa_dataset *set = m->set;
    size_t n = set->image_count, able = 0;
    double *mean = piaa_alloc(n, sizeof *mean, m->error),
           *variance = piaa_alloc(n, sizeof *variance, m->error);
    double *sorted = piaa_alloc(n, sizeof *sorted, m->error);
    size_t *raters = piaa_alloc(n, sizeof *raters, m->error);
    m->hard = piaa_alloc(n, sizeof *m->hard, m->error);
    bool ok = mean && variance && sorted && raters && m->hard;
    for (size_t r = 0; ok && r < set->rating_count; r++) {
        size_t i = set->ratings[r].image;
        double score = set->ratings[r].score, before = mean[i];
        mean[i] += (score - before) / (double)++raters[i];
        variance[i] += (score - mean[i]) * (score - before);
    }
    for (size_t i = 0; ok && i < n; i++) {
        if (raters[i]) variance[i] /= (double)raters[i];
        if (raters[i] && raters[i] >= m->options.least_raters) sorted[able++] = variance[i];
    }
    if (ok && !able)
        ok = piaa_error_set(
            m->error, PIAA_MISMATCH,
            "%s: no image has %zu ratings, so none can be called hard: ask for fewer raters",
            set->where, m->options.least_raters);
    if (ok) {
        qsort(sorted, able, sizeof *sorted, by_value);
        double threshold = quantile(sorted, able, 1.0 - m->options.hard_share);
        for (size_t i = 0; i < n; i++) {
            m->hard[i] =
                raters[i] && raters[i] >= m->options.least_raters && variance[i] >= threshold;
            m->hard_images += m->hard[i];
        }
    }
    free(mean);
    free(variance);
    free(sorted);
    free(raters);
    return ok;
}

static bool counts(const making *m, size_t rating) {
    return !m->hard || m->hard[m->set->ratings[rating].image];
}

/* ----------------------------------------------------------------------------------- candidates */

static bool whole_number(const char *id, int64_t *value) {
    size_t sign = *id == '-', digits = strspn(id + sign, "0123456789");
    if (!digits || digits > 18 || id[sign + digits]) return false;
    *value = strtoll(id, NULL, 10);
    return true;
}

static int by_count(const void *left, const void *right) {
    const candidate *a = left, *b = right;
    if (a->count != b->count) return a->count < b->count ? 1 : -1;
    return (a->first > b->first) - (a->first < b->first);
}

/* pandas reads a column of whole numbers as numbers and sorts it so; text by code point, which
   UTF-8 keeps. */
static int by_id(const void *left, const void *right) {
    const candidate *a = left, *b = right;
    if (a->number && a->value != b->value) return a->value < b->value ? -1 : 1;
    return strcmp(a->id, b->id);
}

static int by_agreement(const void *left, const void *right) {
    const candidate *a = left, *b = right;
    if (a->agreement != b->agreement) return a->agreement < b->agreement ? -1 : 1;
    return by_id(left, right);
}

static size_t usable_ratings(const making *m, const piaa_data_user *user, size_t *first) {
    size_t count = 0;
    for (size_t i = 0; i < user->count; i++)
        if (counts(m, user->ratings[i]) && !count++) *first = user->ratings[i];
    return count;
}

static bool find_candidates(making *m) {
    const piaa_dataset *set = m->set;
    size_t worst = 0, worst_count = 0;
    bool numbers = true;
    m->candidates = piaa_alloc(set->user_count, sizeof *m->candidates, m->error);
    if (!m->candidates) return false;
    for (size_t u = 0; u < set->user_count; u++) {
        candidate c = {.user = u, .id = set->users[u].id, .agreement = NAN};
        numbers = whole_number(c.id, &c.value) && numbers;
        c.count = usable_ratings(m, &set->users[u], &c.first);
        if (c.count >= m->need)
            m->candidates[m->count++] = c;
        else if (m->below++ == 0)
            worst = u, worst_count = c.count;
    }
    for (size_t i = 0; i < m->count; i++) m->candidates[i].number = numbers;
    const char *hard = m->hard ? " hard" : "";
    if (!m->count)
        return piaa_error_set(
            m->error, PIAA_MISMATCH,
            "%s: nobody has rated %zu%s images, so there is nothing to learn from and test on: %s",
            *set->where ? set->where : set->folder, m->need, hard,
            m->hard ? "take a larger share of images or smaller supports"
                    : "take smaller supports");
    if (m->below)
        piaa_hooks_warn(m->hooks,
                        "%.500s: %zu of %zu people have rated fewer than %zu%s images and are "
                        "left out (%.80s has %zu%s)",
                        set->where, m->below, set->user_count, m->need, hard, set->users[worst].id,
                        worst_count, m->below > 1 ? ", …" : "");
    qsort(m->candidates, m->count, sizeof *m->candidates, by_count);
    return true;
}

/* Of candidates in their order, those taken from among equals of whom others are not: had the
   equals been in another order, others would have been taken. */
static size_t count_tied(const making *m, const bool *taken) {
    bool hard = m->options.subset == PIAA_SUBSET_HARD_USERS;
    size_t tied = 0;
    for (size_t i = 0, end; i < m->count; i = end) {
        const candidate *first = &m->candidates[i], *c = first;
        size_t own = 0;
        for (end = i; end < m->count; c = &m->candidates[end]) {
            if (hard ? c->agreement != first->agreement : c->count != first->count) break;
            own += taken[end++];
        }
        if (own < end - i) tied += own;
    }
    return tied;
}

static void say_tied(const making *m, const char *equal, const char *published) {
    if (m->tied)
        piaa_hooks_warn(m->hooks,
                        "%.500s: %zu of the %zu people drawn have equal %s with others who were "
                        "not drawn: %s",
                        m->set->where, m->tied, m->options.users, equal, published);
}

/* ----------------------------------------------------------------------------------- hard users */

/* NaN where there are too few pairs or one side is constant. */
static bool agreement_of(const making *m, const piaa_data_user *user, double *own, double *general,
                         double *out) {
    size_t n = 0;
    for (size_t i = 0; i < user->count; i++) {
        const piaa_data_rating *rating = &m->set->ratings[user->ratings[i]];
        double mean = m->set->images[rating->image].general;
        if (isnan(mean)) continue;
        own[n] = rating->score;
        general[n++] = mean;
    }
    *out = NAN;
    return n < m->options.least_shared || piaa_metrics_spearman(own, general, n, out, m->error);
}

static bool take_hard_users(making *m) {
    size_t kept = 0, most = 0;
    for (size_t i = 0; i < m->count; i++)
        if (m->set->users[m->candidates[i].user].count > most)
            most = m->set->users[m->candidates[i].user].count;
    double *own = piaa_alloc(most, sizeof *own, m->error),
           *general = piaa_alloc(most, sizeof *general, m->error);
    bool ok = own && general;
    for (size_t i = 0; ok && i < m->count; i++) {
        candidate *c = &m->candidates[i];
        ok = agreement_of(m, &m->set->users[c->user], own, general, &c->agreement);
        if (ok && !isnan(c->agreement)) m->candidates[kept++] = *c;
    }
    free(own);
    free(general);
    if (!ok) return false;
    if (kept < m->count)
        piaa_hooks_warn(m->hooks,
                        "%.500s: %zu people are left out because their agreement with the mean "
                        "scores is undefined",
                        m->set->where, m->count - kept);
    m->below += m->count - kept;
    m->count = kept;
    if (!kept)
        return piaa_error_set(m->error, PIAA_MISMATCH,
                              "%s: nobody's agreement with mean scores can be computed: are there "
                              "mean scores for the images?",
                              m->set->where);
    qsort(m->candidates, m->count, sizeof *m->candidates, by_agreement);
    if (m->count <= m->options.users) return true;
    bool *taken = piaa_alloc(m->count, sizeof *taken, m->error);
    if (!taken) return false;
    for (size_t i = 0; i < m->options.users; i++) taken[i] = true;
    m->tied = count_tied(m, taken);
    free(taken);
    say_tied(m, "agreement",
             "by id the ones here come first, and the published ones may be others");
    m->not_drawn = m->count - m->options.users;
    m->count = m->options.users;
    return true;
}

/* ------------------------------------------------------------------------------------- sampling */

static bool sample_users(making *m) {
    if (m->count <= m->options.users) return true;
    size_t wanted = m->options.users, *drawn = piaa_alloc(wanted, sizeof *drawn, m->error);
    candidate *kept = piaa_alloc(wanted, sizeof *kept, m->error);
    bool *taken = piaa_alloc(m->count, sizeof *taken, m->error);
    piaa_random random;
    piaa_random_seed_python(&random, m->options.seed);
    bool ok =
        drawn && kept && taken && piaa_random_sample(&random, m->count, wanted, drawn, m->error);
    for (size_t i = 0; ok && i < wanted; i++) {
        kept[i] = m->candidates[drawn[i]];
        taken[drawn[i]] = true;
    }
    if (ok) m->tied = count_tied(m, taken);
    free(drawn);
    free(taken);
    if (!ok) {
        free(kept);
        return false;
    }
    free(m->candidates);
    m->candidates = kept;
    m->not_drawn = m->count - wanted;
    m->count = wanted;
    say_tied(m, "numbers of ratings",
             "which of them the published code draws depends on the processor, and here on the "
             "order of the file");
    return true;
}

/* The first `need` images of the person's shuffled ratings.  seen: by image, who had it last, + 1;
 *published: how many of them are among the first `need` ratings. */
static bool shuffle_ratings(const making *m, const candidate *c, size_t *seen, size_t *out,
                            size_t *taken, size_t *published) {
    const piaa_data_user *user = &m->set->users[c->user];
    size_t n = 0, *usable = piaa_alloc(c->count, sizeof *usable, m->error),
           *order = piaa_alloc(c->count, sizeof *order, m->error);
    bool ok = usable && order;
    *taken = *published = 0;
    for (size_t i = 0; ok && i < user->count; i++)
        if (counts(m, user->ratings[i])) usable[n++] = user->ratings[i];
    if (ok) {
        piaa_random random;
        piaa_random_seed_numpy(&random, m->options.seed);
        piaa_random_permutation(&random, order, n);
    }
    for (size_t i = 0; ok && i < n && *taken < m->need; i++) {
        size_t rating = usable[order[i]], image = m->set->ratings[rating].image;
        if (seen[image] == c->user + 1) continue;
        seen[image] = c->user + 1;
        out[(*taken)++] = rating;
        *published += i < m->need;
    }
    free(usable);
    free(order);
    return ok;
}

static piaa_protocol *deal(making *m) {
    piaa_protocol *made = piaa_alloc(1, sizeof *made, m->error);
    size_t *seen = piaa_alloc(m->set->image_count, sizeof *seen, m->error);
    bool ok = made && seen;
    if (ok) {
        *made = (piaa_protocol){.options = m->options,
                                .below = m->below,
                                .not_drawn = m->not_drawn,
                                .tied = m->tied,
                                .hard_images = m->hard_images};
        made->users = piaa_alloc(m->count, sizeof *made->users, m->error);
        made->order = piaa_alloc(m->count, m->need * sizeof *made->order, m->error);
        ok = made->users && made->order;
    }
    qsort(m->candidates, m->count, sizeof *m->candidates, by_id);
    for (size_t i = 0; ok && i < m->count; i++) {
        const candidate *c = &m->candidates[i];
        size_t *own = made->order + made->count * m->need, taken, published;
        ok = shuffle_ratings(m, c, seen, own, &taken, &published);
        if (ok && taken < m->need) {
            piaa_hooks_warn(m->hooks,
                            "%.500s: %.80s is left out: %zu rows, but only %zu different images "
                            "of %zu",
                            m->set->where, c->id, c->count, taken, m->need);
            made->below++;
        } else if (ok)
            made->users[made->count++] =
                (piaa_protocol_user){.user = c->user,
                                     .small = own,
                                     .large = own + m->options.small,
                                     .test = own + m->options.small + m->options.large,
                                     .published = published,
                                     .agreement = c->agreement};
    }
    if (ok && !made->count)
        ok = piaa_error_set(m->error, PIAA_MISMATCH,
                            "%s: nobody has rated %zu different images: take smaller supports",
                            m->set->where, m->need);
    free(seen);
    if (ok) return made;
    piaa_protocol_free(made);
    return NULL;
}

static bool check_options(making *m) {
    piaa_protocol_options *o = &m->options;
    if (!o->users) o->users = o->subset == PIAA_SUBSET_HARD_USERS ? 50 : 200;
    m->need = o->small + o->large + o->test;
    if (!m->need || o->small > INT32_MAX || o->large > INT32_MAX || o->test > INT32_MAX)
        return piaa_error_set(m->error, PIAA_USAGE,
                              "supports of %zu and %zu ratings and a test of %zu make no split: "
                              "10, 100 and 50 are usual",
                              o->small, o->large, o->test);
    if (!(o->hard_share > 0 && o->hard_share <= 1))
        return piaa_error_set(
            m->error, PIAA_USAGE,
            "a share of %g of the images makes no sense: give one above 0 and up to 1",
            o->hard_share);
    if (!m->set->user_count)
        return piaa_error_set(m->error, PIAA_MISMATCH,
                              "%s holds no personal ratings: take a data set that has them (PARA, "
                              "LAPIS or a CSV file)",
                              m->set->folder);
    return true;
}

piaa_protocol *piaa_protocol_make(const piaa_dataset *set, const piaa_protocol_options *options,
                                  const piaa_hooks *hooks, piaa_error *error) {
    piaa_protocol *made = NULL;
    if (!set) {
        piaa_error_missing(error, "data set");
        return NULL;
    }
    making m = {.set = set,
                .options = options ? *options : piaa_protocol_defaults(),
                .hooks = hooks,
                .error = error};
    if (check_options(&m) &&
        (m.options.subset != PIAA_SUBSET_HARD_IMAGES || find_hard_images(&m)) &&
        find_candidates(&m) &&
        (m.options.subset == PIAA_SUBSET_HARD_USERS ? take_hard_users(&m) : sample_users(&m)))
        made = deal(&m);
    if (made && m.options.first && made->count > m.options.first) made->count = m.options.first;
    free(m.candidates);
    free(m.hard);
    return made;
}

void piaa_protocol_free(piaa_protocol *protocol) {
    if (!protocol) return;
    free(protocol->users);
    free(protocol->order);
    free(protocol);
}

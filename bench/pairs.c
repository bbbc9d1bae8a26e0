/*
 * Learning from comparisons: what it takes, and when it pays (docs/learning.md).
 *
 *     bench_pairs time [SECONDS]
 *     bench_pairs simulate STORE SET [NOISE STAR_SECONDS PAIR_SECONDS ROUNDS]
 *     bench_pairs outlook STORE SET
 *
 * time: milliseconds on one thread of a whole fit, strength and leaving out included, of 500 pairs
 * among fewer and more photos, with stars and without.
 *
 * simulate: the people of a data set (para:DIR) and the first matrix of a store with its photos.
 * A person's recorded score of a photo is taken for what they think of it, x.  A star given now is
 * x + NOISE e, rounded to halves between 1 and 5; a comparison goes to the photo with the larger
 * x + NOISE e, each e a fresh normal number, and is a tie where the two are closer than a quarter
 * of a star.  So the same noise is in both, and a star loses what rounding takes.  Of each person
 * half the photos, at random, may be asked about, and the others tell the rank correlation of score
 * and x.  A budget of seconds is spent on stars of random photos, on random pairs, on half and
 * half, and on stars first and then the pairs that piaa_pairwise_choose asks for.
 *
 * outlook: of the same people's recorded scores, by how much ten more ratings lower the error on
 * photos that were not rated, as foretold by piaa_outlook from those before and as it comes.
 */
#include "linear/pairs.h"
#include "base/blas.h"
#include "base/memory.h"
#include "base/random.h"
#include "data/dataset.h"
#include "linear/metrics.h"
#include "linear/outlook.h"
#include "linear/people.h"
#include "linear/ridge.h"

#include <cblas.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const double pi = 3.141592653589793;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double normal(piaa_random *random) {
    return sqrt(-2 * log(1 - piaa_random_unit(random))) * cos(2 * pi * piaa_random_unit(random));
}

static void *need(size_t count, size_t size) {
    void *out = piaa_alloc(count, size, NULL);
    if (!out) exit(1);
    return out;
}

static int fail(const piaa_error *error) {
    fprintf(stderr, "bench_pairs: %s\n", error->message);
    return 1;
}

/* z z' of standardised rows of x. */
static double *make_kernel(const float *x, const int64_t *rows, int64_t n, int dim) {
    double *z = need((size_t)n * (size_t)dim, sizeof *z),
           *kernel = need((size_t)n * (size_t)n, sizeof *kernel);
    for (int c = 0; c < dim; c++) {
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < n; i++) sum += (double)x[(rows ? rows[i] : i) * dim + c];
        for (int64_t i = 0; i < n; i++) {
            double off = (double)x[(rows ? rows[i] : i) * dim + c] - sum / (double)n;
            z[i * dim + c] = off;
            squares += off * off;
        }
        double scale = squares > 1e-12 ? sqrt(squares / (double)n) : 1;
        for (int64_t i = 0; i < n; i++) z[i * dim + c] /= scale;
    }
    cblas_dsyrk(CblasRowMajor, CblasLower, CblasNoTrans, (int)n, dim, 1, z, dim, 0, kernel, (int)n);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < i; j++) kernel[j * n + i] = kernel[i * n + j];
    free(z);
    return kernel;
}

/* ------------------------------------------------------------------------------------------- time
 */

static int ascending(const void *a, const void *b) {
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

static bool time_one(int64_t photos, int64_t stars, int64_t pairs, double limit,
                     piaa_error *error) {
    enum { DIM = 2560, MOST = 1000 };
    piaa_random random;
    piaa_random_seed_numpy(&random, 1);
    float *x = need((size_t)photos * DIM, sizeof *x);
    double *truth = need((size_t)photos, sizeof *truth), *y = need((size_t)photos, sizeof *y);
    piaa_duel *duels = need((size_t)pairs, sizeof *duels);
    for (int64_t i = 0; i < photos; i++) {
        for (int c = 0; c < DIM; c++) {
            x[i * DIM + c] = (float)normal(&random);
            if (c < 20) truth[i] += (double)x[i * DIM + c] / 4;
        }
        y[i] = i < stars ? round(2 * (3 + truth[i] + normal(&random) / 2)) / 2 : NAN;
    }
    for (int64_t k = 0; k < pairs; k++) {
        int64_t one = (int64_t)piaa_random_below(&random, (uint64_t)photos), other = one;
        while (other == one) other = (int64_t)piaa_random_below(&random, (uint64_t)photos);
        bool win = truth[one] + normal(&random) / 2 > truth[other] + normal(&random) / 2;
        duels[k] = (piaa_duel){one, other, win, !win};
    }
    double *kernel = make_kernel(x, NULL, photos, DIM), times[MOST];
    const piaa_compared data = {
        .photos = photos, .kernel = kernel, .stars = y, .duels = duels, .count = pairs};
    int repeats = 0;
    bool ok = true;
    for (double start = now(); ok && repeats < MOST && (repeats < 3 || now() - start < limit);) {
        double begin = now();
        piaa_pairwise *fit = piaa_pairwise_fit(&data, NULL, error);
        times[repeats++] = 1e3 * (now() - begin);
        ok = fit;
        if (repeats == 1 && ok)
            printf("%6lld %6lld %6lld   alpha %-8.3g sigma %-6.3g told right %.2f",
                   (long long)photos, (long long)stars, (long long)pairs, fit->alpha, fit->sigma,
                   fit->right);
        piaa_pairwise_free(fit);
    }
    qsort(times, (size_t)repeats, sizeof *times, ascending);
    if (ok) printf("   %8.1f ms, best %.1f\n", times[repeats / 2], times[0]);
    free(x), free(truth), free(y), free(duels), free(kernel);
    return ok;
}

static int time_all(double limit) {
    static const int64_t of[][3] = {{100, 0, 500},   {100, 50, 500},   {200, 0, 500},
                                    {200, 100, 500}, {1000, 0, 500},   {1000, 20, 500},
                                    {200, 0, 2000},  {1000, 100, 2000}};
    piaa_error error = {0};
    printf("photos  stars  pairs\n");
    for (size_t i = 0; i < PIAA_COUNT(of); i++)
        if (!time_one(of[i][0], of[i][1], of[i][2], limit, &error)) return fail(&error);
    return 0;
}

/* --------------------------------------------------------------------------------------- simulate
 */

enum { WAYS = 4, BUDGETS = 5 };
static const char *const ways[WAYS] = {"stars", "random pairs", "half and half",
                                       "half, chosen pairs"};
static const double budgets[BUDGETS] = {30, 60, 120, 240, 480}; /* seconds */

typedef struct simulation {
    double noise, star_seconds, pair_seconds;
    piaa_random random;
    /* of the person in hand: photos that may be asked about first, then the others */
    int64_t photos, asked;
    double *kernel, *truth, *stars;
    piaa_duel *duels;
    int64_t count;
} simulation;

static void ask_star(simulation *s, int64_t photo) {
    double star = round(2 * (s->truth[photo] + s->noise * normal(&s->random))) / 2;
    s->stars[photo] = fmin(5, fmax(1, star));
}

static void ask_pair(simulation *s, int64_t one, int64_t other) {
    double by = s->truth[one] + s->noise * normal(&s->random) - s->truth[other] -
                s->noise * normal(&s->random),
           win = fabs(by) < 0.25 ? 0.5 : by > 0;
    for (int64_t k = 0; k < s->count; k++)
        if (s->duels[k].one == one && s->duels[k].other == other) {
            s->duels[k].wins += win;
            s->duels[k].losses += 1 - win;
            return;
        }
    s->duels[s->count++] = (piaa_duel){one, other, win, 1 - win};
}

static void ask_random_pair(simulation *s) {
    int64_t one = (int64_t)piaa_random_below(&s->random, (uint64_t)s->asked), other = one;
    while (other == one) other = (int64_t)piaa_random_below(&s->random, (uint64_t)s->asked);
    ask_pair(s, one < other ? one : other, one < other ? other : one);
}

/* All photos are in the kernel: those that nothing was said of are predicted by their rows of it.
 */
static piaa_pairwise *learn(const simulation *s, bool covariance, piaa_error *error) {
    const piaa_compared data = {.photos = s->photos,
                                .kernel = s->kernel,
                                .stars = s->stars,
                                .duels = s->duels,
                                .count = s->count};
    const piaa_pairwise_options options = {.covariance = covariance};
    return piaa_pairwise_fit(&data, &options, error);
}

/* Ten pairs at a time, as piaa next would ask for them. */
static bool ask_chosen_pairs(simulation *s, int64_t pairs, bool *candidate, piaa_error *error) {
    enum { BATCH = 10 };
    piaa_duel next[BATCH];
    for (int64_t i = 0; i < s->photos; i++) candidate[i] = i < s->asked;
    while (pairs > 0) {
        piaa_pairwise *fit = learn(s, true, error);
        if (!fit) return false;
        const piaa_compared data = {.duels = s->duels, .count = s->count};
        int64_t got =
            piaa_pairwise_choose(fit, &data, candidate, pairs < BATCH ? pairs : BATCH, next);
        piaa_pairwise_free(fit);
        for (int64_t i = 0; i < got; i++) ask_pair(s, next[i].one, next[i].other);
        if (!got) break;
        pairs -= got;
    }
    return true;
}

/* out: rank correlation, and root mean square error. */
static bool spend(simulation *s, int way, double seconds, bool *candidate, double out[2],
                  piaa_error *error) {
    const double share[WAYS] = {1, 0, 0.5, 0.5};
    int64_t stars = (int64_t)(share[way] * seconds / s->star_seconds),
            pairs = (int64_t)((1 - share[way]) * seconds / s->pair_seconds);
    for (int64_t i = 0; i < s->photos; i++) s->stars[i] = NAN;
    s->count = 0;
    /* the photos are in random order already */
    for (int64_t i = 0; i < stars && i < s->asked; i++) ask_star(s, i);
    if (way == 3 && !ask_chosen_pairs(s, pairs, candidate, error)) return false;
    for (int64_t k = 0; way != 3 && k < pairs; k++) ask_random_pair(s);
    piaa_pairwise *fit = learn(s, false, error);
    if (!fit) return false;
    const size_t others = (size_t)(s->photos - s->asked);
    const bool ok =
        piaa_metrics_spearman(s->truth + s->asked, fit->score + s->asked, others, out, error);
    out[1] = piaa_metrics_rmse(s->truth + s->asked, fit->score + s->asked, others);
    piaa_pairwise_free(fit);
    return ok;
}

/* A person's photos in random order, with what is thought of them. */
static void begin_person(simulation *s, const piaa_dataset *set, const piaa_store *store,
                         const piaa_data_user *user) {
    int64_t rows_there;
    const float *x = piaa_store_matrix(store, 0, &rows_there);
    int64_t *rows = need(user->count, sizeof *rows);
    size_t *order = need(user->count, sizeof *order);
    s->truth = need(user->count, sizeof *s->truth);
    s->stars = need(user->count, sizeof *s->stars);
    s->duels = need(100000, sizeof *s->duels);
    for (size_t i = 0; i < user->count; i++) order[i] = i;
    piaa_random_shuffle(&s->random, order, user->count);
    s->photos = 0;
    for (size_t i = 0; i < user->count; i++) {
        const piaa_data_rating *rating = &set->ratings[user->ratings[order[i]]];
        const piaa_photo photo = piaa_store_find(store, set->images[rating->image].path);
        if (photo.row < 0 || rating->repeated) continue;
        rows[s->photos] = photo.row;
        s->truth[s->photos++] = rating->score;
    }
    s->asked = s->photos / 2;
    s->kernel = make_kernel(x, rows, s->photos, piaa_store_slots(store)->items[0].dim);
    free(rows), free(order);
}

static void end_person(simulation *s) {
    free(s->truth), free(s->stars), free(s->duels), free(s->kernel);
}

static bool simulate_person(simulation *s, double *out, piaa_error *error) {
    bool *candidate = need((size_t)s->photos, sizeof *candidate), ok = true;
    for (int b = 0; ok && b < BUDGETS; b++)
        for (int way = 0; ok && way < WAYS; way++)
            ok = spend(s, way, budgets[b], candidate, &out[2 * (b * WAYS + way)], error);
    free(candidate);
    return ok;
}

static int simulate(const char *store_path, const char *spec, simulation *s, size_t rounds) {
    enum { CELLS = 2 * BUDGETS * WAYS };
    piaa_error error = {0};
    piaa_dataset *set = piaa_dataset_open(spec, NULL, &error);
    piaa_store *store = set ? piaa_store_open_read(store_path, NULL, &error) : NULL;
    if (!store) return fail(&error);
    size_t people = set->user_count;
    double *means = need(CELLS * people, sizeof *means), one[CELLS];
    for (size_t u = 0; u < people; u++)
        for (size_t round = 0; round < rounds; round++) {
            piaa_random_seed_numpy(&s->random, (uint32_t)(1000 * round + u));
            begin_person(s, set, store, &set->users[u]);
            const bool ok = simulate_person(s, one, &error);
            end_person(s);
            if (!ok) return fail(&error);
            for (int c = 0; c < CELLS; c++)
                means[(size_t)c * people + u] += (isnan(one[c]) ? 0 : one[c]) / (double)rounds;
        }
    printf(
        "%zu people, %zu rounds, noise %g, %g s a star, %g s a pair; mean Spearman, less that of "
        "stars [95 %%], and error\n",
        people, rounds, s->noise, s->star_seconds, s->pair_seconds);
    for (int b = 0; b < BUDGETS; b++)
        for (int way = 0; way < WAYS; way++) {
            const double *here = means + (size_t)(2 * (b * WAYS + way)) * people,
                         *stars = means + (size_t)(2 * b * WAYS) * people;
            piaa_interval mean, difference;
            double p;
            piaa_interval error_mean;
            if (!piaa_people_means(here, 1, people, 10000, 1, &mean, &error) ||
                !piaa_people_means(here + people, 1, people, 10000, 1, &error_mean, &error) ||
                !piaa_people_compare(here, stars, people, 10000, 1, &difference, &p, &error))
                return fail(&error);
            printf("%4.0f s  %-20s %.3f", budgets[b], ways[way], mean.mean);
            if (way)
                printf("   %+.3f [%+.3f, %+.3f]", difference.mean, difference.low, difference.high);
            else
                printf("%26s", "");
            if (way == 1)
                printf("\n");
            else
                printf("   ± %.3f\n", error_mean.mean);
        }
    piaa_store_close(store);
    piaa_dataset_close(set);
    free(means);
    return 0;
}

/* ---------------------------------------------------------------------------------------- outlook
 */

/* The error on photos that are not rated, and of those left out, learned from the first n. */
static bool learn_first(simulation *s, int64_t n, double *others, double *left, piaa_error *error) {
    for (int64_t i = 0; i < s->photos; i++) s->stars[i] = i < n ? s->truth[i] : NAN;
    s->count = 0;
    piaa_pairwise *fit = learn(s, false, error);
    if (!fit) return false;
    *others = piaa_metrics_rmse(s->truth + s->asked, fit->score + s->asked,
                                (size_t)(s->photos - s->asked));
    *left = piaa_metrics_rmse(s->truth, fit->star_left, (size_t)n);
    piaa_pairwise_free(fit);
    return true;
}

static int foretell(const char *store_path, const char *spec) {
    static const int64_t sizes[] = {10, 20, 40, 70};
    enum { SIZES = PIAA_COUNT(sizes), MORE = 10 };
    piaa_error error = {0};
    simulation s = {0};
    piaa_dataset *set = piaa_dataset_open(spec, NULL, &error);
    piaa_store *store = set ? piaa_store_open_read(store_path, NULL, &error) : NULL;
    if (!store) return fail(&error);
    double told[SIZES] = {0}, came[SIZES] = {0}, error_there[SIZES] = {0}, off[SIZES] = {0};
    for (size_t u = 0; u < set->user_count; u++) {
        piaa_random_seed_numpy(&s.random, (uint32_t)u);
        begin_person(&s, set, store, &set->users[u]);
        for (size_t k = 0; k < SIZES; k++) {
            double now, then, left, unused, ahead;
            if (!learn_first(&s, sizes[k] + MORE, &then, &unused, &error) ||
                !learn_first(&s, sizes[k], &now, &left, &error))
                return fail(&error);
            const piaa_compared said = {.photos = s.photos, .kernel = s.kernel, .stars = s.stars};
            if (!piaa_outlook(&said, left, MORE, &ahead, &error)) return fail(&error);
            const double people = (double)set->user_count;
            error_there[k] += now / people;
            came[k] += (1 - then / now) / people;
            told[k] += (1 - ahead / left) / people;
            off[k] += fabs(ahead / left - then / now) / people;
        }
        end_person(&s);
    }
    printf("%zu people; ratings, error on other photos, by how much ten more lower it: foretold, "
           "came, apart for one person\n",
           set->user_count);
    for (size_t k = 0; k < SIZES; k++)
        printf("%4lld   ± %.3f   %4.1f %%   %4.1f %%   %4.1f %%\n", (long long)sizes[k],
               error_there[k], 100 * told[k], 100 * came[k], 100 * off[k]);
    piaa_store_close(store);
    piaa_dataset_close(set);
    return 0;
}

int main(int argc, char **argv) {
    piaa_blas_hold();
    if (argc >= 2 && strcmp(argv[1], "time") == 0) return time_all(argc > 2 ? atof(argv[2]) : 1);
    if (argc >= 4 && strcmp(argv[1], "simulate") == 0) {
        simulation s = {.noise = argc > 4 ? atof(argv[4]) : 0.5,
                        .star_seconds = argc > 5 ? atof(argv[5]) : 6,
                        .pair_seconds = argc > 6 ? atof(argv[6]) : 4};
        return simulate(argv[2], argv[3], &s, argc > 7 ? (size_t)atoi(argv[7]) : 3);
    }
    if (argc == 4 && strcmp(argv[1], "outlook") == 0) return foretell(argv[2], argv[3]);
    fprintf(stderr,
            "usage: bench_pairs time [SECONDS]\n"
            "       bench_pairs outlook STORE SET\n"
            "       bench_pairs simulate STORE SET [NOISE STAR_SECONDS PAIR_SECONDS ROUNDS]\n");
    return 2;
}

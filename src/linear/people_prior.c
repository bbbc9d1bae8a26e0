/*
 * A prior of one person's weights from other people's ratings, by expectation maximisation.
 *
 * Person p has rated n photos; Z [n, dim] are their features, standardised by one scaler for all
 * people, Z and the scores y both less their means over the person's photos (so that no intercept
 * is left; the noise then has n - 1 degrees of freedom).  The model is
 *
 *     y = Z w + noise,   w = m + B u + v,   u ~ N(0, I),   v ~ N(0, e I),   noise ~ N(0, s I),
 *
 * with mean weights m [dim] and directions B [dim, rank] that all people share.  Nothing is ever as
 * large as dim x dim, since v can be taken out: with C = ZB, G = ZZ' and r = y - Zm,
 *
 *     S = CC' + eG + sI   [n, n],    log p(y) = -(r'S^-1 r + log|S| - log s + (n-1) log 2 pi) / 2
 *
 * (the vector of ones is an eigenvector of S, with value s, that does not count).
 *
 * Expectation.  With c = S^-1 r and D = S^-1 C, given y:
 *
 *     E u = C'c,  cov u = I - C'D,  E v = e Z'c,  cov(v, u) = -e Z'D,
 *     E |v|^2 = e dim + e c'(eG)c - e tr(S^-1 eG),    eG = S - sI - CC',
 *     E |noise|^2 = s (n - 1) + s^2 |c|^2 - s (s tr S^-1 - 1).
 *
 * Maximisation.  Let W = [m B], t = (1, u), T = sum over people of E tt', and let
 * V = sum of E vt' = e sum of Z'R, R = [c E t' - (0, D)].  W becomes  W + V T^-1, which raises the
 * likelihood of all weights; e becomes the mean of |v - (change of W) t|^2 / dim, s the mean of
 * |noise|^2 / (n - 1).  No step lowers the likelihood of the ratings (Dempster, Laird and Rubin
 * 1977).
 *
 * Beginning.  Without m and B the likelihood is a function of s/e for which one reduction of each
 * person's G does (ridge.c); s and e are its maximum.  What the ridge regressions of that strength
 * give, w_p = Z'(G + s/e)^-1 y, is known in closed form: m is their mean, B their main directions.
 *
 * End.  With thousands of columns and tens or hundreds of people, the maximum of the likelihood is
 * far out where directions follow the noise.  So every fifth person is held out in turn, and
 * iterations end when the likelihood of those that are held out, summed, falls.
 */
#include "linear/people_prior.h"

#include "base/blas.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "linear/columns.h"

#include <cblas.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FOLDS = 5, MOST_ITERATIONS = 50, GRID = 40, NARROWED = 30 };

static const double log_of_turn = 1.8378770664093453; /* log 2 pi */

/* One person, centred. */
typedef struct person {
    int64_t *rows; /* [n] ascending */
    double *y;     /* [n] */
    int64_t n;
    double *products;        /* [n][n] G */
    double *beside, *turned; /* of the reduction of G: T beside its diagonal [n], Q'y [n] */
    double *diagonal;        /* [n] */
} person;

/* What is learned. */
typedef struct state {
    double *w; /* [1 + rank][dim] m and B' */
    double isotropic, noise;
} state;

/* One thread's work. */
typedef struct work {
    double *z;      /* [n + 1][dim] */
    double *c;      /* [n][1 + rank] ZW */
    double *s;      /* [n][n] S, then its inverse */
    double *d;      /* [n][1 + rank] c and D */
    double *r;      /* [n][1 + rank] R */
    double *t, *t2; /* [1 + rank][1 + rank] of one person, and work space */
} work;

/* Sums over people. */
typedef struct totals {
    double *t;                          /* [1 + rank][1 + rank] T */
    double *v;                          /* [1 + rank][dim] V' */
    double square, noise, free, people; /* |v|^2, |noise|^2, n - 1, 1 */
    double evidence;
} totals;

/* Those who learn together: all but every fifth, or all. */
typedef struct fold {
    state now, next;
    totals sums;
    work work;
    double held_out; /* evidence of those held out, of `now` */
} fold;

typedef struct learning {
    piaa_columns *columns; /* of all rated rows */
    int64_t *rated;        /* [columns->n] */
    int dim;
    person *people;
    size_t count;
    int rank;
    int64_t largest;       /* ratings of a person */
    fold folds[FOLDS + 1]; /* the last: of all people */
} learning;

static size_t width_of(const learning *l) {
    return (size_t)l->rank + 1;
}

/* --------------------------------------------------------------------------------------- people */

typedef struct rated {
    int64_t row;
    double score;
} rated;

static int by_row(const void *left, const void *right) {
    const rated *a = left, *b = right;
    if (a->row != b->row) return a->row < b->row ? -1 : 1;
    return (a->score > b->score) - (a->score < b->score);
}

/* By what they rated, so that the order in which people are given does not matter. */
static int by_ratings(const void *left, const void *right) {
    const person *a = left, *b = right;
    if (a->n != b->n) return a->n < b->n ? -1 : 1;
    for (int64_t i = 0; i < a->n; i++) {
        if (a->rows[i] != b->rows[i]) return a->rows[i] < b->rows[i] ? -1 : 1;
        if (a->y[i] != b->y[i]) return a->y[i] < b->y[i] ? -1 : 1;
    }
    return 0;
}

static int by_number(const void *left, const void *right) {
    const int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

/* The ratings sorted, and as many of them as are looked at. */
static bool take_rater(person *to, const piaa_rater *from, rated *sorted, piaa_error *error) {
    const size_t all = (size_t)from->n,
                 n = all < PIAA_PEOPLE_PRIOR_MOST ? all : PIAA_PEOPLE_PRIOR_MOST;
    for (size_t i = 0; i < all; i++) {
        sorted[i] = (rated){from->rows[i], from->scores[i]};
        if (!isfinite(from->scores[i]))
            return piaa_error_set(error, PIAA_FORMAT, "a score is not a finite number: %g",
                                  from->scores[i]);
    }
    qsort(sorted, all, sizeof *sorted, by_row);
    if (!(to->rows = piaa_alloc_array(n, sizeof *to->rows, error)) ||
        !(to->y = piaa_alloc_array(n, sizeof *to->y, error)))
        return false;
    to->n = (int64_t)n;
    for (size_t i = 0; i < n; i++) {
        const rated *one = &sorted[i * all / n];
        to->rows[i] = one->row;
        to->y[i] = one->score;
    }
    return true;
}

static bool says_something(const person *one) {
    for (int64_t i = 1; i < one->n; i++)
        if (one->y[i] != one->y[0]) return true;
    return false;
}

static void free_person(person *one) {
    free(one->rows);
    free(one->y);
    free(one->products);
    free(one->diagonal);
}

static void centre(double *values, size_t n, size_t stride) {
    double mean = 0;
    for (size_t i = 0; i < n; i++) mean += values[i * stride];
    mean /= (double)n;
    for (size_t i = 0; i < n; i++) values[i * stride] -= mean;
}

static bool take_people(learning *l, const piaa_rater *raters, size_t count, piaa_error *error) {
    int64_t most = 0;
    for (size_t p = 0; p < count; p++)
        if (raters[p].n > most) most = raters[p].n;
    rated *sorted = piaa_alloc_array((size_t)most, sizeof *sorted, error);
    bool ok = sorted && (l->people = piaa_alloc(count, sizeof *l->people, error));
    for (size_t p = 0; ok && p < count; p++) {
        person *one = &l->people[l->count++];
        ok = take_rater(one, &raters[p], sorted, error);
        if (!ok || says_something(one)) continue;
        free_person(one);
        *one = (person){0};
        l->count--;
    }
    free(sorted);
    if (!ok) return false;
    if (l->count < PIAA_PEOPLE_PRIOR_LEAST)
        return piaa_error_set(error, PIAA_USAGE,
                              "a prior is learned from at least %d people who gave different "
                              "scores, and there are %zu",
                              PIAA_PEOPLE_PRIOR_LEAST, l->count);
    qsort(l->people, l->count, sizeof *l->people, by_ratings);
    for (size_t p = 0; p < l->count; p++) {
        centre(l->people[p].y, (size_t)l->people[p].n, 1);
        if (l->people[p].n > l->largest) l->largest = l->people[p].n;
    }
    return true;
}

/* The scaler, of every rated row once. */
static bool measure_rows(learning *l, const float *x, piaa_error *error) {
    size_t all = 0, kept = 0;
    for (size_t p = 0; p < l->count; p++) all += (size_t)l->people[p].n;
    if (!(l->rated = piaa_alloc_array(all, sizeof *l->rated, error))) return false;
    all = 0;
    for (size_t p = 0; p < l->count; p++)
        for (int64_t i = 0; i < l->people[p].n; i++) l->rated[all++] = l->people[p].rows[i];
    qsort(l->rated, all, sizeof *l->rated, by_number);
    for (size_t i = 0; i < all; i++)
        if (!i || l->rated[i] != l->rated[i - 1]) l->rated[kept++] = l->rated[i];
    const piaa_band band = {.x = x, .rows = l->rated, .dim = l->dim};
    return (l->columns = piaa_columns_new(&band, 1, (int64_t)kept, error));
}

/* Z of one person; z has room for a row more. */
static void features_of(const learning *l, const person *one, double *z) {
    piaa_band band = l->columns->bands[0];
    piaa_columns own = *l->columns;
    const size_t dim = (size_t)own.dim, n = (size_t)one->n;
    double *mean = z + n * dim;
    band.rows = one->rows;
    own.bands = &band;
    own.n = one->n;
    piaa_columns_standardise(&own, 0, one->n, 0, own.dim, z);
    memset(mean, 0, dim * sizeof *mean);
    for (size_t i = 0; i < n; i++) cblas_daxpy(own.dim, 1 / (double)n, z + i * dim, 1, mean, 1);
    for (size_t i = 0; i < n; i++) cblas_daxpy(own.dim, -1, mean, 1, z + i * dim, 1);
}

/* G, its reduction, and y in its terms. */
static bool reduce_person(learning *l, person *one, work *w, piaa_error *error) {
    const size_t n = (size_t)one->n;
    const int side = (int)one->n;
    if (!(one->products = piaa_alloc_array(n * n, sizeof(double), error)) ||
        !(one->diagonal = piaa_alloc_array(3 * n, sizeof(double), error)))
        return false;
    one->beside = one->diagonal + n;
    one->turned = one->beside + n;
    features_of(l, one, w->z);
    cblas_dsyrk(CblasRowMajor, CblasUpper, CblasNoTrans, side, l->dim, 1, w->z, l->dim, 0,
                one->products, side);
    memcpy(w->s, one->products, n * n * sizeof(double));
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++) one->products[i * n + j] = one->products[j * n + i];
    if (!piaa_blas_tridiagonalise(side, w->s, one->diagonal, one->beside, error)) return false;
    cblas_dgemv(CblasRowMajor, CblasNoTrans, side, side, 1, w->s, side, one->y, 1, 0, one->turned,
                1);
    return true;
}

/* ------------------------------------------------------------------------------------ beginning */

static bool takes_part(size_t which, size_t who) {
    return which == FOLDS || who % FOLDS != which;
}

/* y'(G/alpha + I)^-1 y of one person, and log|G/alpha + I| in *logs. */
static double plain_square(const person *one, double alpha, double *logs) {
    double lower = 0, before = 0, carried = 0, square = 0;
    *logs = 0;
    for (size_t k = 0; k < (size_t)one->n; k++) {
        const double pivot = fmax(one->diagonal[k] / alpha + 1 - carried, 1);
        const double beside = k + 1 < (size_t)one->n ? one->beside[k] / alpha : 0;
        before = one->turned[k] - lower * before;
        square += before * before / pivot;
        *logs += log(pivot);
        lower = beside / pivot;
        carried = beside * lower;
    }
    return square;
}

/* Log-likelihood of one fold's people without m and B, where s/e is alpha; *noise becomes s. */
static double plain_evidence(const learning *l, size_t which, double alpha, double *noise) {
    double squares = 0, logs = 0, free = 0, own;
    for (size_t p = 0; p < l->count; p++) {
        if (!takes_part(which, p)) continue;
        squares += plain_square(&l->people[p], alpha, &own);
        logs += own;
        free += (double)l->people[p].n - 1;
    }
    *noise = squares / free;
    return -(free * (log(*noise) + 1 + log_of_turn) + logs) / 2;
}

/* The same of those that the fold holds out, with this noise. */
static double plain_held_out(const learning *l, size_t which, double alpha, double noise) {
    double sum = 0, logs;
    for (size_t p = which; p < l->count; p += FOLDS) {
        const double square = plain_square(&l->people[p], alpha, &logs);
        sum -=
            (((double)l->people[p].n - 1) * (log(noise) + log_of_turn) + logs + square / noise) / 2;
    }
    return sum;
}

/* s and e at the maximum of that: on a grid of alphas from 0.01 to 10^8, then narrowed by the
   golden section. */
static void begin_variances(const learning *l, size_t which, state *out) {
    static const double step = 0.25, golden = 0.6180339887498949;
    double best = 0, most = -INFINITY, noise;
    for (int i = 0; i <= GRID; i++) {
        const double at = -2 + step * i, here = plain_evidence(l, which, pow(10, at), &noise);
        if (!(here > most)) continue;
        most = here;
        best = at;
    }
    double low = best - step, high = best + step;
    for (int i = 0; i < NARROWED; i++) {
        const double a = high - golden * (high - low), b = low + golden * (high - low);
        if (plain_evidence(l, which, pow(10, a), &noise) >=
            plain_evidence(l, which, pow(10, b), &noise))
            high = b;
        else
            low = a;
    }
    const double alpha = pow(10, (low + high) / 2);
    plain_evidence(l, which, alpha, &out->noise);
    out->isotropic = out->noise / alpha;
}

/* Rows of `from` [count][dim] become their mean and, divided by sqrt(count), the `rank` longest
   main directions of what is left, in out [1 + rank][dim]. */
static bool principal(double *from, size_t count, const learning *l, double *out,
                      piaa_error *error) {
    const size_t dim = (size_t)l->dim;
    const int side = (int)count, d = l->dim;
    double *gram = piaa_alloc_array(count * (count + 1), sizeof *gram, error);
    if (!gram) return false;
    double *values = gram + count * count;
    memset(out, 0, width_of(l) * dim * sizeof *out);
    for (size_t p = 0; p < count; p++) cblas_daxpy(d, 1 / (double)count, from + p * dim, 1, out, 1);
    for (size_t p = 0; p < count; p++) cblas_daxpy(d, -1, out, 1, from + p * dim, 1);
    cblas_dsyrk(CblasRowMajor, CblasUpper, CblasNoTrans, side, d, 1, from, d, 0, gram, side);
    const bool ok = piaa_blas_eigen(side, gram, values, error);
    for (size_t k = 0; ok && k < (size_t)l->rank && k < count; k++)
        cblas_dgemv(CblasRowMajor, CblasTrans, side, d, 1 / sqrt((double)count), from, d,
                    gram + (count - 1 - k) * count, 1, 0, out + (k + 1) * dim, 1);
    free(gram);
    return ok;
}

/* Z'(G + alpha)^-1 y of one person. */
static bool ridge_of(const learning *l, const person *one, double alpha, work *w, double *out,
                     piaa_error *error) {
    const size_t n = (size_t)one->n;
    const int side = (int)one->n, d = l->dim;
    double unused;
    memcpy(w->s, one->products, n * n * sizeof(double));
    for (size_t i = 0; i < n; i++) w->s[i * (n + 1)] += alpha;
    if (!piaa_blas_invert(side, w->s, &unused, error)) return false;
    cblas_dgemv(CblasRowMajor, CblasNoTrans, side, side, 1, w->s, side, one->y, 1, 0, w->d, 1);
    features_of(l, one, w->z);
    cblas_dgemv(CblasRowMajor, CblasTrans, side, d, 1, w->z, d, w->d, 1, 0, out, 1);
    return true;
}

static bool begin_directions(learning *l, size_t which, piaa_error *error) {
    fold *f = &l->folds[which];
    const size_t dim = (size_t)l->dim;
    double *all = piaa_alloc_array(l->count * dim, sizeof *all, error);
    const double alpha = f->now.noise / f->now.isotropic;
    size_t count = 0;
    bool ok = all;
    for (size_t p = 0; ok && p < l->count; p++)
        if (takes_part(which, p))
            ok = ridge_of(l, &l->people[p], alpha, &f->work, all + count++ * dim, error);
    ok = ok && principal(all, count, l, f->now.w, error);
    free(all);
    return ok;
}

/* ----------------------------------------------------------------------------------- expectation
 */

/* S^-1, c and D of one person; returns log p(y), NaN where it cannot be had. */
static double solve_person(const learning *l, const person *one, const state *now, work *w,
                           piaa_error *error) {
    const size_t n = (size_t)one->n, width = width_of(l);
    const int side = (int)one->n, wide = (int)width, d = l->dim;
    double log_determinant, square = 0;
    features_of(l, one, w->z);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, side, wide, d, 1, w->z, d, now->w, d, 0,
                w->c, wide);
    for (size_t i = 0; i < n * n; i++) w->s[i] = now->isotropic * one->products[i];
    for (size_t i = 0; i < n; i++) {
        w->s[i * (n + 1)] += now->noise;
        w->c[i * width] = one->y[i] - w->c[i * width]; /* r, beside C */
    }
    if (wide > 1)
        cblas_dsyrk(CblasRowMajor, CblasUpper, CblasNoTrans, side, wide - 1, 1, w->c + 1, wide, 1,
                    w->s, side);
    if (!piaa_blas_invert(side, w->s, &log_determinant, error)) return NAN;
    cblas_dsymm(CblasRowMajor, CblasLeft, CblasUpper, side, wide, 1, w->s, side, w->c, wide, 0,
                w->d, wide);
    for (size_t i = 0; i < n; i++) square += w->c[i * width] * w->d[i * width];
    return -(square + log_determinant - log(now->noise) + ((double)n - 1) * log_of_turn) / 2;
}

/* What one person adds to the sums. */
static void add_person(const learning *l, const person *one, const state *now, const work *w,
                       totals *sums) {
    const size_t n = (size_t)one->n, width = width_of(l);
    const int side = (int)one->n, wide = (int)width, d = l->dim;
    const double *c = w->c, *solved = w->d;
    double trace = 0, square = 0, fitted = 0, left = 0, explained = 0;
    /* t2 = [r C]'[c D]: its first column is r'c and E u, the rest of its diagonal C'D. */
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, wide, wide, side, 1, c, wide, solved, wide,
                0, w->t2, wide);
    double *t = w->t;
    for (size_t i = 0; i < width; i++)
        for (size_t j = 0; j < width; j++) {
            const double a = i ? w->t2[i * width] : 1, b = j ? w->t2[j * width] : 1;
            const double covariance =
                i && j ? (i == j) - (w->t2[i * width + j] + w->t2[j * width + i]) / 2 : 0;
            t[i * width + j] = a * b + covariance;
            sums->t[i * width + j] += t[i * width + j];
        }
    for (size_t i = 0; i < n; i++) {
        trace += w->s[i * (n + 1)];
        square += solved[i * width] * solved[i * width];
        for (size_t j = 0; j < width; j++)
            w->r[i * width + j] =
                solved[i * width] * (j ? w->t2[j * width] : 1) - (j ? solved[i * width + j] : 0);
    }
    fitted = w->t2[0];
    for (size_t j = 1; j < width; j++) {
        left += w->t2[j * width] * w->t2[j * width];
        explained += w->t2[j * width + j];
    }
    const double s = now->noise, e = now->isotropic;
    sums->square +=
        e * (fitted - s * square - left) + e * d - e * ((double)n - s * trace - explained);
    sums->noise += s * ((double)n - 1) + s * s * square - s * (s * trace - 1);
    sums->free += (double)n - 1;
    sums->people++;
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, wide, d, side, e, w->r, wide, w->z, d, 1,
                sums->v, d);
}

/* ---------------------------------------------------------------------------------- maximisation
 */

/* next from now and the sums, which are used up. */
static bool maximise(const learning *l, const state *now, totals *sums, state *next,
                     piaa_error *error) {
    const size_t width = width_of(l), all = width * (size_t)l->dim;
    const int wide = (int)width, d = l->dim;
    double unused, change = 0;
    if (!piaa_blas_invert(wide, sums->t, &unused, error)) return false;
    /* The change of W' is T^-1 V', and sum of |v - (change) t|^2 = sum of |v|^2 - change.V. */
    cblas_dsymm(CblasRowMajor, CblasLeft, CblasUpper, wide, d, 1, sums->t, wide, sums->v, d, 0,
                next->w, d);
    for (size_t i = 0; i < all; i++) {
        change += next->w[i] * sums->v[i];
        next->w[i] += now->w[i];
    }
    next->isotropic = (sums->square - change) / (sums->people * d);
    next->noise = sums->noise / sums->free;
    if (next->isotropic > 0 && next->noise > 0 && isfinite(next->isotropic + next->noise))
        return true;
    return piaa_error_set(error, PIAA_USAGE,
                          "the ratings follow the features to the last digit, so that no noise is "
                          "left to learn");
}

/* One iteration of a fold, from `now` to `next`, with the evidence of `now`. */
static bool iterate(void *user, size_t which, piaa_error *error) {
    learning *l = user;
    fold *f = &l->folds[which];
    totals *sums = &f->sums;
    const size_t width = width_of(l), all = width * (size_t)l->dim;
    memset(sums->t, 0, width * width * sizeof *sums->t);
    memset(sums->v, 0, all * sizeof *sums->v);
    sums->square = sums->noise = sums->free = sums->people = sums->evidence = f->held_out = 0;
    for (size_t p = 0; p < l->count; p++) {
        const double evidence = solve_person(l, &l->people[p], &f->now, &f->work, error);
        if (isnan(evidence))
            return piaa_error_set(error, PIAA_USAGE,
                                  "the features are too large, or too alike, to learn from");
        if (!takes_part(which, p)) {
            f->held_out += evidence;
            continue;
        }
        sums->evidence += evidence;
        add_person(l, &l->people[p], &f->now, &f->work, sums);
    }
    return maximise(l, &f->now, sums, &f->next, error);
}

static void advance(fold *f) {
    const state was = f->now;
    f->now = f->next;
    f->next = was;
}

/* -------------------------------------------------------------------------------------- together
 */

static bool make_work(const learning *l, work *w, piaa_error *error) {
    const size_t n = (size_t)l->largest, width = width_of(l), dim = (size_t)l->dim;
    return (w->z = piaa_alloc_array((n + 1) * dim, sizeof(double), error)) &&
           (w->s = piaa_alloc_array(n * n, sizeof(double), error)) &&
           (w->c = piaa_alloc_array(3 * n * width + 2 * width * width, sizeof(double), error)) &&
           (w->d = w->c + n * width) && (w->r = w->d + n * width) && (w->t = w->r + n * width) &&
           (w->t2 = w->t + width * width);
}

static bool make_fold(const learning *l, fold *f, piaa_error *error) {
    const size_t all = width_of(l) * (size_t)l->dim;
    return make_work(l, &f->work, error) &&
           (f->now.w = piaa_alloc_array(all, sizeof(double), error)) &&
           (f->next.w = piaa_alloc_array(all, sizeof(double), error)) &&
           (f->sums.v = piaa_alloc_array(all, sizeof(double), error)) &&
           (f->sums.t = piaa_alloc_array(width_of(l) * width_of(l), sizeof(double), error));
}

static void free_fold(fold *f) {
    free(f->work.z);
    free(f->work.s);
    free(f->work.c);
    free(f->now.w);
    free(f->next.w);
    free(f->sums.v);
    free(f->sums.t);
}

static void free_learning(learning *l) {
    for (size_t p = 0; p < l->count; p++) free_person(&l->people[p]);
    for (size_t f = 0; f <= FOLDS; f++) free_fold(&l->folds[f]);
    free(l->people);
    free(l->rated);
    piaa_columns_free(l->columns);
}

static bool begin_fold(void *user, size_t which, piaa_error *error) {
    learning *l = user;
    begin_variances(l, which, &l->folds[which].now);
    return begin_directions(l, which, error);
}

/* How many iterations those who are held out gain by. */
static bool choose_iterations(learning *l, int threads, int *out, double *gain, piaa_error *error) {
    double plain = 0, best = -INFINITY, free = 0;
    if (!piaa_parallel_run(FOLDS, threads, begin_fold, l, "", NULL, error)) return false;
    for (size_t f = 0; f < FOLDS; f++) {
        const state *now = &l->folds[f].now;
        plain += plain_held_out(l, f, now->noise / now->isotropic, now->noise);
    }
    for (size_t p = 0; p < l->count; p++) free += (double)l->people[p].n - 1;
    *out = 0;
    for (int i = 0; i <= MOST_ITERATIONS; i++) {
        double sum = 0;
        if (!piaa_parallel_run(FOLDS, threads, iterate, l, "", NULL, error)) return false;
        for (size_t f = 0; f < FOLDS; f++) {
            sum += l->folds[f].held_out;
            advance(&l->folds[f]);
        }
        if (!(sum > best)) break;
        best = sum;
        *out = i;
    }
    *gain = (best - plain) / free;
    return true;
}

/* Directions at right angles, the longest first, which span the same ellipsoid. */
static bool turn(const learning *l, const state *now, piaa_people_prior *prior, piaa_error *error) {
    const size_t dim = (size_t)l->dim, rank = (size_t)l->rank;
    const int d = l->dim, k = l->rank;
    const double *b = now->w + dim;
    memcpy(prior->weights, now->w, dim * sizeof *b);
    if (!k) return true;
    double *gram = piaa_alloc_array(rank * (rank + 1), sizeof *gram, error);
    if (!gram) return false;
    cblas_dsyrk(CblasRowMajor, CblasUpper, CblasNoTrans, k, d, 1, b, d, 0, gram, k);
    const bool ok = piaa_blas_eigen(k, gram, gram + rank * rank, error);
    for (size_t i = 0; ok && i < rank; i++) {
        double *out = prior->directions + i * dim;
        cblas_dgemv(CblasRowMajor, CblasTrans, k, d, 1, b, d, gram + (rank - 1 - i) * rank, 1, 0,
                    out, 1);
        if (out[cblas_idamax(d, out, 1)] < 0) cblas_dscal(d, -1, out, 1);
    }
    free(gram);
    return ok;
}

static bool learn_all(learning *l, piaa_people_prior *prior, piaa_error *error) {
    fold *all = &l->folds[FOLDS];
    if (!(prior->evidence = piaa_alloc((size_t)prior->iterations + 1, sizeof(double), error)) ||
        !begin_fold(l, FOLDS, error))
        return false;
    for (int i = 0; i <= prior->iterations; i++) {
        if (!iterate(l, FOLDS, error)) return false;
        prior->evidence[i] = all->sums.evidence;
        if (i < prior->iterations) advance(all);
    }
    const size_t bytes = (size_t)prior->dim * sizeof(double);
    memcpy(prior->mean, l->columns->mean, bytes);
    memcpy(prior->scale, l->columns->scale, bytes);
    prior->isotropic = all->now.isotropic;
    prior->noise = all->now.noise;
    prior->raters = (int64_t)l->count;
    for (size_t p = 0; p < l->count; p++) prior->ratings += l->people[p].n;
    return turn(l, &all->now, prior, error);
}

static bool learn(learning *l, const float *x, const piaa_rater *raters, size_t count,
                  const piaa_people_prior_options *options, piaa_people_prior **out,
                  piaa_error *error) {
    if (!take_people(l, raters, count, error) || !measure_rows(l, x, error)) return false;
    l->rank = options->directions ? options->directions : PIAA_PEOPLE_PRIOR_DIRECTIONS;
    const int threads = piaa_blas_callers(options->threads > 1 ? options->threads : 1),
              people = (int)l->count - 1;
    if (l->rank > people) l->rank = people;
    if (l->rank > l->dim) l->rank = l->dim;
    if (!piaa_blas_room(threads, error)) return false;
    for (size_t f = 0; f <= FOLDS; f++)
        if (!make_fold(l, &l->folds[f], error)) return false;
    for (size_t p = 0; p < l->count; p++)
        if (!reduce_person(l, &l->people[p], &l->folds[FOLDS].work, error)) return false;
    if (!(*out = piaa_people_prior_new(l->dim, l->rank, error))) return false;
    (*out)->iterations = options->iterations;
    (*out)->gain = NAN;
    return (options->iterations ||
            choose_iterations(l, threads, &(*out)->iterations, &(*out)->gain, error)) &&
           learn_all(l, *out, error);
}

piaa_people_prior *piaa_people_prior_learn(const float *x, int dim, const piaa_rater *raters,
                                           size_t count, const piaa_people_prior_options *options,
                                           piaa_error *error) {
    static const piaa_people_prior_options usual = {0};
    if (!x || !raters || dim < 1) {
        piaa_error_missing(error, raters ? "features" : "ratings");
        return NULL;
    }
    learning l = {.dim = dim};
    piaa_people_prior *prior = NULL;
    if (!learn(&l, x, raters, count, options ? options : &usual, &prior, error)) {
        piaa_people_prior_free(prior);
        prior = NULL;
    }
    free_learning(&l);
    return prior;
}

piaa_people_prior *piaa_people_prior_new(int dim, int rank, piaa_error *error) {
    piaa_people_prior *prior = piaa_alloc(1, sizeof *prior, error);
    const size_t d = (size_t)dim;
    if (!prior) return NULL;
    prior->dim = dim;
    prior->rank = rank;
    if (!(prior->mean = piaa_alloc((3 + (size_t)rank) * d, sizeof(double), error))) {
        free(prior);
        return NULL;
    }
    prior->scale = prior->mean + d;
    prior->weights = prior->scale + d;
    prior->directions = prior->weights + d;
    return prior;
}

void piaa_people_prior_free(piaa_people_prior *prior) {
    if (!prior) return;
    free(prior->mean);
    free(prior->evidence);
    free(prior);
}

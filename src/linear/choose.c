/*
 * The photo that teaches most.
 *
 * A person's scores are taken for  f(z) = b + w'z  of standardised features z [dim], with
 * w ~ N(0, I), the mean b ~ N(0, u), and a rating for f + N(0, lambda): the ridge with alpha =
 * lambda, in units in which what is rated sets no scale.  What is known of the scores after some
 * ratings is a covariance that does not depend on what these ratings were, so that the next photo
 * can be chosen before they are given.  With psi_x = (z_x, sqrt(u)), tau_z = (z, 0) and S the
 * covariance of (w, b / sqrt(u)), which begins as I,
 *
 *     c(z, x) = tau_z' S psi_x    between the score of z, less the mean, and a rating of x
 *     v(x)    = psi_x' S psi_x    of the score of x; a rating of it varies by v(x) + lambda
 *
 * and a rating of x lowers the variance of the score of z by c(z, x)^2 / (v(x) + lambda).  The
 * V-optimal photo lowers their sum over all photos most (Yu, Bi, Tresp 2006; "V" as in Chaloner and
 * Verdinelli 1995).  That the mean is not known, and is not what the photos are put in order by,
 * keeps the first ratings from being spent on it: one rating alone tells of the mean what it might
 * tell of the photo.  u and lambda begin as the mean of |z|^2, which is the number of columns that
 * are not constant: a photo's taste, the mean and what is no taste are equally large.
 *
 * With M = sum over photos of tau tau', the gain is  g(x) / (v(x) + lambda),  g(x) = psi'S M S psi.
 * Once x* is rated, with s = S psi*, t = S M s, e = v(x*) + lambda, a = psi_x's, b = psi_x't,
 *
 *     S' = S - s s' / e      v'(x) = v(x) - a^2 / e      g'(x) = g(x) - 2 a b / e + a^2 s'M s / e^2
 *
 * so that a choice costs one pass over the features, whatever was rated before.
 *
 * Features of many columns are held in the `rank` directions that hold most of their variance:
 * Phi = Z V, V orthonormal, by subspace iteration on at most SAMPLE photos spread over all (Halko,
 * Martinsson, Tropp 2011, with the products that a sample allows).  Where all photos are no more
 * than `rank` V spans them, and where the columns are no more V is I: then the choice is exact.
 * What the directions leave out, rho(x) = |z_x|^2 - |phi_x|^2, is taken for each photo's own, known
 * to no other: it adds to v(x) and tells nothing of other photos (the "fully independent training
 * conditional" of Snelson and Ghahramani 2006).
 */
#include "linear/choose.h"

#include "base/blas.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "base/random.h"
#include "linear/columns.h"
#include "linear/near.h"

#include <cblas.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    SAMPLE = 2048,      /* photos that scaler and directions are learned from */
    NEAR_SAMPLE = 1024, /* that tell how near copies are */
    ROUNDS = 2,         /* of the subspace iteration */
    ROWS = 16,          /* photos that are standardised at a time */
    STRIP = 512,        /* photos that are projected, or passed over, at a time */
    TOGETHER = 16,      /* copies that copies are looked for of at a time */
};

const char *const piaa_strategy_names[PIAA_STRATEGIES] = {"v-optimal", "variance", "k-center",
                                                          "random"};

piaa_strategy piaa_strategy_find(const char *name) {
    int i = 0;
    while (i < PIAA_STRATEGIES && strcmp(piaa_strategy_names[i], name) != 0) i++;
    return (piaa_strategy)i;
}

struct piaa_chooser {
    piaa_choosing choosing;
    const float *x; /* [*][first] of the first band */
    int64_t *rows;  /* [all] of x: the photos', then those of what is rated */
    size_t n, all;
    int first, dim;     /* columns of the first band, and of all */
    size_t rank, width; /* width = rank + 1: psi = (phi, sqrt(u)) */
    piaa_near *near;
    piaa_random random;
    double noise;
    double *psi;                 /* [all][width] */
    double *square;              /* [all] |phi|^2 */
    double *left_out;            /* [all] rho */
    double *variance, *reach;    /* [all] v, g */
    double *distance;            /* [all] squared, to the nearest that is rated */
    double *covariance, *moment; /* [width][width] S, M */
    double *told;                /* [width] */
    double *sums;                /* [TOGETHER][all] what a pass gives */
    double *asked;               /* [TOGETHER][width] what it is asked */
    bool *blocked;               /* [all] rated, chosen, or a copy of such */
    size_t *queue;               /* [all] whose copies are looked for */
    size_t rated;
    int64_t left;
};

static const float *row_of(const piaa_chooser *c, size_t i) {
    return c->x + c->rows[i] * c->first;
}

static const double *psi_of(const piaa_chooser *c, size_t i) {
    return c->psi + i * c->width;
}

/* ----------------------------------------------------------------------------------- directions */

/* What is made on the way to psi. */
typedef struct projecting {
    piaa_chooser *c;
    const piaa_band *bands;
    int count;
    piaa_columns *columns; /* of all rows, with the sample's scaler */
    double *basis;         /* [rank][dim] V'; NULL: I */
    float *rough;          /* the same, for the products of many photos; NULL: `basis` is used */
} projecting;

/* Photo k of `count` that are spread over all n. */
static size_t spread(size_t k, size_t count, size_t n) {
    return k * n / count;
}

/* Standardised rows as float32 out [count][dim], and their squared lengths (NULL: nobody asks). */
static bool standardise(const piaa_columns *columns, size_t first, size_t count, float *out,
                        double *squares, piaa_error *error) {
    const size_t d = (size_t)columns->dim;
    double *z = piaa_alloc_array(ROWS * d, sizeof *z, error);
    if (!z) return false;
    for (size_t i = 0, some; i < count; i += some) {
        some = count - i < ROWS ? count - i : ROWS;
        piaa_columns_standardise(columns, (int64_t)(first + i), (int64_t)some, 0, columns->dim, z);
        for (size_t k = 0; k < some * d; k++) out[i * d + k] = (float)z[k];
        for (size_t k = 0; squares && k < some; k++)
            squares[i + k] = cblas_ddot((int)d, z + k * d, 1, z + k * d, 1);
    }
    free(z);
    return true;
}

/* About normal. */
static float normal(piaa_random *random) {
    double sum = -2;
    for (int k = 0; k < 4; k++) sum += piaa_random_unit(random);
    return (float)sum;
}

/* V from random mixtures of the sample's rows, Z'Z applied to them and made orthonormal in turns.
   mixed [count][rank]. */
static bool iterate(projecting *p, const float *z, size_t count, float *mixed, piaa_error *error) {
    const size_t d = (size_t)p->c->dim, r = p->c->rank;
    for (size_t i = 0; i < count * r; i++) mixed[i] = normal(&p->c->random);
    for (int round = 0;; round++) {
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)r, (int)d, (int)count, 1, mixed,
                    (int)r, z, (int)d, 0, p->rough, (int)d);
        for (size_t i = 0; i < r * d; i++) p->basis[i] = (double)p->rough[i];
        if (!piaa_blas_orthonormalise((int)d, (int)r, p->basis, error)) return false;
        for (size_t i = 0; i < r * d; i++) p->rough[i] = (float)p->basis[i];
        if (round == ROUNDS) return true;
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)count, (int)r, (int)d, 1, z,
                    (int)d, p->rough, (int)d, 0, mixed, (int)r);
    }
}

static bool find_directions(projecting *p, size_t count, piaa_error *error) {
    const size_t r = p->c->rank, d = (size_t)p->c->dim;
    float *z = piaa_alloc_array(count * d, sizeof *z, error),
          *mixed = z ? piaa_alloc_array(count * r, sizeof *mixed, error) : NULL;
    p->rough = mixed ? piaa_alloc_array(r * d, sizeof *p->rough, error) : NULL;
    const bool ok = p->rough && standardise(p->columns, 0, count, z, NULL, error) &&
                    iterate(p, z, count, mixed, error);
    free(z);
    free(mixed);
    return ok;
}

/* The columns of the sample, whose rows are `sampled` [bands][size]. */
static bool measure_sample(projecting *p, size_t size, int64_t *sampled, piaa_error *error) {
    piaa_band *bands = piaa_alloc((size_t)p->count, sizeof *bands, error);
    for (int b = 0; bands && b < p->count; b++) {
        int64_t *rows = sampled + (size_t)b * size;
        for (size_t k = 0; k < size; k++) {
            const size_t i = spread(k, size, p->c->n);
            rows[k] = p->bands[b].rows ? p->bands[b].rows[i] : (int64_t)i;
        }
        bands[b] = p->bands[b];
        bands[b].rows = rows;
    }
    p->columns = bands ? piaa_columns_new(bands, p->count, (int64_t)size, error) : NULL;
    free(bands);
    return p->columns;
}

/* Has the columns read all rows, with the sample's scaler. */
static void read_all(projecting *p) {
    for (int b = 0; b < p->count; b++) p->columns->bands[b].rows = p->bands[b].rows;
    p->columns->n = (int64_t)p->c->all;
}

/* Where all photos are no more than the directions. */
static bool span_all(projecting *p, piaa_error *error) {
    piaa_columns_standardise(p->columns, 0, (int64_t)p->c->all, 0, p->c->dim, p->basis);
    return piaa_blas_orthonormalise(p->c->dim, (int)p->c->rank, p->basis, error);
}

/* The scaler of the sample, and the directions. */
static bool prepare(projecting *p, int64_t *sampled, size_t size, piaa_error *error) {
    const piaa_chooser *c = p->c;
    const bool directions = c->rank < (size_t)c->dim, few = c->rank < c->all;
    if (!measure_sample(p, size, sampled, error)) return false;
    if (directions &&
        !(p->basis = piaa_alloc_array(c->rank * (size_t)c->dim, sizeof *p->basis, error)))
        return false;
    if (directions && few && !find_directions(p, size, error)) return false;
    read_all(p);
    return !directions || few || span_all(p, error);
}

/* The float32 products of one strip, where directions are many photos'. */
static bool project_roughly(const projecting *p, size_t first, size_t count, piaa_error *error) {
    const piaa_chooser *c = p->c;
    const size_t d = (size_t)c->dim, r = c->rank;
    float *z = piaa_alloc_array(count * (d + r), sizeof *z, error), *phi = z + count * d;
    if (!z || !standardise(p->columns, first, count, z, c->left_out + first, error)) {
        free(z);
        return false;
    }
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)count, (int)r, (int)d, 1, z, (int)d,
                p->rough, (int)d, 0, phi, (int)r);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < r; j++) c->psi[(first + i) * c->width + j] = (double)phi[i * r + j];
    free(z);
    return true;
}

static bool project_exactly(const projecting *p, size_t first, size_t count, piaa_error *error) {
    const piaa_chooser *c = p->c;
    const size_t d = (size_t)c->dim;
    double *z = piaa_alloc_array(count * d, sizeof *z, error), *psi = c->psi + first * c->width;
    if (!z) return false;
    piaa_columns_standardise(p->columns, (int64_t)first, (int64_t)count, 0, c->dim, z);
    if (p->basis)
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)count, (int)c->rank, (int)d, 1, z,
                    (int)d, p->basis, (int)d, 0, psi, (int)c->width);
    for (size_t i = 0; !p->basis && i < count; i++)
        memcpy(psi + i * c->width, z + i * d, d * sizeof *z);
    free(z);
    return true;
}

/* phi, its length and what it leaves out, of one strip. */
static bool project(void *user, size_t strip, piaa_error *error) {
    const projecting *p = user;
    const piaa_chooser *c = p->c;
    const size_t first = strip * STRIP, rest = c->all - first, count = rest < STRIP ? rest : STRIP;
    if (!(p->rough ? project_roughly : project_exactly)(p, first, count, error)) return false;
    for (size_t i = first; i < first + count; i++) {
        c->square[i] = cblas_ddot((int)c->rank, psi_of(c, i), 1, psi_of(c, i), 1);
        if (!isfinite(c->square[i]) || !isfinite(c->left_out[i]))
            return piaa_error_set(error, PIAA_FORMAT,
                                  "features, row %lld (from 0) holds what is not a finite number; "
                                  "leave that row out or make its features again",
                                  (long long)c->rows[i]);
        c->left_out[i] = p->rough ? fmax(0, c->left_out[i] - c->square[i]) : 0;
    }
    return true;
}

static bool make_features(piaa_chooser *c, const piaa_band *bands, int count, piaa_error *error) {
    projecting p = {.c = c, .bands = bands, .count = count};
    const int threads = piaa_blas_callers(c->choosing.threads);
    const size_t size = c->n < SAMPLE ? c->n : SAMPLE;
    int64_t *sampled = piaa_alloc_array(size * (size_t)count, sizeof *sampled, error);
    const bool ok = sampled && prepare(&p, sampled, size, error) &&
                    piaa_parallel_run((c->all + STRIP - 1) / STRIP, threads, project, &p,
                                      "comparing photos", NULL, error);
    free(sampled);
    piaa_columns_free(p.columns);
    free(p.basis);
    free(p.rough);
    return ok;
}

/* --------------------------------------------------------------------------------------- passes */

/* sums [k][all] = the first `length` numbers of every psi times asked [k][width], for k < count.
   A strip stays in the cache for all of them. */
static void pass(piaa_chooser *c, size_t length, size_t count) {
    for (size_t first = 0; first < c->all; first += STRIP) {
        const size_t rows = c->all - first < STRIP ? c->all - first : STRIP;
        for (size_t k = 0; k < count; k++)
            cblas_dgemv(CblasRowMajor, CblasNoTrans, (int)rows, (int)length, 1, psi_of(c, first),
                        (int)c->width, c->asked + k * c->width, 1, 0, c->sums + k * c->all + first,
                        1);
    }
}

/* Makes S what is known when `i` is rated too; told = S psi_i of before. */
static void tell(piaa_chooser *c, size_t i, double e) {
    const int w = (int)c->width;
    cblas_dsymv(CblasRowMajor, CblasUpper, w, 1, c->covariance, w, psi_of(c, i), 1, 0, c->told, 1);
    cblas_dsyr(CblasRowMajor, CblasUpper, w, -1 / e, c->told, 1, c->covariance, w);
    c->rated++;
}

/* M; S when all rows behind the photos are rated. */
static void begin_covariance(piaa_chooser *c) {
    const int w = (int)c->width;
    cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, (int)c->rank, (int)c->n, 1, c->psi, w, 0,
                c->moment, w);
    for (size_t i = 0; i < c->width; i++) c->covariance[i * (c->width + 1)] = 1;
    for (size_t i = c->n; i < c->all; i++) {
        cblas_dsymv(CblasRowMajor, CblasUpper, w, 1, c->covariance, w, psi_of(c, i), 1, 0, c->told,
                    1);
        tell(c, i, cblas_ddot(w, c->told, 1, psi_of(c, i), 1) + c->left_out[i] + c->noise);
    }
}

static void mirror(double *matrix, size_t side) {
    for (size_t i = 0; i < side; i++)
        for (size_t j = 0; j < i; j++) matrix[i * side + j] = matrix[j * side + i];
}

/* v and g of every photo, a strip at a time: room [2][STRIP][width]. */
static void begin_values(piaa_chooser *c, double *room) {
    const int w = (int)c->width;
    double *reached = room + STRIP * c->width;
    mirror(c->covariance, c->width);
    mirror(c->moment, c->width);
    for (size_t first = 0, rows; first < c->all; first += rows) {
        rows = c->all - first < STRIP ? c->all - first : STRIP;
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)rows, w, w, 1, psi_of(c, first),
                    w, c->covariance, w, 0, room, w);
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)rows, w, w, 1, room, w,
                    c->moment, w, 0, reached, w);
        for (size_t k = 0; k < rows; k++) {
            const double *known = room + k * c->width;
            c->reach[first + k] = cblas_ddot(w, known, 1, reached + k * c->width, 1);
            c->variance[first + k] =
                cblas_ddot(w, known, 1, psi_of(c, first + k), 1) + c->left_out[first + k];
            c->distance[first + k] = INFINITY;
        }
    }
}

/* Photo i, of which a rating is known from now on. */
static void learn(piaa_chooser *c, size_t i) {
    const int w = (int)c->width;
    const double e = c->variance[i] + c->noise;
    double *moved = c->asked + c->width;
    cblas_dsymv(CblasRowMajor, CblasUpper, w, 1, c->covariance, w, psi_of(c, i), 1, 0, c->asked, 1);
    cblas_dsymv(CblasRowMajor, CblasUpper, w, 1, c->moment, w, c->asked, 1, 0, c->told, 1);
    cblas_dsymv(CblasRowMajor, CblasUpper, w, 1, c->covariance, w, c->told, 1, 0, moved, 1);
    const double again = cblas_ddot(w, c->asked, 1, c->told, 1);
    pass(c, c->width, 2);
    const double *a = c->sums, *b = a + c->all;
    for (size_t k = 0; k < c->all; k++) {
        c->variance[k] -= a[k] * a[k] / e;
        c->reach[k] += a[k] / e * (a[k] / e * again - 2 * b[k]);
    }
    tell(c, i, e);
}

/* --------------------------------------------------------------------------------------- copies */

static bool find_near(piaa_chooser *c, piaa_error *error) {
    int64_t rows[NEAR_SAMPLE];
    const size_t count = c->n < NEAR_SAMPLE ? c->n : NEAR_SAMPLE;
    for (size_t k = 0; k < count; k++) rows[k] = c->rows[spread(k, count, c->n)];
    return (c->near = piaa_near_find(c->x, rows, (int64_t)count, c->first, error));
}

static void block(piaa_chooser *c, size_t i, size_t *queued) {
    if (c->blocked[i]) return;
    c->blocked[i] = true;
    c->queue[(*queued)++] = i;
    c->left -= i < c->n;
}

static double apart(const piaa_chooser *c, size_t i, size_t j, double product) {
    return fmax(0, c->square[i] + c->square[j] - 2 * product);
}

/* Blocks the near copies of the queue's, and theirs; the queue's first are rated now.  Directions
   never make a distance larger, but for the scaler of another sample, so that few pairs have to be
   compared in full. */
static void block_copies(piaa_chooser *c, size_t queued) {
    static const double slack = 1.5;
    const size_t rated = queued;
    for (size_t done = 0, some; done < queued; done += some) {
        some = queued - done < TOGETHER ? queued - done : TOGETHER;
        for (size_t k = 0; k < some; k++)
            memcpy(c->asked + k * c->width, psi_of(c, c->queue[done + k]),
                   c->rank * sizeof(double));
        pass(c, c->rank, some);
        for (size_t k = 0; k < some; k++) {
            const size_t own = c->queue[done + k];
            for (size_t i = 0; i < c->all; i++) {
                const double limit = slack * c->near->square + 1e-9 * c->square[i],
                             square = apart(c, i, own, c->sums[k * c->all + i]);
                if (done + k < rated)
                    c->distance[i] =
                        fmin(c->distance[i], square + c->left_out[i] + c->left_out[own]);
                if (c->blocked[i] || square > limit) continue;
                if (piaa_near_same(c->near, row_of(c, i), row_of(c, own))) block(c, i, &queued);
            }
        }
    }
}

/* ------------------------------------------------------------------------------------ beginning */

static bool reserve(piaa_chooser *c, piaa_error *error) {
    const size_t w = c->width;
    double **const of_photos[] = {&c->square, &c->left_out, &c->variance, &c->reach, &c->distance};
    for (size_t k = 0; k < PIAA_COUNT(of_photos); k++)
        if (!(*of_photos[k] = piaa_alloc(c->all, sizeof(double), error))) return false;
    return (c->told = piaa_alloc(w, sizeof(double), error)) &&
           (c->psi = piaa_alloc_array(c->all * w, sizeof(double), error)) &&
           (c->covariance = piaa_alloc(w * w, sizeof(double), error)) &&
           (c->moment = piaa_alloc(w * w, sizeof(double), error)) &&
           (c->sums = piaa_alloc_array(TOGETHER * c->all, sizeof(double), error)) &&
           (c->asked = piaa_alloc_array(TOGETHER * w, sizeof(double), error)) &&
           (c->blocked = piaa_alloc(c->all, sizeof *c->blocked, error)) &&
           (c->queue = piaa_alloc(c->all, sizeof *c->queue, error)) && piaa_blas_room(1, error);
}

static bool begin(piaa_chooser *c, const piaa_band *bands, int count, piaa_error *error) {
    if (!reserve(c, error) || !make_features(c, bands, count, error) || !find_near(c, error))
        return false;
    double typical = 0;
    for (size_t i = 0; i < c->n; i++) typical += (c->square[i] + c->left_out[i]) / (double)c->n;
    if (!(typical > 0)) typical = 1; /* all photos are alike */
    c->noise = c->choosing.noise > 0 ? c->choosing.noise : typical;
    for (size_t i = 0; i < c->all; i++) c->psi[i * c->width + c->rank] = sqrt(typical);
    double *room = piaa_alloc_array(2 * STRIP * c->width, sizeof *room, error);
    if (!room) return false;
    begin_covariance(c);
    begin_values(c, room);
    free(room);
    size_t queued = 0;
    for (size_t i = c->n; i < c->all; i++) block(c, i, &queued);
    block_copies(c, queued);
    return true;
}

/* What is known before anything is read. */
static piaa_chooser *new_chooser(const piaa_band *bands, int count, size_t n, size_t rated,
                                 const piaa_choosing *choosing, piaa_error *error) {
    piaa_chooser *c = piaa_alloc(1, sizeof *c, error);
    if (!c) return NULL;
    if (choosing) c->choosing = *choosing;
    if (c->choosing.threads < 1) c->choosing.threads = 1;
    c->x = bands->x;
    c->first = bands->dim;
    c->n = n;
    c->left = (int64_t)n;
    c->all = n + rated;
    for (int b = 0; b < count; b++) c->dim += bands[b].dim;
    const size_t exact = c->all < (size_t)c->dim ? c->all : (size_t)c->dim,
                 few = exact <= PIAA_CHOOSE_EXACT ? exact : PIAA_CHOOSE_RANK,
                 asked = c->choosing.rank > 0 ? (size_t)c->choosing.rank : few;
    c->rank = asked < exact ? asked : exact;
    c->width = c->rank + 1;
    piaa_random_seed_numpy(&c->random, c->choosing.seed);
    c->rows = piaa_alloc(c->all, sizeof *c->rows, error);
    for (size_t i = 0; c->rows && i < c->all; i++)
        c->rows[i] = bands->rows ? bands->rows[i] : (int64_t)i;
    return c;
}

piaa_chooser *piaa_chooser_new(const piaa_band *bands, int count, int64_t n, int64_t rated,
                               const piaa_choosing *choosing, piaa_error *error) {
    if (!bands || count < 1 || n < 1 || rated < 0 || bands->dim < 1) {
        piaa_error_missing(error, "photo to choose from");
        return NULL;
    }
    piaa_chooser *c = new_chooser(bands, count, (size_t)n, (size_t)rated, choosing, error);
    if (c && c->rows && begin(c, bands, count, error)) return c;
    piaa_chooser_free(c);
    return NULL;
}

void piaa_chooser_free(piaa_chooser *c) {
    if (!c) return;
    piaa_near_free(c->near);
    free(c->rows);
    free(c->psi);
    free(c->square);
    free(c->left_out);
    free(c->variance);
    free(c->reach);
    free(c->distance);
    free(c->covariance);
    free(c->moment);
    free(c->told);
    free(c->sums);
    free(c->asked);
    free(c->blocked);
    free(c->queue);
    free(c);
}

/* ------------------------------------------------------------------------------------- choosing */

static double value_of(const piaa_chooser *c, size_t i) {
    switch (c->choosing.strategy) {
    case PIAA_CHOOSE_V_OPTIMAL:
        return c->reach[i] / (c->variance[i] + c->noise);
    case PIAA_CHOOSE_VARIANCE:
        return c->variance[i];
    case PIAA_CHOOSE_K_CENTER: /* with nothing rated: what lies in the middle */
        return c->rated ? c->distance[i] : -c->square[i] - c->left_out[i];
    default:
        return 1;
    }
}

double piaa_chooser_value(const piaa_chooser *c, int64_t i) {
    return c->blocked[i] ? NAN : value_of(c, (size_t)i);
}

static size_t best(const piaa_chooser *c) {
    size_t found = c->n;
    double most = -INFINITY;
    for (size_t i = 0; i < c->n; i++) {
        if (c->blocked[i]) continue;
        const double value = value_of(c, i);
        if (found < c->n && !(value > most)) continue;
        found = i;
        most = value;
    }
    return found;
}

static size_t draw(piaa_chooser *c) {
    uint64_t at = piaa_random_interval(&c->random, (uint64_t)(c->left - 1));
    for (size_t i = 0;; i++)
        if (!c->blocked[i] && at-- == 0) return i;
}

/* Whether the rating that comes next is one of the random share. */
static bool random_turn(const piaa_chooser *c) {
    const double share = c->choosing.random_share, before = (double)c->rated;
    return c->choosing.strategy == PIAA_CHOOSE_RANDOM ||
           floor((before + 1) * share + 1e-9) > floor(before * share + 1e-9);
}

bool piaa_chooser_next(piaa_chooser *c, piaa_chosen *out) {
    if (c->left < 1) return false;
    out->random = random_turn(c);
    const size_t i = out->random ? draw(c) : best(c);
    out->index = (int64_t)i;
    learn(c, i);
    size_t queued = 0;
    block(c, i, &queued);
    block_copies(c, queued);
    return true;
}

int64_t piaa_chooser_left(const piaa_chooser *c) {
    return c->left;
}

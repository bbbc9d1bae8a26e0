/*
 * Leaving groups of rows out, in closed form.
 *
 * Let S = I - 11'/n - H be the matrix that turns targets y into the residuals r = Sy of the ridge
 * with intercept (ridge.c has its blocks).  Learning without the rows of a group G and predicting
 * them gives the errors
 *
 *     e_G = (S_GG)^-1 r_G.                                                                      (1)
 *
 * For the fit without G is also the fit to all rows with y_G replaced by its predictions y_G - e_G:
 * those rows then have residual 0 and pull at nothing.  So S (y - e) is 0 on G, e being e_G there
 * and 0 elsewhere, which is (1); for one row it is r_i / S_ii, the leave-one-out error.  The same
 * replacement gives the whole model without G (piaa_ridge_without).
 *
 * Copies of a photo are predicted by each other if they are left out one by one: with random
 * ratings the error of 20 photos and their copies comes out as nearly 0.  Left out together they
 * are one sample, and count as one: a group's squared error is the mean over its rows, and alpha is
 * the one of the list with the least sum over groups.
 *
 * Nested.  The least of thirteen sums is lower than an error of new photos: on few ratings by a
 * fifth.  So each group is predicted with the alpha that the others choose when it is not there.
 * Without G every other row has
 *
 *     r' = r - S_.G (S_GG)^-1 r_G,     S' = S - S_.G (S_GG)^-1 S_G.                             (2)
 *
 * (block elimination: S' and r' are what S and r become when G is pinned to residual 0), and (1) of
 * r' and S' are the errors of each other group H when G and H are both left out.  Their sum chooses
 * G's alpha, and (1) with that alpha is G's error.  With S as a matrix this takes n^2 steps for
 * each alpha, beside the n^3 / 2 that S takes.  Between two groups there is nothing to choose by:
 * they keep the common alpha.
 *
 * Chance.  Since S does not know y, the same can be asked of other targets: how often are the
 * ratings, dealt out to the photos at random, predicted as well, each deal with its own best alpha?
 * Where that is often, what was learned may be nothing.  Groups are dealt the mean ratings of
 * groups.
 *
 * Other things than alpha are chosen in the same way: every trial (a design, a strength of the
 * offset that is taken from the targets, an alpha) has its sum over groups, and its sum without
 * each group; alpha is one coordinate of the list of trials and no more.  An offset m of strength t
 * costs no new S:  r = S(y - tm).
 */
#include "linear/leave_out.h"

#include "base/memory.h"
#include "base/random.h"

#include <cblas.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DEALS = 199, WIDTH = DEALS + 1 };

/* One way to learn, and what it makes of groups left out. */
typedef struct trial {
    int design, strength;
    double alpha;
} trial;

/* What is at hand while groups are left out.  Rows stand group by group everywhere but in `given`
   and `offset`. */
struct piaa_leaving {
    size_t n, groups, largest; /* largest: rows of the largest group */
    int64_t *rows;             /* [n] of the design */
    size_t *start;             /* [groups + 1] */
    double *given, *y;         /* [n] targets, as they were given and group by group */
    double *usual;             /* [usual_count] alphas of the options */
    size_t usual_count;
    const double *alphas; /* [count] of the design in hand */
    size_t count;
    double patience;
    bool whole; /* S is there as a whole */

    piaa_ridge_design *design; /* in hand, and the offset that is taken from its targets */
    const double *offset;      /* [n]; NULL: none */
    double *s;             /* [count][n][n]; else the block of the group in hand, [count][m][m] */
    double *block, *other; /* [largest][largest] */
    double *cross;         /* [largest][n] */
    double *right;         /* [n] */
    double *residual;      /* [n] */
    double *dealt;         /* [3][n][WIDTH] deals, S times them, and their errors; NULL: none */
    double best[WIDTH];    /* least sum of each deal so far */

    trial *trials;
    size_t trial_count, designs, room[4];
    double *errors;  /* [trials][n] of each row left out alone; then with its group */
    double *squares; /* [trials][groups] of the errors of groups left out */
    double *sums;    /* [trials][groups] of the others' squares when a group is not there */
};

typedef piaa_leaving leaving;

static size_t size_of(const leaving *l, size_t g) {
    return l->start[g + 1] - l->start[g];
}

/* ------------------------------------------------------------------------------- small matrices */

/* a [m][m] = L L', L in its lower triangle.  No pivot is taken to be smaller than the ridge takes
   its slack. */
static void factor(double *a, size_t m) {
    for (size_t k = 0; k < m; k++) {
        double root = sqrt(fmax(a[k * m + k], DBL_EPSILON * DBL_EPSILON));
        a[k * m + k] = root;
        for (size_t i = k + 1; i < m; i++) a[i * m + k] /= root;
        for (size_t j = k + 1; j < m; j++)
            for (size_t i = j; i < m; i++) a[i * m + j] -= a[i * m + k] * a[j * m + k];
    }
}

/* b [m][width] = L^-1 b. */
static void forward(const double *l, size_t m, double *b, size_t width) {
    for (size_t k = 0; k < m; k++) {
        for (size_t i = 0; i < k; i++)
            for (size_t c = 0; c < width; c++) b[k * width + c] -= l[k * m + i] * b[i * width + c];
        for (size_t c = 0; c < width; c++) b[k * width + c] /= l[k * m + k];
    }
}

/* b [m][width] = L'^-1 b. */
static void backward(const double *l, size_t m, double *b, size_t width) {
    for (size_t k = m; k-- > 0;) {
        for (size_t i = k + 1; i < m; i++)
            for (size_t c = 0; c < width; c++) b[k * width + c] -= l[i * m + k] * b[i * width + c];
        for (size_t c = 0; c < width; c++) b[k * width + c] /= l[k * m + k];
    }
}

static double mean_square(const double *values, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += values[i] * values[i];
    return sum / (double)count;
}

/* The first of the least of `count` values, `stride` apart; rounding does not choose. */
static size_t least_of(const double *values, size_t count, size_t stride, double rounding) {
    size_t best = 0;
    for (size_t k = 1; k < count; k++)
        if (values[k * stride] < values[best * stride] * (1 - rounding)) best = k;
    return best;
}

/* --------------------------------------------------------------------------------------- groups */

/* Every row on its own. */
static void part_rows(leaving *l) {
    for (size_t i = 0; i < l->n; i++) l->rows[i] = (int64_t)(l->start[i] = i);
    l->start[l->n] = l->groups = l->n;
    l->largest = 1;
}

/* Group by group, if `group` makes at least two; in time that grows with the rows alone. */
static bool sort_rows(leaving *l, const int64_t *group, piaa_error *error) {
    size_t different = 0, at = 0;
    for (size_t i = 0; group && i < l->n; i++) different += group[i] == (int64_t)i;
    if (different < 2) {
        part_rows(l);
        return true;
    }
    size_t *place =
        piaa_alloc(l->n, sizeof *place, error); /* of a group's next row, by its first */
    if (!place) return false;
    for (size_t i = 0; i < l->n; i++) place[group[i]]++;
    for (size_t first = 0; first < l->n; first++) {
        const size_t size = place[first];
        if (!size) continue;
        l->start[l->groups++] = place[first] = at;
        l->largest = size > l->largest ? size : l->largest;
        at += size;
    }
    l->start[l->groups] = at;
    for (size_t i = 0; i < l->n; i++) l->rows[place[group[i]]++] = (int64_t)i;
    free(place);
    return true;
}

/* S_GG for one alpha, into `out` [m][m]. */
static void copy_block(const leaving *l, size_t a, size_t g, double *out) {
    size_t m = size_of(l, g), stride = l->whole ? l->n : m;
    const double *from = l->s + a * stride * stride + (l->whole ? l->start[g] * (l->n + 1) : 0);
    for (size_t i = 0; i < m; i++) memcpy(out + i * m, from + i * stride, m * sizeof *out);
}

/* Makes the errors of the trials from `first` on, one for each alpha, those of rows left out
   alone. */
static bool leave_rows(leaving *l, size_t first, double strength, piaa_error *error) {
    size_t n = l->n, count = l->count;
    double *y = piaa_alloc_array(n * (count + 1), sizeof *y, error), *alone = y + n;
    if (!y) return false;
    for (size_t i = 0; i < n; i++)
        y[i] = l->given[i] - (l->offset && strength != 0 ? strength * l->offset[i] : 0);
    bool ok = piaa_ridge_errors(l->design, y, l->alphas, (int)count, alone, error);
    for (size_t i = 0; ok && i < n; i++)
        for (size_t a = 0; a < count; a++)
            l->errors[(first + a) * n + i] = alone[(size_t)l->rows[i] * count + a];
    free(y);
    return ok;
}

/* (1), of the trials from `first` on. */
static bool leave_groups(leaving *l, size_t trials, piaa_error *error) {
    for (size_t g = 0; g < l->groups; g++) {
        size_t m = size_of(l, g), first = l->start[g];
        if (m > 1 && !l->whole &&
            !piaa_ridge_slack(l->design, l->rows + first, (int64_t)m, l->alphas, (int)l->count,
                              l->s, error))
            return false;
        for (size_t a = 0; a < l->count; a++) {
            double *e = l->errors + (trials + a) * l->n + first;
            if (m > 1) {
                copy_block(l, a, g, l->block);
                for (size_t i = 0; i < m; i++) e[i] *= l->block[i * m + i];
                factor(l->block, m);
                forward(l->block, m, e, 1);
                backward(l->block, m, e, 1);
            }
            l->squares[(trials + a) * l->groups + g] = mean_square(e, m);
        }
    }
    return true;
}

/* --------------------------------------------------------------------------------------- nested */

/* The mean squared error of group h when g is left out too: l->right is r', l->cross L^-1 S_G. */
static double leave_second(leaving *l, const double *s, size_t g, size_t h) {
    size_t n = l->n, m = size_of(l, h), first = l->start[h];
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j <= i; j++) {
            double sum = s[(first + i) * n + first + j];
            for (size_t k = 0; k < size_of(l, g); k++)
                sum -= l->cross[k * n + first + i] * l->cross[k * n + first + j];
            l->other[i * m + j] = sum;
        }
    factor(l->other, m);
    forward(l->other, m, l->right + first, 1);
    backward(l->other, m, l->right + first, 1);
    return mean_square(l->right + first, m);
}

/* The sum of leave_second over the rows from .. to - 1, where all groups are single rows: `row` is
 * S's of the one left out, `own` its residual over its slack, `inverse` 1 / slack.  Four running
 * sums, so that the compiler may use vector registers. */
static double leave_seconds(const double *row, const double *diagonal, const double *residual,
                            double own, double inverse, size_t from, size_t to) {
    static const double least = DBL_EPSILON * DBL_EPSILON;
    double sums[4] = {0};
    for (; from < to; from += 4) {
        const size_t here = to - from < 4 ? to - from : 4;
        for (size_t k = 0; k < here; k++) {
            const double shared = row[from + k],
                         slack = diagonal[from + k] - shared * shared * inverse,
                         e = (residual[from + k] - shared * own) / (slack > least ? slack : least);
            sums[k] += e * e;
        }
    }
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

/* (2) where all groups are single rows; the diagonal of S is in `diagonal`. */
static void leave_single_pairs(leaving *l, const double *s, const double *diagonal, double *sums) {
    static const double least = DBL_EPSILON * DBL_EPSILON;
    const size_t n = l->n;
    for (size_t g = 0; g < n; g++) {
        const double *row = s + g * n, inverse = 1 / fmax(diagonal[g], least),
                     own = l->residual[g] * inverse;
        sums[g] = leave_seconds(row, diagonal, l->residual, own, inverse, 0, g) +
                  leave_seconds(row, diagonal, l->residual, own, inverse, g + 1, n);
    }
}

/* (2), of the trials from `first` on with the a-th alpha. */
static void leave_pairs(leaving *l, size_t trials, size_t a) {
    size_t n = l->n;
    const double *s = l->s + a * n * n;
    double *residual = l->residual;
    for (size_t i = 0; i < n; i++) residual[i] = l->errors[(trials + a) * n + i] * s[i * (n + 1)];
    if (l->largest == 1) {
        for (size_t i = 0; i < n; i++) l->right[i] = s[i * (n + 1)];
        leave_single_pairs(l, s, l->right, l->sums + (trials + a) * l->groups);
        return;
    }
    for (size_t g = 0; g < l->groups; g++) {
        size_t m = size_of(l, g), first = l->start[g];
        copy_block(l, a, g, l->block);
        factor(l->block, m);
        memcpy(l->cross, s + first * n, m * n * sizeof *s);
        memcpy(l->other, residual + first, m * sizeof *residual);
        forward(l->block, m, l->cross, n);
        forward(l->block, m, l->other, 1);
        memcpy(l->right, residual, n * sizeof *residual);
        for (size_t k = 0; k < m; k++)
            for (size_t i = 0; i < n; i++) l->right[i] -= l->cross[k * n + i] * l->other[k];
        double *sum = &l->sums[(trials + a) * l->groups + g];
        *sum = 0;
        for (size_t h = 0; h < l->groups; h++)
            if (h != g) *sum += leave_second(l, s, g, h);
    }
}

/* --------------------------------------------------------------------------------------- chance */

/* Ratings dealt out at random [n][WIDTH], the first as they are; each less their mean. */
static bool deal(const leaving *l, double *out, piaa_error *error) {
    size_t *order = piaa_alloc_array(l->groups, sizeof *order, error);
    double *means = piaa_alloc(l->groups, sizeof *means, error);
    piaa_random *random = piaa_alloc(1, sizeof *random, error);
    bool ok = order && means && random;
    if (ok) piaa_random_seed_numpy(random, 0);
    for (size_t g = 0; ok && g < l->groups; g++) {
        order[g] = g;
        for (size_t i = l->start[g]; i < l->start[g + 1]; i++)
            means[g] += l->y[i] / (double)size_of(l, g);
    }
    for (size_t k = 0; ok && k <= DEALS; k++) {
        double mean = 0;
        if (k) piaa_random_permutation(random, order, l->groups);
        for (size_t g = 0; g < l->groups; g++)
            mean += means[order[g]] * (double)size_of(l, g) / (double)l->n;
        for (size_t g = 0; g < l->groups; g++)
            for (size_t i = l->start[g]; i < l->start[g + 1]; i++)
                out[i * WIDTH + k] = means[order[g]] - mean;
    }
    free(order);
    free(means);
    free(random);
    return ok;
}

/* Squared errors of each deal for one alpha; `errors` [n][WIDTH] are the deals' residuals. */
static void measure_deals(leaving *l, size_t a, double *errors) {
    double sums[WIDTH] = {0};
    for (size_t g = 0; g < l->groups; g++) {
        size_t m = size_of(l, g);
        double *e = errors + l->start[g] * WIDTH;
        copy_block(l, a, g, l->block);
        if (m == 1) {
            const double inverse = 1 / fmax(*l->block, DBL_EPSILON * DBL_EPSILON);
            for (size_t k = 0; k < WIDTH; k++) sums[k] += e[k] * inverse * (e[k] * inverse);
            continue;
        }
        factor(l->block, m);
        forward(l->block, m, e, WIDTH);
        backward(l->block, m, e, WIDTH);
        for (size_t i = 0; i < m; i++)
            for (size_t k = 0; k < WIDTH; k++)
                sums[k] += e[i * WIDTH + k] * e[i * WIDTH + k] / (double)m;
    }
    for (size_t k = 0; k < WIDTH; k++) l->best[k] = fmin(l->best[k], sums[k]);
}

/* The design in hand, with each strength of the offset. */
static void deal_out(leaving *l, const double *strengths, size_t count) {
    size_t n = l->n;
    double *product = l->dealt + n * WIDTH, *errors = product + n * WIDTH;
    for (size_t a = 0; a < l->count; a++) {
        const double *s = l->s + a * n * n;
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)n, WIDTH, (int)n, 1, s, (int)n,
                    l->dealt, WIDTH, 0, product, WIDTH);
        for (size_t k = 0; k < count; k++) {
            for (size_t i = 0; i < n; i++) {
                double own = 0; /* of the offset */
                for (size_t j = 0; l->offset && strengths[k] != 0 && j < n; j++)
                    own += s[i * n + j] * l->offset[l->rows[j]];
                for (size_t c = 0; c < WIDTH; c++)
                    errors[i * WIDTH + c] = product[i * WIDTH + c] - strengths[k] * own;
            }
            measure_deals(l, a, errors);
        }
    }
}

/* Share of deals that are predicted as well as the ratings are. */
static double chance_of(const leaving *l) {
    int as_good = 0;
    for (int k = 1; k < WIDTH; k++) as_good += l->best[k] <= l->best[0] * (1 + 1e-9);
    return (1.0 + as_good) / WIDTH;
}

/* ------------------------------------------------------------------------------------- together */

static int ascending(const void *a, const void *b) {
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

/* The error of the mean of the others; of all others where there is one group. */
static double error_of_mean(const leaving *l) {
    double total = 0, squares = 0;
    for (size_t i = 0; i < l->n; i++) total += l->y[i];
    for (size_t g = 0; g < l->groups; g++) {
        size_t m = size_of(l, g);
        double own = 0;
        for (size_t i = l->start[g]; i < l->start[g + 1]; i++) own += l->y[i];
        double others = (total - own) / (double)(l->n - m);
        for (size_t i = l->start[g]; i < l->start[g + 1]; i++)
            squares += (l->y[i] - others) * (l->y[i] - others) / (double)m;
    }
    return sqrt(squares / (double)l->groups);
}

/* Whether alphas are judged by errors that they have not seen. */
static bool nested(const leaving *l) {
    return l->whole && l->groups > 2;
}

/* Room for one trial more for each alpha. */
static bool grow(leaving *l, piaa_error *error) {
    size_t need = l->trial_count + l->count;
    return piaa_grow(&l->trials, &l->room[0], need, sizeof *l->trials, error) &&
           piaa_grow(&l->errors, &l->room[1], need * l->n, sizeof *l->errors, error) &&
           piaa_grow(&l->squares, &l->room[2], need * l->groups, sizeof *l->squares, error) &&
           (!nested(l) ||
            piaa_grow(&l->sums, &l->room[3], need * l->groups, sizeof *l->sums, error));
}

static bool try_strength(leaving *l, int index, double strength, piaa_error *error) {
    size_t first = l->trial_count;
    if (!grow(l, error) || !leave_rows(l, first, strength, error)) return false;
    for (size_t a = 0; a < l->count; a++) {
        l->trials[first + a] = (trial){(int)l->designs, index, l->alphas[a]};
        if (nested(l)) leave_pairs(l, first, a);
    }
    if (!leave_groups(l, first, error)) return false;
    l->trial_count += l->count;
    return true;
}

bool piaa_leaving_try(piaa_leaving *l, piaa_ridge_design *design, const double *offset,
                      const double *strengths, int count, const double *alphas, int alpha_count,
                      piaa_error *error) {
    static const double none = 0;
    l->alphas = alphas ? alphas : l->usual;
    l->count = alphas ? (size_t)alpha_count : l->usual_count;
    if (l->count > l->usual_count)
        return piaa_error_set(error, PIAA_USAGE,
                              "a design is tried with more alphas than there "
                              "is room for");
    if (!offset) strengths = &none, count = 1;
    l->design = design;
    l->offset = offset;
    if (l->whole &&
        !piaa_ridge_slack(design, l->rows, (int64_t)l->n, l->alphas, (int)l->count, l->s, error))
        return false;
    for (int k = 0; k < count; k++)
        if (!try_strength(l, k, strengths[k], error)) return false;
    if (l->dealt) deal_out(l, strengths, (size_t)count);
    l->designs++;
    return true;
}

/* Whether trial t beats the first by more than patience allows, group `without` (groups: none) not
   looked at. */
static bool convinces(const leaving *l, size_t t, size_t without) {
    const double *first = l->squares, *other = l->squares + t * l->groups;
    double sum = 0, squares = 0, n = (double)(l->groups - (without < l->groups));
    for (size_t g = 0; g < l->groups; g++) {
        const double gain = g == without ? 0 : first[g] - other[g];
        sum += gain;
        squares += gain * gain;
    }
    return sum > l->patience * sqrt(fmax(squares - sum * sum / n, 0) * n / fmax(n - 1, 1));
}

/* The best trial for all groups. */
static size_t best_of_all(const leaving *l) {
    size_t best = 0;
    double least = INFINITY;
    for (size_t t = 0; t < l->trial_count; t++) {
        double total = 0;
        for (size_t g = 0; g < l->groups; g++) total += l->squares[t * l->groups + g];
        if (t && !(total < least * (1 - 1e-12))) continue;
        least = total;
        best = t;
    }
    return l->patience > 0 && best && !convinces(l, best, l->groups) ? 0 : best;
}

/* The one that the others choose where group g is not there. */
static size_t best_without(const leaving *l, size_t g) {
    const size_t best = least_of(l->sums + g, l->trial_count, l->groups, 1e-9);
    return l->patience > 0 && best && !convinces(l, best, g) ? 0 : best;
}

static void choose(leaving *l, piaa_left_out *left) {
    const size_t n = l->n, best = best_of_all(l);
    left->alpha = l->trials[best].alpha;
    left->design = l->trials[best].design;
    left->strength = l->trials[best].strength;
    for (size_t i = 0; i < n; i++) left->predicted[l->rows[i]] = l->y[i] - l->errors[best * n + i];
    for (size_t g = 0; g < l->groups; g++) {
        const size_t own = nested(l) ? best_without(l, g) : best;
        left->errors[g] = sqrt(l->squares[own * l->groups + g]);
    }
}

piaa_left_out *piaa_leaving_end(piaa_leaving *l, piaa_error *error) {
    piaa_left_out *left = piaa_alloc(1, sizeof *left, error);
    if (!left) return NULL;
    left->rows = (int64_t)l->n;
    left->groups = (int64_t)l->groups;
    if (!(left->predicted = piaa_alloc_array(l->n, sizeof(double), error)) ||
        !(left->errors = piaa_alloc_array(l->groups, sizeof(double), error))) {
        piaa_left_out_free(left);
        return NULL;
    }
    choose(l, left);
    left->rmse = sqrt(mean_square(left->errors, l->groups));
    left->rmse_of_mean = error_of_mean(l);
    left->chance = l->dealt ? chance_of(l) : NAN;
    qsort(left->errors, l->groups, sizeof *left->errors, ascending);
    return left;
}

void piaa_leaving_free(piaa_leaving *l) {
    if (!l) return;
    free(l->rows);
    free(l->start);
    free(l->given);
    free(l->usual);
    free(l->s);
    free(l->block);
    free(l->cross);
    free(l->dealt);
    free(l->trials);
    free(l->errors);
    free(l->squares);
    free(l->sums);
    free(l);
}

static bool make_leaving(leaving *l, const double *y, const int64_t *group,
                         const piaa_leaving_options *options, piaa_error *error) {
    size_t n = l->n;
    bool given = options && options->alphas;
    l->count = l->usual_count = given ? (size_t)options->alpha_count : PIAA_RIDGE_ALPHAS;
    l->patience = options ? options->patience : 0;
    l->whole = n <= PIAA_LEAVE_OUT_NESTED;
    if (!(l->rows = piaa_alloc(n, sizeof *l->rows, error)) ||
        !(l->start = piaa_alloc(n + 1, sizeof *l->start, error)) ||
        !(l->usual = piaa_alloc_array(l->count, sizeof *l->usual, error)) ||
        !(l->given = piaa_alloc_array(2 * n, sizeof *l->given, error)))
        return false;
    l->y = l->given + n;
    if (!sort_rows(l, group, error)) return false;
    memcpy(l->given, y, n * sizeof *y);
    for (size_t i = 0; i < n; i++) l->y[i] = y[l->rows[i]];
    memcpy(l->usual, given ? options->alphas : piaa_ridge_alphas, l->count * sizeof *l->usual);
    for (size_t k = 0; k < WIDTH; k++) l->best[k] = INFINITY;
    size_t side = l->whole ? n : l->largest;
    if (!(l->s = piaa_alloc_array(l->count * side * side, sizeof *l->s, error)) ||
        !(l->block = piaa_alloc_array(2 * l->largest * l->largest, sizeof *l->block, error)) ||
        !(l->cross = piaa_alloc_array((l->largest + 2) * n, sizeof *l->cross, error)))
        return false;
    l->other = l->block + l->largest * l->largest;
    l->right = l->cross + l->largest * n;
    l->residual = l->right + n;
    if (!l->whole || (options && options->no_chance)) return true;
    return (l->dealt = piaa_alloc_array(3 * n * WIDTH, sizeof *l->dealt, error)) &&
           deal(l, l->dealt, error);
}

piaa_leaving *piaa_leaving_new(const double *y, int64_t rows, const int64_t *group,
                               const piaa_leaving_options *options, piaa_error *error) {
    piaa_leaving *l = piaa_alloc(1, sizeof *l, error);
    if (!l) return NULL;
    l->n = (size_t)rows;
    if (make_leaving(l, y, group, options, error)) return l;
    piaa_leaving_free(l);
    return NULL;
}

piaa_left_out *piaa_leave_out(piaa_ridge_design *design, const double *y, int64_t rows,
                              const int64_t *group, piaa_error *error) {
    piaa_leaving *l = piaa_leaving_new(y, rows, group, NULL, error);
    piaa_left_out *left = l && piaa_leaving_try(l, design, NULL, NULL, 0, NULL, 0, error)
                              ? piaa_leaving_end(l, error)
                              : NULL;
    piaa_leaving_free(l);
    return left;
}

void piaa_left_out_free(piaa_left_out *left) {
    if (!left) return;
    free(left->predicted);
    free(left->errors);
    free(left);
}

double piaa_left_out_quantile(const piaa_left_out *left, double level) {
    /* 0.9 * 10 is a little more than 9 in binary. */
    double place = ceil(level * (double)(left->groups + 1) - 1e-9);
    return place <= (double)left->groups ? left->errors[(size_t)fmax(place, 1) - 1] : NAN;
}

bool piaa_ridge_pin(piaa_ridge_design *design, const double *y, int64_t n, double alpha,
                    const int64_t *rows, int64_t count, double *out, piaa_error *error) {
    size_t m = (size_t)count;
    double *block = piaa_alloc_array(m * (m + 1), sizeof *block, error), *e = block + m * m;
    if (!block || !piaa_ridge_errors(design, y, &alpha, 1, out, error) ||
        !piaa_ridge_slack(design, rows, count, &alpha, 1, block, error)) {
        free(block);
        return false;
    }
    for (size_t i = 0; i < m; i++) e[i] = out[rows[i]] * block[i * (m + 1)];
    factor(block, m);
    forward(block, m, e, 1);
    backward(block, m, e, 1);
    memcpy(out, y, (size_t)n * sizeof *out);
    for (size_t i = 0; i < m; i++) out[rows[i]] -= e[i];
    free(block);
    return true;
}

piaa_ridge *piaa_ridge_without(piaa_ridge_design *design, const double *y, int64_t n, double alpha,
                               const int64_t *rows, int64_t count, piaa_error *error) {
    const piaa_ridge_options fixed = {.alphas = &alpha, .alpha_count = 1};
    double *others = piaa_alloc_array((size_t)n, sizeof *others, error);
    piaa_ridge *model = others && piaa_ridge_pin(design, y, n, alpha, rows, count, others, error)
                            ? piaa_ridge_fit(design, others, 1, &fixed, error)
                            : NULL;
    free(others);
    return model;
}

/*
 * One likelihood for two ways to say what one thinks of photos.
 *
 * Photo i has the score  s_i = b + m_i + f_i,  f = Kc: an intercept, what is expected of it
 * beforehand, and what is learned.  With K = Z Z' that is a linear model with weights w = Z'c and
 * the penalty w'w = c'Kc of a ridge regression.  Whoever judges a photo sees s_i and noise of
 * standard deviation sigma.  A star is that, written down:  y_i = s_i + noise.  In a comparison two
 * such judgements meet, so that photo i wins over j with the probability of a normal distribution
 * of variance 2 sigma^2; the logistic function is within 0.01 of it and is easier to go on with
 * (Bradley and Terry 1952, Biometrika 39):
 *
 *     p_ij = 1 / (1 + exp(-(s_i - s_j) / T)),      T = sigma sqrt(2) / 1.702.
 *
 * So one number says how noisy both are.  What is most probable given a prior N(0, sigma^2/alpha)
 * of the weights is the minimum of
 *
 *     1/2 sum over stars (y_i - s_i)^2  -  sigma^2 sum over pairs (u log p_ij + v log(1 - p_ij))
 *       + alpha/2 c'Kc,
 *
 * u and v being how often i and j won.  It is convex, so that there is one minimum, whatever was
 * said: comparisons that contradict each other (a over b over c over a) are noise, as two different
 * ratings of a photo would be, and without stars the scores have the scale of sigma = 1, which
 * means nothing.  A tie is half a win of each.  Davidson's model (1970, JASA 65) gives it a
 * probability of its own, with one more parameter, how often a person cannot decide; its equations
 * for the scores have the same sums, wins and half the ties, and a handful of ties does not tell
 * that parameter.  "Cannot say" is no tie: it says nothing about the photos, and is left out.
 *
 * Newton's method.  With r = Af the readings (rows of A: e_i for a star, e_i - e_j for a pair), g
 * and w the first and second derivatives of their losses, and s that is 1 at stars, each step is a
 * weighted ridge regression on working targets z = r - g/w,
 *
 *     f = S (A'Wz - b A's),   S = (alpha K^-1 + A'WA)^-1,    b such that stars' residuals sum to 0.
 *
 * S is needed in a space of as few numbers as possible.  Where there are no more photos than
 * readings that is the photos': with K = FF',  S = F (alpha I + F'A'WAF)^-1 F'.  Otherwise the
 * readings themselves are the unknowns, with the kernel G = AKA' and A = I, and S = G W^1/2 (alpha
 * I + W^1/2 G W^1/2)^-1 W^-1/2 (as in Rasmussen and Williams 2006, algorithm 3.1): that is the
 * dual.  Everything below knows only of nodes, of which a reading has one or two.  At the minimum c
 * = -A'g/alpha.
 *
 * Leaving out.  The step's dual problem is  (AKA' + alpha W^-1) a = z - bs,  s'a = 0, with
 * a = -g/alpha.  Let Q be the upper left block of the inverse of that system,
 *
 *     Q = P - Ps s'P / s'Ps,    P = (W - W ASA' W) / alpha.
 *
 * Without the readings R the others' solution is  a - Q_:R (Q_RR)^-1 a_R,  as for any linear
 * system. For a single reading k its value becomes  z_k - a_k/Q_kk.  Of stars alone this is exact:
 * the ridge's leave-one-out.  With pairs it is what one Newton step from the whole solution gives
 * (Rad and Maleki 2020, JRSS B 82), which is close to the refit because one pair moves w little; a
 * photo leaves with all that was said of it.  The tests compare with refits.
 *
 * Strength.  alpha is the one of the ridge's list with the least
 *
 *     n/2 log(mean squared error of stars left out + 1/20 of their variance)
 *       - sum of log probabilities of the answers to pairs left out,
 *
 * which without pairs is the ridge's choice.  Every fourth alpha of the list is looked at, then
 * those beside the best; with pairs the list goes on to 1e5.  sigma is the error of stars left out
 * when they are learned from alone: what noise there is, and what the features do not tell.
 *
 * Scale.  Pairs tell an order, and how far apart scores are only by way of T, which is one guess
 * for all of them; many pairs stretch the scores of few stars.  So where both are there and the
 * strength was chosen, the stars have the last word: scores become  mean star + gain (score - mean
 * prediction), the gain being the slope of stars y over what is predicted of their photos, l, when
 * these leave, shrunk by its uncertainty:
 *
 *     gain = cov(y, l) / (var(l) + 4/n mean (y - l)^2),     within 1/20 and 1.
 *
 * Without noise that is 1; of little use, it makes scores cautious, and changes no order.
 */
#include "linear/pairs.h"

#include "base/blas.h"
#include "base/memory.h"
#include "linear/ridge.h"

#include <cblas.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 60, HALVINGS = 30, ALPHAS = PIAA_RIDGE_ALPHAS + 4 };

/* The ridge's list, and beyond it what pairs may need, which say less than stars. */
static double alpha_at(int place) {
    static const double beyond[] = {3162.2776601683795, 1e4, 31622.776601683792, 1e5};
    return place < PIAA_RIDGE_ALPHAS ? piaa_ridge_alphas[place] : beyond[place - PIAA_RIDGE_ALPHAS];
}

const double piaa_pairwise_scale = 0.8309127863531699; /* sqrt(2) / 1.702 */

static const double least_weight = 1e-10; /* of a reading whose answer is certain */

/* A star or a pair. */
typedef struct reading {
    int64_t photo, other; /* other -1: a star */
    int64_t node, less;   /* it reads f[node] - f[less]; less -1: f[node] */
    double target;        /* of a star: less the photo's offset */
    double offset;        /* of a pair */
    double wins, losses;
    double value, slope, weight; /* r (with b), g, w */
    double slack;                /* alpha Q_kk / w: what is left of its noise */
} reading;

typedef struct problem {
    const piaa_compared *data;
    reading *readings;
    size_t count, stars;
    double variance; /* of the stars; 1 where that is 0 or there are none */
    bool anchored;
    /* nodes */
    size_t nodes;
    int rank;
    double *kernel; /* [nodes][nodes] of readings; NULL where nodes are photos */
    double *root;   /* [nodes][rank] of photos; NULL where nodes are readings */
    double *factor; /* Cholesky's, of alpha I + … : [rank][rank] or [nodes][nodes] */
    double *wide;   /* [nodes][rank] or [nodes][nodes] */
    double *square; /* [nodes][nodes] S */
    /* the solution */
    double alpha, sigma, intercept;
    double *f, *c;                          /* [nodes] */
    double *f_next, *c_next, *right, *ones; /* [nodes] */
    double *ones_left, *work;               /* [nodes] S A's, … */
    double *ones_dual, ones_square;         /* [count] Ps, s'Ps */
} problem;

/* ------------------------------------------------------------------------------------- readings */

static double read_node(const reading *k, const double *f) {
    return k->less < 0 ? f[k->node] : f[k->node] - f[k->less];
}

static void add_node(const reading *k, double value, double *to) {
    to[k->node] += value;
    if (k->less >= 0) to[k->less] -= value;
}

static bool is_star(const reading *k) {
    return k->other < 0;
}

/* -log of the logistic function. */
static double softplus(double x) {
    return x > 0 ? log1p(exp(-x)) : log1p(exp(x)) - x;
}

static double logistic(double x) {
    return 1 / (1 + exp(-x));
}

/* Values, slopes and weights at f and b; the objective but for the penalty. */
static double look(problem *p, const double *f, double intercept) {
    const double scale = piaa_pairwise_scale * p->sigma, square = p->sigma * p->sigma;
    double sum = 0;
    for (size_t i = 0; i < p->count; i++) {
        reading *k = &p->readings[i];
        k->value = read_node(k, f);
        if (is_star(k)) {
            k->value += intercept;
            k->slope = k->value - k->target;
            k->weight = 1;
            sum += k->slope * k->slope / 2;
            continue;
        }
        double x = (k->offset + k->value) / scale, win = logistic(x);
        k->slope = square / scale * ((k->wins + k->losses) * win - k->wins);
        k->weight =
            fmax(square / (scale * scale) * (k->wins + k->losses) * win * (1 - win), least_weight);
        sum += square * (k->wins * softplus(x) + k->losses * softplus(-x));
    }
    return sum;
}

/* ----------------------------------------------------------------------------------------- nodes
 */

static bool factorise_photos(problem *p) {
    const size_t r = (size_t)p->rank;
    memset(p->wide, 0, p->nodes * r * sizeof *p->wide);
    for (size_t i = 0; i < p->count; i++) {
        const reading *k = &p->readings[i];
        const double *one = p->root + (size_t)k->node * r;
        double *to = p->wide + (size_t)k->node * r;
        if (k->less < 0) {
            cblas_daxpy(p->rank, k->weight, one, 1, to, 1);
            continue;
        }
        const double *other = p->root + (size_t)k->less * r;
        double *from = p->wide + (size_t)k->less * r;
        for (size_t c = 0; c < r; c++) {
            double part = k->weight * (one[c] - other[c]);
            to[c] += part;
            from[c] -= part;
        }
    }
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, p->rank, p->rank, (int)p->nodes, 1,
                p->root, p->rank, p->wide, p->rank, 0, p->factor, p->rank);
    for (size_t c = 0; c < r; c++) p->factor[c * r + c] += p->alpha;
    return piaa_blas_cholesky(p->rank, p->factor);
}

static bool factorise_readings(problem *p) {
    const size_t n = p->nodes;
    for (size_t i = 0; i < n; i++) p->work[i] = sqrt(p->readings[i].weight);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j <= i; j++)
            p->factor[i * n + j] = p->work[i] * p->work[j] * p->kernel[i * n + j];
        p->factor[i * n + i] += p->alpha;
    }
    return piaa_blas_cholesky((int)n, p->factor);
}

/* From the weights of the readings what S is applied with. */
static bool factorise(problem *p, piaa_error *error) {
    return (p->root ? factorise_photos(p) : factorise_readings(p)) ||
           piaa_error_set(error, PIAA_USAGE, "the kernel of the photos compared is not one");
}

static void solve(int side, const double *lower, double *x) {
    cblas_dtrsv(CblasRowMajor, CblasLower, CblasNoTrans, CblasNonUnit, side, lower, side, x, 1);
    cblas_dtrsv(CblasRowMajor, CblasLower, CblasTrans, CblasNonUnit, side, lower, side, x, 1);
}

/* out = S v; `out` is not v. */
static void apply(problem *p, const double *v, double *out) {
    const int n = (int)p->nodes;
    if (p->root) {
        cblas_dgemv(CblasRowMajor, CblasTrans, n, p->rank, 1, p->root, p->rank, v, 1, 0, p->work,
                    1);
        solve(p->rank, p->factor, p->work);
        cblas_dgemv(CblasRowMajor, CblasNoTrans, n, p->rank, 1, p->root, p->rank, p->work, 1, 0,
                    out, 1);
        return;
    }
    /* G W^1/2 (alpha I + W^1/2 G W^1/2)^-1 W^-1/2, in which nothing cancels */
    for (size_t i = 0; i < p->nodes; i++) p->work[i] = v[i] / sqrt(p->readings[i].weight);
    solve(n, p->factor, p->work);
    for (size_t i = 0; i < p->nodes; i++) p->work[i] *= sqrt(p->readings[i].weight);
    cblas_dsymv(CblasRowMajor, CblasLower, n, 1, p->kernel, n, p->work, 1, 0, out, 1);
}

/* ---------------------------------------------------------------------------------------- Newton
 */

static double dot(const double *a, const double *b, size_t n) {
    return n ? cblas_ddot((int)n, a, 1, b, 1) : 0;
}

/* S A's, and from it the intercept's part. */
static void apply_ones(problem *p) {
    memset(p->ones, 0, p->nodes * sizeof *p->ones);
    for (size_t i = 0; i < p->count; i++)
        if (is_star(&p->readings[i])) add_node(&p->readings[i], 1, p->ones);
    if (p->stars)
        apply(p, p->ones, p->ones_left);
    else
        memset(p->ones_left, 0, p->nodes * sizeof *p->ones_left);
    p->ones_square = ((double)p->stars - dot(p->ones, p->ones_left, p->nodes)) / p->alpha;
}

/* The minimum of the quadratic that touches the objective here: f_next, c_next, and its intercept.
 */
static double aim(problem *p) {
    double targets = 0;
    memset(p->right, 0, p->nodes * sizeof *p->right);
    for (size_t i = 0; i < p->count; i++) {
        const reading *k = &p->readings[i];
        if (is_star(k)) targets += k->target;
        add_node(k, is_star(k) ? k->target : k->weight * k->value - k->slope, p->right);
    }
    apply_ones(p);
    apply(p, p->right, p->f_next);
    double b =
        p->stars ? (targets - dot(p->ones, p->f_next, p->nodes)) / (p->alpha * p->ones_square) : 0;
    cblas_daxpy((int)p->nodes, -b, p->ones_left, 1, p->f_next, 1);
    memset(p->c_next, 0, p->nodes * sizeof *p->c_next);
    for (size_t i = 0; i < p->count; i++) {
        const reading *k = &p->readings[i];
        double z = is_star(k) ? k->target - b : k->weight * k->value - k->slope;
        add_node(k, (z - k->weight * read_node(k, p->f_next)) / p->alpha, p->c_next);
    }
    return b;
}

/* Goes from f towards f_next as far as the objective falls; the new objective. */
static double walk(problem *p, double objective, double b_next) {
    double share = 1, here = objective;
    for (size_t i = 0; i < p->nodes; i++) {
        p->f_next[i] -= p->f[i];
        p->c_next[i] -= p->c[i];
    }
    for (int halving = 0; halving < HALVINGS; halving++, share /= 2) {
        for (size_t i = 0; i < p->nodes; i++) {
            p->right[i] = p->f[i] + share * p->f_next[i];
            p->ones[i] = p->c[i] + share * p->c_next[i];
        }
        double b = p->intercept + share * (b_next - p->intercept);
        here = look(p, p->right, b) + p->alpha / 2 * dot(p->right, p->ones, p->nodes);
        if (!(here <= objective + 1e-12 * fabs(objective))) continue;
        memcpy(p->f, p->right, p->nodes * sizeof *p->f);
        memcpy(p->c, p->ones, p->nodes * sizeof *p->c);
        p->intercept = b;
        return here;
    }
    look(p, p->f, p->intercept);
    return objective;
}

/* From where f is to the minimum, until no reading moves by more than `enough` of sigma.  Leaves
   the readings and S as they are there. */
static bool descend(problem *p, double enough, piaa_error *error) {
    double objective = look(p, p->f, p->intercept) + p->alpha / 2 * dot(p->f, p->c, p->nodes);
    for (int step = 0; step < STEPS; step++) {
        if (!factorise(p, error)) return false;
        double b = aim(p), far = fabs(b - p->intercept);
        for (size_t i = 0; i < p->nodes; i++) far = fmax(far, fabs(p->f_next[i] - p->f[i]));
        if (!isfinite(far))
            return piaa_error_set(error, PIAA_USAGE,
                                  "the kernel of the photos compared is not one");
        double before = objective;
        objective = walk(p, objective, b);
        if (far <= enough * p->sigma || objective == before) break;
    }
    return true;
}

/* ------------------------------------------------------------------------------------ leaving out
 */

/* S [nodes][nodes], the lower half. */
static void spread(problem *p) {
    const int n = (int)p->nodes;
    if (p->root) {
        memcpy(p->wide, p->root, p->nodes * (size_t)p->rank * sizeof *p->wide);
        cblas_dtrsm(CblasRowMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit, n, p->rank, 1,
                    p->factor, p->rank, p->wide, p->rank);
        cblas_dsyrk(CblasRowMajor, CblasLower, CblasNoTrans, n, p->rank, 1, p->wide, p->rank, 0,
                    p->square, n);
        return;
    }
    memcpy(p->wide, p->factor, p->nodes * p->nodes * sizeof *p->wide);
    for (size_t i = 0; i < p->nodes; i++)
        memset(p->wide + i * p->nodes + i + 1, 0, (p->nodes - i - 1) * sizeof *p->wide);
    piaa_blas_invert_lower(n, p->wide);
    cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, n, n, -p->alpha, p->wide, n, 0, p->square,
                n);
    for (size_t i = 0; i < p->nodes; i++) {
        double own = p->readings[i].weight;
        p->square[i * p->nodes + i] += 1;
        for (size_t j = 0; j <= i; j++)
            p->square[i * p->nodes + j] /= sqrt(own * p->readings[j].weight);
    }
}

static double entry(const problem *p, int64_t i, int64_t j) {
    return p->square[(size_t)(i > j ? i : j) * p->nodes + (size_t)(i > j ? j : i)];
}

/* A_k S A_l'. */
static double shared(const problem *p, const reading *k, const reading *l) {
    double value = entry(p, k->node, l->node);
    if (k->less >= 0) value -= entry(p, k->less, l->node);
    if (l->less >= 0) value -= entry(p, k->node, l->less);
    if (k->less >= 0 && l->less >= 0) value += entry(p, k->less, l->less);
    return value;
}

/* w times the variance of each reading, into its slack. */
static void find_shares(problem *p) {
    if (p->root) {
        spread(p);
        for (size_t i = 0; i < p->count; i++) {
            reading *k = &p->readings[i];
            k->slack = 1 - k->weight * shared(p, k, k);
        }
        return;
    }
    memcpy(p->wide, p->factor, p->nodes * p->nodes * sizeof *p->wide);
    piaa_blas_invert_lower((int)p->nodes, p->wide);
    for (size_t i = 0; i < p->count; i++) p->readings[i].slack = 0;
    for (size_t i = 0; i < p->nodes; i++)
        for (size_t j = 0; j <= i; j++) {
            double of = p->wide[i * p->nodes + j];
            p->readings[j].slack += p->alpha * of * of;
        }
}

/* Slack, Ps: what single readings are left out with. */
static bool loosen(problem *p, piaa_error *error) {
    if (!factorise(p, error)) return false;
    apply_ones(p);
    find_shares(p);
    for (size_t i = 0; i < p->count; i++) {
        reading *k = &p->readings[i];
        p->ones_dual[i] = k->weight * (is_star(k) - read_node(k, p->ones_left)) / p->alpha;
        if (p->stars)
            k->slack -= p->alpha * p->ones_dual[i] * p->ones_dual[i] / p->ones_square / k->weight;
    }
    return true;
}

/* A reading's value by the model that does not have it. */
static double without(const reading *k) {
    return k->value + k->slope / k->weight * (1 / fmax(k->slack, 1e-12) - 1);
}

static double criterion(const problem *p) {
    double squares = 0, sum = 0;
    for (size_t i = 0; i < p->count; i++) {
        const reading *k = &p->readings[i];
        if (is_star(k)) {
            squares += pow(without(k) - k->target, 2);
            continue;
        }
        double x = (k->offset + without(k)) / (piaa_pairwise_scale * p->sigma);
        sum += k->wins * softplus(x) + k->losses * softplus(-x);
    }
    if (p->stars < 2) return sum;
    double n = (double)p->stars;
    return sum + n / 2 * log(squares / n + p->variance / 20);
}

/* Q_RR of `m` readings. */
static void dual_block(const problem *p, const size_t *rows, size_t m, bool intercept,
                       double *out) {
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j <= i; j++) {
            const reading *k = &p->readings[rows[i]], *l = &p->readings[rows[j]];
            double q =
                ((i == j ? k->weight : 0) - k->weight * l->weight * shared(p, k, l)) / p->alpha;
            if (intercept) q -= p->ones_dual[rows[i]] * p->ones_dual[rows[j]] / p->ones_square;
            out[i * m + j] = q;
        }
}

/* (K_g A' P)_k: how the score of a photo hangs on the working target of a reading.  `row`: K_g A'
   where nodes are readings. */
static double leverage(const problem *p, int64_t photo, const double *row, size_t k) {
    const reading *of = &p->readings[k];
    if (p->root)
        return of->weight *
               (entry(p, photo, of->node) - (of->less < 0 ? 0 : entry(p, photo, of->less)));
    double sum = row[k];
    for (size_t l = 0; l < p->count; l++)
        sum -= row[l] * p->readings[l].weight * entry(p, (int64_t)l, (int64_t)k);
    return sum * of->weight / p->alpha;
}

static bool touches(const reading *k, const int64_t *group, int64_t first) {
    return (group ? group[k->photo] : k->photo) == first ||
           (!is_star(k) && (group ? group[k->other] : k->other) == first);
}

typedef struct leaving {
    size_t *rows; /* [count] */
    double *block, *right;
    double *row; /* [count] K_g A' */
    size_t room;
} leaving;

/* The score of each photo of a group by the model without what was said of any of them. */
static bool leave_group(problem *p, leaving *l, int64_t first, double *score, piaa_error *error) {
    const piaa_compared *data = p->data;
    size_t m = 0, stars = 0;
    for (size_t k = 0; k < p->count; k++) {
        if (!touches(&p->readings[k], data->group, first)) continue;
        stars += is_star(&p->readings[k]);
        l->rows[m++] = k;
    }
    if (!m) return true;
    if (!piaa_grow(&l->block, &l->room, m * (m + 1), sizeof *l->block, error)) return false;
    l->right = l->block + m * m;
    bool intercept = stars < p->stars; /* else nothing would be left to tell it */
    dual_block(p, l->rows, m, intercept, l->block);
    for (size_t i = 0; i < m; i++) l->right[i] = -p->readings[l->rows[i]].slope / p->alpha;
    if (!piaa_blas_cholesky((int)m, l->block))
        return true; /* they explain each other to rounding */
    solve((int)m, l->block, l->right);
    double through = 0; /* s'P_:R delta / s'Ps: how much the intercept falls */
    for (size_t i = 0; intercept && i < m; i++)
        through += p->ones_dual[l->rows[i]] * l->right[i] / p->ones_square;
    for (int64_t g = 0; g < data->photos; g++) {
        if ((data->group ? data->group[g] : g) != first) continue;
        const double *kernel = data->kernel + g * data->photos;
        double ones = 0;
        for (size_t k = 0; k < p->count; k++) {
            const reading *of = &p->readings[k];
            l->row[k] = kernel[of->photo] - (is_star(of) ? 0 : kernel[of->other]);
            if (!p->root) ones += l->row[k] * p->ones_dual[k];
        }
        if (p->root) ones = p->ones_left[g];
        score[g] += ones * through - through;
        for (size_t i = 0; i < m; i++) score[g] -= leverage(p, g, l->row, l->rows[i]) * l->right[i];
    }
    return true;
}

static bool leave_photos(problem *p, double *score, piaa_error *error) {
    leaving l = {.rows = piaa_alloc(p->count, sizeof *l.rows, error),
                 .row = piaa_alloc(p->count, sizeof *l.row, error)};
    bool ok = l.rows && l.row;
    for (int64_t g = 0; ok && g < p->data->photos; g++)
        if (!p->data->group || p->data->group[g] == g) ok = leave_group(p, &l, g, score, error);
    free(l.rows);
    free(l.row);
    free(l.block);
    return ok;
}

/* ---------------------------------------------------------------------------------------- strength
 */

/* At one alpha and one sigma, from where f is. */
static bool try_at(problem *p, double alpha, double sigma, double *out, piaa_error *error) {
    p->alpha = alpha;
    p->sigma = sigma;
    if (!descend(p, 0.02, error) || !loosen(p, error)) return false;
    *out = criterion(p);
    return true;
}

/* Tries alphas of the list: those in `tried` have their criterion, the others NaN. */
static bool climb(problem *p, double sigma, double tried[ALPHAS], int *best, piaa_error *error) {
    for (bool moved = true; moved;) {
        moved = false;
        const int centre = *best;
        for (int at = centre + 1; at >= centre - 1; at--) {
            if (at < 0 || at >= ALPHAS || !isnan(tried[at])) continue;
            if (!try_at(p, alpha_at(at), sigma, &tried[at], error)) return false;
            if (!(tried[*best] <= tried[at] + 1e-12 * fabs(tried[at]))) *best = at, moved = true;
        }
    }
    return true;
}

/* The best alpha at one sigma: all are tried, or every fourth and what is beside the best. */
static bool search(problem *p, double sigma, bool all, double tried[ALPHAS], int *best,
                   piaa_error *error) {
    const int last = all ? PIAA_RIDGE_ALPHAS - 1 : ALPHAS - 1;
    for (int at = 0; at < ALPHAS; at++) tried[at] = NAN;
    for (int at = last; at >= 0; at--) {
        if ((all || at % 4 == 0) && !try_at(p, alpha_at(at), sigma, &tried[at], error))
            return false;
    }
    *best = 0;
    for (int at = 1; at <= last; at++)
        if (tried[at] < tried[*best] - 1e-12 * fabs(tried[*best])) *best = at;
    return all || climb(p, sigma, tried, best, error);
}

/* Sets alpha, where it is not given. */
static bool choose(problem *p, double sigma, double alpha, double *least, piaa_error *error) {
    double tried[ALPHAS];
    int best;
    p->alpha = alpha;
    p->sigma = sigma;
    if (alpha > 0) return true;
    if (!search(p, sigma, p->count == p->stars, tried, &best, error)) return false;
    *least = tried[best];
    p->alpha = alpha_at(best);
    return true;
}

/* ------------------------------------------------------------------------------------ the problem
 */

static bool fault(piaa_error *error, const char *what, int64_t where) {
    return piaa_error_set(error, PIAA_USAGE, "%s (photo or pair %lld)", what, (long long)where + 1);
}

static bool check(const piaa_compared *data, bool covariance, piaa_error *error) {
    if (!data->kernel) return piaa_error_missing(error, "kernel");
    int64_t stars = 0;
    for (int64_t i = 0; i < data->photos; i++) {
        double star = data->stars ? data->stars[i] : NAN,
               offset = data->offset ? data->offset[i] : 0;
        stars += !isnan(star);
        if (isinf(star) || !isfinite(offset))
            return fault(error, "a star is not a finite number", i);
    }
    for (int64_t k = 0; k < data->count; k++) {
        const piaa_duel *duel = &data->duels[k];
        if (duel->one < 0 || duel->one >= data->photos || duel->other < 0 ||
            duel->other >= data->photos || duel->one == duel->other)
            return fault(error, "a comparison is not of two of the photos", k);
        if (!(duel->wins >= 0 && duel->losses >= 0 && duel->wins + duel->losses > 0) ||
            !isfinite(duel->wins + duel->losses))
            return fault(error, "a comparison has no answer", k);
    }
    return stars + 2 * data->count >= 2 || covariance ||
           piaa_error_set(error, PIAA_USAGE, "neither two stars nor a comparison to learn from");
}

static void free_problem(problem *p) {
    free(p->readings);
    free(p->kernel);
    free(p->root);
    free(p->factor);
    free(p->wide);
    free(p->square);
    free(p->f);
    free(p->ones_dual);
}

/* Stars first, then pairs; the numbers of nodes are those of photos. */
static bool list_readings(problem *p, piaa_error *error) {
    const piaa_compared *data = p->data;
    double sum = 0, squares = 0;
    p->readings =
        piaa_alloc((size_t)data->photos + (size_t)data->count, sizeof *p->readings, error);
    if (!p->readings) return false;
    for (int64_t i = 0; data->stars && i < data->photos; i++) {
        if (isnan(data->stars[i])) continue;
        double target = data->stars[i] - (data->offset ? data->offset[i] : 0);
        p->readings[p->count++] =
            (reading){.photo = i, .other = -1, .node = i, .less = -1, .target = target};
        sum += target;
    }
    p->stars = p->count;
    double n = (double)p->stars;
    for (size_t i = 0; i < p->stars; i++) squares += pow(p->readings[i].target - sum / n, 2);
    p->anchored = p->stars > 1 && squares / n > 1e-12 * (1 + sum / n * sum / n);
    p->variance = p->anchored ? squares / n : 1;
    p->intercept = p->stars ? sum / n : 0;
    for (int64_t k = 0; k < data->count; k++) {
        const piaa_duel *duel = &data->duels[k];
        p->readings[p->count++] = (reading){
            .photo = duel->one,
            .other = duel->other,
            .node = duel->one,
            .less = duel->other,
            .offset = data->offset ? data->offset[duel->one] - data->offset[duel->other] : 0,
            .wins = duel->wins,
            .losses = duel->losses};
    }
    return true;
}

/* F, and room for a matrix of its rank. */
static bool nodes_are_photos(problem *p, piaa_error *error) {
    const size_t n = (size_t)p->data->photos;
    double *copy = piaa_alloc_array(n * n, sizeof *copy, error);
    if (copy) memcpy(copy, p->data->kernel, n * n * sizeof *copy);
    p->root = copy ? piaa_blas_root((int)n, copy, &p->rank, error) : NULL;
    free(copy);
    const size_t r = (size_t)p->rank;
    p->nodes = n;
    return p->root && (p->factor = piaa_alloc_array(r * r, sizeof *p->factor, error)) &&
           (p->wide = piaa_alloc_array(n * r, sizeof *p->wide, error));
}

/* G = A K A'. */
static bool nodes_are_readings(problem *p, piaa_error *error) {
    const size_t n = p->count, photos = (size_t)p->data->photos;
    p->nodes = n;
    if (!(p->kernel = piaa_alloc_array(n * n, sizeof *p->kernel, error)) ||
        !(p->factor = piaa_alloc_array(n * n, sizeof *p->factor, error)) ||
        !(p->wide = piaa_alloc_array(n * n, sizeof *p->wide, error)))
        return false;
    for (size_t i = 0; i < n; i++) {
        const reading *k = &p->readings[i];
        const double *one = p->data->kernel + (size_t)k->photo * photos,
                     *other = is_star(k) ? NULL : p->data->kernel + (size_t)k->other * photos;
        for (size_t j = 0; j <= i; j++) {
            const reading *l = &p->readings[j];
            double value = one[l->photo] - (other ? other[l->photo] : 0);
            if (!is_star(l)) value -= one[l->other] - (other ? other[l->other] : 0);
            p->kernel[i * n + j] = value;
        }
    }
    for (size_t i = 0; i < n; i++) {
        p->readings[i].node = (int64_t)i;
        p->readings[i].less = -1;
    }
    return true;
}

static bool make_problem(problem *p, bool covariance, piaa_error *error) {
    if (!check(p->data, covariance, error) || !list_readings(p, error)) return false;
    if (p->data->photos > INT32_MAX || p->count > INT32_MAX)
        return piaa_error_set(error, PIAA_USAGE, "too many photos or pairs");
    const bool photos = covariance || (size_t)p->data->photos <= p->count;
    if (!(photos ? nodes_are_photos : nodes_are_readings)(p, error)) return false;
    const size_t n = p->nodes, r = n > (size_t)p->rank ? n : (size_t)p->rank;
    double *room = piaa_alloc(7 * n + r, sizeof *room, error);
    p->f = room;
    if (!room || !(p->square = piaa_alloc_array(n * n, sizeof *p->square, error)) ||
        !(p->ones_dual = piaa_alloc(p->count, sizeof *p->ones_dual, error)))
        return false;
    p->c = room + n;
    p->f_next = room + 2 * n;
    p->c_next = room + 3 * n;
    p->right = room + 4 * n;
    p->ones = room + 5 * n;
    p->ones_left = room + 6 * n;
    p->work = room + 7 * n;
    return true;
}

/* ---------------------------------------------------------------------------------------- fitting
 */

static bool make_fit(piaa_pairwise *fit, const piaa_compared *data, bool covariance,
                     piaa_error *error) {
    const size_t n = (size_t)data->photos;
    fit->photos = data->photos;
    fit->count = data->count;
    return (fit->coefficients = piaa_alloc(n, sizeof(double), error)) &&
           (fit->score = piaa_alloc(n, sizeof(double), error)) &&
           (fit->star_left = piaa_alloc(n, sizeof(double), error)) &&
           (fit->photo_left = piaa_alloc(n, sizeof(double), error)) &&
           (fit->duel_left = piaa_alloc((size_t)data->count, sizeof(double), error)) &&
           (!covariance || (fit->covariance = piaa_alloc_array(n * n, sizeof(double), error)));
}

double piaa_pairwise_win(const piaa_pairwise *fit, double a, double b) {
    return logistic((a - b) / (piaa_pairwise_scale * fit->sigma * fit->gain));
}

/* What single readings are when they are left out. */
static void take_left(const problem *p, piaa_pairwise *fit) {
    double told = 0, of = 0;
    for (int64_t i = 0; i < fit->photos; i++) fit->star_left[i] = NAN;
    for (size_t i = 0; i < p->count; i++) {
        const reading *k = &p->readings[i];
        if (is_star(k)) {
            double offset = p->data->offset ? p->data->offset[k->photo] : 0;
            if (p->stars > 1) fit->star_left[k->photo] = offset + without(k);
            continue;
        }
        double win = piaa_pairwise_win(fit, k->offset + without(k), 0);
        fit->duel_left[i - p->stars] = win;
        if (k->wins == k->losses) continue;
        of++;
        told += win == 0.5 ? 0.5 : (win > 0.5) == (k->wins > k->losses);
    }
    fit->right = of > 0 ? told / of : NAN;
}

static bool take(problem *p, piaa_pairwise *fit, piaa_error *error) {
    const piaa_compared *data = p->data;
    const int n = (int)fit->photos;
    fit->anchored = p->anchored;
    fit->alpha = p->alpha;
    fit->sigma = p->sigma;
    fit->intercept = p->intercept;
    fit->gain = 1;
    for (size_t i = 0; i < p->count; i++) {
        const reading *k = &p->readings[i];
        fit->coefficients[k->photo] -= k->slope / p->alpha;
        if (!is_star(k)) fit->coefficients[k->other] += k->slope / p->alpha;
    }
    cblas_dsymv(CblasRowMajor, CblasLower, n, 1, data->kernel, n, fit->coefficients, 1, 0,
                fit->score, 1);
    for (int i = 0; i < n; i++) {
        fit->score[i] += fit->intercept + (data->offset ? data->offset[i] : 0);
        fit->photo_left[i] = fit->score[i];
    }
    take_left(p, fit);
    spread(p);
    for (size_t i = 0; fit->covariance && i < p->nodes; i++)
        for (size_t j = 0; j <= i; j++)
            fit->covariance[i * p->nodes + j] = fit->covariance[j * p->nodes + i] =
                p->sigma * p->sigma * p->square[i * p->nodes + j];
    return leave_photos(p, fit->photo_left, error);
}

/* The stars' say in the scale. */
static void calibrate(const problem *p, piaa_pairwise *fit) {
    const piaa_compared *data = p->data;
    const size_t n = (size_t)fit->photos;
    const double stars = (double)p->stars;
    double star = 0, told = 0, both = 0, square = 0, missed = 0;
    for (size_t i = 0; i < n; i++) {
        if (isnan(data->stars[i])) continue;
        star += data->stars[i] / stars;
        told += fit->photo_left[i] / stars;
        missed += pow(data->stars[i] - fit->photo_left[i], 2) / stars;
    }
    for (size_t i = 0; i < n; i++) {
        if (isnan(data->stars[i])) continue;
        both += (data->stars[i] - star) * (fit->photo_left[i] - told) / stars;
        square += pow(fit->photo_left[i] - told, 2) / stars;
    }
    if (!(square + missed > 0)) return;
    fit->gain = fmin(1, fmax(0.05, both / (square + 4 / stars * missed)));
    fit->intercept = star + fit->gain * (fit->intercept - told);
    for (size_t i = 0; i < n; i++) {
        fit->coefficients[i] *= fit->gain;
        fit->score[i] = star + fit->gain * (fit->score[i] - told);
        fit->star_left[i] = star + fit->gain * (fit->star_left[i] - told);
        fit->photo_left[i] = star + fit->gain * (fit->photo_left[i] - told);
    }
    for (size_t i = 0; fit->covariance && i < n * n; i++)
        fit->covariance[i] *= fit->gain * fit->gain;
}

static bool fit_problem(problem *p, const piaa_pairwise_options *options, double sigma,
                        piaa_pairwise *fit, piaa_error *error) {
    if (options->sigma > 0) sigma = options->sigma;
    return choose(p, sigma, options->alpha, &fit->criterion, error) && descend(p, 1e-10, error) &&
           loosen(p, error) && ((fit->criterion = criterion(p)), take(p, fit, error));
}

/* The error of stars learned from alone. */
static bool error_of_stars(const piaa_compared *data, double variance, double *sigma,
                           piaa_error *error) {
    const piaa_compared stars = {.photos = data->photos,
                                 .kernel = data->kernel,
                                 .offset = data->offset,
                                 .stars = data->stars};
    problem p = {.data = &stars};
    double least = 0;
    const bool ok = make_problem(&p, false, error) && choose(&p, 1, 0, &least, error);
    free_problem(&p);
    /* the criterion, undone */
    double square = ok ? exp(2 * least / (double)p.stars) - variance / 20 : 0;
    *sigma = sqrt(fmax(square, 1e-4 * variance));
    return ok;
}

piaa_pairwise *piaa_pairwise_fit(const piaa_compared *data, const piaa_pairwise_options *options,
                                 piaa_error *error) {
    const piaa_pairwise_options chosen = {0};
    if (!options) options = &chosen;
    problem p = {.data = data};
    double sigma = 1;
    piaa_pairwise *fit = piaa_alloc(1, sizeof *fit, error);
    if (!fit) return NULL;
    const bool ok =
        make_problem(&p, options->covariance, error) &&
        make_fit(fit, data, options->covariance, error) &&
        (!p.anchored || options->sigma > 0 || error_of_stars(data, p.variance, &sigma, error)) &&
        fit_problem(&p, options, sigma, fit, error);
    if (ok && p.anchored && data->count && !(options->alpha > 0)) calibrate(&p, fit);
    free_problem(&p);
    if (ok) return fit;
    piaa_pairwise_free(fit);
    return NULL;
}

void piaa_pairwise_free(piaa_pairwise *fit) {
    if (!fit) return;
    free(fit->coefficients);
    free(fit->score);
    free(fit->star_left);
    free(fit->duel_left);
    free(fit->photo_left);
    free(fit->covariance);
    free(fit);
}

/* -------------------------------------------------------------------------- what to ask for next
 */

/* S after the answer to a pair, whichever it is: less w Sd d'S / (1 + w d'Sd). */
static void answer(piaa_pairwise *fit, const piaa_duel *duel, double *column) {
    const size_t n = (size_t)fit->photos, i = (size_t)duel->one, j = (size_t)duel->other;
    const double scale = piaa_pairwise_scale * fit->sigma * fit->gain,
                 win = piaa_pairwise_win(fit, fit->score[i], fit->score[j]),
                 weight = win * (1 - win) / (scale * scale);
    for (size_t k = 0; k < n; k++)
        column[k] = fit->covariance[k * n + i] - fit->covariance[k * n + j];
    const double part = weight / (1 + weight * (column[i] - column[j]));
    cblas_dger(CblasRowMajor, (int)n, (int)n, -part, column, 1, column, 1, fit->covariance, (int)n);
}

int64_t piaa_pairwise_choose(piaa_pairwise *fit, const piaa_compared *data, const bool *candidate,
                             int64_t count, piaa_duel *out) {
    const int64_t n = fit->photos;
    double *column = piaa_alloc((size_t)n, sizeof *column, NULL);
    int64_t found = 0;
    while (column && found < count) {
        double most = -1;
        piaa_duel best = {0};
        for (int64_t i = 0; i < n; i++) {
            if (candidate && !candidate[i]) continue;
            const double *row = fit->covariance + i * n;
            for (int64_t j = 0; j < i; j++) {
                if (candidate && !candidate[j]) continue;
                double win = piaa_pairwise_win(fit, fit->score[j], fit->score[i]),
                       value = win * (1 - win) * (row[i] + fit->covariance[j * n + j] - 2 * row[j]);
                if (!(value > most)) continue;
                bool known = false;
                for (int64_t k = 0; !known && k < data->count + found; k++) {
                    const piaa_duel *duel =
                        k < data->count ? &data->duels[k] : &out[k - data->count];
                    known = (duel->one == i && duel->other == j) ||
                            (duel->one == j && duel->other == i);
                }
                if (known) continue;
                most = value;
                best = (piaa_duel){.one = j, .other = i};
            }
        }
        if (most < 0) break;
        out[found++] = best;
        answer(fit, &best, column);
    }
    free(column);
    return found;
}

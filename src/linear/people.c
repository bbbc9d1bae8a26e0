/*
 * Of many people the percentile bootstrap is as good as anything, and it is what the published
 * figures have.  Of few it is not: its interval is too narrow (of one person it has no width), and
 * its p-value is 0 as soon as all differences have one sign, which of two people's happens every
 * other time.
 *
 * Test of few people.  If neither method is better, each person's difference d_i might as well have
 * been -d_i.  The p-value is the share of the 2^n ways to give signs to |d_1| ... |d_n| whose sum
 * is as far from 0 as the one observed (Fisher 1935): exact for any symmetric distribution.
 *
 * Interval of few people.  Student's, mean -+ t s/sqrt(n), is right for normal figures and too
 * short on one side for skewed ones.  Hall (1992, Journal of the Royal Statistical Society B 54)
 * takes the skewness g out of T = (mean - mu)/s by a cubic that can be inverted,
 *
 *     f(T) = T + gT^2/3 + g^2 T^3/27 + g/(6n),   f^-1(v) = 3/g (cbrt(1 + g(v - g/(6n))) - 1),
 *
 * so that mu lies between mean - s f^-1(t/sqrt(n)) and mean - s f^-1(-t/sqrt(n)).  g is the
 * unbiased sample skewness.  That is right for skewed figures and too short for symmetric ones with
 * long tails; the interval given runs from the lower of both lower ends to the higher of both
 * higher ends.  docs/statistics.md has its coverage.
 */
#include "linear/people.h"

#include "base/memory.h"
#include "base/random.h"

#include <math.h>
#include <stdlib.h>

/* ------------------------------------------------------------------------------------- interval */

/* P(|T| <= t) of Student's T with `degrees` of freedom: Abramowitz and Stegun 26.7.3 and 26.7.4. */
static double student_within(double t, size_t degrees) {
    static const double half_pi = 1.5707963267948966;
    double angle = atan(t / sqrt((double)degrees)), cosine = cos(angle), square = cosine * cosine;
    bool odd = degrees % 2;
    double term = odd ? cosine : 1, sum = 0;
    for (size_t k = odd ? 3 : 2; k <= degrees; k += 2) {
        sum += term;
        term *= square * (double)(k - 1) / (double)k;
    }
    return odd ? (angle + sin(angle) * sum) / half_pi : sin(angle) * sum;
}

/* The t that 95 % of |T| are below. */
static double student_95(size_t degrees) {
    double low = 0, high = 13;
    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2;
        *(student_within(middle, degrees) < 0.95 ? &low : &high) = middle;
    }
    return high;
}

/* Hall's f^-1. */
static double unskew(double v, double skewness, size_t n) {
    if (fabs(skewness) < 1e-6) return v;
    return 3 / skewness * (cbrt(1 + skewness * (v - skewness / (6 * (double)n))) - 1);
}

static piaa_interval interval_of_few(const double *values, size_t count) {
    piaa_interval out = {NAN, NAN, NAN};
    double n = (double)count, sum = 0, squares = 0, cubes = 0, least = INFINITY, most = -INFINITY;
    for (size_t i = 0; i < count; i++) {
        sum += values[i];
        least = fmin(least, values[i]);
        most = fmax(most, values[i]);
    }
    out.mean = sum / n;
    bool same = most - least <= 1e-12 * fmax(fabs(least), fabs(most)); /* but for rounding */
    if (count < PIAA_PEOPLE_FEW || same) return out;
    for (size_t i = 0; i < count; i++) {
        double off = values[i] - out.mean;
        squares += off * off;
        cubes += off * off * off;
    }
    double deviation = sqrt(squares / (n - 1)),
           skewness = cubes / n / pow(squares / n, 1.5) * sqrt(n * (n - 1)) / (n - 2),
           t = student_95(count - 1) / sqrt(n);
    out.low = out.mean - deviation * fmax(t, unskew(t, skewness, count));
    out.high = out.mean - deviation * fmin(-t, unskew(-t, skewness, count));
    if (isfinite(out.low) && isfinite(out.high)) return out;
    return (piaa_interval){out.mean, NAN, NAN}; /* figures so large that their squares are not */
}

bool piaa_people_means(const double *values, size_t lists, size_t n, int draws, uint32_t seed,
                       piaa_interval *out, piaa_error *error) {
    if (n >= PIAA_PEOPLE_MANY || !n)
        return piaa_bootstrap_means(values, lists, n, draws, seed, out, error);
    for (size_t list = 0; list < lists; list++) out[list] = interval_of_few(values + list * n, n);
    return true;
}

/* ----------------------------------------------------------------------------------------- test */

/* How many ways to give signs to d[n], added to `sum`, end at least as `far` from 0. */
static size_t count_flips(const double *d, size_t n, double sum, double far) {
    if (!n) return fabs(sum) >= far;
    return count_flips(d + 1, n - 1, sum + *d, far) + count_flips(d + 1, n - 1, sum - *d, far);
}

static bool sample_flips(const double *d, size_t n, double far, int draws, uint32_t seed, double *p,
                         piaa_error *error) {
    piaa_random *random = piaa_alloc(1, sizeof *random, error);
    if (!random) return false;
    piaa_random_seed_numpy(random, seed);
    int count = 0;
    for (int draw = 0; draw < draws; draw++) {
        double sum = 0;
        uint32_t signs = 0;
        for (size_t i = 0; i < n; i++, signs >>= 1) {
            if (i % 32 == 0) signs = piaa_random_word(random);
            sum += signs & 1 ? d[i] : -d[i];
        }
        count += fabs(sum) >= far;
    }
    free(random);
    *p = (count + 1) / (draws + 1.0); /* what was observed is one of the ways */
    return true;
}

static bool flip(const double *d, size_t n, int draws, uint32_t seed, double *p,
                 piaa_error *error) {
    double sum = 0, all = 0;
    for (size_t i = 0; i < n; i++) {
        sum += d[i];
        all += fabs(d[i]);
    }
    double far = fabs(sum) - 1e-12 * all; /* equal sums differ by what was rounded */
    if (n >= PIAA_PEOPLE_EXACT) return sample_flips(d, n, far, draws, seed, p, error);
    /* the first keeps its sign: the other half is this one's mirror image */
    *p = (double)count_flips(d + 1, n - 1, d[0], far) / (double)((size_t)1 << (n - 1));
    return true;
}

bool piaa_people_compare(const double *a, const double *b, size_t n, int draws, uint32_t seed,
                         piaa_interval *difference, double *p, piaa_error *error) {
    if (n >= PIAA_PEOPLE_MANY || !n)
        return piaa_bootstrap_paired(a, b, n, draws, seed, difference, p, error);
    double *d = piaa_alloc_array(n, sizeof *d, error);
    if (!d) return false;
    for (size_t i = 0; i < n; i++) d[i] = a[i] - b[i];
    *difference = interval_of_few(d, n);
    bool ok = flip(d, n, draws, seed, p, error);
    free(d);
    return ok;
}

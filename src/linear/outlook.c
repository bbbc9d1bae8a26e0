/*
 * The learning curve on the ratings so far.  The mean squared error of photos left out falls with
 * the number m of ratings about as
 *
 *     e(m) = a + b / m,      a, b >= 0,
 *
 * a what cannot be learned (noise, and what the features do not tell), b/m what was not learned yet
 * (Hastie, Tibshirani and Friedman 2009, 7.3: the variance of a linear fit).  e at half and at
 * three quarters of the ratings is measured: that many are drawn at random, everything is learned
 * from them anew, its strength too, and the others are predicted; DRAWS times each.  e at all of
 * them but one is the leave-one-out error.  a and b follow by least squares, and what is told is
 * the error now, less what the curve falls.  Near copies count as one photo: those of a group are
 * drawn together.
 */
#include "linear/outlook.h"

#include "base/memory.h"
#include "base/random.h"

#include <math.h>
#include <stdlib.h>

enum { DRAWS = 12, POINTS = 3 };

typedef struct drawing {
    const piaa_compared *said;
    piaa_random random;
    size_t *photos, *order; /* [stars] which have one; in random order */
    size_t count;
    double *stars; /* [said->photos] of those drawn */
} drawing;

static int64_t group_of(const drawing *d, size_t photo) {
    return d->said->group ? d->said->group[photo] : (int64_t)photo;
}

/* About `m` stars, a group's all or none; gives how many. */
static size_t draw(drawing *d, size_t m) {
    size_t drawn = 0;
    for (int64_t i = 0; i < d->said->photos; i++) d->stars[i] = NAN;
    for (size_t i = 0; i < d->count; i++) d->order[i] = i;
    piaa_random_shuffle(&d->random, d->order, d->count);
    for (size_t i = 0; i < d->count && drawn < m; i++) {
        const size_t photo = d->photos[d->order[i]];
        if (!isnan(d->stars[photo])) continue; /* with its group */
        for (size_t j = 0; j < d->count; j++) {
            const size_t other = d->photos[j];
            if (group_of(d, other) != group_of(d, photo)) continue;
            d->stars[other] = d->said->stars[other];
            drawn++;
        }
    }
    return drawn;
}

/* Squared errors of the stars that were not drawn, added to *sum, and their number. */
static bool add_errors(drawing *d, double *sum, size_t *count, piaa_error *error) {
    piaa_compared fewer = *d->said;
    fewer.stars = d->stars;
    piaa_pairwise *fit = piaa_pairwise_fit(&fewer, NULL, error);
    for (size_t i = 0; fit && i < d->count; i++) {
        const size_t photo = d->photos[i];
        if (!isnan(d->stars[photo])) continue;
        *sum += pow(fit->score[photo] - d->said->stars[photo], 2);
        ++*count;
    }
    piaa_pairwise_free(fit);
    return fit;
}

/* One point of the curve: how many stars were learned from on average, and the mean square. */
static bool measure(drawing *d, size_t m, double *stars, double *square, piaa_error *error) {
    double sum = 0, drawn = 0;
    size_t count = 0;
    for (int i = 0; i < DRAWS; i++) {
        drawn += (double)draw(d, m);
        if (!add_errors(d, &sum, &count, error)) return false;
    }
    *stars = drawn / DRAWS;
    *square = count ? sum / (double)count : NAN;
    return true;
}

/* b of the curve through the points, which end at n ratings. */
static double slope(const double m[POINTS], const double e[POINTS], double n) {
    double x_mean = 0, e_mean = 0, xx = 0, xe = 0;
    for (int i = 0; i < POINTS; i++) {
        x_mean += 1 / m[i] / POINTS;
        e_mean += e[i] / POINTS;
    }
    for (int i = 0; i < POINTS; i++) {
        xx += (1 / m[i] - x_mean) * (1 / m[i] - x_mean);
        xe += (1 / m[i] - x_mean) * (e[i] - e_mean);
    }
    const double b = xe / xx;
    return b > 0 ? fmin(b, n * e[POINTS - 1]) : 0; /* also where nothing was left over */
}

static bool look_ahead(drawing *d, double now, double more, double *out, piaa_error *error) {
    const size_t n = d->count;
    double m[POINTS] = {[POINTS - 1] = (double)(n - 1)}, e[POINTS] = {[POINTS - 1] = now * now};
    if (!measure(d, n / 2, &m[0], &e[0], error) || !measure(d, 3 * n / 4, &m[1], &e[1], error))
        return false;
    const double ahead = (double)n + more;
    *out = sqrt(now * now - slope(m, e, (double)n) * (1 / (double)n - 1 / ahead));
    return true;
}

bool piaa_outlook(const piaa_compared *said, double now, double more, double *out,
                  piaa_error *error) {
    drawing d = {.said = said};
    const size_t photos = (size_t)said->photos;
    *out = NAN;
    d.photos = piaa_alloc(photos, sizeof *d.photos, error);
    d.order = piaa_alloc(photos, sizeof *d.order, error);
    d.stars = piaa_alloc(photos, sizeof *d.stars, error);
    bool ok = d.photos && d.order && d.stars;
    for (size_t i = 0; ok && said->stars && i < photos; i++)
        if (!isnan(said->stars[i])) d.photos[d.count++] = i;
    if (ok && d.count >= PIAA_OUTLOOK_LEAST && d.count <= PIAA_OUTLOOK_MOST && isfinite(now)) {
        piaa_random_seed_numpy(&d.random, 1);
        ok = look_ahead(&d, now, more, out, error);
    }
    free(d.photos);
    free(d.order);
    free(d.stars);
    return ok;
}

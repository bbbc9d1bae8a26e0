/* What more ratings would bring, against really giving more. */
#include "support.h"

#include "linear/outlook.h"

#include "base/random.h"

enum { PHOTOS = 260, DIM = 12 };

typedef struct world {
    double kernel[PHOTOS * PHOTOS], scores[PHOTOS], stars[PHOTOS];
    piaa_compared said;
} world;

/* Scores are linear in the features, with noise of standard deviation `noise`. */
static world *make_world(double noise, uint32_t seed) {
    world *w = calloc(1, sizeof *w);
    double *z = malloc(PHOTOS * DIM * sizeof *z);
    assert_true(w && z);
    piaa_random random;
    piaa_random_seed_numpy(&random, seed);
    for (size_t i = 0; i < (size_t)PHOTOS * DIM; i++) {
        z[i] = -6;
        for (int k = 0; k < 12; k++) z[i] += piaa_random_unit(&random);
    }
    for (size_t i = 0; i < PHOTOS; i++) {
        double e = -6;
        for (int k = 0; k < 12; k++) e += piaa_random_unit(&random);
        w->scores[i] = 3 + noise * e;
        for (size_t c = 0; c < DIM; c++) w->scores[i] += z[i * DIM + c] / 4;
        for (size_t j = 0; j < PHOTOS; j++)
            for (size_t c = 0; c < DIM; c++)
                w->kernel[i * PHOTOS + j] += z[i * DIM + c] * z[j * DIM + c];
        w->stars[i] = NAN;
    }
    free(z);
    w->said = (piaa_compared){.photos = PHOTOS, .kernel = w->kernel, .stars = w->stars};
    return w;
}

/* Root mean square error of the photos from 100 on, learned from those from..from + n. */
static double error_of(world *w, size_t from, size_t n) {
    for (size_t i = 0; i < PHOTOS; i++)
        w->stars[i] = i >= from && i < from + n ? w->scores[i] : NAN;
    piaa_pairwise *fit = piaa_pairwise_fit(&w->said, NULL, NULL);
    assert_non_null(fit);
    double sum = 0;
    for (size_t i = 100; i < PHOTOS; i++) sum += pow(fit->score[i] - w->scores[i], 2);
    piaa_pairwise_free(fit);
    return sqrt(sum / (PHOTOS - 100));
}

/* On average over worlds: what was foretold from 20 ratings, and what 20 more did. */
static void foretells_what_comes(void **state) {
    PIAA_UNUSED(state);
    enum { WORLDS = 12 };
    double told = 0, came = 0, before = 0;
    for (uint32_t seed = 0; seed < WORLDS; seed++) {
        world *w = make_world(0.4, seed);
        const double now = error_of(w, 0, 20);
        double out;
        assert_true(piaa_outlook(&w->said, now, 20, &out, NULL));
        assert_true(out <= now && out > 0);
        told += out / WORLDS;
        before += now / WORLDS;
        came += error_of(w, 0, 40) / WORLDS;
        free(w);
    }
    assert_true(came < 0.85 * before); /* there was something to foretell */
    if (!(fabs(told / came - 1) < 0.15)) fail_msg("%g, %g told, %g came", before, told, came);
}

static void is_seeded_and_bounded(void **state) {
    PIAA_UNUSED(state);
    world *w = make_world(0.5, 7);
    double out, again;
    const double now = error_of(w, 0, 30);
    assert_true(piaa_outlook(&w->said, now, 10, &out, NULL));
    assert_true(piaa_outlook(&w->said, now, 10, &again, NULL));
    assert_true(out == again);
    /* copies: thirty photos that are fifteen */
    int64_t group[PHOTOS];
    for (int64_t i = 0; i < PHOTOS; i++) group[i] = i < 30 ? i / 2 * 2 : i;
    w->said.group = group;
    assert_true(piaa_outlook(&w->said, now, 10, &again, NULL));
    assert_true(again <= now);
    w->said.group = NULL;
    error_of(w, 0, 7);
    assert_true(piaa_outlook(&w->said, now, 10, &out, NULL));
    assert_true(isnan(out));
    error_of(w, 0, 12);
    assert_true(piaa_outlook(&w->said, NAN, 10, &out, NULL));
    assert_true(isnan(out));
    free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(foretells_what_comes),
        cmocka_unit_test(is_seeded_and_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

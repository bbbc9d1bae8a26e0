/* Groups of rows left out together: against scikit-learn's LeaveOneGroupOut (tests/golden), against
   refits, and what has to hold of any data. */
#include "support.h"

#include "linear/leave_out.h"
#include "linear/loops.h"
#include "linear/near.h"

static const char *const cases[] = {"wide", "tall", "alone", "three", "large"};

typedef struct example {
    size_t n, d;
    float *x;
    double *y, *errors, *alpha, *of_mean;
    int64_t *group;
    piaa_ridge_design *design;
} example;

static double *golden(const piaa_safetensors *file, const char *group, const char *name) {
    char key[64];
    snprintf(key, sizeof key, "%s|%s", group, name);
    return support_doubles(file, key, NULL);
}

static example open_example(const piaa_safetensors *file, const char *name) {
    example e = {0};
    char key[64];
    snprintf(key, sizeof key, "%s|x", name);
    e.n = (size_t)support_tensor(file, key)->shape[0];
    e.d = (size_t)support_tensor(file, key)->shape[1];
    e.x = support_floats(file, key, NULL);
    e.y = golden(file, name, "y");
    e.errors = golden(file, name, "errors");
    e.alpha = golden(file, name, "alpha");
    e.of_mean = golden(file, name, "of_mean");
    double *group = golden(file, name, "group");
    e.group = malloc(e.n * sizeof *e.group);
    for (size_t i = 0; i < e.n; i++) e.group[i] = (int64_t)group[i];
    free(group);
    e.design = piaa_ridge_design_new(e.x, NULL, (int64_t)e.n, (int)e.d, NULL);
    assert_non_null(e.design);
    return e;
}

static void close_example(example *e) {
    piaa_ridge_design_free(e->design);
    free(e->x), free(e->y), free(e->errors), free(e->alpha), free(e->of_mean), free(e->group);
}

static int ascending(const void *a, const void *b) {
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

static void equals_scikit_learn(void **state) {
    PIAA_UNUSED(state);
    piaa_safetensors *file = support_golden(PIAA_GOLDEN "/leave_out.safetensors");
    for (size_t c = 0; c < PIAA_COUNT(cases); c++) {
        example e = open_example(file, cases[c]);
        piaa_error error = {0};
        piaa_left_out *left = piaa_leave_out(e.design, e.y, (int64_t)e.n, e.group, &error);
        if (!left) fail_msg("%s", error.message);
        assert_true(fabs(left->alpha / e.alpha[0] - 1) < 1e-12);
        assert_true(fabs(left->rmse_of_mean - e.of_mean[0]) < 1e-12);
        size_t a = 0;
        while (fabs(piaa_ridge_alphas[a] / e.alpha[0] - 1) > 1e-12) a++;
        for (size_t i = 0; i < e.n; i++)
            assert_true(fabs(e.y[i] - left->predicted[i] - e.errors[a * e.n + i]) < 1e-9);
        if (strcmp(cases[c], "large") != 0) { /* larger than what is nested */
            double *nested = golden(file, cases[c], "nested");
            qsort(nested, (size_t)left->groups, sizeof *nested, ascending);
            for (int64_t g = 0; g < left->groups; g++)
                if (!(fabs(left->errors[g] - nested[g]) < 1e-9))
                    fail_msg("%s, group %lld: %.12g, scikit-learn %.12g", cases[c], (long long)g,
                             left->errors[g], nested[g]);
            assert_true(left->chance > 0 && left->chance <= 1);
            free(nested);
        }
        piaa_left_out_free(left);
        close_example(&e);
    }
    piaa_safetensors_close(file);
}

/* By hand: errors are the distances to the mean of the other two, 1.5, 0 and 1.5, where there is
 * nothing to predict by; with 3 places ceil(0.5 * 4) = 2, ceil(0.75 * 4) = 3, ceil(0.9 * 4) = 4. */
static void features_without_meaning(void **state) {
    PIAA_UNUSED(state);
    const float x[] = {2, 2, 2};
    const double y[] = {1, 2, 3};
    piaa_ridge_design *design = piaa_ridge_design_new(x, NULL, 3, 1, NULL);
    piaa_left_out *left = piaa_leave_out(design, y, 3, NULL, NULL);
    assert_non_null(left);
    const double want[] = {0, 1.5, 1.5};
    for (int i = 0; i < 3; i++) assert_true(fabs(left->errors[i] - want[i]) < 1e-12);
    assert_true(fabs(left->rmse - sqrt(1.5)) < 1e-12 && left->rmse_of_mean == left->rmse);
    assert_true(left->chance == 1); /* every order is predicted as well */
    assert_true(piaa_left_out_quantile(left, 0.5) == left->errors[1]);
    assert_true(piaa_left_out_quantile(left, 0.75) == left->errors[2]);
    assert_true(isnan(piaa_left_out_quantile(left, 0.9)));
    piaa_left_out_free(left);

    const int64_t all[] = {0, 0, 0}; /* one group: every row on its own */
    left = piaa_leave_out(design, y, 3, all, NULL);
    assert_true(left && left->groups == 3 && fabs(left->rmse - sqrt(1.5)) < 1e-12);
    piaa_left_out_free(left);
    const int64_t two[] = {0, 0, 2}; /* 3 - 1.5, and 1 - 3 and 2 - 3 together */
    left = piaa_leave_out(design, y, 3, two, NULL);
    assert_true(left && left->groups == 2 && fabs(left->errors[0] - 1.5) < 1e-12);
    assert_true(fabs(left->errors[1] - sqrt(2.5)) < 1e-12);
    piaa_left_out_free(left);
    const double bad[] = {1, NAN, 3};
    piaa_error error = {0};
    assert_null(piaa_leave_out(design, bad, 3, two, &error));
    assert_int_equal(error.code, PIAA_FORMAT);
    piaa_ridge_design_free(design);
}

/* The model without some rows is the one learned from the others: rows whose mean and scale are
 * those of all rows, so that the scaler is the same, are x and -x. */
static void without_is_a_refit(void **state) {
    PIAA_UNUSED(state);
    piaa_safetensors *file = support_golden(PIAA_GOLDEN "/leave_out.safetensors");
    static const char *const both[] = {"wide", "tall"};
    for (size_t c = 0; c < PIAA_COUNT(both); c++) {
        example e = open_example(file, both[c]);
        size_t n = e.n, d = e.d;
        float *x = malloc(4 * n * d * sizeof *x);
        double *y = malloc(4 * n * sizeof *y), a, b;
        int64_t *gone = malloc(2 * n * sizeof *gone);
        for (size_t i = 0; i < 4 * n; i++) { /* x, -x, x, -x: the last two halves alike */
            y[i] = e.y[i % n] + (double)(i / n);
            for (size_t j = 0; j < d; j++)
                x[i * d + j] = i / n % 2 ? -e.x[(i % n) * d + j] : e.x[(i % n) * d + j];
        }
        for (size_t i = 0; i < 2 * n; i++) gone[i] = (int64_t)(2 * n + i);
        piaa_ridge_design *all = piaa_ridge_design_new(x, NULL, 4 * (int64_t)n, (int)d, NULL),
                          *half = piaa_ridge_design_new(x, NULL, 2 * (int64_t)n, (int)d, NULL);
        const double alpha = 0.5;
        const piaa_ridge_options fixed = {.alphas = &alpha, .alpha_count = 1};
        piaa_ridge *without =
            piaa_ridge_without(all, y, 4 * (int64_t)n, alpha, gone, 2 * (int64_t)n, NULL);
        piaa_ridge *refit = piaa_ridge_fit(half, y, 1, &fixed, NULL);
        assert_true(without && refit);
        for (size_t i = 0; i < 2 * n; i++) {
            piaa_ridge_predict(without, x + i * d, 1, &a);
            piaa_ridge_predict(refit, x + i * d, 1, &b);
            assert_true(fabs(a - b) < 1e-7);
        }
        piaa_ridge_free(without);
        piaa_ridge_free(refit);
        piaa_ridge_design_free(all);
        piaa_ridge_design_free(half);
        free(x), free(y), free(gone);
        close_example(&e);
    }
    piaa_safetensors_close(file);
}

/* A small generator of normal-looking numbers; only its reproducibility matters. */
static double noise(uint64_t *seed) {
    double sum = 0;
    for (int k = 0; k < 4; k++) {
        *seed = *seed * 6364136223846793005u + 1442695040888963407u;
        sum += (double)(*seed >> 11) / 9007199254740992.0 - 0.5;
    }
    return sum * 1.7;
}

enum { PHOTOS = 30, DIM = 80 };

/* `copies` rows of each of PHOTOS photos, `off` of a standard deviation apart, with ratings that
   mean nothing or follow the first five columns. */
static void make(uint64_t seed, int copies, double off, bool meaning, float *x, double *y) {
    uint64_t other = seed + 1;
    for (int i = 0; i < PHOTOS; i++) {
        double photo[DIM], score = meaning ? 0 : 2 * noise(&seed);
        for (int j = 0; j < DIM; j++) photo[j] = noise(&seed);
        for (int j = 0; meaning && j < 5; j++) score += photo[j] * 8;
        for (int j = 0; meaning && j < DIM; j++) photo[j] += score / 16;
        for (int k = 0; k < copies; k++) {
            y[i * copies + k] = 3 + score;
            for (int j = 0; j < DIM; j++)
                x[(i * copies + k) * DIM + j] = (float)(photo[j] + off * noise(&other));
        }
    }
}

static piaa_left_out *measure(const float *x, const double *y, int64_t n, int64_t *groups) {
    piaa_error error = {0};
    piaa_near *near = piaa_near_find(x, NULL, n, DIM, &error);
    piaa_ridge_design *design = piaa_ridge_design_new(x, NULL, n, DIM, &error);
    piaa_left_out *left = near && design ? piaa_leave_out(design, y, n, near->group, &error) : NULL;
    if (!left) fail_msg("%s", error.message);
    *groups = near->groups;
    piaa_near_free(near);
    piaa_ridge_design_free(design);
    return left;
}

/* Random ratings stay unpredictable when every photo has copies, exact or nearly so: in
 * leave-one-out they would be predicted by their copies, to 0. */
static void copies_tell_nothing(void **state) {
    PIAA_UNUSED(state);
    static float x[4 * PHOTOS * DIM];
    static double y[4 * PHOTOS];
    int64_t groups;
    make(3, 1, 0, false, x, y);
    piaa_left_out *once = measure(x, y, PHOTOS, &groups);
    assert_int_equal(groups, PHOTOS);
    assert_true(once->chance > 0.05);
    static const double offs[] = {0, 0.01, 0.1};
    for (int copies = 2; copies <= 4; copies += 2)
        for (size_t k = 0; k < PIAA_COUNT(offs); k++) {
            make(3, copies, offs[k], false, x, y);
            piaa_left_out *often = measure(x, y, copies * (int64_t)PHOTOS, &groups);
            assert_int_equal(groups, PHOTOS);
            assert_true(fabs(often->rmse / once->rmse - 1) < 0.1);
            assert_true(fabs(often->rmse_of_mean - once->rmse_of_mean) < 1e-9);
            piaa_left_out_free(often);
        }
    piaa_left_out_free(once);
}

static void meaning_is_not_chance(void **state) {
    PIAA_UNUSED(state);
    static float x[PHOTOS * DIM];
    static double y[PHOTOS];
    int64_t groups;
    make(5, 1, 0, true, x, y);
    piaa_left_out *left = measure(x, y, PHOTOS, &groups);
    assert_true(left->chance < 0.01 && left->rmse < left->rmse_of_mean);
    piaa_left_out_free(left);
}

static void near_copies_are_found(void **state) {
    PIAA_UNUSED(state);
    /* Three photos along a line of two columns, and copies a hundredth apart, in a chain. */
    const float x[] = {0, 0, 10, 10, 10.1F, 10, 20, 3, 10.2F, 10, 0, 0};
    piaa_near *near = piaa_near_find(x, NULL, 6, 2, NULL);
    assert_non_null(near);
    const int64_t want[] = {0, 1, 1, 3, 1, 0};
    assert_memory_equal(near->group, want, sizeof want);
    assert_int_equal(near->groups, 3);
    assert_true(piaa_near_same(near, x + 2, (float[]){10.05F, 10}));
    assert_false(piaa_near_same(near, x + 2, x + 6));
    piaa_near_free(near);

    const int64_t rows[] = {3, 1}; /* two photos alone: nothing to compare with */
    near = piaa_near_find(x, rows, 2, 2, NULL);
    assert_true(near && near->groups == 2);
    piaa_near_free(near);
    const int64_t equal[] = {0, 5, 3};
    near = piaa_near_find(x, equal, 3, 2, NULL);
    assert_true(near && near->groups == 2 && near->group[1] == 0);
    piaa_near_free(near);
    const float constant[] = {7, 7, 7, 7}; /* nothing tells these apart */
    near = piaa_near_find(constant, NULL, 4, 1, NULL);
    assert_true(near && near->groups == 1);
    piaa_near_free(near);
}

/* The search finds what a comparison with each row finds: of vectors far from the set, in it, and
   as near to a row as the rule's limit is, just within and just beyond; columns of any number and
   size, some of them constant. */
static void a_search_finds_the_same(void **state) {
    PIAA_UNUSED(state);
    enum { MOST = 70, WIDEST = 700 };
    static float x[MOST * WIDEST];
    static const int dims[] = {1, 2, 7, 64, 300, 700}, rows[] = {2, 3, 9, MOST};
    srand(5);
    for (size_t c = 0; c < PIAA_COUNT(dims) * PIAA_COUNT(rows); c++) {
        const int dim = dims[c % PIAA_COUNT(dims)], n = rows[c / PIAA_COUNT(dims)];
        for (int i = 0; i < n * dim; i++) {
            const int column = i % dim, scale = column % 5;
            x[i] = scale == 4 && dim > 4
                       ? 3
                       : powf(10, (float)scale) * (float)(rand() % 2001 - 1000 + 5000 * scale);
            if (i >= dim && i / dim % 7 == 6) x[i] = x[i - dim] * 1.001F; /* a copy */
        }
        piaa_near *near = piaa_near_find(x, NULL, n, dim, NULL);
        piaa_near_search *search = near ? piaa_near_search_new(near, x, NULL, NULL) : NULL;
        piaa_near_found found;
        assert_true(search && piaa_near_found_open(&found, search, NULL));
        for (int v = 0; v < 4 * n; v++) {
            static const double shares[] = {0, 0.999, 1.001, 3};
            float vector[WIDEST];
            const double length = shares[v % 4] * sqrt(near->square / dim);
            for (int j = 0; j < dim; j++)
                vector[j] = x[v / 4 * dim + j] +
                            (near->inverse[j] > 0 ? (float)(length / near->inverse[j]) : 0);
            const int64_t count = piaa_near_search_find(search, vector, &found);
            bool near_any[PIAA_LOOPS_ROWS];
            const float *const four[PIAA_LOOPS_ROWS] = {x, vector, x + dim, vector};
            int64_t next = 0;
            for (int i = 0; i < n; i++)
                if (piaa_near_same(near, vector, x + (size_t)i * (size_t)dim)) {
                    assert_true(next < count);
                    assert_int_equal(found.rows[next++], i);
                }
            assert_int_equal(next, count);
            piaa_near_search_each(search, four, &found, near_any);
            assert_true(near_any[0] && near_any[2]); /* rows of the set */
            assert_true(near_any[1] == (count > 0) && near_any[3] == (count > 0));
        }
        piaa_near_found_close(&found);
        piaa_near_search_free(search);
        piaa_near_free(near);
    }
}

/* Points of a plane come close to each other by chance: few are taken for copies, and no heap of
   them forms. */
static void crowds_are_no_copies(void **state) {
    PIAA_UNUSED(state);
    enum { POINTS = 300 };
    static float x[POINTS * 2];
    int size[POINTS] = {0};
    uint64_t seed = 8;
    for (int i = 0; i < POINTS * 2; i++) x[i] = (float)noise(&seed);
    piaa_near *near = piaa_near_find(x, NULL, POINTS, 2, NULL);
    assert_true(near && near->groups > POINTS * 9 / 10);
    for (int i = 0; i < POINTS; i++) assert_true(++size[near->group[i]] <= 4);
    piaa_near_free(near);
}

/* So many that their distances are not held at once: copies stand far from what they are copies
   of. */
static void copies_among_very_many(void **state) {
    PIAA_UNUSED(state);
    enum { MANY = 5000, COPIES = 50, WIDE = 24 };
    float *x = malloc(sizeof(float) * (MANY + COPIES) * WIDE);
    uint64_t seed = 4;
    for (int i = 0; i < MANY * WIDE; i++) x[i] = (float)noise(&seed);
    for (int i = 0; i < COPIES * WIDE; i++)
        x[MANY * WIDE + i] = x[i / WIDE * 60 * WIDE + i % WIDE] + (float)(0.01 * noise(&seed));
    piaa_near *near = piaa_near_find(x, NULL, MANY + COPIES, WIDE, NULL);
    assert_non_null(near);
    assert_int_equal(near->groups, MANY);
    for (int i = 0; i < COPIES; i++) assert_int_equal(near->group[MANY + i], 60 * i);
    piaa_near_free(near);
    free(x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_scikit_learn),     cmocka_unit_test(features_without_meaning),
        cmocka_unit_test(without_is_a_refit),      cmocka_unit_test(copies_tell_nothing),
        cmocka_unit_test(meaning_is_not_chance),   cmocka_unit_test(near_copies_are_found),
        cmocka_unit_test(a_search_finds_the_same), cmocka_unit_test(crowds_are_no_copies),
        cmocka_unit_test(copies_among_very_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The ridge against scikit-learn's StandardScaler + RidgeCV and Ridge (tests/golden), against its
   own definition, and on awkward data. */
#include "support.h"

#include "linear/ridge.h"

#include <sys/resource.h>
#include <sys/wait.h>

static const char *const cases[] = {
    "wide", "tall", "square", "tiny", "constant_column", "constant_target", "ties", "collinear"};

/* Largest difference relative to the size of the numbers: |a - b| / (|b| + largest |b|). */
static double distance(const double *a, const double *b, size_t n) {
    double largest = 0, worst = 0;
    for (size_t i = 0; i < n; i++) largest = fmax(largest, fabs(b[i]));
    for (size_t i = 0; i < n; i++) {
        double size = fabs(b[i]) + largest, here = fabs(a[i] - b[i]) / (size > 0 ? size : 1);
        if (!(here <= worst)) worst = here;
    }
    return worst;
}

/* Golden tensor CASE|NAME as doubles, and its rows and columns (1 for a vector). */
static double *golden_get(const piaa_safetensors *file, const char *group, const char *name,
                          size_t shape[2]) {
    char key[128];
    snprintf(key, sizeof key, "%s|%s", group, name);
    const piaa_tensor *tensor = support_tensor(file, key);
    shape[0] = (size_t)tensor->shape[0];
    shape[1] = tensor->dimensions > 1 ? (size_t)tensor->shape[1] : 1;
    return support_doubles(file, key, NULL);
}

static float *golden_floats(const piaa_safetensors *file, const char *group, const char *name,
                            size_t shape[2]) {
    double *wide = golden_get(file, group, name, shape);
    size_t n = shape[0] * shape[1];
    float *out = malloc(n * sizeof *out);
    assert_non_null(out);
    for (size_t i = 0; i < n; i++) out[i] = (float)wide[i];
    free(wide);
    return out;
}

/* Compares out with golden "CASE|NAME". */
static void expect(const piaa_safetensors *file, const char *group, const char *name,
                   const double *out, size_t n, double tolerance) {
    size_t shape[2];
    double *want = golden_get(file, group, name, shape);
    assert_non_null(want);
    assert_int_equal(shape[0] * shape[1], n);
    double worst = distance(out, want, n);
    if (!(worst <= tolerance)) fail_msg("%s|%s differs by %g", group, name, worst);
    free(want);
}

static void expect_predictions(const piaa_safetensors *file, const char *group, const char *name,
                               const piaa_ridge *model, const float *x, size_t rows) {
    size_t n = rows * (size_t)model->targets;
    double *out = malloc(n * sizeof *out);
    piaa_ridge_predict(model, x, (int64_t)rows, out);
    expect(file, group, name, out, n, 1e-6);
    free(out);
}

static void equals_scikit_learn(void **state) {
    PIAA_UNUSED(state);
    piaa_safetensors *file = support_golden(PIAA_GOLDEN "/ridge.safetensors");
    for (size_t c = 0; c < PIAA_COUNT(cases); c++) {
        const char *name = cases[c];
        size_t train[2], test[2], targets[2];
        float *x = golden_floats(file, name, "x", train),
              *x_test = golden_floats(file, name, "x_test", test);
        double *y = golden_get(file, name, "y", targets);
        size_t d = train[1], t = targets[1];
        piaa_error error = {0};
        piaa_ridge_design *design =
            piaa_ridge_design_new(x, NULL, (int64_t)train[0], (int)d, &error);
        assert_non_null(design);

        piaa_ridge *model = piaa_ridge_fit(design, y, (int)t, NULL, &error);
        assert_non_null(model);
        expect(file, name, "mean", model->mean, d, 1e-12);
        expect(file, name, "scale", model->scale, d, 1e-12);
        expect(file, name, "alpha", model->alphas, t, 1e-15);
        expect(file, name, "coef", model->coefficients, t * d, 1e-9);
        expect(file, name, "intercept", model->intercepts, t, 1e-12);
        expect_predictions(file, name, "prediction", model, x_test, test[0]);
        piaa_ridge_free(model);

        model = piaa_ridge_fit(design, y, (int)t, &(piaa_ridge_options){.joint = true}, &error);
        assert_non_null(model);
        for (size_t k = 0; k < t; k++)
            expect(file, name, "joint_alpha", model->alphas + k, 1, 1e-15);
        expect_predictions(file, name, "joint_prediction", model, x_test, test[0]);
        piaa_ridge_free(model);

        model = piaa_ridge_fit(design, y, (int)t,
                               &(piaa_ridge_options){.alphas = (double[]){10}, .alpha_count = 1},
                               &error);
        assert_non_null(model);
        expect_predictions(file, name, "ridge10_prediction", model, x_test, test[0]);
        piaa_ridge_free(model);

        piaa_ridge_design_free(design);
        free(y), free(x), free(x_test);
    }
    piaa_safetensors_close(file);
}

/* --------------------------------------------------------------------------------- made-up data */

/* A small generator of normal-looking numbers; only its reproducibility matters. */
static double noise(uint64_t *seed) {
    double sum = 0;
    for (int k = 0; k < 4; k++) {
        *seed = *seed * 6364136223846793005u + 1442695040888963407u;
        sum += (double)(*seed >> 11) / 9007199254740992.0 - 0.5;
    }
    return sum * 1.7;
}

/* x [n][d] with columns of very different sizes and a leaning towards a common factor; y [n][t]
   depends on them. */
static void make(uint64_t seed, size_t n, size_t d, size_t t, float *x, double *y) {
    for (size_t i = 0; i < n; i++) {
        double common = noise(&seed);
        for (size_t k = 0; k < t; k++) y[i * t + k] = 3 + 0.3 * noise(&seed);
        for (size_t j = 0; j < d; j++) {
            double value = 0.5 * common + noise(&seed);
            for (size_t k = 0; k < t; k++)
                y[i * t + k] += value * cos((double)(j * (k + 1))) / sqrt((double)d);
            x[i * d + j] = (float)(value * pow(10, (double)(j % 5) - 2) + (double)(j % 7) - 3);
        }
    }
}

/* The definition, by Gaussian elimination on the bordered normal equations: minimise |y - b - Zw|^2
 * + alpha |w|^2 over the rows but `out` (out = n: all of them), Z standardised with the given mean
 * and scale; returns the prediction for row `at`. */
static double by_definition(const float *x, const double *y, size_t n, size_t d,
                            const piaa_ridge *model, double alpha, size_t out, size_t at) {
    size_t m = d + 1;
    double *a = calloc(m * (m + 1), sizeof *a), *z = malloc(m * sizeof *z);
    for (size_t i = 0; i < n; i++) {
        if (i == out) continue;
        for (size_t j = 0; j < d; j++)
            z[j] = ((double)x[i * d + j] - model->mean[j]) / model->scale[j];
        z[d] = 1;
        for (size_t p = 0; p < m; p++) {
            for (size_t q = 0; q < m; q++) a[p * (m + 1) + q] += z[p] * z[q];
            a[p * (m + 1) + m] += z[p] * y[i];
        }
    }
    for (size_t p = 0; p < d; p++) a[p * (m + 1) + p] += alpha;
    for (size_t p = 0; p < m; p++) {
        size_t pivot = p;
        for (size_t r = p + 1; r < m; r++)
            if (fabs(a[r * (m + 1) + p]) > fabs(a[pivot * (m + 1) + p])) pivot = r;
        for (size_t q = 0; q <= m; q++) {
            double swap = a[p * (m + 1) + q];
            a[p * (m + 1) + q] = a[pivot * (m + 1) + q];
            a[pivot * (m + 1) + q] = swap;
        }
        for (size_t r = 0; r < m; r++) {
            if (r == p) continue;
            double factor = a[r * (m + 1) + p] / a[p * (m + 1) + p];
            for (size_t q = p; q <= m; q++) a[r * (m + 1) + q] -= factor * a[p * (m + 1) + q];
        }
    }
    double result = a[d * (m + 1) + m] / a[d * (m + 1) + d];
    for (size_t j = 0; j < d; j++)
        result += ((double)x[at * d + j] - model->mean[j]) / model->scale[j] * a[j * (m + 1) + m] /
                  a[j * (m + 1) + j];
    free(a);
    free(z);
    return result;
}

static piaa_ridge *fit(const float *x, const int64_t *rows, size_t n, size_t d, const double *y,
                       size_t t, const piaa_ridge_options *options) {
    piaa_error error = {0};
    piaa_ridge_design *design = piaa_ridge_design_new(x, rows, (int64_t)n, (int)d, &error);
    if (!design) fail_msg("%s", error.message);
    piaa_ridge *model = piaa_ridge_fit(design, y, (int)t, options, &error);
    if (!model) fail_msg("%s", error.message);
    piaa_ridge_design_free(design);
    return model;
}

static void leave_one_out_equals_refits(void **state) {
    PIAA_UNUSED(state);
    static const size_t sizes[][2] = {{12, 30}, {20, 20}, {21, 20}, {40, 9}, {2, 5}, {3, 1}};
    static const double alphas[] = {1e-3, 0.1, 10};
    for (size_t s = 0; s < PIAA_COUNT(sizes); s++)
        for (size_t k = 0; k < PIAA_COUNT(alphas); k++) {
            size_t n = sizes[s][0], d = sizes[s][1];
            float x[800];
            double y[80], sum = 0, out;
            make(s + 7, n, d, 1, x, y);
            if (d > 3)
                for (size_t i = 0; i < n; i++)
                    x[i * d + 1] = 0.1F,
                              x[i * d + 2] = x[i * d]; /* a constant and a repeated column */
            piaa_ridge *model = fit(x, NULL, n, d, y, 1,
                                    &(piaa_ridge_options){.alphas = &alphas[k], .alpha_count = 1});
            for (size_t i = 0; i < n; i++) {
                double want = by_definition(x, y, n, d, model, alphas[k], i, i);
                if (!(fabs(model->loo[i] - want) <= 1e-7 * (1 + fabs(want))))
                    fail_msg("%zu x %zu, alpha %g, row %zu: %.12g, refitted %.12g", n, d, alphas[k],
                             i, model->loo[i], want);
                sum += (y[i] - want) * (y[i] - want);
                piaa_ridge_predict(model, x + i * d, 1, &out);
                want = by_definition(x, y, n, d, model, alphas[k], n, i);
                assert_true(fabs(out - want) <= 1e-8 * (1 + fabs(want)));
            }
            assert_true(fabs(model->loo_rmse[0] - sqrt(sum / (double)n)) <=
                        1e-7 * (1 + model->loo_rmse[0]));
            piaa_ridge_free(model);
        }
}

/* The alpha chosen is the one whose refits miss least. */
static void best_alpha_wins(void **state) {
    PIAA_UNUSED(state);
    enum { N = 40, D = 60, T = 3 };
    static float x[N * D];
    static double y[N * T];
    make(5, N, D, T, x, y);
    piaa_ridge *best = fit(x, NULL, N, D, y, T, NULL),
               *joint = fit(x, NULL, N, D, y, T, &(piaa_ridge_options){.joint = true});
    double sum = 0;
    for (int k = 0; k < T; k++) sum += joint->loo_rmse[k] * joint->loo_rmse[k];
    for (int a = 0; a < 13; a++) {
        double alpha = pow(10, -3 + a * 0.5), other = 0;
        piaa_ridge *model =
            fit(x, NULL, N, D, y, T, &(piaa_ridge_options){.alphas = &alpha, .alpha_count = 1});
        for (int k = 0; k < T; k++) {
            assert_true(best->loo_rmse[k] <= model->loo_rmse[k] * (1 + 1e-9));
            other += model->loo_rmse[k] * model->loo_rmse[k];
        }
        assert_true(sum <= other * (1 + 1e-9));
        piaa_ridge_free(model);
    }
    for (int k = 1; k < T; k++) assert_true(joint->alphas[k] == joint->alphas[0]);
    piaa_ridge_free(best);
    piaa_ridge_free(joint);
}

/* Many targets at once are the same as one at a time, and rows by index the same as a copy of
   them. */
static void targets_and_rows_are_independent(void **state) {
    PIAA_UNUSED(state);
    static const size_t sizes[][2] = {{30, 50}, {200, 11}};
    for (size_t s = 0; s < PIAA_COUNT(sizes); s++) {
        size_t n = sizes[s][0], d = sizes[s][1], all = 2 * n;
        float *x = malloc(all * d * sizeof *x), *copy = malloc(n * d * sizeof *copy);
        double *y = malloc(all * 4 * sizeof *y), *four = malloc(n * 4 * sizeof *four),
               *one = malloc(n * sizeof *one);
        int64_t *rows = malloc(n * sizeof *rows);
        make(11, all, d, 4, x, y);
        for (size_t i = 0; i < n; i++) {
            rows[i] = (int64_t)((i * 7 + 3) % all);
            memcpy(copy + i * d, x + (size_t)rows[i] * d, d * sizeof *x);
            memcpy(four + i * 4, y + (size_t)rows[i] * 4, 4 * sizeof *y);
        }
        piaa_ridge *model = fit(x, rows, n, d, four, 4, NULL);
        for (size_t k = 0; k < 4; k++) {
            for (size_t i = 0; i < n; i++) one[i] = four[i * 4 + k];
            piaa_ridge *alone = fit(copy, NULL, n, d, one, 1, NULL);
            assert_true(alone->alphas[0] == model->alphas[k]);
            assert_true(distance(alone->coefficients, model->coefficients + k * d, d) < 1e-10);
            for (size_t i = 0; i < n; i++)
                assert_true(fabs(alone->loo[i] - model->loo[i * 4 + k]) < 1e-9);
            piaa_ridge_free(alone);
        }
        piaa_ridge_free(model);
        free(x), free(copy), free(y), free(four), free(one), free(rows);
    }
}

/* Powers of two rescale columns without rounding: weights change by the inverse, predictions not at
   all beyond rounding. */
static void scaling_and_permuting(void **state) {
    PIAA_UNUSED(state);
    static const size_t sizes[][2] = {{25, 40}, {90, 16}};
    for (size_t s = 0; s < PIAA_COUNT(sizes); s++) {
        size_t n = sizes[s][0], d = sizes[s][1];
        float *x = malloc(n * d * sizeof *x), *other = malloc(n * d * sizeof *other);
        double *y = malloc(n * sizeof *y), *shuffled = malloc(n * sizeof *shuffled),
               *a = malloc(n * sizeof *a), *b = malloc(n * sizeof *b);
        make(3, n, d, 1, x, y);
        piaa_ridge *model = fit(x, NULL, n, d, y, 1, NULL);
        piaa_ridge_predict(model, x, (int64_t)n, a);

        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < d; j++)
                other[i * d + j] = ldexpf(x[i * d + j], j % 3 == 0 ? 60 : j % 3 == 1 ? -40 : 0);
        piaa_ridge *scaled = fit(other, NULL, n, d, y, 1, NULL);
        piaa_ridge_predict(scaled, other, (int64_t)n, b);
        assert_true(scaled->alphas[0] == model->alphas[0]);
        assert_true(distance(b, a, n) < 1e-10 &&
                    distance(scaled->coefficients, model->coefficients, d) < 1e-10);
        assert_true(fabs(scaled->weights[0] * 0x1p60 / model->weights[0] - 1) < 1e-8);
        piaa_ridge_free(scaled);

        for (size_t i = 0; i < n; i++) {
            size_t from = (i * 7 + 2) % n; /* 7 has no common factor with 25 or 90 */
            shuffled[i] = y[from];
            for (size_t j = 0; j < d; j++) other[i * d + j] = x[from * d + (d - 1 - j)];
        }
        piaa_ridge *permuted = fit(other, NULL, n, d, shuffled, 1, NULL);
        assert_true(permuted->alphas[0] == model->alphas[0]);
        for (size_t j = 0; j < d; j++)
            assert_true(fabs(permuted->coefficients[d - 1 - j] - model->coefficients[j]) < 1e-10);
        for (size_t i = 0; i < n; i++)
            assert_true(fabs(permuted->loo[i] - model->loo[(i * 7 + 2) % n]) < 1e-9);
        piaa_ridge_free(permuted);

        for (size_t i = 0; i < n; i++) shuffled[i] = 10 * y[i] - 7;
        piaa_ridge *stretched = fit(x, NULL, n, d, shuffled, 1, NULL);
        assert_true(stretched->alphas[0] == model->alphas[0]);
        assert_true(fabs(stretched->loo_rmse[0] - 10 * model->loo_rmse[0]) < 1e-8);
        for (size_t i = 0; i < n; i++)
            assert_true(fabs(stretched->loo[i] - (10 * model->loo[i] - 7)) < 1e-8);
        piaa_ridge_free(stretched);

        piaa_ridge_free(model);
        free(x), free(other), free(y), free(shuffled), free(a), free(b);
    }
}

/* Blocks of rows: a tall matrix that needs several gives what the definition gives. */
/* Columns of v [n][d] made orthogonal, each of squared length `square` (Gram-Schmidt, twice for
   exactness). */
static void orthogonalise(double *v, size_t n, size_t d, double square) {
    for (size_t j = 0; j < d; j++)
        for (int again = 0; again < 2; again++) {
            for (size_t k = 0; k < j; k++) {
                double dot = 0;
                for (size_t i = 0; i < n; i++) dot += v[i * d + j] * v[i * d + k];
                for (size_t i = 0; i < n; i++) v[i * d + j] -= dot / square * v[i * d + k];
            }
            double length = 0;
            for (size_t i = 0; i < n; i++) length += v[i * d + j] * v[i * d + j];
            for (size_t i = 0; i < n; i++) v[i * d + j] *= sqrt(square / length);
        }
}

/* Features without correlation and of one size look the same from every side, so that turning them
   changes no prediction. */
static void rotating_white_features(void **state) {
    PIAA_UNUSED(state);
    enum { N = 40, D = 6 };
    double z[N * D], turn[D * D], y[N];
    float x[N * D], turned[N * D];
    uint64_t seed = 11;
    for (int j = 0; j < D; j++) {
        double mean = 0;
        for (int i = 0; i < N; i++) mean += z[i * D + j] = noise(&seed);
        for (int i = 0; i < N; i++) z[i * D + j] -= mean / N;
    }
    for (int i = 0; i < D * D; i++) turn[i] = noise(&seed);
    orthogonalise(z, N, D, N);
    orthogonalise(turn, D, D, 1);
    for (int i = 0; i < N; i++) {
        y[i] = 3 + z[i * D] - 0.4 * z[i * D + 3] + noise(&seed);
        for (int j = 0; j < D; j++) {
            double sum = 0;
            for (int k = 0; k < D; k++) sum += z[i * D + k] * turn[k * D + j];
            x[i * D + j] = (float)z[i * D + j];
            turned[i * D + j] = (float)sum;
        }
    }
    piaa_ridge *before = fit(x, NULL, N, D, y, 1, NULL),
               *after = fit(turned, NULL, N, D, y, 1, NULL);
    assert_true(before->alphas[0] == after->alphas[0]);
    for (int i = 0; i < N; i++) {
        double a, b;
        piaa_ridge_predict(before, x + i * D, 1, &a);
        piaa_ridge_predict(after, turned + i * D, 1, &b);
        assert_true(fabs(a - b) < 1e-5 && fabs(before->loo[i] - after->loo[i]) < 1e-5);
    }
    piaa_ridge_free(before);
    piaa_ridge_free(after);
}

static void many_blocks(void **state) {
    PIAA_UNUSED(state);
    enum { N = 70000, D = 17 };
    float *x = malloc(sizeof(float) * N * D);
    double *y = malloc(sizeof(double) * N);
    make(9, N, D, 1, x, y);
    piaa_ridge *model = fit(x, NULL, N, D, y, 1, NULL);
    for (size_t i = 0; i < N; i += N / 3) {
        double want = by_definition(x, y, N, D, model, model->alphas[0], i, i);
        assert_true(fabs(model->loo[i] - want) < 1e-8 * (1 + fabs(want)));
    }
    piaa_ridge_free(model);
    free(x);
    free(y);
}

/* So many rows and alphas that what leaving out needs is not kept for all of them: the same choice,
   errors and model as where it is. */
static void rows_that_pass_by(void **state) {
    PIAA_UNUSED(state);
    enum { N = 180000, D = 3, ALPHAS = 49 };
    float *x = malloc(sizeof(float) * N * D);
    double *y = malloc(sizeof(double) * N), alphas[ALPHAS];
    for (int a = 0; a < ALPHAS; a++) alphas[a] = pow(10, -3 + 8.0 * a / ALPHAS);
    make(9, N, D, 1, x, y);
    piaa_ridge *many = fit(x, NULL, N, D, y, 1, &(piaa_ridge_options){alphas, ALPHAS, false}),
               *one = fit(x, NULL, N, D, y, 1, &(piaa_ridge_options){many->alphas, 1, false});
    assert_memory_equal(many->loo, one->loo, N * sizeof *y);
    assert_memory_equal(many->weights, one->weights, D * sizeof *y);
    assert_true(many->loo_rmse[0] == one->loo_rmse[0]);
    for (size_t i = 5; i < N; i += N / 3) {
        const double want = by_definition(x, y, N, D, many, many->alphas[0], i, i);
        assert_true(fabs(many->loo[i] - want) < 1e-8 * (1 + fabs(want)));
    }
    for (int a = 3; a < ALPHAS; a += 9) { /* no other alpha is better */
        piaa_ridge *other = fit(x, NULL, N, D, y, 1, &(piaa_ridge_options){alphas + a, 1, false});
        assert_true(other->loo_rmse[0] >= many->loo_rmse[0] * (1 - 1e-9));
        piaa_ridge_free(other);
    }
    piaa_ridge_free(many);
    piaa_ridge_free(one);
    free(x);
    free(y);
}

static void predictions_ignore_company(void **state) {
    PIAA_UNUSED(state);
    enum { N = 33, D = 45, T = 2 };
    static float x[N * D];
    static double y[N * T], together[N * T], alone[T];
    make(21, N, D, T, x, y);
    piaa_ridge *model = fit(x, NULL, N, D, y, T, NULL);
    piaa_ridge_predict(model, x, N, together);
    for (size_t i = 0; i < N; i++) {
        piaa_ridge_predict(model, x + i * D, 1, alone);
        assert_memory_equal(alone, together + i * T, sizeof alone);
    }
    piaa_ridge_free(model);
}

/* Constant columns, whatever their size, change nothing; with nothing else there is only the mean
   to learn. */
static void awkward_columns(void **state) {
    PIAA_UNUSED(state);
    enum { N = 31, D = 6 };
    static float x[N * D], more[N * (D + 3)], nothing[N * D];
    static double y[N];
    make(2, N, D, 1, x, y);
    for (size_t i = 0; i < N; i++) {
        memcpy(more + i * (D + 3), x + i * D, D * sizeof *x);
        more[i * (D + 3) + D] = 3e38F;
        more[i * (D + 3) + D + 1] = 0.1F;
        more[i * (D + 3) + D + 2] = 0;
        for (size_t j = 0; j < D; j++) nothing[i * D + j] = (float)j * 0.3F;
    }
    piaa_ridge *plain = fit(x, NULL, N, D, y, 1, NULL),
               *padded = fit(more, NULL, N, D + 3, y, 1, NULL);
    assert_true(plain->alphas[0] == padded->alphas[0] &&
                distance(padded->coefficients, plain->coefficients, D) < 1e-12);
    for (size_t j = D; j < D + 3; j++)
        assert_true(padded->coefficients[j] == 0 && padded->scale[j] == 1);
    piaa_ridge_free(padded);
    piaa_ridge_free(plain);

    piaa_ridge *mean = fit(nothing, NULL, N, D, y, 1, NULL);
    double sum = 0, out;
    for (size_t i = 0; i < N; i++) sum += y[i];
    piaa_ridge_predict(mean, x, 1, &out);
    assert_true(fabs(out - sum / N) < 1e-12 && mean->alphas[0] == 1e-3 && !mean->mean_only);
    for (size_t i = 0; i < N; i++) assert_true(fabs(mean->loo[i] - (sum - y[i]) / (N - 1)) < 1e-9);
    piaa_ridge_free(mean);

    for (size_t i = 0; i < N * D; i++)
        more[i] = x[i % D + (i / D % 3) * D]; /* three different rows, repeated */
    piaa_ridge *repeated = fit(more, NULL, N, D, y, 1, NULL);
    assert_true(isfinite(repeated->loo_rmse[0]));
    piaa_ridge_free(repeated);
    static const float extremes[4 * 2] = {3.4e38F, 1e-45F, -3.4e38F, 0,
                                          3.4e38F, 1e-45F, -3.4e38F, 0};
    piaa_ridge *extreme = fit(extremes, NULL, 4, 2, (double[]){1, 2, 1, 2}, 1, NULL);
    piaa_ridge_predict(extreme, extremes, 1, &out);
    assert_true(fabs(out - 1) < 1e-2);
    piaa_ridge_free(extreme);
}

static void one_row_is_its_mean(void **state) {
    PIAA_UNUSED(state);
    const float x[] = {1, 2, 3}, other[] = {100, -5, 0};
    piaa_ridge *model = fit(x, NULL, 1, 3, (double[]){4.5, 2}, 2, NULL);
    double out[2];
    piaa_ridge_predict(model, other, 1, out);
    assert_true(model->mean_only && out[0] == 4.5 && out[1] == 2 && isnan(model->loo_rmse[0]) &&
                isnan(model->loo[1]));
    piaa_ridge_free(model);
}

static void bad_input_is_named(void **state) {
    PIAA_UNUSED(state);
    float x[12] = {0};
    double y[4] = {1, 2, 3, 4};
    piaa_error error = {0};
    assert_null(piaa_ridge_design_new(x, NULL, 0, 3, &error));
    assert_int_equal(error.code, PIAA_USAGE);
    x[7] = NAN;
    assert_null(piaa_ridge_design_new(x, NULL, 4, 3, &error));
    assert_non_null(strstr(error.message, "row 2, column 1"));
    assert_null(piaa_ridge_design_new(x, (int64_t[]){3, 2}, 2, 3, &error));
    assert_non_null(strstr(error.message, "row 2, column 1"));
    x[7] = -INFINITY;
    assert_null(piaa_ridge_design_new(x, NULL, 4, 3, &error));
    assert_non_null(strstr(error.message, "-inf"));
    x[7] = 0;
    piaa_ridge_design *design = piaa_ridge_design_new(x, NULL, 4, 3, &error);
    assert_non_null(design);
    y[2] = NAN;
    assert_null(piaa_ridge_fit(design, y, 1, NULL, &error));
    assert_non_null(strstr(error.message, "row 2"));
    y[2] = 3;
    assert_null(piaa_ridge_fit(design, y, 0, NULL, &error));
    assert_null(piaa_ridge_fit(
        design, y, 1, &(piaa_ridge_options){.alphas = (double[]){0}, .alpha_count = 1}, &error));
    assert_non_null(strstr(error.message, "alpha"));
    piaa_ridge_design_free(design);
    error = (piaa_error){0};
    assert_null(piaa_ridge_fit(NULL, y, 1, NULL, &error));
    assert_int_equal(error.code, PIAA_USAGE);
    piaa_ridge_design_free(NULL);
    piaa_ridge_free(NULL);
}

/* One thread or three: the same numbers, with several strips and blocks to share. */
static void threads_change_nothing(void **state) {
    PIAA_UNUSED(state);
    enum { LONG = 2600, SHORT = 300, N = LONG, D = 300, W = 400 };
    static float x[N * D];
    static double y[N * 2];
    make(4, N, D, 2, x, y);
    for (int wide = 0; wide < 2; wide++) {
        piaa_error error = {0};
        piaa_ridge *models[2];
        int64_t n = wide ? SHORT : LONG;
        int d = wide ? W : D;
        for (int i = 0; i < 2; i++) {
            piaa_ridge_design *design =
                piaa_ridge_design_new_shared(x, NULL, n, d, i ? 3 : 1, &error);
            models[i] = design ? piaa_ridge_fit(design, y, 2, NULL, &error) : NULL;
            if (!models[i]) fail_msg("%s", error.message);
            piaa_ridge_design_free(design);
        }
        assert_memory_equal(models[0]->alphas, models[1]->alphas, 2 * sizeof(double));
        assert_memory_equal(models[0]->coefficients, models[1]->coefficients,
                            2 * (size_t)d * sizeof(double));
        assert_memory_equal(models[0]->loo, models[1]->loo, 2 * (size_t)n * sizeof(double));
        piaa_ridge_free(models[0]);
        piaa_ridge_free(models[1]);
    }
}

/* OpenBLAS asks for memory for ever where there is none: that is found out before. */
static void short_memory_is_an_error(void **state) {
    PIAA_UNUSED(state);
#if !defined(__linux__) || defined(__SANITIZE_ADDRESS__)
    skip();
#else
    enum { N = 40, D = 90, NOT_KEPT = 6 /* by an emulator */ };
    static float x[N * D];
    static double y[N];
    make(9, N, D, 1, x, y);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        long pages = 0;
        FILE *file = fopen("/proc/self/statm", "r");
        char line[128];
        if (!file || !fgets(line, sizeof line, file)) _exit(2);
        pages = strtol(line, NULL, 10);
        const rlim_t most = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + ((rlim_t)32 << 20);
        const struct rlimit limit = {most, most};
        struct rlimit kept;
        piaa_error error = {0};
        if (setrlimit(RLIMIT_AS, &limit) != 0) _exit(3);
        if (getrlimit(RLIMIT_AS, &kept) != 0 || kept.rlim_cur != most) _exit(NOT_KEPT);
        _exit(piaa_ridge_design_new(x, NULL, N, D, &error) ? 4 : error.code == PIAA_MEMORY ? 0 : 5);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == NOT_KEPT) skip();
    assert_int_equal(WEXITSTATUS(status), 0);
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_scikit_learn),
        cmocka_unit_test(leave_one_out_equals_refits),
        cmocka_unit_test(best_alpha_wins),
        cmocka_unit_test(targets_and_rows_are_independent),
        cmocka_unit_test(scaling_and_permuting),
        cmocka_unit_test(rotating_white_features),
        cmocka_unit_test(many_blocks),
        cmocka_unit_test(rows_that_pass_by),
        cmocka_unit_test(predictions_ignore_company),
        cmocka_unit_test(awkward_columns),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(short_memory_is_an_error),
        cmocka_unit_test(one_row_is_its_mean),
        cmocka_unit_test(bad_input_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Learns and predicts scores from plain arrays, without a store.
 *
 *     fit RATINGS.csv OTHERS.csv [MODEL]
 *
 * Learns from the photos of one table and predicts those of the other, beside the scores that they
 * have there.  The vectors come from the model here; any [n][dim] floats will do.
 *
 *     cc fit.c $(pkg-config --cflags --libs piaa) -o fit
 */
#include <piaa.h>
#include <stdio.h>
#include <stdlib.h>

/* The vectors of all rated photos, one after the other; NULL on failure. */
static float *read_all(piaa_extractor *extractor, const piaa_ratings *ratings, piaa_error *error) {
    const size_t n = piaa_ratings_count(ratings);
    const size_t dim = error->code ? 0 : piaa_extractor_values(extractor);
    float *x = calloc(n * dim + 1, sizeof *x);
    for (size_t i = 0; x && i < n && !error->code; i++)
        piaa_extractor_read(extractor, piaa_ratings_at(ratings, i)->path, x + i * dim, error);
    if (!x && !error->code) *error = (piaa_error){PIAA_MEMORY, "out of memory"};
    return x;
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fputs("usage: fit RATINGS.csv OTHERS.csv [MODEL]\n", stderr);
        return 2;
    }
    piaa_error error = {0};
    piaa_model *model = piaa_model_open(argv[3], &error);
    piaa_extractor *extractor = piaa_extractor_new(model, NULL, &error);
    piaa_ratings *known = piaa_ratings_read(argv[1], NULL, &error);
    piaa_ratings *others = piaa_ratings_read(argv[2], NULL, &error);
    const size_t n = piaa_ratings_count(known), m = piaa_ratings_count(others);

    float *x = read_all(extractor, known, &error), *x_others = read_all(extractor, others, &error);
    double *y = calloc(n + 1, sizeof *y), *predicted = calloc(m + 1, sizeof *predicted);
    for (size_t i = 0; y && i < n; i++) y[i] = piaa_ratings_at(known, i)->score;

    const int dim = error.code ? 0 : (int)piaa_extractor_values(extractor);
    piaa_taste *taste = piaa_taste_fit(x, y, (int64_t)n, dim, NULL, &error);
    if (taste && predicted) {
        piaa_taste_predict(taste, x_others, (int64_t)m, predicted);
        puts("predicted  given  photo");
        for (size_t i = 0; i < m; i++) {
            const piaa_rating *other = piaa_ratings_at(others, i);
            printf("%9.2f  %5.2f  %s\n", predicted[i], other->score, other->path);
        }
        printf("From %zu photos; one left out is missed by %.2f, typically.\n", n, taste->loo_rmse);
    }
    if (error.code) fprintf(stderr, "%s\n", error.message);
    piaa_taste_free(taste);
    free(predicted), free(y), free(x_others), free(x);
    piaa_ratings_free(others), piaa_ratings_free(known);
    piaa_extractor_free(extractor);
    piaa_model_close(model);
    return error.code ? 1 : 0;
}

/* From ratings to rows. */
#include "study/rated.h"

#include "base/memory.h"

#include <stdlib.h>

void piaa_rated_free(piaa_rated *rated) {
    free(rated->rows);
    free(rated->scores);
    free(rated->index);
}

/* One more rating [rating] of photo k; first [k] is the rating that came first, times [k] how many
   there are. */
static void add_copy(piaa_rated *rated, const piaa_ratings *ratings, size_t rating, size_t k,
                     const size_t *first, size_t *times) {
    double score = piaa_ratings_at(ratings, rating)->score;
    rated->copies++;
    if (score != piaa_ratings_at(ratings, first[k])->score && !rated->unlike++)
        rated->one = first[k], rated->other = rating;
    rated->scores[k] += (score - rated->scores[k]) / (double)++times[k];
}

static void collect_rated(const piaa_joined *joined, const piaa_ratings *ratings, piaa_rated *rated,
                          size_t *first, size_t *times) {
    for (size_t i = 0; i < piaa_ratings_count(ratings); i++) {
        const piaa_rating *rating = piaa_ratings_at(ratings, i);
        const piaa_photo *photo = piaa_store_find(joined->store, rating->path);
        if (!photo || !piaa_joined_has(joined, photo->row)) {
            if (!rated->missing++) rated->first_missing = i;
        } else if (rated->index[photo->row]) {
            add_copy(rated, ratings, i, (size_t)rated->index[photo->row] - 1, first, times);
        } else {
            first[rated->count] = i;
            times[rated->count] = 1;
            rated->rows[rated->count] = photo->row;
            rated->scores[rated->count++] = rating->score;
            rated->index[photo->row] = rated->count;
        }
    }
}

bool piaa_rated_find(const piaa_joined *joined, const piaa_ratings *ratings, piaa_rated *out,
                     piaa_error *error) {
    size_t n = piaa_ratings_count(ratings);
    int64_t rows = 0;
    piaa_store_matrix(joined->store, joined->found[0], &rows);
    *out = (piaa_rated){.rows = piaa_alloc(n, sizeof(int64_t), error),
                        .scores = piaa_alloc(n, sizeof(double), error),
                        .index = piaa_alloc((size_t)rows, sizeof(int64_t), error)};
    size_t *first = piaa_alloc(n, sizeof *first, error),
           *times = piaa_alloc(n, sizeof *times, error);
    bool ok = out->rows && out->scores && out->index && first && times;
    if (ok) collect_rated(joined, ratings, out, first, times);
    free(first);
    free(times);
    if (!ok) piaa_rated_free(out);
    return ok;
}

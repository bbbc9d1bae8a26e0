/* Puts a folder of photos in order by one person's ratings of a few of them.
 *
 *     rank PHOTOS RATINGS.csv STORE [MODEL]
 *
 * STORE is a folder, made by the first run, that keeps what the model made of each photo, so that
 * the next run with other ratings takes moments.  Without MODEL it is the demonstration model.
 *
 *     cc rank.c $(pkg-config --cflags --libs piaa) -o rank
 */
#include <piaa.h>
#include <stdio.h>

static void warn(void *user, const char *line) {
    (void)user;
    fprintf(stderr, "%s\n", line);
}

static void progress(void *user, const char *what, int64_t done, int64_t total) {
    (void)user;
    fprintf(stderr, "\r%s %lld of %lld%s", what, (long long)done, (long long)total,
            done == total ? "\n" : "");
}

int main(int argc, char **argv) {
    if (argc < 4) {
        fputs("usage: rank PHOTOS RATINGS.csv STORE [MODEL]\n", stderr);
        return 2;
    }
    const char *photos[] = {argv[1]};
    const piaa_hooks hooks = {.warn = warn, .progress = progress};

    /* Every call passes an earlier error on, so that one check at the end is enough. */
    piaa_error error = {0};
    piaa_model *model = piaa_model_open(argv[4], &error); /* argv ends with NULL: the default */
    piaa_extractor *extractor = piaa_extractor_new(model, NULL, &error);
    piaa_store *store = piaa_embed(argv[3], extractor, photos, 1, &hooks, NULL, &error);
    piaa_ratings *ratings = piaa_ratings_read(argv[2], &hooks, &error);
    piaa_taste *taste = piaa_taste_learn(store, 0, ratings, &hooks, &error);
    piaa_ranking *ranking = piaa_rank(taste, store, NULL, 0, ratings, &error);

    for (size_t i = 0; i < piaa_ranking_count(ranking) && i < 10; i++) {
        const piaa_ranked *photo = piaa_ranking_at(ranking, i);
        printf("%5.2f  %s%s\n", photo->score, photo->path, photo->rated ? "  (rated)" : "");
    }
    if (taste) printf("A score is off by %.2f, typically.\n", taste->loo_rmse);
    if (error.code) fprintf(stderr, "%s\n", error.message);

    piaa_ranking_free(ranking);
    piaa_taste_free(taste);
    piaa_ratings_free(ratings);
    piaa_store_close(store);
    piaa_extractor_free(extractor);
    piaa_model_close(model);
    return error.code ? 1 : 0;
}

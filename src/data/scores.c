#include "data/scores.h"

#include "base/memory.h"
#include "image/shot.h"

#include <stdlib.h>
#include <string.h>

static int compare_paths(const void *a, const void *b) {
    return strcmp((*(const piaa_rating *const *)a)->path, (*(const piaa_rating *const *)b)->path);
}

bool piaa_scores_sort(piaa_scores *scores, const piaa_ratings *ratings, piaa_error *error) {
    *scores = (piaa_scores){.count = piaa_ratings_count(ratings)};
    if (!(scores->items = piaa_alloc(scores->count, sizeof *scores->items, error))) return false;
    for (size_t i = 0; i < scores->count; i++) scores->items[i] = piaa_ratings_at(ratings, i);
    qsort(scores->items, scores->count, sizeof *scores->items, compare_paths);
    return true;
}

const piaa_rating *piaa_scores_find(const piaa_scores *scores, const char *path) {
    const piaa_rating wanted = {.path = path}, *key = &wanted;
    const piaa_rating **found =
        bsearch(&key, scores->items, scores->count, sizeof *scores->items, compare_paths);
    return found ? *found : NULL;
}

bool piaa_scores_pair(const piaa_scores *given, const piaa_scores *predicted,
                      const piaa_paths *paths, size_t *shown, piaa_error *error) {
    bool *asked = piaa_alloc(paths->count, sizeof *asked, error);
    if (!asked) return false;
    for (size_t i = 0; i < paths->count; i++)
        asked[i] = piaa_scores_find(given, paths->items[i]) ||
                   piaa_scores_find(predicted, paths->items[i]);
    const bool ok = piaa_shots_pair(paths, NULL, asked, shown, error);
    free(asked);
    return ok;
}

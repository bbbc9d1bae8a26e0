/* An adapter from one person's ratings: which of them are photos here, and then train/tune.h. */
#include "base/file.h"
#include "base/hooks.h"
#include "base/memory.h"
#include "train/tune.h"

#include <stdlib.h>

/* The rated photos that exist; the others are told. */
static piaa_tune_photo *list(const piaa_ratings *ratings, const piaa_hooks *hooks, size_t *count,
                             piaa_error *error) {
    const size_t rated = piaa_ratings_count(ratings);
    piaa_tune_photo *photos = piaa_alloc(rated, sizeof *photos, error);
    *count = 0;
    for (size_t i = 0; photos && i < rated; i++) {
        const piaa_rating *rating = piaa_ratings_at(ratings, i);
        if (piaa_file_exists(rating->path))
            photos[(*count)++] = (piaa_tune_photo){.path = rating->path, .score = rating->score};
    }
    if (photos && *count < rated)
        piaa_hooks_warn(hooks, "%s: %zu of %zu rated photos do not exist and are left out",
                        piaa_ratings_where(ratings), rated - *count, rated);
    return photos;
}

bool piaa_lora_learn(piaa_model *model, const piaa_request *request, const piaa_ratings *ratings,
                     const piaa_lora_options *options, const char *folder, const piaa_hooks *hooks,
                     piaa_lora_summary *summary, piaa_error *error) {
    if (!model) return piaa_error_missing(error, "model");
    if (!ratings) return piaa_error_missing(error, "ratings");
    if (piaa_error_pending(error)) return false;
    size_t count;
    piaa_tune_photo *photos = list(ratings, hooks, &count, error);
    const bool ok = photos && piaa_tune(model, request, photos, count, PIAA_TUNE_SCORE, options,
                                        folder, hooks, summary, error);
    free(photos);
    return ok;
}

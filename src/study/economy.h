/*
 * Which settings are good enough for one person's ratings: how large the model sees a photo, how
 * its weights are held, which pool at which layer is read.  Every combination is tried on the
 * rated photos alone, the cheapest first; the one to take is the cheapest whose predictions of
 * photos left out are not measurably worse than those of the best.
 *
 *     piaa_economy economy;
 *     ok = piaa_economy_run(&economy, model, ratings, &options, hooks, &error);
 *     if (economy.advised) … economy.advised->slot, ->seconds
 *     piaa_economy_free(&economy);
 */
#ifndef PIAA_STUDY_ECONOMY_H
#define PIAA_STUDY_ECONOMY_H

#include "features/reader.h"
#include "study/taste.h"

enum { PIAA_ECONOMY_SIZES = 16, PIAA_ECONOMY_TYPES = 8, PIAA_ECONOMY_LEAST = 20 };

/* What is tried; zeroed: the usual of everything. */
typedef struct piaa_economy_options {
    piaa_request request; /* the rest of how photos are read; pools: NULL for lt, lv and v; layers:
                             NULL for the default ones, a third of their depth and four thirds */
    int64_t sizes[PIAA_ECONOMY_SIZES]; /* pixels, ascending */
    size_t size_count; /* 0: a quarter, a half and the whole of 1 megapixel, or of the model's
                          limit where that is lower */
    piaa_dtype types[PIAA_ECONOMY_TYPES]; /* cheapest first */
    size_t type_count; /* 0: the checkpoint's own; of models above 1 GiB also q4_K and q8_0 */
} piaa_economy_options;

/* One combination. */
typedef struct piaa_economy_row {
    int64_t max_pixels;
    piaa_dtype type;
    piaa_slot slot;
    double seconds; /* of a photo in the model where nothing but this slot is asked for: median */
    double rmse, spearman; /* of photos left out, as in piaa_taste */
    /* Mean squared error less that of the best row, with its 95 % interval over photos, near copies
       as one; NaN for the best row itself. */
    double worse, low, high;
    bool enough; /* the interval holds 0, or lies below it */
} piaa_economy_row;

typedef struct piaa_economy {
    piaa_economy_row *rows; /* [count] in the order in which they were tried */
    size_t count;
    int64_t ratings;      /* photos that were learned from */
    piaa_verdict verdict; /* of the best row's taste: what learned nothing advises nothing */
    const piaa_economy_row *best;    /* with the least error */
    const piaa_economy_row *advised; /* NULL: no row learned anything */
} piaa_economy;

/*
 * Reads the rated photos that exist, at every size and with every type of weights, into the stores
 * of the cache, where the next command that reads photos so finds them.
 *
 * Told to hooks->progress and ->warn (once for each photo).  Fails: fewer than PIAA_ECONOMY_LEAST
 * photos that could be read (with fewer, everything seems good enough); ratings that are all equal;
 * a size or a layer that the model does not have; stopped (what was read is kept).
 */
bool piaa_economy_run(piaa_economy *economy, piaa_model *model, const piaa_ratings *ratings,
                      const piaa_economy_options *options, const piaa_hooks *hooks,
                      piaa_error *error) PIAA_MUST_USE;
void piaa_economy_free(piaa_economy *economy);

#endif

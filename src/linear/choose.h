/*
 * Which photo to have rated next, so that few ratings teach much.  The mathematics is in choose.c.
 *
 *     const piaa_band band = {.x = x, .rows = rows, .dim = 2560}; // 40,000 photos, then 12 rated
 *     piaa_chooser *chooser = piaa_chooser_new(&band, 1, 40000, 12, NULL, &error);
 *     piaa_chosen next;
 *     while (piaa_chooser_next(chooser, &next))       // each one as if those before it were rated
 *         … rows[next.index]
 *     piaa_chooser_free(chooser);
 *
 * Near copies of what is rated or was chosen (linear/near.h), and theirs, are not chosen.
 */
#ifndef PIAA_LINEAR_CHOOSE_H
#define PIAA_LINEAR_CHOOSE_H

#include "linear/columns.h"

typedef enum piaa_strategy {
    PIAA_CHOOSE_V_OPTIMAL, /* what makes all photos' scores surest together */
    PIAA_CHOOSE_VARIANCE,  /* the photo whose own score is least sure */
    PIAA_CHOOSE_K_CENTER,  /* the photo farthest from all that are rated */
    PIAA_CHOOSE_RANDOM,
    PIAA_STRATEGIES
} piaa_strategy;

/* "v-optimal", "variance", "k-center", "random". */
extern const char *const piaa_strategy_names[PIAA_STRATEGIES];
/* PIAA_STRATEGIES where none is called so. */
piaa_strategy piaa_strategy_find(const char *name);

/* Directions that are enough (bench/choose.py), and how many columns or photos need none. */
enum { PIAA_CHOOSE_RANK = 128, PIAA_CHOOSE_EXACT = 256 };

/* Zeroed: V-optimal, nothing random. */
typedef struct piaa_choosing {
    piaa_strategy strategy;
    double noise; /* lambda, a ridge's alpha: how much of a rating is no taste, against standardised
                     columns.  0: as much as there is taste, which is their number */
    double random_share; /* of the choices that are drawn at random, 0 to 1: of those of 0.2 every
                            fifth, counted from the first rating on */
    uint32_t seed;       /* of what is drawn */
    int rank;    /* directions that the features are held in; 0: PIAA_CHOOSE_RANK, or all where
                    columns or photos are at most PIAA_CHOOSE_EXACT.  With as many as columns or
                    photos the choice is exact */
    int threads; /* 0: 1.  What is chosen does not depend on it */
} piaa_choosing;

typedef struct piaa_chosen {
    int64_t index; /* into the photos */
    bool random;   /* drawn, not reckoned */
} piaa_chosen;

typedef struct piaa_chooser piaa_chooser;

/*
 * To choose among n photos when `rated` have ratings already: the bands' first n rows, and the
 * `rated` ones behind them, which may be of the same photos or of others; there may be none.  Near
 * copies are told by the first band alone, whose stride is 0.  What the bands point to must outlive
 * the chooser; the lists of rows may be freed.
 *
 * Memory: 8 (rank + 25) bytes a photo, and 4 dim bytes for each of 2,048 photos: 49 MB and 21 MB at
 * 40,000 x 2,560, and 16 MB a thread while it begins.  Errors: no photos or columns, a value that
 * is not finite, memory.
 */
piaa_chooser *piaa_chooser_new(const piaa_band *bands, int count, int64_t n, int64_t rated,
                               const piaa_choosing *choosing, piaa_error *error) PIAA_MUST_USE;
void piaa_chooser_free(piaa_chooser *chooser);

/* The next photo, which counts as rated from now on.  false: none is left that is no copy. */
bool piaa_chooser_next(piaa_chooser *chooser, piaa_chosen *out);

/* Photos that may still be chosen. */
int64_t piaa_chooser_left(const piaa_chooser *chooser);

/* What a choice of photo i is worth by the strategy as things stand, NAN where it may not be
   chosen: for tests, and for measuring what a low rank loses. */
double piaa_chooser_value(const piaa_chooser *chooser, int64_t i);

#endif

/* The published personal protocol: who takes part, and which of a person's ratings are learnt from
   and which are predicted. */
#ifndef PIAA_DATA_PROTOCOL_H
#define PIAA_DATA_PROTOCOL_H

#include "data/dataset.h"

typedef enum piaa_subset {
    PIAA_SUBSET_ALL,
    PIAA_SUBSET_HARD_USERS,  /* the people whose scores agree least with the mean scores */
    PIAA_SUBSET_HARD_IMAGES, /* only the images on which scores differ most */
} piaa_subset;

typedef struct piaa_protocol_options {
    piaa_subset subset;
    uint32_t seed;
    size_t small, large, test; /* ratings a person: 10, 100 and 50 */
    size_t users;              /* at most so many; 0: 200, of hard users 50 */
    size_t first;              /* of these, only so many; 0: all */
    size_t least_shared; /* hard users: ratings with a mean score that an agreement is computed
                            from; 30 */
    double hard_share;   /* hard images: the share of the images, (0, 1]; 0.1 */
    size_t least_raters; /* hard images: ratings that an image must have; 3 */
} piaa_protocol_options;

piaa_protocol_options piaa_protocol_defaults(void); /* the published settings, seed 42, all users */

typedef struct piaa_protocol_user {
    size_t user; /* of the data set */
    /* Ratings of the data set, in the order drawn; as many as the options say, one list behind the
       other in memory. */
    const size_t *small, *large, *test;
    /* The first so many of them are also drawn by the published code; the rest, if any, stand in
       for images that it draws twice. */
    size_t published;
    double agreement; /* hard users: Spearman with the mean scores; else NaN */
} piaa_protocol_user;

typedef struct piaa_protocol {
    piaa_protocol_options options; /* `users` filled in */
    piaa_protocol_user *users; /* by id, numbers as numbers: the order in which the published code
                                  goes through them */
    size_t count;
    size_t below;       /* people left out because they have too few ratings (or, of hard users, no
                           agreement) */
    size_t not_drawn;   /* people who have enough and were not drawn */
    size_t tied;        /* people drawn from among equals of whom others were not: not the published
                           ones everywhere */
    size_t hard_images; /* that made the subset */
    size_t *order;      /* memory of the lists */
} piaa_protocol;

/*
 * Users who rated at least small + large + test images, sampled where there are more than
 * options->users, each with shuffled ratings, of which the first `small`, the next `large` and the
 * next `test` are taken: the published splits for the same seed, to the last image, where no one is
 * `tied`.  Ratings of missing images take part, so that a missing file changes nothing else; leave
 * them out where they are used (image.missing).  Of an image that a person rated more than once
 * only the rating drawn first is used, so that none is learnt from and predicted.
 *
 * Who is left out is told to hooks->warn in one line, and how many are tied in another.  options
 * may be NULL.  Fails (PIAA_MISMATCH) where nobody is left.
 */
piaa_protocol *piaa_protocol_make(const piaa_dataset *set, const piaa_protocol_options *options,
                                  const piaa_hooks *hooks, piaa_error *error) PIAA_MUST_USE;
void piaa_protocol_free(piaa_protocol *protocol);

#endif

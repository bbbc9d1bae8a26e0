/*
 * Photos put in order by one person's taste.
 *
 * A rated photo's score is its leave-one-out prediction: what the taste says of it without having seen that rating.  With more dimensions
 * than ratings the fit passes close to every rating, so the plain prediction would only repeat it, and rated and unrated photos could not
 * be compared.  "± x" is the root mean square of the leave-one-out errors.
 */
#ifndef PIAA_STUDY_RANK_H
#define PIAA_STUDY_RANK_H

#include "base/file.h"
#include "data/ratings.h"
#include "features/store.h"
#include "study/taste.h"

typedef struct piaa_ranked {
    const char *path; /* absolute; belongs to the ranking */
    double score;
    double rating; /* the person's own where `rated` */
    bool rated;
} piaa_ranked;

typedef struct piaa_ranking piaa_ranking;

/* Fits a taste on the store's vectors of the rated photos (slot: an index into piaa_store_slots).  Rated photos that the store does not
 * have are told to hooks->warn and left out; none at all is an error that shows one path of each side. */
piaa_taste *piaa_taste_learn(const piaa_store *store, int slot, const piaa_ratings *ratings, const piaa_hooks *hooks,
                             piaa_error *error) PIAA_MUST_USE;

/* Scores `paths` (absolute; those without a vector are left out, the embed run has told of them), best first, ties in path order.  The
 * taste has to belong to the store's model, prompt and preprocessing: PIAA_MISMATCH names the difference.  paths NULL: every photo of the
 * store.  ratings (may be NULL) mark the rated photos; those that the taste was learned from get their leave-one-out prediction if the
 * taste was learned and not loaded. */
piaa_ranking *piaa_rank(const piaa_taste *taste, const piaa_store *store, const piaa_paths *paths, const piaa_ratings *ratings,
                        piaa_error *error) PIAA_MUST_USE;
void piaa_ranking_free(piaa_ranking *ranking);
size_t piaa_ranking_count(const piaa_ranking *ranking);
const piaa_ranked *piaa_ranking_at(const piaa_ranking *ranking, size_t index);

#endif

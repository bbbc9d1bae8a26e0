/*
 * One person's taste: everything that is needed to score a photo from its pooled vector, and to say
 * where the score comes from.
 *
 *     score = intercept + sum over j of weights[j] * (x[j] - mean[j])
 *
 * The file (TASTE.json; every number with 17 significant digits, so that a loaded taste predicts to
 * the last bit what the saved one did):
 *
 *     format          "piaa-taste"
 *     version         1, or 2 where several slots are read, or a prior or pairs were given
 *     made            "2025-01-31T12:00:00Z"
 *     features        {pool, layer, dim}, and what made them, as the feature store has it:
 *                     {fingerprint, model, family, prompt,
 *                     preprocessing, dtype, library}; of several slots side by side `slots`, a
 *                     list of {pool, layer, dim}, in place of the three
 *     ratings         {count, lowest, highest}; without ratings the latter two are null
 *     pairs           {count, photos, right}, as in piaa_taste; only where there are pairs
 *     leave_one_out   {groups, rmse, spearman, mean_rmse, chance, interval}, as in piaa_taste:
 *                     errors for photos left out; null where they are undefined.  Files of before
 *                     have rmse and spearman only, and rmse is that of the alpha that it chose
 *     alpha           strength of the ridge penalty, on standardised features
 *     intercept       the mean score
 *     learner         version 2: its name; with blocks, the weight of each slot's columns, and
 *     blocks, spread, lead  how far the prior was trusted (linear/bands.h)
 *     mean, scale     [dim] of the features in the rated photos; scale is 1 for constant columns
 *     weights         [dim] per unit of the raw feature; weights[j] * scale[j] is the coefficient
 *                     of the standardised one
 */
#ifndef PIAA_STUDY_TASTE_H
#define PIAA_STUDY_TASTE_H

#include "base/output.h"
#include "features/store.h" /* piaa_identity */
#include "linear/pairs.h"
#include "study/learner.h"

/* How a taste was learned, and what a prediction without some of the photos needs. */
typedef struct piaa_learned {
    const piaa_learner *learner;
    double *weights; /* [slots] of the blocks */
    double spread, lead;
    const piaa_bands_prior *prior; /* the caller's, for as long as the taste is used; NULL: none */
} piaa_learned;

/* What a taste is learned from.  Everything belongs to the caller. */
typedef struct piaa_teaching {
    const piaa_identity *identity;
    const piaa_slot *slots; /* [count] */
    const piaa_band *bands; /* [count] their features of the rated photos */
    size_t count;
    const double *y; /* [n] NaN: the photo is only among the pairs */
    int64_t n;
    const piaa_duel *duels; /* [duel_count] of photos by number; each pair once */
    int64_t duel_count;
    const piaa_learner *learner;   /* NULL: the usual one */
    const piaa_bands_prior *prior; /* NULL: none; outlives the taste's use */
} piaa_teaching;

/*
 * Learns a taste: every command that learns one does it here.  The identity is copied.  Told to
 * hooks->warn (hooks may be NULL): near copies, by the first slot; what piaa_taste_doubt tells;
 * features that are the same for all photos.  Errors: one rating, or ratings that are all equal; a
 * feature or a score that is not finite.  With a pair neither stars nor differences among them are
 * needed.
 */
piaa_taste *piaa_taste_teach(const piaa_teaching *from, const piaa_hooks *hooks,
                             piaa_error *error) PIAA_MUST_USE;

/* The same of one slot: rows[i] (i itself where rows is NULL) of x [*, slot->dim] has score y[i].
 */
piaa_taste *piaa_taste_fit_rows(const piaa_identity *identity, const piaa_slot *slot,
                                const float *x, const int64_t *rows, const double *y, int64_t n,
                                const piaa_hooks *hooks, piaa_error *error) PIAA_MUST_USE;

/* "learned", "may be chance", "not learned". */
const char *piaa_verdict_name(piaa_verdict verdict);

extern const piaa_output_kind piaa_taste_output;

/* The file's text, to be freed by the caller, and a taste from such a text (`where` names it in
   messages). */
char *piaa_taste_to_json(const piaa_taste *taste, piaa_error *error) PIAA_MUST_USE;
piaa_taste *piaa_taste_parse(const char *text, size_t size, const char *where,
                             piaa_error *error) PIAA_MUST_USE;

#endif

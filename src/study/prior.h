/*
 * What other people's ratings say beforehand of one more person's taste, learned from a data set
 * and kept in a file (linear/people_prior.h has the mathematics).
 *
 *     piaa_prior *prior = piaa_prior_learn(set, &source, store, &options, &error);
 *     piaa_prior_save(prior, "prior.json", &error);
 *     …
 *     piaa_prior_fits(prior, &identity, slots, count, &error) &&
 *         piaa_prior_tell(prior, y, n, hooks, &error);
 *     // prior->bands is what linear/bands.h takes
 *
 * The file (PRIOR.json; numbers with 17 significant digits):
 *
 *     format          "piaa-prior"
 *     version         1
 *     made            "2025-01-31T12:00:00Z"
 *     features        as in a taste (study/taste.h)
 *     data            "para", "lapis", "csv": the kind of data set
 *     scores          {low, high, quantiles}: ends of the scale, and 11 quantiles of the ratings,
 *                     from the least to the largest by tenths
 *     learned         {raters, ratings, iterations, gain}: gain as in piaa_people_prior, or null
 *     raters          [] the people's ids in the data set
 *     photos          [] the first 64 bits of the photos' SHA-256, 16 hexadecimal digits each,
 *                     ascending
 *     isotropic, noise  variances
 *     mean, scale     [dim] of the features in the rated photos
 *     weights         [dim] the mean person's, per standard deviation
 *     directions      [][dim]
 */
#ifndef PIAA_STUDY_PRIOR_H
#define PIAA_STUDY_PRIOR_H

#include "base/output.h"
#include "linear/bands.h"
#include "linear/people_prior.h"
#include "study/source.h"

enum { PIAA_PRIOR_QUANTILES = 11 };

struct piaa_prior {
    piaa_identity identity; /* what made the features; its strings are the prior's, never NULL */
    piaa_slot slots[PIAA_SOURCE_PARTS];
    size_t count; /* of slots */
    char made[32];
    char *data;
    double low, high;
    double quantiles[PIAA_PRIOR_QUANTILES];
    char **raters;
    size_t rater_count;
    uint64_t *photos; /* [photo_count] ascending */
    size_t photo_count;
    piaa_people_prior *people;
    double *told;           /* [1 + rank][dim] the mean and the directions, */
    piaa_bands_prior bands; /* as linear/bands.h takes them: as told last */
};

typedef struct piaa_prior_options {
    const bool *without_users;  /* [users of the set] that are not learned from; NULL: all are */
    const bool *without_images; /* [images of the set] likewise */
    int directions;             /* as in piaa_people_prior_options */
    int threads;
} piaa_prior_options;

/* From the ratings of images that have a vector; of an image that a person rated more than once the
 * last rating counts. */
piaa_people_prior *piaa_prior_learn_people(const piaa_dataset *set, const piaa_source *source,
                                           const piaa_prior_options *options,
                                           piaa_error *error) PIAA_MUST_USE;
/* The same with all that a file holds; the source is of this store. */
piaa_prior *piaa_prior_learn(const piaa_dataset *set, const piaa_source *source,
                             const piaa_store *store, const piaa_prior_options *options,
                             piaa_error *error) PIAA_MUST_USE;

/* Whether features of this identity and these slots are the prior's; the error names the first
   difference. */
bool piaa_prior_fits(const piaa_prior *prior, const piaa_identity *identity, const piaa_slot *slots,
                     size_t count, piaa_error *error) PIAA_MUST_USE;

/* Whether the prior's scale holds these. */
bool piaa_prior_covers(const piaa_prior *prior, double low, double high);
/* How many points of ratings y [n] on another scale are one of the prior's: their distance of the
   lowest from the highest tenth, in that of the prior's. */
double piaa_prior_unit(const piaa_prior *prior, const double *y, int64_t n);
/* Makes the prior one for ratings y [n].  Where they do not lie on its scale, its scores are mapped
 * to theirs by quantiles, which is told to hooks->warn.  hooks may be NULL. */
void piaa_prior_tell(piaa_prior *prior, const double *y, int64_t n, const piaa_hooks *hooks);
/* The same of people that are not in a file: told [1 + rank][dim] is the caller's, `unit` how many
   of the person's scores are one of theirs. */
piaa_bands_prior piaa_prior_bands_of(const piaa_people_prior *people, double unit, double *told);

bool piaa_prior_has_rater(const piaa_prior *prior, const char *data, const char *id);
bool piaa_prior_has_photo(const piaa_prior *prior, uint64_t content);

/* Spearman's correlation of a person's scores with the mean score of all other people, over those
 * of these ratings (of the set) that somebody else rated too; NaN where it is undefined. */
bool piaa_prior_agreement(const piaa_dataset *set, const size_t *ratings, size_t count, double *out,
                          piaa_error *error) PIAA_MUST_USE;

/* -------------------------------------------------------------------------------------- the file
 */

extern const piaa_output_kind piaa_prior_output;

/* Written whole or not at all, and over no file but a prior.  Loading believes nothing: every key,
   type, length and number is checked. */
bool piaa_prior_save(const piaa_prior *prior, const char *path, piaa_error *error) PIAA_MUST_USE;
/* Freed by the caller; `where` names the text in messages. */
char *piaa_prior_to_json(const piaa_prior *prior, piaa_error *error) PIAA_MUST_USE;
piaa_prior *piaa_prior_parse(const char *text, size_t size, const char *where,
                             piaa_error *error) PIAA_MUST_USE;

/* With the identity's strings copied and room for `people`, which it owns from then on (NULL: for
   the reader of the file, which gives them later); photos and raters are the caller's to add. */
piaa_prior *piaa_prior_new(const piaa_identity *identity, const piaa_slot *slots, size_t count,
                           const char *data, piaa_error *error) PIAA_MUST_USE;
/* Gives it its people, and is their owner whether or not it succeeds. */
bool piaa_prior_take(piaa_prior *prior, piaa_people_prior *people, piaa_error *error) PIAA_MUST_USE;

#endif

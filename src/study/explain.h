/*
 * A taste in words: which named attributes drive a person's scores.
 *
 * A taste scores a photo from thousands of numbers, the projection turns the same numbers into a
 * dozen attributes.  The taste's own scores of the person's photos are regressed on the attributes
 * of those photos (ridge, leave-one-out alpha):
 *
 *     score  =  average score  +  sum over attributes of weight[k] * (attribute[k] - average[k])
 *               +  rest
 *
 * The sum is what the attributes account for; the rest is what the taste sees and they do not.
 * `explained` says how much of the scores' variance the sum accounts for in photos that the
 * regression has not seen (leave-one-out R2), so that a dozen attributes of few photos do not look
 * better than they are; it can be negative.
 */
#ifndef PIAA_STUDY_EXPLAIN_H
#define PIAA_STUDY_EXPLAIN_H

#include "study/projection.h"
#include "study/taste.h"

typedef struct piaa_explanation {
    const piaa_taste *taste; /* both stay the caller's and must outlive the explanation */
    const piaa_projection *projection;
    int first;              /* where the projection's slot begins among the taste's columns */
    int count;              /* attributes, in the projection's order */
    int64_t photos;         /* the person's */
    double average_score;   /* of the taste's scores of them */
    double *average;        /* [count] of their attributes */
    double *weights;        /* [count] score points per unit of the attribute */
    double *signed_weights; /* [count] score points per standard deviation of the attribute among
                               the projection's images */
    double explained;       /* leave-one-out R2, at most 1; NaN where the taste gives all photos one
                               score, or of one photo */
    double explained_seen;  /* the same of the photos that were learned from: an upper bound */
} piaa_explanation;

/* rows[i] (i itself where rows is NULL) of x [*, dim of the taste] are the features of the person's
 * n photos.  The projection has to read what the taste reads, or one of the slots that it reads
 * side by side (PIAA_MISMATCH otherwise). */
piaa_explanation *piaa_explain(const piaa_taste *taste, const piaa_projection *projection,
                               const float *x, const int64_t *rows, int64_t n,
                               piaa_error *error) PIAA_MUST_USE;
/* Where the projection's slot begins among the taste's columns; -1 with the error set where it is
   none of them. */
int piaa_explain_place(const piaa_taste *taste, const piaa_projection *projection,
                       piaa_error *error);
void piaa_explanation_free(piaa_explanation *explanation);

typedef struct piaa_explained_photo {
    double score;     /* the taste's */
    double accounted; /* sum of the contributions */
    double rest;      /* score - average score - accounted */
} piaa_explained_photo;

/* One photo: its attributes and what each contributes to its score, both [count] (either may be
   NULL). */
bool piaa_explain_photo(const piaa_explanation *explanation, const float *x, double *attributes,
                        double *contributions, piaa_explained_photo *out,
                        piaa_error *error) PIAA_MUST_USE;

/* What each of the taste's slots adds to a photo's score, [slots] of x [dim]: with the intercept
   they sum to it. */
void piaa_explain_slots(const piaa_taste *taste, const float *x, double *out);

#endif

/* Labels with gaps: targets that are known of the same images are learned together, from one design
   matrix, and each from all images of which it is known. */
#ifndef PIAA_STUDY_GAPS_H
#define PIAA_STUDY_GAPS_H

#include "base/error.h"

typedef struct piaa_gap_group {
    size_t *targets, target_count; /* in their order */
    size_t *rows, n;               /* of the labels, those that the targets have */
    double *y;                     /* [n][target_count] */
} piaa_gap_group;

typedef struct piaa_gaps {
    /* In the order of their first targets; n is 0 where a target has no label. */
    piaa_gap_group *items;
    size_t count;
} piaa_gaps;

/* Of labels [n][targets], NaN where there is none: one group where there are no gaps. */
bool piaa_gaps_find(piaa_gaps *gaps, const double *labels, size_t n, size_t targets,
                    piaa_error *error) PIAA_MUST_USE;
void piaa_gaps_free(piaa_gaps *gaps);

#endif

/* What all raters together say of PARA's images: the means of seven scores, and how many gave each
   score.  The generic model of PIAA-ICI learns from it. */
#ifndef PIAA_DATA_OPINIONS_H
#define PIAA_DATA_OPINIONS_H

#include "data/dataset.h"

enum { PIAA_OPINION_ATTRIBUTES = 7, PIAA_OPINION_BINS = 9 };

/* "score", "quality", "composition", "color", "dof", "light", "content": the order of the means */
extern const char *const piaa_opinion_names[PIAA_OPINION_ATTRIBUTES];

typedef struct piaa_opinions {
    size_t images;     /* of the data set */
    float *attributes; /* [images][7]: means, from 1 to 5 */
    float *bins;     /* [images][9]: the shares of the scores 1.0, 1.5 … 5.0; they add up to 1 */
    bool *has;       /* [images]: both are known; else both are 0 */
    size_t known;    /* so many of them */
    size_t bad_rows; /* told to hooks->warn: a mean or a count that is no number, a negative count,
                        a histogram of nobody */
} piaa_opinions;

/*
 * Reads annotation/PARA-GiaaTrain.csv and PARA-GiaaTest.csv.  The columns of the histogram are
 * those named aestheticScore_V, in any order; a histogram of shares is as good as one of counts. Of
 * an image that is listed twice the first usable row counts.
 *
 * PIAA_MISMATCH for another data set than PARA, PIAA_IO where neither file is there (one alone is
 * told), PIAA_FORMAT where a column is missing or no row is usable.
 */
piaa_opinions *piaa_opinions_read(const piaa_dataset *set, const piaa_hooks *hooks,
                                  piaa_error *error) PIAA_MUST_USE;
void piaa_opinions_free(piaa_opinions *opinions);

#endif

/* Near copies among rows of features: photos that were saved again, resized, cropped a little,
   made a little brighter, or taken in one burst. */
#ifndef PIAA_LINEAR_NEAR_H
#define PIAA_LINEAR_NEAR_H

#include "base/error.h"

/* How far apart near copies are, in the space of one set of rows. */
typedef struct piaa_near {
    int64_t rows;   /* of the set */
    int64_t *group; /* [rows] the first row of the set that is a near copy of this one, or of a near
                       copy of it: its own index where there is none before it */
    int64_t groups; /* different ones */
    int dim;
    double *mean, *inverse; /* [dim] of the set's columns; inverse 0 for constant ones */
    double square; /* rows whose squared distance is at most this are near copies; -1: none are */
} piaa_near;

/* Among more rows no near copies are looked for, since all pairs are compared: a minute, of 2,560
   columns. */
enum { PIAA_NEAR_MOST = 1 << 15 };

/*
 * Finds the near copies among `rows` (the first n where NULL) of x [*, dim]; the rule is in near.c.
 * Holds n x n numbers meanwhile, 128 MiB of them at most.  Errors: memory.
 */
piaa_near *piaa_near_find(const float *x, const int64_t *rows, int64_t n, int dim,
                          piaa_error *error) PIAA_MUST_USE;
void piaa_near_free(piaa_near *near);

/* Whether two vectors of the same features are near copies by the set's measure. */
bool piaa_near_same(const piaa_near *near, const float *a, const float *b);

/* The set made ready to be compared with many vectors, by any number of threads.  near, x and rows
   (as in piaa_near_find) outlive it. */
typedef struct piaa_near_search piaa_near_search;
piaa_near_search *piaa_near_search_new(const piaa_near *near, const float *x, const int64_t *rows,
                                       piaa_error *error) PIAA_MUST_USE;
void piaa_near_search_free(piaa_near_search *search);
/* Where one thread finds rows. */
typedef struct piaa_near_found {
    int64_t *rows;  /* the last call's, ascending; room for all of the set */
    float *squares; /* scratch */
} piaa_near_found;
bool piaa_near_found_open(piaa_near_found *found, const piaa_near_search *search,
                          piaa_error *error) PIAA_MUST_USE;
void piaa_near_found_close(piaa_near_found *found);
/* Of which rows of the set `vector` is a near copy; how many.  The same rows as piaa_near_same's.
 */
int64_t piaa_near_search_find(const piaa_near_search *search, const float *vector,
                              piaa_near_found *found);
/* Whether each of PIAA_LOOPS_ROWS vectors (linear/loops.h) is a near copy of any row, which costs
   hardly more than one of them. */
void piaa_near_search_each(const piaa_near_search *search, const float *const *vectors,
                           piaa_near_found *found, bool *near);

#endif

/* What a mean over people is worth: its 95 % interval, and whether a mean difference is chance, for
   any number of people. */
#ifndef PIAA_LINEAR_PEOPLE_H
#define PIAA_LINEAR_PEOPLE_H

#include "linear/bootstrap.h"

enum {
    PIAA_PEOPLE_FEW = 3,    /* with fewer there is no interval */
    PIAA_PEOPLE_EXACT = 20, /* with fewer every sign-flip is tried; else `draws` of them */
    PIAA_PEOPLE_MANY = 100  /* from here on: the bootstrap, as published */
};

/* The means of several lists [lists][n] of the same n people and their 95 % intervals.  low and
 * high are NaN where n is below PIAA_PEOPLE_FEW, and where all of fewer than PIAA_PEOPLE_MANY
 * people have the same figure, which says nothing of how much people differ.  draws and seed: of
 * the bootstrap.  No value may be NaN. */
bool piaa_people_means(const double *values, size_t lists, size_t n, int draws, uint32_t seed,
                       piaa_interval *out, piaa_error *error) PIAA_MUST_USE;

/* The same of a[i] - b[i], and the two-sided p-value of "for each person the difference is as
 * likely to have the other sign", never below 2/2^n; NaN of nobody, 1 where a and b are equal. */
bool piaa_people_compare(const double *a, const double *b, size_t n, int draws, uint32_t seed,
                         piaa_interval *difference, double *p, piaa_error *error) PIAA_MUST_USE;

#endif

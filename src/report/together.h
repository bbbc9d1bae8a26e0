/* The methods of several runs side by side: the paper's table. */
#ifndef PIAA_REPORT_TOGETHER_H
#define PIAA_REPORT_TOGETHER_H

#include "report/page.h"

/*
 * One table, or none where fewer than two evaluations have something in common: of each data set
 * and number of ratings learned from every method, with the model's one layer that most of them
 * read.  Evaluations go together that have the same model, prompt, draws and test; of a method that
 * several hold the one with the most people counts.  Beside each method's own people stand the
 * figures over those that all of them share, with the difference from linear-hidden and its
 * p-value; where all share fewer than three, each method is compared over the people that it shares
 * with linear-hidden.
 */
bool piaa_together_make(piaa_tables *tables, const piaa_page_part *parts, size_t count,
                        piaa_error *error) PIAA_MUST_USE;

#endif

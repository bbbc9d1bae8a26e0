/*
 * Photos put in order by one person's taste.
 *
 * A rated photo's score is its leave-one-out prediction: what the taste says of it without having
 * seen that rating.  With more dimensions than ratings the fit passes close to every rating, so the
 * plain prediction would only repeat it, and rated and unrated photos could not be compared.  "± x"
 * is the root mean square of the leave-one-out errors.
 */
#ifndef PIAA_STUDY_RANK_H
#define PIAA_STUDY_RANK_H

#include "base/file.h"
#include "data/ratings.h"
#include "features/store.h"
#include "study/taste.h"

#endif

/*
 * Photos put in order by one person's taste.
 *
 * A rated photo's score is what the taste says of it without having seen its rating, nor those of
 * its near copies.  With more dimensions than ratings the fit passes close to every rating, so the
 * plain prediction would only repeat it, and rated and unrated photos could not be compared.  A
 * copy that was not rated itself is scored in the same way: byte for byte it is the rated photo,
 * and carries its rating; a near copy gets the prediction without the ratings of what it is near
 * to.
 */
#ifndef PIAA_STUDY_RANK_H
#define PIAA_STUDY_RANK_H

#include "data/ratings.h"
#include "features/photos.h"
#include "features/store.h"
#include "study/taste.h"

#endif

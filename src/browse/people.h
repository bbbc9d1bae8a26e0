/*
 * Several people on the same photos: each with their own ratings, scores and learning.
 *
 *     people = piaa_people_new(&source, "anna", &error);        // anna is person 0
 *     library = piaa_people_library(people, 1, &error);         // begins to learn when first asked
 * for piaa_people_free(people);
 *
 * Person 0 began the run; the others are those who have ratings in the book, in the order of their
 * names, and behind them whoever is added.  Numbers stay as they are for the run.  Functions may be
 * called from any thread.
 *
 * How far two agree is Spearman's rank correlation: of their ratings, over the photos that both
 * have rated, and of their predicted scores, over all that both tastes score.  What is best for all
 * is the mean over the people of (score - that person's mean) / that person's standard deviation,
 * so that nobody counts for more who uses more of the scale.
 */
#ifndef PIAA_BROWSE_PEOPLE_H
#define PIAA_BROWSE_PEOPLE_H

#include "browse/library.h"

enum { PIAA_PEOPLE_MOST = 32 }; /* those of a book who come later are not listed */

typedef struct piaa_people piaa_people;

typedef struct piaa_people_source {
    const piaa_photos *photos;
    const char *book;  /* the file of ratings; NULL: the usual one */
    const char *store; /* learned from; NULL: nothing is learned */
    const piaa_slots *slots;
    const piaa_projection *projection; /* the words for scores; NULL: none */
    const char *prior;                 /* as in piaa_library_learn_from */
} piaa_people_source;

/* What `source` points to outlives the people.  Fails: the book, memory, no thread. */
piaa_people *piaa_people_new(const piaa_people_source *source, const char *person,
                             piaa_error *error) PIAA_MUST_USE;
/* Everybody by the same numbers, on the photos of `source`: with their ratings as the book has them
   now, and the reading as it stands.  Nobody changes anything meanwhile. */
piaa_people *piaa_people_follow(piaa_people *before, const piaa_people_source *source,
                                piaa_error *error) PIAA_MUST_USE;
/* Ends every library (browse/library.h); nobody new begins. */
void piaa_people_end(piaa_people *people);
void piaa_people_free(piaa_people *people);

/* The people's own.  PIAA_USAGE: there is no such person. */
piaa_library *piaa_people_library(piaa_people *people, size_t person,
                                  piaa_error *error) PIAA_MUST_USE;
/* The number of one who has this name, who is new if nobody has.  PIAA_USAGE: no name (1 to 80
   bytes of UTF-8, nothing invisible at its ends or controlling), or too many people. */
bool piaa_people_add(piaa_people *people, const char *name, size_t *person,
                     piaa_error *error) PIAA_MUST_USE;

/* To every library, those that begin later too. */
void piaa_people_progress(piaa_people *people, int64_t done, int64_t total);
void piaa_people_finished(piaa_people *people, const char *message);

/* A little of the work that is done once for all of them and that nobody waits for: bursts
   (browse/album.h), once all photos are read.  false: nothing was done, as somebody waits for
   something else or all is done.  One thread at a time. */
bool piaa_people_step(piaa_people *people);
/* How the reading goes. */
typedef struct piaa_reading {
    bool reading;
    int64_t done, total;
    double left; /* seconds, by the pace of this run; NaN: too little was read to tell */
} piaa_reading;
piaa_reading piaa_people_reading(piaa_people *people);

/* JSON for the page, as one person sees the others; who has not been asked for yet begins to learn.
 *
 * list: {"person": own number, "people": [{"name", "rated", "both_rated", "ratings_agree",
 * "both_scored", "scores_agree"}]}: agreement with oneself and of fewer than three photos is null.
 * together: {"people": how many have a taste, "scores": [number or null]} in the photos' order;
 * null: not scored by all of them. */
bool piaa_people_list(piaa_people *people, size_t person, piaa_text *out,
                      piaa_error *error) PIAA_MUST_USE;
bool piaa_people_together(piaa_people *people, piaa_text *out, piaa_error *error) PIAA_MUST_USE;

#endif

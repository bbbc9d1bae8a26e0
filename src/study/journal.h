/*
 * A journal of lessons that took long: what a method predicted for a person, so that an evaluation
 * that was ended goes on with the next lesson.
 *
 * A lesson is known by a hash of all that its predictions depend on, so that a journal never has to
 * be thrown away: what was changed is learned anew.  The file is a table with a row for each
 * lesson, written whole after every one; numbers are the bits of doubles, in hexadecimal.
 */
#ifndef PIAA_STUDY_JOURNAL_H
#define PIAA_STUDY_JOURNAL_H

#include "study/method.h"

typedef struct piaa_journal piaa_journal;

/* reader: what the lessons' model and its settings are called (piaa_journal_reader).  A file that
 * is not there is an empty journal; PIAA_FORMAT for one that is something else. */
piaa_journal *piaa_journal_open(const char *path, const char *reader,
                                piaa_error *error) PIAA_MUST_USE;
void piaa_journal_close(piaa_journal *journal);

enum { PIAA_JOURNAL_KEY = 65 };

/* The lesson's name. */
void piaa_journal_key(const piaa_journal *journal, const piaa_method *method,
                      const piaa_lesson *lesson, char key[PIAA_JOURNAL_KEY]);
/* Whether this lesson is there; fills predictions and seconds. */
bool piaa_journal_find(const piaa_journal *journal, const char *key, size_t tests,
                       piaa_predictions *out, double *seconds);
bool piaa_journal_add(piaa_journal *journal, const char *key, size_t tests,
                      const piaa_predictions *out, double seconds, piaa_error *error) PIAA_MUST_USE;

#endif

/*
 * The ratings that people give on the page, and what they said of pairs of photos: an SQLite file
 * that holds every change in order, so that each can be undone.
 *
 *     piaa_book *book = piaa_book_open(path, "anna", &error);
 *     piaa_book_rate(book, "/photos/1.jpg", 4, &error);    // on the disk when this returns
 *     piaa_book_undo(book, &undone, &error);
 *
 * Table ratings: person, path (absolute, links followed), score, changed (seconds since 1970).
 * Table comparisons: number, person, one, other (paths), win (1: `one` is the better photo, 0:
 * `other` is, 0.5: neither, NULL: cannot say, which is kept so that it is not asked again),
 * changed. Table changes: number, person, path, before, after (NULL: no rating), undone; of a
 * comparison, which has the same number, path and other are the two and after is the answer.
 *
 * Table picks: number (that of the change), person, path, kept (1: this one of a burst, 0: it was
 * passed over), changed; of what was decided more than once the last counts.
 *
 * Version 1 of the file had no comparisons and version 2 no picks; they are brought to this one
 * when they are opened.
 *
 * A score is 1 to 5, or 0: rejected, which is learned from as one below the worst (data/stars.h).
 * One book at a time is used by one thread; other programs may read the file meanwhile.
 */
#ifndef PIAA_BROWSE_BOOK_H
#define PIAA_BROWSE_BOOK_H

#include "base/error.h"

typedef struct piaa_book piaa_book;

/* One person's side of the file, which is made if there is none.  NULL: the usual file,
   $XDG_DATA_HOME/piaa/ratings.sqlite. */
piaa_book *piaa_book_open(const char *path, const char *person, piaa_error *error) PIAA_MUST_USE;
void piaa_book_close(piaa_book *book);
const char *piaa_book_where(const piaa_book *book);

/* NaN takes the rating away. */
bool piaa_book_rate(piaa_book *book, const char *path, double score,
                    piaa_error *error) PIAA_MUST_USE;

/* What was said of two photos: 1, 0, 0.5, or NaN: cannot say. */
bool piaa_book_compare(piaa_book *book, const char *one, const char *other, double win,
                       piaa_error *error) PIAA_MUST_USE;

/* What was decided of the photos of one burst, in one change. */
typedef struct piaa_book_pick {
    const char *path;
    bool kept;
} piaa_book_pick;
bool piaa_book_pick_all(piaa_book *book, const piaa_book_pick *picks, size_t count,
                        piaa_error *error) PIAA_MUST_USE;

/* The last change that was not undone, which is now. */
typedef struct piaa_book_change {
    char *path;           /* NULL: there is none */
    char *other;          /* not NULL: what was said of these two */
    bool picks;           /* of a burst, all at once; else and without `other` it was a rating */
    double before, after; /* NaN: no rating; `before` is how it stands now */
} piaa_book_change;
bool piaa_book_undo(piaa_book *book, piaa_book_change *undone, piaa_error *error) PIAA_MUST_USE;
void piaa_book_change_free(piaa_book_change *change); /* what it holds */

/* Every rating of the person as ratings to learn from or to write; PIAA_MISMATCH: there is none. */
piaa_ratings *piaa_book_ratings(piaa_book *book, piaa_error *error) PIAA_MUST_USE;
/* Every rating of the person, in the order of the paths. */
bool piaa_book_each(piaa_book *book, bool (*take)(void *user, const char *path, double score),
                    void *user, piaa_error *error) PIAA_MUST_USE;
/* Everything the person decided of bursts, in the order in which it was decided. */
bool piaa_book_each_pick(piaa_book *book, bool (*take)(void *user, const char *path, bool kept),
                         void *user, piaa_error *error) PIAA_MUST_USE;
/* Everything the person said of pairs, in the order in which it was said. */
bool piaa_book_each_pair(piaa_book *book,
                         bool (*take)(void *user, const char *one, const char *other, double win),
                         void *user, piaa_error *error) PIAA_MUST_USE;
/* Everybody who has rated or compared, in the order of their names. */
bool piaa_book_people(piaa_book *book, bool (*take)(void *user, const char *person), void *user,
                      piaa_error *error) PIAA_MUST_USE;

#endif

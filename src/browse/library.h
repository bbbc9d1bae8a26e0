/*
 * The photos of a page, what one person rated them, and what is learned from that: one state that
 * the page's requests, the run that reads the photos and the learning share.
 *
 *     library = piaa_library_new(album, book, "anna", &error);
 *     piaa_library_learn_from(library, path, slots, &error);   // learning begins, on its threads
 *     piaa_library_rate(library, 17, 4, &error);               // kept, and learned from soon
 *     piaa_library_free(library);
 *
 * Every change of what the page shows raises the version, which waiters are woken by.  Functions
 * may be called from any thread.
 */
#ifndef PIAA_BROWSE_LIBRARY_H
#define PIAA_BROWSE_LIBRARY_H

#include "base/memory.h"
#include "browse/album.h"
#include "browse/book.h"
#include "study/projection.h"

typedef struct piaa_library piaa_library;

/* album and book outlive the library; from here on the book is the library's to use. */
piaa_library *piaa_library_new(piaa_album *album, piaa_book *book, const char *person,
                               piaa_error *error) PIAA_MUST_USE;
/* Wakes all waiters, whose versions are over, and waits for the learning to end. */
void piaa_library_end(piaa_library *library);
void piaa_library_free(piaa_library *library);

/* Learns from the store at `path`, which another thread may be writing to, from these slots (the
 * caller's, which outlive the library), now and after every rating.  prior: a file of `piaa prior`
 * of such features, which learning begins with unless this person is among those whom it was made
 * of; NULL: none. */
bool piaa_library_learn_from(piaa_library *library, const char *path, const piaa_slots *slots,
                             const char *prior, piaa_error *error) PIAA_MUST_USE;

/* The words in which scores are explained; NULL: none.  They outlive the library. */
void piaa_library_explain_by(piaa_library *library, const piaa_projection *projection);

/* Something that everybody shares is another: raises the version. */
void piaa_library_changed(piaa_library *library);

piaa_album *piaa_library_album(const piaa_library *library);
size_t piaa_library_count(const piaa_library *library);
const char *piaa_library_path(const piaa_library *library, size_t photo); /* absolute */

/* A score of 1 to 5, 0: rejected, NaN: no rating.  On the disk when this returns. */
bool piaa_library_rate(piaa_library *library, size_t photo, double score,
                       piaa_error *error) PIAA_MUST_USE;
/* What was said of two: 1: `one` is better, 0: `other` is, 0.5: neither, NaN: cannot say.  On the
   disk when this returns. */
bool piaa_library_compare(piaa_library *library, size_t one, size_t other, double win,
                          piaa_error *error) PIAA_MUST_USE;
/* What was taken back: the rating of a photo, what was said of a pair, or what was decided of a
   burst. */
typedef struct piaa_undone {
    size_t photo, other; /* SIZE_MAX: there was nothing, or it is not among these photos */
    bool picks;
} piaa_undone;
bool piaa_library_undo(piaa_library *library, piaa_undone *undone, piaa_error *error) PIAA_MUST_USE;

/* Of one burst, or of another series: which of these photos are kept, and which are passed over; in
   one step, which one undo takes back. */
bool piaa_library_pick(piaa_library *library, const size_t *kept, size_t kept_count,
                       const size_t *passed, size_t passed_count, piaa_error *error) PIAA_MUST_USE;

/* How the reading goes; `message` (may be NULL) is shown when it ended otherwise than well. */
void piaa_library_progress(piaa_library *library, int64_t done, int64_t total);
void piaa_library_finished(piaa_library *library, const char *message);

/* Waits until the version is another than `known`, or `milliseconds` are over; the version, -1 once
   the library has ended. */
int64_t piaa_library_wait(piaa_library *library, int64_t known, int milliseconds);

/* What is rated among the photos, as it stands now, and the photos; NULL: nothing, which is no
   error, or memory. */
piaa_ratings *piaa_library_ratings(piaa_library *library, piaa_error *error) PIAA_MUST_USE;
/* The same of what was compared. */
piaa_choices *piaa_library_choices(piaa_library *library, piaa_error *error) PIAA_MUST_USE;
/* As they stand now, in the order of the photos; NaN: none. */
void piaa_library_opinion(piaa_library *library, double *ratings, double *scores);
const piaa_photos *piaa_library_photos(const piaa_library *library);

/* JSON for the page.
 *
 * list: what does not change: {"person", "book", "photos": [{"name"}]}.
 * state: {"version", "reading", "read", "total", "message", "learned": null or {"ratings",
 * "pairs", "pairs_right", "plus_minus", "ten_more", "interval", "rank_correlation", "verdict"},
 * "scored": another number whenever the scores are others, "ratings": [number or null] in the order
 * of the photos, "teaching": [photo, what teaches most first], "unreadable": [photo]}.  ten_more is
 * what plus_minus may come down to with ten more ratings.
 *
 * ask: {"pairs": [[photo, photo]]}, those first whose answer teaches most (study/asking.h).
 *
 * why: {"nothing": why there is no more of it} or {"score", "interval", "near": [{"photo",
 * "rating", "likeness": cosine}], "no_words": why the rest is not there, or "average", "words":
 * [{"name", "adds"}], "rest", "explained"}, as study/explain.h has them. */
/* bursts: {"bursts": [{"kind", "photos"}], "behind": [[a raw file, the picture beside it]]}, empty
   until state's "bursts" is true; its "kept" and "passed" are photos. */
bool piaa_library_bursts(piaa_library *library, piaa_text *out, piaa_error *error) PIAA_MUST_USE;
bool piaa_library_list(piaa_library *library, piaa_text *out, piaa_error *error) PIAA_MUST_USE;
bool piaa_library_state(piaa_library *library, piaa_text *out, piaa_error *error) PIAA_MUST_USE;
/* Not JSON, since all of them come anew after every rating: a float32 for each photo in their
   order, in this machine's byte order, which is the browser's; NaN: none. */
bool piaa_library_scores(piaa_library *library, piaa_text *out, piaa_error *error) PIAA_MUST_USE;
/* When each file was written last: float64, seconds since 1970; NaN: it is gone. */
bool piaa_library_times(piaa_library *library, piaa_text *out, piaa_error *error) PIAA_MUST_USE;
bool piaa_library_ask(piaa_library *library, piaa_text *out, piaa_error *error) PIAA_MUST_USE;
bool piaa_library_why(piaa_library *library, size_t photo, piaa_text *out,
                      piaa_error *error) PIAA_MUST_USE;

#endif

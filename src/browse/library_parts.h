/* A library's own parts: its state and photos (library.c), pairs (duel.c), what of bursts is kept
   (picks.c), what is learned (lesson.c), why (why.c), and what the page is told (library_json.c).
 */
#ifndef PIAA_BROWSE_LIBRARY_PARTS_H
#define PIAA_BROWSE_LIBRARY_PARTS_H

#include "base/json.h"
#include "browse/library.h"
#include "browse/why.h"
#include "features/store.h"
#include "study/taste.h"

#include <pthread.h>
#include <time.h>

/* What was learned last; zeroed: nothing yet. */
typedef struct piaa_lesson {
    bool there, prior; /* prior: other people's ratings count */
    int64_t ratings, pairs;
    double plus_minus, ten_more, interval, rank_correlation, pairs_right;
    piaa_verdict verdict;
} piaa_lesson;

/* What was said of two photos, as in piaa_library_compare. */
typedef struct piaa_pair {
    size_t one, other;
    double win;
} piaa_pair;

enum { PIAA_TEACHING_MOST = 64, PIAA_TEACHING_LEAST = 16 };

struct piaa_library {
    piaa_album *album;
    const piaa_photos *photos; /* the album's */
    const char *person;

    pthread_mutex_t lock;
    pthread_cond_t changed; /* the version, or `ended` */
    piaa_book *book;
    double *ratings, *scores; /* [count]; NaN: none */
    bool *unreadable;         /* [count] */
    piaa_pair *pairs;         /* [pair_count] in the order in which they were said */
    size_t pair_count, pair_room;
    signed char *picks; /* [count] 1: kept of its burst, -1: passed over, 0: not decided */
    piaa_lesson learned;
    size_t teaching[PIAA_TEACHING_MOST], teaching_count; /* photos, that which teaches most first */
    int64_t version, done, total;
    int64_t scored; /* raised when scores are others */
    int64_t stored; /* raised when the store may hold more */
    bool reading, ended;
    char message[sizeof((piaa_error *)0)->message];

    /* The learning: */
    pthread_t learner;
    bool learning, due; /* its thread runs; something is to be learned */
    pthread_cond_t wake;
    pthread_t teacher;
    bool teaches, teaching_due; /* the same of what teaches most */
    pthread_cond_t wake_teacher;
    piaa_why *why;
    piaa_prior *prior; /* outlives the taste that `why` has; NULL: none */
    char *store_path;
    piaa_slots slots;
};

/* A list of numbers with four decimals, more than anyone sees; null where one is not finite. */
void piaa_library_put_numbers(piaa_json_build *build, const char *key, const double *values,
                              size_t count);

/* Under the lock: raises the version; and learns anew too. */
void piaa_library_tell(piaa_library *library);
void piaa_library_learn_again(piaa_library *library);

/* Under the lock, or before there are threads: the book's pairs, and the last of these two. */
bool piaa_pairs_load(piaa_library *library, piaa_error *error);
void piaa_pairs_drop(piaa_library *library, size_t one, size_t other);

/* Under the lock, or before there are threads: what the book says of bursts. */
bool piaa_picks_load(piaa_library *library, piaa_error *error);

/* The time of day so many milliseconds from now. */
struct timespec piaa_moment_in(int milliseconds);

/* null for what is not finite; adds what was built to `out`, and frees it. */
cJSON *piaa_library_number(double value);
bool piaa_library_print(piaa_json_build *build, piaa_text *out, piaa_error *error);

/* Two threads that learn and choose until the library has ended; false: no thread. */
bool piaa_lessons_start(piaa_library *library);
/* Waits for them; `ended` is set, and both conditions were signalled. */
void piaa_lessons_end(piaa_library *library);

#endif

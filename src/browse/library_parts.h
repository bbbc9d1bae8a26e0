/* A library's own parts: its state and photos (library.c), what is learned (lesson.c), and what the
   page is told (library_json.c). */
#ifndef PIAA_BROWSE_LIBRARY_PARTS_H
#define PIAA_BROWSE_LIBRARY_PARTS_H

#include "browse/library.h"
#include "features/store.h"
#include "study/taste.h"

#include <pthread.h>

/* What was learned last; zeroed: nothing yet. */
typedef struct piaa_lesson {
    bool there;
    int64_t ratings;
    double plus_minus, interval, rank_correlation;
    piaa_verdict verdict;
} piaa_lesson;

enum { PIAA_TEACHING_MOST = 64, PIAA_TEACHING_LEAST = 16 };

struct piaa_library {
    const piaa_photos *photos;
    const char *person;
    size_t *by_name; /* [count] photos in the order of their names */

    pthread_mutex_t lock;
    pthread_cond_t changed; /* the version, or `ended` */
    piaa_book *book;
    double *ratings, *scores; /* [count]; NaN: none */
    bool *unreadable;         /* [count] */
    piaa_lesson learned;
    size_t teaching[PIAA_TEACHING_MOST], teaching_count; /* photos, that which teaches most first */
    int64_t version, done, total;
    bool reading, ended;
    char message[sizeof((piaa_error *)0)->message];

    /* The learning: */
    pthread_t learner;
    bool learning, due; /* its thread runs; something is to be learned */
    pthread_cond_t wake;
    pthread_t teacher;
    bool teaches, teaching_due; /* the same of what teaches most */
    pthread_cond_t wake_teacher;
    char *store_path;
    piaa_slots slots;
};

/* A photo's number by its name in the list; SIZE_MAX: it is not there. */
size_t piaa_library_find(const piaa_library *library, const char *name);

/* Under the lock: raises the version. */
void piaa_library_tell(piaa_library *library);

/* Two threads that learn and choose until the library has ended; false: no thread. */
bool piaa_lessons_start(piaa_library *library);
/* Waits for them; `ended` is set, and both conditions were signalled. */
void piaa_lessons_end(piaa_library *library);

#endif

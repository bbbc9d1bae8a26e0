/*
 * piaa: read the hidden states of a vision-language model for a photo, and learn one person's taste from them.
 *
 *     piaa_error error = {0};
 *     piaa_model *model = piaa_model_open(NULL, NULL, &error);              // NULL: the demonstration model
 *     piaa_extractor *reader = piaa_extractor_new(model, NULL, &error);     // NULL: LT at the default layer, base prompt
 *     piaa_store *store = piaa_store_open("photos.piaa", PIAA_STORE_WRITE, reader, &error);
 *     piaa_embed(store, reader, (const char *[]){"holiday"}, 1, NULL, NULL, &error);
 *     piaa_ratings *ratings = piaa_ratings_read("ratings.csv", &error);
 *     piaa_taste *taste = piaa_taste_fit(store, ratings, NULL, NULL, &error);
 *     piaa_ranking *ranking = piaa_rank(taste, store, ratings, &error);
 *     for (size_t i = 0; i < piaa_ranking_count(ranking); i++)
 *         printf("%.2f  %s\n", piaa_ranking_at(ranking, i)->score, piaa_ranking_at(ranking, i)->path);
 *
 * Conventions
 *   Errors     Every function that can fail takes a piaa_error last and returns NULL or false on failure; the error then holds
 *              one plain line: what failed, where, and how to mend it.  Calling a function with a NULL handle whose creation failed
 *              fails again and leaves the first error in place, so that a chain like the one above needs one check at its end.
 *   Ownership  A handle from *_open, *_new, *_read, *_fit belongs to the caller, who ends it with the matching *_close or *_free;
 *              both accept NULL.  Pointers to const that a getter returns belong to the handle.
 *   Threads    A handle is used by one thread at a time; different handles are independent.  There is no global state.
 *   Numbers    Pooled vectors are float32; regression is float64 inside.
 */
#ifndef PIAA_H
#define PIAA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__) || defined(__clang__)
#define PIAA_API __attribute__((visibility("default")))
#else
#define PIAA_API
#endif

/* ------------------------------------------------------------------------------------------------------------ errors */

typedef enum piaa_code {
    PIAA_OK = 0,
    PIAA_USAGE,       /* the caller asked for something that makes no sense (exit code 2 on the command line) */
    PIAA_IO,          /* the operating system said no: missing file, full disk, no permission */
    PIAA_FORMAT,      /* a file does not hold what its kind promises */
    PIAA_UNSUPPORTED, /* well formed, but not something that piaa can do */
    PIAA_MISMATCH,    /* two things do not belong together: a store and a model, ratings and photos */
    PIAA_BUSY,        /* another process is writing there */
    PIAA_MEMORY,      /* out of memory */
    PIAA_STOPPED,     /* the caller's stop hook asked to end early; everything finished so far is kept */
} piaa_code;

typedef struct piaa_error {
    piaa_code code;
    char message[1024]; /* one line, no newline, UTF-8 */
} piaa_error;

/* What a long job tells its caller, and asks it.  Any member may be NULL. */
typedef struct piaa_hooks {
    void *user;
    void (*warn)(void *user, const char *line);                               /* one bad photo, a duplicate rating, … */
    void (*progress)(void *user, const char *what, int64_t done, int64_t total); /* total 0: unknown */
    bool (*stop)(void *user);                                                 /* true: end after the photo in hand */
} piaa_hooks;

PIAA_API const char *piaa_version(void); /* "0.1.0" */

#ifdef __cplusplus
}
#endif
#endif

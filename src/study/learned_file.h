/*
 * What the files of learned things (a taste, a projection) share: JSON with a format name and a
 * version, the features that they were learned from, and numbers that read back to the last bit (17
 * significant digits by printf in the "C" locale; cJSON may drop the last two).
 */
#ifndef PIAA_STUDY_LEARNED_FILE_H
#define PIAA_STUDY_LEARNED_FILE_H

#include "base/json.h"
#include "study/taste_parts.h"

/* Writing: false where memory ran out. */
/* Null where it is not finite. */
bool piaa_learned_add_number(cJSON *object, const char *key, double value);
bool piaa_learned_add_numbers(cJSON *object, const char *key, const double *values, int count);
/* The features are {pool, layer, dim}, and of several side by side a list of these, "slots". */
bool piaa_learned_add_head(cJSON *root, const char *format, int version, const char *made,
                           const piaa_identity *identity, const piaa_slot *slots, size_t count);
/* Calls add(root, thing) on a new object and prints it; the text is the caller's.  noun:
   "taste". */
char *piaa_learned_print(bool (*add)(cJSON *root, const void *thing), const void *thing,
                         bool indented, const char *noun, piaa_error *error);

/* Reading: what is read, and how messages call it. */
typedef struct piaa_learned_source {
    const cJSON *root;
    const char *where;   /* the file */
    const char *format;  /* "piaa-taste" */
    int version;         /* the newest one known */
    const char *noun;    /* "taste" */
    const char *command; /* that writes it, "piaa fit" */
} piaa_learned_source;

bool piaa_learned_broken(const piaa_learned_source *from, const char *key, const char *wanted,
                         piaa_error *error);
bool piaa_learned_int(const piaa_learned_source *from, const char *key, int64_t least, int64_t most,
                      int64_t *out, piaa_error *error);
bool piaa_learned_number(const piaa_learned_source *from, const char *key, double *out,
                         piaa_error *error);
bool piaa_learned_positive(const piaa_learned_source *from, const char *key, double *out,
                           piaa_error *error);
/* NaN for null. */
bool piaa_learned_correlation(const piaa_learned_source *from, const char *key, double *out,
                              piaa_error *error);
bool piaa_learned_string(const piaa_learned_source *from, const char *key, const char **out,
                         piaa_error *error);
bool piaa_learned_numbers(const piaa_learned_source *from, const char *key, double *out, int count,
                          piaa_error *error);
/* All positive. */
bool piaa_learned_scales(const piaa_learned_source *from, const char *key, double *out, int count,
                         piaa_error *error);
/* Format, version, features and the date; the identity's strings stay the JSON's.  Of features side
   by side, at most PIAA_SOURCE_PARTS; *count may be NULL where there has to be one. */
bool piaa_learned_head(const piaa_learned_source *from, piaa_identity *identity, piaa_slot *slots,
                       size_t *count, char made[32], piaa_error *error);

#endif

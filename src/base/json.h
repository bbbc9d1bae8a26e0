/* JSON (cJSON) with errors that say file and line, and getters that check types.  Dotted keys walk
   objects: "text_config.hidden_size". */
#ifndef PIAA_BASE_JSON_H
#define PIAA_BASE_JSON_H

#include "base/memory.h"

#include <cjson/cJSON.h>

/* Parses exactly `size` bytes (trailing white space allowed, anything else is an error); `where`
 * names the source in messages ("DIR/config.json" -> "DIR/config.json, line 12: …").  Freed with
 * cJSON_Delete. */
cJSON *piaa_json_parse(const char *text, size_t size, const char *where,
                       piaa_error *error) PIAA_MUST_USE;
cJSON *piaa_json_read(const char *path, size_t limit, piaa_error *error) PIAA_MUST_USE;

/* The value as text that ends with a line break, and is UTF-8 whatever bytes its strings and keys
 * had: ill-formed parts are replaced by U+FFFD, in the value itself (RFC 8259, 8.1).  Every JSON
 * text that is written comes from here.  A NULL value is one for which memory ran out.  The text is
 * freed by the caller. */
char *piaa_json_print(cJSON *value, bool indented, piaa_error *error) PIAA_MUST_USE;

/* A value that is being built.  It keeps its first failure, which can only be that memory ran out:
 * adding to what could not be made makes nothing, and whoever builds much asks once, at the end. */
typedef struct piaa_json_build {
    cJSON *root;
    bool failed;
} piaa_json_build;

/* Hangs `value`, which may be NULL, on an object under `key`, or on the end of a list where `key`
   is NULL.  Returns it, or NULL with `failed` set and the value freed. */
cJSON *piaa_json_put(piaa_json_build *build, cJSON *parent, const char *key, cJSON *value);
void piaa_json_put_text(piaa_json_build *build, cJSON *parent, const char *key, const char *text);
/* Adds `text` to a long list that is put together as JSON text, for cJSON_CreateRaw: a tree of
   40,000 takes ten times as long. */
void piaa_json_quote(piaa_text *out, const char *text);
/* The root, if nothing failed, else NULL, as piaa_json_print takes it; it stays the builder's. */
cJSON *piaa_json_built(const piaa_json_build *build);

/* NULL where the key is absent (or JSON null). */
const cJSON *piaa_json_find(const cJSON *object, const char *dotted);

/* true and *out set where the value is there and of the type; false with *out untouched otherwise
 * (integers: exact, within int64 and 2^53). */
bool piaa_json_int(const cJSON *object, const char *dotted, int64_t *out);
bool piaa_json_number(const cJSON *object, const char *dotted, double *out);
bool piaa_json_bool(const cJSON *object, const char *dotted, bool *out);
/* NULL if absent; belongs to the object. */
const char *piaa_json_string(const cJSON *object, const char *dotted);
/* At most `capacity` integers; returns how many, -1 if absent, not an array of integers, or too
   long. */
int piaa_json_ints(const cJSON *object, const char *dotted, int64_t *out, int capacity);

#endif

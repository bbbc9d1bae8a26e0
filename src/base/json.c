/* JSON (cJSON) with errors that say file and line, and getters that check types.
 *
 * What cJSON leaves open is decided here: nothing may follow the value, a raw NUL byte is an error,
 * a key that occurs twice counts with its last value (as in Python), keys are case-sensitive, and
 * numbers must be finite. Nesting is limited to CJSON_NESTING_LIMIT (1,000) levels by cJSON itself.
 * An escaped NUL in a string ends that string. */
#include "base/json.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/utf8.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static cJSON *broken(const char *text, size_t size, const char *at, const char *where,
                     const char *what, piaa_error *error) {
    if (at < text || at > text + size) at = text + size;
    size_t line = 1;
    for (const char *c = text; c < at; c++) line += *c == '\n';
    piaa_error_set(error, PIAA_FORMAT, "%s, line %zu: %s: mend the file or fetch it again", where,
                   line, what);
    return NULL;
}

cJSON *piaa_json_parse(const char *text, size_t size, const char *where, piaa_error *error) {
    if (!piaa_file_is_whole(text, size, where, error)) return NULL;
    const char *nul = size ? memchr(text, '\0', size) : NULL;
    if (nul)
        return broken(text, size, nul, where, "a zero byte where JSON text is expected", error);
    if (!size) return broken(text, size, text, where, "the JSON text is empty", error);
    const char *end = text;
    cJSON *root = cJSON_ParseWithLengthOpts(text, size, &end, false);
    if (!root)
        return broken(text, size, end, where,
                      "the JSON text is broken here, nested too deeply, or ends too early", error);
    while (end < text + size && is_space(*end)) end++;
    if (end < text + size) {
        cJSON_Delete(root);
        return broken(text, size, end, where, "more text after the end of the JSON value", error);
    }
    return root;
}

cJSON *piaa_json_read(const char *path, size_t limit, piaa_error *error) {
    size_t size;
    char *text = piaa_file_read(path, limit, &size, error);
    if (!text) return NULL;
    cJSON *root = piaa_json_parse(text, size, strcmp(path, "-") ? path : "standard input", error);
    free(text);
    return root;
}

static const cJSON *child(const cJSON *object, const char *key, size_t n) {
    const cJSON *found = NULL;
    if (!cJSON_IsObject(object)) return NULL;
    for (const cJSON *item = object->child; item; item = item->next)
        if (strncmp(item->string, key, n) == 0 && item->string[n] == '\0') found = item;
    return found;
}

const cJSON *piaa_json_find(const cJSON *object, const char *dotted) {
    for (;;) {
        size_t n = strcspn(dotted, ".");
        object = child(object, dotted, n);
        if (!object || cJSON_IsNull(object)) return NULL;
        if (!dotted[n]) return object;
        dotted += n + 1;
    }
}

/* Every integer of this size is a double of its own, and no other text rounds to one. */
static bool exact_integer(const cJSON *item, int64_t *out) {
    const double limit = 9007199254740991.0; /* 2^53 - 1 */
    if (!cJSON_IsNumber(item) || !(fabs(item->valuedouble) <= limit) ||
        floor(item->valuedouble) != item->valuedouble)
        return false;
    *out = (int64_t)item->valuedouble;
    return true;
}

bool piaa_json_int(const cJSON *object, const char *dotted, int64_t *out) {
    return exact_integer(piaa_json_find(object, dotted), out);
}

bool piaa_json_number(const cJSON *object, const char *dotted, double *out) {
    const cJSON *item = piaa_json_find(object, dotted);
    if (!cJSON_IsNumber(item) || !isfinite(item->valuedouble)) return false;
    *out = item->valuedouble;
    return true;
}

bool piaa_json_bool(const cJSON *object, const char *dotted, bool *out) {
    const cJSON *item = piaa_json_find(object, dotted);
    if (!cJSON_IsBool(item)) return false;
    *out = cJSON_IsTrue(item);
    return true;
}

const char *piaa_json_string(const cJSON *object, const char *dotted) {
    const cJSON *item = piaa_json_find(object, dotted);
    return cJSON_IsString(item) ? item->valuestring : NULL;
}

int piaa_json_ints(const cJSON *object, const char *dotted, int64_t *out, int capacity) {
    const cJSON *array = piaa_json_find(object, dotted);
    if (!cJSON_IsArray(array)) return -1;
    int count = 0;
    for (const cJSON *item = array->child; item; item = item->next)
        if (count >= capacity || !exact_integer(item, &out[count++])) return -1;
    return count;
}

/* -------------------------------------------------------------------------------------- writing */

/* cJSON's own memory, so that it can free it. */
static bool repair_text(char **text, piaa_error *error) {
    size_t size = *text ? strlen(*text) : 0;
    if (piaa_utf8_check(*text ? *text : "", size) == size) return true;
    piaa_text repaired = {0};
    char *copy = NULL;
    if (piaa_utf8_repair(*text, size, &repaired, error) &&
        !(copy = cJSON_malloc(repaired.length + 1)))
        piaa_error_set(error, PIAA_MEMORY, "out of memory writing JSON: close other programs");
    if (copy) {
        memcpy(copy, repaired.data, repaired.length + 1);
        cJSON_free(*text);
        *text = copy;
    }
    free(repaired.data);
    return copy != NULL;
}

/* As deep as what was built or parsed, which cJSON's own printing goes down as well. */
static bool repair_all(cJSON *item, piaa_error *error) {
    for (; item; item = item->next) {
        if (!(item->type & cJSON_StringIsConst) && !repair_text(&item->string, error)) return false;
        if ((cJSON_IsString(item) || cJSON_IsRaw(item)) && !(item->type & cJSON_IsReference) &&
            !repair_text(&item->valuestring, error))
            return false;
        if (item->child && !repair_all(item->child, error)) return false;
    }
    return true;
}

char *piaa_json_print(cJSON *value, bool indented, piaa_error *error) {
    if (!value || !repair_all(value, error)) {
        if (!piaa_error_pending(error))
            piaa_error_set(error, PIAA_MEMORY, "out of memory writing JSON: close other programs");
        return NULL;
    }
    char *printed = indented ? cJSON_Print(value) : cJSON_PrintUnformatted(value), *text = NULL;
    if (printed)
        text = piaa_format(error, "%s\n", printed);
    else
        piaa_error_set(error, PIAA_MEMORY, "out of memory writing JSON: close other programs");
    cJSON_free(printed);
    return text;
}

cJSON *piaa_json_put(piaa_json_build *build, cJSON *parent, const char *key, cJSON *value) {
    if (parent && value &&
        (key ? cJSON_AddItemToObject(parent, key, value) : cJSON_AddItemToArray(parent, value)))
        return value;
    cJSON_Delete(value);
    build->failed = true;
    return NULL;
}

void piaa_json_put_text(piaa_json_build *build, cJSON *parent, const char *key, const char *text) {
    piaa_json_put(build, parent, key, cJSON_CreateString(text ? text : ""));
}

void piaa_json_quote(piaa_text *out, const char *text) {
    piaa_text_add(out, "\"", 1, NULL);
    while (*text) {
        size_t plain = 0;
        while ((unsigned char)text[plain] >= ' ' && text[plain] != '"' && text[plain] != '\\')
            plain++;
        piaa_text_add(out, text, plain, NULL);
        text += plain;
        if (*text) piaa_text_format(out, NULL, "\\u%04x", (unsigned)*text++);
    }
    piaa_text_add(out, "\"", 1, NULL);
}

cJSON *piaa_json_built(const piaa_json_build *build) {
    return build->failed ? NULL : build->root;
}

/* A taste as JSON; study/taste.h lists the keys.  Numbers are written with 17 significant digits by printf, not by cJSON, which may drop
 * the last two, and in the "C" locale, where the decimal point is a point. */
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "study/taste.h"
#include "study/taste_parts.h"

#include <limits.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VERSION = 1, LARGEST_DIM = 1 << 20, LARGEST_LAYER = 1 << 20, LARGEST_FILE = 1 << 27 };
static const char format_name[] = "piaa-taste";

/* ----------------------------------------------------------------------------------------------------------- writing */

static bool add_number(cJSON *object, const char *key, double value) {
    char text[40];
    snprintf(text, sizeof text, "%.17g", value);
    return isfinite(value) ? cJSON_AddRawToObject(object, key, text) : cJSON_AddNullToObject(object, key);
}

static bool add_numbers(cJSON *object, const char *key, const double *values, int count) {
    cJSON *array = cJSON_AddArrayToObject(object, key);
    for (int j = 0; array && j < count; j++) {
        char text[40];
        snprintf(text, sizeof text, "%.17g", values[j]);
        cJSON *item = cJSON_CreateRaw(text);
        if (!item || !cJSON_AddItemToArray(array, item)) {
            cJSON_Delete(item);
            return false;
        }
    }
    return array;
}

static bool add_features(cJSON *part, const piaa_taste *taste) {
    if (!part || !cJSON_AddStringToObject(part, "pool", piaa_pool_name(taste->slot.pool)) ||
        !add_number(part, "layer", taste->slot.layer) || !add_number(part, "dim", taste->slot.dim))
        return false;
    for (size_t i = 0; i < PIAA_TASTE_TEXTS; i++)
        if (!cJSON_AddStringToObject(part, piaa_taste_texts[i].key, piaa_taste_text_get(&taste->identity, i))) return false;
    return true;
}

static bool add_all(cJSON *root, const piaa_taste *taste) {
    cJSON *part;
    return cJSON_AddStringToObject(root, "format", format_name) && add_number(root, "version", VERSION) &&
           cJSON_AddStringToObject(root, "made", taste->made) && add_features(cJSON_AddObjectToObject(root, "features"), taste) &&
           (part = cJSON_AddObjectToObject(root, "ratings")) && add_number(part, "count", (double)taste->ratings) &&
           add_number(part, "lowest", taste->lowest) && add_number(part, "highest", taste->highest) &&
           (part = cJSON_AddObjectToObject(root, "leave_one_out")) && add_number(part, "rmse", taste->loo_rmse) &&
           add_number(part, "spearman", taste->loo_spearman) && add_number(root, "alpha", taste->alpha) &&
           add_number(root, "intercept", taste->intercept) && add_numbers(root, "mean", taste->mean, taste->slot.dim) &&
           add_numbers(root, "scale", taste->scale, taste->slot.dim) && add_numbers(root, "weights", taste->weights, taste->slot.dim);
}

char *piaa_taste_to_json(const piaa_taste *taste, piaa_error *error) {
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    locale_t before = plain != (locale_t)0 ? uselocale(plain) : (locale_t)0;
    cJSON *root = cJSON_CreateObject();
    char *printed = plain != (locale_t)0 && root && add_all(root, taste) ? cJSON_Print(root) : NULL;
    char *text = NULL;
    if (printed)
        text = piaa_format(error, "%s\n", printed);
    else
        piaa_error_set(error, PIAA_MEMORY, "out of memory writing the taste: close other programs");
    cJSON_free(printed);
    cJSON_Delete(root);
    if (plain != (locale_t)0) {
        uselocale(before);
        freelocale(plain);
    }
    return text;
}

bool piaa_taste_save(const piaa_taste *taste, const char *path, piaa_error *error) {
    if (!taste) return piaa_error_missing(error, "taste");
    char *text = piaa_taste_to_json(taste, error);
    bool ok = text && piaa_file_write(path, text, strlen(text), error);
    free(text);
    return ok;
}

/* ----------------------------------------------------------------------------------------------------------- reading */

static bool broken(const char *where, const char *key, const char *wanted, piaa_error *error) {
    return piaa_error_set(error, PIAA_FORMAT, "%s: \"%s\" has to be %s: the file was damaged or changed by hand; fit the taste again",
                          where, key, wanted);
}

static bool get_int(const cJSON *root, const char *where, const char *key, int64_t least, int64_t most, int64_t *out, piaa_error *error) {
    if (piaa_json_int(root, key, out) && *out >= least && *out <= most) return true;
    char wanted[80];
    snprintf(wanted, sizeof wanted, "a whole number from %lld to %lld", (long long)least, (long long)most);
    return broken(where, key, wanted, error);
}

static bool get_number(const cJSON *root, const char *where, const char *key, double *out, piaa_error *error) {
    return piaa_json_number(root, key, out) || broken(where, key, "a number", error);
}

static bool get_string(const cJSON *root, const char *where, const char *key, const char **out, piaa_error *error) {
    return (*out = piaa_json_string(root, key)) || broken(where, key, "a text", error);
}

static bool get_numbers(const cJSON *root, const char *where, const char *key, double *out, int count, piaa_error *error) {
    char wanted[80];
    const cJSON *array = piaa_json_find(root, key), *item = cJSON_IsArray(array) ? array->child : NULL;
    int j = 0;
    for (; item && j < count && cJSON_IsNumber(item) && isfinite(item->valuedouble); item = item->next) out[j++] = item->valuedouble;
    if (j == count && !item) return true;
    snprintf(wanted, sizeof wanted, "a list of %d numbers", count);
    return broken(where, key, wanted, error);
}

static bool check_format(const cJSON *root, const char *where, piaa_error *error) {
    const char *format = piaa_json_string(root, "format");
    int64_t version;
    if (!format || strcmp(format, format_name) != 0)
        return piaa_error_set(error, PIAA_FORMAT, "%s is not a taste: give a file that `piaa fit` wrote", where);
    if (!get_int(root, where, "version", 1, INT_MAX, &version, error)) return false;
    if (version > VERSION)
        return piaa_error_set(error, PIAA_UNSUPPORTED, "%s is a taste of version %lld, and this piaa reads version %d: use a newer piaa",
                              where, (long long)version, VERSION);
    return true;
}

/* The identity's strings stay the JSON's. */
static bool get_features(const cJSON *root, const char *where, piaa_identity *identity, piaa_slot *slot, piaa_error *error) {
    const char *text;
    int64_t layer, dim;
    for (size_t i = 0; i < PIAA_TASTE_TEXTS; i++) {
        char key[40];
        snprintf(key, sizeof key, "features.%s", piaa_taste_texts[i].key);
        if (!get_string(root, where, key, &text, error)) return false;
        piaa_taste_text_set(identity, i, text);
    }
    if (!get_string(root, where, "features.pool", &text, error) ||
        !get_int(root, where, "features.layer", 0, LARGEST_LAYER, &layer, error) ||
        !get_int(root, where, "features.dim", 1, LARGEST_DIM, &dim, error))
        return false;
    if (!piaa_pool_parse(text, &slot->pool)) return broken(where, "features.pool", "lt, lt_tail, lv or v", error);
    slot->layer = (int)layer;
    slot->dim = (int)dim;
    return true;
}

static bool get_rest(const cJSON *root, const char *where, piaa_taste *taste, piaa_error *error) {
    const char *made;
    int dim = taste->slot.dim;
    if (!get_string(root, where, "made", &made, error) || !get_int(root, where, "ratings.count", 2, INT64_MAX, &taste->ratings, error) ||
        !get_number(root, where, "ratings.lowest", &taste->lowest, error) ||
        !get_number(root, where, "ratings.highest", &taste->highest, error) ||
        !get_number(root, where, "leave_one_out.rmse", &taste->loo_rmse, error) ||
        !get_number(root, where, "alpha", &taste->alpha, error) || !get_number(root, where, "intercept", &taste->intercept, error) ||
        !get_numbers(root, where, "mean", taste->mean, dim, error) || !get_numbers(root, where, "scale", taste->scale, dim, error) ||
        !get_numbers(root, where, "weights", taste->weights, dim, error))
        return false;
    if (strlen(made) >= sizeof taste->made) return broken(where, "made", "a date and time", error);
    strcpy(taste->made, made);
    taste->loo_spearman = NAN;
    if (piaa_json_find(root, "leave_one_out.spearman") &&
        (!piaa_json_number(root, "leave_one_out.spearman", &taste->loo_spearman) || fabs(taste->loo_spearman) > 1))
        return broken(where, "leave_one_out.spearman", "a number from -1 to 1, or null", error);
    if (!(taste->loo_rmse >= 0)) return broken(where, "leave_one_out.rmse", "0 or more", error);
    if (!(taste->alpha > 0)) return broken(where, "alpha", "more than 0", error);
    if (!(taste->lowest <= taste->highest)) return broken(where, "ratings.highest", "at least \"ratings.lowest\"", error);
    for (int j = 0; j < dim; j++)
        if (!(taste->scale[j] > 0)) return broken(where, "scale", "a list of positive numbers", error);
    return true;
}

static piaa_taste *from_json(const cJSON *root, const char *where, piaa_error *error) {
    piaa_identity identity = {0};
    piaa_slot slot = {0};
    if (!check_format(root, where, error) || !get_features(root, where, &identity, &slot, error)) return NULL;
    piaa_taste *taste = piaa_taste_new(&identity, &slot, error);
    if (taste && get_rest(root, where, taste, error)) return taste;
    piaa_taste_free(taste);
    return NULL;
}

piaa_taste *piaa_taste_parse(const char *text, size_t size, const char *where, piaa_error *error) {
    cJSON *root = piaa_json_parse(text, size, where, error);
    piaa_taste *taste = root ? from_json(root, where, error) : NULL;
    cJSON_Delete(root);
    return taste;
}

piaa_taste *piaa_taste_load(const char *path, piaa_error *error) {
    if (piaa_error_pending(error)) return NULL;
    cJSON *root = piaa_json_read(path, LARGEST_FILE, error);
    piaa_taste *taste = root ? from_json(root, path, error) : NULL;
    cJSON_Delete(root);
    return taste;
}

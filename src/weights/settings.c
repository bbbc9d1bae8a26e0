/* Settings by their table, from config.json or from GGUF metadata. */
#include "weights/settings_parts.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const piaa_settings_family *piaa_settings_family_find(const char *model_type) {
    for (size_t i = 0; model_type && i < piaa_settings_family_count; i++) {
        const piaa_settings_family *family = &piaa_settings_families[i];
        if (strcmp(model_type, family->model_type) == 0 ||
            (family->container && strcmp(model_type, family->container) == 0))
            return family;
    }
    return NULL;
}

const char *piaa_setting_name(const char *keys) {
    const char *last = keys ? strrchr(keys, '|') : NULL;
    return last ? last + 1 : keys;
}

const void *piaa_setting_member(const piaa_setting *row, const piaa_settings *settings) {
    return (const char *)settings + row->member;
}

static void *member(const piaa_setting *row, piaa_settings *settings) {
    return (char *)settings + row->member;
}

/* ---------------------------------------------------------------------------------- where it is */

static bool is_object(const cJSON *json, const char *key) {
    return cJSON_IsObject(piaa_json_find(json, key));
}

static void open_json(const piaa_checkpoint *c, piaa_config *config) {
    for (int i = 0; i < PIAA_SECTIONS; i++)
        config->section[i].json = i == PIAA_OF_IMAGE ? c->image_config : c->config;
    if (is_object(c->config, "text_config"))
        snprintf(config->section[PIAA_OF_TEXT].prefix, 64, "text_config.");
    if (is_object(c->config, "vision_config"))
        snprintf(config->section[PIAA_OF_VISION].prefix, 64, "vision_config.");
}

static void open_pair(const piaa_checkpoint *c, piaa_config *config) {
    const char *architecture = piaa_gguf_string(c->text, "general.architecture");
    const bool apart = c->vision != c->text;
    config->section[PIAA_OF_TEXT].file = c->text;
    snprintf(config->section[PIAA_OF_TEXT].prefix, 64, "%.60s.", architecture ? architecture : "");
    config->section[PIAA_OF_VISION].file = config->section[PIAA_OF_IMAGE].file = c->vision;
    for (int i = PIAA_OF_VISION; i <= PIAA_OF_IMAGE; i++)
        snprintf(config->section[i].prefix, 64, "%.40svision.",
                 apart ? "clip." : config->section[PIAA_OF_TEXT].prefix);
}

piaa_config piaa_config_open(const piaa_checkpoint *c) {
    piaa_config config = {.pair = c->text != NULL, .where = piaa_checkpoint_where(c)};
    (config.pair ? open_pair : open_json)(c, &config);
    return config;
}

/* One value: the object or file that holds it, and its whole key there. */
typedef struct value {
    const piaa_config *config;
    const cJSON *json;
    const piaa_gguf *file;
    char key[PIAA_SETTINGS_KEY];
} value;

static bool take(const piaa_config *config, const piaa_setting *row, const char *key, size_t size,
                 value *v) {
    *v = (value){.config = config,
                 .json = config->section[row->section].json,
                 .file = config->section[row->section].file};
    snprintf(v->key, sizeof v->key, "%s%.*s", config->section[row->section].prefix, (int)size, key);
    return v->file ? piaa_gguf_has(v->file, v->key) : piaa_json_find(v->json, v->key) != NULL;
}

/* The value of the row; without one *v is where its name would be. */
static bool find(const piaa_config *config, const piaa_setting *row, value *v) {
    const char *keys = config->pair ? row->gguf : row->keys;
    *v = (value){.config = config};
    for (; keys; keys = keys[0] ? keys + 1 : NULL) {
        const size_t size = strcspn(keys, "|");
        if (take(config, row, keys, size, v)) return true;
        keys += size;
    }
    return false;
}

/* Sides of a square may be written as two. */
static bool get_int(const value *v, int64_t *out) {
    int64_t two[2];
    if (v->file) return piaa_gguf_int(v->file, v->key, out);
    if (piaa_json_ints(v->json, v->key, two, 2) != 2 || two[0] != two[1])
        return piaa_json_int(v->json, v->key, out);
    *out = two[0];
    return true;
}

static bool get_number(const value *v, double *out) {
    return v->file ? piaa_gguf_number(v->file, v->key, out)
                   : piaa_json_number(v->json, v->key, out);
}

static bool get_flag(const value *v, bool *out) {
    return v->file ? piaa_gguf_bool(v->file, v->key, out) : piaa_json_bool(v->json, v->key, out);
}

static const char *get_text(const value *v) {
    return v->file ? piaa_gguf_string(v->file, v->key) : piaa_json_string(v->json, v->key);
}

/* At most `capacity` numbers of a list; how many, -1 where there is no such list.  flags: they are
   truth values. */
static int get_list(const value *v, double *out, int capacity, bool *flags) {
    int count = 0;
    piaa_gguf_array array;
    *flags = false;
    if (v->file) {
        if (!piaa_gguf_get_array(v->file, v->key, &array) || piaa_gguf_array_is_text(&array) ||
            array.count > (uint64_t)capacity)
            return -1;
        *flags = array.type == PIAA_GGUF_BOOL;
        while (count < (int)array.count) out[count++] = piaa_gguf_next_number(&array);
        return count;
    }
    const cJSON *list = piaa_json_find(v->json, v->key), *item;
    if (!cJSON_IsArray(list)) return -1;
    cJSON_ArrayForEach(item, list) {
        if (count == capacity || !cJSON_IsNumber(item)) return -1;
        out[count++] = item->valuedouble;
    }
    return count;
}

/* The value for messages: file and key; of keys further down the object first. */
static bool wrong(const value *v, piaa_error *error, piaa_code code, const char *what) {
    if (v->file)
        return piaa_error_set(error, code, "%s: %s %s", piaa_gguf_where(v->file), v->key, what);
    const char *first = strchr(v->key, '.'), *last = strrchr(v->key, '.');
    if (first != last)
        return piaa_error_set(error, code, "%s, %.*s: \"%s\" %s", v->config->where,
                              (int)(last - v->key), v->key, last + 1, what);
    return piaa_error_set(error, code, "%s: \"%s\" %s", v->config->where, v->key, what);
}

/* -------------------------------------------------------------------------------------- reading */

static bool read_int(const value *v, const piaa_setting *row, int64_t *out, piaa_error *error) {
    char what[96];
    if (!get_int(v, out)) return wrong(v, error, PIAA_FORMAT, "is missing or not a whole number");
    if (*out >= (int64_t)row->low && *out <= (int64_t)row->high) return true;
    snprintf(what, sizeof what, "is %lld, expected %.0f to %.0f", (long long)*out, row->low,
             row->high);
    return wrong(v, error, PIAA_FORMAT, what);
}

static bool read_number(const value *v, double *out, piaa_error *error) {
    return (get_number(v, out) && *out > 0 && *out <= FLT_MAX && (float)*out > 0) ||
           wrong(v, error, PIAA_FORMAT, "should be a number above 0");
}

static bool read_list(const value *v, const piaa_setting *row, piaa_ints *out, piaa_error *error) {
    double items[PIAA_SETTINGS_LIST + 1] = {0};
    const int most = (int)row->high;
    bool flags;
    int count = get_list(v, items, PIAA_SETTINGS_LIST + 1, &flags);
    bool good = count >= 0;
    if (good && row->kind == PIAA_SETTING_MARKS && flags) { /* they become numbers */
        int marked = 0;
        for (int i = 0; i < count; i++)
            if (items[i] != 0) items[marked++] = i;
        count = marked;
    }
    if (row->kind == PIAA_SETTING_AXES && v->file && count == most + 1 && items[most] == 0) count--;
    good = good && count <= most;
    for (int i = 0; good && i < count; i++) {
        good = items[i] >= INT16_MIN && items[i] <= INT16_MAX && floor(items[i]) == items[i];
        out->items[i] = good ? (int16_t)items[i] : 0;
    }
    out->count = good ? count : 0;
    if (good) return true;
    char what[96];
    snprintf(what, sizeof what, "should be a list of at most %d %s", most,
             row->section == PIAA_OF_VISION ? "block numbers" : "whole numbers");
    return wrong(v, error, PIAA_FORMAT, what);
}

static bool read_kinds(const value *v, int blocks, piaa_ints *out, piaa_error *error) {
    const cJSON *list = v->file ? NULL : piaa_json_find(v->json, v->key), *item;
    double sliding[PIAA_SETTINGS_LIST];
    int64_t each = 0;
    bool good = true, flags;
    out->count = 0;
    if (get_int(v, &each)) {
        good = each > 0 && each <= 4096;
        for (; good && out->count < blocks; out->count++)
            out->items[out->count] = (out->count + 1) % each == 0;
    } else if (v->file) {
        good = get_list(v, sliding, PIAA_SETTINGS_LIST, &flags) == blocks;
        for (; good && out->count < blocks; out->count++)
            out->items[out->count] = sliding[out->count] == 0;
    } else {
        good = cJSON_IsArray(list) && cJSON_GetArraySize(list) == blocks;
        cJSON_ArrayForEach(item, list) {
            const char *name = cJSON_IsString(item) ? item->valuestring : "";
            const bool full = strcmp(name, "full_attention") == 0;
            good = good && (full || strcmp(name, "sliding_attention") == 0);
            if (good) out->items[out->count++] = full;
        }
    }
    return good ||
           piaa_error_set(error, PIAA_FORMAT,
                          "%s: %s should list \"full_attention\" or \"sliding_attention\" for each "
                          "of %d blocks",
                          v->file ? piaa_gguf_where(v->file) : v->config->where, v->key, blocks);
}

/* What a key may say that is there and means nothing: no, none. */
static bool is_nothing(const value *v) {
    double number = 1, none;
    bool flag = true, flags;
    return (get_flag(v, &flag) && !flag) || (get_number(v, &number) && number == 0) ||
           get_list(v, &none, 1, &flags) == 0;
}

static bool unsupported(const value *v, const piaa_setting *row, const piaa_settings_family *family,
                        piaa_error *error) {
    const char *where = v->file ? piaa_gguf_where(v->file) : v->config->where;
    const void *only =
        piaa_setting_member(row, v->config->pair ? &family->gguf : &family->defaults);
    double number = 0;
    if (row->kind == PIAA_SETTING_NUMBER && *(const double *)only > 0 && get_number(v, &number))
        return piaa_error_set(error, PIAA_UNSUPPORTED, "%s: %s is %g, only %g is supported", where,
                              v->key, number, *(const double *)only);
    if (row->kind == PIAA_SETTING_TEXT && get_text(v))
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "%s: \"%s\" is \"%.40s\", only \"%s\" is supported", where, v->key,
                              get_text(v), *(const char *const *)only);
    return piaa_error_set(error, PIAA_UNSUPPORTED,
                          "%s: %s is not supported: only %s's own values are", where, v->key,
                          family->name);
}

static bool read_value(const value *v, const piaa_setting *row, piaa_settings *out,
                       piaa_error *error) {
    void *to = member(row, out);
    int64_t whole = 0;
    bool flags;
    switch (row->kind) {
    case PIAA_SETTING_INT:
        if (!read_int(v, row, &whole, error)) return false;
        *(int *)to = (int)whole;
        return true;
    case PIAA_SETTING_PIXELS:
        if (get_int(v, &whole)) *(int64_t *)to = whole; /* the image processor's reader checks */
        return true;
    case PIAA_SETTING_NUMBER:
        return read_number(v, to, error);
    case PIAA_SETTING_FLAG:
        return get_flag(v, to) || wrong(v, error, PIAA_FORMAT, "should be true or false");
    case PIAA_SETTING_TEXT:
        *(const char **)to = get_text(v);
        return *(const char **)to || wrong(v, error, PIAA_FORMAT, "should be a text");
    case PIAA_SETTING_BLOCKS:
        return read_kinds(v, out->text.layers, to, error);
    case PIAA_SETTING_THREE:
        get_list(v, to, 3, &flags);
        return true;
    default:
        return read_list(v, row, to, error);
    }
}

static bool read_row(const piaa_config *config, const piaa_setting *row, piaa_settings *out,
                     piaa_error *error) {
    const piaa_settings_family *family = out->family;
    const piaa_settings *defaults = config->pair ? &family->gguf : &family->defaults;
    value v;
    if (find(config, row, &v)) {
        if (row->kind == PIAA_SETTING_REFUSED)
            return is_nothing(&v) || unsupported(&v, row, family, error);
        if (!read_value(&v, row, out, error)) return false;
        return !(row->flags & PIAA_ONLY) || piaa_setting_same(row, out, defaults) ||
               unsupported(&v, row, family, error);
    }
    if (row->flags & PIAA_MAY_MISS || !v.key[0]) return true;
    if (row->kind == PIAA_SETTING_INT && *(int *)member(row, out) < row->low)
        return wrong(&v, error, PIAA_FORMAT, "is missing or not a whole number");
    return row->kind != PIAA_SETTING_NUMBER || *(double *)member(row, out) > 0 ||
           wrong(&v, error, PIAA_FORMAT, "should be a number above 0");
}

bool piaa_settings_read(const piaa_settings_family *family, const piaa_checkpoint *c,
                        piaa_settings *out, piaa_error *error) {
    const piaa_config config = piaa_config_open(c);
    *out = config.pair ? family->gguf : family->defaults;
    out->family = family;
    for (size_t i = 0; i < family->count; i++)
        if (!read_row(&config, &family->rows[i], out, error)) return false;
    return !family->complete || family->complete(out, c, error);
}

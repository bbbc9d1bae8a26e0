/* A taste as JSON; study/taste.h lists the keys. */
#include "base/file.h"
#include "base/memory.h"
#include "study/joined.h"
#include "study/learned_file.h"
#include "study/taste.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PLAIN = 1, VERSION = 2, LARGEST_FILE = 1 << 27 };
static const char format_name[] = "piaa-taste";

const piaa_output_kind piaa_taste_output = {"a taste", "\"piaa-taste\""};

/* Whether a program that knows version 1 alone can read it. */
static bool is_plain(const piaa_taste *taste) {
    return taste->slots.count == 1 && !taste->pairs && !(taste->learned && taste->learned->prior);
}

/* What version 2 has more. */
static bool add_learned(cJSON *root, const piaa_taste *taste) {
    const piaa_learned *how = taste->learned;
    return !how ||
           (cJSON_AddStringToObject(root, "learner", how->learner->name) &&
            piaa_learned_add_numbers(root, "blocks", how->weights, (int)taste->slots.count) &&
            piaa_learned_add_number(root, "spread", how->spread) &&
            piaa_learned_add_number(root, "lead", how->lead));
}

static bool add_pairs(cJSON *root, const piaa_taste *taste) {
    if (!taste->pairs) return true;
    cJSON *part = cJSON_AddObjectToObject(root, "pairs");
    return part && piaa_learned_add_number(part, "count", (double)taste->pairs) &&
           piaa_learned_add_number(part, "photos", (double)taste->photos) &&
           piaa_learned_add_number(part, "right", taste->pairs_right);
}

static bool add_all(cJSON *root, const void *thing) {
    const piaa_taste *taste = thing;
    const bool plain = is_plain(taste);
    cJSON *part;
    return piaa_learned_add_head(root, format_name, plain ? PLAIN : VERSION, taste->made,
                                 &taste->identity, taste->slots.items, taste->slots.count) &&
           (part = cJSON_AddObjectToObject(root, "ratings")) &&
           piaa_learned_add_number(part, "count", (double)taste->ratings) &&
           piaa_learned_add_number(part, "lowest", taste->lowest) &&
           piaa_learned_add_number(part, "highest", taste->highest) && add_pairs(root, taste) &&
           (part = cJSON_AddObjectToObject(root, "leave_one_out")) &&
           piaa_learned_add_number(part, "groups", (double)taste->groups) &&
           piaa_learned_add_number(part, "rmse", taste->loo_rmse) &&
           piaa_learned_add_number(part, "spearman", taste->loo_spearman) &&
           piaa_learned_add_number(part, "mean_rmse", taste->mean_rmse) &&
           piaa_learned_add_number(part, "chance", taste->chance) &&
           piaa_learned_add_number(part, "interval", taste->interval) &&
           (plain || add_learned(root, taste)) &&
           piaa_learned_add_number(root, "alpha", taste->alpha) &&
           piaa_learned_add_number(root, "intercept", taste->intercept) &&
           piaa_learned_add_numbers(root, "mean", taste->mean, taste->dim) &&
           piaa_learned_add_numbers(root, "scale", taste->scale, taste->dim) &&
           piaa_learned_add_numbers(root, "weights", taste->weights, taste->dim);
}

char *piaa_taste_to_json(const piaa_taste *taste, piaa_error *error) {
    return piaa_learned_print(add_all, taste, true, "taste", error);
}

bool piaa_taste_save(const piaa_taste *taste, const char *path, piaa_error *error) {
    if (!taste) return piaa_error_missing(error, "taste");
    char *text = piaa_taste_to_json(taste, error);
    bool ok = text && piaa_output_write(path, &piaa_taste_output, text, strlen(text), error);
    free(text);
    return ok;
}

/* A figure that files of before lack. */
static bool get_later(const piaa_learned_source *from, const char *key, double most, double *out,
                      piaa_error *error) {
    *out = NAN;
    if (!piaa_json_find(from->root, key)) return true;
    return (piaa_json_number(from->root, key, out) && *out >= 0 && *out <= most) ||
           piaa_learned_broken(from, key, "a number from 0, or null", error);
}

static bool get_errors(const piaa_learned_source *from, piaa_taste *taste, piaa_error *error) {
    const int64_t fewest = taste->pairs ? 0 : 2;
    taste->groups = taste->ratings;
    if (!(taste->pairs
              ? get_later(from, "leave_one_out.rmse", DBL_MAX, &taste->loo_rmse, error)
              : piaa_learned_number(from, "leave_one_out.rmse", &taste->loo_rmse, error)) ||
        !piaa_learned_correlation(from, "leave_one_out.spearman", &taste->loo_spearman, error) ||
        !get_later(from, "leave_one_out.mean_rmse", DBL_MAX, &taste->mean_rmse, error) ||
        !get_later(from, "leave_one_out.chance", 1, &taste->chance, error) ||
        !get_later(from, "leave_one_out.interval", DBL_MAX, &taste->interval, error) ||
        (piaa_json_find(from->root, "leave_one_out.groups") &&
         !piaa_learned_int(from, "leave_one_out.groups", fewest, taste->ratings, &taste->groups,
                           error)))
        return false;
    return taste->loo_rmse >= 0 || taste->pairs ||
           piaa_learned_broken(from, "leave_one_out.rmse", "0 or more", error);
}

/* Of stars, pairs or both. */
static bool get_said(const piaa_learned_source *from, piaa_taste *taste, piaa_error *error) {
    const bool paired = piaa_json_find(from->root, "pairs");
    if (!piaa_learned_int(from, "ratings.count", paired ? 0 : 2, INT64_MAX, &taste->ratings, error))
        return false;
    taste->photos = taste->ratings;
    if (paired && (!piaa_learned_int(from, "pairs.count", 1, INT64_MAX, &taste->pairs, error) ||
                   !piaa_learned_int(from, "pairs.photos", 2, INT64_MAX, &taste->photos, error) ||
                   !get_later(from, "pairs.right", 1, &taste->pairs_right, error)))
        return false;
    taste->lowest = taste->highest = NAN;
    if (!taste->ratings) return true;
    if (!piaa_learned_number(from, "ratings.lowest", &taste->lowest, error) ||
        !piaa_learned_number(from, "ratings.highest", &taste->highest, error))
        return false;
    return taste->lowest <= taste->highest ||
           piaa_learned_broken(from, "ratings.highest", "at least \"ratings.lowest\"", error);
}

static bool get_rest(const piaa_learned_source *from, piaa_taste *taste, piaa_error *error) {
    const int dim = taste->dim;
    return get_said(from, taste, error) && get_errors(from, taste, error) &&
           piaa_learned_positive(from, "alpha", &taste->alpha, error) &&
           piaa_learned_number(from, "intercept", &taste->intercept, error) &&
           piaa_learned_numbers(from, "mean", taste->mean, dim, error) &&
           piaa_learned_scales(from, "scale", taste->scale, dim, error) &&
           piaa_learned_numbers(from, "weights", taste->weights, dim, error);
}

static piaa_taste *from_json(const cJSON *root, const char *where, piaa_error *error) {
    const piaa_learned_source from = {.root = root,
                                      .where = where,
                                      .format = format_name,
                                      .version = VERSION,
                                      .noun = "taste",
                                      .command = "piaa fit"};
    piaa_identity identity = {0};
    piaa_slot slots[PIAA_SOURCE_PARTS] = {{0}};
    size_t count;
    char made[32];
    if (!piaa_learned_head(&from, &identity, slots, &count, made, error)) return NULL;
    piaa_taste *taste = piaa_taste_new(&identity, slots, count, error);
    if (taste) memcpy(taste->made, made, sizeof made);
    if (taste && get_rest(&from, taste, error)) return taste;
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

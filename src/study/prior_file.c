/* A prior as JSON; study/prior.h lists the keys. */
#include "base/file.h"
#include "base/memory.h"
#include "study/learned_file.h"
#include "study/prior.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VERSION = 1, LARGEST_FILE = 1 << 28, LARGEST_RANK = 1024, HASH = 16 };
static const char format_name[] = "piaa-prior";

const piaa_output_kind piaa_prior_output = {"a prior", "\"piaa-prior\""};

/* --------------------------------------------------------------------------------------- writing
 */

static bool add_text(cJSON *list, const char *text) {
    cJSON *item = cJSON_CreateString(text);
    if (item && cJSON_AddItemToArray(list, item)) return true;
    cJSON_Delete(item);
    return false;
}

static bool add_raters(cJSON *root, const piaa_prior *prior) {
    cJSON *list = cJSON_AddArrayToObject(root, "raters");
    for (size_t u = 0; list && u < prior->rater_count; u++)
        if (!add_text(list, prior->raters[u])) return false;
    return list;
}

static bool add_photos(cJSON *root, const piaa_prior *prior) {
    cJSON *list = cJSON_AddArrayToObject(root, "photos");
    for (size_t i = 0; list && i < prior->photo_count; i++) {
        char text[HASH + 1];
        snprintf(text, sizeof text, "%0*" PRIx64, HASH, prior->photos[i]);
        if (!add_text(list, text)) return false;
    }
    return list;
}

static bool add_directions(cJSON *root, const piaa_people_prior *people) {
    cJSON *list = cJSON_AddArrayToObject(root, "directions");
    for (int k = 0; list && k < people->rank; k++) {
        cJSON *holder = cJSON_CreateObject(), *one = NULL;
        const bool made =
            holder && piaa_learned_add_numbers(holder, "one",
                                               people->directions + (size_t)k * (size_t)people->dim,
                                               people->dim);
        if (made) one = cJSON_DetachItemFromObject(holder, "one");
        cJSON_Delete(holder);
        if (!one || !cJSON_AddItemToArray(list, one)) {
            cJSON_Delete(one);
            return false;
        }
    }
    return list;
}

static bool add_all(cJSON *root, const void *thing) {
    const piaa_prior *prior = thing;
    const piaa_people_prior *people = prior->people;
    cJSON *part;
    return piaa_learned_add_head(root, format_name, VERSION, prior->made, &prior->identity,
                                 prior->slots, prior->count) &&
           cJSON_AddStringToObject(root, "data", prior->data) &&
           (part = cJSON_AddObjectToObject(root, "scores")) &&
           piaa_learned_add_number(part, "low", prior->low) &&
           piaa_learned_add_number(part, "high", prior->high) &&
           piaa_learned_add_numbers(part, "quantiles", prior->quantiles, PIAA_PRIOR_QUANTILES) &&
           (part = cJSON_AddObjectToObject(root, "learned")) &&
           piaa_learned_add_number(part, "raters", (double)people->raters) &&
           piaa_learned_add_number(part, "ratings", (double)people->ratings) &&
           piaa_learned_add_number(part, "iterations", people->iterations) &&
           piaa_learned_add_number(part, "gain", people->gain) && add_raters(root, prior) &&
           add_photos(root, prior) &&
           piaa_learned_add_number(root, "isotropic", people->isotropic) &&
           piaa_learned_add_number(root, "noise", people->noise) &&
           piaa_learned_add_numbers(root, "mean", people->mean, people->dim) &&
           piaa_learned_add_numbers(root, "scale", people->scale, people->dim) &&
           piaa_learned_add_numbers(root, "weights", people->weights, people->dim) &&
           add_directions(root, people);
}

char *piaa_prior_to_json(const piaa_prior *prior, piaa_error *error) {
    return piaa_learned_print(add_all, prior, false, "prior", error);
}

bool piaa_prior_save(const piaa_prior *prior, const char *path, piaa_error *error) {
    if (!prior) return piaa_error_missing(error, "prior");
    char *text = piaa_prior_to_json(prior, error);
    const bool ok = text && piaa_output_write(path, &piaa_prior_output, text, strlen(text), error);
    free(text);
    return ok;
}

/* --------------------------------------------------------------------------------------- reading
 */

static const cJSON *list_of(const piaa_learned_source *from, const char *key, piaa_error *error) {
    const cJSON *list = piaa_json_find(from->root, key);
    if (cJSON_IsArray(list)) return list;
    piaa_learned_broken(from, key, "a list", error);
    return NULL;
}

static bool get_scores(const piaa_learned_source *from, piaa_prior *prior, piaa_error *error) {
    double *q = prior->quantiles;
    if (!piaa_learned_number(from, "scores.low", &prior->low, error) ||
        !piaa_learned_number(from, "scores.high", &prior->high, error) ||
        !piaa_learned_numbers(from, "scores.quantiles", q, PIAA_PRIOR_QUANTILES, error))
        return false;
    bool rising = prior->low <= q[0] && q[PIAA_PRIOR_QUANTILES - 1] <= prior->high;
    for (int k = 1; k < PIAA_PRIOR_QUANTILES; k++) rising = rising && q[k - 1] <= q[k];
    return rising ||
           piaa_learned_broken(from, "scores.quantiles",
                               "ascending, from \"scores.low\" to \"scores.high\"", error);
}

static bool get_raters(const piaa_learned_source *from, piaa_prior *prior, piaa_error *error) {
    const cJSON *list = list_of(from, "raters", error);
    const size_t count = list ? (size_t)cJSON_GetArraySize(list) : 0;
    if (!list || !(prior->raters = piaa_alloc(count, sizeof *prior->raters, error))) return false;
    for (const cJSON *item = list->child; item; item = item->next) {
        if (!cJSON_IsString(item))
            return piaa_learned_broken(from, "raters", "a list of texts", error);
        if (!(prior->raters[prior->rater_count++] = piaa_strdup(item->valuestring, error)))
            return false;
    }
    return true;
}

static bool get_photos(const piaa_learned_source *from, piaa_prior *prior, piaa_error *error) {
    const cJSON *list = list_of(from, "photos", error);
    const size_t count = list ? (size_t)cJSON_GetArraySize(list) : 0;
    if (!list || !(prior->photos = piaa_alloc(count, sizeof *prior->photos, error))) return false;
    uint64_t before = 0;
    for (const cJSON *item = list->child; item; item = item->next) {
        const char *text = cJSON_IsString(item) ? item->valuestring : "";
        if (strlen(text) != HASH || strspn(text, "0123456789abcdef") != HASH)
            return piaa_learned_broken(from, "photos", "a list of 16 hexadecimal digits each",
                                       error);
        const uint64_t content = strtoull(text, NULL, 16);
        if (prior->photo_count && content <= before)
            return piaa_learned_broken(from, "photos", "in ascending order", error);
        prior->photos[prior->photo_count++] = before = content;
    }
    return true;
}

static bool get_numbers(const piaa_learned_source *from, const cJSON *list,
                        piaa_people_prior *people, piaa_error *error) {
    const int dim = people->dim;
    int64_t iterations;
    if (!piaa_learned_int(from, "learned.raters", PIAA_PEOPLE_PRIOR_LEAST, INT64_MAX,
                          &people->raters, error) ||
        !piaa_learned_int(from, "learned.ratings", 2, INT64_MAX, &people->ratings, error) ||
        !piaa_learned_int(from, "learned.iterations", 0, INT32_MAX, &iterations, error) ||
        !piaa_learned_positive(from, "isotropic", &people->isotropic, error) ||
        !piaa_learned_positive(from, "noise", &people->noise, error) ||
        !piaa_learned_numbers(from, "mean", people->mean, dim, error) ||
        !piaa_learned_scales(from, "scale", people->scale, dim, error) ||
        !piaa_learned_numbers(from, "weights", people->weights, dim, error))
        return false;
    people->iterations = (int)iterations;
    if (!piaa_json_number(from->root, "learned.gain", &people->gain)) people->gain = NAN;
    double *out = people->directions;
    for (const cJSON *item = list->child; item; item = item->next, out += dim) {
        int j = 0;
        const cJSON *number = cJSON_IsArray(item) ? item->child : NULL;
        for (; number && j < dim && cJSON_IsNumber(number) && isfinite(number->valuedouble);
             number = number->next)
            out[j++] = number->valuedouble;
        if (j < dim || number)
            return piaa_learned_broken(from, "directions",
                                       "lists of as many numbers as \"weights\"", error);
    }
    return true;
}

static bool get_people(const piaa_learned_source *from, piaa_prior *prior, piaa_error *error) {
    const cJSON *list = list_of(from, "directions", error);
    int64_t dim = 0;
    for (size_t i = 0; i < prior->count; i++) dim += prior->slots[i].dim;
    const int rank = list ? cJSON_GetArraySize(list) : 0;
    if (!list) return false;
    if (dim > PIAA_TASTE_LARGEST_DIM || rank > LARGEST_RANK)
        return piaa_learned_broken(from, "directions", "of a size that can be", error);
    piaa_people_prior *people = piaa_people_prior_new((int)dim, rank, error);
    if (!people) return false;
    if (get_numbers(from, list, people, error)) return piaa_prior_take(prior, people, error);
    piaa_people_prior_free(people);
    return false;
}

static piaa_prior *from_json(const cJSON *root, const char *where, piaa_error *error) {
    const piaa_learned_source from = {.root = root,
                                      .where = where,
                                      .format = format_name,
                                      .version = VERSION,
                                      .noun = "prior",
                                      .command = "piaa prior"};
    piaa_identity identity = {0};
    piaa_slot slots[PIAA_SOURCE_PARTS];
    size_t count;
    char made[32];
    const char *data;
    if (!piaa_learned_head(&from, &identity, slots, &count, made, error) ||
        !piaa_learned_string(&from, "data", &data, error))
        return NULL;
    piaa_prior *prior = piaa_prior_new(&identity, slots, count, data, error);
    if (prior) memcpy(prior->made, made, sizeof made);
    if (prior && get_scores(&from, prior, error) && get_raters(&from, prior, error) &&
        get_photos(&from, prior, error) && get_people(&from, prior, error))
        return prior;
    piaa_prior_free(prior);
    return NULL;
}

piaa_prior *piaa_prior_parse(const char *text, size_t size, const char *where, piaa_error *error) {
    cJSON *root = piaa_json_parse(text, size, where, error);
    piaa_prior *prior = root ? from_json(root, where, error) : NULL;
    cJSON_Delete(root);
    return prior;
}

piaa_prior *piaa_prior_load(const char *path, piaa_error *error) {
    if (piaa_error_pending(error)) return NULL;
    cJSON *root = piaa_json_read(path, LARGEST_FILE, error);
    piaa_prior *prior = root ? from_json(root, path, error) : NULL;
    cJSON_Delete(root);
    return prior;
}

/* A ranking as a table for people, and as CSV and JSON for programs. */
#include "report/report.h"

#include "base/visible.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t shown(const piaa_ranking *ranking, const piaa_ranking_context *context) {
    size_t count = piaa_ranking_count(ranking);
    return context->top && context->top < count ? context->top : count;
}

static bool write_table(const piaa_ranking *ranking, const piaa_ranking_context *context,
                        piaa_text *out, piaa_error *error) {
    bool ok = true, rated = false;
    size_t count = shown(ranking, context);
    for (size_t i = 0; i < count; i++) rated = rated || piaa_ranking_at(ranking, i)->rated;
    char head[32] = "";
    if (isfinite(context->taste->loo_rmse))
        snprintf(head, sizeof head, " ± %.2f", context->taste->loo_rmse);
    int gap = *head ? (int)strlen(head) - 1 : 0; /* the two bytes of ± are one column */
    ok = piaa_text_format(out, error, "rank  score%s  %sphoto\n", head, rated ? "yours  " : "");
    for (size_t i = 0; ok && i < count; i++) {
        const piaa_ranked *photo = piaa_ranking_at(ranking, i);
        ok = piaa_text_format(out, error, "%4zu  %5.2f%*s  ", i + 1, photo->score, gap, "");
        if (ok && photo->rated)
            ok = piaa_text_format(out, error, "%5.4g  ", photo->rating);
        else if (ok && rated)
            ok = piaa_text_format(out, error, "       ");
        ok = ok && piaa_visible_add(out, piaa_path_shorten(photo->path, context->folder), error) &&
             piaa_text_format(out, error, "\n");
    }
    return ok;
}

/* Ends of the interval that a photo's rating lies in; NaN where it is undefined. */
static double low_of(const piaa_ranked *photo, const piaa_taste *taste) {
    return photo->score - taste->interval;
}

static double high_of(const piaa_ranked *photo, const piaa_taste *taste) {
    return photo->score + taste->interval;
}

/* Nothing for a number that is not there. */
static const char *digits(double value, char out[32]) {
    *out = '\0';
    if (isfinite(value)) piaa_report_digits(value, out);
    return out;
}

static bool write_csv(const piaa_ranking *ranking, const piaa_ranking_context *context,
                      piaa_text *out, piaa_error *error) {
    char score[32], rating[32], plus_minus[32], low[32], high[32];
    const piaa_taste *taste = context->taste;
    bool ok = piaa_text_format(out, error, "rank,score,plus_minus,rating,low,high,path\n");
    digits(taste->loo_rmse, plus_minus);
    for (size_t i = 0; ok && i < shown(ranking, context); i++) {
        const piaa_ranked *photo = piaa_ranking_at(ranking, i);
        ok = piaa_text_format(out, error, "%zu,%s,%s,%s,%s,%s,", i + 1, digits(photo->score, score),
                              plus_minus, digits(photo->rated ? photo->rating : NAN, rating),
                              digits(low_of(photo, taste), low),
                              digits(high_of(photo, taste), high)) &&
             piaa_report_add_field(out, photo->path, error) && piaa_text_format(out, error, "\n");
    }
    return ok;
}

/* Adds, and gives true, unless memory is out. */
static bool add(cJSON *object, const char *key, cJSON *value) {
    if (value && cJSON_AddItemToObject(object, key, value)) return true;
    cJSON_Delete(value);
    return false;
}

static bool add_photo(cJSON *list, size_t rank, const piaa_ranked *photo, const piaa_taste *taste) {
    cJSON *item = cJSON_CreateObject();
    if (!item || !cJSON_AddItemToArray(list, item)) return false;
    return add(item, "rank", piaa_report_number((double)rank)) &&
           add(item, "score", piaa_report_number(photo->score)) &&
           add(item, "low", piaa_report_number(low_of(photo, taste))) &&
           add(item, "high", piaa_report_number(high_of(photo, taste))) &&
           add(item, "rating", piaa_report_number(photo->rated ? photo->rating : NAN)) &&
           add(item, "path", cJSON_CreateString(photo->path));
}

/* How much the scores are worth. */
static bool add_evidence(cJSON *root, const piaa_taste *taste) {
    static const char *const verdicts[] = {[PIAA_LEARNED] = "learned",
                                           [PIAA_MAY_BE_CHANCE] = "may be chance",
                                           [PIAA_NOT_LEARNED] = "not learned"};
    return add(root, "interval_level", piaa_report_number(PIAA_TASTE_LEVEL)) &&
           add(root, "plus_minus_of_mean", piaa_report_number(taste->mean_rmse)) &&
           add(root, "rank_correlation", piaa_report_number(taste->loo_spearman)) &&
           add(root, "chance", piaa_report_number(taste->chance)) &&
           add(root, "verdict", cJSON_CreateString(verdicts[piaa_taste_verdict(taste)])) &&
           add(root, "ratings", piaa_report_number((double)taste->ratings));
}

static cJSON *make_json(const piaa_ranking *ranking, const piaa_ranking_context *context) {
    const piaa_taste *taste = context->taste;
    const piaa_identity *made = &taste->identity;
    cJSON *root = cJSON_CreateObject(), *photos = cJSON_AddArrayToObject(root, "photos");
    bool ok = photos != NULL;
    for (size_t i = 0; ok && i < shown(ranking, context); i++)
        ok = add_photo(photos, i + 1, piaa_ranking_at(ranking, i), taste);
    ok = ok && add(root, "plus_minus", piaa_report_number(taste->loo_rmse)) &&
         add_evidence(root, taste);
    cJSON *unreadable = ok ? cJSON_AddArrayToObject(root, "unreadable") : NULL;
    ok = unreadable != NULL;
    for (size_t i = 0; ok && i < context->unreadable_count; i++) {
        cJSON *item = cJSON_CreateObject();
        ok = item && cJSON_AddItemToArray(unreadable, item) &&
             add(item, "path", cJSON_CreateString(context->unreadable[i].path)) &&
             add(item, "error", cJSON_CreateString(context->unreadable[i].reason));
    }
    ok = ok && add(root, "model", cJSON_CreateString(made->model)) &&
         add(root, "family", cJSON_CreateString(made->family)) &&
         add(root, "fingerprint", cJSON_CreateString(made->fingerprint)) &&
         add(root, "demonstration", cJSON_CreateBool(context->demonstration)) &&
         add(root, "pool", cJSON_CreateString(piaa_pool_name(taste->slot.pool))) &&
         add(root, "layer", piaa_report_number(taste->slot.layer)) &&
         add(root, "prompt", cJSON_CreateString(made->prompt)) &&
         add(root, "preprocessing", cJSON_CreateString(made->preprocessing)) &&
         add(root, "dtype", cJSON_CreateString(made->dtype));
    if (ok) return root;
    cJSON_Delete(root);
    return NULL;
}

bool piaa_ranking_write(const piaa_ranking *ranking, const piaa_ranking_context *context,
                        piaa_format_kind format, FILE *out, piaa_error *error) {
    if (!ranking) return piaa_error_missing(error, "ranking");
    if (format == PIAA_JSON) {
        cJSON *root = make_json(ranking, context);
        bool ok = piaa_report_write_json(out, root, error);
        cJSON_Delete(root);
        return ok;
    }
    piaa_text text = {0};
    bool ok = (format == PIAA_CSV ? write_csv : write_table)(ranking, context, &text, error) &&
              piaa_report_write(out, text.data, text.length, error);
    free(text.data);
    return ok;
}

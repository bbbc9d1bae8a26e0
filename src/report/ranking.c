/* A ranking as a table for people, and as CSV and JSON for programs. */
#include "report/report.h"

#include "base/visible.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *piaa_taste_source(const piaa_taste *taste, char out[96]) {
    const long long stars = (long long)taste->ratings, pairs = (long long)taste->pairs;
    const char *s = pairs == 1 ? "" : "s";
    if (!pairs)
        snprintf(out, 96, "%lld ratings", stars);
    else if (stars)
        snprintf(out, 96, "%lld ratings and %lld comparison%s", stars, pairs, s);
    else
        snprintf(out, 96, "%lld comparison%s, without ratings", pairs, s);
    return out;
}

static size_t shown(const piaa_ranking *ranking, const piaa_ranking_context *context) {
    size_t count = piaa_ranking_count(ranking);
    return context->top && context->top < count ? context->top : count;
}

static void write_table(const piaa_ranking *ranking, const piaa_ranking_context *context,
                        piaa_text *out, piaa_error *error) {
    bool rated = false;
    size_t count = shown(ranking, context);
    for (size_t i = 0; i < count; i++) rated = rated || piaa_ranking_at(ranking, i)->rated;
    char head[32] = "";
    if (isfinite(context->taste->loo_rmse))
        snprintf(head, sizeof head, " ± %.2f", context->taste->loo_rmse);
    int gap = *head ? (int)strlen(head) - 1 : 0; /* the two bytes of ± are one column */
    piaa_text_format(out, error, "rank  score%s  %sphoto\n", head, rated ? "yours  " : "");
    for (size_t i = 0; i < count; i++) {
        const piaa_ranked *photo = piaa_ranking_at(ranking, i);
        piaa_text_format(out, error, "%4zu  %5.2f%*s  ", i + 1, photo->score, gap, "");
        if (photo->rated)
            piaa_text_format(out, error, "%5.4g  ", photo->rating);
        else if (rated)
            piaa_text_format(out, error, "       ");
        piaa_visible_add(out, piaa_path_shorten(photo->path, context->folder), error);
        piaa_text_format(out, error, "\n");
    }
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

static void write_csv(const piaa_ranking *ranking, const piaa_ranking_context *context,
                      piaa_text *out, piaa_error *error) {
    char score[32], rating[32], plus_minus[32], low[32], high[32];
    const piaa_taste *taste = context->taste;
    piaa_text_format(out, error, "rank,score,plus_minus,rating,low,high,path\n");
    digits(taste->loo_rmse, plus_minus);
    for (size_t i = 0; i < shown(ranking, context); i++) {
        const piaa_ranked *photo = piaa_ranking_at(ranking, i);
        piaa_text_format(out, error, "%zu,%s,%s,%s,%s,%s,", i + 1, digits(photo->score, score),
                         plus_minus, digits(photo->rated ? photo->rating : NAN, rating),
                         digits(low_of(photo, taste), low), digits(high_of(photo, taste), high));
        piaa_report_add_field(out, photo->path, error);
        piaa_text_format(out, error, "\n");
    }
}

/* ----------------------------------------------------------------------------------------- JSON */

typedef piaa_json_build json;

static void text(json *out, const char *key, const char *words) {
    piaa_json_put_text(out, out->root, key, words);
}

static void number(json *out, const char *key, double value) {
    piaa_report_put_number(out, out->root, key, value);
}

static void add_photo(json *out, cJSON *photos, size_t rank, const piaa_ranked *photo,
                      const piaa_taste *taste) {
    cJSON *item = piaa_json_put(out, photos, NULL, cJSON_CreateObject());
    piaa_report_put_number(out, item, "rank", (double)rank);
    piaa_report_put_number(out, item, "score", photo->score);
    piaa_report_put_number(out, item, "low", low_of(photo, taste));
    piaa_report_put_number(out, item, "high", high_of(photo, taste));
    piaa_report_put_number(out, item, "rating", photo->rated ? photo->rating : NAN);
    piaa_json_put_text(out, item, "path", photo->path);
}

/* How much the scores are worth. */
static void add_evidence(json *out, const piaa_taste *taste) {
    number(out, "plus_minus", taste->loo_rmse);
    number(out, "interval_level", PIAA_TASTE_LEVEL);
    number(out, "plus_minus_of_mean", taste->mean_rmse);
    number(out, "rank_correlation", taste->loo_spearman);
    number(out, "chance", taste->chance);
    text(out, "verdict", piaa_verdict_name(piaa_taste_verdict(taste)));
    number(out, "ratings", (double)taste->ratings);
    number(out, "pairs", (double)taste->pairs);
    number(out, "pairs_told_right", taste->pairs_right);
    text(out, "scale", taste->ratings ? "of the ratings" : "none");
    number(out, "plus_minus_with_ten_more", taste->ten_more);
    number(out, "plus_minus_of_own_ratings", taste->retest.noise);
    number(out, "correlation_at_most", taste->retest.ceiling);
}

static json make_json(const piaa_ranking *ranking, const piaa_ranking_context *context) {
    const piaa_taste *taste = context->taste;
    const piaa_identity *made = &taste->identity;
    json out = {.root = cJSON_CreateObject()};
    cJSON *photos = piaa_json_put(&out, out.root, "photos", cJSON_CreateArray());
    for (size_t i = 0; i < shown(ranking, context); i++)
        add_photo(&out, photos, i + 1, piaa_ranking_at(ranking, i), taste);
    add_evidence(&out, taste);
    cJSON *unreadable = piaa_json_put(&out, out.root, "unreadable", cJSON_CreateArray());
    for (size_t i = 0; i < context->unreadable_count; i++) {
        cJSON *item = piaa_json_put(&out, unreadable, NULL, cJSON_CreateObject());
        piaa_json_put_text(&out, item, "path", context->unreadable[i].path);
        piaa_json_put_text(&out, item, "error", context->unreadable[i].reason);
    }
    text(&out, "model", made->model);
    text(&out, "family", made->family);
    text(&out, "fingerprint", made->fingerprint);
    piaa_json_put(&out, out.root, "demonstration", cJSON_CreateBool(context->demonstration));
    if (taste->slots.count > 1) {
        text(&out, "features", taste->features);
    } else {
        text(&out, "pool", piaa_pool_name(taste->slot.pool));
        number(&out, "layer", taste->slot.layer);
    }
    text(&out, "prompt", made->prompt);
    text(&out, "preprocessing", made->preprocessing);
    text(&out, "dtype", made->dtype);
    return out;
}

bool piaa_ranking_write(const piaa_ranking *ranking, const piaa_ranking_context *context,
                        piaa_format_kind format, FILE *out, piaa_error *error) {
    if (!ranking) return piaa_error_missing(error, "ranking");
    if (format == PIAA_JSON) {
        json made = make_json(ranking, context);
        bool ok = piaa_report_write_json(out, piaa_json_built(&made), error);
        cJSON_Delete(made.root);
        return ok;
    }
    piaa_text text = {0};
    (format == PIAA_CSV ? write_csv : write_table)(ranking, context, &text, error);
    bool ok = !text.failed && piaa_report_write(out, text.data, text.length, error);
    free(text.data);
    return ok;
}

/* The photos to rate or to compare next. */
#include "report/next.h"

#include "base/visible.h"

#include <math.h>
#include <stdlib.h>

static const char *how(const piaa_next *next, size_t i) {
    return piaa_strategy_names[next->items[i].random ? PIAA_CHOOSE_RANDOM : next->strategy];
}

static void write_table(const piaa_next *next, const piaa_ranking_context *context, piaa_text *out,
                        piaa_error *error) {
    piaa_text_format(out, error, "next  chosen by  photo\n");
    for (size_t i = 0; i < next->count; i++) {
        piaa_text_format(out, error, "%4zu  %-9s  ", i + 1, how(next, i));
        piaa_visible_add(out, piaa_path_shorten(next->items[i].path, context->folder), error);
        piaa_text_format(out, error, "\n");
    }
}

static void write_csv(const piaa_next *next, piaa_text *out, piaa_error *error) {
    piaa_text_format(out, error, "path,score,chosen_by\n");
    for (size_t i = 0; i < next->count; i++) {
        piaa_report_add_field(out, next->items[i].path, error);
        piaa_text_format(out, error, ",,%s\n", how(next, i));
    }
}

static void add_unreadable(piaa_json_build *out, const piaa_ranking_context *context) {
    cJSON *unreadable = piaa_json_put(out, out->root, "unreadable", cJSON_CreateArray());
    for (size_t i = 0; i < context->unreadable_count; i++) {
        cJSON *item = piaa_json_put(out, unreadable, NULL, cJSON_CreateObject());
        piaa_json_put_text(out, item, "path", context->unreadable[i].path);
        piaa_json_put_text(out, item, "error", context->unreadable[i].reason);
    }
}

static bool write_json(const piaa_next *next, const piaa_ranking_context *context, FILE *to,
                       piaa_error *error) {
    piaa_json_build out = {.root = cJSON_CreateObject()};
    cJSON *photos = piaa_json_put(&out, out.root, "photos", cJSON_CreateArray());
    for (size_t i = 0; i < next->count; i++) {
        cJSON *item = piaa_json_put(&out, photos, NULL, cJSON_CreateObject());
        piaa_json_put_text(&out, item, "path", next->items[i].path);
        piaa_json_put_text(&out, item, "chosen_by", how(next, i));
    }
    piaa_json_put_text(&out, out.root, "strategy", piaa_strategy_names[next->strategy]);
    piaa_report_put_integer(&out, out.root, "photos_read", (int64_t)next->photos);
    piaa_report_put_integer(&out, out.root, "rated", (int64_t)next->rated);
    piaa_report_put_integer(&out, out.root, "left", (int64_t)next->left);
    piaa_report_put_number(&out, out.root, "noise", next->noise > 0 ? next->noise : NAN);
    add_unreadable(&out, context);
    const bool ok = piaa_report_write_json(to, piaa_json_built(&out), error);
    cJSON_Delete(out.root);
    return ok;
}

bool piaa_next_write(const piaa_next *next, const piaa_ranking_context *context,
                     piaa_format_kind format, FILE *to, piaa_error *error) {
    if (format == PIAA_JSON) return write_json(next, context, to, error);
    piaa_text text = {0};
    if (format == PIAA_CSV)
        write_csv(next, &text, error);
    else
        write_table(next, context, &text, error);
    const bool ok = !text.failed && piaa_report_write(to, text.data, text.length, error);
    free(text.data);
    return ok;
}

/* ------------------------------------------------------------------------------------------ pairs
 */

static void write_pairs(const piaa_asked *asked, const char *folder, piaa_text *out,
                        piaa_error *error) {
    piaa_text_format(out, error, "next  left  |  right\n");
    for (size_t i = 0; i < asked->count; i++) {
        piaa_text_format(out, error, "%4zu  ", i + 1);
        piaa_visible_add(out, piaa_path_shorten(asked->items[i].one, folder), error);
        piaa_text_format(out, error, "  |  ");
        piaa_visible_add(out, piaa_path_shorten(asked->items[i].other, folder), error);
        piaa_text_format(out, error, "\n");
    }
}

static void write_pairs_csv(const piaa_asked *asked, piaa_text *out, piaa_error *error) {
    piaa_text_format(out, error, "left,right,answer\n");
    for (size_t i = 0; i < asked->count; i++) {
        piaa_report_add_field(out, asked->items[i].one, error);
        piaa_text_format(out, error, ",");
        piaa_report_add_field(out, asked->items[i].other, error);
        piaa_text_format(out, error, ",\n");
    }
}

static bool write_pairs_json(const piaa_asked *asked, const piaa_ranking_context *context, FILE *to,
                             piaa_error *error) {
    piaa_json_build out = {.root = cJSON_CreateObject()};
    cJSON *pairs = piaa_json_put(&out, out.root, "pairs", cJSON_CreateArray());
    for (size_t i = 0; i < asked->count; i++) {
        cJSON *item = piaa_json_put(&out, pairs, NULL, cJSON_CreateObject());
        piaa_json_put_text(&out, item, "left", asked->items[i].one);
        piaa_json_put_text(&out, item, "right", asked->items[i].other);
        piaa_report_put_number(&out, item, "likely", asked->items[i].likely);
    }
    piaa_report_put_integer(&out, out.root, "photos_read", (int64_t)asked->photos);
    piaa_report_put_integer(&out, out.root, "candidates", (int64_t)asked->candidates);
    add_unreadable(&out, context);
    const bool ok = piaa_report_write_json(to, piaa_json_built(&out), error);
    cJSON_Delete(out.root);
    return ok;
}

bool piaa_asked_write(const piaa_asked *asked, const piaa_ranking_context *context,
                      piaa_format_kind format, FILE *to, piaa_error *error) {
    if (format == PIAA_JSON) return write_pairs_json(asked, context, to, error);
    piaa_text text = {0};
    if (format == PIAA_CSV)
        write_pairs_csv(asked, &text, error);
    else
        write_pairs(asked, context->folder, &text, error);
    const bool ok = !text.failed && piaa_report_write(to, text.data, text.length, error);
    free(text.data);
    return ok;
}

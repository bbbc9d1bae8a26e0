/* What settings cost and bring: one line a combination, in the order in which they were tried. */
#include "report/economy.h"

#include "vlm/slots.h"
#include "vlm/vlm.h"

#include <math.h>
#include <stdlib.h>

const char *piaa_economy_duration(double seconds, char out[32]) {
    if (seconds < 1)
        snprintf(out, 32, "%.2g ms", 1000 * seconds);
    else if (seconds < 100)
        snprintf(out, 32, "%.3g s", seconds);
    else if (seconds < 6000)
        snprintf(out, 32, "%.3g min", seconds / 60);
    else
        snprintf(out, 32, "%.3g h", seconds / 3600);
    return out;
}

static void write_table(const piaa_economy *e, size_t photos, piaa_text *out, piaa_error *error) {
    char one[32], all[32], head[32];
    snprintf(head, sizeof head, "%zu photos", photos);
    piaa_text_format(out, error, "    pixels  weights  features    a photo  %12s  error  order\n",
                     head);
    for (size_t i = 0; i < e->count; i++) {
        const piaa_economy_row *row = &e->rows[i];
        piaa_text_format(out, error, "%10lld  %-7s  %-9s  %8s  %12s  ±%.2f  %5.2f%s\n",
                         (long long)row->max_pixels, piaa_dtype_name(row->type),
                         piaa_slot_name(&row->slot).text, piaa_economy_duration(row->seconds, one),
                         piaa_economy_duration(row->seconds * (double)photos, all), row->rmse,
                         row->spearman,
                         row == e->advised ? "  good enough, and cheapest"
                         : row == e->best  ? "  least error"
                         : row->enough     ? ""
                                           : "  worse");
    }
}

static void add_number(piaa_text *out, double value, piaa_error *error) {
    char digits[32];
    piaa_report_digits(value, digits);
    piaa_text_format(out, error, ",%s", digits);
}

static void write_csv(const piaa_economy *e, size_t photos, piaa_text *out, piaa_error *error) {
    piaa_text_format(out, error,
                     "max_pixels,dtype,features,seconds,hours,plus_minus,rank_correlation,worse,"
                     "low,high,enough,advised\n");
    for (size_t i = 0; i < e->count; i++) {
        const piaa_economy_row *row = &e->rows[i];
        const double numbers[] = {row->seconds, row->seconds * (double)photos / 3600,
                                  row->rmse,    row->spearman,
                                  row->worse,   row->low,
                                  row->high};
        piaa_text_format(out, error, "%lld,%s,%s", (long long)row->max_pixels,
                         piaa_dtype_name(row->type), piaa_slot_name(&row->slot).text);
        for (size_t k = 0; k < PIAA_COUNT(numbers); k++) add_number(out, numbers[k], error);
        piaa_text_format(out, error, ",%d,%d\n", row->enough, row == e->advised);
    }
}

static bool write_json(const piaa_economy *e, size_t photos, FILE *to, piaa_error *error) {
    piaa_json_build out = {.root = cJSON_CreateObject()};
    cJSON *rows = piaa_json_put(&out, out.root, "settings", cJSON_CreateArray());
    for (size_t i = 0; i < e->count; i++) {
        const piaa_economy_row *row = &e->rows[i];
        cJSON *item = piaa_json_put(&out, rows, NULL, cJSON_CreateObject());
        piaa_report_put_integer(&out, item, "max_pixels", row->max_pixels);
        piaa_json_put_text(&out, item, "dtype", piaa_dtype_name(row->type));
        piaa_json_put_text(&out, item, "features", piaa_slot_name(&row->slot).text);
        piaa_report_put_number(&out, item, "seconds", row->seconds);
        piaa_report_put_number(&out, item, "hours", row->seconds * (double)photos / 3600);
        piaa_report_put_number(&out, item, "plus_minus", row->rmse);
        piaa_report_put_number(&out, item, "rank_correlation", row->spearman);
        piaa_report_put_number(&out, item, "worse", row->worse);
        piaa_report_put_number(&out, item, "low", row->low);
        piaa_report_put_number(&out, item, "high", row->high);
        piaa_json_put(&out, item, "enough", cJSON_CreateBool(row->enough));
        piaa_json_put(&out, item, "advised", cJSON_CreateBool(row == e->advised));
    }
    piaa_report_put_integer(&out, out.root, "ratings", e->ratings);
    piaa_report_put_integer(&out, out.root, "photos", (int64_t)photos);
    const bool ok = piaa_report_write_json(to, piaa_json_built(&out), error);
    cJSON_Delete(out.root);
    return ok;
}

bool piaa_economy_write(const piaa_economy *e, size_t photos, piaa_format_kind format, FILE *to,
                        piaa_error *error) {
    if (format == PIAA_JSON) return write_json(e, photos, to, error);
    piaa_text text = {0};
    (format == PIAA_CSV ? write_csv : write_table)(e, photos, &text, error);
    const bool ok = !text.failed && piaa_report_write(to, text.data, text.length, error);
    free(text.data);
    return ok;
}

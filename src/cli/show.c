/* A ranking on standard output, and as a contact sheet. */
#include "cli/show.h"

#include "base/file.h"
#include "base/memory.h"
#include "cli/print.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const piaa_option piaa_show_options[] = {
    {"top", "N", "print the best N only", "all", NULL},
    {"json", NULL, "print JSON", NULL, NULL},
    {"csv", NULL, "print CSV: rank,score,plus_minus,rating,low,high,path", NULL, NULL},
    {"sheet", "FILE",
     "also draw a contact sheet of the best and the lowest; ends in .jpg, .png or .webp", NULL,
     NULL},
    {0},
};

static bool read_top(const piaa_call *call, int64_t *top, piaa_error *error) {
    *top = 0;
    return piaa_call_integer(call, "top", 1, INT32_MAX, top, error);
}

bool piaa_show_check(const piaa_call *call, piaa_error *error) {
    int64_t top;
    const char *sheet = piaa_call_value(call, "sheet");
    return piaa_call_exclude(call, "json", "csv", error) && read_top(call, &top, error) &&
           (!sheet || (piaa_sheet_check(sheet, error) &&
                       piaa_call_output(call, sheet, &piaa_sheet_output, error)));
}

bool piaa_show_top(const piaa_call *call, size_t *top, piaa_error *error) {
    int64_t asked;
    if (!read_top(call, &asked, error)) return false;
    *top = piaa_call_has(call, "sheet") ? 0 : (size_t)asked; /* it has the lowest too */
    return true;
}

size_t piaa_show_errors(const piaa_taste *taste, char *out, size_t size) {
    int used = 0;
    if (isfinite(taste->loo_rmse))
        used = snprintf(out, size, "typical error ± %.2f", taste->loo_rmse);
    if (isfinite(taste->interval))
        used += snprintf(out + used, size - (size_t)used, ", nine in ten within ± %.2f",
                         taste->interval);
    if (isfinite(taste->pairs_right))
        used += snprintf(out + used, size - (size_t)used, "%s%.0f %% of comparisons told right",
                         used ? ", " : "", 100 * taste->pairs_right);
    if (!used) used = snprintf(out, size, "error not known");
    return (size_t)used;
}

const char *piaa_show_source(const piaa_taste *taste, char out[96]) {
    return piaa_taste_source(taste, out);
}

size_t piaa_show_gone(const piaa_store *store) {
    size_t gone = 0;
    for (size_t i = 0; i < piaa_store_photos(store); i++)
        gone += piaa_file_is_gone(piaa_store_photo(store, i).path);
    return gone;
}

static bool has_features(const piaa_store *store, const piaa_slots *slots, int64_t row) {
    for (size_t k = 0; k < slots->count; k++) {
        const piaa_slot *slot = &slots->items[k];
        if (!piaa_store_has(store, piaa_store_find_slot(store, slot->pool, slot->layer), row))
            return false;
    }
    return true;
}

/* Where the store has no error for a photo, nobody has told of it yet. */
bool piaa_print_unreadable(piaa_call *call, const piaa_store *store, const piaa_slots *slots,
                           const piaa_photos *photos, piaa_ranking_context *context,
                           piaa_error *error) {
    const size_t count = photos ? piaa_photos_count(photos) : piaa_store_photos(store);
    piaa_unreadable *list = NULL;
    size_t untold = 0, capacity = 0;
    const char *first = NULL;
    for (size_t i = 0; i < count; i++) {
        const piaa_photo photo = photos ? piaa_store_find(store, piaa_photos_paths(photos)[i])
                                        : piaa_store_photo(store, i);
        if (has_features(store, slots, photo.row)) continue;
        const char *name = photos ? piaa_photos_names(photos)[i] : photo.path;
        if (!photo.error && !untold++) first = name;
        if (!piaa_grow(&list, &capacity, context->unreadable_count + 1, sizeof *list, error))
            return false;
        context->unreadable = list;
        list[context->unreadable_count++] = (piaa_unreadable){
            .path = name,
            .reason = photo.error ? photo.error : "the store holds no features of it"};
    }
    char *name = untold ? piaa_slots_name(slots->items, slots->count, error) : NULL;
    if (name)
        piaa_talk_warn(&call->talk,
                       "%zu of %zu photos are left out, the first is %s: the store holds no "
                       "%s of them, which piaa embed adds",
                       untold, count, first, name);
    free(name);
    return !untold || name;
}

piaa_format_kind piaa_print_format(const piaa_call *call) {
    return piaa_call_has(call, "json")  ? PIAA_JSON
           : piaa_call_has(call, "csv") ? PIAA_CSV
                                        : PIAA_TABLE;
}

bool piaa_show_ranking(piaa_call *call, const piaa_ranking *ranking, const piaa_taste *taste,
                       const piaa_store *store, const piaa_photos *photos, bool demonstration,
                       piaa_error *error) {
    int64_t top;
    const char *sheet = piaa_call_value(call, "sheet");
    char *folder = piaa_path_absolute(".", NULL); /* if it is gone, paths stay absolute */
    piaa_ranking_context context = {
        .taste = taste, .folder = folder, .demonstration = demonstration};
    bool ok = read_top(call, &top, error) &&
              piaa_print_unreadable(call, store, &taste->slots, photos, &context, error);
    if (ok) context.top = (size_t)top;
    ok = ok && piaa_ranking_write(ranking, &context, piaa_print_format(call), stdout, error) &&
         (!sheet || piaa_sheet_write(ranking, &context, sheet, error));
    if (ok && sheet) piaa_talk_note(&call->talk, "The contact sheet is %s.", sheet);
    free((void *)context.unreadable);
    free(folder);
    return ok;
}

/* What the page is told of a library, as JSON. */
#include "base/json.h"
#include "browse/library_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

cJSON *piaa_library_number(double value) {
    return isfinite(value) ? cJSON_CreateNumber(value) : cJSON_CreateNull();
}

bool piaa_library_print(piaa_json_build *build, piaa_text *out, piaa_error *error) {
    char *text = piaa_json_print(piaa_json_built(build), false, error);
    const bool ok = text && piaa_text_add(out, text, strlen(text), error);
    cJSON_Delete(build->root);
    free(text);
    return ok;
}

/* A list without its end, as text, which is freed; there may be 100,000 in it. */
static void put_list(piaa_json_build *build, const char *key, piaa_text *list) {
    piaa_text_add(list, list->length ? "]" : "[]", list->length ? 1 : 2, NULL);
    piaa_json_put(build, build->root, key, list->failed ? NULL : cJSON_CreateRaw(list->data));
    free(list->data);
}

/* The part of the names that all begin with, up to a slash. */
static size_t common_folder(const piaa_paths *names) {
    size_t length = names->count ? strlen(names->items[0]) : 0;
    for (size_t i = 1; i < names->count; i++) {
        size_t same = 0;
        while (same < length && names->items[i][same] == names->items[0][same]) same++;
        length = same;
    }
    while (length && names->items[0][length - 1] != '/') length--;
    return length;
}

bool piaa_library_list(piaa_library *l, piaa_text *out, piaa_error *error) {
    piaa_json_build build = {.root = cJSON_CreateObject()};
    const size_t skip = common_folder(&l->photos->names);
    piaa_json_put_text(&build, build.root, "person", l->person);
    piaa_json_put_text(&build, build.root, "book", piaa_book_where(l->book));
    piaa_text list = {0};
    for (size_t i = 0; i < l->photos->names.count; i++) {
        piaa_text_format(&list, NULL, "%s{\"name\":", i ? "," : "[");
        piaa_json_quote(&list, l->photos->names.items[i] + skip);
        piaa_text_add(&list, "}", 1, NULL);
    }
    put_list(&build, "photos", &list);
    return piaa_library_print(&build, out, error);
}

static void put_learned(piaa_json_build *build, const piaa_lesson *from) {
    cJSON *item = piaa_json_put(build, build->root, "learned",
                                from->there ? cJSON_CreateObject() : cJSON_CreateNull());
    if (!from->there) return;
    piaa_json_put(build, item, "ratings", piaa_library_number((double)from->ratings));
    piaa_json_put(build, item, "pairs", piaa_library_number((double)from->pairs));
    piaa_json_put(build, item, "prior", cJSON_CreateBool(from->prior));
    piaa_json_put(build, item, "pairs_right", piaa_library_number(from->pairs_right));
    piaa_json_put(build, item, "ten_more", piaa_library_number(from->ten_more));
    piaa_json_put(build, item, "plus_minus", piaa_library_number(from->plus_minus));
    piaa_json_put(build, item, "interval", piaa_library_number(from->interval));
    piaa_json_put(build, item, "rank_correlation", piaa_library_number(from->rank_correlation));
    piaa_json_put_text(build, item, "verdict", piaa_verdict_name(from->verdict));
}

void piaa_library_put_numbers(piaa_json_build *build, const char *key, const double *values,
                              size_t count) {
    piaa_text list = {0};
    for (size_t i = 0; i < count; i++) {
        piaa_text_add(&list, i ? "," : "[", 1, NULL);
        if (isfinite(values[i]))
            piaa_text_format(&list, NULL, "%.4f", values[i]);
        else
            piaa_text_add(&list, "null", 4, NULL);
    }
    put_list(build, key, &list);
}

static void put_picks(piaa_json_build *build, const char *key, const signed char *picks,
                      size_t count, signed char which) {
    cJSON *list = piaa_json_put(build, build->root, key, cJSON_CreateArray());
    for (size_t i = 0; i < count; i++)
        if (picks[i] == which) piaa_json_put(build, list, NULL, piaa_library_number((double)i));
}

bool piaa_library_state(piaa_library *l, piaa_text *out, piaa_error *error) {
    piaa_json_build build = {.root = cJSON_CreateObject()};
    const size_t count = l->photos->paths.count;
    pthread_mutex_lock(&l->lock);
    piaa_json_put(&build, build.root, "version", piaa_library_number((double)l->version));
    piaa_json_put(&build, build.root, "reading", cJSON_CreateBool(l->reading));
    piaa_json_put(&build, build.root, "read", piaa_library_number((double)l->done));
    piaa_json_put(&build, build.root, "total", piaa_library_number((double)l->total));
    piaa_json_put_text(&build, build.root, "message", l->message);
    put_learned(&build, &l->learned);
    piaa_json_put(&build, build.root, "scored", piaa_library_number((double)l->scored));
    piaa_library_put_numbers(&build, "ratings", l->ratings, count);
    cJSON *teaching = piaa_json_put(&build, build.root, "teaching", cJSON_CreateArray());
    for (size_t i = 0; i < l->teaching_count; i++)
        piaa_json_put(&build, teaching, NULL, piaa_library_number((double)l->teaching[i]));
    cJSON *unreadable = piaa_json_put(&build, build.root, "unreadable", cJSON_CreateArray());
    for (size_t i = 0; i < count; i++)
        if (l->unreadable[i])
            piaa_json_put(&build, unreadable, NULL, piaa_library_number((double)i));
    piaa_json_put(&build, build.root, "bursts",
                  cJSON_CreateBool(piaa_album_bursts(l->album) != NULL));
    put_picks(&build, "kept", l->picks, count, 1);
    put_picks(&build, "passed", l->picks, count, -1);
    pthread_mutex_unlock(&l->lock);
    return piaa_library_print(&build, out, error);
}

bool piaa_library_scores(piaa_library *l, piaa_text *out, piaa_error *error) {
    const size_t count = l->photos->paths.count;
    float *scores = piaa_alloc_array(count, sizeof *scores, error);
    if (!scores) return false;
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < count; i++) scores[i] = (float)l->scores[i];
    pthread_mutex_unlock(&l->lock);
    const bool ok = piaa_text_add(out, scores, count * sizeof *scores, error);
    free(scores);
    return ok;
}

/* Half of what the list took, and few ask for it. */
bool piaa_library_times(piaa_library *l, piaa_text *out, piaa_error *error) {
    bool ok = true;
    for (size_t i = 0; ok && i < l->photos->paths.count; i++) {
        struct stat status;
        const bool there = stat(piaa_library_path(l, i), &status) == 0;
        const double time = there ? (double)status.st_mtime : NAN;
        ok = piaa_text_add(out, &time, sizeof time, error);
    }
    return ok;
}

static void put_burst(piaa_json_build *build, cJSON *list, const piaa_bursts *bursts,
                      const piaa_burst *burst) {
    cJSON *item = piaa_json_put(build, list, NULL, cJSON_CreateObject());
    piaa_json_put_text(build, item, "kind", piaa_burst_names[burst->kind]);
    cJSON *photos = piaa_json_put(build, item, "photos", cJSON_CreateArray());
    for (size_t i = 0; i < burst->count; i++)
        piaa_json_put(build, photos, NULL,
                      piaa_library_number((double)bursts->members[burst->first + i]));
}

bool piaa_library_bursts(piaa_library *l, piaa_text *out, piaa_error *error) {
    piaa_json_build build = {.root = cJSON_CreateObject()};
    const piaa_bursts *bursts = piaa_album_bursts(l->album);
    cJSON *list = piaa_json_put(&build, build.root, "bursts", cJSON_CreateArray());
    for (size_t i = 0; bursts && i < bursts->count; i++)
        put_burst(&build, list, bursts, &bursts->items[i]);
    list = piaa_json_put(&build, build.root, "behind", cJSON_CreateArray());
    for (size_t i = 0; bursts && i < l->photos->paths.count; i++) {
        if (bursts->shown[i] == i) continue;
        cJSON *pair = piaa_json_put(&build, list, NULL, cJSON_CreateArray());
        piaa_json_put(&build, pair, NULL, piaa_library_number((double)i));
        piaa_json_put(&build, pair, NULL, piaa_library_number((double)bursts->shown[i]));
    }
    return piaa_library_print(&build, out, error);
}

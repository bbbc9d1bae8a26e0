/* Looks up a data set's images in a store; copies only where matrices have to stand side by side or
   are kept in fewer bits. */
#include "study/source.h"

#include "base/file.h"
#include "base/memory.h"
#include "study/changed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *piaa_pool_published(piaa_pool pool) {
    static const char *const names[PIAA_POOLS] = {[PIAA_LT] = "llm_text",
                                                  [PIAA_LT_TAIL] = "llm_text_tail",
                                                  [PIAA_LV] = "llm_visual",
                                                  [PIAA_V] = "vision"};
    return names[pool] ? names[pool] : piaa_pool_name(pool);
}

/* One part more of a source that stands side by side with others: "+lt.3", and with the published
   words "__plus__llm_text_L3". */
static void add_names(piaa_source *source, const piaa_slot *slot) {
    const size_t own = strlen(source->name), theirs = strlen(source->published);
    snprintf(source->name + own, sizeof source->name - own, "%s%s", own ? "+" : "",
             piaa_slot_name(slot).text);
    snprintf(source->published + theirs, sizeof source->published - theirs, "%s%s_L%d",
             theirs ? "__plus__" : "", piaa_pool_published(slot->pool), slot->layer);
}

static void take_slots(piaa_source *source, const piaa_joined *joined) {
    source->dim = joined->dim;
    for (int k = 0; k < source->parts; k++) {
        source->slots[k].dim = piaa_store_slots(joined->store)->items[joined->found[k]].dim;
        add_names(source, &source->slots[k]);
    }
}

/* -1: it is not there, or has no vectors. */
static int64_t find_row(const piaa_store *store, const piaa_dataset *set, const char *changed,
                        size_t image) {
    if (!changed) return piaa_store_find(store, set->images[image].path).row;
    char *path = piaa_changed_path(changed, image, NULL);
    const int64_t row = path ? piaa_store_find(store, path).row : -1;
    free(path);
    return row;
}

static bool find_rows(piaa_source *source, const piaa_joined *joined, const piaa_dataset *set,
                      const char *changed, piaa_error *error) {
    char *folder = changed ? piaa_path_absolute(changed, error) : NULL;
    if (changed && !folder) return false;
    for (size_t i = 0; i < set->image_count; i++) {
        const int64_t row = find_row(joined->store, set, folder, i);
        const bool whole = piaa_joined_has(joined, row);
        source->rows[i] = whole ? row : -1;
        source->absent += !whole;
    }
    free(folder);
    if (source->absent < set->image_count) return true;
    return piaa_error_set(error, PIAA_MISMATCH,
                          "%s holds vectors of none of the images of %.300s: embed them first",
                          piaa_store_path(joined->store), set->folder);
}

/* The parts of every image side by side, one row for each image; or its one part, which the store
   keeps in fewer bits. */
static bool join(piaa_source *source, piaa_joined *joined, const piaa_dataset *set,
                 piaa_error *error) {
    const size_t dim = (size_t)source->dim;
    if (!(source->own = piaa_alloc(set->image_count * dim, sizeof(float), error))) return false;
    for (size_t i = 0; i < set->image_count; i++) {
        if (source->rows[i] < 0) continue;
        memcpy(source->own + i * dim, piaa_joined_vector(joined, source->rows[i]),
               dim * sizeof(float));
        source->rows[i] = (int64_t)i;
    }
    source->x = source->own;
    return true;
}

static bool open_joined(piaa_source *source, piaa_joined *joined, const piaa_dataset *set,
                        const char *changed, piaa_error *error) {
    take_slots(source, joined);
    if (!(source->rows = piaa_alloc(set->image_count, sizeof *source->rows, error)) ||
        !find_rows(source, joined, set, changed, error))
        return false;
    if (source->parts == 1) source->x = piaa_store_matrix(joined->store, joined->found[0], NULL);
    return source->x || join(source, joined, set, error);
}

bool piaa_source_open(piaa_source *source, const piaa_store *store, const piaa_dataset *set,
                      const char *changed, const piaa_slot *slots, int parts, piaa_error *error) {
    piaa_joined joined;
    *source = (piaa_source){.parts = parts};
    bool ok = piaa_joined_open(&joined, store, slots, (size_t)parts, NULL, error);
    if (ok) {
        memcpy(source->slots, slots, (size_t)parts * sizeof *slots);
        ok = open_joined(source, &joined, set, changed, error);
    }
    piaa_joined_close(&joined);
    if (!ok) piaa_source_close(source);
    return ok;
}

void piaa_source_bands(const piaa_source *source, const int64_t *rows, piaa_band *out) {
    const float *x = source->x;
    for (int k = 0; k < source->parts; x += source->slots[k++].dim)
        out[k] =
            (piaa_band){.x = x, .rows = rows, .dim = source->slots[k].dim, .stride = source->dim};
}

void piaa_source_close(piaa_source *source) {
    if (!source) return;
    free(source->rows);
    free(source->own);
    *source = (piaa_source){0};
}

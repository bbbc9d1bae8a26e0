/* Looks up a data set's images in a store; copies only where two matrices have to stand side by
   side. */
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

static bool find_slots(piaa_source *source, const piaa_store *store, int *found,
                       piaa_error *error) {
    for (int k = 0; k < source->parts; k++) {
        piaa_slot *slot = &source->slots[k];
        found[k] = piaa_store_find_slot(store, slot->pool, slot->layer);
        if (found[k] < 0)
            return piaa_error_set(
                error, PIAA_MISMATCH,
                "%s holds no vectors of pool %s at layer %d: embed the images with them first",
                piaa_store_path(store), piaa_pool_name(slot->pool), slot->layer);
        slot->dim = piaa_store_slots(store)->items[found[k]].dim;
        source->dim += slot->dim;
        add_names(source, slot);
    }
    return true;
}

static const piaa_photo *find_photo(const piaa_store *store, const piaa_dataset *set,
                                    const char *changed, size_t image) {
    if (!changed) return piaa_store_find(store, set->images[image].path);
    char *path = piaa_changed_path(changed, image, NULL);
    const piaa_photo *photo = path ? piaa_store_find(store, path) : NULL;
    free(path);
    return photo;
}

static bool find_rows(piaa_source *source, const piaa_store *store, const piaa_dataset *set,
                      const char *changed, const int *found, piaa_error *error) {
    char *folder = changed ? piaa_path_absolute(changed, error) : NULL;
    if (changed && !folder) return false;
    for (size_t i = 0; i < set->image_count; i++) {
        const piaa_photo *photo = find_photo(store, set, folder, i);
        bool whole = photo != NULL;
        for (int k = 0; whole && k < source->parts; k++)
            whole = piaa_store_vector(store, found[k], photo->row) != NULL;
        source->rows[i] = whole ? photo->row : -1;
        source->absent += !whole;
    }
    free(folder);
    if (source->absent < set->image_count) return true;
    return piaa_error_set(error, PIAA_MISMATCH,
                          "%s holds vectors of none of the images of %.300s: embed them first",
                          piaa_store_path(store), set->folder);
}

/* The parts of every image side by side, one row for each image. */
static bool join(piaa_source *source, const piaa_store *store, const piaa_dataset *set,
                 const int *found, piaa_error *error) {
    if (!(source->own = piaa_alloc(set->image_count * (size_t)source->dim, sizeof(float), error)))
        return false;
    for (size_t i = 0; i < set->image_count; i++) {
        float *out = source->own + i * (size_t)source->dim;
        if (source->rows[i] < 0) continue;
        for (int k = 0; k < source->parts; k++) {
            memcpy(out, piaa_store_vector(store, found[k], source->rows[i]),
                   (size_t)source->slots[k].dim * sizeof(float));
            out += source->slots[k].dim;
        }
        source->rows[i] = (int64_t)i;
    }
    source->x = source->own;
    return true;
}

bool piaa_source_open(piaa_source *source, const piaa_store *store, const piaa_dataset *set,
                      const char *changed, const piaa_slot *slots, int parts, piaa_error *error) {
    *source = (piaa_source){.parts = parts};
    int found[PIAA_SOURCE_PARTS] = {0};
    if (parts < 1 || parts > PIAA_SOURCE_PARTS)
        return piaa_error_set(error, PIAA_USAGE, "1 to %d pools can stand side by side, not %d",
                              PIAA_SOURCE_PARTS, parts);
    memcpy(source->slots, slots, (size_t)parts * sizeof *slots);
    if (!find_slots(source, store, found, error) ||
        !(source->rows = piaa_alloc(set->image_count, sizeof *source->rows, error)))
        goto fail;
    if (!find_rows(source, store, set, changed, found, error)) goto fail;
    source->x = piaa_store_matrix(store, found[0], NULL);
    if (parts > 1 && !join(source, store, set, found, error)) goto fail;
    return true;
fail:
    piaa_source_close(source);
    return false;
}

void piaa_source_close(piaa_source *source) {
    if (!source) return;
    free(source->rows);
    free(source->own);
    *source = (piaa_source){0};
}

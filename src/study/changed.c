/* Writes changed copies of images, on several threads. */
#include "study/changed.h"

#include "base/file.h"
#include "base/hooks.h"
#include "base/memory.h"
#include "base/parallel.h"

#include <stdlib.h>

typedef struct changing {
    const piaa_dataset *set;
    piaa_augment kind;
    uint32_t seed;
    const char *folder;
    size_t *images, count;
    piaa_error *faults; /* [count] code 0: there is none */
} changing;

char *piaa_changed_path(const char *folder, size_t image, piaa_error *error) {
    return piaa_format(error, "%s/%06zu.png", folder, image);
}

static bool change(void *user, size_t i, piaa_error *error) {
    changing *c = user;
    size_t image = c->images[i];
    char *to = piaa_changed_path(c->folder, image, error);
    if (!to) return false;
    bool ok = piaa_file_exists(to);
    if (!ok)
        ok = piaa_augment_file(c->kind, c->seed + (uint32_t)image, c->set->images[image].path, to,
                               &c->faults[i]);
    /* One bad image is left out; what would hit every image ends the run. */
    if (!ok && (c->faults[i].code == PIAA_MEMORY || !piaa_file_is_folder(c->folder))) {
        if (error) *error = c->faults[i];
        free(to);
        return false;
    }
    free(to);
    return true;
}

bool piaa_changed_make(const piaa_dataset *set, piaa_split split, piaa_augment kind, uint32_t seed,
                       const char *folder, int threads, const piaa_hooks *hooks, size_t *made,
                       piaa_error *error) {
    changing c = {.set = set, .kind = kind, .seed = seed, .folder = folder};
    bool ok = (c.images = piaa_alloc(set->image_count, sizeof *c.images, error));
    for (size_t i = 0; ok && i < set->image_count; i++)
        if (set->images[i].split == split && !set->images[i].missing) c.images[c.count++] = i;
    ok = ok && (c.faults = piaa_alloc(c.count, sizeof *c.faults, error)) &&
         piaa_parallel_run(c.count, threads, change, &c, "changing images", hooks, error);
    size_t bad = 0;
    for (size_t i = 0; ok && i < c.count; i++) {
        if (!c.faults[i].code) continue;
        bad++;
        piaa_hooks_warn(hooks, "%s", c.faults[i].message);
    }
    if (made) *made = c.count - bad;
    free(c.images);
    free(c.faults);
    return ok;
}

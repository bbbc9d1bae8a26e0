/* Which of n parts of a collection a photo belongs to: FNV-1a over its path below the named folder,
 * spread by a last multiplication (the low bits of FNV-1a alone follow the last letters), modulo
 * n. */
#include "features/photos.h"

#include "base/hash.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Without the folder that was named and holds it. */
static const char *below_folder(const piaa_photos *photos, const char *path) {
    for (size_t i = 0; i < photos->folders.count; i++) {
        const char *below = piaa_path_below(path, photos->folders.items[i]);
        if (below) return below;
    }
    return path;
}

static uint64_t number_of(const char *text) {
    uint64_t hash = piaa_hash(PIAA_HASH_OF_NOTHING, text, strlen(text));
    hash ^= hash >> 32;
    hash *= UINT64_C(0xd6e8feb86659fd93);
    return hash ^ hash >> 32;
}

int64_t piaa_shard_of(const char *below, int64_t count) {
    return (int64_t)(number_of(below) % (uint64_t)count) + 1;
}

bool piaa_photos_keep_shard(piaa_photos *photos, int64_t index, int64_t count, piaa_error *error) {
    if (!photos) return piaa_error_missing(error, "photos");
    if (index < 1 || index > count)
        return piaa_error_set(error, PIAA_USAGE,
                              "there is no shard %" PRId64 " of %" PRId64 ": they count from 1",
                              index, count);
    piaa_paths *paths = &photos->paths, *names = &photos->names;
    size_t kept = 0;
    for (size_t i = 0; i < paths->count; i++) {
        if (piaa_shard_of(below_folder(photos, paths->items[i]), count) == index) {
            paths->items[kept] = paths->items[i];
            names->items[kept++] = names->items[i];
        } else {
            free(paths->items[i]);
            free(names->items[i]);
        }
    }
    paths->count = names->count = kept;
    return true;
}

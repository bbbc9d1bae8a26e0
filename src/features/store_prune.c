/* Forgetting photos that are gone.
 *
 * Only their lines in the catalogue go.  The vectors belong to the content and stay: a photo that
 * was moved shares its row under the new path, and one that comes back is not read by the model
 * again. */
#include "features/store.h"

#include "features/store_parts.h"

#include <string.h>

static bool list_gone(const piaa_store *store, piaa_paths *gone, piaa_error *error) {
    for (size_t i = 0; i < piaa_store_photos(store); i++) {
        const char *path = piaa_store_photo(store, i).path;
        if (piaa_file_is_gone(path) && !piaa_paths_add(gone, path, error)) return false;
    }
    return true;
}

static bool forget_photos(piaa_store *store, const piaa_paths *gone, piaa_error *error) {
    if (!piaa_catalog_begin(store->catalog, true, error)) return false;
    for (size_t i = 0; i < gone->count; i++)
        if (!piaa_catalog_forget_photo(store->catalog, gone->items[i], error)) return false;
    return piaa_catalog_commit(store->catalog, error);
}

/* Opens the store to write as it is: nobody else writes meanwhile. */
static bool forget_in(const char *path, const piaa_store *seen, const piaa_hooks *hooks,
                      const piaa_paths *gone, piaa_error *error) {
    piaa_identity identity = piaa_store_identity(seen);
    piaa_store *store =
        piaa_store_open_write(path, &identity, piaa_store_slots(seen), hooks, error);
    bool ok = store && forget_photos(store, gone, error) && piaa_store_finish(store, error);
    piaa_store_close(store);
    return ok;
}

bool piaa_store_prune(const char *path, const piaa_hooks *hooks, int64_t *pruned,
                      piaa_error *error) {
    if (path && !piaa_store_refuse_packed(path, error)) return false;
    piaa_store *seen = piaa_store_open_read(path, hooks, error);
    if (!seen) return false;
    piaa_paths gone = {0};
    bool ok = list_gone(seen, &gone, error) &&
              (!gone.count || forget_in(path, seen, hooks, &gone, error));
    if (pruned) *pruned = ok ? (int64_t)gone.count : 0;
    piaa_paths_free(&gone);
    piaa_store_close(seen);
    return ok;
}

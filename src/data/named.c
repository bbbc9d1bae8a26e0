/* From the names of a table to the photos given. */
#include "data/named.h"

#include "base/file.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

bool piaa_named_tell(const char *where, const size_t *found, const char *written, const char *path,
                     const piaa_hooks *hooks, piaa_error *error) {
    piaa_text how = {0};
    bool ok = piaa_finder_describe(found, &how, error);
    if (ok && how.length)
        piaa_hooks_warn(hooks, "%.300s: photos were found, %s (the first: %.120s is %.300s)", where,
                        how.data, written, path);
    free(how.data);
    return ok;
}

/* What became of the names. */
typedef struct matching {
    size_t *photo;     /* [names] that the name leads to */
    piaa_found *found; /* [names] */
    size_t *claims;    /* [photos] names that lead there */
    size_t counts[PIAA_FOUND_KINDS], first, doubtful, first_doubtful;
} matching;

static bool look_among(const piaa_named *named, piaa_finder *finder, matching *m,
                       piaa_error *error) {
    for (size_t i = 0; i < named->count; i++) {
        if (!piaa_finder_among(finder, named->folder, named->written[i], &m->photo[i], &m->found[i],
                               error))
            return false;
        if (m->found[i] > PIAA_FOUND_EXACTLY && piaa_file_exists(named->paths[i]))
            m->found[i] = PIAA_FOUND_NOT; /* it is there, and not among these photos */
        if (m->found[i] >= PIAA_FOUND_EXACTLY) m->claims[m->photo[i]]++;
    }
    return true;
}

/* Gives the names the paths of the photos that no other name claims. */
static bool take_matches(const piaa_named *named, const char *const *photos, matching *m,
                         piaa_error *error) {
    for (size_t i = 0; i < named->count; i++) {
        if (m->found[i] == PIAA_FOUND_NOT || m->found[i] == PIAA_FOUND_EXACTLY) continue;
        if (m->found[i] == PIAA_FOUND_SEVERAL || m->claims[m->photo[i]] > 1) {
            if (!m->doubtful++) m->first_doubtful = i;
            continue;
        }
        char *path = piaa_strdup(photos[m->photo[i]], error);
        if (!path) return false;
        free(named->paths[i]);
        named->paths[i] = path;
        if (!m->first) m->first = i + 1;
        m->counts[m->found[i]]++;
    }
    return true;
}

static bool add_photos(piaa_finder *finder, const piaa_photo_list *photos, piaa_error *error) {
    for (size_t i = 0; i < photos->count; i++) {
        const char *name = photos->names ? photos->names[i] : photos->paths[i];
        bool other = strcmp(name, photos->paths[i]) != 0;
        if (!piaa_finder_add(finder, photos->paths[i], i, error) ||
            (other && !piaa_finder_add(finder, name, i, error)))
            return false;
    }
    return true;
}

bool piaa_named_match(const piaa_named *named, const piaa_photo_list *photos,
                      const piaa_hooks *hooks, piaa_error *error) {
    matching m = {.photo = piaa_alloc(named->count, sizeof *m.photo, error),
                  .found = piaa_alloc(named->count, sizeof *m.found, error),
                  .claims = piaa_alloc(photos->count, sizeof *m.claims, error)};
    piaa_finder *finder = piaa_finder_new(error);
    bool ok = m.photo && m.found && m.claims && finder && add_photos(finder, photos, error) &&
              look_among(named, finder, &m, error) && take_matches(named, photos->paths, &m, error);
    if (ok && m.first)
        ok = piaa_named_tell(named->where, m.counts, named->written[m.first - 1],
                             named->paths[m.first - 1], hooks, error);
    if (ok && m.doubtful)
        piaa_hooks_warn(hooks,
                        "%.300s: %zu name%s several photos and cannot be used, the first is "
                        "%.200s: write the folders too",
                        named->where, m.doubtful, m.doubtful == 1 ? " fits" : "s fit",
                        named->written[m.first_doubtful]);
    piaa_finder_free(finder);
    free(m.photo);
    free(m.found);
    free(m.claims);
    return ok;
}

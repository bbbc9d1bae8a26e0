/* Stars from sidecars and photos. */
#include "base/file.h"
#include "base/hooks.h"
#include "base/memory.h"
#include "data/ratings.h"
#include "data/stars.h"
#include "image/metadata.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Where stars may stand, the weightiest first. */
typedef enum source { OWN_SIDECAR, SHARED_SIDECAR, EMBEDDED, SOURCES } source;

enum { SIDECAR_LIMIT = 1 << 24 };

typedef struct reading {
    const piaa_hooks *hooks;
    piaa_stars_found *found;
    piaa_rating *items; /* paths borrowed */
    size_t count, differ, broken;
    const char *first_differs; /* a photo */
    double differs[2];         /* what counts there, and what does not */
    piaa_error first_broken;
} reading;

static void note_broken(reading *r, const piaa_error *why) {
    if (r->broken++ == 0) r->first_broken = *why;
}

/* -------------------------------------------------------------------------------------- sources */

static double read_packet(reading *r, const char *path) {
    piaa_error why = {0};
    piaa_xmp xmp = PIAA_XMP_SILENT;
    size_t size;
    char *bytes = piaa_file_read(path, SIDECAR_LIMIT, &size, &why);
    if (!bytes || !piaa_xmp_read(bytes, size, &xmp, &why)) {
        if (bytes) piaa_error_prefix(&why, "%s", path);
        note_broken(r, &why);
        xmp.rating = NAN;
    }
    free(bytes);
    return xmp.rating;
}

/* The first `length` bytes of the name, and .xmp; NaN where there is no such file. */
static double read_sidecar(reading *r, const char *name, size_t length) {
    static const char *const endings[] = {".xmp", ".XMP"};
    double rating = NAN;
    for (size_t i = 0; isnan(rating) && i < PIAA_COUNT(endings); i++) {
        char *path = piaa_format(NULL, "%.*s%s", (int)length, name, endings[i]);
        if (path && piaa_file_exists(path)) rating = read_packet(r, path);
        free(path);
    }
    return rating;
}

static void look_beside(reading *r, const char *name, double stars[SOURCES]) {
    size_t whole = strlen(name);
    const char *dot = strrchr(piaa_path_name(name), '.');
    if (isnan(stars[OWN_SIDECAR])) stars[OWN_SIDECAR] = read_sidecar(r, name, whole);
    if (isnan(stars[SHARED_SIDECAR]) && dot && dot > piaa_path_name(name))
        stars[SHARED_SIDECAR] = read_sidecar(r, name, (size_t)(dot - name));
}

/* What cannot be read is worth a word where nothing else says how the photo was rated. */
static double look_inside(reading *r, const char *path, bool known) {
    piaa_photo_file file;
    piaa_xmp xmp = PIAA_XMP_SILENT;
    piaa_error why = {0};
    if (piaa_photo_file_read(&file, path, NULL) && !piaa_photo_xmp(&file, &xmp, &why)) {
        if (!known) note_broken(r, &why);
        xmp.rating = NAN;
    }
    piaa_photo_file_free(&file);
    return xmp.rating;
}

/* --------------------------------------------------------------------------------------- photos */

static void take_photo(reading *r, const char *path, const char *name) {
    double stars[SOURCES] = {NAN, NAN, NAN};
    look_beside(r, name, stars);
    if (strcmp(path, name) != 0) look_beside(r, path, stars);
    bool known = !isnan(stars[OWN_SIDECAR]) || !isnan(stars[SHARED_SIDECAR]);
    stars[EMBEDDED] = look_inside(r, path, known);
    int counts = 0;
    while (counts < SOURCES && isnan(stars[counts])) counts++;
    for (int other = counts + 1; other < SOURCES; other++)
        if (!isnan(stars[other]) && stars[other] != stars[counts]) {
            if (r->differ++ == 0) {
                r->first_differs = name;
                r->differs[0] = stars[counts];
                r->differs[1] = stars[other];
            }
            break;
        }
    double score;
    if (counts == SOURCES || !piaa_stars_to_score(stars[counts], &score)) {
        r->found->unrated++;
        return;
    }
    r->found->rated++;
    r->found->rejected += stars[counts] < 0;
    r->items[r->count++] = (piaa_rating){.path = path, .score = score};
}

static void tell(const reading *r) {
    if (r->differ)
        piaa_hooks_warn(r->hooks,
                        "%zu photo%s stars in several places that differ (the first, %.500s: %g "
                        "and %g): IMG.EXT.xmp counts before IMG.xmp, and that before the photo "
                        "itself",
                        r->differ, r->differ == 1 ? " has" : "s have", r->first_differs,
                        r->differs[0], r->differs[1]);
    if (r->broken)
        piaa_hooks_warn(r->hooks, "stars could not be read in %zu place%s, the first: %.700s",
                        r->broken, r->broken == 1 ? "" : "s", r->first_broken.message);
}

static bool read_all(reading *r, const char *const *paths, const char *const *names, size_t count,
                     piaa_error *error) {
    for (size_t i = 0; i < count; i++) {
        if (r->hooks && r->hooks->stop && r->hooks->stop(r->hooks->user))
            return piaa_error_set(error, PIAA_STOPPED, "stopped while stars were read");
        if (r->hooks && r->hooks->progress)
            r->hooks->progress(r->hooks->user, "Reading stars", (int64_t)i, (int64_t)count);
        take_photo(r, paths[i], names ? names[i] : paths[i]);
    }
    tell(r);
    return r->count ||
           piaa_error_set(error, PIAA_MISMATCH,
                          "none of the %zu photos has stars, in itself or in a sidecar: "
                          "rate some, or give a table of ratings",
                          count);
}

piaa_ratings *piaa_ratings_of_photos(const char *const *paths, const char *const *names,
                                     size_t count, const piaa_hooks *hooks, piaa_stars_found *found,
                                     piaa_error *error) {
    reading r = {
        .hooks = hooks, .found = found, .items = piaa_alloc(count, sizeof *r.items, error)};
    *found = (piaa_stars_found){0};
    piaa_ratings *ratings = r.items && read_all(&r, paths, names, count, error)
                                ? piaa_ratings_from("the photos' XMP", r.items, r.count, error)
                                : NULL;
    free(r.items);
    return ratings;
}

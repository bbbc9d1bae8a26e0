/* Names of photos, matched.
 *
 * Two names are compared by their keys: NFC of what they are in UTF-8 (bytes that are not UTF-8 are
 * taken for Windows-1252, as in tables), or that with its case folded.  On the disk a path is
 * walked part by part, and only a part that is not there under its own name is looked for in the
 * listing of its folder, which is kept. */
#include "data/finder.h"

#include "base/file.h"
#include "base/utf8.h"
#include "data/names.h"
#include "text/unicode.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Numbers 0, 1, … by a key; several numbers of one key form a chain. */
typedef struct index_of {
    piaa_names keys;
    size_t *first, *next; /* [keys] the latest number, [numbers] the one before it; + 1, 0: none */
    size_t key_room, room, count;
} index_of;

/* The entries of a folder. */
typedef struct listing {
    piaa_paths entries;
    index_of forms, folds;
} listing;

struct piaa_finder {
    piaa_names folders;
    listing *listings; /* of each folder */
    size_t listing_room;
    const char **paths; /* of the photos, some of which have two */
    size_t *photos, path_room, photo_room;
    index_of forms, folds, names; /* of the paths: whole, and folded last parts */
};

/* ----------------------------------------------------------------------------------------- keys */

/* The caller frees it. */
static char *key_of(const char *name, bool fold, piaa_error *error) {
    piaa_text utf8 = {0}, key = {0};
    piaa_encoding encoding;
    if (!piaa_utf8_decode(name, strlen(name), &utf8, &encoding, error) ||
        !piaa_text_add(&utf8, "", 0, error) ||
        !(fold ? piaa_fold_add : piaa_nfc_add)(utf8.data, utf8.length, &key, error) ||
        !piaa_text_add(&key, "", 0, error)) {
        free(key.data);
        key.data = NULL;
    }
    free(utf8.data);
    return key.data;
}

static bool index_add(index_of *index, const char *name, bool fold, piaa_error *error) {
    char *key = key_of(name, fold, error);
    size_t number;
    bool fresh,
        ok = key && piaa_names_add(&index->keys, key, &number, &fresh, error) &&
             piaa_grow(&index->first, &index->key_room, number + 1, sizeof(size_t), error) &&
             piaa_grow(&index->next, &index->room, index->count + 1, sizeof(size_t), error);
    free(key);
    if (!ok) return false;
    index->next[index->count] = fresh ? 0 : index->first[number];
    index->first[number] = ++index->count;
    return true;
}

/* The first of the chain + 1; 0: none. */
static bool index_find(const index_of *index, const char *name, bool fold, size_t *out,
                       piaa_error *error) {
    char *key = key_of(name, fold, error);
    size_t number;
    if (!key) return false;
    *out = piaa_names_find(&index->keys, key, &number) ? index->first[number] : 0;
    free(key);
    return true;
}

static void index_free(index_of *index) {
    piaa_names_free(&index->keys);
    free(index->first);
    free(index->next);
}

piaa_finder *piaa_finder_new(piaa_error *error) {
    return piaa_alloc(1, sizeof(piaa_finder), error);
}

void piaa_finder_free(piaa_finder *finder) {
    if (!finder) return;
    for (size_t i = 0; i < finder->folders.count && finder->listings; i++) {
        piaa_paths_free(&finder->listings[i].entries);
        index_free(&finder->listings[i].forms);
        index_free(&finder->listings[i].folds);
    }
    piaa_names_free(&finder->folders);
    free(finder->listings);
    index_free(&finder->forms);
    index_free(&finder->folds);
    index_free(&finder->names);
    free(finder->paths);
    free(finder->photos);
    free(finder);
}

/* ------------------------------------------------------------------------------------ spellings */

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* "file:///photos/a%20b.jpg", "file://localhost/…", "file:/…": the path, in place. */
static void strip_address(char *name) {
    const char *in = name + strlen("file:");
    if (strncmp(in, "//", 2) == 0) in += 2 + strcspn(in + 2, "/\\");
    for (; *in; in++) {
        int high = *in == '%' ? hex_digit(in[1]) : -1, low = high >= 0 ? hex_digit(in[2]) : -1;
        bool coded = low >= 0 && high * 16 + low; /* a zero ends no path */
        *name++ = coded ? (char)(high * 16 + low) : *in;
        in += coded ? 2 : 0;
    }
    *name = '\0';
}

static bool has_drive(const char *name) {
    return ((*name >= 'A' && *name <= 'Z') || (*name >= 'a' && *name <= 'z')) && name[1] == ':' &&
           (name[2] == '/' || name[2] == '\\');
}

/* The name in this system's spelling; the same where it is that already. */
static char *respell(const char *written, piaa_error *error) {
    char *name = piaa_strdup(written, error);
    if (!name) return NULL;
    bool address = strncasecmp(name, "file:", strlen("file:")) == 0;
    if (address) strip_address(name);
    char *drive = name + (*name == '/' && has_drive(name + 1)); /* file:///C:/… */
    bool foreign = has_drive(drive) || (!strchr(name, '/') && strchr(name, '\\'));
    if (has_drive(drive)) memmove(name, drive + 2, strlen(drive + 2) + 1);
    for (char *c = name; foreign && *c; c++)
        if (*c == '\\') *c = '/';
    const char *home = getenv("HOME");
    if (strncmp(name, "~/", 2) != 0 || !home || *home != '/') return name;
    char *whole = piaa_format(error, "%s%s", home, name + 1);
    free(name);
    return whole;
}

/* Whether the spelling is another system's, so that no folder of this one is meant. */
static bool is_foreign(const char *written) {
    if (strncasecmp(written, "file:///", strlen("file:///")) == 0) written += strlen("file:///");
    return has_drive(written) || strncmp(written, "\\\\", 2) == 0;
}

/* ---------------------------------------------------------------------------------- on the disk */

static bool list_folder(listing *out, const char *folder, piaa_error *error) {
    DIR *open = opendir(folder);
    bool ok = true;
    for (struct dirent *entry; ok && open && (entry = readdir(open));)
        ok = piaa_paths_add(&out->entries, entry->d_name, error) &&
             index_add(&out->forms, entry->d_name, false, error) &&
             index_add(&out->folds, entry->d_name, true, error);
    if (open) closedir(open);
    return ok;
}

static bool listing_of(piaa_finder *finder, const char *folder, const listing **out,
                       piaa_error *error) {
    size_t number;
    bool fresh;
    if (!piaa_names_find(&finder->folders, folder, &number)) {
        if (!piaa_grow(&finder->listings, &finder->listing_room, finder->folders.count + 1,
                       sizeof *finder->listings, error))
            return false;
        finder->listings[finder->folders.count] = (listing){0};
    }
    if (!piaa_names_add(&finder->folders, folder, &number, &fresh, error) ||
        (fresh && !list_folder(&finder->listings[number], folder, error)))
        return false;
    *out = &finder->listings[number];
    return true;
}

/* The only entry of the folder whose name is another form of `part`; NULL: none, or several. */
static bool find_entry(piaa_finder *finder, const char *folder, const char *part, const char **name,
                       piaa_found *found, piaa_error *error) {
    const listing *list;
    size_t form, fold;
    *name = NULL;
    if (!listing_of(finder, folder, &list, error) ||
        !index_find(&list->forms, part, false, &form, error) ||
        !index_find(&list->folds, part, true, &fold, error))
        return false;
    const index_of *index = form ? &list->forms : &list->folds;
    size_t at = form ? form : fold;
    if (!at) return true;
    if (index->next[at - 1]) {
        *found = PIAA_FOUND_SEVERAL;
        return true;
    }
    piaa_found kind = form ? PIAA_FOUND_FORM : PIAA_FOUND_CASE;
    if (*found < kind) *found = kind;
    *name = list->entries.items[at - 1];
    return true;
}

/* Adds a part to `here` as it is written, or as its only other form there; *there: it was found. */
static bool step(piaa_finder *finder, piaa_text *here, const char *part, bool *there,
                 piaa_found *found, piaa_error *error) {
    const size_t folder = here->length;
    const char *entry;
    if (!piaa_text_format(here, error, "/%s", part)) return false;
    *there = piaa_file_exists(here->data);
    if (*there) return true;
    here->length = folder;
    here->data[folder] = '\0';
    if (!find_entry(finder, folder ? here->data : "/", part, &entry, found, error)) return false;
    *there = entry;
    return !entry || piaa_text_format(here, error, "/%s", entry);
}

static bool walk_parts(piaa_finder *finder, char *path, piaa_text *here, bool *there,
                       piaa_found *found, piaa_error *error) {
    char *rest;
    *there = true;
    for (char *part = strtok_r(path, "/", &rest); *there && part; part = strtok_r(NULL, "/", &rest))
        if (!step(finder, here, part, there, found, error)) return false;
    return true;
}

/* Walks an absolute path part by part; *out stays NULL where a part is not there. */
static bool walk(piaa_finder *finder, const char *path, char **out, piaa_found *found,
                 piaa_error *error) {
    piaa_text here = {0};
    char *parts = piaa_strdup(path, error);
    bool there = false;
    *found = PIAA_FOUND_EXACTLY;
    bool ok = parts && walk_parts(finder, parts, &here, &there, found, error);
    free(parts);
    *out = ok && there && here.length ? here.data : NULL;
    if (!*out) free(here.data);
    if (ok && !*out && *found != PIAA_FOUND_SEVERAL) *found = PIAA_FOUND_NOT;
    return ok;
}

/* The absolute path that a name spells, its links and dots taken out as far as it is there. */
static char *absolute(const char *folder, const char *name, piaa_error *error) {
    char *joined = piaa_path_join(folder, name, error);
    char *path = joined ? piaa_path_absolute(joined, error) : NULL;
    free(joined);
    return path;
}

bool piaa_finder_on_disk(piaa_finder *finder, const char *folder, const char *written, char **path,
                         piaa_found *found, piaa_error *error) {
    *found = PIAA_FOUND_EXACTLY;
    if (!(*path = absolute(folder, written, error))) return false;
    if (piaa_file_exists(*path)) return true;
    char *respelt = respell(written, error), *walked = NULL;
    char *other = respelt ? absolute(folder, respelt, error) : NULL;
    bool same = other && strcmp(respelt, written) == 0;
    bool ok = other && walk(finder, other, &walked, found, error);
    if (ok && walked && *found == PIAA_FOUND_EXACTLY && !same) *found = PIAA_FOUND_SPELLING;
    if (ok && (walked || !same)) {
        free(*path);
        *path = walked ? piaa_path_absolute(walked, error) : other;
        if (!walked) other = NULL;
        ok = *path != NULL;
    }
    free(walked);
    free(other);
    free(respelt);
    if (ok) return true;
    free(*path);
    *path = NULL;
    return false;
}

/* ---------------------------------------------------------------------------------------- among */

bool piaa_finder_add(piaa_finder *finder, const char *path, size_t photo, piaa_error *error) {
    size_t at = finder->forms.count;
    if (!piaa_grow(&finder->paths, &finder->path_room, at + 1, sizeof *finder->paths, error) ||
        !piaa_grow(&finder->photos, &finder->photo_room, at + 1, sizeof *finder->photos, error) ||
        !index_add(&finder->forms, path, false, error) ||
        !index_add(&finder->folds, path, true, error) ||
        !index_add(&finder->names, piaa_path_name(path), true, error))
        return false;
    finder->paths[at] = path;
    finder->photos[at] = photo;
    return true;
}

/* How many parts two paths have in common at their ends. */
static size_t common_parts(const char *a, const char *b) {
    size_t n = strlen(a), m = strlen(b), parts = 0;
    while (n && m) {
        size_t from = n, begin = m;
        while (from && a[from - 1] != '/') from--;
        while (begin && b[begin - 1] != '/') begin--;
        if (n - from != m - begin || memcmp(a + from, b + begin, n - from) != 0) break;
        parts++;
        n = from ? from - 1 : 0; /* before the slash */
        m = begin ? begin - 1 : 0;
    }
    return parts;
}

/* Of the photos of that name, the one whose folders agree most. */
static bool guess(piaa_finder *finder, const char *name, size_t *photo, piaa_found *found,
                  piaa_error *error) {
    size_t at = 0, most = 0;
    char *key = key_of(name, true, error);
    bool ok = key && index_find(&finder->names, piaa_path_name(name), true, &at, error);
    *found = PIAA_FOUND_NOT;
    for (; ok && at; at = finder->names.next[at - 1]) {
        char *other = key_of(finder->paths[at - 1], true, error);
        if (!(ok = other != NULL)) break;
        size_t parts = common_parts(key, other), here = finder->photos[at - 1];
        free(other);
        if (parts < most || (parts == most && here == *photo)) continue;
        *found = parts == most ? PIAA_FOUND_SEVERAL : PIAA_FOUND_FOLDER;
        most = parts;
        *photo = here;
    }
    free(key);
    return ok;
}

/* The photo of a chain of equal keys; several if it is not one alone. */
static piaa_found only_one(const piaa_finder *finder, const index_of *index, size_t at,
                           piaa_found kind, size_t *photo) {
    *photo = finder->photos[at - 1];
    while ((at = index->next[at - 1]))
        if (finder->photos[at - 1] != *photo) return PIAA_FOUND_SEVERAL;
    return kind;
}

/* By the absolute path. */
static bool find_whole(const piaa_finder *finder, const char *path, size_t *photo,
                       piaa_found *found, piaa_error *error) {
    size_t form, fold, at;
    if (!index_find(&finder->forms, path, false, &form, error) ||
        !index_find(&finder->folds, path, true, &fold, error))
        return false;
    *found = PIAA_FOUND_NOT;
    if (form)
        *found = only_one(finder, &finder->forms, form, PIAA_FOUND_FORM, photo);
    else if (fold)
        *found = only_one(finder, &finder->folds, fold, PIAA_FOUND_CASE, photo);
    for (at = form; at && *found != PIAA_FOUND_EXACTLY; at = finder->forms.next[at - 1])
        if (strcmp(finder->paths[at - 1], path) == 0) {
            *photo = finder->photos[at - 1];
            *found = PIAA_FOUND_EXACTLY;
        }
    return true;
}

bool piaa_finder_among(piaa_finder *finder, const char *folder, const char *written, size_t *photo,
                       piaa_found *found, piaa_error *error) {
    char *respelt = respell(written, error);
    char *path = respelt ? absolute(folder, respelt, error) : NULL;
    char *parent = path ? piaa_path_folder(path, error) : NULL;
    bool ok = parent && find_whole(finder, path, photo, found, error);
    if (ok && *found == PIAA_FOUND_NOT &&
        (!strchr(respelt, '/') || is_foreign(written) || !piaa_file_exists(parent)))
        ok = guess(finder, respelt, photo, found, error);
    free(respelt);
    free(path);
    free(parent);
    return ok;
}

bool piaa_finder_describe(const size_t *counts, piaa_text *out, piaa_error *error) {
    static const char *const how[PIAA_FOUND_KINDS] = {
        [PIAA_FOUND_SPELLING] = "in another system's spelling",
        [PIAA_FOUND_FORM] = "by another Unicode form of the name",
        [PIAA_FOUND_CASE] = "in other case",
        [PIAA_FOUND_FOLDER] = "in another folder"};
    for (int kind = 0; kind < PIAA_FOUND_KINDS; kind++)
        if (how[kind] && counts[kind] &&
            !piaa_text_format(out, error, "%s%zu %s", out->length ? ", " : "", counts[kind],
                              how[kind]))
            return false;
    return piaa_text_add(out, "", 0, error);
}

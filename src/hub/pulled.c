/* Pulled models on the disk: found by name, listed, removed.
 *
 * A revision is in `refs` only when all of its files are there, so finding one needs no look at the
 * files.  The Hugging Face cache has no such mark: there config.json and the weights are looked
 * for. */
#include "hub/pulled.h"

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "hub/places.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SNAPSHOTS "snapshots"

enum { REF_LIMIT = 1 << 20, INDEX_LIMIT = 100 << 20 };

/* ----------------------------------------------------------------------- the Hugging Face cache */

/* What is wrong with a file of somebody else's makes it none; what is wrong with this machine is an
   error. */
static bool is_fault(const piaa_error *own, piaa_error *error) {
    if (own->code != PIAA_MEMORY && own->code != PIAA_IO) return false;
    piaa_error_set(error, own->code, "%s", own->message);
    return true;
}

static bool find_shards(const char *folder, bool *found_all, piaa_error *error) {
    static const char name[] = "model.safetensors.index.json";
    piaa_error own = {0};
    *found_all = false;
    if (!piaa_file_exists_in(folder, name)) return true;
    char *path = piaa_path_join(folder, name, &own);
    cJSON *root = path ? piaa_json_read(path, INDEX_LIMIT, &own) : NULL;
    const cJSON *map = piaa_json_find(root, "weight_map"), *item;
    bool found = cJSON_GetArraySize(map) > 0;
    const char *last = "";
    cJSON_ArrayForEach(item, map) {
        if (!found || !cJSON_IsString(item)) break;
        if (strcmp(item->valuestring, last) != 0)
            found = piaa_file_exists_in(folder, item->valuestring);
        last = item->valuestring;
    }
    cJSON_Delete(root);
    free(path);
    *found_all = found;
    return !is_fault(&own, error);
}

static bool find_whole(const char *folder, bool *whole, piaa_error *error) {
    *whole = piaa_file_exists_in(folder, "config.json");
    if (!*whole || piaa_file_exists_in(folder, "model.safetensors")) return true;
    return find_shards(folder, whole, error);
}

/* The commit that a revision is at in the Hugging Face cache; "" if it is not there. */
static bool find_shared_ref(const piaa_hub_name *name, const char *revision, char *commit,
                            piaa_error *error) {
    char *root = piaa_shared_root(error);
    char *path = root ? piaa_format(error, "%s/models--%s--%s/refs/%s", root, name->owner,
                                    name->name, revision)
                      : NULL;
    piaa_error own = {0};
    char *text =
        path && piaa_file_exists(path) ? piaa_file_read(path, REF_LIMIT, NULL, &own) : NULL;
    commit[0] = '\0';
    if (text) text[strcspn(text, "\r\n ")] = '\0';
    if (text && piaa_hub_is_commit(text)) memcpy(commit, text, 41);
    const bool ok = path && !is_fault(&own, error);
    free(text);
    free(root);
    free(path);
    return ok;
}

/* --------------------------------------------------------------------------------------- locate */

/* The GGUF files of a folder, with their sizes; freed with free_offers. */
typedef struct offers {
    piaa_gguf_offer *items;
    size_t count, capacity;
} offers;

static void free_offers(offers *list) {
    for (size_t i = 0; i < list->count; i++) free((char *)(uintptr_t)list->items[i].name);
    free(list->items);
}

/* *out is NULL where there is no such folder, or one that is not ours to read. */
static bool open_folder(const char *folder, DIR **out, piaa_error *error) {
    *out = opendir(folder);
    if (*out || errno == ENOENT || errno == ENOTDIR || errno == EACCES) return true;
    return piaa_error_set_errno(error, errno, "cannot read the folder %.700s", folder);
}

static bool add_offer(offers *out, int folder, const char *name, piaa_error *error) {
    struct stat status;
    if (!piaa_path_ends_like(name, ".gguf") || fstatat(folder, name, &status, 0) != 0) return true;
    if (!piaa_grow(&out->items, &out->capacity, out->count + 1, sizeof *out->items, error))
        return false;
    const char *copy = piaa_strdup(name, error);
    if (copy) out->items[out->count++] = (piaa_gguf_offer){copy, (int64_t)status.st_size};
    return copy != NULL;
}

static bool list_offers(const char *folder, offers *out, piaa_error *error) {
    enum { FILES_MOST = 1000 };
    DIR *stream;
    bool ok = open_folder(folder, &stream, error);
    for (struct dirent *item; ok && stream && out->count < FILES_MOST && (item = readdir(stream));)
        ok = add_offer(out, dirfd(stream), item->d_name, error);
    if (stream) closedir(stream);
    return ok;
}

/* Where a model is; path NULL: nowhere. */
typedef struct place {
    char *path; /* owned */
    int64_t bytes;
    bool shared;
} place;

/* The folder, which is taken whatever comes of it, with its files' bytes. */
static bool take_folder(char *folder, bool shared, place *out, piaa_error *error) {
    DIR *stream;
    *out = (place){folder, 0, shared};
    if (!open_folder(folder, &stream, error)) {
        free(folder);
        out->path = NULL;
        return false;
    }
    for (struct dirent *item; stream && (item = readdir(stream));) {
        struct stat status;
        if (fstatat(dirfd(stream), item->d_name, &status, 0) == 0 && S_ISREG(status.st_mode))
            out->bytes += status.st_size;
    }
    if (stream) closedir(stream);
    return true;
}

/* Among other GGUF files of a folder, the two that make the model: "TEXT.gguf,MMPROJ.gguf". */
static bool find_pair(const char *folder, const char *quant, place *out, piaa_error *error) {
    const piaa_gguf_wish wish = {.quant = quant};
    piaa_gguf_choice choice;
    piaa_error own = {0};
    offers list = {0};
    bool ok = list_offers(folder, &list, error);
    if (ok && list.count &&
        piaa_gguf_choose(list.items, list.count, &wish, folder, &choice, &own)) {
        const piaa_gguf_offer *text = &list.items[choice.text],
                              *vision = &list.items[choice.vision];
        out->path = piaa_format(error, "%s/%s,%s/%s", folder, text->name, folder, vision->name);
        out->bytes = text->size + vision->size;
        ok = out->path != NULL;
    }
    free_offers(&list);
    return ok && !is_fault(&own, error);
}

/* A commit in the Hugging Face cache: the snapshot's folder, or two of its GGUF files. */
static bool find_shared(const piaa_hub_name *name, const char *version, const char *quant,
                        place *out, piaa_error *error) {
    char commit[41];
    snprintf(commit, sizeof commit, "%.40s", version);
    char *folder = piaa_pulled_snapshot(name, commit, error);
    bool whole = false;
    out->shared = true;
    bool ok = folder && (*quant || find_whole(folder, &whole, error));
    if (whole) return take_folder(folder, true, out, error);
    ok = ok && find_pair(folder, quant, out, error);
    free(folder);
    return ok;
}

/* Whether a version's folder is ours: a look at what is there is enough, because nobody takes files
   away one by one. */
static bool is_ours(const char *folder, const char *label, bool *ours, piaa_error *error) {
    offers list = {0};
    const bool ok = !*label || list_offers(folder, &list, error);
    *ours = *label ? list.count > 0 : piaa_file_exists_in(folder, "config.json");
    free_offers(&list);
    return ok;
}

/* What a line of refs stands for, ours or shared. */
static bool find_version(const piaa_hub_name *name, const char *home, const char *version,
                         place *out, piaa_error *error) {
    if (!*version) return true;
    const char *label = piaa_version_label(version);
    char *folder = piaa_path_join(home, version, error);
    bool ours = false;
    const bool ok = folder && is_ours(folder, label, &ours, error);
    if (ok && ours) return take_folder(folder, false, out, error);
    free(folder);
    return ok && find_shared(name, version, label, out, error);
}

/* The one folder in `folder`; NULL if there are none or several. */
static char *only_folder(const char *folder) {
    DIR *stream = opendir(folder);
    char *found = NULL;
    int count = 0;
    for (struct dirent *item; stream && (item = readdir(stream));) {
        char *path = item->d_name[0] != '.' ? piaa_path_join(folder, item->d_name, NULL) : NULL;
        const bool counts = path && piaa_file_is_folder(path);
        if (counts && !count++)
            found = path;
        else
            free(path);
    }
    if (stream) closedir(stream);
    if (count == 1) return found;
    free(found);
    return NULL;
}

/* Of a cache that was copied without its refs: the only snapshot there is. */
static bool find_only(const piaa_hub_name *name, place *out, piaa_error *error) {
    char *folder = piaa_pulled_snapshot(name, "", error);
    char *main = folder ? piaa_format(error, "%s../refs/%s", folder, name->revision) : NULL;
    char *only = main && !piaa_file_exists(main) ? only_folder(folder) : NULL;
    const char *commit = only ? piaa_path_name(only) : "";
    bool ok =
        main && (!piaa_hub_is_commit(commit) || find_shared(name, commit, name->quant, out, error));
    free(only);
    free(main);
    free(folder);
    return ok;
}

/* Where the revision was pulled to; else where Hugging Face's tools have put it; and if none was
   named, any that was pulled, or the only one there. */
static bool find_from(const char *home, const piaa_hub_name *name, place *out, piaa_error *error) {
    const char *quant = name->quant;
    char version[PIAA_PULLED_VERSION];
    if (!piaa_refs_find(home, name->revision, quant, version, error) ||
        !find_version(name, home, version, out, error))
        return false;
    if (!out->path && piaa_hub_is_commit(name->revision) &&
        !find_shared(name, name->revision, quant, out, error))
        return false;
    if (out->path) return true;
    if (!find_shared_ref(name, name->revision, version, error) ||
        (*version && !find_shared(name, version, quant, out, error)))
        return false;
    if (out->path || name->given) return true;
    return piaa_refs_find(home, NULL, quant, version, error) &&
           find_version(name, home, version, out, error) &&
           (out->path || find_only(name, out, error));
}

static bool find_model(const piaa_hub_name *name, place *out, piaa_error *error) {
    char *home = piaa_pulled_home(name, error);
    const bool ok = home && find_from(home, name, out, error);
    free(home);
    return ok;
}

/* The text of a small file without the white space at its end; "" if it cannot be read. */
static void read_line(const char *folder, const char *name, char out[PIAA_PULLED_VERSION]) {
    char *path = piaa_path_join(folder, name, NULL);
    size_t size = 0;
    char *text = path ? piaa_file_read(path, PIAA_PULLED_VERSION, &size, NULL) : NULL;
    while (size && isspace((unsigned char)text[size - 1])) size--;
    snprintf(out, PIAA_PULLED_VERSION, "%.*s", (int)size, text ? text : "");
    free(text);
    free(path);
}

static bool is_cached_model(const char *path) {
    static const char mark[] = "models--";
    return strncmp(piaa_path_name(path), mark, sizeof mark - 1) == 0;
}

static bool enter(const char *path, const char *above, const char *inside, char **out,
                  piaa_error *error) {
    const bool here = strcmp(piaa_path_name(path), SNAPSHOTS) == 0 && is_cached_model(above);
    if (!here && !(is_cached_model(path) && piaa_file_is_folder(inside))) return true;
    const char *root = here ? path : inside;
    char commit[PIAA_PULLED_VERSION];
    read_line(here ? above : path, "refs/main", commit);
    if (*commit && !(*out = piaa_path_join(root, commit, error))) return false;
    if (*out && piaa_file_is_folder(*out)) return true;
    free(*out);
    *out = only_folder(root);
    return *out || piaa_error_set(error, PIAA_USAGE,
                                  "%s holds several versions of a model, or none: name one of "
                                  "the folders in %s",
                                  path, root);
}

/* A folder of the Hugging Face cache, models--OWNER--NAME or the snapshots/ in it, stands for the
 * snapshot that refs/main names, or the only one there; *out stays NULL for any other folder. */
static bool enter_cache(const char *path, char **out, piaa_error *error) {
    char *above = piaa_path_folder(path, error), *inside = piaa_path_join(path, SNAPSHOTS, error);
    const bool ok = above && inside && enter(path, above, inside, out, error);
    free(above);
    free(inside);
    return ok;
}

char *piaa_model_locate(const char *text, piaa_error *error) {
    piaa_hub_name name;
    place found = {0};
    if (piaa_file_is_folder(text)) {
        char *path = piaa_path_absolute(text, error), *entered = NULL;
        if (path && enter_cache(path, &entered, error) && !entered)
            entered = piaa_strdup(text, error);
        free(path);
        return entered;
    }
    if (piaa_file_exists(text) || strchr(text, ','))
        return piaa_strdup(text, error); /* "TEXT.gguf,MMPROJ.gguf" */
    if (text[0] == '/' || text[0] == '.' || !piaa_hub_name_parse(text, &name, NULL))
        piaa_error_set(error, PIAA_IO,
                       "%s does not exist: give a Hugging Face model folder, a GGUF file, or the "
                       "name of a pulled model (piaa model list shows "
                       "them)",
                       text);
    else if (find_model(&name, &found, error) && !found.path)
        piaa_error_set(
            error, PIAA_IO,
            "%s does not exist as a folder and has not been pulled: piaa model pull %s fetches it",
            text, text);
    return found.path;
}

/* ----------------------------------------------------------------------------------------- list */

struct piaa_pulled_list {
    piaa_pulled *items;
    size_t count, capacity;
};

/* Takes what was found. */
static bool add_pulled(piaa_pulled_list *list, const piaa_hub_name *name, const char *revision,
                       const char *version, place found, bool complete, piaa_error *error) {
    const char *label = piaa_version_label(version);
    piaa_pulled item = {
        .folder = found.path, .bytes = found.bytes, .complete = complete, .shared = found.shared};
    snprintf(item.commit, sizeof item.commit, "%.40s", version);
    item.name = piaa_format(error, "%s/%s%s%s", name->owner, name->name, *label ? ":" : "", label);
    item.revision = item.name ? piaa_strdup(revision, error) : NULL;
    if (item.revision &&
        piaa_grow(&list->items, &list->capacity, list->count + 1, sizeof *list->items, error)) {
        list->items[list->count++] = item;
        return true;
    }
    piaa_pulled_clear(&item);
    return false;
}

static bool is_listed(const piaa_pulled_list *list, const char *folder) {
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].folder, folder) == 0) return true;
    return false;
}

/* What refs lists. */
static bool list_ended(piaa_pulled_list *list, const piaa_hub_name *name, const char *home,
                       piaa_error *error) {
    char *text = piaa_refs_read(home, error), *rest = text;
    bool ok = text != NULL;
    piaa_ref r;
    while (ok && piaa_refs_next(&rest, &r)) {
        place found = {0};
        ok = find_version(name, home, r.version, &found, error) &&
             (!found.path || add_pulled(list, name, r.revision, r.version, found, true, error));
    }
    free(text);
    return ok;
}

/* The versions beside these, that no pull has ended. */
static bool list_others(piaa_pulled_list *list, const piaa_hub_name *name, const char *home,
                        piaa_error *error) {
    DIR *stream;
    bool ok = open_folder(home, &stream, error);
    for (struct dirent *item; ok && stream && (item = readdir(stream));) {
        if (!piaa_pulled_is_version(item->d_name)) continue;
        char *folder = piaa_path_join(home, item->d_name, error);
        place found;
        if (folder && is_listed(list, folder))
            free(folder);
        else
            ok = folder && take_folder(folder, false, &found, error) &&
                 add_pulled(list, name, "", item->d_name, found, false, error);
    }
    if (stream) closedir(stream);
    return ok;
}

/* Takes what was found. */
static bool add_shared(piaa_pulled_list *list, const piaa_hub_name *name, const char *version,
                       place found, piaa_error *error) {
    if (found.path && !is_listed(list, found.path))
        return add_pulled(list, name, "main", version, found, true, error);
    free(found.path);
    return true;
}

/* The folder as it is, and each of its text models in GGUF files that has a vision part. */
static bool list_snapshot(piaa_pulled_list *list, const piaa_hub_name *name, const char *commit,
                          const char *folder, offers *files, piaa_error *error) {
    char version[PIAA_PULLED_VERSION], label[PIAA_GGUF_LABEL];
    bool whole;
    place found = {0};
    if (!list_offers(folder, files, error) || !find_whole(folder, &whole, error)) return false;
    if (whole && !(find_shared(name, commit, "", &found, error) &&
                   add_shared(list, name, commit, found, error)))
        return false;
    for (size_t i = 0; i < files->count; i++) {
        if (!piaa_gguf_label(files->items, files->count, i, label)) continue;
        snprintf(version, sizeof version, "%s-%s", commit, label);
        found = (place){0};
        if (!find_shared(name, commit, label, &found, error) ||
            !add_shared(list, name, version, found, error))
            return false;
    }
    return true;
}

static bool list_shared(piaa_pulled_list *list, const piaa_hub_name *name, piaa_error *error) {
    char commit[41];
    if (!find_shared_ref(name, "main", commit, error)) return false;
    if (!*commit) return true;
    offers files = {0};
    char *folder = piaa_pulled_snapshot(name, commit, error);
    const bool ok = folder && list_snapshot(list, name, commit, folder, &files, error);
    free_offers(&files);
    free(folder);
    return ok;
}

/* "OWNER--NAME" as a name; false for other folders. */
static bool parse_folder(const char *text, piaa_hub_name *out) {
    char name[256];
    const char *middle = strstr(text, "--");
    if (!middle || strlen(text) >= sizeof name) return false;
    snprintf(name, sizeof name, "%.*s/%s", (int)(middle - text), text, middle + 2);
    return piaa_hub_name_parse(name, out, NULL) && !out->given;
}

static int compare_pulled(const void *a, const void *b) {
    const piaa_pulled *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : strcmp(x->revision, y->revision);
}

static bool read_all(piaa_pulled_list *list, piaa_error *error) {
    static const char prefix[] = "models--";
    for (int shared = 0; shared <= 1; shared++) {
        char *root = shared ? piaa_shared_root(error) : piaa_pulled_root(error);
        if (!root) return false;
        DIR *stream;
        bool ok = open_folder(root, &stream, error);
        for (struct dirent *item; ok && stream && (item = readdir(stream));) {
            piaa_hub_name name;
            size_t skip = shared ? sizeof prefix - 1 : 0;
            if (strncmp(item->d_name, prefix, skip) != 0 ||
                !parse_folder(item->d_name + skip, &name))
                continue;
            char *home = piaa_pulled_home(&name, error);
            ok = home && (shared ? list_shared(list, &name, error)
                                 : list_ended(list, &name, home, error) &&
                                       list_others(list, &name, home, error));
            free(home);
        }
        if (stream) closedir(stream);
        free(root);
        if (!ok) return false;
    }
    if (list->count) qsort(list->items, list->count, sizeof *list->items, compare_pulled);
    return true;
}

piaa_pulled_list *piaa_pulled_list_read(piaa_error *error) {
    if (piaa_error_pending(error)) return NULL;
    piaa_pulled_list *list = piaa_alloc(1, sizeof *list, error);
    if (list && read_all(list, error)) return list;
    piaa_pulled_list_free(list);
    return NULL;
}

size_t piaa_pulled_list_count(const piaa_pulled_list *list) {
    return list ? list->count : 0;
}

const piaa_pulled *piaa_pulled_list_at(const piaa_pulled_list *list, size_t index) {
    return list && index < list->count ? &list->items[index] : NULL;
}

void piaa_pulled_list_free(piaa_pulled_list *list) {
    if (!list) return;
    for (size_t i = 0; i < list->count; i++) piaa_pulled_clear(&list->items[i]);
    free(list->items);
    free(list);
}

void piaa_pulled_clear(piaa_pulled *pulled) {
    free(pulled->name);
    free(pulled->revision);
    free(pulled->folder);
    *pulled = (piaa_pulled){0};
}

void piaa_pulled_free(piaa_pulled *pulled) {
    if (pulled) piaa_pulled_clear(pulled);
    free(pulled);
}

/* --------------------------------------------------------------------------------------- remove */

/* A folder of files and, at the first level, of folders of files; links are removed, not followed.
   Returns 0 or an errno. */
static int remove_folder(const char *folder, int depth, int64_t *bytes) {
    DIR *stream = opendir(folder);
    if (!stream) return errno;
    int failed = 0;
    for (struct dirent *item; !failed && (item = readdir(stream));) {
        struct stat status;
        if (strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0) continue;
        char *path = piaa_path_join(folder, item->d_name, NULL);
        if (!path || lstat(path, &status) != 0)
            failed = path ? errno : ENOMEM;
        else if (S_ISDIR(status.st_mode) && depth == 0)
            failed = remove_folder(path, 1, bytes);
        else if (unlink(path) != 0)
            failed = errno;
        else
            *bytes += status.st_nlink > 1
                          ? 0
                          : status.st_size; /* another revision's, too, as long as that has it */
        free(path);
    }
    closedir(stream);
    if (!failed && rmdir(folder) != 0) failed = errno;
    return failed;
}

/* refs goes first, so that a removal cut short leaves nothing that looks whole. */
static bool remove_home(const char *home, int64_t *bytes, piaa_error *error) {
    char *refs = piaa_path_join(home, "refs", error);
    if (!refs) return false;
    int failed = unlink(refs) == 0 || errno == ENOENT ? remove_folder(home, 0, bytes) : errno;
    free(refs);
    return failed ? piaa_error_set_errno(error, failed, "%s cannot be removed", home) : true;
}

static bool is_of_label(const piaa_ref *line, const piaa_ref *what) {
    return piaa_label_answers(line->label, what->label) == 0;
}

static bool remove_version(const char *home, const char *version, int64_t *bytes,
                           piaa_error *error) {
    char *folder = piaa_path_join(home, version, error);
    if (!folder) return false;
    const int failed = remove_folder(folder, 1, bytes);
    if (failed) piaa_error_set_errno(error, failed, "%s cannot be removed", folder);
    free(folder);
    return !failed;
}

/* The versions of one label, and of every revision; *left: others remain. */
static bool remove_label(const char *home, const char *quant, bool *left, bool *removed,
                         int64_t *bytes, piaa_error *error) {
    const piaa_ref what = {NULL, (char *)(uintptr_t)quant, NULL};
    DIR *stream;
    if (!piaa_refs_change(home, is_of_label, &what, NULL, error) ||
        !open_folder(home, &stream, error))
        return false;
    bool ok = true;
    for (struct dirent *item; ok && stream && (item = readdir(stream));) {
        if (!piaa_pulled_is_version(item->d_name)) continue;
        if (piaa_label_answers(piaa_version_label(item->d_name), quant) != 0) {
            *left = true;
            continue;
        }
        *removed = true;
        ok = remove_version(home, item->d_name, bytes, error);
    }
    if (stream) closedir(stream);
    return ok;
}

static bool not_pulled(const char *text, bool shared, piaa_error *error) {
    return piaa_error_set(error, PIAA_USAGE, "%s has not been pulled%s", text,
                          shared ? "; it is in the Hugging Face cache, whose own tools remove it"
                                 : ": piaa model list shows what has");
}

static bool remove_locked(const char *home, const piaa_hub_name *name, const char *text,
                          int64_t *bytes, piaa_error *error) {
    bool left = false, removed = false;
    if (!*name->quant) return remove_home(home, bytes, error);
    if (!remove_label(home, name->quant, &left, &removed, bytes, error)) return false;
    if (!left && !remove_home(home, bytes, error)) return false;
    return removed || not_pulled(text, false, error);
}

static bool remove_from(const char *home, const piaa_hub_name *name, const char *text,
                        int64_t *bytes, piaa_error *error) {
    place found = {0};
    if (piaa_file_is_folder(home)) {
        const int lock = piaa_pulled_lock(home, name, error);
        const bool ok = lock >= 0 && remove_locked(home, name, text, bytes, error);
        piaa_pulled_unlock(lock);
        return ok;
    }
    if (find_model(name, &found, error)) not_pulled(text, found.path != NULL, error);
    free(found.path);
    return false;
}

bool piaa_pulled_remove(const char *text, int64_t *bytes, piaa_error *error) {
    piaa_hub_name name;
    int64_t ignored;
    if (!bytes) bytes = &ignored;
    *bytes = 0;
    if (piaa_error_pending(error) || !piaa_hub_name_parse(text, &name, error)) return false;
    if (name.given)
        return piaa_error_set(error, PIAA_USAGE,
                              "a model is removed with all its revisions: leave out @%s",
                              name.revision);
    char *home = piaa_pulled_home(&name, error);
    const bool ok = home && remove_from(home, &name, text, bytes, error);
    free(home);
    return ok;
}

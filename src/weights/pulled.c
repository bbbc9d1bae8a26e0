/* Pulled models on the disk: found by name, listed, removed.
 *
 * A revision is in `refs` only when all of its files are there, so finding one needs no look at the files.  The Hugging Face cache has no
 * such mark: there config.json and the weights are looked for.  The lock is flock(2)'s and ends with its process, however that ends. */
#define _DEFAULT_SOURCE /* flock, which POSIX does not have */
#define _DARWIN_C_SOURCE
#include "weights/pulled.h"

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { REFS_LIMIT = 1 << 20, INDEX_LIMIT = 100 << 20 };

/* ------------------------------------------------------------------------------------------------------------------ places */

static const char *setting(const char *name) {
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

/* $XDG_CACHE_HOME/rest or ~/.cache/rest; a relative XDG_CACHE_HOME is to be ignored, says the specification. */
static char *cache_path(const char *rest, piaa_error *error) {
    const char *cache = setting("XDG_CACHE_HOME"), *home = setting("HOME");
    if (cache && cache[0] == '/') return piaa_path_join(cache, rest, error);
    if (home) return piaa_format(error, "%s/.cache/%s", home, rest);
    piaa_error_set(error, PIAA_IO, "there is no home folder to keep models in (HOME is not set): set XDG_CACHE_HOME to a folder for them");
    return NULL;
}

char *piaa_pulled_home(const piaa_hub_name *name, piaa_error *error) {
    char *root = cache_path("piaa/models", error);
    char *home = root ? piaa_format(error, "%s/%s--%s", root, name->owner, name->name) : NULL;
    free(root);
    return home;
}

static char *shared_root(piaa_error *error) {
    const char *hub = setting("HF_HUB_CACHE"), *home = setting("HF_HOME");
    if (hub) return piaa_strdup(hub, error);
    return home ? piaa_path_join(home, "hub", error) : cache_path("huggingface/hub", error);
}

char *piaa_pulled_token_file(piaa_error *error) {
    const char *file = setting("HF_TOKEN_PATH"), *home = setting("HF_HOME");
    if (file) return piaa_strdup(file, error);
    return home ? piaa_path_join(home, "token", error) : cache_path("huggingface/token", error);
}

char *piaa_pulled_snapshot(const piaa_hub_name *name, const char *commit, piaa_error *error) {
    char *root = shared_root(error);
    char *folder = root ? piaa_format(error, "%s/models--%s--%s/snapshots/%s", root, name->owner, name->name, commit) : NULL;
    free(root);
    return folder;
}

static bool make_folders(char *path) {
    for (char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash) *slash = '\0';
        bool ok = mkdir(path, 0777) == 0 || errno == EEXIST;
        if (slash) *slash = '/';
        if (!ok || !slash) return ok;
    }
}

/* ------------------------------------------------------------------------------------------------------------------- lock */

/* Opens and locks the file at `path`.  Returns 0 or an errno; *lock the descriptor. */
static int lock_file(const char *path, int *lock) {
    *lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (*lock < 0) return errno;
    int failed;
    do failed = flock(*lock, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
    while (failed == EINTR);
    struct stat held, named;
    if (!failed && (fstat(*lock, &held) != 0 || stat(path, &named) != 0 || held.st_ino != named.st_ino))
        failed = ENOENT; /* a removal deleted it meanwhile */
    if (failed) close(*lock);
    return failed;
}

int piaa_pulled_lock(const char *home, const piaa_hub_name *name, piaa_error *error) {
    enum { ATTEMPTS = 10 };
    char *path = piaa_path_join(home, "lock", error);
    char *folder = path ? piaa_strdup(home, error) : NULL;
    int lock = -1, failed = ENOENT;
    for (int i = 0; folder && failed == ENOENT && i < ATTEMPTS; i++) failed = make_folders(folder) ? lock_file(path, &lock) : errno;
    if (folder && failed == EWOULDBLOCK)
        piaa_error_set(error, PIAA_BUSY, "%s/%s is being pulled by another process: wait for it, or end it", name->owner, name->name);
    else if (folder && failed)
        piaa_error_set_errno(error, failed, "the folder %s for models cannot be made or locked", home);
    free(folder);
    free(path);
    return failed ? -1 : lock;
}

void piaa_pulled_unlock(int lock) {
    if (lock >= 0) close(lock);
}

/* ------------------------------------------------------------------------------------------------------------------- refs */

/* The next "REVISION COMMIT" of *text, which is cut up; false at the end.  Lines that are none are passed over. */
static bool next_ref(char **text, char **revision, char **commit) {
    while (**text) {
        char *line = *text, *end = line + strcspn(line, "\n");
        *text = *end ? end + 1 : end;
        *end = '\0';
        char *blank = strchr(line, ' ');
        if (!blank || !piaa_hub_is_commit(blank + 1)) continue;
        *blank = '\0';
        *revision = line;
        *commit = blank + 1;
        return true;
    }
    return false;
}

/* The file's text, "" where there is none; allocated. */
static char *read_refs(const char *home, piaa_error *error) {
    char *path = piaa_path_join(home, "refs", error), *text = NULL;
    if (path) text = piaa_file_exists(path) ? piaa_file_read(path, REFS_LIMIT, NULL, error) : piaa_strdup("", error);
    free(path);
    return text;
}

bool piaa_pulled_note(const char *home, const char *revision, const char *commit, piaa_error *error) {
    char *text = read_refs(home, error), *rest = text, *r, *c;
    char *path = text ? piaa_path_join(home, "refs", error) : NULL;
    piaa_text out = {0};
    bool ok = path != NULL;
    while (ok && next_ref(&rest, &r, &c))
        if (strcmp(r, revision) != 0) ok = piaa_text_format(&out, error, "%s %s\n", r, c);
    ok = ok && piaa_text_format(&out, error, "%s %s\n", revision, commit) && piaa_file_write(path, out.data, out.length, error);
    free(out.data);
    free(path);
    free(text);
    return ok;
}

/* The commit that a revision (NULL: the one pulled last) is at in `home`; "" if it is not there. */
static bool find_ref(const char *home, const char *revision, char commit[41], piaa_error *error) {
    char *text = read_refs(home, error), *rest = text, *r, *c;
    commit[0] = '\0';
    while (text && next_ref(&rest, &r, &c))
        if (!revision || strcmp(r, revision) == 0 || strcmp(c, revision) == 0) memcpy(commit, c, 41);
    free(text);
    return text != NULL;
}

/* ---------------------------------------------------------------------------------------------------- the Hugging Face cache */

static bool has_file(const char *folder, const char *name) {
    char *path = piaa_path_join(folder, name, NULL);
    bool found = path && piaa_file_exists(path);
    free(path);
    return found;
}

static bool has_shards(const char *folder) {
    char *path = piaa_path_join(folder, "model.safetensors.index.json", NULL);
    cJSON *root = path ? piaa_json_read(path, INDEX_LIMIT, NULL) : NULL;
    const cJSON *map = piaa_json_find(root, "weight_map"), *item;
    bool found = cJSON_GetArraySize(map) > 0;
    const char *last = "";
    cJSON_ArrayForEach(item, map) {
        if (!found || !cJSON_IsString(item)) break;
        if (strcmp(item->valuestring, last) != 0) found = has_file(folder, item->valuestring);
        last = item->valuestring;
    }
    cJSON_Delete(root);
    free(path);
    return found;
}

static bool is_complete(const char *folder) {
    return has_file(folder, "config.json") && (has_file(folder, "model.safetensors") || has_shards(folder));
}

/* The commit that a revision is at in the Hugging Face cache; "" if it is not there. */
static bool find_shared_ref(const piaa_hub_name *name, const char *revision, char commit[41], piaa_error *error) {
    char *root = shared_root(error);
    char *path = root ? piaa_format(error, "%s/models--%s--%s/refs/%s", root, name->owner, name->name, revision) : NULL;
    char *text = path && piaa_file_exists(path) ? piaa_file_read(path, REFS_LIMIT, NULL, NULL) : NULL;
    commit[0] = '\0';
    if (text) text[strcspn(text, "\r\n ")] = '\0';
    if (text && piaa_hub_is_commit(text)) memcpy(commit, text, 41);
    free(text);
    free(root);
    free(path);
    return path != NULL;
}

/* --------------------------------------------------------------------------------------------------------------------- locate */

/* The folder of a commit, ours (only if refs lists it) or shared; *out NULL if neither is there. */
static bool find_commit(const piaa_hub_name *name, const char *home, const char *commit, bool ours, char **out, piaa_error *error) {
    *out = NULL;
    if (!*commit) return true;
    char *folder = piaa_path_join(home, commit, error);
    if (!folder) return false;
    if (ours && has_file(folder, "config.json")) {
        *out = folder;
        return true;
    }
    free(folder);
    folder = piaa_pulled_snapshot(name, commit, error);
    if (!folder) return false;
    if (is_complete(folder))
        *out = folder;
    else
        free(folder);
    return true;
}

static bool find_model(const piaa_hub_name *name, char **out, piaa_error *error) {
    char commit[41];
    char *home = piaa_pulled_home(name, error);
    *out = NULL;
    bool ok = home && find_ref(home, name->revision, commit, error) && find_commit(name, home, commit, true, out, error);
    if (ok && !*out && piaa_hub_is_commit(name->revision)) ok = find_commit(name, home, name->revision, false, out, error);
    if (ok && !*out) ok = find_shared_ref(name, name->revision, commit, error) && find_commit(name, home, commit, false, out, error);
    if (ok && !*out && !name->given) ok = find_ref(home, NULL, commit, error) && find_commit(name, home, commit, true, out, error);
    free(home);
    return ok;
}

char *piaa_model_locate(const char *text, piaa_error *error) {
    piaa_hub_name name;
    char *folder = NULL;
    if (piaa_file_exists(text) || strchr(text, ',')) return piaa_strdup(text, error); /* "TEXT.gguf,MMPROJ.gguf" */
    if (text[0] == '/' || text[0] == '.' || !piaa_hub_name_parse(text, &name, NULL))
        piaa_error_set(error, PIAA_IO,
                       "%s does not exist: give a Hugging Face model folder, or the name of a pulled model (piaa model list shows them)",
                       text);
    else if (find_model(&name, &folder, error) && !folder)
        piaa_error_set(error, PIAA_IO, "%s does not exist as a folder and has not been pulled: piaa model pull %s fetches it", text, text);
    return folder;
}

/* ----------------------------------------------------------------------------------------------------------------------- list */

static int64_t folder_bytes(const char *folder) {
    DIR *stream = opendir(folder);
    int64_t sum = 0;
    for (struct dirent *item; stream && (item = readdir(stream));) {
        struct stat status;
        if (fstatat(dirfd(stream), item->d_name, &status, 0) == 0 && S_ISREG(status.st_mode)) sum += status.st_size;
    }
    if (stream) closedir(stream);
    return sum;
}

/* Takes `folder`, which may be NULL after a failure. */
static bool add_pulled(piaa_pulled_list *list, const piaa_hub_name *name, const char *revision, const char *commit, char *folder,
                       piaa_pulled flags, piaa_error *error) {
    piaa_pulled item = {.folder = folder, .complete = flags.complete, .shared = flags.shared};
    bool ok = folder && piaa_grow(&list->items, &list->capacity, list->count + 1, sizeof *list->items, error);
    if (ok) item.name = piaa_format(error, "%s/%s", name->owner, name->name);
    if (item.name) item.revision = piaa_strdup(revision, error);
    if (!item.revision) {
        free(item.name);
        free(folder);
        return false;
    }
    snprintf(item.commit, sizeof item.commit, "%s", commit);
    item.bytes = folder_bytes(folder);
    list->items[list->count++] = item;
    return true;
}

static bool is_listed(const piaa_pulled_list *list, const char *folder) {
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].folder, folder) == 0) return true;
    return false;
}

/* The revisions in refs, then the commits that no pull has ended. */
static bool list_ours(piaa_pulled_list *list, const piaa_hub_name *name, const char *home, piaa_error *error) {
    char *text = read_refs(home, error), *rest = text, *revision, *commit;
    bool ok = text != NULL;
    while (ok && next_ref(&rest, &revision, &commit)) {
        char *folder;
        ok = find_commit(name, home, commit, true, &folder, error);
        bool shared = ok && folder && strncmp(folder, home, strlen(home)) != 0;
        if (ok && folder) ok = add_pulled(list, name, revision, commit, folder, (piaa_pulled){.complete = true, .shared = shared}, error);
    }
    free(text);
    DIR *stream = ok ? opendir(home) : NULL;
    for (struct dirent *item; ok && stream && (item = readdir(stream));) {
        if (!piaa_hub_is_commit(item->d_name)) continue;
        char *folder = piaa_path_join(home, item->d_name, error);
        if (folder && is_listed(list, folder))
            free(folder);
        else
            ok = add_pulled(list, name, "", item->d_name, folder, (piaa_pulled){0}, error);
    }
    if (stream) closedir(stream);
    return ok;
}

static bool list_shared(piaa_pulled_list *list, const piaa_hub_name *name, piaa_error *error) {
    char commit[41], *folder = NULL;
    bool ok = find_shared_ref(name, "main", commit, error);
    if (!ok || !*commit) return ok;
    folder = piaa_pulled_snapshot(name, commit, error);
    if (folder && is_complete(folder) && !is_listed(list, folder))
        return add_pulled(list, name, "main", commit, folder, (piaa_pulled){.complete = true, .shared = true}, error);
    free(folder);
    return folder != NULL;
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

bool piaa_pulled_list_read(piaa_pulled_list *list, piaa_error *error) {
    static const char prefix[] = "models--";
    for (int shared = 0; shared <= 1; shared++) {
        char *root = shared ? shared_root(error) : cache_path("piaa/models", error);
        if (!root) return false;
        bool ok = true;
        DIR *stream = opendir(root);
        for (struct dirent *item; ok && stream && (item = readdir(stream));) {
            piaa_hub_name name;
            size_t skip = shared ? sizeof prefix - 1 : 0;
            if (strncmp(item->d_name, prefix, skip) != 0 || !parse_folder(item->d_name + skip, &name)) continue;
            char *home = piaa_pulled_home(&name, error);
            ok = home && (shared ? list_shared(list, &name, error) : list_ours(list, &name, home, error));
            free(home);
        }
        if (stream) closedir(stream);
        free(root);
        if (!ok) return false;
    }
    if (list->count) qsort(list->items, list->count, sizeof *list->items, compare_pulled);
    return true;
}

void piaa_pulled_list_free(piaa_pulled_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].name);
        free(list->items[i].revision);
        free(list->items[i].folder);
    }
    free(list->items);
    *list = (piaa_pulled_list){0};
}

/* --------------------------------------------------------------------------------------------------------------------- remove */

/* A folder of files and, at the first level, of folders of files; links are removed, not followed.  Returns 0 or an errno. */
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
            *bytes += status.st_size;
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

bool piaa_pulled_remove(const char *text, int64_t *bytes, piaa_error *error) {
    piaa_hub_name name;
    char commit[41];
    *bytes = 0;
    if (!piaa_hub_name_parse(text, &name, error)) return false;
    if (name.given) return piaa_error_set(error, PIAA_USAGE, "a model is removed with all its revisions: leave out @%s", name.revision);
    char *home = piaa_pulled_home(&name, error);
    bool ok = home != NULL;
    if (ok && piaa_file_is_folder(home)) {
        int lock = piaa_pulled_lock(home, &name, error);
        ok = lock >= 0 && remove_home(home, bytes, error);
        piaa_pulled_unlock(lock);
    } else if (ok) {
        bool shared = find_shared_ref(&name, "main", commit, error) && *commit;
        ok = piaa_error_set(error, PIAA_USAGE, "%s has not been pulled%s", text,
                            shared ? "; it is in the Hugging Face cache, whose own tools remove it" : ": piaa model list shows what has");
    }
    free(home);
    return ok;
}

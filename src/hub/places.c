/* Where pulled models lie, and what is noted of them.  The lock ends with its process, however that
   ends. */
#include "hub/places.h"

#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { REFS_LIMIT = 1 << 20 };

/* --------------------------------------------------------------------------------------- places */

static const char *setting(const char *name) {
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static char *cache_path(const char *rest, piaa_error *error) {
    return piaa_cache_path(rest, "models", "set XDG_CACHE_HOME to a folder for them", error);
}

char *piaa_pulled_root(piaa_error *error) {
    return cache_path("piaa/models", error);
}

char *piaa_pulled_home(const piaa_hub_name *name, piaa_error *error) {
    char *root = piaa_pulled_root(error);
    char *home = root ? piaa_format(error, "%s/%s--%s", root, name->owner, name->name) : NULL;
    free(root);
    return home;
}

char *piaa_shared_root(piaa_error *error) {
    const char *hub = setting("HF_HUB_CACHE"), *home = setting("HF_HOME");
    if (!hub) hub = setting("HUGGINGFACE_HUB_CACHE"); /* its older name */
    if (hub) return piaa_strdup(hub, error);
    return home ? piaa_path_join(home, "hub", error) : cache_path("huggingface/hub", error);
}

char *piaa_pulled_token_file(piaa_error *error) {
    const char *file = setting("HF_TOKEN_PATH"), *home = setting("HF_HOME");
    if (file) return piaa_strdup(file, error);
    return home ? piaa_path_join(home, "token", error) : cache_path("huggingface/token", error);
}

char *piaa_pulled_snapshot(const piaa_hub_name *name, const char *commit, piaa_error *error) {
    char *root = piaa_shared_root(error);
    char *folder = root ? piaa_format(error, "%s/models--%s--%s/snapshots/%s", root, name->owner,
                                      name->name, commit)
                        : NULL;
    free(root);
    return folder;
}

/* ----------------------------------------------------------------------------------------- lock */

/* Opens and locks the file at `path`.  Returns 0 or an errno; *lock the descriptor. */
static int lock_file(const char *path, int *lock) {
    *lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (*lock < 0) return errno;
    int failed;
    do failed = piaa_lock_file(*lock) == 0 ? 0 : errno;
    while (failed == EINTR);
    struct stat held, named;
    if (!failed &&
        (fstat(*lock, &held) != 0 || stat(path, &named) != 0 || held.st_ino != named.st_ino))
        failed = ENOENT; /* a removal deleted it meanwhile */
    if (failed) close(*lock);
    return failed;
}

int piaa_pulled_lock(const char *home, const piaa_hub_name *name, piaa_error *error) {
    enum { ATTEMPTS = 10 };
    char *path = piaa_path_join(home, "lock", error);
    char *folder = path ? piaa_strdup(home, error) : NULL;
    int lock = -1, failed = ENOENT;
    for (int i = 0; folder && failed == ENOENT && i < ATTEMPTS; i++)
        failed = piaa_folders_make(folder) ? lock_file(path, &lock) : errno;
    if (folder && failed == EWOULDBLOCK)
        piaa_error_set(error, PIAA_BUSY,
                       "%s/%s is being pulled by another process: wait for it, or end it",
                       name->owner, name->name);
    else if (folder && failed)
        piaa_error_set_errno(error, failed, "the folder %s for models cannot be made or locked",
                             home);
    free(folder);
    free(path);
    return failed ? -1 : lock;
}

void piaa_pulled_unlock(int lock) {
    if (lock >= 0) close(lock);
}

/* ----------------------------------------------------------------------------------------- refs */

bool piaa_pulled_is_version(const char *text) {
    char commit[41];
    size_t n = strlen(text);
    if (n < 40 || n >= PIAA_PULLED_VERSION) return false;
    memcpy(commit, text, 40);
    commit[40] = '\0';
    return piaa_hub_is_commit(commit) &&
           (n == 40 || (n > 41 && text[40] == '-' && !strchr(text, '/')));
}

const char *piaa_version_label(const char *version) {
    return version[40] ? version + 41 : "";
}

bool piaa_refs_next(char **text, piaa_ref *out) {
    while (**text) {
        char *line = *text, *end = line + strcspn(line, "\n");
        *text = *end ? end + 1 : end;
        *end = '\0';
        char *blank = strchr(line, ' ');
        if (!blank || !piaa_pulled_is_version(blank + 1)) continue;
        *blank = '\0';
        char *colon = strchr(line, ':');
        if (colon) *colon = '\0';
        *out = (piaa_ref){line, colon ? colon + 1 : blank, blank + 1};
        return true;
    }
    return false;
}

char *piaa_refs_read(const char *home, piaa_error *error) {
    char *path = piaa_path_join(home, "refs", error), *text = NULL;
    if (path)
        text = piaa_file_exists(path) ? piaa_file_read(path, REFS_LIMIT, NULL, error)
                                      : piaa_strdup("", error);
    free(path);
    return text;
}

static bool add_ref(piaa_text *out, const piaa_ref *r, piaa_error *error) {
    return piaa_text_format(out, error, "%s%s%s %s\n", r->revision, *r->label ? ":" : "", r->label,
                            r->version);
}

static bool copy_refs(char *from, bool (*drop)(const piaa_ref *line, const piaa_ref *what),
                      const piaa_ref *what, const piaa_ref *added, piaa_text *out,
                      piaa_error *error) {
    piaa_ref line;
    while (piaa_refs_next(&from, &line))
        if (!drop(&line, what) && !add_ref(out, &line, error)) return false;
    return !added || add_ref(out, added, error);
}

bool piaa_refs_change(const char *home, bool (*drop)(const piaa_ref *line, const piaa_ref *what),
                      const piaa_ref *what, const piaa_ref *added, piaa_error *error) {
    char *text = piaa_refs_read(home, error);
    char *path = text ? piaa_path_join(home, "refs", error) : NULL;
    piaa_text out = {0};
    const bool ok = path && copy_refs(text, drop, what, added, &out, error) &&
                    piaa_file_write(path, out.data ? out.data : "", out.length, error);
    free(out.data);
    free(path);
    free(text);
    return ok;
}

static bool is_same(const piaa_ref *line, const piaa_ref *what) {
    return strcmp(line->revision, what->revision) == 0 && strcmp(line->label, what->label) == 0;
}

bool piaa_pulled_note(const char *home, const char *revision, const char *label,
                      const char *version, piaa_error *error) {
    const piaa_ref added = {(char *)(uintptr_t)revision, (char *)(uintptr_t)label,
                            (char *)(uintptr_t)version};
    return piaa_refs_change(home, is_same, &added, &added, error);
}

int piaa_label_answers(const char *label, const char *quant) {
    if (*quant) return *label && piaa_gguf_label_fits(label, quant) ? 0 : -1;
    return *label ? 1 + piaa_gguf_label_rank(label) : 0;
}

bool piaa_refs_find(const char *home, const char *revision, const char *quant,
                    char version[PIAA_PULLED_VERSION], piaa_error *error) {
    char *text = piaa_refs_read(home, error), *rest = text;
    int best = -1;
    piaa_ref r;
    version[0] = '\0';
    while (text && piaa_refs_next(&rest, &r)) {
        int rank = piaa_label_answers(r.label, quant);
        if (revision && strcmp(r.revision, revision) != 0 &&
            (strlen(revision) != 40 || strncmp(r.version, revision, 40) != 0))
            continue;
        if (rank < 0 || (best >= 0 && rank > best)) continue;
        best = rank;
        snprintf(version, PIAA_PULLED_VERSION, "%s", r.version);
    }
    free(text);
    return text != NULL;
}

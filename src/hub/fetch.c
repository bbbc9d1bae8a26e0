/* Pulling a model.
 *
 * One request tells the commit that a revision stands for and what each file's size and checksum
 * are; from then on only that commit is asked for, so that a repository that changes meanwhile does
 * no harm.  A file grows as FILE.part and is hashed as it comes; what an earlier run left of it is
 * hashed first.  Only a file with the right checksum loses the ".part", and only a whole revision
 * enters `refs`. */
#include "hub/fetch.h"

#include "base/file.h"
#include "base/hooks.h"
#include "base/memory.h"
#include "hub/places.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* The one place that knows the hub's address. */
static const char default_endpoint[] = "https://huggingface.co";

enum { LIST_LIMIT = 32 << 20, TOKEN_LIMIT = 1 << 16, CHUNK = 1 << 16 };

typedef struct pull {
    const piaa_fetch_options *options;
    const piaa_hooks *hooks; /* never NULL */
    piaa_http *http;
    piaa_hub_name name;
    piaa_hub_list list;
    char repository[200];
    char version[PIAA_PULLED_VERSION];
    char *endpoint, *token;
    char *home, *folder;
    bool *missing;       /* of the list's files those that have to come */
    int64_t need;        /* bytes for which there has to be room */
    int64_t done, total; /* bytes, for progress; total 0: unknown */
} pull;

/* ---------------------------------------------------------------------------------- small parts */

static void show(const pull *p, const char *what) {
    if (p->hooks->progress) p->hooks->progress(p->hooks->user, what, p->done, p->total);
}

static bool stopped(const pull *p) {
    return p->hooks->stop && p->hooks->stop(p->hooks->user);
}

static char *path_of(const pull *p, size_t i, piaa_error *error) {
    return piaa_path_join(p->folder, p->list.files[i].name, error);
}

/* The checksum that the hub names for a file: SHA-256 of the content, or git's SHA-1 over a line
   with the size and the content; "" where it names none. */
static const char *listed_sum(const piaa_hub_file *file) {
    return file->sha256[0] ? file->sha256 : file->sha1;
}

static void restart_sum(GChecksum *sum, const piaa_hub_file *file) {
    char head[40];
    g_checksum_reset(sum);
    if (file->sha256[0]) return;
    int n = snprintf(head, sizeof head, "blob %lld", (long long)file->size);
    g_checksum_update(sum, (const guchar *)head, n + 1);
}

static GChecksum *new_sum(const piaa_hub_file *file) {
    GChecksum *sum = g_checksum_new(file->sha256[0] ? G_CHECKSUM_SHA256 : G_CHECKSUM_SHA1);
    restart_sum(sum, file);
    return sum;
}

/* Nothing can be added after that. */
static bool sum_is_right(GChecksum *sum, const piaa_hub_file *file) {
    const char *listed = listed_sum(file);
    return !*listed || strcmp(g_checksum_get_string(sum), listed) == 0;
}

/* Adds a file from where it stands to its end; *size grows by what was read. */
static bool sum_file(const pull *p, GChecksum *sum, int file, const char *path, uint64_t *size,
                     piaa_error *error) {
    unsigned char buffer[CHUNK];
    for (;;) {
        ssize_t got = read(file, buffer, sizeof buffer);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return piaa_error_set_errno(error, errno, "%s cannot be read", path);
        if (got == 0) return true;
        g_checksum_update(sum, buffer, got);
        *size += (uint64_t)got;
        if (stopped(p))
            return piaa_error_set(error, PIAA_STOPPED,
                                  "stopped while files were checked; what is there is kept");
    }
}

/* Whether a file holds what the hub lists; false without an error where it does not or cannot be
   read. */
static bool is_right(const pull *p, const piaa_hub_file *want, const char *path, bool *right,
                     piaa_error *error) {
    struct stat status;
    uint64_t size = 0;
    *right = false;
    if (stat(path, &status) != 0 || !S_ISREG(status.st_mode) ||
        (want->size >= 0 && status.st_size != want->size))
        return true;
    if (!*listed_sum(want)) {
        *right = want->size >= 0;
        return true;
    }
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return true;
    GChecksum *sum = new_sum(want);
    const bool ok = sum_file(p, sum, file, path, &size, error);
    *right = ok && sum_is_right(sum, want);
    g_checksum_free(sum);
    close(file);
    return ok;
}

/* -------------------------------------------------------------------------------- hub and token */

static bool choose_endpoint(pull *p, piaa_error *error) {
    const char *from = p->options->request.from, *setting = getenv("HF_ENDPOINT");
    if (!from) from = setting && *setting ? setting : default_endpoint;
    if (!piaa_http_check(from, error)) return false;
    if (strpbrk(from, "?#"))
        return piaa_error_set(error, PIAA_USAGE,
                              "the address %s holds a ? or #: give that of the hub alone", from);
    p->endpoint = piaa_strdup(from, error);
    for (size_t n = p->endpoint ? strlen(p->endpoint) : 0; n && p->endpoint[n - 1] == '/'; n--)
        p->endpoint[n - 1] = '\0';
    return p->endpoint != NULL;
}

/* Blanks around it are dropped; anything else that cannot stand in a header is refused, without
   showing it. */
static bool take_token(pull *p, const char *text, const char *where, piaa_error *error) {
    while (*text == ' ' || *text == '\t' || *text == '\n' || *text == '\r') text++;
    size_t n = strlen(text);
    while (n && (text[n - 1] == ' ' || text[n - 1] == '\t' || text[n - 1] == '\n' ||
                 text[n - 1] == '\r'))
        n--;
    for (size_t i = 0; i < n; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return piaa_error_set(
                error, PIAA_USAGE,
                "%s does not hold a token: a token is letters, digits and signs without blanks",
                where);
    if (!n) return true;
    p->token = piaa_alloc(n + 1, 1, error);
    if (p->token) memcpy(p->token, text, n);
    return p->token != NULL;
}

static bool read_token(pull *p, piaa_error *error) {
    const char *setting = getenv("HF_TOKEN");
    if (setting && *setting) return take_token(p, setting, "HF_TOKEN", error);
    if (strcmp(p->endpoint, default_endpoint) != 0) return true;
    char *path = piaa_pulled_token_file(NULL); /* without a home folder there is none */
    char *text =
        path && piaa_file_exists(path) ? piaa_file_read(path, TOKEN_LIMIT, NULL, NULL) : NULL;
    const bool ok = !text || take_token(p, text, path, error);
    free(text);
    free(path);
    return ok;
}

static bool find_token(pull *p, piaa_error *error) {
    if (!read_token(p, error)) return false;
    if (!p->token || piaa_http_is_private(p->endpoint)) return true;
    piaa_hooks_warn(p->hooks,
                    "the token is not sent to %s, because the connection is not encrypted",
                    p->endpoint);
    free(p->token);
    p->token = NULL;
    return true;
}

/* Says more about the answers that the user can do something about.  `file` NULL: the list of files
   was asked for. */
static bool explain(const pull *p, const piaa_http_answer *answer, const char *file,
                    piaa_error *error) {
    const char *repository = p->repository, *hub = p->endpoint;
    bool gated = strcmp(answer->reason, "GatedRepo") == 0 || answer->status == 403;
    if (error && (error->code == PIAA_STOPPED || error->code == PIAA_MEMORY)) return false;
    if (gated && (answer->status == 401 || answer->status == 403))
        return piaa_error_set(
            error, PIAA_IO, "%s is given only to those who accept its terms: do that at %s/%s, %s",
            repository, hub, repository,
            p->token ? "with the account that your token (HF_TOKEN) belongs to"
                     : "then put your token in HF_TOKEN");
    if (answer->status == 401)
        return p->token
                   ? piaa_error_set(
                         error, PIAA_IO,
                         "%s refuses the token (HF_TOKEN) for %s: check that it is still valid",
                         hub, repository)
                   : piaa_error_set(error, PIAA_IO,
                                    "%s either has no model %s or wants a token for it: check the "
                                    "name, or put your token in HF_TOKEN",
                                    hub, repository);
    if (answer->status == 404 && file)
        return piaa_error_set(
            error, PIAA_IO,
            "%s lists %s in %s but does not have it: try again later, or another --from", hub, file,
            repository);
    if (answer->status == 404 && (p->name.given || strcmp(answer->reason, "RevisionNotFound") == 0))
        return piaa_error_set(error, PIAA_IO, "%s has no model %s, or no revision %s of it", hub,
                              repository, p->name.revision);
    if (answer->status == 404)
        return piaa_error_set(error, PIAA_IO, "%s has no model %s: check the spelling", hub,
                              repository);
    return file ? piaa_error_prefix(error, "%s: %s", repository, file)
                : piaa_error_prefix(error, "%s", repository);
}

static bool read_list(pull *p, piaa_text *url, piaa_text *body, piaa_error *error) {
    piaa_http_answer answer = {0};
    if (!piaa_text_format(url, error, "%s/api/models/%s/revision/", p->endpoint, p->repository) ||
        !piaa_http_escape(url, p->name.revision, error) ||
        !piaa_text_format(url, error, "?blobs=true"))
        return false;
    if (!piaa_http_read(p->http, url->data, LIST_LIMIT, body, &answer, error))
        return explain(p, &answer, NULL, error);
    const piaa_gguf_wish wish = {p->name.quant, p->options->request.file,
                                 p->options->request.mmproj};
    if (!piaa_hub_list_parse(body->data ? body->data : "", body->length, p->repository, &wish,
                             &p->list, error))
        return false;
    snprintf(p->version, sizeof p->version, "%s%s%s", p->list.commit, *p->list.label ? "-" : "",
             p->list.label);
    return true;
}

static bool get_list(pull *p, piaa_error *error) {
    piaa_text url = {0}, body = {0};
    const bool ok = read_list(p, &url, &body, error);
    free(body.data);
    free(url.data);
    return ok;
}

/* ----------------------------------------------------------------------- the Hugging Face cache */

/* Its snapshots are links to files that are named by the checksum; where they are no links, the
   content is hashed. */
static bool is_shared_right(const pull *p, const piaa_hub_file *want, const char *path, bool *right,
                            piaa_error *error) {
    char target[4096];
    struct stat status;
    ssize_t n = readlink(path, target, sizeof target - 1);
    if (n <= 0 || !*listed_sum(want)) return is_right(p, want, path, right, error);
    target[n] = '\0';
    *right = strcmp(piaa_path_name(target), listed_sum(want)) == 0 && stat(path, &status) == 0 &&
             (want->size < 0 || status.st_size == want->size);
    return true;
}

/* *found: p->folder is the snapshot of that cache. */
static bool use_shared(pull *p, bool *found, piaa_error *error) {
    *found = false;
    /* Which vision part was asked for is remembered by the folder of the two alone, and that is not
       theirs. */
    if (p->options->request.mmproj) return true;
    p->folder = piaa_pulled_snapshot(&p->name, p->list.commit, error);
    if (!p->folder) return false;
    *found = piaa_file_is_folder(p->folder);
    for (size_t i = 0; *found && i < p->list.count; i++) {
        char *path = path_of(p, i, error);
        const bool ok = path && is_shared_right(p, &p->list.files[i], path, found, error);
        free(path);
        if (!ok) return false;
    }
    if (*found) return true;
    free(p->folder);
    p->folder = NULL;
    return true;
}

/* ------------------------------------------------------------------------------------- one file */

typedef struct part {
    pull *p;
    const piaa_hub_file *file;
    char *path; /* FOLDER/NAME.part */
    piaa_text url;
    int descriptor;
    int64_t received;
    GChecksum *sum;
} part;

static bool add_to_part(void *user, const void *data, size_t count, piaa_error *error) {
    part *to = user;
    const char *bytes = data;
    for (size_t left = count; left;) {
        ssize_t done = write(to->descriptor, bytes, left);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0)
            return piaa_error_set_errno(error, done < 0 ? errno : ENOSPC, "%s cannot be written",
                                        to->path);
        g_checksum_update(to->sum, (const guchar *)bytes, done);
        to->p->done += done;
        to->received += done;
        bytes += done;
        left -= (size_t)done;
    }
    show(to->p, to->file->name);
    return true;
}

static bool empty_part(void *user, piaa_error *error) {
    part *to = user;
    struct stat status;
    if (fstat(to->descriptor, &status) == 0) to->p->done -= status.st_size;
    restart_sum(to->sum, to->file);
    if (ftruncate(to->descriptor, 0) != 0 || lseek(to->descriptor, 0, SEEK_SET) != 0)
        return piaa_error_set_errno(error, errno, "%s cannot be written", to->path);
    return true;
}

/* Opens FILE.part and takes in what an earlier run left there; *length: how much. */
static bool open_part(part *to, uint64_t *length, piaa_error *error) {
    *length = 0;
    to->descriptor = open(to->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (to->descriptor < 0)
        return piaa_error_set_errno(error, errno, "%s cannot be written", to->path);
    if (!sum_file(to->p, to->sum, to->descriptor, to->path, length, error)) return false;
    to->p->done += (int64_t)*length;
    if (to->file->size >= 0 && *length <= (uint64_t)to->file->size) return true;
    *length = 0; /* longer than it may be, or nobody knows how long that is */
    return empty_part(to, error);
}

static bool finish_part(part *to, const char *path, piaa_error *error) {
    if (fsync(to->descriptor) != 0 && errno != EINVAL && errno != EROFS)
        return piaa_error_set_errno(error, errno, "%s cannot be written", to->path);
    if (rename(to->path, path) != 0)
        return piaa_error_set_errno(error, errno, "%s cannot be renamed", to->path);
    return true;
}

static bool wrong_checksum(const part *to, piaa_error *error) {
    const pull *p = to->p;
    const bool sha256 = to->file->sha256[0];
    unlink(to->path);
    return piaa_error_set(error, PIAA_FORMAT,
                          "%s: %s came with the %s checksum %.12s… where %s lists %.12s…: it was "
                          "thrown away, pull again; if that does not "
                          "help, something on the way changes files",
                          p->repository, to->file->name, sha256 ? "SHA-256" : "git SHA-1",
                          g_checksum_get_string(to->sum), p->endpoint, listed_sum(to->file));
}

/* Until it holds what is listed.  An earlier run's bytes may be the wrong ones: then once more from
   the start. */
static bool fill_part(part *to, piaa_error *error) {
    pull *p = to->p;
    piaa_http_answer answer = {0};
    piaa_http_sink sink = {
        .user = to, .add = add_to_part, .restart = empty_part, .size = PIAA_HTTP_UNKNOWN};
    if (to->file->size >= 0) sink.size = (uint64_t)to->file->size;
    if (!open_part(to, &sink.length, error) ||
        !piaa_text_format(&to->url, error, "%s/%s/resolve/%s/", p->endpoint, p->repository,
                          p->list.commit) ||
        !piaa_http_escape(&to->url, to->file->name, error))
        return false;
    for (bool leftover = sink.length > 0;; leftover = false) {
        show(p, to->file->name);
        if (sink.length != sink.size &&
            !piaa_http_get(p->http, to->url.data, &sink, &answer, error))
            return explain(p, &answer, to->file->name, error);
        if (sum_is_right(to->sum, to->file)) return true;
        if (!leftover) return wrong_checksum(to, error);
        if (!empty_part(to, error)) return false;
        sink.length = 0;
    }
}

static bool download(pull *p, const piaa_hub_file *file, const char *path, int64_t *received,
                     piaa_error *error) {
    part to = {.p = p, .file = file, .descriptor = -1, .sum = new_sum(file)};
    to.path = piaa_format(error, "%s.part", path);
    const bool ok = to.path && fill_part(&to, error) && finish_part(&to, path, error);
    *received += to.received;
    if (to.descriptor >= 0) close(to.descriptor);
    g_checksum_free(to.sum);
    free(to.url.data);
    free(to.path);
    return ok;
}

/* The same file of another version pulled earlier becomes a second link to it. */
static bool link_older(const pull *p, const piaa_hub_file *file, const char *path, bool *linked,
                       piaa_error *error) {
    bool ok = true;
    *linked = false;
    if (file->size < 0 || !*listed_sum(file)) return true;
    DIR *stream = opendir(p->home);
    for (struct dirent *item; ok && !*linked && stream && (item = readdir(stream));) {
        if (!piaa_pulled_is_version(item->d_name) || strcmp(item->d_name, p->version) == 0)
            continue;
        bool right = false;
        char *older = piaa_format(error, "%s/%s/%s", p->home, item->d_name, file->name);
        ok = older && is_right(p, file, older, &right, error);
        *linked = right && link(older, path) == 0;
        free(older);
    }
    if (stream) closedir(stream);
    return ok;
}

/* ------------------------------------------------------------------------------------ the files */

/* A file under its own name was checked when it got it; its size is looked at in case somebody
   changed it since. */
static bool is_there(const piaa_hub_file *file, const char *path) {
    struct stat status;
    if (stat(path, &status) != 0) return false;
    return S_ISREG(status.st_mode) && (file->size < 0 || status.st_size == file->size);
}

/* Whether what is missing fits onto the disk. */
static bool check_space(const pull *p, piaa_error *error) {
    struct statvfs disk;
    if (statvfs(p->home, &disk) != 0) return true;
    double available = (double)disk.f_bavail * (double)disk.f_frsize;
    if ((double)p->need <= available) return true;
    return piaa_error_set(
        error, PIAA_IO,
        "%s needs %.4g MB, but there are %.4g MB free at %s: make room, or set XDG_CACHE_HOME",
        p->repository, (double)p->need / 1e6, available / 1e6, p->home);
}

static int64_t part_bytes(const char *path) {
    struct stat status;
    char *name = piaa_format(NULL, "%s.part", path);
    int64_t bytes = name && stat(name, &status) == 0 ? status.st_size : 0;
    free(name);
    return bytes;
}

/* Whether a file has to come, and what that takes. */
static bool plan_file(pull *p, size_t i, const char *path, piaa_error *error) {
    const piaa_hub_file *file = &p->list.files[i];
    bool linked;
    if (is_there(file, path)) return true;
    unlink(path); /* not what it was when it was checked */
    if (!link_older(p, file, path, &linked, error)) return false;
    p->missing[i] = !linked;
    if (linked || file->size <= 0) return true;
    const int64_t left = file->size - part_bytes(path);
    if (p->total <= INT64_MAX - file->size) p->total += file->size;
    if (left > 0 && p->need <= INT64_MAX - left) p->need += left;
    return true;
}

static bool plan_files(pull *p, piaa_error *error) {
    bool known = true;
    p->missing = piaa_alloc(p->list.count, sizeof *p->missing, error);
    if (!p->missing) return false;
    for (size_t i = 0; i < p->list.count; i++) {
        char *path = path_of(p, i, error);
        const bool ok = path && plan_file(p, i, path, error);
        free(path);
        if (!ok) return false;
        known = known && (!p->missing[i] || p->list.files[i].size >= 0);
    }
    if (!known) p->total = 0;
    return check_space(p, error);
}

static bool get_files(pull *p, piaa_pulled *out, piaa_error *error) {
    if (!plan_files(p, error)) return false;
    for (size_t i = 0; i < p->list.count; i++) {
        if (!p->missing[i]) continue;
        char *path = path_of(p, i, error);
        const bool ok = path && download(p, &p->list.files[i], path, &out->downloaded, error);
        free(path);
        if (!ok) return false;
    }
    return true;
}

/* A folder holds one pair: an earlier pull may have brought another vision part. */
static void remove_others(const pull *p) {
    DIR *stream = opendir(p->folder);
    for (struct dirent *item; stream && (item = readdir(stream));) {
        bool needed = item->d_name[0] == '.';
        for (size_t i = 0; i < p->list.count; i++)
            needed = needed || strcmp(item->d_name, p->list.files[i].name) == 0;
        if (!needed) unlinkat(dirfd(stream), item->d_name, 0);
    }
    if (stream) closedir(stream);
}

static bool holds_only_lock(const char *home) {
    DIR *stream = opendir(home);
    bool only = stream != NULL;
    for (struct dirent *item; only && (item = readdir(stream));)
        only = item->d_name[0] == '.' || strcmp(item->d_name, "lock") == 0;
    if (stream) closedir(stream);
    return only;
}

/* What a pull that got nothing leaves behind: nothing. */
static void tidy(const pull *p) {
    if (rmdir(p->folder) != 0 || !holds_only_lock(p->home)) return;
    char *lock = piaa_path_join(p->home, "lock", NULL);
    if (lock && unlink(lock) == 0) rmdir(p->home);
    free(lock);
}

static bool fill_home(pull *p, piaa_pulled *out, piaa_error *error) {
    if (!out->shared) {
        p->folder = piaa_path_join(p->home, p->version, error);
        if (!p->folder) return false;
        if (mkdir(p->folder, 0777) != 0 && errno != EEXIST)
            return piaa_error_set_errno(error, errno, "the folder %s cannot be made", p->folder);
        if (!get_files(p, out, error)) return false;
        if (*p->list.label) remove_others(p);
    }
    return piaa_pulled_note(p->home, p->name.revision, p->list.label, p->version, error);
}

static bool get_model(pull *p, piaa_pulled *out, piaa_error *error) {
    int lock = piaa_pulled_lock(p->home, &p->name, error);
    if (lock < 0) return false;
    const bool ok = fill_home(p, out, error);
    if (!ok && p->folder && !out->shared) tidy(p);
    piaa_pulled_unlock(lock);
    return ok;
}

/* ------------------------------------------------------------------------------------ all of it */

static bool summarise(pull *p, piaa_pulled *out, piaa_error *error) {
    memcpy(out->commit, p->list.commit, sizeof out->commit);
    out->files = p->list.count;
    for (size_t i = 0; i < p->list.count; i++) {
        struct stat status;
        char *path = path_of(p, i, error);
        if (!path) return false;
        if (stat(path, &status) == 0) out->bytes += status.st_size;
        free(path);
        out->unchecked += !*listed_sum(&p->list.files[i]);
    }
    if (out->unchecked)
        piaa_hooks_warn(p->hooks,
                        "%s names no checksum for %zu of the %zu files: their size alone was "
                        "checked",
                        p->endpoint, out->unchecked, out->files);
    out->complete = true;
    out->name =
        piaa_format(error, "%s%s%s", p->repository, *p->list.label ? ":" : "", p->list.label);
    out->revision = piaa_strdup(p->name.revision, error);
    out->folder = out->shared && *p->list.label
                      ? piaa_format(error, "%s/%s,%s/%s", p->folder, p->list.files[0].name,
                                    p->folder, p->list.files[1].name)
                      : piaa_strdup(p->folder, error);
    return out->name && out->revision && out->folder;
}

static bool run(pull *p, const char *name, piaa_pulled *out, piaa_error *error) {
    piaa_http_options http = p->options->http;
    if (!piaa_hub_name_parse(name, &p->name, error)) return false;
    snprintf(p->repository, sizeof p->repository, "%s/%s", p->name.owner, p->name.name);
    if (!choose_endpoint(p, error) || !find_token(p, error)) return false;
    http.token = p->token;
    http.hooks = p->hooks;
    p->http = piaa_http_new(&http, error);
    if (!p->http || !get_list(p, error) || !use_shared(p, &out->shared, error)) return false;
    p->home = piaa_pulled_home(&p->name, error);
    return p->home && get_model(p, out, error) && summarise(p, out, error);
}

bool piaa_model_fetch(const char *name, const piaa_fetch_options *options, piaa_pulled *out,
                      piaa_error *error) {
    static const piaa_fetch_options defaults = {0};
    static const piaa_hooks silence = {0};
    pull p = {.options = options ? options : &defaults};
    p.hooks = p.options->hooks ? p.options->hooks : &silence;
    *out = (piaa_pulled){0};
    const bool ok = run(&p, name, out, error);
    piaa_http_free(p.http);
    piaa_hub_list_free(&p.list);
    free(p.endpoint);
    free(p.token);
    free(p.home);
    free(p.folder);
    free(p.missing);
    if (!ok) piaa_pulled_clear(out);
    return ok;
}

piaa_pulled *piaa_model_pull(const char *name, const piaa_pull_request *request,
                             const piaa_hooks *hooks, piaa_error *error) {
    piaa_fetch_options options = {.hooks = hooks};
    if (piaa_error_pending(error)) return NULL;
    if (request) options.request = *request;
    piaa_pulled *pulled = piaa_alloc(1, sizeof *pulled, error);
    if (pulled && piaa_model_fetch(name, &options, pulled, error)) return pulled;
    free(pulled);
    return NULL;
}

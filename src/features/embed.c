/*
 * Folders of photos into a store.
 *
 * Three passes, so that weights are read once for each set of missing slots: (1) every path is
 * looked up (a stat and a query); (2) paths are grouped by what they lack; (3) each group runs:
 * decoder threads fill a ring of prepared photos in order, this thread takes them in order, runs
 * the model and writes the store.  The ring bounds memory: at most two photos for each decoder
 * thread are waiting.
 */
#include "features/embed.h"

#include "base/hooks.h"
#include "base/memory.h"

#include <errno.h>
#include <glib.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct job {
    piaa_photo file; /* its path, size, times and inode */
    bool known;      /* its content is in the store already: only slots are missing */
    bool done;
    bool *missing; /* by slot */
} job;

typedef struct prepared {
    piaa_model_input *input;
    piaa_photo file; /* as it was when it was read */
    char hash[65];   /* "": it could not be read */
    bool in_store;   /* its content seems to need nothing more, so that it was not decoded */
    piaa_marks marks;
    piaa_error error;
    bool ready;
} prepared;

typedef struct ring {
    const piaa_extractor *extractor;
    const piaa_contents *contents;
    const job *const *jobs;
    size_t count, depth;
    prepared *items; /* [depth]; job i lives in items[i % depth] */
    size_t next;     /* first job that no decoder thread has taken */
    size_t taken;    /* jobs that the model is finished with */
    bool stop;
    pthread_mutex_t lock;
    pthread_cond_t changed;
} ring;

static void hash_bytes(const piaa_photo_file *file, char out[65]) {
    char *digest = g_compute_checksum_for_data(G_CHECKSUM_SHA256, file->bytes, file->size);
    snprintf(out, 65, "%s", digest);
    g_free(digest);
}

/* -------------------------------------------------------------------------------- reading ahead */

static int compare_contents(const void *a, const void *b) {
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

static bool is_in_store(const piaa_contents *contents, const char *hash) {
    uint64_t content = piaa_store_content(hash);
    return contents && contents->count &&
           bsearch(&content, contents->items, contents->count, sizeof content, compare_contents);
}

/* The hash, the pixels and the times come from the same bytes, whatever happens to the file
   meanwhile. */
static prepared prepare_photo(const piaa_extractor *extractor, const char *path,
                              const piaa_contents *contents) {
    prepared result = {.ready = true};
    piaa_photo_file file;
    if (piaa_photo_file_read(&file, path, &result.error)) {
        result.file = piaa_photo_of_file(path, &file.status);
        hash_bytes(&file, result.hash);
        result.in_store = is_in_store(contents, result.hash);
        if (piaa_photo_is_sheet(&file))
            piaa_error_set(&result.error, PIAA_FORMAT,
                           "%s is a contact sheet that piaa drew, and is left out", path);
        else if (!result.in_store)
            result.input = piaa_extractor_prepare(extractor, &file, &result.marks, &result.error);
    }
    piaa_photo_file_free(&file);
    return result;
}

static void *decode_photos(void *argument) {
    ring *r = argument;
    pthread_mutex_lock(&r->lock);
    for (;;) {
        while (!r->stop && r->next < r->count && r->next >= r->taken + r->depth)
            pthread_cond_wait(&r->changed, &r->lock);
        if (r->stop || r->next >= r->count) break;
        size_t index = r->next++;
        pthread_mutex_unlock(&r->lock);
        prepared result = prepare_photo(r->extractor, r->jobs[index]->file.path, r->contents);
        pthread_mutex_lock(&r->lock);
        r->items[index % r->depth] = result;
        pthread_cond_broadcast(&r->changed);
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

static prepared take_photo(ring *r, size_t index) {
    prepared *slot = &r->items[index % r->depth];
    pthread_mutex_lock(&r->lock);
    while (!slot->ready) pthread_cond_wait(&r->changed, &r->lock);
    prepared result = *slot;
    *slot = (prepared){0};
    r->taken = index + 1;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    return result;
}

/* ------------------------------------------------------------------------------------ one photo */

typedef struct run {
    piaa_store *store;
    piaa_extractor *extractor;
    const piaa_hooks *hooks;
    piaa_embed_summary *summary;
    int64_t hidden;          /* photos with colours where they are transparent */
    const piaa_slots *slots; /* the extractor's */
    piaa_contents contents;  /* in the store as the run began */
    bool *missing;           /* scratch, by slot */
    int64_t finished;        /* photos, for the progress bar */
    double began;            /* the first photo was read: seconds */
    int64_t first;           /* what was finished then */
    bool told;               /* how long it will take */
} run;

static void tell_progress(run *r) {
    if (r->hooks && r->hooks->progress)
        r->hooks->progress(r->hooks->user, "Reading photos", r->finished, r->summary->photos);
}

/* Once some photos have been timed, and only of what takes long.  The first one is not counted: it
   may wait for the weights. */
static void tell_duration(run *r) {
    enum { PHOTOS = 4, SECONDS = 10, LONG = 600 };
    const int64_t timed = r->finished - r->first, left = r->summary->photos - r->finished;
    const double now = piaa_seconds_now();
    if (!timed) r->began = now;
    if (r->told || timed < PHOTOS || now - r->began < SECONDS) return;
    const double each = (now - r->began) / (double)timed, all = each * (double)left;
    r->told = true;
    if (all < LONG) return;
    piaa_hooks_note(r->hooks,
                    "The other %lld photos take about %.*f %s (%.1f s each); ended with Ctrl-C, "
                    "the same command goes on from there.",
                    (long long)left, all < 36000 && all >= 5400, all < 5400 ? all / 60 : all / 3600,
                    all < 5400 ? "minutes" : "hours", each);
}

static bool asked_to_stop(const run *r) {
    return r->hooks && r->hooks->stop && r->hooks->stop(r->hooks->user);
}

/* What the operating system refused may work next time, so the file's times are not kept and it is
   tried again; a damaged file is not. */
static bool keep_failure(run *r, piaa_photo photo, const piaa_error *why, piaa_error *error) {
    if (why->code == PIAA_IO || why->code == PIAA_MEMORY) photo.mtime_ns = photo.ctime_ns = 0;
    r->summary->failed++;
    piaa_hooks_warn(r->hooks, "%s", why->message);
    return piaa_store_put_failure(r->store, &photo, why->message, error);
}

/* Vectors of the subset, one after the other in `values`, put where the store expects them. */
static bool put_vectors(run *r, const piaa_photo *photo, const bool *missing, const float *values,
                        piaa_error *error) {
    const float *vectors[PIAA_SLOTS_MOST] = {NULL};
    for (size_t s = 0; s < r->slots->count; s++) {
        if (!missing[s]) continue;
        vectors[s] = values;
        values += r->slots->items[s].dim;
    }
    return piaa_store_put(r->store, photo, vectors, error);
}

/* Whether the store has the photo's content already, which then is all there is to do; -1 an
   error.  A copy of a photo that itself lacks slots is rare, and the vectors that it has are simply
   not written again. */
static int is_copy(run *r, const piaa_photo *photo, piaa_error *error) {
    piaa_photo_state state;
    if (!piaa_store_match(r->store, photo, &state, r->missing, error)) return -1;
    if (state.status != PIAA_PHOTO_COMPLETE) return 0;
    if (state.touched)
        r->summary->unchanged++;
    else
        r->summary->copies++;
    return 1;
}

/* Part of the photo is lost, or it was made of a raw one: that is counted and kept. */
static void mark_photo(run *r, prepared *ready) {
    static const char *const made[] = {[PIAA_RAW_PREVIEW] = "the camera's preview in the raw file",
                                       [PIAA_RAW_DEVELOPED] =
                                           "developed from the raw file at half size"};
    const piaa_marks *marks = &ready->marks;
    r->summary->previews += marks->raw == PIAA_RAW_PREVIEW;
    r->summary->developed += marks->raw == PIAA_RAW_DEVELOPED;
    r->hidden += marks->hidden;
    ready->file.note = made[marks->raw];
    if (!marks->damage[0]) return;
    ready->file.damage = marks->damage;
    r->summary->damaged++;
    piaa_hooks_warn(r->hooks, "%.900s: %s; it is read all the same", ready->file.path,
                    marks->damage);
}

/* One line a run, and no more. */
static void tell_hidden(const run *r) {
    if (!r->hidden) return;
    piaa_hooks_warn(r->hooks,
                    "%lld photo%s transparent parts, and the model sees the colours hidden there: "
                    "--background white or black puts one behind",
                    (long long)r->hidden, r->hidden == 1 ? " has" : "s have");
}

/* true: go on with the next photo. */
static bool finish_photo(run *r, job *j, prepared *ready, const piaa_slots *subset, float *values,
                         size_t value_count, piaa_error *error) {
    if (!ready->hash[0]) return keep_failure(r, j->file, &ready->error, error);
    ready->file.hash = ready->hash;
    if (!j->known || ready->in_store) {
        int copy = is_copy(r, &ready->file, error);
        if (copy) return copy > 0;
    }
    if (ready->in_store) { /* it only seemed so */
        *ready = prepare_photo(r->extractor, j->file.path, NULL);
        j->known = true;
        return finish_photo(r, j, ready, subset, values, value_count, error);
    }
    if (!ready->input) return keep_failure(r, ready->file, &ready->error, error);
    if (!piaa_extractor_run(r->extractor, ready->input, subset, values, error))
        return piaa_error_prefix(error, "%s", j->file.path);
    if (!piaa_values_are_finite(values, value_count)) {
        piaa_error why = {0};
        if (!piaa_extractor_is_sound(r->extractor, subset, values, value_count, error))
            return false;
        piaa_error_set(&why, PIAA_FORMAT,
                       "%s: the model's hidden states are not finite numbers: try --dtype f32",
                       j->file.path);
        return keep_failure(r, ready->file, &why, error);
    }
    r->summary->computed++;
    mark_photo(r, ready);
    return put_vectors(r, &ready->file, j->missing, values, error);
}

/* ------------------------------------------------------------------------------------ one group */

static bool run_group(run *r, job **jobs, size_t count, piaa_error *error) {
    enum { MOST_DECODERS = 4, WAITING_PER_DECODER = 2 };
    const bool *missing = jobs[0]->missing;
    piaa_slots subset = {.items = piaa_alloc(r->slots->count, sizeof *subset.items, error)};
    if (!subset.items) return false;
    size_t value_count = 0;
    for (size_t s = 0; s < r->slots->count; s++)
        if (missing[s]) {
            subset.items[subset.count++] = r->slots->items[s];
            value_count += (size_t)r->slots->items[s].dim;
        }
    int decoders = piaa_extractor_request(r->extractor)->threads;
    if (decoders > MOST_DECODERS) decoders = MOST_DECODERS;
    if ((size_t)decoders > count) decoders = (int)count;
    ring ahead = {.extractor = r->extractor,
                  .contents = &r->contents,
                  .jobs = (const job *const *)jobs,
                  .count = count,
                  .depth = (size_t)decoders * WAITING_PER_DECODER};
    ahead.items = piaa_alloc(ahead.depth, sizeof *ahead.items, error);
    float *values = piaa_alloc_array(value_count, sizeof *values, error);
    bool ok = ahead.items && values;
    pthread_mutex_init(&ahead.lock, NULL);
    pthread_cond_init(&ahead.changed, NULL);
    pthread_t threads[MOST_DECODERS];
    int started = 0;
    while (ok && started < decoders &&
           pthread_create(&threads[started], NULL, decode_photos, &ahead) == 0)
        started++;
    if (ok && !started)
        ok = piaa_error_set(error, PIAA_MEMORY, "no thread could be started to read photos");
    /* While the first photos are decoded. */
    ok = ok && piaa_extractor_load(r->extractor, &subset, error);
    if (ok && piaa_extractor_note(r->extractor))
        piaa_hooks_warn(r->hooks, "%s", piaa_extractor_note(r->extractor));
    for (size_t i = 0; ok && i < count; i++) {
        if (asked_to_stop(r)) {
            ok = piaa_error_set(error, PIAA_STOPPED,
                                "stopped after %lld of %lld photos, all of them kept: run the same "
                                "command again to go on",
                                (long long)r->finished, (long long)r->summary->photos);
            break;
        }
        prepared ready = take_photo(&ahead, i);
        ok = finish_photo(r, jobs[i], &ready, &subset, values, value_count, error);
        piaa_model_input_free(ready.input);
        jobs[i]->done = true;
        r->finished++;
        if (!i) r->first = r->finished;
        tell_duration(r);
        tell_progress(r);
    }
    pthread_mutex_lock(&ahead.lock);
    ahead.stop = true;
    pthread_cond_broadcast(&ahead.changed);
    pthread_mutex_unlock(&ahead.lock);
    for (int i = 0; i < started; i++) pthread_join(threads[i], NULL);
    for (size_t i = 0; ahead.items && i < ahead.depth; i++)
        piaa_model_input_free(ahead.items[i].input);
    pthread_cond_destroy(&ahead.changed);
    pthread_mutex_destroy(&ahead.lock);
    free(ahead.items);
    free(values);
    free(subset.items);
    return ok;
}

/* ------------------------------------------------------------------------------------ the whole */

/* Whether a photo was marked for what is no fault of its own but of the model, the prompt or the
   settings, which earlier versions found out photo by photo: those are tried again unasked. */
static bool is_models_fault(const char *reason) {
    static const char *const parts[] = {
        "the tokenizer has no token",        "the prompt holds <",
        "tokenizer.json belongs to another", "its image processor does not resize",
        "hidden states are not finite",
    };
    for (size_t i = 0; i < PIAA_COUNT(parts); i++)
        if (strstr(reason, parts[i])) return true;
    return false;
}

/* Fills jobs with the photos that have work to do, and `undated` with files whose ctime and inode
   an older store lacks; counts the others. */
static bool look_up(run *r, const char *const *paths, size_t count, job *jobs, size_t *job_count,
                    bool *flags, piaa_photo *undated, piaa_error *error) {
    int64_t failed_before = 0;
    size_t undated_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct stat status;
        job j = {.file = {.path = paths[i], .row = -1},
                 .missing = flags + *job_count * r->slots->count};
        piaa_photo_state state;
        if (stat(j.file.path, &status) != 0) {
            piaa_error why = {0};
            piaa_error_set_errno(&why, errno, "%s", j.file.path);
            if (!keep_failure(r, j.file, &why, error)) return false;
            r->finished++;
            continue;
        }
        j.file = piaa_photo_of_file(j.file.path, &status);
        if (!piaa_store_lookup(r->store, &j.file, &state, j.missing, error)) return false;
        if (state.undated) undated[undated_count++] = j.file;
        if (state.status == PIAA_PHOTO_FAILED && is_models_fault(state.reason))
            state.status = state.row < 0 ? PIAA_PHOTO_CHANGED : PIAA_PHOTO_PARTIAL;
        if (state.status == PIAA_PHOTO_COMPLETE || state.status == PIAA_PHOTO_FAILED) {
            if (state.status == PIAA_PHOTO_COMPLETE) r->summary->unchanged++;
            if (state.status == PIAA_PHOTO_FAILED) failed_before++;
            r->finished++;
            continue;
        }
        j.known = state.status == PIAA_PHOTO_PARTIAL;
        jobs[(*job_count)++] = j;
    }
    if (!piaa_store_date(r->store, undated, undated_count, error)) return false;
    r->summary->failed += failed_before;
    if (failed_before) {
        piaa_hooks_warn(r->hooks,
                        "%lld photo%s could not be read in an earlier run and %s not changed "
                        "since: piaa store list %s --failed shows why, --again tries anew",
                        (long long)failed_before, failed_before == 1 ? "" : "s",
                        failed_before == 1 ? "has" : "have", piaa_store_path(r->store));
    }
    return true;
}

static bool run_groups(run *r, job *jobs, size_t count, piaa_error *error) {
    job **group = piaa_alloc(count, sizeof(job *), error);
    if (!group) return false;
    bool ok = true;
    for (size_t first = 0; ok && first < count; first++) {
        if (jobs[first].done) continue;
        size_t n = 0;
        for (size_t i = first; i < count; i++)
            if (!jobs[i].done &&
                memcmp(jobs[i].missing, jobs[first].missing, r->slots->count * sizeof(bool)) == 0)
                group[n++] = &jobs[i];
        ok = run_group(r, group, n, error);
    }
    free(group);
    return ok;
}

bool piaa_embed_paths(piaa_store *store, piaa_extractor *extractor, const char *const *paths,
                      size_t count, const piaa_hooks *hooks, piaa_embed_summary *summary,
                      piaa_error *error) {
    if (!store) return piaa_error_missing(error, "store");
    if (!extractor) return piaa_error_missing(error, "extractor");
    piaa_embed_summary own;
    run r = {.store = store,
             .extractor = extractor,
             .hooks = hooks,
             .summary = summary ? summary : &own,
             .slots = piaa_extractor_slots(extractor)};
    *r.summary = (piaa_embed_summary){.photos = (int64_t)count};
    double start = piaa_seconds_now();
    job *jobs = piaa_alloc(count, sizeof *jobs, error);
    bool *flags = piaa_alloc(count + 1, r.slots->count * sizeof *flags, error);
    r.missing = piaa_alloc(r.slots->count, sizeof *r.missing, error);
    size_t job_count = 0;
    piaa_photo *undated = piaa_alloc(count, sizeof *undated, error);
    bool ok = jobs && flags && r.missing && undated &&
              look_up(&r, paths, count, jobs, &job_count, flags, undated, error);
    free(undated);
    if (ok && job_count) tell_progress(&r);
    ok = ok && (!job_count || (piaa_extractor_check(extractor, error) &&
                               piaa_store_contents(store, &r.contents, error) &&
                               run_groups(&r, jobs, job_count, error)));
    free(jobs);
    free(flags);
    free(r.missing);
    free(r.contents.items);
    tell_hidden(&r);
    r.summary->seconds = piaa_seconds_now() - start;
    /* The store is brought to the disk whether or not the run came to its end; the first error is
       the one that is told. */
    piaa_error finish = {0};
    if (!piaa_store_finish(store, &finish) && ok) {
        if (error) *error = finish;
        ok = false;
    }
    return ok;
}

piaa_store *piaa_embed_photos(const char *path, piaa_extractor *extractor,
                              const piaa_photos *photos, const piaa_hooks *hooks,
                              piaa_embed_summary *summary, piaa_error *error) {
    if (!extractor) {
        piaa_error_missing(error, "extractor");
        return NULL;
    }
    if (photos && *photos->passed) piaa_hooks_warn(hooks, "passed over: %s", photos->passed);
    piaa_store *store = piaa_store_open_write(path, piaa_extractor_identity(extractor),
                                              piaa_extractor_slots(extractor), hooks, error);
    const bool ok = store &&
                    piaa_embed_paths(store, extractor, photos ? piaa_photos_paths(photos) : NULL,
                                     piaa_photos_count(photos), hooks, summary, error) &&
                    piaa_store_refresh(store, error);
    if (ok) return store;
    piaa_store_close(store);
    return NULL;
}

piaa_store *piaa_embed(const char *path, piaa_extractor *extractor, const char *const *photos,
                       size_t count, const piaa_hooks *hooks, piaa_embed_summary *summary,
                       piaa_error *error) {
    piaa_photos *found = piaa_photos_collect(photos, count, hooks, error);
    if (!found) return NULL;
    piaa_store *store = piaa_embed_photos(path, extractor, found, hooks, summary, error);
    piaa_photos_free(found);
    return store;
}

/*
 * The cheapest settings that these ratings cannot tell from the best.
 *
 * Errors of one photo under two settings go together, because a photo that is rated oddly is missed
 * by both.  So settings are compared photo by photo: d_i is the squared error of photo i left out
 * less that of the best settings, and a setting is good enough if the 95 % interval of the mean of
 * d reaches down to 0.  The best one is the best of many and partly lucky, which errs on the dear
 * side.  All pools and layers of a size and a type of weights are read in one pass; what each costs
 * by itself is timed afterwards, on a few of the photos.
 */
#include "study/economy.h"

#include "base/file.h"
#include "base/hooks.h"
#include "base/memory.h"
#include "linear/near.h"
#include "linear/people.h"
#include "study/rank.h"
#include "vlm/vlm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TIMED_PHOTOS = 3 };

/* What a run works with. */
typedef struct trial {
    piaa_economy *economy;
    piaa_economy_options options; /* filled in */
    piaa_model *model;
    const piaa_ratings *ratings;
    const piaa_hooks *hooks;
    piaa_hooks quiet;   /* the same without warnings, which all but the first pass would repeat */
    const char **paths; /* [path_count] rated photos that are there */
    size_t path_count;
    double *errors; /* [rows][path_count] squared, of photos left out */
    int64_t *group; /* [path_count] which of these are near copies (linear/near.h) */
    size_t passes;
    char *layers; /* where they are the usual ones */
} trial;

/* ------------------------------------------------------------------------------ what is tried */

static void usual_sizes(const piaa_model_info *info, piaa_economy_options *o) {
    enum { MEGAPIXEL = 1 << 20, STEPS = 3 };
    if (info->min_pixels == info->max_pixels) { /* every photo is brought to one size */
        o->sizes[o->size_count++] = info->max_pixels;
        return;
    }
    const int64_t most = info->max_pixels < MEGAPIXEL ? info->max_pixels : MEGAPIXEL;
    for (int step = STEPS - 1; step >= 0; step--)
        if (most >> step >= info->min_pixels || !step) o->sizes[o->size_count++] = most >> step;
}

static void usual_types(const piaa_model_info *info, piaa_economy_options *o) {
    const bool wide = strcmp(info->dtype, "BF16") == 0 || strcmp(info->dtype, "F16") == 0 ||
                      strcmp(info->dtype, "F32") == 0;
    if (wide && info->bytes > (int64_t)1 << 30) {
        o->types[o->type_count++] = PIAA_DTYPE_Q4_K;
        o->types[o->type_count++] = PIAA_DTYPE_Q8_0;
    }
    o->types[o->type_count++] = PIAA_DTYPE_AUTO;
}

static bool fill_in(trial *t, piaa_error *error) {
    const piaa_model_info *info = piaa_model_get_info(t->model);
    piaa_economy_options *o = &t->options;
    const int usual = piaa_default_layer(&info->layout);
    if (!o->request.pools) o->request.pools = info->layout.hidden_size ? "lt,lv,v" : "v";
    if (!o->request.layers) {
        if (info->layout.hidden_size) {
            t->layers =
                piaa_format(error, "default,%d,%d", (usual + 1) / 3, usual + (usual + 1) / 3);
            if (!t->layers) return false;
        }
        o->request.layers = t->layers;
    }
    if (!o->size_count) usual_sizes(info, o);
    if (!o->type_count) usual_types(info, o);
    return true;
}

/* The rated photos that exist. */
static bool list_paths(trial *t, piaa_error *error) {
    const size_t all = piaa_ratings_count(t->ratings);
    if (!(t->paths = piaa_alloc(all + 1, sizeof *t->paths, error)) ||
        !(t->group = piaa_alloc(all + 1, sizeof *t->group, error)))
        return false;
    for (size_t i = 0; i < all; i++) {
        const char *path = piaa_ratings_at(t->ratings, i)->path;
        if (piaa_file_exists(path)) t->paths[t->path_count++] = path;
    }
    return t->path_count >= PIAA_ECONOMY_LEAST ||
           piaa_error_set(error, PIAA_USAGE,
                          "%s rates %zu photo%s that exist%s: with fewer than %d all settings seem "
                          "equally good, so rate more",
                          piaa_ratings_where(t->ratings), t->path_count,
                          t->path_count == 1 ? "" : "s", t->path_count == 1 ? "s" : "",
                          PIAA_ECONOMY_LEAST);
}

/* ------------------------------------------------------------------------------------- seconds */

static int compare_doubles(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static bool stopped(const trial *t, piaa_error *error) {
    return t->hooks && t->hooks->stop && t->hooks->stop(t->hooks->user) &&
           !piaa_error_set(error, PIAA_STOPPED,
                           "stopped; the photos read so far are kept: run the same command again "
                           "to go on");
}

/* Of the slot alone: the first photo is not counted, since the weights are read for it. */
static bool time_slot(trial *t, piaa_extractor *extractor, piaa_slot *slot, double *seconds,
                      piaa_error *error) {
    const piaa_slots one = {.items = slot, .count = 1};
    double taken[TIMED_PHOTOS];
    size_t count = 0, step = t->path_count / (TIMED_PHOTOS + 1);
    float *out = piaa_alloc((size_t)slot->dim, sizeof *out, error);
    bool ok = out && piaa_extractor_load(extractor, &one, error);
    for (size_t i = 0; ok && i <= TIMED_PHOTOS; i++) {
        if (!(ok = !stopped(t, error))) break;
        piaa_model_input *input = piaa_extractor_prepare_path(extractor, t->paths[i * step], NULL);
        if (!input) continue; /* one that cannot be read, which was told */
        const double begin = piaa_seconds_now();
        ok = piaa_extractor_run(extractor, input, &one, out, error);
        if (i) taken[count++] = piaa_seconds_now() - begin;
        piaa_model_input_free(input);
    }
    free(out);
    qsort(taken, count, sizeof *taken, compare_doubles);
    *seconds = count ? taken[count / 2] : NAN;
    return ok;
}

/* -------------------------------------------------------------------------------------- errors */

/* What the best settings so far take for near copies is so for all: comparisons are between equal
   lists. */
static void keep_best(trial *t, const piaa_taste *taste, piaa_economy_row *row) {
    t->economy->best = row;
    t->economy->verdict = piaa_taste_verdict(taste);
    memcpy(t->group, taste->near->group, (size_t)taste->ratings * sizeof *t->group);
}

static bool learn(trial *t, const piaa_reader *reader, size_t s, piaa_economy_row *row,
                  piaa_error *error) {
    piaa_economy *e = t->economy;
    piaa_taste *taste =
        piaa_taste_learn(piaa_reader_store(reader), (int)s, t->ratings, NULL, error);
    if (!taste) return false;
    double *errors = t->errors + (size_t)(row - e->rows) * t->path_count;
    for (int64_t i = 0; i < taste->ratings; i++) {
        const double off = taste->unseen[i] - taste->scores[i];
        errors[i] = off * off;
    }
    e->ratings = taste->ratings;
    row->rmse = taste->loo_rmse;
    row->spearman = taste->loo_spearman;
    if (!e->best || row->rmse < e->best->rmse) keep_best(t, taste, row);
    piaa_taste_free(taste);
    return true;
}

/* ------------------------------------------------------------------------------------ one pass */

static bool try_slots(trial *t, const piaa_reader *reader, const piaa_request *request,
                      piaa_error *error) {
    piaa_economy *e = t->economy;
    piaa_extractor *extractor = piaa_reader_extractor(reader);
    const piaa_slots *slots = piaa_extractor_slots(extractor);
    for (size_t s = 0; s < slots->count; s++) {
        piaa_economy_row *row = &e->rows[e->count];
        *row = (piaa_economy_row){.max_pixels = request->max_pixels,
                                  .type = request->dtype,
                                  .slot = slots->items[s],
                                  .worse = NAN,
                                  .low = NAN,
                                  .high = NAN};
        const int column =
            piaa_store_find_slot(piaa_reader_store(reader), row->slot.pool, row->slot.layer);
        if (!learn(t, reader, (size_t)column, row, error) ||
            !time_slot(t, extractor, &row->slot, &row->seconds, error))
            return false;
        e->count++;
    }
    return true;
}

static bool pass(trial *t, int64_t size, piaa_dtype type, piaa_error *error) {
    piaa_economy *e = t->economy;
    piaa_request request = t->options.request;
    request.max_pixels = size;
    request.dtype = type;
    piaa_reader *reader = piaa_reader_new(t->model, &request, error);
    if (!reader) return false;
    if (!e->rows) {
        const size_t rows = t->options.size_count * t->options.type_count *
                            piaa_extractor_slots(piaa_reader_extractor(reader))->count;
        e->rows = piaa_alloc(rows, sizeof *e->rows, error);
        t->errors = piaa_alloc_array(rows * t->path_count, sizeof *t->errors, error);
    }
    const piaa_hooks *hooks = t->passes++ ? &t->quiet : t->hooks;
    const bool ok = e->rows && t->errors &&
                    piaa_reader_open_store(reader, NULL, false, hooks, error) &&
                    piaa_reader_read_paths(reader, t->paths, t->path_count, hooks, NULL, error) &&
                    try_slots(t, reader, &request, error);
    piaa_reader_free(reader);
    return ok;
}

/* --------------------------------------------------------------------------------------- advice */

/* The means of the groups' errors; how many groups. */
static size_t group_errors(const trial *t, const piaa_economy_row *row, double *out) {
    const double *errors = t->errors + (size_t)(row - t->economy->rows) * t->path_count;
    size_t groups = 0;
    for (int64_t i = 0; i < t->economy->ratings; i++) {
        if (t->group[i] != i) continue;
        double sum = 0, members = 0;
        for (int64_t k = i; k < t->economy->ratings; k++) {
            sum += t->group[k] == i ? errors[k] : 0;
            members += t->group[k] == i;
        }
        out[groups++] = sum / members;
    }
    return groups;
}

static bool compare(trial *t, double *own, double *best, piaa_error *error) {
    piaa_economy *e = t->economy;
    const size_t groups = group_errors(t, e->best, best);
    for (size_t i = 0; i < e->count; i++) {
        piaa_economy_row *row = &e->rows[i];
        piaa_interval difference;
        double p;
        row->enough = row == e->best;
        if (row->enough) continue;
        group_errors(t, row, own);
        if (!piaa_people_compare(own, best, groups, PIAA_BOOTSTRAP_DRAWS, 0, &difference, &p,
                                 error))
            return false;
        row->worse = difference.mean;
        row->low = difference.low;
        row->high = difference.high;
        row->enough = !(difference.low > 0);
    }
    return true;
}

static bool advise(trial *t, piaa_error *error) {
    piaa_economy *e = t->economy;
    double *own = piaa_alloc(t->path_count, sizeof *own, error),
           *best = piaa_alloc(t->path_count, sizeof *best, error);
    const bool ok = own && best && compare(t, own, best, error);
    free(own);
    free(best);
    if (!ok || e->verdict != PIAA_LEARNED) return ok;
    e->advised = e->best;
    for (size_t i = 0; i < e->count; i++)
        if (e->rows[i].enough && e->rows[i].seconds < e->advised->seconds) e->advised = &e->rows[i];
    return true;
}

static bool run(trial *t, piaa_error *error) {
    if (!fill_in(t, error) || !list_paths(t, error)) return false;
    const piaa_economy_options *o = &t->options;
    for (size_t size = 0; size < o->size_count; size++)
        for (size_t type = 0; type < o->type_count; type++)
            if (!pass(t, o->sizes[size], o->types[type], error)) return false;
    return advise(t, error);
}

bool piaa_economy_run(piaa_economy *economy, piaa_model *model, const piaa_ratings *ratings,
                      const piaa_economy_options *options, const piaa_hooks *hooks,
                      piaa_error *error) {
    *economy = (piaa_economy){0};
    trial t = {.economy = economy,
               .options = *options,
               .model = model,
               .ratings = ratings,
               .hooks = hooks,
               .quiet = hooks ? *hooks : (piaa_hooks){0}};
    t.quiet.warn = NULL;
    const bool ok = run(&t, error);
    free(t.paths);
    free(t.errors);
    free(t.group);
    free(t.layers);
    if (!ok) piaa_economy_free(economy);
    return ok;
}

void piaa_economy_free(piaa_economy *economy) {
    free(economy->rows);
    *economy = (piaa_economy){0};
}

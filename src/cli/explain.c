/* piaa explain: which attributes drive a person's score for a photo. */
#include "study/explain.h"

#include "base/visible.h"
#include "cli/commands.h"
#include "cli/request.h"
#include "report/report.h"
#include "study/joined.h"
#include "vlm/slots.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FEW_PHOTOS = 20, SHOWN = 5 };

typedef struct explaining {
    piaa_call *call;
    piaa_reader *reader;
    const piaa_taste *taste;
    const piaa_explanation *about;
    const piaa_photos *photos;
    piaa_joined joined;                 /* what the taste reads */
    double *attributes, *contributions; /* [count] of the photo in hand */
    double *layers;                     /* [slots of the taste] what each adds to its score */
    int *order;                         /* [count] by size of the contribution */
} explaining;

static const float *vector_of(explaining *e, const char *path) {
    return piaa_joined_vector(&e->joined, piaa_store_find(piaa_reader_store(e->reader), path).row);
}

/* The photo's contributions, largest first.  false without an error: it has no features, and its
   reading said why. */
static bool look(explaining *e, const char *path, piaa_explained_photo *out, piaa_error *error) {
    const float *x = vector_of(e, path);
    if (!x || !piaa_explain_photo(e->about, x, e->attributes, e->contributions, out, error))
        return false;
    piaa_explain_slots(e->taste, x, e->layers);
    for (int k = 0; k < e->about->count; k++) {
        int at = k;
        for (; at && fabs(e->contributions[e->order[at - 1]]) < fabs(e->contributions[k]); at--)
            e->order[at] = e->order[at - 1];
        e->order[at] = k;
    }
    return true;
}

/* The attributes in the order of their weights, the largest first. */
static void sort_by_weight(explaining *e) {
    const piaa_explanation *about = e->about;
    for (int k = 0; k < about->count; k++) {
        int at = k;
        for (; at && fabs(about->signed_weights[e->order[at - 1]]) < fabs(about->signed_weights[k]);
             at--)
            e->order[at] = e->order[at - 1];
        e->order[at] = k;
    }
}

static bool write_table(explaining *e, piaa_text *out, piaa_error *error) {
    const piaa_explanation *about = e->about;
    piaa_text_format(out, error, "weight  attribute (score points per standard deviation)\n");
    sort_by_weight(e);
    for (int k = 0; k < about->count; k++) {
        piaa_text_format(out, error, "%+6.2f  ", about->signed_weights[e->order[k]]);
        piaa_visible_add(out, about->projection->names[e->order[k]], error);
        piaa_text_format(out, error, "\n");
    }
    for (size_t i = 0; i < piaa_photos_count(e->photos); i++) {
        piaa_explained_photo photo;
        if (!look(e, piaa_photos_paths(e->photos)[i], &photo, error)) {
            if (piaa_error_pending(error)) return false;
            continue;
        }
        piaa_text_format(out, error, "\n");
        piaa_visible_add(out, piaa_photos_names(e->photos)[i], error);
        piaa_text_format(out, error,
                         "\n  score %.2f = average %.2f %+.2f from attributes %+.2f from what "
                         "they do not account for\n ",
                         photo.score, about->average_score, photo.accounted, photo.rest);
        const piaa_slots *slots = &e->taste->slots;
        for (size_t k = 0; slots->count > 1 && k < slots->count; k++)
            piaa_text_format(out, error, "%s%+.2f %s%s", k ? ", " : " ", e->layers[k],
                             piaa_slot_name(&slots->items[k]).text,
                             k + 1 < slots->count ? "" : "\n ");
        for (int k = 0; k < about->count && k < SHOWN; k++) {
            piaa_text_format(out, error, "%s%+.2f ", k ? ", " : " ", e->contributions[e->order[k]]);
            piaa_visible_add(out, about->projection->names[e->order[k]], error);
        }
        piaa_text_format(out, error, "\n");
    }
    return !out->failed;
}

static void add_digits(piaa_text *out, double value, piaa_error *error) {
    char digits[32];
    piaa_report_digits(value, digits);
    piaa_text_format(out, error, ",%s", digits);
}

static bool write_csv(explaining *e, piaa_text *out, piaa_error *error) {
    const piaa_explanation *about = e->about;
    const piaa_slots *slots = &e->taste->slots;
    const size_t layers = slots->count > 1 ? slots->count : 0;
    piaa_text_format(out, error, "path,score,average,accounted,rest");
    for (size_t k = 0; k < layers; k++)
        piaa_text_format(out, error, ",%s", piaa_slot_name(&slots->items[k]).text);
    for (int k = 0; k < about->count; k++) {
        piaa_text_format(out, error, ",");
        piaa_report_add_field(out, about->projection->names[k], error);
    }
    piaa_text_format(out, error, "\n");
    for (size_t i = 0; i < piaa_photos_count(e->photos); i++) {
        piaa_explained_photo photo;
        if (!look(e, piaa_photos_paths(e->photos)[i], &photo, error)) {
            if (piaa_error_pending(error)) return false;
            continue;
        }
        piaa_report_add_field(out, piaa_photos_names(e->photos)[i], error);
        add_digits(out, photo.score, error);
        add_digits(out, about->average_score, error);
        add_digits(out, photo.accounted, error);
        add_digits(out, photo.rest, error);
        for (size_t k = 0; k < layers; k++) add_digits(out, e->layers[k], error);
        for (int k = 0; k < about->count; k++) add_digits(out, e->contributions[k], error);
        piaa_text_format(out, error, "\n");
    }
    return !out->failed;
}

static bool build_json(explaining *e, piaa_json_build *out, piaa_error *error) {
    const piaa_explanation *about = e->about;
    cJSON *root = out->root,
          *attributes = piaa_json_put(out, root, "attributes", cJSON_CreateArray());
    piaa_report_put_number(out, root, "average_score", about->average_score);
    piaa_report_put_number(out, root, "explained", about->explained);
    piaa_report_put_number(out, root, "explained_seen", about->explained_seen);
    piaa_report_put_number(out, root, "learned_from", (double)about->photos);
    for (int k = 0; k < about->count; k++) {
        cJSON *item = piaa_json_put(out, attributes, NULL, cJSON_CreateObject());
        piaa_json_put_text(out, item, "name", about->projection->names[k]);
        piaa_report_put_number(out, item, "weight", about->signed_weights[k]);
        piaa_report_put_number(out, item, "average", about->average[k]);
        piaa_report_put_number(out, item, "trust", about->projection->loo_spearman[k]);
    }
    cJSON *photos = piaa_json_put(out, root, "photos", cJSON_CreateArray());
    for (size_t i = 0; i < piaa_photos_count(e->photos); i++) {
        piaa_explained_photo photo;
        if (!look(e, piaa_photos_paths(e->photos)[i], &photo, error)) {
            if (piaa_error_pending(error)) return false;
            continue;
        }
        cJSON *item = piaa_json_put(out, photos, NULL, cJSON_CreateObject());
        piaa_json_put_text(out, item, "path", piaa_photos_names(e->photos)[i]);
        piaa_report_put_number(out, item, "score", photo.score);
        piaa_report_put_number(out, item, "accounted", photo.accounted);
        piaa_report_put_number(out, item, "rest", photo.rest);
        const piaa_slots *slots = &e->taste->slots;
        cJSON *layers =
            slots->count > 1 ? piaa_json_put(out, item, "layers", cJSON_CreateObject()) : NULL;
        for (size_t k = 0; layers && k < slots->count; k++)
            piaa_report_put_number(out, layers, piaa_slot_name(&slots->items[k]).text,
                                   e->layers[k]);
        cJSON *parts = piaa_json_put(out, item, "contributions", cJSON_CreateObject());
        for (int k = 0; k < about->count; k++)
            piaa_report_put_number(out, parts, about->projection->names[k], e->contributions[k]);
    }
    return true;
}

static bool write_json(explaining *e, piaa_error *error) {
    piaa_json_build out = {.root = cJSON_CreateObject()};
    bool ok =
        build_json(e, &out, error) && piaa_report_write_json(stdout, piaa_json_built(&out), error);
    cJSON_Delete(out.root);
    return ok;
}

static bool show(explaining *e, piaa_error *error) {
    size_t n = (size_t)e->about->count;
    e->attributes = piaa_alloc(n, sizeof *e->attributes, error);
    e->contributions = piaa_alloc(n, sizeof *e->contributions, error);
    e->order = piaa_alloc(n, sizeof *e->order, error);
    e->layers = piaa_alloc(e->taste->slots.count, sizeof *e->layers, error);
    piaa_text text = {0};
    bool ok = e->attributes && e->contributions && e->order && e->layers;
    if (ok && piaa_call_has(e->call, "json"))
        ok = write_json(e, error);
    else if (ok)
        ok = (piaa_call_has(e->call, "csv") ? write_csv : write_table)(e, &text, error) &&
             piaa_report_write(stdout, text.data, text.length, error);
    if (ok && e->about->explained > 0)
        piaa_talk_note(&e->call->talk,
                       "The attributes account for %.0f %% of the differences between the scores "
                       "of unseen photos (R2 over %lld photos).",
                       100 * e->about->explained, (long long)e->about->photos);
    else if (ok)
        piaa_talk_note(&e->call->talk,
                       "The attributes do not account for the differences between the scores of "
                       "unseen photos (R2 %.2f over %lld photos): "
                       "read the contributions as noise.",
                       e->about->explained, (long long)e->about->photos);
    free(text.data);
    free(e->attributes);
    free(e->contributions);
    free(e->order);
    free(e->layers);
    return ok;
}

/* The person's photos: those that were rated, or the ones to explain. */
static piaa_explanation *learn(explaining *e, const piaa_projection *projection,
                               const char *const *own, size_t count, piaa_error *error) {
    const size_t dim = (size_t)e->taste->dim;
    int64_t n = 0;
    piaa_explanation *about = NULL;
    float *x = piaa_alloc_array(count * dim, sizeof *x, error);
    for (size_t i = 0; x && i < count; i++) {
        const float *vector = vector_of(e, own[i]);
        if (vector) memcpy(x + (size_t)n++ * dim, vector, dim * sizeof *x);
    }
    if (x && n > 1 && n < FEW_PHOTOS)
        piaa_talk_warn(&e->call->talk,
                       "%lld photos are few to tell attributes apart: give the person's rated "
                       "photos with --ratings",
                       (long long)n);
    if (x && !n)
        piaa_error_set(error, PIAA_FORMAT,
                       "none of the photos could be read: there is nothing to explain");
    else if (x && n == 1)
        piaa_error_set(error, PIAA_USAGE,
                       "one photo has no other to be compared with: give the person's rated photos "
                       "with --ratings");
    else if (x)
        about = piaa_explain(e->taste, projection, x, NULL, n, error);
    free(x);
    return about;
}

/* The rated photos that exist: they are read too. */
static bool add_rated(const piaa_ratings *ratings, piaa_photos *photos, piaa_paths *own,
                      piaa_error *error) {
    for (size_t i = 0; i < piaa_ratings_count(ratings); i++) {
        const char *path = piaa_ratings_at(ratings, i)->path;
        if (piaa_file_exists(path) &&
            (!piaa_paths_add(own, path, error) || !piaa_photos_read_also(photos, path, error)))
            return false;
    }
    if (!own->count)
        return piaa_error_set(error, PIAA_MISMATCH,
                              "none of the photos in %s exists: correct the paths",
                              piaa_ratings_where(ratings));
    return true;
}

static bool explain(piaa_call *call, piaa_reader *reader, const piaa_taste *taste,
                    const piaa_projection *projection, piaa_error *error) {
    piaa_photos *photos = piaa_call_photos(call, error);
    piaa_paths own = {0};
    bool rated = piaa_call_has(call, "ratings");
    piaa_ratings *ratings = NULL;
    explaining e = {.call = call, .reader = reader, .taste = taste, .photos = photos};
    bool ok = photos &&
              (!rated || ((ratings = piaa_call_ratings(call, photos, error)) &&
                          add_rated(ratings, photos, &own, error))) &&
              piaa_call_open_store(call, reader, piaa_call_value(call, "store"), error) &&
              piaa_call_read(call, reader, photos, NULL, error);
    ok = ok && piaa_joined_open(&e.joined, piaa_reader_store(reader), taste->slots.items,
                                taste->slots.count, NULL, error);
    piaa_explanation *about =
        ok ? learn(&e, projection,
                   rated ? (const char *const *)own.items : piaa_photos_paths(photos),
                   rated ? own.count : piaa_photos_count(photos), error)
           : NULL;
    e.about = about;
    if (about && piaa_taste_verdict(taste) != PIAA_LEARNED)
        piaa_taste_doubt(taste, &call->talk.hooks);
    ok = about && show(&e, error);
    piaa_explanation_free(about);
    piaa_joined_close(&e.joined);
    piaa_ratings_free(ratings);
    piaa_photos_free(photos);
    piaa_paths_free(&own);
    return ok;
}

static bool run(piaa_call *call, piaa_error *error) {
    if (!piaa_call_need(call, "taste", error) || !piaa_call_need(call, "projection", error) ||
        !piaa_call_exclude(call, "json", "csv", error))
        return false;
    piaa_request like, request;
    char layer[16];
    piaa_taste *taste = piaa_taste_load(piaa_call_value(call, "taste"), error);
    piaa_projection *projection =
        taste ? piaa_projection_load(piaa_call_value(call, "projection"), error) : NULL;
    bool ok = projection && piaa_explain_place(taste, projection, error) >= 0;
    if (ok) piaa_request_like(&taste->identity, &taste->slot, layer, &like);
    if (ok && taste->slots.count > 1) piaa_taste_request(taste, &like);
    piaa_model *model = ok && piaa_call_request(call, &like, &request, error)
                            ? piaa_call_model_like(call, &taste->identity, error)
                            : NULL;
    piaa_reader *reader = model ? piaa_reader_new(model, &request, error) : NULL;
    if (reader) piaa_call_tell_demonstration(call, piaa_model_get_info(model)->demonstration);
    ok = reader && piaa_call_need_one(&request, reader, error) &&
         piaa_taste_fits_slots(taste, piaa_extractor_identity(piaa_reader_extractor(reader)),
                               piaa_extractor_slots(piaa_reader_extractor(reader)), error) &&
         explain(call, reader, taste, projection, error);
    piaa_reader_free(reader);
    piaa_model_close(model);
    piaa_projection_free(projection);
    piaa_taste_free(taste);
    return ok;
}

static const piaa_option options[] = {
    {"taste", "FILE", "the taste that piaa fit wrote", NULL, NULL},
    {"projection", "FILE", "the attributes that piaa reduce wrote", NULL, NULL},
    {"ratings", "FILE",
     "the table of the person's ratings, whose photos the average is taken over; xmp: the stars in "
     "the PHOTOS and their sidecars",
     "the PHOTOS themselves", NULL},
    PIAA_OPTION_USER,
    PIAA_OPTION_USER_COLUMN,
    {"store", "STORE", "folder where the photos' features are kept", "one in ~/.cache/piaa/stores",
     NULL},
    PIAA_OPTION_AGAIN,
    {0},
};

static const piaa_option print_options[] = {
    {"json", NULL, "print JSON", NULL, NULL},
    {"csv", NULL, "print CSV: path,score,average,accounted,rest and each attribute's contribution",
     NULL, NULL},
    {0},
};

const piaa_command piaa_command_explain = {
    .name = "explain",
    .summary = "Say which attributes drive a person's score for a photo",
    .example = "piaa reduce --data aadb:AADB --out projection.json\n"
               "piaa explain holiday/beach.jpg --taste taste.json --projection projection.json "
               "--ratings ratings.csv\n",
    .operands = "PHOTOS…",
    .least = 1,
    .most = -1,
    .groups = {{"Taste and attributes", options},
               {"What is printed", print_options},
               {"How photos are read", piaa_request_options}},
    .notes = "The taste's scores are regressed on the attributes that the projection reads off the "
             "same features. A photo's score is then the "
             "person's average, and what each attribute adds or takes because the photo has more "
             "or less of it than the person's average "
             "photo, and a rest that the attributes do not account for.",
    .run = run,
};

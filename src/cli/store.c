/* piaa store info, list, prune, verify and merge; pack.c has pack and split. */
#include "features/store.h"
#include "base/visible.h"
#include "cli/commands.h"
#include "cli/show.h"
#include "report/report.h"

#include <stdlib.h>
#include <string.h>

static const char *const keys[] = {"model",         "family", "fingerprint", "prompt",
                                   "preprocessing", "dtype",  "library"};

/* ----------------------------------------------------------------------------------------- info */

static bool info_text(const piaa_store *store, piaa_text *out, piaa_error *error) {
    piaa_store_counts counts = piaa_store_count(store);
    bool ok = piaa_text_format(out, error, "store          ") &&
              piaa_visible_add(out, piaa_store_path(store), error) &&
              piaa_text_format(out, error,
                               "\nphotos         %lld, %lld of them unreadable, %lld "
                               "incomplete, %lld damaged, %zu gone\nrows           %lld\n",
                               (long long)counts.photos, (long long)counts.failed,
                               (long long)counts.partial, (long long)counts.damaged,
                               piaa_show_gone(store), (long long)counts.rows);
    for (size_t i = 0; ok && i < PIAA_COUNT(keys); i++) {
        const char *value = piaa_store_meta(store, keys[i]);
        ok = piaa_text_format(out, error, "%-13s  ", keys[i]) &&
             piaa_visible_add(out, value ? value : "", error) && piaa_text_format(out, error, "\n");
    }
    const char *packing = piaa_packing_name(piaa_store_packing(store));
    if (ok && packing) ok = piaa_text_format(out, error, "packed         %s\n", packing);
    const piaa_slots *slots = piaa_store_slots(store);
    for (size_t i = 0; ok && i < slots->count; i++)
        ok = piaa_text_format(out, error, "matrix         %s.npy, %d columns, %lld rows filled\n",
                              piaa_slot_name(&slots->items[i]).text, slots->items[i].dim,
                              (long long)piaa_store_filled(store, (int)i));
    return ok;
}

static cJSON *info_json(const piaa_store *store) {
    piaa_store_counts counts = piaa_store_count(store);
    cJSON *root = cJSON_CreateObject();
    cJSON_AddItemToObject(root, "store", cJSON_CreateString(piaa_store_path(store)));
    piaa_report_add_integer(root, "photos", counts.photos);
    piaa_report_add_integer(root, "unreadable", counts.failed);
    piaa_report_add_integer(root, "incomplete", counts.partial);
    piaa_report_add_integer(root, "damaged", counts.damaged);
    piaa_report_add_integer(root, "gone", (int64_t)piaa_show_gone(store));
    piaa_report_add_integer(root, "rows", counts.rows);
    piaa_report_add_integer(root, "orphans", counts.orphans);
    for (size_t i = 0; i < PIAA_COUNT(keys); i++) {
        const char *value = piaa_store_meta(store, keys[i]);
        cJSON_AddItemToObject(root, keys[i], cJSON_CreateString(value ? value : ""));
    }
    const char *packing = piaa_packing_name(piaa_store_packing(store));
    cJSON_AddItemToObject(root, "packed",
                          packing ? cJSON_CreateString(packing) : cJSON_CreateNull());
    cJSON *matrices = cJSON_AddArrayToObject(root, "matrices");
    const piaa_slots *slots = piaa_store_slots(store);
    for (size_t i = 0; i < slots->count; i++) {
        cJSON *item = cJSON_CreateObject();
        char file[64];
        snprintf(file, sizeof file, "%s.npy", piaa_slot_name(&slots->items[i]).text);
        cJSON_AddStringToObject(item, "file", file);
        cJSON_AddStringToObject(item, "pool", piaa_pool_name(slots->items[i].pool));
        piaa_report_add_integer(item, "layer", slots->items[i].layer);
        piaa_report_add_integer(item, "columns", slots->items[i].dim);
        piaa_report_add_integer(item, "filled", piaa_store_filled(store, (int)i));
        cJSON_AddItemToArray(matrices, item);
    }
    return root;
}

static bool run_info(piaa_call *call, piaa_error *error) {
    piaa_store *store = piaa_store_open_read(call->operands[0], &call->talk.hooks, error);
    if (!store) return false;
    bool ok;
    if (piaa_call_has(call, "json")) {
        cJSON *root = info_json(store);
        ok = piaa_report_write_json(stdout, root, error);
        cJSON_Delete(root);
    } else {
        piaa_text text = {0};
        ok = info_text(store, &text, error) &&
             piaa_report_write(stdout, text.data, text.length, error);
        free(text.data);
    }
    piaa_store_close(store);
    return ok;
}

/* ----------------------------------------------------------------------------------------- list */

static void list_text(const piaa_photo *photo, piaa_text *out, piaa_error *error) {
    const char *const remarks[] = {photo->error, photo->damage, photo->note};
    if (photo->row < 0)
        piaa_text_format(out, error, "     -  ");
    else
        piaa_text_format(out, error, "%6lld  ", (long long)photo->row);
    piaa_visible_add(out, photo->path, error);
    for (size_t i = 0; i < PIAA_COUNT(remarks); i++) {
        if (!remarks[i]) continue;
        piaa_text_format(out, error, "\n        ");
        piaa_visible_add(out, remarks[i], error);
    }
    piaa_text_format(out, error, "\n");
}

static void list_csv(const piaa_photo *photo, piaa_text *out, piaa_error *error) {
    const char *const remarks[] = {photo->error, photo->damage, photo->note};
    piaa_report_add_field(out, photo->path, error);
    piaa_text_format(out, error, ",%lld,%lld,%s,", (long long)photo->size,
                     (long long)photo->mtime_ns, photo->hash ? photo->hash : "");
    if (photo->row >= 0) piaa_text_format(out, error, "%lld", (long long)photo->row);
    for (size_t i = 0; i < PIAA_COUNT(remarks); i++) {
        piaa_text_format(out, error, ",");
        piaa_report_add_field(out, remarks[i] ? remarks[i] : "", error);
    }
    piaa_text_format(out, error, "\n");
}

static cJSON *text_or_null(const char *text) {
    return text ? cJSON_CreateString(text) : cJSON_CreateNull();
}

static void list_json(const piaa_photo *photo, piaa_json_build *out) {
    cJSON *item = piaa_json_put(out, out->root, NULL, cJSON_CreateObject());
    piaa_json_put_text(out, item, "path", photo->path);
    piaa_report_put_integer(out, item, "size", photo->size);
    piaa_report_put_integer(out, item, "mtime_ns", photo->mtime_ns);
    piaa_json_put(out, item, "hash", text_or_null(photo->hash));
    piaa_json_put(out, item, "row",
                  photo->row >= 0 ? piaa_report_integer(photo->row) : cJSON_CreateNull());
    piaa_json_put(out, item, "error", text_or_null(photo->error));
    piaa_json_put(out, item, "damage", text_or_null(photo->damage));
    piaa_json_put(out, item, "note", text_or_null(photo->note));
}

/* Whether the options want this one. */
static bool is_listed(const piaa_call *call, const piaa_photo *photo) {
    const bool failed = piaa_call_has(call, "failed"), damaged = piaa_call_has(call, "damaged");
    return (!failed && !damaged) || (failed && photo->error) || (damaged && photo->damage);
}

/* Output that is written piece by piece, since a list may be longer than memory is large. */
typedef struct listing {
    piaa_text text;
    bool json, csv;
    size_t listed;
    bool gone; /* nobody reads any more */
} listing;

static bool flush(listing *l, piaa_error *error) {
    const bool ok =
        !l->text.failed && piaa_report_write(stdout, l->text.data, l->text.length, error);
    l->gone = ferror(stdout);
    l->text.length = 0;
    return ok;
}

/* As one item of a printed array, without its brackets. */
static bool add_json(listing *l, const piaa_photo *photo, piaa_error *error) {
    piaa_json_build out = {.root = cJSON_CreateArray()};
    list_json(photo, &out);
    char *text = piaa_json_print(piaa_json_built(&out), true, error);
    const bool ok = text &&
                    piaa_text_add(&l->text, l->listed ? ", " : "[", l->listed ? 2 : 1, error) &&
                    piaa_text_add(&l->text, text + 1, strlen(text) - strlen("[]\n"), error);
    free(text);
    cJSON_Delete(out.root);
    return ok;
}

static bool add_photo(listing *l, const piaa_photo *photo, piaa_error *error) {
    if (l->json) {
        if (!add_json(l, photo, error)) return false;
    } else {
        (l->csv ? list_csv : list_text)(photo, &l->text, error);
    }
    l->listed++;
    return !l->text.failed;
}

static bool list_all(const piaa_call *call, const piaa_store *store, listing *l,
                     piaa_error *error) {
    enum { PIECE = 1 << 16 };
    if (l->csv)
        piaa_text_format(&l->text, error, "path,size,mtime_ns,hash,row,error,damage,note\n");
    for (size_t i = 0; i < piaa_store_photos(store) && !l->gone; i++) {
        const piaa_photo photo = piaa_store_photo(store, i);
        if (is_listed(call, &photo) && !add_photo(l, &photo, error)) return false;
        if (l->text.length >= PIECE && !flush(l, error)) return false;
    }
    if (l->json) piaa_text_format(&l->text, error, l->listed ? "]\n" : "[]\n");
    return l->gone || flush(l, error);
}

static bool run_list(piaa_call *call, piaa_error *error) {
    if (!piaa_call_exclude(call, "json", "csv", error)) return false;
    piaa_store *store = piaa_store_open_read(call->operands[0], &call->talk.hooks, error);
    listing l = {.json = piaa_call_has(call, "json"), .csv = piaa_call_has(call, "csv")};
    const bool ok = store && list_all(call, store, &l, error);
    free(l.text.data);
    piaa_store_close(store);
    return ok;
}

/* ---------------------------------------------------------------------------------------- prune */

static bool run_prune(piaa_call *call, piaa_error *error) {
    int64_t pruned;
    if (!piaa_store_prune(call->operands[0], &call->talk.hooks, &pruned, error)) return false;
    if (pruned)
        piaa_talk_note(&call->talk, "%lld photo%s gone and forgotten.", (long long)pruned,
                       pruned == 1 ? " was" : "s were");
    else
        piaa_talk_note(&call->talk, "Every photo of the store is there.");
    return true;
}

/* ----------------------------------------------------------------------------- verify and merge */

static bool run_verify(piaa_call *call, piaa_error *error) {
    const char *path = call->operands[0];
    const bool forget = piaa_call_has(call, "forget");
    int64_t damaged;
    piaa_talk_catch_stop(&call->talk);
    const bool ok = piaa_store_verify(path, forget, &call->talk.hooks, &damaged, error);
    piaa_talk_clear(&call->talk);
    if (!ok) return false;
    if (!damaged) {
        piaa_talk_note(&call->talk, "Every vector of the store is as it was written.");
        return true;
    }
    if (forget) {
        piaa_talk_note(&call->talk,
                       "%lld row%s forgotten: run piaa embed on the photos to compute them anew.",
                       (long long)damaged, damaged == 1 ? " was" : "s were");
        return true;
    }
    const bool one = damaged == 1;
    if (!piaa_store_is_packed(path))
        return piaa_error_set(error, PIAA_FORMAT,
                              "%lld row%s of %s %s not what was written: piaa store verify %s "
                              "--forget, then piaa embed on the photos, computes them anew",
                              (long long)damaged, one ? "" : "s", path, one ? "is" : "are", path);
    return piaa_error_set(error, PIAA_FORMAT,
                          "%lld row%s of %s %s not what was written: pack the store again from the "
                          "one it was made of",
                          (long long)damaged, one ? "" : "s", path, one ? "is" : "are");
}

static bool run_merge(piaa_call *call, piaa_error *error) {
    if (!piaa_call_need(call, "out", error)) return false;
    piaa_talk_catch_stop(&call->talk);
    const bool ok = piaa_store_merge(piaa_call_value(call, "out"), call->operands,
                                     call->operand_count, &call->talk.hooks, error);
    piaa_talk_clear(&call->talk);
    return ok;
}

/* --------------------------------------------------------------------------------------- tables */

static const piaa_option info_options[] = {{"json", NULL, "print JSON", NULL, NULL}, {0}};

static const piaa_option list_options[] = {
    {"failed", NULL, "only photos that could not be read", NULL, NULL},
    {"damaged", NULL, "only photos that were read though a part of them is lost", NULL, NULL},
    {"json", NULL, "print JSON", NULL, NULL},
    {"csv", NULL, "print CSV: path,size,mtime_ns,hash,row,error,damage,note", NULL, NULL},
    {0},
};

const piaa_command piaa_command_store_info = {
    .name = "store info",
    .summary = "Say what a feature store holds and what it was made with",
    .example = "piaa store info holiday.store\n",
    .operands = "STORE",
    .least = 1,
    .most = 1,
    .groups = {{"Options", info_options}},
    .run = run_info,
};

const piaa_command piaa_command_store_list = {
    .name = "store list",
    .summary = "List a feature store's photos, each with its row or the error that kept it out",
    .example = "piaa store list holiday.store --failed\n",
    .operands = "STORE",
    .least = 1,
    .most = 1,
    .groups = {{"Options", list_options}},
    .run = run_list,
};

const piaa_command piaa_command_store_prune = {
    .name = "store prune",
    .summary = "Forget photos whose files are gone",
    .example = "piaa store prune holiday.store\n",
    .operands = "STORE",
    .least = 1,
    .most = 1,
    .notes = "Only the photos' names are forgotten. What the model saw in them stays, so that a "
             "photo that comes back or was moved is not read by the model again.",
    .run = run_prune,
};

static const piaa_option verify_options[] = {
    {"forget", NULL, "take damaged vectors off the catalogue: the next embed computes them anew",
     NULL, NULL},
    {0},
};

const piaa_command piaa_command_store_verify = {
    .name = "store verify",
    .summary = "Read every vector of a feature store and say which are not what was written",
    .example = "piaa store verify holiday.store\n",
    .operands = "STORE",
    .least = 1,
    .most = 1,
    .groups = {{"Options", verify_options}},
    .notes =
        "Every row has a sum in the catalogue, also in stores of earlier versions: one "
        "flipped bit is found, and the photos it belongs to are named. Of a packed store every "
        "byte of the index is compared, too.",
    .run = run_verify,
};

static const piaa_option merge_options[] = {
    {"out", "STORE", "the folder of the merged store; made if it is not there, continued if it is",
     NULL, NULL},
    {0},
};

const piaa_command piaa_command_store_merge = {
    .name = "store merge",
    .summary = "Put the photos of several feature stores into one",
    .example = "piaa embed archive --shard 1/2 --out 1.store\n"
               "piaa embed archive --shard 2/2 --out 2.store\n"
               "piaa store merge 1.store 2.store --out archive.store\n",
    .operands = "STORE…",
    .least = 1,
    .most = -1,
    .groups = {{"Options", merge_options}},
    .notes = "Stores made with different models, prompts or settings are refused before anything "
             "is written. Photos come in the order of their paths, so that the matrices of the "
             "stores of all shards become those of one run, to the byte. Every vector is held "
             "against its sum on the way. A merge that was stopped goes on where it ended when it "
             "is started again.",
    .run = run_merge,
};

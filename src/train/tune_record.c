/* The record of a choice: read, added to, written whole. */
#include "train/tune_record.h"

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/output.h"

#include <errno.h>
#include <glib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { LARGEST = 1 << 20 };

static const piaa_output_kind kind = {"a record of rates", "\"piaa tuning\""};

static bool read_run(piaa_tune_record *record, const cJSON *item, piaa_error *error) {
    double rate;
    int64_t fold;
    const cJSON *losses = piaa_json_find(item, "losses"), *loss;
    if (!piaa_json_number(item, "rate", &rate) || !piaa_json_int(item, "fold", &fold) ||
        cJSON_GetArraySize(losses) != record->epochs + 1)
        return true; /* not ours: it is done again */
    piaa_tune_run *run = piaa_tune_record_add(record, rate, (int)fold, error);
    if (!run) return false;
    int i = 0;
    cJSON_ArrayForEach(loss, losses) run->losses[i++] =
        cJSON_IsNumber(loss) ? loss->valuedouble : INFINITY;
    piaa_json_number(item, "tokens", &run->tokens);
    return true;
}

static bool read_runs(piaa_tune_record *record, piaa_error *error) {
    piaa_error own = {0};
    if (!piaa_file_exists(record->path)) return true;
    cJSON *root = piaa_json_read(record->path, LARGEST, &own);
    const char *key = piaa_json_string(root, "key");
    bool ok = true;
    const cJSON *item;
    if (key && strcmp(key, record->key) == 0)
        cJSON_ArrayForEach(item, piaa_json_find(root, "runs")) ok =
            ok && read_run(record, item, error);
    cJSON_Delete(root);
    return ok;
}

bool piaa_tune_record_open(piaa_tune_record *record, const char *folder, const char *description,
                           int epochs, piaa_error *error) {
    *record = (piaa_tune_record){.epochs = epochs};
    char *hash = g_compute_checksum_for_string(G_CHECKSUM_SHA256, description, -1);
    record->key = piaa_strdup(hash, error);
    g_free(hash);
    record->path = piaa_path_join(folder, "tuning.json", error);
    return record->key && record->path && read_runs(record, error);
}

void piaa_tune_record_close(piaa_tune_record *record) {
    for (size_t i = 0; i < record->count; i++) free(record->runs[i].losses);
    free(record->runs);
    free(record->path);
    free(record->key);
}

piaa_tune_run *piaa_tune_record_find(const piaa_tune_record *record, double rate, int fold) {
    for (size_t i = 0; i < record->count; i++)
        if (record->runs[i].rate == rate && record->runs[i].fold == fold) return &record->runs[i];
    return NULL;
}

piaa_tune_run *piaa_tune_record_add(piaa_tune_record *record, double rate, int fold,
                                    piaa_error *error) {
    if (!piaa_grow(&record->runs, &record->capacity, record->count + 1, sizeof *record->runs,
                   error))
        return NULL;
    double *losses = piaa_alloc((size_t)record->epochs + 1, sizeof *losses, error);
    if (!losses) return NULL;
    piaa_tune_run *run = &record->runs[record->count++];
    *run = (piaa_tune_run){.rate = rate, .fold = fold, .losses = losses};
    return run;
}

static char *print(const piaa_tune_record *record, piaa_error *error) {
    piaa_json_build build = {.root = cJSON_CreateObject()};
    piaa_json_put_text(&build, build.root, "what", "piaa tuning");
    piaa_json_put_text(&build, build.root, "key", record->key);
    cJSON *runs = piaa_json_put(&build, build.root, "runs", cJSON_CreateArray());
    for (size_t i = 0; i < record->count; i++) {
        const piaa_tune_run *run = &record->runs[i];
        cJSON *item = piaa_json_put(&build, runs, NULL, cJSON_CreateObject());
        piaa_json_put(&build, item, "rate", cJSON_CreateNumber(run->rate));
        piaa_json_put(&build, item, "fold", cJSON_CreateNumber(run->fold));
        piaa_json_put(&build, item, "tokens", cJSON_CreateNumber(run->tokens));
        cJSON *losses = piaa_json_put(&build, item, "losses", cJSON_CreateArray());
        for (int epoch = 0; epoch <= record->epochs; epoch++)
            piaa_json_put(&build, losses, NULL,
                          isfinite(run->losses[epoch]) ? cJSON_CreateNumber(run->losses[epoch])
                                                       : cJSON_CreateNull());
    }
    char *text = piaa_json_print(piaa_json_built(&build), true, error);
    cJSON_Delete(build.root);
    return text;
}

bool piaa_tune_record_write(const piaa_tune_record *record, piaa_error *error) {
    if (!record->path) return true;
    char *folder = piaa_path_folder(record->path, error);
    if (!folder) return false;
    const bool there = mkdir(folder, 0777) == 0 || errno == EEXIST ||
                       piaa_error_set_errno(error, errno, "cannot make the folder %s", folder);
    free(folder);
    char *text = there ? print(record, error) : NULL;
    const bool ok = text && piaa_output_write(record->path, &kind, text, strlen(text), error);
    free(text);
    return ok;
}

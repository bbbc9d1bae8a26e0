/* A run's files.  CSV files first, the JSON file last: a folder with one is complete. */
#include "report/run.h"

#include "base/csv.h"
#include "base/file.h"
#include "base/output.h"
#include "linear/people.h"
#include "report/report.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static const char *const part_names[PIAA_PARTS] = {"train", "val", "test"};

/* The published code's word for a pool, or ours where it has none. */
static const char *published_pool(piaa_pool pool) {
    static const char *const names[PIAA_POOLS] = {[PIAA_LT] = "llm_text",
                                                  [PIAA_LT_TAIL] = "llm_text_tail",
                                                  [PIAA_LV] = "llm_visual",
                                                  [PIAA_V] = "vision"};
    return names[pool] ? names[pool] : piaa_pool_name(pool);
}

/* ----------------------------------------------------------------------------------- the folder */

static const piaa_output_kind kinds[] = {{"a probe's results", "\"piaa-probe\""},
                                         {"an evaluation's results", "\"piaa-eval\""}};

/* Nothing, or the changed images of a probe that did not come to its end. */
static bool is_begun(const char *folder) {
    DIR *list = opendir(folder);
    bool begun = list != NULL;
    for (struct dirent *entry; list && (entry = readdir(list));)
        begun = begun && (entry->d_name[0] == '.' || strcmp(entry->d_name, "changed") == 0);
    if (list) closedir(list);
    return begun;
}

/* A folder with this file is a run if the file is one of ours. */
static bool check_own(const char *folder, const char *name, bool eval, piaa_error *error) {
    char *path = piaa_path_join(folder, name, error);
    bool ok = path && piaa_output_check(path, &kinds[eval], error);
    free(path);
    return ok;
}

bool piaa_run_check(const char *folder, bool eval, piaa_error *error) {
    const char *own = eval ? "eval.json" : "probe.json", *other = eval ? "probe.json" : "eval.json";
    if (!piaa_file_exists(folder)) return true;
    if (!piaa_file_is_folder(folder))
        return piaa_error_set(error, PIAA_USAGE, "%.700s is a file: name a folder for the run",
                              folder);
    if (piaa_file_exists_in(folder, other))
        return piaa_error_set(error, PIAA_USAGE,
                              "%.700s holds another kind of run (%s): name another folder", folder,
                              other);
    if (piaa_file_exists_in(folder, own)) return check_own(folder, own, eval, error);
    if (is_begun(folder)) return true;
    return piaa_error_set(error, PIAA_USAGE,
                          "%.700s holds files that are not a run's: name a new folder", folder);
}

bool piaa_run_prepare(const char *folder, bool eval, piaa_error *error) {
    if (mkdir(folder, 0777) == 0) return true;
    if (errno != EEXIST)
        return piaa_error_set_errno(error, errno, "cannot make the folder %.700s", folder);
    return piaa_run_check(folder, eval, error);
}

static bool write_file(const char *folder, const char *name, const piaa_text *text,
                       piaa_error *error) {
    char *path = piaa_path_join(folder, name, error);
    bool ok = path && piaa_file_write(path, text->data ? text->data : "", text->length, error);
    free(path);
    return ok;
}

static bool write_json(const char *folder, const char *name, cJSON *root, piaa_error *error) {
    char *printed = piaa_json_print(root, true, error);
    cJSON_Delete(root);
    if (!printed) return false;
    const piaa_text text = {.data = printed, .length = strlen(printed)};
    bool ok = write_file(folder, name, &text, error);
    free(printed);
    return ok;
}

/* ----------------------------------------------------------------------------------------- JSON */

/* cJSON's adders do nothing where memory is out; write_json then finds no root or an incomplete one
 * is printed, which cannot be told apart.  So each step is checked here, and the whole is given up
 * where one fails. */
static bool add(cJSON *object, const char *key, cJSON *value) {
    if (object && value && cJSON_AddItemToObject(object, key, value)) return true;
    cJSON_Delete(value);
    return false;
}

static bool add_text(cJSON *object, const char *key, const char *text) {
    return add(object, key, cJSON_CreateString(text ? text : ""));
}

static bool add_number(cJSON *object, const char *key, double value) {
    return add(object, key, piaa_report_number(value));
}

static cJSON *add_object(cJSON *object, const char *key) {
    return object ? cJSON_AddObjectToObject(object, key) : NULL;
}

static bool add_config(cJSON *root, const piaa_run_about *about, cJSON **out, piaa_error *error) {
    const piaa_dataset *set = about->set;
    const piaa_identity *made = &about->identity;
    cJSON *config = *out = add_object(root, "config");
    char *loss = piaa_dataset_loss_text(set, error);
    bool ok = loss && add_text(config, "dataset", set->kind) &&
              add_text(config, "dataset_dir", set->folder) &&
              add_text(config, "model_id", about->model_id) &&
              add_text(config, "model", made->model) && add_text(config, "family", made->family) &&
              add_text(config, "fingerprint", made->fingerprint) &&
              add(config, "demonstration", cJSON_CreateBool(about->demonstration)) &&
              add_text(config, "prompt_mode", about->prompt_mode) &&
              add_text(config, "prompt", made->prompt) &&
              add_text(config, "preprocessing", made->preprocessing) &&
              add_text(config, "dtype", made->dtype) &&
              add_text(config, "library", made->library) &&
              add_number(config, "images", (double)set->image_count) &&
              add_number(config, "unreadable", (double)about->unreadable) &&
              add_text(config, "loss", loss);
    free(loss);
    return ok;
}

static cJSON *begin(const char *format, const piaa_run_about *about, cJSON **config,
                    piaa_error *error) {
    char made[32] = "";
    time_t now = time(NULL);
    struct tm parts;
    if (gmtime_r(&now, &parts)) strftime(made, sizeof made, "%Y-%m-%dT%H:%M:%SZ", &parts);
    cJSON *root = cJSON_CreateObject();
    if (root && add_text(root, "format", format) && add_number(root, "version", 1) &&
        add_text(root, "made", made) && add_config(root, about, config, error))
        return root;
    cJSON_Delete(root);
    return NULL;
}

/* ---------------------------------------------------------------------------------------- probe */

static bool add_cell(cJSON *entry, const piaa_slot *slot, const char *name,
                     const piaa_probe_cell *cell) {
    bool ok = add_text(entry, "source", published_pool(slot->pool)) &&
              add_number(entry, "layer", slot->layer) && add_text(entry, "name", name) &&
              add_number(entry, "alpha", cell->alpha);
    for (int part = 0; ok && part < PIAA_PARTS; part++) {
        cJSON *figures = add_object(entry, part_names[part]);
        ok = add_number(figures, "rho", cell->figures[part].spearman) &&
             add_number(figures, "r2", cell->figures[part].r2) &&
             add_number(figures, "rmse", cell->figures[part].rmse) &&
             add_number(figures, "n", (double)cell->figures[part].n);
    }
    return ok;
}

static bool add_target(cJSON *attributes, const piaa_probe *probe, size_t t) {
    cJSON *target = add_object(attributes, probe->target_names[t]),
          *list = target ? cJSON_AddArrayToObject(target, "per_layer") : NULL;
    bool ok = list != NULL;
    for (size_t s = 0; ok && s < probe->source_count; s++) {
        cJSON *entry = cJSON_CreateObject();
        ok = entry && cJSON_AddItemToArray(list, entry) &&
             add_cell(entry, &probe->slots[s], probe->source_names[s],
                      &probe->cells[s * probe->target_count + t]);
    }
    if (!ok || probe->best[t] < 0) return ok && add(target, "best", cJSON_CreateNull());
    size_t best = (size_t)probe->best[t];
    return add_cell(add_object(target, "best"), &probe->slots[best], probe->source_names[best],
                    &probe->cells[best * probe->target_count + t]);
}

static bool add_matrix(cJSON *object, const char *key, const double *values, size_t rows,
                       size_t columns) {
    cJSON *list = object ? cJSON_AddArrayToObject(object, key) : NULL;
    bool ok = list != NULL;
    for (size_t i = 0; ok && i < rows; i++) {
        cJSON *row = cJSON_CreateArray();
        ok = row && cJSON_AddItemToArray(list, row);
        for (size_t j = 0; ok && j < columns; j++) {
            cJSON *number = piaa_report_number(values[i * columns + j]);
            ok = number && cJSON_AddItemToArray(row, number);
        }
    }
    return ok;
}

static bool add_correlation(cJSON *root, const piaa_probe *probe) {
    size_t t = probe->target_count;
    cJSON *object = add_object(root, "correlation"),
          *names = object ? cJSON_AddArrayToObject(object, "names") : NULL;
    bool ok = names != NULL;
    for (size_t i = 0; ok && i < t; i++) {
        cJSON *name = cJSON_CreateString(probe->target_names[i]);
        ok = name && cJSON_AddItemToArray(names, name);
    }
    return ok && add_matrix(object, "labels", probe->label_correlation, t, t) &&
           add_matrix(object, "predictions", probe->prediction_correlation, t, t);
}

static bool add_change(cJSON *changes, const piaa_run_change *change) {
    const piaa_probe *probe = change->probe;
    cJSON *kind = add_object(changes, change->kind);
    bool ok = kind != NULL;
    for (size_t t = 0; ok && t < probe->target_count; t++) {
        cJSON *list = cJSON_AddArrayToObject(kind, probe->target_names[t]);
        ok = list != NULL;
        for (size_t s = 0; ok && s < probe->source_count; s++) {
            const piaa_probe_shift *shift = &probe->cells[s * probe->target_count + t].shift;
            cJSON *entry = cJSON_CreateObject();
            ok = entry && cJSON_AddItemToArray(list, entry) &&
                 add_text(entry, "name", probe->source_names[s]) &&
                 add_number(entry, "mean", shift->mean) && add_number(entry, "size", shift->size) &&
                 add_number(entry, "spearman", shift->spearman) &&
                 add_number(entry, "rho", shift->agreement.spearman) &&
                 add_number(entry, "r2", shift->agreement.r2) &&
                 add_number(entry, "rmse", shift->agreement.rmse);
        }
    }
    return ok;
}

/* split,image_path,target,source,label,prediction of every target's best source, where there is a
   label. */
static bool write_probe_predictions(const char *folder, const piaa_dataset *set,
                                    const piaa_probe *probe, piaa_error *error) {
    piaa_text text = {0};
    bool ok = piaa_text_format(&text, error, "split,image_path,target,source,label,prediction\n");
    for (int part = 0; ok && part < PIAA_PARTS; part++)
        for (size_t i = 0; ok && i < probe->count[part]; i++)
            for (size_t t = 0; ok && t < probe->target_count; t++) {
                char label[32], predicted[32];
                if (!isfinite(probe->labels[part][i * probe->target_count + t])) continue;
                piaa_report_digits(probe->labels[part][i * probe->target_count + t], label);
                piaa_report_digits(probe->predictions[part][i * probe->target_count + t],
                                   predicted);
                ok =
                    piaa_text_format(&text, error, "%s,", part_names[part]) &&
                    piaa_report_add_field(&text, set->images[probe->images[part][i]].name, error) &&
                    piaa_text_add(&text, ",", 1, error) &&
                    piaa_report_add_field(&text, probe->target_names[t], error) &&
                    piaa_text_format(&text, error, ",%s,%s,%s\n",
                                     probe->source_names[probe->best[t] < 0 ? 0 : probe->best[t]],
                                     label, predicted);
            }
    ok = ok && write_file(folder, "predictions.csv", &text, error);
    free(text.data);
    return ok;
}

bool piaa_run_write_probe(const char *folder, const piaa_run_about *about, const piaa_probe *probe,
                          const piaa_run_change *changes, size_t change_count, piaa_error *error) {
    if (!write_probe_predictions(folder, about->set, probe, error)) return false;
    cJSON *config, *root = begin("piaa-probe", about, &config, error), *attributes = NULL,
                   *counts = NULL, *shifts = NULL;
    bool ok = root && add_text(config, "train_split", "train") &&
              add_text(config, "val_split",
                       probe->loo_validation ? "train, leave-one-out" : "validation") &&
              add_text(config, "test_split", piaa_split_name(probe->test)) &&
              (counts = add_object(root, "counts")) != NULL;
    for (int part = 0; ok && part < PIAA_PARTS; part++)
        ok = add_number(counts, part_names[part], (double)probe->count[part]);
    ok = ok && add_number(counts, "without_vector", (double)probe->without_vector) &&
         add_number(counts, "without_label", (double)probe->without_label) &&
         add_number(counts, "shared", (double)probe->shared) &&
         (attributes = add_object(root, "attrs")) != NULL;
    for (size_t t = 0; ok && t < probe->target_count; t++) ok = add_target(attributes, probe, t);
    ok = ok && add_correlation(root, probe) && (shifts = add_object(root, "changes")) != NULL;
    for (size_t c = 0; ok && c < change_count; c++) ok = add_change(shifts, &changes[c]);
    if (!ok) {
        cJSON_Delete(root);
        root = NULL;
    }
    return write_json(folder, "probe.json", root, error);
}

/* ----------------------------------------------------------------------------------------- eval */

static bool add_interval(cJSON *object, const char *key, const piaa_interval *interval,
                         cJSON **out) {
    cJSON *item = add_object(object, key);
    if (out) *out = item;
    return add_number(item, "mean", interval->mean) && add_number(item, "low", interval->low) &&
           add_number(item, "high", interval->high);
}

static bool add_outcome(cJSON *list, const piaa_run_eval *eval, size_t i) {
    const piaa_outcome *outcome = eval->personal->outcomes[i];
    const piaa_source *source = &eval->sources[eval->personal->kinds[i].source];
    const piaa_comparison *against = eval->comparisons ? &eval->comparisons[i] : NULL;
    cJSON *item = cJSON_CreateObject(), *spearman;
    if (!item || !cJSON_AddItemToArray(list, item)) return false;
    bool ok = add_text(item, "method", piaa_method_name(eval->personal->kinds[i].method)) &&
              add_text(item, "source", source->name) &&
              add_text(item, "pool", piaa_pool_name(source->slots[0].pool)) &&
              add_number(item, "layer", source->parts == 1 ? source->slots[0].layer : NAN) &&
              add_text(item, "support_set", outcome->support) &&
              add_text(item, "published", outcome->method) &&
              add_number(item, "users", (double)(outcome->user_count - outcome->without)) &&
              add_number(item, "without", (double)outcome->without) &&
              add_number(item, "rows", (double)outcome->row_count) &&
              add_number(item, "test_left_out", (double)outcome->test_left_out) &&
              add_number(item, "support_left_out", (double)outcome->support_left_out) &&
              add_interval(item, "spearman", &outcome->spearman.all, &spearman) &&
              add_number(spearman, "undefined", (double)outcome->spearman.undefined) &&
              add_interval(spearman, "defined", &outcome->spearman.defined, NULL) &&
              add_interval(item, "r2", &outcome->r2.all, NULL) &&
              add_interval(item, "rmse", &outcome->rmse.all, NULL);
    if (!ok || !against || !against->users || isnan(against->p)) return ok;
    cJSON *comparison = add_object(item, "comparison");
    return add_text(comparison, "baseline", eval->baseline) &&
           add_number(comparison, "users", (double)against->users) &&
           add_number(comparison, "better", (double)against->better) &&
           add_interval(comparison, "difference", &against->difference, NULL) &&
           add_number(comparison, "p", against->p) &&
           add_number(comparison, "p_holm", against->p_holm);
}

static bool add_digits(piaa_text *text, double value, piaa_error *error) {
    char digits[32];
    piaa_report_digits(value, digits);
    return piaa_text_format(text, error, ",%s", digits);
}

/* method,source,support_set,user_id,test,support,alpha,spearman,r2,rmse; empty where undefined. */
static bool write_users(const char *folder, const piaa_dataset *set, const piaa_run_eval *eval,
                        piaa_error *error) {
    piaa_text text = {0};
    bool ok = piaa_text_format(
        &text, error, "method,source,support_set,user_id,test,support,alpha,spearman,r2,rmse\n");
    for (size_t i = 0; ok && i < eval->personal->count; i++) {
        const piaa_outcome *outcome = eval->personal->outcomes[i];
        for (size_t u = 0; ok && u < outcome->user_count; u++) {
            const piaa_outcome_user *user = &outcome->users[u];
            if (!user->count) continue;
            ok = piaa_text_format(
                     &text, error, "%s,%s,%s,", piaa_method_name(eval->personal->kinds[i].method),
                     eval->sources[eval->personal->kinds[i].source].name, outcome->support) &&
                 piaa_report_add_field(&text, set->users[user->user].id, error) &&
                 piaa_text_format(&text, error, ",%zu,%zu", user->count, user->support) &&
                 add_digits(&text, user->alpha, error) &&
                 add_digits(&text, user->figures.spearman, error) &&
                 add_digits(&text, user->figures.r2, error) &&
                 add_digits(&text, user->figures.rmse, error) &&
                 piaa_text_add(&text, "\n", 1, error);
        }
    }
    ok = ok && write_file(folder, "users.csv", &text, error);
    free(text.data);
    return ok;
}

/* user_id,image_path,set,score,general: the ratings that people learned from and were tested on. */
static bool write_scores(const char *folder, const piaa_dataset *set, const piaa_protocol *protocol,
                         piaa_error *error) {
    piaa_text text = {0};
    bool ok = piaa_text_format(&text, error, "user_id,image_path,set,score,general\n");
    for (size_t u = 0; ok && u < protocol->count; u++) {
        const piaa_protocol_user *user = &protocol->users[u];
        const struct {
            const char *name;
            const size_t *list;
            size_t count;
        } lists[] = {{"small", user->small, protocol->options.small},
                     {"large", user->large, protocol->options.large},
                     {"test", user->test, protocol->options.test}};
        for (size_t l = 0; ok && l < PIAA_COUNT(lists); l++)
            for (size_t k = 0; ok && k < lists[l].count; k++) {
                const piaa_data_rating *rating = &set->ratings[lists[l].list[k]];
                ok = piaa_report_add_field(&text, set->users[user->user].id, error) &&
                     piaa_text_add(&text, ",", 1, error) &&
                     piaa_report_add_field(&text, set->images[rating->image].name, error) &&
                     piaa_text_format(&text, error, ",%s", lists[l].name) &&
                     add_digits(&text, rating->score, error) &&
                     add_digits(&text, set->images[rating->image].general, error) &&
                     piaa_text_add(&text, "\n", 1, error);
            }
    }
    ok = ok && write_file(folder, "scores.csv", &text, error);
    free(text.data);
    return ok;
}

/* image_path,general,raters,mean,variance: of all ratings of the data set, the variance with n
   below the line as the published figure. */
static bool write_images(const char *folder, const piaa_dataset *set, piaa_error *error) {
    double *sums = piaa_alloc(3 * set->image_count, sizeof *sums, error);
    piaa_text text = {0};
    bool ok = sums && piaa_text_format(&text, error, "image_path,general,raters,mean,variance\n");
    for (int pass = 0; ok && pass < 2; pass++)
        for (size_t i = 0; i < set->rating_count; i++) {
            double *sum = sums + 3 * set->ratings[i].image, score = set->ratings[i].score;
            if (pass == 0) {
                sum[0]++;
                sum[1] += score;
            } else {
                double off = score - sum[1] / sum[0];
                sum[2] += off * off;
            }
        }
    for (size_t i = 0; ok && i < set->image_count; i++) {
        const double *sum = sums + 3 * i;
        if (sum[0] < 2) continue;
        ok = piaa_report_add_field(&text, set->images[i].name, error) &&
             add_digits(&text, set->images[i].general, error) &&
             piaa_text_format(&text, error, ",%.0f", sum[0]) &&
             add_digits(&text, sum[1] / sum[0], error) &&
             add_digits(&text, sum[2] / sum[0], error) && piaa_text_add(&text, "\n", 1, error);
    }
    ok = ok && write_file(folder, "images.csv", &text, error);
    free(sums);
    free(text.data);
    return ok;
}

static bool write_predictions(const char *folder, const piaa_dataset *set,
                              const piaa_personal *personal, piaa_error *error) {
    piaa_text text = {0};
    char *prefix = piaa_format(error, "%s/", set->kind);
    bool ok = prefix && piaa_outcome_csv_header(&text, error);
    for (size_t i = 0; ok && i < personal->count; i++)
        ok = piaa_outcome_csv(personal->outcomes[i], set, prefix, &text, error);
    ok = ok && write_file(folder, "predictions.csv", &text, error);
    free(prefix);
    free(text.data);
    return ok;
}

bool piaa_run_write_eval(const char *folder, const piaa_run_about *about, const piaa_run_eval *eval,
                         piaa_error *error) {
    const piaa_protocol *protocol = eval->protocol;
    const piaa_protocol_options *options = &protocol->options;
    if (!write_predictions(folder, about->set, eval->personal, error) ||
        !write_users(folder, about->set, eval, error) ||
        !write_scores(folder, about->set, protocol, error) ||
        !write_images(folder, about->set, error))
        return false;
    cJSON *config, *root = begin("piaa-eval", about, &config, error), *counts = NULL, *list = NULL;
    bool many = protocol->count >= PIAA_PEOPLE_MANY;
    bool ok =
        root && add_number(config, "seed", options->seed) &&
        add_text(config, "users", options->subset == PIAA_SUBSET_HARD_USERS ? "hard" : "all") &&
        add_text(config, "images_subset",
                 options->subset == PIAA_SUBSET_HARD_IMAGES ? "hard" : "all") &&
        add_number(config, "small", (double)options->small) &&
        add_number(config, "large", (double)options->large) &&
        add_number(config, "test", (double)options->test) &&
        add_number(config, "draws", PIAA_BOOTSTRAP_DRAWS) &&
        add_text(config, "intervals", many ? "bootstrap" : "Student's and Hall's") &&
        add_text(config, "p_values", many ? "paired bootstrap" : "sign-flip") &&
        (!eval->baseline || add_text(config, "baseline", eval->baseline)) &&
        add(config, "groups", cJSON_CreateBool(eval->groups)) &&
        (counts = add_object(root, "counts")) != NULL &&
        add_number(counts, "users", (double)protocol->count) &&
        add_number(counts, "below", (double)protocol->below) &&
        add_number(counts, "not_drawn", (double)protocol->not_drawn) &&
        add_number(counts, "tied", (double)protocol->tied) &&
        add_number(counts, "hard_images", (double)protocol->hard_images) &&
        add_number(counts, "near_copies", (double)eval->personal->copies.pairs) &&
        add_number(counts, "near_copies_of", (double)eval->personal->copies.people) &&
        (list = cJSON_AddArrayToObject(root, "outcomes")) != NULL;
    for (size_t i = 0; ok && i < eval->personal->count; i++) ok = add_outcome(list, eval, i);
    if (!ok) {
        cJSON_Delete(root);
        root = NULL;
    }
    return write_json(folder, "eval.json", root, error);
}

/* A run's files.  CSV files first, the JSON file last: a folder with one is complete. */
#include "report/run.h"

#include "base/csv.h"
#include "base/file.h"
#include "base/hooks.h"
#include "base/output.h"
#include "linear/people.h"
#include "report/report.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const part_names[PIAA_PARTS] = {"train", "val", "test"};

/* ----------------------------------------------------------------------------------- the folder */

static const piaa_output_kind kinds[] = {{"a probe's results", "\"piaa-probe\""},
                                         {"an evaluation's results", "\"piaa-eval\""}};

/* What a run that did not come to its end keeps for the next. */
static const char *const kept[] = {"changed", "raw_text.csv", "thoughts.csv", "lessons.csv",
                                   "adapters"};

/* Nothing else is there. */
static bool is_begun(const char *folder) {
    DIR *list = opendir(folder);
    bool begun = list != NULL;
    for (struct dirent *entry; list && (entry = readdir(list));) {
        bool known = entry->d_name[0] == '.';
        for (size_t i = 0; i < PIAA_COUNT(kept); i++)
            known = known || strcmp(entry->d_name, kept[i]) == 0;
        begun = begun && known;
    }
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

static bool write_file(const char *folder, const char *name, const char *data, size_t size,
                       piaa_error *error) {
    char *path = piaa_path_join(folder, name, error);
    bool ok = path && piaa_file_write(path, data, size, error);
    free(path);
    return ok;
}

/* ------------------------------------------------------------------------------------- CSV, JSON
 */

/* The end of a text: written, unless it failed, and freed. */
static bool write_text(const char *folder, const char *name, piaa_text *out, piaa_error *error) {
    bool ok =
        !out->failed && write_file(folder, name, out->data ? out->data : "", out->length, error);
    free(out->data);
    return ok;
}

static void add_digits(piaa_text *out, double value, piaa_error *error) {
    char digits[32];
    piaa_report_digits(value, digits);
    piaa_text_format(out, error, ",%s", digits);
}

typedef piaa_json_build json;

static void text(json *out, cJSON *object, const char *key, const char *words) {
    piaa_json_put_text(out, object, key, words);
}

static void number(json *out, cJSON *object, const char *key, double value) {
    piaa_report_put_number(out, object, key, value);
}

static void truth(json *out, cJSON *object, const char *key, bool value) {
    piaa_json_put(out, object, key, cJSON_CreateBool(value));
}

static cJSON *object(json *out, cJSON *parent, const char *key) {
    return piaa_json_put(out, parent, key, cJSON_CreateObject());
}

static cJSON *list(json *out, cJSON *parent, const char *key) {
    return piaa_json_put(out, parent, key, cJSON_CreateArray());
}

/* The same of a JSON value. */
static bool write_json(const char *folder, const char *name, json *out, piaa_error *error) {
    char *printed = piaa_json_print(piaa_json_built(out), true, error);
    bool ok = printed && write_file(folder, name, printed, strlen(printed), error);
    cJSON_Delete(out->root);
    free(printed);
    return ok;
}

static cJSON *add_config(json *out, const piaa_run_about *about, const char *loss) {
    const piaa_dataset *set = about->set;
    const piaa_identity *made = &about->identity;
    cJSON *config = object(out, out->root, "config");
    text(out, config, "dataset", set->kind);
    text(out, config, "dataset_dir", set->folder);
    text(out, config, "model_id", about->model_id);
    text(out, config, "model", made->model);
    text(out, config, "family", made->family);
    text(out, config, "fingerprint", made->fingerprint);
    truth(out, config, "demonstration", about->demonstration);
    text(out, config, "prompt_mode", about->prompt_mode);
    text(out, config, "prompt", made->prompt);
    text(out, config, "preprocessing", made->preprocessing);
    text(out, config, "dtype", made->dtype);
    text(out, config, "library", made->library);
    number(out, config, "images", (double)set->image_count);
    number(out, config, "unreadable", (double)about->unreadable);
    text(out, config, "loss", loss);
    return config;
}

/* Starts the run's JSON file; the configuration is for more to be added. */
static cJSON *begin(json *out, const char *format, const piaa_run_about *about, const char *loss) {
    char made[32];
    piaa_utc_now(made);
    *out = (json){.root = cJSON_CreateObject()};
    text(out, out->root, "format", format);
    number(out, out->root, "version", 1);
    text(out, out->root, "made", made);
    return add_config(out, about, loss);
}

/* ---------------------------------------------------------------------------------------- probe */

static void add_cell(json *out, cJSON *entry, const piaa_slot *slot, const char *name,
                     const piaa_probe_cell *cell) {
    text(out, entry, "source", piaa_pool_published(slot->pool));
    number(out, entry, "layer", slot->layer);
    text(out, entry, "name", name);
    number(out, entry, "alpha", cell->alpha);
    for (int part = 0; part < PIAA_PARTS; part++) {
        cJSON *figures = object(out, entry, part_names[part]);
        number(out, figures, "rho", cell->figures[part].spearman);
        number(out, figures, "r2", cell->figures[part].r2);
        number(out, figures, "rmse", cell->figures[part].rmse);
        number(out, figures, "n", (double)cell->figures[part].n);
    }
}

static void add_target(json *out, cJSON *attributes, const piaa_probe *probe, size_t t) {
    cJSON *target = object(out, attributes, probe->target_names[t]),
          *layers = list(out, target, "per_layer");
    for (size_t s = 0; s < probe->source_count; s++)
        add_cell(out, object(out, layers, NULL), &probe->slots[s], probe->source_names[s],
                 &probe->cells[s * probe->target_count + t]);
    if (probe->best[t] < 0) {
        piaa_json_put(out, target, "best", cJSON_CreateNull());
        return;
    }
    size_t best = (size_t)probe->best[t];
    add_cell(out, object(out, target, "best"), &probe->slots[best], probe->source_names[best],
             &probe->cells[best * probe->target_count + t]);
}

static void add_matrix(json *out, cJSON *parent, const char *key, const double *values, size_t rows,
                       size_t columns) {
    cJSON *all = list(out, parent, key);
    for (size_t i = 0; i < rows; i++) {
        cJSON *row = list(out, all, NULL);
        for (size_t j = 0; j < columns; j++) number(out, row, NULL, values[i * columns + j]);
    }
}

static void add_correlation(json *out, const piaa_probe *probe) {
    size_t t = probe->target_count;
    cJSON *correlation = object(out, out->root, "correlation"),
          *names = list(out, correlation, "names");
    for (size_t i = 0; i < t; i++) text(out, names, NULL, probe->target_names[i]);
    add_matrix(out, correlation, "labels", probe->label_correlation, t, t);
    add_matrix(out, correlation, "predictions", probe->prediction_correlation, t, t);
}

static void add_change(json *out, cJSON *changes, const piaa_run_change *change) {
    const piaa_probe *probe = change->probe;
    cJSON *kind = object(out, changes, change->kind);
    for (size_t t = 0; t < probe->target_count; t++) {
        cJSON *shifts = list(out, kind, probe->target_names[t]);
        for (size_t s = 0; s < probe->source_count; s++) {
            const piaa_probe_shift *shift = &probe->cells[s * probe->target_count + t].shift;
            cJSON *entry = object(out, shifts, NULL);
            text(out, entry, "name", probe->source_names[s]);
            number(out, entry, "mean", shift->mean);
            number(out, entry, "size", shift->size);
            number(out, entry, "spearman", shift->spearman);
            number(out, entry, "rho", shift->agreement.spearman);
            number(out, entry, "r2", shift->agreement.r2);
            number(out, entry, "rmse", shift->agreement.rmse);
        }
    }
}

/* split,image_path,target,source,label,prediction of every target's best source, where there is a
   label. */
static bool write_probe_predictions(const char *folder, const piaa_dataset *set,
                                    const piaa_probe *probe, piaa_error *error) {
    piaa_text out = {0};
    piaa_text_format(&out, error, "split,image_path,target,source,label,prediction\n");
    for (int part = 0; part < PIAA_PARTS; part++)
        for (size_t i = 0; i < probe->count[part]; i++)
            for (size_t t = 0; t < probe->target_count; t++) {
                const size_t at = i * probe->target_count + t;
                if (!isfinite(probe->labels[part][at])) continue;
                piaa_text_format(&out, error, "%s,", part_names[part]);
                piaa_report_add_field(&out, set->images[probe->images[part][i]].name, error);
                piaa_text_add(&out, ",", 1, error);
                piaa_report_add_field(&out, probe->target_names[t], error);
                piaa_text_format(&out, error, ",%s",
                                 probe->source_names[probe->best[t] < 0 ? 0 : probe->best[t]]);
                add_digits(&out, probe->labels[part][at], error);
                add_digits(&out, probe->predictions[part][at], error);
                piaa_text_add(&out, "\n", 1, error);
            }
    return write_text(folder, "predictions.csv", &out, error);
}

bool piaa_run_write_probe(const char *folder, const piaa_run_about *about, const piaa_probe *probe,
                          const piaa_run_change *changes, size_t change_count, piaa_error *error) {
    json out;
    if (!write_probe_predictions(folder, about->set, probe, error)) return false;
    char *loss = piaa_dataset_loss_text(about->set, error);
    if (!loss) return false;
    cJSON *config = begin(&out, "piaa-probe", about, loss);
    free(loss);
    text(&out, config, "train_split", "train");
    text(&out, config, "val_split", probe->loo_validation ? "train, leave-one-out" : "validation");
    text(&out, config, "test_split", piaa_split_name(probe->test));
    cJSON *counts = object(&out, out.root, "counts");
    for (int part = 0; part < PIAA_PARTS; part++)
        number(&out, counts, part_names[part], (double)probe->count[part]);
    number(&out, counts, "without_vector", (double)probe->without_vector);
    number(&out, counts, "without_label", (double)probe->without_label);
    number(&out, counts, "shared", (double)probe->shared);
    cJSON *attributes = object(&out, out.root, "attrs");
    for (size_t t = 0; t < probe->target_count; t++) add_target(&out, attributes, probe, t);
    add_correlation(&out, probe);
    cJSON *shifts = object(&out, out.root, "changes");
    for (size_t c = 0; c < change_count; c++) add_change(&out, shifts, &changes[c]);
    return write_json(folder, "probe.json", &out, error);
}

/* ----------------------------------------------------------------------------------------- eval */

static cJSON *add_interval(json *out, cJSON *parent, const char *key,
                           const piaa_interval *interval) {
    cJSON *item = object(out, parent, key);
    number(out, item, "mean", interval->mean);
    number(out, item, "low", interval->low);
    number(out, item, "high", interval->high);
    return item;
}

/* The figures of repeats, and how far apart they are: the standard deviation, n - 1 below. */
static void add_spread(json *out, cJSON *parent, const char *key, const piaa_outcome *outcome,
                       size_t offset) {
    cJSON *item = object(out, parent, key), *each = list(out, item, "each");
    const double n = (double)outcome->repeats;
    double sum = 0, squares = 0;
    for (size_t r = 0; r < outcome->repeats; r++) {
        double value;
        memcpy(&value, (const char *)&outcome->each[r] + offset, sizeof value);
        number(out, each, NULL, value);
        sum += value;
    }
    for (size_t r = 0; r < outcome->repeats; r++) {
        double value;
        memcpy(&value, (const char *)&outcome->each[r] + offset, sizeof value);
        squares += (value - sum / n) * (value - sum / n);
    }
    number(out, item, "mean", sum / n);
    number(out, item, "deviation", n > 1 ? sqrt(squares / (n - 1)) : NAN);
}

static void add_repeats(json *out, cJSON *parent, const piaa_outcome *outcome) {
    cJSON *item = object(out, parent, "repeats");
    number(out, item, "count", (double)outcome->repeats);
    add_spread(out, item, "spearman", outcome, offsetof(piaa_outcome_repeat, spearman));
    add_spread(out, item, "r2", outcome, offsetof(piaa_outcome_repeat, r2));
    add_spread(out, item, "rmse", outcome, offsetof(piaa_outcome_repeat, rmse));
}

/* "published", "described", "published and described"; "" for neither. */
static const char *way_of(const piaa_run_eval *eval, const piaa_method *method) {
    static const char *const words[] = {[PIAA_AS_BOTH] = "published and described",
                                        [PIAA_AS_PUBLISHED] = "published",
                                        [PIAA_AS_DESCRIBED] = "described",
                                        [PIAA_AS_NEITHER] = ""};
    const bool prior = (method->needs & PIAA_NEEDS_PRIOR) && eval->ici;
    const piaa_ici_settings *s = prior ? &eval->ici->model->settings : NULL;
    return words[s && method->way == PIAA_AS_PUBLISHED && (s->user_node || s->attribute_identity)
                     ? PIAA_AS_DESCRIBED
                     : method->way];
}

/* NULL: the method reads no features. */
static const piaa_source *source_of(const piaa_run_eval *eval, size_t i) {
    const size_t source = eval->personal->kinds[i].source;
    return source == PIAA_NO_SOURCE ? NULL : &eval->sources[source];
}

/* What methods that ask the model have, over all people. */
static void add_answers(json *out, cJSON *item, const piaa_outcome *outcome) {
    piaa_answers all = {0};
    for (size_t u = 0; u < outcome->user_count; u++) {
        const piaa_answers *one = &outcome->users[u].answers;
        all.asked += one->asked;
        all.unparsable += one->unparsable;
        all.out_of_range += one->out_of_range;
        all.not_a_number += one->not_a_number;
    }
    if (!all.asked) return;
    cJSON *answers = object(out, item, "answers");
    number(out, answers, "asked", (double)all.asked);
    number(out, answers, "unparsable", (double)all.unparsable);
    number(out, answers, "out_of_range", (double)all.out_of_range);
    number(out, answers, "not_a_number", (double)all.not_a_number);
}

/* Means over people: seconds of learning from a person's ratings and predicting their test images,
   and bytes that are kept for them, null where nothing is. */
static void add_cost(json *out, cJSON *item, const piaa_outcome *outcome) {
    double seconds = 0, bytes = 0;
    size_t people = 0;
    for (size_t u = 0; u < outcome->user_count; u++) {
        if (!outcome->users[u].count) continue;
        seconds += outcome->users[u].seconds;
        bytes += (double)outcome->users[u].bytes;
        people++;
    }
    seconds /= (double)outcome->repeats;
    number(out, item, "seconds", people ? seconds / (double)people : NAN);
    number(out, item, "bytes", bytes > 0 ? bytes / (double)people : NAN);
}

/* Mean Spearman of the people whom the prior has seen, or not; an undefined one is 0. */
static void add_apart(json *out, cJSON *item, const char *key, const piaa_outcome *outcome,
                      const bool *seen, bool which) {
    piaa_interval mean = {NAN, NAN, NAN};
    size_t n = 0;
    double *values = piaa_alloc_array(outcome->user_count, sizeof *values, NULL);
    for (size_t u = 0; values && u < outcome->user_count; u++) {
        const double rho = outcome->users[u].figures.spearman;
        if (seen[u] == which && outcome->users[u].count) values[n++] = isnan(rho) ? 0 : rho;
    }
    if (!values || !piaa_people_means(values, 1, n, PIAA_BOOTSTRAP_DRAWS, 0, &mean, NULL))
        out->failed = true;
    free(values);
    number(out, add_interval(out, item, key, &mean), "users", (double)n);
}

/* How people agree with the mean of the others. */
static void add_agreement(json *out, const double *agreement, size_t count) {
    piaa_interval mean = {NAN, NAN, NAN};
    size_t n = 0;
    double *values = piaa_alloc_array(count, sizeof *values, NULL);
    for (size_t u = 0; values && u < count; u++)
        if (!isnan(agreement[u])) values[n++] = agreement[u];
    if (!values || !piaa_people_means(values, 1, n, PIAA_BOOTSTRAP_DRAWS, 0, &mean, NULL))
        out->failed = true;
    free(values);
    number(out, add_interval(out, out->root, "others", &mean), "undefined", (double)(count - n));
}

static void add_outcome(json *out, cJSON *outcomes, const piaa_run_eval *eval, size_t i) {
    const piaa_outcome *outcome = eval->personal->outcomes[i];
    const piaa_personal_kind *kind = &eval->personal->kinds[i];
    const piaa_source *source = source_of(eval, i);
    const piaa_comparison *against = eval->comparisons ? &eval->comparisons[i] : NULL;
    cJSON *item = object(out, outcomes, NULL);
    text(out, item, "method", eval->personal->kinds[i].method->name);
    text(out, item, "source", source ? source->name : "");
    text(out, item, "pool", source ? piaa_pool_name(source->slots[0].pool) : "");
    number(out, item, "layer", source && source->parts == 1 ? source->slots[0].layer : NAN);
    text(out, item, "support_set", outcome->support);
    if (kind->size) text(out, item, "choose", piaa_strategy_names[kind->strategy]);
    if (kind->size) number(out, item, "ratings", (double)kind->size);
    text(out, item, "published", outcome->method);
    text(out, item, "as", way_of(eval, eval->personal->kinds[i].method));
    number(out, item, "users", (double)(outcome->user_count - outcome->without));
    number(out, item, "without", (double)outcome->without);
    number(out, item, "rows", (double)outcome->row_count / (double)outcome->repeats);
    number(out, item, "test_left_out", (double)outcome->test_left_out);
    number(out, item, "support_left_out", (double)outcome->support_left_out);
    if (eval->personal->kinds[i].method->needs & PIAA_NEEDS_PRIOR) add_repeats(out, item, outcome);
    add_answers(out, item, outcome);
    add_cost(out, item, outcome);
    cJSON *spearman = add_interval(out, item, "spearman", &outcome->spearman.all);
    number(out, spearman, "undefined", (double)outcome->spearman.undefined);
    add_interval(out, spearman, "defined", &outcome->spearman.defined);
    add_interval(out, item, "r2", &outcome->r2.all);
    add_interval(out, item, "rmse", &outcome->rmse.all);
    if (eval->seen) {
        add_apart(out, item, "seen", outcome, eval->seen, true);
        add_apart(out, item, "unseen", outcome, eval->seen, false);
    }
    if (!against || !against->users || isnan(against->p)) return;
    cJSON *comparison = object(out, item, "comparison");
    text(out, comparison, "baseline", eval->baseline);
    number(out, comparison, "users", (double)against->users);
    number(out, comparison, "better", (double)against->better);
    add_interval(out, comparison, "difference", &against->difference);
    number(out, comparison, "p", against->p);
    number(out, comparison, "p_holm", against->p_holm);
}

/* method,source,support_set,user_id,test,support,alpha,spearman,r2,rmse,asked,unparsable,
 * out_of_range: empty where undefined, or where nothing was asked. */
static bool write_users(const char *folder, const piaa_dataset *set, const piaa_run_eval *eval,
                        piaa_error *error) {
    piaa_text out = {0};
    piaa_text_format(&out, error,
                     "method,source,support_set,user_id,test,support,alpha,spearman,r2,rmse,asked,"
                     "unparsable,out_of_range\n");
    for (size_t i = 0; i < eval->personal->count; i++) {
        const piaa_outcome *outcome = eval->personal->outcomes[i];
        for (size_t u = 0; u < outcome->user_count; u++) {
            const piaa_outcome_user *user = &outcome->users[u];
            if (!user->count) continue;
            piaa_text_format(&out, error, "%s,%s,%s,", eval->personal->kinds[i].method->name,
                             source_of(eval, i) ? source_of(eval, i)->name : "", outcome->support);
            piaa_report_add_field(&out, set->users[user->user].id, error);
            piaa_text_format(&out, error, ",%zu,%zu", user->count / outcome->repeats,
                             user->support);
            add_digits(&out, user->alpha, error);
            add_digits(&out, user->figures.spearman, error);
            add_digits(&out, user->figures.r2, error);
            add_digits(&out, user->figures.rmse, error);
            if (user->answers.asked)
                piaa_text_format(&out, error, ",%zu,%zu,%zu\n", user->answers.asked,
                                 user->answers.unparsable, user->answers.out_of_range);
            else
                piaa_text_format(&out, error, ",,,\n");
        }
    }
    return write_text(folder, "users.csv", &out, error);
}

/* user_id,image_path,set,score,general: the ratings that people learned from and were tested on. */
static bool write_scores(const char *folder, const piaa_dataset *set, const piaa_protocol *protocol,
                         piaa_error *error) {
    piaa_text out = {0};
    piaa_text_format(&out, error, "user_id,image_path,set,score,general\n");
    for (size_t u = 0; u < protocol->count; u++) {
        const piaa_protocol_user *user = &protocol->users[u];
        const struct {
            const char *name;
            const size_t *list;
            size_t count;
        } lists[] = {{"small", user->small, protocol->options.small},
                     {"large", user->large, protocol->options.large},
                     {"test", user->test, protocol->options.test}};
        for (size_t l = 0; l < PIAA_COUNT(lists); l++)
            for (size_t k = 0; k < lists[l].count; k++) {
                const piaa_data_rating *rating = &set->ratings[lists[l].list[k]];
                piaa_report_add_field(&out, set->users[user->user].id, error);
                piaa_text_add(&out, ",", 1, error);
                piaa_report_add_field(&out, set->images[rating->image].name, error);
                piaa_text_format(&out, error, ",%s", lists[l].name);
                add_digits(&out, rating->score, error);
                add_digits(&out, set->images[rating->image].general, error);
                piaa_text_add(&out, "\n", 1, error);
            }
    }
    return write_text(folder, "scores.csv", &out, error);
}

/* For each image how many rated it, the sum of what they gave, and of the squares of how far each
   is off their mean. */
static void add_up(const piaa_dataset *set, double *sums) {
    for (int pass = 0; pass < 2; pass++)
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
}

/* image_path,general,raters,mean,variance: of all ratings of the data set, the variance with n
   below the line as the published figure. */
static bool write_images(const char *folder, const piaa_dataset *set, piaa_error *error) {
    double *sums = piaa_alloc(3 * set->image_count, sizeof *sums, error);
    piaa_text out = {0};
    if (!sums) return false;
    add_up(set, sums);
    piaa_text_format(&out, error, "image_path,general,raters,mean,variance\n");
    for (size_t i = 0; i < set->image_count; i++) {
        const double *sum = sums + 3 * i;
        if (sum[0] < 2) continue;
        piaa_report_add_field(&out, set->images[i].name, error);
        add_digits(&out, set->images[i].general, error);
        piaa_text_format(&out, error, ",%.0f", sum[0]);
        add_digits(&out, sum[1] / sum[0], error);
        add_digits(&out, sum[2] / sum[0], error);
        piaa_text_add(&out, "\n", 1, error);
    }
    free(sums);
    return write_text(folder, "images.csv", &out, error);
}

/* method,source,choose,ratings,people,spearman,low,high, and against as many random ratings
 * difference,difference_low,difference_high,better,p,p_holm: empty where undefined. */
static bool write_curve(const char *folder, const piaa_run_eval *eval, piaa_error *error) {
    piaa_text out = {0};
    if (!eval->personal->count || !eval->personal->kinds[0].size) return true;
    piaa_text_format(&out, error,
                     "method,source,choose,ratings,people,spearman,low,high,difference,"
                     "difference_low,difference_high,better,p,p_holm\n");
    for (size_t i = 0; i < eval->personal->count; i++) {
        const piaa_personal_kind *kind = &eval->personal->kinds[i];
        const piaa_outcome *outcome = eval->personal->outcomes[i];
        const piaa_interval *mean = &outcome->spearman.all;
        const piaa_comparison *against = eval->comparisons ? &eval->comparisons[i] : NULL;
        piaa_text_format(&out, error, "%s,%s,%s,%zu,%zu", kind->method->name,
                         source_of(eval, i) ? source_of(eval, i)->name : "",
                         piaa_strategy_names[kind->strategy], kind->size,
                         outcome->user_count - outcome->without);
        add_digits(&out, mean->mean, error);
        add_digits(&out, mean->low, error);
        add_digits(&out, mean->high, error);
        if (against && against->users && !isnan(against->p)) {
            add_digits(&out, against->difference.mean, error);
            add_digits(&out, against->difference.low, error);
            add_digits(&out, against->difference.high, error);
            piaa_text_format(&out, error, ",%zu", against->better);
            add_digits(&out, against->p, error);
            add_digits(&out, against->p_holm, error);
            piaa_text_format(&out, error, "\n");
        } else {
            piaa_text_format(&out, error, ",,,,,,\n");
        }
    }
    return write_text(folder, "learning_curve.csv", &out, error);
}

static bool write_predictions(const char *folder, const piaa_dataset *set,
                              const piaa_personal *personal, piaa_error *error) {
    piaa_text out = {0};
    char *prefix = piaa_format(error, "%s/", set->kind);
    if (!prefix) return false;
    piaa_outcome_csv_header(&out, error);
    for (size_t i = 0; i < personal->count && !out.failed; i++)
        if (!piaa_outcome_csv(personal->outcomes[i], set, prefix, &out, error)) out.failed = true;
    free(prefix);
    return write_text(folder, "predictions.csv", &out, error);
}

static void add_curve(json *out, cJSON *curves, int64_t seed, piaa_ici_stage stage,
                      const piaa_ici_curve *curve) {
    cJSON *item = object(out, curves, NULL);
    number(out, item, "seed", (double)seed);
    text(out, item, "stage", piaa_ici_stage_names[stage]);
    number(out, item, "kept", curve->kept);
    cJSON *train = list(out, item, "train"), *validation = list(out, item, "validation");
    for (int e = 0; e < curve->epochs; e++) {
        number(out, train, NULL, curve->train[e]);
        number(out, validation, NULL, curve->validation[e]);
    }
}

/* How the priors were made that methods began with. */
static void add_ici(json *out, const piaa_ici *ici) {
    const piaa_ici_model *m = ici->model;
    const bool features = m->front == PIAA_ICI_FEATURES;
    cJSON *item = object(out, out->root, "ici");
    char reads[64] = "";
    if (features)
        snprintf(reads, sizeof reads, "%s.%d", piaa_pool_name(m->slot.pool), m->slot.layer);
    text(out, item, "model", m->folder);
    text(out, item, "made", m->made);
    text(out, item, "front", features ? "features" : "resnet50");
    text(out, item, "reads", reads);
    text(out, item, "scope", piaa_ici_scope_name(ici->scope));
    text(out, item, "data", m->kind);
    number(out, item, "people", (double)m->people.count);
    number(out, item, "photos", (double)m->images.count);
    number(out, item, "ratings", (double)m->ratings);
    truth(out, item, "shared_photos", m->shared_photos);
    truth(out, item, "user_node", m->settings.user_node);
    truth(out, item, "attribute_identity", m->settings.attribute_identity);
    truth(out, item, "traits", ici->categories != NULL);
    cJSON *loss = object(out, item, "traits_lost");
    number(out, loss, "without_row", (double)ici->loss.without_row);
    number(out, loss, "unknown_words", (double)ici->loss.unknown_words);
    number(out, loss, "missing_words", (double)ici->loss.missing_words);
    number(out, loss, "missing_numbers", (double)ici->loss.missing_numbers);
    cJSON *curves = list(out, item, "curves");
    for (size_t p = 0; p < m->count; p++)
        for (int stage = 0; stage < PIAA_ICI_STAGES; stage++)
            add_curve(out, curves, m->priors[p].seed, (piaa_ici_stage)stage,
                      &m->priors[p].curves[stage]);
}

static bool write_eval_json(const char *folder, const piaa_run_about *about,
                            const piaa_run_eval *eval, piaa_error *error) {
    const piaa_protocol *protocol = eval->protocol;
    const piaa_protocol_options *options = &protocol->options;
    const bool many = protocol->count >= PIAA_PEOPLE_MANY;
    json out;
    char *loss = piaa_dataset_loss_text(about->set, error);
    if (!loss) return false;
    cJSON *config = begin(&out, "piaa-eval", about, loss);
    free(loss);
    number(&out, config, "seed", options->seed);
    text(&out, config, "users", options->subset == PIAA_SUBSET_HARD_USERS ? "hard" : "all");
    text(&out, config, "images_subset",
         options->subset == PIAA_SUBSET_HARD_IMAGES ? "hard" : "all");
    number(&out, config, "small", (double)options->small);
    number(&out, config, "large", (double)options->large);
    number(&out, config, "test", (double)options->test);
    number(&out, config, "draws", PIAA_BOOTSTRAP_DRAWS);
    text(&out, config, "intervals", many ? "bootstrap" : "Student's and Hall's");
    text(&out, config, "p_values", many ? "paired bootstrap" : "sign-flip");
    if (eval->baseline) text(&out, config, "baseline", eval->baseline);
    truth(&out, config, "groups", eval->groups);
    cJSON *counts = object(&out, out.root, "counts");
    number(&out, counts, "users", (double)protocol->count);
    number(&out, counts, "below", (double)protocol->below);
    number(&out, counts, "not_drawn", (double)protocol->not_drawn);
    number(&out, counts, "tied", (double)protocol->tied);
    number(&out, counts, "hard_images", (double)protocol->hard_images);
    number(&out, counts, "near_copies", (double)eval->personal->copies.pairs);
    number(&out, counts, "near_copies_of", (double)eval->personal->copies.people);
    if (eval->ici) add_ici(&out, eval->ici);
    if (eval->prior) text(&out, config, "prior", eval->prior);
    if (eval->agreement) add_agreement(&out, eval->agreement, protocol->count);
    cJSON *outcomes = list(&out, out.root, "outcomes");
    for (size_t i = 0; i < eval->personal->count; i++) add_outcome(&out, outcomes, eval, i);
    return write_json(folder, "eval.json", &out, error);
}

bool piaa_run_write_eval(const char *folder, const piaa_run_about *about, const piaa_run_eval *eval,
                         piaa_error *error) {
    return write_predictions(folder, about->set, eval->personal, error) &&
           write_users(folder, about->set, eval, error) &&
           write_scores(folder, about->set, eval->protocol, error) &&
           write_images(folder, about->set, error) && write_curve(folder, eval, error) &&
           write_eval_json(folder, about, eval, error);
}

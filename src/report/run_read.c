/* A run's files read back.  Nothing in them is believed: a report may be made from a folder that
   somebody else sent. */
#include "report/run.h"

#include "base/csv.h"
#include "base/file.h"
#include "vlm/slots.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { JSON_LIMIT = 1 << 28, MOST = 100000 };

static const char *const part_names[PIAA_PARTS] = {"train", "val", "test"},
                         *const figure_names[] = {"rho", "r2", "rmse"};

typedef struct reader {
    piaa_run *run;
    char *where; /* the file in hand */
    piaa_error *error;
} reader;

static bool damaged(reader *in, const char *what) {
    return piaa_error_set(in->error, PIAA_FORMAT,
                          "%.700s: %s: make the run again, or take it out of the report", in->where,
                          what);
}

static bool look_at(reader *in, const char *name) {
    free(in->where);
    in->where = piaa_path_join(in->run->folder, name, in->error);
    return in->where != NULL;
}

/* A number, or NaN for null or a key that is absent. */
static double number(const cJSON *object, const char *key) {
    double value = NAN;
    return piaa_json_number(object, key, &value) ? value : NAN;
}

static bool copy(const cJSON *object, const char *key, char **out, reader *in) {
    const char *text = piaa_json_string(object, key);
    return text ? (*out = piaa_strdup(text, in->error)) != NULL
                : damaged(in, "an entry lacks its name");
}

/* The pool in a list of sources, and a layer; -1 where several stand side by side. */
static bool parse_source(const char *name, piaa_pool *pool, int *layer) {
    piaa_slot first;
    const char *end = piaa_slot_parse(name, &first);
    if (!end || first.layer >= MOST || (*end && *end != '+')) return false;
    *pool = first.pool;
    *layer = *end ? -1 : first.layer;
    return true;
}

static void add_label(piaa_pool pool, int layer, char out[64]) {
    static const char *const names[PIAA_POOLS] = {
        [PIAA_LT] = "LT", [PIAA_LT_TAIL] = "LT tail ", [PIAA_LV] = "LV", [PIAA_V] = "V"};
    size_t used = strlen(out);
    if (used) used += (size_t)snprintf(out + used, 64 - used, "%s", used < 63 ? "+" : "");
    if (used >= 64) return;
    if (names[pool])
        snprintf(out + used, 64 - used, "%s%d", names[pool], layer);
    else
        snprintf(out + used, 64 - used, "%s", piaa_pool_name(pool)); /* it has no layers */
}

void piaa_run_source_label(piaa_pool pool, int layer, const char *name, char out[64]) {
    out[0] = '\0';
    if (layer >= 0) add_label(pool, layer, out);
    for (const char *part = name; layer < 0 && *part;) {
        char one[32] = "";
        size_t n = strcspn(part, "+");
        memcpy(one, part, n < sizeof one ? n : sizeof one - 1);
        int number_of;
        if (parse_source(one, &pool, &number_of)) add_label(pool, number_of, out);
        part += n + (part[n] == '+');
    }
}

const char *piaa_run_text(const piaa_run *run, const char *key, const char *fallback) {
    const char *text = piaa_json_string(run->root, key);
    return text ? text : fallback;
}

double piaa_run_value(const piaa_run *run, const char *key) {
    return number(run->root, key);
}

piaa_run_words piaa_run_count(const piaa_run *run, const char *key) {
    piaa_run_words words = {"undefined"};
    double value = piaa_run_value(run, key);
    if (isfinite(value)) snprintf(words.text, sizeof words.text, "%.0f", value);
    return words;
}

piaa_run_words piaa_run_ratings(const piaa_run *run, const piaa_run_outcome *o) {
    if (!o->choose)
        return piaa_run_count(run,
                              strcmp(o->support, "small") == 0 ? "config.small" : "config.large");
    piaa_run_words words;
    snprintf(words.text, sizeof words.text, "%.0f, %.20s", o->ratings, o->choose);
    return words;
}

/* ---------------------------------------------------------------------------------------- probe */

static bool read_sources(reader *in, const cJSON *list) {
    piaa_run *run = in->run;
    int count = cJSON_GetArraySize(list);
    if (!cJSON_IsArray(list) || count < 1 || count > MOST)
        return damaged(in, "per_layer is no list of layers");
    if (!(run->sources = piaa_alloc((size_t)count, sizeof *run->sources, in->error))) return false;
    const cJSON *entry;
    cJSON_ArrayForEach(entry, list) {
        piaa_run_source *source = &run->sources[run->source_count];
        if (!copy(entry, "name", &source->name, in)) return false;
        run->source_count++;
        if (!parse_source(source->name, &source->pool, &source->layer))
            return damaged(in, "a layer has a name that is not known");
    }
    return true;
}

static int find_source(const piaa_run *run, const char *name) {
    for (size_t s = 0; name && s < run->source_count; s++)
        if (strcmp(run->sources[s].name, name) == 0) return (int)s;
    return -1;
}

static bool read_target(reader *in, const cJSON *target, size_t t) {
    piaa_run *run = in->run;
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(target, "per_layer"), *entry;
    if (cJSON_GetArraySize(list) != (int)run->source_count)
        return damaged(in, "the attributes do not have the same layers");
    size_t s = 0;
    cJSON_ArrayForEach(entry, list) {
        const char *name = piaa_json_string(entry, "name");
        if (!name || strcmp(name, run->sources[s].name) != 0)
            return damaged(in, "the attributes do not have the same layers");
        for (int part = 0; part < PIAA_PARTS; part++) {
            const cJSON *figures = piaa_json_find(entry, part_names[part]);
            for (int f = 0; f < 3; f++)
                run->figures[part][f][s * run->target_count + t] = number(figures, figure_names[f]);
            run->known[part][t] = number(figures, "n");
        }
        s++;
    }
    run->best[t] = find_source(run, piaa_json_string(target, "best.name"));
    return (run->targets[t] = piaa_strdup(target->string, in->error)) != NULL;
}

static bool read_matrix(reader *in, const char *key, double **out) {
    piaa_run *run = in->run;
    size_t n = run->target_count;
    const cJSON *list = piaa_json_find(run->root, key), *row, *item;
    if (!(*out = piaa_alloc(n * n, sizeof **out, in->error))) return false;
    if (cJSON_GetArraySize(list) != (int)n)
        return damaged(in, "a correlation matrix has not one row for each attribute");
    size_t i = 0;
    cJSON_ArrayForEach(row, list) {
        if (cJSON_GetArraySize(row) != (int)n)
            return damaged(in, "a correlation matrix has not one column for each attribute");
        size_t j = 0;
        cJSON_ArrayForEach(item, row) {
            (*out)[i * n + j++] = cJSON_IsNumber(item) ? item->valuedouble : NAN;
        }
        i++;
    }
    return true;
}

static bool read_change(reader *in, const cJSON *kind) {
    piaa_run *run = in->run;
    size_t cells = run->source_count * run->target_count;
    piaa_run_change_read *change = &run->changes[run->change_count++];
    if (!(change->kind = piaa_strdup(kind->string, in->error)) ||
        !(change->size = piaa_alloc(cells, sizeof(double), in->error)) ||
        !(change->mean = piaa_alloc(cells, sizeof(double), in->error)))
        return false;
    for (size_t t = 0; t < run->target_count; t++) {
        const cJSON *list = cJSON_GetObjectItemCaseSensitive(kind, run->targets[t]), *entry;
        if (cJSON_GetArraySize(list) != (int)run->source_count)
            return damaged(in, "changed images do not have the same layers");
        size_t s = 0;
        cJSON_ArrayForEach(entry, list) {
            change->size[s * run->target_count + t] = number(entry, "size");
            change->mean[s++ * run->target_count + t] = number(entry, "mean");
        }
    }
    return true;
}

/* Grows the list by one. */
static bool add_pair(piaa_run_pair **list, size_t *count, size_t *capacity, piaa_run_pair pair,
                     piaa_error *error) {
    if (!piaa_grow(list, capacity, *count + 1, sizeof **list, error)) return false;
    (*list)[(*count)++] = pair;
    return true;
}

static piaa_csv *open_csv(reader *in, const char *name, const char *const *columns, size_t count,
                          int *places) {
    piaa_csv *csv = look_at(in, name) ? piaa_csv_open(in->where, in->error) : NULL;
    for (size_t i = 0; csv && i < count; i++)
        if ((places[i] = piaa_csv_column(csv, columns[i])) < 0) {
            piaa_error_set(
                in->error, PIAA_FORMAT,
                "%.700s has no column %s: make the run again, or take it out of the report",
                in->where, columns[i]);
            piaa_csv_close(csv);
            return NULL;
        }
    return csv;
}

/* A field as a number; NaN for an empty one. */
static bool csv_number(reader *in, const piaa_csv *csv, int column, double *out) {
    const char *field = piaa_csv_field(csv, column);
    *out = NAN;
    if (!*field || piaa_parse_number(field, out)) return true;
    return piaa_error_set(in->error, PIAA_FORMAT, "%.700s, line %lld: \"%.40s\" is not a number",
                          in->where, (long long)piaa_csv_line(csv), field);
}

static bool read_probe_scatter(reader *in) {
    piaa_run *run = in->run;
    if (run->best[0] < 0) return true;
    static const char *const columns[] = {"split", "target", "label", "prediction"};
    int at[4], row = 0;
    char label[64];
    const piaa_run_source *source = &run->sources[run->best[0]];
    const char *part = number(run->root, "counts.test") > 0 ? "test" : "train";
    piaa_run_source_label(source->pool, source->layer, source->name, label);
    if (!(run->scatter_of = piaa_format(in->error, "%s, %s images", label, part))) return false;
    piaa_csv *csv = open_csv(in, "predictions.csv", columns, 4, at);
    size_t capacity = 0;
    bool ok = csv != NULL;
    while (ok && (row = piaa_csv_next(csv, in->error)) == 1) {
        piaa_run_pair pair = {0};
        if (strcmp(piaa_csv_field(csv, at[0]), part) != 0 ||
            strcmp(piaa_csv_field(csv, at[1]), run->targets[0]) != 0)
            continue;
        ok = csv_number(in, csv, at[2], &pair.x) && csv_number(in, csv, at[3], &pair.y) &&
             add_pair(&run->scatter, &run->scatter_count, &capacity, pair, in->error);
    }
    piaa_csv_close(csv);
    return ok && row == 0;
}

static bool read_probe(reader *in) {
    piaa_run *run = in->run;
    const cJSON *attributes = piaa_json_find(run->root, "attrs"), *target, *changes, *kind;
    int count = cJSON_GetArraySize(attributes);
    if (!cJSON_IsObject(attributes) || count < 1 || count > MOST)
        return damaged(in, "it holds no attributes (attrs)");
    run->target_count = (size_t)count;
    if (!read_sources(in, cJSON_GetObjectItemCaseSensitive(attributes->child, "per_layer")))
        return false;
    size_t cells = run->source_count * run->target_count;
    for (int part = 0; part < PIAA_PARTS; part++) {
        if (!(run->known[part] = piaa_alloc(run->target_count, sizeof(double), in->error)))
            return false;
        for (int f = 0; f < 3; f++)
            if (!(run->figures[part][f] = piaa_alloc(cells, sizeof(double), in->error)))
                return false;
    }
    if (!(run->targets = piaa_alloc(run->target_count, sizeof(char *), in->error)) ||
        !(run->best = piaa_alloc(run->target_count, sizeof(int), in->error)))
        return false;
    size_t t = 0;
    cJSON_ArrayForEach(target, attributes) {
        if (!read_target(in, target, t++)) return false;
    }
    if (!read_matrix(in, "correlation.labels", &run->label_correlation) ||
        !read_matrix(in, "correlation.predictions", &run->prediction_correlation))
        return false;
    changes = piaa_json_find(run->root, "changes");
    if (!(run->changes =
              piaa_alloc((size_t)cJSON_GetArraySize(changes) + 1, sizeof *run->changes, in->error)))
        return false;
    cJSON_ArrayForEach(kind, changes) {
        if (!read_change(in, kind)) return false;
    }
    return read_probe_scatter(in);
}

/* ----------------------------------------------------------------------------------------- eval */

static piaa_run_mean read_mean(const cJSON *object, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return (piaa_run_mean){number(item, "mean"), number(item, "low"), number(item, "high")};
}

static bool read_outcome(reader *in, const cJSON *item) {
    piaa_run *run = in->run;
    piaa_run_outcome *out = &run->outcomes[run->outcome_count++];
    if (!copy(item, "method", &out->method, in) || !copy(item, "source", &out->source, in) ||
        !copy(item, "support_set", &out->support, in) ||
        !copy(item, "published", &out->published, in))
        return false;
    if (piaa_json_string(item, "choose") && !copy(item, "choose", &out->choose, in)) return false;
    out->ratings = number(item, "ratings");
    out->pool = PIAA_POOLS;
    out->layer = -1;
    if (*out->source && !parse_source(out->source, &out->pool, &out->layer))
        return damaged(in, "a source has a name that is not known");
    out->rows = number(item, "rows");
    const char *way = piaa_json_string(item, "as"); /* earlier runs did not tell it */
    if (!(out->way = piaa_strdup(way ? way : "", in->error))) return false;
    out->repeats = number(item, "repeats.count");
    out->spearman_spread = number(item, "repeats.spearman.deviation");
    out->r2_spread = number(item, "repeats.r2.deviation");
    out->rmse_spread = number(item, "repeats.rmse.deviation");
    out->seconds = number(item, "seconds");
    out->bytes = number(item, "bytes");
    out->asked = number(item, "answers.asked");
    out->unparsable = number(item, "answers.unparsable");
    out->out_of_range = number(item, "answers.out_of_range");
    out->spearman = read_mean(item, "spearman");
    out->r2 = read_mean(item, "r2");
    out->rmse = read_mean(item, "rmse");
    out->undefined = number(item, "spearman.undefined");
    out->users = number(item, "users");
    const cJSON *against = cJSON_GetObjectItemCaseSensitive(item, "comparison");
    out->compared = against != NULL;
    out->difference = read_mean(against, "difference");
    out->better = number(against, "better");
    out->compared_users = number(against, "users");
    out->p = number(against, "p");
    out->p_holm = number(against, "p_holm");
    return true;
}

static size_t find_outcome(const piaa_run *run, const char *method, const char *source,
                           const char *support) {
    for (size_t i = 0; i < run->outcome_count; i++)
        if (strcmp(run->outcomes[i].method, method) == 0 &&
            strcmp(run->outcomes[i].source, source) == 0 &&
            strcmp(run->outcomes[i].support, support) == 0)
            return i;
    return SIZE_MAX;
}

static bool read_people(reader *in) {
    static const char *const columns[] = {"method",   "source", "support_set", "user_id",
                                          "spearman", "r2",     "rmse"};
    piaa_run *run = in->run;
    int at[7], row = 0;
    size_t capacity = 0;
    piaa_csv *csv = open_csv(in, "users.csv", columns, 7, at);
    bool ok = csv != NULL;
    while (ok && (row = piaa_csv_next(csv, in->error)) == 1) {
        piaa_run_person person = {.outcome = find_outcome(run, piaa_csv_field(csv, at[0]),
                                                          piaa_csv_field(csv, at[1]),
                                                          piaa_csv_field(csv, at[2]))};
        if (person.outcome == SIZE_MAX) {
            ok = piaa_error_set(in->error, PIAA_FORMAT,
                                "%.700s, line %lld: eval.json knows no such method", in->where,
                                (long long)piaa_csv_line(csv));
            break;
        }
        ok = csv_number(in, csv, at[4], &person.spearman) &&
             csv_number(in, csv, at[5], &person.r2) && csv_number(in, csv, at[6], &person.rmse) &&
             piaa_grow(&run->people, &capacity, run->people_count + 1, sizeof *run->people,
                       in->error) &&
             (person.id = piaa_strdup(piaa_csv_field(csv, at[3]), in->error));
        if (ok) run->people[run->people_count++] = person;
    }
    piaa_csv_close(csv);
    for (size_t i = 0; i < run->people_count; i++)
        run->outcomes[run->people[i].outcome].people_count++;
    for (size_t i = 0; ok && i < run->outcome_count; i++) {
        ok = (run->outcomes[i].people =
                  piaa_alloc(run->outcomes[i].people_count, sizeof(size_t), in->error));
        run->outcomes[i].people_count = 0;
    }
    for (size_t i = 0; ok && i < run->people_count; i++) {
        piaa_run_outcome *outcome = &run->outcomes[run->people[i].outcome];
        outcome->people[outcome->people_count++] = i;
    }
    return ok && row == 0;
}

/* A person's rows stand together in scores.csv. */
static bool read_scores(reader *in) {
    static const char *const columns[] = {"user_id", "score"};
    piaa_run *run = in->run;
    int at[2], row = 0;
    size_t capacity = 0;
    char *last = NULL;
    piaa_csv *csv = open_csv(in, "scores.csv", columns, 2, at);
    bool ok = csv != NULL;
    while (ok && (row = piaa_csv_next(csv, in->error)) == 1) {
        const char *id = piaa_csv_field(csv, at[0]);
        if (!last || strcmp(last, id) != 0) {
            free(last);
            if (!(ok = (last = piaa_strdup(id, in->error)) != NULL)) break;
            run->scorers++;
        }
        piaa_run_pair pair = {.group = run->scorers - 1};
        ok = csv_number(in, csv, at[1], &pair.x) &&
             add_pair(&run->scores, &run->score_count, &capacity, pair, in->error);
    }
    free(last);
    piaa_csv_close(csv);
    return ok && row == 0;
}

static bool read_images(reader *in) {
    static const char *const columns[] = {"mean", "variance"};
    piaa_run *run = in->run;
    int at[2], row = 0;
    size_t capacity = 0;
    piaa_csv *csv = open_csv(in, "images.csv", columns, 2, at);
    bool ok = csv != NULL;
    while (ok && (row = piaa_csv_next(csv, in->error)) == 1) {
        piaa_run_pair pair = {0};
        ok = csv_number(in, csv, at[0], &pair.x) && csv_number(in, csv, at[1], &pair.y) &&
             add_pair(&run->images, &run->image_count, &capacity, pair, in->error);
    }
    piaa_csv_close(csv);
    return ok && row == 0;
}

static bool read_scatter(reader *in) {
    static const char *const columns[] = {"method", "support_set", "user_score", "piaa_pred"};
    piaa_run *run = in->run;
    for (size_t i = 1; i < run->outcome_count; i++)
        if (run->outcomes[i].spearman.mean > run->outcomes[run->main].spearman.mean ||
            (isnan(run->outcomes[run->main].spearman.mean) &&
             !isnan(run->outcomes[i].spearman.mean)))
            run->main = i;
    const piaa_run_outcome *outcome = &run->outcomes[run->main];
    char label[64];
    piaa_run_source_label(outcome->pool, outcome->layer, outcome->source, label);
    if (!(run->scatter_of = piaa_format(in->error, "%s%s%s, %s support", outcome->method,
                                        *label ? ", " : "", label, outcome->support)))
        return false;
    int at[4], row = 0;
    size_t capacity = 0;
    piaa_csv *csv = open_csv(in, "predictions.csv", columns, 4, at);
    bool ok = csv != NULL;
    while (ok && (row = piaa_csv_next(csv, in->error)) == 1) {
        piaa_run_pair pair = {0};
        if (strcmp(piaa_csv_field(csv, at[0]), outcome->published) != 0 ||
            strcmp(piaa_csv_field(csv, at[1]), outcome->support) != 0)
            continue;
        ok = csv_number(in, csv, at[2], &pair.x) && csv_number(in, csv, at[3], &pair.y) &&
             add_pair(&run->scatter, &run->scatter_count, &capacity, pair, in->error);
    }
    piaa_csv_close(csv);
    return ok && row == 0;
}

static bool read_losses(reader *in, const cJSON *list, size_t count, double **out) {
    const cJSON *loss;
    size_t e = 0;
    if (cJSON_GetArraySize(list) != (int)count)
        return damaged(in, "a loss curve has not one value for each epoch (ici.curves)");
    if (!(*out = piaa_alloc(count, sizeof **out, in->error))) return false;
    cJSON_ArrayForEach(loss, list) {
        (*out)[e++] = cJSON_IsNumber(loss) ? loss->valuedouble : NAN;
    }
    return true;
}

/* Where methods began with a prior. */
static bool read_curves(reader *in) {
    piaa_run *run = in->run;
    const cJSON *list = piaa_json_find(run->root, "ici.curves"), *item;
    const int count = cJSON_GetArraySize(list);
    if (count > MOST) return damaged(in, "it holds too many loss curves (ici.curves)");
    if (!(run->curves = piaa_alloc((size_t)count, sizeof *run->curves, in->error))) return false;
    cJSON_ArrayForEach(item, list) {
        piaa_run_curve *curve = &run->curves[run->curve_count++];
        const cJSON *train = cJSON_GetObjectItemCaseSensitive(item, "train");
        curve->seed = number(item, "seed");
        curve->kept = number(item, "kept");
        curve->epochs = (size_t)cJSON_GetArraySize(train);
        if (!copy(item, "stage", &curve->stage, in) ||
            !read_losses(in, train, curve->epochs, &curve->train) ||
            !read_losses(in, cJSON_GetObjectItemCaseSensitive(item, "validation"), curve->epochs,
                         &curve->validation))
            return false;
    }
    return true;
}

static bool read_eval(reader *in) {
    piaa_run *run = in->run;
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(run->root, "outcomes"), *item;
    int count = cJSON_GetArraySize(list);
    if (!cJSON_IsArray(list) || count < 1 || count > MOST)
        return damaged(in, "it holds no outcomes");
    if (!(run->outcomes = piaa_alloc((size_t)count, sizeof *run->outcomes, in->error)))
        return false;
    cJSON_ArrayForEach(item, list) {
        if (!read_outcome(in, item)) return false;
    }
    return read_people(in) && read_scores(in) && read_images(in) && read_scatter(in) &&
           read_curves(in);
}

/* ----------------------------------------------------------------------------------------- open */

static bool read_root(reader *in) {
    piaa_run *run = in->run;
    run->eval = piaa_file_exists_in(run->folder, "eval.json");
    if (!run->eval && !piaa_file_exists_in(run->folder, "probe.json"))
        return piaa_error_set(in->error, PIAA_USAGE,
                              "%.700s is not a run: it holds neither probe.json nor eval.json; "
                              "give a folder that piaa probe or piaa eval "
                              "wrote (--out)",
                              run->folder);
    if (!look_at(in, run->eval ? "eval.json" : "probe.json") ||
        !(run->root = piaa_json_read(in->where, JSON_LIMIT, in->error)))
        return false;
    const char *format = piaa_json_string(run->root, "format");
    int64_t version = 0;
    if (!format || strcmp(format, run->eval ? "piaa-eval" : "piaa-probe") != 0)
        return damaged(in, "it is not piaa's (format)");
    if (!piaa_json_int(run->root, "version", &version) || version != 1)
        return piaa_error_set(
            in->error, PIAA_FORMAT,
            "%.700s has a version that this piaa does not know: make the run again", in->where);
    return run->eval ? read_eval(in) : read_probe(in);
}

piaa_run *piaa_run_open(const char *folder, piaa_error *error) {
    piaa_run *run = piaa_alloc(1, sizeof *run, error);
    reader in = {.run = run, .error = error};
    bool ok = run && (run->folder = piaa_path_absolute(folder, error)) &&
              (run->name = piaa_strdup(piaa_path_name(run->folder), error)) && read_root(&in);
    free(in.where);
    if (ok) return run;
    piaa_run_close(run);
    return NULL;
}

void piaa_run_close(piaa_run *run) {
    if (!run) return;
    for (size_t i = 0; i < run->source_count; i++) free(run->sources[i].name);
    for (size_t i = 0; run->targets && i < run->target_count; i++) free(run->targets[i]);
    for (int part = 0; part < PIAA_PARTS; part++) {
        for (int f = 0; f < 3; f++) free(run->figures[part][f]);
        free(run->known[part]);
    }
    for (size_t i = 0; i < run->change_count; i++) {
        free(run->changes[i].kind);
        free(run->changes[i].size);
        free(run->changes[i].mean);
    }
    for (size_t i = 0; i < run->outcome_count; i++) {
        free(run->outcomes[i].method);
        free(run->outcomes[i].source);
        free(run->outcomes[i].support);
        free(run->outcomes[i].choose);
        free(run->outcomes[i].published);
        free(run->outcomes[i].way);
        free(run->outcomes[i].people);
    }
    for (size_t i = 0; i < run->people_count; i++) free(run->people[i].id);
    for (size_t i = 0; i < run->curve_count; i++) {
        free(run->curves[i].stage);
        free(run->curves[i].train);
        free(run->curves[i].validation);
    }
    free(run->curves);
    free(run->sources);
    free(run->targets);
    free(run->best);
    free(run->label_correlation);
    free(run->prediction_correlation);
    free(run->changes);
    free(run->outcomes);
    free(run->people);
    free(run->scores);
    free(run->images);
    free(run->scatter);
    free(run->scatter_of);
    free(run->folder);
    free(run->name);
    cJSON_Delete(run->root);
    free(run);
}

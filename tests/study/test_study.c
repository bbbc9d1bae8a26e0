/* From image files to the published code's own output: probing, the personal protocol, the
   attribute projection. */
#include "study_support.h"

#include "base/json.h"
#include "linear/metrics.h"
#include "study/changed.h"
#include "study/explain.h"
#include "study/personal.h"
#include "study/probe.h"

enum { AADB, PARA, LAPIS, SETS };
static const char *const set_names[SETS] = {"aadb", "para", "lapis"};

#define LINEAR &piaa_method_linear_hidden
#define GIAA &piaa_method_giaa_target
#define REDUCE &piaa_method_reduce
#define STYLE_OUT &piaa_method_style_out
#define METHODS(...) ((const piaa_method *const[]){__VA_ARGS__, NULL})

typedef struct room {
    piaa_dataset *sets[SETS];
    piaa_store *stores[SETS];
    piaa_source lt3[SETS];
    piaa_projection *projection;
} room;

static int open_room(void **state) {
    piaa_error error = {0};
    room *r = piaa_alloc(1, sizeof *r, NULL);
    for (int k = 0; k < SETS; k++) {
        r->sets[k] = study_set(set_names[k]);
        r->stores[k] = study_store(set_names[k],
                                   k == AADB   ? "lt,lt_tail,lv,v"
                                   : k == PARA ? "lt,v"
                                               : "lt",
                                   k == AADB   ? "all"
                                   : k == PARA ? "3,5"
                                               : "3");
        r->lt3[k] = study_source(r->stores[k], r->sets[k], PIAA_LT, 3);
    }
    piaa_identity identity = piaa_store_identity(r->stores[AADB]);
    r->projection = piaa_projection_learn(r->sets[AADB], &r->lt3[AADB], &identity, 2, NULL, &error);
    if (!r->projection) fail_msg("%s", error.message);
    *state = r;
    return 0;
}

static int close_room(void **state) {
    room *r = *state;
    piaa_projection_free(r->projection);
    for (int k = 0; k < SETS; k++) {
        piaa_source_close(&r->lt3[k]);
        piaa_store_close(r->stores[k]);
        piaa_dataset_close(r->sets[k]);
    }
    free(r);
    return 0;
}

/* -------------------------------------------------------------------------------------- probing */

static const struct {
    const char *published;
    piaa_pool pool;
} pools[] = {{"llm_text", PIAA_LT}, {"llm_text_tail", PIAA_LT_TAIL}, {"llm_visual", PIAA_LV},
             {"vision", PIAA_V},    {"bridge_text", PIAA_LT},        {"bridge_visual", PIAA_LV}};

static size_t find_cell(const piaa_probe *probe, const char *published, int layer) {
    for (size_t p = 0; p < PIAA_COUNT(pools); p++)
        for (size_t s = 0; strcmp(pools[p].published, published) == 0 && s < probe->source_count;
             s++)
            if (probe->slots[s].pool == pools[p].pool && probe->slots[s].layer == layer) return s;
    fail_msg("no source for %s at layer %d", published, layer);
    return 0;
}

static const char *const part_names[PIAA_PARTS] = {"train", "val", "test"};

/* Largest difference between the figures of one cell; an undefined Spearman is 0 in the published
   code. */
static double cell_difference(const piaa_probe_cell *cell, const cJSON *entry) {
    double most = 0;
    for (int part = 0; part < PIAA_PARTS; part++) {
        const cJSON *figures = piaa_json_find(entry, part_names[part]);
        double rho = NAN, r2 = NAN, rmse = NAN;
        assert_true(piaa_json_number(figures, "rho", &rho) &&
                    piaa_json_number(figures, "r2", &r2) &&
                    piaa_json_number(figures, "rmse", &rmse));
        const piaa_agreement *own = &cell->figures[part];
        most = fmax(most, fabs((isnan(own->spearman) ? 0 : own->spearman) - rho));
        most = fmax(most, fmax(fabs(own->r2 - r2), fabs(own->rmse - rmse)));
    }
    return most;
}

/* The alphas that scikit-learn chooses in float32. */
static void expect_alphas(const piaa_probe *probe) {
    piaa_error error = {0};
    cJSON *json = piaa_json_read(PIAA_GOLDEN "/study/probe_alphas.json", 1 << 20, &error);
    if (!json) fail_msg("%s", error.message);
    size_t compared = 0, equal = 0;
    for (size_t s = 0; s < probe->source_count; s++) {
        const cJSON *list =
            cJSON_GetObjectItem(cJSON_GetObjectItem(json, "alphas"), probe->source_names[s]);
        for (size_t t = 0; t < probe->target_count; t++) {
            assert_string_equal(
                cJSON_GetArrayItem(cJSON_GetObjectItem(json, "targets"), (int)t)->valuestring,
                probe->target_names[t]);
            double alpha = cJSON_GetArrayItem(list, (int)t)->valuedouble;
            equal += fabs(probe->cells[s * probe->target_count + t].alpha / alpha - 1) < 1e-4;
            compared++;
        }
    }
    print_message("%zu of %zu alphas equal\n", equal, compared);
    assert_int_equal(compared, 12 * 33);
    assert_true(equal * 100 >= compared * 99);
    cJSON_Delete(json);
}

static void probing_equals_the_published_figures(void **state) {
    const room *r = *state;
    piaa_error error = {0};
    const piaa_slots *slots = piaa_store_slots(r->stores[AADB]);
    piaa_source *sources = piaa_alloc(slots->count, sizeof *sources, NULL);
    for (size_t s = 0; s < slots->count; s++)
        sources[s] = study_source(r->stores[AADB], r->sets[AADB], slots->items[s].pool,
                                  slots->items[s].layer);
    piaa_probe *probe = piaa_probe_run(r->sets[AADB], sources, slots->count,
                                       &(piaa_probe_options){.threads = 2}, NULL, &error);
    if (!probe) fail_msg("%s", error.message);
    assert_int_equal(probe->count[PIAA_TRAIN], 400);
    assert_int_equal(probe->count[PIAA_VALIDATION], 100);
    assert_int_equal(probe->count[PIAA_TEST], 150);
    assert_false(probe->loo_validation);
    cJSON *json =
        piaa_json_read(PIAA_GOLDEN "/reference/demo/probe_aadb_base.json", 1 << 24, &error);
    assert_non_null(json);
    size_t compared = 0, equal = 0;
    for (size_t t = 0; t < probe->target_count; t++) {
        const cJSON *attribute =
                        cJSON_GetObjectItem(piaa_json_find(json, "attrs"), probe->target_names[t]),
                    *entry;
        assert_non_null(attribute);
        cJSON_ArrayForEach(entry, piaa_json_find(attribute, "per_layer")) {
            int64_t layer = -1;
            assert_true(piaa_json_int(entry, "layer", &layer));
            size_t s = find_cell(probe, piaa_json_string(entry, "source"), (int)layer);
            double difference = cell_difference(&probe->cells[s * probe->target_count + t], entry);
            compared++;
            equal += difference < 5e-4;
            if (difference >= 5e-4)
                print_message("%s, %s: %.5f, alpha %g\n", probe->target_names[t],
                              probe->source_names[s], difference,
                              probe->cells[s * probe->target_count + t].alpha);
        }
        int64_t layer = -1;
        assert_true(piaa_json_int(attribute, "best.layer", &layer));
        assert_int_equal(probe->best[t],
                         find_cell(probe, piaa_json_string(attribute, "best.source"), (int)layer));
    }
    assert_int_equal(compared, 12 * 35);
    print_message("%zu of %zu cells equal to three decimals\n", equal, compared);
    assert_true(equal * 100 >= compared * 99);
    cJSON_Delete(json);
    expect_alphas(probe);
    size_t score = 0;
    assert_string_equal(probe->target_names[score], "score");
    assert_int_equal(probe->slots[piaa_probe_best_of(probe, score, PIAA_V)].layer, 5);
    for (size_t t = 0; t < probe->target_count; t++)
        assert_true(fabs(probe->label_correlation[t * probe->target_count + t] - 1) < 1e-12);
    piaa_probe_free(probe);
    for (size_t s = 0; s < slots->count; s++) piaa_source_close(&sources[s]);
    free(sources);
}

/* ---------------------------------------------------------------------------- personal protocol */

static piaa_personal *run(const room *r, int set, const piaa_personal_options *options) {
    piaa_error error = {0};
    piaa_protocol *protocol = piaa_protocol_make(r->sets[set], NULL, NULL, &error);
    if (!protocol) fail_msg("%s", error.message);
    piaa_personal *personal =
        piaa_personal_run(r->sets[set], protocol, &r->lt3[set], 1, options, NULL, &error);
    if (!personal) fail_msg("%s", error.message);
    piaa_protocol_free(protocol);
    return personal;
}

static void expect_equal(const piaa_outcome *outcome, const piaa_dataset *set, const char *kind,
                         const char *name) {
    piaa_error error = {0};
    piaa_text text = {0};
    char *prefix = piaa_format(NULL, "%s/", kind),
         *path = piaa_format(NULL, "%s/reference/demo/%s.csv", PIAA_GOLDEN, name);
    assert_true(piaa_outcome_csv_header(&text, &error) &&
                piaa_outcome_csv(outcome, set, prefix, &text, &error));
    piaa_csv *own = piaa_csv_parse(text.data, text.length, "ours", &error),
             *theirs = piaa_csv_open(path, &error);
    if (!own || !theirs) fail_msg("%s", error.message);
    size_t rows = 0, close = 0, user = 0, first = 0;
    double spearman = 0, r2 = 0, truth[50], predicted[50];
    while (piaa_csv_next(theirs, &error) == 1) {
        assert_int_equal(piaa_csv_next(own, &error), 1);
        for (int c = 0; c < piaa_csv_columns(theirs); c++)
            if (c != 6) assert_string_equal(piaa_csv_field(own, c), piaa_csv_field(theirs, c));
        double a = 0, b = 0;
        assert_true(piaa_parse_number(piaa_csv_field(own, 6), &a) &&
                    piaa_parse_number(piaa_csv_field(theirs, 6), &b));
        close += fabs(a - b) < 2e-3;
        predicted[rows - first] = b;
        assert_true(piaa_parse_number(piaa_csv_field(theirs, 7), &truth[rows - first]));
        rows++;
        if (rows - first < 50) continue;
        double rho = NAN;
        assert_true(piaa_metrics_spearman(truth, predicted, 50, &rho, &error));
        spearman += isnan(rho) ? 0 : rho;
        r2 += piaa_metrics_r2(truth, predicted, 50);
        user++;
        first = rows;
    }
    assert_int_equal(piaa_csv_next(own, &error), 0);
    assert_int_equal(rows, outcome->row_count);
    print_message(
        "%s: %zu of %zu rows within 0.002; Spearman %.5f (published %.5f), R2 %.5f (%.5f)\n", name,
        close, rows, outcome->spearman.all.mean, spearman / (double)user, outcome->r2.all.mean,
        r2 / (double)user);
    assert_true(close * 100 >= rows * 99);
    assert_true(fabs(outcome->spearman.all.mean - spearman / (double)user) < 5e-4);
    assert_true(fabs(outcome->r2.all.mean - r2 / (double)user) < 5e-4);
    piaa_csv_close(own);
    piaa_csv_close(theirs);
    free(text.data);
    free(prefix);
    free(path);
}

static void para_equals_the_published_predictions(void **state) {
    const room *r = *state;
    const piaa_projection *projections[] = {r->projection};
    piaa_personal *p = run(r, PARA,
                           &(piaa_personal_options){.methods = METHODS(LINEAR, GIAA, REDUCE),
                                                    .small = true,
                                                    .large = true,
                                                    .projections = projections,
                                                    .model = "demo",
                                                    .threads = 2});
    assert_int_equal(p->count, 6);
    expect_equal(p->outcomes[0], r->sets[PARA], "para", "para_linear_hidden_LT3_small");
    expect_equal(p->outcomes[3], r->sets[PARA], "para", "para_linear_hidden_LT3_large");
    expect_equal(p->outcomes[4], r->sets[PARA], "para", "para_giaa_target_LT3_large");
    expect_equal(p->outcomes[5], r->sets[PARA], "para", "para_reduce_LT3_large");
    piaa_personal_free(p);
}

/* Two pools side by side, and raw text as the published code's model said it. */
static void residuals_of_a_pair_equal_the_published_ones(void **state) {
    const room *r = *state;
    piaa_error error = {0};
    piaa_source both;
    piaa_raw_texts raw;
    const piaa_slot slots[] = {{PIAA_LT, 3, 0}, {PIAA_V, 5, 0}};
    assert_true(piaa_source_open(&both, r->stores[PARA], r->sets[PARA], NULL, slots, 2, &error));
    if (!piaa_raw_texts_read(&raw, PIAA_GOLDEN "/text/few_shot_and_raw/para_raw_text.csv",
                             r->sets[PARA], NULL, &error))
        fail_msg("%s", error.message);
    piaa_protocol *protocol = piaa_protocol_make(r->sets[PARA], NULL, NULL, &error);
    const piaa_personal_options options = {.methods = METHODS(&piaa_method_residual_linear),
                                           .raw = &raw,
                                           .model = "demo",
                                           .threads = 2};
    piaa_personal *p = piaa_personal_run(r->sets[PARA], protocol, &both, 1, &options, NULL, &error);
    if (!p) fail_msg("%s", error.message);
    study_expect_published(r->sets[PARA], p->outcomes[0],
                           PIAA_GOLDEN "/text/residual/para_residual_linear_LT3_V5_large.csv",
                           1e-4);
    piaa_personal_free(p);
    piaa_protocol_free(protocol);
    piaa_raw_texts_free(&raw);
    piaa_source_close(&both);
}

/* Attributes of hidden states as lines of an answer that is learned: it is read to its end. */
static void a_chain_of_thought_is_learned(void **state) {
    const room *r = *state;
    piaa_error error = {0};
    piaa_protocol_options sizes = piaa_protocol_defaults();
    sizes.small = 4;
    sizes.test = 2;
    sizes.first = 1;
    piaa_protocol *protocol = piaa_protocol_make(r->sets[PARA], &sizes, NULL, &error);
    piaa_model *model = piaa_model_open(PIAA_SOURCE "/models/demo", &error);
    piaa_reader *reader = piaa_reader_new(model, &(piaa_request){.threads = 1}, &error);
    if (!protocol || !reader) fail_msg("%s", error.message);
    char *folder = support_folder();
    const piaa_projection *projections[] = {r->projection};
    piaa_dialogue *dialogue = NULL;
    const piaa_personal_options options = {
        .methods = METHODS(&piaa_method_cot_lora, &piaa_method_cot_lora_published),
        .small = true,
        .projections = projections,
        .reader = reader,
        .dialogue = &dialogue,
        .folder = folder};
    piaa_personal *p =
        piaa_personal_run(r->sets[PARA], protocol, &r->lt3[PARA], 1, &options, NULL, &error);
    if (!p) fail_msg("%s", error.message);
    assert_int_equal(p->count, 2);
    for (size_t i = 0; i < p->count; i++) {
        assert_int_equal(p->outcomes[i]->users[0].answers.asked, 2);
        assert_int_equal(p->outcomes[i]->users[0].answers.unparsable, 0);
        assert_true(p->outcomes[i]->users[0].bytes > 0);
    }
    piaa_personal_free(p);
    piaa_dialogue_free(dialogue);
    piaa_reader_free(reader);
    piaa_model_close(model);
    piaa_protocol_free(protocol);
    support_remove(folder);
}

static void lapis_equals_the_published_predictions(void **state) {
    const room *r = *state;
    piaa_personal *p =
        run(r, LAPIS, &(piaa_personal_options){.methods = METHODS(LINEAR), .model = "demo"});
    assert_int_equal(p->count, 1);
    expect_equal(p->outcomes[0], r->sets[LAPIS], "lapis", "lapis_linear_hidden_LT3_large");
    piaa_personal_free(p);
}

/* ----------------------------------------------------------------------------------- projection */

static void projection_equals_the_published_one(void **state) {
    const room *r = *state;
    piaa_safetensors *file =
        support_golden(PIAA_GOLDEN "/reference/demo/projection_LT3.safetensors");
    size_t count;
    double *coef = support_doubles(file, "coef", &count),
           *mean = support_doubles(file, "scaler_mean", NULL);
    double *scale = support_doubles(file, "scaler_scale", NULL),
           *intercept = support_doubles(file, "intercept", NULL);
    assert_int_equal(count, 11 * 192);
    assert_int_equal(r->projection->count, 11);
    assert_true(r->projection->alpha == 100);
    for (size_t k = 0; k < 11; k++) {
        assert_true(fabs(r->projection->intercepts[k] - intercept[k]) < 1e-6);
        for (size_t j = 0; j < 192; j++) {
            assert_true(fabs(r->projection->mean[j] - mean[j]) < 1e-4);
            assert_true(fabs(r->projection->weights[k * 192 + j] * scale[j] - coef[k * 192 + j]) <
                        1e-5);
        }
    }
    free(coef), free(mean), free(scale), free(intercept);
    piaa_safetensors_close(file);
}

/* ------------------------------------------------------------------------- other ways of asking */

/* PARA has no validation images: leave-one-out predictions stand in for them. */
static void para_is_probed_by_leave_one_out(void **state) {
    const room *r = *state;
    piaa_error error = {0};
    piaa_probe *probe = piaa_probe_run(r->sets[PARA], &r->lt3[PARA], 1, NULL, NULL, &error);
    if (!probe) fail_msg("%s", error.message);
    assert_true(probe->loo_validation);
    assert_int_equal(probe->count[PIAA_TRAIN], 320);
    assert_int_equal(probe->count[PIAA_TEST], 80);
    for (size_t t = 0; t < probe->target_count; t++) {
        const piaa_agreement *figures = probe->cells[t].figures;
        assert_int_equal(figures[PIAA_VALIDATION].n, 320);
        assert_true(figures[PIAA_VALIDATION].r2 < figures[PIAA_TRAIN].r2);
    }
    assert_true(probe->cells[0].figures[PIAA_TEST].spearman > 0.3);
    piaa_probe_free(probe);
}

static piaa_protocol *protocol_of(const room *r, int set) {
    piaa_error error = {0};
    piaa_protocol *protocol = piaa_protocol_make(r->sets[set], NULL, NULL, &error);
    if (!protocol) fail_msg("%s", error.message);
    return protocol;
}

/* The grid's results are those of single runs, whatever the threads, and a pair of pools reads
   both. */
static void a_grid_equals_single_runs(void **state) {
    const room *r = *state;
    piaa_error error = {0};
    piaa_protocol *protocol = protocol_of(r, PARA);
    piaa_source sources[2] = {r->lt3[PARA]};
    const piaa_slot twice[2] = {{PIAA_LT, 3, 0}, {PIAA_LT, 3, 0}};
    assert_true(
        piaa_source_open(&sources[1], r->stores[PARA], r->sets[PARA], NULL, twice, 2, &error));
    assert_string_equal(sources[1].name, "lt.3+lt.3");
    assert_int_equal(sources[1].dim, 384);
    piaa_personal_options options = {.methods = METHODS(LINEAR), .threads = 3, .draws = 100};
    piaa_personal *grid =
        piaa_personal_run(r->sets[PARA], protocol, sources, 2, &options, NULL, &error);
    options.threads = 1;
    piaa_personal *alone =
        piaa_personal_run(r->sets[PARA], protocol, sources + 1, 1, &options, NULL, &error);
    if (!grid || !alone) fail_msg("%s", error.message);
    assert_int_equal(grid->count, 2);
    assert_int_equal(grid->kinds[1].source, 1);
    for (size_t i = 0; i < alone->outcomes[0]->row_count; i++)
        assert_true(grid->outcomes[1]->rows[i].predicted == alone->outcomes[0]->rows[i].predicted);
    /* The same columns twice are ridge with half the penalty: other predictions, but close ones. */
    assert_true(fabs(grid->outcomes[0]->spearman.all.mean - grid->outcomes[1]->spearman.all.mean) <
                0.02);
    piaa_comparison compared[2];
    const piaa_outcome *const list[2] = {grid->outcomes[0], grid->outcomes[1]};
    assert_true(piaa_outcomes_compare(list, 2, 0, PIAA_FIGURE_SPEARMAN, 1000, 1, compared, &error));
    assert_int_equal(compared[1].users, 40);
    piaa_personal_free(grid);
    piaa_personal_free(alone);
    piaa_source_close(&sources[1]);
    piaa_protocol_free(protocol);
}

/* The mean of the support, of which it says that one answer was no score. */
static bool learn_mean(piaa_lesson *l, piaa_predictions *out, piaa_error *error) {
    double sum = 0;
    (void)error;
    assert_null(l->source);
    assert_null(l->rows);
    for (int64_t i = 0; i < l->n; i++) sum += l->scores[i];
    for (size_t k = 1; k < l->tests; k++) out->scores[k] = sum / (double)l->n;
    out->answers = (piaa_answers){.asked = l->tests, .unparsable = 1};
    return true;
}

/* A method that reads no features is run once for each support, beside those that do. */
static void a_method_without_features(void **state) {
    const room *r = *state;
    piaa_error error = {0};
    const piaa_dataset *set = r->sets[PARA];
    const piaa_method mean = {.name = "mean", .published = "mean", .learn = learn_mean};
    piaa_protocol *protocol = protocol_of(r, PARA);
    piaa_personal_options options = {
        .methods = METHODS(&mean, LINEAR), .small = true, .large = true, .threads = 2, .draws = 10};
    piaa_personal *out = piaa_personal_run(set, protocol, &r->lt3[PARA], 1, &options, NULL, &error);
    if (!out) fail_msg("%s", error.message);
    assert_int_equal(out->count, 4);
    assert_true(out->kinds[0].source == PIAA_NO_SOURCE && out->kinds[1].source == 0);
    assert_string_equal(out->outcomes[2]->method, "mean");
    const piaa_outcome *o = out->outcomes[2];
    double sum = 0;
    for (size_t i = 0; i < protocol->options.large; i++)
        sum += set->ratings[protocol->users[0].large[i]].score;
    assert_true(fabs(o->rows[0].predicted - sum / (double)protocol->options.large) < 1e-12);
    assert_int_equal(o->users[0].count, protocol->options.test - 1); /* one has no prediction */
    assert_int_equal(o->users[0].answers.unparsable, 1);
    piaa_personal_free(out);
    piaa_protocol_free(protocol);
}

/* Without the images of one style nothing of that style is learned from. */
static void a_style_is_left_out(void **state) {
    const room *r = *state;
    piaa_error error = {0};
    const piaa_dataset *set = r->sets[LAPIS];
    piaa_personal *out = run(
        r, LAPIS, &(piaa_personal_options){.methods = METHODS(LINEAR, STYLE_OUT), .threads = 2});
    piaa_protocol *protocol = protocol_of(r, LAPIS);
    assert_int_equal(out->outcomes[1]->row_count, 1200);
    assert_true(out->outcomes[1]->spearman.all.mean > 0.2 &&
                out->outcomes[1]->spearman.all.mean < out->outcomes[0]->spearman.all.mean);
    /* The same predictions for one person and style if the vectors of that style do not exist at
       all. */
    size_t label;
    assert_true(piaa_dataset_label(set, "style", &label));
    const piaa_outcome_row *first = &out->outcomes[1]->rows[0];
    const char *style = set->labels[first->image * set->label_count + label];
    piaa_source blind = r->lt3[LAPIS];
    blind.rows = piaa_alloc(set->image_count, sizeof *blind.rows, NULL);
    memcpy(blind.rows, r->lt3[LAPIS].rows, set->image_count * sizeof *blind.rows);
    for (size_t i = 0; i < set->image_count; i++)
        if (i != first->image && strcmp(set->labels[i * set->label_count + label], style) == 0)
            blind.rows[i] = -1;
    piaa_personal *other =
        piaa_personal_run(set, protocol, &blind, 1,
                          &(piaa_personal_options){.methods = METHODS(LINEAR)}, NULL, &error);
    if (!other) fail_msg("%s", error.message);
    assert_int_equal(other->outcomes[0]->rows[0].image, first->image);
    assert_true(fabs(other->outcomes[0]->rows[0].predicted - first->predicted) < 1e-12);
    assert_true(other->outcomes[0]->test_left_out > 0 && other->outcomes[0]->support_left_out > 0);
    free(blind.rows);
    piaa_personal_free(other);
    piaa_personal_free(out);
    piaa_protocol_free(protocol);
}

/* One support image left, and none. */
static void people_with_nearly_nothing(void **state) {
    const room *r = *state;
    piaa_error error = {0};
    const piaa_dataset *set = r->sets[PARA];
    piaa_protocol *protocol = protocol_of(r, PARA);
    piaa_source poor = r->lt3[PARA];
    poor.rows = piaa_alloc(set->image_count, sizeof *poor.rows, NULL);
    for (int left = 0; left < 2; left++) {
        memcpy(poor.rows, r->lt3[PARA].rows, set->image_count * sizeof *poor.rows);
        for (size_t i = (size_t)left; i < protocol->options.large; i++)
            poor.rows[set->ratings[protocol->users[0].large[i]].image] = -1;
        const piaa_projection *projections[] = {r->projection};
        piaa_personal_options options = {.methods = METHODS(LINEAR, GIAA, REDUCE),
                                         .projections = projections,
                                         .draws = 10,
                                         .threads = 2};
        piaa_personal *out = piaa_personal_run(set, protocol, &poor, 1, &options, NULL, &error);
        if (!out) fail_msg("%s", error.message);
        for (size_t m = 0; m < 3; m++) {
            const piaa_outcome *o = out->outcomes[m];
            assert_int_equal(o->users[0].support, left);
            assert_int_equal(o->without, !left);
            assert_true(left ? isnan(o->users[0].figures.spearman) && o->spearman.undefined >= 1
                             : o->users[0].count == 0);
            for (size_t i = 0; i < o->users[0].count && m != 1 /* whose target is another */; i++)
                assert_true(o->rows[i].predicted ==
                            set->ratings[protocol->users[0].large[0]].score);
        }
        piaa_personal_free(out);
    }
    free(poor.rows);
    piaa_protocol_free(protocol);
}

static void what_makes_no_sense_is_refused(void **state) {
    const room *r = *state;
    piaa_error error = {0};
    piaa_protocol *protocol = protocol_of(r, PARA);
    const piaa_personal_options bad[] = {{.small = true},
                                         {.methods = METHODS(REDUCE)},
                                         {.methods = METHODS(STYLE_OUT), .label = "no such label"}};
    for (size_t i = 0; i < PIAA_COUNT(bad); i++) {
        assert_null(
            piaa_personal_run(r->sets[PARA], protocol, &r->lt3[PARA], 1, &bad[i], NULL, &error));
        assert_true(error.message[0] && !strchr(error.message, '\n'));
    }
    piaa_source source;
    piaa_slot slot = {PIAA_LT, 7, 0};
    assert_false(piaa_source_open(&source, r->stores[PARA], r->sets[PARA], NULL, &slot, 1, &error));
    assert_non_null(strstr(error.message, "layer 7"));
    slot.layer = 3;
    assert_false(
        piaa_source_open(&source, r->stores[LAPIS], r->sets[PARA], NULL, &slot, 1, &error));
    assert_int_equal(error.code, PIAA_MISMATCH);
    piaa_protocol_free(protocol);
    assert_ptr_equal(piaa_method_find("giaa-target"), GIAA);
    assert_null(piaa_method_find("magic"));
    char *names = piaa_method_names(NULL);
    assert_string_equal(
        names, "linear-hidden, banded, linear-prior, giaa-target, reduce, style-out, raw-text, "
               "raw-text-corrected, expected-score, "
               "few-shot, cot, lora, lora-expected, lora-fixed, lora-published, token-class, "
               "token-class-published, cot-lora, "
               "cot-lora-published, residual-linear, residual-giaa, residual-mlp, ici, "
               "ici-reduced and ici+");
    free(names);
}

/* --------------------------------------------------------------------- changed images, in words */

/* Colours go with grey; composition is hardly touched. */
static void grey_photos_lose_their_colour(void **state) {
    const room *r = *state;
    piaa_error error = {0};
    size_t made = 0;
    char folder[] = PIAA_BUILD "/study-gray";
    mkdir(folder, 0755);
    assert_true(piaa_changed_make(r->sets[AADB], PIAA_SPLIT_TEST, PIAA_GRAY, 1, folder, 2, NULL,
                                  &made, &error));
    assert_int_equal(made, 150);
    piaa_model *model = piaa_model_open(PIAA_SOURCE "/models/demo", &error);
    piaa_extractor *extractor =
        piaa_extractor_new(model, &(piaa_request){.pools = "lt", .layers = "3"}, &error);
    const char *names[] = {folder};
    piaa_store *store =
        piaa_embed(PIAA_BUILD "/study-gray.piaa", extractor, names, 1, NULL, NULL, &error);
    if (!store) fail_msg("%s", error.message);
    piaa_source gray;
    piaa_slot slot = {PIAA_LT, 3, 0};
    if (!piaa_source_open(&gray, store, r->sets[AADB], folder, &slot, 1, &error))
        fail_msg("%s", error.message);
    assert_int_equal(gray.absent, r->sets[AADB]->image_count - 150);
    piaa_probe *probe = piaa_probe_run(r->sets[AADB], &r->lt3[AADB], 1,
                                       &(piaa_probe_options){.changed = &gray}, NULL, &error);
    if (!probe) fail_msg("%s", error.message);
    double vivid = 0, others = 0;
    for (size_t t = 1; t < probe->target_count; t++) {
        const piaa_probe_shift *shift = &probe->cells[t].shift;
        assert_true(shift->size >= fabs(shift->mean));
        if (strcmp(probe->target_names[t], "VividColor") == 0)
            vivid = shift->mean;
        else
            others = fmax(others, fabs(shift->mean));
    }
    print_message("grey moves VividColor by %.2f standard deviations, the others by at most %.2f\n",
                  vivid, others);
    assert_true(vivid < -0.5 && others < -vivid);
    piaa_probe_free(probe);
    piaa_source_close(&gray);
    piaa_store_close(store);
    piaa_extractor_free(extractor);
    piaa_model_close(model);
}

static piaa_taste *taste_of(const room *r, const piaa_protocol *protocol, size_t u, int64_t *rows) {
    piaa_error error = {0};
    double y[100];
    for (int i = 0; i < 100; i++) {
        const piaa_data_rating *rating = &r->sets[PARA]->ratings[protocol->users[u].large[i]];
        rows[i] = r->lt3[PARA].rows[rating->image];
        y[i] = rating->score;
    }
    piaa_identity identity = piaa_store_identity(r->stores[PARA]);
    piaa_taste *taste = piaa_taste_fit_rows(&identity, &r->lt3[PARA].slots[0], r->lt3[PARA].x, rows,
                                            y, 100, NULL, &error);
    if (!taste) fail_msg("%s", error.message);
    return taste;
}

static void explanations_add_up(void **state) {
    const room *r = *state;
    piaa_error error = {0};
    piaa_protocol *protocol = protocol_of(r, PARA);
    int64_t rows[100];
    piaa_taste *taste = taste_of(r, protocol, 0, rows);
    piaa_explanation *e = piaa_explain(taste, r->projection, r->lt3[PARA].x, rows, 100, &error);
    if (!e) fail_msg("%s", error.message);
    assert_int_equal(e->count, 11);
    assert_true(e->explained > 0.3 && e->explained < e->explained_seen && e->explained_seen < 1);
    double attributes[11], contributions[11], sum = 0, average = 0;
    for (int i = 0; i < 100; i++) {
        piaa_explained_photo photo;
        const float *x = r->lt3[PARA].x + rows[i] * r->lt3[PARA].dim;
        assert_true(piaa_explain_photo(e, x, attributes, contributions, &photo, &error));
        double own = 0, score;
        for (int k = 0; k < 11; k++) own += contributions[k];
        piaa_taste_predict(taste, x, 1, &score);
        assert_true(score == photo.score && fabs(own - photo.accounted) < 1e-12);
        assert_true(fabs(e->average_score + photo.accounted + photo.rest - score) < 1e-12);
        sum += photo.rest;
        average += score / 100;
    }
    assert_true(fabs(sum) < 1e-6 && fabs(average - e->average_score) < 1e-9);
    for (int k = 0; k < 11; k++)
        assert_true(fabs(e->signed_weights[k] - e->weights[k] * r->projection->deviations[k]) <
                    1e-12);
    piaa_explanation_free(e);

    /* A taste that is an attribute is explained by it alone. */
    memcpy(taste->weights, r->projection->weights + 4 * 192, 192 * sizeof(double));
    memcpy(taste->mean, r->projection->mean, 192 * sizeof(double));
    e = piaa_explain(taste, r->projection, r->lt3[PARA].x, rows, 100, &error);
    assert_non_null(e);
    assert_true(e->explained > 0.99 && fabs(e->weights[4] - 1) < 0.05);
    for (int k = 0; k < 11; k++)
        assert_true(k == 4 || fabs(e->signed_weights[k]) < 0.1 * e->signed_weights[4]);
    piaa_explanation_free(e);

    /* One photo, and a taste that says the same of everything. */
    e = piaa_explain(taste, r->projection, r->lt3[PARA].x, rows, 1, &error);
    assert_true(e && isnan(e->explained));
    piaa_explanation_free(e);
    memset(taste->weights, 0, 192 * sizeof(double));
    e = piaa_explain(taste, r->projection, r->lt3[PARA].x, rows, 100, &error);
    assert_true(e && isnan(e->explained) && e->weights[0] == 0);
    piaa_explanation_free(e);
    taste->slot.layer = 4;
    assert_null(piaa_explain(taste, r->projection, r->lt3[PARA].x, rows, 100, &error));
    assert_int_equal(error.code, PIAA_MISMATCH);
    assert_null(piaa_explain(taste, r->projection, r->lt3[PARA].x, rows, 0, &error));
    piaa_taste_free(taste);
    piaa_protocol_free(protocol);
}

/* ------------------------------------------------------------------------------ projection file */

static void a_projection_survives_its_file(void **state) {
    const room *r = *state;
    piaa_error error = {0};
    char *folder = support_folder(), *path = support_join(folder, "projection.json");
    assert_true(piaa_projection_save(r->projection, path, &error));
    piaa_projection *loaded = piaa_projection_load(path, &error);
    if (!loaded) fail_msg("%s", error.message);
    double a[11], b[11];
    for (int64_t i = 0; i < 100; i++) {
        piaa_projection_apply(r->projection, r->lt3[PARA].x + i * 192, 1, a);
        piaa_projection_apply(loaded, r->lt3[PARA].x + i * 192, 1, b);
        assert_memory_equal(a, b, sizeof a);
    }
    for (int k = 0; k < 11; k++) {
        assert_string_equal(loaded->names[k], r->projection->names[k]);
        assert_true(loaded->deviations[k] == r->projection->deviations[k] &&
                    loaded->loo_spearman[k] == r->projection->loo_spearman[k]);
    }
    assert_true(
        piaa_projection_fits(loaded, &r->projection->identity, &r->projection->slot, &error));
    piaa_identity other = r->projection->identity;
    other.prompt = "Another prompt";
    assert_false(piaa_projection_fits(loaded, &other, &r->projection->slot, &error));
    assert_non_null(strstr(error.message, "Another prompt"));
    piaa_projection_free(loaded);
    free(path);
    support_remove(folder);
}

static void damaged_projections_are_refused(void **state) {
    const room *r = *state;
    piaa_error error = {0};
    char *text = piaa_projection_to_json(r->projection, &error);
    assert_non_null(text);
    const struct {
        const char *from, *to;
    } damage[] = {
        {"piaa-projection", "piaa-taste"},      {"\"version\":1", "\"version\":2"},
        {"\"dim\":192", "\"dim\":191"},         {"\"dim\":192", "\"dim\":1e9"},
        {"\"alpha\":100", "\"alpha\":0"},       {"\"pool\":\"lt\"", "\"pool\":\"xx\""},
        {"\"intercept\"", "\"intersect\""},     {"\"deviation\":0", "\"deviation\":-1"},
        {"\"images\":400", "\"images\":1"},     {"\"attributes\":[", "\"attributes\":[1,"},
        {"\"weights\":[", "\"weights\":[null,"}};
    for (size_t i = 0; i < PIAA_COUNT(damage); i++) {
        const char *at = strstr(text, damage[i].from);
        if (!at) fail_msg("the file does not hold %s", damage[i].from);
        char *bad = piaa_format(NULL, "%.*s%s%s", (int)(at - text), text, damage[i].to,
                                at + strlen(damage[i].from));
        assert_non_null(bad);
        error = (piaa_error){0};
        piaa_projection *loaded =
            piaa_projection_parse(bad, strlen(bad), "projection.json", &error);
        if (loaded) fail_msg("%s became %s and nobody noticed", damage[i].from, damage[i].to);
        assert_non_null(strstr(error.message, "projection.json"));
        free(bad);
    }
    for (size_t size = 0; size < strlen(text) - 2; size += 1 + size / 3)
        assert_null(piaa_projection_parse(text, size, "projection.json", &error));
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probing_equals_the_published_figures),
        cmocka_unit_test(para_equals_the_published_predictions),
        cmocka_unit_test(residuals_of_a_pair_equal_the_published_ones),
        cmocka_unit_test(a_chain_of_thought_is_learned),
        cmocka_unit_test(lapis_equals_the_published_predictions),
        cmocka_unit_test(projection_equals_the_published_one),
        cmocka_unit_test(para_is_probed_by_leave_one_out),
        cmocka_unit_test(a_grid_equals_single_runs),
        cmocka_unit_test(a_method_without_features),
        cmocka_unit_test(a_style_is_left_out),
        cmocka_unit_test(people_with_nearly_nothing),
        cmocka_unit_test(what_makes_no_sense_is_refused),
        cmocka_unit_test(grey_photos_lose_their_colour),
        cmocka_unit_test(explanations_add_up),
        cmocka_unit_test(a_projection_survives_its_file),
        cmocka_unit_test(damaged_projections_are_refused),
    };
    return cmocka_run_group_tests(tests, open_room, close_room);
}

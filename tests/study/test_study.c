/* From image files to the published code's own output: probing, the personal protocol, the attribute projection. */
#include "study_support.h"

#include "base/json.h"
#include "linear/metrics.h"
#include "study/explain.h"
#include "study/personal.h"
#include "study/probe.h"

enum { AADB, PARA, LAPIS, SETS };
static const char *const set_names[SETS] = {"aadb", "para", "lapis"};

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
        r->stores[k] = study_store(set_names[k], k == AADB ? "lt,lt_tail,lv,v" : "lt", k == AADB ? "all" : "3");
        r->lt3[k] = study_source(r->stores[k], r->sets[k], PIAA_LT, 3);
    }
    piaa_identity identity = piaa_source_identity(r->stores[AADB]);
    r->projection = piaa_projection_learn(r->sets[AADB], &r->lt3[AADB], &identity, NULL, &error);
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

/* ------------------------------------------------------------------------------------------------------------- probing */

static const struct {
    const char *published;
    piaa_pool pool;
} pools[] = {{"llm_text", PIAA_LT}, {"llm_text_tail", PIAA_LT_TAIL}, {"llm_visual", PIAA_LV},
             {"vision", PIAA_V},    {"bridge_text", PIAA_LT},        {"bridge_visual", PIAA_LV}};

static size_t find_cell(const piaa_probe *probe, const char *published, int layer) {
    for (size_t p = 0; p < PIAA_COUNT(pools); p++)
        for (size_t s = 0; strcmp(pools[p].published, published) == 0 && s < probe->source_count; s++)
            if (probe->slots[s].pool == pools[p].pool && probe->slots[s].layer == layer) return s;
    fail_msg("no source for %s at layer %d", published, layer);
    return 0;
}

static const char *const part_names[PIAA_PARTS] = {"train", "val", "test"};

/* Largest difference between the figures of one cell; an undefined Spearman is 0 in the published code. */
static double cell_difference(const piaa_probe_cell *cell, const cJSON *entry) {
    double most = 0;
    for (int part = 0; part < PIAA_PARTS; part++) {
        const cJSON *figures = piaa_json_find(entry, part_names[part]);
        double rho, r2, rmse;
        assert_true(piaa_json_number(figures, "rho", &rho) && piaa_json_number(figures, "r2", &r2) &&
                    piaa_json_number(figures, "rmse", &rmse));
        const piaa_agreement *own = &cell->figures[part];
        most = fmax(most, fabs((isnan(own->spearman) ? 0 : own->spearman) - rho));
        most = fmax(most, fmax(fabs(own->r2 - r2), fabs(own->rmse - rmse)));
    }
    return most;
}

static void probing_equals_the_published_figures(void **state) {
    const room *r = *state;
    piaa_error error = {0};
    const piaa_slots *slots = piaa_store_slots(r->stores[AADB]);
    piaa_source *sources = piaa_alloc(slots->count, sizeof *sources, NULL);
    for (size_t s = 0; s < slots->count; s++)
        sources[s] = study_source(r->stores[AADB], r->sets[AADB], slots->items[s].pool, slots->items[s].layer);
    piaa_probe *probe = piaa_probe_run(r->sets[AADB], sources, slots->count, &(piaa_probe_options){.threads = 2}, NULL, &error);
    if (!probe) fail_msg("%s", error.message);
    assert_int_equal(probe->count[PIAA_TRAIN], 400);
    assert_int_equal(probe->count[PIAA_VALIDATION], 100);
    assert_int_equal(probe->count[PIAA_TEST], 150);
    assert_false(probe->loo_validation);
    cJSON *json = piaa_json_read(PIAA_GOLDEN "/reference/demo/probe_aadb_base.json", 1 << 24, &error);
    assert_non_null(json);
    size_t compared = 0, equal = 0;
    for (size_t t = 0; t < probe->target_count; t++) {
        const cJSON *attribute = cJSON_GetObjectItem(piaa_json_find(json, "attrs"), probe->target_names[t]), *entry;
        assert_non_null(attribute);
        cJSON_ArrayForEach(entry, piaa_json_find(attribute, "per_layer")) {
            int64_t layer = -1;
            assert_true(piaa_json_int(entry, "layer", &layer));
            size_t s = find_cell(probe, piaa_json_string(entry, "source"), (int)layer);
            double difference = cell_difference(&probe->cells[s * probe->target_count + t], entry);
            compared++;
            equal += difference < 5e-4;
            if (difference >= 5e-4)
                print_message("%s, %s: %.5f, alpha %g\n", probe->target_names[t], probe->source_names[s], difference,
                              probe->cells[s * probe->target_count + t].alpha);
        }
        int64_t layer = -1;
        assert_true(piaa_json_int(attribute, "best.layer", &layer));
        assert_int_equal(probe->best[t], find_cell(probe, piaa_json_string(attribute, "best.source"), (int)layer));
    }
    assert_int_equal(compared, 12 * 35);
    print_message("%zu of %zu cells equal to three decimals\n", equal, compared);
    assert_true(equal * 100 >= compared * 99);
    cJSON_Delete(json);
    piaa_probe_free(probe);
    for (size_t s = 0; s < slots->count; s++) piaa_source_close(&sources[s]);
    free(sources);
}

/* ------------------------------------------------------------------------------------------------- personal protocol */

static piaa_personal *run(const room *r, int set, const piaa_personal_options *options) {
    piaa_error error = {0};
    piaa_protocol *protocol = piaa_protocol_make(r->sets[set], NULL, NULL, &error);
    if (!protocol) fail_msg("%s", error.message);
    piaa_personal *personal = piaa_personal_run(r->sets[set], protocol, &r->lt3[set], 1, options, NULL, &error);
    if (!personal) fail_msg("%s", error.message);
    piaa_protocol_free(protocol);
    return personal;
}

static void expect_equal(const piaa_outcome *outcome, const piaa_dataset *set, const char *kind, const char *name) {
    piaa_error error = {0};
    piaa_text text = {0};
    char *prefix = piaa_format(NULL, "%s/", kind), *path = piaa_format(NULL, "%s/reference/demo/%s.csv", PIAA_GOLDEN, name);
    assert_true(piaa_outcome_csv_header(&text, &error) && piaa_outcome_csv(outcome, set, prefix, &text, &error));
    piaa_csv *own = piaa_csv_parse(text.data, text.length, "ours", &error), *theirs = piaa_csv_open(path, &error);
    if (!own || !theirs) fail_msg("%s", error.message);
    size_t rows = 0, close = 0, user = 0, first = 0;
    double spearman = 0, r2 = 0, truth[50], predicted[50];
    while (piaa_csv_next(theirs, &error) == 1) {
        assert_int_equal(piaa_csv_next(own, &error), 1);
        for (int c = 0; c < piaa_csv_columns(theirs); c++)
            if (c != 6) assert_string_equal(piaa_csv_field(own, c), piaa_csv_field(theirs, c));
        double a = 0, b = 0;
        assert_true(piaa_parse_number(piaa_csv_field(own, 6), &a) && piaa_parse_number(piaa_csv_field(theirs, 6), &b));
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
    print_message("%s: %zu of %zu rows within 0.002; Spearman %.5f (published %.5f), R2 %.5f (%.5f)\n", name, close, rows,
                  outcome->spearman.all.mean, spearman / (double)user, outcome->r2.all.mean, r2 / (double)user);
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
    piaa_personal *p =
        run(r, PARA,
            &(piaa_personal_options){
                .methods = {true, true, true}, .small = true, .large = true, .projections = projections, .model = "demo", .threads = 2});
    assert_int_equal(p->count, 6);
    expect_equal(p->outcomes[0], r->sets[PARA], "para", "para_linear_hidden_LT3_small");
    expect_equal(p->outcomes[3], r->sets[PARA], "para", "para_linear_hidden_LT3_large");
    expect_equal(p->outcomes[4], r->sets[PARA], "para", "para_giaa_target_LT3_large");
    expect_equal(p->outcomes[5], r->sets[PARA], "para", "para_reduce_LT3_large");
    piaa_personal_free(p);
}

static void lapis_equals_the_published_predictions(void **state) {
    const room *r = *state;
    piaa_personal *p = run(r, LAPIS, &(piaa_personal_options){.methods = {true}, .model = "demo"});
    assert_int_equal(p->count, 1);
    expect_equal(p->outcomes[0], r->sets[LAPIS], "lapis", "lapis_linear_hidden_LT3_large");
    piaa_personal_free(p);
}

/* ------------------------------------------------------------------------------------------------------- projection */

static void projection_equals_the_published_one(void **state) {
    const room *r = *state;
    piaa_safetensors *file = support_golden(PIAA_GOLDEN "/reference/demo/projection_LT3.safetensors");
    size_t count;
    double *coef = support_doubles(file, "coef", &count), *mean = support_doubles(file, "scaler_mean", NULL);
    double *scale = support_doubles(file, "scaler_scale", NULL), *intercept = support_doubles(file, "intercept", NULL);
    assert_int_equal(count, 11 * 192);
    assert_int_equal(r->projection->count, 11);
    assert_true(r->projection->alpha == 100);
    for (size_t k = 0; k < 11; k++) {
        assert_true(fabs(r->projection->intercepts[k] - intercept[k]) < 1e-6);
        for (size_t j = 0; j < 192; j++) {
            assert_true(fabs(r->projection->mean[j] - mean[j]) < 1e-4);
            assert_true(fabs(r->projection->weights[k * 192 + j] * scale[j] - coef[k * 192 + j]) < 1e-5);
        }
    }
    free(coef), free(mean), free(scale), free(intercept);
    piaa_safetensors_close(file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probing_equals_the_published_figures),
        cmocka_unit_test(para_equals_the_published_predictions),
        cmocka_unit_test(lapis_equals_the_published_predictions),
        cmocka_unit_test(projection_equals_the_published_one),
    };
    return cmocka_run_group_tests(tests, open_room, close_room);
}

/* Methods that start from raw text, against what the published code printed for the same features
   and answers. */
#include "study_support.h"

#include "base/blas.h"
#include "base/json.h"
#include "study/personal.h"

#define GOLDEN PIAA_GOLDEN "/text"
#define METHODS(...) ((const piaa_method *const[]){__VA_ARGS__, NULL})

typedef struct room {
    piaa_dataset *set;
    piaa_protocol *protocol;
    piaa_raw_texts raw;
    piaa_source lt3;
    float *x;
} room;

/* The recorded features, as a source. */
static void open_features(room *r) {
    piaa_error error = {0};
    size_t count;
    piaa_safetensors *golden = support_golden(GOLDEN "/residual/features_LT3.safetensors");
    cJSON *names = piaa_json_read(GOLDEN "/residual/features_LT3.json", 1 << 20, &error);
    r->x = support_floats(golden, "lt3", &count);
    r->lt3 = (piaa_source){.name = "lt.3",
                           .published = "llm_text_L3",
                           .slots = {{PIAA_LT, 3, 192}},
                           .parts = 1,
                           .dim = 192,
                           .x = r->x,
                           .rows = piaa_alloc(r->set->image_count, sizeof(int64_t), NULL)};
    assert_int_equal(count, 192 * cJSON_GetArraySize(names));
    for (size_t i = 0; i < r->set->image_count; i++) r->lt3.rows[i] = -1;
    for (int k = 0; k < cJSON_GetArraySize(names); k++) {
        size_t image;
        const char *name = cJSON_GetArrayItem(names, k)->valuestring;
        assert_true(piaa_dataset_find(r->set, strchr(name, '/') + 1, &image));
        r->lt3.rows[image] = k;
    }
    cJSON_Delete(names);
    piaa_safetensors_close(golden);
}

static int open_room(void **state) {
    piaa_error error = {0};
    room *r = piaa_alloc(1, sizeof *r, NULL);
    piaa_blas_hold(); /* people are learned side by side */
    r->set = study_set("para");
    r->protocol = piaa_protocol_make(r->set, NULL, NULL, &error);
    assert_non_null(r->protocol);
    open_features(r);
    if (!piaa_raw_texts_read(&r->raw, GOLDEN "/few_shot_and_raw/para_raw_text.csv", r->set, NULL,
                             &error))
        fail_msg("%s", error.message);
    *state = r;
    return 0;
}

static int close_room(void **state) {
    room *r = *state;
    piaa_raw_texts_free(&r->raw);
    piaa_protocol_free(r->protocol);
    free(r->lt3.rows);
    free(r->x);
    piaa_dataset_close(r->set);
    free(r);
    return 0;
}

static piaa_personal *run(const room *r, const piaa_personal_options *options) {
    piaa_error error = {0};
    piaa_personal *personal =
        piaa_personal_run(r->set, r->protocol, &r->lt3, 1, options, NULL, &error);
    if (!personal) fail_msg("%s", error.message);
    return personal;
}

static void linear_predictions_are_the_published_ones(void **state) {
    const room *r = *state;
    piaa_personal *p =
        run(r, &(piaa_personal_options){
                   .methods = METHODS(&piaa_method_raw_text, &piaa_method_raw_text_corrected,
                                      &piaa_method_residual_linear, &piaa_method_residual_giaa),
                   .raw = &r->raw,
                   .small = true,
                   .large = true,
                   .model = "demo",
                   .draws = 10,
                   .threads = 2});
    assert_int_equal(p->count, 8);
    study_expect_published(r->set, p->outcomes[1], GOLDEN "/few_shot_and_raw/para_small_bias.csv",
                           1e-6);
    study_expect_published(r->set, p->outcomes[5], GOLDEN "/few_shot_and_raw/para_large_bias.csv",
                           1e-6);
    study_expect_published(r->set, p->outcomes[2],
                           GOLDEN "/residual/para_residual_linear_LT3_small.csv", 1e-4);
    study_expect_published(r->set, p->outcomes[6],
                           GOLDEN "/residual/para_residual_linear_LT3_large.csv", 1e-4);
    study_expect_published(r->set, p->outcomes[7],
                           GOLDEN "/residual/para_residual_linear_giaa_gt_LT3_large.csv", 1e-4);
    for (size_t i = 0; i < p->outcomes[0]->row_count; i++) /* raw text is itself */
        assert_true(p->outcomes[0]->rows[i].predicted == p->outcomes[0]->rows[i].general);
    /* figures.csv has .2992, .2992, .4495 and .2575. */
    const double published[] = {0.2992, 0.2992, 0.4495, 0.2575};
    for (int m = 0; m < 4; m++)
        assert_true(fabs(p->outcomes[4 + m]->spearman.all.mean - published[m]) < 1e-4);
    piaa_personal_free(p);
}

/* The published runs of the network set no seed, and two of them have a mean Spearman of .4147 and
 * .3927 (10 ratings: .2802); ours lies among such runs, and is the same every time. */
static void the_network_is_drawn_from_the_seed(void **state) {
    const room *r = *state;
    piaa_personal_options options = {.methods = METHODS(&piaa_method_residual_mlp),
                                     .raw = &r->raw,
                                     .draws = 10,
                                     .seed = 42,
                                     .threads = 2};
    piaa_personal *first = run(r, &options);
    options.threads = 1;
    piaa_personal *again = run(r, &options);
    const piaa_outcome *a = first->outcomes[0], *b = again->outcomes[0];
    assert_string_equal(a->method, "residual_mlp_llm_text_L3");
    assert_int_equal(a->row_count, 2000);
    for (size_t i = 0; i < a->row_count; i++)
        assert_true(a->rows[i].predicted == b->rows[i].predicted);
    print_message("mean Spearman of the network: %.4f\n", a->spearman.all.mean);
    assert_true(fabs(a->spearman.all.mean - 0.404) < 0.03);
    piaa_personal_free(first);
    piaa_personal_free(again);
}

/* Answers that hold no number, and images without an answer, are left out of what is learned and
 * have no prediction; everything else is as if they were not there. */
static void what_holds_no_number_is_left_out(void **state) {
    room r = *(const room *)*state;
    piaa_error error = {0};
    piaa_raw_texts raw;
    const piaa_protocol_user *user = &r.protocol->users[0];
    const size_t learned = r.set->ratings[user->large[0]].image,
                 tested = r.set->ratings[user->test[0]].image,
                 silent = r.set->ratings[user->test[1]].image;
    assert_true(piaa_raw_texts_make(&raw, r.set, &error));
    for (size_t i = 0; i < r.set->image_count; i++)
        if (i != silent)
            piaa_raw_texts_put(&raw, i, i == learned || i == tested ? NAN : r.raw.scores[i]);
    assert_int_equal(raw.answered, r.set->image_count - 1);
    assert_int_equal(raw.unparsable, 2);
    piaa_personal *p =
        run(&r, &(piaa_personal_options){
                    .methods = METHODS(&piaa_method_raw_text, &piaa_method_raw_text_corrected,
                                       &piaa_method_residual_linear, &piaa_method_residual_mlp),
                    .raw = &raw,
                    .draws = 10,
                    .threads = 2});
    for (int m = 0; m < 4; m++) {
        const piaa_outcome_user *first = &p->outcomes[m]->users[0];
        assert_int_equal(first->count, 48);
        assert_int_equal(first->support, m ? 99 : 0);
        assert_int_equal(first->answers.unparsable, m ? 2 : 1);
        assert_int_equal(first->answers.asked, m ? 149 : 49);
        for (size_t k = 0; k < first->count; k++)
            assert_true(isfinite(p->outcomes[m]->rows[first->first + k].predicted));
    }
    piaa_personal_free(p);
    piaa_raw_texts_free(&raw);
}

/* Without any answer nothing is learned: the correction is none, and residuals are not predicted.
 */
static void a_person_without_answers(void **state) {
    const room *r = *state;
    piaa_error error = {0};
    piaa_raw_texts raw;
    assert_true(piaa_raw_texts_make(&raw, r->set, &error));
    const piaa_protocol_user *user = &r->protocol->users[0];
    for (size_t k = 0; k < r->protocol->options.test; k++)
        piaa_raw_texts_put(&raw, r->set->ratings[user->test[k]].image, k ? 3 : 7);
    bool learns = false;
    for (size_t k = 0; k < r->protocol->options.large; k++)
        learns = learns || raw.there[r->set->ratings[user->large[k]].image];
    assert_false(learns);
    piaa_personal *p =
        run(r, &(piaa_personal_options){.methods = METHODS(&piaa_method_raw_text_corrected,
                                                           &piaa_method_residual_linear),
                                        .raw = &raw,
                                        .draws = 10});
    assert_int_equal(p->outcomes[0]->users[0].count, 50);
    assert_int_equal(p->outcomes[0]->users[0].answers.out_of_range, 1);
    assert_true(p->outcomes[0]->rows[0].predicted == 7);
    assert_int_equal(p->outcomes[1]->users[0].count, 0);
    piaa_personal_free(p);
    piaa_raw_texts_free(&raw);
}

/* ------------------------------------------------------------------------------------ the tables
 */

static bool read_table(const room *r, const char *text, piaa_raw_texts *raw, piaa_error *error) {
    char *folder = support_folder(), *path = support_join(folder, "raw.csv");
    support_write(folder, "raw.csv", text, strlen(text));
    const bool ok = piaa_raw_texts_read(raw, path, r->set, NULL, error);
    free(path);
    support_remove(folder);
    return ok;
}

static void tables_in_many_spellings(void **state) {
    const room *r = *state;
    piaa_error error = {0};
    piaa_raw_texts raw;
    const char *name = r->set->images[0].name, *other = r->set->images[1].name;
    char *text = piaa_format(NULL,
                             "image_path,raw_output\r\npara/%s,\"I would say 3.5, or 4\"\r\n"
                             "/photos/of/%s,none\nsomewhere/else.jpg,2\n",
                             name, other);
    if (!read_table(r, text, &raw, &error)) fail_msg("%s", error.message);
    assert_true(raw.scores[0] == 3.5 && isnan(raw.scores[1]) && raw.there[1] && !raw.there[2]);
    assert_int_equal(raw.answered, 2);
    assert_int_equal(raw.unparsable, 1);
    piaa_raw_texts_free(&raw);
    free(text);
    /* giaa counts before the text; the last of two rows does */
    text = piaa_format(NULL, "model_id,image_path,giaa,raw_output\nm,%s,nan,2\nm,%s,4,2\nm,%s,,5\n",
                       name, name, other);
    if (!read_table(r, text, &raw, &error)) fail_msg("%s", error.message);
    assert_true(raw.scores[0] == 4 && isnan(raw.scores[1]) && raw.unparsable == 1);
    assert_string_equal(raw.model, "m");
    piaa_raw_texts_free(&raw);
    free(text);
}

static void tables_that_are_refused(void **state) {
    const room *r = *state;
    const char *name = r->set->images[0].name, *other = r->set->images[1].name;
    char *models = piaa_format(NULL, "model_id,image_path,giaa\na,%s,3\nb,%s,3\n", name, other);
    const struct {
        const char *text, *word;
    } bad[] = {{"path,giaa\nx,3\n", "image_path"},
               {"image_path,score\nx,3\n", "raw_output"},
               {"image_path,giaa\nelsewhere.jpg,3\n", "no raw text for an image"},
               {models, "one model"}};
    for (size_t i = 0; i < PIAA_COUNT(bad); i++) {
        piaa_error error = {0};
        piaa_raw_texts raw;
        assert_false(read_table(r, bad[i].text, &raw, &error));
        if (!strstr(error.message, bad[i].word)) fail_msg("%s", error.message);
        assert_null(raw.scores);
    }
    free(models);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear_predictions_are_the_published_ones),
        cmocka_unit_test(the_network_is_drawn_from_the_seed),
        cmocka_unit_test(what_holds_no_number_is_left_out),
        cmocka_unit_test(a_person_without_answers),
        cmocka_unit_test(tables_in_many_spellings),
        cmocka_unit_test(tables_that_are_refused),
    };
    return cmocka_run_group_tests(tests, open_room, close_room);
}

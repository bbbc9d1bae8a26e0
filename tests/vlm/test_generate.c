/* Answers against Hugging Face transformers: the tokens, their margins, the digits' expected score
 * and share; the settings of generation_config.json; and draws against the probabilities that
 * transformers would draw by. */
#include "fixture.h"
#include "questions.h"

#include "base/json.h"
#include "base/utf8.h"
#include "vlm/generate.h"

#include <math.h>

static const char golden_folder[] = PIAA_GOLDEN "/text/generate";

static cJSON *read_golden(const char *name) {
    piaa_error error = {0};
    char *path = support_join(golden_folder, name);
    cJSON *json = piaa_json_read(path, 8 << 20, &error);
    if (!json) fail_msg("%s", error.message);
    free(path);
    return json;
}

static fixture open_model(const char *folder, bool portable) {
    return fixture_open(
        folder, "lt", "0",
        (piaa_session_options){
            .dtype = PIAA_DTYPE_F32, .logits = true, .portable = portable, .cache = 1});
}

static piaa_decoding read_decoding(const fixture *f, bool sample) {
    piaa_error error = {0};
    piaa_decoding decoding;
    if (!piaa_decoding_read(f->model, sample, &decoding, &error)) fail_msg("%s", error.message);
    return decoding;
}

/* Pieces of an answer, joined. */
typedef struct told {
    piaa_text text;
    int pieces;
} told;

static bool hear(void *user, const char *text) {
    told *t = user;
    assert_true(*text);
    assert_int_equal(piaa_utf8_check(text, strlen(text)), strlen(text));
    assert_true(piaa_text_format(&t->text, NULL, "%s", text));
    t->pieces++;
    return true;
}

static piaa_answer *answer(fixture *f, const char *image, const piaa_ask *ask,
                           const piaa_decoding *decoding, piaa_answering how) {
    piaa_error error = {0};
    told t = {0};
    piaa_model_input *input = fixture_file(f, image, ask);
    how.piece = hear;
    how.user = &t;
    piaa_answer *said =
        piaa_generate(f->model, f->session, input, NULL, decoding, &how, NULL, &error);
    if (!said) fail_msg("%s", error.message);
    assert_string_equal(said->text, t.text.data ? t.text.data : "");
    assert_int_equal(said->prompt_tokens, piaa_model_input_tokens(input));
    piaa_model_input_free(input);
    free(t.text.data);
    return said;
}

static void expect_ids(const piaa_answer *said, const int32_t *ids, size_t count,
                       const char *where) {
    for (size_t i = 0; i < count && i < said->new_count; i++)
        if (said->new_ids[i] != ids[i])
            fail_msg("%s: token %zu is %d, not %d", where, i, said->new_ids[i], ids[i]);
    if (said->new_count != count)
        fail_msg("%s: %zu tokens, not %zu", where, said->new_count, count);
}

/* ------------------------------------------------------------------------- the tiny checkpoints */

static void check_question(fixture *f, const piaa_safetensors *golden, const char *photo, size_t q,
                           const piaa_decoding *decoding) {
    char key[96], part[128];
    snprintf(key, sizeof key, "%s|%s", photo, questions[q].name);
    snprintf(part, sizeof part, "%s|new_ids", key);
    if (!piaa_safetensors_find(golden, part)) return;
    const piaa_ask ask = question(q);
    const piaa_tensor *ids = support_tensor(golden, part);
    piaa_answer *said = answer(f, photo, &ask, decoding, (piaa_answering){0});
    expect_ids(said, ids->data, (size_t)ids->shape[0], key);
    snprintf(part, sizeof part, "%s|margins", key);
    const float *margins = support_tensor(golden, part)->data;
    for (size_t k = 0; k < said->new_count; k++)
        assert_true(fabsf(said->margins[k] - margins[k]) <= 1e-4f);
    snprintf(part, sizeof part, "%s|expected", key);
    double *expected = support_doubles(golden, part, NULL);
    assert_true(fabs(said->expected_score - expected[0]) <= 1e-5);
    assert_true(fabs(said->digit_mass - expected[1]) <= 1e-4 * expected[1]);
    free(expected);
    piaa_answer_free(said);

    piaa_decoding endless = *decoding;
    endless.stop = (piaa_ids){0};
    snprintf(part, sizeof part, "%s|new_ids_past_stop", key);
    said = answer(f, photo, &ask, &endless, (piaa_answering){0});
    expect_ids(said, support_tensor(golden, part)->data, 24, part);
    assert_false(said->stopped);
    assert_true(said->first_seconds > 0 && said->first_seconds <= said->seconds);
    piaa_answer_free(said);
}

static void test_golden(void **state) {
    PIAA_UNUSED(state);
    static const char *const families[] = {"qwen3vl", "gemma3"};
    for (size_t i = 0; i < PIAA_COUNT(families); i++)
        for (int portable = 0; portable < 2; portable++) {
            char *folder = support_join(PIAA_GOLDEN, families[i]), file[256];
            snprintf(file, sizeof file, "%s/%s.safetensors", golden_folder, families[i]);
            piaa_safetensors *golden = support_golden(file);
            fixture f = open_model(folder, portable);
            piaa_decoding decoding = read_decoding(&f, false);
            assert_int_equal(decoding.stop.count, 2);
            assert_int_equal(decoding.most, PIAA_ANSWER_TOKENS);
            decoding.most = 24;
            for (size_t p = 0; p < PIAA_COUNT(question_photos); p++)
                for (size_t q = 0; q < PIAA_COUNT(questions); q++)
                    check_question(&f, golden, question_photos[p], q, &decoding);
            piaa_decoding_free(&decoding);
            fixture_close(&f);
            piaa_safetensors_close(golden);
            free(folder);
        }
}

/* --------------------------------------------------------------------- the demonstration model */

/* The same tokens, but where the golden run's two largest logits are closer than roundings; such
   answers are named. */
static void check_said(const piaa_answer *said, const cJSON *expected, const char *where,
                       int *exceptions) {
    const cJSON *ids = piaa_json_find(expected, "new_ids");
    double margin = 0, score = 0, mass = 0;
    assert_true(piaa_json_number(expected, "least_margin", &margin) &&
                piaa_json_number(expected, "expected", &score) &&
                piaa_json_number(expected, "digit_mass", &mass));
    assert_true(fabs(said->expected_score - score) <= 1e-3);
    assert_true(fabs(said->digit_mass - mass) <= 1e-3);
    bool same = (size_t)cJSON_GetArraySize(ids) == said->new_count;
    const cJSON *id = ids->child;
    for (size_t i = 0; same && i < said->new_count; i++, id = id->next)
        same = said->new_ids[i] == id->valueint;
    if (!same && margin < 0.001) {
        print_message("%s: another answer, where the smallest margin is %g\n", where, margin);
        ++*exceptions;
        return;
    }
    if (!same) fail_msg("%s: \"%s\"", where, said->text);
    assert_string_equal(said->text, piaa_json_string(expected, "text"));
    bool stopped = false;
    assert_true(piaa_json_bool(expected, "stopped", &stopped) && said->stopped == stopped);
}

/* Every `step`-th of the 100 photos; PIAA_TEST_ALL: every one. */
static void check_demonstration(bool portable, int step) {
    cJSON *golden = read_golden("demo_para100.json");
    fixture f = open_model(NULL, portable);
    piaa_decoding decoding = read_decoding(&f, false);
    int place = 0, asked = 0, exceptions = 0;
    if (getenv("PIAA_TEST_ALL")) step = 1;
    for (const cJSON *row = piaa_json_find(golden, "photos")->child; row; row = row->next, place++)
        for (size_t q = 0; place % step == 0 && q < 3; q++) {
            const char *name = questions[q].name, *path = piaa_json_string(row, "path");
            char key[32], where[160], photo[160];
            int64_t most = 0;
            snprintf(key, sizeof key, "max_new_tokens.%s", name);
            assert_true(piaa_json_int(golden, key, &most));
            decoding.most = most;
            snprintf(where, sizeof where, "%s, %s", path, name);
            snprintf(photo, sizeof photo, PIAA_SOURCE "/data/%s", path);
            const piaa_ask ask = question(q);
            piaa_answer *said = answer(&f, photo, &ask, &decoding, (piaa_answering){0});
            check_said(said, piaa_json_find(row, name), where, &exceptions);
            piaa_answer_free(said);
            asked++;
        }
    print_message("%d answers, %d others\n", asked, exceptions);
    assert_true(exceptions * 50 <= asked);
    piaa_decoding_free(&decoding);
    fixture_close(&f);
    cJSON_Delete(golden);
}

static void test_demonstration(void **state) {
    PIAA_UNUSED(state);
    check_demonstration(false, 1);
}

static void test_demonstration_portable(void **state) {
    PIAA_UNUSED(state);
    check_demonstration(true, 4);
}

/* ------------------------------------------------------------------------ generation_config.json
 */

/* A golden folder with other settings; the caller removes it. */
static char *folder_with(const char *family, const char *settings) {
    static const char *const files[] = {"config.json", "preprocessor_config.json", "tokenizer.json",
                                        "model.safetensors"};
    char *folder = support_folder();
    for (size_t i = 0; i < PIAA_COUNT(files); i++) {
        char target[256];
        snprintf(target, sizeof target, PIAA_GOLDEN "/%s/%s", family, files[i]);
        support_make_link(folder, files[i], target);
    }
    if (settings) support_write(folder, "generation_config.json", settings, strlen(settings));
    return folder;
}

static void test_settings(void **state) {
    PIAA_UNUSED(state);
    cJSON *golden = read_golden("settings.json");
    const piaa_ask ask = {.prompt = piaa_json_string(golden, "prompt"), .generate = true};
    for (const cJSON *row = piaa_json_find(golden, "answers")->child; row; row = row->next) {
        char *settings = cJSON_PrintUnformatted(piaa_json_find(row, "settings"));
        char *folder = folder_with(piaa_json_string(row, "model"), settings);
        fixture f = open_model(folder, false);
        piaa_decoding decoding = read_decoding(&f, false);
        const cJSON *ids = piaa_json_find(row, "new_ids"), *id = ids->child;
        decoding.most = 16;
        piaa_answer *said = answer(&f, "cat.jpg", &ask, &decoding, (piaa_answering){0});
        if (said->new_count != (size_t)cJSON_GetArraySize(ids))
            fail_msg("%s: %zu tokens", settings, said->new_count);
        for (size_t i = 0; i < said->new_count; i++, id = id->next)
            if (said->new_ids[i] != id->valueint)
                fail_msg("%s: token %zu is %d", settings, i, said->new_ids[i]);
        piaa_answer_free(said);
        piaa_decoding_free(&decoding);
        fixture_close(&f);
        cJSON_free(settings);
        support_remove(folder);
    }
    cJSON_Delete(golden);
}

static void test_settings_refused(void **state) {
    PIAA_UNUSED(state);
    static const struct {
        const char *settings, *part;
        bool sample;
    } cases[] = {{"{\"num_beams\": 4}", "\"num_beams\"", false},
                 {"{\"no_repeat_ngram_size\": 3}", "\"no_repeat_ngram_size\"", false},
                 {"{\"bad_words_ids\": [[5]]}", "\"bad_words_ids\"", false},
                 {"{\"stop_strings\": \"x\"}", "\"stop_strings\"", false},
                 {"{\"guidance_scale\": 1.5}", "\"guidance_scale\"", false},
                 {"{\"token_healing\": true}", "\"token_healing\"", false},
                 {"{\"typical_p\": 0.5}", "\"typical_p\"", true},
                 {"{\"top_k\": -1}", "\"top_k\" should be", true},
                 {"{\"temperature\": 0}", "\"temperature\" should be", true},
                 {"{\"eos_token_id\": \"x\"}", "\"eos_token_id\" should be", false},
                 {"{\"eos_token_id\": [1, 2.5]}", "\"eos_token_id\" should be", false},
                 {"{\"repetition_penalty\": 0}", "\"repetition_penalty\" should be", false},
                 {"{\"suppress_tokens\": {}}", "\"suppress_tokens\" should be", false},
                 {"{\"eos_token_id\": ", "generation_config.json", false}};
    for (size_t i = 0; i < PIAA_COUNT(cases); i++) {
        piaa_error error = {0};
        char *folder = folder_with("qwen3vl", cases[i].settings);
        piaa_model *model = piaa_model_open(folder, &error);
        piaa_decoding decoding;
        assert_non_null(model);
        if (piaa_decoding_read(model, cases[i].sample, &decoding, &error) ||
            !strstr(error.message, cases[i].part))
            fail_msg("%s: \"%s\"", cases[i].settings, error.message);
        piaa_model_close(model);
        support_remove(folder);
    }
}

/* What does nothing, or nothing without samples, is passed over; null is as if it were not there.
   And without the file, the chat form's tokens end an answer. */
static void test_settings_passed(void **state) {
    PIAA_UNUSED(state);
    static const char *const cases[] = {
        "{\"num_beams\": 1, \"typical_p\": 0.5, \"temperature\": 0, \"use_cache\": false, "
        "\"bad_words_ids\": null, \"stop_strings\": [], \"eos_token_id\": 444}",
        NULL, "{\"max_new_tokens\": 7}"};
    for (size_t i = 0; i < PIAA_COUNT(cases); i++) {
        char *folder = folder_with("qwen3vl", cases[i]);
        fixture f = open_model(folder, false);
        piaa_decoding decoding = read_decoding(&f, false);
        assert_true(decoding.stop.count >= 1);
        assert_int_equal(decoding.most, i == 2 ? 7 : PIAA_ANSWER_TOKENS);
        const int32_t end = piaa_tokenizer_find(piaa_model_tokenizer(f.model), "<|im_end|>");
        bool found = false;
        for (size_t k = 0; k < decoding.stop.count; k++) found |= decoding.stop.items[k] == end;
        assert_true(found);
        piaa_decoding_free(&decoding);
        fixture_close(&f);
        support_remove(folder);
    }
}

/* ---------------------------------------------------------------------------------------- samples
 */

/* 20,000 draws of a token of probability p come within five standard deviations of 20,000 p. */
static void test_draws(void **state) {
    PIAA_UNUSED(state);
    enum { DRAWS = 20000, MOST = 64 };
    cJSON *golden = read_golden("settings.json");
    float scores[MOST];
    int count = 0;
    for (const cJSON *s = piaa_json_find(golden, "scores")->child; s; s = s->next)
        scores[count++] = (float)s->valuedouble;
    for (const cJSON *row = piaa_json_find(golden, "draws")->child; row; row = row->next) {
        piaa_decoding d = {.temperature = 1, .top_p = 1};
        piaa_candidate room[MOST];
        piaa_random random;
        int seen[MOST] = {0};
        piaa_random_seed_python(&random, 1);
        piaa_json_number(row, "settings.temperature", &d.temperature);
        piaa_json_int(row, "settings.top_k", &d.top_k);
        piaa_json_number(row, "settings.top_p", &d.top_p);
        piaa_json_number(row, "settings.min_p", &d.least_p);
        for (int i = 0; i < DRAWS; i++)
            seen[piaa_decoding_draw(&d, scores, (size_t)count, room, &random)]++;
        const cJSON *p = piaa_json_find(row, "probabilities")->child;
        for (int i = 0; i < count; i++, p = p->next) {
            const double wanted = DRAWS * p->valuedouble,
                         spread = sqrt(wanted * (1 - p->valuedouble));
            if (fabs(seen[i] - wanted) > 5 * spread + 1e-6)
                fail_msg("%s: token %d %d times, not %.0f",
                         cJSON_PrintUnformatted(piaa_json_find(row, "settings")), i, seen[i],
                         wanted);
        }
    }
    cJSON_Delete(golden);
}

/* Equal seeds give equal answers, others do not; the likeliest of one is the greedy answer. */
static void test_samples(void **state) {
    PIAA_UNUSED(state);
    fixture f = open_model(NULL, false);
    piaa_decoding decoding = read_decoding(&f, true);
    piaa_error error = {0};
    const piaa_ask ask = question(1);
    const char *photo = PIAA_SOURCE "/data/para/imgs/session1/iaa_pub1_0000.jpg";
    char *first = NULL;
    for (int i = 0; i < 4; i++) {
        const piaa_answering how = {.sample = true, .temperature = 1.5, .seed = i == 2 ? 2 : 1};
        assert_true(piaa_decoding_set(&decoding, &how, &error));
        if (i == 3) decoding.top_k = 1;
        piaa_answer *said = answer(&f, photo, &ask, &decoding, how);
        if (!first) {
            first = said->text;
            said->text = NULL;
        } else if (i == 1) {
            assert_string_equal(said->text, first);
        } else {
            assert_string_not_equal(said->text, first);
        }
        if (i == 3) assert_int_equal(strncmp(said->text, "A good photo: finely balanced", 29), 0);
        piaa_answer_free(said);
    }
    static const piaa_answering bad[] = {
        {.top_p = 1.5}, {.temperature = -1}, {.max_tokens = -1}, {.top_k = -2}};
    for (size_t i = 0; i < PIAA_COUNT(bad); i++) {
        error = (piaa_error){0};
        assert_false(piaa_decoding_set(&decoding, &bad[i], &error));
        assert_int_equal(error.code, PIAA_USAGE);
    }
    free(first);
    piaa_decoding_free(&decoding);
    fixture_close(&f);
}

/* ----------------------------------------------------------------------------------------- limits
 */

static bool enough(void *user, const char *text) {
    PIAA_UNUSED(text);
    return ++*(int *)user < 3;
}

static void test_ends(void **state) {
    PIAA_UNUSED(state);
    piaa_error error = {0};
    fixture f = open_model(NULL, false);
    piaa_decoding decoding = read_decoding(&f, false);
    const piaa_ask ask = question(1);
    const char *photo = PIAA_SOURCE "/data/para/imgs/session1/iaa_pub1_0000.jpg";
    decoding.most = 3;
    piaa_answer *said = answer(&f, photo, &ask, &decoding, (piaa_answering){0});
    assert_int_equal(said->new_count, 3);
    assert_false(said->stopped);
    piaa_answer_free(said);

    int pieces = 0;
    decoding.most = 100;
    piaa_model_input *input = fixture_file(&f, photo, &ask);
    const piaa_answering how = {.piece = enough, .user = &pieces};
    said = piaa_generate(f.model, f.session, input, NULL, &decoding, &how, NULL, &error);
    assert_non_null(said);
    assert_int_equal(pieces, 3);
    assert_true(said->new_count < 10);
    assert_false(said->stopped);
    piaa_answer_free(said);
    piaa_model_input_free(input);
    piaa_decoding_free(&decoding);
    fixture_close(&f);
}

static void shorten(cJSON *config) {
    cJSON_SetIntValue(fixture_at(config, "text_config.max_position_embeddings"), 70);
}

/* A model made for 70 positions: a question within them is answered up to there, one beyond is
   refused before anything is computed. */
static void test_context(void **state) {
    PIAA_UNUSED(state);
    char *folder = fixture_respelt(PIAA_GOLDEN "/gemma3", shorten, NULL, 0);
    piaa_error error = {0};
    fixture f = open_model(folder, false);
    piaa_decoding decoding = read_decoding(&f, false);
    decoding.stop.count = 0;
    piaa_ask ask = question(0); /* 64 tokens */
    piaa_answer *said = answer(&f, "cat.jpg", &ask, &decoding, (piaa_answering){0});
    assert_int_equal(said->new_count, 7); /* the last one was not read any more */
    piaa_answer_free(said);
    ask = question(2);
    piaa_model_input *input = fixture_file(&f, "cat.jpg", &ask);
    const piaa_answering how = {0};
    assert_null(piaa_generate(f.model, f.session, input, NULL, &decoding, &how, NULL, &error));
    assert_int_equal(error.code, PIAA_USAGE);
    assert_non_null(strstr(error.message, "was made for 70"));
    piaa_model_input_free(input);
    piaa_decoding_free(&decoding);
    fixture_close(&f);
    support_remove(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden),
                                       cmocka_unit_test(test_demonstration),
                                       cmocka_unit_test(test_demonstration_portable),
                                       cmocka_unit_test(test_settings),
                                       cmocka_unit_test(test_settings_refused),
                                       cmocka_unit_test(test_settings_passed),
                                       cmocka_unit_test(test_draws),
                                       cmocka_unit_test(test_samples),
                                       cmocka_unit_test(test_ends),
                                       cmocka_unit_test(test_context)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

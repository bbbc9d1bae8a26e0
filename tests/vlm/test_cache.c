/* Texts that go on after what a session has read: logits against Hugging Face transformers after
 * every token of a continuation that is not the model's own, and the cache's own promises: going
 * back, going on in other steps, growing. */
#include "fixture.h"
#include "questions.h"

enum { FORCED = 24 };

typedef struct checkpoint {
    const char *folder, *golden;
    bool causal; /* has "rating_causal" */
} checkpoint;

static const checkpoint families[] = {
    {PIAA_GOLDEN "/qwen3vl", PIAA_GOLDEN "/text/generate/qwen3vl.safetensors", false},
    {PIAA_GOLDEN "/gemma3", PIAA_GOLDEN "/text/generate/gemma3.safetensors", true}};

static piaa_place start(fixture *f, const char *image, const piaa_ask *ask) {
    piaa_model_input *input = fixture_file(f, image, ask);
    fixture_run(f, input);
    const piaa_place place = piaa_model_input_end(input);
    assert_int_equal(place.tokens, piaa_model_input_tokens(input));
    assert_int_equal(piaa_session_kept(f->session), place.tokens);
    piaa_model_input_free(input);
    return place;
}

static void check_forced(const checkpoint *family, bool portable) {
    piaa_safetensors *golden = support_golden(family->golden);
    fixture f = fixture_open(
        family->folder, "lt", "0",
        (piaa_session_options){
            .dtype = PIAA_DTYPE_F32, .logits = true, .portable = portable, .cache = 1});
    double most = 0;
    for (size_t i = 0; i < PIAA_COUNT(question_photos); i++)
        for (size_t p = 0; p < PIAA_COUNT(questions); p++) {
            if (!questions[p].text && !family->causal) continue;
            const piaa_ask ask = question(p);
            const double e =
                fixture_forced(&f, golden, question_photos[i], questions[p].name, &ask);
            if (e > most) most = e;
        }
    print_message("%s%s: relative error %.2g\n", family->folder, portable ? ", portable" : "",
                  most);
    assert_true(most <= 1e-4);
    fixture_close(&f);
    piaa_safetensors_close(golden);
}

static void test_forced(void **state) {
    PIAA_UNUSED(state);
    for (size_t i = 0; i < PIAA_COUNT(families); i++)
        for (int portable = 0; portable < 2; portable++) check_forced(&families[i], portable);
}

static float *copy_logits(const fixture *f, size_t *count) {
    *count = (size_t)piaa_model_get_info(f->model)->vocabulary;
    float *copy = piaa_alloc(*count, sizeof *copy, NULL);
    assert_non_null(copy);
    memcpy(copy, piaa_session_logits(f->session), *count * sizeof *copy);
    return copy;
}

/* In steps of 1 or all at once; after going back from another text; with room for all or growing
   from one panel. */
static void check_steps(const checkpoint *family, piaa_dtype dtype, bool portable, double limit) {
    piaa_safetensors *golden = support_golden(family->golden);
    const int32_t *ids = support_tensor(golden, "forced_ids")->data;
    const piaa_ask ask = question(0);
    float *by_one = NULL, *other = NULL;
    size_t n = 0;
    for (int room = 1; room <= 4096; room += 4095) {
        fixture f =
            fixture_open(family->folder, "lt", "all",
                         (piaa_session_options){
                             .dtype = dtype, .logits = true, .portable = portable, .cache = room});
        const piaa_place prompt = start(&f, "cat.jpg", &ask);
        piaa_place place = prompt;
        for (int t = 0; t < FORCED; t++) fixture_go_on(&f, &place, ids + t, 1);
        assert_int_equal(piaa_session_kept(f.session), prompt.tokens + FORCED);
        if (by_one) /* and room made at once changes nothing */
            assert_memory_equal(by_one, piaa_session_logits(f.session), n * sizeof *by_one);
        free(by_one);
        by_one = copy_logits(&f, &n);

        place = prompt;
        fixture_go_on(&f, &place, ids, FORCED);
        const double e = support_relative_error(piaa_session_logits(f.session), by_one, n);
        print_message("%s, %s%s: in one step %.2g\n", family->folder, piaa_dtype_name(dtype),
                      portable ? ", portable" : "", e);
        assert_true(e <= limit);

        place = prompt; /* another text, which is given up */
        fixture_go_on(&f, &place, ids + 5, 7);
        free(other);
        other = copy_logits(&f, &n);
        assert_true(support_relative_error(other, by_one, n) > 1e-3);
        place = prompt;
        for (int t = 0; t < FORCED; t++) fixture_go_on(&f, &place, ids + t, 1);
        assert_memory_equal(by_one, piaa_session_logits(f.session), n * sizeof *by_one);
        place = prompt;
        fixture_go_on(&f, &place, ids + 5, 7);
        assert_memory_equal(other, piaa_session_logits(f.session), n * sizeof *other);
        fixture_close(&f);
    }
    free(by_one);
    free(other);
    piaa_safetensors_close(golden);
}

static void test_steps(void **state) {
    PIAA_UNUSED(state);
    static const struct {
        piaa_dtype dtype;
        double limit;
    } types[] = {{PIAA_DTYPE_F32, 1e-5}, {PIAA_DTYPE_BF16, 0.03}, {PIAA_DTYPE_Q8_0, 0.03}};
    for (size_t i = 0; i < PIAA_COUNT(families); i++)
        for (int portable = 0; portable < 2; portable++)
            for (size_t k = 0; k < PIAA_COUNT(types); k++)
                check_steps(&families[i], types[k].dtype, portable, types[k].limit);
}

/* One pass gives the vectors and the logits, and the cache changes neither. */
static void test_both_answers(void **state) {
    PIAA_UNUSED(state);
    for (size_t i = 0; i < PIAA_COUNT(families); i++)
        for (int portable = 0; portable < 2; portable++) {
            const piaa_ask ask = question(0);
            fixture alone = fixture_open(families[i].folder, "lt,lv,v", "1,2",
                                         (piaa_session_options){.portable = portable});
            fixture f = fixture_open(
                families[i].folder, "lt,lv,v", "1,2",
                (piaa_session_options){.logits = true, .portable = portable, .cache = 64});
            piaa_model_input *input = fixture_file(&alone, "cat.jpg", &ask);
            fixture_run(&alone, input);
            piaa_model_input_free(input);
            start(&f, "cat.jpg", &ask);
            assert_non_null(piaa_session_logits(f.session));
            assert_true(support_relative_error(f.out, alone.out, f.values) <= 1e-6);
            assert_int_equal(piaa_session_kept(alone.session), 0);
            assert_true(piaa_session_cache_bytes(f.session) > 0);
            fixture_close(&f);
            fixture_close(&alone);
        }
}

static void test_errors(void **state) {
    PIAA_UNUSED(state);
    const int32_t id = 16;
    for (int cache = 0; cache < 2; cache++) {
        piaa_error error = {0};
        fixture f = fixture_open(families[0].folder, "lt", "0",
                                 (piaa_session_options){.logits = true, .cache = cache});
        piaa_model_input *input = piaa_model_continue(f.model, (piaa_place){5, 5}, &id, 1, &error);
        assert_non_null(input);
        assert_false(piaa_session_run(f.session, input, NULL, &error));
        assert_int_equal(error.code, PIAA_USAGE);
        assert_non_null(strstr(error.message, cache ? "only 0 were read" : "has a cache"));
        piaa_model_input_free(input);
        error = (piaa_error){0};
        assert_null(piaa_model_continue(f.model, (piaa_place){0, 0}, &id, 0, &error));
        fixture_close(&f);
    }
    fixture f = fixture_open(PIAA_GOLDEN "/dinov3", "v", "0", (piaa_session_options){.cache = 1});
    piaa_error error = {0};
    assert_null(piaa_model_continue(f.model, (piaa_place){0, 0}, &id, 1, &error));
    assert_non_null(strstr(error.message, "without a decoder"));
    piaa_model_input *input = fixture_file(&f, "cat.jpg", NULL);
    fixture_run(&f, input);
    piaa_model_input_free(input);
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_forced), cmocka_unit_test(test_steps),
                                       cmocka_unit_test(test_both_answers),
                                       cmocka_unit_test(test_errors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

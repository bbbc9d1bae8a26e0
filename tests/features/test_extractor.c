/* What an extractor says of itself to a store, for the families that differ in it. */
#include "support.h"

#include "features/extractor.h"

/* More features like these are asked for by a request that makes the same identity, whether it
   comes from the members that say so one by one or, in files of before, from the sentence alone. */
static void check_like(piaa_model *model, const piaa_extractor *extractor) {
    for (int before = 0; before < 2; before++) {
        piaa_error error = {0};
        piaa_request request;
        char layer[16];
        piaa_identity was = *piaa_extractor_identity(extractor);
        if (before) was.max_pixels = was.exif = was.image_attention = was.background = NULL;
        piaa_request_like(&was, &piaa_extractor_slots(extractor)->items[0], layer, &request);
        piaa_extractor *again = piaa_extractor_new(model, &request, &error);
        if (!again) fail_msg("%s", error.message);
        const piaa_identity *is = piaa_extractor_identity(again);
        assert_string_equal(is->preprocessing, was.preprocessing);
        assert_string_equal(is->prompt, was.prompt);
        assert_string_equal(is->chat, was.chat);
        assert_string_equal(is->dtype, was.dtype);
        piaa_extractor_free(again);
    }
}

static void check(const char *folder, const piaa_request *request, const char *prompt,
                  const char *preprocessing) {
    piaa_error error = {0};
    piaa_model *model = piaa_model_open(folder, &error);
    piaa_extractor *extractor = piaa_extractor_new(model, request, &error);
    if (!extractor) fail_msg("%s", error.message);
    assert_string_equal(piaa_extractor_identity(extractor)->prompt, prompt);
    assert_string_equal(piaa_extractor_identity(extractor)->preprocessing, preprocessing);
    check_like(model, extractor);
    piaa_extractor_free(extractor);
    piaa_model_close(model);
}

static void test_identity(void **state) {
    PIAA_UNUSED(state);
    const piaa_request causal = {.image_attention = PIAA_IMAGE_CAUSAL, .exif = PIAA_EXIF_IGNORE},
                       asked = {.prompt = "Hm?"};
    check(PIAA_GOLDEN "/gemma3", NULL, PIAA_BASE_PROMPT,
          "3136 to 3136 pixels, EXIF rotation applied");
    check(PIAA_GOLDEN "/gemma3", &causal, PIAA_BASE_PROMPT,
          "3136 to 3136 pixels, EXIF rotation ignored, image tokens causal");
    const piaa_request white = {.background = PIAA_BACKGROUND_WHITE},
                       black = {.background = PIAA_BACKGROUND_BLACK};
    check(PIAA_GOLDEN "/gemma3", &white, PIAA_BASE_PROMPT,
          "3136 to 3136 pixels, EXIF rotation applied, on white");
    check(PIAA_GOLDEN "/gemma3", &black, PIAA_BASE_PROMPT,
          "3136 to 3136 pixels, EXIF rotation applied, on black");
    /* Where it makes no difference it is not said, so that a store takes photos from both. */
    check(PIAA_GOLDEN "/qwen3vl", &causal, PIAA_BASE_PROMPT,
          "4096 to 65536 pixels, EXIF rotation ignored");
    const piaa_request small = {.max_pixels = 8192, .background = PIAA_BACKGROUND_BLACK};
    check(PIAA_GOLDEN "/qwen3vl", &small, PIAA_BASE_PROMPT,
          "4096 to 8192 pixels, EXIF rotation applied, on black");
    check(PIAA_GOLDEN "/clip", &asked, "", "4096 to 4096 pixels, EXIF rotation applied");
}

/* A photo file through the public interface: causal image tokens, and a vector without layers. */
static void test_features(void **state) {
    PIAA_UNUSED(state);
    static const struct {
        const char *folder, *key;
        piaa_request request;
        int64_t row;
    } rows[] = {
        {"gemma3",
         "cat.jpg|base|causal_lt",
         {.image_attention = PIAA_IMAGE_CAUSAL, .layers = "6", .threads = 1},
         6},
        {"gemma3", "cat.jpg|base|lt", {.layers = "6", .threads = 1}, 6},
        {"clip", "cat.jpg|image_embeds", {.pools = "projected", .threads = 1}, 0},
        {"siglip", "cat.jpg|v", {.threads = 1}, 3},
    };
    for (size_t i = 0; i < PIAA_COUNT(rows); i++) {
        piaa_error error = {0};
        char *folder = support_join(PIAA_GOLDEN, rows[i].folder),
             *file = support_join(folder, "golden.safetensors");
        piaa_safetensors *golden = support_golden(file);
        const piaa_tensor *expected = support_tensor(golden, rows[i].key);
        piaa_model *model = piaa_model_open(folder, &error);
        piaa_extractor *extractor = piaa_extractor_new(model, &rows[i].request, &error);
        if (!extractor) fail_msg("%s", error.message);
        size_t size = piaa_extractor_values(extractor);
        assert_int_equal(size, expected->shape[expected->dimensions - 1]);
        float *out = piaa_alloc(size, sizeof *out, &error);
        assert_non_null(out);
        if (!piaa_extractor_read(extractor, PIAA_GOLDEN "/images/cat.jpg", out, &error))
            fail_msg("%s", error.message);
        assert_true(
            support_relative_error(out, (const float *)expected->data + (size_t)rows[i].row * size,
                                   size) <= 2e-3);
        free(out);
        piaa_extractor_free(extractor);
        piaa_model_close(model);
        piaa_safetensors_close(golden);
        free(file);
        free(folder);
    }
}

/* One size for every photo: another is refused before the first. */
static void test_size_limit(void **state) {
    PIAA_UNUSED(state);
    piaa_error error = {0};
    piaa_model *model = piaa_model_open(PIAA_GOLDEN "/siglip", &error);
    assert_non_null(model);
    assert_null(piaa_extractor_new(model, &(piaa_request){.max_pixels = 9999}, &error));
    assert_int_equal(error.code, PIAA_USAGE);
    assert_string_equal(
        error.message,
        "SigLIP reads every photo at one size (4096 pixels): leave the limit of 9999 pixels out");
    piaa_model_close(model);
}

/* The vectors of a question come with its answer; the next photo alone is read as before. */
static void test_asking(void **state) {
    PIAA_UNUSED(state);
    static const char *const photos[] = {PIAA_GOLDEN "/images/cat.jpg",
                                         PIAA_GOLDEN "/images/coffee_420.jpg"};
    const piaa_request request = {.pools = "lt,lv,v", .layers = "1,2", .threads = 1};
    piaa_error error = {0};
    piaa_model *model = piaa_model_open(PIAA_GOLDEN "/qwen3vl", &error);
    piaa_extractor *extractor = piaa_extractor_new(model, &request, &error);
    const size_t n = piaa_extractor_values(extractor);
    float *before = piaa_alloc(4 * n, sizeof *before, &error), *after = before + n,
          *asked = before + 2 * n, *again = before + 3 * n;
    assert_true(piaa_extractor_read(extractor, photos[0], before, &error));
    const piaa_answering how = {.max_tokens = 5};
    piaa_answer *answer = piaa_extractor_ask(extractor, photos, 1, &how, asked, &error);
    if (!answer) fail_msg("%s", error.message);
    assert_int_equal(answer->new_count, 5);
    piaa_answer_free(answer);
    answer = piaa_extractor_ask(extractor, photos, 1, NULL, again, &error);
    assert_memory_equal(asked, again, n * sizeof *asked);
    piaa_answer_free(answer);
    assert_true(piaa_extractor_read(extractor, photos[0], after, &error));
    assert_memory_equal(before, after, n * sizeof *before);
    /* The image's tokens come before the opened turn, which only the text's mean takes in. */
    const piaa_slots *slots = piaa_extractor_slots(extractor);
    size_t at = 0;
    for (size_t i = 0; i < slots->count; at += (size_t)slots->items[i++].dim) {
        const double e =
            support_relative_error(asked + at, before + at, (size_t)slots->items[i].dim);
        assert_true(slots->items[i].pool == PIAA_LT ? e > 1e-3 : e < 1e-6);
    }
    assert_null(piaa_extractor_ask(extractor, photos, 0, NULL, NULL, &error));
    assert_int_equal(error.code, PIAA_USAGE);
    error = (piaa_error){0};
    assert_null(piaa_extractor_ask(extractor, photos, 2, NULL, asked, &error));
    assert_int_equal(error.code, PIAA_UNSUPPORTED);

    /* Several photos, and then features of one again. */
    error = (piaa_error){0};
    answer = piaa_extractor_ask(extractor, photos, 2, &how, NULL, &error);
    if (!answer) fail_msg("%s", error.message);
    assert_int_equal(answer->new_count, 5);
    piaa_answer *once_more = piaa_extractor_ask(extractor, photos, 2, &how, NULL, &error);
    assert_memory_equal(answer->new_ids, once_more->new_ids, 5 * sizeof *answer->new_ids);
    piaa_answer_free(answer);
    piaa_answer_free(once_more);
    assert_true(piaa_extractor_read(extractor, photos[0], after, &error));
    assert_memory_equal(before, after, n * sizeof *before);
    free(before);
    piaa_extractor_free(extractor);
    piaa_model_close(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identity), cmocka_unit_test(test_features),
        cmocka_unit_test(test_size_limit), cmocka_unit_test(test_asking)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

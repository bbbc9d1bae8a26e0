/* Loss, gradients and logits of an adapted decoder against PEFT's: gradients in float64 there. */
#include "fixture.h"

#include "base/random.h"

static const char *const families[] = {"qwen3vl", "gemma3"};

static char *path(const char *format, const char *family) {
    char *out = piaa_format(NULL, format, family);
    assert_non_null(out);
    return out;
}

static fixture open_family(const char *family, int threads) {
    char *folder = path(PIAA_GOLDEN "/%s", family), *run = path(LORA "%s/answer/run.json", family);
    fixture f = fixture_open(folder, run, PIAA_GOLDEN "/images", threads);
    free(folder);
    free(run);
    return f;
}

/* The largest error of a matrix's gradient, relative to its norm. */
static double worst_gradient(const piaa_lora *lora, const piaa_safetensors *golden) {
    double worst = 0;
    for (int i = 0; i < lora->blocks * PIAA_TARGETS; i++)
        for (int half = 0; half < 2; half++) {
            const piaa_lora_pair *pair = &lora->pairs[i];
            char name[160];
            snprintf(name, sizeof name, "grad|model.language_model.layers.%d.%s.lora_%c.weight",
                     i / PIAA_TARGETS, piaa_target_module((piaa_target)(i % PIAA_TARGETS)),
                     half ? 'B' : 'A');
            const piaa_tensor *expected = support_tensor(golden, name);
            const double e =
                support_relative_error(half ? pair->grad_b : pair->grad_a, expected->data,
                                       (size_t)piaa_tensor_count(expected));
            if (e > worst) worst = e;
        }
    return worst;
}

static void gradients_are_those_of_float64(void **state) {
    PIAA_UNUSED(state);
    for (size_t i = 0; i < PIAA_COUNT(families); i++) {
        fixture f = open_family(families[i], 2);
        char *folder = path(LORA "%s/random_b/adapter", families[i]),
             *file = path(LORA "%s/random_b/random_b.safetensors", families[i]);
        piaa_safetensors *golden = support_golden(file);
        piaa_lora *lora = fixture_adapter(&f, folder);
        fixture_batch batch;
        fixture_step(&f, 0, &batch);
        piaa_error error = {0};
        double loss;
        if (!piaa_network_loss(f.network, lora, &batch.batch, true, &loss, &error))
            fail_msg("%s", error.message);
        const double worst = worst_gradient(lora, golden);
        print_message("%s: loss %.6f, worst gradient %.1e\n", families[i], loss, worst);
        assert_true(worst < 1e-4);
        fixture_drop(&batch);
        piaa_lora_free(lora);
        piaa_safetensors_close(golden);
        free(folder);
        free(file);
        fixture_close(&f);
    }
}

/* The last eight rows of the question's logits, with the adapter beside the weights. */
static void logits_are_those_of_peft(void **state) {
    enum { KEPT = 8 };
    PIAA_UNUSED(state);
    for (size_t i = 0; i < PIAA_COUNT(families); i++) {
        fixture f = open_family(families[i], 1);
        char *folder = path(LORA "%s/random_b/adapter", families[i]),
             *file = path(LORA "%s/random_b/random_b.safetensors", families[i]);
        piaa_safetensors *golden = support_golden(file);
        const piaa_tensor *expected = support_tensor(golden, "logits"),
                          *ids = support_tensor(golden, "input_ids");
        piaa_lora *lora = fixture_adapter(&f, folder);
        piaa_error error = {0};
        piaa_sample *sample = fixture_sample(&f, 0, 0); /* the question, and an answer behind it */
        const int tokens = (int)ids->shape[0];
        for (int t = 0; t < sample->tokens; t++)
            sample->labels[t] = t >= tokens - KEPT && t < tokens ? 0 : -1;
        const size_t count = (size_t)piaa_tensor_count(expected);
        float *logits = piaa_alloc_array(count, sizeof *logits, NULL);
        assert_non_null(logits);
        if (!piaa_network_logits(f.network, lora, sample, logits, &error))
            fail_msg("%s", error.message);
        const double e = support_max_difference(logits, expected->data, count);
        print_message("%s: logits within %.1e\n", families[i], e);
        assert_true(e < 1e-4);
        free(logits);
        piaa_sample_free(sample);
        piaa_lora_free(lora);
        piaa_safetensors_close(golden);
        free(folder);
        free(file);
        fixture_close(&f);
    }
}

/* The adapter merged into the weights as they are read: the whole model's next-token logits. */
static void merged_logits_are_those_of_peft(void **state) {
    PIAA_UNUSED(state);
    for (size_t i = 0; i < PIAA_COUNT(families); i++) {
        char *base = path(PIAA_GOLDEN "/%s", families[i]),
             *folder = path(LORA "%s/random_b/adapter", families[i]),
             *file = path(LORA "%s/random_b/random_b.safetensors", families[i]);
        piaa_safetensors *golden = support_golden(file);
        const piaa_tensor *expected = support_tensor(golden, "merged_logits");
        const size_t size = (size_t)expected->shape[1];
        piaa_error error = {0};
        fixture f = {.images = PIAA_GOLDEN "/images"};
        f.model = piaa_model_open_adapted(base, NULL, folder, &error);
        if (!f.model) fail_msg("%s", error.message);
        f.session = piaa_session_new(
            f.model, &(piaa_slots){0},
            &(piaa_session_options){
                .dtype = PIAA_DTYPE_F32, .threads = 1, .logits = true, .device = "cpu"},
            &error);
        if (!f.session) fail_msg("%s", error.message);
        char *photo = support_join(f.images, "cat.jpg");
        piaa_image pixels = {0};
        assert_true(piaa_image_read(photo, PIAA_EXIF_IGNORE, &pixels, &error));
        const piaa_ask ask = {
            .prompt =
                "You are an expert judge of image aesthetics.\nFor each image, rate its overall "
                "visual aesthetic quality on a scale from 1.0 to 5.0.\nRespond with a single "
                "number (you may use a decimal like 3.5) and nothing else.\nRate this image "
                "now.",
            .generate = true};
        piaa_model_input *input = piaa_model_prepare(f.model, &pixels, &ask, &error);
        if (!input || !piaa_session_run(f.session, input, NULL, &error))
            fail_msg("%s", error.message);
        const float *last = (const float *)expected->data + (size_t)(expected->shape[0] - 1) * size;
        assert_true(support_max_difference(piaa_session_logits(f.session), last, size) < 1e-4);
        piaa_model_input_free(input);
        piaa_image_free(&pixels);
        free(photo);
        piaa_session_free(f.session);
        piaa_model_close(f.model);
        piaa_safetensors_close(golden);
        free(base);
        free(folder);
        free(file);
    }
}

/* Gradients of a network of these weights and threads, of the first batch. */
static float *gradients_of(fixture *f, piaa_dtype dtype, int threads, piaa_lora *lora) {
    piaa_error error = {0};
    piaa_network *network = piaa_network_new(f->decoder, dtype, threads, &error);
    fixture_batch batch;
    fixture_step(f, 0, &batch);
    batch.batch.dropout = 5;
    double loss;
    if (!network || !piaa_network_loss(network, lora, &batch.batch, true, &loss, &error))
        fail_msg("%s", error.message);
    float *out = piaa_alloc_array(lora->count, sizeof *out, NULL);
    assert_non_null(out);
    memcpy(out, lora->gradients, lora->count * sizeof *out);
    fixture_drop(&batch);
    piaa_network_free(network);
    return out;
}

/* The same bits on one thread and on three, with dropout too. */
static void threads_change_nothing(void **state) {
    PIAA_UNUSED(state);
    fixture f = open_family("qwen3vl", 1);
    piaa_lora *lora = fixture_adapter(&f, LORA "qwen3vl/random_b/adapter");
    lora->dropout = 0.1;
    static const piaa_dtype dtypes[] = {PIAA_DTYPE_BF16, PIAA_DTYPE_Q8_0, PIAA_DTYPE_F32};
    float *one = NULL;
    for (size_t i = 0; i < PIAA_COUNT(dtypes); i++) {
        free(one);
        one = gradients_of(&f, dtypes[i], 1, lora);
        float *three = gradients_of(&f, dtypes[i], 3, lora);
        assert_memory_equal(one, three, lora->count * sizeof *one);
        free(three);
    }
    lora->dropout = 0;
    float *whole = gradients_of(&f, PIAA_DTYPE_F32, 1, lora);
    assert_true(support_relative_error(one, whole, lora->count) > 1e-3); /* it does drop some */
    free(one), free(whole);
    piaa_lora_free(lora);
    fixture_close(&f);
}

/* What PEFT's runs do not have, biases of q, k and v and a cap on the logits: the gradient along a
 * random direction is the loss's slope there. */
static void check_slope(const piaa_decoder *decoder, const piaa_sample *sample) {
    static const float step = 2e-3f;
    piaa_error error = {0};
    piaa_random random;
    piaa_network *network = piaa_network_new(decoder, PIAA_DTYPE_F32, 1, &error);
    piaa_lora *lora = piaa_lora_new(decoder, 4, 8, PIAA_ALL_TARGETS, 0, 1, &error);
    if (!network || !lora) fail_msg("%s", error.message);
    float *start = piaa_alloc(lora->count, sizeof *start, NULL),
          *way = piaa_alloc(lora->count, sizeof *way, NULL);
    assert_true(start && way);
    piaa_random_seed_numpy(&random, 3);
    for (size_t i = 0; i < lora->count; i++) {
        start[i] = lora->values[i] + 0.1f * (float)(piaa_random_unit(&random) - 0.5);
        way[i] = (float)(piaa_random_unit(&random) - 0.5);
    }
    const piaa_batch batch = {.samples = &sample, .count = 1};
    double loss[3], slope = 0;
    for (int i = 0; i < 3; i++) { /* below, above, and in the middle with gradients */
        for (size_t j = 0; j < lora->count; j++)
            lora->values[j] = start[j] + (float)(i == 2 ? 0 : 2 * i - 1) * step * way[j];
        if (!piaa_network_loss(network, lora, &batch, i == 2, &loss[i], &error))
            fail_msg("%s", error.message);
    }
    for (size_t j = 0; j < lora->count; j++) slope += (double)lora->gradients[j] * (double)way[j];
    const double difference = (loss[1] - loss[0]) / (2 * (double)step);
    print_message("slope %.5f, by differences %.5f\n", slope, difference);
    assert_true(fabs(slope - difference) < 1e-2 * fabs(difference));
    free(start), free(way);
    piaa_lora_free(lora);
    piaa_network_free(network);
}

static void biases_and_caps_go_back(void **state) {
    PIAA_UNUSED(state);
    static const char *const folders[] = {PIAA_GOLDEN "/qwen25vl", PIAA_GOLDEN "/gemma3"};
    for (size_t i = 0; i < PIAA_COUNT(folders); i++) {
        piaa_error error = {0};
        piaa_model *model = piaa_model_open(folders[i], &error);
        if (!model) fail_msg("%s", error.message);
        int32_t ids[40];
        bool labelled[PIAA_COUNT(ids)];
        for (int j = 0; j < (int)PIAA_COUNT(ids); j++) {
            ids[j] = 20 + j * 7 % 90;
            labelled[j] = j > 30;
        }
        const piaa_chat_tokens chat = {.ids = {.items = ids, .count = PIAA_COUNT(ids)}};
        piaa_sample *sample =
            piaa_sample_new(model, &chat, labelled, NULL, PIAA_IMAGE_BOTH_WAYS, 0, &error);
        if (!sample) fail_msg("%s", error.message);
        piaa_decoder decoder = *model->family->decoder(model->config);
        check_slope(&decoder, sample);
        decoder.cap = 2;
        check_slope(&decoder, sample);
        piaa_sample_free(sample);
        piaa_model_close(model);
    }
}

/* Weights in 16 bits and in codes: gradients near those of float32, as far as these weights are
 * near. */
static void frozen_weights_may_be_narrow(void **state) {
    static const struct {
        piaa_dtype dtype;
        double bound;
    } kinds[] = {{PIAA_DTYPE_BF16, 0.05},
                 {PIAA_DTYPE_FILE, 0.05},
                 {PIAA_DTYPE_Q8_0, 0.1},
                 {PIAA_DTYPE_Q4_K, 0.9}};
    PIAA_UNUSED(state);
    for (size_t i = 0; i < PIAA_COUNT(families); i++) {
        fixture f = open_family(families[i], 2);
        char *folder = path(LORA "%s/random_b/adapter", families[i]);
        piaa_lora *lora = fixture_adapter(&f, folder);
        float *exact = gradients_of(&f, PIAA_DTYPE_F32, 2, lora);
        for (size_t k = 0; k < PIAA_COUNT(kinds); k++) {
            float *narrow = gradients_of(&f, kinds[k].dtype, 2, lora);
            const double e = support_relative_error(narrow, exact, lora->count);
            print_message("%s, %s: %.1e\n", families[i], piaa_dtype_name(kinds[k].dtype), e);
            assert_true(e < kinds[k].bound);
            free(narrow);
        }
        free(exact);
        free(folder);
        piaa_lora_free(lora);
        fixture_close(&f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_are_those_of_float64),
        cmocka_unit_test(logits_are_those_of_peft),
        cmocka_unit_test(merged_logits_are_those_of_peft),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(biases_and_caps_go_back),
        cmocka_unit_test(frozen_weights_may_be_narrow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

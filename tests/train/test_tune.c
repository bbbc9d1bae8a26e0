/* Learning from rated photos: what is written, that it is the same again and after any stop, and
 * what is refused. */
#include "support.h"

#include "base/blas.h"
#include "base/json.h"
#include "train/adapter.h"
#include "train/tune.h"
#include "vlm/model.h"

static const char *const names[] = {"cat.jpg", "coffee_tiny.png", "rocket_progressive.jpg",
                                    "cat_gray.png", "rocket.webp"};

typedef struct world {
    piaa_model *model;
    char *folder, *out;
    char *paths[PIAA_COUNT(names)];
    piaa_tune_photo photos[PIAA_COUNT(names)];
} world;

static world begin(const char *model) {
    piaa_error error = {0};
    world w = {.model = piaa_model_open(model, &error), .folder = support_folder()};
    if (!w.model) fail_msg("%s", error.message);
    w.out = support_join(w.folder, "adapter");
    for (size_t i = 0; i < PIAA_COUNT(names); i++) {
        w.paths[i] = support_join(PIAA_GOLDEN "/images", names[i]);
        w.photos[i] = (piaa_tune_photo){.path = w.paths[i], .score = 1.0 + 0.75 * (double)i};
    }
    piaa_blas_hold();
    return w;
}

static void end(world *w) {
    for (size_t i = 0; i < PIAA_COUNT(names); i++) free(w->paths[i]);
    free(w->out);
    support_remove(w->folder);
    piaa_model_close(w->model);
}

static const piaa_request request = {.threads = 2, .device = "cpu"};

static void learn(const world *w, const piaa_lora_options *options, const piaa_hooks *hooks,
                  piaa_lora_summary *summary) {
    piaa_error error = {0};
    if (!piaa_tune(w->model, &request, w->photos, PIAA_COUNT(names), PIAA_TUNE_SCORE, options,
                   w->out, hooks, summary, &error))
        fail_msg("%s", error.message);
}

/* The adapter's numbers, the caller's. */
static float *read_numbers(const world *w, size_t *count) {
    piaa_error error = {0};
    piaa_lora *lora = piaa_lora_read(w->model->family->decoder(w->model->config), w->out, &error);
    if (!lora) fail_msg("%s", error.message);
    float *numbers = lora->values;
    *count = lora->count;
    lora->values = NULL;
    piaa_lora_free(lora);
    return numbers;
}

static void forget(const world *w) {
    support_clear(w->out);
}

/* A stop after so many questions. */
typedef struct patience {
    int left, asked;
} patience;

static bool is_over(void *user) {
    patience *p = user;
    p->asked++;
    return --p->left < 0;
}

static void stops_and_threads_change_nothing(void **state) {
    PIAA_UNUSED(state);
    world w = begin(PIAA_GOLDEN "/qwen3vl");
    const piaa_lora_options options = {.epochs = 2, .folds = 2, .batch = 2, .rank = 2, .seed = 4};
    patience calm = {.left = 1 << 20};
    piaa_hooks hooks = {.user = &calm, .stop = is_over};
    piaa_lora_summary whole, resumed;
    learn(&w, &options, &hooks, &whole);
    assert_int_equal(whole.photos, PIAA_COUNT(names));
    assert_int_equal(whole.epochs, 2);
    assert_true(whole.loss_after < whole.loss_before);
    size_t count, again;
    float *numbers = read_numbers(&w, &count);
    assert_int_equal(whole.parameters, count);

    /* Stopped in the middle of the choice, twice; and gone on with. */
    forget(&w);
    for (int part = 1; part < 3; part++) {
        patience p = {.left = calm.asked * part / 3};
        hooks.user = &p;
        piaa_error error = {0};
        assert_false(piaa_tune(w.model, &request, w.photos, PIAA_COUNT(names), PIAA_TUNE_SCORE,
                               &options, w.out, &hooks, NULL, &error));
        assert_int_equal(error.code, PIAA_STOPPED);
        char *file = support_join(w.out, "adapter_config.json");
        assert_false(piaa_file_exists(file));
        free(file);
    }
    patience rest = {.left = 1 << 20};
    hooks.user = &rest;
    learn(&w, &options, &hooks, &resumed);
    assert_true(rest.asked < calm.asked / 2 + (int)PIAA_COUNT(names) + 8); /* the rest alone */
    assert_true(resumed.rate == whole.rate && resumed.loss_after == whole.loss_after);
    float *same = read_numbers(&w, &again);
    assert_int_equal(count, again);
    assert_memory_equal(numbers, same, count * sizeof *numbers);
    free(same);

    /* Another seed is another adapter, and finds nothing done already. */
    const piaa_lora_options other = {.epochs = 2, .folds = 2, .batch = 2, .rank = 2, .seed = 5};
    patience anew = {.left = 1 << 20};
    hooks.user = &anew;
    learn(&w, &other, &hooks, &resumed);
    assert_int_equal(anew.asked, calm.asked);
    free(numbers);
    end(&w);
}

static void a_given_rate_needs_no_choice(void **state) {
    PIAA_UNUSED(state);
    static const char *const models[] = {PIAA_GOLDEN "/gemma3", PIAA_GOLDEN "/qwen25vl"};
    for (size_t i = 0; i < PIAA_COUNT(models); i++) {
        world w = begin(models[i]);
        const piaa_lora_options options = {
            .rate = 1e-3, .epochs = 1, .rank = 4, .targets = "v,down", .dropout = 0.1};
        piaa_lora_summary summary;
        learn(&w, &options, NULL, &summary);
        assert_true(summary.rate == 1e-3 && summary.epochs == 1);
        assert_true(isnan(summary.loss_before) && isnan(summary.loss_after));
        piaa_error error = {0};
        piaa_model *adapted = piaa_model_open_adapted(models[i], NULL, w.out, &error);
        if (!adapted) fail_msg("%s", error.message);
        /* One on top of another is refused. */
        assert_false(piaa_tune(adapted, &request, w.photos, PIAA_COUNT(names), PIAA_TUNE_SCORE,
                               &options, w.out, NULL, NULL, &error));
        assert_int_equal(error.code, PIAA_UNSUPPORTED);
        piaa_model_close(adapted);
        end(&w);
    }
}

static void refuses(const world *w, const piaa_lora_options *options, size_t count, piaa_code code,
                    const char *part) {
    piaa_error error = {0};
    assert_false(piaa_tune(w->model, &request, w->photos, count, PIAA_TUNE_SCORE, options, w->out,
                           NULL, NULL, &error));
    if (!strstr(error.message, part)) fail_msg("%s", error.message);
    assert_int_equal(error.code, code);
    assert_null(strchr(error.message, '\n'));
}

static void what_makes_no_sense_is_refused(void **state) {
    PIAA_UNUSED(state);
    world w = begin(PIAA_GOLDEN "/qwen3vl");
    const piaa_lora_options plain = {.rate = 1e-3, .epochs = 1};
    refuses(&w, &(piaa_lora_options){.targets = "q,nose"}, 5, PIAA_USAGE, "\"nose\"");
    refuses(&w, &(piaa_lora_options){.rank = -1}, 5, PIAA_USAGE, "rank");
    refuses(&w, &(piaa_lora_options){.folds = 1}, 5, PIAA_USAGE, "two folds");
    refuses(&w, &plain, 1, PIAA_USAGE, "at least 2");
    refuses(&w, &plain, 0, PIAA_USAGE, "at least 2");
    w.photos[1].score = NAN;
    refuses(&w, &plain, 5, PIAA_USAGE, "not a number");
    w.photos[1].score = 3;

    /* A rate that no model bears: the step is named, and the adapter of before it is there. */
    refuses(&w, &(piaa_lora_options){.rate = 1e30, .epochs = 3, .batch = 2}, 5, PIAA_USAGE, "step");
    size_t count;
    float *numbers = read_numbers(&w, &count);
    for (size_t i = 0; i < count; i++) assert_true(isfinite(numbers[i]));
    free(numbers);

    /* A folder of the user's. */
    forget(&w);
    support_make_folder(w.folder, "adapter");
    support_write(w.out, "adapter_config.json", "mine", 4);
    refuses(&w, &plain, 5, PIAA_USAGE, "left as it is");
    end(&w);

    w = begin(PIAA_GOLDEN "/dinov3");
    refuses(&w, &plain, 5, PIAA_UNSUPPORTED, "decoder");
    end(&w);
    w = begin(PIAA_GOLDEN "/gguf/qwen3vl-f32.gguf," PIAA_GOLDEN "/gguf/qwen3vl-mmproj-f32.gguf");
    refuses(&w, &plain, 5, PIAA_UNSUPPORTED, "GGUF");
    end(&w);
}

/* Photos that cannot be read are told and left out. */
static void warn(void *user, const char *line) {
    PIAA_UNUSED(line);
    ++*(int *)user;
}

static void bad_photos_are_left_out(void **state) {
    PIAA_UNUSED(state);
    world w = begin(PIAA_GOLDEN "/qwen3vl");
    int warnings = 0;
    const piaa_hooks hooks = {.user = &warnings, .warn = warn};
    const piaa_lora_options options = {.rate = 1e-3, .epochs = 1};
    piaa_lora_summary summary;
    support_write(w.folder, "bad.jpg", "no photo", 8);
    char *bad = support_join(w.folder, "bad.jpg");
    w.photos[0].path = bad;
    learn(&w, &options, &hooks, &summary);
    assert_int_equal(summary.left_out, 1);
    assert_int_equal(warnings, 1);
    free(bad);
    end(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stops_and_threads_change_nothing),
        cmocka_unit_test(a_given_rate_needs_no_choice),
        cmocka_unit_test(what_makes_no_sense_is_refused),
        cmocka_unit_test(bad_photos_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

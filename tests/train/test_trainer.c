/* Ten steps of training against PEFT's: the losses, and how far every matrix has moved.  (The
 * weights themselves hardly differ after ten steps, trained or not.) */
#include "fixture.h"

#include "train/trainer.h"
#include "train/tune.h"

static double number(const cJSON *object, const char *key) {
    double value = NAN;
    assert_true(piaa_json_number(object, key, &value));
    return value;
}

/* The largest error of a matrix's change, relative to that change. */
static double worst_change(const piaa_lora *got, const piaa_lora *start, const piaa_lora *golden) {
    double worst = 0;
    for (int i = 0; i < got->blocks * PIAA_TARGETS; i++)
        for (int half = 0; half < 2; half++) {
            const piaa_lora_pair *p = &got->pairs[i], *q = &start->pairs[i], *r = &golden->pairs[i];
            const float *a = half ? p->b : p->a, *b = half ? q->b : q->a, *c = half ? r->b : r->a;
            double difference = 0, change = 0;
            for (int64_t j = 0; j < (half ? p->outputs : p->inputs) * got->rank; j++) {
                difference += ((double)a[j] - c[j]) * ((double)a[j] - c[j]);
                change += ((double)c[j] - b[j]) * ((double)c[j] - b[j]);
            }
            assert_true(change > 0);
            if (sqrt(difference / change) > worst) worst = sqrt(difference / change);
        }
    return worst;
}

/* Steps of a golden run; the largest difference of a loss. */
static double train(fixture *f, piaa_lora *lora, int steps) {
    piaa_error error = {0};
    piaa_trainer *trainer =
        piaa_trainer_new(f->network, lora, number(f->run, "weight_decay"), &error);
    const int64_t total = (int64_t)number(f->run, "total_steps"), warm = piaa_schedule_warm(total);
    assert_int_equal(warm, (int64_t)number(f->run, "warmup_steps"));
    double worst = 0, loss = 0;
    for (int step = 0; step < steps; step++) {
        const cJSON *entry = cJSON_GetArrayItem(fixture_list(f->run, "log"), step);
        const double rate = piaa_schedule(number(f->run, "lr"), step, warm, total);
        assert_true(fabs(rate - number(entry, "lr")) < 1e-12);
        fixture_batch batch;
        fixture_step(f, step, &batch);
        if (!piaa_trainer_step(trainer, &batch.batch, rate, &loss, &error))
            fail_msg("%s", error.message);
        fixture_drop(&batch);
        const double e = fabs(loss - number(entry, "loss"));
        if (e > worst) worst = e;
    }
    piaa_trainer_free(trainer);
    return worst;
}

static void ten_steps_move_as_peft_does(void **state) {
    static const struct {
        const char *model, *images, *start, *run, *end;
    } runs[] = {
        {PIAA_GOLDEN "/qwen3vl", PIAA_GOLDEN "/images", LORA "qwen3vl/answer/adapter_init",
         LORA "qwen3vl/answer/run.json", LORA "qwen3vl/answer/adapter_10"},
        {PIAA_GOLDEN "/qwen3vl", PIAA_GOLDEN "/images", LORA "qwen3vl/answer/adapter_init",
         LORA "qwen3vl/token/run.json", LORA "qwen3vl/token/adapter_10"},
        {PIAA_GOLDEN "/qwen3vl", PIAA_GOLDEN "/images", LORA "qwen3vl/answer/adapter_init",
         LORA "qwen3vl/as_published/run.json", LORA "qwen3vl/as_published/adapter_10"},
        {PIAA_GOLDEN "/gemma3", PIAA_GOLDEN "/images", LORA "gemma3/answer/adapter_init",
         LORA "gemma3/answer/run.json", LORA "gemma3/answer/adapter_10"},
        {PIAA_SOURCE "/models/demo", PIAA_SOURCE "/data", LORA "demo/answer/adapter_init",
         LORA "demo/answer/run.json", LORA "demo/answer/adapter_10"},
        {PIAA_SOURCE "/models/demo", PIAA_SOURCE "/data", LORA "demo/answer/adapter_init",
         LORA "demo/as_published/run.json", LORA "demo/as_published/adapter_10"},
    };
    PIAA_UNUSED(state);
    for (size_t i = 0; i < PIAA_COUNT(runs); i++) {
        fixture f = fixture_open(runs[i].model, runs[i].run, runs[i].images, 2);
        piaa_lora *lora = fixture_adapter(&f, runs[i].start),
                  *start = fixture_adapter(&f, runs[i].start),
                  *end = fixture_adapter(&f, runs[i].end);
        const double loss = train(&f, lora, 10), change = worst_change(lora, start, end);
        print_message("%s: losses within %.1e, changes within %.1e of themselves\n", runs[i].end,
                      loss, change);
        assert_true(loss < 1e-4);
        assert_true(change < 1e-2);
        piaa_lora_free(lora);
        piaa_lora_free(start);
        piaa_lora_free(end);
        fixture_close(&f);
    }
}

/* The whole training of one person, 75 steps, where there is time for it. */
static void a_long_run_follows_the_curve(void **state) {
    PIAA_UNUSED(state);
    if (!getenv("PIAA_LONG")) skip();
    fixture f =
        fixture_open(PIAA_SOURCE "/models/demo", LORA "demo/long/run.json", PIAA_SOURCE "/data", 2);
    piaa_lora *lora = fixture_adapter(&f, LORA "demo/answer/adapter_init");
    const double loss = train(&f, lora, 75);
    print_message("75 steps: losses within %.1e\n", loss);
    assert_true(loss < 1e-4);
    piaa_lora_free(lora);
    fixture_close(&f);
}

/* Steps 0 to 3 of 75 with 7 of warm-up, the last ones, and a schedule without warm-up
 * (get_linear_schedule_with_warmup). */
static void rates_rise_and_fall(void **state) {
    PIAA_UNUSED(state);
    assert_int_equal(piaa_schedule_warm(75), 7);
    assert_int_equal(piaa_schedule_warm(9), 0);
    assert_int_equal(piaa_schedule_warm(1000), 10);
    assert_true(piaa_schedule(1, 0, 7, 75) == 0);
    assert_true(fabs(piaa_schedule(1, 3, 7, 75) - 3.0 / 7) < 1e-12);
    assert_true(piaa_schedule(1, 7, 7, 75) == 1);
    assert_true(fabs(piaa_schedule(1, 74, 7, 75) - 1.0 / 68) < 1e-12);
    assert_true(piaa_schedule(1, 0, 0, 9) == 1);
}

/* The whole way of training: whole epochs, the same again with the same seed, and at a rate that no
 * model bears a stop that names the step and leaves numbers behind. */
static void epochs_train_and_stop(void **state) {
    PIAA_UNUSED(state);
    fixture f = fixture_open(PIAA_GOLDEN "/qwen3vl", LORA "qwen3vl/answer/run.json",
                             PIAA_GOLDEN "/images", 1);
    piaa_sample *samples[5];
    for (int i = 0; i < 5; i++) samples[i] = fixture_sample(&f, i, 0);
    const piaa_sample *const *all = (const piaa_sample *const *)samples;
    const piaa_batch whole = {.samples = all, .count = 5};
    piaa_error error = {0};
    piaa_training training = {.rate = 3e-3, .epochs = 6, .batch = 2, .decay = 0.01, .seed = 3};
    piaa_lora *one = piaa_lora_new(f.decoder, 8, 16, PIAA_ALL_TARGETS, 0.1, 1, &error),
              *two = piaa_lora_new(f.decoder, 8, 16, PIAA_ALL_TARGETS, 0.1, 1, &error);
    double before = 0, after = 0;
    if (!one || !two || !piaa_network_loss(f.network, one, &whole, false, &before, &error) ||
        !piaa_train(f.network, one, all, 5, &training, NULL, NULL, NULL, &error) ||
        !piaa_train(f.network, two, all, 5, &training, NULL, NULL, NULL, &error) ||
        !piaa_network_loss(f.network, one, &whole, false, &after, &error))
        fail_msg("%s", error.message);
    assert_true(after < 0.8 * before);
    assert_memory_equal(one->values, two->values, one->count * sizeof(float));

    training.rate = 1e30;
    assert_false(piaa_train(f.network, one, all, 5, &training, NULL, NULL, NULL, &error));
    assert_int_equal(error.code, PIAA_USAGE);
    if (!strstr(error.message, "step 2")) fail_msg("%s", error.message);
    assert_memory_equal(one->values, two->values, one->count * sizeof(float));
    piaa_lora_free(one);
    piaa_lora_free(two);
    for (int i = 0; i < 5; i++) piaa_sample_free(samples[i]);
    fixture_close(&f);
}

/* Tuning on conversations in memory: with rate and epochs given it is training by itself; else what
 * it chose foresees ratings left out better than none, and is the same again. */
static void tuning_is_training_with_a_choice(void **state) {
    PIAA_UNUSED(state);
    fixture f = fixture_open(PIAA_GOLDEN "/qwen3vl", LORA "qwen3vl/answer/run.json",
                             PIAA_GOLDEN "/images", 1);
    piaa_sample *samples[4];
    for (int i = 0; i < 4; i++) samples[i] = fixture_sample(&f, i, 0);
    piaa_error error = {0};
    piaa_lora_options options = {.rate = 1e-3, .epochs = 2, .rank = 2, .seed = 9};
    const piaa_training training = {
        .rate = 1e-3, .epochs = 2, .batch = 4, .decay = 0.01, .seed = 9};
    piaa_lora *tuned = piaa_tune_samples(f.network, samples, 4, &options, NULL, NULL, &error),
              *trained = piaa_lora_new(f.decoder, 2, 4, PIAA_ALL_TARGETS, 0, 9, &error);
    if (!tuned || !trained ||
        !piaa_train(f.network, trained, (const piaa_sample *const *)samples, 4, &training, NULL,
                    NULL, NULL, &error))
        fail_msg("%s", error.message);
    assert_memory_equal(tuned->values, trained->values, trained->count * sizeof(float));
    piaa_lora_free(tuned);
    options = (piaa_lora_options){.epochs = 2, .folds = 2, .rank = 2};
    piaa_lora_summary one, two;
    tuned = piaa_tune_samples(f.network, samples, 4, &options, NULL, &one, &error);
    piaa_lora *again = piaa_tune_samples(f.network, samples, 4, &options, NULL, &two, &error);
    if (!tuned || !again) fail_msg("%s", error.message);
    assert_true(one.loss_after < one.loss_before);
    assert_true(one.rate == two.rate && one.loss_after == two.loss_after);
    assert_memory_equal(tuned->values, again->values, again->count * sizeof(float));
    assert_null(piaa_tune_samples(f.network, samples, 1, &options, NULL, NULL, &error));
    assert_int_equal(error.code, PIAA_USAGE);
    piaa_lora_free(tuned);
    piaa_lora_free(again);
    piaa_lora_free(trained);
    for (int i = 0; i < 4; i++) piaa_sample_free(samples[i]);
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_rise_and_fall),
        cmocka_unit_test(epochs_train_and_stop),
        cmocka_unit_test(ten_steps_move_as_peft_does),
        cmocka_unit_test(a_long_run_follows_the_curve),
        cmocka_unit_test(tuning_is_training_with_a_choice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

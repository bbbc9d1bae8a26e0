/* piaa lora as a user runs it: ratings in, an adapter out that other commands take. */
#include "program.h"

#include <time.h>

#define TINY PIAA_GOLDEN "/qwen3vl"

static void write_ratings(void) {
    make_folder("photos");
    piaa_text table = {0};
    piaa_text_format(&table, NULL, "path,score\n");
    for (int i = 0; i < 5; i++) {
        char name[32];
        snprintf(name, sizeof name, "photos/%d.jpg", i);
        put_sample(i, name);
        piaa_text_format(&table, NULL, "%s,%.2f\n", name, 1 + 0.9 * i);
    }
    put("ratings.csv", table.data);
    free(table.data);
}

static void an_adapter_is_learned_and_used(void **state) {
    (void)state;
    write_ratings();
    expect_ok(PIAA("lora", "photos", "--ratings", "ratings.csv", "--out", "mine", "--model", TINY,
                   "--folds", "2", "--epochs", "1", "--rank", "2", ONE));
    assert_string_equal(out, "");
    if (!strstr(err, "foresee ratings left out best") || !strstr(err, "Learned from 5 photos"))
        fail_msg("%s", err);
    char *config = slurp("mine/adapter_config.json", NULL);
    assert_non_null(strstr(config, "\"LORA\""));
    free(config);
    expect_ok(PIAA("ask", "photos/0.jpg", "Rate this image.", "--model", TINY, "--adapter", "mine",
                   "--max-tokens", "2", ONE));
    expect_ok(PIAA("rank", "photos", "--ratings", "ratings.csv", "--model", TINY, "--adapter",
                   "mine", ONE));
    /* The same again without a choice, over itself. */
    expect_ok(PIAA("lora", "photos", "--ratings", "ratings.csv", "--out", "mine", "--model", TINY,
                   "--rate", "0.001", "--epochs", "1", ONE));
    assert_null(strstr(err, "foresee"));
}

static void mistakes_are_told_in_a_line(void **state) {
    (void)state;
    write_ratings();
    put("mine", "a file");
    expect_refusal(PIAA("lora", "photos", "--out", "a"), 2, "piaa lora: ", "--ratings");
    expect_refusal(PIAA("lora", "photos", "--ratings", "ratings.csv"), 2, "piaa lora: ", "--out");
    expect_refusal(PIAA("lora", "photos", "--ratings", "ratings.csv", "--out", "a", "--model", TINY,
                        "--targets", "q,x"),
                   2, "piaa lora: ", "\"x\"");
    expect_refusal(PIAA("lora", "photos", "--ratings", "ratings.csv", "--out", "a", "--rate", "0"),
                   2, "piaa lora: ", "--rate");
    expect_refusal(
        PIAA("lora", "photos", "--ratings", "ratings.csv", "--out", "mine", "--model", TINY), 2,
        "piaa lora: ", "is a file");
    expect_refusal(PIAA("lora", "photos", "--ratings", "ratings.csv", "--out", "a", "--model",
                        PIAA_GOLDEN "/dinov3"),
                   1, "piaa lora: ", "decoder");
    expect_refusal(PIAA("ask", "photos/0.jpg", "Rate this image.", "--model", TINY, "--adapter",
                        PIAA_GOLDEN "/text/lora/gemma3/answer/adapter_10"),
                   1, "piaa ask: ", "base model");
}

/* Ctrl-C in the middle of the choice: no adapter, the record of what was found, exit code 130. */
static void a_stop_leaves_no_half_adapter(void **state) {
    (void)state;
    write_ratings();
    const program_way way = {.name = "run"};
    const pid_t child =
        program_start(way, WORDS("lora", "photos", "--ratings", "ratings.csv", "--out", "mine",
                                 "--model", TINY, "--epochs", "30", ONE));
    char *record = at("mine/tuning.json"), *config = at("mine/adapter_config.json");
    for (int i = 0; i < 3000 && !piaa_file_exists(record); i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    kill(child, SIGINT);
    assert_int_equal(program_finish(way, child), 130);
    assert_true(piaa_file_exists(record));
    assert_false(piaa_file_exists(config));
    free(record);
    free(config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_adapter_is_learned_and_used, program_begin, program_end),
        cmocka_unit_test_setup_teardown(mistakes_are_told_in_a_line, program_begin, program_end),
        cmocka_unit_test_setup_teardown(a_stop_leaves_no_half_adapter, program_begin, program_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

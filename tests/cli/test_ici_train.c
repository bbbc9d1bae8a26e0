/* piaa ici train and eval --method ici as a user runs them, on 60 photos of the small data set:
   trained, stopped and killed, gone on with; what does not fit is one clear line. */
#include "program.h"

#include "base/json.h"
#include "train/resnet.h"

#include <time.h>

#define PARA "para:small"
#define TRAIN                                                                                      \
    "ici", "train", "--data", PARA, "--layer", "3", "--eval-people", "3", "--share-photos",        \
        "--support", "4,8", "--test", "5", ONE
#define EVAL "eval", "--data", PARA, "--layer", "3", "--support", "4,8", "--test", "5", ONE
/* A training of a second or two. */
#define QUICK "--seeds", "1", "--phase1-epochs", "10", "--epochs", "1"

/* The lines of a table of the small data set that stand for the first three sessions. */
static void copy_lines(const char *name) {
    char *from = piaa_format(NULL, PIAA_SOURCE "/data/para/annotation/%s", name),
         *to = piaa_format(NULL, "small/annotation/%s", name);
    size_t size;
    char *text = piaa_file_read(from, (size_t)1 << 30, &size, NULL);
    assert_non_null(text);
    piaa_text kept = {0};
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1)
        if (line == text || strncmp(line, "session1,", 9) == 0 ||
            strncmp(line, "session2,", 9) == 0 || strncmp(line, "session3,", 9) == 0)
            piaa_text_add(&kept, line, (size_t)(end + 1 - line), NULL);
    put(to, kept.data);
    free(kept.data);
    free(text);
    free(from);
    free(to);
}

static void make_para(const char *traits) {
    make_folder("small");
    make_folder("small/annotation");
    make_link("small/imgs", PIAA_SOURCE "/data/para/imgs");
    copy_lines("PARA-Images.csv");
    copy_lines("PARA-GiaaTrain.csv");
    copy_lines("PARA-GiaaTest.csv");
    if (traits)
        put("small/annotation/PARA-UserInfo.csv", traits);
    else
        make_link("small/annotation/PARA-UserInfo.csv",
                  PIAA_SOURCE "/data/para/annotation/PARA-UserInfo.csv");
}

static cJSON *read_json(const char *name) {
    char *path = at(name);
    piaa_error error = {0};
    cJSON *root = piaa_json_read(path, 1 << 26, &error);
    if (!root) fail_msg("%s", error.message);
    free(path);
    return root;
}

static void expect_said(const char *words) {
    if (!strstr(err, words)) fail_msg("\"%s\" was not said: %s", words, err);
}

/* ------------------------------------------------------------------------------------- its way */

static double number(const cJSON *object, const char *key) {
    double value;
    if (!piaa_json_number(object, key, &value)) fail_msg("no number %s", key);
    return value;
}

static void priors_are_trained_and_evaluated(void **state) {
    (void)state;
    make_para(NULL);
    expect_ok(PIAA(TRAIN, QUICK, "--out", "model"));
    assert_non_null(strstr(out, "phase1"));
    assert_non_null(strstr(out, "reduced"));
    expect_said("3 people are evaluated");
    expect_said("too good by what the generic part has seen");
    assert_false(piaa_file_exists_in(world, "model/training"));
    /* asked for again there is nothing to do, and a further seed leaves the first as it is */
    char *before = slurp("model/seed-0/full.safetensors", NULL);
    size_t size, again;
    free(slurp("model/seed-0/full.safetensors", &size));
    expect_ok(PIAA(TRAIN, QUICK, "--out", "model"));
    expect_ok(
        PIAA(TRAIN, "--seeds", "2", "--phase1-epochs", "10", "--epochs", "1", "--out", "model"));
    char *after = slurp("model/seed-0/full.safetensors", &again);
    assert_int_equal(size, again);
    assert_memory_equal(before, after, size);
    free(before);
    free(after);

    expect_ok(PIAA(EVAL, "--method", "linear-hidden,ici,ici-reduced", "--first", "3", "--baseline",
                   "linear-hidden", "--ici", "model", "--out", "para.run"));
    assert_non_null(strstr(out, "Over seeds. "));
    expect_said("photos of the people who are evaluated");
    cJSON *root = read_json("para.run/eval.json");
    const cJSON *outcomes = piaa_json_find(root, "outcomes"),
                *ici = cJSON_GetArrayItem(outcomes, 1);
    assert_int_equal(cJSON_GetArraySize(outcomes), 6);
    assert_string_equal(piaa_json_string(ici, "published"), "ici_phase3_full_small_tune-all");
    assert_string_equal(piaa_json_string(ici, "as"), "published");
    assert_true(number(ici, "repeats.count") == 2 && number(ici, "rows") == 15);
    /* the mean over seeds of the means over people is the mean over people */
    assert_true(fabs(number(ici, "repeats.spearman.mean") - number(ici, "spearman.mean")) < 1e-9);
    number(ici, "repeats.spearman.deviation");
    assert_int_equal(cJSON_GetArraySize(piaa_json_find(root, "ici.curves")), 6);
    assert_true(number(root, "ici.people") == 37);
    cJSON_Delete(root);

    /* across domains there are no traits, and nobody is known */
    expect_ok(PIAA("eval", "--data", "lapis:" PIAA_SOURCE "/data/lapis", "--layer", "3", "--first",
                   "1", "--support", "5,10", "--test", "10", "--method", "linear-hidden,ici",
                   "--ici", "model", "--ici-scope", "user-only", "--out", "lapis.run", ONE));
    char *predictions = slurp("lapis.run/predictions.csv", NULL);
    assert_non_null(strstr(predictions, "ici_phase3_reduced_small_tune-user_only,"));
    assert_non_null(strstr(predictions, "ici_phase3_reduced_small_tune-user_only_repeat-2,"));
    free(predictions);
    expect_ok(PIAA("report", "para.run", "lapis.run", "--out", "all.html"));
    char *page = slurp("all.html", NULL);
    assert_non_null(strstr(page, "All methods"));
    assert_non_null(strstr(page, "PIAA-ICI: the generic part"));
    free(page);
}

static void what_was_not_published_is_asked_for(void **state) {
    (void)state;
    make_para(NULL);
    expect_ok(PIAA(TRAIN, QUICK, "--user-node", "--attribute-identity", "--out", "model"));
    expect_ok(PIAA(EVAL, "--method", "ici", "--first", "3", "--ici", "model", "--ici-scope",
                   "user-only", "--out", "run"));
    cJSON *root = read_json("run/eval.json");
    const cJSON *ici = cJSON_GetArrayItem(piaa_json_find(root, "outcomes"), 0);
    assert_string_equal(piaa_json_string(ici, "as"), "described");
    assert_string_equal(piaa_json_string(ici, "published"),
                        "ici_phase3_full_small_tune-user_only_user-node_attribute-identity");
    cJSON_Delete(root);
}

/* ---------------------------------------------------------------------------------------- ResNet
 */

#define NETWORK                                                                                    \
    "ici", "train", "--data", PARA, "--eval-people", "3", "--share-photos", "--support", "4,8",    \
        "--test", "5", "--seeds", "1", "--epochs", "1", ONE

/* Narrow and shallow, with random weights. */
static void write_backbone(void) {
    static const int blocks[4] = {1, 1, 1, 1};
    piaa_error error = {0};
    char *path = at("backbone.safetensors");
    piaa_resnet *net = piaa_resnet_new(4, blocks, 1, &error);
    if (!net) fail_msg("%s", error.message);
    piaa_named_part part = {.prefix = ""};
    part.list = piaa_resnet_tensors(net, &part.count);
    assert_true(piaa_named_write(&part, 1, path, &error));
    piaa_resnet_free(net);
    free(path);
}

static void expect_equal(const char *one, const char *other) {
    size_t size, again;
    char *a = slurp(one, &size), *b = slurp(other, &again);
    assert_int_equal(size, again);
    assert_memory_equal(a, b, size);
    free(a);
    free(b);
}

/* What it learned is a phase 1 as the published code leaves one, and given as such it leads to the
   same priors. */
static void a_resnet_is_trained_as_the_front(void **state) {
    (void)state;
    make_para(NULL);
    if (!piaa_resnet_library()) {
        expect_last_line(PIAA(NETWORK, "--front", "resnet50", "--out", "model"), 1, "oneDNN");
        skip();
    }
    write_backbone();
    expect_ok(PIAA(NETWORK, "--front", "resnet50", "--backbone", "backbone.safetensors", "--side",
                   "32", "--phase1-epochs", "3", "--phase1-batch", "16", "--out", "model"));
    expect_ok(PIAA(EVAL, "--method", "ici", "--first", "3", "--ici", "model", "--out", "run"));
    cJSON *root = read_json("run/eval.json");
    assert_string_equal(piaa_json_string(root, "ici.front"), "resnet50");
    assert_true(number(cJSON_GetArrayItem(piaa_json_find(root, "outcomes"), 0), "users") == 3);
    cJSON_Delete(root);
    expect_ok(PIAA(NETWORK, "--phase1", "model/seed-0/phase1.safetensors", "--side", "32", "--out",
                   "given"));
    expect_equal("model/seed-0/phase1.safetensors", "given/seed-0/phase1.safetensors");
    expect_equal("model/seed-0/full.safetensors", "given/seed-0/full.safetensors");
    expect_equal("model/seed-0/reduced.safetensors", "given/seed-0/reduced.safetensors");
    expect_last_line(PIAA(NETWORK, "--phase1", "backbone.safetensors", "--out", "m"), 1,
                     "attr_head");
    expect_last_line(
        PIAA(NETWORK, "--front", "resnet50", "--backbone", "given/ici.json", "--out", "m"), 1,
        "given/ici.json");
}

/* -------------------------------------------------------------------------------------- mistakes
 */

static void mistakes_are_told_in_a_line(void **state) {
    (void)state;
    make_para(NULL);
    expect_refusal(PIAA("ici", "train", "--data", PARA), 2, "piaa ici train: ", "--out");
    expect_refusal(PIAA("ici", "train", "--data", "lapis:" PIAA_SOURCE "/data/lapis", "--out", "m"),
                   1, "piaa ici train: ", "is not PARA");
    expect_last_line(
        PIAA("ici", "train", "--data", PARA, "--out", "m", "--support", "4,8", "--test", "5", ONE),
        1, "--eval-people N");
    expect_last_line(PIAA("ici", "train", "--data", PARA, "--out", "m", "--support", "4,8",
                          "--test", "5", "--eval-people", "30", ONE),
                     1, "--share-photos");
    expect_refusal(PIAA(TRAIN, QUICK, "--out", "m", "--epochs", "none"), 2,
                   "piaa ici train: ", "--epochs");
    expect_refusal(PIAA(TRAIN, QUICK, "--out", "m", "--backbone", "x"), 2,
                   "piaa ici train: ", "--front resnet50");
    expect_refusal(PIAA(TRAIN, QUICK, "--out", "m", "--front", "resnet50"), 2,
                   "piaa ici train: ", "--layer");
    put("file", "x");
    expect_last_line(PIAA(TRAIN, QUICK, "--out", "file"), 2, "is a file");
    expect_last_line(PIAA(TRAIN, QUICK, "--out", "small"), 2, "no PIAA-ICI");
    expect_last_line(PIAA(TRAIN, QUICK, "--out", "no/model"), 1, "no: no such folder");
    expect_last_line(PIAA(TRAIN, QUICK, "--out", "m", "--rate", "1e6"), 1, "finite");

    expect_ok(PIAA(TRAIN, QUICK, "--out", "model"));
    expect_last_line(PIAA(TRAIN, QUICK, "--out", "model", "--rate", "0.01"), 2,
                     "other data or settings");
    expect_refusal(PIAA(EVAL, "--method", "ici", "--out", "r"), 2, "piaa eval: ", "--ici MODEL");
    expect_refusal(PIAA(EVAL, "--ici", "model", "--out", "r"), 2, "piaa eval: ", "--method ici");
    expect_last_line(PIAA(EVAL, "--method", "ici", "--ici", "gone", "--out", "r"), 1, "gone");
    expect_last_line(PIAA(EVAL, "--method", "ici", "--ici", "small", "--out", "r"), 2,
                     "not a trained PIAA-ICI");
    /* people and photos that were trained on, another model, other features, another scope */
    expect_last_line(PIAA(EVAL, "--method", "ici", "--ici", "model", "--out", "r"), 1,
                     "37 of the 40 people who are evaluated");
    expect_last_line(PIAA(EVAL, "--method", "ici", "--ici", "model", "--first", "3", "--model",
                          PIAA_GOLDEN "/qwen3vl", "--out", "r"),
                     1, "features of the model");
    expect_last_line(PIAA(EVAL, "--method", "ici", "--ici", "model", "--first", "3", "--prompt",
                          "unrelated", "--out", "r"),
                     1, "prompt");
    expect_last_line(PIAA(EVAL, "--method", "ici", "--ici", "model", "--first", "3", "--ici-scope",
                          "user-only", "--out", "r"),
                     2, "user-only");
}

/* Somebody without traits, a word that nobody has who is trained on, a number that is none. */
static void missing_traits_are_counted(void **state) {
    (void)state;
    size_t size;
    char *text =
        piaa_file_read(PIAA_SOURCE "/data/para/annotation/PARA-UserInfo.csv", 1 << 20, &size, NULL);
    piaa_text changed = {0};
    int line = 0;
    for (char *at_line = text, *end; (end = strchr(at_line, '\n')); at_line = end + 1, line++) {
        *end = '\0';
        char *comma = strchr(at_line, ','), *last = strrchr(at_line, ',');
        if (line == 1) continue; /* the first person has no row */
        if (line == 2)
            piaa_text_format(&changed, NULL, "%.*s,a hundred,%s\n", (int)(comma - at_line), at_line,
                             strchr(comma + 1, ',') + 1);
        else if (line == 3)
            piaa_text_format(&changed, NULL, "%.*s,many\n", (int)(last - at_line), at_line);
        else
            piaa_text_format(&changed, NULL, "%s\n", at_line);
    }
    make_para(changed.data);
    free(changed.data);
    free(text);
    expect_ok(PIAA(TRAIN, QUICK, "--out", "model"));
    expect_ok(PIAA(EVAL, "--method", "ici", "--first", "3", "--ici", "model", "--out", "run"));
    cJSON *root = read_json("run/eval.json");
    assert_true(number(root, "ici.traits_lost.without_row") == 1);
    assert_true(number(root, "ici.traits_lost.unknown_words") == 1);
    assert_true(number(root, "ici.traits_lost.missing_numbers") == 1);
    assert_true(number(cJSON_GetArrayItem(piaa_json_find(root, "outcomes"), 0), "users") == 3);
    cJSON_Delete(root);
}

/* ----------------------------------------------------------------------------------------- ended
 */

static void expect_same_file(const char *name) {
    char *a = piaa_format(NULL, "whole/%s", name), *b = piaa_format(NULL, "ended/%s", name);
    size_t size, other;
    char *own = slurp(a, &size), *theirs = slurp(b, &other);
    assert_int_equal(size, other);
    assert_memory_equal(own, theirs, size);
    free(own);
    free(theirs);
    free(a);
    free(b);
}

static void expect_same_models(void) {
    expect_same_file("seed-0/phase1.safetensors");
    expect_same_file("seed-0/full.safetensors");
    expect_same_file("seed-0/reduced.safetensors");
    cJSON *a = read_json("whole/ici.json"), *b = read_json("ended/ici.json");
    assert_true(cJSON_Compare(piaa_json_find(a, "seeds"), piaa_json_find(b, "seeds"), true));
    assert_string_equal(piaa_json_string(a, "key"), piaa_json_string(b, "key"));
    cJSON_Delete(a);
    cJSON_Delete(b);
}

#define LONGER "--seeds", "1", "--phase1-epochs", "60", "--epochs", "6"

/* Killed and stopped at random moments and asked for again, it ends with the same bits. */
static void an_ended_training_goes_on(void **state) {
    (void)state;
    make_para(NULL);
    expect_ok(PIAA(TRAIN, LONGER, "--out", "whole"));
    uint32_t seed = 20261126;
    for (int i = 0; i < 4; i++) {
        const program_way way = {.name = "run"};
        const pid_t child = program_start(way, WORDS(TRAIN, LONGER, "--out", "ended"));
        seed = seed * 1664525 + 1013904223;
        const long milliseconds = 100 + (long)(seed >> 16) % 1100;
        nanosleep(&(struct timespec){.tv_sec = milliseconds / 1000,
                                     .tv_nsec = milliseconds % 1000 * 1000000},
                  NULL);
        if (i % 3 == 2) {
            kill(child, SIGINT);
            const int code = program_finish(way, child);
            assert_true(code == 130 || code == 0);
        } else {
            int status;
            kill(child, SIGKILL);
            assert_int_equal(waitpid(child, &status, 0), child);
        }
    }
    expect_ok(PIAA(TRAIN, LONGER, "--out", "ended"));
    expect_same_models();
}

/* While it is not finished nothing is evaluated with it, nor anything else trained in its place. */
static void an_unfinished_training_is_told(void **state) {
    (void)state;
    make_para(NULL);
    const program_way way = {.name = "run"};
    const pid_t child = program_start(way, WORDS(TRAIN, "--epochs", "5000", "--out", "model"));
    char *key = at("model/training/key");
    for (int i = 0; i < 3000 && !piaa_file_exists(key); i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    kill(child, SIGINT);
    assert_int_equal(program_finish(way, child), 130);
    assert_true(piaa_file_exists(key));
    expect_last_line(PIAA(EVAL, "--method", "ici", "--first", "3", "--ici", "model", "--out", "r"),
                     2, "not finished");
    expect_last_line(PIAA(TRAIN, QUICK, "--out", "model"), 2, "unfinished training");
    free(key);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(priors_are_trained_and_evaluated, program_begin,
                                        program_end),
        cmocka_unit_test_setup_teardown(what_was_not_published_is_asked_for, program_begin,
                                        program_end),
        cmocka_unit_test_setup_teardown(a_resnet_is_trained_as_the_front, program_begin,
                                        program_end),
        cmocka_unit_test_setup_teardown(mistakes_are_told_in_a_line, program_begin, program_end),
        cmocka_unit_test_setup_teardown(missing_traits_are_counted, program_begin, program_end),
        cmocka_unit_test_setup_teardown(an_ended_training_goes_on, program_begin, program_end),
        cmocka_unit_test_setup_teardown(an_unfinished_training_is_told, program_begin, program_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Models' folders that somebody changed, as the commands take them. */
#include "program.h"

/* A copy of a golden model's folder. */
static void put_model(const char *golden, const char *name) {
    static const char *const files[] = {"config.json",           "model.safetensors",
                                        "tokenizer.json",        "processor_config.json",
                                        "tokenizer_config.json", "preprocessor_config.json",
                                        "chat_template.jinja"};
    make_folder(name);
    for (size_t i = 0; i < PIAA_COUNT(files); i++) {
        char *from = piaa_format(NULL, "%s/%s/%s", PIAA_GOLDEN, golden, files[i]);
        char *to = piaa_format(NULL, "%s/%s", name, files[i]);
        size_t size;
        char *bytes =
            piaa_file_exists(from) ? piaa_file_read(from, (size_t)1 << 30, &size, NULL) : NULL;
        if (bytes) support_write(world, to, bytes, size);
        free(bytes);
        free(to);
        free(from);
    }
}

/* The text in a file, once or more, is replaced. */
static void edit(const char *name, const char *old, const char *new) {
    char *text = slurp(name, NULL);
    piaa_text edited = {0};
    const char *from = text, *hit = strstr(text, old);
    assert_non_null(hit);
    for (; hit; from = hit + strlen(old), hit = strstr(from, old)) {
        assert_true(piaa_text_add(&edited, from, (size_t)(hit - from), NULL));
        assert_true(piaa_text_add(&edited, new, strlen(new), NULL));
    }
    assert_true(piaa_text_add(&edited, from, strlen(from), NULL));
    put(name, edited.data);
    free(edited.data);
    free(text);
}

/* ------------------------------------------------------------------- what a store was made with */

static void other_image_settings_are_not_mixed(void **state) {
    (void)state;
    static const struct {
        const char *old, *new, *part;
    } cases[] = {
        {"0.48145466", "0.5", "mean 0.48145"},
        {"0.26862954", "0.25", "std 0.2686"},
        {"\"resample\": 3", "\"resample\": 2", "bicubic"},
        {"\"shortest_edge\": 64", "\"shortest_edge\": 80", "shorter side 64"},
        {"0.00392156862745098", "0.0078", "times 0.0078"},
    };
    make_folder("photos");
    put_sample(0, "photos/a.jpg");
    for (size_t i = 0; i < PIAA_COUNT(cases); i++) {
        put_model("clip", "m");
        expect_ok(PIAA("embed", "photos", "--model", "m", "--out", "s", ONE));
        edit("m/preprocessor_config.json", cases[i].old, cases[i].new);
        expect_refusal(PIAA("embed", "photos", "--model", "m", "--out", "s", ONE), 1,
                       "piaa embed: ", cases[i].part);
        for (size_t k = 0; k < 2; k++) {
            char *path = at(k ? "s" : "m");
            support_clear(path);
            free(path);
        }
    }
}

/* The store in the cache is another one after a change, and the first one again after the next. */
static void ranks_store_is_not_mixed_either(void **state) {
    (void)state;
    make_folder("photos");
    put_sample(0, "photos/a.jpg");
    put_sample(1, "photos/b.jpg");
    put_sample(2, "photos/c.jpg");
    put("ratings.csv", "path,score\nphotos/a.jpg,1\nphotos/b.jpg,4\n");
    put_model("clip", "m");
    expect_ok(PIAA("rank", "photos", "--ratings", "ratings.csv", "--model", "m", "--csv", ONE));
    char *first = slurp("out", NULL);
    edit("m/preprocessor_config.json", "0.48145466", "0.1");
    expect_ok(PIAA("rank", "photos", "--ratings", "ratings.csv", "--model", "m", "--csv", ONE));
    assert_string_not_equal(out, first);
    edit("m/preprocessor_config.json", "0.1,", "0.48145466,");
    expect_ok(PIAA("rank", "photos", "--ratings", "ratings.csv", "--model", "m", "--csv", ONE));
    assert_string_equal(out, first);
    free(first);
}

/* What a taste was learned with has to be there when it is applied. */
static void a_taste_needs_its_preparation(void **state) {
    (void)state;
    make_folder("photos");
    put_sample(0, "photos/a.jpg");
    put_sample(1, "photos/b.jpg");
    put("ratings.csv", "path,score\nphotos/a.jpg,1\nphotos/b.jpg,4\n");
    put_model("clip", "m");
    expect_ok(PIAA("embed", "photos", "--model", "m", "--out", "s", ONE));
    expect_ok(PIAA("fit", "--store", "s", "--ratings", "ratings.csv", "--out", "t.json"));
    expect_ok(PIAA("predict", "photos", "--taste", "t.json", ONE));
    edit("m/preprocessor_config.json", "0.48145466", "0.5");
    expect_refusal(PIAA("predict", "photos", "--taste", "t.json", ONE), 1,
                   "piaa predict: ", "mean 0.48145");
}

/* An adapter of rank 1 for the golden Qwen3-VL's first query projection [64, 64], as PEFT saves it.
 */
static void put_adapter(const char *name, float strength) {
    static const char head[] =
        "{\"base_model.model.model.language_model.layers.0.self_attn.q_proj.lora_A.weight\":"
        "{\"dtype\":\"F32\",\"shape\":[1,64],\"data_offsets\":[0,256]},"
        "\"base_model.model.model.language_model.layers.0.self_attn.q_proj.lora_B.weight\":"
        "{\"dtype\":\"F32\",\"shape\":[64,1],\"data_offsets\":[256,512]}}";
    unsigned char bytes[8 + sizeof head - 1 + 512] = {(sizeof head - 1) & 0xff,
                                                      (sizeof head - 1) >> 8};
    memcpy(bytes + 8, head, sizeof head - 1);
    float values[128];
    for (int i = 0; i < 128; i++) values[i] = i < 64 ? (float)(i % 5 - 2) : strength;
    memcpy(bytes + 8 + sizeof head - 1, values, sizeof values);
    make_folder(name);
    char *weights = piaa_format(NULL, "%s/adapter_model.safetensors", name),
         *config = piaa_format(NULL, "%s/adapter_config.json", name);
    support_write(world, weights, bytes, sizeof bytes);
    put(config, "{\"peft_type\":\"LORA\",\"r\":1,\"lora_alpha\":1}");
    free(config);
    free(weights);
}

/* A taste of a model with an adapter is applied with both, whatever the folder one is in. */
static void a_taste_remembers_its_adapter(void **state) {
    (void)state;
    make_folder("photos");
    put_sample(0, "photos/a.jpg");
    put_sample(1, "photos/b.jpg");
    put("ratings.csv", "path,score\nphotos/a.jpg,1\nphotos/b.jpg,4\n");
    put_adapter("lora", 0.5f);
    char *model = piaa_format(NULL, "%s/qwen3vl", PIAA_GOLDEN);
    expect_ok(PIAA("embed", "photos", "--model", model, "--adapter", "lora", "--out", "s", ONE));
    expect_ok(PIAA("fit", "--store", "s", "--ratings", "ratings.csv", "--out", "t.json"));
    expect_ok(PIAA("predict", "photos", "--taste", "t.json", "--csv", ONE));
    char *first = piaa_strdup(out, NULL);
    expect_ok(PIAA("predict", "photos", "--taste", "t.json", "--model", model, "--csv", ONE));
    assert_string_equal(out, first);
    expect_ok(PIAA_IN("photos", "predict", ".", "--taste", "../t.json", ONE));
    expect_ok(PIAA("model", "info", model, "--adapter", "lora"));
    assert_non_null(strstr(out, "/lora\n"));

    /* One that was moved is named; where it is now can be said. */
    char *path = at("lora"), *moved = at("moved");
    assert_int_equal(rename(path, moved), 0);
    expect_refusal(PIAA("predict", "photos", "--taste", "t.json", ONE), 1,
                   "piaa predict: ", "/lora, is not there any more: name it with --adapter");
    expect_ok(PIAA("predict", "photos", "--taste", "t.json", "--adapter", "moved", "--csv", ONE));
    assert_string_equal(out, first);
    /* Another one is another model; a taste without one takes none. */
    put_adapter("other", 1.0f);
    expect_refusal(PIAA("predict", "photos", "--taste", "t.json", "--adapter", "other", ONE), 1,
                   "piaa predict: ", "learned with the adapter");
    expect_ok(PIAA("embed", "photos", "--model", model, "--out", "plain", ONE));
    expect_ok(PIAA("fit", "--store", "plain", "--ratings", "ratings.csv", "--out", "plain.json"));
    expect_ok(PIAA("predict", "photos", "--taste", "plain.json", ONE));
    expect_refusal(PIAA("predict", "photos", "--taste", "plain.json", "--adapter", "moved", ONE), 1,
                   "piaa predict: ", "learned with the adapter \"none\"");
    free(moved);
    free(path);
    free(model);
    free(first);
}

/* The same tokens, whatever the tokenizer's file looks like, are the same. */
static void tokens_count_and_not_the_files_bytes(void **state) {
    (void)state;
    make_folder("photos");
    put_sample(0, "photos/a.jpg");
    put_model("qwen3vl", "m");
    expect_ok(PIAA("embed", "photos", "--model", "m", "--out", "s", ONE));
    char *text = slurp("m/tokenizer.json", NULL);
    cJSON *root = cJSON_Parse(text),
          *merges = cJSON_GetObjectItem(cJSON_GetObjectItem(root, "model"), "merges");
    char *again = cJSON_PrintUnformatted(root);
    put("m/tokenizer.json", again);
    expect_ok(PIAA("embed", "photos", "--model", "m", "--out", "s", ONE));
    while (cJSON_GetArraySize(merges) > 8) cJSON_DeleteItemFromArray(merges, 8);
    cJSON_free(again);
    again = cJSON_PrintUnformatted(root);
    put("m/tokenizer.json", again);
    expect_refusal(PIAA("embed", "photos", "--model", "m", "--out", "s", ONE), 1,
                   "piaa embed: ", "made with the prompt read as");
    cJSON_free(again);
    cJSON_Delete(root);
    free(text);
}

/* ----------------------------------------------------------------------------------- chat forms */

static void the_folders_own_chat_form(void **state) {
    (void)state;
    make_folder("photos");
    put_sample(0, "photos/a.jpg");
    put_model("qwen3vl", "m");
    expect_ok(PIAA("embed", "photos", "--model", "m", "--out", "s", ONE));
    assert_null(strstr(err, "chat"));
    expect_ok(PIAA("model", "info", "m"));
    assert_non_null(strstr(out, "chat form      published\n"));
    char *published = slurp("s/lt.2.npy", NULL), *text = slurp("m/chat_template.jinja", NULL);

    /* A system turn, as programs for fine-tuning write it, is put before; and is not mixed in. */
    char *own = piaa_format(NULL, "<|im_start|>system\nBe kind.<|im_end|>\n%s", text);
    put("m/chat_template.jinja", own);
    expect_ok(PIAA("model", "info", "m"));
    assert_non_null(strstr(out, "its own (chat_template.jinja): \"<|im_start|>system\\nBe kind"));
    expect_refusal(PIAA("embed", "photos", "--model", "m", "--out", "s", ONE), 1,
                   "piaa embed: ", "--chat");
    expect_ok(PIAA("embed", "photos", "--model", "m", "--out", "s", "--chat", "published", ONE));
    expect_ok(PIAA("embed", "photos", "--model", "m", "--out", "own", ONE));
    assert_non_null(strstr(err, "--chat published"));
    size_t size;
    char *vectors = slurp("own/lt.2.npy", &size);
    assert_memory_not_equal(vectors, published, size);

    /* Where the answer alone is opened otherwise, as by models that think aloud, what was read of
       photos stays, and answers are others. */
    static const char opened[] = "<|im_start|>assistant\n";
    char *at_opening = strstr(text, opened);
    assert_non_null(at_opening);
    char *thinking = piaa_format(NULL, "%.*s%s<think>\n%s", (int)(at_opening - text), text, opened,
                                 at_opening + strlen(opened));
    put("m/chat_template.jinja", thinking);
    expect_ok(PIAA("model", "info", "m"));
    assert_non_null(strstr(out, "published; answers begin as its own has it "
                                "(chat_template.jinja): \"<|im_start|>assistant\\n<think>\\n\""));
    expect_ok(PIAA("embed", "photos", "--model", "m", "--out", "s", ONE));
    assert_null(strstr(err, "chat form"));
    double scores[2];
    for (int i = 0; i < 2; i++) {
        expect_ok(PIAA("ask", "photos/a.jpg", "Good?", "--model", "m", "--max-tokens", "2",
                       "--json", "--chat", i ? "published" : "folder", ONE));
        cJSON *answer = cJSON_Parse(out);
        assert_true(piaa_json_number(answer, "expected_score", &scores[i]));
        cJSON_Delete(answer);
    }
    assert_true(scores[0] != scores[1]);
    free(thinking);
    put("m/chat_template.jinja", own);

    /* The same in other files of the folder. */
    static const char *const files[] = {"chat_template.json", "tokenizer_config.json"};
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "chat_template", own);
    char *json = cJSON_PrintUnformatted(root);
    for (size_t i = 0; i < PIAA_COUNT(files); i++) {
        put_model("qwen3vl", "n");
        char *path = at("n/chat_template.jinja"), *folder = at("n");
        remove(path);
        char *name = piaa_format(NULL, "n/%s", files[i]);
        put(name, json);
        expect_ok(PIAA("embed", "photos", "--model", "n", "--out", "own", ONE));
        assert_non_null(strstr(err, "unchanged"));
        support_clear(folder);
        free(name);
        free(folder);
        free(path);
    }
    cJSON_free(json);
    cJSON_Delete(root);

    /* One that is not understood is said, and the published form taken. */
    put("m/chat_template.jinja", "{{ messages | tojson }}");
    expect_ok(PIAA("embed", "photos", "--model", "m", "--out", "s", ONE));
    assert_non_null(strstr(err, "not understood (chat_template.jinja: "));
    expect_refusal(PIAA("embed", "photos", "--model", "m", "--out", "t", "--chat", "folder", ONE),
                   1, "piaa embed: ", "--chat folder");
    free(vectors);
    free(published);
    free(own);
    free(text);
}

/* GGUF names the usual ways of cutting text into words and of normalising it; another is a reason
   not to write. */
static void a_tokenizer_that_gguf_cannot_say(void **state) {
    (void)state;
    put_model("gemma3", "m");
    expect_ok(PIAA("model", "convert", "m", "m.gguf"));
    char *text = slurp("m/tokenizer.json", NULL);
    cJSON *root = cJSON_Parse(text);
    cJSON_ReplaceItemInObject(root, "normalizer", cJSON_CreateNull());
    char *other = cJSON_PrintUnformatted(root);
    put("m/tokenizer.json", other);
    expect_refusal(PIAA("model", "convert", "m", "n.gguf"), 1, "piaa model convert: ",
                   "normalising text (tokenizer.json) than GGUF files can say");
    cJSON_free(other);
    cJSON_Delete(root);
    free(text);
}

/* Systems whose names know no case write them in capitals. */
static void gguf_in_capitals(void **state) {
    (void)state;
    put_model("gemma3", "m");
    make_folder("pair");
    expect_ok(PIAA("model", "convert", "m", "pair/M.GGUF"));
    expect_ok(PIAA("model", "info", "pair"));
    assert_non_null(strstr(out, "Gemma 3"));
    expect_ok(PIAA("model", "info", "pair/M.GGUF"));
}

/* -------------------------------------------------------------------------------------- places */

static void folders_of_the_hugging_face_cache(void **state) {
    (void)state;
    static const char *const given[] = {"models--a--b", "models--a--b/", "models--a--b/snapshots",
                                        "models--a--b/snapshots/c1"};
    make_folder("models--a--b");
    make_folder("models--a--b/refs");
    make_folder("models--a--b/snapshots");
    put_model("clip", "models--a--b/snapshots/c1");
    for (size_t i = 0; i < PIAA_COUNT(given); i++) expect_ok(PIAA("model", "info", given[i]));
    make_folder("models--a--b/snapshots/c2");
    expect_refusal(PIAA("model", "info", "models--a--b"), 2,
                   "piaa model info: ", "several versions");
    put("models--a--b/refs/main", "c1\n");
    expect_ok(PIAA("model", "info", "models--a--b"));
    assert_non_null(strstr(out, "/snapshots/c1\n"));
    put("models--a--b/refs/main", "gone");
    expect_refusal(PIAA("model", "info", "models--a--b/snapshots"), 2,
                   "piaa model info: ", "several versions");
    char *path = at("models--a--b/snapshots");
    support_clear(path);
    make_folder("models--a--b/snapshots");
    expect_refusal(PIAA("model", "info", "models--a--b"), 2, "piaa model info: ", "or none");
    free(path);
}

/* By its name: in each of the places that the variables name, by refs/main or as the only one. */
static void names_in_the_hugging_face_cache(void **state) {
    (void)state;
    static const char *const variables[] = {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME"};
    static const char one[] = "0123456789012345678901234567890123456789";
    make_folder("hub");
    make_folder("hub/models--a--b");
    make_folder("hub/models--a--b/refs");
    make_folder("hub/models--a--b/snapshots");
    char *snapshot = piaa_format(NULL, "hub/models--a--b/snapshots/%s", one);
    put_model("clip", snapshot);
    put("hub/models--a--b/refs/main", one);
    char *hub = at("hub"), *refs = at("hub/models--a--b/refs/main");
    for (size_t i = 0; i < PIAA_COUNT(variables); i++) unsetenv(variables[i]);
    expect_refusal(PIAA("model", "info", "a/b"), 1, "piaa model info: ", "has not been pulled");
    for (size_t i = 0; i < PIAA_COUNT(variables); i++) {
        setenv(variables[i], i == 2 ? world : hub, 1);
        expect_ok(PIAA("model", "info", "a/b"));
        assert_non_null(strstr(out, snapshot));
        unsetenv(variables[i]);
    }
    /* The newer name of the variable counts. */
    setenv("HUGGINGFACE_HUB_CACHE", world, 1);
    setenv("HF_HUB_CACHE", hub, 1);
    expect_ok(PIAA("model", "info", "a/b"));
    /* A cache copied without its refs. */
    remove(refs);
    expect_ok(PIAA("model", "info", "a/b"));
    make_folder("hub/models--a--b/snapshots/9876543210987654321098765432109876543210");
    expect_refusal(PIAA("model", "info", "a/b"), 1, "piaa model info: ", "has not been pulled");
    for (size_t i = 0; i < PIAA_COUNT(variables); i++) unsetenv(variables[i]);
    free(refs);
    free(hub);
    free(snapshot);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, program_begin, program_end)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(other_image_settings_are_not_mixed), CASE(ranks_store_is_not_mixed_either),
        CASE(a_taste_needs_its_preparation),      CASE(the_folders_own_chat_form),
        CASE(a_tokenizer_that_gguf_cannot_say),   CASE(gguf_in_capitals),
        CASE(folders_of_the_hugging_face_cache),  CASE(tokens_count_and_not_the_files_bytes),
        CASE(names_in_the_hugging_face_cache),    CASE(a_taste_remembers_its_adapter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

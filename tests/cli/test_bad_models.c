/* Models that are damaged, incomplete or not what they should be: whatever it is, it is said in one
 * line before the first photo, by every command, and no photo is marked for it. */
#include "program.h"

static const char plain[] = PIAA_GOLDEN "/qwen3vl";

static void copy_file(const char *from, const char *to) {
    size_t size;
    piaa_error error = {0};
    char *bytes = piaa_file_read(from, (size_t)1 << 30, &size, &error);
    if (!bytes) fail_msg("%s", error.message);
    support_write(world, to, bytes, size);
    free(bytes);
}

static void put_model(void) {
    static const char *const files[] = {"config.json", "model.safetensors", "tokenizer.json",
                                        "processor_config.json", "preprocessor_config.json"};
    make_folder("m");
    for (size_t i = 0; i < PIAA_COUNT(files); i++) {
        char *from = piaa_format(NULL, "%s/%s", plain, files[i]),
             *to = piaa_format(NULL, "m/%s", files[i]);
        copy_file(from, to);
        free(from);
        free(to);
    }
}

static void put_pair(const char *text, const char *vision) {
    char *folder = at("m"), *a = piaa_format(NULL, "%s/gguf/%s", PIAA_GOLDEN, text),
         *b = piaa_format(NULL, "%s/gguf/%s", PIAA_GOLDEN, vision ? vision : "");
    support_clear(folder);
    make_folder("m");
    copy_file(a, "m/t.gguf");
    if (vision) copy_file(b, "m/mmproj.gguf");
    free(a);
    free(b);
    free(folder);
}

static void drop(const char *name) {
    char *path = at(name);
    support_clear(path);
    free(path);
}

/* The first place of `old` becomes `new`, of the same length, in bytes of any kind. */
static void patch(const char *name, const char *old, const char *new) {
    size_t size, n = strlen(old), place = 0;
    char *bytes = slurp(name, &size);
    assert_int_equal(n, strlen(new));
    while (place + n < size && memcmp(bytes + place, old, n) != 0) place++;
    assert_true(place + n < size);
    memcpy(bytes + place, new, n);
    support_write(world, name, bytes, size);
    free(bytes);
}

/* The same where the text may be longer or shorter. */
static void edit(const char *name, const char *old, const char *new) {
    char *text = slurp(name, NULL), *hit = strstr(text, old);
    if (!hit) fail_msg("%s holds no %s", name, old);
    char *edited = piaa_format(NULL, "%.*s%s%s", (int)(hit - text), text, new, hit + strlen(old));
    put(name, edited);
    free(edited);
    free(text);
}

static void cut(const char *name, long size) {
    char *path = at(name);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(truncate(path, size < 0 ? status.st_size + size : size), 0);
    free(path);
}

/* All values of a tensor of a safetensors file. */
static void fill(const char *name, const char *tensor, float value) {
    size_t size;
    char *bytes = slurp(name, &size), *key = piaa_format(NULL, "\"%s\"", tensor);
    const size_t head = (size_t)(unsigned char)bytes[0] | (size_t)(unsigned char)bytes[1] << 8 |
                        (size_t)(unsigned char)bytes[2] << 16;
    char *at_key = strstr(bytes + 8, key);
    assert_non_null(at_key);
    unsigned long first = 0, end = 0;
    char *offsets = strstr(at_key, "data_offsets\":[");
    assert_int_equal(sscanf(offsets, "data_offsets\":[%lu,%lu", &first, &end), 2);
    for (unsigned long i = first; i < end; i += sizeof value)
        memcpy(bytes + 8 + head + i, &value, sizeof value);
    support_write(world, name, bytes, size);
    free(key);
    free(bytes);
}

/* The weights in one shard, and the index that says so. */
static void put_shard(const char *map) {
    char *from = at("m/model.safetensors"), *to = at("m/s.safetensors");
    assert_int_equal(rename(from, to), 0);
    char *index = piaa_format(NULL, "{\"weight_map\":%s}", map);
    put("m/model.safetensors.index.json", index);
    free(index);
    free(from);
    free(to);
}

#define UP "model.language_model.layers.1.mlp.up_proj.weight"
#define WEIGHTS "m/model.safetensors"
#define TOKENS "m/tokenizer.json"
#define CONFIG "m/config.json"

/* clang-format off */
static void no_tensor(void) { patch(WEIGHTS, "layers.1.mlp.up_proj", "layers.1.mlp.xx_proj"); }
static void no_norm(void) {
    patch(WEIGHTS, "layers.0.input_layernorm", "layers.0.inxxx_layernorm");
}
static void no_vision(void) { patch(WEIGHTS, "blocks.0.norm1", "blocks.0.normx"); }
static void turned(void) { patch(WEIGHTS, "\"shape\":[112,64]", "\"shape\":[64,112]"); }
static void integers(void) { patch(WEIGHTS, "\"F32\"", "\"I32\""); }
static void not_a_number(void) { fill(WEIGHTS, UP, NAN); }
static void norm_not_a_number(void) {
    fill(WEIGHTS, "model.language_model.layers.0.input_layernorm.weight", NAN);
}
static void endless(void) { fill(WEIGHTS, "model.language_model.embed_tokens.weight", INFINITY); }
static void too_large(void) { fill(WEIGHTS, UP, 3e38f); }
static void cut_weights(void) { cut(WEIGHTS, -100); }
static void cut_head(void) { cut(WEIGHTS, 50); }
static void no_bytes(void) { cut(WEIGHTS, 0); }
static void no_weights(void) { drop(WEIGHTS); }
static void web_page(void) { put(WEIGHTS, "<!DOCTYPE html><html>Not Found</html>"); }
static void lfs(void) {
    put(WEIGHTS, "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n");
}
static void folder_of_weights(void) { drop(WEIGHTS); make_folder(WEIGHTS); }
static void broken_link(void) { drop(WEIGHTS); make_link(WEIGHTS, "../../blobs/gone"); }
static void loop_of_links(void) { drop(WEIGHTS); make_link(WEIGHTS, "model.safetensors"); }
static void pickles(void) { drop(WEIGHTS); put("m/pytorch_model.bin", "x"); }
static void no_shard(void) { put_shard("{\"" UP "\":\"t.safetensors\"}"); }
static void cut_shard(void) {
    put_shard("{\"" UP "\":\"s.safetensors\"}");
    cut("m/s.safetensors", -9);
}
static void not_in_shard(void) { put_shard("{\"absent.weight\":\"s.safetensors\"}"); }
static void shard_elsewhere(void) { put_shard("{\"" UP "\":\"../s.safetensors\"}"); }
static void shard_by_number(void) { put_shard("{\"" UP "\":7}"); }
static void no_map(void) { put_shard("[]"); }
static void cut_index(void) { put_shard("{"); }
static void cut_tokenizer(void) { cut(TOKENS, 2000); }
static void no_tokenizer(void) { drop(TOKENS); }
static void list_tokenizer(void) { put(TOKENS, "[]"); }
static void other_tokenizer(void) { copy_file(PIAA_GOLDEN "/gemma3/tokenizer.json", TOKENS); }
static void no_image_token(void) { edit(TOKENS, "<|image_pad|>", "<|imag_pad|>"); }
static void no_turn_token(void) { edit(TOKENS, "<|im_start|>", "<|xm_start|>"); }
static void other_kind_of_tokenizer(void) { edit(TOKENS, "\"BPE\"", "\"WordPiece\""); }
static void list_config(void) { put(CONFIG, "[1]"); }
static void empty_config(void) { put(CONFIG, ""); }
static void no_config(void) { drop(CONFIG); }
static void no_type(void) { edit(CONFIG, "\"model_type\"", "\"modeltype\""); }
static void other_type(void) { edit(CONFIG, "\"qwen3_vl\"", "\"llama\""); }
static void no_heads(void) {
    edit(CONFIG, "\"num_attention_heads\": 4", "\"num_attention_heads\": 0");
}
static void odd_heads(void) {
    edit(CONFIG, "\"num_attention_heads\": 4", "\"num_attention_heads\": 5");
}
static void more_layers(void) {
    edit(CONFIG, "\"num_hidden_layers\": 4", "\"num_hidden_layers\": 40");
}
static void layers_as_text(void) {
    edit(CONFIG, "\"num_hidden_layers\": 4", "\"num_hidden_layers\": \"4\"");
}
static void utf16(void) { support_write(world, CONFIG, "\xff\xfe{\0}\0", 6); }
static void deviation_zero(void) {
    edit("m/processor_config.json", "0.5", "0.0"); /* the mean's, which comes first */
    edit("m/processor_config.json", "\"image_std\"", "\"image_was\"");
    edit("m/processor_config.json", "\"image_mean\"", "\"image_std\"");
}
static void odd_image(void) { put("m/processor_config.json", "{\"image_processor\":["); }
static void is_a_file(void) { drop("m"); put("m", "hello"); }
static void is_empty(void) { drop("m"); make_folder("m"); }
static void is_absent(void) { drop("m"); }
static void is_a_loop(void) { drop("m"); make_link("m", "m"); }
static void is_a_device(void) { drop("m"); make_link("m", "/dev/null"); }
static void is_a_pipe(void) {
    drop("m");
    char *path = at("m");
    assert_int_equal(mkfifo(path, 0600), 0);
    free(path);
}
static void weights_are_a_pipe(void) {
    drop(WEIGHTS);
    char *path = at(WEIGHTS);
    assert_int_equal(mkfifo(path, 0600), 0);
    free(path);
}
static void is_an_adapter(void) { is_empty(); put("m/adapter_config.json", "{}"); }
static void cut_pair(void) {
    put_pair("qwen3vl-f32.gguf", "qwen3vl-mmproj-f32.gguf");
    cut("m/t.gguf", -400);
}
static void cut_vision(void) {
    put_pair("qwen3vl-f32.gguf", "qwen3vl-mmproj-f32.gguf");
    cut("m/mmproj.gguf", -400);
}
static void half_a_pair(void) { put_pair("qwen3vl-f32.gguf", NULL); }
static void odd_pair(void) { put_pair("qwen3vl-f32.gguf", "gemma3-mmproj-f32.gguf"); }
static void part_of_pair(void) {
    put_pair("qwen3vl-f32.gguf", "qwen3vl-mmproj-f32.gguf");
    put("m/t.gguf", "<html>");
}

static const struct {
    void (*spoil)(void);
    const char *part;
    bool late; /* the model opens: what is wrong is in its weights */
} cases[] = {
    {no_tensor, "m has no tensor " UP, true},
    {no_norm, "has no tensor model.language_model.layers.0.input_layernorm.weight", true},
    {no_vision, "has no tensor model.visual.blocks.0.norm1.", true},
    {turned, "has shape [64, 112] where config.json calls for [112, 64]", true},
    {integers, "is stored as I32", false},
    {not_a_number, "m: tensor " UP " holds values that are not finite", true},
    {norm_not_a_number, "layers.0.input_layernorm.weight holds values that are not finite", true},
    {endless, "embed_tokens.weight holds values that are not finite", true},
    {too_large, "its hidden states are not finite numbers, of a plain picture too", true},
    {cut_weights, "runs past the end of the file: the file is damaged, fetch it again", false},
    {cut_head, "model.safetensors is cut off", false},
    {no_bytes, "model.safetensors is cut off", false},
    {no_weights, "it has no model.safetensors", false},
    {web_page, "not a safetensors file", false},
    {lfs, "Git LFS pointer", false},
    {folder_of_weights, "model.safetensors is a folder, not a file", false},
    {broken_link, "m/model.safetensors is a link to ../../blobs/gone, which is not there", false},
    {loop_of_links, "m/model.safetensors is a link to model.safetensors", false},
    {pickles, "PyTorch pickles", false},
    {no_shard, "t.safetensors is missing", false},
    {cut_shard, "s.safetensors: tensor ", false},
    {not_in_shard, "holds no tensor absent.weight", false},
    {shard_elsewhere, "is not given a file name in the same folder", false},
    {shard_by_number, "is not given a file name", false},
    {no_map, "has no \"weight_map\" with tensors: fetch it again", false},
    {cut_index, "model.safetensors.index.json, line 1", false},
    {cut_tokenizer, "m/tokenizer.json, line ", false},
    {no_tokenizer, "m/tokenizer.json", false},
    {list_tokenizer, "m/tokenizer.json", false},
    {other_tokenizer, "the tokenizer has no token <|im_start|>", true},
    {no_image_token, "the tokenizer has no token <|image_pad|>", true},
    {no_turn_token, "the tokenizer has no token <|im_start|>", true},
    {other_kind_of_tokenizer, "WordPiece", false},
    {list_config, "m/config.json does not hold a JSON object: fetch it again", false},
    {empty_config, "m/config.json, line 1: the JSON text is empty", false},
    {no_config, "it has no config.json", false},
    {no_type, "has no \"model_type\"", false},
    {other_type, "\"llama\" model, which piaa does not support", false},
    {no_heads, "num_attention_heads", false},
    {odd_heads, "heads", false},
    {more_layers, "has no tensor model.language_model.layers.4.", true},
    {layers_as_text, "num_hidden_layers", false},
    {utf16, "m/config.json", false},
    {deviation_zero, "image_std", false},
    {odd_image, "m/processor_config.json, line 1", false},
    {is_a_file, "m is a file, not a model folder", false},
    {is_empty, "it has no config.json", false},
    {is_absent, "m does not exist", false},
    {is_a_loop, "m does not exist", false},
    {is_a_device, "m is a file, not a model folder", false},
    {is_a_pipe, "m is a file, not a model folder", false},
    {weights_are_a_pipe, "model.safetensors is a device or pipe", false},
    {is_an_adapter, "holds an adapter", false},
    {cut_pair, "t.gguf is cut off or damaged", false},
    {cut_vision, "mmproj.gguf is cut off or damaged", false},
    {half_a_pair, "t.gguf has no vision part", false},
    {odd_pair, "the vision part of another kind of model", false},
    {part_of_pair, "t.gguf is not a GGUF file", false},
};
/* clang-format on */

/* One line of the command, with the part, no photo's name in it, and a failing code. */
static void refuse(size_t i, const char *command, int code) {
    const char *line = err;
    char *who = piaa_format(NULL, "piaa %s: ", command);
    const bool one = strchr(line, '\n') == line + strlen(line) - 1;
    if (code == 0 || out_size || strncmp(line, who, strlen(who)) != 0 || !one ||
        strstr(line, "photos/") || !strstr(line, cases[i].part))
        fail_msg("case %zu, %s: code %d, expected one line with \"%s\", got: %s", i, command, code,
                 cases[i].part, line);
    free(who);
}

static void a_models_fault_is_told_once(void **state) {
    (void)state;
    make_folder("photos");
    put_sample(0, "photos/a.jpg");
    put_sample(1, "photos/b.jpg");
    put("ratings.csv", "path,score\nphotos/a.jpg,1\nphotos/b.jpg,4\n");
    char *model = at("m");
    for (size_t i = 0; i < PIAA_COUNT(cases); i++) {
        put_model();
        cases[i].spoil();
        refuse(i, "embed", PIAA("embed", "photos", "--model", "m", "--out", "s", ONE));
        if (i % 4 == 0)
            refuse(i, "rank",
                   PIAA("rank", "photos", "--ratings", "ratings.csv", "--model", "m", ONE));
        if (cases[i].late || i % 4 == 1)
            refuse(i, "ask",
                   i % 2
                       ? PIAA("ask", "photos/a.jpg", "Good?", "--model", "m", ONE)
                       : PIAA("ask", "photos/a.jpg", "photos/b.jpg", "Good?", "--model", "m", ONE));
        if ((cases[i].late || i % 4 == 3) &&
            !strstr(cases[i].part, "finite")) /* what the values are is not looked at */
            refuse(i, "model convert", PIAA("model", "convert", "m", "t.gguf"));
        const int code = PIAA("model", "info", "m");
        if (!cases[i].late)
            refuse(i, "model info", code);
        else
            expect_ok(code);
        /* A store that was begun has no mark on a photo. */
        char *store = at("s/catalog.sqlite");
        if (piaa_file_exists(store)) {
            expect_ok(PIAA("store", "list", "s", "--failed"));
            assert_int_equal(out_size, 0);
        }
        free(store);
        drop("s");
        support_clear(model);
    }
    free(model);
}

/* The study's commands open models in the same way. */
static void the_study_says_the_same(void **state) {
    (void)state;
    static const char data[] = "para:" PIAA_SOURCE "/data/para";
    static const size_t some[] = {0, 5, 9, 31, 33};
    for (size_t k = 0; k < PIAA_COUNT(some); k++) {
        put_model();
        cases[some[k]].spoil();
        refuse(some[k], "probe",
               PIAA("probe", "--data", data, "--model", "m", "--layer", "3", "--pool", "lt",
                    "--out", "p.run", "--store", "s", ONE));
        drop("s");
        refuse(some[k], "eval",
               PIAA("eval", "--data", data, "--model", "m", "--layer", "3", "--out", "e.run",
                    "--store", "s", ONE));
        drop("s");
        drop("m");
    }
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, program_begin, program_end)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(a_models_fault_is_told_once),
        CASE(the_study_says_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

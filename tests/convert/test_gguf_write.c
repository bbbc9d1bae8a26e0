/* The pair we write against the pair that llama.cpp's converter wrote from the same folder: every
 * tensor to the byte.  Quantised files are read back; so is the real vocabulary of Gemma, written
 * as SentencePiece scores. */
#include "support.h"

#include "convert/gguf_meta.h"
#include "convert/gguf_write.h"

#define GGUF PIAA_GOLDEN "/gguf/"

static piaa_checkpoint *open_good(const char *path) {
    piaa_error error = {0};
    piaa_checkpoint *checkpoint = piaa_checkpoint_open(path, &error);
    if (!checkpoint) fail_msg("%s", error.message);
    return checkpoint;
}

static piaa_gguf *open_file(const char *folder, const char *name) {
    piaa_error error = {0};
    char *path = support_join(folder, name);
    piaa_gguf *file = piaa_gguf_open(path, &error);
    if (!file) fail_msg("%s", error.message);
    free(path);
    return file;
}

static void convert(const char *from, const char *folder, const char *kind_name) {
    piaa_error error = {0};
    piaa_gguf_kind kind;
    char *text = support_join(folder, "text.gguf"), *vision = support_join(folder, "mmproj.gguf");
    piaa_checkpoint *checkpoint = open_good(from);
    assert_true(piaa_gguf_kind_parse(kind_name, &kind));
    if (!piaa_gguf_convert(checkpoint, text, vision, kind, NULL, NULL, &error))
        fail_msg("%s", error.message);
    piaa_checkpoint_close(checkpoint);
    free(text);
    free(vision);
}

static void expect_same(const piaa_gguf *made, const piaa_gguf *golden) {
    assert_int_equal(piaa_gguf_count(made), piaa_gguf_count(golden));
    for (size_t i = 0; i < piaa_gguf_count(golden); i++) {
        const piaa_tensor *expected = piaa_gguf_at(golden, i),
                          *tensor = piaa_gguf_find(made, expected->name);
        if (!tensor) fail_msg("%s holds no %s", piaa_gguf_where(made), expected->name);
        if (tensor->ggml_type != expected->ggml_type ||
            tensor->dimensions != expected->dimensions ||
            memcmp(tensor->shape, expected->shape, sizeof tensor->shape) != 0)
            fail_msg("%s has another type or shape", expected->name);
        if (memcmp(tensor->data, expected->data, expected->bytes) != 0)
            fail_msg("%s has other values", expected->name);
    }
}

static void expect_same_keys(const piaa_gguf *made, const piaa_gguf *golden) {
    static const char *const numbers[] = {"general.file_type",
                                          "qwen3vl.block_count",
                                          "qwen3vl.context_length",
                                          "qwen3vl.embedding_length",
                                          "qwen3vl.feed_forward_length",
                                          "qwen3vl.attention.head_count",
                                          "qwen3vl.attention.head_count_kv",
                                          "qwen3vl.attention.key_length",
                                          "qwen3vl.attention.layer_norm_rms_epsilon",
                                          "qwen3vl.rope.freq_base",
                                          "qwen3vl.n_deepstack_layers",
                                          "gemma3.rope.scaling.factor",
                                          "gemma3.rope.freq_base",
                                          "gemma3.rope.freq_base_swa",
                                          "gemma3.attention.sliding_window",
                                          "gemma3.attention.head_count_kv",
                                          "clip.vision.projection_dim",
                                          "clip.vision.image_size",
                                          "clip.vision.attention.head_count",
                                          "clip.vision.attention.layer_norm_epsilon",
                                          "clip.vision.spatial_merge_size",
                                          "clip.vision.projector.scale_factor",
                                          "tokenizer.ggml.eos_token_id",
                                          "tokenizer.ggml.bos_token_id",
                                          "tokenizer.ggml.unknown_token_id",
                                          "tokenizer.ggml.padding_token_id"};
    static const char *const texts[] = {"general.architecture",    "general.type",
                                        "clip.projector_type",     "tokenizer.ggml.model",
                                        "tokenizer.ggml.pre",      "tokenizer.chat_template",
                                        "gemma3.rope.scaling.type"};
    for (size_t i = 0; i < PIAA_COUNT(numbers); i++) {
        double a = -1, b = -1;
        piaa_gguf_number(made, numbers[i], &a);
        piaa_gguf_number(golden, numbers[i], &b);
        if (!(a == b)) fail_msg("%s is %g, not %g", numbers[i], a, b);
    }
    for (size_t i = 0; i < PIAA_COUNT(texts); i++) {
        const char *a = piaa_gguf_string(made, texts[i]), *b = piaa_gguf_string(golden, texts[i]);
        if ((a == NULL) != (b == NULL) || (a && strcmp(a, b) != 0))
            fail_msg("%s is \"%s\"", texts[i], a ? a : "");
    }
}

static void as_llama_cpp_writes(void **state) {
    PIAA_UNUSED(state);
    static const struct {
        const char *from, *kind, *text, *vision;
    } models[] = {
        {PIAA_GOLDEN "/qwen3vl", "f32", "qwen3vl-f32.gguf", "qwen3vl-mmproj-f32.gguf"},
        {PIAA_GOLDEN "/qwen3vl", "bf16", "qwen3vl-bf16.gguf", NULL},
        {PIAA_GOLDEN "/gemma3", "f32", "gemma3-f32.gguf", "gemma3-mmproj-f32.gguf"},
        {GGUF "qwen3vl-f32.gguf", "f32", "qwen3vl-f32.gguf",
         "qwen3vl-mmproj-f32.gguf"}, /* a pair again */
        {GGUF "qwen3vl-f32.gguf", "bf16", "qwen3vl-bf16.gguf", NULL},
    };
    for (size_t i = 0; i < PIAA_COUNT(models); i++) {
        char *folder = support_folder();
        convert(models[i].from, folder, models[i].kind);
        piaa_gguf *text = open_file(folder, "text.gguf"),
                  *vision = open_file(folder, "mmproj.gguf");
        piaa_gguf *golden = open_file(GGUF, models[i].text);
        expect_same(text, golden);
        expect_same_keys(text, golden);
        piaa_gguf_close(golden);
        if (models[i].vision) {
            golden = open_file(GGUF, models[i].vision);
            expect_same(vision, golden);
            expect_same_keys(vision, golden);
            piaa_gguf_close(golden);
        }
        piaa_gguf_close(text);
        piaa_gguf_close(vision);
        /* The limits of an image's size are kept, which llama.cpp's converter leaves out. */
        piaa_checkpoint *pair = open_good(folder);
        int64_t most = 0;
        if (i < 2)
            assert_true(
                piaa_json_int(piaa_checkpoint_image_config(pair), "size.longest_edge", &most) &&
                most == 65536);
        piaa_checkpoint_close(pair);
        support_remove(folder);
    }
}

static void quantised(void **state) {
    PIAA_UNUSED(state);
    static const struct {
        const char *kind;
        double limit;
    } kinds[] = {{"f16", 4e-4},  {"bf16", 2e-3}, {"q8_0", 1e-2},
                 {"q6_K", 2e-2}, {"q5_K", 5e-2}, {"q4_K", 9e-2}};
    static const char *const folders[] = {PIAA_GOLDEN "/qwen3vl", PIAA_GOLDEN "/gemma3",
                                          PIAA_SOURCE "/models/demo"};
    for (size_t k = 0; k < PIAA_COUNT(kinds); k++)
        for (size_t f = 0; f < PIAA_COUNT(folders); f++) {
            char *folder = support_folder();
            convert(folders[f], folder, kinds[k].kind);
            piaa_checkpoint *pair = open_good(folder), *from = open_good(folders[f]);
            double most = 0;
            size_t blocks = 0;
            for (size_t i = 0; i < piaa_checkpoint_count(from); i++) {
                const piaa_tensor *expected = piaa_checkpoint_at(from, i),
                                  *tensor = piaa_checkpoint_tensor(pair, expected->name);
                if (strstr(expected->name, "vision_tower.head.")) continue;
                assert_non_null(tensor);
                size_t count = (size_t)piaa_tensor_count(expected);
                assert_int_equal(piaa_tensor_count(tensor), count);
                float *a = piaa_alloc(count, sizeof *a, NULL),
                      *b = piaa_alloc(count, sizeof *b, NULL);
                assert_true(a && b);
                piaa_tensor_to_float(tensor, a);
                piaa_tensor_to_float(expected, b);
                double e = support_relative_error(a, b, count);
                if (e > most) most = e;
                blocks += tensor->type == PIAA_QUANTISED;
                if (expected->dimensions == 1 && !(e <= 1e-6))
                    fail_msg("%s differs by %g", expected->name, e);
                free(a);
                free(b);
            }
            print_message("%s as %s: largest relative error of a weight %.2g\n",
                          piaa_path_name(folders[f]), kinds[k].kind, most);
            assert_true(most <= kinds[k].limit);
            assert_true((blocks > 20) == (kinds[k].kind[0] == 'q'));
            piaa_checkpoint_close(pair);
            piaa_checkpoint_close(from);
            support_remove(folder);
        }
    piaa_gguf_kind kind;
    assert_false(piaa_gguf_kind_parse("q3_K", &kind));
}

/* A header with these keys and no tensors, parsed; the text has to live as long. */
static piaa_gguf *parse_keys(const piaa_gguf_meta *meta, piaa_text *whole) {
    piaa_error error = {0};
    piaa_gguf_meta head = {.error = &error};
    assert_true(piaa_text_add(&head.text, "GGUF", 4, NULL));
    piaa_gguf_put_bytes(&head, 3, 4);
    piaa_gguf_put_bytes(&head, 0, 8);
    piaa_gguf_put_bytes(&head, meta->keys, 8);
    assert_true(piaa_text_add(&head.text, meta->text.data, meta->text.length, NULL));
    piaa_gguf *file = piaa_gguf_parse(head.text.data, head.text.length, "made", &error);
    if (!file) fail_msg("%s", error.message);
    *whole = head.text;
    return file;
}

static void real_vocabularies(void **state) {
    PIAA_UNUSED(state);
    static const struct {
        const char *name, *model;
        int64_t rows;
    } families[] = {{"qwen3", "gpt2", 151936}, {"gemma3", "llama", 262208}};
    for (size_t f = 0; f < PIAA_COUNT(families); f++) {
        piaa_error error = {0};
        char *folder = support_folder(), *link = support_join(folder, "tokenizer.json");
        char *target =
            piaa_format(NULL, "%s/tokenizers/%s.tokenizer.json", PIAA_BUILD, families[f].name);
        assert_int_equal(symlink(target, link), 0);
        piaa_checkpoint checkpoint = {.folder = folder};
        piaa_gguf_meta meta = {.error = &error};
        if (!piaa_gguf_put_tokenizer(&meta, &checkpoint, families[f].rows))
            fail_msg("%s", error.message);
        piaa_text whole;
        piaa_gguf *file = parse_keys(&meta, &whole);
        free(meta.text.data);
        assert_string_equal(piaa_gguf_string(file, "tokenizer.ggml.model"), families[f].model);
        cJSON *made = piaa_gguf_tokenizer(file, &error);
        if (!made) fail_msg("%s", error.message);
        piaa_tokenizer *ours = piaa_tokenizer_from_json(made, "made", &error),
                       *real = piaa_tokenizer_open(target, &error);
        if (!ours || !real) fail_msg("%s", error.message);
        assert_int_equal(piaa_tokenizer_size(ours), piaa_tokenizer_size(real));
        cJSON *golden = piaa_json_read(PIAA_GOLDEN "/tokens.json", 1 << 24, NULL);
        for (const cJSON *row = piaa_json_find(golden, families[f].name)->child; row;
             row = row->next) {
            const char *text = piaa_json_string(row, "text");
            piaa_ids a = {0}, b = {0};
            assert_true(piaa_tokenizer_encode(ours, text, strlen(text), &a, &error) &&
                        piaa_tokenizer_encode(real, text, strlen(text), &b, &error));
            if (a.count != b.count ||
                (a.count && memcmp(a.items, b.items, a.count * sizeof *a.items) != 0))
                fail_msg("other ids for %s", text);
            piaa_ids_free(&a);
            piaa_ids_free(&b);
        }
        cJSON_Delete(golden);
        cJSON_Delete(made);
        piaa_tokenizer_close(ours);
        piaa_tokenizer_close(real);
        piaa_gguf_close(file);
        free(whole.data);
        free(target);
        free(link);
        support_remove(folder);
    }
}

static bool stop_at_once(void *user) {
    PIAA_UNUSED(user);
    return true;
}

static void failures(void **state) {
    PIAA_UNUSED(state);
    char *folder = support_folder(), *text = support_join(folder, "text.gguf"),
         *vision = support_join(folder, "v.gguf");
    piaa_checkpoint *checkpoint = open_good(PIAA_GOLDEN "/qwen3vl");
    piaa_error error = {0};
    assert_false(piaa_gguf_convert(checkpoint, "/nowhere/text.gguf", vision, PIAA_GGUF_KIND_F32,
                                   NULL, NULL, &error));
    assert_int_equal(error.code, PIAA_IO);
    assert_non_null(strstr(error.message, "cannot write /nowhere/text.gguf"));
    remove(vision);
    error = (piaa_error){0};
    piaa_hooks hooks = {.stop = stop_at_once};
    assert_false(
        piaa_gguf_convert(checkpoint, text, vision, PIAA_GGUF_KIND_F32, NULL, &hooks, &error));
    assert_int_equal(error.code, PIAA_STOPPED);
    assert_int_equal(rmdir(folder), 0); /* nothing is left behind */
    piaa_checkpoint_close(checkpoint);
    error = (piaa_error){0};
    assert_false(piaa_gguf_convert(NULL, text, vision, PIAA_GGUF_KIND_F32, NULL, NULL, &error));
    free(text);
    free(vision);
    free(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_llama_cpp_writes),
        cmocka_unit_test(quantised),
        cmocka_unit_test(real_vocabularies),
        cmocka_unit_test(failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

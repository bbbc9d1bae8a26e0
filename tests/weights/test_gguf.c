/* GGUF: pairs that llama.cpp's converter wrote against the folders they were made from; every type
 * of block against the gguf package; the real vocabularies through GGUF metadata; and files that
 * are not what they should be. */
#include "support.h"

#include "text/tokenizer.h"
#include "weights/checkpoint_parts.h"

#define GGUF PIAA_GOLDEN "/gguf/"
#define OLLAMA PIAA_GOLDEN "/gguf_ollama/"

static piaa_checkpoint *open_good(const char *path) {
    piaa_error error = {0};
    piaa_checkpoint *checkpoint = piaa_checkpoint_open(path, &error);
    if (!checkpoint) fail_msg("%s", error.message);
    return checkpoint;
}

static float *values_of(const piaa_tensor *tensor) {
    float *values = piaa_alloc((size_t)piaa_tensor_count(tensor), sizeof *values, NULL);
    assert_non_null(values);
    piaa_tensor_to_float(tensor, values);
    return values;
}

/* ------------------------------------------------------------ against the folders they are from */

static const struct {
    const char *pair, *folder;
    double limit; /* relative error of a matrix */
} pairs[] = {
    {GGUF "qwen3vl-f32.gguf", PIAA_GOLDEN "/qwen3vl", 0},
    {GGUF "qwen3vl-bf16.gguf," GGUF "qwen3vl-mmproj-f32.gguf", PIAA_GOLDEN "/qwen3vl", 3e-3},
    {GGUF "gemma3-f32.gguf", PIAA_GOLDEN "/gemma3", 0},
    /* one file, as in Ollama's library */
    {OLLAMA "qwen3vl.gguf", PIAA_GOLDEN "/qwen3vl", 0},
    {OLLAMA "qwen3vl-later.gguf", PIAA_GOLDEN "/qwen3vl", 1e-3},
    {OLLAMA "gemma3.gguf", PIAA_GOLDEN "/gemma3", 0},
};

static void same_weights(void **state) {
    PIAA_UNUSED(state);
    for (size_t p = 0; p < PIAA_COUNT(pairs); p++) {
        piaa_checkpoint *pair = open_good(pairs[p].pair), *folder = open_good(pairs[p].folder);
        size_t compared = 0;
        for (size_t i = 0; i < piaa_checkpoint_count(folder); i++) {
            const piaa_tensor *expected = piaa_checkpoint_at(folder, i),
                              *tensor = piaa_checkpoint_tensor(pair, expected->name);
            if (strstr(expected->name, "vision_tower.head."))
                continue; /* SigLIP's own, which Gemma does not use */
            if (!tensor) fail_msg("%s holds no %s", pairs[p].pair, expected->name);
            if (tensor->dimensions != expected->dimensions ||
                memcmp(tensor->shape, expected->shape, sizeof tensor->shape) != 0)
                fail_msg("%s: %s has another shape", pairs[p].pair, expected->name);
            float *a = values_of(tensor), *b = values_of(expected);
            double e = support_relative_error(a, b, (size_t)piaa_tensor_count(tensor));
            bool norm = strstr(expected->name, "norm") != NULL, half = tensor->type == PIAA_F16;
            if (!(e <= (half ? 1e-3 : norm && pairs[p].limit == 0 ? 1e-6 : pairs[p].limit)))
                fail_msg("%s: %s differs by %g", pairs[p].pair, expected->name, e);
            free(a);
            free(b);
            piaa_checkpoint_forget(pair, tensor);
            compared++;
        }
        assert_true(compared > 100);
        piaa_checkpoint_close(pair);
        piaa_checkpoint_close(folder);
    }
}

static void same_values(const cJSON *made, const cJSON *real, const char *where, size_t *compared) {
    /* What is said for generation, training or by name alone */
    static const char *const left_out[] = {"dtype",
                                           "architectures",
                                           "transformers_version",
                                           "initializer_range",
                                           "use_cache",
                                           "pad_token_id",
                                           "bos_token_id",
                                           "eos_token_id",
                                           "image_token_id",
                                           "video_token_id",
                                           "vision_start_token_id",
                                           "vision_end_token_id",
                                           "boi_token_index",
                                           "eoi_token_index",
                                           "image_token_index",
                                           "attention_dropout",
                                           "mrope_interleaved",
                                           "model_type",
                                           "rope_type",
                                           "vision_use_head",
                                           "_sliding_window_pattern",
                                           "attn_logit_softcapping",
                                           "final_logit_softcapping",
                                           "use_bidirectional_attention"};
    for (const cJSON *item = real->child; item; item = item->next) {
        bool skip = cJSON_IsNull(item);
        for (size_t i = 0; i < PIAA_COUNT(left_out); i++)
            skip = skip || (item->string && strcmp(item->string, left_out[i]) == 0);
        if (skip) continue;
        if (strcmp(where, ".vision_config") == 0 && strcmp(item->string, "rope_parameters") == 0)
            continue;
        char *name = piaa_format(NULL, "%s.%s", where, item->string ? item->string : "");
        const cJSON *other =
            item->string ? cJSON_GetObjectItemCaseSensitive(made, item->string) : made->child;
        if (!other) fail_msg("the configuration made from GGUF has no %s", name);
        if (cJSON_IsObject(item)) {
            same_values(other, item, name, compared);
        } else if (cJSON_IsNumber(item)) {
            if (!(fabs(item->valuedouble - other->valuedouble) <= 1e-6 * fabs(item->valuedouble)))
                fail_msg("%s differs", name);
        } else if (!cJSON_Compare(item, other, true)) {
            fail_msg("%s differs", name);
        }
        (*compared)++;
        free(name);
    }
}

static void same_configuration(void **state) {
    PIAA_UNUSED(state);
    for (size_t p = 0; p < PIAA_COUNT(pairs); p++) {
        piaa_checkpoint *pair = open_good(pairs[p].pair), *folder = open_good(pairs[p].folder);
        size_t compared = 0;
        same_values(piaa_checkpoint_config(pair), piaa_checkpoint_config(folder), "", &compared);
        assert_true(compared > 25);
        assert_string_equal(piaa_json_string(piaa_checkpoint_config(pair), "model_type"),
                            piaa_json_string(piaa_checkpoint_config(folder), "model_type"));
        const cJSON *made = piaa_checkpoint_image_config(pair),
                    *real = piaa_checkpoint_image_config(folder);
        static const char *const keys[] = {"image_mean", "image_std", "resample", "rescale_factor"};
        for (size_t i = 0; i < PIAA_COUNT(keys); i++)
            assert_true(
                cJSON_Compare(piaa_json_find(made, keys[i]), piaa_json_find(real, keys[i]), true));
        char one[65], two[65];
        assert_true(piaa_checkpoint_fingerprint(pair, one, NULL) &&
                    piaa_checkpoint_fingerprint(folder, two, NULL));
        assert_string_not_equal(one, two);
        assert_string_equal(piaa_checkpoint_folder(pair), pairs[p].pair);
        piaa_checkpoint_close(pair);
        piaa_checkpoint_close(folder);
    }
}

/* ----------------------------------------------------------------------------------- tokenizers */

static void same_ids(const piaa_tokenizer *a, const piaa_tokenizer *b, const char *text,
                     size_t size) {
    piaa_error error = {0};
    piaa_ids x = {0}, y = {0};
    if (!piaa_tokenizer_encode(a, text, size, &x, &error) ||
        !piaa_tokenizer_encode(b, text, size, &y, &error))
        fail_msg("%s", error.message);
    if (x.count != y.count || (x.count && memcmp(x.items, y.items, x.count * sizeof *x.items) != 0))
        fail_msg("other ids for \"%.*s\"", (int)size, text);
    size_t m, n;
    char *back = piaa_tokenizer_decode(a, x.items, x.count, &m, &error),
         *expected = piaa_tokenizer_decode(b, x.items, x.count, &n, &error);
    assert_true(back && expected && m == n && memcmp(back, expected, m) == 0);
    free(back);
    free(expected);
    piaa_ids_free(&x);
    piaa_ids_free(&y);
}

static void same_ids_on_all_texts(const piaa_tokenizer *a, const piaa_tokenizer *b) {
    static const char *const files[] = {PIAA_GOLDEN "/tokens.json",
                                        PIAA_SOURCE "/tests/text/tokens.json"};
    size_t texts = 0;
    for (size_t f = 0; f < PIAA_COUNT(files); f++) {
        cJSON *golden = piaa_json_read(files[f], 64 << 20, NULL);
        assert_non_null(golden);
        for (const cJSON *family = golden->child; family; family = family->next) {
            const cJSON *rows = f ? piaa_json_find(family, "rows") : family;
            for (const cJSON *row = rows->child; row; row = row->next, texts++) {
                const char *text =
                    f ? piaa_json_string(row, "bytes") : piaa_json_string(row, "text");
                size_t size = f ? strlen(text) / 2 : strlen(text);
                char *bytes = piaa_alloc(size, 1, NULL);
                unsigned byte = 0;
                for (size_t i = 0; i < size; i++) {
                    if (f) assert_int_equal(sscanf(text + 2 * i, "%2x", &byte), 1);
                    bytes[i] = f ? (char)byte : text[i];
                }
                same_ids(a, b, bytes, size);
                free(bytes);
            }
        }
        cJSON_Delete(golden);
    }
    assert_true(texts > 60);
}

static piaa_tokenizer *tokenizer_of(const char *path) {
    piaa_error error = {0};
    piaa_checkpoint *checkpoint = open_good(path);
    piaa_tokenizer *tokenizer = piaa_checkpoint_tokenizer(checkpoint, &error);
    if (!tokenizer) fail_msg("%s", error.message);
    piaa_checkpoint_close(checkpoint);
    return tokenizer;
}

static void same_tokenizer(void **state) {
    PIAA_UNUSED(state);
    for (size_t p = 0; p < PIAA_COUNT(pairs); p++) {
        piaa_tokenizer *pair = tokenizer_of(pairs[p].pair), *folder = tokenizer_of(pairs[p].folder);
        assert_int_equal(piaa_tokenizer_size(pair), piaa_tokenizer_size(folder));
        same_ids_on_all_texts(pair, folder);
        piaa_tokenizer_close(pair);
        piaa_tokenizer_close(folder);
    }
}

/* ---------------------------------------------------------------------------------- block types */

static void every_type(void **state) {
    PIAA_UNUSED(state);
    piaa_error error = {0};
    piaa_gguf *file = piaa_gguf_open(PIAA_GOLDEN "/gguf_types/types.gguf", &error);
    if (!file) fail_msg("%s", error.message);
    size_t types = 0;
    for (size_t i = 0; i < piaa_gguf_count(file); i++) {
        const piaa_tensor *tensor = piaa_gguf_at(file, i);
        char name[64];
        snprintf(name, sizeof name, "%s.values", tensor->name);
        const piaa_tensor *expected = piaa_gguf_find(file, name);
        if (!expected) continue;
        assert_int_equal(piaa_tensor_count(tensor), piaa_tensor_count(expected));
        float *a = values_of(tensor), *b = values_of(expected);
        double e = support_relative_error(a, b, (size_t)piaa_tensor_count(tensor));
        if (!(e <= 1e-6)) fail_msg("%s differs by %g", tensor->name, e);
        free(a);
        free(b);
        types++;
    }
    assert_true(types >= 20);
    piaa_gguf_close(file);
}

/* --------------------------------------------------------------------------- files made by hand */

static void put(piaa_text *out, uint64_t value, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        char byte = (char)(value >> 8 * i);
        assert_true(piaa_text_add(out, &byte, 1, NULL));
    }
}

static void put_text(piaa_text *out, const char *text, size_t size) {
    put(out, size, 8);
    assert_true(piaa_text_add(out, text, size, NULL));
}

static void put_key(piaa_text *out, const char *key, uint64_t type) {
    put_text(out, key, strlen(key));
    put(out, type, 4);
}

static void put_header(piaa_text *out, uint64_t tensors, uint64_t keys) {
    assert_true(piaa_text_add(out, "GGUF", 4, NULL));
    put(out, 3, 4);
    put(out, tensors, 8);
    put(out, keys, 8);
}

static void put_tensor(piaa_text *out, const char *name, uint64_t columns, uint64_t rows,
                       uint64_t type, uint64_t offset) {
    put_text(out, name, strlen(name));
    put(out, 2, 4);
    put(out, columns, 8);
    put(out, rows, 8);
    put(out, type, 4);
    put(out, offset, 8);
}

static void pad(piaa_text *out, size_t more) {
    while (out->length % 32) put(out, 0, 1);
    for (size_t i = 0; i < more; i++) put(out, 0x3c, 1);
}

/* Two keys of each kind, two tensors: [3, 32] F32 at 0, q8_0 [2, 64] at 384. */
static void put_good(piaa_text *out) {
    put_header(out, 2, 6);
    put_key(out, "text", PIAA_GGUF_STRING);
    put_text(out, "\xE2\x9C\x93", 3);
    put_key(out, "small", PIAA_GGUF_INT8);
    put(out, 0xfe, 1);
    put_key(out, "real", PIAA_GGUF_FLOAT64);
    put(out, 0x3ff8000000000000, 8);
    put_key(out, "yes", PIAA_GGUF_BOOL);
    put(out, 1, 1);
    put_key(out, "list", PIAA_GGUF_ARRAY);
    put(out, PIAA_GGUF_STRING, 4);
    put(out, 2, 8);
    put_text(out, "one", 3);
    put_text(out, "", 0);
    put_key(out, "numbers", PIAA_GGUF_ARRAY);
    put(out, PIAA_GGUF_UINT16, 4);
    put(out, 3, 8);
    for (uint64_t i = 1; i <= 3; i++) put(out, i, 2);
    put_tensor(out, "plain", 32, 3, 0, 0);
    put_tensor(out, "blocks", 64, 2, 8, 384);
    pad(out, 384 + 4 * 34);
}

static piaa_gguf *parse(const piaa_text *text, piaa_error *error) {
    *error = (piaa_error){0};
    return piaa_gguf_parse(text->data, text->length, "x.gguf", error);
}

static void good_file(void **state) {
    PIAA_UNUSED(state);
    piaa_text text = {0};
    piaa_error error;
    put_good(&text);
    piaa_gguf *file = parse(&text, &error);
    if (!file) fail_msg("%s", error.message);
    int64_t whole = 0;
    double real = 0;
    bool yes = false;
    assert_string_equal(piaa_gguf_string(file, "text"), "\xE2\x9C\x93");
    assert_true(piaa_gguf_int(file, "small", &whole) && whole == -2);
    assert_true(piaa_gguf_number(file, "real", &real) && real == 1.5);
    assert_false(piaa_gguf_int(file, "real", &whole));
    assert_true(piaa_gguf_bool(file, "yes", &yes) && yes);
    assert_false(piaa_gguf_int(file, "yes", &whole) || piaa_gguf_int(file, "text", &whole) ||
                 piaa_gguf_int(file, "none", &whole) || piaa_gguf_int(file, "numbers", &whole) ||
                 piaa_gguf_bool(file, "small", &yes));
    assert_null(piaa_gguf_string(file, "list"));
    piaa_gguf_array list;
    size_t size;
    assert_true(piaa_gguf_get_array(file, "list", &list) && list.count == 2 &&
                piaa_gguf_array_is_text(&list));
    assert_memory_equal(piaa_gguf_next_text(&list, &size), "one", 3);
    piaa_gguf_next_text(&list, &size);
    assert_int_equal(size, 0);
    assert_true(piaa_gguf_get_array(file, "numbers", &list) && list.count == 3 &&
                !piaa_gguf_array_is_text(&list));
    for (int i = 1; i <= 3; i++) assert_true(piaa_gguf_next_number(&list) == i);
    assert_false(piaa_gguf_get_array(file, "text", &list));
    const piaa_tensor *plain = piaa_gguf_find(file, "plain"),
                      *blocks = piaa_gguf_find(file, "blocks");
    assert_true(plain && plain->type == PIAA_F32 && plain->dimensions == 2 &&
                plain->shape[0] == 3 && plain->shape[1] == 32);
    assert_true(blocks && blocks->type == PIAA_QUANTISED && blocks->bytes == 136 &&
                blocks->shape[0] == 2);
    assert_string_equal(blocks->dtype, "q8_0");
    assert_null(piaa_gguf_find(file, "plain2"));
    assert_ptr_equal(piaa_gguf_at(file, 0), plain);
    assert_null(piaa_gguf_at(file, 2));
    piaa_gguf_close(file);
    piaa_gguf_close(NULL);
    free(text.data);
}

/* Every prefix of a good file is refused, with a line that names it; and no byte changed anywhere
   does harm. */
static void cut_and_changed(void **state) {
    PIAA_UNUSED(state);
    piaa_text text = {0};
    piaa_error error;
    put_good(&text);
    size_t whole = text.length;
    for (size_t size = 0; size < whole; size++) {
        char *part = malloc(size + 1); /* its own block, so that a sanitizer sees the end */
        assert_non_null(part);
        memcpy(part, text.data, size);
        error = (piaa_error){0};
        assert_null(piaa_gguf_parse(part, size, "x.gguf", &error));
        assert_int_equal(error.code, PIAA_FORMAT);
        assert_non_null(strstr(error.message, "x.gguf"));
        free(part);
    }
    for (size_t i = 0; i < whole - 520; i++)
        for (int bit = 0; bit < 8; bit++) {
            text.data[i] ^= (char)(1 << bit);
            piaa_gguf_close(parse(&text, &error));
            text.data[i] ^= (char)(1 << bit);
        }
    free(text.data);
}

static void refuse(const piaa_text *text, piaa_code code, const char *part) {
    piaa_error error;
    piaa_gguf *file = parse(text, &error);
    if (file) fail_msg("accepted what should be refused with \"%s\"", part);
    if (!strstr(error.message, part)) fail_msg("\"%s\" does not say \"%s\"", error.message, part);
    assert_int_equal(error.code, code);
}

static void lies(void **state) {
    PIAA_UNUSED(state);
    static const struct {
        uint64_t columns, rows, type, offset;
        piaa_code code;
        const char *message;
    } tensors[] = {
        {32, 1, 0, 8, PIAA_FORMAT, "tensor t does not begin at a multiple of the alignment"},
        {32, 1, 0, 32, PIAA_FORMAT, "tensor t would end past the end"},
        {32, 1, 0, UINT64_MAX - 31, PIAA_FORMAT, "tensor t would end past the end"},
        {UINT64_MAX, 1, 0, 0, PIAA_FORMAT, "tensor t has a shape too large"},
        {1ULL << 40, 1ULL << 40, 0, 0, PIAA_FORMAT, "tensor t has a shape too large"},
        {1ULL << 59, 1, 0, 0, PIAA_FORMAT, "tensor t"},
        {33, 1, 8, 0, PIAA_FORMAT, "tensor t has rows that are no whole blocks"},
        {32, 1, 4, 0, PIAA_UNSUPPORTED, "tensor t is stored as ggml's type 4,"},
        {32, 1, 4000000000, 0, PIAA_UNSUPPORTED, "tensor t is stored as ggml's type 4000000000"},
    };
    piaa_text text = {0};
    for (size_t i = 0; i < PIAA_COUNT(tensors); i++, text.length = 0) {
        put_header(&text, 1, 0);
        put_tensor(&text, "t", tensors[i].columns, tensors[i].rows, tensors[i].type,
                   tensors[i].offset);
        pad(&text, 128);
        refuse(&text, tensors[i].code, tensors[i].message);
    }
    for (int twice = 0; twice < 2; twice++, text.length = 0) {
        put_header(&text, 2, 0);
        put_tensor(&text, "a", 32, 1, 0, 0);
        put_tensor(&text, twice ? "a" : "b", 32, 1, 0, twice ? 128 : 96);
        pad(&text, 256);
        refuse(&text, PIAA_FORMAT,
               twice ? "tensor a occurs twice" : "tensor b overlaps another tensor");
    }
    static const struct {
        uint64_t alignment;
        bool good;
    } alignments[] = {{8, true},  {64, true},  {0, false},
                      {1, false}, {48, false}, {1ULL << 31, false}};
    for (size_t i = 0; i < PIAA_COUNT(alignments); i++, text.length = 0) {
        piaa_error error;
        put_header(&text, 0, 1);
        put_key(&text, "general.alignment", PIAA_GGUF_UINT32);
        put(&text, alignments[i].alignment, 4);
        piaa_gguf *file = parse(&text, &error);
        assert_true((file != NULL) == alignments[i].good);
        if (!file) assert_non_null(strstr(error.message, "general.alignment"));
        piaa_gguf_close(file);
    }
    put_header(&text, 0, UINT64_MAX);
    refuse(&text, PIAA_FORMAT, "the metadata would end past the end");
    text.length = 0;
    put_header(&text, UINT64_MAX, 0);
    refuse(&text, PIAA_FORMAT, "the list of tensors would end past the end");
    text.length = 0;
    put_header(&text, 0, 1);
    put_key(&text, "list", PIAA_GGUF_ARRAY);
    put(&text, PIAA_GGUF_STRING, 4);
    put(&text, UINT64_MAX, 8);
    pad(&text, 64);
    refuse(&text, PIAA_FORMAT, "list would end past the end");
    text.length = 0;
    for (int nested = 0; nested < 2; nested++, text.length = 0) {
        put_header(&text, 0, 1);
        put_key(&text, "odd", nested ? PIAA_GGUF_ARRAY : 13);
        put(&text, PIAA_GGUF_ARRAY, 4);
        put(&text, 1, 8);
        refuse(&text, PIAA_FORMAT,
               nested ? "the value of odd has type 9" : "the value of odd has type 13");
    }
    put_header(&text, 0, 2);
    for (int i = 0; i < 2; i++) {
        put_key(&text, "same", PIAA_GGUF_UINT8);
        put(&text, 1, 1);
    }
    refuse(&text, PIAA_FORMAT, "the key same occurs twice");
    text.length = 0;
    static const char *const heads[][2] = {{"GGML\3\0\0\0", "is not a GGUF file"},
                                           {"GGUF\1\0\0\0", "version 1"},
                                           {"GGUF\0\0\0\3", "big-endian"},
                                           {"version https://git-lfs", "Git LFS"}};
    for (size_t i = 0; i < PIAA_COUNT(heads); i++, text.length = 0) {
        assert_true(piaa_text_add(&text, heads[i][0], i == 3 ? 23 : 8, NULL));
        pad(&text, 64);
        refuse(&text,
               i % 2 && i < 3 ? PIAA_UNSUPPORTED
               : i == 2       ? PIAA_UNSUPPORTED
                              : PIAA_FORMAT,
               heads[i][1]);
    }
    free(text.data);
}

/* ---------------------------------------------------------------------- pairs that are no pairs */

static void link_to(const char *folder, const char *name, const char *target) {
    char *path = support_join(folder, name);
    assert_int_equal(symlink(target, path), 0);
    free(path);
}

static void expect(const char *path, piaa_code code, const char *part) {
    piaa_error error = {0};
    piaa_checkpoint *checkpoint = piaa_checkpoint_open(path, &error);
    if (checkpoint) fail_msg("opened %s, which should be refused with \"%s\"", path, part);
    if (!strstr(error.message, part)) fail_msg("\"%s\" does not say \"%s\"", error.message, part);
    if (error.code != code) fail_msg("\"%s\" has code %d", error.message, error.code);
}

static void folders_and_neighbours(void **state) {
    PIAA_UNUSED(state);
    char *folder = support_folder(), *alone = support_join(folder, "text.gguf");
    link_to(folder, "text.gguf", GGUF "qwen3vl-f32.gguf");
    expect(folder, PIAA_IO, "text.gguf has no vision part");
    expect(alone, PIAA_IO, "name it with --mmproj");
    link_to(folder, "mmproj-gemma.gguf", GGUF "gemma3-mmproj-f32.gguf");
    expect(folder, PIAA_MISMATCH, "another kind of model (gemma3)");
    link_to(folder, "vision.gguf", GGUF "qwen3vl-mmproj-f32.gguf");
    piaa_checkpoint_close(open_good(folder));
    piaa_checkpoint_close(open_good(alone));
    support_write(folder, "broken.gguf", "GGUF", 4);
    piaa_checkpoint_close(open_good(alone)); /* a neighbour that nobody asked for */
    expect(folder, PIAA_FORMAT, "broken.gguf is cut off");
    char *broken = support_join(folder, "broken.gguf");
    expect(broken, PIAA_FORMAT, "broken.gguf is cut off");
    remove(broken);
    link_to(folder, "vision2.gguf", GGUF "qwen3vl-mmproj-f32.gguf");
    expect(folder, PIAA_USAGE, "several vision parts beside it, vision.gguf and vision2.gguf");
    link_to(folder, "mmproj-text.gguf",
            GGUF "qwen3vl-mmproj-f32.gguf"); /* as piaa model convert would call it */
    piaa_checkpoint_close(open_good(folder));
    char *named = piaa_format(NULL, "%s,%s/vision2.gguf", alone, folder);
    piaa_checkpoint_close(open_good(named));
    char *missing = piaa_format(NULL, "%s,%s/vision3.gguf", alone, folder);
    expect(missing, PIAA_IO, "vision3.gguf");
    expect(PIAA_GOLDEN "/gguf", PIAA_USAGE,
           "holds several models, gemma3-f32.gguf and qwen3vl-bf16.gguf");
    expect(GGUF "qwen3vl-mmproj-f32.gguf", PIAA_USAGE,
           "is the vision part (mmproj) of a model: name the text model");
    expect(GGUF "qwen3vl-f32.gguf," GGUF "gemma3-mmproj-f32.gguf", PIAA_MISMATCH,
           "another kind of model");
    expect(GGUF "qwen3vl-f32.gguf," GGUF "qwen3vl-bf16.gguf", PIAA_MISMATCH,
           "qwen3vl-bf16.gguf is a GGUF file of the architecture qwen3vl, not the vision part "
           "(mmproj) of");
    expect(PIAA_GOLDEN "/gguf_types/types.gguf", PIAA_UNSUPPORTED, "the architecture types");
    free(missing);
    free(named);
    free(broken);
    free(alone);
    support_remove(folder);
}

/* The vision part named apart, as --mmproj does. */
static void expect_pair(const char *path, const char *vision, piaa_code code, const char *part) {
    piaa_error error = {0};
    piaa_checkpoint *checkpoint = piaa_checkpoint_open_pair(path, vision, &error);
    if (checkpoint)
        fail_msg("opened %s with %s, which should be refused with \"%s\"", path, vision, part);
    if (error.code != code || !strstr(error.message, part))
        fail_msg("%d: \"%s\" does not say \"%s\"", error.code, error.message, part);
}

static void named_vision_parts(void **state) {
    PIAA_UNUSED(state);
    static const char text[] = GGUF "qwen3vl-f32.gguf", vision[] = GGUF "qwen3vl-mmproj-f32.gguf";
    char *folder = support_folder(), *other = support_folder(),
         *copy = support_join(folder, "model.gguf");
    piaa_error error = {0};
    link_to(folder, "model.gguf", text);
    link_to(folder, "mmproj-a.gguf", vision);
    link_to(folder, "mmproj-b.gguf", vision);
    const char *const ways[] = {text, copy,
                                folder}; /* beside others; the one text model of a folder */
    for (size_t i = 0; i < PIAA_COUNT(ways); i++) {
        piaa_checkpoint *c = piaa_checkpoint_open_pair(ways[i], vision, &error);
        if (!c) fail_msg("%s", error.message);
        char *expected = piaa_format(NULL, "%s,%s", i ? copy : text, vision);
        assert_string_equal(piaa_checkpoint_folder(c), expected); /* opens it again */
        piaa_checkpoint_close(open_good(expected));
        free(expected);
        piaa_checkpoint_close(c);
    }
    expect_pair(copy, GGUF "absent.gguf", PIAA_IO, "absent.gguf");
    expect_pair(GGUF "absent.gguf", vision, PIAA_IO, "absent.gguf");
    expect_pair(copy, text, PIAA_MISMATCH, "not the vision part (mmproj) of");
    expect_pair(vision, vision, PIAA_USAGE,
                "is the vision part (mmproj) of a model: name the text model");
    expect_pair(copy, GGUF "gemma3-mmproj-f32.gguf", PIAA_MISMATCH, "another kind of model");
    expect_pair(copy, PIAA_GOLDEN "/gguf_types/types.gguf", PIAA_MISMATCH,
                "the architecture types");
    expect_pair(copy, PIAA_GOLDEN "/qwen3vl/config.json", PIAA_FORMAT, "is not a GGUF file");
    expect_pair(copy, PIAA_GOLDEN, PIAA_IO, PIAA_GOLDEN);
    expect_pair(PIAA_GOLDEN "/qwen3vl", vision, PIAA_USAGE,
                "holds safetensors, which have the vision encoder inside");
    expect_pair(PIAA_GOLDEN "/qwen3vl/config.json", vision, PIAA_FORMAT, "is not a GGUF file");
    expect_pair(other, vision, PIAA_FORMAT, "holds no GGUF file");
    char *pair = piaa_format(NULL, "%s,%s", copy, vision);
    expect_pair(pair, vision, PIAA_USAGE, "names a vision part already");
    free(pair);
    /* A file of importance values, as publishers put beside the models, is none. */
    static const char imatrix[] = "GGUF\3\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0"
                                  "\14\0\0\0\0\0\0\0general.type\10\0\0\0\7\0\0\0\0\0\0\0imatrix";
    support_write(folder, "a-imatrix.gguf", imatrix, sizeof imatrix - 1);
    piaa_checkpoint *c = piaa_checkpoint_open_pair(folder, vision, &error);
    if (!c) fail_msg("%s", error.message);
    piaa_checkpoint_close(c);
    free(copy);
    support_remove(folder);
    support_remove(other);
}

/* A file of Ollama's store: its name is a checksum, and the vision part may be named apart or be
   the same file. */
static void ollamas_store(void **state) {
    PIAA_UNUSED(state);
    char *folder = support_folder(), *blob = support_join(folder, "sha256-0a");
    link_to(folder, "sha256-0a", OLLAMA "qwen3vl.gguf");
    link_to(folder, "sha256-0b", GGUF "qwen3vl-mmproj-f32.gguf");
    piaa_error error = {0};
    static const char *const visions[] = {"sha256-0a", "sha256-0b", NULL};
    for (size_t i = 0; i < PIAA_COUNT(visions); i++) {
        char *vision = visions[i] ? support_join(folder, visions[i]) : NULL;
        piaa_checkpoint *c = piaa_checkpoint_open_pair(blob, vision, &error);
        if (!c) fail_msg("%s", error.message);
        assert_non_null(piaa_checkpoint_tensor(c, "model.visual.blocks.3.attn.qkv.weight"));
        piaa_checkpoint_close(c);
        free(vision);
    }
    expect_pair(blob, GGUF "gemma3-mmproj-f32.gguf", PIAA_MISMATCH, "another kind of model");
    free(blob);
    support_remove(folder);
}

static void change(char *bytes, size_t size, const char *key, uint32_t value) {
    size_t at = 0, n = strlen(key);
    while (at + n < size && memcmp(bytes + at, key, n) != 0) at++;
    assert_true(at + n + 8 < size);
    memcpy(bytes + at + n + 4, &value, 4);
}

/* A copy of a golden file with one 32-bit number under a key changed. */
static void write_changed(const char *folder, const char *name, const char *golden, const char *key,
                          uint32_t value) {
    char *path = support_join(GGUF, golden);
    size_t size = 0;
    char *bytes = piaa_file_read(path, 16 << 20, &size, NULL);
    assert_non_null(bytes);
    change(bytes, size, key, value);
    support_write(folder, name, bytes, size);
    free(bytes);
    free(path);
}

/* Ollama's files of Gemma 3 4B, 12B and 27B leave the scaling of 8 out, or say something else. */
static void ollamas_scaling(void **state) {
    PIAA_UNUSED(state);
    static const struct {
        uint32_t blocks;
        double factor; /* 0: none */
    } cases[] = {{7, 0}, {26, 0}, {34, 8}, {48, 8}, {62, 8}};
    char *folder = support_folder(), *path = support_join(folder, "gemma.gguf");
    for (size_t i = 0; i < PIAA_COUNT(cases); i++) {
        size_t size = 0;
        char *bytes = piaa_file_read(OLLAMA "gemma3.gguf", 16 << 20, &size, NULL);
        assert_non_null(bytes);
        change(bytes, size, "gemma3.rope.scaling.factor", 0x3f800000); /* 1 */
        change(bytes, size, "gemma3.block_count", cases[i].blocks);
        support_write(folder, "gemma.gguf", bytes, size);
        piaa_checkpoint *c = open_good(path);
        double factor = 0;
        piaa_json_number(piaa_checkpoint_config(c),
                         "text_config.rope_parameters.full_attention.factor", &factor);
        assert_true(factor == cases[i].factor);
        piaa_checkpoint_close(c);
        free(bytes);
    }
    free(path);
    support_remove(folder);
}

static void values_that_do_not_fit(void **state) {
    PIAA_UNUSED(state);
    char *folder = support_folder(), *text = support_join(folder, "text.gguf");
    char *own = piaa_format(NULL, "%s,%s/mmproj.gguf", text, folder);
    char *golden = piaa_format(NULL, "%s,%s", text, GGUF "qwen3vl-mmproj-f32.gguf");
    link_to(folder, "text.gguf", GGUF "qwen3vl-f32.gguf");
    write_changed(folder, "mmproj.gguf", "qwen3vl-mmproj-f32.gguf", "clip.vision.projection_dim",
                  128);
    expect(own, PIAA_MISMATCH, "makes vectors of 128 values");
    write_changed(folder, "mmproj.gguf", "qwen3vl-mmproj-f32.gguf",
                  "clip.vision.attention.head_count", 0);
    expect(own, PIAA_FORMAT, "clip.vision.attention.head_count is 0, expected 1 to 1024");
    remove(text);
    write_changed(folder, "text.gguf", "qwen3vl-f32.gguf", "qwen3vl.block_count", 4000000000u);
    expect(golden, PIAA_FORMAT, "qwen3vl.block_count is 4000000000");
    remove(text);
    write_changed(folder, "text.gguf", "qwen3vl-f32.gguf", "qwen3vl.n_deepstack_layers", 3);
    expect(golden, PIAA_MISMATCH, "has 2 deepstack layers");
    /* A tokenizer cut into words in a way that is not known */
    remove(text);
    write_changed(folder, "text.gguf", "qwen3vl-f32.gguf", "tokenizer.ggml.pre",
                  5); /* the length's lower half: the same */
    piaa_checkpoint *checkpoint = open_good(golden);
    piaa_tokenizer_close(piaa_checkpoint_tokenizer(checkpoint, NULL));
    piaa_checkpoint_close(checkpoint);
    free(golden);
    free(own);
    free(text);
    support_remove(folder);
}

/* ---------------------------------------------------------- Gemma's vocabulary as SentencePiece */

/* The real tokenizer.json as llama.cpp's converter writes the tokenizer.model of the same
 * vocabulary: no merges but scores.  A token's score falls with its id, from 0 for the first that
 * SentencePiece learnt (494). */
static void sentencepiece(void **state) {
    PIAA_UNUSED(state);
    piaa_error error = {0};
    cJSON *root = piaa_json_read(PIAA_BUILD "/tokenizers/gemma3.tokenizer.json", 256 << 20, &error);
    if (!root) fail_msg("%s", error.message);
    enum { COUNT = 262144 };
    const char **tokens = piaa_alloc(COUNT, sizeof *tokens, NULL);
    int *kinds = piaa_alloc(COUNT, sizeof *kinds, NULL);
    assert_true(tokens && kinds);
    for (const cJSON *item = piaa_json_find(root, "model.vocab")->child; item; item = item->next) {
        assert_true(item->valueint >= 0 && item->valueint < COUNT);
        tokens[item->valueint] = item->string;
        kinds[item->valueint] = strncmp(item->string, "<0x", 3) == 0 ? 6 : 1;
    }
    for (const cJSON *item = piaa_json_find(root, "added_tokens")->child; item; item = item->next) {
        int64_t id = 0;
        bool special = false;
        piaa_json_int(item, "id", &id);
        piaa_json_bool(item, "special", &special);
        if (id == COUNT) continue; /* <image_soft_token>, which some converters leave out */
        assert_true(id >= 0 && id < COUNT);
        kinds[id] = special ? 3 : 4;
    }
    piaa_text text = {0};
    put_header(&text, 0, 5);
    put_key(&text, "general.architecture", PIAA_GGUF_STRING);
    put_text(&text, "gemma3", 6);
    put_key(&text, "tokenizer.ggml.model", PIAA_GGUF_STRING);
    put_text(&text, "llama", 5);
    put_key(&text, "tokenizer.ggml.tokens", PIAA_GGUF_ARRAY);
    put(&text, PIAA_GGUF_STRING, 4);
    put(&text, COUNT, 8);
    for (int i = 0; i < COUNT; i++) {
        piaa_text one = {0};
        for (const char *at = tokens[i]; *at;) {
            bool mark = kinds[i] == 4 && strncmp(at, "\xE2\x96\x81", 3) ==
                                             0; /* the converter writes these as spaces */
            assert_true(piaa_text_add(&one, mark ? " " : at, 1, NULL));
            at += mark ? 3 : 1;
        }
        put_text(&text, one.length ? one.data : "", one.length);
        free(one.data);
    }
    put_key(&text, "tokenizer.ggml.token_type", PIAA_GGUF_ARRAY);
    put(&text, PIAA_GGUF_INT32, 4);
    put(&text, COUNT, 8);
    for (int i = 0; i < COUNT; i++) put(&text, (uint64_t)kinds[i], 4);
    put_key(&text, "tokenizer.ggml.scores", PIAA_GGUF_ARRAY);
    put(&text, PIAA_GGUF_FLOAT32, 4);
    put(&text, COUNT, 8);
    for (int i = 0; i < COUNT; i++) {
        float score = kinds[i] == 1 ? 494.0f - (float)i : -1000.0f;
        uint32_t bits;
        memcpy(&bits, &score, sizeof bits);
        put(&text, bits, 4);
    }
    pad(&text, 0);
    /* A checkpoint wants weights too; the tokenizer alone is made from the text model's file. */
    char *folder = support_folder(), *path = support_join(folder, "spm.gguf");
    support_write(folder, "spm.gguf", text.data, text.length);
    piaa_gguf *file = piaa_gguf_open(path, &error);
    if (!file) fail_msg("%s", error.message);
    cJSON *made = piaa_gguf_tokenizer(file, &error);
    if (!made) fail_msg("%s", error.message);
    /* The merges are the published ones, in their order. */
    const cJSON *a = piaa_json_find(made, "model.merges")->child,
                *b = piaa_json_find(root, "model.merges")->child;
    size_t merges = 0;
    for (; a && b; a = a->next, b = b->next, merges++) {
        const char *left = cJSON_IsArray(b) ? b->child->valuestring : b->valuestring;
        size_t n = strlen(left);
        if (strncmp(a->valuestring, left, n) != 0 ||
            (cJSON_IsArray(b) && strcmp(a->valuestring + n + 1, b->child->next->valuestring) != 0))
            fail_msg("merge %zu is \"%s\"", merges, a->valuestring);
    }
    assert_true(!a && !b && merges > 500000);
    piaa_tokenizer *from_gguf = piaa_tokenizer_from_json(made, "made", &error),
                   *real = piaa_tokenizer_from_json(root, "real", &error);
    if (!from_gguf || !real) fail_msg("%s", error.message);
    same_ids_on_all_texts(from_gguf, real);
    piaa_tokenizer_close(from_gguf);
    piaa_tokenizer_close(real);
    cJSON_Delete(made);
    cJSON_Delete(root);
    piaa_gguf_close(file);
    free(text.data);
    free(tokens);
    free(kinds);
    free(path);
    support_remove(folder);
}

/* ----------------------------------------------------------------------- a model in several files
 */

/* Where the list of tensors begins: behind the last key. */
static size_t find_tensors(const char *bytes, const piaa_gguf *file) {
    const char *name = piaa_gguf_at(file, 0)->name;
    char wanted[128] = {(char)strlen(name)};
    memcpy(wanted + 8, name, strlen(name));
    size_t at = 24;
    while (memcmp(bytes + at, wanted, 8 + strlen(name)) != 0) at++;
    return at;
}

/* Part `index` of `parts` of a golden file as llama-gguf-split writes it: the keys go into the
   first part, and every part has three more and its share of the tensors. */
static void write_part(const char *folder, const char *golden, const char *stem, int index,
                       int parts) {
    size_t size, data = 0;
    char *bytes = piaa_file_read(golden, (size_t)1 << 30, &size, NULL);
    assert_non_null(bytes);
    piaa_error error = {0};
    piaa_gguf *file = piaa_gguf_parse(bytes, size, golden, &error);
    if (!file) fail_msg("%s", error.message);
    const size_t all = piaa_gguf_count(file), first = all * (size_t)index / (size_t)parts,
                 end = all * ((size_t)index + 1) / (size_t)parts;
    piaa_text text = {0};
    uint64_t keys = 0;
    for (int i = 0; i < 8 && !index; i++) keys |= (uint64_t)(unsigned char)bytes[16 + i] << 8 * i;
    put_header(&text, end - first, keys + 3);
    if (!index) assert_true(piaa_text_add(&text, bytes + 24, find_tensors(bytes, file) - 24, NULL));
    put_key(&text, "split.no", PIAA_GGUF_UINT16);
    put(&text, (uint64_t)index, 2);
    put_key(&text, "split.count", PIAA_GGUF_UINT16);
    put(&text, (uint64_t)parts, 2);
    put_key(&text, "split.tensors.count", PIAA_GGUF_INT32);
    put(&text, all, 4);
    for (size_t i = first; i < end; i++) {
        const piaa_tensor *tensor = piaa_gguf_at(file, i);
        put_text(&text, tensor->name, strlen(tensor->name));
        put(&text, (uint64_t)tensor->dimensions, 4);
        for (int d = tensor->dimensions; d-- > 0;) put(&text, (uint64_t)tensor->shape[d], 8);
        put(&text, (uint64_t)tensor->ggml_type, 4);
        put(&text, data, 8);
        data += (tensor->bytes + 31) / 32 * 32;
    }
    for (size_t i = first; i < end; i++) {
        pad(&text, 0);
        assert_true(
            piaa_text_add(&text, piaa_gguf_at(file, i)->data, piaa_gguf_at(file, i)->bytes, NULL));
    }
    pad(&text, 0);
    char name[64];
    snprintf(name, sizeof name, "%s-%05d-of-%05d.gguf", stem, index + 1, parts);
    support_write(folder, name, text.data, text.length);
    piaa_gguf_close(file);
    free(text.data);
    free(bytes);
}

static void same_fingerprint(const char *path, const char *expected) {
    char found[65];
    piaa_checkpoint *c = open_good(path);
    assert_true(piaa_checkpoint_fingerprint(c, found, NULL));
    assert_string_equal(found, expected);
    for (size_t i = 0; i < piaa_checkpoint_count(c); i++)
        piaa_checkpoint_forget(c, piaa_checkpoint_at(c, i));
    piaa_checkpoint_close(c);
}

/* Whichever part is named, or their folder: the model is the one in a single file. */
static void several_files(void **state) {
    PIAA_UNUSED(state);
    char *folder = support_folder(), whole[65];
    piaa_checkpoint *c = open_good(GGUF "qwen3vl-f32.gguf");
    assert_true(piaa_checkpoint_fingerprint(c, whole, NULL));
    piaa_checkpoint_close(c);
    for (int i = 0; i < 3; i++) write_part(folder, GGUF "qwen3vl-f32.gguf", "m", i, 3);
    for (int i = 0; i < 2; i++)
        write_part(folder, GGUF "qwen3vl-mmproj-f32.gguf", "mmproj-m", i, 2);
    char *parts[3], *vision = support_join(folder, "mmproj-m-00002-of-00002.gguf");
    for (int i = 0; i < 3; i++) {
        parts[i] = piaa_format(NULL, "%s/m-%05d-of-00003.gguf", folder, i + 1);
        same_fingerprint(parts[i], whole);
        char *pair = piaa_format(NULL, "%s,%s", parts[i], vision);
        same_fingerprint(pair, whole);
        free(pair);
    }
    same_fingerprint(folder, whole);

    /* One after the other is missing, and another than its name says. */
    char *aside = support_join(folder, "aside");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(rename(parts[i], aside), 0);
        char *said =
            piaa_format(NULL, "m-%05d-of-00003.gguf is missing: the model is in 3 files", i + 1);
        expect(parts[(i + 1) % 3], PIAA_IO, said);
        expect(folder, PIAA_IO, said);
        free(said);
        assert_int_equal(symlink(parts[(i + 1) % 3], parts[i]), 0);
        said = piaa_format(NULL, "m-%05d-of-00003.gguf is not part %d of 3", i + 1, i + 1);
        expect(parts[(i + 1) % 3], PIAA_FORMAT, said);
        free(said);
        assert_int_equal(rename(aside, parts[i]), 0);
    }
    /* Of another model: its tensors are there twice, or not all are. */
    assert_int_equal(rename(parts[2], aside), 0);
    write_part(folder, GGUF "gemma3-f32.gguf", "m", 2, 3);
    expect(parts[0], PIAA_FORMAT, "m-00001-of-00003.gguf");
    assert_int_equal(rename(aside, parts[2]), 0);
    assert_int_equal(rename(parts[1], aside), 0);
    expect(aside, PIAA_FORMAT, "its name does not say what the others are called");
    assert_int_equal(rename(aside, parts[1]), 0);
    same_fingerprint(folder, whole);
    /* Half of one: cut off. */
    assert_int_equal(truncate(parts[1], 20000), 0);
    expect(parts[0], PIAA_FORMAT, "m-00002-of-00003.gguf is cut off");
    for (int i = 0; i < 3; i++) free(parts[i]);
    free(vision);
    free(aside);
    support_remove(folder);
}

/* Some converters call the chat form's tokens normal (1) or unused (5); they are what they are. */
static void chat_tokens_of_any_kind(void **state) {
    (void)state;
    static const char kinds[] = "tokenizer.ggml.token_type";
    size_t size;
    char *bytes =
        piaa_file_read(PIAA_GOLDEN "/gguf/qwen3vl-f32.gguf", (size_t)1 << 30, &size, NULL);
    assert_non_null(bytes);
    size_t at = 0;
    while (memcmp(bytes + at, kinds, sizeof kinds - 1) != 0) at++;
    at += sizeof kinds - 1 + 4 + 4 + 8;    /* behind the types and the count */
    enum { IM_START = 443, IM_END = 444 }; /* tokenizer.json */
    assert_int_equal(bytes[at + 4 * IM_START], 3);
    bytes[at + 4 * IM_START] = 1;
    bytes[at + 4 * IM_END] = 5;
    piaa_error error = {0};
    piaa_gguf *file = piaa_gguf_parse(bytes, size, "memory", &error);
    if (!file) fail_msg("%s", error.message);
    cJSON *root = piaa_gguf_tokenizer(file, &error);
    piaa_tokenizer *tokenizer = root ? piaa_tokenizer_from_json(root, "memory", &error) : NULL;
    if (!tokenizer) fail_msg("%s", error.message);
    piaa_ids ids = {0};
    assert_true(piaa_tokenizer_encode(tokenizer, "<|im_start|><|im_end|>", 22, &ids, NULL));
    assert_int_equal(ids.count, 2);
    assert_int_equal(ids.items[0], IM_START);
    assert_int_equal(ids.items[1], IM_END);
    piaa_ids_free(&ids);
    piaa_tokenizer_close(tokenizer);
    cJSON_Delete(root);
    piaa_gguf_close(file);
    free(bytes);
}

/* Notes in another encoding are nobody's business; tokens and merges are, and are named. */
static void texts_in_other_encodings(void **state) {
    (void)state;
    static const struct {
        const char *text; /* of which the last letter becomes an invalid byte */
        const char *part; /* NULL: nobody minds */
    } cases[] = {
        {"general.name\10\0\0\0\7\0\0\0\0\0\0\0Q", NULL},
        {"\2\0\0\0\0\0\0\0th", "token 256 of tokenizer.ggml.tokens is not UTF-8 text"},
        {"\3\0\0\0\0\0\0\0t", "merge 0 of tokenizer.ggml.merges is not UTF-8 text"},
    };
    static const size_t sizes[] = {12 + 4 + 8 + 1, 10, 9};
    for (size_t i = 0; i < PIAA_COUNT(cases); i++) {
        size_t size, at = 0;
        char *bytes = piaa_file_read(GGUF "qwen3vl-f32.gguf", (size_t)1 << 30, &size, NULL);
        assert_non_null(bytes);
        if (i == 2)
            while (memcmp(bytes + at, "tokenizer.ggml.merges", 21) != 0) at++;
        while (memcmp(bytes + at, cases[i].text, sizes[i]) != 0) at++;
        bytes[at + sizes[i] - 1] = (char)0xff;
        piaa_error error = {0};
        piaa_gguf *file = piaa_gguf_parse(bytes, size, "memory", &error);
        if (!file) fail_msg("%s", error.message);
        cJSON *root = piaa_gguf_tokenizer(file, &error);
        assert_true((root != NULL) == (cases[i].part == NULL));
        if (!root && !strstr(error.message, cases[i].part)) fail_msg("%s", error.message);
        if (i == 0) assert_null(piaa_gguf_string(file, "general.name"));
        cJSON_Delete(root);
        piaa_gguf_close(file);
        free(bytes);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_in_other_encodings),
        cmocka_unit_test(chat_tokens_of_any_kind),
        cmocka_unit_test(same_weights),
        cmocka_unit_test(same_configuration),
        cmocka_unit_test(same_tokenizer),
        cmocka_unit_test(every_type),
        cmocka_unit_test(good_file),
        cmocka_unit_test(cut_and_changed),
        cmocka_unit_test(lies),
        cmocka_unit_test(folders_and_neighbours),
        cmocka_unit_test(named_vision_parts),
        cmocka_unit_test(values_that_do_not_fit),
        cmocka_unit_test(sentencepiece),
        cmocka_unit_test(several_files),
        cmocka_unit_test(ollamas_store),
        cmocka_unit_test(ollamas_scaling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Numbers in the metadata of a golden pair of GGUF files against the model's family: whatever they
 * are, the outcome is a model or one line that says why not.  (fuzz_gguf has any bytes; those never
 * reach a family.)
 *
 * The first byte chooses the pair; then changes, three bytes each: which key, which of its numbers
 * if it is a list, and what becomes of it. */
#include "run_model.h"

#include "base/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PAIRS = 2, HALVES = 2, CHANGES_MOST = 8 };

static const struct {
    const char *paths[HALVES];
    const piaa_family *family;
} kinds[PAIRS] = {
    {{PIAA_GOLDEN "/gguf/qwen3vl-f32.gguf", PIAA_GOLDEN "/gguf/qwen3vl-mmproj-f32.gguf"},
     &piaa_family_qwen3vl},
    {{PIAA_GOLDEN "/gguf/gemma3-f32.gguf", PIAA_GOLDEN "/gguf/gemma3-mmproj-f32.gguf"},
     &piaa_family_gemma3},
};

static const char *const keys[] = {"block_count",
                                   "context_length",
                                   "embedding_length",
                                   "feed_forward_length",
                                   "attention.head_count",
                                   "attention.head_count_kv",
                                   "attention.key_length",
                                   "attention.value_length",
                                   "attention.layer_norm_rms_epsilon",
                                   "attention.layer_norm_epsilon",
                                   "attention.sliding_window",
                                   "rope.freq_base",
                                   "rope.freq_base_swa",
                                   "rope.scaling.factor",
                                   "rope.dimension_sections",
                                   "final_logit_softcapping",
                                   "n_deepstack_layers",
                                   "is_deepstack_layers",
                                   "projection_dim",
                                   "image_size",
                                   "patch_size",
                                   "spatial_merge_size",
                                   "image_mean",
                                   "image_std",
                                   "image_min_pixels",
                                   "image_max_pixels",
                                   "projector.scale_factor",
                                   "use_gelu",
                                   "tokenizer.ggml.token_type"};

/* The files, and where in them each key's value stands (0: nowhere). */
static struct {
    char *bytes;
    size_t size, values[PIAA_COUNT(keys)];
} files[PAIRS][HALVES];
static piaa_tokenizer *tokenizers[PAIRS];

/* Behind ".KEY": the value's type, of a list the elements' type and their number, then the
   value. */
static size_t find_value(const char *bytes, size_t size, const char *key) {
    const size_t n = strlen(key);
    for (size_t i = 1; i + n + 24 < size; i++) {
        if (bytes[i - 1] != '.' || memcmp(bytes + i, key, n) != 0 || bytes[i + n + 1] ||
            bytes[i + n + 2])
            continue;
        return i + n + 4 + (bytes[i + n] == PIAA_GGUF_ARRAY ? 12 : 0);
    }
    return 0;
}

static void load(size_t kind) {
    for (size_t half = 0; half < HALVES; half++) {
        files[kind][half].bytes =
            piaa_file_read(kinds[kind].paths[half], 16 << 20, &files[kind][half].size, NULL);
        if (!files[kind][half].bytes) abort();
        for (size_t k = 0; k < PIAA_COUNT(keys); k++)
            files[kind][half].values[k] =
                find_value(files[kind][half].bytes, files[kind][half].size, keys[k]);
    }
    piaa_gguf *text = piaa_gguf_open(kinds[kind].paths[0], NULL);
    cJSON *root = text ? piaa_gguf_tokenizer(text, NULL) : NULL;
    tokenizers[kind] = root ? piaa_tokenizer_from_json(root, "golden", NULL) : NULL;
    if (!tokenizers[kind]) abort();
    cJSON_Delete(root);
    piaa_gguf_close(text);
}

static void change(char *copies[HALVES], size_t kind, const uint8_t *data, size_t size) {
    static const uint32_t patterns[] = {0,          1,          2,          3,          4,
                                        7,          16,         255,        256,        65535,
                                        65536,      0x7fffffff, 0x80000000, 0xffffffff, 0x7f800000,
                                        0xff800000, 0x7fc00000, 0x00000001, 0x7f7fffff, 0xff7fffff,
                                        0x3f800000, 0xbf800000, 0x00800000, 1u << 20};
    for (size_t i = 0; i + 3 <= size && i < 3 * CHANGES_MOST; i += 3) {
        const size_t key = (data[i] & 127) % PIAA_COUNT(keys), half = data[i] >> 7,
                     at = files[kind][half].values[key];
        const uint32_t value =
            data[i + 2] < 128 ? patterns[data[i + 2] % PIAA_COUNT(patterns)] : data[i + 2] - 128u;
        const size_t place = at + 4 * (size_t)(data[i + 1] % 4);
        if (at && place + 4 <= files[kind][half].size)
            memcpy(copies[half] + place, &value, sizeof value);
    }
}

static int compare_names(const void *a, const void *b) {
    return strcmp(((const piaa_checkpoint_entry *)a)->tensor.name,
                  ((const piaa_checkpoint_entry *)b)->tensor.name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!size) return 0;
    const size_t kind = data[0] % PAIRS;
    if (!files[kind][0].bytes) load(kind);
    char *copies[HALVES];
    piaa_checkpoint *c = calloc(1, sizeof *c);
    if (!c || !(c->folder = piaa_strdup("fuzz.gguf", NULL))) abort();
    piaa_error error = {0};
    for (size_t half = 0; half < HALVES; half++) {
        copies[half] = malloc(files[kind][half].size);
        if (!copies[half]) abort();
        memcpy(copies[half], files[kind][half].bytes, files[kind][half].size);
    }
    change(copies, kind, data + 1, size - 1);
    c->text = piaa_gguf_parse(copies[0], files[kind][0].size, "text.gguf", &error);
    if (c->text) c->vision = piaa_gguf_parse(copies[1], files[kind][1].size, "vision.gguf", &error);
    if (!c->vision || !piaa_gguf_model_read(c, &error)) {
        fuzz_check_error(&error);
    } else {
        qsort(c->entries, c->count, sizeof *c->entries, compare_names);
        fuzz_open_and_run(kinds[kind].family, c, tokenizers[kind], data[0] & 128);
    }
    piaa_checkpoint_close(c);
    free(copies[0]);
    free(copies[1]);
    return 0;
}

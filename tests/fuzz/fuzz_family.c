/* A model's configuration against its family: a golden checkpoint whose config.json and image
 * processor were changed is opened, and where that is taken, a photo is prepared and run, so that a
 * number which only the graph would notice is noticed.  Whatever the numbers are, the outcome is a
 * model or one line that says why not.
 *
 * The first byte chooses the checkpoint (and, by its highest bit, how the rest is read): either the
 * text of config.json, a NUL and the text of the processor's settings; or changes to the golden
 * ones, three bytes each: which value, what becomes of it, an operand. */
#include "run_model.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
    const char *folder;
    const piaa_family *family;
} kinds[] = {
    {PIAA_GOLDEN "/qwen3vl", &piaa_family_qwen3vl},
    {PIAA_GOLDEN "/gemma3", &piaa_family_gemma3},
    {PIAA_GOLDEN "/dinov3", &piaa_family_dinov3},
    {PIAA_GOLDEN "/dinov3_gated", &piaa_family_dinov3},
    {PIAA_GOLDEN "/clip", &piaa_family_clip},
    {PIAA_GOLDEN "/siglip", &piaa_family_siglip},
};

static piaa_checkpoint *checkpoints[PIAA_COUNT(kinds)]; /* opened once */
static piaa_tokenizer *tokenizers[PIAA_COUNT(kinds)];

/* -------------------------------------------------------------------------------------- changes */

/* The value with this number among all below `item`, itself included; counts *number down. */
static cJSON *find_value(cJSON *item, int *number) {
    for (; item; item = item->next) {
        if ((*number)-- == 0) return item;
        cJSON *found = item->child ? find_value(item->child, number) : NULL;
        if (found) return found;
    }
    return NULL;
}

static cJSON *parse(const char *text) {
    return cJSON_Parse(text);
}

/* What a value becomes: another of its kind, or of none that anybody expects. */
static cJSON *make_value(const cJSON *old, uint8_t what, uint8_t operand) {
    static const double numbers[] = {0,
                                     -1,
                                     1,
                                     2,
                                     3,
                                     7,
                                     255,
                                     256,
                                     257,
                                     65535,
                                     65536,
                                     1 << 20,
                                     1 << 24,
                                     INT32_MAX,
                                     INT32_MIN,
                                     2147483648.0,
                                     4294967296.0,
                                     0x1p53 - 1,
                                     0x1p53,
                                     1e19,
                                     1e38,
                                     1e39,
                                     DBL_MAX,
                                     -DBL_MAX,
                                     DBL_MIN,
                                     1e-45,
                                     5e-324,
                                     0.5,
                                     1e-6,
                                     -0.0,
                                     64,
                                     512,
                                     1024};
    static const char *const others[] = {"null",
                                         "true",
                                         "false",
                                         "\"\"",
                                         "\"gelu\"",
                                         "[]",
                                         "{}",
                                         "[1e999]",
                                         "[1, 2, 3]",
                                         "[0, 0, 0]",
                                         "[1e308, -1e308, 1e-320]",
                                         "[[[[[[1]]]]]]",
                                         "\"full_attention\"",
                                         "{\"rope_type\": \"linear\"}"};
    const double was = cJSON_IsNumber(old) ? old->valuedouble : 1;
    switch (what % 6) {
    case 0:
        return cJSON_CreateNumber(numbers[operand % PIAA_COUNT(numbers)]);
    case 1:
        return cJSON_CreateNumber(operand);
    case 2:
        return cJSON_CreateNumber(was * (operand % 16 + 1));
    case 3:
        return cJSON_CreateNumber(
            operand % 16 ? (double)(int64_t)(was > 1e15 || was < -1e15 ? 0 : was) / (operand % 16)
                         : -was);
    case 4:
        return cJSON_CreateNumber(was + operand - 128);
    default:
        return parse(others[operand % PIAA_COUNT(others)]);
    }
}

static void change(cJSON *root, const uint8_t *data, size_t size) {
    for (size_t i = 0; i + 3 <= size && i < 24; i += 3) {
        int number = data[i];
        cJSON *old = find_value(root->child, &number);
        cJSON *made = old ? make_value(old, data[i + 1], data[i + 2]) : NULL;
        if (!made) continue;
        /* Takes the old one's place without a parent at hand: the names and links stay. */
        cJSON kept = *old;
        cJSON_Delete(kept.child);
        if (kept.valuestring) cJSON_free(kept.valuestring);
        *old = *made;
        old->next = kept.next;
        old->prev = kept.prev;
        old->string = kept.string;
        cJSON_free(made);
    }
}

static void open_golden(size_t kind, const cJSON *config, const cJSON *image_config,
                        bool portable) {
    piaa_checkpoint changed = *checkpoints[kind];
    changed.config = (cJSON *)(uintptr_t)config;
    changed.image_config = image_config;
    fuzz_open_and_run(kinds[kind].family, &changed, tokenizers[kind], portable);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!size) return 0;
    const size_t kind = (data[0] & 63) % PIAA_COUNT(kinds);
    piaa_error error = {0};
    if (!checkpoints[kind]) checkpoints[kind] = piaa_checkpoint_open(kinds[kind].folder, &error);
    if (!checkpoints[kind]) abort();
    if (!kinds[kind].family->no_tokenizer && !tokenizers[kind])
        tokenizers[kind] = piaa_checkpoint_tokenizer(checkpoints[kind], &error);
    const cJSON *golden = checkpoints[kind]->image_config;
    cJSON *config, *processor;
    if (data[0] & 128) {
        const uint8_t *text = data + 1, *nul = memchr(text, 0, size - 1);
        size_t first = nul ? (size_t)(nul - text) : size - 1;
        config = piaa_json_parse((const char *)text, first, "config.json", &error);
        processor = nul ? piaa_json_parse((const char *)nul + 1, size - 2 - first,
                                          "preprocessor_config.json", &error)
                        : NULL;
    } else {
        cJSON *both = cJSON_CreateObject();
        cJSON_AddItemToObject(both, "config", cJSON_Duplicate(checkpoints[kind]->config, true));
        if (golden) cJSON_AddItemToObject(both, "processor", cJSON_Duplicate(golden, true));
        change(both, data + 1, size - 1);
        config = cJSON_DetachItemFromObject(both, "config");
        processor = cJSON_DetachItemFromObject(both, "processor");
        cJSON_Delete(both);
    }
    if (cJSON_IsObject(config))
        open_golden(kind, config, cJSON_IsObject(processor) ? processor : NULL, data[0] & 64);
    cJSON_Delete(config);
    cJSON_Delete(processor);
    return 0;
}

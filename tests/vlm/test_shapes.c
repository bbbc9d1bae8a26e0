/* The published sizes of every model: its configuration is read, and each weight that a full run
 * needs is found with the shape that transformers gives it (tests/golden/shapes.json).  The weights
 * are holes in a file that takes no room, and none is read. */
#include "support.h"

#include "vlm/model.h"

#include <fcntl.h>

static void write_json(const char *folder, const char *name, const cJSON *json) {
    char *text = cJSON_PrintUnformatted(json);
    assert_non_null(text);
    support_write(folder, name, text, strlen(text));
    cJSON_free(text);
}

/* One kind of tensor, `row` being how many blocks have it and its shape. */
static void add_tensors(piaa_text *header, const char *pattern, const cJSON *row, uint64_t *end) {
    const char *hash = strchr(pattern, '#');
    uint64_t values = 1;
    piaa_text shape = {0};
    for (const cJSON *n = row->child->next; n; n = n->next) {
        values *= (uint64_t)n->valuedouble;
        assert_true(
            piaa_text_format(&shape, NULL, "%s%.0f", shape.length ? "," : "", n->valuedouble));
    }
    for (int block = 0; block < row->child->valueint; block++) {
        assert_true(piaa_text_format(header, NULL, "%c\"%.*s", header->length ? ',' : '{',
                                     hash ? (int)(hash - pattern) : 256, pattern));
        if (hash) assert_true(piaa_text_format(header, NULL, "%d%s", block, hash + 1));
        assert_true(piaa_text_format(
            header, NULL, "\":{\"dtype\":\"BF16\",\"shape\":[%s],\"data_offsets\":[%llu,%llu]}",
            shape.length ? shape.data : "", (unsigned long long)*end,
            (unsigned long long)(*end + 2 * values)));
        *end += 2 * values;
    }
    free(shape.data);
}

static char *write_model(const cJSON *model) {
    char *folder = support_folder();
    write_json(folder, "config.json", piaa_json_find(model, "config"));
    write_json(folder, "preprocessor_config.json", piaa_json_find(model, "image"));
    char *tokenizer = support_join(folder, "tokenizer.json"),
         *path = support_join(folder, "model.safetensors");
    bool gemma = strcmp(piaa_json_string(model, "config.model_type"), "gemma3") == 0;
    assert_int_equal(symlink(gemma ? PIAA_GOLDEN "/gemma3/tokenizer.json"
                                   : PIAA_GOLDEN "/qwen3vl/tokenizer.json",
                             tokenizer),
                     0);
    piaa_text header = {0};
    uint64_t end = 0;
    const cJSON *row;
    cJSON_ArrayForEach(row, piaa_json_find(model, "tensors"))
        add_tensors(&header, row->string, row, &end);
    assert_true(piaa_text_add(&header, "}", 1, NULL));
    unsigned char length[8];
    for (int i = 0; i < 8; i++) length[i] = (unsigned char)((uint64_t)header.length >> 8 * i);
    int file = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(file >= 0 && write(file, length, 8) == 8 &&
                write(file, header.data, header.length) == (ssize_t)header.length);
    assert_int_equal(ftruncate(file, (off_t)(8 + header.length + end)), 0);
    close(file);
    free(header.data);
    free(tokenizer);
    free(path);
    return folder;
}

static void published_sizes(void **state) {
    PIAA_UNUSED(state);
    piaa_error error = {0};
    cJSON *models = piaa_json_read(PIAA_GOLDEN "/shapes.json", 1 << 20, &error), *entry;
    if (!models) fail_msg("%s", error.message);
    int count = 0;
    cJSON_ArrayForEach(entry, models) {
        char *folder = write_model(entry);
        piaa_model *model = piaa_model_open(folder, &error);
        if (!model) fail_msg("%s: %s", entry->string, error.message);
        const piaa_model_info *info = piaa_model_get_info(model);
        assert_true((double)info->parameters == piaa_json_find(entry, "parameters")->valuedouble);
        const bool decoder = info->layout.hidden_size > 0;
        piaa_plan plan = {.vision_blocks = info->layout.vision_blocks,
                          .merge = decoder,
                          .decoder_blocks = info->layout.decoder_layers,
                          .embeddings = decoder,
                          .final_norm = decoder,
                          .logits = decoder,
                          .pooled = !decoder,
                          .projected = !decoder};
        piaa_resident *resident =
            piaa_resident_new(model->checkpoint, PIAA_DTYPE_BF16, true, NULL, &error);
        void *weights =
            resident ? model->family->declare(model->config, resident, &plan, &error) : NULL;
        if (!weights || !piaa_resident_declared(resident, &error))
            fail_msg("%s: %s", entry->string, error.message);
        print_message("%s: %.2f billion values, %d + %d blocks\n", entry->string,
                      (double)info->parameters / 1e9, plan.vision_blocks, plan.decoder_blocks);
        count++;
        free(weights);
        piaa_resident_free(resident);
        piaa_model_close(model);
        support_remove(folder);
    }
    assert_int_equal(count, 23);
    cJSON_Delete(models);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(published_sizes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

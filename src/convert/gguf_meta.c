/* A checkpoint's settings as GGUF's keys, by the table of its family. */
#include "convert/gguf_meta.h"

#include "base/file.h"
#include "weights/settings.h"

#include <stdlib.h>
#include <string.h>

/* -------------------------------------------------------------------------------------- writing */

static void put_raw(piaa_gguf_meta *meta, const void *bytes, size_t size) {
    if (!meta->failed && size) meta->failed = !piaa_text_add(&meta->text, bytes, size, meta->error);
}

void piaa_gguf_put_bytes(piaa_gguf_meta *meta, uint64_t value, size_t bytes) {
    unsigned char little[8];
    for (size_t i = 0; i < bytes; i++) little[i] = (unsigned char)(value >> 8 * i);
    put_raw(meta, little, bytes);
}

void piaa_gguf_put_text(piaa_gguf_meta *meta, const char *text, size_t size) {
    piaa_gguf_put_bytes(meta, size, 8);
    put_raw(meta, text, size);
}

static void put_key(piaa_gguf_meta *meta, const char *prefix, const char *key, uint32_t type) {
    size_t n = strlen(prefix), m = strlen(key);
    piaa_gguf_put_bytes(meta, n + 1 + m, 8);
    put_raw(meta, prefix, n);
    put_raw(meta, ".", 1);
    put_raw(meta, key, m);
    piaa_gguf_put_bytes(meta, type, 4);
    meta->keys++;
}

void piaa_gguf_put_string(piaa_gguf_meta *meta, const char *prefix, const char *key,
                          const char *value) {
    put_key(meta, prefix, key, PIAA_GGUF_STRING);
    piaa_gguf_put_text(meta, value, strlen(value));
}

void piaa_gguf_put_u32(piaa_gguf_meta *meta, const char *prefix, const char *key, int64_t value) {
    put_key(meta, prefix, key, PIAA_GGUF_UINT32);
    piaa_gguf_put_bytes(meta, (uint64_t)value, 4);
}

static uint64_t float_bits(double value) {
    float narrow = (float)value;
    uint32_t bits;
    memcpy(&bits, &narrow, sizeof bits);
    return bits;
}

void piaa_gguf_put_f32(piaa_gguf_meta *meta, const char *prefix, const char *key, double value) {
    put_key(meta, prefix, key, PIAA_GGUF_FLOAT32);
    piaa_gguf_put_bytes(meta, float_bits(value), 4);
}

void piaa_gguf_put_bool(piaa_gguf_meta *meta, const char *prefix, const char *key, bool value) {
    put_key(meta, prefix, key, PIAA_GGUF_BOOL);
    piaa_gguf_put_bytes(meta, value, 1);
}

void piaa_gguf_put_array(piaa_gguf_meta *meta, const char *prefix, const char *key, uint32_t type,
                         uint64_t count) {
    put_key(meta, prefix, key, PIAA_GGUF_ARRAY);
    piaa_gguf_put_bytes(meta, type, 4);
    piaa_gguf_put_bytes(meta, count, 8);
}

/* -------------------------------------------------------------------------------- configuration */

static void put_general(piaa_gguf_meta *meta, const piaa_checkpoint *c, const char *architecture,
                        const char *type, int file_type) {
    const char *name = piaa_path_name(c->folder);
    piaa_gguf_put_string(meta, "general", "architecture", architecture);
    piaa_gguf_put_string(meta, "general", "type", type);
    piaa_gguf_put_string(meta, "general", "name", *name ? name : "model");
    piaa_gguf_put_u32(meta, "general", "file_type", file_type);
    piaa_gguf_put_u32(meta, "general", "quantization_version", 2);
    piaa_gguf_put_string(meta, "general", "quantized_by", PIAA_GGUF_MARK);
}

static void put_list(piaa_gguf_meta *meta, const char *prefix, const char *key, unsigned kind,
                     const piaa_ints *list, int blocks) {
    const int count = kind == PIAA_SETTING_MARKS  ? blocks
                      : kind == PIAA_SETTING_AXES ? list->count + 1
                                                  : list->count;
    if (kind != PIAA_SETTING_MARKS) {
        piaa_gguf_put_array(meta, prefix, key, PIAA_GGUF_INT32, (uint64_t)count);
        for (int i = 0; i < count; i++)
            piaa_gguf_put_bytes(meta, i < list->count ? (uint64_t)list->items[i] : 0, 4);
        return;
    }
    piaa_gguf_put_array(meta, prefix, key, PIAA_GGUF_BOOL, (uint64_t)count);
    for (int i = 0; i < count; i++) {
        bool marked = false;
        for (int j = 0; j < list->count; j++) marked = marked || list->items[j] == i;
        piaa_gguf_put_bytes(meta, marked, 1);
    }
}

static void put_setting(piaa_gguf_meta *meta, const char *prefix, const piaa_setting *row,
                        const piaa_settings *settings) {
    const void *from = piaa_setting_member(row, settings);
    const char *key = piaa_setting_name(row->gguf);
    const int64_t pixels = row->kind == PIAA_SETTING_PIXELS ? *(const int64_t *)from : 0;
    switch (row->kind) {
    case PIAA_SETTING_INT:
        piaa_gguf_put_u32(meta, prefix, key, *(const int *)from);
        break;
    case PIAA_SETTING_PIXELS:
        if (pixels > 0 && pixels <= UINT32_MAX) piaa_gguf_put_u32(meta, prefix, key, pixels);
        break;
    case PIAA_SETTING_NUMBER:
        piaa_gguf_put_f32(meta, prefix, key, *(const double *)from);
        break;
    case PIAA_SETTING_TEXT: /* the one kind of scaling that its converter writes */
        if (strcmp(*(const char *const *)from, "linear") == 0)
            piaa_gguf_put_string(meta, prefix, key, "linear");
        break;
    case PIAA_SETTING_THREE:
        piaa_gguf_put_array(meta, prefix, key, PIAA_GGUF_FLOAT32, 3);
        for (int i = 0; i < 3; i++)
            piaa_gguf_put_bytes(meta, float_bits(((const double *)from)[i]), 4);
        break;
    case PIAA_SETTING_FLAG:
        piaa_gguf_put_bool(meta, prefix, key, *(const bool *)from);
        break;
    default:
        put_list(meta, prefix, key, row->kind, from, settings->vision.blocks);
    }
}

/* What GGUF has a key for, and what llama.cpp would not take for granted. */
static void put_settings(piaa_gguf_meta *meta, const piaa_settings_family *family,
                         const piaa_settings *settings, const char *prefix, bool text) {
    for (size_t i = 0; i < family->count; i++) {
        const piaa_setting *row = &family->rows[i];
        if (!row->gguf || row->flags & PIAA_UNWRITTEN || row->kind == PIAA_SETTING_REFUSED ||
            (row->section == PIAA_OF_TEXT) != text)
            continue;
        if (row->flags & PIAA_SAID || !piaa_setting_same(row, settings, &family->gguf))
            put_setting(meta, prefix, row, settings);
    }
}

/* The settings of a model that may be written; the caller's. */
static piaa_settings *read_settings(const piaa_checkpoint *c, const piaa_gguf_family *family,
                                    piaa_error *error) {
    piaa_settings *settings = piaa_alloc(1, sizeof *settings, error);
    if (settings &&
        piaa_settings_read(piaa_settings_family_find(family->model_type), c, settings, error))
        return settings;
    free(settings);
    return NULL;
}

bool piaa_gguf_put_text_model(piaa_gguf_meta *meta, const piaa_checkpoint *c,
                              const piaa_gguf_family *family, int file_type) {
    piaa_settings *settings = read_settings(c, family, meta->error);
    if (!settings) return false;
    put_general(meta, c, family->architecture, "model", file_type);
    put_settings(meta, piaa_settings_family_find(family->model_type), settings,
                 family->architecture, true);
    free(settings);
    const piaa_tensor *embeddings =
        piaa_checkpoint_tensor(c, "model.language_model.embed_tokens.weight");
    if (!meta->failed && (!embeddings || embeddings->dimensions != 2))
        meta->failed =
            !piaa_error_set(meta->error, PIAA_FORMAT,
                            "%s has no token embeddings: fetch the model again", c->folder);
    return !meta->failed && piaa_gguf_put_tokenizer(meta, c, embeddings->shape[0]);
}

bool piaa_gguf_put_vision_part(piaa_gguf_meta *meta, const piaa_checkpoint *c,
                               const piaa_gguf_family *family, int file_type) {
    piaa_settings *settings = read_settings(c, family, meta->error);
    if (!settings) return false;
    put_general(meta, c, "clip", "mmproj", file_type);
    piaa_gguf_put_bool(meta, "clip", "has_vision_encoder", true);
    piaa_gguf_put_string(meta, "clip", "projector_type", family->projector);
    piaa_gguf_put_bool(meta, "clip", "use_gelu", true);
    put_settings(meta, piaa_settings_family_find(family->model_type), settings, "clip.vision",
                 false);
    free(settings);
    return !meta->failed;
}

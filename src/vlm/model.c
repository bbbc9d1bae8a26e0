/* A model: found, recognised and opened, what is known of it, and photos made into its inputs. */
#include "vlm/model.h"

#include "vlm/decoder.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/visible.h"
#include "hub/pulled.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const piaa_family *const families[] = {&piaa_family_qwen3vl,  &piaa_family_gemma3,
                                              &piaa_family_qwen25vl, &piaa_family_dinov3,
                                              &piaa_family_clip,     &piaa_family_siglip};

static const char *const dtype_names[] = {"auto", "f32",  "f16",  "bf16", "q8_0",
                                          "q6_K", "q5_K", "q4_K", "file"};

const char *piaa_dtype_name(piaa_dtype dtype) {
    return dtype_names[dtype];
}

bool piaa_dtype_parse(const char *name, piaa_dtype *out) {
    for (size_t i = 0; i < PIAA_COUNT(dtype_names); i++)
        if (strcmp(name, dtype_names[i]) == 0) {
            *out = (piaa_dtype)i;
            return true;
        }
    return false;
}

/* -------------------------------------------------------------------------------------- opening */

/* Of the demonstration model's config.json and weights: copies of the folder are recognised too. */
static const char demonstration_fingerprint[] =
    "95fd9f4f03856de31ea4a63ccec806e0db4af3a50ff0206f6d2085f2b0752582";

bool piaa_model_is_demonstration(const char *fingerprint) {
    return strcmp(fingerprint, demonstration_fingerprint) == 0;
}

static const piaa_family *find_family(const piaa_checkpoint *checkpoint, piaa_error *error) {
    const char *type = piaa_json_string(piaa_checkpoint_config(checkpoint), "model_type");
    const char *folder = piaa_checkpoint_folder(checkpoint);
    const piaa_settings_family *table = piaa_settings_family_find(type);
    for (size_t i = 0; table && i < PIAA_COUNT(families); i++)
        if (strcmp(table->model_type, families[i]->model_type) == 0) return families[i];
    char known[256] = "";
    for (size_t i = 0; i < PIAA_COUNT(families); i++) {
        size_t n = strlen(known);
        table = piaa_settings_family_find(families[i]->model_type);
        snprintf(known + n, sizeof known - n, "%s%s (%s)", i ? ", " : "", table->name,
                 table->model_type);
    }
    if (!type)
        piaa_error_set(error, PIAA_FORMAT,
                       "%s/config.json has no \"model_type\", so this is no model that piaa can "
                       "read; supported: %s",
                       folder, known);
    else
        piaa_error_set(error, PIAA_UNSUPPORTED,
                       "%s is a \"%s\" model, which piaa does not support; supported: %s", folder,
                       type, known);
    return NULL;
}

static void sum_up_tensors(piaa_model *model) {
    enum { KINDS = 64 }; /* more than there are types */
    struct {
        const char *name;
        int64_t bytes;
    } kinds[KINDS] = {{"", 0}};
    size_t count = 0, most = 0;
    for (size_t i = 0; i < piaa_checkpoint_count(model->checkpoint); i++) {
        const piaa_tensor *tensor = piaa_checkpoint_at(model->checkpoint, i);
        model->info.parameters += piaa_tensor_count(tensor);
        model->info.bytes += (int64_t)tensor->bytes;
        size_t kind = 0;
        while (kind < count && strcmp(kinds[kind].name, tensor->dtype) != 0) kind++;
        if (kind == KINDS) continue;
        if (kind == count) kinds[count++].name = tensor->dtype;
        kinds[kind].bytes += (int64_t)tensor->bytes;
        if (kinds[kind].bytes > kinds[most].bytes) most = kind;
    }
    model->info.dtype = kinds[most].name;
}

/* Beside the program or the library, wherever that was moved to; where they were to be installed;
   and where they were built. */
static char *demonstration_folder(piaa_error *error) {
    const char *override = getenv("PIAA_MODEL");
    if (override && *override) return piaa_strdup(override, error);
    static const char here[] = "a part of the file that this is in";
    char line[8192];
    const char *file = piaa_mapped_file(here, line, sizeof line);
    char *own = piaa_path_folder(file ? file : "", error);
    if (!own) return NULL;
    const char *const candidates[] = {"/" PIAA_DATA_FROM_PROGRAM, "/" PIAA_DATA_FROM_LIBRARY,
                                      PIAA_INSTALLED_DATA, PIAA_SOURCE_DATA};
    enum { BESIDE = 2 };
    for (size_t i = file ? 0 : BESIDE; i < PIAA_COUNT(candidates); i++) {
        char *path = piaa_format(error, "%s%s/models/demo", i < BESIDE ? own : "", candidates[i]);
        const bool there = path && piaa_file_exists(path);
        char *found = there ? piaa_path_absolute(path, error) : NULL;
        free(path);
        if (!there) continue;
        free(own);
        return found;
    }
    free(own);
    piaa_error_set(error, PIAA_IO,
                   "the demonstration model is in neither %s nor %s: name a model with --model or "
                   "PIAA_MODEL",
                   PIAA_INSTALLED_DATA "/models/demo", PIAA_SOURCE_DATA "/models/demo");
    return NULL;
}

static bool add_visible(piaa_text *out, const char *text, piaa_error *error) {
    return piaa_text_format(out, error, "\"") && piaa_visible_add(out, text, error) &&
           piaa_text_format(out, error, "\"");
}

/* What the two forms put around the image and the text, where they differ. */
static bool describe_frame(const piaa_chat_frame *frame, const char *where, piaa_text *out,
                           piaa_error *error) {
    return piaa_text_format(out, error, "its own (%s): ", where) &&
           add_visible(out, frame->before, error) && piaa_text_format(out, error, " image ") &&
           add_visible(out, frame->after, error) && piaa_text_format(out, error, " text ") &&
           add_visible(out, frame->end, error);
}

/* What follows a question that is the published one. */
static bool describe_opening(const piaa_chat_frame *frame, const char *where, piaa_text *out,
                             piaa_error *error) {
    return piaa_text_format(out, error,
                            "published; answers begin as its own has it (%s): ", where) &&
           add_visible(out, frame->question[true] + strlen(frame->question[false]), error);
}

/* Looks at the model's own chat template: the published form, another, or not understood. */
static bool open_chat(piaa_model *model, piaa_error *error) {
    piaa_model_info *info = &model->info;
    piaa_chat_template own;
    piaa_text words = {0};
    piaa_error why = {0};
    if (model->family->no_tokenizer) return true;
    if (!piaa_checkpoint_chat_template(model->checkpoint, &own, error)) return false;
    bool ok = true;
    if (own.text) {
        const piaa_template_words given = {.bos = own.bos, .eos = own.eos};
        piaa_chat_frame *frame = piaa_chat_frame_new(model->family->chat, own.text, &given, &why);
        info->chat_template = !frame ? PIAA_TEMPLATE_UNREAD
                              : piaa_chat_frame_is_published(frame, model->family->chat, false)
                                  ? PIAA_TEMPLATE_PUBLISHED
                                  : PIAA_TEMPLATE_OWN;
        if (frame && piaa_chat_frame_is_published(frame, model->family->chat, false) &&
            piaa_chat_frame_is_published(frame, model->family->chat, true))
            piaa_chat_frame_free(frame);
        else
            model->frame = frame;
    }
    info->opens_answers = model->frame && info->chat_template == PIAA_TEMPLATE_PUBLISHED;
    if (info->chat_template == PIAA_TEMPLATE_OWN)
        ok = describe_frame(model->frame, own.where, &words, error);
    else if (info->opens_answers)
        ok = describe_opening(model->frame, own.where, &words, error);
    else if (info->chat_template == PIAA_TEMPLATE_UNREAD)
        ok = piaa_text_format(&words, error, "published; its own is not understood (%s: %s)",
                              own.where, why.message);
    else
        ok = piaa_text_format(&words, error, "published");
    piaa_chat_template_free(&own);
    info->chat = model->chat = words.data;
    return ok;
}

/* What its files say, and what of that nobody reads. */
static bool read_settings(piaa_model *model, piaa_error *error) {
    const piaa_settings_family *table = piaa_settings_family_find(model->family->model_type);
    piaa_text unknown = {0};
    model->settings = piaa_alloc(1, sizeof *model->settings, error);
    if (!model->settings || !piaa_settings_read(table, model->checkpoint, model->settings, error))
        return false;
    const bool ok = piaa_settings_unknown(table, model->checkpoint, &unknown, error);
    model->info.unknown = model->unknown = unknown.data;
    return ok;
}

piaa_model *piaa_model_open_adapted(const char *text, const char *vision, const char *adapter,
                                    piaa_error *error) {
    if (piaa_error_pending(error)) return NULL;
    char *found = text ? piaa_model_locate(text, error) : demonstration_folder(error);
    if (!found) return NULL;
    piaa_model *model = piaa_alloc(1, sizeof *model, error);
    if (model) model->checkpoint = piaa_checkpoint_open_pair(found, vision, error);
    const bool adapted = model && model->checkpoint &&
                         (!adapter || (piaa_checkpoint_adapt(model->checkpoint, adapter, error) &&
                                       (model->adapter = piaa_path_absolute(adapter, error))));
    if (adapted) model->family = find_family(model->checkpoint, error);
    if (model && model->family && !model->family->no_tokenizer)
        model->tokenizer = piaa_checkpoint_tokenizer(model->checkpoint, error);
    free(found);
    if (model && model->family && (model->tokenizer || model->family->no_tokenizer) &&
        read_settings(model, error)) {
        model->info.family = model->settings->family->name;
        model->info.folder = piaa_checkpoint_folder(model->checkpoint);
        model->info.adapter = model->adapter;
        model->config =
            model->family->open(model->checkpoint, model->settings, &model->info, error);
    }
    if (!model || !model->config || !open_chat(model, error) ||
        !piaa_checkpoint_fingerprint(model->checkpoint, model->info.fingerprint, error)) {
        piaa_model_close(model);
        return NULL;
    }
    sum_up_tensors(model);
    model->info.demonstration = piaa_model_is_demonstration(model->info.fingerprint);
    return model;
}

piaa_model *piaa_model_open_pair(const char *text, const char *vision, piaa_error *error) {
    return piaa_model_open_adapted(text, vision, NULL, error);
}

piaa_model *piaa_model_open(const char *folder, piaa_error *error) {
    return piaa_model_open_pair(folder, NULL, error);
}

void piaa_model_close(piaa_model *model) {
    if (!model) return;
    if (model->config) model->family->close(model->config);
    free(model->settings);
    free(model->unknown);
    piaa_chat_frame_free(model->frame);
    free(model->chat);
    free(model->adapter);
    piaa_tokenizer_close(model->tokenizer);
    piaa_checkpoint_close(model->checkpoint);
    free(model);
}

bool piaa_model_not_finite(const piaa_model *model, piaa_error *error) {
    const piaa_tensor *tensor = piaa_checkpoint_not_finite(model->checkpoint);
    return tensor ? piaa_error_set(error, PIAA_FORMAT,
                                   "%s: tensor %.200s holds values that are not finite numbers: "
                                   "fetch the model again",
                                   model->info.folder, tensor->name)
                  : piaa_error_set(error, PIAA_FORMAT,
                                   "%s: its hidden states are not finite numbers, of a plain "
                                   "picture too: try --dtype f32",
                                   model->info.folder);
}

static bool check_weights(const piaa_model *model, piaa_error *error) {
    const piaa_layout *layout = &model->info.layout;
    const bool decoder = layout->hidden_size > 0;
    const piaa_plan plan = {.vision_blocks = layout->vision_blocks,
                            .merge = decoder,
                            .decoder_blocks = layout->decoder_layers,
                            .embeddings = decoder,
                            .final_norm = decoder,
                            .pooled = layout->pooled_size > 0,
                            .projected = layout->projected_size > 0};
    piaa_resident *resident =
        piaa_resident_new(model->checkpoint, PIAA_DTYPE_BF16, false, NULL, error);
    void *weights = resident ? model->family->declare(model->config, resident, &plan, error) : NULL;
    const bool ok = weights && piaa_resident_declared(resident, error);
    free(weights);
    piaa_resident_free(resident);
    return ok;
}

bool piaa_model_check(const piaa_model *model, piaa_error *error) {
    piaa_ids ids;
    if (!check_weights(model, error) ||
        !piaa_model_question(model, &(piaa_ask){.generate = true}, &ids, error))
        return false;
    bool ok = true;
    for (size_t i = 0; ok && i < ids.count; i++)
        ok = ids.items[i] < model->info.vocabulary ||
             piaa_error_set(error, PIAA_MISMATCH,
                            "%s: the tokenizer gives token %d but the model has %d: tokenizer.json "
                            "belongs to another model",
                            model->info.folder, ids.items[i], model->info.vocabulary);
    piaa_ids_free(&ids);
    return ok;
}

const piaa_model_info *piaa_model_get_info(const piaa_model *model) {
    return &model->info;
}

/* By the whole model's size and not by a request's, so that layers added to a store later are
   computed as the first ones were. */
piaa_dtype piaa_model_dtype(const piaa_model *model, piaa_dtype dtype) {
    static const int64_t float_limit = (int64_t)1 << 30;
    const piaa_model_info *info = &model->info;
    if (dtype != PIAA_DTYPE_AUTO) return dtype;
    if (info->parameters * (int64_t)sizeof(float) <= float_limit || strcmp(info->dtype, "F32") == 0)
        return PIAA_DTYPE_F32;
    return strcmp(info->dtype, "BF16") == 0 ? PIAA_DTYPE_BF16 : PIAA_DTYPE_FILE;
}

const piaa_tokenizer *piaa_model_tokenizer(const piaa_model *model) {
    return model->tokenizer;
}

/* --------------------------------------------------------------------------------------- inputs */

static piaa_model_input *prepare(const piaa_model *model, const piaa_image *image,
                                 const float *patches, int grid_h, int grid_w, const piaa_ask *ask,
                                 piaa_error *error) {
    piaa_model_input *input = piaa_alloc(1, sizeof *input, error);
    if (!input) return NULL;
    piaa_ask framed = ask ? *ask : (piaa_ask){0};
    framed.frame = framed.published ? NULL : model->frame;
    input->family = model->family;
    input->own = model->family->prepare(model->config, model->tokenizer, image, patches, grid_h,
                                        grid_w, &framed, error);
    if (!input->own) {
        free(input);
        return NULL;
    }
    model->family->input_count(input->own, &input->tokens, &input->image_tokens);
    return input;
}

piaa_model_input *piaa_model_prepare(const piaa_model *model, const piaa_image *image,
                                     const piaa_ask *ask, piaa_error *error) {
    return prepare(model, image, NULL, 0, 0, ask, error);
}

piaa_model_input *piaa_model_prepare_patches(const piaa_model *model, const float *patches,
                                             int grid_h, int grid_w, const piaa_ask *ask,
                                             piaa_error *error) {
    return prepare(model, NULL, patches, grid_h, grid_w, ask, error);
}

bool piaa_model_question(const piaa_model *model, const piaa_ask *ask, piaa_ids *out,
                         piaa_error *error) {
    *out = (piaa_ids){0};
    if (model->family->no_tokenizer) return true;
    piaa_chat_tokens chat;
    if (!piaa_chat_ask(model->tokenizer, model->family->chat, ask->published ? NULL : model->frame,
                       ask->prompt ? ask->prompt : PIAA_BASE_PROMPT, 1, ask->generate, &chat,
                       error))
        return false;
    *out = chat.ids;
    chat.ids = (piaa_ids){0};
    piaa_chat_tokens_free(&chat);
    return true;
}

const piaa_decoder_input *piaa_model_input_text(const piaa_model_input *input) {
    if (input->text || !input->family->input_text) return input->text;
    return input->family->input_text(input->own);
}

piaa_place piaa_model_input_end(const piaa_model_input *input) {
    const piaa_decoder_input *text = piaa_model_input_text(input);
    return text ? (piaa_place){text->past + text->tokens, text->next} : (piaa_place){0, 0};
}

piaa_model_input *piaa_model_continue(const piaa_model *model, piaa_place place, const int32_t *ids,
                                      size_t count, piaa_error *error) {
    if (!model->family->decoder || !count) {
        piaa_error_set(error, PIAA_USAGE, "%s: %s", model->info.folder,
                       count ? "a model without a decoder reads no text" : "no text to go on with");
        return NULL;
    }
    piaa_model_input *input = piaa_alloc(1, sizeof *input, error);
    if (!input) return NULL;
    input->family = model->family;
    input->tokens = (int)count;
    input->text = piaa_alloc(1, sizeof *input->text, error);
    if (input->text &&
        piaa_decoder_input_continue(input->text, model->family->decoder(model->config), ids, count,
                                    place.tokens, place.position, error))
        return input;
    piaa_model_input_free(input);
    return NULL;
}

bool piaa_model_encode(const piaa_model *model, const piaa_chat_turn *turns, size_t count,
                       const piaa_ask *ask, piaa_chat_tokens *out, piaa_error *error) {
    *out = (piaa_chat_tokens){0};
    if (!model->family->decoder)
        return piaa_error_set(error, PIAA_USAGE, "%s: a model without a decoder reads no text",
                              model->info.folder);
    return piaa_chat_encode(model->tokenizer, model->family->chat,
                            ask->published ? NULL : model->frame, turns, count, ask->generate, out,
                            error);
}

piaa_model_input *piaa_model_converse(const piaa_model *model, const piaa_chat_tokens *chat,
                                      const piaa_sight *const *sights,
                                      piaa_image_attention attention, int past, piaa_error *error) {
    piaa_model_input *input = piaa_alloc(1, sizeof *input, error);
    if (!input) return NULL;
    input->family = model->family;
    input->text = piaa_alloc(1, sizeof *input->text, error);
    if (input->text &&
        piaa_decoder_input_converse(input->text, model->family->decoder(model->config), chat,
                                    sights, attention == PIAA_IMAGE_BOTH_WAYS, past, error)) {
        input->tokens = input->text->tokens;
        input->image_tokens = input->text->image;
        return input;
    }
    piaa_model_input_free(input);
    return NULL;
}

void piaa_model_input_free(piaa_model_input *input) {
    if (!input) return;
    if (input->own) input->family->input_free(input->own);
    if (input->text) piaa_decoder_input_free(input->text);
    free(input->text);
    free(input);
}

int piaa_model_input_tokens(const piaa_model_input *input) {
    return input->tokens;
}

int piaa_model_input_image_tokens(const piaa_model_input *input) {
    return input->image_tokens;
}

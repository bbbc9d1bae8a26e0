/* What the families of Qwen have in common. */
#include "vlm/qwen.h"

#include "base/memory.h"
#include "image/planes.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_PIXELS_MOST = 1 << 24 };

/* ------------------------------------------------------------------------------- configuration */

static bool set_vision(piaa_qwen *qwen, const piaa_settings *s, piaa_error *error) {
    const char *where = piaa_checkpoint_where(qwen->vit.checkpoint);
    const int dim = s->vision.width / s->vision.heads;
    qwen->pixels.patch_size = s->vision.patch;
    qwen->pixels.temporal_patch_size = s->vision.frames;
    qwen->pixels.merge_size = s->vision.merge;
    if (s->vision.out != s->text.hidden)
        return piaa_error_set(
            error, PIAA_FORMAT,
            "%s: the vision encoder's out_hidden_size is %d but the decoder's hidden_size is %d",
            where, s->vision.out, s->text.hidden);
    if (s->vision.width % s->vision.heads || dim % 4)
        return piaa_error_set(error, PIAA_FORMAT,
                              "%s: %d vision heads do not divide %d values into multiples of 4",
                              where, s->vision.heads, s->vision.width);
    if (dim > 2 * PIAA_ROTARY_PAIRS)
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "%s: vision heads of %d values are more than the %d that piaa turns",
                              where, dim, 2 * PIAA_ROTARY_PAIRS);
    return piaa_vit_configure(&qwen->vit, s, error);
}

/* min_pixels and max_pixels, where they are given, count before "size"; without a size the image
   processor's own limits hold. */
static bool read_limits(piaa_qwen_pixels_config *p, const cJSON *json, const char *folder,
                        piaa_error *error) {
    const cJSON *size = piaa_json_find(json, "size");
    p->min_pixels = 56 * 56;
    p->max_pixels = 28 * 28 * 1280;
    if (size && !cJSON_IsNull(size) &&
        (!piaa_json_int(json, "size.shortest_edge", &p->min_pixels) ||
         !piaa_json_int(json, "size.longest_edge", &p->max_pixels)))
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "%s: the image processor's \"size\" should hold shortest_edge and "
                              "longest_edge, whole numbers of pixels",
                              folder);
    return piaa_planes_read_whole(json, "min_pixels", &p->min_pixels, folder, error) &&
           piaa_planes_read_whole(json, "max_pixels", &p->max_pixels, folder, error);
}

static bool read_image(piaa_qwen *qwen, piaa_error *error) {
    const cJSON *json = piaa_checkpoint_image_config(qwen->vit.checkpoint);
    const char *folder = piaa_checkpoint_folder(qwen->vit.checkpoint);
    piaa_qwen_pixels_config *p = &qwen->pixels;
    p->filter = PIAA_BICUBIC;
    p->rescale_factor = 1.0 / 255.0;
    if (!json && p->max_pixels) return true;
    /* As the image processor has it where its file says nothing. */
    memcpy(p->mean, (const float[]){0.48145466f, 0.4578275f, 0.40821073f}, sizeof p->mean);
    memcpy(p->std, (const float[]){0.26862954f, 0.26130258f, 0.27577711f}, sizeof p->std);
    if (!piaa_planes_read_three(json, "image_mean", p->mean, folder, error) ||
        !piaa_planes_read_three(json, "image_std", p->std, folder, error))
        return false;
    if (!read_limits(p, json, folder, error)) return false;
    static const char *const steps[] = {"do_resize", "do_rescale", "do_normalize"};
    for (size_t i = 0; i < PIAA_COUNT(steps); i++) {
        bool done = true;
        if (!piaa_planes_read_step(json, steps[i], &done, folder, error)) return false;
        if (!done)
            return piaa_error_set(error, PIAA_UNSUPPORTED,
                                  "%s: the image processor's %s is false, which is not supported",
                                  folder, steps[i]);
    }
    if (!piaa_planes_read_scale(json, &p->filter, &p->rescale_factor, folder, error)) return false;
    int64_t patch = p->patch_size, temporal = p->temporal_patch_size, merge = p->merge_size;
    piaa_json_int(json, "patch_size", &patch);
    piaa_json_int(json, "temporal_patch_size", &temporal);
    piaa_json_int(json, "merge_size", &merge);
    if (patch != p->patch_size || temporal != p->temporal_patch_size || merge != p->merge_size)
        return piaa_error_set(error, PIAA_MISMATCH,
                              "%s: the image processor's patches (%lld, %lld, %lld) differ from "
                              "the model's (%d, %d, %d)",
                              folder, (long long)patch, (long long)temporal, (long long)merge,
                              p->patch_size, p->temporal_patch_size, p->merge_size);
    int64_t tile = (int64_t)p->patch_size * p->merge_size;
    if (p->min_pixels < 1 || p->max_pixels < tile * tile || p->min_pixels > p->max_pixels ||
        p->min_pixels > LEAST_PIXELS_MOST || p->max_pixels > (int64_t)1 << 32)
        return piaa_error_set(
            error, PIAA_FORMAT,
            "%s: the image processor's size limits (%lld to %lld pixels) make no sense", folder,
            (long long)p->min_pixels, (long long)p->max_pixels);
    return piaa_planes_check(p->rescale_factor, p->std, folder, error);
}

bool piaa_qwen_configure(piaa_qwen *qwen, const piaa_settings *settings, piaa_error *error) {
    qwen->settings = settings;
    return piaa_decoder_configure(&qwen->decoder, settings, error) &&
           set_vision(qwen, settings, error) && read_image(qwen, error);
}

const char *piaa_qwen_difference(const void *config, const void *other) {
    const piaa_qwen *a = config, *b = other;
    const piaa_qwen_pixels_config *p = &a->pixels, *q = &b->pixels;
    const char *found = piaa_settings_difference(a->settings, b->settings);
    if (found) return found;
    if (p->min_pixels != q->min_pixels || p->max_pixels != q->max_pixels) return "size";
    if (p->filter != q->filter) return "resample";
    if ((float)p->rescale_factor != (float)q->rescale_factor) return "rescale_factor";
    if (!piaa_planes_same_three(p->mean, q->mean)) return "image_mean";
    return piaa_planes_same_three(p->std, q->std) ? NULL : "image_std";
}

void piaa_qwen_inform(const piaa_qwen *qwen, piaa_model_info *info) {
    piaa_vit_inform(&qwen->vit, info);
    piaa_decoder_inform(&qwen->decoder, info);
    info->merge = qwen->pixels.merge_size;
    info->min_pixels = qwen->pixels.min_pixels;
    info->max_pixels = qwen->pixels.max_pixels;
    piaa_pixels_describe(qwen->pixels.filter, qwen->pixels.rescale_factor, qwen->pixels.mean,
                         qwen->pixels.std, info->pixels);
}

/* --------------------------------------------------------------------------------------- input */

void piaa_qwen_input_free(void *input) {
    piaa_qwen_input *in = input;
    if (!in) return;
    piaa_qwen_pixels_free(&in->pixels);
    piaa_vit_grid_free(&in->grid);
    piaa_decoder_input_free(&in->text);
    free(in->places);
    free(in);
}

void piaa_qwen_input_count(const void *input, int *tokens, int *image_tokens) {
    const piaa_qwen_input *in = input;
    *tokens = in->text.tokens;
    *image_tokens = in->text.image;
}

/* Half of the pairs of a head turn by the row, half by the column, at the same frequencies. */
static bool make_rotary(const piaa_vit *vit, piaa_vit_grid *grid, piaa_error *error) {
    const int dim = vit->width / vit->heads, quarter = dim / 4;
    piaa_angles angles = {.pairs = dim / 2, .magnitude = 1.0f};
    for (int j = 0; j < angles.pairs; j++) {
        angles.frequency[j] = 1.0f / powf(10000.0f, (float)(j % quarter) / (float)quarter);
        angles.axis[j] = j >= quarter;
    }
    grid->rotary =
        piaa_angles_table(&angles, grid->positions, grid->tokens, NULL, grid->tokens, error);
    return grid->rotary != NULL;
}

static bool make_grid(const piaa_qwen *qwen, const piaa_qwen_pixels *pixels, piaa_vit_grid *grid,
                      piaa_error *error) {
    const int m = qwen->pixels.merge_size, n = pixels->grid_h * pixels->grid_w;
    const int across = pixels->grid_w / m;
    if (!piaa_vit_grid_make(grid, pixels->grid_h, pixels->grid_w, 0, error)) return false;
    grid->positions = piaa_alloc((size_t)n * 4, sizeof *grid->positions, error);
    if (!grid->positions) return false;
    for (int i = 0; i < n; i++) {
        const int block = i / (m * m), inner = i % (m * m);
        grid->positions[i] = block / across * m + inner / m;
        grid->positions[n + i] = block % across * m + inner % m;
    }
    return make_rotary(&qwen->vit, grid, error);
}

/* From the photo, or copied where the caller has patches already. */
static bool make_pixels(const piaa_qwen *qwen, const piaa_image *image, const float *patches,
                        int grid_h, int grid_w, const piaa_ask *ask, piaa_qwen_pixels *out,
                        piaa_error *error) {
    piaa_qwen_pixels_config pixels = qwen->pixels;
    if (ask && ask->max_pixels) {
        pixels.max_pixels = ask->max_pixels;
        if (pixels.min_pixels > pixels.max_pixels) pixels.min_pixels = pixels.max_pixels;
    }
    if (image) return piaa_qwen_pixels_make(image, &pixels, out, error);
    const int64_t length = (int64_t)3 * qwen->vit.frames * qwen->vit.patch * qwen->vit.patch;
    const size_t count = (size_t)grid_h * (size_t)grid_w * (size_t)length;
    *out = (piaa_qwen_pixels){.grid_h = grid_h, .grid_w = grid_w, .patch_length = length};
    out->patches = piaa_alloc_array(count, sizeof(float), error);
    if (out->patches) memcpy(out->patches, patches, count * sizeof(float));
    return out->patches != NULL;
}

piaa_qwen_input *piaa_qwen_prepare(const piaa_qwen *qwen, piaa_chat_form form,
                                   const piaa_tokenizer *tokenizer, const piaa_image *image,
                                   const float *patches, int grid_h, int grid_w,
                                   const piaa_ask *ask, piaa_error *error) {
    const int m = qwen->pixels.merge_size;
    piaa_qwen_input *in = piaa_alloc(1, sizeof *in, error);
    if (!in) return NULL;
    if (make_pixels(qwen, image, patches, grid_h, grid_w, ask, &in->pixels, error) &&
        make_grid(qwen, &in->pixels, &in->grid, error) &&
        piaa_decoder_input_make(&in->text, &qwen->decoder, tokenizer, form, in->grid.height / m,
                                in->grid.width / m, ask, error))
        return in;
    piaa_qwen_input_free(in);
    return NULL;
}

/* --------------------------------------------------------------------------- weights and graph */

static const piaa_matrix *matrix(piaa_resident *r, const char *prefix, const char *name,
                                 int64_t rows, int64_t columns) {
    char whole[64];
    snprintf(whole, sizeof whole, "%s.weight", name);
    return piaa_resident_matrix(r, prefix, whole, rows, columns);
}

static struct ggml_tensor *vector(piaa_resident *r, const char *prefix, const char *name,
                                  const char *ending, int64_t length) {
    char whole[64];
    snprintf(whole, sizeof whole, "%s%s", name, ending);
    return piaa_resident_vector(r, prefix, whole, length);
}

piaa_qwen_merger piaa_qwen_declare_merger(const piaa_qwen *qwen, piaa_resident *r, const char *p,
                                          const piaa_qwen_merger_names *names, bool wide) {
    const int m = qwen->pixels.merge_size;
    const int64_t d = qwen->vit.width, merged = d * m * m, hidden = qwen->decoder.hidden;
    const int64_t norm = wide ? merged : d;
    return (piaa_qwen_merger){.norm_w = vector(r, p, names->norm, ".weight", norm),
                              .norm_b =
                                  qwen->vit.rms ? NULL : vector(r, p, names->norm, ".bias", norm),
                              .fc1 = matrix(r, p, names->fc1, merged, merged),
                              .fc1_b = vector(r, p, names->fc1, ".bias", merged),
                              .fc2 = matrix(r, p, names->fc2, hidden, merged),
                              .fc2_b = vector(r, p, names->fc2, ".bias", hidden),
                              .wide = wide};
}

static struct ggml_tensor *normalise(const piaa_qwen *qwen, const piaa_qwen_merger *m,
                                     piaa_graph *graph, struct ggml_tensor *x) {
    const float eps = qwen->vit.eps;
    return m->norm_b ? piaa_graph_layer_norm(graph, x, m->norm_w, m->norm_b, eps, true)
                     : piaa_graph_rms_norm(graph, x, m->norm_w, eps, true);
}

struct ggml_tensor *piaa_qwen_merge(const piaa_qwen *qwen, const piaa_qwen_merger *m,
                                    piaa_graph *graph, struct ggml_tensor *x) {
    const int64_t unit = (int64_t)qwen->pixels.merge_size * qwen->pixels.merge_size;
    if (!m->wide) x = normalise(qwen, m, graph, x);
    x = ggml_reshape_2d(graph->context, x, x->ne[0] * unit, x->ne[1] / unit);
    if (m->wide) x = normalise(qwen, m, graph, x);
    x = piaa_graph_linear(graph, m->fc1, m->fc1_b, x, PIAA_GELU, NULL);
    return piaa_graph_linear(graph, m->fc2, m->fc2_b, x, PIAA_LINEAR, NULL);
}

void piaa_qwen_limit(const piaa_qwen *qwen, piaa_graph *graph) {
    const int vision = qwen->vit.width / qwen->vit.heads, dim = qwen->decoder.kind[0].rotary.dim;
    piaa_graph_limit(graph, dim > vision ? dim : vision);
}

const piaa_decoder *piaa_qwen_decoder(const void *config) {
    return &((const piaa_qwen *)config)->decoder;
}

const piaa_decoder_input *piaa_qwen_input_text(const void *input) {
    return &((const piaa_qwen_input *)input)->text;
}

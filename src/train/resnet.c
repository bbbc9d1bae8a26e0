/*
 * The network's parts, their names in files, and where their numbers lie.
 *
 * All that training moves lies in one array, and so do its gradients and moments; all running
 * statistics in another.  A file is read in two passes: its shapes say which network it is, then
 * its numbers are read.
 */
#include "train/resnet.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include "train/resnet_parts.h"
#include "weights/safetensors.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STAGES = 4, MOST_BLOCKS = 64, NAME = 128, PREFIX = 48, EXPANSION = 4 };

bool piaa_resnet_available(void) {
    return piaa_resnet_library() != NULL;
}

static bool need_library(piaa_error *error) {
    return piaa_resnet_available() ||
           piaa_error_set(error, PIAA_UNSUPPORTED,
                          "this piaa cannot run a ResNet, because it was built without oneDNN: "
                          "install it (Debian: libdnnl-dev) and build piaa again with "
                          "-DPIAA_DNNL=ON, or use the features of the model in hand");
}

/* ---- names */

typedef enum part { WEIGHTS, SCALE, SHIFT, MEAN, VARIANCE, PARTS } part;

static const char *const part_names[PARTS] = {"weight", "weight", "bias", "running_mean",
                                              "running_var"};

/* "layer1.0.conv2" and "layer1.0.bn2", as torchvision and timm have them */
static void spell_torchvision(const piaa_unit *u, bool norm, char *out, size_t size) {
    const int stage = u->stage + 1;
    if (u->role == PIAA_UNIT_STEM)
        snprintf(out, size, "%s", norm ? "bn1" : "conv1");
    else if (u->role == PIAA_UNIT_SHORTCUT)
        snprintf(out, size, "layer%d.%d.downsample.%d", stage, u->block, norm);
    else
        snprintf(out, size, "layer%d.%d.%s%d", stage, u->block, norm ? "bn" : "conv",
                 (int)u->role - PIAA_UNIT_1 + 1);
}

/* The same as transformers' ResNet has them. */
static void spell_transformers(const piaa_unit *u, bool norm, char *out, size_t size) {
    const char *what = norm ? "normalization" : "convolution";
    if (u->role == PIAA_UNIT_STEM)
        snprintf(out, size, "embedder.embedder.%s", what);
    else if (u->role == PIAA_UNIT_SHORTCUT)
        snprintf(out, size, "encoder.stages.%d.layers.%d.shortcut.%s", u->stage, u->block, what);
    else
        snprintf(out, size, "encoder.stages.%d.layers.%d.layer.%d.%s", u->stage, u->block,
                 (int)u->role - PIAA_UNIT_1, what);
}

typedef void spell_unit(const piaa_unit *u, bool norm, char *out, size_t size);

static void spell(spell_unit *unit, const char *prefix, const piaa_unit *u, part which,
                  char out[NAME]) {
    char name[64];
    unit(u, which != WEIGHTS, name, sizeof name);
    snprintf(out, NAME, "%.*s%s.%s", PREFIX - 1, prefix, name, part_names[which]);
}

/* Where each part of a unit lies, in arrays as `trained` and `running`. */
static float *part_of(const piaa_resnet *net, const piaa_unit *u, part which, float *trained,
                      float *running) {
    switch (which) {
    case WEIGHTS:
        return trained ? trained + (u->weights - net->trained) : NULL;
    case SCALE:
        return trained ? trained + (u->scale - net->trained) : NULL;
    case SHIFT:
        return trained ? trained + (u->shift - net->trained) : NULL;
    case MEAN:
        return running ? running + (u->mean - net->running) : NULL;
    default:
        return running ? running + (u->variance - net->running) : NULL;
    }
}

piaa_named *piaa_resnet_name(const piaa_resnet *net, float *trained, float *running,
                             const char *prefix, size_t *count, piaa_error *error) {
    piaa_named *list = piaa_alloc((size_t)net->count * PARTS, sizeof *list, error);
    *count = 0;
    for (int i = 0; list && i < net->count; i++) {
        const piaa_unit *u = &net->units[i];
        for (part p = 0; p < PARTS; p++) {
            float *data = part_of(net, u, p, trained, running);
            if (!data) continue;
            piaa_named *t = &list[(*count)++];
            spell(spell_torchvision, prefix, u, p, t->name);
            t->data = data;
            t->dimensions = p == WEIGHTS ? 4 : 1;
            t->shape[0] = u->outputs;
            if (p == WEIGHTS) t->shape[1] = u->inputs, t->shape[2] = t->shape[3] = u->kernel;
        }
    }
    return list;
}

/* ---- building */

static piaa_resnet *new_net(piaa_error *error) {
    piaa_resnet *net = piaa_alloc(1, sizeof *net, error);
    if (!net) return NULL;
    net->units = piaa_alloc(1 + STAGES * MOST_BLOCKS * 4, sizeof *net->units, error);
    if (net->units) return net;
    free(net);
    return NULL;
}

void piaa_resnet_free(piaa_resnet *net) {
    if (!net) return;
    piaa_resnet_plan_free(net->plan);
    free(net->units);
    free(net->trained);
    free(net->running);
    free(net->tensors);
    free(net);
}

/* All numbers, which the units describe by now. */
static bool allocate(piaa_resnet *net, piaa_error *error) {
    for (int i = 0; i < net->count; i++) {
        const piaa_unit *u = &net->units[i];
        net->trained_count += piaa_unit_weights(u) + 2 * (size_t)u->outputs;
        net->running_count += 2 * (size_t)u->outputs;
    }
    net->trained = piaa_alloc_array(net->trained_count, sizeof *net->trained, error);
    net->running = piaa_alloc_array(net->running_count, sizeof *net->running, error);
    if (!net->trained || !net->running) return false;
    float *trained = net->trained, *running = net->running;
    for (int i = 0; i < net->count; i++) {
        piaa_unit *u = &net->units[i];
        u->weights = trained;
        u->scale = u->weights + piaa_unit_weights(u);
        u->shift = u->scale + u->outputs;
        trained = u->shift + u->outputs;
        u->mean = running;
        u->variance = u->mean + u->outputs;
        running = u->variance + u->outputs;
    }
    net->tensors = piaa_resnet_name(net, net->trained, net->running, "", &net->tensor_count, error);
    return net->tensors != NULL;
}

int piaa_resnet_features(const piaa_resnet *net) {
    return net->units[net->count - 1].outputs;
}

const piaa_named *piaa_resnet_tensors(const piaa_resnet *net, size_t *count) {
    if (count) *count = net->tensor_count;
    return net->tensors;
}

void piaa_resnet_changed(piaa_resnet *net) {
    piaa_resnet_plan_free(net->plan);
    net->plan = NULL;
}

/* ---- a new one */

static void add_unit(piaa_resnet *net, piaa_unit unit) {
    net->units[net->count++] = unit;
}

static void add_bottleneck(piaa_resnet *net, int stage, int block, int inputs, int width) {
    const int outputs = EXPANSION * width, stride = stage && !block ? 2 : 1;
    piaa_unit u = {.stage = stage, .block = block, .stride = 1, .kernel = 1};
    u.role = PIAA_UNIT_1, u.inputs = inputs, u.outputs = width;
    add_unit(net, u);
    u.role = PIAA_UNIT_2, u.inputs = width, u.kernel = 3, u.stride = stride;
    add_unit(net, u);
    u.kernel = 1;
    if (!block) {
        u.role = PIAA_UNIT_SHORTCUT, u.inputs = inputs, u.outputs = outputs;
        add_unit(net, u);
    }
    u.role = PIAA_UNIT_3, u.inputs = width, u.outputs = outputs, u.stride = 1;
    add_unit(net, u);
}

/* Box and Muller 1958. */
static double draw_normal(piaa_random *random) {
    const double u = 1 - piaa_random_unit(random), v = piaa_random_unit(random);
    return sqrt(-2 * log(u)) * cos(2 * 3.14159265358979323846 * v);
}

static void draw(piaa_resnet *net, uint32_t seed) {
    piaa_random random;
    piaa_random_seed_numpy(&random, seed);
    for (int i = 0; i < net->count; i++) {
        const piaa_unit *u = &net->units[i];
        const double deviation = sqrt(2.0 / ((double)u->outputs * u->kernel * u->kernel));
        for (size_t k = 0; k < piaa_unit_weights(u); k++)
            u->weights[k] = (float)(deviation * draw_normal(&random));
        for (int k = 0; k < u->outputs; k++) {
            u->scale[k] = u->variance[k] = 1;
            u->shift[k] = u->mean[k] = 0;
        }
    }
}

piaa_resnet *piaa_resnet_new(int width, const int blocks[4], uint32_t seed, piaa_error *error) {
    if (!need_library(error)) return NULL;
    for (int s = 0; s < STAGES; s++) {
        if (width >= 1 && width <= 4096 && blocks[s] >= 1 && blocks[s] <= MOST_BLOCKS) continue;
        piaa_error_set(error, PIAA_USAGE, "a ResNet of width %d has no %d blocks: 1 to %d", width,
                       blocks[s], MOST_BLOCKS);
        return NULL;
    }
    piaa_resnet *net = new_net(error);
    if (!net) return NULL;
    add_unit(net, (piaa_unit){.inputs = 3, .outputs = width, .kernel = 7, .stride = 2});
    int inputs = width;
    for (int s = 0; s < STAGES; s++)
        for (int b = 0; b < blocks[s]; b++) {
            add_bottleneck(net, s, b, inputs, width << s);
            inputs = EXPANSION * (width << s);
        }
    if (allocate(net, error)) {
        draw(net, seed);
        return net;
    }
    piaa_resnet_free(net);
    return NULL;
}

/* ---- from a file */

typedef struct source {
    const piaa_safetensors *file;
    const char *where;
    spell_unit *spell;
    char prefix[PREFIX];
} source;

/* Which names the file has: whatever stands before those of the stem is the prefix of all. */
static bool find_names(source *from, piaa_error *error) {
    spell_unit *const ways[] = {spell_torchvision, spell_transformers};
    const piaa_unit stem = {.role = PIAA_UNIT_STEM};
    for (size_t w = 0; w < PIAA_COUNT(ways); w++) {
        char end[NAME];
        spell(ways[w], "", &stem, WEIGHTS, end);
        for (size_t i = 0; i < piaa_safetensors_count(from->file); i++) {
            const char *name = piaa_safetensors_at(from->file, i)->name;
            const size_t length = strlen(name), tail = strlen(end);
            if (length < tail || strcmp(name + length - tail, end) != 0) continue;
            const size_t before = length - tail;
            if (before >= sizeof from->prefix || (before && name[before - 1] != '.') ||
                strstr(name, "layer"))
                continue;
            memcpy(from->prefix, name, before);
            from->spell = ways[w];
            return true;
        }
    }
    return piaa_error_set(error, PIAA_FORMAT,
                          "%s holds no conv1.weight (nor embedder.embedder.convolution.weight): it "
                          "is no ResNet as torchvision, timm or transformers names its tensors",
                          from->where);
}

static const piaa_tensor *find(const source *from, const piaa_unit *u, part p) {
    char name[NAME];
    spell(from->spell, from->prefix, u, p, name);
    return piaa_safetensors_find(from->file, name);
}

/* Takes `outputs` of a unit from its weights; everything else of it is known. */
static bool take_outputs(const source *from, piaa_unit *u, piaa_error *error) {
    const piaa_tensor *t = find(from, u, WEIGHTS);
    char name[NAME];
    spell(from->spell, from->prefix, u, WEIGHTS, name);
    if (!t)
        return piaa_error_set(error, PIAA_FORMAT,
                              "%s holds no %s, which a ResNet of bottlenecks has", from->where,
                              name);
    if (t->dimensions != 4 || t->shape[0] < 1 || t->shape[0] > INT16_MAX ||
        t->shape[1] != u->inputs || t->shape[2] != u->kernel || t->shape[3] != u->kernel)
        return piaa_error_set(
            error, PIAA_FORMAT,
            "%s: %s has not the shape [outputs, %d, %d, %d] that the tensors before "
            "it ask for",
            from->where, name, u->inputs, u->kernel, u->kernel);
    u->outputs = (int)t->shape[0];
    return true;
}

static bool take_bottleneck(const source *from, piaa_resnet *net, int stage, int block, int *width,
                            piaa_error *error) {
    piaa_unit u = {.role = PIAA_UNIT_1,
                   .stage = stage,
                   .block = block,
                   .inputs = *width,
                   .kernel = 1,
                   .stride = 1};
    if (!take_outputs(from, &u, error)) return false;
    add_unit(net, u);
    u.role = PIAA_UNIT_2, u.inputs = u.outputs, u.kernel = 3, u.stride = stage && !block ? 2 : 1;
    if (!take_outputs(from, &u, error)) return false;
    add_unit(net, u);
    const int inner = u.outputs;
    piaa_unit shortcut = u;
    shortcut.role = PIAA_UNIT_SHORTCUT, shortcut.inputs = *width, shortcut.kernel = 1;
    const bool projects = u.stride != 1 || find(from, &shortcut, WEIGHTS);
    if (projects) {
        if (!take_outputs(from, &shortcut, error)) return false;
        add_unit(net, shortcut);
    }
    u.role = PIAA_UNIT_3, u.inputs = inner, u.kernel = 1, u.stride = 1;
    if (!take_outputs(from, &u, error)) return false;
    add_unit(net, u);
    if (u.outputs != (projects ? shortcut.outputs : *width)) {
        char name[NAME];
        spell(from->spell, from->prefix, &u, WEIGHTS, name);
        return piaa_error_set(error, PIAA_FORMAT,
                              "%s: %s makes %d channels, which cannot be added to the %d of its "
                              "shortcut",
                              from->where, name, u.outputs, projects ? shortcut.outputs : *width);
    }
    *width = u.outputs;
    return true;
}

static bool take_shapes(const source *from, piaa_resnet *net, piaa_error *error) {
    piaa_unit stem = {.role = PIAA_UNIT_STEM, .inputs = 3, .kernel = 7, .stride = 2};
    if (!take_outputs(from, &stem, error)) return false;
    add_unit(net, stem);
    int width = stem.outputs;
    for (int s = 0; s < STAGES; s++)
        for (int b = 0; b < MOST_BLOCKS; b++) {
            const piaa_unit next = {.role = PIAA_UNIT_1, .stage = s, .block = b};
            if (b && !find(from, &next, WEIGHTS)) break;
            if (!take_bottleneck(from, net, s, b, &width, error)) return false;
        }
    return true;
}

static bool take_numbers(const source *from, piaa_resnet *net, piaa_error *error) {
    for (int i = 0; i < net->count; i++) {
        const piaa_unit *u = &net->units[i];
        for (part p = 0; p < PARTS; p++) {
            const piaa_tensor *t = find(from, u, p);
            char name[NAME];
            spell(from->spell, from->prefix, u, p, name);
            if (!t) return piaa_error_set(error, PIAA_FORMAT, "%s holds no %s", from->where, name);
            if (p != WEIGHTS && (t->dimensions != 1 || t->shape[0] != u->outputs))
                return piaa_error_set(error, PIAA_FORMAT, "%s: %s is not one row of %d numbers",
                                      from->where, name, u->outputs);
            if (t->type > PIAA_BF16)
                return piaa_error_set(error, PIAA_FORMAT,
                                      "%s: %s holds %s, and not float32, float16 or bfloat16",
                                      from->where, name, t->dtype);
            float *data = part_of(net, u, p, net->trained, net->running);
            piaa_tensor_to_float(t, data);
            for (int64_t k = 0; k < piaa_tensor_count(t); k++)
                if (!isfinite(data[k]))
                    return piaa_error_set(error, PIAA_FORMAT,
                                          "%s: %s holds a value that is not finite", from->where,
                                          name);
        }
    }
    return true;
}

/* How many of the file's tensors belong to the network is known: a file with others in it is
   another network, whose other parts would be left out of the computation. */
static bool is_known(const source *from, const piaa_resnet *net, const char *name) {
    static const char *const beside[] = {"fc.", "classifier.", "head.", "attr_head.", "dis_head."};
    static const char counter[] = "num_batches_tracked";
    const size_t length = strlen(name), prefix = strlen(from->prefix);
    if (length >= sizeof counter && strcmp(name + length - (sizeof counter - 1), counter) == 0)
        return true;
    for (size_t i = 0; i < PIAA_COUNT(beside); i++) {
        const char *at = strncmp(name, from->prefix, prefix) == 0 ? name + prefix : name;
        if (strncmp(name, beside[i], strlen(beside[i])) == 0 ||
            strncmp(at, beside[i], strlen(beside[i])) == 0)
            return true;
    }
    for (int i = 0; i < net->count; i++)
        for (part p = 0; p < PARTS; p++) {
            char known[NAME];
            spell(from->spell, from->prefix, &net->units[i], p, known);
            if (strcmp(name, known) == 0) return true;
        }
    return false;
}

static bool check_rest(const source *from, const piaa_resnet *net, piaa_error *error) {
    for (size_t i = 0; i < piaa_safetensors_count(from->file); i++) {
        const char *name = piaa_safetensors_at(from->file, i)->name;
        if (!is_known(from, net, name))
            return piaa_error_set(
                error, PIAA_FORMAT,
                "%s holds %s, which a ResNet of bottlenecks has not: it is another "
                "network",
                from->where, name);
    }
    return true;
}

static bool take(const piaa_safetensors *file, piaa_resnet *net, piaa_error *error) {
    source from = {.file = file, .where = piaa_safetensors_where(file), .spell = spell_torchvision};
    return find_names(&from, error) && take_shapes(&from, net, error) && allocate(net, error) &&
           check_rest(&from, net, error) && take_numbers(&from, net, error);
}

/* PyTorch's own files: zip archives of pickles, or (before 2020) pickles. */
static bool refuse_pickle(const char *path, piaa_error *error) {
    piaa_map map;
    if (!piaa_map_open(&map, path, NULL)) return true;
    const unsigned char *b = (const unsigned char *)map.data;
    const bool pickle =
        map.size > 4 && (memcmp(b, "PK\3\4", 4) == 0 || (b[0] == 0x80 && b[1] <= 5));
    piaa_map_close(&map);
    return !pickle ||
           piaa_error_set(error, PIAA_FORMAT,
                          "%s is PyTorch's own format, which can hold programs and is not read: "
                          "make a safetensors file of it once, with scripts/resnet_weights.py "
                          "(docs/ici.md)",
                          path);
}

static piaa_resnet *open_file(const char *path, piaa_error *error) {
    if (!refuse_pickle(path, error)) return NULL;
    piaa_safetensors *file = piaa_safetensors_open(path, error);
    piaa_resnet *net = file ? new_net(error) : NULL;
    if (net && !take(file, net, error)) {
        piaa_resnet_free(net);
        net = NULL;
    }
    piaa_safetensors_close(file);
    return net;
}

piaa_resnet *piaa_resnet_open(const char *path, piaa_error *error) {
    if (piaa_error_pending(error) || !need_library(error)) return NULL;
    if (!piaa_file_is_folder(path)) return open_file(path, error);
    char *inside = piaa_path_join(path, "model.safetensors", error);
    piaa_resnet *net = inside ? open_file(inside, error) : NULL;
    free(inside);
    return net;
}

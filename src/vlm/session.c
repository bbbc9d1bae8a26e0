/* A session: from slots to a plan of blocks, from the plan to resident weights and a graph, from
   the graph's run to pooled vectors. */
#include "base/memory.h"
#include "base/processors.h"
#include "vlm/cache.h"
#include "vlm/decoder.h"
#include "vlm/device.h"
#include "vlm/model.h"
#include "vlm/remote.h"

#include <ggml-cpu.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct piaa_session {
    piaa_model *model;
    piaa_slots slots;
    piaa_session_options options;
    piaa_plan plan;
    char device_name[sizeof((piaa_device *)NULL)->name];
    char *note;
    ggml_backend_t cpu;
    ggml_backend_t device; /* NULL: the CPU alone */
    /* Gives the CPU what the device cannot do, and copies between the two. */
    ggml_backend_sched_t scheduler;
    piaa_resident *resident;
    void *weights; /* the family's structure */
    piaa_graph graph;
    piaa_cache *cache;      /* NULL: keys and values do not stay */
    unsigned char *scratch; /* of our kernels, for each thread */
    float *logits;
    struct {
        float *data;
        bool vision;
        int layer;
    } * hidden;
    int hidden_count;
};

static void make_plan(piaa_plan *plan, const piaa_slots *slots, const piaa_session_options *options,
                      const piaa_layout *layout) {
    bool *const marks[] = {[PIAA_LT] = plan->pool_text,
                           [PIAA_LT_TAIL] = plan->pool_tail,
                           [PIAA_LV] = plan->pool_image,
                           [PIAA_V] = plan->pool_vision};
    bool image = options->logits || options->hidden || options->see;
    for (size_t i = 0; i < slots->count; i++) {
        const piaa_slot *slot = &slots->items[i];
        if (slot->pool == PIAA_POOLED || slot->pool == PIAA_PROJECTED) {
            *(slot->pool == PIAA_POOLED ? &plan->pooled : &plan->projected) = true;
            plan->vision_blocks = layout->vision_blocks;
            continue;
        }
        marks[slot->pool][slot->layer] = true;
        if (slot->pool == PIAA_V) {
            int blocks = slot->layer + !layout->vision_embeddings;
            if (plan->vision_blocks < blocks) plan->vision_blocks = blocks;
            continue;
        }
        plan->embeddings = true;
        if (plan->decoder_blocks < slot->layer) plan->decoder_blocks = slot->layer;
        if (slot->pool == PIAA_LV || slot->layer > 0) image = true;
    }
    if (options->logits || options->hidden) {
        plan->embeddings = true;
        plan->decoder_blocks = layout->decoder_layers;
    }
    plan->logits = options->logits;
    plan->hidden = options->hidden;
    plan->see = options->see;
    if (options->see) plan->embeddings = true;
    if (!layout->hidden_size) {
        if (options->hidden) plan->vision_blocks = layout->vision_blocks;
        plan->embeddings = plan->logits = false;
        return;
    }
    plan->merge = image;
    if (image) plan->vision_blocks = layout->vision_blocks;
    plan->final_norm = plan->decoder_blocks == layout->decoder_layers;
}

/* Graph nodes at most. */
static size_t node_limit(const piaa_plan *plan) {
    enum { NODES_PER_BLOCK = 64, SPARE_NODES = 512 };
    return (size_t)(plan->vision_blocks + plan->decoder_blocks) * NODES_PER_BLOCK + SPARE_NODES;
}

/* Where the weights live. */
static ggml_backend_t home_of(const piaa_session *session) {
    return session->device ? session->device : session->cpu;
}

static bool open_device(piaa_session *session, piaa_error *error) {
    const char *name = session->options.device;
    ggml_backend_dev_t device = piaa_device_find(name, error);
    if (!device) return false;
    piaa_device about;
    piaa_device_describe(device, &about);
    snprintf(session->device_name, sizeof session->device_name, "%s",
             name && piaa_remote_is(name) ? name : about.name);
    session->options.device = session->device_name;
    session->cpu = ggml_backend_cpu_init();
    if (!session->cpu)
        return piaa_error_set(error, PIAA_MEMORY, "the CPU back end cannot be started");
    ggml_backend_cpu_set_n_threads(session->cpu, session->options.threads);
    if (!piaa_device_is_cpu(device)) {
        session->options.portable = true;
        session->device = ggml_backend_dev_init(device, NULL);
        if (!session->device)
            return piaa_error_set(error, PIAA_IO, "the device %s (%s) cannot be started",
                                  about.name, about.description);
    }
    ggml_backend_t order[] = {session->device, session->cpu};
    const int first = !session->device;
    /* Room for nodes and their leaves. */
    session->scheduler = ggml_backend_sched_new(order + first, NULL, 2 - first,
                                                2 * node_limit(&session->plan), false, false);
    return session->scheduler ||
           piaa_error_set(error, PIAA_MEMORY, "out of memory for the model's graph");
}

piaa_session *piaa_session_new(piaa_model *model, const piaa_slots *slots,
                               const piaa_session_options *options, piaa_error *error) {
    piaa_session *session = piaa_alloc(1, sizeof *session, error);
    if (!session) return NULL;
    session->model = model;
    session->options = *options;
    session->options.dtype = piaa_model_dtype(model, options->dtype);
    if (session->options.threads <= 0) session->options.threads = piaa_processors();
    make_plan(&session->plan, slots, options, &model->info.layout);
    session->slots.items = piaa_alloc(slots->count, sizeof *slots->items, error);
    bool ok = session->slots.items != NULL;
    if (ok) {
        if (slots->count)
            memcpy(session->slots.items, slots->items, slots->count * sizeof *slots->items);
        session->slots.count = slots->count;
        ok = open_device(session, error);
    }
    const bool portable = session->options.portable;
    if (ok && !portable) {
        session->scratch = piaa_alloc_array((size_t)session->options.threads, PIAA_SCRATCH, error);
        ok = session->scratch != NULL;
    }
    if (ok) {
        session->resident = piaa_resident_new(model->checkpoint, session->options.dtype, !portable,
                                              ggml_backend_get_device(home_of(session)), error);
        ok = session->resident != NULL;
    }
    if (ok) {
        session->weights =
            model->family->declare(model->config, session->resident, &session->plan, error);
        ok = session->weights != NULL;
    }
    ok = ok &&
         piaa_resident_load(session->resident, home_of(session), session->options.threads, error);
    const char *held = ok ? piaa_resident_note(session->resident) : NULL;
    if (ok && options->cache && session->plan.embeddings) {
        session->cache =
            piaa_cache_new(home_of(session), session->plan.decoder_blocks, options->cache, error);
        ok = session->cache != NULL;
    }
    if (held && ok) {
        session->note = piaa_format(error, "the device %s cannot multiply them otherwise: %s",
                                    session->device_name, held);
        ok = session->note != NULL;
    }
    if (ok) return session;
    piaa_session_free(session);
    return NULL;
}

static void free_results(piaa_session *session) {
    for (int i = 0; i < session->hidden_count; i++) free(session->hidden[i].data);
    free(session->hidden);
    free(session->logits);
    session->hidden = NULL;
    session->logits = NULL;
    session->hidden_count = 0;
}

static void free_graph(piaa_graph *graph) {
    piaa_graph_free_nodes(graph);
    ggml_free(graph->context);
    free(graph->outputs);
    *graph = (piaa_graph){0};
}

void piaa_session_free(piaa_session *session) {
    if (!session) return;
    free_results(session);
    free_graph(&session->graph);
    piaa_cache_free(session->cache);
    free(session->scratch);
    free(session->weights);
    ggml_backend_sched_free(session->scheduler);
    piaa_resident_free(session->resident);
    ggml_backend_free(session->device);
    ggml_backend_free(session->cpu);
    free(session->note);
    piaa_slots_free(&session->slots);
    free(session);
}

piaa_dtype piaa_session_dtype(const piaa_session *session) {
    return session->options.dtype;
}

size_t piaa_session_weight_bytes(const piaa_session *session) {
    return piaa_resident_bytes(session->resident);
}

const char *piaa_session_device(const piaa_session *session) {
    return session->device_name;
}

const char *piaa_session_note(const piaa_session *session) {
    return session->note;
}

const float *piaa_session_logits(const piaa_session *session) {
    return session->logits;
}

const float *piaa_session_hidden(const piaa_session *session, bool vision, int layer) {
    for (int i = 0; i < session->hidden_count; i++)
        if (session->hidden[i].vision == vision && session->hidden[i].layer == layer)
            return session->hidden[i].data;
    return NULL;
}

int piaa_session_kept(const piaa_session *session) {
    return session->cache ? piaa_cache_kept(session->cache) : 0;
}

size_t piaa_session_cache_bytes(const piaa_session *session) {
    return session->cache ? piaa_cache_bytes(session->cache) : 0;
}

double piaa_session_flops(const piaa_session *session) {
    return session->graph.flops;
}

double piaa_session_bytes(const piaa_session *session) {
    return session->graph.bytes;
}

/* ------------------------------------------------------------------------------------------ run */

/* Room in the cache for what this input adds to it. */
static bool begin_cache(piaa_session *session, const piaa_model_input *input, piaa_error *error) {
    const piaa_decoder_input *text = piaa_model_input_text(input);
    if (!text) return true;
    if (session->cache) return piaa_cache_begin(session->cache, text->past, text->tokens, error);
    return !text->past || piaa_error_set(error, PIAA_USAGE,
                                         "a text that goes on needs a session that has a cache");
}

static bool build(piaa_session *session, const piaa_model_input *input, const piaa_plan *plan,
                  piaa_error *error) {
    const size_t nodes = node_limit(plan);
    piaa_graph *graph = &session->graph;
    free_graph(graph);
    if (!plan->sight && !begin_cache(session, input, error)) return false;
    graph->context = ggml_init((struct ggml_init_params){
        .mem_size = nodes * ggml_tensor_overhead() + ggml_graph_overhead_custom(nodes, false),
        .no_alloc = true});
    if (!graph->context)
        return piaa_error_set(error, PIAA_MEMORY, "out of memory for the model's graph");
    graph->nodes = ggml_new_graph_custom(graph->context, nodes, false);
    const piaa_dtype dtype = session->options.dtype;
    graph->rounds_keys = dtype != PIAA_DTYPE_F32;
    graph->kernels = session->options.portable ? NULL : piaa_kernels_find(graph->rounds_keys);
    if (!graph->kernels && !session->options.portable) graph->kernels = piaa_kernels_find(false);
    graph->narrow = graph->kernels && graph->kernels->bfloat16 && dtype == PIAA_DTYPE_BF16;
    graph->scratch = session->scratch;
    graph->device = session->device ? ggml_backend_get_device(session->device) : NULL;
    graph->cache = session->cache;
    const piaa_family *family = session->model->family;
    if (input->text)
        family->build_text(session->model->config, session->weights, input->text, plan, graph);
    else
        family->build(session->model->config, session->weights, input->own, plan, graph);
    if (piaa_error_pending(&graph->error))
        return piaa_error_set(error, graph->error.code, "%s", graph->error.message);
    ggml_backend_sched_reset(session->scheduler);
    if (!ggml_backend_sched_alloc_graph(session->scheduler, graph->nodes))
        return piaa_error_set(
            error, PIAA_MEMORY,
            "no room for the hidden states of %d tokens: set a lower --max-pixels", input->tokens);
    for (int i = 0; i < graph->input_count; i++) {
        struct ggml_tensor *tensor = graph->inputs[i].tensor;
        if (tensor->buffer)
            ggml_backend_tensor_set(tensor, graph->inputs[i].data, 0, ggml_nbytes(tensor));
    }
    return true;
}

static bool read_pools(piaa_session *session, float *out, piaa_error *error) {
    const piaa_graph *graph = &session->graph;
    for (size_t i = 0; i < session->slots.count; i++) {
        const piaa_slot *slot = &session->slots.items[i];
        const piaa_graph_output *found = NULL;
        for (size_t j = 0; j < graph->output_count && !found; j++)
            if (graph->outputs[j].pool == slot->pool && graph->outputs[j].layer == slot->layer)
                found = &graph->outputs[j];
        if (!found)
            return piaa_error_set(error, PIAA_USAGE, "layer %d of %s was not computed", slot->layer,
                                  piaa_pool_name(slot->pool));
        ggml_backend_tensor_get(found->tensor, out, found->tensor->nb[1] * (size_t)found->column,
                                (size_t)slot->dim * sizeof(float));
        out += slot->dim;
    }
    return true;
}

static bool read_kept(piaa_session *session, piaa_error *error) {
    const piaa_graph *graph = &session->graph;
    free_results(session);
    if (!session->options.hidden && !session->options.logits) return true;
    session->hidden = piaa_alloc(graph->output_count, sizeof *session->hidden, error);
    if (!session->hidden) return false;
    for (size_t i = 0; i < graph->output_count; i++) {
        const piaa_graph_output *output = &graph->outputs[i];
        if (output->pool != PIAA_POOLS) continue;
        float *data = piaa_alloc_array(ggml_nbytes(output->tensor), 1, error);
        if (!data) return false;
        ggml_backend_tensor_get(output->tensor, data, 0, ggml_nbytes(output->tensor));
        if (output->layer < 0) {
            session->logits = data;
        } else {
            session->hidden[session->hidden_count].data = data;
            session->hidden[session->hidden_count].vision = output->vision;
            session->hidden[session->hidden_count++].layer = output->layer;
        }
    }
    return true;
}

static bool compute(piaa_session *session, piaa_error *error) {
    /* Threads meet at a barrier after each of some thousand nodes.  Where a node takes
     * microseconds, that costs more than it brings, and on a busy machine, where one of them may be
     * waiting for its turn, a hundred times more (demonstration model: 2.66 s against 0.03 s). */
    static const double worth_threads = 8e9;
    /* A token after a token multiplies little and reads all the weights, for which one core is not
       fast enough. */
    static const double worth_reading = 64e6;
    const bool small =
        session->graph.flops < worth_threads &&
        (session->graph.bytes < worth_reading || session->graph.flops > 16 * session->graph.bytes);
    ggml_backend_cpu_set_n_threads(session->cpu, small ? 1 : session->options.threads);
    const enum ggml_status status =
        ggml_backend_sched_graph_compute(session->scheduler, session->graph.nodes);
    return status == GGML_STATUS_SUCCESS ||
           piaa_error_set(error,
                          status == GGML_STATUS_ALLOC_FAILED ? PIAA_MEMORY : PIAA_UNSUPPORTED,
                          "the model could not be run (%s)", ggml_status_to_string(status));
}

bool piaa_session_run(piaa_session *session, const piaa_model_input *input, float *out,
                      piaa_error *error) {
    if (!build(session, input, &session->plan, error) || !compute(session, error)) return false;
    if (session->cache) piaa_cache_end(session->cache);
    return (!out || read_pools(session, out, error)) && read_kept(session, error);
}

/* Features, and what is added to them, lie one after the other. */
static bool read_sight(const piaa_session *session, piaa_sight *out, piaa_error *error) {
    const piaa_graph *graph = &session->graph;
    const size_t values = (size_t)out->rows * (size_t)out->columns * (size_t)out->hidden;
    for (size_t i = 0; i < graph->output_count; i++)
        if (graph->outputs[i].layer <= -2 - out->added) out->added = -1 - graph->outputs[i].layer;
    out->features = piaa_alloc_array((size_t)(1 + out->added) * values, sizeof(float), error);
    if (!out->features) return false;
    for (size_t i = 0; i < graph->output_count; i++)
        if (graph->outputs[i].layer < 0)
            ggml_backend_tensor_get(graph->outputs[i].tensor,
                                    out->features + (size_t)(-1 - graph->outputs[i].layer) * values,
                                    0, values * sizeof(float));
    return true;
}

bool piaa_session_see(piaa_session *session, const piaa_model_input *input, piaa_sight *out,
                      piaa_error *error) {
    const piaa_decoder_input *text = piaa_model_input_text(input);
    *out = (piaa_sight){0};
    if (!text || !text->image_count || !session->plan.merge)
        return piaa_error_set(error, PIAA_USAGE, "no photo is read for a decoder here");
    piaa_plan plan = session->plan;
    plan.sight = true;
    out->rows = text->images->rows;
    out->columns = text->images->columns;
    out->hidden = session->model->info.layout.hidden_size;
    return build(session, input, &plan, error) && compute(session, error) &&
           read_sight(session, out, error);
}

void piaa_sight_free(piaa_sight *sight) {
    free(sight->features);
    *sight = (piaa_sight){0};
}

/* -------------------------------------------------------------------------------------- profile */

enum { KINDS = 256 };

typedef struct profile {
    struct {
        char name[96];
        int64_t microseconds;
        int count;
    } kinds[KINDS];
    int kind_count;
    int64_t total, start;
} profile;

static void note_time(profile *p, struct ggml_tensor *node, int64_t spent) {
    char name[96];
    if (node->op == GGML_OP_MUL_MAT)
        snprintf(name, sizeof name, "%s %lldx%lld (%s)", ggml_op_desc(node),
                 (long long)node->src[0]->ne[0], (long long)node->src[0]->ne[1],
                 ggml_type_name(node->src[0]->type));
    else
        snprintf(name, sizeof name, "%s%s%s", ggml_op_desc(node), node->name[0] ? " " : "",
                 node->op == GGML_OP_CUSTOM ? node->name : "");
    int k = 0;
    while (k < p->kind_count && strcmp(p->kinds[k].name, name) != 0) k++;
    if (k == KINDS) k = KINDS - 1;
    if (k == p->kind_count) {
        memcpy(p->kinds[k].name, name, sizeof name);
        p->kinds[k].microseconds = 0;
        p->kinds[k].count = 0;
        p->kind_count++;
    }
    p->kinds[k].microseconds += spent;
    p->kinds[k].count++;
    p->total += spent;
}

/* The scheduler asks before and tells after each node. */
static bool on_node(struct ggml_tensor *node, bool ask, void *user) {
    profile *p = user;
    if (ask)
        p->start = ggml_time_us();
    else
        note_time(p, node, ggml_time_us() - p->start);
    return true;
}

/* Runs node by node: slower in sum than a whole run by the threads' starts, but it tells where the
   time goes. */
char *piaa_session_profile(piaa_session *session, const piaa_model_input *input, float *out,
                           piaa_error *error) {
    profile *p = piaa_alloc(1, sizeof *p, error);
    piaa_text text = {0};
    bool ok = p && build(session, input, &session->plan, error);
    if (ok) {
        ggml_backend_sched_set_eval_callback(session->scheduler, on_node, p);
        ok = compute(session, error);
        ggml_backend_sched_set_eval_callback(session->scheduler, NULL, NULL);
    }
    ok = ok && piaa_text_format(&text, error, "node,count,seconds,share\n");
    for (int i = 0; ok && i < p->kind_count; i++)
        ok = piaa_text_format(&text, error, "%s,%d,%.4f,%.3f\n", p->kinds[i].name,
                              p->kinds[i].count, (double)p->kinds[i].microseconds / 1e6,
                              p->total ? (double)p->kinds[i].microseconds / (double)p->total : 0.0);
    ok = ok && read_pools(session, out, error);
    free(p);
    if (ok) return text.data;
    free(text.data);
    return NULL;
}

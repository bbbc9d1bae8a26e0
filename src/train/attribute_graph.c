/*
 * A person has nodes u_i (five embeddings of words and five w_j x_j + b_j; reduced: one embedding),
 * a photo nodes v_k = w a_k + b of its attributes a.  U and V are the sums of either, ' of matrices
 * is transposed:
 *
 *     inner   e_i = sum over j of MLP([n_i; n_j])              each side its own (…_layers.c)
 *     outer   c_i = Pu (u_i * V) + pu,   c_k = Pv (v_k * U) + pv;   reduced: 0
 *     join    x = G [e; c] + g = Ge e + g + Gc c               the same G for both sides
 *     cell    n' = GRU(x, n)                                   each side its own (…_layers.c)
 *     score   y = B2 relu(B1 [sum of u'; sum of v'] + b1) + b2 + q d + q0,   d the photo's shares
 *
 *     L = sum over rows of (y - score)^2 / rows
 *
 * The photos' attributes come into y through sums alone: without identities of their own they could
 * change places.
 *
 * What a person has beside no photo (u, e, Ge e + g, Wi (Ge e + g) + bi, Wh u + bh, U) is computed
 * once for each person of a batch.  A row adds Wi Gc c to the gates, and goes through the cell.
 *
 * Back, with d… the gradient of …, after the score and the cells (whose dn and dx are known):
 *
 *     dG = dx' [e; c],   dg = sum of dx,   de = Ge' dx,   dc = Gc' dx
 *     dPu = dc' (u * V),   dpu = sum of dc,   t_i = Pu' dc_i
 *     du_i += t_i * V,   dV += sum over i of t_i * u_i;   and so with Pv, v, U
 *     du_i += dU,   dv_k += dV,   then through the pairs and into the embeddings, w and b
 *
 * of which people's parts are summed over each person's rows first.
 */
#include "train/attribute_graph_parts.h"

#include "base/memory.h"
#include "base/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const piaa_graph_categories[PIAA_GRAPH_CATEGORIES] = {
    "age", "gender", "EducationalLevel", "artExperience", "photographyExperience"};

const piaa_graph_shape piaa_graph_published = {
    .attributes = 7, .bins = 9, .width = 64, .hidden = 256};

/* ---------------------------------------------------------------------------------- the weights */

enum { MOST_SIZE = 1 << 20, MOST_NODES = 1 << 10, MOST_WIDTH = 1 << 13 };

static bool check_shape(const piaa_graph_shape *s, piaa_error *error) {
    if (s->attributes < 1 || s->attributes > MOST_NODES || s->bins < 1 || s->bins > MOST_SIZE ||
        s->width < 1 || s->width > MOST_WIDTH || s->hidden < 1 || s->hidden > MOST_WIDTH ||
        s->users < 1 || s->users > MOST_SIZE)
        return piaa_error_set(error, PIAA_USAGE,
                              "no attribute graph has %d attributes, %d bins, nodes of %d and %d "
                              "numbers, and %d people",
                              s->attributes, s->bins, s->width, s->hidden, s->users);
    for (int i = 0; s->full && i < PIAA_GRAPH_CATEGORIES; i++)
        if (s->words[i] < 1 || s->words[i] > MOST_SIZE)
            return piaa_error_set(error, PIAA_USAGE,
                                  "an attribute graph needs words for people's %s, not %d",
                                  piaa_graph_categories[i], s->words[i]);
    return s->full || !s->user_node ||
           piaa_error_set(error, PIAA_UNSUPPORTED,
                          "a graph that is reduced has the person as its only node already");
}

static size_t take(size_t *at, int64_t rows, int64_t columns) {
    const size_t begin = *at;
    *at += (size_t)(rows * columns);
    return begin;
}

static piaa_graph_layer take_layer(size_t *at, int64_t outputs, int64_t inputs) {
    piaa_graph_layer layer = {.weight = take(at, outputs, inputs)};
    layer.bias = take(at, outputs, 1);
    return layer;
}

static piaa_graph_side take_side(size_t *at, const piaa_graph_shape *s) {
    piaa_graph_side side = {.first = take_layer(at, s->hidden, 2 * s->width)};
    side.second = take_layer(at, s->width, s->hidden);
    if (s->full) side.outer = take_layer(at, s->width, s->width);
    side.input = take_layer(at, 3 * s->width, s->width);
    side.state = take_layer(at, 3 * s->width, s->width);
    return side;
}

static piaa_graph_layout lay_out(const piaa_graph_shape *s) {
    piaa_graph_layout l = {0};
    size_t at = 0;
    l.users = take(&at, s->users, s->width);
    l.users_end = at;
    l.hidden = take_layer(&at, s->hidden, 2 * s->width);
    l.score = take_layer(&at, 1, s->hidden);
    l.bins = take_layer(&at, 1, s->bins);
    l.head_end = at;
    for (int i = 0; s->full && i < PIAA_GRAPH_CATEGORIES; i++)
        l.words[i] = take(&at, s->words[i], s->width);
    for (int i = 0; s->full && i < PIAA_GRAPH_NUMBERS; i++)
        l.numbers[i] = take_layer(&at, s->width, 1);
    l.attribute = take_layer(&at, s->width, 1);
    for (int k = 1; s->attribute_identity && k < s->attributes; k++) take_layer(&at, s->width, 1);
    l.people = take_side(&at, s);
    l.photos = take_side(&at, s);
    l.join = take_layer(&at, s->width, 2 * s->width);
    l.count = at;
    return l;
}

/* ---------------------------------------------------------------------------------------- names */

/* A list that grows, over numbers laid out as the graph's. */
typedef struct names {
    piaa_named *list; /* NULL: they are only counted */
    float *values;
    size_t count;
} names;

static void add(names *n, size_t at, int dimensions, int64_t rows, int64_t columns,
                const char *name, const char *suffix) {
    if (n->list) {
        piaa_named *one = &n->list[n->count];
        *one = (piaa_named){
            .dimensions = dimensions, .shape = {rows, columns}, .data = n->values + at};
        if (dimensions == 1) one->shape[1] = 0;
        snprintf(one->name, sizeof one->name, "%s%s", name, suffix);
    }
    n->count++;
}

static void add_layer(names *n, piaa_graph_layer layer, int64_t outputs, int64_t inputs,
                      const char *name) {
    add(n, layer.weight, 2, outputs, inputs, name, ".weight");
    add(n, layer.bias, 1, outputs, 1, name, ".bias");
}

/* side: "user" or "img" */
static void add_side(names *n, const piaa_graph_shape *s, const piaa_graph_side *side,
                     const char *which) {
    char name[64];
    snprintf(name, sizeof name, "int_mlp_%s.net.0", which);
    add_layer(n, side->first, s->hidden, 2 * s->width, name);
    snprintf(name, sizeof name, "int_mlp_%s.net.2", which);
    add_layer(n, side->second, s->width, s->hidden, name);
    snprintf(name, sizeof name, "ext_proj_%s", which);
    if (s->full) add_layer(n, side->outer, s->width, s->width, name);
    snprintf(name, sizeof name, "gru_%s.", which);
    add(n, side->input.weight, 2, 3 * s->width, s->width, name, "weight_ih");
    add(n, side->state.weight, 2, 3 * s->width, s->width, name, "weight_hh");
    add(n, side->input.bias, 1, 3 * s->width, 1, name, "bias_ih");
    add(n, side->state.bias, 1, 3 * s->width, 1, name, "bias_hh");
}

static void add_traits(names *n, const piaa_graph_shape *s, const piaa_graph_layout *l) {
    char name[64];
    for (int i = 0; i < PIAA_GRAPH_CATEGORIES; i++) {
        snprintf(name, sizeof name, "user_cat_emb.%s", piaa_graph_categories[i]);
        add(n, l->words[i], 2, s->words[i], s->width, name, ".weight");
    }
    for (int i = 0; i < PIAA_GRAPH_NUMBERS; i++) {
        snprintf(name, sizeof name, "user_num_proj.%d", i);
        add_layer(n, l->numbers[i], s->width, 1, name);
    }
}

static void add_attributes(names *n, const piaa_graph_shape *s, const piaa_graph_layout *l) {
    const size_t stride = piaa_graph_stride(s);
    if (!stride) add_layer(n, l->attribute, s->width, 1, "img_node_proj");
    for (int k = 0; stride && k < s->attributes; k++) {
        char name[64];
        const size_t at = (size_t)k * stride;
        snprintf(name, sizeof name, "img_node_proj.%d", k);
        add_layer(n, (piaa_graph_layer){l->attribute.weight + at, l->attribute.bias + at}, s->width,
                  1, name);
    }
}

static void add_all(names *n, const piaa_graph_shape *s, const piaa_graph_layout *l) {
    n->count = 0;
    add_attributes(n, s, l);
    add(n, l->users, 2, s->users, s->width, "user_id_emb", ".weight");
    if (s->full) add_traits(n, s, l);
    add_side(n, s, &l->people, "user");
    add_side(n, s, &l->photos, "img");
    add_layer(n, l->join, s->width, 2 * s->width, "gru_in");
    add_layer(n, l->hidden, s->hidden, 2 * s->width, "bias_mlp.0");
    add_layer(n, l->score, 1, s->hidden, "bias_mlp.2");
    add_layer(n, l->bins, 1, s->bins, "dis_fc");
}

piaa_named *piaa_graph_name(const piaa_graph *graph, float *values, size_t *count,
                            piaa_error *error) {
    names n = {.values = values};
    add_all(&n, &graph->shape, &graph->layout);
    n.list = piaa_alloc(n.count, sizeof *n.list, error);
    if (n.list) add_all(&n, &graph->shape, &graph->layout);
    *count = n.count;
    return n.list;
}

/* ------------------------------------------------------------------------------- random numbers */

static void draw_uniform(piaa_random *random, float *out, int64_t count, double range) {
    for (int64_t i = 0; i < count; i++)
        out[i] = (float)((2 * piaa_random_unit(random) - 1) * range);
}

/* Standard normal (Box & Muller 1958). */
static void draw_normal(piaa_random *random, float *out, size_t count) {
    static const double turn = 6.283185307179586;
    for (size_t i = 0; i < count; i += 2) {
        const double radius = sqrt(-2 * log(1 - piaa_random_unit(random))),
                     angle = turn * piaa_random_unit(random);
        out[i] = (float)(radius * cos(angle));
        if (i + 1 < count) out[i + 1] = (float)(radius * sin(angle));
    }
}

/* By what a tensor's name says it is; a bias has the range of the weight before it. */
static void draw(piaa_graph *graph, uint32_t seed) {
    piaa_random random;
    int64_t inputs = 1;
    piaa_random_seed_numpy(&random, seed);
    for (size_t i = 0; i < graph->tensor_count; i++) {
        const piaa_named *t = &graph->tensors[i];
        const int64_t values = piaa_named_values(t);
        if (t->dimensions == 2) inputs = t->shape[1];
        if (strstr(t->name, "_emb."))
            draw_normal(&random, t->data, (size_t)values);
        else
            draw_uniform(&random, t->data, values, 1 / sqrt((double)inputs));
    }
}

/* ----------------------------------------------------------------------------------- the handle */

/* Its numbers are not set. */
static piaa_graph *graph_new(const piaa_graph_shape *shape, piaa_error *error) {
    if (!check_shape(shape, error)) return NULL;
    piaa_graph *graph = piaa_alloc(1, sizeof *graph, error);
    if (!graph) return NULL;
    graph->shape = *shape;
    graph->layout = lay_out(shape);
    graph->user_nodes =
        shape->full ? PIAA_GRAPH_CATEGORIES + PIAA_GRAPH_NUMBERS + shape->user_node : 1;
    graph->values = piaa_alloc_array(graph->layout.count, sizeof *graph->values, error);
    if (graph->values)
        graph->tensors = piaa_graph_name(graph, graph->values, &graph->tensor_count, error);
    if (graph->tensors) return graph;
    piaa_graph_free(graph);
    return NULL;
}

piaa_graph *piaa_graph_new(const piaa_graph_shape *shape, uint32_t seed, piaa_error *error) {
    piaa_graph *graph = graph_new(shape, error);
    if (graph) draw(graph, seed);
    return graph;
}

void piaa_graph_free(piaa_graph *graph) {
    if (!graph) return;
    free(graph->values);
    free(graph->tensors);
    free(graph);
}

const piaa_graph_shape *piaa_graph_get_shape(const piaa_graph *graph) {
    return &graph->shape;
}

const piaa_named *piaa_graph_tensors(const piaa_graph *graph, size_t *count) {
    if (count) *count = graph->tensor_count;
    return graph->tensors;
}

piaa_graph *piaa_graph_for_people(const piaa_graph *prior, int people, uint32_t seed,
                                  piaa_error *error) {
    piaa_graph_shape shape = prior->shape;
    shape.users = people;
    piaa_graph *graph = graph_new(&shape, error);
    if (!graph) return NULL;
    piaa_random random;
    piaa_random_seed_numpy(&random, seed);
    draw_normal(&random, graph->values + graph->layout.users, graph->layout.users_end);
    memcpy(graph->values + graph->layout.users_end, prior->values + prior->layout.users_end,
           (prior->layout.count - prior->layout.users_end) * sizeof *prior->values);
    return graph;
}

static bool same_shape(const piaa_graph_shape *a, const piaa_graph_shape *b) {
    bool same = a->attributes == b->attributes && a->bins == b->bins && a->width == b->width &&
                a->hidden == b->hidden && a->users == b->users && a->full == b->full &&
                a->user_node == b->user_node && a->attribute_identity == b->attribute_identity;
    for (int i = 0; a->full && i < PIAA_GRAPH_CATEGORIES; i++)
        same = same && a->words[i] == b->words[i];
    return same;
}

bool piaa_graph_assign(piaa_graph *to, const piaa_graph *from) {
    if (!same_shape(&to->shape, &from->shape)) return false;
    memcpy(to->values, from->values, from->layout.count * sizeof *from->values);
    return true;
}

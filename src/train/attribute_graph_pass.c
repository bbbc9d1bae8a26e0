/*
 * A batch's way through the graph and back.
 *
 * Rows are put in the order of their people.  Then: what belongs to each person alone, forwards;
 * each row forwards and back, which leaves gradients of what belongs to its person, summed over the
 * person's rows in a block; and each person back.  Blocks are of one size, and shared out to jobs
 * by their number alone; each job adds to gradients of its own.
 *
 * Of a step on 256 ratings of 159 people at the published sizes products are 62 %, cells 14 % (two
 * thirds of it exponentials), pairs 9 %, adding up gradients and Adam 4 % (bench/graph.py, perf).
 *
 * The letters are those of attribute_graph.c.
 */
#include "train/attribute_graph_parts.h"

#include "base/blas.h"
#include "base/memory.h"
#include "base/processors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = PIAA_GRAPH_BLOCK, JOBS = PIAA_GRAPH_JOBS };

/* --------------------------------------------------------------------------------------- memory */

typedef struct part {
    float **where;
    size_t count;
} part;

/* One allocation for all parts, each beginning on a cache line of its own; NULL and an error if
   there is none. */
static float *share_out(const part *parts, size_t count, piaa_error *error) {
    enum { LINE = 16 };
    size_t all = 0;
    for (size_t i = 0; i < count; i++) all += (parts[i].count + LINE - 1) / LINE * LINE;
    float *memory = piaa_alloc_array(all, sizeof *memory, error), *at = memory;
    for (size_t i = 0; memory && i < count; i++) {
        *parts[i].where = at;
        at += (parts[i].count + LINE - 1) / LINE * LINE;
    }
    return memory;
}

static bool people_room(piaa_graph_pass *p, piaa_error *error) {
    piaa_graph_people *s = &p->side;
    const size_t people = (size_t)p->plan.people, runs = (size_t)p->plan.run_count;
    if (people <= s->people_room && runs <= s->run_room) return true;
    const size_t d = (size_t)p->graph->shape.width, h = (size_t)p->graph->shape.hidden,
                 nodes = people * (size_t)p->graph->user_nodes,
                 sums = p->trains ? runs * (size_t)p->graph->user_nodes : 0;
    free(s->memory);
    *s = (piaa_graph_people){0};
    const part parts[] = {{&s->nodes, nodes * d},
                          {&s->left, nodes * h},
                          {&s->right, nodes * h},
                          {&s->sums, nodes * h},
                          {&s->inner, nodes * d},
                          {&s->joined, nodes * d},
                          {&s->gates, nodes * 3 * d},
                          {&s->state, nodes * 3 * d},
                          {&s->total, people * d},
                          {&s->dgates, sums * 3 * d},
                          {&s->dstate, sums * d},
                          {&s->dnodes, sums * d},
                          {&s->dtotal, p->trains ? runs * d : 0}};
    s->memory = share_out(parts, PIAA_COUNT(parts), error);
    if (!s->memory) return false;
    s->people_room = people;
    s->run_room = runs;
    return true;
}

static bool job_room(const piaa_graph_pass *p, piaa_graph_room *r, piaa_error *error) {
    if (r->memory) return true;
    const piaa_graph_shape *s = &p->graph->shape;
    const size_t d = (size_t)s->width, h = (size_t)s->hidden,
                 photos = (size_t)BLOCK * (size_t)s->attributes,
                 people = (size_t)BLOCK * (size_t)p->graph->user_nodes,
                 most = p->trains ? photos > people ? photos : people : 0,
                 rows = p->trains ? BLOCK : 0, meet = s->full ? 1 : 0;
    const part parts[] = {{&r->v, photos * d},
                          {&r->left, photos * h},
                          {&r->right, photos * h},
                          {&r->sums, photos * h},
                          {&r->inner, photos * d},
                          {&r->outer_in, meet * photos * d},
                          {&r->outer, meet * photos * d},
                          {&r->joined, photos * d},
                          {&r->gates, photos * 3 * d},
                          {&r->state, photos * 3 * d},
                          {&r->total, BLOCK * d},
                          {&r->u_outer_in, meet * people * d},
                          {&r->u_outer, meet * people * d},
                          {&r->u_joined, meet * people * d},
                          {&r->u_gates, people * 3 * d},
                          {&r->read, BLOCK * 2 * d},
                          {&r->hidden, BLOCK * h},
                          {&r->score, BLOCK},
                          {&r->dread, rows * 2 * d},
                          {&r->dtotal, rows * d},
                          {&r->dnodes, most * d},
                          {&r->dgates, most * 3 * d},
                          {&r->dstate, most * 3 * d},
                          {&r->djoined, most * d},
                          {&r->dinner, most * d},
                          {&r->dpairs, most * 3 * h},
                          {&r->gradients, p->trains ? p->graph->layout.count : 0}};
    r->memory = share_out(parts, PIAA_COUNT(parts), error);
    return r->memory != NULL;
}

/* -------------------------------------------------------------------------------- linear layers */

/* y [rows][outputs] = W x + b */
static void apply(piaa_graph_linear layer, const float *x, int64_t rows, int64_t inputs,
                  int64_t outputs, float *y) {
    piaa_graph_fill_rows(layer.bias, rows, outputs, y);
    piaa_multiply_bt(rows, outputs, inputs, 1, x, inputs, layer.weight, inputs, 1, y, outputs);
}

/* dW += dy' x, db += sum of dy */
static void apply_back(piaa_graph_linear d, const float *x, const float *dy, int64_t rows,
                       int64_t inputs, int64_t outputs) {
    piaa_multiply_at(outputs, inputs, rows, 1, dy, outputs, x, inputs, 1, d.weight, inputs);
    piaa_graph_add_rows(dy, rows, outputs, d.bias);
}

/* The half of G for e (0) or c (1), [width][width] in rows of 2 width: y (+)= x G' … */
static void join(const float *half, const float *x, int64_t rows, int64_t width, float *y) {
    piaa_multiply_bt(rows, width, width, 1, x, width, half, 2 * width, 1, y, width);
}

/* … and back: dG += dy' x, dx = dy G. */
static void join_back(const float *half, float *dhalf, const float *x, const float *dy,
                      int64_t rows, int64_t width, float *dx) {
    piaa_multiply_at(width, width, rows, 1, dy, width, x, width, 1, dhalf, 2 * width);
    piaa_multiply(rows, width, width, 1, dy, width, half, 2 * width, 0, dx, width);
}

/* out [nodes][width] = nodes * total, number by number */
static void meet(const float *nodes, const float *total, int64_t count, int64_t width, float *out) {
    for (int64_t i = 0; i < count; i++)
        for (int64_t k = 0; k < width; k++) out[i * width + k] = nodes[i * width + k] * total[k];
}

/* Back, with t the gradient of what meet() made. */
static void meet_back(const float *nodes, const float *total, const float *t, int64_t count,
                      int64_t width, float *dnodes, float *dtotal) {
    for (int64_t i = 0; i < count; i++)
        for (int64_t k = 0; k < width; k++) {
            dnodes[i * width + k] += t[i * width + k] * total[k];
            dtotal[k] += t[i * width + k] * nodes[i * width + k];
        }
}

/* --------------------------------------------------------------------------------------- people */

/* u [nodes][width] */
static void make_nodes(const piaa_graph_pass *p, int64_t user, float *u) {
    const piaa_graph *g = p->graph;
    const size_t d = (size_t)g->shape.width, bytes = d * sizeof *u;
    for (int i = 0; g->shape.full && i < PIAA_GRAPH_CATEGORIES; i++, u += d)
        memcpy(u, g->values + g->layout.words[i] + (size_t)piaa_graph_words_of(p, user)[i] * d,
               bytes);
    for (int i = 0; g->shape.full && i < PIAA_GRAPH_NUMBERS; i++, u += d) {
        const piaa_graph_linear layer = piaa_graph_at(g->values, g->layout.numbers[i]);
        const float x = piaa_graph_numbers_of(p, user)[i];
        for (size_t k = 0; k < d; k++) u[k] = layer.weight[k] * x + layer.bias[k];
    }
    if (!g->shape.full || g->shape.user_node)
        memcpy(u, g->values + g->layout.users + (size_t)user * d, bytes);
}

static bool people_forward(void *user, size_t block, piaa_error *error) {
    PIAA_UNUSED(error);
    const piaa_graph_pass *p = user;
    const piaa_graph *g = p->graph;
    const piaa_graph_people *s = &p->side;
    const piaa_graph_layout *l = &g->layout;
    const int64_t d = g->shape.width, h = g->shape.hidden, n = g->user_nodes,
                  from = (int64_t)block * BLOCK, end = piaa_crew_end(block, p->plan.people, BLOCK),
                  at = from * n, count = (end - from) * n;
    memset(s->total + from * d, 0, (size_t)((end - from) * d) * sizeof *s->total);
    for (int64_t i = from; i < end; i++) {
        make_nodes(p, p->plan.users[i], s->nodes + i * n * d);
        piaa_graph_add_rows(s->nodes + i * n * d, n, d, s->total + i * d);
    }
    const piaa_graph_pairs pairs = {.nodes = s->nodes + at * d,
                                    .left = s->left + at * h,
                                    .right = s->right + at * h,
                                    .sums = s->sums + at * h,
                                    .out = s->inner + at * d};
    piaa_graph_pairs_forward(piaa_graph_at(g->values, l->people.first),
                             piaa_graph_at(g->values, l->people.second), &pairs, end - from, (int)n,
                             (int)d, (int)h);
    const piaa_graph_linear both = piaa_graph_at(g->values, l->join);
    piaa_graph_fill_rows(both.bias, count, d, s->joined + at * d);
    join(both.weight, s->inner + at * d, count, d, s->joined + at * d);
    apply(piaa_graph_at(g->values, l->people.input), s->joined + at * d, count, d, 3 * d,
          s->gates + at * 3 * d);
    apply(piaa_graph_at(g->values, l->people.state), s->nodes + at * d, count, d, 3 * d,
          s->state + at * 3 * d);
    return true;
}

/* The gradients of a person's runs, added up in their order, into the room's nodes i n …; dU into
   each of du. */
static void gather_runs(const piaa_graph_pass *p, const piaa_graph_room *r, int64_t person,
                        int64_t i) {
    const int64_t d = p->graph->shape.width, n = p->graph->user_nodes;
    const piaa_graph_people *s = &p->side;
    float *gates = r->dgates + i * n * 3 * d, *state = r->dstate + i * n * 3 * d,
          *nodes = r->dnodes + i * n * d;
    memset(gates, 0, (size_t)(n * 3 * d) * sizeof *gates);
    memset(state, 0, (size_t)(n * 3 * d) * sizeof *state);
    memset(nodes, 0, (size_t)(n * d) * sizeof *nodes);
    for (int64_t run = p->plan.runs_of[person]; run < p->plan.runs_of[person + 1]; run++) {
        for (int64_t k = 0; k < n * 3 * d; k++) gates[k] += s->dgates[run * n * 3 * d + k];
        for (int64_t k = 0; k < n * d; k++) nodes[k] += s->dnodes[run * n * d + k];
        for (int64_t j = 0; j < n; j++)
            for (int64_t k = 0; k < d; k++) {
                state[(j * 3 + 2) * d + k] += s->dstate[(run * n + j) * d + k];
                nodes[j * d + k] += s->dtotal[run * d + k];
            }
    }
    for (int64_t j = 0; j < n; j++)
        memcpy(state + j * 3 * d, gates + j * 3 * d, (size_t)(2 * d) * sizeof *state);
}

/* From du to what made the nodes.  A person's embedding is that person's alone: one place for all
   jobs. */
static void nodes_back(const piaa_graph_pass *p, float *gradients, int64_t user, const float *du) {
    const piaa_graph *g = p->graph;
    const size_t d = (size_t)g->shape.width;
    for (int i = 0; g->shape.full && i < PIAA_GRAPH_CATEGORIES; i++, du += d) {
        float *word = gradients + g->layout.words[i] + (size_t)piaa_graph_words_of(p, user)[i] * d;
        for (size_t k = 0; k < d; k++) word[k] += du[k];
    }
    for (int i = 0; g->shape.full && i < PIAA_GRAPH_NUMBERS; i++, du += d) {
        const piaa_graph_linear layer = piaa_graph_at(gradients, g->layout.numbers[i]);
        const float x = piaa_graph_numbers_of(p, user)[i];
        for (size_t k = 0; k < d; k++) {
            layer.weight[k] += du[k] * x;
            layer.bias[k] += du[k];
        }
    }
    if (!g->shape.full || g->shape.user_node)
        memcpy(p->rooms[0].gradients + g->layout.users + (size_t)user * d, du, d * sizeof *du);
}

static void people_block_back(const piaa_graph_pass *p, const piaa_graph_room *r, int64_t block) {
    const piaa_graph *g = p->graph;
    const piaa_graph_layout *l = &g->layout;
    const piaa_graph_people *s = &p->side;
    const int64_t d = g->shape.width, h = g->shape.hidden, n = g->user_nodes, from = block * BLOCK,
                  end = piaa_crew_end((size_t)block, p->plan.people, BLOCK), at = from * n,
                  count = (end - from) * n;
    for (int64_t i = from; i < end; i++) gather_runs(p, r, i, i - from);
    const piaa_graph_linear input = piaa_graph_at(g->values, l->people.input),
                            state = piaa_graph_at(g->values, l->people.state),
                            both = piaa_graph_at(g->values, l->join),
                            dboth = piaa_graph_at(r->gradients, l->join);
    apply_back(piaa_graph_at(r->gradients, l->people.input), s->joined + at * d, r->dgates, count,
               d, 3 * d);
    piaa_multiply(count, d, 3 * d, 1, r->dgates, 3 * d, input.weight, d, 0, r->djoined, d);
    apply_back(piaa_graph_at(r->gradients, l->people.state), s->nodes + at * d, r->dstate, count, d,
               3 * d);
    piaa_multiply(count, d, 3 * d, 1, r->dstate, 3 * d, state.weight, d, 1, r->dnodes, d);
    piaa_graph_add_rows(r->djoined, count, d, dboth.bias);
    join_back(both.weight, dboth.weight, s->inner + at * d, r->djoined, count, d, r->dinner);
    const piaa_graph_pairs pairs = {.nodes = s->nodes + at * d,
                                    .left = s->left + at * h,
                                    .right = s->right + at * h,
                                    .sums = s->sums + at * h};
    piaa_graph_pairs_back(piaa_graph_at(g->values, l->people.first),
                          piaa_graph_at(g->values, l->people.second), &pairs, r->dinner, end - from,
                          (int)n, (int)d, (int)h, r->dpairs,
                          piaa_graph_at(r->gradients, l->people.first),
                          piaa_graph_at(r->gradients, l->people.second), r->dnodes);
    for (int64_t i = from; i < end; i++)
        nodes_back(p, r->gradients, p->plan.users[i], r->dnodes + (i - from) * n * d);
}

/* ----------------------------------------------------------------------------------------- rows */

/* A block of rows: those from `from` of the plan's order. */
typedef struct rows_block {
    const piaa_graph_pass *p;
    piaa_graph_room *r;
    int64_t from, rows;
    const piaa_graph_run *runs, *runs_end;
} rows_block;

/* v and V */
static void photo_nodes(const rows_block *b) {
    const piaa_graph *g = b->p->graph;
    const int64_t d = g->shape.width, n = g->shape.attributes;
    const size_t stride = piaa_graph_stride(&g->shape);
    float *v = b->r->v;
    memset(b->r->total, 0, (size_t)(b->rows * d) * sizeof *v);
    for (int64_t i = 0; i < b->rows; i++) {
        const float *a = piaa_graph_attributes_of(b->p, b->p->plan.order[b->from + i]);
        for (int64_t j = 0; j < n; j++, v += d) {
            const piaa_graph_linear layer =
                piaa_graph_at(g->values + (size_t)j * stride, g->layout.attribute);
            for (int64_t k = 0; k < d; k++) v[k] = layer.weight[k] * a[j] + layer.bias[k];
        }
        piaa_graph_add_rows(v - n * d, n, d, b->r->total + i * d);
    }
}

static piaa_graph_pairs photo_pairs(const piaa_graph_room *r) {
    return (piaa_graph_pairs){
        .nodes = r->v, .left = r->left, .right = r->right, .sums = r->sums, .out = r->inner};
}

/* c and its part of x, for the photos of people whose total is U. */
static void photos_meet(const rows_block *b) {
    const piaa_graph *g = b->p->graph;
    piaa_graph_room *r = b->r;
    const int64_t d = g->shape.width, n = g->shape.attributes;
    for (const piaa_graph_run *run = b->runs; run < b->runs_end; run++)
        meet(r->v + (run->begin - b->from) * n * d, b->p->side.total + run->person * d,
             (run->end - run->begin) * n, d, r->outer_in + (run->begin - b->from) * n * d);
    apply(piaa_graph_at(g->values, g->layout.photos.outer), r->outer_in, b->rows * n, d, d,
          r->outer);
    join(g->values + g->layout.join.weight + d, r->outer, b->rows * n, d, r->joined);
}

static void photos_forward(const rows_block *b) {
    const piaa_graph *g = b->p->graph;
    const piaa_graph_layout *l = &g->layout;
    piaa_graph_room *r = b->r;
    const int64_t d = g->shape.width, n = g->shape.attributes, count = b->rows * n;
    const piaa_graph_pairs pairs = photo_pairs(r);
    photo_nodes(b);
    piaa_graph_pairs_forward(piaa_graph_at(g->values, l->photos.first),
                             piaa_graph_at(g->values, l->photos.second), &pairs, b->rows, (int)n,
                             (int)d, g->shape.hidden);
    piaa_graph_fill_rows(g->values + l->join.bias, count, d, r->joined);
    join(g->values + l->join.weight, r->inner, count, d, r->joined);
    if (g->shape.full) photos_meet(b);
    apply(piaa_graph_at(g->values, l->photos.input), r->joined, count, d, 3 * d, r->gates);
    apply(piaa_graph_at(g->values, l->photos.state), r->v, count, d, 3 * d, r->state);
    for (int64_t i = 0; i < count; i++)
        piaa_graph_cell_forward(r->gates + i * 3 * d, r->state + i * 3 * d, r->v + i * d, (int)d,
                                r->read + i / n * 2 * d + d);
}

/* Wi Gc c on top of what the gates are without it. */
static void people_meet(const rows_block *b) {
    const piaa_graph *g = b->p->graph;
    piaa_graph_room *r = b->r;
    const int64_t d = g->shape.width, n = g->user_nodes, count = b->rows * n;
    for (const piaa_graph_run *run = b->runs; run < b->runs_end; run++)
        for (int64_t i = run->begin - b->from; i < run->end - b->from; i++)
            meet(b->p->side.nodes + run->person * n * d, r->total + i * d, n, d,
                 r->u_outer_in + i * n * d);
    apply(piaa_graph_at(g->values, g->layout.people.outer), r->u_outer_in, count, d, d, r->u_outer);
    memset(r->u_joined, 0, (size_t)(count * d) * sizeof *r->u_joined);
    join(g->values + g->layout.join.weight + d, r->u_outer, count, d, r->u_joined);
    piaa_multiply_bt(count, 3 * d, d, 1, r->u_joined, d, g->values + g->layout.people.input.weight,
                     d, 1, r->u_gates, 3 * d);
}

static void people_in_rows_forward(const rows_block *b) {
    const piaa_graph *g = b->p->graph;
    const piaa_graph_people *s = &b->p->side;
    piaa_graph_room *r = b->r;
    const int64_t d = g->shape.width, n = g->user_nodes;
    for (const piaa_graph_run *run = b->runs; run < b->runs_end; run++)
        for (int64_t i = run->begin - b->from; i < run->end - b->from; i++)
            memcpy(r->u_gates + i * n * 3 * d, s->gates + run->person * n * 3 * d,
                   (size_t)(n * 3 * d) * sizeof *r->u_gates);
    if (g->shape.full) people_meet(b);
    for (const piaa_graph_run *run = b->runs; run < b->runs_end; run++)
        for (int64_t i = (run->begin - b->from) * n; i < (run->end - b->from) * n; i++) {
            const int64_t node = run->person * n + i % n;
            piaa_graph_cell_forward(r->u_gates + i * 3 * d, s->state + node * 3 * d,
                                    s->nodes + node * d, (int)d, r->read + i / n * 2 * d);
        }
}

static void score_forward(const rows_block *b) {
    const piaa_graph *g = b->p->graph;
    piaa_graph_room *r = b->r;
    const int64_t d = g->shape.width, h = g->shape.hidden;
    const piaa_graph_linear score = piaa_graph_at(g->values, g->layout.score),
                            shares = piaa_graph_at(g->values, g->layout.bins);
    apply(piaa_graph_at(g->values, g->layout.hidden), r->read, b->rows, 2 * d, h, r->hidden);
    for (int64_t i = 0; i < b->rows; i++) {
        const float *bins = piaa_graph_bins_of(b->p, b->p->plan.order[b->from + i]);
        float y = score.bias[0] + shares.bias[0], *x = r->hidden + i * h;
        for (int64_t k = 0; k < h; k++) {
            x[k] = x[k] < 0 ? 0 : x[k]; /* NaN stays */
            y += score.weight[k] * x[k];
        }
        for (int k = 0; k < g->shape.bins; k++) y += shares.weight[k] * bins[k];
        r->score[i] = y;
    }
}

/* The loss, and from there to the gradients of the new nodes' sums. */
static void score_back(const rows_block *b) {
    const piaa_graph *g = b->p->graph;
    piaa_graph_room *r = b->r;
    const int64_t d = g->shape.width, h = g->shape.hidden;
    const piaa_graph_linear dscore = piaa_graph_at(r->gradients, g->layout.score),
                            dshares = piaa_graph_at(r->gradients, g->layout.bins);
    const float *weight = g->values + g->layout.score.weight;
    for (int64_t i = 0; i < b->rows; i++) {
        const int64_t row = b->p->plan.order[b->from + i];
        const float off = r->score[i] - b->p->rows->scores[row],
                    dy = 2 * off / (float)b->p->plan.count, *bins = piaa_graph_bins_of(b->p, row);
        float *x = r->hidden + i * h;
        r->loss += (double)off * off;
        dscore.bias[0] += dy;
        dshares.bias[0] += dy;
        for (int k = 0; k < g->shape.bins; k++) dshares.weight[k] += dy * bins[k];
        for (int64_t k = 0; k < h; k++) {
            dscore.weight[k] += dy * x[k];
            x[k] = x[k] > 0 ? dy * weight[k] : 0;
        }
    }
    apply_back(piaa_graph_at(r->gradients, g->layout.hidden), r->read, r->hidden, b->rows, 2 * d,
               h);
    piaa_multiply(b->rows, 2 * d, h, 1, r->hidden, h, g->values + g->layout.hidden.weight, 2 * d, 0,
                  r->dread, 2 * d);
}

/* djoined back through c: dn and each run's dU. */
static void photos_meet_back(const rows_block *b) {
    const piaa_graph *g = b->p->graph;
    const piaa_graph_layout *l = &g->layout;
    piaa_graph_room *r = b->r;
    const int64_t d = g->shape.width, n = g->shape.attributes, count = b->rows * n;
    join_back(g->values + l->join.weight + d, r->gradients + l->join.weight + d, r->outer,
              r->djoined, count, d, r->dinner);
    apply_back(piaa_graph_at(r->gradients, l->photos.outer), r->outer_in, r->dinner, count, d, d);
    piaa_multiply(count, d, d, 1, r->dinner, d, g->values + l->photos.outer.weight, d, 0, r->outer,
                  d);
    for (const piaa_graph_run *run = b->runs; run < b->runs_end; run++) {
        const int64_t at = (run->begin - b->from) * n * d;
        meet_back(r->v + at, b->p->side.total + run->person * d, r->outer + at,
                  (run->end - run->begin) * n, d, r->dnodes + at,
                  b->p->side.dtotal + (run - b->p->plan.runs) * d);
    }
}

/* dv, without what comes through V. */
static void photos_back(const rows_block *b) {
    const piaa_graph *g = b->p->graph;
    const piaa_graph_layout *l = &g->layout;
    piaa_graph_room *r = b->r;
    const int64_t d = g->shape.width, n = g->shape.attributes, count = b->rows * n;
    const piaa_graph_pairs pairs = photo_pairs(r);
    memset(r->dnodes, 0, (size_t)(count * d) * sizeof *r->dnodes);
    memset(r->dstate, 0, (size_t)(count * 3 * d) * sizeof *r->dstate);
    for (int64_t i = 0; i < count; i++) {
        float *gates = r->gates + i * 3 * d, *state = r->dstate + i * 3 * d;
        piaa_graph_cell_back(gates, r->state + i * 3 * d, r->v + i * d,
                             r->dread + i / n * 2 * d + d, (int)d, state + 2 * d,
                             r->dnodes + i * d);
        memcpy(state, gates, (size_t)(2 * d) * sizeof *state);
    }
    apply_back(piaa_graph_at(r->gradients, l->photos.input), r->joined, r->gates, count, d, 3 * d);
    piaa_multiply(count, d, 3 * d, 1, r->gates, 3 * d, g->values + l->photos.input.weight, d, 0,
                  r->djoined, d);
    apply_back(piaa_graph_at(r->gradients, l->photos.state), r->v, r->dstate, count, d, 3 * d);
    piaa_multiply(count, d, 3 * d, 1, r->dstate, 3 * d, g->values + l->photos.state.weight, d, 1,
                  r->dnodes, d);
    piaa_graph_add_rows(r->djoined, count, d, r->gradients + l->join.bias);
    if (g->shape.full) photos_meet_back(b);
    join_back(g->values + l->join.weight, r->gradients + l->join.weight, r->inner, r->djoined,
              count, d, r->dinner);
    piaa_graph_pairs_back(piaa_graph_at(g->values, l->photos.first),
                          piaa_graph_at(g->values, l->photos.second), &pairs, r->dinner, b->rows,
                          (int)n, (int)d, g->shape.hidden, r->dpairs,
                          piaa_graph_at(r->gradients, l->photos.first),
                          piaa_graph_at(r->gradients, l->photos.second), r->dnodes);
}

/* The gates' gradients back through c: each run's du, each row's dV. */
static void people_meet_back(const rows_block *b) {
    const piaa_graph *g = b->p->graph;
    const piaa_graph_layout *l = &g->layout;
    const piaa_graph_people *s = &b->p->side;
    piaa_graph_room *r = b->r;
    const int64_t d = g->shape.width, n = g->user_nodes, count = b->rows * n;
    float *dinput = r->gradients + l->people.input.weight;
    piaa_multiply_at(3 * d, d, count, 1, r->u_gates, 3 * d, r->u_joined, d, 1, dinput, d);
    piaa_multiply(count, d, 3 * d, 1, r->u_gates, 3 * d, g->values + l->people.input.weight, d, 0,
                  r->djoined, d);
    join_back(g->values + l->join.weight + d, r->gradients + l->join.weight + d, r->u_outer,
              r->djoined, count, d, r->dinner);
    apply_back(piaa_graph_at(r->gradients, l->people.outer), r->u_outer_in, r->dinner, count, d, d);
    piaa_multiply(count, d, d, 1, r->dinner, d, g->values + l->people.outer.weight, d, 0,
                  r->u_outer, d);
    for (const piaa_graph_run *run = b->runs; run < b->runs_end; run++)
        for (int64_t i = run->begin - b->from; i < run->end - b->from; i++)
            meet_back(s->nodes + run->person * n * d, r->total + i * d, r->u_outer + i * n * d, n,
                      d, s->dnodes + (run - b->p->plan.runs) * n * d, r->dtotal + i * d);
}

static void people_in_rows_back(const rows_block *b) {
    const piaa_graph *g = b->p->graph;
    const piaa_graph_people *s = &b->p->side;
    const piaa_graph_room *r = b->r;
    const int64_t d = g->shape.width, n = g->user_nodes;
    for (const piaa_graph_run *run = b->runs; run < b->runs_end; run++)
        for (int64_t i = (run->begin - b->from) * n; i < (run->end - b->from) * n; i++) {
            const int64_t node = run->person * n + i % n, sum = (run - b->p->plan.runs) * n + i % n;
            float *gates = r->u_gates + i * 3 * d;
            piaa_graph_cell_back(gates, s->state + node * 3 * d, s->nodes + node * d,
                                 r->dread + i / n * 2 * d, (int)d, s->dstate + sum * d,
                                 s->dnodes + sum * d);
            for (int64_t k = 0; k < 3 * d; k++) s->dgates[sum * 3 * d + k] += gates[k];
        }
    if (g->shape.full) people_meet_back(b);
}

/* From dv and dV to w and b. */
static void photo_nodes_back(const rows_block *b) {
    const piaa_graph *g = b->p->graph;
    const piaa_graph_room *r = b->r;
    const int64_t d = g->shape.width, n = g->shape.attributes;
    const size_t stride = piaa_graph_stride(&g->shape);
    const float *dv = r->dnodes;
    for (int64_t i = 0; i < b->rows; i++) {
        const float *a = piaa_graph_attributes_of(b->p, b->p->plan.order[b->from + i]),
                    *total = r->dtotal + i * d;
        for (int64_t j = 0; j < n; j++, dv += d) {
            const piaa_graph_linear layer =
                piaa_graph_at(r->gradients + (size_t)j * stride, g->layout.attribute);
            for (int64_t k = 0; k < d; k++) {
                layer.weight[k] += (dv[k] + total[k]) * a[j];
                layer.bias[k] += dv[k] + total[k];
            }
        }
    }
}

static void clear_runs(const rows_block *b) {
    const piaa_graph_people *s = &b->p->side;
    const size_t d = (size_t)b->p->graph->shape.width, n = (size_t)b->p->graph->user_nodes,
                 from = (size_t)(b->runs - b->p->plan.runs), runs = (size_t)(b->runs_end - b->runs);
    memset(s->dgates + from * n * 3 * d, 0, runs * n * 3 * d * sizeof(float));
    memset(s->dstate + from * n * d, 0, runs * n * d * sizeof(float));
    memset(s->dnodes + from * n * d, 0, runs * n * d * sizeof(float));
    memset(s->dtotal + from * d, 0, runs * d * sizeof(float));
    memset(b->r->dtotal, 0, (size_t)b->rows * d * sizeof(float));
}

static void run_block(piaa_graph_pass *p, piaa_graph_room *r, int64_t i) {
    const int64_t from = i * BLOCK, d = p->graph->shape.width;
    const rows_block b = {.p = p,
                          .r = r,
                          .from = from,
                          .rows = piaa_crew_end((size_t)i, p->plan.count, BLOCK) - from,
                          .runs = p->plan.runs + p->plan.block_runs[i],
                          .runs_end = p->plan.runs + p->plan.block_runs[i + 1]};
    memset(r->read, 0, (size_t)(b.rows * 2 * d) * sizeof *r->read);
    photos_forward(&b);
    people_in_rows_forward(&b);
    score_forward(&b);
    for (int64_t k = 0; p->predicted && k < b.rows; k++)
        p->predicted[p->plan.order[from + k] - p->first] = (double)r->score[k];
    if (!p->trains) return;
    clear_runs(&b);
    score_back(&b);
    photos_back(&b);
    /* photos_back's dnodes stay: only the rest of the room is used here. */
    people_in_rows_back(&b);
    photo_nodes_back(&b);
}

/* ----------------------------------------------------------------------------------------- jobs */

/* Job i's blocks of so many, shared out evenly. */
static int64_t share(int64_t blocks, int64_t jobs, int64_t i) {
    return blocks * i / jobs;
}

static bool rows_job(void *user, size_t i, piaa_error *error) {
    PIAA_UNUSED(error);
    piaa_graph_pass *p = user;
    piaa_graph_room *r = &p->rooms[i];
    const int64_t from = share(p->plan.blocks, p->jobs, (int64_t)i),
                  end = share(p->plan.blocks, p->jobs, (int64_t)i + 1);
    r->loss = 0;
    if (p->trains) memset(r->gradients, 0, p->graph->layout.count * sizeof *r->gradients);
    for (int64_t block = from; block < end; block++) run_block(p, r, block);
    return true;
}

static int64_t people_jobs(const piaa_graph_pass *p) {
    const int64_t blocks = piaa_crew_jobs(p->plan.people, BLOCK);
    return blocks < p->jobs ? blocks : p->jobs;
}

static bool people_job(void *user, size_t i, piaa_error *error) {
    PIAA_UNUSED(error);
    const piaa_graph_pass *p = user;
    const int64_t blocks = piaa_crew_jobs(p->plan.people, BLOCK), jobs = people_jobs(p),
                  end = share(blocks, jobs, (int64_t)i + 1);
    for (int64_t block = share(blocks, jobs, (int64_t)i); block < end; block++)
        people_block_back(p, &p->rooms[i], block);
    return true;
}

static bool make_rooms(piaa_graph_pass *p, piaa_error *error) {
    p->jobs = p->plan.blocks < JOBS ? p->plan.blocks : JOBS;
    for (int64_t i = 0; i < p->jobs; i++)
        if (!job_room(p, &p->rooms[i], error)) return false;
    return people_room(p, error);
}

bool piaa_graph_pass_run(piaa_graph_pass *p, const piaa_graph_rows *rows, int64_t first,
                         int64_t count, double *predicted, double *loss, piaa_error *error) {
    p->rows = rows;
    p->first = first;
    p->predicted = predicted;
    if (!piaa_graph_plan_make(p, first, count, error) || !make_rooms(p, error)) return false;
    const double node = (double)p->graph->shape.width * p->graph->shape.hidden,
                 work =
                     node * (double)(count * (p->graph->shape.attributes + p->graph->user_nodes));
    if (!piaa_crew_run(&p->crew, piaa_crew_jobs(p->plan.people, BLOCK),
                       node * (double)(p->plan.people * p->graph->user_nodes), people_forward, p,
                       error) ||
        !piaa_crew_run(&p->crew, p->jobs, 3 * work, rows_job, p, error))
        return false;
    if (!p->trains) return true;
    *loss = 0;
    for (int64_t i = 0; i < p->jobs; i++) *loss += p->rooms[i].loss;
    *loss /= (double)count;
    return piaa_crew_run(&p->crew, people_jobs(p), work, people_job, p, error);
}

bool piaa_graph_pass_begin(piaa_graph_pass *pass, const piaa_graph *graph, int threads, bool trains,
                           piaa_error *error) {
    *pass = (piaa_graph_pass){.graph = graph, .trains = trains};
    pass->crew.threads = piaa_blas_callers(threads > 0 ? threads : piaa_processors());
    return piaa_blas_room(pass->crew.threads, error);
}

void piaa_graph_pass_end(piaa_graph_pass *pass) {
    free(pass->plan.memory);
    free(pass->side.memory);
    for (int i = 0; i < JOBS; i++) free(pass->rooms[i].memory);
}

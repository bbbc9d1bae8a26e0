/* Low-rank adapters: their numbers, their products, and their files. */
#include "train/adapter.h"

#include "base/memory.h"
#include "base/random.h"
#include "weights/adapter.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 256 }; /* of a matrix in one job */

static const char *const modules[] = {
    [PIAA_TARGET_Q] = "self_attn.q_proj", [PIAA_TARGET_K] = "self_attn.k_proj",
    [PIAA_TARGET_V] = "self_attn.v_proj", [PIAA_TARGET_O] = "self_attn.o_proj",
    [PIAA_TARGET_GATE] = "mlp.gate_proj", [PIAA_TARGET_UP] = "mlp.up_proj",
    [PIAA_TARGET_DOWN] = "mlp.down_proj"};

const char *piaa_target_module(piaa_target target) {
    return modules[target];
}

void piaa_target_shape(const piaa_decoder *d, int block, piaa_target target, int64_t *inputs,
                       int64_t *outputs) {
    const piaa_decoder_kind *kind = &d->kind[d->kind_of[block]];
    const int64_t hidden = d->hidden, q = (int64_t)kind->heads * kind->rotary.dim,
                  kv = (int64_t)kind->kv_heads * kind->rotary.dim;
    const int64_t shapes[PIAA_TARGETS][2] = {{hidden, q},
                                             {hidden, kv},
                                             {hidden, kv},
                                             {q, hidden},
                                             {hidden, d->intermediate},
                                             {hidden, d->intermediate},
                                             {d->intermediate, hidden}};
    *inputs = shapes[target][0];
    *outputs = shapes[target][1];
}

/* -------------------------------------------------------------------------------------- numbers */

/* Sizes of all pairs, and how many numbers that makes. */
static void size_pairs(piaa_lora *lora, const piaa_decoder *d) {
    for (int block = 0; block < lora->blocks; block++)
        for (int target = 0; target < PIAA_TARGETS; target++) {
            piaa_lora_pair *pair = &lora->pairs[block * PIAA_TARGETS + target];
            if (!(lora->targets >> target & 1)) continue;
            piaa_target_shape(d, block, (piaa_target)target, &pair->inputs, &pair->outputs);
            lora->count += (size_t)((pair->inputs + pair->outputs) * lora->rank);
        }
}

static void place_pairs(piaa_lora *lora) {
    float *value = lora->values, *gradient = lora->gradients;
    for (int i = 0; i < lora->blocks * PIAA_TARGETS; i++) {
        piaa_lora_pair *pair = &lora->pairs[i];
        const int64_t a = pair->inputs * lora->rank, b = pair->outputs * lora->rank;
        pair->a = value;
        pair->b = value + a;
        pair->grad_a = gradient;
        pair->grad_b = gradient + a;
        value += a + b;
        gradient += a + b;
    }
}

/* All numbers 0. */
static piaa_lora *make(const piaa_decoder *d, int rank, double alpha, unsigned targets,
                       double dropout, piaa_error *error) {
    if (rank < 1 || rank > PIAA_MOST_RANK || !(targets & PIAA_ALL_TARGETS) || !(alpha > 0) ||
        !(dropout >= 0 && dropout < 1)) {
        piaa_error_set(error, PIAA_USAGE,
                       "an adapter needs a rank from 1 to %d, a positive alpha, at least one of "
                       "q, k, v, o, gate, up, down, and a dropout below 1",
                       PIAA_MOST_RANK);
        return NULL;
    }
    piaa_lora *lora = piaa_alloc(1, sizeof *lora, error);
    if (!lora) return NULL;
    lora->rank = rank;
    lora->alpha = alpha;
    lora->targets = targets & PIAA_ALL_TARGETS;
    lora->dropout = dropout;
    lora->blocks = d->layers;
    lora->pairs = piaa_alloc((size_t)d->layers * PIAA_TARGETS, sizeof *lora->pairs, error);
    if (lora->pairs) {
        size_pairs(lora, d);
        lora->values = piaa_alloc(lora->count, sizeof *lora->values, error);
        lora->gradients = piaa_alloc(lora->count, sizeof *lora->gradients, error);
    }
    if (!lora->pairs || !lora->values || !lora->gradients) {
        piaa_lora_free(lora);
        return NULL;
    }
    place_pairs(lora);
    return lora;
}

piaa_lora *piaa_lora_new(const piaa_decoder *d, int rank, double alpha, unsigned targets,
                         double dropout, uint32_t seed, piaa_error *error) {
    piaa_lora *lora = make(d, rank, alpha, targets, dropout, error);
    piaa_random random;
    piaa_random_seed_numpy(&random, seed);
    for (int i = 0; lora && i < lora->blocks * PIAA_TARGETS; i++) {
        const piaa_lora_pair *pair = &lora->pairs[i];
        const double bound = pair->inputs ? 1 / sqrt((double)pair->inputs) : 0;
        for (int64_t j = 0; j < pair->inputs * rank; j++)
            pair->a[j] = (float)((2 * piaa_random_unit(&random) - 1) * bound);
    }
    return lora;
}

void piaa_lora_free(piaa_lora *lora) {
    if (!lora) return;
    free(lora->values);
    free(lora->gradients);
    free(lora->pairs);
    free(lora);
}

/* -------------------------------------------------------------------------------------- reading */

/* Which block's which matrix has this canonical name; false: it is none of the decoder's. */
static bool find_place(const char *name, int blocks, int *block, piaa_target *target) {
    static const char before[] = "model.language_model.layers.";
    const size_t length = sizeof before - 1;
    if (strncmp(name, before, length) != 0) return false;
    char *rest;
    const long number = strtol(name + length, &rest, 10);
    if (rest == name + length || *rest++ != '.' || number < 0 || number >= blocks) return false;
    *block = (int)number;
    for (int i = 0; i < PIAA_TARGETS; i++) {
        const size_t n = strlen(modules[i]);
        if (strncmp(rest, modules[i], n) != 0 || strcmp(rest + n, ".weight") != 0) continue;
        *target = (piaa_target)i;
        return true;
    }
    return false;
}

/* Whether every pair is one of the decoder's matrices, and of its sizes; which targets they are. */
static bool check_pairs(const piaa_decoder *d, const piaa_adapter *file, const char *folder,
                        unsigned *targets, piaa_error *error) {
    *targets = 0;
    for (size_t i = 0; i < piaa_adapter_count(file); i++) {
        const piaa_adapter_pair *pair = piaa_adapter_at(file, i);
        int block;
        piaa_target target;
        int64_t inputs = 0, outputs = 0;
        if (find_place(pair->name, d->layers, &block, &target)) {
            piaa_target_shape(d, block, target, &inputs, &outputs);
            *targets |= 1u << target;
        }
        if (pair->down->shape[1] != inputs || pair->up->shape[0] != outputs)
            return piaa_error_set(
                error, PIAA_MISMATCH,
                "%s: the adapter's %.300s does not fit this model's decoder: give "
                "the base model that it was made for",
                folder, pair->module);
    }
    return true;
}

/* Every block has the same matrices adapted, with one rank and one strength. */
static bool is_even(const piaa_adapter *file, int blocks, unsigned targets) {
    const size_t count = piaa_adapter_count(file);
    size_t chosen = 0;
    for (unsigned bits = targets; bits; bits &= bits - 1) chosen++;
    for (size_t i = 0; i < count; i++) {
        const piaa_adapter_pair *pair = piaa_adapter_at(file, i), *first = piaa_adapter_at(file, 0);
        if (pair->rank != first->rank || pair->alpha != first->alpha ||
            fabs(pair->strength - pair->alpha / (double)pair->rank) > 1e-6 * pair->strength)
            return false;
    }
    return count > 0 && count == chosen * (size_t)blocks;
}

static piaa_lora *read_pairs(const piaa_decoder *d, const piaa_adapter *file, const char *folder,
                             piaa_error *error) {
    unsigned targets;
    if (!check_pairs(d, file, folder, &targets, error)) return NULL;
    if (!is_even(file, d->layers, targets)) {
        piaa_error_set(error, PIAA_UNSUPPORTED,
                       "%s: only adapters that change the same matrices of each of the model's %d "
                       "blocks, with one rank, can be trained on",
                       folder, d->layers);
        return NULL;
    }
    const piaa_adapter_pair *first = piaa_adapter_at(file, 0);
    piaa_lora *lora = make(d, (int)first->rank, first->alpha, targets, 0, error);
    for (size_t i = 0; lora && i < piaa_adapter_count(file); i++) {
        const piaa_adapter_pair *from = piaa_adapter_at(file, i);
        int block;
        piaa_target target;
        if (!find_place(from->name, d->layers, &block, &target)) continue;
        const piaa_lora_pair *to = &lora->pairs[block * PIAA_TARGETS + (int)target];
        piaa_tensor_to_float(from->down, to->a);
        piaa_tensor_to_float(from->up, to->b);
    }
    return lora;
}

piaa_lora *piaa_lora_read(const piaa_decoder *d, const char *folder, piaa_error *error) {
    piaa_adapter *file = piaa_adapter_open(folder, error);
    piaa_lora *lora = file ? read_pairs(d, file, folder, error) : NULL;
    piaa_adapter_close(file);
    return lora;
}

/* ------------------------------------------------------------------------------------- products */

typedef struct pair_job {
    const piaa_lora *lora;
    const piaa_lora_pair *pair;
    const float *x, *dy, *low_kept;
    int64_t n;
    const piaa_dropout *dropout;
    float *low, *y, *dx;
} pair_job;

static float strength_of(const piaa_lora *lora) {
    return (float)(lora->alpha / lora->rank);
}

/* 0 where element i is dropped, else what makes up for those that are.  (The mixing of MurmurHash3,
 * fmix32.) */
static inline float share(const piaa_dropout *dropout, uint32_t i) {
    uint32_t h = i * 0x9E3779B1u ^ dropout->key;
    h = (h ^ h >> 16) * 0x85EBCA6Bu;
    h = (h ^ h >> 13) * 0xC2B2AE35u;
    h ^= h >> 16;
    const float unit = (float)(h >> 8) * 0x1p-24f;
    return unit < dropout->probability ? 0.0f : 1.0f / (1.0f - dropout->probability);
}

/* x' of rows first..end - 1 and so many columns: x itself, or copied into `room`. */
static const float *drop(const pair_job *job, int64_t first, int64_t end, int64_t column,
                         int64_t columns, float *room, int64_t *stride) {
    const int64_t inputs = job->pair->inputs;
    const float *x = job->x + first * inputs + column;
    *stride = inputs;
    if (!room) return x;
    *stride = columns;
    for (int64_t row = first; row < end; row++)
        for (int64_t i = 0; i < columns; i++)
            room[(row - first) * columns + i] =
                x[(row - first) * inputs + i] *
                share(job->dropout, (uint32_t)(row * inputs + column + i));
    return room;
}

/* Room for x'; *ok false: there is none. */
static float *room_for(const pair_job *job, int64_t rows, int64_t columns, bool *ok,
                       piaa_error *error) {
    *ok = true;
    if (!(job->dropout->probability > 0)) return NULL;
    float *room = piaa_alloc_array((size_t)(rows * columns), sizeof *room, error);
    *ok = room != NULL;
    return room;
}

static bool forward_rows(void *user, size_t i, piaa_error *error) {
    const pair_job *job = user;
    const piaa_lora_pair *pair = job->pair;
    const int64_t first = (int64_t)i * PIAA_CREW_ROWS,
                  end = piaa_crew_end(i, job->n, PIAA_CREW_ROWS), m = end - first,
                  rank = job->lora->rank;
    bool ok;
    int64_t stride;
    float *room = room_for(job, PIAA_CREW_ROWS, pair->inputs, &ok, error);
    if (!ok) return false;
    const float *x = drop(job, first, end, 0, pair->inputs, room, &stride);
    piaa_multiply_bt(m, rank, pair->inputs, 1, x, stride, pair->a, pair->inputs, 0,
                     job->low + first * rank, rank);
    piaa_multiply_bt(m, pair->outputs, rank, strength_of(job->lora), job->low + first * rank, rank,
                     pair->b, rank, 1, job->y + first * pair->outputs, pair->outputs);
    free(room);
    return true;
}

bool piaa_pair_forwards(const piaa_lora *lora, const piaa_lora_pair *pair, const float *x,
                        int64_t n, const piaa_dropout *dropout, float *low, float *y,
                        const piaa_crew *crew, piaa_error *error) {
    pair_job job = {
        .lora = lora, .pair = pair, .x = x, .n = n, .dropout = dropout, .low = low, .y = y};
    const double work = (double)n * (double)(pair->inputs + pair->outputs) * lora->rank;
    return piaa_crew_run(crew, piaa_crew_jobs(n, PIAA_CREW_ROWS), work, forward_rows, &job, error);
}

static bool backward_rows(void *user, size_t i, piaa_error *error) {
    const pair_job *job = user;
    const piaa_lora_pair *pair = job->pair;
    const int64_t first = (int64_t)i * PIAA_CREW_ROWS,
                  end = piaa_crew_end(i, job->n, PIAA_CREW_ROWS), m = end - first,
                  rank = job->lora->rank, inputs = pair->inputs;
    float *low = job->low + first * rank;
    piaa_multiply(m, rank, pair->outputs, strength_of(job->lora), job->dy + first * pair->outputs,
                  pair->outputs, pair->b, rank, 0, low, rank);
    if (!job->dx) return true;
    float *dx = job->dx + first * inputs;
    bool ok;
    float *room = room_for(job, PIAA_CREW_ROWS, inputs, &ok, error);
    if (!ok) return false;
    if (!room) {
        piaa_multiply(m, inputs, rank, 1, low, rank, pair->a, inputs, 1, dx, inputs);
        return true;
    }
    piaa_multiply(m, inputs, rank, 1, low, rank, pair->a, inputs, 0, room, inputs);
    for (int64_t j = 0; j < m * inputs; j++)
        dx[j] += room[j] * share(job->dropout, (uint32_t)(first * inputs + j));
    free(room);
    return true;
}

static bool gather_a(void *user, size_t i, piaa_error *error) {
    const pair_job *job = user;
    const piaa_lora_pair *pair = job->pair;
    const int64_t first = (int64_t)i * COLUMNS,
                  count = piaa_crew_end(i, pair->inputs, COLUMNS) - first, rank = job->lora->rank;
    bool ok;
    int64_t stride;
    float *room = room_for(job, job->n, COLUMNS, &ok, error);
    if (!ok) return false;
    const float *x = drop(job, 0, job->n, first, count, room, &stride);
    piaa_multiply_at(rank, count, job->n, 1, job->low, rank, x, stride, 1, pair->grad_a + first,
                     pair->inputs);
    free(room);
    return true;
}

static bool gather_b(void *user, size_t i, piaa_error *error) {
    const pair_job *job = user;
    const piaa_lora_pair *pair = job->pair;
    const int64_t first = (int64_t)i * COLUMNS,
                  count = piaa_crew_end(i, pair->outputs, COLUMNS) - first, rank = job->lora->rank;
    PIAA_UNUSED(error);
    piaa_multiply_at(count, rank, job->n, strength_of(job->lora), job->dy + first, pair->outputs,
                     job->low_kept, rank, 1, pair->grad_b + first * rank, rank);
    return true;
}

bool piaa_pair_backwards(const piaa_lora *lora, const piaa_lora_pair *pair, const float *x,
                         const float *low, const float *dy, int64_t n, const piaa_dropout *dropout,
                         float *dlow, float *dx, const piaa_crew *crew, piaa_error *error) {
    pair_job job = {.lora = lora,
                    .pair = pair,
                    .x = x,
                    .dy = dy,
                    .low_kept = low,
                    .n = n,
                    .dropout = dropout,
                    .low = dlow,
                    .dx = dx};
    const double rows = (double)n * lora->rank;
    return piaa_crew_run(crew, piaa_crew_jobs(n, PIAA_CREW_ROWS),
                         rows * (double)(pair->inputs + pair->outputs), backward_rows, &job,
                         error) &&
           piaa_crew_run(crew, piaa_crew_jobs(pair->inputs, COLUMNS), rows * (double)pair->inputs,
                         gather_a, &job, error) &&
           piaa_crew_run(crew, piaa_crew_jobs(pair->outputs, COLUMNS), rows * (double)pair->outputs,
                         gather_b, &job, error);
}

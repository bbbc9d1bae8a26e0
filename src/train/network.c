/* The decoder's way forwards and back. */
#include "train/network.h"

#include "base/blas.h"
#include "base/memory.h"
#include "base/processors.h"
#include "train/blocks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "model.language_model."

enum {
    LOGIT_ROWS = 128, /* rows whose logits are in memory at a time */
    SMALL = 1 << 30,  /* bytes of float32 matrices of which there may be two copies */
};

typedef struct block {
    piaa_frozen matrix[PIAA_TARGETS];
    float *bias[PIAA_TARGETS];                                    /* of q, k and v; NULL */
    float *before1, *after1, *before2, *after2, *q_norm, *k_norm; /* NULL: there is none */
} block;

struct piaa_network {
    const piaa_decoder *decoder;
    piaa_crew crew;
    block *blocks;
    float *final_norm;
    piaa_frozen head;
    bool packed; /* the blocks' matrices are, both ways */
};

/* -------------------------------------------------------------------------------------- weights */

static float *read_vector(const piaa_network *network, const char *prefix, const char *name,
                          int64_t length, float offset, piaa_error *error) {
    char whole[128];
    snprintf(whole, sizeof whole, "%s%s", prefix, name);
    const piaa_tensor *tensor =
        piaa_checkpoint_need(network->decoder->checkpoint, error, whole, 1, length);
    float *out = tensor ? piaa_alloc_array((size_t)length, sizeof *out, error) : NULL;
    if (out) piaa_tensor_to_float(tensor, out);
    for (int64_t i = 0; out && i < length; i++) out[i] += offset;
    return out;
}

static bool read_norms(const piaa_network *network, const char *prefix, int number, block *b,
                       piaa_error *error) {
    const piaa_decoder *d = network->decoder;
    const int dim = d->kind[d->kind_of[number]].rotary.dim;
    const struct {
        float **to;
        const char *name;
        int length;
        bool wanted;
    } norms[] = {
        {&b->before1, "input_layernorm.weight", d->hidden, true},
        /* The same name is the norm after attention in a sandwich, else the one before the unit. */
        {d->sandwich ? &b->after1 : &b->before2, "post_attention_layernorm.weight", d->hidden,
         true},
        {&b->before2, "pre_feedforward_layernorm.weight", d->hidden, d->sandwich},
        {&b->after2, "post_feedforward_layernorm.weight", d->hidden, d->sandwich},
        {&b->q_norm, "self_attn.q_norm.weight", dim, d->qk_norm},
        {&b->k_norm, "self_attn.k_norm.weight", dim, d->qk_norm},
    };
    for (size_t i = 0; i < PIAA_COUNT(norms); i++) {
        if (!norms[i].wanted) continue;
        *norms[i].to = read_vector(network, prefix, norms[i].name, norms[i].length,
                                   d->one_plus ? 1.0f : 0.0f, error);
        if (!*norms[i].to) return false;
    }
    return true;
}

static bool read_block(const piaa_network *network, int number, piaa_dtype dtype, block *b,
                       piaa_error *error) {
    const piaa_decoder *d = network->decoder;
    char prefix[64], name[128];
    snprintf(prefix, sizeof prefix, PREFIX "layers.%d.", number);
    for (int i = 0; i < PIAA_TARGETS; i++) {
        const char *module = piaa_target_module((piaa_target)i);
        int64_t inputs, outputs;
        piaa_target_shape(d, number, (piaa_target)i, &inputs, &outputs);
        snprintf(name, sizeof name, "%s%s.weight", prefix, module);
        if (!piaa_frozen_load(&b->matrix[i], d->checkpoint, name, outputs, inputs, dtype,
                              network->packed, &network->crew, error))
            return false;
        if (!d->qkv_bias || i > PIAA_TARGET_V) continue;
        snprintf(name, sizeof name, "%s.bias", module);
        b->bias[i] = read_vector(network, prefix, name, outputs, 0, error);
        if (!b->bias[i]) return false;
    }
    return read_norms(network, prefix, number, b, error);
}

static bool read_weights(piaa_network *network, piaa_dtype dtype, piaa_error *error) {
    const piaa_decoder *d = network->decoder;
    network->blocks = piaa_alloc((size_t)d->layers, sizeof *network->blocks, error);
    if (!network->blocks) return false;
    for (int i = 0; i < d->layers; i++)
        if (!read_block(network, i, dtype, &network->blocks[i], error)) return false;
    network->final_norm =
        read_vector(network, PREFIX, "norm.weight", d->hidden, d->one_plus ? 1.0f : 0.0f, error);
    return network->final_norm &&
           piaa_frozen_load(&network->head, d->checkpoint,
                            d->tied ? PREFIX "embed_tokens.weight" : "lm_head.weight",
                            d->embeddings->shape[0], d->hidden, dtype, false, &network->crew,
                            error);
}

/* In the matrices of all blocks. */
static size_t numbers_of(const piaa_decoder *d) {
    size_t count = 0;
    for (int i = 0; i < d->layers; i++)
        for (int target = 0; target < PIAA_TARGETS; target++) {
            int64_t inputs, outputs;
            piaa_target_shape(d, i, (piaa_target)target, &inputs, &outputs);
            count += (size_t)(inputs * outputs);
        }
    return count;
}

piaa_network *piaa_network_new(const piaa_decoder *decoder, piaa_dtype dtype, int threads,
                               piaa_error *error) {
    if (decoder->activation != PIAA_SWIGLU && decoder->activation != PIAA_GEGLU) {
        piaa_error_set(error, PIAA_UNSUPPORTED,
                       "%s: only decoders with SwiGLU or GEGLU can be trained",
                       piaa_checkpoint_where(decoder->checkpoint));
        return NULL;
    }
    piaa_network *network = piaa_alloc(1, sizeof *network, error);
    if (!network) return NULL;
    network->decoder = decoder;
    network->crew.threads = piaa_blas_callers(threads > 0 ? threads : piaa_processors());
    network->packed = dtype != PIAA_DTYPE_F32 || numbers_of(decoder) * sizeof(float) <= SMALL;
    if (piaa_blas_room(network->crew.threads, error) && read_weights(network, dtype, error))
        return network;
    piaa_network_free(network);
    return NULL;
}

void piaa_network_free(piaa_network *network) {
    if (!network) return;
    for (int i = 0; network->blocks && i < network->decoder->layers; i++) {
        block *b = &network->blocks[i];
        float *const vectors[] = {b->before1, b->after1, b->before2,
                                  b->after2,  b->q_norm, b->k_norm};
        for (size_t j = 0; j < PIAA_COUNT(vectors); j++) free(vectors[j]);
        for (int j = 0; j < PIAA_TARGETS; j++) {
            piaa_frozen_free(&b->matrix[j]);
            free(b->bias[j]);
        }
    }
    free(network->blocks);
    free(network->final_norm);
    piaa_frozen_free(&network->head);
    free(network);
}

const piaa_decoder *piaa_network_decoder(const piaa_network *network) {
    return network->decoder;
}

size_t piaa_network_bytes(const piaa_network *network) {
    size_t bytes = network->head.bytes;
    for (int i = 0; i < network->decoder->layers; i++)
        for (int j = 0; j < PIAA_TARGETS; j++) bytes += network->blocks[i].matrix[j].bytes;
    return bytes;
}

/* ----------------------------------------------------------------------------------------- pass */

/* What a block keeps for the way back; rows are all, or in the last block those with labels
 * (kept). */
typedef struct saved {
    float *h;                 /* [all][hidden], its input */
    float *q, *k, *v;         /* before norms: [kept][…], [all][…], [all][…] */
    float *attended;          /* [kept][heads * dim] */
    float *o, *down;          /* [kept][hidden], before the norms of a sandwich; else NULL */
    float *middle;            /* [kept][hidden], between the two halves */
    float *gate, *up;         /* [kept][intermediate] */
    float *low[PIAA_TARGETS]; /* [rows][rank], A x */
} saved;

/* Rows of the batch, all of them or the labelled ones: whom they see and how they are turned. */
typedef struct view {
    int64_t count;
    int64_t *begin; /* [samples + 1] */
    int32_t *last, *first[PIAA_DECODER_KINDS];
    float *rotary[PIAA_DECODER_KINDS];
} view;

typedef struct pass {
    const piaa_network *network;
    const piaa_decoder *decoder;
    piaa_lora *lora; /* NULL */
    const piaa_batch *batch;
    bool gradients;
    view all, kept;
    int64_t *places; /* [kept], among all rows */
    int32_t *labels; /* [kept] */
    saved *blocks;   /* one for each block; without gradients they share one's memory, but inputs
                        take turns in two */
    float *states;   /* [kept][hidden], the last block's output */
    /* Room for one block. */
    float *x, *act, *dact, *dgate, *dq, *dk, *dv, *q, *k, *dh, *dx, *dlow;
    piaa_heads *heads;
    float *memory; /* all of the above numbers */
} pass;

static int64_t q_size(const pass *p, int i) {
    const piaa_decoder_kind *kind = &p->decoder->kind[p->decoder->kind_of[i]];
    return (int64_t)kind->heads * kind->rotary.dim;
}

static int64_t kv_size(const pass *p, int i) {
    const piaa_decoder_kind *kind = &p->decoder->kind[p->decoder->kind_of[i]];
    return (int64_t)kind->kv_heads * kind->rotary.dim;
}

static bool is_last(const pass *p, int i) {
    return i == p->decoder->layers - 1;
}

/* The rows that leave block i's attention. */
static const view *leaving(const pass *p, int i) {
    return is_last(p, i) ? &p->kept : &p->all;
}

/* Takes `count` numbers of the memory; counts them only, while there is none. */
static void take(const pass *p, size_t *at, int64_t count, float **out) {
    *out = p->memory ? p->memory + *at : NULL;
    *at += ((size_t)count + 15) / 16 * 16;
}

static void lay_out_block(pass *p, int i, size_t *at) {
    const piaa_decoder *d = p->decoder;
    const int64_t all = p->all.count, rows = leaving(p, i)->count;
    saved *s = &p->blocks[i];
    take(p, at, rows * q_size(p, i), &s->q);
    take(p, at, all * kv_size(p, i), &s->k);
    take(p, at, all * kv_size(p, i), &s->v);
    take(p, at, rows * q_size(p, i), &s->attended);
    take(p, at, rows * d->hidden, &s->middle);
    take(p, at, rows * d->intermediate, &s->gate);
    take(p, at, rows * d->intermediate, &s->up);
    if (d->sandwich) {
        take(p, at, rows * d->hidden, &s->o);
        take(p, at, rows * d->hidden, &s->down);
    }
    for (int target = 0; p->lora && target < PIAA_TARGETS; target++)
        take(p, at, all * p->lora->rank, &s->low[target]);
}

static size_t lay_out(pass *p) {
    const piaa_decoder *d = p->decoder;
    const int64_t all = p->all.count;
    size_t at = 0;
    int64_t q = 0, kv = 0;
    for (int i = 0; i < d->layers; i++) {
        if (q_size(p, i) > q) q = q_size(p, i);
        if (kv_size(p, i) > kv) kv = kv_size(p, i);
        if (p->gradients || i < 2)
            take(p, &at, all * d->hidden, &p->blocks[i].h);
        else
            p->blocks[i].h = p->blocks[i - 2].h;
    }
    size_t most = at;
    for (int i = 0; i < d->layers; i++) {
        size_t end = at;
        lay_out_block(p, i, &end);
        if (end > most) most = end;
        if (p->gradients) at = end;
    }
    at = most;
    take(p, &at, p->kept.count * d->hidden, &p->states);
    take(p, &at, all * (d->hidden > q ? d->hidden : q), &p->x);
    const int64_t wide = d->intermediate > d->hidden ? d->intermediate : d->hidden;
    take(p, &at, all * wide, &p->act);
    take(p, &at, all * q, &p->q);
    take(p, &at, all * kv, &p->k);
    if (!p->gradients) return at;
    take(p, &at, all * wide, &p->dact);
    take(p, &at, all * d->intermediate, &p->dgate);
    take(p, &at, all * q, &p->dq);
    take(p, &at, all * kv, &p->dk);
    take(p, &at, all * kv, &p->dv);
    take(p, &at, all * d->hidden, &p->dh);
    take(p, &at, all * (d->hidden > q ? d->hidden : q), &p->dx);
    if (p->lora) take(p, &at, all * p->lora->rank, &p->dlow);
    return at;
}

/* ----------------------------------------------------------------------------------------- rows */

static void free_view(view *v) {
    free(v->begin);
    free(v->last);
    for (int kind = 0; kind < PIAA_DECODER_KINDS; kind++) {
        free(v->first[kind]);
        free(v->rotary[kind]);
    }
}

/* Room for the rows that `labelled` asks for, and where each conversation's begin. */
static bool size_view(const pass *p, bool labelled, view *v, piaa_error *error) {
    const piaa_batch *batch = p->batch;
    v->begin = piaa_alloc(batch->count + 1, sizeof *v->begin, error);
    if (!v->begin) return false;
    for (size_t i = 0; i < batch->count; i++)
        v->begin[i + 1] = v->begin[i] + (labelled ? piaa_sample_labels(batch->samples[i])
                                                  : batch->samples[i]->tokens);
    v->count = v->begin[batch->count];
    v->last = piaa_alloc((size_t)v->count, sizeof *v->last, error);
    bool ok = v->last != NULL;
    for (int kind = 0; ok && kind < PIAA_DECODER_KINDS; kind++) {
        v->first[kind] = piaa_alloc((size_t)v->count, sizeof *v->first[kind], error);
        v->rotary[kind] = piaa_alloc_array(
            (size_t)v->count * (size_t)p->decoder->kind[kind].rotary.dim, sizeof(float), error);
        ok = v->first[kind] && v->rotary[kind];
    }
    return ok;
}

static void put_row(const pass *p, view *v, int64_t row, const piaa_sample *sample, int token) {
    v->last[row] = piaa_sample_last(sample, token);
    for (int kind = 0; kind < PIAA_DECODER_KINDS; kind++) {
        const size_t dim = (size_t)p->decoder->kind[kind].rotary.dim;
        v->first[kind][row] = piaa_sample_first(sample, kind, token);
        if (dim)
            memcpy(v->rotary[kind] + (size_t)row * dim,
                   sample->rows->all.rotary[kind] + (size_t)token * dim, dim * sizeof(float));
    }
}

static bool make_views(pass *p, piaa_error *error) {
    if (!size_view(p, false, &p->all, error) || !size_view(p, true, &p->kept, error)) return false;
    p->places = piaa_alloc((size_t)p->kept.count, sizeof *p->places, error);
    p->labels = piaa_alloc((size_t)p->kept.count, sizeof *p->labels, error);
    if (!p->places || !p->labels) return false;
    int64_t row = 0, kept = 0;
    for (size_t i = 0; i < p->batch->count; i++) {
        const piaa_sample *sample = p->batch->samples[i];
        for (int token = 0; token < sample->tokens; token++, row++) {
            put_row(p, &p->all, row, sample, token);
            if (sample->labels[token] < 0) continue;
            p->places[kept] = row;
            p->labels[kept] = sample->labels[token];
            put_row(p, &p->kept, kept++, sample, token);
        }
    }
    return true;
}

static void free_pass(pass *p) {
    free_view(&p->all);
    free_view(&p->kept);
    free(p->places);
    free(p->labels);
    free(p->blocks);
    free(p->heads);
    free(p->memory);
}

static bool open_pass(pass *p, piaa_error *error) {
    p->decoder = p->network->decoder;
    p->blocks = piaa_alloc((size_t)p->decoder->layers, sizeof *p->blocks, error);
    p->heads = piaa_alloc(p->batch->count, sizeof *p->heads, error);
    if (!p->blocks || !p->heads || !make_views(p, error)) return false;
    p->memory = piaa_alloc_array(lay_out(p), sizeof *p->memory, error);
    if (!p->memory) return false;
    lay_out(p);
    int64_t row = 0;
    for (size_t i = 0; i < p->batch->count; i++) {
        const piaa_sample *sample = p->batch->samples[i];
        const size_t size = (size_t)sample->tokens * (size_t)p->decoder->hidden;
        memcpy(p->blocks[0].h + row * p->decoder->hidden, sample->rows->states,
               size * sizeof(float));
        row += sample->tokens;
    }
    return true;
}

/* --------------------------------------------------------------------------------- row by row */

/* A job over rows of a pass; what it does with them is `run`'s. */
typedef struct row_job {
    const pass *p;
    int64_t count;
    void (*run)(const struct row_job *job, int64_t first, int64_t end);
    int block;
    bool add;
    const float *x, *w, *dy;
    int64_t n;
    float *y;
} row_job;

static bool run_rows(void *user, size_t i, piaa_error *error) {
    const row_job *job = user;
    PIAA_UNUSED(error);
    job->run(job, (int64_t)i * PIAA_CREW_ROWS, piaa_crew_end(i, job->count, PIAA_CREW_ROWS));
    return true;
}

/* cost: multiplications, about, for each number of a row. */
static bool each_row(row_job job, double cost, piaa_error *error) {
    return piaa_crew_run(&job.p->network->crew, piaa_crew_jobs(job.count, PIAA_CREW_ROWS),
                         (double)job.count * (double)job.n * cost, run_rows, &job, error);
}

static void normalise(const row_job *job, int64_t first, int64_t end) {
    const int64_t at = first * job->n;
    piaa_norm_forwards(job->x + at, job->w, end - first, job->n, job->p->decoder->eps, job->y + at);
}

static void normalise_back(const row_job *job, int64_t first, int64_t end) {
    const int64_t at = first * job->n;
    piaa_norm_backwards(job->x + at, job->w, job->dy + at, end - first, job->n,
                        job->p->decoder->eps, job->add, job->y + at);
}

static bool norm(const pass *p, const float *x, const float *w, int64_t count, float *y,
                 piaa_error *error) {
    return each_row((row_job){.p = p,
                              .count = count,
                              .run = normalise,
                              .x = x,
                              .w = w,
                              .n = p->decoder->hidden,
                              .y = y},
                    4, error);
}

/* dx += what the norm makes of dy; without `add` dx becomes that, and may be dy. */
static bool norm_back(const pass *p, const float *x, const float *w, const float *dy, int64_t count,
                      bool add, float *dx, piaa_error *error) {
    return each_row((row_job){.p = p,
                              .count = count,
                              .run = normalise_back,
                              .add = add,
                              .x = x,
                              .w = w,
                              .dy = dy,
                              .n = p->decoder->hidden,
                              .y = dx},
                    6, error);
}

static void add_rows(const row_job *job, int64_t first, int64_t end) {
    for (int64_t i = first * job->n; i < end * job->n; i++) job->y[i] += job->x[i];
}

static bool add(const pass *p, const float *x, int64_t count, float *y, piaa_error *error) {
    return each_row(
        (row_job){.p = p, .count = count, .run = add_rows, .x = x, .n = p->decoder->hidden, .y = y},
        1, error);
}

/* Queries or keys of block i as attention takes them: normalised and turned.  `w` NULL: no norm. */
typedef struct turn_job {
    const view *rows;
    const float *from, *w;
    float *to; /* the turned ones; on the way back gradients, in place */
    int heads, dim, kind;
    float eps;
    bool back;
} turn_job;

static bool turn_rows(void *user, size_t i, piaa_error *error) {
    const turn_job *job = user;
    const int64_t size = (int64_t)job->heads * job->dim;
    const int64_t end = piaa_crew_end(i, job->rows->count, PIAA_CREW_ROWS);
    PIAA_UNUSED(error);
    for (int64_t row = (int64_t)i * PIAA_CREW_ROWS; row < end; row++) {
        const float *from = job->from + row * size,
                    *table = job->rows->rotary[job->kind] + row * job->dim;
        float *to = job->to + row * size;
        if (job->back) {
            piaa_turn_backwards(table, job->heads, job->dim, to);
            if (job->w)
                piaa_norm_backwards(from, job->w, to, job->heads, job->dim, job->eps, false, to);
            continue;
        }
        if (job->w)
            piaa_norm_forwards(from, job->w, job->heads, job->dim, job->eps, to);
        else
            memcpy(to, from, (size_t)size * sizeof *to);
        piaa_turn_forwards(table, job->heads, job->dim, to);
    }
    return true;
}

static bool turn(const pass *p, int i, bool keys, const float *from, float *to, bool back,
                 piaa_error *error) {
    const piaa_decoder *d = p->decoder;
    const piaa_decoder_kind *kind = &d->kind[d->kind_of[i]];
    const block *b = &p->network->blocks[i];
    turn_job job = {.rows = keys ? &p->all : leaving(p, i),
                    .from = from,
                    .w = keys ? b->k_norm : b->q_norm,
                    .to = to,
                    .heads = keys ? kind->kv_heads : kind->heads,
                    .dim = kind->rotary.dim,
                    .kind = d->kind_of[i],
                    .eps = d->eps,
                    .back = back};
    return piaa_crew_run(&p->network->crew, piaa_crew_jobs(job.rows->count, PIAA_CREW_ROWS),
                         (double)job.rows->count * job.heads * job.dim * 8, turn_rows, &job, error);
}

/* Each conversation's heads in block i. */
static void set_heads(const pass *p, int i) {
    const piaa_decoder *d = p->decoder;
    const int number = d->kind_of[i];
    const piaa_decoder_kind *kind = &d->kind[number];
    const view *rows = leaving(p, i);
    const int64_t q = q_size(p, i), kv = kv_size(p, i);
    for (size_t s = 0; s < p->batch->count; s++) {
        const int64_t from = rows->begin[s], key = p->all.begin[s];
        p->heads[s] = (piaa_heads){
            .heads = kind->heads,
            .kv_heads = kind->kv_heads,
            .dim = kind->rotary.dim,
            .scale = d->scale > 0 ? d->scale : 1.0f / sqrtf((float)kind->rotary.dim),
            .queries = rows->begin[s + 1] - from,
            .keys = p->all.begin[s + 1] - key,
            .first = rows->first[number] + from,
            .last = rows->last + from,
            .q = p->q + from * q,
            .k = p->k + key * kv,
            .v = p->blocks[i].v + key * kv,
            .out = p->blocks[i].attended + from * q,
        };
    }
}

/* ---------------------------------------------------------------------------- adapted products */

static const piaa_lora_pair *pair_of(const pass *p, int i, piaa_target target) {
    const piaa_lora_pair *pair = p->lora ? &p->lora->pairs[i * PIAA_TARGETS + (int)target] : NULL;
    return pair && pair->inputs ? pair : NULL;
}

static piaa_dropout dropout_of(const pass *p, int i, piaa_target target) {
    const uint32_t number = (uint32_t)(i * PIAA_TARGETS + (int)target) + 1;
    return (piaa_dropout){.key = (p->batch->dropout + number * 0x632BE5ABu) * 0x9E3779B1u,
                          .probability = p->gradients ? (float)p->lora->dropout : 0};
}

/* y [count][outputs] = (W + s B A) x + b */
static bool linear(const pass *p, int i, piaa_target target, const float *x, int64_t count,
                   float *y, piaa_error *error) {
    const block *b = &p->network->blocks[i];
    const piaa_crew *crew = &p->network->crew;
    const piaa_lora_pair *pair = pair_of(p, i, target);
    if (!piaa_frozen_forwards(&b->matrix[target], x, count, y, crew, error)) return false;
    const int64_t outputs = b->matrix[target].rows;
    for (int64_t row = 0; b->bias[target] && row < count; row++)
        for (int64_t j = 0; j < outputs; j++) y[row * outputs + j] += b->bias[target][j];
    if (!pair) return true;
    const piaa_dropout dropout = dropout_of(p, i, target);
    return piaa_pair_forwards(p->lora, pair, x, count, &dropout, p->blocks[i].low[target], y, crew,
                              error);
}

/* Gradients of A and B, and of x: dx, or added to it, or (NULL) not at all. */
static bool linear_back(const pass *p, int i, piaa_target target, const float *x, int64_t count,
                        const float *dy, bool add_to, float *dx, piaa_error *error) {
    const piaa_crew *crew = &p->network->crew;
    const piaa_lora_pair *pair = pair_of(p, i, target);
    if (dx && !piaa_frozen_backwards(&p->network->blocks[i].matrix[target], dy, count, add_to, dx,
                                     crew, error))
        return false;
    if (!pair) return true;
    const piaa_dropout dropout = dropout_of(p, i, target);
    return piaa_pair_backwards(p->lora, pair, x, p->blocks[i].low[target], dy, count, &dropout,
                               p->dlow, dx, crew, error);
}

/* ------------------------------------------------------------------------------------- forwards */

static void gather(const pass *p, const float *from, int64_t size, float *to) {
    for (int64_t i = 0; i < p->kept.count; i++)
        memmove(to + i * size, from + p->places[i] * size, (size_t)size * sizeof *to);
}

/* The half of a block with attention: from h to the middle. */
static bool attend(const pass *p, int i, piaa_error *error) {
    const piaa_decoder *d = p->decoder;
    const block *b = &p->network->blocks[i];
    const saved *s = &p->blocks[i];
    const int64_t all = p->all.count, rows = leaving(p, i)->count;
    if (!norm(p, s->h, b->before1, all, p->x, error) ||
        !linear(p, i, PIAA_TARGET_K, p->x, all, s->k, error) ||
        !linear(p, i, PIAA_TARGET_V, p->x, all, s->v, error))
        return false;
    if (is_last(p, i)) { /* places rise, so that rows move towards the front */
        gather(p, p->x, d->hidden, p->x);
        gather(p, s->h, d->hidden, s->middle);
    } else {
        memcpy(s->middle, s->h, (size_t)(all * d->hidden) * sizeof(float));
    }
    if (!linear(p, i, PIAA_TARGET_Q, p->x, rows, s->q, error) ||
        !turn(p, i, false, s->q, p->q, false, error) || !turn(p, i, true, s->k, p->k, false, error))
        return false;
    set_heads(p, i);
    float *out = s->o ? s->o : p->x;
    if (!piaa_heads_forwards(p->heads, p->batch->count, &p->network->crew, error) ||
        !linear(p, i, PIAA_TARGET_O, s->attended, rows, out, error))
        return false;
    if (s->o && !norm(p, s->o, b->after1, rows, p->x, error)) return false;
    return add(p, p->x, rows, s->middle, error);
}

static void gate_rows(const row_job *job, int64_t first, int64_t end) {
    const saved *s = &job->p->blocks[job->block];
    const int64_t at = first * job->n;
    piaa_gate_forwards(job->p->decoder->activation, s->gate + at, s->up + at,
                       (end - first) * job->n, job->y + at);
}

/* act(gate) * up of block i, into p->act. */
static bool gate(const pass *p, int i, piaa_error *error) {
    return each_row((row_job){.p = p,
                              .count = leaving(p, i)->count,
                              .run = gate_rows,
                              .block = i,
                              .n = p->decoder->intermediate,
                              .y = p->act},
                    20, error);
}

/* The half with the gated unit: from the middle to out [rows][hidden]. */
static bool think(const pass *p, int i, float *out, piaa_error *error) {
    const block *b = &p->network->blocks[i];
    const saved *s = &p->blocks[i];
    const int64_t rows = leaving(p, i)->count;
    if (!norm(p, s->middle, b->before2, rows, p->x, error) ||
        !linear(p, i, PIAA_TARGET_GATE, p->x, rows, s->gate, error) ||
        !linear(p, i, PIAA_TARGET_UP, p->x, rows, s->up, error) || !gate(p, i, error) ||
        !linear(p, i, PIAA_TARGET_DOWN, p->act, rows, s->down ? s->down : out, error))
        return false;
    if (s->down && !norm(p, s->down, b->after2, rows, out, error)) return false;
    return add(p, s->middle, rows, out, error);
}

/* DeepStack, after block i. */
static void stack(const pass *p, int i, float *h) {
    const int64_t hidden = p->decoder->hidden;
    for (size_t s = 0; i < PIAA_DECODER_ADDED && s < p->batch->count; s++) {
        const float *from = p->batch->samples[s]->rows->added[i];
        float *to = h + p->all.begin[s] * hidden;
        for (int64_t j = 0; from && j < p->batch->samples[s]->tokens * hidden; j++)
            to[j] += from[j];
    }
}

/* As far as the last block's output. */
static bool forwards(const pass *p, piaa_error *error) {
    const int last = p->decoder->layers - 1;
    for (int i = 0; i <= last; i++) {
        float *out = i == last ? p->states : p->blocks[i + 1].h;
        if (!attend(p, i, error) || !think(p, i, out, error)) return false;
        if (i < last) stack(p, i, out);
    }
    return true;
}

/* ---------------------------------------------------------------------------------------- logits
 */

/* Logits [count][vocabulary] of so many of the last states; normed [count][hidden] is what the head
 * reads. */
static bool read_out(const pass *p, int64_t first, int64_t count, float *normed, float *logits,
                     piaa_error *error) {
    const piaa_decoder *d = p->decoder;
    const int64_t vocabulary = p->network->head.rows;
    if (!norm(p, p->states + first * d->hidden, p->network->final_norm, count, normed, error) ||
        !piaa_frozen_forwards(&p->network->head, normed, count, logits, &p->network->crew, error))
        return false;
    for (int64_t i = 0; d->cap > 0 && i < count * vocabulary; i++)
        logits[i] = d->cap * tanhf(logits[i] / d->cap);
    return true;
}

/* Adds the losses of so many rows to *sum, and with gradients writes their dh.  logits has room for
 * them, twice where a cap's slope is asked for. */
static bool lose_rows(const pass *p, int64_t first, int64_t count, float *logits, double *sum,
                      piaa_error *error) {
    const piaa_decoder *d = p->decoder;
    const int64_t vocabulary = p->network->head.rows, size = count * vocabulary;
    const bool capped = d->cap > 0 && p->gradients;
    float *capped_logits = logits + size;
    if (!read_out(p, first, count, p->x, logits, error)) return false;
    if (capped) memcpy(capped_logits, logits, (size_t)size * sizeof *logits);
    for (int64_t row = 0; row < count; row++)
        *sum += piaa_entropy(logits + row * vocabulary, vocabulary, p->labels[first + row],
                             1.0f / (float)p->kept.count);
    if (!p->gradients) return true;
    float *dh = p->dh + first * d->hidden;
    for (int64_t i = 0; capped && i < size; i++) {
        const float t = capped_logits[i] / d->cap;
        logits[i] *= 1.0f - t * t;
    }
    return piaa_frozen_backwards(&p->network->head, logits, count, false, dh, &p->network->crew,
                                 error) &&
           norm_back(p, p->states + first * d->hidden, p->network->final_norm, dh, count, false, dh,
                     error);
}

/* The loss, and with gradients dh [kept][hidden] of the last block's output. */
static bool lose(const pass *p, double *loss, piaa_error *error) {
    const int64_t kept = p->kept.count, most = kept < LOGIT_ROWS ? kept : LOGIT_ROWS;
    const size_t copies = p->decoder->cap > 0 && p->gradients ? 2 : 1;
    float *logits =
        piaa_alloc_array((size_t)(most * p->network->head.rows) * copies, sizeof *logits, error);
    bool ok = logits != NULL;
    double sum = 0;
    for (int64_t first = 0; ok && first < kept; first += most)
        ok = lose_rows(p, first, kept - first < most ? kept - first : most, logits, &sum, error);
    free(logits);
    *loss = sum / (double)kept;
    return ok;
}

/* ------------------------------------------------------------------------------------ backwards */

static void gate_rows_back(const row_job *job, int64_t first, int64_t end) {
    const saved *s = &job->p->blocks[job->block];
    const int64_t at = first * job->n;
    piaa_gate_backwards(job->p->decoder->activation, s->gate + at, s->up + at,
                        (end - first) * job->n, job->y + at, job->p->dgate + at);
}

/* dh [rows][hidden]: of the block's output on entry, of its middle on return. */
static bool think_back(const pass *p, int i, piaa_error *error) {
    const block *b = &p->network->blocks[i];
    const saved *s = &p->blocks[i];
    const int64_t rows = leaving(p, i)->count;
    const float *dy = p->dh;
    if (s->down) {
        if (!norm_back(p, s->down, b->after2, p->dh, rows, false, p->dx, error)) return false;
        dy = p->dx;
    }
    if (!gate(p, i, error)) return false;
    if (!linear_back(p, i, PIAA_TARGET_DOWN, p->act, rows, dy, false, p->dact, error) ||
        !each_row((row_job){.p = p,
                            .count = rows,
                            .run = gate_rows_back,
                            .block = i,
                            .n = p->decoder->intermediate,
                            .y = p->dact},
                  30, error) ||
        !norm(p, s->middle, b->before2, rows, p->x, error) ||
        !linear_back(p, i, PIAA_TARGET_GATE, p->x, rows, p->dgate, false, p->dx, error) ||
        !linear_back(p, i, PIAA_TARGET_UP, p->x, rows, p->dact, true, p->dx, error))
        return false;
    return norm_back(p, s->middle, b->before2, p->dx, rows, true, p->dh, error);
}

/* Labelled rows go back to their places among all, from the last one on; the others are zero. */
static void scatter(const pass *p, float *h) {
    const int64_t size = p->decoder->hidden;
    int64_t next = p->all.count;
    for (int64_t i = p->kept.count - 1; i >= 0; i--) {
        const int64_t place = p->places[i];
        memset(h + (place + 1) * size, 0, (size_t)((next - place - 1) * size) * sizeof *h);
        if (place != i) memcpy(h + place * size, h + i * size, (size_t)size * sizeof *h);
        next = place;
    }
    memset(h, 0, (size_t)(next * size) * sizeof *h);
}

/* dh [rows][hidden]: of the middle on entry, [all][hidden] of the block's input on return.  The
 * first block's input is not trained, and no gradient of it is made. */
static bool attend_back(const pass *p, int i, piaa_error *error) {
    const block *b = &p->network->blocks[i];
    const saved *s = &p->blocks[i];
    const int64_t all = p->all.count, rows = leaving(p, i)->count, hidden = p->decoder->hidden,
                  q = q_size(p, i), kv = kv_size(p, i);
    const float *dy = p->dh;
    if (s->o) {
        if (!norm_back(p, s->o, b->after1, p->dh, rows, false, p->x, error)) return false;
        dy = p->x;
    }
    float *dattended = p->dx;
    if (!linear_back(p, i, PIAA_TARGET_O, s->attended, rows, dy, false, dattended, error) ||
        !turn(p, i, false, s->q, p->q, false, error) || !turn(p, i, true, s->k, p->k, false, error))
        return false;
    set_heads(p, i);
    for (size_t j = 0; j < p->batch->count; j++) {
        piaa_heads *h = &p->heads[j];
        const int64_t from = leaving(p, i)->begin[j], key = p->all.begin[j];
        h->dout = dattended + from * q;
        h->dq = p->dq + from * q;
        h->dk = p->dk + key * kv;
        h->dv = p->dv + key * kv;
    }
    if (!piaa_heads_backwards(p->heads, p->batch->count, &p->network->crew, error) ||
        !turn(p, i, false, s->q, p->dq, true, error) || !turn(p, i, true, s->k, p->dk, true, error))
        return false;
    float *dx = i > 0 ? p->dx : NULL;
    if (!norm(p, s->h, b->before1, all, p->x, error) ||
        !linear_back(p, i, PIAA_TARGET_K, p->x, all, p->dk, false, dx, error) ||
        !linear_back(p, i, PIAA_TARGET_V, p->x, all, p->dv, true, dx, error))
        return false;
    if (!is_last(p, i)) {
        if (!linear_back(p, i, PIAA_TARGET_Q, p->x, rows, p->dq, true, dx, error)) return false;
    } else {
        float *part = p->dact; /* what q gives of the labelled rows */
        gather(p, p->x, hidden, p->x);
        if (!linear_back(p, i, PIAA_TARGET_Q, p->x, rows, p->dq, false, dx ? part : NULL, error))
            return false;
        for (int64_t row = 0; dx && row < rows; row++)
            for (int64_t j = 0; j < hidden; j++)
                dx[p->places[row] * hidden + j] += part[row * hidden + j];
        if (dx) scatter(p, p->dh);
    }
    return !dx || norm_back(p, s->h, b->before1, dx, all, true, p->dh, error);
}

static bool backwards(const pass *p, piaa_error *error) {
    for (int i = p->decoder->layers - 1; i >= 0; i--)
        if (!think_back(p, i, error) || !attend_back(p, i, error)) return false;
    return true;
}

/* -------------------------------------------------------------------------------------- outside */

static bool run_pass(pass *p, double *loss, piaa_error *error) {
    if (!open_pass(p, error)) return false;
    if (!p->kept.count)
        return piaa_error_set(error, PIAA_USAGE, "a batch without a labelled token has no loss");
    return forwards(p, error) && lose(p, loss, error) && (!p->gradients || backwards(p, error));
}

bool piaa_network_loss(const piaa_network *network, piaa_lora *lora, const piaa_batch *batch,
                       bool gradients, double *loss, piaa_error *error) {
    pass p = {.network = network, .lora = lora, .batch = batch, .gradients = gradients && lora};
    *loss = 0;
    if (p.gradients) memset(lora->gradients, 0, lora->count * sizeof *lora->gradients);
    const bool ok = run_pass(&p, loss, error);
    free_pass(&p);
    return ok;
}

bool piaa_network_logits(const piaa_network *network, const piaa_lora *lora,
                         const piaa_sample *sample, float *out, piaa_error *error) {
    const piaa_batch batch = {.samples = &sample, .count = 1};
    pass p = {.network = network, .lora = (piaa_lora *)lora, .batch = &batch};
    const bool ok = open_pass(&p, error) && forwards(&p, error) &&
                    read_out(&p, 0, p.kept.count, p.x, out, error);
    free_pass(&p);
    return ok;
}

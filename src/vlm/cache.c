/* Keys and values of a decoder's blocks, kept from run to run. */
#include "vlm/cache.h"

#include "base/memory.h"

#include <stdlib.h>

struct piaa_cache {
    ggml_backend_t backend;
    piaa_cache_block *blocks;
    int block_count;
    int room, kept, coming; /* tokens; coming: kept once the run has ended */
};

static int whole_panels(int tokens) {
    return (tokens + PIAA_PANEL - 1) / PIAA_PANEL * PIAA_PANEL;
}

piaa_cache *piaa_cache_new(ggml_backend_t backend, int blocks, int tokens, piaa_error *error) {
    piaa_cache *cache = piaa_alloc(1, sizeof *cache, error);
    if (!cache) return NULL;
    cache->backend = backend;
    cache->block_count = blocks;
    cache->room = whole_panels(tokens > 0 ? tokens : 1);
    cache->blocks = piaa_alloc((size_t)blocks, sizeof *cache->blocks, error);
    if (cache->blocks) return cache;
    free(cache);
    return NULL;
}

static void free_block(piaa_cache_block *block) {
    free(block->packed);
    ggml_backend_buffer_free(block->buffer);
    ggml_free(block->context);
}

void piaa_cache_free(piaa_cache *cache) {
    if (!cache) return;
    for (int i = 0; i < cache->block_count; i++) free_block(&cache->blocks[i]);
    free(cache->blocks);
    free(cache);
}

int piaa_cache_kept(const piaa_cache *cache) {
    return cache->kept;
}

int piaa_cache_room(const piaa_cache *cache) {
    return cache->room;
}

static size_t packed_bytes(const piaa_cache_block *block, int room) {
    return (size_t)block->kernels->packed_words(room, block->kv_heads, block->dim) *
           sizeof *block->packed;
}

size_t piaa_cache_bytes(const piaa_cache *cache) {
    size_t bytes = 0;
    for (int i = 0; i < cache->block_count; i++) {
        const piaa_cache_block *block = &cache->blocks[i];
        if (block->packed) bytes += packed_bytes(block, cache->room);
        if (block->buffer) bytes += ggml_backend_buffer_get_size(block->buffer);
    }
    return bytes;
}

/* Memory for `room` tokens; type: of tensors. */
static bool make_room(const piaa_cache *cache, piaa_cache_block *block, int room,
                      enum ggml_type type, piaa_error *error) {
    if (block->kernels) {
        block->packed = piaa_alloc_array(packed_bytes(block, room), 1, error);
        return block->packed != NULL;
    }
    const int64_t width = (int64_t)block->kv_heads * block->dim;
    block->context = ggml_init(
        (struct ggml_init_params){.mem_size = 2 * ggml_tensor_overhead(), .no_alloc = true});
    if (block->context) {
        block->k = ggml_new_tensor_2d(block->context, type, width, room);
        block->v = ggml_new_tensor_2d(block->context, type, width, room);
        block->buffer = ggml_backend_alloc_ctx_tensors(block->context, cache->backend);
    }
    return block->buffer || piaa_error_set(error, PIAA_MEMORY,
                                           "no room for the keys and values of %d tokens: ask a "
                                           "shorter question, or set a lower --max-pixels",
                                           room);
}

/* By way of the host's memory: it happens once in so many tokens as there are already. */
static bool copy_rows(const struct ggml_tensor *from, struct ggml_tensor *to, int rows,
                      piaa_error *error) {
    const size_t bytes = from->nb[1] * (size_t)rows;
    void *host = piaa_alloc_array(bytes, 1, error);
    if (!host) return false;
    ggml_backend_tensor_get(from, host, 0, bytes);
    ggml_backend_tensor_set(to, host, 0, bytes);
    free(host);
    return true;
}

static bool grow_block(const piaa_cache *cache, piaa_cache_block *block, int room,
                       piaa_error *error) {
    piaa_cache_block wider = {
        .kv_heads = block->kv_heads, .dim = block->dim, .kernels = block->kernels};
    const int kept = cache->kept;
    bool ok = make_room(cache, &wider, room, block->k ? block->k->type : GGML_TYPE_F32, error);
    if (ok && block->kernels)
        block->kernels->packed_move(block->packed, cache->room, wider.packed, room, kept,
                                    block->kv_heads, block->dim);
    else if (ok && kept)
        ok = copy_rows(block->k, wider.k, kept, error) && copy_rows(block->v, wider.v, kept, error);
    free_block(ok ? block : &wider);
    if (ok) *block = wider;
    return ok;
}

static bool grow(piaa_cache *cache, int tokens, piaa_error *error) {
    int room = cache->room;
    while (room < tokens) room = room < INT32_MAX / 2 - PIAA_PANEL ? 2 * room : INT32_MAX;
    for (int i = 0; room > cache->room && i < cache->block_count; i++) {
        piaa_cache_block *block = &cache->blocks[i];
        if (!block->dim || grow_block(cache, block, room, error)) continue;
        /* Some have the new room and some the old: none is of use any more. */
        for (int k = 0; k < cache->block_count; k++) {
            free_block(&cache->blocks[k]);
            cache->blocks[k] = (piaa_cache_block){0};
        }
        cache->kept = 0;
        return false;
    }
    cache->room = room;
    return true;
}

bool piaa_cache_begin(piaa_cache *cache, int past, int tokens, piaa_error *error) {
    if (past > cache->kept)
        return piaa_error_set(error, PIAA_USAGE,
                              "a text that goes on after %d tokens, where only %d were read", past,
                              cache->kept);
    cache->kept = past;
    cache->coming = past + tokens;
    return grow(cache, cache->coming, error);
}

void piaa_cache_end(piaa_cache *cache) {
    cache->kept = cache->coming;
}

const piaa_cache_block *piaa_cache_at(piaa_cache *cache, int number, int kv_heads, int dim,
                                      const piaa_kernels *kernels, bool half, piaa_error *error) {
    piaa_cache_block *block = &cache->blocks[number];
    if (block->dim) return block;
    *block = (piaa_cache_block){.kv_heads = kv_heads, .dim = dim, .kernels = kernels};
    if (make_room(cache, block, cache->room, half ? GGML_TYPE_F16 : GGML_TYPE_F32, error))
        return block;
    free_block(block);
    *block = (piaa_cache_block){0};
    return NULL;
}

/* Keys and values of a decoder's blocks, kept from run to run. */
#include "vlm/cache.h"

#include "base/memory.h"

#include <stdlib.h>

struct piaa_cache {
    ggml_backend_t backend;
    piaa_cache_block *blocks;
    int block_count;
    int room, kept,
        coming; /* tokens: the room to begin with; coming: kept once the run has ended */
};

static int whole_panels(int tokens) {
    return (tokens + PIAA_PANEL - 1) / PIAA_PANEL * PIAA_PANEL;
}

piaa_cache *piaa_cache_new(ggml_backend_t backend, int blocks, int tokens, piaa_error *error) {
    piaa_cache *cache = piaa_alloc(1, sizeof *cache, error);
    if (!cache) return NULL;
    cache->backend = backend;
    cache->block_count = blocks;
    cache->room = tokens;
    cache->blocks = piaa_alloc((size_t)blocks, sizeof *cache->blocks, error);
    if (cache->blocks) return cache;
    free(cache);
    return NULL;
}

static void free_block(piaa_cache_block *block) {
    free(block->packed);
    ggml_backend_buffer_free(block->buffer);
    ggml_free(block->context);
    *block = (piaa_cache_block){0};
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

static size_t packed_bytes(const piaa_cache_block *block) {
    return (size_t)block->kernels->packed_words(block->room, block->kv_heads, block->dim) *
           sizeof *block->packed;
}

size_t piaa_cache_bytes(const piaa_cache *cache) {
    size_t bytes = 0;
    for (int i = 0; i < cache->block_count; i++) {
        const piaa_cache_block *block = &cache->blocks[i];
        if (block->packed) bytes += packed_bytes(block);
        if (block->buffer) bytes += ggml_backend_buffer_get_size(block->buffer);
    }
    return bytes;
}

/* Memory for its room; type: of tensors. */
static bool make_room(const piaa_cache *cache, piaa_cache_block *block, enum ggml_type type,
                      piaa_error *error) {
    if (block->kernels) {
        block->packed = piaa_alloc_array(packed_bytes(block), 1, error);
        return block->packed != NULL;
    }
    const int64_t width = (int64_t)block->kv_heads * block->dim;
    block->context = ggml_init(
        (struct ggml_init_params){.mem_size = 2 * ggml_tensor_overhead(), .no_alloc = true});
    if (block->context) {
        block->k = ggml_new_tensor_2d(block->context, type, width, block->room);
        block->v = ggml_new_tensor_2d(block->context, type, width, block->room);
        block->buffer = ggml_backend_alloc_ctx_tensors(block->context, cache->backend);
    }
    if (block->buffer) return true;
    return piaa_error_set(
        error, PIAA_MEMORY,
        "no room for the keys and values of %d tokens: ask a shorter question, or "
        "set a lower --max-pixels",
        block->room);
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

static bool move(const piaa_cache *cache, const piaa_cache_block *from, piaa_cache_block *to,
                 piaa_error *error) {
    const int kept = cache->kept;
    if (from->kernels) {
        from->kernels->packed_move(from->packed, from->room, to->packed, to->room, kept,
                                   from->kv_heads, from->dim);
        return true;
    }
    return !from->k || !kept ||
           (copy_rows(from->k, to->k, kept, error) && copy_rows(from->v, to->v, kept, error));
}

/* Puts a wider one in its place. */
static bool grow(const piaa_cache *cache, piaa_cache_block *block, piaa_error *error) {
    piaa_cache_block wider = {.kv_heads = block->kv_heads,
                              .dim = block->dim,
                              .room = block->room,
                              .kernels = block->kernels};
    const enum ggml_type type = block->k ? block->k->type : GGML_TYPE_F32;
    while (wider.room < cache->coming)
        wider.room = wider.room < INT32_MAX / 2 - PIAA_PANEL ? 2 * wider.room : INT32_MAX;
    if (!make_room(cache, &wider, type, error) || !move(cache, block, &wider, error)) {
        free_block(&wider);
        return false;
    }
    free_block(block);
    *block = wider;
    return true;
}

bool piaa_cache_begin(piaa_cache *cache, int past, int tokens, piaa_error *error) {
    if (past > cache->kept)
        return piaa_error_set(error, PIAA_USAGE,
                              "a text that goes on after %d tokens, where only %d were read", past,
                              cache->kept);
    cache->kept = past;
    cache->coming = past + tokens;
    return true;
}

void piaa_cache_end(piaa_cache *cache) {
    cache->kept = cache->coming;
}

const piaa_cache_block *piaa_cache_at(piaa_cache *cache, int number, int kv_heads, int dim,
                                      const piaa_kernels *kernels, bool half, piaa_error *error) {
    piaa_cache_block *block = &cache->blocks[number];
    if (!block->room) {
        *block = (piaa_cache_block){.kv_heads = kv_heads, .dim = dim, .kernels = kernels};
        block->room = whole_panels(cache->coming > cache->room ? cache->coming : cache->room);
        if (make_room(cache, block, half ? GGML_TYPE_F16 : GGML_TYPE_F32, error)) return block;
        free_block(block);
        return NULL;
    }
    return block->room >= cache->coming || grow(cache, block, error) ? block : NULL;
}

/*
 * Keys and values of a decoder's blocks, kept from run to run: what comes after a text costs no
 * more than itself.
 *
 * Keys are kept as attention reads them, normalised and turned by their positions.  With our
 * kernels that is in the packed panels, to which each run adds its own rows; for ggml's operations
 * it is two tensors of a block in the device's memory.  All of them stay, those too that a sliding
 * window has passed: a row says which key is the first that it sees (piaa_decoder_rows).
 *
 * Room grows by doubling.  Going back costs nothing: a run that begins earlier writes over what was
 * there.
 */
#ifndef PIAA_VLM_CACHE_H
#define PIAA_VLM_CACHE_H

#include "vlm/kernels.h"

#include "base/error.h"

#include <ggml-backend.h>
#include <ggml.h>

/* Of one block. */
typedef struct piaa_cache_block {
    int kv_heads, dim;
    int room;                    /* tokens; 0: nothing is there yet */
    const piaa_kernels *kernels; /* who packs it; NULL: ggml's operations */
    uint32_t *packed;            /* piaa_kernels.packed_words of the room */
    struct ggml_tensor *k, *v;   /* [kv_heads * dim, room] */
    struct ggml_context *context;
    ggml_backend_buffer_t buffer;
} piaa_cache_block;

typedef struct piaa_cache piaa_cache;

/* Tensors will be in the back end's memory, which outlives the cache.  tokens: the room to begin
   with, at least. */
piaa_cache *piaa_cache_new(ggml_backend_t backend, int blocks, int tokens,
                           piaa_error *error) PIAA_MUST_USE;
void piaa_cache_free(piaa_cache *cache);

/* Tokens whose keys and values every block has. */
int piaa_cache_kept(const piaa_cache *cache);
size_t piaa_cache_bytes(const piaa_cache *cache);

/* Before a run of `tokens` rows behind the first `past` kept ones, and once it has ended well: what
   was kept behind them is given up.  PIAA_USAGE where fewer are kept. */
bool piaa_cache_begin(piaa_cache *cache, int past, int tokens, piaa_error *error) PIAA_MUST_USE;
void piaa_cache_end(piaa_cache *cache);

/* The block's memory, made when it is asked for first, and with room for the run; half: tensors are
 * float16, else float32. */
const piaa_cache_block *piaa_cache_at(piaa_cache *cache, int number, int kv_heads, int dim,
                                      const piaa_kernels *kernels, bool half,
                                      piaa_error *error) PIAA_MUST_USE;

#endif

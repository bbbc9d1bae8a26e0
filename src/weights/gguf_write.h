/* A checkpoint written as the pair of GGUF files that llama.cpp's converter and quantiser would
   make of it. */
#ifndef PIAA_WEIGHTS_GGUF_WRITE_H
#define PIAA_WEIGHTS_GGUF_WRITE_H

#include "base/output.h"
#include "weights/checkpoint.h"
#include "weights/mixture.h"

/* How matrices are stored; vectors, position embeddings and the patch kernel are float32 always.
 * Q5_K and Q4_K are llama.cpp's mixtures Q5_K_M and Q4_K_M (weights/mixture.h); the vision part
 * beside a K-quant is Q8_0.  Rows that are no whole blocks fall back to a type with smaller ones,
 * at last to F16. */
typedef enum piaa_gguf_kind {
    PIAA_GGUF_KIND_F32,
    PIAA_GGUF_KIND_F16,
    PIAA_GGUF_KIND_BF16,
    PIAA_GGUF_KIND_Q8_0,
    PIAA_GGUF_KIND_Q6_K,
    PIAA_GGUF_KIND_Q5_K,
    PIAA_GGUF_KIND_Q4_K
} piaa_gguf_kind;

/* "f32", "f16", "bf16", "q8_0", "q6_K", "q5_K", "q4_K" */
bool piaa_gguf_kind_parse(const char *name, piaa_gguf_kind *out);

/* What a tensor of the checkpoint (by its canonical name) becomes in such a pair.  For models that
 * have no GGUF form: `kind` for every matrix, and the same rule for its rows. */
enum ggml_type piaa_gguf_type(const piaa_checkpoint *checkpoint, const piaa_tensor *tensor,
                              piaa_gguf_kind kind);

/* Asked before the weights are written, of files that hold everything else: whether they say the
   same model.  false: nothing is written, and the error says why. */
typedef struct piaa_gguf_check {
    bool (*same)(void *user, const char *text_path, const char *vision_path, piaa_error *error);
    void *user;
} piaa_gguf_check;

extern const piaa_output_kind piaa_gguf_output;

/* Writes both files, over nothing but such files, each complete under another name first.
 * `checkpoint` may be a GGUF pair itself.  check may be NULL.  hooks (may be NULL) sees bytes of
 * weights read, and may stop it.  Peak memory: the metadata and 64 rows of one matrix. */
bool piaa_gguf_convert(const piaa_checkpoint *checkpoint, const char *text_path,
                       const char *vision_path, piaa_gguf_kind kind, const piaa_gguf_check *check,
                       const piaa_hooks *hooks, piaa_error *error) PIAA_MUST_USE;

#endif

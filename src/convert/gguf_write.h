/* A checkpoint written as the pair of GGUF files that llama.cpp's converter and quantiser would
   make of it. */
#ifndef PIAA_CONVERT_GGUF_WRITE_H
#define PIAA_CONVERT_GGUF_WRITE_H

#include "base/output.h"
#include "weights/checkpoint.h"
#include "weights/mixture.h"

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

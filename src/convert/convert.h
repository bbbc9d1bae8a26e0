/* An opened model written as a pair of GGUF files. */
#ifndef PIAA_CONVERT_CONVERT_H
#define PIAA_CONVERT_CONVERT_H

#include "convert/gguf_write.h"
#include "vlm/vlm.h"

/* Writes the model as a pair of GGUF files (piaa_gguf_convert).  PIAA_UNSUPPORTED, and nothing is
 * written, where they cannot say what the model computes; the error names the setting. */
bool piaa_model_convert(piaa_model *model, const char *text_path, const char *vision_path,
                        piaa_gguf_kind kind, const piaa_hooks *hooks,
                        piaa_error *error) PIAA_MUST_USE;

#endif

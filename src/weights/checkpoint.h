/* A model as users download it, a Hugging Face folder or a pair of GGUF files: configuration values
 * and weight tensors by name, whatever the file format. */
#ifndef PIAA_WEIGHTS_CHECKPOINT_H
#define PIAA_WEIGHTS_CHECKPOINT_H

#include "base/error.h"
#include "base/json.h"
#include "text/tokenizer.h"

/* QUANTISED: blocks of a ggml type, which piaa_tensor.ggml_type says. */
typedef enum piaa_type { PIAA_F32, PIAA_F16, PIAA_BF16, PIAA_QUANTISED, PIAA_OTHER_TYPE } piaa_type;

enum { PIAA_MAX_DIMENSIONS = 8 };

/* data points into the mapped file and lives as long as the checkpoint; shape is outermost first,
   as in PyTorch. */
typedef struct piaa_tensor {
    const char *name;  /* canonical: see piaa_checkpoint_tensor */
    const char *dtype; /* as the file spells it, "BF16", "q4_K" */
    piaa_type type;
    int ggml_type; /* of a quantised tensor: ggml's number for its type; the last axis is whole
                      blocks */
    int dimensions;
    int64_t shape[PIAA_MAX_DIMENSIONS];
    const void *data;
    size_t bytes;
    /* NULL: the numbers are those that are stored.  Else they are made of these when they are read
       (piaa_tensor_to_float), of a run of them too, whose data point into the stored ones. */
    const struct piaa_derived *derived;
} piaa_tensor;

/* A matrix of other numbers than are stored: eight bits each, multiplied by a scale for each block;
 * or with an adapter added, strength * up [rows, rank] * down [rank, columns].  Either may be NULL.
 */
typedef struct piaa_derived {
    piaa_tensor base; /* as stored */
    int64_t columns;
    size_t width; /* bytes of a stored number */
    float *scales;
    int64_t scale_columns, block_rows, block_columns;
    float *down, *up, strength;
    int64_t rank;
} piaa_derived;

typedef struct piaa_checkpoint piaa_checkpoint;

/* `path` is one of
 *   - a folder with config.json, preprocessor_config.json or processor_config.json, and
 *     model.safetensors or the shards that
 *     model.safetensors.index.json lists;
 *   - a folder with two GGUF files, the text model and its vision part (mmproj), as llama.cpp's
 *     converter writes them;
 *   - the GGUF file of a text model, with its vision part beside it, or named after a comma:
 *     "TEXT.gguf,MMPROJ.gguf"; either may be in several files, of which one is named.
 * From GGUF metadata a configuration is made with the keys that config.json would have.  Tensor
 * data are mapped, not read. */
piaa_checkpoint *piaa_checkpoint_open(const char *path, piaa_error *error) PIAA_MUST_USE;
/* The same of a GGUF text model, or a folder that holds one, with `vision` as its vision part
 * wherever that is; NULL: piaa_checkpoint_open. */
piaa_checkpoint *piaa_checkpoint_open_pair(const char *path, const char *vision,
                                           piaa_error *error) PIAA_MUST_USE;
/* Merges a PEFT adapter (a folder) into a folder's weights as they are read; before anything else.
 */
bool piaa_checkpoint_adapt(piaa_checkpoint *checkpoint, const char *folder,
                           piaa_error *error) PIAA_MUST_USE;
void piaa_checkpoint_close(piaa_checkpoint *checkpoint);

/* `path` as it was given; "TEXT.gguf,MMPROJ.gguf" where the vision part was named. */
const char *piaa_checkpoint_folder(const piaa_checkpoint *checkpoint);
/* Its tokenizer: from tokenizer.json, or from the GGUF file's metadata.  The caller's. */
piaa_tokenizer *piaa_checkpoint_tokenizer(const piaa_checkpoint *checkpoint,
                                          piaa_error *error) PIAA_MUST_USE;
/* Its own chat template, and the tokens that one may name; all NULL where there is none. */
typedef struct piaa_chat_template {
    char *text, *bos, *eos;
    const char *where; /* "chat_template.jinja", "tokenizer.chat_template" */
} piaa_chat_template;
bool piaa_checkpoint_chat_template(const piaa_checkpoint *checkpoint, piaa_chat_template *out,
                                   piaa_error *error) PIAA_MUST_USE;
void piaa_chat_template_free(piaa_chat_template *chat_template);
/* config.json, or what stands for it. */
const cJSON *piaa_checkpoint_config(const piaa_checkpoint *checkpoint);
/* "FOLDER/config.json", or the text model's GGUF file. */
const char *piaa_checkpoint_where(const piaa_checkpoint *checkpoint);
/* The image processor's object; NULL if there is none. */
const cJSON *piaa_checkpoint_image_config(const piaa_checkpoint *checkpoint);

/* A tensor by canonical name, whichever way the file spells it:
 * "model.language_model.layers.0.mlp.up_proj.weight", "model.visual.blocks.0.attn.qkv.weight",
 * "lm_head.weight".  NULL if absent (no error set). */
const piaa_tensor *piaa_checkpoint_tensor(const piaa_checkpoint *checkpoint, const char *name);
size_t piaa_checkpoint_count(const piaa_checkpoint *checkpoint);
/* Sorted by name. */
const piaa_tensor *piaa_checkpoint_at(const piaa_checkpoint *checkpoint, size_t index);

/* The same, but it has to be there, of a readable type and of this shape (`dimensions` lengths
 * follow as int64_t); the error names the file, the tensor, and both shapes. */
const piaa_tensor *piaa_checkpoint_need(const piaa_checkpoint *checkpoint, piaa_error *error,
                                        const char *name, int dimensions, ...) PIAA_MUST_USE;

/* The first tensor that holds a value that is not finite, NULL if none does.  Reads them all. */
const piaa_tensor *piaa_checkpoint_not_finite(const piaa_checkpoint *checkpoint);

/* After a tensor's data were copied: its pages may leave memory. */
void piaa_checkpoint_forget(const piaa_checkpoint *checkpoint, const piaa_tensor *tensor);

/* 64 hex digits + NUL: SHA-256 over config.json and over every tensor's name, type, shape and a
 * sample of its data (first, middle and last 4 KiB): tells checkpoints apart without reading
 * gigabytes. */
bool piaa_checkpoint_fingerprint(const piaa_checkpoint *checkpoint, char out[65],
                                 piaa_error *error) PIAA_MUST_USE;

/* Copies the tensor's values as float32. */
void piaa_tensor_to_float(const piaa_tensor *tensor, float *out);
/* In a list sorted by name; NULL if absent. */
const piaa_tensor *piaa_tensor_find(const piaa_tensor *const *by_name, size_t count,
                                    const char *name);
int64_t piaa_tensor_count(const piaa_tensor *tensor);

#endif

/* What a checkpoint is made of, for the files that make one. */
#ifndef PIAA_WEIGHTS_CHECKPOINT_PARTS_H
#define PIAA_WEIGHTS_CHECKPOINT_PARTS_H

#include "weights/gguf.h"
#include "weights/safetensors.h"

/* A tensor under its canonical name, and where it came from: one of the two kinds of file. */
typedef struct piaa_checkpoint_entry {
    piaa_tensor tensor;
    const char *spelling; /* the file's own name for it */
    const piaa_safetensors *file;
    const piaa_gguf *gguf;
    char *canonical;       /* NULL if the spelling is canonical already */
    piaa_derived *derived; /* owned; the tensor's */
    float *owned;          /* the data, where they are not the file's own; else NULL */
} piaa_checkpoint_entry;

struct piaa_checkpoint {
    char *folder, *where; /* where: of config.json */
    char *config_text;
    size_t config_size;
    cJSON *config, *processor;
    const cJSON *image_config; /* inside processor */
    cJSON *index;              /* of the shards */
    const cJSON *weight_map;   /* inside index */
    piaa_safetensors **files;
    char **file_names; /* sorted, without the folder */
    size_t file_count;
    piaa_gguf *text, *vision;       /* instead of the files: the pair; one file may be both */
    piaa_checkpoint_entry *entries; /* sorted by canonical name */
    size_t count;
};

/* The canonical name of a tensor that a folder spells so; the caller's. */
char *piaa_folder_canonical(const char *spelling, piaa_error *error) PIAA_MUST_USE;
/* Fills in config, processor and entries (unsorted) from the folder. */
bool piaa_folder_read(piaa_checkpoint *checkpoint, piaa_error *error) PIAA_MUST_USE;

/* The paths of a GGUF pair, the caller's, from a path as piaa_checkpoint_open takes it; `named`:
 * the vision part, or NULL to look for it; both are one path where it is inside. piaa_gguf_pair_is
 * tells whether the path is one; a folder with safetensors is not. */
bool piaa_gguf_pair_is(const char *path);
bool piaa_gguf_pair_find(const char *path, const char *named, char **text, char **vision,
                         piaa_error *error) PIAA_MUST_USE;

/* Fills in config, processor and entries (unsorted) from c->text and c->vision. */
bool piaa_gguf_model_read(piaa_checkpoint *checkpoint, piaa_error *error) PIAA_MUST_USE;

/* Whether it is the text model of a family that we read, and whether the two belong together; the
   error says why not. */
bool piaa_gguf_model_known(const piaa_gguf *text, piaa_error *error) PIAA_MUST_USE;
/* Whether a text model has a vision part inside. */
bool piaa_gguf_model_is_whole(const piaa_gguf *file);
bool piaa_gguf_model_fits(const piaa_gguf *text, const piaa_gguf *vision,
                          piaa_error *error) PIAA_MUST_USE;

/* The object that tokenizer.json would hold; freed with cJSON_Delete. */
cJSON *piaa_gguf_tokenizer(const piaa_gguf *text, piaa_error *error) PIAA_MUST_USE;

#endif

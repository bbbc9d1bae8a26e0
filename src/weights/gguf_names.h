/* llama.cpp's names for the weights of the families that we read, and ours. */
#ifndef PIAA_WEIGHTS_GGUF_NAMES_H
#define PIAA_WEIGHTS_GGUF_NAMES_H

#include "base/error.h"

/* What its converter does to a tensor. */
typedef enum piaa_gguf_change {
    PIAA_GGUF_SAME,
    PIAA_GGUF_PLUS_ONE,  /* adds one: Gemma's norms multiply by 1 + w */
    PIAA_GGUF_DEEPSTACK, /* numbers it by its vision block, not by its place in the list */
    /* Splits a kernel [rows, 3, 2, p, p] in two, the second with ".1" behind its name; Ollama's
       calls the second patch_embd_1, or makes one of [rows * 3, 2, p, p]. */
    PIAA_GGUF_HALVES,
    PIAA_GGUF_PARTED /* splits queries, keys and values; this is the first of attn_q, _k and _v */
} piaa_gguf_change;

/* '#' stands for a block's number.  Unless it says so itself, a name goes on with ".weight" or
   ".bias", the same on both sides. */
typedef struct piaa_gguf_name {
    const char *theirs, *ours;
    piaa_gguf_change change;
} piaa_gguf_name;

typedef struct piaa_gguf_family {
    const char *architecture; /* of the text model: general.architecture */
    const char *projector;    /* of the vision part: clip.projector_type */
    const char *model_type;   /* in config.json */
    bool only_read;
    piaa_gguf_name
        names[48]; /* ends with NULLs; of two rows for one of ours the first is written */
} piaa_gguf_family;

extern const piaa_gguf_family piaa_gguf_families[];
extern const size_t piaa_gguf_family_count;

/* That of a model whose config.json says this (NULL: nothing); NULL where GGUF has no form of it
   that we write. */
const piaa_gguf_family *piaa_gguf_family_find(const char *model_type);
/* Whether a weight is in the file of the vision part. */
bool piaa_gguf_is_vision(const char *theirs);

/* Finds `name` among theirs (or among ours): the row, the number at '#' in *block (-1 without), the
   ending in *rest.  NULL if absent. */
const piaa_gguf_name *piaa_gguf_name_find(const piaa_gguf_family *family, bool ours,
                                          const char *name, int *block, const char **rest);

/* The pattern with its number and ending; the caller's. */
char *piaa_gguf_name_make(const char *pattern, int block, const char *rest,
                          piaa_error *error) PIAA_MUST_USE;

#endif

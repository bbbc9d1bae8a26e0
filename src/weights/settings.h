/*
 * What a model's files say of it, beside its weights: one structure for every family, and for each
 * family one table of rows that says which member has which key in config.json and in GGUF
 * metadata, what it may be, and (in the family's defaults) what it is where nothing is said.
 *
 * The same table reads both forms, writes GGUF, writes config.json's form of what GGUF files say,
 * compares two models, and knows which keys nobody reads.  settings_tables.c has the tables.
 */
#ifndef PIAA_WEIGHTS_SETTINGS_H
#define PIAA_WEIGHTS_SETTINGS_H

#include "base/memory.h"
#include "weights/checkpoint.h"

enum { PIAA_SETTINGS_LIST = 511 };

typedef struct piaa_ints {
    int count;
    int16_t items[PIAA_SETTINGS_LIST];
} piaa_ints;

/* Rotary positions.  0: not said, which rotary.c knows to complete. */
typedef struct piaa_rope_settings {
    const char *type; /* "default", "yarn", … */
    double base, factor, trained, magnitude, mscale, mscale_all, fast, slow, low, high;
    bool truncate;
} piaa_rope_settings;

/* 0 where a number is not said and its row allows that.  Texts belong to the checkpoint. */
typedef struct piaa_settings {
    const struct piaa_settings_family *family;
    struct {
        int hidden, layers, intermediate, heads, kv_heads, head_dim, value_dim, vocabulary;
        int rotated;   /* of a head's values */
        int positions; /* of training */
        int window, deepstack;
        double eps, scalar, cap; /* scalar: query_pre_attn_scalar; cap: of the logits */
        const char *activation;
        bool bias, tied;
        piaa_rope_settings rope, local; /* local: of blocks with a window */
        piaa_ints section;              /* pairs for time, row, column */
        piaa_ints full;                 /* of each block, whether it sees everything */
    } text;
    struct {
        const char *model_type, *activation;
        int width, blocks, heads, intermediate, patch, frames, channels, merge, out;
        int positions, side; /* trained positions; pixels of a photo's side */
        int scale;           /* a token stands for scale x scale patches */
        int window, registers;
        double eps, base;
        bool q_bias, k_bias, v_bias, out_bias, mlp_bias, gated, head;
        piaa_ints deepstack, whole; /* blocks; whole: that see no windows */
    } vision;
    struct { /* as far as GGUF files hold them; a folder's own are read by image/ and vlm/ */
        int64_t least, most, height, width, resample;
        double mean[3], std[3];
    } image;
    int image_tokens;
    bool no; /* of keys of which only false is supported, and only 1 */
    double one;
} piaa_settings;

typedef enum piaa_section {
    PIAA_OF_MODEL,  /* the whole: at the top of config.json */
    PIAA_OF_TEXT,   /* text_config, or at the top where there is none; "ARCHITECTURE." */
    PIAA_OF_VISION, /* vision_config, or at the top where there is none; "clip.vision." */
    PIAA_OF_IMAGE,  /* the image processor's object; "clip.vision." */
    PIAA_SECTIONS
} piaa_section;

typedef enum piaa_setting_kind {
    PIAA_SETTING_INT,    /* int, from low to high */
    PIAA_SETTING_PIXELS, /* int64_t */
    PIAA_SETTING_NUMBER, /* double above 0 */
    PIAA_SETTING_FLAG,   /* bool */
    PIAA_SETTING_TEXT,   /* const char * */
    PIAA_SETTING_INTS,   /* piaa_ints of at most `high` */
    PIAA_SETTING_AXES,   /* piaa_ints; in GGUF a fourth follows, 0 */
    PIAA_SETTING_MARKS,  /* piaa_ints of vision blocks; in GGUF a flag for each block */
    /* piaa_ints, of each block of text 1 or 0: from a list of "full_attention" (1) and
       "sliding_attention" (in GGUF flags that say the opposite), or a number n: each n-th is 1. */
    PIAA_SETTING_BLOCKS,
    PIAA_SETTING_THREE,  /* double[3] */
    PIAA_SETTING_REFUSED /* no member: whatever it is, it is not supported */
} piaa_setting_kind;

enum {
    PIAA_MAY_MISS = 1, /* 0 is allowed: the key is not needed */
    PIAA_ONLY = 2,     /* only the default is supported */
    PIAA_SAID = 4,     /* said whatever it is, not only where it differs from the default.  The
                          config.json of a GGUF pair is part of its fingerprint, so that the order
                          of such rows is settled for good */
    PIAA_SILENT = 8,   /* a second spelling or a consequence of other rows: in no config.json */
    PIAA_UNWRITTEN =
        16,           /* read from GGUF, but not written: llama.cpp's converter does not either */
    PIAA_FOLLOWS = 32 /* not compared: nothing is computed from it that other rows do not settle */
};

/* The keys of a row, '|' between them: the first that is there counts, the last is the one that is
 * written and named.  NULL: this form does not have it.  A member may have several rows, of which
 * the last that is there counts. */
typedef struct piaa_setting {
    const char *keys, *gguf;
    size_t member; /* offset in piaa_settings */
    double low, high;
    unsigned char section, kind, flags;
} piaa_setting;

/* A family's files. */
typedef struct piaa_settings_family {
    const char *model_type;
    const char *container; /* the same of a model that holds this one beside others (CLIP's with its
                              text encoder), or NULL */
    const char *name;      /* "Qwen3-VL" */
    const piaa_setting *rows;
    size_t count;
    piaa_settings defaults; /* of transformers' configuration classes; 0: the key is needed */
    piaa_settings gguf;     /* of llama.cpp; only where there is a GGUF form */
    /* What cannot be said in a table, after all rows were read; may be NULL. */
    bool (*complete)(piaa_settings *settings, const piaa_checkpoint *checkpoint, piaa_error *error);
} piaa_settings_family;

extern const piaa_settings_family piaa_settings_families[];
extern const size_t piaa_settings_family_count;

/* By config.json's "model_type"; NULL: none. */
const piaa_settings_family *piaa_settings_family_find(const char *model_type);

/* All settings of a checkpoint of the family; the error names the file, the key, and what it may
   be.  Texts in `out` live as long as the checkpoint. */
bool piaa_settings_read(const piaa_settings_family *family, const piaa_checkpoint *checkpoint,
                        piaa_settings *out, piaa_error *error) PIAA_MUST_USE;

/* config.json and the image processor's object as a folder of the same model would have them, with
   the family's first keys; the caller's. */
bool piaa_settings_to_json(const piaa_settings_family *family, const piaa_settings *settings,
                           cJSON **config, cJSON **image, piaa_error *error) PIAA_MUST_USE;

/* The first row in which two models differ, as it is called in config.json; NULL: none.  The image
   processor's rows are not compared. */
const char *piaa_settings_difference(const piaa_settings *a, const piaa_settings *b);

/* Appends the keys of the configuration that are in no row and do not belong to those that change
   nothing, ", " between them; nothing where there are none. */
bool piaa_settings_unknown(const piaa_settings_family *family, const piaa_checkpoint *checkpoint,
                           piaa_text *out, piaa_error *error) PIAA_MUST_USE;

/* For the writer of GGUF: whether the row says the same in both; the last of its keys; its member.
 */
bool piaa_setting_same(const piaa_setting *row, const piaa_settings *a, const piaa_settings *b);
const char *piaa_setting_name(const char *keys);
const void *piaa_setting_member(const piaa_setting *row, const piaa_settings *settings);

#endif

/*
 * Rotary positions: pair j of a head of `dim` values is turned by the angle position x f_j.
 *
 * Which of a token's positions counts is settled pair by pair (an image's tokens have a time, a row
 * and a column), and f_j = base^(-2j / dim) may be scaled for contexts longer than those of
 * training.  All of it ends in one table of cosines and sines, made once for an input and read by
 * every block.
 */
#ifndef PIAA_VLM_ROTARY_H
#define PIAA_VLM_ROTARY_H

#include "weights/settings.h"

enum { PIAA_ROTARY_PAIRS = 512, PIAA_ROTARY_AXES = 3 };

typedef enum piaa_rotary_scaling {
    PIAA_ROTARY_DEFAULT,
    PIAA_ROTARY_LINEAR,
    PIAA_ROTARY_DYNAMIC,
    PIAA_ROTARY_YARN,
    PIAA_ROTARY_LLAMA3
} piaa_rotary_scaling;

typedef struct piaa_rotary {
    int dim;
    float base;
    piaa_rotary_scaling scaling;
    float factor;
    float trained;              /* dynamic, yarn, llama3: the positions of training */
    float magnitude;            /* yarn: of cosines and sines */
    float beta_fast, beta_slow; /* yarn */
    bool truncate;              /* yarn */
    float low, high;            /* llama3: low_freq_factor, high_freq_factor */
    /* How many pairs follow time, row and column; all follow time where the first is 0.
     * interleaved: the axes take turns, row and column as long as they have pairs left, and time
     * has the rest; else one axis after the other. */
    int section[PIAA_ROTARY_AXES];
    bool interleaved;
} piaa_rotary;

/* Base and scaling from a model's settings; `positions` are max_position_embeddings, `where` names
 * the file in messages.  The members dim, section and interleaved stay the caller's.  A kind of
 * scaling that is not computed here is refused by name.
 * Reference: Hugging Face transformers, modeling_rope_utils.py (5.24). */
bool piaa_rotary_set(piaa_rotary *rotary, const piaa_rope_settings *settings, int positions,
                     const char *where, piaa_error *error) PIAA_MUST_USE;

/* [count][dim], the caller's: of each token the cosines of all pairs, then their sines.
 * positions: [3][n], time, row and column; places: which of the n tokens, NULL for all. */
float *piaa_rotary_table(const piaa_rotary *rotary, const int32_t *positions, int n,
                         const int32_t *places, int count, piaa_error *error) PIAA_MUST_USE;

/* The same from what a family knows of its pairs. */
typedef struct piaa_angles {
    int pairs;
    float frequency[PIAA_ROTARY_PAIRS];
    unsigned char axis[PIAA_ROTARY_PAIRS];
    float magnitude;
} piaa_angles;

float *piaa_angles_table(const piaa_angles *angles, const int32_t *positions, int n,
                         const int32_t *places, int count, piaa_error *error) PIAA_MUST_USE;

#endif

/*
 * Photos in, pooled vectors out.
 *
 * An extractor is a model and a request (prompt, pools, layers, size limit).  The weights that the request needs are read at the first
 * photo, not before: a run that finds every photo in its store already never touches them.
 */
#ifndef PIAA_FEATURES_EXTRACTOR_H
#define PIAA_FEATURES_EXTRACTOR_H

#include "features/store.h"
#include "vlm/vlm.h"

/* All members may be 0 or NULL: the study's prompt, the pool lt, the default layer, the model's own size limit, EXIF rotation applied,
 * weights as float32 if the whole model fits in 1 GiB that way and else in the checkpoint's own type, one thread per core. */
typedef struct piaa_request {
    const char *prompt;
    const char *pools;  /* "lt,lt_tail,lv,v" */
    const char *layers; /* "15", "0,3,5-9", "all", "default" */
    int64_t max_pixels;
    piaa_exif exif;
    piaa_dtype dtype;
    int threads;
} piaa_request;

typedef struct piaa_extractor piaa_extractor;

/* The model must outlive the extractor; the request is copied. */
piaa_extractor *piaa_extractor_new(piaa_model *model, const piaa_request *request, piaa_error *error) PIAA_MUST_USE;
void piaa_extractor_free(piaa_extractor *extractor);

const piaa_model *piaa_extractor_model(const piaa_extractor *extractor);
const piaa_slots *piaa_extractor_slots(const piaa_extractor *extractor);
size_t piaa_extractor_values(const piaa_extractor *extractor);                 /* floats per photo, all slots together */
const piaa_identity *piaa_extractor_identity(const piaa_extractor *extractor); /* for a store of these features */
const piaa_request *piaa_extractor_request(const piaa_extractor *extractor);   /* with every default filled in */

/* One photo file: out[piaa_extractor_values()], the slots one after the other. */
bool piaa_extractor_read(piaa_extractor *extractor, const char *path, float *out, piaa_error *error) PIAA_MUST_USE;

/* The two halves of that, for reading ahead: decode and prepare (any thread), then run (one thread, any subset of the extractor's slots;
 * the weights are read anew when the subset changes). */
piaa_model_input *piaa_extractor_prepare(const piaa_extractor *extractor, const char *path, piaa_error *error) PIAA_MUST_USE;
bool piaa_extractor_run(piaa_extractor *extractor, const piaa_model_input *input, const piaa_slots *subset, float *out,
                        piaa_error *error) PIAA_MUST_USE;

#endif

/*
 * Photos in, pooled vectors out.
 *
 * An extractor is a model and a request (prompt, pools, layers, size limit).  The weights that the
 * request needs are read at the first photo, not before: a run that finds every photo in its store
 * already never touches them.
 */
#ifndef PIAA_FEATURES_EXTRACTOR_H
#define PIAA_FEATURES_EXTRACTOR_H

#include "features/store.h"
#include "image/image.h"
#include "vlm/vlm.h"

/* With every default filled in. */
const piaa_request *piaa_extractor_request(const piaa_extractor *extractor);

/* What is worth keeping of how a photo was read. */
typedef struct piaa_marks {
    char damage[PIAA_DAMAGE]; /* what is lost of a photo that is read nevertheless; empty */
    piaa_raw raw;
    bool hidden; /* the model sees colours that people do not, under transparent parts */
} piaa_marks;

/* The two halves of that, for reading ahead: decode and prepare (any thread), then run (one thread,
 * any subset of the extractor's slots; the weights are read anew when the subset changes).
 * `marks` may be NULL. */
piaa_model_input *piaa_extractor_prepare(const piaa_extractor *extractor,
                                         const piaa_photo_file *file, piaa_marks *marks,
                                         piaa_error *error) PIAA_MUST_USE;
/* The first half for a photo's path, read whole. */
piaa_model_input *piaa_extractor_prepare_path(const piaa_extractor *extractor, const char *path,
                                              piaa_error *error) PIAA_MUST_USE;
bool piaa_extractor_run(piaa_extractor *extractor, const piaa_model_input *input,
                        const piaa_slots *subset, float *out, piaa_error *error) PIAA_MUST_USE;

/* Prepares a picture that nothing is wrong with, so that a fault of the model's tokenizer, its
   image settings or the prompt is not told of every photo. */
bool piaa_extractor_check(const piaa_extractor *extractor, piaa_error *error) PIAA_MUST_USE;
/* After a photo whose states are not finite: whether those of the same picture are, so that the
   photo is at fault; the error says what of the model is.  `out` is overwritten. */
bool piaa_extractor_is_sound(piaa_extractor *extractor, const piaa_slots *subset, float *out,
                             size_t count, piaa_error *error) PIAA_MUST_USE;
/* Whether all of them are. */
bool piaa_values_are_finite(const float *values, size_t count);
/* Reads the weights for a subset now, so that what is wrong with them is not told of a photo. */
bool piaa_extractor_load(piaa_extractor *extractor, const piaa_slots *subset,
                         piaa_error *error) PIAA_MUST_USE;
/* What is not as it was asked for, once the weights are read (piaa_session_note); NULL. */
const char *piaa_extractor_note(const piaa_extractor *extractor);

/* Gives the weights back; they are read anew when they are needed again. */
void piaa_extractor_unload(piaa_extractor *extractor);
piaa_model *piaa_extractor_model(const piaa_extractor *extractor);

#endif

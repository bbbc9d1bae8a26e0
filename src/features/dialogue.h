/*
 * Conversations about photos with a model: turns of texts and photos in any order, answered in
 * words.
 *
 * A photo is seen once, however many conversations it stands in, and what comes before the last
 * photo of a conversation is read once for all that begin alike: the same examples, another photo.
 * A conversation is always read in these two pieces, so that an answer does not depend on what was
 * asked before it.
 */
#ifndef PIAA_FEATURES_DIALOGUE_H
#define PIAA_FEATURES_DIALOGUE_H

#include "features/extractor.h"

/* A text, or the path of a photo. */
typedef struct piaa_dialogue_part {
    const char *text, *photo;
} piaa_dialogue_part;

typedef struct piaa_dialogue_turn {
    bool assistant; /* else the user's */
    const piaa_dialogue_part *parts;
    size_t count;
} piaa_dialogue_turn;

typedef struct piaa_dialogue piaa_dialogue;

/* In the extractor's form, at its size and on its device; the extractor must outlive it.  The
   weights that the extractor holds are given back, so that they are not in memory twice. */
piaa_dialogue *piaa_dialogue_new(piaa_extractor *extractor, piaa_error *error) PIAA_MUST_USE;
void piaa_dialogue_free(piaa_dialogue *dialogue);

/* The next turn, the assistant's (of `how` all but the prompt).  The caller's; PIAA_USAGE for a
 * conversation that is longer than the model was made for. */
piaa_answer *piaa_dialogue_answer(piaa_dialogue *dialogue, const piaa_dialogue_turn *turns,
                                  size_t count, const piaa_answering *how,
                                  piaa_error *error) PIAA_MUST_USE;
/* What is not as it was asked for (piaa_session_note); NULL. */
const char *piaa_dialogue_note(const piaa_dialogue *dialogue);

/* Photos that were seen and tokens that were read so far, those of answers not counted. */
size_t piaa_dialogue_seen(const piaa_dialogue *dialogue);
size_t piaa_dialogue_tokens_read(const piaa_dialogue *dialogue);

#endif

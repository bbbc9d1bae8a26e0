/*
 * Raw text: what the model answers when it is asked to rate a photo, as a number of the scale.  The
 * other text methods start from it: corrected by a person's mean error, or by what hidden states
 * say of the error.
 */
#ifndef PIAA_STUDY_RAW_TEXT_H
#define PIAA_STUDY_RAW_TEXT_H

#include "data/dataset.h"
#include "study/answer.h"
#include "study/outcome.h"

/* Starts from {0}. */
typedef struct piaa_raw_texts {
    double *scores; /* [images of the data set] NaN: the answer holds no number, or there is none */
    bool *there;    /* [images] whether there is an answer */
    double
        *expected; /* [images] what the answer's first token was expected to say; NaN: not told */
    size_t answered, unparsable; /* of the data set's images */
    char *model;                 /* who answered, "" where nothing says it */
} piaa_raw_texts;

/*
 * Reads a table of answers, in the published layout: image_path, and giaa (the number that was read
 * in the answer) or, where that column is not there, raw_output (the answer; study/answer.h reads
 * it); expected_score may be there.  Other columns may be; model_id has to be the same in all rows.
 *
 * A path names the image of the data set whose name it ends in ("para/imgs/session1/a.jpg",
 * "/photos/imgs/session1/a.jpg"); rows of other images are passed over, and of two rows for one
 * image the last counts.  A number that is not finite is none.  What is missing is told to hooks,
 * which may be NULL.  Fails: a file that cannot be read, lacks these columns, holds several models'
 * answers or none for this data set; memory.
 */
bool piaa_raw_texts_read(piaa_raw_texts *raw, const char *path, const piaa_dataset *set,
                         const piaa_hooks *hooks, piaa_error *error) PIAA_MUST_USE;
void piaa_raw_texts_free(piaa_raw_texts *raw);

/* What is asked about an image, and how the answer is read. */
typedef struct piaa_question {
    const char *text;
    piaa_answer_rule rule;
    int most_tokens;
} piaa_question;

/* The published ones: a score; and AADB's attributes first ("chain of thought"), then the score. */
extern const piaa_question piaa_question_rating, piaa_question_thought;

/*
 * Asks the model about the images wanted [images] that are there, in the extractor's form and at
 * its size, and keeps the answers in `file` (the published layout, and which reader it was): those
 * that stand in it already are not asked for again.  A photo that cannot be read is told and has no
 * answer. model: its name in the table.  Fails: stopped (what was answered is kept), a fault of the
 * model, a file of that name that is another's, memory.
 */
bool piaa_raw_texts_ask(piaa_raw_texts *raw, const piaa_question *question, const piaa_dataset *set,
                        const bool *wanted, piaa_extractor *extractor, const char *model,
                        const char *file, const piaa_hooks *hooks, piaa_error *error) PIAA_MUST_USE;

/* Room for a data set's answers, none there yet. */
bool piaa_raw_texts_make(piaa_raw_texts *raw, const piaa_dataset *set,
                         piaa_error *error) PIAA_MUST_USE;
/* The answer for an image, NaN where it holds no number; the last one counts. */
void piaa_raw_texts_put(piaa_raw_texts *raw, size_t image, double score);

/* Counts the answers for these images: asked for, without a number, outside of 1 to 5. */
void piaa_raw_texts_count(const piaa_raw_texts *raw, const size_t *images, size_t count,
                          piaa_answers *answers);

#endif

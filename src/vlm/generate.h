/*
 * Answers: one token after another, each read behind the question whose keys and values the session
 * has kept.
 *
 * Greedy unless asked otherwise, and as the model's generation_config.json has it: tokens that end
 * an answer, tokens that are never said, a penalty for saying things again.  What that file can ask
 * for and is not done here is refused by its name.  Reference: Hugging Face transformers,
 * generation/utils.py and logits_process.py (5.24).
 */
#ifndef PIAA_VLM_GENERATE_H
#define PIAA_VLM_GENERATE_H

#include "base/random.h"
#include "vlm/vlm.h"

enum { PIAA_ANSWER_TOKENS = 256, PIAA_DIGITS = 5 };

/* How the next token is chosen.  Ends with piaa_decoding_free. */
typedef struct piaa_decoding {
    piaa_ids stop, suppressed, suppressed_first;
    double repetition_penalty;          /* 1: none */
    int64_t least, least_new;           /* tokens before a stop: prompt and all, new ones */
    int64_t most;                       /* new tokens */
    double temperature, top_p, least_p; /* of a sample */
    int64_t top_k;                      /* 0: all */
} piaa_decoding;

/* What the model's files say; where they name no stop tokens, those of the chat forms.  sample:
   what matters to samples alone has to be there and be known. */
bool piaa_decoding_read(const piaa_model *model, bool sample, piaa_decoding *out,
                        piaa_error *error) PIAA_MUST_USE;
/* What is asked for in its place.  PIAA_USAGE where a number makes no sense. */
bool piaa_decoding_set(piaa_decoding *decoding, const piaa_answering *how,
                       piaa_error *error) PIAA_MUST_USE;
void piaa_decoding_free(piaa_decoding *decoding);

/* A token and its score, or its probability. */
typedef struct piaa_candidate {
    double score;
    int32_t id;
} piaa_candidate;

/* One of the tokens with scores [count], by chance; `room` is of as many. */
int32_t piaa_decoding_draw(const piaa_decoding *decoding, const float *scores, size_t count,
                           piaa_candidate *room, piaa_random *random);

/* Runs the input in a session with logits and a cache, and answers it.  before: the ids of what the
 * cache holds in front of it; NULL: nothing.  out: the slots' vectors of the question, from the
 * same pass; NULL.  A question longer than the model was made for is PIAA_USAGE. */
piaa_answer *piaa_generate(const piaa_model *model, piaa_session *session,
                           const piaa_model_input *input, const piaa_ids *before,
                           const piaa_decoding *decoding, const piaa_answering *how, float *out,
                           piaa_error *error) PIAA_MUST_USE;

/* The tokens of "1" to "5".  PIAA_UNSUPPORTED, with the model's name, where one of them is not a
   single token. */
bool piaa_digits_find(const piaa_model *model, int32_t ids[PIAA_DIGITS],
                      piaa_error *error) PIAA_MUST_USE;
/* Of logits [count]: the mean of 1 to 5 under the softmax over the digits alone, and the digits'
   share of the softmax over all. */
void piaa_digits_score(const float *logits, size_t count, const int32_t ids[PIAA_DIGITS],
                       double *expected, double *mass);

#endif

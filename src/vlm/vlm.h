/*
 * A vision-language model as the rooms after this one see it: opened (configuration, tokenizer,
 * names of tensors), asked (a photo and a prompt made into an input), and run (pooled hidden states
 * out).
 *
 *   - piaa_model: an opened checkpoint.  No weights in memory.  Read-only after opening, so that
 *     inputs can be prepared on other threads.
 *   - piaa_model_input: one photo and one prompt (patches, token ids, positions).
 *   - piaa_session: the weights that one request needs, on one device, and the code that runs them.
 */
#ifndef PIAA_VLM_VLM_H
#define PIAA_VLM_VLM_H

#include "image/image.h"
#include "text/chat.h"
#include "text/tokenizer.h"
#include "vlm/slots.h"
#include "weights/checkpoint.h"

typedef struct piaa_model_input piaa_model_input;
typedef struct piaa_session piaa_session;

/* "auto", "f32", "f16", "bf16", "q8_0", "q6_K", "q5_K", "q4_K", "file" */
const char *piaa_dtype_name(piaa_dtype dtype);
bool piaa_dtype_parse(const char *name, piaa_dtype *out);

/* What AUTO means for this model; others stay as they are. */
piaa_dtype piaa_model_dtype(const piaa_model *model, piaa_dtype dtype);
/* NULL for a model without a decoder. */
const piaa_tokenizer *piaa_model_tokenizer(const piaa_model *model);
/* That every weight of a full run is there in its shape, and the tokenizer fits the vocabulary and
   the chat form; nothing is computed. */
bool piaa_model_check(const piaa_model *model, piaa_error *error) PIAA_MUST_USE;
/* Says why the states of a picture that nothing is wrong with are not finite numbers; false. */
bool piaa_model_not_finite(const piaa_model *model, piaa_error *error);
/* For stores and tastes, which outlive the model. */
bool piaa_model_is_demonstration(const char *fingerprint);

/* prompt: NULL for the study's own; without a decoder there is none to read it.  max_pixels: 0 for
 * the image processor's limit, else a lower or higher one.  generate: open the assistant's turn
 * after the user's. */
typedef struct piaa_ask {
    const char *prompt;
    int64_t max_pixels;
    bool generate;
    piaa_image_attention image_attention;
    bool published;               /* the published chat form, not the folder's own */
    const piaa_chat_frame *frame; /* which that is: the model's to set */
} piaa_ask;

/* The photo made ready for the model (resized, cut into patches, its prompt tokenised).  Safe to
   call from several threads. */
piaa_model_input *piaa_model_prepare(const piaa_model *model, const piaa_image *image,
                                     const piaa_ask *ask, piaa_error *error) PIAA_MUST_USE;
/* The same from patch rows made elsewhere ([grid_h * grid_w][patch length]): for tests against a
   reference's own pixels. */
piaa_model_input *piaa_model_prepare_patches(const piaa_model *model, const float *patches,
                                             int grid_h, int grid_w, const piaa_ask *ask,
                                             piaa_error *error) PIAA_MUST_USE;
void piaa_model_input_free(piaa_model_input *input);
/* The tokens of the question alone, with one for the image; none without a decoder.  The
   caller's. */
bool piaa_model_question(const piaa_model *model, const piaa_ask *ask, piaa_ids *out,
                         piaa_error *error) PIAA_MUST_USE;
/* Of the decoder, image tokens included; without one, of the encoder. */
int piaa_model_input_tokens(const piaa_model_input *input);
int piaa_model_input_image_tokens(const piaa_model_input *input); /* of those, the image's */

/* Where a text goes on: how many tokens are before it, and the position of its first one (which
   images may have moved). */
typedef struct piaa_place {
    int tokens, position;
} piaa_place;
/* Behind an input. */
piaa_place piaa_model_input_end(const piaa_model_input *input);
/* More text, as ids, for a session that has a cache and has run what is before it.  PIAA_USAGE
   where the model has no decoder. */
piaa_model_input *piaa_model_continue(const piaa_model *model, piaa_place place, const int32_t *ids,
                                      size_t count, piaa_error *error) PIAA_MUST_USE;

/* What a decoder reads of a photo: the encoder's features for each of its tokens, row by row, and
   what is added to them after the first blocks (Qwen3-VL's DeepStack). */
typedef struct piaa_sight {
    int rows, columns, hidden, added;
    float *features; /* [1 + added][rows * columns][hidden] */
} piaa_sight;

/* A conversation's ids (of `ask`: generate, published).  The caller's. */
bool piaa_model_encode(const piaa_model *model, const piaa_chat_turn *turns, size_t count,
                       const piaa_ask *ask, piaa_chat_tokens *out, piaa_error *error) PIAA_MUST_USE;
/* What follows the first `past` tokens of a conversation, which a session's cache holds.  sights:
 * of each of its images, passed ones too; NULL where the model is not shown it (its tokens then are
 * tokens like others).  Pools count what follows alone. */
piaa_model_input *piaa_model_converse(const piaa_model *model, const piaa_chat_tokens *chat,
                                      const piaa_sight *const *sights,
                                      piaa_image_attention attention, int past,
                                      piaa_error *error) PIAA_MUST_USE;

typedef struct piaa_session_options {
    piaa_dtype dtype;
    int threads;   /* 0: piaa_processors() */
    bool logits;   /* also the next-token logits after the last position */
    bool hidden;   /* also every hidden state whole (tests) */
    bool portable; /* ggml's own operations only, none of our CPU kernels (tests; other devices have
                      no choice) */
    const char *device; /* as piaa_request has it; read when the session is made */
    bool see;           /* no runs, only piaa_session_see: no weights of the decoder's */
    /* Keys and values stay after a run, so that inputs can go on from there: room for so many
       tokens to begin with.  0: nothing stays. */
    int cache;
} piaa_session_options;

/* Reads the weights that `slots` need, and no others. */
piaa_session *piaa_session_new(piaa_model *model, const piaa_slots *slots,
                               const piaa_session_options *options,
                               piaa_error *error) PIAA_MUST_USE;
void piaa_session_free(piaa_session *session);
piaa_dtype piaa_session_dtype(const piaa_session *session); /* what AUTO became */
size_t piaa_session_weight_bytes(const piaa_session *session);
/* "cpu", "cuda0": what "auto" became; the address of a remote one. */
const char *piaa_session_device(const piaa_session *session);
/* What is not as it was asked for ("cuda0 cannot multiply q4_K: …"); NULL. */
const char *piaa_session_note(const piaa_session *session);

/* out: the slots' vectors one after the other, in the slots' order; NULL: they are not wanted.  In
 * a session with a cache an input may begin behind any number of the tokens that are kept, as often
 * as one likes; what was kept behind them is given up, and its own are kept. */
bool piaa_session_run(piaa_session *session, const piaa_model_input *input, float *out,
                      piaa_error *error) PIAA_MUST_USE;

/* Runs the encoder alone, in a session that reads images (logits, lv or a later layer); `out` ends
   with piaa_sight_free. */
bool piaa_session_see(piaa_session *session, const piaa_model_input *input, piaa_sight *out,
                      piaa_error *error) PIAA_MUST_USE;
void piaa_sight_free(piaa_sight *sight);

/* After a run with the option: logits [vocabulary], belonging to the session until the next run. */
const float *piaa_session_logits(const piaa_session *session);
/* After a run with the option: layer 0..decoder_layers [tokens][hidden], or with `vision` layer 0..
 * of the pool v [patches][vision_size]; NULL if not computed. */
const float *piaa_session_hidden(const piaa_session *session, bool vision, int layer);

/* Tokens that the cache holds; 0 without one. */
int piaa_session_kept(const piaa_session *session);
size_t piaa_session_cache_bytes(const piaa_session *session);

/* Arithmetic of the last run's matrix products and attention, for throughput figures; and a table
   of time by kind of node. */
double piaa_session_flops(const piaa_session *session);
double piaa_session_bytes(const piaa_session *session); /* of the matrices that it read */
char *piaa_session_profile(piaa_session *session, const piaa_model_input *input, float *out,
                           piaa_error *error) PIAA_MUST_USE;

#endif

/* What rank, embed, predict and bench have in common: a model, an extractor made from the options,
 * and a store that is brought up to date. */
#ifndef PIAA_CLI_READER_H
#define PIAA_CLI_READER_H

#include "cli/options.h"
#include "features/embed.h"

/* Rows of every table whose command asks a model through piaa_reader_request. */
#define PIAA_OPTION_BACKGROUND                                                                     \
    {                                                                                              \
        "background", "COLOUR",                                                                    \
            "what is put behind the transparent parts of photos; with none the model sees the "    \
            "colours hidden there, as in the published code",                                      \
            "none", "none white black"                                                             \
    }
#define PIAA_OPTION_IMAGE_ATTENTION                                                                \
    {                                                                                              \
        "image-attention", "WHOM",                                                                 \
            "whether Gemma 3's image tokens attend to each other in both directions or, as in "    \
            "the published code, only to earlier ones",                                            \
            "both", "both causal"                                                                  \
    }

#define PIAA_OPTION_CHAT                                                                           \
    {                                                                                              \
        "chat", "WHOSE",                                                                           \
            "the chat form around the prompt: the published one, or that of the folder's own "     \
            "chat template",                                                                       \
            "the folder's where it is understood", "published folder"                              \
    }

#define PIAA_OPTION_EXIF                                                                           \
    {                                                                                              \
        "exif", "WHAT", "whether photos are turned upright as their EXIF data say", "apply",       \
            "apply ignore"                                                                         \
    }

/* Rows of every table whose command opens a model: piaa_reader_model reads the first two,
   piaa_reader_request the others. */
#define PIAA_OPTION_MODEL                                                                          \
    {                                                                                              \
        "model", "DIR",                                                                            \
            "a model to read the photos: a folder as downloaded from Hugging Face, a GGUF file, "  \
            "or the name of one that was pulled",                                                  \
            "the demonstration model", NULL                                                        \
    }

/* Rows of every table whose command reads one person's ratings. */
#define PIAA_OPTION_USER                                                                           \
    { "user", "WHO", "whose ratings, where the file holds several people's", NULL, NULL }

#define PIAA_OPTION_USER_COLUMN                                                                    \
    {                                                                                              \
        "user-column", "NAME",                                                                     \
            "the column that says who rated; none: all ratings are one person's",                  \
            "told by its name", NULL                                                               \
    }

#define PIAA_OPTION_MMPROJ                                                                         \
    { "mmproj", "FILE", "the vision part of a GGUF model", "the one beside it", NULL }

#define PIAA_OPTION_ADAPTER                                                                        \
    { "adapter", "DIR", "a LoRA adapter (PEFT) to merge into the model's weights", NULL, NULL }

#define PIAA_OPTION_MAX_PIXELS                                                                     \
    {                                                                                              \
        "max-pixels", "N",                                                                         \
            "larger photos are shrunk to this many pixels before the model reads them",            \
            "the model's own limit", NULL                                                          \
    }

#define PIAA_OPTION_DTYPE                                                                          \
    {                                                                                              \
        "dtype", "TYPE", "how the weights are held in memory",                                     \
            "auto: f32 for models up to 1 GiB, else the checkpoint's own",                         \
            "auto f32 f16 bf16 q8_0 q6_K q5_K q4_K file"                                           \
    }

#define PIAA_OPTION_THREADS                                                                        \
    { "threads", "N", "threads to compute with", "one for each core that may be used", NULL }

#define PIAA_OPTION_DEVICE                                                                         \
    {                                                                                              \
        "device", "NAME",                                                                          \
            "what computes: cpu, cuda0, … (piaa devices lists them), or rpc://HOST:PORT",          \
            "auto: a GPU if there is one", NULL                                                    \
    }

/* Of commands that bring a store up to date. */
#define PIAA_OPTION_AGAIN                                                                          \
    { "again", NULL, "try again the photos that could not be read before", NULL, NULL }

/* model, mmproj, pool, layer, prompt, max-pixels, dtype, image-attention, exif, threads */
extern const piaa_option piaa_reader_options[];

typedef struct piaa_reader {
    piaa_model *model;
    piaa_extractor *extractor;
    piaa_store *store; /* NULL until piaa_reader_open_store */
    bool tell_form;    /* the chat form was not asked for */
} piaa_reader;

/* The request that the options make; its strings belong to the call.  plain: without prompt, pools
   and layers, for commands that have no such options. */
bool piaa_reader_request_plain(const piaa_call *call, piaa_request *out,
                               piaa_error *error) PIAA_MUST_USE;
bool piaa_reader_request(const piaa_call *call, piaa_request *out, piaa_error *error) PIAA_MUST_USE;

/* The same, and what the options leave open is as it was when features of this identity were made
 * (a taste's); `layer` is the text of the slot's, and outlives the request.  Whoever uses it checks
 * the outcome: models and defaults change. */
bool piaa_reader_request_like(const piaa_call *call, const piaa_identity *identity,
                              const piaa_slot *slot, piaa_request *out, char layer[16],
                              piaa_error *error) PIAA_MUST_USE;

/* Opens a model with the call's --mmproj and --adapter; NULL: the demonstration model, which has no
   use for a vision part. */
piaa_model *piaa_reader_model(const piaa_call *call, const char *model,
                              piaa_error *error) PIAA_MUST_USE;

/* Opens the call's model and the extractor, and says so where it is the demonstration model.
 * `taste` (NULL: none): the model and the adapter that the call leaves open are those that features
 * of this identity were made with; PIAA_IO if one is gone. */
bool piaa_reader_open(piaa_reader *reader, piaa_call *call, const piaa_identity *taste,
                      const piaa_request *request, piaa_error *error) PIAA_MUST_USE;
/* Says so where features come from the demonstration model (piaa_reader_open does it for its own);
   true if they do. */
bool piaa_reader_tell_demonstration(piaa_call *call, const char *fingerprint);
void piaa_reader_close(piaa_reader *reader);

/* For commands that work with one vector per photo: PIAA_USAGE if several are asked for. */
bool piaa_reader_need_one(const piaa_reader *reader, piaa_error *error) PIAA_MUST_USE;

/* Opens the store to write; path NULL: the one in the user's cache that belongs to this model and
   request. */
bool piaa_reader_open_store(piaa_reader *reader, piaa_call *call, const char *path,
                            piaa_error *error) PIAA_MUST_USE;

/* The photos that the operands mean, and a word about what was passed over. */
bool piaa_reader_collect(piaa_call *call, piaa_photos *photos, piaa_error *error) PIAA_MUST_USE;

/* Brings the photos up to date and takes a look at the store; Ctrl-C ends it after the photo in
   hand. */
bool piaa_reader_embed(piaa_reader *reader, piaa_call *call, const piaa_paths *paths,
                       piaa_embed_summary *summary, piaa_error *error) PIAA_MUST_USE;

/* The ratings that --ratings names, of these photos: a table, its names led to the photos where
   they fit one, or with "xmp" the photos' own stars. */
piaa_ratings *piaa_reader_ratings(piaa_call *call, const piaa_photos *photos,
                                  piaa_error *error) PIAA_MUST_USE;

#endif

/* What the commands that read photos have in common: from the options to a request, a model, photos
   and ratings, and what is said on the way. */
#ifndef PIAA_CLI_REQUEST_H
#define PIAA_CLI_REQUEST_H

#include "cli/options.h"

/* Rows of every table whose command asks a model through piaa_call_request. */
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

/* Rows of every table whose command opens a model: piaa_call_model reads the first three,
   piaa_call_request the others. */
#define PIAA_OPTION_MODEL                                                                          \
    {                                                                                              \
        "model", "DIR",                                                                            \
            "a model to read the photos: a folder as downloaded from Hugging Face, a GGUF file, "  \
            "or the name of one that was pulled",                                                  \
            "the demonstration model", NULL                                                        \
    }

/* Rows of every table whose command reads one person's ratings. */
#define PIAA_OPTION_RATINGS                                                                        \
    {                                                                                              \
        "ratings", "FILE",                                                                         \
            "the table to learn from: a header with path,score, paths relative to the file; also " \
            "what spreadsheets and exiftool -csv save (docs/ratings.md); - is standard input; "    \
            "xmp: the stars in the photos themselves and in their sidecars",                       \
            NULL, NULL                                                                             \
    }

#define PIAA_OPTION_PAIRS                                                                          \
    {                                                                                              \
        "pairs", "FILE",                                                                           \
            "a table of comparisons to learn from, beside --ratings or instead: a header with "    \
            "better,worse, or left,right,answer; paths as in ratings (docs/ratings.md)",           \
            NULL, NULL                                                                             \
    }

#define PIAA_OPTION_USER                                                                           \
    { "user", "WHO", "whose ratings, where the file holds several people's", NULL, NULL }

#define PIAA_OPTION_USER_COLUMN                                                                    \
    {                                                                                              \
        "user-column", "NAME",                                                                     \
            "the column that says who rated; none: all ratings are one person's",                  \
            "told by its name", NULL                                                               \
    }

/* Of commands that learn a taste. */
#define PIAA_OPTION_PRIOR                                                                          \
    {                                                                                              \
        "prior", "PRIOR",                                                                          \
            "what other people's ratings say beforehand, a file of piaa prior; how far it is "     \
            "trusted is chosen by leave-one-out",                                                  \
            NULL, NULL                                                                             \
    }

/* Of commands that learn from several pools and layers at once. */
#define PIAA_OPTION_LEARNER                                                                        \
    {                                                                                              \
        "learner", "NAME",                                                                         \
            "ridge: all columns alike; banded: each layer's columns with a weight of their own, "  \
            "chosen by leave-one-out",                                                             \
            "ridge", "ridge banded"                                                                \
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

/* model, mmproj, pool, layer, features, prompt, max-pixels, dtype, image-attention, exif, threads
 */
extern const piaa_option piaa_request_options[];

/* The request that the options make; what they leave open is as in `like`, if that is not NULL.
 * Its strings belong to the call and to `like`.  plain: without prompt, pools and layers, for
 * commands that have no such options; reading: also without size and type of weights. */
bool piaa_call_request_reading(const piaa_call *call, const piaa_request *like, piaa_request *out,
                               piaa_error *error) PIAA_MUST_USE;
bool piaa_call_request_plain(const piaa_call *call, const piaa_request *like, piaa_request *out,
                             piaa_error *error) PIAA_MUST_USE;
bool piaa_call_request(const piaa_call *call, const piaa_request *like, piaa_request *out,
                       piaa_error *error) PIAA_MUST_USE;

/* Opens a model with the call's --mmproj and --adapter; NULL: the demonstration model, which has no
   use for them. */
piaa_model *piaa_call_model(const piaa_call *call, const char *model,
                            piaa_error *error) PIAA_MUST_USE;
/* That of --model, else the one that features of this identity were made with. */
piaa_model *piaa_call_model_like(const piaa_call *call, const piaa_identity *identity,
                                 piaa_error *error) PIAA_MUST_USE;
/* Says so where it is the demonstration model. */
void piaa_call_tell_demonstration(piaa_call *call, bool demonstration);

/* The prior of --prior, the caller's to free; NULL without one. */
bool piaa_call_prior(const piaa_call *call, piaa_prior **prior, piaa_error *error) PIAA_MUST_USE;

/* For commands that learn from one vector per photo, which a request for features makes of several:
   PIAA_USAGE if it asks for several without. */
bool piaa_call_need_one(const piaa_request *request, const piaa_reader *reader,
                        piaa_error *error) PIAA_MUST_USE;

/* piaa_reader_open_store, with --again. */
bool piaa_call_open_store(piaa_call *call, piaa_reader *reader, const char *path,
                          piaa_error *error) PIAA_MUST_USE;

/* The reader of one vector per photo and its store, --store or one in the cache, for commands that
 * somebody waits for: photos are shrunk to PIAA_ADVISED_PIXELS where --max-pixels was not given,
 * unless the store holds them as the model's own limit has them. */
piaa_reader *piaa_call_reader(piaa_call *call, piaa_model *model, const piaa_request *request,
                              piaa_error *error) PIAA_MUST_USE;

/* The photos that the operands mean, and a word about what was passed over. */
piaa_photos *piaa_call_photos(piaa_call *call, piaa_error *error) PIAA_MUST_USE;

/* piaa_reader_read; Ctrl-C ends it after the photo in hand. */
bool piaa_call_read(piaa_call *call, piaa_reader *reader, const piaa_photos *photos,
                    piaa_embed_summary *summary, piaa_error *error) PIAA_MUST_USE;

/* What one person said: --ratings, --pairs or both.  Ends with piaa_call_free_said. */
typedef struct piaa_call_said {
    piaa_ratings *ratings; /* NULL: --ratings was not given */
    piaa_choices *choices; /* NULL: nor was --pairs */
} piaa_call_said;
/* PIAA_USAGE unless one of them was given, and not both from standard input. */
bool piaa_call_need_said(const piaa_call *call, piaa_error *error) PIAA_MUST_USE;
bool piaa_call_read_said(piaa_call *call, const piaa_photos *photos, piaa_call_said *said,
                         piaa_error *error) PIAA_MUST_USE;
void piaa_call_free_said(piaa_call_said *said);
/* The comparisons that --pairs names; NULL without an error where the file is empty or not there
   yet. */
bool piaa_call_choices_so_far(piaa_call *call, const piaa_photos *photos, piaa_choices **out,
                              piaa_error *error) PIAA_MUST_USE;
/* One line each: the person's own noise, and what ten more ratings would bring. */
void piaa_call_tell_outlook(piaa_call *call, const piaa_taste *taste);

/* The ratings that --ratings names, of these photos: a table, its names led to the photos where
   they fit one, or with "xmp" the photos' own stars. */
piaa_ratings *piaa_call_ratings(piaa_call *call, const piaa_photos *photos,
                                piaa_error *error) PIAA_MUST_USE;
/* The same where there may be none yet: no --ratings, no such file (which is said), or nothing
   rated in it. */
piaa_ratings *piaa_call_ratings_so_far(piaa_call *call, const piaa_photos *photos,
                                       piaa_error *error) PIAA_MUST_USE;

#endif

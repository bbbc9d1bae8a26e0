/*
 * piaa: read the hidden states of a vision-language model for a photo, and learn one person's taste
 * from them.
 *
 *     piaa_error error = {0};
 *     piaa_model *model = piaa_model_open(NULL, &error); // NULL: the demonstration model
 *     // NULL: LT at the default layer, the study's prompt
 *     piaa_extractor *reader = piaa_extractor_new(model, NULL, &error);
 *     const char *photos[] = {"photos"}; // files and folders
 *     piaa_store *store = piaa_embed("photos.piaa", reader, photos, 1, NULL, NULL, &error);
 *     piaa_ratings *ratings = piaa_ratings_read("ratings.csv", NULL, &error);
 *     piaa_taste *taste = piaa_taste_learn(store, 0, ratings, NULL, &error);
 *     piaa_ranking *ranking = piaa_rank(taste, store, NULL, 0, ratings, &error);
 *     for (size_t i = 0; i < piaa_ranking_count(ranking); i++)
 *         printf("%.2f  %s\n", piaa_ranking_at(ranking, i)->score,
 *                piaa_ranking_at(ranking, i)->path);
 *     if (error.code) fprintf(stderr, "%s\n", error.message);
 *
 * Conventions
 *   Errors     Every function that can fail takes a piaa_error last and returns NULL or false on
 *              failure; the error then holds one plain line: what failed, where, and how to mend
 *              it.  A function that is given the NULL of a call that failed, or that begins with an
 *              error already there, fails too and leaves the first error in place, so that a chain
 *              like the one above needs one check, at its end.  Set the error to {0} before going
 *              on after one that was dealt with.
 *   Ownership  A handle from *_open, *_new, *_read, *_learn, *_fit, *_load, *_pull, piaa_embed or
 *              piaa_rank belongs to the caller, who ends it with the matching *_close or *_free;
 *              both accept NULL.  Pointers that a getter returns belong to the handle.
 *   Threads    A handle is used by one thread at a time; different handles are independent.
 *   Process    Three things are the process's and not a handle's.  libvips is started at the first
 *              photo file, and set for whoever else uses it: one thread for each image, no cache of
 *              operations, no messages, and no readers but those of photos' formats.  OpenBLAS
 *              starts a thread for each core when it is loaded, unless OPENBLAS_NUM_THREADS says
 *              otherwise.  Photo files that are decoded at the same time share 256 MiB for it and
 *              wait for each other.  docs/machines.md has more.
 *   Numbers    Pooled vectors are float32; the regression is float64 inside.
 *   Versions   A structure that the caller fills in begins as {0}, or is written with the names of
 *              its members; 0 and NULL ask for what was done before there was such a member.  New
 *              members, and new values of enumerations, come at the end.  So programs that compile
 *              go on compiling.  Before 1.0 sizes may grow with every minor version, and programs
 *              have to be compiled anew: the shared library is called libpiaa.so.0.2 for that, and
 *              one that does not fit is not loaded.
 */
#ifndef PIAA_H
#define PIAA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__) || defined(__clang__)
#define PIAA_API __attribute__((visibility("default")))
#else
#define PIAA_API
#endif

/* --------------------------------------------------------------------------------------- errors */

typedef enum piaa_code {
    PIAA_OK = 0,
    PIAA_USAGE,       /* what was asked for makes no sense (exit code 2 on the command line) */
    PIAA_IO,          /* the operating system said no: missing file, full disk, no permission */
    PIAA_FORMAT,      /* a file does not hold what its kind promises */
    PIAA_UNSUPPORTED, /* well formed, but not something that piaa can do */
    PIAA_MISMATCH, /* two things do not belong together: a store and a model, ratings and photos */
    PIAA_BUSY,     /* another process is writing there */
    PIAA_MEMORY,   /* out of memory */
    PIAA_STOPPED,  /* the stop hook asked to end early; everything finished so far is kept */
} piaa_code;

typedef struct piaa_error {
    piaa_code code;
    char message[1024]; /* one line, no newline, UTF-8 */
} piaa_error;

/* What a long job tells its caller, and asks it.  Any member may be NULL. */
typedef struct piaa_hooks {
    void *user;
    void (*warn)(void *user, const char *line); /* one bad photo, a duplicate rating, … */
    /* total 0: unknown. */
    void (*progress)(void *user, const char *what, int64_t done, int64_t total);
    bool (*stop)(void *user);                   /* true: end after the photo in hand */
    void (*note)(void *user, const char *line); /* good to know, and nothing is wrong */
} piaa_hooks;

/* Of this header, for #if: major * 10000 + minor * 100 + patch. */
#define PIAA_VERSION_NUM 200
/* Of the library that runs: "0.2.0". */
PIAA_API const char *piaa_version(void);

/* --------------------------------------------------------------------------------------- models */

/* An opened model: configuration, tokenizer and the names of its tensors.  No weights in memory. */
typedef struct piaa_model piaa_model;

/* The sizes that bound a request: the decoder's hidden states are 0..decoder_layers (0 the
 * embeddings, i the output of block i, the last one after the final norm), the vision encoder's
 * blocks 0..vision_blocks-1.  A model without a decoder (hidden_size 0) counts its vision states as
 * a decoder does: 0 the embeddings, i the output of block i, no norm after the last. */
typedef struct piaa_layout {
    int decoder_layers, hidden_size;
    int vision_blocks, vision_size;
    bool vision_embeddings; /* the pool V begins with the embeddings: vision_blocks + 1 layers */
    int pooled_size, projected_size; /* of the pools of those names; 0: the model has none */
} piaa_layout;

/* A model's own chat template: there is none, it is the published form's, it is another, or one
   that is not understood. */
typedef enum piaa_template {
    PIAA_TEMPLATE_NONE,
    PIAA_TEMPLATE_PUBLISHED,
    PIAA_TEMPLATE_OWN,
    PIAA_TEMPLATE_UNREAD
} piaa_template;

typedef struct piaa_model_info {
    const char *family; /* "Qwen3-VL" */
    const char *folder; /* as it was given, or found; "TEXT.gguf,MMPROJ.gguf" where both were named:
                           piaa_model_open takes it again */
    const char *dtype;  /* of most weights, as the file spells it */
    piaa_layout layout;
    int heads, kv_heads, head_dim, intermediate, vocabulary;
    int vision_heads, vision_intermediate;
    int patch, merge; /* one image token is merge x merge patches of patch x patch pixels */
    int64_t parameters, bytes;      /* of all tensors in the folder */
    int64_t min_pixels, max_pixels; /* the image processor's limits */
    piaa_template chat_template;
    bool opens_answers;   /* its own template begins answers otherwise than the published form */
    const char *chat;     /* in words, which chat form PIAA_FORM_AUTO is; NULL: it reads no text */
    const char *unknown;  /* keys of its configuration that piaa does not know and that may change
                             what the model computes, with ", " between; NULL: none */
    char pixels[320];     /* in words, how else it makes numbers of a photo: filter, mean, … */
    bool image_attention; /* piaa_request.image_attention makes a difference */
    bool demonstration;   /* the embedded model, trained on rendered scenes */
    char fingerprint[65]; /* SHA-256 that tells checkpoints apart, hexadecimal */
    const char *adapter;  /* the folder of the one that is merged into the weights; NULL */
} piaa_model_info;

/* `folder`: a model as downloaded from Hugging Face (config.json, tokenizer.json, *.safetensors), a
 * GGUF file with its vision part (mmproj) beside it or a folder that holds the two, or the name of
 * a model that was pulled; NULL: the demonstration model (or the folder that the environment
 * variable PIAA_MODEL names). */
PIAA_API piaa_model *piaa_model_open(const char *folder, piaa_error *error);
/* The same of a GGUF text model whose vision part is the file `vision`, wherever that is; NULL: as
   above. */
PIAA_API piaa_model *piaa_model_open_pair(const char *text, const char *vision, piaa_error *error);
/* The same with a low-rank adapter as PEFT saves it (the folder `adapter`) merged into the weights
   as they are read. */
PIAA_API piaa_model *piaa_model_open_adapted(const char *text, const char *vision,
                                             const char *adapter, piaa_error *error);
PIAA_API void piaa_model_close(piaa_model *model);
PIAA_API const piaa_model_info *piaa_model_get_info(const piaa_model *model);

/* ------------------------------------------------------------------------------- models by name */

/* Of a repository that holds GGUF files, which two to pull; NULL: what the name says behind its
 * colon, else Q4_K_M, else Q8_0, and the vision part in 16 bits.  `from`: the address of a mirror;
 * NULL: the environment's HF_ENDPOINT, else the Hugging Face hub. */
typedef struct piaa_pull_request {
    const char *file;   /* the text model's */
    const char *mmproj; /* its vision part's */
    const char *from;
} piaa_pull_request;

/* A model that piaa_model_open opens by its name. */
typedef struct piaa_pulled {
    char *name;     /* "Qwen/Qwen3-VL-4B-Instruct", "ggml-org/gemma-3-4b-it-GGUF:Q8_0" */
    char *revision; /* "main"; "" where no pull was ended */
    char *folder;   /* of its files; "TEXT.gguf,MMPROJ.gguf" for two in the Hugging Face cache */
    char commit[41];
    int64_t bytes;
    bool complete;
    bool shared; /* in the Hugging Face cache */
    /* Of a pull, else 0: */
    size_t files;
    size_t unchecked;   /* of them those for which the server named no checksum, so that only their
                           size could be checked */
    int64_t downloaded; /* bytes, by this call */
} piaa_pulled;

/* Downloads what piaa needs of a repository into the user's cache: `name` is a short name
 * ("qwen3-vl-4b") or OWNER/NAME, either with @REVISION and, for GGUF files, :QUANT.  What is there
 * already, whole and right, is not fetched again; a file gets its name only after its size and
 * checksum were found right.  hooks->progress hears of bytes and the file in hand.  On failure what
 * has come is kept, and the same call goes on from there.  The token in HF_TOKEN goes to the hub
 * (or to `from`) and to no other host, and never unencrypted, except to this machine.  request and
 * hooks may be NULL. */
PIAA_API piaa_pulled *piaa_model_pull(const char *name, const piaa_pull_request *request,
                                      const piaa_hooks *hooks, piaa_error *error);
PIAA_API void piaa_pulled_free(piaa_pulled *pulled);

/* Every pulled model, and those of the Hugging Face cache, by name and revision. */
typedef struct piaa_pulled_list piaa_pulled_list;
PIAA_API piaa_pulled_list *piaa_pulled_list_read(piaa_error *error);
PIAA_API void piaa_pulled_list_free(piaa_pulled_list *list);
PIAA_API size_t piaa_pulled_list_count(const piaa_pulled_list *list);
PIAA_API const piaa_pulled *piaa_pulled_list_at(const piaa_pulled_list *list, size_t index);

/* Deletes every revision of a pulled model (of one with :QUANT, those files alone), and what an
 * unfinished pull left; *bytes (may be NULL): how much that was.  PIAA_USAGE where it was not
 * pulled, PIAA_BUSY while a pull of it is under way.  The Hugging Face cache is not touched. */
PIAA_API bool piaa_pulled_remove(const char *name, int64_t *bytes, piaa_error *error);

/* ------------------------------------------------------------------------- pooled hidden states */

/* What the mean is taken over.  LT: all tokens of the decoder's input that are not the image's,
 * template included; LT_TAIL: the last of them alone; LV: the image's tokens; V: all entries of a
 * vision block's output (patches, and class and register tokens where there are some).  Two are no
 * means and have no layers, only layer 0: POOLED is what a vision model makes of its last block for
 * others to use (pooler_output), PROJECTED that in the space which it shares with text
 * (image_embeds). */
typedef enum piaa_pool {
    PIAA_LT,
    PIAA_LT_TAIL,
    PIAA_LV,
    PIAA_V,
    PIAA_POOLED,
    PIAA_PROJECTED,
    PIAA_POOLS
} piaa_pool;

/* "lt", "lt_tail", "lv", "v", "pooled", "projected" */
PIAA_API const char *piaa_pool_name(piaa_pool pool);

/* One pooled vector per photo: the pool, the layer (for V the vision block, from 0), and its
   length. */
typedef struct piaa_slot {
    piaa_pool pool;
    int layer;
    int dim;
} piaa_slot;

typedef struct piaa_slots {
    piaa_slot *items;
    size_t count;
} piaa_slots;

/* How weights are held in memory.  AUTO: float32 where the whole model fits in 1 GiB that way
 * (exact, and fast enough), else the checkpoint's own type.  FILE: each matrix as the checkpoint
 * stores it (F16 as bfloat16 where our kernels run), which AUTO becomes for quantised ones and F16.
 * Vectors (biases, norms) and activations are float32 always. */
typedef enum piaa_dtype {
    PIAA_DTYPE_AUTO,
    PIAA_DTYPE_F32,
    PIAA_DTYPE_F16,
    PIAA_DTYPE_BF16,
    PIAA_DTYPE_Q8_0,
    PIAA_DTYPE_Q6_K,
    PIAA_DTYPE_Q5_K,
    PIAA_DTYPE_Q4_K,
    PIAA_DTYPE_FILE
} piaa_dtype;

/* Whether the camera's orientation mark turns the photo before the model sees it (the published
   code ignores it). */
typedef enum piaa_exif { PIAA_EXIF_APPLY, PIAA_EXIF_IGNORE } piaa_exif;

/* What is put behind the transparent parts of a photo.  NONE: nothing, so that the model sees the
   colours that are hidden there, as in the published code and in Pillow. */
typedef enum piaa_background {
    PIAA_BACKGROUND_NONE,
    PIAA_BACKGROUND_WHITE,
    PIAA_BACKGROUND_BLACK
} piaa_background;

/* Whom the image's tokens attend to in a decoder that was trained with both (Gemma 3): each other,
 * or only those before them, as in the published code, which loses the marks that say which tokens
 * are the image's.  Other models ignore it. */
typedef enum piaa_image_attention { PIAA_IMAGE_BOTH_WAYS, PIAA_IMAGE_CAUSAL } piaa_image_attention;

/* What can run a model: this machine's CPU, and what else ggml was built for. */
typedef struct piaa_device {
    char name[320]; /* as piaa_request takes it: "cpu", "cuda0", "vulkan0", "rpc://HOST:PORT" */
    char description[256]; /* what the driver calls it */
    int64_t memory;        /* bytes; 0: not known */
    int64_t memory_free;
    bool gpu;
} piaa_device;

/* Fills out[0..room-1] with this machine's devices and returns how many there are. */
PIAA_API size_t piaa_devices(piaa_device *out, size_t room);

/* Whose chat form the prompt is put in.  AUTO: that of the model's own template where it is
   understood, else the published one. */
typedef enum piaa_form { PIAA_FORM_AUTO, PIAA_FORM_PUBLISHED, PIAA_FORM_FOLDER } piaa_form;

/* The study's prompt. */
#define PIAA_BASE_PROMPT "Assess the aesthetics of this image."

/* About 1,000 tokens of most models: what a photo is shrunk to where somebody waits for many. */
enum { PIAA_ADVISED_PIXELS = 1 << 20 };

/* What is asked of a model.  Every member may be 0 or NULL: the study's prompt, the pool LT, the
 * default layer (15/36 of the decoder's depth, rounded), the model's own size limit, orientation
 * applied, weights AUTO, one thread per core, image tokens attending both ways, the device "auto",
 * which is the first GPU if there is one and else the CPU.  A model without a decoder reads no
 * prompt, and its default is the pool V at its last layer.  "rpc://HOST:PORT" is a device of
 * another machine, lent by `piaa lend` there: should it go away, ggml ends the process. */
typedef struct piaa_request {
    const char *prompt;
    piaa_form chat;
    const char *pools;  /* "lt,lt_tail,lv,v,pooled,projected" */
    const char *layers; /* "15", "0,3,5-9", "all", "default" */
    int64_t max_pixels;
    piaa_exif exif;
    piaa_dtype dtype;
    int threads;
    piaa_image_attention image_attention;
    const char *device;
    piaa_background background;
    const char *features; /* instead of pools and layers: "lt.15+lv.9+v.20", or "all-pools", every
                             pool of the model at its default layer */
} piaa_request;

/* A model and a request.  The weights that the request needs, and no others, are read at the first
   photo. */
typedef struct piaa_extractor piaa_extractor;

/* The model must outlive the extractor; the request is copied and may be NULL. */
PIAA_API piaa_extractor *piaa_extractor_new(piaa_model *model, const piaa_request *request,
                                            piaa_error *error);
PIAA_API void piaa_extractor_free(piaa_extractor *extractor);
/* By pool, then by layer. */
PIAA_API const piaa_slots *piaa_extractor_slots(const piaa_extractor *extractor);
/* Floats per photo, all slots together. */
PIAA_API size_t piaa_extractor_values(const piaa_extractor *extractor);

/* One photo file: out[piaa_extractor_values()], the slots' vectors one after the other. */
PIAA_API bool piaa_extractor_read(piaa_extractor *extractor, const char *path, float *out,
                                  piaa_error *error);

/* The same of a photo file's content in memory, whole, which is copied.  Messages call it "the
   photo in memory". */
PIAA_API bool piaa_extractor_read_bytes(piaa_extractor *extractor, const void *bytes, size_t size,
                                        float *out, piaa_error *error);

/* The same of pixels in memory: `height` rows of `width` pixels of 3 bytes, red, green and blue
 * (sRGB), the top row first; a row begins `stride` bytes after the one before it (0: 3 * width).
 * They are taken as they are: turned upright, and without a transparency that a background could
 * show through.  The same pixels from a file without loss give the same vectors to the last bit.
 * They are copied, and the caller's again when the call returns. */
PIAA_API bool piaa_extractor_read_pixels(piaa_extractor *extractor, const uint8_t *rgb, int width,
                                         int height, size_t stride, float *out, piaa_error *error);

/* --------------------------------------------------------------------------------------- asking */

/* How a question is answered.  Every member may be 0 or NULL: the extractor's prompt; at most as
 * many tokens as the model's generation_config.json says, or 256; always the likeliest token.  That
 * file's stop tokens, penalty for repetition and suppressed tokens are obeyed in any case; what
 * else it may ask for and piaa does not do is refused by its name. */
typedef struct piaa_answering {
    const char *prompt;
    int max_tokens;
    bool sample; /* draw each token by its probability */
    /* Of a sample; 0: what generation_config.json says, else 1, the 50 likeliest, and all of
       them. */
    double temperature;
    int top_k;
    double top_p;
    uint64_t seed; /* equal seeds draw equal answers */
    /* Hears of the text as it comes, in whole characters; false: it is enough. */
    bool (*piece)(void *user, const char *text);
    void *user;
} piaa_answering;

typedef struct piaa_answer {
    char *text;       /* without special tokens, and without white space around it */
    int32_t *new_ids; /* [new_count], the token that stopped it included */
    float *margins;   /* [new_count] between the two largest logits: where it is small, other
                         roundings may say something else */
    size_t new_count;
    bool stopped; /* by a stop token, not by max_tokens */
    /* Of the first token: the mean of 1 to 5 under the softmax over the five digits' logits, and
       the digits' share of the whole probability; NaN where a digit is no token of the model. */
    double expected_score, digit_mass;
    int prompt_tokens;
    double first_seconds, seconds; /* of computing: until the first token, and in all */
} piaa_answer;

/* Asks about photo files, in the extractor's form and at its size: one turn, the photos in their
 * order and then the question.  A photo that was asked about before is not seen again, and several
 * that begin as those before are not read again.  out (NULL where there are several photos):
 * [piaa_extractor_values()], the slots' vectors of this question, which the same pass gives.
 * PIAA_UNSUPPORTED for a model without a decoder; PIAA_USAGE for a question that is longer than the
 * model was made for.  `how` may be NULL.  The answer is the
 * caller's. */
PIAA_API piaa_answer *piaa_extractor_ask(piaa_extractor *extractor, const char *const *paths,
                                         size_t count, const piaa_answering *how, float *out,
                                         piaa_error *error);
PIAA_API void piaa_answer_free(piaa_answer *answer);

/* The request that features of this identity and slot were made with, so that more are made like
 * them.  Its strings are the identity's, and `layer`, which outlives it.  What an identity of
 * before does not know is left open; whoever uses the request compares the outcome
 * (piaa_taste_fits), since models and defaults change. */
struct piaa_identity;
PIAA_API void piaa_request_like(const struct piaa_identity *identity, const piaa_slot *slot,
                                char layer[16], piaa_request *out);

/* ----------------------------------------------------------------------------------- the photos */

/* From the names that a user gives to the photos that they mean: listed once, and carried through
 * to the result.  A photo has two names: the path to which all links lead, by which stores and
 * ratings know it, and the name under which it was found, which is what people want to see. */
typedef struct piaa_photos piaa_photos;

/* Files as they are; folders all the way down, those files whose name or, where that says nothing,
 * content is a photo's, without hidden ones and what systems and programs keep in folders of their
 * own (trash, thumbnails).  In byte order of the paths, each once; a photo that was found several
 * times has the name without a link if there is one, else the first in byte order.  A name that
 * does not exist is an error; so is finding no photo at all.  hooks may be NULL. */
PIAA_API piaa_photos *piaa_photos_collect(const char *const *names, size_t count,
                                          const piaa_hooks *hooks, piaa_error *error);
PIAA_API void piaa_photos_free(piaa_photos *photos);

PIAA_API size_t piaa_photos_count(const piaa_photos *photos); /* 0 for NULL */
/* [count] absolute: the paths, and the names under which the photos were found. */
PIAA_API const char *const *piaa_photos_paths(const piaa_photos *photos);
PIAA_API const char *const *piaa_photos_names(const piaa_photos *photos);
/* What the folders hold beside photos and was not taken: "4 videos, 1 other file"; else "". */
PIAA_API const char *piaa_photos_passed(const piaa_photos *photos);
/* Keeps the photos of shard `index` (1..count) of `count` alone.  Which shard a photo is in follows
 * from its path below the folder that was named (its whole path where it lies in none): neither
 * other photos nor the folder's own place matter.  A shard may be empty. */
PIAA_API bool piaa_photos_keep_shard(piaa_photos *photos, int64_t index, int64_t count,
                                     piaa_error *error);
/* Which one (1..count) that is for a photo whose path below the folder is `below`; there need be no
 * such file. */
PIAA_API int64_t piaa_shard_of(const char *below, int64_t count);
/* A path that piaa_reader_read is to read with these photos though it is not among them, such as a
   rated photo from elsewhere. */
PIAA_API bool piaa_photos_read_also(piaa_photos *photos, const char *path, piaa_error *error);

/* ------------------------------------------------------------------------------------ the store */

/* A folder with catalog.sqlite and one <pool>.<layer>.npy per matrix ([photos, dim] float32, C
 * order), append-only and resumable: a kill at any moment loses at most the photo in hand, and
 * NumPy opens the matrices with mmap_mode="r" at any time. */
typedef struct piaa_store piaa_store;

typedef struct piaa_embed_summary {
    int64_t photos;    /* asked for */
    int64_t computed;  /* went through the model */
    int64_t damaged;   /* of these, such as were read though part of them is lost */
    int64_t previews;  /* of these, raw files of which the camera's own picture was read, */
    int64_t developed; /* and those that had none: developed at half size */
    int64_t unchanged; /* were complete */
    int64_t copies;    /* have the content of another photo */
    int64_t failed;    /* could not be read, now or in an earlier run */
    double seconds;    /* of computing */
} piaa_embed_summary;

/* Brings the photos (files, and folders recursively) up to date in the store at `path`, which is
 * made if there is none, and opens it for reading.  Unchanged photos cost a stat; a photo that
 * cannot be read is a warning and a line in the store.  Refused: a store made with another model,
 * prompt or size limit (PIAA_MISMATCH names the difference), one that another process writes to
 * (PIAA_BUSY).  On failure everything done so far is kept, and the same call goes on from there.
 * hooks and summary may be NULL. */
PIAA_API piaa_store *piaa_embed(const char *path, piaa_extractor *extractor,
                                const char *const *photos, size_t count, const piaa_hooks *hooks,
                                piaa_embed_summary *summary, piaa_error *error);
/* The same with photos that were collected, such as those of a shard; NULL, or none: the store is
 * made and opened. */
PIAA_API piaa_store *piaa_embed_photos(const char *path, piaa_extractor *extractor,
                                       const piaa_photos *photos, const piaa_hooks *hooks,
                                       piaa_embed_summary *summary, piaa_error *error);

/* Opens for reading, also while another process writes and on read-only media: what is there now,
   as after piaa_store_refresh. */
PIAA_API piaa_store *piaa_store_open_read(const char *path, const piaa_hooks *hooks,
                                          piaa_error *error);
PIAA_API void piaa_store_close(piaa_store *store);

/* Forgets the photos whose files are gone.  Their vectors stay in the matrices, so that one that
 * comes back, under whatever path, is not read by the model again.  hooks and pruned (how many) may
 * be NULL. */
PIAA_API bool piaa_store_prune(const char *path, const piaa_hooks *hooks, int64_t *pruned,
                               piaa_error *error);

/* Reads every vector and holds it against the sum that was kept when it was written; each photo
 * whose vectors differ is told to hooks->warn.  *damaged: how many rows.  forget: their vectors are
 * taken off the catalogue, so that the next run on their photos computes them anew.  Of a packed
 * store every byte of the index is held against sums, too: PIAA_FORMAT says where it differs. */
PIAA_API bool piaa_store_verify(const char *path, bool forget, const piaa_hooks *hooks,
                                int64_t *damaged, piaa_error *error);

/* What the stores `from` [count] hold into the store at `path`, which is made if there is none;
 * photos in byte order of their paths, so that the matrices of shards' stores become those of one
 * run, to the byte.  Nothing is written unless all stores were made alike (PIAA_MISMATCH names the
 * difference).  A vector that is not what was written, or a photo of which two stores hold two
 * contents, ends the merge with a line that names it.  What was done is kept, and the same call
 * goes on from there.  hooks may be NULL. */
PIAA_API bool piaa_store_merge(const char *path, const char *const *from, size_t count,
                               const piaa_hooks *hooks, piaa_error *error);

/* How a packed store keeps vectors.  F32: as they are.  F16: 11 bits of precision, and values up to
 * 65504, else PIAA_UNSUPPORTED.  BF16: 8 bits.  INT8: each column in 255 steps from the least of
 * its values to the largest. */
typedef enum piaa_packing {
    PIAA_PACKED_NONE, /* it is not packed */
    PIAA_PACKED_F32,
    PIAA_PACKED_F16,
    PIAA_PACKED_BF16,
    PIAA_PACKED_INT8
} piaa_packing;

/* "f32", "f16", "bf16", "int8"; NULL for NONE. */
PIAA_API const char *piaa_packing_name(piaa_packing packing);

typedef struct piaa_pack_options {
    piaa_packing packing; /* NONE: F32 */
    const char *features; /* which matrices, "lt.15+v.9"; NULL: all */
} piaa_pack_options;

/* A copy of the store `from` for reading only, at `path`, where nothing is yet: an index that is
 * mapped instead of a catalogue that is loaded, so that any number of photos opens at once, and
 * matrices in fewer bits.  Every function that reads stores reads packed ones; those that write
 * refuse them.  NumPy opens the matrices (docs/scale.md).  Each vector is held against its sum on
 * the way.  The store appears when it is whole; whatever ends the packing, the same call begins it
 * again.  options and hooks may be NULL. */
PIAA_API bool piaa_store_pack(const char *from, const char *path, const piaa_pack_options *options,
                              const piaa_hooks *hooks, piaa_error *error);

/* The photos of the store `from` in `parts` stores FOLDER/1.store … FOLDER/PARTS.store, as piaa
 * embed --shard would have made them from the folder `below` (NULL: by their whole paths); merged
 * they are the store again.  What was done is kept, and the same call goes on from there.  hooks
 * may be NULL. */
PIAA_API bool piaa_store_split(const char *from, const char *folder, int64_t parts,
                               const char *below, const piaa_hooks *hooks, piaa_error *error);

/* Takes a new look at the catalogue and the matrices.  Pointers from the functions below last until
   the next refresh or close. */
PIAA_API bool piaa_store_refresh(piaa_store *store, piaa_error *error);

/* A line of the catalogue. */
typedef struct piaa_photo {
    const char *path; /* absolute, bytes as the file system has them */
    int64_t size;
    int64_t mtime_ns;   /* since 1970; before 1678 and after 2261 the nearest time that fits */
    const char *hash;   /* SHA-256 of the file in hexadecimal; NULL: not known */
    int64_t row;        /* -1: none */
    const char *error;  /* why the photo, or part of its vectors, is missing; NULL */
    int64_t ctime_ns;   /* of the last change to the file or what is kept about it; 0: not known */
    int64_t inode;      /* the file's number; 0: not known, or not one that lasts */
    const char *damage; /* what of the photo was lost, though it has its vectors; NULL */
    const char *note;   /* how the photo was read, where that is not plain; NULL */
} piaa_photo;

typedef struct piaa_store_counts {
    int64_t photos;  /* lines in the catalogue */
    int64_t failed;  /* of them without a row */
    int64_t partial; /* of them with a row and an error for a later slot */
    int64_t rows;    /* of the matrices */
    int64_t orphans; /* rows that no photo uses any more */
    int64_t damaged; /* photos with vectors of which something was lost (piaa_photo.damage) */
} piaa_store_counts;

PIAA_API const char *piaa_store_path(const piaa_store *store);
PIAA_API piaa_packing piaa_store_packing(const piaa_store *store);
/* "fingerprint", "model", "family", "prompt", "preprocessing", "dtype", "library"; NULL for other
   keys. */
PIAA_API const char *piaa_store_meta(const piaa_store *store, const char *key);
/* All matrices, in the order in which they were added; `slot` below is an index into this list. */
PIAA_API const piaa_slots *piaa_store_slots(const piaa_store *store);
/* -1 if absent. */
PIAA_API int piaa_store_find_slot(const piaa_store *store, piaa_pool pool, int layer);
PIAA_API piaa_store_counts piaa_store_count(const piaa_store *store);
/* Rows of this slot that hold a vector. */
PIAA_API int64_t piaa_store_filled(const piaa_store *store, int slot);

/* Photos in byte order of their paths. */
PIAA_API size_t piaa_store_photos(const piaa_store *store);
/* One that is not there (past the end, absent) has path NULL and row -1. */
PIAA_API piaa_photo piaa_store_photo(const piaa_store *store, size_t index);
PIAA_API piaa_photo piaa_store_find(const piaa_store *store, const char *path);

/* Whether the slot holds a vector in a row (-1: it does not). */
PIAA_API bool piaa_store_has(const piaa_store *store, int slot, int64_t row);
/* The vector (`dim` floats), NULL where there is none.  Of a matrix in float32 it is the mapped
 * one, not read until it is touched; of a packed store's narrower one it is brought into `room`
 * [dim], which may be NULL where there is no such matrix. */
PIAA_API const float *piaa_store_vector(const piaa_store *store, int slot, int64_t row,
                                        float *room);
/* The vectors in rows [count], one after the other into out [count][dim]; NaN where there is
   none.  PIAA_USAGE: no such slot. */
PIAA_API bool piaa_store_vectors(const piaa_store *store, int slot, const int64_t *rows,
                                 int64_t count, float *out, piaa_error *error);
/* The whole matrix [rows, dim]; rows for which piaa_store_has says no hold NaN or nothing
 * meaningful.  NULL if it has no rows yet, or is not in float32. `rows` may be NULL. */
PIAA_API const float *piaa_store_matrix(const piaa_store *store, int slot, int64_t *rows);

/* What a store is made with; all strings, NULL counts as "".  A store takes photos only from a run
 * in which all but model, adapter, family and library are equal; these are kept as they were when
 * the store was made. */
typedef struct piaa_identity {
    const char *fingerprint;   /* SHA-256 of the checkpoint in hexadecimal */
    const char *model;         /* as the user knows it */
    const char *family;        /* "Qwen3-VL" */
    const char *prompt;        /* the text itself */
    const char *preprocessing; /* one line, "at most 1003520 pixels, EXIF applied" */
    const char *dtype;         /* "f32", "bf16": never "auto" */
    const char *library;       /* piaa_version() */
    /* Later ones: where a store or a taste of before has none, any fits; but its chat is published.
     */
    const char *pixels;  /* how a photo becomes numbers: "bicubic, mean 0.5 0.5 0.5, …" */
    const char *chat;    /* "published", "the folder's": whose form the prompt is put in */
    const char *tokens;  /* what the prompt became: how many tokens, and a hash of them */
    const char *adapter; /* where the adapter was that is merged into the model; "": none */
    /* What `preprocessing` says, one by one, for piaa_request_like: "1003520"; "apply", "ignore";
       "both", "causal"; "none", "white", "black". */
    const char *max_pixels, *exif, *image_attention, *background;
} piaa_identity;

/* The model that features of this identity were made with, as piaa_model_open takes it: in *out,
 * NULL for the demonstration model.  PIAA_IO: it is not where it was. */
PIAA_API bool piaa_identity_model(const piaa_identity *identity, const char **out,
                                  piaa_error *error);
/* And the adapter that was merged into it; NULL: none. */
PIAA_API bool piaa_identity_adapter(const piaa_identity *identity, const char **out,
                                    piaa_error *error);
/* Whether they come from the demonstration model, trained on rendered scenes. */
PIAA_API bool piaa_identity_is_demonstration(const piaa_identity *identity);
/* What the extractor's features are made with; the strings are the extractor's. */
PIAA_API const piaa_identity *piaa_extractor_identity(const piaa_extractor *extractor);

/* The photos of a store, in byte order.  gone (may be NULL): those whose files are not there any
   more are left out, and counted. */
PIAA_API piaa_photos *piaa_photos_of_store(const piaa_store *store, size_t *gone,
                                           piaa_error *error);

/* ----------------------------------------------------------------------------------- the reader */

/* Photos in, their vectors kept: an extractor and a store of its features, brought up to date as
 * photos come. */
typedef struct piaa_reader piaa_reader;

/* The model must outlive the reader; the request is copied and may be NULL. */
PIAA_API piaa_reader *piaa_reader_new(piaa_model *model, const piaa_request *request,
                                      piaa_error *error);
PIAA_API void piaa_reader_free(piaa_reader *reader);

/* Opens the store in the folder `path`, as piaa_embed does; NULL: one below $XDG_CACHE_HOME/piaa/
 * stores (~/.cache/piaa/stores) that belongs to this model and request, made if there is none.
 * retry: photos that could not be read before are tried again.  hooks may be NULL. */
PIAA_API bool piaa_reader_open_store(piaa_reader *reader, const char *path, bool retry,
                                     const piaa_hooks *hooks, piaa_error *error);

/* Brings the photos up to date in the store, which was opened, and takes a look at it: unchanged
 * photos cost a stat, a photo that cannot be read is a warning and a line in the store.  On failure
 * what was done is kept, and the same call goes on from there.  hooks->note hears of a chat form
 * that was not asked for, of photos so large that a limit would pay, and of photos that were read
 * in the same folders before and are gone.  hooks and summary may be NULL. */
PIAA_API bool piaa_reader_read(piaa_reader *reader, const piaa_photos *photos,
                               const piaa_hooks *hooks, piaa_embed_summary *summary,
                               piaa_error *error);

/* The reader's; the store is NULL until it was opened. */
PIAA_API piaa_extractor *piaa_reader_extractor(const piaa_reader *reader);
PIAA_API const piaa_store *piaa_reader_store(const piaa_reader *reader);

/* ---------------------------------------------------------------------------- ratings and taste */

/* A photo and its score. */
typedef struct piaa_rating {
    const char *path; /* absolute; belongs to the ratings */
    double score;     /* finite; the average where the photo is rated more than once */
    int64_t line;     /* of the file, from 1; the first one where there are several */
} piaa_rating;

typedef struct piaa_ratings piaa_ratings;

/*
 * Reads the table in `path` ("-": standard input) with a header line that names a photo's `path`
 * and its `score`, or what other programs call them; other columns are ignored.  docs/ratings.md
 * says what is understood: CSV with commas, semicolons or tabs, in UTF-8, UTF-16 or Windows-1252,
 * of spreadsheets and of exiftool.  Relative paths are relative to the folder of the file (standard
 * input: to the working folder).  A photo that is not there under its name is looked for in other
 * spellings of it (Unicode forms, case, back-slashes); whether it exists at all is not looked at.
 *
 * Photos without a rating are left out.  Ratings are few and precious, so a row that cannot be used
 * (no path, something that is no number as its score, too many fields) is an error that names the
 * first such row and says how many there are.  Photos rated more than once are averaged.  Ratings
 * of several people are an error.  One line each about what was taken for what, photos without a
 * rating, names that were matched and averages goes to hooks->warn (hooks may be NULL).
 */
PIAA_API piaa_ratings *piaa_ratings_read(const char *path, const piaa_hooks *hooks,
                                         piaa_error *error);

/* Whose ratings to take of a file that holds several people's.  Both may be NULL. */
typedef struct piaa_whose {
    const char *user;        /* as the column that says who rated has it */
    const char *user_column; /* which column that is, where its name does not tell; "none": the
                                ratings are all one person's */
    bool none_yet;           /* a file without a single rating is no error */
} piaa_whose;
PIAA_API piaa_ratings *piaa_ratings_read_of(const char *path, const piaa_whose *whose,
                                            const piaa_hooks *hooks, piaa_error *error);

/* Leads names that are no photo's path to one of the photos whose absolute paths these are, where
 * exactly one fits: in another Unicode form or case, or with the same last parts below another
 * folder; each photo once.  names[i] (names may be NULL) is another name of paths[i], such as that
 * of a link to it.  One line says how many were matched. */
PIAA_API bool piaa_ratings_match(piaa_ratings *ratings, const char *const *paths,
                                 const char *const *names, size_t count, const piaa_hooks *hooks,
                                 piaa_error *error);
PIAA_API void piaa_ratings_free(piaa_ratings *ratings);

typedef struct piaa_stars_found {
    size_t rated;    /* photos, rejected ones among them */
    size_t rejected; /* by -1 */
    size_t unrated;  /* by 0, or by saying nothing */
} piaa_stars_found;

/* Reads the stars of each photo: those of the sidecar IMG.CR2.xmp, else of the sidecar IMG.xmp,
 * else of the XMP packet inside the photo, whichever says xmp:Rating first; a 0 there is a word
 * too, that the photo is unrated.  A photo is looked for by names[i] and by paths[i] (to which all
 * links lead); names may be NULL.  One line each goes to hooks->warn (may be NULL) about photos
 * whose sources differ and about packets that cannot be read.  PIAA_MISMATCH: no photo has stars.
 * `found` is filled in either case. */
PIAA_API piaa_ratings *piaa_ratings_of_photos(const char *const *paths, const char *const *names,
                                              size_t count, const piaa_hooks *hooks,
                                              piaa_stars_found *found, piaa_error *error);

PIAA_API size_t piaa_ratings_count(const piaa_ratings *ratings); /* photos, not rows; 0 for NULL */
/* In order of first appearance. */
PIAA_API const piaa_rating *piaa_ratings_at(const piaa_ratings *ratings, size_t index);
PIAA_API const char *piaa_ratings_where(const piaa_ratings *ratings); /* the file, for messages */

/* How much a person differs from themselves, by the photos that they rated more than once. */
typedef struct piaa_retest {
    size_t photos;  /* such photos; 0: the others are NaN */
    double noise;   /* standard deviation of a rating around the mean of its photo's, which no
                       prediction of a single rating can come below */
    double ceiling; /* what no prediction's correlation with single ratings can go above,
                       sqrt(1 - noise^2 / the variance of all ratings) */
} piaa_retest;
PIAA_API piaa_retest piaa_ratings_retest(const piaa_ratings *ratings);

/* What a person said of two photos. */
typedef struct piaa_choice {
    const char *one, *other; /* absolute; belong to the comparisons */
    double win;              /* 1: `one` is better, 0: `other` is, 0.5: they are equally good */
    int64_t line;            /* of the file, from 1 */
} piaa_choice;

typedef struct piaa_choices piaa_choices;

/*
 * Reads the table in `path` ("-": standard input): photos named in the columns `better` and
 * `worse`, or in `left` and `right` with an `answer` of left, right, tie or cannot say
 * (docs/ratings.md has the other names and answers, and how photos are found).  Rows without an
 * answer or with "cannot say" are left out, and so is a photo against itself; one line each goes to
 * hooks->warn.  A row that cannot be used is an error, as in ratings, and so is a table without a
 * single answer.  whose and hooks may be NULL.
 */
PIAA_API piaa_choices *piaa_choices_read(const char *path, const piaa_whose *whose,
                                         const piaa_hooks *hooks, piaa_error *error);
/* As piaa_ratings_match. */
PIAA_API bool piaa_choices_match(piaa_choices *comparisons, const char *const *paths,
                                 const char *const *names, size_t count, const piaa_hooks *hooks,
                                 piaa_error *error);
PIAA_API void piaa_choices_free(piaa_choices *comparisons);
PIAA_API size_t piaa_choices_count(const piaa_choices *comparisons); /* 0 for NULL */
PIAA_API const piaa_choice *piaa_choices_at(const piaa_choices *comparisons, size_t index);
PIAA_API const char *piaa_choices_where(const piaa_choices *comparisons); /* the file */

#define PIAA_TASTE_LEVEL 0.9

/* One person's taste: everything that is needed to score a photo from its pooled vector, and to say
 * where the score comes from.
 *     score = intercept + sum over j of weights[j] * (x[j] - mean[j]) */
typedef struct piaa_taste {
    /* What made the features; its strings belong to the taste and are never NULL. */
    piaa_identity identity;
    piaa_slot slot;         /* which of them it reads: the first, and all of them below */
    char made[32];          /* UTC, ISO 8601 */
    int64_t ratings;        /* photos learned from; copies of one, byte for byte, count once */
    int64_t pairs;          /* comparisons learned from, all answers counted */
    int64_t photos;         /* that stars or comparisons are of */
    int64_t groups;         /* the same with near copies of each other counted once */
    double lowest, highest; /* score seen */
    double loo_rmse; /* the "± x" of a prediction: root mean square error of photos left out, near
                        copies together, by a model whose alpha was chosen without them too */
    double loo_spearman; /* rank correlation of those photos' predictions and ratings; NaN where
                            undefined */
    double mean_rmse;    /* loo_rmse of always guessing the mean; NaN: not known */
    double chance;   /* share of random orders of the ratings that are predicted as well; NaN: not
                        known */
    double interval; /* a rating lies within this of its prediction with PIAA_TASTE_LEVEL
                        confidence; NaN: fewer than 9 groups */
    double alpha, intercept;
    double *mean, *scale, *weights; /* [dim] */
    double pairs_right; /* share of the pairs that the model without them tells, ties aside; NaN:
                           there are none.  Of a taste without stars `chance` is how likely a coin
                           tells as many, and the scale of its scores means nothing: over the photos
                           compared they have mean 0 and standard deviation 1 */
    double ten_more;    /* what loo_rmse may come down to with ten more ratings; NaN: not known */
    piaa_retest retest; /* of the ratings; this and ten_more are set by piaa_taste_foretell */
    double *unseen;     /* [photos] prediction of each photo by what was said of the others, in the
                           order of the fit; NULL for a loaded taste */
    double *scores;     /* [photos] what they were rated, in the same order, NaN if they were only
                           compared; NULL for a loaded taste */
    struct piaa_near *near; /* which of these photos are near copies; NULL for a loaded taste */
    piaa_slots slots;       /* what it reads, whose vectors stand side by side */
    int dim;                /* numbers of all of them; of one slot slot.dim */
    char *features;         /* the same in words: "lt.15", "lt.15+v.20"; empty for plain arrays */
    struct piaa_learned *learned; /* how; NULL for a loaded taste */
} piaa_taste;

PIAA_API void piaa_taste_free(piaa_taste *taste);

/* What the photos left out say of a taste: that something was learned; that it may be chance (more
 * than one random order of the ratings in ten is predicted as well); or that nothing was, which is
 * chance that does no better than always guessing the mean, or ranks no better than none.
 * docs/statistics.md has how often each is right. */
typedef enum piaa_verdict { PIAA_LEARNED, PIAA_MAY_BE_CHANCE, PIAA_NOT_LEARNED } piaa_verdict;
PIAA_API piaa_verdict piaa_taste_verdict(const piaa_taste *taste);

/* Learns a taste from plain arrays: photo i has the features x[i][0..dim-1] and the score y[i].
 * Such a taste does not know what made its features (its identity is empty and its slot has no more
 * than the length), so that it scores arrays, but no store: for one, use piaa_taste_learn.  Equal
 * or nearly equal rows count as copies of one photo wherever errors are measured; what is
 * doubtful is told to hooks->warn (hooks may be NULL).  Errors: fewer than 2 photos, scores that
 * are all equal (PIAA_USAGE); a number that is not finite (PIAA_FORMAT). */
PIAA_API piaa_taste *piaa_taste_fit(const float *x, const double *y, int64_t n, int dim,
                                    const piaa_hooks *hooks, piaa_error *error);

struct piaa_learning;

/* Two photos of an array, and how often each was called the better one; a tie is half a win of
   each. */
typedef struct piaa_duel {
    int64_t one, other; /* photos, from 0; different ones */
    double wins, losses;
} piaa_duel;

/* The same from comparisons too: duels [count], each pair of photos once, what was said of it added
 * up.  With some of them y may be NULL, and y[i] NaN: the photo is only compared.  `how` (may be
 * NULL) has the learner and the prior, of which only the number of features can be compared with x
 * (PIAA_MISMATCH); its `choices`, which name files, have to be NULL (PIAA_USAGE). */
PIAA_API piaa_taste *piaa_taste_fit_said(const float *x, const double *y, int64_t n, int dim,
                                         const piaa_duel *duels, int64_t count,
                                         const struct piaa_learning *how, const piaa_hooks *hooks,
                                         piaa_error *error);

/* Scores out [count] of x [count][dim]; a photo's score does not depend on the others.  NaN
   without a taste (the NULL of a call that failed). */
PIAA_API void piaa_taste_predict(const piaa_taste *taste, const float *x, int64_t count,
                                 double *out);

/* Whether features of this identity and slot may be scored (model, prompt, preprocessing and dtype
 * are what they were); PIAA_MISMATCH names the first difference and both sides of it. */
PIAA_API bool piaa_taste_fits(const piaa_taste *taste, const piaa_identity *identity,
                              const piaa_slot *slot, piaa_error *error);
/* The same of several slots, among which all have to be that the taste reads. */
PIAA_API bool piaa_taste_fits_slots(const piaa_taste *taste, const piaa_identity *identity,
                                    const piaa_slots *slots, piaa_error *error);
/* The request that the taste's features were made with (piaa_request_like); its strings are the
   taste's. */
PIAA_API void piaa_taste_request(const piaa_taste *taste, piaa_request *out);
/* Tells hooks->warn if the taste learned nothing, or maybe nothing, or from fewer than 10 ratings,
   and how many might help. */
PIAA_API void piaa_taste_doubt(const piaa_taste *taste, const piaa_hooks *hooks);

/* Written whole or not at all, and over no file but a taste.  Loading believes nothing: every key,
   type, length and number is checked. */
PIAA_API bool piaa_taste_save(const piaa_taste *taste, const char *path, piaa_error *error);
PIAA_API piaa_taste *piaa_taste_load(const char *path, piaa_error *error);

typedef struct piaa_ranked {
    const char *path; /* absolute; belongs to the ranking */
    double score;
    double rating; /* the person's own where `rated` */
    bool rated;
} piaa_ranked;

typedef struct piaa_ranking piaa_ranking;

/* Fits a taste on the store's vectors of the rated photos (slot: an index into piaa_store_slots).
 * Rated photos that the store does not have are told to hooks->warn and left out; none at all is an
 * error that shows one path of each side.  Copies of one photo, byte for byte, count once, with the
 * mean of their ratings; they are told too, and near copies, and a verdict other than
 * PIAA_LEARNED. */
PIAA_API piaa_taste *piaa_taste_learn(const piaa_store *store, int slot,
                                      const piaa_ratings *ratings, const piaa_hooks *hooks,
                                      piaa_error *error);

/* How a taste is learned.  Zeros and NULL stand for what is in brackets. */
typedef struct piaa_learning {
    const char *learner; /* "ridge": all columns alike, "banded": each layer's columns weighted, by
                            the errors of photos left out [ridge] */
    const piaa_choices *choices; /* comparisons, beside the ratings or, if these are NULL, instead:
                                    linear/pairs.c has the model, in which all columns are alike.
                                    One pair is enough */
    struct piaa_prior *prior; /* what other people's ratings say beforehand; it has to outlive the
                                 taste, and serves one at a time [none] */
    const int *layers; /* of arrays: how many columns each layer has, one after the other, dim in
                          all [one layer has all columns] */
    size_t layer_count;
} piaa_learning;

/* A prior that `piaa prior` made.  How far it is trusted is chosen by the errors of photos left
 * out, so that one that does not fit is not used.  Ratings on another scale than its own are mapped
 * by quantiles, which is told. */
typedef struct piaa_prior piaa_prior;
PIAA_API piaa_prior *piaa_prior_load(const char *path, piaa_error *error);
PIAA_API void piaa_prior_free(piaa_prior *prior);

/* The same on several of the store's slots side by side; a photo counts where it has all of
   them. */
PIAA_API piaa_taste *piaa_taste_learn_slots(const piaa_store *store, const piaa_slot *slots,
                                            size_t count, const piaa_ratings *ratings,
                                            const piaa_learning *how, const piaa_hooks *hooks,
                                            piaa_error *error);

/* What one person said of photos: stars, comparisons, or both.  Either may be NULL. */
typedef struct piaa_said {
    const piaa_ratings *ratings;
    const piaa_choices *choices;
} piaa_said;

/* Sets ten_more and retest of a taste that was learned from this.  What ten more ratings would
 * bring is told from what fewer would have brought: NaN with fewer than 8 ratings or more than 300.
 * It takes some fifty times as long as learning did. */
PIAA_API bool piaa_taste_foretell(piaa_taste *taste, const piaa_store *store, const piaa_said *said,
                                  piaa_error *error);

/* Scores `paths` (absolute; links are followed to find them in the store, and the ranking has them
 * as they were given; those without a vector are left out, the embed run has told of them), best
 * first, ties in path order.  The taste has to belong to the store's model, prompt and
 * preprocessing: PIAA_MISMATCH names the difference.  paths NULL: every photo of the store.
 * ratings (may be NULL) mark the rated photos and their copies; if the taste was learned from them
 * and not loaded, these and their near copies get the prediction of the other photos' ratings. */
PIAA_API piaa_ranking *piaa_rank(const piaa_taste *taste, const piaa_store *store,
                                 const char *const *paths, size_t path_count,
                                 const piaa_ratings *ratings, piaa_error *error);
/* The same of photos that were collected, which the ranking has by the names under which they were
   found. */
PIAA_API piaa_ranking *piaa_rank_photos(const piaa_taste *taste, const piaa_store *store,
                                        const piaa_photos *photos, const piaa_ratings *ratings,
                                        piaa_error *error);
/* The same for a taste that was learned from more than ratings. */
PIAA_API piaa_ranking *piaa_rank_said(const piaa_taste *taste, const piaa_store *store,
                                      const piaa_photos *photos, const piaa_said *said,
                                      piaa_error *error);
/* The first `top` photos of that ranking (0: all), without sorting or naming the others: of a store
 * of a million photos, in the time that it takes to read them.  It runs on all processors and needs
 * eight bytes for each of the store's rows beside what it returns. */
PIAA_API piaa_ranking *piaa_rank_best(const piaa_taste *taste, const piaa_store *store,
                                      const piaa_photos *photos, const piaa_said *said, size_t top,
                                      piaa_error *error);
PIAA_API void piaa_ranking_free(piaa_ranking *ranking);
PIAA_API size_t piaa_ranking_count(const piaa_ranking *ranking);
/* Photos that have a place, those beyond `top` too. */
PIAA_API size_t piaa_ranking_total(const piaa_ranking *ranking);
PIAA_API const piaa_ranked *piaa_ranking_at(const piaa_ranking *ranking, size_t index);

/* -------------------------------------------------------------------------------------- adapters
 */

/* How an adapter is learned.  Zeros stand for what is in brackets. */
typedef struct piaa_lora_options {
    int rank;            /* [8] */
    double alpha;        /* its strength is alpha / rank [twice the rank] */
    const char *targets; /* matrices of each block, "q,v" [all: q,k,v,o,gate,up,down] */
    double dropout;      /* share of an adapter's inputs that a step leaves out */
    double rate;         /* [chosen] */
    int epochs;          /* [chosen, at most 6] */
    int folds;           /* of that choice [3] */
    int batch;           /* photos in a step [4] */
    uint32_t seed;       /* of everything random */
} piaa_lora_options;

typedef struct piaa_lora_summary {
    int64_t photos, left_out; /* learned from; that could not be read */
    int64_t parameters;       /* numbers that were trained */
    double rate;
    int epochs;
    double loss_before, loss_after; /* of ratings left out, without an adapter and with it; NaN:
                                       both rate and epochs were given */
} piaa_lora_summary;

/* Learns a low-rank adapter with which the model, asked for a photo's score, answers as these
 * ratings do, and writes it into `folder` as PEFT does; piaa_model_open_adapted opens the model
 * with it.  request (may be NULL): the question (NULL: an expert judge's, from 1 to 5) and how
 * photos are read.  Rate and epochs are chosen by the loss of ratings left out; what that found is
 * kept in the folder after each part, and a call with the same arguments goes on from there after
 * PIAA_STOPPED. A loss that is no number any more ends training with PIAA_USAGE, names the step,
 * and what was learned until then is written.  Photos that cannot be read are told to hooks->warn.
 * options, hooks and summary may be NULL. */
PIAA_API bool piaa_lora_learn(piaa_model *model, const piaa_request *request,
                              const piaa_ratings *ratings, const piaa_lora_options *options,
                              const char *folder, const piaa_hooks *hooks,
                              piaa_lora_summary *summary, piaa_error *error);

#ifdef __cplusplus
}
#endif
#endif

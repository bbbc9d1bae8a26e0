/* A tokenizer from GGUF metadata, as the object that tokenizer.json would hold.
 *
 *     tokenizer.ggml.tokens       the token of each id
 *     tokenizer.ggml.token_type   1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte
 *     tokenizer.ggml.merges       "left right", or, for a SentencePiece model,
 *     tokenizer.ggml.scores       how early a token is made: the higher, the earlier
 *
 * Byte-level or byte fallback is told by the vocabulary: only the latter has <0x00>.  The regular
 * expression that cuts text into words is not in the file but known by name (tokenizer.ggml.pre).
 *
 * SentencePiece joins the two neighbours whose joined token has the highest score.  So every way to
 * cut a token into two tokens is a merge, and merges are ordered by their token's score (that of
 * user-defined tokens is lost in conversion: SentencePiece gives them 0, the highest there is), of
 * equals the one with the longer left, then right half: the order in which Hugging Face's converter
 * lists them. */
#include "weights/checkpoint_parts.h"

#include "base/memory.h"
#include "base/utf8.h"
#include "text/qwen_files.h"
#include "text/vocabulary.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    NORMAL = 1,
    UNKNOWN,
    CONTROL,
    USER_DEFINED,
    UNUSED,
    MAX_TOKENS = 1 << 22,
    MAX_MERGES = 1 << 23
};

static const char space_mark[] = "\xE2\x96\x81"; /* U+2581 */

typedef struct work {
    const piaa_gguf *file;
    piaa_vocabulary vocabulary; /* only for making merges */
    size_t count;
    int *kinds;
    float *scores; /* NULL: there are none */
    bool fallback, has_image;
    piaa_error *error;
} work;

typedef struct merge {
    float score;
    int32_t token;
    uint16_t left, right; /* characters */
    uint32_t bytes;       /* of the left half */
} merge;

static bool memory_gone(const work *w) {
    return piaa_error_set(w->error, PIAA_MEMORY, "out of memory for the tokenizer");
}

static bool add(const work *w, cJSON *list, cJSON *item) {
    if (item && cJSON_AddItemToArray(list, item)) return true;
    cJSON_Delete(item);
    return memory_gone(w);
}

static bool put(const work *w, cJSON *object, const char *name, cJSON *item) {
    if (item && cJSON_AddItemToObject(object, name, item)) return true;
    cJSON_Delete(item);
    return memory_gone(w);
}

/* --------------------------------------------------------------------------------------- tokens */

/* One token as tokenizer.json writes it: user-defined spaces were written out by llama.cpp's
   converter. */
static bool spell(const work *w, size_t id, const char *text, size_t size, piaa_text *out) {
    out->length = 0;
    if (memchr(text, '\0', size) || piaa_utf8_check(text, size) < size)
        return piaa_error_set(
            w->error, PIAA_FORMAT,
            "%s: token %zu of tokenizer.ggml.tokens is not UTF-8 text: fetch the file again",
            piaa_gguf_where(w->file), id);
    if (!w->fallback || w->kinds[id] != USER_DEFINED)
        return piaa_text_add(out, text, size, w->error);
    for (size_t i = 0; i < size; i++)
        if (!piaa_text_add(out, text[i] == ' ' ? space_mark : text + i,
                           text[i] == ' ' ? strlen(space_mark) : 1, w->error))
            return false;
    return true;
}

/* The chat forms' tokens, which some converters call normal or unused. */
static bool is_chat_token(const char *text, size_t size) {
    static const char *const tokens[] = {
        "<|im_start|>",   "<|im_end|>",        "<|vision_start|>", "<|vision_end|>",
        "<|image_pad|>",  "<|video_pad|>",     "<|endoftext|>",    "<bos>",
        "<eos>",          "<start_of_turn>",   "<end_of_turn>",    "<start_of_image>",
        "<end_of_image>", "<image_soft_token>"};
    for (size_t i = 0; i < PIAA_COUNT(tokens); i++)
        if (size == strlen(tokens[i]) && memcmp(text, tokens[i], size) == 0) return true;
    return false;
}

static bool is_added(int kind) {
    return kind == UNKNOWN || kind == CONTROL || kind == USER_DEFINED;
}

static bool add_special(const work *w, cJSON *added, size_t id, const char *token, bool special) {
    cJSON *item = cJSON_CreateObject();
    if (!item) return memory_gone(w);
    bool ok = put(w, item, "id", cJSON_CreateNumber((double)id)) &&
              put(w, item, "content", cJSON_CreateString(token)) &&
              put(w, item, "normalized", cJSON_CreateFalse()) &&
              put(w, item, "special", cJSON_CreateBool(special));
    if (ok) return add(w, added, item);
    cJSON_Delete(item);
    return false;
}

static bool add_token(work *w, size_t id, const piaa_text *spelling, cJSON *vocab, cJSON *added) {
    const char *token = spelling->length ? spelling->data : "";
    if (!put(w, vocab, token, cJSON_CreateNumber((double)id))) return false;
    if (w->scores) {
        const char *why = piaa_vocabulary_add(&w->vocabulary, token, spelling->length, (int32_t)id);
        if (why)
            return piaa_error_set(
                w->error, PIAA_FORMAT,
                "%s: token %zu of tokenizer.ggml.tokens: %s: fetch the file again",
                piaa_gguf_where(w->file), id, why);
    }
    return !is_added(w->kinds[id]) || add_special(w, added, id, token, w->kinds[id] == CONTROL);
}

static bool add_tokens(work *w, piaa_gguf_array tokens, cJSON *vocab, cJSON *added) {
    piaa_text spelling = {0};
    bool ok = true;
    for (size_t id = 0; ok && id < w->count; id++) {
        size_t size;
        const char *text = piaa_gguf_next_text(&tokens, &size);
        if (is_chat_token(text, size) && !is_added(w->kinds[id])) w->kinds[id] = CONTROL;
        if (w->kinds[id] == UNUSED) continue; /* "[PAD151670]": rows that no text reaches */
        ok = spell(w, id, text, size, &spelling) && add_token(w, id, &spelling, vocab, added);
    }
    free(spelling.data);
    return ok;
}

/* --------------------------------------------------------------------------------------- merges */

static bool copy_merges(const work *w, piaa_gguf_array merges, cJSON *list) {
    piaa_text one = {0};
    bool ok = true;
    for (uint64_t i = 0; ok && i < merges.count; i++) {
        size_t size;
        const char *text = piaa_gguf_next_text(&merges, &size);
        one.length = 0;
        if (memchr(text, '\0', size) || piaa_utf8_check(text, size) < size)
            ok = piaa_error_set(
                w->error, PIAA_FORMAT,
                "%s: merge %llu of tokenizer.ggml.merges is not UTF-8 text: fetch the file again",
                piaa_gguf_where(w->file), (unsigned long long)i);
        ok = ok && piaa_text_add(&one, text, size, w->error) &&
             add(w, list, cJSON_CreateString(size ? one.data : ""));
    }
    free(one.data);
    return ok;
}

static int compare_merges(const void *a, const void *b) {
    const merge *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    if (x->left != y->left) return x->left > y->left ? -1 : 1;
    if (x->right != y->right) return x->right > y->right ? -1 : 1;
    return x->token < y->token ? -1 : x->token > y->token;
}

/* All ways to cut token `id` into two tokens. */
static bool cut_token(const work *w, int32_t id, merge **merges, size_t *count, size_t *capacity) {
    enum { LONGEST = 512 }; /* bytes; the longest token in use has 93 */
    size_t length, characters = 0, left = 0;
    const char *token = piaa_vocabulary_token(&w->vocabulary, id, &length);
    if (!token || length > LONGEST) return true;
    for (size_t i = 0; i < length; i += piaa_utf8_length(token[i])) characters++;
    for (size_t i = 0; i < length;) {
        i += piaa_utf8_length(token[i]);
        left++;
        if (i >= length || piaa_vocabulary_find(&w->vocabulary, token, i) < 0 ||
            piaa_vocabulary_find(&w->vocabulary, token + i, length - i) < 0)
            continue;
        if (*count == MAX_MERGES)
            return piaa_error_set(w->error, PIAA_UNSUPPORTED,
                                  "%s: its tokens ask for more than %d merges",
                                  piaa_gguf_where(w->file), MAX_MERGES);
        if (!piaa_grow(merges, capacity, *count + 1, sizeof **merges, w->error)) return false;
        (*merges)[(*count)++] =
            (merge){.score = w->kinds[id] == USER_DEFINED ? 0.0f : w->scores[id],
                    .token = id,
                    .left = (uint16_t)left,
                    .right = (uint16_t)(characters - left),
                    .bytes = (uint32_t)i};
    }
    return true;
}

static bool make_merges(const work *w, cJSON *list) {
    merge *merges = NULL;
    size_t count = 0, capacity = 0;
    bool ok = true;
    for (size_t id = 0; ok && id < w->count; id++)
        ok = cut_token(w, (int32_t)id, &merges, &count, &capacity);
    if (ok && count) qsort(merges, count, sizeof *merges, compare_merges);
    piaa_text one = {0};
    for (size_t i = 0; ok && i < count; i++) {
        size_t length;
        const char *token = piaa_vocabulary_token(&w->vocabulary, merges[i].token, &length);
        one.length = 0;
        ok = piaa_text_add(&one, token, merges[i].bytes, w->error) &&
             piaa_text_add(&one, " ", 1, w->error) &&
             piaa_text_add(&one, token + merges[i].bytes, length - merges[i].bytes, w->error) &&
             add(w, list, cJSON_CreateString(one.data));
    }
    free(one.data);
    free(merges);
    return ok;
}

/* ---------------------------------------------------------------------------------------- parts */

/* Fixed parts of the object, by kind. */
static cJSON *frame(const work *w) {
    static const char fallback[] =
        "{\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":\" "
        "\"},\"content\":\"\xE2\x96\x81\"},\"pre_tokenizer\":{\"type\":"
        "\"Split\",\"pattern\":{\"String\":\" "
        "\"},\"behavior\":\"MergedWithPrevious\",\"invert\":false},\"decoder\":{\"type\":"
        "\"Sequence\","
        "\"decoders\":[{\"type\":\"Replace\",\"pattern\":{\"String\":\"\xE2\x96\x81\"},\"content\":"
        "\" \"},{\"type\":\"ByteFallback\"},"
        "{\"type\":\"Fuse\"}]},\"model\":{\"type\":\"BPE\",\"byte_fallback\":true}}";
    if (!w->fallback) return piaa_qwen_tokenizer_frame(w->error);
    cJSON *root = cJSON_Parse(fallback);
    if (!root) memory_gone(w);
    return root;
}

static bool read_kinds(work *w) {
    piaa_gguf_array kinds, scores;
    w->kinds = piaa_alloc(w->count, sizeof *w->kinds, w->error);
    if (!w->kinds) return false;
    for (size_t i = 0; i < w->count; i++) w->kinds[i] = NORMAL;
    if (piaa_gguf_get_array(w->file, "tokenizer.ggml.token_type", &kinds) &&
        !piaa_gguf_array_is_text(&kinds)) {
        if (kinds.count != w->count)
            return piaa_error_set(w->error, PIAA_FORMAT,
                                  "%s: tokenizer.ggml.token_type has %llu values for %zu tokens: "
                                  "fetch the file again",
                                  piaa_gguf_where(w->file), (unsigned long long)kinds.count,
                                  w->count);
        for (size_t i = 0; i < w->count; i++) {
            double kind = piaa_gguf_next_number(&kinds);
            if (kind >= NORMAL && kind <= 16) w->kinds[i] = (int)kind;
        }
    }
    piaa_gguf_array merges;
    if (piaa_gguf_get_array(w->file, "tokenizer.ggml.merges", &merges)) return true;
    if (!piaa_gguf_get_array(w->file, "tokenizer.ggml.scores", &scores) ||
        piaa_gguf_array_is_text(&scores) || scores.count != w->count)
        return piaa_error_set(w->error, PIAA_FORMAT,
                              "%s has neither tokenizer.ggml.merges nor a score for each token: "
                              "convert the model anew",
                              piaa_gguf_where(w->file));
    w->scores = piaa_alloc(w->count, sizeof *w->scores, w->error);
    for (size_t i = 0; w->scores && i < w->count; i++) {
        double score = piaa_gguf_next_number(&scores);
        w->scores[i] = isfinite(score) ? (float)score : -HUGE_VALF;
    }
    return w->scores != NULL;
}

/* What stands for an image's rows in Gemma's text. */
static const char gemma_image[] = "<image_soft_token>";

/* Whether the vocabulary has <0x00> and Gemma's image token, and how many bytes its tokens take
   together. */
static size_t look_through(work *w, piaa_gguf_array tokens) {
    size_t bytes = 0, size;
    for (size_t i = 0; i < w->count; i++) {
        const char *text = piaa_gguf_next_text(&tokens, &size);
        if (size == 6 && memcmp(text, "<0x00>", 6) == 0) w->fallback = true;
        if (size == strlen(gemma_image) && memcmp(text, gemma_image, size) == 0)
            w->has_image = true;
        bytes += 3 * size + 1; /* a space may become a mark of three */
    }
    return bytes;
}

/* The token is behind SentencePiece's own, and some converters leave it out: it never reaches the
   model, only its place does. */
static bool add_image_token(work *w, cJSON *added) {
    const char *architecture = piaa_gguf_string(w->file, "general.architecture");
    if (w->has_image || !architecture || strcmp(architecture, "gemma3") != 0) return true;
    return add_special(w, added, w->count, gemma_image, true);
}

static bool fill(work *w, piaa_gguf_array tokens, cJSON *root) {
    cJSON *model = cJSON_GetObjectItem(root, "model"), *vocab = cJSON_CreateObject(),
          *merges = cJSON_CreateArray(), *added = cJSON_CreateArray();
    piaa_gguf_array stored;
    bool placed = put(w, model, "vocab", vocab);
    placed = put(w, model, "merges", merges) && placed;
    placed = put(w, root, "added_tokens", added) && placed;
    if (!placed || !add_tokens(w, tokens, vocab, added) || !add_image_token(w, added)) return false;
    if (w->scores) return make_merges(w, merges);
    if (piaa_gguf_get_array(w->file, "tokenizer.ggml.merges", &stored) &&
        piaa_gguf_array_is_text(&stored) && stored.count <= MAX_MERGES)
        return copy_merges(w, stored, merges);
    return piaa_error_set(
        w->error, PIAA_FORMAT,
        "%s: tokenizer.ggml.merges is not a list of at most %d texts: convert the model anew",
        piaa_gguf_where(w->file), MAX_MERGES);
}

cJSON *piaa_gguf_tokenizer(const piaa_gguf *text, piaa_error *error) {
    work w = {.file = text, .error = error};
    piaa_gguf_array tokens;
    if (!piaa_gguf_get_array(text, "tokenizer.ggml.tokens", &tokens) ||
        !piaa_gguf_array_is_text(&tokens) || tokens.count > MAX_TOKENS) {
        piaa_error_set(
            error, PIAA_FORMAT,
            "%s has no tokenizer.ggml.tokens with at most %d texts: convert the model anew",
            piaa_gguf_where(text), MAX_TOKENS);
        return NULL;
    }
    w.count = (size_t)tokens.count;
    size_t bytes = look_through(&w, tokens);
    const char *words = piaa_gguf_string(text, "tokenizer.ggml.pre");
    if (!w.fallback && (!words || strcmp(words, "qwen2") != 0)) {
        piaa_error_set(error, PIAA_UNSUPPORTED,
                       "%s: its tokenizer cuts text into words in the way called %.60s "
                       "(tokenizer.ggml.pre), and only qwen2 is supported",
                       piaa_gguf_where(text), words ? words : "nothing");
        return NULL;
    }
    cJSON *root = NULL;
    bool ok = read_kinds(&w) &&
              (!w.scores ||
               piaa_vocabulary_init(&w.vocabulary, w.count, (int32_t)w.count, bytes, error)) &&
              (root = frame(&w)) != NULL && fill(&w, tokens, root);
    piaa_vocabulary_free(&w.vocabulary);
    free(w.kinds);
    free(w.scores);
    if (ok) return root;
    cJSON_Delete(root);
    return NULL;
}

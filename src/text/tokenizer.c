/* Byte-pair tokenizers as the Hugging Face tokenizers library runs them.
 *
 * Text goes through five steps: added tokens are cut out (those marked "normalized" after the
 * second step, the others before it); what is between them is normalised; cut into words; each word
 * is written as symbols of the vocabulary; the symbols are merged. A word's first symbols are its
 * bytes, each as one character of GPT-2's byte alphabet (a "byte-level" tokenizer), or its
 * characters, with the bytes of an unknown character as <0x00> to <0xFF> ("byte fallback").  Either
 * way any text has ids, so nothing is lost. */
#include "text/tokenizer.h"

#include "base/file.h"
#include "base/json.h"
#include "base/utf8.h"
#include "text/added.h"
#include "text/merge.h"
#include "text/normalise.h"
#include "text/qwen_files.h"
#include "text/split.h"
#include "text/vocabulary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_ID = 1 << 22, /* the largest vocabularies in use have 2^18 ids */
    MAX_MERGES = 1 << 24,
    MAX_FILE = 256 << 20, /* the largest files in use have 35 MB */
    MAX_TEXT = 1 << 30,
    SHOWN = 100,            /* bytes of a token in a message */
    ALPHABET_END = 256 + 68 /* characters of the byte alphabet are below this code */
};

struct piaa_tokenizer {
    piaa_vocabulary vocabulary;
    piaa_pairs merges; /* ids of two symbols -> their rank and the id of both joined */
    piaa_added raw, normalised;
    bool *special; /* by id */
    piaa_normaliser *normaliser;
    piaa_splitter *splitter;
    bool byte_level, ignore_merges;
    int32_t byte_ids[256];             /* the token of each byte */
    char letters[256][2];              /* byte alphabet in UTF-8: one byte, or two */
    int16_t letter_byte[ALPHABET_END]; /* back from a character's code; -1 if it is not in the
                                          alphabet */
    piaa_text mark;                    /* decoding: this string of a token stands for … */
    char *mark_meaning;                /* … this one; NULL if there is none */
};

/* -------------------------------------------------------------------------------------- reading */

/* GPT-2's byte alphabet: printable bytes stand for themselves in Latin-1, the 68 others for U+0100
   and up, in order. */
static void make_alphabet(piaa_tokenizer *t) {
    memset(t->letter_byte, 0xFF, sizeof t->letter_byte);
    int other = 256;
    for (int byte = 0; byte < 256; byte++) {
        bool printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
        int code = printable ? byte : other++;
        t->letter_byte[code] = (int16_t)byte;
        if (code < 0x80) {
            t->letters[byte][0] = (char)code;
        } else {
            t->letters[byte][0] = (char)(0xC0 | code >> 6);
            t->letters[byte][1] = (char)(0x80 | (code & 0x3F));
        }
    }
}

static size_t letter_length(const piaa_tokenizer *t, unsigned char byte) {
    return t->letters[byte][1] ? 2 : 1;
}

static bool read_id(const cJSON *json, int32_t *id) {
    double value = cJSON_IsNumber(json) ? json->valuedouble : -1;
    if (!(value >= 0 && value < MAX_ID) || value != (double)(int32_t)value) return false;
    *id = (int32_t)value;
    return true;
}

static bool bad_token(piaa_error *error, const char *token, const char *why) {
    return piaa_error_set(error, PIAA_FORMAT, "token \"%.*s\": %s: fetch the file again",
                          piaa_utf8_shown(token, SHOWN), token, why);
}

/* The vocabulary's tokens and the added ones into one table. */
static bool read_vocabulary(piaa_tokenizer *t, const cJSON *vocab, const cJSON *added,
                            piaa_error *error) {
    size_t tokens = 0, bytes = 0;
    int32_t size = 0, id = 0;
    const cJSON *const lists[] = {vocab, added};
    for (int k = 0; k < (added ? 2 : 1); k++)
        for (const cJSON *item = lists[k]->child; item; item = item->next, tokens++) {
            const char *token = k == 0 ? item->string : piaa_json_string(item, "content");
            if (!token || !*token)
                return piaa_error_set(error, PIAA_FORMAT,
                                      "a token has no content: fetch the file again");
            if (!read_id(k == 0 ? item : piaa_json_find(item, "id"), &id))
                return piaa_error_set(error, PIAA_FORMAT,
                                      "token \"%.*s\": the id is not a whole number from 0 to %d",
                                      piaa_utf8_shown(token, SHOWN), token, MAX_ID - 1);
            if (id >= size) size = id + 1;
            bytes += strlen(token) + 1;
        }
    if (!piaa_vocabulary_init(&t->vocabulary, tokens, size, bytes, error)) return false;
    for (const cJSON *item = vocab->child; item; item = item->next) {
        const char *why = piaa_vocabulary_add(&t->vocabulary, item->string, strlen(item->string),
                                              (int32_t)item->valuedouble);
        if (why) return bad_token(error, item->string, why);
    }
    for (const cJSON *item = added ? added->child : NULL; item; item = item->next) {
        const char *token = piaa_json_string(item, "content");
        bool ok = read_id(piaa_json_find(item, "id"), &id);
        if (!ok || piaa_vocabulary_find(&t->vocabulary, token, strlen(token)) == id) continue;
        const char *why = piaa_vocabulary_add(&t->vocabulary, token, strlen(token), id);
        if (why) return bad_token(error, token, why);
    }
    return true;
}

static bool read_added(piaa_tokenizer *t, const cJSON *list, piaa_error *error) {
    static const char *const unsupported[] = {"lstrip", "rstrip", "single_word"};
    size_t bytes = 0;
    bool ok = true;
    piaa_normalised memory = {0};
    for (const cJSON *item = list ? list->child : NULL; item; item = item->next) {
        const char *token = piaa_json_string(item, "content");
        bool on = false;
        for (size_t i = 0; i < PIAA_COUNT(unsupported); i++)
            if (piaa_json_bool(item, unsupported[i], &on) && on)
                return piaa_error_set(
                    error, PIAA_UNSUPPORTED,
                    "the added token \"%.*s\" sets \"%s\", which is not supported",
                    piaa_utf8_shown(token, SHOWN), token, unsupported[i]);
        if (strlen(token) > PIAA_ADDED_MAX)
            return bad_token(error, token, "too long for an added token");
        bytes += strlen(token);
    }
    /* A token's normalised form can be longer: four times is NFC's limit, and a replacement has to
       be within it. */
    if (!piaa_added_init(&t->raw, bytes, error) ||
        !piaa_added_init(&t->normalised, 4 * bytes, error))
        return false;
    t->special = piaa_alloc((size_t)t->vocabulary.size, sizeof *t->special, error);
    if (!t->special) return false;
    for (const cJSON *item = list ? list->child : NULL; ok && item; item = item->next) {
        const char *token = piaa_json_string(item, "content"), *form = token;
        size_t length = strlen(token), size = length;
        bool normalised = true;
        int32_t id = piaa_vocabulary_find(&t->vocabulary, token, length);
        piaa_json_bool(item, "special", &t->special[id]);
        if (piaa_json_bool(item, "normalized", &normalised) && !normalised) {
            piaa_added_put(&t->raw, token, length, id);
            continue;
        }
        ok = piaa_normalise(t->normaliser, &form, &size, &memory, error);
        if (ok && size > 4 * length)
            ok = bad_token(error, token, "its normalised form is too long");
        if (ok) piaa_added_put(&t->normalised, form, size, id);
    }
    free(memory.buffers[0].data);
    free(memory.buffers[1].data);
    return ok;
}

/* The two halves of a merge, "a b" or ["a", "b"]; false if it is neither. */
static bool merge_halves(const cJSON *item, const char **a, size_t *a_size, const char **b) {
    if (cJSON_IsString(item)) {
        const char *space = strchr(item->valuestring, ' ');
        if (!space || strchr(space + 1, ' ')) return false;
        *a = item->valuestring, *a_size = (size_t)(space - item->valuestring), *b = space + 1;
        return true;
    }
    const cJSON *first = cJSON_IsArray(item) ? item->child : NULL,
                *second = first ? first->next : NULL;
    if (!second || second->next || !cJSON_IsString(first) || !cJSON_IsString(second)) return false;
    *a = first->valuestring, *a_size = strlen(*a), *b = second->valuestring;
    return true;
}

static bool read_merges(piaa_tokenizer *t, const cJSON *list, piaa_error *error) {
    piaa_text both = {0};
    int32_t rank = 0;
    int count = cJSON_GetArraySize(list);
    if (count > MAX_MERGES)
        return piaa_error_set(error, PIAA_UNSUPPORTED, "%d merges are more than the %d supported",
                              count, MAX_MERGES);
    bool ok = piaa_pairs_init(&t->merges, (size_t)count, error);
    for (const cJSON *item = list->child; ok && item; item = item->next, rank++) {
        const char *a, *b;
        size_t a_size;
        if (!merge_halves(item, &a, &a_size, &b)) {
            ok = piaa_error_set(error, PIAA_FORMAT,
                                "merge number %d is not a pair of tokens: fetch the file again",
                                rank);
            break;
        }
        both.length = 0;
        ok = piaa_text_add(&both, a, a_size, error) && piaa_text_add(&both, b, strlen(b), error);
        if (!ok) break;
        int32_t left = piaa_vocabulary_find(&t->vocabulary, a, a_size),
                right = piaa_vocabulary_find(&t->vocabulary, b, strlen(b));
        int32_t result = piaa_vocabulary_find(&t->vocabulary, both.data, both.length);
        if (left < 0) both.data[a_size] = '\0';
        const char *missing = left < 0 || (right >= 0 && result < 0) ? both.data : b;
        if (left < 0 || right < 0 || result < 0)
            ok = piaa_error_set(error, PIAA_FORMAT,
                                "merge number %d names \"%.*s\", which is not in the vocabulary: "
                                "fetch the file again",
                                rank, piaa_utf8_shown(missing, SHOWN), missing);
        else
            piaa_pairs_put(&t->merges, left, right, rank, result);
    }
    free(both.data);
    return ok;
}

/* The token of each byte.  All have to be there: then every text has ids. */
static bool find_bytes(piaa_tokenizer *t, piaa_error *error) {
    for (int byte = 0; byte < 256; byte++) {
        char name[8];
        if (t->byte_level)
            snprintf(name, sizeof name, "%.*s", (int)letter_length(t, (unsigned char)byte),
                     t->letters[byte]);
        else
            snprintf(name, sizeof name, "<0x%02X>", (unsigned)byte);
        t->byte_ids[byte] = piaa_vocabulary_find(&t->vocabulary, name, strlen(name));
        if (t->byte_ids[byte] < 0)
            return piaa_error_set(error, PIAA_UNSUPPORTED,
                                  "the vocabulary has no token for the byte 0x%02X (\"%s\"), so "
                                  "not every text has ids",
                                  (unsigned)byte, name);
    }
    return true;
}

static bool read_model(piaa_tokenizer *t, const cJSON *model, const cJSON *added,
                       piaa_error *error) {
    const cJSON *vocab = piaa_json_find(model, "vocab"), *merges = piaa_json_find(model, "merges");
    const char *type = piaa_json_string(model, "type");
    bool fallback = false;
    double dropout = 0;
    if (type && strcmp(type, "BPE"))
        return piaa_error_set(error, PIAA_UNSUPPORTED, "the model \"%s\" is not supported; BPE is",
                              type);
    if (!cJSON_IsObject(vocab) || !cJSON_IsArray(merges) || (added && !cJSON_IsArray(added)))
        return piaa_error_set(error, PIAA_FORMAT,
                              "\"model\" has no \"vocab\" and \"merges\", or \"added_tokens\" is "
                              "no list: not a tokenizer.json?");
    for (size_t i = 0; i < 2; i++) {
        const char *key = i ? "end_of_word_suffix" : "continuing_subword_prefix",
                   *value = piaa_json_string(model, key);
        if (value && *value)
            return piaa_error_set(error, PIAA_UNSUPPORTED, "the model's \"%s\" is not supported",
                                  key);
    }
    if (piaa_json_number(model, "dropout", &dropout) && dropout != 0)
        return piaa_error_set(error, PIAA_UNSUPPORTED, "the model's \"dropout\" is not supported");
    piaa_json_bool(model, "byte_fallback", &fallback);
    piaa_json_bool(model, "ignore_merges", &t->ignore_merges);
    if (!t->byte_level && !fallback)
        return piaa_error_set(
            error, PIAA_UNSUPPORTED,
            "only byte-level tokenizers and those with \"byte_fallback\" are supported");
    return read_vocabulary(t, vocab, added, error) && read_merges(t, merges, error) &&
           find_bytes(t, error);
}

/* ByteLevel; or, with byte fallback, a Sequence of at most one Replace, ByteFallback and Fuse. */
static bool read_decoder(piaa_tokenizer *t, const cJSON *json, piaa_error *error) {
    const char *type = json ? piaa_json_string(json, "type") : NULL;
    if (t->byte_level && type && !strcmp(type, "ByteLevel")) return true;
    const cJSON *step = type && !t->byte_level && !strcmp(type, "Sequence")
                            ? piaa_json_find(json, "decoders")
                            : NULL;
    step = step ? step->child : NULL;
    type = step ? piaa_json_string(step, "type") : NULL;
    if (type && !strcmp(type, "Replace")) {
        const char *pattern = piaa_json_string(step, "pattern.String"),
                   *content = piaa_json_string(step, "content");
        if (!pattern || !*pattern || !content)
            return piaa_error_set(error, PIAA_UNSUPPORTED,
                                  "the decoder's Replace is not supported");
        t->mark_meaning = piaa_strdup(content, error);
        if (!t->mark_meaning || !piaa_text_add(&t->mark, pattern, strlen(pattern), error))
            return false;
        step = step->next;
        type = step ? piaa_json_string(step, "type") : NULL;
    }
    bool ok = type && !strcmp(type, "ByteFallback") && step->next && !step->next->next;
    type = ok ? piaa_json_string(step->next, "type") : NULL;
    if (type && !strcmp(type, "Fuse")) return true;
    return piaa_error_set(
        error, PIAA_UNSUPPORTED,
        "the decoder is not supported; ByteLevel is, and Replace, ByteFallback, Fuse");
}

static bool read_all(piaa_tokenizer *t, const cJSON *root, piaa_error *error) {
    const cJSON *added = piaa_json_find(root, "added_tokens");
    if (!cJSON_IsObject(root))
        return piaa_error_set(error, PIAA_FORMAT, "not a JSON object: not a tokenizer.json?");
    make_alphabet(t);
    t->normaliser = piaa_normaliser_new(piaa_json_find(root, "normalizer"), error);
    t->splitter = t->normaliser ? piaa_splitter_new(piaa_json_find(root, "pre_tokenizer"),
                                                    &t->byte_level, error)
                                : NULL;
    return t->splitter && read_model(t, piaa_json_find(root, "model"), added, error) &&
           read_added(t, added, error) && read_decoder(t, piaa_json_find(root, "decoder"), error);
}

piaa_tokenizer *piaa_tokenizer_from_json(const cJSON *root, const char *where, piaa_error *error) {
    piaa_tokenizer *t = piaa_alloc(1, sizeof *t, error);
    if (t && !read_all(t, root, error)) {
        piaa_error_prefix(error, "%s", where);
        piaa_tokenizer_close(t);
        t = NULL;
    }
    return t;
}

piaa_tokenizer *piaa_tokenizer_parse(const char *json, size_t size, const char *where,
                                     piaa_error *error) {
    if (size > MAX_FILE) {
        piaa_error_set(error, PIAA_UNSUPPORTED, "%s: %zu MB is too large for a tokenizer.json",
                       where, size >> 20);
        return NULL;
    }
    size_t good = piaa_utf8_check(json, size);
    if (good < size) {
        piaa_error_set(error, PIAA_FORMAT, "%s: byte %zu is not UTF-8 text: fetch the file again",
                       where, good);
        return NULL;
    }
    cJSON *root = piaa_json_parse(json, size, where, error);
    if (!root) return NULL;
    piaa_tokenizer *t = piaa_tokenizer_from_json(root, where, error);
    cJSON_Delete(root);
    piaa_memory_release();
    return t;
}

piaa_tokenizer *piaa_tokenizer_open(const char *path, piaa_error *error) {
    piaa_map map = {0};
    if (piaa_file_is_folder(path) && !piaa_file_exists_in(path, "tokenizer.json") &&
        piaa_qwen_files_are_in(path)) {
        cJSON *root = piaa_qwen_files_read(path, error);
        piaa_tokenizer *older = root ? piaa_tokenizer_from_json(root, path, error) : NULL;
        cJSON_Delete(root);
        return older;
    }
    char *file = piaa_file_is_folder(path) ? piaa_path_join(path, "tokenizer.json", error)
                                           : piaa_strdup(path, error);
    if (!file || !piaa_map_open(&map, file, error)) {
        free(file);
        return NULL;
    }
    piaa_tokenizer *t =
        piaa_tokenizer_parse(map.data ? (const char *)map.data : "", map.size, file, error);
    piaa_map_close(&map);
    free(file);
    return t;
}

void piaa_tokenizer_close(piaa_tokenizer *tokenizer) {
    if (!tokenizer) return;
    piaa_vocabulary_free(&tokenizer->vocabulary);
    piaa_pairs_free(&tokenizer->merges);
    piaa_added_free(&tokenizer->raw);
    piaa_added_free(&tokenizer->normalised);
    piaa_normaliser_free(tokenizer->normaliser);
    piaa_splitter_free(tokenizer->splitter);
    free(tokenizer->special);
    free(tokenizer->mark.data);
    free(tokenizer->mark_meaning);
    free(tokenizer);
}

/* ------------------------------------------------------------------------------------- encoding */

bool piaa_ids_add(piaa_ids *ids, int32_t id, piaa_error *error) {
    if (!piaa_grow(&ids->items, &ids->capacity, ids->count + 1, sizeof *ids->items, error))
        return false;
    ids->items[ids->count++] = id;
    return true;
}

void piaa_ids_free(piaa_ids *ids) {
    free(ids->items);
    *ids = (piaa_ids){0};
}

/* One text at work. */
typedef struct encoding {
    const piaa_tokenizer *tokenizer;
    piaa_ids *out;
    piaa_split_memory *split;
    piaa_normalised normalised;
    piaa_merger merger;
    piaa_text spelling; /* of a word in the byte alphabet */
} encoding;

/* Writes the word's first symbols at the end of the ids, where there is room. */
static size_t add_symbols(const piaa_tokenizer *t, const char *word, size_t size, int32_t *ids) {
    size_t count = 0;
    if (t->byte_level) {
        for (; count < size; count++) ids[count] = t->byte_ids[(unsigned char)word[count]];
        return count;
    }
    for (size_t at = 0, length; at < size; at += length) {
        length = piaa_utf8_length(word[at]);
        int32_t id = piaa_vocabulary_find(&t->vocabulary, word + at, length);
        if (id >= 0) ids[count++] = id;
        for (size_t i = 0; id < 0 && i < length; i++)
            ids[count++] = t->byte_ids[(unsigned char)word[at + i]];
    }
    return count;
}

/* The id of a word that is a token as a whole: -1 if it is none. */
static bool whole_word(encoding *e, const char *word, size_t size, int32_t *id, piaa_error *error) {
    const piaa_tokenizer *t = e->tokenizer;
    e->spelling.length = 0;
    for (size_t i = 0; t->byte_level && i < size; i++) {
        unsigned char byte = (unsigned char)word[i];
        if (!piaa_text_add(&e->spelling, t->letters[byte], letter_length(t, byte), error))
            return false;
    }
    *id = t->byte_level ? piaa_vocabulary_find(&t->vocabulary, e->spelling.data, e->spelling.length)
                        : piaa_vocabulary_find(&t->vocabulary, word, size);
    return true;
}

static bool add_word(void *user, const char *word, size_t size, piaa_error *error) {
    encoding *e = user;
    piaa_ids *out = e->out;
    if (!piaa_grow(&out->items, &out->capacity, out->count + size, sizeof *out->items, error))
        return false;
    if (e->tokenizer->ignore_merges) {
        int32_t id;
        if (!whole_word(e, word, size, &id, error)) return false;
        if (id >= 0) return piaa_ids_add(out, id, error);
    }
    int32_t *ids = out->items + out->count;
    size_t merged = piaa_merge(&e->tokenizer->merges, ids,
                               add_symbols(e->tokenizer, word, size, ids), &e->merger, error);
    out->count += merged;
    return merged > 0;
}

static bool add_normalised(encoding *e, const char *text, size_t size, piaa_error *error) {
    size_t start, length;
    int32_t id;
    do {
        id = piaa_added_find(&e->tokenizer->normalised, text, size, &start, &length);
        if (!piaa_split(e->tokenizer->splitter, e->split, text, start, add_word, e, error))
            return false;
        if (id >= 0 && !piaa_ids_add(e->out, id, error)) return false;
        text += start + length, size -= start + length;
    } while (id >= 0);
    return true;
}

static bool add_raw(encoding *e, const char *text, size_t size, piaa_error *error) {
    size_t start, length;
    int32_t id;
    do {
        id = piaa_added_find(&e->tokenizer->raw, text, size, &start, &length);
        const char *between = text;
        size_t between_size = start;
        if (!piaa_normalise(e->tokenizer->normaliser, &between, &between_size, &e->normalised,
                            error) ||
            !add_normalised(e, between, between_size, error) ||
            (id >= 0 && !piaa_ids_add(e->out, id, error)))
            return false;
        text += start + length, size -= start + length;
    } while (id >= 0);
    return true;
}

bool piaa_tokenizer_encode(const piaa_tokenizer *tokenizer, const char *text, size_t size,
                           piaa_ids *out, piaa_error *error) {
    if (!tokenizer) return piaa_error_missing(error, "tokenizer");
    if (!size) return true;
    if (size > MAX_TEXT)
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "a text of %zu MB is too long for the tokenizer: split it",
                              size >> 20);
    encoding e = {.tokenizer = tokenizer, .out = out};
    piaa_text repaired = {0};
    size_t before = out->count;
    bool ok = true;
    if (piaa_utf8_check(text, size) < size) {
        ok = piaa_utf8_repair(text, size, &repaired, error);
        text = repaired.data, size = repaired.length;
    }
    ok = ok && (e.split = piaa_split_memory_new(error)) && add_raw(&e, text, size, error);
    if (!ok) out->count = before;
    piaa_split_memory_free(e.split);
    piaa_merger_free(&e.merger);
    free(e.normalised.buffers[0].data);
    free(e.normalised.buffers[1].data);
    free(e.spelling.data);
    free(repaired.data);
    return ok;
}

/* ------------------------------------------------------------------------------------- decoding */

/* A token written in the byte alphabet gives its bytes; one with any other character gives its text
   as it is. */
static bool add_spelt(const piaa_tokenizer *t, const char *token, size_t length, piaa_text *out,
                      piaa_error *error) {
    if (!piaa_grow(&out->data, &out->capacity, out->length + length + 1, 1, error)) return false;
    size_t end = out->length;
    for (size_t i = 0; i < length;) {
        unsigned char c = (unsigned char)token[i];
        int code = c < 0x80 ? c : c < 0xE0 ? (c & 0x1F) << 6 | (token[i + 1] & 0x3F) : ALPHABET_END;
        if (code >= ALPHABET_END || t->letter_byte[code] < 0)
            return piaa_text_add(out, token, length, error);
        out->data[end++] = (char)t->letter_byte[code];
        i += c < 0x80 ? 1 : 2;
    }
    out->length = end;
    out->data[end] = '\0';
    return true;
}

/* The byte of a token <0x00> to <0xFF>; -1 if it is another token. */
static int fallback_byte(const char *token, size_t length) {
    static const char digits[] = "0123456789ABCDEF0123456789abcdef";
    if (length != 6 || memcmp(token, "<0x", 3) || token[5] != '>') return -1;
    const char *high = strchr(digits, token[3]), *low = strchr(digits, token[4]);
    return high && low ? (int)((high - digits) % 16 * 16 + (low - digits) % 16) : -1;
}

/* A run of byte tokens is text if it is well-formed as a whole, else one U+FFFD for each byte. */
static bool add_bytes(const piaa_text *bytes, piaa_text *out, piaa_error *error) {
    if (piaa_utf8_check(bytes->data, bytes->length) == bytes->length)
        return piaa_text_add(out, bytes->data, bytes->length, error);
    for (size_t i = 0; i < bytes->length; i++)
        if (!piaa_text_add(out, "\xEF\xBF\xBD", 3, error)) return false;
    return true;
}

/* The token with every mark turned into what it means. */
static bool add_plain(const piaa_tokenizer *t, const char *token, size_t length, piaa_text *out,
                      piaa_error *error) {
    const char *hit;
    for (; t->mark_meaning && (hit = strstr(token, t->mark.data)); token = hit + t->mark.length) {
        length -= (size_t)(hit - token) + t->mark.length;
        if (!piaa_text_add(out, token, (size_t)(hit - token), error) ||
            !piaa_text_add(out, t->mark_meaning, strlen(t->mark_meaning), error))
            return false;
    }
    return piaa_text_add(out, token, length, error);
}

/* Bytes at the end of `text` that may be the beginning of a character. */
static size_t unfinished(const piaa_text *text) {
    for (size_t back = 1; back < 4 && back <= text->length; back++) {
        const unsigned char c = (unsigned char)text->data[text->length - back];
        if (c >= 0xC0) return back < piaa_utf8_length((char)c) ? back : 0;
        if (c < 0x80) return 0;
    }
    return 0;
}

/* The ids' bytes.  The result is how many of them are settled. */
static bool add_ids(const piaa_tokenizer *t, const int32_t *ids, size_t count, bool special,
                    piaa_text *text, size_t *settled, piaa_error *error) {
    piaa_text bytes = {0};
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        size_t length = 0;
        const char *token = piaa_vocabulary_token(&t->vocabulary, ids[i], &length);
        if (!token || (!special && t->special[ids[i]])) continue;
        if (t->byte_level) {
            ok = add_spelt(t, token, length, text, error);
            continue;
        }
        const int byte = fallback_byte(token, length);
        if (byte >= 0) {
            ok = piaa_text_add(&bytes, &(char){(char)byte}, 1, error);
            continue;
        }
        ok = add_bytes(&bytes, text, error) && add_plain(t, token, length, text, error);
        bytes.length = 0;
    }
    *settled = text->length - (t->byte_level ? unfinished(text) : 0);
    ok = ok && add_bytes(&bytes, text, error); /* the next byte may spoil the whole run */
    free(bytes.data);
    return ok;
}

static char *decode(const piaa_tokenizer *tokenizer, const int32_t *ids, size_t count, bool special,
                    size_t *size, size_t *settled, piaa_error *error) {
    if (!tokenizer) {
        piaa_error_missing(error, "tokenizer");
        return NULL;
    }
    piaa_text text = {0}, out = {0};
    size_t first = 0;
    bool ok = add_ids(tokenizer, ids, count, special, &text, &first, error) &&
              piaa_utf8_repair(text.data, first, &out, error);
    *settled = out.length;
    ok = ok && piaa_utf8_repair(text.data + first, text.length - first, &out, error) &&
         piaa_text_add(&out, "", 0, error);
    free(text.data);
    if (!ok) {
        free(out.data);
        return NULL;
    }
    *size = out.length;
    return out.data;
}

char *piaa_tokenizer_decode(const piaa_tokenizer *tokenizer, const int32_t *ids, size_t count,
                            size_t *size, piaa_error *error) {
    size_t settled;
    return decode(tokenizer, ids, count, true, size, &settled, error);
}

char *piaa_tokenizer_text(const piaa_tokenizer *tokenizer, const int32_t *ids, size_t count,
                          size_t *size, size_t *settled, piaa_error *error) {
    size_t unused;
    return decode(tokenizer, ids, count, false, size, settled ? settled : &unused, error);
}

int32_t piaa_tokenizer_find(const piaa_tokenizer *tokenizer, const char *token) {
    return piaa_vocabulary_find(&tokenizer->vocabulary, token, strlen(token));
}

const char *piaa_tokenizer_piece(const piaa_tokenizer *tokenizer, int32_t id) {
    return piaa_vocabulary_token(&tokenizer->vocabulary, id, NULL);
}

int32_t piaa_tokenizer_size(const piaa_tokenizer *tokenizer) {
    return tokenizer->vocabulary.size;
}

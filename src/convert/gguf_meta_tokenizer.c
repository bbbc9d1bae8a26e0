/* tokenizer.ggml.* from tokenizer.json: the way back from gguf_tokenizer.c.
 *
 * A byte-fallback tokenizer is written as a SentencePiece model, with scores, if its merges follow
 * from scores; they do for a vocabulary that Hugging Face converted from SentencePiece.  That is
 * found out by reading back what was written.  Else its merges are written out. */
#include "convert/gguf_meta.h"

#include "base/file.h"
#include "text/qwen_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NORMAL = 1, CONTROL = 3, USER_DEFINED, UNUSED, BYTE, MAX_JSON = 256 << 20 };

typedef struct table {
    const char **tokens; /* by id; NULL: none */
    int *kinds;
    float *scores;
    size_t count;
    bool fallback;
} table;

static void table_free(table *t) {
    free(t->tokens);
    free(t->kinds);
    free(t->scores);
}

/* Tokens that llama.cpp's converter takes for control tokens though their file does not call them
   special. */
static bool looks_special(const char *token) {
    size_t n = strlen(token);
    return strcmp(token, "<pad>") == 0 || strcmp(token, "<mask>") == 0 ||
           (strncmp(token, "<|", 2) == 0 && n > 3 && strcmp(token + n - 2, "|>") == 0) ||
           (strncmp(token, "<unused", 7) == 0 && token[n - 1] == '>');
}

static bool table_fill(table *t, const cJSON *root, int64_t count, piaa_error *error) {
    t->count = (size_t)count;
    t->tokens = piaa_alloc(t->count, sizeof *t->tokens, error);
    t->kinds = piaa_alloc(t->count, sizeof *t->kinds, error);
    t->scores = piaa_alloc(t->count, sizeof *t->scores, error);
    if (!t->tokens || !t->kinds || !t->scores) return false;
    piaa_json_bool(root, "model.byte_fallback", &t->fallback);
    for (size_t i = 0; i < t->count; i++) t->kinds[i] = UNUSED;
    const cJSON *vocab = piaa_json_find(root, "model.vocab"),
                *added = piaa_json_find(root, "added_tokens");
    for (const cJSON *item = vocab ? vocab->child : NULL; item; item = item->next) {
        if (!cJSON_IsNumber(item) || item->valuedouble < 0 || item->valuedouble >= (double)count)
            continue; /* rows that are not there */
        bool byte =
            t->fallback && strlen(item->string) == 6 && strncmp(item->string, "<0x", 3) == 0;
        t->tokens[item->valueint] = item->string;
        t->kinds[item->valueint] = byte ? BYTE : NORMAL;
    }
    for (const cJSON *item = added ? added->child : NULL; item; item = item->next) {
        int64_t id = -1;
        bool special = false;
        const char *token = piaa_json_string(item, "content");
        if (!piaa_json_int(item, "id", &id) || !token || id < 0 || id >= count) continue;
        piaa_json_bool(item, "special", &special);
        t->tokens[id] = token;
        t->kinds[id] = special || looks_special(token) ? CONTROL : USER_DEFINED;
    }
    return true;
}

/* "a b" or ["a", "b"] as "a b"; NULL with an error if it is neither. */
static const char *merge_text(const cJSON *item, piaa_text *memory, piaa_error *error) {
    if (cJSON_IsString(item)) return item->valuestring;
    const cJSON *a = cJSON_IsArray(item) ? item->child : NULL, *b = a ? a->next : NULL;
    memory->length = 0;
    if (!b || !cJSON_IsString(a) || !cJSON_IsString(b)) {
        piaa_error_set(error, PIAA_FORMAT,
                       "tokenizer.json has a merge that is no pair of tokens: fetch it again");
        return NULL;
    }
    return piaa_text_format(memory, error, "%s %s", a->valuestring, b->valuestring) ? memory->data
                                                                                    : NULL;
}

static int compare_tokens(const void *a, const void *b) {
    return strcmp(**(const char **const *)a, **(const char **const *)b);
}

/* Scores fall from 0 with each merge that makes another token than the one before; single
   characters come last. */
static bool make_scores(table *t, const cJSON *merges, piaa_error *error) {
    const char ***sorted = piaa_alloc(t->count, sizeof *sorted, error);
    piaa_text memory = {0}, joined = {0};
    size_t known = 0;
    bool ok = sorted != NULL;
    for (size_t i = 0; ok && i < t->count; i++)
        if (t->tokens[i]) sorted[known++] = &t->tokens[i];
    if (ok && known) qsort(sorted, known, sizeof *sorted, compare_tokens);
    float score = 0;
    for (size_t i = 0; i < t->count; i++)
        t->scores[i] = t->kinds[i] == NORMAL ? 1.0f : -1000.0f; /* 1: not set yet */
    for (const cJSON *item = merges->child; ok && item; item = item->next) {
        const char *text = merge_text(item, &memory, error),
                   *space = text ? strchr(text, ' ') : NULL;
        joined.length = 0;
        ok = space && piaa_text_add(&joined, text, (size_t)(space - text), error) &&
             piaa_text_add(&joined, space + 1, strlen(space + 1), error);
        if (!ok) break;
        const char *key = joined.length ? joined.data : "", **key_address = &key;
        const char ***found = bsearch(&key_address, sorted, known, sizeof *sorted, compare_tokens);
        size_t id = found ? (size_t)(*found - t->tokens) : 0;
        if (found && t->scores[id] == 1.0f) t->scores[id] = score--;
    }
    for (size_t i = 0; i < t->count; i++)
        if (t->scores[i] == 1.0f) t->scores[i] = score - 1;
    free(memory.data);
    free(joined.data);
    free(sorted);
    return ok;
}

static void put_tokens(piaa_gguf_meta *meta, const table *t) {
    static const char mark[] = "\xE2\x96\x81";
    piaa_gguf_put_array(meta, "tokenizer.ggml", "tokens", PIAA_GGUF_STRING, t->count);
    piaa_text spelled = {0};
    for (size_t i = 0; i < t->count && !meta->failed; i++) {
        char padding[32];
        snprintf(padding, sizeof padding, "[PAD%zu]", i);
        const char *token = t->tokens[i] ? t->tokens[i] : padding;
        if (!t->fallback || t->kinds[i] != USER_DEFINED) {
            piaa_gguf_put_text(meta, token, strlen(token));
            continue;
        }
        spelled.length = 0; /* with spaces where SentencePiece has marks */
        while (*token && !meta->failed) {
            bool space = strncmp(token, mark, strlen(mark)) == 0;
            meta->failed = !piaa_text_add(&spelled, space ? " " : token, 1, meta->error);
            token += space ? strlen(mark) : 1;
        }
        piaa_gguf_put_text(meta, spelled.length ? spelled.data : "", spelled.length);
    }
    free(spelled.data);
    piaa_gguf_put_array(meta, "tokenizer.ggml", "token_type", PIAA_GGUF_INT32, t->count);
    for (size_t i = 0; i < t->count; i++) piaa_gguf_put_bytes(meta, (uint64_t)t->kinds[i], 4);
}

static void put_merges(piaa_gguf_meta *meta, const cJSON *merges) {
    piaa_text memory = {0};
    piaa_gguf_put_array(meta, "tokenizer.ggml", "merges", PIAA_GGUF_STRING,
                        (uint64_t)cJSON_GetArraySize(merges));
    for (const cJSON *item = merges->child; item && !meta->failed; item = item->next) {
        const char *text = merge_text(item, &memory, meta->error);
        meta->failed = !text;
        if (text) piaa_gguf_put_text(meta, text, strlen(text));
    }
    free(memory.data);
}

static void put_scores(piaa_gguf_meta *meta, const table *t) {
    piaa_gguf_put_array(meta, "tokenizer.ggml", "scores", PIAA_GGUF_FLOAT32, t->count);
    for (size_t i = 0; i < t->count; i++) {
        uint32_t bits;
        memcpy(&bits, &t->scores[i], sizeof bits);
        piaa_gguf_put_bytes(meta, bits, 4);
    }
}

/* Whether the merges that a reader makes of tokens and scores are these. */
static bool merges_follow(const table *t, const cJSON *merges) {
    piaa_gguf_meta meta = {0};
    put_tokens(&meta, t);
    put_scores(&meta, t);
    piaa_text whole = {0}, memory = {0};
    piaa_gguf_meta head = {.text = whole};
    piaa_gguf_put_bytes(&head, 0x46554747, 4); /* "GGUF" */
    piaa_gguf_put_bytes(&head, 3, 4);
    piaa_gguf_put_bytes(&head, 0, 8);
    piaa_gguf_put_bytes(&head, meta.keys, 8);
    bool same = !meta.failed && !head.failed &&
                piaa_text_add(&head.text, meta.text.data, meta.text.length, NULL);
    free(meta.text.data);
    piaa_gguf *file = same ? piaa_gguf_parse(head.text.data, head.text.length, "", NULL) : NULL;
    cJSON *made = file ? piaa_gguf_tokenizer(file, NULL) : NULL;
    const cJSON *a = made ? piaa_json_find(made, "model.merges")->child : NULL, *b = merges->child;
    same = made != NULL;
    for (; same && a && b; a = a->next, b = b->next) {
        const char *text = merge_text(b, &memory, NULL);
        same = text && strcmp(a->valuestring, text) == 0;
    }
    same = same && !a && !b;
    cJSON_Delete(made);
    piaa_gguf_close(file);
    free(head.text.data);
    free(memory.data);
    return same;
}

/* --------------------------------------------------------------------------------------- extras */

/* A small JSON or text file of the folder, NULL if it is not there. */
static char *read_beside(const piaa_checkpoint *c, const char *name, size_t *size) {
    char *path = c->text ? NULL : piaa_path_join(c->folder, name, NULL);
    char *text = path && piaa_file_exists(path) ? piaa_file_read(path, 16 << 20, size, NULL) : NULL;
    free(path);
    return text;
}

static void put_special(piaa_gguf_meta *meta, const piaa_checkpoint *c, const table *t,
                        const cJSON *config) {
    static const char *const keys[][2] = {{"bos_token", "bos_token_id"},
                                          {"eos_token", "eos_token_id"},
                                          {"unk_token", "unknown_token_id"},
                                          {"pad_token", "padding_token_id"}};
    for (size_t i = 0; i < PIAA_COUNT(keys); i++) {
        char name[64];
        int64_t id = -1;
        snprintf(name, sizeof name, "tokenizer.ggml.%s", keys[i][1]);
        if (c->text) piaa_gguf_int(c->text, name, &id);
        const cJSON *item = piaa_json_find(config, keys[i][0]);
        const char *token = cJSON_IsString(item) ? item->valuestring
                            : item               ? piaa_json_string(item, "content")
                                                 : NULL;
        for (size_t k = 0; token && id < 0 && k < t->count; k++)
            if (t->tokens[k] && strcmp(t->tokens[k], token) == 0) id = (int64_t)k;
        if (id >= 0) piaa_gguf_put_u32(meta, "tokenizer.ggml", keys[i][1], id);
    }
}

static void put_template(piaa_gguf_meta *meta, const piaa_checkpoint *c, const cJSON *config) {
    size_t size = 0;
    char *file = read_beside(c, "chat_template.jinja", &size);
    const char *text = file      ? file
                       : c->text ? piaa_gguf_string(c->text, "tokenizer.chat_template")
                                 : piaa_json_string(config, "chat_template");
    if (text) piaa_gguf_put_string(meta, "tokenizer", "chat_template", text);
    free(file);
}

static cJSON *open_json(const piaa_checkpoint *c, piaa_error *error) {
    if (c->text) return piaa_gguf_tokenizer(c->text, error);
    if (!piaa_file_exists_in(c->folder, "tokenizer.json") && piaa_qwen_files_are_in(c->folder))
        return piaa_qwen_files_read(c->folder, error);
    char *path = piaa_path_join(c->folder, "tokenizer.json", error);
    cJSON *root = path ? piaa_json_read(path, MAX_JSON, error) : NULL;
    free(path);
    return root;
}

bool piaa_gguf_put_tokenizer(piaa_gguf_meta *meta, const piaa_checkpoint *c, int64_t count) {
    table t = {0};
    cJSON *root = open_json(c, meta->error);
    const cJSON *merges = root ? piaa_json_find(root, "model.merges") : NULL;
    const bool listed = merges && cJSON_IsArray(merges);
    if (root && !listed)
        piaa_error_set(meta->error, PIAA_FORMAT,
                       "%s: its tokenizer.json has no \"merges\": fetch it again", c->folder);
    meta->failed = meta->failed || !listed || !table_fill(&t, root, count, meta->error) ||
                   (t.fallback && !make_scores(&t, merges, meta->error));
    if (!meta->failed) {
        size_t size = 0;
        char *text = read_beside(c, "tokenizer_config.json", &size);
        cJSON *config = text ? piaa_json_parse(text, size, "tokenizer_config.json", NULL) : NULL;
        bool scores = t.fallback && merges_follow(&t, merges);
        piaa_gguf_put_string(meta, "tokenizer.ggml", "model", scores ? "llama" : "gpt2");
        piaa_gguf_put_string(meta, "tokenizer.ggml", "pre", scores ? "default" : "qwen2");
        put_tokens(meta, &t);
        if (scores)
            put_scores(meta, &t);
        else
            put_merges(meta, merges);
        put_special(meta, c, &t, config);
        piaa_gguf_put_bool(meta, "tokenizer.ggml", "add_bos_token", t.fallback);
        piaa_gguf_put_bool(meta, "tokenizer.ggml", "add_eos_token", false);
        if (scores) piaa_gguf_put_bool(meta, "tokenizer.ggml", "add_space_prefix", false);
        put_template(meta, c, config);
        cJSON_Delete(config);
        free(text);
    }
    table_free(&t);
    cJSON_Delete(root);
    return !meta->failed;
}

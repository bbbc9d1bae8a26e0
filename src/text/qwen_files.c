/* The files that tokenizer.json was made from: vocab.json {token: id}, merges.txt with "left right"
 * on a line, and the added tokens, which vocab.json lacks. */
#include "text/qwen_files.h"

#include "base/file.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum { LARGEST = 100 << 20 };

/* As published. */
static const char words[] = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}"
                            "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"
                            "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

static const char added_list[] = "added_tokens";

static bool put(cJSON *object, const char *name, cJSON *item, piaa_error *error) {
    if (item &&
        (name ? cJSON_AddItemToObject(object, name, item) : cJSON_AddItemToArray(object, item)))
        return true;
    cJSON_Delete(item);
    return piaa_error_set(error, PIAA_MEMORY, "out of memory for the tokenizer");
}

cJSON *piaa_qwen_tokenizer_frame(piaa_error *error) {
    static const char frame[] =
        "{\"normalizer\":{\"type\":\"NFC\"},\"pre_tokenizer\":{\"type\":\"Sequence\","
        "\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{},"
        "\"behavior\":\"Isolated\",\"invert\":false},{\"type\":\"ByteLevel\",\"add_prefix_space\":"
        "false,\"use_regex\":false}]},"
        "\"decoder\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\"}}";
    cJSON *root = cJSON_Parse(frame);
    cJSON *steps = cJSON_GetObjectItem(cJSON_GetObjectItem(root, "pre_tokenizer"), "pretokenizers");
    if (!steps)
        piaa_error_set(error, PIAA_MEMORY, "out of memory for the tokenizer");
    else if (put(cJSON_GetObjectItem(steps->child, "pattern"), "Regex", cJSON_CreateString(words),
                 error))
        return root;
    cJSON_Delete(root);
    return NULL;
}

bool piaa_qwen_files_are_in(const char *folder) {
    return piaa_file_exists_in(folder, "vocab.json") && piaa_file_exists_in(folder, "merges.txt");
}

static cJSON *read_json(const char *folder, const char *name, piaa_error *error) {
    char *path = piaa_path_join(folder, name, error);
    cJSON *root = path ? piaa_json_read(path, LARGEST, error) : NULL;
    free(path);
    return root;
}

/* A line for each merge; the first may say which version the file is. */
static bool add_merges(const char *folder, cJSON *list, piaa_error *error) {
    char *path = piaa_path_join(folder, "merges.txt", error);
    size_t size = 0;
    char *text = path ? piaa_file_read(path, LARGEST, &size, error) : NULL;
    bool ok = text && piaa_file_is_whole(text, size, path, error);
    for (char *line = text, *next; ok && line && *line; line = next) {
        const size_t n = strcspn(line, "\r\n");
        next = line + n + strspn(line + n, "\r\n");
        line[n] = '\0';
        if (n && strncmp(line, "#version", 8) != 0)
            ok = put(list, NULL, cJSON_CreateString(line), error);
    }
    free(text);
    free(path);
    return ok;
}

static bool add_token(cJSON *list, const char *token, double id, bool special, piaa_error *error) {
    cJSON *item = cJSON_CreateObject();
    if (!put(list, NULL, item, error)) return false;
    return put(item, "id", cJSON_CreateNumber(id), error) &&
           put(item, "content", cJSON_CreateString(token), error) &&
           put(item, "normalized", cJSON_CreateFalse(), error) &&
           put(item, "special", cJSON_CreateBool(special), error);
}

/* tokenizer_config.json: {"added_tokens_decoder": {"151644": {"content": …}}}. */
static bool add_described(const cJSON *config, cJSON *list, piaa_error *error) {
    const cJSON *item;
    cJSON_ArrayForEach(item, piaa_json_find(config, "added_tokens_decoder")) {
        const char *token = piaa_json_string(item, "content");
        bool special = true;
        piaa_json_bool(item, "special", &special);
        if (token && !add_token(list, token, strtod(item->string, NULL), special, error))
            return false;
    }
    return true;
}

/* added_tokens.json: {"<|im_start|>": 151644}. */
static bool add_plain(const cJSON *tokens, cJSON *list, piaa_error *error) {
    const cJSON *item;
    cJSON_ArrayForEach(item, tokens) if (cJSON_IsNumber(item) &&
                                         !add_token(list, item->string, item->valuedouble, true,
                                                    error)) return false;
    return true;
}

static bool fill(const char *folder, cJSON *root, piaa_error *error) {
    static const char config_name[] = "tokenizer_config.json", plain_name[] = "added_tokens.json";
    cJSON *model = cJSON_GetObjectItem(root, "model"), *merges = cJSON_CreateArray(),
          *added = cJSON_CreateArray(), *vocab = read_json(folder, "vocab.json", error);
    bool ok = put(root, added_list, added, error);
    ok = put(model, "merges", merges, error) && ok;
    ok = vocab && put(model, "vocab", vocab, error) && ok && add_merges(folder, merges, error);
    if (ok && piaa_file_exists_in(folder, config_name)) {
        cJSON *config = read_json(folder, config_name, error);
        ok = config && add_described(config, added, error);
        cJSON_Delete(config);
    }
    if (ok && !cJSON_GetArraySize(added) && piaa_file_exists_in(folder, plain_name)) {
        cJSON *plain = read_json(folder, plain_name, error);
        ok = plain && add_plain(plain, added, error);
        cJSON_Delete(plain);
    }
    return ok;
}

cJSON *piaa_qwen_files_read(const char *folder, piaa_error *error) {
    cJSON *root = piaa_qwen_tokenizer_frame(error);
    if (root && fill(folder, root, error)) return root;
    cJSON_Delete(root);
    return NULL;
}

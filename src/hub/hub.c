/* Names of models, and which of a repository's files are needed.
 *
 * Nothing that the hub says is believed before it is checked: a file's name becomes a path, a
 * commit a folder. */
#include "hub/hub.h"

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------------------------------- names */

static const struct {
    const char *name, *repository;
} short_names[] = {
    {"qwen3-vl-2b", "Qwen/Qwen3-VL-2B-Instruct"},
    {"qwen3-vl-4b", "Qwen/Qwen3-VL-4B-Instruct"},
    {"qwen3-vl-8b", "Qwen/Qwen3-VL-8B-Instruct"},
    {"qwen3-vl-32b", "Qwen/Qwen3-VL-32B-Instruct"},
    {"qwen3-vl-2b-gguf", "Qwen/Qwen3-VL-2B-Instruct-GGUF"},
    {"qwen3-vl-4b-gguf", "Qwen/Qwen3-VL-4B-Instruct-GGUF"},
    {"qwen3-vl-8b-gguf", "Qwen/Qwen3-VL-8B-Instruct-GGUF"},
    {"gemma-3-4b", "google/gemma-3-4b-it"},
    {"gemma-3-12b", "google/gemma-3-12b-it"},
    {"gemma-3-27b", "google/gemma-3-27b-it"},
    {"gemma-3-4b-gguf", "ggml-org/gemma-3-4b-it-GGUF"},
    {"gemma-3-12b-gguf", "ggml-org/gemma-3-12b-it-GGUF"},
    {"gemma-3-27b-gguf", "ggml-org/gemma-3-27b-it-GGUF"},
    {"dinov3-vits16", "facebook/dinov3-vits16-pretrain-lvd1689m"},
    {"dinov3-vitb16", "facebook/dinov3-vitb16-pretrain-lvd1689m"},
    {"dinov3-vitl16", "facebook/dinov3-vitl16-pretrain-lvd1689m"},
    {"clip-vit-l-14", "openai/clip-vit-large-patch14"},
    {"siglip-base", "google/siglip-base-patch16-224"},
    {"siglip-so400m", "google/siglip-so400m-patch14-384"},
};

const char *piaa_hub_short_name(size_t index, const char **repository) {
    if (index >= PIAA_COUNT(short_names)) return NULL;
    if (repository) *repository = short_names[index].repository;
    return short_names[index].name;
}

/* Part of a repository's name: letters, digits and -._, and neither a hidden file nor a way up. */
static bool copy_part(const char *from, size_t length, const char *also, char *out,
                      size_t capacity) {
    if (!length || length >= capacity || from[0] == '.' || from[0] == '-' || from[0] == '/')
        return false;
    for (size_t i = 0; i < length; i++) {
        if (!isalnum((unsigned char)from[i]) && !strchr(also, from[i])) return false;
        if (i > 0 && from[i] == '.' && from[i - 1] == '.') return false;
    }
    memcpy(out, from, length);
    out[length] = '\0';
    return true;
}

static bool unknown_name(const char *text, piaa_error *error) {
    piaa_text list = {0};
    bool ok = true;
    for (size_t i = 0; ok && i < PIAA_COUNT(short_names); i++)
        ok = piaa_text_format(&list, error, "%s%s", i ? ", " : "", short_names[i].name);
    if (ok)
        piaa_error_set(error, PIAA_USAGE,
                       "\"%.200s\" is not the name of a model: give OWNER/NAME, or one of %s", text,
                       list.data);
    free(list.data);
    return false;
}

/* Behind the repository's name: "@REVISION", ":QUANT", or both in either order. */
static bool parse_rest(const char *rest, piaa_hub_name *out, piaa_error *error) {
    while (*rest) {
        bool revision = *rest++ == '@';
        size_t length = strcspn(rest, "@:");
        if (revision &&
            (out->given || !copy_part(rest, length, "-._/", out->revision, sizeof out->revision)))
            return piaa_error_set(
                error, PIAA_USAGE,
                "\"%.200s\" is not the name of a revision: give a branch, a tag or a commit", rest);
        if (!revision &&
            (*out->quant || !copy_part(rest, length, "-._", out->quant, sizeof out->quant)))
            return piaa_error_set(error, PIAA_USAGE,
                                  "\"%.200s\" is not a kind of GGUF file: give one as in NAME:Q8_0",
                                  rest);
        out->given = out->given || revision;
        rest += length;
    }
    return true;
}

bool piaa_hub_name_parse(const char *text, piaa_hub_name *out, piaa_error *error) {
    static const char *const addresses[] = {"https://", "hf.co/", "huggingface.co/"};
    if (!text) return piaa_error_missing(error, "name");
    *out = (piaa_hub_name){.revision = "main"};
    const char *repository = text;
    for (size_t i = 0; i < PIAA_COUNT(addresses); i++)
        if (strncmp(repository, addresses[i], strlen(addresses[i])) == 0)
            repository += strlen(addresses[i]);
    text = repository;
    size_t length = strcspn(text, "@:");
    if (!parse_rest(text + length, out, error)) return false;
    for (size_t i = 0; i < PIAA_COUNT(short_names); i++)
        if (strlen(short_names[i].name) == length &&
            strncmp(short_names[i].name, text, length) == 0) {
            repository = short_names[i].repository;
            length = strlen(repository);
        }
    const char *slash = memchr(repository, '/', length);
    size_t owner = slash ? (size_t)(slash - repository) : 0;
    if (!slash || !copy_part(repository, owner, "-._", out->owner, sizeof out->owner) ||
        !copy_part(slash + 1, length - owner - 1, "-._", out->name, sizeof out->name) ||
        strstr(out->owner, "--") || strstr(out->name, "--"))
        return unknown_name(text, error);
    return true;
}

static bool is_hex(const char *text, size_t digits) {
    return strlen(text) == digits && strspn(text, "0123456789abcdef") == digits;
}

bool piaa_hub_is_commit(const char *text) {
    return is_hex(text, 40);
}

/* ---------------------------------------------------------------------------------- which files */

static bool is_setting(const char *name) {
    static const char *const names[] = {"config.json",
                                        "generation_config.json",
                                        "preprocessor_config.json",
                                        "processor_config.json",
                                        "tokenizer.json",
                                        "tokenizer_config.json",
                                        "special_tokens_map.json",
                                        "chat_template.json",
                                        "chat_template.jinja"};
    for (size_t i = 0; i < PIAA_COUNT(names); i++)
        if (strcmp(name, names[i]) == 0) return true;
    return false;
}

static bool is_plain(const char *name) {
    if (!*name || *name == '.' || strlen(name) > 200) return false;
    for (const char *c = name; *c; c++)
        if ((unsigned char)*c <= ' ' || *c == '/' || *c == '\\' || *c == 127) return false;
    return true;
}

/* What the repository holds beside the needed files, for the choice of weights and for messages. */
typedef struct contents {
    bool config, single, index, shards, safetensors, pickles;
    size_t gguf;
} contents;

static contents look(const cJSON *siblings) {
    contents has = {0};
    const cJSON *item;
    cJSON_ArrayForEach(item, siblings) {
        const char *name = piaa_json_string(item, "rfilename");
        if (!name || !is_plain(name)) continue;
        has.config = has.config || strcmp(name, "config.json") == 0;
        has.single = has.single || strcmp(name, "model.safetensors") == 0;
        has.index = has.index || strcmp(name, "model.safetensors.index.json") == 0;
        has.shards =
            has.shards || (strncmp(name, "model-", 6) == 0 && piaa_path_ends(name, ".safetensors"));
        has.safetensors = has.safetensors || piaa_path_ends(name, ".safetensors");
        has.pickles = has.pickles || piaa_path_ends(name, ".bin") || piaa_path_ends(name, ".pt") ||
                      piaa_path_ends(name, ".pth");
        has.gguf += piaa_path_ends_like(name, ".gguf");
    }
    return has;
}

/* model.safetensors, or the index and the shards; some repositories hold the same weights in other
   packings beside these. */
static bool is_needed(const char *name, const contents *has) {
    if (!is_plain(name)) return false;
    if (is_setting(name)) return true;
    if (has->single) return strcmp(name, "model.safetensors") == 0;
    if (strcmp(name, "model.safetensors.index.json") == 0) return true;
    return piaa_path_ends(name, ".safetensors") &&
           (!has->shards || strncmp(name, "model-", 6) == 0);
}

static bool check_contents(const contents *has, const char *where, piaa_error *error) {
    if (has->config && (has->single || (has->index && has->safetensors))) return true;
    if (has->config && has->pickles)
        return piaa_error_set(
            error, PIAA_UNSUPPORTED,
            "%s holds its weights as PyTorch pickles (.bin) only: look for a safetensors version",
            where);
    return piaa_error_set(error, PIAA_UNSUPPORTED,
                          "%s is not a model that can be used: it has no %s", where,
                          has->config ? "model.safetensors" : "config.json");
}

/* ------------------------------------------------------------------------------------- the list */

static bool read_file(const cJSON *item, const char *name, const char *where, piaa_hub_file *out,
                      piaa_error *error) {
    const char *sha256 = piaa_json_string(item, "lfs.sha256"),
               *blob = piaa_json_string(item, "blobId");
    bool lfs = cJSON_IsObject(piaa_json_find(item, "lfs"));
    if (lfs && !sha256)
        sha256 = piaa_json_string(item, "lfs.oid"); /* another spelling of the same */
    out->size = -1;
    if (!piaa_json_int(item, "size", &out->size)) piaa_json_int(item, "lfs.size", &out->size);
    if (out->size < -1 || (sha256 && !is_hex(sha256, 64)) || (!lfs && blob && !is_hex(blob, 40)))
        return piaa_error_set(error, PIAA_FORMAT,
                              "%s: the hub's entry for %s has a size or checksum that is none",
                              where, name);
    if (sha256)
        memcpy(out->sha256, sha256, 65);
    else if (!lfs && blob &&
             out->size >= 0) /* of a file in large-file storage it names the pointer only */
        memcpy(out->sha1, blob, 41);
    out->name = piaa_strdup(name, error);
    return out->name != NULL;
}

static int compare_files(const void *a, const void *b) {
    const piaa_hub_file *x = a, *y = b;
    bool x_weights = piaa_path_ends(x->name, ".safetensors"),
         y_weights = piaa_path_ends(y->name, ".safetensors");
    return x_weights != y_weights ? x_weights - y_weights : strcmp(x->name, y->name);
}

/* The two of `count` GGUF files that are wished for. */
static bool take_pair(const cJSON *const *items, const piaa_gguf_offer *offers, size_t count,
                      const char *where, const piaa_gguf_wish *wish, piaa_hub_list *out,
                      piaa_error *error) {
    piaa_gguf_choice choice;
    if (!piaa_gguf_choose(offers, count, wish, where, &choice, error)) return false;
    memcpy(out->label, choice.label, sizeof out->label);
    const size_t chosen[] = {choice.text, choice.vision};
    out->files = piaa_alloc(PIAA_COUNT(chosen), sizeof *out->files, error);
    for (size_t i = 0; out->files && i < PIAA_COUNT(chosen); i++) {
        if (!read_file(items[chosen[i]], offers[chosen[i]].name, where, &out->files[i], error))
            return false;
        out->count++;
    }
    return out->files != NULL;
}

static bool read_pair(const cJSON *siblings, size_t most, const char *where,
                      const piaa_gguf_wish *wish, piaa_hub_list *out, piaa_error *error) {
    enum { FILES_MOST = 1000 }; /* of whatever else a list holds nothing is chosen */
    most = most < FILES_MOST ? most : FILES_MOST;
    piaa_gguf_offer *offers = piaa_alloc(most, sizeof *offers, error);
    const cJSON **items = piaa_alloc(most, sizeof *items, error), *item;
    size_t count = 0;
    cJSON_ArrayForEach(item, siblings) {
        const char *name = piaa_json_string(item, "rfilename");
        if (!offers || !items || count == most || !name || !is_plain(name) ||
            !piaa_path_ends_like(name, ".gguf"))
            continue;
        int64_t size = -1;
        if (!piaa_json_int(item, "size", &size)) piaa_json_int(item, "lfs.size", &size);
        offers[count] = (piaa_gguf_offer){name, size};
        items[count++] = item;
    }
    const bool ok = offers && items && take_pair(items, offers, count, where, wish, out, error);
    free(items);
    free(offers);
    return ok;
}

static bool read_list(const cJSON *root, const char *where, const piaa_gguf_wish *wish,
                      piaa_hub_list *out, piaa_error *error) {
    const char *commit = piaa_json_string(root, "sha");
    const cJSON *siblings = piaa_json_find(root, "siblings"), *item;
    if (!commit || !piaa_hub_is_commit(commit) || !cJSON_IsArray(siblings))
        return piaa_error_set(error, PIAA_FORMAT,
                              "%s: the server's answer is not a hub's list of files", where);
    memcpy(out->commit, commit, sizeof out->commit);
    contents has = look(siblings);
    bool asked = (wish->quant && *wish->quant) || wish->text || wish->vision;
    if (asked && !has.gguf)
        return piaa_error_set(error, PIAA_USAGE,
                              "%s holds no GGUF files to choose from: leave out %s", where,
                              wish->text     ? "--file"
                              : wish->vision ? "--mmproj"
                                             : "what stands behind the colon");
    if (has.gguf && (asked || !check_contents(&has, where, NULL)))
        return read_pair(siblings, has.gguf, where, wish, out, error);
    if (!check_contents(&has, where, error)) return false;
    out->files = piaa_alloc((size_t)cJSON_GetArraySize(siblings), sizeof *out->files, error);
    if (!out->files) return false;
    cJSON_ArrayForEach(item, siblings) {
        const char *name = piaa_json_string(item, "rfilename");
        if (!name || !is_needed(name, &has)) continue;
        if (!read_file(item, name, where, &out->files[out->count], error)) return false;
        out->count++;
    }
    qsort(out->files, out->count, sizeof *out->files, compare_files);
    for (size_t i = 1; i < out->count; i++)
        if (strcmp(out->files[i - 1].name, out->files[i].name) == 0)
            return piaa_error_set(error, PIAA_FORMAT, "%s: the hub lists %s twice", where,
                                  out->files[i].name);
    return true;
}

bool piaa_hub_list_parse(const char *text, size_t size, const char *where,
                         const piaa_gguf_wish *wish, piaa_hub_list *out, piaa_error *error) {
    *out = (piaa_hub_list){0};
    cJSON *root = piaa_json_parse(text, size, where, error);
    bool ok = root && read_list(root, where, wish, out, error);
    cJSON_Delete(root);
    if (!ok) piaa_hub_list_free(out);
    return ok;
}

void piaa_hub_list_free(piaa_hub_list *list) {
    for (size_t i = 0; i < list->count; i++) free(list->files[i].name);
    free(list->files);
    *list = (piaa_hub_list){0};
}

/* A model's own chat template: a file of the folder, a text inside one, or a GGUF key. */
#include "weights/checkpoint_parts.h"

#include "base/file.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum { LIMIT = 16 << 20 };

/* A JSON file of the folder; *out stays NULL where there is none. */
static bool read_json(const piaa_checkpoint *c, const char *name, cJSON **out, piaa_error *error) {
    char *path = piaa_path_join(c->folder, name, error);
    const bool there = path && piaa_file_exists(path);
    if (there) *out = piaa_json_read(path, LIMIT, error);
    const bool ok = path && (!there || *out);
    free(path);
    return ok;
}

/* A text, or a list of {"name", "template"}, of which the one called default counts. */
static const char *find_template(const cJSON *root) {
    const char *text = piaa_json_string(root, "chat_template");
    const cJSON *list = piaa_json_find(root, "chat_template"), *item;
    if (!text && cJSON_IsArray(list)) cJSON_ArrayForEach(item, list) {
            const char *name = piaa_json_string(item, "name");
            if (name && strcmp(name, "default") == 0) text = piaa_json_string(item, "template");
        }
    return text;
}

/* "bos_token": a text, or {"content": …}. */
static bool copy_token(const cJSON *root, const char *key, char **out, piaa_error *error) {
    const cJSON *item = piaa_json_find(root, key);
    const char *text =
        cJSON_IsObject(item) ? piaa_json_string(item, "content") : piaa_json_string(root, key);
    return !text || (*out = piaa_strdup(text, error)) != NULL;
}

static bool copy(const char *text, const char *where, piaa_chat_template *out, piaa_error *error) {
    if (!text || out->text) return true;
    out->where = where;
    return (out->text = piaa_strdup(text, error)) != NULL;
}

static bool read_folder(const piaa_checkpoint *c, piaa_chat_template *out, piaa_error *error) {
    static const char plain[] = "chat_template.jinja", old[] = "chat_template.json",
                      config[] = "tokenizer_config.json";
    cJSON *settings = NULL, *alone = NULL;
    char *path = piaa_path_join(c->folder, plain, error);
    bool ok = path && read_json(c, config, &settings, error) && read_json(c, old, &alone, error);
    if (ok && piaa_file_exists(path)) {
        out->where = plain;
        size_t size;
        out->text = piaa_file_read(path, LIMIT, &size, error);
        ok = out->text && piaa_file_is_whole(out->text, size, path, error);
    }
    ok = ok && copy(find_template(alone), old, out, error) &&
         copy(find_template(settings), config, out, error) &&
         copy_token(settings, "bos_token", &out->bos, error) &&
         copy_token(settings, "eos_token", &out->eos, error);
    free(path);
    cJSON_Delete(settings);
    cJSON_Delete(alone);
    return ok;
}

bool piaa_checkpoint_chat_template(const piaa_checkpoint *c, piaa_chat_template *out,
                                   piaa_error *error) {
    static const char key[] = "tokenizer.chat_template";
    *out = (piaa_chat_template){0};
    if (c->text ? copy(piaa_gguf_string(c->text, key), key, out, error)
                : read_folder(c, out, error))
        return true;
    piaa_chat_template_free(out);
    return false;
}

void piaa_chat_template_free(piaa_chat_template *t) {
    free(t->text);
    free(t->bos);
    free(t->eos);
    *t = (piaa_chat_template){0};
}

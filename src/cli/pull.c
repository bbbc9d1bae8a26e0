/* piaa model pull, piaa model list, piaa model rm. */
#include "base/hooks.h"
#include "base/visible.h"
#include "cli/commands.h"
#include "hub/hub.h"
#include "hub/pulled.h"
#include "report/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool print_json(cJSON *root, piaa_error *error) {
    bool ok = piaa_report_write_json(stdout, root, error);
    cJSON_Delete(root);
    return ok;
}

static bool print_text(piaa_text *text, bool ok, piaa_error *error) {
    ok = ok && piaa_report_write(stdout, text->data ? text->data : "", text->length, error);
    free(text->data);
    return ok;
}

/* ----------------------------------------------------------------------------------------- pull */

/* What is told while files come: a bar on a terminal, else a line for each file. */
typedef struct watch {
    piaa_talk *talk;
    char file[256]; /* the one in hand */
} watch;

static void show_progress(void *user, const char *what, int64_t done, int64_t total) {
    watch *w = user;
    if (w->talk->terminal) {
        char line[80];
        snprintf(line, sizeof line, "Fetching %.60s", what);
        piaa_talk_draw_bytes(w->talk, line, done, total);
    } else if (strcmp(w->file, what) != 0) {
        char size[32];
        snprintf(w->file, sizeof w->file, "%s", what);
        if (total > 0)
            piaa_talk_note(w->talk, "Fetching %s, %d %% of %s so far", what,
                           (int)(100.0 * (double)done / (double)total),
                           piaa_talk_size(total, size));
        else
            piaa_talk_note(w->talk, "Fetching %s", what);
    }
}

static void pass_warning(void *user, const char *line) {
    piaa_talk_warn(((watch *)user)->talk, "%s", line);
}

static bool ask_to_stop(void *user) {
    const piaa_hooks *hooks = &((watch *)user)->talk->hooks;
    return hooks->stop && hooks->stop(hooks->user);
}

static bool pulled_text(const piaa_pulled *got, const char *name, piaa_text *out,
                        piaa_error *error) {
    char size[32], fresh[32];
    bool ok =
        piaa_text_format(out, error, "model          %s\ncommit         %s\nfiles          %zu, %s",
                         got->name, got->commit, got->files, piaa_talk_size(got->bytes, size));
    if (ok && got->shared)
        ok = piaa_text_format(out, error, ", in the Hugging Face cache");
    else if (ok)
        ok = piaa_text_format(out, error, ", %s of it fetched now",
                              piaa_talk_size(got->downloaded, fresh));
    ok = ok && piaa_text_format(out, error, "\nfolder         ") &&
         piaa_visible_add(out, got->folder, error) &&
         piaa_text_format(out, error, "\nto use it      --model ");
    if (!strchr(got->name, ':'))
        return ok && piaa_text_format(out, error, "%s\n", name); /* a short name stays short */
    const char *revision = strcmp(got->revision, "main") != 0 ? got->revision : "";
    return ok &&
           piaa_text_format(out, error, "%s%s%s\n", got->name, *revision ? "@" : "", revision);
}

static cJSON *pulled_json(const piaa_pulled *got) {
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "model", got->name);
    cJSON_AddStringToObject(root, "commit", got->commit);
    cJSON_AddItemToObject(root, "folder", cJSON_CreateString(got->folder));
    piaa_report_add_integer(root, "files", (int64_t)got->files);
    piaa_report_add_integer(root, "bytes", got->bytes);
    piaa_report_add_integer(root, "fetched_bytes", got->downloaded);
    piaa_report_add_integer(root, "files_without_checksum", (int64_t)got->unchecked);
    cJSON_AddBoolToObject(root, "hugging_face_cache", got->shared);
    return root;
}

static bool run_pull(piaa_call *call, piaa_error *error) {
    watch w = {.talk = &call->talk};
    piaa_hooks hooks = {
        .user = &w, .warn = pass_warning, .progress = show_progress, .stop = ask_to_stop};
    const piaa_pull_request request = {piaa_call_value(call, "file"),
                                       piaa_call_value(call, "mmproj"),
                                       piaa_call_value(call, "from")};
    piaa_text text = {0};
    piaa_talk_catch_stop(&call->talk);
    piaa_pulled *got = piaa_model_pull(call->operands[0], &request, &hooks, error);
    piaa_talk_clear(&call->talk);
    bool ok = got != NULL;
    if (ok && piaa_call_has(call, "json"))
        ok = print_json(pulled_json(got), error);
    else if (ok)
        ok = print_text(&text, pulled_text(got, call->operands[0], &text, error), error);
    piaa_pulled_free(got);
    return ok;
}

/* ----------------------------------------------------------------------------------------- list */

static const char *state_text(const piaa_pulled *item) {
    return !item->complete ? "unfinished: pull it again"
           : item->shared  ? "in the Hugging Face cache"
                           : "";
}

static bool list_text(const piaa_pulled_list *list, piaa_text *out, piaa_error *error) {
    char size[32];
    size_t widest = 0;
    bool ok = true;
    for (size_t i = 0; i < piaa_pulled_list_count(list); i++) {
        size_t length = strlen(piaa_pulled_list_at(list, i)->name);
        if (length > widest) widest = length;
    }
    for (size_t i = 0; ok && i < piaa_pulled_list_count(list); i++) {
        const piaa_pulled *item = piaa_pulled_list_at(list, i);
        ok = piaa_text_format(out, error, "%-*s  %10s  %.12s", (int)widest, item->name,
                              piaa_talk_size(item->bytes, size), item->commit) &&
             (!*item->revision || piaa_text_format(out, error, "  %s", item->revision)) &&
             (!*state_text(item) || piaa_text_format(out, error, "  %s", state_text(item))) &&
             piaa_text_format(out, error, "\n");
    }
    return ok;
}

static cJSON *list_json(const piaa_pulled_list *list) {
    cJSON *root = cJSON_CreateArray();
    for (size_t i = 0; i < piaa_pulled_list_count(list); i++) {
        const piaa_pulled *item = piaa_pulled_list_at(list, i);
        cJSON *object = cJSON_CreateObject();
        cJSON_AddStringToObject(object, "model", item->name);
        cJSON_AddItemToObject(object, "revision",
                              *item->revision ? cJSON_CreateString(item->revision)
                                              : cJSON_CreateNull());
        cJSON_AddStringToObject(object, "commit", item->commit);
        cJSON_AddItemToObject(object, "folder", cJSON_CreateString(item->folder));
        piaa_report_add_integer(object, "bytes", item->bytes);
        cJSON_AddBoolToObject(object, "complete", item->complete);
        cJSON_AddBoolToObject(object, "hugging_face_cache", item->shared);
        cJSON_AddItemToArray(root, object);
    }
    return root;
}

static bool print_names(bool json, piaa_error *error) {
    const char *name, *repository;
    piaa_text text = {0};
    cJSON *root = json ? cJSON_CreateObject() : NULL;
    bool ok = true;
    for (size_t i = 0; ok && (name = piaa_hub_short_name(i, &repository)); i++) {
        if (json)
            cJSON_AddStringToObject(root, name, repository);
        else
            ok = piaa_text_format(&text, error, "%-14s  %s\n", name, repository);
    }
    return json ? print_json(root, error) : print_text(&text, ok, error);
}

static bool run_list(piaa_call *call, piaa_error *error) {
    bool json = piaa_call_has(call, "json");
    if (piaa_call_has(call, "names")) return print_names(json, error);
    piaa_text text = {0};
    piaa_pulled_list *list = piaa_pulled_list_read(error);
    bool ok = list != NULL;
    if (ok && json)
        ok = print_json(list_json(list), error);
    else if (ok)
        ok = print_text(&text, list_text(list, &text, error), error);
    if (ok && !json && !piaa_pulled_list_count(list))
        piaa_talk_note(
            &call->talk,
            "No model has been pulled yet: piaa model list --names shows some that can be");
    piaa_pulled_list_free(list);
    return ok;
}

/* ------------------------------------------------------------------------------------------- rm */

static bool run_rm(piaa_call *call, piaa_error *error) {
    int64_t bytes;
    char size[32];
    if (!piaa_pulled_remove(call->operands[0], &bytes, error)) return false;
    piaa_talk_note(&call->talk, "Removed %s, %s", call->operands[0], piaa_talk_size(bytes, size));
    char *left = piaa_model_locate(call->operands[0], NULL);
    if (left && strcmp(left, call->operands[0]) != 0)
        piaa_talk_note(&call->talk,
                       "It is still in the Hugging Face cache, whose own tools remove it: %s",
                       left);
    free(left);
    return true;
}

/* --------------------------------------------------------------------------------------- tables */

static const piaa_option pull_options[] = {
    {"file", "NAME", "of a repository of GGUF files, the text model's",
     "the one in Q4_K_M, else Q8_0", NULL},
    {"mmproj", "NAME", "of a repository of GGUF files, the vision part's", "the one in bf16 or f16",
     NULL},
    {"from", "URL", "a mirror of the Hugging Face hub to fetch from",
     "HF_ENDPOINT, or the hub itself", NULL},
    {"json", NULL, "print JSON", NULL, NULL},
    {0},
};
static const piaa_option list_options[] = {
    {"names", NULL, "the short names that pull knows, and the repositories that they stand for",
     NULL, NULL},
    {"json", NULL, "print JSON", NULL, NULL},
    {0},
};

const piaa_command piaa_command_model_pull = {
    .name = "model pull",
    .summary = "Download a model from Hugging Face, so that --model finds it by name",
    .example =
        "piaa model pull qwen3-vl-4b\npiaa rank photos --ratings ratings.csv --model qwen3-vl-4b\n"
        "piaa model pull ggml-org/gemma-3-4b-it-GGUF:Q8_0\n",
    .operands = "NAME|OWNER/NAME[@REVISION][:KIND]",
    .least = 1,
    .most = 1,
    .groups = {{"Options", pull_options}},
    .notes = "Only the files that piaa needs are fetched, into $XDG_CACHE_HOME/piaa/models "
             "(~/.cache/piaa/models), and each is checked against "
             "the checksum that the hub lists. Ended early, the next pull goes on where it "
             "stopped. A model that is whole in the Hugging Face "
             "cache (HF_HOME) is used where it is.\n\n"
             "Of a repository of GGUF files a text model and its vision part (mmproj) are fetched: "
             "KIND, or --file and --mmproj, say which. "
             "Several kinds of a model can be there side by side, and --model names them as pull "
             "did.\n\n"
             "Models that are given only to those who accept their terms need a token: put it in "
             "HF_TOKEN. It is sent to the hub (or to what "
             "--from or HF_ENDPOINT name) and to no other host, and never without encryption, "
             "except to this machine. Certificates are always "
             "checked; SSL_CERT_FILE names those of an authority of your own.",
    .run = run_pull,
};

const piaa_command piaa_command_model_list = {
    .name = "model list",
    .summary = "List the models that --model finds by name",
    .example = "piaa model list\npiaa model list --names\n",
    .operands = "",
    .groups = {{"Options", list_options}},
    .run = run_list,
};

const piaa_command piaa_command_model_rm = {
    .name = "model rm",
    .summary = "Delete a pulled model",
    .example = "piaa model rm qwen3-vl-4b\n",
    .operands = "NAME|OWNER/NAME[:KIND]",
    .least = 1,
    .most = 1,
    .notes = "All revisions go, and what an unfinished pull left; with KIND those GGUF files "
             "alone. The Hugging Face cache is not touched.",
    .run = run_rm,
};

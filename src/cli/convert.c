/* piaa model convert: a model folder as a pair of GGUF files, smaller in memory and on disk. */
#include "cli/commands.h"
#include "cli/request.h"

#include "base/file.h"
#include "base/memory.h"
#include "convert/convert.h"
#include "hub/pulled.h"
#include "vlm/vlm.h"
#include "weights/checkpoint_parts.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* "dir/photos-q4.gguf" -> "dir/mmproj-photos-q4.gguf", the name by which a folder of two files is
   known to be a pair. */
static char *vision_path(const char *text, piaa_error *error) {
    char *folder = piaa_path_folder(text, error);
    char *path = folder ? piaa_format(error, "%s%smmproj-%s", strchr(text, '/') ? folder : "",
                                      strchr(text, '/') ? "/" : "", piaa_path_name(text))
                        : NULL;
    free(folder);
    return path;
}

/* Neither of the files to write may be one of the pair that is read, wherever its other part was
   found. */
static bool check_apart(const char *model, const char *mmproj, const char *const written[2],
                        piaa_error *error) {
    char *read[2] = {NULL, NULL};
    if (!piaa_gguf_pair_is(model)) return true;
    bool ok = piaa_gguf_pair_find(model, mmproj, &read[0], &read[1], error);
    for (int i = 0; ok && i < 4; i++)
        if (piaa_file_is_same(read[i / 2], written[i % 2]))
            ok = piaa_error_set(error, PIAA_USAGE,
                                "%s belongs to the model that is read: name another file to write",
                                written[i % 2]);
    free(read[0]);
    free(read[1]);
    return ok;
}

static bool say_sizes(piaa_call *call, const char *text, const char *vision) {
    struct stat sizes[2] = {0};
    char first[32], second[32];
    if (stat(text, &sizes[0]) == 0 && stat(vision, &sizes[1]) == 0)
        piaa_talk_note(&call->talk, "Written: %s (%s) and %s (%s).  Use them with --model %s.",
                       text, piaa_talk_size((int64_t)sizes[0].st_size, first), vision,
                       piaa_talk_size((int64_t)sizes[1].st_size, second), text);
    return true;
}

static void show_progress(void *user, const char *what, int64_t done, int64_t total) {
    PIAA_UNUSED(what);
    piaa_talk *talk = user;
    if (talk->terminal) piaa_talk_draw_bytes(talk, "Converting", done, total);
}

static bool run(piaa_call *call, piaa_error *error) {
    const char *out = call->operands[1], *name = piaa_call_value(call, "dtype");
    piaa_gguf_kind kind = PIAA_GGUF_KIND_Q4_K;
    if (strlen(out) < sizeof ".gguf" || !piaa_path_ends_like(out, ".gguf"))
        return piaa_error_set(error, PIAA_USAGE,
                              "the file to write should end in .gguf, \"%s\" does not", out);
    if (name && !piaa_gguf_kind_parse(name, &kind))
        return piaa_error_set(
            error, PIAA_USAGE,
            "--dtype cannot be \"%s\": name one of f32, f16, bf16, q8_0, q6_K, q5_K, q4_K", name);
    char *vision = vision_path(out, error);
    char *found = vision && piaa_call_output(call, out, &piaa_gguf_output, error) &&
                          piaa_call_output(call, vision, &piaa_gguf_output, error)
                      ? piaa_model_locate(call->operands[0], error)
                      : NULL;
    piaa_model *model = found && check_apart(found, piaa_call_value(call, "mmproj"),
                                             (const char *const[]){out, vision}, error)
                            ? piaa_call_model(call, call->operands[0], error)
                            : NULL;
    piaa_talk_catch_stop(&call->talk);
    piaa_hooks hooks = call->talk.hooks;
    hooks.progress = show_progress;
    bool ok = model && piaa_model_convert(model, out, vision, kind, &hooks, error) &&
              say_sizes(call, out, vision);
    free(vision);
    free(found);
    piaa_model_close(model);
    return ok;
}

static const piaa_option options[] = {
    PIAA_OPTION_MMPROJ,
    PIAA_OPTION_ADAPTER,
    {"dtype", "TYPE", "how matrices are stored", "q4_K", "f32 f16 bf16 q8_0 q6_K q5_K q4_K"},
    {0},
};

const piaa_command piaa_command_model_convert = {
    .name = "model convert",
    .summary = "Write a model as a pair of GGUF files, as llama.cpp reads them",
    .example = "piaa model convert Qwen3-VL-4B-Instruct qwen3-vl-4b-q4.gguf\n"
               "piaa rank photos --ratings ratings.csv --model qwen3-vl-4b-q4.gguf\n",
    .operands = "MODEL OUT.gguf",
    .least = 2,
    .most = 2,
    .groups = {{"Options", options}},
    .notes = "The text model goes to OUT.gguf and the vision encoder to mmproj-OUT.gguf beside it. "
             "q4_K and q5_K are llama.cpp's mixtures "
             "Q4_K_M and Q5_K_M; beside a K-quant the vision encoder is q8_0. q4_K takes about a "
             "third of the size of bf16. Features then "
             "differ a little from the original's, so keep to one form "
             "of a model for all photos of a store.",
    .run = run,
};

/* piaa ask: a question about photos, answered in words. */
#include "base/file.h"
#include "base/memory.h"
#include "base/visible.h"
#include "cli/commands.h"
#include "cli/request.h"
#include "features/extractor.h"
#include "report/report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where the answer goes while it is made. */
typedef struct asking {
    piaa_call *call;
    bool terminal;
    piaa_error error; /* of writing */
} asking;

/* What moves a terminal's cursor is spelled out, but for the lines and tabs of a text. */
static bool make_visible(const char *text, piaa_text *out, piaa_error *error) {
    for (size_t size = strlen(text), n; size; text += n, size -= n) {
        char shown[PIAA_VISIBLE_MOST];
        size_t length;
        int columns;
        n = 1;
        if (*text == '\n' || *text == '\t')
            shown[0] = *text, length = 1;
        else
            n = piaa_visible_next(text, size, shown, &length, &columns);
        if (!piaa_text_add(out, shown, length, error)) return false;
    }
    return true;
}

static bool say(void *user, const char *text) {
    asking *a = user;
    piaa_text shown = {0};
    const bool ok = !a->terminal
                        ? piaa_report_write(stdout, text, strlen(text), &a->error)
                        : make_visible(text, &shown, &a->error) &&
                              piaa_report_write(stdout, shown.data, shown.length, &a->error);
    free(shown.data);
    return ok;
}

static bool write_json(const piaa_call *call, const piaa_model *model, const piaa_answer *answer,
                       piaa_error *error) {
    const size_t photos = call->operand_count - 1;
    cJSON *root = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(root, "photos");
    for (size_t i = 0; i < photos; i++)
        cJSON_AddItemToArray(list, cJSON_CreateString(call->operands[i]));
    cJSON_AddStringToObject(root, "question", call->operands[photos]);
    cJSON_AddStringToObject(root, "text", answer->text);
    list = cJSON_AddArrayToObject(root, "new_ids");
    for (size_t i = 0; i < answer->new_count; i++)
        cJSON_AddItemToArray(list, cJSON_CreateNumber(answer->new_ids[i]));
    cJSON_AddBoolToObject(root, "stopped", answer->stopped);
    cJSON_AddItemToObject(root, "expected_score", piaa_report_number(answer->expected_score));
    cJSON_AddItemToObject(root, "digit_mass", piaa_report_number(answer->digit_mass));
    piaa_report_add_integer(root, "prompt_tokens", answer->prompt_tokens);
    cJSON_AddItemToObject(root, "first_seconds", piaa_report_number(answer->first_seconds));
    cJSON_AddItemToObject(root, "seconds", piaa_report_number(answer->seconds));
    cJSON_AddStringToObject(root, "model", piaa_model_get_info(model)->folder);
    const bool ok = piaa_report_write_json(stdout, root, error);
    cJSON_Delete(root);
    return ok;
}

static bool ask(piaa_call *call, const piaa_model *model, piaa_extractor *extractor,
                piaa_answering *how, piaa_error *error) {
    asking a = {.call = call, .terminal = isatty(STDOUT_FILENO) == 1};
    const bool json = piaa_call_has(call, "json");
    const size_t photos = call->operand_count - 1;
    how->prompt = call->operands[photos];
    how->user = &a;
    if (!json) how->piece = say;
    piaa_answer *answer = piaa_extractor_ask(extractor, call->operands, photos, how, NULL, error);
    bool ok = answer != NULL;
    if (ok && piaa_error_pending(&a.error))
        ok = piaa_error_set(error, a.error.code, "%s", a.error.message);
    if (ok)
        ok = json ? write_json(call, model, answer, error)
                  : piaa_report_write(stdout, "\n", 1, error);
    const char *note = ok ? piaa_extractor_note(extractor) : NULL;
    if (note) piaa_talk_warn(&call->talk, "%s", note);
    if (ok && !json && !answer->stopped)
        piaa_talk_note(&call->talk,
                       "The answer was cut off after %zu tokens: --max-tokens allows more.",
                       answer->new_count);
    piaa_answer_free(answer);
    return ok;
}

/* What makes sense of samples alone. */
static bool read_sampling(const piaa_call *call, piaa_answering *how, piaa_error *error) {
    static const char *const names[] = {"temperature", "top-k", "top-p", "seed"};
    int64_t top_k = 0, seed = 0;
    how->sample = piaa_call_has(call, "sample");
    for (size_t i = 0; !how->sample && i < PIAA_COUNT(names); i++)
        if (piaa_call_has(call, names[i]))
            return piaa_error_set(error, PIAA_USAGE,
                                  "--%s is about samples, and without --sample the likeliest token "
                                  "is taken: give both or none",
                                  names[i]);
    if (!piaa_call_number(call, "temperature", 0.001, 1000, &how->temperature, error) ||
        !piaa_call_number(call, "top-p", 0.001, 1, &how->top_p, error) ||
        !piaa_call_integer(call, "top-k", 1, INT32_MAX, &top_k, error) ||
        !piaa_call_integer(call, "seed", 0, INT64_MAX, &seed, error))
        return false;
    how->top_k = (int)top_k;
    how->seed = (uint64_t)seed;
    return true;
}

static bool run(piaa_call *call, piaa_error *error) {
    piaa_answering how = {0};
    piaa_request request;
    int64_t most = 0;
    if (!piaa_call_request_plain(call, NULL, &request, error) ||
        !read_sampling(call, &how, error) ||
        !piaa_call_integer(call, "max-tokens", 1, 1 << 20, &most, error))
        return false;
    how.max_tokens = (int)most;
    const char *question = call->operands[call->operand_count - 1];
    if (piaa_file_exists(question))
        return piaa_error_set(error, PIAA_USAGE, "%s is a file: the question comes last", question);
    piaa_model *model = piaa_call_model(call, piaa_call_value(call, "model"), error);
    piaa_extractor *extractor = model ? piaa_extractor_new(model, &request, error) : NULL;
    if (extractor) piaa_call_tell_demonstration(call, piaa_model_get_info(model)->demonstration);
    const bool ok = extractor && ask(call, model, extractor, &how, error);
    piaa_extractor_free(extractor);
    piaa_model_close(model);
    return ok;
}

static const piaa_option answer_options[] = {
    {"max-tokens", "N", "the longest answer",
     "what the model's generation_config.json says, or 256", NULL},
    {"json", NULL,
     "print JSON: text, new_ids, stopped, expected_score (the mean of 1 to 5 by the first token's "
     "probabilities), digit_mass (what the digits have of them), prompt_tokens, seconds",
     NULL, NULL},
    {0},
};

static const piaa_option sample_options[] = {
    {"sample", NULL, "draw each token by its probability, instead of taking the likeliest", NULL,
     NULL},
    {"temperature", "X", "above 1 makes draws more even, below 1 less", "the model's, or 1", NULL},
    {"top-k", "N", "draw from the N likeliest tokens alone", "the model's, or 50", NULL},
    {"top-p", "P", "draw from the fewest tokens that have P of the probability together",
     "the model's, or 1", NULL},
    {"seed", "N", "equal seeds draw equal answers", "0", NULL},
    {0},
};

static const piaa_option model_options[] = {
    PIAA_OPTION_MODEL,      PIAA_OPTION_MMPROJ, PIAA_OPTION_ADAPTER,         PIAA_OPTION_CHAT,
    PIAA_OPTION_MAX_PIXELS, PIAA_OPTION_DTYPE,  PIAA_OPTION_IMAGE_ATTENTION, PIAA_OPTION_EXIF,
    PIAA_OPTION_BACKGROUND, PIAA_OPTION_DEVICE, PIAA_OPTION_THREADS,         {0},
};

const piaa_command piaa_command_ask = {
    .name = "ask",
    .summary = "Ask the model about photos, in words",
    .example = "piaa ask beach.jpg \"Describe the light of this photo.\" --model qwen3-vl-2b\n"
               "piaa ask beach.jpg \"Rate this photo from 1 to 5.\" --json\n"
               "piaa ask beach.jpg forest.jpg \"Which of the two is better lit?\"\n",
    .operands = "PHOTO… QUESTION",
    .least = 2,
    .most = -1,
    .groups = {{"The answer", answer_options},
               {"Samples", sample_options},
               {"The model, and how photos are read", model_options}},
    .notes = "The answer is printed as it comes. Each token is the likeliest one, so that equal "
             "questions have equal answers; the model's generation_config.json says which tokens "
             "end an answer, which are never said and what repetition costs. A setting there that "
             "piaa does not know how to obey is an error that names it.",
    .run = run,
};

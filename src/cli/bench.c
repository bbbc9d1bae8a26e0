/* piaa bench: how long photos take in the model, for developers. */
#include "base/hooks.h"
#include "cli/commands.h"
#include "cli/reader.h"
#include "report/report.h"

#include <stdlib.h>

enum { REPEATS_MOST = 1000 };

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t count) {
    qsort(values, count, sizeof *values, compare_doubles);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

typedef struct bench {
    const piaa_model *model;
    piaa_session *session;
    piaa_ask ask;
    piaa_exif exif;
    float *out;
    size_t repeats;
    bool profile;
} bench;

static bool print_row(const char *path, const piaa_image *image, int tokens, double prepare, double model, double flops,
                      piaa_error *error) {
    piaa_text text = {0};
    bool ok = piaa_report_add_field(&text, path, error) &&
              piaa_text_format(&text, error, ",%d,%d,%d,%.6f,%.6f,%.3f,%.1f\n", image->width, image->height, tokens, prepare, model,
                               flops / 1e9, flops / 1e9 / model) &&
              piaa_report_write(stdout, text.data, text.length, error);
    free(text.data);
    return ok;
}

/* One run that is not counted, then `repeats` that are; preparation (resizing and all that follows decoding) is timed each time too. */
static bool measure(const bench *b, const char *path, piaa_error *error) {
    static double prepare[REPEATS_MOST], model[REPEATS_MOST];
    piaa_image image = {0};
    if (!piaa_image_read(path, b->exif, &image, error)) return false;
    bool ok = true;
    int tokens = 0;
    for (size_t i = 0; ok && i <= b->repeats; i++) {
        double start = piaa_seconds_now();
        piaa_model_input *input = piaa_model_prepare(b->model, &image, &b->ask, error);
        double prepared = piaa_seconds_now();
        ok = input && piaa_session_run(b->session, input, b->out, error);
        double end = piaa_seconds_now();
        if (ok && i) {
            prepare[i - 1] = prepared - start;
            model[i - 1] = end - prepared;
        }
        if (ok) tokens = piaa_model_input_tokens(input);
        if (ok && i == b->repeats && b->profile) {
            char *table = piaa_session_profile(b->session, input, b->out, error);
            ok = table && fputs(table, stderr) >= 0;
            free(table);
        }
        piaa_model_input_free(input);
    }
    ok = ok &&
         print_row(path, &image, tokens, median(prepare, b->repeats), median(model, b->repeats), piaa_session_flops(b->session), error);
    piaa_image_free(&image);
    return ok;
}

static bool run(piaa_call *call, piaa_error *error) {
    int64_t repeats = 3;
    piaa_request request;
    if (!piaa_call_integer(call, "repeat", 1, REPEATS_MOST, &repeats, error) || !piaa_reader_request(call, &request, error)) return false;
    piaa_reader reader = {0};
    bench b = {.repeats = (size_t)repeats, .profile = piaa_call_has(call, "profile"), .exif = request.exif};
    bool ok = piaa_reader_open(&reader, call, piaa_call_value(call, "model"), &request, error);
    if (ok) {
        const piaa_request *full = piaa_extractor_request(reader.extractor);
        piaa_session_options options = {.dtype = full->dtype, .threads = full->threads};
        b.model = reader.model;
        b.ask = (piaa_ask){.prompt = full->prompt, .max_pixels = full->max_pixels, .image_attention = full->image_attention};
        b.out = piaa_alloc(piaa_extractor_values(reader.extractor), sizeof *b.out, error);
        double start = piaa_seconds_now();
        b.session = b.out ? piaa_session_new(reader.model, piaa_extractor_slots(reader.extractor), &options, error) : NULL;
        ok = b.session != NULL;
        if (ok)
            piaa_talk_note(&call->talk, "# %.3f s to load %.1f MB of weights as %s; %d threads", piaa_seconds_now() - start,
                           (double)piaa_session_weight_bytes(b.session) / 1e6, piaa_dtype_name(piaa_session_dtype(b.session)),
                           full->threads);
    }
    static const char head[] = "photo,width,height,tokens,prepare_s,model_s,gflop,gflop_per_s\n";
    ok = ok && piaa_report_write(stdout, head, sizeof head - 1, error);
    for (size_t i = 0; ok && i < call->operand_count; i++) ok = measure(&b, call->operands[i], error);
    piaa_session_free(b.session);
    free(b.out);
    piaa_reader_close(&reader);
    return ok;
}

static const piaa_option options[] = {
    {"repeat", "N", "runs of each photo, after one that is not counted", "3", NULL},
    {"profile", NULL, "print on standard error where the time goes, by kind of operation", NULL, NULL},
    {0},
};

const piaa_command piaa_command_bench = {
    .name = "bench",
    .summary = "Time the model on photos (for developers)",
    .example = "piaa bench photo.jpg --model Qwen3-VL-2B-Instruct --dtype bf16\n",
    .operands = "PHOTOS…",
    .least = 1,
    .most = -1,
    .groups = {{"Timing", options}, {"How photos are read", piaa_reader_options}},
    .notes = "Prints a CSV of medians: prepare_s from decoded pixels to patches and token ids, model_s from there to pooled vectors. "
             "Weights are "
             "loaded before.",
    .run = run,
};

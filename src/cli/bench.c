/* piaa bench: how long photos take in the model, for developers. */
#include "base/hooks.h"
#include "cli/commands.h"
#include "cli/request.h"
#include "features/extractor.h"
#include "report/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { REPEATS_MOST = 1000 };

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t count) {
    qsort(values, count, sizeof *values, compare_doubles);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

static double processor_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Linux: MB of this process that are in memory, now ("VmRSS:") or at most ("VmHWM:", since the last
   forget_peak).  Elsewhere 0. */
static double resident(const char *key) {
    FILE *file = fopen(PIAA_PROC "/status", "r");
    char line[256];
    double kilobytes = 0;
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, key, strlen(key)) == 0) kilobytes = strtod(line + strlen(key), NULL);
    if (file) fclose(file);
    return kilobytes * 1024 / 1e6;
}

static void forget_peak(void) {
    FILE *file = fopen(PIAA_PROC "/clear_refs", "w");
    if (!file) return;
    fputs("5", file);
    fclose(file);
}

typedef struct bench {
    const piaa_model *model;
    piaa_session *session;
    piaa_ask ask;
    piaa_exif exif;
    float *out;
    size_t repeats;
    bool profile;
    double loaded; /* MB in memory before the first photo */
} bench;

typedef struct medians {
    double prepare, model, processor;
} medians;

static bool print_row(const bench *b, const char *path, const piaa_image *image, int tokens,
                      const medians *m, piaa_error *error) {
    const double gflop = piaa_session_flops(b->session) / 1e9;
    piaa_text text = {0};
    bool ok =
        piaa_report_add_field(&text, path, error) &&
        piaa_text_format(&text, error, ",%d,%d,%d,%.6f,%.6f,%.6f,%.3f,%.1f,%.1f,%.1f\n",
                         image->width, image->height, tokens, m->prepare, m->model, m->processor,
                         gflop, gflop / m->model, b->loaded, resident("VmHWM:")) &&
        piaa_report_write(stdout, text.data, text.length, error);
    free(text.data);
    return ok;
}

/* One run that is not counted, then `repeats` that are; preparation (resizing and all that follows
   decoding) is timed each time too. */
static bool measure(const bench *b, const char *path, piaa_error *error) {
    static double prepare[REPEATS_MOST], model[REPEATS_MOST], processor[REPEATS_MOST];
    piaa_image image = {0};
    if (!piaa_image_read(path, b->exif, &image, error)) return false;
    bool ok = true;
    int tokens = 0;
    forget_peak();
    for (size_t i = 0; ok && i <= b->repeats; i++) {
        double start = piaa_seconds_now();
        piaa_model_input *input = piaa_model_prepare(b->model, &image, &b->ask, error);
        double prepared = piaa_seconds_now(), processor_start = processor_seconds();
        ok = input && piaa_session_run(b->session, input, b->out, error);
        double end = piaa_seconds_now();
        if (ok && i) {
            prepare[i - 1] = prepared - start;
            model[i - 1] = end - prepared;
            processor[i - 1] = processor_seconds() - processor_start;
        }
        if (ok) tokens = piaa_model_input_tokens(input);
        if (ok && i == b->repeats && b->profile) {
            char *table = piaa_session_profile(b->session, input, b->out, error);
            ok = table && fputs(table, stderr) >= 0;
            free(table);
        }
        piaa_model_input_free(input);
    }
    const medians m = {median(prepare, b->repeats), median(model, b->repeats),
                       median(processor, b->repeats)};
    ok = ok && print_row(b, path, &image, tokens, &m, error);
    piaa_image_free(&image);
    return ok;
}

static bool run(piaa_call *call, piaa_error *error) {
    int64_t repeats = 3;
    piaa_request request;
    if (!piaa_call_integer(call, "repeat", 1, REPEATS_MOST, &repeats, error) ||
        !piaa_call_request(call, NULL, &request, error))
        return false;
    piaa_model *model = piaa_call_model(call, piaa_call_value(call, "model"), error);
    piaa_extractor *extractor = model ? piaa_extractor_new(model, &request, error) : NULL;
    bench b = {.repeats = (size_t)repeats,
               .profile = piaa_call_has(call, "profile"),
               .exif = request.exif};
    bool ok = extractor != NULL;
    if (ok) {
        piaa_call_tell_demonstration(call, piaa_model_get_info(model)->demonstration);
        const piaa_request *full = piaa_extractor_request(extractor);
        piaa_session_options options = {
            .dtype = full->dtype, .threads = full->threads, .device = full->device};
        b.model = model;
        b.ask = (piaa_ask){.prompt = full->prompt,
                           .max_pixels = full->max_pixels,
                           .published = full->chat == PIAA_FORM_PUBLISHED,
                           .image_attention = full->image_attention};
        b.out = piaa_alloc(piaa_extractor_values(extractor), sizeof *b.out, error);
        double start = piaa_seconds_now();
        b.session = b.out
                        ? piaa_session_new(model, piaa_extractor_slots(extractor), &options, error)
                        : NULL;
        ok = b.session != NULL;
        if (ok)
            piaa_talk_note(
                &call->talk, "# %.3f s to load %.1f MB of weights as %s on %s; %d threads",
                piaa_seconds_now() - start, (double)piaa_session_weight_bytes(b.session) / 1e6,
                piaa_dtype_name(piaa_session_dtype(b.session)), piaa_session_device(b.session),
                full->threads);
        b.loaded = resident("VmRSS:");
    }
    if (ok && piaa_session_note(b.session))
        piaa_talk_warn(&call->talk, "%s", piaa_session_note(b.session));
    static const char head[] =
        "photo,width,height,tokens,prepare_s,model_s,cpu_s,gflop,gflop_per_s,loaded_mb,peak_mb\n";
    ok = ok && piaa_report_write(stdout, head, sizeof head - 1, error);
    for (size_t i = 0; ok && i < call->operand_count; i++)
        ok = measure(&b, call->operands[i], error);
    piaa_session_free(b.session);
    free(b.out);
    piaa_extractor_free(extractor);
    piaa_model_close(model);
    return ok;
}

static const piaa_option options[] = {
    {"repeat", "N", "runs of each photo, after one that is not counted", "3", NULL},
    {"profile", NULL, "print on standard error where the time goes, by kind of operation", NULL,
     NULL},
    {0},
};

const piaa_command piaa_command_bench = {
    .name = "bench",
    .summary = "Time the model on photos (for developers)",
    .example = "piaa bench photo.jpg --model Qwen3-VL-2B-Instruct --dtype bf16\n",
    .operands = "PHOTOS…",
    .least = 1,
    .most = -1,
    .groups = {{"Timing", options}, {"How photos are read", piaa_request_options}},
    .notes = "Prints a CSV of medians: prepare_s from decoded pixels to patches and token ids, "
             "model_s from there to pooled vectors, "
             "cpu_s the same in processor time of all threads. Weights are loaded before; "
             "loaded_mb is what the process holds then, peak_mb "
             "the most that it holds while the photo is worked on (0 where there is no /proc).",
    .run = run,
};

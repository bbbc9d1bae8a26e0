/* Seconds of a step of training an adapter, photos seen beforehand, as CSV.
 *
 *     bench_lora MODEL DTYPE PHOTO [BATCH [STEPS [THREADS]]]
 *
 * cpu and wall are the least of all steps but the first. */
#include "base/blas.h"
#include "base/memory.h"
#include "features/extractor.h"
#include "train/trainer.h"
#include "train/tune.h"
#include "vlm/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double seconds_of(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

typedef struct bench {
    piaa_model *model;
    piaa_extractor *extractor;
    piaa_session *session;
    piaa_sight sight;
    piaa_sample *sample;
    piaa_network *network;
    piaa_lora *lora;
    piaa_trainer *trainer;
} bench;

static bool see(bench *b, const char *path, piaa_error *error) {
    piaa_photo_file file = {0};
    const piaa_request *r = piaa_extractor_request(b->extractor);
    b->session = piaa_session_new(
        b->model, &(piaa_slots){0},
        &(piaa_session_options){
            .dtype = r->dtype, .threads = r->threads, .device = "cpu", .see = true},
        error);
    piaa_model_input *input = b->session && piaa_photo_file_read(&file, path, error)
                                  ? piaa_extractor_prepare(b->extractor, &file, NULL, error)
                                  : NULL;
    piaa_photo_file_free(&file);
    const bool ok = input && piaa_session_see(b->session, input, &b->sight, error);
    piaa_model_input_free(input);
    piaa_session_free(b->session);
    b->session = NULL;
    return ok;
}

static bool converse(bench *b, piaa_error *error) {
    const piaa_sight *sight = &b->sight;
    const piaa_chat_part question[] = {
        {.image_tokens = (size_t)sight->rows * (size_t)sight->columns},
        {.text = PIAA_EXPERT_PROMPT}};
    const piaa_chat_part reply = {.text = "3.50"};
    const piaa_chat_turn turns[] = {{.parts = question, .count = 2},
                                    {.assistant = true, .parts = &reply, .count = 1}};
    piaa_chat_tokens chat;
    if (!piaa_model_encode(b->model, turns, 2, &(piaa_ask){0}, &chat, error)) return false;
    bool *labelled = piaa_alloc(chat.ids.count, sizeof *labelled, error);
    for (size_t i = 0; labelled && i < chat.ids.count; i++) labelled[i] = i + 6 >= chat.ids.count;
    if (labelled)
        b->sample =
            piaa_sample_new(b->model, &chat, labelled, &sight, PIAA_IMAGE_BOTH_WAYS, 0, error);
    free(labelled);
    piaa_chat_tokens_free(&chat);
    return b->sample != NULL;
}

static bool open_bench(bench *b, char **words, int threads, piaa_error *error) {
    piaa_request request = {.threads = threads, .device = "cpu", .prompt = PIAA_EXPERT_PROMPT};
    if (!piaa_dtype_parse(words[2], &request.dtype))
        return piaa_error_set(error, PIAA_USAGE, "no such type: %s", words[2]);
    b->model = piaa_model_open(words[1], error);
    b->extractor = b->model ? piaa_extractor_new(b->model, &request, error) : NULL;
    if (!b->extractor || !see(b, words[3], error) || !converse(b, error)) return false;
    const piaa_decoder *decoder = b->model->family->decoder(b->model->config);
    const piaa_request *r = piaa_extractor_request(b->extractor);
    b->network = piaa_network_new(decoder, r->dtype, threads, error);
    b->lora = b->network ? piaa_lora_new(decoder, 8, 16, PIAA_ALL_TARGETS, 0, 1, error) : NULL;
    b->trainer = b->lora ? piaa_trainer_new(b->network, b->lora, 0.01, error) : NULL;
    return b->trainer != NULL;
}

static bool run(bench *b, int size, int steps, double *cpu, double *wall, piaa_error *error) {
    const piaa_sample **samples = piaa_alloc((size_t)size, sizeof *samples, error);
    bool ok = samples != NULL;
    for (int i = 0; ok && i < size; i++) samples[i] = b->sample;
    const piaa_batch batch = {.samples = samples, .count = (size_t)size};
    for (int step = 0; ok && step < steps; step++) {
        const double c = seconds_of(CLOCK_PROCESS_CPUTIME_ID), w = seconds_of(CLOCK_MONOTONIC);
        ok = piaa_trainer_step(b->trainer, &batch, 1e-4, NULL, error);
        const double c2 = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - c,
                     w2 = seconds_of(CLOCK_MONOTONIC) - w;
        if (step == 1 || (step > 1 && c2 < *cpu)) *cpu = c2;
        if (step == 1 || (step > 1 && w2 < *wall)) *wall = w2;
    }
    free(samples);
    return ok;
}

int main(int count, char **words) {
    if (count < 4) {
        fprintf(stderr, "bench_lora MODEL DTYPE PHOTO [BATCH [STEPS [THREADS]]]\n");
        return 2;
    }
    const int size = count > 4 ? atoi(words[4]) : 4, steps = count > 5 ? atoi(words[5]) : 5,
              threads = count > 6 ? atoi(words[6]) : 1;
    piaa_error error = {0};
    bench b = {0};
    double cpu = 0, wall = 0;
    piaa_blas_hold();
    const bool ok = open_bench(&b, words, threads, &error) &&
                    run(&b, size, steps < 2 ? 2 : steps, &cpu, &wall, &error);
    if (ok)
        printf(
            "model,dtype,batch,tokens,labels,numbers,threads,cpu_seconds,wall_seconds,weights_mb\n"
            "%s,%s,%d,%d,%d,%zu,%d,%.3f,%.3f,%zu\n",
            words[1], words[2], size, b.sample->tokens, piaa_sample_labels(b.sample), b.lora->count,
            threads, cpu, wall, piaa_network_bytes(b.network) >> 20);
    else
        fprintf(stderr, "bench_lora: %s\n", error.message);
    piaa_trainer_free(b.trainer);
    piaa_lora_free(b.lora);
    piaa_network_free(b.network);
    piaa_sample_free(b.sample);
    piaa_sight_free(&b.sight);
    piaa_extractor_free(b.extractor);
    piaa_model_close(b.model);
    return ok ? 0 : 1;
}

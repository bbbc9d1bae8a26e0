/*
 * Speed of reading a question and of answering it, beside what the memory gives, as CSV.
 *
 *   bench_decode MODEL PHOTO [threads [dtype [tokens [rounds]]]]
 *
 * A token after a token multiplies little and reads every weight: what memory gives is the limit.
 * So each round reads 1 GiB from end to end with as many threads (stream), then the question
 * (prefill), then `tokens` (16) more one by one (decode), and the best of `rounds` (5) counts for
 * each: on a busy machine all three are as undisturbed as they come.  decode_gb_per_s counts the
 * matrices alone, share is its part of the stream; the columns that end in cpu are the same by
 * seconds of processor time, which other programs change less.
 */
#include "base/hooks.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "base/processors.h"
#include "image/image.h"
#include "vlm/vlm.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CHUNKS = 64, CHUNK_BYTES = 1 << 24 }; /* 1 GiB */

typedef struct meter {
    double wall, processor;
} meter;

static meter now(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (meter){piaa_seconds_now(), (double)t.tv_sec + 1e-9 * (double)t.tv_nsec};
}

/* The shortest times of all rounds. */
static void note(meter *best, meter start) {
    const meter end = now();
    best->wall = fmin(best->wall, end.wall - start.wall);
    best->processor = fmin(best->processor, end.processor - start.processor);
}

/* The C library looks for a byte that is not there, with the widest loads that the CPU has. */
static bool read_chunk(void *user, size_t chunk, piaa_error *error) {
    const char *bytes = (const char *)user + chunk * CHUNK_BYTES;
    return !memchr(bytes, 2, CHUNK_BYTES) || piaa_error_set(error, PIAA_FORMAT, "a byte is found");
}

typedef struct bench {
    piaa_model *model;
    piaa_session *session;
    piaa_model_input *input;
    char *stream;
    int threads, tokens;
    meter streamed, prefill, decode;
    double bytes; /* of matrices, for a token */
} bench;

static bool run_round(bench *b, piaa_error *error) {
    meter start = now();
    if (!piaa_parallel_run(CHUNKS, b->threads, read_chunk, b->stream, NULL, NULL, error))
        return false;
    note(&b->streamed, start);
    start = now();
    if (!piaa_session_run(b->session, b->input, NULL, error)) return false;
    note(&b->prefill, start);
    piaa_place place = piaa_model_input_end(b->input);
    const int32_t id = piaa_tokenizer_find(piaa_model_tokenizer(b->model), "a");
    for (int i = 0; i < b->tokens; i++) {
        start = now();
        piaa_model_input *next = piaa_model_continue(b->model, place, &id, 1, error);
        const bool ok = next && piaa_session_run(b->session, next, NULL, error);
        if (ok) place = piaa_model_input_end(next);
        piaa_model_input_free(next);
        if (!ok) return false;
        note(&b->decode, start);
        b->bytes = piaa_session_bytes(b->session);
    }
    return true;
}

static bool open_all(bench *b, const char *model, const char *photo, const char *dtype,
                     piaa_error *error) {
    piaa_image image = {0};
    const piaa_slots none = {0};
    piaa_session_options options = {
        .threads = b->threads, .logits = true, .cache = 64, .device = "cpu"};
    const piaa_ask ask = {.generate = true};
    if (!piaa_dtype_parse(dtype, &options.dtype))
        return piaa_error_set(error, PIAA_USAGE, "%s is no type", dtype);
    b->model = piaa_model_open(model, error);
    if (!b->model || !piaa_image_read(photo, PIAA_EXIF_APPLY, &image, error)) return false;
    b->input = piaa_model_prepare(b->model, &image, &ask, error);
    piaa_image_free(&image);
    b->session = b->input ? piaa_session_new(b->model, &none, &options, error) : NULL;
    b->stream = piaa_alloc_array(CHUNKS, CHUNK_BYTES, error);
    if (!b->session || !b->stream) return false;
    memset(b->stream, 1, (size_t)CHUNKS * CHUNK_BYTES);
    return true;
}

static void print(const bench *b, const char *dtype) {
    const double all = (double)CHUNKS * CHUNK_BYTES, threads = b->threads;
    const double streamed = all / b->streamed.wall / 1e9, read = b->bytes / b->decode.wall / 1e9;
    const double stream_cpu = all / b->streamed.processor * threads / 1e9,
                 read_cpu = b->bytes / b->decode.processor * threads / 1e9;
    const int prompt = piaa_model_input_tokens(b->input);
    printf("dtype,threads,prompt_tokens,prefill_s,prefill_tokens_per_s,decode_tokens_per_s,"
           "decode_gb_per_s,stream_gb_per_s,share,decode_gb_per_s_cpu,stream_gb_per_s_cpu,"
           "share_cpu\n%s,%d,%d,%.3f,%.1f,%.2f,%.2f,%.2f,%.3f,%.2f,%.2f,%.3f\n",
           dtype, b->threads, prompt, b->prefill.wall, prompt / b->prefill.wall, 1 / b->decode.wall,
           read, streamed, read / streamed, read_cpu, stream_cpu, read_cpu / stream_cpu);
}

int main(int count, char **words) {
    piaa_error error = {0};
    if (count < 3) {
        fprintf(stderr, "bench_decode MODEL PHOTO [threads [dtype [tokens [rounds]]]]\n");
        return 2;
    }
    const char *dtype = count > 4 ? words[4] : "auto";
    const int rounds = count > 6 ? atoi(words[6]) : 5;
    const meter never = {INFINITY, INFINITY};
    bench b = {.threads = count > 3 ? atoi(words[3]) : piaa_processors(),
               .tokens = count > 5 ? atoi(words[5]) : 16,
               .streamed = never,
               .prefill = never,
               .decode = never};
    bool ok = open_all(&b, words[1], words[2], dtype, &error);
    for (int i = 0; ok && i < rounds; i++) ok = run_round(&b, &error);
    if (ok)
        print(&b, dtype);
    else
        fprintf(stderr, "bench_decode: %s\n", error.message);
    free(b.stream);
    piaa_session_free(b.session);
    piaa_model_input_free(b.input);
    piaa_model_close(b.model);
    return ok ? 0 : 1;
}

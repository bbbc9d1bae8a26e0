/*
 * Times what follows one more rating: learning, and the new order of all photos (study/rank.h).
 *
 *     bench_rank STORE PHOTOS DIM [RATED [ROUNDS]]
 *
 * STORE is made if it is not there: features of 24 directions with falling spread and a little of
 * every other, one photo in fifty a near copy of one before it.  Prints CSV: milliseconds to open
 * the store, to learn, to rank, and to find the best 100 (medians of ROUNDS); then how fast the
 * best 100 are found beside what the machine can do (best of ROUNDS of each, in turn): a sum over
 * the matrix on all processors where it lies in memory and was mapped already, the same of a fresh
 * mapping, and reading the file from a disk whose cache was emptied of it.  On a machine that is
 * shared the share of processor time says what the share of time would be on an idle one.
 */
#include "study/rank.h"

#include "base/blas.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "base/portability.h"
#include "base/processors.h"
#include "base/random.h"
#include "timing.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DIRECTIONS = 24, MOST = 100, TOP = 100, PIECE = 1 << 23 };

static double median(double *values, int count) {
    qsort(values, (size_t)count, sizeof *values, ascending);
    return values[count / 2];
}

static float normal(piaa_random *random) {
    const double radius = sqrt(-2 * log(1 - piaa_random_unit(random)));
    return (float)(radius * cos(2 * 3.14159265358979 * piaa_random_unit(random)));
}

static void name_photo(char *path, size_t size, size_t i) {
    snprintf(path, size, "/photos/%03zu/IMG_%06zu.JPG", i / 1000, i);
}

static void make_vector(piaa_random *random, const float *axes, size_t dim, size_t i, float *x) {
    const float size = i % 50 == 49 ? 0.02F : 1; /* a copy: little is added to the one before */
    if (size == 1) memset(x, 0, dim * sizeof *x);
    for (int k = 0; k < DIRECTIONS; k++) {
        const float at = size * normal(random) / sqrtf((float)(k + 1));
        for (size_t j = 0; j < dim; j++) x[j] += at * axes[(size_t)k * dim + j];
    }
    for (size_t j = 0; j < dim; j++) x[j] += 0.3F * size * (float)(piaa_random_unit(random) - 0.5);
}

static bool fill(piaa_store *store, size_t photos, size_t dim, piaa_error *error) {
    piaa_random random;
    piaa_random_seed_numpy(&random, 1);
    float *axes = piaa_alloc_array(DIRECTIONS * dim, sizeof *axes, error),
          *x = axes ? piaa_alloc_array(dim, sizeof *x, error) : NULL;
    bool ok = x;
    for (size_t i = 0; ok && i < DIRECTIONS * dim; i++) axes[i] = normal(&random);
    for (size_t i = 0; ok && i < photos; i++) {
        char path[64], hash[65];
        name_photo(path, sizeof path, i);
        snprintf(hash, sizeof hash, "%064zx", i * 0x9e3779b97f4a7c15U);
        const piaa_photo photo = {.path = path, .size = 1, .mtime_ns = 1, .hash = hash, .row = -1};
        piaa_photo_state state;
        bool missing[1];
        make_vector(&random, axes, dim, i, x);
        ok = piaa_store_lookup(store, &photo, &state, missing, error) &&
             piaa_store_put(store, &photo, &(const float *){x}, error);
    }
    free(axes);
    free(x);
    return ok && piaa_store_finish(store, error);
}

static bool make(const char *path, size_t photos, int dim, piaa_error *error) {
    piaa_slot slot = {.pool = PIAA_LT, .layer = 15, .dim = dim};
    const piaa_slots slots = {&slot, 1};
    const piaa_identity identity = {.fingerprint = "00ff",
                                    .model = "made",
                                    .family = "Qwen3-VL",
                                    .prompt = "",
                                    .preprocessing = "none",
                                    .dtype = "f32",
                                    .library = "0"};
    piaa_store *store = piaa_store_open_write(path, &identity, &slots, NULL, error);
    const bool ok = store && fill(store, photos, (size_t)dim, error);
    piaa_store_close(store);
    return ok;
}

static piaa_ratings *rate(size_t photos, size_t rated, piaa_error *error) {
    piaa_random random;
    piaa_random_seed_numpy(&random, 2);
    char(*paths)[64] = piaa_alloc_array(rated, sizeof *paths, error);
    piaa_rating *items = paths ? piaa_alloc_array(rated, sizeof *items, error) : NULL;
    for (size_t i = 0; items && i < rated; i++) {
        name_photo(paths[i], sizeof *paths, i * (photos / rated));
        items[i] =
            (piaa_rating){.path = paths[i], .score = floor(1 + 5 * piaa_random_unit(&random))};
    }
    piaa_ratings *ratings = items ? piaa_ratings_from("here", items, rated, error) : NULL;
    free(items);
    free(paths);
    return ratings;
}

/* What is timed: the taste of one more rating for each round, and the order by it. */
typedef struct trial {
    piaa_ratings *ratings;
    piaa_taste *taste;
    double learned, ranked; /* milliseconds */
} trial;

static void forget(trial *t) {
    piaa_taste_free(t->taste);
    piaa_ratings_free(t->ratings);
}

static bool learn(const piaa_store *store, size_t photos, size_t rated, trial *t,
                  piaa_error *error) {
    *t = (trial){.ratings = rate(photos, rated, error)};
    const double begin = now();
    if (t->ratings) t->taste = piaa_taste_learn(store, 0, t->ratings, NULL, error);
    t->learned = now() - begin;
    return t->taste;
}

/* top 0: all. */
static bool rank(const piaa_store *store, size_t top, trial *t, piaa_error *error) {
    const piaa_said said = {.ratings = t->ratings};
    const double begin = now();
    piaa_ranking *ranking = piaa_rank_best(t->taste, store, NULL, &said, top, error);
    t->ranked = now() - begin;
    piaa_ranking_free(ranking);
    return ranking;
}

static bool measure(const piaa_store *store, size_t photos, size_t rated, int rounds, double opened,
                    piaa_error *error) {
    double learned[MOST], ranked[MOST], best[MOST];
    for (int r = 0; r < rounds; r++) {
        trial t;
        bool ok = learn(store, photos, rated + (size_t)r, &t, error) && rank(store, 0, &t, error);
        learned[r] = t.learned;
        ranked[r] = t.ranked;
        ok = ok && rank(store, TOP, &t, error);
        best[r] = t.ranked;
        forget(&t);
        if (!ok) return false;
    }
    printf("photos,dim,rated,open ms,learn ms,rank ms,best %d ms\n%zu,%d,%zu,%.1f,%.1f,%.1f,%.1f\n",
           TOP, photos, piaa_store_slots(store)->items[0].dim, rated, opened,
           median(learned, rounds), median(ranked, rounds), median(best, rounds));
    return true;
}

/* ------------------------------------------------------------------------------------ bandwidth */

typedef struct summing {
    const float *x;
    size_t count;
    float sums[1 << 14]; /* of each piece, so that none is left out */
} summing;

static bool sum_piece(void *user, size_t i, piaa_error *error) {
    summing *s = user;
    (void)error;
    const size_t piece = PIECE / sizeof *s->x, first = i * piece,
                 end = first + piece < s->count ? first + piece : s->count;
    float lanes[64] = {0};
    for (size_t j = first; j + 64 <= end; j += 64)
        for (size_t k = 0; k < 64; k++) lanes[k] += s->x[j + k];
    for (size_t k = 0; k < 64; k++) s->sums[i] += lanes[k];
    return true;
}

static bool sum(const float *x, size_t count, piaa_error *error) {
    summing *s = piaa_alloc(1, sizeof *s, error);
    if (!s) return false;
    s->x = x;
    s->count = count;
    const size_t pieces = (count * sizeof *x + PIECE - 1) / PIECE;
    const bool ok = pieces <= sizeof s->sums / sizeof *s->sums &&
                    piaa_parallel_run(pieces, piaa_processors(), sum_piece, s, "", NULL, error);
    free(s);
    return ok;
}

/* Empties the system's cache of the file. */
static bool drop(const char *path) {
    const int file = open(path, O_RDONLY);
    const bool ok = file >= 0 && fsync(file) == 0 && piaa_forget_file(file) == 0;
    if (file >= 0) close(file);
    return ok;
}

static bool read_through(const char *path, piaa_error *error) {
    char *bytes = piaa_alloc(PIECE, 1, error);
    const int file = bytes ? open(path, O_RDONLY) : -1;
    ssize_t got = -1;
    while (file >= 0 && (got = read(file, bytes, PIECE)) > 0)
        ;
    if (file >= 0) close(file);
    free(bytes);
    return got == 0;
}

typedef enum state { MAPPED, FRESH, DISK, STATES } state;

/* Milliseconds. */
typedef struct spent {
    double time, processor;
} spent;

static double processor_time(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static spent begin_now(void) {
    return (spent){now(), processor_time()};
}

static spent since(spent begin) {
    return (spent){now() - begin.time, processor_time() - begin.processor};
}

/* The least of each. */
static void keep_least(spent *least, spent one) {
    least->time = fmin(least->time, one.time);
    least->processor = fmin(least->processor, one.processor);
}

/* What the machine takes, with nothing of the store's. */
static bool time_machine(state at, const char *matrix, spent *out, piaa_error *error) {
    piaa_map map = {0};
    if (at == DISK && !drop(matrix)) return false;
    if (at != DISK && !piaa_map_open(&map, matrix, error)) return false;
    const float *x = (const float *)(const void *)map.data;
    bool ok = at != MAPPED || sum(x, map.size / sizeof *x, error);
    const spent begin = begin_now();
    ok = ok && (at == DISK ? read_through(matrix, error) : sum(x, map.size / sizeof *x, error));
    *out = since(begin);
    piaa_map_close(&map);
    return ok;
}

/* The same of the best TOP. */
static bool time_ranking(state at, const char *path, const char *matrix, size_t photos,
                         size_t rated, spent *out, piaa_error *error) {
    piaa_store *store = piaa_store_open_read(path, NULL, error);
    trial t = {0};
    bool ok = store && learn(store, photos, rated, &t, error) &&
              (at != MAPPED || rank(store, TOP, &t, error)) &&
              (at != DISK || drop(matrix)); /* what was read around the rated ones */
    const spent begin = begin_now();
    ok = ok && rank(store, TOP, &t, error);
    *out = since(begin);
    forget(&t);
    piaa_store_close(store);
    return ok;
}

static bool compare(const char *path, size_t photos, int dim, size_t rated, int rounds,
                    piaa_error *error) {
    static const char *const names[] = {"memory, mapped", "memory, not mapped", "disk"};
    const double bytes = (double)photos * dim * sizeof(float);
    char *matrix = piaa_format(error, "%s/lt.15.npy", path);
    bool ok = matrix;
    printf("where,machine GB/s,best %d GB/s,share,share of processor time\n", TOP);
    for (state at = 0; ok && at < STATES; at++) {
        spent machine = {INFINITY, INFINITY}, ranking = machine;
        for (int r = 0; ok && r < rounds; r++) {
            spent one = {0}, other = {0};
            ok = time_machine(at, matrix, &one, error) &&
                 time_ranking(at, path, matrix, photos, rated, &other, error);
            keep_least(&machine, one);
            keep_least(&ranking, other);
        }
        if (ok)
            printf("%s,%.1f,%.1f,%.2f,%.2f\n", names[at], bytes / machine.time / 1e6,
                   bytes / ranking.time / 1e6, machine.time / ranking.time,
                   machine.processor / ranking.processor);
    }
    free(matrix);
    return ok;
}

int main(int argc, char **argv) {
    piaa_error error = {0};
    if (argc < 4) {
        fprintf(stderr, "bench_rank STORE PHOTOS DIM [RATED [ROUNDS]]\n");
        return 2;
    }
    const size_t photos = strtoull(argv[2], NULL, 10),
                 rated = argc > 4 ? strtoull(argv[4], NULL, 10) : 100;
    const int rounds = argc > 5 && atoi(argv[5]) < MOST ? atoi(argv[5]) : 5;
    piaa_blas_hold();
    piaa_store *store = piaa_store_open_read(argv[1], NULL, NULL);
    if (!store && make(argv[1], photos, atoi(argv[3]), &error)) error = (piaa_error){0};
    piaa_store_close(store);
    const double begin = now();
    store = piaa_store_open_read(argv[1], NULL, &error);
    bool ok = store && measure(store, photos, rated, rounds, now() - begin, &error);
    piaa_store_close(store);
    ok = ok && compare(argv[1], photos, atoi(argv[3]), rated, rounds, &error);
    if (!ok) fprintf(stderr, "%s\n", error.message);
    return !ok;
}

/* Photos put in order by one person's taste. */
#include "study/rank.h"

#include "base/memory.h"
#include "base/parallel.h"
#include "base/processors.h"
#include "linear/loops.h"
#include "linear/near.h"
#include "study/rated.h"
#include "study/taste_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------------- scores, row by row */

/*
 * All rows are scored in one pass through the matrices, in the order in which they lie there, in
 * chunks on all processors: few as a row's products are, it is memory and disk that one waits for.
 * The pass also finds which rows are near copies of rated ones; those are scored anew after it.
 */
enum { CHUNK = 1024 /* rows: a multiple of 8, so that no two jobs share a byte of bits */ };

/* A bit for each row. */
static bool bit_at(const unsigned char *bits, int64_t row) {
    return bits[row / 8] >> (row % 8) & 1;
}

static void set_bit(unsigned char *bits, int64_t row) {
    bits[row / 8] |= (unsigned char)(1 << row % 8);
}

/* All of what follows is [rows] of the store. */
typedef struct scores {
    int64_t rows;
    double *of;
    unsigned char *wanted; /* bits; NULL: all that have vectors */
    unsigned char *copies; /* bits: near copies of rated ones; NULL: they are not looked for */
} scores;

typedef struct pass {
    const piaa_taste *taste;
    const piaa_joined *joined;
    const piaa_near_search *near;
    scores *scores;
} pass;

static bool is_wanted(const pass *p, int64_t row) {
    return p->scores->wanted ? bit_at(p->scores->wanted, row) : piaa_joined_has(p->joined, row);
}

/* The next PIAA_LOOPS_ROWS wanted rows from `row` on and before `end`, the last of them again where
   there are fewer; how many.  room [PIAA_LOOPS_ROWS][dim]. */
static int take_rows(const pass *p, int64_t *row, int64_t end, float *room, int64_t *rows,
                     const float **x) {
    int count = 0;
    for (; *row < end && count < PIAA_LOOPS_ROWS; (*row)++) {
        if (!is_wanted(p, *row)) continue;
        rows[count] = *row;
        x[count] = piaa_joined_read(p->joined, *row, room + (size_t)count * (size_t)p->joined->dim);
        count++;
    }
    for (int i = count; count && i < PIAA_LOOPS_ROWS; i++) x[i] = x[count - 1];
    return count;
}

static void score_rows(const pass *p, int count, const int64_t *rows, const float *const *x,
                       const float *const *next, piaa_near_found *found) {
    const piaa_taste *taste = p->taste;
    double sums[PIAA_LOOPS_ROWS];
    bool near[PIAA_LOOPS_ROWS] = {false};
    piaa_loops_here()->dots(sums, taste->weights, taste->mean, x, next, (size_t)taste->dim);
    if (p->near) piaa_near_search_each(p->near, x, found, near);
    for (int i = 0; i < count; i++) {
        p->scores->of[rows[i]] = taste->intercept + sums[i];
        if (near[i]) set_bit(p->scores->copies, rows[i]);
    }
}

static bool score_chunk(void *user, size_t chunk, piaa_error *error) {
    const pass *p = user;
    const size_t room = PIAA_LOOPS_ROWS * (size_t)p->joined->dim;
    int64_t row = (int64_t)chunk * CHUNK, end = row + CHUNK, rows[2][PIAA_LOOPS_ROWS];
    if (end > p->scores->rows) end = p->scores->rows;
    const float *x[2][PIAA_LOOPS_ROWS];
    float *space = piaa_alloc_array(2 * room, sizeof *space, error);
    piaa_near_found found = {0};
    const bool ok = space && (!p->near || piaa_near_found_open(&found, p->near, error));
    int now = 0, count = ok ? take_rows(p, &row, end, space, rows[0], x[0]) : 0;
    while (count) {
        const int other = !now, more = take_rows(p, &row, end, space + (size_t)other * room,
                                                 rows[other], x[other]);
        score_rows(p, count, rows[now], x[now], more ? x[other] : x[now], &found);
        count = more;
        now = other;
    }
    free(space);
    piaa_near_found_close(&found);
    return ok;
}

static bool run_pass(pass *p, piaa_error *error) {
    const size_t chunks = (size_t)((p->scores->rows + CHUNK - 1) / CHUNK);
    return piaa_parallel_run(chunks, piaa_processors(), score_chunk, p, "", NULL, error);
}

/* What predictions without some of the rated photos are made from. */
typedef struct blind {
    const piaa_taste *taste;
    piaa_joined *joined;
    const piaa_rated *rated;
    piaa_band blocks[PIAA_SOURCE_PARTS]; /* of the rated photos */
    piaa_near_search *near;
    piaa_bands *bands;    /* of the blocks; NULL until it is needed */
    double *weights;      /* [dim] of the model without */
    piaa_near_found left; /* which are left out */
    bool *group;          /* [rated->count] of the first photo of each group: it is left out */
} blind;

static void blind_close(blind *b) {
    piaa_bands_free(b->bands);
    piaa_near_search_free(b->near);
    free(b->weights);
    piaa_near_found_close(&b->left);
    free(b->group);
}

static bool blind_open(blind *b, piaa_error *error) {
    const piaa_near *near = b->taste->near;
    return piaa_joined_bands(b->joined, b->rated->rows, b->rated->count, b->blocks, error) &&
           (b->near = piaa_near_search_new(near, b->blocks[0].x, b->blocks[0].rows, error)) &&
           piaa_near_found_open(&b->left, b->near, error) &&
           (b->group = piaa_alloc((size_t)b->rated->count, sizeof *b->group, error));
}

/* The rated photos that `photo` is a near copy of, and theirs, into b->left; how many. */
static int64_t find_near(blind *b, const float *photo) {
    const piaa_near *near = b->taste->near;
    int64_t *left = b->left.rows, count = piaa_near_search_find(b->near, photo, &b->left);
    if (!count) return 0;
    memset(b->group, 0, (size_t)near->rows * sizeof *b->group);
    for (int64_t i = 0; i < count; i++) b->group[near->group[left[i]]] = true;
    count = 0;
    for (int64_t i = 0; i < near->rows; i++)
        if (b->group[near->group[i]]) left[count++] = i;
    return count;
}

static bool open_bands(blind *b, piaa_error *error) {
    const piaa_bands_prior *prior = b->taste->learned->prior;
    if (b->bands) return true;
    return (b->weights = piaa_alloc_array((size_t)b->taste->dim, sizeof *b->weights, error)) &&
           (b->bands = piaa_bands_new(b->blocks, (int)b->joined->count, b->rated->count, error)) &&
           (!prior || piaa_bands_add_prior(b->bands, prior, error));
}

/* The score of a photo (its first vector here) that is not rated and a near copy of rated ones. */
static bool score_copy(blind *b, int64_t row, double *score, piaa_error *error) {
    const piaa_taste *taste = b->taste;
    const float *x = piaa_joined_vector(b->joined, row);
    const int64_t count = find_near(b, x);
    if (!count || count == b->rated->count) return true;
    if (taste->pairs) { /* what is predicted of the one that it is a copy of */
        *score = taste->unseen[b->left.rows[0]];
        return true;
    }
    const piaa_bands_shape shape = {taste->learned->weights, taste->learned->spread,
                                    taste->learned->lead};
    double intercept;
    if (!open_bands(b, error) ||
        !piaa_bands_without(b->bands, &shape, taste->alpha, b->rated->scores, b->left.rows, count,
                            b->weights, &intercept, error))
        return false;
    *score = intercept + piaa_ridge_dot(b->weights, taste->mean, x, taste->dim);
    return true;
}

/* Scores of rated photos and of their near copies that have not seen these ratings. */
static bool score_unseen(pass *p, blind *b, piaa_error *error) {
    scores *s = p->scores;
    const bool look = b->taste->near->square >= 0;
    if (look &&
        (!(s->copies = piaa_alloc((size_t)s->rows / 8 + 1, 1, error)) || !blind_open(b, error)))
        return false;
    p->near = b->near;
    if (!run_pass(p, error)) return false;
    for (int64_t i = 0; i < b->rated->count; i++) s->of[b->rated->rows[i]] = b->taste->unseen[i];
    for (int64_t row = 0; look && row < s->rows; row++)
        if (bit_at(s->copies, row) && !b->rated->index[row] &&
            !score_copy(b, row, &s->of[row], error))
            return false;
    return true;
}

/* rated may be NULL. */
static bool score_all(const piaa_taste *taste, piaa_joined *joined, const piaa_rated *rated,
                      scores *s, piaa_error *error) {
    if (!(s->of = piaa_alloc_array((size_t)s->rows, sizeof *s->of, error))) return false;
    pass p = {.taste = taste, .joined = joined, .scores = s};
    if (!rated || !taste->unseen || taste->photos != rated->count || taste->pairs != rated->answers)
        return run_pass(&p, error);
    blind b = {.taste = taste, .joined = joined, .rated = rated};
    const bool ok = score_unseen(&p, &b, error);
    blind_close(&b);
    return ok;
}

/* -------------------------------------------------------------------------------------- ranking */

struct piaa_ranking {
    piaa_ranked *items; /* [count] best first */
    size_t count, total;
    char *paths; /* those of the items, one after the other */
};

/* Best first; what has no score last. */
static int best_first(const void *a, const void *b) {
    const piaa_ranked *x = a, *y = b;
    if (x->score > y->score) return -1;
    if (x->score < y->score) return 1;
    if (isnan(x->score) != isnan(y->score)) return isnan(x->score) ? 1 : -1;
    return strcmp(x->path, y->path);
}

/* The last of the best so far is at the root of a heap, in which no item is before its parent. */
static void sink(piaa_ranked *heap, size_t count, size_t at) {
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && best_first(&heap[child], &heap[child + 1]) < 0) child++;
        if (best_first(&heap[at], &heap[child]) >= 0) return;
        const piaa_ranked moved = heap[at];
        heap[at] = heap[child];
        heap[child] = moved;
    }
}

/* One more photo for the `top` best. */
static void offer(piaa_ranking *ranking, size_t top, piaa_ranked photo) {
    ranking->total++;
    if (ranking->count < top) {
        ranking->items[ranking->count++] = photo;
        for (size_t i = top / 2; ranking->count == top && i-- > 0;) sink(ranking->items, top, i);
    } else if (best_first(&photo, &ranking->items[0]) < 0) {
        ranking->items[0] = photo;
        sink(ranking->items, top, 0);
    }
}

/* In order, with paths of their own. */
static bool settle(piaa_ranking *ranking, piaa_error *error) {
    size_t bytes = 0;
    for (size_t i = 0; i < ranking->count; i++) bytes += strlen(ranking->items[i].path) + 1;
    if (!(ranking->paths = piaa_alloc(bytes, 1, error))) return false;
    if (ranking->count) qsort(ranking->items, ranking->count, sizeof *ranking->items, best_first);
    char *at = ranking->paths;
    for (size_t i = 0; i < ranking->count; i++) {
        const size_t size = strlen(ranking->items[i].path) + 1;
        ranking->items[i].path = memcpy(at, ranking->items[i].path, size);
        at += size;
    }
    return true;
}

/* ------------------------------------------------------------------------- which photos, and rows
 */

/* Where `path` is, or would be, among the store's photos from `from` on, found in steps that
   double: a list in order is walked through in time, a short one does not walk through the store.
 */
static size_t find_from(const piaa_store *store, size_t from, const char *path) {
    const size_t count = piaa_store_photos(store);
    size_t low = from, step = 1;
    while (low + step <= count && strcmp(piaa_store_photo(store, low + step - 1).path, path) < 0) {
        low += step;
        step *= 2;
    }
    size_t high = low + step - 1 < count ? low + step - 1 : count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (strcmp(piaa_store_photo(store, middle).path, path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* rows [listed] in the store, -1 where there is no vector; these are wanted. */
static void find_rows(const piaa_joined *joined, const piaa_paths *paths, int64_t *rows,
                      scores *s) {
    const piaa_store *store = joined->store;
    size_t at = 0;
    for (size_t i = 0; i < paths->count; i++) {
        const char *path = paths->items[i];
        if (i && strcmp(paths->items[i - 1], path) > 0) at = 0; /* a list in another order */
        at = find_from(store, at, path);
        const piaa_photo photo = piaa_store_photo(store, at);
        rows[i] = photo.path && strcmp(photo.path, path) == 0 ? photo.row : -1;
        if (!piaa_joined_has(joined, rows[i])) rows[i] = -1;
        if (rows[i] >= 0) set_bit(s->wanted, rows[i]);
    }
}

/* What is asked for, and what is needed for it. */
typedef struct asked {
    const piaa_taste *taste;
    piaa_joined joined;
    const piaa_photos *photos; /* NULL: all of the store */
    int64_t *rows;             /* [photos] */
    size_t top;
    bool said;
    piaa_rated rated;
    scores scores;
} asked;

static void offer_row(const asked *a, int64_t row, const char *name, piaa_ranking *ranking) {
    piaa_ranked photo = {.path = name, .score = a->scores.of[row]};
    const int64_t index = a->said ? a->rated.index[row] : 0;
    if (index && index <= a->rated.stars) {
        photo.rated = true;
        photo.rating = a->rated.scores[index - 1];
    }
    offer(ranking, a->top, photo);
}

static bool fill_ranking(asked *a, piaa_ranking *ranking, piaa_error *error) {
    const piaa_store *store = a->joined.store;
    const size_t most = a->photos ? a->photos->paths.count : piaa_store_photos(store);
    a->scores.rows = piaa_store_count(store).rows;
    if (!a->top || a->top > most) a->top = most;
    if (!(ranking->items = piaa_alloc(a->top, sizeof *ranking->items, error))) return false;
    if (a->photos) {
        if (!(a->rows = piaa_alloc_array(most, sizeof *a->rows, error)) ||
            !(a->scores.wanted = piaa_alloc((size_t)a->scores.rows / 8 + 1, 1, error)))
            return false;
        find_rows(&a->joined, &a->photos->paths, a->rows, &a->scores);
    }
    if (!score_all(a->taste, &a->joined, a->said ? &a->rated : NULL, &a->scores, error))
        return false;
    for (size_t i = 0; i < most; i++) {
        const piaa_photo photo =
            a->photos ? (piaa_photo){.row = a->rows[i]} : piaa_store_photo(store, i);
        if (a->photos ? photo.row >= 0 : piaa_joined_has(&a->joined, photo.row))
            offer_row(a, photo.row, a->photos ? a->photos->names.items[i] : photo.path, ranking);
    }
    return settle(ranking, error);
}

/* What the taste reads, in the store. */
static bool open_joined(piaa_joined *joined, const piaa_taste *taste, const piaa_store *store,
                        piaa_error *error) {
    const piaa_slot *absent;
    piaa_error why = {0};
    const piaa_identity identity = piaa_store_identity(store);
    if (piaa_joined_open(joined, store, taste->slots.items, taste->slots.count, &absent, &why)) {
        piaa_slot found[PIAA_SOURCE_PARTS];
        const piaa_slots slots = {found, joined->count};
        for (size_t k = 0; k < joined->count; k++)
            found[k] = piaa_store_slots(store)->items[joined->found[k]];
        return piaa_taste_fits_slots(taste, &identity, &slots, error);
    }
    if (!absent) return piaa_error_set(error, why.code, "%s", why.message);
    if (taste->slots.count > 1)
        return piaa_error_set(error, PIAA_MISMATCH,
                              "%s holds no %s, and the taste was learned from %.200s: embed the "
                              "photos with --features %.200s",
                              piaa_store_path(store), piaa_slot_name(absent).text, taste->features,
                              taste->features);
    return piaa_error_set(error, PIAA_MISMATCH,
                          "%s holds no %s, from which the taste was learned: embed the photos with "
                          "--pool %s --layer %d",
                          piaa_store_path(store), piaa_slot_name(absent).text,
                          piaa_pool_name(absent->pool), absent->layer);
}

static piaa_ranking *rank_asked(asked *a, const piaa_said *said, piaa_error *error) {
    a->said = said && (said->ratings || said->choices);
    if (a->said && !piaa_rated_find(&a->joined, said, &a->rated, error)) return NULL;
    piaa_ranking *ranking = piaa_alloc(1, sizeof *ranking, error);
    if (!ranking || fill_ranking(a, ranking, error)) return ranking;
    piaa_ranking_free(ranking);
    return NULL;
}

piaa_ranking *piaa_rank_best(const piaa_taste *taste, const piaa_store *store,
                             const piaa_photos *photos, const piaa_said *said, size_t top,
                             piaa_error *error) {
    if (!taste || !store) {
        piaa_error_missing(error, taste ? "store" : "taste");
        return NULL;
    }
    asked a = {.taste = taste, .photos = photos, .top = top};
    piaa_ranking *ranking =
        open_joined(&a.joined, taste, store, error) ? rank_asked(&a, said, error) : NULL;
    piaa_rated_free(&a.rated);
    free(a.rows);
    free(a.scores.of);
    free(a.scores.wanted);
    free(a.scores.copies);
    piaa_joined_close(&a.joined);
    return ranking;
}

piaa_ranking *piaa_rank_said(const piaa_taste *taste, const piaa_store *store,
                             const piaa_photos *photos, const piaa_said *said, piaa_error *error) {
    return piaa_rank_best(taste, store, photos, said, 0, error);
}

piaa_ranking *piaa_rank_photos(const piaa_taste *taste, const piaa_store *store,
                               const piaa_photos *photos, const piaa_ratings *ratings,
                               piaa_error *error) {
    return piaa_rank_said(taste, store, photos, &(piaa_said){.ratings = ratings}, error);
}

piaa_ranking *piaa_rank(const piaa_taste *taste, const piaa_store *store, const char *const *paths,
                        size_t path_count, const piaa_ratings *ratings, piaa_error *error) {
    if (!paths) return piaa_rank_photos(taste, store, NULL, ratings, error);
    piaa_photos *photos = piaa_photos_new(error);
    piaa_ranking *ranking = NULL;
    bool ok = photos;
    for (size_t i = 0; ok && i < path_count; i++) ok = piaa_photos_add(photos, paths[i], error);
    if (ok) ranking = piaa_rank_photos(taste, store, photos, ratings, error);
    piaa_photos_free(photos);
    return ranking;
}

void piaa_ranking_free(piaa_ranking *ranking) {
    if (!ranking) return;
    free(ranking->items);
    free(ranking->paths);
    free(ranking);
}

size_t piaa_ranking_count(const piaa_ranking *ranking) {
    return ranking ? ranking->count : 0;
}

size_t piaa_ranking_total(const piaa_ranking *ranking) {
    return ranking ? ranking->total : 0;
}

const piaa_ranked *piaa_ranking_at(const piaa_ranking *ranking, size_t index) {
    return &ranking->items[index];
}

/*
 * Bursts, by time and by what is seen.
 *
 * A raw file and a picture of the same name and time are one shot: the picture is shown and scored.
 * The shots of one camera are put in the order of their times; where more than `gap` lies between
 * two, nothing goes across.  From the first shot on that has no place yet:
 *
 *   1. Three or more in turn that the camera calls a bracket, or whose compensation differs from
 *      the one before by 0.3 EV, or whose settings do by 0.9 EV: a bracket.  Whether they are alike
 *      is not asked, since a dark picture is not like a bright one.
 *   2. Three or more, each like the one before, whose distance to the subject grows or falls all
 *      the way: a focus stack.
 *   3. Those that follow within `span` and are like the *first*: a burst.  If each were compared
 *      with the one before, a walk through a town would be one.  But where the next one is like the
 *      last of them and not like the first, the camera or the subject moved on: all that follow so
 *      are one pan, which is not thinned out.
 *
 * What is kept whole by mistake costs a look; what is called a burst by mistake may cost a photo.
 * So doubt always falls that way.
 */
#include "study/bursts.h"

#include "base/memory.h"
#include "linear/near.h"
#include "study/joined.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SERIES = 3 /* shots at least, of what is kept whole */ };
static const double usual_gap = 2, usual_span = 10, compensation = 0.29, settings = 0.9;

const char *const piaa_burst_names[PIAA_BURST_KINDS] = {"burst", "bracket", "focus stack", "pan"};

typedef struct shot {
    const piaa_shot *said;
    const char *path;
    size_t photo;
} shot;

typedef struct search {
    const shot *shots;
    size_t count;
    bool (*alike)(void *user, size_t a, size_t b);
    void *user;
    double gap, span;
} search;

/* ---------------------------------------------------------------------------------------- series
 */

static int by_time(const void *a, const void *b) {
    const shot *x = a, *y = b;
    const int camera = strcmp(x->said->camera, y->said->camera);
    if (camera) return camera;
    if (x->said->time != y->said->time) return x->said->time < y->said->time ? -1 : 1;
    return strcmp(x->path, y->path);
}

static bool follows(const search *s, size_t i) {
    if (i == s->count) return false;
    const piaa_shot *before = s->shots[i - 1].said, *own = s->shots[i].said;
    return strcmp(before->camera, own->camera) == 0 && own->time - before->time <= s->gap;
}

static bool like(const search *s, size_t a, size_t b) {
    return s->alike(s->user, s->shots[a].photo, s->shots[b].photo);
}

static bool is_step(const piaa_shot *a, const piaa_shot *b) {
    return (a->bracketed && b->bracketed) || fabs(a->bias - b->bias) > compensation ||
           fabs(a->exposure - b->exposure) > settings;
}

static size_t exposures_from(const search *s, size_t first) {
    size_t end = first + 1;
    while (follows(s, end) && is_step(s->shots[end - 1].said, s->shots[end].said)) end++;
    return end;
}

static size_t focus_from(const search *s, size_t first) {
    size_t end = first + 1;
    double way = 0;
    for (; follows(s, end) && like(s, end - 1, end); end++) {
        const double step = s->shots[end].said->distance - s->shots[end - 1].said->distance;
        if (!(step * way > 0 || (way == 0 && fabs(step) > 0))) break;
        way = step;
    }
    return end;
}

static size_t burst_from(const search *s, size_t first, piaa_burst_kind *kind) {
    size_t end = first + 1;
    *kind = PIAA_BURST;
    while (follows(s, end) && s->shots[end].said->time - s->shots[first].said->time <= s->span &&
           like(s, first, end))
        end++;
    if (!follows(s, end) || like(s, first, end) || !like(s, end - 1, end)) return end;
    *kind = PIAA_BURST_PAN;
    while (follows(s, end) && like(s, end - 1, end)) end++;
    return end;
}

/* The end of what begins with this shot. */
static size_t series_from(const search *s, size_t first, piaa_burst_kind *kind) {
    size_t end = exposures_from(s, first);
    *kind = PIAA_BURST_EXPOSURES;
    if (end - first >= SERIES) return end;
    end = focus_from(s, first);
    *kind = PIAA_BURST_FOCUS;
    if (end - first >= SERIES) return end;
    return burst_from(s, first, kind);
}

static void add_series(const search *s, piaa_bursts *out) {
    piaa_burst_kind kind;
    size_t taken = 0;
    for (size_t first = 0, end; first < s->count; first = end) {
        end = series_from(s, first, &kind);
        if (end - first < 2) continue;
        out->items[out->count++] = (piaa_burst){.kind = kind, .first = taken, .count = end - first};
        for (size_t i = first; i < end; i++) out->members[taken++] = s->shots[i].photo;
    }
}

static bool find(search *s, shot *shots, const piaa_paths *paths, const piaa_shot *said,
                 piaa_bursts *out, piaa_error *error) {
    if (!(out->members = piaa_alloc(paths->count, sizeof *out->members, error)) ||
        !(out->shown = piaa_alloc(paths->count, sizeof *out->shown, error)) ||
        !(out->items = piaa_alloc(paths->count / 2, sizeof *out->items, error)))
        return false;
    if (!piaa_shots_pair(paths, said, NULL, out->shown, error)) return false;
    for (size_t i = 0; i < paths->count; i++)
        if (!isnan(said[i].time) && out->shown[i] == i)
            shots[s->count++] = (shot){.said = &said[i], .path = paths->items[i], .photo = i};
    qsort(shots, s->count, sizeof *shots, by_time);
    s->shots = shots;
    add_series(s, out);
    return true;
}

piaa_bursts *piaa_bursts_find(const piaa_paths *paths, const piaa_shot *shots,
                              bool (*alike)(void *user, size_t a, size_t b), void *user,
                              const piaa_burst_options *options, piaa_error *error) {
    search s = {.alike = alike,
                .user = user,
                .gap = options && options->gap > 0 ? options->gap : usual_gap,
                .span = options && options->span > 0 ? options->span : usual_span};
    piaa_bursts *out = piaa_alloc(1, sizeof *out, error);
    shot *list = out ? piaa_alloc(paths->count, sizeof *list, error) : NULL;
    const bool ok = list && find(&s, list, paths, shots, out, error);
    free(list);
    if (ok) return out;
    piaa_bursts_free(out);
    return NULL;
}

void piaa_bursts_free(piaa_bursts *bursts) {
    if (!bursts) return;
    free(bursts->items);
    free(bursts->members);
    free(bursts->shown);
    free(bursts);
}

/* -------------------------------------------------------------------------------------- likeness
 */

enum { SAMPLE = 200 };
static const double share = 0.5; /* of the usual distance; docs/browse.md has what it finds */

struct piaa_likeness {
    piaa_joined joined; /* of one slot */
    const piaa_paths *paths;
    float *rooms;    /* [2][dim] of the photos in hand */
    piaa_near *near; /* of the sample, with a limit of our own; NULL: too few photos have vectors */
};

/* The photo's row in the store; -1: it has no vector. */
static int64_t row_of(const piaa_likeness *l, size_t photo) {
    const int64_t row = piaa_store_find(l->joined.store, l->paths->items[photo]).row;
    return piaa_joined_has(&l->joined, row) ? row : -1;
}

static int ascending(const void *a, const void *b) {
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

/* Photos spread over the list. */
static int64_t take_sample(const piaa_likeness *l, int64_t rows[SAMPLE]) {
    const size_t count = l->paths->count, step = count > SAMPLE ? count / SAMPLE : 1;
    int64_t taken = 0;
    for (size_t i = 0; i < count && taken < SAMPLE; i += step)
        if ((rows[taken] = row_of(l, i)) >= 0) taken++;
    return taken;
}

static double square_between(const piaa_near *near, const float *a, const float *b) {
    double square = 0;
    for (int j = 0; j < near->dim; j++) {
        const double apart = ((double)a[j] - (double)b[j]) * near->inverse[j];
        square += apart * apart;
    }
    return square;
}

static const float *row_at(const piaa_band *of, int64_t i) {
    return of->x + (of->rows ? of->rows[i] : i) * of->dim;
}

static bool measure(piaa_likeness *l, piaa_error *error) {
    int64_t rows[SAMPLE];
    const int64_t n = take_sample(l, rows);
    if (n < 2) return true;
    piaa_band of;
    double *squares = piaa_alloc(SAMPLE * SAMPLE, sizeof *squares, error);
    if (!squares || !piaa_joined_bands(&l->joined, rows, n, &of, error) ||
        !(l->near = piaa_near_find(of.x, of.rows, n, of.dim, error))) {
        free(squares);
        return false;
    }
    size_t pairs = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < i; k++)
            squares[pairs++] = square_between(l->near, row_at(&of, i), row_at(&of, k));
    qsort(squares, pairs, sizeof *squares, ascending);
    l->near->square = share * share * squares[pairs / 2];
    free(squares);
    return true;
}

piaa_likeness *piaa_likeness_new(const piaa_store *store, const piaa_slots *slots,
                                 const piaa_paths *paths, piaa_error *error) {
    piaa_likeness *l = piaa_alloc(1, sizeof *l, error);
    if (!l) return NULL;
    l->paths = paths;
    if (piaa_joined_open(&l->joined, store, slots->items, 1, NULL, error) &&
        (l->rooms = piaa_alloc_array((size_t)l->joined.dim, 2 * sizeof *l->rooms, error)) &&
        measure(l, error))
        return l;
    piaa_likeness_free(l);
    return NULL;
}

void piaa_likeness_free(piaa_likeness *l) {
    if (!l) return;
    piaa_near_free(l->near);
    piaa_joined_close(&l->joined);
    free(l->rooms);
    free(l);
}

bool piaa_likeness_same(void *user, size_t a, size_t b) {
    const piaa_likeness *l = user;
    const int64_t x = row_of(l, a), y = row_of(l, b);
    const piaa_store *store = l->joined.store;
    const int slot = l->joined.found[0];
    return l->near && x >= 0 && y >= 0 &&
           piaa_near_same(l->near, piaa_store_vector(store, slot, x, l->rooms),
                          piaa_store_vector(store, slot, y, l->rooms + l->joined.dim));
}

/*
 * Near copies of images on both sides of a person's support and test.
 *
 * All of a person's images that take part are one set for linear/near.h.  Pairs are counted within
 * groups: an image in support, one in test.  Without such pairs in the support, and with one image
 * of each group only, leave-one-out errors choose alpha as if there were no copies.
 */
#include "study/copies.h"

#include "base/memory.h"
#include "base/parallel.h"
#include "linear/near.h"

#include <stdlib.h>

typedef struct search {
    const piaa_dataset *set;
    const piaa_protocol *protocol;
    const piaa_source *source;
    bool asked[2];
    size_t *pairs; /* [people] */
    bool *extra;
} search;

/* One person's images in the order test, small, large. */
typedef struct album {
    int64_t *rows; /* [count] of the source's matrix */
    size_t *place; /* [count] in the support lists; of test images: none */
    /* How many there are; the first tests; the small ones after them. */
    int64_t count, tests, small;
    bool *taken; /* [count] groups that stand on one side already */
} album;

static void add_images(const search *s, album *a, const size_t *ratings, size_t count,
                       size_t place) {
    for (size_t i = 0; i < count; i++) {
        int64_t row = s->source->rows[s->set->ratings[ratings[i]].image];
        if (row < 0) continue;
        a->place[a->count] = place + i;
        a->rows[a->count++] = row;
    }
}

/* Marks what is extra among the images first .. end - 1, one support. */
static size_t compare(const album *a, const piaa_near *near, int64_t first, int64_t end,
                      bool *extra) {
    size_t pairs = 0;
    for (int64_t i = 0; i < a->count; i++) a->taken[i] = false;
    for (int64_t i = 0; i < a->tests; i++) a->taken[near->group[i]] = true;
    for (int64_t i = first; i < end; i++) {
        for (int64_t k = 0; k < a->tests; k++) pairs += near->group[i] == near->group[k];
        extra[a->place[i]] = a->taken[near->group[i]];
        a->taken[near->group[i]] = true;
    }
    return pairs;
}

static bool look_at(const search *s, size_t person, album *a, piaa_error *error) {
    const piaa_protocol_options *sizes = &s->protocol->options;
    const piaa_protocol_user *who = &s->protocol->users[person];
    size_t most = sizes->small + sizes->large + sizes->test;
    if (!(a->rows = piaa_alloc(most, sizeof *a->rows, error)) ||
        !(a->place = piaa_alloc(most, sizeof *a->place, error)) ||
        !(a->taken = piaa_alloc(most, sizeof *a->taken, error)))
        return false;
    add_images(s, a, who->test, sizes->test, 0);
    a->tests = a->count;
    if (s->asked[0]) add_images(s, a, who->small, sizes->small, 0);
    a->small = a->count;
    if (s->asked[1]) add_images(s, a, who->large, sizes->large, sizes->small);
    if (!a->count) return true;
    piaa_near *near = piaa_near_find(s->source->x, a->rows, a->count, s->source->dim, error);
    if (!near) return false;
    bool *extra = s->extra + person * (sizes->small + sizes->large);
    s->pairs[person] =
        compare(a, near, a->tests, a->small, extra) + compare(a, near, a->small, a->count, extra);
    piaa_near_free(near);
    return true;
}

static bool look(void *user, size_t person, piaa_error *error) {
    album a = {0};
    bool ok = look_at(user, person, &a, error);
    free(a.rows);
    free(a.place);
    free(a.taken);
    return ok;
}

bool piaa_copies_find(const piaa_dataset *set, const piaa_protocol *protocol,
                      const piaa_source *source, bool small, bool large, int threads,
                      const piaa_hooks *hooks, piaa_copies *out, piaa_error *error) {
    size_t width = protocol->options.small + protocol->options.large;
    search s = {.set = set, .protocol = protocol, .source = source, .asked = {small, large}};
    bool ok =
        (s.pairs = piaa_alloc(protocol->count, sizeof *s.pairs, error)) &&
        (s.extra = piaa_alloc(protocol->count * width, sizeof *s.extra, error)) &&
        piaa_parallel_run(protocol->count, threads, look, &s, "looking for copies", hooks, error);
    *out = (piaa_copies){.extra = s.extra};
    for (size_t i = 0; ok && i < protocol->count; i++) {
        out->pairs += s.pairs[i];
        out->people += s.pairs[i] > 0;
    }
    free(s.pairs);
    if (!ok) piaa_copies_free(out);
    return ok;
}

void piaa_copies_free(piaa_copies *copies) {
    free(copies->extra);
    *copies = (piaa_copies){0};
}

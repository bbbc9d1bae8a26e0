/* Ratings made ready for the attribute graph: everything in them is checked, then they are put in
 * the order of their people and cut into blocks. */
#include "train/attribute_graph_parts.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>

enum { BLOCK = PIAA_GRAPH_BLOCK };

static bool check_finite(const float *values, int count, const char *what, int64_t of,
                         piaa_error *error) {
    for (int i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return piaa_error_set(error, PIAA_FORMAT, "%s %lld: number %d is not finite", what,
                                  (long long)of, i + 1);
    return true;
}

static bool check_row(const piaa_graph_pass *p, int64_t row, piaa_error *error) {
    const piaa_graph_shape *s = &p->graph->shape;
    const piaa_graph_rows *rows = p->rows;
    const int64_t user = rows->user[row], photo = rows->photo[row];
    if (user < 0 || user >= s->users)
        return piaa_error_set(error, PIAA_USAGE, "person %lld is none of the graph's %d",
                              (long long)user, s->users);
    if (photo < 0)
        return piaa_error_set(error, PIAA_USAGE, "no photo has the number %lld", (long long)photo);
    if (p->trains && !isfinite(rows->scores[row]))
        return piaa_error_set(error, PIAA_FORMAT,
                              "person %lld's score of photo %lld is not a finite number",
                              (long long)user, (long long)photo);
    return check_finite(piaa_graph_attributes_of(p, row), s->attributes, "attributes of photo",
                        photo, error) &&
           check_finite(piaa_graph_bins_of(p, row), s->bins, "shares of photo", photo, error);
}

static bool check_person(const piaa_graph_pass *p, int64_t user, piaa_error *error) {
    const piaa_graph_shape *s = &p->graph->shape;
    if (!s->full) return true;
    for (int i = 0; i < PIAA_GRAPH_CATEGORIES; i++) {
        const int word = piaa_graph_words_of(p, user)[i];
        if (word < 0 || word >= s->words[i])
            return piaa_error_set(error, PIAA_USAGE,
                                  "person %lld: %s is word %d, and the graph knows %d",
                                  (long long)user, piaa_graph_categories[i], word, s->words[i]);
    }
    return check_finite(piaa_graph_numbers_of(p, user), PIAA_GRAPH_NUMBERS, "traits of person",
                        user, error);
}

static bool check(const piaa_graph_pass *p, int64_t first, int64_t count, piaa_error *error) {
    const piaa_graph_rows *rows = p->rows;
    if (count < 1) return piaa_error_set(error, PIAA_USAGE, "there are no ratings");
    if (p->graph->shape.full && (!rows->categories || !rows->numbers))
        return piaa_error_set(error, PIAA_USAGE,
                              "this attribute graph is full: it needs people's traits");
    for (int64_t row = first; row < first + count; row++)
        if (!check_row(p, row, error) || !check_person(p, rows->user[row], error)) return false;
    return true;
}

/* ------------------------------------------------------------------------------------- the plan */

static int compare_places(const void *a, const void *b) {
    const piaa_graph_place *x = a, *y = b;
    if (x->user != y->user) return x->user < y->user ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

/* Zeroed memory for `rows` in place of what is there. */
static bool plan_room(piaa_graph_plan *plan, size_t rows, piaa_error *error) {
    if (rows <= plan->capacity) return true;
    int64_t *memory = piaa_alloc(9 * rows + 2, sizeof *memory, error);
    if (!memory) return false;
    free(plan->memory);
    *plan = (piaa_graph_plan){.memory = memory, .capacity = rows};
    plan->order = memory;
    plan->users = memory + rows;
    plan->runs_of = memory + 2 * rows;
    plan->block_runs = plan->runs_of + rows + 1;
    void *runs = plan->block_runs + rows + 1, *places = memory + 7 * rows + 2;
    plan->runs = runs;
    plan->places = places;
    return true;
}

/* A run ends where its person's rows do, or the block. */
static void cut(piaa_graph_plan *plan) {
    plan->people = plan->run_count = plan->blocks = 0;
    for (int64_t i = 0; i < plan->count; i++) {
        const int64_t user = plan->places[i].user;
        const bool person = !i || user != plan->places[i - 1].user, block = i % BLOCK == 0;
        plan->order[i] = plan->places[i].row;
        if (block) plan->block_runs[plan->blocks++] = plan->run_count;
        if (person) {
            plan->runs_of[plan->people] = plan->run_count;
            plan->users[plan->people++] = user;
        }
        if (person || block)
            plan->runs[plan->run_count++] =
                (piaa_graph_run){.begin = i, .person = plan->people - 1};
        plan->runs[plan->run_count - 1].end = i + 1;
    }
    plan->runs_of[plan->people] = plan->block_runs[plan->blocks] = plan->run_count;
}

bool piaa_graph_plan_make(piaa_graph_pass *p, int64_t first, int64_t count, piaa_error *error) {
    piaa_graph_plan *plan = &p->plan;
    if (!check(p, first, count, error) || !plan_room(plan, (size_t)count, error)) return false;
    plan->count = count;
    for (int64_t i = 0; i < count; i++)
        plan->places[i] = (piaa_graph_place){.user = p->rows->user[first + i], .row = first + i};
    qsort(plan->places, (size_t)count, sizeof *plan->places, compare_places);
    cut(plan);
    return true;
}

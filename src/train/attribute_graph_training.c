/* Steps of Adam on an attribute graph, and what it predicts. */
#include "train/attribute_graph_parts.h"

#include "base/memory.h"
#include "train/adamw.h"

#include <math.h>
#include <stdlib.h>

enum {
    PREDICTED = 256, /* rows at a time */
    RANGE = 16384,   /* weights that a job adds up and moves */
};

bool piaa_graph_predict(const piaa_graph *graph, const piaa_graph_rows *rows, int threads,
                        double *out, piaa_error *error) {
    piaa_graph_pass pass;
    bool ok = piaa_graph_pass_begin(&pass, graph, threads, false, error);
    for (int64_t i = 0; ok && i < rows->count; i += PREDICTED) {
        const int64_t left = rows->count - i, count = left < PREDICTED ? left : PREDICTED;
        ok = piaa_graph_pass_run(&pass, rows, i, count, out + i, NULL, error);
        for (int64_t k = i; ok && k < i + count; k++)
            if (!isfinite(out[k]))
                ok = piaa_error_set(error, PIAA_FORMAT,
                                    "the attribute graph makes no finite number of photo %lld: "
                                    "look for numbers that are out of all proportion",
                                    (long long)rows->photo[k]);
    }
    piaa_graph_pass_end(&pass);
    return ok;
}

/* ------------------------------------------------------------------------------------- training */

struct piaa_graph_training {
    piaa_graph *graph;
    piaa_graph_pass pass;
    piaa_adamw *adamw;
    size_t count;     /* of the graph's numbers that are changed: the first so many */
    float *gradients; /* [layout.count]; those behind count stay zero */
    piaa_named *named;
    size_t named_count;
};

static size_t count_of(const piaa_graph *graph, piaa_graph_scope scope) {
    if (scope == PIAA_TUNE_USER_ONLY) return graph->layout.users_end;
    return scope == PIAA_TUNE_USER_PLUS_HEAD ? graph->layout.head_end : graph->layout.count;
}

static bool begin(piaa_graph_training *t, int threads, piaa_error *error) {
    if (!piaa_graph_pass_begin(&t->pass, t->graph, threads, true, error)) return false;
    t->adamw = piaa_adamw_new(t->count, NULL, error);
    if (!t->adamw) return false;
    t->gradients = piaa_alloc(t->graph->layout.count, sizeof *t->gradients, error);
    if (!t->gradients) return false;
    t->named = piaa_graph_name(t->graph, t->gradients, &t->named_count, error);
    return t->named != NULL;
}

piaa_graph_training *piaa_graph_training_new(piaa_graph *graph, piaa_graph_scope scope, int threads,
                                             piaa_error *error) {
    if (scope == PIAA_TUNE_USER_ONLY && graph->shape.full && !graph->shape.user_node) {
        piaa_error_set(error, PIAA_USAGE,
                       "user-only changes nothing: where people are their traits nothing of the "
                       "graph is one person's own");
        return NULL;
    }
    piaa_graph_training *t = piaa_alloc(1, sizeof *t, error);
    if (!t) return NULL;
    t->graph = graph;
    t->count = count_of(graph, scope);
    if (begin(t, threads, error)) return t;
    piaa_graph_training_free(t);
    return NULL;
}

void piaa_graph_training_free(piaa_graph_training *t) {
    if (!t) return;
    piaa_graph_pass_end(&t->pass);
    piaa_adamw_free(t->adamw);
    free(t->gradients);
    free(t->named);
    free(t);
}

const piaa_named *piaa_graph_training_state(const piaa_graph_training *t, size_t *count) {
    return piaa_adamw_state(t->adamw, count);
}

const piaa_named *piaa_graph_training_gradients(const piaa_graph_training *t, size_t *count) {
    if (count) *count = t->named_count;
    return t->named;
}

/* The jobs' gradients in their order, and Adam.  Those of people's embeddings are in the first
   room, whoever made them. */
static bool move(void *user, size_t i, piaa_error *error) {
    PIAA_UNUSED(error);
    piaa_graph_training *t = user;
    const size_t first = i * RANGE, left = t->count - first, users = t->graph->layout.users_end,
                 end = first + (left < RANGE ? left : RANGE),
                 shared = first > users ? first : users;
    float *sum = t->gradients;
    for (size_t k = first; k < end; k++) sum[k] = t->pass.rooms[0].gradients[k];
    for (int64_t job = 1; job < t->pass.jobs; job++) {
        const float *own = t->pass.rooms[job].gradients;
        for (size_t k = shared; k < end; k++) sum[k] += own[k];
    }
    piaa_adamw_update(t->adamw, first, t->graph->values + first, sum + first, end - first);
    return true;
}

bool piaa_graph_training_step(piaa_graph_training *t, const piaa_graph_rows *rows, double rate,
                              double *loss, piaa_error *error) {
    static const double work_of_one = 50;
    const long long step = (long long)piaa_adamw_steps(t->adamw) + 1;
    double before;
    if (!piaa_graph_pass_run(&t->pass, rows, 0, rows->count, NULL, &before, error))
        return piaa_error_prefix(error, "step %lld of the attribute graph", step);
    if (loss) *loss = before;
    if (!isfinite(before))
        return piaa_error_set(error, PIAA_FORMAT,
                              "step %lld of the attribute graph: the loss is not a finite number: "
                              "look for numbers that are out of all proportion, or lower the rate",
                              step);
    piaa_adamw_begin(t->adamw, rate);
    return piaa_crew_run(&t->pass.crew, piaa_crew_jobs((int64_t)t->count, RANGE),
                         work_of_one * (double)t->count, move, t, error);
}

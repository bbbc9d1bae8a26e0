/* PIAA-ICI's attribute graph against PyTorch (scripts/golden/ici_graph.py), finite differences, and
   what follows from its formulas. */
#include "support.h"

#include "base/blas.h"
#include "train/attribute_graph_parts.h"

#define ICI PIAA_GOLDEN "/ici/"

/* A golden file with its inputs as rows, and a graph with its weights. */
typedef struct fixture {
    piaa_safetensors *golden;
    piaa_graph *graph;
    piaa_graph_rows rows;
    float *attributes, *bins, *scores, *numbers;
    int64_t *photo, *user;
    int *categories;
} fixture;

static const piaa_graph_shape small_shape = {
    .attributes = 4, .bins = 5, .width = 8, .hidden = 12, .users = 6, .words = {3, 2, 4, 2, 3}};

static piaa_graph_shape shape_of(const char *name) {
    piaa_graph_shape shape = small_shape;
    if (strstr(name, "_real"))
        shape = (piaa_graph_shape){7, 9, 64, 256, 8, true, {5, 2, 4, 4, 4}, false, false};
    shape.full = !strstr(name, "_reduced");
    shape.user_node = shape.attribute_identity = strstr(name, "_departures") != NULL;
    return shape;
}

static char *file_of(const char *name) {
    return piaa_format(NULL, ICI "%s.safetensors", name);
}

static void read_weights(piaa_graph *graph, const char *prefix, const char *name) {
    piaa_error error = {0};
    size_t count;
    const piaa_named *tensors = piaa_graph_tensors(graph, &count);
    char *path = file_of(name);
    if (!piaa_named_read(tensors, count, prefix, path, &error)) fail_msg("%s", error.message);
    free(path);
}

/* In the published files traits are by row: each row is a person of its own, whose embedding is
   looked at by nobody.  In the others a row has its user's. */
static void read_people(fixture *f) {
    piaa_error error = {0};
    const size_t n = (size_t)f->rows.count;
    size_t all;
    int *words = support_ints(f->golden, "in.cat", &all);
    float *numbers = support_floats(f->golden, "in.num", &all);
    if (!f->graph->shape.user_node) {
        piaa_graph *graph = piaa_graph_for_people(f->graph, (int)n, 3, &error);
        if (!graph) fail_msg("%s", error.message);
        piaa_graph_free(f->graph);
        f->graph = graph;
        for (size_t i = 0; i < n; i++) f->user[i] = (int64_t)i;
    }
    f->categories = piaa_alloc(n * 5, sizeof *f->categories, NULL);
    f->numbers = piaa_alloc(n * 5, sizeof *f->numbers, NULL);
    for (size_t i = 0; i < n; i++) {
        memcpy(f->categories + f->user[i] * 5, words + i * 5, 5 * sizeof *words);
        memcpy(f->numbers + f->user[i] * 5, numbers + i * 5, 5 * sizeof *numbers);
    }
    f->rows.categories = f->categories;
    f->rows.numbers = f->numbers;
    free(words);
    free(numbers);
}

static fixture fixture_open(const char *name) {
    piaa_error error = {0};
    char *path = file_of(name);
    fixture f = {.golden = support_golden(path)};
    const piaa_graph_shape shape = shape_of(name);
    size_t n, all;
    piaa_blas_hold();
    f.graph = piaa_graph_new(&shape, 1, &error);
    if (!f.graph) fail_msg("%s", error.message);
    read_weights(f.graph, "w.", name);
    f.attributes = support_floats(f.golden, "in.attr", &all);
    f.bins = support_floats(f.golden, "in.dis", &all);
    f.scores = support_floats(f.golden, "in.y", &n);
    int32_t *users = support_ints(f.golden, "in.user", &all);
    f.photo = piaa_alloc(n, sizeof *f.photo, NULL);
    f.user = piaa_alloc(n, sizeof *f.user, NULL);
    for (size_t i = 0; i < n; i++) {
        f.photo[i] = (int64_t)i;
        f.user[i] = users[i];
    }
    free(users);
    free(path);
    f.rows = (piaa_graph_rows){.count = (int64_t)n,
                               .attributes = f.attributes,
                               .bins = f.bins,
                               .photo = f.photo,
                               .user = f.user,
                               .scores = f.scores};
    if (shape.full) read_people(&f);
    return f;
}

static void fixture_close(fixture *f) {
    piaa_graph_free(f->graph);
    piaa_safetensors_close(f->golden);
    free(f->attributes);
    free(f->bins);
    free(f->scores);
    free(f->numbers);
    free(f->photo);
    free(f->user);
    free(f->categories);
}

/* The largest difference from a golden tensor, or from its first rows, as a share of its largest
   number where that is above 1. */
static double off(const fixture *f, const char *name, const float *own, size_t count) {
    size_t n;
    double most = 0, largest = 1;
    double *golden = support_doubles(f->golden, name, &n);
    assert_true(n <= count);
    for (size_t i = 0; i < n; i++) {
        const double d = fabs((double)own[i] - golden[i]);
        if (!(d <= most)) most = isnan(d) ? HUGE_VAL : d;
        largest = fmax(largest, fabs(golden[i]));
    }
    free(golden);
    return most / largest;
}

/* ---------------------------------------------------------------------------------------- stages
 */

static int64_t person_of(const piaa_graph_plan *plan, int64_t place) {
    int64_t run = 0;
    while (plan->runs[run].end <= place) run++;
    return plan->runs[run].person;
}

/* (1 - z) m + z n of a node whose gates are r, z, m. */
static void new_node(const float *gates, const float *n, size_t d, float *out) {
    for (size_t k = 0; k < d; k++)
        out[k] = (1 - gates[d + k]) * gates[2 * d + k] + gates[d + k] * n[k];
}

/* Stages of the rows that the pass went through, of which there is one block. */
static void look(const piaa_graph_pass *p, float *const stages[11]) {
    const piaa_graph *g = p->graph;
    const piaa_graph_room *r = &p->rooms[0];
    const size_t d = (size_t)g->shape.width, photos = (size_t)g->shape.attributes * d,
                 people = (size_t)g->user_nodes * d;
    for (int64_t i = 0; i < p->plan.count; i++) {
        const size_t at = (size_t)i, row = (size_t)p->plan.order[i],
                     person = (size_t)person_of(&p->plan, i);
        const float *u = p->side.nodes + person * people, *v = r->v + at * photos;
        memcpy(stages[0] + row * photos, v, photos * sizeof *v);
        memcpy(stages[1] + row * people, u, people * sizeof *u);
        memcpy(stages[2] + row * people, p->side.inner + person * people, people * sizeof *u);
        memcpy(stages[3] + row * photos, r->inner + at * photos, photos * sizeof *u);
        memcpy(stages[6] + row * people, p->side.joined + person * people, people * sizeof *u);
        memcpy(stages[7] + row * photos, r->joined + at * photos, photos * sizeof *u);
        if (g->shape.full) {
            memcpy(stages[4] + row * people, r->u_outer + at * people, people * sizeof *u);
            memcpy(stages[5] + row * photos, r->outer + at * photos, photos * sizeof *u);
            for (size_t k = 0; k < people; k++)
                stages[6][row * people + k] += r->u_joined[at * people + k];
        }
        for (size_t k = 0; k < people; k += d)
            new_node(r->u_gates + 3 * (at * people + k), u + k, d, stages[8] + row * people + k);
        for (size_t k = 0; k < photos; k += d)
            new_node(r->gates + 3 * (at * photos + k), v + k, d, stages[9] + row * photos + k);
        stages[10][row] = r->score[i];
    }
}

static void compare_stages(const char *name) {
    static const char *const names[] = {"s.img_nodes",  "s.user_nodes", "s.e_user",  "s.e_img",
                                        "s.c_user",     "s.c_img",      "s.in_user", "s.in_img",
                                        "s.fused_user", "s.fused_img",  "s.y_hat"};
    piaa_error error = {0};
    fixture f = fixture_open(name);
    piaa_graph_pass pass;
    assert_true(piaa_graph_pass_begin(&pass, f.graph, 1, false, &error));
    float *stages[PIAA_COUNT(names)];
    const size_t room = (size_t)f.rows.count * 11 * (size_t)f.graph->shape.width;
    for (size_t i = 0; i < PIAA_COUNT(names); i++)
        stages[i] = piaa_alloc(room, sizeof(float), NULL);
    for (int64_t i = 0; i < f.rows.count; i += PIAA_GRAPH_BLOCK) {
        const int64_t left = f.rows.count - i;
        if (!piaa_graph_pass_run(&pass, &f.rows, i,
                                 left < PIAA_GRAPH_BLOCK ? left : PIAA_GRAPH_BLOCK, NULL, NULL,
                                 &error))
            fail_msg("%s", error.message);
        look(&pass, stages);
    }
    double most = 0;
    for (size_t i = 0; i < PIAA_COUNT(names); i++) {
        const double here = off(&f, names[i], stages[i], room);
        if (!(here < 1e-5)) fail_msg("%s: %s is off by %.1e", name, names[i], here);
        most = fmax(most, here);
        free(stages[i]);
    }
    print_message("%s: stages within %.1e\n", name, most);
    piaa_graph_pass_end(&pass);
    fixture_close(&f);
}

static const char *const files[] = {"ici_graph_reduced", "ici_graph_full", "ici_graph_departures",
                                    "ici_graph_full_real"};

static void every_stage_is_pytorchs(void **state) {
    (void)state;
    for (size_t i = 0; i < PIAA_COUNT(files); i++) compare_stages(files[i]);
}

/* ------------------------------------------------------------------------------------- training */

/* Tensors against PREFIX + their names; where the golden file has none, against `otherwise`. */
static double tensors_off(const fixture *f, const piaa_named *tensors, size_t count,
                          const char *prefix, const char *otherwise) {
    double most = 0;
    for (size_t i = 0; i < count; i++) {
        const bool unused = f->graph->shape.full && !f->graph->shape.user_node &&
                            strstr(tensors[i].name, "user_id_emb");
        char *name = piaa_format(NULL, "%s%s", prefix, tensors[i].name);
        if (!piaa_safetensors_find(f->golden, name)) {
            free(name);
            name = otherwise ? piaa_format(NULL, "%s%s", otherwise, tensors[i].name) : NULL;
        }
        if (!unused && name)
            most =
                fmax(most, off(f, name, tensors[i].data, (size_t)piaa_named_values(&tensors[i])));
        free(name);
    }
    return most;
}

static double graph_off(const fixture *f, const char *prefix, const char *otherwise) {
    size_t count;
    const piaa_named *tensors = piaa_graph_tensors(f->graph, &count);
    return tensors_off(f, tensors, count, prefix, otherwise);
}

static void gradients_are_pytorchs(void **state) {
    (void)state;
    for (size_t i = 0; i < PIAA_COUNT(files); i++) {
        piaa_error error = {0};
        fixture f = fixture_open(files[i]);
        piaa_graph_training *t = piaa_graph_training_new(f.graph, PIAA_TUNE_ALL, 1, &error);
        double loss;
        assert_true(piaa_graph_training_step(t, &f.rows, 0, &loss, &error));
        const float narrow = (float)loss;
        assert_true(off(&f, "loss.mse", &narrow, 1) < 1e-5);
        size_t count;
        const piaa_named *gradients = piaa_graph_training_gradients(t, &count);
        const double here = tensors_off(&f, gradients, count, "g.", NULL);
        print_message("%s: gradients within %.1e\n", files[i], here);
        assert_true(here < 1e-5);
        assert_true(graph_off(&f, "w.", NULL) == 0); /* the rate was 0 */
        piaa_graph_training_free(t);
        fixture_close(&f);
    }
}

/* Ten steps, of a phase's batches; "p.PHASE.WEIGHT", "losses.PHASE" and "s.PHASE.y_hat" are
   compared where they are there. */
static void follow(const char *name, const char *phase, piaa_graph_scope scope, double rate) {
    piaa_error error = {0};
    fixture f = fixture_open(name);
    const bool tenths = strncmp(phase, "phase2", 6) == 0;
    const int64_t n = f.rows.count;
    float losses[10], *out = piaa_alloc((size_t)n, sizeof *out, NULL);
    double *wide = piaa_alloc((size_t)n, sizeof *wide, NULL);
    if (!tenths) {
        int words[5];
        float numbers[5];
        if (f.rows.categories) {
            memcpy(words, f.categories + f.user[0] * 5, sizeof words);
            memcpy(numbers, f.numbers + f.user[0] * 5, sizeof numbers);
            memcpy(f.categories + 2 * 5, words, sizeof words);
            memcpy(f.numbers + 2 * 5, numbers, sizeof numbers);
        }
        for (int64_t i = 0; i < n; i++) f.user[i] = 2;
    }
    piaa_graph_training *t = piaa_graph_training_new(f.graph, scope, 1, &error);
    assert_non_null(t);
    for (int64_t step = 0; step < 10; step++) {
        piaa_graph_rows rows = f.rows;
        const int64_t first = tenths ? step * n / 10 : 0;
        rows.count = tenths ? (step + 1) * n / 10 - first : n;
        rows.photo += first;
        rows.user += first;
        rows.scores += first;
        double loss;
        if (!piaa_graph_training_step(t, &rows, rate, &loss, &error)) fail_msg("%s", error.message);
        losses[step] = (float)loss;
    }
    assert_true(piaa_graph_predict(f.graph, &f.rows, 1, wide, &error));
    for (int64_t i = 0; i < n; i++) out[i] = (float)wide[i];
    char *prefix = piaa_format(NULL, "p.%s.", phase), *loss = piaa_format(NULL, "losses.%s", phase),
         *y = piaa_format(NULL, "s.%s.y_hat", phase);
    const double weights = strstr(name, "_real") && !tenths ? 0 : graph_off(&f, prefix, "w."),
                 along = off(&f, loss, losses, 10),
                 end = piaa_safetensors_find(f.golden, y) ? off(&f, y, out, (size_t)n) : 0;
    print_message("%s, %s: weights within %.1e, losses %.1e, predictions %.1e\n", name, phase,
                  weights, along, end);
    assert_true(weights < 1e-5 && along < 1e-5 && end < 1e-5);
    piaa_graph_training_free(t);
    free(prefix);
    free(loss);
    free(y);
    free(out);
    free(wide);
    fixture_close(&f);
}

static void ten_steps_are_pytorchs(void **state) {
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        follow(files[i], "phase2.lr0.0001", PIAA_TUNE_ALL, 1e-4);
        follow(files[i], "phase2.lr0.01", PIAA_TUNE_ALL, 1e-2);
        follow(files[i], "phase3.all.lr1e-05", PIAA_TUNE_ALL, 1e-5);
        follow(files[i], "phase3.all.lr0.01", PIAA_TUNE_ALL, 1e-2);
        follow(files[i], "phase3.user_plus_head.lr0.01", PIAA_TUNE_USER_PLUS_HEAD, 1e-2);
        if (i != 1) follow(files[i], "phase3.user_only.lr0.01", PIAA_TUNE_USER_ONLY, 1e-2);
    }
    follow(files[3], "phase2.lr0.0001", PIAA_TUNE_ALL, 1e-4);
    follow(files[3], "phase3.all.lr1e-05", PIAA_TUNE_ALL, 1e-5);
    follow(files[3], "phase3.all.lr0.0001", PIAA_TUNE_ALL, 1e-4);
}

/* ---------------------------------------------------------------------------- made-up ratings */

enum { PHOTOS_MADE = 50, PEOPLE_MADE = 30, ROWS_MADE = 300, MOST_ATTRIBUTES = 7, MOST_BINS = 9 };

typedef struct made {
    float attributes[PHOTOS_MADE * MOST_ATTRIBUTES], bins[PHOTOS_MADE * MOST_BINS];
    int64_t photo[ROWS_MADE], user[ROWS_MADE];
    int categories[PEOPLE_MADE * 5];
    float numbers[PEOPLE_MADE * 5], scores[ROWS_MADE];
    piaa_graph_rows rows;
} made;

static uint32_t next(uint32_t *state) {
    return (*state = *state * 1664525U + 1013904223U) >> 8;
}

static float unit(uint32_t *state) {
    return (float)next(state) / 16777216.0F;
}

static made *make_ratings(const piaa_graph_shape *shape) {
    uint32_t state = 7;
    made *m = piaa_alloc(1, sizeof *m, NULL);
    for (size_t i = 0; i < PIAA_COUNT(m->attributes); i++) m->attributes[i] = 1 + 4 * unit(&state);
    for (size_t i = 0; i < PIAA_COUNT(m->bins); i++)
        m->bins[i] = 2 * unit(&state) / (float)shape->bins;
    for (size_t i = 0; i < ROWS_MADE; i++) {
        m->photo[i] = next(&state) % PHOTOS_MADE;
        m->user[i] = next(&state) % PEOPLE_MADE;
        m->scores[i] = 1 + 4 * unit(&state);
    }
    for (size_t i = 0; i < PIAA_COUNT(m->numbers); i++) {
        m->categories[i] = shape->full ? (int)(next(&state) % (unsigned)shape->words[i % 5]) : 0;
        m->numbers[i] = 1 + 9 * unit(&state);
    }
    m->rows = (piaa_graph_rows){ROWS_MADE, m->attributes, m->bins,    m->photo,
                                m->user,   m->categories, m->numbers, m->scores};
    return m;
}

static piaa_graph_shape made_shape(bool full) {
    piaa_graph_shape shape = small_shape;
    shape.users = PEOPLE_MADE;
    shape.full = full;
    return shape;
}

static piaa_graph *made_graph(const piaa_graph_shape *shape) {
    piaa_error error = {0};
    piaa_blas_hold();
    piaa_graph *graph = piaa_graph_new(shape, 5, &error);
    if (!graph) fail_msg("%s", error.message);
    return graph;
}

static double loss_of(piaa_graph *graph, const piaa_graph_rows *rows) {
    piaa_error error = {0};
    double out[ROWS_MADE], sum = 0;
    if (!piaa_graph_predict(graph, rows, 1, out, &error)) fail_msg("%s", error.message);
    for (int64_t i = 0; i < rows->count; i++)
        sum += (out[i] - (double)rows->scores[i]) * (out[i] - (double)rows->scores[i]);
    return sum / (double)rows->count;
}

/* Along some directions through all weights: (L(w + h p) - L(w - h p)) / 2 h is g p. */
static void gradients_are_finite_differences(void **state) {
    (void)state;
    const float h = 5e-4F;
    for (int kind = 0; kind < 4; kind++) {
        piaa_error error = {0};
        piaa_graph_shape shape = made_shape(kind % 2);
        shape.user_node = kind == 3;
        shape.attribute_identity = kind >= 2;
        made *m = make_ratings(&shape);
        piaa_graph *graph = made_graph(&shape);
        piaa_graph_training *t = piaa_graph_training_new(graph, PIAA_TUNE_ALL, 1, &error);
        assert_true(piaa_graph_training_step(t, &m->rows, 0, NULL, &error));
        const size_t n = graph->layout.count;
        float *start = piaa_alloc(n, sizeof *start, NULL), *way = piaa_alloc(n, sizeof *way, NULL);
        size_t count;
        /* The gradients lie as the weights do. */
        const piaa_named *own = piaa_graph_training_gradients(t, &count);
        const float *gradients = own[0].data - (graph->tensors[0].data - graph->values);
        memcpy(start, graph->values, n * sizeof *start);
        uint32_t random = 99;
        for (int direction = 0; direction < 4; direction++) {
            double slope = 0, ahead, behind;
            for (size_t i = 0; i < n; i++) {
                way[i] = next(&random) % 2 ? 1 : -1;
                if (direction == 0) way[i] = gradients[i] > 0 ? 1 : -1;
                slope += (double)gradients[i] * way[i];
            }
            for (size_t i = 0; i < n; i++) graph->values[i] = start[i] + h * way[i];
            ahead = loss_of(graph, &m->rows);
            for (size_t i = 0; i < n; i++) graph->values[i] = start[i] - h * way[i];
            behind = loss_of(graph, &m->rows);
            const double difference = (ahead - behind) / (2 * (double)h);
            if (!(fabs(difference - slope) < 0.02 * fmax(1, fabs(slope))))
                fail_msg("graph %d: %g along a direction, not %g", kind, slope, difference);
        }
        free(start);
        free(way);
        piaa_graph_training_free(t);
        piaa_graph_free(graph);
        free(m);
    }
}

/* Attributes are summed over: changing places changes y by rounding alone, unless each is somebody.
   Worked out in the comment of attribute_graph.c. */
static void attributes_can_change_places(void **state) {
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        piaa_error error = {0};
        piaa_graph_shape shape = made_shape(kind == 1);
        shape.attribute_identity = kind == 2;
        made *m = make_ratings(&shape);
        piaa_graph *graph = made_graph(&shape);
        double before[ROWS_MADE], after[ROWS_MADE], most = 0;
        assert_true(piaa_graph_predict(graph, &m->rows, 1, before, &error));
        for (size_t i = 0; i < PHOTOS_MADE; i++) { /* turned by one */
            float *a = m->attributes + i * (size_t)shape.attributes, first = a[0];
            memmove(a, a + 1, (size_t)(shape.attributes - 1) * sizeof *a);
            a[shape.attributes - 1] = first;
        }
        assert_true(piaa_graph_predict(graph, &m->rows, 1, after, &error));
        for (size_t i = 0; i < ROWS_MADE; i++) most = fmax(most, fabs(before[i] - after[i]));
        if (shape.attribute_identity)
            assert_true(most > 1e-2);
        else
            assert_true(most < 2e-5);
        piaa_graph_free(graph);
        free(m);
    }
}

/* In full a person is their traits; with a node of their own, or reduced, not alone. */
static void equal_traits_are_equal_people(void **state) {
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        piaa_error error = {0};
        piaa_graph_shape shape = made_shape(kind != 1);
        shape.user_node = kind == 2;
        made *m = make_ratings(&shape);
        piaa_graph *graph = made_graph(&shape);
        double out[2];
        m->photo[0] = m->photo[1] = 3;
        m->user[0] = 4;
        m->user[1] = 11;
        memcpy(m->categories + 11 * 5, m->categories + 4 * 5, 5 * sizeof *m->categories);
        memcpy(m->numbers + 11 * 5, m->numbers + 4 * 5, 5 * sizeof *m->numbers);
        m->rows.count = 2;
        assert_true(piaa_graph_predict(graph, &m->rows, 1, out, &error));
        if (kind == 0)
            assert_true(fabs(out[0] - out[1]) < 1e-6);
        else
            assert_true(fabs(out[0] - out[1]) > 1e-4);
        piaa_graph_free(graph);
        free(m);
    }
}

/* Who else is in the batch, and in what order, does not matter. */
static void rows_do_not_see_each_other(void **state) {
    (void)state;
    piaa_error error = {0};
    const piaa_graph_shape shape = made_shape(true);
    made *m = make_ratings(&shape);
    piaa_graph *graph = made_graph(&shape);
    double all[ROWS_MADE], one;
    assert_true(piaa_graph_predict(graph, &m->rows, 1, all, &error));
    for (int64_t i = 0; i < ROWS_MADE; i += 37) {
        piaa_graph_rows row = m->rows;
        row.count = 1;
        row.photo += i;
        row.user += i;
        assert_true(piaa_graph_predict(graph, &row, 1, &one, &error));
        assert_true(fabs(one - all[i]) < 1e-5);
    }
    piaa_graph_free(graph);
    free(m);
}

/* ------------------------------------------------------------------------- threads, going on */

static void steps(piaa_graph *graph, const made *m, int threads, int count) {
    piaa_error error = {0};
    piaa_graph_training *t = piaa_graph_training_new(graph, PIAA_TUNE_ALL, threads, &error);
    for (int i = 0; i < count; i++)
        if (!piaa_graph_training_step(t, &m->rows, 1e-3, NULL, &error))
            fail_msg("%s", error.message);
    piaa_graph_training_free(t);
}

/* At the published size, where threads are worth starting. */
static void threads_do_not_change_a_bit(void **state) {
    (void)state;
    piaa_error error = {0};
    piaa_graph_shape shape = made_shape(true);
    shape.attributes = 7;
    shape.bins = 9;
    shape.width = 64;
    shape.hidden = 256;
    made *m = make_ratings(&shape);
    piaa_graph *one = made_graph(&shape), *several = made_graph(&shape);
    double alone[ROWS_MADE], shared[ROWS_MADE];
    steps(one, m, 1, 2);
    for (int threads = 2; threads < 8; threads += 3) {
        piaa_graph *again = made_graph(&shape);
        assert_true(piaa_graph_assign(several, again));
        steps(several, m, threads, 2);
        assert_memory_equal(one->values, several->values, one->layout.count * sizeof(float));
        assert_true(piaa_graph_predict(one, &m->rows, 1, alone, &error));
        assert_true(piaa_graph_predict(one, &m->rows, threads, shared, &error));
        assert_memory_equal(alone, shared, sizeof alone);
        piaa_graph_free(again);
    }
    piaa_graph_free(one);
    piaa_graph_free(several);
    free(m);
}

static void a_training_goes_on_with_the_same_bits(void **state) {
    (void)state;
    piaa_error error = {0};
    const piaa_graph_shape shape = made_shape(true);
    made *m = make_ratings(&shape);
    piaa_graph *whole = made_graph(&shape), *half = made_graph(&shape);
    char *folder = support_folder(), *path = support_join(folder, "training.safetensors");
    steps(whole, m, 1, 6);
    piaa_graph_training *t = piaa_graph_training_new(half, PIAA_TUNE_ALL, 1, &error);
    for (int i = 0; i < 3; i++)
        assert_true(piaa_graph_training_step(t, &m->rows, 1e-3, NULL, &error));
    size_t weights, moments;
    const piaa_named *tensors = piaa_graph_tensors(half, &weights),
                     *adam = piaa_graph_training_state(t, &moments);
    const piaa_named_part parts[] = {{"graph.", tensors, weights}, {"", adam, moments}};
    if (!piaa_named_write(parts, 2, path, &error)) fail_msg("%s", error.message);
    piaa_graph_training_free(t);
    piaa_graph_free(half);

    half = piaa_graph_new(&shape, 77, &error);
    t = piaa_graph_training_new(half, PIAA_TUNE_ALL, 1, &error);
    tensors = piaa_graph_tensors(half, &weights);
    adam = piaa_graph_training_state(t, &moments);
    if (!piaa_named_read(tensors, weights, "graph.", path, &error) ||
        !piaa_named_read(adam, moments, "", path, &error))
        fail_msg("%s", error.message);
    for (int i = 0; i < 3; i++)
        assert_true(piaa_graph_training_step(t, &m->rows, 1e-3, NULL, &error));
    assert_memory_equal(whole->values, half->values, whole->layout.count * sizeof(float));
    piaa_graph_training_free(t);
    piaa_graph_free(half);
    piaa_graph_free(whole);
    free(path);
    support_remove(folder);
    free(m);
}

/* ------------------------------------------------------------------------------ a graph's numbers
 */

static float most_of(const piaa_named *t) {
    float most = 0;
    for (int64_t i = 0; i < piaa_named_values(t); i++) most = fmaxf(most, fabsf(t->data[i]));
    return most;
}

/* PyTorch: Linear within 1 / sqrt(inputs), GRUCell within 1 / sqrt(64), Embedding normal. */
static void what_is_drawn_is_in_pytorchs_ranges(void **state) {
    (void)state;
    piaa_error error = {0};
    static const struct {
        const char *name;
        float most;
    } ranges[] = {{"int_mlp_user.net.0.weight", 0.0883883F}, /* 1 / sqrt(128) */
                  {"int_mlp_img.net.2.weight", 0.0625F},     /* 1 / sqrt(256) */
                  {"gru_user.weight_hh", 0.125F},
                  {"gru_img.bias_ih", 0.125F},
                  {"img_node_proj.weight", 1},
                  {"dis_fc.weight", 1 / 3.0F},
                  {"dis_fc.bias", 1 / 3.0F},
                  {"bias_mlp.0.bias", 0.0883883F}};
    piaa_graph_shape shape = piaa_graph_published;
    shape.users = 500;
    piaa_graph *graph = piaa_graph_new(&shape, 42, &error),
               *again = piaa_graph_new(&shape, 42, &error),
               *other = piaa_graph_new(&shape, 43, &error);
    assert_memory_equal(graph->values, again->values, graph->layout.count * sizeof(float));
    assert_true(memcmp(graph->values, other->values, graph->layout.count * sizeof(float)) != 0);
    for (size_t i = 0; i < graph->tensor_count; i++) {
        const piaa_named *t = &graph->tensors[i];
        for (size_t k = 0; k < PIAA_COUNT(ranges); k++)
            if (strcmp(t->name, ranges[k].name) == 0) {
                assert_true(most_of(t) <= ranges[k].most + 1e-6F);
                /* n draws stay below the share q of their range once in q^-n times. */
                if (piaa_named_values(t) >= 64) assert_true(most_of(t) > 0.8F * ranges[k].most);
            }
        if (strcmp(t->name, "user_id_emb.weight") == 0) {
            double mean = 0, square = 0;
            for (int64_t k = 0; k < 32000; k++) {
                mean += (double)t->data[k] / 32000;
                square += (double)t->data[k] * t->data[k] / 32000;
            }
            assert_true(fabs(mean) < 0.03 && fabs(square - 1) < 0.04); /* 5 standard errors */
        }
    }
    piaa_graph_free(graph);
    piaa_graph_free(again);
    piaa_graph_free(other);
}

static void other_people_get_embeddings_of_their_own(void **state) {
    (void)state;
    piaa_error error = {0};
    const piaa_graph_shape shape = made_shape(false);
    piaa_graph *prior = made_graph(&shape), *people = piaa_graph_for_people(prior, 9, 1, &error),
               *again = piaa_graph_for_people(prior, 9, 1, &error),
               *other = piaa_graph_for_people(prior, 9, 2, &error);
    assert_int_equal(piaa_graph_get_shape(people)->users, 9);
    const size_t own = people->layout.users_end, rest = people->layout.count - own;
    assert_memory_equal(people->values + own, prior->values + prior->layout.users_end,
                        rest * sizeof(float));
    assert_memory_equal(people->values, again->values, own * sizeof(float));
    assert_true(memcmp(people->values, other->values, own * sizeof(float)) != 0);
    assert_true(memcmp(people->values, prior->values, own * sizeof(float)) != 0);
    assert_false(piaa_graph_assign(people, prior));
    assert_true(piaa_graph_assign(people, other));
    assert_memory_equal(people->values, other->values, people->layout.count * sizeof(float));
    piaa_graph_free(prior);
    piaa_graph_free(people);
    piaa_graph_free(again);
    piaa_graph_free(other);
}

/* ------------------------------------------------------------------------------------------- bad
 */

static void expect(const piaa_error *error, piaa_code code, const char *text) {
    if (error->code != code || !strstr(error->message, text))
        fail_msg("\"%s\" (%d) does not say \"%s\"", error->message, (int)error->code, text);
}

static void damage(made *m, int i) {
    if (i == 0) m->attributes[m->photo[17] * 4 + 2] = NAN;
    if (i == 1) m->bins[m->photo[17] * 5] = INFINITY;
    if (i == 2) m->numbers[m->user[17] * 5 + 4] = NAN;
    if (i == 3) m->scores[17] = NAN;
    if (i == 4) m->categories[m->user[17] * 5 + 1] = 2;
    if (i == 5) m->categories[m->user[17] * 5] = -1;
    if (i == 6) m->user[17] = PEOPLE_MADE;
    if (i == 7) m->user[17] = -1;
    if (i == 8) m->photo[17] = -1;
    if (i == 9) m->rows.numbers = NULL;
    if (i == 10) m->rows.count = 0;
    if (i == 11) m->attributes[m->photo[17] * 4] = 3e38F;
}

static void bad_rows_are_refused_and_the_step_is_named(void **state) {
    (void)state;
    static const struct {
        piaa_code code;
        const char *says;
    } wanted[] = {{PIAA_FORMAT, "attribute"}, {PIAA_FORMAT, "share"},     {PIAA_FORMAT, "trait"},
                  {PIAA_FORMAT, "score"},     {PIAA_USAGE, "gender"},     {PIAA_USAGE, "age"},
                  {PIAA_USAGE, "person 30"},  {PIAA_USAGE, "person -1"},  {PIAA_USAGE, "photo"},
                  {PIAA_USAGE, "traits"},     {PIAA_USAGE, "no ratings"}, {PIAA_FORMAT, "finite"}};
    const piaa_graph_shape shape = made_shape(true);
    for (int i = 0; i < (int)PIAA_COUNT(wanted); i++) {
        piaa_error error = {0};
        double out[ROWS_MADE];
        made *m = make_ratings(&shape);
        piaa_graph *graph = made_graph(&shape);
        piaa_graph_training *t = piaa_graph_training_new(graph, PIAA_TUNE_ALL, 2, &error);
        assert_true(piaa_graph_training_step(t, &m->rows, 1e-4, NULL, &error));
        float *before = piaa_alloc(graph->layout.count, sizeof *before, NULL);
        memcpy(before, graph->values, graph->layout.count * sizeof *before);
        damage(m, i);
        assert_false(piaa_graph_training_step(t, &m->rows, 1e-4, NULL, &error));
        expect(&error, wanted[i].code, wanted[i].says);
        expect(&error, wanted[i].code, "step 2 ");
        assert_memory_equal(before, graph->values, graph->layout.count * sizeof *before);
        error = (piaa_error){0};
        /* Scores are not looked at, and there is nothing to predict for nobody. */
        assert_int_equal(piaa_graph_predict(graph, &m->rows, 2, out, &error), i == 3 || i == 10);
        free(before);
        piaa_graph_training_free(t);
        piaa_graph_free(graph);
        free(m);
    }
}

static void a_rate_that_is_too_high_is_told(void **state) {
    (void)state;
    piaa_error error = {0};
    const piaa_graph_shape shape = made_shape(false);
    made *m = make_ratings(&shape);
    piaa_graph *graph = made_graph(&shape);
    piaa_graph_training *t = piaa_graph_training_new(graph, PIAA_TUNE_ALL, 1, &error);
    assert_true(piaa_graph_training_step(t, &m->rows, 1e30, NULL, &error));
    assert_false(piaa_graph_training_step(t, &m->rows, 1e30, NULL, &error));
    expect(&error, PIAA_FORMAT, "step 2 of the attribute graph: the loss is not a finite number");
    piaa_graph_training_free(t);
    piaa_graph_free(graph);
    free(m);
}

static void shapes_and_scopes_that_make_no_sense_are_refused(void **state) {
    (void)state;
    for (int i = 0; i < 7; i++) {
        piaa_error error = {0};
        piaa_graph_shape shape = made_shape(true);
        int *const sizes[] = {&shape.attributes, &shape.bins,  &shape.width,
                              &shape.hidden,     &shape.users, &shape.words[3]};
        if (i < 6) *sizes[i] = i % 2 ? 0 : -3;
        if (i == 6) shape.full = false, shape.user_node = true;
        assert_null(piaa_graph_new(&shape, 1, &error));
        expect(&error, i < 6 ? PIAA_USAGE : PIAA_UNSUPPORTED, "graph");
    }
    for (int kind = 0; kind < 3; kind++) {
        piaa_error error = {0};
        piaa_graph_shape shape = made_shape(kind != 1);
        shape.user_node = kind == 2;
        piaa_graph *graph = made_graph(&shape);
        piaa_graph_training *t = piaa_graph_training_new(graph, PIAA_TUNE_USER_ONLY, 1, &error);
        assert_int_equal(t != NULL, kind != 0);
        if (!t) expect(&error, PIAA_USAGE, "user-only");
        piaa_graph_training_free(t);
        piaa_graph_free(graph);
    }
}

/* A file of another shape, one that lacks a tensor, one that was cut off: each by name. */
static void damaged_weights_are_refused_by_name(void **state) {
    (void)state;
    piaa_error error = {0};
    piaa_graph_shape shape = made_shape(true), wide = shape;
    wide.hidden++;
    char *folder = support_folder(), *path = support_join(folder, "full.safetensors");
    piaa_graph *graph = made_graph(&shape), *other = made_graph(&wide);
    size_t count;
    const piaa_named *tensors = piaa_graph_tensors(graph, &count);
    piaa_named_part part = {"", other->tensors, other->tensor_count};
    assert_true(piaa_named_write(&part, 1, path, &error));
    assert_false(piaa_named_read(tensors, count, "", path, &error));
    expect(&error, PIAA_FORMAT, "int_mlp_user.net.0.weight");
    part = (piaa_named_part){"", tensors, count - 1};
    assert_true(piaa_named_write(&part, 1, path, &error));
    error = (piaa_error){0};
    assert_false(piaa_named_read(tensors, count, "", path, &error));
    expect(&error, PIAA_FORMAT, "dis_fc.bias");
    graph->tensors[3].data[0] = NAN;
    part.count = count;
    assert_true(piaa_named_write(&part, 1, path, &error));
    error = (piaa_error){0};
    assert_false(piaa_named_read(tensors, count, "", path, &error));
    expect(&error, PIAA_FORMAT, graph->tensors[3].name);
    assert_int_equal(truncate(path, 5000), 0);
    error = (piaa_error){0};
    assert_false(piaa_named_read(tensors, count, "", path, &error));
    expect(&error, PIAA_FORMAT, "full.safetensors");
    piaa_graph_free(graph);
    piaa_graph_free(other);
    free(path);
    support_remove(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_stage_is_pytorchs),
        cmocka_unit_test(gradients_are_pytorchs),
        cmocka_unit_test(ten_steps_are_pytorchs),
        cmocka_unit_test(gradients_are_finite_differences),
        cmocka_unit_test(attributes_can_change_places),
        cmocka_unit_test(equal_traits_are_equal_people),
        cmocka_unit_test(rows_do_not_see_each_other),
        cmocka_unit_test(threads_do_not_change_a_bit),
        cmocka_unit_test(a_training_goes_on_with_the_same_bits),
        cmocka_unit_test(what_is_drawn_is_in_pytorchs_ranges),
        cmocka_unit_test(other_people_get_embeddings_of_their_own),
        cmocka_unit_test(bad_rows_are_refused_and_the_step_is_named),
        cmocka_unit_test(a_rate_that_is_too_high_is_told),
        cmocka_unit_test(shapes_and_scopes_that_make_no_sense_are_refused),
        cmocka_unit_test(damaged_weights_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Operations are described, compiled at once, and kept with everything they need in one piaa_dnn,
 * which frees it all.  Memory comes last: arrays that live at different times share a place, and
 * how large a place has to be is known when everything is laid out.
 *
 * An array's layout is that of the operation that makes it.  A convolution is given its input as it
 * lies and asked to choose the rest, so that the layout that the first one likes goes through the
 * whole network; only pixels and weights are laid out anew.
 */
#include "train/onednn.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_ARGUMENTS = 12 };

typedef struct step {
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t arguments[MOST_ARGUMENTS];
    int count;
} step;

typedef struct operations {
    step *steps;
    size_t count, capacity;
} operations;

/* What is let go of at the end. */
typedef struct kept {
    void *what;
    void (*release)(void *what);
} kept;

struct piaa_dnn {
    int threads;
    bool failed;
    piaa_error error; /* the first */
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    operations lists[PIAA_DNN_LISTS];
    kept *kept;
    size_t kept_count, kept_capacity;
    piaa_dnn_array **arrays; /* in shared places or of their own */
    size_t array_count, array_capacity;
    float *shared[PIAA_DNN_SHARED];
    size_t bytes;
};

/* ---- threads */

#if DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_OMP
/* As in omp.h, which clang has only with an OpenMP library of its own; oneDNN's is the one. */
extern int omp_get_max_threads(void);
extern void omp_set_num_threads(int count);

static int set_threads(int count) {
    const int before = omp_get_max_threads();
    omp_set_num_threads(count);
    return before;
}
#else
static int set_threads(int count) {
    return count; /* oneDNN on one thread, or as TBB likes it */
}
#endif

/* ---- failing, and owning */

static bool fail(piaa_dnn *dnn, dnnl_status_t status, const char *what) {
    if (!dnn->failed)
        piaa_error_set(&dnn->error, status == dnnl_out_of_memory ? PIAA_MEMORY : PIAA_UNSUPPORTED,
                       "oneDNN cannot %s on this machine (its status %d)", what, (int)status);
    dnn->failed = true;
    return false;
}

static bool check(piaa_dnn *dnn, dnnl_status_t status, const char *what) {
    return status == dnnl_success || fail(dnn, status, what);
}

/* The owner of `what` from now on, at once where there is no memory to note it. */
static bool keep(piaa_dnn *dnn, void *what, void (*release)(void *)) {
    if (!piaa_grow(&dnn->kept, &dnn->kept_capacity, dnn->kept_count + 1, sizeof *dnn->kept,
                   dnn->failed ? NULL : &dnn->error)) {
        dnn->failed = true;
        release(what);
        return false;
    }
    dnn->kept[dnn->kept_count++] = (kept){what, release};
    return true;
}

static void release_primitive(void *what) {
    dnnl_primitive_destroy(what);
}
static void release_description(void *what) {
    dnnl_primitive_desc_destroy(what);
}
static void release_attributes(void *what) {
    dnnl_primitive_attr_destroy(what);
}
static void release_memory(void *what) {
    dnnl_memory_destroy(what);
}
static void release_layout(void *what) {
    piaa_dnn_forget_layout(what);
}

/* A zeroed record that lives as long as everything else. */
static void *record(piaa_dnn *dnn, size_t size) {
    if (dnn->failed) return NULL;
    void *made = piaa_alloc(1, size, &dnn->error);
    if (made) return keep(dnn, made, free) ? made : NULL;
    dnn->failed = true;
    return NULL;
}

piaa_dnn *piaa_dnn_new(int threads, piaa_error *error) {
    piaa_dnn *dnn = piaa_alloc(1, sizeof *dnn, error);
    if (!dnn) return NULL;
    dnn->threads = threads > 1 ? threads : 1;
    const int before = set_threads(dnn->threads);
    if (!check(dnn, dnnl_engine_create(&dnn->engine, dnnl_cpu, 0), "start") ||
        !check(dnn, dnnl_stream_create(&dnn->stream, dnn->engine, dnnl_stream_default_flags),
               "start")) {
        piaa_error_set(error, dnn->error.code, "%s", dnn->error.message);
        piaa_dnn_free(dnn);
        dnn = NULL;
    }
    set_threads(before);
    return dnn;
}

void piaa_dnn_free(piaa_dnn *dnn) {
    if (!dnn) return;
    for (int i = 0; i < PIAA_DNN_LISTS; i++) free(dnn->lists[i].steps);
    for (size_t i = 0; i < dnn->array_count; i++)
        if (dnn->arrays[i]->place == PIAA_DNN_OWN) free(dnn->arrays[i]->data);
    for (size_t i = dnn->kept_count; i--;) dnn->kept[i].release(dnn->kept[i].what);
    for (int i = 0; i < PIAA_DNN_SHARED; i++) free(dnn->shared[i]);
    if (dnn->stream) dnnl_stream_destroy(dnn->stream);
    if (dnn->engine) dnnl_engine_destroy(dnn->engine);
    free(dnn->arrays);
    free(dnn->kept);
    free(dnn);
}

/* ---- arrays */

static piaa_dnn_layout lay_out(piaa_dnn *dnn, int dimensions, const dnnl_dims_t shape,
                               dnnl_format_tag_t tag) {
    piaa_dnn_layout layout = NULL;
    if (dnn->failed) return NULL;
    const dnnl_status_t status = piaa_dnn_describe_layout(&layout, dimensions, shape, tag);
    if (layout && !keep(dnn, (void *)layout, release_layout)) return NULL;
    return check(dnn, status, "lay out an array") ? layout : NULL;
}

static piaa_dnn_array *array_new(piaa_dnn *dnn, piaa_dnn_layout layout, int dimensions,
                                 const dnnl_dims_t shape) {
    piaa_dnn_array *array = record(dnn, sizeof *array);
    if (!array) return NULL;
    array->layout = layout;
    array->dimensions = dimensions;
    memcpy(array->shape, shape, (size_t)dimensions * sizeof *shape);
    array->bytes = dnnl_memory_desc_get_size(layout);
    if (!check(dnn, dnnl_memory_create(&array->memory, layout, dnn->engine, DNNL_MEMORY_NONE),
               "make an array"))
        return NULL;
    return keep(dnn, array->memory, release_memory) ? array : NULL;
}

/* In memory that piaa_dnn_built makes. */
static piaa_dnn_array *array_in(piaa_dnn *dnn, piaa_dnn_layout layout, int dimensions,
                                const dnnl_dims_t shape, int place) {
    piaa_dnn_array *array = dnn->failed ? NULL : array_new(dnn, layout, dimensions, shape);
    if (!array) return NULL;
    array->place = place;
    if (!piaa_grow(&dnn->arrays, &dnn->array_capacity, dnn->array_count + 1, sizeof *dnn->arrays,
                   &dnn->error)) {
        dnn->failed = true;
        return NULL;
    }
    dnn->arrays[dnn->array_count++] = array;
    return array;
}

static piaa_dnn_layout plain_layout(piaa_dnn *dnn, int dimensions, const dnnl_dims_t shape) {
    static const dnnl_format_tag_t tags[] = {dnnl_a, dnnl_ab, dnnl_abc, dnnl_abcd};
    return lay_out(dnn, dimensions, shape, tags[dimensions - 1]);
}

piaa_dnn_array *piaa_dnn_plain(piaa_dnn *dnn, int dimensions, const int64_t *shape,
                               const float *data) {
    const piaa_dnn_layout layout = plain_layout(dnn, dimensions, shape);
    piaa_dnn_array *array = layout ? array_new(dnn, layout, dimensions, shape) : NULL;
    if (array) piaa_dnn_point(dnn, array, data);
    return array;
}

void piaa_dnn_point(piaa_dnn *dnn, piaa_dnn_array *plain, const float *data) {
    if (dnn->failed) return;
    plain->data = (float *)data;
    check(dnn, dnnl_memory_set_data_handle(plain->memory, plain->data), "take an array");
}

piaa_dnn_array *piaa_dnn_plain_own(piaa_dnn *dnn, int dimensions, const int64_t *shape) {
    const piaa_dnn_layout layout = plain_layout(dnn, dimensions, shape);
    return layout ? array_in(dnn, layout, dimensions, shape, PIAA_DNN_OWN) : NULL;
}

static bool find_memory(piaa_dnn *dnn, size_t sizes[PIAA_DNN_SHARED]) {
    for (size_t i = 0; i < dnn->array_count; i++) {
        piaa_dnn_array *a = dnn->arrays[i];
        if (a->place == PIAA_DNN_OWN) {
            a->data = piaa_alloc_array(a->bytes, 1, &dnn->error);
            if (!a->data) return false;
            dnn->bytes += a->bytes;
        } else if (a->bytes > sizes[a->place]) {
            sizes[a->place] = a->bytes;
        }
    }
    for (int i = 0; i < PIAA_DNN_SHARED; i++) {
        dnn->shared[i] = sizes[i] ? piaa_alloc_array(sizes[i], 1, &dnn->error) : NULL;
        if (sizes[i] && !dnn->shared[i]) return false;
        dnn->bytes += sizes[i];
    }
    return true;
}

bool piaa_dnn_built(piaa_dnn *dnn, piaa_error *error) {
    size_t sizes[PIAA_DNN_SHARED] = {0};
    if (!dnn->failed) dnn->failed = !find_memory(dnn, sizes);
    const int before = set_threads(dnn->threads);
    for (size_t i = 0; i < dnn->array_count && !dnn->failed; i++) {
        piaa_dnn_array *a = dnn->arrays[i];
        if (a->place != PIAA_DNN_OWN) a->data = dnn->shared[a->place];
        check(dnn, dnnl_memory_set_data_handle(a->memory, a->data), "take an array");
    }
    set_threads(before);
    return !dnn->failed || piaa_error_set(error, dnn->error.code, "%s", dnn->error.message);
}

size_t piaa_dnn_bytes(const piaa_dnn *dnn) {
    return dnn->bytes;
}

/* ---- running */

size_t piaa_dnn_count(const piaa_dnn *dnn, int list) {
    return dnn->lists[list].count;
}

bool piaa_dnn_run_part(piaa_dnn *dnn, int list, size_t first, size_t last, piaa_error *error) {
    if (dnn->failed) return piaa_error_set(error, dnn->error.code, "%s", dnn->error.message);
    const int before = set_threads(dnn->threads);
    dnnl_status_t status = dnnl_success;
    for (size_t i = first; i < last && status == dnnl_success; i++) {
        const step *s = &dnn->lists[list].steps[i];
        status = dnnl_primitive_execute(s->primitive, dnn->stream, s->count, s->arguments);
    }
    if (status == dnnl_success) status = dnnl_stream_wait(dnn->stream);
    set_threads(before);
    return status == dnnl_success ||
           piaa_error_set(error, status == dnnl_out_of_memory ? PIAA_MEMORY : PIAA_UNSUPPORTED,
                          "oneDNN stopped while computing (its status %d)", (int)status);
}

bool piaa_dnn_run(piaa_dnn *dnn, int list, piaa_error *error) {
    return piaa_dnn_run_part(dnn, list, 0, dnn->lists[list].count, error);
}

/* ---- emitting */

typedef struct argument {
    int name;
    piaa_dnn_array *array; /* NULL: not given */
} argument;

/* Compiles the operation and puts it at the end of the list. */
static void emit(piaa_dnn *dnn, int list, dnnl_primitive_desc_t description, const char *what,
                 const argument *arguments, size_t count) {
    if (dnn->failed) return;
    dnnl_primitive_t primitive;
    const int before = set_threads(dnn->threads);
    const dnnl_status_t status = dnnl_primitive_create(&primitive, description);
    set_threads(before);
    if (!check(dnn, status, what) || !keep(dnn, primitive, release_primitive)) return;
    step s = {.primitive = primitive};
    for (size_t i = 0; i < count; i++)
        if (arguments[i].array)
            s.arguments[s.count++] =
                (dnnl_exec_arg_t){arguments[i].name, arguments[i].array->memory};
    const piaa_dnn_layout scratch =
        dnnl_primitive_desc_query_md(description, dnnl_query_scratchpad_md, 0);
    if (scratch && dnnl_memory_desc_get_size(scratch)) {
        const piaa_dnn_array *place = array_in(dnn, scratch, 0, (dnnl_dims_t){0}, PIAA_DNN_SCRATCH);
        if (!place) return;
        s.arguments[s.count++] = (dnnl_exec_arg_t){DNNL_ARG_SCRATCHPAD, place->memory};
    }
    operations *l = &dnn->lists[list];
    if (piaa_grow(&l->steps, &l->capacity, l->count + 1, sizeof *l->steps, &dnn->error))
        l->steps[l->count++] = s;
    else
        dnn->failed = true;
}

/* Scratch memory is ours; first an addition to what is there, then relu. */
static const_dnnl_primitive_attr_t attributes(piaa_dnn *dnn, bool adds, bool relu) {
    dnnl_primitive_attr_t made = NULL;
    static const char what[] = "take attributes";
    if (dnn->failed || !check(dnn, dnnl_primitive_attr_create(&made), what) ||
        !keep(dnn, made, release_attributes) ||
        !check(dnn, dnnl_primitive_attr_set_scratchpad_mode(made, dnnl_scratchpad_mode_user), what))
        return NULL;
    if (!adds && !relu) return made;
    dnnl_post_ops_t after = NULL;
    if (!check(dnn, dnnl_post_ops_create(&after), what)) return NULL;
    dnnl_status_t status = adds ? piaa_dnn_append_sum(after) : dnnl_success;
    if (status == dnnl_success && relu) status = piaa_dnn_append_relu(after);
    if (status == dnnl_success) status = dnnl_primitive_attr_set_post_ops(made, after);
    dnnl_post_ops_destroy(after);
    return check(dnn, status, what) ? made : NULL;
}

/* Owns what was described with `status`. */
static bool described(piaa_dnn *dnn, dnnl_status_t status, dnnl_primitive_desc_t description,
                      const char *what) {
    if (description && !keep(dnn, description, release_description)) return false;
    return check(dnn, status, what);
}

static piaa_dnn_layout layout_of(const_dnnl_primitive_desc_t description, dnnl_query_t what) {
    return dnnl_primitive_desc_query_md(description, what, 0);
}

static bool lie_alike(piaa_dnn_layout a, piaa_dnn_layout b) {
    return dnnl_memory_desc_equal(a, b) != 0;
}

/* Wherever oneDNN reads how many threads there are, it is this number. */
#define DESCRIBE(call)                                                                             \
    do {                                                                                           \
        const int before = set_threads(dnn->threads);                                              \
        status = call;                                                                             \
        set_threads(before);                                                                       \
    } while (0)

void piaa_dnn_copy(piaa_dnn *dnn, int list, piaa_dnn_array *from, piaa_dnn_array *to) {
    static const char what[] = "lay an array out anew";
    const_dnnl_primitive_attr_t plain = attributes(dnn, false, false);
    if (dnn->failed || from == to) return;
    dnnl_primitive_desc_t d = NULL;
    dnnl_status_t status;
    DESCRIBE(piaa_dnn_describe_copy(&d, dnn->engine, from->layout, to->layout, plain));
    if (!described(dnn, status, d, what)) return;
    emit(dnn, list, d, what, (argument[]){{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}}, 2);
}

/* `from` laid out so: itself where it is, else a copy of it in `place`. */
static piaa_dnn_array *laid_out(piaa_dnn *dnn, int list, piaa_dnn_array *from,
                                piaa_dnn_layout layout, int place) {
    if (dnn->failed || lie_alike(from->layout, layout)) return from;
    piaa_dnn_array *to = array_in(dnn, layout, from->dimensions, from->shape, place);
    if (to) piaa_dnn_copy(dnn, list, from, to);
    return to;
}

/* ---- convolution */

static piaa_dnn_steps steps_of(const piaa_dnn_window *w) {
    return (piaa_dnn_steps){.kernel = {w->kernel, w->kernel},
                            .stride = {w->stride, w->stride},
                            .padding = {w->padding, w->padding}};
}

static void shape_after(const piaa_dnn_window *w, const piaa_dnn_array *x, int64_t channels,
                        dnnl_dims_t out) {
    out[0] = x->shape[0];
    out[1] = channels;
    for (int i = 2; i < 4; i++) out[i] = (x->shape[i] + 2 * w->padding - w->kernel) / w->stride + 1;
}

static piaa_dnn_convolution *convolve(piaa_dnn *dnn, int list, piaa_dnn_array *x,
                                      piaa_dnn_array *plain, const piaa_dnn_window *window) {
    static const char what[] = "convolve";
    piaa_dnn_convolution *c = record(dnn, sizeof *c);
    const_dnnl_primitive_attr_t attr = attributes(dnn, window->adds_to != NULL, window->relu);
    if (dnn->failed) return NULL;
    const piaa_dnn_steps steps = steps_of(window);
    const piaa_dnn_array *like = window->adds_to ? window->adds_to : window->like;
    dnnl_dims_t shape;
    shape_after(window, x, plain->shape[0], shape);
    const bool outside = x->data != NULL; /* pixels may be laid out anew, activations stay */
    const piaa_dnn_layout from =
                              outside ? lay_out(dnn, 4, x->shape, dnnl_format_tag_any) : x->layout,
                          weights = lay_out(dnn, 4, plain->shape, dnnl_format_tag_any),
                          to = like ? like->layout : lay_out(dnn, 4, shape, dnnl_format_tag_any);
    if (dnn->failed) return NULL;
    dnnl_status_t status;
    DESCRIBE(piaa_dnn_describe_convolution(&c->forward, dnn->engine, window->inference, from,
                                           weights, window->bias ? window->bias->layout : NULL, to,
                                           &steps, attr));
    if (!described(dnn, status, c->forward, what)) return NULL;
    c->window = *window;
    c->plain = plain;
    c->x = laid_out(dnn, list, x, layout_of(c->forward, dnnl_query_src_md), PIAA_DNN_OWN);
    c->weights = laid_out(dnn, window->weights_list, plain,
                          layout_of(c->forward, dnnl_query_weights_md), PIAA_DNN_OWN);
    c->y = window->adds_to
               ? window->adds_to
               : array_in(dnn, layout_of(c->forward, dnnl_query_dst_md), 4, shape, window->place);
    emit(dnn, list, c->forward, what,
         (argument[]){{DNNL_ARG_SRC, c->x},
                      {DNNL_ARG_WEIGHTS, c->weights},
                      {DNNL_ARG_BIAS, window->bias},
                      {DNNL_ARG_DST, c->y}},
         4);
    return dnn->failed ? NULL : c;
}

piaa_dnn_convolution *piaa_dnn_convolve(piaa_dnn *dnn, int list, piaa_dnn_array *x,
                                        piaa_dnn_array *plain, const piaa_dnn_window *window) {
    return dnn->failed ? NULL : convolve(dnn, list, x, plain, window);
}

void piaa_dnn_convolve_weights(piaa_dnn *dnn, int list, piaa_dnn_convolution *c, piaa_dnn_array *dy,
                               piaa_dnn_array *gradient, int place) {
    static const char what[] = "convolve backwards, for the weights";
    const_dnnl_primitive_attr_t attr = attributes(dnn, false, false);
    if (dnn->failed) return;
    const piaa_dnn_steps steps = steps_of(&c->window);
    const piaa_dnn_layout any = lay_out(dnn, 4, c->plain->shape, dnnl_format_tag_any);
    if (!any) return;
    dnnl_primitive_desc_t d = NULL;
    dnnl_status_t status;
    DESCRIBE(piaa_dnn_describe_convolution_weights(&d, dnn->engine, c->x->layout, any, dy->layout,
                                                   &steps, c->forward, attr));
    if (!described(dnn, status, d, what)) return;
    const piaa_dnn_layout layout = layout_of(d, dnnl_query_diff_weights_md);
    piaa_dnn_array *made = lie_alike(layout, gradient->layout)
                               ? gradient
                               : array_in(dnn, layout, 4, c->plain->shape, place);
    emit(dnn, list, d, what,
         (argument[]){{DNNL_ARG_SRC, c->x}, {DNNL_ARG_DIFF_DST, dy}, {DNNL_ARG_DIFF_WEIGHTS, made}},
         3);
    piaa_dnn_copy(dnn, list, made, gradient);
}

piaa_dnn_array *piaa_dnn_convolve_back(piaa_dnn *dnn, int list, piaa_dnn_convolution *c,
                                       piaa_dnn_array *dy, int place) {
    static const char what[] = "convolve backwards";
    const_dnnl_primitive_attr_t attr = attributes(dnn, false, false);
    if (dnn->failed) return NULL;
    const piaa_dnn_steps steps = steps_of(&c->window);
    const piaa_dnn_layout any = lay_out(dnn, 4, c->plain->shape, dnnl_format_tag_any);
    if (!any) return NULL;
    dnnl_primitive_desc_t d = NULL;
    dnnl_status_t status;
    DESCRIBE(piaa_dnn_describe_convolution_back(&d, dnn->engine, c->x->layout, any, dy->layout,
                                                &steps, c->forward, attr));
    if (!described(dnn, status, d, what)) return NULL;
    const piaa_dnn_layout layout = layout_of(d, dnnl_query_weights_md);
    piaa_dnn_array *weights =
        lie_alike(layout, c->weights->layout)
            ? c->weights
            : laid_out(dnn, c->window.weights_list, c->plain, layout, PIAA_DNN_OWN);
    piaa_dnn_array *dx = array_in(dnn, layout_of(d, dnnl_query_diff_src_md), 4, c->x->shape, place);
    emit(
        dnn, list, d, what,
        (argument[]){{DNNL_ARG_DIFF_DST, dy}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DIFF_SRC, dx}},
        3);
    return dx;
}

/* ---- batch norm */

static unsigned norm_flags(bool relu) {
    return dnnl_use_scale | dnnl_use_shift | (relu ? (unsigned)dnnl_fuse_norm_relu : 0);
}

/* What the way back needs of the way there; NULL where that is nothing. */
static piaa_dnn_array *workspace_of(piaa_dnn *dnn, const_dnnl_primitive_desc_t forward) {
    const piaa_dnn_layout layout = layout_of(forward, dnnl_query_workspace_md);
    return layout && dnnl_memory_desc_get_size(layout)
               ? array_in(dnn, layout, 0, (dnnl_dims_t){0}, PIAA_DNN_OWN)
               : NULL;
}

piaa_dnn_norm *piaa_dnn_normalise(piaa_dnn *dnn, int list, piaa_dnn_array *x,
                                  const piaa_dnn_channels *channels, float epsilon, bool relu) {
    static const char what[] = "normalise a batch";
    piaa_dnn_norm *norm = record(dnn, sizeof *norm);
    const_dnnl_primitive_attr_t attr = attributes(dnn, false, false);
    if (dnn->failed) return NULL;
    *norm = (piaa_dnn_norm){.channels = *channels, .relu = relu, .x = x};
    dnnl_status_t status;
    DESCRIBE(piaa_dnn_describe_norm(&norm->forward, dnn->engine, x->layout, epsilon,
                                    norm_flags(relu), attr));
    if (!described(dnn, status, norm->forward, what)) return NULL;
    norm->y = array_in(dnn, layout_of(norm->forward, dnnl_query_dst_md), 4, x->shape, PIAA_DNN_OWN);
    norm->workspace = workspace_of(dnn, norm->forward);
    emit(dnn, list, norm->forward, what,
         (argument[]){{DNNL_ARG_SRC, x},
                      {DNNL_ARG_SCALE, channels->scale},
                      {DNNL_ARG_SHIFT, channels->shift},
                      {DNNL_ARG_MEAN, channels->mean},
                      {DNNL_ARG_VARIANCE, channels->variance},
                      {DNNL_ARG_WORKSPACE, norm->workspace},
                      {DNNL_ARG_DST, norm->y}},
         7);
    return dnn->failed ? NULL : norm;
}

piaa_dnn_array *piaa_dnn_normalise_back(piaa_dnn *dnn, int list, piaa_dnn_norm *norm,
                                        piaa_dnn_array *dy, float epsilon, int place) {
    static const char what[] = "go back through a batch norm";
    const_dnnl_primitive_attr_t attr = attributes(dnn, false, false);
    if (dnn->failed) return NULL;
    dnnl_primitive_desc_t d = NULL;
    dnnl_status_t status;
    DESCRIBE(piaa_dnn_describe_norm_back(&d, dnn->engine, norm->x->layout, epsilon,
                                         norm_flags(norm->relu), norm->forward, attr));
    if (!described(dnn, status, d, what)) return NULL;
    piaa_dnn_array *dx = dy->place == place ? dy
                                            : array_in(dnn, layout_of(d, dnnl_query_diff_src_md), 4,
                                                       norm->x->shape, place);
    const piaa_dnn_channels *c = &norm->channels;
    emit(dnn, list, d, what,
         (argument[]){{DNNL_ARG_SRC, norm->x},
                      {DNNL_ARG_DIFF_DST, dy},
                      {DNNL_ARG_SCALE, c->scale},
                      {DNNL_ARG_SHIFT, PIAA_DNN_SHIFT_GOES_BACK ? c->shift : NULL},
                      {DNNL_ARG_MEAN, c->mean},
                      {DNNL_ARG_VARIANCE, c->variance},
                      {DNNL_ARG_WORKSPACE, norm->workspace},
                      {DNNL_ARG_DIFF_SRC, dx},
                      {DNNL_ARG_DIFF_SCALE, c->scale_gradient},
                      {DNNL_ARG_DIFF_SHIFT, c->shift_gradient}},
         10);
    return dx;
}

/* ---- sums and relu */

void piaa_dnn_add(piaa_dnn *dnn, int list, piaa_dnn_array *a, piaa_dnn_array *b, bool relu) {
    static const char what[] = "add arrays";
    const_dnnl_primitive_attr_t attr = attributes(dnn, false, relu);
    if (dnn->failed) return;
    dnnl_primitive_desc_t d = NULL;
    dnnl_status_t status;
    DESCRIBE(piaa_dnn_describe_sum(&d, dnn->engine, a->layout, b->layout, attr));
    if (!described(dnn, status, d, what)) return;
    emit(dnn, list, d, what,
         (argument[]){{DNNL_ARG_SRC_0, a}, {DNNL_ARG_SRC_1, b}, {DNNL_ARG_DST, a}}, 3);
}

void piaa_dnn_relu_back(piaa_dnn *dnn, int list, piaa_dnn_array *y, piaa_dnn_array *dy) {
    static const char what[] = "go back through relu";
    const_dnnl_primitive_attr_t attr = attributes(dnn, false, false);
    if (dnn->failed) return;
    dnnl_primitive_desc_t d = NULL, forward = NULL;
    dnnl_status_t status;
    DESCRIBE(piaa_dnn_describe_relu_back(&d, &forward, dnn->engine, y->layout, dy->layout, attr));
    const bool kept_forward = !forward || keep(dnn, forward, release_description);
    if (!described(dnn, status, d, what) || !kept_forward) return;
    emit(dnn, list, d, what,
         (argument[]){{DNNL_ARG_DST, y}, {DNNL_ARG_DIFF_DST, dy}, {DNNL_ARG_DIFF_SRC, dy}}, 3);
}

/* ---- pools */

static piaa_dnn_steps pool_steps(const piaa_dnn_pool *pool) {
    if (pool->kind == dnnl_pooling_max) return steps_of(&pool->window);
    return (piaa_dnn_steps){.kernel = {pool->x->shape[2], pool->x->shape[3]},
                            .stride = {pool->x->shape[2], pool->x->shape[3]}};
}

static piaa_dnn_pool *pool_new(piaa_dnn *dnn, int list, piaa_dnn_array *x,
                               const piaa_dnn_window *window, dnnl_alg_kind_t kind) {
    static const char what[] = "pool";
    piaa_dnn_pool *pool = record(dnn, sizeof *pool);
    const_dnnl_primitive_attr_t attr = attributes(dnn, false, false);
    if (dnn->failed) return NULL;
    *pool = (piaa_dnn_pool){.window = *window, .kind = kind, .x = x};
    const piaa_dnn_steps steps = pool_steps(pool);
    dnnl_dims_t shape = {x->shape[0], x->shape[1], 1, 1};
    if (kind == dnnl_pooling_max) shape_after(window, x, x->shape[1], shape);
    const piaa_dnn_layout any = lay_out(dnn, 4, shape, dnnl_format_tag_any);
    if (!any) return NULL;
    dnnl_status_t status;
    DESCRIBE(piaa_dnn_describe_pool(&pool->forward, dnn->engine, window->inference, kind, x->layout,
                                    any, &steps, attr));
    if (!described(dnn, status, pool->forward, what)) return NULL;
    pool->y = array_in(dnn, layout_of(pool->forward, dnnl_query_dst_md), 4, shape, window->place);
    pool->workspace = window->inference ? NULL : workspace_of(dnn, pool->forward);
    emit(dnn, list, pool->forward, what,
         (argument[]){
             {DNNL_ARG_SRC, x}, {DNNL_ARG_WORKSPACE, pool->workspace}, {DNNL_ARG_DST, pool->y}},
         3);
    return dnn->failed ? NULL : pool;
}

piaa_dnn_pool *piaa_dnn_largest(piaa_dnn *dnn, int list, piaa_dnn_array *x,
                                const piaa_dnn_window *window) {
    return dnn->failed ? NULL : pool_new(dnn, list, x, window, dnnl_pooling_max);
}

piaa_dnn_pool *piaa_dnn_mean(piaa_dnn *dnn, int list, piaa_dnn_array *x,
                             const piaa_dnn_window *window) {
    return dnn->failed ? NULL : pool_new(dnn, list, x, window, dnnl_pooling_avg_exclude_padding);
}

piaa_dnn_array *piaa_dnn_pool_back(piaa_dnn *dnn, int list, piaa_dnn_pool *pool, piaa_dnn_array *dy,
                                   int place) {
    static const char what[] = "go back through a pool";
    const_dnnl_primitive_attr_t attr = attributes(dnn, false, false);
    if (dnn->failed) return NULL;
    const piaa_dnn_steps steps = pool_steps(pool);
    dnnl_primitive_desc_t d = NULL;
    dnnl_status_t status;
    DESCRIBE(piaa_dnn_describe_pool_back(&d, dnn->engine, pool->kind, pool->x->layout,
                                         pool->y->layout, &steps, pool->forward, attr));
    if (!described(dnn, status, d, what)) return NULL;
    dy = laid_out(dnn, list, dy, pool->y->layout, PIAA_DNN_OWN);
    piaa_dnn_array *dx =
        dnn->failed ? NULL : array_in(dnn, pool->x->layout, 4, pool->x->shape, place);
    emit(dnn, list, d, what,
         (argument[]){{DNNL_ARG_DIFF_DST, dy},
                      {DNNL_ARG_WORKSPACE, pool->workspace},
                      {DNNL_ARG_DIFF_SRC, dx}},
         3);
    return dx;
}

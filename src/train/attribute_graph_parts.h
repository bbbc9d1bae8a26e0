/* What the files of the attribute graph share: where its weights lie, the two layers that both
 * sides have, and a batch's way through it, whose stages tests look at. */
#ifndef PIAA_TRAIN_ATTRIBUTE_GRAPH_PARTS_H
#define PIAA_TRAIN_ATTRIBUTE_GRAPH_PARTS_H

#include "train/attribute_graph.h"
#include "train/crew.h"

/* ---- weights (attribute_graph.c) */

/* Where a layer's numbers begin among all. */
typedef struct piaa_graph_layer {
    size_t weight, bias;
} piaa_graph_layer;

/* What a side, people or photos, has for itself. */
typedef struct piaa_graph_side {
    piaa_graph_layer first, second; /* [hidden][2 width], [width][hidden]: pairs of nodes */
    piaa_graph_layer outer;         /* full: [width][width] */
    piaa_graph_layer input, state;  /* the cell's, [3 width][width], gates r, z, m */
} piaa_graph_side;

/* In the order of what a scope changes, so that each scope is a beginning of it: the embedding of
 * people, then what reads the score, then the rest. */
typedef struct piaa_graph_layout {
    size_t users, users_end;              /* [users][width] */
    piaa_graph_layer hidden, score, bins; /* [hidden][2 width], [1][hidden], [1][bins] */
    size_t head_end;
    size_t words[PIAA_GRAPH_CATEGORIES];          /* [words][width] */
    piaa_graph_layer numbers[PIAA_GRAPH_NUMBERS]; /* [width][1] */
    piaa_graph_layer attribute; /* [width][1]; the next one behind it, if each has one */
    piaa_graph_side people, photos;
    piaa_graph_layer join; /* [width][2 width], of both sides */
    size_t count;
} piaa_graph_layout;

struct piaa_graph {
    piaa_graph_shape shape;
    piaa_graph_layout layout;
    int user_nodes;
    float *values; /* [layout.count] */
    piaa_named *tensors;
    size_t tensor_count;
};

/* The tensors' list over other numbers, laid out as the graph's: the caller's. */
piaa_named *piaa_graph_name(const piaa_graph *graph, float *values, size_t *count,
                            piaa_error *error) PIAA_MUST_USE;

/* From one attribute's node to the next one's weights; 0 where all share them. */
static inline size_t piaa_graph_stride(const piaa_graph_shape *shape) {
    return shape->attribute_identity ? 2 * (size_t)shape->width : 0;
}

/* ---- layers (attribute_graph_layers.c) */

/* A linear layer's numbers, weight [outputs][inputs], or its gradients. */
typedef struct piaa_graph_linear {
    float *weight, *bias;
} piaa_graph_linear;

static inline piaa_graph_linear piaa_graph_at(float *values, piaa_graph_layer layer) {
    return (piaa_graph_linear){values + layer.weight, values + layer.bias};
}

/* sum [columns] += each row of x [rows][columns] */
void piaa_graph_add_rows(const float *x, int64_t rows, int64_t columns, float *sum);
/* y [rows][columns] = the row */
void piaa_graph_fill_rows(const float *row, int64_t rows, int64_t columns, float *y);

/* Groups of nodes that meet each other in pairs; all [groups * nodes][width or hidden]. */
typedef struct piaa_graph_pairs {
    const float *nodes;         /* n */
    float *left, *right, *sums; /* hidden: A n + b1, B n, sum over j of relu(left_i + right_j) */
    float *out;                 /* e */
} piaa_graph_pairs;

void piaa_graph_pairs_forward(piaa_graph_linear first, piaa_graph_linear second,
                              const piaa_graph_pairs *pairs, int64_t groups, int nodes, int width,
                              int hidden);
/* de the gradient of out; adds those of the layers and, to dn, that of the nodes.  room: three
   times [groups * nodes][hidden]. */
void piaa_graph_pairs_back(piaa_graph_linear first, piaa_graph_linear second,
                           const piaa_graph_pairs *pairs, const float *de, int64_t groups,
                           int nodes, int width, int hidden, float *room, piaa_graph_linear dfirst,
                           piaa_graph_linear dsecond, float *dn);

/* A recurrent cell's step, element by element, for one node [width] of state n: a [3 width] = Wi x
 * + bi becomes r, z, m; h [3 width] = Wh n + bh is read; sum [width] += n'. */
void piaa_graph_cell_forward(float *a, const float *h, const float *n, int width, float *sum);
/* With a as forward left it, and g [width] the gradient of n': a becomes its own gradient, of which
 * r and z are h's too; dh_m [width] += the rest of h's, dn [width] += g z. */
void piaa_graph_cell_back(float *a, const float *h, const float *n, const float *g, int width,
                          float *dh_m, float *dn);

/* ---- a batch (attribute_graph_pass.c) */

enum {
    PIAA_GRAPH_BLOCK = 32, /* rows, or people, that are worked on together */
    PIAA_GRAPH_JOBS = 8,   /* at most: each has room of its own, and gradients */
};

/* Rows of one person, next to each other within one block. */
typedef struct piaa_graph_run {
    int64_t begin, end; /* of the order */
    int64_t person;
} piaa_graph_run;

typedef struct piaa_graph_place {
    int64_t user, row;
} piaa_graph_place;

/* Rows in the order of their people, cut into blocks. */
typedef struct piaa_graph_plan {
    int64_t count, people, run_count, blocks;
    int64_t *order;           /* [count] rows */
    int64_t *users;           /* [people] in rising order */
    int64_t *runs_of;         /* [people + 1]: a person's first run */
    int64_t *block_runs;      /* [blocks + 1]: a block's first run */
    piaa_graph_run *runs;     /* [run_count] */
    piaa_graph_place *places; /* [count], sorted */
    int64_t *memory;
    size_t capacity; /* rows */
} piaa_graph_plan;

/* What belongs to the people of a batch. */
typedef struct piaa_graph_people {
    /* [people * nodes][…] */
    float *nodes;               /* u [width] */
    float *left, *right, *sums; /* [hidden] */
    float *inner;               /* e [width] */
    float *joined;              /* Ge e + g [width] */
    float *gates;               /* Wi (Ge e + g) + bi [3 width] */
    float *state;               /* Wh u + bh [3 width] */
    float *total;               /* U [people][width] */
    /* [runs * nodes][…]: gradients, summed over a run's rows */
    float *dgates, *dstate, *dnodes; /* [3 width], [width] (m alone), [width] */
    float *dtotal;                   /* [runs][width] */
    float *memory;
    size_t people_room, run_room;
} piaa_graph_people;

/* What a job has for a block of rows, [rows * nodes][…] or [rows][…]; a block of people is worked
   on in some of it. */
typedef struct piaa_graph_room {
    float *memory;
    float *v, *left, *right, *sums, *inner, *outer_in, *outer, *joined, *gates, *state;
    float *total;                                     /* V [rows][width] */
    float *u_outer_in, *u_outer, *u_joined, *u_gates; /* of the row's person */
    float *read;           /* [rows][2 width]: sums of new nodes, people's first */
    float *hidden, *score; /* [rows][hidden], [rows] */
    float *dread, *dtotal, *dnodes, *dgates, *dstate; /* gradients; the nodes of either side */
    float *djoined, *dinner, *dpairs;                 /* [width], [width], [3 hidden] */
    float *gradients;                                 /* [layout.count] */
    double loss;                                      /* sum of squares */
} piaa_graph_room;

typedef struct piaa_graph_pass {
    const piaa_graph *graph;
    piaa_crew crew;
    bool trains;
    const piaa_graph_rows *rows;
    int64_t first; /* the row that the plan calls 0 */
    double *predicted;
    piaa_graph_plan plan;
    piaa_graph_people side;
    piaa_graph_room rooms[PIAA_GRAPH_JOBS];
    int64_t
        jobs; /* whose rooms hold gradients; those of people's embeddings are all in the first */
} piaa_graph_pass;

/* What belongs to a row or a user. */
static inline const float *piaa_graph_attributes_of(const piaa_graph_pass *p, int64_t row) {
    return p->rows->attributes + p->rows->photo[row] * p->graph->shape.attributes;
}

static inline const float *piaa_graph_bins_of(const piaa_graph_pass *p, int64_t row) {
    return p->rows->bins + p->rows->photo[row] * p->graph->shape.bins;
}

static inline const int *piaa_graph_words_of(const piaa_graph_pass *p, int64_t user) {
    return p->rows->categories + user * PIAA_GRAPH_CATEGORIES;
}

static inline const float *piaa_graph_numbers_of(const piaa_graph_pass *p, int64_t user) {
    return p->rows->numbers + user * PIAA_GRAPH_NUMBERS;
}

/* Checks rows first … first + count - 1 of pass->rows, and plans their way (…_plan.c). */
bool piaa_graph_plan_make(piaa_graph_pass *pass, int64_t first, int64_t count,
                          piaa_error *error) PIAA_MUST_USE;

/* For a graph that the caller keeps alive.  threads: as in piaa_graph_predict. */
bool piaa_graph_pass_begin(piaa_graph_pass *pass, const piaa_graph *graph, int threads, bool trains,
                           piaa_error *error) PIAA_MUST_USE;
void piaa_graph_pass_end(piaa_graph_pass *pass);

/* Rows first … first + count - 1: predicts them into predicted [count] (NULL: not asked for), and
   where the pass trains makes the gradients of their loss, which *loss becomes. */
bool piaa_graph_pass_run(piaa_graph_pass *pass, const piaa_graph_rows *rows, int64_t first,
                         int64_t count, double *predicted, double *loss,
                         piaa_error *error) PIAA_MUST_USE;

#endif

/*
 * PIAA-ICI's attribute graph: a prior over people (phase 2) that is fine-tuned to one of them
 * (phase 3); Shi et al., Knowledge-Based Systems 294 (2024), as the paper's authors run it.
 *
 * A photo is its "hats": a few attributes and the shares of a few scores.  Attributes are nodes, a
 * person's traits (or the person, "reduced") are nodes too; the nodes of each side meet each other
 * and the other side, a recurrent cell makes new nodes of that, and a score is read from their
 * sums and from the shares.  attribute_graph.c opens with the formulas.
 *
 *     piaa_graph_shape shape = piaa_graph_published;
 *     shape.users = 238, shape.full = true, shape.words[0] = 5, …;
 *     piaa_graph *prior = piaa_graph_new(&shape, 42, &error);
 *     piaa_graph_training *t =
 *         piaa_graph_training_new(prior, PIAA_TUNE_ALL, threads, &error);
 *     for (…) piaa_graph_training_step(t, &batch, 1e-4, &loss, &error);
 *
 *     piaa_graph *person = piaa_graph_for_people(prior, 200, 42, &error), *own = …;
 *     for (each of 200 people) piaa_graph_assign(own, person), another training on `own` …;
 *
 * Results are the same to the last bit on any number of threads.
 */
#ifndef PIAA_TRAIN_ATTRIBUTE_GRAPH_H
#define PIAA_TRAIN_ATTRIBUTE_GRAPH_H

#include "train/named.h"

enum { PIAA_GRAPH_CATEGORIES = 5, PIAA_GRAPH_NUMBERS = 5 };

/* The traits in the order in which rows give them, as the published names have them: "age" … */
extern const char *const piaa_graph_categories[PIAA_GRAPH_CATEGORIES];

typedef struct piaa_graph_shape {
    int attributes, bins, width, hidden;
    int users;                        /* rows of the embedding of people */
    bool full;                        /* a person is traits, and not an embedding */
    int words[PIAA_GRAPH_CATEGORIES]; /* full: of each category's vocabulary */
    /* Departures from what was published. */
    bool user_node;          /* full: the person's embedding is a node beside the traits */
    bool attribute_identity; /* an attribute's node is made by weights of its own */
} piaa_graph_shape;

extern const piaa_graph_shape piaa_graph_published; /* 7, 9, 64, 256; reduced, without users */

/* Ratings.  What belongs to a photo or a person is given once. */
typedef struct piaa_graph_rows {
    int64_t count;
    const float *attributes, *bins; /* [photos][attributes], [photos][bins] */
    const int64_t *photo, *user;    /* [count] */
    const int *categories;          /* [users][5] of words' numbers; reduced: not looked at */
    const float *numbers;           /* [users][5], the same */
    const float *scores;            /* [count]; not looked at where they are predicted */
} piaa_graph_rows;

typedef struct piaa_graph piaa_graph;

/* Random weights in PyTorch's ranges: linear layers uniform within 1 / sqrt(inputs), the cells
 * within 1 / sqrt(width), embeddings normal.  `seed` alone says what is drawn (MT19937).
 * PIAA_USAGE: a size that is not positive; PIAA_UNSUPPORTED: user_node of a reduced graph, where
 * the person is a node anyway. */
piaa_graph *piaa_graph_new(const piaa_graph_shape *shape, uint32_t seed,
                           piaa_error *error) PIAA_MUST_USE;
void piaa_graph_free(piaa_graph *graph); /* NULL is allowed */
const piaa_graph_shape *piaa_graph_get_shape(const piaa_graph *graph);

/* A copy for other people (phase 3): their embeddings are drawn anew, everything else is the
   prior's. */
piaa_graph *piaa_graph_for_people(const piaa_graph *prior, int people, uint32_t seed,
                                  piaa_error *error) PIAA_MUST_USE;
/* `to` becomes what `from` is; false where they have different shapes. */
bool piaa_graph_assign(piaa_graph *to, const piaa_graph *from) PIAA_MUST_USE;

/* All weights by the published names (those of the departures: "img_node_proj.0.weight" …).  The
   graph's, which owns the data; they may be read and written between calls. */
const piaa_named *piaa_graph_tensors(const piaa_graph *graph, size_t *count);

/* out [count], not clipped.  threads: the most that are started.  PIAA_USAGE: a user or word that
 * the graph does not have; PIAA_FORMAT: attributes, shares or traits that are not finite. */
bool piaa_graph_predict(const piaa_graph *graph, const piaa_graph_rows *rows, int threads,
                        double *out, piaa_error *error) PIAA_MUST_USE;

/* ---- training */

/* What is changed: everything; the embedding of people; that and what reads the score (the last
   two layers and the weights of the shares). */
typedef enum piaa_graph_scope {
    PIAA_TUNE_ALL,
    PIAA_TUNE_USER_ONLY,
    PIAA_TUNE_USER_PLUS_HEAD
} piaa_graph_scope;

typedef struct piaa_graph_training piaa_graph_training;

/* Trains the graph, which the caller keeps alive, by Adam without decay; for weights that were
 * assigned to the graph start another.  PIAA_USAGE: USER_ONLY of a graph that does not look at the
 * embedding of people. */
piaa_graph_training *piaa_graph_training_new(piaa_graph *graph, piaa_graph_scope scope, int threads,
                                             piaa_error *error) PIAA_MUST_USE;
void piaa_graph_training_free(piaa_graph_training *training); /* NULL is allowed */

/* One step on all rows; *loss (may be NULL) is their mean squared error before it.  Fails, and
 * changes nothing, as piaa_graph_predict does, and where the loss is not finite (PIAA_FORMAT): the
 * message names the step, from 1. */
bool piaa_graph_training_step(piaa_graph_training *training, const piaa_graph_rows *rows,
                              double rate, double *loss, piaa_error *error) PIAA_MUST_USE;

/* Adam's, which a training is resumed with beside the graph's tensors (piaa_adamw_state). */
const piaa_named *piaa_graph_training_state(const piaa_graph_training *training, size_t *count);

/* The last step's gradients, named as the graph's tensors: for tests. */
const piaa_named *piaa_graph_training_gradients(const piaa_graph_training *training, size_t *count);

#endif

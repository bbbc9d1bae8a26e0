/* What a study's regressions read: the vectors that a store holds of a data set's images, from one
   matrix or from several side by side. */
#ifndef PIAA_STUDY_SOURCE_H
#define PIAA_STUDY_SOURCE_H

#include "data/dataset.h"
#include "study/joined.h"

typedef struct piaa_source {
    char name[256];      /* "lt.3", "lt.3+v.5" */
    char published[512]; /* as the published code says it: "llm_text_L3" */
    piaa_slot slots[PIAA_SOURCE_PARTS];
    int parts;
    int dim; /* of all parts together */
    /* [*][dim]; the store's mapped matrix where there is one part in float32, else the source's
       own. */
    const float *x;
    int64_t *rows; /* [images of the data set] row of x; -1 where the image has no vector */
    size_t absent; /* images without one */
    float *own;
} piaa_source;

/* The source's parts [parts] as blocks of these rows of x. */
void piaa_source_bands(const piaa_source *source, const int64_t *rows, piaa_band *out);

/* The published code's word for a pool ("llm_text"), or ours where it has none. */
const char *piaa_pool_published(piaa_pool pool);

/* The store must outlive the source and not be refreshed meanwhile.  `changed`: the folder of
 * changed copies of the images (study/changed.h) that is looked for in the store instead of the
 * images themselves; NULL for these.  Of the slots only pool and layer are read.  Fails where the
 * store lacks a slot (PIAA_MISMATCH) or every image. */
bool piaa_source_open(piaa_source *source, const piaa_store *store, const piaa_dataset *set,
                      const char *changed, const piaa_slot *slots, int parts,
                      piaa_error *error) PIAA_MUST_USE;
void piaa_source_close(piaa_source *source);

#endif

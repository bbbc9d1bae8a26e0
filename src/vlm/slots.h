/* What is asked of a model: which pools at which layers, as text ("lt,v", "0,3,5-9") and as a list
   of slots. */
#ifndef PIAA_VLM_SLOTS_H
#define PIAA_VLM_SLOTS_H

#include "base/error.h"

bool piaa_pool_parse(const char *name, piaa_pool *out);

/* "lt_tail.15": what matrices and sources are called. */
typedef struct piaa_slot_text {
    char text[32];
} piaa_slot_text;
piaa_slot_text piaa_slot_name(const piaa_slot *slot);
/* Reads such a name at the start of `text` into pool and layer (dim 0); returns what follows, NULL
   if none stands there. */
const char *piaa_slot_parse(const char *text, piaa_slot *out);

/* round(15/36 x layers): LT15 for 36 layers, LT3 for 8. */
int piaa_default_layer(const piaa_layout *layout);

/* Parses pools ("lt,lv"; NULL: "lt", or "v" without a decoder) and layers ("15", "0,3,5-9", "all",
 * "default"; NULL: "default") into slots sorted by pool, then layer.  For v "default" is the last
 * one; numbers that v does not have are an error unless another pool asked for has them.  The pools
 * pooled and projected are layer 0 whatever the layers.  Duplicates merge. */
bool piaa_slots_parse(const char *pools, const char *layers, const piaa_layout *layout,
                      piaa_slots *out, piaa_error *error) PIAA_MUST_USE;

/* Parses slots that stand side by side: "lt.15+lv.9+v.20", or "all-pools", which is every pool of
 * the model at its default layer.  Sorted as above; duplicates merge.  layout NULL: the words alone
 * are looked at, and lengths are 0 (and all-pools gives no slots). */
bool piaa_slots_parse_joined(const char *text, const piaa_layout *layout, piaa_slots *out,
                             piaa_error *error) PIAA_MUST_USE;
/* "lt.15+v.20", freed by the caller. */
char *piaa_slots_name(const piaa_slot *slots, size_t count, piaa_error *error) PIAA_MUST_USE;
void piaa_slots_free(piaa_slots *slots);

#endif

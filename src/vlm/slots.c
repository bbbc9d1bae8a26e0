/* What is asked of a model, from text to a sorted list of slots.
 *
 * Pools and layers are two independent lists; a slot is made for every pair that exists.  The
 * decoder's pools count hidden states (0 the embeddings, i the output of block i), the vision pool
 * counts blocks from 0, so that one list of numbers may reach past the end of one of them: a number
 * is wrong only if none of the pools asked for has it.  Pools without layers are layer 0 whatever
 * is asked beside them. */
#include "vlm/slots.h"

#include "base/memory.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const pool_names[PIAA_POOLS] = {"lt", "lt_tail", "lv",
                                                   "v",  "pooled",  "projected"};

const char *piaa_pool_name(piaa_pool pool) {
    return pool_names[pool];
}

static bool find_pool(const char *name, size_t length, piaa_pool *out) {
    for (int p = 0; p < PIAA_POOLS; p++)
        if (strlen(pool_names[p]) == length && !memcmp(pool_names[p], name, length)) {
            *out = (piaa_pool)p;
            return true;
        }
    return false;
}

bool piaa_pool_parse(const char *name, piaa_pool *out) {
    return find_pool(name, strlen(name), out);
}

piaa_slot_text piaa_slot_name(const piaa_slot *slot) {
    piaa_slot_text name;
    snprintf(name.text, sizeof name.text, "%s.%d", pool_names[slot->pool], slot->layer);
    return name;
}

int piaa_default_layer(const piaa_layout *layout) {
    return (15 * layout->decoder_layers + 18) / 36;
}

/* The next item of a comma-separated list without the blanks around it; false at the list's end. */
static bool next_item(const char **rest, const char **item, size_t *length) {
    if (!*rest) return false;
    const char *comma = strchr(*rest, ',');
    const char *begin = *rest, *end = comma ? comma : begin + strlen(begin);
    *rest = comma ? comma + 1 : NULL;
    while (begin < end && *begin == ' ') begin++;
    while (end > begin && end[-1] == ' ') end--;
    *item = begin;
    *length = (size_t)(end - begin);
    return true;
}

static bool has_layers(piaa_pool pool) {
    return pool != PIAA_POOLED && pool != PIAA_PROJECTED;
}

/* Values of a vector; 0: the model has no such pool. */
static int size_of(piaa_pool pool, const piaa_layout *layout) {
    if (pool == PIAA_V) return layout->vision_size;
    if (pool == PIAA_POOLED) return layout->pooled_size;
    return pool == PIAA_PROJECTED ? layout->projected_size : layout->hidden_size;
}

/* How many layers a pool has, from 0: the embeddings and every block, or the vision blocks. */
static int layer_count(piaa_pool pool, const piaa_layout *layout) {
    if (!size_of(pool, layout)) return 0;
    if (pool == PIAA_V) return layout->vision_blocks + layout->vision_embeddings;
    return has_layers(pool) ? layout->decoder_layers + 1 : 1;
}

/* One item of the list of layers: a number, a range, or a word that each pool reads its own way. */
typedef struct span {
    enum { NUMBERS, ALL, DEFAULT } kind;
    int first, last;
} span;

/* Digits only, so that "+3", "0x3" and "3.0" are refused. */
static const char *read_number(const char *at, const char *end, int *out) {
    int value = 0;
    const char *begin = at;
    for (; at < end && *at >= '0' && *at <= '9'; at++) {
        if (value > (INT_MAX - 9) / 10) return NULL;
        value = value * 10 + (*at - '0');
    }
    *out = value;
    return at == begin ? NULL : at;
}

static bool read_span(const char *item, size_t length, span *out, piaa_error *error) {
    const char *end = item + length;
    if (length == 3 && !memcmp(item, "all", 3)) {
        *out = (span){.kind = ALL};
        return true;
    }
    if (length == 7 && !memcmp(item, "default", 7)) {
        *out = (span){.kind = DEFAULT};
        return true;
    }
    *out = (span){.kind = NUMBERS};
    const char *at = read_number(item, end, &out->first);
    out->last = out->first;
    if (at && at < end && *at == '-') at = read_number(at + 1, end, &out->last);
    if (at != end)
        return piaa_error_set(error, PIAA_USAGE,
                              "\"%.*s\" is not a layer: use numbers and ranges such as 15 or "
                              "0,3,5-9, or all, or default",
                              (int)(length < 80 ? length : 80), item);
    if (out->last < out->first)
        return piaa_error_set(error, PIAA_USAGE,
                              "the range of layers %d-%d runs backwards: write %d-%d", out->first,
                              out->last, out->last, out->first);
    return true;
}

const char *piaa_slot_parse(const char *text, piaa_slot *out) {
    enum { LARGEST_LAYER = 1 << 20 };
    const size_t length = strcspn(text, ".");
    *out = (piaa_slot){0};
    if (!text[length] || !find_pool(text, length, &out->pool)) return NULL;
    const char *rest = read_number(text + length + 1, text + strlen(text), &out->layer);
    return rest && out->layer <= LARGEST_LAYER ? rest : NULL;
}

/* Reads "lt,v" into a flag for each pool. */
static bool read_pools(const char *text, const piaa_layout *layout, bool wanted[PIAA_POOLS],
                       piaa_error *error) {
    const char *item;
    size_t length;
    for (const char *rest = text; next_item(&rest, &item, &length);) {
        piaa_pool pool;
        if (!find_pool(item, length, &pool))
            return piaa_error_set(
                error, PIAA_USAGE,
                "\"%.*s\" is not a pool: use one or more of lt, lt_tail, lv, v, pooled, projected",
                (int)(length < 80 ? length : 80), item);
        if (!layer_count(pool, layout) && !has_layers(pool))
            return piaa_error_set(error, PIAA_USAGE, "this model makes no %s vector: use %s",
                                  pool_names[pool],
                                  layout->hidden_size   ? "lt, lt_tail, lv or v"
                                  : layout->pooled_size ? "v or pooled"
                                                        : "v");
        if (!layer_count(pool, layout))
            return piaa_error_set(error, PIAA_USAGE,
                                  "this model has no %s, so there is no pool %s: use %s",
                                  pool == PIAA_V ? "vision encoder of its own" : "decoder",
                                  pool_names[pool], pool == PIAA_V ? "lt" : "v");
        wanted[pool] = true;
    }
    return true;
}

static bool add(piaa_slots *slots, size_t *capacity, piaa_pool pool, int layer,
                const piaa_layout *layout, piaa_error *error) {
    if (!piaa_grow(&slots->items, capacity, slots->count + 1, sizeof *slots->items, error))
        return false;
    slots->items[slots->count++] = (piaa_slot){pool, layer, size_of(pool, layout)};
    return true;
}

/* Adds what `range` means for one pool; layers past the pool's end are left out. */
static bool add_span(piaa_slots *slots, size_t *capacity, const span *range, piaa_pool pool,
                     const piaa_layout *layout, piaa_error *error) {
    int count = layer_count(pool, layout);
    int first = range->first, last = range->last;
    if (range->kind == ALL || !has_layers(pool)) {
        first = 0;
        last = count - 1;
    } else if (range->kind == DEFAULT) {
        first = last = pool == PIAA_V ? count - 1 : piaa_default_layer(layout);
    }
    for (int layer = first; layer <= last && layer < count; layer++)
        if (!add(slots, capacity, pool, layer, layout, error)) return false;
    return true;
}

static bool no_such_layer(const bool wanted[PIAA_POOLS], const piaa_layout *layout, int layer,
                          piaa_error *error) {
    bool decoder = wanted[PIAA_LT] || wanted[PIAA_LT_TAIL] || wanted[PIAA_LV];
    if (!decoder && !wanted[PIAA_V])
        return piaa_error_set(error, PIAA_USAGE,
                              "the pools pooled and projected have no layers: leave layer %d out",
                              layer);
    if (layout->vision_embeddings)
        return piaa_error_set(error, PIAA_USAGE,
                              "there is no layer %d: this model has layers 0 to %d", layer,
                              layout->vision_blocks);
    if (decoder && wanted[PIAA_V])
        return piaa_error_set(error, PIAA_USAGE,
                              "there is no layer %d: this model has layers 0 to %d, and vision "
                              "blocks 0 to %d for the pool v",
                              layer, layout->decoder_layers, layout->vision_blocks - 1);
    if (decoder)
        return piaa_error_set(error, PIAA_USAGE,
                              "there is no layer %d: this model has layers 0 to %d", layer,
                              layout->decoder_layers);
    return piaa_error_set(error, PIAA_USAGE,
                          "there is no vision block %d: this model has vision blocks 0 to %d",
                          layer, layout->vision_blocks - 1);
}

static int by_pool_and_layer(const void *left, const void *right) {
    const piaa_slot *a = left, *b = right;
    if (a->pool != b->pool) return a->pool < b->pool ? -1 : 1;
    return (a->layer > b->layer) - (a->layer < b->layer);
}

static void sort_and_merge(piaa_slots *slots) {
    qsort(slots->items, slots->count, sizeof *slots->items, by_pool_and_layer);
    size_t kept = 0;
    for (size_t i = 0; i < slots->count; i++)
        if (!kept || by_pool_and_layer(&slots->items[kept - 1], &slots->items[i]))
            slots->items[kept++] = slots->items[i];
    slots->count = kept;
}

bool piaa_slots_parse(const char *pools, const char *layers, const piaa_layout *layout,
                      piaa_slots *out, piaa_error *error) {
    bool wanted[PIAA_POOLS] = {false};
    *out = (piaa_slots){0};
    if (!read_pools(pools ? pools : layout->hidden_size ? "lt" : "v", layout, wanted, error))
        return false;

    int longest = 0;
    for (int p = 0; p < PIAA_POOLS; p++)
        if (wanted[p] && layer_count((piaa_pool)p, layout) > longest)
            longest = layer_count((piaa_pool)p, layout);

    size_t capacity = 0, length;
    const char *item;
    for (const char *rest = layers ? layers : "default"; next_item(&rest, &item, &length);) {
        span range;
        if (!read_span(item, length, &range, error)) goto fail;
        if (range.kind == NUMBERS && range.last >= longest) {
            no_such_layer(wanted, layout, range.first >= longest ? range.first : range.last, error);
            goto fail;
        }
        for (int p = 0; p < PIAA_POOLS; p++)
            if (wanted[p] && !add_span(out, &capacity, &range, (piaa_pool)p, layout, error))
                goto fail;
    }
    sort_and_merge(out);
    return true;
fail:
    piaa_slots_free(out);
    return false;
}

/* -------------------------------------------------------------------------------- side by side */

static bool no_such_slot(const piaa_slot *slot, const piaa_layout *layout, piaa_error *error) {
    const int count = layer_count(slot->pool, layout);
    const char *name = pool_names[slot->pool];
    if (!count)
        return piaa_error_set(error, PIAA_USAGE, "this model makes no %s vectors: leave %s out",
                              name, piaa_slot_name(slot).text);
    if (count == 1)
        return piaa_error_set(error, PIAA_USAGE,
                              "there is no %s: this model has the pool %s at layer 0 alone",
                              piaa_slot_name(slot).text, name);
    return piaa_error_set(error, PIAA_USAGE,
                          "there is no %s: this model has the pool %s at layers 0 to %d",
                          piaa_slot_name(slot).text, name, count - 1);
}

static bool add_joined(piaa_slots *slots, size_t *capacity, const piaa_slot *slot,
                       const piaa_layout *layout, piaa_error *error) {
    if (layout && slot->layer >= layer_count(slot->pool, layout))
        return no_such_slot(slot, layout, error);
    static const piaa_layout unknown = {0};
    return add(slots, capacity, slot->pool, slot->layer, layout ? layout : &unknown, error);
}

bool piaa_slots_parse_joined(const char *text, const piaa_layout *layout, piaa_slots *out,
                             piaa_error *error) {
    size_t capacity = 0;
    *out = (piaa_slots){0};
    if (strcmp(text, "all-pools") == 0) {
        static const span usual = {.kind = DEFAULT};
        for (int p = 0; layout && p < PIAA_POOLS; p++)
            if (layer_count((piaa_pool)p, layout) &&
                !add_span(out, &capacity, &usual, (piaa_pool)p, layout, error))
                goto fail;
        return true;
    }
    for (const char *at = text; at;) {
        piaa_slot slot;
        const char *rest = piaa_slot_parse(at, &slot);
        if (!rest || (*rest && *rest != '+')) {
            piaa_error_set(error, PIAA_USAGE,
                           "\"%.80s\" does not name features: write pools and layers side by side "
                           "as in lt.3+v.5, or all-pools",
                           text);
            goto fail;
        }
        if (!add_joined(out, &capacity, &slot, layout, error)) goto fail;
        at = *rest ? rest + 1 : NULL;
    }
    sort_and_merge(out);
    return true;
fail:
    piaa_slots_free(out);
    return false;
}

char *piaa_slots_name(const piaa_slot *slots, size_t count, piaa_error *error) {
    piaa_text text = {0};
    for (size_t i = 0; i < count; i++)
        piaa_text_format(&text, error, "%s%s", i ? "+" : "", piaa_slot_name(&slots[i]).text);
    if (!text.failed) return text.data;
    free(text.data);
    return NULL;
}

void piaa_slots_free(piaa_slots *slots) {
    if (!slots) return;
    free(slots->items);
    *slots = (piaa_slots){0};
}

/* What a store was made with, and which matrices it has. */
#include "base/memory.h"
#include "features/identity.h"
#include "features/store_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void piaa_store_forget_meta(piaa_store *store) {
    for (size_t i = 0; i < store->meta_count; i++) {
        free(store->meta[i].key);
        free(store->meta[i].value);
    }
    store->meta_count = 0;
}

bool piaa_store_append_meta(piaa_store *store, const char *key, const char *value,
                            piaa_error *error) {
    if (!piaa_grow(&store->meta, &store->meta_capacity, store->meta_count + 1, sizeof *store->meta,
                   error))
        return false;
    piaa_meta_line line = {piaa_strdup(key, error), piaa_strdup(value, error)};
    if (line.key && line.value) {
        store->meta[store->meta_count++] = line;
        return true;
    }
    free(line.key);
    free(line.value);
    return false;
}

static bool take_meta(void *user, const char *key, const char *value, piaa_error *error) {
    return piaa_store_append_meta(user, key, value, error);
}

const char *piaa_store_meta(const piaa_store *store, const char *key) {
    for (size_t i = 0; i < store->meta_count; i++)
        if (!strcmp(store->meta[i].key, key)) return store->meta[i].value;
    return NULL;
}

bool piaa_store_load_meta(piaa_store *store, piaa_catalog *catalog, piaa_error *error) {
    piaa_store_forget_meta(store);
    if (!piaa_catalog_each_meta(catalog, take_meta, store, error)) return false;
    const char *durable = piaa_store_meta(store, PIAA_DURABLE_KEY);
    char *end = NULL;
    errno = 0;
    store->durable = durable ? strtoll(durable, &end, 10) : -1;
    if (store->durable < 0 || errno || *end) return piaa_catalog_damaged(catalog, error);
    return true;
}

bool piaa_store_parse_slot(const char *name, piaa_slot *out) {
    const char *rest = piaa_slot_parse(name, out);
    return rest && !*rest && strcmp(piaa_slot_name(out).text, name) == 0;
}

bool piaa_store_append_slot(piaa_store *store, piaa_slot slot, piaa_error *error) {
    if (!piaa_grow(&store->slots.items, &store->slots_capacity, store->slots.count + 1, sizeof slot,
                   error))
        return false;
    store->slots.items[store->slots.count++] = slot;
    return true;
}

typedef struct slot_reader {
    piaa_store *store;
    piaa_catalog *catalog;
} slot_reader;

static bool take_slot(void *user, int index, const char *name, int dim, piaa_error *error) {
    slot_reader *reader = user;
    piaa_slot slot;
    if (!piaa_store_parse_slot(name, &slot) || (size_t)index != reader->store->slots.count)
        return piaa_catalog_damaged(reader->catalog, error);
    slot.dim = dim;
    return piaa_store_append_slot(reader->store, slot, error);
}

bool piaa_store_load_slots(piaa_store *store, piaa_catalog *catalog, piaa_error *error) {
    store->slots.count = 0;
    return piaa_catalog_each_slot(catalog, take_slot, &(slot_reader){store, catalog}, error);
}

const piaa_slots *piaa_store_slots(const piaa_store *store) {
    return &store->slots;
}

int piaa_store_find_slot(const piaa_store *store, piaa_pool pool, int layer) {
    for (size_t i = 0; i < store->slots.count; i++)
        if (store->slots.items[i].pool == pool && store->slots.items[i].layer == layer)
            return (int)i;
    return -1;
}

/* ------------------------------------------------------------------------------------- identity */

bool piaa_store_write_identity(piaa_store *store, const piaa_identity *identity,
                               piaa_error *error) {
    for (size_t i = 0; i < PIAA_IDENTITY_KEYS; i++)
        if (!piaa_catalog_set_meta(store->catalog, piaa_identity_keys[i].key,
                                   piaa_identity_get(identity, i), error))
            return false;
    return piaa_catalog_set_meta(store->catalog, PIAA_DURABLE_KEY, "0", error);
}

piaa_identity piaa_store_identity(const piaa_store *store) {
    piaa_identity identity = {0};
    for (size_t i = 0; i < PIAA_IDENTITY_KEYS; i++)
        piaa_identity_set(&identity, i, piaa_store_meta(store, piaa_identity_keys[i].key));
    return identity;
}

/* As much of a text as fits in a message about two of them; *dots where it was cut (between
   characters). */
static int clip(const char *text, const char **dots) {
    enum { MOST = 200 };
    size_t n = strlen(text);
    *dots = n > MOST ? "…" : "";
    if (n > MOST)
        for (n = MOST; n && ((unsigned char)text[n] & 0xc0) == 0x80;) n--;
    return (int)n;
}

/* Fingerprints mean nothing to a reader, so the models' names go with them. */
static bool other_model(const piaa_store *store, const char *was, const piaa_identity *identity,
                        piaa_error *error) {
    const char *name = piaa_store_meta(store, "model");
    return piaa_error_set(error, PIAA_MISMATCH,
                          "%s was made with the model %.200s (fingerprint %.12s), this run uses "
                          "%.200s (fingerprint %.12s): use another --out, "
                          "or the same model",
                          store->folder, name ? name : "", was,
                          identity->model ? identity->model : "", identity->fingerprint);
}

static bool differs(const piaa_store *store, const piaa_identity_key *key, const char *was,
                    const char *is, piaa_error *error) {
    const char *was_dots, *is_dots;
    int was_length = clip(was, &was_dots), is_length = clip(is, &is_dots);
    return piaa_error_set(error, PIAA_MISMATCH,
                          "%s was made with %s \"%.*s%s\", this run asks for \"%.*s%s\": use "
                          "another --out, or %s",
                          store->folder, key->called, was_length, was, was_dots, is_length, is,
                          is_dots, key->mend);
}

/* The first difference between the store and this run, both values, and how to mend it. */
bool piaa_store_check_identity(const piaa_store *store, const piaa_identity *identity,
                               piaa_error *error) {
    for (size_t i = 0; i < PIAA_IDENTITY_KEYS; i++) {
        const piaa_identity_key *key = &piaa_identity_keys[i];
        const char *was = piaa_store_meta(store, key->key), *is = piaa_identity_get(identity, i);
        if (!was && !key->before) return piaa_catalog_damaged(store->catalog, error);
        if (piaa_identity_same(i, was, is)) continue;
        if (strcmp(key->key, "fingerprint") == 0) return other_model(store, was, identity, error);
        return differs(store, key, key->before && (!was || !*was) ? key->before : was, is, error);
    }
    return true;
}

/* What stores of before did not keep is kept from now on. */
bool piaa_store_complete_identity(piaa_store *store, const piaa_identity *identity,
                                  piaa_error *error) {
    bool changed = false;
    for (size_t i = 0; i < PIAA_IDENTITY_KEYS; i++) {
        const piaa_identity_key *key = &piaa_identity_keys[i];
        const char *was = piaa_store_meta(store, key->key), *is = piaa_identity_get(identity, i);
        if (!key->before || (was && *was) || !*is) continue;
        if (!changed && !piaa_catalog_begin(store->catalog, false, error)) return false;
        changed = true;
        if (!piaa_catalog_set_meta(store->catalog, key->key, is, error)) return false;
    }
    if (!changed) return true;
    return piaa_catalog_commit(store->catalog, error) &&
           piaa_store_load_meta(store, store->catalog, error);
}

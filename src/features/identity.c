/* The table of what vectors depend on. */
#include "features/identity.h"

#include "base/hash.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define KEY(member, ...)                                                                           \
    { offsetof(piaa_identity, member), #member, __VA_ARGS__ }
const piaa_identity_key piaa_identity_keys[PIAA_IDENTITY_KEYS] = {
    KEY(fingerprint, "the model", "the same model", NULL),
    KEY(prompt, "the prompt", "the same --prompt", NULL),
    KEY(preprocessing, "photos prepared as", "the same options for photos", NULL),
    KEY(dtype, "weights held as", "the same --dtype", NULL),
    KEY(pixels, "the image settings", "the preprocessor_config.json of then", ""),
    KEY(chat, "the chat form", "the same --chat", PIAA_CHAT_PUBLISHED),
    KEY(tokens, "the prompt read as", "the tokenizer and chat template of then", ""),
    KEY(model, NULL, NULL, NULL),
    KEY(adapter, NULL, NULL, ""),
    KEY(family, NULL, NULL, NULL),
    KEY(library, NULL, NULL, NULL),
    /* What preprocessing says, one by one. */
    KEY(max_pixels, NULL, NULL, ""),
    KEY(exif, NULL, NULL, ""),
    KEY(image_attention, NULL, NULL, ""),
    KEY(background, NULL, NULL, ""),
};
#undef KEY

const char *piaa_identity_get(const piaa_identity *identity, size_t index) {
    const char *text;
    memcpy(&text, (const char *)identity + piaa_identity_keys[index].offset, sizeof text);
    return text ? text : "";
}

void piaa_identity_set(piaa_identity *identity, size_t index, const char *text) {
    memcpy((char *)identity + piaa_identity_keys[index].offset, &text, sizeof text);
}

bool piaa_identity_same(size_t index, const char *was, const char *is) {
    const piaa_identity_key *key = &piaa_identity_keys[index];
    if (!key->called) return true;
    if (key->before && (!was || !*was)) was = key->before;
    if (key->before && (!*was || !*is)) return true;
    return was && strcmp(was, is) == 0;
}

void piaa_identity_name(const piaa_identity *identity, char name[PIAA_IDENTITY_NAME]) {
    uint64_t hash = PIAA_HASH_OF_NOTHING;
    for (size_t k = 0; k < PIAA_IDENTITY_KEYS; k++) {
        const piaa_identity_key *key = &piaa_identity_keys[k];
        if (!key->called || strcmp(key->key, "prompt") == 0) continue;
        const char *value = piaa_identity_get(identity, k);
        hash = piaa_hash(hash, value, strlen(value) + 1);
    }
    snprintf(name, PIAA_IDENTITY_NAME, "%016" PRIx64, hash);
}

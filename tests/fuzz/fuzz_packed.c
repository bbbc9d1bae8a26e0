/* Any bytes as the index of a packed store, with a header whose sum is right: what is accepted can
   be listed and searched. */
#include "features/store_parts.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(const piaa_index *index) {
    size_t texts = 0;
    for (int64_t i = -1; i <= index->header->photos && i < 1000; i++) {
        const piaa_photo photo = piaa_index_photo_at(index, i);
        if ((photo.path == NULL) != (i < 0 || i >= index->header->photos)) abort();
        if (photo.row < -1 || photo.row >= index->header->rows) abort();
        if (!photo.path) continue;
        const char *const all[] = {photo.path, photo.hash, photo.error, photo.damage, photo.note};
        for (size_t k = 0; k < PIAA_COUNT(all); k++) texts += all[k] ? strlen(all[k]) : 0;
        const piaa_photo found = piaa_index_find(index, photo.path);
        if (found.path && strcmp(found.path, photo.path) != 0) abort();
    }
    if (texts > 6000 * index->map.size) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    unsigned char *bytes = malloc(size + 1); /* at a multiple of 8 */
    piaa_index_header header;
    piaa_error error = {0};
    piaa_index index;
    if (!bytes) return 0;
    memcpy(bytes, data, size);
    if (size >= sizeof header) {
        memcpy(&header, bytes, sizeof header);
        header.sum = piaa_store_sum_bytes(-1, &header, offsetof(piaa_index_header, sum));
        memcpy(bytes, &header, sizeof header);
    }
    if (piaa_index_read(&index, (piaa_map){bytes, size}, "fuzz", &error))
        look(&index);
    else if (error.code == PIAA_OK || !error.message[0])
        abort();
    free(bytes);
    return 0;
}

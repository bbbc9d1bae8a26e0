/* Looking things up in a packed store's index. */
#include "features/packed_index.h"

#include "features/store_parts.h"

#include <string.h>

_Static_assert(sizeof(piaa_index_header) == 152, "the header is without gaps");
_Static_assert(sizeof(piaa_index_slot) == 56, "a slot is without gaps");
_Static_assert(sizeof(piaa_index_photo) == 56, "a photo is without gaps");

/* -------------------------------------------------------------------------------------- opening */

size_t piaa_index_blocks(int64_t size) {
    const int64_t data = size - (int64_t)sizeof(piaa_index_header);
    return (size_t)((data + PIAA_INDEX_BLOCK - 1) / PIAA_INDEX_BLOCK);
}

uint64_t piaa_index_block_sum(const unsigned char *index, int64_t size, size_t block) {
    const int64_t begin = (int64_t)sizeof(piaa_index_header) + (int64_t)block * PIAA_INDEX_BLOCK;
    const int64_t left = size - begin;
    return piaa_store_sum_bytes(
        (int)block, index + begin,
        (size_t)(left < PIAA_INDEX_BLOCK ? left : (int64_t)PIAA_INDEX_BLOCK));
}

bool piaa_index_damaged(const char *path, const char *how, piaa_error *error) {
    return piaa_error_set(error, PIAA_FORMAT,
                          "%s is damaged (%s): pack the store again from the one it was made of",
                          path, how);
}

static int64_t length(const piaa_index_header *h, piaa_index_section section) {
    return h->at[section + 1] - h->at[section];
}

/* Whether every section is as long as what it holds, so that nothing points past the file. */
static bool has_room(const piaa_index_header *h, size_t size) {
    const int64_t most = INT64_MAX / 1024;
    int64_t before = (int64_t)sizeof *h;
    if (h->rows < 0 || h->photos < 0 || h->rows > most || h->photos > most ||
        h->slots > PIAA_SLOTS_MOST || h->at[PIAA_INDEX_END] != (int64_t)size)
        return false;
    for (int s = 0; s < PIAA_INDEX_PLACES; s++) {
        if (h->at[s] < before || h->at[s] % 8) return false;
        before = h->at[s];
    }
    const int64_t stride = (h->slots + 7) / 8;
    return length(h, PIAA_INDEX_META) >= 2 &&
           length(h, PIAA_INDEX_SLOTS) >= (int64_t)(h->slots * sizeof(piaa_index_slot)) &&
           length(h, PIAA_INDEX_BITS) >= h->rows * stride &&
           length(h, PIAA_INDEX_SUMS) >= h->rows * (int64_t)sizeof(uint64_t) &&
           length(h, PIAA_INDEX_PHOTOS) >= h->photos * (int64_t)sizeof(piaa_index_photo) &&
           length(h, PIAA_INDEX_TEXTS) >= 1 &&
           length(h, PIAA_INDEX_BLOCKS) ==
               (int64_t)(piaa_index_blocks(h->at[PIAA_INDEX_BLOCKS]) * sizeof(uint64_t));
}

static bool check(const piaa_map *map, const char *path, piaa_error *error) {
    const piaa_index_header *h = (const void *)map->data;
    if (map->size < sizeof *h) return piaa_index_damaged(path, "it is cut short", error);
    if (memcmp(h->magic, PIAA_INDEX_MAGIC, sizeof h->magic) != 0)
        return piaa_index_damaged(path, "it does not begin as one", error);
    if (h->order != PIAA_INDEX_ORDER)
        return piaa_error_set(
            error, PIAA_UNSUPPORTED,
            "%s was made on a machine with another order of bytes: pack the store "
            "on this one",
            path);
    if (h->version != PIAA_INDEX_VERSION)
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "%s has version %u, and this piaa (%s) reads version %d: pack the "
                              "store again, or use the piaa that made it",
                              path, (unsigned)h->version, piaa_version(), PIAA_INDEX_VERSION);
    if (h->sum != piaa_store_sum_bytes(-1, h, offsetof(piaa_index_header, sum)))
        return piaa_index_damaged(path, "its header", error);
    if (h->packing < PIAA_PACKED_F32 || h->packing > PIAA_PACKED_INT8 || !has_room(h, map->size))
        return piaa_index_damaged(path, "its length", error);
    /* The zeros that fill up a section end its last text. */
    if (map->data[h->at[PIAA_INDEX_SLOTS] - 1] || map->data[h->at[PIAA_INDEX_SLOTS] - 2] ||
        map->data[h->at[PIAA_INDEX_BLOCKS] - 1])
        return piaa_index_damaged(path, "its texts do not end", error);
    return true;
}

bool piaa_index_read(piaa_index *index, piaa_map map, const char *where, piaa_error *error) {
    *index = (piaa_index){0};
    if (!check(&map, where, error)) return false;
    index->map = map;
    const unsigned char *base = index->map.data;
    const piaa_index_header *h = index->header = (const void *)base;
    index->meta = (const char *)base + h->at[PIAA_INDEX_META];
    index->slots = (const void *)(base + h->at[PIAA_INDEX_SLOTS]);
    index->bits = base + h->at[PIAA_INDEX_BITS];
    index->sums = (const void *)(base + h->at[PIAA_INDEX_SUMS]);
    index->photos = (const void *)(base + h->at[PIAA_INDEX_PHOTOS]);
    index->texts = (const char *)base + h->at[PIAA_INDEX_TEXTS];
    index->blocks = (const void *)(base + h->at[PIAA_INDEX_BLOCKS]);
    return true;
}

bool piaa_index_open(piaa_index *index, const char *path, piaa_error *error) {
    piaa_map map;
    *index = (piaa_index){0};
    if (!piaa_map_open(&map, path, error)) return false;
    if (piaa_index_read(index, map, path, error)) return true;
    piaa_map_close(&map);
    return false;
}

void piaa_index_close(piaa_index *index) {
    piaa_map_close(&index->map);
    *index = (piaa_index){0};
}

/* --------------------------------------------------------------------------------------- photos */

static size_t texts_size(const piaa_index *index) {
    return (size_t)length(index->header, PIAA_INDEX_TEXTS);
}

/* "" where it is not in the section. */
static const char *path_at(const piaa_index *index, int64_t at) {
    const uint64_t begin = index->photos[at].texts;
    return begin < texts_size(index) ? index->texts + begin : "";
}

/* Whoever walks through all photos would have the whole index counted as this process's memory, so
   the pages of some that were passed are let go; they are there again when they are touched. */
static void let_go(const piaa_index *index, int64_t from, int64_t to) {
    const uint64_t begin = index->photos[from].texts, end = index->photos[to].texts;
    piaa_map_forget(&index->map, &index->photos[from], (size_t)(to - from) * sizeof *index->photos);
    if (begin < end && end <= texts_size(index))
        piaa_map_forget(&index->map, index->texts + begin, (size_t)(end - begin));
}

piaa_photo piaa_index_photo_at(const piaa_index *index, int64_t at) {
    enum { SPAN = 1 << 16 };
    piaa_photo photo = {.row = -1};
    if (at < 0 || at >= index->header->photos) return photo;
    if (at && at % SPAN == 0) let_go(index, at - SPAN, at);
    const piaa_index_photo *line = &index->photos[at];
    const char **const others[] = {&photo.hash, &photo.error, &photo.damage, &photo.note};
    photo.path = path_at(index, at);
    uint64_t begin = line->texts + strlen(photo.path) + 1;
    for (size_t i = 0; i < PIAA_COUNT(others); i++) {
        if (!(line->has >> i & 1) || begin >= texts_size(index)) continue;
        *others[i] = index->texts + begin;
        begin += strlen(*others[i]) + 1;
    }
    photo.size = line->size;
    photo.mtime_ns = line->mtime_ns;
    photo.ctime_ns = line->ctime_ns;
    photo.inode = line->inode;
    if (line->row >= 0 && line->row < index->header->rows) photo.row = line->row;
    return photo;
}

piaa_photo piaa_index_find(const piaa_index *index, const char *path) {
    int64_t begin = 0, end = index->header->photos;
    while (begin < end) {
        const int64_t middle = begin + (end - begin) / 2;
        const int order = strcmp(path_at(index, middle), path);
        if (order == 0) return piaa_index_photo_at(index, middle);
        if (order < 0)
            begin = middle + 1;
        else
            end = middle;
    }
    return piaa_index_photo_at(index, -1);
}

/* Packing: a store written once more, for reading only.
 *
 * All is made in a folder beside the one that is asked for, PATH.part, whose lock keeps others out,
 * and renamed when the disk has it.  What a kill leaves of it the next packing takes away.
 *
 * The vectors are read twice, in order: once to hold each row against its sum, and to find the
 * least and the largest value of each column where they become codes of 8 bits; and matrix by
 * matrix, to be written.  In memory are a row, a buffer, a sum for each row and a page of photos.
 */
#include "base/hooks.h"
#include "base/memory.h"
#include "base/narrow.h"
#include "base/npy.h"
#include "features/disk.h"
#include "features/store_parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct packer {
    const piaa_store *from;
    const char *path; /* what is made */
    char *folder;     /* where it is made */
    int lock;
    piaa_packing packing;
    int *slots; /* [count] of from's */
    size_t count;
    int64_t rows;
    size_t stride;          /* of the packed bits */
    piaa_index_slot *lines; /* [count] */
    bool *used;             /* [rows]: by a photo */
    uint64_t *sums;         /* [rows] */
    float **centre, **step; /* [count][dim]; until the first reading is over least and most */
    const piaa_hooks *hooks;
} packer;

static const piaa_slot *slot_of(const packer *p, size_t k) {
    return &p->from->slots.items[p->slots[k]];
}

static bool go_on(const packer *p, const char *what, int64_t done, int64_t total,
                  piaa_error *error) {
    const piaa_hooks *hooks = p->hooks;
    if (hooks && hooks->stop && hooks->stop(hooks->user))
        return piaa_error_set(error, PIAA_STOPPED, "stopped: nothing was kept of %s", p->path);
    if (hooks && hooks->progress) hooks->progress(hooks->user, what, done, total);
    return true;
}

static bool next_row(const packer *p, const char *what, int64_t row, piaa_error *error) {
    if (row && row % PIAA_STORE_SPAN == 0) piaa_store_let_go(p->from, row - PIAA_STORE_SPAN, row);
    return go_on(p, what, row, p->rows, error);
}

/* --------------------------------------------------------------------------------------- a file */

/* A file that is written from a place on, through a buffer. */
typedef struct stream {
    char *path;
    int file;
    int64_t at; /* of the first byte in the buffer */
    size_t used;
    unsigned char *buffer;
} stream;

enum { STREAM = 1 << 20 };

static bool stream_open(stream *s, const char *folder, const char *name, int64_t at,
                        piaa_error *error) {
    *s = (stream){.file = -1, .at = at};
    if (!(s->path = piaa_path_join(folder, name, error)) ||
        !(s->buffer = piaa_alloc(STREAM, 1, error)))
        return false;
    s->file = open(s->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    return s->file >= 0 || piaa_disk_error(error, errno, s->path);
}

static bool stream_flush(stream *s, piaa_error *error) {
    if (!piaa_disk_write(s->file, s->buffer, s->used, s->at, s->path, error)) return false;
    s->at += (int64_t)s->used;
    s->used = 0;
    return true;
}

static int64_t stream_end(const stream *s) {
    return s->at + (int64_t)s->used;
}

static bool stream_add(stream *s, const void *bytes, size_t size, piaa_error *error) {
    const unsigned char *from = bytes;
    while (size) {
        const size_t room = STREAM - s->used, part = size < room ? size : room;
        memcpy(s->buffer + s->used, from, part);
        s->used += part;
        from += part;
        size -= part;
        if (s->used == STREAM && !stream_flush(s, error)) return false;
    }
    return true;
}

/* To the next multiple of 8, and one byte at least. */
static bool stream_fill(stream *s, piaa_error *error) {
    static const char zeros[8];
    return stream_add(s, zeros, 8 - (size_t)(stream_end(s) % 8), error);
}

/* The disk has it all. */
static bool stream_finish(stream *s, piaa_error *error) {
    return stream_flush(s, error) &&
           (piaa_sync_data(s->file) == 0 || piaa_disk_error(error, errno, s->path));
}

static void stream_close(stream *s) {
    if (s->file >= 0) close(s->file);
    free(s->path);
    free(s->buffer);
    *s = (stream){.file = -1};
}

/* ----------------------------------------------------------------------------- the first reading
 */

static void widen_range(const float *vector, size_t dim, float *least, float *most) {
    for (size_t j = 0; j < dim; j++) {
        least[j] = vector[j] < least[j] ? vector[j] : least[j];
        most[j] = vector[j] > most[j] ? vector[j] : most[j];
    }
}

static bool begin_ranges(packer *p, piaa_error *error) {
    for (size_t k = 0; p->packing == PIAA_PACKED_INT8 && k < p->count; k++) {
        const size_t dim = (size_t)slot_of(p, k)->dim;
        if (!(p->centre[k] = piaa_alloc_array(dim, sizeof(float), error)) ||
            !(p->step[k] = piaa_alloc_array(dim, sizeof(float), error)))
            return false;
        for (size_t j = 0; j < dim; j++) {
            p->centre[k][j] = INFINITY;
            p->step[k][j] = -INFINITY;
        }
    }
    return true;
}

static void end_ranges(packer *p) {
    for (size_t k = 0; p->packing == PIAA_PACKED_INT8 && k < p->count; k++) {
        const size_t dim = (size_t)slot_of(p, k)->dim;
        for (size_t j = 0; j < dim; j++)
            if (p->centre[k][j] > p->step[k][j]) p->centre[k][j] = p->step[k][j] = 0; /* no rows */
        piaa_narrow_range(p->centre[k], p->step[k], dim, p->centre[k], p->step[k]);
    }
}

static bool read_rows(packer *p, piaa_error *error) {
    if (!begin_ranges(p, error)) return false;
    for (int64_t row = 0; row < p->rows; row++) {
        if (!next_row(p, "rows read", row, error)) return false;
        if (!piaa_store_row_is_whole(p->from, row))
            return piaa_error_set(error, PIAA_FORMAT,
                                  "row %lld of %s is not what was written: piaa store verify %s "
                                  "says which photos it belongs to, and how to mend it",
                                  (long long)row, p->from->folder, p->from->folder);
        for (size_t k = 0; p->packing == PIAA_PACKED_INT8 && k < p->count; k++) {
            const float *vector = piaa_store_vector(p->from, p->slots[k], row, NULL);
            if (vector) widen_range(vector, (size_t)slot_of(p, k)->dim, p->centre[k], p->step[k]);
        }
    }
    end_ranges(p);
    return true;
}

/* ------------------------------------------------------------------------------------ matrices */

static bool cannot_hold(const packer *p, size_t k, int64_t row, piaa_error *error) {
    const bool half = p->packing == PIAA_PACKED_F16;
    return piaa_error_set(error, PIAA_UNSUPPORTED,
                          "row %lld of %s/%s.npy holds %s: use --dtype bf16", (long long)row,
                          p->from->folder, piaa_slot_name(slot_of(p, k)).text,
                          half ? "a value above 65504, which 16 bits with 5 of exponent cannot hold"
                               : "a value that is not finite, of which 8 bits know nothing");
}

/* The row as it is written, into `out`. */
static bool narrow_row(const packer *p, size_t k, int64_t row, void *out, piaa_error *error) {
    const size_t dim = (size_t)slot_of(p, k)->dim;
    const float *x = piaa_store_vector(p->from, p->slots[k], row, NULL);
    bool fits = true;
    if (!x) { /* NaN in every type but int8: all bits set */
        memset(out, p->packing == PIAA_PACKED_INT8 ? 0 : 0xff,
               dim * piaa_packing_width(p->packing));
        return true;
    }
    if (p->packing == PIAA_PACKED_F16)
        fits = piaa_narrow_half(x, dim, out);
    else if (p->packing == PIAA_PACKED_BF16)
        piaa_narrow_bfloat(x, dim, out);
    else if (p->packing == PIAA_PACKED_INT8)
        fits = piaa_narrow_codes(x, p->centre[k], p->step[k], dim, out);
    else
        memcpy(out, x, dim * sizeof *x);
    p->lines[k].filled++;
    return fits || cannot_hold(p, k, row, error);
}

static bool write_rows(packer *p, size_t k, stream *out, void *narrow, piaa_error *error) {
    const size_t size = (size_t)slot_of(p, k)->dim * piaa_packing_width(p->packing);
    char header[PIAA_NPY_HEADER_SIZE];
    piaa_npy_header_write(header, piaa_packing_type(p->packing), p->rows, slot_of(p, k)->dim);
    if (!stream_add(out, header, sizeof header, error)) return false;
    for (int64_t row = 0; row < p->rows; row++) {
        if (!next_row(p, p->lines[k].name, row, error) || !narrow_row(p, k, row, narrow, error) ||
            !stream_add(out, narrow, size, error))
            return false;
        p->sums[row] ^= piaa_store_sum_bytes((int)k, narrow, size);
    }
    return stream_finish(out, error);
}

static bool write_matrix(packer *p, size_t k, piaa_error *error) {
    char name[64];
    snprintf(name, sizeof name, "%s.npy", p->lines[k].name);
    stream out;
    void *narrow = piaa_alloc((size_t)slot_of(p, k)->dim, sizeof(float), error);
    const bool ok = stream_open(&out, p->folder, name, 0, error) && narrow &&
                    write_rows(p, k, &out, narrow, error);
    stream_close(&out);
    free(narrow);
    return ok;
}

/* [2][dim]: centres and steps of the columns. */
static bool write_scale(packer *p, size_t k, piaa_error *error) {
    const size_t dim = (size_t)slot_of(p, k)->dim, row = dim * sizeof(float),
                 size = PIAA_NPY_HEADER_SIZE + 2 * row;
    char name[64];
    snprintf(name, sizeof name, "%s.scale.npy", p->lines[k].name);
    char *bytes = piaa_alloc(size, 1, error);
    if (!bytes) return false;
    piaa_npy_header_write(bytes, "<f4", 2, (int64_t)dim);
    memcpy(bytes + PIAA_NPY_HEADER_SIZE, p->centre[k], row);
    memcpy(bytes + PIAA_NPY_HEADER_SIZE + row, p->step[k], row);
    p->lines[k].scale_sum = piaa_store_sum_bytes((int)k, bytes, size);
    stream out;
    const bool ok = stream_open(&out, p->folder, name, 0, error) &&
                    stream_add(&out, bytes, size, error) && stream_finish(&out, error);
    stream_close(&out);
    free(bytes);
    return ok;
}

static bool write_matrices(packer *p, piaa_error *error) {
    for (size_t k = 0; k < p->count; k++) {
        if (p->packing == PIAA_PACKED_INT8 && !write_scale(p, k, error)) return false;
        if (!write_matrix(p, k, error)) return false;
    }
    return true;
}

/* ------------------------------------------------------------------------------------- the index
 */

static bool add_text(stream *out, const char *text, piaa_error *error) {
    return stream_add(out, text, strlen(text) + 1, error);
}

static bool write_meta(const packer *p, stream *out, piaa_error *error) {
    for (size_t i = 0; i < p->from->meta_count; i++) {
        const piaa_meta_line *line = &p->from->meta[i];
        if (strcmp(line->key, PIAA_DURABLE_KEY) != 0 &&
            (!add_text(out, line->key, error) || !add_text(out, line->value, error)))
            return false;
    }
    return add_text(out, "", error) && add_text(out, "", error) && stream_fill(out, error);
}

static bool write_bits(const packer *p, stream *out, piaa_error *error) {
    unsigned char bits[PIAA_SLOT_BYTES];
    for (int64_t row = 0; row < p->rows; row++) {
        memset(bits, 0, p->stride);
        for (size_t k = 0; k < p->count; k++)
            if (piaa_store_has(p->from, p->slots[k], row))
                bits[k / 8] |= (unsigned char)(1 << k % 8);
        if (!stream_add(out, bits, p->stride, error)) return false;
    }
    return stream_fill(out, error);
}

static bool write_photo(const piaa_photo *photo, int64_t texts_at, stream *lines, stream *texts,
                        piaa_error *error) {
    const char *const others[] = {photo->hash, photo->error, photo->damage, photo->note};
    piaa_index_photo line = {.texts = (uint64_t)(stream_end(texts) - texts_at),
                             .size = photo->size,
                             .mtime_ns = photo->mtime_ns,
                             .ctime_ns = photo->ctime_ns,
                             .inode = photo->inode,
                             .row = photo->row};
    if (!add_text(texts, photo->path, error)) return false;
    for (size_t i = 0; i < PIAA_COUNT(others); i++) {
        if (!others[i]) continue;
        line.has |= UINT64_C(1) << i;
        if (!add_text(texts, others[i], error)) return false;
    }
    return stream_add(lines, &line, sizeof line, error);
}

static void count_photo(packer *p, piaa_index_header *h, const piaa_photo *photo) {
    if (photo->row >= 0) p->used[photo->row] = true;
    h->failed += photo->row < 0;
    h->partial += photo->row >= 0 && photo->error;
    h->damaged += photo->damage != NULL;
}

static bool write_photos(packer *p, piaa_index_header *h, stream *lines, stream *texts,
                         piaa_error *error) {
    const int64_t texts_at = h->at[PIAA_INDEX_TEXTS];
    piaa_store_cursor at;
    bool ok = piaa_store_cursor_open(&at, p->from, error);
    int64_t done = 0;
    for (; ok && at.photo.path && done < h->photos; done++) {
        count_photo(p, h, &at.photo);
        ok = go_on(p, "photos", done, h->photos, error) &&
             write_photo(&at.photo, texts_at, lines, texts, error) &&
             piaa_store_cursor_step(&at, error);
    }
    if (ok && (at.photo.path || done < h->photos))
        ok = piaa_error_set(error, PIAA_BUSY,
                            "%s was written to meanwhile: run the same command again",
                            p->from->folder);
    piaa_store_cursor_close(&at);
    for (int64_t row = 0; row < p->rows; row++) h->orphans += !p->used[row];
    if (!ok) return false;
    return stream_flush(lines, error) && stream_fill(texts, error) && stream_flush(texts, error);
}

/* What is before the photos. */
static bool write_sections(const packer *p, piaa_index_header *h, stream *out, piaa_error *error) {
    h->at[PIAA_INDEX_META] = stream_end(out);
    if (!write_meta(p, out, error)) return false;
    h->at[PIAA_INDEX_SLOTS] = stream_end(out);
    if (!stream_add(out, p->lines, p->count * sizeof *p->lines, error)) return false;
    h->at[PIAA_INDEX_BITS] = stream_end(out);
    if (!write_bits(p, out, error)) return false;
    h->at[PIAA_INDEX_SUMS] = stream_end(out);
    if (!stream_add(out, p->sums, (size_t)p->rows * sizeof *p->sums, error)) return false;
    h->at[PIAA_INDEX_PHOTOS] = stream_end(out);
    h->at[PIAA_INDEX_TEXTS] = stream_end(out) + h->photos * (int64_t)sizeof(piaa_index_photo);
    return stream_flush(out, error);
}

/* The blocks' sums, over what was written, and the header. */
static bool seal(piaa_index_header *h, stream *out, piaa_error *error) {
    const int64_t size = h->at[PIAA_INDEX_BLOCKS];
    const size_t count = piaa_index_blocks(size);
    piaa_map map;
    uint64_t *sums = piaa_alloc(count, sizeof *sums, error);
    bool ok = sums && piaa_map_open(&map, out->path, error);
    if (ok) {
        for (size_t i = 0; i < count; i++) {
            sums[i] = piaa_index_block_sum(map.data, size, i);
            piaa_map_forget(&map, map.data + i * PIAA_INDEX_BLOCK, PIAA_INDEX_BLOCK);
        }
        piaa_map_close(&map);
        h->blocks_sum = piaa_store_sum_bytes(-1, sums, count * sizeof *sums);
        h->at[PIAA_INDEX_END] = size + (int64_t)(count * sizeof *sums);
        h->sum = piaa_store_sum_bytes(-1, h, offsetof(piaa_index_header, sum));
        ok = piaa_disk_write(out->file, sums, count * sizeof *sums, size, out->path, error) &&
             piaa_disk_write(out->file, h, sizeof *h, 0, out->path, error) &&
             (piaa_sync_data(out->file) == 0 || piaa_disk_error(error, errno, out->path));
    }
    free(sums);
    return ok;
}

static bool write_index(packer *p, piaa_error *error) {
    piaa_index_header h = {.order = PIAA_INDEX_ORDER,
                           .version = PIAA_INDEX_VERSION,
                           .packing = (uint32_t)p->packing,
                           .slots = (uint32_t)p->count,
                           .rows = p->rows,
                           .photos = (int64_t)piaa_store_photos(p->from)};
    memcpy(h.magic, PIAA_INDEX_MAGIC, sizeof h.magic);
    stream lines, texts = {.file = -1};
    bool ok = stream_open(&lines, p->folder, PIAA_INDEX_NAME, sizeof h, error) &&
              write_sections(p, &h, &lines, error) &&
              stream_open(&texts, p->folder, PIAA_INDEX_NAME, h.at[PIAA_INDEX_TEXTS], error) &&
              write_photos(p, &h, &lines, &texts, error);
    h.at[PIAA_INDEX_BLOCKS] = stream_end(&texts);
    ok = ok && seal(&h, &lines, error);
    stream_close(&lines);
    stream_close(&texts);
    return ok;
}

/* ------------------------------------------------------------------------------------ the folder
 */

/* A file that a packing makes beside its lock: the index, lt.15.npy, lt.15.scale.npy. */
static bool is_made_here(const char *name) {
    char slot[64];
    piaa_slot parsed;
    if (strcmp(name, PIAA_INDEX_NAME) == 0) return true;
    size_t length = strlen(name);
    if (length >= sizeof slot || !piaa_path_ends(name, ".npy")) return false;
    length -= strlen(".npy");
    snprintf(slot, sizeof slot, "%.*s", (int)length, name);
    if (piaa_path_ends(slot, ".scale")) slot[length - strlen(".scale")] = '\0';
    return piaa_store_parse_slot(slot, &parsed);
}

/* The lock and what is_made_here knows, or nothing: what a kill leaves of a packing. */
static bool check_left_over(const packer *p, piaa_error *error) {
    struct stat status;
    bool ours = true, empty = true, locked = false;
    if (lstat(p->folder, &status) != 0) return piaa_disk_error(error, errno, p->folder);
    if (S_ISDIR(status.st_mode)) {
        DIR *list = opendir(p->folder);
        if (!list) return piaa_disk_error(error, errno, p->folder);
        for (const struct dirent *entry; ours && (entry = readdir(list));) {
            const char *name = entry->d_name;
            if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) continue;
            const bool lock = strcmp(name, "lock") == 0;
            locked |= lock;
            empty = false;
            ours = lock || is_made_here(name);
        }
        closedir(list);
        if (ours && (empty || locked)) return true;
    }
    return piaa_error_set(error, PIAA_USAGE,
                          "%s, where %s would be made, is there already: use another --out",
                          p->folder, p->path);
}

/* false: errno says why, and some of it may be there still. */
static bool clear_folder(const char *folder) {
    DIR *list = opendir(folder);
    bool ok = list != NULL;
    for (const struct dirent *entry; ok && (entry = readdir(list));) {
        if (!is_made_here(entry->d_name)) continue;
        char *path = piaa_path_join(folder, entry->d_name, NULL);
        ok = path && unlink(path) == 0;
        free(path);
    }
    if (list) closedir(list);
    return ok;
}

static bool check_place(const char *path, piaa_error *error) {
    if (rmdir(path) == 0 || errno == ENOENT) return true; /* an empty folder makes room */
    return piaa_error_set(error, PIAA_USAGE, "%s is there already: remove it, or use another --out",
                          path);
}

static bool make_folder(packer *p, piaa_error *error) {
    const bool there = mkdir(p->folder, 0777) != 0;
    if (there && errno != EEXIST) {
        if (errno == ENOENT)
            return piaa_error_set(error, PIAA_IO,
                                  "cannot make %s: the folder that it is to be in is not there",
                                  p->path);
        return piaa_disk_error(error, errno, p->folder);
    }
    if (there && !check_left_over(p, error)) return false;
    char *lock = piaa_path_join(p->folder, "lock", error);
    if (lock) p->lock = piaa_disk_lock(lock, p->folder, error);
    free(lock);
    if (p->lock < 0) return false;
    return clear_folder(p->folder) || piaa_disk_error(error, errno, p->folder);
}

static void remove_lock(const char *folder) {
    char *lock = piaa_path_join(folder, "lock", NULL);
    if (lock) unlink(lock);
    free(lock);
}

/* The lock goes along, so that nobody begins in a folder that is about to be renamed. */
static bool publish(packer *p, piaa_error *error) {
    if (!piaa_disk_sync_folder(p->folder, error)) return false;
    if (rename(p->folder, p->path) != 0) return piaa_disk_error(error, errno, p->path);
    remove_lock(p->path);
    char *parent = piaa_path_folder(p->path, error);
    const bool ok = parent && piaa_disk_sync_folder(parent, error);
    free(parent);
    return ok;
}

/* The lock stays with what cannot be taken away: the next packing knows it by that. */
static void give_up(const packer *p) {
    if (p->lock < 0 || !clear_folder(p->folder)) return;
    remove_lock(p->folder);
    rmdir(p->folder);
}

/* ------------------------------------------------------------------------------------ the whole */

static bool choose_all(packer *p, piaa_error *error) {
    p->count = p->from->slots.count;
    p->slots = piaa_alloc(p->count, sizeof *p->slots, error);
    for (size_t k = 0; p->slots && k < p->count; k++) p->slots[k] = (int)k;
    return p->slots;
}

static bool choose_named(packer *p, const char *features, piaa_error *error) {
    piaa_slots wanted;
    if (!piaa_slots_parse_joined(features, NULL, &wanted, error)) return false;
    p->slots = piaa_alloc(wanted.count, sizeof *p->slots, error);
    bool ok = p->slots;
    for (; ok && p->count < wanted.count; p->count++) {
        const piaa_slot *slot = &wanted.items[p->count];
        p->slots[p->count] = piaa_store_find_slot(p->from, slot->pool, slot->layer);
        if (p->slots[p->count] < 0)
            ok = piaa_error_set(error, PIAA_MISMATCH, "%s holds no %s", p->from->folder,
                                piaa_slot_name(slot).text);
    }
    piaa_slots_free(&wanted);
    return ok;
}

static bool prepare(packer *p, const char *features, piaa_error *error) {
    const bool all = !features || strcmp(features, "all-pools") == 0;
    if (!(all ? choose_all(p, error) : choose_named(p, features, error))) return false;
    p->rows = piaa_store_count(p->from).rows;
    p->stride = (p->count + 7) / 8;
    p->lines = piaa_alloc(p->count, sizeof *p->lines, error);
    p->sums = piaa_alloc((size_t)p->rows, sizeof *p->sums, error);
    p->centre = piaa_alloc(p->count, sizeof *p->centre, error);
    p->step = piaa_alloc(p->count, sizeof *p->step, error);
    p->used = piaa_alloc((size_t)p->rows, sizeof *p->used, error);
    if (!p->lines || !p->sums || !p->used || !p->centre || !p->step) return false;
    for (size_t k = 0; k < p->count; k++) {
        p->lines[k].dim = slot_of(p, k)->dim;
        snprintf(p->lines[k].name, sizeof p->lines[k].name, "%s",
                 piaa_slot_name(slot_of(p, k)).text);
    }
    return true;
}

static bool pack(packer *p, const piaa_pack_options *options, piaa_error *error) {
    size_t length = strlen(p->path);
    while (length > 1 && p->path[length - 1] == '/') length--;
    if (!(p->folder = piaa_format(error, "%.*s.part", (int)length, p->path)) ||
        !prepare(p, options ? options->features : NULL, error) || !check_place(p->path, error) ||
        !make_folder(p, error))
        return false;
    const bool ok = read_rows(p, error) && write_matrices(p, error) && write_index(p, error) &&
                    publish(p, error);
    if (!ok) give_up(p);
    return ok;
}

static void free_packer(packer *p) {
    piaa_disk_unlock(p->lock);
    for (size_t k = 0; k < p->count; k++) {
        if (p->centre) free(p->centre[k]);
        if (p->step) free(p->step[k]);
    }
    free(p->centre);
    free(p->step);
    free(p->folder);
    free(p->slots);
    free(p->lines);
    free(p->sums);
    free(p->used);
}

bool piaa_store_pack(const char *from, const char *path, const piaa_pack_options *options,
                     const piaa_hooks *hooks, piaa_error *error) {
    if (piaa_error_pending(error)) return false;
    if (!from || !path || !*path)
        return piaa_error_missing(error, from ? "folder for the packed store" : "store");
    if (!piaa_store_refuse_packed(from, error)) return false;
    piaa_store *store = piaa_store_open_lean(from, hooks, error);
    if (!store) return false;
    packer p = {.from = store,
                .path = path,
                .lock = -1,
                .packing = options && options->packing ? options->packing : PIAA_PACKED_F32,
                .hooks = hooks};
    const bool ok = pack(&p, options, error);
    free_packer(&p);
    piaa_store_close(store);
    return ok;
}

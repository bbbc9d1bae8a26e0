/* Any bytes as a photo, for the readers of our own: bitmaps, what is around libjpeg, and the search
   for lost parts.  Rows come as many as were promised, or with a reason why not. */
#include "image/damage.h"
#include "image/rows.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(piaa_rows *rows) {
    enum { MOST = 1 << 20 };
    if (rows->width <= 0 || rows->height <= 0 || rows->bands <= 0) abort();
    const size_t stride = (size_t)rows->width * (size_t)rows->bands;
    piaa_error error = {0};
    if (stride <= MOST && (size_t)rows->height <= MOST / stride) {
        uint8_t *samples = malloc(stride);
        bool ok = samples != NULL;
        for (int y = 0; ok && y < rows->height; y++) ok = rows->read(rows, 1, samples, &error);
        if (samples && !ok && !error.message[0]) abort();
        if (!memchr(rows->damage, '\0', sizeof rows->damage)) abort();
        free(samples);
    }
    rows->close(rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    piaa_photo_file file = {.path = "fuzz", .bytes = malloc(size + 1), .size = size};
    if (!file.bytes) return 0;
    memcpy(file.bytes, data, size);
    file.kind = piaa_kind_of(file.bytes, size);
    piaa_rows rows;
    piaa_error error = {0};
    char damage[PIAA_DAMAGE];
    piaa_damage_find(&file, 1000, damage);
    const bool opened = file.kind == PIAA_KIND_BMP    ? piaa_bmp_open(&file, &rows, &error)
                        : file.kind == PIAA_KIND_JPEG ? piaa_jpeg_open(&file, &rows, &error)
                                                      : false;
    if (opened) read_all(&rows);
    free(file.bytes);
    return 0;
}

/* JPEG, with libjpeg-turbo, which says what it noticed: libvips keeps the decoder's warnings to
 * itself and does not look at what follows the last row.
 *
 * A decoder reads on whatever happens, for a JPEG has no checksums: a lost half is grey, and after
 * a flipped bit blocks stand in the wrong places.  What gives that away is that the coded data do
 * not end with the picture: they end before it ("premature end of data segment"), or bytes are left
 * over between the last block and the next marker, or a code is none ("bad Huffman code"), or a
 * restart marker is not the one whose turn it is, or scans of a progressive picture never came.
 * Left-over bytes that are all 0x00 or all 0xff are some cameras' padding.
 *
 *     the end marker is missing, every block is there     read
 *     the file ends before its last block                 an error: it is cut short
 *     anything else of this kind                          read, with a note of the damage */
#include "image/rows.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jerror.h>
#include <jpeglib.h>

enum {
    MOST_SCANS = 500, /* each costs a walk over the whole picture; encoders write about ten */
    SECTOR = 512      /* so many zeros are a piece of the disk that was lost, and no padding */
};

typedef struct decoder {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf escape; /* set anew by each function that calls into libjpeg */
    const piaa_photo_file *file;
    bool started;
    bool in_data; /* headers are read: what is skipped from now on is picture */
    bool no_end;  /* the file came to its end before its end marker */
    bool lost;
    int lost_at; /* rows that were out when the first loss was noticed */
    char text[JMSG_LENGTH_MAX];
} decoder;

/* ---------------------------------------------------------------------------- what libjpeg says */

static void leave(j_common_ptr jpeg) {
    decoder *d = jpeg->client_data;
    if (!d->lost) jpeg->err->format_message(jpeg, d->text);
    longjmp(d->escape, 1);
}

/* Whether the `count` bytes before the reader's place in the file are padding: one byte over and
   over, and something else before them, for a blank stretch of the file is decoded to the end of
   the picture and then left over, too. */
static bool is_padding(const decoder *d, int count) {
    enum { BEFORE = 8 };
    const unsigned char *start = d->file->bytes, *end = d->jpeg.src->next_input_byte;
    if (end < start || end > start + d->file->size) end = start + d->file->size;
    if (count <= 0 || count >= SECTOR || count + BEFORE > end - start || d->no_end) return false;
    const unsigned char padding = end[-1];
    int same = 1;
    while (same < count + BEFORE && end[-same - 1] == padding) same++;
    return (padding == 0x00 || padding == 0xff) && same >= count && same < count + BEFORE;
}

static bool is_harmless(const decoder *d) {
    switch (d->errors.msg_code) {
    case JWRN_JFIF_MAJOR:
    case JWRN_ADOBE_XFORM:
    case JWRN_BOGUS_ICC:
        return true;
    case JWRN_EXTRANEOUS_DATA:
        return !d->in_data || is_padding(d, d->errors.msg_parm.i[0]);
    default:
        return false;
    }
}

static void take_warning(j_common_ptr jpeg, int level) {
    decoder *d = jpeg->client_data;
    if (level >= 0) return;
    if (d->errors.msg_code == JWRN_JPEG_EOF) {
        d->no_end = true;
        return;
    }
    if (is_harmless(d) || d->lost) return;
    d->lost = true;
    d->lost_at = (int)d->jpeg.output_scanline;
    jpeg->err->format_message(jpeg, d->text);
    if (d->no_end) longjmp(d->escape, 1); /* cut short */
}

static void count_scans(j_common_ptr jpeg) {
    decoder *d = jpeg->client_data;
    if (d->jpeg.input_scan_number <= MOST_SCANS) return;
    snprintf(d->text, sizeof d->text, "over %d scans", MOST_SCANS);
    longjmp(d->escape, 1);
}

/* The failure that libjpeg escaped with. */
static bool failed(const decoder *d, piaa_error *error) {
    const char *path = d->file->path;
    switch (d->lost ? 0 : d->errors.msg_code) {
    case JERR_OUT_OF_MEMORY:
        return piaa_error_set(error, PIAA_MEMORY, "%s: there is not enough memory to decode it",
                              path);
    case JERR_BAD_PRECISION:
    case JERR_ARITH_NOTIMPL:
    case JERR_NOT_COMPILED:
    case JERR_SOF_UNSUPPORTED:
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "%s is a kind of JPEG that libjpeg does not read (%s): save it anew",
                              path, d->text);
    default:
        return piaa_error_set(
            error, PIAA_FORMAT,
            "%s is damaged or cut short (%s): copy it again from where it came from", path,
            d->no_end ? "the file ends before the picture does" : d->text);
    }
}

/* ------------------------------------------------------------------------------------- decoding */

/* Scans that a progressive picture still lacks after its last one. */
static bool lacks_scans(const struct jpeg_decompress_struct *jpeg) {
    if (!jpeg->progressive_mode || !jpeg->coef_bits) return false;
    for (int c = 0; c < jpeg->num_components; c++)
        for (int k = 0; k < DCTSIZE2; k++)
            if (jpeg->coef_bits[c][k] != 0) return true;
    return false;
}

static void describe(const decoder *d, piaa_rows *rows) {
    if (!d->lost) return;
    if (d->lost_at > 0 && d->lost_at < rows->height)
        snprintf(rows->damage, sizeof rows->damage,
                 "part of the picture is lost, from row %d of %d on (%.100s)", d->lost_at,
                 rows->height, d->text);
    else
        snprintf(rows->damage, sizeof rows->damage, "part of the picture is lost (%.100s)",
                 d->text);
}

/* What follows the last row is read to see what is left over alone: errors there are none. */
static void look_at_end(decoder *d) {
    if (setjmp(d->escape) == 0) PIAA_UNUSED(jpeg_finish_decompress(&d->jpeg));
}

/* Of a progressive picture this reads all scans. */
static bool start(decoder *d, piaa_error *error) {
    if (setjmp(d->escape)) return failed(d, error);
    PIAA_UNUSED(jpeg_start_decompress(&d->jpeg));
    d->started = true;
    if (d->lost || !lacks_scans(&d->jpeg)) return true;
    d->lost = true;
    snprintf(d->text, sizeof d->text, "the last scans of a progressive JPEG are missing");
    return !d->no_end || failed(d, error);
}

static bool read_rows(piaa_rows *rows, int count, uint8_t *samples, piaa_error *error) {
    decoder *d = rows->decoder;
    size_t stride = (size_t)rows->width * (size_t)rows->bands;
    if (!d->started && !start(d, error)) return false;
    if (setjmp(d->escape)) return failed(d, error);
    for (int y = 0; y < count; y++) {
        JSAMPROW row = samples + (size_t)y * stride;
        PIAA_UNUSED(jpeg_read_scanlines(&d->jpeg, &row, 1)); /* one: the source never pauses */
        for (size_t i = 0; rows->inks && i < stride; i++) /* as all but a few programs write them */
            row[i] = (uint8_t)(255 - row[i]);
    }
    if (d->jpeg.output_scanline < d->jpeg.output_height) return true;
    look_at_end(d);
    describe(d, rows);
    return true;
}

static void close_rows(piaa_rows *rows) {
    decoder *d = rows->decoder;
    jpeg_destroy_decompress(&d->jpeg);
    free(d);
}

static bool read_header(decoder *d, piaa_rows *rows, piaa_error *error) {
    struct jpeg_decompress_struct *jpeg = &d->jpeg;
    if (setjmp(d->escape)) return failed(d, error);
    jpeg_create_decompress(jpeg);
    jpeg->client_data = d; /* creating clears it */
    jpeg->progress = &d->progress;
    jpeg_mem_src(jpeg, d->file->bytes, d->file->size);
    PIAA_UNUSED(jpeg_read_header(jpeg, TRUE));
    d->in_data = true;
    jpeg_calc_output_dimensions(jpeg);
    rows->width = (int)jpeg->output_width;
    rows->height = (int)jpeg->output_height;
    rows->bands = jpeg->out_color_components;
    rows->inks = jpeg->out_color_space == JCS_CMYK;
    if (jpeg_has_multiple_scans(jpeg)) /* every coefficient is held, in two bytes */
        rows->memory = (uint64_t)rows->width * (uint64_t)rows->height *
                       (uint64_t)jpeg->num_components * sizeof(JCOEF);
    return true;
}

bool piaa_jpeg_open(const piaa_photo_file *file, piaa_rows *rows, piaa_error *error) {
    decoder *d = piaa_alloc(1, sizeof *d, error);
    if (!d) return false;
    d->file = file;
    d->jpeg.err = jpeg_std_error(&d->errors);
    d->jpeg.client_data = d;
    d->errors.error_exit = leave;
    d->errors.emit_message = take_warning;
    d->progress.progress_monitor = count_scans;
    *rows = (piaa_rows){.read = read_rows, .close = close_rows, .decoder = d};
    if (read_header(d, rows, error)) return true;
    close_rows(rows);
    *rows = (piaa_rows){0};
    return false;
}

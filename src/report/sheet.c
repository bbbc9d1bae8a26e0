/*
 * A contact sheet of a ranking.
 *
 * The page is a plain array of RGB bytes onto which thumbnails and pieces of text are laid one
 * after the other: libvips sets the text (through Pango) and encodes the page.  Photos stand on the
 * line of their captions, flush left.
 */
#include "report/report.h"

#include "base/file.h"
#include "base/utf8.h"
#include "base/visible.h"
#include "image/image.h"
#include "image/libvips.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    COLUMNS = 6,
    ROWS = 4,
    TILE_WIDTH = 240,
    TILE_HEIGHT = 186,
    CAPTION = 52,
    GAP = 26,
    ROW_GAP = 22,
    MARGIN = 44,
    HEADING = 100,
    DIVIDER = 52,
    CHANNELS = 3
};

static const unsigned char paper[CHANNELS] = {250, 249, 246}, empty[CHANNELS] = {222, 221, 217},
                           rule[CHANNELS] = {214, 212, 206};

typedef struct page {
    int width, height;
    unsigned char *rgb;
} page;

static void fill(page *sheet, int left, int top, int width, int height,
                 const unsigned char colour[CHANNELS]) {
    for (int y = top < 0 ? 0 : top; y < top + height && y < sheet->height; y++)
        for (int x = left < 0 ? 0 : left; x < left + width && x < sheet->width; x++)
            memcpy(sheet->rgb + ((size_t)y * (size_t)sheet->width + (size_t)x) * CHANNELS, colour,
                   CHANNELS);
}

/* Lays 8-bit pixels of 3 or 4 bands (the fourth is opacity) on the page; what reaches over the edge
   is cut off. */
static void lay(page *sheet, const unsigned char *pixels, int bands, int width, int height,
                int left, int top) {
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            if (left + x < 0 || left + x >= sheet->width || top + y < 0 || top + y >= sheet->height)
                continue;
            const unsigned char *from =
                pixels + ((size_t)y * (size_t)width + (size_t)x) * (size_t)bands;
            unsigned char *to =
                sheet->rgb +
                ((size_t)(top + y) * (size_t)sheet->width + (size_t)(left + x)) * CHANNELS;
            int opacity = bands == CHANNELS + 1 ? from[CHANNELS] : 255;
            for (int c = 0; c < CHANNELS; c++)
                to[c] = (unsigned char)((from[c] * opacity + to[c] * (255 - opacity) + 127) / 255);
        }
}

static void lay_text(page *sheet, VipsImage *image, int left, int top) {
    size_t size;
    unsigned char *pixels = vips_image_write_to_memory(image, &size);
    if (pixels)
        lay(sheet, pixels, vips_image_get_bands(image), vips_image_get_width(image),
            vips_image_get_height(image), left, top);
    else
        vips_error_clear();
    g_free(pixels);
}

/* ----------------------------------------------------------------------------------------- text */

/* Pango markup set as a picture; NULL where it cannot be (no fonts): a sheet without captions is
   better than none. */
static VipsImage *set_text(const char *markup) {
    VipsImage *image = NULL;
    if (vips_text(&image, markup, "font", "sans", "dpi", 72, "rgba", TRUE, NULL) == 0) return image;
    vips_error_clear();
    return NULL;
}

static void put_text(page *sheet, const char *markup, int left, int top) {
    VipsImage *image = set_text(markup);
    if (!image) return;
    lay_text(sheet, image, left, top);
    g_object_unref(image);
}

/* The last TAIL and the first few characters of a name, `count` in all, escaped for markup. */
static bool shorten(const char *name, size_t characters, size_t count, piaa_text *out,
                    piaa_error *error) {
    enum { TAIL = 9 };
    size_t at = 0, head = count > TAIL + 1 ? count - TAIL - 1 : 1;
    bool ok = true;
    for (const char *c = name; ok && *c; at++) {
        size_t size = piaa_utf8_length(*c);
        if (characters > count && at == head) ok = piaa_text_format(out, error, "…");
        if (ok && (characters <= count || at < head || at >= characters - TAIL))
            ok = *c == '&'   ? piaa_text_format(out, error, "&amp;")
                 : *c == '<' ? piaa_text_format(out, error, "&lt;")
                 : *c == '>' ? piaa_text_format(out, error, "&gt;")
                             : piaa_text_add(out, c, size, error);
        c += size;
    }
    return ok;
}

/* "7  4.31  ★ 4.5" over the file's name, as long as fits. */
static char *caption(size_t rank, const piaa_ranked *photo, size_t count, piaa_error *error) {
    piaa_text whole = {0}, name = {0}, markup = {0};
    const char *file = piaa_path_name(photo->path);
    bool ok = piaa_visible_add(&whole, file, error);
    size_t characters = 0;
    for (size_t i = 0; ok && i < whole.length; i += piaa_utf8_length(whole.data[i])) characters++;
    ok = ok && shorten(whole.data ? whole.data : "", characters, count, &name, error) &&
         piaa_text_format(&markup, error,
                          "<span font='sans 19' foreground='#8a8780'>%zu</span><span font='sans "
                          "bold 19' foreground='#1f1e1b'>  %.2f</span>",
                          rank, photo->score) &&
         (!photo->rated ||
          piaa_text_format(&markup, error,
                           "<span font='sans 16' foreground='#b4541a'>   ★ %.3g</span>",
                           photo->rating)) &&
         piaa_text_format(&markup, error, "\n<span font='sans 13' foreground='#77746d'>%s</span>",
                          name.data ? name.data : "");
    free(whole.data);
    free(name.data);
    if (ok) return markup.data;
    free(markup.data);
    return NULL;
}

static bool put_caption(page *sheet, size_t rank, const piaa_ranked *photo, int left, int top,
                        piaa_error *error) {
    enum { MOST = 34, LEAST = 14, STEP = 2 };
    for (size_t count = MOST; count >= LEAST; count -= STEP) {
        char *markup = caption(rank, photo, count, error);
        if (!markup) return false;
        VipsImage *image = set_text(markup);
        free(markup);
        bool fits = !image || vips_image_get_width(image) <= TILE_WIDTH || count == LEAST;
        if (image && fits) lay_text(sheet, image, left, top);
        if (image) g_object_unref(image);
        if (fits) break;
    }
    return true;
}

/* --------------------------------------------------------------------------------------- photos */

/* A hairline, so that bright photos end somewhere. */
static void frame(page *sheet, int left, int top, int width, int height) {
    fill(sheet, left, top, width, 1, rule);
    fill(sheet, left, top + height - 1, width, 1, rule);
    fill(sheet, left, top, 1, height, rule);
    fill(sheet, left + width - 1, top, 1, height, rule);
}

static void put_photo(page *sheet, const char *path, int left, int top) {
    piaa_photo_file file;
    piaa_image image = {0};
    if (piaa_photo_file_read(&file, path, NULL) &&
        piaa_image_thumbnail(&file, TILE_WIDTH, TILE_HEIGHT, &image, NULL)) {
        top += TILE_HEIGHT - image.height;
        lay(sheet, image.rgb, CHANNELS, image.width, image.height, left, top);
        frame(sheet, left, top, image.width, image.height);
    } else {
        fill(sheet, left, top, TILE_WIDTH, TILE_HEIGHT, empty);
    }
    piaa_image_free(&image);
    piaa_photo_file_free(&file);
}

/* ----------------------------------------------------------------------------------------- page */

static void put_heading(page *sheet, size_t count, const piaa_ranking_context *context) {
    static const char *const doubts[] = {[PIAA_LEARNED] = "",
                                         [PIAA_MAY_BE_CHANCE] = ", which may be chance",
                                         [PIAA_NOT_LEARNED] = ", no better than guessing"};
    char line[640], error[96] = "", source[96];
    if (isfinite(context->taste->loo_rmse))
        snprintf(error, sizeof error, ", typical error ± %.2f%s", context->taste->loo_rmse,
                 doubts[piaa_taste_verdict(context->taste)]);
    put_text(
        sheet,
        "<span font='sans bold 30' foreground='#1f1e1b'>Best first, by one person’s taste</span>",
        MARGIN, MARGIN);
    snprintf(line, sizeof line,
             "<span font='sans 17' foreground='#77746d'>%zu photo%s, learned from %s "
             "(<span foreground='#b4541a'>★</span> rated "
             "by hand)%s%s</span>",
             count, count == 1 ? "" : "s", piaa_taste_source(context->taste, source), error,
             context->demonstration ? "; demonstration model" : "");
    put_text(sheet, line, MARGIN, MARGIN + 50);
}

static bool put_row(page *sheet, const piaa_ranking *ranking, size_t first, size_t count, int top,
                    piaa_error *error) {
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        int left = MARGIN + (int)i * (TILE_WIDTH + GAP);
        const piaa_ranked *photo = piaa_ranking_at(ranking, first + i);
        put_photo(sheet, photo->path, left, top);
        ok = put_caption(sheet, first + i + 1, photo, left, top + TILE_HEIGHT + 12, error);
    }
    return ok;
}

static bool fill_page(page *sheet, const piaa_ranking *ranking, const piaa_ranking_context *context,
                      size_t rows, bool cut, piaa_error *error) {
    size_t count = piaa_ranking_count(ranking);
    fill(sheet, 0, 0, sheet->width, sheet->height, paper);
    put_heading(sheet, count, context);
    int top = MARGIN + HEADING;
    bool ok = true;
    for (size_t r = 0; ok && r < rows; r++) {
        size_t first = r * COLUMNS, n = count - first < COLUMNS ? count - first : COLUMNS;
        if (cut && r == rows - 1) {
            char line[128];
            first = count - COLUMNS;
            n = COLUMNS;
            fill(sheet, MARGIN, top + 2, sheet->width - 2 * MARGIN, 1, rule);
            snprintf(line, sizeof line,
                     "<span font='sans 15' foreground='#77746d'>… and the lowest %d of %zu</span>",
                     COLUMNS, count);
            put_text(sheet, line, MARGIN, top + 18);
            top += DIVIDER;
        }
        ok = put_row(sheet, ranking, first, n, top, error);
        top += TILE_HEIGHT + CAPTION + ROW_GAP;
    }
    return ok;
}

/* ".jpg[Q=90]" for libvips. */
static const char *encoder(const char *path) {
    const char *dot = strrchr(piaa_path_name(path), '.');
    if (dot && (strcasecmp(dot, ".jpg") == 0 || strcasecmp(dot, ".jpeg") == 0))
        return ".jpg[Q=90,optimize-coding]";
    if (dot && strcasecmp(dot, ".png") == 0) return ".png";
    if (dot && strcasecmp(dot, ".webp") == 0) return ".webp[Q=88]";
    return NULL;
}

const piaa_output_kind piaa_sheet_output = {"a contact sheet", PIAA_SHEET_MARK};

bool piaa_sheet_check(const char *path, piaa_error *error) {
    if (encoder(path)) return piaa_output_check(path, &piaa_sheet_output, error);
    return piaa_error_set(error, PIAA_USAGE,
                          "the contact sheet %s needs a name that ends in .jpg, .png or .webp",
                          path);
}

/* The mark as XMP, where any program may read it. */
static const char packet[] =
    "<?xpacket begin=\"\xef\xbb\xbf\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>"
    "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\">"
    "<rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">"
    "<rdf:Description rdf:about=\"\" xmlns:xmp=\"http://ns.adobe.com/xap/1.0/\" "
    "xmp:CreatorTool=\"" PIAA_SHEET_MARK "\"/></rdf:RDF></x:xmpmeta><?xpacket end=\"w\"?>";

/* libvips compresses the packet in a PNG file, which gets the mark as a chunk of plain text too:
   length, type, key, text, and the CRC of all but the length. */
static const char png_chunk[] = "\0\0\0\x1btEXtSoftware\0" PIAA_SHEET_MARK "\x96\x95\x38\xa6";
enum { PNG_CHUNK_AT = 33 }; /* behind the signature and IHDR */

static bool write_encoded(const char *path, const unsigned char *bytes, size_t size,
                          piaa_error *error) {
    if (!piaa_path_ends(encoder(path), ".png"))
        return piaa_output_write(path, &piaa_sheet_output, bytes, size, error);
    piaa_text marked = {0};
    bool ok = piaa_text_add(&marked, bytes, PNG_CHUNK_AT, error) &&
              piaa_text_add(&marked, png_chunk, sizeof png_chunk - 1, error) &&
              piaa_text_add(&marked, bytes + PNG_CHUNK_AT, size - PNG_CHUNK_AT, error) &&
              piaa_output_write(path, &piaa_sheet_output, marked.data, marked.length, error);
    free(marked.data);
    return ok;
}

static bool save(const page *sheet, const char *path, piaa_error *error) {
    VipsImage *memory = vips_image_new_from_memory(
        sheet->rgb, (size_t)sheet->width * (size_t)sheet->height * CHANNELS, sheet->width,
        sheet->height, CHANNELS, VIPS_FORMAT_UCHAR);
    VipsImage *image = NULL;
    void *bytes = NULL;
    size_t size = 0;
    bool ok =
        memory && vips_copy(memory, &image, "interpretation", VIPS_INTERPRETATION_sRGB, NULL) == 0;
    if (ok) vips_image_set_blob_copy(image, VIPS_META_XMP_NAME, packet, sizeof packet - 1);
    ok = ok && vips_image_write_to_buffer(image, encoder(path), &bytes, &size, NULL) == 0;
    if (image) g_object_unref(image);
    if (memory) g_object_unref(memory);
    if (!ok) {
        piaa_error_set(error, PIAA_UNSUPPORTED, "the contact sheet %s could not be encoded: %s",
                       path, vips_error_buffer());
        vips_error_clear();
        return false;
    }
    ok = write_encoded(path, bytes, size, error);
    g_free(bytes);
    return ok;
}

bool piaa_sheet_write(const piaa_ranking *ranking, const piaa_ranking_context *context,
                      const char *path, piaa_error *error) {
    if (!ranking) return piaa_error_missing(error, "ranking");
    if (!piaa_sheet_check(path, error)) return false;
    if (!piaa_vips_start(error)) return false;
    size_t count = piaa_ranking_count(ranking), rows = (count + COLUMNS - 1) / COLUMNS;
    bool cut = rows > ROWS;
    if (cut) rows = ROWS;
    page sheet = {.width = 2 * MARGIN + COLUMNS * TILE_WIDTH + (COLUMNS - 1) * GAP,
                  .height = 2 * MARGIN + HEADING + (int)rows * (TILE_HEIGHT + CAPTION + ROW_GAP) -
                            ROW_GAP + (cut ? DIVIDER : 0)};
    sheet.rgb = piaa_alloc((size_t)sheet.width * (size_t)sheet.height, CHANNELS, error);
    bool ok = sheet.rgb && fill_page(&sheet, ranking, context, rows, cut, error) &&
              save(&sheet, path, error);
    free(sheet.rgb);
    return ok;
}

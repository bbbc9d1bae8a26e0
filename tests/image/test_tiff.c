/* Which picture of a TIFF file is the photo, and which TIFF files are cameras' raw ones: layouts
   that scanners, editors and cameras write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "image/tiff.h"
#include "image/tiff_maker.h"

#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* A picture as a test needs it; the rest of a directory is of no interest here. */
typedef struct picture {
    int subfile, old_subfile; /* -1: no such tag */
    int width, height, photometric, compression;
    bool make, dng, pattern;
} picture;

static tiff_maker maker;

/* Appends the picture; with SubIFDs where `below` has some. */
static size_t add(size_t link, const picture *p, const uint64_t *below, size_t count) {
    tiff_entry entries[16];
    static const uint64_t two[] = {2, 2}, version[] = {1, 4, 0, 0};
    size_t n = 0;
    if (p->subfile >= 0) entries[n++] = (tiff_entry){254, LONG, (uint64_t)p->subfile, 0, NULL};
    if (p->old_subfile >= 0)
        entries[n++] = (tiff_entry){255, SHORT, (uint64_t)p->old_subfile, 0, NULL};
    entries[n++] = (tiff_entry){256, SHORT, (uint64_t)p->width, 0, NULL};
    entries[n++] = (tiff_entry){257, LONG, (uint64_t)p->height, 0, NULL};
    entries[n++] = (tiff_entry){259, SHORT, (uint64_t)p->compression, 0, NULL};
    entries[n++] = (tiff_entry){262, SHORT, (uint64_t)p->photometric, 0, NULL};
    if (p->make) entries[n++] = (tiff_entry){271, ASCII, 'X', 0, NULL};
    if (count) entries[n++] = (tiff_entry){330, maker.wide ? LONG8 : LONG, below[0], count, below};
    if (p->pattern) entries[n++] = (tiff_entry){33421, SHORT, 0, 2, two};
    if (p->dng) entries[n++] = (tiff_entry){50706, BYTE, 0, 4, version};
    return tiff_directory(&maker, link, entries, n);
}

#define FULL(w, h)                                                                                 \
    { -1, -1, w, h, 2, 1, false, false, false }
#define COPY(w, h)                                                                                 \
    { 1, -1, w, h, 2, 1, false, false, false }

static const struct {
    const char *what;
    picture pages[3], below[3]; /* below the first page; a width of 0 ends the lists */
    bool raw;
    int page, subifd;
} layouts[] = {
    {"a picture", {FULL(9, 6)}, {{0}}, false, 0, -1},
    {"pages of a book", {FULL(9, 6), FULL(90, 60)}, {{0}}, false, 0, -1},
    {"a photo and its copy", {FULL(9, 6), COPY(3, 2)}, {{0}}, false, 0, -1},
    {"a copy, then the photo", {COPY(3, 2), FULL(9, 6)}, {{0}}, false, 1, -1},
    {"the older mark",
     {{-1, 2, 3, 2, 2, 1, false, false, false}, {-1, 1, 9, 6, 2, 1, false, false, false}},
     {{0}},
     false,
     1,
     -1},
    {"two copies", {COPY(3, 2), COPY(5, 4), FULL(9, 6)}, {{0}}, false, 2, -1},
    {"of two photos the larger", {COPY(3, 2), FULL(9, 6), FULL(18, 12)}, {{0}}, false, 2, -1},
    {"a mask is none",
     {COPY(3, 2), {4, -1, 90, 60, 4, 1, false, false, false}, FULL(9, 6)},
     {{0}},
     false,
     2,
     -1},
    {"nothing but a copy", {COPY(3, 2)}, {{0}}, false, 0, -1},
    {"the photo below its copy", {COPY(3, 2)}, {FULL(9, 6)}, false, 0, 0},
    {"a camera's, developed",
     {{0, -1, 9, 6, 2, 1, true, false, false}},
     {COPY(3, 2)},
     false,
     0,
     -1},
    {"a scanner's DNG",
     {{1, -1, 3, 2, 2, 1, true, true, false}},
     {COPY(5, 4), FULL(9, 6)},
     false,
     0,
     1},
    {"pyramid below the photo", {FULL(90, 60)}, {COPY(45, 30), COPY(22, 15)}, false, 0, -1},

    {"thumbnail, and below it the sensor",
     {{1, -1, 3, 2, 2, 1, true, false, false}},
     {{0, -1, 9, 6, 32803, 1, false, false, false}},
     true,
     0,
     -1},
    {"no camera named",
     {COPY(3, 2)},
     {{0, -1, 9, 6, 32803, 34713, false, false, false}},
     true,
     0,
     -1},
    {"thumbnail without a mark",
     {FULL(3, 2)},
     {{0, -1, 9, 6, 32803, 1, false, false, false}},
     true,
     0,
     -1},
    {"preview, then the sensor",
     {COPY(3, 2)},
     {COPY(5, 4), {0, -1, 9, 6, 32803, 7, false, false, false}},
     true,
     0,
     -1},
    {"the sensor first",
     {{-1, -1, 9, 6, 32803, 65535, true, false, false}, FULL(3, 2)},
     {{0}},
     true,
     0,
     -1},
    {"the sensor in the chain",
     {FULL(3, 2), {-1, -1, 9, 6, 32803, 6, true, false, false}},
     {{0}},
     true,
     0,
     -1},
    {"linear light (DNG)", {{0, -1, 9, 6, 34892, 1, true, true, false}}, {{0}}, true, 0, -1},
    {"a maker's compression",
     {COPY(3, 2)},
     {{0, -1, 9, 6, 1, 32767, false, false, false}},
     true,
     0,
     0},
    {"a pattern alone", {COPY(3, 2)}, {{0, -1, 9, 6, 1, 1, false, false, true}}, true, 0, 0},
    {"a camera's thumbnail alone", {{1, -1, 3, 2, 2, 1, true, false, false}}, {{0}}, true, 0, -1},
    {"a DNG's thumbnail alone", {{1, -1, 3, 2, 2, 1, false, true, false}}, {{0}}, true, 0, -1},
};

static void make(size_t layout, bool big_endian, bool wide) {
    tiff_begin(&maker, big_endian, wide);
    uint64_t below[3];
    size_t count = 0, link = tiff_first(&maker);
    for (; count < 3 && layouts[layout].below[count].width; count++) {
        below[count] = (maker.size + 1) & ~(size_t)1;
        add(0, &layouts[layout].below[count], NULL, 0);
    }
    for (size_t i = 0; i < 3 && layouts[layout].pages[i].width; i++)
        link = add(link, &layouts[layout].pages[i], below, i ? 0 : count);
}

static void every_layout(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(layouts); i++)
        for (int way = 0; way < 4; way++) {
            piaa_tiff got;
            make(i, way & 1, way & 2);
            if (!piaa_tiff_look(maker.bytes, maker.size, &got) || got.raw != layouts[i].raw ||
                (!got.raw && (got.page != layouts[i].page || got.subifd != layouts[i].subifd)))
                fail_msg("%s, way %d: raw %d, page %d, %d", layouts[i].what, way, got.raw, got.page,
                         got.subifd);
        }
}

/* Whatever is cut off: an answer, from the bytes that are there. */
static void cut_anywhere(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(layouts); i++) {
        make(i, false, i & 1);
        for (size_t size = 0; size < maker.size; size++) {
            unsigned char *copy = malloc(size + 1); /* so that a sanitizer sees reads beyond */
            assert_non_null(copy);
            memcpy(copy, maker.bytes, size);
            piaa_tiff got;
            (void)piaa_tiff_look(copy, size, &got);
            free(copy);
        }
    }
}

static void rings_end(void **state) {
    (void)state;
    piaa_tiff got;
    tiff_begin(&maker, false, false);
    const picture copy = COPY(3, 2);
    size_t link = add(tiff_first(&maker), &copy, (const uint64_t[]){8, 8, 0}, 3);
    tiff_number(&maker, link, 4, 8);
    assert_true(piaa_tiff_look(maker.bytes, maker.size, &got));
    assert_int_equal(got.page, 0);
    tiff_number(&maker, 4, 4, 4); /* a directory in its own link */
    (void)piaa_tiff_look(maker.bytes, maker.size, &got);
}

/* Canon's CR2 and Phase One's IIQ say who they are behind the header, where no directory is. */
static bool count_pieces(void *user, const piaa_tiff_piece *piece) {
    *(size_t *)user += piece->size > 0;
    return false;
}

/* Four thousand million strips, which the file says it has: looking for them ends at once. */
static void more_pieces_than_bytes(void **state) {
    (void)state;
    static const unsigned char tiff[] = {
        'I', 'I', 42, 0, 8,   0,   0,   0,   4,   0,                        /* one directory */
        0,   1,   3,  0, 1,   0,   0,   0,   1,   0,   0,   0,              /* width 1 */
        1,   1,   3,  0, 1,   0,   0,   0,   1,   0,   0,   0,              /* height 1 */
        17,  1,   4,  0, 255, 255, 255, 255, 8,   0,   0,   0,              /* their places */
        23,  1,   4,  0, 255, 255, 255, 255, 255, 255, 255, 127, 0, 0, 0, 0 /* their sizes */
    };
    size_t pieces = 0;
    assert_false(piaa_tiff_visit(tiff, sizeof tiff, count_pieces, &pieces));
    assert_int_equal(pieces, 0);
    assert_true(piaa_tiff_is_cut(tiff, sizeof tiff));
}

static void makers_signatures(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        bool raw;
    } heads[] = {{"II*\0\x10\0\0\0CR\2\0____", true},
                 {"II*\0\x10\0\0\0IIIITwaR", true},
                 {"II*\0\x10\0\0\0IIIICwaR", true},
                 {"II*\0\x10\0\0\0IIIIIIII", false}, /* pixels */
                 {"II*\0\x10\0\0\0CRCRCRCR", false}};
    for (size_t i = 0; i < COUNT(heads); i++) {
        const picture full = FULL(9, 6);
        piaa_tiff got;
        tiff_begin(&maker, false, false);
        maker.size = 16;
        add(tiff_first(&maker), &full, NULL, 0);
        memcpy(maker.bytes, heads[i].bytes, 16);
        assert_true(piaa_tiff_look(maker.bytes, maker.size, &got));
        assert_int_equal(got.raw, heads[i].raw);
    }
}

/* Pixels beyond the end, in files of the three kinds of header. */
static void cut_files(void **state) {
    (void)state;
    static const struct {
        const char *head;
        int offset_tag;
    } kinds[] = {{"II*\0", 273}, {"IIRO", 273}, {"IIU\0", 280}, {"II*\0", 324}};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        tiff_begin(&maker, false, false);
        memcpy(maker.bytes, kinds[i].head, 4);
        const uint64_t at[] = {8, 40}, sizes[] = {32, 60};
        const tiff_entry strips[] = {{256, SHORT, 9, 0, NULL},
                                     {257, SHORT, 6, 0, NULL},
                                     {273, LONG, 0xffffffff, 0, NULL},
                                     {kinds[i].offset_tag, LONG, 0, 2, at},
                                     {kinds[i].offset_tag == 324 ? 325 : 279, LONG, 0, 2, sizes}};
        maker.size = 100;
        tiff_directory(&maker, 4, strips, COUNT(strips));
        assert_true(maker.size > 100);
        assert_false(piaa_tiff_is_cut(maker.bytes, maker.size));
        maker.size = 8;
        tiff_directory(&maker, 4, strips, COUNT(strips));
        assert_true(maker.size >= 40 && maker.size < 170);
        tiff_number(&maker, maker.size - 4, 4, 400); /* the second strip's size */
        assert_true(piaa_tiff_is_cut(maker.bytes, maker.size));
    }
}

static void samples_and_orientation(void **state) {
    (void)state;
    const tiff_entry entries[] = {{256, LONG, 100, 0, NULL},
                                  {257, SHORT, 50, 0, NULL},
                                  {258, SHORT, 0, 3, (const uint64_t[]){32, 32, 32}},
                                  {262, SHORT, 2, 0, NULL},
                                  {274, SHORT, 6, 0, NULL},
                                  {277, SHORT, 3, 0, NULL},
                                  {339, SHORT, 0, 3, (const uint64_t[]){3, 3, 3}}};
    for (int way = 0; way < 4; way++) {
        piaa_tiff got;
        tiff_begin(&maker, way & 1, way & 2);
        tiff_directory(&maker, tiff_first(&maker), entries, COUNT(entries));
        assert_true(piaa_tiff_look(maker.bytes, maker.size, &got));
        assert_int_equal(got.width, 100);
        assert_int_equal(got.height, 50);
        assert_int_equal(got.bits, 32);
        assert_int_equal(got.format, PIAA_TIFF_FLOAT);
        assert_int_equal(got.orientation, 6);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layout),
        cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(rings_end),
        cmocka_unit_test(more_pieces_than_bytes),
        cmocka_unit_test(makers_signatures),
        cmocka_unit_test(cut_files),
        cmocka_unit_test(samples_and_orientation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What EXIF says of when and how a photo was taken: blocks made here, value by value, in either
   byte order, behind the marks of JPEG, HEIF, PNG, WebP and CR3, and as TIFF itself; and cut
   anywhere. */
#include "support.h"

#include "image/shot.h"

#include <math.h>

typedef struct block {
    unsigned char bytes[1024];
    size_t size;
    bool big;
} block;

static void put(block *b, size_t at, size_t width, uint32_t value) {
    for (size_t i = 0; i < width; i++)
        b->bytes[at + i] = (unsigned char)(value >> 8 * (b->big ? width - 1 - i : i));
    if (b->size < at + width) b->size = at + width;
}

/* One entry; text and rationals lie behind the directories. */
static void entry(block *b, size_t at, uint32_t tag, uint32_t type, uint32_t count,
                  uint32_t value) {
    put(b, at, 2, tag), put(b, at + 2, 2, type), put(b, at + 4, 4, count);
    put(b, at + 8, type == 3 ? 2 : 4, value);
    put(b, at + 10, type == 3 ? 2 : 0, 0);
}

static uint32_t text(block *b, const char *words) {
    const size_t at = b->size;
    memcpy(b->bytes + at, words, strlen(words) + 1);
    b->size += strlen(words) + 2 - strlen(words) % 2;
    return (uint32_t)at;
}

static uint32_t ratio(block *b, uint32_t over, uint32_t under) {
    const size_t at = b->size;
    put(b, at, 4, over), put(b, at + 4, 4, under);
    return (uint32_t)at;
}

/* A TIFF block: camera in the first directory, the rest in EXIF's. */
static block make(bool big) {
    enum {
        FIRST = 8,
        EXIF = FIRST + 2 + 3 * 12 + 4,
        ENTRIES = 9,
        END = EXIF + 2 + ENTRIES * 12 + 4
    };
    block b = {.big = big};
    memcpy(b.bytes, big ? "MM\0*" : "II*\0", 4);
    put(&b, 4, 4, FIRST);
    put(&b, FIRST, 2, 3), put(&b, EXIF, 2, ENTRIES);
    put(&b, END - 1, 1, 0);
    size_t at = FIRST + 2;
    entry(&b, at, 0x10f, 2, 6, text(&b, "Canon"));
    entry(&b, at + 12, 0x110, 2, 7, text(&b, "EOS R5"));
    entry(&b, at + 24, 0x8769, 4, 1, EXIF);
    at = EXIF + 2;
    entry(&b, at, 0x829a, 5, 1, ratio(&b, 1, 100));    /* ExposureTime */
    entry(&b, at + 12, 0x829d, 5, 1, ratio(&b, 4, 1)); /* FNumber */
    entry(&b, at + 24, 0x8827, 3, 1, 200);             /* sensitivity */
    entry(&b, at + 36, 0x9003, 2, 20, text(&b, "2024:02:29 10:11:12"));
    entry(&b, at + 48, 0x9204, 10, 1, ratio(&b, (uint32_t)-4, 3));   /* bias, -4/3 EV */
    entry(&b, at + 60, 0x9206, 5, 1, ratio(&b, 5, 2));               /* distance */
    entry(&b, at + 72, 0x9291, 2, 4, big ? 0x33343700 : 0x00373433); /* "347", in the entry */
    entry(&b, at + 84, 0xa402, 3, 1, 2);                             /* ExposureMode: bracket */
    entry(&b, at + 96, 0xa431, 2, 8, text(&b, "0012345"));           /* BodySerialNumber */
    return b;
}

static void expect_all(piaa_shot shot) {
    /* date -u -d '2024-02-29 10:11:12' +%s */
    assert_true(fabs(shot.time - 1709201472.347) < 1e-6);
    assert_true(fabs(shot.bias + 4.0 / 3) < 1e-12);
    assert_true(fabs(shot.exposure - (log2(1600) - 1)) < 1e-12);
    assert_true(shot.distance == 2.5 && shot.bracketed);
    assert_string_equal(shot.camera, "Canon/EOS R5/0012345");
}

static void every_format(void **state) {
    PIAA_UNUSED(state);
    static const struct {
        const char *before;
        size_t length;
    } marks[] = {{"\xff\xd8\xff\xe1\x01\x00"
                  "Exif\0\0",
                  12}, /* JPEG */
                 {"\0\0\0\x18"
                  "ftypheic....Exif\0\0",
                  22}, /* HEIF */
                 {"\x89PNG....eXIf", 12},
                 {"RIFF....WEBPEXIF\x00\x02\0\0", 20},
                 {"....ftypcrx CMT1", 16}};
    for (int big = 0; big < 2; big++) {
        const block b = make(big);
        expect_all(piaa_shot_of(b.bytes, b.size)); /* TIFF itself */
        for (size_t i = 0; i < PIAA_COUNT(marks); i++) {
            unsigned char file[2048] = {0};
            memcpy(file, marks[i].before, marks[i].length);
            memcpy(file + marks[i].length, b.bytes, b.size);
            expect_all(piaa_shot_of(file, marks[i].length + b.size + 200));
        }
    }
}

/* Whatever is missing, nothing is made up: the time is right, or there is none. */
static void cut_anywhere(void **state) {
    PIAA_UNUSED(state);
    const block b = make(false);
    for (size_t size = 0; size < b.size; size++) {
        unsigned char *exact = malloc(size ? size : 1); /* so that reading on is noticed */
        memcpy(exact, b.bytes, size);
        const piaa_shot shot = piaa_shot_of(exact, size);
        assert_true(isnan(shot.time) || floor(shot.time) == 1709201472);
        free(exact);
    }
}

static void of_files(void **state) {
    PIAA_UNUSED(state);
    char *folder = support_folder();
    const block b = make(true);
    static unsigned char late[100000] = {0xff, 0xd8, 0xff};
    memcpy(late + 90000, "Exif\0", 6); /* behind the first 64 KiB */
    memcpy(late + 90006, b.bytes, b.size);
    support_write(folder, "late.jpg", (const char *)late, sizeof late);
    support_write(folder, "text.jpg", "Exif", 4);
    char *path = support_join(folder, "late.jpg");
    expect_all(piaa_shot_read(path));
    free(path);
    path = support_join(folder, "text.jpg");
    assert_true(isnan(piaa_shot_read(path).time));
    free(path);
    assert_true(isnan(piaa_shot_read(folder).time));
    assert_true(isnan(piaa_shot_read("/no such file").time));
    free(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_format),
        cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(of_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* piaa_image_read against Pillow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "golden_image.h"

#include <pthread.h>
#include <unistd.h>

static void equals_pillow(void **state) {
    (void)state;
    piaa_error error = {0};
    piaa_safetensors *golden = piaa_safetensors_open(PIAA_GOLDEN "/preprocess.safetensors", &error);
    assert_non_null(golden);
    for (size_t i = 0; i < sizeof golden_names / sizeof *golden_names; i++) {
        char path[512];
        snprintf(path, sizeof path, PIAA_GOLDEN "/images/%s", golden_names[i]);
        piaa_image expected = golden_image(golden, golden_names[i], "rgb"), got;
        assert_true(piaa_image_read(path, PIAA_EXIF_IGNORE, &got, &error));
        assert_int_equal(got.width, expected.width);
        assert_int_equal(got.height, expected.height);
        difference d = compare_images(&got, &expected);
        bool png = strstr(golden_names[i], ".png") != NULL;
        assert_true(png ? d.largest == 0 : d.mean <= 1);
        piaa_image_free(&got);
    }
    piaa_safetensors_close(golden);
}

/* The pixel of the stored photo that is seen at (x, y) of the upright one, by the EXIF standard's
   table of where row 0 and column 0 are. */
static const uint8_t *stored_pixel(const piaa_image *stored, int orientation, int x, int y) {
    int right = stored->width - 1, bottom = stored->height - 1;
    const int where[9][2] = {{0, 0},          {x, y}, {right - x, y},  {right - x, bottom - y},
                             {x, bottom - y}, {y, x}, {y, bottom - x}, {right - y, bottom - x},
                             {right - y, x}};
    return stored->rgb + (where[orientation][1] * stored->width + where[orientation][0]) * 3;
}

/* The golden photo with orientation 6, its tag rewritten to each of the eight. */
static void every_orientation_is_turned_upright(void **state) {
    (void)state;
    FILE *file = fopen(PIAA_GOLDEN "/images/coffee_exif6.jpg", "rb");
    assert_non_null(file);
    static unsigned char bytes[1 << 16];
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    assert_true(size > 0 && size < sizeof bytes);
    static const unsigned char big[] = {0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 6},
                               little[] = {0x12, 0x01, 3, 0, 1, 0, 0, 0, 6, 0};
    size_t tag = 0;
    for (size_t i = 0; i + sizeof big < size && i < 200 && !tag; i++) {
        if (memcmp(bytes + i, big, sizeof big) == 0) tag = i + 9;
        if (memcmp(bytes + i, little, sizeof little) == 0) tag = i + 8;
    }
    assert_true(tag > 0);
    for (int orientation = 1; orientation <= 8; orientation++) {
        char path[] = "/tmp/piaa-test-XXXXXX";
        int descriptor = mkstemp(path);
        assert_true(descriptor >= 0);
        bytes[tag] = (unsigned char)orientation;
        assert_int_equal(write(descriptor, bytes, size), size);
        close(descriptor);
        piaa_error error = {0};
        piaa_image stored, upright;
        assert_true(piaa_image_read(path, PIAA_EXIF_IGNORE, &stored, &error));
        assert_true(piaa_image_read(path, PIAA_EXIF_APPLY, &upright, &error));
        unlink(path);
        assert_int_equal(upright.width, orientation < 5 ? stored.width : stored.height);
        assert_int_equal(upright.height, orientation < 5 ? stored.height : stored.width);
        for (int y = 0; y < upright.height; y++)
            for (int x = 0; x < upright.width; x++)
                assert_memory_equal(upright.rgb + (y * upright.width + x) * 3,
                                    stored_pixel(&stored, orientation, x, y), 3);
        piaa_image_free(&stored);
        piaa_image_free(&upright);
    }
}

static void sixteen_bits_keep_their_high_byte(void **state) {
    (void)state;
    if (!piaa_image_has_photo_name("a.ppm")) skip();
    static const unsigned char bytes[] =
        "P6 2 1 65535\n\x12\x34\xff\xff\x00\xff\x80\x00\x7f\xff\x01\x00";
    static const uint8_t expected[] = {0x12, 0xff, 0, 0x80, 0x7f, 1};
    char path[] = "/tmp/piaa-test-XXXXXX";
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, bytes, sizeof bytes - 1), sizeof bytes - 1);
    close(descriptor);
    piaa_error error = {0};
    piaa_image image;
    assert_true(piaa_image_read(path, PIAA_EXIF_APPLY, &image, &error));
    unlink(path);
    assert_int_equal(image.width, 2);
    assert_memory_equal(image.rgb, expected, sizeof expected);
    piaa_image_free(&image);
}

static void *read_some(void *argument) {
    size_t *read = argument;
    for (size_t i = 0; i < sizeof golden_names / sizeof *golden_names; i++) {
        char path[512];
        snprintf(path, sizeof path, PIAA_GOLDEN "/images/%s", golden_names[i]);
        piaa_image image;
        if (piaa_image_read(path, PIAA_EXIF_APPLY, &image, NULL)) ++*read;
        piaa_image_free(&image);
    }
    return NULL;
}

static void several_threads_read_at_once(void **state) {
    (void)state;
    pthread_t threads[4];
    size_t counts[4] = {0};
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_some, &counts[i]), 0);
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(counts[i], sizeof golden_names / sizeof *golden_names);
}

static void photo_names(void **state) {
    (void)state;
    assert_true(piaa_image_has_photo_name("a.jpg"));
    assert_true(piaa_image_has_photo_name("folder.d/IMG_0001.JPEG"));
    assert_true(piaa_image_has_photo_name("a.b.PNG"));
    assert_true(piaa_image_has_photo_name("a.webp"));
    assert_false(piaa_image_has_photo_name("a"));
    assert_false(piaa_image_has_photo_name("jpg"));
    assert_false(piaa_image_has_photo_name("ratings.csv"));
    assert_false(piaa_image_has_photo_name("a.jpg.txt"));
    assert_false(piaa_image_has_photo_name("a.pdf"));
    assert_false(piaa_image_has_photo_name(""));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_pillow),
        cmocka_unit_test(every_orientation_is_turned_upright),
        cmocka_unit_test(sixteen_bits_keep_their_high_byte),
        cmocka_unit_test(several_threads_read_at_once),
        cmocka_unit_test(photo_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

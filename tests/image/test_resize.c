/* piaa_image_resize against torchvision's uint8 resize. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "golden_image.h"

static void equals_torchvision(void **state) {
    (void)state;
    static const struct {
        const char *key;
        int width, height;
        piaa_filter filter;
    } cases[] = {
        {"bicubic|64x96", 96, 64, PIAA_BICUBIC},
        {"bicubic|224x160", 160, 224, PIAA_BICUBIC},
        {"bilinear|64x96", 96, 64, PIAA_BILINEAR},
        {"bilinear|224x160", 160, 224, PIAA_BILINEAR},
    };
    piaa_error error = {0};
    piaa_safetensors *golden = piaa_safetensors_open(PIAA_GOLDEN "/preprocess.safetensors", &error);
    assert_non_null(golden);
    for (size_t i = 0; i < sizeof golden_names / sizeof *golden_names; i++)
        for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
            piaa_image in = golden_image(golden, golden_names[i], "rgb"),
                       expected = golden_image(golden, golden_names[i], cases[k].key), got;
            assert_true(piaa_image_resize(&in, cases[k].width, cases[k].height, cases[k].filter,
                                          &got, &error));
            assert_int_equal(got.width, expected.width);
            assert_int_equal(got.height, expected.height);
            difference d = compare_images(&got, &expected);
            assert_true(d.largest <= 1);
            assert_true(d.equal >= 0.999);
            piaa_image_free(&got);
        }
    piaa_safetensors_close(golden);
}

static void flat_stays_flat(void **state) {
    (void)state;
    static const int sizes[][4] = {{1, 1, 64, 64},  {200, 1, 64, 32}, {37, 1000, 1, 1},
                                   {13, 5, 13, 50}, {13, 5, 130, 5},  {4000, 20, 320, 32}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int filter = PIAA_BILINEAR; filter <= PIAA_BICUBIC; filter++) {
            piaa_error error = {0};
            piaa_image in = {.width = sizes[i][0], .height = sizes[i][1]}, out;
            size_t bytes = (size_t)in.width * (size_t)in.height * 3;
            in.rgb = malloc(bytes);
            assert_non_null(in.rgb);
            memset(in.rgb, 201, bytes);
            assert_true(piaa_image_resize(&in, sizes[i][2], sizes[i][3], (piaa_filter)filter, &out,
                                          &error));
            for (int b = 0; b < out.width * out.height * 3; b++) assert_int_equal(out.rgb[b], 201);
            piaa_image_free(&out);
            piaa_image_free(&in);
        }
}

static void same_size_is_a_copy(void **state) {
    (void)state;
    uint8_t rgb[] = {1, 2, 3, 250, 251, 252, 0, 255, 0, 9, 9, 9, 100, 101, 102, 7, 8, 9};
    piaa_image in = {.width = 3, .height = 2, .rgb = rgb}, out;
    piaa_error error = {0};
    assert_true(piaa_image_resize(&in, 3, 2, PIAA_BICUBIC, &out, &error));
    assert_memory_equal(out.rgb, rgb, sizeof rgb);
    piaa_image_free(&out);
}

static void impossible_sizes_are_errors(void **state) {
    (void)state;
    uint8_t rgb[3] = {0};
    piaa_image in = {.width = 1, .height = 1, .rgb = rgb}, empty = {0}, out;
    piaa_error error = {0};
    assert_false(piaa_image_resize(&in, 0, 5, PIAA_BICUBIC, &out, &error));
    assert_int_equal(error.code, PIAA_USAGE);
    assert_false(piaa_image_resize(&in, 5, -1, PIAA_BICUBIC, &out, NULL));
    assert_false(piaa_image_resize(&empty, 5, 5, PIAA_BICUBIC, &out, &error));
    assert_null(out.rgb);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_torchvision),
        cmocka_unit_test(flat_stays_flat),
        cmocka_unit_test(same_size_is_a_copy),
        cmocka_unit_test(impossible_sizes_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

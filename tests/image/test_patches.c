/* The size rule and the patch rows against transformers' Qwen2VLImageProcessor. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "image/patches.h"
#include "weights/safetensors.h"

#include <stdio.h>
#include <stdlib.h>

static cJSON *read_json(const char *path) {
    piaa_error error = {0};
    cJSON *json = piaa_json_read(path, 1 << 20, &error);
    assert_non_null(json);
    return json;
}

static void sizes_equal_transformers(void **state) {
    (void)state;
    cJSON *rows = read_json(PIAA_GOLDEN "/smart_resize.json");
    const cJSON *row;
    int refused = 0, count = 0;
    cJSON_ArrayForEach(row, rows) {
        int64_t v[6], height = 0, width = 0;
        for (int k = 0; k < 6; k++) v[k] = (int64_t)cJSON_GetArrayItem(row, k)->valuedouble;
        piaa_error error = {0};
        bool ok = piaa_smart_resize(v[0], v[1], 32, v[2], v[3], &height, &width, &error);
        assert_int_equal(ok, v[4] >= 0);
        if (ok) {
            assert_int_equal(height, v[4]);
            assert_int_equal(width, v[5]);
        } else {
            char sides[64];
            snprintf(sides, sizeof sides, "%lld x %lld", (long long)v[1], (long long)v[0]);
            assert_non_null(strstr(error.message, sides));
            assert_int_equal(error.code, PIAA_UNSUPPORTED);
            refused++;
        }
        count++;
    }
    assert_true(count >= 400);
    assert_true(refused > 0);
    cJSON_Delete(rows);
}

static void senseless_sizes_are_errors(void **state) {
    (void)state;
    int64_t h, w;
    piaa_error error = {0};
    assert_false(piaa_smart_resize(0, 10, 32, 4096, 65536, &h, &w, &error));
    assert_false(piaa_smart_resize(10, INT64_MAX, 32, 4096, 65536, &h, &w, &error));
    assert_false(piaa_smart_resize(10, 10, 0, 4096, 65536, &h, &w, &error));
    assert_false(piaa_smart_resize(10, 10, 32, 65536, 4096, &h, &w, &error));
    assert_false(piaa_smart_resize(201, 1, 32, 4096, 65536, &h, &w, &error));
    assert_true(piaa_smart_resize(200, 1, 32, 4096, 65536, &h, &w, &error));
}

/* The values of tests/golden/qwen3vl/preprocessor_config.json. */
static piaa_qwen_pixels_config golden_config(void) {
    cJSON *json = read_json(PIAA_GOLDEN "/qwen3vl/preprocessor_config.json");
    const cJSON *size = cJSON_GetObjectItem(json, "size");
    piaa_qwen_pixels_config config = {
        .patch_size = cJSON_GetObjectItem(json, "patch_size")->valueint,
        .temporal_patch_size = cJSON_GetObjectItem(json, "temporal_patch_size")->valueint,
        .merge_size = cJSON_GetObjectItem(json, "merge_size")->valueint,
        .min_pixels = (int64_t)cJSON_GetObjectItem(size, "shortest_edge")->valuedouble,
        .max_pixels = (int64_t)cJSON_GetObjectItem(size, "longest_edge")->valuedouble,
        .rescale_factor = cJSON_GetObjectItem(json, "rescale_factor")->valuedouble,
        .filter = PIAA_BICUBIC,
    };
    for (int c = 0; c < 3; c++) {
        config.mean[c] =
            (float)cJSON_GetArrayItem(cJSON_GetObjectItem(json, "image_mean"), c)->valuedouble;
        config.std[c] =
            (float)cJSON_GetArrayItem(cJSON_GetObjectItem(json, "image_std"), c)->valuedouble;
    }
    cJSON_Delete(json);
    return config;
}

static void patches_equal_transformers(void **state) {
    (void)state;
    piaa_error error = {0};
    piaa_safetensors *golden =
        piaa_safetensors_open(PIAA_GOLDEN "/qwen3vl/golden.safetensors", &error);
    assert_non_null(golden);
    const piaa_tensor *expected = piaa_safetensors_find(golden, "cat.jpg|base|pixel_values");
    assert_non_null(expected);
    piaa_image photo;
    assert_true(piaa_image_read(PIAA_GOLDEN "/images/cat.jpg", PIAA_EXIF_IGNORE, &photo, &error));
    piaa_qwen_pixels_config config = golden_config();
    piaa_qwen_pixels pixels;
    assert_true(piaa_qwen_pixels_make(&photo, &config, &pixels, &error));
    assert_int_equal((int64_t)pixels.grid_h * pixels.grid_w, expected->shape[0]);
    assert_int_equal(pixels.patch_length, expected->shape[1]);
    assert_int_equal(expected->type, PIAA_F32);
    const float *values = expected->data;
    size_t n = (size_t)(expected->shape[0] * expected->shape[1]), equal = 0;
    for (size_t i = 0; i < n; i++) {
        float off = pixels.patches[i] - values[i];
        assert_true(off <= 0.008f && off >= -0.008f); /* one level is 2 / 255 */
        equal += off == 0;
    }
    assert_true((double)equal >= 0.999 * (double)n);
    piaa_qwen_pixels_free(&pixels);
    piaa_image_free(&photo);
    piaa_safetensors_close(golden);
}

static void grids_equal_transformers(void **state) {
    (void)state;
    static const char *const names[] = {"coffee_tiny.png", "rocket_panorama.jpg",
                                        "astronaut_rgba.png", "coffee_exif6.jpg", "astronaut.png"};
    piaa_error error = {0};
    piaa_safetensors *golden =
        piaa_safetensors_open(PIAA_GOLDEN "/qwen3vl/golden.safetensors", &error);
    assert_non_null(golden);
    piaa_qwen_pixels_config config = golden_config();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char text[512];
        snprintf(text, sizeof text, "%s|base|grid", names[i]);
        const piaa_tensor *grid = piaa_safetensors_find(golden, text);
        assert_non_null(grid);
        int32_t expected[3];
        memcpy(expected, grid->data, sizeof expected);
        snprintf(text, sizeof text, PIAA_GOLDEN "/images/%s", names[i]);
        piaa_image photo;
        piaa_qwen_pixels pixels;
        assert_true(piaa_image_read(text, PIAA_EXIF_IGNORE, &photo, &error));
        assert_true(piaa_qwen_pixels_make(&photo, &config, &pixels, &error));
        assert_int_equal(pixels.grid_h, expected[1]);
        assert_int_equal(pixels.grid_w, expected[2]);
        piaa_qwen_pixels_free(&pixels);
        piaa_image_free(&photo);
    }
    piaa_safetensors_close(golden);
}

/* A photo of known pixels that needs no resizing: every patch value can be told from its place. */
static void patch_order(void **state) {
    (void)state;
    enum { WIDTH = 16, HEIGHT = 8, PATCH = 2, MERGE = 2, FRAMES = 2 };
    uint8_t rgb[WIDTH * HEIGHT * 3];
    for (int i = 0; i < WIDTH * HEIGHT * 3; i++) rgb[i] = (uint8_t)(i % 251);
    piaa_image photo = {.width = WIDTH, .height = HEIGHT, .rgb = rgb};
    piaa_qwen_pixels_config config = {PATCH,     FRAMES,    MERGE, 1,           1 << 20,
                                      {0, 0, 0}, {1, 1, 1}, 1.0,   PIAA_BICUBIC};
    piaa_qwen_pixels pixels;
    piaa_error error = {0};
    assert_true(piaa_qwen_pixels_make(&photo, &config, &pixels, &error));
    assert_int_equal(pixels.grid_h, HEIGHT / PATCH);
    assert_int_equal(pixels.grid_w, WIDTH / PATCH);
    int row = 0;
    for (int block_y = 0; block_y < 2; block_y++)
        for (int block_x = 0; block_x < 4; block_x++)
            for (int inner = 0; inner < 4; inner++, row++)
                for (int k = 0; k < 3 * FRAMES * PATCH * PATCH; k++) {
                    int channel = k / (FRAMES * PATCH * PATCH), y = k / PATCH % PATCH,
                        x = k % PATCH;
                    int pixel_y = (block_y * MERGE + inner / 2) * PATCH + y,
                        pixel_x = (block_x * MERGE + inner % 2) * PATCH + x;
                    assert_int_equal((int)pixels.patches[row * pixels.patch_length + k],
                                     rgb[(pixel_y * WIDTH + pixel_x) * 3 + channel]);
                }
    piaa_qwen_pixels_free(&pixels);
}

static void extreme_shapes(void **state) {
    (void)state;
    static const int sizes[][2] = {{6000, 30}, {30, 6000}, {1, 1}, {3, 200}, {200, 1}, {1, 200}};
    piaa_error error = {0};
    piaa_qwen_pixels_config config = golden_config();
    piaa_qwen_pixels pixels;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        piaa_image photo = {.width = sizes[i][0], .height = sizes[i][1]};
        photo.rgb = calloc((size_t)photo.width * (size_t)photo.height, 3);
        assert_non_null(photo.rgb);
        assert_true(piaa_qwen_pixels_make(&photo, &config, &pixels, &error));
        for (int64_t k = 0; k < pixels.grid_h * pixels.grid_w * pixels.patch_length; k++)
            assert_true(pixels.patches[k] == -1);
        piaa_qwen_pixels_free(&pixels);
        photo.width += photo.width > photo.height; /* over 200:1 for the sides at the limit */
        if (photo.width > 200 * photo.height)
            assert_false(piaa_qwen_pixels_make(&photo, &config, &pixels, &error));
        piaa_image_free(&photo);
    }
    assert_non_null(strstr(error.message, "200:1"));
}

static void senseless_settings_are_errors(void **state) {
    (void)state;
    uint8_t rgb[3] = {0};
    piaa_image photo = {.width = 1, .height = 1, .rgb = rgb};
    piaa_qwen_pixels pixels;
    for (int k = 0; k < 5; k++) {
        piaa_error error = {0};
        piaa_qwen_pixels_config config = golden_config();
        if (k == 0) config.patch_size = 0;
        if (k == 1) config.merge_size = 1 << 20;
        if (k == 2) config.rescale_factor = 0;
        if (k == 3) config.std[1] = 0;
        if (k == 4) config.min_pixels = config.max_pixels + 1;
        assert_false(piaa_qwen_pixels_make(&photo, &config, &pixels, &error));
        assert_true(strlen(error.message) > 0);
        assert_null(pixels.patches);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_equal_transformers),
        cmocka_unit_test(senseless_sizes_are_errors),
        cmocka_unit_test(patches_equal_transformers),
        cmocka_unit_test(grids_equal_transformers),
        cmocka_unit_test(patch_order),
        cmocka_unit_test(extreme_shapes),
        cmocka_unit_test(senseless_settings_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Planes against what transformers' image processors made of the same files, and the settings that
   they are made by. */
#include "support.h"

#include "image/golden_image.h"
#include "image/planes.h"

static const struct {
    const char *folder, *key;
    piaa_planes_config defaults;
} processors[] = {
    {"gemma3", "cat.jpg|base|pixel_values", {.resize = true}},
    {"dinov3", "cat.jpg|pixel_values", {.resize = true, .floating = true}},
    {"clip", "cat.jpg|pixel_values", {.resize = true, .crop = true}},
    {"siglip", "cat.jpg|pixel_values", {.resize = true, .filter = PIAA_BICUBIC}},
};

static void test_golden(void **state) {
    PIAA_UNUSED(state);
    for (size_t i = 0; i < PIAA_COUNT(processors); i++) {
        piaa_error error = {0};
        char *folder = support_join(PIAA_GOLDEN, processors[i].folder),
             *file = support_join(folder, "golden.safetensors"),
             *settings = support_join(folder, "preprocessor_config.json");
        piaa_safetensors *golden = support_golden(file);
        cJSON *json = piaa_json_read(settings, 1 << 16, &error);
        assert_non_null(json);
        piaa_planes_config config = processors[i].defaults;
        if (!piaa_planes_config_read(json, settings, &config, &error))
            fail_msg("%s", error.message);
        piaa_image image = {0};
        if (!piaa_image_read(PIAA_GOLDEN "/images/cat.jpg", PIAA_EXIF_IGNORE, &image, &error))
            fail_msg("%s", error.message);
        float *planes = piaa_planes_make(&image, &config, &error);
        if (!planes) fail_msg("%s", error.message);
        const piaa_tensor *expected = support_tensor(golden, processors[i].key);
        assert_int_equal(expected->shape[1], config.height);
        assert_int_equal(expected->shape[2], config.width);
        double most =
            support_max_difference(planes, expected->data, (size_t)piaa_tensor_count(expected));
        print_message("%s: largest difference %.2g\n", processors[i].folder, most);
        /* From bytes to the last bit; in float32 to its rounding. */
        assert_true(most <= (config.floating ? 1e-5 : 0));
        free(planes);
        piaa_image_free(&image);
        cJSON_Delete(json);
        piaa_safetensors_close(golden);
        free(settings);
        free(file);
        free(folder);
    }
}

/* Resized to one size, of which a smaller or larger window is taken: the same as the resized photo
   cut by hand (resizing itself is held against torchvision elsewhere). */
static void test_resized_then_cut(void **state) {
    PIAA_UNUSED(state);
    enum { TALL = 40, WIDE = 60 };
    static const int windows[][2] = {{32, 32}, {40, 30}, {31, 45}, {44, 60}};
    for (int floating = 0; floating < 2; floating++)
        for (size_t i = 0; i < PIAA_COUNT(windows); i++) {
            piaa_planes_config whole = {.height = TALL,
                                        .width = WIDE,
                                        .resize = true,
                                        .floating = floating,
                                        .filter = PIAA_BICUBIC,
                                        .rescale_factor = 1 / 255.0,
                                        .mean = {0.5f, 0.4f, 0.3f},
                                        .std = {0.2f, 0.3f, 0.4f}};
            piaa_planes_config cut = whole;
            cut.crop = true;
            cut.resize_height = TALL;
            cut.resize_width = WIDE;
            cut.height = windows[i][0];
            cut.width = windows[i][1];
            piaa_image image = {0};
            piaa_error error = {0};
            assert_true(
                piaa_image_read(PIAA_GOLDEN "/images/cat.jpg", PIAA_EXIF_IGNORE, &image, &error));
            float *all = piaa_planes_make(&image, &whole, &error);
            float *part = all ? piaa_planes_make(&image, &cut, &error) : NULL;
            if (!part) fail_msg("%s", error.message);
            const int top = (TALL - cut.height) / 2, left = (WIDE - cut.width) / 2;
            for (int c = 0; c < 3; c++)
                for (int y = 0; y < cut.height; y++)
                    for (int x = 0; x < cut.width; x++) {
                        const int from = y + top;
                        const float black = -whole.mean[c] / whole.std[c];
                        const float expected = from >= 0 && from < TALL
                                                   ? all[(c * TALL + from) * WIDE + x + left]
                                                   : black;
                        assert_true(fabsf(part[(c * cut.height + y) * cut.width + x] - expected) <
                                    1e-6f);
                    }
            free(all);
            free(part);
            piaa_image_free(&image);
        }
}

static piaa_planes_config read_settings(const char *text, const piaa_planes_config *defaults,
                                        piaa_error *error) {
    piaa_planes_config config = *defaults;
    cJSON *json = piaa_json_parse(text, strlen(text), "test", error);
    assert_non_null(json);
    bool ok = piaa_planes_config_read(json, "settings", &config, error);
    assert_int_equal(ok, error->code == PIAA_OK);
    cJSON_Delete(json);
    return config;
}

static const piaa_planes_config square = {
    .height = 8, .width = 8, .resize = true, .rescale_factor = 1 / 255.0, .std = {1, 1, 1}};

static void test_settings(void **state) {
    PIAA_UNUSED(state);
    piaa_error error = {0};
    piaa_planes_config cut = square;
    cut.crop = true;
    /* As older files have it: one number each. */
    piaa_planes_config c =
        read_settings("{\"size\": 224, \"crop_size\": 200, \"resample\": 3}", &cut, &error);
    assert_int_equal(error.code, PIAA_OK);
    assert_true(c.shortest == 224 && c.height == 200 && c.width == 200 && c.filter == PIAA_BICUBIC);
    c = read_settings(
        "{\"size\": {\"shortest_edge\": 20}, \"crop_size\": {\"height\": 10, \"width\": 12}}", &cut,
        &error);
    assert_true(error.code == PIAA_OK && c.shortest == 20 && c.height == 10 && c.width == 12);
    c = read_settings("{\"size\": {\"height\": 10, \"width\": 12}, \"crop_size\": null, "
                      "\"do_center_crop\": null}",
                      &square, &error);
    assert_true(error.code == PIAA_OK && c.shortest == 0 && c.height == 10 && c.width == 12);
    /* What a file does not say its processor's class does: 224 pixels, the shorter side where the
       middle is cut out. */
    cut.shortest = 64;
    c = read_settings("{\"crop_size\": 64}", &cut, &error);
    assert_true(error.code == PIAA_OK && c.shortest == 224 && c.height == 64 && c.width == 64);
    c = read_settings("{\"size\": 30}", &cut, &error);
    assert_true(error.code == PIAA_OK && c.shortest == 30 && c.height == 224);
    c = read_settings("{\"size\": null}", &square, &error);
    assert_true(error.code == PIAA_OK && c.shortest == 0 && c.height == 224 && c.width == 224);
    /* A single number is both sides for some classes, and the shorter one for others. */
    piaa_planes_config both = square;
    both.square = true;
    c = read_settings("{\"size\": 40, \"do_center_crop\": true, \"crop_size\": 32}", &both, &error);
    assert_true(error.code == PIAA_OK && c.shortest == 0 && c.resize_height == 40 &&
                c.height == 32);
    static const char *const bad[][2] = {
        {"{\"size\": 40}", "photos of any shape"},
        {"{\"size\": \"40\"}", "\"size\" should be"},
        {"{\"do_center_crop\": true}", "\"crop_size\" should be"},
        {"{\"do_normalize\": null}", "not supported"},
        {"{\"do_normalize\": 0}", "\"do_normalize\" should be true or false"},
        {"{\"do_resize\": false}", "do_resize is false"},
        {"{\"do_resize\": \"false\"}", "\"do_resize\" should be true or false"},
        {"{\"resample\": \"bilinear\"}", "\"resample\" should be a whole number"},
        {"{\"rescale_factor\": \"1/255\"}", "\"rescale_factor\" should be a number"},
        {"{\"image_mean\": null}", "three numbers"},
        {"{\"size\": {\"shortest_edge\": 20}}", "photos of any shape"},
        {"{\"size\": {\"height\": 0, \"width\": 5}}", "expected 1 to"},
        {"{\"size\": 1000000}", "expected 1 to"},
        {"{\"image_mean\": [1, 2]}", "three numbers"},
        {"{\"image_std\": [0, 1, 1]}", "must not be zero"},
        {"{\"rescale_factor\": 0}", "must not be zero"},
        {"{\"resample\": 1}", "not supported"},
        {"{\"do_rescale\": false}", "not supported"},
        {"{\"do_pan_and_scan\": true}", "do_pan_and_scan"},
    };
    for (size_t i = 0; i < PIAA_COUNT(bad); i++) {
        error = (piaa_error){0};
        read_settings(bad[i][0], &square, &error);
        if (!strstr(error.message, bad[i][1])) fail_msg("%s: \"%s\"", bad[i][0], error.message);
    }
}

/* A photo smaller than the crop lies in the middle of black, the odd line to the right and
   below. */
static void test_small_photo(void **state) {
    PIAA_UNUSED(state);
    piaa_error error = {0};
    uint8_t rgb[2 * 1 * 3] = {255, 255, 255, 255, 255, 255};
    piaa_image image = {.width = 2, .height = 1, .rgb = rgb};
    piaa_planes_config c = square;
    c.resize = false;
    c.crop = true;
    c.height = c.width = 5;
    float *planes = piaa_planes_make(&image, &c, &error);
    assert_non_null(planes);
    for (int i = 0; i < 3 * 25; i++)
        assert_true(planes[i] == (i % 25 == 11 || i % 25 == 12 ? 1.0f : 0.0f));
    free(planes);
    c.crop = false;
    assert_null(piaa_planes_make(&image, &c, &error));
    assert_int_equal(error.code, PIAA_UNSUPPORTED);
}

/* The shorter side of a line of pixels brought to some length makes the other one as many times
   longer. */
static void test_extreme_shape(void **state) {
    PIAA_UNUSED(state);
    piaa_error error = {0};
    enum { LENGTH = 40000 };
    piaa_image image = {.width = LENGTH, .height = 1, .rgb = piaa_alloc(LENGTH, 3, &error)};
    assert_non_null(image.rgb);
    piaa_planes_config c = square;
    c.crop = true;
    c.shortest = 8;
    float *planes = piaa_planes_make(&image, &c, &error);
    if (!planes) fail_msg("%s", error.message);
    free(planes);
    c.shortest = c.height = c.width = 1000;
    assert_null(piaa_planes_make(&image, &c, &error));
    assert_string_equal(
        error.message,
        "a photo of 40000 x 1 pixels is too long for the model: crop it to a less extreme shape");
    free(image.rgb);
}

/* 5 x 5 pixels hold 2 x 2 patches of 2 x 2; the fifth row and column belong to none. */
static void test_patches(void **state) {
    PIAA_UNUSED(state);
    piaa_error error = {0};
    float planes[3 * 25];
    for (int i = 0; i < 75; i++) planes[i] = (float)i;
    float *rows = piaa_planes_patches(planes, 5, 5, 2, &error);
    assert_non_null(rows);
    static const float last[12] = {12, 13, 17, 18, 37, 38, 42, 43, 62, 63, 67, 68};
    assert_memory_equal(rows + 3 * 12, last, sizeof last);
    free(rows);
}

/* ------------------------------------------------------------------------- torchvision's
 * classifiers */

/* The bytes that planes were made from, back out of them. */
static void expect_crop(const piaa_safetensors *golden, const char *key, const char *path,
                        int side) {
    piaa_error error = {0};
    piaa_image image = {0};
    const piaa_planes_config config = piaa_planes_classifier(side);
    const piaa_tensor *crop = support_tensor(golden, key);
    const size_t plane = (size_t)side * (size_t)side;
    if (!piaa_image_read(path, PIAA_EXIF_IGNORE, &image, &error)) fail_msg("%s", error.message);
    float *planes = piaa_planes_make(&image, &config, &error);
    if (!planes) fail_msg("%s", error.message);
    assert_int_equal(crop->shape[0], side);
    assert_int_equal(crop->shape[1], side);
    const uint8_t *bytes = crop->data;
    for (size_t i = 0; i < plane * 3; i++) {
        const size_t c = i % 3;
        const double level = 255 * ((double)planes[c * plane + i / 3] * (double)config.std[c] +
                                    (double)config.mean[c]);
        if (!(fabs(level - bytes[i]) < 1.01))
            fail_msg("%s: %g instead of %d", key, level, bytes[i]);
    }
    free(planes);
    piaa_image_free(&image);
}

static void test_classifier_golden(void **state) {
    PIAA_UNUSED(state);
    enum { SIDE = 224, CORNER = 16 };
    static const struct {
        const char *crop, *corner, *path;
    } photos[] = {{"s.iaa_pub1_0000.jpg.crop", "s.iaa_pub1_0000.jpg.normalised.corner",
                   PIAA_SOURCE "/data/para/imgs/session1/iaa_pub1_0000.jpg"},
                  {"s.astronaut.png.crop", "s.astronaut.png.normalised.corner",
                   PIAA_GOLDEN "/images/astronaut.png"}};
    piaa_safetensors *golden = support_golden(PIAA_GOLDEN "/ici/ici_preprocess.safetensors");
    for (size_t p = 0; p < PIAA_COUNT(photos); p++) {
        piaa_error error = {0};
        piaa_image image = {0};
        expect_crop(golden, photos[p].crop, photos[p].path, SIDE);
        const piaa_planes_config config = piaa_planes_classifier(SIDE);
        const float *corner = support_tensor(golden, photos[p].corner)->data;
        assert_true(piaa_image_read(photos[p].path, PIAA_EXIF_IGNORE, &image, &error));
        float *planes = piaa_planes_make(&image, &config, &error);
        assert_non_null(planes);
        double most = 0;
        for (size_t i = 0; i < 3 * CORNER * CORNER; i++) {
            const size_t c = i / (CORNER * CORNER), y = i / CORNER % CORNER, x = i % CORNER;
            /* in levels: another rounding of a byte is one */
            const double d = fabs((double)(planes[(c * SIDE + y) * SIDE + x] - corner[i])) * 255 *
                             (double)config.std[c];
            if (d > most) most = d;
        }
        print_message("%s: largest difference %.2g levels\n", photos[p].path, most);
        assert_true(most < 1.01);
        free(planes);
        piaa_image_free(&image);
    }
    piaa_safetensors_close(golden);
}

/* Every kind of photo, enlarged and reduced, and sides whose halves have to be rounded. */
static void test_classifier_crops(void **state) {
    PIAA_UNUSED(state);
    static const int sides[] = {15, 25, 39};
    piaa_safetensors *golden = support_golden(PIAA_GOLDEN "/ici/crops.safetensors");
    for (size_t i = 0; i < PIAA_COUNT(golden_names); i++)
        for (size_t s = 0; s < PIAA_COUNT(sides); s++) {
            char *key = piaa_format(NULL, "%s|%d", golden_names[i], sides[s]),
                 *path = support_join(PIAA_GOLDEN "/images", golden_names[i]);
            assert_non_null(key);
            expect_crop(golden, key, path, sides[s]);
            free(key);
            free(path);
        }
    piaa_safetensors_close(golden);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden),
                                       cmocka_unit_test(test_resized_then_cut),
                                       cmocka_unit_test(test_settings),
                                       cmocka_unit_test(test_small_photo),
                                       cmocka_unit_test(test_extreme_shape),
                                       cmocka_unit_test(test_patches),
                                       cmocka_unit_test(test_classifier_golden),
                                       cmocka_unit_test(test_classifier_crops)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Photos made grey and bent: the size stays, grey is grey, a seed always bends the same way and not
   far. */
#include "support.h"

#include "image/augment.h"

static piaa_image picture(int width, int height) {
    piaa_image image = {.width = width,
                        .height = height,
                        .rgb = piaa_alloc((size_t)width * (size_t)height, 3, NULL)};
    assert_non_null(image.rgb);
    for (int j = 0; j < height; j++)
        for (int i = 0; i < width; i++) {
            uint8_t *p = image.rgb + 3 * (j * width + i);
            p[0] = (uint8_t)(255 * i / width);
            p[1] = (uint8_t)(255 * j / height);
            p[2] = 7;
        }
    return image;
}

static piaa_image change(piaa_augment kind, uint32_t seed, const piaa_image *in) {
    piaa_error error = {0};
    piaa_image out = {0};
    if (!piaa_augment_apply(kind, seed, in, &out, &error)) fail_msg("%s", error.message);
    assert_int_equal(out.width, in->width);
    assert_int_equal(out.height, in->height);
    return out;
}

static void gray_is_luma(void **state) {
    PIAA_UNUSED(state);
    piaa_image in = picture(40, 30), out = change(PIAA_GRAY, 0, &in);
    for (int i = 0; i < 40 * 30; i++) {
        const uint8_t *p = in.rgb + 3 * i, *q = out.rgb + 3 * i;
        assert_true(q[0] == q[1] && q[1] == q[2]);
        assert_true(fabs(q[0] - (0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2])) < 0.51);
    }
    piaa_image_free(&in);
    piaa_image_free(&out);
}

static void a_seed_bends_alike_and_mildly(void **state) {
    PIAA_UNUSED(state);
    piaa_image in = picture(200, 150), a = change(PIAA_TPS, 3, &in), b = change(PIAA_TPS, 3, &in),
               c = change(PIAA_TPS, 4, &in);
    assert_memory_equal(a.rgb, b.rgb, 200 * 150 * 3);
    assert_true(memcmp(a.rgb, c.rgb, 200 * 150 * 3) != 0);
    double moved = 0, most = 0;
    for (int i = 0; i < 200 * 150; i++) { /* the channels say where a pixel came from */
        double x = (a.rgb[3 * i] - in.rgb[3 * i]) / 255.0,
               y = (a.rgb[3 * i + 1] - in.rgb[3 * i + 1]) / 255.0;
        moved += hypot(x, y) / (200 * 150);
        most = fmax(most, hypot(x, y));
        assert_int_equal(a.rgb[3 * i + 2], 7);
    }
    assert_true(moved > 0.01 && moved < 0.08);
    assert_true(most < 0.2);
    piaa_image_free(&in), piaa_image_free(&a), piaa_image_free(&b), piaa_image_free(&c);
}

/*
 * 7 x 5 pixels bent with seed 3 as SciPy bends them: RBFInterpolator(kernel="thin_plate_spline",
 * degree=1) through the 4 x 4 points, moved by RandomState(3).random_sample((16, 2)) scaled to
 * +-0.08 of width and height; map_coordinates(order=1, mode="nearest") at the centres of the
 * pixels.  And made grey by Pillow's convert("L").
 */
static void pixels_equal_scipy_and_pillow(void **state) {
    PIAA_UNUSED(state);
    static const uint8_t bent[5][21] = {{5,  200, 40,  24, 185, 40, 64, 160, 40, 122, 130,
                                         44, 161, 100, 50, 177, 79, 48, 220, 63, 40},
                                        {86, 205, 40,  102, 195, 45, 144, 170, 59, 189, 139,
                                         74, 195, 108, 86,  40,  84, 105, 62,  68, 122},
                                        {178, 219, 40,  193, 208, 52,  92,  183, 80, 36, 156,
                                         110, 80,  129, 139, 107, 104, 167, 140, 81, 189},
                                        {17,  245, 40,  54,  228, 64,  80,  203, 107, 123, 184,
                                         148, 138, 165, 194, 183, 137, 217, 222, 105, 61},
                                        {108, 24, 40,  124, 37, 79,  157, 177, 126, 209, 217,
                                         181, 50, 193, 236, 35, 166, 53,  74,  142, 96}},
                         grey[5][7] = {{122, 120, 117, 115, 112, 110, 107},
                                       {152, 151, 150, 149, 148, 71, 70},
                                       {188, 189, 113, 113, 114, 114, 115},
                                       {153, 155, 157, 159, 161, 163, 136},
                                       {51, 54, 208, 212, 139, 113, 116}};
    piaa_image in = picture(7, 5);
    for (int j = 0; j < 5; j++)
        for (int i = 0; i < 7; i++) {
            uint8_t *p = in.rgb + 3 * (j * 7 + i);
            p[0] = (uint8_t)(37 * i + 91 * j);
            p[1] = (uint8_t)(200 - 23 * i + 5 * j * j);
            p[2] = (uint8_t)(i * j * 13 + 40);
        }
    piaa_image warped = change(PIAA_TPS, 3, &in), gray = change(PIAA_GRAY, 3, &in);
    assert_memory_equal(warped.rgb, bent, sizeof bent);
    for (int i = 0; i < 35; i++) {
        assert_int_equal(gray.rgb[3 * i], grey[i / 7][i % 7]);
        assert_int_equal(gray.rgb[3 * i + 1], grey[i / 7][i % 7]);
        assert_int_equal(gray.rgb[3 * i + 2], grey[i / 7][i % 7]);
    }
    piaa_image_free(&in), piaa_image_free(&warped), piaa_image_free(&gray);
}

static void the_smallest_photo_can_be_bent(void **state) {
    PIAA_UNUSED(state);
    piaa_image in = picture(1, 1), out = change(PIAA_TPS, 1, &in);
    assert_memory_equal(in.rgb, out.rgb, 3);
    piaa_image_free(&in);
    piaa_image_free(&out);
}

static void files_come_and_go_as_png(void **state) {
    PIAA_UNUSED(state);
    piaa_error error = {0};
    char *folder = support_folder(), *to = support_join(folder, "gray.png");
    const char *from = PIAA_SOURCE "/data/para/imgs/session1/iaa_pub1_0000.jpg";
    if (!piaa_augment_file(PIAA_GRAY, 0, from, to, &error)) fail_msg("%s", error.message);
    piaa_image in = {0}, out = {0};
    assert_true(piaa_image_read(from, PIAA_EXIF_APPLY, &in, &error) &&
                piaa_image_read(to, PIAA_EXIF_APPLY, &out, &error));
    piaa_image expected = change(PIAA_GRAY, 0, &in);
    assert_int_equal(out.width, in.width);
    assert_memory_equal(out.rgb, expected.rgb, (size_t)in.width * (size_t)in.height * 3);
    assert_false(piaa_augment_file(PIAA_GRAY, 0, PIAA_SOURCE "/nowhere.jpg", to, &error));
    assert_non_null(strstr(error.message, "nowhere.jpg"));
    piaa_image_free(&in), piaa_image_free(&out), piaa_image_free(&expected);
    free(to);
    support_remove(folder);
}

static void names_are_known(void **state) {
    PIAA_UNUSED(state);
    piaa_augment kind;
    assert_true(piaa_augment_parse("tps", &kind) && kind == PIAA_TPS);
    assert_string_equal(piaa_augment_name(PIAA_GRAY), "gray");
    assert_false(piaa_augment_parse("sepia", &kind));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gray_is_luma),
        cmocka_unit_test(a_seed_bends_alike_and_mildly),
        cmocka_unit_test(pixels_equal_scipy_and_pillow),
        cmocka_unit_test(the_smallest_photo_can_be_bent),
        cmocka_unit_test(files_come_and_go_as_png),
        cmocka_unit_test(names_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

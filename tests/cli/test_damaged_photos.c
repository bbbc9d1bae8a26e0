/* Damaged photos as a user meets them: one line each, whatever their decoders have to say. */
#include "program.h"

#include "image/libvips.h"

/* A photo in the form that the ending names, with its second half blank but for its end. */
static bool put_damaged(const char *name, const char *ending) {
    void *bytes = NULL;
    size_t size = 0;
    VipsImage *image = NULL, *noise = NULL, *grey = NULL;
    assert_true(piaa_vips_start(NULL));
    assert_int_equal(vips_gaussnoise(&noise, 200, 150, "mean", 128.0, "sigma", 40.0, NULL), 0);
    assert_int_equal(vips_cast_uchar(noise, &grey, NULL), 0);
    assert_int_equal(vips_bandjoin((VipsImage *[]){grey, grey, grey}, &image, 3, NULL), 0);
    bool saved = vips_image_write_to_buffer(image, ending, &bytes, &size, NULL) == 0;
    if (saved) {
        memset((char *)bytes + size / 2, 0, size - size / 2 - 2);
        support_write(world, name, bytes, size);
    }
    vips_error_clear();
    g_free(bytes);
    g_object_unref(image);
    g_object_unref(grey);
    g_object_unref(noise);
    return saved;
}

static void one_line_for_each(void **state) {
    (void)state;
    make_folder("photos");
    int count = 0;
    count += put_damaged("photos/a.jxl", ".jxl"); /* its decoder prints half a dozen lines */
    count += put_damaged("photos/b.jxl", ".jxl[lossless]");
    count += put_damaged("photos/c.jp2", ".jp2");
    count += put_damaged("photos/d.jpg", ".jpg");
    count += put_damaged("photos/e.png", ".png");
    support_write(world, "photos/f.ppm", "P6 1 1 255\n\1\2\3", 14);
    expect_ok(PIAA("embed", "photos", "--out", "store", "--threads", "4"));
    int warnings = 0, others = 0;
    for (const char *line = err; *line; line = strchr(line, '\n') + 1)
        if (strncmp(line, "piaa embed: warning: ", 21) == 0)
            warnings++;
        else
            others++;
    assert_int_equal(warnings, count);
    assert_int_equal(others, 2); /* that the model is a demonstration, and the counts */
    expect_ok(PIAA("store", "list", "store", "--damaged"));
    assert_non_null(strstr(out, "part of the picture is lost"));
    assert_null(strstr(out, "f.ppm"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_line_for_each, program_begin, program_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

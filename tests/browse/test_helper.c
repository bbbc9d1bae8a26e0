/* Pictures made by another process: the program itself on a raw photo, and programs that crash, say
   no, say nothing and never end in its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "browse/helper.h"
#include "browse/pictures.h"
#include "image/dng_maker.h"
#include "image/temporary.h"

#include <pthread.h>
#include <sys/stat.h>

static piaa_error error;

static void *make(const char *program, int seconds, const char *photo, size_t *size) {
    piaa_helper *helper = piaa_helper_new(program, 2, seconds, &error);
    assert_non_null(helper);
    error = (piaa_error){0};
    void *bytes = piaa_helper_make(helper, photo, 320, size, &error);
    piaa_helper_free(helper);
    return bytes;
}

/* A program that says `words` to the shell; NULL: it made no picture. */
static void *make_by(const char *words, int seconds, size_t *size) {
    char text[256];
    snprintf(text, sizeof text, "#!/bin/sh\n%s\n", words);
    const char *program = write_file("program", text, strlen(text));
    assert_int_equal(chmod(program, 0700), 0);
    void *bytes = make(program, seconds, "photo.dng", size);
    unlink(program);
    return bytes;
}

static void expect_trouble(const char *words, int seconds, const char *part) {
    size_t size;
    assert_null(make_by(words, seconds, &size));
    assert_int_equal(error.code, PIAA_UNSUPPORTED);
    if (!strstr(error.message, part)) fail_msg("%s: %s", words, error.message);
}

static void a_decoder_may_fail_in_any_way(void **state) {
    (void)state;
    size_t size;
    expect_trouble("kill -SEGV $$", 60, "photo.dng cannot be shown: its decoder crashed");
    expect_trouble("printf half; kill -KILL $$", 60, "crashed");
    expect_trouble("exit 0", 60, "crashed");
    expect_trouble("exec sleep 1000", 1, "took too long");
    expect_trouble("exec cat /dev/zero", 60, "too much memory");
    expect_trouble("printf 'it is no photo'; exit 1", 60, "it is no photo");
    char *said = make_by("printf '%s %s %s' \"$1\" \"$2\" \"$3\"", 60, &size);
    assert_non_null(said);
    assert_int_equal(size, strlen("--picture photo.dng 320"));
    assert_memory_equal(said, "--picture photo.dng 320", size);
    free(said);
    assert_null(make("/nowhere/piaa", 60, "photo.dng", &size));
    assert_int_equal(error.code, PIAA_IO);
}

static const char *put_dng(void) {
    static tiff_maker maker;
    make_dng(&maker, &(dng){.orientation = 1});
    return write_file("photo.dng", maker.bytes, maker.size);
}

static void it_is_the_picture_that_this_process_makes(void **state) {
    (void)state;
    size_t size, own_size;
    const char *photo = put_dng();
    void *bytes = make(PIAA_PROGRAM, 60, photo, &size);
    if (!bytes) fail_msg("%s", error.message);
    void *own = piaa_picture_decode(photo, 320, &own_size, &error);
    assert_non_null(own);
    assert_int_equal(size, own_size);
    assert_memory_equal(bytes, own, size);
    free(bytes);
    free(own);
    unlink(photo);
    assert_null(make(PIAA_PROGRAM, 60, photo, &size));
    assert_non_null(strstr(error.message, "photo.dng"));
}

typedef struct asked {
    piaa_helper *helper;
    char *said;
    size_t size;
} asked;

static void *ask(void *user) {
    asked *a = user;
    piaa_error why = {0};
    a->said = piaa_helper_make(a->helper, "photo.dng", 320, &a->size, &why);
    return NULL;
}

/* Each gets its own, and no more than two programs run at any moment: each makes a file and counts
   them all. */
static void a_hundred_at_once(void **state) {
    (void)state;
    char text[512];
    snprintf(text, sizeof text,
             "#!/bin/sh\n: > %s/run.$$\nset -- %s/run.*\nprintf %%s \"$#\"\nrm %s/run.$$\n", folder,
             folder, folder);
    const char *program = write_file("program", text, strlen(text));
    assert_int_equal(chmod(program, 0700), 0);
    enum { MANY = 100 };
    pthread_t threads[MANY];
    asked all[MANY] = {0};
    piaa_helper *helper = piaa_helper_new(program, 2, 60, &error);
    for (int i = 0; i < MANY; i++) {
        all[i].helper = helper;
        assert_int_equal(pthread_create(&threads[i], NULL, ask, &all[i]), 0);
    }
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_non_null(all[i].said);
        assert_int_equal(all[i].size, 1);
        assert_in_range(*all[i].said, '1', '2');
        free(all[i].said);
    }
    piaa_helper_free(helper);
    unlink(program);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_decoder_may_fail_in_any_way),
        cmocka_unit_test(it_is_the_picture_that_this_process_makes),
        cmocka_unit_test(a_hundred_at_once),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

/* What may be written over: nothing but the program's own files of the same kind. */
#include "base/output.h"

#include "support.h"

static const piaa_output_kind kind = {"a list", "made by a test"};

static void expect(const char *folder, const char *name, bool allowed, const char *part) {
    char *path = support_join(folder, name);
    piaa_error error = {0};
    if (piaa_output_check(path, &kind, &error) != allowed)
        fail_msg("%s: %s", name, allowed ? error.message : "allowed");
    if (!allowed) {
        assert_non_null(strstr(error.message, path));
        assert_non_null(strstr(error.message, part));
    }
    free(path);
}

static void own_files_and_others(void **state) {
    (void)state;
    enum { LONG = 300000, REACH = 1 << 16 };
    static char large[LONG];
    char *folder = support_folder();
    expect(folder, "new", true, NULL);
    expect(folder, "none/new", false, "No such file");
    expect(folder, ".", false, "Is a directory");
    support_write(folder, "empty", "", 0);
    expect(folder, "empty", false, "not a list that piaa wrote");
    support_write(folder, "photo", "\xff\xd8\xff", 3);
    expect(folder, "photo", false, "not a list that piaa wrote");
    support_write(folder, "own", "a list made by a test.", 22);
    expect(folder, "own", true, NULL);
    memset(large, 'm', LONG); /* many beginnings of the mark */
    support_write(folder, "large", large, LONG);
    expect(folder, "large", false, "not a list");
    memcpy(large + LONG - strlen(kind.mark), kind.mark, strlen(kind.mark));
    support_write(folder, "end", large, LONG);
    expect(folder, "end", true, NULL);
    memset(large + REACH, 'm', LONG - REACH);
    memcpy(large + REACH - strlen(kind.mark), kind.mark, strlen(kind.mark));
    support_write(folder, "start", large, LONG);
    expect(folder, "start", true, NULL);
    support_remove(folder);
}

static void links_and_devices(void **state) {
    (void)state;
    char *folder = support_folder(), *to_own = support_join(folder, "to_own"),
         *to_other = support_join(folder, "to_other"), *dead = support_join(folder, "dead"),
         *other = support_join(folder, "other"), *hard = support_join(folder, "hard");
    support_write(folder, "own", "made by a test", 14);
    support_write(folder, "other", "made by hand", 12);
    assert_int_equal(symlink("own", to_own) | symlink("other", to_other) | symlink("gone", dead),
                     0);
    assert_int_equal(link(other, hard), 0);
    expect(folder, "to_own", true, NULL);
    expect(folder, "to_other", false, "not a list");
    expect(folder, "hard", false, "not a list");
    expect(folder, "dead", false, "a link to something that is not there");
    piaa_error error = {0};
    assert_true(piaa_output_check("/dev/null", &kind, &error));
    assert_false(piaa_output_write(other, &kind, "x", 1, &error));
    char *text = piaa_file_read(other, 100, NULL, NULL);
    assert_string_equal(text, "made by hand");
    free(text);
    assert_true(piaa_output_write(to_own, &kind, "made by a test, too", 19, NULL));
    assert_true(piaa_file_is_same(to_other, other));
    assert_true(piaa_file_is_same(hard, other));
    assert_false(piaa_file_is_same(to_own, other));
    assert_false(piaa_file_is_same(dead, dead));
    free(to_own);
    free(to_other);
    free(dead);
    free(other);
    free(hard);
    support_remove(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_files_and_others),
        cmocka_unit_test(links_and_devices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

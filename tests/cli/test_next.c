/* piaa next as a user runs it: what it prints can be filled in and given back, and what cannot be
   done is said. */
#include "program.h"

#include "base/json.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#define PHOTOS PIAA_SOURCE "/data/sample/photos"

static bool holds(const piaa_paths *paths, const char *path) {
    for (size_t i = 0; i < paths->count; i++)
        if (strcmp(paths->items[i], path) == 0) return true;
    return false;
}

/* Eight different photos, p0.jpg to p7.jpg, and copies of the first two. */
static void make_photos(void) {
    make_folder("photos");
    for (int i = 0; i < 8; i++) {
        char name[32];
        snprintf(name, sizeof name, "photos/p%d.jpg", i);
        put_sample(i, name);
    }
    put_sample(0, "photos/copy0.jpg");
    put_sample(1, "photos/copy1.jpg");
}

/* The table that was printed, each empty score filled in where `rate` is set. */
static void save_table(const char *name, bool rate) {
    piaa_text table = {0};
    int row = 0;
    for (const char *line = out; *line; row++) {
        const size_t n = strcspn(line, "\n");
        const char *score = strstr(line, ",,");
        if (rate && score && score < line + n) {
            piaa_text_add(&table, line, (size_t)(score - line) + 1, NULL);
            piaa_text_format(&table, NULL, "%d", 1 + row % 5);
            piaa_text_add(&table, score + 1, n - (size_t)(score - line) - 1, NULL);
        } else {
            piaa_text_add(&table, line, n, NULL);
        }
        piaa_text_add(&table, "\n", 1, NULL);
        line += n + (line[n] != '\0');
    }
    put(name, table.data);
    free(table.data);
}

/* Every fifth is random; the table filled in is read by next, which names others, and by rank; not
   filled in it changes nothing. */
static void the_table_is_filled_in_and_given_back(void **state) {
    (void)state;
    expect_ok(PIAA("next", PHOTOS, "--csv", "--count", "10", ONE));
    if (strncmp(out, "path,score,chosen_by\n", 21) != 0) fail_msg("%s", out);
    piaa_paths first = printed_column("path"), how = printed_column("chosen_by");
    assert_int_equal(first.count, 10);
    for (size_t i = 0; i < how.count; i++)
        assert_string_equal(how.items[i], i % 5 == 4 ? "random" : "v-optimal");
    save_table("empty.csv", false);
    save_table("rated.csv", true);
    expect_ok(PIAA("next", PHOTOS, "--csv", "--ratings", "empty.csv", ONE));
    piaa_paths again = printed_column("path");
    assert_int_equal(again.count, 10);
    for (size_t i = 0; i < again.count; i++) assert_string_equal(again.items[i], first.items[i]);
    expect_ok(PIAA("next", PHOTOS, "--csv", "--ratings", "rated.csv", ONE));
    if (strstr(err, "warning")) fail_msg("%s", err);
    piaa_paths second = printed_column("path");
    assert_int_equal(second.count, 10);
    for (size_t i = 0; i < second.count; i++) assert_false(holds(&first, second.items[i]));
    expect_ok(PIAA("rank", PHOTOS, "--ratings", "rated.csv", ONE));
    if (!strstr(err, "Learned from 10 ratings")) fail_msg("%s", err);
    piaa_paths_free(&first), piaa_paths_free(&how), piaa_paths_free(&again);
    piaa_paths_free(&second);
}

/* No table, one that is not there, an empty file, a header, and no stars are nothing rated. */
static void there_may_be_no_ratings_yet(void **state) {
    (void)state;
    make_photos();
    put("empty.csv", "");
    put("header.csv", "path,score\n");
    const char *const none[] = {"nowhere.csv", "empty.csv", "header.csv", "xmp"};
    expect_ok(PIAA("next", "photos", "--csv", ONE));
    char *expected = piaa_strdup(out, NULL);
    for (size_t i = 0; i < PIAA_COUNT(none); i++) {
        expect_ok(PIAA("next", "photos", "--csv", "--ratings", none[i], ONE));
        assert_string_equal(out, expected);
        assert_int_equal(strstr(err, "not there yet") != NULL, i == 0);
    }
    free(expected);
}

/* Copies give one photo; a count above what there is names all; rated ones, be they among the
   photos or copies of these, are not named; when nothing is left that is said. */
static void every_photo_is_named_once(void **state) {
    (void)state;
    make_photos();
    static const char *const strategies[] = {"v-optimal", "variance", "k-center", "random"};
    for (size_t i = 0; i < PIAA_COUNT(strategies); i++) {
        expect_ok(
            PIAA("next", "photos", "--csv", "--count", "100", "--choose", strategies[i], ONE));
        piaa_paths named = printed_column("path");
        assert_int_equal(named.count, 8);
        if (!strstr(err, "These are all")) fail_msg("%s", err);
        piaa_paths_free(&named);
    }
    save_table("all.csv", true);
    make_folder("elsewhere");
    put_sample(3, "elsewhere/a.jpg");
    put("ratings.csv", "path,score\nphotos/copy0.jpg,3\nelsewhere/a.jpg,4\nphotos/gone.jpg,2\n");
    expect_ok(PIAA("next", "photos", "--csv", "--ratings", "ratings.csv", ONE));
    piaa_paths named = printed_column("path");
    assert_int_equal(named.count, 6);
    for (size_t i = 0; i < named.count; i++)
        if (strstr(named.items[i], "p0.jpg") || strstr(named.items[i], "copy0.jpg") ||
            strstr(named.items[i], "p3.jpg"))
            fail_msg("%s", named.items[i]);
    if (!strstr(err, "1 of 3 rated photos could not be used")) fail_msg("%s", err);
    piaa_paths_free(&named);
    expect_ok(PIAA("next", "photos", "--csv", "--ratings", "all.csv", ONE));
    assert_string_equal(out, "path,score,chosen_by\n");
    if (!strstr(err, "Nothing is left to choose")) fail_msg("%s", err);
}

static void photos_that_cannot_be_read_are_told(void **state) {
    (void)state;
    make_photos();
    put("photos/broken.jpg", "\xff\xd8\xff\xe0 this is no photo");
    expect_ok(PIAA("next", "photos", "--json", "--count", "3", ONE));
    cJSON *root = cJSON_Parse(out);
    assert_non_null(root);
    const cJSON *unreadable = cJSON_GetObjectItem(root, "unreadable");
    assert_int_equal(cJSON_GetArraySize(unreadable), 1);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(root, "photos")), 3);
    cJSON_Delete(root);
    make_folder("broken");
    put("broken/a.jpg", "\xff\xd8\xff\xe0 nor is this");
    expect_last_line(PIAA("next", "broken", ONE), 1, "none of the 1 photos could be read");
}

static void mistakes_are_told_in_a_line(void **state) {
    (void)state;
    make_folder("none");
    expect_refusal(PIAA("next"), 2, "piaa next: ", "PHOTOS");
    expect_refusal(PIAA("next", "none", ONE), 2, "piaa next: ", "none");
    expect_refusal(PIAA("next", "nowhere", ONE), 1, "piaa next: ", "nowhere");
    expect_refusal(PIAA("next", "none", "--count", "0"), 2, "piaa next: ", "--count");
    expect_refusal(PIAA("next", "none", "--choose", "best"), 2, "piaa next: ", "v-optimal");
    expect_refusal(PIAA("next", "none", "--random-share", "20"), 2,
                   "piaa next: ", "--random-share");
    expect_refusal(PIAA("next", "none", "--csv", "--json"), 2, "piaa next: ", "--json");
}

/* Ctrl-C while photos are read: nothing is named, and what was read is kept. */
static void a_stop_keeps_what_was_read(void **state) {
    (void)state;
    char *first = at("store/lt.3.npy");
    const char *const *words = WORDS("next", PHOTOS, "--store", "store", ONE);
    const pid_t child = program_start((program_way){0}, words);
    struct stat status = {0};
    const struct timespec little = {.tv_nsec = 2000000};
    while (waitpid(child, NULL, WNOHANG) == 0 &&
           (stat(first, &status) != 0 || status.st_size < 500))
        nanosleep(&little, NULL);
    kill(child, SIGINT);
    assert_int_equal(program_finish((program_way){0}, child), 130);
    assert_int_equal(out_size, 0);
    if (!strstr(err, "run the same command again")) fail_msg("%s", err);
    expect_ok(program_run((program_way){0}, words));
    free(first);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_table_is_filled_in_and_given_back, program_begin,
                                        program_end),
        cmocka_unit_test_setup_teardown(there_may_be_no_ratings_yet, program_begin, program_end),
        cmocka_unit_test_setup_teardown(every_photo_is_named_once, program_begin, program_end),
        cmocka_unit_test_setup_teardown(photos_that_cannot_be_read_are_told, program_begin,
                                        program_end),
        cmocka_unit_test_setup_teardown(mistakes_are_told_in_a_line, program_begin, program_end),
        cmocka_unit_test_setup_teardown(a_stop_keeps_what_was_read, program_begin, program_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

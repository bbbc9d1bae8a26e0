/* piaa stars: nothing is written without being asked, only ratings change, and everything can be
 * put back. */
#include "program.h"

#include <time.h>

enum { PHOTOS = 6, MANY = 150 };

static const char lightroom[] =
    "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\">\n <rdf:RDF "
    "xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\n  <rdf:Description "
    "rdf:about=\"\"\n   "
    "xmlns:xmp=\"http://ns.adobe.com/xap/1.0/\"\n   xmlns:crs=\"http://ns.adobe.com/"
    "camera-raw-settings/1.0/\"\n   xmp:Rating=\"2\"\n   crs:Exposure2012=\"+0.35\"/>\n "
    "</rdf:RDF>\n</x:xmpmeta>\n";
static const char unrated[] =
    "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF "
    "xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"><rdf:Description "
    "xmlns:xmp=\"http://ns.adobe.com/xap/1.0/\" xmp:Label=\"Red\"/></rdf:RDF></x:xmpmeta>";

static void make_photos(int count) {
    make_folder("photos");
    piaa_text table = {0};
    piaa_text_format(&table, NULL, "path,score\n");
    for (int i = 0; i < count; i++) {
        char name[48];
        snprintf(name, sizeof name, "photos/%03d.jpg", i);
        put_sample(i % 8, name);
        piaa_text_format(&table, NULL, "%s,%d\n", name, i % 6);
    }
    put("ratings.csv", table.data);
    free(table.data);
}

static bool is_there(const char *name) {
    char *path = at(name);
    const bool there = piaa_file_exists(path);
    free(path);
    return there;
}

static void expect_file(const char *name, const char *text) {
    char *found = slurp(name, NULL);
    if (strcmp(found, text) != 0) fail_msg("%s: %s", name, found);
    free(found);
}

static int run_stars(const char *one, const char *two) {
    return two   ? PIAA("stars", "photos", "--ratings", "ratings.csv", "--log", "log", one, two)
           : one ? PIAA("stars", "photos", "--ratings", "ratings.csv", "--log", "log", one)
                 : PIAA("stars", "photos", "--ratings", "ratings.csv", "--log", "log");
}

/* What an independent reader says, where there is one on the machine. */
static void expect_exiftool(const char *name, const char *stars) {
    char *path = at(name),
         *command = piaa_format(NULL,
                                "command -v exiftool >/dev/null || exit 0; "
                                "test \"$(exiftool -s3 -xmp:Rating '%s')\" = '%s'",
                                path, stars);
    if (system(command) != 0) fail_msg("exiftool reads another rating in %s", name);
    free(command);
    free(path);
}

static void only_the_rating_changes_and_all_is_put_back(void **state) {
    (void)state;
    make_photos(PHOTOS);
    put("photos/001.xmp", lightroom);
    put("photos/002.jpg.xmp", unrated);
    put("photos/003.xmp", lightroom);
    put("photos/003.jpg.xmp", unrated);
    put("photos/004.xmp", "no XML");
    expect_ok(run_stars(NULL, NULL)); /* a plan changes nothing */
    assert_false(is_there("log"));
    assert_false(is_there("photos/000.jpg.xmp"));
    expect_file("photos/002.jpg.xmp", unrated);
    expect_ok(run_stars("--write", NULL));
    if (!strstr(err, "4 sidecars written, 2 of them new; 0 the same already, 1 could not be"))
        fail_msg("%s", err);
    expect_exiftool("photos/000.jpg.xmp", "-1");
    expect_file("photos/001.xmp", lightroom); /* somebody's own stars */
    expect_exiftool("photos/002.jpg.xmp", "2");
    expect_exiftool("photos/003.jpg.xmp", "3");
    expect_file("photos/003.xmp", lightroom);
    expect_file("photos/004.xmp", "no XML");
    expect_exiftool("photos/005.jpg.xmp", "5");
    /* And these too, once that is asked for. */
    expect_ok(PIAA("stars", "photos", "--ratings", "ratings.csv", "--log", "second", "--write",
                   "--replace"));
    char *changed = slurp("photos/001.xmp", NULL), *wanted = piaa_strdup(lightroom, NULL);
    *(strstr(wanted, "Rating=\"2") + 8) = '1';
    assert_string_equal(changed, wanted);
    free(changed);
    free(wanted);
    expect_ok(PIAA("stars", "--undo", "second"));
    expect_ok(PIAA("stars", "--undo", "log"));
    assert_false(is_there("photos/000.jpg.xmp"));
    assert_false(is_there("photos/005.jpg.xmp"));
    expect_file("photos/001.xmp", lightroom);
    expect_file("photos/002.jpg.xmp", unrated);
    expect_file("photos/003.xmp", lightroom);
    expect_file("photos/003.jpg.xmp", unrated);
}

static void what_changed_since_is_left(void **state) {
    (void)state;
    make_photos(PHOTOS);
    put("photos/002.jpg.xmp", unrated);
    expect_ok(run_stars("--write", NULL));
    put("photos/002.jpg.xmp", lightroom);
    assert_int_equal(PIAA("stars", "--undo", "log"), 1);
    if (!strstr(err, "has changed since")) fail_msg("%s", err);
    expect_file("photos/002.jpg.xmp", lightroom);
    assert_false(is_there("photos/005.jpg.xmp"));
    /* A log is used once: nothing is written over it. */
    assert_int_equal(run_stars("--write", NULL), 2);
    if (!strstr(err, "there already")) fail_msg("%s", err);
}

/* IMG.CR2 and IMG.jpg share IMG.xmp: rated alike it is written once, otherwise not at all. */
static void shared_sidecars(void **state) {
    (void)state;
    make_photos(1);
    put_sample(1, "photos/000.png");
    put("photos/000.xmp", unrated);
    put("ratings.csv", "path,score\nphotos/000.jpg,4\nphotos/000.png,4\n");
    expect_ok(run_stars("--write", NULL));
    expect_exiftool("photos/000.xmp", "4");
    expect_ok(PIAA("stars", "--undo", "log"));
    put("ratings.csv", "path,score\nphotos/000.jpg,4\nphotos/000.png,1\n");
    expect_ok(PIAA("stars", "photos", "--ratings", "ratings.csv", "--log", "other", "--write"));
    expect_file("photos/000.xmp", unrated);
    if (!strstr(out, "rated differently")) fail_msg("%s", out);
}

static void dates_are_kept_on_request(void **state) {
    (void)state;
    make_photos(PHOTOS);
    put("photos/002.jpg.xmp", unrated);
    char *path = at("photos/002.jpg.xmp");
    const struct timespec then[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    struct stat status;
    assert_int_equal(utimensat(AT_FDCWD, path, then, 0), 0);
    assert_int_equal(chmod(path, 0640), 0);
    expect_ok(run_stars("--write", "--keep-times"));
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mtime, 1000000000);
    assert_int_equal(status.st_mode & 0777, 0640);
    free(path);
}

/* Killed at any moment: each sidecar is what it was or what it should be, and the log puts all
 * back. */
static void a_kill_loses_nothing(void **state) {
    (void)state;
    make_photos(MANY);
    for (int i = 0; i < MANY; i += 2) {
        char name[48];
        snprintf(name, sizeof name, "photos/%03d.jpg.xmp", i);
        put(name, unrated);
    }
    const program_way way = {.name = "run"};
    const char *rounds = getenv("PIAA_KILLS"); /* more than the usual 12 */
    for (int round = 0; round < (rounds ? atoi(rounds) : 12); round++) {
        char log[16];
        snprintf(log, sizeof log, "log%d", round);
        const pid_t child = program_start(
            way, WORDS("stars", "photos", "--ratings", "ratings.csv", "--log", log, "--write"));
        const long moment = round < 12 ? 4000000L * (1 + round * 3) : rand() % 150 * 1000000L;
        nanosleep(&(struct timespec){.tv_nsec = moment}, NULL);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        char *there = piaa_format(NULL, "%s/log.json", log);
        if (is_there(there)) expect_ok(PIAA("stars", "--undo", log));
        free(there);
        for (int i = 0; i < MANY; i++) {
            char name[48];
            snprintf(name, sizeof name, "photos/%03d.jpg.xmp", i);
            if (i % 2)
                assert_false(is_there(name));
            else
                expect_file(name, unrated);
        }
    }
}

static void mistakes_are_told_in_a_line(void **state) {
    (void)state;
    make_photos(PHOTOS);
    put("high.csv", "path,score\nphotos/000.jpg,87\n");
    expect_refusal(PIAA("stars"), 2, "piaa stars: ", "name photos");
    expect_refusal(PIAA("stars", "photos", "--ratings", "high.csv"), 2,
                   "piaa stars: ", "another scale");
    expect_refusal(PIAA("stars", "photos", "--book", "new"), 1, "piaa stars: ", "no ratings");
    expect_refusal(PIAA("stars", "--undo", "nothing"), 1, "piaa stars: ", "nothing");
    expect_refusal(PIAA("stars", "photos", "--undo", "log"), 2, "piaa stars: ", "takes no photos");
    make_folder("broken");
    put("broken/log.json", "{\"path\": 3}\n");
    expect_refusal(PIAA("stars", "--undo", "broken"), 1, "piaa stars: ", "no log of stars");
    put("broken/log.json",
        "{\"path\":\"x\",\"before\":\"../../ratings.csv\",\"was\":\"\",\"becomes\":\"\"}\n");
    expect_refusal(PIAA("stars", "--undo", "broken"), 1, "piaa stars: ", "no log of stars");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(only_the_rating_changes_and_all_is_put_back, program_begin,
                                        program_end),
        cmocka_unit_test_setup_teardown(what_changed_since_is_left, program_begin, program_end),
        cmocka_unit_test_setup_teardown(shared_sidecars, program_begin, program_end),
        cmocka_unit_test_setup_teardown(dates_are_kept_on_request, program_begin, program_end),
        cmocka_unit_test_setup_teardown(a_kill_loses_nothing, program_begin, program_end),
        cmocka_unit_test_setup_teardown(mistakes_are_told_in_a_line, program_begin, program_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

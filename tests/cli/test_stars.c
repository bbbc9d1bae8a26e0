/* piaa stars: nothing is written without being asked, only ratings change, and everything can be
 * put back. */
#include "program.h"
#include "readers.h"

#include "image/dng_maker.h"

#include <sys/resource.h>
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

static void expect_read(const char *name, const char *property, const char *value) {
    char *path = at(name);
    expect_said(path, property, value);
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
    expect_read("photos/000.jpg.xmp", "xmp:Rating", "-1");
    expect_file("photos/001.xmp", lightroom); /* somebody's own stars */
    expect_read("photos/002.jpg.xmp", "xmp:Rating", "2");
    expect_read("photos/003.jpg.xmp", "xmp:Rating", "3");
    expect_file("photos/003.xmp", lightroom);
    expect_file("photos/004.xmp", "no XML");
    expect_read("photos/005.jpg.xmp", "xmp:Rating", "5");
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

/* Labels and scores come from the ranking; somebody's own label stays, and a photo that is only
   predicted gets no stars. */
static void labels_and_scores_are_written(void **state) {
    (void)state;
    make_photos(4);
    put("photos/001.xmp", lightroom);
    put("photos/002.jpg.xmp", unrated);
    put("ratings.csv", "path,score\nphotos/000.jpg,4\nphotos/001.jpg,2\nphotos/002.jpg,3\n");
    put("ranking.csv", "rank,score,plus_minus,rating,low,high,path\n1,4.6,0.5,,4,5,photos/000.jpg\n"
                       "2,3.125,0.5,,3,4,photos/003.jpg\n3,0.2,0.5,,0,1,photos/001.jpg\n"
                       "4,4.9,0.5,,4,5,photos/002.jpg\n");
    expect_ok(PIAA("stars", "photos", "--ratings", "ratings.csv", "--ranking", "ranking.csv",
                   "--scores", "--label", "5=Gr\xc3\xbcn & <gut>,0=Red", "--log", "log",
                   "--write"));
    expect_read("photos/000.jpg.xmp", "xmp:Rating", "4");
    expect_read("photos/000.jpg.xmp", "xmp:Label", "Gr\xc3\xbcn & <gut>");
    expect_read("photos/000.jpg.xmp", "piaa:score", "4.60");
    expect_read("photos/003.jpg.xmp", "piaa:score", "3.13");
    expect_read("photos/003.jpg.xmp", "xmp:Rating", "");
    /* Only what is said of it is put in. */
    char *changed = slurp("photos/001.xmp", NULL);
    static const char said[] = " xmp:Label=\"Red\" xmlns:piaa=\"urn:x-piaa:xmp:1.0/\" "
                               "piaa:score=\"0.20\"";
    char *place = strstr(changed, said);
    assert_non_null(place);
    memmove(place, place + sizeof said - 1, strlen(place + sizeof said - 1) + 1);
    assert_string_equal(changed, lightroom);
    free(changed);
    expect_read("photos/002.jpg.xmp", "xmp:Label", "Red");
    expect_read("photos/002.jpg.xmp", "xmp:Rating", "3");
    expect_ok(PIAA("stars", "--undo", "log"));
    expect_file("photos/001.xmp", lightroom);
    expect_file("photos/002.jpg.xmp", unrated);
    assert_false(is_there("photos/003.jpg.xmp"));
    /* Without a ranking labels go by the stars. */
    expect_ok(PIAA("stars", "photos", "--ratings", "ratings.csv", "--label", "3=Blue", "--replace",
                   "--log", "second", "--write"));
    expect_read("photos/002.jpg.xmp", "xmp:Label", "Blue");
    expect_refusal(PIAA("stars", "photos", "--ratings", "ratings.csv", "--scores"), 2,
                   "piaa stars: ", "piaa rank");
    static const char *const wrong[] = {"6=Red", "5=", "5", "5=a,5=b", "5=a\nb", ""};
    for (size_t i = 0; i < PIAA_COUNT(wrong); i++)
        expect_refusal(PIAA("stars", "photos", "--ratings", "ratings.csv", "--label", wrong[i]), 2,
                       "piaa stars: ", "5=Green,0=Red");
}

static void put_dng(const char *name) {
    static tiff_maker m;
    make_dng(&m, &(dng){.orientation = 1});
    support_write(world, name, m.bytes, m.size);
}

/* The camera's raw file behind a picture is the same photo. */
static void a_raw_behind_a_picture_gets_its_stars(void **state) {
    (void)state;
    make_photos(2);
    put_dng("photos/000.DNG");
    put_dng("photos/other.DNG");
    put("ratings.csv", "path,score\nphotos/000.jpg,4\nphotos/001.jpg,2\n");
    expect_ok(run_stars("--write", NULL));
    expect_read("photos/000.xmp", "xmp:Rating", "4");
    expect_read("photos/000.xmp", "photoshop:SidecarForExtension", "DNG");
    expect_read("photos/000.jpg.xmp", "xmp:Rating", "4");
    assert_false(is_there("photos/001.xmp"));
    assert_false(is_there("photos/other.xmp"));
    /* A raw file that was rated itself keeps that. */
    expect_ok(PIAA("stars", "--undo", "log"));
    put("ratings.csv", "path,score\nphotos/000.jpg,4\nphotos/000.DNG,1\n");
    expect_ok(PIAA("stars", "photos", "--ratings", "ratings.csv", "--log", "second", "--write"));
    expect_read("photos/000.xmp", "xmp:Rating", "1");
    expect_read("photos/000.jpg.xmp", "xmp:Rating", "4");
}

/* On request; sidecars that are there get the stars too, new ones are not made. */
static void photos_are_written_to_on_request(void **state) {
    (void)state;
    make_photos(PHOTOS);
    put_dng("photos/006.dng");
    put("photos/002.jpg.xmp", unrated);
    put("ratings.csv", "path,score\nphotos/001.jpg,1\nphotos/002.jpg,2\nphotos/003.jpg,3\n"
                       "photos/006.dng,5\n");
    char *protected = at("photos/003.jpg"), *photo = at("photos/001.jpg");
    struct stat was, is;
    assert_int_equal(chmod(protected, 0444), 0);
    assert_int_equal(chmod(photo, 0640), 0);
    const struct timespec then[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    assert_int_equal(utimensat(AT_FDCWD, photo, then, 0), 0);
    assert_int_equal(stat(photo, &was), 0);
    size_t sizes[PHOTOS + 1];
    char *bytes[PHOTOS + 1];
    for (int i = 0; i <= PHOTOS; i++) {
        char name[48];
        snprintf(name, sizeof name, i < PHOTOS ? "photos/%03d.jpg" : "photos/%03d.dng", i);
        bytes[i] = slurp(name, &sizes[i]);
    }
    expect_ok(PIAA("stars", "photos", "--ratings", "ratings.csv", "--log", "log", "--embed",
                   "--keep-times", "--write"));
    if (!strstr(err, "4 files written, 3 of them new; 0 the same already, 1 could not be"))
        fail_msg("%s", err);
    if (!strstr(out, "write-protected")) fail_msg("%s", out);
    expect_read("photos/001.jpg", "xmp:Rating", "1");
    expect_read("photos/002.jpg", "xmp:Rating", "2");
    expect_read("photos/002.jpg.xmp", "xmp:Rating", "2");
    expect_read("photos/006.dng", "xmp:Rating", "5");
    assert_false(is_there("photos/001.jpg.xmp"));
    assert_int_equal(stat(photo, &is), 0);
    assert_int_equal(is.st_mtime, was.st_mtime);
    assert_int_equal(is.st_mode, was.st_mode);
    /* Once more is the same already; other stars are somebody's. */
    put("ratings.csv", "path,score\nphotos/001.jpg,1\nphotos/002.jpg,5\n");
    expect_ok(PIAA("stars", "photos", "--ratings", "ratings.csv", "--log", "second", "--embed",
                   "--write"));
    expect_read("photos/002.jpg", "xmp:Rating", "2");
    expect_ok(PIAA("stars", "photos", "--ratings", "ratings.csv", "--log", "second", "--embed",
                   "--write", "--replace"));
    expect_read("photos/002.jpg", "xmp:Rating", "5");
    expect_ok(PIAA("stars", "--undo", "second"));
    expect_ok(PIAA("stars", "--undo", "log"));
    for (int i = 0; i <= PHOTOS; i++) {
        char name[48];
        size_t size;
        snprintf(name, sizeof name, i < PHOTOS ? "photos/%03d.jpg" : "photos/%03d.dng", i);
        char *now = slurp(name, &size);
        assert_int_equal(size, sizes[i]);
        assert_memory_equal(now, bytes[i], size);
        free(now);
        free(bytes[i]);
    }
    expect_file("photos/002.jpg.xmp", unrated);
    free(protected);
    free(photo);
}

static void expect_same_file(const char *one, const char *other) {
    char *a = at(one), *b = at(other);
    if (!piaa_file_is_same(a, b)) fail_msg("%s is not %s", one, other);
    free(a);
    free(b);
}

/* The best first, by the ranking where there is one; without rejected photos and raw files that
   stand behind a picture. */
static void links_are_numbered_from_the_best(void **state) {
    (void)state;
    make_photos(5);
    put_dng("photos/002.DNG");
    put("ratings.csv", "path,score\nphotos/000.jpg,0\nphotos/001.jpg,4\nphotos/002.jpg,5\n"
                       "photos/003.jpg,2\n");
    put("ranking.csv", "path,score\nphotos/000.jpg,4.9\nphotos/001.jpg,4.5\nphotos/002.jpg,4.4\n"
                       "photos/004.jpg,4.45\n");
    expect_ok(PIAA("stars", "photos", "--ratings", "ratings.csv", "--links", "best"));
    expect_same_file("best/001-002.jpg", "photos/002.jpg");
    expect_same_file("best/002-001.jpg", "photos/001.jpg");
    expect_same_file("best/003-003.jpg", "photos/003.jpg");
    assert_false(is_there("best/004-000.jpg"));
    assert_string_equal(out, "");
    expect_ok(PIAA("stars", "photos", "--ratings", "ratings.csv", "--ranking", "ranking.csv",
                   "--links", "a/hard", "--least", "4", "--hard"));
    expect_same_file("a/hard/001-001.jpg", "photos/001.jpg");
    expect_same_file("a/hard/002-004.jpg", "photos/004.jpg");
    expect_same_file("a/hard/003-002.jpg", "photos/002.jpg");
    assert_false(is_there("a/hard/004-003.jpg"));
    char *hard = at("a/hard/001-001.jpg"), *soft = at("best/001-002.jpg");
    struct stat status;
    assert_int_equal(lstat(hard, &status), 0);
    assert_true(S_ISREG(status.st_mode) && status.st_nlink == 2);
    assert_int_equal(lstat(soft, &status), 0);
    assert_true(S_ISLNK(status.st_mode));
    free(hard);
    free(soft);
    expect_last_line(PIAA("stars", "photos", "--ratings", "ratings.csv", "--links", "best"), 2,
                     "a new folder");
    put("ratings.csv", "path,score\nphotos/000.jpg,0\nphotos/001.jpg,2\n");
    expect_last_line(
        PIAA("stars", "photos", "--ratings", "ratings.csv", "--links", "none", "--least", "3"), 1,
        "none of the 6 photos");
    assert_false(is_there("none"));
}

/* darktable's own sidecars are changed, with a word about its database. */
static void darktable_is_told_of(void **state) {
    (void)state;
    make_photos(PHOTOS);
    expect_ok(run_stars(NULL, NULL));
    if (strstr(err, "darktable")) fail_msg("%s", err);
    put("photos/002.jpg.xmp",
        "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF "
        "xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"><rdf:Description "
        "rdf:about=\"\" xmlns:darktable=\"http://darktable.sf.net/\" "
        "darktable:xmp_version=\"5\"/></rdf:RDF></x:xmpmeta>");
    expect_ok(run_stars(NULL, NULL));
    if (!strstr(err, "1 of the sidecars")) fail_msg("%s", err);
}

/* IMG.CR2 and IMG.jpg share IMG.xmp: rated alike it is written once, otherwise not at all. */
static void shared_sidecars(void **state) {
    (void)state;
    make_photos(1);
    put_sample(1, "photos/000.png");
    put("photos/000.xmp", unrated);
    put("ratings.csv", "path,score\nphotos/000.jpg,4\nphotos/000.png,4\n");
    expect_ok(run_stars("--write", NULL));
    expect_read("photos/000.xmp", "xmp:Rating", "4");
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

/* What is there before and after each round of kills. */
static void expect_as_before(bool embeds, char *const *bytes, const size_t *sizes) {
    for (int i = 0; i < MANY; i++) {
        char name[48];
        size_t size;
        snprintf(name, sizeof name, "photos/%03d.jpg.xmp", i);
        if (i % 2)
            assert_false(is_there(name));
        else
            expect_file(name, unrated);
        if (!embeds) continue;
        snprintf(name, sizeof name, "photos/%03d.jpg", i);
        char *photo = slurp(name, &size);
        assert_int_equal(size, sizes[i % 8]);
        assert_memory_equal(photo, bytes[i % 8], size);
        free(photo);
    }
}

/* Killed at any moment: each file is what it was or what it should be, and the log puts all
 * back. */
static void kill_and_undo(int round, bool embeds) {
    const program_way way = {.name = "run"};
    char log[16];
    snprintf(log, sizeof log, "log%d", round);
    const pid_t child =
        program_start(way, WORDS("stars", "photos", "--ratings", "ratings.csv", "--log", log,
                                 "--write", embeds ? "--embed" : "--keep-times"));
    const long moment = round < 12 ? 4000000L * (1 + round * 3) : rand() % 150 * 1000000L;
    nanosleep(&(struct timespec){.tv_nsec = moment}, NULL);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    char *there = piaa_format(NULL, "%s/log.json", log);
    if (is_there(there)) expect_ok(PIAA("stars", "--undo", log));
    free(there);
}

static void kill_often(bool embeds) {
    char *bytes[8];
    size_t sizes[8];
    make_photos(MANY);
    for (int i = 0; i < MANY; i += 2) {
        char name[48];
        snprintf(name, sizeof name, "photos/%03d.jpg.xmp", i);
        put(name, unrated);
    }
    for (int i = 0; i < 8; i++) {
        char name[48];
        snprintf(name, sizeof name, "photos/%03d.jpg", i);
        bytes[i] = slurp(name, &sizes[i]);
    }
    const char *rounds = getenv("PIAA_KILLS"); /* more than the usual 12 */
    for (int round = 0; round < (rounds ? atoi(rounds) : 12); round++) {
        kill_and_undo(round, embeds);
        expect_as_before(embeds, bytes, sizes);
    }
    for (int i = 0; i < 8; i++) free(bytes[i]);
}

static void a_kill_loses_nothing(void **state) {
    (void)state;
    kill_often(false);
}

static void a_kill_damages_no_photo(void **state) {
    (void)state;
    kill_often(true);
}

/* A sidecar that its owner protected, a folder and a link that leads nowhere in a sidecar's place:
   they stay, and the plan says so. */
static void what_stands_in_the_way_stays(void **state) {
    (void)state;
    make_photos(PHOTOS);
    put("photos/001.jpg.xmp", unrated);
    make_folder("photos/002.jpg.xmp");
    char *protected = at("photos/001.jpg.xmp"), *nowhere = at("photos/003.jpg.xmp");
    assert_int_equal(chmod(protected, 0444) | symlink("nowhere/003.xmp", nowhere), 0);
    for (int writes = 0; writes < 2; writes++) {
        expect_ok(run_stars("--csv", writes ? "--write" : NULL));
        if (!strstr(err, writes
                             ? "3 sidecars written, 3 of them new; 0 the same already, 3 could"
                             : "3 sidecars to write, 3 of them new; 0 the same already, 3 could"))
            fail_msg("%s", err);
        if (!strstr(out, "write-protected") || !strstr(out, "leads nowhere")) fail_msg("%s", out);
        expect_file("photos/001.jpg.xmp", unrated);
        struct stat status;
        assert_true(lstat(nowhere, &status) == 0 && S_ISLNK(status.st_mode));
    }
    /* One that says it already needs no writing. */
    put("ratings.csv", "path,score\nphotos/001.jpg,1\n");
    assert_int_equal(chmod(protected, 0644), 0);
    expect_ok(PIAA("stars", "photos", "--ratings", "ratings.csv", "--log", "second", "--write"));
    assert_int_equal(chmod(protected, 0444), 0);
    expect_ok(PIAA("stars", "photos", "--ratings", "ratings.csv"));
    if (!strstr(err, "1 the same already, 0 could not be")) fail_msg("%s", err);
    free(protected);
    free(nowhere);
}

/* Files that can be written and photos that cannot: those are told, and as before. */
static void failed_writes_fail(void **state) {
    (void)state;
    make_photos(2);
    put("ratings.csv", "path,score\nphotos/000.jpg,4\nphotos/001.jpg,5\n");
    size_t size, now;
    char *before = slurp("photos/000.jpg", &size);
    struct rlimit usual, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &usual), 0);
    small = usual;
    small.rlim_cur = size; /* the log is less, the photo with its stars is more */
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    const int rc = run_stars("--write", "--embed");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &usual), 0);
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(rc, 1);
    if (!strstr(err, " of 2 files could not be written")) fail_msg("%s", err);
    char *after = slurp("photos/000.jpg", &now);
    assert_int_equal(now, size);
    assert_memory_equal(after, before, size);
    free(before);
    free(after);
    expect_ok(PIAA("stars", "--undo", "log"));
}

/* Faster than the clock that names their logs. */
static void every_run_has_a_log(void **state) {
    (void)state;
    enum { RUNS = 4 };
    char *data = at("data");
    make_photos(RUNS);
    const char *was = getenv("XDG_DATA_HOME");
    char *usual = was ? piaa_strdup(was, NULL) : NULL;
    setenv("XDG_DATA_HOME", data, 1);
    for (int i = 0; i < RUNS; i++) {
        char photo[32], sidecar[48];
        snprintf(photo, sizeof photo, "photos/%03d.jpg", i);
        snprintf(sidecar, sizeof sidecar, "%s.xmp", photo);
        expect_ok(PIAA("stars", photo, "--ratings", "ratings.csv", "--write"));
        char *log = strstr(err, "piaa stars --undo ");
        assert_non_null(log);
        log += strlen("piaa stars --undo ");
        *strchr(log, ' ') = '\0';
        char *name = piaa_strdup(log, NULL);
        assert_true(is_there(sidecar));
        if (i % 2) { /* each has its own */
            expect_ok(PIAA("stars", "--undo", name));
            assert_false(is_there(sidecar));
        }
        free(name);
    }
    assert_true(is_there("photos/000.jpg.xmp") && is_there("photos/002.jpg.xmp"));
    if (usual)
        setenv("XDG_DATA_HOME", usual, 1);
    else
        unsetenv("XDG_DATA_HOME");
    free(usual);
    free(data);
}

static void mistakes_are_told_in_a_line(void **state) {
    (void)state;
    make_photos(PHOTOS);
    put("high.csv", "path,score\nphotos/000.jpg,87\n");
    expect_refusal(PIAA("stars"), 2, "piaa stars: ", "name photos");
    expect_refusal(PIAA("stars", "photos", "--ratings", "high.csv"), 2,
                   "piaa stars: ", "another scale");
    expect_refusal(PIAA("stars", "photos", "--ratings", "ratings.csv", "--least", "4", "--write"),
                   2, "piaa stars: ", "--links");
    expect_refusal(
        PIAA("stars", "photos", "--ratings", "ratings.csv", "--links", "best", "--embed"), 2,
        "piaa stars: ", "do not go together");
    assert_false(is_there("best") || is_there("photos/005.jpg.xmp"));
    expect_refusal(PIAA("stars", "photos", "--book", "new"), 1, "piaa stars: ", "no ratings");
    expect_refusal(PIAA("stars", "--undo", "nothing"), 1, "piaa stars: ", "nothing");
    expect_refusal(PIAA("stars", "photos", "--undo", "log"), 2, "piaa stars: ", "takes no photos");
    make_folder("broken");
    put("broken/log.json", "{\"path\": 3}\n");
    expect_refusal(PIAA("stars", "--undo", "broken"), 1, "piaa stars: ", "no log of stars");
    /* A line that does not say what was before; the sum is that of no bytes (FIPS 180-4). */
    put("empty", "");
    put("broken/log.json", "{\"path\":\"empty\",\"was\":\"00\",\"becomes\":\"e3b0c44298fc1c149afbf4"
                           "c8996fb92427ae41e4649b934ca495991b7852b855\"}\n");
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
        cmocka_unit_test_setup_teardown(labels_and_scores_are_written, program_begin, program_end),
        cmocka_unit_test_setup_teardown(a_raw_behind_a_picture_gets_its_stars, program_begin,
                                        program_end),
        cmocka_unit_test_setup_teardown(photos_are_written_to_on_request, program_begin,
                                        program_end),
        cmocka_unit_test_setup_teardown(a_kill_damages_no_photo, program_begin, program_end),
        cmocka_unit_test_setup_teardown(links_are_numbered_from_the_best, program_begin,
                                        program_end),
        cmocka_unit_test_setup_teardown(darktable_is_told_of, program_begin, program_end),
        cmocka_unit_test_setup_teardown(what_stands_in_the_way_stays, program_begin, program_end),
        cmocka_unit_test_setup_teardown(failed_writes_fail, program_begin, program_end),
        cmocka_unit_test_setup_teardown(every_run_has_a_log, program_begin, program_end),
        cmocka_unit_test_setup_teardown(mistakes_are_told_in_a_line, program_begin, program_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

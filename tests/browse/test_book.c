/* Ratings that were given are there, changes can be taken back one by one, and people are apart. */
#include "support.h"

#include "browse/book.h"

#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>

static char *world, *path;

static int begin(void **state) {
    (void)state;
    world = support_folder();
    path = support_join(world, "book.sqlite");
    return 0;
}

static int end(void **state) {
    (void)state;
    free(path);
    support_remove(world);
    return 0;
}

static piaa_book *open_as(const char *person) {
    piaa_error error = {0};
    piaa_book *book = piaa_book_open(path, person, &error);
    if (!book) fail_msg("%s", error.message);
    return book;
}

static void rate(piaa_book *book, const char *photo, double score) {
    piaa_error error = {0};
    if (!piaa_book_rate(book, photo, score, &error)) fail_msg("%s", error.message);
}

static bool add(void *user, const char *photo, double score) {
    return piaa_text_format(user, NULL, "%s %g;", photo, score);
}

static void expect(piaa_book *book, const char *all) {
    piaa_text text = {0};
    assert_true(piaa_book_each(book, add, &text, NULL));
    assert_string_equal(text.data ? text.data : "", all);
    free(text.data);
}

static void expect_undo(piaa_book *book, const char *photo, double before) {
    piaa_book_change undone;
    assert_true(piaa_book_undo(book, &undone, NULL));
    if (!photo) {
        assert_null(undone.path);
        return;
    }
    assert_string_equal(undone.path, photo);
    if (isnan(before))
        assert_true(isnan(undone.before));
    else
        assert_true(undone.before == before);
    piaa_book_change_free(&undone);
}

static void changes_are_taken_back_in_order(void **state) {
    (void)state;
    piaa_book *book = open_as("me");
    expect(book, "");
    expect_undo(book, NULL, NAN);
    rate(book, "/a", 3);
    rate(book, "/b", 5);
    rate(book, "/a", 0);
    rate(book, "/b", NAN);
    expect(book, "/a 0;");
    expect_undo(book, "/b", 5);
    expect(book, "/a 0;/b 5;");
    expect_undo(book, "/a", 3);
    rate(book, "/c", 1);
    expect_undo(book, "/c", NAN);
    expect_undo(book, "/b", NAN);
    expect(book, "/a 3;");
    expect_undo(book, "/a", NAN);
    expect_undo(book, NULL, NAN);
    piaa_book_close(book);
}

static bool add_pair(void *user, const char *one, const char *other, double win) {
    return isnan(win) ? piaa_text_format(user, NULL, "%s %s ?;", one, other)
                      : piaa_text_format(user, NULL, "%s %s %g;", one, other, win);
}

static void expect_pairs(piaa_book *book, const char *all) {
    piaa_text text = {0};
    assert_true(piaa_book_each_pair(book, add_pair, &text, NULL));
    assert_string_equal(text.data ? text.data : "", all);
    free(text.data);
}

static void pairs_and_ratings_are_taken_back_in_one_order(void **state) {
    (void)state;
    piaa_book *book = open_as("me");
    rate(book, "/a", 3);
    assert_true(piaa_book_compare(book, "/a", "/b", 1, NULL));
    rate(book, "/b", 2);
    assert_true(piaa_book_compare(book, "/b", "/c", NAN, NULL));
    assert_true(piaa_book_compare(book, "/a", "/b", 0.5, NULL));
    piaa_book_close(book);
    book = open_as("me");
    expect_pairs(book, "/a /b 1;/b /c ?;/a /b 0.5;");
    expect_undo(book, "/a", NAN);
    expect_undo(book, "/b", NAN);
    expect_pairs(book, "/a /b 1;");
    expect(book, "/a 3;/b 2;");
    expect_undo(book, "/b", NAN);
    expect_undo(book, "/a", NAN);
    expect_pairs(book, "");
    expect(book, "/a 3;");
    piaa_book_close(book);
    book = open_as("Ben");
    expect_pairs(book, "");
    piaa_book_close(book);
}

/* A file as version 1 left it, by its own statements: ratings, and a change to take back. */
static void a_file_of_version_1_keeps_everything(void **state) {
    (void)state;
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(
            db,
            "CREATE TABLE ratings(person TEXT NOT NULL, path TEXT NOT NULL, score REAL NOT NULL, "
            "changed INTEGER NOT NULL, PRIMARY KEY(person, path)) WITHOUT ROWID;"
            "CREATE TABLE changes(number INTEGER PRIMARY KEY, person TEXT NOT NULL, path TEXT NOT "
            "NULL, before REAL, after REAL, undone INTEGER NOT NULL DEFAULT 0);"
            "INSERT INTO ratings VALUES('me', '/a', 4, 1700000000), ('me', '/b', 0, 1700000001);"
            "INSERT INTO changes VALUES(1, 'me', '/a', 2, 4, 0), (2, 'me', '/b', NULL, 0, 0);"
            "PRAGMA application_id = 1885954418; PRAGMA user_version = 1",
            NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
    piaa_book *book = open_as("me");
    expect(book, "/a 4;/b 0;");
    assert_true(piaa_book_compare(book, "/a", "/b", 1, NULL));
    expect_undo(book, "/a", NAN);
    expect_undo(book, "/b", NAN);
    expect_undo(book, "/a", 2);
    expect_undo(book, NULL, NAN);
    expect(book, "/a 2;");
    piaa_book_close(book);
}

static bool add_pick(void *user, const char *photo, bool kept) {
    return piaa_text_format(user, NULL, "%s%c;", photo, kept ? '+' : '-');
}

static void expect_picks(piaa_book *book, const char *all) {
    piaa_text got = {0};
    assert_true(piaa_text_format(&got, NULL, "%s", "") &&
                piaa_book_each_pick(book, add_pick, &got, NULL));
    assert_string_equal(got.data, all);
    free(got.data);
}

/* What is decided of a burst is one step among the others, and of two decisions the last counts. */
static void bursts_are_decided_in_one_step(void **state) {
    (void)state;
    piaa_book *book = open_as("me");
    const piaa_book_pick first[] = {{"/a", true}, {"/b", false}, {"/c", false}},
                         second[] = {{"/a", false}, {"/b", true}, {"/c", false}};
    rate(book, "/a", 3);
    assert_true(piaa_book_pick_all(book, first, 3, NULL) &&
                piaa_book_pick_all(book, NULL, 0, NULL));
    rate(book, "/b", 4);
    assert_true(piaa_book_pick_all(book, second, 3, NULL));
    piaa_book_close(book);
    book = open_as("other");
    expect_picks(book, "");
    piaa_book_close(book);
    book = open_as("me");
    expect_picks(book, "/a+;/b-;/c-;/a-;/b+;/c-;");
    piaa_book_change undone;
    assert_true(piaa_book_undo(book, &undone, NULL) && undone.picks);
    piaa_book_change_free(&undone);
    expect_picks(book, "/a+;/b-;/c-;");
    expect(book, "/a 3;/b 4;");
    expect_undo(book, "/b", NAN);
    assert_true(piaa_book_undo(book, &undone, NULL) && undone.picks);
    piaa_book_change_free(&undone);
    expect_picks(book, "");
    expect_undo(book, "/a", NAN);
    expect_undo(book, NULL, NAN);
    piaa_book_close(book);
}

static void people_are_apart(void **state) {
    (void)state;
    piaa_book *anna = open_as("Anna"), *ben = open_as("Ben");
    rate(anna, "/a", 1);
    rate(ben, "/a", 5);
    expect_undo(anna, "/a", NAN);
    expect(ben, "/a 5;");
    piaa_book_close(anna);
    piaa_book_close(ben);
    ben = open_as("Ben");
    expect(ben, "/a 5;");
    piaa_book_close(ben);
}

/* A process that is killed at any moment has kept every rating that it called kept. */
static void nothing_confirmed_is_lost(void **state) {
    (void)state;
    const char *rounds = getenv("PIAA_KILLS"); /* more than the usual 20 */
    for (int round = 0; round < (rounds ? atoi(rounds) : 20); round++) {
        int pipes[2];
        assert_int_equal(pipe(pipes), 0);
        const pid_t child = fork();
        if (child == 0) {
            piaa_book *book = piaa_book_open(path, "me", NULL);
            if (!book) _exit(1);
            for (int i = 0;; i++) {
                char photo[32];
                snprintf(photo, sizeof photo, "/%d/%06d", round, i);
                if (!piaa_book_rate(book, photo, 1 + i % 5, NULL)) _exit(1);
                if (write(pipes[1], &i, sizeof i) != sizeof i) _exit(1);
            }
        }
        int last = -1, got;
        for (int i = 0; i < 3 + 7 * (round % 40) && read(pipes[0], &got, sizeof got) == sizeof got;
             i++)
            last = got;
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        close(pipes[1]);
        while (read(pipes[0], &got, sizeof got) == sizeof got) last = got;
        close(pipes[0]);
        piaa_book *book = open_as("me");
        piaa_text all = {0};
        char final[48];
        assert_true(piaa_book_each(book, add, &all, NULL));
        snprintf(final, sizeof final, "/%d/%06d %d;", round, last, 1 + last % 5);
        assert_non_null(strstr(all.data, final));
        free(all.data);
        piaa_book_close(book);
    }
}

static void expect_refusal(piaa_code code, const char *part) {
    piaa_error error = {0};
    assert_null(piaa_book_open(path, "me", &error));
    assert_int_equal(error.code, code);
    if (!strstr(error.message, part)) fail_msg("%s", error.message);
}

static void other_files_are_left_alone(void **state) {
    (void)state;
    support_write(world, "book.sqlite", "no database, and longer than a header of SQLite's is", 51);
    expect_refusal(PIAA_IO, "not a database");
    remove(path);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_exec(db, "CREATE TABLE photos(x)", NULL, NULL, NULL);
    sqlite3_close(db);
    expect_refusal(PIAA_FORMAT, "something else");
    remove(path);
    piaa_book_close(open_as("me"));
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_exec(db, "PRAGMA user_version = 9", NULL, NULL, NULL);
    sqlite3_close(db);
    expect_refusal(PIAA_MISMATCH, "later piaa");
    remove(path);
    support_make_folder(world, "book.sqlite");
    expect_refusal(PIAA_IO, "unable to open");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(changes_are_taken_back_in_order, begin, end),
        cmocka_unit_test_setup_teardown(pairs_and_ratings_are_taken_back_in_one_order, begin, end),
        cmocka_unit_test_setup_teardown(a_file_of_version_1_keeps_everything, begin, end),
        cmocka_unit_test_setup_teardown(bursts_are_decided_in_one_step, begin, end),
        cmocka_unit_test_setup_teardown(people_are_apart, begin, end),
        cmocka_unit_test_setup_teardown(nothing_confirmed_is_lost, begin, end),
        cmocka_unit_test_setup_teardown(other_files_are_left_alone, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The store and its surroundings: other processes, a full disk, and folders that cannot be written
   in. */
#include "store_helper.h"
#include "vfs_helper.h"

#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>

static char *scratch;
static bool mounted;

static int set_up(void **state) {
    (void)state;
    scratch = scratch_new();
    return 0;
}

static bool run(const char *command, const char *path) {
    char *line = piaa_format(NULL, command, path);
    bool ok = system(line) == 0;
    free(line);
    return ok;
}

static int tear_down(void **state) {
    (void)state;
    if (mounted && !run("umount '%s'", scratch)) print_message("%s stays mounted\n", scratch);
    mounted = false;
    scratch_drop(scratch);
    return 0;
}

/* Runs `part` in a child, as nobody if this is root (root may write anywhere); its assertions end
   the child with a failure. */
static void in_child(void (*part)(const char *path), const char *path, bool as_nobody) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (as_nobody && getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) _exit(3);
        part(path);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status) || WEXITSTATUS(status)) fail_msg("the child ended with %d", status);
}

/* In a child there is no cmocka to catch a failed assertion. */
#define CHECK(condition, text)                                                                     \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s (%s)\n", __FILE__, __LINE__, #condition, text);             \
            _exit(9);                                                                              \
        }                                                                                          \
    } while (0)

/* ------------------------------------------------------------------------------ other processes */

static void be_refused(const char *path) {
    const piaa_slots slots = SLOTS(LT3);
    char wanted[128];
    snprintf(wanted, sizeof wanted,
             "is being written by process %ld: wait for it, or use another --out", (long)getppid());
    piaa_error error = {0};
    CHECK(!piaa_store_open_write(path, &usual, &slots, NULL, &error), "two writers");
    CHECK(error.code == PIAA_BUSY && strstr(error.message, wanted), error.message);
    error = (piaa_error){0};
    piaa_store *reader = piaa_store_open_read(path, NULL, &error);
    CHECK(reader, error.message);
    CHECK(piaa_store_photos(reader) == 2, "a reader beside a writer");
    piaa_store_close(reader);
}

static void test_two_writers(void **state) {
    (void)state;
    const piaa_slots slots = SLOTS(LT3);
    const char *path = in(scratch, "s");
    piaa_store *store = must_write(path, &slots, NULL);
    assert_true(put(store, &slots, 0, NULL));
    assert_true(put(store, &slots, 1, NULL));
    in_child(be_refused, path, false);
    /* The same process is refused as well, and the first writer goes on. */
    piaa_error error = {0};
    assert_null(piaa_store_open_write(path, &usual, &slots, NULL, &error));
    assert_int_equal(error.code, PIAA_BUSY);
    assert_true(put(store, &slots, 2, NULL));
    must_finish(store);
    store = must_write(path, &slots, NULL);
    assert_int_equal(look(store, 2, NULL).status, PIAA_PHOTO_COMPLETE);
    must_finish(store);
}

/* A reader keeps what it saw while the writer goes on, and sees more after a refresh; slots may be
   added meanwhile. */
static void test_reader_beside_writer(void **state) {
    (void)state;
    const piaa_slots slots = SLOTS(LT3), more = SLOTS(LT3, V1);
    const char *path = in(scratch, "s");
    make_store(path, &slots, 2);
    piaa_store *reader = must_read(path, NULL), *writer = must_write(path, &more, NULL);
    for (int i = 0; i < 200; i++) assert_true(put(writer, &more, i, NULL));
    assert_int_equal(piaa_store_photos(reader), 2);
    assert_int_equal(piaa_store_slots(reader)->count, 1);
    assert_true(holds(piaa_store_vector(reader, 0, 1, NULL), 1, &LT3));
    assert_true(piaa_store_refresh(reader, NULL));
    assert_int_equal(piaa_store_photos(reader), 200);
    for (int i = 0; i < 200; i++) assert_true(holds(piaa_store_vector(reader, 1, i, NULL), i, &V1));
    must_finish(writer);
    piaa_store_close(reader);
}

/* ----------------------------------------------------------------------------------- full disks */

static void fill_until_full(const char *path) {
    const piaa_slots slots = SLOTS(LT3, V1);
    enum { ROUNDS = 3, BALLAST = 200 << 10 };
    const char *store_path = in(path, "s"),
               *ballast[ROUNDS] = {in(path, "0"), in(path, "1"), in(path, "2")};
    char *bytes = piaa_alloc(BALLAST, 1, NULL);
    for (int i = 0; i < ROUNDS; i++) assert_true(piaa_file_write(ballast[i], bytes, BALLAST, NULL));
    free(bytes);
    int64_t whole = 0, before = 0;
    for (int round = 0; round < ROUNDS; round++) {
        piaa_error error = {0};
        piaa_store *store = piaa_store_open_write(store_path, &usual, &slots, NULL, &error);
        for (int i = 0; store && i < 100000; i++) {
            if (look(store, i, NULL).status == PIAA_PHOTO_COMPLETE) continue;
            if (!put(store, &slots, i, &error)) break;
            whole = i + 1;
        }
        assert_int_equal(error.code, PIAA_IO);
        if (!strstr(error.message, "the disk is full, ") ||
            !strstr(error.message, "free some space and run the same command again"))
            fail_msg("%s", error.message);
        if (store) {
            bool finished =
                piaa_store_finish(store, NULL); /* may or may not find the few bytes it needs */
            (void)finished;
        }
        piaa_store_close(store);
        assert_true(whole > before);
        before = whole;
        /* What was told to be there is there; with more room it goes on. */
        unlink(ballast[round]);
        piaa_store *reader = must_read(store_path, NULL);
        assert_true((int64_t)piaa_store_photos(reader) >= whole);
        for (int i = 0; i < whole; i++) {
            int64_t row = piaa_store_find(reader, path_of(i)).row;
            assert_true(holds(piaa_store_vector(reader, 0, row, NULL), i, &LT3) &&
                        holds(piaa_store_vector(reader, 1, row, NULL), i, &V1));
        }
        piaa_store_close(reader);
    }
}

static void test_full_disk(void **state) {
    (void)state;
    mounted = getuid() == 0 && run("mount -t tmpfs -o size=2m piaa-test '%s' 2>/dev/null", scratch);
    if (!mounted) skip();
    fill_until_full(scratch);
}

/* Without a mount: the largest file that this process may write stands in for the disk. */
static void meet_the_limit(const char *path) {
    const piaa_slots slots = SLOTS(LT3);
    signal(SIGXFSZ, SIG_IGN);
    const struct rlimit limit = {400000, 400000};
    piaa_error error = {0};
    make_store(path, &slots, 3);
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0, "setrlimit");
    piaa_store *store = piaa_store_open_write(path, &usual, &slots, NULL, &error);
    int i = 3;
    while (store && put(store, &slots, i, &error)) i++;
    CHECK(error.code == PIAA_IO && strstr(error.message, "cannot write ") &&
              !strchr(error.message, '\n'),
          error.message);
    piaa_store_close(store);
    CHECK(i > 10, "some photos fit");
}

static void test_file_limit(void **state) {
    (void)state;
    const piaa_slots slots = SLOTS(LT3);
    const char *path = in(scratch, "s");
    in_child(meet_the_limit, path, false);
    heard warnings = {0};
    piaa_store *store = must_write(path, &slots, &warnings);
    for (int i = 0; i < 10; i++) assert_int_equal(look(store, i, NULL).status, PIAA_PHOTO_COMPLETE);
    assert_true(piaa_store_refresh(store, NULL));
    for (int i = 0; i < (int)piaa_store_photos(store); i++)
        assert_true(holds(piaa_store_vector(store, 0, i, NULL), i, &LT3));
    assert_int_equal(warnings.count, 0);
    must_finish(store);
}

/* ---------------------------------------------------------------------------- read-only folders */

static void read_but_not_write(const char *path) {
    const piaa_slots slots = SLOTS(LT3);
    piaa_error error = {0};
    piaa_store *store = piaa_store_open_read(path, NULL, &error);
    CHECK(store, error.message);
    CHECK(piaa_store_photos(store) == 3 && holds(piaa_store_vector(store, 0, 2, NULL), 2, &LT3),
          "three photos");
    piaa_store_close(store);
    CHECK(!piaa_store_open_write(path, &usual, &slots, NULL, &error),
          "a writer in a read-only folder");
    CHECK(error.code == PIAA_IO && strstr(error.message, "cannot write ") &&
              strstr(error.message, "Permission denied"),
          error.message);
    char *inner = piaa_path_join(path, "new", NULL);
    CHECK(!piaa_store_open_write(inner, &usual, &slots, NULL, &error),
          "a new store in a read-only folder");
    CHECK(strstr(error.message, "cannot make the folder") &&
              strstr(error.message, "Permission denied"),
          error.message);
    free(inner);
}

static void read_unfinished(const char *path) {
    piaa_error error = {0};
    CHECK(!piaa_store_open_read(path, NULL, &error), "a catalogue without its log");
    CHECK(strstr(error.message, "was left unfinished by a stopped run and"), error.message);
}

static void be_killed(const char *path) {
    const piaa_slots slots = SLOTS(LT3);
    piaa_store *store = piaa_store_open_write(path, &usual, &slots, NULL, NULL);
    for (int i = 0; store && i < 3; i++)
        if (!put(store, &slots, i, NULL)) _exit(1);
    _exit(0); /* without closing */
}

static void test_read_only(void **state) {
    (void)state;
    const piaa_slots slots = SLOTS(LT3);
    assert_int_equal(chmod(scratch, 0755), 0);
    const char *closed = in(scratch, "closed"), *killed = in(scratch, "killed"),
               *in_wal = in(scratch, "in wal? 100%");
    make_store(closed, &slots, 3);
    in_child(be_killed, killed, false);
    assert_true(file_size(in(killed, "catalog.sqlite-wal")) > 0);
    /* A writer that closed while another program was reading leaves the catalogue in WAL mode, in
       one piece. */
    sqlite3 *other;
    make_store(in_wal, &slots, 2);
    piaa_store *store = must_write(in_wal, &slots, NULL);
    assert_true(put(store, &slots, 2, NULL));
    assert_int_equal(sqlite3_open(in(in_wal, "catalog.sqlite"), &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN; SELECT count(*) FROM photos", NULL, NULL, NULL),
                     SQLITE_OK);
    must_finish(store);
    sqlite3_close(other);
    assert_int_equal(file_size(in(in_wal, "catalog.sqlite-wal")), -1);

    char *twice = piaa_format(NULL, "/%s", in_wal); /* two slashes in front */
    const char *folders[] = {closed, killed, in_wal, twice};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(chmod(folders[i], 0555), 0);
        in_child(read_but_not_write, folders[i], true);
        assert_int_equal(chmod(folders[i], 0755), 0);
    }
    free(twice);
    /* The log without its index, as a copy of the folder may have it. */
    assert_int_equal(unlink(in(killed, "catalog.sqlite-shm")), 0);
    assert_int_equal(chmod(killed, 0555), 0);
    in_child(read_unfinished, killed, true);
    assert_int_equal(chmod(killed, 0755), 0);
}

/* --------------------------------------------------------------------- shared by several people */

static void check_modes(const char *path, mode_t mode) {
    DIR *list = opendir(path);
    assert_non_null(list);
    int files = 0;
    for (const struct dirent *e; (e = readdir(list));) {
        struct stat info;
        if (e->d_name[0] == '.') continue;
        assert_int_equal(stat(in(path, e->d_name), &info), 0);
        if ((info.st_mode & 0777) != mode) fail_msg("%s: %o", e->d_name, info.st_mode & 0777);
        files++;
    }
    closedir(list);
    assert_true(files >= 3);
}

static void test_umask(void **state) {
    (void)state;
    const piaa_slots slots = SLOTS(LT3);
    static const struct {
        mode_t mask, mode;
    } groups[] = {{002, 0664}, {022, 0644}, {077, 0600}, {0, 0666}};
    for (size_t i = 0; i < PIAA_COUNT(groups); i++) {
        mode_t before = umask(groups[i].mask);
        const char *path = in(scratch, i % 2 ? "a" : "b");
        remove_tree(path);
        piaa_store *store = must_write(path, &slots, NULL);
        assert_true(put(store, &slots, 0, NULL));
        check_modes(path, groups[i].mode); /* the log and its index too */
        must_finish(store);
        check_modes(path, groups[i].mode);
        umask(before);
    }
}

enum { GROUP = 12345 };

static void write_as(uid_t user, const char *path, int photo, bool finish) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const piaa_slots slots = SLOTS(LT3);
        umask(002);
        CHECK(setgid(GROUP) == 0 && setuid(user) == 0, "become a member");
        piaa_error error = {0};
        piaa_store *store = piaa_store_open_write(path, &usual, &slots, NULL, &error);
        CHECK(store && put(store, &slots, photo, &error), error.message);
        if (finish) piaa_store_close(store);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* Members go on with each other's stores, also where the last one was stopped. */
static void test_group(void **state) {
    (void)state;
    if (getuid() != 0) skip();
    const char *team = in(scratch, "team"), *path = in(team, "s");
    assert_int_equal(chmod(scratch, 0755), 0);
    assert_int_equal(mkdir(team, 0775), 0);
    assert_int_equal(chown(team, 0, GROUP), 0);
    assert_int_equal(chmod(team, 02775), 0);
    write_as(1001, path, 0, true);
    write_as(1002, path, 1, false);
    write_as(1001, path, 2, true);
    piaa_store *store = must_read(path, NULL);
    for (int i = 0; i < 3; i++) assert_true(holds(piaa_store_vector(store, 0, i, NULL), i, &LT3));
    piaa_store_close(store);
}

/* ----------------------------------------------------------------------------- names of folders */

/* A folder's name is a folder's name, whatever SQLite could take it for. */
static void test_names(void **state) {
    (void)state;
    const piaa_slots slots = SLOTS(LT3);
    static const char *const names[] = {"file:holiday", "file:a?mode=ro&x=", "file:///b",
                                        ":memory:",     "a%20b#c?d",         "%41 ?immutable=1",
                                        "new\nline",    "C:\\photos\\store", " ",
                                        "-v",           "file:%6Fdd",        "\xff"};
    char *before = piaa_path_absolute(".", NULL);
    assert_int_equal(chdir(scratch), 0);
    assert_int_equal(mkdir("file:", 0777), 0);
    for (size_t i = 0; i < PIAA_COUNT(names); i++) {
        make_store(names[i], &slots, 2);
        char *file = piaa_path_join(names[i], "catalog.sqlite", NULL);
        assert_true(file_size(file) > 0);
        assert_int_equal(chmod(file, 0444), 0);
        assert_int_equal(chmod(names[i], 0555), 0);
        piaa_store *store = must_read(names[i], NULL);
        assert_int_equal(piaa_store_photos(store), 2);
        piaa_store_close(store);
        assert_int_equal(chmod(names[i], 0755), 0);
        free(file);
    }
    assert_int_equal(chdir(before), 0);
    free(before);
}

/* ----------------------------------------------------------------- file systems without mapping */

static char *journal_mode(const char *path) {
    static char mode[32];
    sqlite3 *db;
    sqlite3_stmt *s;
    assert_int_equal(sqlite3_open(in(path, "catalog.sqlite"), &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA journal_mode", -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    snprintf(mode, sizeof mode, "%s", (const char *)sqlite3_column_text(s, 0));
    sqlite3_finalize(s);
    sqlite3_close(db);
    return mode;
}

/* A store is made, gone on with, read meanwhile, and read after a kill. */
static void use_without_mapping(const char *path) {
    const piaa_slots slots = SLOTS(LT3);
    make_store(path, &slots, 2);
    piaa_store *store = must_write(path, &slots, NULL);
    assert_int_equal(look(store, 1, NULL).status, PIAA_PHOTO_COMPLETE);
    assert_true(put(store, &slots, 2, NULL));
    piaa_store *reader = must_read(path, NULL);
    assert_int_equal(piaa_store_photos(reader), 3);
    assert_true(put(store, &slots, 3, NULL));
    assert_true(piaa_store_refresh(reader, NULL));
    assert_true(holds(piaa_store_vector(reader, 0, 3, NULL), 3, &LT3));
    piaa_store_close(reader);
    must_finish(store);
    assert_string_equal(journal_mode(path), "delete");
    in_child(be_killed, path, false);
    reader = must_read(path, NULL);
    assert_int_equal(piaa_store_photos(reader), 4);
    piaa_store_close(reader);
}

static void test_no_shared_memory(void **state) {
    (void)state;
    const piaa_slots slots = SLOTS(LT3);
    static const int errors[] = {0, SQLITE_IOERR_SHMMAP, SQLITE_IOERR_SHMOPEN, SQLITE_CANTOPEN,
                                 SQLITE_IOERR_SHMSIZE};
    for (size_t i = 0; i < PIAA_COUNT(errors); i++) {
        char name[32];
        snprintf(name, sizeof name, "s%zu", i);
        vfs_install();
        vfs_faults.no_shared_memory = !errors[i];
        vfs_faults.mapping = errors[i];
        use_without_mapping(in(scratch, name));
        vfs_remove();
        /* One that was left in WAL mode elsewhere, with what is only in its log. */
        snprintf(name, sizeof name, "left%zu", i);
        const char *left = in(scratch, name);
        in_child(be_killed, left, false);
        assert_true(file_size(in(left, "catalog.sqlite-wal")) > 0);
        vfs_install();
        vfs_faults.no_shared_memory = !errors[i];
        vfs_faults.mapping = errors[i];
        piaa_store *store = must_read(left, NULL);
        assert_int_equal(piaa_store_photos(store), 3);
        piaa_store_close(store);
        store = must_write(left, &slots, NULL);
        assert_true(put(store, &slots, 3, NULL));
        must_finish(store);
        vfs_remove();
        store = must_read(left, NULL);
        assert_int_equal(piaa_store_photos(store), 4);
        piaa_store_close(store);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_two_writers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reader_beside_writer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full_disk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_file_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_read_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_umask, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_group, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_shared_memory, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

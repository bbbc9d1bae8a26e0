/* What the store remembers, shares, adds and refuses. */
#include "store_helper.h"

#include <math.h>
#include <sqlite3.h>

static char *scratch;

static int set_up(void **state) {
    (void)state;
    scratch = scratch_new();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    scratch_drop(scratch);
    return 0;
}

static void run_sql(const char *file, const char *sql) {
    sqlite3 *db;
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) fail_msg("%s", sqlite3_errmsg(db));
    sqlite3_close(db);
}

static piaa_npy_header header_of(const char *file) {
    piaa_npy_header header = {0};
    piaa_error error = {0};
    size_t size;
    char *bytes = piaa_file_read(file, 1 << 24, &size, &error);
    if (!bytes || !piaa_npy_parse(bytes, size, size, file, &header, &error))
        fail_msg("%s", error.message);
    free(bytes);
    return header;
}

static void test_round_trip(void **state) {
    (void)state;
    const piaa_slots slots = SLOTS(LT3, V1);
    const char *path = in(scratch, "new");
    make_store(path, &slots, 5);
    assert_int_equal(header_of(in(path, "lt.3.npy")).shape[0], 5);
    assert_int_equal(header_of(in(path, "v.1.npy")).shape[0], 5);
    assert_int_equal(header_of(in(path, "v.1.npy")).shape[1], DIM / 2);
    assert_int_equal(file_size(in(path, "lt.3.npy")), PIAA_NPY_HEADER_SIZE + 5 * DIM * 4);
    assert_int_equal(file_size(in(path, "catalog.sqlite-wal")), -1);

    heard warnings = {0};
    piaa_store *store = must_read(path, &warnings);
    assert_string_equal(piaa_store_path(store), path);
    assert_string_equal(piaa_store_meta(store, "prompt"), usual.prompt);
    assert_string_equal(piaa_store_meta(store, "fingerprint"), usual.fingerprint);
    assert_string_equal(piaa_store_meta(store, "library"), "0.1.0");
    assert_null(piaa_store_meta(store, "colour"));
    assert_int_equal(piaa_store_slots(store)->count, 2);
    int lt = piaa_store_find_slot(store, PIAA_LT, 3), v = piaa_store_find_slot(store, PIAA_V, 1);
    assert_int_equal(piaa_store_find_slot(store, PIAA_V, 2), -1);
    piaa_store_counts counts = piaa_store_count(store);
    assert_int_equal(counts.photos, 5);
    assert_int_equal(counts.rows, 5);
    assert_int_equal(counts.failed + counts.partial + counts.orphans, 0);
    assert_int_equal(piaa_store_filled(store, lt), 5);
    assert_int_equal(piaa_store_photos(store), 5);
    for (int i = 0; i < 5; i++) {
        const piaa_photo photo = piaa_store_photo(store, (size_t)i);
        assert_string_equal(photo.path, path_of(i));
        assert_string_equal(photo.hash, hash_of(i));
        assert_int_equal(photo.size, 1000 + i);
        assert_int_equal(photo.mtime_ns, 7);
        assert_null(photo.error);
        assert_true(holds(piaa_store_vector(store, lt, photo.row, NULL), i, &LT3));
        assert_true(holds(piaa_store_vector(store, v, photo.row, NULL), i, &V1));
        assert_int_equal(piaa_store_find(store, path_of(i)).row, photo.row);
    }
    assert_null(piaa_store_find(store, "/photos/none.jpg").path);
    assert_int_equal(piaa_store_find(store, "/photos/none.jpg").row, -1);
    assert_null(piaa_store_photo(store, 5).path);
    assert_null(piaa_store_vector(store, lt, -1, NULL));
    assert_null(piaa_store_vector(store, lt, 5, NULL));
    assert_null(piaa_store_vector(store, 2, 0, NULL));
    int64_t rows;
    const float *matrix = piaa_store_matrix(store, lt, &rows);
    assert_int_equal(rows, 5);
    assert_true(holds(matrix + 2 * DIM, 2, &LT3));
    assert_int_equal(warnings.count, 0);
    piaa_store_close(store);
    piaa_store_close(NULL);
}

static void test_resume(void **state) {
    (void)state;
    const piaa_slots slots = SLOTS(LT3);
    const char *path = in(scratch, "s");
    make_store(path, &slots, 3);
    piaa_store *store = must_write(path, &slots, NULL);
    bool missing[1];
    for (int i = 0; i < 3; i++) {
        piaa_photo_state s = look(store, i, missing);
        assert_int_equal(s.status, PIAA_PHOTO_COMPLETE);
        assert_int_equal(s.row, i);
        assert_false(missing[0]);
    }
    piaa_photo_state s = look(store, 3, missing);
    assert_int_equal(s.status, PIAA_PHOTO_NEW);
    assert_int_equal(s.row, -1);
    assert_true(missing[0]);
    assert_true(put(store, &slots, 3, NULL));
    assert_int_equal(look(store, 3, NULL).status, PIAA_PHOTO_COMPLETE);

    /* A writer sees nothing before a refresh, and what it has put after. */
    assert_int_equal(piaa_store_photos(store), 0);
    assert_true(piaa_store_refresh(store, NULL));
    assert_int_equal(piaa_store_photos(store), 4);
    assert_true(holds(piaa_store_vector(store, 0, 3, NULL), 3, &LT3));
    assert_true(put(store, &slots, 4, NULL));
    assert_null(piaa_store_vector(store, 0, 4, NULL));
    assert_true(piaa_store_refresh(store, NULL));
    assert_true(holds(piaa_store_vector(store, 0, 4, NULL), 4, &LT3));
    must_finish(store);
}

static void test_added_slots(void **state) {
    (void)state;
    const piaa_slots first = SLOTS(LT3), both = SLOTS(LT3, V1), other = SLOTS(LV3);
    const char *path = in(scratch, "s");
    make_store(path, &first, 4);

    piaa_store *store = must_write(path, &both, NULL);
    bool missing[2];
    for (int i = 3; i >= 1; i--) { /* not in row order, and one is left out */
        assert_int_equal(look(store, i, missing).status, PIAA_PHOTO_PARTIAL);
        assert_false(missing[0]);
        assert_true(missing[1]);
        float values[DIM];
        fill_vector(values, i, &V1);
        const float *vectors[2] = {NULL, values};
        const piaa_photo line = {
            .path = path_of(i), .size = 1000 + i, .mtime_ns = 7, .hash = hash_of(i)};
        assert_true(piaa_store_put(store, &line, vectors, NULL));
        assert_int_equal(look(store, i, missing).status, PIAA_PHOTO_COMPLETE);
    }
    must_finish(store);

    store = must_write(path, &other, NULL); /* a run that asks for something else */
    assert_true(put(store, &other, 9, NULL));
    must_finish(store);
    const char *files[] = {"lt.3.npy", "v.1.npy", "lv.3.npy"};
    for (int i = 0; i < 3; i++) assert_int_equal(header_of(in(path, files[i])).shape[0], 5);

    store = must_read(path, NULL);
    const int lt = 0, v = 1, lv = 2;
    assert_int_equal(piaa_store_filled(store, lt), 4);
    assert_int_equal(piaa_store_filled(store, v), 3);
    assert_int_equal(piaa_store_filled(store, lv), 1);
    for (int i = 0; i < 4; i++) assert_true(holds(piaa_store_vector(store, lt, i, NULL), i, &LT3));
    for (int i = 1; i < 4; i++) assert_true(holds(piaa_store_vector(store, v, i, NULL), i, &V1));
    assert_true(holds(piaa_store_vector(store, lv, 4, NULL), 9, &LV3));
    assert_null(piaa_store_vector(store, v, 0, NULL));
    assert_null(piaa_store_vector(store, lt, 4, NULL));
    int64_t rows;
    const float *matrix = piaa_store_matrix(store, v, &rows);
    assert_int_equal(rows, 5);
    for (int i = 0; i < V1.dim; i++) assert_true(isnan(matrix[i]) && isnan(matrix[4 * V1.dim + i]));
    piaa_store_close(store);
}

static void test_changed_and_shared(void **state) {
    (void)state;
    const piaa_slots slots = SLOTS(LT3);
    const char *path = in(scratch, "s");
    make_store(path, &slots, 2);
    piaa_store *store = must_write(path, &slots, NULL);
    piaa_photo_state s;
    bool missing[1];

    /* Photo 1 now has other content: a new row, the old one stays behind. */
    assert_true(piaa_store_lookup(
        store, &(piaa_photo){.path = path_of(1), .size = 1077, .mtime_ns = 8}, &s, missing, NULL));
    assert_int_equal(s.status, PIAA_PHOTO_CHANGED);
    assert_true(missing[0]);
    assert_true(put_as(store, &slots, 1, 77, 8, NULL));
    assert_true(piaa_store_lookup(
        store, &(piaa_photo){.path = path_of(1), .size = 1077, .mtime_ns = 8}, &s, missing, NULL));
    assert_int_equal(s.status, PIAA_PHOTO_COMPLETE);
    assert_int_equal(s.row, 2);

    /* A copy of photo 0 under another name shares its row without a vector being made; so does one
       that is put all the same. */
    piaa_photo copy = {.path = path_of(50), .size = 1000, .mtime_ns = 9, .hash = hash_of(0)};
    assert_true(piaa_store_match(store, &copy, &s, missing, NULL));
    assert_int_equal(s.status, PIAA_PHOTO_COMPLETE);
    assert_int_equal(s.row, 0);
    assert_false(missing[0]);
    assert_true(put_as(store, &slots, 51, 0, 9, NULL));
    copy = (piaa_photo){.path = path_of(52), .size = 5, .mtime_ns = 5, .hash = hash_of(999)};
    assert_true(piaa_store_match(store, &copy, &s, missing, NULL));
    assert_int_equal(s.status, PIAA_PHOTO_NEW);
    assert_true(missing[0]);
    must_finish(store);

    store = must_read(path, NULL);
    piaa_store_counts counts = piaa_store_count(store);
    assert_int_equal(counts.photos, 4);
    assert_int_equal(counts.rows, 3);
    assert_int_equal(counts.orphans, 1);
    assert_int_equal(piaa_store_find(store, path_of(50)).row, 0);
    assert_int_equal(piaa_store_find(store, path_of(51)).row, 0);
    assert_true(
        holds(piaa_store_vector(store, 0, piaa_store_find(store, path_of(1)).row, NULL), 77, &LT3));
    piaa_store_close(store);

    /* The old content comes back: the row that was left behind is used again.  A touched file (same
       content) keeps its row. */
    store = must_write(path, &slots, NULL);
    copy = (piaa_photo){.path = path_of(1), .size = 1001, .mtime_ns = 10, .hash = hash_of(1)};
    assert_true(piaa_store_match(store, &copy, &s, NULL, NULL));
    assert_int_equal(s.row, 1);
    copy = (piaa_photo){.path = path_of(0), .size = 1000, .mtime_ns = 11, .hash = hash_of(0)};
    assert_true(piaa_store_match(store, &copy, &s, NULL, NULL));
    assert_int_equal(s.row, 0);
    assert_true(piaa_store_refresh(store, NULL));
    assert_int_equal(piaa_store_count(store).orphans, 1);
    must_finish(store);
}

static void test_failures(void **state) {
    (void)state;
    const piaa_slots first = SLOTS(LT3), both = SLOTS(LT3, V1);
    const char *path = in(scratch, "s");
    make_store(path, &first, 2);
    piaa_store *store = must_write(path, &both, NULL);
    const piaa_photo broken = {.path = path_of(5), .size = 1005, .mtime_ns = 7};
    assert_true(piaa_store_put_failure(store, &broken, "it ends in the middle", NULL));
    bool missing[2];
    piaa_photo_state s = look(store, 5, missing);
    assert_int_equal(s.status, PIAA_PHOTO_FAILED);
    assert_string_equal(s.reason, "it ends in the middle");
    assert_true(missing[0] && missing[1]);
    assert_int_equal(s.row, -1);

    /* A photo whose later slot fails keeps its earlier ones. */
    const piaa_photo later = {.path = path_of(0), .size = 1000, .mtime_ns = 7};
    assert_true(piaa_store_put_failure(store, &later, "it is gone", NULL));
    s = look(store, 0, missing);
    assert_int_equal(s.status, PIAA_PHOTO_FAILED);
    assert_int_equal(s.row, 0);
    assert_true(!missing[0] && missing[1]);
    /* So does one that could not be opened this time; the next run looks at it again. */
    const piaa_photo unread = {.path = path_of(0)};
    assert_true(piaa_store_put_failure(store, &unread, "it is gone", NULL));
    s = look(store, 0, missing);
    assert_int_equal(s.status, PIAA_PHOTO_CHANGED);
    assert_true(piaa_store_match(
        store, &(piaa_photo){.path = path_of(0), .size = 1000, .mtime_ns = 7, .hash = hash_of(0)},
        &s, missing, NULL));
    assert_int_equal(s.status, PIAA_PHOTO_PARTIAL);
    assert_true(piaa_store_put_failure(store, &later, "it is gone", NULL));
    /* A changed photo that cannot be read loses its row. */
    const piaa_photo changed = {.path = path_of(1), .size = 3, .mtime_ns = 9};
    assert_true(piaa_store_put_failure(store, &changed, "it is empty", NULL));
    must_finish(store);

    store = must_read(path, NULL);
    piaa_store_counts counts = piaa_store_count(store);
    assert_int_equal(counts.photos, 3);
    assert_int_equal(counts.failed, 2);
    assert_int_equal(counts.partial, 1);
    assert_int_equal(counts.orphans, 1);
    assert_string_equal(piaa_store_find(store, path_of(5)).error, "it ends in the middle");
    assert_null(piaa_store_find(store, path_of(5)).hash);
    assert_string_equal(piaa_store_find(store, path_of(0)).hash, hash_of(0));
    assert_true(
        holds(piaa_store_vector(store, 0, piaa_store_find(store, path_of(0)).row, NULL), 0, &LT3));
    piaa_store_close(store);

    /* Asked for what it has, the photo is complete; put heals it. */
    store = must_write(path, &first, NULL);
    assert_int_equal(look(store, 0, NULL).status, PIAA_PHOTO_COMPLETE);
    assert_true(put(store, &first, 5, NULL));
    assert_int_equal(look(store, 5, NULL).status, PIAA_PHOTO_COMPLETE);
    must_finish(store);
}

/* Photo 0 as the file system shows it. */
static piaa_photo file_of(int64_t mtime, int64_t ctime, int64_t inode) {
    return (piaa_photo){
        .path = path_of(0), .size = 1000, .mtime_ns = mtime, .ctime_ns = ctime, .inode = inode};
}

static piaa_photo_status status_of(piaa_store *store, piaa_photo file) {
    piaa_photo_state s;
    assert_true(piaa_store_lookup(store, &file, &s, NULL, NULL));
    return s.status;
}

/* The photo is put with its content, 0, and then matched with that again as a file with these
   times. */
static void match_again(piaa_store *store, piaa_photo file) {
    piaa_photo_state s;
    file.hash = hash_of(0);
    assert_true(piaa_store_match(store, &file, &s, NULL, NULL));
    assert_int_equal(s.status, PIAA_PHOTO_COMPLETE);
    assert_true(s.touched);
}

static void test_changes_that_keep_the_date(void **state) {
    (void)state;
    const piaa_slots slots = SLOTS(LT3);
    const char *path = in(scratch, "s");
    piaa_store *store = must_write(path, &slots, NULL);
    float values[DIM];
    fill_vector(values, 0, &LT3);
    piaa_photo first = file_of(7, 100, 5);
    first.hash = hash_of(0);
    assert_true(piaa_store_put(store, &first, (const float *[]){values}, NULL));
    assert_int_equal(status_of(store, file_of(7, 100, 5)), PIAA_PHOTO_COMPLETE);
    assert_int_equal(status_of(store, file_of(7, 101, 5)), PIAA_PHOTO_CHANGED);
    assert_int_equal(status_of(store, file_of(7, 101, 6)), PIAA_PHOTO_CHANGED);
    assert_int_equal(status_of(store, file_of(7, 100, 6)), PIAA_PHOTO_CHANGED);
    assert_int_equal(status_of(store, file_of(8, 100, 5)), PIAA_PHOTO_CHANGED);
    /* What is not known is not compared. */
    assert_int_equal(status_of(store, file_of(7, 0, 0)), PIAA_PHOTO_COMPLETE);

    /* The content is the same after chmod, touch or a restored backup: the row stays. */
    match_again(store, file_of(9, 102, 6));
    assert_int_equal(status_of(store, file_of(9, 102, 6)), PIAA_PHOTO_COMPLETE);
    assert_int_equal(status_of(store, file_of(9, 100, 5)), PIAA_PHOTO_CHANGED);
    /* A file system that numbers its files anew asks for the content once, not with each mount. */
    assert_int_equal(status_of(store, file_of(9, 102, 7)), PIAA_PHOTO_CHANGED);
    match_again(store, file_of(9, 102, 7));
    assert_int_equal(status_of(store, file_of(9, 102, 8)), PIAA_PHOTO_COMPLETE);
    assert_int_equal(status_of(store, file_of(9, 103, 8)), PIAA_PHOTO_CHANGED);
    must_finish(store);
}

static void set_times(struct stat *status, struct timespec time) {
#if defined(__APPLE__)
    status->st_mtimespec = status->st_ctimespec = time;
#else
    status->st_mtim = status->st_ctim = time;
#endif
}

/* Whole seconds of the years 1969, 2262 and around the ends of 64 bits of nanoseconds,
   which are 9,223,372,036.854775807 s. */
static void test_times_of_files(void **state) {
    (void)state;
    static const struct {
        int64_t seconds;
        long nanoseconds;
        int64_t wanted;
    } times[] = {
        {0, 0, 0},
        {-1, 500000000, -500000000},
        {INT64_C(1714564800), 123456789, INT64_C(1714564800123456789)},
        {INT64_C(9223372035), 999999999, INT64_C(9223372035999999999)},
        {INT64_C(9223372037), 0, INT64_MAX},
        {INT64_C(10413792000), 5, INT64_MAX}, /* 2300 */
        {INT64_C(-9223372035), 1, INT64_C(-9223372034999999999)},
        {INT64_C(-9223372037), 0, INT64_MIN},
        {INT64_MAX, 999999999, INT64_MAX},
        {INT64_MIN, 0, INT64_MIN},
    };
    for (size_t i = 0; i < PIAA_COUNT(times); i++) {
        struct stat status = {.st_size = 3, .st_ino = 4};
        set_times(&status, (struct timespec){times[i].seconds, times[i].nanoseconds});
        piaa_photo file = piaa_photo_of_file("/a", &status);
        assert_true(file.mtime_ns == times[i].wanted && file.ctime_ns == times[i].wanted);
        assert_true(file.size == 3 && file.inode == 4 && file.row == -1 && !file.hash);
    }
}

/* A store as the first version made it, with its own statements. */
static void make_first_store(const char *path, const piaa_slots *slots) {
    make_store(path, slots, 2);
    run_sql(in(path, "catalog.sqlite"),
            "CREATE TABLE p(path TEXT PRIMARY KEY NOT NULL, size INTEGER NOT NULL, mtime_ns "
            "INTEGER NOT NULL, hash TEXT, row INTEGER, error TEXT) WITHOUT ROWID;"
            "INSERT INTO p SELECT path, size, mtime_ns, hash, row, error FROM photos;"
            "DROP TABLE photos; ALTER TABLE p RENAME TO photos;"
            "CREATE TABLE v(row INTEGER PRIMARY KEY, hash TEXT UNIQUE NOT NULL, slots BLOB NOT "
            "NULL, checksum INTEGER NOT NULL, batch INTEGER NOT NULL);"
            "INSERT INTO v SELECT row, hash, slots, checksum, batch FROM vectors;"
            "DROP TABLE vectors; ALTER TABLE v RENAME TO vectors");
}

static void test_first_stores(void **state) {
    (void)state;
    const piaa_slots slots = SLOTS(LT3);
    const char *path = in(scratch, "s");
    make_first_store(path, &slots);
    piaa_store *store = must_read(path, NULL);
    const piaa_photo photo = piaa_store_find(store, path_of(0));
    assert_true(photo.path && photo.mtime_ns == 7 && !photo.ctime_ns && !photo.inode);
    assert_true(!photo.damage && !photo.note);
    assert_true(holds(piaa_store_vector(store, 0, photo.row, NULL), 0, &LT3));
    assert_true(piaa_store_pack(path, in(scratch, "packed"), NULL, NULL, NULL));
    piaa_store *packed = must_read(in(scratch, "packed"), NULL);
    expect_same_photos(store, packed);
    piaa_store_close(packed);
    piaa_store_close(store);

    /* Size and date still say that a photo is unchanged; the rest is added, and then counts. */
    store = must_write(path, &slots, NULL);
    piaa_photo file = file_of(7, 100, 5);
    piaa_photo_state s;
    assert_true(piaa_store_lookup(store, &file, &s, NULL, NULL));
    assert_int_equal(s.status, PIAA_PHOTO_COMPLETE);
    assert_true(s.undated);
    assert_true(piaa_store_date(store, &file, 1, NULL));
    assert_true(piaa_store_lookup(store, &file, &s, NULL, NULL));
    assert_true(s.status == PIAA_PHOTO_COMPLETE && !s.undated);
    assert_int_equal(status_of(store, file_of(7, 101, 5)), PIAA_PHOTO_CHANGED);
    must_finish(store);
    store = must_read(path, NULL);
    assert_int_equal(piaa_store_find(store, path_of(0)).ctime_ns, 100);
    assert_int_equal(piaa_store_find(store, path_of(0)).inode, 5);
    assert_int_equal(piaa_store_find(store, path_of(1)).ctime_ns, 0);
    piaa_store_close(store);

    /* The first version goes on with it. */
    run_sql(in(path, "catalog.sqlite"),
            "INSERT OR REPLACE INTO photos(path, size, mtime_ns, hash, row, error) SELECT path, "
            "size, 8, hash, row, error FROM photos WHERE path LIKE '%/000000.jpg'");
    store = must_write(path, &slots, NULL);
    assert_int_equal(status_of(store, file_of(8, 300, 9)), PIAA_PHOTO_COMPLETE);
    must_finish(store);
}

/* Marks belong to the content, so that copies have them. */
static void test_marks(void **state) {
    (void)state;
    const piaa_slots slots = SLOTS(LT3);
    const char *path = in(scratch, "s");
    piaa_store *store = must_write(path, &slots, NULL);
    float values[DIM];
    fill_vector(values, 0, &LT3);
    piaa_photo half = file_of(7, 100, 5);
    half.hash = hash_of(0);
    half.damage = "the lower half is lost";
    half.note = "from the preview";
    assert_true(piaa_store_put(store, &half, (const float *[]){values}, NULL));
    assert_true(put(store, &slots, 1, NULL));
    piaa_photo copy = {.path = path_of(2), .size = 1000, .mtime_ns = 8, .hash = hash_of(0)};
    piaa_photo_state s;
    assert_true(piaa_store_match(store, &copy, &s, NULL, NULL));
    assert_false(s.touched);
    must_finish(store);
    store = must_read(path, NULL);
    assert_int_equal(piaa_store_count(store).damaged, 2);
    for (int i = 0; i < 3; i++) {
        const piaa_photo photo = piaa_store_find(store, path_of(i));
        if (i == 1) {
            assert_true(!photo.damage && !photo.note);
            continue;
        }
        assert_string_equal(photo.damage, "the lower half is lost");
        assert_string_equal(photo.note, "from the preview");
        assert_true(holds(piaa_store_vector(store, 0, photo.row, NULL), 0, &LT3));
    }
    piaa_store_close(store);
}

/* Failures: those that may pass are tried again without being asked for, the others when they are;
   a photo that is dated to the beginning of 1970 is no exception. */
static void test_retry_and_forget(void **state) {
    (void)state;
    const piaa_slots slots = SLOTS(LT3);
    const char *path = in(scratch, "s");
    piaa_store *store = must_write(path, &slots, NULL);
    const piaa_photo damaged = file_of(0, 100, 5);
    piaa_photo passing = damaged;
    passing.mtime_ns = passing.ctime_ns = 0;
    assert_true(piaa_store_put_failure(store, &passing, "out of memory", NULL));
    assert_int_equal(status_of(store, damaged), PIAA_PHOTO_CHANGED);
    assert_true(piaa_store_put_failure(store, &damaged, "it ends in the middle", NULL));
    assert_int_equal(status_of(store, damaged), PIAA_PHOTO_FAILED);
    assert_true(put(store, &slots, 1, NULL));
    assert_true(piaa_store_retry(store, NULL));
    assert_int_equal(status_of(store, damaged), PIAA_PHOTO_CHANGED);
    assert_int_equal(look(store, 1, NULL).status, PIAA_PHOTO_COMPLETE);

    /* A forgotten photo is new, and finds its row when it comes back. */
    assert_true(piaa_store_forget(store, path_of(1), NULL));
    assert_true(piaa_store_forget(store, path_of(99), NULL));
    assert_int_equal(look(store, 1, NULL).status, PIAA_PHOTO_NEW);
    piaa_photo_state s;
    piaa_photo back = {.path = path_of(1), .size = 1001, .mtime_ns = 7, .hash = hash_of(1)};
    assert_true(piaa_store_match(store, &back, &s, NULL, NULL));
    assert_true(s.status == PIAA_PHOTO_COMPLETE && !s.touched);
    must_finish(store);
    store = must_read(path, NULL);
    assert_false(piaa_store_retry(store, NULL));
    assert_false(piaa_store_forget(store, path_of(1), NULL));
    piaa_store_close(store);
}

static void refuse_write(const char *path, const piaa_identity *identity, const piaa_slots *slots,
                         piaa_code code, const char *message) {
    piaa_error error = {0};
    piaa_store *store = piaa_store_open_write(path, identity, slots, NULL, &error);
    assert_null(store);
    assert_int_equal(error.code, code);
    if (!strstr(error.message, message))
        fail_msg("\"%s\" is not in \"%s\"", message, error.message);
}

static void test_mismatch(void **state) {
    (void)state;
    const piaa_slots slots = SLOTS(LT3), wide = SLOTS({PIAA_LT, 3, DIM + 1});
    const char *path = in(scratch, "s");
    make_store(path, &slots, 1);
    piaa_identity other = usual;
    other.prompt = "Rate \"this\".\nNow.";
    refuse_write(path, &other, &slots, PIAA_MISMATCH,
                 "/s was made with the prompt \"Assess the aesthetics of this image.\", this run "
                 "asks for \"Rate \"this\". Now.\": use another "
                 "--out, or the same --prompt");
    other = usual;
    other.dtype = "bf16";
    refuse_write(path, &other, &slots, PIAA_MISMATCH,
                 "was made with weights held as \"f32\", this run asks for \"bf16\": use another "
                 "--out, or the same --dtype");
    other = usual;
    other.preprocessing = "at most 500000 pixels, EXIF ignored";
    refuse_write(path, &other, &slots, PIAA_MISMATCH,
                 "photos prepared as \"at most 1003520 pixels, EXIF applied\", this run asks for "
                 "\"at most 500000");
    other = usual;
    other.fingerprint = "aa00000000000000000000000000000000000000000000000000000000000000";
    other.model = "tiny-2";
    refuse_write(path, &other, &slots, PIAA_MISMATCH,
                 "was made with the model tiny-1 (fingerprint 3f2a9c01d4b8), this run uses tiny-2 "
                 "(fingerprint aa0000000000): use another --out");
    refuse_write(path, &usual, &wide, PIAA_MISMATCH,
                 "holds vectors of 48 values in lt.3.npy, this run makes 49");

    char longer[4000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    other = usual;
    other.prompt = longer;
    refuse_write(path, &other, &slots, PIAA_MISMATCH,
                 "xxx…\": use another --out, or the same --prompt");

    /* A renamed model folder and a later library are not differences. */
    other = usual;
    other.model = "elsewhere";
    other.library = "0.2.0";
    piaa_store *store = piaa_store_open_write(path, &other, &slots, NULL, NULL);
    assert_non_null(store);
    assert_string_equal(piaa_store_meta(store, "model"), "tiny-1");
    assert_int_equal(look(store, 0, NULL).status, PIAA_PHOTO_COMPLETE);
    piaa_store_close(store);
}

/* A store of before kept neither the image settings nor the tokens: it takes those of the first run
   after, and then they count. */
static void test_values_of_later_versions(void **state) {
    (void)state;
    const piaa_slots slots = SLOTS(LT3);
    const char *path = in(scratch, "s");
    make_store(path, &slots, 1);
    piaa_identity now = usual, other;
    now.pixels = "bicubic, mean 0.5 0.5 0.5, std 0.5 0.5 0.5";
    now.tokens = "24 tokens, 00ff";
    now.chat = "the folder's"; /* there was the published form only */
    refuse_write(path, &now, &slots, PIAA_MISMATCH,
                 "the chat form \"published\", this run asks for \"the folder's\": use another "
                 "--out, or the same --chat");
    now.chat = "published";
    piaa_store *store = piaa_store_open_write(path, &now, &slots, NULL, NULL);
    assert_non_null(store);
    assert_string_equal(piaa_store_meta(store, "pixels"), now.pixels);
    assert_int_equal(look(store, 0, NULL).status, PIAA_PHOTO_COMPLETE);
    piaa_store_close(store);
    other = now, other.pixels = "bilinear, mean 0.5 0.5 0.5, std 0.5 0.5 0.5";
    refuse_write(path, &other, &slots, PIAA_MISMATCH, "the image settings \"bicubic, mean");
    other = now, other.tokens = "25 tokens, aa00";
    refuse_write(path, &other, &slots, PIAA_MISMATCH,
                 "the prompt read as \"24 tokens, 00ff\", this run asks for \"25 tokens, aa00\"");
    /* Who does not say them changes nothing. */
    store = piaa_store_open_write(path, &usual, &slots, NULL, NULL);
    assert_non_null(store);
    assert_string_equal(piaa_store_meta(store, "tokens"), now.tokens);
    piaa_store_close(store);
}

/* A store in which no vector ever was is begun anew by a run with other settings: what it was begun
   with may have been why.  One vector, and they count. */
static void test_begun_anew(void **state) {
    (void)state;
    const piaa_slots narrow = SLOTS({PIAA_LT, 3, DIM - 1}, {PIAA_LT, 4, DIM}), slots = SLOTS(LT3);
    const char *path = in(scratch, "s");
    piaa_identity faulty = usual;
    faulty.prompt = "";
    piaa_store *store = piaa_store_open_write(path, &faulty, &narrow, NULL, NULL);
    assert_non_null(store);
    piaa_photo photo = {.path = path_of(1), .size = 1, .mtime_ns = 7};
    assert_true(piaa_store_put_failure(store, &photo, "no prompt", NULL));
    must_finish(store);
    make_store(path, &slots, 1);
    store = must_write(path, &slots, NULL);
    assert_string_equal(piaa_store_meta(store, "prompt"), usual.prompt);
    assert_int_equal(piaa_store_slots(store)->count, 1);
    assert_int_equal(status_of(store, photo), PIAA_PHOTO_NEW);
    assert_int_equal(file_size(in(path, "lt.4.npy")), -1);
    piaa_store_close(store);
    refuse_write(path, &faulty, &slots, PIAA_MISMATCH, "this run asks for \"\"");
    /* An empty prompt can be what a store was made with, too. */
    path = in(scratch, "t");
    store = piaa_store_open_write(path, &faulty, &slots, NULL, NULL);
    assert_non_null(store);
    assert_true(put(store, &slots, 0, NULL));
    must_finish(store);
    refuse_write(path, &usual, &slots, PIAA_MISMATCH, "was made with the prompt \"\"");
}

static void write_file(const char *path, const char *text) {
    assert_true(piaa_file_write(path, text, strlen(text), NULL));
}

static void test_refused_folders(void **state) {
    (void)state;
    const piaa_slots slots = SLOTS(LT3);
    write_file(in(scratch, "file"), "x");
    refuse_write(in(scratch, "file"), &usual, &slots, PIAA_USAGE,
                 "is a file, and a store is a folder");
    refuse_write(in(scratch, "no/such"), &usual, &slots, PIAA_IO, "cannot make the folder");

    const char *holiday = in(scratch, "holiday");
    assert_int_equal(mkdir(holiday, 0777), 0);
    write_file(in(holiday, "photo.jpg"), "x");
    refuse_write(holiday, &usual, &slots, PIAA_USAGE,
                 "is neither a store nor empty: use a new folder for --out");
    assert_int_equal(count_files(holiday), 1);

    const char *foreign = in(scratch, "foreign");
    assert_int_equal(mkdir(foreign, 0777), 0);
    run_sql(in(foreign, "catalog.sqlite"), "CREATE TABLE birds(name)");
    refuse_write(foreign, &usual, &slots, PIAA_FORMAT, "was not made by piaa");
    write_file(
        in(foreign, "catalog.sqlite"),
        "not a database, but long enough to be read as a header of one, if somebody tried to");
    refuse_write(foreign, &usual, &slots, PIAA_FORMAT, "damaged");
    assert_int_equal(count_files(foreign), 1);

    const char *later = in(scratch, "later");
    make_store(later, &slots, 1);
    run_sql(in(later, "catalog.sqlite"), "PRAGMA user_version = 2");
    refuse_write(later, &usual, &slots, PIAA_UNSUPPORTED,
                 "was made by a later version of piaa (format 2, this one knows 1): update piaa");
    piaa_error error = {0};
    assert_null(piaa_store_open_read(later, NULL, &error));
    assert_int_equal(error.code, PIAA_UNSUPPORTED);

    piaa_error_clear(&error);
    assert_null(piaa_store_open_read(in(scratch, "nowhere"), NULL, &error));
    assert_non_null(strstr(error.message, "there is no store in"));
    assert_int_equal(file_size(in(scratch, "nowhere")), -1);

    /* An empty folder is fine, and so is what a run leaves that is killed as it begins. */
    const char *empty = in(scratch, "empty");
    assert_int_equal(mkdir(empty, 0777), 0);
    make_store(empty, &slots, 1);
    const char *begun = in(scratch, "begun");
    assert_int_equal(mkdir(begun, 0777), 0);
    write_file(in(begun, "lock"), "");
    write_file(in(begun, "catalog.sqlite"), "");
    make_store(begun, &slots, 1);
}

static void test_odd_names(void **state) {
    (void)state;
    const piaa_slots slots = SLOTS(LT3);
    static const char *const names[] = {
        "/a/\xff\xfe not UTF-8 \xc3.jpg", "/a/'; DROP TABLE photos; --.jpg",
        "/a/new\nline\t\".jpg",           "/a/Übung — 構図.jpg",
        "/a/\xed\xa0\x80 surrogate.jpg",  "/ "};
    char deep[6000] = "/";
    memset(deep + 1, 'd', sizeof deep - 2);
    const char *path = in(scratch, "it's a \"store\" — 100% 構図?#");
    piaa_store *store = must_write(path, &slots, NULL);
    float values[DIM];
    const float *vectors[1] = {values};
    enum { NAMES = sizeof names / sizeof *names };
    for (int i = 0; i <= NAMES; i++) {
        fill_vector(values, i, &LT3);
        const piaa_photo line = {
            .path = i < NAMES ? names[i] : deep, .size = i, .mtime_ns = -i, .hash = hash_of(i)};
        assert_true(piaa_store_put(store, &line, vectors, NULL));
    }
    piaa_photo_state s;
    assert_true(piaa_store_lookup(store, &(piaa_photo){.path = names[0], .size = 0, .mtime_ns = 0},
                                  &s, NULL, NULL));
    assert_int_equal(s.status, PIAA_PHOTO_COMPLETE);
    must_finish(store);
    store = must_read(path, NULL);
    for (int i = 0; i <= NAMES; i++) {
        const piaa_photo photo = piaa_store_find(store, i < NAMES ? names[i] : deep);
        assert_non_null(photo.path);
        assert_int_equal(photo.mtime_ns, -i);
        assert_true(holds(piaa_store_vector(store, 0, photo.row, NULL), i, &LT3));
    }
    for (size_t i = 1; i < piaa_store_photos(store); i++)
        assert_true(strcmp(piaa_store_photo(store, i - 1).path, piaa_store_photo(store, i).path) <
                    0);
    piaa_store_close(store);
}

static void test_misuse(void **state) {
    (void)state;
    const piaa_slots slots = SLOTS(LT3), none = {0};
    const char *path = in(scratch, "s");
    refuse_write(path, &usual, &none, PIAA_USAGE, "no slot was given");
    refuse_write(NULL, &usual, &slots, PIAA_USAGE, "no folder for the store was given");
    make_store(path, &slots, 1);
    piaa_store *store = must_read(path, NULL);
    piaa_error error = {0};
    assert_false(put(store, &slots, 1, &error));
    assert_non_null(strstr(error.message, "was opened for reading only"));
    assert_true(piaa_store_finish(store, NULL));
    piaa_store_close(store);

    store = must_write(path, &slots, NULL);
    piaa_photo_state s;
    assert_false(piaa_store_lookup(
        store, &(piaa_photo){.path = "relative.jpg", .size = 0, .mtime_ns = 0}, &s, NULL, &error));
    assert_non_null(strstr(error.message, "absolute path"));
    const piaa_photo no_hash = {.path = "/a"};
    assert_false(piaa_store_match(store, &no_hash, &s, NULL, &error));
    piaa_store_close(store);

    piaa_error first = {.code = PIAA_IO, .message = "the first error"};
    assert_false(piaa_store_refresh(NULL, &first));
    assert_false(put(NULL, &slots, 1, &first));
    assert_false(piaa_store_finish(NULL, &first));
    assert_string_equal(first.message, "the first error");
}

static void test_many_slots(void **state) {
    (void)state;
    enum { COUNT = 141 };
    piaa_slot items[COUNT];
    for (int i = 0; i < COUNT; i++) items[i] = (piaa_slot){i < 100 ? PIAA_LT : PIAA_V, i, 4};
    const piaa_slots slots = {items, COUNT};
    float values[COUNT][4];
    const float *vectors[COUNT];
    for (int i = 0; i < COUNT; i++) {
        for (int k = 0; k < 4; k++) values[i][k] = (float)(10 * i + k);
        vectors[i] = values[i];
    }
    const char *path = in(scratch, "s");
    piaa_store *store = must_write(path, &slots, NULL);
    const piaa_photo line = {.path = "/a", .hash = hash_of(1)};
    assert_true(piaa_store_put(store, &line, vectors, NULL));
    must_finish(store);
    store = must_read(path, NULL);
    for (int i = 0; i < COUNT; i++)
        assert_memory_equal(piaa_store_vector(store, i, 0, NULL), values[i], sizeof values[i]);
    piaa_store_close(store);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_resume, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_added_slots, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_changed_and_shared, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_failures, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_changes_that_keep_the_date, set_up, tear_down),
        cmocka_unit_test(test_times_of_files),
        cmocka_unit_test_setup_teardown(test_first_stores, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_marks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_retry_and_forget, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_values_of_later_versions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_mismatch, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_begun_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused_folders, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_odd_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_misuse, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_slots, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Every call that can fail, failing once and for good, while a store that needs mending is opened,
 * gone on with and read.  Whatever fails: it is told, what was told to be there is there, no
 * passing fault is taken for damage, and the next run makes the store whole. */
#include "faults.h"
#include "store_helper.h"
#include "vfs_helper.h"

#include "features/store_parts.h"

#include <sys/wait.h>

static char *scratch;
static const char *model, *work; /* the store as it is before each round, and the round's copy */

/* Of the store as it was, and of the run that goes on with it. */
static piaa_slot slot_items[] = {{PIAA_LT, 3, DIM}, {PIAA_V, 1, DIM / 2}, {PIAA_LV, 3, DIM}};
static const piaa_slots asked = {slot_items, 2}, more = {slot_items, 3};
enum { OLD = 8, LOST = 7, NEW = 20, COPY = 21, BROKEN = 22 };

/* 6 photos, 2 that nobody waited for the disk with, and the last row of a matrix cut off. */
static void make_model(void) {
    make_store(model, &asked, 6);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        piaa_store *store = piaa_store_open_write(model, &usual, &asked, NULL, NULL);
        for (int i = 6; store && i < OLD; i++)
            if (!put(store, &asked, i, NULL)) _exit(1);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    const char *file = in(model, "v.1.npy");
    assert_int_equal(truncate(file, (off_t)(file_size(file) - 5)), 0);
}

static void copy_model(void) {
    remove_tree(work);
    assert_int_equal(mkdir(work, 0777), 0);
    DIR *list = opendir(model);
    assert_non_null(list);
    for (const struct dirent *e; (e = readdir(list));) {
        if (e->d_name[0] == '.') continue;
        char *from = piaa_path_join(model, e->d_name, NULL),
             *to = piaa_path_join(work, e->d_name, NULL);
        size_t size;
        char *bytes = piaa_file_read(from, 1 << 24, &size, NULL);
        FILE *file = fopen(to, "wb");
        assert_true(bytes && file && fwrite(bytes, 1, size, file) == size);
        assert_int_equal(fclose(file), 0);
        free(bytes);
        free(from);
        free(to);
    }
    closedir(list);
}

static int set_up(void **state) {
    (void)state;
    scratch = scratch_new();
    model = in(scratch, "model");
    work = in(scratch, "work");
    vfs_install();
    make_model();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    vfs_remove();
    scratch_drop(scratch);
    return 0;
}

/* ------------------------------------------------------------------------------------- a round */

/* What a run was told before something failed. */
typedef struct told {
    bool mended, added, copied, failed, finished, read;
    heard warnings;
    piaa_error error;
} told;

/* A photo without the last slot, whose matrix is then shorter than the others until the end. */
static bool put_without_last(piaa_store *store, int photo, piaa_error *error) {
    float lt[DIM], v[DIM];
    fill_vector(lt, photo, &LT3);
    fill_vector(v, photo, &V1);
    const piaa_photo line = {
        .path = path_of(photo), .size = 1000 + photo, .mtime_ns = 7, .hash = hash_of(photo)};
    return piaa_store_put(store, &line, (const float *[]){lt, v, NULL}, error);
}

static bool write_all(piaa_store *store, told *t) {
    if (!put(store, &more, LOST, &t->error)) return false;
    t->mended = true;
    if (!put_without_last(store, NEW, &t->error)) return false;
    t->added = true;
    piaa_photo copy = {.path = path_of(COPY), .size = 1, .mtime_ns = 1, .hash = hash_of(NEW)};
    piaa_photo_state s;
    if (!piaa_store_match(store, &copy, &s, NULL, &t->error)) return false;
    t->copied = true;
    const piaa_photo broken = {.path = path_of(BROKEN), .size = 5, .mtime_ns = 7};
    if (!piaa_store_put_failure(store, &broken, "broken", &t->error)) return false;
    t->failed = true;
    if (!piaa_store_finish(store, &t->error)) return false;
    return t->finished = true;
}

static told run(void) {
    told t = {0};
    piaa_hooks hooks = {.user = &t.warnings, .warn = hear};
    piaa_store *store = piaa_store_open_write(work, &usual, &more, &hooks, &t.error);
    bool ok = store && write_all(store, &t);
    piaa_store_close(store);
    if (!ok) return t;
    assert_int_equal(t.error.code, PIAA_OK); /* nothing that failed was called done */
    store = piaa_store_open_read(work, &hooks, &t.error);
    t.read = store != NULL;
    piaa_store_close(store);
    return t;
}

static piaa_photo must_find(const piaa_store *store, int photo) {
    const piaa_photo found = piaa_store_find(store, path_of(photo));
    assert_non_null(found.path);
    return found;
}

/* The photo has its vectors of `slots`, and nothing in the others. */
static void check_photo(const piaa_store *store, const piaa_slots *slots, int photo, int content) {
    const int64_t row = must_find(store, photo).row;
    for (size_t s = 0; s < piaa_store_slots(store)->count; s++) {
        const float *vector = piaa_store_vector(store, (int)s, row, NULL);
        if (s < slots->count && !(photo == LOST && slots == &asked && s == 1))
            assert_true(holds(vector, content, &piaa_store_slots(store)->items[s]));
        else if (vector)
            assert_true(holds(vector, content, &piaa_store_slots(store)->items[s]));
    }
}

/* With faults out of the way: what a reader sees is what was there and what was told, and a run
   makes it whole. */
static void check(const told *t) {
    heard warnings = {0};
    piaa_store *store = must_read(work, &warnings);
    for (int i = 0; i < OLD; i++) check_photo(store, t->mended && i == LOST ? &more : &asked, i, i);
    if (t->added) check_photo(store, &asked, NEW, NEW);
    if (t->copied) check_photo(store, &asked, COPY, NEW);
    if (t->failed) assert_string_equal(must_find(store, BROKEN).error, "broken");
    if (t->read) assert_int_equal(warnings.count, 0);
    /* The one vector that was cut off, until a writer has taken its promise back. */
    if (warnings.count > 1 ||
        (warnings.count && !strstr(warnings.last, "v.1.npy is damaged: 1 vector that")))
        fail_msg("%d warnings: %s", warnings.count, warnings.last);
    piaa_store_close(store);

    warnings = (heard){0};
    store = must_write(work, &more, &warnings);
    for (int i = 0; i < OLD; i++)
        if (look(store, i, NULL).status != PIAA_PHOTO_COMPLETE)
            assert_true(put(store, &more, i, NULL));
    must_finish(store);
    warnings = (heard){0};
    store = must_read(work, &warnings);
    for (int i = 0; i < OLD; i++) check_photo(store, &more, i, i);
    assert_int_equal(warnings.count, 0);
    piaa_store_close(store);
}

/* A failure is one line of the right kind; without one, everything was done. */
static void check_told(const told *t, piaa_code code) {
    bool done = t->mended && t->added && t->copied && t->failed && t->finished && t->read;
    assert_int_equal(done, t->error.code == PIAA_OK);
    if (done) return;
    if (t->error.code != code || !t->error.message[0] || strchr(t->error.message, '\n'))
        fail_msg("code %d: %s", (int)t->error.code, t->error.message);
}

enum { MOST_ROUNDS = 4000 };

static void sweep(fault_kind kind, int error, bool lasting, piaa_code code) {
    for (long n = 0;; n++) {
        assert_true(n < MOST_ROUNDS);
        copy_model();
        faults_arm(kind, n, error, lasting);
        told t = run();
        bool met = faults_disarm();
        check_told(&t, code);
        check(&t);
        if (met) continue;
        assert_int_equal(t.error.code, PIAA_OK);
        return;
    }
}

static void test_memory(void **state) {
    (void)state;
    sweep(FAULT_MEMORY, ENOMEM, false, PIAA_MEMORY);
}

static void test_files(void **state) {
    (void)state;
    sweep(FAULT_FILES, EIO, false, PIAA_IO);
    sweep(FAULT_FILES, ENOSPC, true, PIAA_IO);
}

static void test_catalogue(void **state) {
    (void)state;
    static const int codes[] = {SQLITE_IOERR, SQLITE_FULL, SQLITE_IOERR};
    for (int i = 0; i < 3; i++)
        for (long n = 0;; n += 1 + n / 16) {
            assert_true(n < MOST_ROUNDS);
            copy_model();
            vfs_faults.failed = false;
            vfs_faults.code = codes[i];
            vfs_faults.once = i == 2;
            vfs_faults.after = n;
            told t = run();
            vfs_faults.after = -1;
            bool met = vfs_faults.failed;
            check_told(&t, PIAA_IO);
            check(&t);
            if (!met) break;
        }
}

/* ---------------------------------------------------------------------------- what was not told */

/* A disk that could not take a batch may say later that it has all: the batch stays in doubt, and
   what of it is wrong is found. */
static void test_batch_in_doubt(void **state) {
    (void)state;
    const piaa_slots slots = SLOTS(LT3);
    const char *path = in(scratch, "s"), *file = in(path, "lt.3.npy");
    piaa_store *store = must_write(path, &slots, NULL);
    for (int i = 0; i < 4; i++) assert_true(put(store, &slots, i, NULL));
    piaa_error error = {0};
    faults_arm(FAULT_FILES, 0, EIO, false);
    assert_false(piaa_store_finish(store, &error));
    assert_true(faults_disarm());
    assert_int_equal(error.code, PIAA_IO);
    assert_false(piaa_store_finish(store, &error));
    assert_non_null(strstr(error.message, "did not reach the disk when it was asked to"));
    piaa_store_close(store);
    int descriptor = open(file, O_WRONLY);
    const float zeros[DIM] = {0};
    assert_int_equal(
        pwrite(descriptor, zeros, sizeof zeros, PIAA_NPY_HEADER_SIZE + 2 * (off_t)sizeof zeros),
        sizeof zeros);
    close(descriptor);
    heard warnings = {0};
    store = must_write(path, &slots, &warnings);
    assert_non_null(strstr(warnings.last, "1 row did not reach the disk"));
    for (int i = 0; i < 4; i++)
        assert_int_equal(look(store, i, NULL).status,
                         i == 2 ? PIAA_PHOTO_PARTIAL : PIAA_PHOTO_COMPLETE);
    must_finish(store);
}

/* What comes after a batch that the disk has is in doubt again, in the same run. */
static void test_next_batch(void **state) {
    (void)state;
    const piaa_slots slots = SLOTS(LT3);
    const char *path = in(scratch, "s"), *file = in(path, "lt.3.npy");
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        piaa_store *store = piaa_store_open_write(path, &usual, &slots, NULL, NULL);
        bool ok = store && put(store, &slots, 0, NULL) && piaa_store_finish(store, NULL) &&
                  put(store, &slots, 1, NULL) && piaa_store_finish(store, NULL) &&
                  put(store, &slots, 2, NULL);
        _exit(!ok); /* without closing */
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    const float zeros[DIM] = {0};
    for (int row = 2; row >= 1; row--) {
        int descriptor = open(file, O_WRONLY);
        assert_int_equal(pwrite(descriptor, zeros, sizeof zeros,
                                PIAA_NPY_HEADER_SIZE + row * (off_t)sizeof zeros),
                         sizeof zeros);
        close(descriptor);
        /* Row 2 is looked at.  Row 1 is taken on trust: the disk has said that it has it. */
        heard warnings = {0};
        piaa_store *store = must_read(path, &warnings);
        assert_int_equal(warnings.count, 1);
        assert_non_null(strstr(warnings.last, "1 row did not reach the disk"));
        assert_true((piaa_store_vector(store, 0, 2, NULL) == NULL) &&
                    piaa_store_vector(store, 0, 1, NULL) != NULL);
        piaa_store_close(store);
    }
}

/* Stores in use hold these sums: FNV-1a over the values' 32-bit words, begun from the slot, and
   spread (the number is by another program, in Python). */
static void test_checksum(void **state) {
    (void)state;
    float lt[DIM], v[DIM];
    fill_vector(lt, 3, &LT3);
    fill_vector(v, 3, &V1);
    assert_true((piaa_store_sum(0, lt, LT3.dim) ^ piaa_store_sum(1, v, V1.dim)) ==
                UINT64_C(4362836241616317949));
}

/* A matrix that cannot be read now is neither empty nor damaged. */
static void test_passing_faults(void **state) {
    (void)state;
    const piaa_slots slots = SLOTS(LT3);
    const char *path = in(scratch, "s");
    make_store(path, &slots, 3);
    static const int errors[] = {EIO, EMFILE, ENFILE, EACCES, ENOMEM};
    for (size_t i = 0; i < PIAA_COUNT(errors); i++) {
        heard warnings = {0};
        piaa_hooks hooks = {.user = &warnings, .warn = hear};
        for (long step = 0; step < 3; step++) { /* open, fstat, mmap */
            piaa_error error = {0};
            faults_arm(FAULT_FILES, step, errors[i], false);
            assert_null(piaa_store_open_read(path, &hooks, &error));
            assert_true(faults_disarm());
            assert_int_equal(error.code, errors[i] == ENOMEM ? PIAA_MEMORY : PIAA_IO);
            assert_non_null(strstr(error.message, "lt.3.npy"));
        }
        assert_int_equal(warnings.count, 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_catalogue, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_batch_in_doubt, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_next_batch, set_up, tear_down),
        cmocka_unit_test(test_checksum),
        cmocka_unit_test_setup_teardown(test_passing_faults, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

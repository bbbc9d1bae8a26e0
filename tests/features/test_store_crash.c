/* The store after a kill, a power cut, and a bad disk. */
#include "store_helper.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

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

/* Overwrites part of a file in place. */
static void spoil(const char *path, int64_t offset, const void *bytes, size_t size) {
    int file = open(path, O_WRONLY);
    assert_true(file >= 0);
    assert_int_equal(pwrite(file, bytes, size, (off_t)offset), (ssize_t)size);
    close(file);
}

/* -------------------------------------------------------------------------------------- kill -9 */

/* Puts what is not there yet, for ever: photos in order, every fifth a copy of an earlier one,
 * every seventh a failure.  After each, the number that are there goes into `told`. */
static void write_until_killed(const char *path, const piaa_slots *slots, const char *told) {
    int progress = open(told, O_WRONLY | O_CREAT, 0666);
    piaa_store *store = piaa_store_open_write(path, &usual, slots, NULL, NULL);
    if (!store) _exit(1);
    for (int i = 0; i < 1000000; i++) {
        piaa_photo_state s;
        int content = i % 5 == 4 ? i - 3 : i;
        if (!piaa_store_lookup(store,
                               &(piaa_photo){.path = path_of(i),
                                             .size = i % 7 == 6 ? 5 : 1000 + content,
                                             .mtime_ns = 7},
                               &s, NULL, NULL))
            _exit(2);
        if (s.status == PIAA_PHOTO_COMPLETE || s.status == PIAA_PHOTO_FAILED) continue;
        const piaa_photo failed = {.path = path_of(i), .size = 5, .mtime_ns = 7};
        bool ok = i % 7 == 6 ? piaa_store_put_failure(store, &failed, "broken", NULL)
                             : put_as(store, slots, i, content, 7, NULL);
        size_t done = (size_t)i + 1;
        if (!ok || pwrite(progress, &done, sizeof done, 0) != (ssize_t)sizeof done) _exit(3);
    }
    _exit(0);
}

/* What NumPy would do: read the header, and the file must hold the rows that it counts. */
static void check_npy(const char *file, int dim) {
    char bytes[PIAA_NPY_HEADER_SIZE];
    int descriptor = open(file, O_RDONLY);
    if (descriptor < 0) return; /* not made yet */
    piaa_npy_header header;
    piaa_error error = {0};
    assert_int_equal(read(descriptor, bytes, sizeof bytes), (ssize_t)sizeof bytes);
    if (!piaa_npy_parse(bytes, sizeof bytes, (uint64_t)file_size(file), file, &header, &error))
        fail_msg("%s", error.message);
    assert_int_equal(header.shape[1], dim);
    close(descriptor);
}

/* Every photo that the catalogue lists has what belongs to it; photos come in order, so none may be
 * left out.  Vectors of the slots after the first may be missing while they are added, and never
 * wrong.  *missing counts them. */
static size_t check_photos(const char *path, const piaa_slots *slots, size_t *missing) {
    heard warnings = {0};
    piaa_store *store = must_read(path, &warnings);
    size_t count = piaa_store_photos(store);
    *missing = 0;
    for (size_t i = 0; i < count; i++) {
        const piaa_photo photo = piaa_store_photo(store, i);
        assert_string_equal(photo.path, path_of((int)i));
        if (i % 7 == 6) {
            assert_int_equal(photo.row, -1);
            assert_string_equal(photo.error, "broken");
            continue;
        }
        for (size_t k = 0; k < slots->count; k++) {
            const piaa_slot *slot = &slots->items[k];
            const float *vector = piaa_store_vector(
                store, piaa_store_find_slot(store, slot->pool, slot->layer), photo.row, NULL);
            if (k && !vector)
                ++*missing;
            else
                assert_true(holds(vector, (int)(i % 5 == 4 ? i - 3 : i), slot));
        }
    }
    assert_int_equal(warnings.count, 0);
    piaa_store_close(store);
    return count;
}

static size_t read_number(const char *path) {
    size_t number = 0;
    FILE *file = fopen(path, "rb");
    if (file && fread(&number, sizeof number, 1, file) != 1) number = 0;
    if (file) fclose(file);
    return number;
}

/* Every third run asks for one slot only, so that the others have something to add. */
static void test_kill(void **state) {
    (void)state;
    enum { KILLS = 45 };
    const piaa_slots both = SLOTS(LT3, V1), one = SLOTS(LT3);
    const char *path = in(scratch, "s"), *lt = in(path, "lt.3.npy"), *v = in(path, "v.1.npy"),
               *told = in(scratch, "told");
    seed_kills();
    size_t before = 0, missing = 0;
    for (int k = 0; k < KILLS; k++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) write_until_killed(path, k % 3 ? &both : &one, told);
        /* From before the store is made to long after the rows of the last run are caught up
           with. */
        for (int64_t looks = (int64_t)draw(k % 2 ? 2000 : 200); looks > 0; looks--) {
            check_npy(lt, LT3.dim);
            check_npy(v, V1.dim);
            nanosleep(&(struct timespec){0, (long)draw(30000)}, NULL);
        }
        assert_int_equal(kill(child, SIGKILL), 0);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        if (!WIFSIGNALED(status))
            fail_msg("the writer ended by itself with %d", WEXITSTATUS(status));
        check_npy(lt, LT3.dim);
        check_npy(v, V1.dim);
        if (!before && file_size(lt) < 0) continue; /* killed before the first row */
        size_t now = check_photos(path, &both, &missing);
        assert_true(now >= read_number(told) && now >= before);
        before = now;
    }
    assert_true(before > 100);

    piaa_store *store = must_write(path, &both, NULL);
    for (size_t i = 0; i < before; i++)
        if (i % 7 != 6)
            assert_true(put_as(store, &both, (int)i, (int)(i % 5 == 4 ? i - 3 : i), 7, NULL));
    must_finish(store);
    assert_int_equal(check_photos(path, &both, &missing), before);
    assert_int_equal(missing, 0);
}

/* ------------------------------------------------------------------------------------ power cut */

/* A child that puts `count` photos and is killed before they are known to be on the disk. */
static void leave_unsynced(const char *path, const piaa_slots *slots, int first, int count) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        piaa_store *store = piaa_store_open_write(path, &usual, slots, NULL, NULL);
        for (int i = first; store && i < first + count; i++)
            if (!put(store, slots, i, NULL)) _exit(1);
        raise(SIGKILL);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
}

static void test_power_cut(void **state) {
    (void)state;
    const piaa_slots slots = SLOTS(LT3, V1);
    const char *path = in(scratch, "s");
    make_store(path, &slots, 4);
    leave_unsynced(path, &slots, 4, 4);
    /* Row 5 of one matrix came out as zeros, as after a crash of a journalling file system. */
    const float zeros[DIM] = {0};
    spoil(in(path, "v.1.npy"), PIAA_NPY_HEADER_SIZE + 5 * V1.dim * 4, zeros, (size_t)V1.dim * 4);

    heard warnings = {0};
    piaa_store *store = must_read(path, &warnings);
    assert_int_equal(warnings.count, 1);
    assert_non_null(strstr(warnings.last, "1 row did not reach the disk before the last run was "
                                          "cut off; run piaa embed on the photos again"));
    assert_null(piaa_store_vector(store, 0, 5, NULL));
    assert_null(piaa_store_vector(store, 1, 5, NULL));
    assert_true(holds(piaa_store_vector(store, 0, 4, NULL), 4, &LT3));
    assert_true(holds(piaa_store_vector(store, 1, 7, NULL), 7, &V1));
    piaa_store_close(store);

    warnings = (heard){0};
    store = must_write(path, &slots, &warnings);
    assert_int_equal(warnings.count, 1);
    bool missing[2];
    assert_int_equal(look(store, 4, missing).status, PIAA_PHOTO_COMPLETE);
    assert_int_equal(look(store, 5, missing).status, PIAA_PHOTO_PARTIAL);
    assert_true(missing[0] && missing[1]);
    assert_true(put(store, &slots, 5, NULL));
    must_finish(store);
    warnings = (heard){0};
    store = must_read(path, &warnings);
    assert_int_equal(warnings.count, 0);
    for (int i = 0; i < 8; i++)
        assert_true(holds(piaa_store_vector(store, 0, i, NULL), i, &LT3) &&
                    holds(piaa_store_vector(store, 1, i, NULL), i, &V1));
    piaa_store_close(store);
}

/* ------------------------------------------------------------------------------------ bad disks */

static void cut(const char *path, int64_t size) {
    assert_int_equal(truncate(path, (off_t)size), 0);
}

/* After `harm` to v.1.npy, `lost` of 6 vectors are told and never handed out; a writer computes
   them anew and the store is whole again. */
static void check_mended(const char *path, int lost) {
    const piaa_slots slots = SLOTS(LT3, V1);
    heard warnings = {0};
    piaa_store *store = must_read(path, &warnings);
    assert_int_equal(warnings.count, 1);
    char wanted[200];
    snprintf(wanted, sizeof wanted, "v.1.npy is damaged: %d vector%s that the catalogue promises",
             lost, lost == 1 ? "" : "s");
    if (!strstr(warnings.last, wanted)) fail_msg("%s", warnings.last);
    assert_non_null(
        strstr(warnings.last, "run piaa embed on the photos again to compute them anew"));
    assert_int_equal(piaa_store_filled(store, 0), 6);
    assert_int_equal(piaa_store_filled(store, 1), 6 - lost);
    for (int i = 0; i < 6; i++) {
        assert_true(holds(piaa_store_vector(store, 0, i, NULL), i, &LT3));
        if (i < 6 - lost)
            assert_true(holds(piaa_store_vector(store, 1, i, NULL), i, &V1));
        else
            assert_null(piaa_store_vector(store, 1, i, NULL));
    }
    piaa_store_close(store);

    warnings = (heard){0};
    store = must_write(path, &slots, &warnings);
    assert_int_equal(warnings.count, 1);
    assert_non_null(strstr(warnings.last, "computed anew when their photos come up"));
    bool missing[2];
    for (int i = 0; i < 6; i++) {
        bool gone = i >= 6 - lost;
        assert_int_equal(look(store, i, missing).status,
                         gone ? PIAA_PHOTO_PARTIAL : PIAA_PHOTO_COMPLETE);
        assert_false(missing[0]);
        assert_int_equal(missing[1], gone);
        if (gone) assert_true(put(store, &slots, i, NULL));
    }
    must_finish(store);
    warnings = (heard){0};
    store = must_read(path, &warnings);
    assert_int_equal(warnings.count, 0);
    for (int i = 0; i < 6; i++) assert_true(holds(piaa_store_vector(store, 1, i, NULL), i, &V1));
    piaa_store_close(store);
}

static void test_damaged_matrices(void **state) {
    (void)state;
    const piaa_slots slots = SLOTS(LT3, V1);
    const char *path = in(scratch, "s"), *file = in(path, "v.1.npy");
    const int64_t row = V1.dim * 4;
    make_store(path, &slots, 6);
    cut(file, PIAA_NPY_HEADER_SIZE + 4 * row + 1);
    check_mended(path, 2);
    cut(file, PIAA_NPY_HEADER_SIZE);
    check_mended(path, 6);
    cut(file, 50);
    check_mended(path, 6);
    cut(file, 0);
    check_mended(path, 6);
    assert_int_equal(unlink(file), 0);
    check_mended(path, 6);
    spoil(file, 0, "not NumPy", 9);
    check_mended(path, 6);
    char header[PIAA_NPY_HEADER_SIZE];
    piaa_npy_header_write(header, "<f4", 6, V1.dim + 1);
    spoil(file, 0, header, sizeof header);
    check_mended(path, 6);
    piaa_npy_header_write(header, "<f4", 5, V1.dim);
    spoil(file, 0, header, sizeof header);
    check_mended(path, 1);
    piaa_npy_header_write(header, "<f4", INT64_C(1) << 40, V1.dim);
    spoil(file, 0, header, sizeof header);
    cut(file, PIAA_NPY_HEADER_SIZE + 3 * row);
    check_mended(path, 3);

    /* A folder in a matrix's place is not ours to replace. */
    assert_int_equal(unlink(file), 0);
    assert_int_equal(mkdir(file, 0777), 0);
    piaa_error error = {0};
    assert_null(piaa_store_open_write(path, &usual, &slots, NULL, &error));
    assert_int_equal(error.code, PIAA_IO);
    assert_non_null(strstr(error.message, "v.1.npy"));
}

/* A header that counts more rows than the catalogue (killed between the two) is brought back. */
static void test_surplus_rows(void **state) {
    (void)state;
    const piaa_slots slots = SLOTS(LT3);
    const char *path = in(scratch, "s"), *file = in(path, "lt.3.npy");
    make_store(path, &slots, 3);
    float row[DIM] = {1, 2, 3};
    spoil(file, PIAA_NPY_HEADER_SIZE + 3 * DIM * 4, row, sizeof row);
    char header[PIAA_NPY_HEADER_SIZE];
    piaa_npy_header_write(header, "<f4", 4, DIM);
    spoil(file, 0, header, sizeof header);
    heard warnings = {0};
    piaa_store *store = must_read(path, &warnings);
    int64_t rows;
    assert_non_null(piaa_store_matrix(store, 0, &rows));
    assert_int_equal(rows, 3);
    piaa_store_close(store);
    store = must_write(path, &slots, &warnings);
    assert_true(put(store, &slots, 3, NULL));
    must_finish(store);
    store = must_read(path, &warnings);
    assert_true(holds(piaa_store_vector(store, 0, 3, NULL), 3, &LT3));
    assert_int_equal(warnings.count, 0);
    piaa_store_close(store);
}

/* ------------------------------------------------------------------------------- bad catalogues */

/* Opens both ways and touches everything; anything but a crash or a lie about memory is fine. */
static int try_everything(const char *path, const piaa_slots *slots) {
    int refused = 0;
    piaa_error error = {0};
    float sum = 0;
    piaa_store *store = piaa_store_open_read(path, NULL, &error);
    if (store) {
        for (size_t i = 0; i < piaa_store_photos(store); i++)
            for (size_t s = 0; s < piaa_store_slots(store)->count; s++) {
                const float *vector =
                    piaa_store_vector(store, (int)s, piaa_store_photo(store, i).row, NULL);
                if (vector) sum += vector[0] + vector[piaa_store_slots(store)->items[s].dim - 1];
            }
        if (isnan(sum)) print_message("a sum is not a number\n");
        piaa_store_close(store);
    } else {
        refused++;
        assert_true(error.code != PIAA_OK && error.message[0]);
    }
    piaa_error_clear(&error);
    store = piaa_store_open_write(path, &usual, slots, NULL, &error);
    if (store) {
        for (int i = 0; i < 30; i++) {
            piaa_photo_state s;
            bool missing[2];
            if (!piaa_store_lookup(
                    store, &(piaa_photo){.path = path_of(i), .size = 1000 + i, .mtime_ns = 7}, &s,
                    missing, NULL))
                break;
            if (s.status != PIAA_PHOTO_COMPLETE && !put(store, slots, i, NULL)) break;
        }
        piaa_store_close(store);
    } else {
        refused++;
        assert_true(error.code != PIAA_OK && error.message[0]);
    }
    return refused;
}

static void write_plainly(const char *path, const char *bytes, size_t size) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

static void test_damaged_catalogues(void **state) {
    (void)state;
    const piaa_slots slots = SLOTS(LT3, V1);
    const char *path = in(scratch, "s");
    const char *file = in(path, "catalog.sqlite");
    static const char *const names[] = {"lock", "catalog.sqlite", "lt.3.npy", "v.1.npy"};
    enum { FILES = 4 };
    char *kept[FILES];
    size_t sizes[FILES];
    make_store(path, &slots, 25);
    for (int i = 0; i < FILES; i++)
        assert_non_null(kept[i] = piaa_file_read(in(path, names[i]), 1 << 24, &sizes[i], NULL));
    const char *good = kept[1];
    size_t size = sizes[1];
    char *bad = malloc(size);
    seed = UINT64_C(88172645463325252);
    int refused = 0;
    for (int round = 0; round < 90; round++) {
        memcpy(bad, good, size);
        size_t length = size;
        int kind = round % 3;
        if (kind == 0) { /* a run of random bytes */
            size_t at = (size_t)draw(size), n = 1 + (size_t)draw(512);
            for (size_t i = at; i < at + n && i < size; i++) bad[i] = (char)draw(256);
        } else if (kind == 1) { /* single bytes here and there */
            for (int i = 0; i < 20; i++) bad[draw(size)] = (char)draw(256);
        } else {
            length = (size_t)draw(size);
        }
        remove_tree(path);
        assert_int_equal(mkdir(path, 0777), 0);
        for (int i = 0; i < FILES; i++)
            write_plainly(in(path, names[i]), i == 1 ? bad : kept[i], i == 1 ? length : sizes[i]);
        refused += try_everything(path, &slots);
    }
    assert_true(refused > 60);

    /* The catalogue gone or emptied beside full matrices: they are not overwritten. */
    remove_tree(path);
    make_store(path, &slots, 25);
    cut(file, 0);
    piaa_error error = {0};
    assert_null(piaa_store_open_write(path, &usual, &slots, NULL, &error));
    assert_non_null(
        strstr(error.message,
               "catalog.sqlite is damaged: put a copy of it back, or delete the store's folder"));
    assert_null(piaa_store_open_read(path, NULL, &error));
    assert_int_equal(unlink(file), 0);
    piaa_error_clear(&error);
    assert_null(piaa_store_open_write(path, &usual, &slots, NULL, &error));
    assert_non_null(strstr(error.message, "is neither a store nor empty"));
    assert_int_equal(file_size(in(path, "lt.3.npy")), PIAA_NPY_HEADER_SIZE + 25 * DIM * 4);
    assert_true(piaa_file_write(file, good, size, NULL));
    assert_int_equal(try_everything(path, &slots), 0);
    for (int i = 0; i < FILES; i++) free(kept[i]);
    free(bad);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kill, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_power_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damaged_matrices, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_surplus_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damaged_catalogues, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

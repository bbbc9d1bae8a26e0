/* One growing .npy file: what is in it after every step, as a reader beside the writer sees it, and
 * what is left of it when a step fails. */
#include "faults.h"
#include "store_helper.h"

#include "features/matrix.h"

#include <math.h>

static char *scratch;
static const char *file;
enum { WIDE = 1000 };

static int set_up(void **state) {
    (void)state;
    scratch = scratch_new();
    file = in(scratch, "lt.3.npy");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    scratch_drop(scratch);
    return 0;
}

static piaa_matrix must_open(int dim, int64_t most) {
    piaa_matrix m;
    piaa_error error = {0};
    if (!piaa_matrix_open(&m, file, dim, most, &error)) fail_msg("%s", error.message);
    return m;
}

static void fill(float *row, int dim, int number) {
    for (int i = 0; i < dim; i++) row[i] = (float)(number * 10000 + i);
}

static void put_row(piaa_matrix *m, int64_t row, int number) {
    float values[WIDE];
    fill(values, m->dim, number);
    piaa_error error = {0};
    if (!piaa_matrix_write(m, row, values, &error)) fail_msg("%s", error.message);
}

/* The file as NumPy would read it: `rows` of `dim` float32; numbers[i] is what was put in row i, -1
   for NaN. */
static void check_file(int dim, const int *numbers, int64_t rows) {
    size_t size;
    piaa_error error = {0};
    char *bytes = piaa_file_read(file, 1 << 24, &size, &error);
    piaa_npy_header header;
    if (!bytes || !piaa_npy_parse(bytes, size, size, file, &header, &error))
        fail_msg("%s", error.message);
    assert_true(header.dimensions == 2 && header.width == 4);
    assert_int_equal(header.shape[0], rows);
    assert_int_equal(header.shape[1], dim);
    assert_true(size >= header.data_start + (size_t)rows * (size_t)dim * 4);
    for (int64_t r = 0; r < rows; r++) {
        float values[WIDE], wanted[WIDE];
        memcpy(values, bytes + header.data_start + (size_t)r * (size_t)dim * 4, (size_t)dim * 4);
        fill(wanted, dim, numbers[r]);
        for (int i = 0; i < dim; i++)
            assert_true(numbers[r] < 0 ? isnan(values[i]) : values[i] == wanted[i]);
    }
    free(bytes);
}

static void test_growth(void **state) {
    (void)state;
    piaa_matrix m = must_open(3, 100);
    assert_true(m.rows == 0 && file_size(file) < 0 && !m.dirty);
    assert_true(piaa_matrix_sync(&m, NULL)); /* of nothing */
    put_row(&m, 0, 7);
    assert_true(m.made && m.dirty && m.rows == 1);
    check_file(3, (int[]){7}, 1);
    assert_int_equal(file_size(in(scratch, "lt.3.npy.new")), -1);
    put_row(&m, 3, 8); /* rows in between were never asked for */
    check_file(3, (int[]){7, -1, -1, 8}, 4);
    put_row(&m, 1, 9); /* one of them comes later */
    assert_int_equal(m.rows, 4);
    check_file(3, (int[]){7, 9, -1, 8}, 4);
    assert_true(piaa_matrix_sync(&m, NULL));
    assert_true(!m.made && !m.dirty);

    float values[3];
    assert_true(piaa_matrix_read(&m, 1, values, NULL));
    assert_true(values[0] == 90000 && values[1] == 90001 && values[2] == 90002);
    assert_true(piaa_matrix_fit(&m, 6, NULL));
    check_file(3, (int[]){7, 9, -1, 8, -1, -1}, 6);
    /* Rows that no longer count stay in the file: somebody may have it mapped. */
    int64_t size = file_size(file);
    assert_true(piaa_matrix_fit(&m, 2, NULL));
    assert_true(m.dirty);
    check_file(3, (int[]){7, 9}, 2);
    assert_int_equal(file_size(file), size);
    assert_true(piaa_matrix_fit(&m, 3, NULL)); /* not the 8 that was there */
    check_file(3, (int[]){7, 9, -1}, 3);
    piaa_matrix_close(&m);
}

/* The gap before a row is longer than what is written at a time (65,536 values). */
static void test_wide_gap(void **state) {
    (void)state;
    piaa_matrix m = must_open(WIDE, 1000);
    put_row(&m, 150, 5);
    int numbers[151];
    for (int i = 0; i < 150; i++) numbers[i] = -1;
    numbers[150] = 5;
    check_file(WIDE, numbers, 151);
    assert_int_equal(file_size(file), PIAA_NPY_HEADER_SIZE + 151 * WIDE * 4);
    piaa_matrix_close(&m);
}

static void test_reopening(void **state) {
    (void)state;
    piaa_matrix m = must_open(3, 100);
    for (int i = 0; i < 5; i++) put_row(&m, i, i);
    piaa_matrix_close(&m);
    m = must_open(3, 5);
    assert_true(m.rows == 5 && !m.dirty && !m.made);
    piaa_matrix_close(&m);
    /* The catalogue knows of four. */
    m = must_open(3, 4);
    assert_true(m.rows == 4 && m.dirty);
    check_file(3, (int[]){0, 1, 2, 3}, 4);
    piaa_matrix_close(&m);
    /* The file holds three and a half. */
    assert_int_equal(truncate(file, PIAA_NPY_HEADER_SIZE + 3 * 12 + 6), 0);
    m = must_open(3, 100);
    assert_int_equal(m.rows, 3);
    put_row(&m, 3, 9);
    check_file(3, (int[]){0, 1, 2, 9}, 4);
    piaa_matrix_close(&m);
    /* Somebody else's shape counts as nothing. */
    m = must_open(4, 100);
    assert_int_equal(m.rows, 0);
    piaa_matrix_close(&m);
    check_file(4, NULL, 0);
}

/* ---------------------------------------------------------------------------------- what fails */

/* The step that fails is told, and the same call works when the disk does again. */
static void test_failed_making(void **state) {
    (void)state;
    /* open, pwrite of the header, rename; then pwrite of the values and of the header. */
    for (int step = 0; step < 5; step++) {
        unlink(file);
        piaa_matrix m = must_open(3, 100);
        float values[3] = {10000, 10001, 10002};
        piaa_error error = {0};
        faults_arm(FAULT_FILES, step, EIO, false);
        assert_false(piaa_matrix_write(&m, 0, values, &error));
        assert_true(faults_disarm());
        assert_int_equal(error.code, PIAA_IO);
        assert_non_null(strstr(error.message, "cannot write "));
        assert_non_null(strstr(error.message, "lt.3.npy: "));
        assert_int_equal(m.rows, 0);
        assert_int_equal(file_size(in(scratch, "lt.3.npy.new")), -1);
        assert_int_equal(m.file >= 0, step >= 3);
        if (step >= 3) check_file(3, NULL, 0);
        put_row(&m, 0, 1);
        check_file(3, (int[]){1}, 1);
        piaa_matrix_close(&m);
    }
}

static void test_full_disk(void **state) {
    (void)state;
    piaa_matrix m = must_open(3, 100);
    put_row(&m, 0, 1);
    /* pwrite of the gap, of the header behind it, of the values, of the header. */
    for (int step = 0; step < 4; step++) {
        float values[3] = {0};
        piaa_error error = {0};
        assert_true(piaa_matrix_fit(&m, 1, NULL));
        faults_arm(FAULT_FILES, step, step % 2 ? ENOSPC : EDQUOT, true);
        assert_false(piaa_matrix_write(&m, 3, values, &error));
        assert_true(faults_disarm());
        assert_non_null(strstr(error.message, "the disk is full, "));
        assert_int_equal(m.rows, step < 2 ? 1 : 3);
        check_file(3, (int[]){1, -1, -1}, m.rows);
    }
    put_row(&m, 3, 2);
    check_file(3, (int[]){1, -1, -1, 2}, 4);
    /* What did not reach the disk is still to be brought there. */
    piaa_error error = {0};
    faults_arm(FAULT_FILES, 0, EIO, false);
    assert_false(piaa_matrix_sync(&m, &error));
    assert_true(faults_disarm() && m.dirty && m.made);
    assert_int_equal(error.code, PIAA_IO);
    assert_true(piaa_matrix_sync(&m, NULL));
    assert_true(!m.dirty && !m.made);
    faults_arm(FAULT_FILES, 0, EIO, false);
    assert_true(piaa_matrix_sync(&m, NULL)); /* nothing is asked of the disk */
    assert_false(faults_disarm());
    piaa_matrix_close(&m);
}

/* A disk that cannot be read now is no empty matrix. */
static void test_failed_reading(void **state) {
    (void)state;
    piaa_matrix m = must_open(3, 100);
    for (int i = 0; i < 4; i++) put_row(&m, i, i);
    float values[3];
    piaa_error error = {0};
    faults_arm(FAULT_FILES, 0, EIO, false);
    assert_false(piaa_matrix_read(&m, 2, values, &error));
    assert_true(faults_disarm());
    assert_int_equal(error.code, PIAA_IO);
    faults_arm(FAULT_FILES, 0, EINTR, false); /* a signal is no failure */
    assert_true(piaa_matrix_read(&m, 2, values, NULL));
    assert_true(faults_disarm() && values[1] == 20001);
    piaa_matrix_close(&m);
    for (int step = 0; step < 3; step++) { /* open, fstat, pread of the header */
        error = (piaa_error){0};
        faults_arm(FAULT_FILES, step, EIO, false);
        assert_false(piaa_matrix_open(&m, file, 3, 100, &error));
        assert_true(faults_disarm());
        assert_int_equal(error.code, PIAA_IO);
        assert_int_equal(m.file, -1);
        assert_null(m.path);
        check_file(3, (int[]){0, 1, 2, 3}, 4);
    }
}

static void test_no_memory(void **state) {
    (void)state;
    piaa_matrix m;
    piaa_error error = {0};
    faults_arm(FAULT_MEMORY, 0, ENOMEM, false);
    assert_false(piaa_matrix_open(&m, file, 3, 100, &error));
    assert_true(faults_disarm());
    assert_int_equal(error.code, PIAA_MEMORY);
    m = must_open(3, 100);
    for (int step = 0; step < 2; step++) { /* the temporary name, the NaNs of the gap */
        float row[3] = {0};
        faults_arm(FAULT_MEMORY, step, ENOMEM, false);
        error = (piaa_error){0};
        assert_false(piaa_matrix_write(&m, 2, row, &error));
        assert_true(faults_disarm());
        assert_int_equal(error.code, PIAA_MEMORY);
        assert_int_equal(m.rows, 0);
    }
    put_row(&m, 2, 1);
    check_file(3, (int[]){-1, -1, 1}, 3);
    piaa_matrix_close(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_growth, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wide_gap, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reopening, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_failed_making, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full_disk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_failed_reading, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_memory, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

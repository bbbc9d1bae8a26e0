/* A packed store says what the store says that it was made of; a flipped bit anywhere in it is
   found; what ends its making leaves nothing that looks whole. */
#include "faults.h"
#include "store_helper.h"

#include "base/narrow.h"
#include "features/packed_index.h"

#include <math.h>

static char *scratch;
static const char *plain, *packed, *part;

static int set_up(void **state) {
    (void)state;
    scratch = scratch_new();
    plain = in(scratch, "plain");
    packed = in(scratch, "packed");
    part = in(scratch, "packed.part");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    scratch_drop(scratch);
    return 0;
}

static bool pack_as(piaa_packing packing, const char *features, piaa_error *error) {
    return piaa_store_pack(plain, packed, &(piaa_pack_options){packing, features}, NULL, error);
}

static void must_pack(piaa_packing packing, const char *features) {
    piaa_error error = {0};
    remove_tree(packed);
    if (!pack_as(packing, features, &error)) fail_msg("%s", error.message);
    assert_int_equal(file_size(part), -1);
}

/* The photos of make_part; 3 has lost a part, 4 is a raw file, 5 has only the first of its vectors,
   and one row belongs to a photo that is gone. */
static void make_plain(void) {
    make_part(plain, 0, 1);
    const piaa_slots lt = SLOTS(LT3);
    float values[DIM];
    fill_vector(values, 50, &LT3);
    piaa_store *store = must_write(plain, &lt, NULL);
    const piaa_photo one = {.path = path_of(50),
                            .size = 9,
                            .mtime_ns = -7,
                            .ctime_ns = 8,
                            .inode = 99,
                            .hash = hash_of(50),
                            .damage = "the end is missing",
                            .note = "the camera's own picture"};
    assert_true(piaa_store_put(store, &one, &(const float *){values}, NULL));
    assert_true(put(store, &lt, 51, NULL));
    assert_true(piaa_store_forget(store, path_of(51), NULL));
    must_finish(store);
}

/* --------------------------------------------------------------------------------------- numbers
 */

/* What the nearest number with `digits` binary digits and exponents from `least` on is, by the C
   library's arithmetic on doubles. */
static float nearest(float x, int digits, int least) {
    int exponent;
    frexp((double)x, &exponent);
    if (exponent < least) exponent = least;
    const double unit = ldexp(1, exponent - digits);
    return (float)(nearbyint((double)x / unit) * unit);
}

/* IEEE 754 half precision: 11 digits, the least normal number 2^-14, which frexp calls 0.5 x 2^-13.
   bfloat16: 8 digits. */
static void numbers_become_their_nearest(void **state) {
    (void)state;
    seed_kills();
    static const float known[] = {0,      1,         -1,           65504,    0x1p-24F, 0x1p-25F,
                                  1e-20F, -0x3p-25F, 0x1.ffcp-15F, 1.00049F, 2049,     2051};
    for (int i = 0; i < 20000; i++) {
        const float x = i < (int)PIAA_COUNT(known)
                            ? known[i]
                            : ldexpf((float)draw(1 << 24) / (1 << 23) - 1, (int)draw(40) - 25);
        uint16_t narrow;
        float wide;
        assert_true(piaa_narrow_half(&x, 1, &narrow));
        piaa_widen_half(&narrow, 1, &wide);
        assert_true(wide == nearest(x, 11, -13));
        piaa_narrow_bfloat(&x, 1, &narrow);
        piaa_widen_bfloat(&narrow, 1, &wide);
        assert_true(wide == nearest(x, 8, -125));
    }
    static const float odd[] = {INFINITY, -INFINITY, NAN, 65519, 65520};
    uint16_t halves[5], bfloats[5];
    float back[5];
    assert_true(piaa_narrow_half(odd, 4, halves)); /* 65519 is nearer to 65504 */
    assert_false(piaa_narrow_half(odd, 5, halves));
    piaa_widen_half(halves, 4, back);
    assert_true(back[0] == INFINITY && back[1] == -INFINITY && isnan(back[2]) && back[3] == 65504);
    piaa_narrow_bfloat(odd, 5, bfloats);
    piaa_widen_bfloat(bfloats, 5, back);
    assert_true(back[0] == INFINITY && back[1] == -INFINITY && isnan(back[2]) && back[4] == 65536);
}

/* ------------------------------------------------------------------------------------ what it says
 */

static void expect_vectors(const piaa_store *store, const piaa_store *wide, piaa_packing packing) {
    const piaa_slots *slots = piaa_store_slots(wide);
    for (int s = 0; s < (int)slots->count; s++)
        for (int64_t row = -1; row <= piaa_store_count(wide).rows; row++) {
            float room[DIM];
            const float *x = piaa_store_vector(wide, s, row, NULL),
                        *y = piaa_store_vector(store, s, row, room);
            assert_int_equal(piaa_store_has(store, s, row), x != NULL);
            assert_true((x == NULL) == (y == NULL));
            for (int j = 0; x && j < slots->items[s].dim; j++) {
                const float expected = packing == PIAA_PACKED_F16    ? nearest(x[j], 11, -13)
                                       : packing == PIAA_PACKED_BF16 ? nearest(x[j], 8, -125)
                                                                     : x[j];
                /* Each column of fill_vector's goes from 0 to 50 above its first: steps of 50/254,
                   and no value is farther than half a one from its code. */
                if (packing == PIAA_PACKED_INT8)
                    assert_true(fabsf(y[j] - x[j]) <= 25.01F / 254);
                else
                    assert_true(y[j] == expected);
            }
        }
}

static void packed_says_the_same(void **state) {
    (void)state;
    make_plain();
    piaa_store *wide = must_read(plain, NULL);
    for (piaa_packing packing = PIAA_PACKED_F32; packing <= PIAA_PACKED_INT8; packing++) {
        must_pack(packing, NULL);
        heard warnings = {0};
        piaa_store *store = must_read(packed, &warnings);
        assert_int_equal(piaa_store_packing(store), packing);
        expect_same_photos(wide, store);
        const piaa_photo one = piaa_store_find(store, path_of(50));
        assert_string_equal(one.damage, "the end is missing");
        assert_string_equal(one.note, "the camera's own picture");
        assert_true(one.mtime_ns == -7 && one.ctime_ns == 8 && one.inode == 99 && !one.error);
        for (int i = 0; i < PHOTOS; i++)
            assert_int_equal(piaa_store_find(store, path_of(i)).row,
                             piaa_store_find(wide, path_of(i)).row);
        assert_null(piaa_store_find(store, path_of(51)).path);
        assert_null(piaa_store_find(store, "/a").path);
        assert_null(piaa_store_find(store, "/z").path);
        assert_int_equal(piaa_store_photo(store, PHOTOS + 1).row, -1);
        assert_string_equal(piaa_store_meta(store, "prompt"), usual.prompt);
        const piaa_store_counts a = piaa_store_count(wide), b = piaa_store_count(store);
        assert_memory_equal(&a, &b, sizeof a);
        assert_int_equal(a.orphans, 1);
        for (int s = 0; s < 2; s++)
            assert_int_equal(piaa_store_filled(wide, s), piaa_store_filled(store, s));
        int64_t rows;
        assert_int_equal(piaa_store_matrix(store, 0, &rows) != NULL, packing == PIAA_PACKED_F32);
        assert_int_equal(rows, a.rows);
        expect_vectors(store, wide, packing);
        float all[3 * DIM / 2];
        assert_true(piaa_store_vectors(store, 1, (const int64_t[]){2, 39, 0}, 3, all, NULL));
        assert_true(isnan(all[DIM / 2]) && !isnan(all[0]) && !isnan(all[DIM]));
        assert_false(piaa_store_vectors(store, 2, NULL, 0, all, NULL));
        assert_true(piaa_store_refresh(store, NULL));
        expect_same_photos(wide, store);
        assert_int_equal(warnings.count, 0);
        piaa_store_close(store);
    }
    piaa_store_close(wide);
}

static void some_matrices_are_packed(void **state) {
    (void)state;
    make_plain();
    must_pack(PIAA_PACKED_F32, "v.1");
    piaa_store *store = must_read(packed, NULL);
    assert_int_equal(piaa_store_slots(store)->count, 1);
    assert_int_equal(piaa_store_find_slot(store, PIAA_V, 1), 0);
    assert_true(
        holds(piaa_store_vector(store, 0, piaa_store_find(store, path_of(8)).row, NULL), 8, &V1));
    piaa_store_close(store);
    remove_tree(packed);
    piaa_error error = {0};
    assert_false(pack_as(PIAA_PACKED_F32, "v.1+lt.4", &error));
    assert_int_equal(error.code, PIAA_MISMATCH);
    assert_non_null(strstr(error.message, "holds no lt.4"));
}

/* The catalogue keeps paths that are not UTF-8 apart, and the order is of bytes: é, a lone e9, 🂡,
   a lone ff.  There are more of both kinds than are read at a time. */
static void paths_are_in_order_of_bytes(void **state) {
    (void)state;
    static const char *const forms[] = {"/photos/%04d", "/photos/\xc3\xa9%04d", "/photos/\xe9%04d",
                                        "/photos/\xf0\x9f\x82\xa1%04d", "/photos/\xff%04d"};
    enum { EACH = 300 };
    piaa_store *store = must_write(plain, &LT3_V1, NULL);
    for (int i = EACH; i-- > 0;)
        for (size_t k = 0; k < PIAA_COUNT(forms); k++) {
            char path[64];
            snprintf(path, sizeof path, forms[k], i);
            const piaa_photo line = {.path = path, .size = 5, .mtime_ns = 7};
            assert_true(piaa_store_put_failure(store, &line, "broken", NULL));
        }
    must_finish(store);
    must_pack(PIAA_PACKED_F32, NULL);
    piaa_store *wide = must_read(plain, NULL), *other = must_read(packed, NULL);
    assert_int_equal(piaa_store_photos(other), EACH * PIAA_COUNT(forms));
    expect_same_photos(wide, other);
    for (size_t i = 1; i < piaa_store_photos(other); i++)
        assert_true(strcmp(piaa_store_photo(other, i - 1).path, piaa_store_photo(other, i).path) <
                    0);
    assert_int_equal(piaa_store_count(other).failed, EACH * PIAA_COUNT(forms));
    piaa_store_close(wide);
    piaa_store_close(other);
}

static void an_empty_store_is_packed(void **state) {
    (void)state;
    make_store(plain, &LT3_V1, 0);
    must_pack(PIAA_PACKED_INT8, NULL);
    piaa_store *store = must_read(packed, NULL);
    assert_int_equal(piaa_store_photos(store), 0);
    assert_null(piaa_store_find(store, path_of(0)).path);
    piaa_store_close(store);
}

/* -------------------------------------------------------------------------------------- refusals
 */

static void expect_error(bool ok, const piaa_error *error, piaa_code code, const char *part_of) {
    assert_false(ok);
    assert_int_equal(error->code, code);
    if (!strstr(error->message, part_of)) fail_msg("expected \"%s\": %s", part_of, error->message);
}

static void writers_refuse(void **state) {
    (void)state;
    static const char *const says = "is a packed store, which can only be read";
    make_plain();
    must_pack(PIAA_PACKED_F16, NULL);
    piaa_error e[6] = {0};
    const char *const from[] = {plain, packed};
    expect_error(piaa_store_open_write(packed, &usual, &LT3_V1, NULL, &e[0]), &e[0], PIAA_USAGE,
                 says);
    expect_error(piaa_store_prune(packed, NULL, NULL, &e[1]), &e[1], PIAA_USAGE, says);
    expect_error(piaa_store_verify(packed, true, NULL, NULL, &e[2]), &e[2], PIAA_USAGE, says);
    expect_error(piaa_store_merge(packed, from, 1, NULL, &e[3]), &e[3], PIAA_USAGE, says);
    expect_error(piaa_store_merge(in(scratch, "other"), from, 2, NULL, &e[4]), &e[4], PIAA_USAGE,
                 says);
    expect_error(piaa_store_pack(packed, in(scratch, "other"), NULL, NULL, &e[5]), &e[5],
                 PIAA_USAGE, says);
    assert_int_equal(file_size(in(scratch, "other")), -1);
    piaa_error there = {0};
    expect_error(pack_as(PIAA_PACKED_F16, NULL, &there), &there, PIAA_USAGE, "is there already");
}

/* A folder that has the name of the place where packing goes on, and is somebody's own: a store, a
   folder with matrices, one with a lock beside other things, a link to a store. */
static void what_others_made_is_left(void **state) {
    (void)state;
    static const char *const others[] = {"catalog.sqlite", "mine.npy", "lt.3.npy.old"};
    make_plain();
    make_store(part, &LT3_V1, 3);
    piaa_error e[6] = {0};
    expect_error(pack_as(PIAA_PACKED_F16, NULL, &e[0]), &e[0], PIAA_USAGE, "is there already");
    piaa_store *store = must_read(part, NULL);
    assert_true(piaa_store_photos(store) == 3 && piaa_store_has(store, 0, 0));
    piaa_store_close(store);
    for (size_t i = 0; i < PIAA_COUNT(others); i++) {
        remove_tree(part);
        assert_int_equal(mkdir(part, 0777), 0);
        assert_true(piaa_file_write(in(part, "lock"), "", 0, NULL));
        assert_true(piaa_file_write(in(part, "lt.3.npy"), "x", 1, NULL));
        assert_true(piaa_file_write(in(part, others[i]), "x", 1, NULL));
        expect_error(pack_as(PIAA_PACKED_F16, NULL, &e[1 + i]), &e[1 + i], PIAA_USAGE,
                     "is there already");
        assert_int_equal(file_size(in(part, "lt.3.npy")), 1);
        assert_int_equal(file_size(in(part, others[i])), 1);
    }
    remove_tree(part);
    assert_int_equal(symlink(plain, part), 0);
    expect_error(pack_as(PIAA_PACKED_F16, NULL, &e[4]), &e[4], PIAA_USAGE, "is there already");
    assert_int_equal(unlink(part), 0);
    must_pack(PIAA_PACKED_F16, NULL);
    /* A folder that is asked for stays where nothing comes to be in it. */
    remove_tree(packed);
    assert_int_equal(mkdir(packed, 0777), 0);
    assert_false(piaa_store_pack(in(scratch, "nothing"), packed, NULL, NULL, &e[5]));
    assert_true(file_size(packed) >= 0);
}

static void put_value(int photo, float value) {
    piaa_store *store = must_write(plain, &LT3_V1, NULL);
    float lt[DIM], v[DIM];
    fill_vector(lt, photo, &LT3);
    fill_vector(v, photo, &V1);
    lt[5] = value;
    const piaa_photo line = {
        .path = path_of(photo), .size = 1, .mtime_ns = 7, .hash = hash_of(photo)};
    assert_true(piaa_store_put(store, &line, (const float *[]){lt, v}, NULL));
    must_finish(store);
}

static void what_does_not_fit_is_refused(void **state) {
    (void)state;
    make_plain();
    put_value(60, 70000);
    piaa_error e[2] = {0};
    expect_error(pack_as(PIAA_PACKED_F16, NULL, &e[0]), &e[0], PIAA_UNSUPPORTED, "above 65504");
    assert_int_equal(file_size(part), -1);
    must_pack(PIAA_PACKED_BF16, NULL);
    remove_tree(packed);
    put_value(61, INFINITY);
    expect_error(pack_as(PIAA_PACKED_INT8, NULL, &e[1]), &e[1], PIAA_UNSUPPORTED, "not finite");
    must_pack(PIAA_PACKED_F32, NULL);
}

/* --------------------------------------------------------------------------------- flipped bits */

static void flip(const char *file, int64_t at, int bit) {
    const int descriptor = open(file, O_RDWR);
    unsigned char byte;
    assert_int_equal(pread(descriptor, &byte, 1, (off_t)at), 1);
    byte ^= (unsigned char)(1 << bit);
    assert_int_equal(pwrite(descriptor, &byte, 1, (off_t)at), 1);
    close(descriptor);
}

static bool is_found(void) {
    int64_t damaged = 0;
    piaa_error error = {0};
    const bool ok = piaa_store_verify(packed, false, NULL, &damaged, &error);
    assert_true(ok || (error.code != PIAA_OK && error.message[0]));
    return !ok || damaged > 0;
}

/* Whatever it says: it does not end the program. */
static void read_anyhow(void) {
    piaa_store *store = piaa_store_open_read(packed, NULL, NULL);
    for (size_t i = 0; store && i < piaa_store_photos(store); i++) {
        const piaa_photo photo = piaa_store_photo(store, i);
        float room[DIM];
        piaa_store_find(store, photo.path);
        for (int s = 0; s < 2; s++) piaa_store_vector(store, s, photo.row, room);
    }
    piaa_store_close(store);
}

/* The seventh bits among those of all files, so that each bit of a byte has its turn. */
static void every_flipped_bit_is_found(void **state) {
    (void)state;
    static const char *const names[] = {PIAA_INDEX_NAME, "lt.3.npy", "v.1.npy", "lt.3.scale.npy"};
    make_plain();
    must_pack(PIAA_PACKED_INT8, NULL);
    assert_false(is_found());
    for (size_t k = 0; k < PIAA_COUNT(names); k++) {
        const char *file = in(packed, names[k]);
        const int64_t bits = 8 * file_size(file);
        for (int64_t at = 0; at < bits; at += 61) {
            flip(file, at / 8, (int)(at % 8));
            if (!is_found()) fail_msg("%s, bit %lld", names[k], (long long)at);
            read_anyhow();
            flip(file, at / 8, (int)(at % 8));
        }
        for (int64_t less = 1; less < bits / 8; less *= 3) {
            size_t size;
            char *whole = piaa_file_read(file, 1 << 24, &size, NULL);
            assert_int_equal(truncate(file, (off_t)((int64_t)size - less)), 0);
            piaa_error error = {0};
            assert_null(piaa_store_open_read(packed, NULL, &error));
            assert_int_equal(error.code, PIAA_FORMAT);
            assert_true(piaa_file_write(file, whole, size, NULL));
            free(whole);
        }
    }
    assert_false(is_found());
}

static void photos_of_a_damaged_row_are_named(void **state) {
    (void)state;
    make_plain();
    must_pack(PIAA_PACKED_F16, NULL);
    flip(in(packed, "lt.3.npy"), PIAA_NPY_HEADER_SIZE + (int64_t)3 * DIM * 2 + 11, 2);
    heard warnings = {0};
    int64_t damaged;
    assert_true(piaa_store_verify(packed, false, &(piaa_hooks){.user = &warnings, .warn = hear},
                                  &damaged, NULL));
    assert_int_equal(damaged, 1);
    assert_int_equal(warnings.count, 1);
    assert_non_null(strstr(warnings.last, path_of(3)));

    flip(in(plain, "lt.3.npy"), PIAA_NPY_HEADER_SIZE + (int64_t)3 * DIM * 4 + 11, 2);
    remove_tree(packed);
    piaa_error error = {0};
    expect_error(pack_as(PIAA_PACKED_F16, NULL, &error), &error, PIAA_FORMAT, "row 3 of ");
    assert_int_equal(file_size(part), -1);
}

/* ---------------------------------------------------------------------------- begun and not ended
 */

static bool stop(void *user) {
    int *left = user;
    return --*left < 0;
}

static void stopped_packing_leaves_nothing(void **state) {
    (void)state;
    make_plain();
    for (int after = 0; after < 160; after += 13) {
        int left = after;
        piaa_error error = {0};
        assert_false(piaa_store_pack(plain, packed, NULL,
                                     &(piaa_hooks){.user = &left, .stop = stop}, &error));
        assert_int_equal(error.code, PIAA_STOPPED);
        assert_int_equal(file_size(packed), -1);
        assert_int_equal(file_size(part), -1);
    }
}

static bool pack_all(void) {
    return pack_as(PIAA_PACKED_INT8, NULL, NULL);
}

static void look_at_packed(void) {
    if (file_size(packed) >= 0) assert_false(is_found());
}

static void end_packing(void) {
    static const char *const names[] = {PIAA_INDEX_NAME, "lt.3.npy", "v.1.npy", "lt.3.scale.npy",
                                        "v.1.scale.npy"};
    if (file_size(packed) < 0) assert_true(pack_all());
    for (size_t k = 0; k < PIAA_COUNT(names); k++)
        expect_same_file(in(scratch, "once"), packed, names[k]);
    assert_int_equal(file_size(part), -1);
}

static void killed_packing_begins_again(void **state) {
    (void)state;
    make_plain();
    assert_true(piaa_store_pack(plain, in(scratch, "once"),
                                &(piaa_pack_options){.packing = PIAA_PACKED_INT8}, NULL, NULL));
    kill_and_end(pack_all, look_at_packed, end_packing, packed);
}

/* Any call that can fail does, once or for good: one line says so, and what is there is whole. */
static void sweep(fault_kind kind, int number, bool lasting, piaa_code code) {
    bool met = true;
    for (long n = 0; met; n++) {
        piaa_error error = {0};
        remove_tree(packed);
        faults_arm(kind, n, number, lasting);
        const bool ok = pack_as(PIAA_PACKED_INT8, NULL, &error);
        met = faults_disarm();
        assert_int_equal(ok, error.code == PIAA_OK);
        if (ok)
            assert_false(is_found());
        else if (error.code != code || strchr(error.message, '\n'))
            fail_msg("code %d: %s", (int)error.code, error.message);
        look_at_packed();
        assert_true(met || ok);
    }
}

static void faults_leave_nothing_that_looks_whole(void **state) {
    (void)state;
    make_store(plain, &LT3_V1, 3);
    sweep(FAULT_MEMORY, ENOMEM, false, PIAA_MEMORY);
    sweep(FAULT_FILES, EIO, false, PIAA_IO);
    sweep(FAULT_FILES, ENOSPC, true, PIAA_IO);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_become_their_nearest),
        cmocka_unit_test_setup_teardown(packed_says_the_same, set_up, tear_down),
        cmocka_unit_test_setup_teardown(some_matrices_are_packed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(paths_are_in_order_of_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_empty_store_is_packed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(writers_refuse, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_others_made_is_left, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_does_not_fit_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_flipped_bit_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(photos_of_a_damaged_row_are_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stopped_packing_leaves_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(killed_packing_begins_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(faults_leave_nothing_that_looks_whole, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

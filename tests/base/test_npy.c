/* NPY headers against files that NumPy wrote (golden/base), and the header we write against NumPy's
   rules. */
#include "support.h"

#include "base/json.h"
#include "base/npy.h"

static bool read_header(const char *name, piaa_map *map, piaa_npy_header *header,
                        piaa_error *error) {
    char *path = support_join(PIAA_GOLDEN "/base", name);
    if (!piaa_map_open(map, path, error)) fail_msg("%s", error->message);
    free(path);
    return piaa_npy_parse(map->data, map->size, map->size, name, header, error);
}

static void check_values(const char *name, int width, int dimensions, int64_t rows,
                         int64_t columns) {
    piaa_error error = {0};
    piaa_map map;
    piaa_npy_header header;
    if (!read_header(name, &map, &header, &error)) fail_msg("%s", error.message);
    assert_int_equal(header.width, width);
    assert_int_equal(header.dimensions, dimensions);
    assert_int_equal(header.shape[0], rows);
    assert_int_equal(header.shape[1], columns);
    assert_int_equal(map.size, header.data_start + (size_t)(width * rows * columns));
    cJSON *values = piaa_json_read(PIAA_GOLDEN "/base/values.json", 1 << 20, &error);
    const cJSON *value = values->child;
    for (size_t i = 0; i < (size_t)(rows * columns); i++, value = value->next) {
        float single;
        double wide;
        const unsigned char *at = map.data + header.data_start + i * (size_t)width;
        if (width == 4)
            memcpy(&single, at, 4), wide = (double)single;
        else
            memcpy(&wide, at, 8);
        assert_true(wide == value->valuedouble);
    }
    cJSON_Delete(values);
    piaa_map_close(&map);
}

static void files_that_numpy_wrote(void **state) {
    (void)state;
    check_values("f4.npy", 4, 2, 5, 3);
    check_values("f8.npy", 8, 2, 5, 3);
    check_values("row.npy", 4, 1, 3, 1);
    check_values("version2.npy", 4, 2, 5, 3);
    check_values("version3.npy", 4, 2, 5, 3);
    check_values("empty.npy", 4, 2, 0, 3);
}

static void what_is_not_supported(void **state) {
    (void)state;
    static const char *const files[][2] = {{"fortran.npy", "C order"},
                                           {"i4.npy", "<i4"},
                                           {"big_endian.npy", ">f4"},
                                           {"cube.npy", "3 dimensions"}};
    for (size_t i = 0; i < PIAA_COUNT(files); i++) {
        piaa_error error = {0};
        piaa_map map;
        piaa_npy_header header;
        assert_false(read_header(files[i][0], &map, &header, &error));
        assert_int_equal(error.code, PIAA_UNSUPPORTED);
        if (!strstr(error.message, files[i][1]) || !strstr(error.message, files[i][0]))
            fail_msg("%s", error.message);
        piaa_map_close(&map);
    }
}

/* Every shorter piece of a good file is refused, read from a block of exactly its size. */
static void cut_files(void **state) {
    (void)state;
    piaa_error error = {0};
    piaa_map map;
    piaa_npy_header header;
    assert_true(read_header("f4.npy", &map, &header, &error));
    for (size_t size = 0; size < map.size; size++) {
        unsigned char *piece = malloc(size ? size : 1);
        memcpy(piece, map.data, size);
        error.code = PIAA_OK;
        assert_false(piaa_npy_parse(piece, size, size, "cut", &header, &error));
        assert_int_equal(error.code, PIAA_FORMAT);
        free(piece);
    }
    piaa_map_close(&map);
}

static bool parse_text(const char *dictionary, piaa_npy_header *header) {
    char bytes[300] = "\x93NUMPY\x01";
    size_t n = strlen(dictionary);
    bytes[8] = (char)n;
    memcpy(bytes + 10, dictionary, n);
    return piaa_npy_parse(bytes, 10 + n, 1000000, "x", header, NULL);
}

static void odd_headers(void **state) {
    (void)state;
    piaa_npy_header header;
    assert_true(parse_text("{\"shape\":(2,3),\"fortran_order\":False,\"descr\":\"<f4\"}",
                           &header)); /* any order, either quote */
    assert_int_equal(header.shape[1], 3);
    static const char *const bad[] = {
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, -3), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2 3), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999, 1), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (), }",
        "{'descr': '<f4', 'fortran_order': False, }",
        "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': (2, 3), }",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2, 3), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), 'more': 1}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), } x",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), ",
        ("{'descr': 'a very long name of a type that does not exist', 'fortran_order': False, "
         "'shape': (2, 3), }"),
        "",
    };
    for (size_t i = 0; i < PIAA_COUNT(bad); i++)
        if (parse_text(bad[i], &header)) fail_msg("accepted: %s", bad[i]);
}

static void our_header(void **state) {
    (void)state;
    static const int64_t shapes[][2] = {{0, 1}, {5, 3}, {8458, 2560}, {INT64_C(1) << 40, 100000}};
    for (size_t i = 0; i < PIAA_COUNT(shapes); i++) {
        char bytes[PIAA_NPY_HEADER_SIZE];
        piaa_npy_header header;
        piaa_error error = {0};
        piaa_npy_header_write(bytes, "<f4", shapes[i][0], shapes[i][1]);
        if (!piaa_npy_parse(bytes, sizeof bytes, UINT64_MAX, "x", &header, &error))
            fail_msg("%s", error.message);
        assert_int_equal(header.data_start, PIAA_NPY_HEADER_SIZE);
        assert_int_equal(header.shape[0], shapes[i][0]);
        assert_int_equal(header.shape[1], shapes[i][1]);
        assert_int_equal(header.width, 4);
        assert_null(memchr(bytes + 10, '\0', sizeof bytes - 10));
        assert_int_equal(bytes[sizeof bytes - 1], '\n');
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_that_numpy_wrote),
        cmocka_unit_test(what_is_not_supported),
        cmocka_unit_test(cut_files),
        cmocka_unit_test(odd_headers),
        cmocka_unit_test(our_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

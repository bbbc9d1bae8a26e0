/* The safetensors reader: files that the reference writer made, and headers that lie in every way
   the format allows. */
#include "support.h"

/* HEADER and `data` bytes of zeros as a file of exactly that size, so that a read too far is a
   fault under AddressSanitizer. */
static piaa_safetensors *parse(const char *header, size_t data, piaa_error *error, void **bytes) {
    size_t n = strlen(header), size = 8 + n + data;
    unsigned char *file = calloc(size, 1);
    assert_non_null(file);
    for (int i = 0; i < 8; i++) file[i] = (unsigned char)((uint64_t)n >> 8 * i);
    memcpy(file + 8, header, n);
    *bytes = file;
    return piaa_safetensors_parse(file, size, "DIR/model.safetensors", error);
}

static void golden_file(void **state) {
    (void)state;
    piaa_safetensors *file = support_golden(PIAA_GOLDEN "/qwen3vl/golden.safetensors");
    assert_int_equal(piaa_safetensors_count(file), 105);
    const char *end = NULL;
    for (size_t i = 0; i < piaa_safetensors_count(file); i++) {
        const piaa_tensor *tensor = piaa_safetensors_at(file, i);
        assert_true(!end || tensor->data == end);
        end = (const char *)tensor->data + tensor->bytes;
        assert_ptr_equal(piaa_safetensors_find(file, tensor->name), tensor);
    }
    assert_null(piaa_safetensors_find(file, "none"));
    assert_null(piaa_safetensors_find(file, ""));
    assert_null(piaa_safetensors_at(file, 105));
    const piaa_tensor *ids = support_tensor(file, "cat.jpg|base|input_ids");
    assert_string_equal(ids->dtype, "I32");
    assert_int_equal(ids->type, PIAA_OTHER_TYPE);
    piaa_safetensors_close(file);
}

static void good_headers(void **state) {
    (void)state;
    static const struct {
        const char *header;
        size_t data, count;
    } good[] = {
        {"{}", 0, 0},
        {"{\"__metadata__\":{\"format\":\"pt\"}}   ", 0, 0},
        {"{\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]},\"a\":{\"dtype\":"
         "\"BF16\",\"shape\":[2,1],\"data_offsets\":[0,4]"
         "}}",
         12, 2},
        {"{\"scalar\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[0,8]}}", 8, 1},
        {"{\"none\":{\"dtype\":\"F32\",\"shape\":[3,0],\"data_offsets\":[0,0]},\"a\":{\"dtype\":"
         "\"U8\",\"shape\":[1],\"data_offsets\":[0,1]"
         "}}",
         1, 2},
        {"{\"odd\":{\"dtype\":\"F6_E3M2\",\"shape\":[5],\"data_offsets\":[0,4]}}", 4, 1},
    };
    for (size_t i = 0; i < PIAA_COUNT(good); i++) {
        piaa_error error = {0};
        void *bytes;
        piaa_safetensors *file = parse(good[i].header, good[i].data, &error, &bytes);
        if (!file) fail_msg("%s: %s", good[i].header, error.message);
        assert_int_equal(piaa_safetensors_count(file), good[i].count);
        piaa_safetensors_close(file);
        free(bytes);
    }
}

#define ONE(dtype, shape, offsets)                                                                 \
    "{\"T\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}}"
#define ITEM(name, offsets)                                                                        \
    "\"" name "\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":" offsets "}"

static void lying_headers(void **state) {
    (void)state;
    static const struct {
        const char *header;
        size_t data;
        const char *complaint;
    } bad[] = {
        {"[]", 0, "not a JSON object"},
        {"{", 0, "header, line 1"},
        {"", 0, "header"},
        {"{\"T\": 5}", 0, "tensor T is not described"},
        {"{\"T\": {}}", 0, "tensor T has no \"data_offsets\""},
        {ONE("F32", "[2]", "[0,9]"), 8, "tensor T runs past the end"},
        {ONE("F32", "[2]", "[8,0]"), 8, "data_offsets"},
        {ONE("F32", "[2]", "[-8,0]"), 8, "data_offsets"},
        {ONE("F32", "[2]", "[0.5,8.5]"), 9, "data_offsets"},
        {ONE("F32", "[2]", "[0,8,8]"), 8, "data_offsets"},
        {ONE("F32", "[2]", "[\"0\",8]"), 8, "data_offsets"},
        {ONE("F32", "[2]", "[0,18446744073709551616]"), 8, "data_offsets"},
        {ONE("F32", "[2]", "[9007199254740000,9007199254740008]"), 8, "past the end"},
        {ONE("F32", "[3]", "[0,8]"), 8, "tensor T has another number of bytes"},
        {ONE("BOOL", "[3]", "[0,8]"), 8, "another number of bytes"},
        {ONE("F32", "[4611686018427387904,4]", "[0,0]"), 0, "shape"},
        {ONE("F32", "[4294967296,4294967296]", "[0,0]"), 0, "too large for any machine"},
        {ONE("XX", "[4294967296,4294967296]", "[0,0]"), 0, "too large for any machine"},
        {ONE("F32", "[-1,-2]", "[0,8]"), 8, "shape"},
        {ONE("F32", "[1.5]", "[0,6]"), 6, "shape"},
        {ONE("F32", "2", "[0,8]"), 8, "shape"},
        {ONE("U8", "[1,1,1,1,1,1,1,1,1]", "[0,1]"), 1, "dimensions"},
        {"{\"T\":{\"dtype\":3,\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "dtype"},
        {"{" ITEM("A", "[0,2]") "," ITEM("B", "[1,3]") "}", 3, "tensor B overlaps"},
        {"{" ITEM("A", "[0,2]") "," ITEM("B", "[0,2]") "}", 2, "overlaps"},
        {"{" ITEM("A", "[0,2]") "," ITEM("B", "[3,5]") "}", 5, "tensor B begins behind a hole"},
        {"{" ITEM("A", "[1,3]") "}", 3, "hole"},
        {"{" ITEM("A", "[0,2]") "}", 5, "last 3 bytes belong to no tensor"},
        {"{" ITEM("A", "[0,2]") "," ITEM("A", "[2,4]") "}", 4, "tensor A occurs twice"},
    };
    for (size_t i = 0; i < PIAA_COUNT(bad); i++) {
        piaa_error error = {0};
        void *bytes;
        if (parse(bad[i].header, bad[i].data, &error, &bytes))
            fail_msg("accepted: %s", bad[i].header);
        assert_int_equal(error.code, PIAA_FORMAT);
        if (!strstr(error.message, bad[i].complaint) ||
            strncmp(error.message, "DIR/model.safetensors", 21) != 0)
            fail_msg("%s: %s", bad[i].header, error.message);
        free(bytes);
    }
}

static void lying_lengths(void **state) {
    (void)state;
    piaa_error error = {0};
    unsigned char *bytes = calloc(10, 1);
    memcpy(bytes + 8, "{}", 2);
    for (size_t size = 0; size < 10; size++) {
        bytes[0] = size < 8 ? 0 : 2;
        assert_null(piaa_safetensors_parse(bytes, size, "x", &error));
    }
    memset(bytes, 0xff, 8);
    assert_null(piaa_safetensors_parse(bytes, 10, "x", &error));
    assert_non_null(strstr(error.message, "past the end"));
    free(bytes);
    const char pointer[] = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n";
    assert_null(piaa_safetensors_parse(pointer, sizeof pointer - 1, "x", &error));
    assert_non_null(strstr(error.message, "git lfs pull"));
}

/* A sparse file with room for a header over 100 MB. */
static void huge_header(void **state) {
    (void)state;
    char *folder = support_folder(), *path = support_join(folder, "m");
    const unsigned char length[8] = {1, 0xe1, 0xf5, 5}; /* 100,000,001 */
    support_write(folder, "m", length, 8);
    assert_int_equal(truncate(path, 100000009), 0);
    piaa_error error = {0};
    assert_null(piaa_safetensors_open(path, &error));
    assert_non_null(strstr(error.message, "100 MB"));
    free(path);
    support_remove(folder);
}

static void cut_file(void **state) {
    (void)state;
    static const char header[] = "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}";
    piaa_error error = {0};
    void *whole;
    piaa_safetensors *file = parse(header, 8, &error, &whole);
    assert_non_null(file);
    piaa_safetensors_close(file);
    for (size_t size = 0; size < 8 + sizeof header - 1 + 8; size++) {
        unsigned char *piece = malloc(size ? size : 1);
        memcpy(piece, whole, size);
        assert_null(piaa_safetensors_parse(piece, size, "cut", &error));
        free(piece);
    }
    free(whole);
}

static void files_that_cannot_be_opened(void **state) {
    (void)state;
    piaa_error error = {0};
    assert_null(piaa_safetensors_open("/nowhere/at/all", &error));
    assert_int_equal(error.code, PIAA_IO);
    char *folder = support_folder(), *path = support_join(folder, "empty");
    support_write(folder, "empty", "", 0);
    assert_null(piaa_safetensors_open(path, &error));
    assert_int_equal(error.code, PIAA_FORMAT);
    assert_null(piaa_safetensors_open(folder, &error));
    free(path);
    support_remove(folder);
    piaa_safetensors_close(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_file),
        cmocka_unit_test(good_headers),
        cmocka_unit_test(lying_headers),
        cmocka_unit_test(lying_lengths),
        cmocka_unit_test(huge_header),
        cmocka_unit_test(cut_file),
        cmocka_unit_test(files_that_cannot_be_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Values as float32: all 65,536 float16 values against NumPy, bfloat16 against float32's own
   bits. */
#include "support.h"

#include <glib.h>

static void every_half(void **state) {
    (void)state;
    enum { COUNT = 65536 };
    static uint16_t halves[COUNT];
    static float values[COUNT];
    for (int i = 0; i < COUNT; i++) halves[i] = (uint16_t)i;
    piaa_tensor tensor = {.type = PIAA_F16,
                          .dimensions = 1,
                          .shape = {COUNT},
                          .data = halves,
                          .bytes = sizeof halves};
    piaa_tensor_to_float(&tensor, values);
    GChecksum *hash = g_checksum_new(G_CHECKSUM_SHA256);
    for (int i = 0; i < COUNT; i++) {
        uint32_t bits = 0x7fc00000; /* one not-a-number for all */
        if (!isnan(values[i])) memcpy(&bits, &values[i], sizeof bits);
        unsigned char bytes[4] = {(unsigned char)bits, (unsigned char)(bits >> 8),
                                  (unsigned char)(bits >> 16), (unsigned char)(bits >> 24)};
        g_checksum_update(hash, bytes, sizeof bytes);
    }
    /* SHA-256 of np.arange(65536, dtype="u2").view("f2").astype("<f4") with every not-a-number set
       to 0x7fc00000 */
    assert_string_equal(g_checksum_get_string(hash),
                        "385ff5fe69182797cda5f1827e20cf423f4416bc9246f27d0eec27cac9039259");
    g_checksum_free(hash);
}

static void brain_floats(void **state) {
    (void)state;
    const uint16_t bits[] = {0x3f80, 0xc000, 0x0001, 0x7f80, 0x0000};
    const float expected[] = {1.0f, -2.0f, 0x1p-133f, HUGE_VALF, 0.0f};
    float values[5];
    piaa_tensor tensor = {
        .type = PIAA_BF16, .dimensions = 2, .shape = {5, 1}, .data = bits, .bytes = sizeof bits};
    piaa_tensor_to_float(&tensor, values);
    assert_memory_equal(values, expected, sizeof values);
}

static void counts(void **state) {
    (void)state;
    piaa_tensor scalar = {.dimensions = 0},
                empty = {.dimensions = 3, .shape = {INT64_MAX, INT64_MAX, 0}},
                plain = {.dimensions = 2, .shape = {3, 4}};
    assert_int_equal(piaa_tensor_count(&scalar), 1);
    assert_int_equal(piaa_tensor_count(&empty), 0);
    assert_int_equal(piaa_tensor_count(&plain), 12);
}

static void other_types_are_not_numbers(void **state) {
    (void)state;
    const int32_t data[] = {1, 2};
    float values[2] = {0};
    piaa_tensor tensor = {.type = PIAA_OTHER_TYPE,
                          .dtype = "I32",
                          .dimensions = 1,
                          .shape = {2},
                          .data = data,
                          .bytes = sizeof data};
    piaa_tensor_to_float(&tensor, values);
    assert_true(isnan(values[0]) && isnan(values[1]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_half),
        cmocka_unit_test(brain_floats),
        cmocka_unit_test(counts),
        cmocka_unit_test(other_types_are_not_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

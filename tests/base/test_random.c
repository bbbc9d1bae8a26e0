/* Every draw against CPython, NumPy and pandas, over seeds and sizes on both sides of each branch
   (scripts/golden/draws.py). */
#include "support.h"

#include "base/json.h"
#include "base/random.h"

#include <inttypes.h>

static cJSON *read_golden(void) {
    piaa_error error = {0};
    cJSON *golden = piaa_json_read(PIAA_GOLDEN "/base/random.json", 1 << 24, &error);
    if (!golden) fail_msg("%s", error.message);
    return golden;
}

static uint64_t unsigned_text(const cJSON *item) {
    return strtoull(cJSON_GetStringValue(item), NULL, 10);
}

static const cJSON *member(const cJSON *object, const char *name) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    if (!item) fail_msg("random.json holds no %s", name);
    return item;
}

/* `cut` of the script: length, first values, weighted sum. */
static void expect_list(const cJSON *expected, const size_t *items, const char *what,
                        const char *seed) {
    size_t count = (size_t)member(expected, "count")->valueint, i = 0;
    double sum = 0;
    const cJSON *value;
    cJSON_ArrayForEach(value, member(expected, "head")) {
        if ((size_t)value->valuedouble != items[i])
            fail_msg("seed %s, %s of %zu: [%zu] is %zu", seed, what, count, i, items[i]);
        i++;
    }
    for (i = 0; i < count; i++) sum += (double)((i + 1) * items[i]);
    if (sum != member(expected, "sum")->valuedouble)
        fail_msg("seed %s, %s of %zu: the sum differs", seed, what, count);
}

static void expect_units(piaa_random *random, const cJSON *expected, const char *seed) {
    const cJSON *unit;
    cJSON_ArrayForEach(unit, expected) {
        if (piaa_random_unit(random) != unit->valuedouble)
            fail_msg("seed %s: a unit differs", seed);
    }
}

static void draws_as_cpython(void **state) {
    PIAA_UNUSED(state);
    cJSON *golden = read_golden();
    const cJSON *entry, *draw;
    cJSON_ArrayForEach(entry, member(golden, "python")) {
        const char *seed = piaa_json_string(entry, "seed");
        piaa_random random;
        piaa_error error = {0};
        piaa_random_seed_python(&random, strtoll(seed, NULL, 10));
        expect_units(&random, member(entry, "units"), seed);
        cJSON_ArrayForEach(draw, member(entry, "bits")) {
            int bits = cJSON_GetArrayItem(draw, 0)->valueint;
            if (piaa_random_bits(&random, bits) != unsigned_text(cJSON_GetArrayItem(draw, 1)))
                fail_msg("seed %s, %d bits", seed, bits);
        }
        cJSON_ArrayForEach(draw, member(entry, "below")) {
            uint64_t bound = unsigned_text(cJSON_GetArrayItem(draw, 0));
            if (piaa_random_below(&random, bound) != unsigned_text(cJSON_GetArrayItem(draw, 1)))
                fail_msg("seed %s, below %" PRIu64, seed, bound);
        }
        cJSON_ArrayForEach(draw, member(entry, "shuffles")) {
            size_t count = (size_t)member(draw, "count")->valueint,
                   *items = piaa_alloc(count, sizeof *items, NULL);
            assert_non_null(items);
            for (size_t i = 0; i < count; i++) items[i] = i;
            piaa_random_shuffle(&random, items, count);
            expect_list(draw, items, "shuffle", seed);
            free(items);
        }
        cJSON_ArrayForEach(draw, member(entry, "samples")) {
            size_t count = (size_t)member(draw, "count")->valueint,
                   *items = piaa_alloc(count, sizeof *items, NULL);
            assert_non_null(items);
            if (!piaa_random_sample(&random, (size_t)member(draw, "population")->valueint, count,
                                    items, &error))
                fail_msg("%s", error.message);
            expect_list(draw, items, "sample", seed);
            free(items);
        }
    }
    cJSON_Delete(golden);
}

static void draws_as_numpy_and_pandas(void **state) {
    PIAA_UNUSED(state);
    cJSON *golden = read_golden();
    const cJSON *entry, *draw;
    cJSON_ArrayForEach(entry, member(golden, "numpy")) {
        const char *seed = piaa_json_string(entry, "seed");
        size_t items[5000], *resample = items;
        piaa_random random;
        piaa_random_seed_numpy(&random, (uint32_t)strtoul(seed, NULL, 10));
        expect_units(&random, member(entry, "units"), seed);
        cJSON_ArrayForEach(draw, member(entry, "intervals")) {
            uint64_t bound = unsigned_text(cJSON_GetArrayItem(draw, 0));
            if (piaa_random_interval(&random, bound - 1) !=
                unsigned_text(cJSON_GetArrayItem(draw, 1)))
                fail_msg("seed %s, randint(%" PRIu64 ")", seed, bound);
        }
        cJSON_ArrayForEach(draw, member(entry, "permutations")) {
            piaa_random_permutation(&random, items, (size_t)member(draw, "count")->valueint);
            expect_list(draw, items, "permutation", seed);
        }
        for (size_t i = 0; i < 200; i++) resample[i] = (size_t)piaa_random_interval(&random, 199);
        expect_list(member(entry, "resample"), resample, "resample", seed);
        cJSON_ArrayForEach(draw, member(entry, "frames")) {
            piaa_random_seed_numpy(&random, (uint32_t)strtoul(seed, NULL, 10));
            piaa_random_permutation(&random, items, (size_t)member(draw, "count")->valueint);
            expect_list(draw, items, "DataFrame.sample", seed);
        }
    }
    cJSON_Delete(golden);
}

static void edges(void **state) {
    PIAA_UNUSED(state);
    piaa_random random, twin;
    piaa_error error = {0};
    size_t out[4] = {7, 7, 7, 7};
    piaa_random_seed_python(&random, INT64_MIN);
    piaa_random_seed_python(&random, 5);
    twin = random;
    assert_true(piaa_random_below(&random, 0) == 0 && piaa_random_interval(&random, 0) == 0);
    assert_int_equal(piaa_random_word(&random), piaa_random_word(&twin));
    assert_true(piaa_random_interval(&random, UINT64_MAX) !=
                piaa_random_interval(&random, UINT64_MAX));
    assert_false(piaa_random_sample(&random, 3, 4, out, &error));
    assert_int_equal(error.code, PIAA_USAGE);
    assert_non_null(strstr(error.message, "4 of 3"));
    assert_int_equal(out[0], 7);
    assert_true(piaa_random_sample(&random, 0, 0, out, &error));
    piaa_random_shuffle(&random, out, 0);
    piaa_random_permutation(&random, out, 0);
    assert_int_equal(out[0], 7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_as_cpython),
        cmocka_unit_test(draws_as_numpy_and_pandas),
        cmocka_unit_test(edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

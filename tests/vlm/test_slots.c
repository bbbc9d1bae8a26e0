/* Pools and layers as users write them. */
#include "vlm/slots.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const piaa_layout qwen4b = {
    .decoder_layers = 36, .hidden_size = 2560, .vision_blocks = 24, .vision_size = 1024};
static const piaa_layout eyes_only = {.vision_blocks = 12,
                                      .vision_size = 384,
                                      .vision_embeddings = true,
                                      .pooled_size = 384,
                                      .projected_size = 512};
static const piaa_layout eyes_alone = {
    .vision_blocks = 2, .vision_size = 8, .vision_embeddings = true};

/* The slots as one line of text, "lt.15 v.23", or the error's message. */
static const char *parse(const char *pools, const char *layers, const piaa_layout *layout) {
    static char text[8192];
    piaa_slots slots;
    piaa_error error = {0};
    if (!piaa_slots_parse(pools, layers, layout, &slots, &error)) {
        assert_int_equal(error.code, PIAA_USAGE);
        assert_null(slots.items);
        snprintf(text, sizeof text, "%s", error.message);
        return text;
    }
    size_t n = 0;
    text[0] = '\0';
    for (size_t i = 0; i < slots.count; i++) {
        const piaa_slot *s = &slots.items[i];
        assert_int_equal(s->dim, s->pool == PIAA_V           ? layout->vision_size
                                 : s->pool == PIAA_POOLED    ? layout->pooled_size
                                 : s->pool == PIAA_PROJECTED ? layout->projected_size
                                                             : layout->hidden_size);
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%s.%d", i ? " " : "",
                              piaa_pool_name(s->pool), s->layer);
    }
    piaa_slots_free(&slots);
    return text;
}

static void test_good_requests(void **state) {
    (void)state;
    assert_string_equal(parse(NULL, NULL, &qwen4b), "lt.15");
    assert_string_equal(parse("lt,lt_tail,lv,v", "default", &qwen4b),
                        "lt.15 lt_tail.15 lv.15 v.23");
    assert_string_equal(parse("v,lt", "3", &qwen4b), "lt.3 v.3");
    assert_string_equal(parse("lt", "9,0,3,5-7,6", &qwen4b), "lt.0 lt.3 lt.5 lt.6 lt.7 lt.9");
    assert_string_equal(parse("lt,lt", "default,15, 15", &qwen4b), "lt.15");
    assert_string_equal(parse(" lt , v ", "0-1", &qwen4b), "lt.0 lt.1 v.0 v.1");
    assert_string_equal(parse("lt", "36", &qwen4b), "lt.36");
    assert_string_equal(parse("lt,v", "36,23", &qwen4b), "lt.23 lt.36 v.23");
    /* Without a decoder v counts the embeddings too, and is what is read by default. */
    assert_string_equal(parse("v", "all", &eyes_only),
                        "v.0 v.1 v.2 v.3 v.4 v.5 v.6 v.7 v.8 v.9 v.10 v.11 v.12");
    assert_string_equal(parse(NULL, NULL, &eyes_only), "v.12");
    assert_string_equal(parse("projected,v,pooled", "0,12", &eyes_only),
                        "v.0 v.12 pooled.0 projected.0");
    assert_string_equal(parse("pooled", "all", &eyes_only), "pooled.0");
    assert_string_equal(parse("pooled", NULL, &eyes_only), "pooled.0");
    assert_string_equal(parse("pooled", "0", &eyes_only), "pooled.0");

    piaa_slots all;
    assert_true(piaa_slots_parse("lt,lt_tail,lv,v", "all", &qwen4b, &all, NULL));
    assert_int_equal(all.count, 3 * 37 + 24);
    piaa_slots_free(&all);
    piaa_slots_free(NULL);
}

static void test_bad_requests(void **state) {
    (void)state;
    assert_string_equal(
        parse("lt,pixels", NULL, &qwen4b),
        "\"pixels\" is not a pool: use one or more of lt, lt_tail, lv, v, pooled, projected");
    assert_string_equal(
        parse("", NULL, &qwen4b),
        "\"\" is not a pool: use one or more of lt, lt_tail, lv, v, pooled, projected");
    assert_string_equal(
        parse("LT", NULL, &qwen4b),
        "\"LT\" is not a pool: use one or more of lt, lt_tail, lv, v, pooled, projected");
    assert_string_equal(parse("lt", "37", &qwen4b),
                        "there is no layer 37: this model has layers 0 to 36");
    assert_string_equal(parse("lt", "30-40", &qwen4b),
                        "there is no layer 40: this model has layers 0 to 36");
    assert_string_equal(parse("v", "24", &qwen4b),
                        "there is no vision block 24: this model has vision blocks 0 to 23");
    assert_string_equal(parse("lv,v", "99", &qwen4b),
                        "there is no layer 99: this model has layers 0 to 36, and vision blocks 0 "
                        "to 23 for the pool v");
    assert_string_equal(parse("v", "13", &eyes_only),
                        "there is no layer 13: this model has layers 0 to 12");
    assert_string_equal(parse("pooled", "5", &eyes_only),
                        "the pools pooled and projected have no layers: leave layer 5 out");
    assert_string_equal(parse("pooled", NULL, &eyes_alone),
                        "this model makes no pooled vector: use v");
    assert_string_equal(parse("projected", NULL, &qwen4b),
                        "this model makes no projected vector: use lt, lt_tail, lv or v");
    assert_string_equal(parse("lt", "9-5", &qwen4b),
                        "the range of layers 9-5 runs backwards: write 5-9");
    const char *const nonsense[] = {
        "",    "x",  "1,,2", "1,", "-3", "3-", "1-2-3", "+3", "0x3", "3.0", "99999999999999999999",
        "All", "3 4"};
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++)
        assert_non_null(
            strstr(parse("lt", nonsense[i], &qwen4b), "is not a layer: use numbers and ranges"));
    assert_string_equal(parse("lt", NULL, &eyes_only),
                        "this model has no decoder, so there is no pool lt: use v");
}

/* The slots side by side as one text, or the error's message. */
static const char *join(const char *features, const piaa_layout *layout) {
    static char text[2048];
    piaa_slots slots;
    piaa_error error = {0};
    if (!piaa_slots_parse_joined(features, layout, &slots, &error)) {
        assert_int_equal(error.code, PIAA_USAGE);
        assert_null(slots.items);
        snprintf(text, sizeof text, "%s", error.message);
        return text;
    }
    char *name = piaa_slots_name(slots.items, slots.count, NULL);
    snprintf(text, sizeof text, "%s", name ? name : "");
    free(name);
    for (size_t i = 0; i < slots.count; i++)
        assert_int_equal(slots.items[i].dim, !layout                         ? 0
                                             : slots.items[i].pool == PIAA_V ? layout->vision_size
                                                                             : layout->hidden_size);
    piaa_slots_free(&slots);
    return text;
}

static void test_joined(void **state) {
    (void)state;
    assert_string_equal(join("lt.15+lv.9+v.20", &qwen4b), "lt.15+lv.9+v.20");
    assert_string_equal(join("v.20+lt.15+lt.3", &qwen4b), "lt.3+lt.15+v.20");
    assert_string_equal(join("lt.15+lt.15", &qwen4b), "lt.15");
    assert_string_equal(join("lt_tail.36", &qwen4b), "lt_tail.36");
    assert_string_equal(join("all-pools", &qwen4b), "lt.15+lt_tail.15+lv.15+v.23");
    assert_string_equal(join("all-pools", &eyes_alone), "v.2");
    assert_string_equal(join("lt.99+v.7", NULL), "lt.99+v.7"); /* words alone */
    assert_string_equal(join("all-pools", NULL), "");
    assert_string_equal(join("lt.37+v.3", &qwen4b),
                        "there is no lt.37: this model has the pool lt at layers 0 to 36");
    assert_string_equal(join("v.24", &qwen4b),
                        "there is no v.24: this model has the pool v at layers 0 to 23");
    assert_string_equal(join("lt.1+v.1", &eyes_alone),
                        "this model makes no lt vectors: leave lt.1 out");
    assert_string_equal(join("pooled.1", &eyes_only),
                        "there is no pooled.1: this model has the pool pooled at layer 0 alone");
    static const char *const nonsense[] = {"",         "lt",    "lt.",  "lt.3+",
                                           "+lt.3",    "lt3",   "xx.3", "lt.3 +v.5",
                                           "lt.3,v.5", "lt.-1", "lt.x", "all-pools+lt.3"};
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++)
        assert_non_null(strstr(join(nonsense[i], &qwen4b), "does not name features"));
}

static void test_default_layer(void **state) {
    (void)state;
    const int expected[][2] = {{36, 15}, {8, 3}, {28, 12}, {34, 14}, {1, 0}};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        assert_int_equal(
            piaa_default_layer(&(piaa_layout){.decoder_layers = expected[i][0], .hidden_size = 64}),
            expected[i][1]);
}

static void test_pool_names(void **state) {
    (void)state;
    for (int p = 0; p < PIAA_POOLS; p++) {
        piaa_pool back;
        assert_true(piaa_pool_parse(piaa_pool_name((piaa_pool)p), &back));
        assert_int_equal(back, p);
    }
    piaa_pool none;
    assert_false(piaa_pool_parse("lt_", &none));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_requests), cmocka_unit_test(test_bad_requests),
        cmocka_unit_test(test_joined),        cmocka_unit_test(test_default_layer),
        cmocka_unit_test(test_pool_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

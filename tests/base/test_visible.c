/* Text for people: what would move a cursor, turn text round or hide is spelled out.  Code points
   and categories from the Unicode Character Database. */
#include "support.h"

#include "base/visible.h"

static void expect(const char *text, const char *shown) {
    piaa_text out = {0};
    assert_true(piaa_visible_add(&out, text, NULL));
    assert_string_equal(out.data ? out.data : "", shown);
    free(out.data);
}

static void what_is_plain_stays(void **state) {
    PIAA_UNUSED(state);
    static const char *const plain[] = {
        "",
        "IMG_0001.jpg",
        "a \"b\" & <c> \\ ~",
        "Übergröße ± … ½.jpg",
        "cafe\u0301.jpg", /* decomposed */
        "写真.jpg",
        "صورة.jpg",
        "\u0646\u0645\u06cc\u200c\u062e\u0648",      /* Persian, with its non-joiner */
        "\U0001f468\u200d\U0001f469\u200d\U0001f467" /* a family: three emoji and two joiners */
    };
    for (size_t i = 0; i < PIAA_COUNT(plain); i++) expect(plain[i], plain[i]);
}

static void what_is_hidden_is_spelled(void **state) {
    PIAA_UNUSED(state);
    expect("a\nb\tc\rd\a", "a\\nb\\tc\\rd\\a");
    expect("\033[31mred\033[0m\x7f", "\\x1b[31mred\\x1b[0m\\x7f");
    expect("\xc2\x9b"
           "31m \xc2\x85",
           "\\u009b31m \\u0085");                      /* C1 controls */
    expect("evil\u202egpj.exe", "evil\\u202egpj.exe"); /* right-to-left override */
    static const char *const turns[] = {"\u202a", "\u202b", "\u202c", "\u202d", "\u2066", "\u2067",
                                        "\u2068", "\u2069", "\u200e", "\u200f", "\u061c"};
    for (size_t i = 0; i < PIAA_COUNT(turns); i++) {
        piaa_text out = {0};
        assert_true(piaa_visible_add(&out, turns[i], NULL));
        assert_int_equal(out.length, 6);
        assert_memory_equal(out.data, "\\u", 2);
        free(out.data);
    }
    expect("a\u200bb\u00adc\ufeff", "a\\u200bb\\u00adc\\ufeff"); /* no width at all */
    expect("a\u200db\u200c", "a\\u200db\\u200c");                /* joiners that join nothing */
    expect("\u2028\u2029", "\\u2028\\u2029");
    expect("\U000e0041", "\\U000e0041"); /* a tag */
}

static void stray_bytes_are_spelled(void **state) {
    PIAA_UNUSED(state);
    expect("no\xff utf8 \xc3", "no\\xff utf8 \\xc3");
    expect("\x9b[2J", "\\x9b[2J");
    expect("\xc0\xaf\xed\xa0\x80", "\\xc0\\xaf\\xed\\xa0\\x80"); /* overlong; half a surrogate */
    expect("\xf0\x9f\x98", "\\xf0\\x9f\\x98");                   /* cut short */
}

static void columns_of_a_terminal(void **state) {
    PIAA_UNUSED(state);
    assert_int_equal(piaa_visible_columns("abc"), 3);
    assert_int_equal(piaa_visible_columns("写真"), 4);
    assert_int_equal(piaa_visible_columns("e\u0301"), 1);
    assert_int_equal(piaa_visible_columns("\n"), 2);
    assert_int_equal(piaa_visible_columns("\u202e"), 6);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_plain_stays),
        cmocka_unit_test(what_is_hidden_is_spelled),
        cmocka_unit_test(stray_bytes_are_spelled),
        cmocka_unit_test(columns_of_a_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* RFC 9110's own examples (14.1.2, of 10,000 bytes), and what is none of them. */
#include "browse/part.h"

#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void a_range_is_what_the_standard_says(void **state) {
    (void)state;
    static const struct {
        const char *range;
        int status;
        size_t from, size;
    } cases[] = {
        {"bytes=0-499", 206, 0, 500},
        {"bytes=500-999", 206, 500, 500},
        {"bytes=-500", 206, 9500, 500},
        {"bytes=9500-", 206, 9500, 500},
        {"bytes=0-0", 206, 0, 1},
        {"bytes=-1", 206, 9999, 1},
        {"bytes=0-", 206, 0, 10000},
        {"bytes=9999-10000", 206, 9999, 1}, /* longer than there is */
        {"bytes=-20000", 206, 0, 10000},
        {"bytes=1-99999999999999999999999999", 206, 1, 9999},
        {"bytes=10000-", 416, 0, 0},
        {"bytes=99999999999999999999999999-", 416, 0, 0},
        {"bytes=-0", 416, 0, 0},
        {"bytes=500-600,601-999", 200, 0, 10000}, /* several */
        {"bytes=2-1", 200, 0, 10000},             /* invalid: 14.1.1 */
        {"bytes=-", 200, 0, 10000},
        {"bytes=", 200, 0, 10000},
        {"bytes=a-b", 200, 0, 10000},
        {"bytes=1-2x", 200, 0, 10000},
        {"bytes=1", 200, 0, 10000},
        {"lines=1-2", 200, 0, 10000},
        {"", 200, 0, 10000},
        {NULL, 200, 0, 10000},
    };
    for (size_t i = 0; i < PIAA_COUNT(cases); i++) {
        const piaa_conditions asked = {.range = cases[i].range};
        const piaa_part part = piaa_part_find(&asked, "\"tag\"", 10000);
        if (part.status != cases[i].status || part.from != cases[i].from ||
            part.size != cases[i].size)
            fail_msg("%s: %d, %zu from %zu", cases[i].range, part.status, part.size, part.from);
    }
    const piaa_conditions first = {.range = "bytes=0-0"};
    assert_int_equal(piaa_part_find(&first, "\"tag\"", 0).status, 416);
}

static void what_the_browser_has_is_not_sent_again(void **state) {
    (void)state;
    static const struct {
        piaa_conditions asked;
        int status;
    } cases[] = {
        {{.if_none_match = "\"tag\""}, 304},
        {{.if_none_match = "W/\"tag\""}, 304},
        {{.if_none_match = "\"other\", \"tag\""}, 304},
        {{.if_none_match = "*"}, 304},
        {{.if_none_match = "\"tag\"", .range = "bytes=0-1"}, 304}, /* 13.2.2: before ranges */
        {{.if_none_match = "\"other\""}, 200},
        {{.if_none_match = ""}, 200},
        {{.range = "bytes=0-1", .if_range = "\"tag\""}, 206},
        {{.range = "bytes=0-1", .if_range = "\"other\""}, 200},
        {{.range = "bytes=0-1", .if_range = "W/\"tag\""}, 200}, /* 13.1.5: weak ones do not do */
        {{.range = "bytes=0-1", .if_range = "Thu, 26 Nov 2026 09:00:00 GMT"}, 200},
    };
    for (size_t i = 0; i < PIAA_COUNT(cases); i++)
        if (piaa_part_find(&cases[i].asked, "\"tag\"", 10000).status != cases[i].status)
            fail_msg("case %zu", i);
}

static void bytes_that_differ_have_another_tag(void **state) {
    (void)state;
    char one[PIAA_TAG_ROOM], other[PIAA_TAG_ROOM];
    piaa_tag_make("", 0, one);
    assert_string_equal(one, "\"cbf29ce484222325\"");
    piaa_tag_make("foobar", 6, one); /* the authors' own test vector */
    assert_string_equal(one, "\"85944171f73967e8\"");
    piaa_tag_make("foobaz", 6, other);
    assert_string_not_equal(one, other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_range_is_what_the_standard_says),
        cmocka_unit_test(what_the_browser_has_is_not_sent_again),
        cmocka_unit_test(bytes_that_differ_have_another_tag),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

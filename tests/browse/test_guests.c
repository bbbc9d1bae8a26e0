/* What a wrong password costs. */
#include "browse/guests.h"
#include "browse/stretch.h"

#include "support.h"

/* 1 s, 2, 4, … 60; what is said too early costs nothing more; others do not wait. */
static void each_wrong_password_doubles_the_wait(void **state) {
    (void)state;
    static const int waits[] = {1, 2, 4, 8, 16, 32, 60, 60, 60};
    static piaa_guests guests;
    const piaa_guest one = {{1}}, other = {{2}};
    double now = 1000;
    assert_int_equal(piaa_guests_wait(&guests, one, now), 0);
    for (size_t i = 0; i < PIAA_COUNT(waits); i++) {
        piaa_guests_wrong(&guests, one, now);
        assert_int_equal(piaa_guests_wait(&guests, one, now), waits[i]);
        assert_int_equal(piaa_guests_wait(&guests, one, now + waits[i] - 0.5), 1);
        assert_int_equal(piaa_guests_wait(&guests, other, now), 0);
        now += waits[i];
        assert_int_equal(piaa_guests_wait(&guests, one, now), 0);
    }
    piaa_guests_right(&guests, other); /* who was never wrong */
    piaa_guests_right(&guests, one);
    piaa_guests_wrong(&guests, one, now);
    assert_int_equal(piaa_guests_wait(&guests, one, now), 1);
}

/* Where there are too many, those who wait longest are remembered. */
static void many_guests_do_not_free_the_worst(void **state) {
    (void)state;
    static piaa_guests guests;
    const piaa_guest worst = {{0xff, 0xff, 0xff}};
    for (int i = 0; i < 7; i++) piaa_guests_wrong(&guests, worst, 1000);
    for (int i = 0; i < 3 * PIAA_GUESTS_MOST; i++)
        piaa_guests_wrong(&guests, (piaa_guest){{(unsigned char)i, (unsigned char)(i >> 8)}}, 1000);
    assert_int_equal(piaa_guests_wait(&guests, worst, 1000), 60);
}

static void expect_bytes(const unsigned char *bytes, const char *hexadecimal) {
    char text[2 * PIAA_STRETCHED + 1];
    for (size_t i = 0; i < PIAA_STRETCHED; i++) snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    assert_string_equal(text, hexadecimal);
}

/* The test vectors of RFC 7914, 11; the first 32 of their 64 bytes. */
static void passwords_are_stretched_as_pbkdf2_does(void **state) {
    (void)state;
    unsigned char out[PIAA_STRETCHED];
    piaa_stretch("passwd", 6, "salt", 1, out);
    expect_bytes(out, "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc");
    piaa_stretch("Password!", 8, "NaCl", 80000, out);
    expect_bytes(out, "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_wrong_password_doubles_the_wait),
        cmocka_unit_test(many_guests_do_not_free_the_worst),
        cmocka_unit_test(passwords_are_stretched_as_pbkdf2_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

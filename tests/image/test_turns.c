/* Photos that are decoded side by side: the memory that they share, whose turn it is, and what
   their decoders write to standard error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "image/budget.h"
#include "image/chatter.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 4, ROUNDS = 50 };
static const uint64_t megabyte = 1 << 20;

static void side_by_side(void *(*work)(void *), void *argument) {
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, argument), 0);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}

/* --------------------------------------------------------------------------------------- memory */

typedef struct load {
    uint64_t each; /* bytes */
    atomic_int at_once, most;
} load;

static void *decode_some(void *argument) {
    load *l = argument;
    for (int i = 0; i < ROUNDS; i++) {
        piaa_share *share = piaa_share_new(NULL);
        piaa_share_grow(share, megabyte); /* the file */
        piaa_share_grow(share, l->each);
        int now = atomic_fetch_add(&l->at_once, 1) + 1, most = atomic_load(&l->most);
        while (now > most && !atomic_compare_exchange_weak(&l->most, &most, now)) continue;
        atomic_fetch_sub(&l->at_once, 1);
        piaa_share_free(share);
    }
    return NULL;
}

/* 256 MB are one picture of 64 megapixels, or none of 961, which is decoded all the same. */
static void large_photos_one_at_a_time(void **state) {
    (void)state;
    static const uint64_t megapixels[] = {64, 961};
    for (size_t i = 0; i < sizeof megapixels / sizeof *megapixels; i++) {
        load l = {.each = megapixels[i] * 3 * 1000000};
        side_by_side(decode_some, &l);
        assert_int_equal(atomic_load(&l.most), 1);
    }
}

typedef struct growth {
    piaa_share *share;
    uint64_t bytes;
    atomic_bool done;
} growth;

static void *grow(void *argument) {
    growth *g = argument;
    piaa_share_grow(g->share, g->bytes);
    atomic_store(&g->done, true);
    return NULL;
}

/* The second is decoded before the first knows how large it is: the first waits for it. */
static void the_first_waits_for_who_came_before_it(void **state) {
    (void)state;
    growth first = {.share = piaa_share_new(NULL), .bytes = 192 * megabyte};
    piaa_share *second = piaa_share_new(NULL);
    piaa_share_grow(first.share, megabyte);
    piaa_share_grow(second, 192 * megabyte);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, grow, &first), 0);
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    assert_false(atomic_load(&first.done));
    piaa_share_free(second);
    pthread_join(thread, NULL);
    piaa_share_free(first.share);
}

/* Each holds what another one needs: the first goes on with more than there is, then the next. */
static void nobody_waits_for_ever(void **state) {
    (void)state;
    growth all[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        all[i] = (growth){.share = piaa_share_new(NULL), .bytes = 192 * megabyte};
        piaa_share_grow(all[i].share, 60 * megabyte);
    }
    for (int i = THREADS - 1; i >= 0; i--)
        assert_int_equal(pthread_create(&threads[i], NULL, grow, &all[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        piaa_share_free(all[i].share);
    }
}

static void small_photos_do_not_wait(void **state) {
    (void)state;
    piaa_share *shares[THREADS];
    for (int i = 0; i < THREADS; i++) {
        shares[i] = piaa_share_new(NULL);
        piaa_share_grow(shares[i], 40 * megabyte); /* or this test would not end */
    }
    for (int i = 0; i < THREADS; i++) piaa_share_free(shares[i]);
    piaa_share_grow(NULL, UINT64_MAX);
    piaa_share_free(NULL);
}

/* ---------------------------------------------------------------------------------------- turns */

typedef struct room {
    atomic_int inside, alone;
    atomic_bool broken;
} room;

static void *take_turns(void *argument) {
    room *r = argument;
    for (int i = 0; i < ROUNDS; i++) {
        bool alone = i % 5 == 0;
        piaa_turn turn = piaa_turn_begin(alone);
        int inside = atomic_fetch_add(&r->inside, 1) + 1;
        if (alone) atomic_fetch_add(&r->alone, 1);
        if (atomic_load(&r->alone) && inside > 1) atomic_store(&r->broken, true);
        if (alone) atomic_fetch_sub(&r->alone, 1);
        atomic_fetch_sub(&r->inside, 1);
        piaa_turn_end(turn, NULL, 0);
    }
    return NULL;
}

static void nobody_beside_one_who_is_alone(void **state) {
    (void)state;
    room r = {.broken = false};
    side_by_side(take_turns, &r);
    assert_false(atomic_load(&r.broken));
}

/* -------------------------------------------------------------------------------------- chatter */

static int errors_before; /* standard error of the test program */
static FILE *errors;      /* a file in its place */

static void expect_errors(const char *text) {
    char got[200] = "";
    fflush(stderr);
    rewind(errors);
    got[fread(got, 1, sizeof got - 1, errors)] = '\0';
    assert_string_equal(got, text);
}

/* Before a program asks for it nothing is caught; from then on what is said in a turn is, and what
   the program says itself is not. */
static void what_is_said_in_a_turn(void **state) {
    (void)state;
    char line[80];
    piaa_turn turn = piaa_turn_begin(true);
    fputs("host;", stderr);
    assert_false(piaa_turn_end(turn, line, sizeof line));
    expect_errors("host;");

    FILE *own = piaa_chatter_catch();
    assert_non_null(own);
    turn = piaa_turn_begin(true);
    fputs("decoder.c:1: bad\nmore\n", stderr);
    assert_int_equal(write(STDERR_FILENO, "more still\n", 11), 11);
    fputs("program;", own);
    assert_true(piaa_turn_end(turn, line, sizeof line));
    assert_string_equal(line, "decoder.c:1: bad");
    expect_errors("host;program;");

    turn = piaa_turn_begin(true);
    assert_false(piaa_turn_end(turn, line, sizeof line));
    assert_string_equal(line, "");

    turn = piaa_turn_begin(false); /* somebody said it, of those who are here */
    piaa_turn beside = piaa_turn_begin(false);
    fputs("decoder.c:2: bad\n", stderr);
    assert_true(piaa_turn_end(turn, line, sizeof line));
    assert_string_equal(line, "");
    assert_true(piaa_turn_end(beside, NULL, 0));
    fputs("after", stderr);
    expect_errors("host;program;after");
}

static int exchange_errors(void **state) {
    (void)state;
    errors = tmpfile();
    fflush(stderr);
    errors_before = dup(STDERR_FILENO);
    return errors && errors_before > 0 && dup2(fileno(errors), STDERR_FILENO) >= 0 ? 0 : -1;
}

static int give_errors_back(void **state) {
    (void)state;
    dup2(errors_before, STDERR_FILENO);
    return fclose(errors);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(large_photos_one_at_a_time),
        cmocka_unit_test(the_first_waits_for_who_came_before_it),
        cmocka_unit_test(nobody_waits_for_ever),
        cmocka_unit_test(small_photos_do_not_wait),
        cmocka_unit_test(nobody_beside_one_who_is_alone),
        cmocka_unit_test_setup_teardown(what_is_said_in_a_turn, exchange_errors, give_errors_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

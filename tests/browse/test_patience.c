/* Callers who take too long, and those who have to give way. */
#include "browse/patience.h"

#include "support.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

/* [0] is the server's end. */
static void make_line(int line[2]) {
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, line), 0);
}

static void close_line(const int line[2]) {
    close(line[0]);
    close(line[1]);
}

static bool is_shut(const int line[2], int milliseconds) {
    char byte;
    struct pollfd end = {.fd = line[1], .events = POLLIN};
    return poll(&end, 1, milliseconds) == 1 && read(line[1], &byte, 1) == 0;
}

/* Though it sends a byte now and then. */
static void who_takes_too_long_is_shut(void **state) {
    (void)state;
    int slow[2], asking[2];
    make_line(slow);
    make_line(asking);
    piaa_patience *p = piaa_patience_new(8, 0, NULL);
    assert_non_null(p);
    piaa_caller *one = piaa_patience_meet(p, slow[0]), *other = piaa_patience_meet(p, asking[0]);
    piaa_patience_asked(p, other); /* and is answered for as long as it takes */
    assert_int_equal(write(slow[1], "G", 1), 1);
    assert_true(is_shut(slow, 60000));
    assert_false(is_shut(asking, 0));
    piaa_patience_answered(p, other);
    assert_true(is_shut(asking, 60000));
    piaa_patience_leave(p, one);
    piaa_patience_leave(p, other);
    piaa_patience_free(p);
    close_line(slow);
    close_line(asking);
}

static void the_longest_waited_for_gives_way(void **state) {
    (void)state;
    enum { MANY = 5, MOST = 3 };
    int lines[MANY][2];
    piaa_caller *callers[MANY];
    piaa_patience *p = piaa_patience_new(MOST, 3600, NULL);
    assert_non_null(p);
    for (int i = 0; i < MANY; i++) make_line(lines[i]);
    for (int i = 0; i < MOST; i++) callers[i] = piaa_patience_meet(p, lines[i][0]);
    piaa_patience_asked(p, callers[0]);
    callers[3] = piaa_patience_meet(p, lines[3][0]);
    for (int i = 0; i <= 3; i++) assert_false(is_shut(lines[i], 0));
    piaa_patience_answered(p, callers[0]); /* waited for again, as the last: 1 is the first */
    assert_false(is_shut(lines[0], 0));
    callers[4] = piaa_patience_meet(p, lines[4][0]);
    assert_true(is_shut(lines[1], 0));
    assert_false(is_shut(lines[0], 0));
    for (int i = 0; i < MANY; i++) piaa_patience_leave(p, callers[i]);
    piaa_patience_free(p);
    for (int i = 0; i < MANY; i++) close_line(lines[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_takes_too_long_is_shut),
        cmocka_unit_test(the_longest_waited_for_gives_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Which photos were taken as one: times, cameras and settings as cameras write them, and a scene
   that each photo shows, at a place along a line; photos are alike that are at most 1 apart. */
#include "support.h"

#include "study/bursts.h"

#include <math.h>

enum { MOST = 40000 };

typedef struct roll {
    piaa_paths paths;
    char *names[MOST];
    piaa_shot shots[MOST];
    double scene[MOST];
} roll;

static roll r;
static piaa_bursts *bursts;

static void add(const char *name, double time, double scene) {
    const size_t i = r.paths.count++;
    r.names[i] = strdup(name);
    r.scene[i] = scene;
    r.shots[i] = (piaa_shot){.time = time, .bias = NAN, .exposure = NAN, .distance = NAN};
}

static piaa_shot *last(void) {
    return &r.shots[r.paths.count - 1];
}

static bool is_alike(void *user, size_t a, size_t b) {
    PIAA_UNUSED(user);
    return fabs(r.scene[a] - r.scene[b]) <= 1;
}

static void find(const piaa_burst_options *options) {
    r.paths.items = r.names;
    bursts = piaa_bursts_find(&r.paths, r.shots, is_alike, NULL, options, NULL);
    assert_non_null(bursts);
}

/* "burst a b c; bracket d e f", or "" */
static void expect(const char *want) {
    piaa_text got = {0};
    assert_true(piaa_text_format(&got, NULL, "%s", ""));
    for (size_t i = 0; i < bursts->count; i++) {
        const piaa_burst *one = &bursts->items[i];
        assert_true(
            piaa_text_format(&got, NULL, "%s%s", i ? "; " : "", piaa_burst_names[one->kind]));
        for (size_t k = 0; k < one->count; k++)
            assert_true(
                piaa_text_format(&got, NULL, " %s", r.names[bursts->members[one->first + k]]));
    }
    assert_string_equal(got.data ? got.data : "", want);
    free(got.data);
}

static int clear(void **state) {
    PIAA_UNUSED(state);
    piaa_bursts_free(bursts);
    bursts = NULL;
    for (size_t i = 0; i < r.paths.count; i++) free(r.names[i]);
    r.paths.count = 0;
    return 0;
}

static void a_burst_ends_with_time_or_scene(void **state) {
    PIAA_UNUSED(state);
    add("a", 100, 0), add("b", 101, 0.3), add("c", 103, 0.6); /* gaps of 1 and 2 */
    add("d", 105.1, 0.6);                                     /* 2.1 after c */
    add("e", 106, 9), add("f", 107, 9);                       /* another scene */
    add("g", NAN, 9);                                         /* nobody knows when */
    find(NULL);
    expect("burst a b c; burst e f");
    clear(NULL);
    for (int i = 0; i < 15; i++) { /* 14 s long: 10 s, and what is left */
        char name[2] = {(char)('a' + i), 0};
        add(name, 1e9 + i, 0);
    }
    find(NULL);
    expect("burst a b c d e f g h i j k; burst l m n o");
    piaa_bursts_free(bursts);
    find(&(piaa_burst_options){.gap = 0.5});
    expect("");
}

/* Midnight is a second like any other; two cameras at once are two rolls; order is that of time. */
static void clocks_and_cameras(void **state) {
    PIAA_UNUSED(state);
    add("z", 86399.5, 0), add("y", 86400.2, 0), add("x", 86401, 0);
    find(NULL);
    expect("burst z y x");
    clear(NULL);
    const char *const names[] = {"a1", "b1", "a2", "b2", "a3", "b3"};
    for (int i = 0; i < 6; i++) {
        add(names[i], 100 + i * 0.5, i % 2 * 5);
        snprintf(last()->camera, sizeof last()->camera, "Canon/R5/%d", i % 2);
    }
    find(NULL);
    expect("burst a1 a2 a3; burst b1 b2 b3");
}

static void what_belongs_together_is_kept_whole(void **state) {
    PIAA_UNUSED(state);
    for (int i = 0; i < 7; i++) { /* told by compensation, though dark ones look different */
        char name[2] = {(char)('a' + i), 0};
        add(name, 100 + i * 0.2, i * 3);
        last()->bias = i % 2 ? -(i + 1) / 2 : i / 2;
    }
    find(NULL);
    expect("bracket a b c d e f g");
    clear(NULL);
    for (int i = 0; i < 3; i++) { /* told by the camera */
        char name[2] = {(char)('a' + i), 0};
        add(name, 100 + i, 0);
        last()->bracketed = true;
    }
    add("d", 103, 0);
    find(NULL);
    expect("bracket a b c");
    clear(NULL);
    for (int i = 0; i < 5; i++) { /* by settings, 1 EV each */
        char name[2] = {(char)('a' + i), 0};
        add(name, 100 + i, 0);
        last()->exposure = 10 + i;
    }
    find(NULL);
    expect("bracket a b c d e");
    clear(NULL);
    add("a", 100, 0), last()->bias = 0; /* two are no bracket: the light changed */
    add("b", 101, 0), last()->bias = 1;
    find(NULL);
    expect("burst a b");
    clear(NULL);
    for (int i = 0; i < 4; i++) {
        char name[2] = {(char)('a' + i), 0};
        add(name, 100 + i, 0);
        last()->distance = 0.5 + 0.02 * i;
    }
    add("e", 104, 0), last()->distance = 0.5; /* it begins anew */
    find(NULL);
    expect("focus stack a b c d");
    clear(NULL);
    for (int i = 0; i < 6; i++) { /* each is like its neighbour */
        char name[2] = {(char)('a' + i), 0};
        add(name, 100 + i, 0.7 * i);
    }
    find(NULL);
    expect("pan a b c d e f");
}

static void raw_and_picture_are_one(void **state) {
    PIAA_UNUSED(state);
    add("/p/1.CR2", 100, 0), add("/p/1.JPG", 100, 0), add("/p/2.CR2", 101, 0);
    add("/p/2.jpg", 101, 0), add("/p/3.CR2", 102, 0);
    add("/q/1.jpg", 500, 0), add("/p/10.JPG", 600, 9);
    add("/p/4.DNG", 700, 0), add("/p/4.jpg", 900, 0); /* another photo of that number */
    add("/p/5.NEF", NAN, 0), add("/p/5.png", NAN, 0), add("/p/5.jpg", NAN, 0);
    find(NULL);
    expect("burst /p/1.JPG /p/2.jpg /p/3.CR2");
    const size_t shown[] = {1, 1, 3, 3, 4, 5, 6, 7, 8, 11, 10, 11};
    assert_memory_equal(bursts->shown, shown, sizeof shown);
}

static void very_many(void **state) {
    PIAA_UNUSED(state);
    char name[32];
    for (int i = 0; i < MOST; i++) {
        snprintf(name, sizeof name, "/p/%05d.jpg", MOST - i);
        add(name, 1e9 + i / 4 * 60 + i % 4, 0);
    }
    find(NULL);
    assert_int_equal(bursts->count, MOST / 4);
    for (size_t i = 0; i < bursts->count; i++) assert_int_equal(bursts->items[i].count, 4);
    clear(NULL);
    find(NULL); /* and none at all */
    expect("");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_burst_ends_with_time_or_scene, clear),
        cmocka_unit_test_teardown(clocks_and_cameras, clear),
        cmocka_unit_test_teardown(what_belongs_together_is_kept_whole, clear),
        cmocka_unit_test_teardown(raw_and_picture_are_one, clear),
        cmocka_unit_test_teardown(very_many, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

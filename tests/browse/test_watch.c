/* New photos while a page is open: when they are taken, and that nothing that was there changes its
   number or is lost. */
#include "browse/watch.h"

#include "support.h"

#include <unistd.h>

typedef struct world {
    char *folder, *book;
    piaa_photos *photos;
    piaa_shelf *shelf;
    piaa_watch *watch;
} world;

/* "JPEG" enough to be taken for a photo by its name; nothing here decodes it. */
static world begin(void) {
    piaa_error error = {0};
    world w = {.folder = support_folder()};
    w.book = support_join(w.folder, "book");
    support_make_folder(w.folder, "photos");
    support_write(w.folder, "photos/b.jpg", "b", 1);
    support_write(w.folder, "photos/d.jpg", "d", 1);
    char *named = support_join(w.folder, "photos");
    w.photos = piaa_photos_collect((const char *const[]){named}, 1, NULL, &error);
    free(named);
    assert_non_null(w.photos);
    const piaa_people_source source = {.photos = w.photos, .book = w.book};
    w.shelf = piaa_shelf_new(&source, "me", NULL, &error);
    assert_non_null(w.shelf);
    w.watch = piaa_watch_new(w.shelf, &error);
    assert_non_null(w.watch);
    return w;
}

static void end(world *w) {
    piaa_watch_free(w->watch);
    piaa_shelf_end(w->shelf);
    piaa_shelf_free(w->shelf);
    piaa_photos_free(w->photos);
    support_remove(w->folder);
    free(w->book);
}

static size_t count(world *w) {
    piaa_show *show = piaa_shelf_take(w->shelf);
    const size_t n = piaa_photos_count(show->photos);
    piaa_shelf_give(w->shelf, show);
    return n;
}

static void expect_name(world *w, size_t photo, const char *name) {
    piaa_show *show = piaa_shelf_take(w->shelf);
    assert_true(photo < piaa_photos_count(show->photos));
    assert_string_equal(piaa_path_name(show->photos->names.items[photo]), name);
    piaa_shelf_give(w->shelf, show);
}

/* It is met, stands still, and is taken: two walks.  New ones are behind the others, by path. */
static void new_photos_come_behind_the_others(void **state) {
    (void)state;
    world w = begin();
    assert_false(piaa_watch_look(w.watch));
    support_write(w.folder, "photos/c.jpg", "c", 1);
    support_make_folder(w.folder, "photos/later");
    support_write(w.folder, "photos/later/a.jpg", "a", 1);
    support_write(w.folder, "photos/a.jpg.xmp", "x", 1);
    support_write(w.folder, "photos/notes.txt", "x", 1);
    support_write(w.folder, "photos/.hidden.jpg", "x", 1);
    support_write(w.folder, "outside.jpg", "x", 1);
    assert_false(piaa_watch_look(w.watch));
    assert_true(piaa_watch_look(w.watch));
    static const char *const names[] = {"b.jpg", "d.jpg", "c.jpg", "a.jpg"};
    assert_int_equal(count(&w), PIAA_COUNT(names));
    for (size_t i = 0; i < PIAA_COUNT(names); i++) expect_name(&w, i, names[i]);
    for (int i = 0; i < 3; i++) assert_false(piaa_watch_look(w.watch));
    end(&w);
}

/* One that grows is left alone, and so is one that is still empty; the others wait for it. */
static void half_copied_photos_are_left_alone(void **state) {
    (void)state;
    world w = begin();
    char bytes[8] = "photo..";
    support_write(w.folder, "photos/whole.jpg", "x", 1);
    support_write(w.folder, "photos/empty.jpg", "", 0);
    for (size_t i = 1; i < sizeof bytes; i++) {
        support_write(w.folder, "photos/half.jpg", bytes, i);
        assert_false(piaa_watch_look(w.watch));
    }
    assert_int_equal(count(&w), 2);
    assert_true(piaa_watch_look(w.watch));
    assert_int_equal(count(&w), 4);
    expect_name(&w, 2, "half.jpg");
    expect_name(&w, 3, "whole.jpg");
    end(&w);
}

/* A copy that hung between two walks is taken as it is, and once more when it is whole; what was
   there at first is not looked at. */
static void copies_that_hang_are_taken_again(void **state) {
    (void)state;
    world w = begin();
    support_write(w.folder, "photos/a.jpg", "hal", 3);
    assert_false(piaa_watch_look(w.watch));
    assert_true(piaa_watch_look(w.watch));
    assert_false(piaa_watch_look(w.watch));
    support_write(w.folder, "photos/a.jpg", "halves", 6);
    support_write(w.folder, "photos/b.jpg", "edited", 6);
    assert_false(piaa_watch_look(w.watch));
    piaa_show *before = piaa_shelf_take(w.shelf);
    assert_true(piaa_watch_look(w.watch));
    assert_false(piaa_shelf_is_now(w.shelf, before));
    piaa_shelf_give(w.shelf, before);
    for (int i = 0; i < 3; i++) assert_false(piaa_watch_look(w.watch));
    static const char *const names[] = {"b.jpg", "d.jpg", "a.jpg"};
    assert_int_equal(count(&w), PIAA_COUNT(names));
    for (size_t i = 0; i < PIAA_COUNT(names); i++) expect_name(&w, i, names[i]);
    end(&w);
}

/* But not for ever: one that grows all the time keeps the others for 15 walks. */
static void one_that_never_ends_keeps_no_others(void **state) {
    (void)state;
    world w = begin();
    char bytes[64] = {0};
    bool taken = false;
    support_write(w.folder, "photos/whole.jpg", "x", 1);
    for (size_t i = 1; i < 20 && !taken; i++) {
        support_write(w.folder, "photos/endless.jpg", bytes, i);
        taken = piaa_watch_look(w.watch);
    }
    assert_true(taken);
    assert_int_equal(count(&w), 3);
    expect_name(&w, 2, "whole.jpg");
    end(&w);
}

static void ratings_and_people_stay(void **state) {
    (void)state;
    world w = begin();
    piaa_error error = {0};
    size_t person;
    piaa_show *before = piaa_shelf_take(w.shelf);
    assert_true(piaa_people_add(before->people, "zoe", &person, &error));
    assert_true(piaa_people_add(before->people, "ann", &person, &error));
    assert_int_equal(person, 2);
    piaa_library *ann = piaa_people_library(before->people, 2, &error);
    assert_true(piaa_library_rate(ann, 1, 4, &error));
    support_write(w.folder, "photos/a.jpg", "a", 1);
    assert_false(piaa_watch_look(w.watch));
    assert_true(piaa_watch_look(w.watch));
    /* The old list is whole while it is held, but nobody waits for it any more. */
    assert_false(piaa_shelf_is_now(w.shelf, before));
    assert_int_equal(piaa_library_count(ann), 2);
    assert_int_equal(piaa_library_wait(ann, 1, 60000), -1);
    piaa_shelf_give(w.shelf, before);
    piaa_show *now = piaa_shelf_take_to_change(w.shelf);
    double ratings[3], scores[3];
    ann = piaa_people_library(now->people, 2, &error);
    assert_non_null(ann);
    piaa_library_opinion(ann, ratings, scores);
    assert_true(isnan(ratings[0]) && ratings[1] == 4 && isnan(ratings[2]));
    assert_true(piaa_library_rate(ann, 2, 1, &error)); /* a.jpg, which is last and first by path */
    piaa_undone undone;
    assert_true(piaa_library_undo(ann, &undone, &error));
    assert_int_equal(undone.photo, 2);
    piaa_shelf_give_changed(w.shelf, now);
    end(&w);
}

/* A folder that is not there any more, as a disk that was taken out, comes back. */
static void vanished_photos_stay_on_the_list(void **state) {
    (void)state;
    world w = begin();
    char *from = support_join(w.folder, "photos"), *to = support_join(w.folder, "away");
    assert_int_equal(rename(from, to), 0);
    for (int i = 0; i < 3; i++) assert_false(piaa_watch_look(w.watch));
    assert_int_equal(count(&w), 2);
    assert_int_equal(rename(to, from), 0);
    support_write(w.folder, "photos/e.jpg", "e", 1);
    assert_false(piaa_watch_look(w.watch));
    assert_true(piaa_watch_look(w.watch));
    assert_int_equal(count(&w), 3);
    free(from);
    free(to);
    end(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_photos_come_behind_the_others),
        cmocka_unit_test(half_copied_photos_are_left_alone),
        cmocka_unit_test(copies_that_hang_are_taken_again),
        cmocka_unit_test(one_that_never_ends_keeps_no_others),
        cmocka_unit_test(ratings_and_people_stay),
        cmocka_unit_test(vanished_photos_stay_on_the_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

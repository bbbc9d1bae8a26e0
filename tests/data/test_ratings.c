/* Ratings files as people write them, and the line that a broken one gets. */
#include "support.h"

#include "data/ratings.h"

typedef struct heard {
    int lines;
    char last[700];
} heard;

static void hear(void *user, const char *line) {
    heard *h = user;
    h->lines++;
    snprintf(h->last, sizeof h->last, "%s", line);
}

static piaa_ratings *read_text(const char *folder, const char *text, heard *h, piaa_error *error) {
    *h = (heard){0};
    *error = (piaa_error){0};
    support_write(folder, "ratings.csv", text, strlen(text));
    char *path = support_join(folder, "ratings.csv");
    piaa_ratings *ratings = piaa_ratings_read(path, &(piaa_hooks){.user = h, .warn = hear}, error);
    free(path);
    return ratings;
}

static void expect_rating(const piaa_ratings *ratings, size_t index, const char *tail, double score,
                          int64_t line) {
    const piaa_rating *rating = piaa_ratings_at(ratings, index);
    size_t n = strlen(rating->path), m = strlen(tail);
    if (rating->path[0] != '/' || n < m || strcmp(rating->path + n - m, tail) != 0)
        fail_msg("%s does not end in %s", rating->path, tail);
    assert_true(rating->score == score);
    assert_int_equal(rating->line, line);
}

static void reads_ratings(void **state) {
    PIAA_UNUSED(state);
    char *folder = support_folder();
    heard h;
    piaa_error error;
    piaa_ratings *ratings = read_text(folder,
                                      "\xef\xbb\xbfuser, Path ,SCORE,note\r\n"
                                      "ann,a.jpg, 4.5 ,\r\n"
                                      "ann,\"sub/b, c.jpg\",-1e0,\"two\r\nlines\"\r\n"
                                      "\r\n"
                                      "ann,/photos/../photos/d.jpg,3,x\r\n",
                                      &h, &error);
    if (!ratings) fail_msg("%s", error.message);
    assert_int_equal(piaa_ratings_count(ratings), 3);
    char *expected = piaa_path_absolute(folder, NULL), *first = support_join(expected, "a.jpg");
    assert_string_equal(piaa_ratings_at(ratings, 0)->path, first);
    expect_rating(ratings, 0, "/a.jpg", 4.5, 2);
    expect_rating(ratings, 1, "/sub/b, c.jpg", -1, 3);
    expect_rating(ratings, 2, "/photos/d.jpg", 3, 6);
    assert_string_equal(piaa_path_name(piaa_ratings_where(ratings)), "ratings.csv");
    assert_int_equal(h.lines, 0);
    piaa_ratings_free(ratings);
    free(expected);
    free(first);
    support_remove(folder);
}

static void other_column_names(void **state) {
    PIAA_UNUSED(state);
    static const char *const good[] = {"image,score\na.jpg,1\n", "Rating,FileName\n1,a.jpg\n",
                                       "file,path,score\nx,a.jpg,1\n", "score,Photo\n1,a.jpg",
                                       "rating,path,score\n9,a.jpg,1\n"};
    char *folder = support_folder();
    heard h;
    piaa_error error;
    for (size_t i = 0; i < PIAA_COUNT(good); i++) {
        piaa_ratings *ratings = read_text(folder, good[i], &h, &error);
        if (!ratings) fail_msg("%s", error.message);
        expect_rating(ratings, 0, "/a.jpg", 1, 2);
        piaa_ratings_free(ratings);
    }
    support_remove(folder);
}

static void duplicates_are_averaged_and_said(void **state) {
    PIAA_UNUSED(state);
    char *folder = support_folder();
    heard h;
    piaa_error error;
    support_write(folder, "a.jpg", "", 0);
    piaa_ratings *ratings = read_text(
        folder, "path,score\nz.jpg,1\na.jpg,2\n./a.jpg,5\nb.jpg,3\nx/../a.jpg,5\n", &h, &error);
    if (!ratings) fail_msg("%s", error.message);
    assert_int_equal(piaa_ratings_count(ratings), 3);
    expect_rating(ratings, 0, "/z.jpg", 1, 2);
    expect_rating(ratings, 1, "/a.jpg", 4, 3);
    expect_rating(ratings, 2, "/b.jpg", 3, 5);
    assert_int_equal(h.lines, 1);
    assert_non_null(strstr(h.last, "ratings.csv: 1 photo is rated more than once"));
    assert_non_null(strstr(h.last, "a.jpg on lines 3 and 4"));
    piaa_ratings_free(ratings);
    ratings = read_text(folder, "path,score\na,1\na,2\nb,1\nb,3\n", &h, &error);
    assert_non_null(strstr(h.last, "2 photos are rated more than once"));
    piaa_ratings_free(ratings);
    support_remove(folder);
}

static void faults_are_named(void **state) {
    PIAA_UNUSED(state);
    static const struct {
        const char *text, *says, *also;
    } cases[] = {
        {"", "is empty", "header"},
        {"\n \n", "is empty", "header"},
        {"path,score\n", "holds no ratings", "PHOTO,SCORE"},
        {"a.jpg,4\nb.jpg,5\n", "has no header", "path,score"},
        {"path,stars\na,1\n", "no column named score", "it has path, stars"},
        {"name,score\na,1\n", "no column named path", "it has name, score"},
        {"image,file,score\na,b,1\n", "2 columns that could be the path", "name only one"},
        {"path,path,score\na,b,1\n", "2 columns that could be the path", "name only one"},
        {"path;score\na;1\n", "commas", ""},
        {"path,score\na.jpg,great\n",
         "line 2: the score \"great\" is not a number; correct that row", "ratings.csv"},
        {"path,score\na.jpg,3\nb.jpg,nan\n", "line 3: the score \"nan\" is not a number", ""},
        {"path,score\na.jpg,3\nb.jpg,inf\n", "line 3: the score \"inf\" is not a number", ""},
        {"path,score\na.jpg,3\nb.jpg,\n", "line 3: there is no score", ""},
        {"path,score\na.jpg,3\n  ,4\n", "line 3: there is no path", ""},
        {"path,score\na.jpg,1e300\n", "line 2: the score 1e300 is out of range", ""},
        {"path,score\na.jpg,\"3,5\"\n",
         "line 2: the score \"3,5\" is not a number (write a point, not a comma)", ""},
        {"path,score\na.jpg,3,5\nb.jpg,1\n", "line 2: 3 fields where the header has 2",
         "correct that row"},
        {"path,score\na,1\nb,x\nc,2\n\"d,1\n", "line 3: the score \"x\" is not a number",
         "in all 2 of the 4 rows"},
        {"path,score\na,x\nb,\nc\n", "line 2: the score \"x\"", "all 3 of the 3 rows"},
        {"path,score\na,éééééééééééééééééééééééééé\n", "éééé…\" is not a number", ""},
    };
    char *folder = support_folder();
    heard h;
    piaa_error error;
    for (size_t i = 0; i < PIAA_COUNT(cases); i++) {
        assert_null(read_text(folder, cases[i].text, &h, &error));
        assert_int_equal(error.code, PIAA_FORMAT);
        if (!strstr(error.message, cases[i].says) || !strstr(error.message, cases[i].also))
            fail_msg("case %zu: %s", i, error.message);
    }
    char *absent = support_join(folder, "absent.csv");
    error = (piaa_error){0};
    assert_null(piaa_ratings_read(absent, NULL, &error));
    assert_int_equal(error.code, PIAA_IO);
    assert_non_null(strstr(error.message, "absent.csv"));
    assert_null(piaa_ratings_read(folder, NULL, &error));
    assert_null(piaa_ratings_read(NULL, NULL, NULL));
    piaa_ratings_free(NULL);
    assert_int_equal(piaa_ratings_count(NULL), 0);
    free(absent);
    support_remove(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_ratings),
        cmocka_unit_test(other_column_names),
        cmocka_unit_test(duplicates_are_averaged_and_said),
        cmocka_unit_test(faults_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

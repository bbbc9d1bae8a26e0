/* The splits that the published code prints, and what happens where it has nothing to say. */
#include "data/data_support.h"

#include "base/csv.h"
#include "base/json.h"
#include "data/protocol.h"

#define SPLITS PIAA_BUILD "/reference/splits"

static cJSON *read_json(const char *name) {
    piaa_error error = {0};
    cJSON *json = piaa_json_read(name, 1 << 26, &error);
    if (!json) fail_msg("%s", error.message);
    return json;
}

/* ----------------------------------------------------------------------------- published splits */

static void expect_images(const piaa_dataset *set, const cJSON *user, const char *part,
                          const size_t *ratings, size_t count, const char *key) {
    const cJSON *paths = cJSON_GetObjectItemCaseSensitive(user, part), *path;
    assert_int_equal(cJSON_GetArraySize(paths), count);
    size_t i = 0;
    cJSON_ArrayForEach(path, paths) {
        const char *name = set->images[set->ratings[ratings[i]].image].name;
        if (strcmp(name, cJSON_GetStringValue(path)) != 0)
            fail_msg("%s, %s, %s[%zu]: %s instead of %s", key, piaa_json_string(user, "user"), part,
                     i, name, cJSON_GetStringValue(path));
        i++;
    }
}

static void expect_split(const piaa_dataset *set, const piaa_protocol *made, const cJSON *expected,
                         const char *key) {
    const cJSON *user, *score;
    if ((int)made->count != cJSON_GetArraySize(expected))
        fail_msg("%s: %zu people", key, made->count);
    const piaa_protocol_user *own = made->users;
    cJSON_ArrayForEach(user, expected) {
        assert_string_equal(set->users[own->user].id, piaa_json_string(user, "user"));
        expect_images(set, user, "support_10", own->small, made->options.small, key);
        expect_images(set, user, "support_100", own->large, made->options.large, key);
        expect_images(set, user, "test", own->test, made->options.test, key);
        size_t i = 0;
        cJSON_ArrayForEach(score, cJSON_GetObjectItemCaseSensitive(user, "scores")) {
            if (set->ratings[own->test[i++]].score != score->valuedouble)
                fail_msg("%s, %s: a score differs", key, set->users[own->user].id);
        }
        own++;
    }
}

static void equals_the_published_splits(void **state) {
    PIAA_UNUSED(state);
    heard h, k;
    piaa_error error = {0};
    cJSON *golden = read_json(SPLITS "/splits.json");
    piaa_dataset *para = open_set("para", SPLITS "/para", &h),
                 *lapis = open_set("lapis", SPLITS "/lapis", &k);
    int compared = 0;
    const cJSON *entry;
    cJSON_ArrayForEach(entry, golden) {
        const char *key = entry->string;
        const piaa_dataset *set = strncmp(key, "lapis", 5) == 0 ? lapis : para;
        piaa_protocol_options options = piaa_protocol_defaults();
        options.seed = (uint32_t)strtoul(strchr(key, '|') + 1, NULL, 10);
        if (strncmp(key, "para_hard_users", 15) == 0) options.subset = PIAA_SUBSET_HARD_USERS;
        if (strncmp(key, "para_hard_images", 16) == 0) options.subset = PIAA_SUBSET_HARD_IMAGES;
        piaa_protocol *made = piaa_protocol_make(set, &options, NULL, &error);
        if (cJSON_IsString(entry)) { /* the published code's error */
            assert_null(made);
            assert_int_equal(error.code, PIAA_MISMATCH);
            assert_non_null(strstr(error.message, "nobody has rated 160 hard images"));
        } else {
            if (!made) fail_msg("%s: %s", key, error.message);
            expect_split(set, made, entry, key);
        }
        piaa_protocol_free(made);
        compared++;
    }
    assert_int_equal(compared, 8);
    assert_int_equal(lapis->loss.bad_rows, 204);
    expect_heard(&k, "LAPIS_PIAA.csv, line 360: there is no rating: the row is passed over");
    expect_heard(&k, "LAPIS_PIAA.csv: rows that cannot be used: 201 more");
    expect_heard(&k, "LAPIS_GIAA_Valsplit.csv is not there: its images have no mean score");
    expect_heard(&h, "none of the 900 images is there");
    assert_int_equal(h.lines, 1);
    piaa_dataset_close(para);
    piaa_dataset_close(lapis);
    cJSON_Delete(golden);
    hear_nothing_more(&h);
    hear_nothing_more(&k);
}

static void equals_the_published_hard_images(void **state) {
    PIAA_UNUSED(state);
    heard h;
    cJSON *golden = read_json(SPLITS "/hard_images.json");
    piaa_dataset *para = open_set("para", SPLITS "/para", &h);
    const cJSON *entry;
    int compared = 0;
    cJSON_ArrayForEach(entry, golden) {
        piaa_protocol_options options = piaa_protocol_defaults();
        char *end;
        piaa_error error = {0};
        options.subset = PIAA_SUBSET_HARD_IMAGES;
        options.hard_share = strtod(entry->string, &end);
        options.users = strtoul(end + 1, &end, 10);
        options.seed = (uint32_t)strtoul(end + 1, NULL, 10);
        piaa_protocol *made = piaa_protocol_make(para, &options, NULL, &error);
        if (!made) fail_msg("%s", error.message);
        expect_split(para, made, entry, entry->string);
        assert_int_equal(made->hard_images, options.hard_share * 900 + 0.5);
        piaa_protocol_free(made);
        compared++;
    }
    assert_int_equal(compared, 3);
    piaa_dataset_close(para);
    cJSON_Delete(golden);
    hear_nothing_more(&h);
}

/* The prediction files name the test images of every user in order: same people, images and scores
   on the data sets that are carried. */
static void expect_predictions(const char *kind, const char *file) {
    heard h;
    piaa_error error = {0};
    char *folder = piaa_format(NULL, PIAA_SOURCE "/data/%s", kind),
         *golden = piaa_format(NULL, PIAA_GOLDEN "/reference/demo/%s", file);
    piaa_dataset *set = open_set(kind, folder, &h);
    piaa_protocol *made =
        piaa_protocol_make(set, NULL, &(piaa_hooks){.user = &h, .warn = hear}, &error);
    piaa_csv *csv = piaa_csv_open(golden, &error);
    if (!made || !csv) fail_msg("%s", error.message);
    size_t n = 0;
    int user = piaa_csv_column(csv, "user_id"), path = piaa_csv_column(csv, "image_path"),
        score = piaa_csv_column(csv, "user_score");
    for (; piaa_csv_next(csv, &error) > 0; n++) {
        const piaa_protocol_user *own = &made->users[n / made->options.test];
        const piaa_data_rating *rating = &set->ratings[own->test[n % made->options.test]];
        double expected;
        assert_string_equal(set->users[own->user].id, piaa_csv_field(csv, user));
        assert_string_equal(set->images[rating->image].name,
                            strchr(piaa_csv_field(csv, path), '/') + 1);
        assert_true(piaa_parse_number(piaa_csv_field(csv, score), &expected));
        assert_true(fabs(rating->score - expected) < 1e-12);
    }
    assert_int_equal(n, made->count * made->options.test);
    assert_int_equal(h.lines, 0);
    piaa_csv_close(csv);
    piaa_protocol_free(made);
    piaa_dataset_close(set);
    free(folder);
    free(golden);
}

static void equals_the_published_test_images(void **state) {
    PIAA_UNUSED(state);
    expect_predictions("para", "para_linear_hidden_LT3_large.csv");
    expect_predictions("lapis", "lapis_linear_hidden_LT3_large.csv");
}

/* ----------------------------------------------------------------------------------- own tables */

/* Ratings by `people` with 6, 7, 8, … images each; `turn` rotates the rows. */
static void write_table(const char *folder, int people, int turn, const char *extra) {
    piaa_text rows = {0}, all = {0};
    size_t starts[512], count = 0;
    for (int p = 0; p < people; p++)
        for (int i = 0; i < 6 + p; i++) {
            starts[count++] = rows.length;
            assert_true(piaa_text_format(&rows, NULL, "p%d,img%02d.jpg,%d\n", p, i,
                                         1 + (i * (p + 3) + p) % 5));
        }
    size_t cut = starts[(size_t)turn % count];
    assert_true(piaa_text_format(&all, NULL, "user,path,score\n%s%.*s%s", rows.data + cut, (int)cut,
                                 rows.data, extra));
    put(folder, "r.csv", all.data);
    free(rows.data);
    free(all.data);
}

static piaa_protocol *make(const char *folder, piaa_dataset **set, heard *h,
                           const piaa_protocol_options *options, piaa_error *error) {
    char *file = support_join(folder, "r.csv");
    *set = open_set("csv", file, h);
    free(file);
    hear_nothing_more(h);
    return piaa_protocol_make(*set, options, &(piaa_hooks){.user = h, .warn = hear}, error);
}

/* Rows in another order: the same people take part, in the same order, but their images are dealt
   differently. */
static void order_of_rows_changes_the_deal_alone(void **state) {
    PIAA_UNUSED(state);
    char *folder = support_folder();
    heard h, k;
    piaa_error error = {0};
    piaa_dataset *one, *two;
    piaa_protocol_options options = piaa_protocol_defaults();
    options.small = 1, options.large = 4, options.test = 3;
    write_table(folder, 5, 0, "");
    piaa_protocol *a = make(folder, &one, &h, &options, &error),
                  *same = piaa_protocol_make(one, &options, NULL, &error);
    write_table(folder, 5, 17, "");
    piaa_protocol *b = make(folder, &two, &k, &options, &error);
    assert_true(a && b && same && a->count == 3 && b->count == 3);
    expect_heard(&h, "2 of 5 people have rated fewer than 8 images and are left out (p0 has 6, …)");
    assert_int_equal(a->below, 2);
    bool differs = false;
    for (size_t u = 0; u < 3; u++) {
        assert_string_equal(one->users[a->users[u].user].id, two->users[b->users[u].user].id);
        for (size_t i = 0; i < 8; i++) {
            assert_int_equal(a->users[u].small[i], same->users[u].small[i]);
            const piaa_data_rating *x = &one->ratings[a->users[u].small[i]],
                                   *y = &two->ratings[b->users[u].small[i]];
            differs =
                differs || strcmp(one->images[x->image].name, two->images[y->image].name) != 0;
            for (size_t j = 0; j < i; j++)
                assert_true(one->ratings[a->users[u].small[j]].image != x->image);
        }
    }
    assert_true(differs);
    options.users = 2;
    piaa_protocol *fewer = piaa_protocol_make(one, &options, NULL, &error);
    assert_true(fewer && fewer->count == 2 && fewer->not_drawn == 1);
    piaa_protocol_free(a);
    piaa_protocol_free(b);
    piaa_protocol_free(same);
    piaa_protocol_free(fewer);
    piaa_dataset_close(one);
    piaa_dataset_close(two);
    hear_nothing_more(&h);
    hear_nothing_more(&k);
    support_remove(folder);
}

/* People a, b, … with so many ratings each; first in the file from the left or from the right. */
static void write_counts(const char *folder, const char *counts, bool backwards) {
    piaa_text rows = {0};
    int people = (int)strlen(counts);
    assert_true(piaa_text_format(&rows, NULL, "user,path,score\n"));
    for (int k = 0; k < people; k++) {
        int p = backwards ? people - 1 - k : k;
        for (int i = 0; i < counts[p] - '0'; i++)
            assert_true(
                piaa_text_format(&rows, NULL, "%c,img%d.jpg,%d\n", 'a' + p, i, 1 + (i + p) % 5));
    }
    put(folder, "r.csv", rows.data);
    free(rows.data);
}

/* CPython's random.Random(42).sample(range(6), 3) is [5, 0, 4]: the first, the fifth and the last
   in descending order of counts. */
static void ties_that_decide_who_is_drawn_are_said(void **state) {
    PIAA_UNUSED(state);
    static const struct {
        const char *counts;
        size_t tied;
    } cases[] = {{"987654", 0}, /* no two are equal */
                 {"987644", 0}, /* both of the equal are drawn */
                 {"988744", 0}, /* none of those with 8, both with 4 */
                 {"998744", 1}, /* one of those with 9 */
                 {"987444", 2}, /* two of those with 4 */
                 {"994444", 3}, {"888888", 3}};
    char *folder = support_folder();
    piaa_protocol_options options = piaa_protocol_defaults();
    options.small = 1, options.large = 1, options.test = 1, options.users = 3;
    for (size_t c = 0; c < PIAA_COUNT(cases); c++) {
        char drawn[2][4] = {"", ""};
        for (int backwards = 0; backwards < 2; backwards++) {
            heard h;
            piaa_dataset *set;
            piaa_error error = {0};
            write_counts(folder, cases[c].counts, backwards);
            piaa_protocol *made = make(folder, &set, &h, &options, &error);
            if (!made) fail_msg("%s", error.message);
            assert_int_equal(made->count, 3);
            for (size_t u = 0; u < 3; u++)
                drawn[backwards][u] = set->users[made->users[u].user].id[0];
            assert_int_equal(made->tied, cases[c].tied);
            assert_int_equal(h.lines, cases[c].tied > 0);
            if (cases[c].tied)
                expect_heard(&h, "of the 3 people drawn have equal numbers of ratings");
            piaa_protocol_free(made);
            piaa_dataset_close(set);
            hear_nothing_more(&h);
        }
        if (!cases[c].tied) assert_string_equal(drawn[0], drawn[1]);
    }
    support_remove(folder);
}

/* Everybody agrees with the mean to the same degree. */
static void ties_among_hard_users_are_said(void **state) {
    PIAA_UNUSED(state);
    char *folder = support_folder();
    heard h;
    piaa_dataset *set;
    piaa_error error = {0};
    piaa_protocol_options options = piaa_protocol_defaults();
    options.small = 1, options.large = 1, options.test = 1, options.subset = PIAA_SUBSET_HARD_USERS;
    options.least_shared = 2;
    put(folder, "r.csv",
        "user,path,score\nb,x,1\nb,y,2\nb,z,3\na,x,1\na,y,2\na,z,3\nc,x,2\nc,y,3\nc,z,4\n");
    for (options.users = 1; options.users < 4; options.users++) {
        piaa_protocol *made = make(folder, &set, &h, &options, &error);
        if (!made) fail_msg("%s", error.message);
        assert_int_equal(made->count, options.users);
        assert_int_equal(made->tied, options.users < 3 ? options.users : 0);
        assert_int_equal(h.lines, options.users < 3);
        if (options.users < 3) expect_heard(&h, "have equal agreement with others");
        assert_string_equal(set->users[made->users[0].user].id, "a");
        piaa_protocol_free(made);
        piaa_dataset_close(set);
        hear_nothing_more(&h);
    }
    support_remove(folder);
}

static void no_image_is_learnt_from_and_predicted(void **state) {
    PIAA_UNUSED(state);
    char *folder = support_folder();
    heard h;
    piaa_error error = {0};
    piaa_dataset *set;
    piaa_protocol_options options = piaa_protocol_defaults();
    options.small = 1, options.large = 3, options.test = 3;
    write_table(folder, 2, 0,
                "p1,img00.jpg,5\np1,img01.jpg,5\np0,img00.jpg,1\n"); /* p0: 7 rows of 6 images; p1:
                                                                        9 rows of 7 */
    for (options.seed = 0; options.seed < 20; options.seed++) {
        piaa_protocol *made = make(folder, &set, &h, &options, &error);
        if (!made) fail_msg("%s", error.message);
        assert_int_equal(set->loss.repeated_ratings, 3);
        assert_int_equal(made->count, 1);
        assert_int_equal(made->below, 1);
        expect_heard(&h, "p0 is left out: 7 rows, but only 6 different images of 7");
        for (size_t i = 0; i < 7; i++)
            for (size_t j = 0; j < i; j++)
                assert_true(set->ratings[made->users[0].small[i]].image !=
                            set->ratings[made->users[0].small[j]].image);
        piaa_protocol_free(made);
        piaa_dataset_close(set);
        hear_nothing_more(&h);
    }
    support_remove(folder);
}

static void numbers_are_sorted_as_numbers(void **state) {
    PIAA_UNUSED(state);
    static const struct {
        const char *text, *order[3];
    } cases[] = {{"user,path,score\n10,a,1\n9,a,2\n-3,a,3\n", {"-3", "9", "10"}},
                 {"user,path,score\n10,a,1\n9,a,2\nx,a,3\n", {"10", "9", "x"}}};
    char *folder = support_folder();
    heard h;
    piaa_error error = {0};
    piaa_protocol_options options = piaa_protocol_defaults();
    options.small = 1, options.large = 0, options.test = 0;
    for (size_t c = 0; c < PIAA_COUNT(cases); c++) {
        piaa_dataset *set;
        put(folder, "r.csv", cases[c].text);
        piaa_protocol *made = make(folder, &set, &h, &options, &error);
        assert_true(made && made->count == 3);
        for (size_t i = 0; i < 3; i++)
            assert_string_equal(set->users[made->users[i].user].id, cases[c].order[i]);
        piaa_protocol_free(made);
        piaa_dataset_close(set);
        hear_nothing_more(&h);
    }
    support_remove(folder);
}

static void says_why_nobody_is_left(void **state) {
    PIAA_UNUSED(state);
    char *folder = support_folder();
    heard h;
    piaa_dataset *set, *aadb;
    piaa_error error = {0};
    piaa_protocol_options options = piaa_protocol_defaults();
    write_table(folder, 3, 0, "");
    assert_null(make(folder, &set, &h, NULL, &error));
    assert_int_equal(error.code, PIAA_MISMATCH);
    assert_non_null(strstr(error.message, "r.csv: nobody has rated 160 images"));
    error = (piaa_error){0};
    options.small = options.large = options.test = 0;
    assert_null(piaa_protocol_make(set, &options, NULL, &error));
    assert_int_equal(error.code, PIAA_USAGE);
    error = (piaa_error){0};
    options = piaa_protocol_defaults();
    options.small = 1, options.large = 2, options.test = 2,
    options.subset = PIAA_SUBSET_HARD_IMAGES, options.least_raters = 9;
    assert_null(piaa_protocol_make(set, &options, NULL, &error));
    assert_non_null(strstr(error.message, "no image has 9 ratings"));
    options.hard_share = 1.5;
    assert_null(piaa_protocol_make(set, &options, NULL, &error));
    assert_int_equal(error.code, PIAA_USAGE);
    options = piaa_protocol_defaults();
    options.small = 1, options.large = 2, options.test = 2, options.subset = PIAA_SUBSET_HARD_USERS;
    assert_null(piaa_protocol_make(set, &options, NULL, &error));
    assert_non_null(strstr(error.message, "nobody's agreement"));
    options.least_shared = 2; /* p2 gives every image the same score */
    piaa_protocol *made = piaa_protocol_make(set, &options, NULL, &error);
    assert_true(made && made->count == 2 && made->below == 1 && made->options.users == 50 &&
                fabs(made->users[0].agreement) <= 1);
    piaa_protocol_free(made);
    piaa_dataset_close(set);
    hear_nothing_more(&h);
    aadb = open_set("aadb", PIAA_SOURCE "/data/aadb", &h);
    assert_null(piaa_protocol_make(aadb, NULL, NULL, &error));
    assert_non_null(strstr(error.message, "no personal ratings"));
    assert_null(piaa_protocol_make(NULL, NULL, NULL, NULL));
    piaa_protocol_free(NULL);
    piaa_dataset_close(aadb);
    hear_nothing_more(&h);
    support_remove(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_the_published_splits),
        cmocka_unit_test(equals_the_published_hard_images),
        cmocka_unit_test(equals_the_published_test_images),
        cmocka_unit_test(order_of_rows_changes_the_deal_alone),
        cmocka_unit_test(ties_that_decide_who_is_drawn_are_said),
        cmocka_unit_test(ties_among_hard_users_are_said),
        cmocka_unit_test(no_image_is_learnt_from_and_predicted),
        cmocka_unit_test(numbers_are_sorted_as_numbers),
        cmocka_unit_test(says_why_nobody_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

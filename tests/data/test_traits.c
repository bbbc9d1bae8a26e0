/* PARA's people: the small data, encoded as pandas and a dictionary would, and files made on the
   spot. */
#include "data/data_support.h"

#include "data/traits.h"

enum { WORDS = PIAA_TRAIT_WORDS, NUMBERS = PIAA_TRAIT_NUMBERS };

#define FILE_NAME "annotation/PARA-UserInfo.csv"
#define HEADER                                                                                     \
    "userId,age,gender,EducationalLevel,artExperience,photographyExperience,personality-E,"        \
    "personality-A,personality-N,personality-O,personality-C\n"

static piaa_traits *read_traits(const piaa_dataset *set, heard *h) {
    piaa_error error = {0};
    hear_nothing_more(h);
    piaa_traits *made = piaa_traits_read(set, &(piaa_hooks){.user = h, .warn = hear}, &error);
    if (!made) fail_msg("%s", error.message);
    return made;
}

/* People a, b, c, d, in this order; d only with a row that lacks a score. */
static piaa_dataset *open_people(const char *folder, const char *info, heard *h) {
    put(folder, "annotation/PARA-Images.csv",
        "sessionId,imageName,userId,aestheticScore,qualityScore\n"
        "s,x.jpg,d,3,\ns,x.jpg,a,3,3\ns,x.jpg,b,3,3\ns,x.jpg,c,3,3\n");
    if (info) put(folder, FILE_NAME, info);
    return open_set("para", folder, h);
}

/* The vocabulary of everybody, as sorted(set(column)) gives it. */
static void reads_the_small_data(void **state) {
    PIAA_UNUSED(state);
    static const char *const experience[] = {"beginner", "competent", "expert", "proficient"};
    heard h;
    piaa_dataset *set = open_set("para", PIAA_SOURCE "/data/para", &h);
    piaa_traits *traits = read_traits(set, &h);
    piaa_trait_vocabulary words = {0};
    piaa_traits_loss loss;
    size_t users[40];
    int categories[40 * WORDS];
    float numbers[40 * NUMBERS];
    assert_true(traits->people == 40 && traits->bad_rows == 0);
    for (size_t u = 0; u < 40; u++) users[u] = 39 - u; /* A1000 last */
    assert_true(piaa_trait_vocabulary_make(traits, users, 40, &words, NULL));
    assert_int_equal(words.words[3].count, PIAA_COUNT(experience));
    for (size_t i = 0; i < PIAA_COUNT(experience); i++)
        assert_string_equal(words.words[3].items[i], experience[i]);
    piaa_traits_encode(traits, &words, users, 40, categories, numbers,
                       &(piaa_hooks){.user = &h, .warn = hear}, &loss);
    assert_int_equal(h.lines, 0);
    assert_true(loss.without_row + loss.unknown_words + loss.missing_words + loss.missing_numbers ==
                0);
    /* A1000,30-34,female,senior_high_school,beginner,expert,7,1,3,2,10 */
    const int *own = categories + 39 * WORDS;
    const float *big_five = numbers + 39 * NUMBERS;
    assert_string_equal(words.words[0].items[own[0]], "30-34");
    assert_string_equal(words.words[1].items[own[1]], "female");
    assert_string_equal(words.words[2].items[own[2]], "senior_high_school");
    assert_true(own[3] == 0 && own[4] == 2);
    assert_true(big_five[0] == 7 && big_five[1] == 1 && big_five[2] == 3 && big_five[3] == 2 &&
                big_five[4] == 10);
    piaa_trait_vocabulary_free(&words);
    piaa_traits_free(traits);
    piaa_dataset_close(set);
}

static void counts_and_tells_what_is_not_there(void **state) {
    PIAA_UNUSED(state);
    char *folder = support_folder();
    heard h;
    piaa_dataset *set =
        open_people(folder,
                    "\xEF\xBB\xBF" HEADER "a, 18-21 ,male,university,expert,expert,1,2,3.5,4,5\n"
                    "b,nan,Male,,N/A,expert,nan,,ten,1e3,-1\n"
                    "stranger,99,x,x,x,x,1,1,1,1,1\n"
                    "a,30-34,female,x,x,x,9,9,9,9,9\n" /* again */
                    ",30-34,female,x,x,x,9,9,9,9,9\n"  /* nobody */
                    "d,22-25,female\n",                /* cut short */
                    &h);
    piaa_traits *traits = read_traits(set, &h);
    piaa_trait_vocabulary words = {0};
    piaa_traits_loss loss;
    size_t trained[] = {0, 3}, everybody[] = {0, 1, 2, 3};
    int categories[4 * WORDS];
    float numbers[4 * NUMBERS];
    assert_int_equal(traits->people, 4);
    assert_int_equal(traits->bad_rows, 2);
    expect_heard(&h, "PARA-UserInfo.csv, line 5: a is listed before, and the first mention counts: "
                     "the row is passed over");
    expect_heard(&h, "line 6: there is no userId");
    assert_string_equal(traits->words[0], "18-21");
    assert_string_equal(traits->ids[3], "d");
    assert_true(traits->has[0] && traits->has[1] && !traits->has[2] && traits->has[3]);
    assert_true(isnan(traits->numbers[1 * NUMBERS]) && traits->numbers[1 * NUMBERS + 3] == 1000);
    assert_true(piaa_trait_vocabulary_make(traits, trained, 2, &words, NULL));
    assert_true(words.words[0].count == 2 && words.words[1].count == 2 &&
                words.words[2].count == 1);
    hear_nothing_more(&h);
    piaa_traits_encode(traits, &words, everybody, 4, categories, numbers,
                       &(piaa_hooks){.user = &h, .warn = hear}, &loss);
    assert_int_equal(loss.without_row, 1);
    expect_heard(&h, "PARA-UserInfo.csv says nothing of c: all traits are taken as 0");
    assert_int_equal(loss.unknown_words, 1); /* capital letters make another word, as published */
    expect_heard(&h,
                 "b has the gender \"Male\", which nobody who was trained on has: it is taken as "
                 "\"female\"");
    assert_int_equal(loss.missing_words, 3 + 3);
    expect_heard(&h, "b has no age: it is taken as \"18-21\"");
    expect_heard(&h, "words that are missing: 3 more");
    assert_int_equal(loss.missing_numbers, 3 + 5);
    expect_heard(&h, "b has no number for personality-E: it is taken as 0");
    expect_heard(&h, "numbers that are missing: 5 more");
    static const int expected[4 * WORDS] = {0, 1, 0, 0, 0, /* b */ 0, 0, 0, 0, 0,
                                            0, 0, 0, 0, 0, /* d */ 1, 0, 0, 0, 0};
    for (size_t i = 0; i < PIAA_COUNT(expected); i++) assert_int_equal(categories[i], expected[i]);
    static const float written[4 * NUMBERS] = {1, 2, 3.5F, 4, 5, 0, 0, 0, 1000, -1};
    for (size_t i = 0; i < PIAA_COUNT(written); i++) assert_true(numbers[i] == written[i]);
    piaa_traits_encode(traits, &words, everybody, 4, categories, numbers, NULL, NULL);
    piaa_trait_vocabulary_free(&words);
    piaa_traits_free(traits);
    piaa_dataset_close(set);
    hear_nothing_more(&h);
    support_remove(folder);
}

/* A network needs one row for each trait even where nobody has one. */
static void has_a_vocabulary_where_nobody_says_anything(void **state) {
    PIAA_UNUSED(state);
    char *folder = support_folder();
    heard h;
    piaa_dataset *set = open_people(folder, HEADER "b,?,,NaN,-,x,1,1,1,1,1\n", &h);
    piaa_traits *traits = read_traits(set, &h);
    piaa_trait_vocabulary words = {0};
    size_t nobody[] = {0}, somebody[] = {1};
    int categories[WORDS];
    float numbers[NUMBERS];
    assert_true(piaa_trait_vocabulary_make(traits, nobody, 1, &words, NULL));
    for (size_t i = 0; i < WORDS; i++) {
        assert_int_equal(words.words[i].count, 1);
        assert_string_equal(words.words[i].items[0], "");
    }
    hear_nothing_more(&h);
    piaa_traits_encode(traits, &words, somebody, 1, categories, numbers, NULL, NULL);
    for (size_t i = 0; i < WORDS; i++) assert_int_equal(categories[i], 0);
    for (size_t i = 0; i < NUMBERS; i++) assert_true(numbers[i] == 1);
    piaa_trait_vocabulary_free(&words);
    piaa_traits_free(traits);
    piaa_dataset_close(set);
    hear_nothing_more(&h);
    support_remove(folder);
}

static void expect_failure(const piaa_dataset *set, piaa_code code, const char *part) {
    piaa_error error = {0};
    assert_null(piaa_traits_read(set, NULL, &error));
    assert_int_equal(error.code, code);
    if (!strstr(error.message, part)) fail_msg("%s", error.message);
}

static void says_what_is_wrong(void **state) {
    PIAA_UNUSED(state);
    char *folder = support_folder();
    heard h;
    piaa_dataset *set = open_people(folder, NULL, &h);
    expect_failure(set, PIAA_IO,
                   "PARA-UserInfo.csv is not there, and it holds the traits of PARA's people");
    put(folder, FILE_NAME, "userId,age,gender,artExperience\na,1,m,x\n");
    expect_failure(set, PIAA_FORMAT,
                   "PARA-UserInfo.csv has no column named EducationalLevel (it has "
                   "userId, age, gender, artExperience)");
    put(folder, FILE_NAME,
        "userId,age,gender,EducationalLevel,artExperience,photographyExperience,personality-E\n");
    expect_failure(set, PIAA_FORMAT, "has no column named personality-A");
    put(folder, FILE_NAME, "user,age\n");
    expect_failure(set, PIAA_FORMAT, "has no column named userId");
    put(folder, FILE_NAME, "");
    expect_failure(set, PIAA_FORMAT, "PARA-UserInfo.csv");
    piaa_dataset_close(set);
    hear_nothing_more(&h);
    set = open_set("lapis", PIAA_SOURCE "/data/lapis", &h);
    expect_failure(set, PIAA_MISMATCH, "only PARA describes its people");
    piaa_dataset_close(set);
    hear_nothing_more(&h);
    assert_null(piaa_traits_read(NULL, NULL, NULL));
    piaa_traits_free(NULL);
    support_remove(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_small_data),
        cmocka_unit_test(counts_and_tells_what_is_not_there),
        cmocka_unit_test(has_a_vocabulary_where_nobody_says_anything),
        cmocka_unit_test(says_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

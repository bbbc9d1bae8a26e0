/* What the published builder makes of the same files, the small data, and what nobody can be
   trained on. */
#include "data/data_support.h"

#include "base/json.h"
#include "data/opinions.h"
#include "data/prior_split.h"

#define CASE PIAA_BUILD "/reference/ici/split_case"

static piaa_protocol *make_protocol(const piaa_dataset *set, size_t small, size_t large,
                                    size_t test, uint32_t seed, size_t first) {
    piaa_protocol_options options = piaa_protocol_defaults();
    piaa_error error = {0};
    options.small = small, options.large = large, options.test = test;
    options.seed = seed, options.first = first;
    piaa_protocol *made = piaa_protocol_make(set, &options, NULL, &error);
    if (!made) fail_msg("%s", error.message);
    return made;
}

static piaa_prior_split *make_split(const piaa_dataset *set, const piaa_protocol *protocol,
                                    bool share, heard *h) {
    piaa_error error = {0};
    piaa_prior_split *made =
        piaa_prior_split_make(set, protocol, share, &(piaa_hooks){.user = h, .warn = hear}, &error);
    if (!made) fail_msg("%s", error.message);
    return made;
}

/* ----------------------------------------------------------------------------- published splits */

static const char *at(const cJSON *list, size_t i) {
    const char *text = cJSON_GetStringValue(cJSON_GetArrayItem(list, (int)i));
    assert_non_null(text);
    return text;
}

/* The builder's names lack the folder of all photos. */
static const char *name_of(const piaa_dataset *set, size_t image) {
    assert_int_equal(strncmp(set->images[image].name, "imgs/", 5), 0);
    return set->images[image].name + 5;
}

static void expect_images(const piaa_dataset *set, const size_t *images, size_t count,
                          const cJSON *expected, bool sorted) {
    bool *there = piaa_alloc(set->image_count, sizeof *there, NULL);
    const cJSON *entry;
    size_t i = 0;
    assert_int_equal(cJSON_GetArraySize(expected), count);
    for (size_t k = 0; k < count; k++) there[images[k]] = true;
    cJSON_ArrayForEach(entry, expected) {
        size_t image = 0;
        char *name = piaa_format(NULL, "imgs/%s", entry->valuestring);
        assert_true(name && piaa_dataset_find(set, name, &image));
        free(name);
        if (!there[image]) fail_msg("%s is not among %s", entry->valuestring, expected->string);
        there[image] = false;
        if (sorted) assert_int_equal(image, images[i++]);
    }
    free(there);
}

static void expect_ratings(const piaa_dataset *set, const piaa_prior_split *split,
                           const cJSON *expected) {
    const cJSON *row;
    size_t i = 0;
    assert_int_equal(cJSON_GetArraySize(expected), split->rating_count);
    cJSON_ArrayForEach(row, expected) {
        const piaa_prior_rating *own = &split->ratings[i++];
        assert_string_equal(set->user_names.items[split->users[own->user]], at(row, 0));
        assert_string_equal(name_of(set, own->image), at(row, 1));
        assert_true(own->score == cJSON_GetArrayItem(row, 2)->valuedouble);
    }
}

static void expect_targets(const piaa_dataset *set, const cJSON *expected) {
    piaa_error error = {0};
    piaa_opinions *opinions = piaa_opinions_read(set, NULL, &error);
    const cJSON *target, *value;
    int compared = 0;
    if (!opinions) fail_msg("%s", error.message);
    cJSON_ArrayForEach(target, expected) {
        size_t image = 0;
        char *name = piaa_format(NULL, "imgs/%s", target->string);
        assert_true(name && piaa_dataset_find(set, name, &image) && opinions->has[image]);
        free(name);
        const float *means = opinions->attributes + image * PIAA_OPINION_ATTRIBUTES,
                    *bins = opinions->bins + image * PIAA_OPINION_BINS;
        cJSON_ArrayForEach(value, cJSON_GetArrayItem(target, 0)) {
            assert_true(*means++ == (float)value->valuedouble);
        }
        cJSON_ArrayForEach(value, cJSON_GetArrayItem(target, 1)) {
            assert_true(*bins++ == (float)value->valuedouble);
        }
        compared++;
    }
    assert_int_equal(compared, 3);
    piaa_opinions_free(opinions);
}

static void equals_the_published_builder(void **state) {
    PIAA_UNUSED(state);
    static const uint32_t seeds[] = {42, 7};
    static const size_t stand_ins[] = {2, 1};
    heard h;
    piaa_error error = {0};
    cJSON *golden = piaa_json_read(CASE "/ici_splits.json", 1 << 26, &error);
    if (!golden) fail_msg("%s", error.message);
    piaa_dataset *set = open_set("para", CASE, &h);
    assert_true(set->partial_count > 600);
    for (size_t s = 0; s < PIAA_COUNT(seeds); s++) {
        char key[16];
        snprintf(key, sizeof key, "para|%u", (unsigned)seeds[s]);
        const cJSON *expected = cJSON_GetObjectItemCaseSensitive(golden, key);
        const cJSON *people = cJSON_GetObjectItemCaseSensitive(expected, "eval_users"),
                    *users = cJSON_GetObjectItemCaseSensitive(expected, "train_users");
        piaa_protocol *protocol = make_protocol(set, 10, 100, 50, seeds[s], 0);
        hear_nothing_more(&h);
        piaa_prior_split *split = make_split(set, protocol, false, &h);
        assert_int_equal(protocol->count, cJSON_GetArraySize(people));
        for (size_t u = 0; u < protocol->count; u++)
            assert_string_equal(set->users[protocol->users[u].user].id, at(people, u));
        assert_int_equal(split->user_count, cJSON_GetArraySize(users));
        for (size_t u = 0; u < split->user_count; u++)
            assert_string_equal(set->user_names.items[split->users[u]], at(users, u));
        expect_ratings(set, split,
                       cJSON_GetObjectItemCaseSensitive(expected, "train_interactions"));
        expect_images(set, split->images, split->image_count,
                      cJSON_GetObjectItemCaseSensitive(expected, "train_images"), true);
        expect_images(set, split->fitted, split->fitted_count,
                      cJSON_GetObjectItemCaseSensitive(expected, "phase1_train"), false);
        expect_images(set, split->held, split->held_count,
                      cJSON_GetObjectItemCaseSensitive(expected, "phase1_val"), false);
        expect_targets(set, cJSON_GetObjectItemCaseSensitive(expected, "phase1_val_targets"));
        /* Some people rated an image twice among their first 160 rows. */
        assert_int_equal(split->stand_ins, stand_ins[s]);
        expect_heard(&h, seeds[s] == 42 ? "2 photos are trained on, as published, although somebody"
                                        : "1 photo is trained on");
        piaa_prior_split_free(split);
        piaa_protocol_free(protocol);
    }
    piaa_dataset_close(set);
    cJSON_Delete(golden);
    hear_nothing_more(&h);
}

/* ------------------------------------------------------------------------------- the small data */

static void shares_photos_of_the_small_data(void **state) {
    PIAA_UNUSED(state);
    heard h;
    piaa_dataset *set = open_set("para", PIAA_SOURCE "/data/para", &h);
    piaa_protocol *protocol = make_protocol(set, 10, 100, 50, 42, 10);
    piaa_prior_split *split = make_split(set, protocol, true, &h);
    assert_int_equal(split->user_count, 30);
    assert_int_equal(split->rating_count, 5674);
    assert_int_equal(split->image_count, 400);
    assert_int_equal(split->fitted_count, 360);
    assert_int_equal(split->held_count, 40);
    for (size_t u = 0; u < split->user_count; u++) {
        if (u)
            assert_true(strcmp(set->users[split->users[u - 1]].id, set->users[split->users[u]].id) <
                        0);
        for (size_t p = 0; p < protocol->count; p++)
            assert_true(protocol->users[p].user != split->users[u]);
    }
    assert_int_equal(h.lines, 0);
    piaa_prior_split_free(split);
    piaa_protocol_free(protocol);
    piaa_dataset_close(set);
}

static void expect_none(const piaa_dataset *set, const piaa_protocol *protocol, bool share,
                        const char *part) {
    piaa_error error = {0};
    assert_null(piaa_prior_split_make(set, protocol, share, NULL, &error));
    assert_int_equal(error.code, PIAA_MISMATCH);
    if (!strstr(error.message, part)) fail_msg("%s", error.message);
}

static void expect_nothing_left(const piaa_dataset *set, size_t first, bool share,
                                const char *part) {
    piaa_protocol *protocol = make_protocol(set, 10, 100, 50, 42, first);
    expect_none(set, protocol, share, part);
    piaa_protocol_free(protocol);
}

static void says_that_nothing_is_left(void **state) {
    PIAA_UNUSED(state);
    heard h;
    piaa_error error = {0};
    piaa_dataset *set = open_set("para", PIAA_SOURCE "/data/para", &h);
    expect_nothing_left(set, 0, false,
                        "PARA-Images.csv: all 40 people are evaluated, and nobody is left to train "
                        "a prior on: evaluate fewer of them (--eval-people N)");
    expect_nothing_left(set, 0, true, "(--eval-people N)");
    expect_nothing_left(set, 30, false,
                        "the 30 people who are evaluated are given every photo that the other 10 "
                        "rated");
    expect_nothing_left(set, 30, false, "--share-photos");
    expect_nothing_left(
        set, 10, false,
        "only 2 photos with mean scores are left to train a prior on: evaluate fewer "
        "people (--eval-people N)");
    assert_null(piaa_prior_split_make(set, NULL, false, NULL, &error));
    assert_int_equal(error.code, PIAA_USAGE);
    assert_null(piaa_prior_split_make(NULL, NULL, false, NULL, NULL));
    piaa_prior_split_free(NULL);
    piaa_dataset_close(set);
}

/* ------------------------------------------------------------------------------------ own files */

#define SCORES                                                                                     \
    "aestheticScore,qualityScore,compositionScore,colorScore,dofScore,lightScore,contentScore"
#define MEANS                                                                                      \
    "aestheticScore_mean,qualityScore_mean,compositionScore_mean,colorScore_mean,dofScore_mean,"   \
    "lightScore_mean,contentScore_mean"

/* As many listed photos as are needed to hold one back, and what USER says of them. */
#define LISTED                                                                                     \
    "s,f1.jpg,1,3,3,3,3,3,3\ns,f2.jpg,1,3,3,3,3,3,3\ns,f3.jpg,1,3,3,3,3,3,3\n"                     \
    "s,f4.jpg,1,3,3,3,3,3,3\ns,f5.jpg,1,3,3,3,3,3,3\ns,f6.jpg,1,3,3,3,3,3,3\n"
#define RATED(USER)                                                                                \
    "s,f1.jpg," USER ",1,3,3,3,3,3,3\ns,f2.jpg," USER ",2,3,3,3,3,3,3\ns,f3.jpg," USER             \
    ",3,3,3,3,3,3,3\ns,f4.jpg," USER ",1,3,3,3,3,3,3\ns,f5.jpg," USER                              \
    ",2,3,3,3,3,3,3\ns,f6.jpg," USER ",3,3,3,3,3,3,3\n"
#define WHOLE                                                                                      \
    RATED("b") "s,p1.jpg,a,2,3,3,3,3,3,3\ns,p4.jpg,a,3,3,3,3,3,3,3\ns,p5.jpg,a,4,3,3,3,3,3,3\n"

static void write_para(const char *folder, const char *ratings, const char *means) {
    char *text = piaa_format(NULL, "sessionId,imageName,userId," SCORES "\n%s", ratings);
    assert_non_null(text);
    put(folder, "annotation/PARA-Images.csv", text);
    free(text);
    text = piaa_format(NULL, "sessionId,imageName," MEANS "\n%s", means);
    assert_non_null(text);
    put(folder, "annotation/PARA-GiaaTrain.csv", text);
    put(folder, "annotation/PARA-GiaaTest.csv", "sessionId,imageName," MEANS "\n");
    free(text);
}

/* The aesthetic score is enough to be trained on, and for nothing else: people, images and ratings
   are numbered as if the other rows were not there. */
static void keeps_what_lacks_another_score_apart(void **state) {
    PIAA_UNUSED(state);
    char *folder = support_folder();
    heard h, k;
    write_para(folder, WHOLE, LISTED);
    piaa_dataset *without = open_set("para", folder, &k);
    write_para(folder,
               "s,p9.jpg,late,5,3,,3,3,3,3\n"       /* a person and an image of their own */
               "s,f2.jpg,a,4.5,3,3,nan,3,3,3\n"     /* before the person's other rows */
               WHOLE "s,f2.jpg,a,1.5,3,3,3,x,3,3\n" /* again */
               "s,p1.jpg,a,,3,3,3,3,3,3\n"          /* no aesthetic score */
               "s,p1.jpg,,3,3,3,3,3,,3\n"           /* nobody */
               "s,,a,3,3,3,3,3,,3\n"                /* nothing */
               "s,p6.jpg,a,3\n",                    /* cut short */
               LISTED);
    piaa_dataset *set = open_set("para", folder, &h);
    assert_int_equal(set->user_count, without->user_count);
    assert_int_equal(set->rating_count, without->rating_count);
    for (size_t r = 0; r < set->rating_count; r++) {
        assert_int_equal(set->ratings[r].user, without->ratings[r].user);
        assert_int_equal(set->ratings[r].image, without->ratings[r].image);
        assert_false(set->ratings[r].repeated);
    }
    assert_int_equal(set->image_count, without->image_count + 2);
    for (size_t i = 0; i < without->image_count; i++)
        assert_string_equal(set->images[i].name, without->images[i].name);
    assert_int_equal(set->loss.bad_rows, 7);
    assert_int_equal(set->loss.repeated_ratings, 0);
    assert_int_equal(set->partial_count, 4);
    assert_string_equal(set->users[set->partial[0].user].id, "late");
    assert_int_equal(set->partial[0].user, set->user_count);
    assert_int_equal(set->users[set->partial[0].user].count, 0);
    assert_int_equal(set->partial[1].line, 3);
    assert_true(set->partial[1].score == 4.5 && set->partial[2].score == 1.5);
    piaa_protocol *protocol = make_protocol(set, 1, 1, 1, 42, 0),
                  *same = make_protocol(without, 1, 1, 1, 42, 0);
    assert_true(protocol->count == 2 && protocol->below == 0 && same->count == 2);
    for (size_t u = 0; u < 2; u++)
        for (size_t i = 0; i < 3; i++)
            assert_int_equal(protocol->users[u].small[i], same->users[u].small[i]);
    /* "b" is trained on with "late"; in the order of the lines */
    protocol->count = 1;
    assert_string_equal(set->users[protocol->users[0].user].id, "a");
    piaa_prior_split *split = make_split(set, protocol, true, &h);
    assert_int_equal(split->user_count, 2);
    assert_string_equal(set->users[split->users[0]].id, "b");
    assert_string_equal(set->users[split->users[1]].id, "late");
    assert_int_equal(split->rating_count, 7);
    assert_true(split->ratings[0].user == 1 && split->ratings[0].score == 5);
    assert_true(split->ratings[1].user == 0 && split->ratings[1].score == 1);
    assert_int_equal(split->image_count, 7);
    assert_string_equal(set->images[split->images[6]].name, "imgs/s/p9.jpg");
    assert_int_equal(split->fitted_count, 5);
    assert_int_equal(split->held_count, 1);
    piaa_prior_split_free(split);
    piaa_protocol_free(protocol);
    piaa_protocol_free(same);
    piaa_dataset_close(set);
    piaa_dataset_close(without);
    hear_nothing_more(&h);
    hear_nothing_more(&k);
    support_remove(folder);
}

/* NumPy's RandomState(42) shuffles 0 … 14 into 9 11 0 13 5 8 2 1 14 4 7 10 12 3 6, and
   round(1.5) is 2; of 25 it begins with 8 16 0, and round(2.5) is 2; of 6 with 0; of 5 nothing
   would be held. */
static void holds_a_tenth_with_halves_to_even(void **state) {
    PIAA_UNUSED(state);
    static const struct {
        size_t images, held, first, last;
    } cases[] = {{15, 2, 9, 11}, {25, 2, 8, 16}, {6, 1, 0, 0}, {5, 0, 0, 0}};
    char *folder = support_folder();
    for (size_t c = 0; c < PIAA_COUNT(cases); c++) {
        heard h;
        piaa_text ratings = {0}, means = {0};
        piaa_text_format(&ratings, NULL, "s,p999.jpg,a,3,3,3,3,3,3,3\n");
        for (size_t i = 0; i < cases[c].images; i++) {
            /* the lists are in another order than the names */
            size_t name = 900 - 7 * i;
            piaa_text_format(&ratings, NULL, "s,p%zu.jpg,b,3,3,3,3,3,3,3\n", name);
            piaa_text_format(&means, NULL, "s,p%zu.jpg,3,3,3,3,3,3,3\n", name);
        }
        piaa_text_format(&ratings, NULL, "s,unlisted.jpg,b,3,3,3,3,3,3,3\n");
        assert_true(!ratings.failed && !means.failed);
        write_para(folder, ratings.data, means.data);
        piaa_dataset *set = open_set("para", folder, &h);
        piaa_protocol *protocol = make_protocol(set, 1, 0, 0, 7, 1);
        if (cases[c].held) {
            piaa_prior_split *split = make_split(set, protocol, false, &h);
            assert_int_equal(split->image_count, cases[c].images + 1);
            assert_int_equal(split->held_count, cases[c].held);
            assert_int_equal(split->fitted_count, cases[c].images - cases[c].held);
            assert_int_equal(split->held[0], cases[c].first);
            assert_int_equal(split->held[cases[c].held - 1], cases[c].last);
            for (size_t i = 1; i < split->fitted_count; i++)
                assert_true(split->fitted[i] > split->fitted[i - 1]);
            piaa_prior_split_free(split);
        } else
            expect_none(set, protocol, false, "only 5 photos with mean scores are left");
        piaa_protocol_free(protocol);
        piaa_dataset_close(set);
        hear_nothing_more(&h);
        free(ratings.data);
        free(means.data);
    }
    support_remove(folder);
}

static void sorts_people_as_strings(void **state) {
    PIAA_UNUSED(state);
    char *folder = support_folder();
    heard h;
    write_para(folder,
               "s,p1.jpg,10,1,3,3,3,3,3,3\ns,p2.jpg,9,2,3,3,3,3,3,3\ns,p2.jpg,100,2,3,3,3,3,3,3\n"
               "s,p2.jpg,-1,2,3,3,3,3,3,3\n" RATED("9"),
               LISTED);
    piaa_dataset *set = open_set("para", folder, &h);
    piaa_protocol *protocol = make_protocol(set, 1, 0, 0, 42, 1); /* -1, the least of numbers */
    piaa_prior_split *split = make_split(set, protocol, true, &h);
    assert_int_equal(split->user_count, 3);
    assert_string_equal(set->users[split->users[0]].id, "10");
    assert_string_equal(set->users[split->users[1]].id, "100");
    assert_string_equal(set->users[split->users[2]].id, "9");
    assert_true(split->ratings[0].user == 0 && split->ratings[1].user == 2);
    piaa_prior_split_free(split);
    piaa_protocol_free(protocol);
    piaa_dataset_close(set);
    hear_nothing_more(&h);
    support_remove(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_the_published_builder),
        cmocka_unit_test(shares_photos_of_the_small_data),
        cmocka_unit_test(says_that_nothing_is_left),
        cmocka_unit_test(keeps_what_lacks_another_score_apart),
        cmocka_unit_test(holds_a_tenth_with_halves_to_even),
        cmocka_unit_test(sorts_people_as_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

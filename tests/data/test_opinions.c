/* Means and histograms of PARA's images: the small data, and files made on the spot. */
#include "data/data_support.h"

#include "data/opinions.h"

enum { MEANS = PIAA_OPINION_ATTRIBUTES, BINS = PIAA_OPINION_BINS };

#define MEAN_COLUMNS                                                                               \
    "aestheticScore_mean,qualityScore_mean,compositionScore_mean,colorScore_mean,dofScore_mean,"   \
    "lightScore_mean,contentScore_mean"
#define BIN_COLUMNS                                                                                \
    "aestheticScore_1.0,aestheticScore_1.5,aestheticScore_2.0,aestheticScore_2.5,"                 \
    "aestheticScore_3.0,aestheticScore_3.5,aestheticScore_4.0,aestheticScore_4.5,"                 \
    "aestheticScore_5.0"
#define HEADER "sessionId,imageName," BIN_COLUMNS "," MEAN_COLUMNS "\n"
#define TRAIN "annotation/PARA-GiaaTrain.csv"
#define TEST "annotation/PARA-GiaaTest.csv"

static piaa_opinions *read_opinions(const piaa_dataset *set, heard *h, piaa_error *error) {
    hear_nothing_more(h);
    return piaa_opinions_read(set, &(piaa_hooks){.user = h, .warn = hear}, error);
}

static size_t image_of(const piaa_dataset *set, const char *name) {
    size_t image = 0;
    char *path = piaa_format(NULL, "imgs/s/%s", name);
    assert_true(path && piaa_dataset_find(set, path, &image));
    free(path);
    return image;
}

/* The first row of PARA-GiaaTrain.csv:
   0,2,4,2,3,2,2,5,0,3.125,2.0,4.2,2.85,1.7,1.95,4.05: 20 people */
static void reads_the_small_data(void **state) {
    PIAA_UNUSED(state);
    static const float means[MEANS] = {3.125F, 2.0F, 4.2F, 2.85F, 1.7F, 1.95F, 4.05F},
                       counts[BINS] = {0, 2, 4, 2, 3, 2, 2, 5, 0};
    heard h;
    piaa_error error = {0};
    size_t image;
    piaa_dataset *set = open_set("para", PIAA_SOURCE "/data/para", &h);
    piaa_opinions *o = read_opinions(set, &h, &error);
    if (!o) fail_msg("%s", error.message);
    assert_int_equal(h.lines, 0);
    assert_true(o->images == 400 && o->known == 400 && o->bad_rows == 0);
    assert_true(piaa_dataset_find(set, "imgs/session1/iaa_pub1_0000.jpg", &image));
    for (int i = 0; i < MEANS; i++)
        assert_true(o->attributes[image * MEANS + (size_t)i] == means[i]);
    for (int b = 0; b < BINS; b++) assert_true(o->bins[image * BINS + (size_t)b] == counts[b] / 20);
    for (size_t i = 0; i < o->images; i++) {
        double sum = 0, mean = 0;
        for (size_t b = 0; b < BINS; b++) {
            sum += (double)o->bins[i * BINS + b];
            mean += (1 + (double)b / 2) * (double)o->bins[i * BINS + b];
        }
        assert_true(o->has[i] && fabs(sum - 1) < 1e-6);
        /* the mean score is that of the histogram, to the four digits that are written */
        assert_true(fabs(mean - (double)o->attributes[i * MEANS]) < 1e-4);
    }
    assert_string_equal(piaa_opinion_names[0], "score");
    piaa_opinions_free(o);
    piaa_dataset_close(set);
}

static void passes_over_what_cannot_be_learnt_from(void **state) {
    PIAA_UNUSED(state);
    char *folder = support_folder();
    heard h;
    piaa_error error = {0};
    put(folder, TRAIN,
        HEADER "s,good.jpg,1,0,0,0,0,0,0,0,3,4,3,3,3,3,3,3\n"
               "s,empty.jpg,0,0,0,0,0,0,0,0,0,4,3,3,3,3,3,3\n"
               "s,negative.jpg,1,-1,0,0,0,0,0,0,3,4,3,3,3,3,3,3\n"
               "s,nan.jpg,1,0,0,0,nan,0,0,0,3,4,3,3,3,3,3,3\n"
               "s,blank.jpg,1,0,0,0,0,,0,0,3,4,3,3,3,3,3,3\n"
               "s,mean.jpg,1,0,0,0,0,0,0,0,3,4,3,3,many,3,3,3\n"
               "s,short.jpg,1,0,0,0,0,0,0,0,3,4,3,3\n"
               "s,huge.jpg,1e39,0,0,0,0,0,0,0,3,4,3,3,3,3,3,3\n"
               "s,lost.jpg,1,0,0,0,0,0,0,0,3,,3,3,3,3,3,3\n" /* unknown to the data set */
               ",good.jpg,9,9,9,9,9,9,9,9,9,4,3,3,3,3,3,3\n");
    put(folder, TEST,
        HEADER "s,shares.jpg,0.25,0,0,0,0,0.5,0,0,0.25,3,3,3,3,3,3,3\n"
               "s,good.jpg,5,5,5,5,5,5,5,5,5,3,3,3,3,3,3,3\n"    /* listed before */
               "s,empty.jpg,0,0,1,0,0,0,0,0,0,2,3,3,3,3,3,3\n"); /* but now with a histogram */
    piaa_dataset *set = open_set("para", folder, &h);
    piaa_opinions *o = read_opinions(set, &h, &error);
    if (!o) fail_msg("%s", error.message);
    assert_int_equal(o->known, 3);
    assert_int_equal(o->bad_rows, 7);
    expect_heard(&h,
                 "PARA-GiaaTrain.csv, line 3: the histogram of aestheticScore is empty: the row "
                 "is passed over");
    expect_heard(&h, "line 4: aestheticScore_1.5 \"-1\" is negative");
    expect_heard(&h, "line 5: aestheticScore_3.0 \"nan\" is not a number");
    expect_heard(&h, "rows that cannot be used: 4 more");
    assert_int_equal(h.lines, 4);
    static const char *const bad[] = {"negative.jpg", "nan.jpg",   "blank.jpg",
                                      "mean.jpg",     "short.jpg", "huge.jpg"};
    for (size_t i = 0; i < PIAA_COUNT(bad); i++) {
        size_t image = image_of(set, bad[i]);
        assert_false(o->has[image]);
        for (size_t b = 0; b < BINS; b++) assert_true(o->bins[image * BINS + b] == 0);
        assert_true(o->attributes[image * MEANS] == 0);
    }
    const float *good = o->bins + image_of(set, "good.jpg") * BINS,
                *shares = o->bins + image_of(set, "shares.jpg") * BINS,
                *late = o->bins + image_of(set, "empty.jpg") * BINS;
    assert_true(good[0] == 0.25F && good[8] == 0.75F);
    assert_true(shares[0] == 0.25F && shares[5] == 0.5F);
    assert_true(late[2] == 1);
    piaa_opinions_free(o);
    piaa_dataset_close(set);
    hear_nothing_more(&h);
    support_remove(folder);
}

/* Bins are found by the number in their name, wherever the columns stand. */
static void finds_columns_however_they_are_spelt(void **state) {
    PIAA_UNUSED(state);
    static const char *const files[] = {
        "\xEF\xBB\xBF" MEAN_COLUMNS ",aestheticScore_5,aestheticScore_4.50,aestheticScore_4,"
        "aestheticScore_3.5,aestheticScore_3,aestheticScore_2.5,aestheticScore_2.0,"
        "aestheticScore_1.5,aestheticScore_1,aestheticScore_median,imageName,sessionId\r\n"
        "4.5,1,1,1,1,1,1,2,0,0,0,0,0,0,1,1,4.5,a.jpg,s\r\n",
        "sep=;\n\"imageName\";sessionId;" /* as a spreadsheet saves it where the comma is decimal */
        "aestheticScore_1.0;aestheticScore_1.5;aestheticScore_2.0;aestheticScore_2.5;"
        "aestheticScore_3.0;aestheticScore_3.5;aestheticScore_4.0;aestheticScore_4.5;"
        "aestheticScore_5.0;aestheticScore_mean;qualityScore_mean;compositionScore_mean;"
        "colorScore_mean;dofScore_mean;lightScore_mean;contentScore_mean\n"
        "a.jpg;s;1;1;0;0;0;0;0;0;2;4,5;1;1;1;1;1;1\n"};
    char *folder = support_folder();
    for (size_t f = 0; f < PIAA_COUNT(files); f++) {
        heard h;
        piaa_error error = {0};
        put(folder, TRAIN, files[f]);
        piaa_dataset *set = open_set("para", folder, &h);
        piaa_opinions *o = read_opinions(set, &h, &error);
        if (!o) fail_msg("%s", error.message);
        expect_heard(&h, "PARA-GiaaTest.csv is not there: nothing is learnt from its images");
        assert_true(o->known == 1 && o->has[0] && o->attributes[0] == 4.5F);
        assert_true(o->bins[0] == 0.25F && o->bins[1] == 0.25F && o->bins[8] == 0.5F);
        piaa_opinions_free(o);
        piaa_dataset_close(set);
        hear_nothing_more(&h);
    }
    support_remove(folder);
}

static void refuses_files_that_are_not_whole(void **state) {
    PIAA_UNUSED(state);
    static const struct {
        const char *train, *part;
    } cases[] = {
        {"sessionId,imageName,aestheticScore_1.0," MEAN_COLUMNS "\ns,a.jpg,1,4,3,3,3,3,3,3\n",
         "PARA-GiaaTrain.csv has no column named aestheticScore_1.5, so that its histograms are "
         "not "
         "whole"},
        {"sessionId,imageName," MEAN_COLUMNS "\ns,a.jpg,4,3,3,3,3,3,3\n",
         "has no column named aestheticScore_1.0"},
        {"sessionId,imageName," BIN_COLUMNS ",aestheticScore_mean,qualityScore_mean\n"
         "s,a.jpg,1,0,0,0,0,0,0,0,3,4,3\n",
         "has no column named compositionScore_mean"},
        {"sessionId,imageName," BIN_COLUMNS ",aestheticScore_1," MEAN_COLUMNS "\n"
         "s,a.jpg,1,0,0,0,0,0,0,0,3,1,4,3,3,3,3,3,3\n",
         "has two columns for the score 1.0 (aestheticScore_1.0 and aestheticScore_1)"},
        {"sessionId,imageName," BIN_COLUMNS ",aestheticScore_5.5," MEAN_COLUMNS "\n"
         "s,a.jpg,1,0,0,0,0,0,0,0,3,1,4,3,3,3,3,3,3\n",
         "has the column aestheticScore_5.5, and PARA's scores are 1.0, 1.5 and so on to 5.0"},
        {HEADER "s,a.jpg,0,0,0,0,0,0,0,0,0,4,3,3,3,3,3,3\n",
         "says what all raters think of an image"}};
    char *folder = support_folder();
    heard h;
    for (size_t c = 0; c < PIAA_COUNT(cases); c++) {
        piaa_error error = {0};
        put(folder, TRAIN, cases[c].train);
        piaa_dataset *set = open_set("para", folder, &h);
        assert_null(read_opinions(set, &h, &error));
        assert_int_equal(error.code, PIAA_FORMAT);
        if (!strstr(error.message, cases[c].part)) fail_msg("%s", error.message);
        piaa_dataset_close(set);
        hear_nothing_more(&h);
    }
    support_remove(folder);
}

static void refuses_what_has_no_opinions(void **state) {
    PIAA_UNUSED(state);
    char *folder = support_folder();
    heard h;
    piaa_error error = {0};
    put(folder, "annotation/PARA-Images.csv",
        "sessionId,imageName,userId,aestheticScore\ns,a.jpg,u,3\n");
    piaa_dataset *set = open_set("para", folder, &h);
    assert_null(read_opinions(set, &h, &error));
    assert_int_equal(error.code, PIAA_IO);
    assert_non_null(strstr(error.message, "neither annotation/PARA-GiaaTrain.csv nor "
                                          "annotation/PARA-GiaaTest.csv is there"));
    piaa_dataset_close(set);
    hear_nothing_more(&h);
    set = open_set("lapis", PIAA_SOURCE "/data/lapis", &h);
    error = (piaa_error){0};
    assert_null(read_opinions(set, &h, &error));
    assert_int_equal(error.code, PIAA_MISMATCH);
    assert_non_null(strstr(error.message, "is no PARA data set"));
    piaa_dataset_close(set);
    assert_null(piaa_opinions_read(NULL, NULL, NULL));
    piaa_opinions_free(NULL);
    hear_nothing_more(&h);
    support_remove(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_small_data),
        cmocka_unit_test(passes_over_what_cannot_be_learnt_from),
        cmocka_unit_test(finds_columns_however_they_are_spelt),
        cmocka_unit_test(refuses_files_that_are_not_whole),
        cmocka_unit_test(refuses_what_has_no_opinions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

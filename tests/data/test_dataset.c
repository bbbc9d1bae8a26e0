/* The data sets that are carried, and good and bad folders made on the spot. */
#include "data/data_support.h"

static double attribute_of(const piaa_dataset *set, size_t image, const char *name) {
    size_t attribute;
    if (!piaa_dataset_attribute(set, name, &attribute)) fail_msg("no attribute %s", name);
    return set->attributes[image * set->attribute_count + attribute];
}

static const char *label_of(const piaa_dataset *set, size_t image, const char *name) {
    size_t label;
    if (!piaa_dataset_label(set, name, &label)) fail_msg("no label %s", name);
    return set->labels[image * set->label_count + label];
}

static size_t image_of(const piaa_dataset *set, const char *name) {
    size_t image;
    if (!piaa_dataset_find(set, name, &image)) fail_msg("no image %s", name);
    return image;
}

static size_t count_split(const piaa_dataset *set, piaa_split split) {
    size_t count = 0;
    for (size_t i = 0; i < set->image_count; i++) count += set->images[i].split == split;
    return count;
}

static void expect_loss(const piaa_dataset *set, const char *expected) {
    char *text = piaa_dataset_loss_text(set, NULL);
    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
}

static void expect_failure(const char *spec, piaa_code code, const char *part) {
    piaa_error error = {0};
    piaa_dataset *set = piaa_dataset_open(spec, NULL, &error);
    if (set) fail_msg("%s was opened", spec);
    if (!strstr(error.message, part)) fail_msg("%s: %s", spec, error.message);
    assert_int_equal(error.code, code);
}

/* ----------------------------------------------------------------------------- the carried ones */

static void reads_aadb(void **state) {
    PIAA_UNUSED(state);
    heard h;
    piaa_dataset *set = open_set("aadb", PIAA_SOURCE "/data/aadb", &h);
    assert_int_equal(h.lines, 0);
    assert_string_equal(set->kind, "aadb");
    assert_int_equal(set->image_count,
                     800); /* 650 photos; the 150 of the test list once more for the new one */
    assert_int_equal(count_split(set, PIAA_SPLIT_TRAIN), 400);
    assert_int_equal(count_split(set, PIAA_SPLIT_VALIDATION), 100);
    assert_int_equal(count_split(set, PIAA_SPLIT_TEST), 150);
    assert_int_equal(count_split(set, PIAA_SPLIT_TEST_NEW), 150);
    assert_int_equal(set->attribute_count, 11);
    assert_string_equal(set->attribute_names[0], "BalacingElements");
    assert_string_equal(set->attribute_names[10], "VividColor");
    assert_true(set->scale_low == 0 && set->scale_high == 1);
    assert_true(set->images[0].general == 0.5311 && attribute_of(set, 0, "light") == 0.173);
    assert_string_equal(set->images[0].name, "datasetImages_originalSize/farm1_000_10000000.jpg");
    assert_true(piaa_file_exists(set->images[0].path));
    assert_int_equal(image_of(set, "datasetImages_originalSize/farm1_500_10000500.jpg"), 500);
    assert_int_equal(set->rating_count + set->user_count, 0);
    for (size_t i = 0; i < set->image_count * set->attribute_count; i++)
        assert_false(isnan(set->attributes[i]));
    assert_string_equal(piaa_split_name(set->images[799].split), "test-new");
    expect_loss(set, "");
    piaa_dataset_close(set);
}

static void reads_para(void **state) {
    PIAA_UNUSED(state);
    heard h;
    piaa_dataset *set = open_set("para", PIAA_SOURCE "/data/para", &h);
    assert_int_equal(h.lines, 0);
    assert_int_equal(set->image_count, 400);
    assert_int_equal(count_split(set, PIAA_SPLIT_TRAIN), 320);
    assert_int_equal(count_split(set, PIAA_SPLIT_TEST), 80);
    assert_int_equal(set->rating_count, 7557);
    assert_int_equal(set->user_count, 40);
    assert_string_equal(set->users[0].id, "A1000");
    const piaa_data_rating *first = &set->ratings[set->users[0].ratings[0]];
    assert_true(first->score == 4.5 && first->line == 2 && !first->repeated);
    size_t image = first->image;
    assert_string_equal(set->images[image].name, "imgs/session1/iaa_pub1_0000.jpg");
    assert_true(set->images[image].general == 3.125 && attribute_of(set, image, "dof") == 1.7);
    assert_string_equal(label_of(set, image, "semantic"), "forest");
    size_t total = 0;
    for (size_t u = 0; u < set->user_count; u++) {
        for (size_t i = 1; i < set->users[u].count; i++)
            assert_true(set->users[u].ratings[i] > set->users[u].ratings[i - 1]);
        total += set->users[u].count;
    }
    assert_int_equal(total, 7557);
    piaa_dataset_close(set);
}

static void reads_lapis(void **state) {
    PIAA_UNUSED(state);
    heard h;
    piaa_dataset *set = open_set("lapis", PIAA_SOURCE "/data/lapis", &h);
    assert_int_equal(h.lines, 0);
    assert_int_equal(set->image_count, 300);
    assert_int_equal(count_split(set, PIAA_SPLIT_VALIDATION), 45);
    assert_int_equal(set->rating_count, 4459);
    assert_int_equal(set->user_count, 24);
    size_t image = image_of(set, "images/oil-painting_city_0001.jpg");
    assert_string_equal(set->images[image].id, "2");
    assert_true(set->images[image].general == 77.7333 / 100 * 4 + 1);
    assert_string_equal(label_of(set, image, "style"), "oil painting");
    assert_string_equal(label_of(set, image, "4_styles"), "OIL");
    assert_string_equal(label_of(set, image, "2_styles"), "FIGURATIVE");
    assert_true(set->ratings[0].image == image && set->ratings[0].score == 63.0 / 100 * 4 + 1);
    piaa_dataset_close(set);
}

static void reads_ratings_of_the_sample(void **state) {
    PIAA_UNUSED(state);
    heard h;
    piaa_dataset *set = open_set("csv", PIAA_SOURCE "/data/sample/ratings.csv", &h);
    assert_int_equal(h.lines, 0);
    assert_int_equal(set->image_count, 40);
    assert_int_equal(set->user_count, 1);
    assert_true(set->scale_low >= 1 && set->scale_high <= 5);
    piaa_dataset_close(set);
}

/* ------------------------------------------------------------------------------- faulty folders */

#define LABELS_FOLDER "imgListFiles_label/imgList"

static void faults_in_aadb(void **state) {
    PIAA_UNUSED(state);
    char *folder = support_folder();
    heard h;
    put(folder, LABELS_FOLDER "TrainRegression_score.txt",
        "a.jpg 0.5\nb.jpg  0.25\r\n\nc.jpg\nd.jpg high\na.jpg 0.9\n e.jpg\t1");
    put(folder, LABELS_FOLDER "TestRegression_score.txt", "t.jpg 0.1\na.jpg 0.7\n");
    put(folder, LABELS_FOLDER "TestNewRegression_score.txt", "t.jpg 0.2\na.jpg 0.8\n");
    put(folder, LABELS_FOLDER "TrainRegression_DoF.txt", "a.jpg 0.1\nb.jpg -0.2\nzz.jpg 1\n");
    put(folder, LABELS_FOLDER "TestRegression_DoF.txt", "a.jpg 0.3\nt.jpg 0.4\n");
    put(folder, LABELS_FOLDER "TestNewRegression_DoF.txt", "a.jpg 0.5\nt.jpg 0.6\n");
    put(folder, LABELS_FOLDER "TrainRegression_Mood.txt", "a.jpg 1\n");
    put(folder, "datasetImages_originalSize/a.jpg", "x");
    put(folder, "datasetImages_originalSize/b.jpg", "x");
    put(folder, "datasetImages_originalSize/t.jpg", "x");
    piaa_dataset *set = open_set("aadb", folder, &h);
    assert_int_equal(set->image_count, 7);
    assert_true(set->images[0].general == 0.5 && set->images[4].general == 0.7 &&
                set->images[6].general == 0.8);
    assert_true(attribute_of(set, 0, "DoF") == 0.1 && attribute_of(set, 4, "DoF") == 0.3 &&
                attribute_of(set, 6, "DoF") == 0.5);
    assert_true(set->images[2].missing && !set->images[4].missing &&
                isnan(attribute_of(set, 2, "DoF")));
    expect_heard(&h, "imgListTrainRegression_score.txt, line 4: \"\" is not a number");
    expect_heard(&h, "imgListTrainRegression_score.txt, line 5: \"high\" is not a number");
    expect_heard(&h, "imgListTrainRegression_score.txt, line 6: a.jpg is listed before");
    expect_heard(&h, "imgListTrainRegression_DoF.txt, line 3: zz.jpg has no score");
    expect_heard(&h, "imgListTrainRegression_DoF.txt: 1 image has no value, the first is e.jpg");
    expect_heard(&h, "imgListTrainRegression_Mood.txt is none of AADB's attributes");
    expect_heard(&h, "imgListValidationRegression_score.txt is not there: this list is left out");
    expect_heard(&h, "imgListTestRegression_Light.txt is not there: the attribute is unknown");
    expect_heard(&h, "e.jpg is not there");
    expect_loss(set, "3 rows could not be used; 1 image file is missing; 1 image is listed twice; "
                     "1 attribute value is missing; "
                     "31 files of the data set are missing; 1 attribute file is unknown");
    piaa_dataset_close(set);
    hear_nothing_more(&h);
    support_remove(folder);
}

#define PARA_HEAD                                                                                  \
    "sessionId,imageName,userId,aestheticScore,qualityScore,compositionScore,colorScore,dofScore," \
    "lightScore,contentScore\n"
#define MEAN_HEAD "sessionId,imageName,aestheticScore_mean,qualityScore_mean\n"

static void faults_in_para(void **state) {
    PIAA_UNUSED(state);
    char *folder = support_folder();
    heard h;
    put(folder, "annotation/PARA-GiaaTrain.csv",
        MEAN_HEAD "s1,a.jpg,3.5,2\ns1,b.jpg,2.5,\ns1,a.jpg,4,4\ns1,c.jpg,none,1\n");
    put(folder, "annotation/PARA-Images.csv",
        PARA_HEAD "s1,a.jpg,u1,4,1,1,1,1,1,1\n"
                  "s1,a.jpg,u2,2,1,1,1,1,1,1\n"
                  "s1,b.jpg,u1,3,1,1,,1,1,1\n"
                  "s1,b.jpg,u1,good,1,1,1,1,1,1\n"
                  "s1,b.jpg,,3,1,1,1,1,1,1\n"
                  "s1,b.jpg,u1,3\n"
                  ",b.jpg,u1,3,1,1,1,1,1,1\n"
                  "s1,a.jpg,u1,5,1,1,1,1,1,1\n"
                  "s2,z.jpg,u2,5,1,1,1,1,1,1\n");
    put(folder, "imgs/s1/a.jpg", "x");
    put(folder, "imgs/s1/b.jpg", "x");
    piaa_dataset *set = open_set("para", folder, &h);
    assert_int_equal(set->image_count, 3);
    assert_int_equal(set->rating_count, 4);
    assert_int_equal(set->user_count, 2);
    assert_true(set->images[0].general == 3.5 && isnan(set->images[2].general) &&
                set->images[2].split == PIAA_SPLIT_NONE);
    assert_true(set->images[2].missing && !set->images[0].missing);
    assert_true(set->ratings[2].repeated && set->ratings[2].line == 9 && !set->ratings[0].repeated);
    expect_heard(&h, "PARA-GiaaTest.csv is not there: its images have no mean score and no split");
    expect_heard(&h, "PARA-GiaaTrain.csv, line 4: imgs/s1/a.jpg is listed before");
    expect_heard(&h, "PARA-GiaaTrain.csv, line 5: aestheticScore_mean \"none\" is not a number");
    expect_heard(&h, "PARA-Images.csv, line 4: colorScore \"\" is not a number");
    expect_heard(&h, "PARA-Images.csv, line 5: aestheticScore \"good\" is not a number");
    expect_heard(&h, "PARA-Images.csv, line 6: there is no userId");
    expect_heard(&h, "PARA-Images.csv: rows that cannot be used: 2 more");
    expect_heard(&h, "PARA-Images.csv, line 9: u1 has rated imgs/s1/a.jpg before, on line 2");
    expect_heard(&h, "imgs/s2/z.jpg is not there");
    assert_int_equal(set->loss.bad_rows, 6);
    assert_int_equal(set->loss.rows, 13);
    piaa_dataset_close(set);
    hear_nothing_more(&h);
    put(folder, "annotation/PARA-Images.csv", "sessionId,imageName,userId\ns1,a.jpg,u1\n");
    char *spec = piaa_format(NULL, "para:%s", folder);
    expect_failure(
        spec, PIAA_FORMAT,
        "PARA-Images.csv has no column named aestheticScore (it has sessionId, imageName, userId)");
    put(folder, "annotation/PARA-Images.csv", "");
    expect_failure(spec, PIAA_FORMAT, "PARA-Images.csv is empty");
    put(folder, "annotation/PARA-Images.csv", PARA_HEAD);
    put(folder, "annotation/PARA-GiaaTrain.csv", MEAN_HEAD);
    expect_failure(spec, PIAA_FORMAT, "holds no usable row");
    free(spec);
    support_remove(folder);
}

static void faults_in_lapis(void **state) {
    PIAA_UNUSED(state);
    char *folder = support_folder();
    heard h;
    put(folder, "annotation/LAPIS_PIAA.csv",
        "participant_id,image_filename,image_id,rating\n1,a.jpg,7,100\n1,b.jpg,8,\n1,b.jpg,8,"
        "101\n2,\"b, c.jpg\",8,0\n2,,8,0\n");
    put(folder, "annotation/LAPIS_GIAA_Valsplit.csv",
        "image_filename,mean_response,style\na.jpg,50,Cubism\n");
    piaa_dataset *set = open_set("lapis", folder, &h);
    assert_int_equal(set->image_count, 2);
    assert_int_equal(set->rating_count, 2);
    assert_true(set->ratings[0].score == 5 && set->ratings[1].score == 1 &&
                set->images[0].general == 3);
    assert_string_equal(set->images[1].name, "images/b, c.jpg");
    assert_string_equal(set->images[1].id, "8");
    assert_string_equal(label_of(set, 0, "style"), "Cubism");
    assert_string_equal(label_of(set, 0, "genre"), "");
    assert_int_equal(set->images[0].split, PIAA_SPLIT_VALIDATION);
    expect_heard(&h, "LAPIS_PIAA.csv, line 3: there is no rating");
    expect_heard(&h, "LAPIS_PIAA.csv, line 4: rating 101 is not between 0 and 100");
    expect_heard(&h, "LAPIS_PIAA.csv, line 6: there is no image_filename");
    expect_heard(&h, "none of the 2 images is there (the first should be images/a.jpg)");
    piaa_dataset_close(set);
    hear_nothing_more(&h);
    support_remove(folder);
}

static void faults_in_tables(void **state) {
    PIAA_UNUSED(state);
    char *folder = support_folder();
    heard h;
    put(folder, "a.jpg", "x");
    put(folder, "r.csv",
        "User,Image,score,light,note,style,split\n"
        "ann,a.jpg,4,0.5,nice,oil,train\n"
        "bob,./a.jpg,2,0.7,,oil,\n"
        "bob,b.jpg,3,,dull,,test\n"
        "bob,b.jpg,1,dark,,,val\n"
        "bob,c.jpg,x,1,,,\n"
        ",c.jpg,1,1,,,\n"
        "bob,c.jpg,5,dim,,,other\n"
        "ann,a.jpg,3,,,,\n");
    char *file = support_join(folder, "r.csv"), *spec = piaa_format(NULL, "csv:%s", file);
    piaa_dataset *set = open_set("csv", file, &h);
    assert_int_equal(set->image_count, 3);
    assert_int_equal(set->rating_count, 4);
    assert_int_equal(set->attribute_count, 1);
    assert_true(set->images[0].general == 3 && fabs(attribute_of(set, 0, "light") - 0.6) < 1e-15);
    assert_true(set->images[1].general == 3 && isnan(attribute_of(set, 1, "light")));
    assert_string_equal(label_of(set, 0, "style"), "oil");
    assert_int_equal(set->images[0].split, PIAA_SPLIT_TRAIN);
    assert_int_equal(set->images[1].split, PIAA_SPLIT_TEST);
    assert_true(set->images[1].missing && !set->images[0].missing);
    assert_true(set->ratings[3].repeated);
    assert_int_equal(image_of(set, set->images[0].path), 0);
    expect_heard(&h, "r.csv: the column \"note\" holds no numbers and is not used");
    expect_heard(&h,
                 "r.csv, line 5: the image was in the split test before, here it is in validation");
    expect_heard(&h, "r.csv, line 6: the score \"x\" is not a number");
    expect_heard(&h, "r.csv, line 7: there is no user");
    expect_heard(&h, "r.csv: rows that cannot be used: 1 more");
    expect_heard(&h, "r.csv, line 9: ann has rated a.jpg before, on line 2");
    expect_heard(&h, "r.csv: 1 image is in none of train, validation and test");
    piaa_dataset_close(set);
    hear_nothing_more(&h);
    put(folder, "r.csv", "path,score,light\na,1,1e300\nb,2,-3\nc,2,5\n");
    set = open_set("csv", file, &h);
    expect_heard(&h, "line 2: light \"1e300\" is out of range: the value is passed over");
    assert_true(isnan(attribute_of(set, 0, "light")) && attribute_of(set, 1, "light") == -3);
    piaa_dataset_close(set);
    hear_nothing_more(&h);
    put(folder, "r.csv", "path,score\na,1\nb,2\na,3\n");
    set = open_set("csv", file, &h);
    assert_true(set->user_count == 1 && set->images[0].general == 2 && set->ratings[2].repeated);
    assert_true(set->scale_low == 1 && set->scale_high == 3);
    piaa_dataset_close(set);
    hear_nothing_more(&h);
    put(folder, "r.csv", "name,score\na,1\n");
    expect_failure(spec, PIAA_FORMAT, "r.csv has no column named path");
    put(folder, "r.csv", "path,score\na,\nb,x\n");
    expect_failure(spec, PIAA_FORMAT, "r.csv holds no ratings that can be used");
    free(file);
    free(spec);
    support_remove(folder);
}

/* A table of UTF-16 with tabs and blanks of every kind, and photos named on a Mac. */
static void tables_of_other_systems(void **state) {
    PIAA_UNUSED(state);
    char *folder = support_folder();
    heard h;
    put(folder, "Zu\xcc\x88rich.jpg", "");
    put(folder, "sub/b.JPG", "");
    put(folder, "r.csv",
        ";Benutzer;User ID;Image Path;Score;Licht;Farbe;image_id;style;split\r\n"
        "0;x;ann;Z\xfcrich.jpg;3,5;1,25;N/A;17;;train\r\n"
        "1;x;bob;sub\\b.jpg;4;;0,5;18;none;TEST\r\n"
        ";;;;;;;;;\r\n"
        "2;x;ann;sub\\b.jpg;;2;;18;cubism;-\r\n"
        "3;x;ann;c.jpg;1;null;1;19\r\n");
    char *file = support_join(folder, "r.csv");
    piaa_dataset *set = open_set("csv", file, &h);
    expect_heard(&h, "r.csv: read as Windows-1252 text, fields between semicolons, commas as");
    expect_heard(&h, "column \"Image Path\" as the path; column \"User ID\" as the user");
    expect_heard(&h, "1 row has no rating");
    expect_heard(&h, "1 by another Unicode form of the name, 1 in other case");
    expect_heard(&h, "the column \"image_id\" numbers the rows or names something");
    expect_heard(&h, "the column \"\" numbers the rows");
    assert_int_equal(set->attribute_count, 2);
    assert_int_equal(set->image_count, 3);
    assert_int_equal(set->user_count, 2);
    assert_int_equal(set->rating_count, 3);
    assert_true(set->images[0].general == 3.5 && !set->images[0].missing);
    assert_true(attribute_of(set, 0, "Licht") == 1.25 && isnan(attribute_of(set, 0, "Farbe")));
    assert_true(attribute_of(set, 1, "Licht") == 2); /* of a row without a score */
    assert_true(attribute_of(set, 1, "Farbe") == 0.5 && set->images[1].general == 4);
    assert_string_equal(label_of(set, 1, "style"), "cubism");
    assert_true(isnan(attribute_of(set, 2, "Licht")) && attribute_of(set, 2, "Farbe") == 1);
    assert_true(set->images[0].split == PIAA_SPLIT_TRAIN &&
                set->images[1].split == PIAA_SPLIT_TEST);
    assert_true(set->images[2].missing && !set->pooled);
    piaa_dataset_close(set);
    hear_nothing_more(&h);
    free(file);
    support_remove(folder);
}

/* Names without folders, and of another computer; one that fits two files, and two that fit one. */
static void images_below_the_table(void **state) {
    PIAA_UNUSED(state);
    char *folder = support_folder();
    heard h;
    put(folder, "deep/er/a.jpg", "");
    put(folder, "deep/b.jpg", "");
    put(folder, "one/c.jpg", "");
    put(folder, "two/c.jpg", "");
    put(folder, "one/d.jpg", "");
    put(folder, "r.csv",
        "path,score\na.jpg,1\nC:\\photos\\deep\\B.jpg,2\nc.jpg,3\n/gone/1/d.jpg,1\n"
        "/gone/2/d.jpg,1\n");
    char *file = support_join(folder, "r.csv"), *root = piaa_path_absolute(folder, NULL),
         *a = support_join(root, "deep/er/a.jpg"), *b = support_join(root, "deep/b.jpg");
    piaa_dataset *set = open_set("csv", file, &h);
    expect_heard(&h, "images were found, 2 in another folder");
    assert_string_equal(set->images[0].path, a);
    assert_string_equal(set->images[1].path, b);
    assert_int_equal(set->loss.missing_images, 3);
    for (size_t i = 0; i < set->image_count; i++) assert_int_equal(set->images[i].missing, i > 1);
    piaa_dataset_close(set);
    hear_nothing_more(&h);
    free(a);
    free(b);
    free(root);
    free(file);
    support_remove(folder);
}

static void people_and_names_in_tables(void **state) {
    PIAA_UNUSED(state);
    char *folder = support_folder(), *file = support_join(folder, "r.csv"),
         *spec = piaa_format(NULL, "csv:%s", file);
    heard h;
    piaa_error error = {0};
    put(folder, "r.csv", "path,score,light,Light\na,1,2,3\n");
    expect_failure(spec, PIAA_FORMAT,
                   "two columns of one name (column 3, light, and column 4, Light)");
    put(folder, "r.csv", "rater,worker,path,score\nx,y,a,1\n");
    expect_failure(spec, PIAA_FORMAT,
                   "(column 1, rater, and column 2, worker): say which with "
                   "--user-column");
    piaa_dataset *set = piaa_dataset_open_by(spec, "worker", NULL, &error);
    assert_string_equal(set->users[0].id, "y");
    piaa_dataset_close(set);
    put(folder, "r.csv", "critic,path,score\nx,a,1\ny,a,3\nx,b,2\n");
    expect_failure(spec, PIAA_FORMAT, "--user-column \"critic\"");
    set = piaa_dataset_open_by(spec, "critic", NULL, &error);
    assert_int_equal(set->user_count, 2);
    assert_false(set->pooled);
    piaa_dataset_close(set);
    set = piaa_dataset_open_by(spec, "none", NULL, &error);
    assert_int_equal(set->user_count, 1);
    assert_true(set->pooled);
    piaa_dataset_close(set);
    assert_null(piaa_dataset_open_by("para:" PIAA_SOURCE "/data/para", "x", NULL, &error));
    assert_int_equal(error.code, PIAA_USAGE);
    put(folder, "r.csv", "worker_id,path,score,light\n7,a,1,3\n8,a,3,4\n7,b,2,5\n");
    set = open_set("csv", file, &h);
    assert_int_equal(set->user_count, 2);
    assert_int_equal(set->attribute_count, 1);
    piaa_dataset_close(set);
    hear_nothing_more(&h);
    free(spec);
    free(file);
    support_remove(folder);
}

/* Lists as Notepad, PowerShell and an old Mac save them; a test image of two lists is marked. */
static void aadb_lists_of_other_systems(void **state) {
    PIAA_UNUSED(state);
    static const char *const lists[] = {"a.jpg 0.5\nb.jpg 0.25\n",
                                        ("\xef\xbb\xbf"
                                         "a.jpg 0.5\r\nb.jpg 0.25\r\n"),
                                        "a.jpg 0.5\rb.jpg 0.25\r", "\n\n a.jpg\t0.5 \nb.jpg  0.25"};
    for (size_t i = 0; i < PIAA_COUNT(lists); i++) {
        char *folder = support_folder();
        heard h;
        put(folder, "datasetImages_originalSize/a.jpg", "");
        put(folder, "datasetImages_originalSize/b.jpg", "");
        put(folder, "imgListFiles_label/imgListTrainRegression_score.txt", lists[i]);
        put(folder, "imgListFiles_label/imgListTestNewRegression_score.txt",
            "b.jpg 0.75\nc.jpg 1\n");
        piaa_dataset *set = open_set("aadb", folder, &h);
        assert_int_equal(set->image_count, 4);
        assert_int_equal(set->loss.bad_rows, 0);
        assert_true(set->images[0].general == 0.5 && set->images[1].general == 0.25);
        assert_false(set->images[0].missing || set->images[1].missing);
        assert_true(set->images[2].shared && set->images[2].general == 0.75);
        assert_false(set->images[0].shared || set->images[1].shared || set->images[3].shared);
        piaa_dataset_close(set);
        hear_nothing_more(&h);
        support_remove(folder);
    }
}

static void wrong_places(void **state) {
    PIAA_UNUSED(state);
    char *folder = support_folder(), *spec = piaa_format(NULL, "para:%s", folder);
    expect_failure(
        spec, PIAA_FORMAT,
        "holds no annotation/PARA-Images.csv and imgs/: give the folder that holds them");
    expect_failure(
        "lapis:/nowhere/at/all", PIAA_IO,
        "is not a folder: give the one that holds annotation/LAPIS_PIAA.csv and images/");
    expect_failure("lapis:" PIAA_SOURCE "/data/para", PIAA_FORMAT, "it looks like para:");
    expect_failure("para:" PIAA_SOURCE "/data/aadb", PIAA_FORMAT, "it looks like aadb:");
    expect_failure(PIAA_SOURCE "/data/lapis", PIAA_USAGE, "write lapis:");
    expect_failure("flickr:there", PIAA_USAGE, "write aadb:DIR, para:DIR, lapis:DIR or csv:FILE");
    expect_failure("csv:", PIAA_USAGE, "csv:FILE");
    expect_failure("csv:-", PIAA_USAGE, "cannot be read twice");
    expect_failure("csv:/nowhere/r.csv", PIAA_IO, "/nowhere/r.csv");
    expect_failure("", PIAA_USAGE, "is not a data set");
    assert_null(piaa_dataset_open(NULL, NULL, NULL));
    piaa_dataset_close(NULL);
    free(spec);
    support_remove(folder);
}

static void many_names(void **state) {
    PIAA_UNUSED(state);
    piaa_names names = {0};
    char name[32];
    size_t number;
    bool fresh;
    assert_false(piaa_names_find(&names, "n0", &number));
    for (int turn = 0; turn < 2; turn++)
        for (size_t i = 0; i < 5000; i++) {
            snprintf(name, sizeof name, "n%zu", i * 7);
            assert_true(piaa_names_add(&names, name, &number, &fresh, NULL));
            assert_true(number == i && fresh == (turn == 0));
        }
    assert_true(names.count == 5000 && !piaa_names_find(&names, "n1", &number));
    piaa_names_free(&names);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_aadb),
        cmocka_unit_test(reads_para),
        cmocka_unit_test(reads_lapis),
        cmocka_unit_test(reads_ratings_of_the_sample),
        cmocka_unit_test(faults_in_aadb),
        cmocka_unit_test(faults_in_para),
        cmocka_unit_test(faults_in_lapis),
        cmocka_unit_test(faults_in_tables),
        cmocka_unit_test(tables_of_other_systems),
        cmocka_unit_test(images_below_the_table),
        cmocka_unit_test(people_and_names_in_tables),
        cmocka_unit_test(aadb_lists_of_other_systems),
        cmocka_unit_test(wrong_places),
        cmocka_unit_test(many_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Ratings files as people write them, and the line that a broken one gets. */
#include "support.h"

#include "data/ratings.h"

typedef struct heard {
    int lines;
    char last[1100], all[4000];
} heard;

static void hear(void *user, const char *line) {
    heard *h = user;
    h->lines++;
    snprintf(h->last, sizeof h->last, "%s", line);
    snprintf(h->all + strlen(h->all), sizeof h->all - strlen(h->all), "%s\n", line);
}

/* Writes folder/name with its folders. */
static void put(const char *folder, const char *name, const char *text) {
    for (const char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
        char *sub = piaa_format(NULL, "%s/%.*s", folder, (int)(slash - name), name);
        mkdir(sub, 0755);
        free(sub);
    }
    support_write(folder, name, text, strlen(text));
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
        {"path,score\na.jpg,great\n",
         "line 2: the score \"great\" is not a number; correct that row", "ratings.csv"},
        {"path,score\na.jpg,3\nb.jpg,inf\n", "line 3: the score \"inf\" is not a number", ""},
        {"path,score\na.jpg,3\n  ,4\n", "line 3: there is no path", ""},
        {"path,score\na.jpg,1e300\n", "line 2: the score 1e300 is out of range", ""},
        {"path,score\na.jpg,\"1,234\"\n",
         "line 2: the score \"1,234\" may have a decimal sign or a separator of thousands", ""},
        {"path,score\na.jpg,3,5\nb.jpg,1\n", "line 2: 3 fields where the header has 2",
         "correct that row"},
        {"path,score\na,1\nb,x\nc,2\n\"d,1\n", "line 3: the score \"x\" is not a number",
         "in all 2 of the 4 rows"},
        {"path,score\na,x\nb,y\n,3\n", "line 2: the score \"x\"", "all 3 of the 3 rows"},
        {"path,score\na,\nb\n", "none of its 2 photos has a rating", "score"},
        {"user,path,score\n,a,1\nann,b,2\n", "line 2: there is no user", ""},
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

/* What is heard while a text is read, "" if nothing; NULL if it cannot be. */
static piaa_ratings *read_of(const char *folder, const char *text, const char *user,
                             const char *column, heard *h, piaa_error *error) {
    *h = (heard){0};
    *error = (piaa_error){0};
    support_write(folder, "ratings.csv", text, strlen(text));
    char *path = support_join(folder, "ratings.csv");
    piaa_ratings *ratings =
        piaa_ratings_read_of(path, &(piaa_whose){.user = user, .user_column = column},
                             &(piaa_hooks){.user = h, .warn = hear}, error);
    free(path);
    return ratings;
}

/* Files as exiftool 12.57 (-csv -Rating, -csv -G), Excel, Numbers and LibreOffice save them: photos
   and scores "a.jpg 4, b.jpg 2.5" or, in whole stars, "a.jpg 4, b.jpg 2". */
static void reads_what_programs_save(void **state) {
    PIAA_UNUSED(state);
    static const struct {
        const char *text;
        double a, b;
        const char *says;
    } cases[] = {
        {"SourceFile,Rating\na.jpg,4\nc.jpg,\nb.jpg,2\n", 4, 2, "SourceFile\" as the path"},
        {"SourceFile,Rating\na.jpg,4\nc.jpg,0\nb.jpg,2\n", 4, 2, "0 is unrated"},
        {"SourceFile,Rating\na.jpg,4\nb.jpg,-1\n", 4, 0, "-1 rejected"},
        {"SourceFile,FileName,Directory,XMP:Rating\na.jpg,a.jpg,.,4\nb.jpg,b.jpg,.,2\n", 4, 2,
         "XMP:Rating\" as the score"},
        {"SourceFile,Artist,Rating\na.jpg,x,4\nc.jpg,x,\nb.jpg,y,2\nd.jpg,y,5\n", 4, 2,
         "as the path; column \"Rating\" as the score; stars of a photo program, where 0 is "
         "unrated and -1 rejected (which counts as 0); a column named score keeps its numbers\n"},
        {"File,Star Rating\na.jpg,4\nb.jpg,2\n", 4, 2, "Star Rating\" as the score; stars"},
        {"File Name,rating\na.jpg,4\nc.jpg,0\nb.jpg,-1\n", 4, 0, "-1 rejected"},
        {"path,rating\na.jpg,1\nb.jpg,-1\nc.jpg,0\n", 1, -1, "0 is a rating like any other"},
        {"path,score\na.jpg,4\nb.jpg,-1\nc.jpg,0\n", 4, -1, NULL}, /* keeps its numbers */
        {"path,score,note\na.jpg,4,x\nb.jpg,2.5\n", 4, 2.5, NULL},
        {"rater,path,score\n,a.jpg,4\n,b.jpg,2.5\n", 4, 2.5, NULL}, /* nobody filled it in */
        {"Name,path,score\nx,a.jpg,4\nx,c.jpg,1\ny,b.jpg,2.5\ny,d.jpg,1\n", 4, 2.5,
         "one person's ratings (should the column \"Name\""},
        {"note,path,score\nx,a.jpg,4\ny,c.jpg,1\nz,b.jpg,2.5\n,d.jpg,1\n", 4, 2.5, NULL},
        {"path,score\na.jpg,4,\nb.jpg,2.5,,\n", 4, 2.5, NULL},
        {"path,score\r\na.jpg,4\r\n,\r\nb.jpg,2.5\r\n, \r\n,\r\n", 4, 2.5, NULL},
        {"path;score\na.jpg;4\nb.jpg;2,5\n", 4, 2.5, "semicolons, commas as decimal signs"},
        {"path,score\na.jpg,4\nc.jpg,n/a\nb.jpg,\"2,5\"\nd.jpg,None\n", 4, 2.5, "decimal signs"},
        {"path\trating\ra.jpg\t★★★★\rb.jpg\t★★☆☆☆\r", 4, 2, "stars as their number"},
        {"sep=|\npath|score|\na.jpg|80 %|\nb.jpg|75%|\n", 80, 75, "percentages"},
        {"\"path\" , \"score\"\n\"a.jpg\" , 4\n \"b.jpg\", \"2.5\"\n", 4, 2.5, NULL},
    };
    char *folder = support_folder();
    heard h;
    piaa_error error;
    for (size_t i = 0; i < PIAA_COUNT(cases); i++) {
        piaa_ratings *ratings = read_of(folder, cases[i].text, NULL, NULL, &h, &error);
        if (!ratings) fail_msg("case %zu: %s", i, error.message);
        double a = 99, b = 99;
        for (size_t k = 0; k < piaa_ratings_count(ratings); k++) {
            const piaa_rating *rating = piaa_ratings_at(ratings, k);
            if (piaa_path_ends(rating->path, "/a.jpg")) a = rating->score;
            if (piaa_path_ends(rating->path, "/b.jpg")) b = rating->score;
        }
        if (a != cases[i].a || b != cases[i].b) fail_msg("case %zu: %g and %g", i, a, b);
        if (cases[i].says ? !strstr(h.all, cases[i].says) : h.lines != 0)
            fail_msg("case %zu said: %s", i, h.all);
        piaa_ratings_free(ratings);
    }
    piaa_ratings *ratings =
        read_of(folder, "path,score\na,1\nb,\nc\nd,NaN\ne,2\n", NULL, NULL, &h, &error);
    assert_int_equal(piaa_ratings_count(ratings), 2);
    assert_int_equal(h.lines, 1);
    assert_non_null(strstr(h.last, "3 rows have no rating"));
    piaa_ratings_free(ratings);
    support_remove(folder);
}

/* Cameras begin again with DSC_0001 in every folder. */
static void folders_and_names_in_two_columns(void **state) {
    PIAA_UNUSED(state);
    static const struct {
        const char *text, *says; /* photos one/a.jpg 4, two/a.jpg 2 */
    } cases[] = {
        {"Directory,FileName,score\none,a.jpg,4\ntwo,a.jpg,2\n",
         "the columns \"Directory\" and \"FileName\" as the path"},
        {"Folder;File Name;Score\none/;a.jpg;4\n.\\two\\;a.jpg;2\n", "\"Folder\" and"},
        {"filename,path,score\na.jpg,one,4\na.jpg,two,2\n", "\"path\" and \"filename\""},
        {"filename,Directory,Rating\na.jpg,one,4\na.jpg,two,2\nb.jpg,two,0\n", "0 is unrated"},
        {"SourceFile,Directory,FileName,score\none/a.jpg,x,y,4\ntwo/a.jpg,x,y,2\n",
         "\"SourceFile\" as the path"},
        {"Directory,file,score\nx,one/a.jpg,4\nx,two/a.jpg,2\n", "as the path"}, /* whole paths */
        {"path,image,score\none/a.jpg,Sunset,4\ntwo/a.jpg,The sea,2\n", NULL},
        {"path,file,score\none/a.jpg,x.tif,4\ntwo/a.jpg,y.tif,2\n", NULL},
    };
    char *folder = support_folder(), *sub = support_join(folder, "one"),
         *other = support_join(folder, "two");
    assert_int_equal(mkdir(sub, 0755), 0);
    assert_int_equal(mkdir(other, 0755), 0);
    support_write(sub, "a.jpg", "1", 1);
    support_write(other, "a.jpg", "2", 1);
    heard h;
    piaa_error error;
    for (size_t i = 0; i < PIAA_COUNT(cases); i++) {
        piaa_ratings *ratings = read_of(folder, cases[i].text, NULL, NULL, &h, &error);
        if (!ratings) fail_msg("case %zu: %s", i, error.message);
        assert_int_equal(piaa_ratings_count(ratings), 2);
        expect_rating(ratings, 0, "/one/a.jpg", 4, 2);
        expect_rating(ratings, 1, "/two/a.jpg", 2, 3);
        if (cases[i].says ? !strstr(h.all, cases[i].says) : h.lines != 0)
            fail_msg("case %zu said: %s", i, h.all);
        piaa_ratings_free(ratings);
    }
    free(sub), free(other);
    support_remove(folder);
}

static void several_people_are_not_averaged(void **state) {
    PIAA_UNUSED(state);
    static const char rows[] = "ann,a.jpg,1\nbob,b.jpg,2\nann,c.jpg,3\n";
    static const char *const names[] = {"user",     "userId",   "User ID",       "participant_id",
                                        "worker",   "rater",    "annotator",     "subject",
                                        "rated by", "workerId", "Annotator No.", "session_id",
                                        "coder",    "pid",      "Email Address", "person ID"};
    char *folder = support_folder();
    heard h;
    piaa_error error;
    for (size_t i = 0; i < PIAA_COUNT(names); i++) {
        char *text = piaa_format(NULL, "%s,path,score\n%s", names[i], rows);
        assert_null(read_of(folder, text, NULL, NULL, &h, &error));
        if (!strstr(error.message, "2 people") || !strstr(error.message, "ann, bob") ||
            !strstr(error.message, "--user"))
            fail_msg("%s: %s", names[i], error.message);
        piaa_ratings *ratings = read_of(folder, text, "ann", NULL, &h, &error);
        if (!ratings) fail_msg("%s: %s", names[i], error.message);
        assert_int_equal(piaa_ratings_count(ratings), 2);
        piaa_ratings_free(ratings);
        assert_null(read_of(folder, text, "cem", NULL, &h, &error));
        assert_non_null(strstr(error.message, "no ratings of cem"));
        ratings = read_of(folder, text, NULL, "none", &h, &error);
        assert_int_equal(piaa_ratings_count(ratings), 3);
        piaa_ratings_free(ratings);
        free(text);
    }
    support_remove(folder);
}

/* Rows of one photo that a column of another name tells apart. */
static void unknown_people_are_asked_for(void **state) {
    PIAA_UNUSED(state);
    static const struct {
        const char *text;
        const char *says; /* NULL: read */
    } cases[] = {
        {"who knows,path,score\nx,a,1\ny,a,2\nx,b,3\n", "--user-column \"who knows\""},
        {"Contributor ID,path,score\n17,a,1\n18,a,2\n17,b,3\n", "--user-column \"Contributor ID\""},
        {"note,path,score\nx,a,1\ny,a,2\nz,b,3\n", NULL},  /* never comes back: a remark */
        {"day,path,score\nx,a,1\nx,a,2\ny,b,3\n", NULL},   /* does not tell them apart */
        {"light,path,score\n3,a,1\n4,a,2\n3,b,3\n", NULL}, /* numbers, by chance */
        {"seat,path,score\n1,a,1\n2,a,1\n3,a,2\n1,b,3\n2,b,3\n3,b,3\n1,c,4\n2,c,4\n3,c,4\n"
         "1,d,4\n2,d,4\n3,d,5\n",
         "--user-column \"seat\""},                   /* numbers, twelve times */
        {",path,score\n0,a,1\n1,a,2\n2,b,3\n", NULL}, /* pandas' index */
    };
    char *folder = support_folder();
    heard h;
    piaa_error error;
    for (size_t i = 0; i < PIAA_COUNT(cases); i++) {
        piaa_ratings *ratings = read_of(folder, cases[i].text, NULL, NULL, &h, &error);
        if (cases[i].says ? ratings || !strstr(error.message, cases[i].says) : !ratings)
            fail_msg("case %zu: %s", i, error.message);
        piaa_ratings_free(ratings);
    }
    piaa_ratings *ratings = read_of(folder, cases[0].text, "x", "Who Knows", &h, &error);
    assert_int_equal(piaa_ratings_count(ratings), 2);
    piaa_ratings_free(ratings);
    assert_null(read_of(folder, cases[0].text, NULL, "nobody", &h, &error));
    assert_non_null(strstr(error.message, "no column named nobody, it has who knows, path, score"));
    assert_null(read_of(folder, "path,score\na,1\n", "ann", NULL, &h, &error));
    assert_non_null(strstr(error.message, "no column that says who rated"));
    support_remove(folder);
}

#define NFC "Z\xc3\xbcrich"
#define NFD "Zu\xcc\x88rich"

/* What stands in the table, what is in the folder beside it, and which photo is meant. */
static void names_are_matched(void **state) {
    PIAA_UNUSED(state);
    static const struct {
        const char *written, *photo; /* of those below; NULL: none */
        const char *says;
    } cases[] = {
        {NFC " 1.jpg", NFD " 1.jpg", "Unicode"},
        {NFD " 2.jpg", NFC " 2.jpg", "Unicode"},
        {NFD "/" NFC ".jpg", NFC "/" NFD ".jpg", "Unicode"},
        {"latin \xc3\xa4.jpg", "latin \xe4.jpg", "Unicode"}, /* bytes that are not UTF-8 */
        {"latin \xe4.jpg", "latin \xe4.jpg", NULL},
        {"img_1.JPG", "IMG_1.jpg", "case"},
        {"SUB/IMG_2.jpg", "sub/img_2.jpg", "case"},
        {"img_3.jpg", NULL, NULL}, /* Img_3 and IMG_3 */
        {"sub\\img_2.jpg", "sub/img_2.jpg", "spelling"},
        {".\\sub\\img_2.jpg", "sub/img_2.jpg", "spelling"},
        {"C:\\Users\\ann\\sub\\img_2.jpg", "sub/img_2.jpg", "folder"},
        {"\\\\nas\\photos\\img_2.jpg", "sub/img_2.jpg", "folder"},
        {"d:/photos/" NFC " 1.JPG", NFD " 1.jpg", "folder"},
        {"file:///nowhere/sub/img%5f2.jpg", "sub/img_2.jpg", "folder"},
        {"file:///C:/photos/a%20b.jpg", "deep/er/a b.jpg", "folder"},
        {"a b.jpg", "deep/er/a b.jpg", "folder"}, /* says no folder */
        {"/media/card/er/a b.jpg", "deep/er/a b.jpg", "folder"},
        {"sub/a b.jpg", NULL, NULL}, /* its folder is there, and the photo is not */
        {"twice.jpg", NULL, "fits several"},
        {"/media/card/one/twice.jpg", "one/twice.jpg", "folder"},
        {"none.jpg", NULL, NULL},
    };
    static const char *const photos[] = {NFD " 1.jpg",    NFC " 2.jpg",     NFC "/" NFD ".jpg",
                                         "IMG_1.jpg",     "latin \xe4.jpg", "sub/img_2.jpg",
                                         "Img_3.jpg",     "IMG_3.jpg",      "deep/er/a b.jpg",
                                         "one/twice.jpg", "two/twice.jpg"};
    char *folder = support_folder(), *paths[PIAA_COUNT(photos)];
    char *root = piaa_path_absolute(folder, NULL);
    for (size_t i = 0; i < PIAA_COUNT(photos); i++) {
        put(root, photos[i], "");
        paths[i] = support_join(root, photos[i]);
    }
    for (size_t i = 0; i < PIAA_COUNT(cases); i++) {
        heard h;
        piaa_error error;
        char *text = piaa_format(NULL, "path,score\n%s,3\n", cases[i].written);
        piaa_ratings *ratings = read_of(root, text, NULL, NULL, &h, &error);
        if (!ratings ||
            !piaa_ratings_match(ratings, (const char *const *)paths, NULL, PIAA_COUNT(paths),
                                &(piaa_hooks){.user = &h, .warn = hear}, &error))
            fail_msg("%s: %s", cases[i].written, error.message);
        const char *got = piaa_ratings_at(ratings, 0)->path;
        char *wanted = cases[i].photo ? support_join(root, cases[i].photo) : NULL;
        if (wanted ? strcmp(got, wanted) != 0 : piaa_file_exists(got))
            fail_msg("%s became %s", cases[i].written, got);
        if (cases[i].says && !strstr(h.all, cases[i].says))
            fail_msg("%s: %s", cases[i].written, h.all);
        piaa_ratings_free(ratings);
        free(wanted);
        free(text);
    }
    for (size_t i = 0; i < PIAA_COUNT(photos); i++) free(paths[i]);
    free(root);
    support_remove(folder);
}

/* Two names that can only be guessed, and one photo: neither gets it. */
static void a_photo_is_matched_once(void **state) {
    PIAA_UNUSED(state);
    static const char *const texts[] = {"path,score\n/gone/1/a.jpg,1\n/gone/2/a.jpg,5\n",
                                        "path,score\n/gone/a.jpg,1\nsub/a.jpg,5\n"};
    char *folder = support_folder();
    put(folder, "sub/a.jpg", "");
    char *root = piaa_path_absolute(folder, NULL), *photo = support_join(root, "sub/a.jpg");
    for (size_t i = 0; i < PIAA_COUNT(texts); i++) {
        heard h;
        piaa_error error;
        piaa_ratings *ratings = read_of(root, texts[i], NULL, NULL, &h, &error);
        assert_true(piaa_ratings_match(ratings, (const char *const *)&photo, NULL, 1,
                                       &(piaa_hooks){.user = &h, .warn = hear}, &error));
        expect_rating(ratings, 0, i ? "/gone/a.jpg" : "/gone/1/a.jpg", 1, 2);
        assert_non_null(strstr(h.last, "several photos"));
        piaa_ratings_free(ratings);
    }
    free(photo);
    free(root);
    support_remove(folder);
}

/* 1 and 3 of one photo, 4, 4 and 1 of another, 2 of a third.  Around the means: 2 and 6, over the
   1 + 2 ratings more than photos: noise sqrt(8/3).  All six: mean 2.5, variance 47/6 - 6.25. */
static void ratings_again_tell_the_noise(void **state) {
    PIAA_UNUSED(state);
    char *folder = support_folder();
    heard h;
    piaa_error error;
    piaa_ratings *ratings =
        read_text(folder, "path,score\na,1\nb,4\nc,2\na,3\nb,4\nb,1\n", &h, &error);
    assert_non_null(ratings);
    const piaa_retest retest = piaa_ratings_retest(ratings);
    assert_int_equal(retest.photos, 2);
    assert_true(fabs(retest.noise - sqrt(8 / 3.0)) < 1e-12);
    assert_true(retest.ceiling == 0); /* there is more noise than the ratings differ */
    piaa_ratings_free(ratings);
    /* 1, 1.5; 5, 4.5: noise sqrt(0.125 + 0.125) / sqrt(2), variance of all 3.125 */
    ratings = read_text(folder, "path,score\na,1\na,1.5\nb,5\nb,4.5\n", &h, &error);
    assert_non_null(ratings);
    assert_true(fabs(piaa_ratings_retest(ratings).ceiling - sqrt(1 - 0.125 / 3.125)) < 1e-12);
    piaa_ratings_free(ratings);
    ratings = read_text(folder, "path,score\na,1\nb,2\n", &h, &error);
    assert_non_null(ratings);
    assert_int_equal(piaa_ratings_retest(ratings).photos, 0);
    assert_true(isnan(piaa_ratings_retest(ratings).noise));
    piaa_ratings_free(ratings);
    support_remove(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_ratings),
        cmocka_unit_test(other_column_names),
        cmocka_unit_test(duplicates_are_averaged_and_said),
        cmocka_unit_test(faults_are_named),
        cmocka_unit_test(reads_what_programs_save),
        cmocka_unit_test(folders_and_names_in_two_columns),
        cmocka_unit_test(several_people_are_not_averaged),
        cmocka_unit_test(unknown_people_are_asked_for),
        cmocka_unit_test(names_are_matched),
        cmocka_unit_test(a_photo_is_matched_once),
        cmocka_unit_test(ratings_again_tell_the_noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

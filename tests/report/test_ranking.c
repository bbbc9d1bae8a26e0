/* Rankings on paper: every format read back by somebody else's parser or our own reader, with names
   that try to break it. */
#include "support.h"

#include "base/csv.h"
#include "base/utf8.h"
#include "image/image.h"
#include "report/report.h"

enum { DIM = 2, PHOTOS = 4 };

typedef struct world {
    char *folder, *store_path;
    char *paths[PHOTOS];
    piaa_store *store;
    piaa_ratings *ratings;
    piaa_taste *taste;
    piaa_ranking *ranking;
} world;

static const char *const names[PHOTOS] = {"plain.jpg", "a, \"quoted\"\nname.jpg",
                                          "no\xff utf8 \xc3\xa9.jpg", "<b>&amp; \033[31mred.jpg"};

/* Four photos with features (i, i^2), the first three rated. */
static int begin(void **state) {
    world *w = piaa_alloc(1, sizeof *w, NULL);
    piaa_error error = {0};
    char *made = support_folder();
    w->folder = piaa_path_absolute(made, NULL);
    free(made);
    w->store_path = support_join(w->folder, "store");
    piaa_slot slot = {.pool = PIAA_LT, .layer = 3, .dim = DIM};
    piaa_slots slots = {.items = &slot, .count = 1};
    piaa_identity identity = {.fingerprint = "00ff",
                              .model = "a \"model\"",
                              .family = "Qwen3-VL",
                              .prompt = "Say\nit.",
                              .preprocessing = "none",
                              .dtype = "f32",
                              .library = "0"};
    w->store = piaa_store_open_write(w->store_path, &identity, &slots, NULL, &error);
    if (!w->store) fail_msg("%s", error.message);
    piaa_text csv = {0};
    assert_true(piaa_text_format(&csv, NULL, "path,score\n"));
    for (int i = 0; i < PHOTOS; i++) {
        w->paths[i] = support_join(w->folder, names[i]);
        float values[DIM] = {(float)i, (float)(i * i)};
        const float *vectors[] = {values};
        char hash[65];
        snprintf(hash, sizeof hash, "%064d", i);
        piaa_photo photo = {.path = w->paths[i], .size = 1, .mtime_ns = 1, .hash = hash, .row = -1};
        piaa_photo_state found;
        bool missing[1];
        assert_true(piaa_store_lookup(w->store, &photo, &found, missing, &error));
        if (!piaa_store_put(w->store, &photo, vectors, &error)) fail_msg("%s", error.message);
        if (i == PHOTOS - 1) continue;
        assert_true(piaa_report_add_field(&csv, w->paths[i], NULL));
        assert_true(piaa_text_format(&csv, NULL, ",%d.5\n", i + 1));
    }
    assert_true(piaa_store_finish(w->store, &error) && piaa_store_refresh(w->store, &error));
    support_write(w->folder, "ratings.csv", csv.data, csv.length);
    free(csv.data);
    char *path = support_join(w->folder, "ratings.csv");
    w->ratings = piaa_ratings_read(path, NULL, &error);
    free(path);
    w->taste = w->ratings ? piaa_taste_learn(w->store, 0, w->ratings, NULL, &error) : NULL;
    w->ranking = w->taste ? piaa_rank(w->taste, w->store, NULL, 0, w->ratings, &error) : NULL;
    if (!w->ranking) fail_msg("%s", error.message);
    assert_int_equal(piaa_ranking_count(w->ranking), PHOTOS);
    *state = w;
    return 0;
}

static int end(void **state) {
    world *w = *state;
    piaa_ranking_free(w->ranking);
    piaa_taste_free(w->taste);
    piaa_ratings_free(w->ratings);
    piaa_store_close(w->store);
    for (int i = 0; i < PHOTOS; i++) free(w->paths[i]);
    free(w->store_path);
    support_remove(w->folder);
    free(w);
    return 0;
}

/* What the format prints, to be freed. */
static char *print(const world *w, const piaa_ranking_context *context, piaa_format_kind format,
                   size_t *size) {
    char *text = NULL;
    FILE *out = open_memstream(&text, size);
    piaa_error error = {0};
    assert_non_null(out);
    if (!piaa_ranking_write(w->ranking, context, format, out, &error))
        fail_msg("%s", error.message);
    fclose(out);
    return text;
}

static void test_csv(void **state) {
    world *w = *state;
    piaa_ranking_context context = {.taste = w->taste, .folder = w->folder};
    size_t size, row = 0;
    char *text = print(w, &context, PIAA_CSV, &size);
    piaa_csv *csv = piaa_csv_parse(text, size, "out", NULL);
    assert_non_null(csv);
    for (; piaa_csv_next(csv, NULL) == 1; row++) {
        const piaa_ranked *photo = piaa_ranking_at(w->ranking, row);
        double score, error;
        assert_true(piaa_parse_number(piaa_csv_field(csv, piaa_csv_column(csv, "score")), &score));
        assert_true(score == photo->score); /* to the last bit */
        assert_true(
            piaa_parse_number(piaa_csv_field(csv, piaa_csv_column(csv, "plus_minus")), &error));
        assert_true(error == w->taste->loo_rmse);
        assert_int_equal(*piaa_csv_field(csv, piaa_csv_column(csv, "rating")) != '\0',
                         photo->rated);
        piaa_text path = {0}; /* bytes that are not UTF-8 are written as they are, and read so */
        piaa_encoding encoding;
        assert_true(piaa_utf8_decode(photo->path, strlen(photo->path), &path, &encoding, NULL));
        assert_string_equal(piaa_csv_field(csv, piaa_csv_column(csv, "path")), path.data);
        free(path.data);
    }
    assert_int_equal(row, PHOTOS);
    piaa_csv_close(csv);
    free(text);
}

static void test_json(void **state) {
    world *w = *state;
    piaa_unreadable unreadable = {.path = "/x/\xfe.jpg", .reason = "it is \"broken\""};
    piaa_ranking_context context = {.taste = w->taste,
                                    .top = 2,
                                    .demonstration = true,
                                    .unreadable = &unreadable,
                                    .unreadable_count = 1};
    size_t size;
    char *text = print(w, &context, PIAA_JSON, &size);
    piaa_error error = {0};
    cJSON *root = piaa_json_parse(text, size, "out", &error);
    if (!root) fail_msg("%s", error.message);
    const cJSON *photos = piaa_json_find(root, "photos");
    assert_int_equal(cJSON_GetArraySize(photos), 2);
    double value;
    for (int i = 0; i < 2; i++) {
        const cJSON *photo = cJSON_GetArrayItem(photos, i);
        assert_true(piaa_json_number(photo, "score", &value));
        assert_true(value == piaa_ranking_at(w->ranking, (size_t)i)->score);
        assert_true(piaa_json_number(photo, "rank", &value));
        assert_true(value == i + 1);
    }
    assert_string_equal(piaa_json_string(root, "prompt"), "Say\nit.");
    assert_string_equal(
        piaa_json_string(cJSON_GetArrayItem(piaa_json_find(root, "unreadable"), 0), "path"),
        "/x/\xef\xbf\xbd.jpg");
    assert_true(cJSON_IsTrue(piaa_json_find(root, "demonstration")));
    cJSON_Delete(root);
    free(text);
}

/* Three ratings are too few for an interval; where there is one it lies around each score. */
static void test_intervals(void **state) {
    world *w = *state;
    piaa_taste taste = *w->taste;
    piaa_ranking_context context = {.taste = &taste};
    size_t size;
    assert_true(isnan(taste.interval));
    for (int known = 0; known < 2; known++) {
        char *text = print(w, &context, PIAA_CSV, &size);
        piaa_csv *csv = piaa_csv_parse(text, size, "out", NULL);
        for (size_t row = 0; piaa_csv_next(csv, NULL) == 1; row++) {
            const char *low = piaa_csv_field(csv, piaa_csv_column(csv, "low")),
                       *high = piaa_csv_field(csv, piaa_csv_column(csv, "high"));
            double ends[2];
            assert_true(known || (!*low && !*high));
            if (!known) continue;
            assert_true(piaa_parse_number(low, &ends[0]) && piaa_parse_number(high, &ends[1]));
            assert_true(ends[0] == piaa_ranking_at(w->ranking, row)->score - 0.75);
            assert_true(ends[1] == piaa_ranking_at(w->ranking, row)->score + 0.75);
        }
        piaa_csv_close(csv);
        free(text);
        text = print(w, &context, PIAA_JSON, &size);
        cJSON *root = piaa_json_parse(text, size, "out", NULL);
        const cJSON *photo = cJSON_GetArrayItem(piaa_json_find(root, "photos"), 0);
        double low, level;
        assert_true(piaa_json_number(photo, "low", &low) == (known == 1));
        assert_true(!known || low == piaa_ranking_at(w->ranking, 0)->score - 0.75);
        assert_true(piaa_json_number(root, "interval_level", &level) && level == 0.9);
        cJSON_Delete(root);
        free(text);
        taste.interval = 0.75;
    }
}

/* What a program reads of how much the scores are worth. */
static void test_verdicts(void **state) {
    world *w = *state;
    static const struct {
        double rmse, of_mean, correlation, chance;
        const char *verdict;
    } cases[] = {{0.5, 1, 0.6, 0.01, "learned"},      {1.1, 1, -0.3, 0.8, "not learned"},
                 {0.9, 1, -0.1, 0.3, "not learned"},  {1, 1, 0.2, 0.3, "not learned"},
                 {0.9, 1, 0.2, 0.3, "may be chance"}, {0.9, 1, 0.2, NAN, "learned"},
                 {1.1, 1, 0.2, NAN, "not learned"},   {0.9, NAN, 0.2, NAN, "learned"},
                 {0.9, 1, NAN, 1, "not learned"}};
    for (size_t i = 0; i < PIAA_COUNT(cases); i++) {
        piaa_taste taste = *w->taste;
        taste.loo_rmse = cases[i].rmse, taste.mean_rmse = cases[i].of_mean;
        taste.loo_spearman = cases[i].correlation, taste.chance = cases[i].chance;
        piaa_ranking_context context = {.taste = &taste};
        size_t size;
        char *text = print(w, &context, PIAA_JSON, &size);
        cJSON *root = piaa_json_parse(text, size, "out", NULL);
        double value;
        assert_string_equal(piaa_json_string(root, "verdict"), cases[i].verdict);
        assert_true(piaa_json_number(root, "chance", &value) == !isnan(cases[i].chance));
        assert_true(piaa_json_number(root, "plus_minus_of_mean", &value) ==
                    !isnan(cases[i].of_mean));
        cJSON_Delete(root);
        free(text);
    }
}

static void test_table(void **state) {
    world *w = *state;
    piaa_ranking_context context = {.taste = w->taste, .folder = w->folder};
    size_t size, lines = 0;
    char *text = print(w, &context, PIAA_TABLE, &size);
    for (const char *c = text; *c; c++) {
        lines += *c == '\n';
        assert_true((unsigned char)*c >= ' ' ||
                    *c == '\n'); /* no escape sequence reaches a terminal */
    }
    assert_int_equal(lines, PHOTOS + 1);
    assert_non_null(strstr(text, "  plain.jpg\n"));
    assert_non_null(strstr(text, "  no\\xff utf8 \xc3\xa9.jpg\n"));
    assert_non_null(strstr(text, "  <b>&amp; \\x1b[31mred.jpg\n"));
    assert_non_null(strstr(text, "  a, \"quoted\"\\nname.jpg\n"));
    free(text);
    /* with no folder, and with one that only looks like the parent, paths are whole */
    assert_string_equal(piaa_path_shorten("/a/b/c.jpg", "/a/b"), "c.jpg");
    assert_string_equal(piaa_path_shorten("/a/bc.jpg", "/a/b"), "/a/bc.jpg");
    assert_string_equal(piaa_path_shorten("/a.jpg", "/"), "a.jpg");
    assert_string_equal(piaa_path_shorten("/a.jpg", NULL), "/a.jpg");
}

static void test_full_disk(void **state) {
    world *w = *state;
    piaa_ranking_context context = {.taste = w->taste};
    FILE *full = fopen("/dev/full", "w");
    if (!full) skip();
    for (piaa_format_kind format = PIAA_TABLE; format <= PIAA_JSON; format++) {
        piaa_error error = {0};
        assert_false(piaa_ranking_write(w->ranking, &context, format, full, &error));
        assert_int_equal(error.code, PIAA_IO);
        assert_string_equal(error.message, "cannot write the result: No space left on device");
        clearerr(full);
    }
    fclose(full);
}

/* Real pixels for two of the photos; the others are missing and become grey tiles. */
static void test_sheet(void **state) {
    world *w = *state;
    char *source = support_join(PIAA_GOLDEN, "images/coffee_exif6.jpg"),
         *name = support_join(w->folder, "sheet.png");
    piaa_error error = {0};
    size_t size;
    char *bytes = piaa_file_read(source, (size_t)1 << 30, &size, &error);
    assert_non_null(bytes);
    support_write(w->folder, names[0], bytes, size);
    support_write(w->folder, names[3], bytes, size / 2); /* breaks off */
    free(bytes);
    piaa_ranking_context context = {.taste = w->taste, .demonstration = true};
    if (!piaa_sheet_write(w->ranking, &context, name, &error)) fail_msg("%s", error.message);
    piaa_image sheet = {0};
    assert_true(piaa_image_read(name, PIAA_EXIF_IGNORE, &sheet, &error));
    assert_true(sheet.width > 1500 && sheet.height > 300 && sheet.height < 600); /* one row */
    size_t grey = 0;
    for (size_t i = 0; i < (size_t)sheet.width * (size_t)sheet.height; i++)
        grey += memcmp(sheet.rgb + 3 * i, (unsigned char[]){222, 221, 217}, 3) == 0;
    assert_true(grey >= (size_t)3 * 240 * 186);
    piaa_image_free(&sheet);
    assert_false(piaa_sheet_write(w->ranking, &context, "sheet.bmp", &error));
    assert_int_equal(error.code, PIAA_USAGE);
    error = (piaa_error){0};
    assert_false(piaa_sheet_write(w->ranking, &context, "/nowhere/sheet.png", &error));
    assert_int_equal(error.code, PIAA_IO);
    free(name);
    free(source);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_csv),       cmocka_unit_test(test_json),
        cmocka_unit_test(test_intervals), cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_table),     cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_sheet),
    };
    return cmocka_run_group_tests(tests, begin, end);
}

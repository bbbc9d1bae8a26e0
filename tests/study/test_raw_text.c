/* Asking the model for scores: the published answers, from a run that is stopped and goes on. */
#include "study_support.h"

#include "study/raw_text.h"

enum { PHOTOS = 24, FEW = 5 };

typedef struct heard {
    int64_t done, total;
    int64_t stop_after; /* 0: never */
} heard;

static void hear(void *user, const char *what, int64_t done, int64_t total) {
    heard *h = user;
    (void)what;
    h->done = done;
    h->total = total;
}

static bool stop(void *user) {
    const heard *h = user;
    return h->stop_after && h->done >= h->stop_after;
}

typedef struct room {
    piaa_dataset *set;
    piaa_model *model;
    piaa_extractor *extractor;
    bool *wanted;
    char *folder, *file;
} room;

static int open_room(void **state) {
    piaa_error error = {0};
    room *r = piaa_alloc(1, sizeof *r, NULL);
    r->set = study_set("para");
    r->model = piaa_model_open(PIAA_SOURCE "/models/demo", &error);
    r->extractor =
        piaa_extractor_new(r->model, &(piaa_request){.pools = "lt", .layers = "3"}, &error);
    if (!r->extractor) fail_msg("%s", error.message);
    r->wanted = piaa_alloc(r->set->image_count, sizeof *r->wanted, NULL);
    for (size_t i = 0; i < PHOTOS; i++) r->wanted[i] = true;
    r->folder = support_folder();
    r->file = support_join(r->folder, "raw_text.csv");
    *state = r;
    return 0;
}

static int close_room(void **state) {
    room *r = *state;
    piaa_extractor_free(r->extractor);
    piaa_model_close(r->model);
    piaa_dataset_close(r->set);
    free(r->wanted);
    free(r->file);
    support_remove(r->folder);
    free(r);
    return 0;
}

static bool ask(const room *r, heard *h, piaa_raw_texts *raw, piaa_error *error) {
    const piaa_hooks hooks = {.user = h, .progress = hear, .stop = stop};
    return piaa_raw_texts_ask(raw, &piaa_question_rating, r->set, r->wanted, r->extractor, "demo",
                              r->file, &hooks, error);
}

/* The published texts, letter by letter. */
static void expect_published(const room *r) {
    piaa_error error = {0};
    piaa_csv *own = piaa_csv_open(r->file, &error),
             *theirs =
                 piaa_csv_open(PIAA_GOLDEN "/text/few_shot_and_raw/para_raw_text.csv", &error);
    char *texts[PHOTOS] = {0};
    size_t image, compared = 0;
    if (!own || !theirs) fail_msg("%s", error.message);
    while (piaa_csv_next(own, &error) == 1) {
        assert_true(piaa_dataset_find(r->set, piaa_csv_field(own, 3), &image) && image < PHOTOS);
        texts[image] = piaa_strdup(piaa_csv_field(own, 5), NULL);
    }
    while (piaa_csv_next(theirs, &error) == 1) {
        assert_true(piaa_dataset_find(r->set, strchr(piaa_csv_field(theirs, 3), '/') + 1, &image));
        if (image >= PHOTOS) continue;
        assert_string_equal(texts[image], piaa_csv_field(theirs, 5));
        compared++;
    }
    assert_int_equal(compared, PHOTOS);
    for (size_t i = 0; i < PHOTOS; i++) free(texts[i]);
    piaa_csv_close(own);
    piaa_csv_close(theirs);
}

static void what_was_answered_is_kept(void **state) {
    const room *r = *state;
    piaa_error error = {0};
    piaa_raw_texts raw;
    heard h = {.stop_after = FEW};
    assert_false(ask(r, &h, &raw, &error));
    assert_int_equal(error.code, PIAA_STOPPED);
    assert_null(raw.scores);
    assert_int_equal(h.total, PHOTOS);
    error = (piaa_error){0};
    h = (heard){0};
    if (!ask(r, &h, &raw, &error)) fail_msg("%s", error.message);
    assert_int_equal(h.total, PHOTOS - FEW);
    assert_int_equal(raw.answered, PHOTOS);
    piaa_raw_texts_free(&raw);
    expect_published(r);
    h = (heard){0}; /* and nothing is asked a third time */
    assert_true(ask(r, &h, &raw, &error));
    assert_int_equal(h.total, 0);
    piaa_raw_texts_free(&raw);
    /* the table can be given to another run */
    assert_true(piaa_raw_texts_read(&raw, r->file, r->set, NULL, &error));
    assert_int_equal(raw.answered, PHOTOS);
    piaa_raw_texts_free(&raw);
}

/* Rows of another reader are asked anew; a table that is somebody else's is left as it is. */
static void other_tables(void **state) {
    const room *r = *state;
    piaa_error error = {0};
    piaa_raw_texts raw;
    heard h = {0};
    char *rows =
        piaa_format(NULL,
                    "model_id,dataset,split,image_path,giaa,raw_output,expected_score,reader\n"
                    "demo,para,all,%s,9,9,9,0123456789abcdef\n",
                    r->set->images[0].name);
    support_write(r->folder, "raw_text.csv", rows, strlen(rows));
    assert_true(ask(r, &h, &raw, &error));
    assert_int_equal(h.total, PHOTOS);
    assert_true(raw.scores[0] != 9);
    piaa_raw_texts_free(&raw);
    static const char strange[] = "path,score\na.jpg,3\n";
    support_write(r->folder, "raw_text.csv", strange, sizeof strange - 1);
    assert_false(ask(r, &h, &raw, &error));
    assert_non_null(strstr(error.message, "not a table that piaa wrote"));
    size_t size;
    char *left = piaa_file_read(r->file, 1000, &size, NULL);
    assert_string_equal(left, strange);
    free(left);
    free(rows);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_answered_is_kept),
        cmocka_unit_test(other_tables),
    };
    return cmocka_run_group_tests(tests, open_room, close_room);
}

/* Few-shot predictions against the published code's, and that photos and beginnings are read
   once. */
#include "study_support.h"

#include "study/personal.h"

enum { PEOPLE = 4, TESTS = 50 };

typedef struct room {
    piaa_model *model;
    piaa_reader *reader;
    piaa_dataset *set;
} room;

static void open_room(room *r) {
    piaa_error error = {0};
    r->set = study_set("para");
    r->model = piaa_model_open(PIAA_SOURCE "/models/demo", &error);
    r->reader =
        piaa_reader_new(r->model, &(piaa_request){.exif = PIAA_EXIF_IGNORE, .threads = 1}, &error);
    if (!r->reader) fail_msg("%s", error.message);
}

static void close_room(room *r) {
    piaa_reader_free(r->reader);
    piaa_model_close(r->model);
    piaa_dataset_close(r->set);
}

static void equals_the_published_predictions(void **state) {
    PIAA_UNUSED(state);
    piaa_error error = {0};
    room r = {0};
    open_room(&r);
    piaa_protocol *protocol = piaa_protocol_make(r.set, NULL, NULL, &error);
    assert_non_null(protocol);
    protocol->count = PEOPLE;
    piaa_dialogue *dialogue = NULL;
    const piaa_method *const methods[] = {&piaa_method_few_shot, NULL};
    const piaa_personal_options options = {.methods = methods,
                                           .small = true,
                                           .reader = r.reader,
                                           .dialogue = &dialogue,
                                           .folder = ".",
                                           .model = "demo"};
    piaa_personal *p = piaa_personal_run(r.set, protocol, NULL, 0, &options, NULL, &error);
    if (!p) fail_msg("%s", error.message);
    assert_int_equal(p->count, 1);
    study_expect_published(r.set, p->outcomes[0],
                           PIAA_GOLDEN "/text/few_shot_and_raw/para_fewshot_small_4users.csv",
                           1e-9);
    for (size_t u = 0; u < PEOPLE; u++)
        assert_int_equal(p->outcomes[0]->users[u].answers.asked, TESTS);
    /* Ten examples a person and fifty photos, some of them another person's too; and ten prompts of
       ten images are far more than what was read. */
    const size_t seen = piaa_dialogue_seen(dialogue), read = piaa_dialogue_tokens_read(dialogue);
    print_message("%zu photos, %zu tokens\n", seen, read);
    assert_true(seen <= PEOPLE * (10 + TESTS));
    assert_true(read < PEOPLE * (700 + TESTS * 150));
    piaa_personal_free(p);
    piaa_dialogue_free(dialogue);
    piaa_protocol_free(protocol);
    close_room(&r);
}

/* An answer is the same whatever was asked before it. */
static void does_not_depend_on_what_came_before(void **state) {
    PIAA_UNUSED(state);
    piaa_error error = {0};
    room r = {0};
    open_room(&r);
    const char *const paths[] = {r.set->images[0].path, r.set->images[1].path,
                                 r.set->images[2].path, r.set->images[3].path};
    double scores[2] = {0};
    for (int round = 0; round < 2; round++) {
        piaa_dialogue *d = piaa_dialogue_new(piaa_reader_extractor(r.reader), &error);
        if (!d) fail_msg("%s", error.message);
        for (int last = round ? 2 : 3; last <= 3; last++) {
            const piaa_dialogue_part parts[] = {{.text = "First:"},
                                                {.photo = paths[0]},
                                                {.text = "is 2.00, second:"},
                                                {.photo = paths[1]},
                                                {.text = "is 4.00.  And this?"},
                                                {.photo = paths[last]}};
            const piaa_dialogue_turn turn = {.parts = parts, .count = PIAA_COUNT(parts)};
            piaa_answer *said =
                piaa_dialogue_answer(d, &turn, 1, &(piaa_answering){.max_tokens = 4}, &error);
            if (!said) fail_msg("%s", error.message);
            scores[round] = said->expected_score;
            piaa_answer_free(said);
        }
        piaa_dialogue_free(d);
    }
    assert_true(scores[0] == scores[1]);
    close_room(&r);
}

static void faults_are_told(void **state) {
    PIAA_UNUSED(state);
    piaa_error error = {0};
    room r = {0};
    open_room(&r);
    piaa_dialogue *d = piaa_dialogue_new(piaa_reader_extractor(r.reader), &error);
    assert_non_null(d);
    const piaa_dialogue_part gone[] = {{.photo = "/nowhere/a.jpg"}, {.text = "And this?"}};
    assert_null(
        piaa_dialogue_answer(d, &(piaa_dialogue_turn){.parts = gone, .count = PIAA_COUNT(gone)}, 1,
                             &(piaa_answering){.max_tokens = 4}, &error));
    assert_int_equal(error.code, PIAA_IO);
    piaa_error_clear(&error);
    const piaa_dialogue_part taken[] = {{.photo = r.set->images[0].path},
                                        {.text = "<|image_pad|>"}};
    assert_null(
        piaa_dialogue_answer(d, &(piaa_dialogue_turn){.parts = taken, .count = PIAA_COUNT(taken)},
                             1, &(piaa_answering){.max_tokens = 4}, &error));
    assert_int_equal(error.code, PIAA_USAGE);
    piaa_error_clear(&error);
    piaa_dialogue_free(d);
    piaa_model *clip = piaa_model_open(PIAA_GOLDEN "/clip", &error);
    piaa_extractor *extractor = piaa_extractor_new(clip, NULL, &error);
    if (!extractor) fail_msg("%s", error.message);
    assert_null(piaa_dialogue_new(extractor, &error));
    assert_int_equal(error.code, PIAA_UNSUPPORTED);
    piaa_extractor_free(extractor);
    piaa_model_close(clip);
    close_room(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(equals_the_published_predictions),
                                       cmocka_unit_test(does_not_depend_on_what_came_before),
                                       cmocka_unit_test(faults_are_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

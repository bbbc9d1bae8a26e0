/* Adapters for each person as methods: small, on the demonstration model; that the two ways differ,
   that a finished adapter is kept, and that a lesson that was learned is not learned again. */
#include "study_support.h"

#include "study/personal.h"

#include <sys/stat.h>

enum { PEOPLE = 2, SUPPORT = 4, TESTS = 3 };

typedef struct room {
    piaa_model *model;
    piaa_reader *reader;
    piaa_dataset *set;
    piaa_protocol *protocol;
    char *folder;
} room;

static void open_room(room *r) {
    piaa_error error = {0};
    r->folder = support_folder();
    r->set = study_set("para");
    r->model = piaa_model_open(PIAA_SOURCE "/models/demo", &error);
    r->reader =
        piaa_reader_new(r->model, &(piaa_request){.exif = PIAA_EXIF_IGNORE, .threads = 1}, &error);
    if (!r->reader) fail_msg("%s", error.message);
    piaa_protocol_options options = piaa_protocol_defaults();
    options.small = SUPPORT;
    options.test = TESTS;
    options.first = PEOPLE;
    r->protocol = piaa_protocol_make(r->set, &options, NULL, &error);
    if (!r->protocol) fail_msg("%s", error.message);
    assert_int_equal(r->protocol->count, PEOPLE);
}

static void close_room(room *r) {
    piaa_protocol_free(r->protocol);
    piaa_reader_free(r->reader);
    piaa_model_close(r->model);
    piaa_dataset_close(r->set);
    support_remove(r->folder);
}

static piaa_personal *run(const room *r, const piaa_method *const *methods, const piaa_hooks *hooks,
                          piaa_error *error) {
    char *file = support_join(r->folder, "lessons.csv");
    piaa_journal *journal = piaa_journal_open(file, "test", error);
    if (!journal) fail_msg("%s", error->message);
    piaa_dialogue *dialogue = NULL;
    const piaa_personal_options options = {.methods = methods,
                                           .small = true,
                                           .reader = r->reader,
                                           .dialogue = &dialogue,
                                           .folder = r->folder,
                                           .journal = journal,
                                           .model = "demo",
                                           .seed = 42};
    piaa_personal *p = piaa_personal_run(r->set, r->protocol, NULL, 0, &options, hooks, error);
    piaa_dialogue_free(dialogue);
    piaa_journal_close(journal);
    free(file);
    return p;
}

static time_t changed(const room *r, const char *adapter) {
    char path[512];
    struct stat status;
    snprintf(path, sizeof path, "%s/adapters/%s/adapter_model.safetensors", r->folder, adapter);
    if (stat(path, &status) != 0) fail_msg("%s is missing", path);
    return status.st_ino != 0 ? (time_t)status.st_ino : status.st_mtime;
}

static void each_way_has_its_adapters(void **state) {
    PIAA_UNUSED(state);
    piaa_error error = {0};
    room r = {0};
    open_room(&r);
    const piaa_method *const methods[] = {&piaa_method_lora_fixed, &piaa_method_lora_published,
                                          &piaa_method_token_class_published, NULL};
    piaa_personal *p = run(&r, methods, NULL, &error);
    if (!p) fail_msg("%s", error.message);
    assert_int_equal(p->count, 3);
    const time_t before = changed(&r, "lora-fixed-small-A1000");
    changed(&r, "lora-published-small-A1000");
    changed(&r, "token-class-published-small-all");
    double first[PEOPLE * TESTS];
    for (size_t i = 0; i < p->count; i++)
        for (size_t u = 0; u < PEOPLE; u++) {
            assert_int_equal(p->outcomes[i]->users[u].answers.asked, TESTS);
            assert_true(p->outcomes[i]->users[u].bytes > 100000);
        }
    for (size_t k = 0; k < PEOPLE * TESTS; k++) {
        first[k] = p->outcomes[0]->rows[k].predicted;
        const double digit = p->outcomes[2]->rows[k].predicted;
        assert_true(isnan(digit) || (digit >= 1 && digit <= 5 && digit == floor(digit)));
    }
    piaa_personal_free(p);
    /* Once more: nothing is trained, and the figures are the same. */
    p = run(&r, methods, NULL, &error);
    if (!p) fail_msg("%s", error.message);
    assert_int_equal(changed(&r, "lora-fixed-small-A1000"), before);
    for (size_t k = 0; k < PEOPLE * TESTS; k++)
        assert_true(p->outcomes[0]->rows[k].predicted == first[k]);
    piaa_personal_free(p);
    close_room(&r);
}

static bool stop_at_once(void *user) {
    size_t *asked = user;
    return ++*asked > 8;
}

static void a_lesson_that_was_stopped_is_learned_again(void **state) {
    PIAA_UNUSED(state);
    piaa_error error = {0};
    room r = {0};
    open_room(&r);
    const piaa_method *const methods[] = {&piaa_method_lora_fixed, NULL};
    size_t asked = 0;
    const piaa_hooks hooks = {.user = &asked, .stop = stop_at_once};
    assert_null(run(&r, methods, &hooks, &error));
    assert_int_equal(error.code, PIAA_STOPPED);
    piaa_error_clear(&error);
    piaa_personal *p = run(&r, methods, NULL, &error);
    if (!p) fail_msg("%s", error.message);
    piaa_personal_free(p);
    close_room(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_way_has_its_adapters),
        cmocka_unit_test(a_lesson_that_was_stopped_is_learned_again)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

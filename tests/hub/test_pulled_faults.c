/* Pulled models while memory, folders and files fail, one call after the other: what cannot be
 * looked at now is told, and never taken for a model that is not there; a change that fails leaves
 * what was there. */
#include "faults.h"
#include "support.h"

#include "hub/places.h"
#include "hub/pulled.h"

#define FIRST "1111111111111111111111111111111111111111"
#define SECOND "2222222222222222222222222222222222222222"

static char *scratch;
static piaa_hub_name model;
static char *home;

static void put_under(const char *folder, const char *name, const char *text) {
    char *path = support_join(scratch, folder);
    char *command = piaa_format(NULL, "mkdir -p '%s'", path);
    assert_int_equal(system(command), 0);
    support_write(path, name, text, strlen(text));
    free(command);
    free(path);
}

/* Ours: two revisions as Hugging Face has them and one of GGUF files.  Theirs: one in shards. */
static int set_up(void **state) {
    (void)state;
    scratch = support_folder();
    char *shared = support_join(scratch, "hub");
    setenv("XDG_CACHE_HOME", scratch, 1);
    setenv("HF_HUB_CACHE", shared, 1);
    free(shared);
    assert_true(piaa_hub_name_parse("o/n", &model, NULL));
    assert_non_null(home = piaa_pulled_home(&model, NULL));
    put_under("piaa/models/o--n/" FIRST, "config.json", "{}");
    put_under("piaa/models/o--n/" SECOND, "config.json", "{}");
    put_under("piaa/models/o--n/" FIRST "-Q8_0", "n-Q8_0.gguf", "text");
    put_under("piaa/models/o--n/" FIRST "-Q8_0", "mmproj-n.gguf", "vision");
    put_under("piaa/models/o--n", "refs",
              "main " FIRST "\nmain:Q8_0 " FIRST "-Q8_0\nv2 " SECOND "\n");
    put_under("hub/models--p--q/refs", "main", FIRST);
    put_under("hub/models--p--q/snapshots/" FIRST, "config.json", "{}");
    put_under("hub/models--p--q/snapshots/" FIRST, "model.safetensors.index.json",
              "{\"weight_map\": {\"a\": \"1.safetensors\", \"b\": \"2.safetensors\"}}");
    put_under("hub/models--p--q/snapshots/" FIRST, "1.safetensors", "1");
    put_under("hub/models--p--q/snapshots/" FIRST, "2.safetensors", "2");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    free(home);
    support_remove(scratch);
    return 0;
}

/* Four models, or an error. */
static void check_list(bool failing, piaa_code code) {
    piaa_error error = {0};
    piaa_pulled_list *list = piaa_pulled_list_read(&error);
    if (!list) {
        assert_true(failing);
        assert_int_equal(error.code, code);
        assert_true(error.message[0] != '\0');
        return;
    }
    static const char *const wanted[][2] = {
        {"o/n", "main"}, {"o/n", "v2"}, {"o/n:Q8_0", "main"}, {"p/q", "main"}};
    assert_int_equal(piaa_pulled_list_count(list), PIAA_COUNT(wanted));
    for (size_t i = 0; i < PIAA_COUNT(wanted); i++) {
        assert_string_equal(piaa_pulled_list_at(list, i)->name, wanted[i][0]);
        assert_string_equal(piaa_pulled_list_at(list, i)->revision, wanted[i][1]);
        assert_true(piaa_pulled_list_at(list, i)->complete);
    }
    piaa_pulled_list_free(list);
}

static void check_place(const char *name, const char *end, bool failing, piaa_code code) {
    piaa_error error = {0};
    char *path = piaa_model_locate(name, &error);
    if (path) {
        if (!piaa_path_ends(path, end)) fail_msg("%s", path);
    } else {
        assert_true(failing);
        if (error.code != code || strstr(error.message, "has not been pulled"))
            fail_msg("%s", error.message);
    }
    free(path);
}

static void look(bool failing, piaa_code code) {
    check_list(failing, code);
    check_place("o/n", "/o--n/" FIRST, failing, code);
    check_place("o/n@v2", "/o--n/" SECOND, failing, code);
    check_place("o/n:Q8_0", "/o--n/" FIRST "-Q8_0", failing, code);
    check_place("p/q", "/snapshots/" FIRST, failing, code);
}

static void sweep(fault_kind kind, int number, piaa_code code) {
    bool met = true;
    for (long n = 0; met; n++) {
        assert_true(n < 1000);
        faults_arm(kind, n, number, false);
        look(true, code);
        met = faults_disarm();
    }
    look(false, code);
}

static void test_looking(void **state) {
    (void)state;
    sweep(FAULT_MEMORY, ENOMEM, PIAA_MEMORY);
    sweep(FAULT_FILES, EMFILE, PIAA_IO);
}

/* A note and a removal that fail leave the other models, and what they were to change is whole or
   gone. */
static void test_changes(void **state) {
    (void)state;
    static const struct {
        fault_kind kind;
        int number;
        piaa_code code;
    } kinds[] = {{FAULT_MEMORY, ENOMEM, PIAA_MEMORY}, {FAULT_FILES, EIO, PIAA_IO}};
    for (size_t k = 0; k < PIAA_COUNT(kinds); k++) {
        bool met = true;
        for (long n = 0; met; n++) {
            assert_true(n < 1000);
            piaa_error error = {0};
            faults_arm(kinds[k].kind, n, kinds[k].number, false);
            bool noted = piaa_pulled_note(home, "v2", "", SECOND, &error);
            met = faults_disarm();
            if (!noted) assert_int_equal(error.code, kinds[k].code);
            assert_true(noted || met);
            look(false, PIAA_OK);
        }
        met = true;
        for (long n = 0; met; n++) {
            assert_true(n < 1000);
            piaa_error error = {0};
            int64_t bytes;
            faults_arm(kinds[k].kind, n, kinds[k].number, false);
            bool removed = piaa_pulled_remove("o/n:Q8_0", &bytes, &error);
            met = faults_disarm();
            if (!removed && met) assert_int_equal(error.code, kinds[k].code);
            assert_true(removed || met);
            check_place("o/n", "/o--n/" FIRST, false, PIAA_OK);
            check_place("o/n@v2", "/o--n/" SECOND, false, PIAA_OK);
            put_under("piaa/models/o--n/" FIRST "-Q8_0", "n-Q8_0.gguf", "text");
            put_under("piaa/models/o--n/" FIRST "-Q8_0", "mmproj-n.gguf", "vision");
            assert_true(piaa_pulled_note(home, "main", "Q8_0", FIRST "-Q8_0", NULL));
            look(false, PIAA_OK);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_looking, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_changes, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

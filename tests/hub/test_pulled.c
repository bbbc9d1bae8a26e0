/* Pulled models as they lie on the disk, made by hand: which of them a name finds, what is listed
   and removed; and every allocation and file that can fail, failing: no model is then called
   absent, damaged or whole that is not, and refs is the old one or the new one. */
#include "faults.h"
#include "support.h"

#include "hub/places.h"
#include "hub/pulled.h"

#define ONE "1111111111111111111111111111111111111111"
#define TWO "2222222222222222222222222222222222222222"
#define THREE "3333333333333333333333333333333333333333"

static char *world, *models, *hub;

static char *in(const char *folder, const char *name) {
    return support_join(folder, name);
}

static void make_folder(const char *folder, const char *name) {
    char *path = in(folder, name);
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(path, 0700);
        *slash = '/';
    }
    assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
    free(path);
}

static void put(const char *folder, const char *name, const char *text) {
    support_write(folder, name, text, strlen(text));
}

static char *slurp(const char *folder, const char *name) {
    char *path = in(folder, name), *text = piaa_file_read(path, 1 << 20, NULL, NULL);
    free(path);
    return text;
}

static bool is_there(const char *folder, const char *name) {
    char *path = in(folder, name);
    struct stat status;
    bool there = lstat(path, &status) == 0;
    free(path);
    return there;
}

/*
 * a/m    main and v2 are at ONE and TWO, THREE has not come whole; 10, 20 and 3 bytes
 * a/g    two quantised versions of ONE; 4 + 5 and 6 + 7 bytes
 * b/h    in the Hugging Face cache, in two shards
 * b/q    there too, in GGUF files, one of them without a vision part beside it
 */
static int set_up(void **state) {
    (void)state;
    world = support_folder();
    models = in(world, "piaa/models");
    hub = in(world, "huggingface/hub");
    setenv("XDG_CACHE_HOME", world, 1);
    unsetenv("HF_HUB_CACHE");
    unsetenv("HF_HOME");
    unsetenv("HF_TOKEN_PATH");
    make_folder(models, "a--m/" ONE);
    make_folder(models, "a--m/" TWO);
    make_folder(models, "a--m/" THREE);
    put(models, "a--m/refs", "main " ONE "\n\nno version here\nv2 " TWO "\n");
    put(models, "a--m/" ONE "/config.json", "1234567890");
    put(models, "a--m/" TWO "/config.json", "12345678901234567890");
    put(models, "a--m/" THREE "/config.json", "123");
    make_folder(models, "a--g/" ONE "-Q8_0");
    make_folder(models, "a--g/" ONE "-Q4_K_M");
    put(models, "a--g/refs", "main:Q8_0 " ONE "-Q8_0\nmain:Q4_K_M " ONE "-Q4_K_M\n");
    put(models, "a--g/" ONE "-Q8_0/m-Q8_0.gguf", "1234");
    put(models, "a--g/" ONE "-Q8_0/mmproj-m-F16.gguf", "12345");
    put(models, "a--g/" ONE "-Q4_K_M/m-Q4_K_M.gguf", "123456");
    put(models, "a--g/" ONE "-Q4_K_M/mmproj-m-F16.gguf", "1234567");
    make_folder(hub, "models--b--h/snapshots/" TWO);
    make_folder(hub, "models--b--h/refs");
    put(hub, "models--b--h/refs/main", TWO "\n");
    put(hub, "models--b--h/snapshots/" TWO "/config.json", "{}");
    put(hub, "models--b--h/snapshots/" TWO "/model.safetensors.index.json",
        "{\"weight_map\":{\"a\":\"one.safetensors\",\"b\":\"one.safetensors\",\"c\":\"two."
        "safetensors\"}}");
    put(hub, "models--b--h/snapshots/" TWO "/one.safetensors", "1");
    put(hub, "models--b--h/snapshots/" TWO "/two.safetensors", "2");
    make_folder(hub, "models--b--q/snapshots/" ONE);
    make_folder(hub, "models--b--q/refs");
    put(hub, "models--b--q/refs/main", ONE);
    put(hub, "models--b--q/snapshots/" ONE "/m-Q8_0.gguf", "1234");
    put(hub, "models--b--q/snapshots/" ONE "/mmproj-m-F16.gguf", "12345");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    support_remove(world);
    free(models);
    free(hub);
    return 0;
}

/* --------------------------------------------------------------------------------------- places */

/* `folder`, a path below the world; "" for none. */
static void expect_at(const char *name, const char *folder) {
    piaa_error error = {0};
    char *found = piaa_model_locate(name, &error), *path = in(world, folder);
    if (*folder) {
        if (!found) fail_msg("%s: %s", name, error.message);
        assert_string_equal(found, path);
    } else {
        assert_null(found);
        assert_int_equal(error.code, PIAA_IO);
        assert_non_null(strstr(error.message, name));
    }
    free(found);
    free(path);
}

static void names_find_versions(void **state) {
    (void)state;
    expect_at("a/m", "piaa/models/a--m/" ONE);
    expect_at("a/m@main", "piaa/models/a--m/" ONE);
    expect_at("a/m@v2", "piaa/models/a--m/" TWO);
    expect_at("a/m@" TWO, "piaa/models/a--m/" TWO);
    expect_at("a/m@" THREE, ""); /* it has not come whole */
    expect_at("a/m@v3", "");
    expect_at("a/m:Q8_0", "");
    expect_at("a/g", "piaa/models/a--g/" ONE "-Q4_K_M"); /* the usual one, though it is second */
    expect_at("a/g:Q8_0", "piaa/models/a--g/" ONE "-Q8_0");
    expect_at("a/g@" ONE, "piaa/models/a--g/" ONE "-Q4_K_M");
    expect_at("b/h", "huggingface/hub/models--b--h/snapshots/" TWO);
    expect_at("b/h@" TWO, "huggingface/hub/models--b--h/snapshots/" TWO);
    expect_at("b/h@" ONE, "");
    expect_at("c/x", "");
    expect_at("/nowhere", "");
    char *pair = piaa_model_locate("b/q:Q8_0", NULL),
         *expected = piaa_format(NULL,
                                 "%s/models--b--q/snapshots/" ONE "/m-Q8_0.gguf,"
                                 "%s/models--b--q/snapshots/" ONE "/mmproj-m-F16.gguf",
                                 hub, hub);
    assert_string_equal(pair, expected);
    free(pair);
    free(expected);
    /* a revision that is not main, where none was asked for */
    put(models, "a--m/refs", "v2 " TWO "\n");
    expect_at("a/m", "piaa/models/a--m/" TWO);
    expect_at("a/m@main", "");
}

static void a_shard_less_is_not_whole(void **state) {
    (void)state;
    static const char *const indexes[] = {
        "{\"weight_map\":{\"a\":\"one.safetensors\",\"b\":\"three.safetensors\"}}",
        "{\"weight_map\":{\"a\":\"three.safetensors\",\"b\":\"one.safetensors\"}}",
        "{\"weight_map\":{}}",
        "{\"weight_map\":[]}",
        "{}",
        "no JSON"};
    for (size_t i = 0; i < PIAA_COUNT(indexes); i++) {
        put(hub, "models--b--h/snapshots/" TWO "/model.safetensors.index.json", indexes[i]);
        expect_at("b/h", "");
    }
    put(hub, "models--b--h/snapshots/" TWO "/model.safetensors", "whole");
    expect_at("b/h", "huggingface/hub/models--b--h/snapshots/" TWO);
    put(hub, "models--b--h/refs/main", "not a commit");
    expect_at("b/h", "");
}

static void folders_come_from_the_environment(void **state) {
    (void)state;
    piaa_error error = {0};
    piaa_hub_name name;
    assert_true(piaa_hub_name_parse("a/m", &name, &error));
    const struct {
        const char *hub_cache, *home, *snapshot, *token_path, *token;
    } cases[] = {
        {NULL, NULL, "/x/huggingface/hub", NULL, "/x/huggingface/token"},
        {"", "", "/x/huggingface/hub", "", "/x/huggingface/token"},
        {NULL, "/h", "/h/hub", NULL, "/h/token"},
        {"/c", "/h", "/c", "/t", "/t"},
    };
    setenv("XDG_CACHE_HOME", "/x", 1);
    for (size_t i = 0; i < PIAA_COUNT(cases); i++) {
        if (cases[i].hub_cache) setenv("HF_HUB_CACHE", cases[i].hub_cache, 1);
        if (cases[i].home) setenv("HF_HOME", cases[i].home, 1);
        if (cases[i].token_path) setenv("HF_TOKEN_PATH", cases[i].token_path, 1);
        char *snapshot = piaa_pulled_snapshot(&name, ONE, &error),
             *expected = piaa_format(NULL, "%s/models--a--m/snapshots/" ONE, cases[i].snapshot),
             *token = piaa_pulled_token_file(&error);
        assert_string_equal(snapshot, expected);
        assert_string_equal(token, cases[i].token);
        free(snapshot);
        free(expected);
        free(token);
    }
    char *before = piaa_strdup(getenv("HOME") ? getenv("HOME") : "", NULL);
    setenv("HOME", "/elsewhere", 1);
    for (int relative = 0; relative < 2; relative++) { /* which is to be ignored */
        if (relative)
            setenv("XDG_CACHE_HOME", "x", 1);
        else
            unsetenv("XDG_CACHE_HOME");
        char *home = piaa_pulled_home(&name, &error);
        assert_string_equal(home, "/elsewhere/.cache/piaa/models/a--m");
        free(home);
    }
    unsetenv("HOME");
    assert_null(piaa_pulled_home(&name, &error));
    assert_int_equal(error.code, PIAA_IO);
    assert_non_null(strstr(error.message, "set XDG_CACHE_HOME"));
    error = (piaa_error){0};
    assert_null(piaa_pulled_list_read(&error));
    assert_non_null(strstr(error.message, "set XDG_CACHE_HOME"));
    if (*before) setenv("HOME", before, 1);
    free(before);
}

static void versions_are_commits_with_a_label(void **state) {
    (void)state;
    assert_true(piaa_pulled_is_version(ONE));
    assert_true(piaa_pulled_is_version(ONE "-Q8_0"));
    assert_false(piaa_pulled_is_version(ONE "-"));
    assert_false(piaa_pulled_is_version(ONE "1"));
    assert_false(piaa_pulled_is_version(ONE "-a/b"));
    assert_false(piaa_pulled_is_version("111"));
    assert_false(piaa_pulled_is_version("G111111111111111111111111111111111111111"));
    char large[PIAA_PULLED_VERSION + 2] = ONE "-";
    memset(large + 41, 'Q', PIAA_PULLED_VERSION - 42);
    assert_true(piaa_pulled_is_version(large));
    large[PIAA_PULLED_VERSION - 1] = 'Q'; /* no room for it */
    assert_false(piaa_pulled_is_version(large));
}

/* ----------------------------------------------------------------------------------------- list */

static const char *const listed[] = {"a/g:Q4_K_M main " ONE " 13 whole",
                                     "a/g:Q8_0 main " ONE " 9 whole",
                                     "a/m  " THREE " 3 part",
                                     "a/m main " ONE " 10 whole",
                                     "a/m v2 " TWO " 20 whole",
                                     "b/h main " TWO " 86 whole shared",
                                     "b/q:Q8_0 main " ONE " 9 whole shared"};

/* All of them, in this order. */
static void expect_list(const piaa_pulled_list *list) {
    assert_int_equal(piaa_pulled_list_count(list), PIAA_COUNT(listed));
    for (size_t i = 0; i < PIAA_COUNT(listed); i++) {
        const piaa_pulled *p = piaa_pulled_list_at(list, i);
        char *line =
            piaa_format(NULL, "%s %s %s %d %s%s", p->name, p->revision, p->commit, (int)p->bytes,
                        p->complete ? "whole" : "part", p->shared ? " shared" : "");
        assert_string_equal(line, listed[i]);
        free(line);
    }
    assert_null(piaa_pulled_list_at(list, PIAA_COUNT(listed)));
}

static void everything_is_listed(void **state) {
    (void)state;
    piaa_error error = {0};
    piaa_pulled_list *list = piaa_pulled_list_read(&error);
    if (!list) fail_msg("%s", error.message);
    expect_list(list);
    piaa_pulled_list_free(list);
    assert_int_equal(piaa_pulled_list_count(NULL), 0);
    assert_null(piaa_pulled_list_at(NULL, 0));
    error = (piaa_error){.code = PIAA_IO};
    assert_null(piaa_pulled_list_read(&error));
}

/* ------------------------------------------------------------------------------- notes, removal */

static void notes_replace_their_like(void **state) {
    (void)state;
    char *home = in(models, "n"), *text;
    make_folder(models, "n");
    assert_true(piaa_pulled_note(home, "main", "", ONE, NULL));
    assert_true(piaa_pulled_note(home, "main", "Q8_0", ONE "-Q8_0", NULL));
    assert_true(piaa_pulled_note(home, "v2", "", TWO, NULL));
    text = slurp(home, "refs");
    assert_string_equal(text, "main " ONE "\nmain:Q8_0 " ONE "-Q8_0\nv2 " TWO "\n");
    free(text);
    assert_true(piaa_pulled_note(home, "main", "", THREE, NULL));
    text = slurp(home, "refs");
    assert_string_equal(text, "main:Q8_0 " ONE "-Q8_0\nv2 " TWO "\nmain " THREE "\n");
    free(text);
    free(home);
    piaa_error error = {0};
    assert_false(piaa_pulled_note("/dev/null", "main", "", ONE, &error));
    assert_int_equal(error.code, PIAA_IO);
}

static void one_at_a_time(void **state) {
    (void)state;
    piaa_error error = {0};
    piaa_hub_name name;
    assert_true(piaa_hub_name_parse("n/w", &name, &error));
    char *home = piaa_pulled_home(&name, &error);
    int lock = piaa_pulled_lock(home, &name, &error);
    assert_true(lock >= 0);
    assert_int_equal(piaa_pulled_lock(home, &name, &error), -1);
    assert_int_equal(error.code, PIAA_BUSY);
    assert_non_null(strstr(error.message, "n/w is being pulled"));
    error = (piaa_error){0};
    assert_false(piaa_pulled_remove("n/w", NULL, &error));
    assert_int_equal(error.code, PIAA_BUSY);
    piaa_pulled_unlock(lock);
    piaa_pulled_unlock(-1);
    error = (piaa_error){0};
    lock = piaa_pulled_lock(home, &name, &error);
    assert_true(lock >= 0);
    piaa_pulled_unlock(lock);
    put(models, "file", "");
    char *blocked = in(models, "file/n--w");
    assert_int_equal(piaa_pulled_lock(blocked, &name, &error), -1);
    assert_int_equal(error.code, PIAA_IO);
    assert_non_null(strstr(error.message, blocked));
    free(blocked);
    free(home);
}

static void removal_takes_what_is_its_own(void **state) {
    (void)state;
    piaa_error error = {0};
    int64_t bytes;
    make_folder(world, "elsewhere");
    put(world, "elsewhere/kept", "12345");
    char *target = in(world, "elsewhere"), *link_name = in(models, "a--m/" ONE "/link"),
         *file = in(models, "a--m/" ONE "/config.json"), *again = in(models, "a--m/" TWO "/again");
    assert_int_equal(symlink(target, link_name), 0);
    assert_int_equal(link(file, again), 0); /* one file, two names */
    assert_true(piaa_pulled_remove("a/m", &bytes, &error));
    /* 10 once, 20, 3 and the link, whose size is its target's name */
    assert_int_equal(bytes, 10 + 20 + 3 + (int)strlen(target));
    assert_false(is_there(models, "a--m"));
    assert_true(is_there(world, "elsewhere/kept"));
    assert_true(piaa_pulled_remove("a/g:Q4_K_M", &bytes, &error));
    assert_int_equal(bytes, 13);
    char *refs = slurp(models, "a--g/refs");
    assert_string_equal(refs, "main:Q8_0 " ONE "-Q8_0\n");
    free(refs);
    assert_false(piaa_pulled_remove("a/g:Q4_K_M", &bytes, &error));
    assert_int_equal(error.code, PIAA_USAGE);
    assert_true(is_there(models, "a--g/" ONE "-Q8_0/m-Q8_0.gguf"));
    error = (piaa_error){0};
    assert_true(piaa_pulled_remove("a/g:Q8_0", NULL, &error));
    assert_false(is_there(models, "a--g"));
    assert_false(piaa_pulled_remove("b/h", &bytes, &error));
    assert_non_null(
        strstr(error.message, "its own tools") ? "" : strstr(error.message, "whose own tools"));
    error = (piaa_error){0};
    assert_false(piaa_pulled_remove("c/x", &bytes, &error));
    assert_non_null(strstr(error.message, "piaa model list"));
    error = (piaa_error){0};
    assert_false(piaa_pulled_remove("a/m@main", &bytes, &error));
    assert_non_null(strstr(error.message, "leave out @main"));
    free(target);
    free(link_name);
    free(file);
    free(again);
}

/* A folder where none should be stops the removal; what is left does not look whole. */
static void removal_cut_short_leaves_nothing_whole(void **state) {
    (void)state;
    piaa_error error = {0};
    make_folder(models, "a--m/" ONE "/deep/er");
    assert_false(piaa_pulled_remove("a/m", NULL, &error));
    assert_int_equal(error.code, PIAA_IO);
    assert_non_null(strstr(error.message, "cannot be removed"));
    assert_false(is_there(models, "a--m/refs"));
    expect_at("a/m", "");
    error = (piaa_error){0};
    make_folder(models, "a--g/" ONE "-Q8_0/deep");
    assert_false(piaa_pulled_remove("a/g:Q8_0", NULL, &error));
    assert_non_null(strstr(error.message, ONE "-Q8_0 cannot be removed"));
    expect_at("a/g:Q8_0", "");
    expect_at("a/g", "piaa/models/a--g/" ONE "-Q4_K_M");
}

/* --------------------------------------------------------------------------------------- faults */

/* Each call tried with the first, the second … allocation or file failing, until none is left to
   fail. */
static void faults_are_said_and_nothing_else(fault_kind kind, int number, piaa_code code) {
    static const char *const names[] = {"a/m", "a/g:Q4_K_M", "b/h", "b/q:Q8_0", "c/x"};
    for (size_t k = 0; k < PIAA_COUNT(names); k++) {
        char *right = piaa_model_locate(names[k], NULL);
        bool met = true;
        for (long n = 0; met; n++) {
            piaa_error error = {0};
            faults_arm(kind, n, number, false);
            char *found = piaa_model_locate(names[k], &error);
            met = faults_disarm();
            if (found)
                assert_string_equal(found, right);
            else if (met && (error.code != code || (right && strstr(error.message, "been pulled"))))
                fail_msg("%s, %ld: %s", names[k], n, error.message);
            free(found);
        }
        free(right);
    }
    bool met = true;
    for (long n = 0; met; n++) {
        piaa_error error = {0};
        faults_arm(kind, n, number, false);
        piaa_pulled_list *list = piaa_pulled_list_read(&error);
        met = faults_disarm();
        if (list)
            expect_list(list);
        else if (error.code != code)
            fail_msg("list, %ld: %s", n, error.message);
        piaa_pulled_list_free(list);
    }
}

static void short_memory_is_said(void **state) {
    (void)state;
    faults_are_said_and_nothing_else(FAULT_MEMORY, ENOMEM, PIAA_MEMORY);
}

static void files_that_cannot_be_opened_are_said(void **state) {
    (void)state;
    faults_are_said_and_nothing_else(FAULT_FILES, EMFILE, PIAA_IO);
}

static void refs_are_the_old_or_the_new(void **state) {
    (void)state;
    char *home = in(models, "a--m"), *old = slurp(home, "refs");
    static const char new[] = "main " ONE "\nv2 " TWO "\nv3 " THREE "\n";
    for (int kind = FAULT_MEMORY; kind <= FAULT_FILES; kind++) {
        bool met = true;
        for (long n = 0; met; n++) {
            piaa_error error = {0};
            put(home, "refs", old);
            faults_arm((fault_kind)kind, n, kind == FAULT_FILES ? ENOSPC : ENOMEM, false);
            bool ok = piaa_pulled_note(home, "v3", "", THREE, &error);
            met = faults_disarm();
            char *now = slurp(home, "refs");
            assert_string_equal(now, ok ? new : old);
            if (!ok) assert_int_equal(error.code, kind == FAULT_FILES ? PIAA_IO : PIAA_MEMORY);
            free(now);
        }
    }
    free(old);
    free(home);
}

static void a_lock_that_fails_is_none(void **state) {
    (void)state;
    piaa_hub_name name;
    assert_true(piaa_hub_name_parse("a/m", &name, NULL));
    char *home = in(models, "a--m");
    for (int kind = FAULT_MEMORY; kind <= FAULT_FILES; kind++) {
        bool met = true;
        for (long n = 0; met; n++) {
            piaa_error error = {0};
            faults_arm((fault_kind)kind, n, kind == FAULT_FILES ? EIO : ENOMEM, false);
            int lock = piaa_pulled_lock(home, &name, &error);
            met = faults_disarm();
            if (lock < 0) assert_int_equal(error.code, kind == FAULT_FILES ? PIAA_IO : PIAA_MEMORY);
            assert_true(lock >= 0 || met);
            piaa_pulled_unlock(lock);
        }
    }
    free(home);
}

static void removal_tells_what_failed(void **state) {
    (void)state;
    for (int kind = FAULT_MEMORY; kind <= FAULT_FILES; kind++) {
        bool met = true;
        for (long n = 0; met; n++) {
            tear_down(NULL);
            set_up(NULL);
            piaa_error error = {0};
            faults_arm((fault_kind)kind, n, kind == FAULT_FILES ? EIO : ENOMEM, false);
            bool ok = piaa_pulled_remove("a/m", NULL, &error);
            met = faults_disarm();
            if (!ok) assert_int_equal(error.code, kind == FAULT_FILES ? PIAA_IO : PIAA_MEMORY);
            assert_true(ok == !is_there(models, "a--m"));
            error = (piaa_error){0};
            if (!ok && !piaa_pulled_remove("a/m", NULL, &error)) fail_msg("%s", error.message);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(names_find_versions),
        TEST(a_shard_less_is_not_whole),
        TEST(folders_come_from_the_environment),
        TEST(versions_are_commits_with_a_label),
        TEST(everything_is_listed),
        TEST(notes_replace_their_like),
        TEST(one_at_a_time),
        TEST(removal_takes_what_is_its_own),
        TEST(removal_cut_short_leaves_nothing_whole),
        TEST(short_memory_is_said),
        TEST(files_that_cannot_be_opened_are_said),
        TEST(refs_are_the_old_or_the_new),
        TEST(a_lock_that_fails_is_none),
        TEST(removal_tells_what_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

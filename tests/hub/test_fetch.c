/* Pulling a model from a hub that misbehaves, and finding, listing and removing what was pulled.
 * The hub is a server on loopback (server.h); git's names of the small files were made by git. */
#include "server.h"

#include "hub/fetch.h"
#include "hub/hub.h"

#include <fcntl.h>
#include <glib.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define COMMIT "0123456789abcdef0123456789abcdef01234567"
#define LATER "fedcba9876543210fedcba9876543210fedcba98"
#define WEIGHTS "/model.safetensors"

static const char config[] = "{\"model_type\": \"test\"}\n",
                  config_name[] = "6c2096e21ae474a475c870cd7c637f657f5628f0";
static const char tokenizer[] = "hello\n",
                  tokenizer_name[] = "ce013625030ba8dba906f756967f9e9ca394464a";

static const piaa_gguf_wish no_wish = {0};

enum { WEIGHTS_SIZE = 3000000 };
static unsigned char weights[WEIGHTS_SIZE];
static char weights_sum[65], list_text[4096];

static server hub, elsewhere; /* elsewhere: where redirects lead */
static char *scratch;
static long long stop_after; /* bytes of progress after which the stop hook says yes; 0: never */
static long long progress_done, progress_total;
static char warned[2048];

/* -------------------------------------------------------------------------------------- helpers */

static void on_warn(void *user, const char *line) {
    (void)user;
    size_t n = strlen(warned);
    snprintf(warned + n, sizeof warned - n, "%s\n", line);
}

static void on_progress(void *user, const char *what, int64_t done, int64_t total) {
    (void)user;
    assert_non_null(what);
    assert_true(!total || done <= total);
    progress_done = done;
    progress_total = total;
}

static bool on_stop(void *user) {
    (void)user;
    return stop_after && progress_done >= stop_after;
}

static const piaa_hooks hooks = {.warn = on_warn, .progress = on_progress, .stop = on_stop};

static bool pull_from(const char *from, const char *name, piaa_pulled *out, piaa_error *error) {
    piaa_fetch_options options = {.request = {.from = from}, .hooks = &hooks};
    options.http =
        (piaa_http_options){.tries = 3, .pause = 0.01, .patience = 2, .connect = 5, .stall = 1};
    *error = (piaa_error){0};
    progress_done = progress_total = 0;
    return piaa_model_fetch(name, &options, out, error);
}

static void must_pull(const char *name) {
    piaa_pulled got;
    piaa_error error;
    if (!pull_from(hub.address, name, &got, &error)) fail_msg("%s", error.message);
    piaa_pulled_clear(&got);
}

/* The pull fails with this code, and a message that holds `part`, no token and no line break. */
static void must_fail(const char *name, piaa_code code, const char *part) {
    piaa_pulled got;
    piaa_error error;
    if (pull_from(hub.address, name, &got, &error)) fail_msg("%s was pulled", name);
    if (error.code != code || !strstr(error.message, part) || strchr(error.message, '\n'))
        fail_msg("%d %s", error.code, error.message);
    assert_null(strstr(error.message, "hf_secret"));
    assert_null(got.folder);
}

static char *in_cache(const char *rest) {
    char *path = piaa_format(NULL, "%s/cache/piaa/models/%s", scratch, rest);
    assert_non_null(path);
    return path;
}

static bool cached(const char *rest) {
    char *path = in_cache(rest);
    bool found = piaa_file_exists(path);
    free(path);
    return found;
}

static void check_content(const char *path, const void *data, size_t size) {
    size_t found;
    piaa_error error = {0};
    char *text = piaa_file_read(path, 1 << 24, &found, &error);
    if (!text) fail_msg("%s", error.message);
    assert_int_equal(found, size);
    assert_memory_equal(text, data, size);
    free(text);
}

static void check_cached(const char *rest, const void *data, size_t size) {
    char *path = in_cache(rest);
    check_content(path, data, size);
    free(path);
}

static void check_whole(void) {
    check_cached("t--m/" COMMIT "/config.json", config, sizeof config - 1);
    check_cached("t--m/" COMMIT "/tokenizer.json", tokenizer, sizeof tokenizer - 1);
    check_cached("t--m/" COMMIT "/model.safetensors", weights, sizeof weights);
    assert_false(cached("t--m/" COMMIT "/model.safetensors.part"));
    char *found = piaa_model_locate("t/m", NULL), *expected = in_cache("t--m/" COMMIT);
    assert_string_equal(found, expected);
    free(found);
    free(expected);
}

static void offer(const char *path, const void *data, size_t size) {
    size_t i = 0;
    while (hub.documents[i].path && strcmp(hub.documents[i].path, path) != 0) i++;
    assert_true(i < DOCUMENTS - 1);
    hub.documents[i] = elsewhere.documents[i] = (document){path, data, size};
}

static void write_list(char out[4096], const char *commit, const char *config_blob, const char *sum,
                       long long size) {
    int n = snprintf(out, 4096,
                     "{\"id\": \"t/m\", \"sha\": \"%s\", \"siblings\": [{\"rfilename\": "
                     "\"README.md\", \"size\": 1}, "
                     "{\"rfilename\": \"pytorch_model.bin\", \"size\": 9}, {\"rfilename\": "
                     "\"onnx/model.safetensors\", \"size\": 9}, "
                     "{\"rfilename\": \"../model.safetensors\", \"size\": 9}, "
                     "{\"rfilename\": \"model.safetensors\", \"size\": %lld, \"blobId\": \"%s\", "
                     "\"lfs\": {\"sha256\": \"%s\", \"size\": %lld, \"pointerSize\": 134}}, "
                     "{\"rfilename\": \"tokenizer.json\", \"size\": 6, \"blobId\": \"%s\"}, "
                     "{\"rfilename\": \"config.json\", \"size\": %zu, \"blobId\": \"%s\"}]}",
                     commit, size, tokenizer_name, sum, size, tokenizer_name, sizeof config - 1,
                     config_blob);
    assert_true(n > 0 && n < 4096);
}

static void offer_list(const char *text) {
    offer("/api/models/t/m/revision/main?blobs=true", text, strlen(text));
}

static void spoil(server *s, size_t i, fault f) {
    s->faults[i] = f;
}

static int begin(void **state) {
    (void)state;
    static const char *const variables[] = {"HF_TOKEN",      "HF_TOKEN_PATH", "HF_ENDPOINT",
                                            "HF_HUB_CACHE",  "http_proxy",    "https_proxy",
                                            "SSL_CERT_FILE", "ALL_PROXY",     "no_proxy"};
    for (size_t i = 0; i < PIAA_COUNT(variables); i++) unsetenv(variables[i]);
    scratch = support_folder();
    char *cache = support_join(scratch, "cache"), *home = support_join(scratch, "hf");
    setenv("XDG_CACHE_HOME", cache, 1);
    setenv("HF_HOME", home, 1);
    free(cache);
    free(home);
    stop_after = progress_done = progress_total = 0;
    warned[0] = '\0';
    server_start(&hub);
    server_start(&elsewhere);
    write_list(list_text, COMMIT, config_name, weights_sum, WEIGHTS_SIZE);
    offer_list(list_text);
    offer("/t/m/resolve/" COMMIT "/config.json", config, sizeof config - 1);
    offer("/t/m/resolve/" COMMIT "/tokenizer.json", tokenizer, sizeof tokenizer - 1);
    offer("/t/m/resolve/" COMMIT WEIGHTS, weights, sizeof weights);
    return 0;
}

static int end(void **state) {
    (void)state;
    server_stop(&hub);
    server_stop(&elsewhere);
    support_remove(scratch);
    return 0;
}

/* ----------------------------------------------------------------------------- when all is well */

static void needed_files_alone(void **state) {
    (void)state;
    piaa_pulled got;
    piaa_error error;
    if (!pull_from(hub.address, "t/m", &got, &error)) fail_msg("%s", error.message);
    assert_string_equal(got.name, "t/m");
    assert_string_equal(got.commit, COMMIT);
    assert_int_equal(got.files, 3);
    assert_int_equal(got.bytes, WEIGHTS_SIZE + sizeof config - 1 + sizeof tokenizer - 1);
    assert_int_equal(got.downloaded, got.bytes);
    assert_int_equal(got.unchecked, 0);
    assert_false(got.shared);
    assert_int_equal(progress_done, got.bytes);
    assert_int_equal(progress_total, got.bytes);
    piaa_pulled_clear(&got);
    check_whole();
    assert_int_equal(hub.request_count, 4);
    assert_string_equal(warned, "");
}

static void second_pull_asks_once(void **state) {
    (void)state;
    must_pull("t/m");
    size_t before = hub.request_count;
    must_pull("t/m");
    assert_int_equal(hub.request_count, before + 1);
    /* A file that somebody shortened or deleted is fetched anew, and only that one. */
    char *path = in_cache("t--m/" COMMIT "/tokenizer.json");
    assert_int_equal(truncate(path, 2), 0);
    must_pull("t/m@main");
    assert_int_equal(server_asked(&hub, "/tokenizer.json"), 2);
    unlink(path);
    free(path);
    must_pull("t/m");
    assert_int_equal(server_asked(&hub, "/tokenizer.json"), 3);
    assert_int_equal(server_asked(&hub, WEIGHTS), 1);
    check_whole();
}

static void later_revision_shares_files(void **state) {
    (void)state;
    static const char changed[] = "{\"model_type\": \"other\"}\n";
    char text[4096];
    must_pull("t/m");
    write_list(text, LATER, "", weights_sum, WEIGHTS_SIZE);
    char *blob =
        strstr(text, "\"size\": 23, \"blobId\": \"\""); /* no checksum for the new config.json */
    assert_non_null(blob);
    memcpy(blob, "\"size\": 24               ", 24);
    offer_list(text);
    offer("/t/m/resolve/" LATER "/config.json", changed, sizeof changed - 1);
    must_pull("t/m");
    assert_int_equal(server_asked(&hub, WEIGHTS), 1);
    assert_int_equal(server_asked(&hub, "/config.json"), 2);
    assert_non_null(strstr(warned, "names no checksum for 1 of the 3 files"));
    check_cached("t--m/" LATER "/model.safetensors", weights, sizeof weights);
    char *found = piaa_model_locate("t/m", NULL), *expected = in_cache("t--m/" LATER);
    assert_string_equal(found, expected);
    free(found);
    free(expected);
}

static void revisions(void **state) {
    (void)state;
    offer("/api/models/t/m/revision/refs%2Fpr%2F1?blobs=true", list_text, strlen(list_text));
    must_pull("t/m@refs/pr/1");
    char *expected = in_cache("t--m/" COMMIT);
    static const char *const names[] = {"t/m", "t/m@refs/pr/1", ("t/m@" COMMIT)};
    for (size_t i = 0; i < PIAA_COUNT(names); i++) {
        char *found = piaa_model_locate(names[i], NULL);
        assert_string_equal(found, expected);
        free(found);
    }
    assert_null(piaa_model_locate("t/m@v2", NULL));
    free(expected);
}

static void endpoint_from_environment(void **state) {
    (void)state;
    piaa_pulled got;
    piaa_error error;
    char *address = piaa_format(NULL, "%s//", hub.address);
    setenv("HF_ENDPOINT", address, 1);
    free(address);
    if (!pull_from(NULL, "t/m", &got, &error)) fail_msg("%s", error.message);
    piaa_pulled_clear(&got);
    check_whole();
}

/* --------------------------------------------------------------------------- broken connections */

static void drop_then_resume(void **state) {
    (void)state;
    spoil(&hub, 0, (fault){WEIGHTS, DROP, 1, 1700000, NULL});
    must_pull("t/m");
    check_whole();
    assert_int_equal(server_asked(&hub, WEIGHTS), 2);
    assert_int_equal(hub.requests[hub.request_count - 1].from, 1700000);
}

static void many_drops(void **state) {
    (void)state;
    spoil(&hub, 0, (fault){WEIGHTS, DROP, 100, 1000, NULL});
    must_fail("t/m", PIAA_IO, "broke after");
    assert_int_equal(server_asked(&hub, WEIGHTS), 3);
    assert_true(cached("t--m/" COMMIT "/model.safetensors.part"));
    assert_false(cached("t--m/refs"));
    assert_null(piaa_model_locate("t/m", NULL));
    hub.faults[0].times = 0;
    must_pull("t/m");
    assert_int_equal(hub.requests[hub.request_count - 1].from, 3000);
    check_whole();
}

/* More drops than tries: as long as each brings a megabyte, it goes on. */
static void drops_that_help(void **state) {
    (void)state;
    spoil(&hub, 0, (fault){WEIGHTS, DROP, 100, 1100000, NULL});
    must_pull("t/m");
    check_whole();
}

static void server_without_ranges(void **state) {
    (void)state;
    spoil(&hub, 0, (fault){WEIGHTS, DROP, 1, 1000, NULL});
    spoil(&hub, 1, (fault){WEIGHTS, IGNORE_RANGE, 1, 0, NULL});
    must_pull("t/m");
    check_whole();
}

static void wrong_range(void **state) {
    (void)state;
    spoil(&hub, 0, (fault){WEIGHTS, DROP, 1, 1000, NULL});
    spoil(&hub, 1, (fault){WEIGHTS, WRONG_RANGE, 1, 500, NULL});
    must_pull("t/m");
    check_whole();
}

static void refused_range(void **state) {
    (void)state;
    spoil(&hub, 0, (fault){WEIGHTS, DROP, 1, 1000, NULL});
    spoil(&hub, 1, (fault){WEIGHTS, STATUS, 1, 416, NULL});
    must_pull("t/m");
    check_whole();
}

static void slow(void **state) {
    (void)state;
    spoil(&hub, 0, (fault){WEIGHTS, TRICKLE, 1, 0, NULL});
    must_pull("t/m"); /* the second try is a quick one */
    check_whole();
}

static void silent(void **state) {
    (void)state;
    spoil(&hub, 0, (fault){"?blobs=true", STALL, 3, 0, NULL});
    must_fail("t/m", PIAA_IO, "sent less than 1 kB/s for 1 s");
    assert_int_equal(hub.request_count, 3);
}

static void half_headers(void **state) {
    (void)state;
    spoil(&hub, 0, (fault){"?blobs=true", HALF_HEADERS, 1, 0, NULL});
    spoil(&hub, 1, (fault){WEIGHTS, HALF_HEADERS, 1, 0, NULL});
    must_pull("t/m");
    check_whole();
    spoil(&hub, 0, (fault){"?blobs=true", HALF_HEADERS, 3, 0, NULL});
    must_fail("t/m", PIAA_IO, "broke before the whole answer had come");
}

static void nobody_there(void **state) {
    (void)state;
    piaa_pulled got;
    piaa_error error;
    server gone;
    server_start(&gone);
    server_stop(&gone);
    assert_false(pull_from(gone.address, "t/m", &got, &error));
    assert_int_equal(error.code, PIAA_IO);
    assert_non_null(strstr(error.message, "cannot be reached"));
}

/* -------------------------------------------------------------------------------- wrong content */

static void wrong_length(void **state) {
    (void)state;
    spoil(&hub, 0, (fault){WEIGHTS, CLAIM, 1, WEIGHTS_SIZE - 1, NULL});
    must_fail("t/m", PIAA_FORMAT, "offers 2999999 bytes where 3000000 are listed");
    spoil(&hub, 0, (fault){WEIGHTS, CLAIM, 1, 9000000000000000000, NULL});
    must_fail("t/m", PIAA_FORMAT, "offers 9000000000000000000 bytes");
    spoil(&hub, 0, (fault){WEIGHTS, MORE, 1, 10, NULL});
    must_fail("t/m", PIAA_FORMAT, "sends more than the 3000000 bytes");
    assert_null(piaa_model_locate("t/m", NULL));
    must_pull("t/m");
    check_whole();
}

static void wrong_hash(void **state) {
    (void)state;
    spoil(&hub, 0, (fault){WEIGHTS, WRONG_BYTES, 1, 0, NULL});
    must_fail("t/m", PIAA_FORMAT, "model.safetensors came with the SHA-256 checksum");
    assert_false(cached("t--m/" COMMIT "/model.safetensors"));
    assert_false(cached("t--m/" COMMIT "/model.safetensors.part"));
    spoil(&hub, 0, (fault){"/tokenizer.json", WRONG_BYTES, 0, 0, NULL});
    must_pull("t/m");
    check_whole();
    char *path = in_cache("t--m/" COMMIT "/tokenizer.json");
    unlink(path);
    free(path);
    spoil(&hub, 0, (fault){"/tokenizer.json", WRONG_BYTES, 1, 0, NULL});
    must_fail("t/m", PIAA_FORMAT, "tokenizer.json came with the git SHA-1 checksum");
    assert_false(cached("t--m/" COMMIT "/tokenizer.json"));
}

/* Wrong bytes left by an earlier run do not spoil the next one for good. */
static void wrong_leftover(void **state) {
    (void)state;
    char *folder = in_cache("t--m/" COMMIT);
    must_pull("t/m");
    char *path = support_join(folder, "model.safetensors");
    unlink(path);
    support_write(folder, "model.safetensors.part", "these are not the bytes", 23);
    must_pull("t/m");
    check_whole();
    unlink(path);
    weights[5] ^= 1;
    support_write(folder, "model.safetensors.part", weights,
                  sizeof weights); /* as long as it has to be */
    weights[5] ^= 1;
    must_pull("t/m");
    check_whole();
    unlink(path);
    support_write(folder, "model.safetensors.part", weights,
                  sizeof weights); /* whole and right: no request */
    int before = server_asked(&hub, WEIGHTS);
    must_pull("t/m");
    assert_int_equal(server_asked(&hub, WEIGHTS), before);
    check_whole();
    free(path);
    free(folder);
}

static void bad_lists(void **state) {
    (void)state;
    static const struct {
        const char *text, *part;
        piaa_code code;
    } cases[] = {
        {"", "t/m", PIAA_FORMAT},
        {"<html>Sign in to the hotel's network</html>", "t/m", PIAA_FORMAT},
        {"[]", "not a hub's list", PIAA_FORMAT},
        {"{\"sha\": \"../../../../../../tmp/0123456789abcdef012345\", \"siblings\": []}",
         "not a hub's list", PIAA_FORMAT},
        {"{\"sha\": \"" COMMIT "\", \"siblings\": {}}", "not a hub's list", PIAA_FORMAT},
        {"{\"sha\": \"" COMMIT "\", \"siblings\": []}", "no config.json", PIAA_UNSUPPORTED},
        {"{\"sha\": \"" COMMIT "\", \"siblings\": [{\"rfilename\": \"a.gguf\"}]}",
         "no vision part (mmproj)", PIAA_UNSUPPORTED},
        {"{\"sha\": \"" COMMIT "\", \"siblings\": [{\"rfilename\": \"mmproj.gguf\"}]}",
         "no GGUF file of a text model", PIAA_UNSUPPORTED},
        {"{\"sha\": \"" COMMIT "\", \"siblings\": [{\"rfilename\": \"config.json\"}, "
         "{\"rfilename\": \"pytorch_model.bin\"}]}",
         "PyTorch pickles", PIAA_UNSUPPORTED},
        {"{\"sha\": \"" COMMIT "\", \"siblings\": [{\"rfilename\": \"config.json\"}]}",
         "no model.safetensors", PIAA_UNSUPPORTED},
        {"{\"sha\": \"" COMMIT "\", \"siblings\": [{\"rfilename\": \"config.json\", \"size\": -5}, "
         "{\"rfilename\": \"model.safetensors\"}]}",
         "is none", PIAA_FORMAT},
        {"{\"sha\": \"" COMMIT "\", \"siblings\": [{\"rfilename\": \"config.json\", \"size\": 5, "
         "\"blobId\": \"xyz\"}, {\"rfilename\": "
         "\"model.safetensors\"}]}",
         "is none", PIAA_FORMAT},
        {"{\"sha\": \"" COMMIT "\", \"siblings\": [{\"rfilename\": \"config.json\"}, "
         "{\"rfilename\": \"config.json\"}, {\"rfilename\": "
         "\"model.safetensors\"}]}",
         "twice", PIAA_FORMAT},
    };
    for (size_t i = 0; i < PIAA_COUNT(cases); i++) {
        offer_list(cases[i].text);
        must_fail("t/m", cases[i].code, cases[i].part);
        assert_false(cached("t--m"));
    }
}

static void shards(void **state) {
    (void)state;
    static const char text[] =
        "{\"sha\": \"" COMMIT "\", \"siblings\": [{\"rfilename\": \"config.json\"}, "
        "{\"rfilename\": \"model-00002-of-00002.safetensors\"}, {\"rfilename\": "
        "\"consolidated.safetensors\"}, "
        "{\"rfilename\": \"model-00001-of-00002.safetensors\"}, {\"rfilename\": "
        "\"model.safetensors.index.json\"}]}";
    piaa_hub_list list;
    piaa_error error = {0};
    if (!piaa_hub_list_parse(text, strlen(text), "t/m", &no_wish, &list, &error))
        fail_msg("%s", error.message);
    assert_int_equal(list.count, 4);
    assert_string_equal(list.files[0].name, "config.json");
    assert_string_equal(list.files[1].name, "model.safetensors.index.json");
    assert_string_equal(list.files[2].name, "model-00001-of-00002.safetensors");
    assert_string_equal(list.files[3].name, "model-00002-of-00002.safetensors");
    piaa_hub_list_free(&list);
}

/* -------------------------------------------------------------------------- answers that say no */

static void statuses(void **state) {
    (void)state;
    static const struct {
        const char *path, *lines, *token, *part;
        long long status;
    } cases[] = {
        {"?blobs=true", "X-Error-Code: RepoNotFound\r\n", NULL, "put your token in HF_TOKEN", 401},
        {"?blobs=true", NULL, "hf_secret", "refuses the token (HF_TOKEN)", 401},
        {"?blobs=true", "X-Error-Code: RepoNotFound\r\n", NULL,
         "has no model t/m: check the spelling", 404},
        {"?blobs=true", "X-Error-Code: RevisionNotFound\r\n", NULL, "no revision main", 404},
        {"?blobs=true", NULL, NULL, "answers with status 400", 400},
        {"/config.json", "X-Error-Code: GatedRepo\r\n", NULL, "then put your token in HF_TOKEN",
         401},
        {"/config.json", "X-Error-Code: GatedRepo\r\n", "hf_secret",
         "with the account that your token", 403},
        {"/config.json", NULL, NULL, "only to those who accept its terms", 403},
        {WEIGHTS, "X-Error-Code: EntryNotFound\r\n", NULL,
         "lists model.safetensors in t/m but does not have it", 404},
    };
    for (size_t i = 0; i < PIAA_COUNT(cases); i++) {
        if (cases[i].token)
            setenv("HF_TOKEN", cases[i].token, 1);
        else
            unsetenv("HF_TOKEN");
        int before = server_asked(&hub, cases[i].path);
        spoil(&hub, 0, (fault){cases[i].path, STATUS, 1, cases[i].status, cases[i].lines});
        must_fail("t/m", PIAA_IO, cases[i].part);
        assert_int_equal(server_asked(&hub, cases[i].path), before + 1); /* not tried again */
    }
}

static void busy_server(void **state) {
    (void)state;
    spoil(&hub, 0, (fault){"?blobs=true", STATUS, 1, 503, NULL});
    spoil(&hub, 1, (fault){WEIGHTS, STATUS, 1, 429, "Retry-After: 1\r\n"});
    spoil(&hub, 2, (fault){WEIGHTS, STATUS, 1, 500, NULL});
    struct timespec start, finish;
    clock_gettime(CLOCK_MONOTONIC, &start);
    must_pull("t/m");
    clock_gettime(CLOCK_MONOTONIC, &finish);
    assert_true((double)(finish.tv_sec - start.tv_sec) +
                    (double)(finish.tv_nsec - start.tv_nsec) * 1e-9 >=
                0.99); /* it did wait */
    check_whole();
    spoil(&hub, 0, (fault){"?blobs=true", STATUS, 1, 429, "Retry-After: 86400\r\n"});
    must_fail("t/m", PIAA_IO, "asks to wait 86400 s");
    spoil(&hub, 0, (fault){"?blobs=true", STATUS, 9, 502, NULL});
    must_fail("t/m", PIAA_IO, "status 502 (3 tries)");
    spoil(&hub, 0, (fault){"?blobs=true", HUGE_PAGE, 9, 0, NULL});
    must_fail("t/m", PIAA_IO, "status 500");
}

/* -------------------------------------------------------------------------- token and redirects */

static void token_stays_at_home(void **state) {
    (void)state;
    setenv("HF_TOKEN", " hf_secret\n", 1);
    spoil(&hub, 0, (fault){WEIGHTS, REDIRECT, 2, 0, elsewhere.address});
    spoil(&elsewhere, 0, (fault){WEIGHTS, DROP, 1, 1000, NULL});
    spoil(&hub, 1, (fault){"/config.json", REDIRECT, 1, 0, ""}); /* to the same host */
    must_pull("t/m");
    check_whole();
    for (size_t i = 0; i < hub.request_count; i++)
        assert_string_equal(hub.requests[i].token, "hf_secret");
    assert_int_equal(server_asked(&hub, "/config.json"), 2);
    assert_int_equal(elsewhere.request_count, 2);
    for (size_t i = 0; i < elsewhere.request_count; i++)
        assert_string_equal(elsewhere.requests[i].token, "");
    assert_int_equal(elsewhere.requests[1].from, 1000);
}

/* Nor does it come back after a detour, unless to where it belongs. */
static void token_after_detour(void **state) {
    (void)state;
    setenv("HF_TOKEN", "hf_secret", 1);
    spoil(&hub, 0, (fault){"/config.json", REDIRECT, 1, 0, elsewhere.address});
    spoil(&elsewhere, 0, (fault){"/config.json", REDIRECT, 1, 0, elsewhere.address});
    must_pull("t/m");
    for (size_t i = 0; i < elsewhere.request_count; i++)
        assert_string_equal(elsewhere.requests[i].token, "");
}

static void bad_redirects(void **state) {
    (void)state;
    spoil(&hub, 0, (fault){"?blobs=true", REDIRECT, 1000, 0, ""});
    must_fail("t/m", PIAA_IO, "redirects in a circle");
    static const char *const targets[] = {"file:///etc/passwd?", "ftp://127.0.0.1",
                                          "gopher://127.0.0.1/x", "http://user:word@127.0.0.1:1"};
    for (size_t i = 0; i < PIAA_COUNT(targets); i++) {
        spoil(&hub, 0, (fault){"?blobs=true", REDIRECT, 1, 0, targets[i]});
        must_fail("t/m", PIAA_IO, "redirects to an address that is none");
    }
    spoil(&hub, 0, (fault){"?blobs=true", STATUS, 1, 302, NULL});
    must_fail("t/m", PIAA_IO, "redirects to an address that is none");
}

static void bad_tokens(void **state) {
    (void)state;
    setenv("HF_TOKEN", "hf_secret\r\nX-Other: yes", 1);
    must_fail("t/m", PIAA_USAGE, "HF_TOKEN does not hold a token");
    assert_int_equal(hub.request_count, 0);
}

/* The file with the token is for the Hugging Face hub alone. */
static void token_file_is_not_for_mirrors(void **state) {
    (void)state;
    char *home = support_join(scratch, "hf");
    assert_int_equal(mkdir(home, 0700), 0);
    support_write(home, "token", "hf_secret", 9);
    free(home);
    must_pull("t/m");
    for (size_t i = 0; i < hub.request_count; i++) assert_string_equal(hub.requests[i].token, "");
}

static void token_and_plain_http(void **state) {
    (void)state;
    assert_true(piaa_http_is_private("https://example.com"));
    assert_true(piaa_http_is_private("http://127.0.0.1:80"));
    assert_true(piaa_http_is_private("http://localhost"));
    assert_true(piaa_http_is_private("http://[::1]:8080/x"));
    assert_false(piaa_http_is_private("http://example.com"));
    assert_false(piaa_http_is_private("http://127.0.0.1.example.com"));
    assert_false(piaa_http_is_private("http://localhost.example.com"));
    assert_false(piaa_http_is_private("http://localhost@example.com"));
    assert_false(piaa_http_is_private("ftp://127.0.0.1"));
}

/* A proxy, here one that nobody answers at, is not asked for this machine, whatever else is
   excepted from it. */
static void no_proxy_to_this_machine(void **state) {
    (void)state;
    static const char *const exceptions[] = {"", "example.com", "*"};
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    for (size_t i = 0; i < PIAA_COUNT(exceptions); i++) {
        setenv("no_proxy", exceptions[i], 1);
        must_pull("t/m");
    }
    check_whole();
    unsetenv("no_proxy");
    piaa_pulled got;
    piaa_error error;
    assert_false(pull_from("http://192.0.2.1", "t/m", &got, &error)); /* RFC 5737: nobody's */
    if (!strstr(error.message, "cannot be reached")) fail_msg("%s", error.message);
}

static void bad_addresses(void **state) {
    (void)state;
    static const char *const addresses[] = {"",
                                            "127.0.0.1",
                                            "file:///tmp",
                                            "https://",
                                            "http://user:sesame@127.0.0.1",
                                            "http://127.0.0.1/?x"};
    for (size_t i = 0; i < PIAA_COUNT(addresses); i++) {
        piaa_pulled got;
        piaa_error error;
        assert_false(pull_from(addresses[i], "t/m", &got, &error));
        if (error.code != PIAA_USAGE) fail_msg("%s: %s", addresses[i], error.message);
        assert_null(strstr(error.message, "sesame"));
    }
}

/* ---------------------------------------------------------------------------- stops, full disks */

static void stop_then_resume(void **state) {
    (void)state;
    stop_after = 1000000;
    must_fail("t/m", PIAA_STOPPED, "stopped");
    stop_after = 0;
    assert_true(cached("t--m/" COMMIT "/model.safetensors.part"));
    must_pull("t/m");
    assert_true(hub.requests[hub.request_count - 1].from >= 900000);
    check_whole();
}

static void *pull_in_thread(void *argument) {
    piaa_fetch_options options = {.request = {.from = hub.address}};
    piaa_pulled got;
    *(bool *)argument = piaa_model_fetch("t/m", &options, &got, NULL);
    piaa_pulled_clear(&got);
    return NULL;
}

static void two_at_once(void **state) {
    (void)state;
    bool ok = false;
    pthread_t first;
    int64_t bytes;
    spoil(&hub, 0, (fault){WEIGHTS, HOLD, 1, 0, NULL});
    assert_int_equal(pthread_create(&first, NULL, pull_in_thread, &ok), 0);
    pthread_mutex_lock(&hub.mutex);
    while (!hub.held) pthread_cond_wait(&hub.changed, &hub.mutex);
    pthread_mutex_unlock(&hub.mutex);
    must_fail("t/m", PIAA_BUSY, "is being pulled by another process");
    piaa_error error = {0};
    assert_false(piaa_pulled_remove("t/m", &bytes, &error));
    assert_int_equal(error.code, PIAA_BUSY);
    server_release(&hub);
    pthread_join(first, NULL);
    assert_true(ok);
    check_whole();
}

static void no_room_by_the_list(void **state) {
    (void)state;
    char text[4096];
    write_list(text, COMMIT, config_name, weights_sum, 5000000000000000);
    offer_list(text);
    must_fail("t/m", PIAA_IO, "t/m needs 5e+09 MB, but there are");
    assert_int_equal(server_asked(&hub, WEIGHTS), 0);
    assert_false(cached("t--m"));
}

/* A limit on the size of files stands in for a disk without room. */
static void no_room_in_the_middle(void **state) {
    (void)state;
    struct rlimit before;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit small = {1000000, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    piaa_pulled got;
    piaa_error error;
    bool ok = pull_from(hub.address, "t/m", &got, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    assert_false(ok);
    assert_int_equal(error.code, PIAA_IO);
    assert_non_null(strstr(error.message, "model.safetensors.part cannot be written"));
    assert_int_equal(server_asked(&hub, WEIGHTS), 1); /* another try would not have helped */
    must_pull("t/m");
    assert_int_equal(hub.requests[hub.request_count - 1].from, 1000000);
    check_whole();
}

/* A real one, where this process may mount it; sizes are not listed, so that it is found out in the
   middle only. */
static void full_disk(void **state) {
    (void)state;
    char *cache = support_join(scratch, "cache");
    assert_int_equal(mkdir(cache, 0700), 0);
    char *command =
        piaa_format(NULL, "mount -t tmpfs -o size=1m piaa-test '%s' 2>/dev/null", cache);
    bool mounted = getuid() == 0 && system(command) == 0;
    free(command);
    if (mounted) {
        static const char text[] =
            "{\"sha\": \"" COMMIT "\", \"siblings\": [{\"rfilename\": \"config.json\"}, "
            "{\"rfilename\": \"model.safetensors\"}]}";
        piaa_pulled got;
        piaa_error error;
        offer_list(text);
        bool ok = pull_from(hub.address, "t/m", &got, &error);
        command = piaa_format(NULL, "umount '%s'", cache);
        int failed = system(command);
        free(command);
        assert_int_equal(failed, 0);
        assert_false(ok);
        assert_non_null(strstr(error.message, "No space left"));
    }
    free(cache);
    if (!mounted) skip();
}

/* ----------------------------------------------------------------------- names, lists, removing */

static void names(void **state) {
    (void)state;
    piaa_hub_name name;
    assert_true(piaa_hub_name_parse("qwen3-vl-4b", &name, NULL));
    assert_string_equal(name.owner, "Qwen");
    assert_string_equal(name.name, "Qwen3-VL-4B-Instruct");
    assert_string_equal(name.revision, "main");
    assert_true(piaa_hub_name_parse("gemma-3-12b@v1.0", &name, NULL));
    assert_string_equal(name.name, "gemma-3-12b-it");
    assert_string_equal(name.revision, "v1.0");
    assert_true(name.given);
    static const char *const bad[] = {"",       "qwen",   "a/b/c",       "../b",    "a/..",
                                      "a/.b",   "/b",     "a/",          "-a/b",    "a b/c",
                                      "a/b@",   "a/b@-x", "a/b@../../x", "a/b@x y", "a--b/c",
                                      "a/b--c", "a/b?x",  "a/b#x",       "a/b\n"};
    for (size_t i = 0; i < PIAA_COUNT(bad); i++) {
        piaa_error error = {0};
        if (piaa_hub_name_parse(bad[i], &name, &error)) fail_msg("%s", bad[i]);
        assert_int_equal(error.code, PIAA_USAGE);
    }
    const char *repository;
    for (size_t i = 0; piaa_hub_short_name(i, &repository); i++)
        assert_true(piaa_hub_name_parse(repository, &name, NULL));
}

static void locate(void **state) {
    (void)state;
    piaa_error error = {0};
    char *found = piaa_model_locate(scratch, &error); /* any folder that there is */
    assert_string_equal(found, scratch);
    free(found);
    assert_null(piaa_model_locate("qwen3-vl-2b", &error));
    assert_non_null(strstr(error.message, "piaa model pull qwen3-vl-2b"));
    assert_null(piaa_model_locate("models/nothing/here", &error));
    assert_non_null(strstr(error.message, "does not exist"));
    assert_null(piaa_model_locate("/no/where", &error));
    assert_non_null(strstr(error.message, "does not exist"));
}

static void list_and_remove(void **state) {
    (void)state;
    piaa_pulled_list *list;
    piaa_error error = {0};
    int64_t bytes;
    assert_non_null(list = piaa_pulled_list_read(NULL));
    assert_int_equal(piaa_pulled_list_count(list), 0);
    piaa_pulled_list_free(list);
    assert_false(piaa_pulled_remove("t/m", &bytes, &error));
    assert_int_equal(error.code, PIAA_USAGE);
    must_pull("t/m");
    assert_non_null(list = piaa_pulled_list_read(NULL));
    assert_int_equal(piaa_pulled_list_count(list), 1);
    assert_string_equal(piaa_pulled_list_at(list, 0)->name, "t/m");
    assert_string_equal(piaa_pulled_list_at(list, 0)->revision, "main");
    assert_string_equal(piaa_pulled_list_at(list, 0)->commit, COMMIT);
    assert_true(piaa_pulled_list_at(list, 0)->complete && !piaa_pulled_list_at(list, 0)->shared);
    assert_int_equal(piaa_pulled_list_at(list, 0)->bytes,
                     WEIGHTS_SIZE + sizeof config - 1 + sizeof tokenizer - 1);
    piaa_pulled_list_free(list);
    assert_false(piaa_pulled_remove("t/m@main", &bytes, &error));
    assert_int_equal(error.code, PIAA_USAGE);
    assert_true(piaa_pulled_remove("t/m", &bytes, NULL));
    assert_true(bytes > WEIGHTS_SIZE);
    assert_false(cached("t--m"));
    /* What an unfinished pull left is listed and removed, too. */
    stop_after = 1000000;
    must_fail("t/m", PIAA_STOPPED, "stopped");
    assert_non_null(list = piaa_pulled_list_read(NULL));
    assert_int_equal(piaa_pulled_list_count(list), 1);
    assert_false(piaa_pulled_list_at(list, 0)->complete);
    piaa_pulled_list_free(list);
    assert_true(piaa_pulled_remove("t/m", &bytes, NULL));
    assert_false(cached("t--m"));
}

/* The layout that Hugging Face's own tools keep: blobs named by checksum, and links to them. */
static void hugging_face_cache(void **state) {
    (void)state;
    piaa_pulled got;
    piaa_error error;
    piaa_pulled_list *list;
    int64_t bytes;
    const struct {
        const char *file, *blob;
        const void *data;
        size_t size;
    } files[] = {
        {"config.json", config_name, config, sizeof config - 1},
        {"tokenizer.json", tokenizer_name, tokenizer, sizeof tokenizer - 1},
        {"model.safetensors", weights_sum, weights, sizeof weights},
    };
    char *model = support_join(scratch, "hf/hub/models--t--m"),
         *blobs = support_join(model, "blobs"), *refs = support_join(model, "refs");
    char *snapshot = support_join(model, "snapshots/" COMMIT);
    char *command = piaa_format(NULL, "mkdir -p '%s' '%s' '%s'", blobs, refs, snapshot);
    assert_int_equal(system(command), 0);
    free(command);
    support_write(refs, "main", COMMIT, 40);
    for (size_t i = 0; i < PIAA_COUNT(files); i++) {
        assert_null(piaa_model_locate("t/m", NULL)); /* as long as it is not complete */
        support_write(blobs, files[i].blob, files[i].data, files[i].size);
        char *target = piaa_format(NULL, "../../blobs/%s", files[i].blob),
             *link = support_join(snapshot, files[i].file);
        assert_int_equal(symlink(target, link), 0);
        free(target);
        free(link);
    }
    char *found = piaa_model_locate("t/m", NULL);
    assert_string_equal(found, snapshot);
    free(found);
    assert_non_null(list = piaa_pulled_list_read(NULL));
    assert_int_equal(piaa_pulled_list_count(list), 1);
    assert_true(piaa_pulled_list_at(list, 0)->shared && piaa_pulled_list_at(list, 0)->complete);
    assert_int_equal(piaa_pulled_list_at(list, 0)->bytes,
                     WEIGHTS_SIZE + sizeof config - 1 + sizeof tokenizer - 1);
    piaa_pulled_list_free(list);
    error = (piaa_error){0};
    assert_false(piaa_pulled_remove("t/m", &bytes, &error));
    assert_non_null(strstr(error.message, "Hugging Face cache"));

    if (!pull_from(hub.address, "t/m", &got, &error)) fail_msg("%s", error.message);
    assert_true(got.shared);
    assert_string_equal(got.folder, snapshot);
    assert_int_equal(got.downloaded, 0);
    assert_int_equal(hub.request_count, 1);
    piaa_pulled_clear(&got);
    found = piaa_model_locate("t/m", NULL);
    assert_string_equal(found, snapshot);
    free(found);
    assert_non_null(list = piaa_pulled_list_read(NULL));
    assert_int_equal(piaa_pulled_list_count(list), 1);
    piaa_pulled_list_free(list);

    /* One file less, and the whole model is fetched to our own place. */
    char *link = support_join(snapshot, "tokenizer.json");
    unlink(link);
    free(link);
    must_pull("t/m");
    check_whole();
    free(model);
    free(blobs);
    free(refs);
    free(snapshot);
}

/* ------------------------------------------------------------------- repositories of GGUF files */

/* How publishers name their files, and which two are taken. */
static void gguf_choices(void **state) {
    (void)state;
    static const struct {
        const char *files[12], *quant, *text,
            *vision; /* vision NULL: refused, and the message says `text` */
        const char *label;
    } cases[] = {
        {{"gemma-3-4b-it-Q4_K_M.gguf", "gemma-3-4b-it-Q8_0.gguf", "gemma-3-4b-it-f16.gguf",
          "mmproj-model-f16.gguf"},
         "",
         "gemma-3-4b-it-Q4_K_M.gguf",
         "mmproj-model-f16.gguf",
         "Q4_K_M"},
        {{"gemma-3-4b-it-Q4_K_M.gguf", "gemma-3-4b-it-Q8_0.gguf", "gemma-3-4b-it-f16.gguf",
          "mmproj-model-f16.gguf"},
         "f16",
         "gemma-3-4b-it-f16.gguf",
         "mmproj-model-f16.gguf",
         "F16"},
        {{"Qwen3VL-4B-Instruct-F16.gguf", "Qwen3VL-4B-Instruct-Q4_K_M.gguf",
          "Qwen3VL-4B-Instruct-Q8_0.gguf", "mmproj-Qwen3VL-4B-Instruct-F16.gguf",
          "mmproj-Qwen3VL-4B-Instruct-Q8_0.gguf"},
         "q8_0",
         "Qwen3VL-4B-Instruct-Q8_0.gguf",
         "mmproj-Qwen3VL-4B-Instruct-F16.gguf",
         "Q8_0"},
        {{"google_gemma-3-4b-it-IQ4_XS.gguf", "google_gemma-3-4b-it-Q8_0.gguf",
          "google_gemma-3-4b-it-imatrix.gguf", "mmproj-google_gemma-3-4b-it-bf16.gguf",
          "mmproj-google_gemma-3-4b-it-f16.gguf", "mmproj-google_gemma-3-4b-it-f32.gguf"},
         "",
         "google_gemma-3-4b-it-Q8_0.gguf",
         "mmproj-google_gemma-3-4b-it-bf16.gguf",
         "Q8_0"},
        {{"gemma-3-4b-it-q4_0.gguf", "mmproj-model-f16-4B.gguf"},
         "",
         "gemma-3-4b-it-q4_0.gguf",
         "mmproj-model-f16-4B.gguf",
         "Q4_0"},
        {{"M.Q4_K_M.gguf", "M.Q4_K_S.gguf", "M.mmproj-Q8_0.gguf", "M.mmproj-fp16.gguf"},
         "",
         "M.Q4_K_M.gguf",
         "M.mmproj-fp16.gguf",
         "Q4_K_M"},
        {{"Qwen3.5-4B.Q4_K_M.gguf", "Qwen3.5-4B.BF16-mmproj.gguf"},
         "",
         "Qwen3.5-4B.Q4_K_M.gguf",
         "Qwen3.5-4B.BF16-mmproj.gguf",
         "Q4_K_M"},
        {{"m-Q4_K_XL.gguf", "m-UD-Q4_K_XL.gguf", "m-Q4_K_M.gguf", "mmproj-F16.gguf"},
         "UD-Q4_K_XL",
         "m-UD-Q4_K_XL.gguf",
         "mmproj-F16.gguf",
         "m-UD-Q4_K_XL"},
        {{"m-UD-Q4_K_XL.gguf", "m-Q4_K_M.gguf", "mmproj-F16.gguf"},
         "UD-Q4_K_XL",
         "m-UD-Q4_K_XL.gguf",
         "mmproj-F16.gguf",
         "Q4_K_XL"},
        {{"model.gguf", "mmproj.gguf"}, "", "model.gguf", "mmproj.gguf", "model"},
        {{"m-BF16-00001-of-00002.gguf", "m-BF16-00002-of-00002.gguf", "m-Q8_0.gguf", "mmproj.gguf"},
         "",
         "m-Q8_0.gguf",
         "mmproj.gguf",
         "Q8_0"},
        {{"m-BF16-00001-of-00002.gguf", "m-BF16-00002-of-00002.gguf", "m-Q8_0.gguf", "mmproj.gguf"},
         "BF16",
         "m-BF16 is cut into 2 files, which are not fetched",
         NULL,
         NULL},
        {{"m-Q6_K.gguf", "m-Q5_K_M.gguf", "mmproj.gguf"},
         "",
         "holds several models: name one of these behind a colon (t/m:…): "
         "Q6_K (3.25 GB), Q5_K_M (3.25 GB)",
         NULL,
         NULL},
        {{"m-Q6_K.gguf", "mmproj.gguf"},
         "Q2_K",
         "of the kind Q2_K; it holds Q6_K (3.25 GB)",
         NULL,
         NULL},
        {{"a-Q4_K_M.gguf", "b-Q4_K_M.gguf", "mmproj.gguf"},
         "",
         "several models: name one of these behind a colon (t/m:…): a-Q4_K_M (",
         NULL,
         NULL},
        {{"a-Q4_K_M.gguf", "b-Q4_K_M.gguf", "mmproj.gguf"},
         "Q4_K_M",
         "no model, or several, of the kind Q4_K_M",
         NULL,
         NULL},
        {{"a-Q4_K_M.gguf", "b-Q4_K_M.gguf", "mmproj.gguf"},
         "b-q4_k_m",
         "b-Q4_K_M.gguf",
         "mmproj.gguf",
         "b-Q4_K_M"},
        {{"m-Q8_0.gguf", "mmproj-a-F16.gguf", "mmproj-b-F16.gguf"},
         "",
         "several vision parts: name one with --mmproj: mmproj-a-F16.gguf (",
         NULL,
         NULL},
        {{"m-Q8_0.gguf"}, "", "no vision part (mmproj)", NULL, NULL},
        {{"mmproj-F16.gguf"}, "", "no GGUF file of a text model", NULL, NULL},
    };
    for (size_t i = 0; i < PIAA_COUNT(cases); i++) {
        piaa_gguf_offer offers[12];
        size_t count = 0;
        for (; count < 12 && cases[i].files[count]; count++)
            offers[count] = (piaa_gguf_offer){cases[i].files[count], 3250000000};
        piaa_gguf_wish wish = {.quant = cases[i].quant};
        piaa_gguf_choice choice;
        piaa_error error = {0};
        bool ok = piaa_gguf_choose(offers, count, &wish, "t/m", &choice, &error);
        if (ok != (cases[i].vision != NULL)) fail_msg("case %zu: %s", i, error.message);
        if (!ok && !strstr(error.message, cases[i].text))
            fail_msg("case %zu: %s", i, error.message);
        if (!ok) continue;
        assert_string_equal(offers[choice.text].name, cases[i].text);
        assert_string_equal(offers[choice.vision].name, cases[i].vision);
        assert_string_equal(choice.label, cases[i].label);
        assert_true(piaa_gguf_label_fits(choice.label, cases[i].quant) || !*cases[i].quant);
        /* By their names, too. */
        wish = (piaa_gguf_wish){.text = cases[i].text, .vision = cases[i].vision};
        assert_true(piaa_gguf_choose(offers, count, &wish, "t/m", &choice, NULL));
        wish = (piaa_gguf_wish){.text = cases[i].vision};
        assert_false(piaa_gguf_choose(offers, count, &wish, "t/m", &choice, NULL));
        wish = (piaa_gguf_wish){.vision = cases[i].text};
        assert_false(piaa_gguf_choose(offers, count, &wish, "t/m", &choice, NULL));
        wish = (piaa_gguf_wish){.text = "no.gguf"};
        assert_false(piaa_gguf_choose(offers, count, &wish, "t/m", &choice, NULL));
    }
}

static void gguf_names(void **state) {
    (void)state;
    static const struct {
        const char *text, *quant, *revision;
    } good[] = {{"t/m:Q8_0", "Q8_0", "main"},
                {"t/m@v1:Q8_0", "Q8_0", "v1"},
                {"t/m:Q8_0@v1", "Q8_0", "v1"},
                {"hf.co/t/m:UD-Q4_K_XL", "UD-Q4_K_XL", "main"},
                {"https://huggingface.co/t/m", "", "main"}};
    static const char *const bad[] = {"t/m:",   "t/m:a:b", "t/m@a@b",   "t/m:../x",
                                      "t/m:.x", "t/m:a/b", "ftp://t/m", "https://t/m/x"};
    piaa_hub_name name;
    for (size_t i = 0; i < PIAA_COUNT(good); i++) {
        piaa_error error = {0};
        if (!piaa_hub_name_parse(good[i].text, &name, &error)) fail_msg("%s", error.message);
        assert_string_equal(name.owner, "t");
        assert_string_equal(name.name, "m");
        assert_string_equal(name.quant, good[i].quant);
        assert_string_equal(name.revision, good[i].revision);
    }
    for (size_t i = 0; i < PIAA_COUNT(bad); i++)
        if (piaa_hub_name_parse(bad[i], &name, NULL)) fail_msg("%s", bad[i]);
}

static const char gguf_list[] =
    "{\"sha\": \"" COMMIT "\", \"siblings\": ["
    "{\"rfilename\": \"README.md\", \"size\": 1}, {\"rfilename\": \"config.json\", \"size\": 1}, "
    "{\"rfilename\": \"m-Q4_K_M.gguf\", \"size\": %d, \"lfs\": {\"sha256\": \"%s\"}}, "
    "{\"rfilename\": \"m-Q8_0.gguf\", \"size\": %d, \"lfs\": {\"sha256\": \"%s\"}}, "
    "{\"rfilename\": \"sub/m-Q6_K.gguf\", \"size\": 1}, "
    "{\"rfilename\": \"mmproj-m-Q8_0.gguf\", \"size\": 6, \"blobId\": \"%s\"}, "
    "{\"rfilename\": \"mmproj-m-F16.gguf\", \"size\": 6, \"blobId\": \"%s\"}]}";

static void offer_gguf(char text[4096]) {
    int n = snprintf(text, 4096, gguf_list, WEIGHTS_SIZE, weights_sum, WEIGHTS_SIZE, weights_sum,
                     tokenizer_name, tokenizer_name);
    assert_true(n > 0 && n < 4096);
    offer_list(text);
    offer("/t/m/resolve/" COMMIT "/m-Q4_K_M.gguf", weights, sizeof weights);
    offer("/t/m/resolve/" COMMIT "/m-Q8_0.gguf", weights, sizeof weights);
    offer("/t/m/resolve/" COMMIT "/mmproj-m-F16.gguf", tokenizer, sizeof tokenizer - 1);
    offer("/t/m/resolve/" COMMIT "/mmproj-m-Q8_0.gguf", tokenizer, sizeof tokenizer - 1);
}

static void check_located(const char *name, const char *rest) {
    piaa_error error = {0};
    char *found = piaa_model_locate(name, &error), *expected = rest ? in_cache(rest) : NULL;
    if ((found == NULL) != (expected == NULL) || (found && strcmp(found, expected) != 0))
        fail_msg("%s is at %s, not at %s: %s", name, found ? found : "no place",
                 expected ? expected : "none", error.message);
    free(found);
    free(expected);
}

#define Q4 "t--m/" COMMIT "-Q4_K_M"
#define Q8 "t--m/" COMMIT "-Q8_0"

static void gguf_pull(void **state) {
    (void)state;
    char text[4096];
    offer_gguf(text);
    spoil(&hub, 0,
          (fault){"/m-Q4_K_M.gguf", DROP, 1, 1700000, NULL}); /* it goes on as with safetensors */
    spoil(&hub, 1, (fault){"/mmproj-m-F16.gguf", WRONG_BYTES, 1, 0, NULL});
    must_fail("t/m", PIAA_FORMAT, "mmproj-m-F16.gguf came with the git SHA-1 checksum");
    assert_int_equal(hub.requests[2].from, 1700000);
    check_located("t/m", NULL);
    piaa_pulled got;
    piaa_error error;
    if (!pull_from(hub.address, "t/m", &got, &error)) fail_msg("%s", error.message);
    assert_string_equal(got.name, "t/m:Q4_K_M");
    assert_int_equal(got.files, 2);
    assert_int_equal(got.bytes, WEIGHTS_SIZE + 6);
    assert_int_equal(got.downloaded, 6);
    piaa_pulled_clear(&got);
    check_cached(Q4 "/m-Q4_K_M.gguf", weights, sizeof weights);
    check_cached(Q4 "/mmproj-m-F16.gguf", tokenizer, sizeof tokenizer - 1);
    assert_false(cached(Q4 "/config.json"));
    check_located("t/m", Q4);
    check_located("t/m:q4_k_m", Q4);
    check_located("hf.co/t/m:Q4_K_M", Q4);
    check_located("t/m@" COMMIT ":Q4_K_M", Q4);
    check_located("t/m:Q8_0", NULL);

    /* Another kind beside it shares what is the same. */
    int before = server_asked(&hub, "/mmproj-m-F16.gguf");
    must_pull("t/m@main:q8_0");
    assert_int_equal(server_asked(&hub, "/mmproj-m-F16.gguf"), before);
    check_located("t/m:Q8_0", Q8);
    check_located("t/m", Q4);
    piaa_pulled_list *list = piaa_pulled_list_read(NULL);
    assert_int_equal(piaa_pulled_list_count(list), 2);
    assert_string_equal(piaa_pulled_list_at(list, 0)->name, "t/m:Q4_K_M");
    assert_string_equal(piaa_pulled_list_at(list, 1)->name, "t/m:Q8_0");
    assert_true(piaa_pulled_list_at(list, 1)->complete &&
                piaa_pulled_list_at(list, 1)->bytes == WEIGHTS_SIZE + 6);
    piaa_pulled_list_free(list);

    int64_t bytes;
    assert_false(piaa_pulled_remove("t/m:Q6_K", &bytes, NULL));
    assert_true(piaa_pulled_remove("t/m:Q4_K_M", &bytes, NULL));
    assert_false(cached(Q4));
    check_located("t/m:Q4_K_M", NULL);
    check_located("t/m", Q8);
    assert_true(piaa_pulled_remove("t/m:Q8_0", &bytes, NULL));
    assert_int_equal(bytes, WEIGHTS_SIZE + 6);
    assert_false(cached("t--m"));
}

static void gguf_files_by_name(void **state) {
    (void)state;
    char text[4096];
    offer_gguf(text);
    piaa_fetch_options options = {
        .request = {.from = hub.address, .file = "m-Q8_0.gguf", .mmproj = "mmproj-m-Q8_0.gguf"}};
    piaa_pulled got;
    piaa_error error = {0};
    if (!piaa_model_fetch("t/m", &options, &got, &error)) fail_msg("%s", error.message);
    assert_string_equal(got.name, "t/m:Q8_0");
    piaa_pulled_clear(&got);
    check_cached(Q8 "/mmproj-m-Q8_0.gguf", tokenizer, sizeof tokenizer - 1);
    must_pull("t/m:Q8_0"); /* the usual vision part takes the other's place, so that the folder is
                              one model */
    check_cached(Q8 "/mmproj-m-F16.gguf", tokenizer, sizeof tokenizer - 1);
    assert_false(cached(Q8 "/mmproj-m-Q8_0.gguf"));
    options.request.file = "m-Q9.gguf";
    assert_false(piaa_model_fetch("t/m", &options, &got, &error));
    assert_non_null(
        strstr(error.message, "has no file m-Q9.gguf; it holds Q4_K_M (3.0 MB), Q8_0 (3.0 MB)"));
    must_fail("t/m:Q5_0", PIAA_USAGE, "of the kind Q5_0; it holds Q4_K_M");
    /* A repository of safetensors has none to choose. */
    offer_list(list_text);
    must_fail("t/m:Q8_0", PIAA_USAGE,
              "holds no GGUF files to choose from: leave out what stands behind the colon");
    must_pull("t/m");
    check_whole(); /* named without a kind, it is the safetensors from now on */
    check_located("t/m:Q8_0", Q8);
}

/* GGUF files that Hugging Face's tools downloaded: several kinds in one folder. */
static void gguf_in_hugging_face_cache(void **state) {
    (void)state;
    char text[4096];
    offer_gguf(text);
    char *model = support_join(scratch, "hf/hub/models--t--m"), *refs = support_join(model, "refs");
    char *snapshot = support_join(model, "snapshots/" COMMIT);
    char *command = piaa_format(NULL, "mkdir -p '%s' '%s'", refs, snapshot);
    assert_int_equal(system(command), 0);
    free(command);
    support_write(refs, "main", COMMIT, 40);
    check_located("t/m", NULL);
    support_write(snapshot, "m-Q8_0.gguf", weights, sizeof weights);
    check_located("t/m", NULL); /* without a vision part */
    support_write(snapshot, "mmproj-m-F16.gguf", tokenizer, sizeof tokenizer - 1);
    char *pair = piaa_format(NULL, "%s/m-Q8_0.gguf,%s/mmproj-m-F16.gguf", snapshot, snapshot);
    static const char *const names[] = {"t/m", "t/m:Q8_0", "t/m@" COMMIT ":q8_0"};
    for (size_t i = 0; i < PIAA_COUNT(names); i++) {
        char *found = piaa_model_locate(names[i], NULL);
        assert_non_null(found);
        assert_string_equal(found, pair);
        free(found);
    }
    check_located("t/m:Q4_K_M", NULL);
    piaa_pulled got;
    piaa_error error;
    if (!pull_from(hub.address, "t/m:Q8_0", &got, &error)) fail_msg("%s", error.message);
    assert_true(got.shared);
    assert_string_equal(got.folder, pair);
    assert_int_equal(got.downloaded, 0);
    piaa_pulled_clear(&got);
    piaa_pulled_list *list = piaa_pulled_list_read(NULL);
    assert_int_equal(piaa_pulled_list_count(list), 1);
    assert_string_equal(piaa_pulled_list_at(list, 0)->name, "t/m:Q8_0");
    assert_string_equal(piaa_pulled_list_at(list, 0)->folder, pair);
    assert_true(piaa_pulled_list_at(list, 0)->shared &&
                piaa_pulled_list_at(list, 0)->bytes == WEIGHTS_SIZE + 6);
    piaa_pulled_list_free(list);
    must_pull("t/m:Q4_K_M"); /* what they do not have goes to our place */
    check_located("t/m:Q4_K_M", Q4);
    free(pair);
    free(model);
    free(refs);
    free(snapshot);
}

/* ------------------------------------------------------------------------------------------ TLS */

static int free_port(void) {
    server s;
    server_start(&s);
    server_stop(&s);
    return s.port;
}

static bool can_connect(int port) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)port)};
    bool ok = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return ok;
}

/* A whole answer in a file, as openssl's test server wants it. */
static void answer(const char *name, const char *head, const void *data, size_t size) {
    piaa_text text = {0};
    assert_true(
        piaa_text_format(&text, NULL, "HTTP/1.0 %s\r\nContent-Length: %zu\r\n\r\n", head, size));
    assert_true(piaa_text_add(&text, data, size, NULL));
    support_write(scratch, name, text.data, text.length);
    free(text.data);
}

/* A certificate that nobody vouches for is refused, and taken once its maker is named as an
 * authority; from there a redirect to plain http is not followed.  openssl's own test server hands
 * out the files below the folder that it is started in. */
static void certificates(void **state) {
    (void)state;
    if (system("openssl version >/dev/null 2>&1") != 0) skip();
    char *command = piaa_format(NULL,
                                "cd '%s' && mkdir -p api/models/t/m/revision t/m/resolve/" COMMIT
                                " && openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem "
                                "-out cert.pem -days 2 -subj /CN=localhost "
                                "-addext subjectAltName=DNS:localhost,IP:127.0.0.1 >/dev/null 2>&1",
                                scratch);
    assert_int_equal(system(command), 0);
    free(command);
    answer("api/models/t/m/revision/main?blobs=true", "200 OK", list_text, strlen(list_text));
    char *head = piaa_format(
        NULL, "302 Found\r\nLocation: %s/api/models/t/m/revision/main?blobs=true", hub.address);
    answer("api/models/t/m/revision/plain?blobs=true", head, "", 0);
    free(head);
    answer("t/m/resolve/" COMMIT "/config.json", "200 OK", config, sizeof config - 1);
    answer("t/m/resolve/" COMMIT "/tokenizer.json", "200 OK", tokenizer, sizeof tokenizer - 1);
    answer("t/m/resolve/" COMMIT WEIGHTS, "200 OK", weights, sizeof weights);
    char port[16], address[64];
    snprintf(port, sizeof port, "%d", free_port());
    snprintf(address, sizeof address, "https://127.0.0.1:%s", port);
    pid_t child = fork();
    if (child == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, 0), dup2(null, 1), dup2(null, 2);
        if (chdir(scratch) == 0)
            execlp("openssl", "openssl", "s_server", "-accept", port, "-key", "key.pem", "-cert",
                   "cert.pem", "-HTTP", (char *)0);
        _exit(1);
    }
    for (int i = 0; i < 200 && !can_connect(atoi(port)); i++) nap(50);

    piaa_pulled got;
    piaa_error refused, plain, error;
    char *bundle = support_join(scratch, "cert.pem");
    bool first = pull_from(address, "t/m", &got, &refused);
    setenv("SSL_CERT_FILE", bundle, 1);
    bool second = pull_from(address, "t/m@plain", &got, &plain);
    bool third = pull_from(address, "t/m", &got, &error);
    unsetenv("SSL_CERT_FILE");
    kill(child, SIGTERM);
    waitpid(child, NULL, 0);
    free(bundle);
    piaa_pulled_clear(&got);
    assert_false(first);
    if (!strstr(refused.message, "the certificate of 127.0.0.1 cannot be verified"))
        fail_msg("%s", refused.message);
    assert_false(second);
    if (!strstr(plain.message, "redirects from https to plain http, which is refused"))
        fail_msg("%s", plain.message);
    assert_int_equal(hub.request_count, 0);
    if (!third) fail_msg("%s", error.message);
    check_whole();
}

int main(void) {
    uint32_t word = 1;
    for (size_t i = 0; i < sizeof weights; i++)
        weights[i] = (unsigned char)((word = word * 1664525 + 1013904223) >> 24);
    char *sum = g_compute_checksum_for_data(G_CHECKSUM_SHA256, weights, sizeof weights);
    memcpy(weights_sum, sum, sizeof weights_sum);
    g_free(sum);
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(needed_files_alone),
        TEST(second_pull_asks_once),
        TEST(later_revision_shares_files),
        TEST(revisions),
        TEST(endpoint_from_environment),
        TEST(drop_then_resume),
        TEST(many_drops),
        TEST(drops_that_help),
        TEST(server_without_ranges),
        TEST(wrong_range),
        TEST(refused_range),
        TEST(slow),
        TEST(silent),
        TEST(half_headers),
        TEST(nobody_there),
        TEST(wrong_length),
        TEST(wrong_hash),
        TEST(wrong_leftover),
        TEST(bad_lists),
        TEST(shards),
        TEST(statuses),
        TEST(busy_server),
        TEST(token_stays_at_home),
        TEST(token_after_detour),
        TEST(bad_redirects),
        TEST(bad_tokens),
        TEST(token_file_is_not_for_mirrors),
        TEST(token_and_plain_http),
        TEST(no_proxy_to_this_machine),
        TEST(bad_addresses),
        TEST(stop_then_resume),
        TEST(two_at_once),
        TEST(no_room_by_the_list),
        TEST(no_room_in_the_middle),
        TEST(full_disk),
        TEST(names),
        TEST(locate),
        TEST(list_and_remove),
        TEST(hugging_face_cache),
        TEST(gguf_choices),
        TEST(gguf_names),
        TEST(gguf_pull),
        TEST(gguf_files_by_name),
        TEST(gguf_in_hugging_face_cache),
        TEST(certificates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

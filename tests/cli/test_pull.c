/* piaa model pull, list and rm as a user runs them, against a server on loopback
   (tests/hub/server.h). */
#include "hub/server.h"

#include "base/json.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#define COMMIT "0123456789abcdef0123456789abcdef01234567"
#define CONFIG "{\"model_type\": \"test\"}\n"

static server hub;
static char *world, *out, *err;
static unsigned char
    weights[3000000]; /* zeros: their SHA-256 is what sha256sum says of head -c 3000000 /dev/zero */

static const char list[] =
    "{\"sha\": \"" COMMIT "\", \"siblings\": ["
    "{\"rfilename\": \"config.json\", \"size\": 23, \"blobId\": "
    "\"6c2096e21ae474a475c870cd7c637f657f5628f0\"}, "
    "{\"rfilename\": \"model.safetensors\", \"size\": 3000000, \"lfs\": {\"sha256\": "
    "\"35bce4eae54ec8e6cc2868baa8d157914d6ae2858811b4cc0c078c94460fa26f\"}}]}";

/* Starts the program with its standard output and error in files; words ends with NULL. */
static pid_t start(const char *const *words) {
    char *output = support_join(world, "out"), *errors = support_join(world, "err");
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGINT, SIG_DFL); /* which a test runner in the background has ignored */
        int null = open("/dev/null", O_RDONLY),
            into = open(output, O_WRONLY | O_CREAT | O_TRUNC, 0600),
            faults = open(errors, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(null, 0), dup2(into, 1), dup2(faults, 2);
        execv(PIAA_PROGRAM, (char *const *)words);
        _exit(98);
    }
    free(output);
    free(errors);
    return child;
}

static char *slurp(const char *name) {
    char *path = support_join(world, name), *text = piaa_file_read(path, 1 << 20, NULL, NULL);
    assert_non_null(text);
    free(path);
    return text;
}

static int finish(pid_t child) {
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    free(out);
    free(err);
    out = slurp("out");
    err = slurp("err");
    if (!WIFEXITED(status)) fail_msg("piaa was ended by signal %d: %s", WTERMSIG(status), err);
    return WEXITSTATUS(status);
}

#define WORDS(...) ((const char *const[]){"piaa", "model", __VA_ARGS__, NULL})
#define MODEL(...) finish(start(WORDS(__VA_ARGS__)))

static void expect(int code, int expected, const char *in_out, const char *in_err) {
    if (code != expected || !strstr(out, in_out) || !strstr(err, in_err))
        fail_msg("exit code %d: %s%s", code, out, err);
    assert_null(strstr(out, "hf_secret"));
    assert_null(strstr(err, "hf_secret"));
}

static int begin(void **state) {
    (void)state;
    static const char *const variables[] = {"HF_TOKEN_PATH", "HF_ENDPOINT", "HF_HUB_CACHE",
                                            "SSL_CERT_FILE"};
    for (size_t i = 0; i < PIAA_COUNT(variables); i++) unsetenv(variables[i]);
    world = support_folder();
    char *cache = support_join(world, "cache"), *home = support_join(world, "hf");
    setenv("XDG_CACHE_HOME", cache, 1);
    setenv("HF_HOME", home, 1);
    setenv("HF_TOKEN", "hf_secret", 1);
    free(cache);
    free(home);
    server_start(&hub);
    hub.documents[0] = (document){"/api/models/t/m/revision/main?blobs=true", list, strlen(list)};
    hub.documents[1] = (document){"/t/m/resolve/" COMMIT "/config.json", CONFIG, strlen(CONFIG)};
    hub.documents[2] =
        (document){"/t/m/resolve/" COMMIT "/model.safetensors", weights, sizeof weights};
    return 0;
}

static int end(void **state) {
    (void)state;
    server_stop(&hub);
    support_remove(world);
    free(out);
    free(err);
    out = err = NULL;
    return 0;
}

static void pull_list_remove(void **state) {
    (void)state;
    expect(MODEL("list"), 0, "", "No model has been pulled yet");
    expect(MODEL("list", "--names"), 0, "qwen3-vl-4b     Qwen/Qwen3-VL-4B-Instruct\n", "");
    expect(MODEL("pull", "t/m", "--from", hub.address), 0,
           "files          2, 3.0 MB, 3.0 MB of it fetched now\n", "Fetching config.json");
    assert_non_null(strstr(out, "to use it      --model t/m\n"));
    expect(MODEL("list"), 0, "t/m      3.0 MB  0123456789ab  main\n", "");
    assert_int_equal(MODEL("pull", "t/m", "--from", hub.address, "--json"), 0);
    cJSON *root = piaa_json_parse(out, strlen(out), "out", NULL);
    int64_t fetched = -1;
    assert_true(piaa_json_int(root, "fetched_bytes", &fetched) && fetched == 0);
    assert_string_equal(piaa_json_string(root, "commit"), COMMIT);
    assert_true(piaa_file_is_folder(piaa_json_string(root, "folder")));
    cJSON_Delete(root);
    assert_int_equal(MODEL("list", "--json"), 0);
    root = piaa_json_parse(out, strlen(out), "out", NULL);
    assert_int_equal(cJSON_GetArraySize(root), 1);
    assert_string_equal(piaa_json_string(cJSON_GetArrayItem(root, 0), "model"), "t/m");
    cJSON_Delete(root);
    expect(MODEL("rm", "t/m"), 0, "", "Removed t/m, 3.0 MB");
    expect(MODEL("rm", "t/m"), 2, "", "t/m has not been pulled");
}

/* Two kinds of a model in GGUF files, side by side; each is used by the name that pull says. */
static void kinds(void **state) {
    (void)state;
    static const char files[] =
        "{\"sha\": \"" COMMIT
        "\", \"siblings\": [{\"rfilename\": \"m-Q4_K_M.gguf\", \"size\": 23}, "
        "{\"rfilename\": \"m-Q8_0.gguf\", \"size\": 23}, {\"rfilename\": \"mmproj-F16.gguf\", "
        "\"size\": 23}]}";
    hub.documents[0] = (document){"/api/models/t/m/revision/main?blobs=true", files, strlen(files)};
    hub.documents[3] = (document){"/t/m/resolve/" COMMIT "/m-Q4_K_M.gguf", CONFIG, strlen(CONFIG)};
    hub.documents[4] = (document){"/t/m/resolve/" COMMIT "/m-Q8_0.gguf", CONFIG, strlen(CONFIG)};
    hub.documents[5] =
        (document){"/t/m/resolve/" COMMIT "/mmproj-F16.gguf", CONFIG, strlen(CONFIG)};
    expect(MODEL("pull", "t/m", "--from", hub.address), 0, "to use it      --model t/m:Q4_K_M\n",
           "Fetching mmproj-F16.gguf");
    expect(MODEL("pull", "hf.co/t/m", "--file", "m-Q8_0.gguf", "--from", hub.address), 0,
           "to use it      --model t/m:Q8_0\n", "");
    expect(MODEL("list"), 0, "t/m:Q4_K_M      0.0 kB  0123456789ab  main\nt/m:Q8_0        0.0 kB",
           "");
    expect(MODEL("info", "t/m:Q8_0"), 1, "", "m-Q8_0.gguf is not a GGUF file");
    expect(MODEL("info", "t/m:Q6_K"), 1, "",
           "has not been pulled: piaa model pull t/m:Q6_K fetches it");
    expect(MODEL("pull", "t/m:Q6_K", "--from", hub.address), 2, "",
           "it holds Q4_K_M (0.0 MB), Q8_0 (0.0 MB)");
    expect(MODEL("pull", "t/m", "--mmproj", "m-Q8_0.gguf", "--from", hub.address), 2, "",
           "has no vision part m-Q8_0.gguf; it holds mmproj-F16.gguf");
    expect(MODEL("rm", "t/m:Q8_0"), 0, "", "Removed t/m:Q8_0");
    expect(MODEL("rm", "t/m:Q8_0"), 2, "", "t/m:Q8_0 has not been pulled");
    expect(MODEL("rm", "t/m"), 0, "", "Removed t/m");
    expect(MODEL("list"), 0, "", "No model has been pulled yet");
}

static void refusals(void **state) {
    (void)state;
    expect(MODEL("pull", "quen3-vl-4b"), 2, "", "is not the name of a model");
    expect(MODEL("pull"), 2, "", "missing");
    expect(MODEL("pull", "t/other", "--from", hub.address), 1, "", "has no model t/other");
    expect(MODEL("pull", "t/m", "--from", "ftp://127.0.0.1"), 2, "",
           "not one that begins with https://");
    assert_int_equal(MODEL("pull", "--help"), 0);
    assert_non_null(strstr(out, "HF_TOKEN"));
}

/* Ctrl-C in the middle keeps what has come. */
static void interrupted(void **state) {
    (void)state;
    hub.faults[0] = (fault){"/model.safetensors", TRICKLE, 1, 0, NULL};
    pid_t child = start(WORDS("pull", "t/m", "--from", hub.address));
    char *part = support_join(world, "cache/piaa/models/t--m/" COMMIT "/model.safetensors.part");
    struct stat status = {0};
    for (int i = 0; i < 400 && (stat(part, &status) != 0 || !status.st_size); i++) nap(25);
    assert_true(status.st_size > 0);
    assert_int_equal(kill(child, SIGINT), 0);
    expect(finish(child), 130, "", "piaa model pull: stopped");
    assert_true(piaa_file_exists(part));
    free(part);
    expect(MODEL("list"), 0, "unfinished: pull it again", "");
    expect(MODEL("pull", "t/m", "--from", hub.address), 0, "3.0 MB", "");
    assert_true(hub.requests[hub.request_count - 1].from > 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {TEST(pull_list_remove), TEST(kinds), TEST(refusals),
                                       TEST(interrupted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

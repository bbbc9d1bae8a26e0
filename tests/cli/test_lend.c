/* piaa devices, piaa lend, and --device rpc://…, with the built program on both sides: what comes
 * back is what the CPU gives, and a server that is killed half-way costs no more than the photo in
 * hand. */
#include "program.h"

#include "base/json.h"
#include "features/store.h"
#include "vlm/server.h"

static const program_way lending = {.name = "lend"}, running = {.name = "run"};

/* --------------------------------------------------------------------------------------- server */

typedef struct lender {
    pid_t child;
    int port;
    char listen[32], device[48]; /* "127.0.0.1:PORT", "rpc://127.0.0.1:PORT" */
} lender;

static lender lend(int port) {
    lender l = {.port = port};
    snprintf(l.listen, sizeof l.listen, "127.0.0.1:%d", port);
    snprintf(l.device, sizeof l.device, "rpc://127.0.0.1:%d", port);
    l.child = program_start(lending, WORDS("lend", "--listen", l.listen, "--device", "cpu", ONE));
    server_wait(l.child, port);
    return l;
}

static void end(const lender *l) {
    kill(l->child, SIGINT);
    expect_ok(program_finish(lending, l->child));
}

/* ---------------------------------------------------------------------------------------- tests */

static void test_devices(void **state) {
    (void)state;
    expect_ok(PIAA("devices"));
    assert_non_null(strstr(out, "\ncpu "));
    assert_non_null(strstr(out, "(auto)"));
    expect_ok(PIAA("devices", "--csv"));
    assert_int_equal(strncmp(out, "device,description,memory,memory_free,gpu,auto\ncpu,", 51), 0);
    expect_ok(PIAA("devices", "--json"));
    piaa_error error = {0};
    cJSON *list = piaa_json_parse(out, strlen(out), "standard output", &error);
    assert_true(cJSON_GetArraySize(list) >= 1);
    assert_string_equal(piaa_json_string(cJSON_GetArrayItem(list, 0), "device"), "cpu");
    cJSON_Delete(list);
    expect_refusal(PIAA("devices", "--json", "--csv"), 2, "piaa devices: ", "do not go together");
    expect_refusal(PIAA("devices", "cuda0"), 2, "piaa devices: ", "write rpc://HOST:PORT");
    lender l = lend(server_free_port());
    expect_ok(PIAA("devices", l.device));
    assert_non_null(strstr(out, l.device));
    end(&l);
}

static void test_refusals(void **state) {
    (void)state;
    char nobody[48];
    snprintf(nobody, sizeof nobody, "rpc://127.0.0.1:%d", server_free_port());
    char *photos = piaa_format(NULL, "%s/data/sample/photos", PIAA_SOURCE);
    expect_refusal(PIAA("embed", photos, "--out", "x.store", "--device", nobody), 1,
                   "piaa embed: ", "nobody lends a device");
    expect_refusal(PIAA("embed", photos, "--out", "x.store", "--device", "rpc://127.0.0.1:65536"),
                   2, "piaa embed: ", "from 1 to 65535");
    expect_refusal(PIAA("embed", photos, "--out", "x.store", "--device", "abacus"), 2,
                   "piaa embed: ", "no device abacus; devices: cpu");
    expect_refusal(PIAA("embed", photos, "--out", "x.store", "--device", "cuda77"), 2,
                   "piaa embed: ", "no device cuda77");
    expect_refusal(PIAA("rank", photos, "--ratings", "/dev/null", "--device"), 2,
                   "piaa rank: ", "--device needs a value");
    expect_refusal(PIAA("lend", "--listen", "127.0.0.1:x"), 2,
                   "piaa lend: ", "no address to listen at");
    snprintf(nobody, sizeof nobody, "127.0.0.1:%d", server_free_port());
    expect_refusal(PIAA("lend", "--listen", nobody, "--device", "abacus"), 2,
                   "piaa lend: ", "no device abacus");
    lender l = lend(server_free_port());
    expect_refusal(PIAA("lend", "--listen", l.listen, "--device", "cpu"), 1,
                   "piaa lend: ", "another server does already");
    end(&l);
    assert_non_null(strstr(err, "Lending at 127.0.0.1:"));
    assert_non_null(strstr(err, "Stopped.\n"));
    assert_string_equal(out, "");
    /* Its former name still does, and says so. */
    assert_int_equal(PIAA("serve", "--device", "abacus"), 2);
    assert_int_equal(strncmp(err, "piaa serve is called piaa lend now.\npiaa lend: ", 47), 0);
    expect_ok(PIAA("help", "serve"));
    assert_non_null(strstr(out, "Usage: piaa lend "));
    expect_ok(PIAA("help"));
    assert_null(strstr(out, "serve"));
    free(photos);
}

static piaa_store *open_store(const char *name) {
    char *path = at(name);
    piaa_error error = {0};
    piaa_store *store = piaa_store_open_read(path, NULL, &error);
    if (!store) fail_msg("%s", error.message);
    free(path);
    return store;
}

/* The largest relative error of the vectors of `name` against those of `reference`, which has as
   many photos. */
static double distance(const char *name, const char *reference) {
    piaa_store *a = open_store(name), *b = open_store(reference);
    double worst = 0;
    assert_int_equal(piaa_store_photos(a), piaa_store_photos(b));
    const piaa_slots *slots = piaa_store_slots(b);
    for (size_t i = 0; i < piaa_store_photos(b); i++) {
        const piaa_photo expected = piaa_store_photo(b, i),
                         found = piaa_store_find(a, expected.path);
        assert_non_null(found.path);
        for (int s = 0; s < (int)slots->count; s++) {
            const float *x = piaa_store_vector(a, s, found.row, NULL),
                        *y = piaa_store_vector(b, s, expected.row, NULL);
            assert_true(x && y);
            double e = support_relative_error(x, y, (size_t)slots->items[s].dim);
            if (e > worst) worst = e;
        }
    }
    piaa_store_close(a);
    piaa_store_close(b);
    return worst;
}

/* The server is killed when some photos are in the store; the same command goes on with another
   server at the same place. */
static void test_embed(void **state) {
    (void)state;
    lender l = lend(server_free_port());
    char *all = piaa_format(NULL, "%s/data/sample/photos", PIAA_SOURCE),
         *first = at("lost.store/lt.8.npy");
#define EMBED(STORE, DEVICE)                                                                       \
    WORDS("embed", all, "--out", STORE, "--pool", "lt,lv,v", "--layer", "all", "--device", DEVICE, \
          ONE)
    expect_ok(program_run(running, EMBED("cpu.store", "cpu")));
    expect_ok(program_run(running, EMBED("whole.store", l.device)));
    double e = distance("whole.store", "cpu.store");
    print_message("remote against here: relative error %.2g\n", e);
    assert_true(e <= 1e-4);

    pid_t child = program_start(running, EMBED("lost.store", l.device));
    struct stat status = {0};
    while (waitpid(child, NULL, WNOHANG) == 0 &&
           (stat(first, &status) != 0 || status.st_size < 1000))
        server_pause(2);
    kill(l.child, SIGKILL);
    waitpid(l.child, NULL, 0);
    expect_refusal(program_finish(running, child), 1,
                   "piaa embed: ", "went away in the middle of the work");
    assert_non_null(strstr(err, l.device));
    piaa_store *store = open_store("lost.store");
    const int64_t done = piaa_store_count(store).rows;
    piaa_store_close(store);
    assert_true(done >= 1 && done < 60);
    l = lend(l.port);
    expect_ok(program_run(running, EMBED("lost.store", l.device)));
    char *unchanged = piaa_format(NULL, " %lld unchanged;", (long long)done);
    assert_non_null(strstr(err, unchanged));
    assert_true(distance("lost.store", "whole.store") == 0);
    /* A store of one device goes on with another. */
    expect_ok(program_run(running, EMBED("lost.store", "cpu")));
    assert_non_null(strstr(err, "60 unchanged"));
    end(&l);
    free(unchanged);
    free(first);
    free(all);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_devices),
                                       cmocka_unit_test(test_refusals),
                                       cmocka_unit_test(test_embed)};
    return cmocka_run_group_tests(tests, program_begin, program_end);
}

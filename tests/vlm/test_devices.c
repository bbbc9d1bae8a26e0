/*
 * Every family on devices that are not the CPU, against Hugging Face transformers, to the bounds
 * that the CPU is held to: a server of ggml devices on loopback, and a device whose memory cannot
 * be touched from here (far_device.h) in three tempers: it does everything; it refuses operations
 * in the middle of every block; it multiplies nothing but float32.
 */
#include "far_device.h"
#include "fixture.h"
#include "server.h"

#include "vlm/device.h"
#include "vlm/remote.h"

#include <pthread.h>

static far_device far = {.name = "FAR0"};
static far_device picky = {.name = "FAR1",
                           .refused = {GGML_OP_OUT_PROD, GGML_OP_FLASH_ATTN_EXT, GGML_OP_CONCAT,
                                       GGML_OP_NORM, GGML_OP_SOFT_MAX, GGML_OP_ACC}};
static far_device narrow = {.name = "FAR2", .float32_only = true};

static char remote[64]; /* rpc://127.0.0.1:PORT */
static pid_t server;

/* -------------------------------------------------------------------------------- golden values */

static const struct {
    const char *folder, *pools, *key;
    bool decoder;
} models[] = {{"qwen3vl", "lt,lt_tail,lv,v", "cat.jpg|base", true},
              {"qwen25vl", "lt,lt_tail,lv,v", "cat.jpg|base", true},
              {"gemma3", "lt,lt_tail,lv,v", "cat.jpg|base", true},
              {"dinov3", "v,pooled", "cat.jpg", false},
              {"dinov3_gated", "v,pooled", "cat.jpg", false},
              {"clip", "v,projected", "cat.jpg", false},
              {"siglip", "v,pooled", "cat.jpg", false}};

static piaa_model_input *prepare(const fixture *f, const piaa_safetensors *golden, size_t m) {
    char key[96];
    snprintf(key, sizeof key, "%s|pixel_values", models[m].key);
    if (m > 1) return fixture_planes(f, golden, key, NULL);
    piaa_error error = {0};
    const int32_t *grid = support_tensor(golden, "cat.jpg|base|grid")->data;
    piaa_model_input *input = piaa_model_prepare_patches(
        f->model, support_tensor(golden, key)->data, grid[1], grid[2], NULL, &error);
    if (!input) fail_msg("%s", error.message);
    return input;
}

static double states(const fixture *f, const piaa_safetensors *golden, size_t m, const char *what,
                     bool vision) {
    char key[96];
    snprintf(key, sizeof key, "%s|%s", models[m].key, what);
    return fixture_states(f, golden, key, vision);
}

/* The largest relative error of pooled vectors, and where `whole` of states and logits too. */
static double check(size_t m, const char *device, const char *pools, const char *layers,
                    piaa_dtype dtype, bool whole) {
    char *home = support_join(PIAA_GOLDEN, models[m].folder),
         *file = support_join(home, "golden.safetensors");
    piaa_safetensors *golden = support_golden(file);
    fixture f = fixture_open(home, pools ? pools : models[m].pools, layers,
                             (piaa_session_options){.dtype = dtype,
                                                    .device = device,
                                                    .hidden = whole,
                                                    .logits = whole && models[m].decoder});
    piaa_model_input *input = prepare(&f, golden, m);
    fixture_run(&f, input);
    fixture_run(&f, input); /* the second run allocates anew */
    double worst = fixture_pools(&f, golden, models[m].key, ""), e = 0;
    if (whole) {
        e = states(&f, golden, m, "hidden", !models[m].decoder);
        worst = e > worst ? e : worst;
    }
    if (whole && models[m].decoder) {
        e = states(&f, golden, m, "vision", true);
        worst = e > worst ? e : worst;
        const piaa_tensor *logits = support_tensor(golden, "cat.jpg|base|logits");
        e = support_relative_error(piaa_session_logits(f.session), logits->data,
                                   (size_t)logits->shape[0]);
        worst = e > worst ? e : worst;
    }
    print_message("%s on %s, %s: relative error %.2g\n", models[m].folder,
                  piaa_session_device(f.session), piaa_dtype_name(dtype), worst);
    piaa_model_input_free(input);
    fixture_close(&f);
    piaa_safetensors_close(golden);
    free(file);
    free(home);
    return worst;
}

/* The cache is in the device's memory. */
static void check_continued(const char *device, double limit) {
    static const char *const families[] = {"qwen3vl", "gemma3"};
    static const piaa_dtype dtypes[] = {PIAA_DTYPE_F32, PIAA_DTYPE_BF16};
    for (size_t i = 0; i < PIAA_COUNT(families); i++)
        for (size_t k = 0; k < PIAA_COUNT(dtypes); k++) {
            char *home = support_join(PIAA_GOLDEN, families[i]), file[256];
            snprintf(file, sizeof file, PIAA_GOLDEN "/text/generate/%s.safetensors", families[i]);
            piaa_safetensors *golden = support_golden(file);
            fixture f =
                fixture_open(home, "lt", "0",
                             (piaa_session_options){
                                 .dtype = dtypes[k], .device = device, .logits = true, .cache = 1});
            const double e =
                fixture_forced(&f, golden, "cat.jpg", "base", &(piaa_ask){.generate = true});
            print_message("%s on %s, %s, going on: relative error %.2g\n", families[i],
                          piaa_session_device(f.session), piaa_dtype_name(dtypes[k]), e);
            assert_true(e <= (dtypes[k] == PIAA_DTYPE_F32 ? limit : 0.1));
            fixture_close(&f);
            piaa_safetensors_close(golden);
            free(home);
        }
}

static void check_all(const char *device, double limit) {
    check_continued(device, limit);
    for (size_t m = 0; m < PIAA_COUNT(models); m++) {
        assert_true(check(m, device, NULL, "all", PIAA_DTYPE_F32, true) <= limit);
        /* Requests of a few layers, whose last block keeps the text's rows alone. */
        assert_true(check(m, device, models[m].decoder ? "lt" : "v", "2", PIAA_DTYPE_F32, false) <=
                    limit);
        assert_true(check(m, device, models[m].decoder ? "lt" : "v", "0", PIAA_DTYPE_F32, false) <=
                    limit);
        /* Sixteen bits, with fused attention where the device has it. */
        assert_true(check(m, device, NULL, "all", PIAA_DTYPE_BF16, false) <= 0.1);
    }
    assert_true(check(1, device, "lt,v", "2", PIAA_DTYPE_Q8_0, false) <= 0.1);
}

static void test_far(void **state) {
    PIAA_UNUSED(state);
    check_all("far0", 1e-4);
    assert_true(far.computed > 1000);
    assert_int_equal(far.refusals, 0);
}

static void test_refusals(void **state) {
    PIAA_UNUSED(state);
    check_all("FAR1", 1e-4);
    assert_true(picky.computed > 1000);
    assert_true(picky.refusals > 100);
}

static void test_remote(void **state) {
    PIAA_UNUSED(state);
    check_all(remote, 1e-4);
}

/* What this build and this machine have beside the CPU; their arithmetic is not ours. */
static void test_hardware(void **state) {
    PIAA_UNUSED(state);
    piaa_device list[16];
    const size_t count = piaa_devices(list, PIAA_COUNT(list));
    size_t checked = 0;
    for (size_t i = 0; i < count && i < PIAA_COUNT(list); i++) {
        if (!list[i].gpu || strncmp(list[i].name, "far", 3) == 0) continue;
        print_message("%s: %s\n", list[i].name, list[i].description);
        check_all(list[i].name, 2e-3);
        checked++;
    }
    if (!checked) skip();
}

/* Weights that the device cannot multiply are held wider, and the session says so. */
static void test_types(void **state) {
    PIAA_UNUSED(state);
    static const piaa_dtype dtypes[] = {PIAA_DTYPE_BF16, PIAA_DTYPE_F16, PIAA_DTYPE_Q8_0};
    for (size_t i = 0; i < PIAA_COUNT(dtypes); i++) {
        fixture f = fixture_open(PIAA_GOLDEN "/gemma3", "lt", "2",
                                 (piaa_session_options){.dtype = dtypes[i], .device = "far2"});
        const char *note = piaa_session_note(f.session);
        assert_non_null(note);
        assert_non_null(strstr(note, "far2"));
        assert_non_null(strstr(note, "held as f32"));
        assert_int_equal(piaa_session_dtype(f.session), dtypes[i]);
        fixture_close(&f);
        assert_true(check(1, "far2", "lt,v", "2", dtypes[i], false) <= 0.1);
    }
    fixture f = fixture_open(PIAA_GOLDEN "/gemma3", "lt", "2",
                             (piaa_session_options){.dtype = PIAA_DTYPE_BF16, .device = "far0"});
    assert_null(piaa_session_note(f.session));
    fixture_close(&f);
}

static void test_profile(void **state) {
    PIAA_UNUSED(state);
    fixture f = fixture_open(PIAA_GOLDEN "/siglip", "v", "1",
                             (piaa_session_options){.dtype = PIAA_DTYPE_F32, .device = "far1"});
    piaa_model_input *input = fixture_file(&f, "cat.jpg", NULL);
    piaa_error error = {0};
    char *table = piaa_session_profile(f.session, input, f.out, &error);
    assert_non_null(table);
    assert_non_null(strstr(table, "MUL_MAT"));
    assert_non_null(strstr(table, "OUT_PROD"));
    free(table);
    piaa_model_input_free(input);
    fixture_close(&f);
}

/* ---------------------------------------------------------------------------------------- names */

static void refused(const char *name, piaa_code code, const char *part) {
    piaa_error error = {0};
    ggml_backend_dev_t device = piaa_device_find(name, &error);
    if (device || error.code != code || !strstr(error.message, part))
        fail_msg("%s: expected \"%s\", not %d \"%s\"", name, part, (int)error.code, error.message);
}

static void test_names(void **state) {
    PIAA_UNUSED(state);
    piaa_error error = {0};
    piaa_device list[8];
    const size_t count = piaa_devices(list, PIAA_COUNT(list));
    assert_true(count >= 4 && count <= PIAA_COUNT(list));
    assert_string_equal(list[0].name, "cpu");
    assert_true(!list[0].gpu && list[0].memory > 0);
    for (size_t i = 0; i < count; i++) {
        ggml_backend_dev_t device = piaa_device_find(list[i].name, &error);
        assert_non_null(device);
    }
    assert_int_equal(piaa_devices(NULL, 0), count);
    /* A GPU, if there is one, is what auto means. */
    ggml_backend_dev_t automatic = piaa_device_find(NULL, &error);
    assert_non_null(automatic);
    assert_false(piaa_device_is_cpu(automatic));
    assert_ptr_equal(piaa_device_find("auto", &error), automatic);
    assert_true(piaa_device_is_cpu(piaa_device_find("CPU", &error)));
    refused("far9", PIAA_USAGE, "there is no device far9; devices: cpu, ");
    refused("", PIAA_USAGE, "devices: cpu");
    refused("cpu0", PIAA_USAGE, "there is no device cpu0");
    if (!ggml_backend_reg_by_name("CUDA"))
        refused("cuda0", PIAA_USAGE, "this build has no CUDA; devices: cpu, ");
    if (!ggml_backend_reg_by_name("Vulkan"))
        refused("vulkan1", PIAA_USAGE, "this build has no Vulkan");
}

static void test_addresses(void **state) {
    PIAA_UNUSED(state);
    static const char *const wrong[] = {
        "rpc://",           "rpc://:50052",     "rpc://host:0",
        "rpc://host:65536", "rpc://host:-1",    "rpc://host:5x",
        "rpc://host:",      "rpc://host:1/",    "rpc://host:1/x",
        "rpc://host:1/256", "rpc://host:1/-1",  "rpc://[::1]:50052",
        "rpc://a b:50052",  "rpc://host:1/0/0", "rpc://host:99999999999999999999",
        "rpc:///1"};
    for (size_t i = 0; i < PIAA_COUNT(wrong); i++) {
        piaa_error error = {0};
        refused(wrong[i], PIAA_USAGE, "write rpc://HOST:PORT");
        assert_false(piaa_device_check(wrong[i], &error));
    }
    piaa_remote_address address;
    piaa_error error = {0};
    assert_true(piaa_remote_parse("rpc://studio", &address, &error));
    assert_string_equal(address.host, "studio");
    assert_int_equal(address.port, 50052);
    assert_true(piaa_remote_parse("rpc://10.0.0.7:65535/3", &address, &error));
    assert_string_equal(address.host, "10.0.0.7");
    assert_true(address.port == 65535 && address.device == 3);
    assert_true(piaa_device_check("rpc://nowhere.invalid:1", &error)); /* without a look */
    refused("rpc://nowhere.invalid:1", PIAA_IO, "cannot be found");
}

/* -------------------------------------------------------------------------------------- servers */

/* Somebody else's server: says `answer` to the first client, then hangs up. */
typedef struct stranger {
    int handle;
    const void *answer;
    size_t size;
} stranger;

static void *answer_one(void *argument) {
    const stranger *s = argument;
    int client = accept(s->handle, NULL, NULL);
    char room[64];
    if (recv(client, room, sizeof room, 0) >= 0 && s->size)
        PIAA_UNUSED(piaa_send(client, s->answer, s->size));
    close(client);
    return NULL;
}

static void meet_stranger(const void *answer, size_t size, piaa_code code, const char *part) {
    int port = 0;
    stranger s = {.answer = answer, .size = size};
    s.handle = server_listen(&port);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, answer_one, &s), 0);
    char name[64];
    snprintf(name, sizeof name, "rpc://127.0.0.1:%d", port);
    refused(name, code, part);
    pthread_join(thread, NULL);
    close(s.handle);
}

static void test_strangers(void **state) {
    PIAA_UNUSED(state);
    char name[96];
    snprintf(name, sizeof name, "rpc://127.0.0.1:%d", server_free_port());
    refused(name, PIAA_IO, "nobody lends a device");
    meet_stranger("HTTP/1.1 400 Bad Request\r\n\r\n", 28, PIAA_IO,
                  "is not a server of ggml devices");
    meet_stranger("", 0, PIAA_IO, "is not a server of ggml devices");
    meet_stranger("\x1c\0\0", 3, PIAA_IO, "is not a server of ggml devices");
    meet_stranger("\x1c\0\0\0\0\0\0\0\x06\x01\0\0", 12, PIAA_MISMATCH, "speaks version 6.1");
    snprintf(name, sizeof name, "%s/1", remote);
    refused(name, PIAA_USAGE, "lends 1 device, numbered from 0");
}

static void test_busy(void **state) {
    PIAA_UNUSED(state);
    fixture f = fixture_open(PIAA_GOLDEN "/clip", "v", "0",
                             (piaa_session_options){.dtype = PIAA_DTYPE_F32, .device = remote});
    refused(remote, PIAA_BUSY, "busy with another client");
    fixture_close(&f);
}

static void test_serve_refusals(void **state) {
    PIAA_UNUSED(state);
    static const char *const wrong[] = {"",
                                        "127.0.0.1",
                                        "127.0.0.1:0",
                                        "127.0.0.1:65536",
                                        "localhost:50052",
                                        "300.0.0.1:50052",
                                        ":50052"};
    piaa_error error = {0};
    for (size_t i = 0; i < PIAA_COUNT(wrong); i++) {
        error = (piaa_error){0};
        if (strcmp(wrong[i], "127.0.0.1") == 0) continue; /* the usual port */
        assert_false(piaa_remote_serve(wrong[i], "cpu", 1, NULL, NULL, &error));
        assert_int_equal(error.code, PIAA_USAGE);
    }
    error = (piaa_error){0};
    assert_false(piaa_remote_serve(remote + strlen("rpc://"), "cpu", 1, NULL, NULL, &error));
    assert_int_equal(error.code, PIAA_IO);
    assert_non_null(strstr(error.message, "another server does already"));
    char place[64];
    snprintf(place, sizeof place, "127.0.0.1:%d", server_free_port());
    error = (piaa_error){0};
    assert_false(piaa_remote_serve(place, "far9", 1, NULL, NULL, &error));
    assert_non_null(strstr(error.message, "there is no device far9"));
    error = (piaa_error){0};
    assert_false(piaa_remote_serve(place, remote, 1, NULL, NULL, &error));
    assert_non_null(strstr(error.message, "another machine's"));
}

static int start_server(void **state) {
    PIAA_UNUSED(state);
    int port = server_free_port(), alive[2];
    if (pipe(alive) != 0) return 1;
    fflush(NULL);
    server = fork();
    if (server == 0) {
        piaa_error error = {0};
        char place[64];
        close(alive[1]);
        if (!freopen("/dev/null", "w", stdout)) _exit(99);
        snprintf(place, sizeof place, "127.0.0.1:%d", port);
        pid_t keeper = fork(); /* ends the server when the test does, however that ends */
        if (keeper == 0) {
            char byte;
            PIAA_UNUSED(read(alive[0], &byte, 1) == 0);
            kill(getppid(), SIGKILL);
            _exit(0);
        }
        _exit(piaa_remote_serve(place, "cpu", 1, NULL, NULL, &error) ? 0 : 98);
    }
    close(alive[0]);
    snprintf(remote, sizeof remote, "rpc://127.0.0.1:%d", port);
    server_wait(server, port);
    far_device_add(&far);
    far_device_add(&picky);
    far_device_add(&narrow);
    return 0;
}

static int stop_server(void **state) {
    PIAA_UNUSED(state);
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_far),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_remote),
        cmocka_unit_test(test_hardware),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_profile),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_busy),
        cmocka_unit_test(test_serve_refusals),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}

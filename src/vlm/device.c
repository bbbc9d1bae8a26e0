/* The devices that ggml was built with: what they are called, which one is meant, what they can
   do. */
#include "vlm/device.h"

#include "vlm/remote.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static void ignore(enum ggml_log_level level, const char *text, void *data) {
    PIAA_UNUSED(level);
    PIAA_UNUSED(text);
    PIAA_UNUSED(data);
}

void piaa_device_quiet(void) {
    ggml_log_set(ignore, NULL);
}

static bool is_gpu(ggml_backend_dev_t device) {
    const enum ggml_backend_dev_type type = ggml_backend_dev_type(device);
    return type == GGML_BACKEND_DEVICE_TYPE_GPU || type == GGML_BACKEND_DEVICE_TYPE_IGPU;
}

bool piaa_device_is_cpu(ggml_backend_dev_t device) {
    return ggml_backend_dev_type(device) == GGML_BACKEND_DEVICE_TYPE_CPU;
}

/* The i-th device that can run a model by itself (ggml also has helpers of the CPU's), the CPU
   first; NULL after the last. */
static ggml_backend_dev_t nth(size_t i) {
    piaa_device_quiet();
    for (int gpu = 0; gpu < 2; gpu++)
        for (size_t d = 0; d < ggml_backend_dev_count(); d++) {
            ggml_backend_dev_t device = ggml_backend_dev_get(d);
            if ((gpu ? is_gpu(device) : piaa_device_is_cpu(device)) && i-- == 0) return device;
        }
    return NULL;
}

void piaa_device_describe(ggml_backend_dev_t device, piaa_device *out) {
    *out = (piaa_device){.gpu = is_gpu(device)};
    snprintf(out->name, sizeof out->name, "%s", ggml_backend_dev_name(device));
    for (char *c = out->name; *c; c++) *c = (char)tolower((unsigned char)*c);
    snprintf(out->description, sizeof out->description, "%s", ggml_backend_dev_description(device));
    size_t unused = 0, total = 0;
    ggml_backend_dev_memory(device, &unused, &total);
    out->memory = (int64_t)total;
    out->memory_free = (int64_t)unused;
}

size_t piaa_devices(piaa_device *out, size_t room) {
    size_t count = 0;
    for (ggml_backend_dev_t device; (device = nth(count)); count++)
        if (count < room) piaa_device_describe(device, &out[count]);
    return count;
}

/* "cuda0" is CUDA's. */
static bool is_of(const char *name, const char *backend) {
    const size_t n = strcspn(name, "0123456789");
    return n == strlen(backend) && strncasecmp(name, backend, n) == 0;
}

static bool no_such_device(const char *name, piaa_error *error) {
    static const char *const kinds[] = {"CUDA", "Vulkan", "Metal", "ROCm",
                                        "SYCL", "OpenCL", "MUSA"};
    char known[512] = "", why[128] = "";
    piaa_device device;
    ggml_backend_dev_t each;
    for (size_t i = 0; (each = nth(i)); i++) {
        const size_t used = strlen(known);
        piaa_device_describe(each, &device);
        snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", device.name);
    }
    for (size_t i = 0; i < PIAA_COUNT(kinds); i++) {
        if (!is_of(name, kinds[i])) continue;
        ggml_backend_reg_t built = ggml_backend_reg_by_name(kinds[i]);
        if (!built)
            snprintf(why, sizeof why, ": this build has no %s", kinds[i]);
        else if (ggml_backend_reg_dev_count(built) == 0)
            snprintf(why, sizeof why, ": %s finds none on this machine (is its driver installed?)",
                     kinds[i]);
    }
    return piaa_error_set(error, PIAA_USAGE,
                          "there is no device %.60s%s; devices: %s, and rpc://HOST:PORT for one "
                          "of another machine (piaa lend)",
                          name, why, known);
}

static ggml_backend_dev_t find_here(const char *name, piaa_error *error) {
    const bool any = !name || strcasecmp(name, "auto") == 0;
    ggml_backend_dev_t device, cpu = NULL;
    for (size_t i = 0; (device = nth(i)); i++) {
        if (any ? is_gpu(device) : strcasecmp(name, ggml_backend_dev_name(device)) == 0)
            return device;
        if (piaa_device_is_cpu(device)) cpu = device;
    }
    if (any && cpu) return cpu;
    no_such_device(any ? "auto" : name, error);
    return NULL;
}

ggml_backend_dev_t piaa_device_find(const char *name, piaa_error *error) {
    return name && piaa_remote_is(name) ? piaa_remote_find(name, error) : find_here(name, error);
}

bool piaa_device_check(const char *name, piaa_error *error) {
    piaa_remote_address address;
    return name && piaa_remote_is(name) ? piaa_remote_parse(name, &address, error)
                                        : find_here(name, error) != NULL;
}

const char *piaa_device_absent(size_t i) {
    for (size_t r = 0; r < ggml_backend_reg_count(); r++) {
        ggml_backend_reg_t built = ggml_backend_reg_get(r);
        const char *name = ggml_backend_reg_name(built);
        if (strcmp(name, "RPC") == 0 || ggml_backend_reg_dev_count(built) > 0) continue;
        if (i-- == 0) return name;
    }
    return NULL;
}

bool piaa_device_multiplies(ggml_backend_dev_t device, enum ggml_type type, int64_t columns,
                            int64_t rows) {
    enum { TENSORS = 4, TOKENS = 64 };
    struct ggml_context *context = ggml_init(
        (struct ggml_init_params){.mem_size = TENSORS * ggml_tensor_overhead(), .no_alloc = true});
    if (!context) return false;
    struct ggml_tensor *x = ggml_new_tensor_2d(context, GGML_TYPE_F32, columns, TOKENS);
    const bool can = ggml_backend_dev_supports_op(
        device, ggml_mul_mat(context, ggml_new_tensor_2d(context, type, columns, rows), x));
    ggml_free(context);
    return can;
}

void piaa_device_on_abort(void (*tell)(const char *message)) {
    ggml_set_abort_callback(tell);
}

/* The device whose memory is elsewhere. */
#include "far_device.h"

#include <fcntl.h>
#include <ggml-backend-impl.h>
#include <ggml-cpu.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* -------------------------------------------------------------------------------------- buffers */

typedef struct memory {
    char *shown; /* nobody may touch it */
    char *real;
    size_t size;
} memory;

static char *map(size_t size, int rights) {
    const int zeros = open("/dev/zero", O_RDWR);
    void *at = zeros < 0 ? MAP_FAILED : mmap(NULL, size, rights, MAP_PRIVATE, zeros, 0);
    if (zeros >= 0) close(zeros);
    return at == MAP_FAILED ? NULL : at;
}

static char *real_address(const memory *m, const struct ggml_tensor *tensor) {
    return m->real + ((char *)tensor->data - m->shown);
}

static void free_buffer(ggml_backend_buffer_t buffer) {
    memory *m = buffer->context;
    munmap(m->shown, m->size);
    munmap(m->real, m->size);
    free(m);
}

static void *get_base(ggml_backend_buffer_t buffer) {
    return ((memory *)buffer->context)->shown;
}

static void memset_tensor(ggml_backend_buffer_t buffer, struct ggml_tensor *tensor, uint8_t value,
                          size_t offset, size_t size) {
    memset(real_address(buffer->context, tensor) + offset, value, size);
}

static void set_tensor(ggml_backend_buffer_t buffer, struct ggml_tensor *tensor, const void *data,
                       size_t offset, size_t size) {
    memcpy(real_address(buffer->context, tensor) + offset, data, size);
}

static void get_tensor(ggml_backend_buffer_t buffer, const struct ggml_tensor *tensor, void *data,
                       size_t offset, size_t size) {
    memcpy(data, real_address(buffer->context, tensor) + offset, size);
}

static void clear(ggml_backend_buffer_t buffer, uint8_t value) {
    memory *m = buffer->context;
    memset(m->real, value, m->size);
}

static const char *buffer_name(ggml_backend_buffer_type_t type) {
    return ((far_device *)type->context)->name;
}

static ggml_backend_buffer_t alloc_buffer(ggml_backend_buffer_type_t type, size_t size) {
    memory *m = calloc(1, sizeof *m);
    if (!m) return NULL;
    m->size = size ? size : 1;
    m->shown = map(m->size, PROT_NONE);
    m->real = map(m->size, PROT_READ | PROT_WRITE);
    if (!m->shown || !m->real) abort();
    memset(m->real, 0xff, m->size); /* not a number, for whoever reads before anybody wrote */
    const struct ggml_backend_buffer_i functions = {.free_buffer = free_buffer,
                                                    .get_base = get_base,
                                                    .memset_tensor = memset_tensor,
                                                    .set_tensor = set_tensor,
                                                    .get_tensor = get_tensor,
                                                    .clear = clear};
    return ggml_backend_buffer_init(type, functions, m, size);
}

static size_t get_alignment(ggml_backend_buffer_type_t type) {
    (void)type;
    return 128;
}

/* ------------------------------------------------------------------------------------- back end */

static const char *backend_name(ggml_backend_t backend) {
    return ((far_device *)backend->device->context)->name;
}

static void free_backend(ggml_backend_t backend) {
    ggml_backend_free(backend->context);
    free(backend);
}

/* Lets a tensor of this device's point to its real memory; the number of those moved so far. */
static size_t move(ggml_backend_dev_t device, struct ggml_tensor *tensor,
                   struct ggml_tensor **moved, size_t count) {
    if (!tensor || !tensor->buffer || tensor->buffer->buft->device != device) return count;
    const memory *m = tensor->buffer->context;
    if ((char *)tensor->data < m->shown || (char *)tensor->data >= m->shown + m->size)
        return count; /* already */
    tensor->data = real_address(m, tensor);
    moved[count] = tensor;
    return count + 1;
}

static enum ggml_status graph_compute(ggml_backend_t backend, struct ggml_cgraph *graph) {
    far_device *far = backend->device->context;
    const int nodes = ggml_graph_n_nodes(graph);
    struct ggml_tensor **moved = calloc((size_t)nodes * (GGML_MAX_SRC + 1) + 1, sizeof(*moved));
    size_t count = 0;
    if (!moved) return GGML_STATUS_ALLOC_FAILED;
    for (int i = 0; i < nodes; i++) {
        struct ggml_tensor *node = ggml_graph_node(graph, i);
        count = move(backend->device, node, moved, count);
        for (int s = 0; s < GGML_MAX_SRC; s++)
            count = move(backend->device, node->src[s], moved, count);
    }
    const enum ggml_status status = ggml_backend_graph_compute(backend->context, graph);
    for (size_t i = 0; i < count; i++) {
        const memory *m = moved[i]->buffer->context;
        moved[i]->data = m->shown + ((char *)moved[i]->data - m->real);
    }
    free(moved);
    far->computed += nodes;
    return status;
}

/* --------------------------------------------------------------------------------------- device */

static const char *device_name(ggml_backend_dev_t device) {
    return ((far_device *)device->context)->name;
}

static const char *device_description(ggml_backend_dev_t device) {
    (void)device;
    return "the CPU, from afar";
}

static void device_memory(ggml_backend_dev_t device, size_t *unused, size_t *total) {
    (void)device;
    *unused = *total = (size_t)1 << 30;
}

static enum ggml_backend_dev_type device_type(ggml_backend_dev_t device) {
    (void)device;
    return GGML_BACKEND_DEVICE_TYPE_GPU;
}

static void device_props(ggml_backend_dev_t device, struct ggml_backend_dev_props *out) {
    *out = (struct ggml_backend_dev_props){.name = device_name(device),
                                           .description = device_description(device),
                                           .type = device_type(device)};
    device_memory(device, &out->memory_free, &out->memory_total);
}

static ggml_backend_t init_backend(ggml_backend_dev_t device, const char *parameters) {
    static uint8_t guid[16] = "piaa far device";
    (void)parameters;
    ggml_backend_t backend = calloc(1, sizeof *backend);
    if (!backend) return NULL;
    *backend = (struct ggml_backend){
        .guid = &guid,
        .iface = {.get_name = backend_name, .free = free_backend, .graph_compute = graph_compute},
        .device = device,
        .context = ggml_backend_cpu_init()};
    ggml_backend_cpu_set_n_threads(backend->context, 1);
    return backend;
}

static bool supports_op(ggml_backend_dev_t device, const struct ggml_tensor *op) {
    far_device *far = device->context;
    if (op->op == GGML_OP_CUSTOM ||
        !ggml_backend_dev_supports_op(ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU), op))
        return false;
    bool refused =
        far->float32_only && op->op == GGML_OP_MUL_MAT && op->src[0]->type != GGML_TYPE_F32;
    for (const enum ggml_op *r = far->refused; *r != GGML_OP_NONE; r++)
        refused = refused || op->op == *r;
    far->refusals += refused;
    return !refused;
}

static bool supports_buft(ggml_backend_dev_t device, ggml_backend_buffer_type_t type) {
    return type->device == device;
}

/* The device and the one type of its buffers. */
typedef struct registered {
    struct ggml_backend_device device;
    struct ggml_backend_buffer_type buffers;
} registered;

static ggml_backend_buffer_type_t get_buffer_type(ggml_backend_dev_t device) {
    return &((registered *)(void *)device)->buffers; /* the device is its first member */
}

void far_device_add(far_device *far) {
    static registered room[8]; /* ggml keeps them */
    static size_t count;
    if (count == sizeof room / sizeof *room) abort();
    registered *r = &room[count++];
    r->device = (struct ggml_backend_device){.iface = {.get_name = device_name,
                                                       .get_description = device_description,
                                                       .get_memory = device_memory,
                                                       .get_type = device_type,
                                                       .get_props = device_props,
                                                       .init_backend = init_backend,
                                                       .get_buffer_type = get_buffer_type,
                                                       .supports_op = supports_op,
                                                       .supports_buft = supports_buft},
                                             .context = far};
    r->buffers = (struct ggml_backend_buffer_type){.iface = {.get_name = buffer_name,
                                                             .alloc_buffer = alloc_buffer,
                                                             .get_alignment = get_alignment},
                                                   .device = &r->device,
                                                   .context = far};
    ggml_backend_device_register(&r->device);
}

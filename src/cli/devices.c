/* piaa devices: what --device can name. */
#include "base/visible.h"
#include "cli/commands.h"
#include "report/report.h"
#include "vlm/device.h"
#include "vlm/remote.h"

#include <stdlib.h>
#include <string.h>

enum { DEVICES = 64 };

typedef struct device_list {
    piaa_device items[DEVICES];
    size_t count;
} device_list;

static bool add_server(device_list *list, const char *name, piaa_error *error) {
    size_t count = 0;
    if (!piaa_remote_is(name))
        return piaa_error_set(error, PIAA_USAGE,
                              "%.200s is no address of a server: write rpc://HOST:PORT", name);
    if (!piaa_remote_devices(name, list->items + list->count, DEVICES - list->count, &count, error))
        return false;
    list->count += count < DEVICES - list->count ? count : DEVICES - list->count;
    return true;
}

static bool table(const device_list *list, const char *automatic, piaa_text *out,
                  piaa_error *error) {
    size_t width = strlen("device");
    for (size_t i = 0; i < list->count; i++)
        width = strlen(list->items[i].name) > width ? strlen(list->items[i].name) : width;
    piaa_text_format(out, error, "%-*s  memory    free      what\n", (int)width, "device");
    for (size_t i = 0; i < list->count; i++) {
        const piaa_device *d = &list->items[i];
        piaa_text_format(out, error, "%-*s  %5.1f GB  %5.1f GB  ", (int)width, d->name,
                         (double)d->memory / 1e9, (double)d->memory_free / 1e9);
        piaa_visible_add(out, d->description, error);
        piaa_text_format(out, error, "%s\n", strcmp(d->name, automatic) == 0 ? " (auto)" : "");
    }
    return !out->failed;
}

static bool csv(const device_list *list, const char *automatic, piaa_text *out, piaa_error *error) {
    piaa_text_format(out, error, "device,description,memory,memory_free,gpu,auto\n");
    for (size_t i = 0; i < list->count; i++) {
        const piaa_device *d = &list->items[i];
        piaa_report_add_field(out, d->name, error);
        piaa_text_format(out, error, ",");
        piaa_report_add_field(out, d->description, error);
        piaa_text_format(out, error, ",%lld,%lld,%d,%d\n", (long long)d->memory,
                         (long long)d->memory_free, d->gpu, strcmp(d->name, automatic) == 0);
    }
    return !out->failed;
}

static bool json(const device_list *list, const char *automatic, piaa_error *error) {
    piaa_json_build out = {.root = cJSON_CreateArray()};
    for (size_t i = 0; i < list->count; i++) {
        const piaa_device *d = &list->items[i];
        cJSON *item = piaa_json_put(&out, out.root, NULL, cJSON_CreateObject());
        piaa_json_put_text(&out, item, "device", d->name);
        piaa_json_put_text(&out, item, "description", d->description);
        piaa_report_put_integer(&out, item, "memory", d->memory);
        piaa_report_put_integer(&out, item, "memory_free", d->memory_free);
        piaa_json_put(&out, item, "gpu", cJSON_CreateBool(d->gpu));
        piaa_json_put(&out, item, "auto", cJSON_CreateBool(strcmp(d->name, automatic) == 0));
    }
    const bool ok = piaa_report_write_json(stdout, piaa_json_built(&out), error);
    cJSON_Delete(out.root);
    return ok;
}

static bool print(const piaa_call *call, const device_list *list, const char *automatic,
                  piaa_error *error) {
    if (piaa_call_has(call, "json")) return json(list, automatic, error);
    piaa_text text = {0};
    const bool ok = (piaa_call_has(call, "csv") ? csv : table)(list, automatic, &text, error) &&
                    piaa_report_write(stdout, text.data, text.length, error);
    free(text.data);
    return ok;
}

static bool find_all(const piaa_call *call, device_list *list, piaa_error *error) {
    if (!call->operand_count) list->count = piaa_devices(list->items, DEVICES);
    for (size_t i = 0; i < call->operand_count; i++)
        if (!add_server(list, call->operands[i], error)) return false;
    return true;
}

static bool run(piaa_call *call, piaa_error *error) {
    if (!piaa_call_exclude(call, "json", "csv", error)) return false;
    piaa_device automatic;
    ggml_backend_dev_t chosen = piaa_device_find("auto", error);
    if (!chosen) return false;
    piaa_device_describe(chosen, &automatic);
    device_list *list = piaa_alloc(1, sizeof *list, error);
    const bool ok = list && find_all(call, list, error) && print(call, list, automatic.name, error);
    const char *absent;
    for (size_t i = 0; ok && !call->operand_count && (absent = piaa_device_absent(i)); i++)
        piaa_talk_note(
            &call->talk,
            "This build has %s, which finds no device on this machine: is its driver installed?",
            absent);
    free(list);
    return ok;
}

static const piaa_option options[] = {
    {"json", NULL, "print JSON", NULL, NULL},
    {"csv", NULL, "print CSV: device,description,memory,memory_free,gpu,auto", NULL, NULL},
    {0},
};

const piaa_command piaa_command_devices = {
    .name = "devices",
    .summary = "List what --device can name: the CPU, GPUs, another machine's",
    .example = "piaa devices\npiaa devices rpc://studio:50052\n",
    .operands = "[rpc://HOST:PORT…]",
    .most = -1,
    .groups = {{"Options", options}},
    .notes = "(auto) marks the one that is used where --device is not given: the first GPU, or the "
             "CPU where there is none. With the address "
             "of a piaa lend it lists the devices that are lent there. JSON and CSV give memory "
             "in bytes.",
    .run = run,
};

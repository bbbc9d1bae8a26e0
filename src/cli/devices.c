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
    bool ok =
        piaa_text_format(out, error, "%-*s  memory    free      what\n", (int)width, "device");
    for (size_t i = 0; ok && i < list->count; i++) {
        const piaa_device *d = &list->items[i];
        ok = piaa_text_format(out, error, "%-*s  %5.1f GB  %5.1f GB  ", (int)width, d->name,
                              (double)d->memory / 1e9, (double)d->memory_free / 1e9) &&
             piaa_visible_add(out, d->description, error) &&
             piaa_text_format(out, error, "%s\n", strcmp(d->name, automatic) == 0 ? " (auto)" : "");
    }
    return ok;
}

static bool csv(const device_list *list, const char *automatic, piaa_text *out, piaa_error *error) {
    bool ok = piaa_text_format(out, error, "device,description,memory,memory_free,gpu,auto\n");
    for (size_t i = 0; ok && i < list->count; i++) {
        const piaa_device *d = &list->items[i];
        ok = piaa_report_add_field(out, d->name, error) && piaa_text_format(out, error, ",") &&
             piaa_report_add_field(out, d->description, error) &&
             piaa_text_format(out, error, ",%lld,%lld,%d,%d\n", (long long)d->memory,
                              (long long)d->memory_free, d->gpu, strcmp(d->name, automatic) == 0);
    }
    return ok;
}

static bool json(const device_list *list, const char *automatic, piaa_error *error) {
    cJSON *root = cJSON_CreateArray();
    for (size_t i = 0; i < list->count; i++) {
        const piaa_device *d = &list->items[i];
        cJSON *item = cJSON_CreateObject();
        cJSON_AddItemToObject(item, "device", cJSON_CreateString(d->name));
        cJSON_AddItemToObject(item, "description", cJSON_CreateString(d->description));
        piaa_report_add_integer(item, "memory", d->memory);
        piaa_report_add_integer(item, "memory_free", d->memory_free);
        cJSON_AddBoolToObject(item, "gpu", d->gpu);
        cJSON_AddBoolToObject(item, "auto", strcmp(d->name, automatic) == 0);
        cJSON_AddItemToArray(root, item);
    }
    const bool ok = piaa_report_write_json(stdout, root, error);
    cJSON_Delete(root);
    return ok;
}

static bool run(piaa_call *call, piaa_error *error) {
    if (!piaa_call_exclude(call, "json", "csv", error)) return false;
    piaa_device automatic;
    ggml_backend_dev_t chosen = piaa_device_find("auto", error);
    if (!chosen) return false;
    piaa_device_describe(chosen, &automatic);
    device_list *list = piaa_alloc(1, sizeof *list, error);
    bool ok = list != NULL;
    if (ok && !call->operand_count) list->count = piaa_devices(list->items, DEVICES);
    for (size_t i = 0; ok && i < call->operand_count; i++)
        ok = add_server(list, call->operands[i], error);
    piaa_text text = {0};
    if (ok && piaa_call_has(call, "json"))
        ok = json(list, automatic.name, error);
    else
        ok = ok && (piaa_call_has(call, "csv") ? csv : table)(list, automatic.name, &text, error) &&
             piaa_report_write(stdout, text.data, text.length, error);
    const char *absent;
    for (size_t i = 0; ok && !call->operand_count && (absent = piaa_device_absent(i)); i++)
        piaa_talk_note(
            &call->talk,
            "This build has %s, which finds no device on this machine: is its driver installed?",
            absent);
    free(text.data);
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

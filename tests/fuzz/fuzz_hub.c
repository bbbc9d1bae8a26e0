/* Any bytes as a hub's list of files: what comes through has to be safe as paths.  The same bytes
   as a model's name. */
#include "hub/hub.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    piaa_error error = {0};
    piaa_hub_list list;
    static const piaa_gguf_wish wishes[] = {{0}, {.quant = "Q8_0"}};
    if (piaa_hub_list_parse((const char *)data, size, "fuzz", &wishes[size % 2], &list, &error)) {
        if (strchr(list.label, '/') || list.label[0] == '.') abort();
        if (!piaa_hub_is_commit(list.commit) || list.count < 2) abort();
        for (size_t i = 0; i < list.count; i++) {
            const piaa_hub_file *file = &list.files[i];
            if (!file->name[0] || file->name[0] == '.' || strchr(file->name, '/') ||
                file->size < -1)
                abort();
            if (strlen(file->sha256) % 64 != 0 || strlen(file->sha1) % 40 != 0) abort();
        }
        piaa_hub_list_free(&list);
    } else if (!error.message[0] || list.files) {
        abort();
    }
    char text[256] = "";
    piaa_hub_name name;
    memcpy(text, data, size < sizeof text ? size : sizeof text - 1);
    if (piaa_hub_name_parse(text, &name, NULL) &&
        (strchr(name.owner, '/') || strchr(name.name, '/') || name.owner[0] == '.' ||
         name.name[0] == '.' || strstr(name.revision, "..")))
        abort();
    return 0;
}

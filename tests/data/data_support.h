/* Hearing warnings, and data sets made on the spot. */
#ifndef PIAA_TESTS_DATA_SUPPORT_H
#define PIAA_TESTS_DATA_SUPPORT_H

#include "support.h"

#include "data/dataset.h"

typedef struct heard {
    int lines;
    piaa_text all;
} heard;

static inline void hear(void *user, const char *line) {
    heard *h = user;
    h->lines++;
    assert_null(strchr(line, '\n'));
    assert_true(piaa_text_format(&h->all, NULL, "%s\n", line));
}

static inline void hear_nothing_more(heard *h) {
    free(h->all.data);
    *h = (heard){0};
}

static inline void expect_heard(const heard *h, const char *part) {
    if (!h->all.data || !strstr(h->all.data, part))
        fail_msg("nobody said \"%s\" but:\n%s", part, h->all.data ? h->all.data : "nothing");
}

static inline piaa_dataset *open_set(const char *kind, const char *path, heard *h) {
    piaa_error error = {0};
    char *spec = piaa_format(&error, "%s:%s", kind, path);
    assert_non_null(spec);
    *h = (heard){0};
    piaa_dataset *set = piaa_dataset_open(spec, &(piaa_hooks){.user = h, .warn = hear}, &error);
    if (!set) fail_msg("%s", error.message);
    free(spec);
    return set;
}

/* Writes folder/name with its folders. */
static inline void put(const char *folder, const char *name, const char *text) {
    for (const char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
        char *sub = piaa_format(NULL, "%s/%.*s", folder, (int)(slash - name), name);
        assert_non_null(sub);
        mkdir(sub, 0755);
        free(sub);
    }
    support_write(folder, name, text, strlen(text));
}

#endif

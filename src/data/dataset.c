/* Opening a data set by its kind, and what callers ask of it afterwards. */
#include "data/dataset.h"

#include "base/file.h"
#include "base/memory.h"
#include "data/build.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct kind {
    const char *name;
    bool (*read)(piaa_build *build);
    double low, high;
    const char *marks[2]; /* one of them is there in every such folder */
    const char *layout;
} kind;

static const kind kinds[] = {
    {"aadb",
     piaa_read_aadb,
     0,
     1,
     {"imgListFiles_label/imgListTrainRegression_score.txt", "imgListFiles_label"},
     "imgListFiles_label/ and datasetImages_originalSize/"},
    {"para",
     piaa_read_para,
     1,
     5,
     {"annotation/PARA-Images.csv", "annotation/PARA-GiaaTrain.csv"},
     "annotation/PARA-Images.csv and imgs/"},
    {"lapis",
     piaa_read_lapis,
     1,
     5,
     {"annotation/LAPIS_PIAA.csv", "annotation/LAPIS_GIAA_Trainsplit.csv"},
     "annotation/LAPIS_PIAA.csv and images/"},
};

static bool looks_like(const kind *k, const char *folder) {
    bool there = false;
    for (size_t i = 0; i < PIAA_COUNT(k->marks) && !there; i++) {
        char *path = piaa_path_join(folder, k->marks[i], NULL);
        there = path && (piaa_file_exists(path) || piaa_file_is_folder(path));
        free(path);
    }
    return there;
}

static bool wrong_folder(const kind *k, const char *folder, piaa_error *error) {
    if (!piaa_file_is_folder(folder))
        return piaa_error_set(error, PIAA_IO, "%s is not a folder: give the one that holds %s",
                              folder, k->layout);
    for (size_t i = 0; i < PIAA_COUNT(kinds); i++)
        if (looks_like(&kinds[i], folder))
            return piaa_error_set(error, PIAA_FORMAT, "%s holds no %s: it looks like %s:%s", folder,
                                  k->layout, kinds[i].name, folder);
    return piaa_error_set(error, PIAA_FORMAT, "%s holds no %s: give the folder that holds them",
                          folder, k->layout);
}

static bool bad_spec(const char *spec, piaa_error *error) {
    for (size_t i = 0; i < PIAA_COUNT(kinds); i++)
        if (looks_like(&kinds[i], spec))
            return piaa_error_set(error, PIAA_USAGE,
                                  "%s does not say what kind of data it is: write %s:%s", spec,
                                  kinds[i].name, spec);
    return piaa_error_set(error, PIAA_USAGE,
                          "%s is not a data set: write aadb:DIR, para:DIR, lapis:DIR or csv:FILE",
                          spec);
}

static bool read_folder(piaa_build *build, const kind *k, const char *folder) {
    piaa_dataset *set = build->set;
    if (!looks_like(k, folder)) return wrong_folder(k, folder, build->error);
    set->scale_low = k->low;
    set->scale_high = k->high;
    return (set->kind = piaa_strdup(k->name, build->error)) &&
           (set->folder = piaa_path_absolute(folder, build->error)) && k->read(build);
}

static bool read_file(piaa_build *build, const char *file, const char *user_column) {
    piaa_dataset *set = build->set;
    char *folder = piaa_path_folder(file, build->error);
    bool ok = folder && (set->kind = piaa_strdup("csv", build->error)) &&
              (set->folder = piaa_path_absolute(folder, build->error)) &&
              piaa_read_table(build, file, user_column);
    free(folder);
    return ok;
}

static bool read_spec(piaa_build *build, const char *spec, const char *user_column) {
    const char *colon = strchr(spec, ':');
    size_t n = colon ? (size_t)(colon - spec) : 0;
    if (n == 3 && strncmp(spec, "csv", 3) == 0 && colon[1])
        return read_file(build, colon + 1, user_column);
    if (user_column)
        return piaa_error_set(build->error, PIAA_USAGE,
                              "--user-column is for csv:FILE; %s says by itself who rated", spec);
    for (size_t i = 0; n && colon[1] && i < PIAA_COUNT(kinds); i++)
        if (strlen(kinds[i].name) == n && strncmp(spec, kinds[i].name, n) == 0)
            return read_folder(build, &kinds[i], colon + 1);
    return bad_spec(spec, build->error);
}

piaa_dataset *piaa_dataset_open_by(const char *spec, const char *user_column,
                                   const piaa_hooks *hooks, piaa_error *error) {
    if (!spec) {
        piaa_error_missing(error, "data set");
        return NULL;
    }
    piaa_dataset *set = piaa_alloc(1, sizeof *set, error);
    if (!set) return NULL;
    piaa_build build = {.set = set, .hooks = hooks, .error = error};
    if (read_spec(&build, spec, user_column) &&
        (set->where || (set->where = piaa_strdup("", error))) && piaa_build_finish(&build))
        return set;
    piaa_dataset_close(set);
    return NULL;
}

piaa_dataset *piaa_dataset_open(const char *spec, const piaa_hooks *hooks, piaa_error *error) {
    return piaa_dataset_open_by(spec, NULL, hooks, error);
}

static void free_list(char **items, size_t count) {
    for (size_t i = 0; items && i < count; i++) free(items[i]);
    free(items);
}

void piaa_dataset_close(piaa_dataset *set) {
    if (!set) return;
    for (size_t i = 0; i < set->image_count; i++) {
        free((char *)set->images[i].name);
        free((char *)set->images[i].path);
        free((char *)set->images[i].id);
    }
    free_list(set->labels, set->image_count * set->label_count);
    free_list(set->label_names, set->label_count);
    free_list(set->attribute_names, set->attribute_count);
    if (set->user_count) free((size_t *)set->users[0].ratings);
    free(set->images);
    free(set->attributes);
    free(set->ratings);
    free(set->partial);
    free(set->users);
    piaa_names_free(&set->image_names);
    piaa_names_free(&set->user_names);
    free(set->kind);
    free(set->folder);
    free(set->where);
    free(set);
}

bool piaa_dataset_find(const piaa_dataset *set, const char *name, size_t *image) {
    return piaa_names_find(&set->image_names, name, image);
}

static bool find_name(char *const *names, size_t count, const char *name, size_t *index) {
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(names[i], name) == 0) {
            *index = i;
            return true;
        }
    return false;
}

bool piaa_dataset_attribute(const piaa_dataset *set, const char *name, size_t *attribute) {
    return find_name(set->attribute_names, set->attribute_count, name, attribute);
}

bool piaa_dataset_label(const piaa_dataset *set, const char *name, size_t *label) {
    return find_name(set->label_names, set->label_count, name, label);
}

const char *piaa_split_name(piaa_split split) {
    static const char *const names[] = {"", "train", "validation", "test", "test-new"};
    return names[split];
}

char *piaa_dataset_loss_text(const piaa_dataset *set, piaa_error *error) {
    const piaa_data_loss *loss = &set->loss;
    const struct {
        size_t count;
        const char *one, *many;
    } parts[] = {
        {loss->bad_rows, "row could not be used", "rows could not be used"},
        {loss->missing_images, "image file is missing", "image files are missing"},
        {loss->repeated_ratings, "rating repeats an earlier one", "ratings repeat an earlier one"},
        {loss->repeated_images, "image is listed twice", "images are listed twice"},
        {loss->missing_values, "attribute value is missing", "attribute values are missing"},
        {loss->missing_files, "file of the data set is missing",
         "files of the data set are missing"},
        {loss->unknown_files, "attribute file is unknown", "attribute files are unknown"},
    };
    piaa_text text = {0};
    bool ok = piaa_text_add(&text, "", 0, error);
    for (size_t i = 0; ok && i < PIAA_COUNT(parts); i++)
        if (parts[i].count)
            ok = piaa_text_format(&text, error, "%s%zu %s", text.length ? "; " : "", parts[i].count,
                                  parts[i].count == 1 ? parts[i].one : parts[i].many);
    if (ok) return text.data;
    free(text.data);
    return NULL;
}

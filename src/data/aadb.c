/* AADB (Kong et al., "Photo aesthetics ranking network with attributes and content adaptation",
 * ECCV 2016).
 *
 * One text file for each of four lists and each of twelve values, with lines "name value".  The
 * score's file says which images a list has; the other eleven are looked up in it.  The release has
 * two test lists, Test and TestNew, which share photos: a photo has one entry for each list it is
 * on, with that list's values.  TestNew also has photos of the validation list (127, by the counts
 * of its authors), which are marked.  Published results are on Test. */
#include "base/memory.h"
#include "base/utf8.h"
#include "base/walk.h"
#include "data/build.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ATTRIBUTES = 11, FILE_LIMIT = 1 << 28 };

/* As the release spells them, in the published code's order. */
static const char *const attributes[ATTRIBUTES] = {
    "BalacingElements", "ColorHarmony", "Content",      "DoF",      "Light",     "MotionBlur",
    "Object",           "Repetition",   "RuleOfThirds", "Symmetry", "VividColor"};

static const struct {
    const char *name;
    piaa_split split;
} lists[] = {{"Train", PIAA_SPLIT_TRAIN},
             {"Validation", PIAA_SPLIT_VALIDATION},
             {"Test", PIAA_SPLIT_TEST},
             {"TestNew", PIAA_SPLIT_TEST_NEW}};

#define LIST_FILE "imgListFiles_label/imgList%sRegression_%s.txt"

/* ------------------------------------------------------------------------------ lines of a list */

typedef struct list {
    char *path, *text, *next;
    int64_t line;
    piaa_notices faults;
    piaa_build *build;
} list;

/* 1 opened, 0 not there (told), -1 an error. */
static int list_open(list *in, piaa_build *build, const char *name, const char *value,
                     const char *consequence) {
    *in = (list){.build = build};
    char *relative = piaa_format(build->error, LIST_FILE, name, value);
    in->path = relative ? piaa_path_join(build->set->folder, relative, build->error) : NULL;
    free(relative);
    if (!in->path) return -1;
    if (!piaa_file_exists(in->path)) {
        piaa_hooks_warn(build->hooks, "%.700s is not there: %s", in->path, consequence);
        build->set->loss.missing_files++;
        return 0;
    }
    in->faults = (piaa_notices){build->hooks, in->path, "lines that cannot be used", 0};
    size_t size;
    char *bytes = piaa_file_read(in->path, FILE_LIMIT, &size, build->error);
    piaa_text text = {0};
    piaa_encoding encoding;
    bool ok = bytes && piaa_utf8_decode(bytes, size, &text, &encoding, build->error) &&
              piaa_text_add(&text, "", 0, build->error);
    free(bytes);
    in->next = in->text = text.data;
    if (ok && encoding != PIAA_ENCODING_UTF8)
        piaa_hooks_warn(build->hooks, "%.700s: read as %s text", in->path,
                        piaa_encoding_name(encoding));
    return ok ? 1 : -1;
}

static void list_close(list *in) {
    if (in->text) piaa_notices_end(&in->faults);
    free(in->text);
    free(in->path);
}

/* The next good line; false at the end. */
static bool list_next(list *in, const char **name, double *value) {
    while (*in->next) {
        char *row = in->next, *end = row + strcspn(row, "\n\r");
        in->next = *end ? end + 1 : end;
        if (*end == '\r' && *in->next == '\n') in->next++;
        *end = '\0';
        in->line++;
        row += strspn(row, " \t");
        if (!*row) continue;
        in->build->set->loss.rows++;
        char *number = row + strcspn(row, " \t"), *behind = number + strspn(number, " \t");
        *number = '\0';
        if (piaa_parse_number(behind, value)) {
            *name = row;
            return true;
        }
        in->build->set->loss.bad_rows++;
        piaa_notices_tell(&in->faults,
                          "%.600s, line %lld: \"%.40s\" is not a number, a name and a number are "
                          "expected: the line is passed over",
                          in->path, (long long)in->line, behind);
    }
    return false;
}

/* --------------------------------------------------------------------------------------- images */

/* The name itself where it is free or means this list's image; else the name with its list. */
static char *key_of(const piaa_dataset *set, const char *name, piaa_split split,
                    piaa_error *error) {
    size_t image;
    if (!piaa_dataset_find(set, name, &image) || set->images[image].split == split)
        return piaa_strdup(name, error);
    return piaa_format(error, "%s\n%s", name, piaa_split_name(split));
}

static bool take_score(list *in, const char *name, double score, piaa_split split) {
    piaa_dataset *set = in->build->set;
    size_t image = 0;
    bool fresh = false;
    char *file = piaa_format(in->build->error, "datasetImages_originalSize/%s", name);
    char *key = file ? key_of(set, file, split, in->build->error) : NULL;
    bool ok = key && piaa_build_image(in->build, key, file, &image, &fresh);
    free(key);
    free(file);
    if (ok && fresh) {
        size_t first; /* the image that the name itself leads to: of the list that has it first */
        set->images[image].split = split;
        set->images[image].shared = (split == PIAA_SPLIT_TEST || split == PIAA_SPLIT_TEST_NEW) &&
                                    piaa_dataset_find(set, set->images[image].name, &first) &&
                                    (set->images[first].split == PIAA_SPLIT_TRAIN ||
                                     set->images[first].split == PIAA_SPLIT_VALIDATION);
        set->images[image].general = score;
    } else if (ok) {
        set->loss.repeated_images++;
        piaa_notices_tell(&in->faults,
                          "%.600s, line %lld: %.200s is listed before: the first mention counts",
                          in->path, (long long)in->line, name);
    }
    return ok;
}

static bool read_scores(piaa_build *build, size_t which) {
    list in;
    const char *name;
    double score;
    int opened = list_open(&in, build, lists[which].name, "score", "this list is left out");
    bool ok = opened >= 0;
    while (ok && opened > 0 && list_next(&in, &name, &score))
        ok = take_score(&in, name, score, lists[which].split);
    list_close(&in);
    return ok;
}

static bool take_value(list *in, const char *name, double value, piaa_split split,
                       size_t attribute) {
    piaa_dataset *set = in->build->set;
    size_t image;
    char *file = piaa_format(in->build->error, "datasetImages_originalSize/%s", name);
    char *key = file ? key_of(set, file, split, in->build->error) : NULL;
    bool ok = key != NULL;
    if (ok && piaa_dataset_find(set, key, &image))
        set->attributes[image * ATTRIBUTES + attribute] = value;
    else if (ok) {
        set->loss.bad_rows++;
        piaa_notices_tell(&in->faults,
                          "%.600s, line %lld: %.200s has no score: the line is passed over",
                          in->path, (long long)in->line, name);
    }
    free(key);
    free(file);
    return ok;
}

static void count_missing(piaa_build *build, const char *path, piaa_split split, size_t attribute) {
    piaa_dataset *set = build->set;
    size_t missing = 0;
    const char *first = NULL;
    for (size_t i = 0; i < set->image_count; i++) {
        double value = set->attributes[i * ATTRIBUTES + attribute];
        if (set->images[i].split != split || !isnan(value)) continue;
        if (!missing++) first = set->images[i].name;
    }
    set->loss.missing_values += missing;
    if (missing)
        piaa_hooks_warn(build->hooks, "%.500s: %zu image%s no value, the first is %.200s", path,
                        missing, missing == 1 ? " has" : "s have", piaa_path_name(first));
}

static bool read_attribute(piaa_build *build, size_t which, size_t attribute) {
    list in;
    const char *name;
    double value;
    piaa_split split = lists[which].split;
    int opened = list_open(&in, build, lists[which].name, attributes[attribute],
                           "the attribute is unknown for this list's images");
    bool ok = opened >= 0;
    while (ok && opened > 0 && list_next(&in, &name, &value))
        ok = take_value(&in, name, value, split, attribute);
    if (ok && opened > 0) count_missing(build, in.path, split, attribute);
    list_close(&in);
    return ok;
}

static bool has_images(const piaa_dataset *set, piaa_split split) {
    for (size_t i = 0; i < set->image_count; i++)
        if (set->images[i].split == split) return true;
    return false;
}

/* -------------------------------------------------------------------------------- unknown files */

static bool is_list_file(const char *name) {
    return strncmp(name, "imgList", 7) == 0 && strstr(name, "Regression_") != NULL;
}

static bool is_known(const char *name) {
    for (size_t i = 0; i < PIAA_COUNT(lists); i++) {
        size_t n = strlen(lists[i].name);
        const char *rest = name + 7;
        if (strncmp(rest, lists[i].name, n) != 0 || strncmp(rest + n, "Regression_", 11) != 0)
            continue;
        rest += n + 11;
        if (strcmp(rest, "score.txt") == 0) return true;
        for (size_t a = 0; a < ATTRIBUTES; a++) {
            size_t m = strlen(attributes[a]);
            if (strncmp(rest, attributes[a], m) == 0 && strcmp(rest + m, ".txt") == 0) return true;
        }
    }
    return false;
}

static bool tell_unknown(piaa_build *build) {
    piaa_paths found = {0};
    char *folder = piaa_path_join(build->set->folder, "imgListFiles_label", build->error);
    bool ok = folder && piaa_folder_walk(folder, is_list_file, &found, build->hooks, build->error);
    piaa_notices told = {build->hooks, folder, "attribute files that are not known", 0};
    for (size_t i = 0; ok && i < found.count; i++) {
        if (is_known(piaa_path_name(found.items[i]))) continue;
        build->set->loss.unknown_files++;
        piaa_notices_tell(&told, "%.700s is none of AADB's attributes: the file is passed over",
                          found.items[i]);
    }
    if (ok) piaa_notices_end(&told);
    piaa_paths_free(&found);
    free(folder);
    return ok;
}

bool piaa_read_aadb(piaa_build *build) {
    bool ok = piaa_build_columns(build, attributes, ATTRIBUTES, NULL, 0) && tell_unknown(build);
    for (size_t i = 0; ok && i < PIAA_COUNT(lists); i++) ok = read_scores(build, i);
    for (size_t i = 0; ok && i < PIAA_COUNT(lists); i++)
        for (size_t a = 0; ok && a < ATTRIBUTES && has_images(build->set, lists[i].split); a++)
            ok = read_attribute(build, i, a);
    return ok;
}

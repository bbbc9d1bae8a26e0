/* Reading PARA-UserInfo.csv, and turning words into places in a vocabulary. */
#include "data/traits.h"

#include "base/memory.h"
#include "data/build.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = PIAA_TRAIT_WORDS, NUMBERS = PIAA_TRAIT_NUMBERS };

const char *const piaa_trait_words[WORDS] = {"age", "gender", "EducationalLevel", "artExperience",
                                             "photographyExperience"};
const char *const piaa_trait_numbers[NUMBERS] = {"personality-E", "personality-A", "personality-N",
                                                 "personality-O", "personality-C"};
static const char file[] = "annotation/PARA-UserInfo.csv";

typedef struct columns {
    int user, word[WORDS], number[NUMBERS];
} columns;

static bool find_columns(const piaa_rows *rows, columns *c) {
    if (!piaa_rows_column(rows, "userId", &c->user)) return false;
    for (int i = 0; i < WORDS; i++)
        if (!piaa_rows_column(rows, piaa_trait_words[i], &c->word[i])) return false;
    for (int i = 0; i < NUMBERS; i++)
        if (!piaa_rows_column(rows, piaa_trait_numbers[i], &c->number[i])) return false;
    return true;
}

static bool take_row(piaa_rows *rows, const columns *c, size_t user, piaa_traits *traits) {
    for (size_t i = 0; i < WORDS; i++) {
        const char *word = piaa_csv_word(rows->csv, c->word[i]);
        if (piaa_cell_is_blank(word)) continue;
        char *copy = piaa_strdup(word, rows->build->error);
        if (!copy) return false;
        free(traits->words[user * WORDS + i]);
        traits->words[user * WORDS + i] = copy;
    }
    for (size_t i = 0; i < NUMBERS; i++) {
        double value;
        if (piaa_csv_number(rows->csv, c->number[i], &value) == PIAA_CELL_NUMBER)
            traits->numbers[user * NUMBERS + i] = (float)value;
    }
    traits->has[user] = true;
    return true;
}

static bool take_rows(piaa_rows *rows, const piaa_dataset *set, piaa_traits *traits) {
    columns c;
    int got;
    if (!find_columns(rows, &c)) return false;
    while ((got = piaa_rows_next(rows)) > 0) {
        const char *id = piaa_csv_word(rows->csv, c.user);
        size_t user;
        if (!*id)
            piaa_rows_fault(rows, "there is no userId");
        else if (!piaa_names_find(&set->user_names, id, &user))
            continue;
        else if (traits->has[user])
            piaa_rows_fault(rows, "%.80s is listed before, and the first mention counts", id);
        else if (!take_row(rows, &c, user, traits))
            return false;
    }
    return got == 0;
}

static bool read_file(const piaa_dataset *set, piaa_traits *traits, const piaa_hooks *hooks,
                      piaa_error *error) {
    piaa_dataset counts = {.folder = set->folder}; /* where the rows' faults are counted */
    piaa_build build = {.set = &counts, .hooks = hooks, .error = error};
    piaa_rows rows;
    if (!piaa_file_exists(traits->where))
        return piaa_error_set(error, PIAA_IO,
                              "%.800s is not there, and it holds the traits of PARA's people: take "
                              "the whole data set",
                              traits->where);
    bool ok = piaa_rows_open(&rows, &build, file, "nothing is known of the raters") > 0 &&
              take_rows(&rows, set, traits);
    piaa_rows_close(&rows);
    traits->bad_rows = counts.loss.bad_rows;
    return ok;
}

static bool make_room(const piaa_dataset *set, piaa_traits *traits, piaa_error *error) {
    size_t people = traits->people = set->user_names.count;
    if (!(traits->where = piaa_path_join(set->folder, file, error)) ||
        !(traits->ids = piaa_alloc(people, sizeof *traits->ids, error)) ||
        !(traits->words = piaa_alloc(people, WORDS * sizeof *traits->words, error)) ||
        !(traits->numbers = piaa_alloc(people, NUMBERS * sizeof *traits->numbers, error)) ||
        !(traits->has = piaa_alloc(people, sizeof *traits->has, error)))
        return false;
    for (size_t u = 0; u < people; u++) traits->ids[u] = set->user_names.items[u];
    for (size_t i = 0; i < people * NUMBERS; i++) traits->numbers[i] = NAN;
    for (size_t i = 0; i < people * WORDS; i++)
        if (!(traits->words[i] = piaa_strdup("", error))) return false;
    return true;
}

piaa_traits *piaa_traits_read(const piaa_dataset *set, const piaa_hooks *hooks, piaa_error *error) {
    if (!set) {
        piaa_error_missing(error, "data set");
        return NULL;
    }
    if (strcmp(set->kind, "para") != 0) {
        piaa_error_set(error, PIAA_MISMATCH,
                       "%.700s is no PARA data set, and only PARA describes its people: give "
                       "para:DIR",
                       *set->where ? set->where : set->folder);
        return NULL;
    }
    piaa_traits *made = piaa_alloc(1, sizeof *made, error);
    if (!made) return NULL;
    if (make_room(set, made, error) && read_file(set, made, hooks, error)) return made;
    piaa_traits_free(made);
    return NULL;
}

void piaa_traits_free(piaa_traits *traits) {
    if (!traits) return;
    for (size_t i = 0; traits->words && i < traits->people * WORDS; i++) free(traits->words[i]);
    free(traits->words);
    free(traits->numbers);
    free(traits->has);
    free(traits->ids);
    free(traits->where);
    free(traits);
}

/* ------------------------------------------------------------------------------------ vocabulary
 */

bool piaa_trait_vocabulary_make(const piaa_traits *traits, const size_t *users, size_t count,
                                piaa_trait_vocabulary *vocabulary, piaa_error *error) {
    for (size_t i = 0; i < WORDS; i++) {
        piaa_paths *words = &vocabulary->words[i];
        for (size_t u = 0; u < count; u++) {
            const char *word = traits->words[users[u] * WORDS + i];
            if (*word && !piaa_paths_add(words, word, error)) return false;
        }
        if (!words->count && !piaa_paths_add(words, "", error)) return false;
        piaa_paths_merge(words);
    }
    return true;
}

void piaa_trait_vocabulary_free(piaa_trait_vocabulary *vocabulary) {
    for (size_t i = 0; i < WORDS; i++) piaa_paths_free(&vocabulary->words[i]);
}

static bool find_word(const piaa_paths *words, const char *word, int *place) {
    for (size_t i = 0; i < words->count; i++) {
        if (strcmp(words->items[i], word) != 0) continue;
        *place = (int)i;
        return true;
    }
    return false;
}

/* The kinds of loss, in the order of piaa_traits_loss. */
enum { WITHOUT_ROW, UNKNOWN_WORD, MISSING_WORD, MISSING_NUMBER, LOSSES };

static void encode_words(const piaa_traits *traits, const piaa_trait_vocabulary *vocabulary,
                         size_t user, int *categories, piaa_notices *told) {
    for (size_t i = 0; i < WORDS; i++) {
        const char *word = traits->words[user * WORDS + i];
        if (!*word)
            piaa_notices_tell(&told[MISSING_WORD],
                              "%.500s: %.80s has no %s: it is taken as \"%.80s\"", traits->where,
                              traits->ids[user], piaa_trait_words[i],
                              vocabulary->words[i].items[0]);
        else if (!find_word(&vocabulary->words[i], word, &categories[i]))
            piaa_notices_tell(&told[UNKNOWN_WORD],
                              "%.500s: %.80s has the %s \"%.80s\", which nobody who was trained on "
                              "has: it is taken as \"%.80s\"",
                              traits->where, traits->ids[user], piaa_trait_words[i], word,
                              vocabulary->words[i].items[0]);
    }
}

static void encode_numbers(const piaa_traits *traits, size_t user, float *numbers,
                           piaa_notices *told) {
    for (size_t i = 0; i < NUMBERS; i++) {
        float value = traits->numbers[user * NUMBERS + i];
        if (!isnan(value))
            numbers[i] = value;
        else
            piaa_notices_tell(&told[MISSING_NUMBER],
                              "%.500s: %.80s has no number for %s: it is taken as 0", traits->where,
                              traits->ids[user], piaa_trait_numbers[i]);
    }
}

void piaa_traits_encode(const piaa_traits *traits, const piaa_trait_vocabulary *vocabulary,
                        const size_t *users, size_t count, int *categories, float *numbers,
                        const piaa_hooks *hooks, piaa_traits_loss *loss) {
    piaa_notices told[LOSSES] = {
        {hooks, traits->where, "people without a row", 0},
        {hooks, traits->where, "words that are not known from training", 0},
        {hooks, traits->where, "words that are missing", 0},
        {hooks, traits->where, "numbers that are missing", 0}};
    memset(categories, 0, count * WORDS * sizeof *categories);
    for (size_t i = 0; i < count * NUMBERS; i++) numbers[i] = 0;
    for (size_t u = 0; u < count; u++) {
        if (!traits->has[users[u]]) {
            piaa_notices_tell(&told[WITHOUT_ROW],
                              "%.500s says nothing of %.80s: all traits are taken as 0",
                              traits->where, traits->ids[users[u]]);
            continue;
        }
        encode_words(traits, vocabulary, users[u], categories + u * WORDS, told);
        encode_numbers(traits, users[u], numbers + u * NUMBERS, told);
    }
    for (int k = 0; k < LOSSES; k++) piaa_notices_end(&told[k]);
    if (loss)
        *loss = (piaa_traits_loss){told[WITHOUT_ROW].count, told[UNKNOWN_WORD].count,
                                   told[MISSING_WORD].count, told[MISSING_NUMBER].count};
}

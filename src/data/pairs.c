/* Reads a table of comparisons: its rows by data/sheet.h, its photos by data/finder.h.  The
   interface is in piaa.h. */
#include "data/pairs.h"

#include "base/file.h"
#include "base/hooks.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "data/finder.h"
#include "data/named.h"
#include "data/sheet.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A row; the photos are numbers of names. */
typedef struct answer {
    size_t one, other;
    double win;
    int64_t line;
} answer;

struct piaa_choices {
    char *where, *folder;
    char **written, **paths; /* [names] as they stand in the table, and the photos */
    size_t names, written_room, path_room;
    answer *answers; /* [count] */
    size_t count, room;
    piaa_choice *items; /* [count] */
};

typedef struct reading {
    piaa_sheet sheet;
    piaa_finder *finder;
    piaa_names known; /* names as written; their numbers are those of the comparisons' */
    piaa_choices *out;
    size_t rows, bad, unanswered, unsure, alone;
    int64_t first_alone;            /* the line */
    piaa_error first;               /* the first bad row's fault */
    size_t found[PIAA_FOUND_KINDS]; /* names that were matched, by how */
    size_t matched;                 /* the first that was not exactly the photo's: name + 1 */
} reading;

/* ---------------------------------------------------------------------------------------- answers
 */

typedef enum said { SAID_ONE, SAID_OTHER, SAID_TIE, SAID_UNSURE, SAID_NOTHING, SAID_WHAT } said;

/* As letters and digits, between blanks; what has neither is compared as it stands. */
static const struct {
    said said;
    const char *words;
} answers[] = {
    {SAID_ONE, " left l a one first photo1 image1 photoa imagea > \xe2\x86\x90 <- "},
    {SAID_OTHER, " right r b two second photo2 image2 photob imageb < \xe2\x86\x92 -> "},
    {SAID_TIE,
     " tie tied ties draw equal equals equally equallygood same thesame both neither = == "},
    {SAID_UNSURE,
     " cannotsay cantsay cannotdecide cantdecide cannottell canttell dontknow donotknow idk unsure "
     "notsure unclear undecided unknown noidea skip skipped pass "},
};

static bool is_word(const char *words, const char *word) {
    const size_t n = strlen(word);
    for (const char *at = n ? strstr(words, word) : NULL; at; at = strstr(at + 1, word))
        if (at[-1] == ' ' && at[n] == ' ') return true;
    return false;
}

/* Whether an answer names this photo: as the table has it, or by the file's name alone. */
static bool names_photo(const char *written, const char *photo) {
    return strcmp(written, photo) == 0 || strcmp(written, piaa_path_name(photo)) == 0;
}

/* Whether an answer is the name of this column. */
static bool names_column(const reading *in, piaa_role role, const char *letters) {
    char column[64];
    piaa_sheet_letters(piaa_csv_column_name(in->sheet.csv, in->sheet.role[role]), column,
                       sizeof column);
    return *letters && strcmp(column, letters) == 0;
}

/* 1 is the first photo, 2 the second, 1/2 a tie.  0 and -1 may be anything. */
static said understand_number(double number) {
    return number == 1 ? SAID_ONE : number == 2 ? SAID_OTHER : number == 0.5 ? SAID_TIE : SAID_WHAT;
}

static said understand(const reading *in, const piaa_sheet_pair *row) {
    char letters[64];
    double number;
    piaa_sheet_letters(row->answer, letters, sizeof letters);
    if (piaa_cell_is_blank(row->answer)) {
        if (in->sheet.decided) return strcmp(row->answer, "?") == 0 ? SAID_UNSURE : SAID_ONE;
        return *row->answer ? SAID_UNSURE : SAID_NOTHING; /* "n/a", "?", "-" */
    }
    if (names_photo(row->answer, row->one) && !names_photo(row->answer, row->other))
        return SAID_ONE;
    if (names_photo(row->answer, row->other) && !names_photo(row->answer, row->one))
        return SAID_OTHER;
    if (piaa_csv_number(in->sheet.csv, in->sheet.role[PIAA_ROLE_ANSWER], &number) ==
        PIAA_CELL_NUMBER)
        return understand_number(number);
    if (names_column(in, PIAA_ROLE_ONE, letters)) return SAID_ONE;
    if (names_column(in, PIAA_ROLE_OTHER, letters)) return SAID_OTHER;
    const char *word = *letters ? letters : row->answer;
    for (size_t i = 0; i < PIAA_COUNT(answers); i++)
        if (is_word(answers[i].words, word)) return answers[i].said;
    return SAID_WHAT;
}

/* ------------------------------------------------------------------------------------------- rows
 */

static void note_bad(reading *in, const piaa_error *fault) {
    if (in->bad++ == 0) in->first = *fault;
}

/* The number of a photo's name, which is looked for on the disk when it is new. */
static bool take_name(reading *in, const char *written, size_t *number, piaa_error *error) {
    piaa_choices *out = in->out;
    bool fresh;
    if (!piaa_names_add(&in->known, written, number, &fresh, error)) return false;
    if (!fresh) return true;
    piaa_found found;
    char *path, *copy;
    if (!piaa_grow(&out->written, &out->written_room, out->names + 1, sizeof(char *), error) ||
        !piaa_grow(&out->paths, &out->path_room, out->names + 1, sizeof(char *), error) ||
        !(copy = piaa_strdup(written, error)))
        return false;
    if (!piaa_finder_on_disk(in->finder, out->folder, written, &path, &found, error)) {
        free(copy);
        return false;
    }
    out->written[out->names] = copy;
    out->paths[out->names++] = path;
    in->found[found]++;
    if (found > PIAA_FOUND_EXACTLY && !in->matched) in->matched = out->names;
    return true;
}

static bool take_answer(reading *in, const piaa_sheet_pair *row, said what, piaa_error *error) {
    piaa_choices *out = in->out;
    answer made = {.win = what == SAID_TIE ? 0.5 : what == SAID_ONE,
                   .line = piaa_csv_line(in->sheet.csv)};
    if (!take_name(in, row->one, &made.one, error) ||
        !take_name(in, row->other, &made.other, error))
        return false;
    if (strcmp(out->paths[made.one], out->paths[made.other]) == 0) {
        if (!in->alone++) in->first_alone = made.line;
        return true;
    }
    if (!piaa_grow(&out->answers, &out->room, out->count + 1, sizeof *out->answers, error))
        return false;
    out->answers[out->count++] = made;
    return true;
}

static bool take_row(reading *in, const piaa_sheet_pair *row, piaa_error *error) {
    const said what = understand(in, row);
    if (what == SAID_NOTHING || what == SAID_UNSURE) {
        ++*(what == SAID_NOTHING ? &in->unanswered : &in->unsure);
        return true;
    }
    if (what != SAID_WHAT) return take_answer(in, row, what, error);
    const int n = piaa_utf8_shown(row->answer, 40);
    piaa_error fault = {0};
    piaa_error_set(&fault, PIAA_FORMAT,
                   "%s, line %lld: the answer \"%.*s%s\" is not left, right, tie or cannot say",
                   piaa_csv_where(in->sheet.csv), (long long)piaa_csv_line(in->sheet.csv), n,
                   row->answer, row->answer[n] ? "…" : "");
    note_bad(in, &fault);
    return true;
}

static bool take_rows(reading *in, const piaa_whose *whose, piaa_error *error) {
    const char *user = whose ? whose->user : NULL;
    piaa_sheet_pair row;
    for (;;) {
        piaa_error fault = {0};
        piaa_sheet_got got = piaa_sheet_next_pair(&in->sheet, user, &row, &fault);
        if (got == PIAA_SHEET_FAILED) return piaa_error_set(error, fault.code, "%s", fault.message);
        if (got == PIAA_SHEET_END) break;
        in->rows++;
        if (got == PIAA_SHEET_FAULT)
            note_bad(in, &fault);
        else if (!take_row(in, &row, error))
            return false;
    }
    const char *where = piaa_csv_where(in->sheet.csv);
    if (in->bad == 1)
        return piaa_error_set(error, PIAA_FORMAT, "%s; correct that row or delete it",
                              in->first.message);
    if (in->bad)
        return piaa_error_set(error, PIAA_FORMAT,
                              "%s; in all %zu of the %zu rows are at fault: correct or delete them",
                              in->first.message, in->bad, in->rows);
    return in->out->count || (whose && whose->none_yet) ||
           piaa_error_set(error, PIAA_FORMAT,
                          in->rows ? "%s: none of its %zu rows says which of two photos is better: "
                                     "fill in the answers"
                                   : "%s holds no comparisons (%zu rows): add one line "
                                     "BETTER,WORSE for each",
                          where, in->rows);
}

/* -------------------------------------------------------------------------------------- the table
 */

static void tell(const reading *in, const piaa_hooks *hooks) {
    const char *where = piaa_csv_where(in->sheet.csv);
    const size_t silent = in->unanswered + in->unsure;
    if (silent)
        piaa_hooks_warn(
            hooks,
            "%.600s: %zu row%s left out, which tell nothing: %zu without an answer, %zu "
            "with \"cannot say\"",
            where, silent, silent == 1 ? " is" : "s are", in->unanswered, in->unsure);
    if (in->alone)
        piaa_hooks_warn(hooks,
                        "%.600s: %zu row%s a photo with itself and left out (the first on line "
                        "%lld)",
                        where, in->alone, in->alone == 1 ? " compares" : "s compare",
                        (long long)in->first_alone);
}

static bool read_all(reading *in, const char *path, const piaa_whose *whose,
                     const piaa_hooks *hooks, piaa_error *error) {
    const char *user = whose ? whose->user : NULL;
    piaa_choices *out = in->out;
    if (!(out->folder = piaa_path_folder(path, error)) || !(in->finder = piaa_finder_new(error)) ||
        !piaa_sheet_open_pairs(&in->sheet, path, whose ? whose->user_column : NULL, error) ||
        !(out->where = piaa_strdup(piaa_csv_where(in->sheet.csv), error)) ||
        !piaa_sheet_check_people(&in->sheet, user, error) || !take_rows(in, whose, error) ||
        !piaa_sheet_tell(&in->sheet, hooks, error))
        return false;
    if (in->matched && !piaa_named_tell(out->where, in->found, out->written[in->matched - 1],
                                        out->paths[in->matched - 1], hooks, error))
        return false;
    tell(in, hooks);
    return true;
}

/* The paths are there to stay, or were changed. */
static bool list_items(piaa_choices *c, piaa_error *error) {
    if (!c->items && !(c->items = piaa_alloc(c->count, sizeof *c->items, error))) return false;
    for (size_t i = 0; i < c->count; i++)
        c->items[i] = (piaa_choice){.one = c->paths[c->answers[i].one],
                                    .other = c->paths[c->answers[i].other],
                                    .win = c->answers[i].win,
                                    .line = c->answers[i].line};
    return true;
}

piaa_choices *piaa_choices_read(const char *path, const piaa_whose *whose, const piaa_hooks *hooks,
                                piaa_error *error) {
    if (piaa_error_pending(error)) return NULL;
    if (!path) {
        piaa_error_missing(error, "pairs file");
        return NULL;
    }
    reading in = {.out = piaa_alloc(1, sizeof *in.out, error)};
    const bool ok = in.out && read_all(&in, path, whose, hooks, error) && list_items(in.out, error);
    piaa_finder_free(in.finder);
    piaa_sheet_close(&in.sheet);
    piaa_names_free(&in.known);
    if (ok) return in.out;
    piaa_choices_free(in.out);
    return NULL;
}

/* The number of a path, copied when it is new. */
static bool take_path(piaa_choices *c, piaa_names *known, const char *path, size_t *number,
                      piaa_error *error) {
    bool fresh;
    if (!piaa_names_add(known, path, number, &fresh, error)) return false;
    if (!fresh) return true;
    c->names++;
    return (c->written[*number] = piaa_strdup(path, error)) &&
           (c->paths[*number] = piaa_strdup(path, error));
}

static bool take_items(piaa_choices *c, piaa_names *known, const char *where,
                       const piaa_choice *items, size_t count, piaa_error *error) {
    if (!(c->where = piaa_strdup(where, error)) || !(c->folder = piaa_strdup(".", error)) ||
        !(c->written = piaa_alloc(2 * count, sizeof *c->written, error)) ||
        !(c->paths = piaa_alloc(2 * count, sizeof *c->paths, error)) ||
        !(c->answers = piaa_alloc(count, sizeof *c->answers, error)))
        return false;
    for (size_t i = 0; i < count; i++) {
        answer *made = &c->answers[c->count++];
        *made = (answer){.win = items[i].win, .line = items[i].line};
        if (!take_path(c, known, items[i].one, &made->one, error) ||
            !take_path(c, known, items[i].other, &made->other, error))
            return false;
    }
    return list_items(c, error);
}

piaa_choices *piaa_choices_from(const char *where, const piaa_choice *items, size_t count,
                                piaa_error *error) {
    piaa_choices *c = piaa_alloc(1, sizeof *c, error);
    piaa_names known = {0};
    const bool ok = c && take_items(c, &known, where, items, count, error);
    piaa_names_free(&known);
    if (ok) return c;
    piaa_choices_free(c);
    return NULL;
}

bool piaa_choices_match(piaa_choices *comparisons, const char *const *paths,
                        const char *const *names, size_t count, const piaa_hooks *hooks,
                        piaa_error *error) {
    if (!comparisons) return piaa_error_missing(error, "comparisons");
    const piaa_named named = {.where = comparisons->where,
                              .folder = comparisons->folder,
                              .written = comparisons->written,
                              .paths = comparisons->paths,
                              .count = comparisons->names};
    const piaa_photo_list photos = {.paths = paths, .names = names, .count = count};
    const bool ok = piaa_named_match(&named, &photos, hooks, error);
    return list_items(comparisons, error) && ok;
}

void piaa_choices_free(piaa_choices *comparisons) {
    if (!comparisons) return;
    for (size_t i = 0; i < comparisons->names; i++) {
        free(comparisons->written[i]);
        free(comparisons->paths[i]);
    }
    free(comparisons->written);
    free(comparisons->paths);
    free(comparisons->answers);
    free(comparisons->items);
    free(comparisons->where);
    free(comparisons->folder);
    free(comparisons);
}

size_t piaa_choices_count(const piaa_choices *comparisons) {
    return comparisons ? comparisons->count : 0;
}

const piaa_choice *piaa_choices_at(const piaa_choices *comparisons, size_t index) {
    return &comparisons->items[index];
}

const char *piaa_choices_where(const piaa_choices *comparisons) {
    return comparisons->where;
}

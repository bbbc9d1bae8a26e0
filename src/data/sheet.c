/* Finding out what a table's columns mean, and reading its rows by that.
 *
 * A column's meaning is told by its name, compared by its letters and digits alone and without
 * regard to case ("User ID", "user_id", "userId"); of names in one meaning the earlier kind wins
 * ("path" over "SourceFile" over "file"), and two of a kind are an error.
 *
 * Several people without a column that is known to name them.  If one photo has several rows, a
 * column that tells these rows apart for every such photo, and whose values come back on other
 * photos, says who rated: averaging over it would make one person of many.  Text needs one such
 * pair of rows, as attributes are numbers; whole numbers, which may be an attribute by chance, ten,
 * or a name that speaks of an id. */
#include "data/sheet.h"

#include "base/hooks.h"
#include "base/utf8.h"
#include "data/stars.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { NAME_SIZE = 64, PAIRS_OF_NUMBERS = 10, PATHS_OF_NAMES = 3 /* in path_kinds */ };

/* Beyond it a score is a slip, and its square would strain the regression. */
static const double score_limit = 1e9;

/* ----------------------------------------------------------------------------- names of columns */

/* Kinds one after the other, each with its names between blanks. */
static const char *const path_kinds[] = {
    " path ", " sourcefile ", " filepath fullpath imagepath photopath pathname ",
    (" image photo file filename imagefile imagefilename imagename photofile photofilename "
     "photoname "
     "img imgname picture picturename imagepair fileurl imageurl url uri "),
    NULL};
/* of the photo that another column names */
static const char folder_names[] =
    " directory folder dir directoryname foldername folderpath filedirectory systemdirectory ";
static const char *const score_kinds[] = {
    " score ",      " rating ", " xmprating xmpxmprating ", " exifrating ifd0rating ",
    " starrating ", NULL};
static const char *const split_kinds[] = {" split ", NULL};
/* also followed by id, no, nr, name, code, … */
static const char *const user_kinds[] = {
    " user uid login account email ",
    (" participant worker rater annotator subject observer respondent judge reviewer evaluator "
     "assessor voter turker prolificpid prolificid ratedby scoredby annotatedby labeledby "
     "labelledby reviewedby "),
    (" coder scorer grader labeler labeller tester viewer juror subj sub ppt ppn pid vp vpn "
     "personid mturk mturkworker workeridmturk participantpublic participantprivate emailaddress "
     "yourname "),
    " session ", NULL};
/* The two photos of a comparison: a table has both names of one kind.  In the first the answer is
   told by the column alone. */
static const char *const one_kinds[] = {
    " better winner preferred best chosen won ",
    " left leftphoto leftimage leftfile leftpath photoleft imageleft ",
    " first firstphoto firstimage firstfile firstpath ",
    " one photo1 image1 img1 file1 path1 filename1 picture1 item1 option1 ",
    " a photoa imagea imga filea patha filenamea picturea itema optiona ",
    NULL};
static const char *const other_kinds[] = {
    " worse loser rejected worst other lost ",
    " right rightphoto rightimage rightfile rightpath photoright imageright ",
    " second secondphoto secondimage secondfile secondpath ",
    " two photo2 image2 img2 file2 path2 filename2 picture2 item2 option2 other ",
    " b photob imageb imgb fileb pathb filenameb pictureb itemb optionb ",
    NULL};
static const char *const answer_kinds[] = {
    " answer ", " choice chosen selected selection response preference preferred verdict ",
    " winner better judgement judgment result outcome label ", NULL};
static const char *const user_endings[] = {"id",   "uid",  "no",   "nr",
                                           "code", "name", "hash", "number"};
static const struct {
    const char *called; /* in messages, and its own name for the column */
    const char *const *kinds;
} roles[PIAA_ROLES] = {
    [PIAA_ROLE_PATH] = {"path", path_kinds},      [PIAA_ROLE_SCORE] = {"score", score_kinds},
    [PIAA_ROLE_USER] = {"user", user_kinds},      [PIAA_ROLE_SPLIT] = {"split", split_kinds},
    [PIAA_ROLE_ONE] = {"left", one_kinds},        [PIAA_ROLE_OTHER] = {"right", other_kinds},
    [PIAA_ROLE_ANSWER] = {"answer", answer_kinds}};

static const char *called(const piaa_sheet *sheet, piaa_role role) {
    if (sheet->decided && role == PIAA_ROLE_ONE) return "better";
    if (sheet->decided && role == PIAA_ROLE_OTHER) return "worse";
    return roles[role].called;
}

void piaa_sheet_letters(const char *name, char *out, size_t size) {
    size_t n = 0;
    for (; *name && n + 1 < size; name++)
        if (isalnum((unsigned char)*name) || (unsigned char)*name >= 0x80)
            out[n++] = (char)tolower((unsigned char)*name);
    out[n] = '\0';
}

static void letters_of(const char *name, char out[NAME_SIZE]) {
    piaa_sheet_letters(name, out, NAME_SIZE);
}

static bool is_among(const char *letters, const char *kind) {
    size_t n = strlen(letters);
    for (const char *at = n ? strstr(kind, letters) : NULL; at; at = strstr(at + 1, letters))
        if (at[-1] == ' ' && at[n] == ' ') return true;
    return false;
}

static bool is_of_kind(const char *name, const char *kind, piaa_role role) {
    char letters[NAME_SIZE];
    letters_of(name, letters);
    if (is_among(letters, kind)) return true;
    for (size_t i = 0; role == PIAA_ROLE_USER && i < PIAA_COUNT(user_endings); i++) {
        size_t n = strlen(letters), m = strlen(user_endings[i]);
        if (n <= m || strcmp(letters + n - m, user_endings[i]) != 0) continue;
        char stem[NAME_SIZE];
        memcpy(stem, letters, n - m);
        stem[n - m] = '\0';
        if (is_among(stem, kind)) return true;
    }
    return false;
}

/* Whether a column by its name numbers the rows or names something: an index, an id. */
static bool is_label_of_rows(const char *name) {
    char letters[NAME_SIZE];
    letters_of(name, letters);
    size_t n = strlen(name);
    if (!*letters || is_among(letters, " id index rowid uuid guid ") ||
        strncmp(letters, "unnamed", strlen("unnamed")) == 0)
        return true;
    if (n < 3 || strcasecmp(name + n - 2, "id") != 0) return false;
    return !isalnum((unsigned char)name[n - 3]) ||
           (islower((unsigned char)name[n - 3]) && name[n - 2] == 'I'); /* image_id, imageId */
}

bool piaa_sheet_measures(const piaa_sheet *sheet, int column) {
    const char *name = piaa_csv_column_name(sheet->csv, column);
    if (sheet->numbers[column] <= sheet->others[column] || is_label_of_rows(name)) return false;
    for (const char *const *kind = user_kinds; sheet->role[PIAA_ROLE_USER] < 0 && *kind; kind++)
        if (is_of_kind(name, *kind, PIAA_ROLE_USER)) return false;
    return true;
}

static bool list_columns(const piaa_csv *csv, piaa_text *out, piaa_error *error) {
    for (int c = 0; c < piaa_csv_columns(csv); c++)
        if (!piaa_text_format(out, error, "%s%s", c ? ", " : "", piaa_csv_column_name(csv, c)))
            return false;
    return true;
}

static bool header_looks_like_data(const piaa_csv *csv) {
    double number;
    for (int c = 0; c < piaa_csv_columns(csv); c++)
        if (piaa_parse_number(piaa_csv_column_name(csv, c), &number)) return true;
    return false;
}

static bool no_column(const piaa_csv *csv, const char *name, bool pairs, piaa_error *error) {
    const char *where = piaa_csv_where(csv);
    if (header_looks_like_data(csv))
        return piaa_error_set(error, PIAA_FORMAT,
                              "%s has no header: put the line %s before its first %s", where,
                              pairs ? "better,worse" : "path,score", pairs ? "pair" : "rating");
    piaa_text names = {0};
    if (list_columns(csv, &names, error))
        piaa_error_set(error, PIAA_FORMAT,
                       "%s has no column%s (it has %.400s): name the %s, with commas, semicolons "
                       "or tabs between",
                       where, name, names.data,
                       pairs ? "columns better and worse, or left, right and answer"
                             : "two columns path and score");
    free(names.data);
    return false;
}

/* "FILE has 2 columns that could be the path (image and file): …" */
static bool several_columns(const piaa_csv *csv, piaa_role role, const char *kind, int found,
                            piaa_error *error) {
    const char *called = roles[role].called;
    int shown[2] = {0}, count = 0;
    for (int c = 0; c < piaa_csv_columns(csv) && count < 2; c++)
        if (is_of_kind(piaa_csv_column_name(csv, c), kind, role)) shown[count++] = c;
    return piaa_error_set(
        error, PIAA_FORMAT,
        "%s has %d columns that could be the %s (column %d, %.80s, and column %d, %.80s): %s %s",
        piaa_csv_where(csv), found, called, shown[0] + 1, piaa_csv_column_name(csv, shown[0]),
        shown[1] + 1, piaa_csv_column_name(csv, shown[1]),
        role == PIAA_ROLE_USER ? "say which with --user-column, or name only one of them"
                               : "name only one of them",
        called);
}

/* *column is -1 where there is none. */
static bool find_column(const piaa_csv *csv, piaa_role role, int *column, piaa_error *error) {
    *column = -1;
    for (const char *const *kind = roles[role].kinds; *kind; kind++) {
        int found = 0;
        for (int c = 0; c < piaa_csv_columns(csv); c++)
            if (is_of_kind(piaa_csv_column_name(csv, c), *kind, role) && !found++) *column = c;
        if (found > 1) return several_columns(csv, role, *kind, found, error);
        if (found) return true;
    }
    return true;
}

static bool find_named_user(piaa_sheet *sheet, const char *name, piaa_error *error) {
    char wanted[NAME_SIZE], letters[NAME_SIZE];
    letters_of(name, wanted);
    sheet->role[PIAA_ROLE_USER] = piaa_csv_column(sheet->csv, name);
    for (int c = 0; sheet->role[PIAA_ROLE_USER] < 0 && c < piaa_csv_columns(sheet->csv); c++) {
        letters_of(piaa_csv_column_name(sheet->csv, c), letters);
        if (*wanted && strcmp(letters, wanted) == 0) sheet->role[PIAA_ROLE_USER] = c;
    }
    if (sheet->role[PIAA_ROLE_USER] >= 0 || strcmp(name, "none") == 0) return true;
    piaa_text names = {0};
    if (list_columns(sheet->csv, &names, error))
        piaa_error_set(error, PIAA_USAGE, "%s has no column named %.80s, it has %.400s",
                       piaa_csv_where(sheet->csv), name, names.data);
    free(names.data);
    return false;
}

static bool find_columns(piaa_sheet *sheet, const char *user_column, piaa_error *error) {
    for (piaa_role role = 0; role < PIAA_ROLES; role++) sheet->role[role] = -1;
    for (piaa_role role = PIAA_ROLE_PATH; role <= PIAA_ROLE_SPLIT; role++) {
        bool named = role == PIAA_ROLE_USER && user_column;
        if (!(named ? find_named_user(sheet, user_column, error)
                    : find_column(sheet->csv, role, &sheet->role[role], error)))
            return false;
        if (sheet->role[role] < 0 && (role == PIAA_ROLE_PATH || role == PIAA_ROLE_SCORE))
            return no_column(sheet->csv, role == PIAA_ROLE_PATH ? " named path" : " named score",
                             false, error);
    }
    return true;
}

/* The column of this kind alone, but not one that has a role already; -1: there is none. */
static bool find_kind(const piaa_sheet *sheet, piaa_role role, const char *kind, int *column,
                      piaa_error *error) {
    int found = 0;
    *column = -1;
    for (int c = 0; c < piaa_csv_columns(sheet->csv); c++) {
        bool taken = c == sheet->role[PIAA_ROLE_ONE] || c == sheet->role[PIAA_ROLE_OTHER];
        if (!taken && is_of_kind(piaa_csv_column_name(sheet->csv, c), kind, role) && !found++)
            *column = c;
    }
    return found < 2 || several_columns(sheet->csv, role, kind, found, error);
}

static bool find_pair_columns(piaa_sheet *sheet, const char *user_column, piaa_error *error) {
    int *role = sheet->role;
    for (int r = 0; r < PIAA_ROLES; r++) role[r] = -1;
    for (size_t kind = 0; role[PIAA_ROLE_OTHER] < 0 && one_kinds[kind]; kind++) {
        int one, other;
        role[PIAA_ROLE_ONE] = -1;
        if (!find_kind(sheet, PIAA_ROLE_ONE, one_kinds[kind], &one, error) ||
            !find_kind(sheet, PIAA_ROLE_OTHER, other_kinds[kind], &other, error))
            return false;
        if (one < 0 || other < 0) continue;
        role[PIAA_ROLE_ONE] = one;
        role[PIAA_ROLE_OTHER] = other;
        sheet->decided = kind == 0;
    }
    if (role[PIAA_ROLE_OTHER] < 0)
        return no_column(sheet->csv, "s that name two photos", true, error);
    for (const char *const *kind = answer_kinds; role[PIAA_ROLE_ANSWER] < 0 && *kind; kind++)
        if (!find_kind(sheet, PIAA_ROLE_ANSWER, *kind, &role[PIAA_ROLE_ANSWER], error))
            return false;
    if (!sheet->decided && role[PIAA_ROLE_ANSWER] < 0)
        return no_column(sheet->csv, " that says which photo is better", true, error);
    return user_column ? find_named_user(sheet, user_column, error)
                       : find_column(sheet->csv, PIAA_ROLE_USER, &role[PIAA_ROLE_USER], error);
}

/* ------------------------------------------------------------------------- looking through rows */

/* Goes through all rows; faulty ones are passed over.  0 at the end, -1 where memory is out. */
static int next_sound_row(piaa_csv *csv, piaa_error *error) {
    for (;;) {
        piaa_error fault = {0};
        int got = piaa_csv_next(csv, &fault);
        if (got >= 0) return got;
        if (fault.code != PIAA_MEMORY) continue;
        piaa_error_set(error, fault.code, "%s", fault.message);
        return -1;
    }
}

static bool holds_folder(const char *path) {
    return strpbrk(path, "/\\") != NULL;
}

/* Whether a path ends like a file: in a point and at most five letters and digits, a letter among
   them ("2020.05.01" is a folder). */
static bool has_ending(const char *path) {
    const char *end = strrchr(path, '.');
    if (!end || holds_folder(end) || !end[1] || strlen(end) > 6) return false;
    bool letter = false;
    while (*++end) {
        if (!isalnum((unsigned char)*end)) return false;
        letter = letter || isalpha((unsigned char)*end);
    }
    return letter;
}

/* Whether `path` holds folders alone, and `file` the names of files in them. */
static bool are_folders(piaa_sheet *sheet, int path, int file, bool *yes, piaa_error *error) {
    int got = 0;
    size_t rows = 0;
    *yes = true;
    while (*yes && (got = next_sound_row(sheet->csv, error)) > 0) {
        const char *folder = piaa_csv_word(sheet->csv, path),
                   *name = piaa_csv_word(sheet->csv, file);
        if (!*folder && !*name) continue;
        *yes = *folder && !has_ending(folder) && has_ending(name) && !holds_folder(name);
        rows++;
    }
    *yes = *yes && rows;
    piaa_csv_rewind(sheet->csv);
    return got >= 0;
}

/* Photo programs write a photo's folder and its name in two columns: Directory and FileName, or
   path and filename. */
static bool find_folder(piaa_sheet *sheet, piaa_error *error) {
    int path = sheet->role[PIAA_ROLE_PATH];
    bool whole = false; /* the column's name is that of a whole path */
    for (int kind = 0; kind < PATHS_OF_NAMES; kind++)
        whole = whole || is_of_kind(piaa_csv_column_name(sheet->csv, path), path_kinds[kind],
                                    PIAA_ROLE_PATH);
    for (int c = 0; c < piaa_csv_columns(sheet->csv) && sheet->folder < 0; c++) {
        char letters[NAME_SIZE];
        const char *name = piaa_csv_column_name(sheet->csv, c);
        letters_of(name, letters);
        if (!whole && is_among(letters, folder_names)) sheet->folder = c;
        if (!whole || !is_of_kind(name, path_kinds[PATHS_OF_NAMES], PIAA_ROLE_PATH)) continue;
        bool yes;
        if (!are_folders(sheet, path, c, &yes, error)) return false;
        if (!yes) continue;
        sheet->folder = path;
        sheet->role[PIAA_ROLE_PATH] = c;
    }
    return true;
}

/* The photo of the row in hand, with its folder where another column has that; good until the next
   call.  NULL where memory is out. */
static const char *photo_of_row(piaa_sheet *sheet, piaa_error *error) {
    const char *name = piaa_csv_word(sheet->csv, sheet->role[PIAA_ROLE_PATH]),
               *folder = piaa_csv_word(sheet->csv, sheet->folder);
    if (!*name || piaa_cell_is_blank(folder) || holds_folder(name)) return name;
    bool closed = strchr("/\\", folder[strlen(folder) - 1]) != NULL;
    sheet->joined.length = 0;
    bool ok = piaa_text_format(&sheet->joined, error, "%s%s%s", folder, closed ? "" : "/", name);
    return ok ? sheet->joined.data : NULL;
}

/* What kinds of cells there are, and who has rows. */
static bool count_cells(piaa_sheet *sheet, piaa_error *error) {
    piaa_csv *csv = sheet->csv;
    int got, user = sheet->role[PIAA_ROLE_USER];
    bool whole = true; /* all scores are whole numbers from -1 to 5 */
    double highest = -1;
    while ((got = next_sound_row(csv, error)) > 0) {
        for (int c = 0; c < piaa_csv_columns(csv); c++) {
            double value;
            piaa_cell is = piaa_csv_number(csv, c, &value);
            if (is == PIAA_CELL_NUMBER) sheet->numbers[c]++;
            if (is == PIAA_CELL_OTHER) sheet->others[c]++;
            if (c != sheet->role[PIAA_ROLE_SCORE] || is == PIAA_CELL_BLANK) continue;
            whole = whole && is == PIAA_CELL_NUMBER && value >= -1 && value <= 5 &&
                    value == floor(value);
            if (is == PIAA_CELL_NUMBER && value > highest) highest = value;
            if (is == PIAA_CELL_NUMBER && value == 0) sheet->zeros++;
            if (is == PIAA_CELL_NUMBER && value == -1) sheet->rejected++;
        }
        const char *who = piaa_csv_word(csv, user);
        size_t number;
        if (*who && !piaa_names_add(&sheet->users, who, &number, NULL, error)) return false;
    }
    piaa_csv_rewind(csv);
    if (!sheet->users.count) sheet->role[PIAA_ROLE_USER] = -1; /* the column is blank */
    if (sheet->pairs) return got == 0;
    /* `score` keeps its numbers; `rating` is a photo program's where the file is exiftool's, or has
       the photos' folders and names apart, or stars beside -1 (from -1 to 1 it is a scale of its
       own) */
    const char *score = piaa_csv_column_name(csv, sheet->role[PIAA_ROLE_SCORE]);
    char path[NAME_SIZE], letters[NAME_SIZE];
    letters_of(piaa_csv_column_name(csv, sheet->role[PIAA_ROLE_PATH]), path);
    letters_of(score, letters);
    sheet->stars = whole && strcmp(letters, "score") != 0 &&
                   ((sheet->rejected && highest > 1) || strcmp(letters, "rating") != 0 ||
                    strcmp(path, "sourcefile") == 0 || sheet->folder >= 0);
    return got == 0;
}

/* Rows of photos that have several, and what a column says of them. */
typedef struct repeats {
    piaa_names paths;
    size_t *rows, room; /* [photos] */
    size_t pairs;       /* of rows of the same photo */
} repeats;

static bool count_repeats(piaa_sheet *sheet, repeats *r, piaa_error *error) {
    int got;
    while ((got = next_sound_row(sheet->csv, error)) > 0) {
        const char *path = photo_of_row(sheet, error);
        size_t photo;
        bool fresh;
        if (!path) return false;
        if (!*path) continue;
        if (!piaa_names_add(&r->paths, path, &photo, &fresh, error) ||
            !piaa_grow(&r->rows, &r->room, photo + 1, sizeof *r->rows, error))
            return false;
        if (fresh) r->rows[photo] = 0;
        r->pairs += r->rows[photo]++;
    }
    piaa_csv_rewind(sheet->csv);
    return got == 0;
}

/* Whether the column tells all rows of each photo apart, and has values that come back. */
static bool tells_apart(piaa_sheet *sheet, const repeats *r, int column, bool *yes,
                        piaa_error *error) {
    piaa_names values = {0}, cells = {0};
    size_t rows = 0;
    int got = 0;
    bool ok = true;
    *yes = true;
    while (ok && *yes && (got = next_sound_row(sheet->csv, error)) > 0) {
        const char *path = photo_of_row(sheet, error), *word = piaa_csv_word(sheet->csv, column);
        double value;
        size_t photo, number;
        bool fresh;
        ok = path != NULL;
        if (!ok || !*path || !piaa_names_find(&r->paths, path, &photo)) continue;
        piaa_cell is = piaa_csv_number(sheet->csv, column, &value);
        if (is == PIAA_CELL_BLANK ? r->rows[photo] > 1
                                  : is == PIAA_CELL_NUMBER && value != floor(value)) {
            *yes = false;
            break;
        }
        char *cell = piaa_format(error, "%zu %s", photo, word);
        ok = cell && piaa_names_add(&values, word, &number, NULL, error) &&
             piaa_names_add(&cells, cell, &number, &fresh, error);
        *yes = ok && fresh;
        rows++;
        free(cell);
    }
    *yes = *yes && values.count > 1 && values.count < rows;
    piaa_names_free(&values);
    piaa_names_free(&cells);
    piaa_csv_rewind(sheet->csv);
    return ok && got >= 0;
}

static bool is_known(const piaa_sheet *sheet, int column) {
    char letters[NAME_SIZE];
    letters_of(piaa_csv_column_name(sheet->csv, column), letters);
    for (int role = 0; role < PIAA_ROLES; role++)
        if (sheet->role[role] == column) return true;
    for (int kind = 0; kind <= PATHS_OF_NAMES; kind++)
        if (is_among(letters, path_kinds[kind])) return true;
    return !*letters || is_among(letters, folder_names) ||
           is_among(letters, " style genre semantic score rating chosenby ");
}

/* Fails where there are several people and no column is known to name them. */
static bool look_for_people(piaa_sheet *sheet, piaa_error *error) {
    repeats r = {0};
    piaa_text names = {0};
    bool ok = count_repeats(sheet, &r, error);
    size_t found = 0;
    for (int c = 0; ok && r.pairs && c < piaa_csv_columns(sheet->csv); c++) {
        const char *name = piaa_csv_column_name(sheet->csv, c);
        bool numbers = sheet->numbers[c] > sheet->others[c], yes;
        if (is_known(sheet, c) ||
            (numbers && r.pairs < PAIRS_OF_NUMBERS && !is_label_of_rows(name)))
            continue;
        ok = tells_apart(sheet, &r, c, &yes, error) &&
             (!yes || piaa_text_format(&names, error, "%s%s", found++ ? ", " : "", name));
    }
    if (ok && found)
        ok = piaa_error_set(
            error, PIAA_FORMAT,
            "%s: the same photos are rated several times, and the column%s %.200s %s these rows "
            "apart: if that is who rated, add --user-column \"%.80s\"; if all ratings are one "
            "person's, --user-column none",
            piaa_csv_where(sheet->csv), found > 1 ? "s" : "", names.data,
            found > 1 ? "each tell" : "tells", found > 1 ? "NAME" : names.data);
    piaa_names_free(&r.paths);
    free(r.rows);
    free(names.data);
    return ok;
}

/* A column of text or ids whose values come back is worth a word, even where no photo has two
   rows. */
static bool find_possible_people(piaa_sheet *sheet, piaa_error *error) {
    bool ok = true;
    if (is_of_kind(piaa_csv_column_name(sheet->csv, sheet->role[PIAA_ROLE_PATH]), " sourcefile ",
                   PIAA_ROLE_PATH))
        return true; /* exiftool's columns are of the photo, whose people are not those who rated */
    for (int c = 0; ok && sheet->people < 0 && c < piaa_csv_columns(sheet->csv); c++) {
        size_t filled = sheet->numbers[c] + sheet->others[c], number;
        if (is_known(sheet, c) || piaa_sheet_measures(sheet, c) || filled < 4) continue;
        piaa_names values = {0};
        int got;
        while (ok && (got = next_sound_row(sheet->csv, error)) != 0) {
            const char *word = piaa_csv_word(sheet->csv, c);
            ok = got > 0 &&
                 (piaa_cell_is_blank(word) || piaa_names_add(&values, word, &number, NULL, error));
        }
        if (values.count > 1 && values.count * 2 <= filled) sheet->people = c;
        piaa_names_free(&values);
        piaa_csv_rewind(sheet->csv);
    }
    return ok;
}

static bool open_csv(piaa_sheet *sheet, const char *file, piaa_error *error) {
    *sheet = (piaa_sheet){.csv = piaa_csv_open(file, error), .people = -1, .folder = -1};
    size_t columns = sheet->csv ? (size_t)piaa_csv_columns(sheet->csv) : 0;
    return sheet->csv && (sheet->numbers = piaa_alloc(columns, sizeof(size_t), error)) &&
           (sheet->others = piaa_alloc(columns, sizeof(size_t), error));
}

bool piaa_sheet_open(piaa_sheet *sheet, const char *file, const char *user_column,
                     piaa_error *error) {
    if (open_csv(sheet, file, error) && find_columns(sheet, user_column, error) &&
        find_folder(sheet, error) && count_cells(sheet, error) &&
        (sheet->role[PIAA_ROLE_USER] >= 0 || user_column ||
         (look_for_people(sheet, error) && find_possible_people(sheet, error))))
        return true;
    piaa_sheet_close(sheet);
    return false;
}

bool piaa_sheet_open_pairs(piaa_sheet *sheet, const char *file, const char *user_column,
                           piaa_error *error) {
    bool ok = open_csv(sheet, file, error);
    sheet->pairs = true;
    if (ok && find_pair_columns(sheet, user_column, error) && count_cells(sheet, error))
        return true;
    piaa_sheet_close(sheet);
    return false;
}

void piaa_sheet_close(piaa_sheet *sheet) {
    piaa_csv_close(sheet->csv);
    free(sheet->numbers);
    free(sheet->others);
    free(sheet->joined.data);
    piaa_names_free(&sheet->users);
    *sheet = (piaa_sheet){0};
}

/* ---------------------------------------------------------------------------------------- whose */

static bool list_people(const piaa_names *users, piaa_text *out, piaa_error *error) {
    enum { SHOWN = 4 };
    bool ok = true;
    for (size_t i = 0; ok && i < users->count && i < SHOWN; i++)
        ok = piaa_text_format(out, error, "%s%.60s", i ? ", " : "", users->items[i]);
    return ok && (users->count <= SHOWN || piaa_text_format(out, error, ", …"));
}

/* One person's ratings are wanted: either they are all that is there, or `user` says whose. */
bool piaa_sheet_check_people(const piaa_sheet *sheet, const char *user, piaa_error *error) {
    const char *where = piaa_csv_where(sheet->csv), *what = sheet->pairs ? "answers" : "ratings";
    size_t unused;
    if (user && sheet->role[PIAA_ROLE_USER] < 0)
        return piaa_error_set(
            error, PIAA_USAGE,
            "%s has no column that says who rated, so --user %.80s picks nothing: "
            "name the column with --user-column",
            where, user);
    if (user ? piaa_names_find(&sheet->users, user, &unused) : sheet->users.count < 2) return true;
    piaa_text people = {0};
    if (!list_people(&sheet->users, &people, error)) {
        free(people.data);
        return false;
    }
    const char *column = piaa_csv_column_name(sheet->csv, sheet->role[PIAA_ROLE_USER]),
               *list = people.data ? people.data : "nobody";
    if (user)
        piaa_error_set(error, PIAA_USAGE, "%s holds no %s of %.80s; its column %.80s has %s", where,
                       what, user, column, list);
    else
        piaa_error_set(error, PIAA_FORMAT,
                       "%s holds the %s of %zu people (column %.80s: %s), and a taste is one "
                       "person's: say whose with --user WHO (--user-column none: all are one's)",
                       where, what, sheet->users.count, column, list);
    free(people.data);
    return false;
}

/* ------------------------------------------------------------------------------------- the rows */

static piaa_sheet_got fault(const piaa_sheet *sheet, piaa_error *error, const char *what) {
    piaa_error_set(error, PIAA_FORMAT, "%s, line %lld: %s", piaa_csv_where(sheet->csv),
                   (long long)piaa_csv_line(sheet->csv), what);
    return PIAA_SHEET_FAULT;
}

/* At most 40 bytes of a field, cut between characters, for a message. */
static const char *excerpt(const char *field, char out[48]) {
    int n = piaa_utf8_shown(field, 40);
    snprintf(out, 48, "%.*s%s", n, field, field[n] ? "…" : "");
    return out;
}

/* PIAA_CELL_BLANK: the photo is unrated. */
static piaa_cell read_score(piaa_sheet *sheet, double *score, char *what, size_t size) {
    int column = sheet->role[PIAA_ROLE_SCORE];
    char shown[48];
    piaa_cell is = piaa_csv_number(sheet->csv, column, score);
    excerpt(piaa_csv_word(sheet->csv, column), shown);
    if (is == PIAA_CELL_OTHER)
        snprintf(what, size, "the score \"%s\" %s", shown, piaa_csv_fault(sheet->csv, column));
    if (is != PIAA_CELL_NUMBER) return is;
    if (fabs(*score) > score_limit) {
        snprintf(what, size, "the score %s is out of range", shown);
        return PIAA_CELL_OTHER;
    }
    return sheet->stars && !piaa_stars_to_score(*score, score) ? PIAA_CELL_BLANK : is;
}

piaa_sheet_got piaa_sheet_next(piaa_sheet *sheet, const char *user, piaa_sheet_row *row,
                               piaa_error *error) {
    for (;;) {
        int got = piaa_csv_next(sheet->csv, error);
        if (got == 0) return PIAA_SHEET_END;
        if (got < 0) return error->code == PIAA_MEMORY ? PIAA_SHEET_FAILED : PIAA_SHEET_FAULT;
        char what[300];
        *row = (piaa_sheet_row){.path = photo_of_row(sheet, error),
                                .user = piaa_csv_word(sheet->csv, sheet->role[PIAA_ROLE_USER])};
        if (!row->path) return PIAA_SHEET_FAILED;
        if (user && strcmp(row->user, user) != 0) continue;
        piaa_cell is = read_score(sheet, &row->score, what, sizeof what);
        if (!*row->path) {
            if (is == PIAA_CELL_BLANK) continue; /* a remark of its own */
            return fault(sheet, error, "there is no path");
        }
        if (is == PIAA_CELL_BLANK) {
            sheet->unrated++;
            row->score = NAN;
            return PIAA_SHEET_UNRATED;
        }
        if (is == PIAA_CELL_OTHER) return fault(sheet, error, what);
        if (sheet->role[PIAA_ROLE_USER] >= 0 && !*row->user)
            return fault(sheet, error, "there is no user");
        return PIAA_SHEET_RATING;
    }
}

piaa_sheet_got piaa_sheet_next_pair(piaa_sheet *sheet, const char *user, piaa_sheet_pair *row,
                                    piaa_error *error) {
    piaa_csv *csv = sheet->csv;
    const int *role = sheet->role;
    for (;;) {
        int got = piaa_csv_next(csv, error);
        if (got == 0) return PIAA_SHEET_END;
        if (got < 0) return error->code == PIAA_MEMORY ? PIAA_SHEET_FAILED : PIAA_SHEET_FAULT;
        const char *who = piaa_csv_word(csv, role[PIAA_ROLE_USER]);
        if (user && strcmp(who, user) != 0) continue;
        *row = (piaa_sheet_pair){.one = piaa_csv_word(csv, role[PIAA_ROLE_ONE]),
                                 .other = piaa_csv_word(csv, role[PIAA_ROLE_OTHER]),
                                 .answer = piaa_csv_word(csv, role[PIAA_ROLE_ANSWER])};
        if (!*row->one && !*row->other) continue; /* a remark of its own */
        if (!*row->one || !*row->other) return fault(sheet, error, "there is only one photo");
        if (role[PIAA_ROLE_USER] >= 0 && !*who) return fault(sheet, error, "there is no user");
        return PIAA_SHEET_RATING;
    }
}

/* -------------------------------------------------------------------------------------- telling */

static bool add_part(piaa_text *line, const char *part, const char *more, piaa_error *error) {
    return piaa_text_format(line, error, "%s%s%s", line->length ? "; " : "", part, more);
}

static bool add_stars(const piaa_sheet *sheet, piaa_text *line, piaa_error *error) {
    if (sheet->stars)
        return add_part(
            line,
            "stars of a photo program, where 0 is unrated and -1 rejected (which counts "
            "as 0)",
            "; a column named score keeps its numbers", error);
    char letters[NAME_SIZE];
    letters_of(piaa_csv_column_name(sheet->csv, sheet->role[PIAA_ROLE_SCORE]), letters);
    return !sheet->zeros || strcmp(letters, "score") == 0 ||
           add_part(line, "0 is a rating like any other: leave the cells of unrated photos empty",
                    "", error);
}

static bool describe(const piaa_sheet *sheet, piaa_text *line, piaa_error *error) {
    if (!piaa_csv_describe(sheet->csv, line, error)) return false;
    if (sheet->folder >= 0 &&
        !piaa_text_format(line, error, "%sthe columns \"%.80s\" and \"%.80s\" as the path",
                          line->length ? "; " : "", piaa_csv_column_name(sheet->csv, sheet->folder),
                          piaa_csv_column_name(sheet->csv, sheet->role[PIAA_ROLE_PATH])))
        return false;
    for (piaa_role role = 0; role < PIAA_ROLES; role++) {
        int column = sheet->role[role];
        const char *name = piaa_csv_column_name(sheet->csv, column);
        if (role == PIAA_ROLE_PATH && sheet->folder >= 0) continue;
        if (column < 0 || strcasecmp(name, called(sheet, role)) == 0) continue;
        if (!piaa_text_format(line, error, "%scolumn \"%.80s\" as the %s", line->length ? "; " : "",
                              name, called(sheet, role)))
            return false;
    }
    if (sheet->pairs) return true;
    if (!add_stars(sheet, line, error)) return false;
    return sheet->people < 0 ||
           piaa_text_format(line, error,
                            "%sone person's ratings (should the column \"%.60s\" say who rated, "
                            "add --user-column)",
                            line->length ? "; " : "",
                            piaa_csv_column_name(sheet->csv, sheet->people));
}

bool piaa_sheet_tell(const piaa_sheet *sheet, const piaa_hooks *hooks, piaa_error *error) {
    piaa_text line = {0};
    const char *where = piaa_csv_where(sheet->csv);
    bool ok = describe(sheet, &line, error);
    if (ok && line.length) piaa_hooks_warn(hooks, "%.500s: read as %.480s", where, line.data);
    if (ok && sheet->unrated)
        piaa_hooks_warn(hooks, "%.700s: %zu row%s no rating: unrated photos are left out", where,
                        sheet->unrated, sheet->unrated == 1 ? " has" : "s have");
    free(line.data);
    return ok;
}

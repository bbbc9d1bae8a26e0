/* Numbers as spreadsheets and people write them. */
#include "base/cell.h"

#include "base/csv.h"

#include <string.h>
#include <strings.h>

enum { LONGEST = 48 }; /* bytes of a number; longer cells are text */

bool piaa_cell_is_blank(const char *word) {
    static const char *const blanks[] = {"na",    "n/a",  "n.a.", "#n/a",  "nan",     "null",
                                         "nil",   "none", "<na>", "\\n",   "?",       "-",
                                         "--",    "–",    "—",    "#n/v",  "#value!", "#div/0!",
                                         "#ref!", ".",    "nat",  "#null!"};
    for (size_t i = 0; i < PIAA_COUNT(blanks); i++)
        if (strcasecmp(word, blanks[i]) == 0) return true;
    return !*word;
}

/* [1-9], up to two digits more, the sign, three digits, and nothing else: a thousands separator may
   be meant. */
static bool may_be_thousands(const char *word, char sign) {
    if (*word == '+' || *word == '-') word++;
    size_t before = strspn(word, "0123456789");
    return *word != '0' && before >= 1 && before <= 3 && word[before] == sign &&
           strspn(word + before + 1, "0123456789") == 3 && !word[before + 4];
}

/* The word with a minus sign of typographers (U+2212) made one of programmers and with its only
   comma made a point; *comma: it had one.  false: it cannot be a number. */
static bool plain_form(const char *word, char out[LONGEST], bool *comma) {
    static const char minus[] = "\xE2\x88\x92";
    size_t n = 0;
    *comma = false;
    if (strncmp(word, minus, sizeof minus - 1) == 0) {
        out[n++] = '-';
        word += sizeof minus - 1;
    }
    for (; *word && n + 1 < LONGEST; word++) {
        if (*word == ',' && *comma) return false;
        *comma = *comma || *word == ',';
        out[n++] = *word;
        if (*word == ',') out[n - 1] = '.';
    }
    out[n] = '\0';
    return !*word;
}

static bool starts_with(const char **at, const char *what) {
    size_t n = strlen(what);
    if (strncmp(*at, what, n) != 0) return false;
    *at += n;
    return true;
}

/* Full and empty stars, and nothing else; true with the number of full ones. */
static bool read_stars(const char *word, double *count) {
    double full = 0;
    for (const char *at = word; *at;) {
        bool one = starts_with(&at, "★") || starts_with(&at, "⭐") || starts_with(&at, "*");
        if (!one && !starts_with(&at, "☆")) return false;
        while (starts_with(&at, "\xEF\xB8\x8F")) { /* "shown as a picture", which follows some */
        }
        full += one;
    }
    *count = full;
    return *word;
}

/* A number before a per cent sign, perhaps with a blank between. */
static bool strip_percent(const char *word, char out[LONGEST]) {
    size_t n = strlen(word);
    if (n < 2 || n >= LONGEST || word[n - 1] != '%') return false;
    memcpy(out, word, n);
    for (n--; n && (out[n - 1] == ' ' || out[n - 1] == '\t'); n--) {
    }
    if (n > 2 && memcmp(out + n - 2, "\xC2\xA0", 2) == 0)
        n -= 2; /* the blank that does not break */
    out[n] = '\0';
    return true;
}

/* The number that a word without per cent sign and stars is, in `form`. */
static piaa_cell read_number(const piaa_cell_form *form, const char *word, double *value) {
    char text[LONGEST];
    bool comma;
    if (!plain_form(word, text, &comma) || !piaa_parse_number(text, value)) return PIAA_CELL_OTHER;
    if (comma && may_be_thousands(word, ',') && !form->semicolons &&
        (!form->commas || form->points))
        return PIAA_CELL_OTHER;
    if (!comma && may_be_thousands(word, '.') && form->commas) return PIAA_CELL_OTHER;
    return PIAA_CELL_NUMBER;
}

void piaa_cell_look(piaa_cell_form *form, const char *word) {
    char text[LONGEST], number[LONGEST];
    double value;
    bool comma, percent = strip_percent(word, text);
    const char *rest = percent ? text : word;
    if (!percent && read_stars(word, &value)) {
        form->stars++;
        return;
    }
    if (!plain_form(rest, number, &comma) || !piaa_parse_number(number, &value)) return;
    (*(percent ? &form->percents : &form->plain))++;
    form->commas += comma && (form->semicolons || !may_be_thousands(rest, ','));
    form->points += !comma && strchr(rest, '.') != NULL;
}

piaa_cell piaa_cell_read(const piaa_cell_form *form, const char *word, double *value) {
    char text[LONGEST];
    if (piaa_cell_is_blank(word)) return PIAA_CELL_BLANK;
    if (strip_percent(word, text))
        return form->plain ? PIAA_CELL_OTHER : read_number(form, text, value);
    if (read_stars(word, value)) return *value > 0 ? PIAA_CELL_NUMBER : PIAA_CELL_BLANK;
    return read_number(form, word, value);
}

const char *piaa_cell_fault(const piaa_cell_form *form, const char *word) {
    char text[LONGEST];
    if (strip_percent(word, text) && form->plain)
        return "has a per cent sign, which other numbers of the column have not: write all of them "
               "alike";
    if (may_be_thousands(word, ',') || may_be_thousands(word, '.'))
        return "may have a decimal sign or a separator of thousands: write it with a decimal point "
               "and without separators";
    if (strchr(word, ',') && word[strspn(word, "+-.,0123456789 ")] == '\0')
        return "is not a number (write a point, not a comma, and no separators of thousands)";
    return "is not a number";
}

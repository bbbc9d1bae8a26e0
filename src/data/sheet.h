/*
 * A table of ratings or of comparisons, a row for each: which column says what, and what each row
 * says.  Ratings files, pairs files and data sets (csv:FILE) are all read through here, so that
 * what one of them understands the others do; docs/ratings.md lists it.
 */
#ifndef PIAA_DATA_SHEET_H
#define PIAA_DATA_SHEET_H

#include "base/csv.h"
#include "data/names.h"

typedef enum piaa_role {
    PIAA_ROLE_PATH,
    PIAA_ROLE_SCORE,
    PIAA_ROLE_USER,
    PIAA_ROLE_SPLIT,
    PIAA_ROLE_ONE, /* of comparisons: a photo, another, and which is better */
    PIAA_ROLE_OTHER,
    PIAA_ROLE_ANSWER,
    PIAA_ROLES
} piaa_role;

typedef struct piaa_sheet {
    piaa_csv *csv;
    int role[PIAA_ROLES]; /* columns; -1 where there is none, or where that of users is blank; path
                             and score are always there */
    bool pairs;           /* it holds comparisons: one and other are always there instead */
    bool decided; /* of these: `one` is the better one wherever an answer does not say otherwise */
    int folder;   /* the column of the folder that the photo named by the path's is in; -1: none */
    piaa_text joined;         /* both, of the row in hand */
    size_t *numbers, *others; /* [columns] cells that are numbers, and that are neither these nor
                                 blank */
    piaa_names users;         /* who has rows, where a column says so; in order of appearance */
    int people; /* a column that may say who rated, though nothing shows it; -1: none is */
    bool stars; /* scores are stars of photo programs: 0 is unrated, -1 rejected */
    size_t zeros, rejected; /* such scores */
    size_t unrated;         /* rows without a score, as far as they were read */
} piaa_sheet;

/* `user_column`: the column that says who rated ("none": no column does; NULL: it is looked for).
 *
 * Fails where path or score cannot be told, where two columns of one of these meanings are there,
 * and where rows of one photo show that several people rated but not by a column that is known as
 * theirs: the error offers --user-column. */
bool piaa_sheet_open(piaa_sheet *sheet, const char *file, const char *user_column,
                     piaa_error *error) PIAA_MUST_USE;

/* The same of comparisons: columns better and worse, or left, right and answer, by these names or
 * others (docs/ratings.md).  Nothing is made of columns that are not known to say who answered. */
bool piaa_sheet_open_pairs(piaa_sheet *sheet, const char *file, const char *user_column,
                           piaa_error *error) PIAA_MUST_USE;

/* Fails unless all rows are one person's, or some are `user`'s (NULL: nobody is asked for). */
bool piaa_sheet_check_people(const piaa_sheet *sheet, const char *user,
                             piaa_error *error) PIAA_MUST_USE;
void piaa_sheet_close(piaa_sheet *sheet);

/* A row; its strings are good until the next one. */
typedef struct piaa_sheet_row {
    const char *path;
    const char *user; /* "" where no column says */
    double score;
} piaa_sheet_row;

typedef enum piaa_sheet_got {
    PIAA_SHEET_END,
    PIAA_SHEET_RATING,
    PIAA_SHEET_UNRATED, /* a photo without a score, which is NaN; counted in sheet->unrated */
    PIAA_SHEET_FAULT,   /* the row cannot be used: the error says where and why; go on behind it */
    PIAA_SHEET_FAILED,  /* out of memory */
} piaa_sheet_got;

/* The next row with a photo.  `user`: other people's rows are passed over, NULL: none are. */
piaa_sheet_got piaa_sheet_next(piaa_sheet *sheet, const char *user, piaa_sheet_row *row,
                               piaa_error *error) PIAA_MUST_USE;

/* A comparison; its strings are good until the next one. */
typedef struct piaa_sheet_pair {
    const char *one, *other;
    const char *answer; /* "" where no column says, or nothing stands there */
} piaa_sheet_pair;
/* RATING: a row; FAULT, FAILED, END as above. */
piaa_sheet_got piaa_sheet_next_pair(piaa_sheet *sheet, const char *user, piaa_sheet_pair *row,
                                    piaa_error *error) PIAA_MUST_USE;

/* Letters and digits alone, small ones: "XMP-xmp:Rating" is xmpxmprating.  At most size - 1. */
void piaa_sheet_letters(const char *name, char *out, size_t size);

/* Whether a column measures something: it holds numbers, and its name is not that of an index, an
   id or a person. */
bool piaa_sheet_measures(const piaa_sheet *sheet, int column);

/* One line about all that is not as in plain CSV with the columns path and score, and one about
   photos without a rating; nothing where there is nothing to say. */
bool piaa_sheet_tell(const piaa_sheet *sheet, const piaa_hooks *hooks,
                     piaa_error *error) PIAA_MUST_USE;

#endif

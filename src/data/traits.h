/* What PARA knows of its people (annotation/PARA-UserInfo.csv): five traits that are words and five
   that are numbers, and the numbers that a network takes for the words. */
#ifndef PIAA_DATA_TRAITS_H
#define PIAA_DATA_TRAITS_H

#include "base/file.h"
#include "data/dataset.h"

enum { PIAA_TRAIT_WORDS = 5, PIAA_TRAIT_NUMBERS = 5 };

/* age, gender, EducationalLevel, artExperience, photographyExperience; personality-E, -A, -N, -O,
   -C: the columns' names, in the order of the lists below. */
extern const char *const piaa_trait_words[PIAA_TRAIT_WORDS];
extern const char *const piaa_trait_numbers[PIAA_TRAIT_NUMBERS];

typedef struct piaa_traits {
    char *where;      /* the file, for messages */
    size_t people;    /* user_names.count of the data set: all its people */
    const char **ids; /* [people], the data set's */
    char **words;     /* [people][5]; "" where one is missing */
    float *numbers;   /* [people][5], as written (PARA: 1 to 10); NaN where one is missing or no
                         number */
    bool *has;        /* [people]: there is a row */
    size_t bad_rows;  /* without a userId, or of somebody who was listed before: told */
} piaa_traits;

/*
 * Reads the traits of the data set's people; the file's other people are passed over.  Of several
 * rows of one person the first counts.  The data set has to live longer.
 *
 * PIAA_MISMATCH for another data set than PARA, PIAA_IO where the file is not there, PIAA_FORMAT
 * where it lacks a column.
 */
piaa_traits *piaa_traits_read(const piaa_dataset *set, const piaa_hooks *hooks,
                              piaa_error *error) PIAA_MUST_USE;
void piaa_traits_free(piaa_traits *traits);

/* The words of some people, those that are trained on: of each trait every word once, sorted by
   code point.  A list is never empty: where nobody has a word it holds "".  The lists are the
   caller's, empty before, and to be freed (piaa_trait_vocabulary_free) after a failure too. */
typedef struct piaa_trait_vocabulary {
    piaa_paths words[PIAA_TRAIT_WORDS];
} piaa_trait_vocabulary;

bool piaa_trait_vocabulary_make(const piaa_traits *traits, const size_t *users, size_t count,
                                piaa_trait_vocabulary *vocabulary, piaa_error *error) PIAA_MUST_USE;
void piaa_trait_vocabulary_free(piaa_trait_vocabulary *vocabulary);

/* What was not there when traits were encoded; each a number of people or of single traits. */
typedef struct piaa_traits_loss {
    size_t without_row;     /* people: all their traits are 0 */
    size_t unknown_words;   /* not in the vocabulary */
    size_t missing_words;   /* of people who have a row */
    size_t missing_numbers; /* the same, and what is no number */
} piaa_traits_loss;

/*
 * categories [count][5]: the words' places in the vocabulary; as published an unknown or a missing
 * word is 0, which is also the place of the first word.  numbers [count][5]: 0 where one is
 * missing. Each loss is told to hooks->warn, the first few of a kind one by one, and counted (loss
 * may be NULL).
 */
void piaa_traits_encode(const piaa_traits *traits, const piaa_trait_vocabulary *vocabulary,
                        const size_t *users, size_t count, int *categories, float *numbers,
                        const piaa_hooks *hooks, piaa_traits_loss *loss);

#endif

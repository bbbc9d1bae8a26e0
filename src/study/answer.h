/*
 * A model's answer as a number, by the rules of the published code (regular expressions of Python's
 * re, in which \d, \s and \b know all of Unicode, and whose matches Python's float reads).
 *
 *   NUMBER   raw text, few-shot, an adapter for each person: the first  [-+]?\d+(\.\d+)?
 *   DIGIT    token classification: the first  \b[1-5]\b  (of "3.5" the 3, of "-2" the 2), else the
 *            first  [-+]?\d+,  brought into 1 to 5
 *   OVERALL  chain of thought: the first  overall\s*[:=]\s*([-+]?\d+(?:\.\d+)?)  in any case, else
 *            the last number
 *
 * So "-3", "10", "1/5" (1) and ".5" (5) are answers.  What none is found in is NaN, and no error.
 */
#ifndef PIAA_STUDY_ANSWER_H
#define PIAA_STUDY_ANSWER_H

#include "base/error.h"

typedef enum piaa_answer_rule {
    PIAA_ANSWER_NUMBER,
    PIAA_ANSWER_DIGIT,
    PIAA_ANSWER_OVERALL
} piaa_answer_rule;

/* `text` is UTF-8; bytes that are not, are characters of no kind.  A number of more than 308 digits
 * is infinite, as in Python.  The one error is memory. */
bool piaa_answer_read(const char *text, piaa_answer_rule rule, double *out,
                      piaa_error *error) PIAA_MUST_USE;

#endif

/*
 * The command line as tables: each command says once what it takes, and the parser, the help, the
 * man page and the shells' completions all read it there.
 */
#ifndef PIAA_CLI_OPTIONS_H
#define PIAA_CLI_OPTIONS_H

#include "base/output.h"
#include "cli/talk.h"

typedef struct piaa_call piaa_call;

/* A long option.  A table of them ends with {0}. */
typedef struct piaa_option {
    const char *name;     /* without the dashes */
    const char *argument; /* what help calls its value: "FILE", "DIR", "N"; NULL for a switch */
    const char *help;     /* what it does, without a full stop */
    /* What holds where it is not given, for help; NULL: goes without saying. */
    const char *fallback;
    const char *choices; /* the values that there are, "apply ignore"; NULL: any */
} piaa_option;

typedef struct piaa_option_group {
    const char *title;
    const piaa_option *options;
} piaa_option_group;

enum { PIAA_GROUPS = 4, PIAA_OPTIONS_MOST = 64 };

typedef struct piaa_command {
    const char *name;                      /* "rank", "store info" */
    const char *former;                    /* one word that it was called before; NULL */
    const char *summary;                   /* one sentence without a full stop */
    const char *example;                   /* command lines, each ended by a newline */
    const char *operands;                  /* "PHOTOS…"; "" if there are none */
    int least, most;                       /* operands; most -1: any number */
    piaa_option_group groups[PIAA_GROUPS]; /* ended by a title of NULL, if not full */
    const char *notes;                     /* paragraphs, separated by an empty line; NULL */
    bool (*run)(piaa_call *call, piaa_error *error); /* prints the result */
} piaa_command;

/* A command as it was given.  Strings belong to argv. */
struct piaa_call {
    const piaa_command *command;
    const char *values[PIAA_OPTIONS_MOST]; /* by place in the groups; NULL: not given */
    const char **operands;                 /* owned */
    size_t operand_count;
    bool help; /* --help or -h was among them; nothing else was checked */
    piaa_talk talk;
};

/* Takes argv after the command's name: "--name value", "--name=value", "--" ends the options, "-"
 * is an operand; names are written out in full; given twice, the last one counts.  Every error is
 * PIAA_USAGE. */
bool piaa_call_parse(piaa_call *call, const piaa_command *command, int count, char *const *words,
                     piaa_error *error) PIAA_MUST_USE;
void piaa_call_free(piaa_call *call);

/* By names that the command's table holds. */
/* NULL: not given; "" for a switch. */
const char *piaa_call_value(const piaa_call *call, const char *name);
bool piaa_call_has(const piaa_call *call, const char *name);
/* A whole number within bounds; *out is left as it is where the option was not given. */
bool piaa_call_integer(const piaa_call *call, const char *name, int64_t least, int64_t most,
                       int64_t *out, piaa_error *error) PIAA_MUST_USE;
/* The same of any number. */
bool piaa_call_number(const piaa_call *call, const char *name, double least, double most,
                      double *out, piaa_error *error) PIAA_MUST_USE;
/* The value's place, from 0, among the choices that the option has; -1: it was not given. */
int piaa_call_choice(const piaa_call *call, const char *name);
/* PIAA_USAGE unless the option was given. */
bool piaa_call_need(const piaa_call *call, const char *name, piaa_error *error) PIAA_MUST_USE;
/* PIAA_USAGE if both were given. */
bool piaa_call_exclude(const piaa_call *call, const char *one, const char *other,
                       piaa_error *error) PIAA_MUST_USE;

/* Before any work: PIAA_USAGE where the file that `path` (one of the call's values or operands)
 * names is also read, as an operand or another option's value, or is not one of this kind that
 * piaa wrote. */
bool piaa_call_output(const piaa_call *call, const char *path, const piaa_output_kind *kind,
                      piaa_error *error) PIAA_MUST_USE;

/* The option at a place counted through all groups of the command; NULL after the last. */
const piaa_option *piaa_command_option(const piaa_command *command, size_t place);

/* Of `count` words the one that `word` is most likely a slip of the pen for; -1 if none is near. */
int piaa_words_nearest(const char *word, const char *const *words, size_t count);

#endif

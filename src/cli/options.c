/* Parses a command line by the command's table. */
#include "cli/options.h"

#include "base/file.h"
#include "base/memory.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const piaa_option *piaa_command_option(const piaa_command *command, size_t place) {
    /* An option that a call has no room for is not known, which its first use shows. */
    if (place >= PIAA_OPTIONS_MOST) return NULL;
    for (size_t g = 0; g < PIAA_GROUPS && command->groups[g].title; g++)
        for (const piaa_option *option = command->groups[g].options; option->name; option++)
            if (place-- == 0) return option;
    return NULL;
}

/* ----------------------------------------------------------------------------- slips of the pen */

/* Insertions, deletions, replacements and swaps of neighbours that lead from a to b (restricted
   Damerau distance). */
static size_t distance(const char *a, const char *b) {
    enum { LONGEST = 48 };
    size_t n = strlen(a), m = strlen(b), rows[3][LONGEST + 1] = {{0}};
    if (n > LONGEST || m > LONGEST) return SIZE_MAX;
    size_t *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= m; j++) last[j] = j;
    for (size_t i = 1; i <= n; i++) {
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = last[j - 1] + (a[i - 1] != b[j - 1]);
            if (last[j] + 1 < best) best = last[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            row[j] = best;
        }
        size_t *oldest = before;
        before = last;
        last = row;
        row = oldest;
    }
    return last[m];
}

int piaa_words_nearest(const char *word, const char *const *words, size_t count) {
    int nearest = -1;
    size_t least = strlen(word) / 3 + 1; /* one slip in three letters */
    for (size_t i = 0; i < count; i++) {
        bool opening = strlen(word) >= 3 && strncmp(words[i], word, strlen(word)) == 0;
        size_t d = opening ? 1 : distance(word, words[i]);
        if (d < least || (d == least && nearest < 0)) {
            least = d;
            nearest = (int)i;
        }
    }
    return nearest;
}

static bool unknown_option(const piaa_command *command, const char *word, size_t length,
                           piaa_error *error) {
    const char *names[PIAA_OPTIONS_MOST];
    size_t count = 0;
    while (count < PIAA_OPTIONS_MOST && piaa_command_option(command, count)) {
        names[count] = piaa_command_option(command, count)->name;
        count++;
    }
    char name[64] = "";
    memcpy(name, word, length < sizeof name ? length : sizeof name - 1);
    int nearest = piaa_words_nearest(name, names, count);
    if (nearest >= 0)
        return piaa_error_set(error, PIAA_USAGE, "unknown option --%s, did you mean --%s?", name,
                              names[nearest]);
    return piaa_error_set(error, PIAA_USAGE, "unknown option --%s: piaa %s --help lists them", name,
                          command->name);
}

/* -------------------------------------------------------------------------------------- parsing */

/* The place of a value among choices, "apply ignore"; -1: it is none of them. */
static int find_choice(const char *choices, const char *value) {
    size_t n = strlen(value);
    int place = 0;
    for (const char *c = choices; *c; c += strcspn(c, " "), c += strspn(c, " "), place++)
        if (n && strncmp(c, value, n) == 0 && (c[n] == ' ' || !c[n])) return place;
    return -1;
}

/* One option; *used: whether the next word was its value. */
static bool take_option(piaa_call *call, const char *word, const char *next, bool *used,
                        piaa_error *error) {
    const char *name = word + 2, *equals = strchr(name, '=');
    size_t length = equals ? (size_t)(equals - name) : strlen(name), place = 0;
    const piaa_option *option;
    while ((option = piaa_command_option(call->command, place)) &&
           (strncmp(option->name, name, length) != 0 || option->name[length]))
        place++;
    if (!option) return unknown_option(call->command, name, length, error);
    *used = false;
    if (!option->argument) {
        if (equals)
            return piaa_error_set(error, PIAA_USAGE, "--%s is a switch and takes no value",
                                  option->name);
        call->values[place] = "";
        return true;
    }
    const char *value = equals ? equals + 1 : next;
    if (!value || (!equals && strncmp(next, "--", 2) == 0))
        return piaa_error_set(error, PIAA_USAGE, "--%s needs a value: --%s %s", option->name,
                              option->name, option->argument);
    if (option->choices && find_choice(option->choices, value) < 0)
        return piaa_error_set(error, PIAA_USAGE, "--%s cannot be \"%s\": use one of %s",
                              option->name, value, option->choices);
    call->values[place] = value;
    *used = !equals;
    return true;
}

static bool wrong_count(const piaa_call *call, piaa_error *error) {
    const piaa_command *command = call->command;
    if (!command->most)
        return piaa_error_set(error, PIAA_USAGE, "\"%s\" is one word too many: see piaa %s --help",
                              call->operands[0], command->name);
    if ((int)call->operand_count < command->least)
        return piaa_error_set(error, PIAA_USAGE, "%s missing: piaa %s %s",
                              call->operand_count ? "an argument is" : "arguments are",
                              command->name, command->operands);
    return piaa_error_set(error, PIAA_USAGE, "\"%s\" is one argument too many: piaa %s %s",
                          call->operands[command->most], command->name, command->operands);
}

bool piaa_call_parse(piaa_call *call, const piaa_command *command, int count, char *const *words,
                     piaa_error *error) {
    call->command = command;
    call->operands = piaa_alloc((size_t)count + 1, sizeof *call->operands, error);
    if (!call->operands) return false;
    bool open = true; /* no "--" yet */
    for (int i = 0; i < count; i++) {
        const char *word = words[i];
        if (open && (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0))
            return call->help = true;
        if (open && strcmp(word, "--") == 0) {
            open = false;
        } else if (open && strncmp(word, "--", 2) == 0) {
            bool used = false;
            if (!take_option(call, word, i + 1 < count ? words[i + 1] : NULL, &used, error))
                return false;
            i += used;
        } else if (open && word[0] == '-' && word[1]) {
            return piaa_error_set(error, PIAA_USAGE,
                                  "unknown option %s: options are written out (--help); a name "
                                  "that begins with - goes after --",
                                  word);
        } else {
            call->operands[call->operand_count++] = word;
        }
    }
    bool fits = (int)call->operand_count >= command->least &&
                (command->most < 0 || (int)call->operand_count <= command->most);
    return fits || wrong_count(call, error);
}

void piaa_call_free(piaa_call *call) {
    free(call->operands);
    call->operands = NULL;
}

/* --------------------------------------------------------------------------------------- values */

const char *piaa_call_value(const piaa_call *call, const char *name) {
    const piaa_option *option;
    for (size_t i = 0; (option = piaa_command_option(call->command, i)); i++)
        if (strcmp(option->name, name) == 0) return call->values[i];
    assert(!"an option that the table lacks");
    return NULL;
}

bool piaa_call_has(const piaa_call *call, const char *name) {
    return piaa_call_value(call, name) != NULL;
}

bool piaa_call_integer(const piaa_call *call, const char *name, int64_t least, int64_t most,
                       int64_t *out, piaa_error *error) {
    const char *text = piaa_call_value(call, name);
    if (!text) return true;
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end || errno || value < least || value > most)
        return piaa_error_set(error, PIAA_USAGE,
                              "--%s cannot be \"%s\": give a whole number from %lld to %lld", name,
                              text, (long long)least, (long long)most);
    *out = value;
    return true;
}

bool piaa_call_number(const piaa_call *call, const char *name, double least, double most,
                      double *out, piaa_error *error) {
    const char *text = piaa_call_value(call, name);
    if (!text) return true;
    char *end;
    const double value = strtod(text, &end);
    if (end == text || *end || !(value >= least && value <= most))
        return piaa_error_set(error, PIAA_USAGE,
                              "--%s cannot be \"%s\": give a number from %g to %g", name, text,
                              least, most);
    *out = value;
    return true;
}

int piaa_call_choice(const piaa_call *call, const char *name) {
    const char *value = piaa_call_value(call, name);
    const piaa_option *option;
    for (size_t i = 0; value && (option = piaa_command_option(call->command, i)); i++)
        if (strcmp(option->name, name) == 0) return find_choice(option->choices, value);
    return -1;
}

bool piaa_call_need(const piaa_call *call, const char *name, piaa_error *error) {
    if (piaa_call_has(call, name)) return true;
    const piaa_option *option;
    for (size_t i = 0; (option = piaa_command_option(call->command, i)); i++)
        if (strcmp(option->name, name) == 0)
            return piaa_error_set(error, PIAA_USAGE, "--%s %s is missing: it names %s", name,
                                  option->argument, option->help);
    return false;
}

bool piaa_call_exclude(const piaa_call *call, const char *one, const char *other,
                       piaa_error *error) {
    if (!piaa_call_has(call, one) || !piaa_call_has(call, other)) return true;
    return piaa_error_set(error, PIAA_USAGE, "--%s and --%s do not go together: give one of them",
                          one, other);
}

bool piaa_call_output(const piaa_call *call, const char *path, const piaa_output_kind *kind,
                      piaa_error *error) {
    const char *read = NULL;
    struct stat status;
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
        return piaa_output_check(path, kind, error); /* a terminal may be read and written */
    for (size_t i = 0; i < call->operand_count; i++)
        if (call->operands[i] != path && piaa_file_is_same(call->operands[i], path))
            read = call->operands[i];
    for (size_t i = 0; piaa_command_option(call->command, i); i++)
        if (call->values[i] && call->values[i] != path && piaa_file_is_same(call->values[i], path))
            read = call->values[i];
    if (read)
        return piaa_error_set(error, PIAA_USAGE,
                              "%s would be written over %s, which is read: name another file", path,
                              read);
    return piaa_output_check(path, kind, error);
}

/* Help on the screen, 80 columns wide, and the man page. */
#include "cli/help.h"

#include <stdlib.h>
#include <string.h>

enum { WIDTH = 80 };

const char piaa_help_purpose[] =
    "Rank photos by one person's taste, learned from the ratings of a few of them. Photos are read "
    "by a "
    "vision-language model, and a ridge regression on its hidden states learns the taste.";
const char piaa_help_model[] =
    "Without --model, piaa uses the demonstration model that comes with it (or the folder in the "
    "environment variable PIAA_MODEL). It was "
    "trained on rendered scenes and shows that the program works, no more. For real taste give "
    "--model a folder with Qwen3-VL-4B-Instruct "
    "as downloaded from Hugging Face; 2B and 8B work too.";
const char piaa_help_files[] = "Features of photos are kept, so that the second run is quick: in "
                               "the folder that --store or --out names, else below "
                               "$XDG_CACHE_HOME/piaa/stores (~/.cache/piaa/stores), one folder for "
                               "each combination of model, prompt and settings. Deleting a folder "
                               "there costs nothing but the time to read the photos again.";

/* ------------------------------------------------------------------------------------ on screen */

/* Columns that `size` bytes of UTF-8 take (all our texts are of narrow characters). */
static int columns(const char *text, size_t size) {
    int n = 0;
    for (size_t i = 0; i < size; i++) n += ((unsigned char)text[i] & 0xc0) != 0x80;
    return n;
}

/* Words of `text`, broken into lines that begin at column `indent`; the first one begins where the
   cursor is, `at`. */
static void wrap(piaa_text *out, const char *text, int indent, int at, piaa_error *error) {
    bool first = true;
    while (*text) {
        size_t size = strcspn(text, " ");
        int width = columns(text, size);
        if (!first && at + 1 + width > WIDTH) {
            piaa_text_format(out, error, "\n%*s", indent, "");
            at = indent;
        } else if (!first) {
            piaa_text_add(out, " ", 1, error);
            at++;
        }
        piaa_text_add(out, text, size, error);
        at += width;
        first = false;
        text += size;
        text += strspn(text, " ");
    }
    piaa_text_add(out, "\n", 1, error);
}

/* "  LEFT      text", the text at column `indent`, on a line of its own where LEFT is too long. */
static void entry(piaa_text *out, const char *left, const char *text, int indent,
                  piaa_error *error) {
    int at = 2 + columns(left, strlen(left));
    piaa_text_format(out, error, "  %s", left);
    if (at + 2 > indent)
        piaa_text_format(out, error, "\n%*s", indent, "");
    else
        piaa_text_format(out, error, "%*s", indent - at, "");
    wrap(out, text, indent, indent, error);
}

static void option_entry(piaa_text *out, const piaa_option *option, int indent, piaa_error *error) {
    char *left = piaa_format(error, "--%s%s%s", option->name, option->argument ? " " : "",
                             option->argument ? option->argument : "");
    char *text = piaa_format(error, "%s%s%s%s", option->help, option->fallback ? " (default: " : "",
                             option->fallback ? option->fallback : "", option->fallback ? ")" : "");
    if (left && text)
        entry(out, left, text, indent, error);
    else
        out->failed = true;
    free(left);
    free(text);
}

/* Each line of `lines` indented by two. */
static void indented(piaa_text *out, const char *lines, piaa_error *error) {
    while (*lines) {
        size_t size = strcspn(lines, "\n");
        piaa_text_format(out, error, "  %.*s\n", (int)size, lines);
        lines += size + (lines[size] == '\n');
    }
}

bool piaa_help_overview(const piaa_command *const *commands, piaa_text *out, piaa_error *error) {
    wrap(out, piaa_help_purpose, 0, 0, error);
    piaa_text_format(out, error, "\n");
    indented(out, commands[0]->example, error);
    piaa_text_format(out, error, "\nCommands\n");
    for (; *commands; commands++) entry(out, (*commands)->name, (*commands)->summary, 16, error);
    piaa_text_format(out, error,
                     "\npiaa COMMAND --help says more about a command, piaa --version which "
                     "version this is.\n\n");
    wrap(out, piaa_help_model, 0, 0, error);
    return !out->failed;
}

static void notes(piaa_text *out, const char *note, piaa_error *error) {
    while (note && *note && !out->failed) {
        const char *end = strstr(note, "\n\n");
        char *paragraph =
            piaa_format(error, "%.*s", (int)(end ? end - note : (long)strlen(note)), note);
        piaa_text_format(out, error, "\n");
        if (paragraph)
            wrap(out, paragraph, 0, 0, error);
        else
            out->failed = true;
        free(paragraph);
        note = end ? end + 2 : NULL;
    }
}

bool piaa_help_command(const piaa_command *command, piaa_text *out, piaa_error *error) {
    piaa_text_format(out, error, "%s.\n\n", command->summary);
    indented(out, command->example, error);
    piaa_text_format(out, error, "\nUsage: piaa %s%s%s%s\n", command->name,
                     command->groups[0].title ? " [OPTIONS]" : "", *command->operands ? " " : "",
                     command->operands);
    for (size_t g = 0; g < PIAA_GROUPS && command->groups[g].title; g++) {
        piaa_text_format(out, error, "\n%s\n", command->groups[g].title);
        for (const piaa_option *option = command->groups[g].options; option->name; option++)
            option_entry(out, option, 22, error);
    }
    notes(out, command->notes, error);
    return !out->failed;
}

/* ------------------------------------------------------------------------------------- man page */

/* Text for roff: backslashes and hyphens escaped, no line that begins with a control character. */
static void roff(piaa_text *out, const char *text, piaa_error *error) {
    for (bool start = true; *text; text++) {
        if (start && (*text == '.' || *text == '\'')) piaa_text_format(out, error, "\\&");
        start = *text == '\n';
        if (*text == '\\')
            piaa_text_format(out, error, "\\e");
        else if (*text == '-')
            piaa_text_format(out, error, "\\-");
        else if (strncmp(text, "\n\n", 2) == 0)
            piaa_text_format(out, error, "\n.PP");
        else
            piaa_text_add(out, text, 1, error);
    }
}

static void roff_part(piaa_text *out, const char *before, const char *text, const char *after,
                      piaa_error *error) {
    piaa_text_format(out, error, "%s", before);
    roff(out, text, error);
    piaa_text_format(out, error, "%s", after);
}

static void man_option(piaa_text *out, const piaa_option *option, piaa_error *error) {
    roff_part(out, ".TP\n\\fB\\-\\-", option->name, "\\fR", error);
    if (option->argument) roff_part(out, " \\fI", option->argument, "\\fR", error);
    roff_part(out, "\n", option->help, "", error);
    if (option->fallback) roff_part(out, " (default: ", option->fallback, ")", error);
    piaa_text_format(out, error, ".\n");
}

static void man_command(piaa_text *out, const piaa_command *command, piaa_error *error) {
    roff_part(out, ".SS \"piaa ", command->name, *command->operands ? " [OPTIONS] " : " [OPTIONS]",
              error);
    roff_part(out, "", command->operands, "\"\n", error);
    roff_part(out, "", command->summary, ".\n", error);
    roff_part(out, ".PP\n.EX\n", command->example, ".EE\n", error);
    for (size_t g = 0; g < PIAA_GROUPS && command->groups[g].title; g++) {
        roff_part(out, ".PP\n", command->groups[g].title, ":\n", error);
        for (const piaa_option *option = command->groups[g].options; option->name; option++)
            man_option(out, option, error);
    }
    if (command->notes) roff_part(out, ".PP\n", command->notes, "\n", error);
}

bool piaa_help_man(const piaa_command *const *commands, piaa_text *out, piaa_error *error) {
    piaa_text_format(out, error, ".TH PIAA 1 \"\" \"piaa %s\" \"User commands\"\n", piaa_version());
    piaa_text_format(out, error,
                     ".SH NAME\npiaa \\- rank photos by one person's taste\n.SH "
                     "SYNOPSIS\n.B piaa\n.I COMMAND\n"
                     "[\\fIOPTIONS\\fR] [\\fIARGUMENTS\\fR]\n.SH DESCRIPTION\n");
    roff_part(out, "", piaa_help_purpose, "\n", error);
    roff_part(out, ".PP\n", piaa_help_model, "\n", error);
    piaa_text_format(out, error, ".SH COMMANDS\n");
    for (; *commands; commands++) man_command(out, *commands, error);
    roff_part(out, ".SH FILES\n", piaa_help_files, "\n", error);
    piaa_text_format(out, error,
                     ".SH EXIT STATUS\n.TP\n0\nall went well.\n.TP\n1\nsomething failed; "
                     "one line on standard error says what, where, and "
                     "how to mend it.\n.TP\n2\nthe command line makes no "
                     "sense.\n.TP\n130\nstopped by Ctrl\\-C (143 and 129: by SIGTERM and "
                     "SIGHUP); what was done is kept.\n");
    return !out->failed;
}

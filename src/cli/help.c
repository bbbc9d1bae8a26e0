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
static bool wrap(piaa_text *out, const char *text, int indent, int at, piaa_error *error) {
    bool ok = true, first = true;
    while (ok && *text) {
        size_t size = strcspn(text, " ");
        int width = columns(text, size);
        if (!first && at + 1 + width > WIDTH) {
            ok = piaa_text_format(out, error, "\n%*s", indent, "");
            at = indent;
        } else if (!first) {
            ok = piaa_text_add(out, " ", 1, error);
            at++;
        }
        ok = ok && piaa_text_add(out, text, size, error);
        at += width;
        first = false;
        text += size;
        text += strspn(text, " ");
    }
    return ok && piaa_text_add(out, "\n", 1, error);
}

/* "  LEFT      text", the text at column `indent`, on a line of its own where LEFT is too long. */
static bool entry(piaa_text *out, const char *left, const char *text, int indent,
                  piaa_error *error) {
    int at = 2 + columns(left, strlen(left));
    if (!piaa_text_format(out, error, "  %s", left)) return false;
    bool ok = at + 2 > indent ? piaa_text_format(out, error, "\n%*s", indent, "")
                              : piaa_text_format(out, error, "%*s", indent - at, "");
    return ok && wrap(out, text, indent, indent, error);
}

static bool option_entry(piaa_text *out, const piaa_option *option, int indent, piaa_error *error) {
    char *left = piaa_format(error, "--%s%s%s", option->name, option->argument ? " " : "",
                             option->argument ? option->argument : "");
    char *text = piaa_format(error, "%s%s%s%s", option->help, option->fallback ? " (default: " : "",
                             option->fallback ? option->fallback : "", option->fallback ? ")" : "");
    bool ok = left && text && entry(out, left, text, indent, error);
    free(left);
    free(text);
    return ok;
}

/* Each line of `lines` indented by two. */
static bool indented(piaa_text *out, const char *lines, piaa_error *error) {
    bool ok = true;
    while (ok && *lines) {
        size_t size = strcspn(lines, "\n");
        ok = piaa_text_format(out, error, "  %.*s\n", (int)size, lines);
        lines += size + (lines[size] == '\n');
    }
    return ok;
}

bool piaa_help_overview(const piaa_command *const *commands, piaa_text *out, piaa_error *error) {
    bool ok = wrap(out, piaa_help_purpose, 0, 0, error) && piaa_text_format(out, error, "\n") &&
              indented(out, commands[0]->example, error) &&
              piaa_text_format(out, error, "\nCommands\n");
    for (; ok && *commands; commands++)
        ok = entry(out, (*commands)->name, (*commands)->summary, 16, error);
    return ok &&
           piaa_text_format(out, error,
                            "\npiaa COMMAND --help says more about a command, piaa --version which "
                            "version this is.\n\n") &&
           wrap(out, piaa_help_model, 0, 0, error);
}

bool piaa_help_command(const piaa_command *command, piaa_text *out, piaa_error *error) {
    bool ok = piaa_text_format(out, error, "%s.\n\n", command->summary) &&
              indented(out, command->example, error) &&
              piaa_text_format(out, error, "\nUsage: piaa %s%s%s%s\n", command->name,
                               command->groups[0].title ? " [OPTIONS]" : "",
                               *command->operands ? " " : "", command->operands);
    for (size_t g = 0; ok && g < PIAA_GROUPS && command->groups[g].title; g++) {
        ok = piaa_text_format(out, error, "\n%s\n", command->groups[g].title);
        for (const piaa_option *option = command->groups[g].options; ok && option->name; option++)
            ok = option_entry(out, option, 22, error);
    }
    for (const char *note = command->notes; ok && note && *note;) {
        const char *end = strstr(note, "\n\n");
        char *paragraph =
            piaa_format(error, "%.*s", (int)(end ? end - note : (long)strlen(note)), note);
        ok = paragraph && piaa_text_format(out, error, "\n") && wrap(out, paragraph, 0, 0, error);
        free(paragraph);
        note = end ? end + 2 : NULL;
    }
    return ok;
}

/* ------------------------------------------------------------------------------------- man page */

/* Text for roff: backslashes and hyphens escaped, no line that begins with a control character. */
static bool roff(piaa_text *out, const char *text, piaa_error *error) {
    bool ok = true;
    for (bool start = true; ok && *text; text++) {
        if (start && (*text == '.' || *text == '\'')) ok = piaa_text_format(out, error, "\\&");
        start = *text == '\n';
        if (ok && *text == '\\')
            ok = piaa_text_format(out, error, "\\e");
        else if (ok && *text == '-')
            ok = piaa_text_format(out, error, "\\-");
        else if (ok && strncmp(text, "\n\n", 2) == 0)
            ok = piaa_text_format(out, error, "\n.PP");
        else if (ok)
            ok = piaa_text_add(out, text, 1, error);
    }
    return ok;
}

static bool roff_line(piaa_text *out, const char *before, const char *text, const char *after,
                      piaa_error *error) {
    return piaa_text_format(out, error, "%s", before) && roff(out, text, error) &&
           piaa_text_format(out, error, "%s\n", after);
}

static bool man_option(piaa_text *out, const piaa_option *option, piaa_error *error) {
    bool ok = roff_line(out, ".TP\n\\fB\\-\\-", option->name, "\\fR", error);
    if (ok && option->argument) {
        out->length--; /* the argument goes on the same line */
        ok = roff_line(out, " \\fI", option->argument, "\\fR", error);
    }
    ok = ok && roff(out, option->help, error);
    if (ok && option->fallback)
        ok = piaa_text_format(out, error, " (default: ") && roff(out, option->fallback, error) &&
             piaa_text_format(out, error, ")");
    return ok && piaa_text_format(out, error, ".\n");
}

static bool man_command(piaa_text *out, const piaa_command *command, piaa_error *error) {
    bool ok = roff_line(out, ".SS \"piaa ", command->name,
                        *command->operands ? " [OPTIONS] " : " [OPTIONS]", error);
    if (ok) {
        out->length--;
        ok = roff_line(out, "", command->operands, "\"", error) &&
             roff_line(out, "", command->summary, ".", error) &&
             piaa_text_format(out, error, ".PP\n.EX\n") && roff(out, command->example, error) &&
             piaa_text_format(out, error, ".EE\n");
    }
    for (size_t g = 0; ok && g < PIAA_GROUPS && command->groups[g].title; g++) {
        ok = roff_line(out, ".PP\n", command->groups[g].title, ":", error);
        for (const piaa_option *option = command->groups[g].options; ok && option->name; option++)
            ok = man_option(out, option, error);
    }
    return ok && (!command->notes || roff_line(out, ".PP\n", command->notes, "", error));
}

bool piaa_help_man(const piaa_command *const *commands, piaa_text *out, piaa_error *error) {
    bool ok = piaa_text_format(out, error, ".TH PIAA 1 \"\" \"piaa %s\" \"User commands\"\n",
                               piaa_version()) &&
              piaa_text_format(out, error,
                               ".SH NAME\npiaa \\- rank photos by one person's taste\n.SH "
                               "SYNOPSIS\n.B piaa\n.I COMMAND\n"
                               "[\\fIOPTIONS\\fR] [\\fIARGUMENTS\\fR]\n.SH DESCRIPTION\n") &&
              roff_line(out, "", piaa_help_purpose, "", error) &&
              roff_line(out, ".PP\n", piaa_help_model, "", error) &&
              piaa_text_format(out, error, ".SH COMMANDS\n");
    for (; ok && *commands; commands++) ok = man_command(out, *commands, error);
    return ok && roff_line(out, ".SH FILES\n", piaa_help_files, "", error) &&
           piaa_text_format(out, error,
                            ".SH EXIT STATUS\n.TP\n0\nall went well.\n.TP\n1\nsomething failed; "
                            "one line on standard error says what, where, and "
                            "how to mend it.\n.TP\n2\nthe command line makes no "
                            "sense.\n.TP\n130\nstopped by Ctrl\\-C (143 and 129: by SIGTERM and "
                            "SIGHUP); what was done is kept.\n");
}

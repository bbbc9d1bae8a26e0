/* Completions for bash, zsh and fish: the words of a command line by the commands' tables. */
#include "cli/help.h"

#include <stdlib.h>
#include <string.h>

typedef enum kind { NOTHING, FILES, FOLDERS } kind;

static kind kind_of(const char *argument) {
    if (strstr(argument, "DIR") || strstr(argument, "STORE")) return FOLDERS;
    return strstr(argument, "FILE") || strstr(argument, "CSV") || strstr(argument, "JSON")
               ? FILES
               : NOTHING;
}

/* The first word of a command's name, and whether an earlier command begins with it too. */
static size_t first_word(const piaa_command *command) {
    return strcspn(command->name, " ");
}

static bool is_repeated(const piaa_command *const *commands, size_t at) {
    size_t n = first_word(commands[at]);
    for (size_t i = 0; i < at; i++)
        if (first_word(commands[i]) == n && strncmp(commands[i]->name, commands[at]->name, n) == 0)
            return true;
    return false;
}

/* In single quotes, for any of the three shells. */
static void quoted(piaa_text *out, const char *text, bool fish, piaa_error *error) {
    piaa_text_add(out, "'", 1, error);
    for (; *text; text++) {
        if (*text == '\'')
            piaa_text_format(out, error, fish ? "\\'" : "'\\''");
        else
            piaa_text_add(out, text, 1, error);
    }
    piaa_text_add(out, "'", 1, error);
}

static void option_words(piaa_text *out, const piaa_command *command, piaa_error *error) {
    const piaa_option *option;
    for (size_t i = 0; (option = piaa_command_option(command, i)); i++)
        piaa_text_format(out, error, "--%s ", option->name);
    piaa_text_format(out, error, "--help");
}

/* ----------------------------------------------------------------------------------------- bash */

static void bash_values(piaa_text *out, const piaa_command *const *commands, piaa_error *error) {
    for (; *commands; commands++) {
        const piaa_option *option;
        for (size_t i = 0; (option = piaa_command_option(*commands, i)); i++) {
            if (!option->argument) continue;
            piaa_text_format(out, error, "        '%s --%s') ", (*commands)->name, option->name);
            if (option->choices)
                piaa_text_format(out, error, "COMPREPLY=($(compgen -W '%s' -- \"$word\")) ;;\n",
                                 option->choices);
            else
                piaa_text_format(
                    out, error, "%s ;;\n",
                    kind_of(option->argument) == FOLDERS ? "COMPREPLY=($(compgen -d -- \"$word\"))"
                    : kind_of(option->argument) == FILES ? "COMPREPLY=($(compgen -f -- \"$word\"))"
                                                         : "COMPREPLY=()");
        }
    }
}

static void bash(const piaa_command *const *commands, piaa_text *out, piaa_error *error) {
    piaa_text_format(out, error,
                     "# bash completion for piaa; written by `piaa completion bash`\n"
                     "_piaa() {\n"
                     "    local word=${COMP_WORDS[COMP_CWORD]} "
                     "last=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]} words\n"
                     "    compopt -o filenames 2>/dev/null\n"
                     "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n        compopt +o "
                     "filenames 2>/dev/null\n        words='");
    for (size_t i = 0; commands[i]; i++)
        if (!is_repeated(commands, i))
            piaa_text_format(out, error, "%.*s ", (int)first_word(commands[i]), commands[i]->name);
    piaa_text_format(out, error,
                     "--help --version'\n        COMPREPLY=($(compgen -W \"$words\" -- "
                     "\"$word\"))\n        return\n    fi\n"
                     "    case $command in\n");
    for (size_t i = 0; commands[i]; i++) {
        size_t n = first_word(commands[i]);
        if (!commands[i]->name[n] || is_repeated(commands, i)) continue;
        piaa_text_format(out, error,
                         "        %.*s)\n            if [ \"$COMP_CWORD\" -eq 2 ]; then\n     "
                         "           COMPREPLY=($(compgen -W '",
                         (int)n, commands[i]->name);
        for (size_t j = i; commands[j]; j++)
            if (first_word(commands[j]) == n &&
                strncmp(commands[j]->name, commands[i]->name, n) == 0)
                piaa_text_format(out, error, "%s ", commands[j]->name + n + 1);
        piaa_text_format(out, error,
                         "' -- \"$word\"))\n                return\n            fi\n"
                         "            command=\"$command ${COMP_WORDS[2]}\" ;;\n");
    }
    piaa_text_format(out, error, "    esac\n    case \"$command $last\" in\n");
    bash_values(out, commands, error);
    piaa_text_format(out, error,
                     "        *)\n            case $word in\n                -*)\n            "
                     "        case $command in\n");
    for (size_t i = 0; commands[i]; i++) {
        piaa_text_format(out, error, "                        '%s') words='", commands[i]->name);
        option_words(out, commands[i], error);
        piaa_text_format(out, error, "' ;;\n");
    }
    piaa_text_format(out, error,
                     "                    esac\n                    "
                     "COMPREPLY=($(compgen -W \"$words\" -- \"$word\")) ;;\n"
                     "                *) COMPREPLY=($(compgen -f -- \"$word\")) ;;\n  "
                     "          esac ;;\n    esac\n}\n"
                     "complete -F _piaa piaa\n");
}

/* ------------------------------------------------------------------------------------------ zsh */

/* "--name[help]:FILE:_files"; in the help, brackets and colons would end it. */
static void zsh_option(piaa_text *out, const piaa_option *option, piaa_error *error) {
    piaa_text word = {0};
    piaa_text_format(&word, error, "--%s[", option->name);
    for (const char *c = option->help; *c; c++)
        piaa_text_format(&word, error, strchr("[]:\\", *c) ? "\\%c" : "%c", *c);
    piaa_text_add(&word, "]", 1, error);
    if (option->argument) {
        piaa_text_format(&word, error, ":%s:", option->argument);
        if (option->choices)
            piaa_text_format(&word, error, "(%s)", option->choices);
        else if (kind_of(option->argument) != NOTHING)
            piaa_text_format(&word, error,
                             kind_of(option->argument) == FOLDERS ? "_files -/" : "_files");
    }
    piaa_text_format(out, error, " \\\n            ");
    if (word.failed)
        out->failed = true;
    else
        quoted(out, word.data, false, error);
    free(word.data);
}

static void zsh(const piaa_command *const *commands, piaa_text *out, piaa_error *error) {
    piaa_text_format(out, error,
                     "#compdef piaa\n# zsh completion for piaa; written by `piaa completion zsh`\n"
                     "local -a first=(");
    for (size_t i = 0; commands[i]; i++)
        if (!is_repeated(commands, i))
            piaa_text_format(out, error, "%.*s ", (int)first_word(commands[i]), commands[i]->name);
    piaa_text_format(out, error,
                     "--help --version)\nif (( CURRENT == 2 )); then\n    compadd -- "
                     "$first\n    return\nfi\n"
                     "local command=$words[2]\ncase $command in\n");
    for (size_t i = 0; commands[i]; i++) {
        size_t n = first_word(commands[i]);
        if (!commands[i]->name[n] || is_repeated(commands, i)) continue;
        piaa_text_format(out, error,
                         "    %.*s)\n        if (( CURRENT == 3 )); then\n            compadd --",
                         (int)n, commands[i]->name);
        for (size_t j = i; commands[j]; j++)
            if (first_word(commands[j]) == n &&
                strncmp(commands[j]->name, commands[i]->name, n) == 0)
                piaa_text_format(out, error, " %s", commands[j]->name + n + 1);
        piaa_text_format(
            out, error,
            "\n            return\n        fi\n        command=\"$command $words[3]\"\n"
            "        shift words\n        (( CURRENT-- )) ;;\n");
    }
    piaa_text_format(out, error, "esac\nshift words\n(( CURRENT-- ))\ncase $command in\n");
    for (size_t i = 0; commands[i]; i++) {
        piaa_text_format(out, error, "    '%s')\n        _arguments", commands[i]->name);
        const piaa_option *option;
        for (size_t j = 0; (option = piaa_command_option(commands[i], j)); j++)
            zsh_option(out, option, error);
        piaa_text_format(out, error, " \\\n            '--help[say more]' '*:file:_files' ;;\n");
    }
    piaa_text_format(out, error, "esac\n");
}

/* ----------------------------------------------------------------------------------------- fish */

static void fish_condition(piaa_text *out, const char *name, piaa_error *error) {
    size_t n = strcspn(name, " ");
    piaa_text_format(out, error, "complete -c piaa -n '__fish_seen_subcommand_from %.*s", (int)n,
                     name);
    if (name[n]) piaa_text_format(out, error, "; and __fish_seen_subcommand_from %s", name + n + 1);
    piaa_text_format(out, error, "'");
}

static void fish(const piaa_command *const *commands, piaa_text *out, piaa_error *error) {
    piaa_text_format(out, error, "# fish completion for piaa; written by `piaa completion fish`\n");
    for (size_t i = 0; commands[i]; i++) {
        const char *name = commands[i]->name;
        size_t n = first_word(commands[i]);
        if (!is_repeated(commands, i)) {
            piaa_text_format(out, error, "complete -c piaa -f -n __fish_use_subcommand -a %.*s -d ",
                             (int)n, name);
            if (name[n])
                piaa_text_format(out, error, "'%.*s …'", (int)n, name);
            else
                quoted(out, commands[i]->summary, true, error);
            piaa_text_format(out, error, "\n");
        }
        if (name[n]) {
            piaa_text_format(out, error,
                             "complete -c piaa -f -n '__fish_seen_subcommand_from %.*s' -a %s -d ",
                             (int)n, name, name + n + 1);
            quoted(out, commands[i]->summary, true, error);
            piaa_text_format(out, error, "\n");
        }
        const piaa_option *option;
        for (size_t j = 0; (option = piaa_command_option(commands[i], j)); j++) {
            fish_condition(out, name, error);
            piaa_text_format(out, error, " -l %s -d ", option->name);
            quoted(out, option->help, true, error);
            if (option->choices)
                piaa_text_format(out, error, " -x -a '%s'", option->choices);
            else if (option->argument)
                piaa_text_format(out, error,
                                 kind_of(option->argument) == NOTHING ? " -x" : " -r -F");
            piaa_text_format(out, error, "\n");
        }
    }
}

bool piaa_help_completion(const piaa_command *const *commands, const char *shell, piaa_text *out,
                          piaa_error *error) {
    if (strcmp(shell, "bash") == 0)
        bash(commands, out, error);
    else if (strcmp(shell, "zsh") == 0)
        zsh(commands, out, error);
    else if (strcmp(shell, "fish") == 0)
        fish(commands, out, error);
    else
        return piaa_error_set(error, PIAA_USAGE,
                              "no completions for \"%s\": bash, zsh and fish are known", shell);
    return !out->failed;
}

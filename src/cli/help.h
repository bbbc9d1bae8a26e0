/* What is written from the commands' tables: help, the man page, completions for the shells. */
#ifndef PIAA_CLI_HELP_H
#define PIAA_CLI_HELP_H

#include "base/memory.h"
#include "cli/options.h"

/* Each appends to `out`; `commands` ends with NULL. */
bool piaa_help_overview(const piaa_command *const *commands, piaa_text *out,
                        piaa_error *error) PIAA_MUST_USE;
bool piaa_help_command(const piaa_command *command, piaa_text *out,
                       piaa_error *error) PIAA_MUST_USE;
bool piaa_help_man(const piaa_command *const *commands, piaa_text *out,
                   piaa_error *error) PIAA_MUST_USE;

/* shell: "bash", "zsh" or "fish". */
bool piaa_help_completion(const piaa_command *const *commands, const char *shell, piaa_text *out,
                          piaa_error *error) PIAA_MUST_USE;

/* What stands above and below the list of commands. */
extern const char piaa_help_purpose[], piaa_help_model[], piaa_help_files[];

#endif

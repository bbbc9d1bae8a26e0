/* The piaa program: finds the command, runs it, and turns its error into a line and an exit
   code. */
#include "base/blas.h"
#include "browse/helper.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/signals.h"
#include "image/chatter.h"
#include "report/report.h"
#include "train/resnet.h"
#include "vlm/device.h"

#include <fcntl.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_USAGE = 2, EXIT_SIGNAL = 128 /* and the number of the signal, as shells say it */ };

static bool run_help(piaa_call *call, piaa_error *error);
static bool run_completion(piaa_call *call, piaa_error *error);

static const piaa_option help_options[] = {
    {"man", NULL, "print the manual page, in roff", NULL, NULL}, {0}};

static const piaa_command command_help = {
    .name = "help",
    .summary = "Explain piaa or one of its commands",
    .example = "piaa help rank\n",
    .operands = "[COMMAND]",
    .most = 2,
    .groups = {{"Options", help_options}},
    .run = run_help,
};

static const piaa_command command_completion = {
    .name = "completion",
    .summary = "Print completions for a shell",
    .example = "source <(piaa completion bash)\npiaa completion fish > "
               "~/.config/fish/completions/piaa.fish\n",
    .operands = "bash|zsh|fish",
    .least = 1,
    .most = 1,
    .run = run_completion,
};

/* In the order in which help lists them. */
static const piaa_command *const commands[] = {
    &piaa_command_rank,         &piaa_command_next,          &piaa_command_browse,
    &piaa_command_stars,        &piaa_command_embed,         &piaa_command_fit,
    &piaa_command_predict,      &piaa_command_store_info,    &piaa_command_store_list,
    &piaa_command_store_prune,  &piaa_command_store_verify,  &piaa_command_store_merge,
    &piaa_command_store_split,  &piaa_command_store_pack,    &piaa_command_model_info,
    &piaa_command_model_tokens, &piaa_command_model_pull,    &piaa_command_model_list,
    &piaa_command_model_rm,     &piaa_command_model_convert, &piaa_command_probe,
    &piaa_command_eval,         &piaa_command_reduce,        &piaa_command_prior,
    &piaa_command_ici_train,    &piaa_command_explain,       &piaa_command_tune,
    &piaa_command_ask,          &piaa_command_lora,          &piaa_command_report,
    &piaa_command_devices,      &piaa_command_lend,          &command_help,
    &command_completion,        &piaa_command_bench,         NULL,
};

static bool print_and_free(piaa_text *text, bool ok, FILE *out, piaa_error *error) {
    ok = ok && piaa_report_write(out, text->data, text->length, error);
    free(text->data);
    return ok;
}

static bool run_completion(piaa_call *call, piaa_error *error) {
    piaa_text text = {0};
    return print_and_free(&text, piaa_help_completion(commands, call->operands[0], &text, error),
                          stdout, error);
}

/* -------------------------------------------------------------------------- finding the command */

static bool is_former(const char *word, const piaa_command *command) {
    return command->former && strcmp(word, command->former) == 0;
}

/* The command that the first word, or the first two, name (or its former name); *used: how many.
   NULL if there is none. */
static const piaa_command *find_command(size_t count, const char *const *words, size_t *used) {
    for (size_t i = 0; commands[i]; i++) {
        const char *name = commands[i]->name;
        size_t first = strcspn(name, " ");
        if (count && is_former(words[0], commands[i])) {
            *used = 1;
            return commands[i];
        }
        if (!count || strlen(words[0]) != first || strncmp(words[0], name, first) != 0) continue;
        *used = name[first] ? 2 : 1;
        if (!name[first] || (count > 1 && strcmp(words[1], name + first + 1) == 0))
            return commands[i];
    }
    return NULL;
}

/* Says which command might have been meant: the nearest whole name, or nearest second word of a
   family ("store …"). */
static bool unknown_command(size_t count, const char *const *words, piaa_error *error) {
    const char *names[PIAA_COUNT(commands)];
    char two[128] = "", family[128] = "";
    size_t n = 0;
    for (; commands[n]; n++) {
        names[n] = commands[n]->name;
        size_t first = strcspn(names[n], " "), used = strlen(family);
        if (names[n][first] && strlen(words[0]) == first && strncmp(words[0], names[n], first) == 0)
            snprintf(family + used, sizeof family - used, "%s%s", used ? ", " : "", names[n]);
    }
    if (*family && count < 2)
        return piaa_error_set(error, PIAA_USAGE, "%s is half a command: %s", words[0], family);
    snprintf(two, sizeof two, "%s %s", words[0], count > 1 ? words[1] : "");
    int nearest = piaa_words_nearest(words[0], names, n);
    if ((*family || nearest < 0) && count > 1) nearest = piaa_words_nearest(two, names, n);
    if (*family && nearest < 0)
        return piaa_error_set(error, PIAA_USAGE, "unknown command %s: there are %s", two, family);
    if (nearest >= 0)
        return piaa_error_set(error, PIAA_USAGE, "unknown command %s, did you mean %s?",
                              *family ? two : words[0], names[nearest]);
    return piaa_error_set(error, PIAA_USAGE, "unknown command %s: piaa help lists them", words[0]);
}

static bool print_command_help(const piaa_command *command, piaa_error *error) {
    piaa_text text = {0};
    return print_and_free(&text, piaa_help_command(command, &text, error), stdout, error);
}

static bool run_help(piaa_call *call, piaa_error *error) {
    piaa_text text = {0};
    if (piaa_call_has(call, "man"))
        return print_and_free(&text, piaa_help_man(commands, &text, error), stdout, error);
    if (!call->operand_count)
        return print_and_free(&text, piaa_help_overview(commands, &text, error), stdout, error);
    size_t used;
    const piaa_command *command = find_command(call->operand_count, call->operands, &used);
    return command ? print_command_help(command, error)
                   : unknown_command(call->operand_count, call->operands, error);
}

/* -------------------------------------------------------------------------------------- running */

/* A closed standard stream would hand its number to the next file opened, and what is printed would
   go into that. */
static void fill_standard_streams(void) {
    for (int number = 0; number <= STDERR_FILENO; number++)
        if (fcntl(number, F_GETFD) == -1 &&
            open("/dev/null", number == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
            _exit(EXIT_FAILURE);
}

static bool run_command(piaa_call *call, const piaa_command *command, int count, char *const *words,
                        piaa_error *error) {
    if (!piaa_call_parse(call, command, count, words, error)) return false;
    return call->help ? print_command_help(command, error) : command->run(call, error);
}

/* ggml ends the process where a device fails; its callback gets nothing but the message. */
static piaa_call *running;

static void on_abort(const char *message) {
    piaa_error error = {0};
    const char *device = NULL;
    const piaa_option *option;
    for (size_t i = 0; running->command && (option = piaa_command_option(running->command, i)); i++)
        if (strcmp(option->name, "device") == 0) device = running->values[i];
    if (strstr(message, "RPC"))
        PIAA_UNUSED(piaa_error_set(&error, PIAA_IO,
                                   "the server at %.200s went away in the middle of the work: "
                                   "everything stored is kept, and the same "
                                   "command goes on once piaa lend runs there again",
                                   device ? device : "the other end"));
    else if (strstr(message, "!= NULL") || strstr(message, "fatal error")) /* of an allocation */
        PIAA_UNUSED(piaa_error_set(&error, PIAA_MEMORY,
                                   "memory ran out (everything stored is kept): close other "
                                   "programs, raise the limit on memory, or ask for less with "
                                   "--max-pixels, --layer or --dtype"));
    else
        PIAA_UNUSED(piaa_error_set(&error, PIAA_IO, "the device %.60s failed: %.800s",
                                   device ? device : "in use", message));
    piaa_talk_fail(&running->talk, &error);
    _exit(EXIT_FAILURE); /* nothing more can be done in this process, and the store is sound at any
                            moment */
}

/* GLib ends the process where memory is short, and says so in a way of its own. */
static void on_glib(const gchar *domain, GLogLevelFlags level, const gchar *message,
                    gpointer user) {
    static const char line[] = "piaa: memory ran out (everything stored is kept): close other "
                               "programs, or raise the limit on memory\n";
    PIAA_UNUSED(domain), PIAA_UNUSED(message), PIAA_UNUSED(user);
    if (!(level & G_LOG_FLAG_FATAL)) return;
    PIAA_UNUSED(write(fileno(running->talk.out), line, sizeof line - 1) < 0);
    _exit(EXIT_FAILURE);
}

/* OpenBLAS starts a thread for each core when it is loaded, before main.  How many it may start it
 * asks this function, its own reading of OPENBLAS_NUM_THREADS, in whose place the linker puts a
 * program's: none beside ours, which share out the work.  Where memory is short they would wait
 * for it for ever, and the process with them. */
PIAA_API int openblas_num_threads_env(void);

int openblas_num_threads_env(void) {
    return 1;
}

/* `out` leads to standard error, to which decoders are kept from writing; NULL: they are not. */
static void begin_talk(piaa_talk *talk, const char *command, FILE *out) {
    piaa_talk_begin(talk, command);
    if (out) talk->out = out;
}

int main(int argc, char **argv) {
    if (argc == 4 && strcmp(argv[1], PIAA_HELPER_WORD) == 0)
        return piaa_helper_run(argv[2], argv[3]);
    piaa_blas_hold();
    fill_standard_streams();
    /* float32 asked for means float32, not the 19 bits that cuBLAS makes of it unasked. */
    setenv("NVIDIA_TF32_OVERRIDE", "0", 0);
    setenv("VIPS_WARNING", "0", 0); /* libvips would print what piaa reports itself */
    piaa_call call = {0};
    piaa_error error = {0};
    const char *const *words = (const char *const *)(argv + 1);
    size_t count = argc > 1 ? (size_t)argc - 1 : 0, used = 0;
    FILE *out = piaa_chatter_catch();
    begin_talk(&call.talk, NULL, out);
    piaa_signals_begin(&call.talk);
    running = &call;
    piaa_device_on_abort(on_abort);
    g_log_set_default_handler(on_glib, NULL);
    bool ok;
    if (!count || strcmp(words[0], "--help") == 0 || strcmp(words[0], "-h") == 0) {
        piaa_text text = {0};
        ok = print_and_free(&text, piaa_help_overview(commands, &text, &error),
                            count ? stdout : stderr, &error);
        if (ok && !count) return EXIT_USAGE;
    } else if (strcmp(words[0], "--version") == 0) {
        const char *optional = piaa_resnet_library();
        piaa_text text = {0};
        ok = print_and_free(&text,
                            piaa_text_format(&text, &error, "piaa %s\nbuilt with%s%s\n",
                                             piaa_version(), optional ? " " : "out ",
                                             optional ? optional : "oneDNN"),
                            stdout, &error);
    } else {
        const piaa_command *command = find_command(count, words, &used);
        if (command) begin_talk(&call.talk, command->name, out);
        if (command && is_former(words[0], command))
            piaa_talk_note(&call.talk, "piaa %s is called piaa %s now.", command->former,
                           command->name);
        ok = command ? run_command(&call, command, (int)(count - used), argv + 1 + used, &error)
                     : unknown_command(count, words, &error);
    }
    piaa_call_free(&call);
    piaa_talk_clear(&call.talk);
    if (ok) return EXIT_SUCCESS;
    piaa_talk_fail(&call.talk, &error);
    return error.code == PIAA_USAGE     ? EXIT_USAGE
           : error.code == PIAA_STOPPED ? EXIT_SIGNAL + piaa_signals_stop()
                                        : EXIT_FAILURE;
}

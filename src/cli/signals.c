/* What the program does on signals. */
#include "cli/signals.h"

#include "base/visible.h"
#include "cli/talk.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const piaa_talk *volatile talking;
static volatile int out = STDERR_FILENO;

/* ------------------------------------------------------------------------------------- stopping */

static const int stopping[] = {SIGINT, SIGTERM, SIGHUP};

static volatile sig_atomic_t stop;

/* Whoever asks again means it: from here on the system's own way holds, whatever the process is
   busy with. */
static void on_stop(int number) {
    const int kept = errno;
    struct sigaction usual = {.sa_handler = SIG_DFL};
    sigemptyset(&usual.sa_mask);
    for (size_t i = 0; i < PIAA_COUNT(stopping); i++) {
        struct sigaction now;
        if (sigaction(stopping[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
            sigaction(stopping[i], &usual, NULL);
    }
    stop = number;
    errno = kept;
}

void piaa_signals_catch_stop(void) {
    struct sigaction action = {.sa_handler = on_stop, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    if (stop) return; /* asked before */
    for (size_t i = 0; i < PIAA_COUNT(stopping); i++) {
        struct sigaction before;
        /* A shell has programs in the background ignore Ctrl-C, nohup has them ignore SIGHUP: that
           stays so. */
        if (sigaction(stopping[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(stopping[i], &action, NULL);
    }
}

int piaa_signals_stop(void) {
    return stop;
}

/* --------------------------------------------------------------------------------- mapped files */

/* Nothing below allocates or locks: it runs in the middle of anything. */
static void say(const char *text, size_t size) {
    while (size) {
        const ssize_t done = write(out, text, size);
        if (done < 0 && errno != EINTR) return;
        if (done > 0) text += done, size -= (size_t)done;
    }
}

static void say_text(const char *text) {
    say(text, strlen(text));
}

static void say_visible(const char *text, size_t size) {
    char shown[PIAA_VISIBLE_MOST];
    size_t length;
    int columns;
    while (size) {
        const size_t used = piaa_visible_next(text, size, shown, &length, &columns);
        say(shown, length);
        text += used;
        size -= used;
    }
}

static void on_lost_file(int number, siginfo_t *info, void *context) {
    PIAA_UNUSED(context);
    static atomic_flag told = ATOMIC_FLAG_INIT;
    char line[8192];
    const char *file =
        info->si_code > 0 ? piaa_mapped_file(info->si_addr, line, sizeof line) : NULL;
    if (!file) { /* a fault of another kind, or a signal from outside */
        signal(number, SIG_DFL);
        raise(number);
        return;
    }
    while (atomic_flag_test_and_set(&told)) pause(); /* another thread is about to end it all */
    const piaa_talk *talk = talking;
    say_text(talk->drawn ? "\npiaa " : "piaa ");
    say_text(talk->command ? talk->command : "");
    say_text(talk->command ? ": " : "");
    say_visible(file, strlen(file));
    say_text(" cannot be read any more while it is in use (another program shortened it, or its "
             "disk failed); what was done is kept: run the same command again when it is whole\n");
    _exit(EXIT_FAILURE);
}

void piaa_signals_begin(const piaa_talk *talk) {
    talking = talk;
    out = fileno(talk->out);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_NODEFER};
    action.sa_sigaction = on_lost_file;
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, NULL);
}

/* Warnings, notes, the progress bar, and Ctrl-C. */
#include "cli/talk.h"
#include "base/hooks.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* --------------------------------------------------------------------------------------- Ctrl-C */

enum { STOPPED = 130 }; /* the exit code that shells give to a program ended by Ctrl-C */

/* A signal handler can reach nothing but a variable of the program. */
static volatile sig_atomic_t stops;

static void on_stop(int number) {
    PIAA_UNUSED(number);
    if (stops++) _exit(STOPPED);
}

static bool asked_to_stop(void *user) {
    PIAA_UNUSED(user);
    return stops > 0;
}

void piaa_talk_catch_stop(piaa_talk *talk) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_stop;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    static const int signals[] = {SIGINT, SIGTERM};
    for (size_t i = 0; i < PIAA_COUNT(signals); i++) {
        struct sigaction before;
        /* A shell has programs in the background ignore Ctrl-C: that stays so. */
        if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(signals[i], &action, NULL);
    }
    talk->hooks.stop = asked_to_stop;
}

/* ---------------------------------------------------------------------------------------- lines */

void piaa_talk_clear(piaa_talk *talk) {
    if (talk->drawn) fputs("\r\033[K", stderr);
    talk->drawn = false;
}

/* What comes from a file or a name may hold bytes that move a terminal's cursor. */
static void put_line(piaa_talk *talk, const char *what, const char *line) {
    piaa_talk_clear(talk);
    fprintf(stderr, "%s%s%s%s", "piaa", talk->command ? " " : "",
            talk->command ? talk->command : "", what);
    for (const char *c = line; *c; c++)
        fputc((unsigned char)*c < ' ' || *c == 127 ? '?' : *c, stderr);
    fputc('\n', stderr);
}

void piaa_talk_warn(piaa_talk *talk, const char *format, ...) {
    char line[1280];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    put_line(talk, ": warning: ", line);
}

void piaa_talk_fail(piaa_talk *talk, const piaa_error *error) {
    put_line(talk, ": ", error->message[0] ? error->message : "it failed for a reason unknown");
}

void piaa_talk_note(piaa_talk *talk, const char *format, ...) {
    va_list arguments;
    piaa_talk_clear(talk);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

static void warn(void *user, const char *line) {
    piaa_talk_warn(user, "%s", line);
}

const char *piaa_talk_size(int64_t bytes, char out[32]) {
    double size = (double)bytes;
    if (size >= 1e9)
        snprintf(out, 32, "%.2f GB", size / 1e9);
    else if (size >= 1e6)
        snprintf(out, 32, "%.1f MB", size / 1e6);
    else
        snprintf(out, 32, "%.1f kB", size / 1e3);
    return out;
}

/* ------------------------------------------------------------------------------------------ bar */

static void put_time_left(double seconds) {
    if (seconds < 90)
        fprintf(stderr, "  about %.0f s left", seconds < 1 ? 1 : seconds);
    else if (seconds < 90 * 60)
        fprintf(stderr, "  about %.0f min left", seconds / 60);
    else
        fprintf(stderr, "  about %.1f h left", seconds / 3600);
}

void piaa_talk_draw_bytes(piaa_talk *talk, const char *what, int64_t done, int64_t total) {
    char a[32], b[32];
    double now = piaa_seconds_now();
    if (talk->began <= 0) {
        talk->began = now;
        talk->first = done;
    }
    if (talk->drawn && now - talk->last < 0.1) return;
    talk->last = now;
    fprintf(stderr, "\r%s  %s", what, piaa_talk_size(done, a));
    if (total > 0)
        fprintf(stderr, " of %s  %d %%", piaa_talk_size(total, b),
                (int)(100.0 * (double)done / (double)total));
    double speed = now > talk->began ? (double)(done - talk->first) / (now - talk->began) : 0;
    if (speed > 0 && now - talk->began > 0.5) {
        fprintf(stderr, "  %.1f MB/s", speed / 1e6);
        if (total > 0) put_time_left((double)(total - done) / speed);
    }
    fputs("\033[K", stderr);
    fflush(stderr);
    talk->drawn = true;
}

/* "Reading photos  123/400  31 %  2.1/s  about 2 min left", at most ten times a second. */
static void progress(void *user, const char *what, int64_t done, int64_t total) {
    piaa_talk *talk = user;
    if (!talk->terminal) return;
    double now = piaa_seconds_now();
    if (talk->began <= 0 || done < talk->first) {
        talk->began = now;
        talk->first = done;
    }
    if (done >= total && total > 0) {
        piaa_talk_clear(talk);
        talk->began = 0;
        return;
    }
    if (talk->drawn && now - talk->last < 0.1) return;
    talk->last = now;
    fprintf(stderr, "\r%s  %lld/%lld", what, (long long)done, (long long)total);
    if (total > 0) fprintf(stderr, "  %lld %%", (long long)(100 * done / total));
    double speed = now > talk->began ? (double)(done - talk->first) / (now - talk->began) : 0;
    if (speed > 0 && now - talk->began > 0.5) {
        if (speed >= 1)
            fprintf(stderr, "  %.1f/s", speed);
        else
            fprintf(stderr, "  %.1f s each", 1 / speed);
        if (total > 0) put_time_left((double)(total - done) / speed);
    }
    fputs("\033[K", stderr);
    fflush(stderr);
    talk->drawn = true;
}

void piaa_talk_begin(piaa_talk *talk, const char *command) {
    *talk = (piaa_talk){.command = command, .terminal = isatty(STDERR_FILENO) == 1};
    talk->hooks = (piaa_hooks){.user = talk, .warn = warn, .progress = progress};
}

/* Warnings, notes, the progress bar, and stopping early. */
#include "cli/talk.h"

#include "base/hooks.h"
#include "base/visible.h"
#include "cli/signals.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool asked_to_stop(void *user) {
    PIAA_UNUSED(user);
    return piaa_signals_stop() != 0;
}

void piaa_talk_catch_stop(piaa_talk *talk) {
    piaa_signals_catch_stop();
    talk->hooks.stop = asked_to_stop;
}

/* ---------------------------------------------------------------------------------------- lines */

/* As much of `text` as fits into `most` columns goes to `to`; returns whether that is all. */
static bool fit(const char *text, int most, char *to, size_t room, size_t *length, int *width) {
    size_t left = strlen(text), used = 0;
    *width = 0;
    while (left) {
        char shown[PIAA_VISIBLE_MOST];
        size_t size;
        int columns;
        const size_t taken = piaa_visible_next(text, left, shown, &size, &columns);
        if (*width + columns > most || used + size > room) break;
        memcpy(to + used, shown, size);
        used += size;
        *width += columns;
        text += taken;
        left -= taken;
    }
    *length = used;
    return !left;
}

/* The columns of the terminal; asked again for each line, since windows change their size. */
static int terminal_width(const piaa_talk *talk) {
    enum { USUAL = 80, MOST = 1000 };
    const int known = piaa_terminal_columns(fileno(talk->out));
    if (known > 0) return known < MOST ? known : MOST;
    const char *told = getenv("COLUMNS");
    const long columns = told ? strtol(told, NULL, 10) : 0;
    return columns > 0 && columns <= MOST ? (int)columns : USUAL;
}

/* Spaces instead of an escape sequence, which not every terminal knows.  None beyond the right
   edge, which may have moved. */
void piaa_talk_clear(piaa_talk *talk) {
    const int width = terminal_width(talk) - 1;
    if (talk->drawn) fprintf(talk->out, "\r%*s\r", talk->drawn < width ? talk->drawn : width, "");
    talk->drawn = 0;
}

/* What comes from a file or a name may hold bytes that move a terminal's cursor. */
static void put_line(piaa_talk *talk, const char *what, const char *line) {
    piaa_text whole = {0};
    piaa_talk_clear(talk);
    const char *command = talk->command && what ? talk->command : "";
    const bool ok = piaa_text_format(&whole, NULL, "%s%s%s%s", what ? "piaa" : "",
                                     *command ? " " : "", command, what ? what : "") &&
                    piaa_visible_add(&whole, line, NULL) && piaa_text_add(&whole, "\n", 1, NULL);
    if (ok)
        fwrite(whole.data, 1, whole.length, talk->out);
    else
        fputs("piaa: out of memory\n", talk->out);
    free(whole.data);
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
    char line[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    put_line(talk, NULL, line);
}

static void warn(void *user, const char *line) {
    piaa_talk_warn(user, "%s", line);
}

static void note(void *user, const char *line) {
    piaa_talk_note(user, "%s", line);
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

/* A line that is drawn over again, as much of it as the terminal has room for. */
typedef struct bar {
    char text[2048];
    size_t length;
    int columns, most;
    bool full;
} bar;

static bar bar_begin(const piaa_talk *talk) {
    /* The last column makes some terminals begin a line. */
    const int width = terminal_width(talk) - 1;
    return (bar){.most = width > 1 ? width : 1};
}

/* Parts are left out whole from the first that does not fit; of the very first as much as fits
   stays. */
static void bar_add(bar *b, const char *format, ...) PIAA_PRINTF(2, 3);

static void bar_add(bar *b, const char *format, ...) {
    char part[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(part, sizeof part, format, arguments);
    va_end(arguments);
    if (b->full) return;
    size_t length;
    int columns;
    b->full = !fit(part, b->most - b->columns, b->text + b->length, sizeof b->text - b->length,
                   &length, &columns);
    if (b->full && b->length) return;
    b->length += length;
    b->columns += columns;
}

static void bar_add_time_left(bar *b, double seconds) {
    if (seconds < 90)
        bar_add(b, "  about %.0f s left", seconds < 1 ? 1 : seconds);
    else if (seconds < 90 * 60)
        bar_add(b, "  about %.0f min left", seconds / 60);
    else
        bar_add(b, "  about %.1f h left", seconds / 3600);
}

static void bar_draw(const bar *b, piaa_talk *talk) {
    const int before = talk->drawn < b->most ? talk->drawn : b->most;
    const int rest = before > b->columns ? before - b->columns : 0;
    fprintf(talk->out, "\r%.*s%*s", (int)b->length, b->text, rest, "");
    fflush(talk->out);
    talk->drawn = b->columns > 0 ? b->columns : 1;
}

/* At most ten times a second. */
static bool is_time_to_draw(piaa_talk *talk, double now) {
    if (talk->drawn && now - talk->last < 0.1) return false;
    talk->last = now;
    return true;
}

void piaa_talk_draw_bytes(piaa_talk *talk, const char *what, int64_t done, int64_t total) {
    char a[32], b[32];
    double now = piaa_seconds_now();
    piaa_pace_tell(&talk->pace, done, now);
    if (!is_time_to_draw(talk, now)) return;
    bar line = bar_begin(talk);
    bar_add(&line, "%s", what);
    bar_add(&line, "  %s", piaa_talk_size(done, a));
    if (total > 0)
        bar_add(&line, " of %s  %d %%", piaa_talk_size(total, b),
                (int)(100.0 * (double)done / (double)total));
    const double speed = piaa_pace_speed(&talk->pace);
    if (speed > 0) {
        bar_add(&line, "  %.1f MB/s", speed / 1e6);
        if (total > 0) bar_add_time_left(&line, piaa_pace_left(&talk->pace, total));
    }
    bar_draw(&line, talk);
}

/* "Reading photos  123/400  31 %  2.1/s  about 2 min left". */
static void progress(void *user, const char *what, int64_t done, int64_t total) {
    piaa_talk *talk = user;
    if (!talk->terminal) return;
    double now = piaa_seconds_now();
    piaa_pace_tell(&talk->pace, done, now);
    if (done >= total && total > 0) {
        piaa_talk_clear(talk);
        talk->pace = (piaa_pace){0};
        return;
    }
    if (!is_time_to_draw(talk, now)) return;
    bar line = bar_begin(talk);
    bar_add(&line, "%s", what);
    bar_add(&line, "  %lld/%lld", (long long)done, (long long)total);
    if (total > 0) bar_add(&line, "  %lld %%", (long long)(100 * done / total));
    const double speed = piaa_pace_speed(&talk->pace);
    if (speed > 0) {
        if (speed >= 1)
            bar_add(&line, "  %.1f/s", speed);
        else
            bar_add(&line, "  %.1f s each", 1 / speed);
        if (total > 0) bar_add_time_left(&line, piaa_pace_left(&talk->pace, total));
    }
    bar_draw(&line, talk);
}

/* A terminal that can draw over a line: one that says what it is, and not that it is none to speak
   of. */
static bool can_draw(void) {
    const char *kind = getenv("TERM");
    return isatty(STDERR_FILENO) == 1 && kind && *kind && strcmp(kind, "dumb") != 0;
}

void piaa_talk_begin(piaa_talk *talk, const char *command) {
    *talk = (piaa_talk){.command = command, .out = stderr, .terminal = can_draw()};
    talk->hooks = (piaa_hooks){.user = talk, .warn = warn, .progress = progress, .note = note};
}

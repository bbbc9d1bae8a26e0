/* A password never stands on a command line, where everybody on the machine can read it. */
#include "cli/password.h"

#include "base/file.h"
#include "base/memory.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum { LINE_MOST = 1024 };

/* A line without its end into `out`; false: there is none, or Ctrl-C. */
static bool read_line(int terminal, char out[LINE_MOST + 1]) {
    enum { CTRL_C = 3 };
    size_t n = 0;
    char c = '\0';
    while (n < LINE_MOST && read(terminal, &c, 1) == 1 && c != '\n' && c != CTRL_C) out[n++] = c;
    out[n] = '\0';
    return c == '\n';
}

static bool say(int terminal, const char *text) {
    return write(terminal, text, strlen(text)) == (ssize_t)strlen(text);
}

static bool ask_at(int terminal, char out[LINE_MOST + 1]) {
    struct termios before, silent;
    if (tcgetattr(terminal, &before) != 0) return false;
    silent = before;
    silent.c_lflag &= ~(tcflag_t)(ECHO | ISIG); /* Ctrl-C must not leave it silent */
    if (tcsetattr(terminal, TCSAFLUSH, &silent) != 0) return false;
    const bool ok = say(terminal, "Password for the page: ") && read_line(terminal, out);
    tcsetattr(terminal, TCSAFLUSH, &before);
    return say(terminal, "\n") && ok;
}

static char *ask(piaa_error *error) {
    char line[LINE_MOST + 1] = "";
    const int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    const bool ok = terminal >= 0 && ask_at(terminal, line);
    if (terminal >= 0) close(terminal);
    if (ok) return piaa_strdup(line, error);
    if (terminal >= 0)
        piaa_error_set(error, PIAA_STOPPED, "no password was given");
    else
        piaa_error_set(
            error, PIAA_USAGE,
            "there is no terminal at which a password could be asked for: put it into a file "
            "and give --password-file");
    return NULL;
}

char *piaa_password_read(const char *file, piaa_error *error) {
    size_t size;
    if (!file) return ask(error);
    char *text = piaa_file_read(file, LINE_MOST, &size, error);
    if (text) text[strcspn(text, "\r\n")] = '\0';
    return text;
}

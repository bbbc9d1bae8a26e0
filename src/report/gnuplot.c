/*
 * The script goes in through a socket and the picture comes out through a pipe, both at once:
 * gnuplot begins to write before it has read everything, so that whoever only writes, and then only
 * reads, may wait for ever.  A socket, because a pipe to a gnuplot that has ended would end this
 * process by SIGPIPE.
 */
#include "report/gnuplot.h"
#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* -d: without the user's start-up file. */
static const char *const words[] = {"gnuplot", "-d", NULL};

bool piaa_gnuplot_found(void) {
    const char *path = getenv("PATH");
    while (path && *path) {
        size_t n = strcspn(path, ":");
        char *file = piaa_format(NULL, "%.*s/gnuplot", (int)n, path);
        bool found = file && access(file, X_OK) == 0;
        free(file);
        if (found) return true;
        path += n + (path[n] == ':');
    }
    return false;
}

typedef struct child {
    pid_t pid;
    int in, out, complaints; /* our ends; -1: closed */
} child;

static void shut(int *end) {
    if (*end >= 0) close(*end);
    *end = -1;
}

static bool start(child *c, piaa_error *error) {
    int in[2] = {-1, -1}, out[2] = {-1, -1}, complaints[2] = {-1, -1};
    posix_spawn_file_actions_t actions;
    int failed = 0;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, in) != 0 || pipe(out) != 0 || pipe(complaints) != 0)
        failed = errno;
    int ours[] = {in[0], out[0], complaints[0]};
    for (size_t i = 0; !failed && i < PIAA_COUNT(ours); i++)
        if (fcntl(ours[i], F_SETFD, FD_CLOEXEC) != 0 || fcntl(ours[i], F_SETFL, O_NONBLOCK) != 0)
            failed = errno;
    if (!failed && !(failed = posix_spawn_file_actions_init(&actions))) {
        int theirs[] = {in[1], out[1], complaints[1]};
        for (int i = 0; !failed && i < (int)PIAA_COUNT(theirs); i++)
            failed = posix_spawn_file_actions_adddup2(&actions, theirs[i], i);
        for (size_t i = 0; !failed && i < PIAA_COUNT(theirs); i++)
            failed = posix_spawn_file_actions_addclose(&actions, theirs[i]);
        if (!failed)
            failed = posix_spawnp(&c->pid, words[0], &actions, NULL, (char *const *)words,
                                  piaa_environment());
        posix_spawn_file_actions_destroy(&actions);
    }
    *c = (child){c->pid, in[0], out[0], complaints[0]};
    shut(&in[1]);
    shut(&out[1]);
    shut(&complaints[1]);
    if (!failed) return true;
    shut(&c->in);
    shut(&c->out);
    shut(&c->complaints);
    return piaa_error_set_errno(error, failed, "cannot start gnuplot");
}

/* What can be read now; closes the end where there is no more. */
static bool take(int *end, piaa_text *into, piaa_error *error) {
    char buffer[65536];
    ssize_t n = read(*end, buffer, sizeof buffer);
    if (n > 0) return piaa_text_add(into, buffer, (size_t)n, error);
    if (n == 0 || (errno != EAGAIN && errno != EINTR)) shut(end);
    return true;
}

static bool talk(child *c, const char *script, size_t size, piaa_text *out, piaa_text *complaints,
                 piaa_error *error) {
    size_t sent = 0;
    bool ok = true;
    while (ok && (c->out >= 0 || c->complaints >= 0)) {
        struct pollfd ends[] = {
            {c->in, POLLOUT, 0}, {c->out, POLLIN, 0}, {c->complaints, POLLIN, 0}};
        if (poll(ends, PIAA_COUNT(ends), -1) < 0) {
            if (errno == EINTR) continue;
            return piaa_error_set_errno(error, errno, "waiting for gnuplot");
        }
        if (c->in >= 0 && ends[0].revents) {
            ssize_t n = piaa_send(c->in, script + sent, size - sent);
            if (n > 0) sent += (size_t)n;
            if (sent == size || (n < 0 && errno != EAGAIN && errno != EINTR)) shut(&c->in);
        }
        if (c->out >= 0 && ends[1].revents) ok = take(&c->out, out, error);
        if (ok && c->complaints >= 0 && ends[2].revents)
            ok = take(&c->complaints, complaints, error);
    }
    return ok;
}

/* The line of a complaint that says what is wrong: the first that is not a warning and not the
   script's own line, which gnuplot repeats. */
static int complaint(const char *text, const char **line) {
    int length = 0;
    *line = "";
    for (const char *at = text; *at && !length; at += strcspn(at, "\n"), at += *at == '\n') {
        const char *begin = at + strspn(at, " \t");
        size_t n = strcspn(begin, "\n");
        if (strncmp(begin, "line ", 5) != 0 || n > 4096) continue;
        char *copy = piaa_format(NULL, "%.*s", (int)n, begin);
        if (copy && !strstr(copy, "arning:")) {
            *line = begin;
            length = (int)n;
        }
        free(copy);
    }
    return length;
}

bool piaa_gnuplot_run(const char *script, size_t size, piaa_text *out, piaa_error *error) {
    child c = {.pid = 0};
    piaa_text complaints = {0};
    if (!start(&c, error)) return false;
    bool ok = talk(&c, script, size, out, &complaints, error);
    shut(&c.in);
    shut(&c.out);
    shut(&c.complaints);
    if (!ok) kill(c.pid, SIGTERM);
    int status = 0;
    while (waitpid(c.pid, &status, 0) < 0 && errno == EINTR) continue;
    if (ok && !(WIFEXITED(status) && WEXITSTATUS(status) == 0 && out->length)) {
        const char *line;
        int n = complaint(complaints.data ? complaints.data : "", &line);
        ok = piaa_error_set(error, PIAA_FORMAT, "gnuplot could not draw a figure%s%.*s",
                            n ? ": " : "", n > 300 ? 300 : n, line);
    }
    free(complaints.data);
    return ok;
}

bool piaa_gnuplot_quote(piaa_text *script, const char *text, piaa_error *error) {
    piaa_text whole = {0};
    if (!piaa_utf8_repair(text, strlen(text), &whole, error)) script->failed = true;
    piaa_text_add(script, "'", 1, error);
    for (size_t i = 0; i < whole.length; i++) {
        const char *byte = &whole.data[i];
        if ((unsigned char)*byte < ' ' || *byte == 127)
            piaa_text_add(script, "?", 1, error);
        else
            piaa_text_add(script, *byte == '\'' ? "''" : byte, *byte == '\'' ? 2 : 1, error);
    }
    piaa_text_add(script, "'", 1, error);
    free(whole.data);
    return !script->failed;
}

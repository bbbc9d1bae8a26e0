/* What terminals get to see, and what signals do, in processes of their own. */
#define _XOPEN_SOURCE 700 /* for a terminal of our own: posix_openpt */
#include "support.h"

#include "base/hooks.h"
#include "base/visible.h"
#include "cli/signals.h"
#include "cli/talk.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

/* -----------------------------------------------------------------------------------------
 * terminal */

/* Runs say(talk) in a process whose standard error is a terminal of `columns` (0: one that does not
 * know); what arrives there, to be freed. */
static char *in_terminal(int columns, void (*say)(piaa_talk *talk)) {
    int terminal = posix_openpt(O_RDWR | O_NOCTTY);
    if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0) skip();
    int other = open(ptsname(terminal), O_RDWR | O_NOCTTY);
    assert_true(other >= 0);
    struct winsize size = {.ws_row = 24, .ws_col = (unsigned short)columns};
    assert_int_equal(ioctl(other, TIOCSWINSZ, &size), 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(other, STDERR_FILENO);
        piaa_talk talk;
        piaa_talk_begin(&talk, "rank");
        say(&talk);
        piaa_talk_clear(&talk);
        _exit(0);
    }
    close(other);
    piaa_text got = {0};
    char block[4096];
    for (ssize_t n; (n = read(terminal, block, sizeof block)) > 0 || (n < 0 && errno == EINTR);)
        if (n > 0) assert_true(piaa_text_add(&got, block, (size_t)n, NULL));
    close(terminal);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    if (!got.data) assert_true(piaa_text_add(&got, "", 0, NULL));
    return got.data;
}

static void draw(piaa_talk *talk) {
    for (int i = 1; i < 40; i++) {
        talk->last = 0; /* as if time had passed */
        talk->pace = (piaa_pace){.began = piaa_seconds_now() - i};
        talk->hooks.progress(talk, "Reading photos", i * 1000, 123456);
    }
    talk->last = 0;
    if (talk->terminal)
        piaa_talk_draw_bytes(talk, "Fetching 写真\033[2J写真写真.gguf", 5 << 20, 123 << 20);
}

/* Every redraw stays left of the last column, whatever the width; no escape sequence is sent. */
static void progress_fits(void **state) {
    PIAA_UNUSED(state);
    setenv("TERM", "xterm-256color", 1);
    for (int columns = 1; columns < 120; columns += columns < 12 ? 1 : 9) {
        char *got = in_terminal(columns, draw);
        const int most = columns > 1 ? columns - 1 : 1;
        assert_null(strchr(got, '\033'));
        assert_non_null(strchr(got, '\r'));
        assert_null(strchr(got, '\n'));
        for (char *line = strtok(got, "\r"); line; line = strtok(NULL, "\r"))
            if (piaa_visible_columns(line) > most) fail_msg("%d columns: \"%s\"", columns, line);
        free(got);
    }
}

static void progress_is_whole_where_it_fits(void **state) {
    PIAA_UNUSED(state);
    setenv("TERM", "xterm", 1);
    char *got = in_terminal(100, draw);
    assert_non_null(strstr(got, "\rReading photos  1000/123456  0 %  1000.0/s  about "));
    assert_non_null(strstr(got, "\rFetching 写真\\x1b[2J写真写真.gguf  5.2 MB of 129.0 MB  4 %"));
    free(got);
    setenv("COLUMNS", "30", 1); /* where the terminal itself does not know */
    got = in_terminal(0, draw);
    assert_non_null(strstr(got, "\rReading photos  1000/123456\r"));
    assert_null(strstr(got, " %"));
    free(got);
    unsetenv("COLUMNS");
}

static void terminals_that_cannot_get_none(void **state) {
    PIAA_UNUSED(state);
    static const char *const kinds[] = {"dumb", "", NULL};
    for (size_t i = 0; i < PIAA_COUNT(kinds); i++) {
        if (kinds[i])
            setenv("TERM", kinds[i], 1);
        else
            unsetenv("TERM");
        char *got = in_terminal(80, draw);
        assert_string_equal(got, "");
        free(got);
    }
    setenv("TERM", "xterm", 1);
}

static void warn_of_names(piaa_talk *talk) {
    piaa_error error = {0};
    piaa_talk_warn(talk, "%s is odd", "a\nb\033]0;x\a\xc2\x9b\xff\u202e.jpg");
    piaa_error_set(&error, PIAA_IO, "%s", "c\u2066.jpg");
    piaa_talk_fail(talk, &error);
    piaa_talk_note(talk, "%s", "d\u200f.jpg");
}

static void names_are_shown_escaped(void **state) {
    PIAA_UNUSED(state);
    char *got = in_terminal(80, warn_of_names);
    assert_string_equal(got,
                        "piaa rank: warning: a\\nb\\x1b]0;x\\a\\u009b\\xff\\u202e.jpg is odd\r\n"
                        "piaa rank: c\\u2066.jpg\r\nd\\u200f.jpg\r\n");
    free(got);
}

/* ------------------------------------------------------------------------------------------
 * signals */

/* The child's standard error, and how it ended. */
static char *run_child(void (*work)(void *user, int ready), void *user, const int *signals,
                       int *status) {
    int ready[2], errors[2];
    assert_true(pipe(ready) == 0 && pipe(errors) == 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(errors[1], STDERR_FILENO);
        close(errors[0]);
        close(errors[1]);
        close(ready[0]);
        work(user, ready[1]);
        _exit(0);
    }
    close(errors[1]);
    close(ready[1]);
    char byte;
    for (; signals && *signals && read(ready[0], &byte, 1) == 1; signals++)
        assert_int_equal(kill(child, *signals), 0);
    piaa_text got = {0};
    char block[512];
    for (ssize_t n; (n = read(errors[0], block, sizeof block)) > 0;)
        assert_true(piaa_text_add(&got, block, (size_t)n, NULL));
    close(errors[0]);
    close(ready[0]);
    assert_int_equal(waitpid(child, status, 0), child);
    if (!got.data) assert_true(piaa_text_add(&got, "", 0, NULL));
    return got.data;
}

/* Busy with something that never asks whether to stop. */
static void never_look(void *user, int ready) {
    PIAA_UNUSED(user);
    static const int all[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < PIAA_COUNT(all); i++) signal(all[i], SIG_DFL);
    piaa_talk talk;
    piaa_talk_begin(&talk, "embed");
    piaa_signals_begin(&talk);
    piaa_talk_catch_stop(&talk);
    if (talk.hooks.stop(talk.hooks.user)) _exit(97);
    PIAA_UNUSED(write(ready, "1", 1) == 1);
    while (!talk.hooks.stop(talk.hooks.user)) {
    }
    PIAA_UNUSED(write(ready, "2", 1) == 1);
    for (;;) {
    }
}

static void the_second_stop_ends_it(void **state) {
    PIAA_UNUSED(state);
    static const int pairs[][3] = {{SIGINT, SIGINT, 0},
                                   {SIGTERM, SIGTERM, 0},
                                   {SIGINT, SIGTERM, 0},
                                   {SIGTERM, SIGINT, 0},
                                   {SIGHUP, SIGTERM, 0}};
    for (size_t i = 0; i < PIAA_COUNT(pairs); i++) {
        int status;
        free(run_child(never_look, NULL, pairs[i], &status));
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), pairs[i][1]);
    }
}

static void under_nohup(void *user, int ready) {
    PIAA_UNUSED(user);
    signal(SIGHUP, SIG_IGN);
    piaa_talk talk;
    piaa_talk_begin(&talk, "embed");
    piaa_signals_begin(&talk);
    piaa_talk_catch_stop(&talk);
    PIAA_UNUSED(ready);
    raise(SIGHUP);
    raise(SIGHUP);
    _exit(talk.hooks.stop(talk.hooks.user) ? 1 : 0);
}

static void what_is_ignored_stays_ignored(void **state) {
    PIAA_UNUSED(state);
    int status;
    free(run_child(under_nohup, NULL, NULL, &status));
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void write_too_much(void *user, int ready) {
    PIAA_UNUSED(ready);
    piaa_talk talk;
    piaa_talk_begin(&talk, "embed");
    piaa_signals_begin(&talk);
    struct rlimit limit = {100, 100};
    piaa_error error = {0};
    static const char zeros[1000];
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(2);
    if (piaa_file_write(user, zeros, sizeof zeros, &error)) _exit(3);
    piaa_talk_fail(&talk, &error);
    _exit(1);
}

/* ulimit -f: like a full disk. */
static void a_file_too_large_is_an_error(void **state) {
    PIAA_UNUSED(state);
    char *folder = support_folder(), *path = support_join(folder, "large");
    int status;
    char *got = run_child(write_too_much, path, NULL, &status);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    char *want = piaa_format(NULL, "piaa embed: %s cannot be written: %s\n", path, strerror(EFBIG));
    assert_string_equal(got, want);
    assert_false(piaa_file_exists(path));
    free(want);
    free(got);
    free(path);
    support_remove(folder);
}

/* --------------------------------------------------------------------------------------- mapped
 * files */

enum { MAPPED = 1 << 20 };

static void *read_map(void *user) {
    const piaa_map *map = user;
    volatile unsigned char sum = 0;
    for (size_t i = 0; i < map->size; i += 512) sum = (unsigned char)(sum + map->data[i]);
    return NULL;
}

static void read_what_is_gone(void *user, int ready) {
    PIAA_UNUSED(ready);
    piaa_talk talk;
    piaa_talk_begin(&talk, "rank");
    piaa_signals_begin(&talk);
    piaa_map map;
    piaa_error error = {0};
    if (!piaa_map_open(&map, user, &error) || truncate(user, 100) != 0) _exit(2);
    pthread_t threads[4];
    for (size_t i = 0; i < PIAA_COUNT(threads); i++)
        if (pthread_create(&threads[i], NULL, read_map, &map) != 0) _exit(3);
    for (size_t i = 0; i < PIAA_COUNT(threads); i++) pthread_join(threads[i], NULL);
    _exit(0);
}

/* A model or a matrix that another program cuts short: one line that names it, from however many
   threads, and no signal. */
static void a_mapped_file_cut_short(void **state) {
    PIAA_UNUSED(state);
    char *folder = support_folder(), *path = support_join(folder, "we\nights.gguf"),
         *bytes = piaa_alloc(MAPPED, 1, NULL);
    support_write(folder, "we\nights.gguf", bytes, MAPPED);
    int status;
    char *got = run_child(read_what_is_gone, path, NULL, &status);
    if (!WIFEXITED(status)) fail_msg("ended by signal %d", WTERMSIG(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    char *real = piaa_path_absolute(folder, NULL),
         *want = piaa_format(NULL, "piaa rank: %s/we\\", real);
    assert_int_equal(strncmp(got, want, strlen(want)), 0);
    assert_ptr_equal(strchr(got, '\n'), got + strlen(got) - 1);
    free(want);
    free(real);
    free(got);
    free(bytes);
    free(path);
    support_remove(folder);
}

static void be_sent_one(void *user, int ready) {
    PIAA_UNUSED(user);
    PIAA_UNUSED(ready);
    piaa_talk talk;
    piaa_talk_begin(&talk, NULL);
    piaa_signals_begin(&talk);
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    raise(SIGBUS);
}

static void another_fault_stays_a_signal(void **state) {
    PIAA_UNUSED(state);
    int status;
    free(run_child(be_sent_one, NULL, NULL, &status));
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
}

/* -------------------------------------------------------------------------------------- threads */

/* The state of a process as ps shows it, 'S' while it waits; '?' where the system does not say. */
static char state_of(pid_t process) {
    char *path = piaa_format(NULL, "/proc/%ld/stat", (long)process),
         *text = piaa_file_read(path, 4096, NULL, NULL), *end = text ? strrchr(text, ')') : NULL;
    const char state = end && end[1] ? end[2] : '?';
    free(text);
    free(path);
    return state;
}

/* OpenBLAS's would start before main: while the program waits for its input it is alone. */
static void no_thread_starts_unasked(void **state) {
    PIAA_UNUSED(state);
    int input[2];
    assert_int_equal(pipe(input), 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(input[0], STDIN_FILENO);
        close(input[0]);
        close(input[1]);
        if (!freopen("/dev/null", "w", stderr)) _exit(97);
        execl(PIAA_PROGRAM, "piaa", "rank", PIAA_SOURCE "/data/sample/photos", "--ratings", "-",
              (char *)NULL);
        _exit(98);
    }
    close(input[0]);
    const struct timespec moment = {.tv_nsec = 5 * 1000000};
    for (int waited = 0, i = 0; waited < 20 && i < 4000; i++) { /* starting up waits only briefly */
        nanosleep(&moment, NULL);
        waited = state_of(child) == 'S' ? waited + 1 : 0;
    }
    char *path = piaa_format(NULL, "/proc/%ld/task", (long)child);
    DIR *folder = opendir(path);
    int tasks = 0;
    for (const struct dirent *entry; folder && (entry = readdir(folder));)
        tasks += entry->d_name[0] != '.';
    if (folder) closedir(folder);
    free(path);
    close(input[1]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    if (!folder) skip();
    assert_int_equal(tasks, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(progress_fits),
        cmocka_unit_test(progress_is_whole_where_it_fits),
        cmocka_unit_test(terminals_that_cannot_get_none),
        cmocka_unit_test(names_are_shown_escaped),
        cmocka_unit_test(the_second_stop_ends_it),
        cmocka_unit_test(what_is_ignored_stays_ignored),
        cmocka_unit_test(a_file_too_large_is_an_error),
        cmocka_unit_test(a_mapped_file_cut_short),
        cmocka_unit_test(another_fault_stays_a_signal),
        cmocka_unit_test(no_thread_starts_unasked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The built program run as a user runs it, in a folder of its own, and what it printed. */
#ifndef PIAA_TESTS_CLI_PROGRAM_H
#define PIAA_TESTS_CLI_PROGRAM_H

#include "support.h"

#include "base/csv.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

/* The folder of a test: made by program_begin, with cache/ in it. */
static char *world;
static char *out, *err; /* of the last run */
static size_t out_size;
/* A folder that is deleted once the program's process stands in it, and is made again after. */
static const char *program_deletes;

static inline char *at(const char *name) {
    return support_join(world, name);
}

static inline char *slurp(const char *name, size_t *size) {
    char *path = at(name);
    piaa_error error = {0};
    char *text = piaa_file_read(path, (size_t)1 << 30, size, &error);
    if (!text) fail_msg("%s", error.message);
    free(path);
    return text;
}

/* How the program is run; {0}: in the world, its output in the files "out" and "err" there. */
typedef struct program_way {
    const char *where; /* a folder of the world */
    const char *name;  /* of the files: NAME.out, NAME.err */
    const char *to;    /* a path that standard output goes to instead */
} program_way;

static inline char *program_file(program_way way, const char *ending) {
    return way.name ? piaa_format(NULL, "%s.%s", way.name, ending) : piaa_strdup(ending, NULL);
}

/* Words ends with NULL.  Standard input is the world's file "in", where there is one. */
static inline pid_t program_start(program_way way, const char *const *words) {
    char *out_name = program_file(way, "out"), *err_name = program_file(way, "err");
    char *folder = at(way.where ? way.where : ""), *input = at("in"), *errors = at(err_name),
         *output = way.to ? piaa_strdup(way.to, NULL) : at(out_name), *cache = at("cache");
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setenv("XDG_CACHE_HOME", cache, 1);
        unsetenv("PIAA_MODEL");
        signal(SIGINT, SIG_DFL); /* which a test runner in the background has ignored */
        int from = open(input, O_RDONLY), into = open(output, O_WRONLY | O_CREAT | O_TRUNC, 0600),
            faults = open(errors, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        if (into < 0 || faults < 0 || chdir(folder) != 0) _exit(99);
        if (program_deletes && rmdir(program_deletes) != 0) _exit(99);
        if (from >= 0) dup2(from, 0);
        dup2(into, 1);
        dup2(faults, 2);
        execv(PIAA_PROGRAM, (char *const *)words);
        _exit(98);
    }
    free(out_name);
    free(err_name);
    free(folder);
    free(input);
    free(errors);
    free(output);
    free(cache);
    return child;
}

/* The exit code; `out` is NULL where it went elsewhere. */
static inline int program_finish(program_way way, pid_t child) {
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (program_deletes) assert_int_equal(mkdir(program_deletes, 0700), 0);
    char *out_name = program_file(way, "out"), *err_name = program_file(way, "err");
    free(out);
    free(err);
    out = way.to ? NULL : slurp(out_name, &out_size);
    err = slurp(err_name, NULL);
    free(out_name);
    free(err_name);
    if (!WIFEXITED(status)) fail_msg("piaa was ended by signal %d: %s", WTERMSIG(status), err);
    return WEXITSTATUS(status);
}

static inline int program_run(program_way way, const char *const *words) {
    return program_finish(way, program_start(way, words));
}

#define WORDS(...) ((const char *const[]){"piaa", __VA_ARGS__, NULL})
#define PIAA_IN(folder, ...) program_run((program_way){.where = (folder)}, WORDS(__VA_ARGS__))
#define PIAA(...) program_run((program_way){0}, WORDS(__VA_ARGS__))
/* One thread: more of them wait for each other where other programs keep the machine busy. */
#define ONE "--threads", "1"

static inline void expect_ok(int code) {
    if (code != 0) fail_msg("exit code %d: %s", code, err);
}

/* Exit code, nothing on standard output, and on standard error one line (the demonstration model's
   note aside) that begins with `who` and holds `part`. */
static inline void expect_refusal(int code, int expected, const char *who, const char *part) {
    if (code != expected) fail_msg("exit code %d instead of %d: %s", code, expected, err);
    assert_int_equal(out_size, 0);
    const char *line = err;
    if (strncmp(line, "This is the demonstration model", 31) == 0) line += strcspn(line, "\n") + 1;
    if (strncmp(line, who, strlen(who)) != 0 || !strstr(line, part) ||
        strchr(line, '\n') != line + strlen(line) - 1)
        fail_msg("expected one line \"%s… %s …\", got: %s", who, part, err);
}

/* The same where warnings come first: a last line with this part. */
static inline void expect_last_line(int code, int expected, const char *part) {
    if (code != expected) fail_msg("exit code %d instead of %d: %s", code, expected, err);
    assert_string_equal(out, "");
    const char *line = err;
    for (const char *next; (next = strchr(line, '\n')) && next[1];) line = next + 1;
    if (!strstr(line, part)) fail_msg("expected \"%s\", got: %s", part, err);
}

/* The column's values in the CSV that was printed, in its order. */
static inline piaa_paths printed_column(const char *name) {
    piaa_paths values = {0};
    char *path = at("out");
    piaa_error error = {0};
    piaa_csv *csv = piaa_csv_open(path, &error);
    if (!csv) fail_msg("%s", error.message);
    int column = 0;
    while (column < piaa_csv_columns(csv) && strcmp(piaa_csv_column_name(csv, column), name) != 0)
        column++;
    assert_true(column < piaa_csv_columns(csv));
    while (piaa_csv_next(csv, &error) > 0)
        assert_true(piaa_paths_add(&values, piaa_csv_field(csv, column), &error));
    piaa_csv_close(csv);
    free(path);
    return values;
}

static inline void put(const char *name, const char *text) {
    support_write(world, name, text, strlen(text));
}

static inline void make_folder(const char *name) {
    support_make_folder(world, name);
}

static inline void make_link(const char *name, const char *target) {
    support_make_link(world, name, target);
}

/* Photo 0 to 7 of the sample. */
static inline const char *sample_name(int index) {
    static const char *const names[] = {"iaa_pub10_0183", "iaa_pub11_0202", "iaa_pub11_0219",
                                        "iaa_pub12_0221", "iaa_pub12_0232", "iaa_pub10_0197",
                                        "iaa_pub10_0199", "iaa_pub11_0218"};
    return names[index];
}

static inline void put_sample(int index, const char *name) {
    char *from = piaa_format(NULL, "%s/data/sample/photos/%s.jpg", PIAA_SOURCE, sample_name(index));
    size_t size;
    char *bytes = piaa_file_read(from, (size_t)1 << 30, &size, NULL);
    assert_non_null(bytes);
    support_write(world, name, bytes, size);
    free(bytes);
    free(from);
}

static int program_begin(void **state) {
    (void)state;
    char *made = support_folder();
    world = piaa_path_absolute(made, NULL);
    free(made);
    make_folder("cache");
    return 0;
}

static int program_end(void **state) {
    (void)state;
    support_remove(world);
    free(out);
    free(err);
    out = err = NULL;
    return 0;
}

#endif

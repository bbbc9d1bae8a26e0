/* The built program run as a user runs it, in a folder of its own, and what it printed. */
#ifndef PIAA_TESTS_CLI_PROGRAM_H
#define PIAA_TESTS_CLI_PROGRAM_H

#include "support.h"

#include "base/csv.h"

#include <fcntl.h>
#include <sys/wait.h>

/* The folder of a test: made by program_begin, with cache/ in it. */
static char *world;
static char *out, *err; /* of the last run */
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

/* Runs piaa in the world's folder `where`; words ends with NULL.  Returns the exit code. */
static inline int program_run(const char *where, const char *const *words) {
    char *folder = at(where), *to = at("out"), *errors = at("err"), *cache = at("cache");
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setenv("XDG_CACHE_HOME", cache, 1);
        unsetenv("PIAA_MODEL");
        int into = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600),
            faults = open(errors, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        if (into < 0 || faults < 0 || chdir(folder) != 0) _exit(99);
        if (program_deletes && rmdir(program_deletes) != 0) _exit(99);
        dup2(into, 1);
        dup2(faults, 2);
        execv(PIAA_PROGRAM, (char *const *)words);
        _exit(98);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (program_deletes) assert_int_equal(mkdir(program_deletes, 0700), 0);
    free(folder);
    free(to);
    free(errors);
    free(cache);
    free(out);
    free(err);
    out = slurp("out", NULL);
    err = slurp("err", NULL);
    if (!WIFEXITED(status)) fail_msg("piaa was ended by signal %d: %s", WTERMSIG(status), err);
    return WEXITSTATUS(status);
}

#define PIAA_IN(where, ...) program_run(where, (const char *const[]){"piaa", __VA_ARGS__, NULL})
#define PIAA(...) PIAA_IN("", __VA_ARGS__)
/* One thread: more of them wait for each other where other programs keep the machine busy. */
#define ONE "--threads", "1"

static inline void expect_ok(int code) {
    if (code != 0) fail_msg("exit code %d: %s", code, err);
}

/* Exit code, nothing on standard output, and a last line on standard error with this part. */
static inline void expect_refusal(int code, int expected, const char *part) {
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
    char *path = at(name);
    assert_int_equal(mkdir(path, 0700), 0);
    free(path);
}

static inline void make_link(const char *name, const char *target) {
    char *path = at(name);
    assert_int_equal(symlink(target, path), 0);
    free(path);
}

/* Photo 0 to 7 of the sample. */
static inline void put_sample(int index, const char *name) {
    static const char *const sample[] = {"iaa_pub10_0183", "iaa_pub11_0202", "iaa_pub11_0219",
                                         "iaa_pub12_0221", "iaa_pub12_0232", "iaa_pub10_0197",
                                         "iaa_pub10_0199", "iaa_pub11_0218"};
    char *from = piaa_format(NULL, "%s/data/sample/photos/%s.jpg", PIAA_SOURCE, sample[index]);
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

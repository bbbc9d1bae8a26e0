/* One process for one picture: started, listened to until a moment, ended. */
#include "browse/helper.h"

#include "base/memory.h"
#include "base/portability.h"
#include "browse/pictures.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PICTURE_MOST = 256 << 20, MEMORY_GIB = 4, PROCESSOR_SECONDS = 60 };

struct piaa_helper {
    const char *program;
    int most, running, seconds;
    pthread_mutex_t lock;
    pthread_cond_t ended; /* one of those that run */
};

piaa_helper *piaa_helper_new(const char *program, int most, int seconds, piaa_error *error) {
    piaa_helper *helper = piaa_alloc(1, sizeof *helper, error);
    if (!helper) return NULL;
    *helper = (piaa_helper){.program = program, .most = most, .seconds = seconds};
    pthread_mutex_init(&helper->lock, NULL);
    pthread_cond_init(&helper->ended, NULL);
    return helper;
}

void piaa_helper_free(piaa_helper *helper) {
    if (!helper) return;
    pthread_cond_destroy(&helper->ended);
    pthread_mutex_destroy(&helper->lock);
    free(helper);
}

/* ------------------------------------------------------------------------------------ this side */

/* Both ends are closed in every program that is started meanwhile by another thread. */
static bool open_pipe(int ends[2], piaa_error *error) {
    if (pipe(ends) != 0) return piaa_error_set_errno(error, errno, "a picture needs a pipe");
    if (fcntl(ends[0], F_SETFD, FD_CLOEXEC) == 0 && fcntl(ends[1], F_SETFD, FD_CLOEXEC) == 0)
        return true;
    const int why = errno;
    close(ends[0]);
    close(ends[1]);
    return piaa_error_set_errno(error, why, "a picture needs a pipe");
}

static int spawn(const char *program, const char *path, int side, int out, pid_t *child) {
    char number[16];
    snprintf(number, sizeof number, "%d", side);
    const char *const words[] = {program, PIAA_HELPER_WORD, path, number, NULL};
    posix_spawn_file_actions_t actions;
    int failed = posix_spawn_file_actions_init(&actions);
    if (failed) return failed;
    if (!(failed =
              posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)) &&
        !(failed = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO)) &&
        !(failed =
              posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)))
        failed = posix_spawn(child, program, &actions, NULL, (char *const *)(uintptr_t)words,
                             piaa_environment());
    posix_spawn_file_actions_destroy(&actions);
    return failed;
}

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* All that the process writes, until it closes its end; false: it took too long, or there is too
   much of it. */
static bool listen_to(int from, int seconds, piaa_text *heard) {
    const int64_t until = now_ms() + (int64_t)seconds * 1000;
    while (heard->length <= PICTURE_MOST) {
        char block[65536];
        struct pollfd end = {.fd = from, .events = POLLIN};
        const int64_t left = until - now_ms();
        const int ready = left > 0 ? poll(&end, 1, (int)left) : 0;
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0) return false;
        const ssize_t n = read(from, block, sizeof block);
        if (n == 0) return true;
        if (n < 0 && errno != EINTR) return false;
        if (n > 0 && !piaa_text_add(heard, block, (size_t)n, NULL)) return false;
    }
    return false;
}

static void *make(const piaa_helper *helper, const char *path, int side, size_t *size,
                  piaa_error *error) {
    int ends[2], status = 0;
    pid_t child;
    piaa_text heard = {0};
    if (!open_pipe(ends, error)) return NULL;
    const int failed = spawn(helper->program, path, side, ends[1], &child);
    close(ends[1]);
    const bool whole = !failed && listen_to(ends[0], helper->seconds, &heard);
    close(ends[0]);
    if (failed) {
        piaa_error_set_errno(error, failed, "%.300s cannot be started for a picture",
                             helper->program);
        return NULL;
    }
    if (!whole) kill(child, SIGKILL);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    if (whole && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS && heard.length) {
        *size = heard.length;
        return heard.data;
    }
    if (whole && WIFEXITED(status) && heard.length)
        piaa_error_set(error, PIAA_UNSUPPORTED, "%s", heard.data);
    else
        piaa_error_set(error, PIAA_UNSUPPORTED, "%.700s cannot be shown: its decoder %s", path,
                       whole ? "crashed" : "took too long or too much memory");
    free(heard.data);
    return NULL;
}

void *piaa_helper_make(piaa_helper *helper, const char *path, int side, size_t *size,
                       piaa_error *error) {
    pthread_mutex_lock(&helper->lock);
    while (helper->running >= helper->most) pthread_cond_wait(&helper->ended, &helper->lock);
    helper->running++;
    pthread_mutex_unlock(&helper->lock);
    void *bytes = make(helper, path, side, size, error);
    pthread_mutex_lock(&helper->lock);
    helper->running--;
    pthread_cond_signal(&helper->ended);
    pthread_mutex_unlock(&helper->lock);
    return bytes;
}

/* ------------------------------------------------------------------------------- the other side */

/* Where it cannot be limited it is made without. */
static void limit(int resource, rlim_t most) {
    struct rlimit now;
    if (getrlimit(resource, &now) != 0) return;
    now.rlim_cur = now.rlim_max == RLIM_INFINITY || most < now.rlim_max ? most : now.rlim_max;
    PIAA_UNUSED(setrlimit(resource, &now));
}

/* Beyond what it has already: some systems, and checkers of memory, take a large part of the
   address space for every process, which is no memory yet. */
static void limit_memory(void) {
    unsigned long long pages = 0;
    FILE *file = fopen(PIAA_PROC "/statm", "r");
    const bool known = file && fscanf(file, "%llu", &pages) == 1;
    if (file) fclose(file);
    if (known)
        limit(RLIMIT_AS,
              (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + ((rlim_t)MEMORY_GIB << 30));
}

int piaa_helper_run(const char *path, const char *side) {
    piaa_error error = {0};
    size_t size = 0;
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_CPU, PROCESSOR_SECONDS);
    limit_memory();
    const int square = (int)strtol(side, NULL, 10);
    void *bytes = piaa_picture_decode(path, square > 0 ? square : 1, &size, &error);
    const void *said = bytes ? bytes : error.message;
    const size_t length = bytes ? size : strlen(error.message);
    const bool written = fwrite(said, 1, length, stdout) == length && fflush(stdout) == 0;
    const int status = bytes && written ? EXIT_SUCCESS : EXIT_FAILURE;
    free(bytes);
    return status;
}

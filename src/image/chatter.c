/* Catching what decoders write to standard error.
 *
 * While at least one turn lasts, descriptor 2 leads to a temporary file without a name; if the
 * process dies meanwhile nothing stays behind.  Who waits to be alone goes before those who come
 * later, so that a stream of photos cannot keep it waiting.
 *
 * Standard error belongs to the process; what is kept here belongs with it. */
#include "image/chatter.h"

#include "base/portability.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int turns;        /* that last, side by side or one alone */
    int waiting;      /* to be alone */
    bool alone;       /* the turn that lasts is */
    int errors, file; /* where standard error leads, and where it leads meanwhile; 0: not caught */
} desk = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* A file without a name, or at least a place where nothing is seen. */
static int open_file(void) {
    FILE *file = tmpfile();
    int descriptor = file ? fcntl(fileno(file), F_DUPFD_CLOEXEC, STDERR_FILENO + 1) : -1;
    if (file) fclose(file);
    return descriptor < 0 ? open("/dev/null", O_WRONLY | O_CLOEXEC) : descriptor;
}

FILE *piaa_chatter_catch(void) {
    int own = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    FILE *stream = own < 0 ? NULL : fdopen(own, "w");
    int errors = stream ? fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1) : -1;
    if (errors < 0) {
        if (stream) fclose(stream);
        return NULL;
    }
    setvbuf(stream, NULL, _IONBF, 0); /* as standard error is */
    pthread_mutex_lock(&desk.lock);
    desk.errors = errors;
    pthread_mutex_unlock(&desk.lock);
    return stream;
}

static off_t heard(void) {
    struct stat status;
    return desk.file > 0 && fstat(desk.file, &status) == 0 ? status.st_size : 0;
}

static void lead(int to) {
    if (to > 0) PIAA_UNUSED(dup2(to, STDERR_FILENO)); /* if it fails, the lines are seen */
}

piaa_turn piaa_turn_begin(bool alone) {
    pthread_mutex_lock(&desk.lock);
    desk.waiting += alone;
    while (alone ? desk.turns > 0 : desk.alone || desk.waiting)
        pthread_cond_wait(&desk.changed, &desk.lock);
    desk.waiting -= alone;
    desk.alone = alone;
    if (desk.turns++ == 0 && desk.errors > 0) {
        if (desk.file <= 0) desk.file = open_file();
        if (ftruncate(desk.file, 0) == 0) PIAA_UNUSED(lseek(desk.file, 0, SEEK_SET));
        lead(desk.file);
    }
    piaa_turn turn = {.alone = alone, .heard = heard()};
    pthread_mutex_unlock(&desk.lock);
    return turn;
}

/* The first line from `start` on. */
static void read_line(off_t start, char *line, size_t size) {
    ssize_t got = pread(desk.file, line, size - 1, start);
    line[got > 0 ? got : 0] = '\0';
    line[strcspn(line, "\n")] = '\0';
}

bool piaa_turn_end(piaa_turn turn, char *line, size_t size) {
    if (line && size) line[0] = '\0';
    pthread_mutex_lock(&desk.lock);
    bool said = heard() > turn.heard;
    if (said && turn.alone && line && size) read_line(turn.heard, line, size);
    if (--desk.turns == 0) {
        desk.alone = false;
        lead(desk.errors);
    }
    pthread_cond_broadcast(&desk.changed);
    pthread_mutex_unlock(&desk.lock);
    return said;
}

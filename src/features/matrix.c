/* One growing .npy file.
 *
 * NumPy must be able to open the file between any two instructions of ours, so the order is fixed:
 * a new file gets its header under another name and is renamed; a row's values are written before
 * the header counts it; the header has a fixed size and is overwritten in place (its row count is
 * padded so that the low eight digits, all that ever change, are one aligned word).  The file is
 * never truncated: somebody may have it mapped.  Values are stored little-endian, as they are in
 * memory on every machine that ggml runs on. */
#include "features/matrix.h"

#include "base/memory.h"
#include "base/npy.h"
#include "features/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int64_t row_bytes(const piaa_matrix *m) {
    return (int64_t)m->dim * (int64_t)sizeof(float);
}

static int64_t row_offset(const piaa_matrix *m, int64_t row) {
    return PIAA_NPY_HEADER_SIZE + row * row_bytes(m);
}

static bool write_header(piaa_matrix *m, int64_t rows, piaa_error *error) {
    char header[PIAA_NPY_HEADER_SIZE];
    piaa_npy_header_write(header, "<f4", rows, m->dim);
    if (!piaa_disk_write(m->file, header, sizeof header, 0, m->path, error)) return false;
    m->rows = rows;
    m->dirty = true;
    return true;
}

/* Up to `size` bytes at `offset`; *got says how many there are.  false and errno: they could not be
   read. */
static bool read_bytes(const piaa_matrix *m, void *bytes, size_t size, int64_t offset,
                       size_t *got) {
    char *at = bytes;
    *got = 0;
    while (*got < size) {
        ssize_t n = pread(m->file, at + *got, size - *got, (off_t)(offset + (int64_t)*got));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        if (n == 0) break;
        *got += (size_t)n;
    }
    return true;
}

/* -1: no header that we wrote. */
static bool rows_in_header(const piaa_matrix *m, int64_t *rows, piaa_error *error) {
    char bytes[PIAA_NPY_HEADER_SIZE];
    size_t got;
    piaa_npy_header header;
    *rows = -1;
    if (!read_bytes(m, bytes, sizeof bytes, 0, &got))
        return piaa_error_set_errno(error, errno, "cannot read %s", m->path);
    if (got < sizeof bytes || !piaa_npy_parse(bytes, got, UINT64_MAX, m->path, &header, NULL))
        return true;
    if (header.width == 4 && header.dimensions == 2 && header.shape[1] == m->dim &&
        header.data_start == PIAA_NPY_HEADER_SIZE)
        *rows = header.shape[0];
    return true;
}

static bool open_file(piaa_matrix *m, int64_t most, piaa_error *error) {
    m->file = open(m->path, O_RDWR | O_CLOEXEC);
    if (m->file < 0 && errno == ENOENT) return true;
    struct stat info;
    if (m->file < 0 || fstat(m->file, &info) != 0) return piaa_disk_error(error, errno, m->path);
    int64_t said;
    if (!rows_in_header(m, &said, error)) return false;
    int64_t held = info.st_size < PIAA_NPY_HEADER_SIZE
                       ? 0
                       : (info.st_size - PIAA_NPY_HEADER_SIZE) / row_bytes(m);
    m->rows = said;
    if (m->rows > held) m->rows = held;
    if (m->rows > most) m->rows = most;
    if (m->rows < 0) m->rows = 0;
    return m->rows == said || write_header(m, m->rows, error);
}

bool piaa_matrix_open(piaa_matrix *m, const char *path, int dim, int64_t most, piaa_error *error) {
    *m = (piaa_matrix){.file = -1, .dim = dim};
    m->path = piaa_strdup(path, error);
    if (m->path && open_file(m, most, error)) return true;
    piaa_matrix_close(m);
    return false;
}

void piaa_matrix_close(piaa_matrix *m) {
    if (m->file >= 0) close(m->file);
    free(m->path);
    *m = (piaa_matrix){.file = -1};
}

/* Makes the file with a header of 0 rows, in one step as others see it. */
static bool make_file(piaa_matrix *m, piaa_error *error) {
    char *temporary = piaa_format(error, "%s.new", m->path);
    if (!temporary) return false;
    m->file = open(temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (m->file < 0) {
        piaa_disk_error(error, errno, m->path);
    } else if (write_header(m, 0, error)) {
        m->made = rename(temporary, m->path) == 0;
        if (!m->made) piaa_disk_error(error, errno, m->path);
    }
    if (!m->made && m->file >= 0) {
        close(m->file);
        m->file = -1;
        unlink(temporary);
    }
    free(temporary);
    return m->made;
}

static bool extend(piaa_matrix *m, int64_t rows, piaa_error *error) {
    if (rows <= m->rows) return true;
    if (m->file < 0 && !make_file(m, error)) return false;
    enum { MOST = 1 << 16 }; /* values written at a time */
    int64_t begin = row_offset(m, m->rows), left = (rows - m->rows) * m->dim;
    size_t chunk = left < MOST ? (size_t)left : MOST;
    float *blank = piaa_alloc_array(chunk, sizeof *blank, error);
    if (!blank) return false;
    for (size_t i = 0; i < chunk; i++) blank[i] = NAN;
    bool ok = true;
    while (ok && left > 0) {
        size_t n = left < (int64_t)chunk ? (size_t)left : chunk;
        ok = piaa_disk_write(m->file, blank, n * sizeof *blank, begin, m->path, error);
        begin += (int64_t)(n * sizeof *blank);
        left -= (int64_t)n;
    }
    free(blank);
    return ok && write_header(m, rows, error);
}

bool piaa_matrix_write(piaa_matrix *m, int64_t row, const float *values, piaa_error *error) {
    if (!extend(m, row, error)) return false;
    if (m->file < 0 && !make_file(m, error)) return false;
    if (!piaa_disk_write(m->file, values, (size_t)row_bytes(m), row_offset(m, row), m->path, error))
        return false;
    m->dirty = true;
    return row < m->rows || write_header(m, row + 1, error);
}

bool piaa_matrix_fit(piaa_matrix *m, int64_t rows, piaa_error *error) {
    return rows < m->rows ? write_header(m, rows, error) : extend(m, rows, error);
}

bool piaa_matrix_read(const piaa_matrix *m, int64_t row, float *values, piaa_error *error) {
    size_t size = (size_t)row_bytes(m), got = 0;
    if (!read_bytes(m, values, size, row_offset(m, row), &got))
        return piaa_error_set_errno(error, errno, "cannot read %s", m->path);
    return got == size ||
           piaa_error_set(error, PIAA_IO, "%s was cut short by another program", m->path);
}

bool piaa_matrix_sync(piaa_matrix *m, piaa_error *error) {
    if (!m->dirty || m->file < 0) return true;
    if (piaa_sync_data(m->file) != 0) return piaa_disk_error(error, errno, m->path);
    m->dirty = m->made = false;
    return true;
}

/* CSV after RFC 4180, with a header line.
 *
 * The text is kept whole and cut up in place, one row per call. A row is scanned twice: first only
 * to find its end and its faults, so that a row with a fault leaves the text as it was and reading
 * can go on behind it; then to take quotes away and end each field with a NUL. Lines end with LF,
 * CRLF or CR. A quote inside an unquoted field is an ordinary character (as in Python's csv). */
#include "base/csv.h"

#include "base/file.h"
#include "base/memory.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIELD_LIMIT =
        128 * 1024, /* a quoted field that goes on for longer has lost its closing quote */
    FILE_LIMIT = 1 << 30,
};

struct piaa_csv {
    char *where, *text;
    size_t size, next;       /* next: where the coming row begins */
    int64_t next_line, line; /* line numbers of the coming and of the current row */
    char **fields;
    size_t count, capacity;
    char **names;
    size_t columns;
};

static size_t newline_length(const piaa_csv *csv, size_t at) {
    if (at >= csv->size) return 0;
    if (csv->text[at] == '\n') return 1;
    if (csv->text[at] != '\r') return 0;
    return at + 1 < csv->size && csv->text[at + 1] == '\n' ? 2 : 1;
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

/* The end of the line that holds `at`: the offset of its line break, or of the end of the text. */
static size_t line_end(const piaa_csv *csv, size_t at) {
    while (at < csv->size && csv->text[at] != '\n' && csv->text[at] != '\r') at++;
    return at;
}

static void go_to_line_after(piaa_csv *csv, size_t at) {
    size_t end = line_end(csv, at);
    csv->next = end + newline_length(csv, end);
    csv->next_line++;
}

static void skip_blank_lines(piaa_csv *csv) {
    for (;;) {
        size_t at = csv->next;
        while (at < csv->size && is_blank(csv->text[at])) at++;
        if (at < csv->size && !newline_length(csv, at)) return;
        if (at >= csv->size) {
            csv->next = csv->size;
            return;
        }
        csv->next = at + newline_length(csv, at);
        csv->next_line++;
    }
}

/* From an opening quote to just behind the closing one; 0 if there is none within the limit. Counts
   the line breaks inside. */
static size_t skip_quoted(const piaa_csv *csv, size_t open, int64_t *breaks) {
    for (size_t at = open + 1; at < csv->size && at - open <= FIELD_LIMIT;) {
        size_t length = newline_length(csv, at);
        *breaks += length > 0;
        if (csv->text[at] != '"')
            at += length ? length : 1;
        else if (at + 1 < csv->size && csv->text[at + 1] == '"')
            at += 2;
        else
            return at + 1;
    }
    return 0;
}

/* First pass: finds the row's end and its number of line breaks, changing nothing. */
static bool scan_row(const piaa_csv *csv, size_t *end, int64_t *breaks, piaa_error *error) {
    size_t at = csv->next;
    *breaks = 0;
    for (;;) { /* one field per turn */
        if (at < csv->size && csv->text[at] == '"') {
            at = skip_quoted(csv, at, breaks);
            if (!at)
                return piaa_error_set(
                    error, PIAA_FORMAT,
                    "%s, line %lld: a quoted field is never closed: add the missing \"", csv->where,
                    (long long)csv->line);
            if (at < csv->size && csv->text[at] != ',' && !newline_length(csv, at))
                return piaa_error_set(error, PIAA_FORMAT,
                                      "%s, line %lld: text after a closing quote: write a quote "
                                      "inside a field as \"\"",
                                      csv->where, (long long)csv->line);
        }
        while (at < csv->size && csv->text[at] != ',' && !newline_length(csv, at)) at++;
        if (at >= csv->size || csv->text[at] != ',') break;
        at++;
    }
    *end = at;
    if (memchr(csv->text + csv->next, '\0', at - csv->next))
        return piaa_error_set(error, PIAA_FORMAT,
                              "%s, line %lld: a zero byte, which text cannot hold", csv->where,
                              (long long)csv->line);
    return true;
}

/* Second pass: takes the row [next, end) apart. What is written never overtakes what is read: each
 * field loses its quotes and gains one NUL in place of its comma or line break (the text has a
 * spare byte at its end). */
static bool split_row(piaa_csv *csv, size_t end, piaa_error *error) {
    size_t in = csv->next, out = csv->next;
    csv->count = 0;
    for (;;) {
        if (!piaa_grow(&csv->fields, &csv->capacity, csv->count + 1, sizeof *csv->fields, error))
            return false;
        csv->fields[csv->count++] = csv->text + out;
        if (in < end && csv->text[in] == '"') {
            for (in++; csv->text[in] != '"' || csv->text[in + 1] == '"'; in++) {
                if (csv->text[in] == '"') in++;
                csv->text[out++] = csv->text[in];
            }
            in++;
        }
        while (in < end && csv->text[in] != ',') csv->text[out++] = csv->text[in++];
        bool last = in >= end;
        csv->text[out++] = '\0';
        if (last) return true;
        in++;
    }
}

/* 1 a row, 0 the end, -1 an error; the number of fields is not checked. */
static int read_row(piaa_csv *csv, piaa_error *error) {
    csv->count = 0;
    skip_blank_lines(csv);
    csv->line = csv->next_line;
    if (csv->next >= csv->size) return 0;
    size_t end = csv->next;
    int64_t breaks = 0;
    if (!scan_row(csv, &end, &breaks, error)) {
        go_to_line_after(csv, csv->next);
        return -1;
    }
    size_t behind = end + newline_length(csv, end);
    bool ok = split_row(csv, end, error);
    if (!ok) csv->count = 0;
    csv->next = behind;
    csv->next_line += breaks + 1;
    return ok ? 1 : -1;
}

static char *trim(char *text) {
    while (is_blank(*text)) text++;
    size_t n = strlen(text);
    while (n > 0 && is_blank(text[n - 1])) n--;
    text[n] = '\0';
    return text;
}

static bool read_header(piaa_csv *csv, piaa_error *error) {
    if (csv->size >= 2 &&
        (memcmp(csv->text, "\xff\xfe", 2) == 0 || memcmp(csv->text, "\xfe\xff", 2) == 0))
        return piaa_error_set(error, PIAA_FORMAT, "%s is UTF-16 text: save it as CSV in UTF-8",
                              csv->where);
    if (csv->size >= 3 && memcmp(csv->text, "\xef\xbb\xbf", 3) == 0) csv->next = 3;
    int row = read_row(csv, error);
    if (row < 0) return false;
    if (row == 0)
        return piaa_error_set(error, PIAA_FORMAT, "%s is empty: a header line is expected",
                              csv->where);
    if (csv->count == 1 && strpbrk(csv->fields[0], ";\t"))
        return piaa_error_set(
            error, PIAA_FORMAT,
            "%s, line %lld: the fields are not separated by commas: save it with commas",
            csv->where, (long long)csv->line);
    csv->names = piaa_alloc(csv->count, sizeof *csv->names, error);
    if (!csv->names) return false;
    csv->columns = csv->count;
    for (size_t i = 0; i < csv->columns; i++) csv->names[i] = trim(csv->fields[i]);
    csv->count = 0;
    return true;
}

/* Takes over `text`, which has a spare byte after its `size`. */
static piaa_csv *open_text(char *text, size_t size, const char *where, piaa_error *error) {
    piaa_csv *csv = piaa_alloc(1, sizeof *csv, error);
    if (!csv) {
        free(text);
        return NULL;
    }
    csv->text = text;
    csv->size = size;
    csv->next_line = 1;
    csv->where = piaa_strdup(where, error);
    if (csv->where && read_header(csv, error)) return csv;
    piaa_csv_close(csv);
    return NULL;
}

piaa_csv *piaa_csv_open(const char *path, piaa_error *error) {
    size_t size;
    char *text = piaa_file_read(path, FILE_LIMIT, &size, error);
    return text ? open_text(text, size, strcmp(path, "-") ? path : "standard input", error) : NULL;
}

piaa_csv *piaa_csv_parse(const char *text, size_t size, const char *where, piaa_error *error) {
    char *copy = piaa_alloc(size + 1, 1, error);
    if (!copy) return NULL;
    if (size) memcpy(copy, text, size);
    return open_text(copy, size, where, error);
}

void piaa_csv_close(piaa_csv *csv) {
    if (!csv) return;
    free(csv->names);
    free(csv->fields);
    free(csv->text);
    free(csv->where);
    free(csv);
}

int piaa_csv_columns(const piaa_csv *csv) {
    return (int)csv->columns;
}

const char *piaa_csv_column_name(const piaa_csv *csv, int column) {
    return column >= 0 && (size_t)column < csv->columns ? csv->names[column] : "";
}

int piaa_csv_column(const piaa_csv *csv, const char *name) {
    for (size_t i = 0; i < csv->columns; i++)
        if (strcmp(csv->names[i], name) == 0) return (int)i;
    return -1;
}

int piaa_csv_next(piaa_csv *csv, piaa_error *error) {
    int row = read_row(csv, error);
    if (row != 1 || csv->count == csv->columns) return row;
    piaa_error_set(error, PIAA_FORMAT, "%s, line %lld: %zu field%s where the header has %zu",
                   csv->where, (long long)csv->line, csv->count, csv->count == 1 ? "" : "s",
                   csv->columns);
    csv->count = 0;
    return -1;
}

const char *piaa_csv_field(const piaa_csv *csv, int column) {
    return column >= 0 && (size_t)column < csv->count ? csv->fields[column] : "";
}

int64_t piaa_csv_line(const piaa_csv *csv) {
    return csv->line;
}

const char *piaa_csv_where(const piaa_csv *csv) {
    return csv->where;
}

/* -------------------------------------------------------------------------------------- numbers */

static const char *skip_blanks(const char *c) {
    while (is_blank(*c) || *c == '\r' || *c == '\n') c++;
    return c;
}

static const char *skip_digits(const char *c) {
    while (*c >= '0' && *c <= '9') c++;
    return c;
}

/* [sign] digits [. digits] [e [sign] digits], with a digit before or after the point; strtod alone
   would also take "nan" and "0x1". */
static bool is_number(const char *text) {
    const char *c = skip_blanks(text);
    if (*c == '+' || *c == '-') c++;
    const char *whole = c;
    c = skip_digits(c);
    size_t digits = (size_t)(c - whole);
    if (*c == '.') {
        const char *fraction = ++c;
        c = skip_digits(c);
        digits += (size_t)(c - fraction);
    }
    if (!digits) return false;
    if (*c == 'e' || *c == 'E') {
        c++;
        if (*c == '+' || *c == '-') c++;
        const char *exponent = c;
        c = skip_digits(c);
        if (c == exponent) return false;
    }
    return *skip_blanks(c) == '\0';
}

/* strtod reads the decimal point of the thread's locale, so that is set to "C" for the call. */
bool piaa_parse_number(const char *text, double *out) {
    if (!is_number(text)) return false;
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (plain == (locale_t)0) return false;
    locale_t before = uselocale(plain);
    double value = strtod(text, NULL);
    uselocale(before);
    freelocale(plain);
    if (!isfinite(value)) return false;
    *out = value;
    return true;
}

bool piaa_csv_quote(const char *field, char **out, piaa_error *error) {
    if (!strpbrk(field, "\",\r\n")) return (*out = piaa_strdup(field, error)) != NULL;
    size_t n = strlen(field);
    char *quoted = *out = piaa_alloc(n + 2, 2, error); /* every character may double */
    if (!quoted) return false;
    *quoted++ = '"';
    for (const char *c = field; *c; c++) {
        if (*c == '"') *quoted++ = '"';
        *quoted++ = *c;
    }
    *quoted++ = '"';
    *quoted = '\0';
    return true;
}

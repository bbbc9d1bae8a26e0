/* Tables as text, after RFC 4180 and beyond it: whatever spreadsheets, photo programs and other
 * systems save as CSV.
 *
 * The text is kept whole, as UTF-8.  A row is scanned twice: first only to find its end and its
 * faults, so that reading can go on behind a faulty one; then to copy its fields, without quotes
 * and each with a NUL behind it, into the row in hand.  Lines end with LF, CRLF or CR.  A quote
 * inside an unquoted field is an ordinary character (as in Python's csv).
 *
 * The separator is the one of , ; tab and | that cuts most rows into as many fields as the header,
 * and more than one; of several such the one that makes most fields. */
#include "base/csv.h"

#include "base/file.h"
#include "base/utf8.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    FIELD_LIMIT = 128 * 1024, /* a longer quoted field has lost its closing quote */
    FILE_LIMIT = 1 << 30,
    JUDGED_BY = 100, /* rows that the separator is found by */
};

struct piaa_csv {
    char *where;
    piaa_text text;
    piaa_encoding encoding;
    size_t size, next;       /* next: where the coming row begins */
    int64_t next_line, line; /* line numbers of the coming and of the current row */
    size_t first;            /* where the first row behind the header begins, and its line */
    int64_t first_line;
    char separator;
    bool title;    /* a line above the header was passed over */
    piaa_text row; /* the current row's fields, one behind the other */
    char **fields;
    size_t count, capacity;
    piaa_text header;
    char **names;
    piaa_cell_form *forms; /* [columns] */
    size_t columns;
};

static size_t newline_length(const piaa_csv *csv, size_t at) {
    const char *text = csv->text.data;
    if (at >= csv->size) return 0;
    if (text[at] == '\n') return 1;
    if (text[at] != '\r') return 0;
    return at + 1 < csv->size && text[at + 1] == '\n' ? 2 : 1;
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

/* Behind the blanks at `at`; a tab that separates fields is none. */
static size_t skip_blanks_in(const piaa_csv *csv, size_t at) {
    while (at < csv->size && is_blank(csv->text.data[at]) && csv->text.data[at] != csv->separator)
        at++;
    return at;
}

/* The end of the line that holds `at`: the offset of its line break, or of the end of the text. */
static size_t line_end(const piaa_csv *csv, size_t at) {
    while (at < csv->size && csv->text.data[at] != '\n' && csv->text.data[at] != '\r') at++;
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
        while (at < csv->size && is_blank(csv->text.data[at])) at++;
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
    const char *text = csv->text.data;
    for (size_t at = open + 1; at < csv->size && at - open <= FIELD_LIMIT;) {
        size_t length = newline_length(csv, at);
        *breaks += length > 0;
        if (text[at] != '"')
            at += length ? length : 1;
        else if (at + 1 < csv->size && text[at + 1] == '"')
            at += 2;
        else
            return at + 1;
    }
    return 0;
}

typedef struct span {
    size_t end, fields;
    int64_t breaks;
    const char *fault; /* NULL: none */
} span;

/* First pass: finds the row's end, its number of fields and of line breaks, changing nothing. */
static span scan_row(const piaa_csv *csv, size_t at) {
    const char *text = csv->text.data;
    const size_t begin = at;
    span row = {.fields = 1};
    for (;; row.fields++) { /* one field per turn */
        size_t open = skip_blanks_in(csv, at);
        if (open < csv->size && text[open] == '"') {
            at = skip_quoted(csv, open, &row.breaks);
            if (!at) {
                row.fault = "a quoted field is never closed: add the missing \"";
                return row;
            }
            at = skip_blanks_in(csv, at);
            if (at < csv->size && text[at] != csv->separator && !newline_length(csv, at)) {
                row.fault = "text after a closing quote: write a quote inside a field as \"\"";
                return row;
            }
        }
        while (at < csv->size && text[at] != csv->separator && !newline_length(csv, at)) at++;
        if (at >= csv->size || text[at] != csv->separator) break;
        at++;
    }
    row.end = at;
    if (memchr(text + begin, '\0', at - begin)) row.fault = "a zero byte, which text cannot hold";
    return row;
}

/* Second pass: copies the row [next, end) and takes it apart.  What is written is never longer than
 * what is read: each field loses its quotes and gains one NUL in place of what ended it. */
static bool split_row(piaa_csv *csv, size_t end, piaa_error *error) {
    const char *text = csv->text.data;
    size_t in = csv->next;
    csv->count = 0;
    if (!piaa_grow(&csv->row.data, &csv->row.capacity, end - in + 1, 1, error)) return false;
    char *out = csv->row.data;
    for (;;) {
        if (!piaa_grow(&csv->fields, &csv->capacity, csv->count + 1, sizeof *csv->fields, error))
            return false;
        csv->fields[csv->count++] = out;
        size_t open = skip_blanks_in(csv, in);
        if (open < end && text[open] == '"') {
            for (in = open + 1; text[in] != '"' || (in + 1 < end && text[in + 1] == '"'); in++) {
                if (text[in] == '"') in++;
                *out++ = text[in];
            }
            in = skip_blanks_in(csv, in + 1);
        }
        while (in < end && text[in] != csv->separator) *out++ = text[in++];
        bool last = in >= end;
        *out++ = '\0';
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
    span row = scan_row(csv, csv->next);
    if (row.fault) {
        piaa_error_set(error, PIAA_FORMAT, "%s, line %lld: %s", csv->where, (long long)csv->line,
                       row.fault);
        go_to_line_after(csv, csv->next);
        return -1;
    }
    bool ok = split_row(csv, row.end, error);
    if (!ok) csv->count = 0;
    csv->next = row.end + newline_length(csv, row.end);
    csv->next_line += row.breaks + 1;
    return ok ? 1 : -1;
}

/* The length of a blank at the start of the text, the unbreakable ones among them; else 0. */
static size_t blank_length(const char *text) {
    if (is_blank(*text) || *text == '\r' || *text == '\n') return 1;
    if (strncmp(text, "\xC2\xA0", 2) == 0) return 2;
    return strncmp(text, "\xE2\x80\xAF", 3) == 0 || strncmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
}

static char *trim(char *text) {
    for (size_t n; (n = blank_length(text)); text += n) {
    }
    char *end = text; /* of what is kept */
    for (char *at = text; *at;) {
        size_t n = blank_length(at);
        at += n ? n : 1;
        if (!n) end = at;
    }
    *end = '\0';
    return text;
}

/* ----------------------------------------------------------------------------------- the header */

/* "sep=;" as the first line, which Excel obeys and does not show. */
static bool take_sep_line(piaa_csv *csv) {
    size_t end = line_end(csv, csv->next);
    char *line = csv->text.data + csv->next;
    size_t n = end - csv->next;
    bool quoted = n && *line == '"';
    if (quoted) line++, n--;
    if (n < 5 || strncasecmp(line, "sep=", 4) != 0 || (unsigned char)line[4] >= 0x80 ||
        line[4] == '"')
        return false;
    for (size_t i = 5 + quoted; i < n; i++)
        if (line[i] != line[4] && line[i] != ',' && line[i] != ' ') return false;
    csv->separator = line[4];
    go_to_line_after(csv, csv->next);
    return true;
}

/* How many of the first rows the separator cuts as it cuts the header, in per cent; *fields of the
   header. */
static size_t judge_separator(piaa_csv *csv, char separator, size_t *fields) {
    csv->separator = separator;
    span row = scan_row(csv, csv->next);
    size_t rows = 0, alike = 0;
    *fields = row.fault ? 0 : row.fields;
    for (size_t at = row.end; !row.fault && rows < JUDGED_BY;) {
        while (at < csv->size && newline_length(csv, at)) at += newline_length(csv, at);
        if (at >= csv->size) break;
        span here = scan_row(csv, at);
        if (here.fault) here.end = line_end(csv, at);
        rows++;
        alike += !here.fault && here.fields == row.fields;
        at = here.end;
    }
    return rows ? alike * 100 / rows : 100;
}

static void find_separator(piaa_csv *csv) {
    static const char candidates[] = ",;\t|";
    char best = ',';
    size_t most = 0, most_fields = 1;
    for (const char *c = candidates; *c; c++) {
        size_t fields, alike = judge_separator(csv, *c, &fields);
        if (fields < 2 || alike < most || (alike == most && fields <= most_fields)) continue;
        best = *c;
        most = alike;
        most_fields = fields;
    }
    csv->separator = best;
}

/* Takes the row in hand over as the header. */
static bool keep_header(piaa_csv *csv, piaa_error *error) {
    csv->columns = csv->count;
    csv->header = csv->row;
    csv->row = (piaa_text){0};
    if (!(csv->names = piaa_alloc(csv->columns, sizeof *csv->names, error)) ||
        !(csv->forms = piaa_alloc(csv->columns, sizeof *csv->forms, error)))
        return false;
    for (size_t i = 0; i < csv->columns; i++) {
        csv->names[i] = trim(csv->fields[i]);
        csv->forms[i].semicolons = csv->separator == ';';
    }
    csv->count = 0;
    csv->first = csv->next;
    csv->first_line = csv->next_line;
    return true;
}

static bool is_separator(char c) {
    return c == ',' || c == ';' || c == '\t' || c == '|';
}

static bool is_filler(char c) {
    return is_blank(c) || is_separator(c) || c == '"';
}

/* Passes over lines of nothing but separators, blanks and empty quotes: cleared rows above the
   table. */
static void skip_blank_rows(piaa_csv *csv) {
    for (;;) {
        skip_blank_lines(csv);
        size_t end = line_end(csv, csv->next), at = csv->next;
        while (at < end && is_filler(csv->text.data[at])) at++;
        if (at < end || csv->next >= csv->size) return;
        go_to_line_after(csv, csv->next);
    }
}

/* Whether a separator stands between two things on the line, outside of quotes. */
static bool is_cut(const piaa_csv *csv, size_t at) {
    size_t end = line_end(csv, at);
    bool quoted = false;
    while (end > at && is_filler(csv->text.data[end - 1])) end--;
    for (; at < end; at++) {
        if (csv->text.data[at] == '"') quoted = !quoted;
        if (!quoted && is_separator(csv->text.data[at])) return true;
    }
    return false;
}

/* Numbers writes a table's name above it: a first line that nothing cuts, where the next one that
   is not blank is cut. */
static void skip_title(piaa_csv *csv) {
    size_t at = csv->next;
    int64_t line = csv->next_line;
    if (at >= csv->size || is_cut(csv, at)) return;
    go_to_line_after(csv, at);
    skip_blank_rows(csv);
    csv->title = csv->next < csv->size && is_cut(csv, csv->next);
    if (csv->title) return;
    csv->next = at;
    csv->next_line = line;
}

static bool read_header(piaa_csv *csv, piaa_error *error) {
    skip_blank_rows(csv);
    bool told = take_sep_line(csv);
    skip_blank_rows(csv);
    skip_title(csv);
    if (csv->next >= csv->size)
        return piaa_error_set(error, PIAA_FORMAT, "%s is empty: a header line is expected",
                              csv->where);
    if (!told) find_separator(csv);
    return read_row(csv, error) == 1 && keep_header(csv, error);
}

/* Commas, per cent signs and stars are judged by whole columns, which is a reading of its own;
   most files need none. */
static bool learn_forms(piaa_csv *csv, piaa_error *error) {
    const char *text = csv->text.data;
    bool marks = memchr(text, '%', csv->size) || memchr(text, '*', csv->size) ||
                 memchr(text, '\xE2', csv->size) || /* ★ and ⭐ begin so */
                 memchr(text, csv->separator == ',' ? '"' : ',', csv->size);
    piaa_error fault = {0};
    int row;
    while (marks && (row = piaa_csv_next(csv, &fault)) != 0) {
        if (row < 0 && fault.code == PIAA_MEMORY)
            return piaa_error_set(error, fault.code, "%s", fault.message);
        for (size_t i = 0; row > 0 && i < csv->columns; i++)
            piaa_cell_look(&csv->forms[i], piaa_csv_word(csv, (int)i));
        piaa_error_clear(&fault);
    }
    piaa_csv_rewind(csv);
    return true;
}

/* ---------------------------------------------------------------------------------- open, close */

static piaa_csv *open_text(const char *bytes, size_t size, const char *where, piaa_error *error) {
    piaa_csv *csv = piaa_alloc(1, sizeof *csv, error);
    if (!csv) return NULL;
    csv->next_line = 1;
    csv->separator = ',';
    if ((csv->where = piaa_strdup(where, error)) &&
        piaa_utf8_decode(bytes, size, &csv->text, &csv->encoding, error) &&
        piaa_text_add(&csv->text, "", 0, error)) {
        csv->size = csv->text.length;
        /* zero bytes, which a crash leaves at the end, and MS-DOS's mark of it */
        while (csv->size && strchr("\x1A", csv->text.data[csv->size - 1])) csv->size--;
        if (read_header(csv, error) && learn_forms(csv, error)) return csv;
    }
    piaa_csv_close(csv);
    return NULL;
}

piaa_csv *piaa_csv_open(const char *path, piaa_error *error) {
    size_t size;
    char *bytes = piaa_file_read(path, FILE_LIMIT, &size, error);
    piaa_csv *csv =
        bytes ? open_text(bytes, size, strcmp(path, "-") ? path : "standard input", error) : NULL;
    free(bytes);
    return csv;
}

piaa_csv *piaa_csv_parse(const char *text, size_t size, const char *where, piaa_error *error) {
    return open_text(text, size, where, error);
}

void piaa_csv_close(piaa_csv *csv) {
    if (!csv) return;
    free(csv->names);
    free(csv->forms);
    free(csv->fields);
    free(csv->row.data);
    free(csv->header.data);
    free(csv->text.data);
    free(csv->where);
    free(csv);
}

void piaa_csv_rewind(piaa_csv *csv) {
    csv->next = csv->first;
    csv->next_line = csv->first_line;
    csv->count = 0;
}

/* --------------------------------------------------------------------------- columns and fields */

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

static bool is_empty(char *field) {
    return !*trim(field);
}

int piaa_csv_next(piaa_csv *csv, piaa_error *error) {
    for (;;) {
        int row = read_row(csv, error);
        if (row != 1) return row;
        size_t filled = csv->count; /* fields up to the last one that holds something */
        while (filled && !*csv->fields[filled - 1]) filled--;
        while (filled > csv->columns && is_empty(csv->fields[filled - 1])) filled--;
        if (filled > csv->columns) {
            piaa_error_set(error, PIAA_FORMAT, "%s, line %lld: %zu fields where the header has %zu",
                           csv->where, (long long)csv->line, filled, csv->columns);
            csv->count = 0;
            return -1;
        }
        bool empty = true;
        for (size_t i = 0; empty && i < filled; i++)
            empty = csv->fields[i][strspn(csv->fields[i], " \t\r\n")] == '\0';
        if (!empty) return 1;
    }
}

const char *piaa_csv_field(const piaa_csv *csv, int column) {
    return column >= 0 && (size_t)column < csv->count ? csv->fields[column] : "";
}

const char *piaa_csv_word(piaa_csv *csv, int column) {
    return column >= 0 && (size_t)column < csv->count ? trim(csv->fields[column]) : "";
}

piaa_cell piaa_csv_number(piaa_csv *csv, int column, double *value) {
    if (column < 0 || (size_t)column >= csv->columns) return PIAA_CELL_BLANK;
    return piaa_cell_read(&csv->forms[column], piaa_csv_word(csv, column), value);
}

const char *piaa_csv_fault(piaa_csv *csv, int column) {
    return column < 0 || (size_t)column >= csv->columns
               ? ""
               : piaa_cell_fault(&csv->forms[column], piaa_csv_word(csv, column));
}

int64_t piaa_csv_line(const piaa_csv *csv) {
    return csv->line;
}

const char *piaa_csv_where(const piaa_csv *csv) {
    return csv->where;
}

/* ----------------------------------------------------------------------------- what it was like */

static const char *separator_name(char separator) {
    static const struct {
        char separator;
        const char *name;
    } names[] = {{';', "semicolons"}, {'\t', "tabs"}, {'|', "upright lines"}, {':', "colons"}};
    for (size_t i = 0; i < PIAA_COUNT(names); i++)
        if (names[i].separator == separator) return names[i].name;
    return NULL;
}

/* One more thing in a list. */
static bool also(piaa_text *out, const char *what, const char *more, piaa_error *error) {
    return piaa_text_format(out, error, "%s%s%s", out->length ? ", " : "", what, more);
}

bool piaa_csv_describe(const piaa_csv *csv, piaa_text *out, piaa_error *error) {
    const char *name = separator_name(csv->separator);
    char sign[] = {'"', csv->separator, '"', '\0'};
    bool commas = false, percents = false, stars = false;
    for (size_t i = 0; i < csv->columns; i++) {
        commas = commas || csv->forms[i].commas;
        percents = percents || (csv->forms[i].percents && !csv->forms[i].plain);
        stars = stars || csv->forms[i].stars;
    }
    return (csv->encoding == PIAA_ENCODING_UTF8 ||
            also(out, piaa_encoding_name(csv->encoding), " text", error)) &&
           (csv->separator == ',' || also(out, "fields between ", name ? name : sign, error)) &&
           (!csv->title || also(out, "a table below its title", "", error)) &&
           (!commas || also(out, "commas as decimal signs", "", error)) &&
           (!percents || also(out, "percentages as their numbers", "", error)) &&
           (!stars || also(out, "stars as their number", "", error));
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

/* Any bytes as a CSV file, in any encoding: reading ends, lines only rise, a second reading gives
   as many rows, and every field is UTF-8 that comes back from its quoted form. */
#include "base/csv.h"
#include "base/utf8.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_field(const char *field) {
    double number = 0;
    if (piaa_parse_number(field, &number) && !isfinite(number)) abort();
    if (piaa_utf8_check(field, strlen(field)) != strlen(field)) abort();
    char *quoted = NULL;
    if (!piaa_csv_quote(field, &quoted, NULL)) return;
    if (quoted[0] != '"' && strcmp(quoted, field) != 0) abort();
    free(quoted);
}

static size_t read_all(piaa_csv *csv) {
    piaa_error error = {0};
    int64_t line = 0;
    size_t rows = 0;
    piaa_csv_rewind(csv);
    for (int row; (row = piaa_csv_next(csv, &error)) != 0; rows++) {
        if (piaa_csv_line(csv) <= line) abort();
        line = piaa_csv_line(csv);
        for (int i = -1; i <= piaa_csv_columns(csv); i++) {
            double number;
            check_field(piaa_csv_field(csv, i));
            check_field(piaa_csv_word(csv, i));
            piaa_cell is = piaa_csv_number(csv, i, &number);
            if (is == PIAA_CELL_NUMBER && !isfinite(number)) abort();
            if (is == PIAA_CELL_OTHER && !*piaa_csv_fault(csv, i)) abort();
        }
    }
    return rows;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    piaa_error error = {0};
    piaa_csv *csv = piaa_csv_parse((const char *)data, size, "fuzz", &error);
    if (!csv) {
        if (error.code == PIAA_OK || !error.message[0]) abort();
        return 0;
    }
    piaa_text said = {0};
    if (!piaa_csv_describe(csv, &said, &error)) abort();
    free(said.data);
    if (read_all(csv) != read_all(csv)) abort();
    if (piaa_csv_next(csv, &error) != 0) abort();
    piaa_csv_close(csv);
    return 0;
}

/* Any bytes as a CSV file: reading ends, lines only rise, and every field is a string that comes
   back from its quoted form. */
#include "base/csv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_field(const char *field) {
    double number = 0;
    if (piaa_parse_number(field, &number) && !isfinite(number)) abort();
    char *quoted = NULL;
    if (!piaa_csv_quote(field, &quoted, NULL)) return;
    if (quoted[0] != '"' && strcmp(quoted, field) != 0) abort();
    free(quoted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    piaa_error error = {0};
    piaa_csv *csv = piaa_csv_parse((const char *)data, size, "fuzz", &error);
    if (!csv) {
        if (error.code == PIAA_OK || !error.message[0]) abort();
        return 0;
    }
    int64_t line = 0;
    for (int row; (row = piaa_csv_next(csv, &error)) != 0;) {
        if (piaa_csv_line(csv) <= line) abort();
        line = piaa_csv_line(csv);
        for (int i = -1; i <= piaa_csv_columns(csv); i++) check_field(piaa_csv_field(csv, i));
    }
    if (piaa_csv_next(csv, &error) != 0) abort();
    piaa_csv_close(csv);
    return 0;
}

/* The last step of every report: text to a stream, and the few things that every format needs. */
#include "report/report.h"

#include "base/csv.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool piaa_report_write(FILE *out, const char *text, size_t size, piaa_error *error) {
    errno = 0;
    if ((!size || fwrite(text, 1, size, out) == size) && fflush(out) == 0) return true;
    if (errno == EPIPE) return true;
    return piaa_error_set_errno(error, errno ? errno : EIO, "cannot write the result");
}

bool piaa_report_write_json(FILE *out, cJSON *value, piaa_error *error) {
    char *text = piaa_json_print(value, true, error);
    bool ok = text && piaa_report_write(out, text, strlen(text), error);
    free(text);
    return ok;
}

/* The decimal point of the program's locale, which may be several bytes, becomes a point. */
static void use_point(char *number) {
    char *at = number + strspn(number, "+-0123456789");
    size_t length = strcspn(at, "0123456789enia");
    if (!length) return;
    *at = '.';
    memmove(at + 1, at + length, strlen(at + length) + 1);
}

void piaa_report_digits(double value, char out[32]) {
    out[0] = '\0';
    for (int digits = 15; isfinite(value) && digits <= 17; digits++) {
        snprintf(out, 32, "%.*g", digits, value);
        if (strtod(out, NULL) == value) break;
    }
    use_point(out);
}

/* As raw text: cJSON by itself is content with 15 digits. */
cJSON *piaa_report_number(double value) {
    char digits[32];
    piaa_report_digits(value, digits);
    return isfinite(value) ? cJSON_CreateRaw(digits) : cJSON_CreateNull();
}

void piaa_report_put_number(piaa_json_build *build, cJSON *parent, const char *key, double value) {
    piaa_json_put(build, parent, key, piaa_report_number(value));
}

cJSON *piaa_report_integer(int64_t value) {
    char digits[32];
    snprintf(digits, sizeof digits, "%lld", (long long)value);
    return cJSON_CreateRaw(digits);
}

void piaa_report_add_integer(cJSON *object, const char *name, int64_t value) {
    cJSON_AddItemToObject(object, name, piaa_report_integer(value));
}

void piaa_report_put_integer(piaa_json_build *build, cJSON *parent, const char *key,
                             int64_t value) {
    piaa_json_put(build, parent, key, piaa_report_integer(value));
}

bool piaa_report_add_field(piaa_text *out, const char *text, piaa_error *error) {
    char *field = NULL;
    if (!out->failed && !piaa_csv_quote(text, &field, error)) out->failed = true;
    if (!out->failed) piaa_text_add(out, field, strlen(field), error);
    free(field);
    return !out->failed;
}

const char *piaa_path_shorten(const char *path, const char *folder) {
    size_t n = folder ? strlen(folder) : 0;
    while (n && folder[n - 1] == '/') n--; /* "/" itself too */
    return folder && strncmp(path, folder, n) == 0 && path[n] == '/' && path[n + 1] ? path + n + 1
                                                                                    : path;
}

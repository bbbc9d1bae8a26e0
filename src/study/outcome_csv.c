/* Predictions in the published CSV form: a prediction with the fewest digits that name its float32,
 * scores with up to 15 digits, so that 1.68 stays 1.68. */
#include "base/csv.h"
#include "study/outcome.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In the "C" locale. */
static void print_score(double value, char out[40]) {
    out[0] = '\0';
    if (!isnan(value)) snprintf(out, 40, "%.15g", value);
}

/* Nothing where it is not a float32's number. */
static void print_prediction(float value, char out[40]) {
    out[0] = '\0';
    for (int digits = 1; isfinite(value) && digits <= 9; digits++) {
        snprintf(out, 40, "%.*g", digits, (double)value);
        if (strtof(out, NULL) == value) return;
    }
}

bool piaa_outcome_csv_header(piaa_text *text, piaa_error *error) {
    return piaa_text_format(
        text, error, "user_id,image_path,model_id,support_set,method,giaa,piaa_pred,user_score\n");
}

static bool add_row(const piaa_outcome *outcome, const char *user, const char *path,
                    const char *method, const char *model, const piaa_outcome_row *row,
                    piaa_text *text, piaa_error *error) {
    char general[40], predicted[40], score[40], repeat[40] = "";
    if (row->repeat) snprintf(repeat, sizeof repeat, "_repeat-%zu", row->repeat + 1);
    print_score(row->general, general);
    print_prediction((float)row->predicted, predicted);
    print_score(row->score, score);
    return piaa_text_format(text, error, "%s,%s,%s,%s,%s%s,%s,%s,%s\n", user, path, model,
                            outcome->support, method, repeat, general, predicted, score);
}

static bool add_user(const piaa_outcome *outcome, const piaa_outcome_user *user,
                     const piaa_dataset *set, const char *prefix, const char *method,
                     const char *model, piaa_text *text, piaa_error *error) {
    char *id = NULL;
    bool ok = piaa_csv_quote(set->users[user->user].id, &id, error);
    for (size_t i = 0; ok && i < user->count; i++) {
        const piaa_outcome_row *row = &outcome->rows[user->first + i];
        char *quoted = NULL,
             *path = piaa_format(error, "%s%s", prefix ? prefix : "", set->images[row->image].name);
        ok = path && piaa_csv_quote(path, &quoted, error) &&
             add_row(outcome, id, quoted, method, model, row, text, error);
        free(path);
        free(quoted);
    }
    free(id);
    return ok;
}

bool piaa_outcome_csv(const piaa_outcome *outcome, const piaa_dataset *set, const char *prefix,
                      piaa_text *text, piaa_error *error) {
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (plain == (locale_t)0)
        return piaa_error_set(error, PIAA_MEMORY, "out of memory writing predictions");
    locale_t before = uselocale(plain);
    char *method = NULL, *model = NULL;
    bool ok = piaa_csv_quote(outcome->method, &method, error) &&
              piaa_csv_quote(outcome->model, &model, error);
    for (size_t u = 0; ok && u < outcome->user_count; u++)
        ok = add_user(outcome, &outcome->users[u], set, prefix, method, model, text, error);
    free(method);
    free(model);
    uselocale(before);
    freelocale(plain);
    return ok;
}

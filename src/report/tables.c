/* The tables of a run. */
#include "report/page.h"

#include "base/visible.h"
#include "report/report.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CELL = PIAA_TABLE_CELL };

void piaa_tables_free(piaa_tables *tables) {
    for (size_t i = 0; i < tables->count; i++) {
        piaa_table *table = &tables->items[i];
        for (size_t c = 0; table->cells && c < (table->rows + 1) * table->columns; c++)
            free(table->cells[c]);
        free(table->cells);
        free(table->title);
        free(table->note);
    }
    free(tables->items);
    *tables = (piaa_tables){0};
}

piaa_table *piaa_table_add(piaa_tables *tables, size_t rows, const char *const *header,
                           size_t columns, const char *title, const char *note, piaa_error *error) {
    if (!piaa_grow(&tables->items, &tables->capacity, tables->count + 1, sizeof *tables->items,
                   error))
        return NULL;
    piaa_table *table = &tables->items[tables->count++];
    *table = (piaa_table){.rows = rows, .columns = columns};
    if (!(table->cells = piaa_alloc((rows + 1) * columns, sizeof *table->cells, error)) ||
        !(table->title = piaa_strdup(title, error)) || !(table->note = piaa_strdup(note, error)))
        return NULL;
    for (size_t c = 0; c < columns; c++)
        if (!(table->cells[c] = piaa_strdup(header[c], error))) return NULL;
    return table;
}

bool piaa_table_set(piaa_table *table, size_t row, size_t column, const char *text,
                    piaa_error *error) {
    return (table->cells[(row + 1) * table->columns + column] = piaa_strdup(text, error)) != NULL;
}

static void print_number(double value, char out[CELL]) {
    const char *format = fabs(value) < 1e6 ? "%.3f" : "%.3e";
    if (!isfinite(value))
        snprintf(out, CELL, "undefined");
    else
        snprintf(out, CELL, format, fabs(value) < 0.0005 ? 0 : value); /* not "-0.000" */
}

void piaa_table_mean(const piaa_run_mean *mean, char out[CELL]) {
    char number[CELL], low[CELL], high[CELL];
    print_number(mean->mean, number);
    print_number(mean->low, low);
    print_number(mean->high, high);
    if (!isfinite(mean->mean))
        snprintf(out, CELL, "undefined");
    else if (!isfinite(mean->low) || !isfinite(mean->high))
        snprintf(out, CELL, "%.20s [undefined]", number);
    else
        snprintf(out, CELL, "%.20s [%.20s, %.20s]", number, low, high);
}

void piaa_table_p(double p, char out[CELL]) {
    if (p < 0.001)
        snprintf(out, CELL, "< 0.001");
    else
        print_number(p, out);
}

bool piaa_page_title(const piaa_run *run, char out[160], piaa_error *error) {
    char kind[24] = "";
    const char *dataset = piaa_run_text(run, "config.dataset", "");
    bool upper = strcmp(dataset, "csv") != 0;
    for (size_t i = 0; dataset[i] && i + 1 < sizeof kind; i++)
        kind[i] = (char)(upper ? toupper((unsigned char)dataset[i]) : dataset[i]);
    if (!upper) snprintf(kind, sizeof kind, "ratings of its own");
    const char *mode = piaa_run_text(run, "config.prompt_mode", "base");
    bool plain = run->eval || strcmp(mode, "base") == 0;
    int n = snprintf(out, 160, "%s: %s%s%.60s", run->eval ? "Personal protocol" : "Probing", kind,
                     plain ? "" : ", prompt: ", plain ? "" : mode);
    return n > 0 || piaa_error_set(error, PIAA_FORMAT, "a run without a title");
}

/* ---------------------------------------------------------------------------------------- probe */

/* Of one pool, or of all (PIAA_POOLS), the source with the best validation figure; -1 if there is
   none. */
static int best_of(const piaa_run *run, size_t target, int pool) {
    if (pool == PIAA_POOLS) return run->best[target];
    const double *validation = run->figures[PIAA_VALIDATION][0];
    int best = -1;
    for (size_t s = 0; s < run->source_count; s++) {
        double value = validation[s * run->target_count + target];
        if ((int)run->sources[s].pool != pool || run->sources[s].layer < 0 || !isfinite(value))
            continue;
        if (best < 0 || value > validation[(size_t)best * run->target_count + target])
            best = (int)s;
    }
    return best;
}

static bool has_pool(const piaa_run *run, int pool) {
    for (size_t s = 0; s < run->source_count; s++)
        if ((int)run->sources[s].pool == pool) return true;
    return false;
}

/* Whether targets are known of different numbers of images. */
static bool has_gaps(const piaa_run *run) {
    for (int part = 0; part < PIAA_PARTS; part++)
        for (size_t t = 1; t < run->target_count; t++)
            if (isfinite(run->known[part][t]) && run->known[part][t] != run->known[part][0])
                return true;
    return false;
}

static bool probe_tables(piaa_tables *tables, const piaa_run *run, piaa_error *error) {
    static const int pools[] = {PIAA_V,  PIAA_POOLED, PIAA_PROJECTED,
                                PIAA_LV, PIAA_LT,     PIAA_LT_TAIL};
    static const char *const names[] = {"V", "pooled", "projected", "LV", "LT", "LT tail"};
    const char *header[11] = {"Attribute"};
    int shown[PIAA_COUNT(pools)], columns = 1, count = 0;
    for (size_t p = 0; p < PIAA_COUNT(pools); p++)
        if (has_pool(run, pools[p])) {
            header[columns++] = names[p];
            shown[count++] = pools[p];
        }
    header[columns++] = "Best";
    header[columns++] = "R²";
    header[columns++] = "RMSE";
    const int figures = columns - 2, gaps = has_gaps(run) ? columns++ : 0;
    if (gaps) header[gaps] = "Images";
    bool tested = piaa_run_value(run, "counts.test") > 0;
    int part = tested ? PIAA_TEST : PIAA_TRAIN;
    char note[256];
    snprintf(note, sizeof note,
             "Spearman's correlation on the %s images, at the layer that is best on the %s; R² and "
             "RMSE are of the best layer of all.%s",
             tested ? "test" : "training",
             strstr(piaa_run_text(run, "config.val_split", ""), "leave-one-out")
                 ? "leave-one-out predictions of the training images"
                 : "validation images",
             gaps ? " Images: to learn from, and to judge by." : "");
    piaa_table *table = piaa_table_add(tables, run->target_count, header, (size_t)columns,
                                       "Best layer of each pool", note, error);
    bool ok = table != NULL;
    for (size_t t = 0; ok && t < run->target_count; t++) {
        char cell[CELL], label[64];
        ok = piaa_table_set(
            table, t, 0,
            t || strcmp(run->targets[t], "score") != 0 ? run->targets[t] : "overall score", error);
        for (int c = 0; ok && c <= count; c++) {
            int s = best_of(run, t, c < count ? shown[c] : PIAA_POOLS);
            snprintf(cell, sizeof cell, "undefined");
            if (s >= 0) {
                size_t at = (size_t)s * run->target_count + t;
                piaa_run_source_label(run->sources[s].pool, run->sources[s].layer,
                                      run->sources[s].name, label);
                double rho = run->figures[part][0][at];
                char figure[CELL];
                print_number(rho, figure);
                if (isfinite(rho)) snprintf(cell, sizeof cell, "%.20s (%s)", figure, label);
                if (c == count) {
                    print_number(run->figures[part][1][at], figure);
                    ok = piaa_table_set(table, t, (size_t)figures, figure, error);
                    print_number(run->figures[part][2][at], figure);
                    ok = ok && piaa_table_set(table, t, (size_t)figures + 1, figure, error);
                }
            } else if (c == count) {
                ok = piaa_table_set(table, t, (size_t)figures, cell, error) &&
                     piaa_table_set(table, t, (size_t)figures + 1, cell, error);
            }
            ok = ok && piaa_table_set(table, t, (size_t)c + 1, cell, error);
        }
        if (!ok || !gaps) continue;
        /* 0 for NaN. */
        snprintf(cell, sizeof cell, "%.0f, %.0f", fmax(run->known[PIAA_TRAIN][t], 0),
                 fmax(run->known[part][t], 0));
        ok = piaa_table_set(table, t, (size_t)gaps, cell, error);
    }
    return ok;
}

/* ----------------------------------------------------------------------------------------- eval */

static bool name_outcome(piaa_table *table, size_t row, const piaa_run *run,
                         const piaa_run_outcome *o, piaa_error *error) {
    char source[64];
    piaa_run_source_label(o->pool, o->layer, o->source, source);
    return piaa_table_set(table, row, 0, o->method, error) &&
           piaa_table_set(table, row, 1, *source ? source : "none", error) &&
           piaa_table_set(table, row, 2, piaa_run_ratings(run, o).text, error);
}

/* Of methods that ask the model. */
static bool answers_table(piaa_tables *tables, const piaa_run *run, piaa_error *error) {
    static const char *const header[] = {"Method",  "Features",         "Ratings",
                                         "Answers", "Without a number", "Out of range"};
    size_t count = 0, row = 0;
    for (size_t i = 0; i < run->outcome_count; i++) count += run->outcomes[i].asked > 0;
    if (!count) return true;
    piaa_table *table =
        piaa_table_add(tables, count, header, PIAA_COUNT(header), "Answers",
                       "What the model answered about the images that people learned "
                       "from and were tested on, an image of several people as often. "
                       "An answer without a number is left out of what is learned, and "
                       "has no prediction; one outside of 1 to 5 is taken as it is.",
                       error);
    if (!table) return false;
    for (size_t i = 0; i < run->outcome_count; i++) {
        const piaa_run_outcome *o = &run->outcomes[i];
        const double figures[] = {o->asked, o->unparsable, o->out_of_range};
        if (!(o->asked > 0)) continue;
        if (!name_outcome(table, row, run, o, error)) return false;
        for (size_t c = 0; c < PIAA_COUNT(figures); c++) {
            char cell[CELL];
            snprintf(cell, sizeof cell, "%.0f", figures[c]);
            if (!piaa_table_set(table, row, 3 + c, cell, error)) return false;
        }
        row++;
    }
    return true;
}

/* Of runs that told it. */
static bool cost_table(piaa_tables *tables, const piaa_run *run, piaa_error *error) {
    static const char *const header[] = {"Method",           "Features",        "Ratings",
                                         "Seconds a person", "Seconds a photo", "Bytes a person"};
    bool told = false;
    for (size_t i = 0; i < run->outcome_count; i++) told = told || run->outcomes[i].seconds >= 0;
    if (!told) return true;
    piaa_table *table = piaa_table_add(
        tables, run->outcome_count, header, PIAA_COUNT(header), "Cost",
        "Learning from one person's ratings and predicting their test images, and the same divided "
        "by these; reading features and raw text, which all people share, is not in it. What is "
        "kept for a person is what predictions need beside them.",
        error);
    if (!table) return false;
    for (size_t i = 0; i < run->outcome_count; i++) {
        const piaa_run_outcome *o = &run->outcomes[i];
        char person[CELL] = "", photo[CELL] = "", bytes[CELL] = "";
        if (o->seconds >= 0) snprintf(person, sizeof person, "%.4f", o->seconds);
        if (o->seconds >= 0 && o->rows > 0)
            snprintf(photo, sizeof photo, "%.6f", o->seconds * o->users / o->rows);
        if (o->bytes > 0) snprintf(bytes, sizeof bytes, "%.0f", o->bytes);
        if (!name_outcome(table, i, run, o, error) || !piaa_table_set(table, i, 3, person, error) ||
            !piaa_table_set(table, i, 4, photo, error) ||
            !piaa_table_set(table, i, 5, bytes, error))
            return false;
    }
    return true;
}

static void print_spread(double mean, double spread, char out[CELL]) {
    char a[CELL], b[CELL];
    print_number(mean, a);
    print_number(spread, b);
    snprintf(out, CELL, isfinite(spread) ? "%.20s ± %.20s" : "%.20s", a, b);
}

/* Of methods that begin with something drawn. */
static bool seeds_table(piaa_tables *tables, const piaa_run *run, piaa_error *error) {
    static const char *const header[] = {"Method",   "Features", "Ratings", "Seeds",
                                         "Spearman", "R²",       "RMSE"};
    size_t count = 0, row = 0;
    for (size_t i = 0; i < run->outcome_count; i++) count += run->outcomes[i].repeats > 0;
    if (!count) return true;
    piaa_table *table = piaa_table_add(
        tables, count, header, PIAA_COUNT(header), "Over seeds",
        "Methods that begin with a prior are repeated with priors of other seeds: means over "
        "people "
        "and seeds, and ± the standard deviation over seeds of the mean over people. Elsewhere a "
        "person's figures are means over the seeds.",
        error);
    if (!table) return false;
    for (size_t i = 0; i < run->outcome_count; i++) {
        const piaa_run_outcome *o = &run->outcomes[i];
        if (!(o->repeats > 0)) continue;
        char seeds[CELL], spearman[CELL], r2[CELL], rmse[CELL];
        snprintf(seeds, sizeof seeds, "%.0f", o->repeats);
        print_spread(o->spearman.mean, o->spearman_spread, spearman);
        print_spread(o->r2.mean, o->r2_spread, r2);
        print_spread(o->rmse.mean, o->rmse_spread, rmse);
        if (!name_outcome(table, row, run, o, error) ||
            !piaa_table_set(table, row, 3, seeds, error) ||
            !piaa_table_set(table, row, 4, spearman, error) ||
            !piaa_table_set(table, row, 5, r2, error) ||
            !piaa_table_set(table, row, 6, rmse, error))
            return false;
        row++;
    }
    return true;
}

/* What a prior from other people can bring depends on it; earlier runs did not say it. */
static void say_agreement(const piaa_run *run, char *out, size_t size) {
    const piaa_run_mean others = {piaa_run_value(run, "others.mean"),
                                  piaa_run_value(run, "others.low"),
                                  piaa_run_value(run, "others.high")};
    char mean[CELL];
    *out = '\0';
    if (!piaa_json_find(run->root, "others")) return;
    piaa_table_mean(&others, mean);
    if (isfinite(others.mean))
        snprintf(out, size,
                 " A person's own scores of the test images correlate with the mean of everybody "
                 "else's by %s (Spearman): what people have in common, which a prior from others "
                 "can bring.",
                 mean);
    else
        snprintf(out, size,
                 " How a person's scores correlate with the mean of everybody else's is undefined: "
                 "nobody else rated the test images.");
}

/* People whom a prior from a file has seen, apart from those whom it has not. */
static bool apart_table(piaa_tables *tables, const piaa_run *run, piaa_error *error) {
    static const char *const header[] = {"Method", "Features", "Ratings", "Seen", "Unseen"};
    static const char *const keys[] = {"seen", "unseen"};
    const cJSON *outcomes = piaa_json_find(run->root, "outcomes"),
                *outcome = outcomes ? outcomes->child : NULL;
    char note[300];
    if (!outcome || !piaa_json_find(outcome, "seen")) return true;
    double people[2] = {0};
    for (int k = 0; k < 2; k++) {
        char key[40];
        snprintf(key, sizeof key, "%s.users", keys[k]);
        piaa_json_number(outcome, key, &people[k]);
    }
    snprintf(note, sizeof note,
             "Mean Spearman of the %.0f people whose ratings the prior was learned from (of other "
             "photos), and of the %.0f whom it has never seen.",
             people[0], people[1]);
    piaa_table *table = piaa_table_add(tables, run->outcome_count, header, PIAA_COUNT(header),
                                       "Raters apart", note, error);
    if (!table) return false;
    for (size_t i = 0; outcome && i < run->outcome_count; i++, outcome = outcome->next) {
        if (!name_outcome(table, i, run, &run->outcomes[i], error)) return false;
        for (size_t k = 0; k < 2; k++) {
            const cJSON *part = piaa_json_find(outcome, keys[k]);
            piaa_run_mean mean = {NAN, NAN, NAN};
            char cell[CELL];
            piaa_json_number(part, "mean", &mean.mean);
            piaa_json_number(part, "low", &mean.low);
            piaa_json_number(part, "high", &mean.high);
            piaa_table_mean(&mean, cell);
            if (!piaa_table_set(table, i, 3 + k, cell, error)) return false;
        }
    }
    return true;
}

static bool method_tables(piaa_tables *tables, const piaa_run *run, piaa_error *error) {
    static const char *const header[] = {"Method",    "Features", "Ratings", "Spearman",
                                         "Undefined", "R²",       "RMSE"};
    static const char *const against[] = {"Method",     "Features", "Ratings", "Difference",
                                          "Better for", "p",        "p (Holm)"};
    char note[800], people[80];
    const piaa_run_words users = piaa_run_count(run, "counts.users");
    bool missing = false; /* an interval */
    for (size_t i = 0; i < run->outcome_count; i++)
        missing = missing || !isfinite(run->outcomes[i].spearman.low);
    snprintf(people, sizeof people, "%s %s", users.text,
             strcmp(users.text, "1") == 0 ? "person" : "people");
    snprintf(note, sizeof note,
             "Means over %s with 95 %% intervals (%.40s)%s. An undefined correlation "
             "(constant scores or predictions) counts as 0 in the mean; the column says for how "
             "many people.",
             people, piaa_run_text(run, "config.intervals", "bootstrap"),
             missing ? ", which fewer than three people, or people who do not differ, do not allow"
                     : "");
    const size_t used = strlen(note);
    say_agreement(run, note + used, sizeof note - used);
    piaa_table *table = piaa_table_add(tables, run->outcome_count, header, PIAA_COUNT(header),
                                       "Methods", note, error);
    bool ok = table != NULL;
    size_t compared = 0;
    for (size_t i = 0; ok && i < run->outcome_count; i++) {
        const piaa_run_outcome *o = &run->outcomes[i];
        char spearman[CELL], undefined[CELL], r2[CELL], rmse[CELL];
        piaa_table_mean(&o->spearman, spearman);
        piaa_table_mean(&o->r2, r2);
        piaa_table_mean(&o->rmse, rmse);
        snprintf(undefined, sizeof undefined, "%.0f", o->undefined);
        ok = name_outcome(table, i, run, o, error) &&
             piaa_table_set(table, i, 3, spearman, error) &&
             piaa_table_set(table, i, 4, undefined, error) &&
             piaa_table_set(table, i, 5, r2, error) && piaa_table_set(table, i, 6, rmse, error);
        compared += o->compared;
    }
    if (!ok || !compared) return ok;
    snprintf(note, sizeof note,
             "Difference of the mean Spearman correlation from %.100s; two-sided p-values (%.40s), "
             "the last column corrected for %zu comparison%s (Holm).",
             piaa_run_text(run, "config.baseline", ""),
             piaa_run_text(run, "config.p_values", "paired bootstrap"), compared,
             compared == 1 ? "" : "s");
    table = piaa_table_add(tables, compared, against, PIAA_COUNT(against), "Against the baseline",
                           note, error);
    ok = table != NULL;
    for (size_t i = 0, row = 0; ok && i < run->outcome_count; i++) {
        const piaa_run_outcome *o = &run->outcomes[i];
        if (!o->compared) continue;
        char difference[CELL], better[CELL], p[CELL], holm[CELL];
        piaa_table_mean(&o->difference, difference);
        snprintf(better, sizeof better, "%.0f of %.0f", o->better, o->compared_users);
        piaa_table_p(o->p, p);
        piaa_table_p(o->p_holm, holm);
        ok = name_outcome(table, row, run, o, error) &&
             piaa_table_set(table, row, 3, difference, error) &&
             piaa_table_set(table, row, 4, better, error) &&
             piaa_table_set(table, row, 5, p, error) && piaa_table_set(table, row, 6, holm, error);
        row++;
    }
    return ok;
}

static bool eval_tables(piaa_tables *tables, const piaa_run *run, piaa_error *error) {
    return method_tables(tables, run, error) && seeds_table(tables, run, error) &&
           apart_table(tables, run, error) && answers_table(tables, run, error) &&
           cost_table(tables, run, error);
}

bool piaa_tables_make(piaa_tables *tables, const piaa_run *run, piaa_error *error) {
    return run->eval ? eval_tables(tables, run, error) : probe_tables(tables, run, error);
}

/* ------------------------------------------------------------------------------------- printing */

static int cell_width(const piaa_table *table, size_t row, size_t column) {
    const char *cell = table->cells[row * table->columns + column];
    return cell ? piaa_visible_columns(cell) : 0;
}

static int column_width(const piaa_table *table, size_t column) {
    int most = 0;
    for (size_t row = 0; row <= table->rows; row++) {
        int n = cell_width(table, row, column);
        if (n > most) most = n;
    }
    return most;
}

bool piaa_tables_print(const piaa_tables *tables, piaa_text *out, piaa_error *error) {
    for (size_t i = 0; i < tables->count; i++) {
        const piaa_table *table = &tables->items[i];
        if (i) piaa_text_add(out, "\n", 1, error);
        piaa_visible_add(out, table->title, error);
        piaa_text_add(out, ". ", 2, error);
        piaa_visible_add(out, table->note, error);
        piaa_text_add(out, "\n", 1, error);
        for (size_t row = 0; row <= table->rows; row++) {
            for (size_t c = 0; c < table->columns; c++) {
                const char *cell = table->cells[row * table->columns + c];
                int blanks = column_width(table, c) - cell_width(table, row, c);
                if (c) piaa_text_format(out, error, "  %*s", blanks, "");
                piaa_visible_add(out, cell ? cell : "", error);
                if (!c) piaa_text_format(out, error, "%*s", blanks, "");
            }
            piaa_text_format(out, error, "\n");
        }
    }
    return !out->failed;
}

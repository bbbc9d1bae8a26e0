/* Figures of one method over people, and methods compared.  The CSV form is in outcome_csv.c. */
#include "study/outcome.h"

#include "linear/people.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

piaa_outcome *piaa_outcome_new(const char *method, const char *model, const char *support,
                               size_t users, size_t rows, size_t repeats, piaa_error *error) {
    piaa_outcome *outcome = piaa_alloc(1, sizeof *outcome, error);
    if (!outcome) return NULL;
    if (!(outcome->method = piaa_strdup(method, error)) ||
        !(outcome->model = piaa_strdup(model, error)) ||
        !(outcome->support = piaa_strdup(support, error)) ||
        !(outcome->users = piaa_alloc(users, sizeof *outcome->users, error)) ||
        !(outcome->each = piaa_alloc(repeats, sizeof *outcome->each, error)) ||
        !(outcome->rows = piaa_alloc(users * rows * repeats, sizeof *outcome->rows, error))) {
        piaa_outcome_free(outcome);
        return NULL;
    }
    outcome->user_count = users;
    outcome->repeats = repeats;
    for (size_t u = 0; u < users; u++) {
        outcome->users[u].first = u * rows * repeats;
        outcome->users[u].alpha = NAN;
    }
    return outcome;
}

void piaa_outcome_free(piaa_outcome *outcome) {
    if (!outcome) return;
    free(outcome->method);
    free(outcome->model);
    free(outcome->support);
    free(outcome->users);
    free(outcome->each);
    free(outcome->rows);
    free(outcome);
}

double piaa_outcome_figure(const piaa_outcome_user *user, piaa_figure figure) {
    switch (figure) {
    case PIAA_FIGURE_SPEARMAN:
        return user->figures.spearman;
    case PIAA_FIGURE_R2:
        return user->figures.r2;
    case PIAA_FIGURE_RMSE:
        return user->figures.rmse;
    }
    return NAN;
}

enum { FIGURES = PIAA_FIGURE_RMSE + 1 };

/* An interval of few people does not know that a figure has bounds. */
static void keep_within(piaa_interval *interval, double least, double most) {
    if (isnan(interval->low)) return;
    interval->low = fmax(interval->low, least);
    interval->high = fmin(interval->high, most);
}

static const double least_of[FIGURES] = {-1, -INFINITY, 0}, most_of[FIGURES] = {1, 1, INFINITY};

static bool average(piaa_outcome *outcome, int draws, uint32_t seed, piaa_error *error) {
    piaa_outcome_mean *means[FIGURES] = {&outcome->spearman, &outcome->r2, &outcome->rmse};
    size_t n = outcome->user_count - outcome->without;
    double *lists = piaa_alloc_array(2 * FIGURES * n, sizeof *lists, error),
           *good = lists ? lists + FIGURES * n : NULL;
    piaa_interval all[FIGURES];
    bool ok = lists;
    for (int figure = 0; ok && figure < FIGURES; figure++) {
        size_t defined = 0;
        for (size_t u = 0, i = 0; u < outcome->user_count; u++) {
            if (!outcome->users[u].count) continue;
            double value = piaa_outcome_figure(&outcome->users[u], (piaa_figure)figure);
            lists[(size_t)figure * n + i++] = isnan(value) ? 0 : value;
            if (!isnan(value)) good[defined++] = value;
        }
        means[figure]->undefined = n - defined;
        ok = defined == n ||
             piaa_people_means(good, 1, defined, draws, seed, &means[figure]->defined, error);
    }
    ok = ok && piaa_people_means(lists, FIGURES, n, draws, seed, all, error);
    for (int figure = 0; ok && figure < FIGURES; figure++) {
        if (!means[figure]->undefined) means[figure]->defined = all[figure];
        /* the published mean of correlations has 0 for who has none; other figures have no such
         * rule */
        means[figure]->all = figure == PIAA_FIGURE_SPEARMAN ? all[figure] : means[figure]->defined;
        keep_within(&means[figure]->all, least_of[figure], most_of[figure]);
        keep_within(&means[figure]->defined, least_of[figure], most_of[figure]);
    }
    free(lists);
    return ok;
}

/* A person's figures of one repeat after the other, and their means.  A correlation that is
   undefined in some repeats counts as 0 in them; in all of them it is undefined. */
typedef struct measuring {
    piaa_outcome *outcome;
    double *truth, *predicted; /* [rows of a person] */
    size_t *people, *with_r2;  /* [repeats] who have a row in it, and an R2 */
} measuring;

static bool measure_repeat(measuring *m, const piaa_outcome_row *rows, size_t count,
                           piaa_agreement *out, piaa_error *error) {
    for (size_t i = 0; i < count; i++) {
        m->truth[i] = rows[i].score;
        m->predicted[i] = rows[i].predicted;
    }
    if (!piaa_agreement_measure(m->truth, m->predicted, count, 1, out, error)) return false;
    piaa_outcome_repeat *each = &m->outcome->each[rows->repeat];
    each->spearman += isnan(out->spearman) ? 0 : out->spearman;
    each->r2 += isnan(out->r2) ? 0 : out->r2;
    each->rmse += out->rmse;
    m->people[rows->repeat]++;
    m->with_r2[rows->repeat] += !isnan(out->r2);
    return true;
}

static bool measure_user(measuring *m, piaa_outcome_user *user, piaa_error *error) {
    const piaa_outcome_row *rows = m->outcome->rows + user->first;
    piaa_agreement sum = {0}, one;
    size_t defined = 0, repeats = 0, end;
    for (size_t i = 0; i < user->count; i = end, repeats++) {
        for (end = i; end < user->count && rows[end].repeat == rows[i].repeat;) end++;
        if (!measure_repeat(m, rows + i, end - i, &one, error)) return false;
        defined += !isnan(one.spearman);
        sum.n += one.n;
        sum.spearman += isnan(one.spearman) ? 0 : one.spearman;
        sum.r2 += one.r2;
        sum.rmse += one.rmse;
    }
    if (!repeats) return piaa_agreement_measure(NULL, NULL, 0, 1, &user->figures, error);
    const double share = 1.0 / (double)repeats;
    user->figures = (piaa_agreement){.n = sum.n / repeats,
                                     .spearman = defined ? sum.spearman * share : NAN,
                                     .r2 = sum.r2 * share,
                                     .rmse = sum.rmse * share};
    return true;
}

static bool measure_users(measuring *m, piaa_error *error) {
    piaa_outcome *outcome = m->outcome;
    memset(outcome->each, 0, outcome->repeats * sizeof *outcome->each);
    for (size_t u = 0; u < outcome->user_count; u++)
        if (!measure_user(m, &outcome->users[u], error)) return false;
    for (size_t r = 0; r < outcome->repeats; r++) {
        const double people = (double)m->people[r]; /* of nobody: NaN */
        outcome->each[r].spearman /= people;
        outcome->each[r].r2 /= (double)m->with_r2[r];
        outcome->each[r].rmse /= people;
    }
    return true;
}

static bool measure(piaa_outcome *outcome, size_t most, piaa_error *error) {
    measuring m = {.outcome = outcome,
                   .truth = piaa_alloc_array(2 * most, sizeof(double), error),
                   .people = piaa_alloc(2 * outcome->repeats, sizeof(size_t), error)};
    m.predicted = m.truth ? m.truth + most : NULL;
    m.with_r2 = m.people ? m.people + outcome->repeats : NULL;
    const bool ok = m.truth && m.people && measure_users(&m, error);
    free(m.truth);
    free(m.people);
    return ok;
}

bool piaa_outcome_finish(piaa_outcome *outcome, int draws, uint32_t seed, piaa_error *error) {
    size_t kept = 0, most = 0;
    outcome->without = 0;
    for (size_t u = 0; u < outcome->user_count; u++) {
        piaa_outcome_user *user = &outcome->users[u];
        size_t first = kept;
        for (size_t i = user->first; i < user->first + user->count; i++) {
            if (isnan(outcome->rows[i].predicted))
                outcome->test_left_out += !outcome->rows[i].repeat;
            else
                outcome->rows[kept++] = outcome->rows[i];
        }
        user->first = first;
        user->count = kept - first;
        outcome->without += !user->count;
        if (user->count > most) most = user->count;
    }
    outcome->row_count = kept;
    return measure(outcome, most, error) &&
           average(outcome, draws ? draws : PIAA_BOOTSTRAP_DRAWS, seed, error);
}

static const piaa_outcome_user *find_user(const piaa_outcome *outcome, size_t user, size_t guess) {
    if (guess < outcome->user_count && outcome->users[guess].user == user)
        return &outcome->users[guess];
    for (size_t u = 0; u < outcome->user_count; u++)
        if (outcome->users[u].user == user) return &outcome->users[u];
    return NULL;
}

static bool compare(const piaa_outcome *method, const piaa_outcome *baseline, piaa_figure figure,
                    double *lists, int draws, uint32_t seed, piaa_comparison *out,
                    piaa_error *error) {
    double *a = lists, *b = lists + method->user_count;
    for (size_t u = 0; u < method->user_count; u++) {
        const piaa_outcome_user *own = &method->users[u],
                                *other = find_user(baseline, own->user, u);
        if (!own->count || !other || !other->count) continue;
        double x = piaa_outcome_figure(own, figure), y = piaa_outcome_figure(other, figure);
        a[out->users] = isnan(x) ? 0 : x;
        b[out->users] = isnan(y) ? 0 : y;
        out->better += figure == PIAA_FIGURE_RMSE ? a[out->users] < b[out->users]
                                                  : a[out->users] > b[out->users];
        out->users++;
    }
    if (!piaa_people_compare(a, b, out->users, draws, seed, &out->difference, &out->p, error))
        return false;
    double width = most_of[figure] - least_of[figure];
    keep_within(&out->difference, -width, width);
    return true;
}

bool piaa_outcomes_compare(const piaa_outcome *const *outcomes, size_t count, size_t baseline,
                           piaa_figure figure, int draws, uint32_t seed, piaa_comparison *out,
                           piaa_error *error) {
    if (baseline >= count) return piaa_error_set(error, PIAA_USAGE, "no such baseline");
    size_t most = 0;
    for (size_t i = 0; i < count; i++)
        if (outcomes[i]->user_count > most) most = outcomes[i]->user_count;
    double *lists = piaa_alloc_array(2 * most, sizeof *lists, error),
           *p = piaa_alloc_array(count, sizeof *p, error);
    bool ok = lists && p;
    for (size_t i = 0; ok && i < count; i++) {
        out[i] = (piaa_comparison){0};
        ok = compare(outcomes[i], outcomes[baseline], figure, lists,
                     draws ? draws : PIAA_BOOTSTRAP_DRAWS, seed, &out[i], error);
        if (i == baseline) out[i].p = NAN;
        if (ok) p[i] = out[i].p;
    }
    ok = ok && piaa_bootstrap_holm(p, count, p, error);
    for (size_t i = 0; ok && i < count; i++) out[i].p_holm = p[i];
    free(lists);
    free(p);
    return ok;
}

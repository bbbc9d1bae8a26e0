/* Rows are gathered group by group; a group is what may be compared. */
#include "report/together.h"

#include "linear/people.h"
#include "study/method.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char baseline[] = "linear-hidden";

typedef struct row {
    const piaa_run *run;
    const piaa_run_outcome *outcome;
    size_t group, order; /* of the table of methods; of rows, for equals */
    int method;
    /* Filled in once the group is whole. */
    size_t shared, compared;
    piaa_interval spearman, difference;
    double p, p_holm;
} row;

typedef struct gathering {
    row *rows;
    size_t count, capacity, groups;
    piaa_error *error;
} gathering;

/* -------------------------------------------------------------------------------------- gathering
 */

static bool same_text(const piaa_run *a, const piaa_run *b, const char *key) {
    return strcmp(piaa_run_text(a, key, ""), piaa_run_text(b, key, "")) == 0;
}

static double ratings(const piaa_run *run, const piaa_run_outcome *o) {
    return piaa_run_value(run, strcmp(o->support, "small") == 0 ? "config.small" : "config.large");
}

static bool comparable(const row *a, const row *b) {
    static const char *const texts[] = {"config.dataset",     "config.dataset_dir",
                                        "config.fingerprint", "config.prompt",
                                        "config.users",       "config.images_subset"};
    for (size_t i = 0; i < PIAA_COUNT(texts); i++)
        if (!same_text(a->run, b->run, texts[i])) return false;
    return ratings(a->run, a->outcome) == ratings(b->run, b->outcome) &&
           piaa_run_value(a->run, "config.seed") == piaa_run_value(b->run, "config.seed") &&
           piaa_run_value(a->run, "config.test") == piaa_run_value(b->run, "config.test");
}

static int method_number(const char *name) {
    int m = 0;
    while (piaa_methods[m] && strcmp(piaa_methods[m]->name, name) != 0) m++;
    return m;
}

static bool add_row(gathering *g, const piaa_run *run, const piaa_run_outcome *o) {
    row new = {.run = run,
               .outcome = o,
               .group = g->groups,
               .method = method_number(o->method),
               .order = g->count};
    for (size_t i = 0; i < g->count && new.group == g->groups; i++)
        if (comparable(&g->rows[i], &new)) new.group = g->rows[i].group;
    if (!piaa_grow(&g->rows, &g->capacity, g->count + 1, sizeof *g->rows, g->error)) return false;
    g->groups += new.group == g->groups;
    g->rows[g->count++] = new;
    return true;
}

static bool add_runs(gathering *g, const piaa_page_part *parts, size_t count) {
    for (size_t p = 0; p < count; p++)
        for (size_t i = 0; parts[p].run->eval && i < parts[p].run->outcome_count; i++)
            if (!add_row(g, parts[p].run, &parts[p].run->outcomes[i])) return false;
    return true;
}

/* -------------------------------------------------------------------------------------- choosing
 */

static size_t different_methods(const gathering *g, size_t group, const char *source) {
    size_t count = 0;
    for (size_t i = 0; i < g->count; i++) {
        const row *r = &g->rows[i];
        bool first = r->group == group && strcmp(r->outcome->source, source) == 0;
        for (size_t k = 0; first && k < i; k++)
            first = g->rows[k].group != group || g->rows[k].method != r->method ||
                    strcmp(g->rows[k].outcome->source, source) != 0;
        count += first;
    }
    return count;
}

/* The layer that most methods of the group read; the first of equals. */
static const char *main_source(const gathering *g, size_t group) {
    const char *best = "";
    size_t most = 0;
    for (size_t i = 0; i < g->count; i++) {
        const char *source = g->rows[i].outcome->source;
        if (g->rows[i].group != group || !*source) continue;
        const size_t count = different_methods(g, group, source);
        if (count > most) {
            most = count;
            best = source;
        }
    }
    return best;
}

/* The same method, said in the same way. */
static bool same_method(const row *a, const row *b) {
    return a->group == b->group && strcmp(a->outcome->published, b->outcome->published) == 0 &&
           strcmp(a->outcome->source, b->outcome->source) == 0;
}

static void drop(gathering *g, const bool *dropped) {
    size_t kept = 0;
    for (size_t i = 0; i < g->count; i++)
        if (!dropped[i]) g->rows[kept++] = g->rows[i];
    g->count = kept;
}

static bool choose_rows(gathering *g) {
    bool *dropped = piaa_alloc(g->count, sizeof *dropped, g->error);
    if (!dropped) return false;
    for (size_t i = 0; i < g->count; i++) {
        const row *r = &g->rows[i];
        const char *source = main_source(g, r->group);
        dropped[i] = *r->outcome->source && strcmp(r->outcome->source, source) != 0;
        for (size_t k = 0; k < g->count; k++)
            if (k != i && same_method(r, &g->rows[k]))
                dropped[i] = dropped[i] || g->rows[k].outcome->users > r->outcome->users ||
                             (g->rows[k].outcome->users == r->outcome->users && k < i);
    }
    drop(g, dropped);
    /* Of a single method there is nothing to put side by side. */
    for (size_t i = 0; i < g->count; i++) {
        size_t others = 0;
        for (size_t k = 0; k < g->count; k++) others += g->rows[k].group == g->rows[i].group;
        dropped[i] = others < 2;
    }
    drop(g, dropped);
    free(dropped);
    return true;
}

static int compare_rows(const void *left, const void *right) {
    const row *a = left, *b = right;
    const int sets = strcmp(piaa_run_text(b->run, "config.dataset", ""),
                            piaa_run_text(a->run, "config.dataset", "")); /* PARA, then LAPIS */
    if (sets) return sets;
    const double x = ratings(a->run, a->outcome), y = ratings(b->run, b->outcome);
    if (x != y) return x < y ? -1 : 1;
    if (a->group != b->group) return a->group < b->group ? -1 : 1;
    if (a->method != b->method) return a->method < b->method ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

/* --------------------------------------------------------------------------------------- figures
 */

static double spearman_of(const row *r, const char *id, bool *there) {
    for (size_t i = 0; i < r->outcome->people_count; i++) {
        const piaa_run_person *person = &r->run->people[r->outcome->people[i]];
        if (strcmp(person->id, id) != 0) continue;
        *there = true;
        return isnan(person->spearman) ? 0 : person->spearman;
    }
    *there = false;
    return 0;
}

/* Both methods' figures of the people that all of rows [count] have; a, b [people of `first`]. */
static size_t gather_people(const row *first, const row *second, const row *rows, size_t count,
                            double *a, double *b) {
    size_t n = 0;
    for (size_t i = 0; i < first->outcome->people_count; i++) {
        const char *id = first->run->people[first->outcome->people[i]].id;
        bool all = true;
        for (size_t r = 0; all && r < count; r++) spearman_of(&rows[r], id, &all);
        if (!all) continue;
        a[n] = spearman_of(first, id, &all);
        b[n] = spearman_of(second, id, &all);
        n += all;
    }
    return n;
}

typedef struct measuring {
    double *a, *b;
    uint32_t seed;
    piaa_error *error;
} measuring;

/* An interval of few people does not know that a figure has bounds. */
static void keep_within(piaa_interval *interval, double most) {
    if (isnan(interval->low)) return;
    interval->low = fmax(interval->low, -most);
    interval->high = fmin(interval->high, most);
}

static bool measure_row(measuring *m, row *r, const row *base, const row *rows, size_t count) {
    r->p = NAN;
    r->shared = gather_people(r, r, rows, count, m->a, m->b);
    if (!piaa_people_means(m->a, 1, r->shared, PIAA_BOOTSTRAP_DRAWS, m->seed, &r->spearman,
                           m->error))
        return false;
    keep_within(&r->spearman, 1);
    if (!base || base == r) return true;
    const bool few = r->shared < PIAA_PEOPLE_FEW;
    r->compared = gather_people(r, base, few ? base : rows, few ? 1 : count, m->a, m->b);
    if (!piaa_people_compare(m->a, m->b, r->compared, PIAA_BOOTSTRAP_DRAWS, m->seed, &r->difference,
                             &r->p, m->error))
        return false;
    keep_within(&r->difference, 2);
    return true;
}

static bool measure_group(row *rows, size_t count, piaa_error *error) {
    size_t most = 1;
    const row *base = NULL;
    for (size_t i = 0; i < count; i++) {
        if (rows[i].outcome->people_count > most) most = rows[i].outcome->people_count;
        if (!base && strcmp(rows[i].outcome->method, baseline) == 0) base = &rows[i];
    }
    measuring m = {.a = piaa_alloc(2 * most, sizeof(double), error),
                   .seed = (uint32_t)piaa_run_value(rows->run, "config.seed"),
                   .error = error};
    double *p = piaa_alloc(count, sizeof *p, error);
    m.b = m.a ? m.a + most : NULL;
    bool ok = m.a && p;
    for (size_t i = 0; ok && i < count; i++) {
        ok = measure_row(&m, &rows[i], base, rows, count);
        p[i] = rows[i].p;
    }
    ok = ok && piaa_bootstrap_holm(p, count, p, error);
    for (size_t i = 0; ok && i < count; i++) rows[i].p_holm = p[i];
    free(m.a);
    free(p);
    return ok;
}

static bool measure(gathering *g) {
    for (size_t first = 0, end; first < g->count; first = end) {
        for (end = first; end < g->count && g->rows[end].group == g->rows[first].group;) end++;
        if (!measure_group(g->rows + first, end - first, g->error)) return false;
    }
    return true;
}

/* ----------------------------------------------------------------------------------------- table
 */

static bool fill(piaa_table *table, size_t at, const row *r, piaa_error *error) {
    char data[24] = "";
    const char *set = piaa_run_text(r->run, "config.dataset", "");
    for (size_t i = 0; set[i] && i + 1 < sizeof data; i++)
        data[i] = (char)toupper((unsigned char)set[i]);
    char cells[6][PIAA_TABLE_CELL] = {"", "", "", "", "", ""};
    char people[24], shared[24], support[24];
    snprintf(support, sizeof support, "%.0f", ratings(r->run, r->outcome));
    snprintf(people, sizeof people, "%.0f", r->outcome->users);
    snprintf(shared, sizeof shared, "%zu", r->compared ? r->compared : r->shared);
    piaa_table_mean(&r->outcome->spearman, cells[0]);
    piaa_table_mean(&r->outcome->r2, cells[1]);
    const piaa_run_mean own = {r->spearman.mean, r->spearman.low, r->spearman.high},
                        off = {r->difference.mean, r->difference.low, r->difference.high};
    if (r->shared) piaa_table_mean(&own, cells[2]);
    if (r->compared) {
        piaa_table_mean(&off, cells[3]);
        piaa_table_p(r->p, cells[4]);
        piaa_table_p(r->p_holm, cells[5]);
    }
    const char *const all[] = {data,     support,  r->outcome->method, r->outcome->way,
                               people,   cells[0], cells[1],           shared,
                               cells[2], cells[3], cells[4],           cells[5]};
    for (size_t c = 0; c < PIAA_COUNT(all); c++)
        if (!piaa_table_set(table, at, c, all[c], error)) return false;
    return true;
}

static bool write_table(piaa_tables *tables, const gathering *g, piaa_error *error) {
    static const char *const header[] = {
        "Data",   "Ratings",           "Method",     "As", "People",  "Spearman", "R²",
        "Shared", "Spearman (shared)", "Difference", "p",  "p (Holm)"};
    if (!g->count) return true;
    piaa_table *table = piaa_table_add(
        tables, g->count, header, PIAA_COUNT(header), "All methods",
        "Of each data set and number of ratings every method, at the layer that most of them read, "
        "with 95 % intervals over its own people; then over the people that all methods of the "
        "group share, with the difference of the mean Spearman correlation from linear-hidden and "
        "two-sided p-values, the last corrected for the group's comparisons (Holm). Where all "
        "share "
        "fewer than three people, each is compared over those that it shares with linear-hidden. "
        "As: whose account it follows, the published code's or the paper's; empty, neither. "
        "Methods with priors of several seeds have a person's mean over these.",
        error);
    bool ok = table != NULL;
    for (size_t i = 0; ok && i < g->count; i++) ok = fill(table, i, &g->rows[i], error);
    return ok;
}

bool piaa_together_make(piaa_tables *tables, const piaa_page_part *parts, size_t count,
                        piaa_error *error) {
    size_t evaluations = 0;
    for (size_t p = 0; p < count; p++) evaluations += parts[p].run->eval;
    if (evaluations < 2) return true;
    gathering g = {.error = error};
    bool ok = add_runs(&g, parts, count) && choose_rows(&g);
    if (ok && g.count) qsort(g.rows, g.count, sizeof *g.rows, compare_rows);
    ok = ok && measure(&g) && write_table(tables, &g, error);
    free(g.rows);
    return ok;
}

/* Draws, figures over people and comparisons while memory is short: each allocation fails once, and
   what comes out is then an error or the same as without. */
#include "faults.h"
#include "support.h"

#include "data/protocol.h"
#include "study/outcome.h"

enum { PEOPLE = 4, IMAGES = 5, TESTS = 2 };

static bool same(double a, double b) {
    return a == b || (isnan(a) && isnan(b));
}

static bool same_mean(const piaa_outcome_mean *a, const piaa_outcome_mean *b) {
    return same(a->all.mean, b->all.mean) && same(a->all.low, b->all.low) &&
           same(a->all.high, b->all.high) && same(a->defined.mean, b->defined.mean) &&
           same(a->defined.low, b->defined.low) && a->undefined == b->undefined;
}

/* Runs `work` with the first, the second … allocation failing; it compares what it makes with what
   it made the first time, when none fails. */
static void fail_each(bool (*work)(void *made, bool first, piaa_error *error), void *made) {
    piaa_error error = {0};
    if (!work(made, true, &error)) fail_msg("%s", error.message);
    bool met = true;
    for (long n = 0; met; n++) {
        error = (piaa_error){0};
        faults_arm(FAULT_MEMORY, n, ENOMEM, false);
        bool ok = work(made, false, &error);
        met = faults_disarm();
        if (!ok && error.code != PIAA_MEMORY) fail_msg("allocation %ld: %s", n, error.message);
        assert_true(ok || met);
    }
}

/* ------------------------------------------------------------------------------------- outcomes */

/* Two methods for `people`: the second leaves out somebody, and predicts one constant for
   another. */
static piaa_outcome *make_outcome(size_t people, bool second, piaa_error *error) {
    piaa_outcome *out =
        piaa_outcome_new(second ? "b" : "a", "demo", "large", people, TESTS + 1, 1, error);
    for (size_t u = 0; out && u < people; u++) {
        out->users[u].user = u;
        out->users[u].count = TESTS + 1;
        for (size_t i = 0; i <= TESTS; i++) {
            double predicted = (double)(i * (u + 3) % 4);
            if (second && u == 1) predicted = NAN;
            if (second && u == 2) predicted = 1;
            out->rows[u * (TESTS + 1) + i] =
                (piaa_outcome_row){i, predicted, (double)((i + u) % 3), NAN, 0};
        }
    }
    if (!out || piaa_outcome_finish(out, 20, 1, error)) return out;
    piaa_outcome_free(out);
    return NULL;
}

typedef struct figures {
    size_t people;
    piaa_outcome_mean spearman, rmse;
    piaa_comparison comparison;
} figures;

static bool compare(void *made, bool first, piaa_error *error) {
    figures *f = made, own = *f;
    piaa_comparison out[2];
    piaa_outcome *a = make_outcome(f->people, false, error),
                 *b = a ? make_outcome(f->people, true, error) : NULL;
    const piaa_outcome *both[] = {a, b};
    bool ok = b && piaa_outcomes_compare(both, 2, 0, PIAA_FIGURE_SPEARMAN, 20, 1, out, error);
    if (ok) {
        own.spearman = b->spearman;
        own.rmse = b->rmse;
        own.comparison = out[1];
    }
    piaa_outcome_free(a);
    piaa_outcome_free(b);
    if (ok && first) *f = own;
    if (ok && !first)
        assert_true(same_mean(&own.spearman, &f->spearman) && same_mean(&own.rmse, &f->rmse) &&
                    same(own.comparison.p, f->comparison.p) &&
                    same(own.comparison.p_holm, f->comparison.p_holm) &&
                    same(own.comparison.difference.mean, f->comparison.difference.mean) &&
                    own.comparison.users == f->comparison.users);
    return ok;
}

static void comparisons_are_right_or_failed(void **state) {
    (void)state;
    static const size_t people[] = {4, 30, 120}; /* each has its own test */
    for (size_t i = 0; i < PIAA_COUNT(people); i++)
        fail_each(compare, &(figures){.people = people[i]});
}

/* ---------------------------------------------------------------------------------------- draws */

typedef struct draw {
    piaa_protocol_options options;
    piaa_dataset *set;
    size_t users[PEOPLE], images[PEOPLE], count, tied;
} draw;

static bool deal(void *made, bool first, piaa_error *error) {
    draw *d = made, own = *d;
    piaa_protocol *protocol = piaa_protocol_make(d->set, &d->options, NULL, error);
    if (!protocol) return false;
    own.count = protocol->count;
    own.tied = protocol->tied;
    for (size_t u = 0; u < own.count; u++) {
        own.users[u] = protocol->users[u].user;
        own.images[u] = d->set->ratings[protocol->users[u].test[0]].image;
    }
    piaa_protocol_free(protocol);
    if (first) *d = own;
    assert_true(own.count == d->count && own.tied == d->tied &&
                memcmp(own.users, d->users, sizeof own.users) == 0 &&
                memcmp(own.images, d->images, sizeof own.images) == 0);
    return true;
}

static void draws_are_right_or_failed(void **state) {
    (void)state;
    piaa_error error = {0};
    char *folder = support_folder(), *spec = piaa_format(NULL, "csv:%s/r.csv", folder);
    piaa_text rows = {0};
    piaa_text_format(&rows, NULL, "user,path,score\n");
    for (int u = 0; u < PEOPLE; u++)
        for (int i = 0; i < IMAGES; i++)
            piaa_text_format(&rows, NULL, "u%d,i%d.jpg,%d\n", u, i, 1 + (i * (u + 2) + u) % 5);
    support_write(folder, "r.csv", rows.data, rows.length);
    piaa_dataset *set = piaa_dataset_open(spec, NULL, &error);
    if (!set) fail_msg("%s", error.message);
    static const piaa_subset subsets[] = {PIAA_SUBSET_ALL, PIAA_SUBSET_HARD_USERS,
                                          PIAA_SUBSET_HARD_IMAGES};
    for (size_t i = 0; i < PIAA_COUNT(subsets); i++) {
        draw d = {.options = piaa_protocol_defaults(), .set = set};
        d.options.subset = subsets[i];
        d.options.small = d.options.large = d.options.test = 1;
        d.options.users = 2;
        d.options.least_shared = 2;
        d.options.hard_share = 1;
        fail_each(deal, &d);
        assert_int_equal(d.count, 2);
    }
    piaa_dataset_close(set);
    free(rows.data);
    free(spec);
    support_remove(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparisons_are_right_or_failed),
        cmocka_unit_test(draws_are_right_or_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

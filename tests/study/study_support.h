/* The small data sets' features, embedded once into the build folder, and the published code's
   predictions. */
#ifndef PIAA_TESTS_STUDY_SUPPORT_H
#define PIAA_TESTS_STUDY_SUPPORT_H

#include "support.h"

#include "base/csv.h"
#include "features/embed.h"
#include "study/outcome.h"
#include "study/source.h"

/* A store of data/NAME in the build folder; only the first run of the tests computes anything. */
static inline piaa_store *study_store(const char *name, const char *pools, const char *layers) {
    piaa_error error = {0};
    char *path = piaa_format(&error, "%s/study-%s.piaa", PIAA_BUILD, name);
    char *photos = piaa_format(&error, "%s/data/%s", PIAA_SOURCE, name);
    assert_true(path && photos);
    piaa_model *model = piaa_model_open(PIAA_SOURCE "/models/demo", &error);
    piaa_extractor *extractor =
        piaa_extractor_new(model, &(piaa_request){.pools = pools, .layers = layers}, &error);
    const char *names[] = {photos};
    piaa_store *store = piaa_embed(path, extractor, names, 1, NULL, NULL, &error);
    if (!store) fail_msg("%s", error.message);
    piaa_extractor_free(extractor);
    piaa_model_close(model);
    free(path);
    free(photos);
    return store;
}

static inline piaa_dataset *study_set(const char *name) {
    piaa_error error = {0};
    char *spec = piaa_format(&error, "%s:%s/data/%s", name, PIAA_SOURCE, name);
    assert_non_null(spec);
    piaa_dataset *set = piaa_dataset_open(spec, NULL, &error);
    if (!set) fail_msg("%s", error.message);
    free(spec);
    return set;
}

static inline piaa_source study_source(const piaa_store *store, const piaa_dataset *set,
                                       piaa_pool pool, int layer) {
    piaa_error error = {0};
    piaa_source source;
    piaa_slot slot = {pool, layer, 0};
    if (!piaa_source_open(&source, store, set, NULL, &slot, 1, &error))
        fail_msg("%s", error.message);
    return source;
}

static inline double study_number(piaa_csv *csv, int column) {
    double value = NAN;
    piaa_csv_number(csv, column, &value);
    return value;
}

/* Every row of one of PARA's published files, in its order: predictions to `bound`, other numbers
   equal however they are spelled. */
static inline void study_expect_published(const piaa_dataset *set, const piaa_outcome *outcome,
                                          const char *path, double bound) {
    piaa_error error = {0};
    piaa_text text = {0};
    piaa_outcome_csv_header(&text, &error);
    assert_true(piaa_outcome_csv(outcome, set, "para/", &text, &error));
    piaa_csv *own = piaa_csv_parse(text.data, text.length, "ours", &error),
             *theirs = piaa_csv_open(path, &error);
    if (!own || !theirs) fail_msg("%s", error.message);
    double most = 0;
    size_t rows = 0, beyond = 0;
    for (; piaa_csv_next(theirs, &error) == 1; rows++) {
        assert_int_equal(piaa_csv_next(own, &error), 1);
        for (int c = 0; c < 5; c++)
            assert_string_equal(piaa_csv_field(own, c), piaa_csv_field(theirs, c));
        const double general = study_number(theirs, 5);
        assert_true(isnan(general) ? isnan(study_number(own, 5)) : study_number(own, 5) == general);
        assert_true(study_number(own, 7) == study_number(theirs, 7));
        const double off = fabs(study_number(own, 6) - study_number(theirs, 6));
        most = fmax(most, off);
        beyond += !(off < bound);
    }
    assert_int_equal(piaa_csv_next(own, &error), 0);
    assert_int_equal(rows, outcome->row_count);
    print_message("%s: %zu rows, at most %.1e off\n", piaa_path_name(path), rows, most);
    assert_int_equal(beyond, 0);
    piaa_csv_close(own);
    piaa_csv_close(theirs);
    free(text.data);
}

#endif

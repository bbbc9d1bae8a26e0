/* Priors: what an evaluation may see of a person is kept from it, files read back to the bit and
   damaged ones are refused, scales are mapped, and a prior that does not fit costs nothing. */
#include "support.h"

#include "base/blas.h"
#include "base/json.h"
#include "base/random.h"
#include "linear/metrics.h"
#include "study/learner.h"
#include "study/prior_folds.h"

#include <cjson/cJSON.h>

typedef struct heard {
    int lines;
    char last[400];
} heard;

static void hear(void *user, const char *line) {
    heard *h = user;
    h->lines++;
    snprintf(h->last, sizeof h->last, "%s", line);
}

/* ---------------------------------------------------------------------------- simulated people */

enum { IMAGES = 120, DIM = 40, PEOPLE = 12, EACH = 80, TEST = 20 };

/* People who all like the first columns, each in their own way, and rate most images. */
typedef struct world {
    piaa_dataset set;
    piaa_source source;
    piaa_protocol protocol;
    float x[IMAGES * DIM];
    int64_t rows[IMAGES];
    piaa_data_image images[IMAGES];
    piaa_data_user users[PEOPLE];
    piaa_data_rating ratings[PEOPLE * EACH];
    size_t lists[PEOPLE * EACH];
    piaa_protocol_user drawn[PEOPLE];
    char ids[PEOPLE][8];
} world;

static double normal(piaa_random *random) {
    double sum = -6;
    for (int i = 0; i < 12; i++) sum += piaa_random_unit(random);
    return sum;
}

static world *make_world(void) {
    world *w = calloc(1, sizeof *w);
    piaa_random *random = calloc(1, sizeof *random);
    piaa_random_seed_numpy(random, 3);
    for (int i = 0; i < IMAGES * DIM; i++) w->x[i] = (float)normal(random);
    for (int i = 0; i < IMAGES; i++) {
        w->rows[i] = i;
        w->images[i] = (piaa_data_image){.name = "", .path = "", .id = "", .general = NAN};
    }
    for (size_t p = 0; p < PEOPLE; p++) {
        double own[DIM];
        size_t order[IMAGES];
        for (int j = 0; j < DIM; j++) own[j] = (j < 8 ? 0.25 : 0) + 0.08 * normal(random);
        piaa_random_permutation(random, order, IMAGES);
        for (size_t i = 0; i < EACH; i++) {
            double score = 3 + 0.5 * normal(random);
            for (size_t j = 0; j < DIM; j++) score += own[j] * (double)w->x[order[i] * DIM + j];
            w->ratings[p * EACH + i] =
                (piaa_data_rating){.user = p, .image = order[i], .score = score};
            w->lists[p * EACH + i] = p * EACH + i;
        }
        snprintf(w->ids[p], sizeof w->ids[p], "p%zu", p);
        w->users[p] = (piaa_data_user){w->ids[p], w->lists + p * EACH, EACH};
        w->drawn[p] = (piaa_protocol_user){
            .user = p, .large = w->lists + p * EACH, .test = w->lists + p * EACH + EACH - TEST};
    }
    w->set = (piaa_dataset){.kind = (char *)"csv",
                            .folder = (char *)"/here",
                            .where = (char *)"/here/people.csv",
                            .scale_low = 1,
                            .scale_high = 5,
                            .images = w->images,
                            .image_count = IMAGES,
                            .ratings = w->ratings,
                            .rating_count = PEOPLE * EACH,
                            .users = w->users,
                            .user_count = PEOPLE};
    w->source = (piaa_source){.name = "lt.3",
                              .slots = {{.pool = PIAA_LT, .layer = 3, .dim = DIM}},
                              .parts = 1,
                              .dim = DIM,
                              .x = w->x,
                              .rows = w->rows};
    w->protocol = (piaa_protocol){
        .options = {.large = EACH - TEST, .test = TEST}, .users = w->drawn, .count = PEOPLE};
    free(random);
    return w;
}

static bool same(const piaa_people_prior *a, const piaa_people_prior *b) {
    return a->rank == b->rank && a->noise == b->noise && a->isotropic == b->isotropic &&
           memcmp(a->mean, b->mean, (3 + (size_t)a->rank) * DIM * sizeof(double)) == 0;
}

/* Whatever a person says, and whatever anybody says of the images that the person is tested on,
   their prior is the same; everybody else's is another. */
static void an_evaluation_does_not_see_the_person(void **state) {
    PIAA_UNUSED(state);
    world *w = make_world();
    piaa_prior_folds before, after;
    piaa_error error = {0};
    if (!piaa_prior_folds_learn(&before, &w->set, &w->protocol, &w->source, 1, 0, 2, NULL, &error))
        fail_msg("%s", error.message);
    assert_int_equal(before.folds, PEOPLE);
    const size_t me = 4;
    bool tested[IMAGES] = {false};
    for (size_t k = 0; k < TEST; k++) tested[w->ratings[w->drawn[me].test[k]].image] = true;
    size_t changed = 0;
    for (size_t r = 0; r < PEOPLE * EACH; r++)
        if (w->ratings[r].user == me || tested[w->ratings[r].image]) {
            w->ratings[r].score = (double)(r % 5);
            changed++;
        }
    assert_true(changed > 2 * EACH);
    assert_true(
        piaa_prior_folds_learn(&after, &w->set, &w->protocol, &w->source, 1, 0, 1, NULL, NULL));
    for (size_t p = 0; p < PEOPLE; p++)
        assert_true(same(piaa_prior_folds_of(&before, 0, p), piaa_prior_folds_of(&after, 0, p)) ==
                    (p == me));
    piaa_prior_folds_free(&before);
    piaa_prior_folds_free(&after);
    free(w);
}

/* Another rating of an image by the same person, and images without a vector. */
static void what_is_learned_from(void **state) {
    PIAA_UNUSED(state);
    world *w = make_world();
    bool without[IMAGES] = {[7] = true, [9] = true};
    const piaa_prior_options all = {0}, some = {.without_images = without};
    piaa_people_prior *one = piaa_prior_learn_people(&w->set, &w->source, &some, NULL);
    w->rows[7] = w->rows[9] = -1;
    piaa_people_prior *other = piaa_prior_learn_people(&w->set, &w->source, &all, NULL);
    assert_true(one && other && same(one, other));
    piaa_people_prior_free(other);
    /* The last rating of an image counts. */
    w->ratings[0].image = w->ratings[5].image;
    w->ratings[0].score = 77;
    other = piaa_prior_learn_people(&w->set, &w->source, &all, NULL);
    assert_true(other && other->ratings < one->ratings + 1);
    assert_true(other->noise < 1);
    piaa_people_prior_free(one);
    piaa_people_prior_free(other);
    free(w);
}

/* a = (1, 2, 3, 4) of four images; b = (1, 3, 2) and c = (5, 1, 4) of the first three: the others'
   mean is (3, 2, 3) beside (1, 2, 3), whose ranks are (2.5, 1, 2.5) and (1, 2, 3): Spearman 0. */
static void agreement_by_hand(void **state) {
    PIAA_UNUSED(state);
    piaa_data_image images[4] = {{0}};
    piaa_data_rating ratings[] = {{0, 0, 1, 1, false}, {0, 1, 2, 2, false}, {0, 2, 3, 3, false},
                                  {0, 3, 4, 4, false}, {1, 0, 1, 5, false}, {1, 1, 3, 6, false},
                                  {1, 2, 2, 7, false}, {2, 0, 5, 8, false}, {2, 1, 1, 9, false},
                                  {2, 2, 4, 10, false}};
    const size_t all[] = {0, 1, 2, 3}, b[] = {4, 5, 6};
    const piaa_dataset set = {
        .images = images, .image_count = 4, .ratings = ratings, .rating_count = 10};
    double rho;
    assert_true(piaa_prior_agreement(&set, all, 4, &rho, NULL));
    assert_true(fabs(rho) < 1e-12);
    /* b = (1, 3, 2) beside (3, 1.5, 3.5): ranks (1, 3, 2), (2, 1, 3), Spearman -1/2 */
    assert_true(piaa_prior_agreement(&set, b, 3, &rho, NULL));
    assert_true(fabs(rho + 0.5) < 1e-12);
    assert_true(piaa_prior_agreement(&set, all + 3, 1, &rho, NULL));
    assert_true(isnan(rho));
    assert_true(piaa_prior_agreement(&set, NULL, 0, &rho, NULL));
    assert_true(isnan(rho));
}

/* ------------------------------------------------------------------------------------ the file */

static const piaa_identity identity = {.fingerprint = "abc",
                                       .model = "/m/Qwen3-VL-2B",
                                       .family = "Qwen3-VL",
                                       .prompt = "Assess \"it\".\n构图",
                                       .preprocessing = "as it is",
                                       .dtype = "f32",
                                       .library = "0.2.0"};
static const piaa_slot slots[] = {{.pool = PIAA_LT, .layer = 3, .dim = 2},
                                  {.pool = PIAA_V, .layer = 5, .dim = 1}};

static piaa_prior *small_prior(void) {
    piaa_prior *prior = piaa_prior_new(&identity, slots, 2, "para", NULL);
    piaa_people_prior *people = piaa_people_prior_new(3, 2, NULL);
    assert_true(prior && people);
    const double numbers[] = {0.1, 1e-300, -3, 1, 2, 1.0 / 3, 0.5, -0.25, 0.1, 1, 2, 3, 4, 5, 6};
    memcpy(people->mean, numbers, sizeof numbers);
    people->isotropic = 0.25;
    people->noise = 0.4;
    people->raters = 7;
    people->ratings = 700;
    people->gain = NAN;
    assert_true(piaa_prior_take(prior, people, NULL));
    strcpy(prior->made, "2025-01-31T12:00:00Z");
    prior->low = 1;
    prior->high = 5;
    for (int k = 0; k < PIAA_PRIOR_QUANTILES; k++) prior->quantiles[k] = 1 + 0.4 * k;
    prior->raters = calloc(1, sizeof *prior->raters);
    prior->raters[prior->rater_count++] = piaa_strdup("A1000", NULL);
    prior->photos = calloc(2, sizeof *prior->photos);
    prior->photos[prior->photo_count++] = 0x12;
    prior->photos[prior->photo_count++] = 0xfedcba9876543210;
    return prior;
}

static void a_file_reads_back(void **state) {
    PIAA_UNUSED(state);
    piaa_prior *prior = small_prior();
    char *folder = support_folder(), *path = support_join(folder, "prior.json");
    piaa_error error = {0};
    assert_true(piaa_prior_save(prior, path, &error));
    piaa_prior *again = piaa_prior_load(path, &error);
    if (!again) fail_msg("%s", error.message);
    assert_memory_equal(again->people->mean, prior->people->mean, 15 * sizeof(double));
    assert_memory_equal(again->quantiles, prior->quantiles, sizeof prior->quantiles);
    assert_string_equal(again->identity.prompt, identity.prompt);
    assert_int_equal(again->count, 2);
    assert_true(again->people->noise == 0.4 && isnan(again->people->gain));
    assert_true(piaa_prior_has_rater(again, "para", "A1000"));
    assert_false(piaa_prior_has_rater(again, "lapis", "A1000"));
    assert_false(piaa_prior_has_rater(again, "para", "A100"));
    assert_true(piaa_prior_has_photo(again, 0x12));
    assert_true(piaa_prior_has_photo(again, 0xfedcba9876543210));
    assert_false(piaa_prior_has_photo(again, 0x13));
    /* As bands take it: directions by the root of `isotropic`, which is 1/2. */
    assert_true(again->bands.alpha == 0.4 / 0.25 && again->bands.rank == 2);
    for (int j = 0; j < 6; j++) assert_true(again->bands.directions[j] == 2 * (j + 1));
    piaa_prior_free(again);
    /* Nothing but a prior is replaced. */
    support_write(folder, "notes.json", "{}", 2);
    char *notes = support_join(folder, "notes.json");
    assert_false(piaa_prior_save(prior, notes, NULL));
    free(notes);
    piaa_prior_free(prior);
    free(path);
    support_remove(folder);
}

/* Each key taken away, or given another value. */
static void damaged_files_are_refused(void **state) {
    PIAA_UNUSED(state);
    static const struct {
        const char *key, *value; /* NULL: none */
    } cases[] = {
        {"format", NULL},
        {"format", "\"piaa-taste\""},
        {"version", "2"},
        {"made", NULL},
        {"features", NULL},
        {"data", "7"},
        {"scores", NULL},
        {"scores", "{\"low\":1,\"high\":5,\"quantiles\":[1,2,3]}"},
        {"scores", "{\"low\":1,\"high\":5,\"quantiles\":[1,2,3,4,5,4,5,5,5,5,5]}"},
        {"scores", "{\"low\":2,\"high\":5,\"quantiles\":[1,2,3,4,5,5,5,5,5,5,5]}"},
        {"learned", NULL},
        {"learned", "{\"raters\":1,\"ratings\":9,\"iterations\":0,\"gain\":null}"},
        {"raters", NULL},
        {"raters", "[1]"},
        {"photos", "{}"},
        {"photos", "[\"12\"]"},
        {"photos", "[\"fedcba9876543210\",\"0000000000000012\"]"},
        {"photos", "[\"fedcba987654321g\"]"},
        {"isotropic", "0"},
        {"noise", "-1"},
        {"noise", NULL},
        {"mean", "[1,2]"},
        {"mean", "[1,2,1e999]"},
        {"scale", "[1,2,0]"},
        {"weights", "[1,2,3,4]"},
        {"directions", NULL},
        {"directions", "[[1,2,3],[1,2]]"},
        {"directions", "[[1,2,3],7]"},
        {"directions", "[[1,2,3,4]]"},
    };
    piaa_prior *prior = small_prior();
    char *text = piaa_prior_to_json(prior, NULL);
    for (size_t i = 0; i < PIAA_COUNT(cases); i++) {
        cJSON *root = piaa_json_parse(text, strlen(text), "text", NULL);
        cJSON_DeleteItemFromObject(root, cases[i].key);
        if (cases[i].value) cJSON_AddRawToObject(root, cases[i].key, cases[i].value);
        char *damaged = cJSON_PrintUnformatted(root);
        piaa_error error = {0};
        piaa_prior *read = piaa_prior_parse(damaged, strlen(damaged), "p.json", &error);
        if (read) fail_msg("%s was taken as %s", cases[i].key, cases[i].value);
        assert_non_null(strstr(error.message, "p.json"));
        free(damaged);
        cJSON_Delete(root);
    }
    for (size_t cut = 0; cut < strlen(text); cut += 37)
        assert_null(piaa_prior_parse(text, cut, "p.json", NULL));
    free(text);
    piaa_prior_free(prior);
}

static void a_mismatch_is_named(void **state) {
    PIAA_UNUSED(state);
    piaa_prior *prior = small_prior();
    assert_true(piaa_prior_fits(prior, &identity, slots, 2, NULL));
    piaa_identity other = identity;
    piaa_slot layer[] = {slots[0], {.pool = PIAA_V, .layer = 4, .dim = 1}};
    piaa_error error = {0};
    assert_false(piaa_prior_fits(prior, &identity, layer, 2, &error));
    assert_int_equal(error.code, PIAA_MISMATCH);
    assert_non_null(strstr(error.message, "lt.3+v.5, not from lt.3+v.4"));
    error = (piaa_error){0};
    assert_false(piaa_prior_fits(prior, &identity, slots, 1, &error));
    assert_non_null(strstr(error.message, "not from lt.3"));
    other.fingerprint = "def";
    error = (piaa_error){0};
    assert_false(piaa_prior_fits(prior, &other, slots, 2, &error));
    assert_non_null(strstr(error.message, "other weights of the model"));
    other.model = "/m/Qwen3-VL-4B";
    error = (piaa_error){0};
    assert_false(piaa_prior_fits(prior, &other, slots, 2, &error));
    assert_non_null(strstr(error.message, "Qwen3-VL-2B\", not \"/m/Qwen3-VL-4B"));
    other = identity;
    other.prompt = "What now?";
    error = (piaa_error){0};
    assert_false(piaa_prior_fits(prior, &other, slots, 2, &error));
    assert_non_null(strstr(error.message, "What now?"));
    piaa_prior_free(prior);
}

/* The prior's tenths lie at 1.4 and 4.6, 3.2 apart; those of 0, 10, … 100 at 10 and 90: 25 to 1. */
static void another_scale_is_mapped(void **state) {
    PIAA_UNUSED(state);
    piaa_prior *prior = small_prior();
    heard h = {0};
    const piaa_hooks hooks = {.warn = hear, .user = &h};
    double stars[] = {1, 2, 5}, percent[11], zeros[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9};
    for (int k = 0; k < 11; k++) percent[k] = 10 * k;
    piaa_prior_tell(prior, stars, 3, &hooks);
    assert_int_equal(h.lines, 0);
    assert_true(prior->bands.mean[0] == 0.5);
    piaa_prior_tell(prior, percent, 11, &hooks);
    assert_int_equal(h.lines, 1);
    assert_non_null(strstr(h.last, "not on the prior's scale, 1 to 5"));
    assert_non_null(strstr(h.last, "1 there is 25 here"));
    assert_true(fabs(prior->bands.mean[0] - 12.5) < 1e-12);
    assert_true(prior->bands.directions[0] == 2 && prior->bands.alpha == 1.6);
    /* Where both tenths are alike, the ends count. */
    piaa_prior_tell(prior, zeros, 12, &hooks);
    assert_true(fabs(prior->bands.mean[0] - 0.5 * 9 / 3.2) < 1e-12);
    piaa_prior_tell(prior, stars, 3, &hooks);
    assert_true(prior->bands.mean[0] == 0.5);
    piaa_prior_free(prior);
}

/* ----------------------------------------------------------------------- raters of all kinds */

/* Mean Spearman of the test images by `n` ratings of each person, whose scores are turned round
   where `sign` is -1, with their fold's prior or without. */
static double taste_of(world *w, const piaa_prior_folds *folds, int64_t n, int sign, bool with) {
    double sum = 0, *told = malloc((1 + PIAA_PEOPLE_PRIOR_DIRECTIONS) * DIM * sizeof *told);
    for (size_t p = 0; p < PEOPLE; p++) {
        double y[EACH], truth[TEST], said[TEST], rho;
        int64_t rows[EACH];
        for (int64_t i = 0; i < n; i++) {
            rows[i] = (int64_t)w->ratings[p * EACH + (size_t)i].image;
            y[i] = sign * w->ratings[p * EACH + (size_t)i].score;
        }
        const piaa_band band = {.x = w->x, .rows = rows, .dim = DIM};
        const piaa_bands_prior prior =
            piaa_prior_bands_of(piaa_prior_folds_of(folds, 0, p), 1, told);
        piaa_bands_model *model = piaa_learner_learn(&piaa_learner_ridge, &band, 1, n,
                                                     with ? &prior : NULL, y, NULL, NULL);
        assert_non_null(model);
        for (size_t k = 0; k < TEST; k++) {
            const piaa_data_rating *rating = &w->ratings[w->drawn[p].test[k]];
            truth[k] = sign * rating->score;
            said[k] = piaa_ridge_dot(model->weights, model->mean, w->x + rating->image * DIM, DIM);
        }
        assert_true(piaa_metrics_spearman(truth, said, TEST, &rho, NULL));
        sum += isnan(rho) ? 0 : rho;
        piaa_bands_model_free(model);
    }
    free(told);
    return sum / PEOPLE;
}

/* People like the others gain by the prior, the more the fewer ratings they gave; people of the
   opposite taste lose no more than chance does (12 of them: a standard error is 0.06). */
static void a_prior_helps_or_does_not_hurt(void **state) {
    PIAA_UNUSED(state);
    world *w = make_world();
    piaa_prior_folds folds;
    assert_true(
        piaa_prior_folds_learn(&folds, &w->set, &w->protocol, &w->source, 1, 0, 2, NULL, NULL));
    assert_true(taste_of(w, &folds, 5, 1, true) > 0.25 + taste_of(w, &folds, 5, 1, false));
    assert_true(taste_of(w, &folds, 10, 1, true) > 0.2 + taste_of(w, &folds, 10, 1, false));
    for (int64_t n = 5; n <= 60; n += n < 20 ? 5 : 20) {
        assert_true(taste_of(w, &folds, n, 1, true) > taste_of(w, &folds, n, 1, false));
        assert_true(taste_of(w, &folds, n, -1, true) > taste_of(w, &folds, n, -1, false) - 0.05);
    }
    piaa_prior_folds_free(&folds);
    free(w);
}

int main(void) {
    piaa_blas_hold();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_evaluation_does_not_see_the_person),
        cmocka_unit_test(what_is_learned_from),
        cmocka_unit_test(agreement_by_hand),
        cmocka_unit_test(a_file_reads_back),
        cmocka_unit_test(damaged_files_are_refused),
        cmocka_unit_test(a_mismatch_is_named),
        cmocka_unit_test(another_scale_is_mapped),
        cmocka_unit_test(a_prior_helps_or_does_not_hurt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

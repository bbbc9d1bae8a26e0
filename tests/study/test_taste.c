/* A taste: learned as scikit-learn learns it, the same after a trip through its file, and careful
   with what it is given. */
#include "support.h"

#include "base/json.h"
#include "linear/metrics.h"
#include "study/taste.h"

#include <locale.h>

static const piaa_identity identity = {
    .fingerprint = "0123abcd",
    .model = "Qwen3-VL-4B-Instruct",
    .family = "Qwen3-VL",
    .prompt = "Assess the \"aesthetics\" of this image.\nÉvalue — 构图",
    .preprocessing = "at most 1003520 pixels, EXIF applied",
    .dtype = "bf16",
    .library = "0.1.0"};

typedef struct heard {
    int lines;
    char last[400];
} heard;

static void hear(void *user, const char *line) {
    heard *h = user;
    h->lines++;
    snprintf(h->last, sizeof h->last, "%s", line);
}

/* The golden case "ties": 120 photos with half-star ratings, 50 more to score. */
typedef struct example {
    float *x, *x_test;
    double *y, *prediction, *alpha;
    piaa_slot slot;
    int64_t n, tests;
} example;

static int open_example(void **state) {
    example *e = piaa_alloc(1, sizeof *e, NULL);
    piaa_safetensors *file = support_golden(PIAA_GOLDEN "/ridge.safetensors");
    e->x = support_floats(file, "ties|x", NULL);
    e->x_test = support_floats(file, "ties|x_test", NULL);
    e->y = support_doubles(file, "ties|y", NULL);
    e->prediction = support_doubles(file, "ties|prediction", NULL);
    e->alpha = support_doubles(file, "ties|alpha", NULL);
    e->n = support_tensor(file, "ties|x")->shape[0];
    e->tests = support_tensor(file, "ties|x_test")->shape[0];
    e->slot = (piaa_slot){PIAA_LT, 15, (int)support_tensor(file, "ties|x")->shape[1]};
    piaa_safetensors_close(file);
    *state = e;
    return 0;
}

static int close_example(void **state) {
    example *e = *state;
    free(e->x), free(e->x_test), free(e->y), free(e->prediction), free(e->alpha), free(e);
    return 0;
}

static piaa_taste *fit(const example *e) {
    piaa_error error = {0};
    piaa_taste *taste =
        piaa_taste_fit_rows(&identity, &e->slot, e->x, NULL, e->y, e->n, NULL, &error);
    if (!taste) fail_msg("%s", error.message);
    return taste;
}

static void learns_what_scikit_learn_learns(void **state) {
    const example *e = *state;
    piaa_taste *taste = fit(e);
    double *out = piaa_alloc((size_t)e->tests, sizeof *out, NULL);
    piaa_taste_predict(taste, e->x_test, e->tests, out);
    for (int64_t i = 0; i < e->tests; i++)
        assert_true(fabs(out[i] - e->prediction[i]) < 1e-9 * fabs(e->prediction[i]));
    assert_true(taste->alpha == e->alpha[0]);
    assert_true(taste->ratings == e->n && taste->lowest == 1 && taste->highest == 5);
    assert_true(taste->loo_rmse > 0 && taste->loo_spearman > -1 && taste->loo_spearman < 1);
    assert_int_equal(strlen(taste->made), 20);
    assert_string_equal(taste->identity.prompt, identity.prompt);
    piaa_taste_free(taste);

    /* From plain arrays the same, but for what made them; that it does not know. */
    piaa_error error = {0};
    taste = piaa_taste_fit(e->x, e->y, e->n, e->slot.dim, NULL, &error);
    if (!taste) fail_msg("%s", error.message);
    piaa_taste_predict(taste, e->x_test, e->tests, out);
    for (int64_t i = 0; i < e->tests; i++)
        assert_true(fabs(out[i] - e->prediction[i]) < 1e-9 * fabs(e->prediction[i]));
    assert_false(piaa_taste_fits(taste, &identity, &e->slot, &error));
    assert_int_equal(error.code, PIAA_MISMATCH);
    assert_non_null(strstr(error.message, "from plain arrays"));
    piaa_taste_free(taste);
    free(out);
}

/* What is left out is what is predicted: every figure agrees with n tastes that each learned
 * without one photo.  (They choose their own alpha and scaler, so they agree closely rather than
 * exactly; the exact identity is tested with the ridge.) */
static void error_bar_is_honest(void **state) {
    const example *e = *state;
    piaa_taste *taste = fit(e);
    int64_t *rows = piaa_alloc((size_t)e->n, sizeof *rows, NULL);
    double *y = piaa_alloc((size_t)e->n, sizeof *y, NULL),
           *out = piaa_alloc((size_t)e->n, sizeof *out, NULL), rho;
    for (int64_t left = 0; left < e->n; left++) {
        int64_t kept = 0;
        for (int64_t i = 0; i < e->n; i++)
            if (i != left) rows[kept] = i, y[kept++] = e->y[i];
        piaa_taste *without =
            piaa_taste_fit_rows(&identity, &e->slot, e->x, rows, y, kept, NULL, NULL);
        assert_non_null(without);
        piaa_taste_predict(without, e->x + left * e->slot.dim, 1, &out[left]);
        piaa_taste_free(without);
    }
    assert_true(fabs(piaa_metrics_rmse(e->y, out, (size_t)e->n) / taste->loo_rmse - 1) < 0.05);
    assert_true(piaa_metrics_spearman(e->y, out, (size_t)e->n, &rho, NULL) &&
                fabs(rho - taste->loo_spearman) < 0.05);
    piaa_taste_free(taste);
    free(rows), free(y), free(out);
}

static void order_does_not_matter(void **state) {
    const example *e = *state;
    piaa_taste *taste = fit(e);
    int64_t *rows = piaa_alloc((size_t)e->n, sizeof *rows, NULL);
    double *y = piaa_alloc((size_t)e->n, sizeof *y, NULL), a, b;
    for (int64_t i = 0; i < e->n; i++) rows[i] = e->n - 1 - i, y[i] = e->y[rows[i]];
    piaa_taste *reversed =
        piaa_taste_fit_rows(&identity, &e->slot, e->x, rows, y, e->n, NULL, NULL);
    assert_non_null(reversed);
    for (int64_t i = 0; i < e->tests; i++) {
        piaa_taste_predict(taste, e->x_test + i * e->slot.dim, 1, &a);
        piaa_taste_predict(reversed, e->x_test + i * e->slot.dim, 1, &b);
        assert_true(fabs(a - b) < 1e-10);
    }
    assert_true(fabs(taste->loo_rmse - reversed->loo_rmse) < 1e-10 &&
                fabs(taste->loo_spearman - reversed->loo_spearman) < 1e-10);
    piaa_taste_free(taste);
    piaa_taste_free(reversed);
    free(rows), free(y);
}

static void same_after_saving(void **state) {
    const example *e = *state;
    char *folder = support_folder(), *path = support_join(folder, "taste.json");
    piaa_error error = {0};
    piaa_taste *taste = fit(e);
    double *before = piaa_alloc((size_t)e->tests, sizeof *before, NULL),
           *after = piaa_alloc((size_t)e->tests, sizeof *after, NULL);
    const char *comma = setlocale(
        LC_ALL,
        "de_DE.UTF-8"); /* where there is such a locale, its decimal comma must not get in */
    if (!piaa_taste_save(taste, path, &error)) fail_msg("%s", error.message);
    piaa_taste *loaded = piaa_taste_load(path, &error);
    if (comma) setlocale(LC_ALL, "C");
    if (!loaded) fail_msg("%s", error.message);
    piaa_taste_predict(taste, e->x_test, e->tests, before);
    piaa_taste_predict(loaded, e->x_test, e->tests, after);
    assert_memory_equal(before, after, (size_t)e->tests * sizeof *before);
    size_t bytes = (size_t)e->slot.dim * sizeof(double);
    assert_memory_equal(taste->weights, loaded->weights, bytes);
    assert_memory_equal(taste->mean, loaded->mean, bytes);
    assert_memory_equal(taste->scale, loaded->scale, bytes);
    assert_true(taste->alpha == loaded->alpha && taste->intercept == loaded->intercept &&
                taste->loo_rmse == loaded->loo_rmse);
    assert_true(taste->loo_spearman == loaded->loo_spearman && taste->ratings == loaded->ratings);
    assert_true(taste->mean_rmse == loaded->mean_rmse && taste->chance == loaded->chance &&
                taste->interval == loaded->interval && taste->groups == loaded->groups);
    assert_true(taste->lowest == loaded->lowest && taste->highest == loaded->highest);
    assert_string_equal(taste->made, loaded->made);
    assert_string_equal(loaded->identity.prompt, identity.prompt);
    assert_true(piaa_taste_fits(loaded, &identity, &e->slot, &error));

    loaded->loo_spearman = NAN; /* undefined is null in the file */
    assert_true(piaa_taste_save(loaded, path, &error));
    piaa_taste_free(loaded);
    loaded = piaa_taste_load(path, &error);
    assert_true(loaded && isnan(loaded->loo_spearman));
    piaa_taste_free(loaded);
    piaa_taste_free(taste);
    free(before), free(after), free(path);
    support_remove(folder);
}

/* Chance is the share of dealt-out ratings that are predicted as well. */
static void verdicts_name_whatever_is_no_better_than_the_mean(void **state) {
    PIAA_UNUSED(state);
    static const struct {
        double rmse, mean_rmse, spearman, chance;
        piaa_verdict verdict;
        const char *says;
    } cases[] = {
        {1.0, 1.2, 0.5, 0.02, PIAA_LEARNED, ""},
        {1.0, 1.2, 0.5, NAN, PIAA_LEARNED, ""},
        {1.0, 1.2, 0.5, 0.3, PIAA_MAY_BE_CHANCE, "in 30 of 100 tries"},
        {1.4, 1.3, 0.2, 0.02, PIAA_MAY_BE_CHANCE,
         "may be chance: photos left out are missed by 1.40, by always guessing the mean 1.30, "
         "their rank correlation is 0.20"},
        {1.0, 1.2, -0.1, 0.02, PIAA_MAY_BE_CHANCE, "their rank correlation is -0.10"},
        {1.4, 1.3, 0.2, 0.3, PIAA_NOT_LEARNED, "do not show that anything was learned"},
        {1.4, 1.3, 0.2, NAN, PIAA_NOT_LEARNED, "by always guessing the mean 1.30"},
        {1.0, 1.2, -0.1, 0.3, PIAA_NOT_LEARNED, "take the order as noise"},
    };
    for (size_t i = 0; i < PIAA_COUNT(cases); i++) {
        heard h = {0};
        piaa_taste taste = {.ratings = 30,
                            .groups = 30,
                            .loo_rmse = cases[i].rmse,
                            .mean_rmse = cases[i].mean_rmse,
                            .loo_spearman = cases[i].spearman,
                            .chance = cases[i].chance};
        assert_int_equal(piaa_taste_verdict(&taste), cases[i].verdict);
        piaa_taste_doubt(&taste, &(piaa_hooks){.user = &h, .warn = hear});
        assert_int_equal(h.lines, *cases[i].says != '\0');
        if (h.lines && !strstr(h.last, cases[i].says)) fail_msg("case %zu: %s", i, h.last);
    }
}

static void little_to_learn_from_is_said(void **state) {
    const example *e = *state;
    heard h = {0};
    piaa_hooks hooks = {.user = &h, .warn = hear};
    piaa_error error = {0};
    const double y[] = {1, 2, 3, 4, 5, 4, 3, 2, 1, 2};
    piaa_taste *taste = piaa_taste_fit_rows(&identity, &e->slot, e->x, NULL, y, 9, &hooks, &error);
    assert_non_null(taste);
    assert_int_equal(h.lines, 1);
    assert_non_null(strstr(h.last, "only 9 rated photos"));
    piaa_taste_free(taste);
    taste = piaa_taste_fit_rows(&identity, &e->slot, e->x, NULL, y, 10, &hooks, &error);
    assert_int_equal(h.lines, 2); /* these ratings mean nothing */
    assert_true(piaa_taste_verdict(taste) == PIAA_NOT_LEARNED);
    assert_non_null(strstr(h.last, "the 10 ratings do not show that anything was learned"));
    assert_non_null(strstr(h.last, "by always guessing the mean"));
    assert_non_null(strstr(h.last, "40 ratings may help"));
    piaa_taste_free(taste);
    taste = piaa_taste_fit_rows(&identity, &e->slot, e->x, NULL, e->y, e->n, &hooks, &error);
    assert_int_equal(h.lines, 2); /* and these do */
    assert_true(piaa_taste_verdict(taste) == PIAA_LEARNED);
    piaa_taste_free(taste);

    assert_null(piaa_taste_fit_rows(&identity, &e->slot, e->x, NULL, y, 0, &hooks, &error));
    assert_null(piaa_taste_fit_rows(&identity, &e->slot, e->x, NULL, y, 1, &hooks, &error));
    assert_non_null(strstr(error.message, "rate at least 2 photos with different scores"));
    assert_int_equal(error.code, PIAA_USAGE);
    const double equal[] = {4, 4, 4};
    assert_null(piaa_taste_fit_rows(&identity, &e->slot, e->x, NULL, equal, 3, &hooks, &error));
    assert_non_null(strstr(error.message, "all 3 rated photos have the score 4"));

    float same[20];
    for (size_t i = 0; i < 20; i++) same[i] = (float)(i % 2) - 0.3F;
    piaa_slot slot = {PIAA_LT, 0, 2};
    taste = piaa_taste_fit_rows(&identity, &slot, same, NULL, y, 10, &hooks, &error);
    assert_non_null(taste);
    assert_int_equal(h.lines, 3);
    assert_non_null(strstr(h.last, "every photo gets the mean score, 2.70"));
    assert_true(isnan(taste->loo_spearman));
    piaa_taste_free(taste);

    same[3] = NAN;
    assert_null(piaa_taste_fit_rows(&identity, &slot, same, NULL, y, 10, &hooks, &error));
    assert_int_equal(error.code, PIAA_FORMAT);
    const double bad[] = {1, INFINITY};
    assert_null(piaa_taste_fit_rows(&identity, &e->slot, e->x, NULL, bad, 2, &hooks, &error));
    assert_non_null(strstr(error.message, "score of rated photo 2"));
}

/* Loads the taste's JSON with `key` (one dot at most) replaced by the JSON text `value`, or taken
   away where that is NULL. */
static void expect_refusal(const char *text, const char *key, const char *value) {
    piaa_error error = {0};
    cJSON *root = cJSON_Parse(text), *parent = root;
    const char *dot = strchr(key, '.');
    char head[40] = "";
    if (dot) {
        memcpy(head, key, (size_t)(dot - key));
        parent = cJSON_GetObjectItemCaseSensitive(root, head);
    }
    const char *leaf = dot ? dot + 1 : key;
    assert_true(cJSON_HasObjectItem(parent, leaf));
    if (value)
        cJSON_ReplaceItemInObjectCaseSensitive(parent, leaf, cJSON_Parse(value));
    else
        cJSON_DeleteItemFromObjectCaseSensitive(parent, leaf);
    char *changed = cJSON_PrintUnformatted(root);
    assert_null(piaa_taste_parse(changed, strlen(changed), "t.json", &error));
    if (!strstr(error.message, "t.json") ||
        (strcmp(key, "format") != 0 &&
         !strstr(error.message, strcmp(key, "version") ? key : "version")))
        fail_msg("%s = %s: %s", key, value ? value : "(absent)", error.message);
    cJSON_free(changed);
    cJSON_Delete(root);
}

static void loading_believes_nothing(void **state) {
    PIAA_UNUSED(state);
    static const float x[] = {1, 2, 2, 1, 0, 5};
    piaa_slot slot = {PIAA_V, 3, 2};
    piaa_error error = {0};
    piaa_taste *taste =
        piaa_taste_fit_rows(&identity, &slot, x, NULL, (double[]){1, 2, 4}, 3, NULL, &error);
    char *text = piaa_taste_to_json(taste, &error);
    assert_non_null(text);
    static const char *const keys[] = {"format",
                                       "version",
                                       "made",
                                       "alpha",
                                       "intercept",
                                       "mean",
                                       "scale",
                                       "weights",
                                       "ratings.count",
                                       "ratings.lowest",
                                       "ratings.highest",
                                       "leave_one_out.rmse",
                                       "features.pool",
                                       "features.layer",
                                       "features.dim",
                                       "features.fingerprint",
                                       "features.model",
                                       "features.family",
                                       "features.prompt",
                                       "features.preprocessing",
                                       "features.dtype",
                                       "features.library"};
    for (size_t i = 0; i < PIAA_COUNT(keys); i++) {
        expect_refusal(text, keys[i], NULL);
        expect_refusal(text, keys[i], "null");
        expect_refusal(text, keys[i], "true");
        expect_refusal(text, keys[i], "[]");
    }
    static const char *const wrong[][2] = {
        {"format", "\"other\""},
        {"version", "0"},
        {"version", "3"},
        {"features.dim", "0"},
        {"features.dim", "1e12"},
        {"features.layer", "-1"},
        {"features.layer", "1.5"},
        {"features.pool", "\"x\""},
        {"ratings.count", "1"},
        {"ratings.highest", "0"},
        {"alpha", "0"},
        {"alpha", "-1"},
        {"alpha", "\"1\""},
        {"leave_one_out.rmse", "-1"},
        {"leave_one_out.spearman", "1.5"},
        {"leave_one_out.spearman", "\"x\""},
        {"leave_one_out.groups", "1"},
        {"leave_one_out.groups", "4"},
        {"leave_one_out.mean_rmse", "-1"},
        {"leave_one_out.chance", "2"},
        {"leave_one_out.interval", "\"x\""},
        {"mean", "[1]"},
        {"mean", "[1,2,3]"},
        {"mean", "[1,\"2\"]"},
        {"mean", "[1,null]"},
        {"weights", "{}"},
        {"scale", "[0,1]"},
        {"scale", "[1,-1]"},
        {"made", "\"this is far too long to be a time of day\""},
    };
    for (size_t i = 0; i < PIAA_COUNT(wrong); i++) expect_refusal(text, wrong[i][0], wrong[i][1]);

    for (size_t n = 0; n + 2 < strlen(text); n++)
        assert_null(piaa_taste_parse(text, n, "t.json", &error)); /* every cut */
    const char *infinite = "{\"format\": \"piaa-taste\", \"version\": 1e999}";
    assert_null(piaa_taste_parse(infinite, strlen(infinite), "t.json", &error));
    assert_null(piaa_taste_parse("[]", 2, "t.json", &error));
    assert_non_null(strstr(error.message, "not a taste"));
    assert_null(
        piaa_taste_load("/dev/null/taste.json", &error)); /* an error is there already: it stays */
    assert_non_null(strstr(error.message, "not a taste"));
    error = (piaa_error){0};
    assert_null(piaa_taste_load("/dev/null/taste.json", &error));
    assert_int_equal(error.code, PIAA_IO);
    assert_false(piaa_taste_save(taste, "/dev/null/taste.json", &error));
    assert_int_equal(error.code, PIAA_IO);
    error = (piaa_error){0};
    assert_false(piaa_taste_save(NULL, "x", &error));
    assert_int_equal(error.code, PIAA_USAGE);
    piaa_taste_free(taste);
    piaa_taste_free(NULL);
    free(text);
}

/* Files from before some figures were there: what is not known is no reason for doubt. */
static void older_files_are_read(void **state) {
    const example *e = *state;
    piaa_error error = {0};
    piaa_taste *taste = fit(e);
    char *text = piaa_taste_to_json(taste, &error);
    cJSON *root = cJSON_Parse(text), *part = cJSON_GetObjectItem(root, "leave_one_out");
    static const char *const later[] = {"groups", "mean_rmse", "chance", "interval"};
    for (size_t i = 0; i < PIAA_COUNT(later); i++) {
        assert_true(cJSON_HasObjectItem(part, later[i]));
        cJSON_DeleteItemFromObject(part, later[i]);
    }
    char *older = cJSON_PrintUnformatted(root);
    piaa_taste *loaded = piaa_taste_parse(older, strlen(older), "t.json", &error);
    if (!loaded) fail_msg("%s", error.message);
    assert_true(isnan(loaded->mean_rmse) && isnan(loaded->chance) && isnan(loaded->interval));
    assert_true(loaded->groups == e->n && loaded->loo_rmse == taste->loo_rmse);
    assert_true(piaa_taste_verdict(loaded) == PIAA_LEARNED);
    piaa_taste_free(loaded);
    piaa_taste_free(taste);
    cJSON_free(older);
    cJSON_Delete(root);
    free(text);
}

/* A taste of before says nothing of them, so that any fits; one that says them needs the same. */
static void values_of_later_versions_count_where_they_are_kept(void **state) {
    const example *e = *state;
    piaa_error error = {0};
    piaa_taste *taste = fit(e);
    piaa_identity now = identity;
    now.pixels = "bicubic, mean 0.5 0.5 0.5", now.tokens = "24 tokens, 00ff";
    now.chat = "published";
    assert_true(piaa_taste_fits(taste, &now, &e->slot, &error));
    now.chat = "the folder's";
    assert_false(piaa_taste_fits(taste, &now, &e->slot, &error));
    assert_non_null(strstr(error.message, "chat form"));
    piaa_taste_free(taste);
    taste = piaa_taste_fit_rows(&now, &e->slot, e->x, NULL, e->y, e->n, NULL, NULL);
    char *text = piaa_taste_to_json(taste, NULL);
    piaa_taste *loaded = piaa_taste_parse(text, strlen(text), "t.json", NULL);
    assert_true(piaa_taste_fits(loaded, &now, &e->slot, &error));
    now.tokens = "25 tokens, aa00";
    assert_false(piaa_taste_fits(loaded, &now, &e->slot, &error));
    assert_non_null(strstr(error.message, "\"24 tokens, 00ff\", not \"25 tokens, aa00\""));
    piaa_taste_free(loaded);
    free(text);
    piaa_taste_free(taste);
}

static void expect_bad_slots(const char *text, const char *list) {
    piaa_error error = {0};
    cJSON *root = cJSON_Parse(text);
    cJSON_ReplaceItemInObjectCaseSensitive(cJSON_GetObjectItem(root, "features"), "slots",
                                           cJSON_Parse(list));
    char *changed = cJSON_PrintUnformatted(root);
    assert_null(piaa_taste_parse(changed, strlen(changed), "t.json", &error));
    assert_true(error.code == PIAA_FORMAT && strstr(error.message, "t.json"));
    cJSON_free(changed);
    cJSON_Delete(root);
}

/* Columns cut into blocks are the columns, whatever the blocks are called; their taste is of
   version 2, and reads all of them. */
static void several_layers_side_by_side(void **state) {
    const example *e = *state;
    const int dim = e->slot.dim, first = dim / 3;
    const piaa_slot slots[] = {{PIAA_LT, 3, first}, {PIAA_V, 5, dim - first}};
    const piaa_band bands[] = {{.x = e->x, .dim = first, .stride = dim},
                               {.x = e->x + first, .dim = dim - first, .stride = dim}};
    piaa_teaching from = {
        .identity = &identity, .slots = slots, .bands = bands, .count = 2, .y = e->y, .n = e->n};
    piaa_error error = {0};
    piaa_taste *taste = piaa_taste_teach(&from, NULL, &error), *whole = fit(e);
    if (!taste) fail_msg("%s", error.message);
    assert_true(taste->dim == dim && taste->slots.count == 2 && taste->slot.dim == first);
    assert_string_equal(taste->features, "lt.3+v.5");
    assert_true(taste->alpha == whole->alpha && taste->groups == whole->groups);
    assert_true(fabs(taste->loo_rmse - whole->loo_rmse) < 1e-9);
    for (int64_t i = 0; i < e->tests; i++) {
        double a, b;
        piaa_taste_predict(taste, e->x_test + i * dim, 1, &a);
        piaa_taste_predict(whole, e->x_test + i * dim, 1, &b);
        assert_true(fabs(a - b) < 1e-9);
    }

    char *text = piaa_taste_to_json(taste, &error), *plain = piaa_taste_to_json(whole, &error);
    assert_non_null(strstr(text, "\"version\":\t2"));
    assert_non_null(strstr(plain, "\"version\":\t1"));
    piaa_taste *loaded = piaa_taste_parse(text, strlen(text), "t.json", &error);
    if (!loaded) fail_msg("%s", error.message);
    double a, b;
    piaa_taste_predict(taste, e->x_test, 1, &a);
    piaa_taste_predict(loaded, e->x_test, 1, &b);
    assert_true(a == b && loaded->dim == dim);
    assert_string_equal(loaded->features, "lt.3+v.5");
    piaa_request request;
    piaa_taste_request(loaded, &request);
    assert_true(!request.pools && !request.layers && request.features == loaded->features);

    /* Damaged lists of what is read. */
    static const char *const lists[] = {
        "[]",
        "[{\"pool\":\"lt\",\"layer\":3,\"dim\":8}]",
        "[{\"pool\":\"lt\",\"layer\":3,\"dim\":8},{\"pool\":\"lt\",\"layer\":3,\"dim\":8}]",
        "[{\"pool\":\"lt\",\"layer\":3,\"dim\":1048576},{\"pool\":\"v\",\"layer\":3,\"dim\":8}]",
        "[3, 4]",
        "7"};
    for (size_t i = 0; i < PIAA_COUNT(lists); i++) expect_bad_slots(text, lists[i]);

    /* What fits, and what is missing. */
    piaa_slot have[] = {{PIAA_LT, 3, first}, {PIAA_LV, 1, 4}, {PIAA_V, 5, dim - first}};
    const piaa_slots all = {have, 3}, some = {have, 2};
    assert_true(piaa_taste_fits_slots(taste, &identity, &all, &error));
    assert_false(piaa_taste_fits_slots(taste, &identity, &some, &error));
    assert_int_equal(error.code, PIAA_MISMATCH);
    assert_non_null(strstr(error.message, "learned from lt.3+v.5, and these features have no v.5"));
    error = (piaa_error){0};
    assert_false(piaa_taste_fits(taste, &identity, &have[0], &error));
    error = (piaa_error){0};
    have[0].dim++;
    assert_false(piaa_taste_fits_slots(taste, &identity, &all, &error));
    assert_non_null(strstr(error.message, "another length of lt.3"));
    piaa_taste_free(loaded);
    piaa_taste_free(taste);

    /* Weights of blocks are chosen by what is left out: never worse by it than all alike. */
    error = (piaa_error){0};
    from.learner = piaa_learner_find("banded", &error);
    taste = piaa_taste_teach(&from, NULL, &error);
    double own = 0, alike = 0;
    for (int64_t i = 0; i < e->n; i++) {
        own += (taste->unseen[i] - e->y[i]) * (taste->unseen[i] - e->y[i]);
        alike += (whole->unseen[i] - e->y[i]) * (whole->unseen[i] - e->y[i]);
    }
    assert_true(own <= alike * (1 + 1e-9));
    assert_null(piaa_learner_find("magic", &error));
    assert_int_equal(error.code, PIAA_USAGE);
    piaa_taste_free(taste);
    piaa_taste_free(whole);
    free(text);
    free(plain);
}

static void differences_are_named(void **state) {
    const example *e = *state;
    piaa_taste *taste = fit(e);
    piaa_error error = {0};
    piaa_identity other = identity;
    other.library = "9.9", other.family = NULL;
    assert_true(piaa_taste_fits(taste, &other, &e->slot, &error));
    other.fingerprint = "ffff";
    assert_false(piaa_taste_fits(taste, &other, &e->slot, &error));
    assert_int_equal(error.code, PIAA_MISMATCH);
    assert_non_null(strstr(error.message, "other weights of the model \"Qwen3-VL-4B-Instruct\""));
    other.model = "demo";
    assert_false(piaa_taste_fits(taste, &other, &e->slot, &error));
    assert_non_null(strstr(error.message, "the model \"Qwen3-VL-4B-Instruct\", not \"demo\""));
    other = identity, other.prompt = NULL;
    assert_false(piaa_taste_fits(taste, &other, &e->slot, &error));
    assert_non_null(strstr(error.message, "the prompt"));
    other = identity, other.dtype = "f32";
    assert_false(piaa_taste_fits(taste, &other, &e->slot, &error));
    assert_non_null(strstr(error.message, "\"bf16\", not \"f32\""));
    piaa_slot slot = e->slot;
    slot.layer = 16;
    assert_false(piaa_taste_fits(taste, &identity, &slot, &error));
    assert_non_null(strstr(error.message, "layer 15"));
    slot.pool = PIAA_LV;
    assert_false(piaa_taste_fits(taste, &identity, &slot, &error));
    assert_non_null(strstr(error.message, "the pool \"lt\", not \"lv\""));
    piaa_taste_free(taste);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(learns_what_scikit_learn_learns),
        cmocka_unit_test(error_bar_is_honest),
        cmocka_unit_test(order_does_not_matter),
        cmocka_unit_test(same_after_saving),
        cmocka_unit_test(verdicts_name_whatever_is_no_better_than_the_mean),
        cmocka_unit_test(little_to_learn_from_is_said),
        cmocka_unit_test(loading_believes_nothing),
        cmocka_unit_test(older_files_are_read),
        cmocka_unit_test(values_of_later_versions_count_where_they_are_kept),
        cmocka_unit_test(several_layers_side_by_side),
        cmocka_unit_test(differences_are_named),
    };
    return cmocka_run_group_tests(tests, open_example, close_example);
}

/* Several evaluations in one table: which of them go together, who is compared, and figures worked
   out by hand. */
#include "support.h"

#include "report/together.h"

#define CONFIG                                                                                     \
    "\"config\":{\"dataset\":\"para\",\"dataset_dir\":\"/p\",\"fingerprint\":\"f\","               \
    "\"prompt\":\"?\",\"users\":\"all\",\"images_subset\":\"all\",\"seed\":42,\"small\":10,"       \
    "\"large\":100,\"test\":50}"

static char *world;

/* A run of these outcomes and people. */
static void make_run(const char *name, const char *config, const char *outcomes,
                     const char *users) {
    char *folder = support_join(world, name);
    support_make_folder(world, name);
    char *json = piaa_format(NULL,
                             "{\"format\":\"piaa-eval\",\"version\":1,%s,"
                             "\"counts\":{\"users\":4},\"outcomes\":[%s]}",
                             config, outcomes);
    support_write(folder, "eval.json", json, strlen(json));
    char *table =
        piaa_format(NULL, "method,source,support_set,user_id,spearman,r2,rmse\n%s", users);
    support_write(folder, "users.csv", table, strlen(table));
    const struct {
        const char *name, *text;
    } rest[] = {{"predictions.csv", "method,support_set,user_score,piaa_pred\n"},
                {"scores.csv", "user_id,score\n"},
                {"images.csv", "mean,variance\n"}};
    for (size_t i = 0; i < PIAA_COUNT(rest); i++)
        support_write(folder, rest[i].name, rest[i].text, strlen(rest[i].text));
    free(table);
    free(json);
    free(folder);
}

#define OUTCOME(method, source, published, as, users, mean)                                        \
    "{\"method\":\"" method "\",\"source\":\"" source "\",\"support_set\":\"small\","              \
    "\"published\":\"" published "\",\"as\":\"" as "\",\"users\":" users                           \
    ",\"spearman\":{\"mean\":" mean ",\"low\":null,\"high\":null},\"r2\":{\"mean\":0.25}}"

static int begin(void **state) {
    PIAA_UNUSED(state);
    world = support_folder();
    /* Four people; at two layers, of which most methods read lt.3. */
    make_run("whole", CONFIG,
             OUTCOME("linear-hidden", "lt.3", "a_3", "published and described", "4",
                     "0.25") "," OUTCOME("linear-hidden", "lt.4", "a_4", "published and described",
                                         "4", "0.75") "," OUTCOME("giaa-target", "lt.3", "b_3",
                                                                  "published and described", "4",
                                                                  "0.5"),
             "linear-hidden,lt.3,small,a,1,0,0\nlinear-hidden,lt.3,small,b,0,0,0\n"
             "linear-hidden,lt.3,small,c,,0,0\nlinear-hidden,lt.3,small,d,0,0,0\n"
             "linear-hidden,lt.4,small,a,0.75,0,0\n"
             "giaa-target,lt.3,small,a,0.5,0,0\ngiaa-target,lt.3,small,b,0.5,0,0\n"
             "giaa-target,lt.3,small,c,0.5,0,0\ngiaa-target,lt.3,small,d,0.5,0,0\n");
    /* Three of them, and linear-hidden over again. */
    make_run("some", CONFIG,
             OUTCOME("linear-hidden", "lt.3", "a_3", "published and described", "3",
                     "0") "," OUTCOME("ici", "", "c", "published", "3", "0.5"),
             "linear-hidden,lt.3,small,b,0,0,0\nlinear-hidden,lt.3,small,c,,0,0\n"
             "linear-hidden,lt.3,small,d,0,0,0\n"
             "ici,,small,b,0.25,0,0\nici,,small,c,0.5,0,0\nici,,small,d,0.75,0,0\n");
    /* Another prompt: not to be compared, and alone. */
    make_run("other", "\"config\":{\"dataset\":\"para\",\"prompt\":\"!\",\"small\":10}",
             OUTCOME("raw-text", "", "d", "published", "4", "0.5"), "raw-text,,small,a,0.5,0,0\n");
    return 0;
}

static int end(void **state) {
    PIAA_UNUSED(state);
    support_remove(world);
    return 0;
}

static void make(piaa_tables *tables, const char *const *names, size_t count) {
    piaa_error error = {0};
    piaa_page_part parts[4] = {{0}};
    for (size_t i = 0; i < count; i++) {
        char *folder = support_join(world, names[i]);
        if (!(parts[i].run = piaa_run_open(folder, &error))) fail_msg("%s", error.message);
        free(folder);
    }
    if (!piaa_together_make(tables, parts, count, &error)) fail_msg("%s", error.message);
    for (size_t i = 0; i < count; i++) piaa_run_close(parts[i].run);
}

static void expect_row(const piaa_table *table, size_t row, const char *const *cells) {
    for (size_t c = 0; c < table->columns; c++)
        assert_string_equal(table->cells[(row + 1) * table->columns + c], cells[c]);
}

/*
 * b, c and d are shared by all three.  linear-hidden has 0, undefined (0) and 0 there, giaa-target
 * .5 each, ici .25, .5, .75: differences of .5 and .5 in the mean, of one sign for all three, which
 * chance has in 2 of 8 ways: p .25, and twice that corrected.  Student's interval of ici is .5 ±
 * 4.3027 * .25 / sqrt(3) = .621, which a correlation's ends at 1; giaa-target's people do not
 * differ.
 */
static void methods_are_compared_over_whom_they_share(void **state) {
    PIAA_UNUSED(state);
    piaa_tables tables = {0};
    make(&tables, (const char *const[]){"whole", "some", "other"}, 3);
    assert_int_equal(tables.count, 1);
    const piaa_table *t = &tables.items[0];
    assert_int_equal(t->rows, 3);
    assert_int_equal(t->columns, 12);
    static const char *const both = "published and described";
    expect_row(t, 0,
               (const char *const[]){"PARA", "10", "linear-hidden", both, "4", "0.250 [undefined]",
                                     "0.250 [undefined]", "3", "0.000 [undefined]", "", "", ""});
    expect_row(t, 1,
               (const char *const[]){"PARA", "10", "giaa-target", both, "4", "0.500 [undefined]",
                                     "0.250 [undefined]", "3", "0.500 [undefined]",
                                     "0.500 [undefined]", "0.250", "0.500"});
    expect_row(t, 2,
               (const char *const[]){"PARA", "10", "ici", "published", "3", "0.500 [undefined]",
                                     "0.250 [undefined]", "3", "0.500 [-0.121, 1.000]",
                                     "0.500 [-0.121, 1.121]", "0.250", "0.500"});
    piaa_tables_free(&tables);
}

static void what_stands_alone_has_no_table(void **state) {
    PIAA_UNUSED(state);
    piaa_tables tables = {0};
    make(&tables, (const char *const[]){"whole"}, 1);
    assert_int_equal(tables.count, 0);
    make(&tables, (const char *const[]){"other", "other"}, 2);
    assert_int_equal(tables.count, 0);
    piaa_tables_free(&tables);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(methods_are_compared_over_whom_they_share),
        cmocka_unit_test(what_stands_alone_has_no_table),
    };
    return cmocka_run_group_tests(tests, begin, end);
}

/* A report while memory is short: every allocation fails once, and the page is then either told to
   have failed or the same to the last byte as without. */
#include "faults.h"
#include "support.h"

#include "report/page.h"
#include "report/together.h"

static char *world, *folders[2];

static void put(const char *folder, const char *name, const char *text) {
    support_write(folder, name, text, strlen(text));
}

static int set_up(void **state) {
    (void)state;
    world = support_folder();
    for (int i = 0; i < 2; i++) {
        folders[i] = support_join(world, i ? "eval" : "probe");
        assert_int_equal(mkdir(folders[i], 0700), 0);
    }
    put(folders[0], "probe.json",
        "{\"format\":\"piaa-probe\",\"version\":1,\"config\":{\"dataset\":\"aadb\","
        "\"loss\":\"a<b\"},"
        "\"counts\":{\"train\":2,\"val\":0,\"test\":1},\"attrs\":{"
        "\"score\":{\"per_layer\":[{\"name\":\"lt.0\",\"test\":{\"rho\":0.5}},"
        "{\"name\":\"v.1\",\"test\":{\"rho\":0.25}}],\"best\":{\"name\":\"v.1\"}},"
        "\"a,b\":{\"per_layer\":[{\"name\":\"lt.0\",\"test\":{\"rho\":0.5}},"
        "{\"name\":\"v.1\",\"test\":{\"rho\":null}}],\"best\":null},"
        "\"c\":{\"per_layer\":[{\"name\":\"lt.0\"},{\"name\":\"v.1\"}],\"best\":null}},"
        "\"correlation\":{\"labels\":[[1,0,0],[0,1,0],[0,0,1]],"
        "\"predictions\":[[1,0,0],[0,1,0],[0,0,1]]},\"changes\":{\"gray\":{"
        "\"score\":[{\"size\":1},{\"size\":2}],\"a,b\":[{\"size\":1},{\"size\":2}],"
        "\"c\":[{\"size\":1},{\"size\":2}]}}}");
    put(folders[0], "predictions.csv", "split,target,label,prediction\ntest,score,1,2\n");
    put(folders[1], "eval.json",
        "{\"format\":\"piaa-eval\",\"version\":1,\"config\":{\"baseline\":\"m\",\"small\":1,"
        "\"large\":2,"
        "\"test\":1},\"counts\":{\"users\":2},\"outcomes\":["
        "{\"method\":\"m\",\"source\":\"lt.0\",\"support_set\":\"large\","
        "\"published\":\"p\",\"users\":2},"
        "{\"method\":\"n\",\"source\":\"lt.0\",\"support_set\":\"large\","
        "\"published\":\"q\",\"users\":2,"
        "\"spearman\":{\"mean\":0.5,\"low\":0.25,\"high\":1},"
        "\"repeats\":{\"count\":2,\"spearman\":{\"deviation\":0.125}},"
        "\"comparison\":{\"users\":2,\"p\":0.5,\"p_holm\":0.5}}],"
        "\"ici\":{\"curves\":[{\"seed\":0,\"stage\":\"phase1\",\"kept\":2,"
        "\"train\":[3,2,1],\"validation\":[3,1,2]}]}}");
    put(folders[1], "users.csv",
        "method,source,support_set,user_id,spearman,r2,rmse\n"
        "m,lt.0,large,a,0.5,0,0\nm,lt.0,large,b,,0,0\n"
        "n,lt.0,large,a,0.75,0,0\nn,lt.0,large,b,0.5,0,0\n");
    put(folders[1], "predictions.csv", "method,support_set,user_score,piaa_pred\nq,large,1,2\n");
    put(folders[1], "scores.csv", "user_id,score\na,1\nb,2\nb,3\n");
    put(folders[1], "images.csv", "mean,variance\n1,1\n2,2\n3,3\n");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    support_remove(world);
    free(folders[0]);
    free(folders[1]);
    return 0;
}

/* Everything that a report consists of, one after the other. */
static bool make(int which, piaa_text *all, piaa_error *error) {
    piaa_page_part part = {0};
    piaa_tables together = {0};
    bool ok = (part.run = piaa_run_open(folders[which], error)) &&
              piaa_plots_make(&part.plots, part.run, 1, error) &&
              piaa_tables_make(&part.tables, part.run, error) &&
              piaa_together_make(&together, (const piaa_page_part[]){part, part}, 2, error) &&
              piaa_page_html(&part, 1, &together, "r-figures", false, all, error) &&
              piaa_page_latex(&part, 1, &together, all, error) &&
              piaa_tables_print(&part.tables, all, error);
    for (size_t i = 0; ok && i < part.plots.count; i++)
        ok = piaa_text_add(all, part.plots.items[i].csv.data, part.plots.items[i].csv.length,
                           error) &&
             piaa_text_add(all, part.plots.items[i].script.data, part.plots.items[i].script.length,
                           error);
    piaa_tables_free(&together);
    piaa_plots_free(&part.plots);
    piaa_tables_free(&part.tables);
    piaa_run_close(part.run);
    return ok;
}

static void a_page_is_whole_or_failed(void **state) {
    (void)state;
    for (int which = 0; which < 2; which++) {
        piaa_text right = {0};
        piaa_error error = {0};
        if (!make(which, &right, &error)) fail_msg("%s", error.message);
        assert_true(right.length > 5000);
        bool met = true;
        for (long n = 0; met; n++) {
            piaa_text all = {0};
            error = (piaa_error){0};
            faults_arm(FAULT_MEMORY, n, ENOMEM, false);
            bool ok = make(which, &all, &error);
            met = faults_disarm();
            if (ok) {
                if (all.length != right.length || memcmp(all.data, right.data, all.length) != 0)
                    fail_msg("allocation %ld failed, and the report is another", n);
            } else if (error.code != PIAA_MEMORY)
                fail_msg("allocation %ld failed: %s", n, error.message);
            free(all.data);
        }
        free(right.data);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_page_is_whole_or_failed)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

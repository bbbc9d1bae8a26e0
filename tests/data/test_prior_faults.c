/* What the prior is trained on while memory is short: each allocation fails once, and what comes
   out is then an error or the same as without. */
#include "faults.h"

#include "data/data_support.h"

#include "data/opinions.h"
#include "data/prior_split.h"
#include "data/traits.h"

/* Numbers that every part has a share in. */
typedef struct made {
    size_t ratings, fitted, held, known, words;
    float shares;
    int category;
} made;

static bool read_people(const piaa_dataset *set, const piaa_prior_split *split, made *out,
                        piaa_error *error) {
    piaa_traits *traits = piaa_traits_read(set, NULL, error);
    piaa_trait_vocabulary words = {0};
    int categories[2 * PIAA_TRAIT_WORDS];
    float numbers[2 * PIAA_TRAIT_NUMBERS];
    bool ok = traits && piaa_trait_vocabulary_make(traits, split->users, 2, &words, error);
    if (ok) {
        piaa_traits_encode(traits, &words, split->users, 2, categories, numbers, NULL, NULL);
        out->words = words.words[0].count;
        out->category = categories[PIAA_TRAIT_WORDS];
    }
    piaa_trait_vocabulary_free(&words);
    piaa_traits_free(traits);
    return ok;
}

static bool read_all(const piaa_dataset *set, made *out, piaa_error *error) {
    piaa_protocol_options options = piaa_protocol_defaults();
    options.small = options.large = options.test = 1;
    options.first = 1;
    piaa_protocol *protocol = piaa_protocol_make(set, &options, NULL, error);
    piaa_prior_split *split =
        protocol ? piaa_prior_split_make(set, protocol, true, NULL, error) : NULL;
    piaa_opinions *opinions = split ? piaa_opinions_read(set, NULL, error) : NULL;
    bool ok = opinions && read_people(set, split, out, error);
    if (ok) {
        out->ratings = split->rating_count;
        out->fitted = split->fitted_count;
        out->held = split->held_count;
        out->known = opinions->known;
        out->shares = opinions->bins[0];
    }
    piaa_protocol_free(protocol);
    piaa_prior_split_free(split);
    piaa_opinions_free(opinions);
    return ok;
}

static bool open_and_read(const char *spec, made *out, piaa_error *error) {
    piaa_dataset *set = piaa_dataset_open(spec, NULL, error);
    bool ok = set && read_all(set, out, error);
    piaa_dataset_close(set);
    return ok;
}

static void write_people(const char *folder) {
    piaa_text ratings = {0}, means = {0};
    piaa_text_format(&ratings, NULL, "sessionId,imageName,userId,aestheticScore,qualityScore\n");
    piaa_text_format(&means, NULL, "sessionId,imageName");
    for (int b = 0; b < 9; b++)
        piaa_text_format(&means, NULL, ",aestheticScore_%d.%d", 1 + b / 2, b % 2 * 5);
    piaa_text_format(&means, NULL,
                     ",aestheticScore_mean,qualityScore_mean,compositionScore_mean,colorScore_mean,"
                     "dofScore_mean,lightScore_mean,contentScore_mean\n");
    for (int i = 0; i < 7; i++) {
        piaa_text_format(&means, NULL, "s,p%d.jpg,1,0,0,0,0,0,0,0,1,3,3,3,3,3,3,3\n", i);
        for (const char *user = "ab"; *user; user++)
            piaa_text_format(&ratings, NULL, "s,p%d.jpg,%c,3,3\n", i, *user);
    }
    piaa_text_format(&ratings, NULL, "s,late.jpg,late,3,\n");
    assert_true(!ratings.failed && !means.failed);
    put(folder, "annotation/PARA-Images.csv", ratings.data);
    put(folder, "annotation/PARA-GiaaTrain.csv", means.data);
    put(folder, "annotation/PARA-UserInfo.csv",
        "userId,age,gender,EducationalLevel,artExperience,photographyExperience,personality-E,"
        "personality-A,personality-N,personality-O,personality-C\n"
        "b,1,m,x,x,x,1,1,1,1,1\nlate,2,m,x,x,x,1,1,1,1,1\n");
    free(ratings.data);
    free(means.data);
}

static void memory_runs_out(void **state) {
    PIAA_UNUSED(state);
    char *folder = support_folder(), *spec = piaa_format(NULL, "para:%s", folder);
    made first = {0};
    piaa_error error = {0};
    assert_non_null(spec);
    write_people(folder);
    if (!open_and_read(spec, &first, &error)) fail_msg("%s", error.message);
    assert_true(first.ratings == 8 && first.fitted == 6 && first.held == 1 && first.known == 7 &&
                first.words == 2 && first.shares == 0.5F && first.category == 1);
    bool met = true;
    for (long n = 0; met; n++) {
        made own = {0};
        error = (piaa_error){0};
        faults_arm(FAULT_MEMORY, n, ENOMEM, false);
        bool ok = open_and_read(spec, &own, &error);
        met = faults_disarm();
        if (!ok && error.code != PIAA_MEMORY) fail_msg("allocation %ld: %s", n, error.message);
        assert_true(ok || met);
        if (ok) assert_memory_equal(&own, &first, sizeof own);
    }
    free(spec);
    support_remove(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(memory_runs_out)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

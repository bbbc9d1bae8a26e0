/* piaa next: photos in, those out whose ratings would teach most, or which two to compare. */
#include "report/next.h"
#include "base/file.h"
#include "base/processors.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "cli/request.h"

#include <stdlib.h>
#include <string.h>

/* Has the rated photos that exist read too. */
static bool read_rated_too(const piaa_ratings *ratings, piaa_photos *photos, piaa_error *error) {
    for (size_t i = 0; i < piaa_ratings_count(ratings); i++) {
        const char *path = piaa_ratings_at(ratings, i)->path;
        if (piaa_file_exists(path) && !piaa_photos_read_also(photos, path, error)) return false;
    }
    return true;
}

static bool read_compared_too(const piaa_choices *choices, piaa_photos *photos, piaa_error *error) {
    for (size_t i = 0; i < piaa_choices_count(choices); i++) {
        const piaa_choice *choice = piaa_choices_at(choices, i);
        if ((piaa_file_exists(choice->one) && !piaa_photos_read_also(photos, choice->one, error)) ||
            (piaa_file_exists(choice->other) &&
             !piaa_photos_read_also(photos, choice->other, error)))
            return false;
    }
    return true;
}

/* What to do with the pairs. */
static void advise_pairs(piaa_call *call, const piaa_asked *asked) {
    const char *table = piaa_call_value(call, "pairs");
    if (strcmp(table, "-") == 0) table = "pairs.csv";
    if (!asked->count)
        piaa_talk_note(&call->talk,
                       "Nothing is left to compare: all pairs of these photos were, or are near "
                       "copies.");
    else if (piaa_call_has(call, "csv"))
        piaa_talk_note(&call->talk,
                       "Fill in the column answer (left, right, tie or cannot say), add the lines "
                       "to %s, then run this again, or piaa rank with --pairs.",
                       table);
    else
        piaa_talk_note(
            &call->talk,
            "Say which is better: a line LEFT,RIGHT,left or right for each in %s (--csv "
            "prints a table to fill in), then run this again, or piaa rank with --pairs.",
            table);
}

/* What to do with the photos. */
static void advise(piaa_call *call, const piaa_next *next) {
    const char *table = piaa_call_value(call, "ratings");
    if (!table || strcmp(table, "-") == 0) table = "ratings.csv";
    if (!next->count) {
        piaa_talk_note(&call->talk,
                       "Nothing is left to choose: all %zu photos are rated, or near copies of "
                       "rated ones.",
                       next->photos);
        return;
    }
    if (!next->left)
        piaa_talk_note(&call->talk, "These are all that are not rated, nor near copies.");
    const char *these = next->count == 1 ? "this photo" : "these photos";
    if (strcmp(table, "xmp") == 0)
        piaa_talk_note(&call->talk, "Give %s stars, then run this again, or piaa rank.", these);
    else if (piaa_call_has(call, "csv"))
        piaa_talk_note(&call->talk,
                       "Fill in the column score%s, then run this again with --ratings, or piaa "
                       "rank; what stays empty counts as not rated.",
                       piaa_call_has(call, "ratings") ? " and add the lines to the table" : "");
    else
        piaa_talk_note(&call->talk,
                       "Rate %s: a line PATH,SCORE for each in %s (--csv prints a table to fill "
                       "in), then run this again, or piaa rank.",
                       these, table);
}

/* What a run works with: it owns all of it but the call. */
typedef struct next_run {
    piaa_call *call;
    piaa_photos *photos;
    piaa_ratings *ratings;
    piaa_choices *choices; /* NULL: none yet, or none are asked for */
    piaa_model *model;
    piaa_reader *reader;
    piaa_next next;
} next_run;

static bool open_reader(next_run *r, const piaa_request *request, piaa_error *error) {
    piaa_call *call = r->call;
    if (!(r->photos = piaa_call_photos(call, error)) ||
        !(r->ratings = piaa_call_ratings_so_far(call, r->photos, error)) ||
        !read_rated_too(r->ratings, r->photos, error) ||
        (piaa_call_has(call, "pairs") &&
         (!piaa_call_choices_so_far(call, r->photos, &r->choices, error) ||
          !read_compared_too(r->choices, r->photos, error))) ||
        !(r->model = piaa_call_model(call, piaa_call_value(call, "model"), error)))
        return false;
    piaa_call_tell_demonstration(call, piaa_model_get_info(r->model)->demonstration);
    return (r->reader = piaa_call_reader(call, r->model, request, error)) != NULL;
}

/* Photos to rate. */
static bool ask_ratings(next_run *r, const piaa_choosing *choosing, size_t count,
                        const piaa_ranking_context *context, piaa_error *error) {
    const piaa_slots *wanted = piaa_extractor_slots(piaa_reader_extractor(r->reader));
    if (!piaa_next_choose(piaa_reader_store(r->reader), wanted, r->photos, r->ratings, choosing,
                          count, &r->call->talk.hooks, &r->next, error) ||
        !piaa_next_write(&r->next, context, piaa_print_format(r->call), stdout, error))
        return false;
    advise(r->call, &r->next);
    return true;
}

/* Photos to compare. */
static bool ask_pairs(next_run *r, const piaa_choosing *choosing, size_t count,
                      const piaa_ranking_context *context, piaa_error *error) {
    const piaa_slots *wanted = piaa_extractor_slots(piaa_reader_extractor(r->reader));
    const piaa_said said = {.ratings = r->ratings, .choices = r->choices};
    piaa_joined joined;
    piaa_asked asked = {0};
    const bool ok =
        piaa_joined_open(&joined, piaa_reader_store(r->reader), wanted->items, wanted->count, NULL,
                         error) &&
        piaa_asking_choose(&joined, r->photos, &said, count, choosing->seed, &asked, error) &&
        piaa_asked_write(&asked, context, piaa_print_format(r->call), stdout, error);
    if (ok) advise_pairs(r->call, &asked);
    piaa_asked_free(&asked);
    piaa_joined_close(&joined);
    return ok;
}

/* Everything after the photos are in the store. */
static bool choose(next_run *r, const piaa_choosing *choosing, size_t count, piaa_error *error) {
    const piaa_slots *wanted = piaa_extractor_slots(piaa_reader_extractor(r->reader));
    piaa_ranking_context context = {0};
    if (!piaa_print_unreadable(r->call, piaa_reader_store(r->reader), wanted, r->photos, &context,
                               error))
        return false;
    char *folder = piaa_path_absolute(".", NULL); /* if it is gone, paths stay absolute */
    context.folder = folder;
    const bool ok = (piaa_call_has(r->call, "pairs") ? ask_pairs : ask_ratings)(r, choosing, count,
                                                                                &context, error);
    free((void *)context.unreadable);
    free(folder);
    return ok;
}

static bool read_choosing(const piaa_call *call, piaa_choosing *out, int64_t *count,
                          piaa_error *error) {
    int64_t seed = 42, threads = piaa_processors();
    *count = 10;
    *out = (piaa_choosing){.random_share = 0.2};
    if (piaa_call_has(call, "choose"))
        out->strategy = piaa_strategy_find(piaa_call_value(call, "choose"));
    if (!piaa_call_integer(call, "count", 1, INT32_MAX, count, error) ||
        !piaa_call_integer(call, "seed", 0, UINT32_MAX, &seed, error) ||
        !piaa_call_integer(call, "threads", 1, INT32_MAX, &threads, error) ||
        !piaa_call_number(call, "random-share", 0, 1, &out->random_share, error))
        return false;
    out->seed = (uint32_t)seed;
    out->threads = (int)threads;
    return true;
}

static bool run(piaa_call *call, piaa_error *error) {
    piaa_request request;
    piaa_choosing choosing;
    int64_t count;
    if (!piaa_call_exclude(call, "json", "csv", error) ||
        !piaa_call_exclude(call, "pairs", "choose", error) ||
        !read_choosing(call, &choosing, &count, error) ||
        !piaa_call_request(call, NULL, &request, error))
        return false;
    next_run r = {.call = call};
    const bool ok = open_reader(&r, &request, error) &&
                    piaa_call_read(call, r.reader, r.photos, NULL, error) &&
                    choose(&r, &choosing, (size_t)count, error);
    piaa_next_free(&r.next);
    piaa_reader_free(r.reader);
    piaa_model_close(r.model);
    piaa_choices_free(r.choices);
    piaa_ratings_free(r.ratings);
    piaa_photos_free(r.photos);
    return ok;
}

static const piaa_option options[] = {
    {"count", "N", "how many photos to name", "10", NULL},
    {"choose", "HOW",
     "v-optimal: what makes the scores of all photos surest; variance: whose own score is least "
     "sure; k-center: what is farthest from everything rated; random",
     "v-optimal", "v-optimal variance k-center random"},
    {"random-share", "SHARE",
     "how many of the ratings are of photos drawn at random, 0 to 1: these show what a rating is "
     "missed by without regard to what teaches",
     "0.2, every fifth", NULL},
    {"seed", "N", "of what is drawn", "42", NULL},
    {"csv", NULL, "print CSV: path,score,chosen_by with an empty score, to be filled in", NULL,
     NULL},
    {"json", NULL, "print JSON", NULL, NULL},
    {0},
};

static const piaa_option ratings_options[] = {
    {"ratings", "FILE",
     "what is rated already, as for rank: a table, -, or xmp; without it, or where it is empty or "
     "not there yet, nothing is",
     NULL, NULL},
    {"pairs", "FILE",
     "ask which two photos to compare next, and not for ratings: the comparisons so far, as for "
     "rank; where the file is empty or not there yet, there are none",
     NULL, NULL},
    PIAA_OPTION_USER,
    PIAA_OPTION_USER_COLUMN,
    {"store", "STORE", "folder where the photos' features are kept", "one in ~/.cache/piaa/stores",
     NULL},
    PIAA_OPTION_AGAIN,
    {0},
};

const piaa_command piaa_command_next = {
    .name = "next",
    .summary = "Say which photos to rate, so that few ratings teach much",
    .example = "piaa next holiday\n"
               "piaa next holiday --csv > ratings.csv\n"
               "piaa next holiday --ratings ratings.csv --count 10\n"
               "piaa next holiday --pairs pairs.csv\n",
    .operands = "PHOTOS…",
    .least = 1,
    .most = -1,
    .groups = {{"What is chosen", options},
               {"Ratings and features", ratings_options},
               {"How photos are read", piaa_request_options}},
    .notes = "Each photo is chosen as if those before it were rated, so that rating them from the "
             "top makes the most of every one; scores are not needed for that, only which photos "
             "have one. Of near copies, such as the shots of a burst, one is named, and none of "
             "what is near a rated photo. Ratings of every fifth photo are drawn at random, "
             "because photos that teach are unlike others, and errors measured on them alone "
             "would be too.\n\n"
             "With --pairs, two photos are named of which it is open which is better and where the "
             "answer says most, among 400 photos at most, drawn from more of them.\n\n"
             "Store and model are those of rank with the same options, so that rank begins with "
             "all photos read. docs/learning.md has the mathematics and what it saves.",
    .run = run,
};

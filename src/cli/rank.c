/* piaa rank: photos and ratings in, a list out. */
#include "base/file.h"
#include "cli/commands.h"
#include "cli/request.h"
#include "cli/show.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Photos that something was said of. */
typedef struct said_photos {
    size_t missing, there;
    const char *first_missing;
} said_photos;

/* Has a photo read too, if it exists. */
static bool add_photo(piaa_photos *photos, const char *path, said_photos *of, bool *there,
                      piaa_error *error) {
    *there = piaa_file_exists(path);
    of->there += *there;
    if (!*there && !of->missing++) of->first_missing = path;
    return !*there || piaa_photos_read_also(photos, path, error);
}

static bool none_exists(const said_photos *of, const char *where, piaa_error *error) {
    return piaa_error_set(error, PIAA_MISMATCH,
                          "none of the %zu photos in %s exists, the first is %s: correct the "
                          "paths (relative ones are relative to the "
                          "folder of the ratings)",
                          of->missing, where, of->first_missing);
}

/* Has the rated photos that exist read too, and makes sure that a taste can be learned from them
   before any photo is read. */
static bool add_rated(const piaa_ratings *ratings, bool alone, piaa_photos *photos,
                      piaa_error *error) {
    said_photos of = {0};
    double lowest = 0, highest = 0;
    for (size_t i = 0; i < piaa_ratings_count(ratings); i++) {
        const piaa_rating *rating = piaa_ratings_at(ratings, i);
        bool there, first = !of.there;
        if (!add_photo(photos, rating->path, &of, &there, error)) return false;
        if (!there) continue;
        lowest = !first && lowest < rating->score ? lowest : rating->score;
        highest = !first && highest > rating->score ? highest : rating->score;
    }
    const char *where = piaa_ratings_where(ratings);
    if (!of.there) return none_exists(&of, where, error);
    if (!alone) return true;
    if (of.there == 1)
        return piaa_error_set(error, PIAA_FORMAT,
                              "%s rates one photo that exists, and one does not show a taste: rate "
                              "at least 2 photos with different scores",
                              where);
    if (lowest == highest)
        return piaa_error_set(error, PIAA_FORMAT,
                              "all %zu photos rated in %s have the score %g: rate at least 2 "
                              "photos with different scores",
                              of.there, where, lowest);
    return true;
}

static bool add_compared(const piaa_choices *choices, piaa_photos *photos, piaa_error *error) {
    said_photos of = {0};
    for (size_t i = 0; i < piaa_choices_count(choices); i++) {
        const piaa_choice *choice = piaa_choices_at(choices, i);
        bool there;
        if (!add_photo(photos, choice->one, &of, &there, error) ||
            !add_photo(photos, choice->other, &of, &there, error))
            return false;
    }
    return of.there || none_exists(&of, piaa_choices_where(choices), error);
}

static bool add_said(const piaa_call_said *said, piaa_photos *photos, piaa_error *error) {
    return (!said->ratings || add_rated(said->ratings, !said->choices, photos, error)) &&
           (!said->choices || add_compared(said->choices, photos, error));
}

static void sum_up(piaa_call *call, const piaa_taste *taste, size_t ranked) {
    char error[160] = "", count[96];
    piaa_show_errors(taste, error, sizeof error);
    piaa_talk_note(&call->talk, "Learned from %s; %s (leave-one-out); %zu photo%s ranked.",
                   piaa_show_source(taste, count), error, ranked, ranked == 1 ? "" : "s");
}

/* What a run works with: it owns all of it but the call. */
typedef struct ranking_run {
    piaa_call *call;
    piaa_photos *photos;
    piaa_call_said said;
    piaa_model *model;
    piaa_reader *reader;
    piaa_prior *prior;
    piaa_taste *taste;
    piaa_ranking *ranking;
} ranking_run;

static bool open_reader(ranking_run *r, const piaa_request *request, piaa_error *error) {
    piaa_call *call = r->call;
    if (!(r->photos = piaa_call_photos(call, error)) ||
        !piaa_call_read_said(call, r->photos, &r->said, error) ||
        !add_said(&r->said, r->photos, error) ||
        !(r->model = piaa_call_model(call, piaa_call_value(call, "model"), error)))
        return false;
    piaa_call_tell_demonstration(call, piaa_model_get_info(r->model)->demonstration);
    return (r->reader = piaa_call_reader(call, r->model, request, error)) != NULL;
}

/* Everything after the photos are in the store. */
static bool rank(ranking_run *r, piaa_error *error) {
    const piaa_slots *wanted = piaa_extractor_slots(piaa_reader_extractor(r->reader));
    const piaa_store *store = piaa_reader_store(r->reader);
    const piaa_said said = {.ratings = r->said.ratings, .choices = r->said.choices};
    const piaa_learning how = {
        .learner = piaa_call_value(r->call, "learner"), .choices = said.choices, .prior = r->prior};
    r->taste = piaa_taste_learn_slots(store, wanted->items, wanted->count, said.ratings, &how,
                                      &r->call->talk.hooks, error);
    if (!r->taste || !piaa_taste_foretell(r->taste, store, &said, error)) return false;
    size_t top;
    if (!piaa_show_top(r->call, &top, error)) return false;
    r->ranking = piaa_rank_best(r->taste, store, r->photos, &said, top, error);
    if (!r->ranking || !piaa_show_ranking(r->call, r->ranking, r->taste, store, r->photos,
                                          piaa_model_get_info(r->model)->demonstration, error))
        return false;
    sum_up(r->call, r->taste, piaa_ranking_total(r->ranking));
    piaa_call_tell_outlook(r->call, r->taste);
    return true;
}

static bool run(piaa_call *call, piaa_error *error) {
    piaa_request request;
    if (!piaa_call_need_said(call, error) || !piaa_show_check(call, error) ||
        !piaa_call_request(call, NULL, &request, error))
        return false;
    ranking_run r = {.call = call};
    const bool ok = piaa_call_prior(call, &r.prior, error) && open_reader(&r, &request, error) &&
                    piaa_call_read(call, r.reader, r.photos, NULL, error) && rank(&r, error);
    piaa_ranking_free(r.ranking);
    piaa_taste_free(r.taste);
    piaa_prior_free(r.prior);
    piaa_reader_free(r.reader);
    piaa_model_close(r.model);
    piaa_call_free_said(&r.said);
    piaa_photos_free(r.photos);
    return ok;
}

static const piaa_option options[] = {
    PIAA_OPTION_RATINGS,
    PIAA_OPTION_PAIRS,
    PIAA_OPTION_USER,
    PIAA_OPTION_USER_COLUMN,
    PIAA_OPTION_LEARNER,
    PIAA_OPTION_PRIOR,
    {"store", "STORE", "folder where the photos' features are kept", "one in ~/.cache/piaa/stores",
     NULL},
    PIAA_OPTION_AGAIN,
    {0},
};

const piaa_command piaa_command_rank = {
    .name = "rank",
    .summary = "Rank photos by one person's taste, learned from ratings of some of them",
    .example =
        "piaa rank holiday --ratings ratings.csv\n"
        "piaa rank holiday --ratings xmp\n"
        "piaa rank holiday --ratings ratings.csv --pairs pairs.csv\n"
        "piaa rank holiday --ratings ratings.csv --model Qwen3-VL-4B-Instruct --sheet best.jpg\n",
    .operands = "PHOTOS…",
    .least = 1,
    .most = -1,
    .groups = {{"Ratings and features", options},
               {"What is printed", piaa_show_options},
               {"How photos are read", piaa_request_options}},
    .notes =
        "PHOTOS are files and folders; folders are searched all the way down. Rated photos "
        "that are not among them are learned from and "
        "not "
        "listed. A photo's score is on the scale of the ratings. For a rated photo it is what "
        "the others' ratings say of it, without its "
        "own, so that rated and unrated photos can be compared; copies of a rated photo are "
        "scored like it. \"± x\" is how far such scores typically are from the rating; nine in "
        "ten ratings lie between low and high in --csv and --json.\n\n"
        "Comparisons (--pairs) order what is close, and ratings give the scores their scale: "
        "both are learned from at once. From comparisons alone there is an order, and scores of "
        "mean 0 and spread 1 over the photos compared. A pair may be compared again and answers "
        "may contradict each other: that is noise, as two ratings of a photo are.\n\n"
        "Features are kept below $XDG_CACHE_HOME/piaa/stores (~/.cache/piaa/stores), so that "
        "the second run is quick: one folder for each "
        "combination of model, prompt and settings, each of which may be deleted.\n\n"
        "Without --model the demonstration model is used, which was trained on rendered "
        "scenes and shows that the program works, no more.",
    .run = run,
};

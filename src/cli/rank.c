/* piaa rank: photos and ratings in, a list out. */
#include "cli/commands.h"
#include "cli/reader.h"
#include "cli/show.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Adds the rated photos that exist to `paths`, and makes sure that a taste can be learned from them
   before any photo is read. */
static bool add_rated(const piaa_ratings *ratings, piaa_paths *paths, piaa_error *error) {
    size_t missing = 0, there = 0;
    const char *first_missing = NULL;
    double lowest = 0, highest = 0;
    for (size_t i = 0; i < piaa_ratings_count(ratings); i++) {
        const piaa_rating *rating = piaa_ratings_at(ratings, i);
        if (!piaa_file_exists(rating->path)) {
            if (!missing++) first_missing = rating->path;
            continue;
        }
        if (!piaa_paths_add(paths, rating->path, error)) return false;
        lowest = there && lowest < rating->score ? lowest : rating->score;
        highest = there && highest > rating->score ? highest : rating->score;
        there++;
    }
    const char *where = piaa_ratings_where(ratings);
    if (!there)
        return piaa_error_set(error, PIAA_MISMATCH,
                              "none of the %zu photos in %s exists, the first is %s: correct the "
                              "paths (relative ones are relative to the "
                              "folder of the ratings)",
                              missing, where, first_missing);
    if (there == 1)
        return piaa_error_set(error, PIAA_FORMAT,
                              "%s rates one photo that exists, and one does not show a taste: rate "
                              "at least 2 photos with different scores",
                              where);
    if (lowest == highest)
        return piaa_error_set(error, PIAA_FORMAT,
                              "all %zu photos rated in %s have the score %g: rate at least 2 "
                              "photos with different scores",
                              there, where, lowest);
    return true;
}

static void sum_up(piaa_call *call, const piaa_taste *taste, size_t ranked) {
    char error[120] = "";
    piaa_show_errors(taste, error, sizeof error);
    piaa_talk_note(&call->talk,
                   "Learned from %lld ratings; %s (leave-one-out); %zu photo%s ranked.",
                   (long long)taste->ratings, error, ranked, ranked == 1 ? "" : "s");
}

/* Everything after the photos are in the store. */
static bool rank(piaa_call *call, const piaa_reader *reader, const piaa_photos *photos,
                 const piaa_ratings *ratings, piaa_error *error) {
    const piaa_slot *wanted = &piaa_extractor_slots(reader->extractor)->items[0];
    int slot = piaa_store_find_slot(reader->store, wanted->pool, wanted->layer);
    piaa_taste *taste = piaa_taste_learn(reader->store, slot, ratings, &call->talk.hooks, error);
    piaa_ranking *ranking =
        taste ? piaa_rank_photos(taste, reader->store, photos, ratings, error) : NULL;
    bool ok =
        ranking && piaa_show_ranking(call, ranking, taste, reader->store, photos,
                                     piaa_model_get_info(reader->model)->demonstration, error);
    if (ok) sum_up(call, taste, piaa_ranking_count(ranking));
    piaa_ranking_free(ranking);
    piaa_taste_free(taste);
    return ok;
}

static bool run(piaa_call *call, piaa_error *error) {
    piaa_request request;
    if (!piaa_call_need(call, "ratings", error) || !piaa_show_check(call, error) ||
        !piaa_reader_request(call, &request, error))
        return false;
    piaa_photos photos = {0};
    piaa_paths read = {0}; /* and the rated ones, wherever they are */
    piaa_reader reader = {0};
    piaa_ratings *ratings = NULL;
    bool ok = piaa_reader_collect(call, &photos, error) &&
              (ratings = piaa_reader_ratings(call, &photos, error)) &&
              piaa_paths_add_all(&read, &photos.paths, error) && add_rated(ratings, &read, error);
    piaa_paths_merge(&read);
    ok = ok && piaa_reader_open(&reader, call, NULL, &request, error) &&
         piaa_reader_need_one(&reader, error) &&
         piaa_reader_open_store(&reader, call, piaa_call_value(call, "store"), error) &&
         piaa_reader_embed(&reader, call, &read, NULL, error) &&
         rank(call, &reader, &photos, ratings, error);
    piaa_reader_close(&reader);
    piaa_ratings_free(ratings);
    piaa_photos_free(&photos);
    piaa_paths_free(&read);
    return ok;
}

static const piaa_option options[] = {
    {"ratings", "FILE",
     "the table to learn from: a header with path,score, paths relative to the file; also what "
     "spreadsheets and exiftool -csv save (docs/ratings.md); - is standard input; xmp: the stars "
     "in the photos themselves and in their sidecars",
     NULL, NULL},
    PIAA_OPTION_USER,
    PIAA_OPTION_USER_COLUMN,
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
        "piaa rank holiday --ratings ratings.csv --model Qwen3-VL-4B-Instruct --sheet best.jpg\n",
    .operands = "PHOTOS…",
    .least = 1,
    .most = -1,
    .groups = {{"Ratings and features", options},
               {"What is printed", piaa_show_options},
               {"How photos are read", piaa_reader_options}},
    .notes =
        "PHOTOS are files and folders; folders are searched all the way down. Rated photos "
        "that are not among them are learned from and "
        "not "
        "listed. A photo's score is on the scale of the ratings. For a rated photo it is what "
        "the others' ratings say of it, without its "
        "own, so that rated and unrated photos can be compared; copies of a rated photo are "
        "scored like it. \"± x\" is how far such scores typically are from the rating; nine in "
        "ten ratings lie between low and high in --csv and --json.\n\n"
        "Features are kept below $XDG_CACHE_HOME/piaa/stores (~/.cache/piaa/stores), so that "
        "the second run is quick: one folder for each "
        "combination of model, prompt and settings, each of which may be deleted.\n\n"
        "Without --model the demonstration model is used, which was trained on rendered "
        "scenes and shows that the program works, no more.",
    .run = run,
};

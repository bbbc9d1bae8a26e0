/* piaa stars: ratings as stars beside the photos, for other programs. */
#include "base/file.h"
#include "base/json.h"
#include "base/utf8.h"
#include "base/visible.h"
#include "browse/book.h"
#include "cli/commands.h"
#include "cli/request.h"
#include "data/photo_links.h"
#include "data/star_files.h"
#include "report/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --------------------------------------------------------------------------------------- output */

/* "": nothing is said of stars. */
static const char *print_stars(double stars, char out[32]) {
    *out = '\0';
    if (isfinite(stars) && stars != PIAA_XMP_AS_IT_IS) piaa_report_digits(stars, out);
    return out;
}

static void write_table(const piaa_star_plan *plan, piaa_text *out, piaa_error *error) {
    piaa_text_format(out, error, "stars  before  what    file\n");
    for (size_t i = 0; i < plan->count; i++) {
        const piaa_star_step *step = &plan->steps[i];
        char stars[32], before[32];
        piaa_text_format(out, error, "%5s  %6s  %-6s  ", print_stars(step->wants.rating, stars),
                         print_stars(step->says.rating, before), piaa_star_deed_name(step->deed));
        piaa_visible_add(out, step->file, error);
        if (step->wants.label) piaa_text_format(out, error, "  %s", step->wants.label);
        if (step->why) piaa_text_format(out, error, "  (%s)", step->why);
        piaa_text_format(out, error, "\n");
    }
}

static void write_csv(const piaa_star_plan *plan, piaa_text *out, piaa_error *error) {
    piaa_text_format(out, error, "path,file,stars,before,what,why,label,score\n");
    for (size_t i = 0; i < plan->count; i++) {
        const piaa_star_step *step = &plan->steps[i];
        char stars[32], before[32], score[32] = "";
        piaa_report_add_field(out, plan->photos->names.items[step->photo], error);
        piaa_text_format(out, error, ",");
        piaa_report_add_field(out, step->file, error);
        piaa_text_format(out, error, ",%s,%s,%s,", print_stars(step->wants.rating, stars),
                         print_stars(step->says.rating, before), piaa_star_deed_name(step->deed));
        piaa_report_add_field(out, step->why ? step->why : "", error);
        piaa_text_format(out, error, ",");
        piaa_report_add_field(out, step->wants.label ? step->wants.label : "", error);
        if (isfinite(step->wants.score)) piaa_report_digits(step->wants.score, score);
        piaa_text_format(out, error, ",%s\n", score);
    }
}

static void put_number(piaa_json_build *build, cJSON *item, const char *key, double value) {
    piaa_json_put(build, item, key,
                  isfinite(value) && value != PIAA_XMP_AS_IT_IS ? cJSON_CreateNumber(value)
                                                                : cJSON_CreateNull());
}

static void write_json(const piaa_star_plan *plan, piaa_text *out, piaa_error *error) {
    piaa_json_build build = {.root = cJSON_CreateArray()};
    for (size_t i = 0; i < plan->count; i++) {
        const piaa_star_step *step = &plan->steps[i];
        cJSON *item = piaa_json_put(&build, build.root, NULL, cJSON_CreateObject());
        piaa_json_put_text(&build, item, "path", plan->photos->names.items[step->photo]);
        piaa_json_put_text(&build, item, "file", step->file);
        put_number(&build, item, "stars", step->wants.rating);
        put_number(&build, item, "before", step->says.rating);
        piaa_json_put_text(&build, item, "what", piaa_star_deed_name(step->deed));
        if (step->why) piaa_json_put_text(&build, item, "why", step->why);
        if (step->wants.label) piaa_json_put_text(&build, item, "label", step->wants.label);
        if (isfinite(step->wants.score)) put_number(&build, item, "score", step->wants.score);
    }
    char *text = piaa_json_print(piaa_json_built(&build), true, error);
    if (text)
        piaa_text_add(out, text, strlen(text), error);
    else
        out->failed = true;
    cJSON_Delete(build.root);
    free(text);
}

static bool print_plan(const piaa_call *call, const piaa_star_plan *plan, piaa_error *error) {
    piaa_text text = {0};
    (piaa_call_has(call, "csv")    ? write_csv
     : piaa_call_has(call, "json") ? write_json
                                   : write_table)(plan, &text, error);
    const bool ok = !text.failed && piaa_report_write(stdout, text.data, text.length, error);
    free(text.data);
    return ok;
}

/* ----------------------------------------------------------------------------------------- undo */

static bool undo(piaa_call *call, const char *log, piaa_error *error) {
    size_t undone, left;
    if (!piaa_star_files_undo(log, &call->talk.hooks, &undone, &left, error)) return false;
    piaa_talk_note(&call->talk, "%zu file%s as before; %zu left as %s now.", undone,
                   undone == 1 ? " is" : "s are", left, left == 1 ? "it is" : "they are");
    return !left || piaa_error_set(error, PIAA_MISMATCH, "%zu file%s not put back", left,
                                   left == 1 ? " was" : "s were");
}

/* ---------------------------------------------------------------------------------------- write */

/* What a run works with: it owns all of it but the call. */
typedef struct stars_run {
    piaa_call *call;
    piaa_photos *photos;
    piaa_ratings *ratings, *ranking;
    piaa_star_options options;
    char *labels; /* what the options' labels point into */
    piaa_star_plan *plan;
    char *log;
} stars_run;

static bool wrong_labels(const char *text, piaa_error *error) {
    return piaa_error_set(error, PIAA_USAGE,
                          "--label %.200s: give labels by stars from 0 to 5, as in 5=Green,0=Red",
                          text);
}

/* What XML can hold and other programs show. */
static bool is_label(const char *text) {
    const size_t n = strlen(text);
    if (!n || n >= PIAA_XMP_LABEL || piaa_utf8_check(text, n) != n || *text == ' ' ||
        text[n - 1] == ' ')
        return false;
    while ((unsigned char)*text >= ' ') text++;
    return !*text;
}

/* "5=Green,4=Green,0=Red" */
static bool read_labels(stars_run *r, piaa_error *error) {
    const char *text = piaa_call_value(r->call, "label");
    if (!text) return true;
    if (!(r->labels = piaa_strdup(text, error))) return false;
    for (char *at = r->labels, *comma = at; comma; at = comma + 1) {
        comma = strchr(at, ',');
        if (comma) *comma = '\0';
        if (*at < '0' || *at > '5' || at[1] != '=' || !is_label(at + 2) ||
            r->options.labels[*at - '0'])
            return wrong_labels(text, error);
        r->options.labels[*at - '0'] = at + 2;
    }
    return true;
}

/* The table of scores that piaa rank --csv printed. */
static bool read_ranking(stars_run *r, piaa_error *error) {
    piaa_call *call = r->call;
    const char *file = piaa_call_value(call, "ranking");
    if (!file) return true;
    r->ranking =
        piaa_ratings_read_of(file, &(piaa_whose){.user_column = "none"}, &call->talk.hooks, error);
    r->options.ranking = r->ranking;
    return r->ranking && piaa_ratings_match(r->ranking, piaa_photos_paths(r->photos),
                                            piaa_photos_names(r->photos),
                                            piaa_photos_count(r->photos), &call->talk.hooks, error);
}

/* Of the table, or of the page. */
static bool read_ratings(stars_run *r, piaa_error *error) {
    const piaa_call *call = r->call;
    if (piaa_call_has(call, "ratings"))
        return (r->ratings = piaa_call_ratings(r->call, r->photos, error)) != NULL;
    const char *person = piaa_call_value(call, "person");
    piaa_book *book = piaa_book_open(piaa_call_value(call, "book"), person ? person : "me", error);
    r->ratings = book ? piaa_book_ratings(book, error) : NULL;
    piaa_book_close(book);
    return r->ratings != NULL;
}

static void sum_up(const stars_run *r, bool written) {
    const size_t *n = r->plan->deeds, todo = n[PIAA_STAR_UPDATE] + n[PIAA_STAR_NEW];
    piaa_talk *talk = &r->call->talk;
    piaa_talk_note(talk, "%zu %s%s%s, %zu of them new; %zu the same already, %zu could not be.",
                   todo, r->options.embed ? "file" : "sidecar", todo == 1 ? "" : "s",
                   written ? " written" : " to write", n[PIAA_STAR_NEW], n[PIAA_STAR_SAME],
                   n[PIAA_STAR_FAILED]);
    if (n[PIAA_STAR_KEPT])
        piaa_talk_note(talk, "%zu have other stars, which are kept: --replace changes them.",
                       n[PIAA_STAR_KEPT]);
    if (r->plan->darktables)
        piaa_talk_note(talk,
                       "%zu of the sidecars are darktable's, which goes by its own database: let "
                       "it look for updated sidecars (preferences, storage), or import anew.",
                       r->plan->darktables);
    if (!written && todo)
        piaa_talk_note(talk, "Nothing was written yet: add --write.");
    else if (todo)
        piaa_talk_note(talk, "piaa stars --undo %s puts everything back.", r->log);
}

static bool read_all(stars_run *r, piaa_error *error) {
    return (r->photos = piaa_call_photos(r->call, error)) && read_ratings(r, error) &&
           read_ranking(r, error);
}

static bool make_links(stars_run *r, piaa_error *error) {
    const char *folder = piaa_call_value(r->call, "links");
    int64_t least = 1;
    size_t count;
    if (!piaa_call_integer(r->call, "least", 1, 5, &least, error) || !read_all(r, error))
        return false;
    const piaa_link_options how = {
        .ranking = r->ranking, .least = (int)least, .hard = piaa_call_has(r->call, "hard")};
    if (!piaa_photo_links_make(folder, r->photos, r->ratings, &how, &count, error)) return false;
    piaa_talk_note(&r->call->talk, "%zu photo%s in %s, the best first.", count,
                   count == 1 ? "" : "s", folder);
    return true;
}

static bool make_plan(stars_run *r, piaa_error *error) {
    piaa_call *call = r->call;
    const char *log = piaa_call_value(call, "log");
    r->options = (piaa_star_options){.replace = piaa_call_has(call, "replace"),
                                     .keep_times = piaa_call_has(call, "keep-times"),
                                     .embed = piaa_call_has(call, "embed"),
                                     .scores = piaa_call_has(call, "scores")};
    return read_labels(r, error) && read_all(r, error) &&
           (r->log = log ? piaa_strdup(log, error) : piaa_star_files_log(error)) &&
           (r->plan = piaa_star_plan_make(r->photos, r->ratings, &r->options, error));
}

static bool write_stars(stars_run *r, piaa_error *error) {
    piaa_call *call = r->call;
    const bool writes = piaa_call_has(call, "write");
    if (!make_plan(r, error)) return false;
    const size_t *n = r->plan->deeds, failed = n[PIAA_STAR_FAILED],
                 todo = n[PIAA_STAR_UPDATE] + n[PIAA_STAR_NEW];
    if (writes) {
        piaa_talk_catch_stop(&call->talk);
        const bool ok =
            piaa_star_plan_write(r->plan, r->log, &r->options, &call->talk.hooks, error);
        piaa_talk_clear(&call->talk);
        if (!ok) return false;
    }
    if (!print_plan(call, r->plan, error)) return false;
    sum_up(r, writes);
    const size_t unwritten = n[PIAA_STAR_FAILED] - failed;
    return !unwritten || piaa_error_set(error, PIAA_IO,
                                        "%zu of %zu files could not be written, and are as before",
                                        unwritten, todo);
}

/* What says how links are made means nothing without them, and the other way round: --least 4 is no
   leave to write the stars of all. */
static bool check_together(const piaa_call *call, piaa_error *error) {
    static const char *const of_links[] = {"least", "hard"}, *const of_stars[] = {
                                                                 "write",  "replace", "label",
                                                                 "scores", "embed",   "keep-times",
                                                                 "log",    "csv",     "json"};
    if (!piaa_call_exclude(call, "ratings", "book", error) ||
        !piaa_call_exclude(call, "csv", "json", error))
        return false;
    for (size_t i = 0; i < PIAA_COUNT(of_stars); i++)
        if (!piaa_call_exclude(call, "links", of_stars[i], error)) return false;
    for (size_t i = 0; i < PIAA_COUNT(of_links); i++)
        if (piaa_call_has(call, of_links[i]) && !piaa_call_has(call, "links"))
            return piaa_error_set(error, PIAA_USAGE,
                                  "--%s is for links: give --links and a folder too", of_links[i]);
    return true;
}

static bool run(piaa_call *call, piaa_error *error) {
    const char *log = piaa_call_value(call, "undo");
    if (log && call->operand_count)
        return piaa_error_set(error, PIAA_USAGE, "--undo %s takes no photos: the log names them",
                              log);
    if (log) return undo(call, log, error);
    if (!call->operand_count)
        return piaa_error_set(error, PIAA_USAGE, "name photos or folders, or --undo and a log");
    if (!check_together(call, error)) return false;
    if (piaa_call_has(call, "scores") && !piaa_call_has(call, "ranking"))
        return piaa_error_set(error, PIAA_USAGE,
                              "--scores needs predictions: piaa rank … --csv > ranking.csv, and "
                              "--ranking ranking.csv");
    stars_run r = {.call = call};
    const bool ok = piaa_call_has(call, "links") ? make_links(&r, error) : write_stars(&r, error);
    piaa_star_plan_free(r.plan);
    piaa_ratings_free(r.ratings);
    piaa_ratings_free(r.ranking);
    piaa_photos_free(r.photos);
    free(r.labels);
    free(r.log);
    return ok;
}

static const piaa_option options[] = {
    {"write", NULL, "write them; without it nothing is changed, and what would be is listed", NULL,
     NULL},
    {"replace", NULL, "also where there are other stars, or another label", NULL, NULL},
    {"label", "LABELS",
     "xmp:Label by stars, as in 5=Green,0=Red: the predicted ones where there is a --ranking", NULL,
     NULL},
    {"scores", NULL, "predicted scores too (piaa:score), from --ranking", NULL, NULL},
    {"embed", NULL,
     "into JPEG, TIFF and DNG photos themselves; their sidecars too where they have any", NULL,
     NULL},
    {"keep-times", NULL, "files that are changed keep their dates", NULL, NULL},
    {"log", "DIR", "where what was before is kept, a new folder", "one in ~/.local/share/piaa/undo",
     NULL},
    {"undo", "LOG", "put back what a log holds, byte for byte", NULL, NULL},
    {"csv", NULL, "print CSV: path,file,stars,before,what,why,label,score", NULL, NULL},
    {"json", NULL, "print JSON", NULL, NULL},
    {0},
};

static const piaa_option links[] = {
    {"links", "DIR",
     "instead of stars a new folder of links to the photos, numbered from the best: by --ranking, "
     "or by the ratings",
     NULL, NULL},
    {"least", "N", "links to photos with at least so many stars, given or else predicted", "1",
     NULL},
    {"hard", NULL, "hard links instead of symbolic ones", NULL, NULL},
    {0},
};

static const piaa_option from[] = {
    {"person", "WHO", "whose ratings of the page these are", "me", NULL},
    {"book", "FILE", "where the page keeps ratings", "~/.local/share/piaa/ratings.sqlite", NULL},
    {"ratings", "FILE", "a table of ratings from 1 to 5 instead of those of the page", NULL, NULL},
    PIAA_OPTION_USER,
    PIAA_OPTION_USER_COLUMN,
    {"ranking", "FILE", "predicted scores: what piaa rank --csv printed", NULL, NULL},
    {0},
};

const piaa_command piaa_command_stars = {
    .name = "stars",
    .summary = "Write ratings as stars beside the photos, for other photo programs",
    .example = "piaa stars holiday              # what would be written\n"
               "piaa stars holiday --write\n"
               "piaa stars holiday --links best --least 4\n"
               "piaa stars --undo ~/.local/share/piaa/undo/2026-11-26T10-00-00Z\n",
    .operands = "PHOTOS…",
    .least = 0,
    .most = -1,
    .groups = {{"What is done", options}, {"Links", links}, {"Whose ratings", from}},
    .notes =
        "Every sidecar that a photo has (IMG.CR2.xmp, IMG.xmp) gets the stars, and only the "
        "bytes of the rating change; where there is none a raw photo gets IMG.xmp, any other "
        "IMG.JPG.xmp. Photos are written to only with --embed. Stars and labels that are there "
        "already are kept unless --replace is given. 1 to 5 are stars, 0 is rejected (-1 in "
        "XMP). A raw file beside the picture of the same shot gets the picture's stars.",
    .run = run,
};

/* piaa stars: ratings as stars beside the photos, for other programs. */
#include "base/file.h"
#include "base/visible.h"
#include "browse/book.h"
#include "cli/commands.h"
#include "cli/request.h"
#include "data/star_files.h"
#include "report/report.h"

#include <math.h>
#include <stdlib.h>

/* --------------------------------------------------------------------------------------- output */

static void write_table(const piaa_star_plan *plan, piaa_text *out, piaa_error *error) {
    piaa_text_format(out, error, "stars  before  what    sidecar\n");
    for (size_t i = 0; i < plan->count; i++) {
        const piaa_star_step *step = &plan->steps[i];
        char before[16] = "";
        if (isfinite(step->before)) snprintf(before, sizeof before, "%g", step->before);
        piaa_text_format(out, error, "%5d  %6s  %-6s  ", step->stars, before,
                         piaa_star_deed_name(step->deed));
        piaa_visible_add(out, step->sidecar, error);
        if (step->why) piaa_text_format(out, error, "  (%s)", step->why);
        piaa_text_format(out, error, "\n");
    }
}

static void write_csv(const piaa_star_plan *plan, piaa_text *out, piaa_error *error) {
    piaa_text_format(out, error, "path,sidecar,stars,before,what,why\n");
    for (size_t i = 0; i < plan->count; i++) {
        const piaa_star_step *step = &plan->steps[i];
        char before[32] = "";
        if (isfinite(step->before)) piaa_report_digits(step->before, before);
        piaa_report_add_field(out, plan->photos->names.items[step->photo], error);
        piaa_text_format(out, error, ",");
        piaa_report_add_field(out, step->sidecar, error);
        piaa_text_format(out, error, ",%d,%s,%s,", step->stars, before,
                         piaa_star_deed_name(step->deed));
        piaa_report_add_field(out, step->why ? step->why : "", error);
        piaa_text_format(out, error, "\n");
    }
}

static bool print_plan(const piaa_call *call, const piaa_star_plan *plan, piaa_error *error) {
    piaa_text text = {0};
    (piaa_call_has(call, "csv") ? write_csv : write_table)(plan, &text, error);
    const bool ok = !text.failed && piaa_report_write(stdout, text.data, text.length, error);
    free(text.data);
    return ok;
}

/* ----------------------------------------------------------------------------------------- undo */

static bool undo(piaa_call *call, const char *log, piaa_error *error) {
    size_t undone, left;
    if (!piaa_star_files_undo(log, &call->talk.hooks, &undone, &left, error)) return false;
    piaa_talk_note(&call->talk, "%zu sidecar%s as before; %zu left as %s now.", undone,
                   undone == 1 ? " is" : "s are", left, left == 1 ? "it is" : "they are");
    return !left || piaa_error_set(error, PIAA_MISMATCH, "%zu sidecar%s not put back", left,
                                   left == 1 ? " was" : "s were");
}

/* ---------------------------------------------------------------------------------------- write */

/* What a run works with: it owns all of it but the call. */
typedef struct stars_run {
    piaa_call *call;
    piaa_photos *photos;
    piaa_ratings *ratings;
    piaa_star_plan *plan;
    char *log;
} stars_run;

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
    piaa_talk_note(talk,
                   "%zu sidecar%s%s, %zu of them new; %zu the same already, %zu could not be.",
                   todo, todo == 1 ? "" : "s", written ? " written" : " to write", n[PIAA_STAR_NEW],
                   n[PIAA_STAR_SAME], n[PIAA_STAR_FAILED]);
    if (n[PIAA_STAR_KEPT])
        piaa_talk_note(talk, "%zu have other stars, which are kept: --replace changes them.",
                       n[PIAA_STAR_KEPT]);
    if (!written && todo)
        piaa_talk_note(talk, "Nothing was written yet: add --write.");
    else if (todo)
        piaa_talk_note(talk, "piaa stars --undo %s puts everything back.", r->log);
}

static bool write_stars(stars_run *r, piaa_error *error) {
    piaa_call *call = r->call;
    const bool writes = piaa_call_has(call, "write");
    const piaa_star_options options = {.replace = piaa_call_has(call, "replace"),
                                       .keep_times = piaa_call_has(call, "keep-times")};
    const char *log = piaa_call_value(call, "log");
    if (!(r->photos = piaa_call_photos(call, error)) || !read_ratings(r, error) ||
        !(r->log = log ? piaa_strdup(log, error) : piaa_star_files_log(error)) ||
        !(r->plan = piaa_star_plan_make(r->photos, r->ratings, &options, error)))
        return false;
    if (writes) {
        piaa_talk_catch_stop(&call->talk);
        const bool ok = piaa_star_plan_write(r->plan, r->log, &options, &call->talk.hooks, error);
        piaa_talk_clear(&call->talk);
        if (!ok) return false;
    }
    if (!print_plan(call, r->plan, error)) return false;
    sum_up(r, writes);
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
    if (!piaa_call_exclude(call, "ratings", "book", error)) return false;
    stars_run r = {.call = call};
    const bool ok = write_stars(&r, error);
    piaa_star_plan_free(r.plan);
    piaa_ratings_free(r.ratings);
    piaa_photos_free(r.photos);
    free(r.log);
    return ok;
}

static const piaa_option options[] = {
    {"write", NULL, "write them; without it nothing is changed, and what would be is listed", NULL,
     NULL},
    {"replace", NULL, "also where a sidecar has other stars", NULL, NULL},
    {"keep-times", NULL, "sidecars that are changed keep their dates", NULL, NULL},
    {"log", "DIR", "where what was before is kept, a new folder", "one in ~/.local/share/piaa/undo",
     NULL},
    {"undo", "LOG", "put back what a log holds, byte for byte", NULL, NULL},
    {"csv", NULL, "print CSV: path,sidecar,stars,before,what,why", NULL, NULL},
    {0},
};

static const piaa_option from[] = {
    {"person", "WHO", "whose ratings of the page these are", "me", NULL},
    {"book", "FILE", "where the page keeps ratings", "~/.local/share/piaa/ratings.sqlite", NULL},
    {"ratings", "FILE", "a table of ratings from 1 to 5 instead of those of the page", NULL, NULL},
    PIAA_OPTION_USER,
    PIAA_OPTION_USER_COLUMN,
    {0},
};

const piaa_command piaa_command_stars = {
    .name = "stars",
    .summary = "Write ratings as stars beside the photos, for other photo programs",
    .example = "piaa stars holiday              # what would be written\n"
               "piaa stars holiday --write\n"
               "piaa stars --undo ~/.local/share/piaa/undo/2026-11-26T10-00-00Z\n",
    .operands = "PHOTOS…",
    .least = 0,
    .most = -1,
    .groups = {{"What is done", options}, {"Whose ratings", from}},
    .notes = "Photos are never written to. Every sidecar that a photo has (IMG.CR2.xmp, IMG.xmp) "
             "gets the stars, and only the bytes of the rating change; where there is none a raw "
             "photo gets IMG.xmp, any other IMG.JPG.xmp. Stars that are there already are kept "
             "unless --replace is given. 1 to 5 are stars, 0 is rejected (-1 in XMP).",
    .run = run,
};

/* From a reader and photos to a page: the server, the book of ratings and the learning, around the
   runs of the model: one over the photos that were opened, and one whenever others have come. */
#include "browse/browse.h"

#include "browse/http.h"
#include "browse/page.h"
#include "browse/watch.h"
#include "features/extractor.h"
#include "study/prior.h"

#include <time.h>

/* The caller's hooks, with the page told too. */
typedef struct listening {
    const piaa_hooks *hooks;
    piaa_shelf *shelf;
} listening;

static void warn(void *user, const char *line) {
    const listening *l = user;
    if (l->hooks && l->hooks->warn) l->hooks->warn(l->hooks->user, line);
}

static void note(void *user, const char *line) {
    const listening *l = user;
    if (l->hooks && l->hooks->note) l->hooks->note(l->hooks->user, line);
}

static bool stop(void *user) {
    const listening *l = user;
    return l->hooks && l->hooks->stop && l->hooks->stop(l->hooks->user);
}

static void progress(void *user, const char *what, int64_t done, int64_t total) {
    const listening *l = user;
    piaa_show *show = piaa_shelf_take(l->shelf);
    piaa_people_progress(show->people, done, total);
    piaa_shelf_give(l->shelf, show);
    if (l->hooks && l->hooks->progress) l->hooks->progress(l->hooks->user, what, done, total);
}

/* Until somebody stops it, or other photos have come; meanwhile bursts are looked for, and small
   pictures made. */
static void wait_for_stop(listening *l, const piaa_show *show) {
    const struct timespec moment = {.tv_nsec = 50000000};
    while (!stop(l) && piaa_shelf_is_now(l->shelf, show))
        if (!piaa_people_step(show->people) && !piaa_ahead_step(show->ahead))
            nanosleep(&moment, NULL);
}

/* What went wrong with the model is told at once, on the page too; ratings still can be given. */
static bool read_and_serve(listening *l, piaa_reader *reader, const piaa_show *show,
                           piaa_error *error) {
    const piaa_hooks hooks = {
        .user = l, .warn = warn, .progress = progress, .stop = stop, .note = note};
    piaa_error why = {0};
    const bool ok = piaa_reader_read(reader, show->photos, &hooks, NULL, &why);
    piaa_people_finished(show->people, ok || why.code == PIAA_STOPPED ? NULL : why.message);
    if (!ok && why.code != PIAA_STOPPED) warn(l, why.message);
    wait_for_stop(l, show);
    return ok || why.code == PIAA_STOPPED || piaa_error_set(error, why.code, "%s", why.message);
}

/* The last run of the model is the one that counts: it reads what failed before. */
static bool read_whatever_comes(listening *l, piaa_reader *reader, piaa_error *error) {
    piaa_error why = {0};
    bool ok;
    do {
        piaa_show *show = piaa_shelf_take(l->shelf);
        why = (piaa_error){0};
        ok = read_and_serve(l, reader, show, &why);
        piaa_shelf_give(l->shelf, show);
    } while (!stop(l));
    return ok || piaa_error_set(error, why.code, "%s", why.message);
}

static bool serve(const piaa_page *page, piaa_reader *reader, const piaa_browse_options *options,
                  const piaa_hooks *hooks, piaa_error *error) {
    listening l = {.hooks = hooks, .shelf = page->shelf};
    piaa_http *http =
        piaa_http_start(options->door, piaa_page_answer, (void *)(uintptr_t)page, error);
    if (!http) return false;
    if (options->opened) options->opened(options->user, piaa_door_address(options->door));
    piaa_watch *watch = piaa_watch_new(page->shelf, error);
    const bool ok =
        watch && piaa_watch_start(watch, error) && read_whatever_comes(&l, reader, error);
    piaa_watch_free(watch);
    piaa_shelf_end(page->shelf); /* events end with it, which the server waits for */
    piaa_http_stop(http);
    return ok;
}

/* Told before anything else: on the page nobody would learn why nothing is learned. */
static bool prior_fits(const char *file, const piaa_extractor *extractor, piaa_error *error) {
    if (!file) return true;
    piaa_prior *prior = piaa_prior_load(file, error);
    const piaa_slots *slots = piaa_extractor_slots(extractor);
    const bool ok = prior && piaa_prior_fits(prior, piaa_extractor_identity(extractor),
                                             slots->items, slots->count, error);
    piaa_prior_free(prior);
    return ok;
}

bool piaa_browse_run(piaa_reader *reader, const piaa_photos *photos,
                     const piaa_browse_options *options, const piaa_hooks *hooks,
                     piaa_error *error) {
    enum { HELPERS = 2, SECONDS = 30 };
    const piaa_people_source source = {
        .photos = photos,
        .book = options->book,
        .store = piaa_store_path(piaa_reader_store(reader)),
        .slots = piaa_extractor_slots(piaa_reader_extractor(reader)),
        .projection = options->projection,
        .prior = options->prior,
    };
    if (!prior_fits(options->prior, piaa_reader_extractor(reader), error)) return false;
    piaa_page page = {0};
    if (options->program &&
        !(page.helper = piaa_helper_new(options->program, HELPERS, SECONDS, error)))
        return false;
    page.shelf =
        piaa_shelf_new(&source, options->person ? options->person : "me", page.helper, error);
    const bool ok = page.shelf && serve(&page, reader, options, hooks, error);
    piaa_shelf_free(page.shelf);
    piaa_helper_free(page.helper);
    return ok;
}

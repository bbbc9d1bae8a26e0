/* From a reader and photos to a page: the server, the book of ratings and the learning, around one
   run of the model. */
#include "browse/browse.h"

#include "browse/http.h"
#include "browse/page.h"
#include "browse/people.h"
#include "features/extractor.h"

#include <time.h>

/* The caller's hooks, with the page told too. */
typedef struct listening {
    const piaa_hooks *hooks;
    piaa_people *people;
    piaa_ahead *ahead;
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
    piaa_people_progress(l->people, done, total);
    if (l->hooks && l->hooks->progress) l->hooks->progress(l->hooks->user, what, done, total);
}

/* Until somebody stops it; meanwhile bursts are looked for, and small pictures made. */
static void wait_for_stop(listening *l) {
    const struct timespec moment = {.tv_nsec = 50000000};
    while (!stop(l))
        if (!piaa_people_step(l->people) && !piaa_ahead_step(l->ahead)) nanosleep(&moment, NULL);
}

/* What went wrong with the model is told at once, on the page too; ratings still can be given. */
static bool read_and_serve(listening *l, piaa_reader *reader, const piaa_photos *photos,
                           piaa_error *error) {
    const piaa_hooks hooks = {
        .user = l, .warn = warn, .progress = progress, .stop = stop, .note = note};
    piaa_error why = {0};
    const bool ok = piaa_reader_read(reader, photos, &hooks, NULL, &why);
    piaa_people_finished(l->people, ok || why.code == PIAA_STOPPED ? NULL : why.message);
    if (!ok && why.code != PIAA_STOPPED) warn(l, why.message);
    wait_for_stop(l);
    return ok || why.code == PIAA_STOPPED || piaa_error_set(error, why.code, "%s", why.message);
}

static bool serve(const piaa_page *page, piaa_reader *reader, const piaa_photos *photos,
                  const piaa_browse_options *options, const piaa_hooks *hooks, piaa_error *error) {
    listening l = {.hooks = hooks, .people = page->people, .ahead = page->ahead};
    piaa_http *http =
        piaa_http_start(&options->door, piaa_page_answer, (void *)(uintptr_t)page, error);
    if (!http) return false;
    if (options->opened) options->opened(options->user, piaa_door_address(piaa_http_door(http)));
    const bool ok = read_and_serve(&l, reader, photos, error);
    piaa_people_end(page->people); /* events end with it, which the server waits for */
    piaa_http_stop(http);
    return ok;
}

static bool serve_with_helper(piaa_people *people, piaa_reader *reader, const piaa_photos *photos,
                              const piaa_browse_options *options, const piaa_hooks *hooks,
                              piaa_error *error) {
    enum { HELPERS = 2, SECONDS = 30 };
    piaa_page page = {.people = people};
    if (options->program &&
        !(page.helper = piaa_helper_new(options->program, HELPERS, SECONDS, error)))
        return false;
    const piaa_library *library = piaa_people_library(people, 0, error);
    page.ahead = library ? piaa_ahead_new(library, page.helper, error) : NULL;
    const bool ok = page.ahead && serve(&page, reader, photos, options, hooks, error);
    piaa_ahead_free(page.ahead);
    piaa_helper_free(page.helper);
    return ok;
}

bool piaa_browse_run(piaa_reader *reader, const piaa_photos *photos,
                     const piaa_browse_options *options, const piaa_hooks *hooks,
                     piaa_error *error) {
    const piaa_people_source source = {
        .photos = photos,
        .book = options->book,
        .store = piaa_store_path(piaa_reader_store(reader)),
        .slots = piaa_extractor_slots(piaa_reader_extractor(reader)),
        .projection = options->projection,
    };
    piaa_people *people = piaa_people_new(&source, options->person ? options->person : "me", error);
    const bool ok = people && serve_with_helper(people, reader, photos, options, hooks, error);
    piaa_people_free(people);
    return ok;
}

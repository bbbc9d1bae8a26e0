/* piaa browse: a page to rate photos on. */
#include "browse/browse.h"

#include "cli/commands.h"
#include "cli/password.h"
#include "cli/request.h"

#include <spawn.h>
#include <stdlib.h>

/* With the desktop's own browser, where there is a desktop. */
static void open_browser(const char *address) {
    static const char *const openers[] = {"xdg-open", "open"};
    if (!getenv("DISPLAY") && !getenv("WAYLAND_DISPLAY")) return;
    for (size_t i = 0; i < PIAA_COUNT(openers); i++) {
        pid_t child;
        char *const words[] = {(char *)(uintptr_t)openers[i], (char *)(uintptr_t)address, NULL};
        if (posix_spawnp(&child, openers[i], NULL, NULL, words, piaa_environment()) == 0) return;
    }
}

static void opened(void *user, const char *address) {
    piaa_call *call = user;
    if (piaa_call_has(call, "allow-remote"))
        piaa_talk_warn(&call->talk,
                       "the line to the page is not encrypted: whoever listens on the "
                       "network can read the password and see the photos; a proxy with "
                       "TLS in front of it mends that (docs/browse.md)");
    piaa_talk_note(&call->talk, "The page is %s (%s; Ctrl-C ends).", address,
                   piaa_call_has(call, "allow-remote") ? "for whoever knows the password"
                                                       : "only this machine can see it");
    if (!piaa_call_has(call, "no-open")) open_browser(address);
}

static bool browse(piaa_call *call, const piaa_photos *photos, piaa_reader *reader, piaa_door *door,
                   const piaa_projection *words, piaa_error *error) {
    char program[4096];
    const piaa_browse_options options = {.door = door,
                                         .book = piaa_call_value(call, "book"),
                                         .person = piaa_call_value(call, "person"),
                                         .projection = words,
                                         .prior = piaa_call_value(call, "prior"),
                                         .program = piaa_own_program(program, sizeof program),
                                         .opened = opened,
                                         .user = call};
    piaa_talk_catch_stop(&call->talk);
    const bool ok = piaa_browse_run(reader, photos, &options, &call->talk.hooks, error);
    piaa_talk_clear(&call->talk);
    return ok;
}

static bool read_and_browse(piaa_call *call, piaa_door *door, piaa_error *error) {
    piaa_request request;
    if (!piaa_call_request(call, NULL, &request, error)) return false;
    piaa_photos *photos = piaa_call_photos(call, error);
    piaa_model *model =
        photos ? piaa_call_model(call, piaa_call_value(call, "model"), error) : NULL;
    if (model) piaa_call_tell_demonstration(call, piaa_model_get_info(model)->demonstration);
    piaa_reader *reader = model ? piaa_call_reader(call, model, &request, error) : NULL;
    const char *file = piaa_call_value(call, "projection");
    piaa_projection *words = reader && file ? piaa_projection_load(file, error) : NULL;
    const bool ok = reader && (!file || words) && browse(call, photos, reader, door, words, error);
    piaa_projection_free(words);
    piaa_reader_free(reader);
    piaa_model_close(model);
    piaa_photos_free(photos);
    return ok;
}

static bool run(piaa_call *call, piaa_error *error) {
    int64_t port = 0;
    if (!piaa_call_integer(call, "port", 1024, 65535, &port, error)) return false;
    piaa_door_options how = {.listen = piaa_call_value(call, "listen"),
                             .port = (int)port,
                             .names = piaa_call_value(call, "host"),
                             .others = piaa_call_has(call, "allow-remote"),
                             .token = getenv("PIAA_BROWSE_TOKEN")};
    const char *file = piaa_call_value(call, "password-file");
    char *password = NULL;
    if ((how.others || file) && !(password = piaa_password_read(file, error))) return false;
    how.password = password;
    /* What is wrong with it is told before the model is read. */
    piaa_door *door = piaa_door_new(&how, error);
    const bool ok = door && read_and_browse(call, door, error);
    piaa_door_free(door);
    free(password);
    return ok;
}

static const piaa_option options[] = {
    {"person", "WHO", "whose ratings these are", "me", NULL},
    {"book", "FILE", "where ratings are kept", "~/.local/share/piaa/ratings.sqlite", NULL},
    {"projection", "FILE", "the words in which the page explains scores, which piaa reduce wrote",
     NULL, NULL},
    PIAA_OPTION_PRIOR,
    {"port", "N", "the page's port", "one that is free", NULL},
    {"listen", "ADDRESS",
     "the address of this machine at which the page is, 0.0.0.0 for all of them",
     "127.0.0.1, which only this machine reaches", NULL},
    {"allow-remote", NULL, "other machines may open the page, with a password", NULL, NULL},
    {"password-file", "FILE", "the password is the first line of this file",
     "with --allow-remote it is asked for", NULL},
    {"host", "NAMES",
     "other names under which the page is opened, with commas between them, such as "
     "a proxy's",
     NULL, NULL},
    {"no-open", NULL, "do not start a browser", NULL, NULL},
    {"store", "STORE", "folder where the photos' features are kept", "one in ~/.cache/piaa/stores",
     NULL},
    PIAA_OPTION_AGAIN,
    {0},
};

const piaa_command piaa_command_browse = {
    .name = "browse",
    .summary = "Rate photos on a page and see the ranking learn",
    .example = "piaa browse holiday\n"
               "piaa browse holiday --model Qwen3-VL-4B-Instruct\n",
    .operands = "PHOTOS…",
    .least = 1,
    .most = -1,
    .groups = {{"Ratings and the page", options}, {"How photos are read", piaa_request_options}},
    .notes =
        "The page is there at once; photos are read behind it. Keys 1 to 5 rate, X rejects, 0 "
        "takes a rating away, Ctrl-Z undoes; after every rating the scores of all photos are "
        "learned anew. Photos are never changed or deleted. Every rating is on the disk before "
        "the page shows it (docs/browse.md).",
    .run = run,
};

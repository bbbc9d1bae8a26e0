/* What is answered to each address. */
#include "browse/page.h"

#include "base/json.h"
#include "browse/page_files.h"
#include "browse/pictures.h"
#include "data/star_files.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char json_type[] = "application/json";

static void reply_text(piaa_http_reply *reply, int status, const char *type, piaa_text *text) {
    *reply = (piaa_http_reply){.status = status,
                               .type = type,
                               .bytes = text->data,
                               .size = text->length,
                               .owned = text->data};
}

static void reply_error(piaa_http_reply *reply, int status, const char *message) {
    piaa_json_build build = {.root = cJSON_CreateObject()};
    piaa_json_put_text(&build, build.root, "error", message);
    char *text = piaa_json_print(piaa_json_built(&build), false, NULL);
    cJSON_Delete(build.root);
    reply->status = status;
    if (!text) return;
    *reply = (piaa_http_reply){
        .status = status, .type = json_type, .bytes = text, .size = strlen(text), .owned = text};
}

/* ------------------------------------------------------------------------------------- pictures */

/* "17/1732600000" or "17"; SIZE_MAX for another text, or a photo that is not there. */
static size_t read_photo(const piaa_library *library, const char *text) {
    char *end;
    if (*text < '0' || *text > '9') return SIZE_MAX;
    const unsigned long long number = strtoull(text, &end, 10);
    if ((*end && *end != '/') || number >= piaa_library_count(library)) return SIZE_MAX;
    return (size_t)number;
}

static void send_picture(const piaa_library *library, const piaa_show *show, piaa_helper *helper,
                         const char *of, int side, piaa_http_reply *reply) {
    const size_t photo = read_photo(library, of);
    piaa_error error = {0};
    size_t size = 0;
    if (photo == SIZE_MAX) return;
    piaa_ahead_asked(show->ahead, photo);
    void *bytes = piaa_picture_make(piaa_library_path(library, photo), side, helper, &size, &error);
    piaa_ahead_answered(show->ahead);
    if (!bytes) {
        reply_error(reply, 422, error.message);
        return;
    }
    *reply = (piaa_http_reply){.status = 200,
                               .type = "image/jpeg",
                               .bytes = bytes,
                               .size = size,
                               .owned = bytes,
                               .keeps = strchr(of, '/') ? PIAA_HTTP_KEEP : PIAA_HTTP_ASK};
}

/* --------------------------------------------------------------------------------------- events */

enum { EVENT_ROOM = 256, LOOK_MS = 1000, BEATS = 10 };

typedef struct events {
    piaa_shelf *shelf;
    piaa_show *show; /* held */
    piaa_library *library;
    int64_t known;
    piaa_reading told;
} events;

static bool is_news(events *e, const piaa_reading *now) {
    const bool same =
        now->done == e->told.done && now->total == e->told.total && now->reading == e->told.reading;
    e->told = *now;
    return !same;
}

static size_t put_reading(const piaa_reading *now, char *to, size_t room) {
    char left[32] = "null";
    if (isfinite(now->left)) snprintf(left, sizeof left, "%.0f", now->left);
    return (size_t)snprintf(to, room,
                            "event: reading\ndata: {\"reading\":%s,\"read\":%lld,\"total\":%lld,"
                            "\"left\":%s}\n\n",
                            now->reading ? "true" : "false", (long long)now->done,
                            (long long)now->total, left);
}

/* "data: 17\n\n".  When new photos come all streams end, and the page asks for others this soon. */
static size_t put_version(int64_t version, bool first, char *to, size_t room) {
    return (size_t)snprintf(to, room, "%sdata: %lld\n\n", first ? "retry: 500\n" : "",
                            (long long)version);
}

/* A comment now and then shows whether anyone is still there. */
static int64_t next_event(void *user, char *to, size_t room) {
    events *e = user;
    size_t used = 0;
    if (room < EVENT_ROOM) return 0;
    for (int i = 0; i < BEATS && !used; i++) {
        const int64_t version = piaa_library_wait(e->library, e->known, LOOK_MS);
        if (version < 0) return -1;
        if (version != e->known) used = put_version(version, e->known < 0, to, room);
        e->known = version;
        const piaa_reading now = piaa_people_reading(e->show->people);
        if (is_news(e, &now)) used += put_reading(&now, to + used, room - used);
    }
    return used ? (int64_t)used : snprintf(to, room, ":\n\n");
}

static void close_events(void *user) {
    events *e = user;
    piaa_shelf_give(e->shelf, e->show);
    free(e);
}

static void send_events(const piaa_page *page, piaa_show *show, piaa_library *library,
                        piaa_http_reply *reply) {
    events *e = piaa_alloc(1, sizeof *e, NULL);
    piaa_http_stream *stream = e ? piaa_alloc(1, sizeof *stream, NULL) : NULL;
    if (!stream) {
        free(e);
        return;
    }
    *e = (events){.shelf = page->shelf,
                  .show = piaa_shelf_hold(page->shelf, show),
                  .library = library,
                  .known = -1,
                  .told = {.total = -1}};
    *stream = (piaa_http_stream){.next = next_event, .close = close_events, .user = e};
    *reply = (piaa_http_reply){
        .status = 200, .type = "text/event-stream", .stream = stream, .owned = stream};
}

/* -------------------------------------------------------------------------------------- changes */

static bool read_rating(const cJSON *said, const piaa_library *library, size_t *photo,
                        double *score) {
    int64_t number;
    const cJSON *value = said ? cJSON_GetObjectItemCaseSensitive(said, "score") : NULL;
    if (!value || !piaa_json_int(said, "photo", &number) || number < 0 ||
        (uint64_t)number >= piaa_library_count(library))
        return false;
    *photo = (size_t)number;
    *score = cJSON_IsNumber(value) ? value->valuedouble : NAN;
    return cJSON_IsNull(value) || (*score >= 0 && *score <= 5);
}

static void rate(piaa_library *library, const piaa_http_request *request, piaa_http_reply *reply) {
    cJSON *said = piaa_json_parse(request->body, request->size, "the request", NULL);
    piaa_error error = {0};
    size_t photo;
    double score;
    if (!read_rating(said, library, &photo, &score))
        reply_error(reply, 400, "a rating is {\"photo\": its number, \"score\": 0 to 5 or null}");
    else if (!piaa_library_rate(library, photo, score, &error))
        reply_error(reply, 500, error.message);
    else
        *reply = (piaa_http_reply){.status = 200, .type = json_type, .bytes = "{}", .size = 2};
    cJSON_Delete(said);
}

static bool read_pair(const cJSON *said, const piaa_library *library, size_t photos[2],
                      double *win) {
    static const struct {
        const char *word;
        double win;
    } answers[] = {{"left", 1}, {"right", 0}, {"tie", 0.5}, {"skip", NAN}};
    int64_t left, right;
    const cJSON *word = said ? cJSON_GetObjectItemCaseSensitive(said, "answer") : NULL;
    const int64_t count = (int64_t)piaa_library_count(library);
    if (!cJSON_IsString(word) || !piaa_json_int(said, "left", &left) ||
        !piaa_json_int(said, "right", &right) || left < 0 || right < 0 || left >= count ||
        right >= count || left == right)
        return false;
    photos[0] = (size_t)left;
    photos[1] = (size_t)right;
    for (size_t i = 0; i < PIAA_COUNT(answers); i++) {
        if (strcmp(word->valuestring, answers[i].word) != 0) continue;
        *win = answers[i].win;
        return true;
    }
    return false;
}

static void compare(piaa_library *library, const piaa_http_request *request,
                    piaa_http_reply *reply) {
    cJSON *said = piaa_json_parse(request->body, request->size, "the request", NULL);
    piaa_error error = {0};
    size_t photos[2];
    double win;
    if (!read_pair(said, library, photos, &win))
        reply_error(reply, 400,
                    "a comparison is {\"left\": a photo's number, \"right\": another's, "
                    "\"answer\": \"left\", \"right\", \"tie\" or \"skip\"}");
    else if (!piaa_library_compare(library, photos[0], photos[1], win, &error))
        reply_error(reply, 500, error.message);
    else
        *reply = (piaa_http_reply){.status = 200, .type = json_type, .bytes = "{}", .size = 2};
    cJSON_Delete(said);
}

/* The numbers of photos in a list, in new memory; false where one is not that. */
static bool read_photos(const cJSON *said, const char *key, const piaa_library *library,
                        size_t **out, size_t *count) {
    const cJSON *list = said ? cJSON_GetObjectItemCaseSensitive(said, key) : NULL;
    *count = 0;
    if (!cJSON_IsArray(list)) return false;
    *out = piaa_alloc((size_t)cJSON_GetArraySize(list), sizeof **out, NULL);
    const cJSON *item;
    cJSON_ArrayForEach(item, list) {
        if (!*out || !cJSON_IsNumber(item) || !(item->valuedouble >= 0) ||
            item->valuedouble >= (double)piaa_library_count(library) ||
            item->valuedouble != floor(item->valuedouble))
            return false;
        (*out)[(*count)++] = (size_t)item->valuedouble;
    }
    return true;
}

static void pick(piaa_library *library, const piaa_http_request *request, piaa_http_reply *reply) {
    cJSON *said = piaa_json_parse(request->body, request->size, "the request", NULL);
    piaa_error error = {0};
    size_t *kept = NULL, *passed = NULL, kept_count, passed_count;
    if (!read_photos(said, "kept", library, &kept, &kept_count) ||
        !read_photos(said, "passed", library, &passed, &passed_count))
        reply_error(reply, 400, "say {\"kept\": [photos' numbers], \"passed\": [the others']}");
    else if (!piaa_library_pick(library, kept, kept_count, passed, passed_count, &error))
        reply_error(reply, 500, error.message);
    else
        *reply = (piaa_http_reply){.status = 200, .type = json_type, .bytes = "{}", .size = 2};
    free(kept);
    free(passed);
    cJSON_Delete(said);
}

static void undo(piaa_library *library, const piaa_http_request *request, piaa_http_reply *reply) {
    (void)request;
    piaa_error error = {0};
    piaa_text text = {0};
    piaa_undone undone;
    if (!piaa_library_undo(library, &undone, &error))
        reply_error(reply, 500, error.message);
    else if (undone.picks ? piaa_text_format(&text, &error, "{\"photo\":null,\"picks\":true}")
             : undone.photo == SIZE_MAX ? piaa_text_format(&text, &error, "{\"photo\":null}")
             : undone.other == SIZE_MAX
                 ? piaa_text_format(&text, &error, "{\"photo\":%zu}", undone.photo)
                 : piaa_text_format(&text, &error, "{\"photo\":null,\"pair\":[%zu,%zu]}",
                                    undone.photo, undone.other))
        reply_text(reply, 200, json_type, &text);
}

/* ---------------------------------------------------------------------------------------- stars */

static void put_plan(const piaa_star_plan *plan, const char *log, piaa_http_reply *reply) {
    piaa_json_build build = {.root = cJSON_CreateObject()};
    for (size_t i = 0; i < PIAA_COUNT(plan->deeds); i++)
        piaa_json_put(&build, build.root, piaa_star_deed_name((piaa_star_deed)i),
                      cJSON_CreateNumber((double)plan->deeds[i]));
    for (size_t i = plan->count; i-- > 0;)
        if (plan->steps[i].why && !cJSON_GetObjectItem(build.root, "first"))
            piaa_json_put_text(&build, build.root, "first", plan->steps[i].why);
    piaa_json_put(&build, build.root, "darktables", cJSON_CreateNumber((double)plan->darktables));
    if (log) piaa_json_put_text(&build, build.root, "log", log);
    char *text = piaa_json_print(piaa_json_built(&build), false, NULL);
    cJSON_Delete(build.root);
    if (!text) return;
    *reply = (piaa_http_reply){
        .status = 200, .type = json_type, .bytes = text, .size = strlen(text), .owned = text};
}

static void write_stars(piaa_library *library, const piaa_star_options *options, bool writes,
                        piaa_http_reply *reply) {
    piaa_error error = {0};
    piaa_ratings *ratings = piaa_library_ratings(library, &error);
    char *log = piaa_star_files_log(&error);
    piaa_star_plan *plan =
        log ? piaa_star_plan_make(piaa_library_photos(library), ratings, options, &error) : NULL;
    const size_t todo = plan ? plan->deeds[PIAA_STAR_UPDATE] + plan->deeds[PIAA_STAR_NEW] : 0;
    if (plan && (!writes || piaa_star_plan_write(plan, log, options, NULL, &error)))
        put_plan(plan, writes && todo ? log : NULL, reply);
    else
        reply_error(reply, 500, error.message);
    piaa_star_plan_free(plan);
    piaa_ratings_free(ratings);
    free(log);
}

static void stars(piaa_library *library, const piaa_http_request *request, piaa_http_reply *reply) {
    cJSON *said = piaa_json_parse(request->body, request->size, "the request", NULL);
    piaa_star_options options = {0};
    bool writes;
    if (said) (void)piaa_json_bool(said, "embed", &options.embed);
    if (said && piaa_json_bool(said, "write", &writes) &&
        piaa_json_bool(said, "replace", &options.replace))
        write_stars(library, &options, writes, reply);
    else
        reply_error(reply, 400, "say {\"write\": true or false, \"replace\": true or false}");
    cJSON_Delete(said);
}

/* ------------------------------------------------------------------------------------ addresses */

/* ?person=…; SIZE_MAX: no number. */
static size_t read_person(const piaa_http_request *request) {
    const char *text = request->parameter(request->connection, "person");
    char *end;
    if (!text) return 0;
    if (*text < '0' || *text > '9') return SIZE_MAX;
    const unsigned long long number = strtoull(text, &end, 10);
    return *end || number >= PIAA_PEOPLE_MOST ? SIZE_MAX : (size_t)number;
}

static void finish_text(bool ok, piaa_text *text, const piaa_error *error, piaa_http_reply *reply) {
    if (ok) {
        reply_text(reply, 200, json_type, text);
        return;
    }
    free(text->data);
    reply_error(reply, error->code == PIAA_USAGE ? 400 : 500, error->message);
}

static void send_json(piaa_library *library,
                      bool (*write)(piaa_library *library, piaa_text *out, piaa_error *error),
                      piaa_http_reply *reply) {
    piaa_error error = {0};
    piaa_text text = {0};
    finish_text(write(library, &text, &error), &text, &error, reply);
}

static void send_why(piaa_library *library, const piaa_http_request *request,
                     piaa_http_reply *reply) {
    const size_t photo = read_photo(library, strrchr(request->path, '/') + 1);
    piaa_error error = {0};
    piaa_text text = {0};
    if (photo == SIZE_MAX) return;
    if (piaa_library_why(library, photo, &text, &error)) {
        reply_text(reply, 200, json_type, &text);
        return;
    }
    free(text.data);
    reply_error(reply, 500, error.message);
}

static void send_numbers(piaa_library *library,
                         bool (*write)(piaa_library *library, piaa_text *out, piaa_error *error),
                         piaa_http_reply *reply) {
    piaa_error error = {0};
    piaa_text bytes = {0};
    if (write(library, &bytes, &error)) {
        reply_text(reply, 200, "application/octet-stream", &bytes);
        return;
    }
    free(bytes.data);
    reply_error(reply, 500, error.message);
}

static void send_scores(piaa_library *library, const piaa_http_request *request,
                        piaa_http_reply *reply) {
    (void)request;
    send_numbers(library, piaa_library_scores, reply);
}

static void send_times(piaa_library *library, const piaa_http_request *request,
                       piaa_http_reply *reply) {
    (void)request;
    send_numbers(library, piaa_library_times, reply);
}

static void send_people(piaa_people *people, const piaa_http_request *request,
                        piaa_http_reply *reply) {
    piaa_error error = {0};
    piaa_text text = {0};
    finish_text(piaa_people_list(people, read_person(request), &text, &error), &text, &error,
                reply);
}

static void send_together(piaa_people *people, const piaa_http_request *request,
                          piaa_http_reply *reply) {
    piaa_error error = {0};
    piaa_text text = {0};
    (void)request;
    finish_text(piaa_people_together(people, &text, &error), &text, &error, reply);
}

static void add_person(piaa_people *people, const piaa_http_request *request,
                       piaa_http_reply *reply) {
    cJSON *said = piaa_json_parse(request->body, request->size, "the request", NULL);
    const char *name = said ? piaa_json_string(said, "name") : NULL;
    piaa_error error = {0};
    piaa_text text = {0};
    size_t person;
    finish_text(piaa_people_add(people, name ? name : "", &person, &error) &&
                    piaa_text_format(&text, &error, "{\"person\":%zu}", person),
                &text, &error, reply);
    cJSON_Delete(said);
}

static void send_file(const char *name, piaa_http_reply *reply) {
    for (const piaa_page_file *file = piaa_page_files; file->name; file++)
        if (strcmp(file->name, *name ? name : "index.html") == 0)
            *reply = (piaa_http_reply){.status = 200,
                                       .type = file->type,
                                       .bytes = file->bytes,
                                       .size = file->size,
                                       .keeps = PIAA_HTTP_ASK};
}

static bool send_any_picture(const piaa_library *library, const piaa_show *show,
                             piaa_helper *helper, const char *path, piaa_http_reply *reply) {
    static const struct {
        const char *folder;
        int side;
    } sizes[] = {{"small/", PIAA_PICTURE_SMALL},
                 {"large/", PIAA_PICTURE_LARGE},
                 {"whole/", PIAA_PICTURE_WHOLE}};
    for (size_t i = 0; i < PIAA_COUNT(sizes); i++) {
        const size_t n = strlen(sizes[i].folder);
        if (strncmp(path, sizes[i].folder, n) != 0) continue;
        send_picture(library, show, helper, path + n, sizes[i].side, reply);
        return true;
    }
    return false;
}

/* An address answers to GET, and then nothing is changed, or to POST; one that ends in a slash has
   a photo's number behind it. */
static const struct {
    const char *path;
    bool post;
    void (*answer)(piaa_library *library, const piaa_http_request *request, piaa_http_reply *reply);
    bool (*write)(piaa_library *library, piaa_text *out, piaa_error *error); /* JSON, else */
} addresses[] = {
    {"api/list", false, NULL, piaa_library_list},
    {"api/state", false, NULL, piaa_library_state},
    {"api/scores", false, send_scores, NULL},
    {"api/times", false, send_times, NULL},
    {"api/rate", true, rate, NULL},
    {"api/undo", true, undo, NULL},
    {"api/stars", true, stars, NULL},
    {"api/pairs", false, NULL, piaa_library_ask},
    {"api/compare", true, compare, NULL},
    {"api/why/", false, send_why, NULL},
    {"api/bursts", false, NULL, piaa_library_bursts},
    {"api/pick", true, pick, NULL},
};

static bool is_address(const char *path, const char *address) {
    const size_t n = strlen(address);
    return address[n - 1] == '/' ? strncmp(path, address, n) == 0 : strcmp(path, address) == 0;
}

/* Those that are about everybody. */
static const struct {
    const char *path;
    bool post;
    void (*answer)(piaa_people *people, const piaa_http_request *request, piaa_http_reply *reply);
} of_all[] = {
    {"api/people", false, send_people},
    {"api/together", false, send_together},
    {"api/person", true, add_person},
};

static void answer_one(const piaa_page *page, piaa_show *show, piaa_library *library,
                       const piaa_http_request *request, piaa_http_reply *reply) {
    if (!request->post && strcmp(request->path, "api/events") == 0) {
        send_events(page, show, library, reply);
        return;
    }
    for (size_t i = 0; i < PIAA_COUNT(addresses); i++)
        if (request->post == addresses[i].post && is_address(request->path, addresses[i].path)) {
            if (addresses[i].write)
                send_json(library, addresses[i].write, reply);
            else
                addresses[i].answer(library, request, reply);
            return;
        }
    if (!request->post && !send_any_picture(library, show, page->helper, request->path, reply))
        send_file(request->path, reply);
}

static void answer(const piaa_page *page, piaa_show *show, piaa_library *library,
                   const piaa_error *error, const piaa_http_request *request,
                   piaa_http_reply *reply) {
    if (!library) {
        reply_error(reply, error->code == PIAA_USAGE ? 404 : 500, error->message);
        return;
    }
    for (size_t i = 0; i < PIAA_COUNT(of_all); i++)
        if (request->post == of_all[i].post && strcmp(request->path, of_all[i].path) == 0) {
            of_all[i].answer(show->people, request, reply);
            return;
        }
    answer_one(page, show, library, request, reply);
}

/* A show that was replaced has ended, and its people are the new one's. */
static piaa_show *take_show(piaa_shelf *shelf, size_t person, piaa_library **library,
                            piaa_error *error) {
    for (;;) {
        piaa_show *show = piaa_shelf_take(shelf);
        *error = (piaa_error){0};
        *library = piaa_people_library(show->people, person, error);
        if (*library || piaa_shelf_is_now(shelf, show)) return show;
        piaa_shelf_give(shelf, show);
    }
}

void piaa_page_answer(void *user, const piaa_http_request *request, piaa_http_reply *reply) {
    const piaa_page *page = user;
    const size_t person = read_person(request);
    piaa_error error = {0};
    piaa_library *library;
    if (request->post) {
        piaa_show *show = piaa_shelf_take_to_change(page->shelf);
        library = piaa_people_library(show->people, person, &error);
        answer(page, show, library, &error, request, reply);
        piaa_shelf_give_changed(page->shelf, show);
        return;
    }
    piaa_show *show = take_show(page->shelf, person, &library, &error);
    answer(page, show, library, &error, request, reply);
    piaa_shelf_give(page->shelf, show);
}

/*
 * Any bytes as a request to the page: its first line is the path, what follows is the body of a
 * POST, which a path that begins with "+" is.  Whatever is asked is answered with a status and a
 * type.  What follows a "?" in the path is the value of the one parameter that there is, person.
 */
#include "browse/page.h"

#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *find_parameter(void *connection, const char *key) {
    return strcmp(key, "person") == 0 ? connection : NULL;
}

static char world[] = "/tmp/piaa-fuzz-XXXXXX";

static char *in_world(const char *name) {
    char *path = piaa_path_join(world, name, NULL);
    if (!path) abort();
    return path;
}

static void remove_file(const char *name) {
    char *path = in_world(name);
    remove(path);
    free(path);
}

static const char *const files[] = {"1.jpg", "2.jpg", "1.jpg.xmp", "2.jpg.xmp", "1.xmp",
                                    "2.xmp", "book",  "book-wal",  "book-shm"};

static void clean(void) {
    for (size_t i = 0; i < PIAA_COUNT(files); i++) remove_file(files[i]);
    remove(world); /* stays where star logs lie in it */
}

/* Two files that are no photos: who is asked for them says so. */
static piaa_shelf *make_shelf(void) {
    if (!mkdtemp(world)) abort();
    setenv("XDG_DATA_HOME", world, 1);
    setenv("XDG_CACHE_HOME", world, 1);
    atexit(clean);
    piaa_photos *photos = piaa_photos_new(NULL);
    for (size_t i = 0; photos && i < 2; i++) {
        char *path = in_world(files[i]);
        if (!piaa_file_write(path, "x", 1, NULL) || !piaa_photos_add(photos, path, NULL)) abort();
        free(path);
    }
    static char *book;
    book = in_world("book");
    const piaa_people_source source = {.photos = photos, .book = book};
    piaa_shelf *shelf = photos ? piaa_shelf_new(&source, "me", NULL, NULL) : NULL;
    if (!shelf) abort();
    piaa_show *show = piaa_shelf_take(shelf);
    piaa_people_finished(show->people, NULL);
    piaa_shelf_give(shelf, show);
    return shelf;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static piaa_page page;
    if (!page.shelf) page.shelf = make_shelf();
    char *text = malloc(size + 1);
    if (!text) return 0;
    if (size) memcpy(text, data, size);
    text[size] = '\0';
    char *line_end = strchr(text, '\n'), *body = line_end ? line_end + 1 : text + size;
    if (line_end) *line_end = '\0';
    char *person = strchr(text, '?');
    if (person) *person++ = '\0';
    const bool post = *text == '+';
    const piaa_http_request request = {.path = text + post,
                                       .post = post,
                                       .body = body,
                                       .size = (size_t)(text + size - body),
                                       .connection = person,
                                       .parameter = find_parameter};
    piaa_http_reply reply = {.status = 404, .type = "text/plain", .bytes = "", .size = 0};
    piaa_page_answer(&page, &request, &reply);
    if (reply.status < 200 || reply.status > 599 || !reply.type) abort();
    if (reply.stream) reply.stream->close(reply.stream->user);
    free(reply.owned);
    free(text);
    return 0;
}

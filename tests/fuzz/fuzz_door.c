/*
 * Any header fields to the page's door: the lines are path, host, origin, cookie, range, If-Range,
 * If-None-Match and the body of a POST, which a path that begins with "+" is.  Nobody who has
 * neither the password nor the session gets in, and a part of an answer lies within it.
 */
#include "browse/door.h"
#include "browse/part.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LINES = 8 };

static piaa_door *open_door(const char *password) {
    const piaa_door_options options = {
        .listen = "[::]", .others = true, .password = password, .token = "t"};
    piaa_door *door = piaa_door_new(&options, NULL);
    if (!door || !piaa_door_open(door, 8080, NULL)) abort();
    return door;
}

static void ask_for_a_part(char *const *lines, size_t size) {
    const piaa_conditions asked = {lines[4], lines[5], lines[6]};
    const piaa_part part = piaa_part_find(&asked, "\"tag\"", size);
    if (part.from > size || part.size > size - part.from) abort();
    if (part.status == 206 && !part.size) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static piaa_door *door;
    if (!door) door = open_door("nobody types this 8c1f");
    char *text = malloc(size + 1), *lines[LINES] = {0}, *at = text;
    if (!text) return 0;
    if (size) memcpy(text, data, size);
    text[size] = '\0';
    for (size_t i = 0; i < LINES && at; i++) {
        lines[i] = at;
        at = i + 1 < LINES ? strchr(at, '\n') : NULL;
        if (at) *at++ = '\0';
    }
    const bool post = *text == '+';
    const piaa_visit visit = {.path = text + post,
                              .host = lines[1],
                              .origin = lines[2],
                              .cookie = lines[3],
                              .post = post,
                              .body = lines[7] ? lines[7] : ""};
    piaa_welcome welcome;
    piaa_door_ask(door, &visit, &welcome);
    if (welcome.rest || *welcome.cookie || welcome.status < 200 || welcome.status > 499) abort();
    ask_for_a_part(lines, size);
    free(text);
    return 0;
}

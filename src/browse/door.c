/* Addresses, names, the token, the password.
 *
 * The password is kept stretched (browse/stretch.h), with a salt of this run, and what is said is
 * stretched likewise, one after the other, so that no more than some ten are compared in a second
 * whoever asks; after a wrong one its guest is not heard for a while (browse/guests.h).
 */
#include "browse/door.h"

#include "base/hooks.h"
#include "base/memory.h"
#include "browse/stretch.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum {
    RANDOM_BYTES = 16,
    TOKEN_MOST = 64,
    NAME_MOST = 255,
    ROUNDS = 100000, /* of stretching: about a tenth of a second */
};

struct piaa_door {
    char token[TOKEN_MOST + 1];
    union {
        struct sockaddr any;
        struct sockaddr_in four;
        struct sockaddr_in6 six;
    } at;
    char literal[INET6_ADDRSTRLEN + 2]; /* "127.0.0.1", "[::1]" */
    char place[INET6_ADDRSTRLEN + 32];  /* "port 8080 of 127.0.0.1" */
    int port;
    bool everywhere; /* at all addresses of the machine */
    bool loopback;
    char **hosts; /* [host_count] "127.0.0.1:8080", "photos.example" */
    size_t host_count, host_capacity;
    char *address;

    bool locked; /* there is a password */
    char salt[2 * RANDOM_BYTES + 1], session[2 * RANDOM_BYTES + 1];
    unsigned char password[PIAA_STRETCHED];
    pthread_mutex_t mutex; /* over who was wrong, and the comparing */
    piaa_guests guests;
};

static bool make_random(char out[2 * RANDOM_BYTES + 1], piaa_error *error) {
    unsigned char bytes[RANDOM_BYTES];
    const int file = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    const bool ok = file >= 0 && read(file, bytes, sizeof bytes) == (ssize_t)sizeof bytes;
    if (file >= 0) close(file);
    for (size_t i = 0; ok && i < sizeof bytes; i++) snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    return ok || piaa_error_set(error, PIAA_IO, "/dev/urandom gives no random numbers");
}

/* In a time that does not tell how much of `text` is right; what stands behind `expected` in it is
   not looked at. */
static bool begins_with(const char *text, const char *expected) {
    const size_t n = strlen(expected);
    unsigned char differs = strlen(text) < n;
    for (size_t i = 0; i < n && text[i]; i++) differs |= (unsigned char)(text[i] ^ expected[i]);
    return !differs;
}

/* ------------------------------------------------------------------------------------ addresses */

static bool read_port(const char *text, int *port) {
    char *end;
    if (!isdigit((unsigned char)*text)) return false;
    const long value = strtol(text, &end, 10);
    *port = (int)value;
    return !*end && value >= 0 && value <= 65535;
}

/* The address part of "[::1]:8080", "::1", "10.0.0.1:8080", "10.0.0.1" into `out`, and the port. */
static bool split(const char *listen, char out[INET6_ADDRSTRLEN], int *port) {
    const char *begin = listen, *end = listen + strlen(listen), *colon = strrchr(listen, ':');
    if (*listen == '[') {
        begin++;
        end = strchr(listen, ']');
        if (!end || (end[1] && end[1] != ':')) return false;
        colon = end[1] ? end + 1 : NULL;
    } else if (colon && strchr(listen, ':') == colon) {
        end = colon;
    } else {
        colon = NULL; /* IPv6 without brackets */
    }
    if (end == begin || end - begin >= INET6_ADDRSTRLEN) return false;
    snprintf(out, INET6_ADDRSTRLEN, "%.*s", (int)(end - begin), begin);
    return !colon || read_port(colon + 1, port);
}

static void name_place(piaa_door *door, const char *text, bool six) {
    snprintf(door->literal, sizeof door->literal, six ? "[%s]" : "%s", text);
    snprintf(door->place, sizeof door->place, "port %d of %s", door->port, door->literal);
}

static bool read_address(piaa_door *door, const char *listen, piaa_error *error) {
    char text[INET6_ADDRSTRLEN];
    const bool whole = split(listen, text, &door->port);
    if (whole && inet_pton(AF_INET, text, &door->at.four.sin_addr) == 1) {
        const uint32_t number = ntohl(door->at.four.sin_addr.s_addr);
        door->at.four.sin_family = AF_INET;
        door->at.four.sin_port = htons((uint16_t)door->port);
        door->everywhere = number == INADDR_ANY;
        door->loopback = number >> 24 == 127;
        name_place(door, text, false);
        return true;
    }
    memset(&door->at, 0, sizeof door->at);
    if (whole && inet_pton(AF_INET6, text, &door->at.six.sin6_addr) == 1) {
        door->at.six.sin6_family = AF_INET6;
        door->at.six.sin6_port = htons((uint16_t)door->port);
        door->everywhere = IN6_IS_ADDR_UNSPECIFIED(&door->at.six.sin6_addr);
        door->loopback = IN6_IS_ADDR_LOOPBACK(&door->at.six.sin6_addr);
        inet_ntop(AF_INET6, &door->at.six.sin6_addr, text, sizeof text);
        name_place(door, text, true);
        return true;
    }
    return piaa_error_set(error, PIAA_USAGE,
                          "\"%.200s\" is no address to listen at: write one of this machine, such "
                          "as 192.168.1.5:8080 or [::1]:8080; 0.0.0.0 is all of them",
                          listen);
}

const struct sockaddr *piaa_door_socket(const piaa_door *door, socklen_t *size) {
    *size = door->at.any.sa_family == AF_INET6 ? sizeof door->at.six : sizeof door->at.four;
    return &door->at.any;
}

static bool add_host(piaa_door *door, const char *name, int port, piaa_error *error) {
    if (!piaa_grow(&door->hosts, &door->host_capacity, door->host_count + 1, sizeof *door->hosts,
                   error))
        return false;
    char *host = port ? piaa_format(error, "%s:%d", name, port) : piaa_strdup(name, error);
    if (!host) return false;
    door->hosts[door->host_count++] = host;
    return true;
}

/* Names are compared as they are written; a proxy in front keeps its own port, or none. */
static bool add_names(piaa_door *door, const char *names, piaa_error *error) {
    while (names && *names) {
        const size_t n = strcspn(names, ",");
        char name[NAME_MOST + 1];
        if (!n || n > NAME_MOST || strcspn(names, "/@ \t") < n)
            return piaa_error_set(error, PIAA_USAGE,
                                  "\"%.200s\" is no list of hosts: write names with commas between "
                                  "them, such as photos.example,nas:8080",
                                  names);
        snprintf(name, sizeof name, "%.*s", (int)n, names);
        if (!add_host(door, name, 0, error)) return false;
        names += n + (names[n] == ',');
    }
    return true;
}

/* ------------------------------------------------------------------------------- making the door
 */

static bool lock_with(piaa_door *door, const char *password, piaa_error *error) {
    if (!password)
        return door->loopback ||
               piaa_error_set(error, PIAA_USAGE,
                              "%s can be reached from other machines: give a password, too, with "
                              "--password-file",
                              door->literal);
    if (strlen(password) < PIAA_PASSWORD_LEAST)
        return piaa_error_set(error, PIAA_USAGE,
                              "the password has fewer than %d characters: take a longer one",
                              PIAA_PASSWORD_LEAST);
    if (!make_random(door->salt, error) || !make_random(door->session, error)) return false;
    door->locked = true;
    piaa_stretch(password, strlen(password), door->salt, ROUNDS, door->password);
    return true;
}

static bool make(piaa_door *door, const piaa_door_options *options, piaa_error *error) {
    door->port = options->port;
    if (options->token)
        snprintf(door->token, sizeof door->token, "%s", options->token);
    else if (!make_random(door->token, error))
        return false;
    if (!read_address(door, options->listen ? options->listen : "127.0.0.1", error)) return false;
    if (!door->loopback && !options->others)
        return piaa_error_set(
            error, PIAA_USAGE,
            "%s can be reached from other machines: if that is meant, say so with "
            "--allow-remote and give a password",
            door->literal);
    return lock_with(door, options->password, error) && add_names(door, options->names, error);
}

piaa_door *piaa_door_new(const piaa_door_options *options, piaa_error *error) {
    piaa_door *door = piaa_alloc(1, sizeof *door, error);
    if (!door) return NULL;
    pthread_mutex_init(&door->mutex, NULL);
    if (make(door, options, error)) return door;
    piaa_door_free(door);
    return NULL;
}

void piaa_door_free(piaa_door *door) {
    if (!door) return;
    for (size_t i = 0; i < door->host_count; i++) free(door->hosts[i]);
    free(door->hosts);
    free(door->address);
    pthread_mutex_destroy(&door->mutex);
    free(door);
}

/* The first host is the one that people are told. */
bool piaa_door_open(piaa_door *door, int port, piaa_error *error) {
    char own[NAME_MOST + 1] = "";
    const bool named = door->host_count > 0;
    door->port = port;
    if (door->everywhere) gethostname(own, sizeof own - 1);
    if ((*own && !add_host(door, own, port, error)) ||
        !add_host(door, door->literal, port, error) ||
        ((door->loopback || door->everywhere) && !add_host(door, "localhost", port, error)))
        return false;
    const size_t shown = named ? 0 : *own ? door->host_count - 3 : 0;
    door->address = piaa_format(error, "http://%s/%s%s", door->hosts[shown],
                                door->locked ? "" : door->token, door->locked ? "" : "/");
    return door->address;
}

const char *piaa_door_address(const piaa_door *door) {
    return door->address;
}

const char *piaa_door_place(const piaa_door *door) {
    return door->place;
}

/* --------------------------------------------------------------------------------- who may ask */

/* "10.0.0.1:8080" or "[fe80::1]:8080", of our port. */
static bool is_literal(const piaa_door *door, const char *host) {
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    int port = -1;
    return split(host, text, &port) && port == door->port &&
           (inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1);
}

static bool is_own_host(const piaa_door *door, const char *host) {
    if (!host) return false;
    for (size_t i = 0; i < door->host_count; i++)
        if (strcasecmp(host, door->hosts[i]) == 0) return true;
    return door->everywhere && is_literal(door, host);
}

/* Browsers send Origin with every POST, and with whatever another site asks for.  A proxy may have
   put TLS before us. */
static bool is_own_origin(const piaa_door *door, const char *origin) {
    static const char *const schemes[] = {"http://", "https://"};
    if (!origin) return true;
    for (size_t i = 0; i < PIAA_COUNT(schemes); i++) {
        const size_t n = strlen(schemes[i]);
        if (strncmp(origin, schemes[i], n) == 0) return is_own_host(door, origin + n);
    }
    return false;
}

/* What of the path the page's own code gets to see; NULL: nothing. */
static const char *behind_token(const piaa_door *door, const char *path) {
    const size_t n = strlen(door->token);
    return *path == '/' && begins_with(path + 1, door->token) && path[1 + n] == '/' ? path + n + 2
                                                                                    : NULL;
}

/* ---------------------------------------------------------------------------------- the password
 */

/* "a=1; piaa8080=SESSION; b=2": browsers keep one jar for all ports of a host. */
static bool has_session(const piaa_door *door, const char *cookie) {
    char name[16];
    const int n = snprintf(name, sizeof name, "piaa%d=", door->port);
    for (; cookie && *cookie; cookie += strcspn(cookie, ";"), cookie += strspn(cookie, "; "))
        if (strncmp(cookie, name, (size_t)n) == 0 && begins_with(cookie + n, door->session))
            return true;
    return false;
}

static void ask_for_password(piaa_welcome *out, int status, const char *message) {
    out->status = status;
    out->form = true;
    snprintf(out->text, sizeof out->text,
             "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
             "<meta name=\"viewport\" content=\"width=device-width\">"
             "<meta name=\"color-scheme\" content=\"light dark\"><title>piaa</title></head>\n"
             "<body><main><h1>piaa</h1><form method=\"post\" action=\"/\" enctype=\"text/plain\">"
             "<p role=\"alert\">%s</p>"
             "<p><label>Password <input type=\"password\" name=\"password\" required autofocus "
             "autocomplete=\"current-password\"></label> <button>Open</button></p>"
             "</form></main></body></html>\n",
             message);
}

/* "password=SECRET\r\n", as a form of plain text sends it. */
static bool is_password(const piaa_door *door, const char *body) {
    static const char field[] = "password=";
    const size_t n = sizeof field - 1;
    if (strncmp(body, field, n) != 0) return false;
    unsigned char said[PIAA_STRETCHED], differs = 0;
    piaa_stretch(body + n, strcspn(body + n, "\r\n"), door->salt, ROUNDS, said);
    for (size_t i = 0; i < sizeof said; i++) differs |= said[i] ^ door->password[i];
    return !differs;
}

/* The seconds for which this guest is not listened to; 0: it was heard, and *right is what it was.
 */
static int hear(piaa_door *door, const piaa_visit *visit, bool *right) {
    pthread_mutex_lock(&door->mutex);
    const int wait = piaa_guests_wait(&door->guests, visit->guest, piaa_seconds_now());
    *right = !wait && is_password(door, visit->body);
    if (*right)
        piaa_guests_right(&door->guests, visit->guest);
    else if (!wait)
        piaa_guests_wrong(&door->guests, visit->guest, piaa_seconds_now());
    pthread_mutex_unlock(&door->mutex);
    return wait;
}

static void let_in(const piaa_door *door, const char *origin, bool fresh, piaa_welcome *out) {
    out->status = 303;
    snprintf(out->location, sizeof out->location, "/%s/", door->token);
    if (fresh)
        snprintf(out->cookie, sizeof out->cookie, "piaa%d=%s; Path=/; HttpOnly; SameSite=Strict%s",
                 door->port, door->session,
                 strncmp(origin, "https:", strlen("https:")) == 0 ? "; Secure" : "");
}

static void take_password(piaa_door *door, const piaa_visit *visit, piaa_welcome *out) {
    char message[128] = "That is not the password.";
    bool right;
    const int pause = hear(door, visit, &right);
    if (right) {
        let_in(door, visit->origin, true, out);
        return;
    }
    if (pause)
        snprintf(message, sizeof message,
                 "Too many wrong passwords: wait %d second%s, then try again.", pause,
                 pause == 1 ? "" : "s");
    ask_for_password(out, pause ? 429 : 403, message);
}

/* "/f3c1…/", which a browser shows; everything else is asked for by a page. */
static bool is_a_page(const char *path) {
    const size_t n = strlen(path);
    return n > 2 && path[0] == '/' && strcspn(path + 1, "/") == n - 2;
}

static void turn_away(piaa_welcome *out, int status, const char *why) {
    out->status = status;
    snprintf(out->text, sizeof out->text, "%s\n", why);
}

void piaa_door_ask(piaa_door *door, const piaa_visit *visit, piaa_welcome *out) {
    const char *rest = behind_token(door, visit->path);
    const bool entrance = strcmp(visit->path, "/") == 0;
    *out = (piaa_welcome){0};
    if (!is_own_host(door, visit->host))
        turn_away(out, 421, "This is not the address of piaa.");
    else if (!is_own_origin(door, visit->origin) || (visit->post && !visit->origin))
        turn_away(out, 403, "Another site may not ask this.");
    else if (door->locked && entrance && visit->post)
        take_password(door, visit, out);
    else if (door->locked && !has_session(door, visit->cookie))
        if (entrance || (!visit->post && is_a_page(visit->path))) /* of an earlier run, too */
            ask_for_password(out, 200, "");
        else
            turn_away(out, 403, "Say the password first, on the page that piaa browse printed.");
    else if (door->locked && entrance)
        let_in(door, visit->origin, false, out);
    else if (!rest)
        turn_away(out, 403, "Open the whole address that piaa browse printed.");
    else
        out->rest = rest;
}

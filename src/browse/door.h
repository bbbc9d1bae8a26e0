/*
 * Who may ask the page's server.
 *
 * On this machine alone the address is the key: it holds a random token, which every path begins
 * with.  Elsewhere it would be read over somebody's shoulder or in a proxy's log, so that a
 * password is needed besides: whoever says it gets a cookie, which lives as long as the server.
 *
 *     a Host that is not ours           refused: a foreign name that leads here (DNS rebinding)
 *     a foreign Origin, a POST without  refused: another site's page asks
 *     no token                          refused; with a password: "/" asks for it
 *     no cookie, with a password        the form, or refused
 *
 * Where all addresses of the machine are listened at, any of them written as a number may be the
 * Host, since only names can be made to lead somewhere else; and the machine's own name.
 */
#ifndef PIAA_BROWSE_DOOR_H
#define PIAA_BROWSE_DOOR_H

#include "base/error.h"
#include "browse/guests.h"

#include <sys/socket.h>

enum { PIAA_PASSWORD_LEAST = 8 }; /* characters */

typedef struct piaa_door_options {
    const char *listen;   /* "192.168.1.5", "0.0.0.0:8080", "[::1]:8080"; NULL: 127.0.0.1 */
    int port;             /* where listen names none; 0: one that is free */
    const char *names;    /* what it is called besides, with commas: "photos.example,nas:8080";
                             NULL: nothing */
    bool others;          /* may be let in: it may listen where other machines reach it */
    const char *password; /* NULL: none, which only this machine's own addresses may go without */
    const char *token;    /* letters and digits, for tests; NULL: random */
} piaa_door_options;

typedef struct piaa_door piaa_door;

/* Fails: an address that is none; one that others can reach, while they may not be let in or there
 * is no password; a password that is too short (all PIAA_USAGE); no randomness, memory. */
piaa_door *piaa_door_new(const piaa_door_options *options, piaa_error *error) PIAA_MUST_USE;
void piaa_door_free(piaa_door *door);

/* Where to listen; the door's. */
const struct sockaddr *piaa_door_socket(const piaa_door *door, socklen_t *size);
/* The port is known. */
bool piaa_door_open(piaa_door *door, int port, piaa_error *error) PIAA_MUST_USE;
/* What a person opens: "http://127.0.0.1:40123/f3c1…/"; with a password without the token. */
const char *piaa_door_address(const piaa_door *door);
/* "port 8080 of 127.0.0.1", for messages. */
const char *piaa_door_place(const piaa_door *door);

/* A request, before anything is done about it; header fields may be NULL. */
typedef struct piaa_visit {
    const char *path, *host, *origin, *cookie;
    bool post;
    const char *body; /* of a POST */
    piaa_guest guest; /* who asks */
} piaa_visit;

typedef struct piaa_welcome {
    const char *rest; /* the path behind the token's slash; NULL: the visitor is not let in, and */
    int status;       /* … this is the answer */
    bool form;        /* `text` is HTML */
    char text[1024];
    char location[80], cookie[160]; /* of a redirection; "" */
} piaa_welcome;

/* Any thread may ask. */
void piaa_door_ask(piaa_door *door, const piaa_visit *visit, piaa_welcome *out);

#endif

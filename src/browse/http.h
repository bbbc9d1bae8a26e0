/*
 * A server for one page, and what is asked of it; who may ask is the door's affair (browse/door.h).
 *
 *     piaa_http *http = piaa_http_start(door, answer, library, &error);
 *     piaa_door_address(door)                      // "http://127.0.0.1:40123/f3c1…/"
 *     piaa_http_stop(http);                        // waits for the answers in hand
 *
 * Answers forbid the browser to load anything from elsewhere or to show the page within another.
 * Sizes, headers, connections and the time that a client may take are bounded (browse/patience.h).
 */
#ifndef PIAA_BROWSE_HTTP_H
#define PIAA_BROWSE_HTTP_H

#include "browse/door.h"

typedef struct piaa_http piaa_http;

/* A request that may be answered.  Its strings are the server's. */
typedef struct piaa_http_request {
    const char *path; /* behind the token's slash: "", "api/rate" */
    bool post;
    const char *body; /* of a POST, ended with NUL; "" */
    size_t size;
    void *connection;
    /* The value of ?key=…; NULL: not there. */
    const char *(*parameter)(void *connection, const char *key);
} piaa_http_request;

/* An answer as it goes: next() puts up to `room` bytes at `to`, waiting for them if it has to;
 * 0: come again, -1: that was all.  close() is called once, whatever happened. */
typedef struct piaa_http_stream {
    int64_t (*next)(void *user, char *to, size_t room);
    void (*close)(void *user);
    void *user;
} piaa_http_stream;

/* What the browser may do with an answer of 200, which it gets in parts if it likes, or not again.
 */
typedef enum piaa_http_keeping {
    PIAA_HTTP_NEVER, /* it must not be kept: it changes, and is not sent in parts */
    PIAA_HTTP_ASK,   /* kept, and asked for each time whether it is still the same */
    PIAA_HTTP_KEEP,  /* kept for good: the address changes with what it is of */
} piaa_http_keeping;

typedef struct piaa_http_reply {
    int status;       /* 200, 404, … */
    const char *type; /* "application/json" */
    const void *bytes;
    size_t size;
    void *owned; /* freed when the answer was sent; mostly `bytes` */
    piaa_http_keeping keeps;
    const piaa_http_stream *stream; /* instead of bytes; copied; NULL */
} piaa_http_reply;

/* Called on any of the server's threads, several at a time.  `reply` is 404 until it is filled. */
typedef void (*piaa_http_answer)(void *user, const piaa_http_request *request,
                                 piaa_http_reply *reply);

/* The door outlives the server, and has its address from here on.  Fails: the port is taken or may
   not be used. */
piaa_http *piaa_http_start(piaa_door *door, piaa_http_answer answer, void *user,
                           piaa_error *error) PIAA_MUST_USE;
/* Streams have to end by themselves: their next() has to say -1 from now on. */
void piaa_http_stop(piaa_http *http);

#endif

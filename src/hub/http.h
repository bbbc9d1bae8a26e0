/* Downloads over HTTP and HTTPS (libcurl): one GET at a time, resumed where a connection broke,
 * tried again where that may help. Certificates are always verified; SSL_CERT_FILE may name another
 * bundle of authorities. */
#ifndef PIAA_HUB_HTTP_H
#define PIAA_HUB_HTTP_H

#include "base/memory.h"

/* Zeros and NULLs stand for the values in brackets. */
typedef struct piaa_http_options {
    /* Bearer token [none]: sent to the scheme, host and port of the address given and to no other
       that it redirects to; over plain http to this machine alone. */
    const char *token;
    int tries;    /* in a row that bring less than 1 MB [6] */
    double pause; /* seconds before the second try, doubled for each later one up to 30 [1] */
    /* The longest wait, in seconds, that a server's Retry-After is granted [300] */
    double patience;
    double connect; /* seconds for a connection to come about [30] */
    double stall;   /* seconds of less than 1 kB/s after which a connection counts as broken [30] */
    /* Stop ends waits and transfers; warn hears of waits of 5 s and more [none] */
    const piaa_hooks *hooks;
} piaa_http_options;

/* Where the bytes go.  piaa_http_get keeps `length`. */
typedef struct piaa_http_sink {
    void *user;
    uint64_t length; /* bytes that it holds; the server is asked for those after them */
    uint64_t size;   /* bytes that there have to be in the end; PIAA_HTTP_UNKNOWN */
    bool (*add)(void *user, const void *data, size_t count, piaa_error *error);
    /* Empties it, where the server cannot go on from `length`. */
    bool (*restart)(void *user, piaa_error *error);
} piaa_http_sink;

#define PIAA_HTTP_UNKNOWN UINT64_MAX

/* What the server said last. */
typedef struct piaa_http_answer {
    int status;      /* 0: nothing */
    char reason[64]; /* its X-Error-Code header; "" */
} piaa_http_answer;

typedef struct piaa_http piaa_http;

/* The options are copied, the token included; hooks has to live as long. */
piaa_http *piaa_http_new(const piaa_http_options *options, piaa_error *error) PIAA_MUST_USE;
void piaa_http_free(piaa_http *http);

/* Fills the sink.  On failure the sink keeps what has come (a later call goes on from there), and
 * answer->status is what a caller may say more about: 401, 403, 404.  PIAA_IO; PIAA_STOPPED; what
 * the sink's functions set. */
bool piaa_http_get(piaa_http *http, const char *url, piaa_http_sink *sink, piaa_http_answer *answer,
                   piaa_error *error) PIAA_MUST_USE;

/* Appends the whole answer, of `limit` bytes at most, to `out`. */
bool piaa_http_read(piaa_http *http, const char *url, size_t limit, piaa_text *out,
                    piaa_http_answer *answer, piaa_error *error) PIAA_MUST_USE;

/* PIAA_USAGE unless `url` is an http or https address with a host, and without a user name or
 * password (those would be seen in messages and in the list of processes). */
bool piaa_http_check(const char *url, piaa_error *error) PIAA_MUST_USE;

/* Whether a token would be sent there: over https, or to this machine. */
bool piaa_http_is_private(const char *url);

/* Appends `text` with every byte but letters, digits and -._~ as %XX. */
bool piaa_http_escape(piaa_text *out, const char *text, piaa_error *error) PIAA_MUST_USE;

#endif

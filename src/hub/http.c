/* Downloads over HTTP and HTTPS.
 *
 * A try is one request and the redirects that it leads to, which are followed here and not by
 * libcurl, so that each hop decides anew whether the token may go along.  A try that ends early
 * leaves the sink's bytes where they are, and the next one asks for the rest. */
#include "hub/http.h"
#include "base/hooks.h"

#include <ctype.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum {
    REDIRECTS_MOST = 10,
    PAUSE_MOST = 30,           /* seconds */
    ERROR_PAGE_MOST = 1 << 20, /* bytes of an answer that nobody reads */
    PROGRESS = 1 << 20,        /* bytes with which a try counts as one that helped */
    SLOWEST = 1000,            /* bytes a second */
    NOTE_WAIT = 5              /* seconds */
};

struct piaa_http {
    CURL *curl;
    piaa_http_options options;
    char *token;
    bool reached; /* some server has answered: what fails now may mend itself */
};

/* One request's answer as it comes in. */
typedef struct exchange {
    piaa_http *http;
    piaa_http_sink *sink;
    piaa_error *error;
    uint64_t length;      /* of the body; PIAA_HTTP_UNKNOWN */
    uint64_t range_start; /* PIAA_HTTP_UNKNOWN: no Content-Range */
    uint64_t dropped;     /* bytes of a body that nobody reads */
    char reason[64];
    bool headers_end, judged;
    bool failed;     /* *error is set, and another try would not help */
    bool wrong_part; /* the server sent another part than was asked for */
} exchange;

typedef enum outcome { DONE, FAILED, AGAIN } outcome;

/* ------------------------------------------------------------------------------------ addresses */

typedef struct address {
    char scheme[8], host[256], port[8];
    bool user;
} address;

static bool copy_part(CURLU *url, CURLUPart part, unsigned flags, char *out, size_t size) {
    char *text = NULL;
    bool ok = curl_url_get(url, part, &text, flags) == CURLUE_OK && strlen(text) < size;
    if (ok) memcpy(out, text, strlen(text) + 1);
    curl_free(text);
    return ok;
}

static bool take_apart(const char *text, address *out) {
    *out = (address){0};
    char user[2];
    CURLU *url = curl_url();
    bool ok = url && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK &&
              copy_part(url, CURLUPART_SCHEME, 0, out->scheme, sizeof out->scheme) &&
              copy_part(url, CURLUPART_HOST, 0, out->host, sizeof out->host) &&
              copy_part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT, out->port, sizeof out->port);
    if (ok) {
        char *found = NULL;
        out->user = curl_url_get(url, CURLUPART_USER, &found, 0) == CURLUE_OK ||
                    copy_part(url, CURLUPART_PASSWORD, 0, user, sizeof user);
        curl_free(found);
    }
    curl_url_cleanup(url);
    return ok && (strcasecmp(out->scheme, "http") == 0 || strcasecmp(out->scheme, "https") == 0);
}

bool piaa_http_check(const char *url, piaa_error *error) {
    address a;
    if (!take_apart(url, &a))
        return piaa_error_set(
            error, PIAA_USAGE,
            "the address \"%.200s\" is not one that begins with https:// and names a host", url);
    if (a.user)
        return piaa_error_set(
            error, PIAA_USAGE,
            "the address of %s holds a user name or password: give a token in HF_TOKEN instead",
            a.host);
    return true;
}

static bool is_secure(const address *a) {
    return strcasecmp(a->scheme, "https") == 0;
}

static bool is_loopback(const address *a) {
    return strcasecmp(a->host, "localhost") == 0 || strcmp(a->host, "[::1]") == 0 ||
           (strncmp(a->host, "127.", 4) == 0 && strspn(a->host, "0123456789.") == strlen(a->host));
}

static bool same_origin(const address *a, const address *b) {
    return strcasecmp(a->scheme, b->scheme) == 0 && strcasecmp(a->host, b->host) == 0 &&
           strcmp(a->port, b->port) == 0;
}

bool piaa_http_is_private(const char *url) {
    address a;
    return take_apart(url, &a) && (is_secure(&a) || is_loopback(&a));
}

bool piaa_http_escape(piaa_text *out, const char *text, piaa_error *error) {
    bool ok = true;
    for (const char *c = text; ok && *c; c++)
        ok = isalnum((unsigned char)*c) || strchr("-._~", *c)
                 ? piaa_text_add(out, c, 1, error)
                 : piaa_text_format(out, error, "%%%02X", (unsigned)(unsigned char)*c);
    return ok;
}

/* ------------------------------------------------------------------------- what curl calls back */

static bool asked_to_stop(const piaa_http *http) {
    const piaa_hooks *hooks = http->options.hooks;
    return hooks && hooks->stop && hooks->stop(hooks->user);
}

static int on_progress(void *user, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d) {
    PIAA_UNUSED(a), PIAA_UNUSED(b), PIAA_UNUSED(c), PIAA_UNUSED(d);
    return asked_to_stop(user);
}

/* The value of the header `name` in a line that is not NUL-terminated; NULL if it is another
   header. */
static const char *header_value(const char *line, size_t size, const char *name, size_t *length) {
    size_t n = strlen(name);
    if (size <= n || strncasecmp(line, name, n) != 0 || line[n] != ':') return NULL;
    const char *value = line + n + 1, *end = line + size;
    while (value < end && isspace((unsigned char)*value)) value++;
    while (end > value && isspace((unsigned char)end[-1])) end--;
    *length = (size_t)(end - value);
    return value;
}

static bool parse_count(const char *text, size_t length, uint64_t *out) {
    uint64_t value = 0;
    for (size_t i = 0; i < length; i++) {
        unsigned digit = (unsigned)(text[i] - '0');
        if (digit > 9 || value > (UINT64_MAX - 1 - digit) / 10) return false;
        value = value * 10 + digit;
    }
    *out = value;
    return length > 0;
}

static size_t on_header(char *line, size_t one, size_t size, void *user) {
    exchange *x = user;
    PIAA_UNUSED(one);
    size_t length;
    const char *value;
    if (size >= 5 && strncmp(line, "HTTP/", 5) == 0) { /* an interim answer may have come before */
        x->length = x->range_start = PIAA_HTTP_UNKNOWN;
        x->headers_end = false;
        x->reason[0] = '\0';
    } else if (size <= 2 && (line[0] == '\r' || line[0] == '\n')) {
        x->headers_end = true;
    } else if ((value = header_value(line, size, "Content-Length", &length))) {
        parse_count(value, length, &x->length);
    } else if ((value = header_value(line, size, "Content-Range", &length))) {
        const char *minus =
            length > 6 && strncasecmp(value, "bytes ", 6) == 0 ? memchr(value, '-', length) : NULL;
        if (minus) parse_count(value + 6, (size_t)(minus - value - 6), &x->range_start);
    } else if ((value = header_value(line, size, "X-Error-Code", &length))) {
        if (length >= sizeof x->reason) length = sizeof x->reason - 1;
        memcpy(x->reason, value, length);
        x->reason[length] = '\0';
    }
    return size;
}

static int status_of(const exchange *x) {
    long status = 0;
    curl_easy_getinfo(x->http->curl, CURLINFO_RESPONSE_CODE, &status);
    return (int)status;
}

/* Decides, before the first byte, whether the body is what the sink waits for. */
static bool judge(exchange *x) {
    piaa_http_sink *sink = x->sink;
    x->judged = true;
    uint64_t start = status_of(x) == 206 ? x->range_start : 0;
    if (start != 0 && start != sink->length) {
        x->wrong_part = true;
        return false;
    }
    uint64_t total = x->length == PIAA_HTTP_UNKNOWN ? PIAA_HTTP_UNKNOWN : start + x->length;
    if (sink->size != PIAA_HTTP_UNKNOWN && total != PIAA_HTTP_UNKNOWN && total != sink->size) {
        x->failed = true;
        return piaa_error_set(x->error, PIAA_FORMAT,
                              "the server offers %llu bytes where %llu are listed",
                              (unsigned long long)total, (unsigned long long)sink->size);
    }
    if (start == sink->length) return true;
    if (!sink->restart(sink->user, x->error)) {
        x->failed = true;
        return false;
    }
    sink->length = 0;
    return true;
}

static size_t on_body(char *data, size_t one, size_t size, void *user) {
    exchange *x = user;
    PIAA_UNUSED(one);
    int status = status_of(x);
    if (asked_to_stop(x->http)) return 0; /* on_progress is asked once a second only */
    if (status != 200 && status != 206) {
        x->dropped += size;
        return x->dropped > ERROR_PAGE_MOST ? 0 : size;
    }
    if (!x->judged && !judge(x)) return 0;
    if (x->sink->size != PIAA_HTTP_UNKNOWN && size > x->sink->size - x->sink->length) {
        x->failed = true;
        piaa_error_set(x->error, PIAA_FORMAT,
                       "the server sends more than the %llu bytes that are listed",
                       (unsigned long long)x->sink->size);
        return 0;
    }
    if (!x->sink->add(x->sink->user, data, size, x->error)) {
        x->failed = true;
        return 0;
    }
    x->sink->length += size;
    return size;
}

/* ---------------------------------------------------------------------------------- one request */

static void set_protocols(CURL *curl) {
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
#endif
}

/* The address is `at`; the token goes along if that is where the first one, `first`, was.  *out:
   how it ended for curl. */
static bool exchange_once(exchange *x, const char *url, const address *at, const address *first,
                          CURLcode *out, piaa_error *error) {
    piaa_http *http = x->http;
    CURL *curl = http->curl;
    struct curl_slist *headers = NULL;
    char range[32], agent[64];
    snprintf(range, sizeof range, "%llu-", (unsigned long long)x->sink->length);
    snprintf(agent, sizeof agent, "piaa/%s", piaa_version());
    if (http->token && same_origin(at, first) && (is_secure(at) || is_loopback(at))) {
        char *line = piaa_format(error, "Authorization: Bearer %s", http->token);
        headers = line ? curl_slist_append(NULL, line) : NULL;
        free(line);
        if (!headers) return piaa_error_set(error, PIAA_MEMORY, "out of memory");
    }
    curl_easy_reset(curl); /* connections and names looked up are kept */
    set_protocols(curl);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, agent);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_RANGE, x->sink->length ? range : NULL);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    const char *authorities = getenv("SSL_CERT_FILE");
    if (authorities && *authorities) curl_easy_setopt(curl, CURLOPT_CAINFO, authorities);
    if (is_loopback(at))
        curl_easy_setopt(curl, CURLOPT_PROXY,
                         ""); /* a proxy would see the token, and "this machine" is another there */
    curl_easy_setopt(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, 256L << 10);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)(http->options.connect * 1000));
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, (long)SLOWEST);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME,
                     http->options.stall < 1 ? 1L : (long)http->options.stall);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, http);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, x);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, x);
    *out = curl_easy_perform(curl);
    curl_slist_free_all(headers);
    return true;
}

/* -------------------------------------------------------------------------------------- one try */

static bool is_redirect(int status) {
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static bool is_passing(int status) {
    return status == 408 || status == 429 || (status >= 500 && status != 501 && status != 505);
}

/* Where a redirect leads; allocated; NULL with the error set. */
static char *next_address(const piaa_http *http, const address *at, piaa_error *error) {
    const char *target = NULL;
    address next;
    curl_easy_getinfo(http->curl, CURLINFO_REDIRECT_URL, &target);
    if (!target || !take_apart(target, &next) || next.user)
        piaa_error_set(error, PIAA_IO, "%s redirects to an address that is none", at->host);
    else if (is_secure(at) && !is_secure(&next))
        piaa_error_set(error, PIAA_IO, "%s redirects from https to plain http, which is refused",
                       at->host);
    else
        return piaa_strdup(target, error);
    return NULL;
}

/* What to make of an answer that is no redirect.  Sets *error unless it is DONE; AGAIN: another try
   may help. */
static outcome weigh(exchange *x, CURLcode code, const address *at, piaa_error *error) {
    piaa_http *http = x->http;
    piaa_http_sink *sink = x->sink;
    int status = status_of(x);
    bool known = sink->size != PIAA_HTTP_UNKNOWN, good = status == 200 || status == 206;
    if (x->failed) return FAILED;
    if (code == CURLE_ABORTED_BY_CALLBACK || asked_to_stop(http)) {
        piaa_error_set(
            error, PIAA_STOPPED,
            "stopped; what has come so far is kept, and the next run goes on from there");
        return FAILED;
    }
    if (code == CURLE_OK && good && x->headers_end && !x->judged && !judge(x)) /* an empty body */
        if (x->failed) return FAILED;
    if ((x->wrong_part || status == 416) && sink->length) {
        if (!sink->restart(sink->user, error)) return FAILED;
        sink->length = 0;
        piaa_error_set(error, PIAA_IO, "%s cannot go on in the middle of a file", at->host);
        return AGAIN;
    }
    if (good && known && sink->length == sink->size) return DONE;
    if (code == CURLE_OK && good && x->headers_end && !known) return DONE;
    if (status && !good && (code == CURLE_OK || code == CURLE_WRITE_ERROR)) {
        piaa_error_set(error, PIAA_IO, "%s answers with status %d", at->host, status);
        return is_passing(status) ? AGAIN : FAILED;
    }
    switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        piaa_error_set(error, PIAA_IO,
                       "the certificate of %s cannot be verified (%s): if your network has an "
                       "authority of its own, name its "
                       "certificates in SSL_CERT_FILE",
                       at->host, curl_easy_strerror(code));
        return FAILED;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_OUT_OF_MEMORY:
        piaa_error_set(error, code == CURLE_OUT_OF_MEMORY ? PIAA_MEMORY : PIAA_IO, "%s: %s",
                       at->host, curl_easy_strerror(code));
        return FAILED;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
        piaa_error_set(error, PIAA_IO,
                       "%s cannot be reached (%s): check the connection to the network", at->host,
                       curl_easy_strerror(code));
        return http->reached ? AGAIN : FAILED;
    case CURLE_OPERATION_TIMEDOUT:
        piaa_error_set(error, PIAA_IO, "%s sent less than 1 kB/s for %.0f s", at->host,
                       http->options.stall);
        return AGAIN;
    default:
        if (known && sink->length)
            piaa_error_set(error, PIAA_IO, "the connection to %s broke after %.4g of %.4g MB",
                           at->host, (double)sink->length / 1e6, (double)sink->size / 1e6);
        else
            piaa_error_set(error, PIAA_IO,
                           "the connection to %s broke before the whole answer had come", at->host);
        return AGAIN;
    }
}

/* *wait: the seconds that the server asked for, negative if it did not. */
static outcome try_once(piaa_http *http, const char *url, piaa_http_sink *sink,
                        piaa_http_answer *answer, double *wait, piaa_error *error) {
    address first, at;
    if (!piaa_http_check(url, error) || !take_apart(url, &first)) return FAILED;
    char *here = piaa_strdup(url, error);
    for (int hop = 0; here && hop <= REDIRECTS_MOST; hop++) {
        exchange x = {.http = http, .sink = sink, .error = error, .length = PIAA_HTTP_UNKNOWN};
        x.range_start = PIAA_HTTP_UNKNOWN;
        CURLcode code = CURLE_OK;
        if (!take_apart(here, &at) || !exchange_once(&x, here, &at, &first, &code, error)) break;
        answer->status = status_of(&x);
        memcpy(answer->reason, x.reason, sizeof answer->reason);
        http->reached = http->reached || answer->status;
        curl_off_t seconds = 0;
        curl_easy_getinfo(http->curl, CURLINFO_RETRY_AFTER, &seconds);
        *wait = seconds > 0 ? (double)seconds : -1;
        if (!is_redirect(answer->status) || code == CURLE_ABORTED_BY_CALLBACK) {
            free(here);
            return weigh(&x, code, &at, error);
        }
        char *next = next_address(http, &at, error);
        free(here);
        here = next;
        if (here && hop == REDIRECTS_MOST)
            piaa_error_set(error, PIAA_IO, "%s redirects in a circle", first.host);
    }
    free(here);
    return FAILED;
}

/* ---------------------------------------------------------------------------------------- tries */

/* In short naps, so that Ctrl-C is answered. */
static bool sleep_for(const piaa_http *http, double seconds, piaa_error *error) {
    for (double end = piaa_seconds_now() + seconds; piaa_seconds_now() < end;) {
        if (asked_to_stop(http))
            return piaa_error_set(error, PIAA_STOPPED, "stopped while waiting for the server");
        double left = end - piaa_seconds_now();
        struct timespec nap = {0, left < 0.05 ? (long)(left * 1e9) + 1 : 50000000};
        if (left > 0) nanosleep(&nap, NULL);
    }
    return true;
}

static void note_wait(const piaa_http *http, const char *why, double seconds) {
    if (seconds >= NOTE_WAIT)
        piaa_hooks_warn(http->options.hooks, "%s; the next try is in %.0f s", why, seconds);
}

bool piaa_http_get(piaa_http *http, const char *url, piaa_http_sink *sink, piaa_http_answer *answer,
                   piaa_error *error) {
    piaa_http_answer ignored;
    piaa_error own = {0};
    if (!answer) answer = &ignored;
    if (!error) error = &own; /* its text is needed for the last message */
    *answer = (piaa_http_answer){0};
    double pause = http->options.pause;
    for (int tries = 1;; tries++) {
        double wait = -1;
        uint64_t before = sink->length;
        outcome end = try_once(http, url, sink, answer, &wait, error);
        if (end == DONE) {
            piaa_error_clear(error);
            return true;
        }
        if (end == FAILED) return false;
        if (sink->length > before && sink->length - before >= PROGRESS) {
            tries = 1;
            pause = http->options.pause;
        }
        if (wait > http->options.patience) {
            char *why = piaa_strdup(error->message, NULL);
            piaa_error_set(error, PIAA_IO, "%s and asks to wait %.0f s: try again after that",
                           why ? why : "the server is busy", wait);
            free(why);
            return false;
        }
        if (tries >= http->options.tries) {
            char *why = piaa_strdup(error->message, NULL);
            piaa_error_set(error, PIAA_IO, "%s (%d tries): try again later, what has come is kept",
                           why ? why : "the transfer failed", tries);
            free(why);
            return false;
        }
        if (wait < pause) wait = pause;
        note_wait(http, error->message, wait);
        if (!sleep_for(http, wait, error)) return false;
        pause = pause * 2 < PAUSE_MOST ? pause * 2 : PAUSE_MOST;
    }
}

/* -------------------------------------------------------------------------------- into a string */

typedef struct text_sink {
    piaa_text *out;
    size_t start, limit;
} text_sink;

static bool add_text(void *user, const void *data, size_t count, piaa_error *error) {
    text_sink *sink = user;
    if (count > sink->limit - (sink->out->length - sink->start))
        return piaa_error_set(error, PIAA_FORMAT, "the server's answer is longer than %.4g MB",
                              (double)sink->limit / 1e6);
    return piaa_text_add(sink->out, data, count, error);
}

static bool restart_text(void *user, piaa_error *error) {
    text_sink *sink = user;
    PIAA_UNUSED(error);
    sink->out->length = sink->start;
    return true;
}

bool piaa_http_read(piaa_http *http, const char *url, size_t limit, piaa_text *out,
                    piaa_http_answer *answer, piaa_error *error) {
    text_sink to = {.out = out, .start = out->length, .limit = limit};
    piaa_http_sink sink = {
        .user = &to, .size = PIAA_HTTP_UNKNOWN, .add = add_text, .restart = restart_text};
    return piaa_http_get(http, url, &sink, answer, error);
}

/* ------------------------------------------------------------------------------- beginning, end */

static double or_default(double value, double fallback) {
    return value > 0 ? value : fallback;
}

piaa_http *piaa_http_new(const piaa_http_options *options, piaa_error *error) {
    piaa_http *http = piaa_alloc(1, sizeof *http, error);
    if (!http) return NULL;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) !=
        CURLE_OK) { /* counted by libcurl: each call has its cleanup */
        free(http);
        piaa_error_set(error, PIAA_MEMORY, "libcurl cannot be started");
        return NULL;
    }
    if (options) http->options = *options;
    piaa_http_options *o = &http->options;
    if (o->tries <= 0) o->tries = 6;
    o->pause = or_default(o->pause, 1);
    o->patience = or_default(o->patience, 300);
    o->connect = or_default(o->connect, 30);
    o->stall = or_default(o->stall, 30);
    http->curl = curl_easy_init();
    bool ok = http->curl || piaa_error_set(error, PIAA_MEMORY, "libcurl cannot be started");
    if (ok && o->token) ok = (http->token = piaa_strdup(o->token, error)) != NULL;
    o->token = NULL;
    if (ok) return http;
    piaa_http_free(http);
    return NULL;
}

void piaa_http_free(piaa_http *http) {
    if (!http) return;
    curl_easy_cleanup(http->curl);
    curl_global_cleanup();
    free(http->token);
    free(http);
}

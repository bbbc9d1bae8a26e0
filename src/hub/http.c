/* Downloads over HTTP and HTTPS.
 *
 * A try is one transfer of libcurl's, which follows redirects, keeps the token from other hosts,
 * and asks for the rest of what the sink holds.  A try that ends early leaves the sink's bytes
 * where they are for the next one.  What is done here is to judge how a try ended, in words and in
 * whether another may help. */
#include "hub/http.h"

#include "base/hooks.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum {
    REDIRECTS_MOST = 10,
    PAUSE_MOST = 30,    /* seconds */
    PROGRESS = 1 << 20, /* bytes with which a try counts as one that helped */
    SLOWEST = 1000,     /* bytes a second */
    NOTE_WAIT = 5       /* seconds */
};

struct piaa_http {
    CURL *curl;
    piaa_http_options options;
    char *token;
    bool reached; /* some server has answered: what fails now may mend itself */
};

/* One try. */
typedef struct exchange {
    piaa_http *http;
    piaa_http_sink *sink;
    piaa_error *error;
    uint64_t from;    /* the sink's length at its beginning */
    bool headers_end; /* of the last answer; libcurl takes one that ends within them for whole */
    bool failed;      /* *error is set, and another try would not help */
} exchange;

typedef enum outcome { DONE, FAILED, AGAIN } outcome;

/* ------------------------------------------------------------------------------------ addresses */

typedef struct address {
    char host[256];
    bool secure, user; /* https; it names a user or holds a password */
} address;

/* NULL where the address has no such part. */
static char *part_of(CURLU *url, CURLUPart part) {
    char *text = NULL;
    return curl_url_get(url, part, &text, 0) == CURLUE_OK ? text : NULL;
}

static bool take_apart(const char *text, address *out) {
    CURLU *url = curl_url();
    const bool parsed = url && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK;
    char *scheme = parsed ? part_of(url, CURLUPART_SCHEME) : NULL;
    char *host = parsed ? part_of(url, CURLUPART_HOST) : NULL;
    char *user = parsed ? part_of(url, CURLUPART_USER) : NULL;
    char *word = parsed ? part_of(url, CURLUPART_PASSWORD) : NULL;
    *out = (address){.secure = scheme && strcasecmp(scheme, "https") == 0, .user = user || word};
    const bool ok = host && strlen(host) < sizeof out->host && scheme &&
                    (out->secure || strcasecmp(scheme, "http") == 0);
    if (ok) memcpy(out->host, host, strlen(host) + 1);
    curl_free(scheme);
    curl_free(host);
    curl_free(user);
    curl_free(word);
    curl_url_cleanup(url);
    return ok;
}

static bool check(const char *url, address *out, piaa_error *error) {
    if (!take_apart(url, out))
        return piaa_error_set(
            error, PIAA_USAGE,
            "the address \"%.200s\" is not one that begins with https:// and names a host", url);
    if (out->user)
        return piaa_error_set(
            error, PIAA_USAGE,
            "the address of %s holds a user name or password: give a token in HF_TOKEN instead",
            out->host);
    return true;
}

bool piaa_http_check(const char *url, piaa_error *error) {
    address a;
    return check(url, &a, error);
}

static bool is_private(const address *a) {
    const bool loopback =
        strcasecmp(a->host, "localhost") == 0 || strcmp(a->host, "[::1]") == 0 ||
        (strncmp(a->host, "127.", 4) == 0 && strspn(a->host, "0123456789.") == strlen(a->host));
    return a->secure || loopback;
}

bool piaa_http_is_private(const char *url) {
    address a;
    return take_apart(url, &a) && is_private(&a);
}

bool piaa_http_escape(piaa_text *out, const char *text, piaa_error *error) {
    char *escaped = curl_easy_escape(NULL, text, 0);
    const bool ok = escaped ? piaa_text_add(out, escaped, strlen(escaped), error)
                            : piaa_error_set(error, PIAA_MEMORY, "out of memory");
    curl_free(escaped);
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

static size_t on_header(char *line, size_t one, size_t size, void *user) {
    exchange *x = user;
    PIAA_UNUSED(one);
    x->headers_end = line[0] == '\r' || line[0] == '\n';
    return size;
}

static int status_of(const piaa_http *http) {
    long status = 0;
    curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &status);
    return (int)status;
}

static bool is_good(int status) {
    return status == 200 || status == 206;
}

/* Whether an answer has the length that is listed, as far as it says. */
static bool check_length(exchange *x) {
    const uint64_t listed = x->sink->size;
    curl_off_t length = -1;
    curl_easy_getinfo(x->http->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    const uint64_t total = (uint64_t)length + (status_of(x->http) == 206 ? x->from : 0);
    if (length < 0 || listed == PIAA_HTTP_UNKNOWN || total == listed) return true;
    x->failed = true;
    return piaa_error_set(x->error, PIAA_FORMAT,
                          "the server offers %llu bytes where %llu are listed",
                          (unsigned long long)total, (unsigned long long)listed);
}

static size_t on_body(char *data, size_t one, size_t size, void *user) {
    exchange *x = user;
    PIAA_UNUSED(one);
    piaa_http_sink *sink = x->sink;
    if (asked_to_stop(x->http)) return 0; /* on_progress is asked once a second only */
    if (!is_good(status_of(x->http))) return 0;
    if (sink->length == x->from && !check_length(x)) return 0;
    if (sink->size != PIAA_HTTP_UNKNOWN && size > sink->size - sink->length) {
        x->failed = true;
        piaa_error_set(x->error, PIAA_FORMAT,
                       "the server sends more than the %llu bytes that are listed",
                       (unsigned long long)sink->size);
        return 0;
    }
    if (!sink->add(sink->user, data, size, x->error)) {
        x->failed = true;
        return 0;
    }
    sink->length += size;
    return size;
}

/* -------------------------------------------------------------------------------------- one try */

static bool is_passing(int status) {
    return status == 408 || status == 429 || (status >= 500 && status != 501 && status != 505);
}

/* Of an answer that has come, and is not what was asked for. */
static outcome weigh_status(const char *host, int status, piaa_error *error) {
    if (status >= 300 && status < 400)
        piaa_error_set(error, PIAA_IO, "%s redirects to an address that is none", host);
    else
        piaa_error_set(error, PIAA_IO, "%s answers with status %d", host, status);
    return is_passing(status) ? AGAIN : FAILED;
}

/* Of a transfer that libcurl gave up.  at: the host to which redirects had led from the first;
   NULL: to no address of http or https. */
static outcome weigh_failure(const exchange *x, CURLcode code, const char *first, const char *at) {
    const char *host = at ? at : first;
    const piaa_http_sink *sink = x->sink;
    piaa_error *error = x->error;
    switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        piaa_error_set(error, PIAA_IO,
                       "the certificate of %s cannot be verified (%s): if your network has an "
                       "authority of its own, name its "
                       "certificates in SSL_CERT_FILE",
                       host, curl_easy_strerror(code));
        return FAILED;
    case CURLE_TOO_MANY_REDIRECTS:
        piaa_error_set(error, PIAA_IO, "%s redirects in a circle", first);
        return FAILED;
    case CURLE_UNSUPPORTED_PROTOCOL: /* the address asked for was looked at before */
    case CURLE_URL_MALFORMAT:
    case CURLE_LOGIN_DENIED:
        piaa_error_set(error, PIAA_IO,
                       code == CURLE_UNSUPPORTED_PROTOCOL && at
                           ? "%s redirects from https to plain http, which is refused"
                           : "%s redirects to an address that is none",
                       first);
        return FAILED;
    case CURLE_OUT_OF_MEMORY:
        piaa_error_set(error, PIAA_MEMORY, "%s: %s", host, curl_easy_strerror(code));
        return FAILED;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
        piaa_error_set(error, PIAA_IO,
                       "%s cannot be reached (%s): check the connection to the network", host,
                       curl_easy_strerror(code));
        return x->http->reached ? AGAIN : FAILED;
    case CURLE_OPERATION_TIMEDOUT:
        piaa_error_set(error, PIAA_IO, "%s sent less than 1 kB/s for %.0f s", host,
                       x->http->options.stall);
        return AGAIN;
    default:
        if (sink->size != PIAA_HTTP_UNKNOWN && sink->length)
            piaa_error_set(error, PIAA_IO, "the connection to %s broke after %.4g of %.4g MB", host,
                           (double)sink->length / 1e6, (double)sink->size / 1e6);
        else
            piaa_error_set(error, PIAA_IO,
                           "the connection to %s broke before the whole answer had come", host);
        return AGAIN;
    }
}

/* Sets the error unless it is DONE; AGAIN: another try may help. */
static outcome weigh(exchange *x, CURLcode code, const char *first) {
    const piaa_http_sink *sink = x->sink;
    const int status = status_of(x->http);
    const bool known = sink->size != PIAA_HTTP_UNKNOWN;
    const bool whole = code == CURLE_OK && x->headers_end;
    if (x->failed) return FAILED;
    if (code == CURLE_ABORTED_BY_CALLBACK || asked_to_stop(x->http)) {
        piaa_error_set(
            x->error, PIAA_STOPPED,
            "stopped; what has come so far is kept, and the next run goes on from there");
        return FAILED;
    }
    if (is_good(status) && (known ? sink->length == sink->size : whole)) return DONE;
    if (is_good(status) && whole && !check_length(x)) return FAILED;
    if (!is_good(status) &&
        (whole || code == CURLE_WRITE_ERROR || code == CURLE_HTTP_RETURNED_ERROR))
        return weigh_status(first, status, x->error);
    const char *effective = NULL;
    address at;
    curl_easy_getinfo(x->http->curl, CURLINFO_EFFECTIVE_URL, &effective);
    return weigh_failure(x, code, first, effective && take_apart(effective, &at) ? at.host : NULL);
}

static void note_answer(const piaa_http *http, piaa_http_answer *answer, double *wait) {
    struct curl_header *reason = NULL;
    curl_off_t seconds = 0;
    answer->status = status_of(http);
    if (curl_easy_header(http->curl, "X-Error-Code", 0, CURLH_HEADER, -1, &reason) != CURLHE_OK)
        reason = NULL;
    snprintf(answer->reason, sizeof answer->reason, "%s", reason ? reason->value : "");
    curl_easy_getinfo(http->curl, CURLINFO_RETRY_AFTER, &seconds);
    *wait = seconds > 0 ? (double)seconds : -1;
}

/* *wait: the seconds that the server asked for, negative if it did not. */
static outcome try_once(piaa_http *http, const char *url, piaa_http_sink *sink,
                        piaa_http_answer *answer, double *wait, piaa_error *error) {
    exchange x = {.http = http, .sink = sink, .error = error, .from = sink->length};
    address first;
    if (!check(url, &first, error)) return FAILED;
    CURL *curl = http->curl;
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_RESUME_FROM_LARGE, (curl_off_t)x.from);
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, first.secure ? "https" : "http,https");
    curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, is_private(&first) ? http->token : NULL);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &x);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &x);
    const CURLcode code = curl_easy_perform(curl);
    note_answer(http, answer, wait);
    http->reached = http->reached || answer->status;
    if (!x.from || (code != CURLE_RANGE_ERROR && answer->status != 416))
        return weigh(&x, code, first.host);
    /* It cannot go on in the middle of a file: once more, from the start. */
    if (!sink->restart(sink->user, error)) return FAILED;
    sink->length = 0;
    return try_once(http, url, sink, answer, wait, error);
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

static bool give_up(const char *more, piaa_error *error) {
    const piaa_error said = *error;
    return piaa_error_set(error, PIAA_IO, "%s%s", said.message, more);
}

bool piaa_http_get(piaa_http *http, const char *url, piaa_http_sink *sink, piaa_http_answer *answer,
                   piaa_error *error) {
    piaa_http_answer ignored;
    piaa_error own = {0};
    if (!answer) answer = &ignored;
    if (!error) error = &own; /* its text is needed for the last message */
    *answer = (piaa_http_answer){0};
    double pause = http->options.pause;
    char more[96];
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
            snprintf(more, sizeof more, " and asks to wait %.0f s: try again after that", wait);
            return give_up(more, error);
        }
        if (tries >= http->options.tries) {
            snprintf(more, sizeof more, " (%d tries): try again later, what has come is kept",
                     tries);
            return give_up(more, error);
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

/* To this machine no proxy is asked: it would see the token, and "this machine" is another there.
 */
static bool set_no_proxy(CURL *curl, piaa_error *error) {
    const char *others = getenv("no_proxy");
    if (!others) others = getenv("NO_PROXY");
    if (others && strcmp(others, "*") == 0) return true; /* libcurl has read it itself */
    char *all = piaa_format(error, "localhost,127.0.0.0/8,::1%s%s", others ? "," : "",
                            others ? others : "");
    if (all) curl_easy_setopt(curl, CURLOPT_NOPROXY, all);
    free(all);
    return all != NULL;
}

static bool set_up(piaa_http *http, piaa_error *error) {
    CURL *curl = http->curl = curl_easy_init();
    if (!curl) return piaa_error_set(error, PIAA_MEMORY, "libcurl cannot be started");
    const piaa_http_options *o = &http->options;
    const char *authorities = getenv("SSL_CERT_FILE");
    char agent[64];
    snprintf(agent, sizeof agent, "piaa/%s", piaa_version());
    curl_easy_setopt(curl, CURLOPT_USERAGENT, agent);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, (long)REDIRECTS_MOST);
    curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L); /* nobody reads those pages */
    if (authorities && *authorities) curl_easy_setopt(curl, CURLOPT_CAINFO, authorities);
    curl_easy_setopt(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, 256L << 10);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)(o->connect * 1000));
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, (long)SLOWEST);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, o->stall < 1 ? 1L : (long)o->stall);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, http);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    return set_no_proxy(curl, error);
}

piaa_http *piaa_http_new(const piaa_http_options *options, piaa_error *error) {
    piaa_http *http = piaa_alloc(1, sizeof *http, error);
    if (!http) return NULL;
    /* Counted by libcurl: each call has its cleanup. */
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
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
    if (o->token) http->token = piaa_strdup(o->token, error);
    if ((!o->token || http->token) && set_up(http, error)) {
        o->token = NULL;
        return http;
    }
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

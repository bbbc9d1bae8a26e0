/* The page's server on libmicrohttpd: what it takes, and what is sent with every answer. */
#include "browse/http.h"

#include "base/memory.h"
#include "browse/part.h"
#include "browse/patience.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CONNECTIONS = 256,   /* a browser opens six, and one for events */
    WAITED_FOR = 128,    /* of them, those that have not asked for anything yet */
    PATIENCE = 20,       /* seconds for a request; and for a reader who takes nothing */
    HEADERS = 32 << 10,  /* of one request, all together */
    BODY_MOST = 1 << 20, /* of a POST */
};

struct piaa_http {
    struct MHD_Daemon *daemon;
    piaa_http_answer answer;
    void *user;
    piaa_door *door;
    piaa_patience *patience;
};

/* -------------------------------------------------------------------------------------- answers */

static enum MHD_Result send_response(struct MHD_Connection *connection,
                                     struct MHD_Response *response, int status, const char *type,
                                     piaa_http_keeping keeps) {
    static const char *const always[][2] = {
        {"Content-Security-Policy",
         "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
         "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"},
        {"X-Content-Type-Options", "nosniff"},
        {"Referrer-Policy", "same-origin"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Cross-Origin-Opener-Policy", "same-origin"},
    };
    static const char *const caching[] = {[PIAA_HTTP_NEVER] = "no-store",
                                          [PIAA_HTTP_ASK] = "private, no-cache",
                                          [PIAA_HTTP_KEEP] =
                                              "private, max-age=31536000, immutable"};
    if (!response) return MHD_NO;
    for (size_t i = 0; i < PIAA_COUNT(always); i++)
        MHD_add_response_header(response, always[i][0], always[i][1]);
    MHD_add_response_header(response, "Content-Type", type);
    MHD_add_response_header(response, "Cache-Control", caching[keeps]);
    const enum MHD_Result sent = MHD_queue_response(connection, (unsigned)status, response);
    MHD_destroy_response(response);
    return sent;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, int status, const char *why) {
    return send_response(connection,
                         MHD_create_response_from_buffer(strlen(why), (void *)(uintptr_t)why,
                                                         MHD_RESPMEM_PERSISTENT),
                         status, "text/plain; charset=utf-8", PIAA_HTTP_NEVER);
}

static const char *header(struct MHD_Connection *connection, const char *name) {
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

/* The form is a page of its own, which may be sent to where it came from. */
static enum MHD_Result send_welcome(struct MHD_Connection *connection,
                                    const piaa_welcome *welcome) {
    struct MHD_Response *response = MHD_create_response_from_buffer(
        strlen(welcome->text), (void *)(uintptr_t)welcome->text, MHD_RESPMEM_MUST_COPY);
    if (response && *welcome->location)
        MHD_add_response_header(response, MHD_HTTP_HEADER_LOCATION, welcome->location);
    if (response && *welcome->cookie)
        MHD_add_response_header(response, MHD_HTTP_HEADER_SET_COOKIE, welcome->cookie);
    return send_response(connection, response, welcome->status,
                         welcome->form ? "text/html; charset=utf-8" : "text/plain; charset=utf-8",
                         PIAA_HTTP_NEVER);
}

static ssize_t read_stream(void *user, uint64_t position, char *to, size_t room) {
    const piaa_http_stream *stream = user;
    PIAA_UNUSED(position);
    const int64_t size = stream->next(stream->user, to, room);
    return size < 0 ? MHD_CONTENT_READER_END_OF_STREAM : (ssize_t)size;
}

static void close_stream(void *user) {
    piaa_http_stream *stream = user;
    stream->close(stream->user);
    free(stream);
}

static struct MHD_Response *new_stream(const piaa_http_stream *stream) {
    enum { BLOCK = 4096 };
    piaa_http_stream *copy = piaa_alloc(1, sizeof *copy, NULL);
    if (!copy) {
        stream->close(stream->user);
        return NULL;
    }
    *copy = *stream;
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, read_stream, copy, close_stream);
    if (!response) close_stream(copy);
    return response;
}

/* Everything, the part that was asked for, or that it is still the same. */
static enum MHD_Result send_bytes(struct MHD_Connection *connection, const piaa_http_reply *reply) {
    const piaa_conditions asked = {
        .range = header(connection, MHD_HTTP_HEADER_RANGE),
        .if_range = header(connection, MHD_HTTP_HEADER_IF_RANGE),
        .if_none_match = header(connection, MHD_HTTP_HEADER_IF_NONE_MATCH),
    };
    char tag[PIAA_TAG_ROOM], range[64];
    piaa_tag_make(reply->bytes, reply->size, tag);
    const piaa_part part = piaa_part_find(&asked, tag, reply->size);
    struct MHD_Response *response = MHD_create_response_from_buffer(
        part.size, (char *)(uintptr_t)reply->bytes + part.from, MHD_RESPMEM_MUST_COPY);
    if (!response) return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_ETAG, tag);
    MHD_add_response_header(response, MHD_HTTP_HEADER_ACCEPT_RANGES, "bytes");
    if (part.status == MHD_HTTP_PARTIAL_CONTENT)
        snprintf(range, sizeof range, "bytes %zu-%zu/%zu", part.from, part.from + part.size - 1,
                 reply->size);
    else
        snprintf(range, sizeof range, "bytes */%zu", reply->size);
    if (part.status != MHD_HTTP_OK && part.status != MHD_HTTP_NOT_MODIFIED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_RANGE, range);
    return send_response(connection, response, part.status, reply->type, reply->keeps);
}

static enum MHD_Result send_reply(struct MHD_Connection *connection, const piaa_http_reply *reply) {
    enum MHD_Result sent;
    if (!reply->stream && reply->keeps != PIAA_HTTP_NEVER)
        sent = send_bytes(connection, reply);
    else
        sent = send_response(connection,
                             reply->stream ? new_stream(reply->stream)
                                           : MHD_create_response_from_buffer(
                                                 reply->size, (void *)(uintptr_t)reply->bytes,
                                                 MHD_RESPMEM_MUST_COPY),
                             reply->status, reply->type, reply->keeps);
    free(reply->owned);
    return sent;
}

/* ------------------------------------------------------------------------------------- requests */

/* Kept from a request's first piece to its last. */
typedef struct pending {
    char *body;
    size_t size, capacity;
    bool too_large;
} pending;

static enum MHD_Result take_body(pending *p, const char *bytes, size_t *size) {
    if (p->size + *size > BODY_MOST) {
        p->too_large = true;
    } else {
        if (!piaa_grow(&p->body, &p->capacity, p->size + *size + 1, 1, NULL)) return MHD_NO;
        memcpy(p->body + p->size, bytes, *size);
        p->size += *size;
        p->body[p->size] = '\0';
    }
    *size = 0;
    return MHD_YES;
}

static piaa_guest guest_of(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    piaa_guest guest = {{0}};
    if (info && info->client_addr->sa_family == AF_INET) {
        struct sockaddr_in four;
        memcpy(&four, info->client_addr, sizeof four);
        memcpy(guest.who, &four.sin_addr, sizeof four.sin_addr);
    } else if (info && info->client_addr->sa_family == AF_INET6) {
        struct sockaddr_in6 six;
        memcpy(&six, info->client_addr, sizeof six);
        const bool mapped = IN6_IS_ADDR_V4MAPPED(&six.sin6_addr); /* IPv4 within IPv6 */
        memcpy(guest.who, six.sin6_addr.s6_addr + (mapped ? 12 : 0), mapped ? 4 : sizeof guest.who);
    }
    return guest;
}

static const char *find_parameter(void *connection, const char *key) {
    return MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, key);
}

static enum MHD_Result answer_request(const piaa_http *http, struct MHD_Connection *connection,
                                      const char *path, const char *method, const pending *p) {
    const char *body = p->body ? p->body : "";
    const piaa_visit visit = {
        .path = path,
        .host = header(connection, MHD_HTTP_HEADER_HOST),
        .origin = header(connection, MHD_HTTP_HEADER_ORIGIN),
        .cookie = header(connection, MHD_HTTP_HEADER_COOKIE),
        .post = strcmp(method, MHD_HTTP_METHOD_POST) == 0,
        .body = body,
        .guest = guest_of(connection),
    };
    piaa_welcome welcome;
    piaa_door_ask(http->door, &visit, &welcome);
    if (!welcome.rest) return send_welcome(connection, &welcome);
    /* libmicrohttpd leaves the body of HEAD out. */
    if (!visit.post && strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
        strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET, HEAD and POST are known.\n");
    if (p->too_large)
        return refuse(connection, MHD_HTTP_CONTENT_TOO_LARGE, "That is too much at once.\n");
    const piaa_http_request request = {.path = welcome.rest,
                                       .post = visit.post,
                                       .body = body,
                                       .size = p->size,
                                       .connection = connection,
                                       .parameter = find_parameter};
    static const char nothing[] = "There is nothing here.\n";
    piaa_http_reply reply = {.status = MHD_HTTP_NOT_FOUND,
                             .type = "text/plain; charset=utf-8",
                             .bytes = nothing,
                             .size = sizeof nothing - 1};
    http->answer(http->user, &request, &reply);
    return send_reply(connection, &reply);
}

static piaa_caller *caller_of(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static void meet_or_leave(void *user, struct MHD_Connection *connection, void **kept,
                          enum MHD_ConnectionNotificationCode what) {
    const piaa_http *http = user;
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        *kept = piaa_patience_meet(
            http->patience,
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd);
    else
        piaa_patience_leave(http->patience, *kept);
}

static enum MHD_Result handle(void *user, struct MHD_Connection *connection, const char *path,
                              const char *method, const char *version, const char *body,
                              size_t *size, void **kept) {
    const piaa_http *http = user;
    pending *p = *kept;
    PIAA_UNUSED(version);
    if (!p) {
        *kept = piaa_alloc(1, sizeof *p, NULL);
        return *kept ? MHD_YES : MHD_NO;
    }
    if (*size) return take_body(p, body, size);
    piaa_patience_asked(http->patience, caller_of(connection));
    return answer_request(http, connection, path, method, p);
}

static void forget(void *user, struct MHD_Connection *connection, void **kept,
                   enum MHD_RequestTerminationCode why) {
    const piaa_http *http = user;
    pending *p = *kept;
    PIAA_UNUSED(why);
    piaa_patience_answered(http->patience, caller_of(connection));
    if (!p) return;
    free(p->body);
    free(p);
    *kept = NULL;
}

/* Addresses of the page need no escapes, so that what has one (%2e, %00) is none of them. */
static size_t leave_as_it_is(void *user, struct MHD_Connection *connection, char *text) {
    PIAA_UNUSED(user);
    PIAA_UNUSED(connection);
    return strlen(text);
}

/* ------------------------------------------------------------------------------- start and stop */

static bool start(piaa_http *http, piaa_error *error) {
    socklen_t size;
    const struct sockaddr *at = piaa_door_socket(http->door, &size);
    /* [::] is IPv4's addresses, too: the host's name, which people are told, may lead to one. */
    const unsigned family = at->sa_family == AF_INET6 ? MHD_USE_DUAL_STACK : 0;
    errno = 0;
    http->daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL | family, 0,
        NULL, NULL, handle, http, MHD_OPTION_SOCK_ADDR, at, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)PATIENCE,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADERS, MHD_OPTION_UNESCAPE_CALLBACK,
        leave_as_it_is, NULL, MHD_OPTION_NOTIFY_COMPLETED, forget, http,
        MHD_OPTION_NOTIFY_CONNECTION, meet_or_leave, http, MHD_OPTION_END);
    if (http->daemon)
        return piaa_door_open(
            http->door, MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_BIND_PORT)->port, error);
    return piaa_error_set(
        error, PIAA_IO,
        "%s cannot be used%s%s: give another one with --port, or none for any that "
        "is free; --listen names another address",
        piaa_door_place(http->door), errno ? ", " : "", errno ? strerror(errno) : "");
}

piaa_http *piaa_http_start(piaa_door *door, piaa_http_answer answer, void *user,
                           piaa_error *error) {
    piaa_http *http = piaa_alloc(1, sizeof *http, error);
    if (!http) return NULL;
    http->answer = answer;
    http->user = user;
    http->door = door;
    if ((http->patience = piaa_patience_new(WAITED_FOR, PATIENCE, error)) && start(http, error))
        return http;
    piaa_http_stop(http);
    return NULL;
}

void piaa_http_stop(piaa_http *http) {
    if (!http) return;
    if (http->daemon) MHD_stop_daemon(http->daemon);
    piaa_patience_free(http->patience);
    free(http);
}

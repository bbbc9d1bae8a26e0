/* A small HTTP server on loopback, a thread per connection, that answers as it is told to: well, or
   badly in the ways below. */
#ifndef PIAA_TESTS_HUB_SERVER_H
#define PIAA_TESTS_HUB_SERVER_H

#include "support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>

typedef enum fault_kind {
    NO_FAULT,
    DROP,         /* sends `number` bytes of the body and closes */
    STATUS,       /* answers with status `number` and the header lines in `text` */
    REDIRECT,     /* 302 to `text` followed by the path */
    TRICKLE,      /* one byte every 50 ms */
    STALL,        /* takes the request and says nothing until the client leaves */
    HALF_HEADERS, /* closes in the middle of a header */
    IGNORE_RANGE, /* 200 and the whole file */
    WRONG_RANGE,  /* 206, but from byte `number` */
    WRONG_BYTES,  /* the right number of bytes, of which the last is another */
    CLAIM,        /* Content-Length: `number`, whatever comes */
    MORE,         /* `number` bytes too many, without a Content-Length */
    HOLD,         /* waits until server_release */
    HUGE_PAGE     /* an error 500 whose page does not end */
} fault_kind;

typedef struct fault {
    const char *path; /* how the path of the request ends */
    fault_kind kind;
    int times; /* how often, then it is over */
    long long number;
    const char *text;
} fault;

typedef struct request {
    char path[512];
    long long from;  /* of its Range header; -1: none */
    char token[128]; /* of its Authorization header; "" */
} request;

typedef struct document {
    const char *path;
    const void *data;
    size_t size;
} document;

enum { FAULTS = 8, REQUESTS = 256, DOCUMENTS = 16, CONNECTIONS = 256 };

typedef struct server {
    int listener, port;
    char address[64];
    pthread_t thread, connections[CONNECTIONS];
    size_t connection_count;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    atomic_bool stop;
    bool held, released;
    fault faults[FAULTS];
    request requests[REQUESTS];
    size_t request_count;
    document documents[DOCUMENTS];
} server;

typedef struct connection {
    server *server;
    int socket;
} connection;

static inline bool send_all(int to, const void *data, size_t size) {
    const char *bytes = data;
    while (size) {
        ssize_t done = piaa_send(to, bytes, size);
        if (done <= 0) return false;
        bytes += done;
        size -= (size_t)done;
    }
    return true;
}

static inline bool send_head(int to, int status, long long length, const char *lines) {
    char head[2048];
    int n = snprintf(head, sizeof head, "HTTP/1.1 %d Whatever\r\nConnection: close\r\n%s", status,
                     lines ? lines : "");
    if (length >= 0)
        n += snprintf(head + n, sizeof head - (size_t)n, "Content-Length: %lld\r\n", length);
    n += snprintf(head + n, sizeof head - (size_t)n, "\r\n");
    return send_all(to, head, (size_t)n);
}

static inline void nap(long milliseconds) {
    nanosleep(&(struct timespec){milliseconds / 1000, milliseconds % 1000 * 1000000}, NULL);
}

static inline bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* Until the client has gone, or the server is stopped. */
static inline void wait_for_end(server *s, int socket) {
    char byte;
    while (!s->stop) {
        struct pollfd watch = {socket, POLLIN, 0};
        if (poll(&watch, 1, 20) > 0 && recv(socket, &byte, 1, 0) <= 0) return;
    }
}

static inline void trickle(server *s, int socket, const char *data, size_t size) {
    for (size_t i = 0; i < size && !s->stop && send_all(socket, data + i, 1); i++) nap(50);
}

static inline void serve(server *s, int socket, const request *r, const fault *f) {
    const document *d = s->documents;
    while (d->path && strcmp(d->path, r->path) != 0) d++;
    char lines[1024] = "";
    if (f->kind == STATUS) {
        send_head(socket, (int)f->number, 5, f->text);
        send_all(socket, "Hello", 5);
        return;
    }
    if (f->kind == REDIRECT) {
        snprintf(lines, sizeof lines, "Location: %s%s\r\n", f->text, r->path);
        send_head(socket, 302, 0, lines);
        return;
    }
    if (f->kind == HUGE_PAGE) {
        static const char page[4096] = "";
        send_head(socket, 500, -1, NULL);
        while (!s->stop && send_all(socket, page, sizeof page)) continue;
        return;
    }
    if (f->kind == STALL) {
        wait_for_end(s, socket);
        return;
    }
    if (f->kind == HALF_HEADERS) {
        send_all(socket, "HTTP/1.1 200 OK\r\nContent-Le", 27);
        return;
    }
    if (f->kind == HOLD) {
        pthread_mutex_lock(&s->mutex);
        s->held = true;
        pthread_cond_broadcast(&s->changed);
        while (!s->released && !s->stop) pthread_cond_wait(&s->changed, &s->mutex);
        pthread_mutex_unlock(&s->mutex);
    }
    if (!d->path) {
        send_head(socket, 404, 0, "X-Error-Code: EntryNotFound\r\n");
        return;
    }
    size_t from = r->from > 0 && f->kind != IGNORE_RANGE ? (size_t)r->from : 0;
    if (f->kind == WRONG_RANGE) from = (size_t)f->number;
    if (from > d->size) from = d->size;
    size_t size = d->size - from;
    int status = from ? 206 : 200;
    if (from)
        snprintf(lines, sizeof lines, "Content-Range: bytes %zu-%zu/%zu\r\n", from, d->size - 1,
                 d->size);
    long long length = f->kind == CLAIM ? f->number : f->kind == MORE ? -1 : (long long)size;
    if (!send_head(socket, status, length, lines)) return;
    const char *data = (const char *)d->data + from;
    if (f->kind == DROP && size > (size_t)f->number) size = (size_t)f->number;
    if (f->kind == TRICKLE) {
        trickle(s, socket, data, size);
    } else if (f->kind == WRONG_BYTES) {
        char last = (char)(data[size - 1] ^ 1);
        if (send_all(socket, data, size - 1)) send_all(socket, &last, 1);
    } else if (send_all(socket, data, size)) {
        for (long long i = 0; f->kind == MORE && i < f->number && send_all(socket, "x", 1); i++)
            continue;
    }
}

static inline bool read_request(int socket, request *r) {
    char text[4096];
    size_t size = 0;
    while (size < sizeof text - 1) {
        ssize_t got = recv(socket, text + size, sizeof text - 1 - size, 0);
        if (got <= 0) return false;
        size += (size_t)got;
        text[size] = '\0';
        if (strstr(text, "\r\n\r\n")) break;
    }
    *r = (request){.from = -1};
    if (sscanf(text, "GET %511s HTTP/1.1", r->path) != 1) return false;
    const char *range = strstr(text, "\r\nRange: bytes="),
               *token = strstr(text, "\r\nAuthorization: Bearer ");
    if (range) r->from = atoll(range + 15);
    if (token)
        snprintf(r->token, sizeof r->token, "%.*s", (int)strcspn(token + 24, "\r\n"), token + 24);
    return true;
}

static inline void *handle(void *argument) {
    connection *c = argument;
    server *s = c->server;
    request r;
    fault f = {0};
    if (read_request(c->socket, &r)) {
        pthread_mutex_lock(&s->mutex);
        if (s->request_count < REQUESTS) s->requests[s->request_count++] = r;
        for (size_t i = 0; i < FAULTS && !f.kind; i++)
            if (s->faults[i].times > 0 && ends_with(r.path, s->faults[i].path)) {
                s->faults[i].times--;
                f = s->faults[i];
            }
        pthread_mutex_unlock(&s->mutex);
        serve(s, c->socket, &r, &f);
    }
    shutdown(c->socket, SHUT_WR);
    if (f.kind != DROP && f.kind != HALF_HEADERS)
        wait_for_end(s, c->socket); /* closing at once could lose what is on its way */
    close(c->socket);
    free(c);
    return NULL;
}

static inline void *listen_on(void *argument) {
    server *s = argument;
    while (!s->stop) {
        struct pollfd watch = {s->listener, POLLIN, 0};
        if (poll(&watch, 1, 20) <= 0) continue;
        connection *c = calloc(1, sizeof *c);
        *c = (connection){s, accept(s->listener, NULL, NULL)};
        if (c->socket < 0 || s->connection_count == CONNECTIONS ||
            pthread_create(&s->connections[s->connection_count], NULL, handle, c)) {
            free(c);
            continue;
        }
        s->connection_count++;
    }
    return NULL;
}

static inline void server_start(server *s) {
    *s = (server){.listener = socket(AF_INET, SOCK_STREAM, 0)};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    assert_int_equal(bind(s->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(s->listener, 16), 0);
    assert_int_equal(getsockname(s->listener, (struct sockaddr *)&address, &size), 0);
    s->port = ntohs(address.sin_port);
    snprintf(s->address, sizeof s->address, "http://127.0.0.1:%d", s->port);
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->changed, NULL);
    assert_int_equal(pthread_create(&s->thread, NULL, listen_on, s), 0);
}

static inline void server_release(server *s) {
    pthread_mutex_lock(&s->mutex);
    s->released = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->mutex);
}

static inline void server_stop(server *s) {
    pthread_mutex_lock(&s->mutex);
    s->stop = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->mutex);
    pthread_join(s->thread, NULL);
    for (size_t i = 0; i < s->connection_count; i++) pthread_join(s->connections[i], NULL);
    close(s->listener);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->mutex);
}

/* How often the server was asked for a path that ends so. */
static inline int server_asked(const server *s, const char *end) {
    int count = 0;
    for (size_t i = 0; i < s->request_count; i++) count += ends_with(s->requests[i].path, end);
    return count;
}

#endif

/*
 * Devices of another machine.
 *
 * ggml's client ends the process where it cannot connect, where the other side speaks another
 * protocol, and waits for ever for a server that is busy with another client.  So the first words
 * of the protocol are exchanged here before ggml is let at the address: client: command 14 (1
 * byte), size 24 (8), capabilities (24); server: size 28 (8), version (3), …
 */
#include "vlm/remote.h"

#include "vlm/device.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ggml-rpc.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ------------------------------------------------------------------------------------ addresses */

static const char scheme[] = "rpc://";

bool piaa_remote_is(const char *name) {
    return strncmp(name, scheme, sizeof scheme - 1) == 0;
}

/* Digits only; -1: none, or too many. */
static int read_number(const char *text, const char *end, int most) {
    int value = 0;
    if (text == end) return -1;
    for (; text < end; text++) {
        if (*text < '0' || *text > '9') return -1;
        value = value * 10 + (*text - '0');
        if (value > most) return -1;
    }
    return value;
}

/* HOST[:PORT]; the port is PIAA_REMOTE_PORT where none is given. */
static bool read_place(const char *text, const char *end, piaa_remote_address *out) {
    const char *colon = memchr(text, ':', (size_t)(end - text)), *stop = colon ? colon : end;
    const size_t length = (size_t)(stop - text);
    const char *port = colon ? colon + 1 : PIAA_REMOTE_PORT;
    out->port = read_number(port, colon ? end : port + strlen(port), 65535);
    if (!length || length >= sizeof out->host || out->port < 1) return false;
    for (const char *c = text; c < stop; c++)
        if (*c <= ' ' || *c > '~' || *c == '[' || *c == '/') return false;
    memcpy(out->host, text, length);
    out->host[length] = '\0';
    return true;
}

bool piaa_remote_parse(const char *name, piaa_remote_address *out, piaa_error *error) {
    *out = (piaa_remote_address){.device = 0};
    const char *place = name + sizeof scheme - 1, *end = place + strcspn(place, "/");
    if (*end) out->device = read_number(end + 1, name + strlen(name), 255);
    return (read_place(place, end, out) && out->device >= 0) ||
           piaa_error_set(error, PIAA_USAGE,
                          "%.200s is no address of a device: write rpc://HOST:PORT (a name or an "
                          "IPv4 address, a port from 1 to 65535), and "
                          "/1 after it for the server's second device",
                          name);
}

/* ------------------------------------------------------------------------------------- greeting */

enum { PATIENCE_MS = 5000, HELLO = 14, CAPABILITIES = 24, VERSION = 4 };

static bool set_blocking(int handle, bool blocking) {
    const int flags = fcntl(handle, F_GETFL);
    return flags >= 0 &&
           fcntl(handle, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK) == 0;
}

static bool wait_for(int handle, short events) {
    struct pollfd one = {.fd = handle, .events = events};
    int ready;
    do ready = poll(&one, 1, PATIENCE_MS);
    while (ready < 0 && errno == EINTR);
    if (ready == 0) errno = ETIMEDOUT;
    return ready > 0;
}

/* Within the patience; -1 with errno. */
static int dial(const struct addrinfo *to) {
    int handle = socket(to->ai_family, to->ai_socktype, to->ai_protocol), fault = 0;
    socklen_t size = sizeof fault;
    if (handle < 0) return -1;
    if (set_blocking(handle, false) &&
        (connect(handle, to->ai_addr, to->ai_addrlen) == 0 ||
         (errno == EINPROGRESS && wait_for(handle, POLLOUT) &&
          getsockopt(handle, SOL_SOCKET, SO_ERROR, &fault, &size) == 0 && !fault)))
        return handle;
    fault = fault ? fault : errno;
    close(handle);
    errno = fault;
    return -1;
}

/* false with errno 0: the other side hung up. */
static bool receive(int handle, unsigned char *out, size_t size) {
    for (size_t got = 0; got < size;) {
        errno = 0;
        if (!wait_for(handle, POLLIN)) return false;
        const ssize_t n = recv(handle, out + got, size - got, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
        if (n <= 0) return false;
        got += (size_t)n;
    }
    return true;
}

static bool greet(int handle, const char *name, piaa_error *error) {
    unsigned char hello[1 + 8 + CAPABILITIES] = {HELLO, CAPABILITIES},
                                answer[8 + VERSION + CAPABILITIES] = {0};
    if (RPC_PROTO_MAJOR_VERSION != 7) return true; /* ggml has moved on and will look itself */
    /* Someone else's server may hang up on the first byte: no signal then. */
    const bool sent = piaa_send(handle, hello, sizeof hello) == (ssize_t)sizeof hello;
    if (!sent || !receive(handle, answer, 8) || answer[0] != VERSION + CAPABILITIES || answer[1] ||
        !receive(handle, answer + 8, VERSION)) {
        if (errno == ETIMEDOUT)
            return piaa_error_set(
                error, PIAA_BUSY,
                "%s does not answer: its server is busy with another client, or is no piaa lend",
                name);
        return piaa_error_set(error, PIAA_IO,
                              "%s is not a server of ggml devices: start piaa lend there", name);
    }
    const unsigned char *version = answer + 8;
    return (version[0] == RPC_PROTO_MAJOR_VERSION && version[1] <= RPC_PROTO_MINOR_VERSION) ||
           piaa_error_set(error, PIAA_MISMATCH,
                          "%s speaks version %d.%d of ggml's protocol and this piaa %d.%d: use the "
                          "same piaa on both",
                          name, version[0], version[1], RPC_PROTO_MAJOR_VERSION,
                          RPC_PROTO_MINOR_VERSION);
}

static bool try_server(const piaa_remote_address *address, const char *name, piaa_error *error) {
    char port[8];
    snprintf(port, sizeof port, "%d", address->port);
    /* ggml knows no other family. */
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list = NULL;
    const int fault = getaddrinfo(address->host, port, &hints, &list);
    if (fault)
        return piaa_error_set(error, PIAA_IO, "%s: the host cannot be found (%s)", name,
                              gai_strerror(fault));
    const int handle = dial(list);
    const int why = errno;
    freeaddrinfo(list);
    if (handle < 0)
        return piaa_error_set(error, PIAA_IO,
                              "nobody lends a device at %s (%s): start piaa lend there", name,
                              strerror(why));
    const bool ok = greet(handle, name, error);
    close(handle);
    return ok;
}

/* --------------------------------------------------------------------------------------- client */

/* An entry of ggml's remote back end, which a build may lack. */
static void *entry(const char *name, piaa_error *error) {
    ggml_backend_reg_t remote = ggml_backend_reg_by_name("RPC");
    void *found = remote ? ggml_backend_reg_get_proc_address(remote, name) : NULL;
    if (!found)
        piaa_error_set(error, PIAA_UNSUPPORTED,
                       "this build of ggml has no remote devices: build it with GGML_RPC=ON");
    return found;
}

static ggml_backend_reg_t connect_to(const char *name, piaa_remote_address *address,
                                     piaa_error *error) {
    typedef ggml_backend_reg_t (*add_server)(const char *);
    piaa_device_quiet();
    if (!piaa_remote_parse(name, address, error) || !try_server(address, name, error)) return NULL;
    void *found = entry("ggml_backend_rpc_add_server", error);
    add_server add;
    if (!found) return NULL;
    /* The way from data to code that POSIX grants and C does not spell. */
    memcpy(&add, &found, sizeof add);
    char endpoint[300];
    snprintf(endpoint, sizeof endpoint, "%s:%d", address->host, address->port);
    ggml_backend_reg_t server = add(endpoint);
    if (!server) piaa_error_set(error, PIAA_IO, "the server at %s lends no device", name);
    return server;
}

ggml_backend_dev_t piaa_remote_find(const char *name, piaa_error *error) {
    piaa_remote_address address;
    ggml_backend_reg_t server = connect_to(name, &address, error);
    if (!server) return NULL;
    const size_t count = ggml_backend_reg_dev_count(server);
    if ((size_t)address.device < count)
        return ggml_backend_reg_dev_get(server, (size_t)address.device);
    piaa_error_set(error, PIAA_USAGE, "%s: the server lends %zu device%s, numbered from 0", name,
                   count, count == 1 ? "" : "s");
    return NULL;
}

bool piaa_remote_devices(const char *name, piaa_device *out, size_t room, size_t *count,
                         piaa_error *error) {
    piaa_remote_address address;
    ggml_backend_reg_t server = connect_to(name, &address, error);
    if (!server) return false;
    *count = ggml_backend_reg_dev_count(server);
    for (size_t i = 0; i < *count && i < room; i++) {
        piaa_device_describe(ggml_backend_reg_dev_get(server, i), &out[i]);
        snprintf(out[i].name, sizeof out[i].name, "%s%s:%d/%zu", scheme, address.host, address.port,
                 i);
        snprintf(out[i].description, sizeof out[i].description, "lent by piaa there");
    }
    return true;
}

/* --------------------------------------------------------------------------------------- server */

/* ggml's server says no more than that it failed, so the address is tried first. */
static bool try_address(const char *listen_at, const piaa_remote_address *address,
                        piaa_error *error) {
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons((uint16_t)address->port)};
    if (inet_pton(AF_INET, address->host, &here.sin_addr) != 1)
        return piaa_error_set(error, PIAA_USAGE,
                              "\"%.200s\" is no address to listen at: write an IPv4 address and a "
                              "port, such as 127.0.0.1:%s",
                              listen_at, PIAA_REMOTE_PORT);
    const int handle = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    bool ok = handle >= 0 && setsockopt(handle, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
              bind(handle, (const struct sockaddr *)(const void *)&here, sizeof here) == 0;
    const int why = errno;
    if (handle >= 0) close(handle);
    if (ok) return true;
    return piaa_error_set(
        error, PIAA_IO, "cannot listen at %s:%d (%s)%s", address->host, address->port,
        strerror(why),
        why == EADDRINUSE ? ": another server does already, give another port with --listen" : "");
}

bool piaa_remote_serve(const char *listen_at, const char *names, int threads,
                       void (*ready)(void *user, const char *endpoint), void *user,
                       piaa_error *error) {
    typedef void (*start_server)(const char *, const char *, size_t, size_t, ggml_backend_dev_t *);
    enum { DEVICES = 16 };
    ggml_backend_dev_t devices[DEVICES];
    size_t count = 0;
    piaa_remote_address address = {.device = 0};
    if (!listen_at) listen_at = "127.0.0.1:" PIAA_REMOTE_PORT;
    if (!read_place(listen_at, listen_at + strlen(listen_at), &address)) address.host[0] = '\0';
    if (!try_address(listen_at, &address, error)) return false;
    for (const char *at = names ? names : "auto"; at;
         at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(at, ","), at);
        if (piaa_remote_is(name))
            return piaa_error_set(error, PIAA_USAGE,
                                  "%s is another machine's device: lend one of this machine", name);
        ggml_backend_dev_t device = piaa_device_find(name, error);
        if (!device) return false;
        if (count == DEVICES)
            return piaa_error_set(error, PIAA_USAGE, "at most %d devices can be lent", DEVICES);
        devices[count++] = device;
    }
    void *found = entry("ggml_backend_rpc_start_server", error);
    start_server start;
    if (!found) return false;
    memcpy(&start, &found, sizeof start);
    char endpoint[300];
    snprintf(endpoint, sizeof endpoint, "%s:%d", address.host, address.port);
    ggml_log_set(NULL, NULL); /* from here on it may say what goes wrong */
    if (ready) ready(user, endpoint);
    signal(SIGPIPE, SIG_IGN); /* a client that hangs up while it is answered */
    start(endpoint, NULL, (size_t)threads, count, devices);
    return piaa_error_set(error, PIAA_IO,
                          "the server at %s has stopped: ggml said no more than stands above",
                          endpoint);
}

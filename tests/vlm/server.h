/* A server of ggml devices in a child process, on a free port of loopback; it ends with the
   test. */
#ifndef PIAA_TESTS_VLM_SERVER_H
#define PIAA_TESTS_VLM_SERVER_H

#include "support.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

/* Listens on loopback; *port 0: a free one, which it becomes. */
static inline int server_listen(int *port) {
    struct sockaddr_in here = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)*port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof here;
    int handle = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    assert_true(handle >= 0 && setsockopt(handle, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0);
    assert_int_equal(bind(handle, (const struct sockaddr *)(const void *)&here, sizeof here), 0);
    assert_int_equal(listen(handle, 4), 0);
    assert_int_equal(getsockname(handle, (struct sockaddr *)(void *)&here, &size), 0);
    *port = ntohs(here.sin_port);
    return handle;
}

static inline int server_free_port(void) {
    int port = 0;
    close(server_listen(&port));
    return port;
}

static inline bool server_answers(int port) {
    struct sockaddr_in there = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int handle = socket(AF_INET, SOCK_STREAM, 0);
    bool ok = handle >= 0 &&
              connect(handle, (const struct sockaddr *)(const void *)&there, sizeof there) == 0;
    if (handle >= 0) close(handle);
    return ok;
}

static inline void server_pause(long milliseconds) {
    nanosleep(
        &(struct timespec){.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000},
        NULL);
}

/* Until it answers, or its process has ended. */
static inline void server_wait(pid_t child, int port) {
    while (!server_answers(port)) {
        if (waitpid(child, NULL, WNOHANG) == child)
            fail_msg("the server has ended before it answered");
        server_pause(20);
    }
}

#endif

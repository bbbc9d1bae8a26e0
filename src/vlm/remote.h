/*
 * Devices of another machine, over ggml's remote protocol: rpc://HOST:PORT is the first device that
 * the server there lends, rpc://HOST:PORT/1 the second.  The protocol knows neither passwords nor
 * encryption, and a server serves one client at a time.
 */
#ifndef PIAA_VLM_REMOTE_H
#define PIAA_VLM_REMOTE_H

#include "base/error.h"

#include <ggml-backend.h>

#define PIAA_REMOTE_PORT "50052"

typedef struct piaa_remote_address {
    char host[256];
    int port, device;
} piaa_remote_address;

bool piaa_remote_is(const char *name); /* begins with rpc:// */
bool piaa_remote_parse(const char *name, piaa_remote_address *out, piaa_error *error) PIAA_MUST_USE;

/* Connects: PIAA_IO where nobody answers, where another kind of server does, or one that is busy
   with another client. */
ggml_backend_dev_t piaa_remote_find(const char *name, piaa_error *error) PIAA_MUST_USE;
/* Its server's devices, as piaa_devices gives this machine's. */
bool piaa_remote_devices(const char *name, piaa_device *out, size_t room, size_t *count,
                         piaa_error *error) PIAA_MUST_USE;

/* Lends devices ("cuda0" or "cuda0,cuda1"; NULL: auto) at HOST:PORT (an IPv4 address of this
 * machine, 0.0.0.0 for all; NULL: 127.0.0.1:50052) until the process ends; returns only where that
 * fails.  ready (may be NULL) is told when all is well; then ggml prints on standard output who
 * comes and goes. */
bool piaa_remote_serve(const char *listen_at, const char *devices, int threads,
                       void (*ready)(void *user, const char *endpoint), void *user,
                       piaa_error *error) PIAA_MUST_USE;

#endif

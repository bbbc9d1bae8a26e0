/* piaa lend: lend this machine's devices to another. */
#include "base/processors.h"
#include "cli/commands.h"
#include "vlm/remote.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ggml's server waits in accept() for ever; what it holds goes with the process. */
static void on_stop(int number) {
    static const char farewell[] = "Stopped.\n";
    PIAA_UNUSED(number);
    PIAA_UNUSED(write(STDERR_FILENO, farewell, sizeof farewell - 1) < 0);
    _exit(EXIT_SUCCESS);
}

static void on_ready(void *user, const char *endpoint) {
    piaa_talk *talk = user;
    if (strncmp(endpoint, "127.", 4) != 0)
        piaa_talk_warn(talk,
                       "whoever reaches %s can use this machine and read what is computed: there "
                       "is no password and no encryption",
                       endpoint);
    piaa_talk_note(talk,
                   "Lending at %s until Ctrl-C; on the other machine: --device rpc://HOST:PORT.",
                   endpoint);
}

static bool run(piaa_call *call, piaa_error *error) {
    int64_t threads = piaa_processors();
    if (!piaa_call_integer(call, "threads", 1, 1024, &threads, error)) return false;
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_stop;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
        return piaa_error_set(error, PIAA_IO, "standard error cannot be used for messages");
    return piaa_remote_serve(piaa_call_value(call, "listen"), piaa_call_value(call, "device"),
                             (int)threads, on_ready, &call->talk, error);
}

static const piaa_option options[] = {
    {"listen", "HOST:PORT",
     "where to listen: an IPv4 address of this machine, 0.0.0.0 for all of them",
     "127.0.0.1:" PIAA_REMOTE_PORT, NULL},
    {"device", "NAMES", "what is lent: a name of piaa devices, or several separated by commas",
     "auto: a GPU if there is one", NULL},
    {"threads", "N", "threads to compute with where the CPU is lent",
     "one for each core that may be used", NULL},
    {0},
};

const piaa_command piaa_command_lend = {
    .name = "lend",
    .former = "serve",
    .summary = "Lend this machine's GPU or CPU to piaa on another machine",
    .example = "piaa lend\nssh -N -L 50052:127.0.0.1:50052 studio   # on the other machine, then:\n"
               "piaa embed holiday --out holiday.store --device rpc://127.0.0.1:50052\n",
    .operands = "",
    .groups = {{"Options", options}},
    .notes = "Photos, model files and stores stay on the machine that asks; weights and "
             "activations travel. The protocol is ggml's and has "
             "neither a password nor encryption: leave it at 127.0.0.1 and come through an SSH "
             "tunnel, or use a network in which everybody "
             "may use this machine. One client is served at a time; both sides have to be the same "
             "version of piaa.",
    .run = run,
};

/* Models by name through the public interface alone: pulled from a small server on loopback that
 * hands out a pair of GGUF files, opened, listed, removed.  Ends with 0 if all went as it should;
 * else says what did not. */
#include <piaa.h>

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define COMMIT "0123456789abcdef0123456789abcdef01234567"
static const char *const files[][2] = {
    {"m-F32.gguf", PIAA_GOLDEN "/gguf/qwen3vl-f32.gguf"},
    {"m-BF16.gguf", PIAA_GOLDEN "/gguf/qwen3vl-bf16.gguf"},
    {"mmproj-F32.gguf", PIAA_GOLDEN "/gguf/qwen3vl-mmproj-f32.gguf"}};

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "line %d: %s is false: %s\n", __LINE__, #condition, error.message);    \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

/* One answer: the list of files, or one of them. */
static void serve(int socket) {
    char request[8192] = "", list[1024];
    size_t had = 0;
    for (ssize_t n; !strstr(request, "\r\n\r\n") && had < sizeof request - 1; had += (size_t)n)
        if ((n = read(socket, request + had, sizeof request - 1 - had)) <= 0) return;
    FILE *out = fdopen(socket, "wb"), *from = NULL;
    if (!out) return;
    for (size_t i = 0; i < 3; i++)
        if (strstr(request, files[i][0])) from = fopen(files[i][1], "rb");
    int n = snprintf(list, sizeof list, "{\"sha\": \"" COMMIT "\", \"siblings\": [");
    for (size_t i = 0; i < 3; i++)
        n += snprintf(list + n, sizeof list - (size_t)n, "{\"rfilename\": \"%s\"}%s", files[i][0],
                      i < 2 ? ", " : "]}");
    fputs("HTTP/1.0 200 OK\r\n\r\n", out);
    if (!from) fputs(list, out);
    for (int c; from && (c = fgetc(from)) != EOF;) fputc(c, out);
    if (from) fclose(from);
    fclose(out);
}

static int listen_on(char address[64]) {
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof name;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&name, sizeof name) != 0 || listen(listener, 8) != 0 ||
        getsockname(listener, (struct sockaddr *)&name, &size) != 0)
        return -1;
    snprintf(address, 64, "http://127.0.0.1:%d", (int)ntohs(name.sin_port));
    return listener;
}

typedef struct heard {
    int64_t bytes;
    int warnings;
    bool stop;
} heard;

static void on_progress(void *user, const char *what, int64_t done, int64_t total) {
    (void)what, (void)total;
    ((heard *)user)->bytes = done;
}

static void on_warning(void *user, const char *line) {
    (void)line;
    ((heard *)user)->warnings++;
}

static bool on_stop(void *user) {
    return ((heard *)user)->stop;
}

static int run(const char *address) {
    piaa_error error = {0};
    heard told = {.stop = true};
    const piaa_hooks hooks = {
        .user = &told, .warn = on_warning, .progress = on_progress, .stop = on_stop};
    const piaa_pull_request request = {.file = "m-F32.gguf", .from = address};

    piaa_pulled_list *list = piaa_pulled_list_read(&error);
    CHECK(list && piaa_pulled_list_count(list) == 0 && !piaa_pulled_list_at(list, 0));
    piaa_pulled_list_free(list);
    CHECK(!piaa_model_open("t/m", &error) && error.code == PIAA_IO &&
          strstr(error.message, "piaa model pull t/m"));
    CHECK(!piaa_model_pull("t/m", &request, &hooks, &error) &&
          strstr(error.message, "piaa model pull t/m")); /* the first one stays */
    error = (piaa_error){0};
    CHECK(!piaa_model_pull("t/m", &request, &hooks, &error) && error.code == PIAA_STOPPED);
    error = (piaa_error){0};
    told.stop = false;
    const piaa_pull_request unclear = {.from = address};
    CHECK(!piaa_model_pull("t/m", &unclear, &hooks, &error) && error.code == PIAA_USAGE &&
          strstr(error.message, "F32, BF16"));
    error = (piaa_error){0};

    piaa_pulled *pulled = piaa_model_pull("t/m", &request, &hooks, &error);
    CHECK(pulled && strcmp(pulled->name, "t/m:F32") == 0 && strcmp(pulled->commit, COMMIT) == 0 &&
          pulled->files == 2);
    CHECK(pulled->downloaded == pulled->bytes && told.bytes == pulled->bytes &&
          pulled->bytes > 1000000);
    CHECK(pulled->unchecked == 2 && told.warnings == 1); /* this server names no checksums */
    piaa_model *model = piaa_model_open(pulled->name, &error);
    CHECK(model && strcmp(piaa_model_get_info(model)->family, "Qwen3-VL") == 0);
    CHECK(strcmp(piaa_model_get_info(model)->folder, pulled->folder) == 0);
    piaa_model_close(model);
    piaa_pulled_free(pulled);

    CHECK(list = piaa_pulled_list_read(&error));
    CHECK(piaa_pulled_list_count(list) == 1 &&
          strcmp(piaa_pulled_list_at(list, 0)->name, "t/m:F32") == 0);
    CHECK(piaa_pulled_list_at(list, 0)->complete && !piaa_pulled_list_at(list, 0)->shared);
    piaa_pulled_list_free(list);
    int64_t bytes = 0;
    CHECK(piaa_pulled_remove("t/m", &bytes, &error) && bytes > 1000000);
    CHECK(!piaa_pulled_remove("t/m", NULL, &error) && error.code == PIAA_USAGE);
    piaa_pulled_free(NULL);
    piaa_pulled_list_free(NULL);
    return 0;
}

int main(void) {
    char folder[] = "/tmp/piaa-api.XXXXXX", address[64];
    int listener = listen_on(address);
    if (listener < 0 || !mkdtemp(folder)) return 1;
    setenv("XDG_CACHE_HOME", folder, 1);
    setenv("HF_HOME", folder, 1);
    unsetenv("HF_HUB_CACHE");
    unsetenv("HF_TOKEN");
    pid_t server = fork();
    for (int socket; server == 0 && (socket = accept(listener, NULL, NULL)) >= 0;) serve(socket);
    if (server <= 0) _exit(1);
    int failed = run(address);
    close(listener);
    kill(server, SIGTERM);
    waitpid(server, NULL, 0);
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    return system(command) != 0 || failed;
}

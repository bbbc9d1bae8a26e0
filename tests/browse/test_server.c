/* piaa browse as a browser, and as everybody who should not be answered, meets it: requests are
   written byte by byte, as no client library would let them be. */
#include "cli/program.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <math.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>

static const program_way way = {.name = "page"};
static pid_t child;
static int port;
static char base[64], host[64], origin[64]; /* "/TOKEN", "127.0.0.1:PORT" */

static void pause_ms(long ms) {
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

/* The address is the first thing that the program says. */
static void find_address(void) {
    for (int i = 0; i < 1000; i++) {
        char *file = at("page.err"), *said = piaa_file_read(file, 1 << 20, &(size_t){0}, NULL);
        free(file);
        const char *address = said ? strstr(said, "http://127.0.0.1:") : NULL;
        const bool there = address && strstr(address, "/ (") &&
                           sscanf(address, "http://127.0.0.1:%d%63[^ ]", &port, base) == 2;
        free(said);
        if (there) {
            base[strlen(base) - 1] = '\0';
            snprintf(host, sizeof host, "127.0.0.1:%d", port);
            snprintf(origin, sizeof origin, "http://127.0.0.1:%d", port);
            return;
        }
        pause_ms(10);
    }
    fail_msg("no address");
}

static void start_with(const char *const *words) {
    char *before = at("page.err");
    remove(before);
    free(before);
    child = program_start(way, words);
    find_address();
}

static void start(void) {
    start_with(WORDS("browse", "photos", "--no-open", "--book", "book", ONE));
}

static int begin(void **state) {
    program_begin(state);
    make_folder("photos");
    for (int i = 0; i < 8; i++) {
        char name[32];
        snprintf(name, sizeof name, "photos/%d.jpg", i);
        put_sample(i, name);
    }
    put("photos/broken.jpg", "no photo");
    put("photos/<b onclick=x>&.jpg", "no photo either");
    put("secret.jpg", "not on the page");
    start();
    return 0;
}

static int end(void **state) {
    kill(child, SIGINT);
    assert_int_equal(program_finish(way, child), 0);
    return program_end(state);
}

/* ---- a client */

static int connect_page(void) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    const int s = socket(AF_INET, SOCK_STREAM, 0);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(s >= 0);
    if (connect(s, (struct sockaddr *)&to, sizeof to) == 0) return s;
    close(s);
    return -1;
}

static void send_all(int s, const char *bytes, size_t size) {
    while (size) {
        const ssize_t n = send(s, bytes, size, MSG_NOSIGNAL);
        if (n <= 0) return; /* refused half-way: the answer says why */
        bytes += n;
        size -= (size_t)n;
    }
}

static piaa_text reply;

/* The status; `reply` holds all that came. */
static int receive(int s) {
    char block[65536];
    ssize_t n;
    free(reply.data);
    reply = (piaa_text){0};
    while ((n = recv(s, block, sizeof block, 0)) > 0) piaa_text_add(&reply, block, (size_t)n, NULL);
    close(s);
    int status = 0;
    return reply.data && sscanf(reply.data, "HTTP/1.1 %d", &status) == 1 ? status : -1;
}

static int request(const char *method, const char *path, const char *headers, const char *body) {
    const int s = connect_page();
    char *text =
        piaa_format(NULL, "%s %s HTTP/1.1\r\nConnection: close\r\nContent-Length: %zu\r\n%s\r\n%s",
                    method, path, strlen(body), headers, body);
    send_all(s, text, strlen(text));
    free(text);
    return receive(s);
}

static const char *body(void) {
    const char *end_of_head = strstr(reply.data, "\r\n\r\n");
    return end_of_head ? end_of_head + 4 : "";
}

static int get(const char *path) {
    char *headers = piaa_format(NULL, "Host: %s\r\n", host),
         *whole = piaa_format(NULL, "%s%s", base, path);
    const int status = request("GET", whole, headers, "");
    free(headers);
    free(whole);
    return status;
}

static int post(const char *path, const char *said) {
    char *headers = piaa_format(NULL, "Host: %s\r\nOrigin: %s\r\n", host, origin),
         *whole = piaa_format(NULL, "%s%s", base, path);
    const int status = request("POST", whole, headers, said);
    free(headers);
    free(whole);
    return status;
}

/* ---- what should work */

static void the_page_and_its_files_are_there(void **state) {
    (void)state;
    static const char *const files[][2] = {{"/", "text/html"},
                                           {"/style.css", "text/css"},
                                           {"/app.js", "text/javascript"},
                                           {"/icon.svg", "image/svg+xml"},
                                           {"/api/list", "application/json"}};
    for (size_t i = 0; i < PIAA_COUNT(files); i++) {
        assert_int_equal(get(files[i][0]), 200);
        assert_non_null(strstr(reply.data, files[i][1]));
        assert_non_null(strstr(reply.data, "Content-Security-Policy: default-src 'none'"));
        assert_non_null(strstr(reply.data, "X-Content-Type-Options: nosniff"));
    }
    assert_non_null(strstr(body(), "<b onclick=x>&.jpg")); /* as text in JSON; the page sets text */
    assert_int_equal(get("/small/1/5"), 200);
    assert_non_null(strstr(reply.data, "image/jpeg"));
    assert_non_null(strstr(reply.data, "immutable"));
    assert_int_equal(get("/whole/1"), 200);
}

/* With one more header field. */
static int get_with(const char *method, const char *path, const char *field) {
    char *headers = piaa_format(NULL, "Host: %s\r\n%s\r\n", host, field),
         *whole = piaa_format(NULL, "%s%s", base, path);
    const int status = request(method, whole, headers, "");
    free(headers);
    free(whole);
    return status;
}

/* `reply` has the header field. */
static void read_header(const char *name, char *to, size_t size) {
    const char *found = strstr(reply.data, name);
    assert_non_null(found);
    found += strlen(name);
    snprintf(to, size, "%.*s", (int)strcspn(found, ";\r"), found);
}

static void parts_are_sent_and_nothing_twice(void **state) {
    (void)state;
    static const char *const paths[] = {"/app.js", "/large/1/5", "/large/1"};
    for (size_t i = 0; i < PIAA_COUNT(paths); i++) {
        char tag[64], field[96], length[32], expected[64];
        assert_int_equal(get(paths[i]), 200);
        read_header("ETag: ", tag, sizeof tag);
        read_header("Content-Length: ", length, sizeof length);
        const char first = body()[0], second = body()[1];
        snprintf(field, sizeof field, "If-None-Match: %s", tag);
        assert_int_equal(get_with("GET", paths[i], field), 304);
        assert_string_equal(body(), "");
        assert_int_equal(get_with("GET", paths[i], "If-None-Match: \"else\""), 200);
        assert_int_equal(get_with("GET", paths[i], "Range: bytes=0-1"), 206);
        snprintf(expected, sizeof expected, "Content-Range: bytes 0-1/%s\r\n", length);
        assert_non_null(strstr(reply.data, expected));
        assert_non_null(strstr(reply.data, "Content-Length: 2\r\n"));
        assert_true(body()[0] == first && body()[1] == second);
        assert_int_equal(get_with("GET", paths[i], "Range: bytes=99999999-"), 416);
        snprintf(expected, sizeof expected, "Content-Range: bytes */%s\r\n", length);
        assert_non_null(strstr(reply.data, expected));
        assert_int_equal(get_with("HEAD", paths[i], "X: y"), 200);
        assert_string_equal(body(), "");
        snprintf(expected, sizeof expected, "Content-Length: %s\r\n", length);
        assert_non_null(strstr(reply.data, expected));
    }
    /* What changes is sent whole, and HEAD changes nothing. */
    assert_int_equal(get_with("GET", "/api/list", "Range: bytes=0-1"), 200);
    assert_int_equal(get_with("HEAD", "/api/rate", "X: y"), 404);
}

static bool state_holds(const char *part) {
    for (int i = 0; i < 500; i++) {
        assert_int_equal(get("/api/state"), 200);
        if (strstr(body(), part)) return true;
        pause_ms(10);
    }
    return false;
}

/* The small pictures in the cache end where the disk was full or the power went: nobody sees that.
 */
static void torn_pictures_are_made_again(void **state) {
    (void)state;
    assert_int_equal(get("/small/1/5"), 200);
    char *folder = at("cache/piaa/pictures/320");
    DIR *list = opendir(folder);
    assert_non_null(list);
    for (const struct dirent *one = readdir(list); one; one = readdir(list)) {
        char *file = piaa_format(NULL, "%s/%s", folder, one->d_name);
        if (strstr(one->d_name, ".jpg")) assert_int_equal(truncate(file, 1000), 0);
        free(file);
    }
    closedir(list);
    free(folder);
    assert_int_equal(get("/small/1/5"), 200);
    assert_true(reply.length > 1500);
    assert_memory_equal(reply.data + reply.length - 2, "\xff\xd9", 2);
}

/* One float32 for each photo: all that could be read have a score, the other two none. */
static void expect_scores(void) {
    float scores[10];
    assert_int_equal(get("/api/scores"), 200);
    assert_int_equal(reply.length - (size_t)(body() - reply.data), sizeof scores);
    memcpy(scores, body(), sizeof scores);
    for (int i = 0; i < 10; i++) assert_true(isfinite(scores[i]) == (i < 8));
}

static void ratings_are_kept_and_learned_from(void **state) {
    (void)state;
    assert_true(state_holds("\"reading\":false"));
    assert_true(state_holds("\"learned\":null"));
    for (int i = 0; i < 8; i++) {
        char said[64];
        snprintf(said, sizeof said, "{\"photo\":%d,\"score\":%d}", i, 1 + i % 5);
        assert_int_equal(post("/api/rate", said), 200);
    }
    assert_true(state_holds("\"learned\":{\"ratings\":8"));
    assert_non_null(strstr(
        body(), "\"ratings\":[1.0000,2.0000,3.0000,4.0000,5.0000,1.0000,2.0000,3.0000,null,null]"));
    assert_true(state_holds("\"unreadable\":[8,9]"));
    expect_scores();
    assert_int_equal(post("/api/undo", "{}"), 200);
    assert_string_equal(body(), "{\"photo\":7}");
    assert_int_equal(post("/api/rate", "{\"photo\":0,\"score\":null}"), 200);
    assert_true(state_holds("\"learned\":{\"ratings\":6"));
    /* kill -9, and they are all there again. */
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    start();
    assert_true(state_holds("\"learned\":{\"ratings\":6"));
    assert_non_null(strstr(
        body(), "\"ratings\":[null,2.0000,3.0000,4.0000,5.0000,1.0000,2.0000,null,null,null]"));
}

/* Without a rating: pairs are asked for, kept, learned from, and taken back in order with ratings.
 */
static void pairs_are_kept_and_learned_from(void **state) {
    (void)state;
    assert_true(state_holds("\"reading\":false"));
    assert_int_equal(get("/api/pairs"), 200);
    int left, right;
    assert_int_equal(sscanf(body(), "{\"pairs\":[[%d,%d]", &left, &right), 2);
    assert_true(left != right && left < 8 && right < 8);
    char *said = piaa_format(NULL, "{\"left\":%d,\"right\":%d,\"answer\":\"skip\"}", left, right),
         *asked = piaa_format(NULL, "[%d,%d]", left, right);
    assert_int_equal(post("/api/compare", said), 200);
    assert_int_equal(get("/api/pairs"), 200);
    assert_null(strstr(body(), asked)); /* what was skipped is not asked again */
    free(said);
    free(asked);
    assert_true(state_holds("\"learned\":null"));
    assert_int_equal(post("/api/compare", "{\"left\":0,\"right\":1,\"answer\":\"left\"}"), 200);
    assert_int_equal(post("/api/compare", "{\"left\":2,\"right\":1,\"answer\":\"tie\"}"), 200);
    assert_true(state_holds("\"learned\":{\"ratings\":0,\"pairs\":2"));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    start();
    assert_true(state_holds("\"learned\":{\"ratings\":0,\"pairs\":2"));
    assert_int_equal(post("/api/rate", "{\"photo\":3,\"score\":5}"), 200);
    assert_int_equal(post("/api/undo", "{}"), 200);
    assert_string_equal(body(), "{\"photo\":3}");
    assert_int_equal(post("/api/undo", "{}"), 200);
    assert_string_equal(body(), "{\"photo\":null,\"pair\":[2,1]}");
    assert_true(state_holds("\"learned\":{\"ratings\":0,\"pairs\":1"));
    static const char *const wrong[] = {
        "{}",
        "{\"left\":0,\"right\":0,\"answer\":\"left\"}",
        "{\"left\":0,\"right\":10,\"answer\":\"left\"}",
        "{\"left\":-1,\"right\":1,\"answer\":\"left\"}",
        "{\"left\":0,\"right\":1,\"answer\":\"both\"}",
        "{\"left\":0,\"right\":1,\"answer\":1}",
        "{\"left\":0,\"answer\":\"tie\"}",
    };
    for (size_t i = 0; i < PIAA_COUNT(wrong); i++)
        if (post("/api/compare", wrong[i]) != 400) fail_msg("%s: %s", wrong[i], reply.data);
}

static void scores_have_reasons(void **state) {
    (void)state;
    assert_true(state_holds("\"reading\":false"));
    assert_int_equal(get("/api/why/0"), 200);
    assert_non_null(strstr(body(), "Nothing is learned yet"));
    for (int i = 0; i < 6; i++) {
        char said[64];
        snprintf(said, sizeof said, "{\"photo\":%d,\"score\":%d}", i, 1 + i % 5);
        assert_int_equal(post("/api/rate", said), 200);
    }
    assert_true(state_holds("\"learned\":{\"ratings\":6"));
    bool there = false; /* the lesson is handed on after it is shown */
    for (int i = 0; !there && i < 500; i++) {
        assert_int_equal(get("/api/why/7"), 200);
        int photos = 0;
        for (const char *at = body(); (at = strstr(at, "\"likeness\":")); at++) photos++;
        there = photos == 6;
        if (!there) pause_ms(10);
    }
    assert_true(there);
    assert_non_null(strstr(body(), "--projection"));
    assert_int_equal(get("/api/why/0"), 200);
    assert_null(strstr(body(), "\"photo\":0")); /* a photo is no reason for itself */
    assert_int_equal(get("/api/why/8"), 200);
    assert_non_null(strstr(body(), "has not been read"));
    assert_int_not_equal(get("/api/why/10"), 200);
    assert_int_not_equal(get("/api/why/"), 200);
    assert_int_not_equal(get("/api/why/0x"), 200);
}

static void events_tell_of_changes(void **state) {
    (void)state;
    assert_true(state_holds("\"reading\":false"));
    const int s = connect_page();
    char *text = piaa_format(NULL, "GET %s/api/events HTTP/1.1\r\nHost: %s\r\n\r\n", base, host);
    send_all(s, text, strlen(text));
    free(text);
    pause_ms(100);
    assert_int_equal(post("/api/rate", "{\"photo\":1,\"score\":2}"), 200);
    pause_ms(100);
    kill(child, SIGINT); /* which ends the events, too */
    assert_int_equal(receive(s), 200);
    const char *first = strstr(reply.data, "data: ");
    assert_non_null(first);
    assert_non_null(strstr(first + 1, "data: "));
    assert_int_equal(program_finish(way, child), 0);
    start();
}

/* The sample's photos, rated from 1 upwards and by the other from 5 downwards: of 8 ratings 1 to 5,
   1 to 3 and 5 to 1, 5 to 3 Spearman's correlation is -1, whatever the ties, as they mirror each
   other.
 */
static void people_are_apart_and_compared(void **state) {
    (void)state;
    assert_true(state_holds("\"reading\":false"));
    assert_int_equal(post("/api/person", "{\"name\":\"Ann <b>\"}"), 200);
    assert_string_equal(body(), "{\"person\":1}");
    assert_int_equal(post("/api/person", "{\"name\":\"Ann <b>\"}"), 200);
    assert_string_equal(body(), "{\"person\":1}");
    for (int i = 0; i < 8; i++) {
        char said[64];
        snprintf(said, sizeof said, "{\"photo\":%d,\"score\":%d}", i, 1 + i % 5);
        assert_int_equal(post("/api/rate?person=0", said), 200);
        snprintf(said, sizeof said, "{\"photo\":%d,\"score\":%d}", i, 5 - i % 5);
        assert_int_equal(post("/api/rate?person=1", said), 200);
    }
    assert_int_equal(get("/api/list?person=1"), 200);
    assert_non_null(strstr(body(), "\"person\":\"Ann <b>\""));
    assert_true(
        state_holds("\"ratings\":[1.0000,2.0000,3.0000,4.0000,5.0000,1.0000,2.0000,3.0000"));
    assert_int_equal(get("/api/state?person=1"), 200);
    assert_non_null(
        strstr(body(), "\"ratings\":[5.0000,4.0000,3.0000,2.0000,1.0000,5.0000,4.0000,3.0000"));
    assert_int_equal(get("/api/people?person=0"), 200);
    assert_non_null(strstr(body(), "{\"name\":\"me\",\"rated\":8,\"both_rated\":8,"
                                   "\"ratings_agree\":null"));
    assert_non_null(strstr(body(), "{\"name\":\"Ann <b>\",\"rated\":8,\"both_rated\":8,"
                                   "\"ratings_agree\":-1"));
    for (int i = 0; i < 500 && (get("/api/together"), !strstr(body(), "\"people\":2")); i++)
        pause_ms(10);
    assert_non_null(strstr(body(), "\"people\":2"));
    /* An undo is one's own. */
    assert_int_equal(post("/api/undo?person=1", "{}"), 200);
    assert_true(
        state_holds("\"ratings\":[1.0000,2.0000,3.0000,4.0000,5.0000,1.0000,2.0000,3.0000"));
    /* Who has ratings is there again. */
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    start();
    assert_int_equal(get("/api/people"), 200);
    assert_non_null(strstr(body(), "{\"name\":\"Ann <b>\",\"rated\":7,\"both_rated\":7,"));
}

/* Three people rate as the fourth is about to.  Whoever is among them is not taught by them. */
static void others_ratings_count_beforehand(void **state) {
    (void)state;
    piaa_text table = {0};
    assert_true(piaa_text_format(&table, NULL, "path,score,person\n"));
    for (int i = 0; i < 24; i++)
        assert_true(piaa_text_format(&table, NULL, "photos/%d.jpg,%d,%s\n", i % 8, 1 + i % 8 % 5,
                                     (const char *[]){"anna", "ben", "carl"}[i / 8]));
    put("people.csv", table.data);
    free(table.data);
    kill(child, SIGINT);
    assert_int_equal(program_finish(way, child), 0);
    if (PIAA("prior", "--data", "csv:people.csv", "--user-column", "person", "--out", "prior.json",
             ONE) != 0)
        fail_msg("%s", err);
    static const struct {
        const char *who, *said;
    } cases[] = {{"dora", "\"prior\":true"}, {"anna", "\"prior\":false"}};
    for (size_t i = 0; i < PIAA_COUNT(cases); i++) {
        start_with(WORDS("browse", "photos", "--no-open", "--book", "book", "--person",
                         cases[i].who, "--prior", "prior.json", ONE));
        assert_true(state_holds("\"reading\":false"));
        for (int photo = 0; photo < 6; photo++) {
            char said[64];
            snprintf(said, sizeof said, "{\"photo\":%d,\"score\":%d}", photo, 1 + photo % 5);
            assert_int_equal(post("/api/rate", said), 200);
        }
        assert_true(state_holds("\"learned\":{\"ratings\":6"));
        assert_non_null(strstr(body(), cases[i].said));
        kill(child, SIGINT);
        assert_int_equal(program_finish(way, child), 0);
    }
    expect_refusal(PIAA("browse", "photos", "--no-open", "--layer", "2", "--prior", "prior.json"),
                   1, "piaa browse: ", "lt.3");
    start(); /* for who ends it */
}

static void people_who_are_not_there_are_refused(void **state) {
    (void)state;
    static const char *const numbers[] = {"1",  "-1", "x",  "",
                                          "0x", "31", "32", "18446744073709551616"};
    for (size_t i = 0; i < PIAA_COUNT(numbers); i++) {
        char path[64];
        snprintf(path, sizeof path, "/api/state?person=%s", numbers[i]);
        if (get(path) != 404) fail_msg("person %s was answered", numbers[i]);
        snprintf(path, sizeof path, "/api/rate?person=%s", numbers[i]);
        if (post(path, "{\"photo\":0,\"score\":1}") != 404) fail_msg("%s rated", numbers[i]);
    }
    static const char *const names[] = {"",
                                        "{}",
                                        "[]",
                                        "{\"name\":\"\"}",
                                        "{\"name\":7}",
                                        "{\"name\":\" a\"}",
                                        "{\"name\":\"a\\n\"}",
                                        ("{\"name\":\"0123456789012345678901234567890123456789"
                                         "01234567890123456789012345678901234567890\"}")};
    for (size_t i = 0; i < PIAA_COUNT(names); i++)
        if (post("/api/person", names[i]) != 400) fail_msg("%s: %s", names[i], reply.data);
    for (int i = 1; i < 32; i++) {
        char said[64];
        snprintf(said, sizeof said, "{\"name\":\"%d\"}", i);
        assert_int_equal(post("/api/person", said), 200);
    }
    assert_int_equal(post("/api/person", "{\"name\":\"one too many\"}"), 400);
    assert_non_null(strstr(body(), "32"));
}

/* ---- what should not */

static void strangers_get_nothing(void **state) {
    (void)state;
    char own_host[96], both[192], path[96];
    snprintf(own_host, sizeof own_host, "Host: %s\r\n", host);
    snprintf(path, sizeof path, "%s/api/list", base);
    assert_int_equal(request("GET", path, own_host, ""), 200);
    /* Another name for 127.0.0.1, another port, none at all. */
    assert_int_equal(request("GET", path, "Host: evil.example\r\n", ""), 421);
    assert_int_equal(request("GET", path, "Host: 127.0.0.1\r\n", ""), 421);
    assert_int_equal(request("GET", path, "Host: 127.0.0.1:1\r\n", ""), 421);
    assert_int_not_equal(request("GET", path, "", ""), 200);
    assert_null(strstr(reply.data, "photos"));
    /* No token, a part of it, another one. */
    assert_int_equal(request("GET", "/", own_host, ""), 403);
    assert_int_equal(request("GET", "/api/list", own_host, ""), 403);
    path[strlen(base) - 1] = '\0';
    assert_int_equal(request("GET", path, own_host, ""), 403);
    snprintf(path, sizeof path, "%sx/api/list", base);
    assert_int_equal(request("GET", path, own_host, ""), 403);
    snprintf(path, sizeof path, "%s/api/list", base);
    path[3] = path[3] == '0' ? '1' : '0';
    assert_int_equal(request("GET", path, own_host, ""), 403);
    /* Another site, and a form that sends no origin. */
    snprintf(path, sizeof path, "%s/api/rate", base);
    snprintf(both, sizeof both, "%sOrigin: http://evil.example\r\n", own_host);
    assert_int_equal(request("POST", path, both, "{\"photo\":0,\"score\":5}"), 403);
    snprintf(both, sizeof both, "%sOrigin: null\r\n", own_host);
    assert_int_equal(request("POST", path, both, "{\"photo\":0,\"score\":5}"), 403);
    assert_int_equal(request("POST", path, own_host, "{\"photo\":0,\"score\":5}"), 403);
    assert_int_equal(request("DELETE", path, own_host, ""), 405);
    assert_true(state_holds("\"ratings\":[null,"));
}

static void a_password_opens_the_page(void **state) {
    (void)state;
    kill(child, SIGINT);
    assert_int_equal(program_finish(way, child), 0);
    put("password", "f\xc3\xbcnf \"w\xc3\xb6rter\" & mehr\nnot this line\n");
    start_with(WORDS("browse", "photos", "--no-open", "--book", "book", "--password-file",
                     "password", ONE));
    char headers[256], cookie[64], path[96];
    assert_int_equal(get("/"), 200);
    assert_non_null(strstr(body(), "type=\"password\""));
    assert_null(strstr(body(), "app.js"));
    assert_int_equal(get("/api/list"), 403);
    snprintf(headers, sizeof headers, "Host: %s\r\nOrigin: %s\r\n", host, origin);
    assert_int_equal(
        request("POST", "/", headers, "password=f\xc3\xbcnf \"w\xc3\xb6rter\" & mehr\r\n"), 303);
    read_header("Location: ", base, sizeof base);
    read_header("Set-Cookie: ", cookie, sizeof cookie);
    snprintf(headers, sizeof headers, "Host: %s\r\nCookie: %s\r\n", host, cookie);
    snprintf(path, sizeof path, "%sapi/list", base);
    assert_int_equal(request("GET", path, headers, ""), 200);
    assert_non_null(strstr(body(), "broken.jpg"));
    snprintf(headers, sizeof headers, "Host: %s\r\n", host);
    assert_int_equal(request("GET", path, headers, ""), 403);
}

static bool has_ipv6(void) {
    struct sockaddr_in6 any = {.sin6_family = AF_INET6};
    const int s = socket(AF_INET6, SOCK_STREAM, 0);
    const bool has = s >= 0 && bind(s, (struct sockaddr *)&any, sizeof any) == 0;
    if (s >= 0) close(s);
    return has;
}

/* By a number of IPv4, too: what a host's name leads to. */
static void all_addresses_are_of_both_kinds(void **state) {
    (void)state;
    if (!has_ipv6()) skip();
    char listen[32];
    snprintf(listen, sizeof listen, "[::]:%d", port);
    kill(child, SIGINT);
    assert_int_equal(program_finish(way, child), 0);
    put("password", "correct horse\n");
    start_with(WORDS("browse", "photos", "--no-open", "--book", "book", "--listen", listen,
                     "--host", host, "--allow-remote", "--password-file", "password", ONE));
    assert_int_equal(get("/"), 200);
}

static void nothing_but_the_photos_is_served(void **state) {
    (void)state;
    static const char *const paths[] = {
        "/../secret.jpg",
        "/small/../../secret.jpg",
        "/small/%2e%2e%2fsecret.jpg",
        "/small/0%00",
        "/small/10",
        "/small/-1",
        "/small/99999999999999",
        "/small/",
        "/small/1x",
        "/small/0x1",
        "/%2e%2e/secret.jpg",
        "//etc/passwd",
        "/page_files.h",
        "/api/rate",
        "/api/",
        "/index.html/",
        "/.",
        "/small/18446744073709551616",
    };
    for (size_t i = 0; i < PIAA_COUNT(paths); i++) {
        const int status = get(paths[i]);
        if (status == 200) fail_msg("%s was answered", paths[i]);
    }
    assert_int_equal(get("/small/9/1"), 422); /* the broken one says what is wrong */
    assert_non_null(strstr(body(), "broken.jpg"));
}

/* Links are followed as everywhere in piaa (docs/browse.md): who may put one into the folder
   decides what is on the page.  A photo that is gone by now is an error of its own. */
static void linked_photos_are_served_and_lost_ones_told(void **state) {
    (void)state;
    kill(child, SIGINT);
    assert_int_equal(program_finish(way, child), 0);
    put_sample(5, "outside.jpg");
    char *outside = at("outside.jpg"), *link = at("photos/link.jpg");
    assert_int_equal(symlink(outside, link), 0);
    start();
    assert_true(state_holds("\"reading\":false"));
    assert_int_equal(get("/api/list"), 200);
    assert_non_null(strstr(body(), "link.jpg"));
    /* In byte order of where they lie, outside.jpg is before photos/: it is photo 0. */
    assert_int_equal(get("/whole/0"), 200);
    remove(outside);
    assert_int_equal(get("/whole/0"), 422);
    assert_int_equal(get("/whole/1"), 200);
    assert_int_equal(post("/api/rate", "{\"photo\":0,\"score\":3}"), 200);
    free(outside);
    free(link);
}

/* What comes while the page is open is shown, and read; what goes takes nothing with it. */
static void photos_come_and_go(void **state) {
    (void)state;
    assert_true(state_holds("\"reading\":false"));
    assert_int_equal(post("/api/rate", "{\"photo\":2,\"score\":4}"), 200);
    put_sample(0, "photos/0 again.jpg");
    put_sample(1, "photos/zz.jpg");
    char *gone = at("photos/5.jpg");
    remove(gone);
    free(gone);
    assert_true(state_holds("null,null,null]")); /* which waits for the walks of the folder */
    for (int i = 0; i < 10 && !strstr(body(), "\"total\":12"); i++)
        assert_true(state_holds("\"reading\":false"));
    assert_true(state_holds("\"total\":12"));
    assert_non_null(strstr(body(), "\"ratings\":[null,null,4.0000,null,null,null,null,null,null,"
                                   "null,null,null]"));
    assert_int_equal(get("/api/list"), 200);
    const char *before = strstr(body(), "\"9.jpg\""), *again = strstr(body(), "\"0 again.jpg\"");
    assert_null(before);
    assert_non_null(again);
    assert_true(again > strstr(body(), "\"7.jpg\""));
    assert_int_equal(get("/small/10/1"), 200);
    assert_int_equal(get("/small/11/1"), 200);
    assert_int_not_equal(get("/small/12/1"), 200);
    assert_int_equal(post("/api/rate", "{\"photo\":11,\"score\":5}"), 200);
    assert_int_equal(get("/whole/5/2"), 422);
}

static void wrong_requests_change_nothing(void **state) {
    (void)state;
    static const char *const said[] = {
        "",
        "{",
        "[]",
        "{}",
        "{\"photo\":0}",
        "{\"photo\":-1,\"score\":1}",
        "{\"photo\":10,\"score\":1}",
        "{\"photo\":0,\"score\":6}",
        "{\"photo\":0,\"score\":-1}",
        "{\"photo\":0.5,\"score\":1}",
        "{\"photo\":\"0\",\"score\":1}",
        "{\"photo\":0,\"score\":\"5\"}",
        "{\"photo\":0,\"score\":1e999}",
        "{\"photo\":0,\"score\":true}",
        "null",
    };
    for (size_t i = 0; i < PIAA_COUNT(said); i++)
        if (post("/api/rate", said[i]) != 400) fail_msg("%s: %s", said[i], reply.data);
    assert_true(state_holds("\"ratings\":[null,null,"));
    char *large = calloc(3 << 20, 1);
    memset(large, ' ', (3 << 20) - 1);
    assert_int_equal(post("/api/rate", large), 413);
    free(large);
}

/* Ten megabytes of headers, a thousand connections that say nothing, and one that is slow: the page
   is there for others meanwhile. */
static void nobody_keeps_the_page_from_others(void **state) {
    (void)state;
    enum { LARGE = 10 << 20, MANY = 1000 };
    const int s = connect_page();
    char *text = piaa_format(NULL, "GET %s/ HTTP/1.1\r\nHost: %s\r\nX: ", base, host),
         *large = calloc(LARGE + 1, 1);
    memset(large, 'x', LARGE);
    send_all(s, text, strlen(text));
    send_all(s, large, LARGE);
    send_all(s, "\r\n\r\n", 4);
    assert_int_not_equal(receive(s), 200);
    free(text);
    free(large);
    assert_int_equal(get("/"), 200);
    int idle[MANY];
    for (int i = 0; i < MANY; i++) idle[i] = connect_page();
    for (int i = 0; i < MANY; i++)
        if (idle[i] >= 0) close(idle[i]);
    for (int i = 0; i < 200 && get("/") != 200; i++) pause_ms(20);
    assert_int_equal(get("/"), 200);
    /* As many as there is room for have begun to say something: they give way. */
    for (int i = 0; i < MANY; i++)
        if ((idle[i] = connect_page()) >= 0) send_all(idle[i], "GET /", 5);
    for (int i = 0; i < 200 && get("/") != 200; i++) pause_ms(20);
    assert_int_equal(get("/"), 200);
    for (int i = 0; i < 20; i++) {
        for (int k = MANY - 300; k < MANY; k++)
            if (idle[k] >= 0) send_all(idle[k], "x", 1);
        assert_int_equal(get("/api/list"), 200);
    }
    for (int i = 0; i < MANY; i++)
        if (idle[i] >= 0) close(idle[i]);
}

static void mistakes_are_told_in_a_line(void **state) {
    (void)state;
    char taken[16];
    snprintf(taken, sizeof taken, "%d", port);
    assert_int_equal(PIAA("browse", "photos", "--no-open", "--book", "other", "--store", "store",
                          "--port", taken),
                     1);
    if (!strstr(err, "--port")) fail_msg("%s", err);
    expect_refusal(PIAA("browse", "nothing", "--no-open"), 1, "piaa browse: ", "nothing");
    expect_refusal(PIAA("browse", "photos", "--port", "80"), 2, "piaa browse: ", "--port");
    expect_refusal(PIAA("browse", "photos", "--listen", "0.0.0.0"), 2,
                   "piaa browse: ", "--allow-remote");
    expect_refusal(PIAA("browse", "photos", "--listen", "everywhere"), 2,
                   "piaa browse: ", "192.168.1.5:8080");
    expect_refusal(PIAA("browse", "photos", "--allow-remote", "--password-file", "nothing"), 1,
                   "piaa browse: ", "nothing");
    expect_refusal(PIAA("browse"), 2, "piaa browse: ", "PHOTOS");
    assert_int_equal(
        PIAA("browse", "photos", "--no-open", "--store", "store", "--book", "secret.jpg"), 1);
    if (!strstr(err, "not a database")) fail_msg("%s", err);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_page_and_its_files_are_there, begin, end),
        cmocka_unit_test_setup_teardown(torn_pictures_are_made_again, begin, end),
        cmocka_unit_test_setup_teardown(parts_are_sent_and_nothing_twice, begin, end),
        cmocka_unit_test_setup_teardown(ratings_are_kept_and_learned_from, begin, end),
        cmocka_unit_test_setup_teardown(pairs_are_kept_and_learned_from, begin, end),
        cmocka_unit_test_setup_teardown(scores_have_reasons, begin, end),
        cmocka_unit_test_setup_teardown(events_tell_of_changes, begin, end),
        cmocka_unit_test_setup_teardown(people_are_apart_and_compared, begin, end),
        cmocka_unit_test_setup_teardown(others_ratings_count_beforehand, begin, end),
        cmocka_unit_test_setup_teardown(people_who_are_not_there_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(strangers_get_nothing, begin, end),
        cmocka_unit_test_setup_teardown(a_password_opens_the_page, begin, end),
        cmocka_unit_test_setup_teardown(all_addresses_are_of_both_kinds, begin, end),
        cmocka_unit_test_setup_teardown(nothing_but_the_photos_is_served, begin, end),
        cmocka_unit_test_setup_teardown(linked_photos_are_served_and_lost_ones_told, begin, end),
        cmocka_unit_test_setup_teardown(photos_come_and_go, begin, end),
        cmocka_unit_test_setup_teardown(wrong_requests_change_nothing, begin, end),
        cmocka_unit_test_setup_teardown(nobody_keeps_the_page_from_others, begin, end),
        cmocka_unit_test_setup_teardown(mistakes_are_told_in_a_line, begin, end),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(reply.data);
    return failed;
}

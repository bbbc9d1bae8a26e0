/* Who is let in, by what the request says: a table of visits to each kind of door. */
#include "browse/door.h"

#include "base/hooks.h"
#include "support.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct visit {
    const char *path, *host, *origin, *cookie;
    int status; /* 0: let in */
} visit;

static piaa_door *open_door(piaa_door_options options) {
    options.token = "secret";
    piaa_error error = {0};
    piaa_door *door = piaa_door_new(&options, &error);
    if (!door) fail_msg("%s", error.message);
    assert_true(piaa_door_open(door, 8080, NULL));
    return door;
}

static piaa_welcome ask(piaa_door *door, const visit *v, const char *body) {
    const piaa_visit asked = {.path = v->path,
                              .host = v->host,
                              .origin = v->origin,
                              .cookie = v->cookie,
                              .post = body != NULL,
                              .body = body};
    piaa_welcome welcome;
    piaa_door_ask(door, &asked, &welcome);
    return welcome;
}

static void expect(piaa_door *door, const visit *visits, size_t count, const char *body) {
    for (size_t i = 0; i < count; i++) {
        const piaa_welcome got = ask(door, &visits[i], body);
        if ((got.rest != NULL) != !visits[i].status || got.status != visits[i].status)
            fail_msg("visit %zu (%s at %s): %d %s", i, visits[i].path, visits[i].host, got.status,
                     got.text);
    }
}

static void the_address_is_the_key_of_this_machine(void **state) {
    (void)state;
    piaa_door *door = open_door((piaa_door_options){0});
    static const visit asked[] = {
        {"/secret/", "127.0.0.1:8080", NULL, NULL, 0},
        {"/secret/api/list", "localhost:8080", "http://localhost:8080", NULL, 0},
        {"/secret/", "127.0.0.1:8081", NULL, NULL, 421},
        {"/secret/", "127.0.0.1", NULL, NULL, 421},
        {"/secret/", "10.0.0.1:8080", NULL, NULL, 421},
        {"/secret/", "evil.example:8080", NULL, NULL, 421},
        {"/secret/", "", NULL, NULL, 421},
        {"/secret/", NULL, NULL, NULL, 421},
        {"/secret/", "127.0.0.1:8080", "http://evil.example", NULL, 403},
        {"/secret/", "127.0.0.1:8080", "null", NULL, 403},
        {"/secret/", "127.0.0.1:8080", "ftp://127.0.0.1:8080", NULL, 403},
        {"/", "127.0.0.1:8080", NULL, NULL, 403},
        {"/secret", "127.0.0.1:8080", NULL, NULL, 403},
        {"/secre/", "127.0.0.1:8080", NULL, NULL, 403},
        {"/secretx/", "127.0.0.1:8080", NULL, NULL, 403},
        {"", "127.0.0.1:8080", NULL, NULL, 403},
    };
    static const visit changes[] = {
        {"/secret/api/rate", "127.0.0.1:8080", "http://127.0.0.1:8080", NULL, 0},
        {"/secret/api/rate", "127.0.0.1:8080", NULL, NULL, 403},
    };
    assert_string_equal(piaa_door_address(door), "http://127.0.0.1:8080/secret/");
    expect(door, asked, PIAA_COUNT(asked), NULL);
    expect(door, changes, PIAA_COUNT(changes), "{}");
    assert_string_equal(ask(door, &asked[1], NULL).rest, "api/list");
    piaa_door_free(door);
}

static const visit login = {.path = "/", .host = "10.0.0.1:8080", .origin = "http://10.0.0.1:8080"};

/* "piaa8080=…" of the answer's Set-Cookie. */
static char *cookie_of(const piaa_welcome *welcome) {
    char *cookie = strdup(welcome->cookie);
    cookie[strcspn(cookie, ";")] = '\0';
    return cookie;
}

static void elsewhere_a_password_is_needed_besides(void **state) {
    (void)state;
    piaa_door *door = open_door(
        (piaa_door_options){.listen = "10.0.0.1", .others = true, .password = "correct horse"});
    static const visit strange[] = {
        {"/", "10.0.0.1:8080", NULL, NULL, 200},        /* the form */
        {"/secret/", "10.0.0.1:8080", NULL, NULL, 200}, /* likewise: a bookmark */
        {"/before/", "10.0.0.1:8080", NULL, NULL, 200}, /* of an earlier run */
        {"/before/x/", "10.0.0.1:8080", NULL, NULL, 403},
        {"/before", "10.0.0.1:8080", NULL, NULL, 403},
        {"//", "10.0.0.1:8080", NULL, NULL, 403},
        {"/secret/api/list", "10.0.0.1:8080", NULL, NULL, 403},
        {"/secret/api/list", "10.0.0.1:8080", NULL, "piaa8080=", 403},
        {"/secret/api/list", "10.0.0.1:8080", NULL, "piaa8080=0", 403},
        {"/", "10.0.0.2:8080", NULL, NULL, 421},
        {"/", "localhost:8080", NULL, NULL, 421},
    };
    expect(door, strange, PIAA_COUNT(strange), NULL);
    assert_string_equal(piaa_door_address(door), "http://10.0.0.1:8080/");
    const piaa_welcome in = ask(door, &login, "password=correct horse\r\n");
    assert_int_equal(in.status, 303);
    assert_string_equal(in.location, "/secret/");
    assert_non_null(strstr(in.cookie, "; HttpOnly; SameSite=Strict"));
    assert_null(strstr(in.cookie, "Secure"));
    char *own = cookie_of(&in), *jar = piaa_format(NULL, "a=piaa8080=; %s; piaa80=1", own);
    const visit known[] = {
        {"/secret/api/list", "10.0.0.1:8080", NULL, own, 0},
        {"/secret/api/list", "10.0.0.1:8080", NULL, jar, 0},
        {"/", "10.0.0.1:8080", NULL, own, 303},
        {"/api/list", "10.0.0.1:8080", NULL, own, 403}, /* the token still counts */
        {"/secret/", "10.0.0.1:8080", "http://evil.example", own, 403},
    };
    expect(door, known, PIAA_COUNT(known), NULL);
    own[strlen(own) - 1] ^= 1;
    assert_int_equal(ask(door, &known[0], NULL).status, 403);
    free(own);
    free(jar);
    piaa_door_free(door);
}

static void wrong_passwords_take_time(void **state) {
    (void)state;
    piaa_door *door = open_door(
        (piaa_door_options){.listen = "10.0.0.1", .others = true, .password = "correct horse"});
    const double begin = piaa_seconds_now();
    assert_int_equal(ask(door, &login, "password=wrong horse\r\n").status, 403);
    /* Not even the right one is heard for a second. */
    const piaa_welcome soon = ask(door, &login, "password=correct horse\r\n");
    if (piaa_seconds_now() - begin < 1) {
        assert_int_equal(soon.status, 429);
        assert_non_null(strstr(soon.text, "wait 1 second,"));
        assert_string_equal(soon.cookie, "");
    }
    nanosleep(&(struct timespec){.tv_sec = 1, .tv_nsec = 50000000}, NULL);
    assert_int_equal(ask(door, &login, "password=correct horse\r\n").status, 303);
    static const char *const wrong[] = {"password=correct hors\r\n", "password=correct horse \r\n",
                                        "password=\r\n", "correct horse", ""};
    for (size_t i = 0; i < PIAA_COUNT(wrong); i++) {
        piaa_door *other = open_door(
            (piaa_door_options){.listen = "10.0.0.1", .others = true, .password = "correct horse"});
        assert_int_equal(ask(other, &login, wrong[i]).status, 403);
        piaa_door_free(other);
    }
    /* From another site's page it is none at all. */
    visit foreign = login;
    foreign.origin = "http://evil.example";
    assert_int_equal(ask(door, &foreign, "password=correct horse\r\n").status, 403);
    assert_string_equal(ask(door, &foreign, "password=correct horse\r\n").cookie, "");
    piaa_door_free(door);
}

/* At all addresses any number may be the host, and no foreign name; behind a proxy it has a name.
 */
static void names_are_those_that_were_given(void **state) {
    (void)state;
    piaa_door *door = open_door((piaa_door_options){.listen = "[::]",
                                                    .others = true,
                                                    .names = "Photos.example,nas:9090",
                                                    .password = "correct horse"});
    static const visit asked[] = {
        {"/", "192.168.7.8:8080", NULL, NULL, 200},
        {"/", "[fe80::1]:8080", NULL, NULL, 200},
        {"/", "localhost:8080", NULL, NULL, 200},
        {"/", "photos.example", NULL, NULL, 200},
        {"/", "nas:9090", NULL, NULL, 200},
        {"/", "photos.example", "https://photos.example", NULL, 200},
        {"/", "192.168.7.8", NULL, NULL, 421},
        {"/", "192.168.7.8:80", NULL, NULL, 421},
        {"/", "192.168.7.8.evil.example:8080", NULL, NULL, 421},
        {"/", "nas:8080", NULL, NULL, 421},
        {"/", "photos.example.evil.example", NULL, NULL, 421},
        {"/", "photos.example", "https://evil.example", NULL, 403},
    };
    expect(door, asked, PIAA_COUNT(asked), NULL);
    const visit secure = {
        .path = "/", .host = "photos.example", .origin = "https://photos.example"};
    assert_non_null(strstr(ask(door, &secure, "password=correct horse\r\n").cookie, "; Secure"));
    assert_string_equal(piaa_door_address(door), "http://Photos.example/");
    piaa_door_free(door);
}

static void addresses_are_read(void **state) {
    (void)state;
    static const struct {
        const char *listen, *place;
        int family;
    } good[] = {
        {"127.0.0.1", "port 5 of 127.0.0.1", AF_INET},
        {"127.9.9.9:80", "port 80 of 127.9.9.9", AF_INET},
        {"::1", "port 5 of [::1]", AF_INET6},
        {"[::1]:80", "port 80 of [::1]", AF_INET6},
        {"[0:0::1]", "port 5 of [::1]", AF_INET6},
    };
    for (size_t i = 0; i < PIAA_COUNT(good); i++) {
        const piaa_door_options options = {.listen = good[i].listen, .port = 5};
        piaa_door *door = piaa_door_new(&options, NULL);
        socklen_t size;
        assert_non_null(door);
        assert_string_equal(piaa_door_place(door), good[i].place);
        assert_int_equal(piaa_door_socket(door, &size)->sa_family, good[i].family);
        piaa_door_free(door);
    }
    static const struct {
        piaa_door_options options;
        const char *why;
    } bad[] = {
        {{.listen = "localhost"}, "no address"},
        {{.listen = ""}, "no address"},
        {{.listen = "1.2.3"}, "no address"},
        {{.listen = "127.0.0.1:"}, "no address"},
        {{.listen = "127.0.0.1:65536"}, "no address"},
        {{.listen = "127.0.0.1:8x"}, "no address"},
        {{.listen = "[::1"}, "no address"},
        {{.listen = "[::1]8080"}, "no address"},
        {{.listen = "[127.0.0.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1]"}, "no address"},
        {{.listen = "0.0.0.0"}, "--allow-remote"},
        {{.listen = "::"}, "--allow-remote"},
        {{.listen = "192.168.1.5", .password = "long enough"}, "--allow-remote"},
        {{.listen = "192.168.1.5", .others = true}, "--password-file"},
        {{.password = "seven c"}, "fewer than 8"},
        {{.password = ""}, "fewer than 8"},
        {{.names = "a b"}, "no list of hosts"},
        {{.names = "http://a"}, "no list of hosts"},
        {{.names = ",a"}, "no list of hosts"},
    };
    for (size_t i = 0; i < PIAA_COUNT(bad); i++) {
        piaa_error error = {0};
        assert_null(piaa_door_new(&bad[i].options, &error));
        assert_int_equal(error.code, PIAA_USAGE);
        if (!strstr(error.message, bad[i].why)) fail_msg("%zu: %s", i, error.message);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_address_is_the_key_of_this_machine),
        cmocka_unit_test(elsewhere_a_password_is_needed_besides),
        cmocka_unit_test(wrong_passwords_take_time),
        cmocka_unit_test(names_are_those_that_were_given),
        cmocka_unit_test(addresses_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

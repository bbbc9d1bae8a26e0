/* Stars from photos and sidecars: every place where they stand, and which of them counts. */
#include "piaa.h"

#include "support.h"

#define RDF(inner)                                                                                 \
    "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF "                                              \
    "xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">" inner "</rdf:RDF></x:xmpmeta>"
/* As exiftool -xmp:Rating=N writes it, and as Lightroom does. */
#define AS_ELEMENT(stars)                                                                          \
    RDF("<rdf:Description rdf:about='' "                                                           \
        "xmlns:xmp='http://ns.adobe.com/xap/1.0/'><xmp:Rating>" stars                              \
        "</xmp:Rating></rdf:Description>")
#define AS_ATTRIBUTE(stars)                                                                        \
    RDF("<rdf:Description rdf:about=\"\" xmlns:xap=\"http://ns.adobe.com/xap/1.0/\" "              \
        "xap:Rating=\"" stars "\"/>")
#define SAYS_NOTHING RDF("<rdf:Description rdf:about=''/>")

static char *folder;
static char heard[4096]; /* all warnings */
static piaa_stars_found found;

static void hear(void *user, const char *line) {
    (void)user;
    size_t used = strlen(heard);
    snprintf(heard + used, sizeof heard - used, "%s\n", line);
}

static void put(const char *name, const char *text) {
    support_write(folder, name, text, strlen(text));
}

/* A JPEG photo, with a packet in an APP1 segment behind its start (XMP specification part 3,
   1.1.3); packet NULL: without one. */
static void put_photo(const char *name, const char *packet) {
    static const char head[] = "http://ns.adobe.com/xap/1.0/";
    size_t size;
    char *photo = piaa_file_read(PIAA_SOURCE "/data/sample/photos/iaa_pub10_0183.jpg",
                                 (size_t)1 << 30, &size, NULL);
    assert_non_null(photo);
    piaa_text made = {0};
    assert_true(piaa_text_add(&made, photo, 2, NULL));
    if (packet) {
        size_t length = 2 + sizeof head + strlen(packet);
        const unsigned char marker[] = {0xff, 0xe1, (unsigned char)(length >> 8),
                                        (unsigned char)length};
        assert_true(piaa_text_add(&made, marker, sizeof marker, NULL));
        assert_true(piaa_text_add(&made, head, sizeof head, NULL));
        assert_true(piaa_text_add(&made, packet, strlen(packet), NULL));
    }
    assert_true(piaa_text_add(&made, photo + 2, size - 2, NULL));
    support_write(folder, name, made.data, made.length);
    free(made.data);
    free(photo);
}

static piaa_ratings *read_stars(const char *const *names, size_t count, piaa_error *error) {
    const char *paths[16];
    piaa_hooks hooks = {.warn = hear};
    *heard = '\0';
    for (size_t i = 0; i < count; i++) paths[i] = support_join(folder, names[i]);
    piaa_ratings *ratings = piaa_ratings_of_photos(paths, NULL, count, &hooks, &found, error);
    for (size_t i = 0; i < count; i++) free((char *)paths[i]);
    return ratings;
}

/* The photo's score, or -1 where it is not rated. */
static double score_of(const piaa_ratings *ratings, const char *name) {
    for (size_t i = 0; i < piaa_ratings_count(ratings); i++)
        if (strcmp(piaa_path_name(piaa_ratings_at(ratings, i)->path), name) == 0)
            return piaa_ratings_at(ratings, i)->score;
    return -1;
}

static int begin(void **state) {
    (void)state;
    folder = support_folder();
    return 0;
}

static int end(void **state) {
    (void)state;
    support_remove(folder);
    return 0;
}

static void places(void **state) {
    (void)state;
    static const struct {
        const char *name, *own, *shared, *embedded;
        double score;
    } photos[] = {
        {"embedded.jpg", NULL, NULL, AS_ATTRIBUTE("3"), 3},
        {"element.jpg", NULL, NULL, AS_ELEMENT("4"), 4},
        {"shared.jpg", NULL, AS_ELEMENT("2"), NULL, 2},
        {"own.jpg", AS_ATTRIBUTE("5"), NULL, NULL, 5},
        {"all.jpg", AS_ATTRIBUTE("1"), AS_ATTRIBUTE("2"), AS_ATTRIBUTE("3"), 1},
        {"two.jpg", NULL, AS_ATTRIBUTE("2"), AS_ATTRIBUTE("3"), 2},
        {"agree.jpg", AS_ATTRIBUTE("2"), AS_ELEMENT("2"), AS_ATTRIBUTE("2"), 2},
        {"silent.jpg", SAYS_NOTHING, SAYS_NOTHING, AS_ATTRIBUTE("4"), 4},
        {"cleared.jpg", AS_ATTRIBUTE("0"), NULL, AS_ATTRIBUTE("4"), -1}, /* unrated by hand */
        {"rejected.jpg", NULL, NULL, AS_ATTRIBUTE("-1"), 0},
        {"nothing.jpg", NULL, NULL, NULL, -1},
        {"damaged.jpg", "<x:xmpmeta", NULL, AS_ATTRIBUTE("5"), 5},
    };
    const char *names[PIAA_COUNT(photos)];
    for (size_t i = 0; i < PIAA_COUNT(photos); i++) {
        char sidecar[64];
        names[i] = photos[i].name;
        put_photo(names[i], photos[i].embedded);
        snprintf(sidecar, sizeof sidecar, "%s.xmp", names[i]);
        if (photos[i].own) put(sidecar, photos[i].own);
        snprintf(sidecar, sizeof sidecar, "%.*s.xmp", (int)strlen(names[i]) - 4, names[i]);
        if (photos[i].shared) put(sidecar, photos[i].shared);
    }
    piaa_error error = {0};
    piaa_ratings *ratings = read_stars(names, PIAA_COUNT(photos), &error);
    if (!ratings) fail_msg("%s", error.message);
    for (size_t i = 0; i < PIAA_COUNT(photos); i++)
        if (score_of(ratings, names[i]) != photos[i].score)
            fail_msg("%s: %g", names[i], score_of(ratings, names[i]));
    assert_int_equal(found.rated, 10);
    assert_int_equal(found.rejected, 1);
    assert_int_equal(found.unrated, 2);
    assert_non_null(strstr(heard, "3 photos have stars in several places that differ"));
    assert_non_null(strstr(heard, "all.jpg: 1 and 2"));
    assert_non_null(strstr(heard, "stars could not be read in 1 place"));
    assert_non_null(strstr(heard, "damaged.jpg.xmp"));
    piaa_ratings_free(ratings);
}

/* A sidecar beside a raw file and one beside the link to a photo; other cameras' capitals. */
static void names(void **state) {
    (void)state;
    static const char *const photos[] = {"IMG_1.CR2", "IMG_2.JPG", "link.jpg", "no_ending"};
    put("IMG_1.CR2", "x"); /* cannot be read, and need not */
    put("IMG_1.CR2.xmp", AS_ATTRIBUTE("4"));
    put_photo("IMG_2.JPG", NULL);
    put("IMG_2.XMP", AS_ATTRIBUTE("3"));
    put_photo("key", NULL);
    put_photo("no_ending", NULL);
    put("no_ending.xmp", AS_ATTRIBUTE("2"));
    put("link.xmp", AS_ATTRIBUTE("5"));
    char *link = support_join(folder, "link.jpg"), *key = support_join(folder, "key");
    assert_int_equal(symlink("key", link), 0);
    piaa_error error = {0};
    piaa_ratings *ratings = read_stars(photos, PIAA_COUNT(photos), &error);
    if (!ratings) fail_msg("%s", error.message);
    assert_true(score_of(ratings, "IMG_1.CR2") == 4);
    assert_true(score_of(ratings, "IMG_2.JPG") == 3);
    assert_true(score_of(ratings, "link.jpg") == 5);
    assert_true(score_of(ratings, "no_ending") == 2);
    assert_string_equal(heard, "");
    piaa_ratings_free(ratings);
    /* Under its own path and the link's name, as a walk finds it. */
    ratings = piaa_ratings_of_photos((const char *const[]){key}, (const char *const[]){link}, 1,
                                     NULL, &found, &error);
    assert_true(score_of(ratings, "key") == 5);
    piaa_ratings_free(ratings);
    free(link);
    free(key);
}

static void no_stars(void **state) {
    (void)state;
    static const char *const photos[] = {"a.jpg", "b.jpg"};
    put_photo("a.jpg", AS_ATTRIBUTE("0"));
    put_photo("b.jpg", NULL);
    piaa_error error = {0};
    assert_null(read_stars(photos, PIAA_COUNT(photos), &error));
    assert_int_equal(error.code, PIAA_MISMATCH);
    assert_non_null(strstr(error.message, "none of the 2 photos has stars"));
    assert_int_equal(found.unrated, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(places, begin, end),
        cmocka_unit_test_setup_teardown(names, begin, end),
        cmocka_unit_test_setup_teardown(no_stars, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

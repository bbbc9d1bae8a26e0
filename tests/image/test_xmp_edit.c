/* Ratings are changed where they stand, in the shapes in which photo programs write packets, and
 * every other byte stays.  In a case "@" stands for the rating and "%" for MicrosoftPhoto's
 * percents: the packet before is the case with 3 (and 50), the expected one the case with the new
 * numbers. */
#include "readers.h"

#include "image/xmp.h"
#include "image/xmp_edit.h"

#include <glib.h>

#define HEAD                                                                                       \
    "<?xpacket begin=\"\xef\xbb\xbf\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n<x:xmpmeta "              \
    "xmlns:x=\"adobe:ns:meta/\" x:xmptk=\"XMP Core 5.6\">\n <rdf:RDF "                             \
    "xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\n"
#define TAIL "\n </rdf:RDF>\n</x:xmpmeta>\n   \n<?xpacket end=\"w\"?>"
#define XMP_NS " xmlns:xmp=\"http://ns.adobe.com/xap/1.0/\""
#define MS_NS " xmlns:MicrosoftPhoto=\"http://ns.microsoft.com/photo/1.0/\""

static bool set_rating(const char *packet, size_t size, int stars, piaa_text *out,
                       piaa_error *error) {
    const piaa_xmp_change change = {.rating = stars, .score = NAN};
    return piaa_xmp_edit(packet, size, &change, out, error);
}

static char *with(const char *text, const char *stars, const char *percent) {
    piaa_text out = {0};
    for (; *text; text++) {
        const char *piece = *text == '@' ? stars : *text == '%' ? percent : text;
        piaa_text_add(&out, piece, piece == text ? 1 : strlen(piece), NULL);
    }
    return out.data;
}

static void expect_bytes(const char *packet, size_t size, int stars, const char *wanted,
                         size_t wanted_size) {
    piaa_text out = {0};
    piaa_error error = {0};
    piaa_text_add(&out, "kept", 4, NULL);
    if (!set_rating(packet, size, stars, &out, &error)) fail_msg("%s\n%s", error.message, packet);
    if (out.length != wanted_size + 4 || memcmp(out.data + 4, wanted, wanted_size) != 0)
        fail_msg("expected %s\ngot %s", wanted, out.data);
    free(out.data);
}

static void expect_changed(const char *text) {
    static const struct {
        int stars;
        const char *word, *percent;
    } to[] = {{5, "5", "99"}, {1, "1", "1"}, {2, "2", "25"}, {0, "0", "0"}, {-1, "-1", "0"}};
    char *before = with(text, "3", "50");
    for (size_t i = 0; i < PIAA_COUNT(to); i++) {
        char *after = with(text, to[i].word, to[i].percent);
        expect_bytes(before, strlen(before), to[i].stars, after, strlen(after));
        free(after);
    }
    free(before);
}

/* As photo programs write them. */
static const char *const cases[] = {
    /* Lightroom and Camera Raw: attributes, nested masks, a tone curve, comments. */
    HEAD "  <rdf:Description rdf:about=\"\"" XMP_NS
         "\n    xmlns:crs=\"http://ns.adobe.com/camera-raw-settings/1.0/\"\n   "
         "crs:Version=\"15.0\"\n   xmp:CreatorTool=\"a &gt; b &quot;c&quot; = 'd'\"\n   "
         "xmp:Rating=\"@\"\n   xmp:Label=\"Rating\"\n   crs:Exposure2012=\"+0.35\">\n   "
         "<crs:ToneCurvePV2012>\n    <rdf:Seq>\n     <rdf:li>0, 0</rdf:li>\n     <rdf:li>255, "
         "255</rdf:li>\n    </rdf:Seq>\n   </crs:ToneCurvePV2012>\n   "
         "<!-- xmp:Rating=\"1\" -->\n   "
         "<crs:MaskGroupBasedCorrections><rdf:Seq><rdf:li><rdf:Description "
         "crs:What=\"Correction\" xmp:Rating=\"1\"/></rdf:li></rdf:Seq>"
         "</crs:MaskGroupBasedCorrections>\n  </rdf:Description>" TAIL,
    /* Single quotes, blanks around the sign, another prefix, line breaks of DOS. */
    HEAD "<rdf:Description xmlns:xap='http://ns.adobe.com/xap/1.0/'\r\n xap:Rating = "
         "'@'\r\n\trdf:about=''></rdf:Description>" TAIL,
    /* Capture One and others: elements. */
    HEAD "<rdf:Description rdf:about=\"\"" XMP_NS ">\n<xmp:Rating>@</xmp:Rating>\n<xmp:Label>Red"
         "</xmp:Label></rdf:Description>" TAIL,
    HEAD "<rdf:Description rdf:about=\"\"" XMP_NS
         "><xmp:Rating rdf:value=\"@\"/></rdf:Description>" TAIL,
    HEAD "<rdf:Description rdf:about=\"\"" XMP_NS
         "><xmp:Rating rdf:parseType=\"Resource\"><rdf:value>@</rdf:value><xmp:By>me</xmp:By>"
         "</xmp:Rating></rdf:Description>" TAIL,
    /* darktable: its own namespaces, history in a sequence. */
    HEAD "<rdf:Description rdf:about=\"\"" XMP_NS
         " xmlns:darktable=\"http://darktable.sf.net/\" xmp:Rating=\"@\" "
         "darktable:xmp_version=\"5\">\n<darktable:history><rdf:Seq><rdf:li "
         "darktable:num=\"0\" darktable:params=\"gz02eJw7\"/></rdf:Seq></darktable:history>"
         "</rdf:Description>" TAIL,
    /* digiKam and Windows: both ratings, in several descriptions. */
    HEAD "<rdf:Description rdf:about=\"\"" XMP_NS MS_NS
         " xmp:Rating=\"@\" MicrosoftPhoto:Rating=\"%\"/>" TAIL,
    HEAD "<rdf:Description rdf:about=\"\"" XMP_NS "><xmp:Rating>@</xmp:Rating></rdf:Description>\n"
         "<rdf:Description rdf:about=\"\"" MS_NS
         "><MicrosoftPhoto:Rating>%</MicrosoftPhoto:Rating></rdf:Description>" TAIL,
    /* Capture One: single values as elements, and a language alternative. */
    HEAD "<rdf:Description rdf:about=\"\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\"" XMP_NS
         "><dc:description><rdf:Alt><rdf:li xml:lang=\"x-default\">Rating</rdf:li></rdf:Alt>"
         "</dc:description><xmp:Rating>@</xmp:Rating><xmp:Label>Purple</xmp:Label>"
         "</rdf:Description>" TAIL,
    /* digiKam: tags and picks of its own, an XML declaration before it all. */
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<x:xmpmeta xmlns:x=\"adobe:ns:meta/\" "
    "x:xmptk=\"XMP Core 4.4.0-Exiv2\">\n <rdf:RDF "
    "xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\n  <rdf:Description "
    "rdf:about=\"\"\n    xmlns:digiKam=\"http://www.digikam.org/ns/1.0/\"" XMP_NS MS_NS
    "\n   digiKam:PickLabel=\"3\"\n   digiKam:ColorLabel=\"4\"\n   xmp:Rating=\"@\"\n   "
    "MicrosoftPhoto:Rating=\"%\">\n   <digiKam:TagsList>\n    <rdf:Seq>\n     "
    "<rdf:li>Places/K\xc3\xb6ln</rdf:li>\n    </rdf:Seq>\n   </digiKam:TagsList>\n  "
    "</rdf:Description>\n </rdf:RDF>\n</x:xmpmeta>\n",
    /* From here on what not all others read: exiftool 12 no ">" in a value, exiv2 0.27 no other
       prefix of RDF's and no blank lines first. */
    HEAD "<rdf:Description" XMP_NS " xmp:CreatorTool='a > \"b\"' xmp:Rating=\"@\"/>" TAIL,
    /* The prefix is declared far above, the element of RDF has another. */
    "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"" XMP_NS
    "><r:RDF xmlns:r=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"><r:Description "
    "r:about=\"\" xmp:Rating=\"@\"/></r:RDF></x:xmpmeta>",
    "\n\n" HEAD "<rdf:Description rdf:about=\"uuid:1\"" XMP_NS " xmp:Rating=\"@\"/>" TAIL "\0",
};
enum { UNREAD = 3 /* of the cases, the last */ };

static void ratings_are_changed_where_they_stand(void **state) {
    (void)state;
    for (size_t i = 0; i < PIAA_COUNT(cases); i++) expect_changed(cases[i]);
}

/* What was changed is what others read: exiftool, exiv2 and exempi. */
static void other_programs_read_the_same(void **state) {
    (void)state;
    char *made = support_folder(), *folder = piaa_path_absolute(made, NULL);
    for (size_t i = 0; i < PIAA_COUNT(cases) - UNREAD; i++) {
        const piaa_xmp_change change = {.rating = 5, .label = "Gr\xc3\xbcn", .score = 4.25};
        char *before = with(cases[i], "3", "50"), *path = support_join(folder, "a.xmp");
        piaa_text out = {0};
        assert_true(piaa_xmp_edit(before, strlen(before), &change, &out, NULL));
        support_write(folder, "a.xmp", out.data, out.length);
        expect_said(path, "xmp:Rating", "5");
        if (i == 0) expect_said(path, "xmp:Label", "Gr\xc3\xbcn");
        if (i == 0) expect_said(path, "piaa:score", "4.25");
        free(out.data);
        free(before);
        free(path);
    }
    free(folder);
    support_remove(made);
}

static void expect_inserted(const char *before, const char *after) {
    expect_bytes(before, strlen(before), 4, after, strlen(after));
}

static void packets_without_a_rating_get_one(void **state) {
    (void)state;
    expect_inserted(HEAD "<rdf:Description rdf:about=\"\"" XMP_NS " xmp:Label=\"Red\"/>" TAIL,
                    HEAD "<rdf:Description xmp:Rating=\"4\" rdf:about=\"\"" XMP_NS
                         " xmp:Label=\"Red\"/>" TAIL);
    expect_inserted(HEAD "<rdf:Description/>" TAIL,
                    HEAD "<rdf:Description" XMP_NS " xmp:Rating=\"4\"/>" TAIL);
    /* xmp means something else there. */
    expect_inserted(HEAD "<rdf:Description xmlns:xmp=\"urn:other\" xmp:Rating=\"1\"/>" TAIL,
                    HEAD "<rdf:Description xmlns:piaaxmp=\"http://ns.adobe.com/xap/1.0/\" "
                         "piaaxmp:Rating=\"4\" xmlns:xmp=\"urn:other\" xmp:Rating=\"1\"/>" TAIL);
    /* A photo that this one was made from has a rating of its own, which stays. */
    expect_inserted(HEAD "<rdf:Description" XMP_NS "><xmp:From rdf:parseType=\"Resource\">"
                         "<xmp:Rating>1</xmp:Rating></xmp:From></rdf:Description>" TAIL,
                    HEAD "<rdf:Description xmp:Rating=\"4\"" XMP_NS
                         "><xmp:From rdf:parseType=\"Resource\"><xmp:Rating>1</xmp:Rating>"
                         "</xmp:From></rdf:Description>" TAIL);
    /* Windows' alone: both, from now on. */
    expect_inserted(HEAD "<rdf:Description" MS_NS " MicrosoftPhoto:Rating=\"50\"/>" TAIL,
                    HEAD "<rdf:Description" XMP_NS " xmp:Rating=\"4\"" MS_NS
                         " MicrosoftPhoto:Rating=\"75\"/>" TAIL);
    expect_inserted(HEAD TAIL, HEAD "\n <rdf:Description rdf:about=\"\"" XMP_NS
                                    " xmp:Rating=\"4\"/></rdf:RDF>\n</x:xmpmeta>\n   \n<?xpacket "
                                    "end=\"w\"?>");
    expect_inserted(HEAD "<rdf:Description" XMP_NS "><xmp:Rating/></rdf:Description>" TAIL, HEAD
                    "<rdf:Description" XMP_NS "><xmp:Rating>4</xmp:Rating></rdf:Description>" TAIL);
    expect_inserted(
        HEAD "<rdf:Description" XMP_NS "><xmp:Rating></xmp:Rating></rdf:Description>" TAIL,
        HEAD "<rdf:Description" XMP_NS "><xmp:Rating>4</xmp:Rating></rdf:Description>" TAIL);
}

/* Labels and scores as ratings; nothing else is touched, not even the stars. */
static void labels_and_scores_are_changed_where_they_stand(void **state) {
    (void)state;
    static const struct {
        const char *before, *after;
    } pairs[] = {
        {HEAD "<rdf:Description" XMP_NS " xmp:Rating=\"2\" xmp:Label='Red'/>" TAIL,
         HEAD "<rdf:Description xmlns:piaa=\"urn:x-piaa:xmp:1.0/\" piaa:score=\"-0.50\"" XMP_NS
              " xmp:Rating=\"2\" xmp:Label='a &lt; &amp; &quot;b&apos;'/>" TAIL},
        {HEAD "<rdf:Description xmlns:p=\"urn:x-piaa:xmp:1.0/\"" XMP_NS
              "><p:score>3.00</p:score><xmp:Label/></rdf:Description>" TAIL,
         HEAD "<rdf:Description xmlns:p=\"urn:x-piaa:xmp:1.0/\"" XMP_NS
              "><p:score>-0.50</p:score><xmp:Label>a &lt; &amp; &quot;b&apos;</xmp:Label>"
              "</rdf:Description>" TAIL},
        /* piaa is another's prefix there. */
        {HEAD "<rdf:Description xmlns:piaa=\"urn:other\" piaa:score=\"1\"/>" TAIL,
         HEAD "<rdf:Description" XMP_NS " xmp:Label=\"a &lt; &amp; &quot;b&apos;\" "
              "xmlns:piaascore=\"urn:x-piaa:xmp:1.0/\" piaascore:score=\"-0.50\" "
              "xmlns:piaa=\"urn:other\" piaa:score=\"1\"/>" TAIL},
    };
    const piaa_xmp_change change = {
        .rating = PIAA_XMP_AS_IT_IS, .label = "a < & \"b'", .score = -0.496};
    for (size_t i = 0; i < PIAA_COUNT(pairs); i++) {
        piaa_text out = {0};
        piaa_error error = {0};
        if (!piaa_xmp_edit(pairs[i].before, strlen(pairs[i].before), &change, &out, &error))
            fail_msg("%s", error.message);
        assert_string_equal(out.data, pairs[i].after);
        free(out.data);
    }
}

static void packets_are_brought_to_a_size_by_their_padding(void **state) {
    (void)state;
    piaa_text packet = {0};
    piaa_text_format(&packet, NULL, "%s", HEAD TAIL);
    const size_t size = packet.length; /* five blanks before the end, of which one stays last */
    assert_true(piaa_xmp_fit(&packet, size + 7));
    assert_int_equal(packet.length, size + 7);
    assert_true(piaa_xmp_fit(&packet, size));
    assert_true(piaa_xmp_fit(&packet, size - 4));
    assert_string_equal(packet.data + packet.length - 20, "\n<?xpacket end=\"w\"?>");
    assert_false(piaa_xmp_fit(&packet, size - 5));
    assert_int_equal(packet.length, size - 4);
    free(packet.data);
}

/* The same in UTF-16, with a byte-order mark and without. */
static void other_encodings_stay(void **state) {
    (void)state;
    static const char *const encodings[] = {"UTF-16LE", "UTF-16BE"};
    const char *text =
        "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF "
        "xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"><rdf:Description" XMP_NS
        " xmp:Rating=\"@\" xmp:Label=\"Gr\xc3\xbcn \xf0\x9f\x8c\x84\"/></rdf:RDF></x:xmpmeta>";
    for (size_t i = 0; i < PIAA_COUNT(encodings); i++)
        for (int mark = 0; mark < 2; mark++) {
            char *before = with(text, "3", ""), *after = with(text, "5", "");
            char *marked = piaa_format(NULL, "%s%s", mark ? "\xef\xbb\xbf" : "", before),
                 *wanted = piaa_format(NULL, "%s%s", mark ? "\xef\xbb\xbf" : "", after);
            gsize size, wanted_size;
            char *a = g_convert(marked, -1, encodings[i], "UTF-8", NULL, &size, NULL),
                 *b = g_convert(wanted, -1, encodings[i], "UTF-8", NULL, &wanted_size, NULL);
            expect_bytes(a, size, 5, b, wanted_size);
            g_free(a);
            g_free(b);
            free(marked);
            free(wanted);
            free(before);
            free(after);
        }
}

static void what_cannot_be_changed_is_left_alone(void **state) {
    (void)state;
    static const char *const packets[] = {
        "",
        "no XML",
        "<a/>",
        "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"/>",
        HEAD "<rdf:Description" XMP_NS " xmp:Rating=\"3\"",
        "<!DOCTYPE a [<!ENTITY b \"3\">]><a>&b;</a>",
        HEAD "<rdf:Description" XMP_NS
             "><xmp:Rating>3<!-- three --></xmp:Rating></rdf:Description>" TAIL,
        "<rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"/>",
        /* Latin 1, which is not what is edited. */
        "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><rdf:RDF "
        "xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"><rdf:Description" XMP_NS
        " xmp:Label=\"Gr\xfcn\"/></rdf:RDF>",
    };
    for (size_t i = 0; i < PIAA_COUNT(packets); i++) {
        piaa_text out = {0};
        piaa_error error = {0};
        piaa_text_add(&out, "kept", 4, NULL);
        if (set_rating(packets[i], strlen(packets[i]), 4, &out, &error))
            fail_msg("%s became %s", packets[i], out.data);
        assert_int_equal(error.code, PIAA_FORMAT);
        assert_int_equal(out.length, 4);
        free(out.data);
    }
}

static void new_packets_are_read(void **state) {
    (void)state;
    for (int stars = -1; stars <= 5; stars++) {
        piaa_text out = {0};
        piaa_xmp read;
        const piaa_xmp_change change = {.rating = stars, .score = NAN};
        const piaa_xmp_form form = {.extension = stars % 2 ? "CR2" : NULL};
        assert_true(piaa_xmp_new(&change, &form, &out, NULL));
        assert_true(piaa_xmp_read(out.data, out.length, &read, NULL));
        assert_true(read.rating == stars);
        assert_true((strstr(out.data, "SidecarForExtension=\"CR2\"") != NULL) == (stars % 2 != 0));
        free(out.data);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ratings_are_changed_where_they_stand),
        cmocka_unit_test(other_programs_read_the_same),
        cmocka_unit_test(labels_and_scores_are_changed_where_they_stand),
        cmocka_unit_test(packets_are_brought_to_a_size_by_their_padding),
        cmocka_unit_test(packets_without_a_rating_get_one),
        cmocka_unit_test(other_encodings_stay),
        cmocka_unit_test(what_cannot_be_changed_is_left_alone),
        cmocka_unit_test(new_packets_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

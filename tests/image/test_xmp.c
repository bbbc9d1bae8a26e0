/* XMP packets: what exiftool, exiv2 and the standard (ISO 16684-1) take for the photo's rating and
   orientation, in every way of writing them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "image/xmp.h"

#include <math.h>
#include <stdlib.h>

#define NAMESPACES                                                                                 \
    "xmlns:xmp='http://ns.adobe.com/xap/1.0/' xmlns:tiff='http://ns.adobe.com/tiff/1.0/' "         \
    "xmlns:MicrosoftPhoto='http://ns.microsoft.com/photo/1.0' "                                    \
    "xmlns:mm='http://ns.adobe.com/xap/1.0/mm/'"
#define RDF(body)                                                                                  \
    "<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF "                                                \
    "xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>" body "</rdf:RDF></x:xmpmeta>"
#define DESCRIPTION(attributes, body)                                                              \
    RDF("<rdf:Description rdf:about='' " NAMESPACES " " attributes ">" body "</rdf:Description>")

static const struct {
    const char *packet;
    double rating; /* NAN: not said */
    int orientation;
} packets[] = {
    {DESCRIPTION("xmp:Rating='4' tiff:Orientation='6'", ""), 4, 6},
    {DESCRIPTION("", "<xmp:Rating>3</xmp:Rating><tiff:Orientation>8</tiff:Orientation>"), 3, 8},
    {DESCRIPTION("", "<xmp:Rating>\n  3.5\n</xmp:Rating>"), 3.5, 0},
    {DESCRIPTION("", "<xmp:Rating rdf:value='2'/>"), 2, 0},
    {DESCRIPTION("", "<xmp:Rating rdf:parseType='Resource'> <mm:who>7</mm:who>"
                     "<rdf:value> 5 </rdf:value></xmp:Rating>"),
     5, 0},
    {DESCRIPTION("", "<xmp:Rating><rdf:Description mm:who='7'><rdf:value>1</rdf:value>"
                     "</rdf:Description></xmp:Rating>"),
     1, 0},
    {DESCRIPTION("", "<xmp:Rating><rdf:Description rdf:value='1' mm:who='7'/></xmp:Rating>"), 1, 0},
    {DESCRIPTION("", "<tiff:Orientation><rdf:Seq><rdf:li>3</rdf:li><rdf:li>1</rdf:li></rdf:Seq>"
                     "</tiff:Orientation>"),
     NAN, 3},
    /* the values of the standard, and those that are none */
    {DESCRIPTION("xmp:Rating='-1'", ""), -1, 0},
    {DESCRIPTION("xmp:Rating='-1.0'", ""), -1, 0},
    {DESCRIPTION("xmp:Rating='0'", ""), 0, 0},
    {DESCRIPTION("xmp:Rating='5.0'", ""), 5, 0},
    {DESCRIPTION("xmp:Rating='5.5'", ""), NAN, 0},
    {DESCRIPTION("xmp:Rating='-2'", ""), NAN, 0},
    {DESCRIPTION("xmp:Rating='-0.5'", ""), NAN, 0},
    {DESCRIPTION("xmp:Rating='NaN'", ""), NAN, 0},
    {DESCRIPTION("xmp:Rating=''", ""), NAN, 0},
    {DESCRIPTION("xmp:Rating='five'", ""), NAN, 0},
    {DESCRIPTION("tiff:Orientation='0'", ""), NAN, 0},
    {DESCRIPTION("tiff:Orientation='9'", ""), NAN, 0},
    {DESCRIPTION("tiff:Orientation='1.5'", ""), NAN, 0},
    {DESCRIPTION("", "<xmp:Rating>1111111111111111111111111111111111111111111111111111111111"
                     "</xmp:Rating>"),
     NAN, 0},
    /* Windows' percents, only where there is no rating */
    {DESCRIPTION("MicrosoftPhoto:Rating='99'", ""), 5, 0},
    {DESCRIPTION("MicrosoftPhoto:Rating='75'", ""), 4, 0},
    {DESCRIPTION("MicrosoftPhoto:Rating='50'", ""), 3, 0},
    {DESCRIPTION("MicrosoftPhoto:Rating='25'", ""), 2, 0},
    {DESCRIPTION("MicrosoftPhoto:Rating='1'", ""), 1, 0},
    {DESCRIPTION("MicrosoftPhoto:Rating='0'", ""), 0, 0},
    {DESCRIPTION("MicrosoftPhoto:Rating='100'", ""), 5, 0},
    {DESCRIPTION("MicrosoftPhoto:Rating='101'", ""), NAN, 0},
    {DESCRIPTION("MicrosoftPhoto:Rating='75' xmp:Rating='2'", ""), 2, 0},
    {DESCRIPTION("MicrosoftPhoto:Rating='75' xmp:Rating='0'", ""), 0, 0},
    {DESCRIPTION("MicrosoftPhoto:Rating='75' xmp:Rating='x'", ""), 4, 0},
    {RDF("<rdf:Description xmlns:m='http://ns.microsoft.com/photo/1.0/' m:Rating='25'/>"), 2, 0},
    /* several descriptions, any prefix, other people's names */
    {RDF("<rdf:Description rdf:about=''/>"
         "<rdf:Description xmlns:t='http://ns.adobe.com/tiff/1.0/' t:Orientation='5'/>"
         "<rdf:Description xmlns='http://ns.adobe.com/xap/1.0/'><Rating>2</Rating>"
         "</rdf:Description>"),
     2, 5},
    {RDF("<rdf:Description xmlns:xap='http://ns.adobe.com/xap/1.0/' xap:Rating='1'/>"
         "<rdf:Description xmlns:xap='http://ns.adobe.com/xap/1.0/' xap:Rating='2'/>"),
     1, 0},
    {RDF("<rdf:Description xmlns:xmp='http://example.org/' xmp:Rating='4'/>"), NAN, 0},
    {RDF("<rdf:Description xmlns:xmp='http://ns.adobe.com/xap/1.0/' Rating='4' "
         "xmp:RatingPercent='80'/>"),
     NAN, 0},
    /* of another photo, which this one was made from */
    {DESCRIPTION("", "<mm:Pantry><rdf:Bag><rdf:li><rdf:Description xmp:Rating='5'>"
                     "<tiff:Orientation>3</tiff:Orientation></rdf:Description></rdf:li></rdf:Bag>"
                     "</mm:Pantry><xmp:Rating>2</xmp:Rating>"),
     2, 0},
    {DESCRIPTION("", "<mm:DerivedFrom xmp:Rating='5' rdf:parseType='Resource'>"
                     "<xmp:Rating>4</xmp:Rating></mm:DerivedFrom>"),
     NAN, 0},
    /* without xmpmeta, with a declaration, a byte-order mark, a packet around it, padding */
    {"<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>"
     "<rdf:Description xmlns:a='http://ns.adobe.com/xap/1.0/' a:Rating='3'/></rdf:RDF>",
     3, 0},
    {"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" DESCRIPTION("xmp:Rating='4'", ""), 4, 0},
    {"\n <?xml version=\"1.0\"?>" DESCRIPTION("xmp:Rating='4'", ""), 4, 0},
    {"\xef\xbb\xbf" DESCRIPTION("xmp:Rating='4'", ""), 4, 0},
    {"<?xpacket begin='\xef\xbb\xbf' id='W5M0MpCehiHzreSzNTczkc9d'?>" DESCRIPTION(
         "xmp:Rating='4'", "") "\n   \n<?xpacket end='w'?>",
     4, 0},
    {DESCRIPTION("xmp:Rating='4'", "") "\x01\xff\xfe behind the end is not ours <", 4, 0},
    /* XML that says nothing */
    {"<html><body xmp='4'/></html>", NAN, 0},
    {RDF(""), NAN, 0},
};

static void expect(const void *packet, size_t size, double rating, int orientation) {
    piaa_error error = {0};
    piaa_xmp xmp;
    if (!piaa_xmp_read(packet, size, &xmp, &error)) fail_msg("%s", error.message);
    if (isnan(rating) ? !isnan(xmp.rating) : xmp.rating != rating)
        fail_msg("rating %g, not %g", xmp.rating, rating);
    assert_int_equal(xmp.orientation, orientation);
}

static void every_way_of_writing_it(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof packets / sizeof *packets; i++)
        expect(packets[i].packet, strlen(packets[i].packet), packets[i].rating,
               packets[i].orientation);
}

/* ASCII in 16 bits: the byte that says something is the `low`th of two. */
static void in_sixteen_bits(int low, bool mark) {
    static const char text[] =
        DESCRIPTION("xmp:Rating='4'", "<tiff:Orientation>7</tiff:Orientation>");
    unsigned char bytes[2 * sizeof text + 2] = {0};
    size_t at = 0;
    if (mark) {
        bytes[low] = 0xff; /* U+FEFF */
        bytes[1 - low] = 0xfe;
        at = 2;
    }
    for (size_t i = 0; i + 1 < sizeof text; i++, at += 2)
        bytes[at + (size_t)low] = (unsigned char)text[i];
    expect(bytes, at, 4, 7);
}

static void sixteen_bit_text(void **state) {
    (void)state;
    for (int low = 0; low < 2; low++) {
        in_sixteen_bits(low, true);
        in_sixteen_bits(low, false);
    }
}

static void expect_damage(const void *packet, size_t size, const char *said) {
    piaa_error error = {0};
    piaa_xmp xmp;
    assert_false(piaa_xmp_read(packet, size, &xmp, &error));
    assert_int_equal(error.code, PIAA_FORMAT);
    if (!strstr(error.message, said)) fail_msg("%s", error.message);
    assert_true(isnan(xmp.rating));
    assert_int_equal(xmp.orientation, 0);
    assert_false(piaa_xmp_read(packet, size, &xmp, NULL));
}

static void damaged_packets(void **state) {
    (void)state;
    static const char whole[] = DESCRIPTION("xmp:Rating='4'", "");
    for (size_t cut = 0; cut < sizeof whole - 1; cut++) expect_damage(whole, cut, "damaged");
    expect_damage("not XML", 7, "line 1");
    expect_damage("<a>\n<b></a>", 11, "line 2, mismatched tag");
    expect_damage("\0\0\0\0", 4, "damaged");
}

/* Ten entities, each ten times the one before: a gigabyte from a few hundred bytes. */
static void entities_are_refused(void **state) {
    (void)state;
    piaa_text text = {0};
    assert_true(piaa_text_format(&text, NULL, "<!DOCTYPE x [<!ENTITY a0 '5'>"));
    for (int i = 1; i < 10; i++) {
        assert_true(piaa_text_format(&text, NULL, "<!ENTITY a%d '", i));
        for (int k = 0; k < 10; k++) assert_true(piaa_text_format(&text, NULL, "&a%d;", i - 1));
        assert_true(piaa_text_format(&text, NULL, "'>"));
    }
    assert_true(piaa_text_format(&text, NULL, "]>" DESCRIPTION("xmp:Rating='&a9;'", "&a9;")));
    expect_damage(text.data, text.length, "document type");
    free(text.data);
    static const char outside[] =
        "<!DOCTYPE x SYSTEM 'file:///etc/passwd'>" DESCRIPTION("xmp:Rating='4'", "");
    expect_damage(outside, sizeof outside - 1, "document type");
    static const char undeclared[] = DESCRIPTION("", "<xmp:Rating>&lots;</xmp:Rating>");
    expect_damage(undeclared, sizeof undeclared - 1, "undefined entity");
}

static void sizes_have_bounds(void **state) {
    (void)state;
    enum { ELEMENTS = 1000, BYTES = (16 << 20) + 1 };
    char *bytes = malloc(BYTES);
    assert_non_null(bytes);
    for (size_t i = 0; i < ELEMENTS; i++) memcpy(bytes + 3 * i, "<a>", 3);
    expect_damage(bytes, (size_t)3 * ELEMENTS, "nested too deeply");
    memset(bytes, '<', BYTES);
    expect_damage(bytes, BYTES, "larger than 16 MiB");
    free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_of_writing_it), cmocka_unit_test(sixteen_bit_text),
        cmocka_unit_test(damaged_packets),         cmocka_unit_test(entities_are_refused),
        cmocka_unit_test(sizes_have_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

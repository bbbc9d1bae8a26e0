/* XMP packets with expat.
 *
 * XMP is RDF in XML.  What is asked for are simple properties of the photo, which may be written as
 *
 *     <rdf:RDF>
 *       <rdf:Description xmp:Rating="4"/>                           an attribute
 *       <rdf:Description>
 *         <xmp:Rating>4</xmp:Rating>                                an element
 *         <xmp:Rating rdf:value="4"/>                               the same, room for qualifiers
 *         <xmp:Rating rdf:parseType="Resource"><rdf:value>4…        and with some
 *         <xmp:Rating><rdf:Description><rdf:value>4…
 *
 * so that it is enough to count levels: a node is one below rdf:RDF, a property two.  The same
 * names deeper down belong to something else (a photo that this one was made from, a step of its
 * history) and are passed over. */
#include "image/xmp.h"
#include "base/csv.h"
#include "base/utf8.h"

#include <expat.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { DEEPEST = 256, LONGEST = PIAA_XMP_LABEL - 1 };
static const size_t LARGEST = (size_t)16 << 20;

/* expat joins a namespace and a local name with this, which no namespace may hold. */
#define IN " "
#define RDF "http://www.w3.org/1999/02/22-rdf-syntax-ns#" IN

typedef enum property { RATING, PERCENT, ORIENTATION, SCORE, LABEL, PROPERTIES } property;

static const struct {
    const char *name;
    property property;
} names[] = {
    {"http://ns.adobe.com/xap/1.0/" IN "Rating", RATING},
    {"http://ns.microsoft.com/photo/1.0" IN "Rating", PERCENT},
    {"http://ns.microsoft.com/photo/1.0/" IN "Rating", PERCENT},
    {"http://ns.adobe.com/tiff/1.0/" IN "Orientation", ORIENTATION},
    {PIAA_XMP_NAMESPACE IN "score", SCORE},
    {"http://ns.adobe.com/xap/1.0/" IN "Label", LABEL},
};

static property find_property(const char *name) {
    for (size_t i = 0; i < PIAA_COUNT(names); i++)
        if (strcmp(name, names[i].name) == 0) return names[i].property;
    return PROPERTIES;
}

typedef struct reader {
    XML_Parser parser;
    int depth, rdf;    /* the level of the element in hand, and of rdf:RDF; 0: none so far */
    property property; /* that the element in hand is, or is part of */
    bool taking;       /* its text is the property's value */
    size_t length;
    char text[LONGEST + 1];
    double values[LABEL]; /* NaN: not said */
    char label[LONGEST + 1];
    bool done; /* the document's last tag was there */
    const char *refused;
} reader;

static void refuse(reader *r, const char *why) {
    r->refused = why;
    XML_StopParser(r->parser, XML_FALSE);
}

/* Stars, Windows' percents, any score, EXIF's orientations. */
static bool means_something(property which, double value) {
    if (which == RATING) return value == -1 || (value >= 0 && value <= 5);
    if (which == PERCENT) return value >= 0 && value <= 100;
    if (which == SCORE) return isfinite(value);
    return value >= 1 && value <= 8 && value == floor(value);
}

static void note(reader *r, property which, const char *text) {
    double value;
    if (which == LABEL && !*r->label)
        snprintf(r->label, sizeof r->label, "%.*s", piaa_utf8_shown(text, LONGEST), text);
    if (which >= LABEL || !isnan(r->values[which]) || !piaa_parse_number(text, &value)) return;
    if (means_something(which, value)) r->values[which] = value;
}

static void note_value_attribute(reader *r, const XML_Char **attributes) {
    for (; *attributes; attributes += 2)
        if (strcmp(attributes[0], RDF "value") == 0) note(r, r->property, attributes[1]);
}

static void XMLCALL on_start(void *user, const XML_Char *name, const XML_Char **attributes) {
    reader *r = user;
    if (++r->depth > DEEPEST) {
        refuse(r, "nested too deeply");
    } else if (!r->rdf) {
        if (strcmp(name, RDF "RDF") == 0) r->rdf = r->depth;
    } else if (r->depth == r->rdf + 1) {
        for (; *attributes; attributes += 2) note(r, find_property(attributes[0]), attributes[1]);
    } else if (r->depth == r->rdf + 2) {
        r->property = find_property(name);
        r->taking = r->property != PROPERTIES;
        r->length = 0;
        note_value_attribute(r, attributes);
    } else if (r->property != PROPERTIES) {
        r->taking = strcmp(name, RDF "value") == 0 || strcmp(name, RDF "li") == 0;
        r->length = 0;
        note_value_attribute(r, attributes);
    }
}

static void XMLCALL on_end(void *user, const XML_Char *name) {
    PIAA_UNUSED(name);
    reader *r = user;
    if (r->taking) {
        while (r->length && strchr(" \t\r\n", r->text[r->length - 1])) r->length--;
        r->text[r->length] = '\0';
        note(r, r->property, r->text);
        r->taking = false;
    }
    if (r->depth == r->rdf + 2) r->property = PROPERTIES;
    if (r->depth == r->rdf) r->rdf = 0;
    if (--r->depth == 0) { /* what follows is padding, or whatever the file's format puts there */
        r->done = true;
        XML_StopParser(r->parser, XML_FALSE);
    }
}

static void XMLCALL on_text(void *user, const XML_Char *text, int length) {
    reader *r = user;
    if (!r->taking) return;
    for (int i = 0; i < length; i++) {
        bool blank = strchr(" \t\r\n", text[i]) != NULL;
        if (blank && r->length == 0) continue;
        if (r->length == LONGEST && blank) continue;
        if (r->length == LONGEST && r->property != LABEL)
            r->text[0] = '?'; /* too long for a number */
        if (r->length < LONGEST) r->text[r->length++] = text[i];
    }
}

static void XMLCALL on_doctype(void *user, const XML_Char *name, const XML_Char *system,
                               const XML_Char *public, int has_subset) {
    PIAA_UNUSED(name);
    PIAA_UNUSED(system);
    PIAA_UNUSED(public);
    PIAA_UNUSED(has_subset);
    refuse(user, "it declares a document type");
}

/* The encoding that expat cannot see for itself: UTF-16 without a byte-order mark. */
static const char *encoding_of(const unsigned char *bytes, size_t size) {
    if (size >= 2 && bytes[0] == '<' && bytes[1] == 0) return "UTF-16LE";
    if (size >= 2 && bytes[0] == 0 && bytes[1] == '<') return "UTF-16BE";
    return NULL;
}

static bool parse(reader *r, const char *packet, size_t size, piaa_error *error) {
    XML_SetUserData(r->parser, r);
    XML_SetElementHandler(r->parser, on_start, on_end);
    XML_SetCharacterDataHandler(r->parser, on_text);
    XML_SetStartDoctypeDeclHandler(r->parser, on_doctype);
    if (XML_Parse(r->parser, packet, (int)size, true) == XML_STATUS_OK || r->done) return true;
    if (!r->refused && XML_GetErrorCode(r->parser) == XML_ERROR_NO_MEMORY)
        return piaa_error_set(error, PIAA_MEMORY, "out of memory for an XMP packet");
    return piaa_error_set(error, PIAA_FORMAT, "the XMP packet is damaged: line %lu, %s",
                          (unsigned long)XML_GetCurrentLineNumber(r->parser),
                          r->refused ? r->refused : XML_ErrorString(XML_GetErrorCode(r->parser)));
}

/* Windows writes one to five stars as 1, 25, 50, 75 and 99 percent. */
static double stars_of_percent(double percent) {
    return percent > 0 ? fmin(floor(percent / 25 + 0.5) + 1, 5) : percent;
}

bool piaa_xmp_read(const void *packet, size_t size, piaa_xmp *out, piaa_error *error) {
    *out = PIAA_XMP_SILENT;
    const char *bytes = packet;
    while (size && *bytes && strchr(" \t\r\n", *bytes)) bytes++, size--;
    if (size > LARGEST)
        return piaa_error_set(error, PIAA_FORMAT, "the XMP packet is larger than 16 MiB");
    reader r = {.property = PROPERTIES, .values = {NAN, NAN, NAN, NAN}};
    r.parser = XML_ParserCreateNS(encoding_of((const unsigned char *)bytes, size), IN[0]);
    if (!r.parser) return piaa_error_set(error, PIAA_MEMORY, "out of memory for an XMP packet");
    bool ok = parse(&r, bytes, size, error);
    XML_ParserFree(r.parser);
    if (!ok) return false;
    out->rating = isnan(r.values[RATING]) ? stars_of_percent(r.values[PERCENT]) : r.values[RATING];
    out->orientation = isnan(r.values[ORIENTATION]) ? 0 : (int)r.values[ORIENTATION];
    out->score = r.values[SCORE];
    memcpy(out->label, r.label, sizeof out->label);
    return true;
}

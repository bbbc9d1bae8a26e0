/*
 * Changing a rating where it stands.
 *
 * expat says where each tag begins and how long it is; what lies between two tags, or between two
 * quotes of a tag, is then replaced in a copy of the packet.  Nothing is printed anew, so that what
 * this program does not know stays as it was.  Packets in UTF-16 are changed in UTF-8 and turned
 * back, where that way leads back to the same bytes.
 */
#include "image/xmp_edit.h"

#include "image/xmp.h"

#include <expat.h>
#include <glib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEEPEST = 256, EDITS_MOST = 16, SCOPES_MOST = 256, PREFIX_MOST = 64 };

/* Between namespace, local name and prefix. */
#define IN " "
#define RDF "http://www.w3.org/1999/02/22-rdf-syntax-ns#" IN
#define XMP "http://ns.adobe.com/xap/1.0/"

/* What is put in place of some bytes of the packet. */
typedef struct edit {
    size_t at, length;
    char text[256];
} edit;

/* A namespace's prefix, and the element that declares it. */
typedef struct scope {
    char prefix[PREFIX_MOST];
    bool is_xmp;
    int depth;
} scope;

typedef struct editor {
    XML_Parser parser;
    const char *bytes;
    size_t size;
    char stars[8], percent[8];
    int depth, rdf;
    char rdf_prefix[PREFIX_MOST];
    edit edits[EDITS_MOST];
    size_t count;
    scope scopes[SCOPES_MOST];
    size_t scope_count;
    const char *value; /* of the property in hand: what it becomes; NULL: another property */
    bool taking;       /* its text is the value */
    size_t text_at;    /* where that begins */
    bool rated;        /* an xmp:Rating was there */
    edit insertion;    /* of a packet without: length SIZE_MAX where there is no place */
    bool done;
    const char *refused;
} editor;

static void refuse(editor *e, const char *why) {
    if (!e->refused) e->refused = why;
    XML_StopParser(e->parser, XML_FALSE);
}

static void add_edit(editor *e, size_t at, size_t length, const char *text) {
    if (e->count == EDITS_MOST || at + length > e->size) {
        refuse(e, "it holds more ratings than a photo has");
        return;
    }
    edit *one = &e->edits[e->count++];
    *one = (edit){.at = at, .length = length};
    snprintf(one->text, sizeof one->text, "%s", text);
}

/* Whether a name of expat's, "namespace local prefix", is this one. */
static bool is_name(const char *name, const char *wanted) {
    const size_t n = strlen(wanted);
    return strncmp(name, wanted, n) == 0 && (!name[n] || name[n] == IN[0]);
}

static const char *prefix_of(const char *name) {
    const char *space = strchr(name, IN[0]);
    space = space ? strchr(space + 1, IN[0]) : NULL;
    return space ? space + 1 : "";
}

/* What a property of this name becomes; NULL: it is no rating. */
static const char *value_for(editor *e, const char *name) {
    if (is_name(name, XMP IN "Rating")) {
        e->rated = true;
        return e->stars;
    }
    return is_name(name, "http://ns.microsoft.com/photo/1.0" IN "Rating") ||
                   is_name(name, "http://ns.microsoft.com/photo/1.0/" IN "Rating")
               ? e->percent
               : NULL;
}

/* ----------------------------------------------------------------------------------- attributes */

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The value of the attribute `prefix:local` in the tag's text: its place, and its length; SIZE_MAX:
   it is not there. */
static size_t find_attribute(const char *tag, size_t size, const char *prefix, const char *local,
                             size_t *length) {
    char name[2 * PREFIX_MOST];
    const size_t n = (size_t)snprintf(name, sizeof name, "%s:%s", prefix, local);
    size_t at = 0;
    while (at < size && !is_blank(tag[at])) at++; /* the element's own name */
    while (at < size) {
        while (at < size && is_blank(tag[at])) at++;
        const size_t begin = at;
        while (at < size && tag[at] != '=' && !is_blank(tag[at])) at++;
        const bool same = at - begin == n && memcmp(tag + begin, name, n) == 0;
        while (at < size && tag[at] != '"' && tag[at] != '\'') at++;
        if (at >= size) break;
        const size_t value = at + 1;
        const char *end = memchr(tag + value, tag[at], size - value);
        if (!end) break;
        *length = (size_t)(end - tag) - value;
        if (same) return value;
        at = value + *length + 1;
    }
    return SIZE_MAX;
}

static void edit_attribute(editor *e, const char *name, const char *local, const char *value) {
    const size_t at = (size_t)XML_GetCurrentByteIndex(e->parser),
                 size = (size_t)XML_GetCurrentByteCount(e->parser);
    size_t length, place = find_attribute(e->bytes + at, size, prefix_of(name), local, &length);
    if (place == SIZE_MAX)
        refuse(e, "its rating is written in a way that cannot be changed alone");
    else
        add_edit(e, at + place, length, value);
}

/* ------------------------------------------------------------------------------------- elements */

static const scope *find_scope(const editor *e, const char *prefix) {
    for (size_t i = e->scope_count; i-- > 0;)
        if (strcmp(e->scopes[i].prefix, prefix) == 0) return &e->scopes[i];
    return NULL;
}

/* A prefix that means XMP here; NULL: none does. */
static const char *xmp_prefix(const editor *e) {
    for (size_t i = e->scope_count; i-- > 0;)
        if (e->scopes[i].is_xmp && *e->scopes[i].prefix &&
            find_scope(e, e->scopes[i].prefix) == &e->scopes[i])
            return e->scopes[i].prefix;
    return NULL;
}

/* Behind the name of the first rdf:Description. */
static void plan_insertion(editor *e) {
    const size_t at = (size_t)XML_GetCurrentByteIndex(e->parser);
    size_t end = at;
    if (e->insertion.length != SIZE_MAX) return;
    while (end < e->size && !is_blank(e->bytes[end]) && !strchr("/>", e->bytes[end])) end++;
    e->insertion.at = end;
    e->insertion.length = 0;
    const char *prefix = xmp_prefix(e);
    if (prefix)
        snprintf(e->insertion.text, sizeof e->insertion.text, " %s:Rating=\"%s\"", prefix,
                 e->stars);
    else
        snprintf(e->insertion.text, sizeof e->insertion.text, " xmlns:%s=\"%s\" %s:Rating=\"%s\"",
                 find_scope(e, "xmp") ? "piaaxmp" : "xmp", XMP,
                 find_scope(e, "xmp") ? "piaaxmp" : "xmp", e->stars);
}

static void begin_value(editor *e, const XML_Char **attributes) {
    e->taking = true;
    e->text_at = (size_t)(XML_GetCurrentByteIndex(e->parser) + XML_GetCurrentByteCount(e->parser));
    for (; *attributes; attributes += 2)
        if (is_name(attributes[0], RDF "value")) {
            edit_attribute(e, attributes[0], "value", e->value);
            e->taking = false;
        }
}

static void XMLCALL on_start(void *user, const XML_Char *name, const XML_Char **attributes) {
    editor *e = user;
    if (++e->depth > DEEPEST) {
        refuse(e, "nested too deeply");
    } else if (!e->rdf) {
        if (!is_name(name, RDF "RDF")) return;
        e->rdf = e->depth;
        snprintf(e->rdf_prefix, sizeof e->rdf_prefix, "%s", prefix_of(name));
    } else if (e->depth == e->rdf + 1) {
        plan_insertion(e);
        for (; *attributes; attributes += 2) {
            const char *value = value_for(e, attributes[0]);
            if (value) edit_attribute(e, attributes[0], "Rating", value);
        }
    } else if (e->depth == e->rdf + 2) {
        if ((e->value = value_for(e, name))) begin_value(e, attributes);
    } else if (e->value) {
        e->taking = false;
        if (is_name(name, RDF "value") || is_name(name, RDF "li")) begin_value(e, attributes);
    }
}

/* A tag without content, "<xmp:Rating/>", is opened. */
static void open_tag(editor *e, size_t end) {
    size_t begin = end - 1;
    while (begin && e->bytes[begin] != '<') begin--;
    size_t name = begin + 1;
    while (name < end && !is_blank(e->bytes[name]) && e->bytes[name] != '/') name++;
    char text[256];
    snprintf(text, sizeof text, ">%s</%.*s>", e->value, (int)(name - begin - 1),
             e->bytes + begin + 1);
    add_edit(e, end - 2, 2, text);
}

static void end_value(editor *e) {
    const size_t end = (size_t)XML_GetCurrentByteIndex(e->parser);
    const bool empty = e->text_at >= 2 && memcmp(e->bytes + e->text_at - 2, "/>", 2) == 0;
    e->taking = false;
    if (empty)
        open_tag(e, e->text_at);
    else if (end < e->text_at || memchr(e->bytes + e->text_at, '<', end - e->text_at))
        refuse(e, "its rating is written in a way that cannot be changed alone");
    else
        add_edit(e, e->text_at, end - e->text_at, e->value);
}

/* Before the end of an rdf:RDF that holds nothing. */
static void plan_description(editor *e) {
    const size_t at = (size_t)XML_GetCurrentByteIndex(e->parser);
    if (e->insertion.length != SIZE_MAX || !*e->rdf_prefix || at + 1 >= e->size ||
        memcmp(e->bytes + at, "</", 2) != 0)
        return;
    e->insertion.at = at;
    e->insertion.length = 0;
    snprintf(e->insertion.text, sizeof e->insertion.text,
             "<%s:Description %s:about=\"\" xmlns:xmp=\"%s\" xmp:Rating=\"%s\"/>", e->rdf_prefix,
             e->rdf_prefix, XMP, e->stars);
}

static void XMLCALL on_end(void *user, const XML_Char *name) {
    editor *e = user;
    PIAA_UNUSED(name);
    if (e->taking) end_value(e);
    if (e->depth == e->rdf + 2) e->value = NULL;
    if (e->rdf && e->depth == e->rdf) {
        plan_description(e);
        e->rdf = 0;
    }
    while (e->scope_count && e->scopes[e->scope_count - 1].depth >= e->depth) e->scope_count--;
    if (--e->depth == 0) {
        e->done = true;
        XML_StopParser(e->parser, XML_FALSE);
    }
}

/* Comes before the start of the element that declares it. */
static void XMLCALL on_namespace(void *user, const XML_Char *prefix, const XML_Char *uri) {
    editor *e = user;
    if (e->scope_count == SCOPES_MOST) {
        refuse(e, "it declares too many namespaces");
        return;
    }
    scope *one = &e->scopes[e->scope_count++];
    *one = (scope){.is_xmp = uri && strcmp(uri, XMP) == 0, .depth = e->depth + 1};
    snprintf(one->prefix, sizeof one->prefix, "%s", prefix ? prefix : "");
}

static void XMLCALL on_doctype(void *user, const XML_Char *name, const XML_Char *system,
                               const XML_Char *public, int has_subset) {
    PIAA_UNUSED(name);
    PIAA_UNUSED(system);
    PIAA_UNUSED(public);
    PIAA_UNUSED(has_subset);
    refuse(user, "it declares a document type");
}

/* ---------------------------------------------------------------------------------------- whole */

static bool find_edits(editor *e, piaa_error *error) {
    XML_SetUserData(e->parser, e);
    XML_SetReturnNSTriplet(e->parser, 1);
    XML_SetElementHandler(e->parser, on_start, on_end);
    XML_SetStartNamespaceDeclHandler(e->parser, on_namespace);
    XML_SetStartDoctypeDeclHandler(e->parser, on_doctype);
    const bool parsed =
        XML_Parse(e->parser, e->bytes, (int)e->size, true) == XML_STATUS_OK || e->done;
    if (!parsed && !e->refused && XML_GetErrorCode(e->parser) == XML_ERROR_NO_MEMORY)
        return piaa_error_set(error, PIAA_MEMORY, "out of memory for an XMP packet");
    if (!parsed || e->refused)
        return piaa_error_set(error, PIAA_FORMAT, "the XMP packet cannot be changed: line %lu, %s",
                              (unsigned long)XML_GetCurrentLineNumber(e->parser),
                              e->refused ? e->refused
                                         : XML_ErrorString(XML_GetErrorCode(e->parser)));
    if (e->rated) return true;
    if (e->insertion.length == SIZE_MAX || e->count == EDITS_MOST)
        return piaa_error_set(error, PIAA_FORMAT,
                              "the XMP packet has no place for a rating: it holds no rdf:RDF");
    e->edits[e->count++] = e->insertion;
    return true;
}

static int by_place(const void *a, const void *b) {
    const edit *x = a, *y = b;
    return (x->at > y->at) - (x->at < y->at);
}

static bool apply(editor *e, piaa_text *out, piaa_error *error) {
    size_t at = 0;
    qsort(e->edits, e->count, sizeof *e->edits, by_place);
    for (size_t i = 0; i < e->count; i++) {
        const edit *one = &e->edits[i];
        piaa_text_add(out, e->bytes + at, one->at - at, error);
        piaa_text_add(out, one->text, strlen(one->text), error);
        at = one->at + one->length;
    }
    return piaa_text_add(out, e->bytes + at, e->size - at, error);
}

static bool edit_utf8(const char *bytes, size_t size, int stars, piaa_text *out,
                      piaa_error *error) {
    static const int percents[] = {0, 1, 25, 50, 75, 99};
    editor *e = piaa_alloc(1, sizeof *e, error);
    if (!e) return false;
    *e = (editor){.bytes = bytes, .size = size, .insertion = {.length = SIZE_MAX}};
    snprintf(e->stars, sizeof e->stars, "%d", stars);
    snprintf(e->percent, sizeof e->percent, "%d", percents[stars < 0 ? 0 : stars]);
    e->parser = XML_ParserCreateNS("UTF-8", IN[0]);
    const bool ok = e->parser ? find_edits(e, error) && apply(e, out, error)
                              : piaa_error_set(error, PIAA_MEMORY, "out of memory for XMP");
    if (e->parser) XML_ParserFree(e->parser);
    free(e);
    return ok;
}

/* "UTF-16LE", "UTF-16BE"; NULL: UTF-8. */
static const char *encoding_of(const unsigned char *bytes, size_t size) {
    if (size < 2) return NULL;
    if ((bytes[0] == 0xff && bytes[1] == 0xfe) || (bytes[0] == '<' && !bytes[1])) return "UTF-16LE";
    if ((bytes[0] == 0xfe && bytes[1] == 0xff) || (!bytes[0] && bytes[1] == '<')) return "UTF-16BE";
    return NULL;
}

static bool edit_utf16(const char *bytes, size_t size, const char *encoding, int stars,
                       piaa_text *out, piaa_error *error) {
    gsize length = 0, back_length = 0;
    gchar *utf8 = g_convert(bytes, (gssize)size, "UTF-8", encoding, NULL, &length, NULL);
    gchar *back =
        utf8 ? g_convert(utf8, (gssize)length, encoding, "UTF-8", NULL, &back_length, NULL) : NULL;
    const bool same = back && back_length == size && memcmp(back, bytes, size) == 0;
    g_free(back);
    piaa_text changed = {0};
    bool ok = same ? edit_utf8(utf8, length, stars, &changed, error)
                   : piaa_error_set(error, PIAA_FORMAT,
                                    "the XMP packet cannot be changed: it is not %s throughout",
                                    encoding);
    back = ok ? g_convert(changed.data, (gssize)changed.length, encoding, "UTF-8", NULL,
                          &back_length, NULL)
              : NULL;
    ok = ok && back && piaa_text_add(out, back, back_length, error);
    g_free(back);
    g_free(utf8);
    free(changed.data);
    return ok;
}

/* What came out says what it should. */
static bool check(const char *bytes, size_t size, int stars, piaa_error *error) {
    piaa_xmp read;
    return piaa_xmp_read(bytes, size, &read, error) &&
           (read.rating == stars ||
            piaa_error_set(error, PIAA_FORMAT,
                           "the XMP packet cannot be changed: its rating would be %g, not %d",
                           read.rating, stars));
}

bool piaa_xmp_set_rating(const void *packet, size_t size, int stars, piaa_text *out,
                         piaa_error *error) {
    const char *bytes = packet;
    const size_t before = out->length;
    size_t lead = 0;
    while (lead < size && bytes[lead] && is_blank(bytes[lead])) lead++;
    const char *encoding = encoding_of((const unsigned char *)bytes + lead, size - lead);
    piaa_xmp was;
    const bool ok = piaa_xmp_read(packet, size, &was, error) &&
                    piaa_text_add(out, bytes, lead, error) &&
                    (encoding ? edit_utf16(bytes + lead, size - lead, encoding, stars, out, error)
                              : edit_utf8(bytes + lead, size - lead, stars, out, error)) &&
                    check(out->data + before, out->length - before, stars, error);
    if (!ok) out->length = before;
    return ok;
}

bool piaa_xmp_new(int stars, const char *extension, piaa_text *out, piaa_error *error) {
    char sidecar[160] = "";
    if (extension)
        snprintf(sidecar, sizeof sidecar,
                 "\n    xmlns:photoshop=\"http://ns.adobe.com/photoshop/1.0/\""
                 "\n    photoshop:SidecarForExtension=\"%.20s\"",
                 extension);
    return piaa_text_format(out, error,
                            "<?xpacket begin=\"\xef\xbb\xbf\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n"
                            "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\">\n"
                            " <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\n"
                            "  <rdf:Description rdf:about=\"\"\n"
                            "    xmlns:xmp=\"http://ns.adobe.com/xap/1.0/\"%s\n"
                            "    xmp:Rating=\"%d\"/>\n"
                            " </rdf:RDF>\n"
                            "</x:xmpmeta>\n"
                            "<?xpacket end=\"w\"?>\n",
                            sidecar, stars);
}

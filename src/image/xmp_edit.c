/*
 * Changing a rating, a label and a score where they stand.
 *
 * expat says where each tag begins and how long it is; what lies between two tags, or between two
 * quotes of a tag, is then replaced in a copy of the packet.  Nothing is printed anew, so that what
 * this program does not know stays as it was.  Packets in UTF-16 are changed in UTF-8 and turned
 * back, where that way leads back to the same bytes.
 */
#include "image/xmp_edit.h"

#include <expat.h>
#include <glib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEEPEST = 256,
    EDITS_MOST = 32,
    SCOPES_MOST = 256,
    PREFIX_MOST = 64,
    VALUE_MOST = 6 * PIAA_XMP_LABEL, /* "&quot;" for each character */
    PADDING = 2048                   /* as Adobe's programs leave */
};

/* Between namespace, local name and prefix. */
#define IN " "
#define RDF "http://www.w3.org/1999/02/22-rdf-syntax-ns#" IN

/* What is written, and where it belongs. */
typedef enum namespace { SPACE_XMP, SPACE_PIAA, SPACES } namespace;
static const struct {
    const char *uri, *prefix, *other; /* the latter where the former means something else */
} spaces[SPACES] = {{"http://ns.adobe.com/xap/1.0/", "xmp", "piaaxmp"},
                    {PIAA_XMP_NAMESPACE, "piaa", "piaascore"}};

typedef enum property { RATING, LABEL, SCORE, PROPERTIES } property;
static const struct {
    namespace space;
    const char *local, *name; /* name: as expat has it */
} properties[PROPERTIES] = {{SPACE_XMP, "Rating", "http://ns.adobe.com/xap/1.0/" IN "Rating"},
                            {SPACE_XMP, "Label", "http://ns.adobe.com/xap/1.0/" IN "Label"},
                            {SPACE_PIAA, "score", PIAA_XMP_NAMESPACE IN "score"}};

/* What the properties become; "": as they are. */
typedef struct values {
    char of[PROPERTIES][VALUE_MOST];
    char percent[8]; /* Microsoft's, with a rating */
} values;

/* What is put in place of some bytes of the packet. */
typedef struct edit {
    size_t at, length;
    char text[4 * VALUE_MOST];
} edit;

/* A namespace's prefix, and the element that declares it. */
typedef struct scope {
    char prefix[PREFIX_MOST];
    namespace space; /* SPACES: another */
    int depth;
} scope;

/* Where properties are put that the packet has not. */
typedef struct opening {
    size_t at;  /* SIZE_MAX: nowhere */
    bool empty; /* there is no rdf:Description yet */
    char prefix[SPACES][PREFIX_MOST];
    bool declared[SPACES];
} opening;

typedef struct editor {
    XML_Parser parser;
    const char *bytes;
    size_t size;
    const values *wanted;
    bool there[PROPERTIES];
    int depth, rdf;
    char rdf_prefix[PREFIX_MOST];
    edit edits[EDITS_MOST];
    size_t count;
    scope scopes[SCOPES_MOST];
    size_t scope_count;
    const char *value; /* of the property in hand: what it becomes; NULL: another property */
    bool taking;       /* its text is the value */
    size_t text_at;    /* where that begins */
    opening opening;
    bool done;
    const char *refused;
} editor;

static void refuse(editor *e, const char *why) {
    if (!e->refused) e->refused = why;
    XML_StopParser(e->parser, XML_FALSE);
}

static void add_edit(editor *e, size_t at, size_t length, const char *text) {
    if (e->count == EDITS_MOST || at + length > e->size) {
        refuse(e, "it says the same more often than a photo needs");
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

/* The name without namespace and prefix. */
static void copy_local(const char *name, char out[PREFIX_MOST]) {
    const char *space = strchr(name, IN[0]), *begin = space ? space + 1 : name;
    snprintf(out, PREFIX_MOST, "%.*s", (int)strcspn(begin, IN), begin);
}

/* What a property of this name becomes; NULL: it stays. */
static const char *value_for(editor *e, const char *name) {
    for (int i = 0; i < PROPERTIES; i++)
        if (*e->wanted->of[i] && is_name(name, properties[i].name)) {
            e->there[i] = true;
            return e->wanted->of[i];
        }
    if (!*e->wanted->of[RATING]) return NULL;
    return is_name(name, "http://ns.microsoft.com/photo/1.0" IN "Rating") ||
                   is_name(name, "http://ns.microsoft.com/photo/1.0/" IN "Rating")
               ? e->wanted->percent
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

static void edit_attribute(editor *e, const char *name, const char *value) {
    char local[PREFIX_MOST];
    copy_local(name, local);
    const size_t at = (size_t)XML_GetCurrentByteIndex(e->parser),
                 size = (size_t)XML_GetCurrentByteCount(e->parser);
    size_t length, place = find_attribute(e->bytes + at, size, prefix_of(name), local, &length);
    if (place == SIZE_MAX)
        refuse(e, "what it says is written in a way that cannot be changed alone");
    else
        add_edit(e, at + place, length, value);
}

/* ------------------------------------------------------------------------------------- elements */

static const scope *find_scope(const editor *e, const char *prefix) {
    for (size_t i = e->scope_count; i-- > 0;)
        if (strcmp(e->scopes[i].prefix, prefix) == 0) return &e->scopes[i];
    return NULL;
}

/* A prefix that means this namespace here; NULL: none does. */
static const char *prefix_for(const editor *e, namespace which) {
    for (size_t i = e->scope_count; i-- > 0;)
        if (e->scopes[i].space == which && *e->scopes[i].prefix &&
            find_scope(e, e->scopes[i].prefix) == &e->scopes[i])
            return e->scopes[i].prefix;
    return NULL;
}

static void open_at(editor *e, size_t at, bool empty) {
    opening *o = &e->opening;
    o->at = at;
    o->empty = empty;
    for (int i = 0; i < SPACES; i++) {
        const char *prefix = prefix_for(e, (namespace)i);
        o->declared[i] = prefix != NULL;
        if (!prefix) prefix = find_scope(e, spaces[i].prefix) ? spaces[i].other : spaces[i].prefix;
        snprintf(o->prefix[i], PREFIX_MOST, "%s", prefix);
    }
}

/* Behind the name of the first rdf:Description. */
static void plan_insertion(editor *e) {
    size_t end = (size_t)XML_GetCurrentByteIndex(e->parser);
    if (e->opening.at != SIZE_MAX) return;
    while (end < e->size && !is_blank(e->bytes[end]) && !strchr("/>", e->bytes[end])) end++;
    open_at(e, end, false);
}

static void begin_value(editor *e, const XML_Char **attributes) {
    e->taking = true;
    e->text_at = (size_t)(XML_GetCurrentByteIndex(e->parser) + XML_GetCurrentByteCount(e->parser));
    for (; *attributes; attributes += 2)
        if (is_name(attributes[0], RDF "value")) {
            edit_attribute(e, attributes[0], e->value);
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
            if (value) edit_attribute(e, attributes[0], value);
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
    char text[VALUE_MOST + 2 * PREFIX_MOST];
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
        refuse(e, "what it says is written in a way that cannot be changed alone");
    else
        add_edit(e, e->text_at, end - e->text_at, e->value);
}

/* Before the end of an rdf:RDF that holds nothing. */
static void plan_description(editor *e) {
    const size_t at = (size_t)XML_GetCurrentByteIndex(e->parser);
    if (e->opening.at == SIZE_MAX && *e->rdf_prefix && at + 1 < e->size &&
        memcmp(e->bytes + at, "</", 2) == 0)
        open_at(e, at, true);
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
    *one = (scope){.space = SPACES, .depth = e->depth + 1};
    for (int i = 0; uri && i < SPACES; i++)
        if (strcmp(uri, spaces[i].uri) == 0) one->space = (namespace)i;
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

/* What the packet does not say yet, as attributes. */
static void print_missing(const editor *e, edit *out) {
    const opening *o = &e->opening;
    size_t used = 0;
    if (o->empty)
        used += (size_t)snprintf(out->text, sizeof out->text, "<%s:Description %s:about=\"\"",
                                 e->rdf_prefix, e->rdf_prefix);
    for (int which = 0; which < SPACES; which++) {
        bool declared = o->declared[which];
        for (int i = 0; i < PROPERTIES; i++) {
            if (properties[i].space != (namespace)which || !*e->wanted->of[i] || e->there[i])
                continue;
            if (!declared)
                used += (size_t)snprintf(out->text + used, sizeof out->text - used,
                                         " xmlns:%s=\"%s\"", o->prefix[which], spaces[which].uri);
            declared = true;
            used += (size_t)snprintf(out->text + used, sizeof out->text - used, " %s:%s=\"%s\"",
                                     o->prefix[which], properties[i].local, e->wanted->of[i]);
        }
    }
    if (o->empty) snprintf(out->text + used, sizeof out->text - used, "/>");
}

static bool is_complete(const editor *e) {
    for (int i = 0; i < PROPERTIES; i++)
        if (*e->wanted->of[i] && !e->there[i]) return false;
    return true;
}

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
    if (is_complete(e)) return true;
    if (e->opening.at == SIZE_MAX || e->count == EDITS_MOST)
        return piaa_error_set(error, PIAA_FORMAT,
                              "the XMP packet has no place for a rating: it holds no rdf:RDF");
    edit *one = &e->edits[e->count++];
    *one = (edit){.at = e->opening.at};
    print_missing(e, one);
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

static bool edit_utf8(const char *bytes, size_t size, const values *wanted, piaa_text *out,
                      piaa_error *error) {
    editor *e = piaa_alloc(1, sizeof *e, error);
    if (!e) return false;
    *e = (editor){.bytes = bytes, .size = size, .wanted = wanted, .opening = {.at = SIZE_MAX}};
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

static bool edit_utf16(const char *bytes, size_t size, const char *encoding, const values *wanted,
                       piaa_text *out, piaa_error *error) {
    gsize length = 0, back_length = 0;
    gchar *utf8 = g_convert(bytes, (gssize)size, "UTF-8", encoding, NULL, &length, NULL);
    gchar *back =
        utf8 ? g_convert(utf8, (gssize)length, encoding, "UTF-8", NULL, &back_length, NULL) : NULL;
    const bool same = back && back_length == size && memcmp(back, bytes, size) == 0;
    g_free(back);
    piaa_text changed = {0};
    bool ok = same ? edit_utf8(utf8, length, wanted, &changed, error)
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
static bool check(const char *bytes, size_t size, const piaa_xmp_change *change,
                  piaa_error *error) {
    piaa_xmp read;
    if (!piaa_xmp_read(bytes, size, &read, error)) return false;
    const bool said = (change->rating == PIAA_XMP_AS_IT_IS || read.rating == change->rating) &&
                      (!change->label || strcmp(read.label, change->label) == 0) &&
                      (isnan(change->score) || read.score == piaa_xmp_score(change->score));
    return said || piaa_error_set(error, PIAA_FORMAT,
                                  "the XMP packet cannot be changed: it would say something else "
                                  "than it should");
}

double piaa_xmp_score(double score) {
    return round(score * 100) / 100;
}

/* With a point, whatever the locale says. */
static void print_score(double score, char *out, size_t size) {
    const long long hundredths = llround(fmax(fmin(score, 1e9), -1e9) * 100);
    snprintf(out, size, "%s%lld.%02lld", hundredths < 0 ? "-" : "", llabs(hundredths / 100),
             llabs(hundredths % 100));
}

/* As the value of an attribute or an element's text. */
static void print_text(const char *text, char *out, size_t size) {
    gchar *escaped = g_markup_escape_text(text, -1);
    snprintf(out, size, "%s", escaped);
    g_free(escaped);
}

static void print_values(const piaa_xmp_change *change, values *out) {
    static const int percents[] = {0, 1, 25, 50, 75, 99};
    const int rating = change->rating;
    *out = (values){.percent = ""};
    if (rating != PIAA_XMP_AS_IT_IS) {
        snprintf(out->of[RATING], VALUE_MOST, "%d", rating);
        snprintf(out->percent, sizeof out->percent, "%d", percents[rating < 0 ? 0 : rating]);
    }
    if (change->label) print_text(change->label, out->of[LABEL], VALUE_MOST);
    if (!isnan(change->score)) print_score(change->score, out->of[SCORE], VALUE_MOST);
}

bool piaa_xmp_edit(const void *packet, size_t size, const piaa_xmp_change *change, piaa_text *out,
                   piaa_error *error) {
    const char *bytes = packet;
    const size_t before = out->length;
    size_t lead = 0;
    while (lead < size && bytes[lead] && is_blank(bytes[lead])) lead++;
    const char *encoding = encoding_of((const unsigned char *)bytes + lead, size - lead);
    values wanted;
    print_values(change, &wanted);
    piaa_xmp was;
    const bool ok = piaa_xmp_read(packet, size, &was, error) &&
                    piaa_text_add(out, bytes, lead, error) &&
                    (encoding ? edit_utf16(bytes + lead, size - lead, encoding, &wanted, out, error)
                              : edit_utf8(bytes + lead, size - lead, &wanted, out, error)) &&
                    check(out->data + before, out->length - before, change, error);
    if (!ok) out->length = before;
    return ok;
}

/* ------------------------------------------------------------------------------------ whole ones
 */

/* The padding: white space up to the last "<?xpacket end", of which one, a line break as a rule,
   stays last. */
static bool find_padding(const piaa_text *packet, size_t *begin, size_t *end) {
    static const char trailer[] = "<?xpacket end";
    size_t at = packet->length;
    while (at && (packet->length - at < sizeof trailer - 1 ||
                  memcmp(packet->data + at, trailer, sizeof trailer - 1) != 0))
        at--;
    if (!at) return false;
    *begin = *end = at;
    while (*begin && is_blank(packet->data[*begin - 1])) --*begin;
    if (*begin < *end) --*end;
    return true;
}

bool piaa_xmp_fit(piaa_text *packet, size_t size) {
    const size_t before = packet->length;
    size_t begin, end;
    if (before == size) return true;
    if (!find_padding(packet, &begin, &end) || (before > size && before - size > end - begin))
        return false;
    if (before > size) {
        memmove(packet->data + end - (before - size), packet->data + end, before - end);
        packet->data[size] = '\0';
        packet->length = size;
        return true;
    }
    if (!piaa_grow(&packet->data, &packet->capacity, size + 1, 1, NULL)) return false;
    memmove(packet->data + end + (size - before), packet->data + end, before - end);
    memset(packet->data + end, ' ', size - before);
    packet->length = size;
    packet->data[size] = '\0';
    return true;
}

bool piaa_xmp_new(const piaa_xmp_change *change, const piaa_xmp_form *form, piaa_text *out,
                  piaa_error *error) {
    const size_t before = out->length;
    piaa_text bare = {0};
    piaa_text_format(&bare, error,
                     "<?xpacket begin=\"\xef\xbb\xbf\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n"
                     "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\">\n"
                     " <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\n"
                     "  <rdf:Description rdf:about=\"\"");
    if (form->extension)
        piaa_text_format(&bare, error,
                         "\n    xmlns:photoshop=\"http://ns.adobe.com/photoshop/1.0/\""
                         "\n    photoshop:SidecarForExtension=\"%.20s\"",
                         form->extension);
    piaa_text_format(&bare, error, "/>\n </rdf:RDF>\n</x:xmpmeta>\n%*s<?xpacket end=\"w\"?>%s",
                     form->padded ? PADDING : 0, form->padded ? "\n" : "",
                     form->padded ? "" : "\n");
    const bool ok = !bare.failed && piaa_xmp_edit(bare.data, bare.length, change, out, error);
    free(bare.data);
    if (!ok) out->length = before;
    return ok;
}

/* Whether a page or picture is well-formed XML: tags that close in order, quoted attributes each
   once, known entities.  No more. */
#ifndef PIAA_TESTS_XML_CHECK_H
#define PIAA_TESTS_XML_CHECK_H

#include "support.h"

enum { XML_DEPTH = 64, XML_NAME = 32 };

static inline bool xml_is_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == ':' || c == '_';
}

static inline size_t xml_name(const char *at, char name[XML_NAME]) {
    size_t n = 0;
    while (xml_is_name(at[n]) && n + 1 < XML_NAME) n++;
    memcpy(name, at, n);
    name[n] = '\0';
    return n;
}

static inline const char *xml_entity(const char *at) {
    static const char *const known[] = {"&amp;", "&lt;", "&gt;", "&quot;"};
    for (size_t i = 0; i < PIAA_COUNT(known); i++)
        if (strncmp(at, known[i], strlen(known[i])) == 0) return at + strlen(known[i]);
    fail_msg("not an entity: %.30s", at);
    return NULL;
}

/* The attributes up to the tag's end. */
static inline const char *xml_attributes(const char *at, bool *closed) {
    char seen[16][XML_NAME];
    size_t count = 0;
    for (;;) {
        at += strspn(at, " \t\n");
        if (*at == '>') return *closed = false, at + 1;
        if (*at == '/' && at[1] == '>') return *closed = true, at + 2;
        size_t n = xml_name(at, seen[count]);
        if (!n) fail_msg("not an attribute: %.40s", at);
        for (size_t i = 0; i < count; i++) assert_string_not_equal(seen[i], seen[count]);
        if (++count == PIAA_COUNT(seen)) fail_msg("too many attributes: %.40s", at);
        at += n;
        at += strspn(at, " ");
        assert_int_equal(*at, '=');
        at++;
        at += strspn(at, " ");
        char quote = *at++;
        if (quote != '"' && quote != '\'') fail_msg("not quoted: %.40s", at - 1);
        while (*at != quote) {
            if (!*at || *at == '<') fail_msg("an attribute does not end: %.40s", at);
            at = *at == '&' ? xml_entity(at) : at + 1;
        }
        at++;
    }
}

static inline void xml_check(const char *text) {
    static char open[XML_DEPTH][XML_NAME];
    size_t depth = 0;
    const char *at = text;
    if (strncmp(at, "<!DOCTYPE html>", 15) == 0) at += 15;
    while (*at) {
        if (*at == '&') {
            at = xml_entity(at);
        } else if (*at != '<') {
            if ((unsigned char)*at < ' ' && *at != '\n' && *at != '\t')
                fail_msg("a control character");
            at++;
        } else if (at[1] == '/') {
            char name[XML_NAME];
            at += 2;
            at += xml_name(at, name);
            if (!depth || strcmp(open[depth - 1], name) != 0)
                fail_msg("</%s> closes <%s>", name, depth ? open[depth - 1] : "nothing");
            depth--;
            assert_int_equal(*at, '>');
            at++;
        } else {
            bool closed;
            at++;
            size_t n = xml_name(at, open[depth]);
            if (!n) fail_msg("not a tag: %.40s", at);
            at = xml_attributes(at + n, &closed);
            if (!closed && ++depth == XML_DEPTH) fail_msg("too deep");
        }
    }
    if (depth) fail_msg("<%s> is not closed", open[depth - 1]);
}

#endif

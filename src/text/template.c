/*
 * Chat templates are programs in Jinja's language.  Only conversations are put to them here, such
 * as
 *
 *     messages = [{role: "user", content: [{type: "image", image: …}, {type: "text", text: …}]}]
 *
 * so that a small part of the language is enough: text, {{ expression }}, if, for and set, over a
 * handful of values.  What is not taken is not looked into (tools), and whatever is met beyond that
 * part, or depends on what the text says, ends the reading: a template is read right or not at all.
 */
#include "text/template.h"

#include "base/memory.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOST_SOURCE = 1 << 17,
    MOST_OUTPUT = 1 << 20,
    MOST_VARIABLES = 256,
    DEEPEST = 64,
    NESTED = 10
};

typedef enum kind {
    UNDEFINED,
    NONE,
    BOOL,
    INT,
    TEXT,
    MESSAGES, /* `number` of them from the turn `count` on; `number` < 0: backwards from there */
    MESSAGE,  /* turn `number` */
    CONTENT,  /* the parts of turn `number` */
    IMAGE_PART,
    TEXT_PART,
    LOOP, /* `number`: the turn of `count` */
    NAMESPACE
} kind;

typedef struct value {
    kind kind;
    int64_t number, count;
    const char *text; /* the reader's, or the source's */
    size_t size;
} value;

typedef struct variable {
    const char *name;
    size_t size;
    int64_t space; /* of a namespace's attribute: which; else 0 */
    value value;
} variable;

typedef struct reader {
    const char *at; /* in the tag that is read */
    const char *end;
    const char *tag; /* where it begins, for messages */
    const char *source_end;
    piaa_template_words words;
    variable variables[MOST_VARIABLES];
    size_t count, frame; /* variables; the first of the innermost loop */
    int64_t spaces;
    char **owned; /* texts that were put together */
    size_t owned_count, owned_capacity;
    piaa_text out;
    bool line_start;   /* what was read last ended a line */
    int depth, nested; /* of blocks, of expressions */
    bool failed;
    piaa_error *error;
} reader;

static value nothing(void) {
    return (value){.kind = UNDEFINED};
}

static value of_bool(bool yes) {
    return (value){.kind = BOOL, .number = yes};
}

static value of_int(int64_t number) {
    return (value){.kind = INT, .number = number};
}

static value of_text(const char *text, size_t size) {
    return (value){.kind = TEXT, .text = text, .size = size};
}

/* The first failure counts; the tag that it is in is shown. */
static value refuse(reader *r, const char *what) {
    if (r->failed) return nothing();
    r->failed = true;
    char shown[48];
    size_t n = 0;
    for (const char *c = r->tag; c < r->source_end && *c && *c != '\n' && n < sizeof shown - 4; c++)
        shown[n++] = *c;
    while (n && ((unsigned char)shown[n - 1] & 0xc0) == 0x80) n--; /* no half of a character */
    if (n && (unsigned char)shown[n - 1] >= 0xc0) n--;
    shown[n] = '\0';
    piaa_error_set(r->error, PIAA_UNSUPPORTED, "%s at %s", what, shown);
    return nothing();
}

static bool same(value v, const char *text) {
    return v.kind == TEXT && v.size == strlen(text) && memcmp(v.text, text, v.size) == 0;
}

static bool holds(value v, char c) {
    return v.kind == TEXT && v.size && memchr(v.text, c, v.size);
}

/* Whether it depends on the text of the conversation, which is not known here. */
static bool is_open(value v) {
    return holds(v, *PIAA_TEMPLATE_TEXT) || holds(v, *PIAA_TEMPLATE_TRIMMED);
}

static bool is_true(value v) {
    if (v.kind == BOOL || v.kind == INT || v.kind == MESSAGES) return v.number != 0;
    if (v.kind == TEXT) return v.size > 0;
    return v.kind != UNDEFINED && v.kind != NONE;
}

static char *own(reader *r, size_t size) {
    char *text = r->failed ? NULL : piaa_alloc(size + 1, 1, r->error);
    if (!text ||
        !piaa_grow(&r->owned, &r->owned_capacity, r->owned_count + 1, sizeof *r->owned, r->error)) {
        free(text);
        r->failed = true;
        return NULL;
    }
    return r->owned[r->owned_count++] = text;
}

static value join(reader *r, value a, value b) {
    if (a.kind != TEXT || b.kind != TEXT || a.size + b.size > MOST_OUTPUT)
        return refuse(r, "what is no text is put together");
    char *text = own(r, a.size + b.size);
    if (!text) return nothing();
    memcpy(text, a.text, a.size);
    memcpy(text + a.size, b.text, b.size);
    return of_text(text, a.size + b.size);
}

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static value strip(reader *r, value v, bool left, bool right) {
    if (v.kind != TEXT) return refuse(r, "what is no text is trimmed");
    if (same(v, PIAA_TEMPLATE_TRIMMED)) return v;
    if (same(v, PIAA_TEMPLATE_TEXT) && left && right) return of_text(PIAA_TEMPLATE_TRIMMED, 1);
    while (left && v.size && is_space(*v.text)) v.text++, v.size--;
    while (right && v.size && is_space(v.text[v.size - 1])) v.size--;
    if (v.size && ((left && *v.text == *PIAA_TEMPLATE_TEXT) ||
                   (right && v.text[v.size - 1] == *PIAA_TEMPLATE_TEXT)))
        return refuse(r, "the text is trimmed together with other text");
    return v;
}

/* ------------------------------------------------------------------------------------ variables */

static variable *find(reader *r, const char *name, size_t size, int64_t space, size_t from) {
    for (size_t i = r->count; i > from; i--) {
        variable *v = &r->variables[i - 1];
        if (v->space == space && v->size == size && memcmp(v->name, name, size) == 0) return v;
    }
    return NULL;
}

static void assign(reader *r, const char *name, size_t size, int64_t space, value v) {
    variable *old = find(r, name, size, space, space ? 0 : r->frame);
    if (!old && r->count == MOST_VARIABLES) {
        refuse(r, "too many variables");
        return;
    }
    if (!old) old = &r->variables[r->count++];
    *old = (variable){name, size, space, v};
}

static bool is_name(const char *name, size_t size, const char *other) {
    return size == strlen(other) && memcmp(name, other, size) == 0;
}

static const piaa_template_turn *turn_of(const reader *r, value v) {
    return &r->words.turns[v.number];
}

/* How many a list has; -1: it is none. */
static int64_t length_of(const reader *r, value v) {
    if (v.kind == MESSAGES) return v.number < 0 ? -v.number : v.number;
    return v.kind == CONTENT ? (int64_t)strlen(turn_of(r, v)->parts) : -1;
}

static value item_of(const reader *r, value list, int64_t place) {
    if (list.kind == MESSAGES)
        return (value){.kind = MESSAGE,
                       .number = list.number < 0 ? list.count - place : list.count + place};
    return (value){.kind = turn_of(r, list)->parts[place] == 'i' ? IMAGE_PART : TEXT_PART};
}

static value look_up(reader *r, const char *name, size_t size) {
    const variable *v = find(r, name, size, 0, 0);
    if (v) return v->value;
    if (is_name(name, size, "messages"))
        return (value){.kind = MESSAGES, .number = (int64_t)r->words.turn_count};
    if (is_name(name, size, "add_generation_prompt")) return of_bool(r->words.generate);
    if (is_name(name, size, "tools") || is_name(name, size, "documents"))
        return (value){.kind = NONE};
    const char *word = is_name(name, size, "bos_token")   ? r->words.bos
                       : is_name(name, size, "eos_token") ? r->words.eos
                                                          : NULL;
    return word ? of_text(word, strlen(word)) : nothing();
}

/* object.name, object["name"] */
static value attribute(reader *r, value v, const char *name, size_t size) {
    if (v.kind == MESSAGE && is_name(name, size, "role"))
        return of_text(turn_of(r, v)->role, strlen(turn_of(r, v)->role));
    if (v.kind == MESSAGE && is_name(name, size, "content"))
        return (value){.kind = CONTENT, .number = v.number};
    if (v.kind == IMAGE_PART && is_name(name, size, "type")) return of_text("image", 5);
    if (v.kind == TEXT_PART && is_name(name, size, "type")) return of_text("text", 4);
    if (v.kind == TEXT_PART && is_name(name, size, "text")) return of_text(PIAA_TEMPLATE_TEXT, 1);
    if (v.kind == MESSAGE || v.kind == TEXT_PART) return nothing();
    if (v.kind == IMAGE_PART && !is_name(name, size, "image")) return nothing();
    if (v.kind == LOOP) {
        if (is_name(name, size, "first")) return of_bool(v.number == 0);
        if (is_name(name, size, "last")) return of_bool(v.number == v.count - 1);
        if (is_name(name, size, "index")) return of_int(v.number + 1);
        if (is_name(name, size, "index0")) return of_int(v.number);
        if (is_name(name, size, "length")) return of_int(v.count);
    }
    if (v.kind == NAMESPACE) {
        const variable *found = find(r, name, size, v.number, 0);
        return found ? found->value : nothing();
    }
    return refuse(r, "an attribute that is not known");
}

/* ---------------------------------------------------------------------------------- expressions */

static void pass_space(reader *r) {
    while (r->at < r->end && is_space(*r->at)) r->at++;
}

static bool is_letter(char c) {
    return isalnum((unsigned char)c) || c == '_';
}

static bool take(reader *r, const char *sign) {
    pass_space(r);
    const size_t n = strlen(sign);
    if ((size_t)(r->end - r->at) < n || memcmp(r->at, sign, n) != 0) return false;
    if (is_letter(*sign) && r->at + n < r->end && is_letter(r->at[n])) return false;
    r->at += n;
    return true;
}

static size_t take_name(reader *r, const char **name) {
    pass_space(r);
    *name = r->at;
    if (r->at < r->end && isdigit((unsigned char)*r->at)) return 0;
    while (r->at < r->end && is_letter(*r->at)) r->at++;
    return (size_t)(r->at - *name);
}

static value expression(reader *r, bool live);

static value quoted(reader *r) {
    const char quote = *r->at++;
    char *text = own(r, (size_t)(r->end - r->at)), *to = text;
    while (text && r->at < r->end && *r->at != quote) {
        char c = *r->at++;
        if (c == '\\' && r->at < r->end) {
            static const char from[] = "nrt\\'\"", into[] = "\n\r\t\\'\"";
            const char *which = strchr(from, *r->at++);
            if (!which || !*which) return refuse(r, "an escape that is not known");
            c = into[which - from];
        }
        *to++ = c;
    }
    if (!text || r->at == r->end) return refuse(r, "a text without an end");
    r->at++;
    return of_text(text, (size_t)(to - text));
}

static value make_space(reader *r, bool live) {
    value space = {.kind = NAMESPACE, .number = ++r->spaces};
    while (!r->failed && !take(r, ")")) {
        const char *name;
        const size_t size = take_name(r, &name);
        if (!size || !take(r, "=")) return refuse(r, "a namespace that is not understood");
        const value v = expression(r, live);
        if (live) assign(r, name, size, space.number, v);
        take(r, ",");
    }
    return space;
}

static value atom(reader *r, bool live) {
    pass_space(r);
    if (r->at < r->end && (*r->at == '"' || *r->at == '\'')) return quoted(r);
    if (take(r, "(")) {
        const value v = expression(r, live);
        return take(r, ")") ? v : refuse(r, "a parenthesis without an end");
    }
    if (r->at < r->end && isdigit((unsigned char)*r->at)) {
        int64_t number = 0;
        for (; r->at < r->end && isdigit((unsigned char)*r->at) && number < 1 << 20; r->at++)
            number = number * 10 + (*r->at - '0');
        return of_int(number);
    }
    const char *name;
    const size_t size = take_name(r, &name);
    if (!size) return refuse(r, "something that is not understood");
    if (is_name(name, size, "true") || is_name(name, size, "True")) return of_bool(true);
    if (is_name(name, size, "false") || is_name(name, size, "False")) return of_bool(false);
    if (is_name(name, size, "none") || is_name(name, size, "None")) return (value){.kind = NONE};
    if (is_name(name, size, "namespace") && take(r, "(")) return make_space(r, live);
    const bool words = is_name(name, size, "bos_token") || is_name(name, size, "eos_token");
    const value v = look_up(r, name, size);
    return live && words && v.kind == UNDEFINED && !take(r, "is defined")
               ? refuse(r, "a token that is not known")
               : v;
}

/* [0], [-1], ["name"], [1:], [::-1] */
static value subscript(reader *r, value v, bool live) {
    if (take(r, "::-1]")) {
        if (!live) return nothing();
        if (v.kind != MESSAGES || v.number < 0) return refuse(r, "an order that is not known");
        return (value){.kind = MESSAGES, .number = -v.number, .count = v.count + v.number - 1};
    }
    if (take(r, "1:]")) {
        if (!live) return nothing();
        if (v.kind != MESSAGES || v.number < 0) return refuse(r, "a part that is not known");
        return v.number ? (value){.kind = MESSAGES, .number = v.number - 1, .count = v.count + 1}
                        : v;
    }
    const bool minus = take(r, "-");
    const value key = expression(r, live);
    if (!take(r, "]")) return refuse(r, "a subscript that is not understood");
    if (!live) return nothing();
    if (key.kind == TEXT && !minus) return attribute(r, v, key.text, key.size);
    if (key.kind != INT) return refuse(r, "a subscript that is not understood");
    const int64_t count = length_of(r, v);
    const int64_t place = minus ? count - key.number : key.number;
    if (count < 0) return refuse(r, "a subscript of what is no list");
    if (place < 0 || place >= count) return nothing();
    return item_of(r, v, place);
}

static bool ends(value v, value with, bool start) {
    return with.size <= v.size &&
           (!with.size ||
            memcmp(start ? v.text : v.text + v.size - with.size, with.text, with.size) == 0);
}

/* object.name(…) */
static value call(reader *r, value v, const char *name, size_t size, bool live) {
    value given[2] = {nothing(), nothing()};
    int count = 0;
    while (!r->failed && !take(r, ")")) {
        if (count == 2) return refuse(r, "a call that is not understood");
        given[count++] = expression(r, live);
        take(r, ",");
    }
    if (!live || r->failed) return nothing();
    if (is_name(name, size, "get") && given[0].kind == TEXT) {
        const value found = attribute(r, v, given[0].text, given[0].size);
        return found.kind == UNDEFINED ? given[1] : found;
    }
    const bool both = is_name(name, size, "strip");
    if (!count && (both || is_name(name, size, "lstrip") || is_name(name, size, "rstrip")))
        return strip(r, v, both || *name == 'l', both || *name == 'r');
    const bool start = is_name(name, size, "startswith");
    if ((start || is_name(name, size, "endswith")) && v.kind == TEXT && given[0].kind == TEXT &&
        !is_open(v) && !is_open(given[0]))
        return of_bool(ends(v, given[0], start));
    return refuse(r, "a call that is not understood");
}

static value filter(reader *r, value v, bool live) {
    const char *name;
    const size_t size = take_name(r, &name);
    value given = nothing();
    if (take(r, "(") && !take(r, ")")) {
        given = expression(r, live);
        if (!take(r, ")")) return refuse(r, "a filter that is not understood");
    }
    if (!live) return nothing();
    if (is_name(name, size, "trim") && given.kind == UNDEFINED) return strip(r, v, true, true);
    if (is_name(name, size, "default") || is_name(name, size, "d"))
        return v.kind == UNDEFINED ? given : v;
    if (is_name(name, size, "length") || is_name(name, size, "count")) {
        if (length_of(r, v) >= 0) return of_int(length_of(r, v));
        if (v.kind == TEXT && !is_open(v)) return of_int((int64_t)v.size);
    }
    if (is_name(name, size, "string") && v.kind == TEXT) return v;
    return refuse(r, "a filter that is not understood");
}

static value test(reader *r, value v, bool live) {
    const bool no = take(r, "not");
    const char *name;
    const size_t size = take_name(r, &name);
    bool yes = false;
    if (is_name(name, size, "defined"))
        yes = v.kind != UNDEFINED;
    else if (is_name(name, size, "undefined"))
        yes = v.kind == UNDEFINED;
    else if (is_name(name, size, "none"))
        yes = v.kind == NONE;
    else if (is_name(name, size, "string"))
        yes = v.kind == TEXT;
    else if (is_name(name, size, "mapping"))
        yes = v.kind == MESSAGE || v.kind == IMAGE_PART || v.kind == TEXT_PART;
    else if (is_name(name, size, "iterable") || is_name(name, size, "sequence"))
        yes = v.kind == TEXT || v.kind == MESSAGES || v.kind == MESSAGE || v.kind == CONTENT ||
              v.kind == IMAGE_PART || v.kind == TEXT_PART;
    else if (is_name(name, size, "true") || is_name(name, size, "false"))
        yes = v.kind == BOOL && v.number == (*name == 't');
    else if (live)
        return refuse(r, "a test that is not known");
    return of_bool(yes != no);
}

static value postfix(reader *r, bool live) {
    value v = atom(r, live);
    while (!r->failed) {
        const char *name;
        if (take(r, ".")) {
            const size_t size = take_name(r, &name);
            v = take(r, "(") ? call(r, v, name, size, live)
                : live       ? attribute(r, v, name, size)
                             : nothing();
        } else if (take(r, "[")) {
            v = subscript(r, v, live);
        } else if (take(r, "|")) {
            v = filter(r, v, live);
        } else if (take(r, "is")) {
            v = test(r, v, live);
        } else if (take(r, "(")) {
            v = nothing();
            v = call(r, v, "", 0, live);
        } else {
            break;
        }
    }
    return v;
}

static value product(reader *r, bool live) {
    value v = postfix(r, live);
    while (!r->failed && take(r, "%")) {
        const value by = postfix(r, live);
        if (!live) continue;
        if (v.kind != INT || by.kind != INT || by.number < 1) return refuse(r, "arithmetic");
        v.number %= by.number;
    }
    return v;
}

/* ~ makes texts of what it puts together. */
static value as_text(reader *r, value v) {
    if (v.kind != INT) return v;
    char number[24];
    const int n = snprintf(number, sizeof number, "%lld", (long long)v.number);
    char *text = own(r, (size_t)n);
    if (text) memcpy(text, number, (size_t)n);
    return text ? of_text(text, (size_t)n) : nothing();
}

static value sum(reader *r, bool live) {
    value v = product(r, live);
    while (!r->failed) {
        const bool joined = take(r, "~"), plus = !joined && take(r, "+"),
                   minus = !joined && !plus && take(r, "-");
        if (!joined && !plus && !minus) break;
        const value other = product(r, live);
        if (!live) continue;
        if (joined)
            v = join(r, as_text(r, v), as_text(r, other));
        else if (v.kind == INT && other.kind == INT)
            v.number += minus ? -other.number : other.number;
        else
            v = minus ? refuse(r, "arithmetic") : join(r, v, other);
    }
    return v;
}

static bool is_equal(reader *r, value a, value b) {
    if (is_open(a) || is_open(b)) refuse(r, "a question about what the text says");
    if (a.kind == TEXT && b.kind == TEXT)
        return a.size == b.size && (!a.size || memcmp(a.text, b.text, a.size) == 0);
    const bool numbers = (a.kind == BOOL || a.kind == INT) && (b.kind == BOOL || b.kind == INT);
    return (a.kind == b.kind || numbers) && a.number == b.number;
}

static bool is_in(reader *r, value a, value b) {
    if (a.kind == TEXT && (b.kind == MESSAGE || b.kind == IMAGE_PART || b.kind == TEXT_PART))
        return (b.kind == IMAGE_PART && same(a, "image")) ||
               attribute(r, b, a.text, a.size).kind != UNDEFINED;
    if (a.kind != TEXT || b.kind != TEXT || is_open(a) || is_open(b)) {
        refuse(r, "a question about what the text says");
        return false;
    }
    for (size_t i = 0; i + a.size <= b.size; i++)
        if (!a.size || memcmp(b.text + i, a.text, a.size) == 0) return true;
    return false;
}

static value comparison(reader *r, bool live) {
    value v = sum(r, live);
    static const char *const signs[] = {"==", "!=", "not in", "in", "<=", ">=", "<", ">"};
    for (size_t i = 0; !r->failed && i < PIAA_COUNT(signs); i++) {
        if (!take(r, signs[i])) continue;
        const value other = sum(r, live);
        if (!live || r->failed) return of_bool(false);
        if (i < 2) return of_bool(is_equal(r, v, other) == (i == 0));
        if (i < 4) return of_bool(is_in(r, v, other) == (i == 3));
        if (v.kind != INT || other.kind != INT) return refuse(r, "a comparison of no numbers");
        const int64_t d = v.number - other.number;
        return of_bool(i == 4 ? d <= 0 : i == 5 ? d >= 0 : i == 6 ? d < 0 : d > 0);
    }
    return v;
}

static value negation(reader *r, bool live) {
    bool no = false, any = false;
    while (take(r, "not")) no = !no, any = true;
    const value v = comparison(r, live);
    return any ? of_bool(is_true(v) != no) : v;
}

static value conjunction(reader *r, bool live) {
    value v = negation(r, live);
    while (!r->failed && take(r, "and")) {
        const bool more = is_true(v);
        const value other = negation(r, live && more);
        if (more) v = other;
    }
    return v;
}

static value disjunction(reader *r, bool live) {
    value v = conjunction(r, live);
    while (!r->failed && take(r, "or")) {
        const bool more = !is_true(v);
        const value other = conjunction(r, live && more);
        if (more) v = other;
    }
    return v;
}

/* a if b else c: which of them counts is known behind the first, so it is read again; that doubles
   the time with each level, of which there may be few. */
static value expression(reader *r, bool live) {
    if (++r->nested > NESTED) return refuse(r, "parentheses too deep");
    const char *start = r->at;
    value v = disjunction(r, false);
    if (!r->failed && take(r, "if")) {
        const bool yes = is_true(disjunction(r, live));
        const char *behind = r->at;
        if (live && yes) {
            r->at = start;
            v = disjunction(r, true);
            r->at = behind;
        }
        if (take(r, "else")) {
            const value other = expression(r, live && !yes);
            if (!yes) v = other;
        } else if (!yes) {
            v = nothing();
        }
    } else if (!r->failed && live) {
        r->at = start;
        v = disjunction(r, true);
    }
    r->nested--;
    return v;
}

/* ----------------------------------------------------------------------------------------- tags */

/* {{ … }}, {% … %}, {# … #}, or none at the end. */
typedef struct tag {
    char kind; /* '{', '%', '#', '\0' */
    const char *start, *inner, *inner_end, *end;
    bool cut_before, keep_before, cut_after;
} tag;

static tag next_tag(const char *at, const char *end) {
    tag t = {.start = end, .inner = end, .inner_end = end, .end = end};
    while (at + 1 < end && !(*at == '{' && strchr("{%#", at[1]))) at++;
    if (at + 1 >= end) return t;
    const char close = at[1] == '{' ? '}' : at[1];
    t.start = at;
    t.inner = at + 2;
    t.kind = at[1];
    if (t.inner < end && (*t.inner == '-' || *t.inner == '+')) {
        t.cut_before = *t.inner == '-';
        t.keep_before = *t.inner == '+';
        t.inner++;
    }
    char quote = '\0';
    for (const char *c = t.inner; c + 1 < end; c++) {
        if (quote && *c == '\\') {
            c++;
        } else if (quote) {
            if (*c == quote) quote = '\0';
        } else if (t.kind != '#' && (*c == '"' || *c == '\'')) {
            quote = *c;
        } else if (*c == close && c[1] == '}') {
            t.cut_after = c > t.inner && c[-1] == '-';
            t.inner_end = c - t.cut_after;
            t.end = c + 2;
            return t;
        }
    }
    return t; /* not closed: inner_end is not before the end */
}

static void put(reader *r, const char *text, size_t size) {
    if (r->failed) return;
    if (r->out.length + size > MOST_OUTPUT)
        refuse(r, "too much text");
    else
        r->failed = !piaa_text_add(&r->out, text, size, r->error);
}

/* What stands between two tags, without the white space that belongs to them. */
static void put_between(reader *r, const char *at, const tag *next) {
    const char *end = next->start;
    if (next->cut_before) {
        while (end > at && is_space(end[-1])) end--;
    } else if ((next->kind == '%' || next->kind == '#') && !next->keep_before) {
        const char *line = end;
        while (line > at && (line[-1] == ' ' || line[-1] == '\t')) line--;
        if (line > at ? line[-1] == '\n' : r->line_start) end = line;
    }
    put(r, at, (size_t)(end - at));
}

/* Behind a tag: the white space, or the end of the line, that goes with it. */
static const char *pass_tag(reader *r, const tag *t) {
    const char *at = t->end;
    if (t->cut_after)
        while (at < r->source_end && is_space(*at)) at++;
    else if (t->kind != '{' && at < r->source_end && *at == '\n')
        at++;
    r->line_start = at > t->end && at[-1] == '\n';
    return at;
}

static const char *run(reader *r, const char *at, bool live, const char **stop);

/* Sets the reader on the inside of a tag. */
static void enter(reader *r, const tag *t) {
    r->at = t->inner;
    r->end = t->inner_end;
    r->tag = t->start;
}

static void expect_end(reader *r) {
    pass_space(r);
    if (r->at < r->end) refuse(r, "something that is not understood");
}

/* From behind {% if … %} to behind {% endif %}. */
static const char *run_if(reader *r, const char *at, bool live) {
    bool taken = is_true(expression(r, live)), now = taken;
    expect_end(r);
    for (const char *stop = NULL; !r->failed;) {
        at = run(r, at, live && now, &stop);
        if (r->failed) return at;
        if (stop && take(r, "endif")) return at;
        if (stop && take(r, "elif")) {
            const value v = expression(r, live && !taken);
            now = !taken && is_true(v);
        } else if (stop && take(r, "else")) {
            now = !taken;
        } else {
            refuse(r, "an if without an end");
        }
        expect_end(r);
        taken = taken || now;
    }
    return at;
}

static const char *run_for(reader *r, const char *at, bool live) {
    const char *name, *stop = NULL, *behind = at;
    const size_t size = take_name(r, &name);
    if (!size || !take(r, "in")) {
        if (live) refuse(r, "a loop that is not understood");
        live = false;
    }
    const value list = live ? expression(r, true) : nothing();
    if (live) expect_end(r);
    const int64_t length = length_of(r, list), turns = length < 0 ? 0 : length;
    if (live && length < 0) refuse(r, "a loop over something that is not known");
    const size_t count = r->count, frame = r->frame;
    const bool line_start = r->line_start;
    for (int64_t turn = 0; !r->failed && turn < (turns ? turns : 1); turn++) {
        r->line_start = line_start;
        r->frame = r->count;
        if (turns) {
            assign(r, name, size, 0, item_of(r, list, turn));
            assign(r, "loop", 4, 0, (value){.kind = LOOP, .number = turn, .count = turns});
        }
        behind = run(r, at, live && turns, &stop);
        if (!r->failed && !(stop && take(r, "endfor"))) refuse(r, "a loop without an end");
        /* What was set in a loop is forgotten, but for what namespaces keep. */
        size_t kept = count;
        for (size_t i = count; i < r->count; i++)
            if (r->variables[i].space) r->variables[kept++] = r->variables[i];
        r->count = kept;
        r->frame = frame;
    }
    return behind;
}

static void run_set(reader *r) {
    const char *name, *member = NULL;
    size_t size = take_name(r, &name), member_size = 0;
    if (size && take(r, ".")) member_size = take_name(r, &member);
    if (!size || (member && !member_size) || !take(r, "=")) {
        refuse(r, "a set that is not understood");
        return;
    }
    const value v = expression(r, true);
    expect_end(r);
    const value space = member ? look_up(r, name, size) : nothing();
    if (member && space.kind != NAMESPACE)
        refuse(r, "a set that is not understood");
    else if (member)
        assign(r, member, member_size, space.number, v);
    else
        assign(r, name, size, 0, v);
}

static void run_print(reader *r) {
    const value v = expression(r, true);
    expect_end(r);
    char number[24];
    if (v.kind == TEXT)
        put(r, v.text, v.size);
    else if (v.kind == INT)
        put(r, number, (size_t)snprintf(number, sizeof number, "%lld", (long long)v.number));
    else if (v.kind != UNDEFINED)
        refuse(r, "what is no text is written");
}

/* Reads from `at` to the tag that ends the block that it is in, and returns what is behind that;
 * *stop: that tag, which the reader stands in; NULL at the end of the template. */
static const char *run(reader *r, const char *at, bool live, const char **stop) {
    *stop = NULL;
    if (++r->depth > DEEPEST) refuse(r, "blocks too deep");
    while (!r->failed) {
        const tag t = next_tag(at, r->source_end);
        if (live) put_between(r, at, &t);
        if (!t.kind) {
            at = r->source_end;
            break;
        }
        enter(r, &t);
        if (t.inner_end == r->source_end) {
            refuse(r, "a tag without an end");
            break;
        }
        at = pass_tag(r, &t);
        if (t.kind == '{' && live) run_print(r);
        if (t.kind != '%') continue;
        static const char *const last[] = {"endif", "elif", "else", "endfor", "endmacro"};
        const char *inner = r->at;
        for (size_t i = 0; i < PIAA_COUNT(last) && !*stop; i++)
            if (take(r, last[i])) *stop = t.start;
        if (*stop) {
            r->at = inner;
            break;
        }
        if (take(r, "if")) {
            at = run_if(r, at, live);
        } else if (take(r, "for")) {
            at = run_for(r, at, live);
        } else if (take(r, "macro")) { /* called, it is not understood */
            at = run(r, at, false, stop);
            if (!r->failed && !(*stop && take(r, "endmacro"))) refuse(r, "a macro without an end");
            *stop = NULL;
        } else if (take(r, "generation") || take(r, "endgeneration")) {
            expect_end(r);
        } else if (live) {
            if (take(r, "set"))
                run_set(r);
            else
                refuse(r, "a statement that is not known");
        }
    }
    r->depth--;
    return at;
}

char *piaa_template_render(const char *source, const piaa_template_words *words,
                           piaa_error *error) {
    static const piaa_template_turn one = {"user", "it"};
    size_t size = strlen(source);
    reader *r = piaa_alloc(1, sizeof *r, error);
    if (!r) return NULL;
    r->words = *words;
    if (!words->turns) {
        r->words.turns = &one;
        r->words.turn_count = 1;
    }
    r->error = error;
    r->tag = source;
    r->line_start = true;
    if (size && source[size - 1] == '\n') size--; /* Jinja drops it */
    r->source_end = source + size;
    const char *stop = NULL;
    if (size > MOST_SOURCE || strpbrk(source, PIAA_TEMPLATE_TEXT PIAA_TEMPLATE_TRIMMED "\r"))
        refuse(r, "a template of that size or with such characters");
    else
        run(r, source, true, &stop);
    if (stop) refuse(r, "an end of nothing");
    if (!r->failed) put(r, "", 1);
    for (size_t i = 0; i < r->owned_count; i++) free(r->owned[i]);
    free(r->owned);
    char *out = r->out.data;
    const bool failed = r->failed;
    free(r);
    if (!failed) return out;
    free(out);
    return NULL;
}

/* Choosing among GGUF files by their names: nothing has been downloaded yet, so there is nothing
   else to go by. */
#include "hub/gguf_choice.h"

#include "base/memory.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ------------------------------------------------------------------------------- names of files */

static const char ending[] = ".gguf";

static bool has_part(const char *name, const char *part) {
    size_t n = strlen(part);
    for (; *name; name++)
        if (strncasecmp(name, part, n) == 0) return true;
    return false;
}

static bool is_gguf(const char *name) {
    size_t n = strlen(name);
    return n > sizeof ending - 1 && n < PIAA_GGUF_LABEL &&
           strcasecmp(name + n - (sizeof ending - 1), ending) == 0;
}

static bool is_vision(const char *name) {
    return is_gguf(name) && has_part(name, "mmproj");
}

/* Importance values, which quantisers leave beside their models, are none. */
static bool is_text(const char *name) {
    return is_gguf(name) && !has_part(name, "mmproj") && !has_part(name, "imatrix");
}

static bool read_five(const char *digits, int *out) {
    *out = 0;
    for (int i = 0; i < 5; i++) {
        if (digits[i] < '0' || digits[i] > '9') return false;
        *out = *out * 10 + (digits[i] - '0');
    }
    return true;
}

/* "-00002-of-00003" at the end of a stem: the number of the part and of all; 1 of 1 without. */
static void part_of(const char *stem, size_t length, int *part, int *parts) {
    enum { FORM = 15 };
    *part = *parts = 1;
    if (length <= FORM) return;
    const char *mark = stem + length - FORM;
    int a, b;
    if (mark[0] != '-' || !read_five(mark + 1, &a) || strncmp(mark + 6, "-of-", 4) != 0 ||
        !read_five(mark + 10, &b))
        return;
    *part = a;
    *parts = b;
}

/* The name without its end and the mark of a part. */
static void stem_of(const char *name, char stem[PIAA_GGUF_LABEL], int *part, int *parts) {
    size_t n = strlen(name) - (sizeof ending - 1);
    memcpy(stem, name, n);
    stem[n] = '\0';
    part_of(stem, n, part, parts);
    if (*parts > 1) stem[n - 15] = '\0';
}

/* "Q4_K_M", "iq4_xs", "f16", "bf16": letters of a kind, then a digit. */
static bool is_type(const char *word) {
    static const char *const kinds[] = {"q", "iq", "tq", "f", "bf", "fp", "mxfp"};
    for (size_t i = 0; i < PIAA_COUNT(kinds); i++) {
        size_t n = strlen(kinds[i]);
        if (strncasecmp(word, kinds[i], n) == 0 && isdigit((unsigned char)word[n])) return true;
    }
    return false;
}

/* The last word of a stem where that is a type, in capitals; else the stem. */
static void plain_label(const char *name, char label[PIAA_GGUF_LABEL]) {
    char stem[PIAA_GGUF_LABEL];
    int part, parts;
    stem_of(name, stem, &part, &parts);
    const char *word = stem;
    for (const char *c = stem; *c; c++)
        if ((*c == '-' || *c == '.') && c[1]) word = c + 1;
    if (!is_type(word)) word = stem;
    size_t n = strlen(word);
    for (size_t i = 0; i <= n; i++)
        label[i] = word == stem ? word[i] : (char)toupper((unsigned char)word[i]);
}

/* Once for each model: of one in several parts the first stands for all. */
static bool is_model(const char *name) {
    char stem[PIAA_GGUF_LABEL];
    int part = 0, parts;
    if (is_text(name)) stem_of(name, stem, &part, &parts);
    return part == 1;
}

bool piaa_gguf_label(const piaa_gguf_offer *offers, size_t count, size_t index,
                     char label[PIAA_GGUF_LABEL]) {
    char other[PIAA_GGUF_LABEL];
    int part, parts;
    if (!is_model(offers[index].name)) return false;
    plain_label(offers[index].name, label);
    for (size_t i = 0; i < count; i++) {
        if (i == index || !is_model(offers[i].name)) continue;
        plain_label(offers[i].name, other);
        if (strcmp(label, other) != 0) continue;
        stem_of(offers[index].name, label, &part, &parts); /* the type does not tell them apart */
        break;
    }
    return true;
}

/* Whether `text` is `end`, or ends in it behind a - or a dot. */
static bool ends_in(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcasecmp(text + n - m, end) == 0 &&
           (n == m || text[n - m - 1] == '-' || text[n - m - 1] == '.');
}

bool piaa_gguf_label_fits(const char *label, const char *quant) {
    return ends_in(label, quant) ||
           ends_in(quant,
                   label); /* "UD-Q4_K_XL" is asked for, and Q4_K_XL tells it from the others */
}

int piaa_gguf_label_rank(const char *label) {
    return strcmp(label, "Q4_K_M") == 0 ? 0 : strcmp(label, "Q8_0") == 0 ? 1 : 2;
}

/* ------------------------------------------------------------------------------------- choosing */

/* Adds "Q4_K_M (2.49 GB), Q8_0 (4.13 GB)". */
static bool add_item(piaa_text *list, const char *name, int64_t size, piaa_error *error) {
    bool ok = piaa_text_format(list, error, "%s%s", list->length ? ", " : "", name);
    if (ok && size >= 0)
        ok = piaa_text_format(list, error, size >= 1000000000 ? " (%.2f GB)" : " (%.1f MB)",
                              size >= 1000000000 ? (double)size / 1e9 : (double)size / 1e6);
    return ok;
}

static bool list_models(const piaa_gguf_offer *offers, size_t count, piaa_text *list,
                        piaa_error *error) {
    char label[PIAA_GGUF_LABEL];
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++)
        if (piaa_gguf_label(offers, count, i, label))
            ok = add_item(list, label, offers[i].size, error);
    return ok;
}

static bool list_vision(const piaa_gguf_offer *offers, size_t count, piaa_text *list,
                        piaa_error *error) {
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++)
        if (is_vision(offers[i].name)) ok = add_item(list, offers[i].name, offers[i].size, error);
    return ok;
}

static size_t find_name(const piaa_gguf_offer *offers, size_t count, const char *name) {
    size_t i = 0;
    while (i < count && strcmp(offers[i].name, name) != 0) i++;
    return i;
}

/* How early a text model comes, given what is asked for; 3: it is none of those. */
static int text_rank(const piaa_gguf_offer *offers, size_t count, size_t index, const char *quant) {
    char label[PIAA_GGUF_LABEL], stem[PIAA_GGUF_LABEL];
    int part, parts;
    if (!piaa_gguf_label(offers, count, index, label)) return 3;
    if (!*quant) return piaa_gguf_label_rank(label);
    stem_of(offers[index].name, stem, &part, &parts);
    return strcasecmp(label, quant) == 0 ? 0 : ends_in(stem, quant) ? 1 : 3;
}

/* The one with the lowest rank below `end`; `count` if there is none, or several share it. */
static size_t find_first(const int *ranks, size_t count, int end) {
    size_t best = count, sharing = 0;
    for (size_t i = 0; i < count; i++) {
        if (ranks[i] >= end || (best < count && ranks[i] > ranks[best])) continue;
        sharing = best < count && ranks[i] == ranks[best] ? sharing + 1 : 1;
        best = i;
    }
    return sharing == 1 ? best : count;
}

static bool choose_text(const piaa_gguf_offer *offers, size_t count, const piaa_gguf_wish *wish,
                        const char *where, int *ranks, size_t *out, piaa_error *error) {
    const char *quant = wish->quant ? wish->quant : "";
    bool named = wish->text && *wish->text;
    for (size_t k = 0; k < count; k++) ranks[k] = text_rank(offers, count, k, quant);
    size_t i = named ? find_name(offers, count, wish->text) : find_first(ranks, count, 3);
    if (i < count && named && !is_text(offers[i].name))
        return piaa_error_set(error, PIAA_USAGE, "%s: %s is not the GGUF file of a text model",
                              where, wish->text);
    *out = i;
    if (i < count) return true;
    piaa_text list = {0};
    if (!list_models(offers, count, &list, error)) {
        free(list.data);
        return false;
    }
    if (!list.length)
        piaa_error_set(error, PIAA_UNSUPPORTED, "%s holds no GGUF file of a text model", where);
    else if (named)
        piaa_error_set(error, PIAA_USAGE, "%s has no file %.200s; it holds %.600s", where,
                       wish->text, list.data);
    else if (*quant)
        piaa_error_set(error, PIAA_USAGE,
                       "%s holds no model, or several, of the kind %.60s; it holds %.700s", where,
                       quant, list.data);
    else
        piaa_error_set(error, PIAA_USAGE,
                       "%s holds several models: name one of these behind a colon (%s:…): %.700s",
                       where, where, list.data);
    free(list.data);
    return false;
}

/* How early the type in its name comes. */
static int vision_rank(const char *name) {
    static const char *const types[] = {"bf16", "f16", "fp16", "f32", "fp32", "q8_0"};
    int rank = 0;
    for (; rank < (int)PIAA_COUNT(types); rank++) {
        size_t n = strlen(types[rank]);
        for (const char *c = name; *c; c++) {
            bool begins = c == name || strchr("-._", c[-1]);
            if (begins && strncasecmp(c, types[rank], n) == 0 && strchr("-._", c[n])) return rank;
        }
    }
    return rank;
}

static bool choose_vision(const piaa_gguf_offer *offers, size_t count, const piaa_gguf_wish *wish,
                          const char *where, int *ranks, size_t *out, piaa_error *error) {
    bool named = wish->vision && *wish->vision;
    for (size_t i = 0; i < count; i++)
        ranks[i] = is_vision(offers[i].name) ? vision_rank(offers[i].name) : INT_MAX;
    *out = named ? find_name(offers, count, wish->vision) : find_first(ranks, count, INT_MAX);
    if (*out < count && ranks[*out] < INT_MAX) return true;
    piaa_text list = {0};
    if (!list_vision(offers, count, &list, error)) {
        free(list.data);
        return false;
    }
    if (!list.length)
        piaa_error_set(error, PIAA_UNSUPPORTED,
                       "%s has no vision part (mmproj), so that its models read text alone: look "
                       "for another repository",
                       where);
    else if (named)
        piaa_error_set(error, PIAA_USAGE, "%s has no vision part %.200s; it holds %.600s", where,
                       wish->vision, list.data);
    else
        piaa_error_set(error, PIAA_USAGE,
                       "%s holds several vision parts: name one with --mmproj: %.700s", where,
                       list.data);
    free(list.data);
    return false;
}

static bool choose(const piaa_gguf_offer *offers, size_t count, const piaa_gguf_wish *wish,
                   const char *where, int *ranks, piaa_gguf_choice *out, piaa_error *error) {
    char stem[PIAA_GGUF_LABEL];
    int part, parts;
    if (!choose_text(offers, count, wish, where, ranks, &out->text, error)) return false;
    stem_of(offers[out->text].name, stem, &part, &parts);
    if (parts > 1)
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "%s: %s is cut into %d files, which are not fetched: choose a "
                              "smaller kind, or download them all and name one of them",
                              where, stem, parts);
    return piaa_gguf_label(offers, count, out->text, out->label) &&
           choose_vision(offers, count, wish, where, ranks, &out->vision, error);
}

bool piaa_gguf_choose(const piaa_gguf_offer *offers, size_t count, const piaa_gguf_wish *wish,
                      const char *where, piaa_gguf_choice *out, piaa_error *error) {
    int *ranks = piaa_alloc(count, sizeof *ranks, error);
    bool ok = ranks && choose(offers, count, wish, where, ranks, out, error);
    free(ranks);
    return ok;
}

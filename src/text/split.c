/* The steps of a pre-tokenizer, each a regular expression run by PCRE2.
 *
 * The expressions are written for Oniguruma with Unicode.  PCRE2 with UTF and UCP means the same by
 * what they use, with one exception: its \s takes in U+180E, which Unicode no longer counts as
 * white space.  So \s is spelt out here as Unicode's White_Space (U+0009 to U+000D, U+0085,
 * category Z).  Escapes that might mean different things are refused. */
#include "text/split.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum {
    MAX_STEPS = 8,
    SHOWN = 200 /* bytes of an expression in a message */,
    JIT_STACK_START = 32 * 1024,
    JIT_STACK_MAX = 16 * 1024 * 1024
};

/* The published expression of GPT-2, which ByteLevel applies where "use_regex" is true. */
static const char GPT2[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

typedef struct step {
    pcre2_code *regex;
    /* MergedWithPrevious: what lies before a match belongs to it; else both are words. */
    bool merge;
} step;

struct piaa_splitter {
    step steps[MAX_STEPS];
    size_t count;
    bool byte_level;
};

struct piaa_split_memory {
    pcre2_match_data *match[MAX_STEPS];
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
};

/* ---------------------------------------------------------------------------------- expressions */

#define WHITE "\\t-\\r\\x{85}\\p{Z}"

static bool translate(const char *regex, piaa_text *out, piaa_error *error) {
    bool in_class = false, ok = true;
    for (const char *c = regex; ok && *c; c++) {
        if (*c == '\\') {
            char next = *++c;
            bool letter = (next >= 'a' && next <= 'z') || (next >= 'A' && next <= 'Z') ||
                          (next >= '0' && next <= '9');
            if (next == 's')
                ok = piaa_text_format(out, error, in_class ? "%s" : "[%s]", WHITE);
            else if (next == 'S' && !in_class)
                ok = piaa_text_add(out, "[^" WHITE "]", strlen("[^" WHITE "]"), error);
            else if (!next || (letter && !strchr("pPrntfdDx", next)))
                return piaa_error_set(
                    error, PIAA_UNSUPPORTED,
                    "the regular expression \"%.*s\" uses \\%c%s, which is not supported",
                    piaa_utf8_shown(regex, SHOWN), regex, next ? next : ' ',
                    in_class ? " in a class" : "");
            else
                ok = piaa_text_add(out, c - 1, 2, error);
            continue;
        }
        bool odd = in_class ? *c == '[' || (c[0] == '&' && c[1] == '&')
                            : *c == '[' && c[c[1] == '^' ? 2 : 1] == ']';
        if (odd)
            return piaa_error_set(
                error, PIAA_UNSUPPORTED,
                "the regular expression \"%.*s\" has a class that is not supported",
                piaa_utf8_shown(regex, SHOWN), regex);
        if (*c == '[') in_class = true;
        if (*c == ']') in_class = false;
        ok = piaa_text_add(out, c, 1, error);
    }
    return ok;
}

static bool add_regex(piaa_splitter *splitter, const char *pattern, bool literal, bool merge,
                      piaa_error *error) {
    if (splitter->count == MAX_STEPS)
        return piaa_error_set(error, PIAA_UNSUPPORTED, "the pre-tokenizer has more than %d steps",
                              MAX_STEPS);
    piaa_text text = {0};
    int number;
    PCRE2_SIZE place;
    uint32_t empty = 0,
             options = PCRE2_UTF | (literal ? PCRE2_LITERAL : PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C);
    bool ok = literal ? piaa_text_add(&text, pattern, strlen(pattern), error)
                      : translate(pattern, &text, error);
    if (!ok) {
        free(text.data);
        return false;
    }
    pcre2_code *regex = pcre2_compile((PCRE2_SPTR)(text.data ? text.data : ""), text.length,
                                      options, &number, &place, NULL);
    free(text.data);
    if (!regex) {
        PCRE2_UCHAR why[128] = "";
        pcre2_get_error_message(number, why, sizeof why);
        return piaa_error_set(error, PIAA_FORMAT,
                              "the regular expression \"%.*s\" cannot be compiled: %s",
                              piaa_utf8_shown(pattern, SHOWN), pattern, (const char *)why);
    }
    pcre2_pattern_info(regex, PCRE2_INFO_MATCHEMPTY, &empty);
    if (empty) {
        pcre2_code_free(regex);
        return piaa_error_set(
            error, PIAA_UNSUPPORTED,
            "the pre-tokenizer's pattern \"%.*s\" can match nothing, which is not supported",
            piaa_utf8_shown(pattern, SHOWN), pattern);
    }
    /* Where there is no JIT the interpreter does the same, slower. */
    pcre2_jit_compile(regex, PCRE2_JIT_COMPLETE);
    splitter->steps[splitter->count++] = (step){regex, merge};
    return true;
}

/* ---------------------------------------------------------------------------------------- steps */

static bool flag(const cJSON *json, const char *key, bool missing) {
    piaa_json_bool(json, key, &missing);
    return missing;
}

static bool add_split(piaa_splitter *splitter, const cJSON *json, piaa_error *error) {
    const char *regex = piaa_json_string(json, "pattern.Regex"),
               *string = piaa_json_string(json, "pattern.String");
    const char *behaviour = piaa_json_string(json, "behavior");
    if (!behaviour || (!regex && !string))
        return piaa_error_set(
            error, PIAA_FORMAT,
            "the pre-tokenizer Split has no \"pattern\" or no \"behavior\": fetch the file again");
    bool merge = !strcmp(behaviour, "MergedWithPrevious");
    if (flag(json, "invert", false) || (!merge && strcmp(behaviour, "Isolated")))
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "the pre-tokenizer Split with \"%s\"%s is not supported; "
                              "\"Isolated\" and \"MergedWithPrevious\" are",
                              behaviour, flag(json, "invert", false) ? " inverted" : "");
    return add_regex(splitter, regex ? regex : string, !regex, merge, error);
}

static bool add_steps(piaa_splitter *splitter, const cJSON *json, int depth, piaa_error *error) {
    const char *type = piaa_json_string(json, "type");
    if (!type)
        return piaa_error_set(error, PIAA_FORMAT,
                              "the pre-tokenizer has no \"type\": fetch the file again");
    if (splitter->byte_level)
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "the pre-tokenizer \"%s\" after ByteLevel is not supported", type);
    if (!strcmp(type, "Sequence")) {
        const cJSON *list = piaa_json_find(json, "pretokenizers");
        if (!cJSON_IsArray(list) || depth)
            return piaa_error_set(error, PIAA_FORMAT,
                                  "the pre-tokenizer's Sequence is not a plain list");
        for (const cJSON *item = list->child; item; item = item->next)
            if (!add_steps(splitter, item, depth + 1, error)) return false;
        return true;
    }
    if (!strcmp(type, "Split")) return add_split(splitter, json, error);
    if (!strcmp(type, "ByteLevel")) {
        if (flag(json, "add_prefix_space", true))
            return piaa_error_set(
                error, PIAA_UNSUPPORTED,
                "the pre-tokenizer ByteLevel with \"add_prefix_space\" is not supported");
        splitter->byte_level = true;
        return !flag(json, "use_regex", true) || add_regex(splitter, GPT2, false, false, error);
    }
    return piaa_error_set(error, PIAA_UNSUPPORTED,
                          "the pre-tokenizer \"%s\" is not supported; Split and ByteLevel are",
                          type);
}

piaa_splitter *piaa_splitter_new(const cJSON *json, bool *byte_level, piaa_error *error) {
    piaa_splitter *splitter = piaa_alloc(1, sizeof *splitter, error);
    if (splitter && json && !add_steps(splitter, json, 0, error)) {
        piaa_splitter_free(splitter);
        return NULL;
    }
    if (splitter) *byte_level = splitter->byte_level;
    return splitter;
}

void piaa_splitter_free(piaa_splitter *splitter) {
    if (!splitter) return;
    for (size_t i = 0; i < splitter->count; i++) pcre2_code_free(splitter->steps[i].regex);
    free(splitter);
}

/* ------------------------------------------------------------------------------------ splitting */

piaa_split_memory *piaa_split_memory_new(piaa_error *error) {
    piaa_split_memory *memory = piaa_alloc(1, sizeof *memory, error);
    if (!memory) return NULL;
    bool ok = true;
    for (size_t i = 0; i < MAX_STEPS; i++)
        ok = (memory->match[i] = pcre2_match_data_create(1, NULL)) && ok;
    memory->context = pcre2_match_context_create(NULL);
    /* NULL without a JIT: not needed then. */
    memory->stack = pcre2_jit_stack_create(JIT_STACK_START, JIT_STACK_MAX, NULL);
    if (!ok || !memory->context) {
        piaa_split_memory_free(memory);
        piaa_error_set(error, PIAA_MEMORY, "out of memory for matching regular expressions");
        return NULL;
    }
    pcre2_jit_stack_assign(memory->context, NULL, memory->stack);
    return memory;
}

void piaa_split_memory_free(piaa_split_memory *memory) {
    if (!memory) return;
    for (size_t i = 0; i < MAX_STEPS; i++) pcre2_match_data_free(memory->match[i]);
    pcre2_match_context_free(memory->context);
    pcre2_jit_stack_free(memory->stack);
    free(memory);
}

typedef struct taker {
    bool (*take)(void *user, const char *word, size_t size, piaa_error *error);
    void *user;
} taker;

static bool split_from(const piaa_splitter *splitter, size_t number, piaa_split_memory *memory,
                       const char *text, size_t size, const taker *words, piaa_error *error) {
    if (!size) return true;
    if (number == splitter->count) return words->take(words->user, text, size, error);
    const step *s = &splitter->steps[number];
    const PCRE2_SIZE *place = pcre2_get_ovector_pointer(memory->match[number]);
    size_t done = 0, word;
    while (done < size) {
        int found = pcre2_match(s->regex, (PCRE2_SPTR)text, size, done, PCRE2_NO_UTF_CHECK,
                                memory->match[number], memory->context);
        if (found == PCRE2_ERROR_NOMATCH) break;
        if (found < 0) {
            PCRE2_UCHAR why[128] = "";
            pcre2_get_error_message(found, why, sizeof why);
            return piaa_error_set(error, PIAA_UNSUPPORTED,
                                  "the tokenizer's regular expression gave up on this text: %s",
                                  (const char *)why);
        }
        if (place[0] < done || place[1] <= place[0])
            break; /* not without \K, which is refused: no progress, so the rest is one word */
        word = s->merge ? done : place[0];
        if (!split_from(splitter, number + 1, memory, text + done, word - done, words, error) ||
            !split_from(splitter, number + 1, memory, text + word, place[1] - word, words, error))
            return false;
        done = place[1];
    }
    return split_from(splitter, number + 1, memory, text + done, size - done, words, error);
}

bool piaa_split(const piaa_splitter *splitter, piaa_split_memory *memory, const char *text,
                size_t size,
                bool (*take)(void *user, const char *word, size_t size, piaa_error *error),
                void *user, piaa_error *error) {
    const taker words = {take, user};
    return split_from(splitter, 0, memory, text, size, &words, error);
}

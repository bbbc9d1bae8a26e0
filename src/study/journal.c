/* Lessons by their hashes, in a file. */
#include "study/journal.h"

#include "base/csv.h"
#include "base/file.h"
#include "base/memory.h"

#include <glib.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct entry {
    char *key, *values; /* values: words of 16 digits, each with a blank behind it */
} entry;

struct piaa_journal {
    char *path, *reader;
    entry *entries;
    size_t count, capacity;
};

/* Before the predictions: support, alpha, answers, bytes, seconds. */
enum { HEAD = 8, WORD = 17 };

static const char header[] = "lesson,values\n";

/* ---------------------------------------------------------------------------------------- names */

static void add_text(GChecksum *hash, const char *text) {
    g_checksum_update(hash, (const guchar *)text, (gssize)strlen(text) + 1);
}

static void add_number(GChecksum *hash, double number) {
    g_checksum_update(hash, (const guchar *)&number, sizeof number);
}

void piaa_journal_key(const piaa_journal *journal, const piaa_method *method, const piaa_lesson *l,
                      char key[PIAA_JOURNAL_KEY]) {
    GChecksum *hash = g_checksum_new(G_CHECKSUM_SHA256);
    add_text(hash, journal->reader);
    add_text(hash, method->name);
    add_text(hash, l->set->kind);
    add_text(hash, l->source ? l->source->name : "");
    for (int k = 0; l->projection && k < l->projection->count; k++)
        add_number(hash, l->projection->intercepts[k]);
    add_number(hash, l->seed);
    for (int64_t i = 0; i < l->n; i++) {
        add_text(hash, l->set->images[l->images[i]].path);
        add_number(hash, l->scores[i]);
    }
    add_text(hash, "");
    for (size_t k = 0; k < l->tests; k++) add_text(hash, l->set->images[l->test[k]].path);
    snprintf(key, PIAA_JOURNAL_KEY, "%s", g_checksum_get_string(hash));
    g_checksum_free(hash);
}

/* --------------------------------------------------------------------------------------- values */

static double *member(piaa_predictions *out, size_t i, double head[HEAD]) {
    return i < HEAD ? &head[i] : &out->scores[i - HEAD];
}

/* The next word as a double; false: it is none. */
static bool take(const char **at, double *out) {
    uint64_t bits = 0;
    for (int i = 0; i < WORD - 1; i++) {
        const char *digit = strchr("0123456789abcdef", (*at)[i]);
        if (!(*at)[i] || !digit) return false;
        const char *zero = "0123456789abcdef";
        bits = bits << 4 | (uint64_t)(strchr(zero, (*at)[i]) - zero);
    }
    memcpy(out, &bits, sizeof *out);
    *at += WORD;
    return (*at)[-1] == ' ';
}

bool piaa_journal_find(const piaa_journal *journal, const char *key, size_t tests,
                       piaa_predictions *out, double *seconds) {
    const entry *found = NULL;
    for (size_t i = 0; i < journal->count; i++)
        if (strcmp(journal->entries[i].key, key) == 0) found = &journal->entries[i];
    if (!found || strlen(found->values) != (HEAD + tests) * WORD) return false;
    const char *at = found->values;
    double head[HEAD] = {0};
    for (size_t i = 0; i < HEAD + tests; i++)
        if (!take(&at, member(out, i, head))) return false;
    out->support = (size_t)head[0];
    out->alpha = head[1];
    out->answers =
        (piaa_answers){(size_t)head[2], (size_t)head[3], (size_t)head[4], (size_t)head[5]};
    out->bytes = (int64_t)head[6];
    *seconds = head[7];
    return true;
}

/* ----------------------------------------------------------------------------------------- file */

/* Takes what it is given. */
static bool add_entry(piaa_journal *j, char *key, char *values, piaa_error *error) {
    if (key && values && piaa_grow(&j->entries, &j->capacity, j->count + 1, sizeof(entry), error)) {
        j->entries[j->count++] = (entry){key, values};
        return true;
    }
    free(key);
    free(values);
    return false;
}

static bool write_all(const piaa_journal *j, piaa_error *error) {
    piaa_text out = {0};
    bool ok = piaa_text_format(&out, error, "%s", header);
    for (size_t i = 0; ok && i < j->count; i++)
        ok = piaa_text_format(&out, error, "%s,%s\n", j->entries[i].key, j->entries[i].values);
    ok = ok && piaa_file_write(j->path, out.data, out.length, error);
    free(out.data);
    return ok;
}

bool piaa_journal_add(piaa_journal *journal, const char *key, size_t tests,
                      const piaa_predictions *out, double seconds, piaa_error *error) {
    double head[HEAD] = {(double)out->support,
                         out->alpha,
                         (double)out->answers.asked,
                         (double)out->answers.unparsable,
                         (double)out->answers.out_of_range,
                         (double)out->answers.not_a_number,
                         (double)out->bytes,
                         seconds};
    piaa_text values = {0};
    for (size_t i = 0; i < HEAD + tests; i++) {
        uint64_t bits;
        memcpy(&bits, i < HEAD ? &head[i] : &out->scores[i - HEAD], sizeof bits);
        if (!piaa_text_format(&values, error, "%016" PRIx64 " ", bits)) {
            free(values.data);
            return false;
        }
    }
    return add_entry(journal, piaa_strdup(key, error), values.data, error) &&
           write_all(journal, error);
}

static bool read_all(piaa_journal *j, piaa_error *error) {
    size_t size;
    char *text = piaa_file_read(j->path, (size_t)1 << 30, &size, error);
    if (!text) return false;
    bool ok = strncmp(text, header, sizeof header - 1) == 0;
    if (!ok)
        piaa_error_set(error, PIAA_FORMAT,
                       "%.500s is not a journal that piaa wrote: name another folder for the run",
                       j->path);
    for (char *line = text + sizeof header - 1, *end; ok && (end = strchr(line, '\n'));
         line = end + 1) {
        char *comma = memchr(line, ',', (size_t)(end - line));
        *end = '\0';
        if (!comma) continue;
        *comma = '\0';
        ok = add_entry(j, piaa_strdup(line, error), piaa_strdup(comma + 1, error), error);
    }
    free(text);
    return ok;
}

piaa_journal *piaa_journal_open(const char *path, const char *reader, piaa_error *error) {
    piaa_journal *j = piaa_alloc(1, sizeof *j, error);
    if (!j) return NULL;
    j->path = piaa_strdup(path, error);
    j->reader = piaa_strdup(reader, error);
    if (j->path && j->reader && (!piaa_file_exists(path) || read_all(j, error))) return j;
    piaa_journal_close(j);
    return NULL;
}

void piaa_journal_close(piaa_journal *j) {
    if (!j) return;
    for (size_t i = 0; i < j->count; i++) {
        free(j->entries[i].key);
        free(j->entries[i].values);
    }
    free(j->entries);
    free(j->path);
    free(j->reader);
    free(j);
}

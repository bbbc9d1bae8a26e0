/*
 * Asking the model for its score of every image, as the published code does: one question, the
 * likeliest tokens.
 *
 * An image is a unit of work.  What was answered is kept in a table beside the run, whole and in
 * the published layout, and is read again by the next run, so that a run that was ended goes on;
 * rows that were asked of another model, or of photos read in another way, are asked anew.
 */
#include "study/raw_text.h"

#include "base/csv.h"
#include "base/file.h"
#include "base/hooks.h"
#include "features/extractor.h"
#include "features/identity.h"
#include "study/answer.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const piaa_question piaa_question_rating = {
    "Assess the overall aesthetic quality of this image. Please rate it on a scale from 1 to 5. "
    "Output only the numeric score, and do not output any other text.",
    PIAA_ANSWER_NUMBER, 16};

/* "Balacing" is the published code's. */
const piaa_question piaa_question_thought = {
    "You are an expert judge of image aesthetics.\n"
    "For the given image, please assess this particular user's personal aesthetic preferences.\n"
    "First, for this user, assess the following aesthetic attributes on a scale from 1 to 5:\n"
    "BalacingElements, ColorHarmony, Content, DoF, Light, MotionBlur, Object, Repetition, "
    "RuleOfThirds, Symmetry, VividColor.\n"
    "For each attribute, output a line in the form 'AttributeName: X', one attribute per line.\n"
    "After listing all the attributes, on the last line output 'Overall: Y', where Y is your "
    "overall aesthetic rating for this user from 1 to 5.\n"
    "Do not output anything else.\n"
    "Now assess this image for this user.",
    PIAA_ANSWER_OVERALL, 200};

/* Between two times that the table is written. */
static const double write_seconds = 5;

typedef struct asking {
    const piaa_question *question;
    const piaa_dataset *set;
    piaa_extractor *extractor;
    const char *file, *model;
    const piaa_hooks *hooks;
    piaa_raw_texts *raw;
    char **texts; /* [images] NULL: not answered */
    char reader[PIAA_IDENTITY_NAME];
} asking;

/* ------------------------------------------------------------------------------------- the table
 */

static void add_field(piaa_text *out, const char *text, piaa_error *error) {
    char *field = NULL;
    if (!out->failed && !piaa_csv_quote(text, &field, error)) out->failed = true;
    if (!out->failed) piaa_text_add(out, field, strlen(field), error);
    free(field);
}

/* In the "C" locale. */
static void add_rows(const asking *a, piaa_text *out, piaa_error *error) {
    piaa_text_format(out, error,
                     "model_id,dataset,split,image_path,giaa,raw_output,"
                     "expected_score,reader\n");
    for (size_t i = 0; i < a->set->image_count; i++) {
        char number[40] = "nan";
        if (!a->texts[i]) continue;
        if (isfinite(a->raw->scores[i]))
            snprintf(number, sizeof number, "%.15g", a->raw->scores[i]);
        add_field(out, a->model, error);
        piaa_text_format(out, error, ",%s,all,", a->set->kind);
        add_field(out, a->set->images[i].name, error);
        piaa_text_format(out, error, ",%s,", number);
        add_field(out, a->texts[i], error);
        snprintf(number, sizeof number, "nan");
        if (isfinite(a->raw->expected[i]))
            snprintf(number, sizeof number, "%.9g", a->raw->expected[i]);
        piaa_text_format(out, error, ",%s,%s\n", number, a->reader);
    }
}

static bool write_table(const asking *a, piaa_error *error) {
    piaa_text out = {0};
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (plain == (locale_t)0)
        return piaa_error_set(error, PIAA_MEMORY, "out of memory writing answers");
    locale_t before = uselocale(plain);
    add_rows(a, &out, error);
    uselocale(before);
    freelocale(plain);
    const bool ok = !out.failed && piaa_file_write(a->file, out.data, out.length, error);
    free(out.data);
    return ok;
}

static bool keep(asking *a, size_t image, const char *text, double expected, piaa_error *error) {
    double score;
    if (!piaa_answer_read(text, a->question->rule, &score, error)) return false;
    char *copy = piaa_strdup(text, error);
    if (!copy) return false;
    free(a->texts[image]);
    a->texts[image] = copy;
    piaa_raw_texts_put(a->raw, image, score);
    a->raw->expected[image] = expected;
    return true;
}

/* Rows of an earlier run that this one would get again. */
static bool read_rows(asking *a, piaa_csv *csv, piaa_error *error) {
    const int path = piaa_csv_column(csv, "image_path"), text = piaa_csv_column(csv, "raw_output"),
              reader = piaa_csv_column(csv, "reader"),
              expected = piaa_csv_column(csv, "expected_score");
    if (path < 0 || text < 0 || reader < 0 || expected < 0)
        return piaa_error_set(error, PIAA_FORMAT,
                              "%.500s is not a table that piaa wrote: name another folder for the "
                              "run, or give the table with --raw-text",
                              a->file);
    for (int got; (got = piaa_csv_next(csv, error));) {
        size_t image;
        double score = NAN;
        if (got < 0) return false;
        piaa_csv_number(csv, expected, &score);
        if (strcmp(piaa_csv_word(csv, reader), a->reader) == 0 &&
            piaa_dataset_find(a->set, piaa_csv_field(csv, path), &image) &&
            !keep(a, image, piaa_csv_field(csv, text), score, error))
            return false;
    }
    return true;
}

static bool read_table(asking *a, piaa_error *error) {
    if (!piaa_file_exists(a->file)) return true;
    piaa_csv *csv = piaa_csv_open(a->file, error);
    const bool ok = csv && read_rows(a, csv, error);
    piaa_csv_close(csv);
    return ok;
}

/* ---------------------------------------------------------------------------------------- asking
 */

static bool is_photos_fault(const piaa_error *error) {
    return error->code == PIAA_IO || error->code == PIAA_FORMAT;
}

static bool ask_one(asking *a, size_t image, piaa_error *error) {
    const piaa_answering how = {.prompt = a->question->text,
                                .max_tokens = a->question->most_tokens};
    const char *path = a->set->images[image].path;
    piaa_error fault = {0};
    piaa_answer *answer = piaa_extractor_ask(a->extractor, &path, 1, &how, NULL, &fault);
    bool ok = true;
    if (answer) {
        ok = keep(a, image, answer->text, answer->expected_score, error);
    } else if (is_photos_fault(&fault)) {
        piaa_hooks_warn(a->hooks, "%s: the model was not asked about it", fault.message);
    } else {
        ok = piaa_error_set(error, fault.code, "%s", fault.message);
    }
    piaa_answer_free(answer);
    return ok;
}

static bool is_stopped(const piaa_hooks *hooks) {
    return hooks && hooks->stop && hooks->stop(hooks->user);
}

static bool ask_all(asking *a, const bool *wanted, piaa_error *error) {
    int64_t total = 0, done = 0;
    double written = piaa_seconds_now();
    for (size_t i = 0; i < a->set->image_count; i++)
        total += wanted[i] && !a->set->images[i].missing && !a->texts[i];
    if (total && !piaa_extractor_check(a->extractor, error)) return false;
    for (size_t i = 0; i < a->set->image_count; i++) {
        if (!wanted[i] || a->set->images[i].missing || a->texts[i]) continue;
        if (is_stopped(a->hooks))
            return piaa_error_set(
                error, PIAA_STOPPED,
                "stopped: %lld of %lld answers are kept, the same command goes on", (long long)done,
                (long long)total);
        if (!ask_one(a, i, error)) return false;
        done++;
        if (a->hooks && a->hooks->progress)
            a->hooks->progress(a->hooks->user, "Asking the model", done, total);
        if (piaa_seconds_now() - written < write_seconds) continue;
        if (!write_table(a, error)) return false;
        written = piaa_seconds_now();
    }
    return true;
}

/* Whatever ends the asking, what was answered is kept. */
static bool ask_and_keep(asking *a, const bool *wanted, piaa_error *error) {
    piaa_error later = {0};
    if (!read_table(a, error)) return false;
    const bool ok = ask_all(a, wanted, error), kept = write_table(a, ok ? error : &later);
    if (!ok || !kept) return false;
    if (a->raw->unparsable)
        piaa_hooks_warn(a->hooks,
                        "%zu of the model's answers hold no number: what would be computed from "
                        "them is left out (%.500s has the texts)",
                        a->raw->unparsable, a->file);
    return true;
}

bool piaa_raw_texts_ask(piaa_raw_texts *raw, const piaa_question *question, const piaa_dataset *set,
                        const bool *wanted, piaa_extractor *extractor, const char *model,
                        const char *file, const piaa_hooks *hooks, piaa_error *error) {
    asking a = {.question = question,
                .set = set,
                .extractor = extractor,
                .file = file,
                .model = model,
                .hooks = hooks,
                .raw = raw};
    if (!piaa_raw_texts_make(raw, set, error)) return false;
    piaa_identity_name(piaa_extractor_identity(extractor), a.reader);
    a.texts = piaa_alloc(set->image_count, sizeof *a.texts, error);
    const bool ok = a.texts && ask_and_keep(&a, wanted, error);
    for (size_t i = 0; a.texts && i < set->image_count; i++) free(a.texts[i]);
    free(a.texts);
    if (!ok) piaa_raw_texts_free(raw);
    return ok;
}

/* Answers: one token after another. */
#include "vlm/generate.h"

#include "base/file.h"
#include "base/hooks.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/utf8.h"
#include "vlm/decoder.h"
#include "vlm/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------------------- what files say */

/* generation_config.json, or nothing. */
typedef struct settings {
    const cJSON *json;
    const char *where;
} settings;

static bool wrong(const settings *s, const char *key, const char *expected, piaa_error *error) {
    return piaa_error_set(error, PIAA_FORMAT, "%s: \"%s\" should be %s", s->where, key, expected);
}

static bool read_ids(const settings *s, const char *key, piaa_ids *out, piaa_error *error) {
    const cJSON *value = piaa_json_find(s->json, key);
    const cJSON *item = cJSON_IsArray(value) ? value->child : value;
    for (; item; item = cJSON_IsArray(value) ? item->next : NULL) {
        const double id = cJSON_IsNumber(item) ? item->valuedouble : 0.5;
        if (fabs(id) > INT32_MAX || id != (double)(int32_t)id)
            return wrong(s, key, "the id of a token, or a list of such", error);
        if (!piaa_ids_add(out, (int32_t)id, error)) return false;
    }
    return true;
}

static bool read_number(const settings *s, const char *key, double least, double *out,
                        piaa_error *error) {
    const cJSON *value = piaa_json_find(s->json, key);
    if (!value) return true;
    if (!cJSON_IsNumber(value) || !(value->valuedouble >= least))
        return wrong(s, key, least > 0 ? "a number above 0" : "a number from 0 on", error);
    *out = value->valuedouble;
    return true;
}

static bool read_count(const settings *s, const char *key, int64_t *out, piaa_error *error) {
    const cJSON *value = piaa_json_find(s->json, key);
    if (!value) return true;
    if (!piaa_json_int(s->json, key, out) || *out < 0)
        return wrong(s, key, "a whole number from 0 on", error);
    return true;
}

/* What would make another answer of it.  Settings of speed, of output and of beams are passed
   over; there are no beams. */
static bool refuse_others(const settings *s, bool sample, piaa_error *error) {
    static const struct {
        const char *key;
        double without; /* with this value it does nothing; NAN: with none */
        bool sample;
    } others[] = {{"num_beams", 1, false},
                  {"num_beam_groups", 1, false},
                  {"penalty_alpha", 0, false},
                  {"encoder_repetition_penalty", 1, false},
                  {"no_repeat_ngram_size", 0, false},
                  {"encoder_no_repeat_ngram_size", 0, false},
                  {"guidance_scale", 1, false},
                  {"diversity_penalty", 0, false},
                  {"bad_words_ids", NAN, false},
                  {"sequence_bias", NAN, false},
                  {"stop_strings", NAN, false},
                  {"forced_bos_token_id", NAN, false},
                  {"forced_eos_token_id", NAN, false},
                  {"exponential_decay_length_penalty", NAN, false},
                  {"watermarking_config", NAN, false},
                  {"constraints", NAN, false},
                  {"force_words_ids", NAN, false},
                  {"dola_layers", NAN, false},
                  {"max_time", NAN, false},
                  {"token_healing", 0, false},
                  {"top_h", NAN, true},
                  {"typical_p", 1, true},
                  {"epsilon_cutoff", 0, true},
                  {"eta_cutoff", 0, true}};
    for (size_t i = 0; i < PIAA_COUNT(others); i++) {
        const cJSON *value = piaa_json_find(s->json, others[i].key);
        if (!value || (others[i].sample && !sample) || cJSON_IsFalse(value)) continue;
        if (cJSON_IsNumber(value) && value->valuedouble == others[i].without) continue;
        if (cJSON_IsArray(value) && !value->child) continue;
        return piaa_error_set(error, PIAA_UNSUPPORTED,
                              "%s asks for \"%s\", which piaa does not do: take it out of the file",
                              s->where, others[i].key);
    }
    return true;
}

/* Of the model's configuration, or else by the names that chat forms have for them. */
static bool find_stops(const piaa_model *model, piaa_decoding *out, piaa_error *error) {
    static const char *const keys[] = {"eos_token_id", "text_config.eos_token_id"},
                             *const names[] = {"<|im_end|>", "<|endoftext|>", "<end_of_turn>",
                                               "<eos>"};
    const settings config = {piaa_checkpoint_config(model->checkpoint),
                             piaa_checkpoint_where(model->checkpoint)};
    for (size_t i = 0; i < PIAA_COUNT(keys) && !out->stop.count; i++)
        if (!read_ids(&config, keys[i], &out->stop, error)) return false;
    for (size_t i = 0; i < PIAA_COUNT(names); i++) {
        const int32_t id = piaa_tokenizer_find(model->tokenizer, names[i]);
        if (id >= 0 && !piaa_ids_add(&out->stop, id, error)) return false;
    }
    return true;
}

static bool read_settings(const piaa_model *model, const settings *s, bool sample,
                          piaa_decoding *out, piaa_error *error) {
    const double tiny = 1e-9;
    if (!read_ids(s, "eos_token_id", &out->stop, error) ||
        !read_ids(s, "suppress_tokens", &out->suppressed, error) ||
        !read_ids(s, "begin_suppress_tokens", &out->suppressed_first, error) ||
        !read_number(s, "repetition_penalty", tiny, &out->repetition_penalty, error) ||
        !read_count(s, "min_length", &out->least, error) ||
        !read_count(s, "min_new_tokens", &out->least_new, error) ||
        !read_count(s, "max_new_tokens", &out->most, error) || !refuse_others(s, sample, error))
        return false;
    if (sample && (!read_number(s, "temperature", tiny, &out->temperature, error) ||
                   !read_number(s, "top_p", 0, &out->top_p, error) ||
                   !read_number(s, "min_p", 0, &out->least_p, error) ||
                   !read_count(s, "top_k", &out->top_k, error)))
        return false;
    if (out->most < 1) out->most = PIAA_ANSWER_TOKENS;
    return out->stop.count || find_stops(model, out, error);
}

bool piaa_decoding_read(const piaa_model *model, bool sample, piaa_decoding *out,
                        piaa_error *error) {
    enum { MOST_BYTES = 1 << 20, TOP_K = 50 /* the reference's own */ };
    const char *folder = piaa_checkpoint_folder(model->checkpoint);
    *out = (piaa_decoding){
        .repetition_penalty = 1, .temperature = 1, .top_p = 1, .top_k = TOP_K, .most = 0};
    char *path = piaa_path_join(folder, "generation_config.json", error);
    if (!path) return false;
    cJSON *json = NULL;
    const bool there = piaa_file_is_folder(folder) && piaa_file_exists(path);
    if (there) json = piaa_json_read(path, MOST_BYTES, error);
    const settings s = {json, path};
    const bool ok = (json || !there) && read_settings(model, &s, sample, out, error);
    cJSON_Delete(json);
    free(path);
    if (!ok) piaa_decoding_free(out);
    return ok;
}

bool piaa_decoding_set(piaa_decoding *d, const piaa_answering *how, piaa_error *error) {
    if (how->max_tokens < 0 || how->temperature < 0 || how->top_k < 0 || how->top_p < 0 ||
        how->top_p > 1 || isnan(how->temperature) || isnan(how->top_p))
        return piaa_error_set(
            error, PIAA_USAGE,
            "an answer's max_tokens, temperature and top_k are 0 or more, and its "
            "top_p is from 0 to 1");
    if (how->max_tokens) d->most = how->max_tokens;
    if (how->temperature > 0) d->temperature = how->temperature;
    if (how->top_k) d->top_k = how->top_k;
    if (how->top_p > 0) d->top_p = how->top_p;
    return true;
}

void piaa_decoding_free(piaa_decoding *decoding) {
    piaa_ids_free(&decoding->stop);
    piaa_ids_free(&decoding->suppressed);
    piaa_ids_free(&decoding->suppressed_first);
}

/* --------------------------------------------------------------------------------------- digits */

bool piaa_digits_find(const piaa_model *model, int32_t ids[PIAA_DIGITS], piaa_error *error) {
    bool single = model->tokenizer != NULL;
    for (int i = 0; single && i < PIAA_DIGITS; i++) {
        const char digit = (char)('1' + i);
        piaa_ids found = {0};
        if (!piaa_tokenizer_encode(model->tokenizer, &digit, 1, &found, error)) return false;
        single = found.count == 1;
        if (single) ids[i] = found.items[0];
        piaa_ids_free(&found);
    }
    return single || piaa_error_set(error, PIAA_UNSUPPORTED,
                                    "%s: the digits 1 to 5 are no tokens of this model, so that it "
                                    "has no expected score",
                                    model->info.folder);
}

void piaa_digits_score(const float *logits, size_t count, const int32_t ids[PIAA_DIGITS],
                       double *expected, double *mass) {
    double most = -INFINITY, all = 0, digits = 0, mean = 0;
    for (size_t i = 0; i < count; i++) most = fmax(most, logits[i]);
    for (size_t i = 0; i < count; i++) all += exp(logits[i] - most);
    double top = -INFINITY; /* of the digits, which may all be far below the others */
    for (int i = 0; i < PIAA_DIGITS; i++) top = fmax(top, logits[ids[i]]);
    for (int i = 0; i < PIAA_DIGITS; i++) {
        const double p = exp(logits[ids[i]] - top);
        digits += p;
        mean += p * (i + 1);
    }
    *expected = mean / digits;
    *mass = digits * exp(top - most) / all;
}

/* ------------------------------------------------------------------------------- the next token */

typedef struct answering {
    const piaa_model *model;
    const piaa_decoding *decoding;
    const piaa_answering *how;
    size_t vocabulary, before;  /* before: tokens of the question and what came before it */
    float *scores;              /* [vocabulary] */
    bool *said;                 /* [vocabulary]: in the question or the answer */
    piaa_candidate *candidates; /* [vocabulary], of samples */
    piaa_random random;
    piaa_ids ids;
    float *margins;
    size_t margin_room;
    size_t given; /* bytes of the text that `how` was told */
} answering;

static bool holds(const piaa_ids *ids, int32_t id) {
    for (size_t i = 0; i < ids->count; i++)
        if (ids->items[i] == id) return true;
    return false;
}

static void forbid(answering *a, const piaa_ids *ids) {
    for (size_t i = 0; i < ids->count; i++)
        if (ids->items[i] >= 0 && (size_t)ids->items[i] < a->vocabulary)
            a->scores[ids->items[i]] = -INFINITY;
}

/* The reference's processors, in its order. */
static void process(answering *a, const float *logits) {
    const piaa_decoding *d = a->decoding;
    const float penalty = (float)d->repetition_penalty;
    const int64_t done = (int64_t)a->ids.count;
    memcpy(a->scores, logits, a->vocabulary * sizeof *a->scores);
    for (size_t i = 0; penalty != 1 && i < a->vocabulary; i++)
        if (a->said[i])
            a->scores[i] = a->scores[i] < 0 ? a->scores[i] * penalty : a->scores[i] / penalty;
    if (done < d->least_new || (int64_t)a->before + done < d->least) forbid(a, &d->stop);
    forbid(a, &d->suppressed);
    if (!done) forbid(a, &d->suppressed_first);
}

static int32_t likeliest(const float *scores, size_t count) {
    size_t best = 0;
    for (size_t i = 1; i < count; i++)
        if (scores[i] > scores[best]) best = i;
    return (int32_t)best;
}

/* Between the two largest. */
static float margin_of(const float *logits, size_t count) {
    float first = -INFINITY, second = -INFINITY;
    for (size_t i = 0; i < count; i++) {
        if (logits[i] > first)
            second = first, first = logits[i];
        else if (logits[i] > second)
            second = logits[i];
    }
    return first - second;
}

static int by_score(const void *left, const void *right) {
    const piaa_candidate *a = left, *b = right;
    if (a->score != b->score) return a->score < b->score ? 1 : -1;
    return a->id < b->id ? 1 : -1; /* of equals the reference gives up the first ones first */
}

/* Temperature, the top_k largest (and what equals the last of them), the fewest that have top_p of
 * the probability together, and none below least_p of the largest; then one of these by chance.
 * What is less likely than e^-40 of the likeliest is left out from the start. */
int32_t piaa_decoding_draw(const piaa_decoding *d, const float *scores, size_t count,
                           piaa_candidate *room, piaa_random *random) {
    const int32_t first = likeliest(scores, count);
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        const double score = ((double)scores[i] - (double)scores[first]) / d->temperature;
        if (score > -40) room[n++] = (piaa_candidate){score, (int32_t)i};
    }
    if (!n) return first; /* they are no numbers */
    qsort(room, n, sizeof *room, by_score);
    size_t kept = d->top_k && (size_t)d->top_k < n ? (size_t)d->top_k : n;
    while (kept < n && room[kept].score == room[kept - 1].score) kept++;
    double sum = 0, rest = 0;
    for (size_t i = 0; i < kept; i++) sum += room[i].score = exp(room[i].score);
    while (kept > 1 && rest + room[kept - 1].score <= (1 - d->top_p) * sum)
        rest += room[--kept].score;
    while (kept > 1 && room[kept - 1].score < d->least_p * room[0].score) kept--;
    sum = 0;
    for (size_t i = 0; i < kept; i++) sum += room[i].score;
    double at = piaa_random_unit(random) * sum;
    size_t i = 0;
    while (i + 1 < kept && at >= room[i].score) at -= room[i++].score;
    return room[i].id;
}

/* ------------------------------------------------------------------------------------ the answer
 */

/* Tells what is new of the text and stays as it is, without white space before it and, until more
   follows, behind it.  false: enough. */
static bool tell(answering *a, bool ended, bool *enough, piaa_error *error) {
    if (!a->how->piece) return true;
    size_t size, settled;
    char *text = piaa_tokenizer_text(a->model->tokenizer, a->ids.items, a->ids.count, &size,
                                     &settled, error);
    if (!text) return false;
    size_t end = ended ? size : settled;
    text[end] = '\0';
    const char *begin = piaa_utf8_trim(text, &end);
    if (end > a->given) {
        text[(size_t)(begin - text) + end] = '\0';
        *enough = !a->how->piece(a->how->user, begin + a->given) || *enough;
        a->given = end;
    }
    free(text);
    return true;
}

static bool start(answering *a, const piaa_model_input *input, const piaa_ids *before,
                  piaa_error *error) {
    const piaa_ids *lists[] = {before, &piaa_model_input_text(input)->ids};
    a->scores = piaa_alloc_array(a->vocabulary, sizeof *a->scores, error);
    a->said = piaa_alloc(a->vocabulary, sizeof *a->said, error);
    if (a->how->sample)
        a->candidates = piaa_alloc_array(a->vocabulary, sizeof *a->candidates, error);
    if (!a->scores || !a->said || (a->how->sample && !a->candidates)) return false;
    piaa_random_seed_python(&a->random, (int64_t)a->how->seed);
    for (size_t k = 0; k < PIAA_COUNT(lists); k++)
        for (size_t i = 0; lists[k] && i < lists[k]->count; i++, a->before++) {
            const int32_t id = lists[k]->items[i];
            if (id >= 0 && (size_t)id < a->vocabulary) a->said[id] = true;
        }
    return true;
}

static bool add(answering *a, const float *logits, piaa_error *error) {
    for (size_t i = 0; i < a->vocabulary; i++)
        if (!isfinite(logits[i])) return piaa_model_not_finite(a->model, error);
    process(a, logits);
    const int32_t id = a->how->sample ? piaa_decoding_draw(a->decoding, a->scores, a->vocabulary,
                                                           a->candidates, &a->random)
                                      : likeliest(a->scores, a->vocabulary);
    a->said[id] = true;
    if (!piaa_grow(&a->margins, &a->margin_room, a->ids.count + 1, sizeof *a->margins, error))
        return false;
    a->margins[a->ids.count] = margin_of(logits, a->vocabulary);
    return piaa_ids_add(&a->ids, id, error);
}

static bool go_on(const piaa_model *model, piaa_session *session, piaa_place *place, int32_t id,
                  piaa_error *error) {
    piaa_model_input *input = piaa_model_continue(model, *place, &id, 1, error);
    const bool ok = input && piaa_session_run(session, input, NULL, error);
    if (ok) *place = piaa_model_input_end(input);
    piaa_model_input_free(input);
    return ok;
}

static void score_digits(const answering *a, const float *logits, piaa_answer *answer) {
    int32_t digits[PIAA_DIGITS] = {0};
    answer->expected_score = answer->digit_mass = NAN;
    if (piaa_digits_find(a->model, digits, NULL))
        piaa_digits_score(logits, a->vocabulary, digits, &answer->expected_score,
                          &answer->digit_mass);
}

static bool generate(answering *a, piaa_session *session, const piaa_model_input *input, float *out,
                     piaa_answer *answer, piaa_error *error) {
    const int context = a->model->family->decoder(a->model->config)->context;
    const double began = piaa_seconds_now();
    piaa_place place = piaa_model_input_end(input);
    if (place.position > context)
        return piaa_error_set(error, PIAA_USAGE,
                              "the question takes %d tokens, and %s was made for %d: ask something "
                              "shorter, or set a lower --max-pixels",
                              place.position, a->model->info.folder, context);
    if (!piaa_session_run(session, input, out, error)) return false;
    answer->prompt_tokens = place.tokens;
    for (bool enough = false; !enough;) {
        const float *logits = piaa_session_logits(session);
        if (!a->ids.count) score_digits(a, logits, answer);
        if (!add(a, logits, error)) return false;
        if (a->ids.count == 1) answer->first_seconds = piaa_seconds_now() - began;
        const int32_t id = a->ids.items[a->ids.count - 1];
        answer->stopped = holds(&a->decoding->stop, id);
        const bool ended = answer->stopped || (int64_t)a->ids.count >= a->decoding->most ||
                           place.position >= context;
        if (!tell(a, ended, &enough, error)) return false;
        if (ended || enough) break;
        if (!go_on(a->model, session, &place, id, error)) return false;
    }
    answer->seconds = piaa_seconds_now() - began;
    return true;
}

/* Gives the answer what is its own. */
static bool finish(answering *a, piaa_answer *answer, piaa_error *error) {
    size_t size;
    char *text =
        piaa_tokenizer_text(a->model->tokenizer, a->ids.items, a->ids.count, &size, NULL, error);
    if (!text) return false;
    const char *begin = piaa_utf8_trim(text, &size);
    memmove(text, begin, size);
    text[size] = '\0';
    answer->text = text;
    answer->new_ids = a->ids.items;
    answer->new_count = a->ids.count;
    answer->margins = a->margins;
    a->ids = (piaa_ids){0};
    a->margins = NULL;
    return true;
}

piaa_answer *piaa_generate(const piaa_model *model, piaa_session *session,
                           const piaa_model_input *input, const piaa_ids *before,
                           const piaa_decoding *decoding, const piaa_answering *how, float *out,
                           piaa_error *error) {
    answering a = {.model = model,
                   .decoding = decoding,
                   .how = how,
                   .vocabulary = (size_t)model->info.vocabulary};
    piaa_answer *answer = piaa_alloc(1, sizeof *answer, error);
    const bool ok = answer && start(&a, input, before, error) &&
                    generate(&a, session, input, out, answer, error) && finish(&a, answer, error);
    free(a.scores);
    free(a.said);
    free(a.candidates);
    free(a.margins);
    piaa_ids_free(&a.ids);
    if (ok) return answer;
    piaa_answer_free(answer);
    return NULL;
}

void piaa_answer_free(piaa_answer *answer) {
    if (!answer) return;
    free(answer->text);
    free(answer->new_ids);
    free(answer->margins);
    free(answer);
}

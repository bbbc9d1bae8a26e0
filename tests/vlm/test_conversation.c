/* Conversations of several images and turns against Hugging Face transformers: ids, positions,
   pooled states, logits, and answers behind a prefix that is kept. */
#include "fixture.h"
#include "questions.h"

#include "vlm/decoder.h"
#include "vlm/model.h"

enum { MOST_PARTS = 32, NEW_TOKENS = 12 };

typedef struct checkpoint {
    const char *name, *golden;
    bool gemma;
} checkpoint;

static const checkpoint families[] = {
    {PIAA_GOLDEN "/qwen3vl", PIAA_GOLDEN "/text/multi_image/qwen3vl.safetensors", false},
    {PIAA_GOLDEN "/gemma3", PIAA_GOLDEN "/text/multi_image/gemma3.safetensors", true}};

/* The published few-shot prompt. */
static const char before[] =
    "You are an expert judge of image aesthetics.\nI will show you some example images with this "
    "user's ratings on a 1 to 5 scale.\nFrom these examples, infer the user's personal "
    "preferences.\nThen I will show you a new image; please predict this user's rating for it.\n\n"
    "For the examples, each rating is this user's own rating, already mapped to a 1 to 5 scale.\n"
    "When you answer for the final image, respond with a single number from 1 to 5, and nothing "
    "else.\n";
static const char after[] =
    "Now, based on the user's previous ratings, what is this user's rating for THIS image? Answer "
    "with a single number from 1 to 5, and do not output any other text.";
static const struct {
    const char *image;
    double rating;
} examples[] = {
    {"rocket_panorama.jpg", 2.5}, {"astronaut_rgba.png", 4.0}, {"cat.jpg", 3.25},
    {"astronaut.png", 1.0},       {"cat_gray.png", 5.0},       {"coffee_palette.png", 3.666},
    {"rocket.webp", 4.005},       {"coffee_tiny.png", 1.995},  {"coffee_420.jpg", 2.675}};

static piaa_sight see(fixture *f, const char *image) {
    piaa_error error = {0};
    piaa_sight sight;
    piaa_model_input *input = fixture_file(f, image, NULL);
    if (!piaa_session_see(f->session, input, &sight, &error)) fail_msg("%s", error.message);
    piaa_model_input_free(input);
    return sight;
}

/* `count` images, the last of them asked about. */
typedef struct shots {
    piaa_sight sights[MOST_PARTS];
    const piaa_sight *seen[MOST_PARTS];
    char texts[MOST_PARTS][64];
    piaa_chat_tokens chat;
    int count;
} shots;

static void make_shots(fixture *f, int count, const char *asked, shots *s) {
    piaa_chat_part parts[MOST_PARTS] = {{before, 0}};
    size_t n = 1;
    *s = (shots){.count = count};
    for (int i = 0; i < count; i++) {
        const bool last = i == count - 1;
        s->sights[i] = see(f, last ? asked : examples[i].image);
        s->seen[i] = &s->sights[i];
        if (!last)
            snprintf(s->texts[i], sizeof s->texts[i],
                     "Example %d: This user rated this image %.2f out of 5.", i + 1,
                     examples[i].rating);
        parts[n++] =
            (piaa_chat_part){NULL, (size_t)s->sights[i].rows * (size_t)s->sights[i].columns};
        parts[n++] = (piaa_chat_part){last ? after : s->texts[i], 0};
    }
    const piaa_chat_turn turn = {.parts = parts, .count = n};
    const piaa_ask ask = {.generate = true};
    piaa_error error = {0};
    if (!piaa_model_encode(f->model, &turn, 1, &ask, &s->chat, &error))
        fail_msg("%s", error.message);
}

static void free_shots(shots *s) {
    for (int i = 0; i < s->count; i++) piaa_sight_free(&s->sights[i]);
    piaa_chat_tokens_free(&s->chat);
}

static piaa_model_input *converse(const fixture *f, const shots *s, bool causal, int past) {
    piaa_error error = {0};
    piaa_model_input *input =
        piaa_model_converse(f->model, &s->chat, s->seen,
                            causal ? PIAA_IMAGE_CAUSAL : PIAA_IMAGE_BOTH_WAYS, past, &error);
    if (!input) fail_msg("%s", error.message);
    return input;
}

static int32_t *ints(const piaa_safetensors *golden, const char *key, const char *what,
                     size_t *count) {
    char name[96];
    snprintf(name, sizeof name, "%s|%s", key, what);
    return support_ints(golden, name, count);
}

static double compare(const piaa_safetensors *golden, const char *key, const char *what,
                      const float *values, size_t count) {
    char name[96];
    size_t n;
    snprintf(name, sizeof name, "%s|%s", key, what);
    float *expected = support_floats(golden, name, &n);
    assert_int_equal(n, count);
    const double e = support_relative_error(values, expected, n);
    if (e > 1e-4) print_message("%s: %.2g\n", name, e);
    free(expected);
    return e;
}

static void check_layout(const piaa_safetensors *golden, const char *key, const shots *s,
                         const piaa_model_input *input, bool gemma) {
    size_t n;
    int32_t *ids = ints(golden, key, "input_ids", &n);
    assert_int_equal(n, s->chat.ids.count);
    assert_memory_equal(ids, s->chat.ids.items, n * sizeof *ids);
    free(ids);
    int32_t *spans = ints(golden, key, "image_spans", &n);
    assert_int_equal(n, 2 * s->chat.image_count);
    for (size_t i = 0; i < s->chat.image_count; i++) {
        assert_int_equal(spans[2 * i], s->chat.images[i].start);
        assert_int_equal(spans[2 * i + 1], s->chat.images[i].start + s->chat.images[i].count);
    }
    free(spans);
    if (gemma) return;
    const piaa_decoder_input *text = piaa_model_input_text(input);
    int32_t *positions = ints(golden, key, "position_ids", &n);
    assert_int_equal(n, 3 * s->chat.ids.count);
    assert_memory_equal(positions, text->all.positions, n * sizeof *positions);
    free(positions);
    int32_t *delta = ints(golden, key, "rope_delta", &n);
    assert_int_equal(piaa_model_input_end(input).position - text->tokens, *delta);
    free(delta);
}

/* Pools in the order lt, lt_tail, lv, every layer; each image's own mean of every state. */
static void check_states(const piaa_safetensors *golden, const char *key, const fixture *f,
                         const shots *s) {
    const piaa_layout *layout = &piaa_model_get_info(f->model)->layout;
    const size_t states = (size_t)layout->decoder_layers + 1, hidden = (size_t)layout->hidden_size;
    static const char *const pools[] = {"lt", "lt_tail", "lv"};
    double most = 0;
    for (size_t p = 0; p < PIAA_COUNT(pools); p++) {
        const double e =
            compare(golden, key, pools[p], f->out + p * states * hidden, states * hidden);
        if (e > most) most = e;
    }
    float *each = piaa_alloc(states * (size_t)s->count * hidden, sizeof *each, NULL);
    for (size_t layer = 0; layer < states; layer++)
        for (size_t i = 0; i < (size_t)s->count; i++) {
            const float *h = piaa_session_hidden(f->session, false, (int)layer);
            const piaa_chat_span span = s->chat.images[i];
            for (size_t d = 0; d < hidden; d++) {
                double sum = 0;
                for (size_t t = 0; t < span.count; t++) sum += h[(span.start + t) * hidden + d];
                each[(i * states + layer) * hidden + d] = (float)(sum / (double)span.count);
            }
        }
    const double e = compare(golden, key, "lv_each", each, states * (size_t)s->count * hidden);
    free(each);
    assert_true(most <= 1e-4 && e <= 1e-4);
}

static int32_t best(const fixture *f) {
    const float *logits = piaa_session_logits(f->session);
    int32_t at = 0;
    for (int32_t i = 1; i < piaa_model_get_info(f->model)->vocabulary; i++)
        if (logits[i] > logits[at]) at = i;
    return at;
}

/* Answers behind the prefix that is kept, with another photo in between where there is one. */
static void check_answer(const piaa_safetensors *golden, const char *key, fixture *f,
                         const shots *s, bool causal, int prefix) {
    piaa_model_input *input = converse(f, s, causal, prefix);
    fixture_run(f, input);
    piaa_place place = piaa_model_input_end(input);
    piaa_model_input_free(input);
    const size_t vocabulary = (size_t)piaa_model_get_info(f->model)->vocabulary;
    assert_true(compare(golden, key, "first_logits", piaa_session_logits(f->session), vocabulary) <=
                1e-4);
    size_t n;
    int32_t *ids = ints(golden, key, "new_ids_past_stop", &n);
    assert_int_equal(n, NEW_TOKENS);
    for (size_t i = 0; i < n; i++) {
        const int32_t id = best(f);
        assert_int_equal(id, ids[i]);
        fixture_go_on(f, &place, &id, 1);
    }
    free(ids);
}

static void check_shots(const checkpoint *family, int count, bool causal, bool portable) {
    piaa_safetensors *golden = support_golden(family->golden);
    char key[32];
    snprintf(key, sizeof key, "%d%s", count, causal ? "|causal" : "");
    fixture f = fixture_open(family->name, "lt,lt_tail,lv", "all",
                             (piaa_session_options){.dtype = PIAA_DTYPE_F32,
                                                    .logits = true,
                                                    .hidden = true,
                                                    .portable = portable,
                                                    .cache = 1});
    shots s, other;
    make_shots(&f, count, "rocket_progressive.jpg", &s);
    piaa_model_input *input = converse(&f, &s, causal, 0);
    check_layout(golden, key, &s, input, family->gemma);
    fixture_run(&f, input);
    check_states(golden, key, &f, &s);
    piaa_model_input_free(input);
    size_t n;
    int32_t *prefix = ints(golden, key, "prefix_tokens", &n);
    check_answer(golden, key, &f, &s, causal, *prefix);
    if (count == 3 && !causal) { /* the same examples, another photo */
        make_shots(&f, count, "astronaut.png", &other);
        check_answer(golden, "3|other", &f, &other, causal, *prefix);
        check_answer(golden, key, &f, &s, causal, *prefix);
        free_shots(&other);
    }
    free(prefix);
    free_shots(&s);
    fixture_close(&f);
    piaa_safetensors_close(golden);
}

static void several_images(void **state) {
    PIAA_UNUSED(state);
    static const int counts[] = {2, 3, 10};
    for (size_t i = 0; i < PIAA_COUNT(families); i++)
        for (size_t k = 0; k < PIAA_COUNT(counts); k++)
            for (int causal = 0; causal <= families[i].gemma; causal++)
                for (int portable = 0; portable < 2; portable++)
                    check_shots(&families[i], counts[k], causal, portable);
}

/* The model's own turn between two of the user's. */
static void several_turns(void **state) {
    PIAA_UNUSED(state);
    for (size_t i = 0; i < PIAA_COUNT(families); i++) {
        char path[256];
        snprintf(path, sizeof path, "%s/text/generate/%s.safetensors", PIAA_GOLDEN,
                 families[i].gemma ? "gemma3" : "qwen3vl");
        piaa_safetensors *golden = support_golden(path);
        fixture f = fixture_open(
            families[i].name, "lt", "0",
            (piaa_session_options){.dtype = PIAA_DTYPE_F32, .logits = true, .cache = 1});
        shots s = {.count = 1, .sights = {see(&f, "cat.jpg")}};
        s.seen[0] = &s.sights[0];
        const piaa_chat_part first[] = {{NULL,
                                         (size_t)s.sights[0].rows * (size_t)s.sights[0].columns},
                                        {questions[0].text, 0}},
                             second[] = {{"3.50", 0}},
                             third[] = {{"Describe the light of this image.", 0}};
        const piaa_chat_turn turns[] = {{.parts = first, .count = 2},
                                        {.assistant = true, .parts = second, .count = 1},
                                        {.parts = third, .count = 1}};
        const piaa_ask ask = {.generate = true};
        piaa_error error = {0};
        if (!piaa_model_encode(f.model, turns, PIAA_COUNT(turns), &ask, &s.chat, &error))
            fail_msg("%s", error.message);
        size_t n;
        int32_t *ids = ints(golden, "cat.jpg|conversation", "input_ids", &n);
        assert_int_equal(n, s.chat.ids.count);
        assert_memory_equal(ids, s.chat.ids.items, n * sizeof *ids);
        free(ids);
        piaa_model_input *input = converse(&f, &s, false, 0);
        fixture_run(&f, input);
        assert_true(compare(golden, "cat.jpg|conversation", "first_logits",
                            piaa_session_logits(f.session),
                            (size_t)piaa_model_get_info(f.model)->vocabulary) <= 1e-4);
        piaa_model_input_free(input);
        free_shots(&s);
        fixture_close(&f);
        piaa_safetensors_close(golden);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(several_images),
                                       cmocka_unit_test(several_turns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

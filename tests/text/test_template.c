/* Chat templates: what Jinja writes with transformers' settings, and what is refused. */
#include "support.h"

#include "text/chat.h"

#define IMAGE "<|vision_start|><|image_pad|><|vision_end|>"
#define PARTS                                                                                      \
    "{% for c in m.content %}{% if c.type == 'image' %}" IMAGE                                     \
    "{% elif 'text' in c %}{{ c.text }}{% endif %}{% endfor %}"

/* Each was rendered by Jinja 3.1 as transformers sets it up, with "T" where \x01 and \x02 are. */
static const struct {
    const char *source, *written, *answer;
} rows[] = {
    {"{% for m in messages %}<|im_start|>{{ m['role'] }}\n" PARTS "<|im_end|>\n{% endfor %}",
     "<|im_start|>user\n" IMAGE "\x01<|im_end|>\n", ""},
    /* A system turn that is put before what does not begin with one; an answer's opening. */
    {"{% for m in messages %}{% if loop.first and m['role'] != 'system' %}<|im_start|>system\nBe "
     "kind.<|im_end|>\n{% endif %}<|im_start|>{{ m.role }}\n" PARTS "<|im_end|>\n{% endfor %}"
     "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
     "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\n" IMAGE "\x01<|im_end|>\n",
     "<|im_start|>assistant\n"},
    /* What belongs to other turns may hold anything. */
    {"{%- if tools %}{{- tools | tojson }}{%- elif messages[0].role == 'system' %}"
     "{{- messages[0].content.split('x')[0] }}{%- endif %}\n"
     "{%- set n = namespace(value=0) %}\n"
     "{%- for m in messages %}\n"
     "    {%- if (m.role == \"user\") or (m.role == \"system\" and not loop.first) %}\n"
     "        {%- for c in m.content %}\n"
     "            {%- if 'image' in c %}\n"
     "                {%- set n.value = n.value + 1 %}\n"
     "                {%- if add_vision_id %}Picture {{ n.value }}: {% endif -%}\n"
     "                " IMAGE "\n"
     "            {%- else %}\n"
     "                {{- c['text'] ~ n.value }}\n"
     "            {%- endif %}\n"
     "        {%- endfor %}\n"
     "    {%- endif %}\n"
     "{%- endfor %}\n",
     IMAGE "\x01"
           "1",
     ""},
    /* White space before and behind statements; comments; a line's end behind them. */
    {"a\n  {% if true %}\nb\n  {% endif %}\n  {# no #}\nc {%+ if true %} d {% endif %}\n"
     "{{ '' }}\n",
     "a\nb\nc  d ", ""},
    {"{{ bos_token }} {{- ' x ' | trim }}{{ ('y' if loop is defined else 'z') + \"\\n\" }}"
     "{{ 1 + 2 % 2 - 1 }}{{ none is none and 'w' or 'v' }}",
     "<bos>xz\n0w", ""},
    {"{% for m in messages[::-1] %}{% for c in m['content'] %}{% if not c.get('text') is none %}"
     "{{ c.get('text', '') | trim }}{% endif %}{% endfor %}{% endfor %}{{ messages | length }}"
     "{% for m in messages[1:] %}never{% endfor %}{{ messages[-1].name }}",
     "\x02"
     "1",
     ""},
    {"{% set a = 'x' %}{% for m in messages %}{% set a = 'y' %}{{ a }}{% endfor %}{{ a }}", "yx",
     ""},
    {"{% macro f(x) %}{{ x }}{% endmacro %}{% generation %}a{% endgeneration %}", "a", ""},
};

static char *render(const char *source, bool generate, piaa_error *error) {
    const piaa_template_words words = {.bos = "<bos>", .generate = generate};
    return piaa_template_render(source, &words, error);
}

static void written_as_by_jinja(void **state) {
    PIAA_UNUSED(state);
    for (size_t i = 0; i < PIAA_COUNT(rows); i++)
        for (int generate = 0; generate < 2; generate++) {
            piaa_error error = {0};
            char *text = render(rows[i].source, generate, &error);
            if (!text) fail_msg("row %zu: %s", i, error.message);
            char *expected =
                piaa_format(NULL, "%s%s", rows[i].written, generate ? rows[i].answer : "");
            assert_string_equal(text, expected);
            free(expected);
            free(text);
        }
}

static void refused_with_the_place(void **state) {
    PIAA_UNUSED(state);
    static const char *const bad[][2] = {
        {"{{ messages | tojson }}", "{{ messages | tojson }}"},
        {"{{ raise_exception('no') }}", "raise_exception"},
        {"a{% macro f(x) %}{{ x }}{% endmacro %}{{ f('b') }}", "{{ f('b') }}"},
        {"{% for m in messages %}{% for c in m.content %}{% if 'a' in c.text %}{% endif %}"
         "{% endfor %}{% endfor %}",
         "what the text says"},
        {"{% for m in messages %}{{ m.content }}{% endfor %}", "no text is written"},
        {"{% for m in messages %}{{ 'a' + m.content }}{% endfor %}", "put together"},
        {"{% if x %}a", "if without an end"},
        {"{% for m in messages %}", "loop without an end"},
        {"a{% endif %}", "end of nothing"},
        {"{{ 'a }}", "{{ 'a }}"},
        {"{% include 'x' %}", "statement"},
        {"{{ 'a' if }}", "understood"},
        {"{{ ((((((((((((((1)))))))))))))) }}", "too deep"},
        {"{{ eos_token }}", "token that is not known"},
        {"\x01", "characters"},
    };
    for (size_t i = 0; i < PIAA_COUNT(bad); i++) {
        piaa_error error = {0};
        char *text = render(bad[i][0], false, &error);
        if (text) fail_msg("row %zu was read: %s", i, text);
        assert_int_equal(error.code, PIAA_UNSUPPORTED);
        if (!strstr(error.message, bad[i][1])) fail_msg("row %zu: %s", i, error.message);
    }
}

/* The templates that models are published with write the published forms. */
static void published_templates(void **state) {
    PIAA_UNUSED(state);
    static const struct {
        const char *file;
        piaa_chat_form form;
    } files[] = {{PIAA_GOLDEN "/qwen3vl/chat_template.jinja", PIAA_CHAT_QWEN3VL},
                 {PIAA_GOLDEN "/gemma3/chat_template.jinja", PIAA_CHAT_GEMMA3},
                 {PIAA_SOURCE "/models/demo/chat_template.jinja", PIAA_CHAT_QWEN3VL}};
    for (size_t i = 0; i < PIAA_COUNT(files); i++) {
        size_t size;
        piaa_error error = {0};
        char *source = piaa_file_read(files[i].file, 1 << 20, &size, &error);
        const piaa_template_words words = {.bos = NULL};
        piaa_chat_frame *frame =
            source ? piaa_chat_frame_new(files[i].form, source, &words, &error) : NULL;
        if (!frame) fail_msg("%s: %s", files[i].file, error.message);
        assert_true(piaa_chat_frame_is_published(frame, files[i].form, false) &&
                    piaa_chat_frame_is_published(frame, files[i].form, true));
        piaa_chat_frame_free(frame);
        free(source);
    }
}

/* The published templates write conversations as the published forms do. */
static void conversations(void **state) {
    PIAA_UNUSED(state);
    static const piaa_chat_part first[] = {{"Look:", 0}, {NULL, 3}, {" one ", 0}, {NULL, 2}},
                                second[] = {{"3.50", 0}}, third[] = {{"And why?", 0}};
    static const piaa_chat_turn turns[] = {{.parts = first, .count = 4},
                                           {.assistant = true, .parts = second, .count = 1},
                                           {.parts = third, .count = 1}};
    static const struct {
        const char *folder;
        piaa_chat_form form;
    } models[] = {{PIAA_GOLDEN "/qwen3vl", PIAA_CHAT_QWEN3VL},
                  {PIAA_GOLDEN "/gemma3", PIAA_CHAT_GEMMA3}};
    for (size_t i = 0; i < PIAA_COUNT(models); i++) {
        size_t size;
        piaa_error error = {0};
        char *path = support_join(models[i].folder, "chat_template.jinja");
        char *source = piaa_file_read(path, 1 << 20, &size, &error);
        const piaa_template_words words = {.bos = NULL};
        piaa_chat_frame *frame =
            source ? piaa_chat_frame_new(models[i].form, source, &words, &error) : NULL;
        piaa_tokenizer *t = frame ? piaa_tokenizer_open(models[i].folder, &error) : NULL;
        if (!t) fail_msg("%s", error.message);
        for (size_t count = 1; count <= PIAA_COUNT(turns); count++)
            for (int generate = 0; generate < 2; generate++) {
                piaa_chat_tokens own, published;
                if (!piaa_chat_encode(t, models[i].form, frame, turns, count, generate, &own,
                                      &error) ||
                    !piaa_chat_encode(t, models[i].form, NULL, turns, count, generate, &published,
                                      &error))
                    fail_msg("%s", error.message);
                assert_int_equal(own.ids.count, published.ids.count);
                assert_memory_equal(own.ids.items, published.ids.items,
                                    own.ids.count * sizeof *own.ids.items);
                assert_int_equal(own.image_count, 2);
                piaa_chat_tokens_free(&own);
                piaa_chat_tokens_free(&published);
            }
        piaa_tokenizer_close(t);
        piaa_chat_frame_free(frame);
        free(source);
        free(path);
    }
}

static void frames(void **state) {
    PIAA_UNUSED(state);
    const piaa_template_words words = {.bos = NULL};
    piaa_error error = {0};
    piaa_chat_frame *frame = piaa_chat_frame_new(PIAA_CHAT_QWEN3VL, rows[1].source, &words, &error);
    assert_non_null(frame);
    assert_false(piaa_chat_frame_is_published(frame, PIAA_CHAT_QWEN3VL, false));
    assert_string_equal(frame->before, "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\n"
                                       "<|vision_start|>");
    assert_string_equal(frame->after, "<|vision_end|>");
    assert_string_equal(frame->end, "<|im_end|>\n");
    assert_string_equal(frame->question[true] + strlen(frame->question[false]),
                        "<|im_start|>assistant\n");
    piaa_chat_frame_free(frame);
    /* The tokenizer puts <bos> before it, the processor new lines around the image. */
    frame = piaa_chat_frame_new(
        PIAA_CHAT_GEMMA3,
        "{% for m in messages %}<start_of_turn>user\n{% for c in m.content %}{{ c.text | trim if "
        "c.type == 'text' else '<start_of_image>' }}{% endfor %}<end_of_turn>{% endfor %}",
        &words, &error);
    if (!frame) fail_msg("%s", error.message);
    assert_string_equal(frame->before, "<bos><start_of_turn>user\n\n\n<start_of_image>");
    assert_string_equal(frame->after, "<end_of_image>\n\n");
    assert_string_equal(frame->end, "<end_of_turn>");
    assert_true(frame->trim);
    piaa_chat_frame_free(frame);
    static const char *const bad[][2] = {
        {"{% for m in messages %}{% for c in m.content %}{{ c.text }}{% endfor %}{% endfor %}",
         "not one image"},
        {IMAGE "nothing is asked", "the text not once"},
        {"{% for m in messages %}{{ m.content[1].text }}" IMAGE "{% endfor %}", "before the image"},
    };
    for (size_t i = 0; i < PIAA_COUNT(bad); i++) {
        piaa_error_clear(&error);
        assert_null(piaa_chat_frame_new(PIAA_CHAT_QWEN3VL, bad[i][0], &words, &error));
        if (!strstr(error.message, bad[i][1])) fail_msg("row %zu: %s", i, error.message);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_as_by_jinja),
        cmocka_unit_test(refused_with_the_place),
        cmocka_unit_test(published_templates),
        cmocka_unit_test(conversations),
        cmocka_unit_test(frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The published prompts that golden answers were made with, and a tiny checkpoint's question. */
#ifndef PIAA_TESTS_VLM_QUESTIONS_H
#define PIAA_TESTS_VLM_QUESTIONS_H

#include "vlm/vlm.h"

static const struct {
    const char *name, *text; /* NULL: "rating" where image tokens are causal, of Gemma 3 alone */
} questions[] = {
    {"rating", "Assess the overall aesthetic quality of this image. Please rate it on a scale from "
               "1 to 5. Output only the numeric score, and do not output any other text."},
    {"base", "Assess the aesthetics of this image."},
    {"attributes",
     "Assess the aesthetics of this image with respect to the following attributes: "
     "BalancingElements, ColorHarmony, Content, DoF, Light, MotionBlur, Object, Repetition, "
     "RuleOfThirds, Symmetry, VividColor. You do not need to output the attributes explicitly; "
     "just use them as internal criteria."},
    {"expert",
     "You are an expert judge of image aesthetics.\nFor each image, rate its overall visual "
     "aesthetic quality on a scale from 1.0 to 5.0.\nRespond with a single number (you may use a "
     "decimal like 3.5) and nothing else.\nRate this image now."},
    {"rating_causal", NULL}};

static const char *const question_photos[] = {"cat.jpg", "coffee_420.jpg"};

static inline piaa_ask question(size_t q) {
    const bool causal = !questions[q].text;
    return (piaa_ask){.prompt = questions[causal ? 0 : q].text,
                      .generate = true,
                      .image_attention = causal ? PIAA_IMAGE_CAUSAL : PIAA_IMAGE_BOTH_WAYS};
}

#endif

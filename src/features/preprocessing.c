/* The one place that knows how preprocessing is said: in a sentence, and in an identity's members.
 */
#include "features/preprocessing.h"

#include "base/memory.h"
#include "features/identity.h"
#include "vlm/vlm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of each choice the word in an identity, and the one in the sentence. */
typedef struct choice {
    const char *word, *prose;
} choice;

static const choice exifs[] = {
    [PIAA_EXIF_APPLY] = {"apply", "applied"}, [PIAA_EXIF_IGNORE] = {"ignore", "ignored"}};
static const choice attentions[] = {[PIAA_IMAGE_BOTH_WAYS] = {"both", ""},
                                    [PIAA_IMAGE_CAUSAL] = {"causal", ", image tokens causal"}};
static const choice backgrounds[] = {[PIAA_BACKGROUND_NONE] = {"none", ""},
                                     [PIAA_BACKGROUND_WHITE] = {"white", ", on white"},
                                     [PIAA_BACKGROUND_BLACK] = {"black", ", on black"}};

char *piaa_preprocessing_prose(const piaa_preprocessing *p, piaa_error *error) {
    return piaa_format(error, "%lld to %lld pixels, EXIF rotation %s%s%s", (long long)p->least,
                       (long long)p->most, exifs[p->exif].prose, attentions[p->attention].prose,
                       backgrounds[p->background].prose);
}

void piaa_preprocessing_name(const piaa_preprocessing *p, char digits[24],
                             piaa_identity *identity) {
    snprintf(digits, 24, "%lld", (long long)p->most);
    identity->max_pixels = digits;
    identity->exif = exifs[p->exif].word;
    identity->image_attention = attentions[p->attention].word;
    identity->background = backgrounds[p->background].word;
}

/* The choice whose word this is; 0, which each began with, for another. */
static int find_word(const char *word, const choice *choices, size_t count) {
    for (size_t i = 0; word && i < count; i++)
        if (strcmp(choices[i].word, word) == 0) return (int)i;
    return 0;
}

/* The choice whose part of the sentence stands in `rest`. */
static int find_prose(const char *rest, const choice *choices, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (*choices[i].prose && strstr(rest, choices[i].prose)) return (int)i;
    return 0;
}

#define FIND(find, text, choices) find(text, choices, PIAA_COUNT(choices))

/* A number and the words behind it; NULL: something else stands there. */
static const char *take_number(const char *at, long long *out, const char *words) {
    char *end;
    *out = strtoll(at, &end, 10);
    return end != at && strncmp(end, words, strlen(words)) == 0 ? end + strlen(words) : NULL;
}

/* An identity of before: the sentence's numbers, and which of the parts it has. */
static bool read_prose(const char *prose, piaa_preprocessing *out) {
    long long least, most;
    const char *rest = prose ? take_number(prose, &least, " to ") : NULL;
    if (rest) rest = take_number(rest, &most, " pixels, EXIF rotation ");
    if (!rest) return false;
    *out =
        (piaa_preprocessing){.least = least,
                             .most = most,
                             .exif = (piaa_exif)FIND(find_prose, rest, exifs),
                             .attention = (piaa_image_attention)FIND(find_prose, rest, attentions),
                             .background = (piaa_background)FIND(find_prose, rest, backgrounds)};
    return true;
}

bool piaa_preprocessing_of(const piaa_identity *identity, piaa_preprocessing *out) {
    *out = (piaa_preprocessing){0};
    if (!identity->max_pixels || !*identity->max_pixels)
        return read_prose(identity->preprocessing, out);
    *out = (piaa_preprocessing){
        .most = strtoll(identity->max_pixels, NULL, 10),
        .exif = (piaa_exif)FIND(find_word, identity->exif, exifs),
        .attention = (piaa_image_attention)FIND(find_word, identity->image_attention, attentions),
        .background = (piaa_background)FIND(find_word, identity->background, backgrounds)};
    return true;
}

void piaa_request_like(const piaa_identity *identity, const piaa_slot *slot, char layer[16],
                       piaa_request *out) {
    piaa_preprocessing preprocessing;
    *out = (piaa_request){
        .prompt = identity->prompt, .pools = piaa_pool_name(slot->pool), .layers = layer};
    snprintf(layer, 16, "%d", slot->layer);
    if (identity->chat)
        out->chat =
            strcmp(identity->chat, PIAA_CHAT_FOLDER) == 0 ? PIAA_FORM_FOLDER : PIAA_FORM_PUBLISHED;
    if (identity->dtype) PIAA_UNUSED(piaa_dtype_parse(identity->dtype, &out->dtype));
    if (!piaa_preprocessing_of(identity, &preprocessing)) return;
    out->max_pixels = preprocessing.most;
    out->exif = preprocessing.exif;
    out->image_attention = preprocessing.attention;
    out->background = preprocessing.background;
}

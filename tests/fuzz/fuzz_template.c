/* Any bytes as a chat template. */
#include "text/chat.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    char *source = malloc(size + 1);
    if (!source) return 0;
    if (size) memcpy(source, data, size);
    source[size] = '\0';
    const piaa_template_words words = {.bos = "<bos>", .eos = "<eos>"};
    piaa_error error = {0};
    piaa_chat_frame_free(piaa_chat_frame_new(PIAA_CHAT_QWEN3VL, source, &words, &error));
    free(source);
    return 0;
}

/* Any bytes as a tokenizer.json, up to the first NUL; the bytes behind it as a text for it. */
#include "text/chat.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    piaa_error error = {0};
    const unsigned char *nul = size ? memchr(data, 0, size) : NULL;
    size_t json = nul ? (size_t)(nul - data) : size, rest = nul ? size - json - 1 : 0;
    piaa_tokenizer *tokenizer = piaa_tokenizer_parse((const char *)data, json, "fuzz", &error);
    piaa_ids ids = {0};
    if (tokenizer && rest <= 4096 &&
        piaa_tokenizer_encode(tokenizer, nul ? (const char *)nul + 1 : "", rest, &ids, &error)) {
        size_t length;
        char *text = piaa_tokenizer_decode(tokenizer, ids.items, ids.count, &length, &error);
        if (!text) abort();
        free(text);
        piaa_chat_tokens tokens;
        if (piaa_chat_ask(tokenizer, PIAA_CHAT_QWEN3VL, NULL, "x", 3, true, &tokens, &error))
            piaa_chat_tokens_free(&tokens);
    }
    piaa_ids_free(&ids);
    piaa_tokenizer_close(tokenizer);
    return 0;
}

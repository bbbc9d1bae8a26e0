/* Any bytes as the file of a prior; what is read is written again, and read again the same. */
#include "study/prior.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    piaa_error error = {0};
    piaa_prior *prior = piaa_prior_parse((const char *)data, size, "fuzz", &error);
    if (!prior) {
        if (!error.message[0]) abort();
        return 0;
    }
    char *text = piaa_prior_to_json(prior, NULL);
    piaa_prior *again = text ? piaa_prior_parse(text, strlen(text), "again", NULL) : NULL;
    if (!again || again->people->rank != prior->people->rank ||
        again->photo_count != prior->photo_count)
        abort();
    double y[] = {1, 50, 100};
    piaa_prior_tell(prior, y, 3, NULL);
    piaa_prior_free(again);
    piaa_prior_free(prior);
    free(text);
    return 0;
}

/* Pulling a model: a repository's needed files, downloaded from a Hugging Face hub, checked, and put where piaa_model_locate finds them. */
#ifndef PIAA_WEIGHTS_FETCH_H
#define PIAA_WEIGHTS_FETCH_H

#include "base/http.h"
#include "weights/pulled.h"

typedef struct piaa_fetch_options {
    const char *from;        /* address of the hub or a mirror of it; NULL: HF_ENDPOINT, else the Hugging Face hub */
    piaa_http_options http;  /* tries and waits; token and hooks are filled in */
    const piaa_hooks *hooks; /* progress in bytes, what: the file's name; warn; stop.  NULL: none */
} piaa_fetch_options;

typedef struct piaa_fetched {
    char *repository; /* "Qwen/Qwen3-VL-4B-Instruct" */
    char *folder;
    char commit[41];
    size_t files;
    int64_t bytes;      /* of all files */
    int64_t downloaded; /* by this call */
    size_t unchecked;   /* files for which the server named no checksum, so that only their size could be checked */
    bool shared;        /* the Hugging Face cache had it: nothing was copied */
} piaa_fetched;

/* Pulls `name` (as piaa_hub_name_parse takes it).  What is there already, whole and right, is not fetched again: a second call costs one
 * request; files that an older revision shares are linked.  A file gets its name only after its size and checksum were found right.
 *
 * The token is HF_TOKEN, or else, for the Hugging Face hub alone, the one that its tools keep in a file (HF_TOKEN_PATH); piaa_http_options
 * says where it does not go.  PIAA_STOPPED, PIAA_IO and PIAA_FORMAT leave what has come, for the next call to go on from. */
bool piaa_model_fetch(const char *name, const piaa_fetch_options *options, piaa_fetched *out, piaa_error *error) PIAA_MUST_USE;
void piaa_fetched_free(piaa_fetched *fetched);

#endif

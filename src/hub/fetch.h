/* Pulling a model: a repository's needed files, downloaded from a Hugging Face hub, checked, and
   put where piaa_model_locate finds them. */
#ifndef PIAA_HUB_FETCH_H
#define PIAA_HUB_FETCH_H

#include "hub/http.h"
#include "hub/pulled.h"

typedef struct piaa_fetch_options {
    piaa_pull_request request;
    piaa_http_options http;  /* tries and waits; token and hooks are filled in */
    const piaa_hooks *hooks; /* progress in bytes, what: the file's name; warn; stop.  NULL: none */
} piaa_fetch_options;

/* piaa_model_pull, which says what it does, with these options (NULL: the usual); *out is freed
 * with piaa_pulled_clear.  A second call costs one request; files that another version shares are
 * linked.
 *
 * The token is HF_TOKEN, or else, for the Hugging Face hub alone, the one that its tools keep in a
 * file (HF_TOKEN_PATH); piaa_http_options says where it does not go.  PIAA_STOPPED, PIAA_IO and
 * PIAA_FORMAT leave what has come, for the next call to go on from. */
bool piaa_model_fetch(const char *name, const piaa_fetch_options *options, piaa_pulled *out,
                      piaa_error *error) PIAA_MUST_USE;

#endif

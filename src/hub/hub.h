/* Names of models, and a hub's list of a repository's files: what of it a model needs. */
#ifndef PIAA_HUB_HUB_H
#define PIAA_HUB_HUB_H

#include "hub/gguf_choice.h"

/* "Qwen/Qwen3-VL-4B-Instruct@main", "ggml-org/gemma-3-4b-it-GGUF:Q8_0", taken apart. */
typedef struct piaa_hub_name {
    char owner[97], name[97];
    char revision[201]; /* "main" where none was given */
    /* Which of a repository's GGUF files; "" where that was not said. */
    char quant[PIAA_GGUF_LABEL];
    bool given; /* a revision was */
} piaa_hub_name;

/* A short name ("qwen3-vl-4b") or OWNER/NAME, either with @REVISION and :QUANT; the hub's address
 * before it ("hf.co/") is passed over. PIAA_USAGE for anything else; a slip of the pen in a short
 * name is answered with the list of them. */
bool piaa_hub_name_parse(const char *text, piaa_hub_name *out, piaa_error *error) PIAA_MUST_USE;

/* The table of short names: NULL after the last. */
const char *piaa_hub_short_name(size_t index, const char **repository);

/* A file that a model needs, and what the hub knows of it. */
typedef struct piaa_hub_file {
    char *name;      /* without folders */
    int64_t size;    /* -1: not said */
    char sha256[65]; /* of the content; "": not said */
    char sha1[41];   /* git's name: SHA-1 of "blob SIZE" NUL content; "": not said */
} piaa_hub_file;

typedef struct piaa_hub_list {
    char commit[41];             /* 40 hex digits: what the revision stands for */
    char label[PIAA_GGUF_LABEL]; /* of the text model chosen among GGUF files; "" where the model is
                                    safetensors */
    piaa_hub_file *files;
    size_t count; /* settings and tokenizer first, then weights; each by name */
} piaa_hub_list;

/* Parses the answer to api/models/REPOSITORY/revision/REVISION?blobs=true and keeps what a model
 * needs: the settings and safetensors, or where there are none, or a wish says so, the two GGUF
 * files that piaa_gguf_choose chooses.  `where` names the repository in messages. PIAA_FORMAT where
 * it is not such a list; PIAA_UNSUPPORTED where the repository holds no model in either form. */
bool piaa_hub_list_parse(const char *text, size_t size, const char *where,
                         const piaa_gguf_wish *wish, piaa_hub_list *out,
                         piaa_error *error) PIAA_MUST_USE;
void piaa_hub_list_free(piaa_hub_list *list);

bool piaa_hub_is_commit(const char *text); /* 40 lower-case hex digits */

#endif

/* Which two of many GGUF files make the model that is asked for.  Publishers put a model's
 * quantisations into one repository and name each file after its type: "gemma-3-4b-it-Q4_K_M.gguf",
 * "mmproj-model-f16.gguf". */
#ifndef PIAA_HUB_GGUF_CHOICE_H
#define PIAA_HUB_GGUF_CHOICE_H

#include "base/error.h"

enum { PIAA_GGUF_LABEL = 128 };

/* A file on offer: its name without folders, and its size; -1: not known. */
typedef struct piaa_gguf_offer {
    const char *name;
    int64_t size;
} piaa_gguf_offer;

/* What is asked for; NULL or "": the usual. */
typedef struct piaa_gguf_wish {
    const char *quant; /* "Q8_0", as behind a colon in the model's name; case does not matter */
    const char *text, *vision; /* the files' names */
} piaa_gguf_wish;

/* Indices of the two files, and what tells this text model from the others: its type as in
 * "Q4_K_M", or where that does not, the file's name without its end. */
typedef struct piaa_gguf_choice {
    size_t text, vision;
    char label[PIAA_GGUF_LABEL];
} piaa_gguf_choice;

/* Without a wish the text model is the one in Q4_K_M, else Q8_0, else the only one; the vision part
 * the one in BF16, F16, F32, Q8_0, else the only one.  PIAA_USAGE where that does not say which, or
 * it is not there: with the list of what is.  PIAA_UNSUPPORTED where the choice falls on a model in
 * several parts, or there is no vision part.  `where` names the repository in messages. */
bool piaa_gguf_choose(const piaa_gguf_offer *offers, size_t count, const piaa_gguf_wish *wish,
                      const char *where, piaa_gguf_choice *out, piaa_error *error) PIAA_MUST_USE;

/* The label that the file at `index` would have; false where it is no text model. */
bool piaa_gguf_label(const piaa_gguf_offer *offers, size_t count, size_t index,
                     char label[PIAA_GGUF_LABEL]);

/* Whether a label is what `quant` asks for, and how early it comes where nothing is asked for: 0
   before 1 before 2. */
bool piaa_gguf_label_fits(const char *label, const char *quant);
int piaa_gguf_label_rank(const char *label);

#endif

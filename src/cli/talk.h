/* What a command says beside its result: warnings, notes, the progress bar, and how it ends early.
   All of it on standard error. */
#ifndef PIAA_CLI_TALK_H
#define PIAA_CLI_TALK_H

#include "base/error.h"
#include "base/pace.h"

#include <stdio.h>

/* What comes from elsewhere is shown as base/visible.h says. */
typedef struct piaa_talk {
    const char *command; /* "rank" */
    piaa_hooks hooks;    /* for the library; user is this structure */
    FILE *out;           /* where it is written: standard error, by whatever name */
    bool terminal;       /* standard error is one on which a bar may be drawn */
    int drawn;           /* columns of the bar that is on the screen; 0: none */
    double last;         /* when the bar was drawn last; seconds */
    piaa_pace pace;      /* since it came up */
} piaa_talk;

/* The structure stays where it is. */
void piaa_talk_begin(piaa_talk *talk, const char *command);

/* One line, "piaa rank: warning: …" and "piaa rank: …", and one as it is. */
void piaa_talk_warn(piaa_talk *talk, const char *format, ...) PIAA_PRINTF(2, 3);
void piaa_talk_fail(piaa_talk *talk, const piaa_error *error);
void piaa_talk_note(piaa_talk *talk, const char *format, ...) PIAA_PRINTF(2, 3);

/* Takes the bar off the screen. */
void piaa_talk_clear(piaa_talk *talk);

/* From here on Ctrl-C (and what signals.h says is like it) makes hooks.stop say yes, so that the
   photo in hand is finished. */
void piaa_talk_catch_stop(piaa_talk *talk);

/* "4.13 GB", "851.2 MB", "1.5 kB", in `out`. */
const char *piaa_talk_size(int64_t bytes, char out[32]);

/* The bar of a job that counts bytes: "Fetching model.safetensors  1.20 GB of 4.26 GB  28 %  11.2
   MB/s  about 5 min left". */
void piaa_talk_draw_bytes(piaa_talk *talk, const char *what, int64_t done, int64_t total);

#endif

/* Pulled models: found by name; listed and removed as piaa.h says. */
#ifndef PIAA_HUB_PULLED_H
#define PIAA_HUB_PULLED_H

#include "base/error.h"

/* The path to give to piaa_checkpoint_open: `text` itself if a file or folder of that name exists
 * or it names two files, else the folder of the pulled model that it names (short name or
 * OWNER/NAME, with @REVISION, :QUANT or both), ours or in the Hugging Face cache; allocated.
 * PIAA_IO, with the command that would fetch it, where there is none.  Never asks the network. */
char *piaa_model_locate(const char *text, piaa_error *error) PIAA_MUST_USE;

/* piaa_pulled_list_read, _free, _count, _at and piaa_pulled_remove are in piaa.h. */

void piaa_pulled_clear(piaa_pulled *pulled); /* frees what it holds */

#endif

/* Memory for decoding, one budget for the process: large photos wait for each other instead of
 * being decoded side by side. */
#ifndef PIAA_IMAGE_BUDGET_H
#define PIAA_IMAGE_BUDGET_H

#include "base/error.h"

/* What one photo holds of it. */
typedef struct piaa_share piaa_share;

/* A share of nothing yet; NULL on failure.  A thread holds one share at a time. */
piaa_share *piaa_share_new(piaa_error *error);

/* Waits until the share may grow to `bytes` in all.  The photo that came first waits for those only
   that are being decoded, so that one which is larger than the whole budget is decoded, too, alone.
   Who holds a share must not wait for anything that another one has to do.  A NULL share never
   waits. */
void piaa_share_grow(piaa_share *share, uint64_t bytes);

void piaa_share_free(piaa_share *share);

#endif

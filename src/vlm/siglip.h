/* SigLIP's encoder, which is Gemma 3's too. */
#ifndef PIAA_VLM_SIGLIP_H
#define PIAA_VLM_SIGLIP_H

#include "vlm/vit.h"

/* Reads the encoder's configuration and positions; the side of its grid has to be a multiple of
 * `tiled`.  gemma: photos are prepared as by Gemma 3's image processor where the folder's says
 * nothing, else as by SigLIP's.  vit has to be closed in any case. */
bool piaa_siglip_configure(piaa_vit *vit, const piaa_checkpoint *checkpoint,
                           const piaa_settings *settings, int tiled, bool gemma,
                           piaa_error *error) PIAA_MUST_USE;

#endif

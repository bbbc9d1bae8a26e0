/* The names of activations in configurations. */
#ifndef PIAA_VLM_ACTIVATION_H
#define PIAA_VLM_ACTIVATION_H

#include "base/error.h"
#include "vlm/kernels.h"

/* "gelu", "gelu_pytorch_tanh", "quick_gelu"; gated: "gelu_pytorch_tanh" or "silu" of the gates.
   `where` names the file in the message that another one is not supported. */
bool piaa_activation_find(const char *name, bool gated, const char *where, piaa_activation *out,
                          piaa_error *error) PIAA_MUST_USE;

#endif

/* The names of activations in configurations. */
#include "vlm/activation.h"

#include <string.h>

bool piaa_activation_find(const char *name, bool gated, const char *where, piaa_activation *out,
                          piaa_error *error) {
    static const struct {
        const char *name;
        piaa_activation plain, gated; /* LINEAR: there is none */
    } known[] = {{"gelu", PIAA_GELU, PIAA_LINEAR},
                 {"gelu_pytorch_tanh", PIAA_GELU_TANH, PIAA_GEGLU},
                 {"quick_gelu", PIAA_GELU_QUICK, PIAA_LINEAR},
                 {"silu", PIAA_LINEAR, PIAA_SWIGLU}};
    for (size_t i = 0; i < PIAA_COUNT(known); i++) {
        *out = gated ? known[i].gated : known[i].plain;
        if (*out != PIAA_LINEAR && strcmp(name, known[i].name) == 0) return true;
    }
    return piaa_error_set(error, PIAA_UNSUPPORTED,
                          "%s: hidden_act is \"%.40s\", only %s are supported", where, name,
                          gated ? "\"gelu_pytorch_tanh\" and \"silu\""
                                : "\"gelu\", \"gelu_pytorch_tanh\" and \"quick_gelu\"");
}

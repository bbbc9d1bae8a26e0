/* Which of our CPU kernels this build has and this CPU can run. */
#include "vlm/kernels.h"

#include "base/portability.h"

#ifdef PIAA_AVX512 /* set by the build where the compiler knows these instructions */
extern const piaa_kernels piaa_kernels_avx512, piaa_kernels_avx512_bf16, piaa_kernels_int8;

static bool wide(void) {
    return PIAA_CPU_HAS("avx512f") && PIAA_CPU_HAS("avx512bw") && PIAA_CPU_HAS("avx512dq") &&
           PIAA_CPU_HAS("avx512vl");
}

const piaa_kernels *piaa_kernels_find(bool bfloat16) {
    if (!wide() || (bfloat16 && !PIAA_CPU_HAS("avx512bf16"))) return NULL;
    return bfloat16 ? &piaa_kernels_avx512_bf16 : &piaa_kernels_avx512;
}

const piaa_kernels *piaa_kernels_find_codes(void) {
    return wide() && PIAA_CPU_HAS("avx512vnni") ? &piaa_kernels_int8 : NULL;
}
#else
const piaa_kernels *piaa_kernels_find_codes(void) {
    return NULL;
}

const piaa_kernels *piaa_kernels_find(bool bfloat16) {
    PIAA_UNUSED(bfloat16);
    return NULL;
}
#endif

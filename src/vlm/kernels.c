/* Which of our CPU kernels this build has and this CPU can run. */
#include "vlm/kernels.h"

#ifdef PIAA_AVX512 /* set by the build where the compiler knows these instructions, which also     \
                      makes it one with the builtin below */
extern const piaa_kernels piaa_kernels_avx512, piaa_kernels_avx512_bf16, piaa_kernels_int8;

/* The builtin asks the CPU and the operating system (wide registers have to be saved on task
   switches). */
static bool wide(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

const piaa_kernels *piaa_kernels_find(bool half) {
    if (!wide() || (half && !__builtin_cpu_supports("avx512bf16"))) return NULL;
    return half ? &piaa_kernels_avx512_bf16 : &piaa_kernels_avx512;
}

const piaa_kernels *piaa_kernels_find_codes(void) {
    return wide() && __builtin_cpu_supports("avx512vnni") ? &piaa_kernels_int8 : NULL;
}
#else
const piaa_kernels *piaa_kernels_find_codes(void) {
    return NULL;
}

const piaa_kernels *piaa_kernels_find(bool half) {
    (void)half;
    return NULL;
}
#endif

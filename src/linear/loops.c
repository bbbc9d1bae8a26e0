/* For any CPU; and which of the tables is for this one. */
#define PIAA_LOOPS piaa_loops_any

#include "linear/loops_body.h"

const piaa_loops *piaa_loops_here(void) {
#ifdef PIAA_LOOPS_AVX512
    if (PIAA_CPU_HAS("avx512f")) return &piaa_loops_avx512;
#endif
    return &piaa_loops_any;
}

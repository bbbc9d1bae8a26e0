/* The kernels in float32 arithmetic, for any CPU with AVX-512.  A file of its own because it is
 * compiled with the instructions enabled: nothing in it may run before piaa_kernels_find() has
 * looked at the CPU. */
#define PIAA_BFLOAT16 0
#define PIAA_KERNELS piaa_kernels_avx512
#include "vlm/kernels/body.h"

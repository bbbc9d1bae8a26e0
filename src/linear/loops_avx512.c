/* For CPUs with AVX-512. */
#define PIAA_LOOPS piaa_loops_avx512

#include "linear/loops_body.h"

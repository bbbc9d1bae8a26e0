/* The library's version, as the build system has it. */
#include "piaa.h"

_Static_assert(PIAA_VERSION_NUM == PIAA_VERSION_BUILT, "include/piaa.h and CMakeLists.txt differ");

const char *piaa_version(void) {
    return PIAA_VERSION;
}

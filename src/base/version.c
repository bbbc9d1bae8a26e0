/* The library's version, as the build system has it. */
#include "piaa.h"

const char *piaa_version(void) {
    return PIAA_VERSION;
}

/* The header of JPEG XL. */
#ifndef PIAA_IMAGE_JXL_H
#define PIAA_IMAGE_JXL_H

#include <stdbool.h>
#include <stddef.h>

/* True for an animation, of which libvips would hand over the last frame for the first.  ISO/IEC
   18181-1, annexes D and E; 18181-2 for the boxes around it. */
bool piaa_jxl_is_animated(const unsigned char *bytes, size_t size);

#endif

/* float32 kept in fewer bits: IEEE half precision, bfloat16, and 8 bits with a centre and a step
   for each column. */
#ifndef PIAA_BASE_NARROW_H
#define PIAA_BASE_NARROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Rounded to the nearest, ties to even; false where a finite value is too large for half precision
   (above 65504). */
bool piaa_narrow_half(const float *x, size_t count, uint16_t *out);
void piaa_widen_half(const uint16_t *x, size_t count, float *out);

/* The upper half of a float32: its range, and 8 bits of precision. */
void piaa_narrow_bfloat(const float *x, size_t count, uint16_t *out);
void piaa_widen_bfloat(const uint16_t *x, size_t count, float *out);

/* value = centre + step * code, codes from -127 to 127; columns [count] with their own centre and
 * step.  step 0: the column is constant.  centre and step may be least and most.  false: a value is
 * not finite. */
void piaa_narrow_range(const float *least, const float *most, size_t count, float *centre,
                       float *step);
bool piaa_narrow_codes(const float *x, const float *centre, const float *step, size_t count,
                       int8_t *out);
void piaa_widen_codes(const int8_t *x, const float *centre, const float *step, size_t count,
                      float *out);

#endif

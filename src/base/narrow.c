/* Conversions on the bits of numbers, without branches in the loops that run over whole stores, so
 * that compilers make vector instructions of them.
 *
 * Half precision has 5 bits of exponent around 15 and 10 of fraction, float32 8 around 127 and 23.
 * Shifted to where float32 has them, a half's bits are the number divided by 2^112, subnormal ones
 * too; only what has all bits of the exponent set (infinities, NaN) needs them set again. */
#include "base/narrow.h"

#include <math.h>
#include <string.h>

static uint32_t bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static float of_bits(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Adding half of what is cut off, and a little less where the result is even, rounds ties to even;
   a carry goes into the exponent, which is right. */
static uint32_t round_off(uint32_t bits, int cut) {
    return (bits + (UINT32_C(1) << (cut - 1)) - 1 + (bits >> cut & 1)) >> cut;
}

bool piaa_narrow_half(const float *x, size_t count, uint16_t *out) {
    bool fits = true;
    for (size_t i = 0; i < count; i++) {
        const uint32_t bits = bits_of(x[i]), sign = bits >> 16 & 0x8000;
        const float size = fabsf(x[i]);
        uint32_t half;
        if (!isfinite(x[i]))
            half = isnan(x[i]) ? 0x7e00 : 0x7c00;
        else if (size < 0x1p-14F) /* subnormal: whole multiples of 2^-24 */
            half = (uint32_t)lrintf(size * 0x1p24F);
        else
            half = round_off((bits & 0x7fffffff) - (UINT32_C(112) << 23), 13);
        if (isfinite(x[i]) && half >= 0x7c00) fits = false;
        out[i] = (uint16_t)(sign | (half > 0x7c00 && !isnan(x[i]) ? 0x7c00 : half));
    }
    return fits;
}

void piaa_widen_half(const uint16_t *x, size_t count, float *out) {
    for (size_t i = 0; i < count; i++) {
        const uint32_t size = x[i] & UINT32_C(0x7fff), sign = (uint32_t)(x[i] & 0x8000) << 16,
                       endless = size >= 0x7c00 ? UINT32_C(0x7f800000) : 0;
        out[i] = of_bits(bits_of(of_bits(size << 13) * 0x1p112F) | endless | sign);
    }
}

void piaa_narrow_bfloat(const float *x, size_t count, uint16_t *out) {
    for (size_t i = 0; i < count; i++)
        out[i] = (uint16_t)(isnan(x[i]) ? 0x7fc0 : round_off(bits_of(x[i]), 16));
}

void piaa_widen_bfloat(const uint16_t *x, size_t count, float *out) {
    for (size_t i = 0; i < count; i++) out[i] = of_bits((uint32_t)x[i] << 16);
}

void piaa_narrow_range(const float *least, const float *most, size_t count, float *centre,
                       float *step) {
    for (size_t i = 0; i < count; i++) {
        const float from = least[i], range = most[i] - from;
        centre[i] = from + range / 2;
        step[i] = range / 254;
    }
}

bool piaa_narrow_codes(const float *x, const float *centre, const float *step, size_t count,
                       int8_t *out) {
    bool finite = true;
    for (size_t i = 0; i < count; i++) {
        const float code = step[i] > 0 ? (x[i] - centre[i]) / step[i] : 0;
        if (!isfinite(x[i])) finite = false;
        out[i] = (int8_t)(isfinite(code) ? lrintf(fmaxf(-127, fminf(127, code))) : 0);
    }
    return finite;
}

void piaa_widen_codes(const int8_t *x, const float *centre, const float *step, size_t count,
                      float *out) {
    for (size_t i = 0; i < count; i++) out[i] = centre[i] + step[i] * (float)x[i];
}

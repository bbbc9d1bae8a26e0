/* e^x in plain operations that compilers make vectors of: the C library's is a call for each
   number. */
#ifndef PIAA_TRAIN_EXPONENTIAL_H
#define PIAA_TRAIN_EXPONENTIAL_H

#include <stdint.h>
#include <string.h>

/* Within 2 units in the last place: x = k ln 2 + r, |r| <= ln 2 / 2, e^r by a polynomial (Cephes,
   expf.c), 2^k through the exponent's bits.  |x| beyond 87 or so is taken as that; NaN is NaN. */
static inline float piaa_exponential(float x) {
    static const float round = 12582912.0f; /* 1.5 2^23: the sum's last bits are a whole number */
    x = x > 88.0f ? 88.0f : x;
    x = x < -87.0f ? -87.0f : x;
    const float shifted = x * 1.44269504088896341f + round, k = shifted - round;
    const float r = (x - k * 0.693359375f) + k * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    int32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (int32_t)((uint32_t)(bits - 0x4B400000 + 127) << 23);
    float power;
    memcpy(&power, &bits, sizeof power);
    return p * power;
}

#endif

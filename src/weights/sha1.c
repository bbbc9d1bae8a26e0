/* SHA-1 (FIPS 180-4).
 *
 * Padding and blocks are those of SHA-256. A block's 16 words are spread to 80, which stir five words of state; every 20 rounds another
 * function of three words and another constant (the first 30 bits of the square roots of 2, 3, 5 and 10) are used. */
#include "weights/sha1.h"

#include <stdio.h>
#include <string.h>

static uint32_t rotate(uint32_t x, int n) {
    return x << n | x >> (32 - n);
}

static void stir(uint32_t state[5], const unsigned char *block) {
    static const uint32_t constants[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
    uint32_t w[80];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (int i = 16; i < 80; i++) w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    for (int i = 0; i < 80; i++) {
        uint32_t f = i < 20 ? (b & c) ^ (~b & d) : i >= 40 && i < 60 ? (b & c) ^ (b & d) ^ (c & d) : b ^ c ^ d;
        uint32_t next = rotate(a, 5) + f + e + constants[i / 20] + w[i];
        e = d, d = c, c = rotate(b, 30), b = a, a = next;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d, state[4] += e;
}

void piaa_sha1_begin(piaa_sha1 *hash) {
    *hash = (piaa_sha1){.state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0}};
}

void piaa_sha1_add(piaa_sha1 *hash, const void *data, size_t size) {
    const unsigned char *bytes = data;
    while (size > 0) {
        size_t filled = hash->length % 64, part = 64 - filled < size ? 64 - filled : size;
        memcpy(hash->block + filled, bytes, part);
        if (filled + part == 64) stir(hash->state, hash->block);
        hash->length += part;
        bytes += part;
        size -= part;
    }
}

void piaa_sha1_finish(piaa_sha1 *hash, char out[41]) {
    static const unsigned char padding[64] = {0x80};
    unsigned char bits[8];
    for (int i = 0; i < 8; i++) bits[i] = (unsigned char)(hash->length * 8 >> (56 - 8 * i));
    piaa_sha1_add(hash, padding, 1 + (119 - hash->length % 64) % 64);
    piaa_sha1_add(hash, bits, sizeof bits);
    for (int i = 0; i < 5; i++) snprintf(out + 8 * i, 9, "%08x", (unsigned)hash->state[i]);
}

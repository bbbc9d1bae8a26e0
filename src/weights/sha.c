/* SHA-256 and SHA-1 (FIPS 180-4).
 *
 * The message is padded with a 1 bit, zeros and its length in bits to whole blocks of 64 bytes.
 * Each block's 16 words are spread to as many as there are rounds, which stir the words of state;
 * the result is added to the state before the block. */
#include "weights/sha.h"

#include <stdio.h>
#include <string.h>

static uint32_t left(uint32_t x, int n) {
    return x << n | x >> (32 - n);
}

static uint32_t right(uint32_t x, int n) {
    return x >> n | x << (32 - n);
}

static void load(const unsigned char *block, uint32_t w[16]) {
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
               (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
}

/* -------------------------------------------------------------------------------------- SHA-256 */

/* The first 32 bits of the fractional parts of the cube roots of the first 64 primes (section
   4.2.2). */
static const uint32_t round_words[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static void stir_256(uint32_t state[8], const unsigned char *block) {
    uint32_t w[64];
    load(block, w);
    for (int i = 16; i < 64; i++) {
        uint32_t x = w[i - 15], y = w[i - 2];
        w[i] = w[i - 16] + (right(x, 7) ^ right(x, 18) ^ x >> 3) + w[i - 7] +
               (right(y, 17) ^ right(y, 19) ^ y >> 10);
    }
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5],
             g = state[6], h = state[7];
    for (int i = 0; i < 64; i++) {
        uint32_t choice = (e & f) ^ (~e & g), majority = (a & b) ^ (a & c) ^ (b & c);
        uint32_t first =
            h + (right(e, 6) ^ right(e, 11) ^ right(e, 25)) + choice + round_words[i] + w[i];
        uint32_t second = (right(a, 2) ^ right(a, 13) ^ right(a, 22)) + majority;
        h = g, g = f, f = e, e = d + first;
        d = c, c = b, b = a, a = first + second;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d;
    state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

void piaa_sha256_begin(piaa_sha *hash) {
    /* The same of the square roots of the first 8 primes (section 5.3.3). */
    *hash = (piaa_sha){.stir = stir_256,
                       .words = 8,
                       .state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
                                 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

/* ---------------------------------------------------------------------------------------- SHA-1 */

/* Every 20 rounds another function of three words and another constant (the first 30 bits of the
   square roots of 2, 3, 5 and 10). */
static void stir_1(uint32_t state[8], const unsigned char *block) {
    static const uint32_t constants[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
    uint32_t w[80];
    load(block, w);
    for (int i = 16; i < 80; i++) w[i] = left(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    for (int i = 0; i < 80; i++) {
        uint32_t f = i < 20              ? (b & c) ^ (~b & d)
                     : i >= 40 && i < 60 ? (b & c) ^ (b & d) ^ (c & d)
                                         : b ^ c ^ d;
        uint32_t next = left(a, 5) + f + e + constants[i / 20] + w[i];
        e = d, d = c, c = left(b, 30), b = a, a = next;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d, state[4] += e;
}

void piaa_sha1_begin(piaa_sha *hash) {
    *hash = (piaa_sha){.stir = stir_1,
                       .words = 5,
                       .state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0}};
}

/* ----------------------------------------------------------------------------------------- both */

void piaa_sha_add(piaa_sha *hash, const void *data, size_t size) {
    const unsigned char *bytes = data;
    while (size > 0) {
        size_t filled = hash->length % 64, part = 64 - filled < size ? 64 - filled : size;
        if (part < 64) memcpy(hash->block + filled, bytes, part);
        if (filled + part == 64)
            hash->stir(hash->state,
                       part < 64 ? hash->block : bytes); /* whole blocks without a copy */
        hash->length += part;
        bytes += part;
        size -= part;
    }
}

void piaa_sha_finish(piaa_sha *hash, char out[PIAA_SHA_HEX]) {
    static const unsigned char padding[64] = {0x80};
    unsigned char bits[8];
    for (int i = 0; i < 8; i++) bits[i] = (unsigned char)(hash->length * 8 >> (56 - 8 * i));
    piaa_sha_add(hash, padding, 1 + (119 - hash->length % 64) % 64);
    piaa_sha_add(hash, bits, sizeof bits);
    for (int i = 0; i < hash->words; i++)
        snprintf(out + 8 * i, 9, "%08x", (unsigned)hash->state[i]);
}

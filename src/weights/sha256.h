/* SHA-256 (FIPS 180-4), for fingerprints. */
#ifndef PIAA_WEIGHTS_SHA256_H
#define PIAA_WEIGHTS_SHA256_H

#include <stddef.h>
#include <stdint.h>

typedef struct piaa_sha256 {
    uint32_t state[8];
    uint64_t length; /* bytes so far */
    unsigned char block[64];
} piaa_sha256;

void piaa_sha256_begin(piaa_sha256 *hash);
void piaa_sha256_add(piaa_sha256 *hash, const void *data, size_t size);
/* The digest as 64 lower-case hex digits and a NUL; the hash is used up. */
void piaa_sha256_finish(piaa_sha256 *hash, char out[65]);

#endif

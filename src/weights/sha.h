/* SHA-256 for fingerprints and downloads, and SHA-1 for git's names of files (FIPS 180-4).  SHA-1
 * tells whether a download is whole; it is not safe against people who forge. */
#ifndef PIAA_WEIGHTS_SHA_H
#define PIAA_WEIGHTS_SHA_H

#include <stddef.h>
#include <stdint.h>

enum { PIAA_SHA_HEX = 65 }; /* room for either digest and a NUL */

typedef struct piaa_sha {
    void (*stir)(uint32_t state[8], const unsigned char *block);
    int words; /* of the state and the digest */
    uint32_t state[8];
    uint64_t length; /* bytes so far */
    unsigned char block[64];
} piaa_sha;

void piaa_sha256_begin(piaa_sha *hash);
void piaa_sha1_begin(piaa_sha *hash);
void piaa_sha_add(piaa_sha *hash, const void *data, size_t size);
/* The digest as lower-case hex digits (64 or 40) and a NUL; the hash is used up. */
void piaa_sha_finish(piaa_sha *hash, char out[PIAA_SHA_HEX]);

#endif

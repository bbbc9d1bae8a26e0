/* SHA-1 (FIPS 180-4), for git's names of files.  It tells whether a download is whole; it is not safe against people who forge. */
#ifndef PIAA_WEIGHTS_SHA1_H
#define PIAA_WEIGHTS_SHA1_H

#include <stddef.h>
#include <stdint.h>

typedef struct piaa_sha1 {
    uint32_t state[5];
    uint64_t length; /* bytes so far */
    unsigned char block[64];
} piaa_sha1;

void piaa_sha1_begin(piaa_sha1 *hash);
void piaa_sha1_add(piaa_sha1 *hash, const void *data, size_t size);
/* The digest as 40 lower-case hex digits and a NUL; the hash is used up. */
void piaa_sha1_finish(piaa_sha1 *hash, char out[41]);

#endif

/* Passwords stretched, so that each guess costs time even where the result is known. */
#ifndef PIAA_BROWSE_STRETCH_H
#define PIAA_BROWSE_STRETCH_H

#include <stddef.h>

enum { PIAA_STRETCHED = 32 };

/* PBKDF2 with HMAC-SHA-256 (RFC 8018), one block of it; `password` is `size` bytes. */
void piaa_stretch(const char *password, size_t size, const char *salt, int rounds,
                  unsigned char out[PIAA_STRETCHED]);

#endif

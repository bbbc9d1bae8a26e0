/* PBKDF2 by GLib's HMAC: U(1) = HMAC(password, salt || 1), U(i + 1) = HMAC(password, U(i)); the
   result is all of them xored. */
#include "browse/stretch.h"

#include <glib.h>
#include <string.h>

void piaa_stretch(const char *password, size_t size, const char *salt, int rounds,
                  unsigned char out[PIAA_STRETCHED]) {
    static const unsigned char first_block[4] = {0, 0, 0, 1};
    unsigned char u[PIAA_STRETCHED];
    gsize length = sizeof u;
    GHmac *keyed = g_hmac_new(G_CHECKSUM_SHA256, (const guchar *)password, size);
    memset(out, 0, PIAA_STRETCHED);
    for (int i = 0; i < rounds; i++) {
        GHmac *hmac = g_hmac_copy(keyed);
        if (i) {
            g_hmac_update(hmac, u, sizeof u);
        } else {
            g_hmac_update(hmac, (const guchar *)salt, (gssize)strlen(salt));
            g_hmac_update(hmac, first_block, sizeof first_block);
        }
        g_hmac_get_digest(hmac, u, &length);
        g_hmac_unref(hmac);
        for (size_t k = 0; k < sizeof u; k++) out[k] ^= u[k];
    }
    g_hmac_unref(keyed);
}

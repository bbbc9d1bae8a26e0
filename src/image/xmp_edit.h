/* An XMP packet with another rating, and everything else as it was to the byte. */
#ifndef PIAA_IMAGE_XMP_EDIT_H
#define PIAA_IMAGE_XMP_EDIT_H

#include "base/memory.h"

/*
 * Appends to `out` the packet with xmp:Rating `stars` (-1: rejected, 0: unrated, 1 to 5): where
 * the packet has ratings, each gets the value, in the form that it is written in (an attribute, an
 * element, one with qualifiers), and MicrosoftPhoto:Rating its percents; where it has none, the
 * first rdf:Description gets the attribute.  Encoding, padding, comments, unknown properties and
 * line breaks stay.
 *
 * What was made is read again before it is given out.  PIAA_FORMAT for what piaa_xmp_read refuses,
 * and for packets without rdf:RDF or whose rating is written in a way that cannot be changed alone;
 * `out` is then as it was.
 */
bool piaa_xmp_set_rating(const void *packet, size_t size, int stars, piaa_text *out,
                         piaa_error *error) PIAA_MUST_USE;

/* A packet of its own for a photo without one.  extension: of a raw file, what
 * photoshop:SidecarForExtension says ("CR2"); NULL: no such property. */
bool piaa_xmp_new(int stars, const char *extension, piaa_text *out,
                  piaa_error *error) PIAA_MUST_USE;

#endif

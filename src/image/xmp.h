/* What an XMP packet says about a photo: the stars that it was given, and which way up it is. */
#ifndef PIAA_IMAGE_XMP_H
#define PIAA_IMAGE_XMP_H

#include "base/error.h"

typedef struct piaa_xmp {
    double rating;   /* 0 (unrated) to 5, or -1: rejected; NaN: the packet does not say */
    int orientation; /* 1 to 8, as in EXIF; 0: the packet does not say */
} piaa_xmp;

/* Reads a packet as it is embedded in photos or written beside them (sidecars): UTF-8 or UTF-16,
 * with or without the xpacket around it and the padding behind.  The rating is xmp:Rating; where
 * that is missing or no number from -1 to 5, MicrosoftPhoto:Rating (1, 25, 50, 75 and 99 percent
 * are one to five stars).  The orientation is tiff:Orientation.  A well-formed document that says
 * neither is no failure.  PIAA_FORMAT for what is not XML, declares a document type (XMP has none,
 * and entities need one), is nested deeper than 256 elements or larger than 16 MiB.
 *
 * Properties are those of the photo itself: an rdf:Description's directly within rdf:RDF, as
 * attributes or elements, under any prefix; of two the first.  ISO 16684-1:2019, section 7. */
bool piaa_xmp_read(const void *packet, size_t size, piaa_xmp *out, piaa_error *error) PIAA_MUST_USE;

#endif

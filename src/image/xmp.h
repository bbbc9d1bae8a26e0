/* What an XMP packet says about a photo: the stars and the label that it was given, and which way
   up it is. */
#ifndef PIAA_IMAGE_XMP_H
#define PIAA_IMAGE_XMP_H

#include "base/error.h"

#include <math.h>

/* Where a prediction of this program stands: piaa:score, on the scale of the ratings. */
#define PIAA_XMP_NAMESPACE "urn:x-piaa:xmp:1.0/"

enum { PIAA_XMP_LABEL = 80 }; /* room for a label, which is cut where it is longer */

typedef struct piaa_xmp {
    double rating;   /* 0 (unrated) to 5, or -1: rejected; NaN: the packet does not say */
    int orientation; /* 1 to 8, as in EXIF; 0: the packet does not say */
    double score;    /* NaN: the packet does not say */
    char label[PIAA_XMP_LABEL]; /* as the program that wrote it calls a colour; "": none */
} piaa_xmp;
/* What is known of a photo without a packet. */
#define PIAA_XMP_SILENT ((piaa_xmp){.rating = NAN, .score = NAN})

/* Reads a packet as it is embedded in photos or written beside them (sidecars): UTF-8 or UTF-16,
 * with or without the xpacket around it and the padding behind.  The rating is xmp:Rating; where
 * that is missing or no number from -1 to 5, MicrosoftPhoto:Rating (1, 25, 50, 75 and 99 percent
 * are one to five stars).  The orientation is tiff:Orientation, the label xmp:Label, the score
 * piaa:score.  A well-formed document that says none of them is no failure.  PIAA_FORMAT for what
 * is not XML, declares a document type (XMP has none, and entities need one), is nested deeper than
 * 256 elements or larger than 16 MiB.
 *
 * Properties are those of the photo itself: an rdf:Description's directly within rdf:RDF, as
 * attributes or elements, under any prefix; of two the first.  ISO 16684-1:2019, section 7. */
bool piaa_xmp_read(const void *packet, size_t size, piaa_xmp *out, piaa_error *error) PIAA_MUST_USE;

#endif

/* An XMP packet that says something else of a photo, and everything else as it was to the byte. */
#ifndef PIAA_IMAGE_XMP_EDIT_H
#define PIAA_IMAGE_XMP_EDIT_H

#include "base/memory.h"
#include "image/xmp.h"

/* What a packet is to say. */
typedef struct piaa_xmp_change {
    int rating;        /* xmp:Rating: -1: rejected, 0: unrated, 1 to 5; or PIAA_XMP_AS_IT_IS */
    const char *label; /* xmp:Label, of less than PIAA_XMP_LABEL bytes; NULL: as it is */
    double score;      /* piaa:score, kept to hundredths; NaN: as it is */
} piaa_xmp_change;
enum { PIAA_XMP_AS_IT_IS = -2 };

/* A score as it is written. */
double piaa_xmp_score(double score);

/*
 * Appends to `out` the packet with these properties: where it has them, each gets the value, in the
 * form that it is written in (an attribute, an element, one with qualifiers), and with a rating
 * MicrosoftPhoto:Rating its percents; what it has not, the first rdf:Description gets as an
 * attribute.  Encoding, padding, comments, unknown properties and line breaks stay.
 *
 * What was made is read again before it is given out.  PIAA_FORMAT for what piaa_xmp_read refuses,
 * and for packets without rdf:RDF or where a property is written in a way that cannot be changed
 * alone; `out` is then as it was.
 */
bool piaa_xmp_edit(const void *packet, size_t size, const piaa_xmp_change *change, piaa_text *out,
                   piaa_error *error) PIAA_MUST_USE;

/* Brings a packet to `size` bytes by the white space before its end ("<?xpacket end"), as is meant
 * to be done inside photos; false where there is too little of it, and nothing has changed. */
bool piaa_xmp_fit(piaa_text *packet, size_t size);

typedef struct piaa_xmp_form {
    const char *extension; /* of a raw file, what photoshop:SidecarForExtension says ("CR2"); NULL:
                              no such property */
    bool padded;           /* with room to grow, for the inside of a photo */
} piaa_xmp_form;

/* A packet of its own for a photo without one. */
bool piaa_xmp_new(const piaa_xmp_change *change, const piaa_xmp_form *form, piaa_text *out,
                  piaa_error *error) PIAA_MUST_USE;

#endif

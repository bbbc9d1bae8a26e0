/*
 * How much of an answer is sent: all of it, a part, or nothing because the browser has it.
 *
 * RFC 9110: what it has is named by the tag (13.1.2, If-None-Match), a part is a range of bytes
 * (14.2), which counts only where the browser's beginning is of the same bytes (13.1.5, If-Range).
 * Several ranges at once, and whatever else is not understood, get everything, as the standard
 * allows.
 */
#ifndef PIAA_BROWSE_PART_H
#define PIAA_BROWSE_PART_H

#include <stddef.h>

enum { PIAA_TAG_ROOM = 19 };

/* The tag of these bytes: 16 hexadecimal digits in quotes. */
void piaa_tag_make(const void *bytes, size_t size, char out[PIAA_TAG_ROOM]);

/* A request's header fields; NULL where it lacks them. */
typedef struct piaa_conditions {
    const char *range, *if_range, *if_none_match;
} piaa_conditions;

typedef struct piaa_part {
    int status; /* 200 all, 206 a part, 304 nothing: it is the same, 416 there is no such part */
    size_t from, size; /* what is sent */
} piaa_part;

/* Of an answer of `size` bytes that has the tag. */
piaa_part piaa_part_find(const piaa_conditions *asked, const char *tag, size_t size);

#endif

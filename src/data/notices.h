/* Faults of one kind: the first few told one by one, the rest as a number. */
#ifndef PIAA_DATA_NOTICES_H
#define PIAA_DATA_NOTICES_H

#include "base/hooks.h"

typedef struct piaa_notices {
    const piaa_hooks *hooks; /* may be NULL */
    const char *where;       /* the file */
    const char *kind;        /* what they are, in the plural: "rows that cannot be used" */
    size_t count;
} piaa_notices;

/* "WHERE…": the caller writes the whole line. */
void piaa_notices_tell(piaa_notices *notices, const char *format, ...) PIAA_PRINTF(2, 3);
void piaa_notices_end(piaa_notices *notices); /* "WHERE: KIND: 12 more", if any */

#endif

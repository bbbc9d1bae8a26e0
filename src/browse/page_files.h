/* The files of page/, which are built into the program (cmake writes page_files.c). */
#ifndef PIAA_BROWSE_PAGE_FILES_H
#define PIAA_BROWSE_PAGE_FILES_H

#include <stddef.h>

typedef struct piaa_page_file {
    const char *name, *type;
    const unsigned char *bytes;
    size_t size;
} piaa_page_file;

extern const piaa_page_file piaa_page_files[]; /* ended by a name of NULL */

#endif

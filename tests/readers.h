/* What programs that nobody here wrote read in a photo or sidecar: exiftool, exiv2 and exempi, each
   where it is on the machine. */
#ifndef PIAA_TESTS_READERS_H
#define PIAA_TESTS_READERS_H

#include "support.h"

#include "base/memory.h"

/* The property, "xmp:Rating", has this value, or is not there (""); the path is absolute
 * (exempi 2.6 ends on others). */
static inline void expect_said(const char *path, const char *property, const char *value) {
    static const char script[] =
        "file='%s' property='%s' value='%s'; name=${property#*:} space=${property%%%%:*}\n"
        "has() { command -v $1 >/dev/null; }\n"
        "said() { echo \"$1 reads in $file: $2\" >&2; exit 1; }\n"
        "case $file in *.xmp) sidecar=-X ;; *) sidecar= ;; esac\n"
        "if has exiftool; then\n"
        "  is=$(exiftool -s3 -XMP-$space:$name \"$file\"); [ \"$is\" = \"$value\" ] || said "
        "exiftool \"$is\"\n"
        "fi\n"
        "if has exiv2; then\n"
        "  is=$(exiv2 -q -PXkv \"$file\" | sed -n \"s/^Xmp[.]$space[.]$name  *//p\")\n"
        "  [ \"$is\" = \"$value\" ] || said exiv2 \"$is\"\n"
        "fi\n"
        "if has exempi; then\n"
        "  is=$(exempi $sidecar -g $property \"$file\")\n"
        "  [ \"$is\" = \"$value\" ] || said exempi \"$is\"\n"
        "fi\n";
    char *command = piaa_format(NULL, script, path, property, value);
    if (system(command) != 0) fail_msg("%s has no %s \"%s\"", path, property, value);
    free(command);
}

#endif

/* gnuplot as a child process: a script in, an SVG picture out.  No shell, no files, none of the
   user's settings. */
#ifndef PIAA_REPORT_GNUPLOT_H
#define PIAA_REPORT_GNUPLOT_H

#include "base/memory.h"

/* Whether gnuplot can be started from PATH. */
bool piaa_gnuplot_found(void);

/* Runs a script that plots to standard output; appends what gnuplot writes there.  Its complaint
   becomes the error. */
bool piaa_gnuplot_run(const char *script, size_t size, piaa_text *out,
                      piaa_error *error) PIAA_MUST_USE;

/* Appends text as a gnuplot string: in single quotes, in which gnuplot looks for neither commands
   nor escapes. */
bool piaa_gnuplot_quote(piaa_text *script, const char *text, piaa_error *error) PIAA_MUST_USE;

#endif

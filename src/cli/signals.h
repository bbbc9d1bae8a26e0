/* What the program does on signals.  The library changes none; a handler can reach nothing but
   variables of the whole program, and those are the command line's. */
#ifndef PIAA_CLI_SIGNALS_H
#define PIAA_CLI_SIGNALS_H

struct piaa_talk;

/* Once, at the start.  A reader that went away and a file that grew too large (SIGPIPE, SIGXFSZ)
 * become errors of the write.  A mapped file that cannot be read any more (SIGBUS: somebody
 * shortened it, its disk failed) ends the process with one line that names it, and exit code 1;
 * stores are sound at any moment.  `talk` stays where it is. */
void piaa_signals_begin(const struct piaa_talk *talk);

/* From here on the first Ctrl-C, SIGTERM or SIGHUP makes piaa_signals_stop say which one it was;
 * the second of any of them ends the process at once, as if nothing had caught it. */
void piaa_signals_catch_stop(void);
int piaa_signals_stop(void); /* 0: none yet */

#endif

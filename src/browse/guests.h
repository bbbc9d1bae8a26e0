/*
 * Who said a wrong password, and for how long they are not heard: a second after the first, twice
 * as long after each further one, up to a minute.
 *
 * Each guest waits alone, so that nobody keeps the owner out by guessing.  A guest is an address of
 * IPv4, or the first 64 bits of one of IPv6, which is what one household has.  Those who were wrong
 * longest ago are forgotten where there are more than 256; the pace at which passwords are compared
 * at all (browse/door.c) is what many addresses together are held to.
 */
#ifndef PIAA_BROWSE_GUESTS_H
#define PIAA_BROWSE_GUESTS_H

enum { PIAA_GUESTS_MOST = 256 };

typedef struct piaa_guest {
    unsigned char who[8];
} piaa_guest;

/* One who was wrong so many times (0: nobody), and is heard from then on. */
typedef struct piaa_wrong {
    piaa_guest guest;
    int times;
    double heard_from;
} piaa_wrong;

/* Zeroed: nobody was wrong. */
typedef struct piaa_guests {
    piaa_wrong items[PIAA_GUESTS_MOST];
} piaa_guests;

/* `now` is in seconds of a clock that only goes forward. */
/* The seconds that this guest still has to wait; 0: is heard. */
int piaa_guests_wait(const piaa_guests *guests, piaa_guest guest, double now);
/* What it said was wrong; or right, and everything before is forgotten. */
void piaa_guests_wrong(piaa_guests *guests, piaa_guest guest, double now);
void piaa_guests_right(piaa_guests *guests, piaa_guest guest);

#endif

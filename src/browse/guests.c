/* A small table, looked through from end to end. */
#include "browse/guests.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

enum { WAIT_MOST = 60, DOUBLINGS = 6 };

/* PIAA_GUESTS_MOST: it is not there. */
static size_t find(const piaa_guests *guests, piaa_guest guest) {
    size_t i = 0;
    while (i < PIAA_GUESTS_MOST &&
           !(guests->items[i].times && memcmp(&guests->items[i].guest, &guest, sizeof guest) == 0))
        i++;
    return i;
}

int piaa_guests_wait(const piaa_guests *guests, piaa_guest guest, double now) {
    const size_t i = find(guests, guest);
    const double left = i < PIAA_GUESTS_MOST ? guests->items[i].heard_from - now : 0;
    return left > 0 ? (int)ceil(left) : 0;
}

/* A place that is free, or whose guest's waiting is over first. */
static size_t make_room(const piaa_guests *guests) {
    size_t first = 0;
    for (size_t i = 1; i < PIAA_GUESTS_MOST; i++)
        if (guests->items[i].heard_from < guests->items[first].heard_from) first = i;
    return first;
}

void piaa_guests_wrong(piaa_guests *guests, piaa_guest guest, double now) {
    size_t i = find(guests, guest);
    if (i == PIAA_GUESTS_MOST) {
        i = make_room(guests);
        guests->items[i] = (piaa_wrong){.guest = guest};
    }
    piaa_wrong *w = &guests->items[i];
    w->heard_from = now + (w->times < DOUBLINGS ? 1 << w->times : WAIT_MOST);
    if (w->times <= DOUBLINGS) w->times++;
}

void piaa_guests_right(piaa_guests *guests, piaa_guest guest) {
    const size_t i = find(guests, guest);
    if (i < PIAA_GUESTS_MOST) guests->items[i] = (piaa_wrong){0};
}

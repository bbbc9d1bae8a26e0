/* Which small picture is made next, and when none is. */
#include "browse/ahead.h"

#include "base/memory.h"
#include "browse/pictures.h"

#include <stdatomic.h>
#include <stdlib.h>

struct piaa_ahead {
    const piaa_library *library;
    piaa_album *album; /* of the library */
    piaa_helper *helper;
    size_t count, next, left;
    bool *done;        /* [count]; those that cannot be made, too */
    atomic_size_t eye; /* the photo asked for since the last step; SIZE_MAX: none */
};

piaa_ahead *piaa_ahead_new(const piaa_library *library, piaa_helper *helper, piaa_error *error) {
    piaa_ahead *a = piaa_alloc(1, sizeof *a, error);
    if (!a) return NULL;
    a->library = library;
    a->album = piaa_library_album(library);
    a->helper = helper;
    a->count = a->left = piaa_library_count(library);
    a->done = piaa_alloc(a->count, sizeof *a->done, error);
    atomic_init(&a->eye, SIZE_MAX);
    if (a->done) return a;
    piaa_ahead_free(a);
    return NULL;
}

void piaa_ahead_free(piaa_ahead *a) {
    if (!a) return;
    free(a->done);
    free(a);
}

void piaa_ahead_asked(piaa_ahead *a, size_t photo) {
    piaa_album_hurry(a->album);
    atomic_store(&a->eye, photo);
}

void piaa_ahead_answered(piaa_ahead *a) {
    piaa_album_hurried(a->album);
}

bool piaa_ahead_step(piaa_ahead *a) {
    if (!a->left || !piaa_album_is_calm(a->album)) return false;
    const size_t eye = atomic_exchange(&a->eye, SIZE_MAX);
    if (eye != SIZE_MAX) a->next = eye;
    while (a->done[a->next]) a->next = (a->next + 1) % a->count;
    a->done[a->next] = true;
    a->left--;
    piaa_picture_keep(piaa_library_path(a->library, a->next), PIAA_PICTURE_SMALL, a->helper);
    return true;
}

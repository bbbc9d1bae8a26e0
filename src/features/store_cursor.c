/* A store's photos one after the other, where there may be too many of them for memory.
 *
 * They are read a page at a time, each in a transaction of its own, so that a writer is not kept
 * waiting; a photo that came after the store was opened, and so may have a row that is not known,
 * is passed over.  The catalogue sorts paths that are not UTF-8 behind all others: each kind has
 * its page, and the lesser of the two first photos is the next. */
#include "base/memory.h"
#include "features/store_parts.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE = 512 };

typedef struct piaa_cursor_page page;

bool piaa_photo_copy(const piaa_photo *from, piaa_photo *to, piaa_error *error) {
    *to = *from;
    const char **const texts[] = {&to->path, &to->hash, &to->error, &to->damage, &to->note};
    size_t size = 0;
    for (size_t i = 0; i < PIAA_COUNT(texts); i++) size += *texts[i] ? strlen(*texts[i]) + 1 : 0;
    char *at = piaa_alloc(size, 1, error);
    if (!at) return false;
    for (size_t i = 0; i < PIAA_COUNT(texts); i++) {
        if (!*texts[i]) continue;
        size = strlen(*texts[i]) + 1;
        *texts[i] = memcpy(at, *texts[i], size);
        at += size;
    }
    return true;
}

typedef struct filler {
    const piaa_store *store;
    page *page;
    int seen;
    const char *last;
} filler;

static bool take_photo(void *user, const piaa_photo *photo, piaa_error *error) {
    filler *f = user;
    page *p = f->page;
    f->seen++;
    free(p->last);
    if (!(p->last = piaa_strdup(photo->path, error))) return false;
    if (photo->row >= f->store->seen_rows) return true;
    if (!piaa_photo_copy(photo, &p->items[p->count], error)) return false;
    p->count++;
    return true;
}

static void empty(page *p) {
    for (size_t i = 0; i < p->count; i++) free((void *)(uintptr_t)p->items[i].path);
    p->count = p->next = 0;
}

/* The first of a kind that was not taken; NULL: there is none. */
static bool fill(piaa_store_cursor *c, int kind, const piaa_photo **first, piaa_error *error) {
    page *p = &c->pages[kind];
    *first = NULL;
    while (p->next == p->count && !p->over) {
        filler f = {.store = c->store, .page = p};
        char *after = piaa_strdup(p->last ? p->last : "", error);
        empty(p);
        const bool ok = after && piaa_catalog_photos_after(c->catalog, after, kind == 1, PAGE,
                                                           take_photo, &f, error);
        free(after);
        if (!ok) return false;
        p->over = f.seen < PAGE;
    }
    if (p->next < p->count) *first = &p->items[p->next];
    return true;
}

bool piaa_store_cursor_step(piaa_store_cursor *c, piaa_error *error) {
    const piaa_photo *first[2];
    c->photo = (piaa_photo){.row = -1};
    if (!fill(c, 0, &first[0], error) || !fill(c, 1, &first[1], error)) return false;
    const int kind = !first[0] || (first[1] && strcmp(first[1]->path, first[0]->path) < 0);
    if (!first[kind]) return true;
    c->photo = *first[kind];
    c->pages[kind].next++;
    return true;
}

bool piaa_store_cursor_open(piaa_store_cursor *c, const piaa_store *store, piaa_error *error) {
    *c = (piaa_store_cursor){.store = store};
    for (int kind = 0; kind < 2; kind++)
        if (!(c->pages[kind].items = piaa_alloc(PAGE, sizeof(piaa_photo), error))) return false;
    c->catalog = piaa_catalog_open(store->folder, false, NULL, error);
    return c->catalog && piaa_store_cursor_step(c, error);
}

void piaa_store_cursor_close(piaa_store_cursor *c) {
    for (int kind = 0; kind < 2; kind++) {
        empty(&c->pages[kind]);
        free(c->pages[kind].items);
        free(c->pages[kind].last);
    }
    piaa_catalog_close(c->catalog);
    *c = (piaa_store_cursor){0};
}

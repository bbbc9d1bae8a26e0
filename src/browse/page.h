/*
 * The page's addresses, behind the server's token:
 *
 *     GET  ""               the page; style.css, app.js and what else lies in page/
 *     GET  small/N/OPENED   photo N as a JPEG of at most 320 pixels a side; OPENED, any number,
 * lets GET  large/N/OPENED   the browser keep it, for as long as the page is open (2,048 pixels)
 *     GET  whole/N/OPENED   in its own size
 *     GET  api/list         what does not change (browse/library.h)
 *     GET  api/state        what does
 *     GET  api/scores       every photo's score, as float32
 *     GET  api/times        every file's date, as float64
 *     GET  api/events       server-sent events: a number, the version, whenever it has changed, and
 *                           "reading": {"reading", "read", "total", "left": seconds or null} once a
 *                           second while that changes
 *     GET  api/pairs        which two to compare next
 *     GET  api/why/N        why photo N has its score
 *     GET  api/bursts       which photos were taken as one
 *     POST api/pick         {"kept": [17], "passed": [18, 19]}: what is decided of a burst
 *     POST api/compare      {"left": 17, "right": 4, "answer": "left", "right", "tie" or "skip"}
 *     POST api/rate         {"photo": 17, "score": 4}; score 0: rejected, null: none
 *     POST api/undo         {}; answers {"photo": 17} or {"photo": null}, of a comparison with
 *                           "pair": [17, 4], of a burst with "picks": true
 *     GET  api/people       who else rates, and how far they agree (browse/people.h)
 *     GET  api/together     what is best for all of them
 *     POST api/person       {"name": "anna"}; answers {"person": 1}
 *     POST api/stars        {"write": false, "replace": false, "embed": false}: the ratings as
 *                           stars beside the photos or, with "embed", which may be left out, in
 *                           them (data/star_files.h); answers {"new", "update", "same", "kept",
 *                           "failed", "darktables": numbers, "first": why one failed, "log": its
 *                           folder or null}
 *
 * All of api/ is answered for one person: ?person=1, a number of api/people; none: 0.
 *
 * What fails is answered with 4xx or 5xx and {"error": "one line"}.
 */
#ifndef PIAA_BROWSE_PAGE_H
#define PIAA_BROWSE_PAGE_H

#include "browse/helper.h"
#include "browse/http.h"
#include "browse/shelf.h"

/* What is shown, and what decodes raw photos for it (NULL: this process). */
typedef struct piaa_page {
    piaa_shelf *shelf;
    piaa_helper *helper;
} piaa_page;

/* A piaa_http_answer whose user is a piaa_page. */
void piaa_page_answer(void *page, const piaa_http_request *request, piaa_http_reply *reply);

#endif

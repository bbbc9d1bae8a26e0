"""Photos and ratings in, a list out: what `piaa rank` does."""

from __future__ import annotations

import csv
import os
import tempfile
from typing import Any, Mapping, NamedTuple, Optional, Sequence, Union

from ._api import Hooks, Path, Progress, call, encoded, ffi, lib, owned, text
from ._model import Model, Request, collected


class Ranked(NamedTuple):
    """A photo: its absolute path, its score on the scale of the ratings, and its own rating or None."""

    path: str
    score: float
    rating: Optional[float]


def _ratings(ratings: "Union[Path, Mapping[Path, float]]", hooks: Hooks) -> Any:
    if not isinstance(ratings, Mapping):
        return owned(lib.piaa_ratings_free, lib.piaa_ratings_read, encoded(ratings), hooks.pointer, hooks=hooks)
    with tempfile.TemporaryDirectory() as folder:
        name = os.path.join(folder, "ratings.csv")
        with open(name, "w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            table = csv.writer(file)
            table.writerow(["path", "score"])
            table.writerows([os.path.abspath(os.fsdecode(p)), repr(float(s))] for p, s in ratings.items())
        return owned(lib.piaa_ratings_free, lib.piaa_ratings_read, encoded(name), hooks.pointer, hooks=hooks)


def rank(photos: "Union[Path, Sequence[Path]]", ratings: "Union[Path, Mapping[Path, float], None]" = None, *,
         pairs: Optional[Path] = None, model: "Union[Model, Path, None]" = None, store: Optional[Path] = None,
         learner: str = "ridge", prior: Optional[Path] = None, pools: Any = None, layers: Any = None,
         progress: Progress = False, **request: Any) -> "list[Ranked]":
    """Ranks photos (files, folders) by one person's taste, best first; what `piaa rank` prints.

    ratings  a table (docs/ratings.md), or {path: score};  pairs: a table of comparisons, beside or
             instead
    store    where features are kept; None: below ~/.cache/piaa/stores, as for the command
    A rated photo's score is what the other photos' ratings say of it.  Raises UsageError where there
    is nothing to learn from, MismatchError where ratings and photos do not belong together.
    """
    hooks = Hooks(progress)
    opened = model if isinstance(model, Model) else Model(model)
    found = collected(photos, hooks)
    known = lib.piaa_photos_paths(found), lib.piaa_photos_names(found), lib.piaa_photos_count(found)
    said = ffi.new("piaa_said *")
    stars = choices = ffi.NULL
    if ratings is not None:
        stars = _ratings(ratings, hooks)
        call(lib.piaa_ratings_match, stars, *known, hooks.pointer, hooks=hooks)
    if pairs is not None:
        choices = owned(lib.piaa_choices_free, lib.piaa_choices_read, encoded(pairs), ffi.NULL, hooks.pointer,
                        hooks=hooks)
        call(lib.piaa_choices_match, choices, *known, hooks.pointer, hooks=hooks)
    said.ratings, said.choices = stars, choices
    for path in _named(stars, choices):
        if os.path.exists(ffi.string(path)):
            call(lib.piaa_photos_read_also, found, path)
    before = owned(lib.piaa_prior_free, lib.piaa_prior_load, encoded(prior)) if prior is not None else ffi.NULL
    ask, name = Request(pools, layers, **request), encoded(learner)
    how = ffi.new("piaa_learning *", {"learner": name, "choices": choices, "prior": before})
    with opened._lock:
        reader = owned(lib.piaa_reader_free, lib.piaa_reader_new, opened._handle, ask.pointer)
        call(lib.piaa_reader_open_store, reader, encoded(store), False, hooks.pointer, hooks=hooks)
        call(lib.piaa_reader_read, reader, found, hooks.pointer, ffi.NULL, hooks=hooks)
        slots = lib.piaa_extractor_slots(lib.piaa_reader_extractor(reader))
        kept = lib.piaa_reader_store(reader)
        taste = owned(lib.piaa_taste_free, lib.piaa_taste_learn_slots, kept, slots.items, slots.count, stars, how,
                      hooks.pointer, hooks=hooks)
        ranking = owned(lib.piaa_ranking_free, lib.piaa_rank_said, taste, kept, found, said)
    rows = (lib.piaa_ranking_at(ranking, i) for i in range(lib.piaa_ranking_count(ranking)))
    return [Ranked(text(r.path) or "", r.score, r.rating if r.rated else None) for r in rows]


def _named(stars: Any, choices: Any) -> "list[Any]":
    """The paths that ratings and comparisons name."""
    rated = [lib.piaa_ratings_at(stars, i).path for i in range(lib.piaa_ratings_count(stars))]
    compared = [lib.piaa_choices_at(choices, i) for i in range(lib.piaa_choices_count(choices))]
    return rated + [path for c in compared for path in (c.one, c.other)]

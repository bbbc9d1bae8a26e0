"""A store of photos' vectors, read."""

from __future__ import annotations

import os
from typing import Any, Iterator, Optional, Sequence

import numpy as np

from ._api import (Hooks, Path, Progress, UnsupportedError, call, encoded, ffi, fields, lib, owned, strings,
                   text)


class Store:
    """The store in the folder `path`, as it is now (`piaa embed` and Model.embed write them).

    store["lt", 15]   float32 [rows, dim], a read-only memory map: nothing is read until it is
                      touched, and the map outlives the Store.  Row store.index[path] is a photo's.
                      Of a store that was packed as f16 the map is float16; as bf16 or int8 there
                      is none (UnsupportedError), and store.vectors("lt", 15, rows) decodes
    store.paths       of all photos, absolute, in byte order
    store.index       path -> row, of the photos that have vectors
    Raises IOError where there is none, FormatError where it is damaged.
    """

    def __init__(self, path: Path) -> None:
        hooks = Hooks()
        handle = owned(lib.piaa_store_close, lib.piaa_store_open_read, encoded(path), hooks.pointer, hooks=hooks)
        self._handle = handle
        self.path = text(lib.piaa_store_path(handle)) or ""
        slots = lib.piaa_store_slots(handle)
        items = [slots.items[i] for i in range(slots.count)]
        self._slots = {(text(lib.piaa_pool_name(s.pool)) or "", s.layer): (i, s.dim) for i, s in enumerate(items)}
        self._index: "Optional[dict[str, int]]" = None

    def __repr__(self) -> str:
        return f"<Store {self.path}: {len(self)} photos, {len(self._slots)} matrices>"

    def __len__(self) -> int:
        return int(lib.piaa_store_photos(self._handle))

    @property
    def slots(self) -> "list[tuple[str, int]]":
        """(pool, layer) of each matrix."""
        return list(self._slots)

    def _photos(self) -> Iterator[Any]:
        return (lib.piaa_store_photo(self._handle, i) for i in range(len(self)))

    @property
    def paths(self) -> "list[str]":
        return [text(p.path) or "" for p in self._photos()]

    @property
    def index(self) -> "dict[str, int]":
        if self._index is None:
            self._index = {text(p.path) or "": p.row for p in self._photos() if p.row >= 0}
        return self._index

    def meta(self, key: str) -> Optional[str]:
        """"fingerprint", "model", "family", "prompt", "preprocessing", "dtype", "library"."""
        return text(lib.piaa_store_meta(self._handle, encoded(key)))

    def __contains__(self, slot: object) -> bool:
        return slot in self._slots

    def __getitem__(self, slot: "tuple[str, int]") -> np.ndarray:
        if slot not in self._slots:
            raise KeyError(f"{slot!r}: {self.path} has {', '.join(f'{p}.{n}' for p, n in self._slots)}")
        number, dim = self._slots[slot]
        rows = ffi.new("int64_t *")
        start = lib.piaa_store_matrix(self._handle, number, rows)
        if not start and rows[0]:
            return self._half(slot)
        if not start:
            return np.empty((0, dim), np.float32)
        handle = self._handle  # which has to live as long as the map does
        kept = ffi.gc(start, lambda _, handle=handle: None)
        matrix = np.frombuffer(ffi.buffer(kept, rows[0] * dim * 4), np.float32).reshape(rows[0], dim)
        matrix.flags.writeable = False
        return matrix

    def _half(self, slot: "tuple[str, int]") -> np.ndarray:
        if self.packing != "f16":
            raise UnsupportedError(f"{self.path} is packed as {self.packing}, which NumPy has no numbers for: "
                                   f"store.vectors{slot!r} decodes it")
        return np.load(os.path.join(self.path, f"{slot[0]}.{slot[1]}.npy"), mmap_mode="r")

    @property
    def packing(self) -> Optional[str]:
        """"f32", "f16", "bf16" or "int8" of a packed store, else None."""
        return text(lib.piaa_packing_name(lib.piaa_store_packing(self._handle)))

    def vectors(self, pool: str, layer: int, rows: "Optional[Sequence[int]]" = None) -> np.ndarray:
        """float32 [rows, dim], a copy, of any store; NaN where a row has no vector.  rows: their
        numbers, or a mask over all of them; None: all."""
        if (pool, layer) not in self._slots:
            raise KeyError((pool, layer))
        number, dim = self._slots[pool, layer]
        wanted = _numbers(rows, lib.piaa_store_count(self._handle).rows)
        out = np.empty((len(wanted), dim), np.float32)
        call(lib.piaa_store_vectors, self._handle, number, ffi.from_buffer("int64_t[]", wanted), len(wanted),
             ffi.from_buffer("float[]", out))
        return out

    def frame(self, pool: Optional[str] = None, layer: Optional[int] = None) -> Any:
        """A pandas DataFrame by path: of the catalogue or, with pool and layer, of the vectors."""
        import pandas

        if pool is None or layer is None:
            return pandas.DataFrame([fields(p) for p in self._photos()]).set_index("path")
        number = self._slots[pool, layer][0]
        there = {p: r for p, r in self.index.items() if lib.piaa_store_has(self._handle, number, r)}
        return pandas.DataFrame(self.vectors(pool, layer, list(there.values())), index=pandas.Index(list(there), name="path"))


def _numbers(rows: "Optional[Sequence[int]]", count: int) -> np.ndarray:
    """int64, of rows as NumPy has them; -1 is store's word for a photo without one."""
    if rows is None:
        return np.arange(count, dtype=np.int64)
    wanted = np.asarray(rows)
    if wanted.dtype == bool and wanted.shape == (count,):
        wanted = np.flatnonzero(wanted)
    if wanted.ndim != 1 or (wanted.size and wanted.dtype.kind not in "iu"):
        raise TypeError(f"rows are a list of whole numbers, or a mask of {count}, not {wanted.dtype} {list(wanted.shape)}")
    return np.ascontiguousarray(wanted, np.int64)


def merge(parts: "Sequence[Path]", store: Path, *, progress: Progress = False) -> Store:
    """Puts the parts' stores together in the folder `store`, as one run would have made it; opens it.

    Raises MismatchError for parts of another model or prompt, FormatError for a vector that is not
    what was written.  What was stopped goes on with the same call.
    """
    hooks = Hooks(progress)
    names, count = strings(parts)
    call(lib.piaa_store_merge, encoded(store), names, count, hooks.pointer, hooks=hooks)
    return Store(store)

"""A model, and the hidden states that it has for photos."""

from __future__ import annotations

import operator
import os
import threading
from typing import Any, Iterable, Iterator, NamedTuple, Optional, Sequence, Union

import numpy as np

from . import _remote
from ._api import Error, Hooks, Path, Progress, call, encoded, ffi, fields, lib, owned, reporter, strings, text, warnings
from ._api import Warning as PiaaWarning
from ._store import Store

Image = Any  # a path, a URL, a file's bytes, an array [height, width, 3] of uint8, or a PIL image


class Slot(NamedTuple):
    """One pooled vector of each photo: pool ("lt", "lv", …), layer, and its length."""

    pool: str
    layer: int
    dim: int


class HiddenStates:
    """Pooled hidden states of n photos.

    states["lt"]      float32 [n, layers, dim], all layers of a pool that were asked for
    states["lt", 15]  float32 [n, dim], one layer
    Both are views into `values`, float32 [n, numbers of all slots], and cost nothing.
    """

    def __init__(self, values: np.ndarray, slots: "tuple[Slot, ...]") -> None:
        self.values = values
        self.slots = slots

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        names = ", ".join(f"{p} x {len(self.layers(p))}" for p in dict.fromkeys(s.pool for s in self.slots))
        return f"<HiddenStates of {len(self)} photos: {names}>"

    def layers(self, pool: str) -> "list[int]":
        """The layers of this pool, in the order of states[pool]."""
        return [s.layer for s in self.slots if s.pool == pool]

    def __getitem__(self, key: "Union[str, tuple[str, int]]") -> np.ndarray:
        pool, layer = (key, None) if isinstance(key, str) else key
        start, begin, end, count = 0, -1, -1, 0
        for slot in self.slots:
            stop = start + slot.dim
            if slot.pool == pool and layer in (None, slot.layer):
                begin, end, count = (start if begin < 0 else begin), stop, count + 1
            start = stop
        if not count:
            raise KeyError(f"{key!r}: there are {', '.join(f'{s.pool}.{s.layer}' for s in self.slots)}")
        part = self.values[:, begin:end]
        return part if layer is not None else part.reshape(len(part), count, (end - begin) // count)


_dtypes = ("auto", "f32", "f16", "bf16", "q8_0", "q6_K", "q5_K", "q4_K", "file")


def _joined(value: Any) -> Optional[str]:
    if value is None or isinstance(value, str):
        return value
    return str(value) if isinstance(value, (int, np.integer)) else ",".join(str(v) for v in value)


class Request:
    """What is asked of a model (piaa_request in piaa.h); the strings live as long as this."""

    def __init__(self, pools: Any = None, layers: Any = None, *, features: Optional[str] = None,
                 prompt: Optional[str] = None, chat: str = "auto", max_pixels: int = 0, exif: bool = True,
                 dtype: str = "auto", threads: int = 0, device: Optional[str] = None) -> None:
        self.key = (_joined(pools), _joined(layers), features, prompt, chat, max_pixels, exif, dtype, threads, device)
        self._kept = [encoded(v) for v in (prompt, _joined(pools), _joined(layers), device, features)]
        self.pointer = r = ffi.new("piaa_request *")
        r.prompt, r.pools, r.layers, r.device, r.features = self._kept
        r.chat = ("auto", "published", "folder").index(chat)
        r.dtype = _dtypes.index(dtype)
        r.max_pixels, r.threads = max_pixels or 0, threads or 0
        r.exif = lib.PIAA_EXIF_APPLY if exif else lib.PIAA_EXIF_IGNORE


def _is_one(images: Any) -> bool:
    return (isinstance(images, (str, bytes, bytearray, memoryview, os.PathLike)) or hasattr(images, "convert")
            or (isinstance(images, np.ndarray) and images.ndim == 3))


def _each(images: "Iterable[Image]") -> Iterator[Image]:
    """With what URLs stand for in their place."""
    for image in images:
        if _remote.is_url(image):
            yield from _remote.files(image)
        else:
            yield image


def collected(photos: "Union[Path, Sequence[Path]]", hooks: Hooks) -> Any:
    """The photos that files and folders stand for (piaa_photos)."""
    names, count = strings([photos] if _is_one(photos) else photos)
    return owned(lib.piaa_photos_free, lib.piaa_photos_collect, names, count, hooks.pointer, hooks=hooks)


def _pixels(image: Any, exif: bool) -> np.ndarray:
    """[height, width, 3] uint8 whose pixels lie side by side; rows may be apart."""
    if hasattr(image, "convert"):
        if exif:
            from PIL import ImageOps
            image = ImageOps.exif_transpose(image)
        image = image.convert("RGB")
    rgb = np.asarray(image)
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
        raise TypeError(f"a picture is uint8 [height, width, 3] (RGB), not {rgb.dtype} {list(rgb.shape)}")
    packed = rgb.strides[1:] == (3, 1) and rgb.strides[0] >= 3 * rgb.shape[1]
    return rgb if packed else np.ascontiguousarray(rgb)


class Model:
    """A vision-language model (or one of vision alone), opened; weights are read at the first photo.

    name: a folder as downloaded from Hugging Face, a GGUF file with its vision part beside it, the
    name of a model that was pulled (`piaa model pull`), or None for the demonstration model (or
    what the environment variable PIAA_MODEL names).
    Raises IOError where there is none, FormatError and UnsupportedError for what cannot be read.
    May be used by several threads, one after the other.
    """

    def __init__(self, name: Optional[Path] = None, *, vision: Optional[Path] = None,
                 adapter: Optional[Path] = None) -> None:
        self._handle = owned(lib.piaa_model_close, lib.piaa_model_open_adapted, encoded(name), encoded(vision),
                             encoded(adapter))
        self.info: "dict[str, Any]" = fields(lib.piaa_model_get_info(self._handle)[0])
        self._lock = threading.Lock()
        self._last: "tuple[Any, Any]" = (None, None)

    def __repr__(self) -> str:
        return f"<Model {self.info['family']} {self.info['folder']}>"

    def _extractor(self, request: Request) -> Any:
        if self._last[0] != request.key:
            self._last = (None, None)  # so that two sets of weights are never in memory
            handle = owned(lib.piaa_extractor_free, lib.piaa_extractor_new, self._handle, request.pointer)
            self._last = (request.key, handle)
        return self._last[1]

    def _read(self, extractor: Any, image: Image, exif: bool, out: np.ndarray) -> None:
        to = ffi.from_buffer("float[]", out)
        if isinstance(image, _remote.File):
            image = image.read()
        if isinstance(image, (bytes, bytearray, memoryview)):
            call(lib.piaa_extractor_read_bytes, extractor, ffi.from_buffer(image), len(image), to)
        elif isinstance(image, (str, os.PathLike)):
            call(lib.piaa_extractor_read, extractor, encoded(image), to)
        else:
            rgb = _pixels(image, exif)
            start = ffi.cast("const uint8_t *", rgb.__array_interface__["data"][0])
            call(lib.piaa_extractor_read_pixels, extractor, start, rgb.shape[1], rgb.shape[0], rgb.strides[0], to)

    def iter_hidden_states(self, images: "Union[Image, Iterable[Image]]", pools: Any = ("lt", "lv"),
                           layers: Any = "all", *, batch: int = 32, progress: Progress = False,
                           errors: str = "raise", **request: Any) -> Iterator[HiddenStates]:
        """The states of `batch` photos at a time, so that any number can be gone through.

        As hidden_states; images may be a generator too.
        """
        if errors not in ("raise", "warn"):
            raise ValueError(f"errors is \"raise\" or \"warn\", not {errors!r}")
        if operator.index(batch) < 1:
            raise ValueError(f"a batch holds one photo or more, not {batch}")
        ask = Request(pools, layers, **request)
        photos = _each([images] if _is_one(images) else images)
        if _is_one(images) or hasattr(images, "__len__"):
            photos = list(photos)
        total = len(photos) if hasattr(photos, "__len__") else 0
        tell, done, rows = reporter(progress), 0, []
        with self._lock:
            extractor = self._extractor(ask)
        found = lib.piaa_extractor_slots(extractor)
        slots = tuple(Slot(text(lib.piaa_pool_name(s.pool)) or "", s.layer, s.dim)
                      for s in (found.items[i] for i in range(found.count)))
        width = lib.piaa_extractor_values(extractor)
        for image in photos:
            row = np.empty(width, np.float32)
            try:
                with self._lock:
                    self._read(extractor, image, request.get("exif", True), row)
            except (Error, OSError) as error:
                if errors == "raise":
                    raise
                warnings.warn(str(error), PiaaWarning, stacklevel=2)
                row.fill(np.nan)
            rows.append(row)
            done += 1
            tell(done, total)
            if len(rows) == batch:
                yield HiddenStates(np.stack(rows), slots)
                rows = []
        if rows or not done:
            yield HiddenStates(np.stack(rows) if rows else np.empty((0, width), np.float32), slots)

    def hidden_states(self, images: "Union[Image, Iterable[Image]]", pools: Any = ("lt", "lv"), layers: Any = "all",
                      *, progress: Progress = False, errors: str = "raise", **request: Any) -> HiddenStates:
        """Mean hidden states of photos, by pool and layer.

        images   one or several of: a path; a URL that fsspec reads, or a pattern of such
                 (s3://bucket/folder/*.jpg); a file's content (bytes); RGB, uint8
                 [height, width, 3], with any strides; a PIL image
        pools    "lt" all text tokens, "lt_tail" the last of them, "lv" the image's tokens, "v" the
                 vision encoder's; of vision models also "pooled", "projected"
        layers   "all", "default", a number, a list, or text like "0,3,5-9"; decoder: 0 the
                 embeddings, i the output of block i, the last one after the final norm
        progress True for tqdm's bar (where tqdm is installed), or a function of (done, total)
        errors   "raise", or "warn": a photo that cannot be read is a warning and a row of NaN
        request  prompt, chat, max_pixels, exif, dtype, threads, device: as on the command line

        Returns float32 of shape [n, layers, dim] for each pool.  Raises IOError and FormatError for
        photos that cannot be read, UsageError for pools and layers that the model has not.  Ctrl-C
        ends it after the photo in hand.
        """
        parts = list(self.iter_hidden_states(images, pools, layers, progress=progress, errors=errors, **request))
        return HiddenStates(np.concatenate([p.values for p in parts]), parts[0].slots)

    def embed(self, photos: "Union[Path, Sequence[Path]]", store: Path, pools: Any = None, layers: Any = None, *,
              shard: "Optional[tuple[int, int]]" = None, copies: Optional[Path] = None, keep: bool = True,
              progress: Progress = False, **request: Any) -> Store:
        """Brings photos (files, folders) up to date in the store in the folder `store`; opens it.

        shard    (i, n): the i-th of n parts of the photos alone, i from 1, as `piaa embed --shard`;
                 piaa.merge puts parts together
        copies   of URLs (see hidden_states), which are copied 64 at a time: the folder for them
                 (None: STORE.photos), where s3://bucket/a.jpg is bucket/a.jpg, the path by which
                 the store knows it.  A photo that the store has is not looked at again
        keep     False: copies are removed when they were read

        Photos that did not change cost a stat; what cannot be read is a warning and a line in the
        store.  Raises MismatchError for a store of another model or prompt, BusyError while another
        process writes to it.  Ctrl-C ends it after the photo in hand, and nothing done is lost.
        """
        ask = Request(pools, layers, **request)
        names = [photos] if _is_one(photos) else list(photos)
        urls = [name for name in names if _remote.is_url(name)]
        names = [name for name in names if not _remote.is_url(name)]
        if names or not urls:
            hooks = Hooks(progress)
            found = collected(names, hooks)
            if shard is not None:
                call(lib.piaa_photos_keep_shard, found, *shard)
            self._embed(store, ask, found, hooks)
        if urls:
            self._embed(store, ask, ffi.NULL, Hooks())  # which makes it
            folder = os.path.realpath(os.fsdecode(store) + ".photos" if copies is None else os.fsdecode(copies))
            wanted = _remote.missing(urls, folder, shard, set(Store(store).paths))
            tell, done = reporter(progress), 0
            for paths in _remote.copied(wanted, keep):
                hooks = Hooks(lambda n, _: tell(done + n, len(wanted)))
                self._embed(store, ask, collected(paths, hooks), hooks)
                done += len(paths)
        return Store(store)

    def _embed(self, store: Path, ask: Request, found: Any, hooks: Hooks) -> None:
        """Nobody else can write to the store while what piaa_embed_photos gives is open: so it is closed."""
        with self._lock:
            ffi.release(owned(lib.piaa_store_close, lib.piaa_embed_photos, encoded(store), self._extractor(ask),
                              found, hooks.pointer, ffi.NULL, hooks=hooks))

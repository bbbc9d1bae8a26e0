"""Photos in object storage: whatever fsspec reads (s3:// with s3fs, gs:// with gcsfs, https://, …).

Endpoints, keys and secrets are where fsspec looks for them: the environment, its configuration files.
"""

from __future__ import annotations

import errno
import os
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Iterator, NamedTuple, Optional, Sequence

from ._api import encoded, lib

_AT_ONCE = 64  # photos that are copied side by side


class File(NamedTuple):
    """A photo in a file system of fsspec's, and its path below the pattern's folder."""

    system: Any
    path: str
    below: str

    def read(self) -> bytes:
        return bytes(self.system.cat_file(self.path))


def is_url(name: Any) -> bool:
    return isinstance(name, str) and re.match(r"[a-z][a-z0-9+.-]*(://|::)", name) is not None


def files(url: str) -> "list[File]":
    """What the URL names; of one with a * every file that fits, in the order of their paths."""
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise ImportError(f"{url} is read through fsspec: pip install fsspec, with s3fs for s3://") from error
    system, path = url_to_fs(url)
    if "*" not in path:
        return [File(system, path, path)]
    folder = path[:path.index("*")].rpartition("/")[0]
    found = sorted(name for name, at in system.glob(path, detail=True).items() if at["type"] == "file")
    if not found:
        raise FileNotFoundError(errno.ENOENT, "no file fits", url)
    return [File(system, name, name[len(folder):].lstrip("/")) for name in found]


def missing(urls: "Sequence[str]", folder: str, shard: "Optional[tuple[int, int]]",
            known: "set[str]") -> "dict[str, File]":
    """By the paths of their copies below `folder`: the shard's photos that are not known."""
    out = {}
    for file in (file for url in urls for file in files(url)):
        if shard is None or lib.piaa_shard_of(encoded(file.below), shard[1]) == shard[0]:
            # without the scheme that some paths have, and inside of the folder whatever dots they have
            name = os.path.normpath("/" + re.sub(r"^[a-z0-9+.-]+://", "", file.path))
            if folder + name not in known:
                out[folder + name] = file
    return out


def copied(wanted: "dict[str, File]", keep: bool) -> "Iterator[list[str]]":
    """The copies' paths, some at a time; without keep they are removed when the next ones are asked for."""

    def copy(path: str) -> None:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        part = f"{path}.{os.getpid()}.part"
        wanted[path].system.get_file(wanted[path].path, part)
        os.replace(part, path)

    paths = sorted(wanted)
    with ThreadPoolExecutor(16) as pool:
        for start in range(0, len(paths), _AT_ONCE):
            some = paths[start:start + _AT_ONCE]
            list(pool.map(copy, (path for path in some if not os.path.exists(path))))
            try:
                yield some
            finally:
                if not keep:
                    for path in some:
                        os.unlink(path)

"""libpiaa, called by its own header.

piaa.h lies beside this file as it is; cffi reads the declarations from it (ABI mode), so that there
is no second list of functions and structures to keep in step, and one wheel serves every Python.
cffi gives up the GIL during each call.
"""

from __future__ import annotations

import builtins
import os
import re
import sys
import warnings
from typing import Any, Callable, Iterable, Optional, Union

import cffi

Path = Union[str, bytes, "os.PathLike[str]"]
Progress = Union[bool, Callable[[int, int], None]]  # True: tqdm's bar, where tqdm is

_here = os.path.dirname(os.path.abspath(__file__))


def _declarations() -> str:
    """piaa.h without what is the preprocessor's."""
    with open(os.path.join(_here, "piaa.h"), encoding="utf-8") as file:
        text = file.read()
    text = re.sub(r'^#ifdef __cplusplus\n.*?^#endif\n', "", text, flags=re.M | re.S)
    text = re.sub(r"^#.*\n", "", text, flags=re.M)
    return text.replace("PIAA_API", "")


# auditwheel puts libvips itself into piaa.libs.  It must not load the system's modules for libvips, which
# bring the system's libvips along, a second one in the process; VIPSHOME is where it looks for them.
if os.path.isdir(os.path.join(os.path.dirname(_here), "piaa.libs")):
    os.environ["VIPSHOME"] = _here

ffi = cffi.FFI()
ffi.cdef(_declarations())
lib: Any = ffi.dlopen(os.path.join(_here, "libpiaa.dylib" if sys.platform == "darwin" else "libpiaa.so"))


class Error(Exception):
    """What libpiaa could not do: one line that says what, where, and how to mend it."""


class UsageError(Error, ValueError):
    """What was asked for makes no sense."""


class IOError(Error, OSError):  # noqa: A001
    """The operating system said no: a missing file, a full disk, no permission."""


class FormatError(Error, ValueError):
    """A file, or an array, does not hold what its kind promises."""


class UnsupportedError(Error, NotImplementedError):
    """Well formed, but not something that piaa can do."""


class MismatchError(Error, ValueError):
    """Two things do not belong together: a store and a model, ratings and photos."""


class BusyError(Error, BlockingIOError):
    """Another process is writing there."""


class MemoryError(Error, builtins.MemoryError):  # noqa: A001
    """Out of memory."""


class StoppedError(Error):
    """It was asked to end early; everything finished so far is kept."""


class Warning(UserWarning):  # noqa: A001
    """What libpiaa found doubtful: one bad photo, a duplicate rating, too few ratings."""


_by_code = {
    lib.PIAA_USAGE: UsageError, lib.PIAA_IO: IOError, lib.PIAA_FORMAT: FormatError,
    lib.PIAA_UNSUPPORTED: UnsupportedError, lib.PIAA_MISMATCH: MismatchError, lib.PIAA_BUSY: BusyError,
    lib.PIAA_MEMORY: MemoryError, lib.PIAA_STOPPED: StoppedError,
}


def text(chars: Any) -> Optional[str]:
    """A C string, None for NULL.  Bytes that are no UTF-8 come as os.fsdecode has them."""
    return ffi.string(chars).decode("utf-8", "surrogateescape") if chars else None


def encoded(value: Optional[Path]) -> Any:
    """A C string of a path or a text; NULL for None.  Lives as long as it is held."""
    if value is None:
        return ffi.NULL
    chars = os.fsencode(value)
    if b"\0" in chars:  # where C would take it for the end
        raise ValueError(f"embedded null byte: {value!r}")
    return ffi.new("char[]", chars)


def strings(values: Iterable[Path]) -> "tuple[Any, int]":
    """A C array of strings, which keeps them alive, and how many there are; one alone is a list of one."""
    items = [encoded(v) for v in ([values] if isinstance(values, (str, bytes, os.PathLike)) else values)]
    return ffi.gc(ffi.new("const char *[]", items), lambda _, items=items: None), len(items)


def fields(struct: Any) -> "dict[str, Any]":
    """A C structure as a dictionary, structures inside it likewise."""
    out: "dict[str, Any]" = {}
    for name, field in ffi.typeof(struct).fields:
        value, kind = getattr(struct, name), field.type
        if kind.kind == "struct":
            out[name] = fields(value)
        elif kind.kind in ("pointer", "array") and kind.item.cname == "char":
            out[name] = text(value)
        elif kind.kind in ("primitive", "enum"):
            out[name] = value
    return out


def call(function: Any, *arguments: Any, hooks: "Optional[Hooks]" = None) -> Any:
    """function(*arguments, &error); raises what the error says, or what a hook raised."""
    error = ffi.new("piaa_error *")
    result = function(*arguments, error)
    if hooks is not None and hooks.raised is not None:
        raise hooks.raised
    if error.code:
        raise _by_code.get(error.code, Error)(text(error.message))
    return result


def owned(free: Any, function: Any, *arguments: Any, hooks: "Optional[Hooks]" = None) -> Any:
    """The same of a function that returns a handle, which is freed when nothing holds it."""
    return ffi.gc(call(function, *arguments, hooks=hooks), free)


class Hooks:
    """What a long call tells and asks.  Warnings become Python's; an exception in a hook, and so
    Ctrl-C, ends the call after the photo in hand and is raised from it."""

    def __init__(self, progress: Progress = False) -> None:
        self.raised: Optional[BaseException] = None
        self._report = reporter(progress)
        self._callbacks = [
            ffi.callback("void(void *, const char *)", self._warn, onerror=self._keep),
            ffi.callback("void(void *, const char *, int64_t, int64_t)", self._progress, onerror=self._keep),
            ffi.callback("bool(void *)", self._stop, error=True, onerror=self._keep),
        ]
        self.pointer = ffi.new("piaa_hooks *")
        self.pointer.warn, self.pointer.progress, self.pointer.stop = self._callbacks

    def _keep(self, _kind: Any, value: BaseException, _traceback: Any) -> None:
        self.raised = self.raised or value

    def _warn(self, _user: Any, line: Any) -> None:
        warnings.warn(text(line) or "", Warning, stacklevel=4)

    def _progress(self, _user: Any, _what: Any, done: int, total: int) -> None:
        self._report(done, total)

    def _stop(self, _user: Any) -> bool:
        return self.raised is not None


def reporter(progress: Progress) -> Callable[[int, int], None]:
    """What is told (done, total), total 0 where it is not known."""
    if callable(progress):
        return progress
    if not progress:
        return lambda done, total: None
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return lambda done, total: None
    bar = tqdm(unit="photo")

    def report(done: int, total: int) -> None:
        bar.total = total or None
        bar.update(done - bar.n)
        if total and done >= total:
            bar.close()

    return report

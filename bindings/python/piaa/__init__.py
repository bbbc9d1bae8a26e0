"""Read the hidden states of a vision-language model for photos, and learn one person's taste from them.

    model = piaa.Model()                                   # the demonstration model
    states = model.hidden_states(photos, pools=("lt", "lv"), layers="all")
    states["lt", 3]                                        # float32 [photos, dim]
    taste = piaa.TasteRegressor().fit(states["lt", 3], scores)
    piaa.rank("photos", "ratings.csv")                     # as `piaa rank`

The C library does the work (docs/python.md); TasteRegressor and probe need scikit-learn.
"""

from typing import Any

from ._api import (BusyError, Error, FormatError, IOError, MemoryError, MismatchError, StoppedError,
                   UnsupportedError, UsageError, Warning, lib as _lib, text as _text)
from ._model import HiddenStates, Model, Slot
from ._rank import Ranked, rank
from ._store import Store, merge

__version__ = _text(_lib.piaa_version())
__all__ = ["BusyError", "Error", "FormatError", "HiddenStates", "IOError", "MemoryError", "MismatchError", "Model",
           "Probed", "Ranked", "Slot", "StoppedError", "Store", "TasteRegressor", "UnsupportedError", "UsageError",
           "Warning", "merge", "probe", "rank"]


def __getattr__(name: str) -> Any:  # scikit-learn is loaded when it is needed
    if name in ("TasteRegressor", "Probed", "probe"):
        from . import _taste

        return getattr(_taste, name)
    raise AttributeError(f"module 'piaa' has no attribute {name!r}")

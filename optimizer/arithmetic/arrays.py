"""Structs of arrays: one row per physics key, taken and sliced together."""

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Struct = TypeVar("Struct")


def map_arrays(struct: Struct, function: Callable[[NDArray[Any]], NDArray[Any]]) -> Struct:
    """A copy of the frozen dataclass with `function` applied to every array in it, nested dataclasses included."""
    changed: dict[str, Any] = {}
    for field in dataclasses.fields(struct):  # type: ignore[arg-type]  # every caller passes a dataclass
        value = getattr(struct, field.name)
        if isinstance(value, np.ndarray):
            changed[field.name] = function(value)
        elif dataclasses.is_dataclass(value):
            changed[field.name] = map_arrays(value, function)
    return dataclasses.replace(struct, **changed)  # type: ignore[type-var]


def column(values: NDArray[np.float64] | NDArray[np.int64]) -> Floats:
    """(K,) values as a float (K, 1) column that broadcasts against (K, G)."""
    return np.asarray(values, dtype=np.float64)[:, None]

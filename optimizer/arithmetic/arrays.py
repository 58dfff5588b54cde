"""Structs of arrays: one row per physics key, taken and sliced together."""

import dataclasses
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Struct = TypeVar("Struct")


def map_arrays(struct: Struct, function: Callable[[NDArray[Any]], NDArray[Any]]) -> Struct:
    """Copy a frozen dataclass with `function` applied to every array in it, nested dataclasses included."""
    kind: Any = type(struct)
    changed: dict[str, Any] = {}
    for name in _init_fields(kind):
        value = getattr(struct, name)
        if isinstance(value, np.ndarray):
            value = function(value)
        elif dataclasses.is_dataclass(value):
            value = map_arrays(value, function)
        changed[name] = value
    copy: Struct = kind(**changed)
    return copy


@cache
def _init_fields(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


def column(values: NDArray[np.float64] | NDArray[np.int64]) -> Floats:
    """(K,) values as a float (K, 1) column that broadcasts against (K, G)."""
    return np.asarray(values, dtype=np.float64)[:, None]

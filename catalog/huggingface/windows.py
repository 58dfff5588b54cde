"""Sliding windows of a config: how many tokens a windowed layer sees, and how many layers are windowed."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from catalog.fields import Fields

LONGEST_CONTEXT = 10**9


@dataclass(frozen=True)
class Windows:
    """Window in tokens and windowed layers; both 0 where every layer attends to the whole context."""

    window: int = 0
    windowed_layers: int = 0


class LayerKind(StrEnum):
    """An entry of `layer_types` that is counted."""

    FULL = "full_attention"
    SLIDING = "sliding_attention"


WindowRule = Callable[[Fields, int], Windows]


def no_layer(config: Fields, _layers: int) -> Windows:
    """Return no windows: the family has none; raises FileError if the file lists any."""
    if _listed(config):
        raise config.error("layer_types", "this family has no windowed layers", allowed=LayerKind.FULL)
    return Windows()


def every_layer(config: Fields, layers: int) -> Windows:
    """Return the window of all layers (Mistral, Phi-3), none where `sliding_window` is null."""
    return _windows(config, layers)


def layers_from_the_window_layer_on(config: Fields, layers: int) -> Windows:
    """Return the window of layers `max_window_layers` and later, if `use_sliding_window` is set (Qwen)."""
    if not config.flag("use_sliding_window", default=False):
        return Windows()
    return _windows(config, layers - min(layers, config.count("max_window_layers", LONGEST_CONTEXT, least=0)))


def all_but_each_nth(period: int, key: str | None = None) -> WindowRule:
    """Make the rule of Gemma and gpt-oss: each n-th layer is full; `key` may state another n than `period`."""

    def windows(config: Fields, layers: int) -> Windows:
        stated = config.optional_count(key, LONGEST_CONTEXT) if key and "layer_types" not in config else None
        return _windows(config, layers - layers // (stated or period))

    return windows


def _windows(config: Fields, by_rule: int) -> Windows:
    """Return the windows of `by_rule` layers, or of those that `layer_types` lists where the file has it."""
    window = config.optional_count("sliding_window", LONGEST_CONTEXT)
    listed = _listed(config)
    windowed = by_rule if listed is None else listed
    return Windows(window, windowed) if window is not None and windowed else Windows()


def _listed(config: Fields) -> int | None:
    """Return how many layers `layer_types` calls windowed; None without that key. Raises FileError."""
    kinds = config.value("layer_types")
    if kinds is None:
        return None
    layers = config.count("num_hidden_layers", LONGEST_CONTEXT)
    if not isinstance(kinds, list) or len(kinds) != layers:
        raise config.error("layer_types", "not one entry per layer", allowed=f"{layers} entries")
    for kind in kinds:
        if kind not in tuple(LayerKind):
            raise config.error("layer_types", f"{kind!r} layers cannot be counted", allowed=", ".join(LayerKind))
    return kinds.count(LayerKind.SLIDING)

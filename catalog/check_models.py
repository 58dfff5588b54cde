"""Checks of models: dimensions that contradict each other, and counts that the dimensions do not give."""

from collections.abc import Iterator, Mapping

from catalog.findings import Check, Finding, error
from catalog.models import Attention, Model
from catalog.parameters import active_parameters, total_parameters

# norms and small biases are not counted; nothing else may be missing
PARAMETER_TOLERANCE = 0.005


def check_model(model: Model, formats: Mapping[str, object]) -> Iterator[Finding]:
    """Yield what is inconsistent about `model`."""
    for holds, message in _rules(model):
        if not holds:
            yield error(Check.DIMENSIONS, model.id, message)
    if model.native_format not in formats:
        yield error(Check.REFERENCE, model.id, f"no number format {model.native_format!r}")
    if model.uncounted is None:
        yield from _count(model, "total", total_parameters(model), model.total_parameters)
        yield from _count(model, "active", active_parameters(model), model.active_parameters)


def _rules(model: Model) -> tuple[tuple[bool, str], ...]:
    sharing = {
        Attention.MHA: model.kv_heads == model.heads,
        Attention.MQA: model.kv_heads == 1,
        Attention.GQA: 1 < model.kv_heads < model.heads,
        Attention.MLA: model.kv_lora_rank > 0 and model.qk_rope_head_dim > 0 and model.v_head_dim > 0,
    }
    sparse = model.expert_layers > 0
    return (
        (model.dense_layers + model.expert_layers == model.layers, "dense and expert layers do not add up to layers"),
        (model.heads % model.kv_heads == 0, "heads are not a multiple of KV heads"),
        (sharing[model.attention], f"KV heads or latent ranks contradict {model.attention}"),
        (sparse == (model.experts > 0) == (model.expert_ffn > 0), "experts, their width and their layers contradict"),
        (model.active_experts <= model.experts, "more experts active than there are"),
        (sparse == (model.active_experts > 0), "active experts contradict expert layers"),
        ((model.window > 0) == (model.windowed_layers > 0), "window and windowed layers contradict"),
        (model.windowed_layers <= model.layers, "more windowed layers than layers"),
        (model.window <= model.max_context, "the window exceeds the context"),
        (model.active_parameters <= model.total_parameters, "more parameters active than there are"),
    )


def _count(model: Model, what: str, counted: int, stated: int) -> Iterator[Finding]:
    if abs(counted / stated - 1.0) > PARAMETER_TOLERANCE:
        message = f"{what} parameters {stated}, the dimensions give {counted}"
        yield error(Check.PARAMETERS, model.id, message)

"""A model's config.json as a model of the catalog, its parameters counted from its fields."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from catalog.check_models import check_model
from catalog.errors import FileError, nearest_names
from catalog.fields import Fields
from catalog.huggingface.config_file import read_config_file
from catalog.huggingface.families import FAMILIES, MULTIMODAL, REFUSED, Family
from catalog.huggingface.stored_format import modelopt_format, stored_format
from catalog.huggingface.windows import LONGEST_CONTEXT, Windows
from catalog.models import Architecture, Model
from catalog.parameters import active_parameters, total_parameters

MOST_LAYERS = 1000
WIDEST_HIDDEN = 10**6
LARGEST_VOCABULARY = 10**7
MOST_PARAMETERS = 10**14
YARN = "yarn"
MODELOPT_NAME = "hf_quant_config.json"


@dataclass(frozen=True)
class ConfigModel:
    """A model that was read from a config.

    `taken` is what was taken for something that the file does not state; `language_part`: whether it describes more
    than the language model that is counted.
    """

    model: Model
    taken: tuple[str, ...]
    language_part: bool


def read_model(path: Path, name: str, formats: Mapping[str, object]) -> ConfigModel:
    """Return the model in a `config.json`, or in that of a folder; `name` becomes its id.

    `formats` are the number formats of the catalog. Raises FileError: the file cannot be read, its family cannot be
    counted, or a field is missing, out of range or contradicts another.
    """
    file = read_config_file(path)
    config = Fields(file.source, file.values)
    language = _language_part(config)
    family_name, family = _family(language)
    language.defaults = family.defaults
    architecture = _architecture(language, config, family, family_name, name)
    total = total_parameters(architecture)
    if total > MOST_PARAMETERS:
        allowed = f"at most {MOST_PARAMETERS:,} parameters"
        raise FileError(str(file.source.path), "", "the fields together are absurd", read=f"{total:,}", allowed=allowed)
    model = Model(
        **architecture.model_dump(),
        native_format=_native_format(file.source.path.parent / MODELOPT_NAME, config, language),
        total_parameters=total,
        active_parameters=active_parameters(architecture),
        source=f"huggingface config {name}",
        as_of=file.source.version,
    )
    for finding in check_model(model, formats):
        raise FileError(str(file.source.path), "", finding.message)
    return ConfigModel(model, tuple(language.taken), language is not config)


def _language_part(config: Fields) -> Fields:
    """Return the section of the language model: the whole file, or the `text_config` of a multimodal one."""
    if config.value("model_type") not in MULTIMODAL:
        return config
    language = config.section("text_config")
    if language is None:
        raise config.error("text_config", "this key is missing", allowed="the fields of the language model below it")
    return language


def _family(config: Fields) -> tuple[str, Family]:
    """Return the family; raises FileError for one that is not counted, with the reason where it is known."""
    known = ", ".join(FAMILIES)
    name = config.value("model_type")
    if name is None:
        raise config.error("model_type", "this key is missing", allowed=known)
    if config.flag("is_encoder_decoder", default=False):
        raise config.error("is_encoder_decoder", "a model with an encoder cannot be counted", allowed="false")
    family = FAMILIES.get(name) if isinstance(name, str) else None
    if isinstance(name, str) and family is not None:
        return name, family
    reason = REFUSED.get(name) if isinstance(name, str) else None
    what = "this family cannot be counted" if reason is None else f"{name} cannot be counted: {reason}"
    near = nearest_names(name, FAMILIES, limit=1) if isinstance(name, str) and reason is None else ()
    raise config.error("model_type", what, allowed=known, fix=next(iter(near), None))


def _architecture(language: Fields, config: Fields, family: Family, family_name: str, name: str) -> Architecture:
    layers = language.count("num_hidden_layers", MOST_LAYERS)
    hidden = language.count("hidden_size", WIDEST_HIDDEN)
    context = _context(language)
    windows = family.windows(language, layers)
    # a window as long as the context hides nothing
    windows = windows if windows.window < context else Windows()
    return Architecture(
        id=name,
        hf_id="",
        family=family_name,
        layers=layers,
        hidden=hidden,
        **asdict(family.attention(language, hidden)),
        **asdict(family.feed_forward(language, layers)),
        gated_mlp=True,
        vocab=language.count("vocab_size", LARGEST_VOCABULARY),
        **asdict(windows),
        qkv_bias=language.flag("attention_bias", family.qkv_bias) if family.may_state_bias else family.qkv_bias,
        tied_embeddings=_tied(language, config, family),
        max_context=context,
    )


def _tied(language: Fields, config: Fields, family: Family) -> bool:
    """Return whether input and output share one token table; the family's default is noted as taken."""
    for place in (language, config):
        if "tie_word_embeddings" in place:
            return place.flag("tie_word_embeddings", family.tied)
    language.taken.append(f"tie_word_embeddings {str(family.tied).lower()}")
    return family.tied


def _context(config: Fields) -> int:
    """Return the longest sequence: `max_position_embeddings`, or what YaRN stretches the original length to."""
    stated = config.count("max_position_embeddings", LONGEST_CONTEXT)
    rope = config.section("rope_scaling") or config.section("rope_parameters")
    if rope is None or YARN not in (rope.value("rope_type"), rope.value("type")):
        return stated
    if "original_max_position_embeddings" not in rope:
        return stated
    factor = rope.value("factor")
    if isinstance(factor, bool) or not isinstance(factor, int | float) or not 1 <= factor <= LONGEST_CONTEXT:
        raise rope.error("factor", "not a stretch of the context", allowed="a number of at least 1")
    return max(stated, int(rope.count("original_max_position_embeddings", LONGEST_CONTEXT) * factor))


def _native_format(modelopt: Path, config: Fields, language: Fields) -> str:
    """Return the stored format; ModelOpt writes its own beside a config that keeps silent about it."""
    silent = "quantization_config" not in config and "quantization_config" not in language
    if silent and modelopt.is_file():
        file = read_config_file(modelopt)
        return modelopt_format(Fields(file.source, file.values))
    return stored_format(config, language)

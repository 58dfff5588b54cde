"""A model's `config.json`, from a file or from the Hugging Face hub, as a model of the catalog."""

from catalog.huggingface.model import ConfigModel, read_model

__all__ = ["ConfigModel", "read_model"]

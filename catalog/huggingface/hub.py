"""A model's config from the Hugging Face hub, with the extra `[hub]`."""

import re
from pathlib import Path

from catalog.errors import CatalogError
from catalog.huggingface.config_file import CONFIG_NAME
from catalog.huggingface.model import MODELOPT_NAME

_HUB_ID = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}", re.ASCII)
_INSTEAD = f"download its {CONFIG_NAME} and name it by its path, as model: ./{CONFIG_NAME}"


class HubError(CatalogError):
    """A model that the hub does not give; the message says what to do."""


def is_hub_id(name: str) -> bool:
    """Return whether `name` has the form `organisation/model`."""
    return _HUB_ID.fullmatch(name) is not None


def fetch_config(name: str) -> Path:
    """Return the path of the cached config of the hub's model `name`.

    Raises HubError: the extra is not installed, the hub cannot be reached, or it has no such public file.
    """
    try:
        from huggingface_hub import hf_hub_download, try_to_load_from_cache
        from huggingface_hub.errors import (
            EntryNotFoundError,
            GatedRepoError,
            HfHubHTTPError,
            HFValidationError,
            LocalEntryNotFoundError,
            RemoteEntryNotFoundError,
            RepositoryNotFoundError,
        )
    except ImportError:
        raise HubError(
            f"{name} is not in the catalog; to read it from the Hugging Face hub: pip install 'roofplan[hub]'; or "
            f"{_INSTEAD}"
        ) from None
    try:
        path = Path(hf_hub_download(name, CONFIG_NAME))
    except GatedRepoError:
        raise HubError(f"{name} is gated on the Hugging Face hub: log in with `hf auth login`, or {_INSTEAD}") from None
    except (RepositoryNotFoundError, HFValidationError):
        raise HubError(f"{name} is neither in the catalog nor a public model of the Hugging Face hub") from None
    except LocalEntryNotFoundError:
        raise HubError(
            f"{name}: the Hugging Face hub cannot be reached and the config is not cached; {_INSTEAD}"
        ) from None
    except EntryNotFoundError:
        raise HubError(f"{name} has no {CONFIG_NAME} on the Hugging Face hub") from None
    except (HfHubHTTPError, OSError) as error:
        raise HubError(f"{name}: the Hugging Face hub answered with an error: {error}; {_INSTEAD}") from None
    # the cache knows which files a model has and which it has not, so that one fetched before is read offline
    if try_to_load_from_cache(name, MODELOPT_NAME) is None:
        try:
            hf_hub_download(name, MODELOPT_NAME)  # beside the config, where the reader looks for it
        except RemoteEntryNotFoundError:  # before its base, HfHubHTTPError
            pass  # most have none
        except (HfHubHTTPError, OSError):  # the hub cannot be asked
            raise HubError(f"{name}: whether it has a {MODELOPT_NAME} is not known; {_INSTEAD}") from None
    return path

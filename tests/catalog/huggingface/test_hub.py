"""Configs from the hub: its client is an extra, so a stand-in with the client's errors takes its place."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from catalog.huggingface.hub import HubError, fetch_config, is_hub_id
from tests.catalog.huggingface.conftest import CONFIGS

Download = Callable[[str, str], str]
Install = Callable[..., ModuleType]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a client in place that downloads a file of a repository, and finds `cached` in its cache for any other."""

    def put(download: Download, cached: object = None) -> ModuleType:
        client, errors = ModuleType("huggingface_hub"), ModuleType("huggingface_hub.errors")

        class HfHubHTTPError(OSError): ...

        class RepositoryNotFoundError(HfHubHTTPError): ...

        class GatedRepoError(RepositoryNotFoundError): ...

        class EntryNotFoundError(Exception): ...

        class RemoteEntryNotFoundError(HfHubHTTPError, EntryNotFoundError): ...

        class LocalEntryNotFoundError(FileNotFoundError, EntryNotFoundError): ...

        class HFValidationError(ValueError): ...

        for error in (
            HfHubHTTPError,
            RepositoryNotFoundError,
            GatedRepoError,
            EntryNotFoundError,
            RemoteEntryNotFoundError,
            LocalEntryNotFoundError,
            HFValidationError,
        ):
            setattr(errors, error.__name__, error)
        client.hf_hub_download = download  # type: ignore[attr-defined]
        client.try_to_load_from_cache = lambda *_: cached  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "huggingface_hub", client)
        monkeypatch.setitem(sys.modules, "huggingface_hub.errors", errors)
        return errors

    return put


@pytest.mark.parametrize(
    ("name", "is_id"),
    [("Qwen/Qwen3-8B", True), ("a/b", True), ("llama-3.1-8b", False), ("a/b/c", False), ("/a", False), ("a/", False)],
)
def test_the_form_of_a_hub_id(name: str, is_id: bool) -> None:
    assert is_hub_id(name) is is_id


def test_without_the_extra_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(HubError) as error:
        fetch_config("Qwen/Qwen3-8B")
    assert "pip install 'roofplan[hub]'" in str(error.value)
    assert "./config.json" in str(error.value)


def test_a_config_is_fetched_with_the_file_that_may_stand_beside_it(install: Install, tmp_path: Path) -> None:
    asked: list[tuple[str, str]] = []

    def download(name: str, file: str) -> str:
        asked.append((name, file))
        if file != "config.json":
            raise errors.RemoteEntryNotFoundError
        return shutil.copy(CONFIGS / "qwen3_8b.json", tmp_path / file)

    errors = install(download)
    assert fetch_config("Qwen/Qwen3-8B") == tmp_path / "config.json"
    assert asked == [("Qwen/Qwen3-8B", "config.json"), ("Qwen/Qwen3-8B", "hf_quant_config.json")]


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        ("RepositoryNotFoundError", "nor a public model"),
        ("HFValidationError", "nor a public model"),
        ("GatedRepoError", "hf auth login"),
        ("LocalEntryNotFoundError", "cannot be reached"),
        ("RemoteEntryNotFoundError", "has no config.json"),
        ("HfHubHTTPError", "answered with an error"),
    ],
)
def test_what_the_hub_refuses_is_said_with_a_way_out(install: Install, raised: str, said: str) -> None:
    def download(*_: str) -> str:
        raise getattr(errors, raised)

    errors = install(download)
    with pytest.raises(HubError, match=said) as error:
        fetch_config("Qwen/Qwen3-8B")
    assert str(error.value).startswith("Qwen/Qwen3-8B")


@pytest.mark.parametrize("raised", ["LocalEntryNotFoundError", "HfHubHTTPError"])
def test_a_format_that_nobody_could_ask_for_is_not_guessed(install: Install, raised: str) -> None:
    def download(_: str, file: str) -> str:
        if file == "config.json":
            return file
        raise getattr(errors, raised)

    errors = install(download)
    with pytest.raises(HubError, match=r"hf_quant_config\.json is not known"):
        fetch_config("Qwen/Qwen3-8B")


def test_what_the_cache_knows_of_a_model_is_not_asked_again(install: Install) -> None:
    def download(_: str, file: str) -> str:
        assert file == "config.json", "offline, the hub cannot be asked"
        return file

    for known in ("hf_quant_config.json", object()):  # the file, or the mark that there is none
        install(download, cached=known)
        assert fetch_config("Qwen/Qwen3-8B") == Path("config.json")


def test_the_stand_in_has_the_errors_of_the_client(install: Install) -> None:
    real = pytest.importorskip("huggingface_hub.errors", reason="the client is an extra")
    errors = install(lambda *_: "")
    for name, error in vars(errors).items():
        if isinstance(error, type):
            bases = [base.__name__ for base in getattr(real, name).__mro__]
            ours = [base.__name__ for base in error.__mro__]
            assert [base for base in bases if base in ours] == ours

from pathlib import Path

import pytest
from pydantic import ValidationError

import catalog
from catalog.engines import engine_of, read_authored, version_number

DATA = Path(catalog.__file__).parent / "data"


def test_authored_engines_are_si() -> None:
    engines = read_authored(DATA)
    vllm = engines["vllm"]
    assert vllm.step_s == 1e-3
    assert vllm.sequence_s == 10e-6
    assert vllm.host_s == 0.037
    assert vllm.overhead_bytes == 2.5e9
    assert vllm.memory_fraction == 0.88
    assert set(engines) == {
        "vllm", "trtllm", "sglang", "vllm-2024", "vllm-2024-rocm", "vllm-2023", "trtllm-0.14", "trtllm-2024",
    }  # fmt: skip


def test_current_engines_differ_in_first_tokens_memory_and_shared_experts_only() -> None:
    engines = read_authored(DATA)
    first_token = {"host_s", "own_prefill_factor", "extra_steps", "attention_dp_steps", "burst_share", "interference"}
    memory = {"memory_fraction", "cache_fraction"}
    names = {"id", "label", "library", "first_version", "source", "notes"}
    same = [
        engines[name].model_dump(exclude=first_token | memory | names | {"shared_experts_overlap"})
        for name in ("vllm", "trtllm", "sglang")
    ]
    assert same[0] == same[1] == same[2]


def test_the_cache_of_tensorrt_llm_takes_a_share_of_what_is_free_the_others_all_of_theirs() -> None:
    engines = read_authored(DATA)
    shares = {name: (engine.memory_fraction, engine.cache_fraction) for name, engine in engines.items()}
    assert shares["trtllm"] == shares["trtllm-2024"] == (1.0, 0.9)
    assert shares["vllm"] == shares["sglang"] == (0.88, 1.0)


def test_older_eras_pay_per_layer() -> None:
    engines = read_authored(DATA)
    assert engines["vllm-2024"].layer_s == pytest.approx(33e-6)
    assert engines["vllm-2024"].step_s > engines["vllm"].step_s


def test_laws_of_untuned_kernels_are_of_rocm_in_2024_alone() -> None:
    engines = read_authored(DATA)
    rocm = engines.pop("vllm-2024-rocm")
    assert rocm.cache_read_per_query_head
    assert rocm.product_flop_s == pytest.approx(8.95e-15)
    assert not any(engine.cache_read_per_query_head or engine.product_flop_s for engine in engines.values())


def test_a_misspelt_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "engines.yaml").write_text("mine: {label: x, stepp_ms: 1}\n", encoding="utf-8")
    with pytest.raises(ValidationError, match="stepp_s"):
        read_authored(tmp_path)


@pytest.mark.parametrize(
    ("name", "version", "era"),
    [
        ("vllm", "", "vllm"),
        ("vllm", "0.5.3.post1", "vllm-2024"),
        ("vllm", "v0.12.0", "vllm"),
        ("vllm", "0.2.6", "vllm-2024"),
        ("vllm", "0.2.5", "vllm-2023"),
        ("vllm-2024", "0.12", "vllm"),
        ("vllm-2024", "", "vllm-2024"),
        ("vllm-2024-rocm", "", "vllm-2024-rocm"),
        ("vllm-2024-rocm", "0.12", "vllm-2024-rocm"),
        ("trtllm", "0.9.0", "trtllm-2024"),
        ("trtllm", "0.15.0", "trtllm-0.14"),
        ("trtllm", "0.20", "trtllm"),
        ("trtllm", "1.2-1.3 (perf-overview in developer-guide)", "trtllm"),
        ("sglang", "0.4", "sglang"),
        ("sglang", "nightly", "sglang"),
        ("vllm", "9" * 5000, "vllm"),
    ],
)
def test_a_version_belongs_to_the_era_that_had_begun(name: str, version: str, era: str) -> None:
    assert engine_of(read_authored(DATA), name, version).id == era


def test_an_unknown_engine_is_not_guessed() -> None:
    with pytest.raises(KeyError):
        engine_of(read_authored(DATA), "vlm", "0.5")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0.5.3.post1", (0, 5, 3)),
        ("1.0.0rc3", (1,)),
        (" v0.12.0", (0, 12)),
        ("0.0", (0,)),
        ("nightly", ()),
        ("", ()),
        ("9" * 5000, (999_999_999,)),
    ],
)
def test_the_number_of_a_version(text: str, number: tuple[int, ...]) -> None:
    assert version_number(text) == number

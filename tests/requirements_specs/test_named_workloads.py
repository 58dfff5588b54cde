from pathlib import Path

import pytest

from requirements_specs.keys import NAMED_WORKLOADS
from requirements_specs.named_workloads import named_workloads

# Mean prompt and output of the files that they were made from.
MEANS = {
    "azure-code": (2047.848, 27.88253),
    "azure-conv": (1154.697, 211.1259),
    "arxiv-summarization": (2588.078, 291.4304),
    "sharegpt": (2340.034, 438.7097),
    "mooncake-chat": (12035.06, 342.6189),
    "reasoning": (1268.250, 1527.419),
}


def test_every_name_has_its_lengths() -> None:
    assert tuple(named_workloads()) == NAMED_WORKLOADS


@pytest.mark.parametrize("name", NAMED_WORKLOADS)
def test_lengths_are_small_tables_with_the_mean_of_their_source(name: str) -> None:
    workload = named_workloads()[name]
    for key, mean in zip(("prompt_tokens", "output_tokens"), MEANS[name], strict=True):
        rows = getattr(workload, key)
        assert 4 <= len(rows) <= 32
        assert sum(share for _, share in rows) == pytest.approx(1.0, abs=1e-5)
        assert [tokens for tokens, _ in rows] == sorted({tokens for tokens, _ in rows})
        assert workload.lengths(key).mean == pytest.approx(mean, rel=1e-6)


@pytest.mark.parametrize("name", NAMED_WORKLOADS)
def test_every_workload_says_whose_it_is(name: str) -> None:
    workload = named_workloads()[name]
    assert workload.source.startswith("github.com/")
    assert workload.licence.split(",")[0].split(";")[0] in ("CC-BY 4.0", "MIT", "Apache-2.0")
    assert workload.requests > 1000


def test_the_table_of_the_documentation_is_of_these() -> None:
    page = (Path(__file__).parents[2] / "docs" / "catalog.md").read_text(encoding="utf-8")
    for name, workload in named_workloads().items():
        prompt, output = (workload.lengths(key).mean for key in ("prompt_tokens", "output_tokens"))
        assert f"| `{name}` | {workload.requests:,} | {prompt:,.0f} | {output:,.0f} |" in page
        index = workload.index_of_dispersion
        assert (index is None) == (f"`{name}` {index}" not in page)

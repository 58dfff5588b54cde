"""Output tokens/s of whole replicas: everything queued at once, and static batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from catalog.engines import Engine, engine_of
from catalog.parts import Evidence, LinkKind
from catalog.read import Snapshot
from optimizer.calibration import argonne, tensorrt_llm
from optimizer.calibration.score.scatter import binned
from optimizer.calibration.score.sections import (
    Line,
    Pair,
    Plot,
    Point,
    Section,
    Table,
    agreement_line,
    agreement_table,
    table_by,
)
from optimizer.calibration.throughput import ThroughputCase, predict_throughput

# Bars of milestone M3.
LARGEST_OFFLINE_MEDIAN = 0.13
LARGEST_NVLINK_MEDIAN = 0.08
LARGEST_PCIE_MEDIAN = 0.25
LARGEST_STATIC_MEDIAN = 0.08
LARGEST_MI300X_MEDIAN = 0.25

# Prompts of at least so many times the output are prefill, of at most so many decode; between them the load is both.
PREFILL_HEAVY, DECODE_HEAVY = 4.0, 0.25


def offline(measured: Path, snapshot: Snapshot) -> Section:
    """Offline maximum throughputs of TensorRT-LLM."""
    cases = tensorrt_llm.read_overview(measured, snapshot)
    scored = _scored(cases, snapshot)
    return Section(
        tensorrt_llm.FILE_NAME,
        "offline maximum throughput of TensorRT-LLM; four constants per engine era fitted to its dense rows",
        (
            agreement_table(
                "output tokens/s",
                (
                    scored.line("all", lambda _: True, LARGEST_OFFLINE_MEDIAN),
                    scored.line(
                        "dense on NVLink",
                        lambda case: not _experts(case, snapshot) and not _pcie(case, snapshot),
                        LARGEST_NVLINK_MEDIAN,
                    ),
                    scored.line(
                        "PCIe parts, TP > 1",
                        lambda case: case.cells["tp"] != "1" and _pcie(case, snapshot),
                        LARGEST_PCIE_MEDIAN,
                    ),
                ),
            ),
            scored.by("by engine era", lambda case: (0, _era(case, snapshot))),
            scored.by("by part", lambda case: (0, case.cells["accelerator"])),
            scored.by("by model", lambda case: (0, case.cells["model"])),
            scored.by("by load", _lengths),
        ),
        causes=(
            "Experts have no fitted constant of the engine: their rows show the class constants of expert kernels, "
            "timed with a routing that real prompts need not have.",
            "The limits of batch size and tokens of each run are not published; the prediction takes what the cache "
            "holds.",
        ),
        plot=scored.plot("offline_throughput", lambda case: case.cells["accelerator"]),
    )


def static_batches(measured: Path, snapshot: Snapshot) -> Section:
    """Static batches of 2024."""
    cases = argonne.read_static_batches(measured, snapshot)
    scored = _scored(cases, snapshot)
    nvidia = scored.only(lambda case: _is_measured(case, snapshot))
    rocm_era = snapshot.engines[argonne.ROCM_ERA]
    rocm = scored.only(lambda case: _era(case, snapshot) == rocm_era.id)
    return Section(
        argonne.FILE_NAME,
        "static batches of 2024; constants of engine eras are fitted to their dense rows, and the errors of models "
        "that were left out are under the engine eras",
        (
            agreement_table(
                "output tokens/s",
                (
                    agreement_line("NVIDIA", nvidia.pairs, LARGEST_STATIC_MEDIAN),
                    scored.line(
                        "MI300X", lambda case: case.cells["accelerator"].startswith("mi300x"), LARGEST_MI300X_MEDIAN
                    ),
                ),
            ),
            scored.by("by part", lambda case: (0, case.cells["accelerator"])),
            rocm.by("MI300X and MI250 by model", lambda case: (0, case.cells["model"])),
            rocm.by("MI300X and MI250 by batch", lambda case: (case.batch or 0, f"{case.batch}")),
            nvidia.by("NVIDIA by engine era", lambda case: (0, _era(case, snapshot))),
            nvidia.by("NVIDIA by model", lambda case: (0, case.cells["model"])),
            nvidia.by("NVIDIA by batch", lambda case: (case.batch or 0, f"{case.batch}")),
        ),
        causes=(
            "MI300X and MI250 ran the ROCm stack of 2024, an engine era of its own: kernels are launched one by one, "
            "attention reads the cache once for each query head, not once for each key-value head, and products take "
            f"a time per row from the first row on, at {_product_rate(rocm_era) / 1e12:.0f} TFLOP/s of an accelerator "
            "of either kind. Lengths of prompts and outputs are equal in all rows, so that they cannot tell the "
            "products of prompts from those of decoding.",
            "Attention of ROCm: where sequences times query heads of an accelerator pass 512, the time of long "
            "contexts jumps, for there vLLM takes the kernel that does not split a context. One law stands for both "
            "kernels. The jump is higher for Llama 3 and Mistral than for Llama 2, and why is not known.",
            "Mixtral on ROCm: its experts have no fitted constant of the era, and ran slower than those of NVIDIA.",
            "An MI250 is two dies with a rank each, and is predicted as one accelerator.",
            "Gaudi 2 ran DeepSpeed, which has no era of its own: it takes the constants of vLLM and of NVIDIA's "
            "kernels.",
        ),
        plot=scored.plot("static_batches", lambda case: case.cells["accelerator"]),
    )


@dataclass(frozen=True)
class _Scored:
    """Throughputs, predicted and measured."""

    cases: tuple[ThroughputCase, ...]
    pairs: tuple[Pair, ...]

    def only(self, chosen: Callable[[ThroughputCase], bool]) -> _Scored:
        """Those of the chosen cases."""
        kept = [pair for pair in zip(self.cases, self.pairs, strict=True) if chosen(pair[0])]
        return _Scored(tuple(case for case, _ in kept), tuple(pair for _, pair in kept))

    def line(self, name: str, chosen: Callable[[ThroughputCase], bool], largest_median: float) -> Line:
        """The agreement of the chosen cases, with its bar."""
        return agreement_line(name, self.only(chosen).pairs, largest_median)

    def by(self, heading: str, group: Callable[[ThroughputCase], tuple[int, str]]) -> Table:
        """A line for each group."""
        return table_by(heading, self.cases, self.pairs, group)

    def plot(self, name: str, group: Callable[[ThroughputCase], str]) -> Plot:
        """Medians of the bins of each group."""
        points = [
            Point(group(case), pair.measured, pair.predicted)
            for case, pair in zip(self.cases, self.pairs, strict=True)
            if pair.predicted is not None
        ]
        return Plot(name, "output tokens/s", binned(points))


def _scored(cases: Sequence[ThroughputCase], snapshot: Snapshot) -> _Scored:
    found = predict_throughput(cases, snapshot)
    pairs = (Pair(each.tokens_per_s, case.measured_tokens_per_s) for case, each in zip(cases, found, strict=True))
    return _Scored(tuple(cases), tuple(pairs))


def _is_measured(case: ThroughputCase, snapshot: Snapshot) -> bool:
    """Whether the constants of the case's part are fitted to its own kind; these are NVIDIA's."""
    return snapshot.accelerators[case.cells["accelerator"]].evidence is not Evidence.ESTIMATED


def _experts(case: ThroughputCase, snapshot: Snapshot) -> bool:
    return bool(snapshot.models[case.cells["model"]].experts)


def _pcie(case: ThroughputCase, snapshot: Snapshot) -> bool:
    """Whether accelerators of the part reach each other over PCIe, bridged pairs included."""
    kind = snapshot.accelerators[case.cells["accelerator"]].link.kind
    return kind in (LinkKind.PCIE, LinkKind.NVLINK_BRIDGE, LinkKind.NONE)


def _era(case: ThroughputCase, snapshot: Snapshot) -> str:
    return engine_of(snapshot.engines, case.cells["engine"], case.cells.get("engine_version", "")).id


def _product_rate(engine: Engine) -> float:
    """FLOP/s that products of an engine reach at most, its kernel scale included."""
    return 1.0 / (engine.kernel_scale * engine.product_flop_s)


def _lengths(case: ThroughputCase) -> tuple[int, str]:
    ratio = float(case.cells["prompt_tokens"]) / float(case.cells["output_tokens"])
    if ratio >= PREFILL_HEAVY:
        return 2, "prompts ≥ 4 × outputs"
    return (0, "outputs ≥ 4 × prompts") if ratio <= DECODE_HEAVY else (1, "between")

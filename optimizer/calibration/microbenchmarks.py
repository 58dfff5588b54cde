"""Measure on one GPU what Roofplan predicts: matrix products, attention, experts, copies and launches, through torch.

    python microbenchmarks.py OUT_DIR [--quick]

Imports torch, and nothing but torch and Python's own library: the file runs where Roofplan is not installed. Writes
one CSV per operation into OUT_DIR, a row per shape: seconds of one call and the spread of the repetitions. Calls are
replayed from a CUDA graph, as engines replay their decode steps, and go through enough copies of their weights or
caches that none is found in the L2 cache. Kernels that torch has not, and shapes that do not fit the memory, are left
out with a line that says so. Needs torch 2.5.
"""

from __future__ import annotations

import csv
import itertools
import statistics
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

CACHE_BYTES = 200e6
"""So many bytes of weights or keys and values are walked through that an L2 cache of 50 MB keeps none."""
REPETITIONS = 7
CALLS_PER_GRAPH = 24
MOST_COPIES = 24

TOKENS = (1, 2, 4, 8, 16, 32, 64, 96, 128, 192, 256, 384, 512, 1024, 2048, 4096, 8192)
# (outputs, inputs) of projections of 8B, 32B, 70B and 405B models at tensor parallelism 1 to 8.
PROJECTIONS = (
    (6144, 4096),
    (4096, 4096),
    (28672, 4096),
    (4096, 14336),
    (128256, 4096),
    (10240, 8192),
    (8192, 8192),
    (57344, 8192),
    (8192, 28672),
    (2560, 8192),
    (8192, 2048),
    (14336, 8192),
    (8192, 7168),
    (1280, 8192),
    (8192, 1024),
    (7168, 8192),
    (8192, 3584),
    (51200, 5120),
    (5120, 25600),
    (18432, 16384),
    (16384, 6656),
)
HEADS = ((32, 8, 128), (64, 8, 128), (16, 2, 128), (8, 1, 128), (32, 32, 128), (32, 16, 256), (64, 8, 64))
DECODE_BATCHES = (1, 4, 16, 64, 128, 256)
DECODE_CONTEXTS = (128, 512, 2048, 8192, 32768)
PREFILL_TOKENS = (128, 512, 1024, 2048, 4096, 8192, 16384)
MOST_CACHE_BYTES = 12e9
# (experts, hidden, expert width, experts per token).
EXPERTS = ((8, 4096, 14336, 2), (128, 2048, 768, 8), (128, 4096, 1536, 8), (64, 7168, 2048, 8), (128, 2880, 2880, 4))
EXPERT_TOKENS = (1, 4, 16, 64, 256, 1024, 4096)
COPY_BYTES = (2**12, 2**16, 2**20, 2**22, 2**24, 2**26, 2**28, 2**30, 2**32)


@dataclass(frozen=True)
class Gemm:
    """tokens × inputs times inputs × outputs."""

    kernel: str
    tokens: int
    outputs: int
    inputs: int
    seconds: float
    spread: float


@dataclass(frozen=True)
class Attention:
    """`batch` sequences of `query_tokens` new and `context_tokens` cached tokens, causal."""

    kernel: str
    batch: int
    heads: int
    kv_heads: int
    head_dim: int
    query_tokens: int
    context_tokens: int
    seconds: float
    spread: float


@dataclass(frozen=True)
class ExpertProducts:
    """Gate-and-up and down products of the experts that `tokens` tokens are routed to, evenly at random."""

    kernel: str
    experts: int
    active_experts: int
    hidden: int
    width: int
    tokens: int
    seconds: float
    spread: float


@dataclass(frozen=True)
class Copy:
    """`bytes` moved once; a copy on the device reads and writes each."""

    kernel: str
    bytes: int
    seconds: float
    spread: float


@dataclass(frozen=True)
class Launch:
    """A kernel that does next to nothing."""

    kernel: str
    seconds: float
    spread: float


SomeRow = TypeVar("SomeRow", Gemm, Attention, ExpertProducts, Copy)
Row = Gemm | Attention | ExpertProducts | Copy | Launch


def has_kernel(name: str, about: str) -> bool:
    """Whether torch has a kernel that it does not promise to have; if not, a line says what is left out."""
    found = hasattr(torch, name)
    if not found:
        print(f"torch {torch.__version__} has no {name}: {about} are not measured", file=sys.stderr)
    return found


def fitting(measured: Callable[..., Iterator[SomeRow]], shapes: Iterable[tuple[Any, ...]]) -> Iterator[SomeRow]:
    """Rows of every shape; what does not fit the memory is left out, and a line says so."""
    for shape in shapes:
        try:
            yield from measured(*shape)
        except torch.OutOfMemoryError:
            print(f"no memory for {measured.__name__.strip('_')} of {shape}", file=sys.stderr)
        torch.cuda.empty_cache()


def timed_graph(calls: Sequence[Callable[[], Any]]) -> tuple[float, float]:
    """Median seconds of one call, and the spread of the repetitions over it, replayed from a CUDA graph."""
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        for call in calls[:3]:
            call()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for call in calls:
            call()
    graph.replay()
    return timed(graph.replay, len(calls))


def timed_if_there(about: str, calls: Sequence[Callable[[], Any]]) -> tuple[float, float] | None:
    """As `timed_graph`, None if torch ships no such kernel for this part and shape."""
    try:
        return timed_graph(calls)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        print(f"no {about}: {str(error)[:80]}", file=sys.stderr)
        return None


def timed(run: Callable[[], Any], calls: int) -> tuple[float, float]:
    """Median seconds of one of `calls` calls that `run` makes, and (largest − smallest)/median."""
    torch.cuda.synchronize()
    seconds = []
    for _ in range(REPETITIONS):
        start, stop = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        run()
        stop.record()
        torch.cuda.synchronize()
        seconds.append(start.elapsed_time(stop) / 1e3 / calls)
    median = statistics.median(seconds)
    return median, (max(seconds) - min(seconds)) / median


def copies(size_bytes: float) -> int:
    """Copies of an operand that together exceed the L2 cache."""
    return max(1, min(MOST_COPIES, round(CACHE_BYTES / size_bytes + 0.5)))


def cycled(call: Callable[[torch.Tensor], Any], operands: Sequence[torch.Tensor]) -> list[Callable[[], Any]]:
    """Calls of one graph, each on the next copy of an operand."""
    calls = max(CALLS_PER_GRAPH, len(operands))
    return [partial(call, operands[index % len(operands)]) for index in range(calls)]


def gemms(tokens: Iterable[int], projections: Iterable[tuple[int, int]], *, eight_bits: bool) -> Iterator[Gemm]:
    """Products in bf16 and, with `eight_bits`, in fp8 scaled per tensor."""
    shapes = itertools.product(projections, tokens)
    return fitting(_gemms, ((rows, outputs, inputs, eight_bits) for (outputs, inputs), rows in shapes))


def _gemms(rows: int, outputs: int, inputs: int, eight_bits: bool) -> Iterator[Gemm]:
    x = torch.randn(rows, inputs, device="cuda", dtype=torch.bfloat16)
    weights = [
        torch.randn(outputs, inputs, device="cuda", dtype=torch.bfloat16) for _ in range(copies(outputs * inputs))
    ]
    yield Gemm("bf16", rows, outputs, inputs, *timed_graph(cycled(partial(_product, x), weights)))
    if not eight_bits:
        return
    one = torch.ones((), device="cuda")
    x8, weights8 = x.to(torch.float8_e4m3fn), [weight.to(torch.float8_e4m3fn) for weight in weights]
    seconds = timed_if_there("fp8 product", cycled(partial(_scaled_product, x8, one), weights8))
    if seconds is not None:
        yield Gemm("fp8", rows, outputs, inputs, *seconds)


def _product(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return x @ weight.T


def _scaled_product(x: torch.Tensor, one: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return torch._scaled_mm(x, weight.T, one, one, out_dtype=torch.bfloat16)


def attentions(
    heads: Iterable[tuple[int, int, int]], batches: Sequence[int], contexts: Sequence[int], prefills: Sequence[int]
) -> Iterator[Attention]:
    """Decode of one token per sequence, then prefill of one sequence, by the kernels that torch ships."""
    new_and_cached = [(batch, 1, context) for batch in batches for context in contexts]
    new_and_cached += [(1, tokens, tokens) for tokens in prefills]
    shapes = ((*of_heads, *of_tokens) for of_heads, of_tokens in itertools.product(heads, new_and_cached))
    return fitting(_attentions, shapes)


def _attentions(heads: int, kv_heads: int, dim: int, batch: int, new: int, context: int) -> Iterator[Attention]:
    cache_bytes = 4.0 * batch * context * kv_heads * dim
    if cache_bytes > MOST_CACHE_BYTES:
        return
    for name, backend in (("flash", SDPBackend.FLASH_ATTENTION), ("cudnn", SDPBackend.CUDNN_ATTENTION)):
        query = torch.randn(batch, heads, new, dim, device="cuda", dtype=torch.bfloat16)
        caches = [
            torch.randn(2, batch, kv_heads, context, dim, device="cuda", dtype=torch.bfloat16)
            for _ in range(copies(cache_bytes))
        ]
        about = f"{name} kernel for {heads, kv_heads, dim, batch, new, context}"
        with sdpa_kernel(backend):
            seconds = timed_if_there(about, cycled(partial(_attend, query, new > 1), caches))
        if seconds is not None:
            yield Attention(name, batch, heads, kv_heads, dim, new, context, *seconds)


def _attend(query: torch.Tensor, causal: bool, cache: torch.Tensor) -> torch.Tensor:
    return scaled_dot_product_attention(query, cache[0], cache[1], is_causal=causal, enable_gqa=True)


def experts(shapes: Iterable[tuple[int, int, int, int]], tokens: Iterable[int]) -> Iterator[ExpertProducts]:
    """Grouped products in bf16 over tokens that are sorted by expert."""
    return fitting(_experts, ((*shape, rows) for shape, rows in itertools.product(shapes, tokens)))


def _experts(number: int, hidden: int, width: int, active: int, rows: int) -> Iterator[ExpertProducts]:
    up = torch.randn(number, hidden, 2 * width, device="cuda", dtype=torch.bfloat16)
    down = torch.randn(number, width, hidden, device="cuda", dtype=torch.bfloat16)
    chosen = torch.rand(rows, number, device="cuda").topk(active, dim=1).indices
    counts = torch.bincount(chosen.flatten(), minlength=number)
    ends = counts.cumsum(0).to(torch.int32)
    x = torch.randn(rows * active, hidden, device="cuda", dtype=torch.bfloat16)
    inner = torch.randn(rows * active, width, device="cuda", dtype=torch.bfloat16)
    calls = [partial(_expert_products, x, inner, up, down, ends)] * CALLS_PER_GRAPH
    seconds = timed_if_there("grouped product", calls)
    if seconds is not None:
        yield ExpertProducts("bf16_grouped", number, active, hidden, width, rows, *seconds)


def _expert_products(
    x: torch.Tensor, inner: torch.Tensor, up: torch.Tensor, down: torch.Tensor, ends: torch.Tensor
) -> None:
    torch._grouped_mm(x, up, offs=ends)
    torch._grouped_mm(inner, down, offs=ends)


def device_copies(sizes: Iterable[int]) -> Iterator[Copy]:
    """Copies on the device, and from and to pinned host memory."""
    return fitting(_copies, ((size,) for size in sizes))


def _copies(size: int) -> Iterator[Copy]:
    here = torch.empty(size, device="cuda", dtype=torch.uint8)
    there = torch.empty_like(here)
    number = 1 if size > CACHE_BYTES else CALLS_PER_GRAPH
    yield Copy("device_to_device", size, *timed_graph([partial(there.copy_, here)] * number))
    if size > 2**30:
        return
    host = torch.empty(size, dtype=torch.uint8, pin_memory=True)
    host.copy_(here)
    yield Copy("host_to_device", size, *timed(partial(here.copy_, host, non_blocking=True), 1))
    yield Copy("device_to_host", size, *timed(partial(host.copy_, here, non_blocking=True), 1))


def launches() -> Iterator[Launch]:
    """One kernel after another: replayed from a graph, and launched one by one from Python."""
    x = torch.zeros(1, device="cuda")
    yield Launch("graph_replay", *timed_graph([lambda: x.add_(1.0)] * 1000))

    def eager() -> None:
        for _ in range(1000):
            x.add_(1.0)

    eager()
    yield Launch("eager", *timed(eager, 1000))


def write(rows: Iterable[Row], path: Path, about: str) -> None:
    """Write rows as they come, so that what was measured is kept if a later shape fails."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        for number, row in enumerate(rows):
            fields = asdict(row)
            if number == 0:
                writer.writerow([*fields, "source"])
            values = [f"{value:.4g}" if isinstance(value, float) else value for value in fields.values()]
            writer.writerow([*values, about])
            file.flush()


def measure(out: Path, quick: bool) -> None:
    """Measure everything, or with `quick` the first shapes of everything."""
    torch.manual_seed(0)
    out.mkdir(parents=True, exist_ok=True)
    name = torch.cuda.get_device_name()
    eight_bits, grouped = has_kernel("_scaled_mm", "fp8 products"), has_kernel("_grouped_mm", "experts")
    about = f"measured on one {name} with torch {torch.__version__} on {date.today()}"
    few = 2 if quick else None
    write(launches(), out / "launches.csv", about)
    write(device_copies(COPY_BYTES[:few]), out / "copies.csv", about)
    write(gemms(TOKENS[:few], PROJECTIONS[:few], eight_bits=eight_bits), out / "gemm.csv", about)
    write(
        attentions(HEADS[:few], DECODE_BATCHES[:few], DECODE_CONTEXTS[:few], PREFILL_TOKENS[:few]),
        out / "attention.csv",
        about,
    )
    if grouped:
        write(experts(EXPERTS[:few], EXPERT_TOKENS[:few]), out / "experts.csv", about)


if __name__ == "__main__":
    measure(Path(sys.argv[1]), "--quick" in sys.argv)

"""Traces as their tools write them, and a made-up one."""

import json
import math
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple

from requirements_specs.named_workloads import named_workloads


class Request(NamedTuple):
    """One request; `blocks` are the hashes of its prompt."""

    arrival_s: float
    prompt: int
    output: int
    blocks: tuple[int, ...] | None = None


def plain(requests: Iterable[Request]) -> str:
    rows = (f"{each.arrival_s!r},{each.prompt},{each.output}" for each in requests)
    return "\n".join(["time,prompt_tokens,output_tokens", *rows]) + "\n"


def azure(requests: Iterable[Request], began: datetime = datetime(2023, 11, 16, 18, 15, 46), zone: str = "") -> str:
    """CRLF and seven digits below the second, as in the files of 2023; with a zone as in those of 2024."""
    rows = []
    for each in requests:
        ticks = round(each.arrival_s * 10**7)
        moment = began + timedelta(seconds=ticks // 10**7)
        rows.append(f"{moment}.{ticks % 10**7:07d}{zone},{each.prompt},{each.output}")
    return "\r\n".join(["TIMESTAMP,ContextTokens,GeneratedTokens", *rows])


def mooncake(requests: Iterable[Request]) -> str:
    lines = []
    for each in requests:
        row: dict[str, object] = {"timestamp": round(each.arrival_s * 1e3), "input_length": each.prompt}
        row["output_length"] = each.output
        if each.blocks is not None:
            row["hash_ids"] = list(each.blocks)
        lines.append(json.dumps(row))
    return "\n".join(lines) + "\n"


def poisson(rate_per_s: float, length_s: float, random: Random) -> list[float]:
    times, now = [], 0.0
    while True:
        now += -math.log(1.0 - random.random()) / rate_per_s
        if now >= length_s:
            return times
        times.append(now)


def made_up_chat() -> str:
    """Half an hour that grows from 1 to 2 req/s, half of them in bursts of four; lengths of `azure-conv`.

    `examples/trace_azure_conv.csv`.
    """
    random = Random(20261127)
    workload = named_workloads()["azure-conv"]
    requests = []
    for time in poisson(2.0 * (1 / 2 + 1 / 8), 1800.0, random):
        if random.random() > 0.5 + time / 3600.0:
            continue
        for _ in range(4 if random.random() < 0.2 else 1):
            prompt, output = _drawn(workload.prompt_tokens, random), _drawn(workload.output_tokens, random)
            requests.append(Request(round(time, 3), prompt, output))
    return plain(requests)


def _drawn(rows: Sequence[tuple[float, float]], random: Random) -> int:
    """A length between the middles of two neighbouring rows."""
    place = random.random()
    for (low, share), (high, _) in zip(rows, [*rows[1:], rows[-1]], strict=True):
        if place < share:
            return max(1, round(low + (high - low) * random.random()))
        place -= share
    return round(rows[-1][0])

"""Prefill and decode pools: not predicted, but bounded by what each pool can compute."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from optimizer.arithmetic.arrays import Floats
from optimizer.arithmetic.serving import Replicas
from optimizer.diagnose.deployment import Deployment
from optimizer.diagnose.diagnosis import PoolsOut
from optimizer.diagnose.forecast import loaded_replica
from optimizer.diagnose.launch import LaunchError, PoolRole
from optimizer.evaluate import Closed, Static, StepSpread, evaluate


def bound_pools(servers: tuple[Deployment, ...], ttft_s: float | None, tokens_per_s: float | None) -> PoolsOut | None:
    """What bounds the pools of one or two commands; None if they are no pools.

    One command leaves the rest of the machine to the other pool. Prompts are computed in the largest batches of the
    prefill servers, the decode servers see no prefill, and the transfer of the KV cache takes no time: all of it bounds
    on the side of the pools.
    Raises LaunchError for two servers of one role, and for pools that leave nothing to the other.
    """
    roles = [server.command.launch.role for server in servers]
    if roles == [None]:
        return None
    if len(servers) > 1 and set(roles) != {PoolRole.PREFILL, PoolRole.DECODE}:
        raise LaunchError(
            "two commands are a prefill pool and a decode pool: one role each (kv_role, disaggregation mode)"
        )
    machine = servers[0].command.machine
    prefill = next((each for each in servers if each.command.launch.role is PoolRole.PREFILL), servers[0])
    decode = next((each for each in servers if each.command.launch.role is PoolRole.DECODE), servers[0])
    if len(servers) > 1:
        prefill_size, decode_size = _size(prefill), _size(decode)
    elif roles == [PoolRole.PREFILL]:
        prefill_size = _size(prefill)
        decode_size = machine.accelerators - prefill_size
    else:
        decode_size = _size(decode)
        prefill_size = machine.accelerators - decode_size
    if min(prefill_size, decode_size) < 1 or prefill_size + decode_size > machine.accelerators:
        raise LaunchError(
            f"a prefill pool of {prefill_size} and a decode pool of {decode_size} accelerators do not share "
            f"{machine.accelerators}; --on is the machine of both"
        )
    prompts_per_s = prefill_size / prefill.layout.accelerators / _prompt_s(prefill)
    load = decode.command.load
    decode_servers = decode_size / decode.layout.accelerators
    token_s, running = _decode(decode, decode_servers)
    prefill_work = prefill_size / prompts_per_s
    decode_work_per_token = token_s * decode.layout.accelerators / running
    split = prefill_size / (prefill_size + decode_size)
    limits = [prompts_per_s * load.output_tokens, decode_servers * running / token_s]
    if load.concurrency is not None:
        limits.append(load.concurrency / token_s)
    if load.rate_per_s is not None:
        limits.append(load.rate_per_s * load.output_tokens)
    waiting = None
    if ttft_s is not None and tokens_per_s is not None:
        waiting = ttft_s * tokens_per_s / load.output_tokens
    return PoolsOut(
        prefill_accelerators=prefill_size,
        decode_accelerators=decode_size,
        prompts_per_s=prompts_per_s,
        output_tokens_per_s_at_most=min(limits),
        prefill_share_of_work=prefill_work / (prefill_work + decode_work_per_token * load.output_tokens),
        prefill_share_of_accelerators=split,
        balanced_output_tokens=prefill_work * (1.0 - split) / split / decode_work_per_token,
        waiting_for_prefill=waiting,
    )


def _size(server: Deployment) -> int:
    return server.layout.accelerators * server.copies


def _prompt_s(server: Deployment) -> float:
    """Seconds that a prompt takes a prefill replica, in the largest batches that its token budget allows."""
    loaded = loaded_replica(server.case, server)
    only_prompts = replace(loaded.shape, output_tokens=np.ones(1))
    chunk, new = loaded.replica.prefill_chunk_tokens, loaded.shape.new_tokens
    batch: Floats = np.maximum(np.floor(chunk / new), 1.0)
    found = evaluate(loaded.replica, only_prompts, Static(batch), StepSpread.none(1), 0.0)
    return float((found.ttft_mean_s - loaded.replica.host_s)[0] / batch[0])


def _decode(server: Deployment, servers: float) -> tuple[float, float]:
    """Seconds per token of a decode replica that no prefill disturbs, and its running requests.

    Under a rate, or with everything at once, it is as full as its KV cache allows.
    """
    loaded = loaded_replica(server.case, server)
    undisturbed: Replicas = replace(loaded.replica, interference=np.zeros(1))
    clients = server.command.load.concurrency
    offered = np.full(1, np.inf if clients is None else max(clients / servers, 1.0))
    held = np.maximum(
        loaded.replica.kv_capacity_tokens / (loaded.shape.prompt_tokens + loaded.shape.output_tokens), 1.0
    )
    full = np.minimum(offered, held)
    found = evaluate(undisturbed, loaded.shape, Closed(full, 10.0 * full, server.case.slots), StepSpread.none(1), 0.0)
    return float(found.tpot_mean_s[0]), float(found.resident[0])

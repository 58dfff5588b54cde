"""Mean latency and throughput of a replica under loads that are not open arrivals.

Closed loop: C clients, each sends its next request when the last has finished. Offline: all requests are there at the
start. Static: one batch runs to its end. One replica per row; rows have their own lengths. Chunks and batches of
prefill hold at most the engine's `prefill_chunk_tokens`.
"""

from dataclasses import dataclass

import numpy as np

from optimizer.arithmetic.arrays import Floats
from optimizer.arithmetic.step_times import LoadStepTimes

# A request that is admitted while others are still short holds this share of its output on average.
RESIDENT_OUTPUT_SHARE = 0.6
# Requests of a closed-loop run per client, at which the engine's burst share was fitted.
REQUESTS_PER_CLIENT = 10.0
LARGEST_BATCH_PER_RANK = 2048.0


@dataclass(frozen=True)
class LoadShape:
    """Lengths of K rows, (K,): prompt and output tokens per request and the cached share of the prompt."""

    prompt_tokens: Floats
    output_tokens: Floats
    prefix_hit: Floats

    @property
    def new_tokens(self) -> Floats:
        """Prompt tokens to compute; the last one always is, to produce a first token."""
        return np.maximum(self.prompt_tokens * (1.0 - self.prefix_hit), 1.0)

    @property
    def cached_tokens(self) -> Floats:
        """Prompt tokens that the prefix cache holds."""
        return self.prompt_tokens - self.new_tokens


@dataclass(frozen=True)
class LoadTimes:
    """Means of K rows, (K,): seconds and tokens/s of one replica. `resident` is how many requests run at once."""

    ttft_mean_s: Floats
    tpot_mean_s: Floats
    e2e_mean_s: Floats
    output_tokens_per_s: Floats
    resident: Floats


@dataclass(frozen=True)
class Scenario:
    """How pessimistically K rows are read, (K,): a factor on every step and prefill, and the KV cache in tokens."""

    slowdown: Floats
    kv_tokens: Floats


def as_predicted(step_times: LoadStepTimes) -> Scenario:
    """The point prediction: steps as they are, the whole KV cache."""
    return Scenario(np.ones(step_times.count), step_times.kv_capacity_tokens)


def closed_loop(
    step_times: LoadStepTimes,
    shape: LoadShape,
    concurrency: Floats,
    requests: Floats,
    scenario: Scenario,
    slots: Floats | float = np.inf,
) -> LoadTimes:
    """Means of a run of `requests` requests by `concurrency` clients of one replica with so many engine slots; (K,).

    With Cr = the clients that the KV cache and the slots admit, t_d a decode step of all of them and t_p what one
    prefill adds:

        TPOT = t_d + φ·(Cr − 1)·t_p/O        every other request prefills once in a request's life
        TTFT = host + w·t_p + k·t_d + σ·Cr·t_b/2 + (C/Cr − 1 + v/C)·O·TPOT
        throughput = C·O/(TTFT + O·TPOT)

    t_b is the prefill per request when the loop starts and prompts are batched; σ is the engine's burst share, fitted
    at ten requests per client and inverse to their number; v are the clients, of more than one, that wait though there
    is room. Pipeline stages are interleaved engines: a step holds
    Cr/pp sequences, and a prefill stops the others for t_p/pp.
    Raises ValueError if the KV cache does not hold one request.
    """
    prompt, output = shape.prompt_tokens, shape.output_tokens
    admitted = scenario.kv_tokens / (prompt + RESIDENT_OUTPUT_SHARE * output)
    _check_admitted(scenario.kv_tokens, prompt + output)
    resident = np.minimum(np.minimum(concurrency, slots), np.maximum(admitted, 1.0))
    in_step = np.maximum(resident / step_times.pp, 1.0)
    decode_s = _decode_s(step_times, scenario, shape, in_step)
    prefill_s = _own_prefill_s(step_times, scenario, shape, in_step, decode_s)
    tpot = decode_s + step_times.interference * (resident - 1.0) * prefill_s / step_times.pp / output
    # a run as short as its burst is all burst; a share that was measured above one says how much slower the burst is
    share = step_times.burst_share
    burst = np.minimum(share * REQUESTS_PER_CLIENT * concurrency / requests, np.maximum(share, 1.0))
    burst_s = burst * resident * _batched_prefill_s(step_times, scenario, shape, concurrency) / 2.0
    waiting = np.clip(step_times.waiting_clients, 0.0, concurrency - 1.0)
    ttft = (
        step_times.host_s
        + step_times.own_prefill_factor * prefill_s
        + step_times.extra_steps * decode_s
        + burst_s
        + (np.maximum(concurrency / resident - 1.0, 0.0) + waiting / concurrency) * output * tpot
    )
    return LoadTimes(
        ttft_mean_s=ttft,
        tpot_mean_s=tpot,
        e2e_mean_s=ttft + np.maximum(output - 1.0, 0.0) * tpot,
        output_tokens_per_s=concurrency * output / (ttft + output * tpot),
        resident=resident,
    )


def offline(step_times: LoadStepTimes, shape: LoadShape, scenario: Scenario) -> LoadTimes:
    """Largest throughput with every request queued at the start; TTFT is of a request once it is admitted.

    C = the requests that the KV cache holds in full, at most 2048 per attention rank; tokens/s = C·O/(O·t_d + C·t_b)
    with t_b the batched prefill beside the decoding requests.
    Raises ValueError if the KV cache does not hold one request.
    """
    output = shape.output_tokens
    capacity = scenario.kv_tokens / (shape.prompt_tokens + output)
    _check_admitted(scenario.kv_tokens, shape.prompt_tokens + output)
    resident = np.clip(capacity, 1.0, LARGEST_BATCH_PER_RANK * step_times.dp_attention)
    in_step = np.maximum(resident / step_times.pp, 1.0)
    decode_s = _decode_s(step_times, scenario, shape, in_step)
    batched_s = _batched_prefill_s(step_times, scenario, shape, in_step, beside=in_step) / step_times.pp
    cycle_s = output * decode_s + resident * batched_s
    tpot = cycle_s / output
    own_s = _own_prefill_s(step_times, scenario, shape, in_step, decode_s)
    ttft = step_times.host_s + step_times.own_prefill_factor * own_s
    return LoadTimes(ttft, tpot, ttft + np.maximum(output - 1.0, 0.0) * tpot, resident * output / cycle_s, resident)


def static(step_times: LoadStepTimes, shape: LoadShape, batch: Floats, scenario: Scenario) -> LoadTimes:
    """One batch of `batch` requests, (K,), prefilled together and decoded to its end: B·t_b + O·t_d.

    Raises ValueError if the KV cache does not hold the batch.
    """
    output = shape.output_tokens
    _check_admitted(scenario.kv_tokens, batch * (shape.prompt_tokens + output))
    in_step = np.maximum(batch / step_times.pp, 1.0)
    decode_s = _decode_s(step_times, scenario, shape, in_step)
    ttft = step_times.host_s + batch * _batched_prefill_s(step_times, scenario, shape, batch)
    total = ttft + output * decode_s
    return LoadTimes(ttft, decode_s, ttft + np.maximum(output - 1.0, 0.0) * decode_s, batch * output / total, batch)


def _check_admitted(capacity: Floats, needed: Floats) -> None:
    if np.any(capacity < needed):
        row = int(np.argmax(capacity < needed))
        raise ValueError(f"row {row}: the KV cache holds {capacity[row]:.0f} tokens, {needed[row]:.0f} are needed")


def _step(
    step_times: LoadStepTimes,
    scenario: Scenario,
    tokens: Floats | float,
    sequences: Floats | float,
    prefix: Floats | float,
    decoding: Floats | float,
    context: Floats | float,
) -> Floats:
    """One step per row; (K,) arguments and result."""
    given = (tokens, sequences, prefix, decoding, context)
    steps = step_times.step_seconds(*(np.reshape(value, (-1, 1)) if np.ndim(value) else value for value in given))
    slowed: Floats = scenario.slowdown * steps[:, 0]
    return slowed


def _decode_s(step_times: LoadStepTimes, scenario: Scenario, shape: LoadShape, decoding: Floats) -> Floats:
    return _step(step_times, scenario, 0.0, 0.0, 0.0, decoding, _context(shape))


def _context(shape: LoadShape) -> Floats:
    return shape.prompt_tokens + shape.output_tokens / 2.0


def _own_prefill_s(
    step_times: LoadStepTimes, scenario: Scenario, shape: LoadShape, decoding: Floats, decode_s: Floats
) -> Floats:
    """What the prefill of one request adds to the steps that carry it, in equal chunks."""
    chunks = np.ceil(shape.new_tokens / step_times.prefill_chunk_tokens)
    chunk = shape.new_tokens / chunks
    prefix = shape.cached_tokens + (shape.new_tokens - chunk) / 2.0
    with_chunk = _step(step_times, scenario, chunk, 1.0, prefix, decoding, _context(shape))
    return chunks * (with_chunk - decode_s) * step_times.prefill_factor + scenario.slowdown * step_times.prefill_event_s


def _batched_prefill_s(
    step_times: LoadStepTimes, scenario: Scenario, shape: LoadShape, waiting: Floats, beside: Floats | None = None
) -> Floats:
    """Prefill per request when as many of the `waiting` prompts as a chunk holds share a step.

    Alone, a step has its whole time; `beside` decoding requests, what it adds to theirs.
    """
    batch = np.clip(np.floor(step_times.prefill_chunk_tokens / shape.new_tokens), 1.0, waiting)
    chunks = np.ceil(shape.new_tokens / step_times.prefill_chunk_tokens)
    chunk = shape.new_tokens / chunks
    prefix = shape.cached_tokens + (shape.new_tokens - chunk) / 2.0
    if beside is None:
        alone_s: Floats = chunks * _step(step_times, scenario, batch * chunk, batch, prefix, 0.0, 0.0) / batch
        return alone_s
    with_batch = _step(step_times, scenario, batch * chunk, batch, prefix, beside, _context(shape))
    added = with_batch - _decode_s(step_times, scenario, shape, beside)
    beside_s: Floats = chunks * added * step_times.prefill_factor / batch
    return beside_s

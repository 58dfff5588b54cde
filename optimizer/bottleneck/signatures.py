"""The minimal sets of atoms that candidates miss.

The signature of a candidate is the set of atoms that it misses at the most units that the remaining caps allow. A set
of atoms can be met together exactly if some signature is disjoint from it, so the inclusion-minimal signatures say
everything about every subset: they are the minimal sets whose dropping makes the specification feasible.

The search is exact without evaluating every row. A row's optimistic signature, from bounds whose refusals are exact,
is a part of its true one; a row is left out as soon as a known signature lies in the optimistic one, or as soon as
whatever the row may still miss would. What is left is decided by the laws that `meets` reads, a few rows at a time,
those with the fewest misses first.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from optimizer.bottleneck.atoms import Atoms
from optimizer.bottleneck.rows import Rows, bits
from optimizer.bottleneck.set_families import Members, minimal_sets
from optimizer.errors import VerificationError
from optimizer.evaluate import (
    Candidates,
    Physics,
    Question,
    State,
    key_rate_bound,
    keys_that_may_answer,
    limits_that_hold,
    limits_that_may_hold,
    mean_state,
    own_first_token_s,
    tabulate,
)
from optimizer.search.bounds import OUTWARD
from optimizer.topology.layouts import MAX_NUM_SEQS, TOKEN_BUDGETS
from requirements_specs.requirement import Metric

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
# Rows whose operating points are found together, and candidates whose laws are.
BLOCK = 32
LAWS = 16


def minimal_signatures(rows: Rows, atoms: Atoms, physics: Physics, question: Question) -> tuple[Members, ...]:
    """Inclusion-minimal signatures as sets of atom numbers; none where no candidate carries the load at all.

    `question` holds the limits of all latency atoms, in their order, and has no answer with every atom kept.
    """
    known = _Known(atoms)
    rows = optimistic(rows, physics, question)
    # The quickest to decode first: they are the likeliest to hold, and one that holds settles the others.
    rows = rows.take(np.lexsort((rows.keys, physics.tables.fluid_s[rows.keys, 0], np.bitwise_count(rows.missed))))
    while len(rows.keys):
        misses = np.bitwise_count(rows.missed)
        block = int(min(BLOCK, np.searchsorted(misses, misses[0], side="right")))
        _decide(rows.take(np.arange(block)), known, physics, question)
        rows = rows.take(np.arange(block, len(rows.keys)))
        rows = rows.take(known.may_add(rows.missed))
    return minimal_sets(known.signatures())


def optimistic(rows: Rows, physics: Physics, question: Question) -> Rows:
    """Rows that may carry their load, with the limits that no token budget could hold there among the missed."""
    everything = np.arange(len(physics.spread))
    largest = np.full(len(everything), MAX_NUM_SEQS[-1])
    free = replace(question, limits=())
    carried = key_rate_bound(physics, everything, largest, free)[rows.keys] * (1.0 + OUTWARD)
    rows = rows.take(rows.rate_per_s <= carried)
    missed = rows.missed.copy()
    for number, limit in enumerate(question.limits):
        alone = replace(question, limits=(limit,))
        if limit.metric is Metric.TPOT:
            bound = key_rate_bound(physics, everything, largest, alone) * (1.0 + OUTWARD)
            may: Bools = rows.rate_per_s <= bound[rows.keys]
        else:
            may = keys_that_may_answer(physics, TOKEN_BUDGETS, alone)[rows.keys]
        missed |= np.where(may, 0, 1 << number)
    return replace(rows, missed=missed)


def candidates_of_rows(rows: Rows, physics: Physics, question: Question) -> tuple[Integers, Candidates, State]:
    """Every token budget of every row within its load walls: the row (R,), the candidates and their states."""
    budgets = len(TOKEN_BUDGETS)
    which = np.repeat(np.arange(len(rows.keys)), budgets)
    candidates = tabulate(
        physics,
        rows.keys[which],
        np.tile(TOKEN_BUDGETS, len(rows.keys)),
        np.full(len(which), MAX_NUM_SEQS[-1]),
    )
    state = mean_state(candidates, rows.rate_per_s[which], question)
    within = np.flatnonzero(state.within_walls)
    return which[within], candidates.take(within), state.take(within)


class _Known:
    """Signatures that candidates were found to have, and whether a row may add one."""

    def __init__(self, atoms: Atoms) -> None:
        self._found: list[int] = []
        self._assumed = bits(atoms.assumed)
        self._limits = bits(atoms.limit_numbers)

    def add_all(self, signatures: Integers) -> None:
        for signature in sorted(set(signatures.tolist()), key=int.bit_count):
            if not signature:
                raise VerificationError("a candidate misses nothing, though the search found no design")
            relaxed_alone = not signature & self._assumed or signature.bit_count() == 1
            if relaxed_alone and not any(known & signature == known for known in self._found):
                self._found.append(signature)

    def signatures(self) -> list[Members]:
        return [frozenset(number for number in range(each.bit_length()) if each >> number & 1) for each in self._found]

    def may_add(self, optimistic: Integers, decided: int = 0) -> Bools:
        """Whether rows (R,) that miss at least `optimistic` may have a new minimal signature.

        decided: limits, as bits, of which the optimistic signature is the true one.
        """
        # an assumption is relaxed alone
        may: Bools = ((optimistic & self._assumed) == 0) | (np.bitwise_count(optimistic) == 1)
        for signature in self._found:
            may &= (optimistic & signature) != signature
        open_limits = self._limits & ~decided
        alone = sum(each for each in self._found if each.bit_count() == 1 and each & open_limits)
        # No candidate misses nothing: a row that seems to misses a limit that is still open, and each alone is known.
        if open_limits and alone == open_limits:
            may &= optimistic != 0
        return may


def _decide(rows: Rows, known: _Known, physics: Physics, question: Question) -> None:
    """Find the true signatures of rows, as far as they may be new."""
    limits = question.limits
    which, candidates, state = candidates_of_rows(rows, physics, question)
    base = rows.missed[which] & ~((1 << len(limits)) - 1)
    refused = base | _missed(limits_that_may_hold(candidates, state, limits))
    exact = bits(number for number, limit in enumerate(limits) if limit.metric is Metric.TPOT)
    waits = [number for number, limit in enumerate(limits) if limit.metric is not Metric.TPOT]
    quickness = own_first_token_s(candidates, state).mean(axis=1)
    order = np.lexsort((np.arange(len(which)), quickness, np.bitwise_count(refused)))
    while len(order):
        order = order[known.may_add(refused[order], exact)]
        settled = (
            np.all([refused[order] >> number & 1 for number in waits], axis=0) if waits else np.full(len(order), True)
        )
        known.add_all(refused[order[settled]])
        order = order[~settled]
        order = order[known.may_add(refused[order], exact)]
        tried, order = order[:LAWS], order[LAWS:]
        if len(tried):
            held = limits_that_hold(candidates.take(tried), state.take(tried), limits)
            known.add_all(base[tried] | _missed(held))


def _missed(held: Bools) -> Integers:
    """Bits of the limits that do not hold, (R,), of (R, L)."""
    weights = np.array([1 << number for number in range(held.shape[1])], dtype=np.int64)
    missed: Integers = (~held @ weights if held.shape[1] else np.zeros(len(held), dtype=np.int64)).astype(np.int64)
    return missed

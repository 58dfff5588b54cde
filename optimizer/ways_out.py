"""What to tell whoever asked for the impossible: every minimal conflict, and the cheapest ways out, each solved again.

Conflicts and relaxations speak of atoms (`optimizer.bottleneck.atoms`). A *conflict* is an inclusion-minimal set of
stated atoms that no candidate meets together, whatever the others say; a *relaxation* an inclusion-minimal set of
stated atoms whose dropping lets some candidate through. Each is the family of minimal hitting sets of the other. All
of both are given; the empty conflict says that nothing that was stated stands in the way.

A relaxation then gets amounts, solved together, so that its atoms loosen as little as money needs:

- caps alone, or restrictions: what the cheapest design without the set needs;
- latency limits: the least limits that can be held (of several, the largest predicted/limit is least), rounded up to
  three digits, so that the cost is whatever they take;
- latency limits and caps: the cheapest design of any latency, then the least limits that can be held at its cost.

Beside these, a staircase of price against the limits of one relaxation, and every assumption that alone would help:
spot prices, estimated parts, undated prices, the point prediction. Everything given was put into the specification and
solved once more on the same path as any other; what it costs is what that solve found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

from catalog.read import Snapshot
from optimizer.bottleneck.atoms import Atoms, atoms_of
from optimizer.bottleneck.relaxations import (
    Change,
    Relaxation,
    caps_for,
    least_looser_limits,
    needed_by,
    rounded_up,
)
from optimizer.bottleneck.rows import Missing, bits, missing, rows_of
from optimizer.bottleneck.set_families import Members, minimal_hitting_sets
from optimizer.bottleneck.signatures import minimal_signatures
from optimizer.errors import VerificationError
from optimizer.question import POINT_PREDICTION, Nothing, Problem, demand_of, pose, question_at
from optimizer.search.columns import Column, exact_columns
from optimizer.search.refine import refine
from requirements_specs.paths import value_at, with_values
from requirements_specs.serving import ServingSpec

# Factors on the limits of a staircase.
STEPS = (1.1, 1.25, 1.5, 2.0)

SolveAgain = Callable[[Problem], int | None]
"""Cost of the cheapest design in micro-dollars per hour, by the path of every solve; None where there is none."""


@dataclass(frozen=True)
class WaysOut:
    """Paths of the atoms of every minimal conflict, and the relaxations, cheapest first."""

    conflicts: tuple[tuple[str, ...], ...]
    relaxations: tuple[Relaxation, ...]


def ways_out(spec: ServingSpec, snapshot: Snapshot, posed: Problem | Nothing, solve_again: SolveAgain) -> WaysOut:
    """Conflicts and relaxations of a specification that has no answer; `posed` is the problem that it puts.

    Whatever the objective, a relaxation is priced by the cheapest design that it admits.

    Raises:
        VerificationError: a relaxation that was found is not feasible when it is solved again.

    """
    atoms = atoms_of(spec, snapshot)
    specs = _Problems(snapshot, {_space_of(spec): posed})
    widest = specs.pose(with_values(spec, atoms.dropped(atoms.restriction_numbers)))
    if isinstance(widest, Nothing):
        return WaysOut(((),), ())
    misses = missing(widest.space, atoms, spec.inventory, snapshot)
    asked = _Asked(spec, snapshot, atoms, widest, misses, specs, solve_again)
    rows = rows_of(widest.space, misses, atoms, _demands(spec, atoms))
    signatures = minimal_signatures(rows, atoms, widest.physics, widest.question)
    stated = [each for each in signatures if not each & atoms.assumed]
    conflicts = minimal_hitting_sets(stated)
    stepped = _stepped(stated, conflicts, atoms)
    found: list[Relaxation] = []
    for each in signatures:
        found += asked.staircase(each) if each == stepped else [asked.relaxation(each)]
    found += asked.point_prediction()
    return WaysOut(
        tuple(tuple(atoms.ids[number] for number in sorted(each)) for each in conflicts),
        tuple(sorted(found, key=_price_first)),
    )


def _price_first(relaxation: Relaxation) -> tuple[int, int, list[str]]:
    changes = relaxation.changes
    return relaxation.usd_micro_per_hour, len(changes), [f"{each.requirement} {each.allowed}" for each in changes]


def _demands(spec: ServingSpec, atoms: Atoms) -> Mapping[int, Any]:
    """Demand by the caps that are dropped, as bits."""
    subsets = (each for size in range(len(atoms.caps) + 1) for each in combinations(atoms.cap_numbers, size))
    return {bits(each): demand_of(with_values(spec, atoms.dropped(each))) for each in subsets}


def _stepped(stated: list[Members], conflicts: tuple[Members, ...], atoms: Atoms) -> Members | None:
    """The relaxation that gets a staircase: the first with a latency limit of the first conflict that has any."""
    limits = frozenset(atoms.limit_numbers)
    for conflict in conflicts:
        for limit in sorted(conflict & limits):
            return next(each for each in stated if limit in each)
    return None


def _space_of(spec: ServingSpec) -> tuple[object, ...]:
    """What the candidate space and its physics depend on, among the atoms."""
    return spec.inventory.model_copy(update={"max_accelerators": None}), spec.formats, spec.layout, spec.engines


@dataclass(frozen=True)
class _Problems:
    """Problems of specifications that differ in their atoms; each space is built once."""

    snapshot: Snapshot
    known: dict[tuple[object, ...], Problem | Nothing] = field(default_factory=dict)

    def pose(self, spec: ServingSpec) -> Problem | Nothing:
        space = _space_of(spec)
        if space not in self.known:
            self.known[space] = pose(spec, self.snapshot)
        problem = self.known[space]
        if isinstance(problem, Nothing):
            return problem
        return replace(problem, question=question_at(spec, spec.risk), demand=demand_of(spec), aim=None)


@dataclass(frozen=True)
class _Asked:
    """The specification, its widest problem, and how to solve what is changed in it."""

    spec: ServingSpec
    snapshot: Snapshot
    atoms: Atoms
    widest: Problem
    misses: Missing
    problems: _Problems
    solve_again: SolveAgain

    def relaxation(self, relaxed: Members) -> Relaxation:
        """The relaxation of a minimal signature."""
        limits: Mapping[str, float] = {}
        if relaxed & self._limits:
            caps = (self._amounts(relaxed, {}) or {}) if relaxed & self._caps else {}
            limits = self._least_limits(relaxed, {path: caps[path] for path in self.atoms.caps if path in caps})
        found = self._with_limits(relaxed, limits)
        if found is None:
            raise VerificationError(f"no design without {', '.join(self.atoms.dropped(relaxed))}, though one was found")
        return found

    def staircase(self, relaxed: Members) -> list[Relaxation]:
        """The relaxation of a minimal signature, and looser or tighter limits of it wherever the price steps.

        Looser ones cost less. Where money is relaxed too, the relaxation is the cheapest of all, and the others are
        tighter and dearer.
        """
        first = self.relaxation(relaxed)
        limits = [each for each in first.changes if each.requirement in self.atoms.ids[: len(self.atoms.limits)]]
        tighter = bool(relaxed & self._caps)
        found = [first]
        for step in STEPS:
            factor = 1.0 / step if tighter else step
            values = {each.requirement: rounded_up(each.allowed * factor) for each in limits}
            other = None
            if all(values[each.requirement] > each.stated for each in limits):
                other = self._with_limits(relaxed, values)
            if other is None:
                break
            found.append(other)
        from_the_tightest = reversed(found) if tighter else found
        kept: list[Relaxation] = []
        for each in from_the_tightest:
            if not kept or each.usd_micro_per_hour < kept[-1].usd_micro_per_hour:
                kept.append(each)
        return kept

    def point_prediction(self) -> list[Relaxation]:
        """The specification at the risk of the point prediction, where that is more than what it takes."""
        if self.spec.risk >= POINT_PREDICTION:
            return []
        cost = self._cost({"risk": POINT_PREDICTION})
        return [] if cost is None else [self._relaxation({"risk": POINT_PREDICTION}, cost)]

    @property
    def _limits(self) -> Members:
        return frozenset(self.atoms.limit_numbers)

    @property
    def _caps(self) -> Members:
        return frozenset(self.atoms.cap_numbers)

    def _with_limits(self, relaxed: Members, limits: Mapping[str, float]) -> Relaxation | None:
        """The cheapest relaxation of a set at some limits, solved again; None where no design holds them."""
        values = self._amounts(relaxed, limits)
        if values is None:
            return None
        cost = self._cost(values)
        return None if cost is None else self._relaxation(values, cost)

    def _amounts(self, relaxed: Members, limits: Mapping[str, float]) -> Mapping[str, Any] | None:
        """What the cheapest design at some limits needs of the other relaxed atoms, beside these limits."""
        if relaxed <= self._limits and limits:
            return limits
        problem = self.problems.pose(with_values(self.spec, {**self.atoms.dropped(relaxed), **limits}))
        design = None if isinstance(problem, Nothing) else _cheapest(problem)
        if isinstance(problem, Nothing) or design is None:
            return None
        caps = caps_for(self.spec, self.atoms, relaxed, design.usd_micro_per_hour, design.accelerators)
        needed = needed_by(problem.space, design, self.atoms, relaxed, self.spec.inventory, self.snapshot)
        return {**limits, **caps, **needed}

    def _least_limits(self, relaxed: Members, caps: Mapping[str, Any]) -> Mapping[str, float]:
        """Least limits of the relaxed latency atoms, at the most units that the caps allow."""
        demand = demand_of(with_values(self.spec, caps))
        rows = rows_of(self.widest.space, self.misses, self.atoms, {0: demand})
        limits = least_looser_limits(rows, relaxed, self.atoms, self.widest.physics, self.widest.question)
        if limits is None:
            raise VerificationError(
                f"no limits relax {', '.join(self.atoms.dropped(relaxed))}, though some candidate does"
            )
        return limits

    def _cost(self, values: Mapping[str, Any]) -> int | None:
        """Cost of the specification with other values, by the path of every solve."""
        problem = self.problems.pose(with_values(self.spec, values))
        return None if isinstance(problem, Nothing) else self.solve_again(problem)

    def _relaxation(self, values: Mapping[str, Any], usd_micro_per_hour: int) -> Relaxation:
        changes = tuple(Change(path, value_at(self.spec, path), value) for path, value in values.items())
        return Relaxation(changes, usd_micro_per_hour)


def _cheapest(problem: Problem) -> Column | None:
    """The cheapest design of a problem, by the search alone."""
    space, physics, question, demand = problem.space, problem.physics, problem.question, problem.demand
    columns = exact_columns(space, physics, question, demand, refine(space, physics, question, demand, 1))
    return columns[0] if columns else None

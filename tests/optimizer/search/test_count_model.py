from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import permutations

import pytest

from optimizer.errors import SolverError, VerificationError
from optimizer.search.columns import Column, JobCost
from optimizer.search.count_model import CountSolution, agreed, solve_counts
from optimizer.search.cp_sat import solve_with_cp_sat
from optimizer.search.integer_program import IntegerProgram, SolveResult, SolveStatus, Term
from optimizer.search.solver_process import SolverProcess, decode_program, decode_result, encode_program, encode_result
from optimizer.topology.layouts import CandidateSpace

GetSpace = Callable[..., CandidateSpace]

PRICES = (3_000_000, 24_000_000, 7_000_000, 7_000_000, 6_000_001)
ACCELERATORS = (1, 8, 2, 2, 2)


def column(offer: int, instances: int, replicas: int | None = None) -> Column:
    return Column(
        placement=0,
        offer=offer,
        key=0,
        token_budget=8192,
        max_num_seqs=256,
        units=instances,
        replicas=replicas or instances * ACCELERATORS[offer],
        instances=instances,
        accelerators=instances * ACCELERATORS[offer],
        usd_micro_per_hour=instances * PRICES[offer],
        largest_ratio=0.5,
    )


def solved(space: CandidateSpace, columns: Sequence[Column], most: int | None = None) -> CountSolution:
    found = solve_counts(space, columns, most, solve_with_cp_sat)
    assert isinstance(found, CountSolution)
    return found


def test_the_cheapest_column_is_chosen_wherever_it_stands(space_of: GetSpace) -> None:
    space = space_of(PRICES)
    columns = [column(0, 3), column(1, 1), column(4, 1), column(2, 2)]  # 9, 24, 6.000001 and 14 dollars
    for order in permutations(columns):
        found = solved(space, order)
        assert order[found.column].offer == 4
        assert found.instances == {4: 1}
        assert found.cost.objective == found.cost.bound == 6_000_001
        assert found.cost.proved
        assert found.rank.proved


def test_a_value_is_decided_before_the_cost(space_of: GetSpace) -> None:
    space = space_of(PRICES)
    columns = [replace(column(0, 3), value=-5), replace(column(4, 1), value=-4), replace(column(1, 1), value=-5)]
    found = solved(space, columns)
    assert found.column == 0
    assert found.value is not None
    assert found.value.objective == found.value.bound == -5
    assert found.cost.objective == 9_000_000
    assert found.proved
    assert not replace(found, value=replace(found.value, bound=-6)).proved
    assert solved(space, [column(0, 3)]).value is None


def test_a_job_is_paid_by_what_its_column_says(space_of: GetSpace) -> None:
    space = space_of(PRICES)
    dear = replace(column(4, 1), job=JobCost(9_000_000, 7200.0))
    cheap = replace(column(1, 1), job=JobCost(8_000_000, 1200.0))
    found = solved(space, [dear, cheap])
    assert found.column == 1
    assert found.cost.objective == found.cost.bound == 8_000_000
    assert found.value is None


def test_the_smallest_fleet_comes_before_its_cost(space_of: GetSpace) -> None:
    space = space_of(PRICES)
    columns = [
        replace(column(offer, instances), job=JobCost(usd_micro, 3600.0), value=fleet)
        for offer, instances, usd_micro, fleet in ((1, 1, 100, 4), (2, 1, 900, 2), (4, 1, 800, 2), (3, 1, 800, 8))
    ]
    found = solve_counts(space, columns, None, solve_with_cp_sat)
    assert isinstance(found, CountSolution)
    assert found.column == 2
    assert found.value is not None
    assert found.value.objective == found.value.bound == 2
    assert found.cost.objective == 800


def test_among_equal_costs_the_first_in_order_is_chosen(space_of: GetSpace) -> None:
    """Four ways to pay 42 dollars, and a dearer one before them."""
    space = space_of(PRICES)
    columns = [column(1, 2), column(2, 6), column(3, 6), column(0, 14), column(2, 6, replicas=6)]
    found = solved(space, columns)
    assert found.column == 1
    assert found.rank.objective == found.rank.bound == 1
    assert found.instances == {2: 6}
    assert solved(space, columns[2:]).column == 0


def test_one_micro_dollar_decides(space_of: GetSpace) -> None:
    space = space_of((6_000_000, *PRICES[1:]))
    dear, cheap = column(4, 1), replace(column(0, 1), usd_micro_per_hour=6_000_000)
    assert solved(space, [dear, cheap]).column == 1


def test_the_inventory_caps_accelerators(space_of: GetSpace) -> None:
    """Nine accelerators for 27 dollars; eight for 24 + 6; six for 21."""
    space = space_of(PRICES)
    columns = [column(2, 3), column(1, 1), column(0, 9)]
    assert solved(space, columns).column == 0
    assert solved(space, columns, 6).column == 0
    short = solve_counts(space, columns, 5, solve_with_cp_sat)
    assert isinstance(short, SolveResult)
    assert short.status is SolveStatus.INFEASIBLE
    assert not short.proved
    assert solved(space, [column(0, 9), column(1, 1)], 8).column == 1  # $24 fits, $27 does not


def test_no_more_instances_than_there_are(space_of: GetSpace) -> None:
    """Two of the dear pairs are left, so three of them cannot be taken, however cheap they are."""
    space = space_of(PRICES, stock={2: 2})
    columns = [column(2, 3), column(1, 1)]
    assert columns[solved(space, columns).column].offer == 1
    assert columns[solved(space_of(PRICES, stock={2: 3}), columns).column].offer == 2


def test_whole_instances_hold_the_replicas(space_of: GetSpace) -> None:
    """Two instances for one replica: the count of instances is that of the column, not of its replicas."""
    space = space_of(PRICES)
    found = solved(space, [column(2, 2, replicas=1)])
    assert found.instances == {2: 2}
    assert found.cost.objective == 14_000_000


def test_the_same_columns_give_the_same_solution(space_of: GetSpace) -> None:
    space = space_of(PRICES)
    columns = [column(offer, count) for offer in range(5) for count in (2, 3, 4)]
    assert solved(space, columns) == solved(space, columns)


def small_program() -> IntegerProgram:
    """3x + 2y ≥ 7, x ≤ 2: the least 4x + 3y is 10, at x = 1 and y = 2."""
    program = IntegerProgram()
    x, y = program.add_variable(0, 2), program.add_variable(0, 9)
    program.add_row([Term(x, 3), Term(y, 2)], lower=7)
    return program.minimize([Term(x, 4), Term(y, 3)])


def test_cp_sat_by_hand() -> None:
    assert solve_with_cp_sat(small_program()) == SolveResult(SolveStatus.OPTIMAL, 10, 10, (1, 2))


def test_minimising_leaves_the_program_as_it_was() -> None:
    program = small_program()
    other = program.minimize([Term(1, 1)])
    assert solve_with_cp_sat(other).objective == 1
    assert solve_with_cp_sat(program).objective == 10


def test_an_impossible_program_has_no_solution() -> None:
    program = small_program()
    program.add_row([Term(1, 1)], upper=0)
    found = solve_with_cp_sat(program)
    assert found == SolveResult(SolveStatus.INFEASIBLE, None, None, ())
    assert not found.proved


@pytest.mark.parametrize("break_it", [lambda p: p.add_variable(3, 2), lambda p: p.add_row([Term(0, 2**62)], lower=0)])
def test_a_malformed_program_is_a_bug(break_it: Callable[[IntegerProgram], object]) -> None:
    program = small_program()
    break_it(program)
    with pytest.raises(SolverError, match="CP-SAT"):
        solve_with_cp_sat(program)


@pytest.mark.parametrize(
    ("objective", "bound", "proved"), [(5, 5, True), (5, 4, False), (None, None, False), (None, 3, False)]
)
def test_a_proof_is_bound_equal_to_objective(objective: int | None, bound: int | None, *, proved: bool) -> None:
    """Whatever word the solver uses."""
    for status in SolveStatus:
        assert SolveResult(status, objective, bound, ()).proved is proved


@pytest.fixture(scope="module")
def process() -> Iterator[SolverProcess]:
    with SolverProcess() as running:
        yield running


def test_a_solver_in_another_process_gives_the_same_answers(space_of: GetSpace, process: SolverProcess) -> None:
    space = space_of(PRICES)
    columns = [column(offer, count) for offer in range(5) for count in (2, 3)]
    assert process.solve(small_program()) == solve_with_cp_sat(small_program())
    assert solve_counts(space, columns, 6, process.solve) == solve_counts(space, columns, 6, solve_with_cp_sat)


def test_programs_and_results_survive_the_pipe() -> None:
    program = small_program()
    program.add_row([Term(0, 2**53 + 1)], lower=None, upper=2**60)
    assert decode_program(encode_program(program)) == program
    result = SolveResult(SolveStatus.OPTIMAL, 2**53 + 1, 2**53, (1, 2**53 + 1))
    assert decode_result(encode_result(result)) == result
    assert "\n" not in encode_program(program)


def test_a_solver_that_was_stopped_leaves_the_best_known_unproved(space_of: GetSpace) -> None:
    space = space_of(PRICES)
    columns = [column(4, 1), column(0, 3)]
    nothing = agreed(columns, SolveResult(SolveStatus.UNKNOWN, None, None, ()))
    assert (nothing.column, nothing.instances, nothing.proved) == (0, {4: 1}, False)
    found = solved(space, columns)
    assert agreed(columns, found) is found
    unproved = replace(found, column=1, cost=replace(found.cost, bound=0))
    assert agreed(columns, unproved).column == 0
    assert not agreed(columns, unproved).proved


def test_a_proof_against_the_list_is_a_bug(space_of: GetSpace) -> None:
    columns = [column(4, 1), column(0, 3)]
    with pytest.raises(VerificationError, match="disagree"):
        agreed(columns, replace(solved(space_of(PRICES), columns), column=1))
    with pytest.raises(VerificationError, match="no design"):
        agreed(columns, SolveResult(SolveStatus.INFEASIBLE, None, None, ()))

"""Objectives that spend what they may: a specification with one of them must say how much that is."""

from requirements_specs.section import Section
from requirements_specs.serving import Budget, Inventory, Objective

_EXAMPLE = "budget: {usd_per_hour: $60/h}, or inventory: {max_accelerators: 8}"


def refuse_uncapped(top: Section, objective: Objective, budget: Budget, inventory: Inventory) -> None:
    """Note that an objective has no cap, or one that depends on the rate that it seeks."""
    per_token = budget.usd_per_million_output_tokens is not None
    if per_token and objective is Objective.MOST_REQUESTS:
        top.refuse_key(
            "objective",
            "a budget per token grows with the request rate, which is what is sought",
            read=f"{objective} with budget.usd_per_million_output_tokens",
            allowed=_EXAMPLE,
        )
        return
    if budget.usd_micro_per_hour is None and not per_token and inventory.max_accelerators is None:
        top.refuse_key(
            "objective", "this objective needs a budget: more would always be better", read=objective, allowed=_EXAMPLE
        )

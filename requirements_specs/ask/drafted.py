"""A spec on its way: its tree, and everything that must be said about it."""

from dataclasses import dataclass, field

from requirements_specs.ask.reading import PATH
from requirements_specs.errors import Problem
from requirements_specs.serving import Assumption
from requirements_specs.write import Tree


@dataclass(frozen=True)
class Missing:
    """A key that the sentence leaves open, what it is, and how to give it on the command line."""

    key: str
    what: str
    example: str


@dataclass
class Draft:
    """The spec so far; `unused` is what was understood and has no key."""

    tree: Tree = field(default_factory=dict)
    assumed: list[Assumption] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)

    def assume(self, key: str, value: str, why: str) -> None:
        """Note what was taken for something that the sentence does not say."""
        self.assumed.append(Assumption(key=key, value=value, why=why))

    def refuse(
        self, key: str, what: str, *, read: str | None = None, allowed: str | None = None, fix: str | None = None
    ) -> None:
        """Note what cannot be meant."""
        self.problems.append(Problem(PATH, None, key, what, read=read, allowed=allowed, fix=fix))
